//! Names of persons, as written and as compared.
//!
//! The same name reaches us with marks (QR code, chip), without (machine-readable zone, a hurried
//! finger), with the tone on one letter or the other (`hoà`, `hòa`), in capitals, decomposed. The
//! name is kept as it is written; [`fold`] gives the form in which all these are one. Folding also
//! makes one of names that differ (`Hùng`, `Hưng`): how much an agreement is worth is for matching
//! to judge.

use std::fmt;
use std::sync::OnceLock;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::text::{self, is_invisible};

/// The name of a person in composed form (NFC), as written on the document.
#[derive(Clone, PartialEq, Eq)]
pub struct Name {
    text: String,
    is_cut: bool,
}

impl Name {
    /// Returns the name, or `None` when it holds no letter.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text::clean(text);
        text.chars().any(char::is_alphabetic).then_some(Self { text, is_cut: false })
    }

    /// Writes the folded form of the name in `text`, as [`Name::parse`] and [`Name::folded`] give it,
    /// over what `folded` holds; says false when it holds no letter.
    ///
    /// For millions of names in a row: a common name is neither copied nor normalised on the way.
    pub fn fold_into(text: &str, folded: &mut String) -> bool {
        folded.clear();
        if fold_common(text, folded) && !folded.is_empty() {
            return true;
        }
        folded.clear();
        let name = Self::parse(text);
        if let Some(name) = &name {
            folded.push_str(&name.folded());
        }
        name.is_some()
    }

    /// Returns a name of which the end may be missing, because it filled its line.
    pub(super) fn parse_cut(text: &str) -> Option<Self> {
        Self::parse(text).map(|name| Self { is_cut: true, ..name })
    }

    /// Returns the name for showing to the officer.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the name as it is compared, see [`fold`].
    pub fn folded(&self) -> String {
        fold(&self.text)
    }

    /// Returns true when the name filled its line in the machine-readable zone, so that it may go
    /// on.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Returns true when both names can be one, given what may be cut off either.
    ///
    /// Complete names have to be equal as folded. A cut name has to be the beginning of the other,
    /// and may end inside a word (ICAO 9303-3, 4.6: names are truncated at the end of the line). A
    /// complete name that is shorter than the cut one is another name.
    pub fn matches_cut(&self, other: &Self) -> bool {
        let (own, others) = (self.folded(), other.folded());
        own == others
            || (self.is_cut && others.starts_with(&own))
            || (other.is_cut && own.starts_with(&others))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = if self.is_cut { ", cut" } else { "" };
        write!(f, "Name({} chars{cut})", self.text.chars().count())
    }
}

/// Returns the form in which names are compared: `A`–`Z` and single spaces, nothing else.
///
/// Marks are stripped, and with them the place of the tone (`thúy`, `thuý`). `Đ` becomes `D` by a
/// rule of its own: no normal form of Unicode takes it apart. The same goes for its look-alikes and
/// for the `Ƀ` of highland names. Apostrophes are dropped (`H'Hen`, `M’Mẫu`), as the zone drops
/// them; hyphens and anything else that is no letter separate words.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    if fold_common(text, &mut folded) {
        return folded;
    }
    fold_any(text)
}

/// Folds a text of common characters into the empty `folded`, each by itself; says false at the first
/// other character, and what `folded` holds is then to be thrown away.
fn fold_common(text: &str, folded: &mut String) -> bool {
    let table = common_letters();
    for c in text.chars() {
        let at = match c as u32 {
            low @ 0..FIRST_BLOCK_END => low,
            high @ SECOND_BLOCK..SECOND_BLOCK_END => high - SECOND_BLOCK + FIRST_BLOCK_END,
            _ => return false,
        };
        match table[at as usize] {
            0 => return false,
            b' ' if folded.ends_with(' ') || folded.is_empty() => {}
            letter => folded.push(char::from(letter)),
        }
    }
    folded.truncate(folded.trim_end().len());
    true
}

/// Basic Latin to Latin Extended-B.
const FIRST_BLOCK_END: u32 = 0x250;
/// Latin Extended Additional: the Vietnamese letters with two marks.
const SECOND_BLOCK: u32 = 0x1E00;
const SECOND_BLOCK_END: u32 = 0x1F00;
const COMMON: usize = (FIRST_BLOCK_END + SECOND_BLOCK_END - SECOND_BLOCK) as usize;

/// Returns the letter or space that each common character folds to; 0 for those that have to be seen
/// beside their neighbours, are dropped, or give two letters.
fn common_letters() -> &'static [u8; COMMON] {
    static TABLE: OnceLock<[u8; COMMON]> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = [0; COMMON];
        let common = (0..FIRST_BLOCK_END).chain(SECOND_BLOCK..SECOND_BLOCK_END);
        for (letter, c) in table.iter_mut().zip(common.filter_map(char::from_u32)) {
            // `A` on both sides shows whether the character parts words, joins them or is dropped.
            let between = [fold_any(&format!("A{c}A")), fold_any(&format!("{c}"))];
            *letter = match (between[0].as_bytes(), between[1].as_bytes()) {
                // Invisible ones are taken out of a name before it is folded.
                (b"A A", b"") if !is_invisible(c) => b' ',
                ([b'A', middle, b'A'], [alone]) if middle == alone => *alone,
                _ => 0,
            };
        }
        table
    })
}

