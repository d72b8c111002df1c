//! Reads the code words of a code from soft values.
//!
//! A block is corrected with its most doubtful symbols erased, a few more in each attempt
//! (generalised minimum distance). A word found so counts only where enough check symbols are left
//! over, and where it differs from what was read mainly in doubtful modules.

use super::reed_solomon;
use super::segments;
use super::symbol::{Blocks, Format, Layout};

/// Check symbols that erasures must leave over.
///
/// They correct 4 errors. Of the words of a block of 44 symbols, no more than 36 of which are
/// trusted, at most C(36, 4) / 256^4 = 1.4e-5 are that near to a wrong code word, and
/// [`is_likely`] takes fewer than one of a thousand of these: 1.4e-8 for each attempt on each
/// block. Measured: 4, 6 and 8 read the same number of 640 hard pictures.
const LEFT_OVER: usize = 8;

/// Doubt that a changed symbol may have at most, on average, in soft values of a bit that is as
/// sure as the mean of the block.
///
/// A symbol that is wrong has one or two bits changed, and these are the doubtful ones. In a wrong
/// code word its symbols have four bits changed on average, of which none need be doubtful: 4 and,
/// for four such symbols, a spread of 0.6.
const LIKELY_CHANGE: f32 = 2.0;

/// Symbols of a block at most.
const MOST: usize = 255;

/// Memory that is used again from code to code.
#[derive(Default)]
pub(super) struct Reader {
    words: Vec<Word>,
    data: Vec<u8>,
    /// What is being read: version, format, whether it is mirrored.
    kind: Option<(usize, Format, bool)>,
    /// The code words in printed order: corrected, and of which block.
    corrected: Vec<(u8, u8)>,
    /// Which blocks are corrected.
    solved: Vec<bool>,
    is_strict: bool,
}

/// Most blocks of a code: version 40 has 81.
const MOST_BLOCKS: usize = 81;

#[derive(Clone, Copy, Default)]
struct Word {
    value: u8,
    /// Soft values of its bits, highest first, as amounts.
    sure: [f32; 8],
    /// How likely it is wrong.
    doubt: f32,
}

impl Reader {
    /// Forgets the blocks that were corrected: what comes is another code.
    pub(super) fn start(&mut self) {
        self.kind = None;
    }

    /// Returns the bytes of a code.
    ///
    /// Blocks that were corrected stay so until [`start`](Reader::start) or another format: each is
    /// proven by itself, and other soft values of the same picture may do for the rest.
    pub(super) fn read(
        &mut self,
        layout: &Layout,
        format: Format,
        is_mirrored: bool,
        soft: &[f32],
    ) -> Option<Vec<u8>> {
        let blocks = Blocks::of(layout, format);
        if soft.len() != layout.modules.len() || blocks.count > MOST_BLOCKS {
            return None;
        }
        let kind = Some((layout.version, format, is_mirrored));
        if self.kind != kind {
            self.kind = kind;
            self.solved.clear();
            self.solved.resize(blocks.count, false);
            self.is_strict = false;
            self.corrected.clear();
            self.corrected.resize(layout.code_words(), (0, 0));
            blocks.for_each(|word, block, _| self.corrected[word].1 = block as u8);
        }
        self.take_words(layout, format, is_mirrored, soft);
        let mut is_whole = true;
        for block in 0..blocks.count {
            is_whole &= self.solved[block] || self.solve(&blocks, block);
        }
        if !is_whole {
            return None;
        }
        self.data.clear();
        for block in 0..blocks.count {
            let data = blocks.data_of(block);
            let of_block = self.corrected.iter().filter(|word| usize::from(word.1) == block);
            self.data.extend(of_block.take(data).map(|word| word.0));
        }
        segments::bytes_of(&self.data, layout.version, self.is_strict)
    }

