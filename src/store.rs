//! The encrypted databases of the device: one typed way to open them, and what each holds.
//!
//! Every database is SQLCipher with a random raw key. SQLCipher takes anything else for a
//! passphrase, and no key at all for a wish to write a plain file, so nothing but [`open`] makes a
//! connection, and it checks what it got. The databases prove no freshness: the floor of installed
//! versions is bound into the vault (`keys`), and headquarters compares counters.
//!
//! What this does not do: decide anything about a person, or trust a package (`snapshot` does).

use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use zeroize::Zeroizing;

use crate::keys::SecretKey;

pub mod anchors;
pub mod install;
pub mod notices;
pub mod pace;
pub mod register;
pub mod room;
pub mod state;
#[cfg(test)]
pub(crate) mod testing;
pub mod verify;

/// The databases there are; each has its own schema and mark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// What this device is and what it holds.
    State,
    /// One snapshot of the notices.
    Notices,
    /// Changes to a snapshot of the notices, laid over it.
    NoticesOverlay,
    /// One snapshot of the register.
    Register,
    /// Changes to a snapshot of the register, laid over it.
    RegisterOverlay,
    /// One snapshot of the anchors.
    Anchors,
    /// The encounter records.
    Queue,
}

impl Kind {
    fn schema(self) -> &'static str {
        match self {
            Kind::State => include_str!("store/state.sql"),
            Kind::Notices => include_str!("store/notices.sql"),
            Kind::NoticesOverlay => {
                concat!(
                    include_str!("store/notices.sql"),
                    include_str!("store/notices_overlay.sql")
                )
            }
            Kind::Register | Kind::RegisterOverlay => include_str!("store/register.sql"),
            Kind::Anchors => include_str!("store/anchors.sql"),
            Kind::Queue => include_str!("store/queue.sql"),
        }
    }

    /// The mark in the database's header (`PRAGMA application_id`): "FCK" and a letter.
    fn application_id(self) -> i32 {
        match self {
            Kind::State => 0x4643_4B53,
            Kind::Notices => 0x4643_4B4E,
            Kind::NoticesOverlay => 0x4643_4B6E,
            Kind::Register => 0x4643_4B52,
            Kind::RegisterOverlay => 0x4643_4B72,
            Kind::Anchors => 0x4643_4B41,
            Kind::Queue => 0x4643_4B51,
        }
    }

    /// Version of the schema (`PRAGMA user_version`). Another one is refused and left alone: no device
    /// was in use when the state's rose to 2, and from the first that is a change adds a step in
    /// [`open`].
    fn schema_version(self) -> i32 {
        match self {
            Kind::State => 2,
            _ => 1,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Kind::State => "state",
            Kind::Notices => "notices",
            Kind::NoticesOverlay => "changes to the notices",
            Kind::Register => "register",
            Kind::RegisterOverlay => "changes to the register",
            Kind::Anchors => "anchors",
            Kind::Queue => "queue",
        }
    }
}

