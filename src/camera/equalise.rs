//! Undoes what blur, movement and ink did to the modules of a code.
//!
//! A linear filter gives each module's value from the samples around it. It is fitted by ridge
//! regression to the modules that the norm fixes, then to the whole code as it reads so far, and
//! again with what its neighbours read as further inputs, so that what they spill over is taken
//! away (decision feedback). Levels are first taken relative to the mean and spread of the
//! neighbourhood: light may be uneven.

use super::geometry::{Picture, Point};
use super::register::Grid;
use super::symbol::{Format, Layout, Module};

/// Samples on each side of a module.
pub(super) const PER_MODULE: usize = 2;

/// Modules that are sampled around the code.
const RIM: usize = 2;

/// Samples before and behind the middle of a module that the filter sees.
const TAPS: usize = 2;

/// Inputs of the filter: samples, and a constant.
const SAMPLES: usize = (2 * TAPS + 1) * (2 * TAPS + 1);
const PLAIN: usize = SAMPLES + 1;

/// The same, and eight neighbours.
const WITH_NEIGHBOURS: usize = PLAIN + 8;

/// Modules before and behind one that count as its neighbourhood for light. Measured: of 640 hard
/// pictures 2, 3, 4 and 6 read 559, 559, 556 and 547.
const LIGHT_REACH: usize = 3;

/// Memory that is used again from code to code, and the values of the last one.
#[derive(Default)]
pub(super) struct Equaliser {
    side: usize,
    /// Levels at the samples.
    samples: Vec<f32>,
    /// Mean and spread of the neighbourhood of each module.
    light: Vec<(f32, f32)>,
    sums: Vec<(f64, f64)>,
    /// Light that the mean of the neighbourhood is too coarse for, in levels.
    shade: Vec<f32>,
    /// How far each module is from what its neighbourhood leads to expect, in levels.
    off: Vec<f32>,
    /// What a module must be: 1 dark, -1 light, 0 unknown.
    fixed: Vec<f32>,
    /// What the filter makes of each: 1 is dark, -1 light.
    pub(super) values: Vec<f32>,
    decided: Vec<f32>,
    errors: Vec<f32>,
    /// Twice the logarithm of how much more likely dark is than light.
    pub(super) soft: Vec<f32>,
    /// Mean squared error, in levels.
    pub(super) noise: f32,
    pub(super) format: Option<(Format, bool)>,
}

impl Equaliser {
    /// Samples the modules under a grid and reads them with a filter for the fixed ones.
    pub(super) fn begin(&mut self, picture: &Picture<'_>, grid: &Grid) -> bool {
        self.side = grid.layout.side;
        self.fix(grid);
        self.shade.clear();
        self.shade.resize(self.side * self.side, 0.0);
        self.sample(picture, grid);
        if !self.first_filter() {
            return false;
        }
        self.read_format(grid);
        self.weigh();
        true
    }

    /// Fits the filter to all modules, and moves the grid until it settles.
    pub(super) fn settle(&mut self, picture: &Picture<'_>, grid: &mut Grid) {
        self.decide();
        self.filter::<PLAIN>(1.0);
        for round in 0..MOST_ROUNDS {
            self.decide();
            let moved = self.align(grid);
            self.shade();
            self.sample(picture, grid);
            self.filter::<PLAIN>(1.0);
            if round > 0 && moved < SETTLED {
                break;
            }
        }
        self.read_format(grid);
        self.weigh();
    }

    /// Takes a module for known.
    pub(super) fn know(&mut self, place: usize, is_dark: bool) {
        if let Some(fixed) = self.fixed.get_mut(place) {
            *fixed = if is_dark { 1.0 } else { -1.0 };
        }
    }

    /// Takes away what the neighbours spill over.
    pub(super) fn feed_back(&mut self) {
        for _ in 0..3 {
            self.decide();
            self.filter::<WITH_NEIGHBOURS>(1.0);
        }
        self.weigh();
    }

