//! Rows of evenly spaced spots: the lines of a zone, before anybody knows what they say.
//!
//! Characters of a zone stand as far apart as they are high, in one direction. So the directions in
//! which most spots have such a neighbour are found first; then, along each of them, spots that are
//! each other's nearest neighbours make chains, and a chain grows over gaps as long as the next
//! spot is where it has to be.

use super::spots::Spot;

/// One line of spots. Columns count from any origin.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Column and place, columns rising.
    pub marks: Vec<(i32, [f32; 2])>,
    /// Middle of the marks.
    pub middle: [f32; 2],
    /// How far the place moves for one column, in the middle.
    pub step: [f32; 2],
}

impl Row {
    pub fn pitch(&self) -> f32 {
        self.step[0].hypot(self.step[1])
    }

    pub fn first(&self) -> i32 {
        self.marks.first().map_or(0, |mark| mark.0)
    }

    pub fn last(&self) -> i32 {
        self.marks.last().map_or(0, |mark| mark.0)
    }

    /// Where the row comes nearest to a place (a column between columns), and how far off the place
    /// is to the right hand of the row's direction, in pitches.
    pub fn foot_of(&self, place: [f32; 2]) -> (f32, f32) {
        let near =
            self.marks.iter().min_by(|a, b| distance(a.1, place).total_cmp(&distance(b.1, place)));
        let Some(near) = near else { return (0.0, 0.0) };
        let line = local_line(&self.marks, near.0, 9);
        let [x, y] = [place[0] - line.at[0], place[1] - line.at[1]];
        let square = line.step[0] * line.step[0] + line.step[1] * line.step[1];
        let along = (x * line.step[0] + y * line.step[1]) / square;
        let across = (y * line.step[0] - x * line.step[1]) / square;
        (near.0 as f32 + along, across)
    }
}

/// Directions that are tried. Chosen: the lines of the zone, and whatever else is in rows.
const DIRECTIONS: usize = 3;

/// Least neighbours in one direction that make it worth a try, and least spots of a row. Chosen:
/// a zone has 87 or 86 pairs of neighbours; a third of a line can be covered.
const LEAST_PAIRS: u32 = 18;
const LEAST_MARKS: usize = 10;

/// Least spots of a chain from which a row grows.
const LEAST_CHAIN: usize = 4;

/// Most columns of a row: passports have 44, and marks beside the zone may join it.
const MAX_COLUMNS: i32 = 64;

/// Most spots that a row misses in one place and still goes on.
const MAX_GAP: i32 = 4;

/// Most rows that are returned.
const MAX_ROWS: usize = 24;

/// Returns the rows, the longest first.
pub(super) fn rows(spots: &[Spot]) -> Vec<Row> {
    let index = Index::of(spots);
    let mut rows = Vec::new();
    // Not once more in a direction that is nearly the same, or the opposite.
    let mut used = vec![false; spots.len()];
    for direction in directions(spots, &index) {
        let chains = chains(spots, &index, direction);
        for chain in chains {
            if chain.iter().any(|&spot| used[spot]) {
                continue;
            }
            if let Some((row, members)) = grow(spots, &index, &chain) {
                members.into_iter().for_each(|spot| used[spot] = true);
                rows.push(row);
            }
        }
    }
    rows.sort_by_key(|row: &Row| std::cmp::Reverse(row.marks.len()));
    rows.truncate(MAX_ROWS);
    rows
}

fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// Spots by where they are: squares of 32 pixels.
struct Index {
    columns: usize,
    rows: usize,
    starts: Vec<u32>,
    members: Vec<u32>,
}

impl Index {
    const SQUARE: f32 = 32.0;

    fn of(spots: &[Spot]) -> Index {
        let square = |value: f32| (value / Index::SQUARE).max(0.0) as usize;
        let columns = spots.iter().map(|spot| square(spot.x) + 1).max().unwrap_or(1);
        let rows = spots.iter().map(|spot| square(spot.y) + 1).max().unwrap_or(1);
        let place = |spot: &Spot| square(spot.y) * columns + square(spot.x);
        let mut starts = vec![0u32; columns * rows + 1];
        spots.iter().for_each(|spot| starts[place(spot) + 1] += 1);
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut members = vec![0u32; spots.len()];
        for (at, spot) in spots.iter().enumerate() {
            let slot = &mut next[place(spot)];
            members[*slot as usize] = at as u32;
            *slot += 1;
        }
        Index { columns, rows, starts, members }
    }

