//! One device as a whole: locked, unlocked, and what can be done with it.
//!
//! The window and the command line both stand on this module, so that a tester's `check` takes the
//! path that an officer's scan takes. A [`Device`] holds no secret; [`Device::unlock`] gives a
//! [`Session`], and dropping that closes the databases and wipes the keys.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sync_format::codec::{self, Kind};
use sync_format::v1::anchors::Anchor;
use sync_format::v1::message::{Installed, SignedInstalled, Withdrawal};
use sync_format::v1::notice::Notice;
use sync_format::v1::package::seal::SealPublic;
use sync_format::v1::package::{Base, Dataset, InnerManifest, Root, SnapshotVersion, sha256};
use sync_format::v1::record::{Body, CheckReason, Event, Outcome, OutcomeWhy};

use crate::checks::{ChipDoubt, DocumentProof, Facts, Verdict};
use crate::chip::contents::{self, Contents, Files, NoDocument};
use crate::chip::country::Country;
use crate::chip::proof::{Proof, Refutation};
use crate::chip::trust::Anchors;
use crate::clock::{Clock, DeviceTime, Observation, TrustedTime};
use crate::document::{Date, Document, Source};
use crate::encounter::{self, Circumstances, Conclusion};
use crate::keys::{
    ArgonCost, Attempts, DeviceKey, DeviceKeyError, Floor, Pin, UnlockError, Unlocked, Vault,
    VaultError, queue_key,
};
use crate::lookup::{self, Limited, Lookup, LookupError};
use crate::queue::{Circumstance, Opened, Queue, QueueError, Writer};
use crate::snapshot::withdrawal::{self, WithdrawalRefusal};
use crate::snapshot::{self, Held, Opener, Refusal, Trust};
use crate::store::install::{self, InstallError, Proceed, Progress, Stage};
use crate::store::room::Room;
use crate::store::state::{Enrolment, Load, Recent, State, TrustedRoot};
use crate::store::verify::{StoreFault, VerifiedStore};
use crate::store::{self, StoreError};
use crate::verdict::{self, Answer};

#[cfg(test)]
mod anchors;
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod chip;
pub mod loading;
pub mod proof;
#[cfg(test)]
pub(crate) mod testing;

