//! Keeps everything slow off the screen's thread: camera, decoding, databases, keys.
//!
//! Four threads: one takes frames from the source and leaves the newest in a slot; one takes it
//! from there and decodes, so that a slow frame never makes a queue; one looks for sticks while
//! somebody wants to load a list; one holds the device and does what the screen asks for, in order.
//! Loading a list has a thread for as long as it takes ([`loading`]), so that checks go on. The screen sends a [`Request`] and gets [`Event`]s through a
//! function that must not wait. A person's document stays here, with the session.
//!
//! What this does not do: judge (`device` does), or know of any screen.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sync_format::v1::notice::{Category, Notice};
use sync_format::v1::package::Dataset;
use sync_format::v1::record::{CheckReason, Outcome, OutcomeWhy};

use crate::camera::decode::{self, Hint};
use crate::camera::mrz::{Zone, ZoneScanner};
use crate::camera::scanner::{Scan, Scanner};
use crate::camera::{CameraError, Frame, FrameSource, LatestFrame};
use crate::carried::{Found, Stick};
use crate::checks::ListState;
use crate::chip::CardReaders;
use crate::clock::DeviceTime;
use crate::device::{Device, DeviceError, RecentKind, Session};
use crate::document::mrz::{self, MrzError};
use crate::document::qr::{NoCard, NotACard};
use crate::document::typed::{self, TypedEntry, TypedProblem};
use crate::document::{Document, qr};
use crate::encounter::Conclusion;
use crate::keys::{Attempts, Pin, Protection, UnlockError};
use crate::lookup::LookupError;
use crate::queue::Opened;
use crate::store::state::{Enrolment, Load, Recent};
use crate::verdict::Answer;

pub mod chip;
pub mod loading;

use chip::{ChipEnd, ChipNews, ChipShown, Chips};
use loading::{
    FindSticks, JobEnd, LoadEnd, LoadProgress, Loading, ReadAgain, StickSwitch, Sticks,
    WithdrawalNews,
};

/// Opens the source of frames; called on the camera's thread.
pub type OpenSource = Box<dyn Fn() -> Result<Box<dyn FrameSource>, CameraError> + Send>;

/// Takes events; called on the worker's threads, and must not wait.
pub type Emit = Arc<dyn Fn(Event) + Send + Sync>;

/// As many lines of records are shown.
const RECENT_LINES: u32 = 200;

/// What the screen asks for.
#[derive(Debug)]
pub enum Request {
    /// How many tries are left.
    Attempts,
    /// Try this PIN.
    Unlock(Pin),
    /// Wipe the keys and close everything.
    Lock,
    /// Why cards are scanned from now on.
    ScanReason(CheckReason),
    /// Look for a card.
    StartScan,
    /// Stop looking.
    StopScan,
    /// Go on to the next picture, where pictures stand in for a camera.
    SkipPicture,
    /// A code was read; sent by the decoding thread.
    Decoded {
        /// The payloads of one frame.
        payloads: Vec<decode::Payload>,
        /// Number of the scan that the frame was taken for.
        scan: u64,
        /// When the frame was taken from the slot.
        since: Instant,
    },
    /// Machine-readable zones were read; sent by the decoding thread.
    ZonesRead {
        /// The zones of one frame.
        zones: Vec<Zone>,
        /// Number of the scan that the frame was taken for.
        scan: u64,
        /// When the frame was taken from the slot.
        since: Instant,
    },
    /// Read the chip of the card whose document is on the screen.
    ReadChip,
    /// Stop reading it.
    StopChip,
    /// The reading of a chip is over; sent by its thread.
    ChipEnded {
        /// Which.
        number: u64,
        /// What came of it.
        end: Box<ChipEnd>,
    },
    /// Check what was typed.
    CheckTyped {
        /// The entry.
        entry: TypedEntry,
        /// Why.
        reason: CheckReason,
    },
    /// Record the outcome of the check on the screen.
    RecordOutcome {
        /// The notice concerned, 0 where there is none.
        notice: u64,
        /// What was concluded.
        outcome: Outcome,
        /// Why.
        why: OutcomeWhy,
    },
    /// Close the referral on the screen as settled.
    Clarify,
    /// The person's answer to the question does not fit: record that nothing could be told.
    AnswerDiffers,
    /// The picture in the chip is not of the person: record that nothing could be told, for that.
    PictureDiffers,
    /// Show the newest match that has no outcome.
    OpenUnrecorded,
    /// Record the outcome of an earlier match.
    RecordEarlier {
        /// Which.
        earlier: Unrecorded,
        /// What was concluded; never that the right person was met.
        outcome: Outcome,
        /// Why.
        why: OutcomeWhy,
    },
    /// Try again to record the check on the screen.
    RecordCheck,
    /// Open a notice for the second step.
    OpenNotice {
        /// Its order number.
        id: u64,
        /// Why, as the log numbers reasons.
        reason: u32,
    },
    /// The person on the screen is dealt with.
    Forget,
    /// What home shows.
    Home,
    /// What the queue shows.
    Queue,
    /// What is installed.
    Lists,
    /// Keep a setting.
    Keep {
        /// Name of the setting.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// Look for sticks, and what lies on them, from now on, or look no more.
    WatchSticks(bool),
    /// What lies on the sticks now; sent by the thread that looks.
    SticksSeen {
        /// The sticks.
        sticks: Vec<Stick>,
        /// What lies on them.
        found: Found,
    },
    /// Load a package that was seen.
    Load {
        /// Name of its file.
        file: String,
        /// Service number of who loads.
        by: String,
    },
    /// Read again everything that is installed.
    ReadAgain,
    /// Stop what is being loaded, or read again.
    StopJob,
    /// A load, or reading again, is over; sent by its thread.
    JobEnded {
        /// Which.
        number: u64,
        /// What came of it.
        end: Box<JobEnd>,
    },
    /// What was loaded on this device.
    Loads,
    /// Apply the withdrawal that was read last.
    ApplyWithdrawal,
    /// End the threads.
    Quit,
}

/// What the screen is told.
#[derive(Debug)]
pub enum Event {
    /// How many tries are left, on the device of this label.
    Attempts(Attempts, String),
    /// Settings of the lock screen: name and value.
    Screen(Vec<(String, String)>),
    /// The device is open.
    Unlocked(Box<Welcome>),
    /// It is not.
    UnlockRefused(UnlockError),
    /// The keys are wiped.
    Locked,
    /// The newest frame, for the viewfinder.
    Frame(Arc<Frame>, FrameOrigin),
    /// What would help the camera.
    Hint(Hint),
    /// The camera gives no frame.
    Camera(CameraError),
    /// What was read is no card.
    NotACard(NotACard),
    /// What was read is the zone of a document that is not looked up here.
    OtherDocument,
    /// Several cards were in view, and it cannot be told which is meant.
    SeveralCards,
    /// What was typed cannot be checked.
    TypedRefused(Vec<TypedProblem>),
    /// No name search is left in this hour.
    NoSearchLeft,
    /// The answer to a check.
    Answered(Box<Checked>),
    /// How far the reading of a chip is; its end is an [`Event::Answered`] that says what it proved.
    Chip(ChipNews),
    /// The record of the check was committed.
    CheckSaved {
        /// Its number.
        sequence: u64,
    },
    /// A record asked for was committed.
    Saved {
        /// Its number.
        sequence: u64,
    },
    /// A record was not committed; nothing of it is lost while the screen stays.
    NotSaved {
        /// A short name of what went wrong.
        code: &'static str,
    },
    /// A notice for the second step.
    Notice(Box<Notice>),
    /// The newest match that has no outcome.
    Unrecorded(Unrecorded),
    /// What home shows.
    Home(Home),
    /// What the queue shows.
    Queue(Vec<Recent>, u64),
    /// What is installed.
    Lists(Vec<InstalledList>),
    /// What lies on the sticks.
    Sticks(Box<Sticks>),
    /// How far the load is.
    LoadProgress(LoadProgress),
    /// The load is over.
    LoadEnded(Box<LoadEnd>),
    /// What was loaded on this device, newest first.
    Loads(Vec<Load>),
    /// An emergency withdrawal was read, applied or refused.
    Withdrawal(Box<WithdrawalNews>),
    /// How far reading again is, or what came of it.
    ReadAgain(ReadAgain),
    /// Something keeps the device from working.
    Failed {
        /// A short name of it.
        code: &'static str,
    },
}

impl Event {
    /// Whether the event belongs to an unlocked device.
    pub fn is_of_a_session(&self) -> bool {
        !matches!(
            self,
            Event::Attempts(..)
                | Event::Screen(_)
                | Event::Unlocked(_)
                | Event::UnlockRefused(_)
                | Event::Locked
                | Event::Failed { .. }
        )
    }
}

/// A match of an earlier check that has no outcome; nothing of the person is left of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unrecorded {
    /// Number of the check's record.
    pub check: u64,
    /// The notice that it named.
    pub notice: u64,
    /// Category of that notice.
    pub category: Category,
}

