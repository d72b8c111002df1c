//! Finds the corner patterns of QR codes, to parts of a pixel and through blur.
//!
//! A line through the middle of a corner pattern crosses dark, light, dark, light, dark in the
//! ratio 1 : 1 : 3 : 1 : 1, whatever its direction. No threshold is chosen for the picture: a row
//! is cut into rises and falls that are larger than its noise, and each is crossed at half its
//! height. So light may be uneven, and a blurred ring need only be visible.

use super::geometry::{Picture, Point};
use super::soft::Effort;

/// Most corners that are kept, those seen most often first.
pub(super) const MOST: usize = 24;

/// Rows from one scanned to the next. Chosen: the middle of a corner pattern is 7 pixels high where
/// a module has 2.5.
const ROW_STEP: usize = 2;

/// Each time with twice the least rise: ripples in a sharp picture are larger than the rings of a
/// blurred one.
const PASSES: i16 = 3;

/// A corner pattern, or what looks like one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Corner {
    pub(super) at: Point,
    /// Its width and height through the middle, along rows and columns.
    pub(super) across: f32,
    pub(super) down: f32,
    /// In how many rows it was seen.
    pub(super) seen: u32,
}

/// Memory that is used again from frame to frame.
#[derive(Default)]
pub(super) struct Scratch {
    line: Vec<i16>,
    turns: Vec<Turn>,
    column: Vec<i16>,
    column_turns: Vec<Turn>,
    pub(super) corners: Vec<Corner>,
}

/// Where a line turns from rising to falling or back.
#[derive(Clone, Copy)]
struct Turn {
    at: i32,
    level: i16,
}

/// A part of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) right: usize,
    pub(super) bottom: usize,
}

/// Finds corners in a window; `least` is the smallest rise that is no noise, in levels.
///
/// What looks like one in a row is looked at in its column too, as long as there is effort for it.
pub(super) fn find(
    picture: &Picture<'_>,
    window: Window,
    least: i16,
    effort: &mut Effort,
    scratch: &mut Scratch,
) {
    scratch.corners.clear();
    let right = window.right.min(picture.width);
    let bottom = window.bottom.min(picture.height.saturating_sub(1));
    if right < window.left + 14 {
        return;
    }
    let fill = |line: &mut Vec<i16>, y: usize| {
        let row =
            |y: usize| &picture.luma[y * picture.width + window.left..][..right - window.left];
        let rows = row(y - 1).iter().zip(row(y)).zip(row(y + 1));
        line.clear();
        line.extend(rows.map(|((a, b), c)| i16::from(*a) + 2 * i16::from(*b) + i16::from(*c)));
    };
    let mut bends = [0_u32; 256];
    for y in (window.top.max(1)..bottom).step_by(NOISE_STEP) {
        fill(&mut scratch.line, y);
        for three in scratch.line.windows(3).step_by(3) {
            let bend = (three[0] - 2 * three[1] + three[2]).unsigned_abs();
            bends[usize::from(bend.min(255))] += 1;
        }
    }
    let least = (least * 4).max((median(&bends) as f32 * RISE_OF_BEND) as i16);
    for y in (window.top.max(1)..bottom).step_by(ROW_STEP) {
        fill(&mut scratch.line, y);
        turns(&scratch.line, least, &mut scratch.turns);
        for pass in 0..PASSES {
            for i in 0..scratch.turns.len().saturating_sub(6) {
                let Some(seven) = scratch.turns[i..].first_chunk::<7>() else {
                    break;
                };
                let Some((middle, width)) = pattern(&scratch.line, seven) else {
                    continue;
                };
                if !effort.pay(2 + width as i64 / 32) {
                    continue;
                }
                let at = Point::new(window.left as f32 + middle, y as f32);
                confirm(picture, at, width, least, scratch);
            }
            smooth(&mut scratch.turns, least << (pass + 1));
        }
    }
    scratch.corners.sort_unstable_by_key(|corner| std::cmp::Reverse(corner.seen));
    scratch.corners.truncate(MOST);
}

