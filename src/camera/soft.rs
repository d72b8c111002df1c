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
    /// t
    pub times: [f64; 6],
    /// Debug trace.
    pub trace: String,
}

impl Soft {
    /// One picture.
    pub fn read(&mut self, frame: &super::Frame, least: i16) -> Option<Vec<u8>> {
        let (width, height) = (frame.width as usize, frame.height as usize);
        let picture = Picture { width, height, luma: &frame.luma };
        self.trace.clear();
        let t = std::time::Instant::now();
        let area = super::hint::likely_area(frame);
        self.times[5] += t.elapsed().as_secs_f64();
        let whole = Window { left: 0, top: 0, right: width, bottom: height };
        if let Some((columns, rows)) = area {
            let window = Window { left: columns.start.saturating_sub(32), top: rows.start.saturating_sub(32), right: (columns.end + 32).min(width), bottom: (rows.end + 32).min(height) };
            if let Some(bytes) = self.read_window(&picture, window, least) {
                return Some(bytes);
            }
            self.trace.push_str("\n    WHOLE ");
        }
        self.read_window(&picture, whole, least)
    }

    fn read_window(&mut self, picture: &Picture<'_>, window: Window, least: i16) -> Option<Vec<u8>> {
        use std::fmt::Write;
        let t = std::time::Instant::now();
        corners::find(picture, window, least, &mut self.corners);
        self.times[0] += t.elapsed().as_secs_f64();
        register::triples(&self.corners.corners, &mut self.triples);
        let _ = write!(self.trace, "corners {} triples {}", self.corners.corners.len(), self.triples.len());
        if let Some(bytes) = self.read_triples(picture) { return Some(bytes); }
        let t = std::time::Instant::now();
        register::completed(picture, &self.corners.corners, &mut self.triples);
        self.times[2] += t.elapsed().as_secs_f64();
        let _ = write!(self.trace, "\n     completed {}", self.triples.len());
        self.read_triples(picture)
    }

    fn read_triples(&mut self, picture: &Picture<'_>) -> Option<Vec<u8>> {
        use std::fmt::Write;
        let picture = *picture;
        let mut tried = 0;
        for i in 0..self.triples.len() {
            let triple = self.triples[i];
            let t = std::time::Instant::now();
            let grids = register::grids(&picture, &triple);
            self.times[3] += t.elapsed().as_secs_f64();
            for mut grid in grids.into_iter().flatten() {
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
        let t = std::time::Instant::now();
        if !self.equaliser.begin(picture, grid) {
            return None;
        }
        let mut read = self.read_soft(grid);
        if read.is_none() {
            self.equaliser.settle(picture, grid);
            read = self.read_soft(grid);
        }
        if read.is_none() {
            self.equaliser.feed_back();
            read = self.read_soft(grid);
        }
        self.times[4] += t.elapsed().as_secs_f64();
        read
    }

    fn read_soft(&mut self, grid: &Grid) -> Option<Vec<u8>> {
        let (format, is_mirrored) = self.equaliser.format?;
        self.reader.read(grid.layout, format, is_mirrored, &self.equaliser.soft)
    }

    /// Corners found, for the harness.
    pub fn seen(&self) -> Vec<(f32, f32, f32)> {
        self.corners.corners.iter().map(|c| (c.at.x, c.at.y, c.across)).collect()
    }
}
