//! Dark spots of the size of characters: the connected parts of the picture that are darker than
//! what is around them.

use super::plane::Plane;

/// Side of the squares over which the light is measured, in pixels.
const BLOCK: usize = 16;

/// How far below the mean of its surroundings a dark pixel is, in deviations of them. Text covers
/// about a quarter of its surroundings, so half way between ink and paper lies 0.6 below the mean;
/// a little less keeps thin strokes of moved pictures whole.
const BELOW_MEAN: f32 = 0.55;

/// Least deviation of surroundings that can hold text, in levels. Chosen, not measured.
const LEAST_DEVIATION: f32 = 5.0;

/// Spots of other sizes are no characters: longer side of the upright box, in pixels. Below 6 no
/// stroke can be told from the next one; above 80 the zone is wider than the frame.
const SMALLEST: u32 = 6;
const LARGEST: u32 = 80;

/// Most runs of dark pixels that are looked at. Chosen: the time has to end on noise.
const MAX_RUNS: usize = 120_000;

/// Most spots that are returned. Chosen: a card's back has a few hundred, and noise as much again
/// ten times.
const MAX_SPOTS: usize = 6_000;

/// One dark spot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    /// Middle of the upright box, pixels. Less moved by the shape of a character than its centre
    /// of gravity is.
    pub x: f32,
    pub y: f32,
    /// Longer side of the upright box.
    pub size: f32,
}

/// A horizontal run of dark pixels, and the part of the picture that it belongs to.
#[derive(Clone, Copy)]
struct Run {
    start: u16,
    end: u16,
    part: u32,
}

/// A connected part: its box and the number of its pixels. `parent` points to what it is a part of.
#[derive(Clone, Copy)]
struct Part {
    parent: u32,
    left: u16,
    right: u16,
    top: u16,
    bottom: u16,
    pixels: u32,
}

/// What a search needs, to be used for the next one too.
#[derive(Default)]
pub(super) struct Memory {
    parts: Vec<Part>,
    above: Vec<Run>,
    current: Vec<Run>,
}

/// Returns the spots of the size of characters; `None` where there is too much to look at.
pub(super) fn spots(picture: &Plane, memory: &mut Memory) -> Option<Vec<Spot>> {
    let levels = Levels::of(picture);
    let Memory { parts, above, current } = memory;
    parts.clear();
    above.clear();
    let mut runs = 0;
    for y in 0..picture.height {
        current.clear();
        runs_of(picture, &levels, y, current);
        runs += current.len();
        if runs > MAX_RUNS {
            return None;
        }
        join(current, above, parts, y as u16);
        std::mem::swap(above, current);
    }
    spots_of(parts)
}

/// The level below which a pixel is dark, for each square; 0 where no text can be.
struct Levels {
    columns: usize,
    dark_below: Vec<u8>,
}

impl Levels {
    fn of(picture: &Plane) -> Levels {
        let (columns, rows) = (picture.width.div_ceil(BLOCK), picture.height.div_ceil(BLOCK));
        let mut sums = vec![[0u32; 3]; columns * rows];
        for y in 0..picture.height {
            let row = &mut sums[(y / BLOCK) * columns..][..columns];
            for (sum, pixels) in row.iter_mut().zip(picture.row(y).chunks(BLOCK)) {
                let (mut total, mut squares) = (0u32, 0u32);
                for &pixel in pixels {
                    total += u32::from(pixel);
                    squares += u32::from(pixel) * u32::from(pixel);
                }
                sum[0] += pixels.len() as u32;
                sum[1] += total;
                sum[2] += squares;
            }
        }
        let mut dark_below = vec![0; columns * rows];
        for row in 0..rows {
            for column in 0..columns {
                let mut all = [0u32; 3];
                for near_row in row.saturating_sub(1)..(row + 2).min(rows) {
                    for near in &sums[near_row * columns..][..columns]
                        [column.saturating_sub(1)..(column + 2).min(columns)]
                    {
                        (0..3).for_each(|i| all[i] += near[i]);
                    }
                }
                let [count, total, squares] = all.map(|value| value as f32);
                let mean = total / count;
                let deviation = (squares / count - mean * mean).max(0.0).sqrt();
                if deviation >= LEAST_DEVIATION {
                    dark_below[row * columns + column] =
                        (mean - BELOW_MEAN * deviation).clamp(0.0, 255.0) as u8;
                }
            }
        }
        Levels { columns, dark_below }
    }

