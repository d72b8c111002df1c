//! Turns a verified package into an encrypted database that answers.
//!
//! The new database is built aside under a new random key; the old one answers meanwhile. What has
//! been reached is a row of the state database ([`Stage`]), and the chunks that are in stand in the
//! new database itself, written in the transaction of their rows: after a cut, a stop or a stick that
//! was pulled, the same package goes on where it stood. Only when the database is written to the disk
//! and probed does one transaction make it the one that answers, raise the floor, and keep root, time
//! and history.
//!
//! Changes (a package with a base) are built in the same way into a small file of their own, which is
//! laid over the full list: the list below stays bit for bit what was signed.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _};
use sync_format::v1::package::{Dataset, InnerManifest, SnapshotVersion, sha256};

use super::anchors::Anchors;
use super::notices::{Entries, Notices};
use super::register::Register;
use super::room::Room;
use super::state::{Active, Installation, Load, Part, State, Switch};
use super::{Access, Kind, StoreError, companions};
use crate::clock::{Clock, DeviceTime};
use crate::keys::SecretKey;
use crate::snapshot::{Refusal, Rows, Snapshot, Verified};

/// Why a package was not installed; what was installed before goes on answering.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The package is not what was signed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database could not be written.
    #[error("the snapshot could not be written")]
    Store(#[from] StoreError),
    /// The new database does not answer what it should.
    #[error("the new database did not pass its probe: {0}")]
    Probe(&'static str),
    /// The officer stopped it; the same package goes on from here.
    #[error("the installation was stopped")]
    Stopped,
    /// The system gave no random bytes for a key.
    #[error("the system gave no random bytes")]
    NoRandomness,
}

impl InstallError {
    /// Returns a short name for the history, screens and tests.
    pub fn code(&self) -> &'static str {
        match self {
            InstallError::Refused(refusal) => refusal.code(),
            InstallError::Store(StoreError::NoRoom { .. }) => "no-room",
            InstallError::Store(StoreError::Full) => "disk-full",
            InstallError::Store(StoreError::Busy) => "busy",
            InstallError::Store(StoreError::Overtaken) => "overtaken",
            InstallError::Store(_) => "store",
            InstallError::Probe(_) => "probe",
            InstallError::Stopped => "stopped",
            InstallError::NoRandomness => "no-randomness",
        }
    }

    /// Whether what was built so far is kept, to go on from.
    ///
    /// A stick that was pulled is no fault of the package, nor is another program that holds the state;
    /// a damaged package is, and a full disk needs its space back.
    fn keeps_what_was_built(&self) -> bool {
        matches!(
            self,
            InstallError::Stopped
                | InstallError::Refused(Refusal::Io(_))
                | InstallError::Store(StoreError::Busy)
        )
    }
}

/// How far an installation is. Each is kept in the state database when it is reached.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stage {
    /// Signatures, versions and space hold; chunks are being read, each checked before its rows go
    /// in.
    Staged = 1,
    /// Every chunk was what was signed, and nothing follows the last.
    Verified = 2,
    /// The database is complete and written to the disk.
    Built = 3,
    /// It gave the answers that it must.
    Probed = 4,
    /// It answers.
    Active = 5,
}

impl Stage {
    /// All stages, in their order.
    pub const ALL: [Stage; 5] =
        [Stage::Staged, Stage::Verified, Stage::Built, Stage::Probed, Stage::Active];

    /// Returns the stage with this number.
    pub fn from_number(number: u8) -> Option<Stage> {
        Stage::ALL.into_iter().find(|stage| *stage as u8 == number)
    }

    /// Returns the name used by the command line, screens and tests.
    pub fn code(self) -> &'static str {
        match self {
            Stage::Staged => "staged",
            Stage::Verified => "verified",
            Stage::Built => "built",
            Stage::Probed => "probed",
            Stage::Active => "active",
        }
    }
}

/// How far an installation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// The stage that was reached.
    pub stage: Stage,
    /// Rows written so far.
    pub rows: u64,
    /// Rows in the package.
    pub of_rows: u64,
    /// Bytes of chunks read so far, those of an earlier run included.
    pub bytes: u64,
    /// Bytes of chunks in the package.
    pub of_bytes: u64,
}

/// Whether to go on; asked after each chunk and each stage before the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proceed {
    /// Goes on.
    Continue,
    /// Stops. What answers is left as it was, what was built is kept.
    Stop,
}

/// What a new snapshot may take the place of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replaces {
    /// An older one.
    Older,
    /// An older one, or the very same, whose file is damaged.
    Damaged,
}

/// When a package is installed, from where and by whom.
pub struct Occasion<'a> {
    /// The device's clock.
    pub clock: &'a dyn Clock,
    /// The upper bound of the time.
    pub now: DeviceTime,
    /// Service number of who loads it; may be empty.
    pub by: &'a str,
    /// Name of the package's file, without its folder.
    pub source: &'a str,
    /// Length of the package.
    pub bytes: u64,
    /// What it may take the place of.
    pub replaces: Replaces,
}

impl Occasion<'_> {
    /// Returns the line of the history about `snapshot`, as of now.
    pub fn line(&self, snapshot: Option<&Snapshot>, outcome: &str, seconds: u64) -> Load {
        let manifest = snapshot.map(|snapshot| &snapshot.manifest);
        Load {
            at: self.now,
            dataset: manifest.map(|manifest| manifest.dataset),
            version: manifest.map(|manifest| manifest.version),
            base: manifest.and_then(|manifest| manifest.base).map(|base| base.version),
            by: self.by.to_owned(),
            source: self.source.to_owned(),
            outcome: outcome.to_owned(),
            bytes: self.bytes,
            seconds: u32::try_from(seconds).unwrap_or(u32::MAX),
        }
    }
}

/// Chunks are committed in groups of so many. Chosen: rows are appended in order, so that the journal of
/// a commit is a few pages, and what waits for the commit is 7 MB of the register. The whole takes 1.1
/// times the processor time of bare inserts (`./dev bench snapshot`).
const CHUNKS_A_COMMIT: usize = 4;

/// Page cache of a build, KiB: what waits for a commit, so that no page is written twice.
const BUILD_CACHE_KIB: u32 = 32_768;

