//! Dates as cards write them.
//!
//! A card writes `02031988`, a re-rendered code `02/03/1988`, and either may hold `00` for what the
//! civil registry does not know. Which of the readings is a day of the calendar is [`Date`]'s
//! business.

use super::{Date, PartialDate};

/// The dates that a document may hold; errors name the one they are about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DateField {
    /// Date of birth.
    Birth,
    /// Date of issue.
    Issued,
    /// Last day of validity.
    Expiry,
}

impl DateField {
    /// Returns the short name used in error texts.
    pub fn code(self) -> &'static str {
        match self {
            Self::Birth => "birth",
            Self::Issued => "issued",
            Self::Expiry => "expiry",
        }
    }
}

/// Day, month and year as they stand on a document, before anyone asked whether the day exists.
#[derive(Clone, Copy)]
pub(super) struct WrittenDate {
    pub(super) day: u8,
    pub(super) month: u8,
    pub(super) year: u16,
}

impl WrittenDate {
    /// The oldest year of birth that is believed. Chosen: the oldest person on record was born in
    /// 1875.
    const FIRST_YEAR: u16 = 1875;
    /// The last year that a personal number can state (Decree 137/2015, art. 13: centuries 19 to
    /// 23).
    const LAST_YEAR: u16 = 2399;

    /// Reads `DDMMYYYY` or `dd/MM/yyyy`; `None` when the text has neither shape.
    pub(super) fn read(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let digits: [u8; 8] = match bytes {
            [d1, d2, b'/', m1, m2, b'/', y1, y2, y3, y4] => {
                [*d1, *d2, *m1, *m2, *y1, *y2, *y3, *y4]
            }
            _ => bytes.try_into().ok()?,
        };
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let pair = |at: usize| (digits[at] - b'0') * 10 + (digits[at + 1] - b'0');
        Some(Self {
            day: pair(0),
            month: pair(2),
            year: u16::from(pair(4)) * 100 + u16::from(pair(6)),
        })
    }

    /// Returns the date with `00` for what is unknown, or `None` when no calendar has it.
    pub(super) fn partial(self) -> Option<PartialDate> {
        self.has_a_plausible_year()
            .then(|| PartialDate::new(self.year, self.month, self.day))
            .flatten()
    }

    /// Returns the calendar day, or `None` when no calendar has it.
    pub(super) fn full(self) -> Option<Date> {
        self.has_a_plausible_year().then(|| Date::new(self.year, self.month, self.day)).flatten()
    }

    fn has_a_plausible_year(self) -> bool {
        (Self::FIRST_YEAR..=Self::LAST_YEAR).contains(&self.year)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(u8, u8, u16)> {
        WrittenDate::read(text).map(|date| (date.day, date.month, date.year))
    }

    #[test]
    fn both_forms_are_read_and_nothing_else() {
        for (text, expected) in [
            ("02031988", Some((2, 3, 1988))),
            ("02/03/1988", Some((2, 3, 1988))),
            ("31022000", Some((31, 2, 2000))),
            ("00001965", Some((0, 0, 1965))),
            ("", None),
            ("2031988", None),
            ("020319880", None),
            ("2/3/1988", None),
            ("1988-03-02", None),
            ("02-03-1988", None),
            ("0203198O", None),
            ("Không rõ", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn only_days_of_the_calendar_are_dates() {
        let is_date = |text| WrittenDate::read(text).is_some_and(|date| date.full().is_some());
        for text in ["29022000", "01011875", "31122399"] {
            assert!(is_date(text), "{text}");
        }
        for text in ["29022001", "31042000", "01132000", "00012000", "01011874", "01012400"] {
            assert!(!is_date(text), "{text}");
        }
    }

    #[test]
    fn unknown_parts_are_allowed_from_the_day_upward() {
        let parts = |text| {
            WrittenDate::read(text)
                .and_then(WrittenDate::partial)
                .map(|date| (date.year(), date.month(), date.day()))
        };
        for (text, expected) in [
            ("00031988", Some((1988, 3, 0))),
            ("00001988", Some((1988, 0, 0))),
            ("02001988", None),
            ("00000000", None),
        ] {
            assert_eq!(parts(text), expected, "{text}");
        }
    }
}
