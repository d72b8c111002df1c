//! What the norm fixes of a QR code: where the modules of which kind are, blocks, format, version.
//!
//! ISO/IEC 18004. Only what a reader needs, for versions 1 to 40. Modules are counted from the top
//! left, `y * side + x`, for a symbol that stands upright.

use std::sync::OnceLock;

/// Least and greatest version.
pub(super) const VERSIONS: std::ops::RangeInclusive<usize> = 1..=40;

/// What a module holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Module {
    /// A function pattern that is always dark or always light, or the version.
    Fixed(bool),
    /// Bit of the format information, counted from the least significant.
    Format(u8),
    /// A bit of a code word, or one of the remainder bits.
    Data,
}

/// The modules of one version.
pub(super) struct Layout {
    pub(super) version: usize,
    /// Modules in a row.
    pub(super) side: usize,
    pub(super) modules: Vec<Module>,
    /// Places of the data bits in their order: code word after code word, highest bit first.
    pub(super) path: Vec<u16>,
    /// Rows, and columns, in which alignment patterns have their centre.
    pub(super) alignment: Vec<usize>,
}

impl Layout {
    /// Returns the layout of a version, which is made once.
    pub(super) fn of(version: usize) -> Option<&'static Layout> {
        static LAYOUTS: [OnceLock<Layout>; 40] = [const { OnceLock::new() }; 40];
        let place = LAYOUTS.get(version.checked_sub(1)?)?;
        Some(place.get_or_init(|| Layout::new(version)))
    }

    fn new(version: usize) -> Layout {
        let side = side(version);
        let mut layout = Layout {
            version,
            side,
            modules: vec![Module::Data; side * side],
            path: Vec::new(),
            alignment: alignment(version),
        };
        for i in 0..side {
            layout.put(i, 6, Module::Fixed(i % 2 == 0));
            layout.put(6, i, Module::Fixed(i % 2 == 0));
        }
        let last = layout.alignment.len().saturating_sub(1);
        for (row, y) in layout.alignment.clone().into_iter().enumerate() {
            for (column, x) in layout.alignment.clone().into_iter().enumerate() {
                if [(0, 0), (0, last), (last, 0)].contains(&(row, column)) {
                    continue;
                }
                for (dx, dy) in (0..25_usize).map(|i| (i % 5, i / 5)) {
                    let ring = dx.abs_diff(2).max(dy.abs_diff(2));
                    layout.put(x + dx - 2, y + dy - 2, Module::Fixed(ring != 1));
                }
            }
        }
        for (left, top) in [(0, 0), (side - 7, 0), (0, side - 7)] {
            for (dx, dy) in (0..81_usize).map(|i| (i % 9, i / 9)) {
                let (x, y) = ((left + dx).wrapping_sub(1), (top + dy).wrapping_sub(1));
                let ring = dx.abs_diff(4).max(dy.abs_diff(4));
                if x < side && y < side {
                    layout.put(x, y, Module::Fixed(ring != 2 && ring != 4));
                }
            }
        }
        for bit in 0..15 {
            for (x, y) in format_places(side, bit) {
                layout.put(x, y, Module::Format(bit as u8));
            }
        }
        layout.put(8, side - 8, Module::Fixed(true));
        if version >= 7 {
            let bits = version_bits(version);
            for bit in 0..18 {
                let (a, b) = (side - 11 + bit % 3, bit / 3);
                layout.put(a, b, Module::Fixed(bits >> bit & 1 == 1));
                layout.put(b, a, Module::Fixed(bits >> bit & 1 == 1));
            }
        }
        layout.path = layout.data_path();
        layout
    }

    fn put(&mut self, x: usize, y: usize, module: Module) {
        self.modules[y * self.side + x] = module;
    }

    /// Goes up and down in pairs of columns from the right; column 6 is left out.
    fn data_path(&self) -> Vec<u16> {
        let mut path = Vec::new();
        let mut right = self.side - 1;
        let mut upward = true;
        while right > 0 {
            if right == 6 {
                right -= 1;
            }
            for step in 0..self.side {
                let y = if upward { self.side - 1 - step } else { step };
                for x in [right, right - 1] {
                    let place = y * self.side + x;
                    if self.modules[place] == Module::Data {
                        path.push(place as u16);
                    }
                }
            }
            upward = !upward;
            right = right.saturating_sub(2);
        }
        path
    }

    /// Number of code words.
    pub(super) fn code_words(&self) -> usize {
        self.path.len() / 8
    }
}

/// Modules in a row of a version.
pub(super) fn side(version: usize) -> usize {
    17 + 4 * version
}

