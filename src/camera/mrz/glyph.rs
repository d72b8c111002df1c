//! Tells which character of OCR-B stands in a cell of the grid.
//!
//! A small network of our own (two convolutions, two layers; 51,000 weights of a byte), trained by
//! `benches/ocr_b_training.rs` on characters that it draws. It says also where the character
//! really stands in its cell, so that the grid can be moved to fit.
//!
//! A library would have been preferred. `ocrs`, in pure Rust, takes its models from the net, and the
//! others that were found stand on the models of PaddleOCR; none could be fetched and measured here.
//!
//! Measured on 40,000 samples of the training's kind and another seed: of the 24,420 that it is sure
//! of by a margin of 4, 32 are wrong; of 26,186 by a margin of 3, 85. Beside it, the nearest of 37
//! templates (the mean of each character over easy pictures, the best of nine places in the cell), on
//! the same cells with the same decision: of 100 medium cards (seed 1001, the grid known) the
//! templates read 71 and the network 90, of 100 hard ones 46 and 76. None was wrong; with the
//! templates' scores taken for more than that, two were.

use std::sync::OnceLock;

use super::plane::Plane;
use super::read::Pose;

/// What the network tells apart, in the order of its outputs; the one behind them is "none".
pub(super) const ALPHABET: &[u8; 37] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<";

/// The patch that the network sees, in steps of a 16th of the distance between characters.
const WIDTH: usize = 20;
const HEIGHT: usize = 24;
const STEPS_PER_PITCH: f32 = 16.0;

/// Sizes of the layers.
const FIRST: usize = 12;
const SECOND: usize = 24;
const FLAT: usize = (WIDTH / 4) * (HEIGHT / 4) * SECOND;
const HIDDEN: usize = 64;
const OUT: usize = ALPHABET.len() + 1 + 3;

/// Written by the training: a mark, then for each layer a scale for each output, an offset for
/// each output, and the weights, a byte each, the outputs innermost.
static WEIGHTS: &[u8] = include_bytes!("ocr_b.weights");
const MARK: &[u8; 8] = b"OCRB1\0\0\0";

/// What the network makes of a cell.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    /// The logarithm of how likely each character is.
    pub scores: [f32; ALPHABET.len()],
    /// The same, that it is none.
    pub none: f32,
    /// Where the character stands in its cell: to the right and downwards, in pitches.
    pub place: [f32; 2],
    /// The logarithm of its height, 0 as expected.
    pub height: f32,
}

impl Reading {
    /// Returns the likeliest character and how much likelier it is than all else, by the
    /// difference of the logarithms; `None` where it is likelier that there is none.
    pub fn best(&self) -> Option<(u8, f32)> {
        let (mut at, mut first, mut second) = (0, f32::MIN, self.none);
        for (class, &score) in self.scores.iter().enumerate() {
            if score > first {
                second = second.max(first);
                (at, first) = (class, score);
            } else {
                second = second.max(score);
            }
        }
        (first > second).then_some((ALPHABET[at], first - second))
    }

    /// Makes this the mean of itself and other looks at the same cell.
    pub fn average(&mut self, others: &[Reading]) {
        let share = 1.0 / (1 + others.len()) as f32;
        let mean = |own: f32, of: &dyn Fn(&Reading) -> f32| {
            share * (own + others.iter().map(of).sum::<f32>())
        };
        for at in 0..ALPHABET.len() {
            self.scores[at] = mean(self.scores[at], &|other| other.scores[at]);
        }
        self.none = mean(self.none, &|other| other.none);
    }
}

/// The picture and its halves, from which cells of any size are taken.
pub(super) struct Layers<'a> {
    planes: [Plane<'a>; 3],
}

