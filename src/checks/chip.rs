//! A chip whose proof failed.
//!
//! Only the refutation is a finding. That nothing was proven is no suspicion: most cards are read by
//! their QR code, and the verdict says so by itself.

use super::{DocumentProof, Facts, Finding, FindingKind, Todo};

/// Returns a finding where a signature or a hash is wrong, or the chip disagrees with the card.
pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    match facts.proof {
        DocumentProof::Refuted => vec![Finding::new(FindingKind::ChipRefuted, Todo::CallDuty)],
        DocumentProof::NotProven
        | DocumentProof::Consistent
        | DocumentProof::CopyNotExcluded
        | DocumentProof::Genuine => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::facts;
    use crate::matching::testing::a_citizen_by_chip;

    #[test]
    fn only_a_refuted_chip_is_a_finding() {
        let document = a_citizen_by_chip();
        for (proof, expected) in [
            (DocumentProof::NotProven, None),
            (DocumentProof::Consistent, None),
            (DocumentProof::CopyNotExcluded, None),
            (DocumentProof::Genuine, None),
            (DocumentProof::Refuted, Some((FindingKind::ChipRefuted, Todo::CallDuty))),
        ] {
            let findings = check(&Facts { proof, ..facts(&document) });
            let found = findings.first().map(|finding| (finding.kind, finding.todo));
            assert_eq!(found, expected, "{}", proof.code());
        }
    }
}
