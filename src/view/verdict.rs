//! The verdict: the answer, what it rests on, and the one thing to do next.

use std::rc::Rc;

use fieldcheck_ui as ui;
use slint::{ModelRc, VecModel};
use sync_format::v1::notice::{Action, Category, Caution, Notice};

use super::{View, callback, callback_with, date_text, list_line, partial_date_text, to_int};
use crate::checks::{Basis, DocumentProof, Finding, FindingKind, Verdict};
use crate::document::{Date, Document, Expiry, NumberKind, PersonalNumber, Sex, Source};
use crate::matching::{self, FieldAgreement, NumberAgreement};
use crate::verdict::RegisterLine;
use crate::worker::{Checked, Request};

/// From this age a person is addressed as an elder. Chosen: the age of retirement, rounded.
const ELDER_YEARS: u16 = 60;

/// Sets the callbacks.
pub(super) fn connect(view: &Rc<View>) {
    let verdict = view.global::<ui::VerdictView>();
    verdict.on_next(callback(view, super::scan::start));
    verdict.on_type_in(callback(view, super::entry::start));
    verdict.on_open_load(callback(view, super::load::open));
    verdict.on_ticked(callback(view, super::outcome::show_checks));
    verdict.on_save_again(callback(view, |view| view.ask(Request::RecordCheck)));
    verdict.on_alike(callback(view, |view| {
        let verdict = view.global::<ui::VerdictView>();
        // Without a photo it is the marks and numbers that were compared.
        if verdict.get_record_shown().has_photo {
            verdict.set_check_photo(true);
        } else {
            verdict.set_check_numbers(true);
        }
        verdict.set_step(ui::VerdictStep::Answer);
        super::outcome::show_checks(view);
    }));
    verdict.on_wrong_person(callback(view, |view| {
        super::outcome::start(view, ui::OutcomeChoice::NotThisPerson);
    }));
    verdict.on_record(callback(view, |view| {
        if view.global::<ui::VerdictView>().get_answer() == ui::VerdictKind::Match {
            super::outcome::start(view, ui::OutcomeChoice::None);
        } else {
            // Everything else is recorded already; pressing it again shows that it is.
            view.ask(Request::RecordCheck);
        }
    }));
    verdict.on_close(callback(view, |view| {
        view.forget();
        view.ask(Request::Home);
        view.go(ui::Screen::Home);
    }));
    verdict.on_clarified(callback(view, |view| {
        view.ask(Request::Clarify);
    }));
    verdict.on_answered(callback_with(view, |view, answer: ui::AnswerKind| {
        // Words are no proof: an answer changes what to do next, never the verdict. One that does not
        // fit stands, and is recorded: it is not taken back by asking until it fits.
        let verdict = view.global::<ui::VerdictView>();
        if verdict.get_reply() == ui::Reply::Other {
            return;
        }
        verdict.set_reply(match answer {
            ui::AnswerKind::AsCard => ui::Reply::AsCard,
            ui::AnswerKind::Other => ui::Reply::Other,
            ui::AnswerKind::Unknown => ui::Reply::Unknown,
        });
        if answer == ui::AnswerKind::Other {
            view.ask(Request::AnswerDiffers);
        }
    }));
    verdict.on_details(callback_with(view, |view, reason: ui::RecordReason| {
        let id = view.state.borrow().checked.as_ref().and_then(leading_notice);
        if let Some(id) = id {
            let reason = match reason {
                ui::RecordReason::Comparing => 1,
                ui::RecordReason::DutyOfficer => 2,
            };
            view.ask(Request::OpenNotice { id, reason });
        }
    }));
}

/// Returns the notice that decides an answer.
pub(super) fn leading_notice(checked: &Checked) -> Option<u64> {
    checked.answer.leading_basis().map(|basis| basis.notice)
}