/// Installs a verified snapshot, whose chunks `reader` stands at, into the folder `store`.
///
/// Returns what answers now. The caller raises the floor in the vault afterwards: the state
/// database's own floor is raised here, in the transaction that switches.
pub fn install(
    verified: &Verified<Snapshot>,
    reader: impl Read + Seek,
    store: &Path,
    state: &mut State,
    occasion: &Occasion<'_>,
    progress: impl FnMut(Progress) -> Proceed,
) -> Result<Active, InstallError> {
    let snapshot = verified.snapshot();
    let dataset = snapshot.manifest.dataset;
    let began = occasion.clock.boot();
    std::fs::create_dir_all(store).map_err(StoreError::from)?;
    let _lock = lock(store)?;
    let part = part_of(snapshot);
    may_be_installed(snapshot, part, state, occasion.replaces)?;
    let package = package_id(snapshot);
    sweep(store, state, Some((dataset, &package)))?;
    let mut build = Build { verified, part, store, state, package, progress, at: None };
    let built = build.run(reader, occasion);
    let Build { mut progress, at, .. } = build;
    let installation = match built {
        Ok(installation) => installation,
        Err(error) => {
            if !error.keeps_what_was_built() {
                discard(store, state, dataset);
            }
            return Err(error);
        }
    };
    let active = Active {
        version: snapshot.manifest.version,
        file: installation.file,
        key: installation.key,
        manifest: snapshot.manifest_bytes().to_vec(),
        inner: snapshot.inner_bytes().to_vec(),
        freshness: snapshot.freshness,
        chip_required: snapshot.chip_required,
        installed_at: occasion.now,
        is_changed: false,
    };
    let boot = occasion.clock.boot();
    let seconds = boot.since_moment(began).unwrap_or_default().as_secs();
    let before = state.switch(&Switch {
        dataset,
        part,
        next: &active,
        root: &snapshot.root,
        signed_at: DeviceTime(snapshot.manifest.created),
        boot,
        load: &occasion.line(Some(snapshot), "installed", seconds),
    });
    let before = match before {
        Ok(before) => before,
        Err(error) => {
            discard(store, state, dataset);
            return Err(error.into());
        }
    };
    for file in before.iter().filter(|file| **file != active.file) {
        // Its key went with the row that named it; the file itself is best removed, but need not be.
        remove(&store.join(file));
    }
    // Nothing can be stopped any more.
    let _ = at.map(|at| progress(Progress { stage: Stage::Active, ..at }));
    Ok(active)
}

/// Removes what an installation of `dataset` that was cut has built, to give its space back.
pub fn discard_unfinished(
    store: &Path,
    state: &mut State,
    dataset: Dataset,
) -> Result<(), StoreError> {
    let _lock = lock(store)?;
    discard(store, state, dataset);
    Ok(())
}

fn part_of(snapshot: &Snapshot) -> Part {
    if snapshot.manifest.base.is_some() { Part::Overlay } else { Part::Full }
}

fn kind_of(dataset: Dataset, part: Part) -> Kind {
    match (dataset, part) {
        (Dataset::Register, Part::Full) => Kind::Register,
        (Dataset::Register, Part::Overlay) => Kind::RegisterOverlay,
        (Dataset::Notices, Part::Full) => Kind::Notices,
        (Dataset::Notices, Part::Overlay) => Kind::NoticesOverlay,
        // Anchors have no changes: a manifest that names a base was refused.
        (Dataset::Anchors, Part::Full | Part::Overlay) => Kind::Anchors,
    }
}

/// Looks again at what was verified, now that nobody else installs: another program may have been
/// first, and a version that is no newer must be the very one whose file is damaged.
fn may_be_installed(
    snapshot: &Snapshot,
    part: Part,
    state: &State,
    replaces: Replaces,
) -> Result<(), InstallError> {
    let (dataset, version) = (snapshot.manifest.dataset, snapshot.manifest.version);
    if let Some(base) = snapshot.manifest.base {
        let full = state.active(dataset)?;
        if full.is_none_or(|full| sha256(&full.manifest) != base.manifest) {
            return Err(StoreError::Overtaken.into());
        }
    }
    let Some(installed) = state.floor(dataset)?.filter(|floor| version <= *floor) else {
        return Ok(());
    };
    let standing = state.part(dataset, part)?;
    let is_same = standing.is_some_and(|it| it.manifest == snapshot.manifest_bytes());
    match replaces {
        Replaces::Damaged if is_same => Ok(()),
        Replaces::Damaged => Err(Refusal::NotNewer { offered: version, installed }.into()),
        Replaces::Older => Err(StoreError::Overtaken.into()),
    }
}

/// Returns what tells a package from every other, as far as it is built here: what was signed, and
/// the part of it that this unit may read.
fn package_id(snapshot: &Snapshot) -> [u8; 32] {
    let (outer, inner) = (sha256(snapshot.manifest_bytes()), sha256(snapshot.inner_bytes()));
    sha256(&[outer, inner].concat())
}

/// One run of building a database, from its beginning or from where an earlier run was cut.
struct Build<'a, P> {
    verified: &'a Verified<Snapshot>,
    part: Part,
    store: &'a Path,
    state: &'a mut State,
    package: [u8; 32],
    progress: P,
    at: Option<Progress>,
}

