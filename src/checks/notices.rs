//! Notices about persons: wanted, exit suspension, entry refusal, missing, at risk.
//!
//! **When it is a match.** A shared number *and* one other agreeing field; or the full folded name,
//! the full birth date and the sex, unless a genuine chip shows another personal number.
//!
//! *Which other fields count beside a number*: the name, one of the other names, and the full birth
//! date. The sex and the year of birth do not: they stand in the personal number itself, so that
//! they agree because the number does, and of a slip in its last six digits they know nothing.
//! Departure: the rule as first written took *any* other field.
//!
//! *Why only an authenticated number contradicts*: a QR code with somebody else's number costs the
//! price of a print-out. Even then it is a referral and no acquittal, since numbers are cancelled and
//! issued anew.
//!
//! **When it is possible**, and so a referral: a shared number and nothing beside it; name and full
//! birth date where the sex is unknown, differs, or a genuine chip shows another number; another name
//! and the full birth date.
//!
//! **Name and year of birth** depend on who leaves the date open. Of innocent people 26% share both
//! with somebody on a list of 200,000 (measured on invented people), so a notice that itself knows
//! only the year stops nobody who shows a whole date: no answer of his could settle it. That gives up
//! notices that have neither a day nor a number; the issuer is to add one. Where the *document* leaves
//! the date open, a typed entry or an old card without a day, one question does settle it, and it is
//! asked. A different personal number or sex, proven or not, is then enough to let it be.
//!
//! A name alone, and another name alone, find nobody.
//!
//! **Without the changes to the list** nothing is a match: a notice that agrees may have been
//! withdrawn, so that it is a referral, with a call to the duty officer as its question.

use sync_format::v1::notice::Notice;

use super::{DocumentProof, Facts, Finding, FindingKind, NoticeAnswer, Todo};
use crate::document::{Document, Source};
use crate::matching::{Agreements, FieldAgreement, NumberAgreement, compare};

/// Returns a finding for each notice about a person that agrees, in the order of category and number.
pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let mut notices: Vec<&Notice> = facts
        .notices
        .candidates()
        .iter()
        .filter(|notice| !notice.category.group().is_document())
        .filter(|notice| Lapse::of(notice, facts) != Lapse::Certain)
        .collect();
    notices.sort_by_key(|notice| (notice.category, notice.id));
    let too_many = matches!(facts.notices, NoticeAnswer::TooMany(_))
        .then(|| Finding::new(FindingKind::TooManyNotices, Todo::AskBirthDate));
    notices.into_iter().filter_map(|notice| judge(facts, notice)).chain(too_many).collect()
}

/// Whether a notice still holds. Its last day counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lapse {
    /// It holds by both bounds of the time.
    InForce,
    /// It has lapsed only if the device's clock is right, and nobody vouches for that.
    Unproven,
    /// It has lapsed by the time that was signed; it is not to be seen again.
    Certain,
}

impl Lapse {
    pub(super) fn of(notice: &Notice, facts: &Facts<'_>) -> Lapse {
        if notice.valid_to < facts.today_at_least() {
            Lapse::Certain
        } else if notice.valid_to < facts.today() {
            Lapse::Unproven
        } else {
            Lapse::InForce
        }
    }
}

/// Returns what `notice` means for the document, `None` where it is about somebody else.
fn judge(facts: &Facts<'_>, notice: &Notice) -> Option<Finding> {
    let agreements = compare(facts.document, notice);
    let kind = if let Some(kind) = matched(facts, &agreements) {
        kind
    } else if is_possible(facts.document, notice, &agreements) {
        FindingKind::NoticePossible
    } else {
        return None;
    };
    let (kind, todo) = match Lapse::of(notice, facts) {
        Lapse::InForce if kind == FindingKind::NoticePossible => {
            (kind, settling_question(facts.document, notice, &agreements))
        }
        // The withdrawal (đình nã) may stand in the changes that cannot be read.
        Lapse::InForce if facts.list.is_incomplete() => {
            (FindingKind::NoticeUnconfirmed, Todo::CallDuty)
        }
        Lapse::InForce => (kind, Todo::CompareAndConfirm),
        Lapse::Unproven | Lapse::Certain => (FindingKind::NoticeLapseUnproven, Todo::CallDuty),
    };
    Some(Finding::under(notice, agreements, kind, todo))
}