/// Shows the answer to a check.
pub(super) fn show(view: &Rc<View>, checked: Checked) {
    clear(view);
    super::scan::clear(view);
    let verdict = view.global::<ui::VerdictView>();
    let answer = &checked.answer;
    verdict.set_answer(match answer.verdict {
        Verdict::Clear => ui::VerdictKind::Clear,
        Verdict::NotListed => ui::VerdictKind::NotListed,
        Verdict::NotChecked => ui::VerdictKind::NotChecked,
        Verdict::Refer => ui::VerdictKind::Refer,
        Verdict::Match => ui::VerdictKind::Match,
    });
    verdict.set_list(list_line(&answer.list, checked.now));
    verdict.set_proof(proof(answer.proof, checked.document.source));
    let today = Date::from_days(checked.now.vietnam_day());
    verdict.set_person(person(&checked.document, today));
    let findings: Vec<ui::FindingLine> =
        answer.findings.iter().map(|finding| finding_line(finding, &checked.document)).collect();
    verdict.set_findings(ModelRc::new(VecModel::from(findings)));
    if let Some(basis) = answer.leading_basis() {
        verdict.set_has_notice(true);
        verdict.set_notice(notice_line(basis));
    }
    let notices = answer.findings.iter().filter(|finding| finding.basis.is_some()).count();
    verdict.set_other_notices(to_int(u32::try_from(notices.saturating_sub(1)).unwrap_or(0)));
    verdict.set_register(match answer.register {
        RegisterLine::NotLoaded => ui::RegisterLine::NotLoaded,
        RegisterLine::OutOfRegion => ui::RegisterLine::OutOfRegion,
        RegisterLine::NotAsked => ui::RegisterLine::NotAsked,
        RegisterLine::NoAnswer => ui::RegisterLine::NoAnswer,
        RegisterLine::Unknown => ui::RegisterLine::Unknown,
        RegisterLine::Differs => ui::RegisterLine::Differs,
        RegisterLine::Agrees => ui::RegisterLine::Agrees,
        RegisterLine::NumberOnly => ui::RegisterLine::NumberOnly,
    });
    verdict.set_asks_before_close(answer.verdict == Verdict::Match);
    {
        let mut state = view.state.borrow_mut();
        state.checked = Some(checked);
        state.entry = super::entry::Entered::default();
    }
    view.touch();
    super::entry::clear(view);
    view.go(ui::Screen::Verdict);
}

/// Takes the person and the answer from the screen.
pub(super) fn clear(view: &Rc<View>) {
    let verdict = view.global::<ui::VerdictView>();
    verdict.set_step(ui::VerdictStep::Answer);
    verdict.set_answer(ui::VerdictKind::NotChecked);
    verdict.set_list(ui::ListLine::default());
    verdict.set_proof(ui::Proof::Qr);
    verdict.set_register(ui::RegisterLine::NotAsked);
    verdict.set_asks_before_close(false);
    verdict.set_unsaved(false);
    verdict.set_person(ui::PersonLine::default());
    verdict.set_findings(ModelRc::new(VecModel::default()));
    verdict.set_has_notice(false);
    verdict.set_notice(ui::NoticeLine::default());
    verdict.set_other_notices(0);
    verdict.set_record_shown(ui::NoticeRecord::default());
    verdict.set_check_photo(false);
    verdict.set_check_numbers(false);
    verdict.set_check_second(false);
    verdict.set_asking(false);
    verdict.set_reply(ui::Reply::None);
}

/// Shows that the record of the check was committed.
pub(super) fn show_saved(view: &Rc<View>) {
    view.global::<ui::VerdictView>().set_unsaved(false);
    view.ask(Request::Home);
}

/// Shows the notice's own record beside what was read.
pub(super) fn show_notice(view: &Rc<View>, notice: &Notice) {
    let state = view.state.borrow();
    let Some(checked) = &state.checked else { return };
    let agreements = matching::compare(&checked.document, notice);
    let verdict = view.global::<ui::VerdictView>();
    verdict.set_record_shown(ui::NoticeRecord {
        name: notice.name.as_str().into(),
        aliases: notice.aliases.join(", ").into(),
        birth: partial_date_text(notice.birth).into(),
        number: notice
            .numbers
            .iter()
            .map(|number| grouped(number.kind, &number.text))
            .collect::<Vec<_>>()
            .join(", ")
            .into(),
        marks: notice.marks.as_str().into(),
        // Photos come with a later version of the list; the screen shows an empty frame.
        has_photo: false,
        photo: slint::Image::default(),
        number_agrees: match agreements.numbers {
            NumberAgreement::Agrees { .. } => ui::FieldAgreement::Agrees,
            NumberAgreement::Differs { .. } => ui::FieldAgreement::Differs,
            NumberAgreement::NotKnown => ui::FieldAgreement::Unknown,
        },
        name_agrees: field_agreement(agreements.name),
        birth_agrees: field_agreement(agreements.birth),
    });
    verdict.set_step(ui::VerdictStep::Notice);
}

fn field_agreement(agreement: FieldAgreement) -> ui::FieldAgreement {
    match agreement {
        FieldAgreement::Agrees => ui::FieldAgreement::Agrees,
        FieldAgreement::Differs => ui::FieldAgreement::Differs,
        FieldAgreement::Partly | FieldAgreement::NotKnown => ui::FieldAgreement::Unknown,
    }
}

