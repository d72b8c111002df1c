//! Walks through the screens without a display, with the real worker behind them, and writes each
//! as a picture: what `demo --headless` shows of the window.
//!
//! The buttons are pressed through the adapters; layout and touch are the business of the tests in
//! the `ui` package.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use fieldcheck_ui as ui;
use slint::platform::software_renderer::{MinimalSoftwareWindow, RepaintBufferType};
use slint::platform::{Platform, PlatformError, WindowAdapter};
use slint::{ComponentHandle as _, Model as _};

use super::{Preview, View, preview};
use crate::camera::FrameSource;
use crate::camera::pictures::PictureSource;
use crate::carried::Stick;
use crate::clock::Clock;
use crate::device::Device;
use crate::platform::simulated::SimulatedCards;
use crate::worker::{Event, Worker};

/// What was written.
#[derive(Debug)]
pub struct Shots {
    /// The pictures.
    pub files: Vec<PathBuf>,
    /// The longest that the screen's thread was busy with one event, drawing aside.
    pub slowest: Duration,
}

/// Why the walk did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ShotsError {
    /// A window system is set already in this process.
    #[error("another window system is set already")]
    Platform(#[from] slint::platform::SetPlatformError),
    /// The screens cannot be drawn.
    #[error("the screens cannot be drawn")]
    Draw(#[from] PlatformError),
    /// Something that the walk waited for did not come.
    #[error("the screens waited for {0} in vain")]
    Waited(&'static str),
    /// A picture could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: image::ImageError,
    },
}

/// Nothing on the way to a screen takes longer than this, or the walk has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Size of the pictures: the smallest handheld.
const SIZE: (u32, u32) = (480, 800);

/// Unlocks `device`, shows it `pictures` one after the other, holds simulated chips to it
/// and pushes `stick` with its packages in, and writes the screens to `folder`.
///
/// Sets the process's Slint platform, which can be done once.
pub fn write(
    folder: &Path,
    device: Device,
    clock: Arc<dyn Clock>,
    pin: &[u8],
    pictures: &[PathBuf],
    chips: &Chips<'_>,
    stick: &Path,
) -> Result<Shots, ShotsError> {
    let window = MinimalSoftwareWindow::new(RepaintBufferType::NewBuffer);
    slint::platform::set_platform(Box::new(Headless(Rc::clone(&window))))?;
    let app = ui::open()?;
    app.window().set_size(slint::PhysicalSize::new(SIZE.0, SIZE.1));
    app.show()?;

    let (send, events) = mpsc::channel();
    let paths = pictures.to_vec();
    let stick = Stick { folder: stick.to_owned(), label: "DON-MAU-1".to_owned() };
    let worker = Worker::start(
        device,
        Box::new(move || Ok(Box::new(PictureSource::open(&paths)?) as Box<dyn FrameSource>)),
        Box::new(move || vec![stick.clone()]),
        Arc::new(SimulatedCards::new(chips.folder.to_owned())),
        Arc::new(move |event| {
            let message = match event {
                Event::Frame(frame, origin) => Message::Frame(preview(&frame, origin, false)),
                event => Message::Event(event),
            };
            // Nobody listens once the walk is over.
            send.send(message).unwrap_or_default();
        }),
    );
    let mut walk = Walk {
        view: View::new(app, worker, clock, || {}),
        events,
        folder: folder.to_owned(),
        shots: Shots { files: Vec::new(), slowest: Duration::ZERO },
    };
    walk.run(pin, pictures, chips.held)?;
    Ok(walk.shots)
}

/// Simulated chips, and which of them are held to the device.
pub struct Chips<'a> {
    /// The folder of all of them.
    pub folder: &'a Path,
    /// The names of pictures, without their ending, of the cards that are held to the device.
    pub held: &'a [String],
}

enum Message {
    Event(Event),
    Frame(Preview),
}

struct Headless(Rc<MinimalSoftwareWindow>);

impl Platform for Headless {
    fn create_window_adapter(&self) -> Result<Rc<dyn WindowAdapter>, PlatformError> {
        Ok(Rc::clone(&self.0) as Rc<dyn WindowAdapter>)
    }
}

struct Walk {
    view: Rc<View>,
    events: Receiver<Message>,
    folder: PathBuf,
    shots: Shots,
}

