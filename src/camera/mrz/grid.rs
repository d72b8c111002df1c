//! The plane of the text: from column and line to the place in the picture.

/// A place in the text: columns to the right, lines downwards, the middle of a character at whole
/// numbers; and where it is seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub text: [f32; 2],
    pub seen: [f32; 2],
    pub weight: f32,
}

/// A projective map from text to picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid([f64; 9]);

impl Grid {
    /// Fits a map to pairs: by least squares, then twice more with less weight for what lies far
    /// off. `None` where the pairs do not fix it, or fix one that no camera could see.
    pub fn fit(pairs: &[Pair]) -> Option<Grid> {
        if pairs.len() < 6 {
            return None;
        }
        let mut weights: Vec<f64> = pairs.iter().map(|pair| f64::from(pair.weight)).collect();
        let mut grid = Grid::solve(pairs, &weights)?;
        for _ in 0..2 {
            let mut off: Vec<f32> = pairs.iter().map(|pair| grid.off(pair)).collect();
            let mut sorted = off.clone();
            sorted.sort_by(f32::total_cmp);
            let usual = sorted[sorted.len() / 2].max(0.3);
            for ((weight, off), pair) in weights.iter_mut().zip(&mut off).zip(pairs) {
                let share = f64::from(*off / (3.0 * usual));
                *weight = f64::from(pair.weight) / (1.0 + share.powi(4));
            }
            grid = Grid::solve(pairs, &weights)?;
        }
        grid.0.iter().all(|value| value.is_finite()).then_some(grid)
    }

    /// Distance between where a pair is seen and where it should be, pixels.
    pub fn off(&self, pair: &Pair) -> f32 {
        let [x, y] = self.apply(pair.text);
        (x - pair.seen[0]).hypot(y - pair.seen[1])
    }

    /// The direct linear transform with the last element 1, in normal equations: coordinates are
    /// shifted and scaled first, so that these are well conditioned.
    fn solve(pairs: &[Pair], weights: &[f64]) -> Option<Grid> {
        let total: f64 = weights.iter().sum();
        if total.is_nan() || total <= 1.0e-9 {
            return None;
        }
        let frame_of = |place: fn(&Pair) -> [f32; 2]| {
            let mut mean = [0.0; 2];
            for (pair, weight) in pairs.iter().zip(weights) {
                (0..2).for_each(|i| mean[i] += f64::from(place(pair)[i]) * weight / total);
            }
            let spread: f64 = pairs
                .iter()
                .zip(weights)
                .map(|(pair, weight)| {
                    let [x, y] = place(pair).map(f64::from);
                    weight * ((x - mean[0]).powi(2) + (y - mean[1]).powi(2)) / total
                })
                .sum();
            (mean, spread.sqrt().max(1.0e-6))
        };
        let (text_mean, text_scale) = frame_of(|pair| pair.text);
        let (seen_mean, seen_scale) = frame_of(|pair| pair.seen);
        let mut matrix = [[0.0f64; 9]; 8];
        for (pair, &weight) in pairs.iter().zip(weights) {
            let x = (f64::from(pair.text[0]) - text_mean[0]) / text_scale;
            let y = (f64::from(pair.text[1]) - text_mean[1]) / text_scale;
            let u = (f64::from(pair.seen[0]) - seen_mean[0]) / seen_scale;
            let v = (f64::from(pair.seen[1]) - seen_mean[1]) / seen_scale;
            for row in [
                [x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, u],
                [0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y, v],
            ] {
                for i in 0..8 {
                    for j in 0..9 {
                        matrix[i][j] += weight * row[i] * row[j];
                    }
                }
            }
        }
        // A little pull towards no perspective, for pairs of few lines.
        for (i, row) in matrix.iter_mut().enumerate().skip(6) {
            row[i] += 1.0e-5 * total;
        }
        let h = eliminate(&mut matrix)?;
        // Back to columns and pixels: seen = S^-1 * H * T.
        let (a, b) = (1.0 / text_scale, text_scale);
        let shift = [-text_mean[0] / b, -text_mean[1] / b];
        let row = |r: [f64; 3]| [r[0] * a, r[1] * a, r[0] * shift[0] + r[1] * shift[1] + r[2]];
        let depth = row([h[6], h[7], 1.0]);
        let (first, second) = (row([h[0], h[1], h[2]]), row([h[3], h[4], h[5]]));
        let mut grid = [0.0; 9];
        for i in 0..3 {
            grid[i] = seen_scale * first[i] + seen_mean[0] * depth[i];
            grid[3 + i] = seen_scale * second[i] + seen_mean[1] * depth[i];
            grid[6 + i] = depth[i];
        }
        Some(Grid(grid))
    }

    pub fn apply(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let (x, y) = (f64::from(x), f64::from(y));
        let m = &self.0;
        let depth = m[6] * x + m[7] * y + m[8];
        let depth = if depth.abs() < 1.0e-9 { 1.0e-9 } else { depth };
        [
            ((m[0] * x + m[1] * y + m[2]) / depth) as f32,
            ((m[3] * x + m[4] * y + m[5]) / depth) as f32,
        ]
    }

    /// Returns how far the place moves for one column and for one line, there.
    pub fn steps(&self, [x, y]: [f32; 2]) -> [[f32; 2]; 2] {
        const H: f32 = 0.25;
        let difference =
            |a: [f32; 2], b: [f32; 2]| [(b[0] - a[0]) / (2.0 * H), (b[1] - a[1]) / (2.0 * H)];
        [
            difference(self.apply([x - H, y]), self.apply([x + H, y])),
            difference(self.apply([x, y - H]), self.apply([x, y + H])),
        ]
    }

    /// Returns the map in which the text is read from `columns` to the left and `lines` down:
    /// `new(x, y) = old(a * x + b, c * y + d)`.
    pub fn renamed(&self, [a, b]: [f32; 2], [c, d]: [f32; 2]) -> Grid {
        let [a, b, c, d] = [a, b, c, d].map(f64::from);
        let m = &self.0;
        let mut grid = [0.0; 9];
        for row in 0..3 {
            let [p, q, r] = [m[3 * row], m[3 * row + 1], m[3 * row + 2]];
            grid[3 * row] = p * a;
            grid[3 * row + 1] = q * c;
            grid[3 * row + 2] = p * b + q * d + r;
        }
        Grid(grid)
    }
}

/// Gauss with pivots.
fn eliminate(matrix: &mut [[f64; 9]; 8]) -> Option<[f64; 8]> {
    for column in 0..8 {
        let pivot = (column..8)
            .max_by(|&a, &b| matrix[a][column].abs().total_cmp(&matrix[b][column].abs()))?;
        let size = matrix[pivot][column].abs();
        if size.is_nan() || size <= 1.0e-12 {
            return None;
        }
        matrix.swap(column, pivot);
        let from = matrix[column];
        for (_, row) in matrix.iter_mut().enumerate().filter(|(at, _)| *at != column) {
            let factor = row[column] / from[column];
            for (value, other) in row.iter_mut().zip(from).skip(column) {
                *value -= factor * other;
            }
        }
    }
    let mut solution = [0.0; 8];
    for (at, slot) in solution.iter_mut().enumerate() {
        *slot = matrix[at][8] / matrix[at][at];
    }
    Some(solution)
}