impl<P: FnMut(Progress) -> Proceed> Build<'_, P> {
    /// Returns the installation, whose database is probed and answers nothing yet.
    fn run(
        &mut self,
        reader: impl Read + Seek,
        occasion: &Occasion<'_>,
    ) -> Result<Installation, InstallError> {
        let (dataset, kind) = (self.dataset(), kind_of(self.dataset(), self.part));
        let (mut installation, connection) = self.begin(kind, occasion)?;
        let path = self.store.join(&installation.file);
        let mut entries = None;
        if installation.stage < Stage::Verified {
            entries = Some(self.read_chunks(&connection, reader)?);
            self.reach(&mut installation, Stage::Verified)?;
        }
        if installation.stage < Stage::Built {
            self.complete(&connection, entries)?;
            drop(connection);
            let file = File::open(&path).map_err(StoreError::from)?;
            file.sync_all().map_err(StoreError::from)?;
            super::sync_folder(self.store)?;
            self.reach(&mut installation, Stage::Built)?;
        } else {
            drop(connection);
        }
        if installation.stage < Stage::Probed {
            probe(&path, &installation.key, dataset, self.part, self.inner())?;
            self.reach(&mut installation, Stage::Probed)?;
        }
        Ok(installation)
    }

    fn dataset(&self) -> Dataset {
        self.verified.snapshot().manifest.dataset
    }

    fn inner(&self) -> &InnerManifest {
        &self.verified.snapshot().inner
    }

    /// Opens the database of the run that was cut, or makes a new one, and looks whether the rest
    /// fits.
    fn begin(
        &mut self,
        kind: Kind,
        occasion: &Occasion<'_>,
    ) -> Result<(Installation, Connection), InstallError> {
        let dataset = self.dataset();
        let cut = self.state.installation(dataset)?.filter(|it| it.package == self.package);
        if let Some(installation) = cut {
            let path = self.store.join(&installation.file);
            if let Ok(connection) = open_build(&path, &installation.key, kind, Access::ReadWrite) {
                let written = path.metadata().map_err(StoreError::from)?.len();
                if installation.stage < Stage::Built {
                    Room::of(self.store, dataset, self.inner(), written)?.require()?;
                }
                if installation.stage < Stage::Verified {
                    count_chunks(&connection)?;
                }
                self.at = Some(self.progress_of(&connection, installation.stage)?);
                return Ok((installation, connection));
            }
            // What power left of it cannot be opened.
            discard(self.store, self.state, dataset);
        }
        self.make_room(dataset)?;
        let version = self.verified.snapshot().manifest.version;
        let installation = Installation {
            part: self.part,
            stage: Stage::Staged,
            package: self.package,
            version,
            file: self.free_name(kind, version)?,
            key: SecretKey::random().map_err(|_| InstallError::NoRandomness)?,
            began: occasion.now,
        };
        // The row is first: what it names is never left behind.
        self.state.begin_installation(dataset, &installation)?;
        let path = self.store.join(&installation.file);
        remove(&path);
        let connection = open_build(&path, &installation.key, kind, Access::Create)?;
        count_chunks(&connection)?;
        self.at = Some(self.progress_of(&connection, Stage::Staged)?);
        Ok((installation, connection))
    }

    /// Refuses what does not fit, after it has given up what another dataset has half built.
    fn make_room(&mut self, dataset: Dataset) -> Result<(), StoreError> {
        if !Room::of(self.store, dataset, self.inner(), 0)?.is_enough() {
            for other in Dataset::ALL {
                discard(self.store, self.state, *other);
            }
        }
        Room::of(self.store, dataset, self.inner(), 0)?.require()
    }

    /// Returns a name for the file that no list which answers has: one whose file is damaged answers
    /// nothing and is still named.
    fn free_name(&self, kind: Kind, version: SnapshotVersion) -> Result<String, StoreError> {
        let word = match kind {
            Kind::Register => "register",
            Kind::RegisterOverlay => "register-changes",
            Kind::NoticesOverlay => "notices-changes",
            Kind::Anchors => "anchors",
            _ => "notices",
        };
        let name = format!("{word}-{}-{}.db", version.epoch, version.version);
        let standing = self.state.part(self.dataset(), self.part)?;
        let is_taken = standing.is_some_and(|standing| standing.file == name);
        Ok(if is_taken {
            format!("{word}-{}-{}b.db", version.epoch, version.version)
        } else {
            name
        })
    }

    /// Returns how far the database is.
    fn progress_of(&self, connection: &Connection, stage: Stage) -> Result<Progress, StoreError> {
        let lens = self.lens();
        let of_rows = self.inner().rows;
        let of_bytes = lens.iter().sum();
        let done = if stage >= Stage::Verified { lens.len() } else { chunks_done(connection)? };
        let chunks = self.inner().chunks.iter();
        Ok(Progress {
            stage,
            rows: chunks.take(done).map(|chunk| u64::from(chunk.rows)).sum(),
            of_rows,
            bytes: lens.iter().take(done).sum(),
            of_bytes,
        })
    }

    /// Returns the lengths of the chunks in the file.
    fn lens(&self) -> Vec<u64> {
        (0..self.verified.chunk_count()).map(|at| self.verified.chunk_len(at)).collect()
    }

    /// Reads the chunks that are not in yet, and commits them in groups. Returns what notices are to
    /// be found by.
    fn read_chunks(
        &mut self,
        connection: &Connection,
        mut reader: impl Read + Seek,
    ) -> Result<Entries, InstallError> {
        let lens = self.lens();
        let done = chunks_done(connection)?;
        let mut entries = match self.dataset() {
            Dataset::Notices if done > 0 => Entries::of_stored(connection)?,
            _ => Entries::default(),
        };
        self.tell()?;
        let skipped: u64 = lens.iter().take(done).sum();
        let skipped = i64::try_from(skipped).map_err(|_| StoreError::DamagedRow("state"))?;
        reader.seek_relative(skipped).map_err(Refusal::Io)?;
        execute(connection, "BEGIN")?;
        let read = self.read_from(connection, &mut reader, done, &lens, &mut entries);
        // What was read until the stick was pulled is kept.
        if read.as_ref().err().is_none_or(InstallError::keeps_what_was_built) {
            execute(connection, "COMMIT")?;
        }
        read?;
        self.verified.expect_end(&mut reader)?;
        Ok(entries)
    }

    /// Writes what follows from the rows, and takes away the count of chunks: both in one
    /// transaction, so that it is done once.
    fn complete(
        &self,
        connection: &Connection,
        entries: Option<Entries>,
    ) -> Result<(), StoreError> {
        execute(connection, "BEGIN")?;
        if counts_chunks(connection)? {
            if self.dataset() == Dataset::Notices {
                let entries = match entries {
                    Some(entries) => entries,
                    None => Entries::of_stored(connection)?,
                };
                entries.write(connection)?;
                if self.part == Part::Overlay {
                    super::notices::replace(connection, &self.inner().withdrawn)?;
                }
            }
            execute(connection, "DROP TABLE progress")?;
        }
        execute(connection, "COMMIT; PRAGMA journal_mode = DELETE")
    }

    fn read_from(
        &mut self,
        connection: &Connection,
        reader: &mut impl Read,
        done: usize,
        lens: &[u64],
        entries: &mut Entries,
    ) -> Result<(), InstallError> {
        for (position, len) in lens.iter().enumerate().skip(done) {
            match self.verified.read_rows(position, reader)? {
                Rows::Notices(rows) => super::notices::insert(connection, &rows, entries)?,
                Rows::Register(rows) => super::register::insert(connection, &rows)?,
                Rows::Anchors(rows) => super::anchors::insert(connection, &rows)?,
            }
            connection
                .prepare_cached("UPDATE progress SET chunks = ?")
                .and_then(|mut statement| statement.execute([position as i64 + 1]))
                .map_err(StoreError::from)?;
            if (position + 1) % CHUNKS_A_COMMIT == 0 {
                execute(connection, "COMMIT; BEGIN")?;
            }
            let rows = self.inner().chunks.get(position).map_or(0, |chunk| u64::from(chunk.rows));
            if let Some(at) = &mut self.at {
                at.rows += rows;
                at.bytes += len;
            }
            self.tell()?;
        }
        Ok(())
    }

    /// Keeps that a stage was reached, and tells.
    fn reach(&mut self, installation: &mut Installation, stage: Stage) -> Result<(), InstallError> {
        self.state.reach(self.dataset(), stage)?;
        installation.stage = stage;
        if let Some(at) = &mut self.at {
            at.stage = stage;
        }
        self.tell()
    }

    /// Tells how far it is, and asks whether to go on.
    fn tell(&mut self) -> Result<(), InstallError> {
        match self.at.map(|at| (self.progress)(at)) {
            Some(Proceed::Stop) => Err(InstallError::Stopped),
            _ => Ok(()),
        }
    }
}

