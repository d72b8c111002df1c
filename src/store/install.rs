//! Turns a verified package into an encrypted database that answers.
//!
//! The new database is built aside under a new random key; the old one answers meanwhile. Only when
//! it is written to the disk and probed does one transaction make it the one that answers and raise
//! the floor. Power may fail at any byte: what is left is a file that nothing points to, and the
//! next install sweeps it away.

use std::io::Read;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use sync_format::v1::package::Dataset;

use super::state::{Active, State};
use super::{Access, Kind, StoreError, companions};
use crate::clock::DeviceTime;
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
    /// The officer stopped it.
    #[error("the installation was stopped")]
    Stopped,
    /// The system gave no random bytes for a key.
    #[error("the system gave no random bytes")]
    NoRandomness,
}

/// How far an installation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Rows written so far.
    pub rows: u64,
    /// Rows in the package.
    pub of_rows: u64,
}

/// Whether to go on; asked after each chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proceed {
    /// Goes on.
    Continue,
    /// Stops and leaves everything as it was.
    Stop,
}

/// Installs a verified snapshot, whose chunks `reader` stands at, into the folder `store`.
///
/// Returns what answers now. The caller raises the floor in the vault afterwards: the state
/// database's own floor is raised here, in the transaction that switches.
pub fn install(
    verified: &Verified<Snapshot>,
    mut reader: impl Read,
    store: &Path,
    state: &mut State,
    now: DeviceTime,
    mut progress: impl FnMut(Progress) -> Proceed,
) -> Result<Active, InstallError> {
    let snapshot = verified.snapshot();
    let dataset = snapshot.manifest.dataset;
    let kind = match dataset {
        Dataset::Notices => Kind::Notices,
        Dataset::Register => Kind::Register,
        Dataset::Anchors => return Err(Refusal::DatasetNotSupported.into()),
    };
    sweep(store, state)?;
    let version = snapshot.manifest.version;
    let file = format!("{}-{}-{}.db", kind.word(), version.epoch, version.version);
    let partial = Partial { path: store.join(format!("{file}.partial")) };
    partial.remove();

    let key = SecretKey::random().map_err(|_| InstallError::NoRandomness)?;
    let connection = super::open(&partial.path, &key, kind, Access::Create)?;
    // Nothing points to the file yet, so speed is all that counts until it is synced below.
    connection.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
         PRAGMA cache_size = -32768; BEGIN;",
    )
    .map_err(StoreError::from)?;
    let (mut rows, of_rows) = (0, snapshot.inner.rows);
    for (index, inner) in snapshot.inner.chunks.iter().enumerate() {
        insert(&connection, &verified.read_rows(index, &mut reader)?)?;
        rows += u64::from(inner.rows);
        if progress(Progress { rows, of_rows }) == Proceed::Stop {
            return Err(InstallError::Stopped);
        }
    }
    verified.expect_end(&mut reader)?;
    connection.execute_batch("COMMIT; ANALYZE;").map_err(StoreError::from)?;
    drop(connection);

    std::fs::File::open(&partial.path).map_err(StoreError::from)?.sync_all().map_err(StoreError::from)?;
    let path = store.join(&file);
    std::fs::rename(&partial.path, &path).map_err(StoreError::from)?;
    super::sync_folder(store)?;
    let built = Partial { path };
    probe(&built.path, &key, verified)?;

    let active = Active {
        version,
        file,
        key,
        manifest: snapshot.manifest_bytes().to_vec(),
        inner: snapshot.inner_bytes().to_vec(),
        installed_at: now,
    };
    let before = state.switch(dataset, &active, DeviceTime(snapshot.manifest.created))?;
    built.keep();
    if let Some(before) = before.filter(|before| *before != active.file) {
        // Its key went with the row that named it; the file itself is best removed, but need not be.
        Partial { path: store.join(before) }.remove();
    }
    Ok(active)
}

fn insert(connection: &Connection, rows: &Rows) -> Result<(), StoreError> {
    match rows {
        Rows::Notices(rows) => super::notices::insert(connection, rows),
        Rows::Register(rows) => super::register::insert(connection, rows),
    }
}

/// Opens the new database as the device will, and asks it what the inner manifest promised.
fn probe(path: &Path, key: &SecretKey, verified: &Verified<Snapshot>) -> Result<(), InstallError> {
    let snapshot = verified.snapshot();
    let count = match snapshot.manifest.dataset {
        Dataset::Register => {
            let register = super::register::Register::open(path, key)?;
            for chunk in &snapshot.inner.chunks {
                for number in [chunk.first, chunk.last] {
                    if register.find(number)?.is_none() {
                        return Err(InstallError::Probe("a row is missing"));
                    }
                }
            }
            register.count()?
        }
        _ => super::notices::Notices::open(path, key)?.count()?,
    };
    if count == snapshot.inner.rows { Ok(()) } else { Err(InstallError::Probe("the rows differ")) }
}

/// Removes files in the folder that nothing points to: what an interrupted install left.
fn sweep(store: &Path, state: &State) -> Result<(), StoreError> {
    std::fs::create_dir_all(store)?;
    let mut held = Vec::new();
    for dataset in [Dataset::Notices, Dataset::Register] {
        held.extend(state.active(dataset)?.map(|active| active.file));
    }
    for entry in std::fs::read_dir(store)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !held.iter().any(|file| name.starts_with(file.as_str())) {
            std::fs::remove_file(&path)?;
        } else if name.ends_with(".partial") {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// A database file that is removed unless it is kept: no error path leaves one behind.
struct Partial {
    path: PathBuf,
}

impl Partial {
    fn keep(mut self) {
        self.path.clear();
    }

    fn remove(&self) {
        if self.path.as_os_str().is_empty() {
            return;
        }
        for path in companions(&self.path).iter().chain([&self.path]) {
            // Not there is the usual case; a file that stays is swept at the next install.
            std::fs::remove_file(path).unwrap_or_default();
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        self.remove();
    }
}