fn grouped(kind: NumberKind, text: &str) -> String {
    crate::document::DocumentNumber::new(kind, text)
        .map_or_else(|| text.to_owned(), |number| number.grouped())
}

fn proof(proof: DocumentProof, source: Source) -> ui::Proof {
    match proof {
        DocumentProof::NotProven if source == Source::Typed => ui::Proof::Typed,
        DocumentProof::NotProven => ui::Proof::Qr,
        DocumentProof::Consistent => ui::Proof::Consistent,
        DocumentProof::CopyNotExcluded => ui::Proof::CopyNotExcluded,
        DocumentProof::Genuine => ui::Proof::Genuine,
        DocumentProof::Refuted => ui::Proof::Refuted,
    }
}

fn person(document: &Document, today: Date) -> ui::PersonLine {
    let birth = document.birth.as_ref().map(|birth| birth.value);
    let sex = document.sex.as_ref().map(|sex| sex.value);
    let number = document.numbers.first();
    ui::PersonLine {
        name: document
            .name
            .as_ref()
            .map(|name| name.value.as_str().to_uppercase())
            .unwrap_or_default()
            .into(),
        birth: birth.map(partial_date_text).unwrap_or_default().into(),
        sex: super::entry::sex_to_ui(sex),
        number: number.map(|number| number.value.grouped()).unwrap_or_default().into(),
        place: document
            .personal_number()
            .map(|number: PersonalNumber| number.place().describe())
            .unwrap_or_default()
            .into(),
        address: match (sex, birth.map(|birth| birth.year())) {
            (None, _) => ui::Address::Unknown,
            (Some(sex), year) => {
                let is_elder = year.is_some_and(|year| {
                    year != 0 && year.saturating_add(ELDER_YEARS) <= today.year()
                });
                match (sex, is_elder) {
                    (Sex::Male, false) => ui::Address::Man,
                    (Sex::Female, false) => ui::Address::Woman,
                    (Sex::Male, true) => ui::Address::ElderMan,
                    (Sex::Female, true) => ui::Address::ElderWoman,
                }
            }
        },
    }
}

fn finding_line(finding: &Finding, document: &Document) -> ui::FindingLine {
    let basis = finding.basis.as_ref();
    let date = match finding.kind {
        FindingKind::DocumentLost | FindingKind::DocumentStolen | FindingKind::DocumentRevoked => {
            basis.map(|basis| basis.decided)
        }
        FindingKind::NoticeLapseUnproven => basis.map(|basis| basis.valid_to),
        FindingKind::DocumentExpired => {
            document.expiry.as_ref().and_then(|expiry| match expiry.value {
                Expiry::On(date) => Some(date),
                Expiry::Never => None,
            })
        }
        _ => None,
    };
    let value = match finding.kind {
        FindingKind::RegisterNameDiffers => {
            document.name.as_ref().map(|name| name.value.as_str().to_uppercase())
        }
        FindingKind::RegisterBirthDiffers | FindingKind::NumberYearContradiction => {
            document.birth.as_ref().map(|birth| partial_date_text(birth.value))
        }
        FindingKind::RegisterIssueDiffers | FindingKind::IssueBirthContradiction => {
            document.issued.as_ref().map(|issued| date_text(issued.value))
        }
        FindingKind::RegisterUnknownNumber => {
            document.personal_number().map(PersonalNumber::grouped)
        }
        _ => None,
    };
    ui::FindingLine {
        kind: kind_to_ui(finding.kind),
        date: date.map(date_text).unwrap_or_default().into(),
        value: value.unwrap_or_default().into(),
    }
}

fn notice_line(basis: &Basis) -> ui::NoticeLine {
    ui::NoticeLine {
        id: basis.notice.to_string().into(),
        category: category_to_ui(basis.category),
        action: match basis.action {
            Action::VerifyAndReport => ui::NoticeAction::VerifyAndReport,
            Action::DenyExit => ui::NoticeAction::DenyExit,
            Action::DenyEntry => ui::NoticeAction::DenyEntry,
            Action::Assist => ui::NoticeAction::Assist,
            Action::Protect => ui::NoticeAction::Protect,
            Action::HoldDocument => ui::NoticeAction::HoldDocument,
        },
        code: basis.code.as_str().into(),
        decision: basis.decision.as_str().into(),
        issuer: basis.issuer.as_str().into(),
        decided: date_text(basis.decided).into(),
        valid_to: date_text(basis.valid_to).into(),
        armed: basis.cautions.contains(Caution::Armed),
        violent: basis.cautions.contains(Caution::Violent),
        escape: basis.cautions.contains(Caution::Escape),
        self_harm: basis.cautions.contains(Caution::SelfHarm),
        contact: basis.contact.as_str().into(),
    }
}