fn execute(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    Ok(connection.execute_batch(sql)?)
}

/// Opens a database that is being built.
///
/// The journal makes each commit whole whatever power does; rows are appended in order, so that it
/// costs a few pages a commit.
fn open_build(
    path: &Path,
    key: &SecretKey,
    kind: Kind,
    access: Access,
) -> Result<Connection, StoreError> {
    let connection = super::open(path, key, kind, access)?;
    execute(
        &connection,
        &format!(
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = TRUNCATE;
             PRAGMA synchronous = FULL; PRAGMA cache_size = -{BUILD_CACHE_KIB};"
        ),
    )?;
    #[cfg(test)]
    testing::limit(&connection)?;
    Ok(connection)
}

/// Begins to count the chunks that are in, or goes on.
fn count_chunks(connection: &Connection) -> Result<(), StoreError> {
    execute(
        connection,
        "BEGIN;
         CREATE TABLE IF NOT EXISTS progress (one INTEGER PRIMARY KEY, chunks INTEGER NOT NULL);
         INSERT OR IGNORE INTO progress VALUES (1, 0);
         COMMIT;",
    )
}

/// Whether a database still counts its chunks: one that is complete does not.
fn counts_chunks(connection: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE name = 'progress'";
    Ok(connection.query_row(sql, [], |_| Ok(())).optional()?.is_some())
}

fn chunks_done(connection: &Connection) -> Result<usize, StoreError> {
    let done: i64 = connection.query_row("SELECT chunks FROM progress", [], |row| row.get(0))?;
    usize::try_from(done).map_err(|_| StoreError::DamagedRow("snapshot"))
}

/// Opens the new database as the device will, and asks it what the inner manifest promised.
fn probe(
    path: &Path,
    key: &SecretKey,
    dataset: Dataset,
    part: Part,
    inner: &InnerManifest,
) -> Result<(), InstallError> {
    let ends = inner.chunks.iter().flat_map(|chunk| [chunk.first, chunk.last]);
    let missing = InstallError::Probe("a row is missing");
    let count = match dataset {
        Dataset::Register => {
            let register = match part {
                Part::Full => Register::open(path, key)?,
                Part::Overlay => Register::open_overlay(path, key)?,
            };
            for number in ends {
                if register.find_stored(number)?.is_none() {
                    return Err(missing);
                }
            }
            register.count()?
        }
        Dataset::Anchors => {
            let anchors = Anchors::open(path, key)?;
            for id in ends {
                if anchors.rows(id, id, 1)?.is_empty() {
                    return Err(missing);
                }
            }
            anchors.count()?
        }
        Dataset::Notices => {
            let notices = match part {
                Part::Full => Notices::open(path, key)?,
                Part::Overlay => Notices::open_overlay(path, key)?,
            };
            for id in ends {
                if notices.get(id)?.is_none() {
                    return Err(missing);
                }
            }
            notices.count()?
        }
    };
    if count == inner.rows { Ok(()) } else { Err(InstallError::Probe("the rows differ")) }
}

/// Keeps two programs from installing at once, since each would sweep away what the other builds.
///
/// The lock goes with the file that is returned, or with the process.
fn lock(store: &Path) -> Result<File, StoreError> {
    let mut path = store.as_os_str().to_owned();
    path.push(".lock");
    let file = File::options().write(true).create(true).truncate(false).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Busy),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Removes files in the folder that nothing points to, and what was begun of another package of the
