//! Prints in OCR-B, from a font file of the system.
//!
//! The font is not ours and not in the repository: Debian and Ubuntu have it as `fonts-ocr-b`.

use std::path::Path;
use std::{fs, io};

use ab_glyph::{Font as _, FontVec, PxScale, point};

use super::canvas::Canvas;

/// Where the package of Debian and Ubuntu puts it.
const USUAL_PLACE: &str = "/usr/share/fonts/opentype/ocr-b/OCRB.otf";

/// The letters of machine-readable zones.
pub struct OcrB {
    font: FontVec,
}

impl OcrB {
    /// Opens the font where the system has it.
    ///
    /// # Errors
    ///
    /// When it is not installed, or no font.
    pub fn of_system() -> io::Result<OcrB> {
        OcrB::open(Path::new(USUAL_PLACE))
    }

    /// Opens a font file, OpenType or TrueType.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is no font.
    pub fn open(path: &Path) -> io::Result<OcrB> {
        let font = FontVec::try_from_vec(fs::read(path)?);
        Ok(OcrB { font: font.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))? })
    }

    /// Returns how much ink a line has at each pixel, from 0 to 1. Each character takes `pitch`
    /// pixels across, and stands in the middle of a canvas that is `height` high.
    pub(super) fn line(&self, text: &str, pitch: f32, height: usize) -> Canvas {
        let mut ink = Canvas::new((pitch * text.len() as f32).ceil() as usize, height, 0.0);
        let advance = self.font.h_advance_unscaled(self.font.glyph_id('0'));
        let scale = PxScale::from(pitch * self.font.height_unscaled() / advance);
        // Figures and capitals stand on one line and are as high as each other.
        let top_of_figures = self.figure_top(scale);
        let base = (height as f32 + top_of_figures) / 2.0;
        for (at, letter) in text.chars().enumerate() {
            let place = point(at as f32 * pitch, base);
            let glyph = self.font.glyph_id(letter).with_scale_and_position(scale, place);
            let Some(outline) = self.font.outline_glyph(glyph) else {
                continue;
            };
            let corner = outline.px_bounds().min;
            outline.draw(|x, y, cover| {
                let (x, y) = (corner.x + x as f32, corner.y + y as f32);
                if x < 0.0 || y < 0.0 {
                    return;
                }
                let (x, y) = (x as usize, y as usize);
                if x < ink.width && y < ink.height {
                    let pixel = &mut ink.grey[y * ink.width + x];
                    *pixel = (*pixel + cover).min(1.0);
                }
            });
        }
        ink
    }

    /// Returns how far a figure reaches above the line, in pixels.
    fn figure_top(&self, scale: PxScale) -> f32 {
        let zero = self.font.glyph_id('0').with_scale_and_position(scale, point(0.0, 0.0));
        self.font.outline_glyph(zero).map_or(0.0, |outline| -outline.px_bounds().min.y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_differ_and_have_the_size_of_the_norm() {
        // Without the package there is nothing to print with.
        let Ok(font) = OcrB::of_system() else {
            return;
        };
        const PITCH: f32 = 25.4;
        let mut seen: Vec<Vec<f32>> = Vec::new();
        for letter in ('A'..='Z').chain('0'..='9').chain(['<']) {
            let ink = font.line(&letter.to_string(), PITCH, 40);
            let rows = ink.grey.chunks(ink.width);
            let inked: Vec<usize> = rows
                .enumerate()
                .filter(|(_, row)| row.iter().any(|ink| *ink > 0.5))
                .map(|(y, _)| y)
                .collect();
            let (top, bottom) = (inked[0], inked[inked.len() - 1]);
            // ISO 1073-2, size I: 2.4 mm high at a pitch of 2.54 mm; here a millimetre is 10 pixels.
            if letter != '<' {
                assert!((21..=28).contains(&(bottom - top + 1)), "{letter}: {top} to {bottom}");
            }
            assert!(seen.iter().all(|other| *other != ink.grey), "{letter}");
            seen.push(ink.grey);
        }
    }
}
