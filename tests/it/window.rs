//! The window as an officer uses it: real buttons, real worker, real device, no display.

use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use fieldcheck::camera::FrameSource;
use fieldcheck::camera::pictures::PictureSource;
use fieldcheck::carried::Stick;
use fieldcheck::chip::simulated::folder;
use fieldcheck::clock::{DeviceTime, FixedClock};
use fieldcheck::device::{self, Device, RecentKind};
use fieldcheck::document::{Date, Name};
use fieldcheck::invented::shots::{BackKind, BackShot, Level, OcrB, back};
use fieldcheck::invented::{World, chips, draw};
use fieldcheck::keys::{ArgonCost, Pin, SimulatedDeviceKey};
use fieldcheck::platform::simulated::SimulatedCards;
use fieldcheck::snapshot::build::{self, Draft, Terms, Unit};
use fieldcheck::snapshot::keyring::Keyring;
use fieldcheck::snapshot::withdrawal;
use fieldcheck::store::install::Proceed;
use fieldcheck::store::state::Enrolment;
use fieldcheck::view::{Preview, View, preview};
use fieldcheck::worker::{Event, Worker};
use fieldcheck_ui as ui;
use i_slint_backend_testing::{
    AccessibleRole, ElementHandle, TestingBackend, TestingBackendOptions,
};
use slint::platform::PointerEventButton;
use slint::{ComponentHandle as _, Model as _};
use sync_format::codec::{self, Kind};
use sync_format::v1::anchors::{Anchor, AnchorKind};
use sync_format::v1::message::{SignedWithdrawal, Withdrawal};
use sync_format::v1::notice::Notice;
use sync_format::v1::package::seal::{SealSecret, Seed};
use sync_format::v1::package::{Dataset, Domain, Freshness, Purpose, Role, SnapshotVersion};
use sync_format::v1::record::Outcome;
use sync_format::v1::register::{RegisterRow, Status, TagKey, region_of};

const PIN: [u8; 6] = [4, 0, 2, 9, 1, 3];

/// 2026-11-24, 10:00 in Vietnam.
const NOW: DeviceTime = DeviceTime(1_795_489_200);

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn the_pin() -> Pin {
    let mut pin = Pin::new();
    for digit in PIN {
        assert!(pin.push(digit));
    }
    pin
}

/// A device with both lists of a small invented world, and the pictures of some of its cards.
struct Duty {
    folder: tempfile::TempDir,
    clock: Arc<FixedClock>,
    pictures: Vec<PathBuf>,
    notices: Vec<Notice>,
    rows: Vec<RegisterRow>,
    seed: Seed,
}

const UNIT: u32 = 3;

fn keyring() -> Keyring {
    Keyring::simulated(1)
}

fn root() -> Vec<u8> {
    keyring().root(Purpose::Demo, 1, NOW.0 - 30 * 86_400, NOW.0 + 30 * 86_400).unwrap()
}

fn seal_secret() -> SealSecret {
    SealSecret::new([0xd1; 32])
}

fn units() -> Vec<Unit> {
    vec![Unit {
        unit: UNIT,
        regions: None,
        freshness: None,
        chip_required: false,
        devices: vec![seal_secret().public()],
    }]
}

fn terms(version: u64) -> Terms {
    Terms {
        version: SnapshotVersion { epoch: 1, version },
        created: NOW.0 - 7_200 + i64::try_from(version).unwrap(),
        expires: NOW.0 + 86_400,
        freshness: Freshness { fresh_hours: 24, usable_hours: 168 },
        chip_required: false,
    }
}

fn package(draft: &Draft, roles: &[Role]) -> Vec<u8> {
    let root_chain = keyring().sign_root(root()).unwrap();
    let sign = |role: &Role| keyring().sign_manifest(*role, &draft.manifest);
    draft.package(UNIT, &root_chain, roles.iter().flat_map(sign).collect()).unwrap()
}

