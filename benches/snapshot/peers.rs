//! What the program is compared with: the least that does the same thing without it.

use std::fs::File;
use std::path::Path;

use anyhow::Context as _;
use fieldcheck::document::{PersonalNumber, fold};
use fieldcheck::keys::SecretKey;
use fieldcheck::store::{self, Access, Kind};
use rusqlite::{Connection, OptionalExtension as _, params};
use sync_format::v1::date::{Date, PartialDate};
use sync_format::v1::register::{RegisterRow, Status, TOMBSTONE};

use super::nation::Day;

fn key() -> SecretKey {
    SecretKey::new(&[1; 32])
}

/// Reads a register's CSV, every cell into its type, and keeps nothing. Returns the rows.
pub fn parse_csv(path: &Path, names: Names) -> anyhow::Result<u64> {
    let mut csv = csv::Reader::from_reader(File::open(path)?);
    let mut record = csv::StringRecord::new();
    let mut rows = 0;
    while csv.read_record(&mut record)? {
        let cell = |at: usize| record.get(at).context("a row of five cells");
        let number = PersonalNumber::parse(cell(0)?).context("a number")?;
        let name = match names {
            Names::AsTheyStand => cell(1)?.len(),
            Names::Folded => fold(cell(1)?).len(),
        };
        let birth = match cell(2)? {
            day if day.len() == 10 => PartialDate::from(day.parse::<Date>()?),
            year => PartialDate::new(year.parse()?, 0, 0).context("a year")?,
        };
        let issued = Some(cell(3)?).filter(|cell| !cell.is_empty());
        let issued = issued.map(str::parse::<Date>).transpose()?;
        let status: Status = cell(4)?.parse()?;
        std::hint::black_box((number, name, birth, issued, status));
        rows += 1;
    }
    Ok(rows)
}

/// How far names are taken.
#[derive(Clone, Copy)]
pub enum Names {
    /// As the bytes of the cell.
    AsTheyStand,
    /// To the plain letters that are sealed.
    Folded,
}

/// Puts sorted rows into a new encrypted database in one transaction, and waits for the disk.
pub fn insert(path: &Path, rows: &[RegisterRow]) -> anyhow::Result<()> {
    let connection = store::open(path, &key(), Kind::Register, Access::Create)?;
    connection.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
         PRAGMA cache_size = -32768; BEGIN;",
    )?;
    let mut statement = connection.prepare("INSERT INTO register VALUES (?, ?)")?;
    for row in rows {
        statement.execute(params![row.number.cast_signed(), row.tags])?;
    }
    connection.execute_batch("COMMIT")?;
    drop(statement);
    drop(connection);
    Ok(File::open(path)?.sync_all()?)
}

/// Changes that database in place as [`Day`] says, in one transaction and in the order of the numbers,
/// so that no page is written twice, and waits for the disk.
pub fn change_in_place(path: &Path, day: &Day) -> anyhow::Result<()> {
    let mut connection = store::open(path, &key(), Kind::Register, Access::ReadWrite)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -32768;",
    )?;
    let transaction = connection.transaction()?;
    {
        let mut set = transaction.prepare("INSERT OR REPLACE INTO register VALUES (?, ?)")?;
        let mut delete = transaction.prepare("DELETE FROM register WHERE number = ?")?;
        for row in day.rows() {
            let number = row.number.cast_signed();
            match row.tags {
                TOMBSTONE => delete.execute(params![number])?,
                tags => set.execute(params![number, tags])?,
            };
        }
    }
    transaction.commit()?;
    // The log goes back into the file sooner or later.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    drop(connection);
    Ok(File::open(path)?.sync_all()?)
}

/// One statement that finds a row by its number.
pub struct LookUp {
    connection: Connection,
}

impl LookUp {
    /// Opens a database that [`insert`] wrote.
    pub fn open(path: &Path) -> anyhow::Result<LookUp> {
        Ok(LookUp { connection: store::open(path, &key(), Kind::Register, Access::Read)? })
    }

    pub fn statement(&self) -> anyhow::Result<rusqlite::Statement<'_>> {
        Ok(self.connection.prepare("SELECT tags FROM register WHERE number = ?")?)
    }
}

/// Asks for one number.
pub fn find(statement: &mut rusqlite::Statement<'_>, number: u64) -> rusqlite::Result<Option<u32>> {
    statement.query_row(params![number.cast_signed()], |row| row.get(0)).optional()
}
