//! A newly enrolled device's databases, and what is in them, for the tests of the modules that use
//! them.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use sync_format::codec;
use sync_format::v1::notice::Notice;
use sync_format::v1::package::{Base, Dataset, Purpose, Role, SnapshotVersion, sha256};
use sync_format::v1::register::RegisterRow;

use super::install::{InstallError, Occasion, Proceed, Progress, Replaces, install};
use super::state::{Active, Enrolment, State};
use super::{Access, Kind, open};
use crate::clock::FixedClock;
use crate::keys::SecretKey;
use crate::matching::testing::wanted;
use crate::snapshot::build::{self, BaseOf};
use crate::snapshot::testing::{Draft, NOW, package, root, seed, terms, trust, units, version};
use crate::snapshot::{Held, Trust};

/// A folder with a state database and a place for snapshots; it goes when it is dropped.
pub(crate) struct Store {
    pub folder: tempfile::TempDir,
    pub state: State,
}

impl Store {
    pub(crate) fn new() -> Store {
        let folder = tempfile::tempdir().unwrap();
        let state = State::create(&folder.path().join("state.db"), &key(), &enrolment()).unwrap();
        Store { folder, state }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// What the device trusts now.
    pub(crate) fn trust(&self) -> Trust {
        let held = |dataset| {
            let floor = self.state.floor(dataset).unwrap();
            let full = self.state.active(dataset).unwrap();
            full.map_or(Held { floor, ..Held::default() }, |full| {
                let BaseOf { base, inner, .. } = base_of(&full);
                Held { floor, base: Some(base), tag_key: inner.tag_key }
            })
        };
        Trust {
            notices: held(Dataset::Notices),
            register: held(Dataset::Register),
            anchors: held(Dataset::Anchors),
            ..trust()
        }
    }

    /// Verifies and installs a package.
    pub(crate) fn install(&mut self, package: &[u8]) -> Result<Active, InstallError> {
        let trust = self.trust();
        self.install_trusting(package, &trust)
    }

    pub(crate) fn install_trusting(
        &mut self,
        package: &[u8],
        trust: &Trust,
    ) -> Result<Active, InstallError> {
        self.install_telling(package, trust, |_| Proceed::Continue)
    }

    /// Verifies and installs a package, and asks after each step whether to go on.
    pub(crate) fn install_telling(
        &mut self,
        package: &[u8],
        trust: &Trust,
        progress: impl FnMut(Progress) -> Proceed,
    ) -> Result<Active, InstallError> {
        let (verified, rest) = crate::snapshot::testing::open(package, trust)?;
        let (path, clock) = (self.path(), FixedClock::at(NOW));
        let rest = std::io::Cursor::new(rest);
        install(&verified, rest, &path, &mut self.state, &occasion(&clock), progress)
    }

    /// Another connection to the state database, as another program has it.
    pub(crate) fn state_connection(&self) -> Connection {
        let path = self.folder.path().join("state.db");
        open(&path, &key(), Kind::State, Access::ReadWrite).unwrap()
    }

    /// The names of the databases in the folder of snapshots; a build keeps its journal beside it.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut files = files(&self.path());
        files.retain(|name| !name.ends_with(".db-journal"));
        files
    }
}

/// A list of one notice a chunk: these order numbers, all about the same person.
pub(crate) fn notices_in_chunks(number: u64, ids: std::ops::RangeInclusive<u64>) -> Vec<u8> {
    let rows: Vec<Notice> = ids.map(|id| Notice { id, ..wanted() }).collect();
    let chunks: Vec<&[Notice]> = rows.chunks(1).collect();
    let mut draft = Draft::notices().with_chunks(&chunks);
    draft.manifest.version = version(number);
    draft.encode()
}

/// Changes to the full list `base`.
pub(crate) fn notices_delta(
    base: &Active,
    number: u64,
    changed: &[Notice],
    withdrawn: &[u64],
) -> Vec<u8> {
    let base = base_of(base);
    let draft = build::notices_delta(&base, changed, withdrawn, terms(number), &units(), &seed());
    package(&draft.unwrap(), &[Role::NoticesAuthor, Role::NoticesApprover])
}

/// Changes to the full register `base`.
pub(crate) fn register_delta(base: &Active, number: u64, rows: &[RegisterRow]) -> Vec<u8> {
    let (base, rows) = (base_of(base), rows.iter().copied());
    let draft = build::register_delta(&base, rows, terms(number), &units(), &seed());
    package(&draft.unwrap(), &[Role::Register])
}

pub(crate) fn base_of(full: &Active) -> BaseOf {
    let SnapshotVersion { epoch, version } = full.version;
    let base = Base { version, manifest: sha256(&full.manifest) };
    BaseOf { base, epoch, inner: codec::decode(codec::Kind::InnerManifest, &full.inner).unwrap() }
}

/// Somebody loads a package, now.
pub(crate) fn occasion(clock: &FixedClock) -> Occasion<'_> {
    Occasion {
        clock,
        now: NOW,
        by: "407",
        source: "list.fcsnap",
        bytes: 1_000,
        replaces: Replaces::Older,
    }
}

pub(crate) fn key() -> SecretKey {
    SecretKey::new(&[1; 32])
}

pub(crate) fn enrolment() -> Enrolment {
    Enrolment {
        seal_secret: crate::snapshot::testing::seal_secret(),
        device: [9; 16],
        label: "07".to_owned(),
        unit: 4_107,
        root_hash: sha256(&root()),
        purpose: Purpose::Demo,
        collect_key: [3; 32],
        enrolled_at: NOW.plus_seconds(-30 * 24 * 3_600),
    }
}

/// The names of the files in a folder, sorted; none where there is no folder.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The tables of a database, in the order of their names.
pub(crate) fn tables(connection: &Connection) -> Vec<String> {
    let mut statement = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        .unwrap();
    let names = statement.query_map([], |row| row.get(0)).unwrap();
    names.collect::<Result<_, _>>().unwrap()
}

/// Everything that a database holds: each value as its bytes, numbers as decimal digits too.
pub(crate) fn dump(connection: &Connection) -> Vec<u8> {
    let mut bytes = Vec::new();
    for table in tables(connection) {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                match row.get_ref(column).unwrap() {
                    ValueRef::Null => {}
                    ValueRef::Integer(number) => {
                        bytes.extend(number.to_be_bytes());
                        bytes.extend(number.to_le_bytes());
                        bytes.extend(number.to_string().bytes());
                    }
                    ValueRef::Real(number) => bytes.extend(number.to_string().bytes()),
                    ValueRef::Text(value) | ValueRef::Blob(value) => bytes.extend(value),
                }
                bytes.push(0);
            }
        }
    }
    bytes
}