impl Duty {
    /// Shows the cards whose file names contain one of `cards`, in this order.
    fn with_cards(cards: &[&str]) -> Duty {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::at(NOW));
        let world = World::new(7, 40, Date::from_days(NOW.vietnam_day()));
        let seed = (0..=255_u8)
            .map(|byte| Seed::new([byte; 32]))
            .find(|seed| world.shows_every_disagreement(&TagKey::new(*seed.tag_key())))
            .unwrap();
        let tags = TagKey::new(*seed.tag_key());
        let rows = world.register().map(|row| {
            let name = Name::parse(&row.name).map(|name| name.folded());
            let birth = Some(row.birth).filter(|birth| !birth.is_unknown());
            tags.seal_row(row.number, name.as_deref(), birth, row.issued, row.status)
        });
        let rows: Vec<RegisterRow> = rows.collect();
        let duty =
            Duty { folder, clock, pictures: Vec::new(), notices: world.notices(), rows, seed };
        let packages = [duty.list(1, &duty.notices), duty.register(1, &duty.rows)];
        let enrolment = Enrolment {
            device: [7; 16],
            label: "07".to_owned(),
            unit: UNIT,
            root_hash: sync_format::v1::package::sha256(&root()),
            purpose: Purpose::Demo,
            collect_key: fieldcheck::queue::draw_collect_keys().1,
            seal_secret: seal_secret(),
            enrolled_at: NOW,
        };
        let key = SimulatedDeviceKey::numbered(7);
        device::enrol(&duty.data(), &key, &*duty.clock, &enrolment, &the_pin(), ArgonCost::FLOOR)
            .unwrap();
        let mut device = duty.device();
        let mut session = device.unlock(&the_pin()).unwrap();
        for package in &packages {
            let path = duty.folder.path().join("package.fcsnap");
            std::fs::write(&path, package).unwrap();
            device.install(&mut session, &path, |_| Proceed::Continue).unwrap();
        }
        let plan = world.cards();
        let font = OcrB::of_system().ok();
        let pictures = cards
            .iter()
            .map(|wanted| {
                let card = plan.iter().find(|card| card.file.contains(wanted)).unwrap();
                let path = duty.folder.path().join(&card.file);
                draw::draw_card(card, font.as_ref()).unwrap().save(&path).unwrap();
                path
            })
            .collect();
        Duty { pictures, ..duty }
    }

    /// A list of notices, signed by author and approver.
    fn list(&self, version: u64, notices: &[Notice]) -> Vec<u8> {
        let draft = build::notices(notices, terms(version), &units(), &self.seed).unwrap();
        package(&draft, &[Role::NoticesAuthor, Role::NoticesApprover])
    }

    fn register(&self, version: u64, rows: &[RegisterRow]) -> Vec<u8> {
        let mut regions: Vec<u16> = rows.iter().map(|row| region_of(row.number)).collect();
        regions.dedup();
        let rows = rows.iter().copied();
        let draft = build::register(rows, &regions, terms(version), &units(), &self.seed).unwrap();
        package(&draft, &[Role::Register])
    }

    /// A list of one certificate, signed by those of the anchors.
    fn anchors(&self, version: u64) -> Vec<u8> {
        let der = b"\x30\x03\x0c\x01U".to_vec();
        let rows = [Anchor { id: 1, kind: AnchorKind::Certificate, der }];
        let draft = build::anchors(&rows, terms(version), &units(), &self.seed).unwrap();
        package(&draft, &[Role::Anchors])
    }

    /// The folder that stands in for a stick; it is pushed in once it is there.
    fn stick(&self) -> PathBuf {
        self.folder.path().join("DON-MAU-1")
    }

    /// The folder of the simulated chips; a device has a reader where it is there.
    fn chips(&self) -> PathBuf {
        self.folder.path().join("chips")
    }

    /// The card whose chip has this story, with a reader, all chips, and the anchor of their state.
    fn with_chip(story: &str) -> Duty {
        let world = World::new(7, 40, Date::from_days(NOW.vietnam_day()));
        let all = chips::chips(&world.cards());
        let card = &all.iter().find(|chip| chip.story == story).unwrap().card;
        let duty = Duty::with_cards(&[card]);
        for chip in &all {
            let path = duty.chips().join(chip.number.digits());
            std::fs::create_dir_all(&path).unwrap();
            folder::write(&path, &chip.contents, &chip.faults).unwrap();
        }
        let today = Date::from_days(NOW.vietnam_day());
        let rows = [
            Anchor { id: 1, kind: AnchorKind::Certificate, der: chips::anchor() },
            Anchor { id: 2, kind: AnchorKind::RevocationList, der: chips::revocations(today) },
        ];
        let draft = build::anchors(&rows, terms(1), &units(), &duty.seed).unwrap();
        let path = duty.folder.path().join("package.fcsnap");
        std::fs::write(&path, package(&draft, &[Role::Anchors])).unwrap();
        let mut device = duty.device();
        let mut session = device.unlock(&the_pin()).unwrap();
        device.install(&mut session, &path, |_| Proceed::Continue).unwrap();
        duty
    }

    /// Writes a package on the stick, which is pushed in by that.
    fn carries(&self, file: &str, package: &[u8]) {
        std::fs::create_dir_all(self.stick()).unwrap();
        std::fs::write(self.stick().join(file), package).unwrap();
    }

    fn pulls_the_stick(&self) {
        std::fs::rename(self.stick(), self.folder.path().join("pocket")).unwrap();
    }

    fn pushes_the_stick_in_again(&self) {
        std::fs::rename(self.folder.path().join("pocket"), self.stick()).unwrap();
    }

    /// The same duty with a code as its only picture.
    fn with_code(mut self, text: &str) -> Duty {
        let code = qrcode::QrCode::new(text).unwrap();
        let (width, colors) = (code.width() as u32, code.to_colors());
        let side = (width + 8) * 6;
        let picture = image::GrayImage::from_fn(side, side, |x, y| {
            let inside = |at: u32| (at / 6).checked_sub(4).filter(|at| *at < width);
            let dark = match (inside(x), inside(y)) {
                (Some(x), Some(y)) => colors[(y * width + x) as usize] == qrcode::Color::Dark,
                _ => false,
            };
            image::Luma([if dark { 0 } else { 255 }])
        });
        self.shows("code.png", &picture);
        self
    }

    /// The same duty with the back of a card as its only picture, or the page of a passport.
    fn with_back(mut self, kind: BackKind) -> (Duty, BackShot) {
        let font = OcrB::of_system().expect("the package fonts-ocr-b");
        let shot = back(5, 1, Level::Easy, kind, &font);
        let (width, height, luma) = (shot.frame.width, shot.frame.height, shot.frame.luma.clone());
        self.shows("back.png", &image::GrayImage::from_raw(width, height, luma).unwrap());
        (self, shot)
    }

    fn shows(&mut self, name: &str, picture: &image::GrayImage) {
        let path = self.folder.path().join(name);
        picture.save(&path).unwrap();
        self.pictures = vec![path];
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("device")
    }

    fn device(&self) -> Device {
        let key = Arc::new(SimulatedDeviceKey::numbered(7));
        Device::open(&self.data(), key, self.clock.clone()).unwrap()
    }

    /// What the device's list of records says after the window was closed.
    fn recorded(&self) -> Vec<(RecentKind, Option<Outcome>)> {
        let session = self.device().unlock(&the_pin()).unwrap();
        session.verify_queue().unwrap();
        let mut lines: Vec<_> = session
            .recent(100)
            .unwrap()
            .into_iter()
            .map(|line| {
                let outcome = line.outcome.and_then(Outcome::from_number);
                (RecentKind::from_number(line.kind).unwrap(), outcome)
            })
            .collect();
        lines.reverse();
        lines
    }
}

thread_local! {
    /// How often a tone said that a card was read.
    static TONES: Cell<u32> = const { Cell::new(0) };
}

/// An officer in front of the window.
struct Officer {
    view: Rc<View>,
    messages: Receiver<Message>,
}

enum Message {
    Event(Event),
    Frame(Preview),
}

impl Officer {
    fn at(duty: &Duty) -> Officer {
        let backend = TestingBackend::new(TestingBackendOptions {
            mock_time: true,
            threading: false,
            renderer_name: Some("software".into()),
        });
        match slint::platform::set_platform(Box::new(backend)) {
            // A second officer of the same test.
            Ok(()) | Err(slint::platform::SetPlatformError::AlreadySet) => {}
            Err(error) => panic!("{error}"),
        }
        let window = ui::open().unwrap();
        window.window().set_size(slint::PhysicalSize::new(480, 800));
        window.show().unwrap();
        let (send, messages) = mpsc::channel();
        let pictures = duty.pictures.clone();
        let worker = Worker::start(
            duty.device(),
            Box::new(move || Ok(Box::new(PictureSource::open(&pictures)?) as Box<dyn FrameSource>)),
            Box::new({
                let folder = duty.stick();
                move || {
                    let stick = Stick { folder: folder.clone(), label: "DON-MAU-1".into() };
                    if folder.is_dir() { vec![stick] } else { Vec::new() }
                }
            }),
            Arc::new(SimulatedCards::new(duty.chips())),
            Arc::new(move |event| {
                let message = match event {
                    Event::Frame(frame, origin) => Message::Frame(preview(&frame, origin, false)),
                    event => Message::Event(event),
                };
                let _ = send.send(message);
            }),
        );
        let tell_read = || TONES.set(TONES.get() + 1);
        let view = View::new(window, worker, duty.clock.clone(), tell_read);
        let officer = Officer { view, messages };
        officer.waits_for("the tries", |window| window.global::<ui::Unlock>().get_tries_left() > 5);
        officer
    }

