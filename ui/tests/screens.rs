//! The screens without a display: golden pictures, layout, colours, words, and what a touch does.
//!
//! `FIELDCHECK_BLESS=1` paints the golden pictures anew. `FIELDCHECK_SCREENS=DIR` writes every
//! screen in every size, theme and language to DIR.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;
use std::{cell::RefCell, fs};

use fieldcheck_ui::*;
use i_slint_backend_testing::{
    AccessibleRole, ElementHandle, ElementQuery, TestingBackend, TestingBackendOptions,
    mock_elapsed_time,
};
use slint::platform::{Key, PointerEventButton, WindowEvent};
use slint::{
    Color, ComponentHandle, Image, Model as _, ModelRc, Rgba8Pixel, SharedPixelBuffer,
    SharedString, VecModel,
};

const PORTRAIT: (u32, u32) = (480, 800);
const LANDSCAPE: (u32, u32) = (800, 480);
const DESKTOP: (u32, u32) = (1280, 800);
const THEMES: [ThemeMode; 4] =
    [ThemeMode::Light, ThemeMode::Dark, ThemeMode::Night, ThemeMode::Contrast];
const LANGUAGES: [Language; 2] = [Language::Vietnamese, Language::English];

// ---- the window ----

/// A window on this thread's own backend, with a clock that stands still.
fn window() -> AppWindow {
    slint::platform::set_platform(Box::new(TestingBackend::new(TestingBackendOptions {
        mock_time: true,
        threading: false,
        renderer_name: Some("software".into()),
    })))
    .expect("one backend a thread");
    let ui = open().expect("the window opens");
    ui.show().expect("the window shows");
    resize(&ui, PORTRAIT);
    ui
}

fn resize(ui: &AppWindow, (width, height): (u32, u32)) {
    ui.window().set_size(slint::PhysicalSize::new(width, height));
    mock_elapsed_time(Duration::from_millis(1));
}

fn picture(ui: &AppWindow) -> SharedPixelBuffer<Rgba8Pixel> {
    mock_elapsed_time(Duration::from_millis(1));
    ui.window().take_snapshot().expect("the software renderer paints")
}

/// One screen in one state.
struct Case {
    name: &'static str,
    set: fn(&AppWindow),
}

fn finding(kind: FindingKind, date: &str, value: &str) -> FindingLine {
    FindingLine { kind, date: date.into(), value: value.into(), ..Default::default() }
}

fn findings(ui: &AppWindow, lines: Vec<FindingLine>) {
    ui.global::<VerdictView>().set_findings(ModelRc::new(VecModel::from(lines)));
}

fn list(state: ListState, version: &str, age: i32, unit: AgeUnit, days_left: i32) -> ListLine {
    ListLine { state, version: version.into(), age, unit, days_left, usable_days: 7 }
}

fn usable_list() -> ListLine {
    list(ListState::Usable, "1184", 3, AgeUnit::Hours, 6)
}

fn verdict(ui: &AppWindow, answer: VerdictKind, lines: Vec<FindingLine>) {
    ui.global::<App>().set_screen(Screen::Verdict);
    let view = ui.global::<VerdictView>();
    view.set_answer(answer);
    view.set_step(VerdictStep::Answer);
    view.set_asking(false);
    view.set_reply(Reply::None);
    view.set_proof(if answer == VerdictKind::Clear { Proof::Genuine } else { Proof::Qr });
    view.set_list(usable_list());
    view.set_register(RegisterLine::Agrees);
    view.set_has_notice(answer == VerdictKind::Match);
    view.set_other_notices(0);
    view.set_check_photo(answer == VerdictKind::Match);
    view.set_check_numbers(false);
    view.set_check_second(false);
    view.set_person(mau());
    view.set_notice(exit_suspension());
    view.set_chip_readable(false);
    view.set_chip_asked(false);
    view.set_has_chip(false);
    view.set_chip_simulated(false);
    view.set_has_photo(false);
    view.set_photo(Image::default());
    view.set_can_settle(true);
    ui.global::<Chip>().set_has_reader(true);
    findings(ui, lines);
}

/// A verdict after its chip was read, with the photo in it.
fn chip_verdict(ui: &AppWindow, answer: VerdictKind, lines: Vec<FindingLine>, chip: ChipProof) {
    verdict(ui, answer, lines);
    let view = ui.global::<VerdictView>();
    view.set_proof(match (chip.signer, chip.copy) {
        (ChipSigner::State, ChipCopy::NoCopy) => Proof::Genuine,
        (ChipSigner::State, _) => Proof::CopyNotExcluded,
        (ChipSigner::NoAnchor, _) => Proof::Consistent,
        _ => Proof::Refuted,
    });
    view.set_has_chip(true);
    view.set_can_settle(answer != VerdictKind::Refer);
    view.set_chip(chip);
    view.set_photo(a_face(ui));
    view.set_has_photo(true);
}

fn genuine() -> ChipProof {
    ChipProof {
        signer: ChipSigner::State,
        data: ChipData::Unchanged,
        copy: ChipCopy::NoCopy,
        revocation: ChipRevocation::Current,
        country: "UT".into(),
        date: "24/11/2026".into(),
    }
}

fn refuted(signer: ChipSigner, data: ChipData, copy: ChipCopy) -> ChipProof {
    let revocation = ChipRevocation::None;
    ChipProof { signer, data, copy, revocation, ..Default::default() }
}

/// A chip that states something otherwise than the card around it.
fn differing(kind: FindingKind, card: &str, chip: &str) -> FindingLine {
    FindingLine { chip: chip.into(), ..finding(kind, "", card) }
}

/// Something like a face, in the colours that Rust gives it in this theme.
fn a_face(ui: &AppWindow) -> Image {
    const WIDE: u32 = 240;
    const HIGH: u32 = 300;
    let is_night = ui.global::<App>().get_theme() == ThemeMode::Night;
    let mut pixels = SharedPixelBuffer::<Rgba8Pixel>::new(WIDE, HIGH);
    for (at, pixel) in pixels.make_mut_slice().iter_mut().enumerate() {
        let (x, y) = ((at as u32 % WIDE) as f32, (at as u32 / WIDE) as f32);
        let inside = |x0: f32, y0: f32, wide: f32, high: f32| {
            ((x - x0) / wide).powi(2) + ((y - y0) / high).powi(2) < 1.0
        };
        let [r, g, b] = if inside(120.0, 128.0, 58.0, 74.0) && y > 92.0 {
            [0xA8, 0xB4, 0xB8]
        } else if inside(120.0, 116.0, 66.0, 76.0) && y < 150.0 {
            [0x45, 0x53, 0x58]
        } else if inside(120.0, 320.0, 106.0, 108.0) || inside(120.0, 190.0, 28.0, 60.0) {
            [0x6E, 0x7C, 0x82]
        } else {
            [0xD5, 0xDD, 0xE3]
        };
        *pixel = if is_night {
            Rgba8Pixel { r: g, g: 0, b: 0, a: 255 }
        } else {
            Rgba8Pixel { r, g, b, a: 255 }
        };
    }
    Image::from_rgba8(pixels)
}

/// The chip being read, of the person on the verdict.
fn chip(ui: &AppWindow, step: ChipStep, simulated: bool) {
    verdict(ui, VerdictKind::NotListed, vec![]);
    ui.global::<App>().set_screen(Screen::Chip);
    let chip = ui.global::<Chip>();
    chip.set_step(step);
    chip.set_simulated(simulated);
    chip.set_percent(64);
    chip.set_failure(ChipFailure::Silent);
}

fn mau() -> PersonLine {
    PersonLine {
        name: "NGUYỄN VĂN MẪU".into(),
        birth: "12/03/1988".into(),
        sex: Sex::Male,
        number: "048 088 999 901".into(),
        place: "048 – Đà Nẵng".into(),
        address: Address::Man,
    }
}

fn exit_suspension() -> NoticeLine {
    NoticeLine {
        id: "204".into(),
        category: NoticeCategory::X1,
        action: NoticeAction::DenyExit,
        code: "36.1".into(),
        decision: "QĐ 99/QĐ-MAU".into(),
        issuer: "Cơ quan Mẫu A".into(),
        decided: "02/10/2026".into(),
        valid_to: "02/01/2027".into(),
        contact: "0900 000 099".into(),
        ..Default::default()
    }
}

fn refer(ui: &AppWindow, kind: FindingKind, date: &str, value: &str) {
    verdict(ui, VerdictKind::Refer, vec![finding(kind, date, value)]);
    ui.global::<VerdictView>().set_register(RegisterLine::Differs);
}

fn scan(ui: &AppWindow, camera: CameraState, trouble: NotACard) {
    ui.global::<App>().set_screen(Screen::Scan);
    let scan = ui.global::<Scan>();
    scan.set_camera(camera);
    scan.set_trouble(trouble);
    scan.set_has_frame(false);
    scan.set_hint(ScanHint::Closer);
}

fn unlock(ui: &AppWindow, state: UnlockState, digits: i32, wait: i32) {
    ui.global::<App>().set_screen(Screen::Unlock);
    let unlock = ui.global::<Unlock>();
    unlock.set_state(state);
    unlock.set_digits(digits);
    unlock.set_wait_seconds(wait);
}

fn home(ui: &AppWindow, line: ListLine, queue: i32, unrecorded: i32) {
    ui.global::<App>().set_screen(Screen::Home);
    let home = ui.global::<Home>();
    home.set_list(line);
    home.set_queue_count(queue);
    home.set_unrecorded(unrecorded);
    home.set_update_lost(false);
    home.set_new_program("".into());
}

fn entry(ui: &AppWindow, reason: CheckReason, field: EntryField, problem: EntryProblem) {
    ui.global::<App>().set_screen(Screen::Entry);
    let entry = ui.global::<Entry>();
    entry.set_reason(reason);
    entry.set_field(field);
    entry.set_problem(problem);
    entry.set_number("048 088 999 901".into());
    let name = field == EntryField::Name;
    entry.set_name(if name { "Nguyễn Văn Mẫu" } else { "" }.into());
    entry.set_keys(if name { "Nguyeenx Vawn Maaux" } else { "" }.into());
    entry.set_birth(if name { "1988" } else { "" }.into());
}

fn outcome(ui: &AppWindow, choice: OutcomeChoice, why: OutcomeWhy, state: OutcomeState, left: i32) {
    ui.global::<App>().set_screen(Screen::Outcome);
    let outcome = ui.global::<Outcome>();
    outcome.set_choice(choice);
    outcome.set_why(why);
    outcome.set_state(state);
    outcome.set_checks_left(left);
}