    /// Calls `visit` with every spot of the squares within `reach` of a place.
    fn near(&self, [x, y]: [f32; 2], reach: f32, mut visit: impl FnMut(usize)) {
        let range = |value: f32, count: usize| {
            let low = ((value - reach) / Index::SQUARE).max(0.0) as usize;
            let high = ((value + reach) / Index::SQUARE).max(-1.0) + 1.0;
            low.min(count)..(high as usize).min(count)
        };
        let columns = range(x, self.columns);
        for row in range(y, self.rows) {
            if columns.is_empty() {
                continue;
            }
            let start = self.starts[row * self.columns + columns.start] as usize;
            let end = self.starts[row * self.columns + columns.end] as usize;
            self.members[start..end].iter().for_each(|&member| visit(member as usize));
        }
    }
}

/// Tells whether two spots can be characters beside each other, by their sizes and distance.
fn are_neighbours(a: &Spot, b: &Spot) -> Option<f32> {
    let mean = 0.5 * (a.size + b.size);
    let far = distance([a.x, a.y], [b.x, b.y]);
    let alike = a.size < 1.8 * b.size && b.size < 1.8 * a.size;
    // Tilted and turned cards included; the next line is farther away.
    (alike && far > 0.55 * mean && far < 1.5 * mean).then_some(far)
}

/// The directions with the most neighbours, as unit vectors that point to the right.
fn directions(spots: &[Spot], index: &Index) -> Vec<[f32; 2]> {
    /// Bins of two degrees.
    const BINS: usize = 90;
    let mut votes = [0u32; BINS];
    for (at, spot) in spots.iter().enumerate() {
        index.near([spot.x, spot.y], 1.5 * spot.size, |other| {
            let neighbour = &spots[other];
            if other > at && are_neighbours(spot, neighbour).is_some() {
                let angle = (neighbour.y - spot.y).atan2(neighbour.x - spot.x);
                let turn = angle.rem_euclid(std::f32::consts::PI) / std::f32::consts::PI;
                votes[(turn * BINS as f32) as usize % BINS] += 1;
            }
        });
    }
    let smooth =
        |bin: usize| -> u32 { (0..5).map(|shift| votes[(bin + BINS + shift - 2) % BINS]).sum() };
    let mut smoothed: Vec<u32> = (0..BINS).map(smooth).collect();
    let mut found = Vec::new();
    for _ in 0..DIRECTIONS {
        let best = (0..BINS).max_by_key(|&bin| smoothed[bin]).unwrap_or(0);
        if smoothed[best] < LEAST_PAIRS {
            break;
        }
        let angle = (best as f32 + 0.5) / BINS as f32 * std::f32::consts::PI;
        found.push([angle.cos(), angle.sin()]);
        for shift in 0..15 {
            smoothed[(best + BINS + shift - 7) % BINS] = 0;
        }
    }
    found
}

/// Chains of spots that are each other's nearest along a direction, the longest first.
fn chains(spots: &[Spot], index: &Index, [dx, dy]: [f32; 2]) -> Vec<Vec<usize>> {
    const NOBODY: usize = usize::MAX;
    let mut right = vec![NOBODY; spots.len()];
    let mut left = vec![NOBODY; spots.len()];
    for (at, spot) in spots.iter().enumerate() {
        let mut best = [f32::MAX; 2];
        index.near([spot.x, spot.y], 1.5 * spot.size, |other| {
            let neighbour = &spots[other];
            if other == at || are_neighbours(spot, neighbour).is_none() {
                return;
            }
            let (x, y) = (neighbour.x - spot.x, neighbour.y - spot.y);
            let (along, across) = (x * dx + y * dy, (y * dx - x * dy).abs());
            if across > 0.35 * along.abs() {
                return;
            }
            let cost = along.abs() + 2.0 * across;
            let (side, slot) = if along > 0.0 { (0, &mut right) } else { (1, &mut left) };
            if cost < best[side] {
                best[side] = cost;
                slot[at] = other;
            }
        });
    }
    let is_linked = |at: usize| right[at] != NOBODY && left[right[at]] == at;
    let mut chains = Vec::new();
    for at in 0..spots.len() {
        let has_left = left[at] != NOBODY && right[left[at]] == at;
        if has_left || !is_linked(at) {
            continue;
        }
        let mut chain = vec![at];
        let mut end = at;
        while is_linked(end) && chain.len() < MAX_COLUMNS as usize {
            end = right[end];
            chain.push(end);
        }
        if chain.len() >= LEAST_CHAIN {
            chains.push(chain);
        }
    }
    chains.sort_by_key(|chain| std::cmp::Reverse(chain.len()));
    chains
}

