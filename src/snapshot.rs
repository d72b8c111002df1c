//! Signed snapshots: what must hold before a package may answer anything.
//!
//! A package comes as [`Signed`]: bytes from a stick that anyone could have written. [`verify`]
//! walks the rules in order and gives [`Verified`], which is all that the store installs. The bulk
//! of a package is not signed itself: its chunks are named by hash in what is signed, so each is
//! checked by [`Verified::rows`] when it is read, before a decompressor or a decoder sees it.
//!
//! What this does not do: read files, ask for the time, or keep anything.

use std::io::Read;
use std::marker::PhantomData;

use sync_format::codec::DecodeError;
use sync_format::v1::anchors::{Anchor, decode_anchors};
use sync_format::v1::notice::{Notice, decode_notices};
use sync_format::v1::package::layout::{self, LayoutError, Sections};
use sync_format::v1::package::seal::{self, Part};
use sync_format::v1::package::{
    Dataset, Freshness, Grant, InnerManifest, Manifest, NATIONAL, PackageError, Purpose,
    SnapshotVersion, sha256,
};
use sync_format::v1::register::{RegisterRow, TOMBSTONE, decode_register, region_of};

pub mod build;
pub mod ceremony;
pub mod difference;
pub mod keyfile;
pub mod keyring;
pub mod line;
pub mod release;
pub mod source;
#[cfg(test)]
pub(crate) mod testing;
pub mod units;
pub mod verify;
pub mod withdrawal;

pub use verify::{Held, NewestRoot, Opener, Trust, verify};

/// The number of this program that a package's `min_app` is compared with; rises when a package
/// of today would be answered wrongly by a program of yesterday.
pub const APP: u32 = 1;

/// A snapshot's signed statements about itself; the rows stand in the chunks.
#[derive(Clone)]
pub struct Snapshot {
    /// What the outside of the package says.
    pub manifest: Manifest,
    /// What the inside says of the part that this unit may read: regions, rows, key ranges.
    pub inner: InnerManifest,
    /// How long it answers here: the stricter of the list's terms and the unit's.
    pub freshness: Freshness,
    /// Whether only a proven chip gives a clear answer here, by the list's terms or the unit's.
    pub chip_required: bool,
    /// The unit that the package was opened for.
    pub unit: u32,
    /// Whether the root is that of real use or of a demonstration.
    pub purpose: Purpose,
    /// The root document to trust once this snapshot is in use.
    pub root: NewestRoot,
    manifest_bytes: Vec<u8>,
    inner_bytes: Vec<u8>,
}

/// Shows nothing of the inner manifest's bytes, which hold the register's tag key.
impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot")
            .field("manifest", &self.manifest)
            .field("inner", &self.inner)
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}

impl Snapshot {
    /// Returns the manifest's bytes, as they were signed.
    pub fn manifest_bytes(&self) -> &[u8] {
        &self.manifest_bytes
    }

    /// Returns the bytes of [`Snapshot::inner`].
    pub fn inner_bytes(&self) -> &[u8] {
        &self.inner_bytes
    }
}

/// A package whose sections were found, and of which nothing is believed yet.
#[derive(Debug)]
pub struct Signed<T> {
    sections: Sections,
    of: PhantomData<T>,
}

impl Signed<Snapshot> {
    /// Reads the sections before the chunks; `reader` is left standing at the first chunk.
    ///
    /// Lengths are capped before anything is allocated.
    pub fn read(reader: &mut impl Read) -> Result<Signed<Snapshot>, Refusal> {
        let sections = layout::read_sections(reader)?;
        Ok(Signed { sections, of: PhantomData })
    }
}

/// Root, signatures, version, age and inner manifest have been checked; there is no other way to
/// make one than [`verify`].
#[derive(Debug)]
pub struct Verified<T> {
    content: T,
    /// Places in the manifest of the chunks that travel with the package.
    chunks: Vec<u32>,
    /// The keys that open them.
    grant: Grant,
}

/// The rows of one chunk.
#[derive(Debug)]
pub enum Rows {
    /// Notices, ascending by order number.
    Notices(Vec<Notice>),
    /// Register rows, ascending by number.
    Register(Vec<RegisterRow>),
    /// Certificates and revocation lists, ascending by place.
    Anchors(Vec<Anchor>),
}

impl Rows {
    /// Returns how many there are.
    pub fn count(&self) -> usize {
        match self {
            Rows::Notices(rows) => rows.len(),
            Rows::Register(rows) => rows.len(),
            Rows::Anchors(rows) => rows.len(),
        }
    }
}

