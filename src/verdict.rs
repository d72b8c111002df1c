//! Makes one answer of all findings.
//!
//! The last step of judging: [`crate::checks`] finds, this module takes the strictest, and the screen
//! shows it. There is one rule, so that there is one place to look: an answer begins at what the
//! document's proof allows and findings only raise it. Nothing lowers it; what an officer does on a
//! device cannot.
//!
//! An answer is about a document and what is on file for it. It concludes nothing about a person.

use std::cmp::Reverse;

use sync_format::v1::register::{Agreement, Status};

use crate::checks::{self, Basis, DocumentProof, Facts, ListState, RegisterAnswer, Todo};
pub use crate::checks::{Finding, Verdict};

/// What the officer is told: the verdict, and always what it rests on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The strictest of all findings.
    pub verdict: Verdict,
    /// All findings, the strictest first; the first one leads the screen.
    pub findings: Vec<Finding>,
    /// What is proven of the document.
    pub proof: DocumentProof,
    /// Which list was asked, its age and what its policy says of that.
    pub list: ListState,
    /// What the register said, in one line.
    pub register: RegisterLine,
}

impl Answer {
    /// Returns the legal basis of the notice that leads the answer, where one does.
    pub fn leading_basis(&self) -> Option<&Basis> {
        self.findings.iter().find_map(|finding| finding.basis.as_ref())
    }

    /// Returns this answer with what another answer about the same encounter found: the stricter
    /// verdict, and the findings of both.
    ///
    /// For a card whose chip states otherwise than its print: what was found of either counts.
    /// Proof, list and register stay those of this answer.
    pub fn and(mut self, other: Answer) -> Answer {
        for finding in other.findings {
            if !self.findings.contains(&finding) {
                self.findings.push(finding);
            }
        }
        self.findings.sort_by_key(|finding| Reverse(finding.verdict));
        self.verdict = self.verdict.max(other.verdict);
        self
    }

    /// Returns the one thing to do next: what the leading finding asks for, and with no finding to
    /// compare the photo with the person.
    pub fn todo(&self) -> Todo {
        self.findings.first().map_or(Todo::ComparePhoto, |finding| finding.todo)
    }
}

/// What the register said; stands under every verdict and decides none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegisterLine {
    /// No register is installed.
    NotLoaded,
    /// The installed register does not cover this number's region.
    OutOfRegion,
    /// The document has no personal number to ask for.
    NotAsked,
    /// The register should have been asked, and gave no answer: no look-up is left in this hour, or
    /// it could not be read.
    NoAnswer,
    /// The number is not in the register.
    Unknown,
    /// A field differs, or the document or its holder is not what the card says.
    Differs,
    /// At least one field agrees and none differs.
    Agrees,
    /// The number is in the register, and no field could be compared.
    NumberOnly,
}

impl RegisterLine {
    /// All of them.
    pub const ALL: [RegisterLine; 8] = [
        RegisterLine::NotLoaded,
        RegisterLine::OutOfRegion,
        RegisterLine::NotAsked,
        RegisterLine::NoAnswer,
        RegisterLine::Unknown,
        RegisterLine::Differs,
        RegisterLine::Agrees,
        RegisterLine::NumberOnly,
    ];

    /// Returns the name used by the command line and the tests.
    pub fn code(self) -> &'static str {
        match self {
            RegisterLine::NotLoaded => "not-loaded",
            RegisterLine::OutOfRegion => "out-of-region",
            RegisterLine::NotAsked => "not-asked",
            RegisterLine::NoAnswer => "no-answer",
            RegisterLine::Unknown => "unknown",
            RegisterLine::Differs => "differs",
            RegisterLine::Agrees => "agrees",
            RegisterLine::NumberOnly => "number-only",
        }
    }

    fn of(answer: &RegisterAnswer) -> RegisterLine {
        let (fields, status) = match *answer {
            RegisterAnswer::NotLoaded => return RegisterLine::NotLoaded,
            RegisterAnswer::OutOfRegion => return RegisterLine::OutOfRegion,
            RegisterAnswer::NotAsked => return RegisterLine::NotAsked,
            RegisterAnswer::NoAnswer(_) => return RegisterLine::NoAnswer,
            RegisterAnswer::Unknown => return RegisterLine::Unknown,
            RegisterAnswer::Row { name, birth, issued, status } => ([name, birth, issued], status),
        };
        if status != Status::Valid || fields.contains(&Agreement::Differs) {
            RegisterLine::Differs
        } else if fields.contains(&Agreement::Agrees) {
            RegisterLine::Agrees
        } else {
            RegisterLine::NumberOnly
        }
    }
}

