//! The verdict: the answer, what it rests on, and the one thing to do next.

use std::rc::Rc;

use fieldcheck_ui as ui;
use slint::{Image, Model as _, ModelRc, VecModel};
use sync_format::v1::notice::{Action, Category, Caution, Notice};

use super::{View, callback, callback_with, date_text, list_line, partial_date_text, to_int};
use crate::checks::{Basis, DocumentProof, Finding, FindingKind, Origin, Todo, Verdict};
use crate::document::chip::{Detail, differences};
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
    verdict.on_read_chip(callback(view, super::chip::start));
    verdict.on_not_alike(callback(view, photo_differs));
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
    let verdict = view.global::<ui::VerdictView>();
    // An answer that did not fit stands, whatever the chip says.
    let mut reply = ui::Reply::None;
    let printed = match (&checked.chip, take_printed(view)) {
        (None, _) => None,
        // The person is gone: their chip comes too late.
        (Some(_), None) => return,
        (Some(_), printed) => {
            if verdict.get_reply() == ui::Reply::Other {
                reply = ui::Reply::Other;
            }
            printed
        }
    };
    super::chip::end(view);
    clear(view);
    super::scan::clear(view);
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
    let findings: Vec<ui::FindingLine> = answer
        .findings
        .iter()
        .map(|finding| finding_line(finding, &checked.document, printed.as_ref()))
        .collect();
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
    verdict.set_can_settle(answer.findings.iter().all(|it| it.origin != Origin::Chip));
    if answer.verdict == Verdict::Refer {
        verdict.set_reply(reply);
    }
    verdict.set_chip_readable(
        checked.chip.is_none()
            && checked.document.source != Source::Chip
            && checked.document.personal_number().is_some(),
    );
    verdict.set_chip_asked(answer.todo() == Todo::ReadChip);
    if let Some(chip) = &checked.chip {
        verdict.set_has_chip(true);
        verdict.set_chip(super::chip::proof_to_ui(&chip.proof));
        verdict.set_chip_simulated(chip.is_simulated);
    }
    {
        let mut state = view.state.borrow_mut();
        state.checked = Some(checked);
        state.printed = printed;
        state.entry = super::entry::Entered::default();
    }
    show_photo(view);
    view.touch();
    super::entry::clear(view);
    view.go(ui::Screen::Verdict);
}

/// Takes what was read or typed of the person on the screen before the chip was.
fn take_printed(view: &Rc<View>) -> Option<Document> {
    let mut state = view.state.borrow_mut();
    let before =
        state.checked.as_ref().filter(|it| it.chip.is_none()).map(|it| it.document.clone());
    let kept = state.printed.take();
    before.or(kept)
}

/// Shows the picture in the chip, in the colours of the theme.
pub(super) fn show_photo(view: &Rc<View>) {
    clear_photo(view);
    let is_night = view.global::<ui::App>().get_theme() == ui::ThemeMode::Night;
    let pixels = {
        let state = view.state.borrow();
        let chip = state.checked.as_ref().and_then(|checked| checked.chip.as_ref());
        chip.and_then(|chip| chip.portrait.as_ref())
            .and_then(|portrait| super::chip::picture(portrait, is_night))
    };
    let verdict = view.global::<ui::VerdictView>();
    verdict.set_has_photo(pixels.is_some());
    if let Some(pixels) = pixels {
        verdict.set_photo(Image::from_rgb8(pixels.clone()));
        view.state.borrow_mut().photo = Some(pixels);
    }
}

/// Takes the picture from the screen.
fn clear_photo(view: &Rc<View>) {
    let verdict = view.global::<ui::VerdictView>();
    verdict.set_has_photo(false);
    verdict.set_photo(Image::default());
    let mut state = view.state.borrow_mut();
    let left = state.photo.take();
    state.left_photos.extend(left);
}

/// Overwrites the pictures that have left the screen since the last tick.
pub(super) fn wipe_photos(view: &View) {
    let left = std::mem::take(&mut view.state.borrow_mut().left_photos);
    left.into_iter().for_each(super::chip::wipe);
}