    fn window(&self) -> &ui::AppWindow {
        self.view.window()
    }

    /// Presses the button with this label, as a finger would.
    fn presses(&self, label: &str) {
        // A screen is drawn, and touches in the first moment of a verdict are not meant for it.
        i_slint_backend_testing::mock_elapsed_time(Duration::from_millis(1));
        i_slint_backend_testing::mock_elapsed_time(Duration::from_millis(500));
        let button = self.button(label).unwrap_or_else(|| panic!("no button {label}"));
        button.mock_single_click(PointerEventButton::Left);
        self.lets_pass(Duration::from_millis(1));
    }

    fn button(&self, label: &str) -> Option<ElementHandle> {
        ElementHandle::find_by_accessible_label(self.window(), label).find(|element| {
            matches!(
                element.accessible_role(),
                Some(
                    AccessibleRole::Button
                        | AccessibleRole::Checkbox
                        | AccessibleRole::ListItem
                        | AccessibleRole::RadioButton
                )
            )
        })
    }

    fn sees(&self, text: &str) -> bool {
        ElementHandle::find_by_accessible_label(self.window(), text).next().is_some()
    }

    fn enters(&self, pin: &[u8]) {
        for digit in pin {
            self.presses(&digit.to_string());
        }
        self.presses("MỞ KHÓA");
    }

    fn is_at(&self, screen: ui::Screen) -> bool {
        self.window().global::<ui::App>().get_screen() == screen
    }

    fn waits_for(&self, what: &str, done: impl Fn(&ui::AppWindow) -> bool) {
        let since = Instant::now();
        while !done(self.window()) {
            assert!(since.elapsed() < PATIENCE, "waited for {what} in vain");
            self.lets_pass(Duration::from_millis(20));
        }
    }

    fn waits_for_screen(&self, screen: ui::Screen) {
        self.waits_for(&format!("{screen:?}"), |window| {
            window.global::<ui::App>().get_screen() == screen
        });
    }

    fn lets_pass(&self, time: Duration) {
        // News of a load may come without a pause until it is over.
        let longest = time + Duration::from_millis(50);
        let begun = Instant::now();
        while begun.elapsed() < longest
            && let Ok(message) = self.messages.recv_timeout(time)
        {
            match message {
                Message::Event(event) => self.view.apply(event),
                Message::Frame(frame) => self.view.apply_preview(frame),
            }
        }
        slint::platform::update_timers_and_animations();
    }

    fn unlocks(&self) {
        self.enters(&PIN);
        self.waits_for_screen(ui::Screen::Home);
    }
}

#[test]
fn an_officer_scans_a_wanted_persons_card_and_records_the_wrong_person() {
    let duty = Duty::with_cards(&["wanted-number", "clean-2021"]);
    let officer = Officer::at(&duty);
    officer.unlocks();

    officer.presses("QUÉT THẺ");
    officer.waits_for_screen(ui::Screen::Verdict);
    let verdict = officer.window().global::<ui::VerdictView>();
    assert_eq!(verdict.get_answer(), ui::VerdictKind::Match);
    assert!(verdict.get_asks_before_close());

    // "The right person" needs three steps first; "wrong person" needs none.
    officer.presses("Nhầm người");
    assert!(officer.is_at(ui::Screen::Outcome));
    let outcome = officer.window().global::<ui::Outcome>();
    assert_eq!(outcome.get_why(), ui::OutcomeWhy::None, "the reason is the officer's to give");
    officer.presses("Ảnh khác");
    officer.presses("LƯU");
    officer.waits_for("the commit", |window| {
        window.global::<ui::Outcome>().get_state() == ui::OutcomeState::Saved
    });
    assert!(officer.sees("Đã lưu trên máy"));

    officer.presses("QUÉT TIẾP");
    officer.waits_for_screen(ui::Screen::Verdict);
    assert_eq!(verdict.get_answer(), ui::VerdictKind::NotListed);
    assert_eq!(verdict.get_findings().iter().count(), 0);
    drop(officer);

    let recorded = duty.recorded();
    let checks: Vec<_> = recorded
        .into_iter()
        .filter(|(kind, _)| {
            matches!(kind, RecentKind::Match | RecentKind::Outcome | RecentKind::NotListed)
        })
        .collect();
    assert_eq!(
        checks,
        [
            (RecentKind::Match, Some(Outcome::NotThisPerson)),
            (RecentKind::Outcome, Some(Outcome::NotThisPerson)),
            (RecentKind::NotListed, None),
        ]
    );
}

#[test]
fn a_match_that_was_left_is_recorded_later_without_its_person() {
    let duty = Duty::with_cards(&["wanted-number"]);
    let officer = Officer::at(&duty);
    officer.unlocks();
    officer.presses("QUÉT THẺ");
    officer.waits_for_screen(ui::Screen::Verdict);
    // F2 and closing ask first; "later" leaves it to the row on the home screen.
    officer.window().global::<ui::App>().invoke_go(ui::Screen::Scan);
    assert!(officer.is_at(ui::Screen::Verdict));
    assert!(officer.window().global::<ui::VerdictView>().get_asking());
    officer.presses("Để sau");
    officer.waits_for("the row", |window| window.global::<ui::Home>().get_unrecorded() == 1);
    officer.window().global::<ui::Home>().invoke_open_unrecorded();
    officer.waits_for_screen(ui::Screen::Outcome);
    let outcome = officer.window().global::<ui::Outcome>();
    outcome.invoke_choose(ui::OutcomeChoice::Confirmed);
    assert_eq!(outcome.get_choice(), ui::OutcomeChoice::None, "nobody is left to confirm");
    outcome.invoke_choose(ui::OutcomeChoice::CouldNotTell);
    outcome.invoke_pick_why(ui::OutcomeWhy::NoAnswer);
    outcome.invoke_save();
    officer.waits_for("the commit", |window| {
        window.global::<ui::Outcome>().get_state() == ui::OutcomeState::Saved
    });
    outcome.invoke_done();
    officer.waits_for("the row to go", |window| window.global::<ui::Home>().get_unrecorded() == 0);
    drop(officer);
    let recorded = duty.recorded();
    assert!(recorded.contains(&(RecentKind::Match, Some(Outcome::CouldNotTell))), "{recorded:?}");
}

