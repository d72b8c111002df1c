//! Reads the cells of a block: how the text lies, where it begins, and what each cell seems to be.

use super::Effort;
use super::blocks::Block;
use super::glyph::{self, Layers, Reading, View};
use super::grid::{Grid, Pair};
use super::text::{self, Form};

/// Where a text lies: the grid with the first character at 0, 0, and how many lines of the grid
/// are one pitch.
#[derive(Clone, Copy)]
pub(super) struct Pose {
    pub grid: Grid,
    pub lines_per_pitch: f32,
}

/// What was read of a zone: each cell, line by line, left to right.
#[derive(Clone)]
pub(super) struct Sheet {
    pub form: Form,
    pub readings: Vec<Reading>,
}

/// Cells that are read, and what was read.
type Cells = Vec<([f32; 2], Reading)>;

/// Columns that are read to see how the text lies, in two goes. Chosen: the first are enough to see
/// that something is no zone, both to be sure of the direction.
const PROBES: [&[f32]; 2] = [&[0.05, 0.35, 0.65, 0.95], &[0.0, 0.2, 0.5, 0.8, 1.0]];

/// Least share of the probed cells that must hold a character, a clear one counting whole: after
/// the first go, and after both. Chosen: words in other letters reach 0.5, so this only saves time.
const LEAST_SHARES: [f32; 2] = [0.25, 0.42];

/// How much the one direction must be better than the other after the first go. Chosen.
const PLAINLY_BETTER: f32 = 0.4;

/// How far the grid may be off the characters, in pitches (root of the mean square), without being
/// moved once more.
const FITS: f32 = 0.075;

/// Most columns that a block may be short of a form, or beyond it: marks of a patterned ground join
/// a row.
const MOST_SHORT: i32 = 16;
const MOST_BEYOND: i32 = 34;

/// Other looks at a cell that is not clear; what all say is averaged. Measured on 960 backs (seeds
/// 1001 and 1002): with them 836 are read, without them 825, and none wrongly.
const LOOKS: [View; 4] = [
    View { shift: [0.06, 0.04], zoom: 1.03 },
    View { shift: [-0.06, -0.04], zoom: 1.03 },
    View { shift: [0.06, -0.04], zoom: 0.97 },
    View { shift: [-0.06, 0.04], zoom: 0.97 },
];

/// Most cells that are looked at more than once. Chosen: a zone with more is not read anyway.
const MOST_LOOKED_AT: usize = 30;

/// Reads a block, if it can be a zone. `None` also where the effort does not suffice.
pub(super) fn read(layers: &Layers<'_>, block: &Block, effort: &mut Effort) -> Option<Sheet> {
    let (form, (first, last)) = (block.form, block.columns);
    let (lines, columns) = (form.lines(), form.columns() as i32);
    let span = last - first + 1;
    if !(-MOST_SHORT..=MOST_BEYOND).contains(&(span - columns)) {
        return None;
    }
    let (mut pose, cells) = direction(layers, block, effort)?;
    pose = moved(&pose, &cells)?.0;

    // A third of the columns tells as well as all where the grid is off.
    let third: Vec<i32> = (0..span).step_by(3).collect();
    for _ in 0..2 {
        let cells = read_columns(layers, &pose, &third, lines, effort)?;
        // A line that is none: its columns are askew, or it is something else.
        let is_text = (0..lines).all(|line| share_of(&cells, Some(line)) >= LEAST_SHARES[0]);
        if !is_text || share_of(&cells, None) < LEAST_SHARES[1] {
            return None;
        }
        let Some((next, off)) = moved(&pose, &cells) else { break };
        pose = next;
        if off < FITS {
            break;
        }
    }

    // Every column in which the text can stand, and one beyond.
    let all: Vec<i32> = ((span - columns).min(0) - 1..=span.max(columns)).collect();
    let cells = read_columns(layers, &pose, &all, lines, effort)?;
    let start = start_of(form, &all, &cells);
    pose.grid = pose.grid.renamed([1.0, start as f32], [1.0, 0.0]);
    let mut cells: Cells = cells
        .into_iter()
        .map(|([column, line], reading)| ([column - start as f32, line], reading))
        .filter(|([column, _], _)| (0.0..columns as f32).contains(column))
        .collect();
    if let Some((next, off)) = moved(&pose, &cells)
        && off >= FITS
    {
        let all: Vec<i32> = (0..columns).collect();
        cells = read_columns(layers, &next, &all, lines, effort)?;
        pose = next;
    }

    let mut sheet = Sheet { form, readings: Vec::with_capacity(cells.len()) };
    for line in 0..lines {
        sheet.readings.extend(cells.chunks_exact(lines).map(|column| column[line].1));
    }
    look_again(layers, &pose, &mut sheet, effort);
    Some(sheet)
}