    fn fix(&mut self, grid: &Grid) {
        self.format = None;
        self.fixed.clear();
        self.fixed.extend(grid.layout.modules.iter().map(|module| match module {
            Module::Fixed(true) => 1.0,
            Module::Fixed(false) => -1.0,
            _ => 0.0,
        }));
    }

    fn row(&self) -> usize {
        PER_MODULE * (self.side + 2 * RIM) + 1
    }

    /// Takes the samples, and the light of each neighbourhood.
    fn sample(&mut self, picture: &Picture<'_>, grid: &Grid) {
        let row = self.row();
        self.samples.clear();
        for j in 0..row {
            let v = j as f32 / PER_MODULE as f32 - RIM as f32;
            for i in 0..row {
                let u = i as f32 / PER_MODULE as f32 - RIM as f32;
                self.samples.push(picture.cubic(grid.plane.map(Point::new(u, v))));
            }
        }
        // Sums of levels and of their squares over all modules above and to the left.
        let side = self.side;
        self.sums.clear();
        self.sums.resize((side + 1) * (side + 1), (0.0, 0.0));
        for y in 0..side {
            let mut sum = (0.0, 0.0);
            for x in 0..side {
                let level = f64::from(self.samples[self.middle(x, y)]);
                sum.0 += level;
                sum.1 += level * level;
                let above = self.sums[y * (side + 1) + x + 1];
                self.sums[(y + 1) * (side + 1) + x + 1] = (above.0 + sum.0, above.1 + sum.1);
            }
        }
        self.light.clear();
        for y in 0..side {
            for x in 0..side {
                let (left, right) =
                    (x.saturating_sub(LIGHT_REACH), (x + LIGHT_REACH + 1).min(side));
                let (top, bottom) =
                    (y.saturating_sub(LIGHT_REACH), (y + LIGHT_REACH + 1).min(side));
                let at = |x: usize, y: usize| self.sums[y * (side + 1) + x];
                let (a, b, c, d) =
                    (at(left, top), at(right, top), at(left, bottom), at(right, bottom));
                let count = ((right - left) * (bottom - top)) as f64;
                let mean = (d.0 - b.0 - c.0 + a.0) / count;
                let square = (d.1 - b.1 - c.1 + a.1) / count;
                let spread = (square - mean * mean).max(4.0).sqrt();
                let shade = self.shade[y * side + x];
                self.light.push((mean as f32 + shade, spread as f32));
            }
        }
    }

    /// The sample in the middle of a module.
    fn middle(&self, x: usize, y: usize) -> usize {
        let half = PER_MODULE / 2;
        (PER_MODULE * (y + RIM) + half) * self.row() + PER_MODULE * (x + RIM) + half
    }

    /// The inputs of the filter for a module.
    fn inputs<const N: usize>(&self, x: usize, y: usize) -> [f32; N] {
        let mut inputs = [0.0; N];
        let row = self.row();
        let middle = self.middle(x, y);
        let (mean, spread) = self.light[y * self.side + x];
        let scale = -1.0 / spread;
        let size = 2 * TAPS + 1;
        for j in 0..size {
            let start = middle + j * row - TAPS * row - TAPS;
            for i in 0..size {
                inputs[j * size + i] = (self.samples[start + i] - mean) * scale;
            }
        }
        inputs[SAMPLES] = 1.0;
        if N > PLAIN {
            let mut at = PLAIN;
            for dy in 0..3 {
                for dx in 0..3 {
                    if dx == 1 && dy == 1 {
                        continue;
                    }
                    let (nx, ny) = ((x + dx).wrapping_sub(1), (y + dy).wrapping_sub(1));
                    // Around the code it is light.
                    let is_inside = nx < self.side && ny < self.side;
                    inputs[at] = if is_inside { self.decided[ny * self.side + nx] } else { -1.0 };
                    at += 1;
                }
            }
        }
        inputs
    }