/// Why a database could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is not there.
    #[error("the {0} database is missing")]
    Missing(&'static str),
    /// The key does not open it, or its first page is damaged: SQLCipher cannot tell the two apart.
    #[error("the {0} database cannot be opened with its key, or is damaged")]
    Unreadable(&'static str),
    /// It opens, but holds something else than it should.
    #[error("the {0} database holds something else")]
    Foreign(&'static str),
    /// It was written by a newer program, or by one from before the first release.
    #[error("the {kind} database has schema version {found}, this program knows {known}")]
    Newer {
        /// Which database.
        kind: &'static str,
        /// The version found.
        found: i32,
        /// The version that this program reads.
        known: i32,
    },
    /// The library was built without encryption: nothing is opened at all.
    #[error("this build has no SQLCipher")]
    NotEncrypted,
    /// A row holds what no version of this program writes.
    #[error("the {0} database holds a damaged row")]
    DamagedRow(&'static str),
    /// A verification found that its rows are not those that were signed.
    #[error("the {0} database is not what was signed")]
    Changed(&'static str),
    /// The disk is full.
    #[error("no space is left on the device")]
    Full,
    /// There is less space than the snapshot and a reserve for records need; nothing was begun.
    #[error("{needed} bytes are needed, {free} are free")]
    NoRoom {
        /// What the snapshot takes, and the reserve.
        needed: u64,
        /// What is free.
        free: u64,
    },
    /// Another program holds the database.
    #[error("the database is in use by another program")]
    Busy,
    /// Another program installed this snapshot or a newer one meanwhile.
    #[error("a snapshot as new or newer was installed meanwhile")]
    Overtaken,
    /// The folder or file could not be read or written.
    #[error("the file could not be read or written")]
    Io(#[source] std::io::Error),
    /// SQLite refused a statement.
    #[error("the database refused a statement")]
    Sql(#[source] rusqlite::Error),
}

impl StoreError {
    /// Whether the database itself is damaged, so that asking again cannot help.
    pub fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match self {
            StoreError::Missing(_)
            | StoreError::Unreadable(_)
            | StoreError::Foreign(_)
            | StoreError::DamagedRow(_)
            | StoreError::Changed(_) => true,
            StoreError::Sql(error) => {
                matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
            }
            _ => false,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => StoreError::Full,
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                StoreError::Busy
            }
            _ => StoreError::Sql(error),
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> StoreError {
        if error.kind() == std::io::ErrorKind::StorageFull {
            StoreError::Full
        } else {
            StoreError::Io(error)
        }
    }
}

/// Whether [`open`] may make the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Makes a new file; one that is there already is an error.
    Create,
    /// Opens an existing file to read and write.
    ReadWrite,
    /// Opens an existing file to read.
    Read,
}

/// Page cache of a snapshot, KiB. A page that is not in it is decrypted anew at each look-up. Measured
/// with a million register rows and 200,000 notices: a check takes 88 µs with SQLite's own 2 MB, 59 µs
/// with 16 MB, and no less with 64 MB.
const READ_CACHE_KIB: u32 = 16_000;

/// Opens a database with its raw key, and checks that it is encrypted and of this kind.
///
/// `mmap` stays off: measured with SQLCipher it makes cold look-ups twenty times slower and maps
/// pages in the clear. `recursive_triggers` is on, so that `REPLACE` meets the triggers too.
pub fn open(
    path: &Path,
    key: &SecretKey,
    kind: Kind,
    access: Access,
) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX
        | match access {
            Access::Create => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
            Access::ReadWrite => OpenFlags::SQLITE_OPEN_READ_WRITE,
            Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        };
    if access == Access::Create {
        // Claims the name first, so that no older file is ever taken for the new one.
        create_private(path)?;
    } else if !path.exists() {
        return Err(StoreError::Missing(kind.word()));
    }
    #[expect(clippy::disallowed_methods, reason = "the one place that opens a database")]
    let connection = Connection::open_with_flags(path, flags)?;
    keep_log(&connection, access != Access::Create)?;
    // What it would write to the terminal of a damaged page is in the error too.
    connection.execute_batch("PRAGMA cipher_log_level = NONE")?;
    let mut statement = Zeroizing::new(String::with_capacity(96));
    for part in ["PRAGMA key = \"", &raw_key(key), "\";"] {
        statement.push_str(part);
    }
    connection.execute_batch(&statement)?;
    let cipher: Option<String> =
        connection.query_row("PRAGMA cipher_version", [], |row| row.get(0)).ok();
    if cipher.is_none_or(|version| version.is_empty()) {
        return Err(StoreError::NotEncrypted);
    }
    connection.execute_batch(
        "PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA recursive_triggers = ON;
         PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA busy_timeout = 2000;",
    )?;
    // A plan that follows the bound values is made anew at each look-up: a fifth of a check.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    if access == Access::Create {
        create_schema(&connection, kind)?;
        assert_encrypted_header(path)?;
    } else {
        check_schema(&connection, kind)?;
        keep_log(&connection, false)?;
    }
    if access == Access::Read {
        // What is installed is never written again: keeping the lock spares each look-up the asking.
        connection.execute_batch(&format!(
            "PRAGMA cache_size = -{READ_CACHE_KIB}; PRAGMA locking_mode = EXCLUSIVE;"
        ))?;
    }
    Ok(connection)
}

/// Says whether closing leaves the write-ahead log as it is.
///
/// Usually the last connection to close writes it into the database and removes it. Beside a
/// database that cannot be read it is kept: it may hold the only copy of what was written last.
pub(crate) fn keep_log(connection: &Connection, keep: bool) -> Result<(), StoreError> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep)?;
    Ok(())
}

/// Lays a second database over the one that is open, under the name `overlay`: one statement can ask
/// both. Access is that of the connection; kind and encryption are checked as [`open`] does.
pub fn attach_overlay(
    connection: &Connection,
    path: &Path,
    key: &SecretKey,
    kind: Kind,
) -> Result<(), StoreError> {
    if !path.exists() {
        return Err(StoreError::Missing(kind.word()));
    }
    assert_encrypted_header(path).map_err(|_| StoreError::Unreadable(kind.word()))?;
    let path = path.to_str().ok_or(StoreError::Missing(kind.word()))?;
    // In quotes of its own, the key is a raw one here too.
    let raw = raw_key(key);
    connection
        .execute("ATTACH DATABASE ?1 AS overlay KEY ?2", [path, raw.as_str()])
        .map_err(|error| unreadable(error, kind))?;
    check_schema_of(connection, "overlay", kind)?;
    connection.execute_batch(&format!("PRAGMA overlay.cache_size = -{READ_CACHE_KIB};"))?;
    Ok(())
}

/// Returns the raw key in the one form that SQLCipher does not take for a passphrase.
fn raw_key(key: &SecretKey) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(64 + 3));
    text.push_str("x'");
    for byte in key.expose() {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    text.push('\'');
    text
}

