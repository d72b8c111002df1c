//! Notices about documents: lost, stolen, revoked.
//!
//! Such a notice is never a match: who carries a lost card is probably its owner, and the victim. It
//! is about one document, so only the number by which *that* document goes counts: a lost identity
//! card is no reason to stop its owner with a passport. Names and dates play no part.
//!
//! **The owner with a new card is let alone.** A new card keeps the old one's number, so a document
//! issued *after* the day of the decision is another document. One of the same day may be either, and
//! one without a date of issue (typed, machine-readable zone) leads to the question for it. A forged
//! QR code can state any date; it could as well state any number, and is never solid green.

use sync_format::v1::notice::{Group, Notice, NumberKind};

use super::notices::Lapse;
use super::{Facts, Finding, FindingKind, Todo};
use crate::document::{Date, Document, DocumentKind, DocumentNumber};
use crate::matching::{compare, is_same_number};

/// Returns a finding for each report about this document, in the order of category and number.
pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let mut notices: Vec<&Notice> = facts
        .notices
        .candidates()
        .iter()
        .filter(|notice| notice.category.group().is_document())
        .filter(|notice| Lapse::of(notice, facts) != Lapse::Certain)
        .filter(|notice| names_this_document(facts.document, notice))
        .filter(|notice| !is_issued_since(facts.document, notice, facts.today()))
        .collect();
    notices.sort_by_key(|notice| (notice.category, notice.id));
    notices.into_iter().map(|notice| report(facts, notice)).collect()
}

fn report(facts: &Facts<'_>, notice: &Notice) -> Finding {
    let (kind, todo) = match (Lapse::of(notice, facts), notice.category.group()) {
        (Lapse::Unproven | Lapse::Certain, _) => (FindingKind::NoticeLapseUnproven, Todo::CallDuty),
        (Lapse::InForce, Group::DocumentLost) => (FindingKind::DocumentLost, Todo::AskReissueDate),
        (Lapse::InForce, Group::DocumentStolen) => {
            (FindingKind::DocumentStolen, Todo::AskReissueDate)
        }
        // The groups about persons have been left out; a revoked document is the strictest reading.
        (Lapse::InForce, _) => (FindingKind::DocumentRevoked, Todo::CallDuty),
    };
    Finding::under(notice, compare(facts.document, notice), kind, todo)
}

/// Whether the notice gives the number by which the document at hand goes.
fn names_this_document(document: &Document, notice: &Notice) -> bool {
    document
        .numbers
        .iter()
        .filter(|field| is_own_number(document.kind, &field.value))
        .any(|field| notice.numbers.iter().any(|number| is_same_number(&field.value, number)))
}

/// Whether a document of this kind goes by a number of that kind.
fn is_own_number(document: DocumentKind, number: &DocumentNumber) -> bool {
    match document {
        DocumentKind::CitizenCard | DocumentKind::IdentityCard | DocumentKind::IdentityCardMrz => {
            number.kind() == NumberKind::Personal
        }
        DocumentKind::Passport => number.kind() == NumberKind::Passport,
        // The officer typed the number of whatever lay in front of him.
        DocumentKind::TypedEntry => true,
    }
}

/// Whether the document was issued after the decision, and so is not the one reported. A date that
/// is still to come proves nothing.
fn is_issued_since(document: &Document, notice: &Notice, today: Date) -> bool {
    document
        .issued
        .as_ref()
        .is_some_and(|issued| issued.value > notice.decided && issued.value <= today)
}

#[cfg(test)]
mod tests {
    use sync_format::v1::notice::Category;

    use super::*;
    use crate::checks::NoticeAnswer;
    use crate::checks::testing::{facts, time_bounds};
    use crate::document::Source;
    use crate::matching::testing::{
        HIS_NUMBER, a_citizen, day, number, personal, read, reported, wanted,
    };

    fn found(document: &Document, notice: Notice) -> Option<(FindingKind, Todo)> {
        let facts = Facts { notices: NoticeAnswer::Candidates(vec![notice]), ..facts(document) };
        check(&facts).first().map(|finding| (finding.kind, finding.todo))
    }

    const LOST: Option<(FindingKind, Todo)> =
        Some((FindingKind::DocumentLost, Todo::AskReissueDate));

