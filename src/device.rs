//! One device as a whole: locked, unlocked, and what can be done with it.
//!
//! The window and the command line both stand on this module, so that a tester's `check` takes the
//! path that an officer's scan takes. A [`Device`] holds no secret; [`Device::unlock`] gives a
//! [`Session`], and dropping that closes the databases and wipes the keys.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sync_format::v1::package::{Dataset, SnapshotVersion};
use sync_format::v1::record::{Body, CheckReason, Event, Outcome, OutcomeWhy};

use crate::checks::{DocumentProof, Facts, Verdict};
use crate::clock::{Clock, DeviceTime, TrustedTime};
use crate::document::{Document, Source};
use crate::encounter::{self, Circumstances, Conclusion};
use crate::keys::{
    ArgonCost, Attempts, DeviceKey, DeviceKeyError, Floor, Pin, UnlockError, Unlocked, Vault,
    VaultError, queue_key,
};
use crate::lookup::{Lookup, LookupError};
use crate::queue::{Circumstance, Opened, Queue, QueueError, Writer};
use crate::snapshot::{self, Refusal, Signed, Trust};
use crate::store::StoreError;
use crate::store::install::{self, InstallError, Proceed, Progress};
use crate::store::state::{Enrolment, Recent, State};
use crate::verdict::{self, Answer};

/// Lines about records are kept for this long on the device. Chosen: two days of duty.
const KEEP_RECENT_HOURS: u32 = 48;

