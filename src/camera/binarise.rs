//! Makes a frame black and white for decoders that want it so.
//!
//! The threshold of a block of 8 x 8 pixels is the mean of the levels of the 25 blocks around it; a
//! block without contrast takes the level of the blocks before it where it is as dark as they are,
//! and is light otherwise. This is the method of the ZXing family, as fast as it can be: the one of
//! `rxing` takes two thirds of the time of its whole plain pass.

use rxing::common::{BitArray, BitMatrix};

use super::Frame;

const BLOCK: usize = 8;

/// Least side: five blocks.
const LEAST_SIDE: usize = 5 * BLOCK;

/// Least difference of levels in a block with contrast.
const LEAST_CONTRAST: u8 = 24;

/// Memory that is used again from frame to frame.
#[derive(Default)]
pub(super) struct Binariser {
    sums: Vec<u16>,
    darkest: Vec<u8>,
    lightest: Vec<u8>,
    levels: Vec<u32>,
}

impl Binariser {
    /// Returns the dark pixels of a whole frame, or `None` where it is too small for a code.
    pub(super) fn dark(&mut self, frame: &Frame) -> Option<BitMatrix> {
        let (width, height) = (frame.width as usize, frame.height as usize);
        if width < LEAST_SIDE || height < LEAST_SIDE || width > MOST_SIDE {
            return None;
        }
        let (columns, rows) = (width.div_ceil(BLOCK), height.div_ceil(BLOCK));
        self.levels.clear();
        self.levels.resize(columns * rows, 0);
        for row in 0..rows {
            self.levels_of(frame, row, columns);
        }
        let mut matrix = BitMatrix::new(frame.width, frame.height).ok()?;
        let mut bits = BitArray::with_size(width);
        let mut thresholds = [0_u8; MOST_SIDE / BLOCK + 1];
        for row in 0..rows {
            let middle = row.clamp(2, rows - 3);
            for (column, threshold) in thresholds[..columns].iter_mut().enumerate() {
                let middle_column = column.clamp(2, columns - 3);
                let sum: u32 = (middle - 2..=middle + 2)
                    .map(|row| &self.levels[row * columns + middle_column - 2..][..5])
                    .map(|levels| levels.iter().sum::<u32>())
                    .sum();
                *threshold = (sum / 25) as u8;
            }
            for y in row * BLOCK..((row + 1) * BLOCK).min(height) {
                let pixels = &frame.luma[y * width..][..width];
                // The words of a row of bits, lowest bit first.
                for (word, pixels) in pixels.chunks(WORD).enumerate() {
                    let mut value = 0;
                    for (block, pixels) in pixels.chunks(BLOCK).enumerate() {
                        let threshold = thresholds[word * (WORD / BLOCK) + block];
                        let mut eight = [u8::MAX; BLOCK];
                        if pixels.len() == BLOCK {
                            eight.copy_from_slice(pixels);
                        } else {
                            eight[..pixels.len()].copy_from_slice(pixels);
                        }
                        value |= usize::from(not_above(eight, threshold)) << (block * BLOCK);
                    }
                    bits.setBulk(word * WORD, value);
                }
                matrix.setRow(y as u32, &bits);
            }
        }
        Some(matrix)
    }

    /// Finds the level of each block of a row of blocks. The last row and column lie on the rim of
    /// the frame and may overlap those before.
    fn levels_of(&mut self, frame: &Frame, row: usize, columns: usize) {
        let (width, height) = (frame.width as usize, frame.height as usize);
        let top = (row * BLOCK).min(height - BLOCK);
        // Down the columns of pixels first: many at once.
        self.sums.clear();
        self.sums.resize(width, 0);
        self.darkest.clear();
        self.darkest.resize(width, u8::MAX);
        self.lightest.clear();
        self.lightest.resize(width, 0);
        for y in top..top + BLOCK {
            let pixels = &frame.luma[y * width..][..width];
            for (sum, level) in self.sums.iter_mut().zip(pixels) {
                *sum += u16::from(*level);
            }
            for (darkest, level) in self.darkest.iter_mut().zip(pixels) {
                *darkest = (*darkest).min(*level);
            }
            for (lightest, level) in self.lightest.iter_mut().zip(pixels) {
                *lightest = (*lightest).max(*level);
            }
        }
        for column in 0..columns {
            let place = row * columns + column;
            let start = (column * BLOCK).min(width - BLOCK);
            let sum: u32 = self.sums[start..][..BLOCK].iter().map(|sum| u32::from(*sum)).sum();
            let darkest = self.darkest[start..][..BLOCK].iter().copied().fold(u8::MAX, u8::min);
            let lightest = self.lightest[start..][..BLOCK].iter().copied().fold(0, u8::max);
            let mut level = sum / (BLOCK * BLOCK) as u32;
            if lightest - darkest <= LEAST_CONTRAST {
                level = u32::from(darkest) / 2;
                if row > 0 && column > 0 {
                    let (left, above) = (place - 1, place - columns);
                    let around =
                        (self.levels[above] + 2 * self.levels[left] + self.levels[above - 1]) / 4;
                    if u32::from(darkest) < around {
                        level = around;
                    }
                }
            }
            self.levels[place] = level;
        }
    }
}

/// Bits in a word of a row.
const WORD: usize = usize::BITS as usize;

/// Compares eight levels with a threshold at once; bit `i` tells whether the `i`-th is not above.
fn not_above(levels: [u8; 8], threshold: u8) -> u8 {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let levels = u64::from_le_bytes(levels);
    let thresholds = u64::from(threshold) * 0x0101_0101_0101_0101;
    // The lower seven bits are compared by a subtraction that cannot borrow, the highest by itself.
    let lower = (thresholds | HIGH) - (levels & !HIGH);
    let fits = (thresholds & !levels) | (!(thresholds ^ levels) & lower);
    // Gathers the highest bits of the eight bytes in the top byte.
    (((fits & HIGH) >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

/// Most pixels in a row. Chosen: twice that of the largest camera frame.
const MOST_SIDE: usize = 1 << 14;

#[cfg(test)]
mod tests {
    use rxing::common::HybridBinarizer;
    use rxing::{BinaryBitmap, Luma8Source};

    use super::*;

    #[test]
    fn eight_levels_are_compared_as_one_by_one() {
        for threshold in 0..=255_u8 {
            for first in 0..=255_u8 {
                let levels =
                    std::array::from_fn(|i| first.wrapping_mul(3).wrapping_add(31 * i as u8));
                let expected =
                    (0..8).fold(0, |bits, i| bits | u8::from(levels[i] <= threshold) << i);
                assert_eq!(not_above(levels, threshold), expected, "{levels:?} {threshold}");
            }
        }
    }

    #[test]
    fn a_frame_becomes_what_it_does_in_rxing() {
        let mut state = 3_u32;
        for (width, height) in [(40, 40), (64, 48), (320, 200), (136, 80)] {
            let luma = (0..width * height)
                .map(|place: u32| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let (x, y) = (place % width, place / width);
                    let level = if (x / 5 + y / 7) % 2 == 0 { 40 + x / 4 } else { 90 + y / 4 };
                    (level + (state >> 24) % (1 + x / 3)).min(255) as u8
                })
                .collect::<Vec<u8>>();
            let frame = Frame { width, height, luma, number: 1, label: None };
            let source = Luma8Source::new_with_slice(&frame.luma, width, height).expect("whole");
            let bitmap = BinaryBitmap::new(HybridBinarizer::new(source));
            let ours = Binariser::default().dark(&frame).expect("large enough");
            assert!(ours == *bitmap.get_black_matrix(), "{width} x {height}");
        }
    }
}
