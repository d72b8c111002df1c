//! Reads the code words of a code from soft values.
//!
//! A block is corrected with its most doubtful symbols erased, a few more in each attempt
//! (generalised minimum distance). A word found so counts only where enough check symbols are left
//! over, and where it differs from what was read mainly in doubtful modules.

use super::reed_solomon;
use super::segments;
use super::symbol::{Blocks, Format, Layout};

/// Check symbols that erasures must leave over.
const LEFT_OVER: usize = 6;

/// Symbols of a block at most.
const MOST: usize = 255;

/// Memory that is used again from code to code.
#[derive(Default)]
pub(super) struct Reader {
    words: Vec<Word>,
    data: Vec<u8>,
    /// The corrected code words in printed order, each with its block.
    corrected: Vec<(u8, u8)>,
    /// How many blocks of the last code could not be corrected.
    pub(super) failed: usize,
    pub(super) blocks: usize,
}

#[derive(Clone, Copy, Default)]
struct Word {
    value: u8,
    /// Soft values of its bits, highest first, as amounts.
    sure: [f32; 8],
    /// How likely it is wrong.
    doubt: f32,
}

impl Reader {
    /// Returns the bytes of a code.
    pub(super) fn read(
        &mut self,
        layout: &Layout,
        format: Format,
        is_mirrored: bool,
        soft: &[f32],
    ) -> Option<Vec<u8>> {
        let side = layout.side;
        let blocks = Blocks::of(layout, format);
        self.words.clear();
        for bits in layout.path.chunks_exact(8) {
            let mut word = Word::default();
            let mut right = 1.0;
            for (bit, place) in bits.iter().enumerate() {
                let (x, y) = (usize::from(*place) % side, usize::from(*place) / side);
                let value = soft[if is_mirrored { x * side + y } else { y * side + x }];
                let is_set = (value > 0.0) != format.turns(x, y);
                word.value = word.value << 1 | u8::from(is_set);
                word.sure[bit] = value.abs();
                right *= 1.0 / (1.0 + (-value.abs()).exp());
            }
            word.doubt = 1.0 - right;
            self.words.push(word);
        }
        self.corrected.clear();
        self.corrected.resize(layout.code_words(), (0, 0));
        let mut printed = [0_u16; MOST];
        let mut is_strict = false;
        self.data.clear();
        self.failed = 0;
        self.blocks = blocks.count;
        for block in 0..blocks.count {
            let data = blocks.data_of(block);
            let length = data + blocks.checks;
            if length > MOST {
                return None;
            }
            blocks.for_each(|word, of, place| {
                if of == block {
                    printed[place] = word as u16;
                }
            });
            let words: &[u16] = &printed[..length];
            let mut symbols = [0; MOST];
            match corrected(&self.words, words, blocks.checks, &mut symbols) {
                Some(erased) => {
                    is_strict |= erased + 10 > blocks.checks;
                    for (word, symbol) in words.iter().zip(&symbols) {
                        self.corrected[usize::from(*word)] = (*symbol, block as u8);
                    }
                    self.data.extend_from_slice(&symbols[..data]);
                }
                None => self.failed += 1,
            }
        }
        if self.failed > 0 {
            return None;
        }
        segments::bytes_of(&self.data, layout.version, is_strict)
    }
}

impl Reader {
    /// Tells how well soft values agree with the code that was read last: that of its worst block,
    /// 1 where all do and 0 where half do.
    pub(super) fn support(
        &self,
        layout: &Layout,
        format: Format,
        is_mirrored: bool,
        soft: &[f32],
    ) -> f32 {
        let side = layout.side;
        let mut sums = [(0.0_f32, 0.0_f32); 256];
        for (bits, (symbol, block)) in layout.path.chunks_exact(8).zip(&self.corrected) {
            let sum = &mut sums[usize::from(*block)];
            for (bit, place) in bits.iter().enumerate() {
                let (x, y) = (usize::from(*place) % side, usize::from(*place) / side);
                let value = soft[if is_mirrored { x * side + y } else { y * side + x }];
                let value = value.clamp(-SURE, SURE);
                let is_dark = (symbol >> (7 - bit) & 1 == 1) != format.turns(x, y);
                sum.0 += if is_dark { value } else { -value };
                sum.1 += value.abs();
            }
        }
        sums.iter().filter(|sum| sum.1 > 0.0).map(|sum| sum.0 / sum.1).fold(1.0, f32::min)
    }
}

/// Soft value above which a module is simply sure.
pub(super) const SURE: f32 = 4.0;

/// Corrects one block; returns how many symbols were erased for it.
fn corrected(words: &[Word], places: &[u16], checks: usize, symbols: &mut [u8; MOST]) -> Option<usize> {
    let length = places.len();
    let mut order: [u8; MOST] = std::array::from_fn(|i| i as u8);
    let order = &mut order[..length];
    let word = |i: usize| &words[usize::from(places[i])];
    order.sort_unstable_by(|a, b| {
        word(usize::from(*b)).doubt.total_cmp(&word(usize::from(*a)).doubt)
    });
    let most = checks.saturating_sub(LEFT_OVER.min(checks));
    let mut erased = [0; reed_solomon::MAX_CHECKS];
    for count in (0..=most).step_by(2) {
        for (place, from) in erased.iter_mut().zip(&order[..count]) {
            *place = usize::from(*from);
        }
        for (i, symbol) in symbols[..length].iter_mut().enumerate() {
            *symbol = word(i).value;
        }
        if reed_solomon::correct(&mut symbols[..length], checks, &erased[..count]).is_some()
            && is_likely(words, places, &symbols[..length])
        {
            return Some(count);
        }
    }
    None
}

/// Tells whether what was corrected was doubtful.
///
/// The sum of the soft values of the corrected bits, against what as many bits of the block have on
/// average: a wrong word differs in bits without regard to how sure they are.
fn is_likely(words: &[Word], places: &[u16], symbols: &[u8]) -> bool {
    let (mut all, mut changed, mut count) = (0.0, 0.0, 0.0);
    for (place, symbol) in places.iter().zip(symbols) {
        let word = &words[usize::from(*place)];
        for (bit, sure) in word.sure.iter().enumerate() {
            all += sure;
            if (word.value ^ symbol) >> (7 - bit) & 1 == 1 {
                changed += sure;
                count += 1.0;
            }
        }
    }
    let mean = all / (symbols.len() * 8) as f32;
    changed <= 0.75 * mean * count
}