impl Verified<Snapshot> {
    /// Returns the snapshot's statements about itself.
    pub fn snapshot(&self) -> &Snapshot {
        &self.content
    }

    /// Returns how many chunks travel with the package.
    pub fn chunk_count(&self) -> usize {
        self.chunks.len()
    }

    /// Returns the length in the package of the chunk at `position`, in bytes; 0 beyond the last.
    pub fn chunk_len(&self, position: usize) -> u64 {
        let index = self.chunks.get(position).map(|index| *index as usize);
        let chunk = index.and_then(|index| self.content.manifest.chunks.get(index));
        chunk.map_or(0, |chunk| u64::from(chunk.len))
    }

    /// Reads the chunk at `position` of those that travel, at which `reader` stands, and returns its
    /// rows.
    ///
    /// The order is the point: length and hash, *then* open, *then* decompress (output capped),
    /// *then* decode (limits, ascending keys), then compare with what the inner manifest promised.
    pub fn read_rows(&self, position: usize, reader: &mut impl Read) -> Result<Rows, Refusal> {
        let damaged = |why| Refusal::DamagedChunk { chunk: position, why };
        let manifest = &self.content.manifest;
        let (Some(index), Some(inner)) =
            (self.chunks.get(position), self.content.inner.chunks.get(position))
        else {
            return Err(damaged(ChunkFault::Missing));
        };
        let region = match manifest.dataset {
            Dataset::Register => region_of(inner.first),
            _ => NATIONAL,
        };
        let (Some(outer), Some(key)) =
            (manifest.chunks.get(*index as usize), self.grant.content_key(region))
        else {
            return Err(damaged(ChunkFault::Missing));
        };
        let sealed = layout::read_chunk(reader, outer).map_err(|error| match error {
            LayoutError::Io(error) => Refusal::Io(error),
            LayoutError::ChunkHash => damaged(ChunkFault::Hash),
            _ => damaged(ChunkFault::Missing),
        })?;
        let compressed = seal::open(&manifest.package, Part::Chunk(*index), key, &sealed)
            .map_err(|_| damaged(ChunkFault::Seal))?;
        let raw = layout::decompress(&compressed, inner.raw_len as usize)
            .map_err(|_| damaged(ChunkFault::Compression))?;
        if sha256(&raw) != inner.raw_hash {
            return Err(damaged(ChunkFault::RawHash));
        }
        let (rows, ends) = match manifest.dataset {
            Dataset::Notices => {
                let rows = decode_notices(&raw).map_err(|_| damaged(ChunkFault::Rows))?;
                let ends = ends(&rows, |notice| notice.id);
                (Rows::Notices(rows), ends)
            }
            Dataset::Register => {
                let rows = decode_register(&raw).map_err(|_| damaged(ChunkFault::Rows))?;
                // Only a delta takes rows away.
                if manifest.base.is_none() && rows.iter().any(|row| row.tags == TOMBSTONE) {
                    return Err(damaged(ChunkFault::Rows));
                }
                let ends = ends(&rows, |row| row.number);
                (Rows::Register(rows), ends)
            }
            Dataset::Anchors => {
                let rows = decode_anchors(&raw).map_err(|_| damaged(ChunkFault::Rows))?;
                let ends = ends(&rows, |anchor| anchor.id);
                (Rows::Anchors(rows), ends)
            }
        };
        if ends != (inner.rows as usize, Some(inner.first), Some(inner.last)) {
            return Err(damaged(ChunkFault::Range));
        }
        Ok(rows)
    }

    /// Checks that nothing follows the last chunk.
    pub fn expect_end(&self, reader: &mut impl Read) -> Result<(), Refusal> {
        layout::expect_end(reader).map_err(|error| match error {
            LayoutError::Io(error) => Refusal::Io(error),
            _ => Refusal::TrailingBytes,
        })
    }
}

/// Returns how many rows there are, and the first and last key.
fn ends<T>(rows: &[T], key: impl Fn(&T) -> u64) -> (usize, Option<u64>, Option<u64>) {
    (rows.len(), rows.first().map(&key), rows.last().map(&key))
}