/// Returns a category as the screens name it.
pub(super) fn category_to_ui(category: Category) -> ui::NoticeCategory {
    match category {
        Category::W1 => ui::NoticeCategory::W1,
        Category::W2 => ui::NoticeCategory::W2,
        Category::W3 => ui::NoticeCategory::W3,
        Category::W4 => ui::NoticeCategory::W4,
        Category::W5 => ui::NoticeCategory::W5,
        Category::X1 => ui::NoticeCategory::X1,
        Category::X2 => ui::NoticeCategory::X2,
        Category::M1 => ui::NoticeCategory::M1,
        Category::M2 => ui::NoticeCategory::M2,
        Category::D1 => ui::NoticeCategory::D1,
        Category::D2 => ui::NoticeCategory::D2,
        Category::D3 => ui::NoticeCategory::D3,
    }
}

fn kind_to_ui(kind: FindingKind) -> ui::FindingKind {
    match kind {
        FindingKind::NoticeNumber => ui::FindingKind::NoticeNumber,
        FindingKind::NoticeNameBirth => ui::FindingKind::NoticeNameBirth,
        FindingKind::NoticePossible => ui::FindingKind::NoticePossible,
        FindingKind::NoticeLapseUnproven => ui::FindingKind::NoticeLapseUnproven,
        FindingKind::DocumentLost => ui::FindingKind::DocumentLost,
        FindingKind::DocumentStolen => ui::FindingKind::DocumentStolen,
        FindingKind::DocumentRevoked => ui::FindingKind::DocumentRevoked,
        FindingKind::ChipRefuted => ui::FindingKind::ChipRefuted,
        FindingKind::NumberSexContradiction => ui::FindingKind::NumberSexContradiction,
        FindingKind::NumberYearContradiction => ui::FindingKind::NumberYearContradiction,
        FindingKind::IssueBirthContradiction => ui::FindingKind::IssueBirthContradiction,
        FindingKind::DateInFuture => ui::FindingKind::DateInFuture,
        FindingKind::TooManyNotices => ui::FindingKind::TooManyNotices,
        FindingKind::RegisterLimit => ui::FindingKind::RegisterLimit,
        FindingKind::RegisterFault => ui::FindingKind::RegisterFault,
        FindingKind::RegisterNameDiffers => ui::FindingKind::RegisterNameDiffers,
        FindingKind::RegisterBirthDiffers => ui::FindingKind::RegisterBirthDiffers,
        FindingKind::RegisterIssueDiffers => ui::FindingKind::RegisterIssueDiffers,
        FindingKind::RegisterUnknownNumber => ui::FindingKind::RegisterUnknownNumber,
        FindingKind::RegisterStatusReplaced => ui::FindingKind::RegisterStatusReplaced,
        FindingKind::RegisterStatusLost => ui::FindingKind::RegisterStatusLost,
        FindingKind::RegisterStatusStolen => ui::FindingKind::RegisterStatusStolen,
        FindingKind::RegisterStatusRevoked => ui::FindingKind::RegisterStatusRevoked,
        FindingKind::RegisterStatusDeceased => ui::FindingKind::RegisterStatusDeceased,
        FindingKind::DocumentExpired => ui::FindingKind::DocumentExpired,
        FindingKind::ListMissing => ui::FindingKind::ListMissing,
        FindingKind::ListTooOld => ui::FindingKind::ListTooOld,
        FindingKind::TimeNotTrusted => ui::FindingKind::TimeNotTrusted,
        FindingKind::TooLittleKnown => ui::FindingKind::TooLittleKnown,
        FindingKind::ChipDemanded => ui::FindingKind::ChipDemanded,
        FindingKind::NoticeUnconfirmed => ui::FindingKind::NoticeUnconfirmed,
        FindingKind::ListIncomplete => ui::FindingKind::ListIncomplete,
    }
}

/// Returns how many of the three steps are not ticked.
pub(super) fn open_checks(view: &Rc<View>) -> i32 {
    let verdict = view.global::<ui::VerdictView>();
    [verdict.get_check_photo(), verdict.get_check_numbers(), verdict.get_check_second()]
        .into_iter()
        .filter(|ticked| !ticked)
        .count() as i32
}
