//! A document whose validity has ended.
//!
//! The last day still counts, and the later bound of the time decides: a question too many costs less
//! than a card that is accepted because the clock stood still.
//!
//! The expiry of a QR code is derived from birth and issue and may be a day off at the milestones. It
//! is a finding all the same, since the question for a newer card is the same and the printed date
//! settles it at a glance; the field's source tells the screen to say that the date was computed.

use super::{Facts, Finding, FindingKind, Todo};

/// Returns a finding where the document is valid no longer.
pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let past =
        facts.document.expiry.as_ref().is_some_and(|expiry| expiry.value.is_past(facts.today()));
    if past {
        vec![Finding::new(FindingKind::DocumentExpired, Todo::AskNewCard)]
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{facts, time_bounds};
    use crate::document::{Document, Expiry, Field, Source};
    use crate::matching::testing::{a_citizen, day};

    fn is_expired(expiry: Option<Field<Expiry>>, lower: &str, upper: &str) -> bool {
        let document = Document { expiry, ..a_citizen() };
        let findings = check(&Facts { time: time_bounds(lower, upper), ..facts(&document) });
        assert!(
            findings
                .iter()
                .all(|f| (f.kind, f.todo) == (FindingKind::DocumentExpired, Todo::AskNewCard))
        );
        !findings.is_empty()
    }

    #[test]
    fn the_last_day_still_counts_and_the_later_bound_decides() {
        for source in [Source::Mrz, Source::Chip, Source::Derived] {
            let expiry = || Some(Field::new(Expiry::On(day("2026-11-24")), source));
            assert!(!is_expired(expiry(), "2026-11-24", "2026-11-24"), "{source:?}");
            assert!(is_expired(expiry(), "2026-11-24", "2026-11-25"), "{source:?}");
            assert!(is_expired(expiry(), "2026-11-25", "2026-11-25"), "{source:?}");
        }
    }

    #[test]
    fn a_card_without_an_end_or_of_unknown_end_is_not_expired() {
        let never = Some(Field::new(Expiry::Never, Source::Mrz));
        assert!(!is_expired(never, "9999-12-31", "9999-12-31"));
        assert!(!is_expired(None, "9999-12-31", "9999-12-31"));
    }
}
