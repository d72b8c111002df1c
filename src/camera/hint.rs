//! Guesses from cheap figures why a frame could not be read.
//!
//! The thresholds were chosen on the 300 synthetic card pictures of which [`decode`](super::decode)
//! tells, by comparing the 183 that rxing reads with the 117 that it does not. To these it says dark
//! 11 times, glare 7, closer 60, steady 33, and nothing 6 times. A hint says what would help most;
//! it cannot say that a code is there, and real cameras may ask for other thresholds.
//!
//! Where a code lies is told from its many edges in both directions: in 281 of the 300 pictures the
//! busiest area is the code, and its side mostly comes out within a tenth of the true one.

use std::ops::Range;

use super::Frame;

/// What would help the next frame to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// More light.
    Dark,
    /// Another angle: a reflection washes out the code, or much of the picture.
    Glare,
    /// Less distance: the code is too small in the picture.
    Closer,
    /// A steadier hand, or, of a single frame, time to focus.
    Steady,
    /// Time to focus, or another distance: the picture is still and yet blurred.
    Focus,
}

/// A frame is dark when 19 of 20 pixels are below this level.
///
/// Measured: so are 11 of the 117 that cannot be read, and 1 of the 183 that can.
const DARK_BELOW: usize = 90;

/// A pixel of this level or above is washed out. Chosen: sensors end below 255, JPEG rounds it off.
const WASHED_OUT: u8 = 245;

/// Share of the code that may be washed out, in thousandths.
///
/// Measured: so much in 9 of the 97 pictures with a reflection, and in 5 of the 203 without one.
const GLARE_ON_CODE: u64 = 60;

/// Share of the picture that may be washed out where no code is seen, in thousandths.
///
/// Chosen: a lamp or the sun in the picture; no picture of the set comes near it.
const GLARE_IN_PICTURE: u64 = 250;

/// Side below which a code is small, in pixels: about 4 for each of the 49 modules of version 8.
///
/// Measured: unread codes below have 3.1 pixels a module in the median; those above are blurred
/// (defocus 0.35 of a module, against 0.20 where a code of that size is read).
const SMALL_BELOW: f64 = 190.0;

/// Side below which a busy area is taken for no code, in pixels. Chosen: 1.5 for each of 41
/// modules.
const NO_CODE_BELOW: f64 = 64.0;

/// Side of the squares in which edges are counted, in pixels.
const BLOCK: usize = 16;

/// Least edge of a busy square, in levels a sample. Measured: the busiest square of the faintest
/// picture has 3.0, of the median one 12.
const LEAST_EDGE: u32 = 3;

/// Pixels between the samples in which edges are counted, and over which they are measured.
const EDGE_STEP: usize = 2;

/// Pixels between the samples in which levels are counted.
const LEVEL_STEP: usize = 4;

/// Guesses what would help, for a frame in which no code could be read.
///
/// `None` where the light is fine and nothing looks like a code, and where the frame is not whole.
/// Takes 0.6 ms at 1280 x 720, optimised.
pub fn hint(frame: &Frame) -> Option<Hint> {
    if !frame.is_whole() {
        return None;
    }
    let picture = Area { columns: 0..frame.width as usize, rows: 0..frame.height as usize };
    if bright_level(frame, &picture) < DARK_BELOW {
        return Some(Hint::Dark);
    }
    let Some(code) = busiest_area(&Edges::of(frame)) else {
        let glare = washed_out_thousandths(frame, &picture) >= GLARE_IN_PICTURE;
        return glare.then_some(Hint::Glare);
    };
    if washed_out_thousandths(frame, &code.area) >= GLARE_ON_CODE {
        Some(Hint::Glare)
    } else if code.side < SMALL_BELOW {
        Some(Hint::Closer)
    } else {
        Some(Hint::Steady)
    }
}

