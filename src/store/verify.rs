//! Verifies an installed snapshot again, at any time after it was installed.
//!
//! The inner manifest names the SHA-256 of each chunk's canonical rows. They are read from the
//! database, encoded as headquarters did, and compared: whoever changed a row, or whatever damaged
//! it, is found, and which chunk it was. What the notices are found by follows from them, and is
//! compared too.

use std::path::Path;

use sync_format::codec;
use sync_format::v1::anchors::encode_anchors;
use sync_format::v1::notice::encode_notices;
use sync_format::v1::package::{ChunkInfo, Dataset, InnerManifest, sha256};
use sync_format::v1::register::encode_register;

use super::StoreError;
use super::anchors::Anchors;
use super::install::{Proceed, Progress, Stage};
use super::notices::Notices;
use super::register::Register;
use super::state::{Active, Part, State};

/// What was verified.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct VerifiedStore {
    /// Rows of the full list.
    pub base_rows: u64,
    /// Rows of the changes over it.
    pub overlay_rows: u64,
    /// Chunks of both.
    pub chunks: usize,
}

/// Why an installed snapshot is not what was signed, or could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum StoreFault {
    /// There is nothing to verify.
    #[error("nothing is installed")]
    NotInstalled,
    /// The rows of a chunk are not those that were signed.
    #[error("part {} of the {} is not what was signed", chunk + 1, part_word(*part))]
    Chunk {
        /// Which part of the dataset.
        part: Part,
        /// Which chunk of it, from 0.
        chunk: usize,
    },
    /// There are rows, or entries to find them by, that were not signed, or too few of them.
    #[error("the {} holds more or less than was signed", part_word(*part))]
    Count {
        /// Which part of the dataset.
        part: Part,
    },
    /// It was stopped.
    #[error("the verification was stopped")]
    Stopped,
    /// A database could not be read.
    #[error("the installed snapshot could not be read")]
    Store(#[from] StoreError),
}

impl StoreFault {
    /// Returns the part that is not what was signed, where that is what was found.
    pub fn changed_part(&self) -> Option<Part> {
        match self {
            StoreFault::Chunk { part, .. } | StoreFault::Count { part } => Some(*part),
            StoreFault::Store(_) | StoreFault::NotInstalled | StoreFault::Stopped => None,
        }
    }

    /// Returns a short name for screens and tests.
    pub fn code(&self) -> &'static str {
        match self {
            StoreFault::NotInstalled => "not-installed",
            StoreFault::Chunk { .. } => "chunk",
            StoreFault::Count { .. } => "count",
            StoreFault::Stopped => "stopped",
            StoreFault::Store(_) => "store",
        }
    }
}

fn part_word(part: Part) -> &'static str {
    match part {
        Part::Full => "list",
        Part::Overlay => "changes to the list",
    }
}

/// Verifies what is installed of `dataset` in the folder `store`: the full list and the changes.
pub fn verify(
    state: &State,
    store: &Path,
    dataset: Dataset,
    mut progress: impl FnMut(Progress) -> Proceed,
) -> Result<VerifiedStore, StoreFault> {
    let full = state.active(dataset)?.ok_or(StoreFault::NotInstalled)?;
    let overlay = state.overlay(dataset)?;
    let parts = [(Part::Full, Some(full)), (Part::Overlay, overlay)];
    let mut opened = Vec::new();
    for (part, active) in parts {
        let Some(active) = active else { continue };
        let inner: InnerManifest = codec::decode(codec::Kind::InnerManifest, &active.inner)
            .map_err(|_| StoreError::DamagedRow("state"))?;
        opened.push((part, Rows::open(store, dataset, part, &active)?, inner));
    }
    let mut at = Progress {
        stage: Stage::Active,
        rows: 0,
        of_rows: opened.iter().map(|(.., inner)| inner.rows).sum(),
        bytes: 0,
        of_bytes: opened
            .iter()
            .flat_map(|(.., inner)| &inner.chunks)
            .map(|chunk| u64::from(chunk.raw_len))
            .sum(),
    };
    let mut verified = VerifiedStore::default();
    for (part, rows, inner) in &opened {
        let mut index = (0, 0);
        for (number, chunk) in inner.chunks.iter().enumerate() {
            // A page that cannot be read is a part that is not what was signed.
            let (is_whole, entries) = match rows.verify(chunk) {
                Err(error) if error.is_damage() => (false, (0, 0)),
                verified => verified?,
            };
            if !is_whole {
                return Err(StoreFault::Chunk { part: *part, chunk: number });
            }
            index = (index.0 + entries.0, index.1 + entries.1);
            at.rows += u64::from(chunk.rows);
            at.bytes += u64::from(chunk.raw_len);
            if progress(at) == Proceed::Stop {
                return Err(StoreFault::Stopped);
            }
        }
        let is_all = match rows.hold_no_more(inner, *part, index) {
            Err(error) if error.is_damage() => false,
            verified => verified?,
        };
        if !is_all {
            return Err(StoreFault::Count { part: *part });
        }
        match part {
            Part::Full => verified.base_rows = inner.rows,
            Part::Overlay => verified.overlay_rows = inner.rows,
        }
        verified.chunks += inner.chunks.len();
    }
    Ok(verified)
}