    fn row(&self, y: usize) -> &[u8] {
        &self.dark_below[(y / BLOCK) * self.columns..][..self.columns]
    }
}

/// Adds the runs of a row.
fn runs_of(picture: &Plane, levels: &Levels, y: usize, runs: &mut Vec<Run>) {
    let mut open: Option<usize> = None;
    let mut x = 0;
    let mut close = |open: &mut Option<usize>, end: usize| {
        if let Some(start) = open.take() {
            runs.push(Run { start: start as u16, end: end as u16, part: u32::MAX });
        }
    };
    for (pixels, &level) in picture.row(y).chunks(BLOCK).zip(levels.row(y)) {
        // Most of a picture has nothing dark in it.
        if level == 0 || (open.is_none() && pixels.iter().all(|&pixel| pixel >= level)) {
            close(&mut open, x);
            x += pixels.len();
            continue;
        }
        for &pixel in pixels {
            if pixel >= level {
                close(&mut open, x);
            } else if open.is_none() {
                open = Some(x);
            }
            x += 1;
        }
    }
    close(&mut open, x);
}

/// Connects the runs of a row with those above them, corners included.
fn join(current: &mut [Run], above: &[Run], parts: &mut Vec<Part>, y: u16) {
    let mut first = 0;
    for run in current {
        while above.get(first).is_some_and(|over| over.end < run.start) {
            first += 1;
        }
        for over in above[first..].iter().take_while(|over| over.start <= run.end) {
            let part = root(parts, over.part);
            if run.part == u32::MAX {
                run.part = part;
            } else if run.part != part {
                let (keep, gone) = (run.part.min(part), run.part.max(part));
                let other = parts[gone as usize];
                parts[gone as usize].parent = keep;
                let kept = &mut parts[keep as usize];
                kept.left = kept.left.min(other.left);
                kept.right = kept.right.max(other.right);
                kept.top = kept.top.min(other.top);
                kept.bottom = kept.bottom.max(other.bottom);
                kept.pixels += other.pixels;
                run.part = keep;
            }
        }
        let pixels = u32::from(run.end - run.start);
        if run.part == u32::MAX {
            run.part = parts.len() as u32;
            parts.push(Part {
                parent: run.part,
                left: run.start,
                right: run.end,
                top: y,
                bottom: y,
                pixels,
            });
        } else {
            let part = &mut parts[run.part as usize];
            part.left = part.left.min(run.start);
            part.right = part.right.max(run.end);
            part.bottom = y;
            part.pixels += pixels;
        }
    }
}

/// Follows the parents up, and shortens the way for the next time.
fn root(parts: &mut [Part], mut at: u32) -> u32 {
    while parts[at as usize].parent != at {
        let parent = parts[at as usize].parent;
        let grandparent = parts[parent as usize].parent;
        parts[at as usize].parent = grandparent;
        at = grandparent;
    }
    at
}

fn spots_of(parts: &mut [Part]) -> Option<Vec<Spot>> {
    let mut spots = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        if part.parent as usize != at {
            continue;
        }
        let width = u32::from(part.right - part.left);
        let height = u32::from(part.bottom - part.top) + 1;
        let size = width.max(height);
        // A filled box is a shadow's edge or a module of a code, a thin web the guilloche.
        let fill = part.pixels as f32 / (width * height) as f32;
        if (SMALLEST..=LARGEST).contains(&size) && (0.12..0.97).contains(&fill) {
            spots.push(Spot {
                x: f32::from(part.left) + width as f32 / 2.0 - 0.5,
                y: f32::from(part.top) + height as f32 / 2.0 - 0.5,
                size: size as f32,
            });
            if spots.len() > MAX_SPOTS {
                return None;
            }
        }
    }
    Some(spots)
}
