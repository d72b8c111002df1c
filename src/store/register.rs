//! One installed snapshot of the register: numbers and tags, asked by exact number only.
//!
//! Changes since the full list lie in a small file of their own, which is asked first: what it says
//! of a number, a tombstone included, comes in the place of what the full list says.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Statement, params};
use sync_format::v1::register::{RegisterRow, TOMBSTONE};

use super::{Access, Kind, StoreError};
use crate::keys::SecretKey;

/// The open register.
#[derive(Debug)]
pub struct Register {
    connection: Connection,
    /// The statement that finds a row.
    find: &'static str,
}

const IN_LIST: &str = "SELECT tags FROM main.register WHERE number = ?1";

/// SQLite answers the parts of a UNION ALL in their order and stops at the limit, so that a number
/// with a change costs one search, and one without two.
const IN_BOTH: &str = "SELECT tags FROM overlay.register WHERE number = ?1
     UNION ALL SELECT tags FROM main.register WHERE number = ?1 LIMIT 1";

impl Register {
    /// Opens an installed snapshot.
    pub fn open(path: &Path, key: &SecretKey) -> Result<Register, StoreError> {
        let connection = super::open(path, key, Kind::Register, Access::Read)?;
        Ok(Register { connection, find: IN_LIST })
    }

    /// Opens changes alone, as what they are: to be probed and verified.
    pub fn open_overlay(path: &Path, key: &SecretKey) -> Result<Register, StoreError> {
        let connection = super::open(path, key, Kind::RegisterOverlay, Access::Read)?;
        Ok(Register { connection, find: IN_LIST })
    }

    /// Lays changes over the snapshot.
    pub fn lay_over(&mut self, path: &Path, key: &SecretKey) -> Result<(), StoreError> {
        super::attach_overlay(&self.connection, path, key, Kind::RegisterOverlay)?;
        self.find = IN_BOTH;
        Ok(())
    }

    /// Asks the full list alone from now on.
    pub fn lay_bare(&mut self) {
        self.find = IN_LIST;
    }

    /// Whether every page of the full list can be read.
    pub fn is_readable(&self) -> bool {
        self.count().is_ok()
    }

    /// Returns the row of `number`, or `None` where the register does not hold it.
    pub fn find(&self, number: u64) -> Result<Option<RegisterRow>, StoreError> {
        let row = self.find_stored(number)?;
        Ok(row.filter(|row| row.tags != TOMBSTONE))
    }

    /// Returns the row of `number` as it is stored: a tombstone too.
    pub(super) fn find_stored(&self, number: u64) -> Result<Option<RegisterRow>, StoreError> {
        let tags: Option<u32> = self
            .connection
            .prepare_cached(self.find)?
            .query_row(params![number.cast_signed()], |row| row.get(0))
            .optional()?;
        Ok(tags.map(|tags| RegisterRow { number, tags }))
    }

    /// Returns the rows of the full list from `first` to `last`, ascending; at most `most`.
    pub(super) fn rows(
        &self,
        first: u64,
        last: u64,
        most: usize,
    ) -> Result<Vec<RegisterRow>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, tags FROM main.register WHERE number BETWEEN ? AND ?
             ORDER BY number LIMIT ?",
        )?;
        let bounds = params![first.cast_signed(), last.cast_signed(), most as i64];
        let rows = statement.query_map(bounds, |row| {
            let number = row.get::<_, i64>(0)?.cast_unsigned();
            Ok(RegisterRow { number, tags: row.get(1)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the number of rows of the full list.
    pub fn count(&self) -> Result<u64, StoreError> {
        Ok(self
            .connection
            .query_row("SELECT count(*) FROM main.register", [], |row| row.get::<_, i64>(0))?
            .cast_unsigned())
    }
}

/// Writes rows into a snapshot that is being built.
pub(super) fn insert(connection: &Connection, rows: &[RegisterRow]) -> Result<(), StoreError> {
    let mut many = connection.prepare_cached(&insertion(ROWS_A_STATEMENT))?;
    let mut groups = rows.chunks_exact(ROWS_A_STATEMENT);
    for group in &mut groups {
        write(&mut many, group)?;
    }
    let mut one = connection.prepare_cached(&insertion(1))?;
    groups.remainder().iter().try_for_each(|row| write(&mut one, std::slice::from_ref(row)))
}

/// Rows that one statement writes: what it costs to begin and end one is as much as a row or two.
const ROWS_A_STATEMENT: usize = 64;

/// Returns the statement that writes this many rows.
fn insertion(rows: usize) -> String {
    format!("INSERT INTO register VALUES {}", vec!["(?, ?)"; rows].join(", "))
}

fn write(statement: &mut Statement<'_>, rows: &[RegisterRow]) -> Result<(), StoreError> {
    for (at, row) in rows.iter().enumerate() {
        statement.raw_bind_parameter(2 * at + 1, row.number.cast_signed())?;
        statement.raw_bind_parameter(2 * at + 2, row.tags)?;
    }
    statement.raw_execute()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_by_its_exact_number_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("register.db");
        let key = SecretKey::new(&[1; 32]);
        let rows = [7, 48_088_999_901, 999_999_999_999]
            .map(|number| RegisterRow { number, tags: (number % 1_000) as u32 });
        let connection = crate::store::open(&path, &key, Kind::Register, Access::Create).unwrap();
        insert(&connection, &rows).unwrap();
        drop(connection);

        let register = Register::open(&path, &key).unwrap();
        assert_eq!(register.count().unwrap(), 3);
        for row in rows {
            assert_eq!(register.find(row.number).unwrap(), Some(row));
            assert_eq!(register.find(row.number - 1).unwrap(), None);
        }
    }

    #[test]
    fn a_change_comes_in_the_place_of_the_row_and_a_tombstone_takes_it_away() {
        let folder = tempfile::tempdir().unwrap();
        let key = SecretKey::new(&[1; 32]);
        let row = |number, tags| RegisterRow { number, tags };
        let write = |name: &str, kind, rows: &[RegisterRow]| {
            let path = folder.path().join(name);
            let connection = crate::store::open(&path, &key, kind, Access::Create).unwrap();
            insert(&connection, rows).unwrap();
            path
        };
        let list = write("list.db", Kind::Register, &[row(1, 10), row(2, 20), row(3, 30)]);
        let changes = [row(2, 21), row(3, TOMBSTONE), row(4, 41), row(5, TOMBSTONE)];
        let overlay = write("overlay.db", Kind::RegisterOverlay, &changes);

        let mut register = Register::open(&list, &key).unwrap();
        assert_eq!(register.find(3).unwrap(), Some(row(3, 30)));
        register.lay_over(&overlay, &key).unwrap();
        for (number, expected) in
            [(1, Some(10)), (2, Some(21)), (3, None), (4, Some(41)), (5, None), (6, None)]
        {
            let found = register.find(number).unwrap().map(|row| row.tags);
            assert_eq!(found, expected, "{number}");
        }
        assert_eq!(register.count().unwrap(), 3, "the list below is as it was signed");
    }
}
