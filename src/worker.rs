//! Keeps everything slow off the screen's thread: camera, decoding, databases, keys.
//!
//! Three threads: one takes frames from the source and leaves the newest in a slot; one takes it
//! from there and decodes, so that a slow frame never makes a queue; one holds the device and does
//! what the screen asks for, in order. The screen sends a [`Request`] and gets [`Event`]s through a
//! function that must not wait. A person's document stays here, with the session.
//!
//! What this does not do: judge (`device` does), or know of any screen.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sync_format::v1::notice::Notice;
use sync_format::v1::record::{CheckReason, Outcome, OutcomeWhy};

use crate::camera::decode::{self, Hint};
use crate::camera::{CameraError, Frame, FrameSource, LatestFrame};
use crate::checks::ListState;
use crate::clock::DeviceTime;
use crate::device::{Device, DeviceError, Session};
use crate::document::qr::NotACard;
use crate::document::typed::{self, TypedEntry, TypedProblem};
use crate::document::{Document, qr};
use crate::encounter::Conclusion;
use crate::keys::{Attempts, Pin, Protection, UnlockError};
use crate::lookup::{self, Limited, LookupError};
use crate::queue::Opened;
use crate::store::state::{Enrolment, Recent};
use crate::verdict::Answer;

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
    /// End the threads.
    Quit,
}

/// What the screen is told.
#[derive(Debug)]
pub enum Event {
    /// How many tries are left, on the device of this label.
    Attempts(Attempts, String),
    /// The device is open.
    Unlocked(Box<Welcome>),
    /// It is not.
    UnlockRefused(UnlockError),
    /// The keys are wiped.
    Locked,
    /// The newest frame, for the viewfinder.
    Frame(Frame, FrameOrigin),
    /// What would help the camera.
    Hint(Hint),
    /// The camera gives no frame.
    Camera(CameraError),
    /// What was read is no card.
    NotACard(NotACard),
    /// What was typed cannot be checked.
    TypedRefused(Vec<TypedProblem>),
    /// No name search is left in this hour.
    NoSearchLeft,
    /// The answer to a check.
    Answered(Box<Checked>),
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
    /// What home shows.
    Home(Home),
    /// What the queue shows.
    Queue(Vec<Recent>, u64),
    /// What is installed.
    Lists(Vec<InstalledList>),
    /// Something keeps the device from working.
    Failed {
        /// A short name of it.
        code: &'static str,
    },
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

/// Names of the settings that are kept.
pub const SETTINGS: [&str; 4] = ["theme", "language", "glove", "auto-lock"];

/// What home shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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
    /// The upper bound of the time.
    pub now: DeviceTime,
    /// Whether the clock is behind a signed time.
    pub time_is_suspect: bool,
}

/// A check that was answered.
#[derive(Debug)]
pub struct Checked {
    /// What was read.
    pub document: Document,
    /// What is said of it.
    pub answer: Answer,
    /// The list and the time that it rests on.
    pub home: Home,
    /// From the frame or the key press to the answer.
    pub took: Duration,
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
    pub counts: Vec<(sync_format::v1::notice::Category, u32)>,
}

/// The running threads; dropping it ends them.
pub struct Worker {
    requests: Sender<Request>,
    camera: Arc<CameraSwitch>,
    threads: Vec<JoinHandle<()>>,
}