/// Where a code most likely is.
pub(super) struct Likely {
    /// Columns and rows: where it looks like one, and the densest place where it is not in there.
    pub(super) areas: [Option<(Range<usize>, Range<usize>)>; 2],
    /// How much edge there is in the busiest place.
    pub(super) sharpness: u32,
}

/// Looks where a code most likely is.
pub(super) fn likely(frame: &Frame) -> Likely {
    let edges = Edges::of(frame);
    let sharpness = edges.sums.iter().copied().max().unwrap_or(0);
    let busy = busiest_area(&edges).map(|busy| (busy.area.columns, busy.area.rows));
    let dense = densest_area(&edges).filter(|(columns, rows)| {
        let holds = |outer: &Range<usize>, inner: &Range<usize>| {
            outer.contains(&((inner.start + inner.end) / 2)) && outer.len() * 3 >= inner.len() * 2
        };
        !busy.as_ref().is_some_and(|busy| holds(&busy.0, columns) && holds(&busy.1, rows))
    });
    Likely { areas: [busy, dense], sharpness }
}

/// Side of the densest area, in squares. Chosen: a code of 49 modules with 5 pixels each.
const DENSE: usize = 16;

/// Returns the area of a fixed size with most edges.
fn densest_area(edges: &Edges) -> Option<(Range<usize>, Range<usize>)> {
    let columns = edges.columns;
    let rows = edges.sums.len().checked_div(columns)?;
    let (width, height) = (DENSE.min(columns), DENSE.min(rows));
    // Sums over `width` squares of each row, then over `height` of those.
    let mut best: Option<(u32, usize, usize)> = None;
    for column in 0..=columns - width {
        let across =
            |row: usize| -> u32 { edges.sums[row * columns + column..][..width].iter().sum() };
        let mut sum: u32 = (0..height).map(across).sum();
        for row in 0..=rows - height {
            if row > 0 {
                sum = sum - across(row - 1) + across(row + height - 1);
            }
            if best.is_none_or(|(most, ..)| sum > most) {
                best = Some((sum, column, row));
            }
        }
    }
    let (_, column, row) = best?;
    let pixels = |from: usize, count: usize| from * BLOCK..(from + count) * BLOCK;
    Some((pixels(column, width), pixels(row, height)))
}

/// A rectangle of pixels.
struct Area {
    columns: Range<usize>,
    rows: Range<usize>,
}

/// Returns the levels of every fourth pixel of every fourth row.
fn levels<'a>(frame: &'a Frame, area: &Area) -> impl Iterator<Item = u8> + use<'a> {
    let columns = area.columns.clone();
    area.rows.clone().step_by(LEVEL_STEP).flat_map(move |y| {
        let start = y * frame.width as usize;
        let row = &frame.luma[start + columns.start..start + columns.end];
        row.iter().step_by(LEVEL_STEP).copied()
    })
}

/// Returns the level that 19 of 20 pixels do not exceed.
fn bright_level(frame: &Frame, area: &Area) -> usize {
    let mut counts = [0_u64; 256];
    for level in levels(frame, area) {
        counts[usize::from(level)] += 1;
    }
    let all: u64 = counts.iter().sum();
    let mut below = 0;
    for (level, count) in counts.iter().enumerate() {
        below += count;
        if below * 20 >= all * 19 {
            return level;
        }
    }
    255
}

fn washed_out_thousandths(frame: &Frame, area: &Area) -> u64 {
    let (mut washed_out, mut all) = (0_u64, 0_u64);
    for level in levels(frame, area) {
        all += 1;
        washed_out += u64::from(level >= WASHED_OUT);
    }
    washed_out * 1_000 / all.max(1)
}

/// How much edge there is in and around each square of the frame.
struct Edges {
    columns: usize,
    /// Row by row: the sum over the samples of the square and its neighbours of the smaller of a
    /// sample's two differences, to the right and down. Text lines and borders have edges in one
    /// direction, a code in both. The neighbours fill the holes that large modules leave.
    sums: Vec<u32>,
}

