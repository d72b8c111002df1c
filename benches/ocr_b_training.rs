//! Trains the recogniser of OCR-B that `src/camera/mrz/glyph.rs` runs, and writes its weights.
//!
//! ```text
//! RUSTFLAGS="-C target-cpu=x86-64-v3" \
//!     cargo bench --bench ocr_b_training -- src/camera/mrz/ocr_b.weights
//! ```
//!
//! Needs the font of the Debian package `fonts-ocr-b`, which is read here and never copied. The
//! program draws single characters between their neighbours, photographs them with an invented
//! camera (any angle and size, blur, movement, noise, guilloche, shadow, glare, JPEG), and trains a
//! small network on them: what character it is or none, and where it really stands in its cell, so
//! that the reader can move its grid. The same build draws and learns the same every time: the
//! random numbers are seeded and everything is computed in one thread, in one order.
//!
//! Every sample is drawn anew, so nothing is learnt by heart; the figures at the end are of other
//! seeds than the training's.

#![expect(clippy::print_stdout, reason = "a program that tells what it has learnt")]
#![expect(clippy::needless_range_loop, reason = "sums over several tables read by their indexes")]

use std::fs;
use std::process::ExitCode;
use std::time::Instant;

use ab_glyph::{Font, FontVec, OutlineCurve, Point};

/// Where the Debian package puts the two cuts of the font: round and square ends of the strokes.
const FONTS: [&str; 2] =
    ["/usr/share/fonts/opentype/ocr-b/OCRB.otf", "/usr/share/fonts/opentype/ocr-b/OCRBS.otf"];

/// What the network tells apart; class 37 is "no character".
const ALPHABET: &[u8; 37] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<";
const NONE: usize = 37;

/// The patch that the network sees: 16 steps are the distance between two characters.
const WIDTH: usize = 20;
const HEIGHT: usize = 24;
const STEPS_PER_PITCH: f32 = 16.0;

/// Sizes of the layers.
const FIRST: usize = 12;
const SECOND: usize = 24;
const HIDDEN: usize = 64;
/// The classes, then the place to the right, the place downwards, and the height.
const OUT: usize = 38 + 3;
const FLAT: usize = (WIDTH / 4) * (HEIGHT / 4) * SECOND;

/// Samples and how they are fed. Chosen for the time: the loss still falls slowly at the end.
const SAMPLES: usize = 1_600_000;
const BATCH: usize = 32;

/// Patches that are cut from one photograph, each with the grid off in another way. Chosen: the
/// photograph takes as long as learning from a patch.
const VIEWS: usize = 2;