impl Worker {
    /// Starts the threads for a device; `open_source` is called when a card is first looked for.
    pub fn start(device: Device, open_source: OpenSource, emit: Emit) -> Worker {
        let (requests, inbox) = mpsc::channel();
        let camera = Arc::new(CameraSwitch::default());
        let slot = Arc::new(LatestFrame::new());
        let desk = Desk {
            device,
            session: None,
            shown: None,
            camera: Arc::clone(&camera),
            emit: Arc::clone(&emit),
        };
        let threads = vec![
            std::thread::spawn({
                let (camera, slot, emit) = (Arc::clone(&camera), Arc::clone(&slot), Arc::clone(&emit));
                move || run_camera(&camera, &slot, &open_source, &emit)
            }),
            std::thread::spawn({
                let (camera, requests) = (Arc::clone(&camera), requests.clone());
                move || run_decoder(&camera, &slot, &requests, &emit)
            }),
            std::thread::spawn(move || desk.run(&inbox)),
        ];
        Worker { requests, camera, threads }
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
    frame: Frame,
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
                    emit(Event::Frame(frame.clone(), origin));
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

fn run_decoder(
    camera: &CameraSwitch,
    slot: &LatestFrame<Taken>,
    requests: &Sender<Request>,
    emit: &Emit,
) {
    /// How often to look whether the program ends.
    const PATIENCE: Duration = Duration::from_millis(200);
    while camera.wanted() != Wanted::Quit {
        let Some(Taken { frame, scan }) = slot.take(PATIENCE) else { continue };
        if camera.wanted() != Wanted::Frames(scan) {
            continue;
        }
        let since = Instant::now();
        let payloads = decode::payloads(&frame);
        if payloads.is_empty() {
            if let Some(hint) = decode::hint(&frame) {
                emit(Event::Hint(hint));
            }
        } else if camera.find(scan) {
            camera.advance.store(true, Ordering::SeqCst);
            if requests.send(Request::Decoded { payloads, scan, since }).is_err() {
                return;
            }
        }
    }
}

/// The check that stands on the screen.
struct Shown {
    document: Document,
    answer: Answer,
    reason: CheckReason,
    /// Number of its record, once committed.
    sequence: Option<u64>,
}

/// The thread that holds the device.
struct Desk {
    device: Device,
    session: Option<Session>,
    shown: Option<Shown>,
    camera: Arc<CameraSwitch>,
    emit: Emit,
}

impl Desk {
    fn run(mut self, inbox: &Receiver<Request>) {
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
            Request::StartScan if self.session.is_some() => self.camera.start(),
            Request::StopScan | Request::StartScan => self.camera.stop(),
            Request::SkipPicture => self.camera.advance.store(true, Ordering::SeqCst),
            Request::Decoded { payloads, scan, since } => {
                if self.camera.claim(scan) {
                    return self.check_payloads(&payloads, since);
                }
            }
            Request::CheckTyped { entry, reason } => return self.check_typed(&entry, reason),
            Request::RecordOutcome { notice, outcome, why } => {
                self.record_outcome(notice, outcome, why);
            }
            Request::Clarify => self.clarify(),
            Request::RecordCheck => self.record_check(),
            Request::OpenNotice { id, reason } => {
                if let Some(session) = &mut self.session
                    && let Some(notice) = session.open_notice(id, reason)?
                {
                    (self.emit)(Event::Notice(Box::new(notice)));
                }
            }
            Request::Forget => self.shown = None,
            Request::Home => {
                if let Some(home) = self.home()? {
                    (self.emit)(Event::Home(home));
                }
            }
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
            Request::Keep { name, value } => {
                if let Some(session) = &mut self.session {
                    session.set_setting(name, &value)?;
                }
            }
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
        self.shown = None;
        if let Some(mut session) = self.session.take()
            && let Err(error) = session.log_lock()
        {
            // Locking must not fail; the missing line shows in the log by its absence.
            tracing::warn!(code = code_of(&error), "the locking was not noted");
        }
    }

    /// Checks the first payload that is a card; where none is, says what the first one is.
    fn check_payloads(
        &mut self,
        payloads: &[decode::Payload],
        since: Instant,
    ) -> Result<(), DeviceError> {
        let mut first_refusal = None;
        for payload in payloads {
            match qr::parse(&payload.bytes) {
                Ok(document) => return self.check(document, CheckReason::DocumentCheck, since),
                Err(refusal) => first_refusal = first_refusal.or(Some(refusal)),
            }
        }
        if let Some(refusal) = first_refusal {
            (self.emit)(Event::NotACard(refusal));
        }
        Ok(())
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
        let answer = match session.judge(&document) {
            Ok(answer) => answer,
            Err(DeviceError::Lookup(LookupError::NoSearchLeft)) => {
                (self.emit)(Event::NoSearchLeft);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let took = since.elapsed();
        let Some(home) = self.home()? else { return Ok(()) };
        let checked = Checked { document: document.clone(), answer: answer.clone(), home, took };
        (self.emit)(Event::Answered(Box::new(checked)));
        self.shown = Some(Shown { document, answer, reason, sequence: None });
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

    fn record_outcome(&mut self, notice: u64, outcome: Outcome, why: OutcomeWhy) {
        self.record_check();
        let (Some(session), Some(shown)) = (&mut self.session, &self.shown) else { return };
        let Some(check) = shown.sequence else { return };
        let conclusion = Conclusion { check, notice, outcome, why };
        match session.record_outcome(&shown.document, conclusion) {
            Ok(sequence) => (self.emit)(Event::Saved { sequence }),
            Err(error) => (self.emit)(Event::NotSaved { code: code_of(&error) }),
        }
    }

    fn clarify(&mut self) {
        self.record_check();
        let (Some(session), Some(shown)) = (&mut self.session, &self.shown) else { return };
        let Some(check) = shown.sequence else { return };
        match session.record_clarified(&shown.document, check) {
            Ok(sequence) => (self.emit)(Event::Saved { sequence }),
            Err(error) => (self.emit)(Event::NotSaved { code: code_of(&error) }),
        }
    }

    fn home(&self) -> Result<Option<Home>, DeviceError> {
        let Some(session) = &self.session else { return Ok(None) };
        let time = session.time()?;
        let unrecorded = session
            .recent(RECENT_LINES)?
            .iter()
            .filter(|recent| {
                recent.kind == crate::device::RecentKind::Match as u8 && recent.outcome.is_none()
            })
            .count();
        Ok(Some(Home {
            list: session.lookup().list_state(time),
            waiting: session.queue().count()?,
            oldest_hour: session.queue().oldest_hour()?,
            unrecorded: u32::try_from(unrecorded).unwrap_or(u32::MAX),
            searches_left: lookup::left(session.state(), Limited::NameSearch, time.upper)?,
            now: time.upper,
            time_is_suspect: time.is_suspect(),
        }))
    }
}

fn installed(session: &Session) -> Vec<InstalledList> {
    let lookup = session.lookup();
    let notices = lookup.notices().map(|notices| (&notices.manifest, &notices.inner));
    [notices, lookup.register()]
        .into_iter()
        .flatten()
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
        DeviceError::Lookup(_) => "lookup",
        DeviceError::RolledBack => "rolled-back",
        DeviceError::Io(_) => "folder",
    }
}