/// Returns by what the notice matches, if it does.
fn matched(facts: &Facts<'_>, agreements: &Agreements) -> Option<FindingKind> {
    let name = agreements.name == FieldAgreement::Agrees;
    let birth = agreements.birth == FieldAgreement::Agrees;
    let sex = agreements.sex == FieldAgreement::Agrees;
    match agreements.numbers {
        NumberAgreement::Agrees { .. } if name || birth || agreements.alias => {
            Some(FindingKind::NoticeNumber)
        }
        NumberAgreement::Differs { source } if is_authenticated(facts, source) => None,
        _ if name && birth && sex => Some(FindingKind::NoticeNameBirth),
        _ => None,
    }
}

/// Whether what was read from `source` is vouched for by a chip that is no copy.
fn is_authenticated(facts: &Facts<'_>, source: Source) -> bool {
    source == Source::Chip && facts.proven() == DocumentProof::Genuine
}

/// Whether a notice that does not match cannot be ruled out either.
fn is_possible(document: &Document, notice: &Notice, agreements: &Agreements) -> bool {
    let name = agreements.name == FieldAgreement::Agrees;
    let birth = agreements.birth == FieldAgreement::Agrees;
    let number_agrees = matches!(agreements.numbers, NumberAgreement::Agrees { .. });
    let nothing_against = agreements.sex != FieldAgreement::Differs
        && !matches!(agreements.numbers, NumberAgreement::Differs { .. });
    let name_or_beginning = name || agreements.name == FieldAgreement::Partly;
    let open_date = agreements.birth == FieldAgreement::Partly
        && (!is_birth_full(document) || notice.birth.month() != 0);
    number_agrees
        || (name_or_beginning && birth)
        || (agreements.alias && birth && agreements.sex != FieldAgreement::Differs)
        || (name_or_beginning && open_date && nothing_against)
}

/// Returns the one question whose answer tells most about a possible notice.
fn settling_question(document: &Document, notice: &Notice, agreements: &Agreements) -> Todo {
    if matches!(agreements.numbers, NumberAgreement::Agrees { .. }) {
        return if agreements.name == FieldAgreement::NotKnown {
            Todo::AskName
        } else if !is_birth_full(document) && notice.birth.full().is_some() {
            Todo::AskBirthDate
        } else {
            look_closer(document)
        };
    }
    if !is_birth_full(document) && notice.birth.full().is_some() {
        Todo::AskBirthDate
    } else if document.sex.is_none() && notice.sex.is_some() {
        Todo::EnterSex
    } else if document.numbers.is_empty() && !notice.numbers.is_empty() {
        Todo::AskNumber
    } else {
        Todo::CompareAndConfirm
    }
}

/// Returns how to make sure of what stands on the document.
pub(super) fn look_closer(document: &Document) -> Todo {
    match document.source {
        Source::Typed => Todo::LookAgain,
        Source::Qr | Source::Mrz | Source::Derived => Todo::ReadChip,
        Source::Chip => Todo::CallDuty,
    }
}

fn is_birth_full(document: &Document) -> bool {
    document.birth.as_ref().is_some_and(|birth| birth.value.full().is_some())
}

#[cfg(test)]
mod tests {
    use sync_format::v1::notice::{Category, NumberKind, Sex};

    use super::*;
    use crate::checks::NoticeAnswer;
    use crate::checks::testing::{facts, time_bounds};
    use crate::document::{DocumentKind, Field, PartialDate};
    use crate::matching::testing::{
        ANOTHER_NUMBER, HIS_NUMBER, a_citizen, a_citizen_by_chip, a_cut_name, birth, day, name,
        named, number, personal, wanted, with_source,
    };

    type Found = Option<(FindingKind, Todo)>;

    const NOBODY: Found = None;
    const BY_NUMBER: Found = Some((FindingKind::NoticeNumber, Todo::CompareAndConfirm));
    const BY_NAME: Found = Some((FindingKind::NoticeNameBirth, Todo::CompareAndConfirm));

    fn possible(todo: Todo) -> Found {
        Some((FindingKind::NoticePossible, todo))
    }

