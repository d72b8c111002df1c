//! Reads codes that are too blurred, too small or too unevenly lit for a decoder of black and white.

use super::corners::{self, Window};
use super::equalise::Equaliser;
use super::geometry::Picture;
use super::read::Reader;
use super::register::{self, Grid, Triple};

/// Memory that is used again from frame to frame.
#[derive(Default)]
pub struct Soft {
    corners: corners::Scratch,
    triples: Vec<Triple>,
    equaliser: Equaliser,
    reader: Reader,
    /// Debug trace.
    pub trace: String,
}

impl Soft {
    /// One picture.
    pub fn read(&mut self, width: usize, height: usize, luma: &[u8], least: i16) -> Option<Vec<u8>> {
        let picture = Picture { width, height, luma };
        let window = Window { left: 0, top: 0, right: width, bottom: height };
        corners::find(&picture, window, least, &mut self.corners);
        register::triples(&self.corners.corners, &mut self.triples);
        self.trace.clear();
        use std::fmt::Write;
        let _ = write!(self.trace, "corners {} triples {}", self.corners.corners.len(), self.triples.len());
        if let Some(bytes) = self.read_triples(&picture) { return Some(bytes); }
        register::completed(&picture, &self.corners.corners, &mut self.triples);
        let _ = write!(self.trace, "\n     completed {}", self.triples.len());
        self.read_triples(&picture)
    }

    fn read_triples(&mut self, picture: &Picture<'_>) -> Option<Vec<u8>> {
        use std::fmt::Write;
        let picture = *picture;
        let mut tried = 0;
        for i in 0..self.triples.len() {
            let triple = self.triples[i];
            for mut grid in register::grids(&picture, &triple).into_iter().flatten() {
                let before = grid.plane;
                if grid.fit < 0.7 || tried > 3 { continue; }
                tried += 1;
                if let Some(bytes) = self.read_grid(&picture, &mut grid) {
                    return Some(bytes);
                }
                let _ = write!(self.trace, " [v{} fit {:.2} failed {}/{} noise {:.1} fmt {:?}", grid.layout.version, grid.fit, self.reader.failed, self.reader.blocks, self.equaliser.noise, self.equaliser.format);
                let s = grid.layout.side as f32;
                for (u, v) in [(0.0, 0.0), (s, 0.0), (s, s), (0.0, s)] {
                    let p = before.map(super::geometry::Point::new(u, v));
                    let q = grid.plane.map(super::geometry::Point::new(u, v));
                    let _ = write!(self.trace, " ({:.1},{:.1})>({:.1},{:.1})", p.x, p.y, q.x, q.y);
                }
                let _ = write!(self.trace, "]");
            }
        }
        None
    }

    fn read_grid(&mut self, picture: &Picture<'_>, grid: &mut Grid) -> Option<Vec<u8>> {
        if !self.equaliser.run(picture, grid) {
            return None;
        }
        let (format, is_mirrored) = self.equaliser.format?;
        self.reader.read(grid.layout, format, is_mirrored, &self.equaliser.soft)
    }

    /// Corners found, for the harness.
    pub fn seen(&self) -> Vec<(f32, f32, f32)> {
        self.corners.corners.iter().map(|c| (c.at.x, c.at.y, c.across)).collect()
    }
}