/// The officer says that the photo in the chip is not of the person: whatever was answered, this is
/// for the duty officer now, and words do not settle it.
fn photo_differs(view: &Rc<View>) {
    let verdict = view.global::<ui::VerdictView>();
    // A match is stricter, and has its own step for the photo.
    if !verdict.get_has_photo() || verdict.get_answer() == ui::VerdictKind::Match {
        return;
    }
    let said = ui::FindingLine { kind: ui::FindingKind::PhotoDiffers, ..Default::default() };
    let before: Vec<_> = verdict.get_findings().iter().filter(|it| it.kind != said.kind).collect();
    let findings: Vec<_> = std::iter::once(said).chain(before).collect();
    verdict.set_findings(ModelRc::new(VecModel::from(findings)));
    verdict.set_answer(ui::VerdictKind::Refer);
    verdict.set_can_settle(false);
    view.ask(Request::PictureDiffers);
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
    verdict.set_chip_readable(false);
    verdict.set_chip_asked(false);
    verdict.set_has_chip(false);
    verdict.set_chip(ui::ChipProof::default());
    verdict.set_chip_simulated(false);
    verdict.set_can_settle(true);
    clear_photo(view);
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
        DocumentProof::NotProven if source == Source::Mrz => ui::Proof::Zone,
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

fn finding_line(
    finding: &Finding,
    document: &Document,
    printed: Option<&Document>,
) -> ui::FindingLine {
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
    let mut line = ui::FindingLine {
        kind: kind_to_ui(finding.kind),
        date: date.map(date_text).unwrap_or_default().into(),
        value: value.unwrap_or_default().into(),
        ..ui::FindingLine::default()
    };
    if let (Some(detail), Some(printed)) = (chip_detail(finding.kind), printed) {
        // Where the card around it agrees, the chip states it in two ways itself.
        if differences(document, printed).contains(&detail) {
            line.value = detail_text(printed, detail).into();
        }
        line.chip = detail_text(document, detail).into();
        line.typed = printed.source == Source::Typed;
    }
    line
}

/// Returns what a finding says that the chip states otherwise.
fn chip_detail(kind: FindingKind) -> Option<Detail> {
    Some(match kind {
        FindingKind::ChipNumberDiffers => Detail::Number,
        FindingKind::ChipNameDiffers => Detail::Name,
        FindingKind::ChipBirthDiffers => Detail::Birth,
        FindingKind::ChipSexDiffers => Detail::Sex,
        FindingKind::ChipIssueDiffers => Detail::Issued,
        FindingKind::ChipExpiryDiffers => Detail::Expiry,
        FindingKind::ChipOldNumberDiffers => Detail::OldNumber,
        _ => return None,
    })
}

/// Writes one detail of a document as cards print it, in whatever language the screen is; empty where
/// it is not stated.
fn detail_text(document: &Document, detail: Detail) -> String {
    let number = |kind| {
        let found = document.numbers.iter().find(|number| number.value.kind() == kind);
        found.map(|number| number.value.grouped())
    };
    let text = match detail {
        Detail::Number => number(NumberKind::Personal).or_else(|| number(NumberKind::Passport)),
        Detail::Name => document.name.as_ref().map(|name| name.value.as_str().to_uppercase()),
        Detail::Birth => document.birth.as_ref().map(|birth| partial_date_text(birth.value)),
        Detail::Sex => document.sex.as_ref().map(|sex| match sex.value {
            Sex::Male => "Nam".to_owned(),
            Sex::Female => "Nữ".to_owned(),
        }),
        Detail::Issued => document.issued.as_ref().map(|issued| date_text(issued.value)),
        Detail::Expiry => document.expiry.as_ref().map(|expiry| match expiry.value {
            Expiry::On(date) => date_text(date),
            Expiry::Never => "Không thời hạn".to_owned(),
        }),
        Detail::OldNumber => number(NumberKind::Cmnd),
    };
    text.unwrap_or_default()
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
        FindingKind::ChipCopy => ui::FindingKind::ChipCopy,
        FindingKind::ChipNumberDiffers => ui::FindingKind::ChipNumberDiffers,
        FindingKind::ChipNameDiffers => ui::FindingKind::ChipNameDiffers,
        FindingKind::ChipBirthDiffers => ui::FindingKind::ChipBirthDiffers,
        FindingKind::ChipSexDiffers => ui::FindingKind::ChipSexDiffers,
        FindingKind::ChipIssueDiffers => ui::FindingKind::ChipIssueDiffers,
        FindingKind::ChipExpiryDiffers => ui::FindingKind::ChipExpiryDiffers,
        FindingKind::ChipOldNumberDiffers => ui::FindingKind::ChipOldNumberDiffers,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::chip::{ChipText, join, read};
    use crate::document::qr;
    use crate::document::typed::{self, TypedEntry};

    const ZONE: &str = "IDVNM0889999015048088999901<<5\n8803023M2803021VNM<<<<<<<<<<<4\n\
                        NGUYEN<<VAN<MAU<<<<<<<<<<<<<<<";
    const PAYLOAD: &str = "048088999901|201999901|Trần Thị Giả|05031988|Nam|\
                           Tổ 99, Thọ Quang Giả, Sơn Trà, Đà Nẵng|15082021";

    /// Returns the line of a finding on a card whose QR code, or typed entry, is `printed`.
    fn line(kind: FindingKind, texts: &ChipText<'_>, printed: &Document) -> ui::FindingLine {
        let (chip, _) = read(ZONE, texts).expect("a zone");
        let (document, _) = join(chip, printed);
        let finding = Finding {
            kind,
            verdict: kind.verdict(),
            origin: kind.origin(),
            basis: None,
            agreements: None,
            todo: Todo::CallDuty,
        };
        finding_line(&finding, &document, Some(printed))
    }

    #[test]
    fn what_chip_and_card_state_differently_is_named_with_both_values() {
        let printed = qr::parse(PAYLOAD.as_bytes()).expect("a card");
        let texts = ChipText {
            name: Some("Nguyễn Văn Mẫu"),
            old_number: Some("201999902"),
            issued: Some("16/08/2021"),
            ..ChipText::default()
        };
        for (kind, card, chip) in [
            (FindingKind::ChipNameDiffers, "TRẦN THỊ GIẢ", "NGUYỄN VĂN MẪU"),
            (FindingKind::ChipBirthDiffers, "05/03/1988", "02/03/1988"),
            (FindingKind::ChipIssueDiffers, "15/08/2021", "16/08/2021"),
            (FindingKind::ChipOldNumberDiffers, "201 999 901", "201 999 902"),
        ] {
            let line = line(kind, &texts, &printed);
            assert_eq!((line.value.as_str(), line.chip.as_str()), (card, chip), "{}", kind.code());
            assert!(!line.typed);
        }
    }

    #[test]
    fn a_chip_that_contradicts_itself_is_not_laid_on_the_card() {
        let printed = qr::parse(PAYLOAD.as_bytes()).expect("a card");
        let texts = ChipText { sex: Some("Nữ"), ..ChipText::default() };
        let line = line(FindingKind::ChipSexDiffers, &texts, &printed);
        assert_eq!((line.value.as_str(), line.chip.as_str()), ("", "Nam"));
    }

    #[test]
    fn what_was_typed_is_not_called_the_card() {
        let entry = TypedEntry {
            number: "048088999901".into(),
            name: "Trần Thị Giả".into(),
            ..TypedEntry::default()
        };
        let printed = typed::parse(&entry).expect("an entry");
        let line = line(FindingKind::ChipNameDiffers, &ChipText::default(), &printed);
        assert!(line.typed);
        assert_eq!((line.value.as_str(), line.chip.as_str()), ("TRẦN THỊ GIẢ", "NGUYEN VAN MAU"));
    }

    #[test]
    fn each_detail_of_a_chip_has_a_finding_and_no_other_kind_has_one() {
        let details: Vec<Detail> =
            FindingKind::ALL.iter().filter_map(|kind| chip_detail(*kind)).collect();
        assert_eq!(details, Detail::ALL);
    }
}