fn alignment(version: usize) -> Vec<usize> {
    if version == 1 {
        return Vec::new();
    }
    let count = version / 7 + 2;
    let step = (version * 8 + count * 3 + 5) / (count * 4 - 4) * 2;
    let last = side(version) - 7;
    let mut places: Vec<usize> = (0..count - 1).map(|i| last - i * step).collect();
    places.push(6);
    places.reverse();
    places
}

/// The two places of a bit of the format information.
fn format_places(side: usize, bit: usize) -> [(usize, usize); 2] {
    let first = match bit {
        0..=5 => (8, bit),
        6 => (8, 7),
        7 => (8, 8),
        8 => (7, 8),
        _ => (14 - bit, 8),
    };
    let second = if bit < 8 { (side - 1 - bit, 8) } else { (8, side - 15 + bit) };
    [first, second]
}

/// The version and its BCH check bits.
pub(super) fn version_bits(version: usize) -> u32 {
    let mut rest = version as u32;
    for _ in 0..12 {
        rest = (rest << 1) ^ ((rest >> 11) * 0x1F25);
    }
    (version as u32) << 12 | rest
}

/// Level of error correction and mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    /// As the norm writes it: 0 is M, 1 is L, 2 is H, 3 is Q.
    pub(super) level: usize,
    pub(super) mask: usize,
}

impl Format {
    /// Number of different ones.
    pub(super) const COUNT: usize = 32;

    pub(super) fn of(data: usize) -> Format {
        Format { level: data >> 3 & 3, mask: data & 7 }
    }

    /// The 15 bits as they are printed.
    pub(super) fn bits(self) -> u32 {
        let data = (self.level << 3 | self.mask) as u32;
        let mut rest = data;
        for _ in 0..10 {
            rest = (rest << 1) ^ ((rest >> 9) * 0x537);
        }
        (data << 10 | rest) ^ 0x5412
    }

    /// Tells whether the mask turns the module around.
    pub(super) fn turns(self, x: usize, y: usize) -> bool {
        match self.mask {
            0 => (x + y).is_multiple_of(2),
            1 => y.is_multiple_of(2),
            2 => x.is_multiple_of(3),
            3 => (x + y).is_multiple_of(3),
            4 => (x / 3 + y / 2).is_multiple_of(2),
            5 => x * y % 2 + x * y % 3 == 0,
            6 => (x * y % 2 + x * y % 3).is_multiple_of(2),
            _ => ((x + y) % 2 + x * y % 3).is_multiple_of(2),
        }
    }
}

/// How the code words are shared out to blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blocks {
    /// How many there are.
    pub(super) count: usize,
    /// Check symbols of each.
    pub(super) checks: usize,
    /// Data symbols of the short ones; the others have one more.
    pub(super) data: usize,
    /// How many are short; they come first.
    pub(super) short: usize,
}

impl Blocks {
    pub(super) fn of(layout: &Layout, format: Format) -> Blocks {
        let row = [1, 0, 3, 2][format.level];
        let count = usize::from(BLOCKS[row][layout.version - 1]);
        let checks = usize::from(CHECKS[row][layout.version - 1]);
        let data = layout.code_words() / count - checks;
        Blocks { count, checks, data, short: count - layout.code_words() % count }
    }

    /// Data symbols of a block.
    pub(super) fn data_of(&self, block: usize) -> usize {
        self.data + usize::from(block >= self.short)
    }

    /// Calls `put(code word, block, place in the block)` for every code word in printed order.
    pub(super) fn for_each(&self, mut put: impl FnMut(usize, usize, usize)) {
        let mut word = 0;
        for place in 0..=self.data {
            for block in 0..self.count {
                if place < self.data_of(block) {
                    put(word, block, place);
                    word += 1;
                }
            }
        }
        for place in 0..self.checks {
            for block in 0..self.count {
                put(word, block, self.data_of(block) + place);
                word += 1;
            }
        }
    }
}

/// Check symbols of a block for levels L, M, Q, H.
#[rustfmt::skip]
static CHECKS: [[u8; 40]; 4] = [
    [7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28, 28, 28, 30, 30, 26, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30],
    [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26, 26, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28],
    [13, 22, 18, 26, 18, 24, 18, 22, 20, 24, 28, 26, 24, 20, 30, 24, 28, 28, 26, 30, 28, 30, 30, 30, 30, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30],
    [17, 28, 22, 16, 22, 28, 26, 26, 24, 28, 24, 28, 22, 24, 24, 30, 28, 28, 26, 28, 30, 24, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30],
];