    fn found(document: &Document, notice: Notice) -> Found {
        found_by(&facts(document), notice)
    }

    fn found_by(facts: &Facts<'_>, notice: Notice) -> Found {
        let findings = check(&Facts {
            notices: NoticeAnswer::Candidates(vec![notice]),
            document: facts.document,
            doubts: &[],
            proof: facts.proof,
            register: facts.register,
            list: facts.list,
            time: facts.time,
        });
        assert!(findings.len() <= 1);
        findings.first().map(|finding| (finding.kind, finding.todo))
    }

    /// What the officer typed: his number, and nothing of the rest.
    fn typed_number() -> Document {
        Document {
            kind: DocumentKind::TypedEntry,
            source: Source::Typed,
            numbers: vec![with_source(personal(HIS_NUMBER), Source::Typed)],
            name: None,
            birth: None,
            sex: None,
            issued: None,
            expiry: None,
            ..a_citizen()
        }
    }

    /// What the officer typed of a person without papers.
    fn typed_name(birth_date: (u16, u8, u8)) -> Document {
        Document {
            numbers: Vec::new(),
            name: Some(Field::new(name("nguyen van mau"), Source::Typed)),
            birth: Some(Field::new(birth(birth_date), Source::Typed)),
            sex: Some(Field::new(Sex::Male, Source::Typed)),
            ..typed_number()
        }
    }

    /// A notice of which only the number is about the citizen.
    fn number_only() -> Notice {
        Notice { birth: birth((1970, 1, 9)), sex: Some(Sex::Female), ..named("Trần Thử") }
    }

    /// A notice without a number.
    fn numberless() -> Notice {
        Notice { numbers: Vec::new(), ..wanted() }
    }

    #[test]
    fn a_number_and_one_other_field_match() {
        let citizen = a_citizen();
        assert_eq!(found(&citizen, wanted()), BY_NUMBER);
        for (what, notice) in [
            ("name", Notice { name: "NGUYEN VAN MAU".into(), ..number_only() }),
            ("other name", Notice { aliases: vec!["Nguyễn Văn Mẫu".into()], ..number_only() }),
            ("birth date", Notice { birth: birth((1988, 3, 2)), ..number_only() }),
        ] {
            assert_eq!(found(&citizen, notice), BY_NUMBER, "{what}");
        }
    }

    #[test]
    fn every_number_of_the_notice_counts() {
        for number in [
            number(NumberKind::Cancelled, HIS_NUMBER),
            number(NumberKind::Cmnd, "201999901"),
            number(NumberKind::Personal, HIS_NUMBER),
        ] {
            let notice = Notice { numbers: vec![number], sex: None, ..wanted() };
            assert_eq!(found(&a_citizen(), notice), BY_NUMBER);
        }
    }

    #[test]
    fn sex_and_year_say_nothing_beside_the_number_that_holds_them() {
        let notice = Notice { birth: birth((1988, 0, 0)), sex: Some(Sex::Male), ..number_only() };
        assert_eq!(found(&a_citizen(), notice), possible(Todo::ReadChip));
    }

    #[test]
    fn a_number_alone_asks_for_what_would_settle_it() {
        assert_eq!(found(&typed_number(), wanted()), possible(Todo::AskName));
        let named = Document { name: a_citizen().name, ..typed_number() };
        assert_eq!(found(&named, number_only()), possible(Todo::AskBirthDate));
        let complete = Document { birth: a_citizen().birth, ..named };
        assert_eq!(found(&complete, number_only()), possible(Todo::LookAgain));
        assert_eq!(found(&a_citizen_by_chip(), number_only()), possible(Todo::CallDuty));
    }

    #[test]
    fn name_birth_date_and_sex_match_without_a_number() {
        assert_eq!(found(&a_citizen(), numberless()), BY_NAME);
        assert_eq!(found(&typed_name((1988, 3, 2)), wanted()), BY_NAME);
    }