    /// Fits the filter to the fixed modules alone.
    fn first_filter(&mut self) -> bool {
        self.decided.clear();
        self.decided.extend_from_slice(&self.fixed);
        self.filter::<PLAIN>(0.0)
    }

    /// Fits the filter to the decided modules and applies it; `others` is the weight of those that
    /// are not fixed.
    fn filter<const N: usize>(&mut self, others: f32) -> bool {
        let mut matrix = [[0.0_f32; N]; N];
        let mut right = [0.0_f32; N];
        for y in 0..self.side {
            for x in 0..self.side {
                let place = y * self.side + x;
                let is_fixed = self.fixed[place] != 0.0;
                let target = self.decided[place];
                let weight = if is_fixed { 1.0 } else { others * target.abs() };
                if weight < 0.05 {
                    continue;
                }
                let target = target.signum();
                let inputs = self.inputs::<N>(x, y);
                for i in 0..N {
                    let factor = inputs[i] * weight;
                    for j in 0..=i {
                        matrix[i][j] += factor * inputs[j];
                    }
                    right[i] += factor * target;
                }
            }
        }
        let Some(weights) = solved(matrix, right, RIDGE) else {
            return false;
        };
        self.values.clear();
        for y in 0..self.side {
            for x in 0..self.side {
                let inputs = self.inputs::<N>(x, y);
                let value: f32 = inputs.iter().zip(&weights).map(|(i, w)| i * w).sum();
                self.values.push(value);
            }
        }
        true
    }

    /// Decides, less surely where a value is small.
    fn decide(&mut self) {
        self.decided.clear();
        let sharpened = self.values.iter().zip(&self.fixed).map(|(value, fixed)| {
            if *fixed != 0.0 { *fixed } else { (2.0 * value).clamp(-1.0, 1.0) }
        });
        self.decided.extend(sharpened);
    }

    /// Finds the format that agrees best, and whether the code is mirrored, and fixes its modules.
    fn read_format(&mut self, grid: &Grid) {
        let side = self.side;
        let (format, is_mirrored) = format_of(grid.layout, &self.values);
        self.format = Some((format, is_mirrored));
        let printed = format.bits();
        for (place, module) in grid.layout.modules.iter().enumerate() {
            if let Module::Format(bit) = module {
                let (x, y) = (place % side, place / side);
                let place = if is_mirrored { x * side + y } else { place };
                self.fixed[place] = if printed >> bit & 1 == 1 { 1.0 } else { -1.0 };
            }
        }
    }

