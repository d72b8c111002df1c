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
    CONTRADICTIONS
        .into_iter()
        .filter(|(warning, _)| facts.document.warnings.contains(warning))
        .map(|(_, kind)| Finding::new(kind, look_closer(facts.document)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Todo;
    use crate::checks::testing::facts;
    use crate::document::{Document, Source};
    use crate::matching::testing::a_citizen;

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
