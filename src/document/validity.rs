//! Until when a card is valid.
//!
//! A card's QR code states no expiry, so it is derived from birth and issue by the law's
//! milestones. The printed date decides where the two differ: the result is a hint, and one of the
//! keys with which a chip can be opened. This module does not know today's date.

use super::Date;

/// The last day of a document's validity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expiry {
    /// Valid through this day.
    On(Date),
    /// "Không thời hạn": no expiry.
    Never,
}

impl Expiry {
    /// Returns true when the document is no longer valid on `today`; its last day still counts.
    pub fn is_past(self, today: Date) -> bool {
        matches!(self, Self::On(last) if last < today)
    }
}

/// The ages at which a card has to be replaced (Law on Identification 26/2023, art. 21).
const MILESTONES: [u16; 4] = [14, 25, 40, 60];

/// Cards of the law of 2014 start at the age of 14, so that only the younger law knows this
/// milestone.
const MILESTONE_OF_THE_NEW_LAW: u16 = 14;

/// A card issued within this many years before a milestone is valid to the one after it (same
/// article).
const YEARS_OF_GRACE: u16 = 2;

/// Returns true when `issued` falls under the Law on Identification 26/2023, in force from
/// 01.07.2024.
pub(super) fn is_under_new_law(issued: Date) -> bool {
    (issued.year(), issued.month(), issued.day()) >= (2024, 7, 1)
}

/// Returns the expiry that the law gives to a card issued on `issued` to a person born on `birth`.
///
/// It is the first milestone that lay more than two years ahead at issue, and [`Expiry::Never`]
/// after the last. A birthday on 29 February falls on 1 March in other years.
///
/// Assumes: a card issued exactly two years before a milestone is "within two years" of it, and the
/// milestone is the birthday itself. The law's text leaves both days open.
pub fn derived_expiry(birth: Date, issued: Date) -> Expiry {
    MILESTONES
        .into_iter()
        .filter(|age| *age != MILESTONE_OF_THE_NEW_LAW || is_under_new_law(issued))
        .find(|age| issued < birth.add_years(age - YEARS_OF_GRACE))
        .map_or(Expiry::Never, |age| Expiry::On(birth.add_years(age)))
}

#[cfg(test)]
mod tests {
    use super::super::dates::WrittenDate;
    use super::*;

    fn date(text: &str) -> Date {
        WrittenDate::read(text).and_then(WrittenDate::full).expect("a day in DDMMYYYY")
    }

    fn check(birth: &str, issued: &str, expected: &str) {
        let expected = match expected {
            "never" => Expiry::Never,
            day => Expiry::On(date(day)),
        };
        assert_eq!(
            derived_expiry(date(birth), date(issued)),
            expected,
            "born {birth}, issued {issued}"
        );
    }

    #[test]
    fn card_issued_two_years_before_a_milestone_lasts_to_the_next() {
        // Born 02.03.2000: 25 on 02.03.2025, so the two years begin on 02.03.2023.
        check("02032000", "01032023", "02032025");
        check("02032000", "02032023", "02032040");
        check("02032000", "03032023", "02032040");
        // 40 on 02.03.2030, from 02.03.2028 on.
        check("02031990", "01032028", "02032030");
        check("02031990", "02032028", "02032050");
        // 60 on 02.03.2024, from 02.03.2022 on.
        check("02031964", "01032022", "02032024");
        check("02031964", "02032022", "never");
        check("02031964", "03032022", "never");
    }

    #[test]
    fn milestone_fourteen_belongs_to_the_new_law_only() {
        // Born 01.06.2013: 14 on 01.06.2027, from 01.06.2025 on.
        check("01062013", "30062024", "01062038");
        check("01062013", "01072024", "01062027");
        check("01062013", "31052025", "01062027");
        check("01062013", "01062025", "01062038");
    }

    #[test]
    fn invented_cards_agree_with_the_expiry_in_their_zone() {
        check("02031988", "15082021", "02032028");
        check("17112001", "01012022", "17112026");
        check("10101955", "20092022", "never");
        check("29022000", "01092025", "29022040");
    }

    #[test]
    fn birthday_on_a_leap_day_moves_to_march() {
        // 23 on 01.03.2023; 25 would be 01.03.2025.
        check("29022000", "28022023", "01032025");
        check("29022000", "01032023", "29022040");
    }

    #[test]
    fn last_day_of_validity_still_counts() {
        let expiry = Expiry::On(date("02032028"));
        for (today, is_past) in [("01032028", false), ("02032028", false), ("03032028", true)] {
            assert_eq!(expiry.is_past(date(today)), is_past, "{today}");
        }
        assert!(!Expiry::Never.is_past(date("31122399")));
    }
}