    /// Moves the grid to where the decided modules fit the samples best.
    ///
    /// Returns how far the rim moved, in modules.
    fn align(&mut self, grid: &mut Grid) -> f64 {
        let side = self.side;
        let row = self.row();
        // How the modules around show in a sample: fitted first.
        let around = |this: &Equaliser, x: usize, y: usize| {
            let mut inputs = [1.0_f32; 10];
            for (i, input) in inputs[..9].iter_mut().enumerate() {
                *input = this.decided[(y + i / 3 - 1) * side + x + i % 3 - 1];
            }
            inputs
        };
        let mut matrix = [[0.0_f32; 10]; 10];
        let mut right = [0.0_f32; 10];
        for y in 1..side - 1 {
            for x in 1..side - 1 {
                let inputs = around(self, x, y);
                let (mean, spread) = self.light[y * side + x];
                let level = (self.samples[self.middle(x, y)] - mean) / spread;
                for i in 0..10 {
                    for j in 0..=i {
                        matrix[i][j] += inputs[i] * inputs[j];
                    }
                    right[i] += inputs[i] * level;
                }
            }
        }
        let Some(weights) = solved(matrix, right, 1e-3) else {
            return 0.0;
        };
        self.off.clear();
        self.off.resize(side * side, 0.0);
        let mut system = super::geometry::System::<8>::default();
        let half = side as f64 / 2.0;
        for y in 1..side - 1 {
            for x in 1..side - 1 {
                let inputs = around(self, x, y);
                let expected: f32 = inputs.iter().zip(&weights).map(|(i, w)| i * w).sum();
                let (mean, spread) = self.light[y * side + x];
                let middle = self.middle(x, y);
                let level = |place: usize| (self.samples[place] - mean) / spread;
                let error = (expected - level(middle)).clamp(-1.5, 1.5);
                self.off[y * side + x] = -error * spread;
                let per_module = PER_MODULE as f32 / 2.0;
                let gu = f64::from((level(middle + 1) - level(middle - 1)) * per_module);
                let gv = f64::from((level(middle + row) - level(middle - row)) * per_module);
                // Relative to the middle of the code, in halves of its side.
                let (u, v) = ((x as f64 + 0.5 - half) / half, (y as f64 + 0.5 - half) / half);
                let bend = gu * u + gv * v;
                let inputs = [gu * u, gu * v, gu, gv * u, gv * v, gv, -bend * u, -bend * v];
                system.add(&inputs, f64::from(error), 1.0);
            }
        }
        let Some(change) = system.solve(1e-6) else {
            return 0.0;
        };
        // In halves of the side around the middle: back to modules.
        let most = change.iter().fold(0.0_f64, |m, c| m.max(c.abs()));
        if most > 1.5 {
            return 0.0;
        }
        let c = change.map(|c| c / half);
        // Homography around the middle: T (1 + d) T^-1 with d in modules; T moves by half, scales.
        let d = [c[0], c[1], c[2] * half, c[3], c[4], c[5] * half, c[6] / half, c[7] / half];
        let to_middle = |h: &[f64; 9]| -> [f64; 9] {
            // h * [1 0 half; 0 1 half; 0 0 1]
            let mut m = *h;
            for r in 0..3 {
                m[3 * r + 2] = h[3 * r] * half + h[3 * r + 1] * half + h[3 * r + 2];
            }
            m
        };
        let from_middle = |h: &[f64; 9]| -> [f64; 9] {
            let mut m = *h;
            for r in 0..3 {
                m[3 * r + 2] = -h[3 * r] * half - h[3 * r + 1] * half + h[3 * r + 2];
            }
            m
        };
        let moved = super::geometry::Homography(to_middle(&grid.plane.0)).after(&d);
        grid.plane.0 = from_middle(&moved.0);
        most
    }

    /// Follows light that changes within a few modules, as a reflection does: by how far the modules
    /// around are off together.
    fn shade(&mut self) {
        let side = self.side;
        for y in 0..side {
            for x in 0..side {
                let (mut sum, mut count) = (0.0, 0.0);
                for ny in y.saturating_sub(SHADE_REACH)..(y + SHADE_REACH + 1).min(side) {
                    let (left, right) =
                        (x.saturating_sub(SHADE_REACH), (x + SHADE_REACH + 1).min(side));
                    sum += self.off[ny * side + left..ny * side + right].iter().sum::<f32>();
                    count += (right - left) as f32;
                }
                self.shade[y * side + x] += sum / count;
            }
        }
    }

    /// Makes soft values of the filter's, by how far those of the neighbourhood are off.
    fn weigh(&mut self) {
        let side = self.side;
        self.errors.clear();
        let mut total = 0.0;
        for (value, (_, spread)) in self.values.iter().zip(&self.light) {
            let error = (value.abs() - 1.0) * spread;
            self.errors.push(error * error);
            total += error * error;
        }
        self.noise = total / (side * side) as f32;
        self.soft.clear();
        for y in 0..side {
            for x in 0..side {
                let (mut sum, mut count) = (0.0, 0.0);
                for ny in y.saturating_sub(2)..(y + 3).min(side) {
                    for nx in x.saturating_sub(2)..(x + 3).min(side) {
                        sum += self.errors[ny * side + nx];
                        count += 1.0;
                    }
                }
                let place = y * side + x;
                let spread = self.light[place].1;
                let noise = (0.5 * self.noise + 0.5 * sum / count) / (spread * spread);
                let soft = 2.0 * self.values[place] / noise.max(0.01);
                self.soft.push(if self.is_washed_out(x, y) { 0.01 * soft } else { soft });
            }
        }
    }
}