#[test]
fn an_answer_that_differs_is_recorded_and_cannot_be_settled() {
    let duty = Duty::with_cards(&["register-birth-differs"]);
    let officer = Officer::at(&duty);
    officer.unlocks();
    officer.presses("QUÉT THẺ");
    officer.waits_for_screen(ui::Screen::Verdict);
    let verdict = officer.window().global::<ui::VerdictView>();
    assert_eq!(verdict.get_answer(), ui::VerdictKind::Refer);
    officer.presses("Khác");
    officer.presses("Như trên thẻ");
    assert_eq!(verdict.get_reply(), ui::Reply::Other, "an answer is not taken back");
    officer.presses("Đã làm rõ");
    officer.lets_pass(Duration::from_millis(300));
    assert!(officer.is_at(ui::Screen::Verdict));
    drop(officer);
    let outcomes: Vec<_> = duty
        .recorded()
        .into_iter()
        .filter(|(kind, _)| *kind == RecentKind::Outcome)
        .map(|(_, outcome)| outcome)
        .collect();
    assert_eq!(outcomes, [Some(Outcome::CouldNotTell)]);
}

#[test]
fn an_answer_under_way_when_the_device_is_locked_is_not_shown() {
    let duty = Duty::with_cards(&["wanted-number"]);
    let officer = Officer::at(&duty);
    officer.unlocks();
    officer.window().global::<ui::Home>().invoke_scan();
    // Lets the worker find the card, and locks before its answer is shown.
    std::thread::sleep(Duration::from_millis(500));
    officer.window().global::<ui::App>().invoke_lock();
    officer.lets_pass(Duration::from_millis(500));
    assert!(officer.is_at(ui::Screen::Unlock));
    let verdict = officer.window().global::<ui::VerdictView>();
    assert_eq!(verdict.get_person(), ui::PersonLine::default());
    assert_eq!(verdict.get_answer(), ui::VerdictKind::NotChecked);
}

#[test]
fn a_wrong_pin_opens_nothing_and_the_tries_are_counted_down() {
    let duty = Duty::with_cards(&[]);
    let officer = Officer::at(&duty);
    officer.enters(&[1, 1, 2, 2, 3, 4]);
    let unlock = officer.window().global::<ui::Unlock>();
    officer.waits_for("the refusal", |window| {
        window.global::<ui::Unlock>().get_state() == ui::UnlockState::Wrong
    });
    assert_eq!(unlock.get_tries_left(), 9);
    assert_eq!(unlock.get_digits(), 0, "nothing of the PIN stays");
    assert!(officer.is_at(ui::Screen::Unlock));

    // No way round the pad: a screen that is asked for stays closed.
    officer.window().global::<ui::App>().invoke_go(ui::Screen::Home);
    assert!(officer.is_at(ui::Screen::Unlock));
    officer.unlocks();
}

#[test]
fn locking_leaves_nothing_of_the_person_on_the_screens() {
    let duty = Duty::with_cards(&["wanted-number"]);
    let officer = Officer::at(&duty);
    officer.unlocks();
    officer.presses("QUÉT THẺ");
    officer.waits_for_screen(ui::Screen::Verdict);
    let verdict = officer.window().global::<ui::VerdictView>();
    assert!(!verdict.get_person().name.is_empty());

    officer.window().global::<ui::App>().invoke_lock();
    assert!(officer.is_at(ui::Screen::Unlock));
    assert_eq!(verdict.get_person(), ui::PersonLine::default());
    assert_eq!(verdict.get_notice(), ui::NoticeLine::default());
    assert_eq!(verdict.get_findings().iter().count(), 0);
    let scan = officer.window().global::<ui::Scan>();
    assert!(!scan.get_has_frame());
    drop(officer);
    assert!(duty.recorded().iter().any(|(kind, _)| *kind == RecentKind::Lock));
}

#[test]
fn a_payment_code_is_named_and_looking_again_goes_on() {
    let duty = Duty::with_cards(&["payment", "clean-2021"]);
    let officer = Officer::at(&duty);
    officer.unlocks();
    officer.presses("QUÉT THẺ");
    officer.waits_for("the refusal", |window| {
        window.global::<ui::Scan>().get_trouble() == ui::NotACard::Payment
    });
    officer.presses("QUÉT LẠI");
    officer.waits_for_screen(ui::Screen::Verdict);
    let verdict = officer.window().global::<ui::VerdictView>();
    assert_eq!(verdict.get_answer(), ui::VerdictKind::NotListed);
}

#[test]
fn the_lines_on_a_documents_back_are_read_where_there_is_no_code() {
    for kind in [BackKind::Card, BackKind::Passport] {
        let (duty, shot) = Duty::with_cards(&[]).with_back(kind);
        let officer = Officer::at(&duty);
        officer.unlocks();
        officer.presses("QUÉT THẺ");
        officer.waits_for_screen(ui::Screen::Verdict);
        let verdict = officer.window().global::<ui::VerdictView>();
        assert_eq!(verdict.get_answer(), ui::VerdictKind::Refer, "the register does not know it");
        assert_eq!(verdict.get_proof(), ui::Proof::Zone);
        let number = verdict.get_person().number.replace(' ', "");
        assert!(shot.text().contains(&number), "{kind:?}");
    }
}

#[test]
fn a_tone_says_that_a_card_was_read_and_no_more() {
    let duty = Duty::with_cards(&["payment", "wanted-number", "clean-2021"]);
    let officer = Officer::at(&duty);
    officer.unlocks();
    officer.presses("QUÉT THẺ");
    officer.waits_for("the refusal", |window| {
        window.global::<ui::Scan>().get_trouble() == ui::NotACard::Payment
    });
    assert_eq!(TONES.get(), 0, "nothing was read");
    officer.presses("QUÉT LẠI");
    officer.waits_for_screen(ui::Screen::Verdict);
    assert_eq!(TONES.get(), 1);
    officer.presses("Nhầm người");
    officer.presses("Ảnh khác");
    officer.presses("LƯU");
    officer.waits_for("the commit", |window| {
        window.global::<ui::Outcome>().get_state() == ui::OutcomeState::Saved
    });
    assert_eq!(TONES.get(), 1, "an outcome is not a card");
    officer.window().global::<ui::Settings>().invoke_set_sound(false);
    officer.presses("QUÉT TIẾP");
    officer.waits_for_screen(ui::Screen::Verdict);
    assert_eq!(TONES.get(), 1, "the officer wants none");
}