/// dataset that is now installed.
fn sweep(
    store: &Path,
    state: &mut State,
    installs: Option<(Dataset, &[u8; 32])>,
) -> Result<(), StoreError> {
    let mut held = Vec::new();
    for dataset in Dataset::ALL.iter().copied() {
        for part in [Part::Full, Part::Overlay] {
            held.extend(state.part(dataset, part)?.map(|active| active.file));
        }
        let Some(begun) = state.installation(dataset)? else { continue };
        if installs.is_some_and(|(other, package)| other == dataset && begun.package != *package) {
            discard(store, state, dataset);
        } else {
            held.push(begun.file);
        }
    }
    let held: Vec<PathBuf> = held.iter().map(|file| store.join(file)).collect();
    for entry in std::fs::read_dir(store)? {
        let path = entry?.path();
        let is_held = held.iter().any(|file| *file == path || companions(file).contains(&path));
        if !is_held {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Removes what was begun of a dataset: the file first, since a row without a file is begun anew, and
/// a file without a row is swept.
fn discard(store: &Path, state: &mut State, dataset: Dataset) {
    let begun = state.installation(dataset).ok().flatten();
    if let Some(begun) = begun {
        remove(&store.join(begun.file));
    }
    if let Err(error) = state.forget_installation(dataset) {
        tracing::warn!(%error, "an installation that was given up is still noted");
    }
}

/// Removes a database and what SQLite keeps beside it; what stays is swept at the next installation.
fn remove(path: &Path) {
    for path in companions(path).iter().map(PathBuf::as_path).chain([path]) {
        std::fs::remove_file(path).unwrap_or_default();
    }
}

/// A disk that is full after so many pages, for the tests: the limit is the database's own.
#[cfg(test)]
mod testing {
    use std::cell::Cell;

    use rusqlite::Connection;

    use crate::store::StoreError;

    thread_local! {
        pub(super) static MOST_PAGES: Cell<Option<u32>> = const { Cell::new(None) };
    }

    pub(super) fn limit(connection: &Connection) -> Result<(), StoreError> {
        if let Some(pages) = MOST_PAGES.get() {
            connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sync_format::v1::notice::{Notice, NumberKind};
    use sync_format::v1::register::{RegisterRow, Status};

    use super::*;
    use crate::clock::FixedClock;
    use crate::keys::SecretKey;
    use crate::matching::testing::{HIS_NUMBER, birth, day, named, number, wanted};
    use crate::snapshot::Trust;
    use crate::snapshot::testing::{
        Draft, NOW, anchors_package, citizen_row, notices_package, open, register_package,
        some_anchors, tag_key, version,
    };
    use crate::store::testing::{
        Store, base_of, dump, key, notices_delta, notices_in_chunks, occasion, register_delta,
        tables,
    };
    use crate::store::verify::verify;

    /// The notices that answer.
    fn notices(store: &Store) -> Notices {
        let active = store.state.active(Dataset::Notices).unwrap().expect("notices");
        Notices::open(&store.path().join(&active.file), &active.key).unwrap()
    }

    #[track_caller]
    fn assert_answers(store: &Store, expected: u64) {
        let active = store.state.active(Dataset::Notices).unwrap().expect("notices");
        assert_eq!(active.version, version(expected));
        assert_eq!(notices(store).get(wanted().id).unwrap(), Some(wanted()));
    }

    #[test]
    fn a_package_of_each_dataset_answers_when_it_is_installed() {
        let mut store = Store::new();
        let installed = store.install(&notices_package(3, &[wanted()])).unwrap();
        assert_eq!((installed.version, installed.installed_at), (version(3), NOW));
        assert_answers(&store, 3);
        let found = notices(&store).find([HIS_NUMBER], []).unwrap().notices;
        assert_eq!(found, [wanted()]);

        let installed = store.install(&register_package(5, &[citizen_row()])).unwrap();
        let register = Register::open(&store.path().join(&installed.file), &installed.key).unwrap();
        let found = register.find(48_088_999_901).unwrap();
        assert_eq!(found, Some(citizen_row()));
        assert_eq!(register.find(48_088_999_902).unwrap(), None);

        let installed = store.install(&anchors_package(2, &some_anchors())).unwrap();
        let anchors = Anchors::open(&store.path().join(&installed.file), &installed.key).unwrap();
        assert_eq!(anchors.all().unwrap(), some_anchors());
        assert_eq!(store.files(), ["anchors-1-2.db", "notices-1-3.db", "register-1-5.db"]);
    }

    #[test]
    fn each_file_has_a_key_of_its_own_that_stands_in_the_state_alone() {
        let mut store = Store::new();
        let first = store.install(&notices_package(1, &[wanted()])).unwrap();
        let register = store.install(&register_package(1, &[citizen_row()])).unwrap();
        let second = store.install(&notices_package(2, &[wanted()])).unwrap();
        let path = store.path().join(&second.file);
        for other in [first.key, register.key, key(), SecretKey::new(&[0; 32])] {
            let refused = Notices::open(&path, &other).map(drop);
            assert!(matches!(refused, Err(StoreError::Unreadable("notices"))), "{refused:?}");
        }
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(32).any(|window| window == second.key.expose()));
        let state = std::fs::read(store.folder.path().join("state.db")).unwrap();
        assert!(!state.windows(32).any(|window| window == second.key.expose()));
    }

    #[test]
    fn nothing_of_a_notice_stands_in_the_file_in_the_clear() {
        let mut store = Store::new();
        let installed = store.install(&notices_package(1, &[wanted()])).unwrap();
        let bytes = std::fs::read(store.path().join(&installed.file)).unwrap();
        for text in [HIS_NUMBER, "Nguy", "NGUYEN VAN MAU", "notice_number", "SQLite format"] {
            assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_database_holds_what_its_questions_need_and_no_more() {
        let mut store = Store::new();
        let person = Notice {
            aliases: vec!["Mẫu Đen".into()],
            marks: "hình xăm".into(),
            numbers: vec![
                number(NumberKind::Personal, HIS_NUMBER),
                number(NumberKind::Cancelled, HIS_NUMBER),
            ],
            ..wanted()
        };
        let notices = store.install(&notices_package(1, &[person])).unwrap();
        let register = store.install(&register_package(1, &[citizen_row()])).unwrap();
        let connect = |active: &Active, kind| {
            let path = store.path().join(&active.file);
            crate::store::open(&path, &active.key, kind, Access::Read).unwrap()
        };

        let connection = connect(&notices, Kind::Notices);
        assert_eq!(tables(&connection), ["notice", "notice_name", "notice_number"]);
        let mut statement = connection.prepare("SELECT name, birth FROM notice_name").unwrap();
        let names: Vec<(String, u32)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let expected =
            [("MAU DEN".to_owned(), 19_880_302), ("NGUYEN VAN MAU".to_owned(), 19_880_302)];
        assert_eq!(names, expected);
        let numbers: u32 = connection
            .query_row("SELECT count(*) FROM notice_number", [], |row| row.get(0))
            .unwrap();
        assert_eq!(numbers, 1, "the same digits twice are asked for once");

        // The register names nobody: no text of the source is in it, and no date.
        let connection = connect(&register, Kind::Register);
        let held = dump(&connection);
        for text in ["NGUYEN", "VAN", "MAU", "Nguy", "1988", "2022"] {
            assert!(!held.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
        }
        let columns: Vec<String> = {
            let mut statement =
                connection.prepare("SELECT name FROM pragma_table_info('register')").unwrap();
            let names = statement.query_map([], |row| row.get(0)).unwrap();
            names.collect::<Result<_, _>>().unwrap()
        };
        assert_eq!(columns, ["number", "tags"]);
    }

    #[test]
    fn no_page_of_an_unlocked_devices_register_holds_a_name_or_a_date() {
        let families = ["NGUYEN", "TRAN", "LE", "PHAM", "HOANG", "PHAN", "VU", "DANG"];
        let people: Vec<(u64, String, (u16, u8, u8))> = (0..400_u64)
            .map(|at| {
                let family = families[at as usize % families.len()];
                let name = format!("{family} THI VIEN MAU {}", "XYZ".repeat(1 + at as usize % 5));
                let birth = (1950 + (at % 50) as u16, 1 + (at % 12) as u8, 1 + (at % 28) as u8);
                (48_000_000_000 + at * 7, name, birth)
            })
            .collect();
        let rows: Vec<RegisterRow> = people
            .iter()
            .map(|(number, name, born)| {
                let issued = day("2022-05-10");
                let born = Some(birth(*born));
                tag_key().seal_row(*number, Some(name), born, Some(issued), Status::Valid)
            })
            .collect();
        let mut store = Store::new();
        let full = store.install(&register_package(1, &rows)).unwrap();
        let changes = store.install(&register_delta(&full, 2, &rows[..100])).unwrap();

        // Every page of both, and of the state, as whoever holds the keys can write them out.
        let mut pages = Vec::new();
        for (file, key, kind) in [
            (store.path().join(&full.file), &full.key, Kind::Register),
            (store.path().join(&changes.file), &changes.key, Kind::RegisterOverlay),
            (store.folder.path().join("state.db"), &key(), Kind::State),
        ] {
            let plain = store.folder.path().join("plain.db");
            std::fs::write(&plain, b"").unwrap();
            let connection = crate::store::open(&file, key, kind, Access::ReadWrite).unwrap();
            connection
                .execute("ATTACH DATABASE ? AS plain KEY ''", [plain.to_str().unwrap()])
                .unwrap();
            connection.query_row("SELECT sqlcipher_export('plain')", [], |_| Ok(())).unwrap();
            connection.execute_batch("DETACH DATABASE plain").unwrap();
            let bytes = std::fs::read(&plain).unwrap();
            assert_eq!(&bytes[..15], b"SQLite format 3", "{kind:?} is in the clear now");
            pages.extend(bytes);
            std::fs::remove_file(plain).unwrap();
        }
        assert!(pages.len() > 20_000);
        let holds = |text: &str| pages.windows(text.len()).any(|at| at == text.as_bytes());
        assert!(holds("CREATE TABLE register"), "what is there is found");
        for text in families.into_iter().filter(|family| family.len() > 3) {
            assert!(!holds(text), "{text}");
        }
        for text in ["THI VIEN", "VIEN MAU", "XYZ", "1950-", "2022-05-10", "20220510", "19500101"] {
            assert!(!holds(text), "{text}");
        }
        for (_, name, _) in people.iter().step_by(37) {
            assert!(!holds(name) && !holds(&name.to_lowercase()));
        }
    }

    #[test]
    fn the_file_before_is_removed_and_the_other_dataset_stays() {
        let mut store = Store::new();
        store.install(&register_package(1, &[citizen_row()])).unwrap();
        store.install(&notices_package(1, &[wanted()])).unwrap();
        store.install(&notices_package(2, &[wanted()])).unwrap();
        assert_eq!(store.files(), ["notices-1-2.db", "register-1-1.db"]);
        assert_answers(&store, 2);
    }

    #[test]
    fn progress_tells_each_stage_and_the_rows_and_bytes_of_each_chunk() {
        let package = notices_in_chunks(1, 1..=5);
        let mut store = Store::new();
        let mut seen = Vec::new();
        store
            .install_telling(&package, &store.trust(), |progress| {
                seen.push(progress);
                Proceed::Continue
            })
            .unwrap();
        let rows: Vec<(Stage, u64)> = seen.iter().map(|it| (it.stage, it.rows)).collect();
        let staged = (0..=5).map(|rows| (Stage::Staged, rows));
        let later = Stage::ALL[1..].iter().map(|stage| (*stage, 5));
        assert_eq!(rows, staged.chain(later).collect::<Vec<_>>());
        assert!(seen.is_sorted_by_key(|it| it.bytes));
        let last = seen.last().unwrap();
        assert_eq!((last.of_rows, last.bytes), (5, last.of_bytes));
        assert_eq!(notices(&store).count().unwrap(), 5);
    }

    /// Installs `package`, and stops when it is asked for the n-th time.
    fn stop_at(store: &mut Store, package: &[u8], at: usize) -> Result<Active, InstallError> {
        let mut asked = 0;
        store.install_telling(package, &store.trust(), |_| {
            asked += 1;
            if asked > at { Proceed::Stop } else { Proceed::Continue }
        })
    }

    #[test]
    fn stopping_anywhere_leaves_what_answers_and_the_same_package_goes_on_from_there() {
        // Asked at the beginning, after each of nine chunks and at three stages.
        for stop in 0..13 {
            let mut store = Store::new();
            store.install(&notices_package(1, &[wanted()])).unwrap();
            let package = notices_in_chunks(2, 1..=9);
            let stopped = stop_at(&mut store, &package, stop);
            assert!(matches!(stopped, Err(InstallError::Stopped)), "{stop}: {stopped:?}");
            assert_eq!(store.files(), ["notices-1-1.db", "notices-1-2.db"]);
            assert_eq!(store.state.floor(Dataset::Notices).unwrap(), Some(version(1)));
            assert_answers(&store, 1);

            let mut first = None;
            store
                .install_telling(&package, &store.trust(), |progress| {
                    first.get_or_insert(progress);
                    Proceed::Continue
                })
                .unwrap();
            let first = first.unwrap();
            assert_eq!(
                first.rows,
                (stop as u64).min(9),
                "the rows that were in are not read again"
            );
            assert_eq!(store.files(), ["notices-1-2.db"]);
            assert!(store.state.installation(Dataset::Notices).unwrap().is_none());
            let notices = notices(&store);
            assert_eq!(notices.count().unwrap(), 9);
            assert_eq!(notices.find([HIS_NUMBER], []).unwrap().notices.len(), 9);
            drop(notices);
            verify(&store.state, &store.path(), Dataset::Notices, |_| Proceed::Continue).unwrap();
        }
    }

    #[test]
    fn a_stick_that_is_pulled_costs_nothing_that_was_read() {
        /// A file that cannot be read beyond a point.
        struct Pulled(std::io::Cursor<Vec<u8>>, u64);
        impl Read for Pulled {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                if self.0.position() + buffer.len() as u64 > self.1 {
                    return Err(std::io::ErrorKind::NotConnected.into());
                }
                self.0.read(buffer)
            }
        }
        impl Seek for Pulled {
            fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
                self.0.seek(to)
            }
        }
        let mut store = Store::new();
        let package = notices_in_chunks(1, 1..=9);
        let (verified, rest) = open(&package, &store.trust()).unwrap();
        let readable = (0..6).map(|at| verified.chunk_len(at)).sum();
        let pulled = Pulled(std::io::Cursor::new(rest.to_vec()), readable);
        let (path, clock) = (store.path(), FixedClock::at(NOW));
        let cut = install(&verified, pulled, &path, &mut store.state, &occasion(&clock), |_| {
            Proceed::Continue
        });
        assert!(matches!(cut, Err(InstallError::Refused(Refusal::Io(_)))), "{cut:?}");
        let mut first = None;
        store
            .install_telling(&package, &store.trust(), |progress| {
                first.get_or_insert(progress.rows);
                Proceed::Continue
            })
            .unwrap();
        assert_eq!(first, Some(6));
        assert_eq!(notices(&store).count().unwrap(), 9);
    }

    #[test]
    fn a_power_cut_after_any_stage_goes_on_from_it() {
        // What power leaves is what a stop leaves, without the commit of the last chunks.
        for reached in [Stage::Staged, Stage::Verified, Stage::Built, Stage::Probed] {
            let mut store = Store::new();
            let package = notices_in_chunks(1, 1..=9);
            let stopped = store.install_telling(&package, &store.trust(), |progress| {
                if progress.stage == reached && progress.rows > 6 {
                    Proceed::Stop
                } else {
                    Proceed::Continue
                }
            });
            assert!(matches!(stopped, Err(InstallError::Stopped)), "{stopped:?}");
            let cut = store.state.installation(Dataset::Notices).unwrap().unwrap();
            assert_eq!(cut.stage, reached);
            store.install(&package).unwrap();
            assert_eq!(notices(&store).count().unwrap(), 9);
        }
    }

    #[test]
    fn what_power_left_unreadable_is_begun_anew() {
        let mut store = Store::new();
        let package = notices_in_chunks(1, 1..=9);
        for bytes in [&b""[..], b"half a page", &[7; 9_000]] {
            stop_at(&mut store, &package, 5).unwrap_err();
            std::fs::write(store.path().join("notices-1-1.db"), bytes).unwrap();
        }
        std::fs::remove_file(store.path().join("notices-1-1.db")).unwrap();
        store.install(&package).unwrap();
        assert_eq!(notices(&store).count().unwrap(), 9);
    }

    #[test]
    fn another_package_takes_the_place_of_what_was_begun_and_another_list_does_not() {
        let mut store = Store::new();
        stop_at(&mut store, &notices_in_chunks(3, 1..=9), 5).unwrap_err();
        store.install(&register_package(1, &[citizen_row()])).unwrap();
        assert_eq!(store.files(), ["notices-1-3.db", "register-1-1.db"]);
        store.install(&notices_package(4, &[wanted()])).unwrap();
        assert_eq!(store.files(), ["notices-1-4.db", "register-1-1.db"]);
        assert!(store.state.installation(Dataset::Notices).unwrap().is_none());

        stop_at(&mut store, &notices_in_chunks(5, 1..=9), 5).unwrap_err();
        let path = store.path();
        discard_unfinished(&path, &mut store.state, Dataset::Notices).unwrap();
        assert_eq!(store.files(), ["notices-1-4.db", "register-1-1.db"]);
    }

    #[test]
    fn a_full_disk_leaves_what_answered_and_gives_its_space_back() {
        let rows: Vec<Notice> = (1..=3_000).map(|id| Notice { id, ..wanted() }).collect();
        let mut store = Store::new();
        store.install(&notices_package(1, &[wanted()])).unwrap();
        for pages in [12, 40, 150] {
            testing::MOST_PAGES.set(Some(pages));
            let full = store.install(&notices_package(2, &rows));
            testing::MOST_PAGES.set(None);
            assert!(matches!(full, Err(InstallError::Store(StoreError::Full))), "{full:?}");
            assert_eq!(full.unwrap_err().code(), "disk-full");
            assert_eq!(store.files(), ["notices-1-1.db"], "{pages} pages");
            assert_answers(&store, 1);
        }
        store.install(&notices_package(2, &rows)).unwrap();
        assert_eq!(notices(&store).count().unwrap(), 3_000);
    }

    #[test]
    fn changes_are_laid_over_the_list_and_a_newer_full_list_drops_them() {
        let mut store = Store::new();
        let full = store.install(&notices_package(1, &[wanted()])).unwrap();
        let bytes = std::fs::read(store.path().join(&full.file)).unwrap();
        let other = Notice { id: 7, ..named("Trần Thị Thử") };
        store.install(&notices_delta(&full, 2, &[other], &[wanted().id])).unwrap();
        assert_eq!(store.files(), ["notices-1-1.db", "notices-changes-1-2.db"]);
        assert_eq!(store.state.floor(Dataset::Notices).unwrap(), Some(version(2)));
        // Cumulative: the next one comes in its place.
        let third = Notice { id: 8, ..named("Trần Thị Thử") };
        let next = notices_delta(&full, 3, &[third], &[wanted().id]);
        store.install(&next).unwrap();
        assert_eq!(store.files(), ["notices-1-1.db", "notices-changes-1-3.db"]);
        let after = std::fs::read(store.path().join(&full.file)).unwrap();
        assert!(bytes == after, "the list below is bit for bit what was built");
        verify(&store.state, &store.path(), Dataset::Notices, |_| Proceed::Continue).unwrap();

        let newer = store.install(&notices_package(4, &[wanted()])).unwrap();
        assert_eq!(store.files(), [newer.file.as_str()]);
        let late = store.install_trusting(&next, &trust_with(base_of(&full).base));
        let overtaken = matches!(late, Err(InstallError::Store(StoreError::Overtaken)));
        assert!(overtaken, "changes to a list that is gone: {late:?}");
    }

    /// What a device trusts that has installed nothing but this.
    fn trust_with(base: sync_format::v1::package::Base) -> Trust {
        let mut trust = crate::snapshot::testing::trust();
        trust.notices.base = Some(base);
        trust
    }

    #[test]
    fn changes_that_are_stopped_go_on_too() {
        let mut store = Store::new();
        let full = store.install(&register_package(1, &[citizen_row()])).unwrap();
        let rows: Vec<RegisterRow> = (1..=5)
            .map(|number| RegisterRow { number: 48_000_000_000 + number, tags: 1 })
            .collect();
        let package = register_delta(&full, 2, &rows);
        for _ in 0..3 {
            let stopped = stop_at(&mut store, &package, 1);
            if stopped.is_ok() {
                break;
            }
            assert!(matches!(stopped, Err(InstallError::Stopped)), "{stopped:?}");
        }
        store.install(&package).unwrap();
        assert_eq!(store.files(), ["register-1-1.db", "register-changes-1-2.db"]);
    }

    #[test]
    fn a_damaged_package_leaves_nothing_and_what_was_there_answers() {
        let mut store = Store::new();
        store.install(&notices_package(1, &[wanted()])).unwrap();
        let whole = notices_package(2, &[wanted()]);
        let mut damaged = whole.clone();
        *damaged.last_mut().unwrap() ^= 1;
        let longer = [&whole[..], &[0]].concat();
        for package in [&damaged[..], &whole[..whole.len() - 1], &longer] {
            let refused = store.install(package);
            assert!(matches!(refused, Err(InstallError::Refused(_))), "{refused:?}");
            assert_eq!(store.files(), ["notices-1-1.db"]);
            assert_answers(&store, 1);
        }
    }

    #[test]
    fn what_an_interrupted_installation_left_is_swept_away() {
        let mut store = Store::new();
        store.install(&notices_package(1, &[wanted()])).unwrap();
        store.install(&register_package(1, &[citizen_row()])).unwrap();
        for left in [
            "notices-1-2.db",
            "notices-1-2.db-journal",
            "notices-changes-1-1.db",
            "notices-1-1.db.partial",
            "register-1-9.db",
            "register-1-9.db-wal",
        ] {
            std::fs::write(store.path().join(left), b"half a database").unwrap();
        }
        // The same version again: its name is taken by half a file.
        store.install(&notices_package(2, &[wanted()])).unwrap();
        assert_eq!(store.files(), ["notices-1-2.db", "register-1-1.db"]);
        assert_answers(&store, 2);
    }

    #[test]
    fn the_floor_rises_with_the_switch_and_stays_after_reopening() {
        let mut store = Store::new();
        store.install(&notices_package(4, &[wanted()])).unwrap();
        let Store { folder, state } = store;
        drop(state);
        let state =
            crate::store::state::State::open(&folder.path().join("state.db"), &key()).unwrap();
        let mut store = Store { folder, state };
        assert_eq!(store.state.floor(Dataset::Notices).unwrap(), Some(version(4)));
        assert_eq!(store.state.floor(Dataset::Register).unwrap(), None);
        for older in [1, 3, 4] {
            let refused = store.install(&notices_package(older, &[wanted()]));
            assert!(
                matches!(refused, Err(InstallError::Refused(Refusal::NotNewer { .. }))),
                "{refused:?}"
            );
        }
        assert_answers(&store, 4);
    }

    #[test]
    fn the_time_floor_rises_to_the_signed_time_and_never_falls() {
        let mut store = Store::new();
        let lower = |store: &Store| store.state.time_base().unwrap().lower;
        let enrolled_at = lower(&store);
        store.install(&notices_package(1, &[wanted()])).unwrap();
        let raised = lower(&store);
        assert!(raised > enrolled_at);
        assert_eq!(raised, NOW.plus_seconds(-3 * 3_600), "when the snapshot was made");
        let mut draft = Draft::register();
        draft.manifest.created = NOW.0 - 48 * 3_600;
        store.install(&draft.encode()).unwrap();
        assert_eq!(lower(&store), raised);
    }

    #[test]
    fn a_package_that_was_overtaken_while_it_was_read_does_not_answer() {
        let mut store = Store::new();
        // Both were verified when nothing was installed yet.
        let trust = store.trust();
        store.install_trusting(&notices_package(3, &[wanted()]), &trust).unwrap();
        for late in [2, 3] {
            let package = notices_package(late, &[named("Trần Thị Thử")]);
            let refused = store.install_trusting(&package, &trust);
            assert!(
                matches!(refused, Err(InstallError::Store(StoreError::Overtaken))),
                "{refused:?}"
            );
            assert_eq!(store.state.floor(Dataset::Notices).unwrap(), Some(version(3)));
        }
        assert_answers(&store, 3);
    }

    #[test]
    fn two_programs_do_not_install_at_once() {
        let mut store = Store::new();
        let other = lock(&store.path()).unwrap();
        let refused = store.install(&notices_package(1, &[wanted()]));
        assert!(matches!(refused, Err(InstallError::Store(StoreError::Busy))), "{refused:?}");
        assert_eq!(store.files(), [""; 0]);
        drop(other);
        store.install(&notices_package(1, &[wanted()])).unwrap();
        assert_answers(&store, 1);
    }

    #[test]
    fn a_switch_that_fails_half_way_is_no_switch() {
        let mut store = Store::new();
        store.install(&notices_package(1, &[wanted()])).unwrap();
        // The time is raised last but one: with its table gone, everything before is taken back.
        store.state_connection().execute_batch("DROP TABLE time_base").unwrap();
        let refused = store.install(&notices_package(2, &[wanted()]));
        assert!(matches!(refused, Err(InstallError::Store(StoreError::Sql(_)))), "{refused:?}");
        assert_eq!(store.files(), ["notices-1-1.db"]);
        assert_eq!(store.state.floor(Dataset::Notices).unwrap(), Some(version(1)));
        assert_answers(&store, 1);
    }

    #[test]
    fn a_folder_that_cannot_be_written_changes_nothing() {
        let mut store = Store::new();
        store.install(&notices_package(1, &[wanted()])).unwrap();
        // A folder under the name of the new file: it can be neither swept nor replaced.
        let obstacle = store.path().join("notices-1-2.db");
        std::fs::create_dir(&obstacle).unwrap();
        let refused = store.install(&notices_package(2, &[wanted()]));
        assert!(matches!(refused, Err(InstallError::Store(StoreError::Io(_)))), "{refused:?}");
        assert_answers(&store, 1);
        std::fs::remove_dir(&obstacle).unwrap();
        store.install(&notices_package(2, &[wanted()])).unwrap();
        assert_answers(&store, 2);
    }

    #[test]
    fn a_probe_finds_rows_that_are_missing() {
        let mut store = Store::new();
        let package = register_package(1, &[citizen_row()]);
        let trust = store.trust();
        let (verified, _) = open(&package, &trust).unwrap();
        let inner = &verified.snapshot().inner;
        let path = store.folder.path().join("probed.db");
        let connection = crate::store::open(&path, &key(), Kind::Register, Access::Create).unwrap();
        let missing = probe(&path, &key(), Dataset::Register, Part::Full, inner);
        assert!(matches!(missing, Err(InstallError::Probe("a row is missing"))), "{missing:?}");
        connection
            .execute_batch("INSERT INTO register VALUES (48088999901, 0), (48088999902, 0)")
            .unwrap();
        let more = probe(&path, &key(), Dataset::Register, Part::Full, inner);
        assert!(matches!(more, Err(InstallError::Probe("the rows differ"))), "{more:?}");
        drop(store.install(&package).unwrap());
    }

    #[test]
    fn an_installed_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;

        let mut store = Store::new();
        let installed = store.install(&notices_package(1, &[wanted()])).unwrap();
        let mode = std::fs::metadata(store.path().join(installed.file)).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }

    #[test]
    fn thousands_of_notices_are_all_found_again() {
        let rows: Vec<Notice> = (1..=3_000)
            .map(|id| Notice {
                id,
                numbers: vec![number(NumberKind::Personal, &format!("0{}", 48_000_000_000 + id))],
                ..named(&format!("Nguyễn Văn {}", "A".repeat(1 + id as usize % 40)))
            })
            .collect();
        let mut store = Store::new();
        store.install(&notices_package(1, &rows)).unwrap();
        let notices = notices(&store);
        assert_eq!(notices.count().unwrap(), 3_000);
        for row in rows.iter().step_by(97) {
            let found = notices.find([row.numbers[0].text.as_str()], []).unwrap().notices;
            assert_eq!(found, std::slice::from_ref(row));
        }
        let shared = notices.find([], [("NGUYEN VAN A", birth((1988, 3, 2)))]).unwrap().notices;
        assert_eq!(shared.len(), crate::store::notices::MAX_CANDIDATES);
    }
}