/// Rows from one to the next in which noise is measured.
const NOISE_STEP: usize = 24;

/// Smallest rise that is no noise, for the median bend between three pixels. A bend of noise of
/// deviation s has the median 1.65 s. Chosen: 2 s.
const RISE_OF_BEND: f32 = 1.8;

fn median(counts: &[u32; 256]) -> usize {
    let half = counts.iter().sum::<u32>() / 2;
    let mut below = 0;
    counts
        .iter()
        .position(|count| {
            below += count;
            below > half
        })
        .unwrap_or(0)
}

/// Cuts a line into rises and falls of at least `least`.
fn turns(line: &[i16], least: i16, turns: &mut Vec<Turn>) {
    turns.clear();
    let Some(first) = line.first() else {
        return;
    };
    let (mut low, mut high) = (Turn { at: 0, level: *first }, Turn { at: 0, level: *first });
    let mut direction = 0;
    for (at, level) in line.iter().enumerate() {
        let here = Turn { at: at as i32, level: *level };
        if direction >= 0 && *level > high.level {
            high = here;
        }
        if direction <= 0 && *level < low.level {
            low = here;
        }
        if direction >= 0 && high.level - level >= least {
            turns.push(high);
            (direction, low) = (-1, here);
        } else if direction <= 0 && level - low.level >= least {
            turns.push(low);
            (direction, high) = (1, here);
        }
    }
    turns.push(if direction >= 0 { high } else { low });
}

/// Leaves only rises and falls of at least `least`.
fn smooth(turns: &mut Vec<Turn>, least: i16) {
    let Some(first) = turns.first().copied() else {
        return;
    };
    let (mut low, mut high, mut direction, mut written) = (first, first, 0, 0);
    for i in 0..turns.len() {
        let here = turns[i];
        if direction >= 0 && here.level > high.level {
            high = here;
        }
        if direction <= 0 && here.level < low.level {
            low = here;
        }
        if direction >= 0 && high.level - here.level >= least {
            turns[written] = high;
            (direction, low, written) = (-1, here, written + 1);
        } else if direction <= 0 && here.level - low.level >= least {
            turns[written] = low;
            (direction, high, written) = (1, here, written + 1);
        }
    }
    turns.truncate(written);
    turns.push(if direction >= 0 { high } else { low });
}

/// Takes seven turns for a corner pattern; returns its middle and width.
fn pattern(line: &[i16], turns: &[Turn; 7]) -> Option<(f32, f32)> {
    if turns[0].level <= turns[1].level {
        return None;
    }
    // Before anything is measured: the rings are where they must be.
    let (outer, inner) = (turns[5].at - turns[1].at, turns[4].at - turns[2].at);
    if outer < 7 || inner * 20 < outer * 9 || inner * 20 > outer * 17 {
        return None;
    }
    let (before, behind) = (turns[2].at - turns[1].at, turns[5].at - turns[4].at);
    if before.max(behind) * 3 > outer + 3 {
        return None;
    }
    let mut crossings = [0.0; 6];
    for (i, crossing) in crossings.iter_mut().enumerate() {
        *crossing = crossed(line, turns[i], turns[i + 1]);
    }
    let runs: [f32; 5] = std::array::from_fn(|i| crossings[i + 1] - crossings[i]);
    let width = crossings[5] - crossings[0];
    let module = width / 7.0;
    let fits = |run: f32, modules: f32, off: f32| (run - modules * module).abs() < off * module;
    let is_pattern = fits(runs[0], 1.0, 0.75)
        && fits(runs[1], 1.0, 0.75)
        && fits(runs[2], 3.0, 1.1)
        && fits(runs[3], 1.0, 0.75)
        && fits(runs[4], 1.0, 0.75)
        && fits(runs[0] + runs[1], 2.0, 0.8)
        && fits(runs[3] + runs[4], 2.0, 0.8);
    is_pattern.then(|| ((crossings[1] + crossings[2] + crossings[3] + crossings[4]) / 4.0, width))
}

