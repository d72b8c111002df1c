//! Turns a verified package into an encrypted database that answers.
//!
//! The new database is built aside under a new random key; the old one answers meanwhile. Only when
//! it is written to the disk and probed does one transaction make it the one that answers and raise
//! the floor. Power may fail at any byte: what is left is a file that nothing points to, and the
//! next install sweeps it away.

use std::fs::{File, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use sync_format::v1::package::{Dataset, SnapshotVersion};

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

/// What a new snapshot may take the place of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replaces {
    /// An older one.
    Older,
    /// An older one, or the same version, whose file is damaged.
    Damaged,
}

impl Replaces {
    /// Whether `version` may be installed over the `floor`.
    pub(super) fn permits(self, version: SnapshotVersion, floor: SnapshotVersion) -> bool {
        match self {
            Replaces::Older => version > floor,
            Replaces::Damaged => version >= floor,
        }
    }
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
    replaces: Replaces,
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
    let version = snapshot.manifest.version;
    let _lock = lock(store)?;
    // Since it was verified, another program may have installed it: its file is not written over.
    if state.floor(dataset)?.is_some_and(|floor| !replaces.permits(version, floor)) {
        return Err(StoreError::Overtaken.into());
    }
    sweep(store, state)?;
    let file = format!("{}-{}-{}.db", kind.word(), version.epoch, version.version);
    let partial = Partial { path: store.join(format!("{file}.partial")) };
    partial.remove();

    let key = SecretKey::random().map_err(|_| InstallError::NoRandomness)?;
    let connection = super::open(&partial.path, &key, kind, Access::Create)?;
    // Nothing points to the file yet, so speed is all that counts until it is synced below.
    connection
        .execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
         PRAGMA cache_size = -32768; BEGIN;",
        )
        .map_err(StoreError::from)?;
    let (mut rows, of_rows) = (0, snapshot.inner.rows);
    for (position, inner) in snapshot.inner.chunks.iter().enumerate() {
        insert(&connection, &verified.read_rows(position, &mut reader)?)?;
        rows += u64::from(inner.rows);
        if progress(Progress { rows, of_rows }) == Proceed::Stop {
            return Err(InstallError::Stopped);
        }
    }
    verified.expect_end(&mut reader)?;
    connection.execute_batch("COMMIT; ANALYZE;").map_err(StoreError::from)?;
    drop(connection);

    File::open(&partial.path).map_err(StoreError::from)?.sync_all().map_err(StoreError::from)?;
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
    let signed_at = DeviceTime(snapshot.manifest.created);
    let before = state.switch(dataset, &active, replaces, signed_at)?;
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
        let is_held = held.iter().any(|file| name.starts_with(file.as_str()));
        if !is_held || name.ends_with(".partial") {
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

#[cfg(test)]
mod tests {
    use sync_format::v1::notice::{Notice, NumberKind};

    use super::*;
    use crate::keys::SecretKey;
    use crate::matching::testing::{HIS_NUMBER, birth, named, number, wanted};
    use crate::snapshot::testing::{
        Draft, NOW, citizen_row, notices_package, open, register_package, version,
    };
    use crate::store::notices::Notices;
    use crate::store::register::Register;
    use crate::store::testing::{Store, dump, key, tables};

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
        assert_eq!(register.find(48_088_999_901).unwrap(), Some(citizen_row()));
        assert_eq!(register.find(48_088_999_902).unwrap(), None);
        assert_eq!(store.files(), ["notices-1-3.db", "register-1-5.db"]);
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
        // sqlite_stat1 and 4 are what ANALYZE keeps of the keys.
        let own: Vec<String> =
            tables(&connection).into_iter().filter(|name| !name.starts_with("sqlite_")).collect();
        assert_eq!(own, ["notice", "notice_name", "notice_number"]);
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
    fn the_file_before_is_removed_and_the_other_dataset_stays() {
        let mut store = Store::new();
        store.install(&register_package(1, &[citizen_row()])).unwrap();
        store.install(&notices_package(1, &[wanted()])).unwrap();
        store.install(&notices_package(2, &[wanted()])).unwrap();
        assert_eq!(store.files(), ["notices-1-2.db", "register-1-1.db"]);
        assert_answers(&store, 2);
    }

    #[test]
    fn progress_counts_the_rows_of_each_chunk() {
        let rows: Vec<Notice> = (1..=5).map(|id| Notice { id, ..wanted() }).collect();
        let package = Draft::notices().with_chunks(&[&rows[..2], &rows[2..4], &rows[4..]]);
        let package = package.encode();
        let mut store = Store::new();
        let trust = store.trust();
        let (verified, rest) = open(&package, &trust).unwrap();
        let mut seen = Vec::new();
        let path = store.path();
        install(&verified, rest, &path, &mut store.state, Replaces::Older, NOW, |progress| {
            seen.push((progress.rows, progress.of_rows));
            Proceed::Continue
        })
        .unwrap();
        assert_eq!(seen, [(2, 5), (4, 5), (5, 5)]);
        assert_eq!(notices(&store).count().unwrap(), 5);
    }

    #[test]
    fn stopping_after_any_chunk_leaves_everything_as_it_was() {
        let rows: Vec<Notice> = (1..=3).map(|id| Notice { id, ..wanted() }).collect();
        for stop_at in 1..=3 {
            let mut store = Store::new();
            store.install(&notices_package(1, &[wanted()])).unwrap();
            let mut draft = Draft::notices().with_chunks(&[&rows[..1], &rows[1..2], &rows[2..]]);
            draft.manifest.version = version(2);
            let package = draft.encode();
            let trust = store.trust();
            let (verified, rest) = open(&package, &trust).unwrap();
            let path = store.path();
            let stopped = install(
                &verified,
                rest,
                &path,
                &mut store.state,
                Replaces::Older,
                NOW,
                |progress| {
                    if progress.rows == stop_at { Proceed::Stop } else { Proceed::Continue }
                },
            );
            assert!(matches!(stopped, Err(InstallError::Stopped)), "{stopped:?}");
            assert_eq!(store.files(), ["notices-1-1.db"]);
            assert_eq!(store.state.floor(Dataset::Notices).unwrap(), Some(version(1)));
            assert_answers(&store, 1);
            // And it can be done again.
            store.install(&package).unwrap();
            assert_eq!(notices(&store).count().unwrap(), 3);
        }
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
            "notices-1-2.db.partial",
            "notices-1-2.db.partial-journal",
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
        let enrolled_at = store.state.time_floor().unwrap();
        store.install(&notices_package(1, &[wanted()])).unwrap();
        let raised = store.state.time_floor().unwrap();
        assert!(raised > enrolled_at);
        assert_eq!(raised, NOW.plus_seconds(-3 * 3_600), "when the snapshot was made");
        let mut draft = Draft::register();
        draft.manifest.created = NOW.0 - 48 * 3_600;
        store.install(&draft.encode()).unwrap();
        assert_eq!(store.state.time_floor().unwrap(), raised);
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
        // The time floor is raised last: with its table gone, everything before is taken back.
        store.state_connection().execute_batch("DROP TABLE time_floor").unwrap();
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
        let path = store.folder.path().join("probed.db");
        let connection = crate::store::open(&path, &key(), Kind::Register, Access::Create).unwrap();
        let missing = probe(&path, &key(), &verified);
        assert!(matches!(missing, Err(InstallError::Probe("a row is missing"))), "{missing:?}");
        connection
            .execute_batch("INSERT INTO register VALUES (48088999901, 0), (48088999902, 0)")
            .unwrap();
        let more = probe(&path, &key(), &verified);
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