/// Returns the answer to `facts`. Total: every value of the facts has one.
pub fn decide(facts: &Facts<'_>) -> Answer {
    let findings = checks::run(facts);
    let proof = facts.proven();
    Answer {
        verdict: strictest(mildest_for(proof), &findings),
        findings,
        proof,
        list: facts.list,
        register: RegisterLine::of(&facts.register),
    }
}

/// Returns the answer for a document on which nothing is on file.
///
/// Solid green takes a chip that is proven genuine and no copy: a wanted man can print the QR code of
/// a clean citizen.
fn mildest_for(proof: DocumentProof) -> Verdict {
    match proof {
        DocumentProof::Genuine => Verdict::Clear,
        DocumentProof::NotProven
        | DocumentProof::Consistent
        | DocumentProof::CopyNotExcluded
        | DocumentProof::Refuted => Verdict::NotListed,
    }
}

/// Returns the strictest of a starting point and all findings.
fn strictest(start: Verdict, findings: &[Finding]) -> Verdict {
    findings.iter().map(|finding| finding.verdict).fold(start, Verdict::max)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sync_format::v1::notice::{Category, Notice, NumberKind, Sex};

    use super::*;
    use crate::checks::testing::{
        facts, list_aged, list_that_demands_the_chip, list_without_its_changes, now, time_bounds,
    };
    use crate::checks::{FindingKind, NoticeAnswer};
    use crate::clock::{DeviceTime, TrustedTime};
    use crate::document::{Document, DocumentKind, Expiry, Field, PartialDate, Source, Warning};
    use crate::matching::testing::{
        ANOTHER_NUMBER, HIS_NUMBER, a_citizen, a_citizen_by_chip, birth, cmnd, day, name, named,
        number, personal, reported, wanted, with_source,
    };

    fn candidates(notices: impl IntoIterator<Item = Notice>) -> NoticeAnswer {
        NoticeAnswer::Candidates(notices.into_iter().collect())
    }

    /// Asserts the verdict and the codes of its findings.
    fn assert_answer(facts: &Facts<'_>, verdict: Verdict, expected: &[&str]) -> Answer {
        let answer = decide(facts);
        let codes: Vec<&str> = answer.findings.iter().map(|found| found.kind.code()).collect();
        assert_eq!((answer.verdict, codes.as_slice()), (verdict, expected));
        answer
    }

    #[test]
    fn match_takes_a_number_and_another_field_or_name_date_and_sex() {
        let citizen = a_citizen();
        let by_number = Facts { notices: candidates([wanted()]), ..facts(&citizen) };
        let answer = assert_answer(&by_number, Verdict::Match, &["notice-number"]);
        assert_eq!(answer.todo(), Todo::CompareAndConfirm);

        let notice = Notice { numbers: Vec::new(), ..wanted() };
        let by_name = Facts { notices: candidates([notice]), ..facts(&citizen) };
        assert_answer(&by_name, Verdict::Match, &["notice-name-birth"]);
    }

    #[test]
    fn refer_is_for_what_cannot_be_ruled_out_or_disagrees() {
        let citizen = a_citizen();
        let refused = |facts: &Facts<'_>, code: &str| {
            assert_answer(facts, Verdict::Refer, &[code]);
        };

        let number_only = Notice { birth: birth((1970, 1, 9)), ..named("Trần Thử") };
        refused(
            &Facts { notices: candidates([number_only]), ..facts(&citizen) },
            "notice-possible",
        );
        let lost = reported(Category::D1, "2026-09-03");
        refused(&Facts { notices: candidates([lost]), ..facts(&citizen) }, "document-lost");
        let revoked = reported(Category::D3, "2026-09-03");
        refused(&Facts { notices: candidates([revoked]), ..facts(&citizen) }, "document-revoked");
        refused(
            &Facts { register: RegisterAnswer::Unknown, ..facts(&citizen) },
            "register-unknown-number",
        );
        let lapsing = Notice { valid_to: day("2026-11-24"), ..wanted() };
        refused(
            &Facts {
                notices: candidates([lapsing]),
                time: time_bounds("2026-11-24", "2026-11-25"),
                ..facts(&citizen)
            },
            "notice-lapse-unproven",
        );

        let by_chip = a_citizen_by_chip();
        refused(&Facts { proof: DocumentProof::Refuted, ..facts(&by_chip) }, "chip-refuted");
        let expired = Document {
            expiry: Some(Field::new(Expiry::On(day("2023-03-12")), Source::Derived)),
            ..a_citizen()
        };
        refused(&facts(&expired), "document-expired");
        let contradictory =
            Document { warnings: vec![Warning::SexDiffersFromNumber], ..a_citizen() };
        refused(&facts(&contradictory), "number-sex-contradiction");
    }

    #[test]
    fn clear_takes_a_chip_that_is_genuine_and_no_copy() {
        let by_chip = a_citizen_by_chip();
        for (proof, expected) in [
            (DocumentProof::Genuine, Verdict::Clear),
            (DocumentProof::CopyNotExcluded, Verdict::NotListed),
            (DocumentProof::Consistent, Verdict::NotListed),
            (DocumentProof::NotProven, Verdict::NotListed),
        ] {
            let answer = assert_answer(&Facts { proof, ..facts(&by_chip) }, expected, &[]);
            assert_eq!(answer.proof, proof);
        }
    }

    #[test]
    fn not_listed_is_all_that_an_unproven_document_gets() {
        let citizen = a_citizen();
        let answer = assert_answer(&facts(&citizen), Verdict::NotListed, &[]);
        assert_eq!(answer.todo(), Todo::ComparePhoto);
        let claimed = Facts { proof: DocumentProof::Genuine, ..facts(&citizen) };
        let answer = assert_answer(&claimed, Verdict::NotListed, &[]);
        assert_eq!(answer.proof, DocumentProof::NotProven);
    }

    #[test]
    fn not_checked_is_for_a_list_or_a_time_that_cannot_answer() {
        let by_chip = a_citizen_by_chip();
        let proven = || Facts { proof: DocumentProof::Genuine, ..facts(&by_chip) };
        let missing = Facts { list: ListState::None, notices: NoticeAnswer::NotLoaded, ..proven() };
        assert_answer(&missing, Verdict::NotChecked, &["list-missing"]);
        let too_old = Facts { list: list_aged(73), ..proven() };
        assert_answer(&too_old, Verdict::NotChecked, &["list-too-old"]);
        let time = TrustedTime::new(now(), now().plus_seconds(-60));
        assert_answer(&Facts { time, ..proven() }, Verdict::NotChecked, &["time-not-trusted"]);
        let copy = Facts {
            list: list_that_demands_the_chip(),
            proof: DocumentProof::CopyNotExcluded,
            ..facts(&by_chip)
        };
        assert_answer(&copy, Verdict::NotChecked, &["chip-demanded"]);
    }

    #[test]
    fn what_an_old_list_holds_is_still_shown() {
        let citizen = a_citizen();
        let facts =
            Facts { list: list_aged(73), notices: candidates([wanted()]), ..facts(&citizen) };
        assert_answer(&facts, Verdict::Match, &["notice-number", "list-too-old"]);
    }

    #[test]
    fn without_its_changes_a_list_neither_matches_nor_clears() {
        let (citizen, by_chip) = (a_citizen(), a_citizen_by_chip());
        let list = list_without_its_changes();
        let matched = Facts { list, notices: candidates([wanted()]), ..facts(&citizen) };
        let expected = ["notice-unconfirmed", "list-incomplete"];
        let answer = assert_answer(&matched, Verdict::Refer, &expected);
        assert_eq!(answer.todo(), Todo::CallDuty);
        assert_eq!(answer.leading_basis().map(|basis| basis.notice), Some(wanted().id));
        for document in [&citizen, &by_chip] {
            let silent = Facts { list, proof: DocumentProof::Genuine, ..facts(document) };
            let answer = assert_answer(&silent, Verdict::NotChecked, &["list-incomplete"]);
            assert_eq!(answer.todo(), Todo::LoadList);
        }
    }

    #[test]
    fn a_register_that_cannot_answer_is_one_line_and_no_finding() {
        let citizen = a_citizen();
        for (register, line) in [
            (RegisterAnswer::NotLoaded, RegisterLine::NotLoaded),
            (RegisterAnswer::OutOfRegion, RegisterLine::OutOfRegion),
            (RegisterAnswer::NotAsked, RegisterLine::NotAsked),
        ] {
            let facts = Facts { register, ..facts(&citizen) };
            assert_eq!(assert_answer(&facts, Verdict::NotListed, &[]).register, line);
        }
    }

    #[test]
    fn the_register_line_sums_up_what_the_register_said() {
        use Agreement::{Agrees, Differs, NotKnown};
        for (fields, status, expected) in [
            ([Agrees, NotKnown, NotKnown], Status::Valid, RegisterLine::Agrees),
            ([NotKnown; 3], Status::Valid, RegisterLine::NumberOnly),
            ([Agrees, Differs, Agrees], Status::Valid, RegisterLine::Differs),
            ([Agrees; 3], Status::Deceased, RegisterLine::Differs),
        ] {
            let [name, birth, issued] = fields;
            let row = RegisterAnswer::Row { name, birth, issued, status };
            assert_eq!(RegisterLine::of(&row), expected, "{fields:?} {status:?}");
        }
        assert_eq!(RegisterLine::of(&RegisterAnswer::Unknown), RegisterLine::Unknown);
    }

    #[test]
    fn every_answer_shows_what_it_rests_on() {
        let by_chip = a_citizen_by_chip();
        for notices in [candidates([]), candidates([wanted()])] {
            let facts = Facts {
                notices,
                proof: DocumentProof::CopyNotExcluded,
                list: list_aged(48),
                ..facts(&by_chip)
            };
            let answer = decide(&facts);
            assert_eq!(answer.proof, DocumentProof::CopyNotExcluded);
            assert_eq!(answer.list, list_aged(48));
            assert_eq!(answer.register, RegisterLine::Agrees);
        }
    }

    /// Any document of people who are easily mistaken for the citizen.
    fn any_document() -> impl Strategy<Value = Document> {
        let source = prop::sample::select(vec![
            Source::Qr,
            Source::Mrz,
            Source::Chip,
            Source::Typed,
            Source::Derived,
        ]);
        let kind = prop::sample::select(vec![
            DocumentKind::CitizenCard,
            DocumentKind::IdentityCard,
            DocumentKind::Passport,
            DocumentKind::TypedEntry,
        ]);
        let numbers = prop::sample::subsequence(
            vec![personal(HIS_NUMBER), personal(ANOTHER_NUMBER), cmnd("201999901")],
            0..=3,
        );
        let names = prop::option::of(prop::sample::select(vec!["Nguyễn Văn Mẫu", "Trần Thử"]));
        let warnings = prop::sample::subsequence(
            vec![Warning::SexDiffersFromNumber, Warning::BirthIncomplete],
            0..=2,
        );
        let issued = prop::option::of(prop::sample::select(vec!["2022-05-10", "2026-10-01"]));
        let expiry = prop::option::of(prop::sample::select(vec![
            Expiry::Never,
            Expiry::On(day("2026-11-23")),
            Expiry::On(day("2030-01-01")),
        ]));
        let person = (names, prop::option::of(any_birth()), prop::option::of(any_sex()));
        (source, kind, numbers, person, warnings, issued, expiry).prop_map(
            |(source, kind, numbers, (names, birth, sex), warnings, issued, expiry)| Document {
                kind,
                source,
                numbers: numbers.into_iter().map(|n| with_source(n, source)).collect(),
                name: names.map(|text| Field::new(name(text), source)),
                birth: birth.map(|date| Field::new(date, source)),
                sex: sex.map(|sex| Field::new(sex, source)),
                issued: issued.map(|iso| Field::new(day(iso), source)),
                expiry: expiry.map(|expiry| Field::new(expiry, source)),
                warnings,
                ..a_citizen()
            },
        )
    }

    /// Any notice of any category about the citizen, or about somebody who resembles him.
    fn any_notice() -> impl Strategy<Value = Notice> {
        let category = prop::sample::select(Category::ALL.to_vec());
        let names = prop::sample::select(vec!["Nguyễn Văn Mẫu", "Trần Thử", ""]);
        let aliases = prop::sample::subsequence(vec!["Nguyễn Văn Mẫu", "Lê Thử"], 0..=2);
        let numbers = prop::sample::subsequence(
            vec![
                number(NumberKind::Personal, HIS_NUMBER),
                number(NumberKind::Personal, ANOTHER_NUMBER),
                number(NumberKind::Cancelled, HIS_NUMBER),
                number(NumberKind::Cmnd, "201999901"),
            ],
            0..=4,
        );
        let valid_to =
            prop::sample::select(vec!["2026-11-22", "2026-11-23", "2026-11-24", "2030-06-01"]);
        let person = (names, aliases, any_birth(), prop::option::of(any_sex()), numbers);
        (category, person, valid_to).prop_map(
            |(category, (names, aliases, birth, sex, numbers), valid_to)| Notice {
                category,
                name: names.into(),
                aliases: aliases.into_iter().map(String::from).collect(),
                birth,
                sex,
                numbers,
                valid_to: day(valid_to),
                ..wanted()
            },
        )
    }

    /// Several notices, each with an order number of its own.
    fn any_notices() -> impl Strategy<Value = Vec<Notice>> {
        prop::collection::vec(any_notice(), 0..5).prop_map(|mut notices| {
            for (notice, id) in notices.iter_mut().zip(1..) {
                notice.id = id;
            }
            notices
        })
    }

    fn any_birth() -> impl Strategy<Value = PartialDate> {
        prop::sample::select(vec![
            birth((1988, 3, 2)),
            birth((1988, 3, 0)),
            birth((1988, 0, 0)),
            birth((1990, 4, 5)),
            PartialDate::UNKNOWN,
        ])
    }

    fn any_sex() -> impl Strategy<Value = Sex> {
        prop::sample::select(vec![Sex::Male, Sex::Female])
    }

    fn any_proof() -> impl Strategy<Value = DocumentProof> {
        prop::sample::select(vec![
            DocumentProof::NotProven,
            DocumentProof::Consistent,
            DocumentProof::CopyNotExcluded,
            DocumentProof::Genuine,
            DocumentProof::Refuted,
        ])
    }

    fn any_register() -> impl Strategy<Value = RegisterAnswer> {
        let agreement = || {
            prop::sample::select(vec![Agreement::Agrees, Agreement::Differs, Agreement::NotKnown])
        };
        let status = prop::sample::select(vec![Status::Valid, Status::Lost, Status::Deceased]);
        prop_oneof![
            Just(RegisterAnswer::NotLoaded),
            Just(RegisterAnswer::OutOfRegion),
            Just(RegisterAnswer::NotAsked),
            Just(RegisterAnswer::Unknown),
            (agreement(), agreement(), agreement(), status).prop_map(
                |(name, birth, issued, status)| RegisterAnswer::Row { name, birth, issued, status }
            ),
        ]
    }

    fn any_list() -> impl Strategy<Value = ListState> {
        prop_oneof![
            Just(ListState::None),
            Just(list_aged(3)),
            Just(list_aged(48)),
            Just(list_aged(73)),
            Just(list_that_demands_the_chip()),
            Just(list_without_its_changes()),
        ]
    }

    fn any_time() -> impl Strategy<Value = TrustedTime> {
        prop_oneof![
            8 => prop::sample::select(vec![
                time_bounds("2026-11-24", "2026-11-24"),
                time_bounds("2026-11-22", "2026-11-24"),
                time_bounds("2026-11-24", "2026-11-22"),
            ]),
            1 => (any::<i64>(), any::<i64>())
                .prop_map(|(floor, real)| TrustedTime::new(DeviceTime(floor), DeviceTime(real))),
        ]
    }

    /// Everything but the document and the notices.
    fn any_circumstances()
    -> impl Strategy<Value = (DocumentProof, RegisterAnswer, ListState, TrustedTime)> {
        (any_proof(), any_register(), any_list(), any_time())
    }

    fn answer(
        document: &Document,
        notices: &[Notice],
        (proof, register, list, time): (DocumentProof, RegisterAnswer, ListState, TrustedTime),
    ) -> Answer {
        let notices = candidates(notices.iter().cloned());
        decide(&Facts { document, proof, doubts: &[], notices, register, list, time })
    }

    proptest! {
        #[test]
        fn one_more_finding_never_makes_a_verdict_milder(
            start in prop::sample::select(Verdict::ALL.to_vec()),
            kinds in prop::collection::vec(prop::sample::select(FindingKind::ALL.to_vec()), 1..6),
        ) {
            let citizen = a_citizen();
            let notices = candidates([wanted()]);
            let template = checks::run(&Facts { notices, ..facts(&citizen) }).remove(0);
            let findings: Vec<Finding> = kinds
                .into_iter()
                .map(|kind| Finding { kind, verdict: kind.verdict(), ..template.clone() })
                .collect();
            for known in 0..findings.len() {
                let before = strictest(start, &findings[..known]);
                let after = strictest(start, &findings[..=known]);
                prop_assert!(after >= before);
                prop_assert!(after >= findings[known].verdict);
            }
        }

        #[test]
        fn one_more_notice_never_makes_a_verdict_milder(
            document in any_document(),
            notices in any_notices(),
            circumstances in any_circumstances(),
        ) {
            for known in 0..notices.len() {
                let before = answer(&document, &notices[..known], circumstances);
                let after = answer(&document, &notices[..=known], circumstances);
                prop_assert!(after.verdict >= before.verdict);
                prop_assert!(before.findings.iter().all(|found| after.findings.contains(found)));
            }
        }

        #[test]
        fn the_order_of_notices_is_irrelevant(
            document in any_document(),
            (notices, shuffled) in
                any_notices().prop_flat_map(|list| (Just(list.clone()), Just(list).prop_shuffle())),
            circumstances in any_circumstances(),
        ) {
            prop_assert_eq!(
                answer(&document, &notices, circumstances),
                answer(&document, &shuffled, circumstances)
            );
        }

        #[test]
        fn a_notice_that_has_lapsed_for_certain_never_appears(
            document in any_document(),
            notices in any_notices(),
            circumstances in any_circumstances(),
        ) {
            let lower = crate::document::Date::from_days(circumstances.3.lower.vietnam_day());
            let in_force: Vec<Notice> =
                notices.iter().filter(|notice| notice.valid_to >= lower).cloned().collect();
            prop_assert_eq!(
                answer(&document, &notices, circumstances),
                answer(&document, &in_force, circumstances)
            );
        }

        #[test]
        fn lost_changes_leave_nothing_but_not_checked_and_refer(
            document in any_document(),
            notices in any_notices(),
            (proof, register, _, time) in any_circumstances(),
        ) {
            let whole = answer(&document, &notices, (proof, register, list_aged(3), time));
            let lost =
                answer(&document, &notices, (proof, register, list_without_its_changes(), time));
            let expected = match whole.verdict {
                Verdict::Clear | Verdict::NotListed | Verdict::NotChecked => Verdict::NotChecked,
                Verdict::Refer | Verdict::Match => Verdict::Refer,
            };
            prop_assert_eq!(lost.verdict, expected);
        }

        #[test]
        fn a_match_rests_on_a_number_and_a_field_or_on_name_date_and_sex(
            document in any_document(),
            notices in any_notices(),
            circumstances in any_circumstances(),
        ) {
            use crate::matching::{FieldAgreement::Agrees, NumberAgreement};
            for found in answer(&document, &notices, circumstances).findings {
                if found.verdict == Verdict::Match {
                    let what = found.agreements.expect("a match rests on a notice");
                    let by_number = matches!(what.numbers, NumberAgreement::Agrees { .. })
                        && (what.name == Agrees || what.birth == Agrees || what.alias);
                    let by_name = [what.name, what.birth, what.sex] == [Agrees; 3];
                    prop_assert!(by_number || by_name);
                }
            }
        }

        #[test]
        fn a_name_or_another_name_alone_is_never_a_match(
            document in any_document(),
            notices in any_notices(),
            circumstances in any_circumstances(),
            year_only: bool,
        ) {
            let vague: Vec<Notice> = notices
                .into_iter()
                .map(|notice| Notice {
                    numbers: Vec::new(),
                    birth: if year_only { birth((1988, 0, 0)) } else { PartialDate::UNKNOWN },
                    ..notice
                })
                .collect();
            prop_assert!(answer(&document, &vague, circumstances).verdict < Verdict::Match);
        }

        #[test]
        fn another_name_without_a_number_is_never_a_match(
            document in any_document(),
            notices in any_notices(),
            circumstances in any_circumstances(),
        ) {
            let aliases_only: Vec<Notice> = notices
                .into_iter()
                .map(|notice| Notice {
                    name: "Phạm Thử".into(),
                    aliases: vec!["Nguyễn Văn Mẫu".into(), "Trần Thử".into()],
                    numbers: Vec::new(),
                    ..notice
                })
                .collect();
            prop_assert!(answer(&document, &aliases_only, circumstances).verdict < Verdict::Match);
        }

        #[test]
        fn clear_takes_a_genuine_chip_and_a_list_that_can_answer(
            document in any_document(),
            notices in any_notices(),
            circumstances in any_circumstances(),
        ) {
            let (proof, _, list, time) = circumstances;
            let answer = answer(&document, &notices, circumstances);
            if answer.verdict == Verdict::Clear {
                prop_assert_eq!(document.source, Source::Chip);
                prop_assert_eq!((proof, answer.proof), (DocumentProof::Genuine, proof));
                prop_assert!(!time.is_suspect());
                prop_assert!(matches!(
                    list.condition(),
                    checks::ListCondition::Fresh | checks::ListCondition::Ageing
                ));
                prop_assert!(answer.findings.is_empty());
            }
        }

        #[test]
        fn a_legal_basis_stands_with_every_finding_from_a_notice_and_no_other(
            document in any_document(),
            notices in any_notices(),
            circumstances in any_circumstances(),
        ) {
            for found in answer(&document, &notices, circumstances).findings {
                let from_notice = found.origin == checks::Origin::Notices;
                prop_assert_eq!(found.basis.is_some(), from_notice);
                prop_assert_eq!(found.agreements.is_some(), from_notice);
            }
        }
    }
}