/// Samples in a square and its eight neighbours.
const SAMPLES: u32 = 9 * ((BLOCK / EDGE_STEP) * (BLOCK / EDGE_STEP)) as u32;

impl Edges {
    fn of(frame: &Frame) -> Edges {
        let (width, height) = (frame.width as usize, frame.height as usize);
        let (columns, rows) = (width / BLOCK, height / BLOCK);
        let mut sums = vec![0; columns * rows];
        // The last samples of the frame have no neighbour.
        let (end_x, end_y) = ((columns * BLOCK).min(width - 1), (rows * BLOCK).min(height - 1));
        for y in (0..end_y.saturating_sub(EDGE_STEP - 1)).step_by(EDGE_STEP) {
            let row = &frame.luma[y * width..][..width];
            let below = &frame.luma[(y + EDGE_STEP) * width..][..width];
            let end = end_x.saturating_sub(EDGE_STEP - 1);
            for (column, sum) in sums[y / BLOCK * columns..][..columns].iter_mut().enumerate() {
                let start = column * BLOCK;
                let end = (start + BLOCK).min(end);
                for x in (start..end).step_by(EDGE_STEP) {
                    let across = row[x].abs_diff(row[x + EDGE_STEP]);
                    let down = row[x].abs_diff(below[x]);
                    *sum += u32::from(across.min(down));
                }
            }
        }
        let with_neighbours = |block: usize| {
            let (column, row) = (block % columns, block / columns);
            let rows = row.saturating_sub(1)..(row + 2).min(rows);
            rows.map(|row| {
                let places = column.saturating_sub(1)..(column + 2).min(columns);
                sums[row * columns..][places].iter().sum::<u32>()
            })
            .sum()
        };
        Edges { columns, sums: (0..sums.len()).map(with_neighbours).collect() }
    }

    /// Returns the sum from which a square counts as busy.
    ///
    /// Relative to the busiest square, since contrast differs from frame to frame, and to the
    /// middle one, since in a noisy frame every square has edges.
    fn busy_from(&self) -> u32 {
        let mut sorted = self.sums.clone();
        sorted.sort_unstable();
        let busiest = sorted.last().copied().unwrap_or(0);
        let middle = sorted.get(sorted.len() / 2).copied().unwrap_or(0);
        (busiest / 2).max(middle * 2).max(LEAST_EDGE * SAMPLES)
    }
}

/// What may be a code.
struct Busy {
    /// The rectangle around it.
    area: Area,
    /// Side of a square as large as its squares together, in pixels.
    side: f64,
}

/// Returns the largest connected area of busy squares, if it is large enough for a code.
fn busiest_area(edges: &Edges) -> Option<Busy> {
    let busy_from = edges.busy_from();
    let mut open: Vec<bool> = edges.sums.iter().map(|sum| *sum >= busy_from).collect();
    let mut largest: Vec<usize> = Vec::new();
    for start in 0..open.len() {
        let connected = take_connected(&mut open, edges.columns, start);
        if connected.len() > largest.len() {
            largest = connected;
        }
    }
    let side = (largest.len() as f64).sqrt() * BLOCK as f64;
    if side < NO_CODE_BELOW {
        return None;
    }
    let columns = pixels_of(largest.iter().map(|block| block % edges.columns))?;
    let rows = pixels_of(largest.iter().map(|block| block / edges.columns))?;
    Some(Busy { area: Area { columns, rows }, side })
}

/// Takes out the open squares that hang together with `start`.
fn take_connected(open: &mut [bool], columns: usize, start: usize) -> Vec<usize> {
    let mut connected = Vec::new();
    let mut next = vec![start];
    while let Some(block) = next.pop() {
        if !std::mem::take(&mut open[block]) {
            continue;
        }
        connected.push(block);
        let column = block % columns;
        if column > 0 {
            next.push(block - 1);
        }
        if column + 1 < columns {
            next.push(block + 1);
        }
        if block >= columns {
            next.push(block - columns);
        }
        if block + columns < open.len() {
            next.push(block + columns);
        }
    }
    connected
}

