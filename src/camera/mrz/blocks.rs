//! Rows that stand above each other: the two or three lines of a zone, and the grid through them.

use super::grid::{Grid, Pair};
use super::rows::Row;
use super::text::Form;

/// Rows that may be the lines of one zone, as a grid: lines count from 0 downwards, columns from
/// any origin.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub grid: Grid,
    pub form: Form,
    /// Columns in which something stands, the last included.
    pub columns: (i32, i32),
    /// Which rows these are.
    pub rows: Vec<usize>,
}

/// Distance of two lines in pitches. ICAO 9303 has 1.7 on cards and 2.5 in passports; tilted cards
/// show more and less of it.
const LINE_PITCH: std::ops::Range<f32> = 1.15..3.6;

/// Most blocks that are returned. Chosen, to bound the time: a zone makes two or three.
const MAX_BLOCKS: usize = 8;

/// Returns what may be zones, the likeliest first: those of most marks.
pub(super) fn blocks(rows: &[Row]) -> Vec<Block> {
    let mut found: Vec<(usize, Block)> = Vec::new();
    let mut used = vec![false; rows.len()];
    for (at, row) in rows.iter().enumerate() {
        if used[at] {
            continue;
        }
        let lines = lines_beside(rows, at);
        lines.iter().for_each(|line| used[line.row] = true);
        for count in [3, 2] {
            for window in lines.windows(count) {
                let (first, last) = (window[0].number, window[count - 1].number);
                let holds_row = window.iter().any(|line| line.number == 0);
                if holds_row && last - first == count as i32 - 1 {
                    found.extend(blocks_of(rows, row, window));
                }
            }
        }
        // The middle line of a card was not found.
        for pair in lines.windows(2).filter(|pair| pair[1].number - pair[0].number == 2) {
            if pair.iter().any(|line| line.number == 0) {
                found.extend(blocks_of(rows, row, pair));
            }
        }
    }
    found.sort_by_key(|(marks, _)| std::cmp::Reverse(*marks));
    found.truncate(MAX_BLOCKS);
    found.into_iter().map(|(_, block)| block).collect()
}

/// A row beside another one, and how many lines below it.
struct Line {
    number: i32,
    row: usize,
}

/// Returns the rows that run along with one, itself included, from the uppermost down.
fn lines_beside(rows: &[Row], at: usize) -> Vec<Line> {
    let row = &rows[at];
    let mut beside: Vec<(f32, usize)> = Vec::new();
    for (other, candidate) in rows.iter().enumerate() {
        let pitch = candidate.pitch() / row.pitch();
        let cosine = (row.step[0] * candidate.step[0] + row.step[1] * candidate.step[1])
            / (row.pitch() * candidate.pitch());
        let (foot, across) = row.foot_of(candidate.middle);
        let reach = 12.0 + row.first() as f32..row.last() as f32 - 12.0;
        let over = foot > reach.start - 24.0 && foot < reach.end + 24.0;
        // Eleven degrees: lines of a tilted card run together.
        if other != at && (0.72..1.4).contains(&pitch) && cosine > 0.98 && over {
            beside.push((across, other));
        }
    }
    let nearest = beside
        .iter()
        .map(|(across, _)| across.abs())
        .filter(|across| *across > LINE_PITCH.start)
        .fold(f32::MAX, f32::min);
    let mut lines = vec![Line { number: 0, row: at }];
    if LINE_PITCH.contains(&nearest) {
        // Rows come with the longest first, so of two for one line the longer is taken.
        for (across, other) in beside {
            let number = (across / nearest).round();
            let fits = (across / nearest - number).abs() < 0.3 && number.abs() <= 2.0;
            if fits && lines.iter().all(|line| line.number != number as i32) {
                lines.push(Line { number: number as i32, row: other });
            }
        }
    }
    lines.sort_by_key(|line| line.number);
    lines
}

/// Returns the blocks that these lines can be, with the number of their marks.
fn blocks_of(rows: &[Row], row: &Row, lines: &[Line]) -> Vec<(usize, Block)> {
    shifts(rows, row, lines)
        .into_iter()
        .enumerate()
        .flat_map(|(at, shifts)| {
            blocks_shifted(rows, lines, &shifts).into_iter().map(move |it| (at, it))
        })
        // Other shifts come behind everything else of as many marks.
        .map(|(at, (marks, block))| (marks - at.min(marks), block))
        .collect()
}