/// The open database of one part.
enum Rows {
    Notices(Notices),
    Register(Register),
    Anchors(Anchors),
}

impl Rows {
    fn open(
        store: &Path,
        dataset: Dataset,
        part: Part,
        active: &Active,
    ) -> Result<Rows, StoreError> {
        let (path, key) = (store.join(&active.file), &active.key);
        Ok(match (dataset, part) {
            (Dataset::Register, Part::Full) => Rows::Register(Register::open(&path, key)?),
            (Dataset::Register, Part::Overlay) => {
                Rows::Register(Register::open_overlay(&path, key)?)
            }
            (Dataset::Notices, Part::Full) => Rows::Notices(Notices::open(&path, key)?),
            (Dataset::Notices, Part::Overlay) => Rows::Notices(Notices::open_overlay(&path, key)?),
            (Dataset::Anchors, Part::Full | Part::Overlay) => {
                Rows::Anchors(Anchors::open(&path, key)?)
            }
        })
    }

    /// Whether the rows of a chunk are those that were signed, and how many entries they have in
    /// the indexes.
    fn verify(&self, chunk: &ChunkInfo) -> Result<(bool, (u64, u64)), StoreError> {
        // One more than there may be, so that a row too many changes the hash.
        let most = chunk.rows as usize + 1;
        match self {
            Rows::Register(register) => {
                let rows = register.rows(chunk.first, chunk.last, most)?;
                let raw = encode_register(&rows);
                Ok((raw.is_ok_and(|raw| sha256(&raw) == chunk.raw_hash), (0, 0)))
            }
            Rows::Anchors(anchors) => {
                let rows = anchors.rows(chunk.first, chunk.last, most)?;
                let raw = encode_anchors(&rows);
                Ok((raw.is_ok_and(|raw| sha256(&raw) == chunk.raw_hash), (0, 0)))
            }
            Rows::Notices(notices) => {
                let rows = notices.rows(chunk.first, chunk.last, most)?;
                let is_signed =
                    encode_notices(&rows).is_ok_and(|raw| sha256(&raw) == chunk.raw_hash);
                let is_whole = is_signed && notices.is_indexed(&rows)?;
                Ok((is_whole, Notices::index_sizes_of(&rows)))
            }
        }
    }

