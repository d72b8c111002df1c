//! Snapshot packages: who may sign what ([`Root`]), what a package is ([`Manifest`], for everybody
//! to see) and what is in it ([`InnerManifest`], sealed once sealing comes).
//!
//! Terms are those of The Update Framework. The types here check themselves (`validate`): what can
//! be seen from the bytes alone. Not here: signatures, expiry and versions, which need keys, a time
//! and the state of a device. The bytes of a package file are in [`layout`].

pub mod layout;

use std::collections::BTreeSet;
use std::fmt;

use bincode::{Decode, Encode};
use sha2::{Digest, Sha256};

use super::notice::Category;
use super::register::NUMBER_END;
use crate::codec::{self, DecodeError, EncodeError, Kind};
use crate::limits;

numbered! {
    /// What a package carries.
    pub enum Dataset, "dataset" {
        /// Notices: national, small, many times a day.
        Notices = 1, "notices";
        /// The tagged register, by region.
        Register = 2, "register";
        /// Certificates and revocation lists for chips; reserved.
        Anchors = 3, "anchors";
    }
}

numbered! {
    /// Whether a root is meant for real lists.
    pub enum Purpose, "purpose" {
        /// Real lists; a production build knows the hash of its root.
        Production = 1, "production";
        /// Invented people; every screen says so.
        Demo = 2, "demo";
    }
}

numbered! {
    /// What a key may sign.
    pub enum Role, "role" {
        /// Writes the list of notices.
        NoticesAuthor = 1, "notices-author";
        /// Approves the list of notices; its keys are none of the author's.
        NoticesApprover = 2, "notices-approver";
        /// Signs the register.
        Register = 3, "register";
        /// Enrols devices; reserved.
        Enrol = 4, "enrol";
        /// Acknowledges records; reserved.
        Acknowledge = 5, "acknowledge";
        /// Signs certificates for chips; reserved.
        Anchors = 6, "anchors";
    }
}

/// The order of packages of a dataset: a new root's epoch comes before any version.
///
/// `Display` shows the version alone, which is what people compare.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub struct SnapshotVersion {
    /// The root's epoch.
    pub epoch: u32,
    /// Strictly rising within the epoch.
    pub version: u64,
}

impl fmt::Display for SnapshotVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.version.fmt(f)
    }
}

/// Keys of which a number must sign.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct KeySet {
    /// How many different keys must sign.
    pub threshold: u8,
    /// Ed25519 public keys.
    pub keys: Vec<[u8; 32]>,
}

/// The keys of a role.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct RoleKeys {
    /// What they may sign.
    pub role: Role,
    /// The keys.
    pub keys: KeySet,
}

/// The root document: from its keys all trust follows.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Root {
    /// Real or invented.
    pub purpose: Purpose,
    /// Raised by a rotation that resets versions.
    pub epoch: u32,
    /// Rises by one with every root, from 1.
    pub root_version: u32,
    /// Unix time in seconds after which the root is not trusted.
    pub expires: i64,
    /// The keys that sign roots.
    pub root_keys: KeySet,
    /// The keys of each role, each role once at most.
    pub roles: Vec<RoleKeys>,
}

/// A signature and the key that made it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Signature {
    /// [`key_id`] of the public key.
    pub key_id: [u8; 8],
    /// Ed25519 over [`signing_bytes`].
    pub bytes: [u8; 64],
}

/// An encoded [`Root`] and its signatures; the very bytes are signed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct SignedRoot {
    /// The encoded root.
    pub root: Vec<u8>,
    /// Its signatures.
    pub signatures: Vec<Signature>,
}

/// The roots from the first that a device may know to the newest, each signed under the one before.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct RootChain(pub Vec<SignedRoot>);

/// How long a list answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Freshness {
    /// Hours after creation for which it counts as fresh.
    pub fresh_hours: u32,
    /// Hours after creation after which nothing is cleared by it.
    pub usable_hours: u32,
}

/// A chunk as it lies in the package.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ChunkRef {
    /// SHA-256 of the bytes in the package.
    pub hash: [u8; 32],
    /// Their number.
    pub len: u32,
}