/// What keeps a device from working as a whole.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The folder holds no enrolled device.
    #[error("there is no enrolled device in this folder")]
    NotEnrolled,
    /// The device key did not answer.
    #[error("the device key did not answer")]
    Key(#[from] DeviceKeyError),
    /// The vault could not be opened.
    #[error("the vault could not be opened")]
    Vault(#[from] VaultError),
    /// The PIN did not open the vault.
    #[error("the device was not unlocked")]
    Unlock(#[from] UnlockError),
    /// A database could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record could not be kept.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// A snapshot was not installed.
    #[error("the snapshot was not installed")]
    Install(#[from] InstallError),
    /// A look-up was not done.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The state database is older than the vault says it must be: somebody put back a copy.
    #[error("the device's data is older than its vault: an earlier copy was put back")]
    RolledBack,
    /// The folder could not be written.
    #[error("the device's folder could not be written")]
    Io(#[from] std::io::Error),
}

impl From<Refusal> for DeviceError {
    fn from(refusal: Refusal) -> DeviceError {
        DeviceError::Install(InstallError::Refused(refusal))
    }
}

/// Where the parts of a device lie in its folder.
#[derive(Clone, Debug)]
struct Places {
    folder: PathBuf,
}

impl Places {
    fn vault(&self) -> PathBuf {
        self.folder.join("vault.fck")
    }
    fn state(&self) -> PathBuf {
        self.folder.join("state.db")
    }
    fn queue(&self) -> PathBuf {
        self.folder.join("queue.db")
    }
    fn store(&self) -> PathBuf {
        self.folder.join("store")
    }
    fn label(&self) -> PathBuf {
        self.folder.join("label.txt")
    }
}

/// A device, locked.
pub struct Device {
    places: Places,
    vault: Vault,
    key: Arc<dyn DeviceKey>,
    clock: Arc<dyn Clock>,
}

/// Makes an enrolled device in an empty folder.
///
/// Enrolment by headquarters is not part of this version: whoever calls this says what it would say.
pub fn enrol(
    folder: &Path,
    key: &dyn DeviceKey,
    clock: &dyn Clock,
    enrolment: &Enrolment,
    pin: &Pin,
    cost: ArgonCost,
) -> Result<(), DeviceError> {
    let places = Places { folder: folder.to_owned() };
    std::fs::create_dir_all(places.store())?;
    let (_, unlocked) = Vault::create(&places.vault(), key, pin, cost, clock)?;
    State::create(&places.state(), &unlocked.state_key, enrolment)?;
    Queue::open(&places.queue(), &queue_key(key)?)?;
    std::fs::write(places.label(), &enrolment.label)?;
    Ok(())
}

/// A label longer than this is not one.
const MAX_LABEL_CHARS: usize = 16;

impl Device {
    /// Opens the device in a folder; nothing of it can be read before [`Device::unlock`].
    pub fn open(
        folder: &Path,
        key: Arc<dyn DeviceKey>,
        clock: Arc<dyn Clock>,
    ) -> Result<Device, DeviceError> {
        let places = Places { folder: folder.to_owned() };
        if !places.vault().exists() {
            return Err(DeviceError::NotEnrolled);
        }
        let vault = Vault::open(&places.vault())?;
        Ok(Device { places, vault, key, clock })
    }

    /// Returns how many tries are left and how long the next one must wait.
    pub fn attempts(&self) -> Result<Attempts, DeviceError> {
        Ok(self.vault.attempts(&*self.key, &*self.clock)?)
    }

    /// Returns what the device is called, to be read by whoever finds it: no secret, and empty where
    /// its file is not there. Nothing rests on it.
    pub fn label(&self) -> String {
        let text = std::fs::read_to_string(self.places.label()).unwrap_or_default();
        text.chars().filter(|c| !c.is_control()).take(MAX_LABEL_CHARS).collect()
    }

    /// Returns what keeps the device key from being copied.
    pub fn protection(&self) -> crate::keys::Protection {
        self.key.protection()
    }

    /// Unlocks with a PIN: opens the databases, checks that nobody put back an earlier copy, and
    /// notes the unlocking and the failed tries before it in the log.
    pub fn unlock(&mut self, pin: &Pin) -> Result<Session, DeviceError> {
        let failed_before = self.attempts()?.failed;
        let mut unlocked = self.vault.unlock(pin, &*self.key, &*self.clock)?;
        let state = State::open(&self.places.state(), &unlocked.state_key)?;
        let floor = state_floor(&state)?;
        if floor.notices < unlocked.floor.notices || floor.register < unlocked.floor.register {
            return Err(DeviceError::RolledBack);
        }
        if floor != unlocked.floor {
            // The power failed between the two floors of an installation.
            self.vault.raise_floor(&mut unlocked, floor, &*self.key)?;
        }
        let enrolment = state.enrolment()?;
        let (queue, queue_opened) = Queue::open(&self.places.queue(), &queue_key(&*self.key)?)?;
        let lookup = Lookup::open(&self.places.store(), &state)?;
        let writer = Writer { device: enrolment.device, collect_key: enrolment.collect_key };
        let mut session = Session {
            places: self.places.clone(),
            key: Arc::clone(&self.key),
            clock: Arc::clone(&self.clock),
            unlocked,
            state,
            lookup,
            queue,
            queue_opened,
            enrolment,
            writer,
        };
        if failed_before > 0 {
            session.log(Event::UnlockFailed, failed_before)?;
        }
        session.log(Event::Unlock, 0)?;
        Ok(session)
    }

    /// Verifies the package at `path` and makes it the snapshot that answers.
    pub fn install(
        &mut self,
        session: &mut Session,
        path: &Path,
        progress: impl FnMut(Progress) -> Proceed,
    ) -> Result<Dataset, DeviceError> {
        let file = std::fs::File::open(path).map_err(Refusal::Io)?;
        let mut reader = std::io::BufReader::new(file);
        let signed = Signed::read(&mut reader)?;
        let verified = snapshot::verify(signed, &session.trust()?)?;
        let dataset = verified.snapshot().manifest.dataset;
        let now = session.time()?.upper;
        install::install(
            &verified,
            reader,
            &self.places.store(),
            &mut session.state,
            now,
            progress,
        )?;
        let floor = state_floor(&session.state)?;
        self.vault.raise_floor(&mut session.unlocked, floor, &*self.key)?;
        session.lookup = Lookup::open(&self.places.store(), &session.state)?;
        session.log(Event::Install, u32::from(dataset.number()))?;
        Ok(dataset)
    }
}

/// Says in the program's log that a line of the officer's list was not kept.
fn warn_of_line<E: std::fmt::Display>(kept: Result<(), E>) {
    if let Err(error) = kept {
        tracing::warn!(%error, "a line about a record was not kept");
    }
}

/// Returns the floor that the state database holds, as the vault binds it.
fn state_floor(state: &State) -> Result<Floor, StoreError> {
    let of = |dataset| {
        let version: Option<SnapshotVersion> = state.floor(dataset)?;
        Ok::<_, StoreError>(version.map(|version| (version.epoch, version.version)))
    };
    Ok(Floor { notices: of(Dataset::Notices)?, register: of(Dataset::Register)? })
}

/// An unlocked device.
pub struct Session {
    places: Places,
    key: Arc<dyn DeviceKey>,
    clock: Arc<dyn Clock>,
    unlocked: Unlocked,
    state: State,
    lookup: Lookup,
    queue: Queue,
    queue_opened: Opened,
    enrolment: Enrolment,
    writer: Writer,
}

impl Session {
    /// Returns what enrolment gave the device.
    pub fn enrolment(&self) -> &Enrolment {
        &self.enrolment
    }

    /// Returns the installed snapshots.
    pub fn lookup(&self) -> &Lookup {
        &self.lookup
    }

    /// Returns the records that wait.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Returns how the queue was found when it was opened.
    pub fn queue_opened(&self) -> &Opened {
        &self.queue_opened
    }

    /// Returns the state database.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Returns the folder of the installed snapshots.
    pub fn store_folder(&self) -> PathBuf {
        self.places.store()
    }

    /// Returns the bounds of the present time.
    pub fn time(&self) -> Result<TrustedTime, DeviceError> {
        Ok(TrustedTime::new(self.state.time_floor()?, self.clock.real_time()))
    }

    fn trust(&self) -> Result<Trust, DeviceError> {
        Ok(Trust {
            root_hash: self.enrolment.root_hash,
            purpose: self.enrolment.purpose,
            notices_floor: self.state.floor(Dataset::Notices)?,
            register_floor: self.state.floor(Dataset::Register)?,
            time: self.time()?,
        })
    }

    /// Judges a document. Nothing is recorded yet: the screen shows the answer first.
    pub fn judge(&mut self, document: &Document) -> Result<Answer, DeviceError> {
        let time = self.time()?;
        let answers = self.lookup.ask(document, time, &mut self.state)?;
        if document.source == Source::Typed && document.numbers.is_empty() {
            self.log(Event::NameSearch, 0)?;
        }
        Ok(verdict::decide(&Facts {
            document,
            // Reading the chip is not part of this version, so nothing is ever proven here.
            proof: DocumentProof::NotProven,
            notices: answers.notices,
            register: answers.register,
            list: answers.list,
            time,
        }))
    }

    /// Appends the record of a check and returns its number.
    pub fn record_check(
        &mut self,
        document: &Document,
        answer: &Answer,
        reason: CheckReason,
    ) -> Result<u64, DeviceError> {
        let circumstances = Circumstances {
            unit: self.enrolment.unit,
            channel: encounter::channel_of(document),
            reason,
        };
        let sequence = self.append(Event::Check, &encounter::check(answer, circumstances))?;
        let notice = answer
            .findings
            .iter()
            .filter(|finding| finding.verdict >= Verdict::Refer)
            .find_map(|finding| finding.basis.as_ref().map(|basis| basis.notice));
        self.remember(sequence, RecentKind::of_verdict(answer.verdict), notice, None);
        Ok(sequence)
    }

    /// Appends the record of an outcome and returns its number.
    pub fn record_outcome(
        &mut self,
        document: &Document,
        conclusion: Conclusion,
    ) -> Result<u64, DeviceError> {
        let body = encounter::outcome(conclusion, document);
        let sequence = self.append(Event::Outcome, &body)?;
        let outcome = conclusion.outcome.number();
        let noted = self.state.note_outcome(conclusion.check, outcome);
        warn_of_line(noted);
        let notice = (conclusion.notice != 0).then_some(conclusion.notice);
        self.remember(sequence, RecentKind::Outcome, notice, Some(outcome));
        Ok(sequence)
    }

    /// Closes a referral as settled on the spot; it keeps no name, like a clear check.
    pub fn record_clarified(&mut self, document: &Document, check: u64) -> Result<u64, DeviceError> {
        let conclusion = Conclusion {
            check,
            notice: 0,
            outcome: Outcome::Clarified,
            why: OutcomeWhy::ConfirmedByDocument,
        };
        self.record_outcome(document, conclusion)
    }

    /// Gives the whole notice for the second step, and notes in the log that it was opened.
    pub fn open_notice(
        &mut self,
        id: u64,
        reason: u32,
    ) -> Result<Option<sync_format::v1::notice::Notice>, DeviceError> {
        let notice = match self.lookup.notices() {
            None => None,
            Some(notices) => notices.get(id)?,
        };
        if notice.is_some() {
            self.log(Event::NoticeOpened, reason)?;
        }
        Ok(notice)
    }

    /// Notes in the log that the session ends; the caller drops it.
    pub fn log_lock(&mut self) -> Result<(), DeviceError> {
        self.log(Event::Lock, 0).map(|_| ())
    }

    /// Returns the last lines about records, newest first.
    pub fn recent(&self, most: u32) -> Result<Vec<Recent>, DeviceError> {
        Ok(self.state.recent(most)?)
    }

    /// Keeps a setting of the screen.
    pub fn set_setting(&mut self, name: &str, value: &str) -> Result<(), DeviceError> {
        Ok(self.state.set_setting(name, value)?)
    }

    /// Checks the chain of records with this device's own key; returns how many there are.
    pub fn verify_queue(&self) -> Result<u64, DeviceError> {
        Ok(self.queue.verify(&self.key.public_key())?)
    }

    fn log(&mut self, event: Event, detail: u32) -> Result<u64, DeviceError> {
        let sequence = self.append(event, &Body::Event { detail })?;
        self.remember(sequence, RecentKind::of_event(event), None, None);
        Ok(sequence)
    }

    fn append(&mut self, event: Event, body: &Body) -> Result<u64, DeviceError> {
        let circumstance = Circumstance {
            event,
            hour: self.now()?.hour(),
            notices: self.lookup.notices().map(|notices| notices.manifest.version),
            register: self.lookup.register().map(|(manifest, _)| manifest.version),
        };
        Ok(self.queue.append(circumstance, body, &self.writer, &*self.key)?)
    }

    /// Keeps a line about a record for the officer's list.
    ///
    /// The record is committed by then: a line that fails must not make it look lost, or it would
    /// be written a second time.
    fn remember(
        &mut self,
        sequence: u64,
        kind: RecentKind,
        notice: Option<u64>,
        outcome: Option<u8>,
    ) {
        let remembered = self.now().and_then(|now| {
            let recent = Recent { sequence, kind: kind as u8, hour: now.hour(), notice, outcome };
            Ok(self.state.remember(&recent, KEEP_RECENT_HOURS)?)
        });
        warn_of_line(remembered);
    }

    fn now(&self) -> Result<DeviceTime, DeviceError> {
        Ok(self.time()?.upper)
    }
}

/// What a line of the officer's list is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecentKind {
    /// A check that ended so.
    Clear = 1,
    /// A check that ended so.
    NotListed = 2,
    /// A check that ended so.
    NotChecked = 3,
    /// A check that ended so.
    Refer = 4,
    /// A check that ended so.
    Match = 5,
    /// An outcome.
    Outcome = 6,
    /// The device was unlocked.
    Unlock = 7,
    /// Tries with a wrong PIN.
    UnlockFailed = 8,
    /// A snapshot was installed.
    Install = 9,
    /// A search by name.
    NameSearch = 10,
    /// A notice was opened.
    NoticeOpened = 11,
    /// The device was locked.
    Lock = 12,
    /// Something else in the log.
    Other = 13,
}

impl RecentKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [RecentKind; 13] = [
        RecentKind::Clear,
        RecentKind::NotListed,
        RecentKind::NotChecked,
        RecentKind::Refer,
        RecentKind::Match,
        RecentKind::Outcome,
        RecentKind::Unlock,
        RecentKind::UnlockFailed,
        RecentKind::Install,
        RecentKind::NameSearch,
        RecentKind::NoticeOpened,
        RecentKind::Lock,
        RecentKind::Other,
    ];

    /// Returns the kind with this number.
    pub fn from_number(number: u8) -> Option<RecentKind> {
        RecentKind::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// Returns the word that the command line uses.
    pub fn code(self) -> &'static str {
        match self {
            RecentKind::Clear => "clear",
            RecentKind::NotListed => "not-listed",
            RecentKind::NotChecked => "not-checked",
            RecentKind::Refer => "refer",
            RecentKind::Match => "match",
            RecentKind::Outcome => "outcome",
            RecentKind::Unlock => "unlock",
            RecentKind::UnlockFailed => "unlock-failed",
            RecentKind::Install => "install",
            RecentKind::NameSearch => "name-search",
            RecentKind::NoticeOpened => "notice-opened",
            RecentKind::Lock => "lock",
            RecentKind::Other => "other",
        }
    }

    fn of_verdict(verdict: Verdict) -> RecentKind {
        match verdict {
            Verdict::Clear => RecentKind::Clear,
            Verdict::NotListed => RecentKind::NotListed,
            Verdict::NotChecked => RecentKind::NotChecked,
            Verdict::Refer => RecentKind::Refer,
            Verdict::Match => RecentKind::Match,
        }
    }

    fn of_event(event: Event) -> RecentKind {
        match event {
            Event::Unlock => RecentKind::Unlock,
            Event::UnlockFailed => RecentKind::UnlockFailed,
            Event::Install => RecentKind::Install,
            Event::NameSearch => RecentKind::NameSearch,
            Event::NoticeOpened => RecentKind::NoticeOpened,
            Event::Lock => RecentKind::Lock,
            _ => RecentKind::Other,
        }
    }
}