    fn take_words(&mut self, layout: &Layout, format: Format, is_mirrored: bool, soft: &[f32]) {
        self.words.clear();
        for bits in layout.path.chunks_exact(8) {
            let mut word = Word::default();
            let mut right = 1.0;
            for (bit, place) in bits.iter().enumerate() {
                let (place, turns) = module(layout, format, is_mirrored, *place);
                let value = soft[place];
                word.value = word.value << 1 | u8::from((value > 0.0) != turns);
                word.sure[bit] = value.abs();
                right *= 1.0 / (1.0 + (-value.abs()).exp());
            }
            word.doubt = 1.0 - right;
            self.words.push(word);
        }
    }

    fn solve(&mut self, blocks: &Blocks, block: usize) -> bool {
        let data = blocks.data_of(block);
        let length = data + blocks.checks;
        let mut printed = [0_u16; MOST];
        if length > MOST {
            return false;
        }
        // The words of a block come in their order.
        let of_block = self.corrected.iter().enumerate();
        let of_block = of_block.filter(|(_, word)| usize::from(word.1) == block);
        for (place, (word, _)) in printed.iter_mut().zip(of_block) {
            *place = word as u16;
        }
        let places = &printed[..length];
        let mut symbols = [0; MOST];
        let Some(erased) = corrected(&self.words, places, blocks.checks, &mut symbols) else {
            return false;
        };
        self.is_strict |= erased + 10 > blocks.checks;
        self.solved[block] = true;
        for (word, symbol) in places.iter().zip(&symbols) {
            self.corrected[usize::from(*word)].0 = *symbol;
        }
        true
    }

    /// How many blocks are corrected.
    pub(super) fn solved(&self) -> usize {
        if self.kind.is_none() {
            return 0;
        }
        self.solved.iter().filter(|is_solved| **is_solved).count()
    }

    /// Calls `put(place, whether it is dark)` for the modules of all corrected blocks.
    pub(super) fn for_each_known(&self, layout: &Layout, mut put: impl FnMut(usize, bool)) {
        let Some((version, format, is_mirrored)) = self.kind else {
            return;
        };
        if version != layout.version {
            return;
        }
        for (bits, (symbol, block)) in layout.path.chunks_exact(8).zip(&self.corrected) {
            if !self.solved[usize::from(*block)] {
                continue;
            }
            for (bit, place) in bits.iter().enumerate() {
                let (place, turns) = module(layout, format, is_mirrored, *place);
                put(place, (symbol >> (7 - bit) & 1 == 1) != turns);
            }
        }
    }
}