fn fold_any(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    // The marks `´` and `` ` `` would come apart into a space and a mark, so they go before the
    // letters.
    let letters = text.chars().filter(|c| !is_apostrophe(*c)).nfkd().flat_map(char::to_uppercase);
    // Some capitals come apart only once they are capitals.
    for c in letters.nfkd().filter(|c| !is_combining_mark(*c) && !is_apostrophe(*c)) {
        match base_letter(c) {
            Some(letter) => folded.push(letter),
            None if folded.ends_with(' ') || folded.is_empty() => {}
            None => folded.push(' '),
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

/// Returns the plain letter of a capital, or `None` when it stands for no letter.
fn base_letter(c: char) -> Option<char> {
    match c {
        'A'..='Z' => Some(c),
        // Đ; and Ð (Icelandic eth) and Ɖ (African d), which look the same and are typed for it.
        '\u{110}' | '\u{D0}' | '\u{189}' => Some('D'),
        // Ƀ of Ê Đê and Gia Rai names.
        '\u{243}' => Some('B'),
        _ => None,
    }
}

/// Tells the marks that are typed for an apostrophe.
fn is_apostrophe(c: char) -> bool {
    matches!(
        c,
        '\'' | '`'
            | '\u{B4}'
            | '\u{2018}'
            | '\u{2019}'
            | '\u{201B}'
            | '\u{2032}'
            | '\u{2B9}'
            | '\u{2BB}'
            | '\u{2BC}'
            | '\u{2C8}'
            | '\u{FF07}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;

    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).expect("a name with letters")
    }

    #[test]
    fn names_fold_to_plain_letters() {
        for (text, expected) in [
            ("Nguyễn Văn Mẫu", "NGUYEN VAN MAU"),
            ("ĐẶNG THỊ ĐỘ MẪU", "DANG THI DO MAU"),
            ("đỗ đình đại mẫu", "DO DINH DAI MAU"),
            ("Ðỗ Mẫu", "DO MAU"),
            ("Y Mẫu Niê Kđăm Thử", "Y MAU NIE KDAM THU"),
            ("H'Hen Niê", "HHEN NIE"),
            ("H’Hen Niê", "HHEN NIE"),
            ("H`Hen Niê", "HHEN NIE"),
            ("H´Hen Niê", "HHEN NIE"),
            ("K' Mẫu", "K MAU"),
            ("Ŏ Ŭ Č ƀlơ", "O U C BLO"),
            ("Trần-Lê  Mẫu", "TRAN LE MAU"),
            ("Trần – Lê", "TRAN LE"),
            ("Lê Mẫu (B)", "LE MAU B"),
            (" -Mẫu- ", "MAU"),
            ("ＭẪＵ", "MAU"),
            ("王 Mẫu 2", "MAU"),
            ("", ""),
            ("'", ""),
        ] {
            assert_eq!(fold(text), expected, "{text}");
        }
    }

    #[test]
    fn place_of_the_tone_disappears() {
        for (one, other) in [("Hoà", "Hòa"), ("Thuý", "Thúy"), ("Khoẻ", "Khỏe"), ("QUÝ", "Quý")]
        {
            assert_eq!(fold(one), fold(other));
        }
    }

    #[test]
    fn name_is_kept_as_written_in_composed_form() {
        let decomposed: String = "Nguyễn  Văn Mẫu ".nfd().collect();
        assert_eq!(name(&decomposed).as_str(), "Nguyễn Văn Mẫu");
    }

    #[test]
    fn text_without_letters_is_no_name() {
        for text in ["", "  ", "201999901", "-", "'", "\u{FEFF}", "\u{301}"] {
            assert!(Name::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn cut_name_is_the_beginning_of_the_whole_one() {
        let whole = name("Nguyễn Hoàng Thị Phương Thảo Nguyên Mẫu");
        let cut = |text| Name::parse_cut(text).expect("a name with letters");
        for (zone, expected) in [
            (cut("NGUYEN HOANG THI PHUONG THAO"), true),
            (cut("NGUYEN HOANG THI PHUONG THA"), true),
            (cut("NGUYEN HOANG THI PHUONG TAM"), false),
            (cut("NGUYEN HOANG THI PHUONG THAO NGUYEN MAU X"), false),
            (name("NGUYEN HOANG THI PHUONG THAO"), false),
            (name("NGUYEN HOANG THI PHUONG THAO NGUYEN MAU"), true),
        ] {
            assert_eq!(whole.matches_cut(&zone), expected, "{}", zone.as_str());
            assert_eq!(zone.matches_cut(&whole), expected, "{}", zone.as_str());
        }
    }

    #[test]
    fn names_hide_from_debug() {
        assert_eq!(format!("{:?}", name("Nguyễn Văn Mẫu")), "Name(14 chars)");
    }

    proptest! {
        #[test]
        fn folding_is_idempotent_and_plain(text in any::<String>()) {
            let once = fold(&text);
            prop_assert_eq!(&fold(&once), &once);
            prop_assert!(once.bytes().all(|b| b.is_ascii_uppercase() || b == b' '));
            prop_assert!(!once.contains("  ") && once.trim() == once);
        }

        #[test]
        fn the_fast_way_of_folding_is_the_slow_one(text in "[ -~À-ÖØ-öø-ɏḀ-ỹ王\u{AD}\u{300}\u{323}\u{200B}\t]{0,20}") {
            prop_assert_eq!(fold(&text), fold_any(&text));
            let mut folded = String::from("of the row before");
            let has_letters = Name::fold_into(&text, &mut folded);
            prop_assert_eq!(has_letters.then_some(folded), Name::parse(&text).map(|name| fold_any(name.as_str())));
        }

        #[test]
        fn folding_ignores_form_and_case(text in "[A-Za-zĂÂĐÊÔƠƯăâđêôơưàảãáạầẩẫấậếềểễệ' -]{0,40}") {
            let decomposed: String = text.nfd().collect();
            prop_assert_eq!(fold(&decomposed), fold(&text));
            prop_assert_eq!(fold(&text.to_uppercase()), fold(&text));
            prop_assert_eq!(fold(&text.to_lowercase()), fold(&text));
        }
    }
}