/// Blocks for levels L, M, Q, H.
#[rustfmt::skip]
static BLOCKS: [[u8; 40]; 4] = [
    [1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8, 8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 21, 22, 24, 25],
    [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16, 17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31, 33, 35, 37, 38, 40, 43, 45, 47, 49],
    [1, 1, 2, 2, 4, 4, 6, 6, 8, 8, 8, 10, 12, 16, 12, 17, 16, 18, 21, 20, 23, 23, 25, 27, 29, 34, 34, 35, 38, 40, 43, 45, 48, 51, 53, 56, 59, 62, 65, 68],
    [1, 1, 2, 4, 4, 4, 5, 6, 8, 8, 11, 11, 16, 16, 18, 16, 19, 21, 25, 25, 25, 34, 30, 32, 35, 37, 40, 42, 45, 48, 51, 54, 57, 60, 63, 66, 70, 74, 77, 81],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_has_as_many_code_words_as_the_norm_says() {
        // ISO/IEC 18004, table of data capacity: versions 1, 2, 7, 14, 21, 32 and 40.
        for (version, words, remainder) in [
            (1, 26, 0),
            (2, 44, 7),
            (7, 196, 0),
            (14, 581, 3),
            (21, 1156, 4),
            (32, 2465, 3),
            (40, 3706, 0),
        ] {
            let layout = Layout::of(version).expect("a version");
            assert_eq!(
                (layout.code_words(), layout.path.len() % 8),
                (words, remainder),
                "{version}"
            );
        }
        assert!(Layout::of(0).is_none() && Layout::of(41).is_none());
    }

    #[test]
    fn the_blocks_share_out_all_code_words_once() {
        for version in VERSIONS {
            let layout = Layout::of(version).expect("a version");
            for level in 0..4 {
                let blocks = Blocks::of(layout, Format { level, mask: 0 });
                let mut seen = std::collections::HashSet::new();
                let mut words = 0;
                blocks.for_each(|word, block, place| {
                    assert_eq!(word, words, "in order");
                    assert!(seen.insert((block, place)), "{version} {level}");
                    assert!(place < blocks.data_of(block) + blocks.checks);
                    words += 1;
                });
                assert_eq!(words, layout.code_words(), "{version} {level}");
            }
        }
    }

    #[test]
    fn alignment_patterns_are_where_the_norm_has_them() {
        // ISO/IEC 18004, annex E.
        for (version, expected) in [
            (2, &[6, 18][..]),
            (7, &[6, 22, 38]),
            (15, &[6, 26, 48, 70]),
            (22, &[6, 26, 50, 74, 98]),
            (32, &[6, 34, 60, 86, 112, 138]),
            (36, &[6, 24, 50, 76, 102, 128, 154]),
            (40, &[6, 30, 58, 86, 114, 142, 170]),
        ] {
            assert_eq!(alignment(version), expected, "{version}");
        }
    }

    #[test]
    fn format_and_version_have_the_check_bits_of_the_norm() {
        // ISO/IEC 18004: level M with mask 5, and version 7.
        assert_eq!(Format { level: 0, mask: 5 }.bits(), 0b100_0000_1100_1110);
        assert_eq!(version_bits(7), 0b00_0111_1100_1001_0100);
    }

    /// Codes drawn here; the crate that draws them comes with the command line.
    #[cfg(feature = "cli")]
    #[test]
    fn codes_of_another_writer_have_these_fixed_modules_in_all_versions() {
        use qrcode::{Color, EcLevel, QrCode, Version};
        for version in VERSIONS {
            let layout = Layout::of(version).expect("a version");
            for (ec, level) in [(EcLevel::L, 1), (EcLevel::M, 0), (EcLevel::Q, 3), (EcLevel::H, 2)]
            {
                let code = QrCode::with_version(b"0123", Version::Normal(version as i16), ec);
                let colors = code.expect("fits").to_colors();
                assert_eq!(colors.len(), layout.modules.len());
                let dark = |place: usize| colors[place] == Color::Dark;
                let mut formats: Vec<usize> = (0..8).collect();
                for (place, module) in layout.modules.iter().enumerate() {
                    match module {
                        Module::Fixed(is_dark) => {
                            assert_eq!(*is_dark, dark(place), "{version} {place}")
                        }
                        Module::Format(bit) => formats.retain(|mask| {
                            let printed = Format { level, mask: *mask }.bits();
                            (printed >> bit & 1 == 1) == dark(place)
                        }),
                        Module::Data => {}
                    }
                }
                assert_eq!(formats.len(), 1, "{version}: both copies are of one format");
            }
        }
    }
}