/// The load screen at a step, as its preview data has it.
fn load(ui: &AppWindow, step: LoadStep) {
    ui.global::<App>().set_screen(Screen::Load);
    let load = ui.global::<Load>();
    load.set_step(step);
    load.set_stick_gone(false);
    load.set_has_proof(false);
    load.set_places("DON-MAU-1".into());
    let found =
        FOUND.with(|found| found.borrow_mut().get_or_insert_with(|| load.get_found()).clone());
    load.set_package(found.row_data(0).expect("the preview shows packages"));
    load.set_found(found);
    load.set_problem(ProblemLine {
        kind: LoadProblem::Signatures,
        valid: 1,
        needed: 2,
        installed: "1184".into(),
        code: "signatures".into(),
        time: "17:31".into(),
        ..Default::default()
    });
}

thread_local! {
    /// The packages of the preview, before a case takes them from the screen.
    static FOUND: RefCell<Option<ModelRc<FoundPackage>>> = const { RefCell::new(None) };
}

fn a_package(ui: &AppWindow, index: usize) -> FoundPackage {
    ui.global::<Load>().get_found().row_data(index).expect("the preview shows packages")
}

/// Something like a QR code: its dark modules alone, as Rust gives them.
fn a_code() -> Image {
    const SIDE: u32 = 45;
    let mut pixels = SharedPixelBuffer::<Rgba8Pixel>::new(SIDE, SIDE);
    for (at, pixel) in pixels.make_mut_slice().iter_mut().enumerate() {
        let (x, y) = (at as u32 % SIDE, at as u32 / SIDE);
        let inside = |at: u32| (4..SIDE - 4).contains(&at);
        let dark = inside(x) && inside(y) && (x * 7 + y * 13 + x * y) % 5 < 2;
        *pixel = Rgba8Pixel { r: 0, g: 0, b: 0, a: if dark { 255 } else { 0 } };
    }
    Image::from_rgba8(pixels)
}

fn withdrawal(ui: &AppWindow, state: WithdrawalState) {
    ui.global::<App>().set_screen(Screen::Withdrawal);
    ui.global::<WithdrawalView>().set_state(state);
}

fn trouble(ui: &AppWindow, kind: TroubleKind, proceed: bool) {
    ui.global::<App>().set_screen(Screen::Trouble);
    ui.global::<Trouble>().set_kind(kind);
    ui.global::<Trouble>().set_can_continue(proceed);
}

/// Every screen and its main states. The golden pictures are of these, at 480×800 in light and
/// Vietnamese.
const CASES: &[Case] = &[
    Case { name: "unlock", set: |ui| unlock(ui, UnlockState::Ready, 4, 0) },
    Case { name: "unlock-waiting", set: |ui| unlock(ui, UnlockState::Waiting, 0, 8) },
    Case { name: "unlock-last-try", set: |ui| unlock(ui, UnlockState::LastTry, 0, 0) },
    Case { name: "unlock-erased", set: |ui| unlock(ui, UnlockState::Erased, 0, 0) },
    Case { name: "home", set: |ui| home(ui, usable_list(), 18, 0) },
    Case {
        name: "home-ageing-list",
        set: |ui| home(ui, list(ListState::Ageing, "1179", 5, AgeUnit::Days, 2), 18, 1),
    },
    Case {
        name: "home-no-list",
        set: |ui| home(ui, list(ListState::Missing, "", 0, AgeUnit::Days, 0), 0, 0),
    },
    Case { name: "scan", set: |ui| scan(ui, CameraState::Live, NotACard::None) },
    Case {
        name: "scan-focus",
        set: |ui| {
            scan(ui, CameraState::Live, NotACard::None);
            ui.global::<Scan>().set_hint(ScanHint::Focus);
        },
    },
    Case {
        name: "scan-other-document",
        set: |ui| scan(ui, CameraState::Live, NotACard::OtherDocument),
    },
    Case { name: "scan-payment", set: |ui| scan(ui, CameraState::Live, NotACard::Payment) },
    Case { name: "scan-bad-date", set: |ui| scan(ui, CameraState::Live, NotACard::BadDate) },
    Case { name: "scan-camera-busy", set: |ui| scan(ui, CameraState::Busy, NotACard::None) },
    Case { name: "verdict-clear", set: |ui| verdict(ui, VerdictKind::Clear, vec![]) },
    Case { name: "verdict-not-listed", set: |ui| verdict(ui, VerdictKind::NotListed, vec![]) },
    Case {
        name: "verdict-match",
        set: |ui| verdict(ui, VerdictKind::Match, vec![finding(FindingKind::NoticeNumber, "", "")]),
    },
    Case {
        name: "verdict-match-wanted",
        set: |ui| {
            verdict(ui, VerdictKind::Match, vec![finding(FindingKind::NoticeNameBirth, "", "")]);
            let view = ui.global::<VerdictView>();
            view.set_notice(NoticeLine {
                category: NoticeCategory::W1,
                action: NoticeAction::VerifyAndReport,
                armed: true,
                ..exit_suspension()
            });
            view.set_other_notices(1);
        },
    },
    Case {
        name: "verdict-match-long-name",
        set: |ui| {
            verdict(ui, VerdictKind::Match, vec![finding(FindingKind::NoticeNumber, "", "")]);
            let view = ui.global::<VerdictView>();
            view.set_person(PersonLine {
                name: "Công Tằng Tôn Nữ Thị Minh Nguyệt".into(),
                ..mau()
            });
            view.set_notice(NoticeLine {
                category: NoticeCategory::M2,
                action: NoticeAction::Protect,
                self_harm: true,
                escape: true,
                ..exit_suspension()
            });
        },
    },
    Case {
        name: "verdict-refer",
        set: |ui| refer(ui, FindingKind::RegisterBirthDiffers, "", "12/03/1988"),
    },
    Case {
        name: "verdict-refer-answered",
        set: |ui| {
            refer(ui, FindingKind::RegisterBirthDiffers, "", "12/03/1988");
            ui.global::<VerdictView>().set_reply(Reply::Other);
        },
    },
    Case {
        name: "verdict-refer-lost",
        set: |ui| {
            refer(ui, FindingKind::DocumentLost, "03/09/2026", "");
            let view = ui.global::<VerdictView>();
            view.set_has_notice(true);
            view.set_notice(NoticeLine {
                category: NoticeCategory::D1,
                action: NoticeAction::HoldDocument,
                code: "".into(),
                ..exit_suspension()
            });
        },
    },
    Case {
        name: "verdict-refer-lapse",
        set: |ui| {
            refer(ui, FindingKind::NoticeLapseUnproven, "", "");
            ui.global::<VerdictView>().set_register(RegisterLine::OutOfRegion);
        },
    },
    Case {
        name: "verdict-not-checked",
        set: |ui| {
            verdict(ui, VerdictKind::NotChecked, vec![finding(FindingKind::ListTooOld, "", "")]);
            let view = ui.global::<VerdictView>();
            view.set_list(list(ListState::TooOld, "1170", 9, AgeUnit::Days, 0));
            view.set_register(RegisterLine::NotLoaded);
        },
    },
    Case {
        name: "verdict-typed",
        set: |ui| {
            verdict(ui, VerdictKind::NotListed, vec![]);
            ui.global::<VerdictView>().set_proof(Proof::Typed);
            ui.global::<VerdictView>().set_register(RegisterLine::NotAsked);
        },
    },
    Case {
        name: "notice-reason",
        set: |ui| {
            verdict(ui, VerdictKind::Match, vec![finding(FindingKind::NoticeNumber, "", "")]);
            ui.global::<VerdictView>().set_step(VerdictStep::Reason);
        },
    },
    Case {
        name: "notice",
        set: |ui| {
            verdict(ui, VerdictKind::Match, vec![finding(FindingKind::NoticeNumber, "", "")]);
            ui.global::<VerdictView>().set_step(VerdictStep::Notice);
        },
    },
    Case {
        name: "verdict-unrecorded",
        set: |ui| {
            verdict(ui, VerdictKind::Match, vec![finding(FindingKind::NoticeNumber, "", "")]);
            ui.global::<VerdictView>().set_asking(true);
        },
    },
    Case {
        name: "entry-reason",
        set: |ui| entry(ui, CheckReason::None, EntryField::Number, EntryProblem::None),
    },
    Case {
        name: "entry-number",
        set: |ui| entry(ui, CheckReason::NoDocument, EntryField::Number, EntryProblem::None),
    },
    Case {
        name: "entry-name",
        set: |ui| entry(ui, CheckReason::DutyOfficerRequest, EntryField::Name, EntryProblem::None),
    },
    Case {
        name: "entry-problem",
        set: |ui| {
            entry(ui, CheckReason::NoDocument, EntryField::Number, EntryProblem::NumberTooShort);
            ui.global::<Entry>().set_count(2);
        },
    },
    Case {
        name: "outcome",
        set: |ui| {
            outcome(
                ui,
                OutcomeChoice::NotThisPerson,
                OutcomeWhy::PhotoDiffers,
                OutcomeState::Choosing,
                2,
            )
        },
    },
    Case {
        name: "outcome-confirmed",
        set: |ui| {
            outcome(
                ui,
                OutcomeChoice::Confirmed,
                OutcomeWhy::ConfirmedByDuty,
                OutcomeState::Failed,
                0,
            )
        },
    },
    Case {
        name: "outcome-saved",
        set: |ui| {
            outcome(
                ui,
                OutcomeChoice::NotThisPerson,
                OutcomeWhy::PhotoDiffers,
                OutcomeState::Saved,
                2,
            )
        },
    },
    Case { name: "queue", set: |ui| ui.global::<App>().set_screen(Screen::Queue) },
    Case { name: "settings", set: |ui| ui.global::<App>().set_screen(Screen::Settings) },
    Case { name: "about", set: |ui| ui.global::<App>().set_screen(Screen::About) },
    Case {
        name: "list",
        set: |ui| {
            ui.global::<App>().set_screen(Screen::List);
            ui.global::<List>().set_read_again(ReadAgain::No);
        },
    },
    Case {
        name: "home-update-lost",
        set: |ui| {
            home(ui, usable_list(), 18, 0);
            ui.global::<Home>().set_update_lost(true);
            ui.global::<Home>().set_new_program("1.1".into());
        },
    },
    Case {
        name: "verdict-list-incomplete",
        set: |ui| {
            let lines = vec![finding(FindingKind::ListIncomplete, "", "")];
            verdict(ui, VerdictKind::NotChecked, lines);
        },
    },
    Case {
        name: "list-checking",
        set: |ui| {
            ui.global::<App>().set_screen(Screen::List);
            ui.global::<List>().set_read_again(ReadAgain::Running);
            ui.global::<List>().set_percent(41);
        },
    },
    Case {
        name: "list-damaged",
        set: |ui| {
            ui.global::<App>().set_screen(Screen::List);
            ui.global::<List>().set_read_again(ReadAgain::Damaged);
            ui.global::<List>().set_damaged(Dataset::Register);
        },
    },
    Case { name: "load-who", set: |ui| load(ui, LoadStep::Loader) },
    Case { name: "load-found", set: |ui| load(ui, LoadStep::Choose) },
    Case {
        name: "load-no-stick",
        set: |ui| {
            load(ui, LoadStep::Choose);
            ui.global::<Load>().set_places("".into());
            ui.global::<Load>().set_found(ModelRc::default());
        },
    },
    Case { name: "load-package", set: |ui| load(ui, LoadStep::Package) },
    Case {
        name: "load-package-update",
        set: |ui| {
            load(ui, LoadStep::Package);
            let package = a_package(ui, 1);
            ui.global::<Load>().set_package(package);
        },
    },
    Case { name: "load-running", set: |ui| load(ui, LoadStep::Running) },
    Case { name: "load-stopped", set: |ui| load(ui, LoadStep::Stopped) },
    Case {
        name: "load-stick-gone",
        set: |ui| {
            load(ui, LoadStep::Stopped);
            ui.global::<Load>().set_stick_gone(true);
        },
    },
    Case { name: "load-refused", set: |ui| load(ui, LoadStep::Refused) },
    Case {
        name: "load-refused-part",
        set: |ui| {
            load(ui, LoadStep::Refused);
            ui.global::<Load>().set_problem(ProblemLine {
                kind: LoadProblem::DamagedPart,
                part: 13,
                code: "damaged-chunk".into(),
                time: "17:31".into(),
                installed: "1184".into(),
                ..Default::default()
            });
        },
    },
    Case {
        name: "load-done",
        set: |ui| {
            load(ui, LoadStep::Done);
            ui.global::<Load>().set_proof(a_code());
            ui.global::<Load>().set_has_proof(true);
        },
    },
    Case { name: "loads", set: |ui| ui.global::<App>().set_screen(Screen::Loads) },
    Case { name: "withdrawal", set: |ui| withdrawal(ui, WithdrawalState::Offered) },
    Case { name: "withdrawal-applied", set: |ui| withdrawal(ui, WithdrawalState::Applied) },
    Case { name: "withdrawal-refused", set: |ui| withdrawal(ui, WithdrawalState::Refused) },
    Case {
        name: "verdict-offers-chip",
        set: |ui| {
            verdict(ui, VerdictKind::NotListed, vec![]);
            ui.global::<VerdictView>().set_chip_readable(true);
        },
    },
    Case {
        name: "verdict-match-offers-chip",
        set: |ui| {
            verdict(ui, VerdictKind::Match, vec![finding(FindingKind::NoticeNumber, "", "")]);
            ui.global::<VerdictView>().set_chip_readable(true);
        },
    },
    Case {
        name: "verdict-refer-asks-chip",
        set: |ui| {
            refer(ui, FindingKind::NumberSexContradiction, "", "");
            ui.global::<VerdictView>().set_chip_readable(true);
            ui.global::<VerdictView>().set_chip_asked(true);
        },
    },
    Case {
        name: "verdict-not-checked-asks-chip",
        set: |ui| {
            let lines = vec![finding(FindingKind::ChipDemanded, "", "")];
            verdict(ui, VerdictKind::NotChecked, lines);
            ui.global::<VerdictView>().set_chip_readable(true);
            ui.global::<VerdictView>().set_chip_asked(true);
        },
    },
    Case { name: "chip-hold", set: |ui| chip(ui, ChipStep::Hold, false) },
    Case { name: "chip-hold-simulated", set: |ui| chip(ui, ChipStep::Hold, true) },
    Case { name: "chip-reading", set: |ui| chip(ui, ChipStep::Reading, true) },
    Case { name: "chip-lost", set: |ui| chip(ui, ChipStep::Lost, true) },
    Case { name: "chip-failed", set: |ui| chip(ui, ChipStep::Failed, true) },
    Case {
        name: "chip-failed-key",
        set: |ui| {
            chip(ui, ChipStep::Failed, false);
            ui.global::<Chip>().set_failure(ChipFailure::WrongKey);
        },
    },
    Case {
        name: "chip-failed-no-number",
        set: |ui| {
            chip(ui, ChipStep::Failed, false);
            ui.global::<Chip>().set_failure(ChipFailure::NoKey);
        },
    },
    Case {
        name: "verdict-chip-genuine",
        set: |ui| chip_verdict(ui, VerdictKind::Clear, vec![], genuine()),
    },
    Case {
        name: "verdict-chip-copy-not-excluded",
        set: |ui| {
            let chip = ChipProof {
                copy: ChipCopy::NotExcluded,
                revocation: ChipRevocation::Missing,
                ..genuine()
            };
            chip_verdict(ui, VerdictKind::NotListed, vec![], chip);
            ui.global::<VerdictView>().set_chip_simulated(true);
        },
    },
    Case {
        name: "verdict-chip-no-photo",
        set: |ui| {
            let chip = ChipProof {
                signer: ChipSigner::NoAnchor,
                copy: ChipCopy::NotExcluded,
                revocation: ChipRevocation::None,
                country: "VN".into(),
                ..genuine()
            };
            chip_verdict(ui, VerdictKind::NotListed, vec![], chip);
            ui.global::<VerdictView>().set_has_photo(false);
        },
    },
    Case {
        name: "verdict-chip-refuted",
        set: |ui| {
            let lines = vec![finding(FindingKind::ChipRefuted, "", "")];
            let chip = refuted(ChipSigner::NotLookedAt, ChipData::Altered, ChipCopy::NotLookedAt);
            chip_verdict(ui, VerdictKind::Refer, lines, chip);
        },
    },
    Case {
        name: "verdict-chip-differs",
        set: |ui| {
            let lines = vec![
                differing(FindingKind::ChipNameDiffers, "TRẦN THỊ GIẢ", "NGUYỄN VĂN MẪU"),
                differing(FindingKind::ChipBirthDiffers, "05/03/1988", "12/03/1988"),
            ];
            chip_verdict(ui, VerdictKind::Refer, lines, genuine());
            ui.global::<VerdictView>().set_reply(Reply::AsCard);
        },
    },
    Case {
        name: "verdict-chip-not-alike",
        set: |ui| {
            let lines = vec![finding(FindingKind::PhotoDiffers, "", "")];
            chip_verdict(ui, VerdictKind::Refer, lines, genuine());
        },
    },
    Case {
        name: "verdict-chip-list-too-old",
        set: |ui| {
            let lines = vec![finding(FindingKind::ListTooOld, "", "")];
            let chip = ChipProof { revocation: ChipRevocation::Old, ..genuine() };
            chip_verdict(ui, VerdictKind::NotChecked, lines, chip);
            let view = ui.global::<VerdictView>();
            view.set_list(list(ListState::TooOld, "1170", 9, AgeUnit::Days, 0));
        },
    },
    Case {
        name: "verdict-chip-match",
        set: |ui| {
            let lines = vec![finding(FindingKind::NoticeNumber, "", "")];
            chip_verdict(ui, VerdictKind::Match, lines, genuine());
        },
    },
    Case {
        name: "notice-with-chip-photo",
        set: |ui| {
            let lines = vec![finding(FindingKind::NoticeNumber, "", "")];
            chip_verdict(ui, VerdictKind::Match, lines, genuine());
            ui.global::<VerdictView>().set_step(VerdictStep::Notice);
        },
    },
    Case { name: "trouble", set: |ui| trouble(ui, TroubleKind::StoreDamaged, false) },
    Case { name: "trouble-queue-moved", set: |ui| trouble(ui, TroubleKind::QueueMoved, true) },
];