fn main() -> ExitCode {
    // Cargo adds `--bench` of its own.
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let Some(path) = arguments.next() else {
        eprintln!("usage: cargo bench --bench ocr_b_training -- FILE [SAMPLES]");
        return ExitCode::from(2);
    };
    let samples = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(SAMPLES);
    let mut fonts = Vec::new();
    for file in FONTS {
        match fs::read(file).ok().and_then(|bytes| FontVec::try_from_vec(bytes).ok()) {
            Some(font) => fonts.push(Shapes::of(&font)),
            None => {
                eprintln!("error: {file} cannot be read: install the package fonts-ocr-b");
                return ExitCode::FAILURE;
            }
        }
    }

    let mut network = Network::new(&mut Random(0x0C4B_0001));
    train(&mut network, &fonts, samples);
    let (bytes, rounded) = network.to_bytes();
    measure("as trained", &network, &fonts);
    measure("as written", &rounded, &fonts);
    match fs::write(&path, &bytes) {
        Ok(()) => {
            println!("{path}: {} bytes", bytes.len());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn train(network: &mut Network, fonts: &[Shapes], samples: usize) {
    let start = Instant::now();
    let mut random = Random(0x0C4B_7EA1);
    let mut adam = Adam::new(network.weights.len());
    let batches = (samples / BATCH).max(1);
    let mut gradient = vec![0.0f32; network.weights.len()];
    let (mut loss, mut right) = (0.0, 0);
    for batch in 0..batches {
        gradient.fill(0.0);
        for _ in 0..BATCH / VIEWS {
            for sample in draw(fonts, &mut random) {
                let pass = network.forward(&sample.pixels);
                loss += network.backward(&sample, &pass, &mut gradient);
                right += usize::from(best(&pass.out).0 == sample.class);
            }
        }
        // Warm up, then down along half a cosine.
        let done = batch as f32 / batches as f32;
        let rate = 3.0e-3 * (0.5 + 0.5 * (std::f32::consts::PI * done).cos()) + 1.0e-5;
        adam.step(&mut network.weights, &gradient, rate);
        if (batch + 1) % 1_000 == 0 {
            let seen = (1_000 * BATCH) as f32;
            let (loss_mean, share) = (loss / seen, 100.0 * right as f32 / seen);
            let seconds = start.elapsed().as_secs();
            eprintln!(
                "{:8} samples, loss {loss_mean:.4}, {share:.2} %, {seconds} s",
                (batch + 1) * BATCH
            );
            (loss, right) = (0.0, 0);
        }
    }
}

/// Prints how often the network is right on samples that it was not trained on, and how sure it is.
fn measure(what: &str, network: &Network, fonts: &[Shapes]) {
    const COUNT: usize = 40_000;
    let mut random = Random(0x0C4B_7E57);
    let mut wrong_above = [0usize; 8];
    let mut right_above = [0usize; 8];
    let (mut characters, mut place) = (0usize, 0.0f64);
    for _ in 0..COUNT {
        // Patches of one photograph would be wrong together.
        let [sample, ..] = draw(fonts, &mut random);
        let pass = network.forward(&sample.pixels);
        let (class, margin) = best(&pass.out);
        if class != NONE {
            for (step, (wrong, right)) in wrong_above.iter_mut().zip(&mut right_above).enumerate() {
                let above = usize::from(margin >= step as f32);
                if class == sample.class { *right += above } else { *wrong += above }
            }
        }
        if sample.class != NONE {
            characters += 1;
            place += f64::from((pass.out[38] - sample.place[0]).powi(2));
        }
    }
    println!("{what}: {characters} characters, {} of none", COUNT - characters);
    println!("  place to the right: off by {:.3} of the pitch", (place / characters as f64).sqrt());
    for (step, (wrong, right)) in wrong_above.iter().zip(&right_above).enumerate() {
        println!("  margin {step}: {right} right, {wrong} wrong");
    }
}

/// Returns the likeliest class and its margin over the second, in units of the natural logarithm.
fn best(out: &[f32]) -> (usize, f32) {
    let mut first = (0, f32::MIN);
    let mut second = f32::MIN;
    for (class, &value) in out[..38].iter().enumerate() {
        if value > first.1 {
            second = first.1;
            first = (class, value);
        } else {
            second = second.max(value);
        }
    }
    (first.0, first.1 - second)
}

// ---- drawing -------------------------------------------------------------------------------

/// A small generator: splitmix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 24) as f32
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.bits()) * end as u128) >> 64) as usize
    }

    fn happens(&mut self, share: f32) -> bool {
        self.unit() < share
    }

    /// Nearly normal, by the sum of four even numbers: bounded, which a sensor's noise is too.
    fn normal(&mut self) -> f32 {
        let bits = self.bits();
        let sum: u32 = (0..4).map(|part| (bits >> (16 * part)) as u32 & 0xFFFF).sum();
        (sum as f32 / 65_536.0 - 2.0) * 1.732
    }
}

/// Distances to the edge of each character, negative inside, in units of the pitch.
struct Shapes {
    fields: Vec<Vec<f32>>,
}

/// Samples of a distance field to a unit of the pitch, and the field's half size in pitches.
const FIELD: f32 = 40.0;
const FIELD_HALF: f32 = 0.8;
const FIELD_SIDE: usize = 65;

impl Shapes {
    fn of(font: &FontVec) -> Shapes {
        let fields = ALPHABET.iter().map(|&letter| field_of(font, letter as char)).collect();
        Shapes { fields }
    }

    /// Distance at a place relative to the middle of the cell.
    fn distance(&self, class: usize, x: f32, y: f32) -> f32 {
        let (u, v) = ((x + FIELD_HALF) * FIELD, (y + FIELD_HALF) * FIELD);
        let last = (FIELD_SIDE - 2) as f32;
        if !(0.0..=last).contains(&u) || !(0.0..=last).contains(&v) {
            return 1.0;
        }
        let (i, j) = (u as usize, v as usize);
        let (a, b) = (u - i as f32, v - j as f32);
        let field = &self.fields[class];
        let at = j * FIELD_SIDE + i;
        let upper = field[at] * (1.0 - a) + field[at + 1] * a;
        let lower = field[at + FIELD_SIDE] * (1.0 - a) + field[at + FIELD_SIDE + 1] * a;
        upper * (1.0 - b) + lower * b
    }
}

