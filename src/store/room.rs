//! Whether a snapshot fits on the device, beside a reserve for records.

use std::path::Path;

use sync_format::v1::package::Dataset;

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
    /// Returns the room in the folder `store` for `rows` rows, of which `written` bytes are there
    /// already.
    pub fn of(store: &Path, dataset: Dataset, rows: u64, written: u64) -> Result<Room, StoreError> {
        let takes = rows.saturating_mul(bytes_per_row(dataset)).saturating_sub(written);
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

/// Returns how much a row takes in the database, rounded up.
fn bytes_per_row(dataset: Dataset) -> u64 {
    match dataset {
        Dataset::Register => 24,
        Dataset::Notices | Dataset::Anchors => 1_000,
    }
}

/// Returns the bytes that are free for this program where `path` lies.
fn free(path: &Path) -> Result<u64, StoreError> {
    let system = rustix::fs::statvfs(path).map_err(std::io::Error::from)?;
    Ok(system.f_bavail.saturating_mul(system.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_more_than_is_free_is_refused_with_both_figures() {
        let folder = tempfile::tempdir().unwrap();
        let little = Room::of(folder.path(), Dataset::Register, 1, 0).unwrap();
        assert_eq!(little.needed, RESERVE_BYTES + 24);
        assert!(little.free > 0);
        assert!(Room { free: RESERVE_BYTES + 24, ..little }.require().is_ok());
        let much = Room::of(folder.path(), Dataset::Notices, u64::MAX, 0).unwrap();
        let refused = much.require();
        assert!(
            matches!(refused, Err(StoreError::NoRoom { needed, free }) if needed > free),
            "{refused:?}"
        );
        let half = Room::of(folder.path(), Dataset::Notices, 100, 60_000).unwrap();
        assert_eq!(half.needed, RESERVE_BYTES + 40_000, "what is written already is not needed");
    }
}
