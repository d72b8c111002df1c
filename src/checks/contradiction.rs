//! A document that disagrees with itself.
//!
//! The reader has compared the fields; this check says what a contradiction is worth. It is worth a
//! question and no more: a corrected civil status leaves an honest card whose number tells otherwise.
//! The warnings that only say what is missing or unusual are no findings.

use super::notices::look_closer;
use super::{Facts, Finding, FindingKind};
use crate::document::Warning;

/// The contradictions, in the order in which they are shown.
const CONTRADICTIONS: [(Warning, FindingKind); 3] = [
    (Warning::SexDiffersFromNumber, FindingKind::NumberSexContradiction),
    (Warning::YearDiffersFromNumber, FindingKind::NumberYearContradiction),
    (Warning::IssuedBeforeBirth, FindingKind::IssueBirthContradiction),
];

/// Returns a finding for each way in which the document contradicts itself.
pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let in_future = has_date_after_today(facts)
        .then(|| Finding::new(FindingKind::DateInFuture, look_closer(facts.document)));
    CONTRADICTIONS
        .into_iter()
        .filter(|(warning, _)| facts.document.warnings.contains(warning))
        .map(|(_, kind)| Finding::new(kind, look_closer(facts.document)))
        .chain(in_future)
        .collect()
}

/// Whether a date of birth or issue lies after the latest day that it can be today.
///
/// A forged issue date would otherwise outrun a report of the card as stolen.
fn has_date_after_today(facts: &Facts<'_>) -> bool {
    let today = facts.today();
    let born = facts.document.birth.as_ref().map(|birth| birth.value);
    let issued = facts.document.issued.as_ref().map(|issued| issued.value);
    born.is_some_and(|born| match born.full() {
        Some(born) => born > today,
        None => born.year() > today.year(),
    }) || issued.is_some_and(|issued| issued > today)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Todo;
    use crate::checks::testing::facts;
    use crate::document::{Document, Source};
    use crate::matching::testing::a_citizen;

    #[test]
    fn a_date_after_today_is_a_finding() {
        let today = facts(&a_citizen()).today();
        let tomorrow = crate::document::Date::from_days(today.to_days() + 1);
        for (issued, expected) in [(today, None), (tomorrow, Some(FindingKind::DateInFuture))] {
            let issued = Some(crate::document::Field::new(issued, Source::Qr));
            let document = Document { issued, ..a_citizen() };
            let found = check(&facts(&document)).first().map(|finding| finding.kind);
            assert_eq!(found, expected);
        }
        let next_year = crate::document::PartialDate::new(today.year() + 1, 0, 0).unwrap();
        let birth = Some(crate::document::Field::new(next_year, Source::Qr));
        let document = Document { birth, ..a_citizen() };
        assert_eq!(check(&facts(&document)).len(), 1);
    }

    #[test]
    fn each_contradiction_is_a_finding_and_no_other_warning_is() {
        for (warning, expected) in [
            (Warning::SexDiffersFromNumber, Some(FindingKind::NumberSexContradiction)),
            (Warning::YearDiffersFromNumber, Some(FindingKind::NumberYearContradiction)),
            (Warning::IssuedBeforeBirth, Some(FindingKind::IssueBirthContradiction)),
            (Warning::UnknownPrefix, None),
            (Warning::BirthIncomplete, None),
            (Warning::TransliterationOnly, None),
            (Warning::NameMayBeCut, None),
        ] {
            let document = Document { warnings: vec![warning], ..a_citizen() };
            let found = check(&facts(&document)).first().map(|finding| finding.kind);
            assert_eq!(found, expected, "{}", warning.code());
            assert_eq!(found.is_some(), warning.is_contradiction(), "{}", warning.code());
        }
    }

    #[test]
    fn what_settles_it_depends_on_what_was_read() {
        for (source, expected) in [
            (Source::Typed, Todo::LookAgain),
            (Source::Qr, Todo::ReadChip),
            (Source::Mrz, Todo::ReadChip),
            (Source::Chip, Todo::CallDuty),
        ] {
            let warnings = vec![Warning::SexDiffersFromNumber];
            let document = Document { source, warnings, ..a_citizen() };
            assert_eq!(check(&facts(&document))[0].todo, expected, "{source:?}");
        }
    }
}