/// Finds the format that agrees best with the values of modules, and whether they are mirrored.
pub(super) fn format_of(layout: &Layout, values: &[f32]) -> (Format, bool) {
    let side = layout.side;
    let mut bits = [[0.0_f32; 15]; 2];
    for (place, module) in layout.modules.iter().enumerate() {
        if let Module::Format(bit) = module {
            let (x, y) = (place % side, place / side);
            bits[0][usize::from(*bit)] += values[place].clamp(-1.0, 1.0);
            bits[1][usize::from(*bit)] += values[x * side + y].clamp(-1.0, 1.0);
        }
    }
    let mut best = (f32::MIN, Format::of(0), false);
    for data in 0..Format::COUNT {
        let format = Format::of(data);
        let printed = format.bits();
        for (is_mirrored, bits) in [(false, &bits[0]), (true, &bits[1])] {
            let score: f32 = (0..15)
                .map(|bit| if printed >> bit & 1 == 1 { bits[bit] } else { -bits[bit] })
                .sum();
            if score > best.0 {
                best = (score, format, is_mirrored);
            }
        }
    }
    (best.1, best.2)
}

/// Modules before and behind one whose light is taken for the same. Measured: of 640 hard pictures
/// 1, 2 and 3 read 554, 559 and 561.
const SHADE_REACH: usize = 3;

/// Most times that the grid is moved, and the move, in modules, after which it is not again.
const MOST_ROUNDS: usize = 6;
const SETTLED: f64 = 0.06;

impl Equaliser {
    /// Tells whether a module and its neighbours are as light as can be: a reflection hides them.
    fn is_washed_out(&self, x: usize, y: usize) -> bool {
        let middle = self.middle(x, y);
        if self.samples[middle] < WASHED_OUT {
            return false;
        }
        let row = self.row();
        let light = (0..9).filter(|i| {
            let place = middle + i / 3 * PER_MODULE * row + i % 3 * PER_MODULE;
            self.samples[place - PER_MODULE * row - PER_MODULE] >= WASHED_OUT
        });
        light.count() >= 7
    }
}

/// Level from which a pixel is as light as can be.
const WASHED_OUT: f32 = 246.0;

/// Ridge of the regression, in parts of the mean of the diagonal.
const RIDGE: f32 = 0.01;

/// Solves normal equations of which the lower half is given.
fn solved<const N: usize>(mut m: [[f32; N]; N], mut x: [f32; N], ridge: f32) -> Option<[f32; N]> {
    let mean = (0..N).map(|i| m[i][i]).sum::<f32>() / N as f32;
    for (i, row) in m.iter_mut().enumerate() {
        row[i] += mean * ridge + 1e-6;
    }
    for i in 0..N {
        for j in 0..=i {
            let sum = m[i][j] - (0..j).map(|k| m[i][k] * m[j][k]).sum::<f32>();
            if i == j {
                if sum <= 0.0 || !sum.is_finite() {
                    return None;
                }
                m[i][i] = sum.sqrt();
            } else {
                m[i][j] = sum / m[j][j];
            }
        }
    }
    for i in 0..N {
        x[i] = (x[i] - (0..i).map(|k| m[i][k] * x[k]).sum::<f32>()) / m[i][i];
    }
    for i in (0..N).rev() {
        x[i] = (x[i] - (i + 1..N).map(|k| m[k][i] * x[k]).sum::<f32>()) / m[i][i];
    }
    Some(x)
}
