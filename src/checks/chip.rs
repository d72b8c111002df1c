//! A chip whose proof failed, or that disagrees with the card around it.
//!
//! Only the refutation is a finding. That nothing was proven is no suspicion: most cards are read by
//! their QR code, and the verdict says so by itself.

use super::{ChipDoubt, DocumentProof, Facts, Finding, FindingKind, Todo};
use crate::document::chip::Detail;

/// Returns a finding for each thing that speaks against the chip, and one where a signature or a hash
/// is wrong.
pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let mut kinds: Vec<FindingKind> = facts.doubts.iter().map(|doubt| kind_of(*doubt)).collect();
    if facts.proof == DocumentProof::Refuted && kinds.is_empty() {
        kinds.push(FindingKind::ChipRefuted);
    }
    kinds.into_iter().map(|kind| Finding::new(kind, Todo::CallDuty)).collect()
}

fn kind_of(doubt: ChipDoubt) -> FindingKind {
    match doubt {
        ChipDoubt::Data => FindingKind::ChipRefuted,
        ChipDoubt::Copy => FindingKind::ChipCopy,
        ChipDoubt::Differs(Detail::Number) => FindingKind::ChipNumberDiffers,
        ChipDoubt::Differs(Detail::Name) => FindingKind::ChipNameDiffers,
        ChipDoubt::Differs(Detail::Birth) => FindingKind::ChipBirthDiffers,
        ChipDoubt::Differs(Detail::Sex) => FindingKind::ChipSexDiffers,
        ChipDoubt::Differs(Detail::Issued) => FindingKind::ChipIssueDiffers,
        ChipDoubt::Differs(Detail::Expiry) => FindingKind::ChipExpiryDiffers,
        ChipDoubt::Differs(Detail::OldNumber) => FindingKind::ChipOldNumberDiffers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{codes, facts};
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

    #[test]
    fn each_doubt_is_a_finding_of_its_own() {
        let document = a_citizen_by_chip();
        let doubts = Detail::ALL.map(ChipDoubt::Differs);
        let doubts = [&[ChipDoubt::Data, ChipDoubt::Copy][..], &doubts].concat();
        // Whatever the proof says: a doubt is never lost with it.
        for proof in [DocumentProof::Refuted, DocumentProof::Genuine] {
            let facts = Facts { proof, doubts: &doubts, ..facts(&document) };
            assert_eq!(
                codes(&facts),
                [
                    "chip-refuted",
                    "chip-copy",
                    "chip-number-differs",
                    "chip-name-differs",
                    "chip-birth-differs",
                    "chip-sex-differs",
                    "chip-issue-differs",
                    "chip-expiry-differs",
                    "chip-old-number-differs"
                ]
            );
        }
    }
}