/// Whether a frame is from a camera.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameOrigin {
    /// From a camera.
    Camera,
    /// From pictures that stand in for one.
    Simulated,
}

/// What the screen needs once after unlocking.
#[derive(Debug)]
pub struct Welcome {
    /// What enrolment gave the device.
    pub enrolment: Enrolment,
    /// What keeps the device key from being copied.
    pub protection: Protection,
    /// How the queue was found.
    pub queue: Opened,
    /// Settings that were kept: name and value.
    pub settings: Vec<(&'static str, String)>,
    /// What home shows.
    pub home: Home,
}

/// Names of the settings that are kept in the encrypted state.
pub const SETTINGS: [&str; 3] = ["auto-lock", "check-reason", "sound"];

/// Names of the settings that the lock screen needs too.
pub const SCREEN_SETTINGS: [&str; 3] = ["theme", "language", "glove"];

/// What home shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Home {
    /// The list of notices.
    pub list: ListState,
    /// Records that wait.
    pub waiting: u64,
    /// Hour of the oldest of them.
    pub oldest_hour: Option<u32>,
    /// Matches whose outcome is not recorded.
    pub unrecorded: u32,
    /// Name searches left in this hour.
    pub searches_left: u32,
    /// After how long all of them are there again.
    pub searches_renew_in: Duration,
    /// The upper bound of the time.
    pub now: DeviceTime,
    /// Whether the clock is behind a signed time.
    pub time_is_suspect: bool,
    /// Whether this device can read chips.
    pub has_card_reader: bool,
    /// Changes to a list are installed and cannot be read.
    pub changes_lost: bool,
    /// The name of a newer program that was seen on a stick.
    pub newer_program: Option<String>,
}

/// A check that was answered.
#[derive(Debug)]
pub struct Checked {
    /// What was read.
    pub document: Document,
    /// What is said of it.
    pub answer: Answer,
    /// The upper bound of the time that it rests on.
    pub now: DeviceTime,
    /// From the frame or the key press to the answer.
    pub took: Duration,
    /// What its chip gave, where it was read.
    pub chip: Option<Box<ChipShown>>,
}

/// One installed snapshot, as its screen shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InstalledList {
    /// What was signed on the outside.
    pub manifest: sync_format::v1::package::Manifest,
    /// Rows.
    pub rows: u64,
    /// Regions by the first three digits; empty means the whole country.
    pub regions: Vec<u16>,
    /// Notices by category.
    pub counts: Vec<(Category, u32)>,
}

/// The running threads; dropping it ends them.
pub struct Worker {
    requests: Sender<Request>,
    camera: Arc<CameraSwitch>,
    sticks: Arc<StickSwitch>,
    threads: Vec<JoinHandle<()>>,
}

impl Worker {
    /// Starts the threads for a device; `open_source` is called when a card is first looked for,
    /// `find_sticks` while somebody wants to load a list, and chips are read by `card_readers`.
    pub fn start(
        device: Device,
        open_source: OpenSource,
        find_sticks: FindSticks,
        card_readers: Arc<dyn CardReaders>,
        emit: Emit,
    ) -> Worker {
        let (requests, inbox) = mpsc::channel();
        let camera = Arc::new(CameraSwitch::default());
        let sticks = Arc::new(StickSwitch::default());
        let slot = Arc::new(LatestFrame::new());
        let desk = Desk {
            device,
            session: None,
            shown: None,
            scan_reason: CheckReason::DocumentCheck,
            camera: Arc::clone(&camera),
            sticks: Arc::clone(&sticks),
            loading: Loading::default(),
            chips: Chips::new(card_readers),
            requests: requests.clone(),
            emit: Arc::clone(&emit),
        };
        let threads = vec![
            std::thread::spawn({
                let (camera, slot, emit) =
                    (Arc::clone(&camera), Arc::clone(&slot), Arc::clone(&emit));
                move || run_camera(&camera, &slot, &open_source, &emit)
            }),
            std::thread::spawn({
                let (camera, requests) = (Arc::clone(&camera), requests.clone());
                move || run_decoder(&camera, &slot, &requests, &emit)
            }),
            std::thread::spawn({
                let (sticks, requests) = (Arc::clone(&sticks), requests.clone());
                move || loading::run_sticks(&sticks, &find_sticks, &requests)
            }),
            std::thread::spawn(move || desk.run(&inbox)),
        ];
        Worker { requests, camera, sticks, threads }
    }

    /// Asks for something; the answer comes as an event.
    pub fn ask(&self, request: Request) {
        // The receiver lives until `Quit`, which only `drop` sends.
        self.requests.send(request).unwrap_or_default();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.camera.quit();
        self.sticks.quit();
        self.ask(Request::Quit);
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so through the panic hook.
            thread.join().unwrap_or_default();
        }
    }
}

/// What the camera's thread is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Wanted {
    /// Nothing; the camera is off.
    #[default]
    Rest,
    /// Give frames for the scan with this number.
    Frames(u64),
    /// End.
    Quit,
}

/// A frame, and the number of the scan that it was taken for.
struct Taken {
    frame: Arc<Frame>,
    scan: u64,
}

/// Tells the camera's thread and the decoder what to do.
///
/// Each scan has a number, and a frame counts only for the scan that it was taken for: one that was
/// still under way when the officer went on to the next person would be the person's before.
#[derive(Default)]
struct CameraSwitch {
    state: Mutex<SwitchState>,
    changed: Condvar,
    /// A picture was dealt with: the next frame is that of the one after it.
    advance: AtomicBool,
}

#[derive(Default)]
struct SwitchState {
    wanted: Wanted,
    scans: u64,
    /// The scan that found a code which nobody has looked at yet.
    found: Option<u64>,
}

impl CameraSwitch {
    /// Begins a scan; one that is under way goes on.
    fn start(&self) {
        let mut state = self.lock();
        if state.wanted == Wanted::Rest {
            state.scans += 1;
            state.found = None;
            state.wanted = Wanted::Frames(state.scans);
            self.changed.notify_all();
        }
    }

    /// Ends the scan that is under way; what it has found and nobody has looked at is forgotten.
    fn stop(&self) {
        let mut state = self.lock();
        state.found = None;
        if state.wanted != Wanted::Quit {
            state.wanted = Wanted::Rest;
        }
    }

    /// Ends this scan because it found a code, which [`CameraSwitch::claim`] then takes; false where
    /// it has ended already, so that one card is reported once.
    fn find(&self, scan: u64) -> bool {
        let mut state = self.lock();
        let is_under_way = state.wanted == Wanted::Frames(scan);
        if is_under_way {
            state.wanted = Wanted::Rest;
            state.found = Some(scan);
        }
        is_under_way
    }

    /// Whether what this scan found is still asked for: nobody has stopped, locked or begun another
    /// scan since.
    fn claim(&self, scan: u64) -> bool {
        let mut state = self.lock();
        let is_asked_for = state.found == Some(scan);
        if is_asked_for {
            state.found = None;
        }
        is_asked_for
    }

    fn quit(&self) {
        self.lock().wanted = Wanted::Quit;
        self.changed.notify_all();
    }

    /// Ends this scan without a code; false where it has ended already.
    fn finish(&self, scan: u64) -> bool {
        let mut state = self.lock();
        let is_under_way = state.wanted == Wanted::Frames(scan);
        if is_under_way {
            state.wanted = Wanted::Rest;
        }
        is_under_way
    }

    fn wanted(&self) -> Wanted {
        self.lock().wanted
    }

