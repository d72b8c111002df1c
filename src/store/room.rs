//! Whether a snapshot fits on the device, beside a reserve for records.

use std::path::Path;

use sync_format::v1::package::{Dataset, InnerManifest};

use super::StoreError;

/// Kept free, so that recording goes on whatever is loaded: 64 MiB are 100,000 records.
pub const RESERVE_BYTES: u64 = 64 << 20;

/// What an installation needs, and what there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    /// Bytes that it needs, the reserve included.
    pub needed: u64,
    /// Bytes that are free.
    pub free: u64,
}

impl Room {
    /// Returns the room in the folder `store` for the rows of a package, of which `written` bytes are
    /// there already.
    pub fn of(
        store: &Path,
        dataset: Dataset,
        inner: &InnerManifest,
        written: u64,
    ) -> Result<Room, StoreError> {
        let takes = takes(dataset, inner).saturating_sub(written);
        Ok(Room { needed: takes.saturating_add(RESERVE_BYTES), free: free(store)? })
    }

    /// Whether it fits.
    pub fn is_enough(self) -> bool {
        self.free >= self.needed
    }

    /// Refuses what does not fit.
    pub(super) fn require(self) -> Result<(), StoreError> {
        let Room { needed, free } = self;
        if self.is_enough() { Ok(()) } else { Err(StoreError::NoRoom { needed, free }) }
    }
}

/// A page of a database, bytes; SQLCipher's own choice.
const PAGE_BYTES: u64 = 4_096;

/// Returns how much the rows take in the database, rounded up.
fn takes(dataset: Dataset, inner: &InnerManifest) -> u64 {
    match dataset {
        Dataset::Register => inner.rows.saturating_mul(24),
        Dataset::Notices => inner.rows.saturating_mul(1_000),
        // From one kilobyte to a quarter of a megabyte: their bytes, what encryption adds to each
        // page (80 bytes), and a page for the last of each row.
        Dataset::Anchors => {
            let raw: u64 = inner.chunks.iter().map(|chunk| u64::from(chunk.raw_len)).sum();
            inner.rows.saturating_mul(PAGE_BYTES).saturating_add(raw).saturating_add(raw / 32)
        }
    }
}

/// Returns the bytes that are free for this program where `path` lies.
fn free(path: &Path) -> Result<u64, StoreError> {
    let system = rustix::fs::statvfs(path).map_err(std::io::Error::from)?;
    Ok(system.f_bavail.saturating_mul(system.f_frsize))
}

#[cfg(test)]
mod tests {
    use sync_format::v1::package::ChunkInfo;

    use super::*;

    /// So many rows, in one chunk of so many bytes.
    fn rows(rows: u64, raw_len: u32) -> InnerManifest {
        InnerManifest {
            package: [7; 16],
            regions: Vec::new(),
            tag_key: None,
            rows,
            chunks: vec![ChunkInfo { rows: 1, first: 1, last: 1, raw_len, raw_hash: [1; 32] }],
            counts: Vec::new(),
            withdrawn: Vec::new(),
        }
    }

    #[test]
    fn what_needs_more_than_is_free_is_refused_with_both_figures() {
        let folder = tempfile::tempdir().unwrap();
        let little = Room::of(folder.path(), Dataset::Register, &rows(1, 90), 0).unwrap();
        assert_eq!(little.needed, RESERVE_BYTES + 24);
        assert!(little.free > 0);
        assert!(Room { free: RESERVE_BYTES + 24, ..little }.require().is_ok());
        let much = Room::of(folder.path(), Dataset::Notices, &rows(u64::MAX, 90), 0).unwrap();
        let refused = much.require();
        assert!(
            matches!(refused, Err(StoreError::NoRoom { needed, free }) if needed > free),
            "{refused:?}"
        );
        let half = Room::of(folder.path(), Dataset::Notices, &rows(100, 90), 60_000).unwrap();
        assert_eq!(half.needed, RESERVE_BYTES + 40_000, "what is written already is not needed");
    }

    #[test]
    fn anchors_take_what_their_lengths_say() {
        let folder = tempfile::tempdir().unwrap();
        let room = Room::of(folder.path(), Dataset::Anchors, &rows(2, 320_000), 0).unwrap();
        assert_eq!(room.needed, RESERVE_BYTES + 320_000 + 10_000 + 8_192);
    }
}