/// The outer manifest: what anybody may see of a package, and what binds all of it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Manifest {
    /// Random id of the package.
    pub package: [u8; 16],
    /// What it carries.
    pub dataset: Dataset,
    /// Its place in the order.
    pub version: SnapshotVersion,
    /// Unix time in seconds at which it was made.
    pub created: i64,
    /// Unix time in seconds after which it is not installed.
    pub expires: i64,
    /// The version to which it is a difference; reserved, a package is whole.
    pub base: Option<u64>,
    /// The oldest program that may install it.
    pub min_app: u32,
    /// How long it answers.
    pub freshness: Freshness,
    /// Whether only a proven chip gives a clear answer.
    pub chip_required: bool,
    /// SHA-256 of the encoded envelope.
    pub envelope_hash: [u8; 32],
    /// Its length in bytes.
    pub envelope_len: u32,
    /// The chunks in order.
    pub chunks: Vec<ChunkRef>,
}

/// An encoded [`Manifest`] and its signatures; the very bytes are signed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct SignedManifest {
    /// The encoded manifest.
    pub manifest: Vec<u8>,
    /// Its signatures.
    pub signatures: Vec<Signature>,
}

/// What holds the inner manifest.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Envelope {
    /// How it is sealed: 0 not at all; 1 HPKE with X-Wing, reserved.
    pub suite: u8,
    /// The encoded inner manifest, sealed by the suite.
    pub inner: Vec<u8>,
    /// The content key for each device; empty in suite 0.
    pub recipients: Vec<Recipient>,
}

/// The content key, sealed to one device. Reserved.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Recipient {
    /// The device, by the id of its enrolment.
    pub device: [u8; 16],
    /// Encapsulated key.
    pub encapsulated: Vec<u8>,
    /// The content key under it.
    pub wrapped: Vec<u8>,
}

/// What a chunk holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ChunkInfo {
    /// Its rows.
    pub rows: u32,
    /// Key of the first row.
    pub first: u64,
    /// Key of the last row.
    pub last: u64,
    /// Length after decompression, bytes.
    pub raw_len: u32,
    /// SHA-256 after decompression, by which an installed store can be verified for ever.
    pub raw_hash: [u8; 32],
}

/// The inner manifest: what is in the package. `Debug` hides the tag key.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct InnerManifest {
    /// The id of the outer manifest.
    pub package: [u8; 16],
    /// First three digits of the numbers contained, strictly ascending; empty is national.
    pub regions: Vec<u16>,
    /// The key of the register's tags; only a register has one.
    pub tag_key: Option<[u8; 32]>,
    /// All rows.
    pub rows: u64,
    /// The chunks, in the order of the outer manifest.
    pub chunks: Vec<ChunkInfo>,
    /// Notices of each category that occurs, by ascending number; empty for other datasets.
    pub counts: Vec<(Category, u32)>,
}

impl fmt::Debug for InnerManifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InnerManifest")
            .field("package", &self.package)
            .field("regions", &self.regions)
            .field("rows", &self.rows)
            .field("chunks", &self.chunks.len())
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

/// What a signature is for; its bytes come before what is signed, so that a signature for one
/// purpose is none for another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Domain {
    /// Encoded [`Root`], Ed25519.
    Root,
    /// Encoded [`Manifest`], Ed25519.
    Manifest,
    /// Encoded [`super::record::RecordHeader`], ECDSA P-256.
    Record,
    /// Not signed: the `info` under which a record's body is sealed by HPKE.
    Body,
}

impl Domain {
    /// Returns the leading bytes.
    pub const fn as_bytes(self) -> &'static [u8] {
        match self {
            Domain::Root => b"fieldcheck-root-v1\0",
            Domain::Manifest => b"fieldcheck-manifest-v1\0",
            Domain::Record => b"fieldcheck-record-v1\0",
            Domain::Body => b"fieldcheck-body-v1\0",
        }
    }
}

/// Returns the bytes that are signed: the domain, then the encoded value.
pub fn signing_bytes(domain: Domain, encoded: &[u8]) -> Vec<u8> {
    [domain.as_bytes(), encoded].concat()
}

/// Returns the short name of a public key: the first eight bytes of its SHA-256.
pub fn key_id(key: &[u8; 32]) -> [u8; 8] {
    *sha256(key).first_chunk().expect("a SHA-256 has 32 bytes")
}