/// Where a line is half way between two turns.
fn crossed(line: &[i16], from: Turn, to: Turn) -> f32 {
    let half = (f32::from(from.level) + f32::from(to.level)) / 2.0;
    let is_fall = from.level > to.level;
    for at in from.at..to.at {
        let (here, next) = (f32::from(line[at as usize]), f32::from(line[at as usize + 1]));
        if (next <= half) == is_fall && (next >= half) != is_fall {
            let step = next - here;
            return at as f32
                + if step == 0.0 { 0.5 } else { ((half - here) / step).clamp(0.0, 1.0) };
        }
    }
    (from.at + to.at) as f32 / 2.0
}

/// Looks at a pattern that was seen in a row along its column, and along its row again.
fn confirm(picture: &Picture<'_>, at: Point, across: f32, least: i16, scratch: &mut Scratch) {
    let merged = |corners: &mut [Corner], at: Point, size: f32| {
        let near = corners.iter_mut().find(|c| c.at.minus(at).length() < 0.25 * size)?;
        near.seen += 1;
        Some(())
    };
    let Some((y, down)) = along(picture, at, false, across, least, scratch) else {
        return;
    };
    if down > across * 2.0 || across > down * 2.0 {
        return;
    }
    let at = Point::new(at.x, y);
    let Some((x, across)) = along(picture, at, true, down, least, scratch) else {
        return;
    };
    let at = Point::new(x, y);
    if merged(&mut scratch.corners, at, across.min(down)).is_some() {
        return;
    }
    let (y, down) = along(picture, at, false, across, least, scratch).unwrap_or((y, down));
    if scratch.corners.len() < 16 * MOST {
        let corner = Corner { at: Point::new(x, y), across, down, seen: 1 };
        scratch.corners.push(corner);
    }
}

/// Looks for the pattern along a row or a column around a place; returns its middle and width.
fn along(
    picture: &Picture<'_>,
    at: Point,
    is_row: bool,
    size: f32,
    least: i16,
    scratch: &mut Scratch,
) -> Option<(f32, f32)> {
    let (x, y) = ((at.x + 0.5) as usize, (at.y + 0.5) as usize);
    let (place, beside, end, ends) = if is_row {
        (x, y, picture.width, picture.height)
    } else {
        (y, x, picture.height, picture.width)
    };
    if beside == 0 || beside + 1 >= ends {
        return None;
    }
    let reach = (size * 1.3) as usize + 4;
    let (from, to) = (place.saturating_sub(reach), (place + reach).min(end));
    let (step, side) = if is_row { (1, picture.width) } else { (picture.width, 1) };
    scratch.column.clear();
    for i in from..to {
        let here = i * step + beside * side;
        let level = |place: usize| i16::from(picture.luma[place]);
        scratch.column.push(level(here - side) + 2 * level(here) + level(here + side));
    }
    turns(&scratch.column, least, &mut scratch.column_turns);
    let mut best: Option<(f32, f32)> = None;
    let middle = (place - from) as f32;
    for pass in 0..PASSES {
        for i in 0..scratch.column_turns.len().saturating_sub(6) {
            let Some(seven) = scratch.column_turns[i..].first_chunk::<7>() else {
                break;
            };
            if let Some((found, width)) = pattern(&scratch.column, seven) {
                let off = (found - middle).abs();
                if off < width * 0.25 && best.is_none_or(|(b, _)| off < (b - middle).abs()) {
                    best = Some((found, width));
                }
            }
        }
        smooth(&mut scratch.column_turns, least << (pass + 1));
    }
    best.map(|(found, width)| (found + from as f32, width))
}