fn create_schema(connection: &Connection, kind: Kind) -> Result<(), StoreError> {
    connection.execute_batch(&format!(
        "BEGIN; {} PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT;",
        kind.schema(),
        kind.application_id(),
        kind.schema_version()
    ))?;
    Ok(())
}

fn check_schema(connection: &Connection, kind: Kind) -> Result<(), StoreError> {
    check_schema_of(connection, "main", kind)
}

fn check_schema_of(connection: &Connection, of: &str, kind: Kind) -> Result<(), StoreError> {
    let application: i32 = connection
        .query_row(&format!("PRAGMA {of}.application_id"), [], |row| row.get(0))
        .map_err(|error| unreadable(error, kind))?;
    if application != kind.application_id() {
        return Err(StoreError::Foreign(kind.word()));
    }
    let found: i32 =
        connection.query_row(&format!("PRAGMA {of}.user_version"), [], |row| row.get(0))?;
    let known = kind.schema_version();
    if found != known {
        return Err(StoreError::Newer { kind: kind.word(), found, known });
    }
    Ok(())
}

/// Tells a file that no key opens from one that cannot be read just now: whoever moves a damaged
/// database aside must not do it because another program holds it.
pub(crate) fn unreadable(error: rusqlite::Error, kind: Kind) -> StoreError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => {
            StoreError::Unreadable(kind.word())
        }
        _ => error.into(),
    }
}

/// Fails where the file's first bytes are those of a plain SQLite file.
fn assert_encrypted_header(path: &Path) -> Result<(), StoreError> {
    use std::io::Read as _;
    let mut header = [0; 16];
    std::fs::File::open(path)?.read_exact(&mut header)?;
    if &header == b"SQLite format 3\0" { Err(StoreError::NotEncrypted) } else { Ok(()) }
}

/// Makes an empty file that only its owner reads; one that is there already is an error.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)?;
    Ok(())
}

/// Writes a folder's entries to the disk, so that a new or renamed file outlives a power cut.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    std::fs::File::open(folder)?.sync_all()?;
    Ok(())
}

