//! Calendar days, whole and in part.
//!
//! Both types are one packed number `yyyymmdd`, in memory as on the wire. Neither knows a time zone
//! or a clock: "today" is an argument wherever it matters.

use std::fmt;
use std::str::FromStr;

use bincode::de::Decoder;
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{Decode, Encode};

/// A day that exists in the Gregorian calendar, years 1 to 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(u32);

/// A text that is not an ISO date.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a date of the form 2026-11-24")]
pub struct NotADate;

impl Date {
    /// The first day that can be represented.
    pub const MIN: Date = Date(pack(1, 1, 1));
    /// The last day that can be represented.
    pub const MAX: Date = Date(pack(9999, 12, 31));

    /// Returns the day, or `None` when the calendar has no such day.
    pub const fn new(year: u16, month: u8, day: u8) -> Option<Date> {
        let exists = year >= 1
            && year <= 9999
            && month >= 1
            && month <= 12
            && day >= 1
            && day <= days_in_month(year, month);
        if exists { Some(Date(pack(year, month, day))) } else { None }
    }

    /// Returns the year, 1 to 9999.
    pub const fn year(self) -> u16 {
        (self.0 / 10_000) as u16
    }

    /// Returns the month, 1 to 12.
    pub const fn month(self) -> u8 {
        (self.0 / 100 % 100) as u8
    }

    /// Returns the day of the month, from 1.
    pub const fn day(self) -> u8 {
        (self.0 % 100) as u8
    }

    /// Returns the day that lies `days` after 1 January 1970.
    ///
    /// Beyond the years 1 to 9999 the nearest day that can be represented is given, so that a broken
    /// clock cannot break the program.
    pub fn from_days(days: i32) -> Date {
        // Days from 0000-03-01: with the leap day last in the year, months have a closed form.
        // H. Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
        let days = i64::from(days) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u8;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 } as u8;
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        match year {
            ..1 => Date::MIN,
            1..=9999 => Date(pack(year as u16, month, day)),
            _ => Date::MAX,
        }
    }

    /// Returns the number of days since 1 January 1970, negative before.
    pub fn to_days(self) -> i32 {
        let (month, day) = (i32::from(self.month()), i32::from(self.day()));
        let year = i32::from(self.year()) - i32::from(month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let shifted_month = if month > 2 { month - 3 } else { month + 9 };
        let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }

    /// Returns the same day `years` later; 29 February becomes 1 March where there is none.
    ///
    /// A person born on 29 February reaches an age when the day before has passed, which makes
    /// 1 March the day from which the age counts. Past year 9999 the last day is given.
    pub fn add_years(self, years: u16) -> Date {
        let Some(year) = self.year().checked_add(years).filter(|year| *year <= 9999) else {
            return Date::MAX;
        };
        Date::new(year, self.month(), self.day()).unwrap_or(Date(pack(year, 3, 1)))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year(), self.month(), self.day())
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Date({self})")
    }
}

impl FromStr for Date {
    type Err = NotADate;

    fn from_str(text: &str) -> Result<Date, NotADate> {
        let bytes = text.as_bytes();
        if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
            return Err(NotADate);
        }
        let digits = |part: &[u8]| {
            part.iter().try_fold(0u16, |sum, byte| {
                byte.is_ascii_digit().then(|| sum * 10 + u16::from(byte - b'0')).ok_or(NotADate)
            })
        };
        let (year, month, day) =
            (digits(&bytes[..4])?, digits(&bytes[5..7])?, digits(&bytes[8..])?);
        Date::new(year, month as u8, day as u8).ok_or(NotADate)
    }
}

impl Encode for Date {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.encode(encoder)
    }
}

impl<Context> Decode<Context> for Date {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let (year, month, day) = unpack(u32::decode(decoder)?);
        Date::new(year, month, day).ok_or(DecodeError::Other("date"))
    }
}

bincode::impl_borrow_decode!(Date);

/// A birth date of which the day, or day and month, or everything may be unknown: older people's
/// cards give a year only. `Debug` shows how much is known and not the date.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartialDate(u32);

impl PartialDate {
    /// Nothing is known.
    pub const UNKNOWN: PartialDate = PartialDate(0);