/// A straight piece of a row.
struct Line {
    at: [f32; 2],
    step: [f32; 2],
}

/// Fits a line to the marks nearest to a column, at most `count`, and returns it at that column.
fn local_line(marks: &[(i32, [f32; 2])], column: i32, count: usize) -> Line {
    let end = marks.partition_point(|mark| mark.0 <= column);
    let low = end.saturating_sub(count / 2 + 1).min(marks.len().saturating_sub(count));
    let part = &marks[low..(low + count).min(marks.len())];
    let n = part.len().max(1) as f32;
    let (mut mean, mut place) = (0.0, [0.0; 2]);
    for (k, [x, y]) in part {
        mean += *k as f32 / n;
        place[0] += x / n;
        place[1] += y / n;
    }
    let (mut square, mut step) = (0.0, [0.0; 2]);
    for (k, [x, y]) in part {
        let d = *k as f32 - mean;
        square += d * d;
        step[0] += d * (x - place[0]);
        step[1] += d * (y - place[1]);
    }
    if square > 0.0 {
        step = step.map(|value| value / square);
    }
    let d = column as f32 - mean;
    Line { at: [place[0] + d * step[0], place[1] + d * step[1]], step }
}

/// Numbers the spots of a chain and lets it grow at both ends.
fn grow(spots: &[Spot], index: &Index, chain: &[usize]) -> Option<(Row, Vec<usize>)> {
    let place = |spot: usize| [spots[spot].x, spots[spot].y];
    // Links over a character that was not found are rare, but shift all that follows.
    let mut links: Vec<f32> =
        chain.windows(2).map(|pair| distance(place(pair[0]), place(pair[1]))).collect();
    links.sort_by(f32::total_cmp);
    let usual = *links.get(links.len() / 2)?;
    let mut marks = vec![(0, place(chain[0]))];
    let mut members = vec![chain[0]];
    for pair in chain.windows(2) {
        let columns = (distance(place(pair[0]), place(pair[1])) / usual).round().max(1.0) as i32;
        let column = marks.last().map_or(0, |mark| mark.0) + columns;
        marks.push((column, place(pair[1])));
        members.push(pair[1]);
    }
    for forward in [true, false] {
        while marks.len() < MAX_COLUMNS as usize {
            let end = if forward { marks[marks.len() - 1].0 } else { marks[0].0 };
            let line = local_line(&marks, end, 9);
            let reach = 0.34 * line.step[0].hypot(line.step[1]);
            if reach.is_nan() || reach <= 1.0 {
                break;
            }
            let next = (1..=MAX_GAP).find_map(|gap| {
                let gap = if forward { gap } else { -gap };
                let expected = [
                    line.at[0] + gap as f32 * line.step[0],
                    line.at[1] + gap as f32 * line.step[1],
                ];
                let mut found: Option<(f32, usize)> = None;
                index.near(expected, reach, |spot| {
                    let off = distance(place(spot), expected);
                    let fits = spots[spot].size > 1.2 * reach && spots[spot].size < 5.5 * reach;
                    if fits && off < reach && found.is_none_or(|(best, _)| off < best) {
                        found = Some((off, spot));
                    }
                });
                found.map(|(_, spot)| (end + gap, spot))
            });
            let Some((column, spot)) = next else { break };
            if forward {
                marks.push((column, place(spot)));
            } else {
                marks.insert(0, (column, place(spot)));
            }
            members.push(spot);
        }
    }
    let (first, last) = (marks[0].0, marks[marks.len() - 1].0);
    if marks.len() < LEAST_MARKS || last - first > 2 * MAX_COLUMNS {
        return None;
    }
    let line = local_line(&marks, (first + last) / 2, marks.len());
    let n = marks.len() as f32;
    let middle = [
        marks.iter().map(|mark| mark.1[0]).sum::<f32>() / n,
        marks.iter().map(|mark| mark.1[1]).sum::<f32>() / n,
    ];
    Some((Row { marks, middle, step: line.step }, members))
}