/// Returns the pixels from the first to the last of some rows or columns of squares.
fn pixels_of(blocks: impl Iterator<Item = usize> + Clone) -> Option<Range<usize>> {
    Some(blocks.clone().min()? * BLOCK..(blocks.max()? + 1) * BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 1280;
    const HEIGHT: usize = 720;

    fn evenly(level: u8) -> Frame {
        Frame {
            width: WIDTH as u32,
            height: HEIGHT as u32,
            luma: vec![level; WIDTH * HEIGHT],
            number: 1,
            label: None,
        }
    }

    /// A fixed sequence of bits without pattern.
    fn coin(state: &mut u32) -> bool {
        *state ^= *state << 13;
        *state ^= *state >> 17;
        *state ^= *state << 5;
        *state & 1 == 1
    }

    impl Frame {
        fn fill(mut self, left: usize, top: usize, side: usize, level: u8) -> Frame {
            for y in top..top + side {
                self.luma[y * WIDTH + left..][..side].fill(level);
            }
            self
        }

        /// Draws 45 x 45 random modules, dark on light, at (400, 200).
        fn with_modules(mut self, module: usize, dark: u8, light: u8) -> Frame {
            let mut state = 7;
            for block in 0..45 * 45 {
                let level = if coin(&mut state) { dark } else { light };
                let (left, top) = (400 + block % 45 * module, 200 + block / 45 * module);
                self = self.fill(left, top, module, level);
            }
            self
        }

        /// Blurs along the rows, as a sideways movement over `length` pixels does.
        fn moved(mut self, length: usize) -> Frame {
            for row in self.luma.chunks_mut(WIDTH) {
                let before = row.to_vec();
                for x in length..WIDTH {
                    let sum: usize = before[x - length..x].iter().map(|l| usize::from(*l)).sum();
                    row[x] = (sum / length) as u8;
                }
            }
            self
        }
    }

    #[test]
    fn hints_name_what_is_wrong() {
        let noise = {
            let mut frame = evenly(0);
            let mut state = 3;
            frame.luma.fill_with(|| if coin(&mut state) { 110 } else { 150 });
            frame
        };
        let text_line = (0..30).fold(evenly(200), |frame, i| frame.fill(100 + i * 12, 300, 6, 30));
        let cases = [
            ("too dark to see anything", evenly(30), Some(Hint::Dark)),
            ("a code in the dark", evenly(40).with_modules(5, 15, 60), Some(Hint::Dark)),
            ("an empty desk", evenly(140), None),
            ("noise alone", noise, None),
            ("a line of text", text_line, None),
            ("the sun in the lens", evenly(140).fill(300, 50, 600, 255), Some(Hint::Glare)),
            (
                "a reflection on the code",
                evenly(140).with_modules(5, 30, 200).fill(440, 240, 90, 255),
                Some(Hint::Glare),
            ),
            ("a small code", evenly(140).with_modules(3, 30, 200), Some(Hint::Closer)),
            ("a moved code", evenly(140).with_modules(6, 30, 200).moved(5), Some(Hint::Steady)),
        ];
        for (what, frame, expected) in cases {
            assert_eq!(hint(&frame), expected, "{what}");
        }
    }

    #[test]
    fn any_size_of_frame_is_taken() {
        for (width, height) in [(1, 1), (2, 2), (15, 16), (16, 16), (17, 18), (18, 17), (4_000, 1)]
        {
            let luma = vec![140; width as usize * height as usize];
            let frame = Frame { width, height, luma, number: 1, label: None };
            assert_eq!(hint(&frame), None, "{width} x {height}");
        }
        assert_eq!(hint(&Frame { luma: vec![0; 5], ..evenly(0) }), None, "not whole");
    }
}