    /// Waits while there is nothing to do.
    fn wait(&self) -> Wanted {
        let mut state = self.lock();
        while state.wanted == Wanted::Rest {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.wanted
    }

    fn lock(&self) -> MutexGuard<'_, SwitchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run_camera(camera: &CameraSwitch, slot: &LatestFrame<Taken>, open: &OpenSource, emit: &Emit) {
    let mut source: Option<Box<dyn FrameSource>> = None;
    while let Wanted::Frames(scan) = camera.wait() {
        let opened = match &mut source {
            Some(source) => Ok(source),
            None => open().map(|opened| source.insert(opened)),
        };
        let frames = match opened {
            Ok(frames) => frames,
            Err(error) => {
                if camera.finish(scan) {
                    emit(Event::Camera(error));
                }
                continue;
            }
        };
        let origin =
            if frames.is_simulated() { FrameOrigin::Simulated } else { FrameOrigin::Camera };
        while camera.wanted() == Wanted::Frames(scan) {
            if camera.advance.swap(false, Ordering::SeqCst) {
                frames.advance();
            }
            match frames.next_frame() {
                // Taken for a scan that has ended: it shows a person whom nobody looks at any more.
                Ok(_) if camera.wanted() != Wanted::Frames(scan) => {}
                Ok(frame) => {
                    // The viewfinder and the decoder look at the same pixels.
                    let frame = Arc::new(frame);
                    emit(Event::Frame(Arc::clone(&frame), origin));
                    slot.put(Taken { frame, scan });
                }
                Err(error) => {
                    if camera.finish(scan) {
                        // Looking again goes on to the next picture, or starts over.
                        camera.advance.store(true, Ordering::SeqCst);
                        emit(Event::Camera(error));
                    }
                }
            }
        }
        // A camera is let go while nobody looks through it; pictures keep their place.
        if origin == FrameOrigin::Camera {
            source = None;
        }
    }
}

/// Of so many frames without a code that is meant, one is searched for a machine-readable zone.
/// Chosen: a code is read more often and in less time, and one who shows the back can wait for two
/// frames.
const ZONES_EVERY: u32 = 2;

/// Returns the zones of a frame if each is a document's, of whatever kind, and none otherwise.
///
/// One whose check digits hold and that still says what cannot be, such as a 31st of February, was
/// misread. It may be a second document, and the next frame, if there is one, may be read rightly.
fn if_all_are_documents(zones: Vec<Zone>) -> Vec<Zone> {
    let is_document =
        |zone: &Zone| matches!(mrz::parse(&zone.text), Ok(_) | Err(MrzError::OtherDocument));
    if zones.iter().all(is_document) { zones } else { Vec::new() }
}

/// Tells whether the codes of a frame are what the officer shows: a card's, or an order of
/// headquarters. A link that is printed beside a zone is not.
fn are_meant(payloads: &[decode::Payload]) -> bool {
    payloads.iter().any(|payload| {
        loading::is_withdrawal(&payload.bytes) || qr::is_meant_as_card(&payload.bytes)
    })
}

fn run_decoder(
    camera: &CameraSwitch,
    slot: &LatestFrame<Taken>,
    requests: &Sender<Request>,
    emit: &Emit,
) {
    /// How often to look whether the program ends.
    const PATIENCE: Duration = Duration::from_millis(200);
    let (mut scanner, mut zone_scanner) = (Scanner::new(), ZoneScanner::new());
    let mut scanned = None;
    let mut unread = 0_u32;
    let begun = Instant::now();
    while camera.wanted() != Wanted::Quit {
        let taken = slot.take(PATIENCE);
        // What was seen for one scan is a person's, and none of the next one's.
        if scanned.is_some_and(|scan| camera.wanted() != Wanted::Frames(scan)) {
            scanner.reset();
            zone_scanner.reset();
            unread = 0;
            scanned = None;
        }
        let Some(Taken { frame, scan }) = taken else { continue };
        if camera.wanted() != Wanted::Frames(scan) {
            continue;
        }
        scanned = Some(scan);
        let since = Instant::now();
        let Scan { payloads, hint, .. } = scanner.read(&frame, begun.elapsed());
        let zones = if are_meant(&payloads) {
            Vec::new()
        } else {
            unread += 1;
            // With a code the scan ends, so this is the last frame in which to look.
            if !payloads.is_empty() || unread.is_multiple_of(ZONES_EVERY) {
                if_all_are_documents(zone_scanner.read(&frame))
            } else {
                Vec::new()
            }
        };
        let request = if !zones.is_empty() {
            Request::ZonesRead { zones, scan, since }
        } else if !payloads.is_empty() {
            Request::Decoded { payloads, scan, since }
        } else {
            if let Some(hint) = hint {
                emit(Event::Hint(hint));
            }
            continue;
        };
        if camera.find(scan) {
            camera.advance.store(true, Ordering::SeqCst);
            if requests.send(request).is_err() {
                return;
            }
        }
    }
}

/// The check that stands on the screen.
struct Shown {
    document: Document,
    /// What was read of the card around the chip and the answer to it, where `document` is the
    /// chip's.
    printed: Option<(Document, Answer)>,
    answer: Answer,
    reason: CheckReason,
    /// Number of its record, once committed.
    sequence: Option<u64>,
    /// Number of the record of its outcome, once committed.
    concluded: Option<u64>,
}

/// The thread that holds the device.
struct Desk {
    device: Device,
    session: Option<Session>,
    shown: Option<Shown>,
    scan_reason: CheckReason,
    camera: Arc<CameraSwitch>,
    sticks: Arc<StickSwitch>,
    loading: Loading,
    chips: Chips,
    /// For the threads of jobs.
    requests: Sender<Request>,
    emit: Emit,
}

impl Desk {
    fn run(mut self, inbox: &Receiver<Request>) {
        (self.emit)(Event::Screen(self.device.screen_settings()));
        while let Ok(request) = inbox.recv() {
            if matches!(request, Request::Quit) {
                break;
            }
            if let Err(error) = self.serve(request) {
                let code = code_of(&error);
                tracing::warn!(code, "a request failed");
                (self.emit)(Event::Failed { code });
            }
        }
        self.lock();
    }

    fn serve(&mut self, request: Request) -> Result<(), DeviceError> {
        match request {
            Request::Attempts => self.tell_attempts()?,
            Request::Unlock(pin) => return self.unlock(&pin),
            Request::Lock => {
                self.lock();
                (self.emit)(Event::Locked);
                self.tell_attempts()?;
            }
            Request::ScanReason(reason) => self.scan_reason = reason,
            Request::StartScan if self.session.is_some() => self.camera.start(),
            Request::StopScan | Request::StartScan => self.camera.stop(),
            Request::SkipPicture => self.camera.advance.store(true, Ordering::SeqCst),
            Request::ZonesRead { zones, scan, since } => {
                if self.camera.claim(scan) {
                    return self.check_zones(&zones, since);
                }
            }
            Request::Decoded { payloads, scan, since } => {
                if self.camera.claim(scan) {
                    return self.check_payloads(&payloads, since);
                }
            }
            Request::ReadChip => self.read_chip(),
            Request::StopChip => self.chips.stop(),
            Request::ChipEnded { number, end } => return self.end_chip(number, *end),
            Request::CheckTyped { entry, reason } => return self.check_typed(&entry, reason),
            Request::RecordOutcome { notice, outcome, why } => {
                self.record_outcome(notice, outcome, why);
            }
            Request::Clarify => self.clarify(),
            Request::AnswerDiffers => self.record_that_nothing_fits(OutcomeWhy::PersonAnswered),
            Request::PictureDiffers => self.record_that_nothing_fits(OutcomeWhy::PhotoDiffers),
            Request::OpenUnrecorded => {
                if let Some(session) = &self.session
                    && let Some((check, notice)) = session.newest_unrecorded()?
                {
                    let category = notice.category;
                    let unrecorded = Unrecorded { check, notice: notice.id, category };
                    (self.emit)(Event::Unrecorded(unrecorded));
                }
            }
            Request::RecordEarlier { earlier, outcome, why } => {
                if let Some(session) = &mut self.session {
                    match session.record_earlier(earlier.check, earlier.notice, outcome, why) {
                        Ok(sequence) => (self.emit)(Event::Saved { sequence }),
                        Err(error) => (self.emit)(Event::NotSaved { code: code_of(&error) }),
                    }
                }
            }
            Request::RecordCheck => self.record_check(),
            Request::OpenNotice { id, reason } => {
                if let Some(session) = &mut self.session
                    && let Some(notice) = session.open_notice(id, reason)?
                {
                    (self.emit)(Event::Notice(Box::new(notice)));
                }
            }
            Request::Forget => {
                self.chips.end();
                self.shown = None;
            }
            Request::Home => self.tell_home()?,
            Request::Queue => {
                if let Some(session) = &self.session {
                    let (rows, count) = (session.recent(RECENT_LINES)?, session.queue().count()?);
                    (self.emit)(Event::Queue(rows, count));
                }
            }
            Request::Lists => {
                if let Some(session) = &self.session {
                    (self.emit)(Event::Lists(installed(session)));
                }
            }
            Request::Keep { name, value } => match &mut self.session {
                None => {}
                Some(_) if SCREEN_SETTINGS.contains(&name) => {
                    self.device.keep_screen_setting(name, &value)?;
                }
                Some(session) => session.set_setting(name, &value)?,
            },
            Request::WatchSticks(looks) => self.sticks.look(looks && self.session.is_some()),
            Request::SticksSeen { sticks, found } => self.see_sticks(&sticks, found),
            Request::Load { file, by } => return self.load(&file, by),
            Request::ReadAgain => self.read_again(),
            Request::StopJob => self.loading.stop(),
            Request::JobEnded { number, end } => return self.end_job(number, *end),
            Request::Loads => return self.tell_loads(),
            Request::ApplyWithdrawal => return self.apply_withdrawal(),
            // `run` ends on it.
            Request::Quit => {}
        }
        Ok(())
    }