    /// Returns the date, in which 0 stands for unknown: a month needs its year, a day its month.
    ///
    /// `None` when what is known is not in the calendar.
    pub const fn new(year: u16, month: u8, day: u8) -> Option<PartialDate> {
        let fits = match (year, month, day) {
            (0, 0, 0) => true,
            (1..=9999, 0, 0) => true,
            (1..=9999, 1..=12, 0) => true,
            _ => Date::new(year, month, day).is_some(),
        };
        if fits { Some(PartialDate(pack(year, month, day))) } else { None }
    }

    /// Returns the year, or 0.
    pub const fn year(self) -> u16 {
        (self.0 / 10_000) as u16
    }

    /// Returns the month, or 0.
    pub const fn month(self) -> u8 {
        (self.0 / 100 % 100) as u8
    }

    /// Returns the day of the month, or 0.
    pub const fn day(self) -> u8 {
        (self.0 % 100) as u8
    }

    /// Returns the day when all of it is known.
    pub const fn full(self) -> Option<Date> {
        Date::new(self.year(), self.month(), self.day())
    }

    /// Says whether not even the year is known.
    pub const fn is_unknown(self) -> bool {
        self.0 == 0
    }
}

impl From<Date> for PartialDate {
    fn from(date: Date) -> PartialDate {
        PartialDate(date.0)
    }
}

impl fmt::Debug for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.year(), self.month(), self.day()) {
            (0, ..) => "PartialDate(unknown)",
            (_, 0, _) => "PartialDate(year)",
            (_, _, 0) => "PartialDate(month)",
            _ => "PartialDate(day)",
        })
    }
}

impl Encode for PartialDate {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.encode(encoder)
    }
}

impl<Context> Decode<Context> for PartialDate {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let (year, month, day) = unpack(u32::decode(decoder)?);
        PartialDate::new(year, month, day).ok_or(DecodeError::Other("partial date"))
    }
}

bincode::impl_borrow_decode!(PartialDate);

const fn pack(year: u16, month: u8, day: u8) -> u32 {
    year as u32 * 10_000 + month as u32 * 100 + day as u32
}

/// The parts of a packed number; a year beyond 16 bits becomes 65535, which no day has.
fn unpack(packed: u32) -> (u16, u8, u8) {
    let year = u16::try_from(packed / 10_000).unwrap_or(u16::MAX);
    (year, (packed / 100 % 100) as u8, (packed % 100) as u8)
}

const fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::{self, Kind};

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn only_days_of_the_calendar_exist() {
        let check = |year, month, day, exists| {
            assert_eq!(Date::new(year, month, day).is_some(), exists, "{year}-{month}-{day}");
        };
        check(2024, 2, 29, true);
        check(2023, 2, 29, false);
        check(2000, 2, 29, true);
        check(1900, 2, 29, false);
        check(2026, 4, 30, true);
        check(2026, 4, 31, false);
        check(2026, 12, 31, true);
        check(2026, 13, 1, false);
        check(2026, 0, 1, false);
        check(2026, 1, 0, false);
        check(0, 1, 1, false);
        check(9999, 12, 31, true);
        check(10_000, 1, 1, false);
    }

    #[test]
    fn parts_are_kept() {
        let date = Date::new(2026, 11, 24).unwrap();
        assert_eq!((date.year(), date.month(), date.day()), (2026, 11, 24));
        assert!(day("2026-11-24") < day("2026-12-01") && day("2026-12-31") < day("2027-01-01"));
    }

    #[test]
    fn iso_text_is_read_and_nothing_else() {
        assert_eq!(day("2026-11-24"), Date::new(2026, 11, 24).unwrap());
        assert_eq!(day("0001-01-01"), Date::MIN);
        assert_eq!(Date::MAX.to_string(), "9999-12-31");
        for text in [
            "",
            "2026-11-2",
            "2026-11-244",
            "2026/11/24",
            "24-11-2026",
            "2026-02-30",
            "+026-11-24",
            "2026-1a-24",
            "２０26-11",
            "2026-11-24 ",
            "0000-01-01",
        ] {
            assert_eq!(text.parse::<Date>(), Err(NotADate), "{text:?}");
        }
    }

    #[test]
    fn days_are_counted_from_1970() {
        let check = |text, days| {
            assert_eq!(day(text).to_days(), days, "{text}");
            assert_eq!(Date::from_days(days), day(text), "{days}");
        };
        check("1970-01-01", 0);
        check("1969-12-31", -1);
        check("2000-02-29", 11_016);
        check("2000-03-01", 11_017);
        check("2026-11-24", 20_781);
        check("0001-01-01", -719_162);
        check("9999-12-31", 2_932_896);
    }

    #[test]
    fn a_broken_clock_gives_the_nearest_day() {
        assert_eq!(Date::from_days(i32::MIN), Date::MIN);
        assert_eq!(Date::from_days(-719_163), Date::MIN);
        assert_eq!(Date::from_days(2_932_897), Date::MAX);
        assert_eq!(Date::from_days(i32::MAX), Date::MAX);
    }

    #[test]
    fn every_day_follows_the_day_before() {
        let mut before = Date::from_days(-30_000);
        for days in -29_999..60_000 {
            let date = Date::from_days(days);
            assert_eq!(date.to_days(), days);
            let next_day = (date.year(), date.month()) == (before.year(), before.month())
                && date.day() == before.day() + 1;
            let next_month = date.day() == 1
                && Date::new(before.year(), before.month(), before.day() + 1).is_none();
            assert!(next_day != next_month, "{before} {date}");
            before = date;
        }
    }

    #[test]
    fn the_leap_day_moves_to_march_when_years_are_added() {
        assert_eq!(day("2004-02-29").add_years(14), day("2018-03-01"));
        assert_eq!(day("2004-02-29").add_years(40), day("2044-02-29"));
        assert_eq!(day("1988-03-02").add_years(25), day("2013-03-02"));
        assert_eq!(day("9990-01-01").add_years(60), Date::MAX);
        assert_eq!(day("9990-01-01").add_years(u16::MAX), Date::MAX);
    }

    #[test]
    fn what_is_known_of_a_partial_date_is_in_the_calendar() {
        let check = |year, month, day, fits| {
            assert_eq!(PartialDate::new(year, month, day).is_some(), fits, "{year}-{month}-{day}");
        };
        check(0, 0, 0, true);
        check(1950, 0, 0, true);
        check(1950, 7, 0, true);
        check(1950, 7, 31, true);
        check(1950, 0, 31, false);
        check(0, 7, 0, false);
        check(0, 0, 1, false);
        check(1950, 13, 0, false);
        check(1950, 6, 31, false);
        check(10_000, 0, 0, false);
    }

    #[test]
    fn a_partial_date_is_full_only_with_its_day() {
        let full = PartialDate::new(1988, 3, 2).unwrap();
        assert_eq!(full.full(), Date::new(1988, 3, 2));
        assert_eq!(full, day("1988-03-02").into());
        assert_eq!(PartialDate::new(1988, 3, 0).unwrap().full(), None);
        assert!(PartialDate::UNKNOWN.is_unknown() && PartialDate::UNKNOWN.full().is_none());
    }

    #[test]
    fn a_birth_date_does_not_show_itself() {
        let shown = |year, month, day| format!("{:?}", PartialDate::new(year, month, day).unwrap());
        assert_eq!(shown(1988, 3, 2), "PartialDate(day)");
        assert_eq!(shown(1988, 3, 0), "PartialDate(month)");
        assert_eq!(shown(1988, 0, 0), "PartialDate(year)");
        assert_eq!(shown(0, 0, 0), "PartialDate(unknown)");
    }

    #[test]
    fn numbers_that_are_no_day_are_not_decoded() {
        for packed in [0u32, 20260230, 20261301, 100000101, u32::MAX, 655360101] {
            let bytes = codec::encode(Kind::Body, &packed).unwrap();
            let error = codec::DecodeError::Impossible { what: "date" };
            assert_eq!(codec::decode::<Date>(Kind::Body, &bytes), Err(error), "{packed}");
        }
        for packed in [19500001u32, 700, 655360000] {
            let bytes = codec::encode(Kind::Body, &packed).unwrap();
            let error = codec::DecodeError::Impossible { what: "partial date" };
            assert_eq!(codec::decode::<PartialDate>(Kind::Body, &bytes), Err(error), "{packed}");
        }
    }

    proptest! {
        #[test]
        fn dates_come_back(days in -719_162i32..=2_932_896) {
            let date = Date::from_days(days);
            prop_assert_eq!(date.to_string().parse(), Ok(date));
            let bytes = codec::encode(Kind::Body, &date).unwrap();
            prop_assert_eq!(codec::decode(Kind::Body, &bytes), Ok(date));
        }

        #[test]
        fn random_text_is_no_date_and_nothing_worse(text: String) {
            if let Ok(date) = text.parse::<Date>() {
                prop_assert_eq!(date.to_string(), text);
            }
        }
    }
}