/// Returns the files that SQLite keeps beside a database.
pub(crate) fn companions(path: &Path) -> [PathBuf; 3] {
    ["-wal", "-shm", "-journal"].map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SecretKey {
        SecretKey::new(&[byte; 32])
    }

    #[test]
    fn a_database_is_encrypted_and_opens_only_with_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let connection = open(&path, &key(1), Kind::State, Access::Create).unwrap();
        connection
            .execute("INSERT INTO setting VALUES ('note', 'a text to look for')", [])
            .unwrap();
        drop(connection);

        let bytes = std::fs::read(&path).unwrap();
        assert_ne!(&bytes[..16], b"SQLite format 3\0");
        assert!(!bytes.windows(7).any(|window| window == b"setting"));
        assert!(open(&path, &key(1), Kind::State, Access::Read).is_ok());
        let refused = open(&path, &key(2), Kind::State, Access::Read);
        assert!(matches!(refused, Err(StoreError::Unreadable("state"))), "{refused:?}");
    }

    #[test]
    fn a_database_of_another_kind_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        drop(open(&path, &key(1), Kind::Notices, Access::Create).unwrap());
        let refused = open(&path, &key(1), Kind::Register, Access::Read);
        assert!(matches!(refused, Err(StoreError::Foreign("register"))), "{refused:?}");
    }

    #[test]
    fn an_overlay_opens_beside_its_list_with_its_own_key_and_as_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        for (name, byte, kind) in [
            ("list.db", 1, Kind::Register),
            ("overlay.db", 2, Kind::RegisterOverlay),
            ("other.db", 2, Kind::NoticesOverlay),
        ] {
            drop(open(&file(name), &key(byte), kind, Access::Create).unwrap());
        }
        let attach = |name: &str, byte| {
            let list = open(&file("list.db"), &key(1), Kind::Register, Access::Read).unwrap();
            attach_overlay(&list, &file(name), &key(byte), Kind::RegisterOverlay).map(|()| list)
        };
        let list = attach("overlay.db", 2).unwrap();
        let refused = list.execute("INSERT INTO overlay.register VALUES (1, 1)", []);
        assert!(refused.is_err(), "as the list, it is read alone");
        const CHANGES: &str = "changes to the register";
        let wrong_key = attach("overlay.db", 3).map(drop);
        assert!(matches!(wrong_key, Err(StoreError::Unreadable(CHANGES))), "{wrong_key:?}");
        for other in ["list.db", "other.db"] {
            let refused = attach(other, if other == "list.db" { 1 } else { 2 }).map(drop);
            assert!(matches!(refused, Err(StoreError::Foreign(CHANGES))), "{refused:?}");
        }
        let missing = attach("none.db", 2).map(drop);
        assert!(matches!(missing, Err(StoreError::Missing(CHANGES))), "{missing:?}");
        #[expect(clippy::disallowed_methods, reason = "a plain file is what must be refused")]
        let plain = Connection::open(file("plain.db")).unwrap();
        plain.execute_batch("CREATE TABLE register (number, tags);").unwrap();
        drop(plain);
        let refused = attach("plain.db", 2).map(drop);
        assert!(matches!(refused, Err(StoreError::Unreadable(CHANGES))), "{refused:?}");
    }

    #[test]
    fn a_newer_schema_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let connection = open(&path, &key(1), Kind::State, Access::Create).unwrap();
        connection.execute_batch("PRAGMA user_version = 9").unwrap();
        drop(connection);
        let refused = open(&path, &key(1), Kind::State, Access::ReadWrite);
        assert!(
            matches!(refused, Err(StoreError::Newer { found: 9, known: 2, .. })),
            "{refused:?}"
        );
    }

    #[test]
    fn a_file_that_is_there_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        std::fs::write(&path, b"something of value").unwrap();
        let refused = open(&path, &key(1), Kind::State, Access::Create);
        assert!(matches!(refused, Err(StoreError::Io(_))), "{refused:?}");
        assert_eq!(std::fs::read(&path).unwrap(), b"something of value");
    }

    #[test]
    fn a_plain_sqlite_file_is_not_taken_for_ours() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plain.db");
        #[expect(clippy::disallowed_methods, reason = "a plain file is what must be refused")]
        let plain = Connection::open(&path).unwrap();
        plain.execute_batch("CREATE TABLE a (b); INSERT INTO a VALUES (1);").unwrap();
        drop(plain);
        let refused = open(&path, &key(1), Kind::State, Access::Read);
        assert!(matches!(refused, Err(StoreError::Unreadable("state"))), "{refused:?}");
    }

    #[test]
    fn a_missing_database_is_missing_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none.db");
        let refused = open(&path, &key(1), Kind::State, Access::ReadWrite);
        assert!(matches!(refused, Err(StoreError::Missing("state"))), "{refused:?}");
        assert!(!path.exists());
    }

    #[test]
    fn a_database_that_another_program_holds_is_busy_and_not_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let holder = open(&path, &key(1), Kind::State, Access::Create).unwrap();
        holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let refused = open(&path, &key(1), Kind::State, Access::ReadWrite);
        assert!(matches!(refused, Err(StoreError::Busy)), "{refused:?}");
        holder.execute_batch("COMMIT").unwrap();
        assert!(open(&path, &key(1), Kind::State, Access::ReadWrite).is_ok());
    }

    #[test]
    fn a_first_page_that_is_damaged_or_cut_off_cannot_be_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        drop(open(&path, &key(1), Kind::State, Access::Create).unwrap());
        let whole = std::fs::read(&path).unwrap();
        for at in [0, 15, 16, 100, 2_000, 4_095] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, damaged).unwrap();
            let refused = open(&path, &key(1), Kind::State, Access::ReadWrite).map(drop);
            assert!(matches!(refused, Err(StoreError::Unreadable("state"))), "{at}: {refused:?}");
        }
        // SQLite takes less than a page for nothing yet, which is no state database either.
        for len in [0, 1, 100, 4_095] {
            std::fs::write(&path, &whole[..len]).unwrap();
            let refused = open(&path, &key(1), Kind::State, Access::ReadWrite).map(drop);
            assert!(
                matches!(
                    refused,
                    Err(StoreError::Unreadable("state") | StoreError::Foreign("state"))
                ),
                "{len}: {refused:?}"
            );
        }
    }
}