/// Flattens the outline and measures the distance to it from each point of a grid.
fn field_of(font: &FontVec, letter: char) -> Vec<f32> {
    let id = font.glyph_id(letter);
    let pitch = font.h_advance_unscaled(id);
    // The middle between base line and the height of the digits; `<` is centred there too.
    let centre = 0.5 * pitch;
    let height = 380.0 / 723.0 * pitch;
    let place = |p: Point| ((p.x - centre) / pitch, (height - p.y) / pitch);
    let mut segments: Vec<((f32, f32), (f32, f32))> = Vec::new();
    if let Some(outline) = font.outline(id) {
        for curve in outline.curves {
            let steps = if matches!(curve, OutlineCurve::Line(..)) { 1 } else { 12 };
            let at = |t: f32| -> Point {
                let mix = |a: Point, b: Point| Point {
                    x: a.x + (b.x - a.x) * t,
                    y: a.y + (b.y - a.y) * t,
                };
                match curve {
                    OutlineCurve::Line(a, b) => mix(a, b),
                    OutlineCurve::Quad(a, b, c) => mix(mix(a, b), mix(b, c)),
                    OutlineCurve::Cubic(a, b, c, d) => {
                        let (ab, bc, cd) = (mix(a, b), mix(b, c), mix(c, d));
                        mix(mix(ab, bc), mix(bc, cd))
                    }
                }
            };
            for step in 0..steps {
                let (from, to) = (step as f32 / steps as f32, (step + 1) as f32 / steps as f32);
                segments.push((place(at(from)), place(at(to))));
            }
        }
    }
    let mut field = Vec::with_capacity(FIELD_SIDE * FIELD_SIDE);
    for j in 0..FIELD_SIDE {
        for i in 0..FIELD_SIDE {
            let (x, y) = (i as f32 / FIELD - FIELD_HALF, j as f32 / FIELD - FIELD_HALF);
            let mut nearest = f32::MAX;
            let mut winding = 0;
            for &((x0, y0), (x1, y1)) in &segments {
                let (dx, dy) = (x1 - x0, y1 - y0);
                let along = ((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy).max(1.0e-12);
                let along = along.clamp(0.0, 1.0);
                let (ex, ey) = (x - x0 - along * dx, y - y0 - along * dy);
                nearest = nearest.min(ex * ex + ey * ey);
                if (y0 <= y) != (y1 <= y) && x < x0 + (y - y0) / (y1 - y0) * dx {
                    winding += if y1 > y0 { 1 } else { -1 };
                }
            }
            let distance = nearest.sqrt();
            field.push(if winding != 0 { -distance } else { distance });
        }
    }
    field
}

struct Sample {
    pixels: [f32; WIDTH * HEIGHT],
    class: usize,
    /// To the right and downwards in pitches, and the height's logarithm.
    place: [f32; 3],
}

/// Characters that are no character when they stand upside down.
const NOT_TURNED: &[u8] = b"<AEFJKLPRTVY1347CGQ";

/// Draws a character, photographs it, and cuts patches from the photograph.
fn draw(fonts: &[Shapes], random: &mut Random) -> [Sample; VIEWS] {
    let shapes = &fonts[random.below(fonts.len())];
    let letter = |random: &mut Random| match random.below(100) {
        0..30 => 36,
        30..60 => 26 + random.below(10),
        _ => random.below(26),
    };
    // A character, one upside down, one that stands between two cells, or none.
    let mut class = if random.happens(0.08) { 36 } else { random.below(37) };
    let mut truth = class;
    let mut turned = false;
    // Where a character lies that is none; others are only as far off as fitting leaves the grid.
    let mut beside = None;
    let mut blank = false;
    match random.below(100) {
        0..5 => {
            turned = true;
            class = ALPHABET
                .iter()
                .position(|&l| l == NOT_TURNED[random.below(NOT_TURNED.len())])
                .unwrap_or(36);
            truth = NONE;
        }
        5..9 => {
            beside = Some([if random.happens(0.5) { 0.5 } else { -0.5 }, 0.0]);
            truth = NONE;
        }
        9..12 => {
            let off = random.between(0.6, 1.0);
            beside = Some([0.0, if random.happens(0.5) { off } else { -off }]);
            truth = NONE;
        }
        12..18 => {
            blank = true;
            truth = NONE;
        }
        _ => {}
    }
    let neighbours = [letter(random), letter(random)];
    let shown = [random.happens(0.9), random.happens(0.9)];

    // From the camera's pixels to the text: pitch in pixels, angle, and what is left of the
    // perspective when the grid has been fitted.
    let pitch = 10.0 * (random.unit() * 1.39).exp();
    let angle = random.between(-std::f32::consts::PI, std::f32::consts::PI);
    let (sin, cos) = angle.sin_cos();
    let squeeze = random.between(0.8, 1.0);
    let squeezed = random.between(0.0, std::f32::consts::PI);
    // Anywhere in a square of the JPEG.
    let (sub_x, sub_y) = (random.between(-4.0, 4.0), random.between(-4.0, 4.0));

    // The ink.
    let spread = random.between(-0.022, 0.03);
    // Never sharper than the pixels, which stands in for several samples a pixel.
    let soft = random.between(0.015, 0.05).max(0.5 / pitch);
    let light = random.between(0.3, 1.0);
    let paper = random.between(170.0, 235.0) * light;
    let contrast = random.between(0.35, 0.85);
    let ink = paper * (1.0 - contrast);
    let lines = if random.happens(0.6) { random.between(0.0, 0.30) } else { 0.0 };
    let (lines_x, lines_y) = (random.between(-12.0, 12.0), random.between(-12.0, 12.0));
    let lines_bend = random.between(0.0, 2.0);
    let sharp_lines = random.happens(0.5);
    let slope = [random.between(-0.25, 0.25), random.between(-0.25, 0.25)];
    let shadow = random.happens(0.1).then(|| {
        let (s, c) = random.between(0.0, 6.3).sin_cos();
        (s, c, random.between(-0.8, 0.8), random.between(0.05, 0.6), random.between(0.15, 0.5))
    });
    let glare = random.happens(0.25).then(|| {
        let (s, c) = random.between(0.0, 6.3).sin_cos();
        (s, c, random.between(-1.2, 1.2), random.between(0.2, 2.0), random.between(20.0, 220.0))
    });
    // A fingertip, which is round, over a part of the cell.
    let finger = random.happens(0.04).then(|| {
        let (s, c) = random.between(0.0, 6.3).sin_cos();
        let radius = random.between(0.9, 2.0);
        let away = radius + random.between(-0.1, 0.7);
        (s * away, c * away, radius, random.between(70.0, 150.0) * light)
    });
    // Cameras make dark pictures brighter, after the noise and before the JPEG.
    let gain = if light < 0.7 && random.happens(0.5) {
        1.0 + (1.0 / light - 1.0) * random.between(0.3, 0.9)
    } else {
        1.0
    };

    // Camera pixels around the cell. Frame x = pitch * M (text), M = squeeze along a direction,
    // then turned.
    let (qs, qc) = squeezed.sin_cos();
    let m = [
        [1.0 - (1.0 - squeeze) * qc * qc, -(1.0 - squeeze) * qc * qs],
        [-(1.0 - squeeze) * qc * qs, 1.0 - (1.0 - squeeze) * qs * qs],
    ];
    let turn = [
        [cos * m[0][0] - sin * m[1][0], cos * m[0][1] - sin * m[1][1]],
        [sin * m[0][0] + cos * m[1][0], sin * m[0][1] + cos * m[1][1]],
    ];
    let to_frame = |x: f32, y: f32| {
        (
            pitch * (turn[0][0] * x + turn[0][1] * y) + sub_x,
            pitch * (turn[1][0] * x + turn[1][1] * y) + sub_y,
        )
    };
    let determinant = turn[0][0] * turn[1][1] - turn[0][1] * turn[1][0];
    let to_text = |u: f32, v: f32| {
        let (u, v) = ((u - sub_x) / pitch, (v - sub_y) / pitch);
        (
            (turn[1][1] * u - turn[0][1] * v) / determinant,
            (turn[0][0] * v - turn[1][0] * u) / determinant,
        )
    };
    let half = (1.1 * pitch).ceil() as usize + 6;
    let side = 2 * half + 1;
    let mut camera = vec![0.0f32; side * side];
    for j in 0..side {
        for i in 0..side {
            let (x, y) = to_text(i as f32 - half as f32, j as f32 - half as f32);
            let mut distance = 1.0f32;
            if !blank {
                distance = if turned {
                    shapes.distance(class, -x, -y)
                } else {
                    shapes.distance(class, x, y)
                };
            }
            for (which, step) in [(0, -1.0), (1, 1.0)] {
                if shown[which] {
                    let (nx, ny) = if turned { (step - x, -y) } else { (x - step, y) };
                    distance = distance.min(shapes.distance(neighbours[which], nx, ny));
                }
            }
            let cover = (0.5 + (spread - distance) / (2.0 * soft)).clamp(0.0, 1.0);
            let mut ground = 1.0 + slope[0] * x + slope[1] * y;
            if lines > 0.0 {
                let wave = (lines_x * x + lines_y * y + lines_bend * (3.0 * x).sin()).sin();
                let wave = match sharp_lines {
                    true => (wave.abs() - 0.8).max(0.0) * 5.0,
                    false => 0.5 + 0.5 * wave,
                };
                ground *= 1.0 - lines * wave;
            }
            if let Some((s, c, off, width, depth)) = shadow {
                ground *= 1.0 - depth * smooth((s * x + c * y - off) / width);
            }
            let mut level = (paper * (1.0 - cover) + ink * cover) * ground;
            if let Some((s, c, off, width, strength)) = glare {
                let distance = (s * x + c * y - off) / width;
                level += strength * (-distance * distance).exp();
            }
            if let Some((fx, fy, radius, grey)) = finger {
                let inside = (radius - (x - fx).hypot(y - fy)) * pitch / 1.5;
                level += (grey - level) / (1.0 + (-inside).exp());
            }
            camera[j * side + i] = level;
        }
    }
    photograph(&mut camera, side, pitch, gain, random);

    [(); VIEWS].map(|()| {
        let off = match beside {
            Some([x, y]) => [x + 0.04 * random.normal(), y + 0.02 * random.normal()],
            None if random.happens(0.1) => [random.between(-0.3, 0.3), random.between(-0.3, 0.3)],
            None => [0.08 * random.normal(), 0.08 * random.normal()],
        };
        cut(&camera, side, to_frame, off, truth, random)
    })
}

/// Cuts a patch, with the grid as far off as fitting leaves it.
fn cut(
    camera: &[f32],
    side: usize,
    to_frame: impl Fn(f32, f32) -> (f32, f32),
    [off_x, off_y]: [f32; 2],
    class: usize,
    random: &mut Random,
) -> Sample {
    let half = (side / 2) as f32;
    let tall = (0.05 * random.normal()).exp();
    let wide = (0.03 * random.normal()).exp();
    let slant = 0.04 * random.normal();
    let lean = 0.03 * random.normal();
    let mut pixels = [0.0f32; WIDTH * HEIGHT];
    for j in 0..HEIGHT {
        for i in 0..WIDTH {
            let x = (i as f32 - (WIDTH as f32 - 1.0) / 2.0) / STEPS_PER_PITCH;
            let y = (j as f32 - (HEIGHT as f32 - 1.0) / 2.0) / STEPS_PER_PITCH;
            let (tx, ty) = (wide * x + slant * y - off_x, tall * y + lean * x - off_y);
            let (u, v) = to_frame(tx, ty);
            pixels[j * WIDTH + i] = bilinear(camera, side, u + half, v + half);
        }
    }
    normalise(&mut pixels);
    Sample { pixels, class, place: [off_x, off_y, -tall.ln()] }
}

fn smooth(x: f32) -> f32 {
    1.0 / (1.0 + (-4.0 * x).exp())
}

fn bilinear(picture: &[f32], side: usize, u: f32, v: f32) -> f32 {
    let last = (side - 2) as f32;
    let (u, v) = (u.clamp(0.0, last), v.clamp(0.0, last));
    let (i, j) = (u as usize, v as usize);
    let (a, b) = (u - i as f32, v - j as f32);
    let at = j * side + i;
    let upper = picture[at] * (1.0 - a) + picture[at + 1] * a;
    let lower = picture[at + side] * (1.0 - a) + picture[at + side + 1] * a;
    upper * (1.0 - b) + lower * b
}

/// Mean 0 and deviation 1; a patch without contrast keeps its noise small.
fn normalise(pixels: &mut [f32]) {
    let count = pixels.len() as f32;
    let mean = pixels.iter().sum::<f32>() / count;
    let variance = pixels.iter().map(|p| (p - mean) * (p - mean)).sum::<f32>() / count;
    let scale = 1.0 / (variance + 16.0).sqrt();
    pixels.iter_mut().for_each(|p| *p = (*p - mean) * scale);
}

/// Optics, movement, noise, sharpening, JPEG and rounding.
fn photograph(camera: &mut [f32], side: usize, pitch: f32, gain: f32, random: &mut Random) {
    let sigma = random.between(0.01, 0.08) * pitch;
    if sigma > 0.2 {
        blur(camera, side, sigma.min(3.5));
    }
    if random.happens(0.5) {
        let length = random.between(0.0, 0.17) * pitch;
        let (sin, cos) = random.between(0.0, std::f32::consts::PI).sin_cos();
        let before = camera.to_vec();
        const STEPS: usize = 5;
        for j in 0..side {
            for i in 0..side {
                let sum: f32 = (0..STEPS)
                    .map(|step| {
                        let t = length * (step as f32 / (STEPS - 1) as f32 - 0.5);
                        bilinear(&before, side, i as f32 + t * cos, j as f32 + t * sin)
                    })
                    .sum();
                camera[j * side + i] = sum / STEPS as f32;
            }
        }
    }
    let noise = random.between(0.3, 9.0);
    for level in camera.iter_mut() {
        let clipped = level.clamp(0.0, 255.0);
        *level = clipped + noise * (0.5 + 0.5 * (clipped / 128.0).sqrt()) * random.normal();
    }
    if random.happens(0.35) {
        blur(camera, side, 0.6);
        let mut soft = camera.to_vec();
        blur(&mut soft, side, 1.5);
        let strength = random.between(0.3, 1.0);
        camera.iter_mut().zip(&soft).for_each(|(level, soft)| *level += strength * (*level - soft));
    }
    camera.iter_mut().for_each(|level| *level = (gain * *level).clamp(0.0, 255.0).round());
    if random.happens(0.8) {
        jpeg(camera, side, random.between(38.0, 90.0));
    }
}

fn blur(picture: &mut [f32], side: usize, sigma: f32) {
    let reach = (2.5 * sigma).ceil() as usize;
    let mut kernel: Vec<f32> = (0..=2 * reach)
        .map(|i| (-(i as f32 - reach as f32).powi(2) / (2.0 * sigma * sigma)).exp())
        .collect();
    let sum: f32 = kernel.iter().sum();
    kernel.iter_mut().for_each(|k| *k /= sum);
    let mut line = vec![0.0f32; side + 2 * reach];
    let mut pass = |picture: &mut [f32], start: usize, step: usize| {
        for (i, slot) in line.iter_mut().enumerate() {
            *slot = picture[start + step * i.saturating_sub(reach).min(side - 1)];
        }
        for i in 0..side {
            picture[start + step * i] = kernel.iter().zip(&line[i..]).map(|(k, l)| k * l).sum();
        }
    };
    for i in 0..side {
        pass(picture, i * side, 1);
    }
    for i in 0..side {
        pass(picture, i, side);
    }
}

/// Rounds the luma as JPEG does (ITU-T T.81, annex K, table K.1).
fn jpeg(picture: &mut [f32], side: usize, quality: f32) {
    const TABLE: [f32; 64] = [
        16., 11., 10., 16., 24., 40., 51., 61., 12., 12., 14., 19., 26., 58., 60., 55., 14., 13.,
        16., 24., 40., 57., 69., 56., 14., 17., 22., 29., 51., 87., 80., 62., 18., 22., 37., 56.,
        68., 109., 103., 77., 24., 35., 55., 64., 81., 104., 113., 92., 49., 64., 78., 87., 103.,
        121., 120., 101., 72., 92., 95., 98., 112., 100., 103., 99.,
    ];
    let scale = if quality < 50.0 { 50.0 / quality } else { 2.0 - quality / 50.0 };
    let mut cosines = [[0.0f32; 8]; 8];
    for (k, row) in cosines.iter_mut().enumerate() {
        for (n, slot) in row.iter_mut().enumerate() {
            let norm = if k == 0 { 0.125f32.sqrt() } else { 0.5 };
            *slot = norm * (std::f32::consts::PI / 8.0 * (n as f32 + 0.5) * k as f32).cos();
        }
    }
    for top in (0..side.saturating_sub(7)).step_by(8) {
        for left in (0..side.saturating_sub(7)).step_by(8) {
            let mut block = [[0.0f32; 8]; 8];
            for (j, row) in block.iter_mut().enumerate() {
                for (i, slot) in row.iter_mut().enumerate() {
                    *slot = picture[(top + j) * side + left + i] - 128.0;
                }
            }
            let mut half = [[0.0f32; 8]; 8];
            let mut spectrum = [[0.0f32; 8]; 8];
            for k in 0..8 {
                for j in 0..8 {
                    half[j][k] = (0..8).map(|i| cosines[k][i] * block[j][i]).sum();
                }
            }
            for k in 0..8 {
                for l in 0..8 {
                    let value: f32 = (0..8).map(|j| cosines[l][j] * half[j][k]).sum();
                    let step = (TABLE[l * 8 + k] * scale).max(1.0);
                    spectrum[l][k] = (value / step).round() * step;
                }
            }
            for j in 0..8 {
                for k in 0..8 {
                    half[j][k] = (0..8).map(|l| cosines[l][j] * spectrum[l][k]).sum();
                }
            }
            for j in 0..8 {
                for i in 0..8 {
                    let value: f32 = (0..8).map(|k| cosines[k][i] * half[j][k]).sum();
                    picture[(top + j) * side + left + i] =
                        (value + 128.0).clamp(0.0, 255.0).round();
                }
            }
        }
    }
}

// ---- the network ---------------------------------------------------------------------------

/// All weights in one row: for each layer the weights, the outputs innermost, then the offsets.
struct Network {
    weights: Vec<f32>,
}

/// Inputs (with taps) and outputs of the layers.
const LAYERS: [(usize, usize); 4] =
    [(9, FIRST), (9 * FIRST, SECOND), (FLAT, HIDDEN), (HIDDEN, OUT)];

fn start_of(layer: usize) -> usize {
    LAYERS[..layer].iter().map(|(inputs, outputs)| (inputs + 1) * outputs).sum()
}

/// What a pass keeps for the way back.
struct Pass {
    /// Zero-padded by one on each side.
    input: Vec<f32>,
    first: Vec<f32>,
    first_from: Vec<u32>,
    second: Vec<f32>,
    second_from: Vec<u32>,
    hidden: [f32; HIDDEN],
    out: [f32; OUT],
}

impl Network {
    fn new(random: &mut Random) -> Network {
        let mut weights = Vec::new();
        for (inputs, outputs) in LAYERS {
            let scale = (2.0 / inputs as f32).sqrt();
            weights.extend((0..inputs * outputs).map(|_| scale * random.normal()));
            weights.extend((0..outputs).map(|_| 0.0));
        }
        Network { weights }
    }

    fn layer(&self, layer: usize) -> (&[f32], &[f32]) {
        let (inputs, outputs) = LAYERS[layer];
        let start = start_of(layer);
        let middle = start + inputs * outputs;
        (&self.weights[start..middle], &self.weights[middle..middle + outputs])
    }

    fn forward(&self, pixels: &[f32; WIDTH * HEIGHT]) -> Pass {
        let mut input = vec![0.0; (WIDTH + 2) * (HEIGHT + 2)];
        for (j, row) in pixels.chunks_exact(WIDTH).enumerate() {
            let at = (j + 1) * (WIDTH + 2) + 1;
            input[at..at + WIDTH].copy_from_slice(row);
        }
        let (w, b) = self.layer(0);
        let (first, first_from) = convolve::<1, FIRST>(&input, WIDTH, HEIGHT, w, b, true);
        let (w, b) = self.layer(1);
        let (second, second_from) =
            convolve::<FIRST, SECOND>(&first, WIDTH / 2, HEIGHT / 2, w, b, false);
        let (w, b) = self.layer(2);
        let mut hidden = [0.0; HIDDEN];
        hidden.copy_from_slice(b);
        for (x, row) in second.iter().zip(w.chunks_exact(HIDDEN)) {
            if *x != 0.0 {
                hidden.iter_mut().zip(row).for_each(|(h, w)| *h += x * w);
            }
        }
        hidden.iter_mut().for_each(|h| *h = h.max(0.0));
        let (w, b) = self.layer(3);
        let mut out = [0.0; OUT];
        out.copy_from_slice(b);
        for (x, row) in hidden.iter().zip(w.chunks_exact(OUT)) {
            out.iter_mut().zip(row).for_each(|(o, w)| *o += x * w);
        }
        Pass { input, first, first_from, second, second_from, hidden, out }
    }

    /// Adds the gradient of the loss and returns the loss.
    fn backward(&self, sample: &Sample, pass: &Pass, gradient: &mut [f32]) -> f32 {
        let mut d_out = [0.0f32; OUT];
        let most = pass.out[..38].iter().copied().fold(f32::MIN, f32::max);
        let sum: f32 = pass.out[..38].iter().map(|o| (o - most).exp()).sum();
        for class in 0..38 {
            d_out[class] = (pass.out[class] - most).exp() / sum;
        }
        let mut loss = -(d_out[sample.class].max(1.0e-9)).ln();
        d_out[sample.class] -= 1.0;
        if sample.class != NONE {
            for (k, weight) in [(0, 8.0), (1, 8.0), (2, 8.0)] {
                let error = pass.out[38 + k] - sample.place[k];
                d_out[38 + k] = weight * error;
                loss += 0.5 * weight * error * error;
            }
        }

        let mut d_hidden = [0.0f32; HIDDEN];
        let start = start_of(3);
        let (w, _) = self.layer(3);
        for i in 0..HIDDEN {
            if pass.hidden[i] > 0.0 {
                let at = i * OUT;
                d_hidden[i] = w[at..at + OUT].iter().zip(&d_out).map(|(w, d)| w * d).sum();
                let g = &mut gradient[start + at..start + at + OUT];
                g.iter_mut().zip(&d_out).for_each(|(g, d)| *g += pass.hidden[i] * d);
            }
        }
        let g = &mut gradient[start + HIDDEN * OUT..start + (HIDDEN + 1) * OUT];
        g.iter_mut().zip(&d_out).for_each(|(g, d)| *g += d);

        let start = start_of(2);
        let (w, _) = self.layer(2);
        let mut d_second = vec![0.0f32; FLAT];
        for i in 0..FLAT {
            if pass.second[i] > 0.0 {
                let at = i * HIDDEN;
                let row = &w[at..at + HIDDEN];
                d_second[i] = row.iter().zip(&d_hidden).map(|(w, d)| w * d).sum();
                let g = &mut gradient[start + at..start + at + HIDDEN];
                g.iter_mut().zip(&d_hidden).for_each(|(g, d)| *g += pass.second[i] * d);
            }
        }
        let g = &mut gradient[start + FLAT * HIDDEN..start + (FLAT + 1) * HIDDEN];
        g.iter_mut().zip(&d_hidden).for_each(|(g, d)| *g += d);

        let mut d_first = vec![0.0f32; pass.first.len()];
        let (w, _) = self.layer(1);
        let start = start_of(1);
        let row = (WIDTH / 2 + 2) * FIRST;
        for (i, &d) in d_second.iter().enumerate() {
            if d == 0.0 {
                continue;
            }
            let o = i % SECOND;
            let corner = pass.second_from[i] as usize;
            for ky in 0..3 {
                for t in 0..3 * FIRST {
                    let from = corner + ky * row + t;
                    let at = (ky * 3 * FIRST + t) * SECOND + o;
                    gradient[start + at] += d * pass.first[from];
                    d_first[from] += d * w[at];
                }
            }
            gradient[start + 9 * FIRST * SECOND + o] += d;
        }

        let start = start_of(0);
        let width = WIDTH / 2 + 2;
        for y in 1..=HEIGHT / 2 {
            for x in 1..=WIDTH / 2 {
                for o in 0..FIRST {
                    let at = (y * width + x) * FIRST + o;
                    let d = d_first[at];
                    if d == 0.0 || pass.first[at] <= 0.0 {
                        continue;
                    }
                    let corner = pass.first_from[at] as usize;
                    for ky in 0..3 {
                        for kx in 0..3 {
                            let pixel = pass.input[corner + ky * (WIDTH + 2) + kx];
                            gradient[start + (ky * 3 + kx) * FIRST + o] += d * pixel;
                        }
                    }
                    gradient[start + 9 * FIRST + o] += d;
                }
            }
        }
        loss
    }

    /// Rounds the weights to a byte each, with a scale for each output, and writes them; returns
    /// the network as it will be read.
    fn to_bytes(&self) -> (Vec<u8>, Network) {
        let mut bytes = b"OCRB1\0\0\0".to_vec();
        let mut weights = Vec::new();
        for (layer, (inputs, outputs)) in LAYERS.into_iter().enumerate() {
            let (w, b) = self.layer(layer);
            let scales: Vec<f32> = (0..outputs)
                .map(|o| {
                    let most = (0..inputs).map(|i| w[i * outputs + o].abs()).fold(0.0, f32::max);
                    (most / 127.0).max(1.0e-12)
                })
                .collect();
            scales.iter().chain(b).for_each(|value| bytes.extend(value.to_le_bytes()));
            for i in 0..inputs {
                for o in 0..outputs {
                    let level = (w[i * outputs + o] / scales[o]).round().clamp(-127.0, 127.0);
                    bytes.push(level as i8 as u8);
                    weights.push(level * scales[o]);
                }
            }
            weights.extend(b);
        }
        (bytes, Network { weights })
    }
}

/// 3 by 3, with offsets, no negative results, and the largest of each 2 by 2; returns also the
/// upper left corner of what each result was computed from. `input` is padded by one on each side;
/// the result is so too where `pad` is set.
fn convolve<const IN: usize, const OUT: usize>(
    input: &[f32],
    width: usize,
    height: usize,
    weights: &[f32],
    offsets: &[f32],
    pad: bool,
) -> (Vec<f32>, Vec<u32>) {
    let row = (width + 2) * IN;
    let edge = usize::from(pad);
    let out_width = width / 2 + 2 * edge;
    let size = out_width * (height / 2 + 2 * edge) * OUT;
    let (mut out, mut from) = (vec![0.0f32; size], vec![0u32; size]);
    for y in 0..height / 2 {
        for x in 0..width / 2 {
            let at = ((y + edge) * out_width + x + edge) * OUT;
            for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let corner = (2 * y + dy) * row + (2 * x + dx) * IN;
                let mut sum = [0.0f32; OUT];
                sum.copy_from_slice(offsets);
                for ky in 0..3 {
                    for t in 0..3 * IN {
                        let pixel = input[corner + ky * row + t];
                        let w = &weights[(ky * 3 * IN + t) * OUT..][..OUT];
                        for o in 0..OUT {
                            sum[o] += pixel * w[o];
                        }
                    }
                }
                for o in 0..OUT {
                    if sum[o] > out[at + o] {
                        out[at + o] = sum[o];
                        from[at + o] = corner as u32;
                    }
                }
            }
        }
    }
    (out, from)
}

/// Adam (Kingma and Ba, 2015).
struct Adam {
    mean: Vec<f32>,
    square: Vec<f32>,
    steps: i32,
}

impl Adam {
    fn new(count: usize) -> Adam {
        Adam { mean: vec![0.0; count], square: vec![0.0; count], steps: 0 }
    }

    fn step(&mut self, weights: &mut [f32], gradient: &[f32], rate: f32) {
        self.steps += 1;
        let (first, second) = (1.0 - 0.9f32.powi(self.steps), 1.0 - 0.999f32.powi(self.steps));
        for (i, weight) in weights.iter_mut().enumerate() {
            let g = gradient[i] / BATCH as f32;
            self.mean[i] = 0.9 * self.mean[i] + 0.1 * g;
            self.square[i] = 0.999 * self.square[i] + 0.001 * g * g;
            let move_by = (self.mean[i] / first) / ((self.square[i] / second).sqrt() + 1.0e-8);
            *weight -= rate * move_by;
        }
    }
}
