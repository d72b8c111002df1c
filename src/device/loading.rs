//! Loading a list while the device is in use: what a package would change, and work that takes long
//! enough to need a thread of its own.
//!
//! A [`LoadJob`] and a [`ReadAgainJob`] have their own connection to the state database, so that the
//! session answers checks meanwhile; only what follows the switch ([`Device::take_up`]) needs the
//! session, and takes milliseconds. A job holds keys: whoever locks the device stops it and waits for
//! its end.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::sync::Arc;

use sync_format::codec::{self, Kind};
use sync_format::v1::message::Withdrawal;
use sync_format::v1::notice::Category;
use sync_format::v1::package::{Dataset, Root, SnapshotVersion};
use sync_format::v1::record::Event;

use super::{Device, DeviceError, InstallOptions, Places, Session, state_floor, warn_of_line};
use crate::clock::{Clock, DeviceTime};
use crate::keys::SecretKey;
use crate::lookup::Lookup;
use crate::snapshot::release;
use crate::snapshot::withdrawal::{self, WithdrawalRefusal};
use crate::snapshot::{self, Opener, Refusal, Signed, Snapshot, Trust, Verified};
use crate::store::install::{self, Occasion, Proceed, Progress, Replaces};
use crate::store::state::State;
use crate::store::verify::{self, StoreFault, VerifiedStore};
use crate::store::{StoreError, state::Enrolment};

/// A package beside what is installed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It can be loaded.
    Newer,
    /// It is what is installed.
    Same,
    /// It is older than what is installed.
    Older,
}

/// What a package says of itself, verified but for its rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Examined {
    /// What it carries.
    pub dataset: Dataset,
    /// Its version.
    pub version: SnapshotVersion,
    /// The version of the full list that it changes; `None` for a full list.
    pub base: Option<u64>,
    /// When it was made.
    pub created: DeviceTime,
    /// When it runs out.
    pub expires: DeviceTime,
    /// Rows for this unit.
    pub rows: u64,
    /// Regions for this unit; empty means the whole country.
    pub regions: Vec<u16>,
    /// Notices by category.
    pub counts: Vec<(Category, u32)>,
    /// As many notices it withdraws.
    pub withdrawn: usize,
    /// Beside what is installed.
    pub standing: Standing,
}

/// A withdrawal that was verified and not applied yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfferedWithdrawal {
    /// What it says.
    pub withdrawal: Withdrawal,
    /// As many of its notices are on this device.
    pub here: usize,
}

impl Session {
    /// Verifies everything of a package but its rows, and returns what loading it would bring.
    ///
    /// An older package is no refusal here: it is looked at to say what it is.
    pub fn examine(&self, file: File) -> Result<Examined, DeviceError> {
        let mut reader = BufReader::new(file);
        let trust = self.trust()?;
        let strict = Signed::read(&mut reader)
            .and_then(|signed| snapshot::verify(signed, &trust, self.opener()));
        let (verified, standing) = match strict {
            Ok(verified) => (verified, Standing::Newer),
            Err(Refusal::NotNewer { offered, installed }) => {
                let standing = if offered == installed { Standing::Same } else { Standing::Older };
                (self.verify_older(reader, trust)?, standing)
            }
            Err(refusal) => return Err(refusal.into()),
        };
        let Snapshot { manifest, inner, .. } = verified.snapshot();
        Ok(Examined {
            dataset: manifest.dataset,
            version: manifest.version,
            base: manifest.base.map(|base| base.version),
            created: DeviceTime(manifest.created),
            expires: DeviceTime(manifest.expires),
            rows: inner.rows,
            regions: inner.regions.clone(),
            counts: inner.counts.clone(),
            withdrawn: inner.withdrawn.len(),
            standing,
        })
    }

    /// Verifies a package as if nothing were installed. What comes of it is shown, never installed.
    fn verify_older(
        &self,
        mut reader: BufReader<File>,
        mut trust: Trust,
    ) -> Result<Verified<Snapshot>, DeviceError> {
        trust.notices.floor = None;
        trust.register.floor = None;
        trust.anchors.floor = None;
        reader.rewind().map_err(Refusal::Io)?;
        let signed = Signed::read(&mut reader)?;
        Ok(snapshot::verify(signed, &trust, self.opener())?)
    }

    /// Returns the work of loading a package, to be done on another thread.
    pub fn load_job(&self, options: &InstallOptions) -> Result<LoadJob, DeviceError> {
        let damaged = |dataset| {
            self.lookup.faults().contains(&dataset) || self.lookup.lost_changes().contains(&dataset)
        };
        Ok(LoadJob {
            places: self.places.clone(),
            clock: Arc::clone(&self.clock),
            state_key: SecretKey::new(self.unlocked.state_key.expose()),
            trust: self.trust()?,
            enrolment: self.enrolment.clone(),
            by: options.service_number(),
            damaged: Dataset::ALL.iter().copied().filter(|dataset| damaged(*dataset)).collect(),
        })
    }

    /// Returns the work of reading again what is installed, to be done on another thread.
    pub fn read_again_job(&self) -> ReadAgainJob {
        ReadAgainJob {
            places: self.places.clone(),
            state_key: SecretKey::new(self.unlocked.state_key.expose()),
        }
    }

    /// Takes in what reading again has found: what is not what was signed answers no more.
    pub fn take_in(
        &mut self,
        dataset: Dataset,
        read: &Result<VerifiedStore, StoreFault>,
    ) -> Result<(), DeviceError> {
        match read {
            Ok(_) => self.log(Event::ListVerified, u32::from(dataset.number())).map(|_| ()),
            Err(fault) => {
                if let Some(part) = fault.changed_part() {
                    self.state.distrust(dataset, part)?;
                    self.lookup = Lookup::open(&self.places.store(), &self.state)?;
                    self.log_faults()?;
                }
                Ok(())
            }
        }
    }