/// What is wrong with a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ChunkFault {
    /// The package ends before the chunk does, or names fewer chunks.
    #[error("it is missing or cut off")]
    Missing,
    /// The bytes are not those that were signed.
    #[error("its hash differs")]
    Hash,
    /// It does not open with the key of its region.
    #[error("it does not open")]
    Seal,
    /// It does not decompress to the length that was signed.
    #[error("it does not decompress")]
    Compression,
    /// The rows are not those that were signed.
    #[error("the hash of its rows differs")]
    RawHash,
    /// The rows do not decode, or break a rule of their format.
    #[error("its rows do not decode")]
    Rows,
    /// The rows are not those that the inner manifest names.
    #[error("its rows are not those announced")]
    Range,
}

/// Why a package is not believed; what is installed goes on answering.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The file or stick could not be read.
    #[error("the package could not be read")]
    Io(#[source] std::io::Error),
    /// It is not a package, or not one that this program reads.
    #[error("this is not a snapshot package")]
    NotAPackage(#[source] LayoutError),
    /// A section before the chunks does not decode.
    #[error("the {section} does not decode")]
    Undecodable {
        /// Which section.
        section: &'static str,
        /// What the codec found.
        #[source]
        source: DecodeError,
    },
    /// The root document is not the one that this device trusts.
    #[error("the package was made under another root")]
    ForeignRoot,
    /// A root document does not follow the one before it.
    #[error("root document {found} stands where {expected} should")]
    RootVersion {
        /// Its version.
        found: u32,
        /// One more than the version before.
        expected: u32,
    },
    /// A root document has a lower epoch than the one before it.
    #[error("a root document goes back from epoch {before} to {found}")]
    EpochBack {
        /// Its epoch.
        found: u32,
        /// The epoch before.
        before: u32,
    },
    /// A root document names a key that proves nothing.
    #[error("the root document names a weak key of the {role}")]
    WeakKey {
        /// Whose.
        role: &'static str,
    },
    /// The chain holds no root document.
    #[error("the package holds no root document")]
    NoRoot,
    /// A document contradicts itself, or two contradict each other.
    #[error("the {section} is contradictory")]
    Contradictory {
        /// Which section.
        section: &'static str,
        /// What contradicts what.
        #[source]
        source: PackageError,
    },
    /// The root document has passed its end.
    #[error("the root document has expired")]
    RootExpired,
    /// Demonstration data on a device for real use, or the reverse.
    #[error("the package is for another purpose than this device")]
    WrongPurpose,
    /// Too few valid signatures of a role.
    #[error("{valid} of {needed} signatures of the {role} are valid")]
    Signatures {
        /// Whose signatures are missing.
        role: &'static str,
        /// How many are valid.
        valid: u8,
        /// How many the root document asks for.
        needed: u8,
    },
    /// A signature beside the valid ones that is nobody's who may sign, or damaged.
    #[error("a signature of the {section} is not valid")]
    StraySignature {
        /// Which section.
        section: &'static str,
    },
    /// The snapshot has passed its end; the installed one may be older and still answers hits.
    #[error("the snapshot has expired")]
    Expired,
    /// The snapshot was made later than this device can believe.
    #[error("the snapshot was made in the future")]
    FromTheFuture,
    /// The epoch is not that of the root.
    #[error("the snapshot is of epoch {found}, the root of epoch {root}")]
    WrongEpoch {
        /// The snapshot's.
        found: u32,
        /// The root's.
        root: u32,
    },
    /// It is older than what is installed, or the same.
    #[error("snapshot {} is not newer than the installed {}", offered.version, installed.version)]
    NotNewer {
        /// The version in the package.
        offered: SnapshotVersion,
        /// The floor of this device.
        installed: SnapshotVersion,
    },
    /// A delta to a full package that is not the installed one.
    #[error("the delta belongs to version {needed}, installed is {}", installed.map_or("none".to_owned(), |it| it.to_string()))]
    WrongBase {
        /// The version of the full package that it belongs to.
        needed: u64,
        /// The version of the one installed; the same version may have other contents.
        installed: Option<u64>,
    },
    /// A delta of the register whose tags are under another key than its base's.
    #[error("the delta's tags are under another key than the installed register's")]
    WrongTagKey,
    /// A dataset that this version does not know.
    #[error("this dataset is not supported by this version")]
    DatasetNotSupported,
    /// It needs a newer program.
    #[error("the snapshot needs application {needed}, this is {here}")]
    AppTooOld {
        /// What the package asks for.
        needed: u32,
        /// What this program is.
        here: u32,
    },
    /// The envelope is not the one that was signed.
    #[error("the envelope is not the one that was signed")]
    Envelope,
    /// It is sealed to other devices: to another unit, or this device was revoked.
    #[error("the package is not sealed to this device")]
    NotForThisDevice,
    /// The inner manifest is not the one that was signed, or does not open.
    #[error("the inner manifest is not the one that was signed")]
    Inner,
    /// A chunk is not what was signed.
    #[error("part {} is damaged: {why}", chunk + 1)]
    DamagedChunk {
        /// Which, from 0.
        chunk: usize,
        /// What is wrong.
        why: ChunkFault,
    },
    /// Bytes follow the last chunk.
    #[error("the package goes on after its last part")]
    TrailingBytes,
}

impl Refusal {
    /// Returns a short name for logs, screens and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Io(_) => "unreadable",
            Refusal::NotAPackage(_) => "not-a-package",
            Refusal::Undecodable { .. } => "undecodable",
            Refusal::ForeignRoot => "foreign-root",
            Refusal::RootVersion { .. } => "root-version",
            Refusal::EpochBack { .. } => "epoch-back",
            Refusal::WeakKey { .. } => "weak-key",
            Refusal::NoRoot => "no-root",
            Refusal::Contradictory { .. } => "contradictory",
            Refusal::RootExpired => "root-expired",
            Refusal::WrongPurpose => "wrong-purpose",
            Refusal::Signatures { .. } => "signatures",
            Refusal::StraySignature { .. } => "stray-signature",
            Refusal::Expired => "expired",
            Refusal::FromTheFuture => "from-the-future",
            Refusal::WrongEpoch { .. } => "wrong-epoch",
            Refusal::NotNewer { .. } => "not-newer",
            Refusal::WrongBase { .. } => "wrong-base",
            Refusal::WrongTagKey => "wrong-tag-key",
            Refusal::DatasetNotSupported => "dataset-not-supported",
            Refusal::AppTooOld { .. } => "app-too-old",
            Refusal::Envelope => "envelope",
            Refusal::NotForThisDevice => "not-for-this-device",
            Refusal::Inner => "inner",
            Refusal::DamagedChunk { .. } => "damaged-chunk",
            Refusal::TrailingBytes => "trailing-bytes",
        }
    }
}

