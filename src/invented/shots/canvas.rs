//! A grey surface to draw on, seen straight: what a printer would put on a card.

use crate::invented::font;

/// Grey values from 0 (black) to 255, rows from top to bottom.
#[derive(Clone)]
pub(super) struct Canvas {
    pub width: usize,
    pub height: usize,
    pub grey: Vec<f32>,
}

/// An upright rectangle: left, top, width, height.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Area {
    pub left: f32,
    pub top: f32,
    pub width: f32,
    pub height: f32,
}

impl Canvas {
    pub fn new(width: usize, height: usize, grey: f32) -> Canvas {
        Canvas { width, height, grey: vec![grey; width * height] }
    }

    /// Makes a canvas whose greys follow from the middles of its pixels.
    pub fn from_fn(width: usize, height: usize, grey: impl Fn(f32, f32) -> f32) -> Canvas {
        let mut canvas = Canvas::new(width, height, 0.0);
        for (y, row) in canvas.grey.chunks_exact_mut(width.max(1)).enumerate() {
            for (x, pixel) in row.iter_mut().enumerate() {
                *pixel = grey(x as f32 + 0.5, y as f32 + 0.5);
            }
        }
        canvas
    }

    /// Paints what of the area is on the canvas; `ink` gets the grey that is there and the place.
    pub fn paint(&mut self, area: Area, ink: impl Fn(f32, f32, f32) -> f32) {
        let span = |from: f32, length: f32, end: usize| {
            let first = from.round().clamp(0.0, end as f32) as usize;
            let last = (from + length).round().clamp(0.0, end as f32) as usize;
            first..last.max(first)
        };
        let columns = span(area.left, area.width, self.width);
        for y in span(area.top, area.height, self.height) {
            let row = &mut self.grey[y * self.width..(y + 1) * self.width];
            for x in columns.clone() {
                row[x] = ink(row[x], x as f32 + 0.5, y as f32 + 0.5);
            }
        }
    }

    pub fn fill(&mut self, area: Area, grey: f32) {
        self.paint(area, |_, _, _| grey);
    }

    /// Paints an ellipse that fills the area.
    pub fn ellipse(&mut self, area: Area, grey: f32) {
        let round = area.roundness();
        self.paint(area, |under, x, y| if round(x, y) <= 1.0 { grey } else { under });
    }

    /// Paints the rim of an ellipse, `rim` pixels wide.
    pub fn ring(&mut self, area: Area, rim: f32, grey: f32) {
        let (outer, inner) = (area.roundness(), area.shrunk(rim).roundness());
        self.paint(
            area,
            |under, x, y| {
                if outer(x, y) <= 1.0 && inner(x, y) > 1.0 { grey } else { under }
            },
        );
    }

    /// Writes capitals from a point to the right, `height` pixels high.
    pub fn write(&mut self, text: &str, (left, top): (f32, f32), height: f32, grey: f32) {
        let dot = height / font::HEIGHT as f32;
        for (at, letter) in text.chars().enumerate() {
            let from = left + (at as u32 * font::ADVANCE) as f32 * dot;
            if from >= self.width as f32 {
                break;
            }
            for y in 0..font::HEIGHT {
                for x in (0..font::ADVANCE).filter(|x| font::is_black(letter, *x, y)) {
                    let (x, y) = (x as f32 * dot, y as f32 * dot);
                    let area = Area { left: from + x, top: top + y, width: dot, height: dot };
                    self.fill(area, grey);
                }
            }
        }
    }

    /// Returns the grey between the middles of pixels; beyond the edge, that of the edge.
    pub fn sample(&self, x: f32, y: f32) -> f32 {
        let x = (x - 0.5).clamp(0.0, self.width as f32 - 1.001);
        let y = (y - 0.5).clamp(0.0, self.height as f32 - 1.001);
        let (column, row) = (x as usize, y as usize);
        let (right, down) = (x - column as f32, y - row as f32);
        let at = row * self.width + column;
        let (upper, lower) = (&self.grey[at..at + 2], &self.grey[at + self.width..]);
        let upper = upper[0] + (upper[1] - upper[0]) * right;
        let lower = lower[0] + (lower[1] - lower[0]) * right;
        upper + (lower - upper) * down
    }
}

impl Area {
    /// Returns a function that is at most 1 inside the ellipse that fills the area.
    fn roundness(self) -> impl Fn(f32, f32) -> f32 {
        let (half_width, half_height) = (self.width / 2.0, self.height / 2.0);
        let centre = (self.left + half_width, self.top + half_height);
        move |x, y| ((x - centre.0) / half_width).powi(2) + ((y - centre.1) / half_height).powi(2)
    }

    fn shrunk(self, by: f32) -> Area {
        Area {
            left: self.left + by,
            top: self.top + by,
            width: self.width - 2.0 * by,
            height: self.height - 2.0 * by,
        }
    }

    pub fn contains(self, x: f32, y: f32) -> bool {
        (self.left..self.left + self.width).contains(&x)
            && (self.top..self.top + self.height).contains(&y)
    }
}

/// Returns a background as on cards: a slow swell and four sets of fine wavy lines.
///
/// `unit` is the length that a hundredth of the card's width has; every card has its own phases.
pub(super) fn guilloche(width: usize, height: usize, dice: &mut super::dice::Dice) -> Canvas {
    let (across, down) = (width as f32, height as f32);
    let unit = across / 100.0;
    let phases = (dice.direction(), dice.direction());
    let lines: Vec<Lines> = (0..4)
        .map(|_| {
            let direction = dice.direction().sin_cos();
            Lines {
                depth: dice.within((3.0, 8.0)),
                pitch: unit * dice.within((2.2, 6.5)),
                direction,
                swing: unit * 1.5,
                wave: unit * dice.within((3.0, 10.0)),
            }
        })
        .collect();
    Canvas::from_fn(width, height, |x, y| {
        let swell = 205.0
            + 12.0 * (x / across * 3.0 + phases.0).sin()
            + 8.0 * (y / down * 4.0 + phases.1).cos();
        lines.iter().fold(swell, |grey, lines| grey + lines.at(x, y))
    })
}

struct Lines {
    depth: f32,
    pitch: f32,
    direction: (f32, f32),
    swing: f32,
    wave: f32,
}

impl Lines {
    /// The share of a pitch that is line.
    const WIDTH: f32 = 0.24;

    fn at(&self, x: f32, y: f32) -> f32 {
        let along = x * self.direction.1 + y * self.direction.0;
        let place = (along + self.swing * (x / self.wave).sin()) / self.pitch;
        if place - place.floor() < Self::WIDTH { self.depth } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_outside_the_canvas_is_not_painted_and_not_missed() {
        let mut canvas = Canvas::new(8, 4, 200.0);
        canvas.fill(Area { left: -5.0, top: 2.0, width: 7.0, height: 90.0 }, 10.0);
        assert_eq!(canvas.grey[3 * 8..3 * 8 + 3], [10.0, 10.0, 200.0]);
        canvas.write("MAU MAU MAU", (-3.0, -3.0), 14.0, 20.0);
        for point in [(-9.0, -9.0), (0.0, 0.0), (8.0, 4.0), (99.0, 99.0)] {
            assert!(canvas.sample(point.0, point.1) <= 200.0);
        }
    }

    #[test]
    fn samples_lie_between_the_middles_of_pixels() {
        let canvas = Canvas::from_fn(4, 4, |x, y| x * 10.0 + y);
        assert!((canvas.sample(1.5, 1.5) - 16.5).abs() < 1e-4);
        assert!((canvas.sample(2.0, 1.5) - 21.5).abs() < 1e-4);
    }
}