impl Walk {
    fn run(&mut self, pin: &[u8], pictures: &[PathBuf], held: &[String]) -> Result<(), ShotsError> {
        self.wait("the tries that are left", |view| {
            view.global::<ui::Unlock>().get_tries_left() > 0
        })?;
        self.shoot("01-unlock")?;
        let view = Rc::clone(&self.view);
        let unlock = view.global::<ui::Unlock>();
        for digit in pin {
            unlock.invoke_digit(i32::from(*digit));
        }
        unlock.invoke_submit();
        self.wait("home", |view| view.screen() == ui::Screen::Home)?;
        self.shoot("02-home")?;

        view.global::<ui::Home>().invoke_scan();
        let mut is_first_match = true;
        for (at, picture) in pictures.iter().enumerate() {
            if at == 0 {
                self.wait("a frame", |view| view.global::<ui::Scan>().get_has_frame())?;
                self.shoot("03-scan")?;
            }
            self.wait("an answer", |view| {
                view.screen() == ui::Screen::Verdict
                    || view.global::<ui::Scan>().get_trouble() != ui::NotACard::None
            })?;
            let name = picture.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            self.shoot(&format!("card-{name}"))?;
            let is_verdict = view.screen() == ui::Screen::Verdict;
            let verdict = view.global::<ui::VerdictView>();
            if is_verdict && is_first_match && verdict.get_answer() == ui::VerdictKind::Match {
                is_first_match = false;
                self.record_wrong_person()?;
                view.global::<ui::Outcome>().invoke_next();
            } else if is_verdict {
                if verdict.get_chip_readable() && held.contains(&name) {
                    self.read_chip(&name)?;
                }
                verdict.invoke_next();
            } else {
                view.global::<ui::Scan>().invoke_retry();
            }
        }

        view.global::<ui::Scan>().invoke_close();
        for (name, screen) in
            [("12-settings", ui::Screen::Settings), ("14-about", ui::Screen::About)]
        {
            view.go(screen);
            self.shoot(name)?;
        }
        view.global::<ui::Home>().invoke_open_queue();
        self.wait("the queue", |view| view.global::<ui::Queue>().get_count() > 0)?;
        self.shoot("11-queue")?;
        view.global::<ui::Home>().invoke_open_list();
        self.pump(Duration::from_millis(200));
        self.shoot("13-list")?;
        self.load()?;
        view.global::<ui::Home>().invoke_type_in();
        self.shoot("08-entry-reason")?;
        view.global::<ui::Entry>().invoke_pick_reason(ui::CheckReason::NoDocument);
        self.shoot("09-entry")?;
        view.lock();
        self.wait("the lock", |view| view.screen() == ui::Screen::Unlock)
    }

    /// Looks at what lies on the stick, at one package of it, and at what was loaded before.
    fn load(&mut self) -> Result<(), ShotsError> {
        let view = Rc::clone(&self.view);
        view.global::<ui::Home>().invoke_open_load();
        self.wait("the packages on the stick", |view| {
            view.global::<ui::Load>().get_found().row_count() > 0
        })?;
        // What is installed stands beside them a moment later.
        self.pump(Duration::from_millis(200));
        self.shoot("15-load")?;
        let load = view.global::<ui::Load>();
        load.invoke_look_at(0);
        self.shoot("16-load-package")?;
        load.invoke_change_loader();
        self.shoot("17-load-who")?;
        load.invoke_back();
        load.invoke_open_loads();
        self.wait("the history of loads", |view| {
            view.global::<ui::Loads>().get_rows().row_count() > 0
        })?;
        self.shoot("18-loads")
    }

    /// Reads the chip of the card on the screen, and shows what it proved.
    fn read_chip(&mut self, card: &str) -> Result<(), ShotsError> {
        let view = Rc::clone(&self.view);
        view.global::<ui::VerdictView>().invoke_read_chip();
        self.shoot(&format!("chip-{card}-hold"))?;
        let has_failed = |view: &Rc<View>| {
            view.screen() == ui::Screen::Chip
                && view.global::<ui::Chip>().get_step() == ui::ChipStep::Failed
        };
        self.wait("the chip", |view| view.screen() == ui::Screen::Verdict || has_failed(view))?;
        self.shoot(&format!("chip-{card}"))?;
        if has_failed(&view) {
            view.global::<ui::Chip>().invoke_back();
        }
        Ok(())
    }

    fn record_wrong_person(&mut self) -> Result<(), ShotsError> {
        let view = Rc::clone(&self.view);
        view.global::<ui::VerdictView>().invoke_wrong_person();
        view.global::<ui::Outcome>().invoke_pick_why(ui::OutcomeWhy::PhotoDiffers);
        self.shoot("10-outcome")?;
        view.global::<ui::Outcome>().invoke_save();
        self.wait("the outcome to be saved", |view| {
            view.global::<ui::Outcome>().get_state() == ui::OutcomeState::Saved
        })?;
        self.shoot("10-outcome-saved")
    }

    /// Applies events until `done`; fails where that takes too long.
    fn wait(
        &mut self,
        what: &'static str,
        done: impl Fn(&Rc<View>) -> bool,
    ) -> Result<(), ShotsError> {
        let since = Instant::now();
        while !done(&self.view) {
            if since.elapsed() > PATIENCE {
                return Err(ShotsError::Waited(what));
            }
            self.pump(Duration::from_millis(20));
        }
        Ok(())
    }

    fn pump(&mut self, wait: Duration) {
        while let Ok(message) = self.events.recv_timeout(wait) {
            let since = Instant::now();
            match message {
                Message::Event(event) => self.view.apply(event),
                Message::Frame(frame) => self.view.apply_preview(frame),
            }
            self.shots.slowest = self.shots.slowest.max(since.elapsed());
            if wait < Duration::from_millis(50) {
                return;
            }
        }
    }

    fn shoot(&mut self, name: &str) -> Result<(), ShotsError> {
        slint::platform::update_timers_and_animations();
        let pixels = self.view.window().window().take_snapshot()?;
        let path = self.folder.join(format!("{name}.png"));
        image::save_buffer(
            &path,
            pixels.as_bytes(),
            pixels.width(),
            pixels.height(),
            image::ColorType::Rgba8,
        )
        .map_err(|source| ShotsError::Write { path: path.clone(), source })?;
        self.shots.files.push(path);
        Ok(())
    }
}
