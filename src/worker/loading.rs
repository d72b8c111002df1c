//! What the worker does about loading lists: looks for sticks, examines what lies on them, and has
//! one long piece of work at a time done beside the checks.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sync_format::v1::package::{Dataset, SnapshotVersion};

use super::{Desk, Emit, Event, Request, code_of};
use crate::carried::{self, Carried, Found, Kind, Stick, Why};
use crate::device::loading::{Examined, OfferedWithdrawal, ReadAgainJob};
use crate::device::{DeviceError, InstallOptions};
use crate::snapshot::Refusal;
use crate::snapshot::withdrawal::{self, WithdrawalRefusal};
use crate::store::StoreError;
use crate::store::install::{InstallError, Proceed, Progress, Stage};
use crate::store::pace::Pace;
use crate::store::state::Load;
use crate::store::verify::{StoreFault, VerifiedStore};

/// Says which sticks are there; called on a thread of its own, since a stick can be slow.
pub type FindSticks = Box<dyn Fn() -> Vec<Stick> + Send>;

/// How often sticks are looked for while the screen shows them. Chosen: whoever pushes one in looks
/// up and sees it; nothing of it is noticed by the battery.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often the screen is told how far a job is.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// Most bytes of a release that are read: it is a name, a hash and two signatures.
const MAX_RELEASE_BYTES: u64 = 4_096;

/// Lines of the history that are shown.
const LOAD_LINES: u32 = 100;

/// What lies on the sticks.
#[derive(Debug)]
pub struct Sticks {
    /// Their names.
    pub places: Vec<String>,
    /// What may be packages on them.
    pub offers: Vec<Offer>,
    /// The name of a newer program that lies there, signed.
    pub newer_program: Option<String>,
}

/// A file that may be a package.
#[derive(Debug)]
pub struct Offer {
    /// Name of the file.
    pub file: String,
    /// Name of the stick.
    pub place: String,
    /// Its length.
    pub bytes: u64,
    /// What it says of itself, or why it is not believed.
    pub examined: Arc<Result<Examined, NotOffered>>,
}

/// Why a file on a stick is not offered.
#[derive(Debug)]
pub enum NotOffered {
    /// It is passed over without being read.
    Skipped(Why),
    /// It is not believed.
    Refused(DeviceError),
}

/// How far a load is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LoadProgress {
    /// Stage, rows and bytes.
    pub at: Progress,
    /// Rows of one second.
    pub rows_per_second: Option<f64>,
    /// How long the rest takes.
    pub left: Option<Duration>,
}

/// How a load ended.
#[derive(Debug)]
pub enum LoadEnd {
    /// The list answers.
    Done {
        /// Which.
        dataset: Dataset,
        /// Its version.
        version: Option<SnapshotVersion>,
        /// The signed line that says so.
        proof: Option<String>,
    },
    /// Stopped by the loader.
    Stopped,
    /// The stick went away; what was read is kept.
    StickGone,
    /// Not loaded.
    Refused {
        /// Why.
        why: DeviceError,
        /// Whether rows had been read before it was refused.
        in_the_rows: bool,
    },
}

/// What is known of an emergency withdrawal.
#[derive(Debug)]
pub enum WithdrawalNews {
    /// It was read and holds; nothing is withdrawn yet.
    Offered(OfferedWithdrawal),
    /// It was applied; as many of its notices were not withdrawn before.
    Applied {
        /// How many.
        new: usize,
    },
    /// It was refused.
    Refused {
        /// A short name of why.
        code: &'static str,
        /// What kind of reason.
        why: Option<WithdrawalRefusal>,
    },
}

/// How far reading again is, and what came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadAgain {
    /// So many of 100.
    Running(u8),
    /// Everything is as it was signed.
    Whole,
    /// This is not.
    Damaged(Dataset),
    /// It was stopped.
    Stopped,
    /// It could not be read.
    Failed,
}

/// Tells the thread that looks for sticks when to.
#[derive(Default)]
pub(super) struct StickSwitch {
    state: Mutex<Watch>,
    changed: Condvar,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Watch {
    #[default]
    Rest,
    Look,
    Quit,
}

impl StickSwitch {
    pub(super) fn look(&self, looks: bool) {
        let mut state = self.lock();
        if *state != Watch::Quit {
            *state = if looks { Watch::Look } else { Watch::Rest };
            self.changed.notify_all();
        }
    }

    pub(super) fn quit(&self) {
        *self.lock() = Watch::Quit;
        self.changed.notify_all();
    }

