//! Verifies an installed snapshot again, at any time after it was installed.
//!
//! The inner manifest names the SHA-256 of each chunk's canonical rows. They are read from the
//! database, encoded as headquarters did, and compared: whoever changed a row, or whatever damaged
//! it, is found, and which chunk it was. What the notices are found by follows from them, and is
//! compared too.

use std::path::Path;

use sync_format::codec;
use sync_format::v1::notice::encode_notices;
use sync_format::v1::package::{ChunkInfo, Dataset, InnerManifest, sha256};
use sync_format::v1::register::encode_register;

use super::StoreError;
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
            let (is_whole, entries) = rows.verify(chunk)?;
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
        if !rows.hold_no_more(inner, *part, index)? {
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
            (_, Part::Full) => Rows::Notices(Notices::open(&path, key)?),
            (_, Part::Overlay) => Rows::Notices(Notices::open_overlay(&path, key)?),
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
            Rows::Notices(notices) => {
                // A body that does not decode is a row that was changed.
                let rows = match notices.rows(chunk.first, chunk.last, most) {
                    Err(StoreError::DamagedRow(_)) => return Ok((false, (0, 0))),
                    rows => rows?,
                };
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
