//! Reads codes that are too blurred, too small or too unevenly lit for a decoder of black and white.
//!
//! Four steps, none of which makes a picture black and white: [`corners`](super::corners) finds the
//! corner patterns, [`register`](super::register) lays a grid over three of them,
//! [`equalise`](super::equalise) gives each module a soft value, [`read`](super::read) corrects the
//! code words by how doubtful they are. A payload counts only where every block is corrected.
//!
//! What is read is used at once: the modules of a block that is corrected are known, and help to
//! tell those of the others.

use super::corners::{self, Window};
use super::equalise::Equaliser;
use super::geometry::{Picture, Point};
use super::read::Reader;
use super::register::{self, Grid, Triple};

/// How much may be done for a frame, in about microseconds on the machine where it was measured.
///
/// Counted and not timed, so that a frame always reads the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort(pub(super) i64);

impl Effort {
    /// Pays for something; tells whether there was enough.
    pub(super) fn pay(&mut self, cost: i64) -> bool {
        self.0 -= cost;
        self.0 >= 0
    }
}

/// Smallest rise that is no noise, in levels. Measured: 6, 10 and 14 read 277, 277 and 270 of 300
/// pictures; each finds a few corners that the others do not.
pub(super) const LEAST_RISE: i16 = 10;

/// The same for a second look, at a small part.
pub(super) const SECOND_RISE: i16 = 5;

/// How well the fixed patterns must agree before a grid is read. Measured: right grids have 0.94
/// and more, but for glare; wrong ones 0.2 to 0.7, those of version 1 up to 0.9.
const LEAST_FIT: f32 = 0.7;

/// Most different grids that are read of a frame. Chosen: the right one is mostly the first.
const MOST_GRIDS: usize = 4;

/// How near the corners of two grids are if they are the same, in modules.
const SAME_GRID: f32 = 0.6;

/// How often a grid is read with what is known of it by then.
const MOST_TURNS: usize = 4;

/// How near two corners are if they are the same, in pixels.
const SAME_CORNER: f32 = 1.5;

/// What was read, and where.
pub(super) struct Found {
    pub(super) bytes: Vec<u8>,
    pub(super) grid: Grid,
}

/// Memory that is used again from frame to frame.
#[derive(Default)]
pub(super) struct Soft {
    corners: corners::Scratch,
    triples: Vec<Triple>,
    pub(super) equaliser: Equaliser,
    pub(super) reader: Reader,
    tried: Vec<Grid>,
    looked_at: Vec<[Point; 3]>,
    /// The grid of the last window that fitted best, with its soft values, though it was not read.
    pub(super) unread: Option<Grid>,
    pub(super) unread_soft: Vec<f32>,
}

impl Soft {
    /// Forgets the frame before.
    pub(super) fn start(&mut self) {
        self.tried.clear();
        self.looked_at.clear();
        self.unread = None;
    }

    /// Reads a code in a window of a frame, of which other windows may have been looked at.
    pub(super) fn read(
        &mut self,
        picture: &Picture<'_>,
        window: Window,
        least_rise: i16,
        effort: &mut Effort,
    ) -> Option<Found> {
        let pixels = (window.right - window.left) * (window.bottom - window.top);
        if !effort.pay(pixels as i64 / 600) {
            return None;
        }
        corners::find(picture, window, least_rise, effort, &mut self.corners);
        register::triples(&self.corners.corners, &mut self.triples);
        if let Some(found) = self.read_triples(picture, effort) {
            return Some(found);
        }
        register::completed(picture, &self.corners.corners, effort, &mut self.triples);
        self.read_triples(picture, effort)
    }

    /// Reads the code of the frame before where it has moved to.
    pub(super) fn follow(
        &mut self,
        picture: &Picture<'_>,
        before: &Grid,
        effort: &mut Effort,
    ) -> Option<Found> {
        if !effort.pay(1_000) {
            return None;
        }
        let grid = register::followed(picture, before)?;
        self.read_new(picture, grid, effort)
    }

    /// Reads the code under a grid, unless it was tried before.
    fn read_new(
        &mut self,
        picture: &Picture<'_>,
        mut grid: Grid,
        effort: &mut Effort,
    ) -> Option<Found> {
        let is_known = self.tried.iter().any(|tried| is_same(tried, &grid));
        if grid.fit < LEAST_FIT || is_known || self.tried.len() >= MOST_GRIDS {
            return None;
        }
        self.tried.push(grid);
        if let Some(bytes) = self.read_grid(picture, &mut grid, effort) {
            return Some(Found { bytes, grid });
        }
        if self.unread.is_none_or(|unread| grid.fit > unread.fit) {
            self.unread = Some(grid);
            self.unread_soft.clear();
            self.unread_soft.extend_from_slice(&self.equaliser.soft);
        }
        None
    }

    fn read_triples(&mut self, picture: &Picture<'_>, effort: &mut Effort) -> Option<Found> {
        for i in 0..self.triples.len() {
            let triple = self.triples[i];
            let points = triple.corners.map(|corner| corner.at);
            let is_old = self.looked_at.iter().any(|old| {
                old.iter().zip(&points).all(|(a, b)| a.minus(*b).length() < SAME_CORNER)
            });
            if is_old {
                continue;
            }
            if self.tried.len() >= MOST_GRIDS || !effort.pay(10) {
                return None;
            }
            self.looked_at.push(points);
            for grid in register::grids(picture, &triple, effort).into_iter().flatten() {
                if let Some(found) = self.read_new(picture, grid, effort) {
                    return Some(found);
                }
            }
        }
        None
    }

    /// Reads the code under a grid, harder and harder.
    fn read_grid(
        &mut self,
        picture: &Picture<'_>,
        grid: &mut Grid,
        effort: &mut Effort,
    ) -> Option<Vec<u8>> {
        let modules = grid.layout.modules.len() as i64;
        if !effort.pay(modules * 2 / 3) || !self.equaliser.begin(picture, grid) {
            return None;
        }
        self.reader.start();
        let mut read = self.read_soft(grid);
        let mut known = 0;
        for _ in 0..MOST_TURNS {
            if read.is_some() || !effort.pay(modules * 3) {
                break;
            }
            self.equaliser.settle(picture, grid);
            read = self.read_soft(grid);
            if read.is_some() || !effort.pay(modules * 3 / 2) {
                break;
            }
            self.equaliser.feed_back();
            read = self.read_soft(grid);
            // A block that is corrected tells for certain what its modules are, and these lie among
            // those of the others.
            let solved = self.reader.solved();
            if solved == known {
                break;
            }
            known = solved;
            let equaliser = &mut self.equaliser;
            self.reader
                .for_each_known(grid.layout, |place, is_dark| equaliser.know(place, is_dark));
        }
        read
    }

    fn read_soft(&mut self, grid: &Grid) -> Option<Vec<u8>> {
        let (format, is_mirrored) = self.equaliser.format?;
        self.reader.read(grid.layout, format, is_mirrored, &self.equaliser.soft)
    }
}

fn is_same(a: &Grid, b: &Grid) -> bool {
    let side = a.layout.side as f32;
    if a.layout.side != b.layout.side {
        return false;
    }
    let module = a.plane.axes(Point::new(side / 2.0, side / 2.0)).0.length();
    [(0.0, 0.0), (side, 0.0), (side, side), (0.0, side)].into_iter().all(|(u, v)| {
        let at = Point::new(u, v);
        a.plane.map(at).minus(b.plane.map(at)).length() < SAME_GRID * module
    })
}
