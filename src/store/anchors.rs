//! One installed snapshot of the anchors: the certificates and revocation lists that a chip is proven
//! by. They are always read whole, since a chain may go through any of them.

use std::path::Path;

use rusqlite::{Connection, params};
use sync_format::v1::anchors::{Anchor, AnchorKind};

use super::{Access, Kind, StoreError};
use crate::keys::SecretKey;

/// The open anchors.
#[derive(Debug)]
pub struct Anchors {
    connection: Connection,
}

impl Anchors {
    /// Opens an installed snapshot.
    ///
    /// # Errors
    ///
    /// Those of [`super::open`].
    pub fn open(path: &Path, key: &SecretKey) -> Result<Anchors, StoreError> {
        Ok(Anchors { connection: super::open(path, key, Kind::Anchors, Access::Read)? })
    }

    /// Returns all anchors, in the order of the list.
    ///
    /// # Errors
    ///
    /// [`StoreError::DamagedRow`] for a kind that there is not; what the database refuses.
    pub fn all(&self) -> Result<Vec<Anchor>, StoreError> {
        // The bounds of what SQLite holds, so that no row is passed over, whatever its place.
        self.rows(i64::MIN.cast_unsigned(), i64::MAX.cast_unsigned(), usize::MAX)
    }

    /// Returns the anchors whose places are from `first` to `last`, ascending; at most `most`.
    pub(super) fn rows(
        &self,
        first: u64,
        last: u64,
        most: usize,
    ) -> Result<Vec<Anchor>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, kind, der FROM anchor WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?",
        )?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let bounds = params![first.cast_signed(), last.cast_signed(), most];
        let mut rows = statement.query(bounds)?;
        let mut anchors = Vec::new();
        while let Some(row) = rows.next()? {
            let kind = u8::try_from(row.get::<_, i64>(1)?).ok().and_then(AnchorKind::from_number);
            anchors.push(Anchor {
                id: row.get::<_, i64>(0)?.cast_unsigned(),
                kind: kind.ok_or(StoreError::DamagedRow("anchors"))?,
                der: row.get(2)?,
            });
        }
        Ok(anchors)
    }

    /// Returns the number of anchors.
    ///
    /// # Errors
    ///
    /// What the database refuses.
    pub fn count(&self) -> Result<u64, StoreError> {
        Ok(self
            .connection
            .query_row("SELECT count(*) FROM anchor", [], |row| row.get::<_, i64>(0))?
            .cast_unsigned())
    }
}

/// Writes rows into a snapshot that is being built.
pub(super) fn insert(connection: &Connection, rows: &[Anchor]) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached("INSERT INTO anchor VALUES (?, ?, ?)")?;
    for Anchor { id, kind, der } in rows {
        statement.execute(params![id.cast_signed(), kind.number(), der])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::testing::some_anchors;

    #[test]
    fn anchors_are_read_whole_and_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let (path, key) = (folder.path().join("anchors.db"), SecretKey::new(&[1; 32]));
        let connection = crate::store::open(&path, &key, Kind::Anchors, Access::Create).unwrap();
        let rows = some_anchors();
        insert(&connection, &rows).unwrap();
        drop(connection);
        let anchors = Anchors::open(&path, &key).unwrap();
        assert_eq!(anchors.all().unwrap(), rows);
        assert_eq!(anchors.count().unwrap(), rows.len() as u64);
        assert_eq!(anchors.rows(2, 3, 9).unwrap(), rows[1..3]);
        assert_eq!(anchors.rows(1, 3, 1).unwrap(), rows[..1]);
    }

    #[test]
    fn a_kind_that_no_program_wrote_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        let (path, key) = (folder.path().join("anchors.db"), SecretKey::new(&[1; 32]));
        for kind in ["3", "0", "-1", "257"] {
            std::fs::remove_file(&path).unwrap_or_default();
            let connection =
                crate::store::open(&path, &key, Kind::Anchors, Access::Create).unwrap();
            let sql = format!("INSERT INTO anchor VALUES (1, {kind}, x'3000')");
            connection.execute_batch(&sql).unwrap();
            drop(connection);
            let refused = Anchors::open(&path, &key).unwrap().all();
            assert!(matches!(refused, Err(StoreError::DamagedRow("anchors"))), "{refused:?}");
        }
    }
}