impl From<LayoutError> for Refusal {
    fn from(error: LayoutError) -> Refusal {
        match error {
            LayoutError::Io(error) => Refusal::Io(error),
            other => Refusal::NotAPackage(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use sync_format::codec;

    use super::testing::{
        Draft, citizen_row, notices_package, open, read_whole, register_package, trust,
    };
    use super::*;
    use crate::matching::testing::{named, wanted};

    /// Reads a package of notices that was changed in one way, to its end.
    fn read_changed(change: impl FnOnce(&mut Draft)) -> Result<Vec<Rows>, Refusal> {
        let mut draft = Draft::notices();
        change(&mut draft);
        read_whole(&draft.encode(), &trust())
    }

    #[track_caller]
    fn assert_damaged(outcome: Result<Vec<Rows>, Refusal>, index: usize, fault: ChunkFault) {
        match outcome {
            Err(Refusal::DamagedChunk { chunk, why }) => assert_eq!((chunk, why), (index, fault)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_package_of_each_dataset_gives_the_rows_that_were_put_in() {
        let second = Notice { id: 1_300, ..named("Trần Thị Thử") };
        let package = notices_package(1, &[wanted(), second.clone()]);
        let rows = read_whole(&package, &trust()).unwrap();
        assert!(matches!(&rows[..], [Rows::Notices(rows)] if *rows == [wanted(), second]));

        let package = register_package(1, &[citizen_row()]);
        let rows = read_whole(&package, &trust()).unwrap();
        assert!(matches!(&rows[..], [Rows::Register(rows)] if *rows == [citizen_row()]));
    }

    #[test]
    fn what_is_signed_is_kept_as_it_was_signed() {
        let package = notices_package(1, &[wanted()]);
        let (verified, _) = open(&package, &trust()).unwrap();
        let snapshot = verified.snapshot();
        let manifest: Manifest =
            codec::decode(codec::Kind::Manifest, snapshot.manifest_bytes()).unwrap();
        assert_eq!(manifest, snapshot.manifest);
        let inner: InnerManifest =
            codec::decode(codec::Kind::InnerManifest, snapshot.inner_bytes()).unwrap();
        assert_eq!(inner, snapshot.inner);
        assert_eq!(snapshot.purpose, Purpose::Demo);
    }

    #[test]
    fn a_chunk_with_another_hash_is_never_decompressed() {
        // The last byte of the package is the last of its only chunk.
        for bit in 0..8 {
            let mut package = Draft::notices().encode();
            *package.last_mut().unwrap() ^= 1 << bit;
            assert_damaged(read_whole(&package, &trust()), 0, ChunkFault::Hash);
        }
    }

    #[test]
    fn a_chunk_that_is_cut_off_or_not_listed_is_missing() {
        let package = Draft::notices().encode();
        let cut = read_whole(&package[..package.len() - 1], &trust());
        assert_damaged(cut, 0, ChunkFault::Missing);
        let (verified, mut rest) = open(&package, &trust()).unwrap();
        let beyond = verified.read_rows(1, &mut rest).map(|rows| vec![rows]);
        assert_damaged(beyond, 1, ChunkFault::Missing);
    }

    #[test]
    fn a_signed_chunk_that_does_not_decompress_to_its_length_is_refused() {
        let no_frame = read_changed(|draft| draft.chunks[0] = b"these are no zstd frame".to_vec());
        assert_damaged(no_frame, 0, ChunkFault::Compression);
        let bomb = read_changed(|draft| draft.inner.chunks[0].raw_len -= 1);
        assert_damaged(bomb, 0, ChunkFault::Compression);
        let short = read_changed(|draft| draft.inner.chunks[0].raw_len += 1);
        assert_damaged(short, 0, ChunkFault::Compression);
    }

    #[test]
    fn rows_that_are_not_those_described_are_refused() {
        let hash = read_changed(|draft| draft.inner.chunks[0].raw_hash[0] ^= 1);
        assert_damaged(hash, 0, ChunkFault::RawHash);
        let garbage = read_changed(|draft| draft.set_chunk(0, b"these are no rows"));
        assert_damaged(garbage, 0, ChunkFault::Rows);
        let range = read_changed(|draft| {
            draft.inner.chunks[0].first += 1;
            draft.inner.chunks[0].last += 1;
        });
        assert_damaged(range, 0, ChunkFault::Range);
        let count = read_changed(|draft| {
            draft.inner.chunks[0].rows = 2;
            draft.inner.chunks[0].last += 1;
            draft.inner.rows = 2;
            draft.inner.counts[0].1 = 2;
        });
        assert_damaged(count, 0, ChunkFault::Range);
    }

    #[test]
    fn register_rows_are_checked_like_notices() {
        let read = |change: fn(&mut Draft)| {
            let mut draft = Draft::register();
            change(&mut draft);
            read_whole(&draft.encode(), &trust())
        };
        let garbage = read(|draft| draft.set_chunk(0, b"these are no rows"));
        assert_damaged(garbage, 0, ChunkFault::Rows);
        let range = read(|draft| {
            draft.inner.chunks[0].first -= 1;
            draft.inner.chunks[0].last -= 1;
        });
        assert_damaged(range, 0, ChunkFault::Range);
    }

    #[test]
    fn the_second_chunk_is_named_when_it_is_the_damaged_one() {
        let (first, second) = (wanted(), Notice { id: 2_000, ..wanted() });
        let draft = Draft::notices().with_chunks(&[&[first], &[second]]);
        let mut package = draft.encode();
        *package.last_mut().unwrap() ^= 0x10;
        assert_damaged(read_whole(&package, &trust()), 1, ChunkFault::Hash);
    }

    #[test]
    fn nothing_follows_the_last_chunk() {
        let mut package = Draft::notices().encode();
        package.push(0);
        let refused = read_whole(&package, &trust());
        assert!(matches!(refused, Err(Refusal::TrailingBytes)), "{refused:?}");
    }

    #[test]
    fn a_reader_that_breaks_is_no_damage_of_the_package() {
        /// A stick that is pulled out.
        struct Pulled;
        impl Read for Pulled {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::from(std::io::ErrorKind::PermissionDenied))
            }
        }
        let refused = Signed::read(&mut Pulled).map(drop);
        assert!(matches!(refused, Err(Refusal::Io(_))), "{refused:?}");
        let package = Draft::notices().encode();
        let (verified, _) = open(&package, &trust()).unwrap();
        let refused = verified.read_rows(0, &mut Pulled).map(drop);
        assert!(matches!(refused, Err(Refusal::Io(_))), "{refused:?}");
        let refused = verified.expect_end(&mut Pulled);
        assert!(matches!(refused, Err(Refusal::Io(_))), "{refused:?}");
    }
}