/// Where a module of the path is in the picture, and whether the mask turns it around.
fn module(layout: &Layout, format: Format, is_mirrored: bool, place: u16) -> (usize, bool) {
    let side = layout.side;
    let (x, y) = (usize::from(place) % side, usize::from(place) / side);
    (if is_mirrored { x * side + y } else { y * side + x }, format.turns(x, y))
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
        let mut sums = [(0.0_f32, 0.0_f32); MOST_BLOCKS];
        for (bits, (symbol, block)) in layout.path.chunks_exact(8).zip(&self.corrected) {
            let sum = &mut sums[usize::from(*block)];
            for (bit, place) in bits.iter().enumerate() {
                let (place, turns) = module(layout, format, is_mirrored, *place);
                let value = soft[place].clamp(-SURE, SURE);
                let is_dark = (symbol >> (7 - bit) & 1 == 1) != turns;
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
fn corrected(
    words: &[Word],
    places: &[u16],
    checks: usize,
    symbols: &mut [u8; MOST],
) -> Option<usize> {
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
            && is_likely(words, places, &symbols[..length], &erased[..count])
        {
            return Some(count);
        }
    }
    None
}

/// Tells whether the symbols that were corrected, but for those erased, were doubtful.
fn is_likely(words: &[Word], places: &[u16], symbols: &[u8], erased: &[usize]) -> bool {
    let (mut all, mut changed, mut count) = (0.0, 0.0, 0.0);
    for (i, (place, symbol)) in places.iter().zip(symbols).enumerate() {
        let word = &words[usize::from(*place)];
        all += word.sure.iter().sum::<f32>();
        if word.value == *symbol || erased.contains(&i) {
            continue;
        }
        count += 1.0;
        for (bit, sure) in word.sure.iter().enumerate() {
            if (word.value ^ symbol) >> (7 - bit) & 1 == 1 {
                changed += sure;
            }
        }
    }
    let mean = all / (symbols.len() * 8) as f32;
    changed <= LIKELY_CHANGE * mean * count
}

#[cfg(test)]
mod tests {
    #[cfg(feature = "cli")]
    mod drawn {
        use qrcode::{Color, EcLevel, QrCode, Version};

        use super::super::super::equalise::format_of;
        use super::super::*;

        const LEVELS: [EcLevel; 4] = [EcLevel::L, EcLevel::M, EcLevel::Q, EcLevel::H];

        /// Soft values of a code, all equally sure.
        fn values(text: &[u8], version: usize, level: EcLevel) -> (&'static Layout, Vec<f32>) {
            let code = QrCode::with_version(text, Version::Normal(version as i16), level);
            let colors = code.expect("fits").to_colors();
            let values = colors.into_iter().map(|c| if c == Color::Dark { 3.0 } else { -3.0 });
            (Layout::of(version).expect("a version"), values.collect())
        }

        fn read(layout: &Layout, values: &[f32]) -> Option<Vec<u8>> {
            let (format, is_mirrored) = format_of(layout, values);
            Reader::default().read(layout, format, is_mirrored, values)
        }

        /// A fixed sequence without pattern.
        fn random(state: &mut u64) -> usize {
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            (*state >> 33) as usize
        }

        #[test]
        fn codes_of_all_versions_levels_and_masks_are_read() {
            let mut masks = std::collections::HashSet::new();
            for version in 1..=40 {
                for level in LEVELS {
                    for round in 0..2 {
                        let text = format!("{round}{}", version * 7);
                        let (layout, values) = values(text.as_bytes(), version, level);
                        assert_eq!(
                            read(layout, &values).as_deref(),
                            Some(text.as_bytes()),
                            "{version}"
                        );
                        masks.insert(format_of(layout, &values).0.mask);
                    }
                }
            }
            assert_eq!(masks.len(), 8, "{masks:?}");
        }

        #[test]
        fn a_mirrored_code_is_read() {
            let (layout, values) = values(b"from behind", 3, EcLevel::M);
            let side = layout.side;
            let mirrored: Vec<f32> =
                (0..side * side).map(|i| values[i % side * side + i / side]).collect();
            assert_eq!(read(layout, &mirrored).as_deref(), Some(&b"from behind"[..]));
        }

        #[test]
        fn doubtful_modules_are_corrected_beyond_what_plain_correction_can() {
            let text = [b'x'; 120];
            let (layout, good) = values(&text, 8, EcLevel::L);
            let (format, _) = format_of(layout, &good);
            let mut state = 3;
            // Two blocks with 24 check symbols each: 15 and 16 words are wrong.
            let mut values = good.clone();
            for word in (0..31).map(|i| i * 7) {
                for bit in 0..8 {
                    let place = usize::from(layout.path[word * 8 + bit]);
                    if random(&mut state).is_multiple_of(2) || bit == 0 {
                        values[place] *= -0.1;
                    } else {
                        values[place] *= 0.1;
                    }
                }
            }
            let read = Reader::default().read(layout, format, false, &values);
            assert_eq!(read.as_deref(), Some(&text[..]));
            let hard: Vec<f32> = values.iter().map(|value| value.signum()).collect();
            assert_eq!(Reader::default().read(layout, format, false, &hard), None);
        }

        #[test]
        fn random_modules_give_nothing() {
            let mut state = 11;
            for round in 0..400 {
                let version = 1 + round % 12;
                let layout = Layout::of(version).expect("a version");
                let values: Vec<f32> = (0..layout.modules.len())
                    .map(|_| (random(&mut state) % 2001) as f32 / 500.0 - 2.0)
                    .collect();
                for data in 0..Format::COUNT {
                    let read = Reader::default().read(layout, Format::of(data), false, &values);
                    assert_eq!(read, None, "{version} {data}");
                }
            }
        }
    }
}