impl<'a> Layers<'a> {
    /// Three sizes: characters of 80 pixels come down to 20. Takes the memory of other halves.
    pub fn of(picture: Plane<'a>, memory: &mut [Vec<u8>; 2]) -> Layers<'a> {
        let [half, quarter] = memory.each_mut().map(std::mem::take);
        let half = picture.halved(half);
        let quarter = half.halved(quarter);
        Layers { planes: [picture, half, quarter] }
    }

    /// Returns the memory of the halves.
    pub fn into_memory(self) -> [Vec<u8>; 2] {
        let [_, half, quarter] = self.planes;
        [half, quarter].map(Plane::into_pixels)
    }

    /// Returns the cell around a place of the text, as the network sees it.
    fn patch(&self, pose: &Pose, at: [f32; 2], view: View) -> [f32; WIDTH * HEIGHT] {
        let [right, down] = view.shift;
        let [x, y] = pose.grid.apply([at[0] + right, at[1] + down * pose.lines_per_pitch]);
        let [across, down] = pose.grid.steps(at);
        let across = across.map(|step| step * view.zoom);
        let down = down.map(|step| step * pose.lines_per_pitch * view.zoom);
        // A step of more than 1.6 pixels would jump over strokes.
        let step = across[0].hypot(across[1]).max(down[0].hypot(down[1])) / STEPS_PER_PITCH;
        let layer = usize::from(step > 1.6) + usize::from(step > 3.2);
        let scale = 1.0 / (1 << layer) as f32;
        let plane = &self.planes[layer.min(self.planes.len() - 1)];
        let shift = 0.5 * scale - 0.5;
        let [x, y] = [x, y].map(|value| value * scale + shift);
        let [across, down] =
            [across, down].map(|step| step.map(|value| value * scale / STEPS_PER_PITCH));
        let mut pixels = [0.0; WIDTH * HEIGHT];
        for (j, row) in pixels.chunks_exact_mut(WIDTH).enumerate() {
            let v = j as f32 - (HEIGHT as f32 - 1.0) / 2.0;
            for (i, pixel) in row.iter_mut().enumerate() {
                let u = i as f32 - (WIDTH as f32 - 1.0) / 2.0;
                *pixel = plane.at(x + u * across[0] + v * down[0], y + u * across[1] + v * down[1]);
            }
        }
        normalise(&mut pixels);
        pixels
    }
}

/// Mean 0 and deviation 1; a patch without contrast keeps its noise small.
fn normalise(pixels: &mut [f32; WIDTH * HEIGHT]) {
    let count = pixels.len() as f32;
    let mean = pixels.iter().sum::<f32>() / count;
    let variance = pixels.iter().map(|p| (p - mean) * (p - mean)).sum::<f32>() / count;
    let scale = 1.0 / (variance + 16.0).sqrt();
    pixels.iter_mut().for_each(|p| *p = (*p - mean) * scale);
}

/// How a cell is looked at, beside where the grid has it.
#[derive(Clone, Copy)]
pub(super) struct View {
    /// To the right and downwards, in pitches.
    pub shift: [f32; 2],
    /// How much is seen of it: more than 1 makes the character smaller.
    pub zoom: f32,
}

impl View {
    pub const STRAIGHT: View = View { shift: [0.0; 2], zoom: 1.0 };
}

/// Reads the cell around a place of the text.
pub(super) fn read(layers: &Layers<'_>, pose: &Pose, at: [f32; 2], view: View) -> Reading {
    static NETWORK: OnceLock<Network> = OnceLock::new();
    let network = NETWORK.get_or_init(|| Network::read(WEIGHTS));
    network.run(&layers.patch(pose, at, view))
}

/// Weights and offsets of a layer; the outputs are innermost.
struct Layer {
    weights: Vec<f32>,
    offsets: Vec<f32>,
}

struct Network {
    layers: [Layer; 4],
}

impl Network {
    /// Reads what the training wrote. A file that is too short gives zeros, and so reads nothing;
    /// a test keeps it from being so.
    fn read(bytes: &[u8]) -> Network {
        let mut rest = bytes.strip_prefix(MARK).unwrap_or_default();
        let floats = |count: usize, rest: &mut &[u8]| -> Vec<f32> {
            let (taken, left) = rest.split_at((4 * count).min(rest.len()));
            *rest = left;
            let mut values: Vec<f32> = taken
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect();
            values.resize(count, 0.0);
            values
        };
        let layers = [(9, FIRST), (9 * FIRST, SECOND), (FLAT, HIDDEN), (HIDDEN, OUT)].map(
            |(inputs, outputs)| {
                let scales = floats(outputs, &mut rest);
                let offsets = floats(outputs, &mut rest);
                let (taken, left) = rest.split_at((inputs * outputs).min(rest.len()));
                rest = left;
                let mut weights: Vec<f32> = taken
                    .iter()
                    .enumerate()
                    .map(|(at, &level)| f32::from(level as i8) * scales[at % outputs])
                    .collect();
                weights.resize(inputs * outputs, 0.0);
                Layer { weights, offsets }
            },
        );
        Network { layers }
    }

