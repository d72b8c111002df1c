//! One grey picture.

use std::fmt;

/// A picture of one moment, 8-bit grey, rows from top to bottom without gaps.
///
/// `Debug` shows the size only: the pixels show a person's card.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `width * height` bytes, 0 is black.
    pub luma: Vec<u8>,
    /// Counts the frames of a source; gaps are frames that nobody took.
    pub number: u64,
    /// File name, where the frame is a picture from a file.
    pub label: Option<String>,
}

impl Frame {
    /// Tells whether there are as many pixels as the size says, and at least one.
    ///
    /// Whoever indexes into `luma` asks this first: the fields are open, and the sources outside.
    pub fn is_whole(&self) -> bool {
        let pixels = u64::from(self.width) * u64::from(self.height);
        pixels > 0 && self.luma.len() as u64 == pixels
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} x {}, number {})", self.width, self.height, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_frame(width: u32, height: u32, pixels: usize) -> Frame {
        Frame { width, height, luma: vec![7; pixels], number: 3, label: Some("an.png".into()) }
    }

    #[test]
    fn whole_is_a_frame_with_all_its_pixels() {
        for (width, height, pixels, expected) in [
            (4, 3, 12, true),
            (4, 3, 11, false),
            (4, 3, 13, false),
            (0, 3, 0, false),
            (u32::MAX, u32::MAX, 1, false),
        ] {
            assert_eq!(a_frame(width, height, pixels).is_whole(), expected, "{width} x {height}");
        }
    }

    #[test]
    fn debug_shows_neither_pixels_nor_file_name() {
        assert_eq!(format!("{:?}", a_frame(2, 2, 4)), "Frame(2 x 2, number 3)");
    }
}