#[test]
fn a_typed_number_is_checked_for_a_reason() {
    let duty = Duty::with_cards(&[]);
    let officer = Officer::at(&duty);
    officer.unlocks();
    officer.presses("Nhập tay");
    assert!(officer.is_at(ui::Screen::Entry));
    let entry = officer.window().global::<ui::Entry>();
    entry.invoke_pick_reason(ui::CheckReason::NoDocument);
    for digit in "048088999".chars() {
        entry.invoke_key(digit.to_string().into());
    }
    assert_eq!(entry.get_number(), "048 088 999");
    assert_eq!(entry.get_read_back().year, "1988");
    for _ in 0..2 {
        entry.invoke_erase();
    }
    officer.presses("TRA CỨU");
    officer.waits_for("the refusal", |window| {
        window.global::<ui::Entry>().get_problem() == ui::EntryProblem::NumberTooShort
    });
    assert_eq!(entry.get_count(), 5);
    for digit in "99977".chars() {
        entry.invoke_key(digit.to_string().into());
    }
    officer.presses("TRA CỨU");
    officer.waits_for_screen(ui::Screen::Verdict);
    let verdict = officer.window().global::<ui::VerdictView>();
    assert_eq!(verdict.get_proof(), ui::Proof::Typed);
    assert_eq!(verdict.get_answer(), ui::VerdictKind::Refer, "the register does not know it");
    assert_eq!(entry.get_number(), "", "nothing typed stays behind");
}

#[test]
fn settings_last_over_a_lock() {
    let duty = Duty::with_cards(&[]);
    let officer = Officer::at(&duty);
    officer.unlocks();
    let settings = officer.window().global::<ui::Settings>();
    settings.invoke_set_theme(ui::ThemeMode::Night);
    settings.invoke_set_language(ui::Language::English);
    settings.invoke_set_sound(false);
    drop(officer);
    // The lock screen is dark from its first frame on, before any PIN.
    let officer = Officer::at(&duty);
    let app = officer.window().global::<ui::App>();
    assert_eq!(app.get_theme(), ui::ThemeMode::Night);
    assert_eq!(app.get_language(), ui::Language::English);
    assert!(officer.is_at(ui::Screen::Unlock));
    for digit in PIN {
        officer.presses(&digit.to_string());
    }
    officer.presses("UNLOCK");
    officer.waits_for_screen(ui::Screen::Home);
    assert!(!officer.window().global::<ui::Settings>().get_sound());
}

// ---- loading a list ----

impl Officer {
    fn load(&self) -> ui::Load<'_> {
        self.window().global::<ui::Load>()
    }

    /// Opens the screen from home, and waits until the stick's packages are on it.
    fn looks_at_the_stick(&self, packages: usize) {
        self.window().global::<ui::Home>().invoke_open_load();
        assert!(self.is_at(ui::Screen::Load));
        self.waits_for("the packages", |window| {
            window.global::<ui::Load>().get_found().row_count() == packages
        });
    }

    /// Chooses a package by its title, and begins to load it; says who loads where nobody has yet.
    fn begins_to_load(&self, version: &str) {
        let load = self.load();
        let found = load.get_found().iter().find(|found| found.version == version).unwrap();
        load.invoke_look_at(found.index);
        self.presses("KIỂM TRA VÀ NẠP");
        if load.get_step() == ui::LoadStep::Loader {
            for digit in "204117".chars() {
                self.presses(&digit.to_string());
            }
            self.presses("TIẾP TỤC");
        }
    }

    fn waits_for_step(&self, step: ui::LoadStep) {
        self.waits_for(&format!("{step:?}"), |window| {
            window.global::<ui::Load>().get_step() == step
        });
    }

    /// What the screen says is in use now, at the end of a load.
    fn in_use(&self) -> (ui::Dataset, slint::SharedString) {
        let package = self.load().get_package();
        (package.dataset, package.version)
    }

    fn checks(&self) -> Vec<ui::CheckState> {
        self.load().get_checks().iter().map(|line| line.state).collect()
    }
}

#[test]
fn a_commander_loads_the_list_of_a_stick_and_gets_a_proof() {
    let duty = Duty::with_cards(&["wanted-number"]);
    let officer = Officer::at(&duty);
    officer.unlocks();
    officer.presses("Nạp danh sách. Từ thẻ nhớ hoặc thư mục");
    officer.waits_for("the first look", |window| !window.global::<ui::Load>().get_looking());
    assert!(officer.sees("Cắm thẻ nhớ vào máy"));

    // The same list without the notices about one category is pushed in, beside what is no list.
    let fewer = &duty.notices[1..];
    duty.carries("notices-1-2.fcsnap", &duty.list(2, fewer));
    duty.carries("notices-1-1.fcsnap", &duty.list(1, &duty.notices));
    duty.carries("holiday.fcsnap", b"these are holiday pictures");
    officer.looks_at_the_stick(3);
    let load = officer.load();
    let found: Vec<_> = load.get_found().iter().collect();
    let states: Vec<_> = found.iter().map(|found| found.state).collect();
    use ui::PackageState::{Newer, Refused, Same};
    assert_eq!(states, [Newer, Same, Refused]);
    assert_eq!(found[0].installed, "1");
    assert_eq!(found[0].rows_change, "-1");
    assert_eq!(found[0].place, "DON-MAU-1");
    assert_eq!(found[0].counts.iter().filter(|count| count.change == "-1").count(), 1);
    assert_eq!(found[2].problem.kind, ui::LoadProblem::NotAPackage);
    assert!(officer.sees("holiday.fcsnap. Tệp này không phải danh sách"));

    officer.begins_to_load("2");
    officer.waits_for_step(ui::LoadStep::Done);
    assert!(officer.checks().iter().all(|state| *state == ui::CheckState::Done));
    assert_eq!(officer.in_use(), (ui::Dataset::Notices, "2".into()));
    assert!(load.get_has_proof());
    let key = SimulatedDeviceKey::numbered(7);
    let proof = load.get_proof_text();
    let public = fieldcheck::keys::DeviceKey::public_key(&key);
    let installed = fieldcheck::device::proof::verify(&proof, &public).unwrap();
    assert_eq!((installed.device, installed.dataset), ([7; 16], Dataset::Notices));
    assert_eq!(installed.version, SnapshotVersion { epoch: 1, version: 2 });

    // The second load of a session does not ask again who loads.
    assert_eq!(load.get_loader(), "204117");
    officer.presses("VỀ TRANG CHÍNH");
    officer
        .waits_for("the new list", |window| window.global::<ui::Home>().get_list().version == "2");
    officer.presses("QUÉT THẺ");
    officer.waits_for_screen(ui::Screen::Verdict);
    let verdict = officer.window().global::<ui::VerdictView>();
    assert_eq!(verdict.get_list().version, "2", "the new list answers");

    officer.window().global::<ui::List>().invoke_open_loads();
    officer.waits_for("the history", |window| {
        window.global::<ui::Loads>().get_rows().row_count() >= 3
    });
    let newest = officer.window().global::<ui::Loads>().get_rows().row_data(0).unwrap();
    assert_eq!(newest.outcome, ui::LoadOutcome::Loaded);
    assert_eq!((newest.version.as_str(), newest.by.as_str()), ("2", "204117"));
    drop(officer);
    assert!(duty.recorded().iter().any(|(kind, _)| *kind == RecentKind::Install));
}

