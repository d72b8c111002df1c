//! Whether there was anything to look up by.
//!
//! Notices are found by a number, or by the full name with the full birth date. A document that has
//! neither was asked about nothing, and an empty answer to that says nothing.

use super::{Facts, Finding, FindingKind, Todo};
use crate::document::{Document, Name};

/// Returns a finding where the document could not be looked up.
pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let document = facts.document;
    if !document.numbers.is_empty() || (has_whole_name(document) && has_full_birth(document)) {
        return Vec::new();
    }
    let todo = if has_whole_name(document) { Todo::AskBirthDate } else { Todo::AskNumber };
    vec![Finding::new(FindingKind::TooLittleKnown, todo)]
}

fn has_whole_name(document: &Document) -> bool {
    // Of a name in another script folding leaves nothing.
    let is_whole = |name: &Name| !name.is_cut() && !name.folded().is_empty();
    document.name.as_ref().is_some_and(|field| is_whole(&field.value))
}

fn has_full_birth(document: &Document) -> bool {
    document.birth.as_ref().is_some_and(|birth| birth.value.full().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::facts;
    use crate::document::{Field, Source};
    use crate::matching::testing::{a_citizen, a_cut_name, birth, name};

    fn todo(document: &Document) -> Option<Todo> {
        let findings = check(&facts(document));
        assert!(findings.iter().all(|finding| finding.kind == FindingKind::TooLittleKnown));
        findings.first().map(|finding| finding.todo)
    }

    #[test]
    fn a_number_or_a_name_with_its_date_is_enough() {
        let citizen = a_citizen();
        let numberless = Document { numbers: Vec::new(), ..a_citizen() };
        let number_only = Document { name: None, birth: None, ..a_citizen() };
        for document in [citizen, numberless, number_only] {
            assert_eq!(todo(&document), None);
        }
    }

    #[test]
    fn less_is_asked_for() {
        let nothing = Document { numbers: Vec::new(), name: None, birth: None, ..a_citizen() };
        assert_eq!(todo(&nothing), Some(Todo::AskNumber));
        let date_only = Document { birth: a_citizen().birth, ..nothing.clone() };
        assert_eq!(todo(&date_only), Some(Todo::AskNumber));
        let name_only = Document { name: a_citizen().name, ..nothing };
        assert_eq!(todo(&name_only), Some(Todo::AskBirthDate));
        let year = Field::new(birth((1988, 0, 0)), Source::Typed);
        let name_and_year = Document { birth: Some(year), ..name_only };
        assert_eq!(todo(&name_and_year), Some(Todo::AskBirthDate));
    }

    #[test]
    fn a_name_that_nothing_is_filed_under_is_not_enough() {
        for name in [a_cut_name(), name("王")] {
            let name = Some(Field::new(name, Source::Mrz));
            let document = Document { numbers: Vec::new(), name, ..a_citizen() };
            assert_eq!(todo(&document), Some(Todo::AskNumber));
        }
    }
}
