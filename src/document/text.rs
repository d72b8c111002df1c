//! The form in which text of a document is kept.
//!
//! Sources differ in what the eye does not see: composed or decomposed letters, byte order marks of
//! scanners, line ends, doubled spaces. All of it goes here, once, so that two readings of the same
//! card are equal. Case, marks and punctuation stay as they are written: that is [`super::fold`].

use unicode_normalization::UnicodeNormalization;

use super::Sex;

/// Returns the text in composed form (NFC), without invisible characters, with single spaces.
pub(super) fn clean(text: &str) -> String {
    let visible: String = text.chars().filter(|c| !is_invisible(*c)).nfc().collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Tells characters that take no room: they hide differences, and the bidirectional ones among them
/// let a printed code show the officer other text than it holds.
pub(super) fn is_invisible(c: char) -> bool {
    (c.is_control() && !c.is_whitespace())
        || matches!(c,
            '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{180E}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
            | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E0FFF}')
}

/// Reads "Nam" or "Nữ" in any case. "Nu" is none: no card is made without marks, so a text without
/// them was made by someone else.
pub(super) fn sex(text: &str) -> Option<Sex> {
    match text.to_lowercase().as_str() {
        "nam" => Some(Sex::Male),
        "nữ" => Some(Sex::Female),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn invisible_differences_disappear() {
        for (text, expected) in [
            ("\u{FEFF}Nguyễn Văn Mẫu\r\n", "Nguyễn Văn Mẫu"),
            ("Nguye\u{302}\u{303}n  Va\u{306}n\tMa\u{302}\u{303}u", "Nguyễn Văn Mẫu"),
            ("Mẫu\0\0", "Mẫu"),
            ("Mẫu\u{202E}nấu", "Mẫunấu"),
            ("  \r\n ", ""),
        ] {
            assert_eq!(clean(text), expected);
        }
    }

    #[test]
    fn case_marks_and_punctuation_stay() {
        let text = "Số 9/9A, Buôn Ea M'Mẫu - ĐẮK LẮK.";
        assert_eq!(clean(text), text);
    }
}
