//! One installed snapshot of the register: numbers and tags, asked by exact number only.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};
use sync_format::v1::register::RegisterRow;

use super::{Access, Kind, StoreError};
use crate::keys::SecretKey;

/// The open register.
#[derive(Debug)]
pub struct Register {
    connection: Connection,
}

impl Register {
    /// Opens an installed snapshot.
    pub fn open(path: &Path, key: &SecretKey) -> Result<Register, StoreError> {
        Ok(Register { connection: super::open(path, key, Kind::Register, Access::Read)? })
    }

    /// Returns the row of `number`, or `None` where the register does not hold it.
    pub fn find(&self, number: u64) -> Result<Option<RegisterRow>, StoreError> {
        let tags: Option<u32> = self
            .connection
            .prepare_cached("SELECT tags FROM register WHERE number = ?")?
            .query_row(params![number.cast_signed()], |row| row.get(0))
            .optional()?;
        Ok(tags.map(|tags| RegisterRow { number, tags }))
    }

    /// Returns the number of rows.
    pub fn count(&self) -> Result<u64, StoreError> {
        Ok(self
            .connection
            .query_row("SELECT count(*) FROM register", [], |row| row.get::<_, i64>(0))?
            .cast_unsigned())
    }
}

/// Writes rows into a snapshot that is being built.
pub(super) fn insert(connection: &Connection, rows: &[RegisterRow]) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached("INSERT INTO register VALUES (?, ?)")?;
    for row in rows {
        statement.execute(params![row.number.cast_signed(), row.tags])?;
    }
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
}