    /// Waits while nobody looks; false when the program ends.
    fn wait(&self) -> bool {
        let mut state = self.lock();
        while *state == Watch::Rest {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        *state == Watch::Look
    }

    /// Lets the time between two looks pass, or less when something changes.
    fn pause(&self) {
        let state = self.lock();
        if *state == Watch::Look {
            drop(self.changed.wait_timeout(state, LOOK_EVERY));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Watch> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks for sticks and what lies on them for as long as somebody wants to know.
pub(super) fn run_sticks(switch: &StickSwitch, find: &FindSticks, requests: &Sender<Request>) {
    while switch.wait() {
        let sticks = find();
        let roots: Vec<PathBuf> = sticks.iter().map(|stick| stick.folder.clone()).collect();
        let found = carried::find(&roots);
        if requests.send(Request::SticksSeen { sticks, found }).is_err() {
            return;
        }
        switch.pause();
    }
}

/// What tells one state of a file from another: whoever changes it has it examined anew.
type Seen = (PathBuf, u64, i64);

/// What the desk knows about loading, beside the session.
#[derive(Default)]
pub(super) struct Loading {
    /// What lay on the sticks at the last look.
    carried: Vec<Carried>,
    examined: HashMap<Seen, Arc<Result<Examined, NotOffered>>>,
    job: Option<Running>,
    /// Jobs are numbered, so that what one says after its end is not taken for the next.
    jobs: u64,
    withdrawal: Option<Vec<u8>>,
    newer_program: Option<String>,
}

/// A job under way.
struct Running {
    number: u64,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// What a job's thread says at its end.
#[derive(Debug)]
pub enum JobEnd {
    /// A load.
    Load {
        /// What came of it.
        ended: Result<Dataset, DeviceError>,
        /// Whether rows had been read.
        in_the_rows: bool,
        /// What was loaded.
        carried: Carried,
    },
    /// Reading again: what was found of each list.
    ReadAgain(Vec<(Dataset, Result<VerifiedStore, StoreFault>)>),
}

impl Loading {
    /// Stops the job under way and waits for its end: it holds keys.
    pub(super) fn end(&mut self) {
        if let Some(job) = self.job.take() {
            job.stop.store(true, Ordering::SeqCst);
            // A thread that panicked has said so through the panic hook.
            job.thread.join().unwrap_or_default();
        }
        self.withdrawal = None;
        self.examined.clear();
    }

    /// Asks the job under way to stop.
    pub(super) fn stop(&self) {
        if let Some(job) = &self.job {
            job.stop.store(true, Ordering::SeqCst);
        }
    }

    /// The name of a newer program, once one was seen.
    pub(super) fn newer_program(&self) -> Option<&str> {
        self.newer_program.as_deref()
    }
}

impl Desk {
    /// Examines what lies on the sticks, each file once, and tells of it.
    pub(super) fn see_sticks(&mut self, sticks: &[Stick], found: Found) {
        let Some(session) = &self.session else { return };
        let place_of = |path: &std::path::Path| {
            let on = sticks.iter().find(|stick| path.starts_with(&stick.folder));
            on.map(|stick| stick.label.clone()).unwrap_or_default()
        };
        let mut offers = Vec::new();
        let mut seen = HashMap::new();
        for carried in &found.carried {
            let path = carried.path();
            if carried.kind() == Kind::Release {
                let named = carried.open().ok().and_then(|file| {
                    let mut bytes = Vec::new();
                    std::io::Read::read_to_end(
                        &mut std::io::Read::take(file, MAX_RELEASE_BYTES),
                        &mut bytes,
                    )
                    .ok()?;
                    session.newer_program(&bytes)
                });
                self.loading.newer_program = named.or(self.loading.newer_program.take());
                continue;
            }
            let key = (path.clone(), carried.len(), carried.modified());
            let examined = self.loading.examined.remove(&key).unwrap_or_else(|| {
                Arc::new(match carried.open() {
                    Ok(file) => session.examine(file).map_err(NotOffered::Refused),
                    Err(why) => Err(NotOffered::Skipped(why)),
                })
            });
            seen.insert(key, Arc::clone(&examined));
            offers.push(Offer {
                file: carried.name().to_owned(),
                place: place_of(&path),
                bytes: carried.len(),
                examined,
            });
        }
        // A stick that is not there any more, or a folder that is none, is no file.
        for skipped in found.skipped.iter().filter(|skipped| skipped.why != Why::Gone) {
            offers.push(Offer {
                file: skipped.shown(),
                place: place_of(&skipped.path),
                bytes: 0,
                examined: Arc::new(Err(NotOffered::Skipped(skipped.why))),
            });
        }
        self.loading.examined = seen;
        self.loading.carried =
            found.carried.into_iter().filter(|it| it.kind() == Kind::Package).collect();
        (self.emit)(Event::Sticks(Box::new(Sticks {
            places: sticks.iter().map(|stick| stick.label.clone()).collect(),
            offers,
            newer_program: self.loading.newer_program.clone(),
        })));
    }

    /// Begins to load the package in the file of this name, beside the checks.
    pub(super) fn load(&mut self, file: &str, by: String) -> Result<(), DeviceError> {
        let Some(session) = &self.session else { return Ok(()) };
        if self.loading.job.is_some() {
            let why = InstallError::Store(StoreError::Busy).into();
            (self.emit)(Event::LoadEnded(Box::new(LoadEnd::Refused { why, in_the_rows: false })));
            return Ok(());
        }
        let carried = self.loading.carried.iter().find(|carried| carried.name() == file).cloned();
        let Some((carried, Ok(opened))) = carried.map(|it| (it.clone(), it.open())) else {
            (self.emit)(Event::LoadEnded(Box::new(LoadEnd::StickGone)));
            return Ok(());
        };
        let job = session.load_job(&InstallOptions { by })?;
        let emit = Arc::clone(&self.emit);
        self.begin(move |stop| {
            let mut in_the_rows = false;
            let mut teller = Teller::new(&emit);
            let ended = job.run(opened, carried.name(), |at| {
                in_the_rows = true;
                teller.tell(at);
                if stop.load(Ordering::SeqCst) { Proceed::Stop } else { Proceed::Continue }
            });
            JobEnd::Load { ended, in_the_rows, carried }
        });
        Ok(())
    }

    /// Begins to read again everything that is installed, beside the checks.
    pub(super) fn read_again(&mut self) {
        let Some(session) = &self.session else { return };
        if self.loading.job.is_some() {
            (self.emit)(Event::ReadAgain(ReadAgain::Failed));
            return;
        }
        let job = session.read_again_job();
        let lookup = session.lookup();
        let is_installed = |dataset: &Dataset| lookup.signed(*dataset).is_some();
        let installed: Vec<Dataset> = Dataset::ALL.iter().copied().filter(is_installed).collect();
        let emit = Arc::clone(&self.emit);
        emit(Event::ReadAgain(ReadAgain::Running(0)));
        self.begin(move |stop| JobEnd::ReadAgain(read_all(&job, &installed, stop, &emit)));
    }

    /// Has a job done on a thread of its own.
    fn begin(&mut self, work: impl FnOnce(&AtomicBool) -> JobEnd + Send + 'static) {
        let stop = Arc::new(AtomicBool::new(false));
        self.loading.jobs += 1;
        let number = self.loading.jobs;
        let thread = std::thread::spawn({
            let (stop, requests) = (Arc::clone(&stop), self.requests.clone());
            move || {
                let end = Box::new(work(&stop));
                // No receiver: the program is ending.
                requests.send(Request::JobEnded { number, end }).unwrap_or_default();
            }
        });
        self.loading.job = Some(Running { number, stop, thread });
    }

    /// Takes in what a job has come to.
    pub(super) fn end_job(&mut self, number: u64, end: JobEnd) -> Result<(), DeviceError> {
        // One that was stopped by locking: what it has done is found at the next unlocking.
        let Some(job) = self.loading.job.take_if(|job| job.number == number) else { return Ok(()) };
        job.thread.join().unwrap_or_default();
        match end {
            JobEnd::Load { ended, in_the_rows, carried } => {
                self.end_load(ended, in_the_rows, &carried)?;
            }
            JobEnd::ReadAgain(read) => self.end_reading(&read)?,
        }
        self.tell_home()
    }

    fn end_load(
        &mut self,
        ended: Result<Dataset, DeviceError>,
        in_the_rows: bool,
        carried: &Carried,
    ) -> Result<(), DeviceError> {
        let Some(session) = &mut self.session else { return Ok(()) };
        let end = match ended {
            Ok(dataset) => {
                self.device.take_up(session, dataset)?;
                // Everything beside it stands differently now.
                self.loading.examined.clear();
                let signed = session.lookup().signed(dataset);
                let version = signed.map(|(manifest, _)| manifest.version);
                // The list answers; a proof that cannot be made takes nothing from that.
                let proof = session.proof_line(dataset).ok().flatten();
                LoadEnd::Done { dataset, version, proof }
            }
            Err(DeviceError::Install(InstallError::Stopped)) => LoadEnd::Stopped,
            Err(DeviceError::Install(InstallError::Refused(Refusal::Io(_))))
                if carried.open().is_err() =>
            {
                LoadEnd::StickGone
            }
            Err(why) => LoadEnd::Refused { why, in_the_rows },
        };
        (self.emit)(Event::LoadEnded(Box::new(end)));
        Ok(())
    }

    fn end_reading(
        &mut self,
        read: &[(Dataset, Result<VerifiedStore, StoreFault>)],
    ) -> Result<(), DeviceError> {
        let Some(session) = &mut self.session else { return Ok(()) };
        let mut news = ReadAgain::Whole;
        for (dataset, result) in read {
            session.take_in(*dataset, result)?;
            match result {
                Ok(_) => {}
                Err(fault) if fault.changed_part().is_some() => news = ReadAgain::Damaged(*dataset),
                Err(StoreFault::Store(error)) if error.is_damage() => {
                    news = ReadAgain::Damaged(*dataset);
                }
                Err(StoreFault::Stopped) if news == ReadAgain::Whole => news = ReadAgain::Stopped,
                Err(_) if news == ReadAgain::Whole => news = ReadAgain::Failed,
                Err(_) => {}
            }
        }
        (self.emit)(Event::ReadAgain(news));
        Ok(())
    }

    /// Tells what was loaded on this device, and what was not.
    pub(super) fn tell_loads(&self) -> Result<(), DeviceError> {
        if let Some(session) = &self.session {
            let loads: Vec<Load> = session.loads(LOAD_LINES)?;
            (self.emit)(Event::Loads(loads));
        }
        Ok(())
    }

    /// Examines an emergency withdrawal that was read from a code.
    pub(super) fn see_withdrawal(&mut self, text: &str) {
        let Some(session) = &self.session else { return };
        self.loading.withdrawal = None;
        let news = match withdrawal::parse(text) {
            Err(_) => WithdrawalNews::Refused { code: "unreadable", why: None },
            Ok(signed) => match session.examine_withdrawal(&signed) {
                Ok(offered) => {
                    self.loading.withdrawal = Some(signed);
                    WithdrawalNews::Offered(offered)
                }
                Err(error) => refused(error),
            },
        };
        (self.emit)(Event::Withdrawal(Box::new(news)));
    }

    /// Applies the withdrawal that was examined last.
    pub(super) fn apply_withdrawal(&mut self) -> Result<(), DeviceError> {
        let (Some(session), Some(signed)) = (&mut self.session, self.loading.withdrawal.take())
        else {
            return Ok(());
        };
        let news = match session.withdraw(&signed) {
            Ok(withdrew) => WithdrawalNews::Applied { new: withdrew.new },
            Err(error) => refused(error),
        };
        (self.emit)(Event::Withdrawal(Box::new(news)));
        self.tell_home()
    }
}

/// Whether a payload is an emergency withdrawal, by its first letters.
pub(super) fn is_withdrawal(payload: &[u8]) -> bool {
    payload.trim_ascii_start().get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"FCW1:"))
}

fn refused(error: DeviceError) -> WithdrawalNews {
    match error {
        DeviceError::Withdrawal(why) => {
            WithdrawalNews::Refused { code: why.code(), why: Some(why) }
        }
        error => WithdrawalNews::Refused { code: code_of(&error), why: None },
    }
}

fn read_all(
    job: &ReadAgainJob,
    installed: &[Dataset],
    stop: &AtomicBool,
    emit: &Emit,
) -> Vec<(Dataset, Result<VerifiedStore, StoreFault>)> {
    let mut told = Instant::now();
    let mut read = Vec::new();
    for (at, dataset) in installed.iter().enumerate() {
        let result = job.run(*dataset, |progress| {
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                let done = progress.rows.saturating_mul(100) / progress.of_rows.max(1);
                let percent = (at as u64 * 100 + done) / installed.len() as u64;
                let percent = u8::try_from(percent).unwrap_or(100);
                emit(Event::ReadAgain(ReadAgain::Running(percent)));
            }
            if stop.load(Ordering::SeqCst) { Proceed::Stop } else { Proceed::Continue }
        });
        read.push((*dataset, result));
        if stop.load(Ordering::SeqCst) {
            break;
        }
    }
    read
}

/// Tells the screen how far a load is, not more often than it can show.
struct Teller<'a> {
    emit: &'a Emit,
    began: Instant,
    pace: Pace,
    told: Option<(Instant, Stage)>,
}

impl<'a> Teller<'a> {
    fn new(emit: &'a Emit) -> Teller<'a> {
        Teller { emit, began: Instant::now(), pace: Pace::new(), told: None }
    }

    fn tell(&mut self, at: Progress) {
        self.pace.observe(self.began.elapsed(), &at);
        let is_new =
            self.told.is_none_or(|(when, stage)| when.elapsed() >= TELL_EVERY || stage != at.stage);
        if is_new {
            self.told = Some((Instant::now(), at.stage));
            (self.emit)(Event::LoadProgress(LoadProgress {
                at,
                rows_per_second: self.pace.rows_per_second(),
                left: self.pace.left(),
            }));
        }
    }
}