/// Returns the SHA-256 of the bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Why a document contradicts itself, or two of a package contradict each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PackageError {
    /// Not a value of the format.
    #[error("the document cannot be decoded")]
    Decode(#[from] DecodeError),
    /// Longer than it may be.
    #[error("the document is too long")]
    Encode(#[from] EncodeError),
    /// A threshold of 0, above the number of keys, or too many keys.
    #[error("a threshold of {threshold} with {keys} keys")]
    Threshold {
        /// How many must sign.
        threshold: u8,
        /// How many there are.
        keys: usize,
    },
    /// A key stands twice in a set, and would count twice.
    #[error("a key stands twice in one set")]
    KeyTwice,
    /// A role stands twice.
    #[error("role {role} stands twice")]
    RoleTwice {
        /// The role.
        role: Role,
    },
    /// A key may both write and approve notices.
    #[error("a key may both write and approve notices")]
    AuthorApproves,
    /// Root versions count from 1.
    #[error("root version 0")]
    RootVersion,
    /// A difference to another version, which this format has a place for and no meaning yet.
    #[error("a difference to version {base} is not supported")]
    Delta {
        /// The version.
        base: u64,
    },
    /// Expires before it was made.
    #[error("expires before it was made")]
    Times,
    /// Fresh for longer than usable.
    #[error("fresh for {fresh_hours} hours and usable for {usable_hours}")]
    Freshness {
        /// Hours fresh.
        fresh_hours: u32,
        /// Hours usable.
        usable_hours: u32,
    },
    /// More chunks than a package may have.
    #[error("{count} chunks, at most {limit}", limit = limits::MAX_CHUNKS)]
    ChunkCount {
        /// How many.
        count: usize,
    },
    /// A chunk or envelope of length 0 or above its limit.
    #[error("a part of {len} bytes, at most {limit}")]
    PartLength {
        /// The length.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// Sealed in a way that this format has a place for and no meaning yet.
    #[error("sealing suite {suite} is not supported")]
    Sealed {
        /// The suite.
        suite: u8,
    },
    /// Recipients of an envelope that is not sealed.
    #[error("an unsealed envelope names recipients")]
    Recipients,
    /// The inner manifest belongs to another package.
    #[error("the inner manifest belongs to another package")]
    OtherPackage,
    /// Not one description for each chunk.
    #[error("{inner} chunks are described, {outer} listed")]
    ChunksDiffer {
        /// In the inner manifest.
        inner: usize,
        /// In the outer manifest.
        outer: usize,
    },
    /// A chunk's keys do not follow those before, are not as many as its rows need, or are not of
    /// the regions.
    #[error("the keys of chunk {index} cannot be")]
    KeyRange {
        /// The chunk, from 0.
        index: usize,
    },
    /// A chunk without rows, or of more than one may hold.
    #[error("chunk {index} cannot have {rows} rows")]
    ChunkRows {
        /// The chunk, from 0.
        index: usize,
        /// Its rows.
        rows: u32,
    },
    /// The chunks' rows do not add up.
    #[error("the chunks have {sum} rows, the manifest says {rows}")]
    RowSum {
        /// Of the chunks.
        sum: u64,
        /// Of the manifest.
        rows: u64,
    },
    /// Regions out of order, above 999, or of a list that is national.
    #[error("the regions cannot be")]
    Regions,
    /// A register without a tag key, or a tag key without a register.
    #[error("a register has a tag key and nothing else has")]
    TagKey,
    /// Counts out of order, or that do not add up.
    #[error("the counts of the categories cannot be")]
    Counts,
}

impl Root {
    /// Says whether the root makes sense by itself.
    ///
    /// # Errors
    ///
    /// The first contradiction.
    pub fn validate(&self) -> Result<(), PackageError> {
        if self.root_version == 0 {
            return Err(PackageError::RootVersion);
        }
        self.root_keys.validate()?;
        for (at, role_keys) in self.roles.iter().enumerate() {
            if self.roles[..at].iter().any(|before| before.role == role_keys.role) {
                return Err(PackageError::RoleTwice { role: role_keys.role });
            }
            role_keys.keys.validate()?;
        }
        let keys = |role| self.keys_of(role).map_or(&[][..], |set| &set.keys);
        let approvers = keys(Role::NoticesApprover);
        if keys(Role::NoticesAuthor).iter().any(|key| approvers.contains(key)) {
            return Err(PackageError::AuthorApproves);
        }
        Ok(())
    }

    /// Returns the keys of a role, or `None` when nobody has it.
    pub fn keys_of(&self, role: Role) -> Option<&KeySet> {
        self.roles.iter().find(|role_keys| role_keys.role == role).map(|role_keys| &role_keys.keys)
    }
}

impl KeySet {
    fn validate(&self) -> Result<(), PackageError> {
        let keys = self.keys.len();
        if self.threshold == 0 || usize::from(self.threshold) > keys || keys > limits::MAX_KEYS {
            return Err(PackageError::Threshold { threshold: self.threshold, keys });
        }
        if self.keys.iter().collect::<BTreeSet<_>>().len() != keys {
            return Err(PackageError::KeyTwice);
        }
        Ok(())
    }
}

impl Manifest {
    /// Says whether the manifest makes sense by itself.
    ///
    /// # Errors
    ///
    /// The first contradiction.
    pub fn validate(&self) -> Result<(), PackageError> {
        if let Some(base) = self.base {
            return Err(PackageError::Delta { base });
        }
        if self.expires <= self.created {
            return Err(PackageError::Times);
        }
        let Freshness { fresh_hours, usable_hours } = self.freshness;
        if fresh_hours > usable_hours {
            return Err(PackageError::Freshness { fresh_hours, usable_hours });
        }
        let count = self.chunks.len();
        if count > limits::MAX_CHUNKS {
            return Err(PackageError::ChunkCount { count });
        }
        part_length(self.envelope_len, limits::MAX_ENVELOPE_BYTES)?;
        self.chunks.iter().try_for_each(|chunk| part_length(chunk.len, limits::MAX_CHUNK_BYTES))
    }
}

impl Envelope {
    /// Returns an envelope that is not sealed.
    ///
    /// # Errors
    ///
    /// [`PackageError::Encode`] for an inner manifest that is too long.
    pub fn unsealed(inner: &InnerManifest) -> Result<Envelope, PackageError> {
        let inner = codec::encode(Kind::InnerManifest, inner)?;
        Ok(Envelope { suite: 0, inner, recipients: Vec::new() })
    }

    /// Returns the inner manifest of an envelope that is not sealed, not yet compared with the outer
    /// one ([`InnerManifest::validate`]).
    ///
    /// # Errors
    ///
    /// [`PackageError::Sealed`] for every other suite.
    pub fn open(&self) -> Result<InnerManifest, PackageError> {
        if self.suite != 0 {
            return Err(PackageError::Sealed { suite: self.suite });
        }
        if !self.recipients.is_empty() {
            return Err(PackageError::Recipients);
        }
        Ok(codec::decode(Kind::InnerManifest, &self.inner)?)
    }
}

impl InnerManifest {
    /// Says whether the inner manifest makes sense, and is of the package that `outer` describes.
    ///
    /// # Errors
    ///
    /// The first contradiction.
    pub fn validate(&self, outer: &Manifest) -> Result<(), PackageError> {
        if self.package != outer.package {
            return Err(PackageError::OtherPackage);
        }
        let (inner, outer_chunks) = (self.chunks.len(), outer.chunks.len());
        if inner != outer_chunks {
            return Err(PackageError::ChunksDiffer { inner, outer: outer_chunks });
        }
        let is_register = outer.dataset == Dataset::Register;
        if self.tag_key.is_some() != is_register {
            return Err(PackageError::TagKey);
        }
        let ascending = self.regions.is_sorted_by(|left, right| left < right);
        let in_range = self.regions.last().is_none_or(|region| *region <= 999);
        if !ascending || !in_range || (!is_register && !self.regions.is_empty()) {
            return Err(PackageError::Regions);
        }
        self.validate_chunks(outer.dataset)?;
        self.validate_counts(outer.dataset)
    }

    fn validate_chunks(&self, dataset: Dataset) -> Result<(), PackageError> {
        let max_rows = match dataset {
            Dataset::Notices => limits::MAX_NOTICES,
            Dataset::Register => limits::MAX_REGISTER_ROWS,
            Dataset::Anchors => u32::MAX as usize,
        };
        let mut after: Option<u64> = None;
        let mut sum = 0;
        for (index, chunk) in self.chunks.iter().enumerate() {
            part_length(chunk.raw_len, limits::MAX_CHUNK_RAW_BYTES)?;
            let rows = chunk.rows;
            if rows == 0 || rows as usize > max_rows {
                return Err(PackageError::ChunkRows { index, rows });
            }
            let follows = after.is_none_or(|last| last < chunk.first);
            let holds = chunk.last.checked_sub(chunk.first).is_some_and(|span| match rows {
                1 => span == 0,
                _ => span >= u64::from(rows - 1),
            });
            let numbers = dataset != Dataset::Register || chunk.last < NUMBER_END;
            if !(follows && holds && numbers && self.regions_hold(chunk)) {
                return Err(PackageError::KeyRange { index });
            }
            after = Some(chunk.last);
            sum += u64::from(rows);
        }
        match sum == self.rows {
            true => Ok(()),
            false => Err(PackageError::RowSum { sum, rows: self.rows }),
        }
    }

    /// Says whether first and last key are of a region that the package claims to hold.
    fn regions_hold(&self, chunk: &ChunkInfo) -> bool {
        self.regions.is_empty()
            || [chunk.first, chunk.last].iter().all(|number| {
                let region = u16::try_from(number / (NUMBER_END / 1_000)).unwrap_or(u16::MAX);
                self.regions.binary_search(&region).is_ok()
            })
    }

    fn validate_counts(&self, dataset: Dataset) -> Result<(), PackageError> {
        let ascending = self.counts.is_sorted_by(|left, right| left.0 < right.0);
        let occur = self.counts.iter().all(|(_, count)| *count > 0);
        let sum: u64 = self.counts.iter().map(|(_, count)| u64::from(*count)).sum();
        let expected = if dataset == Dataset::Notices { self.rows } else { 0 };
        if ascending && occur && sum == expected { Ok(()) } else { Err(PackageError::Counts) }
    }
}

fn part_length(len: u32, limit: usize) -> Result<(), PackageError> {
    let len = len as usize;
    if (1..=limit).contains(&len) { Ok(()) } else { Err(PackageError::PartLength { len, limit }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(threshold: u8, keys: &[u8]) -> KeySet {
        KeySet { threshold, keys: keys.iter().map(|byte| [*byte; 32]).collect() }
    }

    fn a_root() -> Root {
        Root {
            purpose: Purpose::Demo,
            epoch: 1,
            root_version: 1,
            expires: 1_900_000_000,
            root_keys: set(2, &[1, 2, 3]),
            roles: vec![
                RoleKeys { role: Role::NoticesAuthor, keys: set(1, &[4]) },
                RoleKeys { role: Role::NoticesApprover, keys: set(1, &[5]) },
                RoleKeys { role: Role::Register, keys: set(1, &[4]) },
            ],
        }
    }

    fn a_manifest(dataset: Dataset) -> Manifest {
        Manifest {
            package: [7; 16],
            dataset,
            version: SnapshotVersion { epoch: 1, version: 3_184 },
            created: 1_800_000_000,
            expires: 1_800_600_000,
            base: None,
            min_app: 1,
            freshness: Freshness { fresh_hours: 24, usable_hours: 72 },
            chip_required: false,
            envelope_hash: [8; 32],
            envelope_len: 200,
            chunks: vec![ChunkRef { hash: [9; 32], len: 100 }; 2],
        }
    }

    fn an_inner(dataset: Dataset) -> InnerManifest {
        let chunk =
            |first, last| ChunkInfo { rows: 3, first, last, raw_len: 90, raw_hash: [1; 32] };
        match dataset {
            Dataset::Register => InnerManifest {
                package: [7; 16],
                regions: vec![15, 48],
                tag_key: Some([2; 32]),
                rows: 6,
                chunks: vec![
                    chunk(15_188_000_001, 15_188_000_900),
                    chunk(48_188_000_001, 48_188_999_999),
                ],
                counts: vec![],
            },
            _ => InnerManifest {
                package: [7; 16],
                regions: vec![],
                tag_key: None,
                rows: 6,
                chunks: vec![chunk(1, 3), chunk(5, 9)],
                counts: vec![(Category::W1, 4), (Category::D3, 2)],
            },
        }
    }

    #[track_caller]
    fn check_root(change: impl FnOnce(&mut Root), expected: Result<(), PackageError>) {
        let mut root = a_root();
        change(&mut root);
        assert_eq!(root.validate(), expected);
    }

    #[track_caller]
    fn check_manifest(change: impl FnOnce(&mut Manifest), expected: Result<(), PackageError>) {
        let mut manifest = a_manifest(Dataset::Notices);
        change(&mut manifest);
        assert_eq!(manifest.validate(), expected);
    }

    #[track_caller]
    fn check_inner(
        dataset: Dataset,
        change: impl FnOnce(&mut InnerManifest),
        expected: Result<(), PackageError>,
    ) {
        let mut inner = an_inner(dataset);
        change(&mut inner);
        assert_eq!(inner.validate(&a_manifest(dataset)), expected);
    }

    #[test]
    fn a_root_counts_every_key_once() {
        let threshold = |threshold, keys| Err(PackageError::Threshold { threshold, keys });
        check_root(|_| (), Ok(()));
        check_root(|it| it.root_version = 0, Err(PackageError::RootVersion));
        check_root(|it| it.root_keys = set(0, &[1]), threshold(0, 1));
        check_root(|it| it.root_keys = set(3, &[1, 2]), threshold(3, 2));
        check_root(|it| it.roles[0].keys = set(1, &[]), threshold(1, 0));
        let many: Vec<u8> = (0..65).collect();
        check_root(|it| it.root_keys = set(1, &many), threshold(1, 65));
        check_root(|it| it.root_keys = set(2, &[1, 2, 1]), Err(PackageError::KeyTwice));
        let twice = PackageError::RoleTwice { role: Role::NoticesAuthor };
        check_root(|it| it.roles[2].role = Role::NoticesAuthor, Err(twice));
    }

    #[test]
    fn nobody_approves_what_he_has_written() {
        check_root(|it| it.roles[1].keys = set(1, &[6, 4]), Err(PackageError::AuthorApproves));
        // Without an approver nothing can be approved; that is for the signatures to say.
        check_root(|it| drop(it.roles.remove(1)), Ok(()));
    }

    #[test]
    fn keys_are_found_by_their_role() {
        assert_eq!(a_root().keys_of(Role::Register), Some(&set(1, &[4])));
        assert_eq!(a_root().keys_of(Role::Enrol), None);
    }

    #[test]
    fn a_manifest_contradicts_itself_nowhere() {
        let part = |len, limit| Err(PackageError::PartLength { len, limit });
        check_manifest(|_| (), Ok(()));
        check_manifest(|it| it.chunks.clear(), Ok(()));
        check_manifest(|it| it.base = Some(3_183), Err(PackageError::Delta { base: 3_183 }));
        check_manifest(|it| it.expires = it.created, Err(PackageError::Times));
        let freshness = Freshness { fresh_hours: 73, usable_hours: 72 };
        check_manifest(
            |it| it.freshness = freshness,
            Err(PackageError::Freshness { fresh_hours: 73, usable_hours: 72 }),
        );
        let count = limits::MAX_CHUNKS + 1;
        let chunk = ChunkRef { hash: [9; 32], len: 100 };
        check_manifest(
            |it| it.chunks = vec![chunk; count],
            Err(PackageError::ChunkCount { count }),
        );
        check_manifest(|it| it.chunks[1].len = 0, part(0, limits::MAX_CHUNK_BYTES));
        let len = limits::MAX_CHUNK_BYTES + 1;
        check_manifest(|it| it.chunks[1].len = len as u32, part(len, limits::MAX_CHUNK_BYTES));
        check_manifest(|it| it.envelope_len = 0, part(0, limits::MAX_ENVELOPE_BYTES));
    }

    #[test]
    fn the_greatest_manifests_fit_into_their_limits() {
        let mut outer = a_manifest(Dataset::Register);
        outer.chunks = vec![ChunkRef { hash: [9; 32], len: u32::MAX }; limits::MAX_CHUNKS];
        assert!(codec::encode(Kind::Manifest, &outer).is_ok());
        let mut inner = an_inner(Dataset::Register);
        let chunk = ChunkInfo {
            rows: u32::MAX,
            first: u64::MAX,
            last: u64::MAX,
            raw_len: u32::MAX,
            raw_hash: [1; 32],
        };
        inner.chunks = vec![chunk; limits::MAX_CHUNKS];
        inner.regions = (0..1_000).collect();
        let envelope = Envelope::unsealed(&inner).unwrap();
        assert_eq!(envelope.open(), Ok(inner));
        assert!(codec::encode(Kind::Envelope, &envelope).is_ok());
    }

    #[test]
    fn an_inner_manifest_fits_its_package() {
        use Dataset::{Notices, Register};
        let part = |len, limit| Err(PackageError::PartLength { len, limit });
        let range = |index| Err(PackageError::KeyRange { index });
        let rows = |index, rows| Err(PackageError::ChunkRows { index, rows });
        check_inner(Notices, |_| (), Ok(()));
        check_inner(Register, |_| (), Ok(()));
        check_inner(Notices, |it| it.package = [0; 16], Err(PackageError::OtherPackage));
        let differ = PackageError::ChunksDiffer { inner: 1, outer: 2 };
        check_inner(Notices, |it| it.chunks.truncate(1), Err(differ));
        check_inner(Notices, |it| it.tag_key = Some([1; 32]), Err(PackageError::TagKey));
        check_inner(Register, |it| it.tag_key = None, Err(PackageError::TagKey));
        check_inner(Notices, |it| it.regions = vec![15], Err(PackageError::Regions));
        check_inner(Register, |it| it.regions = vec![48, 15], Err(PackageError::Regions));
        check_inner(Register, |it| it.regions = vec![15, 15, 48], Err(PackageError::Regions));
        check_inner(Register, |it| it.regions = vec![15, 48, 1_000], Err(PackageError::Regions));
        check_inner(Register, |it| it.regions = vec![], Ok(()));
        check_inner(Register, |it| it.regions = vec![15], range(1));
        check_inner(Notices, |it| it.chunks[0].raw_len = 0, part(0, limits::MAX_CHUNK_RAW_BYTES));
        check_inner(Notices, |it| it.chunks[1].rows = 0, rows(1, 0));
        let many = limits::MAX_NOTICES as u32 + 1;
        check_inner(Notices, |it| it.chunks[1].rows = many, rows(1, many));
        check_inner(Notices, |it| it.chunks[1].first = 3, range(1));
        check_inner(Notices, |it| it.chunks[1].last = 6, range(1));
        check_inner(Notices, |it| it.chunks[1].last = 4, range(1));
        check_inner(Register, |it| it.chunks[1].last = NUMBER_END, range(1));
        let one_row_two_keys = |it: &mut InnerManifest| (it.chunks[1].rows, it.rows) = (1, 4);
        check_inner(Register, one_row_two_keys, range(1));
        check_inner(Notices, |it| it.rows = 7, Err(PackageError::RowSum { sum: 6, rows: 7 }));
        check_inner(Notices, |it| it.counts[1].1 = 3, Err(PackageError::Counts));
        check_inner(Notices, |it| it.counts.reverse(), Err(PackageError::Counts));
        check_inner(Notices, |it| it.counts.push((Category::D3, 0)), Err(PackageError::Counts));
        let counted = vec![(Category::D1, 6)];
        check_inner(Register, |it| it.counts = counted, Err(PackageError::Counts));
    }

    #[test]
    fn sealed_envelopes_have_their_place_and_are_refused() {
        let inner = an_inner(Dataset::Register);
        let plain = Envelope::unsealed(&inner).unwrap();
        let sealed = Envelope { suite: 1, ..plain.clone() };
        assert_eq!(sealed.open(), Err(PackageError::Sealed { suite: 1 }));
        let recipient =
            Recipient { device: [1; 16], encapsulated: vec![2; 1_120], wrapped: vec![3; 48] };
        let odd = Envelope { recipients: vec![recipient], ..plain };
        assert_eq!(odd.open(), Err(PackageError::Recipients));
    }

    #[test]
    fn an_epoch_comes_before_any_version() {
        let at = |epoch, version| SnapshotVersion { epoch, version };
        assert!(at(1, 9) < at(2, 1) && at(2, 1) < at(2, 2));
        assert_eq!(at(3, 1_184).to_string(), "1184");
    }

    #[test]
    fn signed_bytes_say_what_they_are_for() {
        assert_eq!(signing_bytes(Domain::Root, &[1, 2]), b"fieldcheck-root-v1\0\x01\x02");
        let domains = [Domain::Root, Domain::Manifest, Domain::Record, Domain::Body];
        for (at, domain) in domains.iter().enumerate() {
            assert!(domain.as_bytes().ends_with(b"-v1\0"));
            assert!(domains[..at].iter().all(|other| other.as_bytes() != domain.as_bytes()));
        }
    }

    #[test]
    fn a_key_is_named_by_its_hash() {
        // SHA-256 of 32 zero bytes begins 66687aad f862bd77.
        assert_eq!(key_id(&[0; 32]), [0x66, 0x68, 0x7a, 0xad, 0xf8, 0x62, 0xbd, 0x77]);
    }

    #[test]
    fn the_tag_key_does_not_show_itself() {
        let shown = format!("{:?}", an_inner(Dataset::Register));
        assert!(!shown.contains("tag_key") && shown.ends_with(".. }"), "{shown}");
    }
}