#[test]
fn a_list_that_was_tampered_with_is_refused_in_words_and_the_old_one_answers() {
    let duty = Duty::with_cards(&["wanted-number"]);
    let list = duty.list(2, &duty.notices);
    let mut rows = list.clone();
    *rows.last_mut().unwrap() ^= 1;
    duty.carries("rows.fcsnap", &rows);
    let officer = Officer::at(&duty);
    officer.unlocks();
    officer.looks_at_the_stick(1);
    officer.begins_to_load("2");
    officer.waits_for_step(ui::LoadStep::Refused);
    assert!(officer.sees("Phần 1 bị hỏng"));
    assert!(officer.sees("Danh sách 1 vẫn dùng được."));
    assert!(officer.sees("1. Chép lại danh sách từ nguồn."));
    use ui::CheckState::{Done, Pending, Refused};
    let expected = [Done, Done, Done, Done, Done, Done, Refused, Pending, Pending];
    assert_eq!(officer.checks(), expected);
    officer.presses("GIỮ DANH SÁCH 1");
    officer.presses("QUÉT THẺ");
    officer.waits_for_screen(ui::Screen::Verdict);
    let verdict = officer.window().global::<ui::VerdictView>();
    assert_eq!(verdict.get_list().version, "1");
    assert_eq!(verdict.get_answer(), ui::VerdictKind::Match);
    officer.window().global::<ui::List>().invoke_open_loads();
    officer.waits_for("the history", |window| {
        window.global::<ui::Loads>().get_rows().row_data(0).is_some_and(|newest| {
            newest.outcome == ui::LoadOutcome::Refused && newest.by == "204117"
        })
    });
}

#[test]
fn a_list_of_another_issuer_is_named_before_it_can_be_loaded() {
    let duty = Duty::with_cards(&[]);
    let others = Keyring::simulated(2);
    let draft = build::notices(&duty.notices, terms(2), &units(), &duty.seed).unwrap();
    let root = others.root(Purpose::Demo, 1, NOW.0, NOW.0 + 86_400).unwrap();
    let signatures = [Role::NoticesAuthor, Role::NoticesApprover]
        .iter()
        .flat_map(|role| others.sign_manifest(*role, &draft.manifest))
        .collect();
    let chain = others.sign_root(root).unwrap();
    duty.carries("other.fcsnap", &draft.package(UNIT, &chain, signatures).unwrap());
    let officer = Officer::at(&duty);
    officer.unlocks();
    officer.looks_at_the_stick(1);
    officer.presses("other.fcsnap. Gói của cơ quan khác lập");
    assert_eq!(officer.load().get_step(), ui::LoadStep::Refused);
    assert!(officer.sees("Gói của cơ quan khác lập"));
    assert!(officer.sees("1. Rút thẻ nhớ, không dùng lại."));
    assert_eq!(officer.checks()[..2], [ui::CheckState::Done, ui::CheckState::Refused]);
}

#[test]
fn the_certificates_of_chips_are_loaded_like_a_list_and_stand_beside_the_others() {
    let duty = Duty::with_cards(&[]);
    duty.carries("anchors-1-4.fcsnap", &duty.anchors(4));
    let officer = Officer::at(&duty);
    officer.unlocks();
    officer.looks_at_the_stick(1);
    let found = officer.load().get_found().row_data(0).unwrap();
    assert_eq!((found.dataset, found.rows.as_str()), (ui::Dataset::Anchors, "1"));
    officer.begins_to_load("4");
    officer.waits_for_step(ui::LoadStep::Done);
    assert_eq!(officer.in_use(), (ui::Dataset::Anchors, "4".into()));
    officer.presses("VỀ TRANG CHÍNH");
    officer.window().global::<ui::Home>().invoke_open_list();
    officer.waits_for("the lists", |window| {
        window.global::<ui::List>().get_installed().row_count() == 3
    });
    let last = officer.window().global::<ui::List>().get_installed().row_data(2).unwrap();
    assert_eq!((last.dataset, last.version.as_str()), (ui::Dataset::Anchors, "4"));
    officer.presses("Kiểm tra lại danh sách đã nạp. Đọc lại toàn bộ; vẫn quét được.");
    officer.waits_for("the end", |window| {
        window.global::<ui::List>().get_read_again() == ui::ReadAgain::Whole
    });
}

/// A register of many small parts: each is a place where a load can be stopped.
fn many_parts(duty: &Duty) -> Vec<RegisterRow> {
    let tags = TagKey::new(*duty.seed.tag_key());
    let row = |region: u64, number: u64| {
        let number = region * 1_000_000_000 + number;
        tags.seal_row(number, None, None, None, Status::Valid)
    };
    (1..=96).flat_map(|region| (1..=80).map(move |number| row(region, number))).collect()
}