    fn tell_attempts(&self) -> Result<(), DeviceError> {
        (self.emit)(Event::Attempts(self.device.attempts()?, self.device.label()));
        Ok(())
    }

    fn unlock(&mut self, pin: &Pin) -> Result<(), DeviceError> {
        self.lock();
        match self.device.unlock(pin) {
            Ok(session) => {
                let mut settings = Vec::new();
                for name in SETTINGS {
                    settings.extend(session.state().setting(name)?.map(|value| (name, value)));
                }
                let (enrolment, queue) =
                    (session.enrolment().clone(), session.queue_opened().clone());
                self.chips.recall(&session);
                self.session = Some(session);
                if let Some(home) = self.home()? {
                    (self.emit)(Event::Unlocked(Box::new(Welcome {
                        enrolment,
                        protection: self.device.protection(),
                        queue,
                        settings,
                        home,
                    })));
                }
                Ok(())
            }
            Err(DeviceError::Unlock(error)) => {
                (self.emit)(Event::UnlockRefused(error));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Closes the databases and wipes the keys and the person on the screen.
    fn lock(&mut self) {
        self.camera.stop();
        self.sticks.look(false);
        self.loading.end();
        self.chips.end();
        self.shown = None;
        if let Some(mut session) = self.session.take()
            && let Err(error) = session.log_lock()
        {
            // Locking must not fail; the missing line shows in the log by its absence.
            tracing::warn!(code = code_of(&error), "the locking was not noted");
        }
    }

    /// Checks the one card among the payloads of a frame, or says why there is none.
    fn check_payloads(
        &mut self,
        payloads: &[decode::Payload],
        since: Instant,
    ) -> Result<(), DeviceError> {
        if self.session.is_none() {
            return Ok(());
        }
        if let Some(payload) = payloads.iter().find(|it| loading::is_withdrawal(&it.bytes)) {
            self.see_withdrawal(&String::from_utf8_lossy(&payload.bytes));
            return Ok(());
        }
        match qr::the_card(payloads.iter().map(|payload| payload.bytes.as_slice())) {
            Ok(document) => return self.check(document, self.scan_reason, since),
            Err(NoCard::Several(_)) => (self.emit)(Event::SeveralCards),
            Err(NoCard::NotACard(refusal)) => (self.emit)(Event::NotACard(refusal)),
            Err(NoCard::Nothing) => {}
        }
        Ok(())
    }

    /// Checks the one document among the zones of a frame, or says why there is none.
    fn check_zones(&mut self, zones: &[Zone], since: Instant) -> Result<(), DeviceError> {
        if self.session.is_none() {
            return Ok(());
        }
        let [zone] = zones else {
            (self.emit)(Event::SeveralCards);
            return Ok(());
        };
        match mrz::parse(&zone.text) {
            Ok(document) => self.check(document, self.scan_reason, since),
            // The decoding thread lets no other error through.
            Err(_) => {
                (self.emit)(Event::OtherDocument);
                Ok(())
            }
        }
    }

    fn check_typed(&mut self, entry: &TypedEntry, reason: CheckReason) -> Result<(), DeviceError> {
        if self.session.is_none() {
            return Ok(());
        }
        let since = Instant::now();
        match typed::parse(entry) {
            Ok(document) => self.check(document, reason, since),
            Err(problems) => {
                (self.emit)(Event::TypedRefused(problems));
                Ok(())
            }
        }
    }

    /// Shows the answer first and records the check then, so that the officer never waits for a disk.
    fn check(
        &mut self,
        document: Document,
        reason: CheckReason,
        since: Instant,
    ) -> Result<(), DeviceError> {
        let Some(session) = &mut self.session else { return Ok(()) };
        // What is being read belongs to the person before.
        self.chips.end();
        let answer = match session.judge(&document) {
            Ok(answer) => answer,
            Err(DeviceError::Lookup(LookupError::NoSearchLeft)) => {
                (self.emit)(Event::NoSearchLeft);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        // The answer first, and nothing that can fail before it.
        let (now, took) = (session.time()?.upper, since.elapsed());
        let checked =
            Checked { document: document.clone(), answer: answer.clone(), now, took, chip: None };
        (self.emit)(Event::Answered(Box::new(checked)));
        self.shown = Some(Shown {
            document,
            printed: None,
            answer,
            reason,
            sequence: None,
            concluded: None,
        });
        self.record_check();
        Ok(())
    }

    fn record_check(&mut self) {
        let (Some(session), Some(shown)) = (&mut self.session, &mut self.shown) else { return };
        if shown.sequence.is_some() {
            return;
        }
        match session.record_check(&shown.document, &shown.answer, shown.reason) {
            Ok(sequence) => {
                shown.sequence = Some(sequence);
                (self.emit)(Event::CheckSaved { sequence });
            }
            Err(error) => (self.emit)(Event::NotSaved { code: code_of(&error) }),
        }
    }

    /// Records an outcome for a notice that the answer names; any other is no outcome of this check.
    fn record_outcome(&mut self, notice: u64, outcome: Outcome, why: OutcomeWhy) {
        self.conclude(|session, shown, check| {
            let mut named = shown.answer.findings.iter().filter_map(|found| found.basis.as_ref());
            if !named.any(|basis| basis.notice == notice) {
                return Ok(None);
            }
            let conclusion = Conclusion { check, notice, outcome, why };
            session.record_outcome(&shown.document, conclusion).map(Some)
        });
    }

    fn clarify(&mut self) {
        self.conclude(|session, shown, check| {
            session.record_clarified(&shown.document, &shown.answer, check).map(Some)
        });
    }

    fn record_that_nothing_fits(&mut self, why: OutcomeWhy) {
        self.conclude(|session, shown, check| {
            let conclusion = Conclusion {
                check,
                notice: shown.answer.leading_basis().map_or(0, |basis| basis.notice),
                outcome: Outcome::CouldNotTell,
                why,
            };
            session.record_outcome(&shown.document, conclusion).map(Some)
        });
    }

    /// Concludes the check on the screen, once: a second press tells the record of the first.
    fn conclude(
        &mut self,
        record: impl FnOnce(&mut Session, &Shown, u64) -> Result<Option<u64>, DeviceError>,
    ) {
        self.record_check();
        let (Some(session), Some(shown)) = (&mut self.session, &mut self.shown) else { return };
        let Some(check) = shown.sequence else { return };
        let recorded = match shown.concluded {
            Some(sequence) => Ok(Some(sequence)),
            None => record(session, shown, check),
        };
        match recorded {
            Ok(Some(sequence)) => {
                shown.concluded = Some(sequence);
                (self.emit)(Event::Saved { sequence });
            }
            Ok(None) => (self.emit)(Event::NotSaved { code: "no-such-notice" }),
            Err(error) => (self.emit)(Event::NotSaved { code: code_of(&error) }),
        }
    }

    fn home(&self) -> Result<Option<Home>, DeviceError> {
        let Some(session) = &self.session else { return Ok(None) };
        let time = session.time()?;
        let (searches_left, searches_renew_in) = session.searches_left()?;
        Ok(Some(Home {
            list: session.lookup().list_state(time),
            waiting: session.queue().count()?,
            oldest_hour: session.queue().oldest_hour()?,
            unrecorded: session.state().without_outcome(RecentKind::Match as u8)?,
            searches_left,
            searches_renew_in,
            now: time.upper,
            time_is_suspect: time.is_suspect(),
            has_card_reader: self.chips.has_reader(),
            changes_lost: !session.lookup().lost_changes().is_empty(),
            newer_program: self.loading.newer_program().map(str::to_owned),
        }))
    }

    fn tell_home(&self) -> Result<(), DeviceError> {
        if let Some(home) = self.home()? {
            (self.emit)(Event::Home(home));
        }
        Ok(())
    }
}

fn installed(session: &Session) -> Vec<InstalledList> {
    let lookup = session.lookup();
    Dataset::ALL
        .iter()
        .filter_map(|dataset| lookup.signed(*dataset))
        .map(|(manifest, inner)| InstalledList {
            manifest: manifest.clone(),
            rows: inner.rows,
            regions: inner.regions.clone(),
            counts: inner.counts.clone(),
        })
        .collect()
}

/// Returns a short name of an error for the screen and the log: never anything of a person.
pub fn code_of(error: &DeviceError) -> &'static str {
    match error {
        DeviceError::NotEnrolled => "not-enrolled",
        DeviceError::Key(_) => "device-key",
        DeviceError::Vault(_) => "vault",
        DeviceError::Unlock(_) => "unlock",
        DeviceError::Store(_) => "store",
        DeviceError::Queue(_) => "queue",
        DeviceError::Install(_) => "install",
        DeviceError::InUse(why) => code_of(why),
        DeviceError::Lookup(_) => "lookup",
        DeviceError::Withdrawal(_) => "withdrawal",
        DeviceError::Fault(_) => "list-fault",
        DeviceError::RolledBack => "rolled-back",
        DeviceError::Io(_) => "folder",
        DeviceError::NoDocument(_) => "no-document",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::camera::pictures::PictureSource;
    use crate::checks::Verdict;
    use crate::chip::NoReaders;
    use crate::device::testing::{Enrolled, pin, right_pin};
    use crate::document::{DocumentKind, Source};
    use crate::matching::testing::wanted;
    use crate::snapshot::testing::notices_package;
    use crate::store::install::Proceed;

    /// Generous, for machines that are busy with other things.
    const LONG: Duration = Duration::from_secs(30);

    const PICTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/pictures");
    /// Two pictures that are easily read, and the numbers on them.
    const FIRST: (&str, &str) = ("0006_easy.jpg", "057191914618");
    const SECOND: (&str, &str) = ("0285_easy.jpg", "028066221241");

    fn picture(name: &str) -> Frame {
        PictureSource::open(&[Path::new(PICTURES).join(name)]).unwrap().next_frame().unwrap()
    }

    /// A frame in which nothing is to be seen.
    fn blank() -> Frame {
        Frame { width: 64, height: 48, luma: vec![128; 64 * 48], number: 0, label: None }
    }

    /// The test's end of a camera: it gives the frames that the test hands over, when it does.
    #[derive(Clone, Default)]
    struct Camera {
        frames: Arc<(Mutex<CameraState>, Condvar)>,
        opened: Arc<AtomicUsize>,
    }

    #[derive(Default)]
    struct CameraState {
        next: std::collections::VecDeque<Frame>,
        /// A frame that is given whenever there is no other.
        forever: Option<Frame>,
        asked: usize,
        number: u64,
    }

    impl Camera {
        fn opener(&self) -> OpenSource {
            let camera = self.clone();
            Box::new(move || {
                camera.opened.fetch_add(1, Ordering::SeqCst);
                Ok(Box::new(camera.clone()))
            })
        }

        fn give(&self, frame: Frame) {
            self.frames.0.lock().unwrap().next.push_back(frame);
            self.frames.1.notify_all();
        }

        fn give_forever(&self, frame: Frame) {
            self.frames.0.lock().unwrap().forever = Some(frame);
            self.frames.1.notify_all();
        }

        fn asked(&self) -> usize {
            self.frames.0.lock().unwrap().asked
        }

        /// Waits until the camera's thread waits for this many frames in all.
        fn wait_until_asked(&self, times: usize) {
            let begun = Instant::now();
            while self.asked() < times {
                assert!(begun.elapsed() < LONG, "asked {} times", self.asked());
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    impl FrameSource for Camera {
        fn next_frame(&mut self) -> Result<Frame, CameraError> {
            let mut state = self.frames.0.lock().unwrap();
            state.asked += 1;
            loop {
                if let Some(frame) = state.next.pop_front().or_else(|| state.forever.clone()) {
                    state.number += 1;
                    let frame = Frame { number: state.number, ..frame };
                    drop(state);
                    // No camera is faster than this.
                    std::thread::sleep(Duration::from_millis(5));
                    return Ok(frame);
                }
                // As a camera that was unplugged, so that no test waits for ever.
                let (waited, timeout) = self.frames.1.wait_timeout(state, LONG / 2).unwrap();
                if timeout.timed_out() {
                    return Err(CameraError::Lost);
                }
                state = waited;
            }
        }

        fn is_simulated(&self) -> bool {
            false
        }
    }

    /// A running worker, and what it says.
    pub(crate) struct Running {
        worker: Worker,
        events: Receiver<Event>,
        enrolled: Enrolled,
    }

    impl Running {
        /// A device on which the first picture's bearer is wanted.
        fn start(open_source: OpenSource) -> Running {
            Running::start_with(open_source, Arc::new(NoReaders))
        }

        fn start_with(open_source: OpenSource, readers: Arc<dyn CardReaders>) -> Running {
            let enrolled = Enrolled::new();
            let (mut device, mut session) = enrolled.unlock();
            let number = crate::matching::testing::number(
                sync_format::v1::notice::NumberKind::Personal,
                FIRST.1,
            );
            let birth = crate::matching::testing::birth((1991, 1, 12));
            let notice = Notice { numbers: vec![number], birth, sex: None, ..wanted() };
            let package = enrolled.package(&notices_package(1, &[notice]));
            device.install(&mut session, &package, |_| Proceed::Continue).unwrap();
            drop((device, session));

            let (told, events) = mpsc::channel();
            let emit: Emit = Arc::new(move |event| told.send(event).unwrap_or_default());
            let worker =
                Worker::start(enrolled.device(), open_source, Box::new(Vec::new), readers, emit);
            Running { worker, events, enrolled }
        }

        fn unlocked(open_source: OpenSource) -> Running {
            Running::start(open_source).unlock()
        }

        /// A device without a camera.
        pub(crate) fn unlocked_with(readers: Arc<dyn CardReaders>) -> Running {
            let no_camera = Box::new(|| Err(CameraError::NotFound));
            Running::start_with(no_camera, readers).unlock()
        }

        fn unlock(self) -> Running {
            let running = self;
            running.worker.ask(Request::Unlock(right_pin()));
            running.wait_for(|event| matches!(event, Event::Unlocked(_)));
            running
        }

        pub(crate) fn ask(&self, request: Request) {
            self.worker.ask(request);
        }

        /// Returns the next event of this kind, and drops those before it.
        #[track_caller]
        pub(crate) fn wait_for(&self, is_it: impl Fn(&Event) -> bool) -> Event {
            self.collect_until(is_it).pop().unwrap()
        }

        /// Returns the events up to the next one of this kind.
        #[track_caller]
        pub(crate) fn collect_until(&self, is_last: impl Fn(&Event) -> bool) -> Vec<Event> {
            let mut seen = Vec::new();
            loop {
                match self.events.recv_timeout(LONG) {
                    Ok(event) => seen.push(event),
                    Err(error) => panic!("{error} after {seen:?}"),
                }
                if seen.last().is_some_and(&is_last) {
                    return seen;
                }
            }
        }

        /// Returns what was said until everything asked for so far was done.
        #[track_caller]
        pub(crate) fn settle(&self) -> Vec<Event> {
            self.ask(Request::Attempts);
            self.collect_until(|event| matches!(event, Event::Attempts(..)))
        }

        /// Number of the person that the next answer is about, and its verdict.
        #[track_caller]
        fn next_answer(&self) -> (String, Verdict) {
            match self.wait_for(|event| matches!(event, Event::Answered(_))) {
                Event::Answered(checked) => {
                    let number = checked.document.personal_number().unwrap().digits();
                    (number, checked.answer.verdict)
                }
                other => panic!("{other:?}"),
            }
        }

        pub(crate) fn records(&self) -> u64 {
            match self.ask_home() {
                Some(home) => home.waiting,
                None => panic!("locked"),
            }
        }

        fn ask_home(&self) -> Option<Home> {
            self.ask(Request::Home);
            self.settle().into_iter().find_map(|event| match event {
                Event::Home(home) => Some(home),
                _ => None,
            })
        }
    }

    /// Waits as long as the decoder needs for frames that it must not report.
    fn let_the_decoder_look() {
        std::thread::sleep(Duration::from_millis(300));
    }

    fn pictures(names: &[&str]) -> OpenSource {
        let paths: Vec<_> = names.iter().map(|name| Path::new(PICTURES).join(name)).collect();
        Box::new(move || Ok(Box::new(PictureSource::open(&paths)?)))
    }

    const PASSPORT: &str = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\n\
                            L898902C36UTO7408122F1204159ZE184226B<<<<<10";
    const OTHER_CARD: &str = "I<UTOD231458907<<<<<<<<<<<<<<<\n\
                              7408122F1204159UTO<<<<<<<<<<<6\n\
                              ERIKSSON<<ANNA<MARIA<<<<<<<<<<";

    fn zones(texts: &[&str]) -> Vec<Zone> {
        texts.iter().map(|text| Zone { text: (*text).to_owned() }).collect()
    }

    fn is_about_a_person(event: &Event) -> bool {
        matches!(
            event,
            Event::Frame(..)
                | Event::Answered(_)
                | Event::CheckSaved { .. }
                | Event::Saved { .. }
                | Event::Notice(_)
                | Event::NotACard(_)
                | Event::OtherDocument
                | Event::SeveralCards
                | Event::TypedRefused(_)
        )
    }

    #[test]
    fn a_card_is_answered_first_and_recorded_then() {
        let running = Running::unlocked(pictures(&[FIRST.0, SECOND.0]));
        let before = running.records();
        running.ask(Request::StartScan);
        let events = running.collect_until(|event| matches!(event, Event::CheckSaved { .. }));
        let place = |is_it: fn(&Event) -> bool| events.iter().position(is_it);
        let frame = place(|event| matches!(event, Event::Frame(_, FrameOrigin::Simulated)));
        let answered = place(|event| matches!(event, Event::Answered(_)));
        assert!(frame < answered && answered.is_some(), "{events:?}");
        let Some(Event::Answered(checked)) = answered.map(|at| &events[at]) else { panic!() };
        assert_eq!(checked.document.personal_number().unwrap().digits(), FIRST.1);
        assert_eq!(checked.answer.verdict, Verdict::Match);
        let Some(Event::CheckSaved { sequence }) = events.last() else { panic!() };
        assert_eq!(*sequence, before + 1);
        assert_eq!(running.records(), before + 1);

        // The next scan is of the next picture.
        running.ask(Request::Forget);
        running.ask(Request::StartScan);
        assert_eq!(running.next_answer(), (SECOND.1.to_owned(), Verdict::NotListed));
        running.wait_for(|event| matches!(event, Event::CheckSaved { .. }));
        running.ask(Request::StartScan);
        let ended = running.wait_for(|event| matches!(event, Event::Camera(_)));
        assert!(matches!(ended, Event::Camera(CameraError::Ended)), "{ended:?}");
    }

    #[test]
    fn one_scan_gives_one_answer_however_many_frames_show_the_card() {
        let camera = Camera::default();
        camera.give_forever(picture(FIRST.0));
        let running = Running::unlocked(camera.opener());
        running.ask(Request::StartScan);
        assert_eq!(running.next_answer(), (FIRST.1.to_owned(), Verdict::Match));
        let_the_decoder_look();
        let after = running.settle();
        assert!(!after.iter().any(|event| matches!(event, Event::Answered(_))), "{after:?}");
    }

    #[test]
    fn a_frame_of_the_person_before_is_never_answered_for_the_next() {
        let camera = Camera::default();
        let running = Running::unlocked(camera.opener());
        running.ask(Request::StartScan);
        // The camera is about to give a frame for the first scan, and is slow.
        camera.wait_until_asked(1);
        running.ask(Request::StopScan);
        running.ask(Request::StartScan);
        running.settle();
        camera.give(picture(FIRST.0));
        // The frame has come when the next one is asked for, for the second scan.
        camera.wait_until_asked(2);
        let_the_decoder_look();
        let seen = running.settle();
        assert!(!seen.iter().any(is_about_a_person), "{seen:?}");

        camera.give(picture(SECOND.0));
        assert_eq!(running.next_answer(), (SECOND.1.to_owned(), Verdict::NotListed));
        running.wait_for(|event| matches!(event, Event::CheckSaved { .. }));
        assert_eq!(camera.opened.load(Ordering::SeqCst), 2, "a camera is let go in between");
        camera.give_forever(blank());
    }

    #[test]
    fn what_a_scan_found_is_dropped_when_nobody_asks_for_it_any_more() {
        let payload = || {
            let frame = picture(FIRST.0);
            decode::payloads(&frame)
        };
        let found_for =
            |scan| Request::Decoded { payloads: payload(), scan, since: Instant::now() };
        for between in [
            &[Request::StopScan][..],
            &[Request::StopScan, Request::StartScan],
            &[Request::StartScan],
            &[Request::Lock],
        ] {
            let enrolled = Enrolled::new();
            let (told, events) = mpsc::channel();
            let camera = Arc::new(CameraSwitch::default());
            let mut device = enrolled.device();
            let session = device.unlock(&right_pin()).unwrap();
            let mut desk = Desk {
                device,
                session: Some(session),
                shown: None,
                scan_reason: CheckReason::DocumentCheck,
                camera: Arc::clone(&camera),
                sticks: Arc::default(),
                loading: Loading::default(),
                chips: Chips::new(Arc::new(NoReaders)),
                requests: mpsc::channel().0,
                emit: Arc::new(move |event| told.send(event).unwrap_or_default()),
            };
            desk.serve(Request::StartScan).unwrap();
            assert!(camera.find(1), "the decoder has read a card");
            for request in between {
                let request = match request {
                    Request::StopScan => Request::StopScan,
                    Request::StartScan => Request::StartScan,
                    _ => Request::Lock,
                };
                desk.serve(request).unwrap();
            }
            desk.serve(found_for(1)).unwrap();
            drop(desk);
            let seen: Vec<Event> = events.try_iter().collect();
            assert!(!seen.iter().any(is_about_a_person), "{between:?}: {seen:?}");
        }
    }

    #[test]
    fn a_scan_is_found_once_and_claimed_once() {
        let camera = CameraSwitch::default();
        camera.start();
        assert_eq!(camera.wanted(), Wanted::Frames(1));
        assert!(camera.find(1));
        assert!(!camera.find(1));
        assert!(!camera.claim(2));
        assert!(camera.claim(1));
        assert!(!camera.claim(1));
        camera.start();
        assert!(!camera.find(1), "the scan before");
        assert!(camera.find(2));
        camera.start();
        assert!(!camera.claim(2), "another scan has begun");
        camera.quit();
        camera.stop();
        camera.start();
        assert_eq!(camera.wanted(), Wanted::Quit);
    }

    #[test]
    fn locking_during_a_scan_ends_it_and_forgets_the_person() {
        let camera = Camera::default();
        camera.give_forever(blank());
        let running = Running::unlocked(camera.opener());
        running.ask(Request::StartScan);
        running.wait_for(|event| matches!(event, Event::Frame(_, FrameOrigin::Camera)));
        running.ask(Request::Lock);
        running.wait_for(|event| matches!(event, Event::Locked));
        running.settle();
        // From here on the camera shows a card, and nobody looks.
        camera.give_forever(picture(FIRST.0));
        let_the_decoder_look();
        let asked = camera.asked();
        let_the_decoder_look();
        let seen = running.settle();
        assert!(!seen.iter().any(is_about_a_person), "{seen:?}");
        assert_eq!(camera.asked(), asked, "the camera is off");

        running.ask(Request::Unlock(right_pin()));
        running.wait_for(|event| matches!(event, Event::Unlocked(_)));
        running.ask(Request::StartScan);
        assert_eq!(running.next_answer(), (FIRST.1.to_owned(), Verdict::Match));
    }

    #[test]
    fn a_person_on_the_screen_is_gone_after_locking() {
        let running = Running::unlocked(pictures(&[FIRST.0]));
        running.ask(Request::StartScan);
        running.wait_for(|event| matches!(event, Event::CheckSaved { .. }));
        running.ask(Request::Lock);
        running.wait_for(|event| matches!(event, Event::Locked));
        running.ask(Request::Unlock(right_pin()));
        running.wait_for(|event| matches!(event, Event::Unlocked(_)));
        let before = running.records();
        for request in [a_confirmation(), Request::Clarify, Request::RecordCheck] {
            running.ask(request);
        }
        let seen = running.settle();
        assert!(!seen.iter().any(is_about_a_person), "{seen:?}");
        assert_eq!(running.records(), before);
    }

    fn a_confirmation() -> Request {
        Request::RecordOutcome {
            notice: wanted().id,
            outcome: Outcome::Confirmed,
            why: OutcomeWhy::ConfirmedByDuty,
        }
    }

    #[test]
    fn a_wrong_pin_is_refused_and_the_right_one_opens() {
        let running = Running::start(pictures(&[FIRST.0]));
        running.ask(Request::Unlock(pin("730461")));
        let refused = running.wait_for(|event| matches!(event, Event::UnlockRefused(_)));
        assert!(
            matches!(refused, Event::UnlockRefused(UnlockError::Wrong { left: 9, .. })),
            "{refused:?}"
        );
        let attempts = running.settle();
        let Some(Event::Attempts(attempts, label)) = attempts.last() else { panic!() };
        assert_eq!((attempts.failed, attempts.left, label.as_str()), (1, 9, "07"));
        running.ask(Request::Unlock(right_pin()));
        let welcome = running.wait_for(|event| matches!(event, Event::Unlocked(_)));
        let Event::Unlocked(welcome) = welcome else { panic!() };
        assert_eq!(welcome.queue, Opened::Whole);
        assert_eq!(welcome.enrolment.unit, 4_107);
        assert_eq!(welcome.home.searches_left, 15);
    }

    #[test]
    fn a_wrong_pin_locks_a_device_that_was_open() {
        let running = Running::unlocked(pictures(&[FIRST.0]));
        running.ask(Request::Unlock(pin("730461")));
        running.wait_for(|event| matches!(event, Event::UnlockRefused(_)));
        assert!(running.ask_home().is_none());
    }

    #[test]
    fn while_locked_requests_give_nothing() {
        let camera = Camera::default();
        camera.give_forever(picture(FIRST.0));
        let running = Running::start(camera.opener());
        let payloads = decode::payloads(&picture(FIRST.0));
        let entry = |number: &str| TypedEntry { number: number.into(), ..TypedEntry::default() };
        let typed =
            |number| Request::CheckTyped { entry: entry(number), reason: CheckReason::Patrol };
        for request in [
            Request::StartScan,
            Request::Decoded { payloads, scan: 1, since: Instant::now() },
            Request::Decoded {
                payloads: vec![decode::Payload { bytes: b"https://example.org".to_vec() }],
                scan: 0,
                since: Instant::now(),
            },
            typed(FIRST.1),
            typed("12"),
            a_confirmation(),
            Request::Clarify,
            Request::RecordCheck,
            Request::OpenNotice { id: wanted().id, reason: 1 },
            Request::Forget,
            Request::Home,
            Request::Queue,
            Request::Lists,
            Request::Keep { name: "theme", value: "night".into() },
            Request::SkipPicture,
            Request::StopScan,
        ] {
            running.ask(request);
        }
        let_the_decoder_look();
        let seen = running.settle();
        assert!(matches!(&seen[..], [Event::Screen(_), Event::Attempts(..)]), "{seen:?}");
        assert_eq!(camera.opened.load(Ordering::SeqCst), 0, "the camera stays off");
        assert_eq!(running.enrolled.device().screen_settings(), []);
    }

    /// A desk without threads, with its camera's switch and its events.
    fn a_desk(enrolled: &Enrolled) -> (Desk, Arc<CameraSwitch>, Receiver<Event>) {
        let (told, events) = mpsc::channel();
        let camera = Arc::new(CameraSwitch::default());
        let mut device = enrolled.device();
        let session = device.unlock(&right_pin()).unwrap();
        let desk = Desk {
            device,
            session: Some(session),
            shown: None,
            scan_reason: CheckReason::DocumentCheck,
            camera: Arc::clone(&camera),
            sticks: Arc::default(),
            loading: Loading::default(),
            chips: Chips::new(Arc::new(NoReaders)),
            requests: mpsc::channel().0,
            emit: Arc::new(move |event| told.send(event).unwrap_or_default()),
        };
        (desk, camera, events)
    }

    #[test]
    fn a_zone_is_checked_and_what_is_no_single_document_is_named() {
        let enrolled = Enrolled::new();
        let (mut desk, camera, events) = a_desk(&enrolled);
        let mut shown = |scan: u64, texts: &[&str]| -> Vec<Event> {
            desk.serve(Request::StartScan).unwrap();
            assert!(camera.find(scan));
            let zones = zones(texts);
            desk.serve(Request::ZonesRead { zones, scan, since: Instant::now() }).unwrap();
            assert_eq!(camera.wanted(), Wanted::Rest);
            events.try_iter().collect()
        };
        let seen = shown(1, &[PASSPORT]);
        let [Event::Answered(checked), Event::CheckSaved { .. }] = &seen[..] else {
            panic!("{seen:?}");
        };
        assert_eq!(checked.document.source, Source::Mrz);
        assert_eq!(checked.document.kind, DocumentKind::Passport);
        let seen = shown(2, &[OTHER_CARD]);
        assert!(matches!(&seen[..], [Event::OtherDocument]), "{seen:?}");
        let seen = shown(3, &[PASSPORT, OTHER_CARD]);
        assert!(matches!(&seen[..], [Event::SeveralCards]), "{seen:?}");
        // A scan that was stopped asks for nothing any more.
        desk.serve(Request::StartScan).unwrap();
        assert!(camera.find(4));
        desk.serve(Request::StopScan).unwrap();
        let request =
            Request::ZonesRead { zones: zones(&[PASSPORT]), scan: 4, since: Instant::now() };
        desk.serve(request).unwrap();
        assert_eq!(events.try_iter().count(), 0);
    }

    #[test]
    fn what_was_read_before_locking_is_not_checked() {
        let enrolled = Enrolled::new();
        let (mut desk, camera, events) = a_desk(&enrolled);
        let payloads = decode::payloads(&picture(FIRST.0));
        let since = Instant::now();
        for (scan, request) in [
            (1, Request::ZonesRead { zones: zones(&[PASSPORT]), scan: 1, since }),
            (2, Request::ZonesRead { zones: zones(&[OTHER_CARD]), scan: 2, since }),
            (3, Request::ZonesRead { zones: zones(&[PASSPORT, OTHER_CARD]), scan: 3, since }),
            (4, Request::Decoded { payloads, scan: 4, since }),
        ] {
            camera.start();
            assert!(camera.find(scan));
            desk.session = None;
            desk.serve(request).unwrap();
            assert_eq!(camera.wanted(), Wanted::Rest, "it was claimed");
            assert_eq!(events.try_iter().count(), 0, "scan {scan}");
        }
    }

    #[test]
    fn a_zone_that_says_what_cannot_be_hides_the_others_of_its_frame() {
        assert_eq!(if_all_are_documents(zones(&[PASSPORT, OTHER_CARD])).len(), 2);
        // Born on the 31st of February, with the check digits that belong to it.
        let impossible = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\n\
                          L898902C36UTO7402315F1204159ZE184226B<<<<<1?";
        let right: Vec<String> = (0..10)
            .map(|digit| impossible.replace('?', &digit.to_string()))
            .filter(|text| !matches!(mrz::parse(text), Err(MrzError::WrongCheckDigit { .. })))
            .collect();
        assert_eq!(right.len(), 1);
        assert!(matches!(mrz::parse(&right[0]), Err(MrzError::BadDate { .. })));
        assert_eq!(if_all_are_documents(zones(&[PASSPORT, &right[0]])), []);
    }

    #[test]
    fn a_code_that_is_no_card_is_named_and_the_scan_is_over() {
        let enrolled = Enrolled::new();
        let (mut desk, camera, events) = a_desk(&enrolled);
        let payload = |bytes: &[u8]| decode::Payload { bytes: bytes.to_vec() };
        let card = "057191914618||Thạch Công Yến|12011991|Nữ|Quảng Ngãi|04042023";
        for (scan, payloads, is_answered) in [
            (1, vec![payload(b"https://example.org"), payload(b"000201")], false),
            (2, vec![payload(b"https://example.org"), payload(card.as_bytes())], true),
        ] {
            desk.serve(Request::StartScan).unwrap();
            assert!(camera.find(scan));
            desk.serve(Request::Decoded { payloads, scan, since: Instant::now() }).unwrap();
            let seen: Vec<Event> = events.try_iter().collect();
            if is_answered {
                assert!(matches!(&seen[..], [Event::Answered(_), Event::CheckSaved { .. }]));
            } else {
                assert!(matches!(&seen[..], [Event::NotACard(NotACard::Link)]), "{seen:?}");
            }
            assert_eq!(camera.wanted(), Wanted::Rest);
        }
    }

    #[test]
    fn an_outcome_is_recorded_for_the_person_on_the_screen() {
        let running = Running::unlocked(pictures(&[FIRST.0]));
        running.ask(Request::StartScan);
        running.wait_for(|event| matches!(event, Event::CheckSaved { .. }));
        assert_eq!(running.ask_home().unwrap().unrecorded, 1);
        let before = running.records();
        running.ask(a_confirmation());
        let saved = running.wait_for(|event| matches!(event, Event::Saved { .. }));
        assert!(matches!(saved, Event::Saved { sequence } if sequence == before + 1), "{saved:?}");
        assert_eq!(running.ask_home().unwrap().unrecorded, 0);
        running.ask(Request::Forget);
        running.ask(a_confirmation());
        let seen = running.settle();
        assert!(!seen.iter().any(is_about_a_person), "{seen:?}");
    }

    #[test]
    fn a_check_that_was_not_saved_can_be_saved_again_and_once() {
        let running = Running::unlocked(pictures(&[FIRST.0]));
        let before = running.records();
        // The device key answers no more when the record is signed.
        running.enrolled.key.fail_after(0);
        running.ask(Request::StartScan);
        let events = running.collect_until(|event| matches!(event, Event::NotSaved { .. }));
        assert!(events.iter().any(|event| matches!(event, Event::Answered(_))), "{events:?}");
        assert!(matches!(events.last(), Some(Event::NotSaved { code: "queue" })));
        running.enrolled.key.recover();
        running.ask(Request::RecordCheck);
        running.wait_for(|event| matches!(event, Event::CheckSaved { .. }));
        running.ask(Request::RecordCheck);
        running.settle();
        assert_eq!(running.records(), before + 1);
    }

    #[test]
    fn a_typed_entry_is_checked_or_its_problems_are_named() {
        let running = Running::unlocked(pictures(&[FIRST.0]));
        let typed = |number: &str| Request::CheckTyped {
            entry: TypedEntry { number: number.into(), ..TypedEntry::default() },
            reason: CheckReason::NoDocument,
        };
        running.ask(typed("0571919"));
        let refused = running.wait_for(|event| matches!(event, Event::TypedRefused(_)));
        let Event::TypedRefused(problems) = refused else { panic!() };
        assert_eq!(problems, [TypedProblem::NumberTooShort { missing: 5 }]);
        running.ask(typed(FIRST.1));
        assert_eq!(running.next_answer().0, FIRST.1);
        running.wait_for(|event| matches!(event, Event::CheckSaved { .. }));
    }

    #[test]
    fn the_sixteenth_name_search_of_an_hour_is_refused() {
        let running = Running::unlocked(pictures(&[FIRST.0]));
        let search = || Request::CheckTyped {
            entry: TypedEntry {
                name: "Nguyễn Văn Mẫu".into(),
                birth: "02/03/1988".into(),
                ..TypedEntry::default()
            },
            reason: CheckReason::NoDocument,
        };
        for _ in 0..15 {
            running.ask(search());
            running.wait_for(|event| matches!(event, Event::CheckSaved { .. }));
        }
        running.ask(search());
        let seen = running.settle();
        assert!(matches!(&seen[..], [Event::NoSearchLeft, Event::Attempts(..)]), "{seen:?}");
    }

    #[test]
    fn a_camera_that_is_not_there_is_named_and_can_be_tried_again() {
        let tries = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&tries);
        let running = Running::unlocked(Box::new(move || {
            if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                return Err(CameraError::Busy);
            }
            Ok(Box::new(PictureSource::open(&[Path::new(PICTURES).join(FIRST.0)])?))
        }));
        running.ask(Request::StartScan);
        let told = running.wait_for(|event| matches!(event, Event::Camera(_)));
        assert!(matches!(told, Event::Camera(CameraError::Busy)), "{told:?}");
        running.ask(Request::StartScan);
        assert_eq!(running.next_answer().0, FIRST.1);
        assert_eq!(tries.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn dropping_the_worker_ends_it_within_a_second() {
        let camera = Camera::default();
        camera.give_forever(blank());
        let running = Running::unlocked(camera.opener());
        running.ask(Request::StartScan);
        running.wait_for(|event| matches!(event, Event::Frame(..)));
        let begun = Instant::now();
        drop(running.worker);
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        // Its end is in the log.
        let session = running.enrolled.unlock().1;
        let events: Vec<_> =
            session.queue().headers(2).unwrap().iter().map(|header| header.event).collect();
        use sync_format::v1::record::Event::{Lock, Unlock};
        assert_eq!(events, [Unlock, Lock]);
    }

    #[test]
    fn each_error_has_a_short_name_without_content() {
        for (error, code) in [
            (DeviceError::NotEnrolled, "not-enrolled"),
            (DeviceError::RolledBack, "rolled-back"),
            (DeviceError::Lookup(LookupError::NoSearchLeft), "lookup"),
            (DeviceError::Store(crate::store::StoreError::Full), "store"),
            (DeviceError::Queue(crate::queue::QueueError::Seal), "queue"),
        ] {
            assert_eq!(code_of(&error), code);
        }
    }

    /// What is drawn here; the crates that draw come with the command line.
    #[cfg(feature = "cli")]
    mod drawn {
        use super::*;
        use crate::invented::shots::{BackKind, Level, OcrB, back};

        /// A card's back, printed with the font of the package `fonts-ocr-b`.
        fn a_back() -> crate::invented::shots::BackShot {
            let font = OcrB::of_system().expect("the package fonts-ocr-b is installed");
            back(1, 0, Level::Easy, BackKind::Card, &font)
        }

        /// Prints a link beside what a frame shows.
        fn with_a_link(mut frame: Frame) -> Frame {
            const MODULE: usize = 5;
            let code = qrcode::QrCode::new("https://example.org").unwrap();
            let (side, colours) = (code.width(), code.to_colors());
            let across = (side + 8) * MODULE;
            for (x, y) in (0..across).flat_map(|y| (0..across).map(move |x| (x, y))) {
                let at = |pixel: usize| (pixel / MODULE).checked_sub(4).filter(|at| *at < side);
                let colour = at(x).zip(at(y)).map(|(column, row)| colours[row * side + column]);
                let grey = if colour == Some(qrcode::Color::Dark) { 30 } else { 220 };
                frame.luma[y * frame.width as usize + x] = grey;
            }
            frame
        }

        #[test]
        fn the_back_of_a_card_is_read_through_the_camera_also_beside_a_link() {
            let back = a_back();
            let beside_a_link = with_a_link(back.frame.clone());
            assert_eq!(decode::payloads(&beside_a_link).len(), 1);
            for frame in [back.frame.clone(), beside_a_link] {
                let camera = Camera::default();
                camera.give_forever(frame);
                let running = Running::unlocked(camera.opener());
                running.ask(Request::StartScan);
                let seen = running.collect_until(|event| matches!(event, Event::CheckSaved { .. }));
                let checked = seen.iter().find_map(|event| match event {
                    Event::Answered(checked) => Some(checked),
                    _ => None,
                });
                let checked = checked.expect("an answer comes before the record of the check");
                assert_eq!(checked.document.source, Source::Mrz);
                let number = checked.document.personal_number().unwrap().digits();
                assert_eq!(number, back.lines[0][15..27]);
                assert!(!seen.iter().any(|event| matches!(event, Event::NotACard(_))), "{seen:?}");
            }
        }

        #[test]
        fn a_link_alone_is_no_card() {
            let blank = blank();
            let luma = vec![200; 640 * 480];
            let camera = Camera::default();
            camera.give_forever(with_a_link(Frame { width: 640, height: 480, luma, ..blank }));
            let running = Running::unlocked(camera.opener());
            running.ask(Request::StartScan);
            running.wait_for(|event| matches!(event, Event::NotACard(NotACard::Link)));
        }
    }
}
