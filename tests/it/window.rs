//! The window as an officer uses it: real buttons, real worker, real device, no display.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use fieldcheck::camera::FrameSource;
use fieldcheck::camera::pictures::PictureSource;
use fieldcheck::clock::{DeviceTime, FixedClock};
use fieldcheck::device::{self, Device, RecentKind};
use fieldcheck::document::{Date, Name};
use fieldcheck::invented::{World, draw};
use fieldcheck::keys::{ArgonCost, Pin, SimulatedDeviceKey};
use fieldcheck::snapshot::build::{self, Terms};
use fieldcheck::snapshot::keyring::Keyring;
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
use sync_format::v1::package::{Freshness, Purpose, SnapshotVersion};
use sync_format::v1::record::Outcome;
use sync_format::v1::register::TagKey;

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
}

impl Duty {
    /// Shows the cards whose file names contain one of `cards`, in this order.
    fn with_cards(cards: &[&str]) -> Duty {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::at(NOW));
        let world = World::new(7, 40, Date::from_days(NOW.vietnam_day()));
        let tags = (0..=255_u8)
            .map(|byte| TagKey::new([byte; 32]))
            .find(|key| world.shows_every_disagreement(key))
            .unwrap();
        let keyring = Keyring::simulated(1);
        let root = keyring.root(Purpose::Demo, 1, NOW.0 + 86_400).unwrap();
        let chain = keyring.sign_root(root.clone()).unwrap();
        let terms = Terms {
            version: SnapshotVersion { epoch: 1, version: 1 },
            created: NOW.0 - 3_600,
            expires: NOW.0 + 86_400,
            freshness: Freshness { fresh_hours: 24, usable_hours: 168 },
            chip_required: false,
        };
        let rows = world.register().map(|row| {
            let name = Name::parse(&row.name).map(|name| name.folded());
            let birth = Some(row.birth).filter(|birth| !birth.is_unknown());
            tags.seal_row(row.number, name.as_deref(), birth, row.issued, row.status)
        });
        let packages = [
            build::notices(&world.notices(), terms, &keyring, chain.clone()).unwrap(),
            build::register(rows, &tags, terms, &keyring, chain).unwrap(),
        ];
        let enrolment = Enrolment {
            device: [7; 16],
            label: "07".to_owned(),
            unit: 3,
            root_hash: sync_format::v1::package::sha256(&root),
            purpose: Purpose::Demo,
            collect_key: fieldcheck::queue::draw_collect_keys().1,
            enrolled_at: NOW,
        };
        let duty = Duty { folder, clock, pictures: Vec::new() };
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
        let pictures = cards
            .iter()
            .map(|wanted| {
                let card = plan.iter().find(|card| card.file.contains(wanted)).unwrap();
                let path = duty.folder.path().join(&card.file);
                draw::draw_card(card).save(&path).unwrap();
                path
            })
            .collect();
        Duty { pictures, ..duty }
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
            Arc::new(move |event| {
                let message = match event {
                    Event::Frame(frame, origin) => Message::Frame(preview(&frame, origin, false)),
                    event => Message::Event(event),
                };
                let _ = send.send(message);
            }),
        );
        let officer = Officer { view: View::new(window, worker, duty.clock.clone()), messages };
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
        while let Ok(message) = self.messages.recv_timeout(time) {
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
    drop(officer);
    // The lock screen is dark from its first frame on, before any PIN.
    let officer = Officer::at(&duty);
    let app = officer.window().global::<ui::App>();
    assert_eq!(app.get_theme(), ui::ThemeMode::Night);
    assert_eq!(app.get_language(), ui::Language::English);
    assert!(officer.is_at(ui::Screen::Unlock));
}
