//! Enlarges and sharpens a part of a frame for decoders of black and white.
//!
//! Twice the size by Catmull-Rom, then an unsharp mask against a box mean. Of all variants measured
//! this one reads most for its cost: rxing reads 239 of 300 card pictures on the busiest part so
//! treated, 183 plain.

use super::Frame;
use super::corners::Window;
use super::geometry::Picture;

/// Side of the largest part that is enlarged, in pixels.
const MOST_SIDE: usize = 480;

/// Pixels of the enlarged picture before and behind one that the mean is over: about a module.
const REACH: usize = 6;

/// Memory that is used again from frame to frame.
pub(super) struct Crop {
    frame: Frame,
    rows: Vec<u8>,
    sums: Vec<u32>,
}

impl Default for Crop {
    fn default() -> Crop {
        let frame = Frame { width: 0, height: 0, luma: Vec::new(), number: 0, label: None };
        Crop { frame, rows: Vec::new(), sums: Vec::new() }
    }
}

impl Crop {
    /// About what it costs to enlarge and search a part, in microseconds.
    pub(super) const COST: i64 = 8_000;

    /// Returns the middle of a window, twice as large and sharpened.
    pub(super) fn of(&mut self, picture: &Picture<'_>, window: Window) -> &Frame {
        let part = |from: usize, to: usize| {
            let size = (to - from).min(MOST_SIDE);
            let start = from + (to - from - size) / 2;
            (start, size)
        };
        let (left, columns) = part(window.left, window.right);
        let (top, rows) = part(window.top, window.bottom);
        let (width, height) = (2 * columns, 2 * rows);
        // Along rows first. Every second pixel is one, the others lie between two.
        self.rows.clear();
        for y in top..top + rows {
            let row = &picture.luma[y * picture.width..][..picture.width];
            for x in left..left + columns {
                let at = |i: usize| i32::from(row[i.min(picture.width - 1)]);
                self.rows.push(row[x]);
                self.rows.push(between(at(x.saturating_sub(1)), at(x), at(x + 1), at(x + 2)));
            }
        }
        let luma = &mut self.frame.luma;
        luma.clear();
        for y in 0..rows {
            let row = |y: usize| &self.rows[y.min(rows - 1) * width..][..width];
            luma.extend_from_slice(row(y));
            let (a, b, c, d) = (row(y.saturating_sub(1)), row(y), row(y + 1), row(y + 2));
            luma.extend((0..width).map(|x| {
                between(i32::from(a[x]), i32::from(b[x]), i32::from(c[x]), i32::from(d[x]))
            }));
        }
        self.sharpen(width, height);
        (self.frame.width, self.frame.height) = (width as u32, height as u32);
        &self.frame
    }

    /// Doubles the difference to the mean of the neighbourhood.
    fn sharpen(&mut self, width: usize, height: usize) {
        let row = width + 1;
        self.sums.clear();
        self.sums.resize(row * (height + 1), 0);
        for y in 0..height {
            let mut sum = 0;
            for x in 0..width {
                sum += u32::from(self.frame.luma[y * width + x]);
                self.sums[(y + 1) * row + x + 1] = self.sums[y * row + x + 1] + sum;
            }
        }
        for y in 0..height {
            let (top, bottom) = (y.saturating_sub(REACH), (y + REACH + 1).min(height));
            for x in 0..width {
                let (left, right) = (x.saturating_sub(REACH), (x + REACH + 1).min(width));
                let at = |x: usize, y: usize| self.sums[y * row + x];
                let sum = at(right, bottom) + at(left, top) - at(right, top) - at(left, bottom);
                let mean = (sum / ((right - left) * (bottom - top)) as u32) as i32;
                let level = &mut self.frame.luma[y * width + x];
                *level = (2 * i32::from(*level) - mean).clamp(0, 255) as u8;
            }
        }
    }
}

/// The level half way between the second and the third of four.
fn between(a: i32, b: i32, c: i32, d: i32) -> u8 {
    ((9 * (b + c) - a - d + 8) >> 4).clamp(0, 255) as u8
}
