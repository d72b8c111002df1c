//! Numbers of persons and documents.
//!
//! A personal number tells where the birth was registered, the sex, the century and the year of
//! birth (Decree 137/2015, art. 13). It has **no check digit**: a slip of the finger gives another
//! person's number. What the digits say is used to warn, never to refuse.

use std::fmt;

use super::{NumberKind, Place, Sex};

/// The twelve-digit personal number, which is also the number of the card.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonalNumber(u64);

impl PersonalNumber {
    /// The number of digits.
    pub const DIGITS: usize = 12;

    /// Returns the number written in `text`, which has to be twelve ASCII digits and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let is_number = text.len() == Self::DIGITS && text.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| text.parse().ok().map(Self)).flatten()
    }

    /// Returns the number as an integer below 10^12.
    pub fn value(self) -> u64 {
        self.0
    }

    /// Returns the first three digits: province or country where the birth was registered.
    pub fn prefix(self) -> u16 {
        (self.0 / 1_000_000_000) as u16
    }

    /// Returns the place behind the first three digits.
    pub fn place(self) -> Place {
        Place::of_prefix(self.prefix())
    }

    /// Returns the sex that the fourth digit stands for.
    pub fn sex(self) -> Sex {
        sex_of(self.century_digit())
    }

    /// Returns the complete year of birth that digits four to six stand for.
    pub fn birth_year(self) -> u16 {
        century_of(self.century_digit()) * 100 + (self.0 / 1_000_000 % 100) as u16
    }

    /// Returns the number in groups of three, for reading aloud: "048 088 999 901".
    pub fn grouped(self) -> String {
        group_by_three(&self.digits())
    }

    /// Returns the twelve digits.
    pub fn digits(self) -> String {
        format!("{:012}", self.0)
    }

    fn century_digit(self) -> u8 {
        (self.0 / 100_000_000 % 10) as u8
    }
}

impl fmt::Debug for PersonalNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonalNumber(..)")
    }
}

/// Returns the sex that the fourth digit stands for: even for men, odd for women.
pub(super) fn sex_of(century_digit: u8) -> Sex {
    if century_digit.is_multiple_of(2) { Sex::Male } else { Sex::Female }
}

/// Returns the first two digits of the year that the fourth digit stands for: 19 for 0 and 1, to
/// 23.
///
/// There is no digit for births before 1900.
pub(super) fn century_of(century_digit: u8) -> u16 {
    19 + u16::from(century_digit / 2)
}

/// Returns `digits` in groups of three.
pub(super) fn group_by_three(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && at % 3 == 0 {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number by which a person can be looked up, of the shape that its kind demands.
#[derive(Clone, PartialEq, Eq)]
pub struct DocumentNumber {
    kind: NumberKind,
    text: String,
}

impl DocumentNumber {
    /// Returns the number, or `None` when `text` has not the shape of `kind`.
    ///
    /// Personal and cancelled numbers have twelve digits, an old CMND nine, a passport one to nine
    /// capital letters and digits (ICAO 9303-4, 4.2.2).
    pub fn new(kind: NumberKind, text: &str) -> Option<Self> {
        let has_shape = match kind {
            NumberKind::Personal | NumberKind::Cancelled | NumberKind::Cmnd => kind.fits(text),
            // Wider than what a notice may hold: other states mix letters and digits.
            NumberKind::Passport => {
                (1..=9).contains(&text.len())
                    && text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
                    && text.bytes().any(|b| b.is_ascii_digit())
            }
        };
        has_shape.then(|| Self { kind, text: text.to_owned() })
    }

    /// Returns what the number numbers.
    pub fn kind(&self) -> NumberKind {
        self.kind
    }

    /// Returns the number without spaces.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the number in groups of three where it is made of digits alone.
    pub fn grouped(&self) -> String {
        match self.kind {
            NumberKind::Passport => self.text.clone(),
            NumberKind::Personal | NumberKind::Cancelled | NumberKind::Cmnd => {
                group_by_three(&self.text)
            }
        }
    }

    /// Returns the personal number; a cancelled one is no longer the person's number and gives
    /// `None`.
    pub fn personal(&self) -> Option<PersonalNumber> {
        match self.kind {
            NumberKind::Personal => PersonalNumber::parse(&self.text),
            NumberKind::Cancelled | NumberKind::Cmnd | NumberKind::Passport => None,
        }
    }
}

impl From<PersonalNumber> for DocumentNumber {
    fn from(number: PersonalNumber) -> Self {
        Self { kind: NumberKind::Personal, text: number.digits() }
    }
}

impl fmt::Debug for DocumentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DocumentNumber({:?}, {} chars)", self.kind, self.text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> PersonalNumber {
        PersonalNumber::parse(text).expect("twelve digits")
    }

    #[test]
    fn twelve_digits_tell_sex_and_year_of_birth() {
        for (text, sex, year) in [
            ("048088999901", Sex::Male, 1988),
            ("031301999902", Sex::Female, 2001),
            ("079200999906", Sex::Male, 2000),
            ("086155999904", Sex::Female, 1955),
            ("001499000000", Sex::Male, 2199),
            ("001500000000", Sex::Female, 2100),
            ("001600000000", Sex::Male, 2200),
            ("001999999999", Sex::Female, 2399),
        ] {
            assert_eq!((number(text).sex(), number(text).birth_year()), (sex, year), "{text}");
        }
    }

    #[test]
    fn leading_zeros_survive() {
        let number = number("001000000001");
        assert_eq!(number.prefix(), 1);
        assert_eq!(number.digits(), "001000000001");
        assert_eq!(number.grouped(), "001 000 000 001");
    }

    #[test]
    fn only_twelve_ascii_digits_are_a_personal_number() {
        for text in
            ["", "04808899990", "0480889999011", "04808899990l", "+48088999901", "０48088999901"]
        {
            assert_eq!(PersonalNumber::parse(text), None, "{text}");
        }
    }

    #[test]
    fn each_kind_of_number_has_its_shape() {
        use NumberKind::{Cancelled, Cmnd, Passport, Personal};
        for (kind, text, is_accepted) in [
            (Personal, "048088999901", true),
            (Personal, "201999901", false),
            (Cancelled, "048088999901", true),
            (Cancelled, "04808899990X", false),
            (Cmnd, "201999901", true),
            (Cmnd, "20199990", false),
            (Cmnd, "20199990A", false),
            (Passport, "B1234567", true),
            (Passport, "999999999", true),
            (Passport, "b1234567", false),
            (Passport, "B12345678X", false),
            (Passport, "PASSPORT", false),
            (Passport, "", false),
        ] {
            assert_eq!(DocumentNumber::new(kind, text).is_some(), is_accepted, "{kind:?} {text}");
        }
    }

    #[test]
    fn cancelled_number_is_not_the_personal_number() {
        let text = "048088999901";
        let personal = DocumentNumber::new(NumberKind::Personal, text).expect("its shape");
        let cancelled = DocumentNumber::new(NumberKind::Cancelled, text).expect("its shape");
        assert_eq!(personal.personal(), Some(number(text)));
        assert_eq!(cancelled.personal(), None);
    }

    #[test]
    fn numbers_hide_from_debug() {
        let personal = number("048088999901");
        let document = DocumentNumber::from(personal);
        assert_eq!(format!("{personal:?}"), "PersonalNumber(..)");
        assert_eq!(format!("{document:?}"), "DocumentNumber(Personal, 12 chars)");
    }
}