/// The detail of a damaged list whose changes alone are lost begins here.
const LOST_CHANGES: u32 = 100;

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
    /// A snapshot was installed and answers; what had to follow was not done.
    #[error("the snapshot is in use, but what had to follow was not done")]
    InUse(#[source] Box<DeviceError>),
    /// A look-up was not done.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// An emergency withdrawal was not believed.
    #[error("nothing was withdrawn")]
    Withdrawal(#[from] WithdrawalRefusal),
    /// An installed snapshot is not what was signed.
    #[error(transparent)]
    Fault(#[from] StoreFault),
    /// The state database is older than the vault says it must be: somebody put back a copy.
    #[error("the device's data is older than its vault: an earlier copy was put back")]
    RolledBack,
    /// The folder could not be written.
    #[error("the device's folder could not be written")]
    Io(#[from] std::io::Error),
    /// What a chip holds says of nobody who it is.
    #[error("the chip holds no document")]
    NoDocument(#[from] NoDocument),
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
    fn screen(&self) -> PathBuf {
        self.folder.join("screen.txt")
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
    Queue::create(&places.queue(), &queue_key(key)?)?;
    std::fs::write(places.label(), &enrolment.label)?;
    Ok(())
}

/// Who loads a package.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct InstallOptions {
    /// Service number of who loads it: digits, of which the first twelve are kept; may be empty.
    pub by: String,
}

impl InstallOptions {
    fn service_number(&self) -> String {
        self.by.chars().filter(char::is_ascii_digit).take(MAX_SERVICE_NUMBER_CHARS).collect()
    }
}

/// A service number longer than this is not one.
const MAX_SERVICE_NUMBER_CHARS: usize = 12;

/// A name of a package's file is kept up to this length. Chosen: it is there to be recognised.
const MAX_SOURCE_CHARS: usize = 64;

/// Returns the name of a file as the history keeps it.
fn source_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.chars().filter(|c| !c.is_control()).take(MAX_SOURCE_CHARS).collect()
}

/// An installation that was cut and can go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unfinished {
    /// What it installs.
    pub dataset: Dataset,
    /// How far it is.
    pub stage: Stage,
    /// The version that it will be.
    pub version: SnapshotVersion,
    /// When it began.
    pub began: DeviceTime,
}

/// What an emergency withdrawal took away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Withdrew {
    /// How many notices it names.
    pub named: usize,
    /// How many of them were not withdrawn already.
    pub new: usize,
}

/// A label longer than this is not one.
const MAX_LABEL_CHARS: usize = 16;

impl Device {
    /// Whether a folder holds an enrolled device.
    pub fn is_in(folder: &Path) -> bool {
        Places { folder: folder.to_owned() }.vault().exists()
    }

    /// Opens the device in a folder; nothing of it can be read before [`Device::unlock`].
    pub fn open(
        folder: &Path,
        key: Arc<dyn DeviceKey>,
        clock: Arc<dyn Clock>,
    ) -> Result<Device, DeviceError> {
        Device::open_with(folder, key, clock, Vault::open)
    }

    /// Opens a device whose PIN costs next to nothing to try, for tests that unlock it a thousand
    /// times: see [`Vault::open_for_tests`].
    pub fn open_for_tests(
        folder: &Path,
        key: Arc<dyn DeviceKey>,
        clock: Arc<dyn Clock>,
    ) -> Result<Device, DeviceError> {
        Device::open_with(folder, key, clock, Vault::open_for_tests)
    }

    fn open_with(
        folder: &Path,
        key: Arc<dyn DeviceKey>,
        clock: Arc<dyn Clock>,
        open_vault: fn(&Path) -> Result<Vault, UnlockError>,
    ) -> Result<Device, DeviceError> {
        if !Device::is_in(folder) {
            return Err(DeviceError::NotEnrolled);
        }
        let places = Places { folder: folder.to_owned() };
        let vault = open_vault(&places.vault())?;
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

    /// Returns the settings that the lock screen needs too, as name and value: no secret, and none
    /// where the file is not there. Whoever reads them knows only the words that he understands.
    pub fn screen_settings(&self) -> Vec<(String, String)> {
        let text = std::fs::read_to_string(self.places.screen()).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// Keeps a setting that the lock screen needs too: without it a dark boat is lit up in white.
    pub fn keep_screen_setting(&self, name: &str, value: &str) -> Result<(), DeviceError> {
        let mut settings = self.screen_settings();
        settings.retain(|(known, _)| known != name);
        settings.push((name.to_owned(), value.to_owned()));
        let lines: String =
            settings.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        Ok(std::fs::write(self.places.screen(), lines)?)
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
        if floor.is_below(unlocked.floor) {
            return Err(DeviceError::RolledBack);
        }
        if floor != unlocked.floor {
            // The power failed between the two floors of an installation.
            self.vault.raise_floor(&mut unlocked, floor, &*self.key)?;
        }
        let enrolment = state.enrolment()?;
        let head = state.queue_head()?;
        let (queue, queue_opened) =
            Queue::open(&self.places.queue(), &queue_key(&*self.key)?, head)?;
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
            faults_logged: 0,
            lost_logged: Vec::new(),
        };
        if session.queue_opened != Opened::Whole {
            session.log(Event::QueueRestarted, 0)?;
        }
        session.log_faults()?;
        session.observe_clock()?;
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
        self.install_with(session, path, &InstallOptions::default(), progress)
    }

    /// Verifies the package at `path` and makes it the snapshot that answers; the history keeps who
    /// loaded it, and what became of it if it was refused.
    pub fn install_with(
        &mut self,
        session: &mut Session,
        path: &Path,
        options: &InstallOptions,
        progress: impl FnMut(Progress) -> Proceed,
    ) -> Result<Dataset, DeviceError> {
        let file = std::fs::File::open(path).map_err(Refusal::Io)?;
        let dataset = session.load_job(options)?.run(file, &source_name(path), progress)?;
        self.take_up(session, dataset).map_err(|error| DeviceError::InUse(Box::new(error)))?;
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
    Ok(Floor {
        notices: of(Dataset::Notices)?,
        register: of(Dataset::Register)?,
        anchors: of(Dataset::Anchors)?,
    })
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
    /// As many faults of the look-up are in the log.
    faults_logged: usize,
    /// Lists that lost their changes, as far as it is in the log.
    lost_logged: Vec<Dataset>,
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
        let lower = self.state.time_base()?.at(self.clock.boot());
        Ok(TrustedTime::new(lower, self.clock.real_time()))
    }

    /// Returns what the device trusts and has seen, to verify a package with.
    pub fn trust(&self) -> Result<Trust, DeviceError> {
        Ok(Trust {
            root_hash: self.state.trusted_root()?.hash,
            purpose: self.enrolment.purpose,
            notices: self.held(Dataset::Notices)?,
            register: self.held(Dataset::Register)?,
            anchors: self.held(Dataset::Anchors)?,
            time: self.time()?,
            real_time: self.clock.real_time(),
        })
    }

    /// Returns what opens a package's envelope: the device's own key.
    pub fn opener(&self) -> Opener<'_> {
        Opener::Device(&self.enrolment.seal_secret)
    }

    /// Returns the root document that the device trusts.
    pub fn trusted_root(&self) -> Result<TrustedRoot, DeviceError> {
        Ok(self.state.trusted_root()?)
    }

    /// Returns the version that an installation must exceed, and the full list that changes may be
    /// laid over.
    ///
    /// Where a file is damaged, the version before it: the very same package mends it, and
    /// [`install::install`] refuses every other one up to the true floor.
    fn held(&self, dataset: Dataset) -> Result<Held, StoreError> {
        let before = |version: SnapshotVersion| {
            version
                .version
                .checked_sub(1)
                .map(|before| SnapshotVersion { version: before, ..version })
        };
        let (full, overlay) = (self.state.active(dataset)?, self.state.overlay(dataset)?);
        let is_damaged = self.lookup.faults().contains(&dataset);
        let floor = match (&full, &overlay) {
            (Some(full), _) if is_damaged => before(full.version),
            (_, Some(overlay)) if self.lookup.lost_changes().contains(&dataset) => {
                before(overlay.version)
            }
            _ => self.state.floor(dataset)?,
        };
        let Some(full) = full.filter(|_| !is_damaged) else {
            return Ok(Held { floor, ..Held::default() });
        };
        let inner: InnerManifest = codec::decode(Kind::InnerManifest, &full.inner)
            .map_err(|_| StoreError::DamagedRow("state"))?;
        let base = Base { version: full.version.version, manifest: sha256(&full.manifest) };
        Ok(Held { floor, base: Some(base), tag_key: inner.tag_key })
    }

    /// Returns the device's public key that packages are sealed to.
    pub fn seal_public(&self) -> SealPublic {
        self.enrolment.seal_secret.public()
    }

    /// Returns the device's public signing key, as a compressed SEC 1 point.
    pub fn sign_public(&self) -> [u8; 33] {
        self.key.public_key()
    }

    /// Returns the room for the rows of a package.
    pub fn room(&self, dataset: Dataset, inner: &InnerManifest) -> Result<Room, DeviceError> {
        Ok(Room::of(&self.places.store(), dataset, inner, 0)?)
    }

    /// Returns the installations that were cut: the same package goes on from there.
    pub fn unfinished(&self) -> Result<Vec<Unfinished>, DeviceError> {
        let mut unfinished = Vec::new();
        for dataset in Dataset::ALL.iter().copied() {
            unfinished.extend(self.state.installation(dataset)?.map(|begun| Unfinished {
                dataset,
                stage: begun.stage,
                version: begun.version,
                began: begun.began,
            }));
        }
        Ok(unfinished)
    }

    /// Gives up an installation that was cut, for its space.
    pub fn discard_unfinished(&mut self, dataset: Dataset) -> Result<(), DeviceError> {
        Ok(install::discard_unfinished(&self.places.store(), &mut self.state, dataset)?)
    }

    /// Returns the last packages that were offered, newest first.
    pub fn loads(&self, most: u32) -> Result<Vec<Load>, DeviceError> {
        Ok(self.state.loads(most)?)
    }

    /// Takes away the notices that an emergency withdrawal names (an encoded `SignedWithdrawal`), once
    /// it has been verified under the root document that the device trusts. The same again changes
    /// nothing.
    pub fn withdraw(&mut self, signed: &[u8]) -> Result<Withdrew, DeviceError> {
        let root = self.state.trusted_root()?;
        if root.bytes.is_empty() {
            return Err(WithdrawalRefusal::NoRoot.into());
        }
        let root: Root =
            codec::decode(Kind::Root, &root.bytes).map_err(|_| StoreError::DamagedRow("state"))?;
        let withdrawal = withdrawal::verify(signed, &root, self.enrolment.purpose, self.time()?)?;
        let Withdrawal { version, made, notices, .. } = &withdrawal;
        let new = self.state.withdraw(*version, DeviceTime(*made), notices)?;
        self.lookup.withdraw(*version, notices);
        if new > 0 {
            let named = u32::try_from(notices.len()).unwrap_or(u32::MAX);
            self.log(Event::Withdrawn, named)?;
        }
        Ok(Withdrew { named: notices.len(), new })
    }

    /// Returns the device's signed word that a list of `dataset` is installed, `None` where none is.
    pub fn proof(&self, dataset: Dataset) -> Result<Option<SignedInstalled>, DeviceError> {
        let (full, overlay) = (self.state.active(dataset)?, self.state.overlay(dataset)?);
        let Some(newest) = overlay.or(full) else { return Ok(None) };
        let installed = Installed {
            device: self.enrolment.device,
            dataset,
            version: newest.version,
            manifest: sha256(&newest.manifest),
            hour: newest.installed_at.hour(),
            app: snapshot::APP,
        };
        Ok(proof::sign(&installed, &*self.key)?)
    }

    /// Returns the same as a line of text, for a QR code or to be read out.
    pub fn proof_line(&self, dataset: Dataset) -> Result<Option<String>, DeviceError> {
        Ok(self.proof(dataset)?.as_ref().and_then(proof::text))
    }

    /// Verifies again what is installed of `dataset`, row by row, against what was signed.
    ///
    /// What is not what was signed answers no more, in this session or a later one, until the same
    /// package or a newer one is installed.
    pub fn verify_store(
        &mut self,
        dataset: Dataset,
        progress: impl FnMut(Progress) -> Proceed,
    ) -> Result<VerifiedStore, DeviceError> {
        let store = self.places.store();
        let verified = store::verify::verify(&self.state, &store, dataset, progress);
        self.take_in(dataset, &verified)?;
        Ok(verified?)
    }

    /// Notes each snapshot that turned out to be damaged, or to have lost its changes, once in a
    /// session.
    fn log_faults(&mut self) -> Result<(), DeviceError> {
        let faults = self.lookup.faults().to_vec();
        for dataset in faults.iter().skip(self.faults_logged) {
            self.log(Event::ListDamaged, u32::from(dataset.number()))?;
        }
        self.faults_logged = faults.len();
        let lost = self.lookup.lost_changes();
        for dataset in lost.iter().filter(|it| !self.lost_logged.contains(it)).collect::<Vec<_>>() {
            self.log(Event::ListDamaged, LOST_CHANGES + u32::from(dataset.number()))?;
        }
        self.lost_logged = lost;
        Ok(())
    }

    /// Notes a clock that was set, or that lies behind the lower bound: once for each step.
    fn observe_clock(&mut self) -> Result<(), DeviceError> {
        let step = self.state.observe(Observation::of(&*self.clock))?;
        if let Some(seconds) = step {
            self.log(Event::ClockStep, u32::try_from(seconds / 3_600).unwrap_or(u32::MAX))?;
        }
        Ok(())
    }

    /// Returns all anchors that are installed, to prove a chip by; none where no list is.
    ///
    /// A list that turns out to be damaged gives none, is told by [`Lookup::faults`], and is noted in
    /// the log.
    ///
    /// # Errors
    ///
    /// A database that another program holds, and a log that cannot be written.
    pub fn anchors(&mut self) -> Result<Vec<Anchor>, DeviceError> {
        let anchors = self.lookup.read_anchors()?;
        self.log_faults()?;
        Ok(anchors)
    }

    /// Returns how many name searches are left, and after how long all are there again.
    pub fn searches_left(&self) -> Result<(u32, std::time::Duration), DeviceError> {
        Ok(lookup::left(&self.state, Limited::NameSearch, self.clock.boot())?)
    }

    /// Judges a document of which nothing is proven. Nothing is recorded yet: the screen shows the
    /// answer first.
    pub fn judge(&mut self, document: &Document) -> Result<Answer, DeviceError> {
        self.judge_as(document, DocumentProof::NotProven, &[])
    }

    /// Judges what was read of a chip, against the anchors that are installed. `printed` is what was
    /// read of the card around it, and `answered` the answer to that, if it was asked before.
    ///
    /// Where the two disagree, what is found of either counts: a chip must not take away what its
    /// card brought.
    ///
    /// # Errors
    ///
    /// [`DeviceError::NoDocument`] where the chip says of nobody who it is, and those of
    /// [`Session::judge`].
    pub fn judge_chip(
        &mut self,
        files: &Files<'_>,
        printed: Option<&Document>,
        answered: Option<&Answer>,
    ) -> Result<(Contents, Answer), DeviceError> {
        let contents = self.chip_contents(files, printed)?;
        let mut doubts: Vec<ChipDoubt> =
            contents.differing.iter().copied().map(ChipDoubt::Differs).collect();
        match contents.proof {
            Proof::Refuted(Refutation::Copy) => doubts.insert(0, ChipDoubt::Copy),
            Proof::Refuted(_) => doubts.insert(0, ChipDoubt::Data),
            Proof::Consistent(_) | Proof::CopyNotExcluded(_) | Proof::Genuine(..) => {}
        }
        // What an officer typed wrongly says nothing against a chip: the doubt alone is kept.
        let is_forged_beside = printed.is_some_and(|printed| printed.source != Source::Typed)
            && !contents.differing.is_empty();
        let proof = match contents.proof {
            _ if contents.is_contradictory || is_forged_beside => DocumentProof::Refuted,
            Proof::Refuted(_) => DocumentProof::Refuted,
            Proof::Consistent(_) => DocumentProof::Consistent,
            Proof::CopyNotExcluded(_) => DocumentProof::CopyNotExcluded,
            Proof::Genuine(..) => DocumentProof::Genuine,
        };
        let answer = self.judge_as(&contents.document, proof, &doubts)?;
        let answer = match (printed, answered) {
            (Some(_), Some(before)) if !contents.differing.is_empty() => answer.and(before.clone()),
            (Some(printed), None) if !contents.differing.is_empty() => {
                answer.and(self.judge(printed)?)
            }
            _ => answer,
        };
        Ok((contents, answer))
    }

    /// Returns what a chip says and proves, by the anchors that are installed, without looking
    /// anybody up.
    ///
    /// # Errors
    ///
    /// As of [`Session::judge_chip`].
    pub fn chip_contents(
        &mut self,
        files: &Files<'_>,
        printed: Option<&Document>,
    ) -> Result<Contents, DeviceError> {
        let anchors = match files.issuing_state().and_then(Country::of_issuing_state) {
            Some(country) => Anchors::of_country(country, &self.anchors()?),
            None => Anchors::new(),
        };
        let today = Date::from_days(self.time()?.upper.vietnam_day());
        Ok(contents::judge(files, printed, &anchors, today)?)
    }

    fn judge_as(
        &mut self,
        document: &Document,
        proof: DocumentProof,
        doubts: &[ChipDoubt],
    ) -> Result<Answer, DeviceError> {
        warn_of_line(self.observe_clock());
        let time = self.time()?;
        let answers = match self.lookup.ask(document, time, self.clock.boot(), &mut self.state) {
            Err(LookupError::NoSearchLeft) => {
                self.log(Event::PersonSearchRefused, 0)?;
                return Err(LookupError::NoSearchLeft.into());
            }
            answers => answers?,
        };
        warn_of_line(self.log_faults());
        if lookup::is_name_search(document) {
            self.log(Event::NameSearch, 0)?;
        }
        Ok(verdict::decide(&Facts {
            document,
            proof,
            doubts,
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
        let notice = answer.leading_basis().map(|basis| basis.notice);
        self.remember(sequence, RecentKind::of_verdict(answer.verdict), notice, None);
        Ok(sequence)
    }

    /// Appends the record of an outcome and returns its number.
    pub fn record_outcome(
        &mut self,
        document: &Document,
        conclusion: Conclusion,
    ) -> Result<u64, DeviceError> {
        self.append_outcome(&encounter::outcome(conclusion, document), conclusion)
    }

    fn append_outcome(&mut self, body: &Body, conclusion: Conclusion) -> Result<u64, DeviceError> {
        let sequence = self.append(Event::Outcome, body)?;
        let outcome = conclusion.outcome.number();
        let noted = self.state.note_outcome(conclusion.check, outcome);
        warn_of_line(noted);
        let notice = (conclusion.notice != 0).then_some(conclusion.notice);
        self.remember(sequence, RecentKind::Outcome, notice, Some(outcome));
        Ok(sequence)
    }

    /// Returns the newest match that has no outcome: the check's number, and the notice where the
    /// list still holds it.
    pub fn newest_unrecorded(&self) -> Result<Option<(u64, Notice)>, DeviceError> {
        let newest = self.state.newest_without_outcome(RecentKind::Match as u8)?;
        let (Some((check, notice)), Some(notices)) = (newest, self.lookup.notices()) else {
            return Ok(None);
        };
        Ok(notices.get(notice)?.map(|notice| (check, notice)))
    }

    /// Appends the outcome of an earlier match, of whose person nothing is left: whoever was met
    /// cannot be confirmed any more.
    pub fn record_earlier(
        &mut self,
        check: u64,
        notice: u64,
        outcome: Outcome,
        why: OutcomeWhy,
    ) -> Result<u64, DeviceError> {
        let outcome = match outcome {
            Outcome::Confirmed => Outcome::CouldNotTell,
            outcome => outcome,
        };
        let body = Body::Outcome { check, notice, outcome, why, person: None };
        self.append_outcome(&body, Conclusion { check, notice, outcome, why })
    }

    /// Closes a referral as settled on the spot; it keeps no name, like a clear check, but names the
    /// notice where there was one, so that wrong referrals can be counted.
    pub fn record_clarified(
        &mut self,
        document: &Document,
        answer: &Answer,
        check: u64,
    ) -> Result<u64, DeviceError> {
        let conclusion = Conclusion {
            check,
            notice: answer.leading_basis().map_or(0, |basis| basis.notice),
            outcome: Outcome::Clarified,
            why: OutcomeWhy::PersonAnswered,
        };
        self.record_outcome(document, conclusion)
    }

    /// Gives the whole notice for the second step, and notes in the log that it was opened.
    pub fn open_notice(&mut self, id: u64, reason: u32) -> Result<Option<Notice>, DeviceError> {
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
        self.observe_clock()?;
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
            let seen = Observation::of(&*self.clock);
            Ok(self.state.remember(&recent, self.queue.head()?, KEEP_RECENT_HOURS, seen)?)
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
    /// An installed snapshot could not be opened.
    ListDamaged = 14,
    /// A new queue was begun.
    QueueRestarted = 15,
    /// A search by name was refused.
    SearchRefused = 16,
}

impl RecentKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [RecentKind; 16] = [
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
        RecentKind::ListDamaged,
        RecentKind::QueueRestarted,
        RecentKind::SearchRefused,
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
            RecentKind::ListDamaged => "list-damaged",
            RecentKind::QueueRestarted => "queue-restarted",
            RecentKind::SearchRefused => "search-refused",
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
            Event::ListDamaged => RecentKind::ListDamaged,
            Event::QueueRestarted => RecentKind::QueueRestarted,
            Event::PersonSearchRefused => RecentKind::SearchRefused,
            _ => RecentKind::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use sync_format::v1::notice::Sex;
    use sync_format::v1::record::RecordHeader;

    use super::testing::{Enrolled, pin, right_pin};
    use super::*;
    use crate::checks::Verdict;
    use crate::clock::FixedClock;
    use crate::document::typed::{self, TypedEntry};
    use crate::matching::testing::{a_citizen, named, wanted};
    use crate::queue;
    use crate::snapshot::Signed;
    use crate::snapshot::testing::{
        Draft, NOW, citizen_row, notices_package, register_package, signed_withdrawal, version,
    };
    use crate::store::testing::{files, notices_delta, occasion};
    use crate::store::{Access, Kind};

    fn install(enrolled: &Enrolled, device: &mut Device, session: &mut Session, package: &[u8]) {
        let path = enrolled.package(package);
        device.install(session, &path, |_| Proceed::Continue).unwrap();
    }

    /// What the records are about, oldest first, and the numbers that the events carry.
    fn log(enrolled: &Enrolled, session: &Session) -> Vec<(Event, Option<u32>)> {
        let mut headers: Vec<RecordHeader> = session.queue().headers(1_000).unwrap();
        headers.reverse();
        let records = session.queue().records().unwrap();
        let details = records.iter().map(|record| {
            match queue::unseal(record, &enrolled.collect_secret).unwrap() {
                Body::Event { detail } => Some(detail),
                _ => None,
            }
        });
        headers.iter().map(|header| header.event).zip(details).collect()
    }

    fn typed_name() -> Document {
        let entry = TypedEntry {
            name: "nguyen van mau".into(),
            birth: "02031988".into(),
            ..TypedEntry::default()
        };
        typed::parse(&entry).unwrap()
    }

    fn state_connection(enrolled: &Enrolled, session: &Session) -> impl Fn(&str) {
        let (path, key) = (enrolled.file("state.db"), *session.unlocked.state_key.expose());
        move |sql| {
            let key = crate::keys::SecretKey::new(&key);
            let connection = store::open(&path, &key, Kind::State, Access::ReadWrite).unwrap();
            connection.execute_batch(sql).unwrap();
        }
    }

    /// Puts an earlier copy of the state database back, as who holds the device can.
    fn put_back(enrolled: &Enrolled, copy: &[u8]) {
        for file in ["state.db-wal", "state.db-shm"] {
            std::fs::remove_file(enrolled.file(file)).unwrap_or_default();
        }
        std::fs::write(enrolled.file("state.db"), copy).unwrap();
    }

    #[test]
    fn a_folder_without_a_vault_is_no_device() {
        let folder = tempfile::tempdir().unwrap();
        let key = Arc::new(crate::keys::SimulatedDeviceKey::numbered(1));
        let opened = Device::open(folder.path(), key, Arc::new(FixedClock::at(NOW))).map(drop);
        assert!(matches!(opened, Err(DeviceError::NotEnrolled)), "{opened:?}");
    }

    #[test]
    fn a_pin_that_costs_less_than_the_floor_opens_no_real_device() {
        let enrolled = Enrolled::new();
        let refused =
            Device::open(enrolled.folder.path(), enrolled.key.clone(), enrolled.clock.clone());
        assert!(matches!(refused.map(drop), Err(DeviceError::Unlock(UnlockError::Damaged(_)))));
    }

    #[test]
    fn the_label_is_for_reading_and_nothing_rests_on_it() {
        let enrolled = Enrolled::new();
        let device = enrolled.device();
        assert_eq!(device.label(), "07");
        std::fs::write(enrolled.file("label.txt"), "a\n\u{1b}[31mvery long label of a device")
            .unwrap();
        assert_eq!(device.label(), "a[31mvery long l");
        std::fs::remove_file(enrolled.file("label.txt")).unwrap();
        assert_eq!(device.label(), "");
        assert_eq!(enrolled.unlock().1.enrolment().label, "07");
    }

    #[test]
    fn installed_packages_answer_and_a_check_is_recorded() {
        let enrolled = Enrolled::new();
        let (mut device, mut session) = enrolled.unlock();
        let answer = session.judge(&a_citizen()).unwrap();
        assert_eq!(answer.verdict, Verdict::NotChecked, "nothing is installed");

        install(&enrolled, &mut device, &mut session, &notices_package(1, &[wanted()]));
        install(&enrolled, &mut device, &mut session, &register_package(1, &[citizen_row()]));
        let answer = session.judge(&a_citizen()).unwrap();
        assert_eq!(answer.verdict, Verdict::Match);
        let sequence =
            session.record_check(&a_citizen(), &answer, CheckReason::DocumentCheck).unwrap();
        assert_eq!(session.verify_queue().unwrap(), sequence);

        let newest = session.queue().headers(1).unwrap().remove(0);
        assert_eq!((newest.event, newest.hour), (Event::Check, NOW.hour()));
        assert_eq!(newest.notices, Some(version(1)));
        assert_eq!(newest.register, Some(version(1)));
        let line = session.recent(1).unwrap().remove(0);
        let expected = Recent {
            sequence,
            kind: RecentKind::Match as u8,
            hour: NOW.hour(),
            notice: Some(wanted().id),
            outcome: None,
        };
        assert_eq!(line, expected);
    }

    #[test]
    fn an_outcome_is_noted_at_its_check() {
        let enrolled = Enrolled::new();
        let (mut device, mut session) = enrolled.unlock();
        install(&enrolled, &mut device, &mut session, &notices_package(1, &[wanted()]));
        let answer = session.judge(&a_citizen()).unwrap();
        let check = session.record_check(&a_citizen(), &answer, CheckReason::Patrol).unwrap();
        let conclusion = Conclusion {
            check,
            notice: wanted().id,
            outcome: Outcome::NotThisPerson,
            why: OutcomeWhy::PhotoDiffers,
        };
        let sequence = session.record_outcome(&a_citizen(), conclusion).unwrap();
        let lines = session.recent(2).unwrap();
        let numbers: Vec<(u64, Option<u8>)> =
            lines.iter().map(|line| (line.sequence, line.outcome)).collect();
        let noted = Some(Outcome::NotThisPerson.number());
        assert_eq!(numbers, [(sequence, noted), (check, noted)]);

        let answer = session.judge(&a_citizen()).unwrap();
        let clarified = session.record_clarified(&a_citizen(), &answer, check).unwrap();
        let record = session.queue().records().unwrap().pop().unwrap();
        let body = queue::unseal(&record, &enrolled.collect_secret).unwrap();
        assert!(
            matches!(
                body,
                Body::Outcome { outcome: Outcome::Clarified, person: None, notice, .. }
                    if notice == wanted().id
            ),
            "{body:?}"
        );
        assert_eq!(session.verify_queue().unwrap(), clarified);
    }

    #[test]
    fn a_record_that_was_committed_is_saved_even_where_its_line_is_not() {
        let enrolled = Enrolled::new();
        let (_, mut session) = enrolled.unlock();
        state_connection(&enrolled, &session)("DROP TABLE recent");
        let answer = session.judge(&a_citizen()).unwrap();
        let before = session.queue().count().unwrap();
        let sequence = session.record_check(&a_citizen(), &answer, CheckReason::Patrol).unwrap();
        assert_eq!(sequence, before + 1);
        let conclusion = Conclusion {
            check: sequence,
            notice: 0,
            outcome: Outcome::CouldNotTell,
            why: OutcomeWhy::NoAnswer,
        };
        session.record_outcome(&a_citizen(), conclusion).unwrap();
        assert_eq!(session.verify_queue().unwrap(), before + 2);
    }

    #[test]
    fn unlocking_failed_tries_and_locking_are_logged() {
        let enrolled = Enrolled::new();
        let mut device = enrolled.device();
        for _ in 0..2 {
            let refused = device.unlock(&pin("730461")).map(drop);
            assert!(
                matches!(refused, Err(DeviceError::Unlock(UnlockError::Wrong { .. }))),
                "{refused:?}"
            );
        }
        assert_eq!(device.attempts().unwrap().failed, 2);
        let mut session = device.unlock(&right_pin()).unwrap();
        session.log_lock().unwrap();
        assert_eq!(
            log(&enrolled, &session),
            [(Event::UnlockFailed, Some(2)), (Event::Unlock, Some(0)), (Event::Lock, Some(0))]
        );
    }

    #[test]
    fn a_name_search_is_logged_before_it_is_answered() {
        let enrolled = Enrolled::new();
        let (mut device, mut session) = enrolled.unlock();
        install(&enrolled, &mut device, &mut session, &notices_package(1, &[wanted()]));
        let before = session.queue().count().unwrap();
        for _ in 0..15 {
            session.judge(&typed_name()).unwrap();
        }
        let refused = session.judge(&typed_name()).map(drop);
        assert!(
            matches!(refused, Err(DeviceError::Lookup(LookupError::NoSearchLeft))),
            "{refused:?}"
        );
        let logged = log(&enrolled, &session).split_off(before as usize);
        let mut expected = vec![(Event::NameSearch, Some(0)); 15];
        expected.push((Event::PersonSearchRefused, Some(0)));
        assert_eq!(logged, expected);
        // A search that cannot be logged is not answered.
        enrolled.clock.advance(std::time::Duration::from_secs(3_600));
        enrolled.key.fail_after(0);
        let refused = session.judge(&typed_name()).map(drop);
        assert!(matches!(refused, Err(DeviceError::Queue(QueueError::Sign(_)))), "{refused:?}");
        enrolled.key.recover();
        // A card is no search.
        session.judge(&a_citizen()).unwrap();
        assert_eq!(session.queue().count().unwrap(), before + 16);
    }

    #[test]
    fn a_notice_that_is_opened_is_logged_with_its_reason() {
        let enrolled = Enrolled::new();
        let (mut device, mut session) = enrolled.unlock();
        assert_eq!(session.open_notice(wanted().id, 3).unwrap(), None, "nothing is installed");
        install(&enrolled, &mut device, &mut session, &notices_package(1, &[wanted()]));
        let before = session.queue().count().unwrap() as usize;
        assert_eq!(session.open_notice(9, 3).unwrap(), None);
        assert_eq!(session.open_notice(wanted().id, 3).unwrap(), Some(wanted()));
        let logged = log(&enrolled, &session).split_off(before);
        assert_eq!(logged, [(Event::NoticeOpened, Some(3))]);
    }

    #[test]
    fn a_refused_package_changes_nothing_and_is_named() {
        let enrolled = Enrolled::new();
        let (mut device, mut session) = enrolled.unlock();
        install(&enrolled, &mut device, &mut session, &notices_package(2, &[wanted()]));
        let floor = session.unlocked.floor;
        let older = enrolled.package(&notices_package(1, &[]));
        let refused = device.install(&mut session, &older, |_| Proceed::Continue);
        assert!(
            matches!(
                refused,
                Err(DeviceError::Install(InstallError::Refused(Refusal::NotNewer { .. })))
            ),
            "{refused:?}"
        );
        let gone = device.install(&mut session, &enrolled.file("none"), |_| Proceed::Continue);
        assert!(
            matches!(gone, Err(DeviceError::Install(InstallError::Refused(Refusal::Io(_))))),
            "{gone:?}"
        );
        assert_eq!(session.unlocked.floor, floor);
        assert_eq!(session.judge(&a_citizen()).unwrap().verdict, Verdict::Match);
        assert_eq!(files(&enrolled.file("store")), ["notices-1-2.db"]);
    }

    #[test]
    fn an_installation_raises_the_floor_of_the_vault() {
        let enrolled = Enrolled::new();
        let (mut device, mut session) = enrolled.unlock();
        install(&enrolled, &mut device, &mut session, &notices_package(4, &[wanted()]));
        assert_eq!(session.unlocked.floor.notices, Some((1, 4)));
        assert_eq!(session.unlocked.floor.register, None);
        install(&enrolled, &mut device, &mut session, &register_package(7, &[citizen_row()]));
        drop(session);
        let floor = enrolled.unlock().1.unlocked.floor;
        assert_eq!((floor.notices, floor.register), (Some((1, 4)), Some((1, 7))));
    }

    #[test]
    fn an_earlier_copy_of_the_state_is_noticed() {
        let enrolled = Enrolled::new();
        let (mut device, mut session) = enrolled.unlock();
        install(&enrolled, &mut device, &mut session, &notices_package(1, &[wanted()]));
        drop((device, session));
        let copy = std::fs::read(enrolled.file("state.db")).unwrap();

        let (mut device, mut session) = enrolled.unlock();
        install(&enrolled, &mut device, &mut session, &notices_package(2, &[wanted()]));
        drop((device, session));
        let newest = std::fs::read(enrolled.file("state.db")).unwrap();
        put_back(&enrolled, &copy);
        let refused = enrolled.device().unlock(&right_pin()).map(drop);
        assert!(matches!(refused, Err(DeviceError::RolledBack)), "{refused:?}");

        put_back(&enrolled, &newest);
        assert_eq!(enrolled.unlock().1.lookup().notices().unwrap().manifest.version, version(2));
    }

    #[test]
    fn a_state_from_before_any_register_is_noticed_too() {
        let enrolled = Enrolled::new();
        drop(enrolled.unlock());
        let copy = std::fs::read(enrolled.file("state.db")).unwrap();
        let (mut device, mut session) = enrolled.unlock();
        install(&enrolled, &mut device, &mut session, &register_package(1, &[citizen_row()]));
        drop((device, session));
        put_back(&enrolled, &copy);
        let refused = enrolled.device().unlock(&right_pin()).map(drop);
        assert!(matches!(refused, Err(DeviceError::RolledBack)), "{refused:?}");
    }

    #[test]
    fn a_floor_that_power_kept_from_the_vault_is_raised_at_the_next_unlocking() {
        let enrolled = Enrolled::new();
        drop(enrolled.unlock());
        let copy = std::fs::read(enrolled.file("state.db")).unwrap();
        // The switch was made, and the power failed before the vault was written.
        let (_, mut session) = enrolled.unlock();
        let package = notices_package(3, &[wanted()]);
        let mut reader = std::io::Cursor::new(&package[..]);
        let signed = Signed::read(&mut reader).unwrap();
        let trust = session.trust().unwrap();
        let verified = snapshot::verify(signed, &trust, session.opener()).unwrap();
        let store = session.store_folder();
        let occasion = occasion(&enrolled.clock);
        install::install(&verified, reader, &store, &mut session.state, &occasion, |_| {
            Proceed::Continue
        })
        .unwrap();
        drop(session);

        let (device, mut session) = enrolled.unlock();
        assert_eq!(session.unlocked.floor.notices, Some((1, 3)));
        assert_eq!(session.judge(&a_citizen()).unwrap().verdict, Verdict::Match);
        drop((device, session));
        put_back(&enrolled, &copy);
        let refused = enrolled.device().unlock(&right_pin()).map(drop);
        assert!(matches!(refused, Err(DeviceError::RolledBack)), "{refused:?}");
    }

    #[test]
    fn a_stopped_installation_leaves_what_answered() {
        let enrolled = Enrolled::new();
        let (mut device, mut session) = enrolled.unlock();
        install(&enrolled, &mut device, &mut session, &notices_package(1, &[wanted()]));
        let path = enrolled.package(&notices_package(2, &[]));
        let path_of_two = enrolled.file("two.fcsnap");
        let mut draft = Draft::notices();
        draft.manifest.version = version(2);
        std::fs::write(&path_of_two, draft.encode()).unwrap();
        let stopped = device.install(&mut session, &path_of_two, |_| Proceed::Stop);
        assert!(matches!(stopped, Err(DeviceError::Install(InstallError::Stopped))), "{stopped:?}");
        assert_eq!(session.unlocked.floor.notices, Some((1, 1)));
        assert_eq!(session.judge(&a_citizen()).unwrap().verdict, Verdict::Match);
        device.install(&mut session, &path, |_| Proceed::Continue).unwrap();
        assert_eq!(session.judge(&a_citizen()).unwrap().verdict, Verdict::NotListed);
    }

    #[test]
    fn records_need_the_device_and_no_pin() {
        let enrolled = Enrolled::new();
        drop(enrolled.unlock());
        std::fs::remove_file(enrolled.file("vault.fck")).unwrap();
        std::fs::remove_file(enrolled.file("state.db")).unwrap();
        let key = queue_key(&*enrolled.key).unwrap();
        let head = crate::store::state::Head::default();
        let (queue, opened) = Queue::open(&enrolled.file("queue.db"), &key, head).unwrap();
        assert_eq!(opened, Opened::Whole);
        assert_eq!(queue.verify(&enrolled.key.public_key()).unwrap(), 1);
    }

    #[test]
    fn a_damaged_queue_is_moved_aside_and_the_officer_is_told() {
        let enrolled = Enrolled::new();
        drop(enrolled.unlock());
        let mut bytes = std::fs::read(enrolled.file("queue.db")).unwrap();
        bytes[200] ^= 1;
        std::fs::write(enrolled.file("queue.db"), &bytes).unwrap();
        let (_, session) = enrolled.unlock();
        let aside = enrolled.file("queue.db.damaged-1");
        assert_eq!(*session.queue_opened(), Opened::MovedAside(aside.clone()));
        assert_eq!(std::fs::read(aside).unwrap(), bytes);
        assert_eq!(session.verify_queue().unwrap(), 2, "the new beginning and the unlocking");
        let numbers: Vec<u64> =
            session.queue().headers(9).unwrap().iter().map(|header| header.sequence).collect();
        assert_eq!(numbers, [3, 2], "after number 1, which is in the damaged one");
    }

    #[test]
    fn a_damaged_list_is_said_and_the_same_package_mends_it() {
        let enrolled = Enrolled::new();
        let (mut device, mut session) = enrolled.unlock();
        let package = enrolled.file("notices.fcsnap");
        std::fs::write(&package, notices_package(1, &[wanted()])).unwrap();
        device.install(&mut session, &package, |_| Proceed::Continue).unwrap();
        assert_eq!(session.judge(&a_citizen()).unwrap().verdict, Verdict::Match);
        drop(session);
        let list = enrolled.file("store/notices-1-1.db");
        let mut bytes = std::fs::read(&list).unwrap();
        bytes[300] ^= 1;
        std::fs::write(&list, bytes).unwrap();

        let (mut device, mut session) = enrolled.unlock();
        assert_eq!(session.lookup().faults(), [Dataset::Notices]);
        assert_eq!(session.judge(&a_citizen()).unwrap().verdict, Verdict::NotChecked);
        let newest = session.recent(2).unwrap();
        let told = newest.iter().any(|line| line.kind == RecentKind::ListDamaged as u8);
        assert!(told, "{newest:?}");
        device.install(&mut session, &package, |_| Proceed::Continue).unwrap();
        assert_eq!(session.judge(&a_citizen()).unwrap().verdict, Verdict::Match);
        let again = device.install(&mut session, &package, |_| Proceed::Continue);
        assert!(
            matches!(
                again,
                Err(DeviceError::Install(InstallError::Refused(Refusal::NotNewer { .. })))
            ),
            "{again:?}"
        );
    }

    #[test]
    fn a_list_whose_record_cannot_be_kept_is_in_use_and_said_to_be() {
        let enrolled = Enrolled::new();
        let (mut device, mut session) = enrolled.unlock();
        let key = queue_key(&*enrolled.key).unwrap();
        let queue = enrolled.file("queue.db");
        let beside =
            crate::store::open(&queue, &key, crate::store::Kind::Queue, Access::ReadWrite).unwrap();
        beside
            .execute_batch(
                "CREATE TRIGGER broken BEFORE INSERT ON record
                 BEGIN SELECT RAISE(ABORT, 'broken'); END;",
            )
            .unwrap();
        let path = enrolled.package(&notices_package(3, &[wanted()]));
        let installed = device.install(&mut session, &path, |_| Proceed::Continue);
        assert!(
            matches!(&installed, Err(DeviceError::InUse(why))
                if matches!(**why, DeviceError::Queue(_))),
            "{installed:?}"
        );
        assert_eq!(session.judge(&a_citizen()).unwrap().verdict, Verdict::Match);
        let floor = session.unlocked.floor.notices;
        assert_eq!(floor, Some((1, 3)), "the vault knows of it");
    }

    #[test]
    fn a_list_that_is_damaged_inside_is_found_when_it_is_asked() {
        let enrolled = Enrolled::new();
        let (mut device, mut session) = enrolled.unlock();
        install(&enrolled, &mut device, &mut session, &notices_package(1, &[wanted()]));
        drop(session);
        let list = enrolled.file("store/notices-1-1.db");
        let mut bytes = std::fs::read(&list).unwrap();
        for page in bytes.chunks_mut(4_096).skip(1) {
            page[100] ^= 1;
        }
        std::fs::write(&list, bytes).unwrap();

        let (mut device, mut session) = enrolled.unlock();
        let before = session.queue().count().unwrap() as usize;
        for _ in 0..2 {
            assert_eq!(session.judge(&a_citizen()).unwrap().verdict, Verdict::NotChecked);
        }
        assert_eq!(session.lookup().faults(), [Dataset::Notices]);
        let logged = log(&enrolled, &session).split_off(before);
        assert_eq!(logged, [(Event::ListDamaged, Some(1))], "once");
        install(&enrolled, &mut device, &mut session, &notices_package(1, &[wanted()]));
        assert_eq!(session.judge(&a_citizen()).unwrap().verdict, Verdict::Match);
    }

    #[test]
    fn a_device_without_its_state_does_not_open() {
        let enrolled = Enrolled::new();
        std::fs::remove_file(enrolled.file("state.db")).unwrap();
        let refused = enrolled.device().unlock(&right_pin()).map(drop);
        assert!(
            matches!(refused, Err(DeviceError::Store(StoreError::Missing("state")))),
            "{refused:?}"
        );
        assert!(!enrolled.file("state.db").exists());
    }

    #[test]
    fn enrolling_twice_changes_nothing() {
        let enrolled = Enrolled::new();
        let enrolment = enrolled.unlock().1.enrolment().clone();
        let again = enrol(
            enrolled.folder.path(),
            &*enrolled.key,
            &*enrolled.clock,
            &Enrolment { unit: 9, ..enrolment.clone() },
            &pin("730461"),
            ArgonCost::smallest_for_tests(),
        );
        assert!(matches!(again, Err(DeviceError::Vault(VaultError::AlreadyExists))), "{again:?}");
        assert_eq!(*enrolled.unlock().1.enrolment(), enrolment);
    }

    #[test]
    fn a_clock_behind_a_signed_time_is_suspect() {
        let enrolled = Enrolled::new();
        let (mut device, mut session) = enrolled.unlock();
        install(&enrolled, &mut device, &mut session, &notices_package(1, &[]));
        assert!(!session.time().unwrap().is_suspect());
        enrolled.clock.set(NOW.plus_seconds(-24 * 3_600));
        let time = session.time().unwrap();
        assert!(time.is_suspect());
        assert_eq!(time.upper, NOW.plus_seconds(-3 * 3_600), "when the snapshot was made");
        assert!(time.upper > enrolled.clock.real_time());
    }

    #[test]
    fn each_kind_of_line_has_its_number() {
        for kind in RecentKind::ALL {
            assert_eq!(RecentKind::from_number(kind as u8), Some(kind));
        }
        assert_eq!(RecentKind::from_number(0), None);
        assert_eq!(RecentKind::from_number(17), None);
    }

    /// Installs a list of one notice, and changes to it that withdraw another.
    fn install_with_changes(enrolled: &Enrolled, device: &mut Device, session: &mut Session) {
        install(enrolled, device, session, &notices_package(1, &[wanted()]));
        let full = session.state.active(Dataset::Notices).unwrap().unwrap();
        let added = Notice { id: 9_000, numbers: Vec::new(), ..named("Lê Văn Thêm") };
        std::fs::write(enrolled.file("delta"), notices_delta(&full, 2, &[added], &[])).unwrap();
        device.install(session, &enrolled.file("delta"), |_| Proceed::Continue).unwrap();
    }

    #[test]
    fn lost_changes_make_every_answer_stricter_until_the_same_changes_are_installed_again() {
        let enrolled = Enrolled::new();
        let (mut device, mut session) = enrolled.unlock();
        install_with_changes(&enrolled, &mut device, &mut session);
        let somebody = typed_name_of("tran thi la");
        let verdict =
            |session: &mut Session, document: &Document| session.judge(document).unwrap().verdict;
        assert_eq!(verdict(&mut session, &a_citizen()), Verdict::Match);
        assert_eq!(verdict(&mut session, &somebody), Verdict::NotListed);
        drop((device, session));
        std::fs::remove_file(enrolled.file("store/notices-changes-1-2.db")).unwrap();

        let (mut device, mut session) = enrolled.unlock();
        assert_eq!(session.lookup().lost_changes(), [Dataset::Notices]);
        assert_eq!(verdict(&mut session, &a_citizen()), Verdict::Refer);
        assert_eq!(verdict(&mut session, &somebody), Verdict::NotChecked);
        let logged = log(&enrolled, &session);
        assert!(logged.contains(&(Event::ListDamaged, Some(101))), "{logged:?}");
        // Nothing older helps: neither the full list nor other changes up to the floor.
        let full = enrolled.package(&notices_package(1, &[wanted()]));
        let refused = device.install(&mut session, &full, |_| Proceed::Continue);
        assert_eq!(install_code(refused), "not-newer");
        let base = session.state.active(Dataset::Notices).unwrap().unwrap();
        let other = enrolled.package(&notices_delta(&base, 2, &[wanted()], &[]));
        let refused = device.install(&mut session, &other, |_| Proceed::Continue);
        assert_eq!(install_code(refused), "not-newer");
        assert_eq!(verdict(&mut session, &a_citizen()), Verdict::Refer);

        device.install(&mut session, &enrolled.file("delta"), |_| Proceed::Continue).unwrap();
        assert_eq!(verdict(&mut session, &a_citizen()), Verdict::Match);
        assert_eq!(verdict(&mut session, &somebody), Verdict::NotListed);
    }

    fn install_code(outcome: Result<Dataset, DeviceError>) -> &'static str {
        match outcome {
            Err(DeviceError::Install(error)) => error.code(),
            other => panic!("{other:?}"),
        }
    }

    fn typed_name_of(name: &str) -> Document {
        let entry = TypedEntry {
            name: name.into(),
            birth: "17091992".into(),
            sex: Some(Sex::Female),
            ..TypedEntry::default()
        };
        typed::parse(&entry).unwrap()
    }

    #[test]
    fn a_full_list_that_is_damaged_is_mended_by_the_same_package_and_keeps_its_changes() {
        let enrolled = Enrolled::new();
        let (mut device, mut session) = enrolled.unlock();
        install_with_changes(&enrolled, &mut device, &mut session);
        drop((device, session));
        std::fs::remove_file(enrolled.file("store/notices-1-1.db")).unwrap();

        let (mut device, mut session) = enrolled.unlock();
        assert_eq!(session.lookup().faults(), [Dataset::Notices]);
        assert_eq!(session.judge(&a_citizen()).unwrap().verdict, Verdict::NotChecked);
        // Another list of that age would bring back what the changes withdrew.
        let older = enrolled.package(&notices_package(1, &[]));
        let refused = device.install(&mut session, &older, |_| Proceed::Continue);
        assert_eq!(install_code(refused), "not-newer");
        install(&enrolled, &mut device, &mut session, &notices_package(1, &[wanted()]));
        assert_eq!(session.lookup().notices().unwrap().manifest.version, version(2));
        assert_eq!(session.judge(&a_citizen()).unwrap().verdict, Verdict::Match);
        assert_eq!(session.unlocked.floor.notices, Some((1, 2)), "not lowered");
    }

    #[test]
    fn a_notice_is_withdrawn_at_once_and_for_good() {
        let enrolled = Enrolled::new();
        let (mut device, mut session) = enrolled.unlock();
        let withdrawal = Withdrawal {
            purpose: sync_format::v1::package::Purpose::Demo,
            version: version(1),
            made: NOW.0,
            notices: vec![3, wanted().id],
        };
        let signed = signed_withdrawal(&withdrawal);
        let refused = session.withdraw(&signed);
        let no_root = matches!(refused, Err(DeviceError::Withdrawal(WithdrawalRefusal::NoRoot)));
        assert!(no_root, "{refused:?}");

        install(&enrolled, &mut device, &mut session, &notices_package(1, &[wanted()]));
        assert_eq!(session.judge(&a_citizen()).unwrap().verdict, Verdict::Match);
        assert_eq!(session.withdraw(&signed).unwrap(), Withdrew { named: 2, new: 2 });
        assert_eq!(session.judge(&a_citizen()).unwrap().verdict, Verdict::NotListed);
        assert_eq!(session.withdraw(&signed).unwrap(), Withdrew { named: 2, new: 0 });
        let logged = log(&enrolled, &session);
        let told = logged.iter().filter(|(event, _)| *event == Event::Withdrawn);
        assert_eq!(told.collect::<Vec<_>>(), [&(Event::Withdrawn, Some(2))], "once");
        drop((device, session));

        let (mut device, mut session) = enrolled.unlock();
        assert_eq!(session.judge(&a_citizen()).unwrap().verdict, Verdict::NotListed);
        install(&enrolled, &mut device, &mut session, &notices_package(2, &[wanted()]));
        assert_eq!(session.judge(&a_citizen()).unwrap().verdict, Verdict::Match);
        session.withdraw(&signed).unwrap();
        let again = session.judge(&a_citizen()).unwrap().verdict;
        assert_eq!(again, Verdict::Match, "the list of today was made after it");
    }

    #[test]
    fn a_changed_row_is_found_and_the_list_answers_no_more_until_it_is_mended() {
        let enrolled = Enrolled::new();
        let (mut device, mut session) = enrolled.unlock();
        install_with_changes(&enrolled, &mut device, &mut session);
        let verified = session.verify_store(Dataset::Notices, |_| Proceed::Continue).unwrap();
        let expected = VerifiedStore { base_rows: 1, overlay_rows: 1, chunks: 2 };
        assert_eq!(verified, expected);
        let stopped = session.verify_store(Dataset::Notices, |_| Proceed::Stop);
        assert!(matches!(stopped, Err(DeviceError::Fault(StoreFault::Stopped))), "{stopped:?}");
        let nothing = session.verify_store(Dataset::Register, |_| Proceed::Continue);
        let not_installed = matches!(nothing, Err(DeviceError::Fault(StoreFault::NotInstalled)));
        assert!(not_installed, "{nothing:?}");
        let full = session.state.active(Dataset::Notices).unwrap().unwrap();
        drop((device, session));
        let path = enrolled.file("store/notices-1-1.db");
        let connection = store::open(&path, &full.key, Kind::Notices, Access::ReadWrite).unwrap();
        connection.execute_batch("DELETE FROM notice_number").unwrap();
        drop(connection);

        let (device, mut session) = enrolled.unlock();
        let fault = session.verify_store(Dataset::Notices, |_| Proceed::Continue);
        assert!(matches!(fault, Err(DeviceError::Fault(StoreFault::Chunk { chunk: 0, .. }))));
        assert_eq!(session.judge(&a_citizen()).unwrap().verdict, Verdict::NotChecked);
        drop((device, session));
        let (mut again, mut session) = enrolled.unlock();
        assert_eq!(session.judge(&a_citizen()).unwrap().verdict, Verdict::NotChecked);
        install(&enrolled, &mut again, &mut session, &notices_package(1, &[wanted()]));
        assert_eq!(session.judge(&a_citizen()).unwrap().verdict, Verdict::Match);
        session.verify_store(Dataset::Notices, |_| Proceed::Continue).unwrap();
    }

    #[test]
    fn the_history_tells_who_loaded_what_and_what_became_of_it() {
        let enrolled = Enrolled::new();
        let (mut device, mut session) = enrolled.unlock();
        let path = enrolled.package(&notices_package(1, &[wanted()]));
        let by = InstallOptions { by: "No. 4071, and more than twelve digits 99999".into() };
        let mut load = |session: &mut Session, path: &Path, proceed| {
            device.install_with(session, path, &by, |_| proceed).is_ok()
        };
        assert!(!load(&mut session, &path, Proceed::Stop));
        let unfinished = session.unfinished().unwrap();
        assert_eq!(unfinished.len(), 1);
        assert_eq!((unfinished[0].dataset, unfinished[0].version), (Dataset::Notices, version(1)));
        assert!(load(&mut session, &path, Proceed::Continue));
        assert!(!load(&mut session, &path, Proceed::Continue));
        std::fs::write(&path, b"no package at all").unwrap();
        assert!(!load(&mut session, &path, Proceed::Continue));
        assert_eq!(session.unfinished().unwrap(), []);

        let lines = session.loads(10).unwrap();
        let outcomes: Vec<&str> = lines.iter().map(|line| line.outcome.as_str()).collect();
        assert_eq!(outcomes, ["not-a-package", "not-newer", "installed", "stopped"]);
        for line in &lines {
            assert_eq!((line.by.as_str(), line.source.as_str()), ("407199999", "package.fcsnap"));
        }
        assert_eq!((lines[0].dataset, lines[0].bytes), (None, 17));
        assert_eq!(
            (lines[2].dataset, lines[2].version),
            (Some(Dataset::Notices), Some(version(1)))
        );
    }

    #[test]
    fn a_device_proves_what_it_has_installed() {
        let enrolled = Enrolled::new();
        let (mut device, mut session) = enrolled.unlock();
        assert_eq!(session.proof_line(Dataset::Notices).unwrap(), None);
        install_with_changes(&enrolled, &mut device, &mut session);
        let line = session.proof_line(Dataset::Notices).unwrap().unwrap();
        let proven = proof::verify(&line, &session.sign_public()).unwrap();
        assert_eq!((proven.version, proven.hour), (version(2), NOW.hour()));
        assert_eq!(proven.device, session.enrolment().device);
        let newest = session.state.overlay(Dataset::Notices).unwrap().unwrap();
        assert_eq!(proven.manifest, sha256(&newest.manifest));
    }

    #[test]
    fn time_goes_on_with_the_boot_and_a_clock_that_is_set_is_logged_once() {
        let enrolled = Enrolled::new();
        let (mut device, mut session) = enrolled.unlock();
        install(&enrolled, &mut device, &mut session, &notices_package(1, &[wanted()]));
        let signed = NOW.plus_seconds(-3 * 3_600);
        enrolled.clock.advance(std::time::Duration::from_secs(7_200));
        assert_eq!(session.time().unwrap().lower, signed.plus_seconds(7_200));
        session.log_lock().unwrap();
        drop((device, session));
        enrolled.clock.reboot();
        let (_, mut session) = enrolled.unlock();
        assert_eq!(session.time().unwrap().lower, signed.plus_seconds(7_200), "kept at the lock");

        let steps = |session: &Session| -> Vec<Option<u32>> {
            let logged = log(&enrolled, session);
            let steps = logged.iter().filter(|(event, _)| *event == Event::ClockStep);
            steps.map(|(_, detail)| *detail).collect()
        };
        assert_eq!(steps(&session), []);
        enrolled.clock.set(NOW.plus_seconds(-48 * 3_600));
        for _ in 0..3 {
            session.judge(&a_citizen()).unwrap();
        }
        assert_eq!(steps(&session), [Some(50)], "once");
        assert!(session.time().unwrap().is_suspect());
        enrolled.clock.set(NOW.plus_seconds(7_200));
        session.judge(&a_citizen()).unwrap();
        assert_eq!(steps(&session), [Some(50), Some(50)], "and that it was set right");
        assert!(!session.time().unwrap().is_suspect());
    }
}