    /// Whether there is nothing beside what was signed.
    fn hold_no_more(
        &self,
        inner: &InnerManifest,
        part: Part,
        index: (u64, u64),
    ) -> Result<bool, StoreError> {
        match self {
            Rows::Register(register) => Ok(register.count()? == inner.rows),
            Rows::Anchors(anchors) => Ok(anchors.count()? == inner.rows),
            Rows::Notices(notices) => {
                let replaced = match part {
                    Part::Full => true,
                    Part::Overlay => {
                        let mut expected = notices.ids()?;
                        expected.extend(&inner.withdrawn);
                        notices.replaced()?.into_iter().eq(expected)
                    }
                };
                Ok(replaced && notices.count()? == inner.rows && notices.index_sizes()? == index)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sync_format::v1::notice::Notice;
    use sync_format::v1::register::RegisterRow;

    use super::*;
    use crate::matching::testing::wanted;
    use crate::snapshot::testing::{
        anchors_package, notices_package, register_package, some_anchors,
    };
    use crate::store::testing::{Store, notices_delta, register_delta};
    use crate::store::{Access, Kind, open};

    fn found(store: &Store, dataset: Dataset) -> Result<VerifiedStore, StoreFault> {
        verify(&store.state, &store.path(), dataset, |_| Proceed::Continue)
    }

    /// Changes the database of a part as whoever has its key can.
    fn change(store: &Store, dataset: Dataset, part: Part, kind: Kind, sql: &str) {
        let active = store.state.part(dataset, part).unwrap().unwrap();
        let path = store.path().join(active.file);
        let connection = open(&path, &active.key, kind, Access::ReadWrite).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    fn a_register() -> Store {
        let mut store = Store::new();
        let row = |number: u64| RegisterRow { number: 48_000_000_000 + number, tags: 7 };
        let rows: Vec<RegisterRow> = (0..1_000).map(|at| row(at * 3)).collect();
        let full = store.install(&register_package(1, &rows)).unwrap();
        store.install(&register_delta(&full, 2, &[row(1), row(3)])).unwrap();
        store
    }

    fn some_certificates() -> Store {
        let mut store = Store::new();
        store.install(&anchors_package(1, &some_anchors())).unwrap();
        store
    }

    fn some_notices() -> Store {
        let mut store = Store::new();
        let rows: Vec<Notice> = (1..=50).map(|id| Notice { id, ..wanted() }).collect();
        let full = store.install(&notices_package(1, &rows)).unwrap();
        store.install(&notices_delta(&full, 2, &rows[..2], &[9])).unwrap();
        store
    }

    #[test]
    fn what_was_signed_is_verified_as_often_as_one_likes() {
        for _ in 0..2 {
            let expected = VerifiedStore { base_rows: 1_000, overlay_rows: 2, chunks: 2 };
            assert_eq!(found(&a_register(), Dataset::Register).unwrap(), expected);
            let expected = VerifiedStore { base_rows: 50, overlay_rows: 2, chunks: 2 };
            assert_eq!(found(&some_notices(), Dataset::Notices).unwrap(), expected);
            let expected = VerifiedStore { base_rows: 3, overlay_rows: 0, chunks: 1 };
            assert_eq!(found(&some_certificates(), Dataset::Anchors).unwrap(), expected);
        }
    }

    #[test]
    fn every_row_that_is_changed_added_or_taken_away_is_found() {
        let first = |part| Err(Some((part, Some(0))));
        let count = |part| Err(Some((part, None)));
        for (part, sql, expected) in [
            (
                Part::Full,
                "UPDATE register SET tags = 8 WHERE number = 48000000300",
                first(Part::Full),
            ),
            (Part::Full, "DELETE FROM register WHERE number = 48000000300", first(Part::Full)),
            (Part::Full, "INSERT INTO register VALUES (48000000001, 7)", first(Part::Full)),
            (Part::Full, "INSERT INTO register VALUES (1, 7)", count(Part::Full)),
            (Part::Overlay, "UPDATE register SET tags = 8", first(Part::Overlay)),
            (Part::Overlay, "INSERT INTO register VALUES (48000999999, 1)", count(Part::Overlay)),
        ] {
            let store = a_register();
            let kind = if part == Part::Full { Kind::Register } else { Kind::RegisterOverlay };
            change(&store, Dataset::Register, part, kind, sql);
            assert_eq!(told(found(&store, Dataset::Register)), expected, "{sql}");
        }
        for (sql, expected) in [
            ("UPDATE anchor SET der = x'3000' WHERE id = 2", first(Part::Full)),
            ("UPDATE anchor SET kind = 1 WHERE id = 2", first(Part::Full)),
            ("UPDATE anchor SET kind = 9 WHERE id = 2", first(Part::Full)),
            ("DELETE FROM anchor WHERE id = 2", first(Part::Full)),
            ("DELETE FROM anchor", first(Part::Full)),
            ("INSERT INTO anchor VALUES (4, 1, x'3000')", count(Part::Full)),
        ] {
            let store = some_certificates();
            change(&store, Dataset::Anchors, Part::Full, Kind::Anchors, sql);
            assert_eq!(told(found(&store, Dataset::Anchors)), expected, "{sql}");
        }
        for (part, sql, expected) in [
            (
                Part::Full,
                "UPDATE notice SET body = (SELECT body FROM notice WHERE id = 4)",
                first(Part::Full),
            ),
            (Part::Full, "UPDATE notice SET body = x'00' WHERE id = 4", first(Part::Full)),
            (Part::Full, "DELETE FROM notice WHERE id = 50", first(Part::Full)),
            (Part::Full, "DELETE FROM notice_number WHERE notice = 4", first(Part::Full)),
            (
                Part::Full,
                "UPDATE notice_name SET birth = 19700101 WHERE notice = 4",
                first(Part::Full),
            ),
            (Part::Full, "INSERT INTO notice_number VALUES ('001099000001', 4)", count(Part::Full)),
            (
                Part::Full,
                "INSERT INTO notice_name VALUES ('LE VAN A', 19700101, 4)",
                count(Part::Full),
            ),
            (Part::Overlay, "DELETE FROM replaced WHERE id = 9", count(Part::Overlay)),
            (Part::Overlay, "INSERT INTO replaced VALUES (10)", count(Part::Overlay)),
        ] {
            let store = some_notices();
            let kind = if part == Part::Full { Kind::Notices } else { Kind::NoticesOverlay };
            change(&store, Dataset::Notices, part, kind, sql);
            assert_eq!(told(found(&store, Dataset::Notices)), expected, "{sql}");
        }
    }

    /// The part that differs, and the chunk where one does.
    type Told = Result<(), Option<(Part, Option<usize>)>>;

    fn told(found: Result<VerifiedStore, StoreFault>) -> Told {
        match found {
            Ok(_) => Ok(()),
            Err(StoreFault::Chunk { part, chunk }) => Err(Some((part, Some(chunk)))),
            Err(StoreFault::Count { part }) => Err(Some((part, None))),
            Err(_) => Err(None),
        }
    }

    #[test]
    fn a_page_that_cannot_be_read_is_found_and_says_which_part() {
        let store = a_register();
        let active = store.state.active(Dataset::Register).unwrap().unwrap();
        let path = store.path().join(active.file);
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 100;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(told(found(&store, Dataset::Register)), Err(Some((Part::Full, Some(0)))));
    }
}
