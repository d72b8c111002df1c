//! How much a frame differs from the one before, by a few of its pixels.

use super::Frame;

/// Pixels between the samples.
const STEP: usize = 16;

/// Every so manieth pixel of the last frame.
#[derive(Default)]
pub(super) struct Samples {
    levels: Vec<u8>,
}

impl Samples {
    /// Takes those of a new, whole frame; returns the mean difference to those before, in levels.
    ///
    /// Exactly 0 is the same picture: one from a file comes again and again, while two frames of a
    /// camera differ by their noise. `None` where there is no frame before, or one with more or
    /// fewer samples.
    pub(super) fn renew(&mut self, frame: &Frame) -> Option<f32> {
        let width = frame.width as usize;
        let rows = frame.luma.chunks_exact(width.max(1)).step_by(STEP);
        let samples = rows.flat_map(|row| row.iter().step_by(STEP));
        let count = width.div_ceil(STEP) * (frame.height as usize).div_ceil(STEP);
        if self.levels.len() != count || count == 0 {
            self.levels.clear();
            self.levels.extend(samples);
            return None;
        }
        let mut difference = 0_u32;
        for (before, now) in self.levels.iter_mut().zip(samples) {
            difference += u32::from(before.abs_diff(*now));
            *before = *now;
        }
        Some(difference as f32 / count as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evenly(width: u32, height: u32, level: u8) -> Frame {
        let luma = vec![level; (width * height) as usize];
        Frame { width, height, luma, number: 1, label: None }
    }

    #[test]
    fn the_difference_is_that_to_the_frame_before() {
        let mut samples = Samples::default();
        assert_eq!(samples.renew(&evenly(100, 40, 7)), None);
        assert_eq!(samples.renew(&evenly(100, 40, 7)), Some(0.0));
        assert_eq!(samples.renew(&evenly(100, 40, 10)), Some(3.0));
        let mut one_pixel = evenly(100, 40, 10);
        one_pixel.luma[16] = 12;
        assert!(samples.renew(&one_pixel).is_some_and(|difference| difference > 0.0));
        assert_eq!(samples.renew(&evenly(100, 80, 10)), None);
        assert_eq!(samples.renew(&evenly(0, 0, 0)), None);
        assert_eq!(samples.renew(&evenly(0, 0, 0)), None);
    }
}