#[test]
fn a_load_that_was_stopped_goes_on_where_it_was() {
    let duty = Duty::with_cards(&["clean-2021"]);
    duty.carries("register-1-2.fcsnap", &duty.register(2, &many_parts(&duty)));
    let officer = Officer::at(&duty);
    officer.unlocks();
    officer.looks_at_the_stick(1);
    officer.begins_to_load("2");
    officer.load().invoke_stop();
    officer.waits_for_step(ui::LoadStep::Stopped);
    assert!(!officer.load().get_stick_gone());
    assert!(officer.sees("Phần đã đọc vẫn giữ. Lần sau nạp tiếp từ chỗ này."));
    officer.presses("NẠP TIẾP");
    officer.waits_for_step(ui::LoadStep::Done);
    assert_eq!(officer.in_use(), (ui::Dataset::Register, "2".into()));
}

#[test]
fn a_stick_that_was_pulled_out_goes_on_when_it_is_back() {
    let duty = Duty::with_cards(&[]);
    duty.carries("notices-1-2.fcsnap", &duty.list(2, &duty.notices));
    let officer = Officer::at(&duty);
    officer.unlocks();
    officer.looks_at_the_stick(1);
    duty.pulls_the_stick();
    officer.begins_to_load("2");
    officer.waits_for_step(ui::LoadStep::Stopped);
    assert!(officer.sees("Thẻ nhớ đã bị rút"));
    duty.pushes_the_stick_in_again();
    // Nobody presses anything.
    officer.waits_for_step(ui::LoadStep::Done);
    assert_eq!(officer.in_use(), (ui::Dataset::Notices, "2".into()));
}

#[test]
fn a_card_is_checked_while_a_list_is_loaded() {
    let duty = Duty::with_cards(&["wanted-number"]);
    duty.carries("register-1-2.fcsnap", &duty.register(2, &many_parts(&duty)));
    let officer = Officer::at(&duty);
    officer.unlocks();
    officer.looks_at_the_stick(1);
    officer.begins_to_load("2");
    officer.load().invoke_scan();
    officer.waits_for_screen(ui::Screen::Verdict);
    let verdict = officer.window().global::<ui::VerdictView>();
    assert_eq!(verdict.get_answer(), ui::VerdictKind::Match);
    officer.waits_for_step(ui::LoadStep::Done);
    assert!(officer.is_at(ui::Screen::Verdict), "the end of a load takes no verdict away");
}

#[test]
fn locking_ends_a_load_and_leaves_nothing_of_it_on_the_screen() {
    let duty = Duty::with_cards(&[]);
    duty.carries("register-1-2.fcsnap", &duty.register(2, &many_parts(&duty)));
    let officer = Officer::at(&duty);
    officer.unlocks();
    officer.looks_at_the_stick(1);
    officer.begins_to_load("2");
    officer.window().global::<ui::App>().invoke_lock();
    officer.lets_pass(Duration::from_millis(300));
    assert!(officer.is_at(ui::Screen::Unlock));
    assert_eq!(officer.load().get_loader(), "", "the next one says who loads");
    assert_eq!(officer.load().get_found().row_count(), 0);
    officer.unlocks();
    officer.looks_at_the_stick(1);
    let register = officer.load().get_found().row_data(0).unwrap();
    if register.state == ui::PackageState::Newer {
        officer.begins_to_load("2");
        officer.waits_for_step(ui::LoadStep::Done);
    }
}

#[test]
fn what_is_installed_is_read_again_and_found_whole() {
    let duty = Duty::with_cards(&[]);
    let officer = Officer::at(&duty);
    officer.unlocks();
    officer.window().global::<ui::Home>().invoke_open_list();
    officer.waits_for("the lists", |window| {
        window.global::<ui::List>().get_installed().row_count() == 2
    });
    officer.presses("Kiểm tra lại danh sách đã nạp. Đọc lại toàn bộ; vẫn quét được.");
    officer.waits_for("the end", |window| {
        window.global::<ui::List>().get_read_again() == ui::ReadAgain::Whole
    });
    assert!(officer.sees("Danh sách nguyên vẹn. Mọi dòng đúng như khi ký."));
}

/// The text of an emergency withdrawal, signed by author and approver.
fn withdrawal_of(notices: Vec<u64>, signed_by: &Keyring) -> String {
    let withdrawal = Withdrawal {
        purpose: Purpose::Demo,
        version: SnapshotVersion { epoch: 1, version: 1 },
        made: NOW.0 - 600,
        notices,
    };
    let withdrawal = codec::encode(Kind::Withdrawal, &withdrawal).unwrap();
    let signatures = [Role::NoticesAuthor, Role::NoticesApprover]
        .iter()
        .flat_map(|role| signed_by.sign_as(*role, Domain::Withdrawal, &withdrawal))
        .collect();
    let signed = SignedWithdrawal { withdrawal, signatures };
    withdrawal::text(&codec::encode(Kind::SignedWithdrawal, &signed).unwrap())
}

#[test]
fn a_withdrawal_on_paper_is_shown_first_and_applied_by_a_press() {
    let duty = Duty::with_cards(&[]);
    let id = duty.notices[0].id;
    let duty = duty.with_code(&withdrawal_of(vec![id], &keyring()));
    let officer = Officer::at(&duty);
    officer.unlocks();
    officer.presses("QUÉT THẺ");
    officer.waits_for_screen(ui::Screen::Withdrawal);
    let view = officer.window().global::<ui::WithdrawalView>();
    assert_eq!(view.get_state(), ui::WithdrawalState::Offered);
    assert_eq!((view.get_notices().as_str(), view.get_here()), (id.to_string().as_str(), 1));
    officer.presses("THỰC HIỆN ĐÌNH NÃ");
    officer.waits_for("the withdrawal", |window| {
        window.global::<ui::WithdrawalView>().get_state() == ui::WithdrawalState::Applied
    });
    assert!(officer.sees("Đã đình nã, rút 1 thông báo"));
    officer.presses("VỀ TRANG CHÍNH");
    // The same paper again changes nothing, and says so.
    officer.presses("QUÉT THẺ");
    officer.waits_for("the end of the pictures", |window| {
        window.global::<ui::Scan>().get_camera() == ui::CameraState::Ended
    });
    officer.presses("THỬ LẠI");
    officer.waits_for_screen(ui::Screen::Withdrawal);
    assert_eq!(view.get_here(), 0);
    officer.presses("THỰC HIỆN ĐÌNH NÃ");
    officer.waits_for("the answer", |window| {
        window.global::<ui::WithdrawalView>().get_state() == ui::WithdrawalState::NothingToDo
    });
}

