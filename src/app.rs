//! The window program: puts device, worker and screens together and runs them.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fieldcheck_ui as ui;
use slint::ComponentHandle as _;

use crate::camera::FrameSource;
use crate::camera::pictures::PictureSource;
use crate::carried::{self, Stick};
use crate::chip::CardReaders;
use crate::clock::SystemClock;
use crate::device::{Device, DeviceError};
use crate::keys::UnlockError;
use crate::platform::desktop::SoftwareDeviceKey;
use crate::platform::tone;
use crate::view::{View, preview};
use crate::worker::loading::FindSticks;
use crate::worker::{Emit, Event, OpenSource, Worker, code_of};

/// What the program is started with.
#[derive(Clone, PartialEq, Debug)]
pub struct Options {
    /// Folder of the device.
    pub data: PathBuf,
    /// Pictures that stand in for a camera; empty means the camera.
    pub pictures: Vec<PathBuf>,
    /// Folders that stand in for sticks; empty means the sticks.
    pub sticks: Vec<PathBuf>,
    /// Folder of simulated chips; `None` means the card readers of this machine.
    pub chips: Option<PathBuf>,
    /// Width and height of the window at the start.
    pub size: (f32, f32),
}

/// Why the program did not start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// There is no device to work with.
    #[error("the device cannot be opened (`fieldcheckctl demo DIR` makes one in DIR/device)")]
    Device(#[from] DeviceError),
    /// The pictures that stand in for a camera are not there.
    #[error("the pictures cannot be shown")]
    Pictures(#[source] crate::camera::CameraError),
    /// There is no window to be had.
    #[error("no window can be opened: is there a display?")]
    Window(#[from] slint::PlatformError),
}

thread_local! {
    /// The view lives on the screen's thread; events find it here.
    static VIEW: std::cell::RefCell<Option<Rc<View>>> = const { std::cell::RefCell::new(None) };
}

/// Opens the window and returns when it is closed.
///
/// A device that cannot be opened gets a window too, which says so and what to do.
pub fn run(options: Options) -> Result<(), AppError> {
    if !options.pictures.is_empty() {
        PictureSource::open(&options.pictures).map_err(AppError::Pictures)?;
    }
    let clock = Arc::new(SystemClock);
    let device = match open_device(&options.data, clock.clone()) {
        Ok(device) => device,
        Err(error @ DeviceError::NotEnrolled) => return Err(error.into()),
        Err(error) => {
            complain(&error);
            return run_without_device(kind_of(&error), code_of(&error));
        }
    };
    let window = ui::open()?;
    let (width, height) = options.size;
    window.window().set_size(slint::LogicalSize::new(width, height));

    let night = Arc::new(AtomicBool::new(false));
    let worker = Worker::start(
        device,
        open_source(options.pictures),
        find_sticks(options.sticks),
        card_readers(options.chips),
        emit_to_screen(Arc::clone(&night)),
    );
    let view = View::new(window, worker, clock, tone::play);
    VIEW.set(Some(Rc::clone(&view)));
    let timer = slint::Timer::default();
    timer.start(slint::TimerMode::Repeated, Duration::from_secs(1), {
        let view = Rc::downgrade(&view);
        move || {
            if let Some(view) = view.upgrade() {
                let theme = view.window().global::<ui::App>().get_theme();
                night.store(theme == ui::ThemeMode::Night, Ordering::Relaxed);
                view.tick();
            }
        }
    });
    let ended = view.window().run();
    VIEW.set(None);
    drop(view);
    Ok(ended?)
}

fn open_device(folder: &Path, clock: Arc<SystemClock>) -> Result<Device, DeviceError> {
    if !Device::is_in(folder) {
        return Err(DeviceError::NotEnrolled);
    }
    let key = SoftwareDeviceKey::open(&folder.join(SoftwareDeviceKey::FILE_NAME))?;
    Device::open(folder, Arc::new(key), clock)
}

fn kind_of(error: &DeviceError) -> ui::TroubleKind {
    match error {
        DeviceError::Unlock(UnlockError::WrongDevice) => ui::TroubleKind::WrongDevice,
        _ => ui::TroubleKind::Other,
    }
}

fn complain(error: &DeviceError) {
    tracing::error!(%error, "the device cannot be opened");
}

/// Opens the window on a device that cannot be worked with, and says so: nothing else can be done.
pub fn run_without_device(kind: ui::TroubleKind, code: &str) -> Result<(), AppError> {
    let window = ui::open()?;
    let trouble = window.global::<ui::Trouble>();
    trouble.set_kind(kind);
    trouble.set_code(code.into());
    trouble.set_time("".into());
    trouble.set_can_continue(true);
    trouble.on_proceed(|| {
        // There is nothing to go on with: the window closes.
        slint::quit_event_loop().unwrap_or_default();
    });
    window.global::<ui::App>().set_demo(false);
    window.global::<ui::App>().set_software_key(false);
    window.global::<ui::App>().set_screen(ui::Screen::Trouble);
    Ok(window.run()?)
}

/// Returns what opens the camera, or the pictures that stand in for it.
fn open_source(pictures: Vec<PathBuf>) -> OpenSource {
    if !pictures.is_empty() {
        return Box::new(move || {
            Ok(Box::new(PictureSource::open(&pictures)?) as Box<dyn FrameSource>)
        });
    }
    #[cfg(feature = "camera")]
    return Box::new(|| {
        Ok(Box::new(crate::camera::v4l::V4lSource::open(0)?) as Box<dyn FrameSource>)
    });
    #[cfg(not(feature = "camera"))]
    Box::new(|| Err(crate::camera::CameraError::NotFound))
}

/// Returns what finds sticks: those that the system has mounted, or the folders that stand in for
/// them.
fn find_sticks(folders: Vec<PathBuf>) -> FindSticks {
    if folders.is_empty() {
        return Box::new(carried::sticks);
    }
    Box::new(move || {
        let there = folders.iter().filter(|folder| folder.is_dir());
        let label = |folder: &Path| {
            folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned()
        };
        there.map(|folder| Stick { folder: folder.clone(), label: label(folder) }).collect()
    })
}

/// Returns what chips are read by: the readers of this machine, or simulated cards that stand in for
/// them.
fn card_readers(chips: Option<PathBuf>) -> Arc<dyn CardReaders> {
    #[cfg(feature = "cli")]
    if let Some(chips) = chips {
        return Arc::new(crate::platform::simulated::SimulatedCards::new(chips));
    }
    #[cfg(not(feature = "cli"))]
    if chips.is_some() {
        tracing::warn!("this program was built without simulated cards");
    }
    #[cfg(feature = "pcsc")]
    return Arc::new(crate::platform::pcsc::AnyReader);
    #[cfg(not(feature = "pcsc"))]
    Arc::new(crate::chip::NoReaders)
}

/// Returns what brings the worker's events to the screen's thread.
///
/// Of the frames at most one is on its way: the screen shows the newest, and the rest are dropped.
fn emit_to_screen(night: Arc<AtomicBool>) -> Emit {
    let frame_under_way = Arc::new(AtomicBool::new(false));
    Arc::new(move |event| {
        let shown = if let Event::Frame(frame, origin) = event {
            if frame_under_way.swap(true, Ordering::SeqCst) {
                return;
            }
            let preview = preview(&frame, origin, night.load(Ordering::Relaxed));
            let frame_under_way = Arc::clone(&frame_under_way);
            slint::invoke_from_event_loop(move || {
                frame_under_way.store(false, Ordering::SeqCst);
                with_view(|view| view.apply_preview(preview));
            })
        } else {
            slint::invoke_from_event_loop(move || with_view(|view| view.apply(event)))
        };
        // No event loop: the program is ending, and there is nobody to tell.
        shown.unwrap_or_default();
    })
}

fn with_view(does: impl FnOnce(&Rc<View>)) {
    let view = VIEW.with_borrow(Option::clone);
    if let Some(view) = view {
        does(&view);
    }
}

/// What the command line asked for.
#[derive(Clone, PartialEq, Debug)]
pub enum Asked {
    /// Open the window.
    Run(Options),
    /// Print how the program is used.
    Help,
    /// Print its version.
    Version,
}

/// How the program is used.
pub const USAGE: &str = "\
fieldcheck --data DIR [--pictures FILE_OR_DIR]... [--stick DIR]...
           [--chips DIR] [--size WIDTHxHEIGHT]

  --data DIR               folder of an enrolled device (`fieldcheckctl demo` makes one)
  --pictures FILE_OR_DIR   pictures that stand in for the camera, one after the other
  --stick DIR              a folder that stands in for a stick with lists
  --chips DIR              simulated chips that stand in for a card reader
  --size WIDTHxHEIGHT      size of the window at the start; 480x800 where it is left out
  --help, --version        print this text, or the version";

/// Reads the arguments after the program's name, or says what is wrong with them.
///
/// There is no way to give a PIN: it is entered on the app's own pad alone.
pub fn read_arguments(
    arguments: impl IntoIterator<Item = std::ffi::OsString>,
) -> Result<Asked, String> {
    let (mut data, mut pictures, mut sticks, mut chips) = (None, Vec::new(), Vec::new(), None);
    let mut size = (480.0, 800.0);
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{} needs a value", argument.display()));
        match argument.to_str() {
            Some("--help" | "-h") => return Ok(Asked::Help),
            Some("--version" | "-V") => return Ok(Asked::Version),
            Some("--data") => data = Some(PathBuf::from(value()?)),
            Some("--pictures") => pictures.push(PathBuf::from(value()?)),
            Some("--stick") => sticks.push(PathBuf::from(value()?)),
            Some("--chips") => chips = Some(PathBuf::from(value()?)),
            Some("--size") => {
                let value = value()?;
                size = value
                    .to_str()
                    .and_then(read_size)
                    .ok_or("--size takes WIDTHxHEIGHT, each from 320 to 7680")?;
            }
            _ => return Err(format!("unknown argument {}", argument.display())),
        }
    }
    match data {
        Some(data) => Ok(Asked::Run(Options { data, pictures, sticks, chips, size })),
        None => Err("--data is missing".to_owned()),
    }
}

fn read_size(text: &str) -> Option<(f32, f32)> {
    let (width, height) = text.split_once('x')?;
    let side = |text: &str| text.parse::<u16>().ok().filter(|side| (320..=7_680).contains(side));
    Some((f32::from(side(width)?), f32::from(side(height)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Asked, String> {
        read_arguments(arguments.iter().map(std::ffi::OsString::from))
    }

    #[test]
    fn arguments_are_read_or_refused_by_name() {
        let options = Options {
            data: "d".into(),
            pictures: vec!["a".into(), "b".into()],
            sticks: vec!["s".into()],
            chips: Some("c".into()),
            size: (800.0, 480.0),
        };
        let arguments = "--data d --pictures a --pictures b --stick s --chips c --size 800x480";
        let arguments: Vec<&str> = arguments.split(' ').collect();
        assert_eq!(read(&arguments), Ok(Asked::Run(options)));
        for (arguments, refusal) in [
            (&[][..], "--data is missing"),
            (&["--data"], "--data needs a value"),
            (&["--pin", "123456"], "unknown argument --pin"),
            (&["--data", "d", "--size", "1x1"], "--size takes WIDTHxHEIGHT, each from 320 to 7680"),
        ] {
            assert_eq!(read(arguments), Err(refusal.to_owned()), "{arguments:?}");
        }
        assert_eq!(read(&["--data", "d", "--help"]), Ok(Asked::Help));
    }
}