    /// Verifies an emergency withdrawal, and returns what applying it would do.
    pub fn examine_withdrawal(&self, signed: &[u8]) -> Result<OfferedWithdrawal, DeviceError> {
        let root = self.root()?.ok_or(WithdrawalRefusal::NoRoot)?;
        let withdrawal = withdrawal::verify(signed, &root, self.enrolment.purpose, self.time()?)?;
        let mut here = 0;
        if let Some(notices) = self.lookup.notices() {
            for id in &withdrawal.notices {
                here += usize::from(notices.get(*id)?.is_some());
            }
        }
        Ok(OfferedWithdrawal { withdrawal, here })
    }

    /// Returns the name of a program newer than this one, where `signed` is its release, verified.
    pub fn newer_program(&self, signed: &[u8]) -> Option<String> {
        let root = self.root().ok()??;
        let verified =
            release::verify(signed, &root, self.enrolment.purpose, self.time().ok()?).ok()?;
        verified.is_newer().then(|| verified.release().label.clone())
    }

    /// Returns the root document that the device trusts, `None` before the first package.
    fn root(&self) -> Result<Option<Root>, DeviceError> {
        let trusted = self.state.trusted_root()?;
        if trusted.bytes.is_empty() {
            return Ok(None);
        }
        let root = codec::decode(Kind::Root, &trusted.bytes);
        Ok(Some(root.map_err(|_| StoreError::DamagedRow("state"))?))
    }
}

/// Loading one package, beside the session that made it.
pub struct LoadJob {
    places: Places,
    clock: Arc<dyn Clock>,
    state_key: SecretKey,
    trust: Trust,
    enrolment: Enrolment,
    by: String,
    damaged: Vec<Dataset>,
}

impl LoadJob {
    /// Verifies the package in `file` and makes it the list that answers; the history keeps who
    /// loaded it, and what became of it. `name` is the file's, without its folder.
    ///
    /// The session answers with the list before until [`Device::take_up`].
    pub fn run(
        self,
        file: File,
        name: &str,
        progress: impl FnMut(Progress) -> Proceed,
    ) -> Result<Dataset, DeviceError> {
        let clock = Arc::clone(&self.clock);
        let mut state = State::open(&self.places.state(), &self.state_key)?;
        let mut occasion = Occasion {
            clock: &*clock,
            now: self.trust.time.upper,
            by: &self.by,
            source: name,
            bytes: file.metadata().map_err(Refusal::Io)?.len(),
            replaces: Replaces::Older,
        };
        let began = clock.boot();
        let mut snapshot = None;
        let mut reader = BufReader::new(file);
        let installed =
            self.install(&mut reader, &mut state, &mut occasion, &mut snapshot, progress);
        if let Err(error) = &installed {
            let code = match error {
                DeviceError::Install(error) => error.code(),
                _ => "store",
            };
            let seconds = clock.boot().since_moment(began).unwrap_or_default().as_secs();
            warn_of_line(state.note_load(&occasion.line(snapshot.as_ref(), code, seconds)));
        }
        installed
    }

    fn install(
        &self,
        mut reader: impl Read + Seek,
        state: &mut State,
        occasion: &mut Occasion<'_>,
        verified_as: &mut Option<Snapshot>,
        progress: impl FnMut(Progress) -> Proceed,
    ) -> Result<Dataset, DeviceError> {
        let signed = Signed::read(&mut reader)?;
        let opener = Opener::Device(&self.enrolment.seal_secret);
        let verified = snapshot::verify(signed, &self.trust, opener)?;
        *verified_as = Some(verified.snapshot().clone());
        let dataset = verified.snapshot().manifest.dataset;
        if self.damaged.contains(&dataset) {
            occasion.replaces = Replaces::Damaged;
        }
        install::install(&verified, reader, &self.places.store(), state, occasion, progress)?;
        Ok(dataset)
    }
}

impl Device {
    /// Makes a session answer with the list that a [`LoadJob`] has made active, notes it in the log,
    /// and raises the floor in the vault.
    pub fn take_up(&mut self, session: &mut Session, dataset: Dataset) -> Result<(), DeviceError> {
        // From here on the new snapshot is the one that answers, whatever else fails.
        session.lookup = Lookup::open(&self.places.store(), &session.state)?;
        session.faults_logged = session.lookup.faults().len();
        session.lost_logged = session.lookup.lost_changes();
        // A record that cannot be kept must not leave the vault behind.
        let logged = session.log(Event::Install, u32::from(dataset.number())).map(drop);
        let floor = state_floor(&session.state)?;
        self.vault.raise_floor(&mut session.unlocked, floor, &*self.key)?;
        logged
    }
}

/// Reading everything installed again, beside the session that made it.
pub struct ReadAgainJob {
    places: Places,
    state_key: SecretKey,
}

impl ReadAgainJob {
    /// Verifies what is installed of `dataset`, row by row; [`Session::take_in`] takes in what came of
    /// it.
    pub fn run(
        &self,
        dataset: Dataset,
        progress: impl FnMut(Progress) -> Proceed,
    ) -> Result<VerifiedStore, StoreFault> {
        let state = State::open(&self.places.state(), &self.state_key)?;
        verify::verify(&state, &self.places.store(), dataset, progress)
    }
}