    fn run(&self, pixels: &[f32; WIDTH * HEIGHT]) -> Reading {
        let mut input = [0.0; (WIDTH + 2) * (HEIGHT + 2)];
        for (j, row) in pixels.chunks_exact(WIDTH).enumerate() {
            let at = (j + 1) * (WIDTH + 2) + 1;
            input[at..at + WIDTH].copy_from_slice(row);
        }
        let mut first = [0.0; (WIDTH / 2 + 2) * (HEIGHT / 2 + 2) * FIRST];
        convolve::<1, FIRST>(&self.layers[0], &input, [WIDTH, HEIGHT], 1, &mut first);
        let mut second = [0.0; FLAT];
        let size = [WIDTH / 2, HEIGHT / 2];
        convolve::<FIRST, SECOND>(&self.layers[1], &first, size, 0, &mut second);
        let mut hidden = [0.0; HIDDEN];
        connect(&self.layers[2], &second, &mut hidden);
        hidden.iter_mut().for_each(|value| *value = value.max(0.0));
        let mut out = [0.0; OUT];
        connect(&self.layers[3], &hidden, &mut out);

        // From what the network says to logarithms of how likely it is.
        let classes = &out[..=ALPHABET.len()];
        let most = classes.iter().copied().fold(f32::MIN, f32::max);
        let all = most + classes.iter().map(|value| (value - most).exp()).sum::<f32>().ln();
        let mut scores = [0.0; ALPHABET.len()];
        scores.iter_mut().zip(classes).for_each(|(score, value)| *score = value - all);
        let rest = ALPHABET.len() + 1;
        Reading {
            scores,
            none: out[ALPHABET.len()] - all,
            place: [out[rest], out[rest + 1]],
            height: out[rest + 2],
        }
    }
}

/// 3 by 3 with offsets, nothing below 0, and the largest of each 2 by 2.
///
/// `input` is padded by one on each side, `out` by `edge`.
fn convolve<const IN: usize, const OUT: usize>(
    layer: &Layer,
    input: &[f32],
    [width, height]: [usize; 2],
    edge: usize,
    out: &mut [f32],
) {
    let row = (width + 2) * IN;
    let out_width = width / 2 + 2 * edge;
    let mut offsets = [0.0; OUT];
    offsets.copy_from_slice(&layer.offsets);
    let (weights, _) = layer.weights.as_chunks::<OUT>();
    for y in 0..height / 2 {
        for x in 0..width / 2 {
            let mut most = [0.0f32; OUT];
            for dy in 0..2 {
                // Two sums at a time: they stay in registers, and neither waits for the other.
                let (mut left, mut right) = (offsets, offsets);
                for ky in 0..3 {
                    let start = (2 * y + dy + ky) * row + 2 * x * IN;
                    let pixels = input[start..start + 3 * IN].iter();
                    let beside = &input[start + IN..start + 4 * IN];
                    let taps = &weights[ky * 3 * IN..][..3 * IN];
                    for ((one, other), weights) in pixels.zip(beside).zip(taps) {
                        for o in 0..OUT {
                            left[o] += one * weights[o];
                            right[o] += other * weights[o];
                        }
                    }
                }
                for o in 0..OUT {
                    most[o] = most[o].max(left[o]).max(right[o]);
                }
            }
            let at = ((y + edge) * out_width + x + edge) * OUT;
            out[at..at + OUT].copy_from_slice(&most);
        }
    }
}

/// Every input to every output, with offsets.
fn connect<const OUT: usize>(layer: &Layer, input: &[f32], out: &mut [f32; OUT]) {
    out.copy_from_slice(&layer.offsets);
    for (value, weights) in input.iter().zip(layer.weights.chunks_exact(OUT)) {
        if *value != 0.0 {
            out.iter_mut().zip(weights).for_each(|(out, weight)| *out += value * weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_weights_is_whole() {
        let counts = [(9, FIRST), (9 * FIRST, SECOND), (FLAT, HIDDEN), (HIDDEN, OUT)];
        let length: usize = counts.iter().map(|(i, o)| (i + 8) * o).sum();
        assert!(WEIGHTS.starts_with(MARK));
        assert_eq!(WEIGHTS.len(), MARK.len() + length);
    }

    #[test]
    fn an_even_cell_holds_no_character() {
        let network = Network::read(WEIGHTS);
        assert!(network.run(&[0.0; WIDTH * HEIGHT]).best().is_none());
    }

    #[test]
    fn weights_that_are_cut_off_are_read_as_nothing() {
        for length in [0, 5, 8, 100, WEIGHTS.len() / 2] {
            let reading = Network::read(&WEIGHTS[..length]).run(&[0.3; WIDTH * HEIGHT]);
            assert!(reading.best().is_none(), "{length}");
        }
    }
}