#[test]
fn a_withdrawal_by_a_stranger_is_refused() {
    let duty = Duty::with_cards(&[]);
    let id = duty.notices[0].id;
    let duty = duty.with_code(&withdrawal_of(vec![id], &Keyring::simulated(2)));
    let officer = Officer::at(&duty);
    officer.unlocks();
    officer.presses("QUÉT THẺ");
    officer.waits_for_screen(ui::Screen::Withdrawal);
    let view = officer.window().global::<ui::WithdrawalView>();
    assert_eq!(view.get_state(), ui::WithdrawalState::Refused);
    assert_eq!(view.get_problem(), ui::WithdrawalProblem::Signatures);
    assert!(officer.sees("Không nhận lệnh đình nã này"));
    assert!(officer.button("THỰC HIỆN ĐÌNH NÃ").is_none());
}

impl Officer {
    /// Scans the card, and has the chip read that is held to the device.
    fn reads_the_chip(&self) -> ui::VerdictView<'_> {
        self.scans();
        let verdict = self.window().global::<ui::VerdictView>();
        assert_eq!(verdict.get_answer(), ui::VerdictKind::NotListed);
        assert!(!verdict.get_has_chip());
        self.presses("Đọc chip");
        self.waits_for("the chip", |window| window.global::<ui::VerdictView>().get_has_chip());
        assert!(self.is_at(ui::Screen::Verdict));
        verdict
    }

    fn scans(&self) {
        self.unlocks();
        self.presses("QUÉT THẺ");
        self.waits_for_screen(ui::Screen::Verdict);
    }
}

#[test]
fn a_chip_proves_a_card_and_its_photo_goes_with_the_person() {
    let duty = Duty::with_chip("genuine");
    let officer = Officer::at(&duty);
    let verdict = officer.reads_the_chip();
    assert_eq!(verdict.get_answer(), ui::VerdictKind::Clear);
    assert_eq!(verdict.get_chip().signer, ui::ChipSigner::State);
    assert_eq!(verdict.get_chip().copy, ui::ChipCopy::NoCopy);
    assert!(verdict.get_has_photo() && verdict.get_photo().size().width > 0);
    assert!(officer.sees("So ảnh với người đang đứng trước mặt."));
    assert!(officer.sees("MÔ PHỎNG: thẻ này do phần mềm giả lập."));

    officer.presses("Đóng");
    assert!(officer.is_at(ui::Screen::Home));
    assert!(!verdict.get_has_chip() && !verdict.get_has_photo());
    assert_eq!(verdict.get_photo().size().width, 0);
    officer.view.tick();
}

#[test]
fn a_photo_of_somebody_else_is_for_the_duty_officer_and_is_not_settled_by_words() {
    let duty = Duty::with_chip("genuine");
    let officer = Officer::at(&duty);
    let verdict = officer.reads_the_chip();
    officer.presses("Không giống");
    assert_eq!(verdict.get_answer(), ui::VerdictKind::Refer);
    let first = verdict.get_findings().row_data(0).unwrap();
    assert_eq!(first.kind, ui::FindingKind::PhotoDiffers);
    officer.presses("Có giải thích");
    officer.presses("Đã làm rõ");
    officer.lets_pass(Duration::from_millis(300));
    assert!(officer.is_at(ui::Screen::Verdict));
    assert_eq!(verdict.get_answer(), ui::VerdictKind::Refer);
    drop(verdict);
    drop(officer);
    let recorded = duty.recorded();
    assert!(recorded.contains(&(RecentKind::Outcome, Some(Outcome::CouldNotTell))), "{recorded:?}");
}

#[test]
fn what_the_chip_says_otherwise_than_the_card_is_named_with_both_values() {
    let duty = Duty::with_chip("another name than printed");
    let officer = Officer::at(&duty);
    officer.scans();
    let printed = officer.window().global::<ui::VerdictView>().get_person().name;
    officer.presses("Đọc chip");
    officer.waits_for("the chip", |window| window.global::<ui::VerdictView>().get_has_chip());
    let verdict = officer.window().global::<ui::VerdictView>();
    assert_eq!(verdict.get_answer(), ui::VerdictKind::Refer);
    let first = verdict.get_findings().row_data(0).unwrap();
    assert_eq!(first.kind, ui::FindingKind::ChipNameDiffers);
    assert_eq!((first.value, first.chip.as_str()), (printed, "NGƯỜI GIẢ TRONG CHIP"));
    assert!(!verdict.get_can_settle());
}

#[test]
fn a_card_that_is_pulled_away_is_read_on_by_itself() {
    let duty = Duty::with_chip("pulled away twice while it is read");
    let officer = Officer::at(&duty);
    let verdict = officer.reads_the_chip();
    assert_eq!(verdict.get_answer(), ui::VerdictKind::Clear);
}

#[test]
fn the_answer_stays_where_no_card_comes_and_the_officer_stops() {
    let duty = Duty::with_chip("genuine");
    // No card has this folder's number any more.
    std::fs::remove_dir_all(duty.chips()).unwrap();
    std::fs::create_dir_all(duty.chips()).unwrap();
    let officer = Officer::at(&duty);
    officer.scans();
    let name = officer.window().global::<ui::VerdictView>().get_person().name;
    for _ in 0..2 {
        officer.presses("Đọc chip");
        assert!(officer.is_at(ui::Screen::Chip));
        officer.lets_pass(Duration::from_millis(300));
        assert_eq!(officer.window().global::<ui::Chip>().get_step(), ui::ChipStep::Hold);
        officer.presses("Bỏ qua chip");
        assert!(officer.is_at(ui::Screen::Verdict));
        let verdict = officer.window().global::<ui::VerdictView>();
        assert_eq!(verdict.get_answer(), ui::VerdictKind::NotListed);
        assert_eq!(verdict.get_person().name, name);
    }
    // What was stopped has nothing more to say.
    officer.lets_pass(Duration::from_millis(600));
    assert!(officer.is_at(ui::Screen::Verdict));
    officer.presses("Đọc chip");
    officer.presses("Khóa máy");
    officer.lets_pass(Duration::from_millis(600));
    assert!(officer.is_at(ui::Screen::Unlock));
    assert_eq!(officer.window().global::<ui::VerdictView>().get_person().name, "");
}

#[test]
fn without_a_reader_no_chip_is_offered() {
    let duty = Duty::with_cards(&["clean-2021"]);
    let officer = Officer::at(&duty);
    officer.scans();
    assert!(officer.button("Đọc chip").is_none());
}