    #[test]
    fn only_a_genuine_chip_contradicts_by_its_number() {
        let notice =
            || Notice { numbers: vec![number(NumberKind::Personal, ANOTHER_NUMBER)], ..wanted() };
        let (qr, chip) = (a_citizen(), a_citizen_by_chip());
        for (document, proof, expected) in [
            (&qr, DocumentProof::NotProven, BY_NAME),
            (&qr, DocumentProof::Genuine, BY_NAME),
            (&chip, DocumentProof::Consistent, BY_NAME),
            (&chip, DocumentProof::CopyNotExcluded, BY_NAME),
            (&chip, DocumentProof::Refuted, BY_NAME),
            (&chip, DocumentProof::Genuine, possible(Todo::CompareAndConfirm)),
        ] {
            let facts = Facts { proof, ..facts(document) };
            assert_eq!(found_by(&facts, notice()), expected, "{proof:?} {:?}", document.source);
        }
    }

    #[test]
    fn a_proof_that_covers_no_name_contradicts_nothing() {
        let mut merged = a_citizen_by_chip();
        merged.name.as_mut().expect("a name").source = Source::Qr;
        let notice =
            Notice { numbers: vec![number(NumberKind::Personal, ANOTHER_NUMBER)], ..wanted() };
        let facts = Facts { proof: DocumentProof::Genuine, ..facts(&merged) };
        assert_eq!(found_by(&facts, notice), BY_NAME);
    }

    #[test]
    fn a_cut_off_name_with_its_birth_date_is_possible() {
        let cut = a_cut_name();
        let whole = format!("{}G THAO", cut.as_str());
        let document = Document { name: Some(Field::new(cut, Source::Mrz)), ..a_citizen() };
        let notice = Notice { name: whole, ..numberless() };
        assert_eq!(found(&document, notice.clone()), possible(Todo::CompareAndConfirm));
        assert_eq!(found(&document, Notice { name: "Trần Thử".into(), ..notice }), NOBODY);
    }

    #[test]
    fn name_and_birth_date_without_the_sex_are_possible() {
        let sexless = Document { sex: None, ..a_citizen() };
        assert_eq!(found(&sexless, numberless()), possible(Todo::EnterSex));
        let notice = Notice { sex: None, ..numberless() };
        assert_eq!(found(&a_citizen(), notice.clone()), possible(Todo::CompareAndConfirm));
        assert_eq!(found(&sexless, notice), possible(Todo::CompareAndConfirm));
        let notice = Notice { sex: Some(Sex::Female), ..numberless() };
        assert_eq!(found(&a_citizen(), notice), possible(Todo::CompareAndConfirm));
        let notice = Notice { sex: None, ..wanted() };
        assert_eq!(found(&typed_name((1988, 3, 2)), notice), possible(Todo::AskNumber));
    }

    #[test]
    fn another_name_is_possible_with_the_birth_date_and_nobody_without() {
        let known_as = |aliases: &str| Notice {
            aliases: vec![aliases.into()],
            name: "Trần Thử".into(),
            ..numberless()
        };
        let his = "Nguyễn Văn Mẫu";
        assert_eq!(found(&a_citizen(), known_as(his)), possible(Todo::CompareAndConfirm));
        for (what, notice) in [
            ("alone", Notice { birth: PartialDate::UNKNOWN, ..known_as(his) }),
            ("with the year", Notice { birth: birth((1988, 0, 0)), ..known_as(his) }),
            ("with another date", Notice { birth: birth((1988, 3, 3)), ..known_as(his) }),
            ("with another sex", Notice { sex: Some(Sex::Female), ..known_as(his) }),
            ("that is not his", known_as("Nguyễn Văn Thử")),
        ] {
            assert_eq!(found(&a_citizen(), notice), NOBODY, "{what}");
        }
    }

    #[test]
    fn a_name_alone_finds_nobody() {
        for (what, birth) in [
            ("no birth date", PartialDate::UNKNOWN),
            ("another day", birth((1988, 3, 3))),
            ("another year", birth((1989, 3, 2))),
        ] {
            assert_eq!(found(&a_citizen(), Notice { birth, ..numberless() }), NOBODY, "{what}");
        }
    }

    #[test]
    fn a_notice_that_knows_only_the_year_does_not_stop_every_namesake() {
        let of_the_year = |year| Notice { birth: birth(year), ..numberless() };
        assert_eq!(found(&a_citizen(), of_the_year((1988, 0, 0))), NOBODY);
        assert_eq!(
            found(&a_citizen(), of_the_year((1988, 3, 0))),
            possible(Todo::CompareAndConfirm)
        );
    }

