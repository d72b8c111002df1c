//! What the signed policy demands beyond the common rules.
//!
//! Where it demands the chip, a document that is not proven genuine gets no "nothing on file", not
//! even the outlined one: the unit that signed this has decided that a number alone says nothing.

use super::{DocumentProof, Facts, Finding, FindingKind, ListState, Todo};

/// Returns a finding where the policy demands the chip and the document is not proven genuine.
pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let demanded = matches!(facts.list, ListState::Loaded { chip_required: true, .. });
    let todo = match facts.proven() {
        DocumentProof::Genuine => return Vec::new(),
        DocumentProof::NotProven => Todo::ReadChip,
        // The chip has said what it can; reading it again proves no more.
        DocumentProof::Consistent | DocumentProof::CopyNotExcluded | DocumentProof::Refuted => {
            Todo::CallDuty
        }
    };
    if demanded { vec![Finding::new(FindingKind::ChipDemanded, todo)] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{facts, list_that_demands_the_chip};
    use crate::matching::testing::{a_citizen, a_citizen_by_chip};

    #[test]
    fn only_a_genuine_chip_satisfies_the_policy() {
        let (qr, chip) = (a_citizen(), a_citizen_by_chip());
        for (document, proof, expected) in [
            (&qr, DocumentProof::NotProven, Some(Todo::ReadChip)),
            (&qr, DocumentProof::Genuine, Some(Todo::ReadChip)),
            (&chip, DocumentProof::Consistent, Some(Todo::CallDuty)),
            (&chip, DocumentProof::CopyNotExcluded, Some(Todo::CallDuty)),
            (&chip, DocumentProof::Refuted, Some(Todo::CallDuty)),
            (&chip, DocumentProof::Genuine, None),
        ] {
            let list = list_that_demands_the_chip();
            let findings = check(&Facts { proof, list, ..facts(document) });
            assert!(findings.iter().all(|finding| finding.kind == FindingKind::ChipDemanded));
            assert_eq!(findings.first().map(|finding| finding.todo), expected, "{proof:?}");
        }
    }

    #[test]
    fn without_the_demand_nothing_is_missing() {
        assert_eq!(check(&facts(&a_citizen())), []);
    }
}