    #[test]
    fn each_report_has_its_finding() {
        for (category, kind, todo) in [
            (Category::D1, FindingKind::DocumentLost, Todo::AskReissueDate),
            (Category::D2, FindingKind::DocumentStolen, Todo::AskReissueDate),
            (Category::D3, FindingKind::DocumentRevoked, Todo::CallDuty),
        ] {
            let found = found(&a_citizen(), reported(category, "2026-09-03"));
            assert_eq!(found, Some((kind, todo)), "{category:?}");
        }
    }

    #[test]
    fn the_owner_with_a_newer_card_is_let_alone() {
        // The citizen's card is of 2022-05-10.
        for (decided, expected) in
            [("2026-09-03", LOST), ("2022-05-10", LOST), ("2022-05-09", None), ("2019-01-01", None)]
        {
            assert_eq!(found(&a_citizen(), reported(Category::D1, decided)), expected, "{decided}");
        }
    }

    #[test]
    fn a_document_without_a_date_of_issue_leads_to_the_question_for_it() {
        let undated = Document { issued: None, ..a_citizen() };
        assert_eq!(found(&undated, reported(Category::D1, "2019-01-01")), LOST);
    }

    #[test]
    fn only_the_number_of_the_document_at_hand_counts() {
        let lost_card = || reported(Category::D1, "2026-09-03");
        let passport = Document {
            kind: DocumentKind::Passport,
            source: Source::Mrz,
            numbers: vec![read(NumberKind::Passport, "B1234567"), personal(HIS_NUMBER)],
            issued: None,
            ..a_citizen()
        };
        assert_eq!(found(&passport, lost_card()), None);
        let lost_passport =
            Notice { numbers: vec![number(NumberKind::Passport, "B1234567")], ..lost_card() };
        assert_eq!(found(&passport, lost_passport), LOST);

        let lost_cmnd =
            Notice { numbers: vec![number(NumberKind::Cmnd, "201999901")], ..lost_card() };
        assert_eq!(found(&a_citizen(), lost_cmnd), None);

        let typed = Document {
            kind: DocumentKind::TypedEntry,
            source: Source::Typed,
            numbers: vec![read(NumberKind::Cmnd, "201999901")],
            issued: None,
            ..a_citizen()
        };
        let lost_cmnd =
            Notice { numbers: vec![number(NumberKind::Cmnd, "201999901")], ..lost_card() };
        assert_eq!(found(&typed, lost_cmnd), LOST);
    }

    #[test]
    fn a_card_under_a_cancelled_number_is_found() {
        let notice = Notice {
            numbers: vec![number(NumberKind::Cancelled, HIS_NUMBER)],
            ..reported(Category::D3, "2026-09-03")
        };
        let expected = Some((FindingKind::DocumentRevoked, Todo::CallDuty));
        assert_eq!(found(&a_citizen(), notice), expected);
    }

    #[test]
    fn a_name_and_birth_date_make_no_report_about_a_document() {
        let notice = Notice {
            numbers: Vec::new(),
            category: Category::D1,
            decided: day("2026-09-03"),
            ..wanted()
        };
        assert_eq!(found(&a_citizen(), notice), None);
    }

    #[test]
    fn notices_about_persons_are_judged_elsewhere() {
        assert_eq!(found(&a_citizen(), wanted()), None);
    }

    #[test]
    fn a_report_lapses_by_itself() {
        let citizen = a_citizen();
        for (lower, upper, expected) in [
            ("2026-11-24", "2026-11-24", Some(FindingKind::DocumentLost)),
            ("2026-11-24", "2026-11-25", Some(FindingKind::NoticeLapseUnproven)),
            ("2026-11-25", "2026-11-25", None),
        ] {
            let notice =
                Notice { valid_to: day("2026-11-24"), ..reported(Category::D1, "2026-09-03") };
            let facts = Facts {
                notices: NoticeAnswer::Candidates(vec![notice]),
                time: time_bounds(lower, upper),
                ..facts(&citizen)
            };
            let kind = check(&facts).first().map(|finding| finding.kind);
            assert_eq!(kind, expected, "{lower} to {upper}");
        }
    }
}