    #[test]
    fn a_document_that_leaves_the_date_open_leads_to_the_question_for_it() {
        let of_the_year = typed_name((1988, 0, 0));
        assert_eq!(found(&of_the_year, wanted()), possible(Todo::AskBirthDate));
        let notice = Notice { birth: birth((1988, 0, 0)), ..wanted() };
        assert_eq!(found(&of_the_year, notice), possible(Todo::AskNumber));
        let notice = Notice { birth: birth((1988, 0, 0)), ..numberless() };
        assert_eq!(found(&of_the_year, notice), possible(Todo::CompareAndConfirm));

        let other_number = Document { numbers: vec![personal(ANOTHER_NUMBER)], ..of_the_year };
        assert_eq!(found(&other_number, wanted()), NOBODY);
        let other_sex = Notice { sex: Some(Sex::Female), ..wanted() };
        assert_eq!(found(&typed_name((1988, 0, 0)), other_sex), NOBODY);
    }

    #[test]
    fn every_notice_about_a_person_matches_and_none_about_a_document() {
        for category in Category::ALL.iter().copied() {
            let notice = Notice { category, ..wanted() };
            let expected = match category {
                Category::D1 | Category::D2 | Category::D3 => NOBODY,
                _ => BY_NUMBER,
            };
            assert_eq!(found(&a_citizen(), notice), expected, "{category:?}");
        }
    }

    #[test]
    fn a_notice_lapses_by_itself() {
        let citizen = a_citizen();
        let unproven = Some((FindingKind::NoticeLapseUnproven, Todo::CallDuty));
        for (lower, upper, expected) in [
            ("2026-11-20", "2026-11-24", BY_NUMBER),
            ("2026-11-24", "2026-11-24", BY_NUMBER),
            ("2026-11-24", "2026-11-25", unproven),
            ("2026-11-25", "2026-11-25", NOBODY),
            ("2026-11-25", "2026-12-25", NOBODY),
        ] {
            let facts = Facts { time: time_bounds(lower, upper), ..facts(&citizen) };
            let notice = Notice { valid_to: day("2026-11-24"), ..wanted() };
            assert_eq!(found_by(&facts, notice), expected, "{lower} to {upper}");
        }
    }

    #[test]
    fn a_lapsed_notice_about_somebody_else_stays_silent() {
        let citizen = a_citizen();
        let facts = Facts { time: time_bounds("2026-11-24", "2026-11-25"), ..facts(&citizen) };
        let notice =
            Notice { valid_to: day("2026-11-24"), numbers: Vec::new(), ..named("Lê Thử") };
        assert_eq!(found_by(&facts, notice), NOBODY);
    }

    #[test]
    fn a_finding_carries_its_legal_basis_and_what_agrees() {
        let citizen = a_citizen();
        let facts = Facts { notices: NoticeAnswer::Candidates(vec![wanted()]), ..facts(&citizen) };
        let finding = check(&facts).remove(0);
        let basis = finding.basis.expect("a legal basis");
        assert_eq!(
            (basis.notice, basis.category, basis.code.as_str()),
            (1_204, Category::W1, "173")
        );
        assert_eq!((basis.decision.as_str(), basis.issuer.as_str()), ("12/QĐ-MẪU", "Cơ quan mẫu"));
        assert_eq!((basis.decided, basis.valid_to), (day("2025-06-01"), day("2030-06-01")));
        assert_eq!((basis.action, basis.contact.as_str()), (wanted().action, "000 000"));
        assert_eq!(finding.agreements, Some(compare(&citizen, &wanted())));
    }

    #[test]
    fn notices_stand_in_the_order_of_category_and_number() {
        let citizen = a_citizen();
        let notices = vec![
            Notice { id: 3, category: Category::M1, ..wanted() },
            Notice { id: 9, category: Category::W3, ..wanted() },
            Notice { id: 2, category: Category::W3, ..wanted() },
        ];
        let facts = Facts { notices: NoticeAnswer::Candidates(notices), ..facts(&citizen) };
        let order: Vec<u64> =
            check(&facts).into_iter().filter_map(|f| f.basis.map(|basis| basis.notice)).collect();
        assert_eq!(order, [2, 9, 3]);
    }
}