/// Returns how the text lies, as it stands or upside down, and the cells that tell.
fn direction(layers: &Layers<'_>, block: &Block, effort: &mut Effort) -> Option<(Pose, Cells)> {
    let (form, (first, last)) = (block.form, block.columns);
    let lines = form.lines();
    let middle = [(first + last) as f32 / 2.0, (lines - 1) as f32 / 2.0];
    let [right, down] = block.grid.steps(middle);
    let lines_per_pitch = right[0].hypot(right[1]) / down[0].hypot(down[1]).max(1.0e-3);
    let upright = Pose {
        grid: block.grid.renamed([1.0, first as f32], [1.0, 0.0]),
        lines_per_pitch: lines_per_pitch.clamp(0.2, 1.2),
    };
    let turned = Pose {
        grid: block.grid.renamed([-1.0, last as f32], [-1.0, (lines - 1) as f32]),
        ..upright
    };
    let mut tries = vec![(upright, Cells::new(), 0.0f32), (turned, Cells::new(), 0.0)];
    for (go, (places, least)) in PROBES.into_iter().zip(LEAST_SHARES).enumerate() {
        let columns: Vec<i32> =
            places.iter().map(|place| (place * (last - first) as f32).round() as i32).collect();
        for (pose, cells, share) in &mut tries {
            cells.extend(read_columns(layers, pose, &columns, lines, effort)?);
            *share = share_of(cells, None);
        }
        tries.sort_by(|a, b| b.2.total_cmp(&a.2));
        tries.retain(|(_, _, share)| *share >= least);
        if go == 0 && tries.len() == 2 && tries[0].2 - tries[1].2 > PLAINLY_BETTER {
            tries.truncate(1);
        }
    }
    let (pose, cells, _) = tries.into_iter().next()?;
    Some((pose, cells))
}

/// Returns the share of cells that hold a character, a clear one counting whole; of one line, or of
/// all.
fn share_of(cells: &Cells, line: Option<usize>) -> f32 {
    let (mut count, mut total) = (0.0f32, 0.0);
    for (_, reading) in cells.iter().filter(|(at, _)| line.is_none_or(|line| at[1] == line as f32))
    {
        count += 1.0;
        total += reading.best().map_or(0.0, |(_, margin)| margin.min(3.0) / 3.0);
    }
    total / count.max(1.0)
}

/// Returns the column in which the text begins: what stands inside fits its place, and outside is
/// nothing.
fn start_of(form: Form, columns: &[i32], cells: &Cells) -> i32 {
    let lines = form.lines();
    let width = form.columns();
    let likelihood = |start: usize| -> f32 {
        let each = cells.chunks_exact(lines).enumerate();
        each.flat_map(|(at, column)| {
            column.iter().enumerate().map(move |(line, cell)| (at, line, cell))
        })
        .map(|(at, line, (_, reading))| match at.checked_sub(start) {
            Some(column) if column < width => text::fit(form, line, column, reading),
            _ => reading.none,
        })
        // Noise beside the text, and what covers the text, is as unlikely as it gets.
        .map(|score| score.max(-5.0))
        .sum()
    };
    let starts = 0..=columns.len().saturating_sub(width);
    let best = starts.map(|start| (start, likelihood(start))).max_by(|a, b| a.1.total_cmp(&b.1));
    best.and_then(|(start, _)| columns.get(start)).copied().unwrap_or(0)
}

/// Looks at the cells that are not clear in other ways too.
fn look_again(layers: &Layers<'_>, pose: &Pose, sheet: &mut Sheet, effort: &mut Effort) {
    let unclear = text::unclear(sheet.form, &sheet.readings);
    if unclear.len() > MOST_LOOKED_AT || !effort.take(unclear.len() * LOOKS.len()) {
        return;
    }
    let columns = sheet.form.columns();
    for at in unclear {
        let place = [(at % columns) as f32, (at / columns) as f32];
        let looks = LOOKS.map(|view| glyph::read(layers, pose, place, view));
        sheet.readings[at].average(&looks);
    }
}

/// `None` where the effort does not suffice.
fn read_columns(
    layers: &Layers<'_>,
    pose: &Pose,
    columns: &[i32],
    lines: usize,
    effort: &mut Effort,
) -> Option<Cells> {
    if !effort.take(columns.len() * lines) {
        return None;
    }
    let mut cells = Vec::with_capacity(columns.len() * lines);
    for &column in columns {
        for line in 0..lines {
            let at = [column as f32, line as f32];
            cells.push((at, glyph::read(layers, pose, at, View::STRAIGHT)));
        }
    }
    Some(cells)
}

/// Moves the grid to where the characters say that they stand; returns also how far it was off.
fn moved(pose: &Pose, cells: &Cells) -> Option<(Pose, f32)> {
    let (mut pairs, mut square, mut height, mut total) = (Vec::new(), 0.0, 0.0, 0.0);
    for (at, reading) in cells {
        let Some((_, margin)) = reading.best() else { continue };
        let [right, down] = reading.place;
        let weight = margin.min(4.0) / 4.0;
        let seen = pose.grid.apply([at[0] + right, at[1] + down * pose.lines_per_pitch]);
        pairs.push(Pair { text: *at, seen, weight });
        square += weight * (right * right + down * down);
        height += weight * reading.height;
        total += weight;
    }
    if pairs.len() < 8 || total.is_nan() || total <= 4.0 {
        return None;
    }
    let grid = Grid::fit(&pairs)?;
    let height = (height / total).clamp(-0.3, 0.3);
    let lines_per_pitch = (pose.lines_per_pitch * height.exp()).clamp(0.2, 1.2);
    let off = (square / total + height * height).sqrt();
    Some((Pose { grid, lines_per_pitch }, off))
}
