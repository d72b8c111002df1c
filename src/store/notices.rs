//! One installed snapshot of the notices: written once, then asked by number and by name.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};
use sync_format::v1::date::PartialDate;
use sync_format::v1::notice::{Notice, decode_notices, encode_notices};

use super::{Access, Kind, StoreError};
use crate::document::fold;
use crate::keys::SecretKey;

/// As many notices are given for one person; a name that is listed more often needs a number.
pub const MAX_CANDIDATES: usize = 32;

/// The open notices.
#[derive(Debug)]
pub struct Notices {
    connection: Connection,
}

impl Notices {
    /// Opens an installed snapshot.
    pub fn open(path: &Path, key: &SecretKey) -> Result<Notices, StoreError> {
        Ok(Notices { connection: super::open(path, key, Kind::Notices, Access::Read)? })
    }

    /// Returns the notices that hold one of `numbers`, or one of `names` with its birth date;
    /// each once, at most [`MAX_CANDIDATES`], ascending by order number.
    ///
    /// Numbers are text without spaces, names are folded. A birth date is compared as it is known:
    /// a notice that knows the year alone is not found by a full date, since a name and a year are
    /// shared by every fourth person (measured on invented lists).
    pub fn find<'a>(
        &self,
        numbers: impl IntoIterator<Item = &'a str>,
        names: impl IntoIterator<Item = (&'a str, PartialDate)>,
    ) -> Result<Vec<Notice>, StoreError> {
        let mut ids = BTreeSet::new();
        let mut by_number = self
            .connection
            .prepare_cached("SELECT notice FROM notice_number WHERE number = ? LIMIT ?")?;
        for number in numbers {
            let rows = by_number
                .query_map(params![number, MAX_CANDIDATES as i64], |row| row.get::<_, i64>(0))?;
            for id in rows {
                ids.insert(id?);
            }
        }
        let mut by_name = self.connection.prepare_cached(
            "SELECT notice FROM notice_name WHERE name = ? AND birth = ? LIMIT ?",
        )?;
        for (name, birth) in names {
            let rows = by_name
                .query_map(params![name, packed(birth), MAX_CANDIDATES as i64], |row| {
                    row.get::<_, i64>(0)
                })?;
            for id in rows {
                ids.insert(id?);
            }
        }
        let mut body =
            self.connection.prepare_cached("SELECT body FROM notice WHERE id = ?")?;
        let mut found = Vec::with_capacity(ids.len().min(MAX_CANDIDATES));
        for id in ids.into_iter().take(MAX_CANDIDATES) {
            let bytes: Vec<u8> = body.query_row(params![id], |row| row.get(0))?;
            let rows = decode_notices(&bytes).map_err(|_| StoreError::DamagedRow("notices"))?;
            found.extend(rows);
        }
        Ok(found)
    }

    /// Returns the notice with this order number.
    pub fn get(&self, id: u64) -> Result<Option<Notice>, StoreError> {
        let bytes: Option<Vec<u8>> = self
            .connection
            .prepare_cached("SELECT body FROM notice WHERE id = ?")?
            .query_row(params![id.cast_signed()], |row| row.get(0))
            .optional()?;
        let Some(bytes) = bytes else { return Ok(None) };
        let rows = decode_notices(&bytes).map_err(|_| StoreError::DamagedRow("notices"))?;
        Ok(rows.into_iter().next())
    }

    /// Returns the number of notices.
    pub fn count(&self) -> Result<u64, StoreError> {
        Ok(self
            .connection
            .query_row("SELECT count(*) FROM notice", [], |row| row.get::<_, i64>(0))?
            .cast_unsigned())
    }
}

/// Writes rows into a snapshot that is being built.
pub(super) fn insert(connection: &Connection, rows: &[Notice]) -> Result<(), StoreError> {
    let mut notice = connection.prepare_cached("INSERT INTO notice VALUES (?, ?)")?;
    let mut number = connection.prepare_cached("INSERT INTO notice_number VALUES (?, ?)")?;
    // A notice may name the same person twice under names that fold to one.
    let mut name = connection.prepare_cached("INSERT OR IGNORE INTO notice_name VALUES (?, ?, ?)")?;
    for row in rows {
        let id = row.id.cast_signed();
        let body = encode_notices(std::slice::from_ref(row))
            .map_err(|_| StoreError::DamagedRow("notices"))?;
        notice.execute(params![id, body])?;
        for (at, entry) in row.numbers.iter().enumerate() {
            if !row.numbers[..at].iter().any(|earlier| earlier.text == entry.text) {
                number.execute(params![entry.text, id])?;
            }
        }
        for text in std::iter::once(&row.name).chain(&row.aliases) {
            let folded = fold(text);
            if !folded.is_empty() {
                name.execute(params![folded, packed(row.birth), id])?;
            }
        }
    }
    Ok(())
}

/// Returns a birth date as yyyymmdd, unknown parts as zeros.
fn packed(date: PartialDate) -> u32 {
    u32::from(date.year()) * 10_000 + u32::from(date.month()) * 100 + u32::from(date.day())
}