/// Shows a case as if it had just been opened: no scroll position or pressed key of the one before.
fn show(ui: &AppWindow, case: &Case) {
    let app = ui.global::<App>();
    app.set_screen(Screen::Home);
    mock_elapsed_time(Duration::from_millis(1));
    (case.set)(ui);
    // The screen is made, then the guard of a fresh verdict runs out.
    mock_elapsed_time(Duration::from_millis(1));
    mock_elapsed_time(Duration::from_millis(500));
}

fn case(name: &str) -> &'static Case {
    CASES.iter().find(|case| case.name == name).expect("a case of that name")
}

// ---- golden pictures ----

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.png"))
}

fn write_png(path: &Path, pixels: &SharedPixelBuffer<Rgba8Pixel>) {
    let bytes = pixels.as_bytes();
    image::save_buffer(path, bytes, pixels.width(), pixels.height(), image::ColorType::Rgba8)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Anti-aliasing may move by a hair between processors; a glyph or an edge may not.
const CHANNEL_TOLERANCE: u8 = 24;
const PIXELS_ALLOWED: usize = 40;

#[test]
fn the_screens_look_like_their_golden_pictures() {
    let ui = window();
    let bless = std::env::var_os("FIELDCHECK_BLESS").is_some();
    let mut wrong = Vec::new();
    for case in CASES {
        show(&ui, case);
        let now = picture(&ui);
        let path = golden(case.name);
        if bless {
            write_png(&path, &now);
            continue;
        }
        let Ok(then) = image::open(&path) else {
            wrong.push(format!("{}: no golden picture", case.name));
            continue;
        };
        let then = then.to_rgba8();
        let same_size = (then.width(), then.height()) == (now.width(), now.height());
        let differing = now
            .as_bytes()
            .chunks_exact(4)
            .zip(then.as_raw().chunks_exact(4))
            .filter(|(a, b)| a.iter().zip(*b).any(|(a, b)| a.abs_diff(*b) > CHANNEL_TOLERANCE))
            .count();
        if !same_size || differing > PIXELS_ALLOWED {
            let seen = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.png", case.name));
            write_png(&seen, &now);
            wrong.push(format!("{}: {differing} pixels differ, see {}", case.name, seen.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn there_is_no_golden_picture_without_a_case() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let kept: BTreeSet<String> = fs::read_dir(folder)
        .expect("the folder of golden pictures")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    let cases: BTreeSet<String> = CASES.iter().map(|case| case.name.to_owned()).collect();
    assert_eq!(kept, cases);
}

// ---- layout ----

#[derive(Clone, Copy, Debug, PartialEq)]
struct Area {
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
}

impl Area {
    fn of(element: &ElementHandle) -> Area {
        let (position, size) = (element.absolute_position(), element.size());
        Area {
            left: position.x,
            top: position.y,
            right: position.x + size.width,
            bottom: position.y + size.height,
        }
    }

    fn width(self) -> f32 {
        self.right - self.left
    }

    fn height(self) -> f32 {
        self.bottom - self.top
    }

    fn within(self, other: Area) -> bool {
        const HAIR: f32 = 1.0;
        self.left >= other.left - HAIR
            && self.right <= other.right + HAIR
            && self.top >= other.top - HAIR
            && self.bottom <= other.bottom + HAIR
    }

    fn cut_to(self, other: Area) -> Option<Area> {
        let cut = Area {
            left: self.left.max(other.left),
            top: self.top.max(other.top),
            right: self.right.min(other.right),
            bottom: self.bottom.min(other.bottom),
        };
        (cut.width() > 0.0 && cut.height() > 0.0).then_some(cut)
    }

    fn overlaps(self, other: Area) -> bool {
        const HAIR: f32 = 1.5;
        self.cut_to(other).is_some_and(|cut| cut.width() > HAIR && cut.height() > HAIR)
    }
}

fn is_control(role: Option<AccessibleRole>) -> bool {
    matches!(
        role,
        Some(
            AccessibleRole::Button
                | AccessibleRole::Checkbox
                | AccessibleRole::RadioButton
                | AccessibleRole::Switch
                | AccessibleRole::TextInput
        )
    )
}

fn texts_in(query: ElementQuery) -> Vec<ElementHandle> {
    query
        .match_predicate(|element| {
            let ours = |name: &str| name == "Txt" || name == "Said";
            element.type_name().is_some_and(|name| ours(&name))
                || element.bases().is_some_and(|mut bases| bases.any(|name| ours(&name)))
        })
        .find_all()
}

/// What is wrong with the layout that is on the window now.
fn faults(ui: &AppWindow, (width, height): (u32, u32)) -> Vec<String> {
    let unit = if width.min(height) > 700 { 1.0 } else { width.min(height) as f32 / 480.0 };
    let whole = Area { left: 0.0, top: 0.0, right: width as f32, bottom: height as f32 };
    let mut faults = Vec::new();

    // Everything inside a scroll may lie below its edge, never beside it.
    let scrolls = ElementHandle::find_by_element_type_name(ui, "Scroll").collect::<Vec<_>>();
    let mut inside: Vec<(Area, Area)> = Vec::new();
    for scroll in &scrolls {
        let place = Area::of(scroll);
        if !place.within(whole) || place.height() < 60.0 * unit {
            faults.push(format!("the scrolled content has no room: {place:?}"));
        }
        let mut parts = texts_in(scroll.query_descendants());
        parts.extend(
            scroll
                .query_descendants()
                .match_predicate(|e| is_control(e.accessible_role()))
                .find_all(),
        );
        inside.extend(parts.iter().map(|part| (Area::of(part), place)));
    }
    let scrolled =
        |area: Area| inside.iter().find(|(part, _)| *part == area).map(|(_, place)| *place);

    let mut seen: Vec<Area> = Vec::new();
    let texts = texts_in(ElementQuery::from_root(ui));
    assert!(!texts.is_empty(), "the window shows text");
    for text in &texts {
        let area = Area::of(text);
        let label = text.id().unwrap_or_default();
        if area.width() < 1.0 || area.height() < 1.0 {
            let empty = text.accessible_label().is_none_or(|label| label.is_empty());
            if !empty {
                faults.push(format!("{label} has no room: {area:?}"));
            }
            continue;
        }
        if area.height() < 16.0 * 1.2 * unit {
            faults.push(format!("{label} is lower than a line of 16: {area:?}"));
        }
        let shown = match scrolled(area) {
            Some(place) => {
                if area.left < place.left - 1.0 || area.right > place.right + 1.0 {
                    faults
                        .push(format!("{label} sticks out beside the scrolled content: {area:?}"));
                }
                area.cut_to(place)
            }
            None => {
                if !area.within(whole) {
                    faults.push(format!("{label} sticks out of the window: {area:?}"));
                }
                Some(area)
            }
        };
        if let Some(shown) = shown {
            if let Some(other) =
                seen.iter().find(|other| shown.overlaps(**other) && **other != shown)
            {
                faults.push(format!("{label} at {shown:?} lies on the text at {other:?}"));
            }
            seen.push(shown);
        }
    }

    for band in ElementHandle::find_by_element_type_name(ui, "VerdictBand") {
        let place = Area::of(&band);
        for text in texts_in(band.query_descendants()) {
            if !Area::of(&text).within(place) {
                faults.push(format!("{:?} is cut by the band", Area::of(&text)));
            }
        }
    }

    let controls = ElementQuery::from_root(ui)
        .match_predicate(|element| is_control(element.accessible_role()))
        .find_all();
    for control in &controls {
        let area = Area::of(control);
        let label = control.accessible_label().unwrap_or_default();
        if label.is_empty() {
            faults.push(format!("a control at {area:?} has no label"));
        }
        // Letters are 42×64, the one exception.
        let letter = label.chars().count() == 1 && label.chars().all(|c| c.is_ascii_lowercase());
        let least = if letter { 42.0 } else { 64.0 };
        if area.width() < least * unit - 0.5 || area.height() < 64.0 * unit - 0.5 {
            faults.push(format!("\"{label}\" is {}×{}", area.width(), area.height()));
        }
        match scrolled(area) {
            Some(place) if area.left < place.left - 1.0 || area.right > place.right + 1.0 => {
                faults
                    .push(format!("\"{label}\" sticks out beside the scrolled content: {area:?}"));
            }
            None if !area.within(whole) => {
                faults.push(format!("\"{label}\" sticks out of the window: {area:?}"))
            }
            _ => {}
        }
        for text in texts_in(control.query_descendants()) {
            if !Area::of(&text).within(area) {
                faults.push(format!(
                    "the text of \"{label}\" is cut: {:?} in {area:?}",
                    Area::of(&text)
                ));
            }
        }
    }
    faults
}

fn layout_in(theme: ThemeMode) {
    let ui = window();
    let folder = std::env::var_os("FIELDCHECK_SCREENS").map(PathBuf::from);
    let mut wrong = Vec::new();
    ui.global::<App>().set_theme(theme);
    for language in LANGUAGES {
        select_language(&ui, language);
        for glove in [false, true] {
            // Gloves change sizes, not words or colours: once is enough.
            if glove && (theme != ThemeMode::Light || language != Language::Vietnamese) {
                continue;
            }
            ui.global::<App>().set_glove(glove);
            for size in [PORTRAIT, LANDSCAPE, DESKTOP] {
                resize(&ui, size);
                for case in CASES {
                    show(&ui, case);
                    let here =
                        format!("{}-{}x{}-{theme:?}-{language:?}", case.name, size.0, size.1);
                    let here = if glove { here + "-gloves" } else { here };
                    wrong.extend(
                        faults(&ui, size).into_iter().map(|fault| format!("{here}: {fault}")),
                    );
                    if let Some(folder) = &folder {
                        fs::create_dir_all(folder).expect("the folder for the pictures");
                        write_png(&folder.join(here.to_lowercase() + ".png"), &picture(&ui));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} faults\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn nothing_is_cut_or_too_small_in_light() {
    layout_in(ThemeMode::Light);
}

#[test]
fn nothing_is_cut_or_too_small_in_dark() {
    layout_in(ThemeMode::Dark);
}

#[test]
fn nothing_is_cut_or_too_small_at_night() {
    layout_in(ThemeMode::Night);
}

#[test]
fn nothing_is_cut_or_too_small_in_contrast() {
    layout_in(ThemeMode::Contrast);
}

#[test]
fn the_longest_name_wraps_and_pushes_nothing_off() {
    let ui = window();
    for size in [PORTRAIT, LANDSCAPE, DESKTOP] {
        resize(&ui, size);
        show(&ui, case("verdict-match"));
        let short = name_height(&ui, "NGUYỄN VĂN MẪU");
        show(&ui, case("verdict-match-long-name"));
        let long = name_height(&ui, "Công Tằng Tôn Nữ Thị Minh Nguyệt");
        // A narrow column wraps it; a wide one holds it in a line. Neither elides.
        assert!(long >= short, "{size:?}: {long} against {short}");
        assert_eq!(faults(&ui, size), Vec::<String>::new(), "{size:?}");
    }
    resize(&ui, DESKTOP);
    show(&ui, case("verdict-match-long-name"));
    assert!(
        name_height(&ui, "Công Tằng Tôn Nữ Thị Minh Nguyệt") > 50.0,
        "two lines in the right column"
    );
}

/// The font's stacked marks rise above its line: cut off, NGUYỄN reads NGUYÊN and another person
/// is looked up.
#[test]
fn stacked_marks_are_not_cut_off() {
    let ui = window();
    for name in ["verdict-match", "verdict-refer", "verdict-not-listed"] {
        for size in [PORTRAIT, LANDSCAPE, DESKTOP] {
            resize(&ui, size);
            let painted = |letters: &str| {
                show(&ui, case(name));
                ui.global::<VerdictView>().set_person(PersonLine { name: letters.into(), ..mau() });
                picture(&ui)
            };
            let (with, without) = (painted("ỄẪẨ"), painted("ÊÂÂ"));
            let marks =
                with.as_slice().iter().zip(without.as_slice()).filter(|(a, b)| a != b).count();
            assert!(marks > 60, "{name} at {size:?}: the marks are {marks} pixels");
        }
    }
}

fn name_height(ui: &AppWindow, name: &str) -> f32 {
    let text = ElementHandle::find_by_accessible_label(ui, name)
        .next()
        .expect("the name is on the screen");
    text.size().height
}

// ---- colours ----

fn luminance(color: Color) -> f64 {
    let linear = |channel: u8| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(color.red()) + 0.7152 * linear(color.green()) + 0.0722 * linear(color.blue())
}

fn contrast(a: Color, b: Color) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn verdicts_and_text_stand_out_in_every_theme() {
    let ui = window();
    for mode in THEMES {
        ui.global::<App>().set_theme(mode);
        let theme = ui.global::<Theme>();
        // Red on black ends at 5.5: night buys dark adaptation, and pays with weight 600 and an
        // inverted MATCH.
        let night = mode == ThemeMode::Night;
        let (verdict, text, border) = if night { (5.0, 4.4, 3.0) } else { (7.0, 7.0, 3.0) };
        let pairs = [
            ("on-match on match", theme.get_on_match(), theme.get_match(), verdict),
            ("on-refer on refer", theme.get_on_refer(), theme.get_refer(), verdict),
            ("on-clear on clear", theme.get_on_clear(), theme.get_clear(), verdict),
            ("on-none on none", theme.get_on_none(), theme.get_none(), verdict),
            ("on-none on its hatch", theme.get_on_none(), theme.get_none_hatch(), verdict),
            ("ink on paper (not listed)", theme.get_ink(), theme.get_bg(), verdict),
            ("match inverted", theme.get_bg(), theme.get_ink(), verdict),
            ("ink on surface", theme.get_ink(), theme.get_surface(), text),
            ("ink on selected", theme.get_ink(), theme.get_selected(), text),
            ("ink-2 on paper", theme.get_ink_2(), theme.get_bg(), text),
            ("ink-2 on surface", theme.get_ink_2(), theme.get_surface(), text),
            ("on-act on act", theme.get_on_act(), theme.get_act(), text),
            ("on-stamp on stamp", theme.get_on_stamp(), theme.get_stamp(), text),
            ("on-finder on finder", theme.get_on_finder(), theme.get_finder(), text),
            ("finder-2 on finder", theme.get_finder_2(), theme.get_finder(), text),
            ("match-ink on paper", theme.get_match_ink(), theme.get_bg(), text),
            ("line-2 on paper", theme.get_line_2(), theme.get_bg(), border),
            ("accent on paper", theme.get_accent(), theme.get_bg(), border),
            ("on-off on off", theme.get_on_off(), theme.get_off(), border),
        ];
        for (pair, ink, paper, least) in pairs {
            let measured = contrast(ink, paper);
            assert!(measured >= least, "{mode:?}: {pair} is {measured:.2}, wants {least}");
        }
    }
}

#[test]
fn night_shows_red_alone() {
    let ui = window();
    ui.global::<App>().set_theme(ThemeMode::Night);
    for size in [PORTRAIT, LANDSCAPE, DESKTOP] {
        resize(&ui, size);
        for case in CASES {
            show(&ui, case);
            let pixels = picture(&ui);
            let stray = pixels.as_slice().iter().find(|pixel| pixel.g > 0x24 || pixel.b > 0x16);
            assert!(stray.is_none(), "{} at {size:?} has {stray:?}", case.name);
        }
    }
}

// ---- words ----

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in [root.to_owned(), root.join("components"), root.join("screens")] {
        for entry in fs::read_dir(folder).expect("a folder of screens") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "slint") {
                let text = fs::read_to_string(&path).expect("a Slint file");
                files.push((path, text));
            }
        }
    }
    files
}

/// The string literal that `text` begins with, and what follows it.
fn literal(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start().strip_prefix('"')?;
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => value.push(characters.next()?.1),
            '"' => return Some((value, &text[at + 1..])),
            other => value.push(other),
        }
    }
    None
}

/// (context, English) of every `@tr` in the Slint files.
fn wanted() -> BTreeSet<(String, String)> {
    let mut wanted = BTreeSet::new();
    for (path, text) in sources() {
        for rest in text.split("@tr(").skip(1) {
            let (first, rest) =
                literal(rest).unwrap_or_else(|| panic!("{}: @tr without a text", path.display()));
            match rest.trim_start().strip_prefix("=>").and_then(literal) {
                Some((second, _)) => wanted.insert((first, second)),
                None => wanted.insert((String::new(), first)),
            };
        }
    }
    wanted
}

/// (context, English) to Vietnamese.
fn vietnamese() -> BTreeMap<(String, String), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("lang/vi/LC_MESSAGES/fieldcheck-ui.po");
    let text = fs::read_to_string(path).expect("the Vietnamese texts");
    let value =
        |line: &str, key: &str| line.strip_prefix(key).and_then(literal).map(|(value, _)| value);
    let (mut context, mut id) = (String::new(), String::new());
    let mut entries = BTreeMap::new();
    for line in text.lines() {
        if let Some(value) = value(line, "msgctxt ") {
            context = value;
        } else if let Some(value) = value(line, "msgid ") {
            id = value;
        } else if let Some(value) = value(line, "msgstr ").or_else(|| value(line, "msgstr[0] ")) {
            let before =
                entries.insert((std::mem::take(&mut context), std::mem::take(&mut id)), value);
            assert!(before.is_none(), "a text stands twice: {line}");
        }
    }
    entries.remove(&(String::new(), String::new()));
    entries
}

#[test]
fn every_text_has_its_vietnamese_and_none_is_left_over() {
    let vietnamese = vietnamese();
    let known: BTreeSet<_> = vietnamese.keys().cloned().collect();
    let wanted = wanted();
    assert!(wanted.len() > 250, "the Slint files were read");
    assert_eq!(
        wanted.difference(&known).collect::<Vec<_>>(),
        Vec::<&(String, String)>::new(),
        "untranslated"
    );
    assert_eq!(
        known.difference(&wanted).collect::<Vec<_>>(),
        Vec::<&(String, String)>::new(),
        "left over"
    );
    for ((_, english), vietnamese) in &vietnamese {
        assert!(!vietnamese.is_empty(), "{english} is empty");
        let places = |text: &str| text.matches('{').count();
        assert_eq!(places(english), places(vietnamese), "{english}");
    }
}

/// Words that judge a person or blame the officer. Each is looked for as a whole word or phrase.
const NEVER: [&str; 12] = [
    "tội phạm",
    "nghi phạm",
    "đối tượng",
    "kẻ",
    "danh sách đen",
    "bắt",
    "cảnh báo đỏ",
    "nguy hiểm",
    "điểm số",
    "thành công",
    "lỗi hệ thống",
    "vui lòng",
];

#[test]
fn no_text_judges_a_person() {
    for ((_, english), vietnamese) in vietnamese() {
        // The one lawful use says that it is *not* an order to arrest.
        let text = vietnamese.to_lowercase().replace("không phải lệnh bắt", "");
        let words: Vec<&str> =
            text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).collect();
        let text = format!(" {} ", words.join(" "));
        for banned in NEVER {
            assert!(
                !text.contains(&format!(" {banned} ")),
                "\"{english}\" says \"{banned}\": {vietnamese}"
            );
        }
    }
}

#[test]
fn lengths_and_type_sizes_come_from_the_theme() {
    for (path, text) in sources() {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let raw = |unit: &str| {
                code.match_indices(unit)
                    .any(|(at, _)| code[..at].ends_with(|c: char| c.is_ascii_digit()))
            };
            let here = format!("{name}:{}: {line}", number + 1);
            assert!(
                name == "theme.slint" || !(raw("px") || raw("pt") || raw("rem")),
                "a raw length: {here}"
            );
            let sets_size = code.contains("font-size:") && !code.contains("default-font-size:");
            assert!(name == "text.slint" || !sets_size, "a type size of its own: {here}");
        }
    }
}

#[test]
fn no_type_size_is_under_16() {
    let ui = window();
    let theme = ui.global::<Theme>();
    let sizes = [
        theme.get_t_small(),
        theme.get_t_body(),
        theme.get_t_lead(),
        theme.get_t_heading(),
        theme.get_t_name(),
        theme.get_t_title(),
        theme.get_t_verdict(),
        theme.get_t_home(),
        theme.get_t_figure(),
    ];
    assert!(sizes.iter().all(|size| *size >= 16.0), "{sizes:?}");
}

const FINDINGS: [FindingKind; 41] = [
    FindingKind::NoticeNumber,
    FindingKind::NoticeNameBirth,
    FindingKind::NoticePossible,
    FindingKind::DocumentLost,
    FindingKind::DocumentStolen,
    FindingKind::DocumentRevoked,
    FindingKind::NoticeLapseUnproven,
    FindingKind::RegisterNameDiffers,
    FindingKind::RegisterBirthDiffers,
    FindingKind::RegisterIssueDiffers,
    FindingKind::RegisterUnknownNumber,
    FindingKind::RegisterStatusReplaced,
    FindingKind::RegisterStatusLost,
    FindingKind::RegisterStatusStolen,
    FindingKind::RegisterStatusRevoked,
    FindingKind::RegisterStatusDeceased,
    FindingKind::NumberSexContradiction,
    FindingKind::NumberYearContradiction,
    FindingKind::DocumentExpired,
    FindingKind::ChipRefuted,
    FindingKind::ListMissing,
    FindingKind::ListTooOld,
    FindingKind::TimeNotTrusted,
    FindingKind::TooLittleKnown,
    FindingKind::IssueBirthContradiction,
    FindingKind::DateInFuture,
    FindingKind::TooManyNotices,
    FindingKind::RegisterLimit,
    FindingKind::RegisterFault,
    FindingKind::ChipDemanded,
    FindingKind::NoticeUnconfirmed,
    FindingKind::ListIncomplete,
    FindingKind::ChipCopy,
    FindingKind::ChipNumberDiffers,
    FindingKind::ChipNameDiffers,
    FindingKind::ChipBirthDiffers,
    FindingKind::ChipSexDiffers,
    FindingKind::ChipIssueDiffers,
    FindingKind::ChipExpiryDiffers,
    FindingKind::ChipOldNumberDiffers,
    FindingKind::PhotoDiffers,
];

#[test]
fn each_referral_asks_one_open_question_that_holds_no_answer() {
    let ui = window();
    let words = ui.global::<Words>();
    let said_without_question = [
        FindingKind::NoticeNumber,
        FindingKind::NoticeNameBirth,
        FindingKind::ListMissing,
        FindingKind::ListTooOld,
        FindingKind::TimeNotTrusted,
        FindingKind::TooLittleKnown,
        FindingKind::RegisterLimit,
        FindingKind::RegisterFault,
        FindingKind::ChipDemanded,
        FindingKind::NoticeUnconfirmed,
        FindingKind::ListIncomplete,
    ];
    for language in LANGUAGES {
        select_language(&ui, language);
        let mut sentences = BTreeSet::new();
        for kind in FINDINGS {
            let line = finding(kind, "03/09/2026", "12/03/1988");
            let what = words.invoke_finding(line);
            assert!(!what.is_empty(), "{kind:?}");
            sentences.insert(what);
            let question = words.invoke_question(kind, Address::Woman);
            assert_eq!(
                question.is_empty(),
                said_without_question.contains(&kind),
                "{kind:?}: {question}"
            );
            assert!(question.is_empty() || question.ends_with('?'), "{question}");
            assert!(!question.contains("1988") && !question.contains("2026"), "{question}");
        }
        // Lost and stolen say the same for a notice and for the register; all others differ.
        assert!(sentences.len() >= 20, "{language:?}: {}", sentences.len());
    }
}

#[test]
fn a_question_addresses_the_person_by_age_and_sex() {
    let ui = window();
    let ask = |who| ui.global::<Words>().invoke_question(FindingKind::RegisterBirthDiffers, who);
    assert_eq!(ask(Address::Man), "Anh sinh ngày, tháng, năm nào?");
    assert_eq!(ask(Address::Woman), "Chị sinh ngày, tháng, năm nào?");
    assert_eq!(ask(Address::ElderMan), "Ông sinh ngày, tháng, năm nào?");
    assert_eq!(ask(Address::ElderWoman), "Bà sinh ngày, tháng, năm nào?");
    select_language(&ui, Language::English);
    assert_eq!(ask(Address::ElderWoman), "Madam, what is your date of birth?");
}

#[test]
fn the_five_answers_have_the_words_of_the_glossary() {
    let ui = window();
    let words = ui.global::<Words>();
    // The two syllables of "thông báo" are kept on one line.
    let said = |answer| {
        let words = format!(
            "{} / {}",
            words.invoke_verdict(answer, false),
            words.invoke_verdict_more(answer)
        );
        words.replace('\u{a0}', " ")
    };
    assert_eq!(said(VerdictKind::Match), "TRÙNG THÔNG BÁO / cần xác minh");
    assert_eq!(said(VerdictKind::Refer), "CẦN KIỂM TRA THÊM / ");
    assert_eq!(said(VerdictKind::Clear), "KHÔNG CÓ THÔNG BÁO / giấy tờ thật");
    assert_eq!(
        said(VerdictKind::NotListed),
        "SỐ NÀY KHÔNG CÓ THÔNG BÁO / Chưa chứng minh được người."
    );
    assert_eq!(said(VerdictKind::NotChecked), "CHƯA KIỂM TRA ĐƯỢC / ");
    assert_eq!(words.invoke_action(NoticeAction::DenyExit), "Không cho xuất cảnh.");
    assert_eq!(words.invoke_action_note(NoticeAction::DenyExit), "Không phải lệnh bắt.");
}

// ---- what a touch does ----

type Log = Rc<RefCell<Vec<String>>>;

fn log() -> (Log, impl Fn(&str) + Clone + 'static) {
    let log: Log = Rc::default();
    let writer = log.clone();
    (log, move |line: &str| writer.borrow_mut().push(line.to_owned()))
}

fn control(ui: &AppWindow, label: &str) -> ElementHandle {
    ElementQuery::from_root(ui)
        .match_predicate({
            let label = label.to_owned();
            move |element| {
                is_control(element.accessible_role())
                    && element.accessible_label().is_some_and(|l| l == label)
            }
        })
        .find_first()
        .unwrap_or_else(|| panic!("no control \"{label}\""))
}

fn click(ui: &AppWindow, label: &str) {
    control(ui, label).mock_single_click(PointerEventButton::Left);
    mock_elapsed_time(Duration::from_millis(350));
}

fn press(ui: &AppWindow, text: impl Into<SharedString>) {
    let text = text.into();
    ui.window().dispatch_event(WindowEvent::KeyPressed { text: text.clone() });
    ui.window().dispatch_event(WindowEvent::KeyReleased { text });
    mock_elapsed_time(Duration::from_millis(350));
}

#[test]
fn pin_digits_reach_rust_as_numbers_by_touch_and_by_keyboard() {
    let ui = window();
    show(&ui, case("unlock"));
    let (log, write) = log();
    let unlock = ui.global::<Unlock>();
    unlock.on_digit({
        let write = write.clone();
        move |digit| write(&format!("digit {digit}"))
    });
    unlock.on_erase({
        let write = write.clone();
        move || write("erase")
    });
    unlock.on_submit(move || write("submit"));
    click(&ui, "7");
    click(&ui, "0");
    click(&ui, "Xóa");
    press(&ui, "4");
    press(&ui, "x");
    press(&ui, Key::Backspace);
    // Too short to be a PIN: nothing is tried, so nothing is lost.
    press(&ui, Key::Return);
    click(&ui, "MỞ KHÓA");
    assert_eq!(log.borrow().len(), 5);
    unlock.set_digits(6);
    mock_elapsed_time(Duration::from_millis(350));
    press(&ui, Key::Return);
    click(&ui, "MỞ KHÓA");
    assert_eq!(
        *log.borrow(),
        ["digit 7", "digit 0", "erase", "digit 4", "erase", "submit", "submit"]
    );
}

#[test]
fn while_the_device_waits_the_keys_are_dead() {
    let ui = window();
    show(&ui, case("unlock-waiting"));
    let (log, write) = log();
    ui.global::<Unlock>().on_digit(move |_| write("digit"));
    click(&ui, "7");
    press(&ui, "7");
    assert!(log.borrow().is_empty());
    assert_eq!(control(&ui, "7").accessible_enabled(), Some(false));
}

#[test]
fn the_lock_screen_tells_nothing_of_lists_records_or_people() {
    let ui = window();
    show(&ui, case("unlock"));
    let labels = ElementQuery::from_root(&ui).find_all();
    let said: String =
        labels.iter().filter_map(|e| e.accessible_label()).map(|l| format!("{l}\n")).collect();
    assert!(said.contains("Máy 07"), "{said}");
    for secret in ["1184", "18", "NGUYỄN", "Danh sách", "bản ghi"] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}

#[test]
fn demo_data_and_a_software_key_are_said_on_every_screen() {
    let ui = window();
    let stamps = || ElementHandle::find_by_element_id(&ui, "AppWindow::stamp").count();
    for case in CASES {
        show(&ui, case);
        assert!(stamps() > 0, "{}", case.name);
    }
    ui.global::<App>().set_demo(false);
    mock_elapsed_time(Duration::from_millis(1));
    let stamp = ElementHandle::find_by_element_id(&ui, "AppWindow::stamp")
        .next()
        .expect("still a software key");
    assert_eq!(stamp.accessible_label().as_deref(), Some("Khóa mềm: máy này không được bảo vệ"));
    ui.global::<App>().set_software_key(false);
    mock_elapsed_time(Duration::from_millis(1));
    assert_eq!(stamps(), 0);
}

#[test]
fn the_tap_meant_for_the_scan_does_not_dismiss_the_verdict() {
    let ui = window();
    let (log, write) = log();
    ui.global::<VerdictView>().on_next(move || write("next"));
    ui.global::<App>().set_screen(Screen::Home);
    mock_elapsed_time(Duration::from_millis(1));
    (case("verdict-not-listed").set)(&ui);
    mock_elapsed_time(Duration::from_millis(1));
    mock_elapsed_time(Duration::from_millis(100));
    control(&ui, "QUÉT TIẾP").mock_single_click(PointerEventButton::Left);
    assert!(log.borrow().is_empty(), "within 400 ms");
    mock_elapsed_time(Duration::from_millis(500));
    click(&ui, "QUÉT TIẾP");
    assert_eq!(*log.borrow(), ["next"]);
}

#[test]
fn a_trembling_finger_presses_once() {
    let ui = window();
    show(&ui, case("verdict-not-listed"));
    let (log, write) = log();
    ui.global::<VerdictView>().on_next(move || write("next"));
    let button = control(&ui, "QUÉT TIẾP");
    button.mock_single_click(PointerEventButton::Left);
    button.mock_single_click(PointerEventButton::Left);
    assert_eq!(log.borrow().len(), 1);
    mock_elapsed_time(Duration::from_millis(350));
    button.mock_single_click(PointerEventButton::Left);
    assert_eq!(log.borrow().len(), 2);
}

#[test]
fn closing_a_match_without_an_outcome_asks_first() {
    let ui = window();
    let (log, write) = log();
    let view = ui.global::<VerdictView>();
    view.on_close({
        let write = write.clone();
        move || write("close")
    });
    view.on_record(move || write("record"));

    show(&ui, case("verdict-match"));
    click(&ui, "Đóng");
    assert!(log.borrow().is_empty());
    click(&ui, "Để sau");
    assert_eq!(*log.borrow(), ["close"]);

    show(&ui, case("verdict-match"));
    press(&ui, Key::Escape);
    click(&ui, "GHI NGAY");
    assert_eq!(*log.borrow(), ["close", "record"]);

    show(&ui, case("verdict-not-listed"));
    click(&ui, "Đóng");
    assert_eq!(*log.borrow(), ["close", "record", "close"]);
}

#[test]
fn a_step_of_the_checklist_ticks_and_tells() {
    let ui = window();
    show(&ui, case("verdict-match"));
    let (log, write) = log();
    let view = ui.global::<VerdictView>();
    view.on_ticked(move || write("ticked"));
    let second = control(&ui, "Xác nhận lần hai. Trực ban hoặc cán bộ thứ hai");
    assert_eq!(second.accessible_checked(), Some(false));
    second.invoke_accessible_default_action();
    assert!(view.get_check_second());
    assert_eq!(second.accessible_checked(), Some(true));
    assert_eq!(*log.borrow(), ["ticked"]);
}

#[test]
fn the_notice_is_opened_only_with_a_reason() {
    let ui = window();
    // The desktop shows the whole of it without scrolling.
    resize(&ui, DESKTOP);
    show(&ui, case("verdict-match"));
    let (log, write) = log();
    let view = ui.global::<VerdictView>();
    view.on_details(move |reason| write(&format!("{reason:?}")));
    control(&ui, "Đối chiếu với thông báo. Ảnh và đặc điểm; hỏi lý do, ghi nhật ký")
        .invoke_accessible_default_action();
    mock_elapsed_time(Duration::from_millis(350));
    assert_eq!(view.get_step(), VerdictStep::Reason);
    click(&ui, "Trực ban yêu cầu");
    assert_eq!(*log.borrow(), ["DutyOfficer"]);
}

#[test]
fn the_right_person_waits_for_the_whole_checklist() {
    let ui = window();
    show(&ui, case("outcome"));
    let (log, write) = log();
    ui.global::<Outcome>().on_choose(move |choice| write(&format!("{choice:?}")));
    let confirmed = control(&ui, "Đúng người. Còn 2 bước xác minh");
    assert_eq!(confirmed.accessible_enabled(), Some(false));
    confirmed.mock_single_click(PointerEventButton::Left);
    assert!(log.borrow().is_empty());
    ui.global::<Outcome>().set_checks_left(0);
    mock_elapsed_time(Duration::from_millis(350));
    click(&ui, "Đúng người. Đã xác nhận lần hai");
    assert_eq!(*log.borrow(), ["Confirmed"]);
}

#[test]
fn saving_needs_a_choice_and_a_reason() {
    let ui = window();
    show(&ui, case("outcome"));
    let outcome = ui.global::<Outcome>();
    assert_eq!(control(&ui, "LƯU").accessible_enabled(), Some(true));
    outcome.set_why(OutcomeWhy::None);
    assert_eq!(control(&ui, "LƯU").accessible_enabled(), Some(false));
    let (log, write) = log();
    outcome.on_save(move || write("save"));
    press(&ui, Key::Return);
    assert!(log.borrow().is_empty());
}

#[test]
fn the_answers_to_a_referral_reach_rust() {
    let ui = window();
    show(&ui, case("verdict-refer"));
    let (log, write) = log();
    let view = ui.global::<VerdictView>();
    view.on_answered({
        let write = write.clone();
        move |answer| write(&format!("{answer:?}"))
    });
    view.on_clarified(move || write("clarified"));
    for label in ["Như trên thẻ", "Khác", "Không rõ", "Đã làm rõ"] {
        click(&ui, label);
    }
    assert_eq!(
        *log.borrow(),
        ["AsCard", "Other", "Unknown"],
        "nothing is settled without an answer"
    );
    view.set_reply(Reply::AsCard);
    mock_elapsed_time(Duration::from_secs(1));
    click(&ui, "Đã làm rõ");
    assert_eq!(log.borrow().last().map(String::as_str), Some("clarified"));

    // An answer that differs from the card is not settled by the officer alone.
    view.set_reply(Reply::Other);
    mock_elapsed_time(Duration::from_secs(1));
    click(&ui, "Đã làm rõ");
    assert_eq!(log.borrow().len(), 4);
}

#[test]
fn names_are_typed_on_the_apps_own_keys_and_on_a_keyboard() {
    let ui = window();
    show(&ui, case("entry-name"));
    let (log, write) = log();
    let entry = ui.global::<Entry>();
    entry.on_key({
        let write = write.clone();
        move |key| write(&key)
    });
    entry.on_submit(move || write("submit"));
    click(&ui, "q");
    click(&ui, "dấu cách");
    press(&ui, "w");
    click(&ui, "TRA CỨU");
    assert_eq!(*log.borrow(), ["q", " ", "w", "submit"]);
}

#[test]
fn the_keyboard_scans_locks_and_leaves() {
    let ui = window();
    let (log, write) = log();
    let app = ui.global::<App>();
    app.on_go({
        let write = write.clone();
        move |screen| write(&format!("go {screen:?}"))
    });
    app.on_lock({
        let write = write.clone();
        move || write("lock")
    });
    ui.global::<Home>().on_scan({
        let write = write.clone();
        move || write("scan")
    });
    ui.global::<Queue>().on_close(move || write("close"));
    show(&ui, case("home"));
    press(&ui, Key::Return);
    show(&ui, case("queue"));
    press(&ui, Key::F2);
    press(&ui, Key::Escape);
    ui.window().dispatch_event(WindowEvent::KeyPressed { text: Key::Control.into() });
    press(&ui, "l");
    assert_eq!(*log.borrow(), ["scan", "go Scan", "close", "lock"]);
}

#[test]
fn the_keyboard_stays_alive_when_the_focused_part_goes() {
    let ui = window();
    show(&ui, case("verdict-match"));
    let view = ui.global::<VerdictView>();
    press(&ui, Key::Tab);
    view.set_step(VerdictStep::Reason);
    mock_elapsed_time(Duration::from_millis(1));
    press(&ui, Key::Escape);
    assert_eq!(view.get_step(), VerdictStep::Answer);
}

#[test]
fn every_unlocked_screen_can_be_locked_by_one_tap() {
    let ui = window();
    for size in [PORTRAIT, LANDSCAPE, DESKTOP] {
        resize(&ui, size);
        for case in CASES {
            // A trouble stands before any unlocking.
            let exempt = ["unlock", "trouble"].iter().any(|name| case.name.starts_with(name));
            show(&ui, case);
            let locks = ElementQuery::from_root(&ui)
                .match_predicate(|e| {
                    is_control(e.accessible_role())
                        && e.accessible_label().is_some_and(|l| l == "Khóa máy")
                })
                .find_first();
            assert_eq!(locks.is_some(), !exempt, "{} at {size:?}", case.name);
        }
    }
}

#[test]
fn a_change_of_language_shows_at_once() {
    let ui = window();
    show(&ui, case("home"));
    control(&ui, "QUÉT THẺ");
    select_language(&ui, Language::English);
    control(&ui, "SCAN CARD");
    select_language(&ui, Language::Vietnamese);
    control(&ui, "QUÉT THẺ");
}

// ---- loading ----

const PROBLEMS: [LoadProblem; 32] = [
    LoadProblem::Unreadable,
    LoadProblem::StickGone,
    LoadProblem::NotAPackage,
    LoadProblem::Undecodable,
    LoadProblem::Contradictory,
    LoadProblem::NoRoot,
    LoadProblem::ForeignRoot,
    LoadProblem::RootOrder,
    LoadProblem::RootEnd,
    LoadProblem::RootBefore,
    LoadProblem::WrongPurpose,
    LoadProblem::Signatures,
    LoadProblem::OnePerson,
    LoadProblem::StraySignature,
    LoadProblem::Expired,
    LoadProblem::FromTheFuture,
    LoadProblem::TimeUnproven,
    LoadProblem::WrongEpoch,
    LoadProblem::Same,
    LoadProblem::Older,
    LoadProblem::WrongBase,
    LoadProblem::OtherDataset,
    LoadProblem::ProgramTooOld,
    LoadProblem::NotForThisDevice,
    LoadProblem::Envelope,
    LoadProblem::DamagedPart,
    LoadProblem::TrailingBytes,
    LoadProblem::ChangedMeanwhile,
    LoadProblem::NoSpace,
    LoadProblem::Busy,
    LoadProblem::NotWritten,
    LoadProblem::Probe,
];

#[test]
fn each_reason_not_to_load_says_what_happened_and_what_to_do() {
    let ui = window();
    let words = ui.global::<Words>();
    for language in LANGUAGES {
        select_language(&ui, language);
        let rest = ProblemLine { kind: LoadProblem::Other, ..Default::default() };
        let (rest, rest_note) =
            (words.invoke_problem(rest.clone()), words.invoke_problem_note(rest));
        let mut titles = BTreeSet::new();
        for kind in PROBLEMS {
            let line = ProblemLine {
                kind,
                valid: 1,
                needed: 2,
                part: 13,
                offered: "1180".into(),
                installed: "1184".into(),
                ..Default::default()
            };
            let title = words.invoke_problem(line.clone());
            let note = words.invoke_problem_note(line.clone());
            let advice: Vec<SharedString> = words.invoke_advice(line).iter().collect();
            assert!(title != rest && note != rest_note, "{kind:?} has no words of its own");
            assert!((1..=3).contains(&advice.len()), "{kind:?}: {advice:?}");
            assert!(advice.iter().all(|step| step.ends_with('.')), "{kind:?}: {advice:?}");
            titles.insert(title);
        }
        // A damaged head is one thing to whoever holds the stick, however it was found.
        assert!(titles.len() >= PROBLEMS.len() - 4, "{language:?}: {titles:?}");
    }
}

#[test]
fn a_service_number_has_four_digits_or_more() {
    let ui = window();
    show(&ui, case("load-who"));
    let (log, write) = log();
    let load = ui.global::<Load>();
    load.on_digit({
        let write = write.clone();
        move |digit| write(&format!("digit {digit}"))
    });
    load.on_loader_given(move || write("given"));
    load.set_loader("204".into());
    mock_elapsed_time(Duration::from_millis(1));
    press(&ui, Key::Return);
    click(&ui, "TIẾP TỤC");
    click(&ui, "9");
    press(&ui, "8");
    assert_eq!(*log.borrow(), ["digit 9", "digit 8"]);
    load.set_loader("2049".into());
    mock_elapsed_time(Duration::from_millis(1));
    press(&ui, Key::Return);
    click(&ui, "TIẾP TỤC");
    assert_eq!(*log.borrow(), ["digit 9", "digit 8", "given", "given"]);
    load.set_loader("204117".into());
}

#[test]
fn what_is_older_or_refused_can_be_looked_at_and_not_loaded() {
    let ui = window();
    show(&ui, case("load-found"));
    let (log, write) = log();
    let load = ui.global::<Load>();
    load.on_look_at({
        let write = write.clone();
        move |index| write(&format!("look at {index}"))
    });
    load.on_start(move || write("start"));
    click(&ui, "Danh sách 1180. Cũ hơn bản đang dùng (1184)");
    click(&ui, "ban-sao.fcsnap. Tệp này không phải danh sách");
    let older = a_package(&ui, 2);
    show(&ui, case("load-package"));
    load.set_package(older);
    mock_elapsed_time(Duration::from_millis(1));
    assert_eq!(control(&ui, "KIỂM TRA VÀ NẠP").accessible_enabled(), Some(false));
    click(&ui, "KIỂM TRA VÀ NẠP");
    press(&ui, Key::Return);
    assert_eq!(*log.borrow(), ["look at 2", "look at 3"]);
}

#[test]
fn a_load_under_way_is_stopped_by_a_press_and_not_by_accident() {
    let ui = window();
    show(&ui, case("load-running"));
    let (log, write) = log();
    let load = ui.global::<Load>();
    load.on_back({
        let write = write.clone();
        move || write("back")
    });
    load.on_scan({
        let write = write.clone();
        move || write("scan")
    });
    load.on_stop(move || write("stop"));
    press(&ui, Key::Escape);
    press(&ui, Key::Return);
    click(&ui, "Quét trong lúc nạp");
    click(&ui, "Dừng");
    assert_eq!(*log.borrow(), ["scan", "stop"]);
    load.set_closing(true);
    mock_elapsed_time(Duration::from_millis(350));
    click(&ui, "Đang chuyển sang");
    assert_eq!(log.borrow().len(), 2, "the switch is not stopped in its middle");
    load.set_closing(false);
}

#[test]
fn each_check_says_how_it_stands_in_a_word() {
    let ui = window();
    show(&ui, case("load-running"));
    let said = |label: &str| ElementHandle::find_by_accessible_label(&ui, label).next().is_some();
    assert!(said("Hai người đã ký: lập và duyệt: xong"));
    assert!(said("Từng phần còn nguyên vẹn: đang xem"));
    assert!(said("Chuyển sang dùng: chờ"));
}

#[test]
fn a_withdrawal_is_applied_once_it_was_pressed() {
    let ui = window();
    let (log, write) = log();
    let view = ui.global::<WithdrawalView>();
    view.on_apply({
        let write = write.clone();
        move || write("apply")
    });
    view.on_close(move || write("close"));
    show(&ui, case("withdrawal"));
    click(&ui, "Để sau");
    show(&ui, case("withdrawal-refused"));
    assert!(
        ElementHandle::find_by_accessible_label(&ui, "THỰC HIỆN ĐÌNH NÃ").next().is_none(),
        "what was refused cannot be applied"
    );
    show(&ui, case("withdrawal"));
    click(&ui, "THỰC HIỆN ĐÌNH NÃ");
    assert_eq!(*log.borrow(), ["close", "apply"]);
}

// ---- the chip ----

const CHIP_FINDINGS: [FindingKind; 10] = [
    FindingKind::ChipRefuted,
    FindingKind::ChipCopy,
    FindingKind::ChipNumberDiffers,
    FindingKind::ChipNameDiffers,
    FindingKind::ChipBirthDiffers,
    FindingKind::ChipSexDiffers,
    FindingKind::ChipIssueDiffers,
    FindingKind::ChipExpiryDiffers,
    FindingKind::ChipOldNumberDiffers,
    FindingKind::PhotoDiffers,
];

#[test]
fn what_speaks_against_a_chip_is_said_in_words_of_its_own_and_settled_by_none() {
    let ui = window();
    let words = ui.global::<Words>();
    for language in LANGUAGES {
        select_language(&ui, language);
        let mut said = BTreeSet::new();
        for kind in CHIP_FINDINGS {
            said.insert(words.invoke_finding(differing(kind, "a", "b")));
            assert!(!words.invoke_finding_note(kind).is_empty(), "{kind:?}");
            assert!(!words.invoke_asks_for_a_field(kind), "{kind:?}");
        }
        assert_eq!(said.len(), CHIP_FINDINGS.len(), "{language:?}: {said:?}");
        // Than the card, than what was typed, than itself.
        let card = differing(FindingKind::ChipNameDiffers, "a", "b");
        let typed = FindingLine { typed: true, ..card.clone() };
        let itself = FindingLine { value: "".into(), ..card.clone() };
        let said: BTreeSet<_> =
            [card, typed, itself].into_iter().map(|line| words.invoke_finding(line)).collect();
        assert_eq!(said.len(), 3, "{said:?}");
    }
}

#[test]
fn each_failure_of_reading_says_what_happened_and_what_to_do() {
    const FAILURES: [ChipFailure; 11] = [
        ChipFailure::NoReader,
        ChipFailure::NoCard,
        ChipFailure::Stopped,
        ChipFailure::WrongKey,
        ChipFailure::NotADocument,
        ChipFailure::Silent,
        ChipFailure::Broken,
        ChipFailure::LostTooOften,
        ChipFailure::AnotherCard,
        ChipFailure::NoKey,
        ChipFailure::NotSupported,
    ];
    let ui = window();
    let words = ui.global::<Words>();
    for language in LANGUAGES {
        select_language(&ui, language);
        let titles: BTreeSet<_> =
            FAILURES.iter().map(|failure| words.invoke_chip_failure(*failure)).collect();
        let notes: BTreeSet<_> =
            FAILURES.iter().map(|failure| words.invoke_chip_failure_note(*failure)).collect();
        assert_eq!((titles.len(), notes.len()), (11, 11), "{language:?}");
        assert!(notes.iter().all(|note| note.ends_with('.')), "{notes:?}");
        // Each fits the screen.
        for size in [PORTRAIT, LANDSCAPE, DESKTOP] {
            resize(&ui, size);
            for failure in FAILURES {
                show(&ui, case("chip-failed"));
                ui.global::<Chip>().set_failure(failure);
                mock_elapsed_time(Duration::from_millis(1));
                assert_eq!(faults(&ui, size), Vec::<String>::new(), "{failure:?} at {size:?}");
            }
        }
    }
}

/// Every state that a line of the proof can have.
fn proofs() -> Vec<ChipProof> {
    use ChipData::*;
    use ChipSigner as Signer;
    let signers = [
        Signer::State,
        Signer::NoAnchor,
        Signer::UnknownKey,
        Signer::NoCertificate,
        Signer::UnknownKind,
        Signer::NotValidToday,
        Signer::NotLookedAt,
        Signer::Unreadable,
        Signer::Wrong,
        Signer::NotOfDocuments,
        Signer::NotPermitted,
        Signer::NotValid,
        Signer::Forged,
        Signer::AuthorityNotValid,
        Signer::Revoked,
        Signer::OtherState,
    ];
    let data = [Unchanged, Unsigned, NotLookedAt, Altered, NotSigned, NoHolder, Downgraded];
    let copies = [ChipCopy::NoCopy, ChipCopy::NotExcluded, ChipCopy::NotLookedAt, ChipCopy::Copy];
    let of_signers = signers.map(|signer| ChipProof { signer, ..genuine() });
    let of_data = data.map(|data| ChipProof { data, ..genuine() });
    let of_copies = copies.map(|copy| ChipProof { copy, ..genuine() });
    let lists = [ChipRevocation::Missing, ChipRevocation::Old];
    let of_lists = lists.map(|revocation| ChipProof { revocation, ..genuine() });
    of_signers.into_iter().chain(of_data).chain(of_copies).chain(of_lists).collect()
}

#[test]
fn each_proof_of_a_chip_has_words_and_a_mark_and_fits_the_screen() {
    let ui = window();
    let words = ui.global::<Words>();
    for language in LANGUAGES {
        select_language(&ui, language);
        for proof in proofs() {
            assert!(!words.invoke_signer(proof.clone()).is_empty(), "{proof:?}");
            assert!(!words.invoke_chip_data(proof.data).is_empty(), "{proof:?}");
            assert!(!words.invoke_chip_copy(proof.copy).is_empty(), "{proof:?}");
            let marks = [
                words.invoke_signer_mark(proof.signer),
                words.invoke_data_mark(proof.data),
                words.invoke_copy_mark(proof.copy),
            ];
            let proven = marks == [ProofMark::Proven; 3];
            let is_genuine = proof.signer == ChipSigner::State
                && proof.data == ChipData::Unchanged
                && proof.copy == ChipCopy::NoCopy;
            assert_eq!(proven, is_genuine, "{proof:?}");
            let is_old = matches!(proof.revocation, ChipRevocation::Old | ChipRevocation::Missing);
            assert_eq!(!words.invoke_revocation(proof.clone()).is_empty(), is_old, "{proof:?}");
            for size in [PORTRAIT, LANDSCAPE] {
                resize(&ui, size);
                show(&ui, case("verdict-chip-genuine"));
                ui.global::<VerdictView>().set_chip(proof.clone());
                mock_elapsed_time(Duration::from_millis(1));
                assert_eq!(faults(&ui, size), Vec::<String>::new(), "{proof:?} at {size:?}");
            }
        }
    }
}

#[test]
fn the_photo_in_the_chip_is_large_and_beside_the_person() {
    let ui = window();
    for size in [PORTRAIT, LANDSCAPE, DESKTOP] {
        resize(&ui, size);
        for name in ["verdict-chip-genuine", "verdict-chip-refuted", "verdict-chip-match"] {
            show(&ui, case(name));
            let photo = ElementHandle::find_by_accessible_label(&ui, "Ảnh trong chip")
                .next()
                .unwrap_or_else(|| panic!("{name} at {size:?} shows no photo"));
            let (wide, high) = (photo.size().width, photo.size().height);
            assert!(wide >= 196.0 && high >= 245.0, "{name} at {size:?}: {wide}x{high}");
        }
    }
}

#[test]
fn that_a_card_is_a_program_is_said_on_every_screen_of_its_chip() {
    let ui = window();
    let said = || {
        ElementHandle::find_by_accessible_label(&ui, "MÔ PHỎNG: thẻ này do phần mềm giả lập.")
            .next()
            .is_some()
    };
    for step in [ChipStep::Hold, ChipStep::Reading, ChipStep::Lost, ChipStep::Failed] {
        for simulated in [true, false] {
            show(&ui, case("home"));
            chip(&ui, step, simulated);
            mock_elapsed_time(Duration::from_millis(1));
            assert_eq!(said(), simulated, "{step:?}");
        }
    }
    for name in ["genuine", "refuted", "match", "list-too-old"] {
        let case = case(&format!("verdict-chip-{name}"));
        for size in [PORTRAIT, DESKTOP] {
            resize(&ui, size);
            show(&ui, case);
            assert!(!said(), "{name}");
            ui.global::<VerdictView>().set_chip_simulated(true);
            mock_elapsed_time(Duration::from_millis(1));
            assert!(said(), "{name} at {size:?}");
        }
    }
}

#[test]
fn reading_is_stopped_tried_again_and_left() {
    let ui = window();
    let (log, write) = log();
    let chip = ui.global::<Chip>();
    chip.on_stop({
        let write = write.clone();
        move || write("stop")
    });
    chip.on_retry({
        let write = write.clone();
        move || write("retry")
    });
    chip.on_back(move || write("back"));
    show(&ui, case("chip-hold"));
    press(&ui, Key::Return);
    click(&ui, "Bỏ qua chip");
    show(&ui, case("chip-reading"));
    click(&ui, "Dừng");
    show(&ui, case("chip-lost"));
    click(&ui, "Bỏ qua chip");
    press(&ui, Key::Escape);
    assert_eq!(*log.borrow(), ["stop"; 4]);
    show(&ui, case("chip-failed"));
    click(&ui, "THỬ LẠI");
    press(&ui, Key::Return);
    click(&ui, "Về câu trả lời");
    press(&ui, Key::Escape);
    // Without a number there is nothing to try again with.
    show(&ui, case("chip-failed-no-number"));
    press(&ui, Key::Return);
    assert_eq!(log.borrow()[4..], ["retry", "retry", "back", "back", "back"]);
}

#[test]
fn the_chip_is_offered_where_there_is_a_reader_and_a_number() {
    let ui = window();
    // The desktop shows the whole of a match without scrolling.
    resize(&ui, DESKTOP);
    let (log, write) = log();
    let view = ui.global::<VerdictView>();
    view.on_read_chip(move || write("read"));
    let offered = || {
        ElementQuery::from_root(&ui)
            .match_predicate(|element| {
                is_control(element.accessible_role())
                    && element.accessible_label().is_some_and(|it| it.starts_with("Đọc chip"))
            })
            .find_first()
    };
    let names = [
        "verdict-offers-chip",
        "verdict-match-offers-chip",
        "verdict-refer-asks-chip",
        "verdict-not-checked-asks-chip",
    ];
    for (at, name) in names.into_iter().enumerate() {
        show(&ui, case(name));
        offered().expect(name).invoke_accessible_default_action();
        assert_eq!(log.borrow().len(), at + 1, "{name}");
        ui.global::<Chip>().set_has_reader(false);
        mock_elapsed_time(Duration::from_millis(1));
        assert!(offered().is_none(), "{name} without a reader");
        show(&ui, case(name));
        view.set_chip_readable(false);
        mock_elapsed_time(Duration::from_millis(1));
        assert!(offered().is_none(), "{name} without a number");
    }
}

#[test]
fn a_photo_that_is_not_alike_is_said_by_one_press_and_settled_by_none() {
    let ui = window();
    let (log, write) = log();
    let view = ui.global::<VerdictView>();
    view.on_not_alike({
        let write = write.clone();
        move || write("not alike")
    });
    view.on_clarified(move || write("clarified"));
    for name in
        ["verdict-chip-genuine", "verdict-chip-copy-not-excluded", "verdict-chip-list-too-old"]
    {
        show(&ui, case(name));
        click(&ui, "Không giống");
    }
    assert_eq!(*log.borrow(), ["not alike"; 3]);
    show(&ui, case("verdict-chip-differs"));
    assert_eq!(control(&ui, "Đã làm rõ").accessible_enabled(), Some(false));
    click(&ui, "Đã làm rõ");
    assert_eq!(log.borrow().len(), 3);
}