fn blocks_shifted(rows: &[Row], lines: &[Line], shifts: &[i32]) -> Vec<(usize, Block)> {
    let mut pairs = Vec::new();
    let (mut first, mut last) = (i32::MAX, i32::MIN);
    for (line, &shift) in lines.iter().zip(shifts) {
        let other = &rows[line.row];
        first = first.min(other.first() + shift);
        last = last.max(other.last() + shift);
        pairs.extend(other.marks.iter().map(|&(column, seen)| Pair {
            text: [(column + shift) as f32, (line.number - lines[0].number) as f32],
            seen,
            weight: 1.0,
        }));
    }
    let Some(grid) = Grid::fit(&pairs) else { return Vec::new() };
    let span = (last - first + 1) as usize;
    let spread = lines[lines.len() - 1].number - lines[0].number + 1;
    let block = |form: Form, up: f32| Block {
        grid: grid.renamed([1.0, 0.0], [1.0, up]),
        form,
        columns: (first, last),
        rows: lines.iter().map(|line| line.row).collect(),
    };
    let mut blocks = Vec::new();
    if spread == 3 {
        blocks.push((pairs.len(), block(Form::Td1, 0.0)));
    } else {
        let (down, right) = {
            let [right, down] = grid.steps([(first + last) as f32 / 2.0, 0.5]);
            (down[0].hypot(down[1]), right[0].hypot(right[1]))
        };
        // Passports have wider lines, farther apart; a card seen so has lost a line.
        if span > Form::Td1.columns() + 2 || down > 2.0 * right {
            blocks.push((pairs.len(), block(Form::Td3, 0.0)));
        }
        if span <= Form::Td1.columns() + 6 {
            blocks.push((pairs.len(), block(Form::Td1, 0.0)));
            blocks.push((pairs.len(), block(Form::Td1, -1.0)));
        }
    }
    blocks
}

/// Returns what may be added to the columns of each line to get those of `row`, the likeliest first.
///
/// Where the columns of the one are nearest to those of the other says it up to a tilt, which shows
/// the columns askew, by up to a pitch between the lines of a passport. So what is nearest is taken
/// first, and what is next to it too. Lines of the same length say it by their ends.
fn shifts(rows: &[Row], row: &Row, lines: &[Line]) -> Vec<Vec<i32>> {
    let others: Vec<(i32, f32)> = lines
        .iter()
        .map(|line| if line.number == 0 { 0.0 } else { usual_shift(row, &rows[line.row]) })
        .zip(lines)
        .map(|(usual, line)| (line.number, usual))
        .collect();
    let by_ends: Vec<i32> = lines
        .iter()
        .zip(&others)
        .map(|(line, (_, usual))| {
            let other = &rows[line.row];
            let (starts, ends) = (row.first() - other.first(), row.last() - other.last());
            let is_near = (starts as f32 - usual).abs() < 0.9;
            if starts == ends && is_near { starts } else { usual.round() as i32 }
        })
        .collect();
    let mut found = vec![by_ends];
    // By each of the two whole numbers between which the nearest line's shift lies.
    if let Some(&(number, usual)) =
        others.iter().filter(|(number, _)| *number != 0).min_by_key(|(number, _)| number.abs())
    {
        let mut askew =
            [usual.floor() - usual, usual.ceil() - usual].map(|off| off / number as f32);
        askew.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
        for askew in askew {
            let shifts: Vec<i32> = others
                .iter()
                .map(|(number, usual)| (usual + askew * *number as f32).round() as i32)
                .collect();
            if !found.contains(&shifts) {
                found.push(shifts);
            }
        }
    }
    found
}

/// Returns how far the columns of `row` are from those of `other` beside them, in the middle of the
/// marks.
fn usual_shift(row: &Row, other: &Row) -> f32 {
    let mut shifts: Vec<f32> = other
        .marks
        .iter()
        .step_by(3)
        .map(|&(column, seen)| row.foot_of(seen).0 - column as f32)
        .collect();
    shifts.sort_by(f32::total_cmp);
    shifts.get(shifts.len() / 2).copied().unwrap_or(0.0)
}
