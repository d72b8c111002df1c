//! Whether there is a list that can say "nothing on file".
//!
//! What a list holds counts at any age: an old list still refers and still matches. Only its silence
//! is worth nothing once it is older than its signed policy allows, or once the changes that were laid
//! over it cannot be read.

use super::{Facts, Finding, FindingKind, ListCondition, NoticeAnswer, Todo};

/// Returns a finding where the list is missing, was not asked, lacks its changes, or is too old.
pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let asked = matches!(facts.notices, NoticeAnswer::Candidates(_));
    let kind = match facts.list.condition() {
        ListCondition::Missing => FindingKind::ListMissing,
        _ if !asked => FindingKind::ListMissing,
        _ if facts.list.is_incomplete() => FindingKind::ListIncomplete,
        ListCondition::TooOld => FindingKind::ListTooOld,
        ListCondition::Fresh | ListCondition::Ageing => return Vec::new(),
    };
    vec![Finding::new(kind, Todo::LoadList)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::ListState;
    use crate::checks::testing::{facts, list_aged, list_without_its_changes};
    use crate::matching::testing::a_citizen;

    #[test]
    fn only_a_usable_list_that_was_asked_is_silent() {
        let asked = || NoticeAnswer::Candidates(Vec::new());
        for (what, list, notices, expected) in [
            ("fresh", list_aged(3), asked(), None),
            ("ageing", list_aged(48), asked(), None),
            ("too old", list_aged(73), asked(), Some(FindingKind::ListTooOld)),
            ("no changes", list_without_its_changes(), asked(), Some(FindingKind::ListIncomplete)),
            ("none", ListState::None, NoticeAnswer::NotLoaded, Some(FindingKind::ListMissing)),
            ("none, asked", ListState::None, asked(), Some(FindingKind::ListMissing)),
            ("not asked", list_aged(3), NoticeAnswer::NotLoaded, Some(FindingKind::ListMissing)),
        ] {
            let document = a_citizen();
            let findings = check(&Facts { list, notices, ..facts(&document) });
            assert_eq!(findings.first().map(|finding| finding.kind), expected, "{what}");
            assert!(findings.iter().all(|finding| finding.todo == Todo::LoadList));
        }
    }
}
