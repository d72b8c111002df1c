//! Snapshot packages: who may sign what ([`Root`]), what a package is ([`Manifest`], for everybody
//! to see), who may open it ([`Envelope`]) and what is in it ([`InnerManifest`], sealed).
//!
//! Terms are those of The Update Framework. The types here check themselves (`validate`): what can
//! be seen from the bytes alone. Not here: signatures, expiry and versions, which need keys, a time
//! and the state of a device. The bytes of a package file are in [`layout`], sealing in [`seal`].

pub mod layout;
pub mod seal;

use std::collections::BTreeSet;
use std::fmt;

use bincode::{Decode, Encode};
use sha2::{Digest, Sha256};
use zeroize::Zeroize as _;

use super::notice::Category;
use super::register::{ABROAD, NUMBER_END, region_of};
use crate::codec::{DecodeError, EncodeError};
use crate::limits;

numbered! {
    /// What a package carries.
    pub enum Dataset, "dataset" {
        /// Notices: national, small, many times a day.
        Notices = 1, "notices";
        /// The tagged register, by region.
        Register = 2, "register";
        /// Certificates and revocation lists for chips: national, without deltas.
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
        /// Signs certificates and revocation lists for chips.
        Anchors = 6, "anchors";
        /// Signs application updates.
        Release = 7, "release";
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
    /// Unix time in seconds at which it was made. Where it raises the epoch, a device's lower bound
    /// of the time begins anew from here: the way out when a stolen key has signed the year 2099.
    pub made: i64,
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

/// A part as it travels: an envelope, the inner manifest, a chunk, an object of a repository.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
pub struct PartRef {
    /// SHA-256 of its bytes.
    pub hash: [u8; 32],
    /// Their number.
    pub len: u32,
}

impl PartRef {
    /// Returns the reference to these bytes; none is longer than a `u32` tells.
    pub fn of(bytes: &[u8]) -> PartRef {
        PartRef { hash: sha256(bytes), len: u32::try_from(bytes.len()).unwrap_or(u32::MAX) }
    }
}

/// The full package that a delta belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Base {
    /// Its version, of the same epoch.
    pub version: u64,
    /// SHA-256 of its encoded [`Manifest`].
    pub manifest: [u8; 32],
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
    /// The full package whose changes since then it holds, all of them; `None`: it is full itself.
    pub base: Option<Base>,
    /// The oldest program that may install it.
    pub min_app: u32,
    /// How long it answers.
    pub freshness: Freshness,
    /// Whether only a proven chip gives a clear answer.
    pub chip_required: bool,
    /// The encoded envelopes, one a unit, ascending by hash, which tells nothing of the unit.
    pub envelopes: Vec<PartRef>,
    /// The sealed inner manifest.
    pub inner: PartRef,
    /// The sealed chunks in order.
    pub chunks: Vec<PartRef>,
}

/// An encoded [`Manifest`] and its signatures; the very bytes are signed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct SignedManifest {
    /// The encoded manifest.
    pub manifest: Vec<u8>,
    /// Its signatures.
    pub signatures: Vec<Signature>,
}

/// Chunks in a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Run {
    /// The first, as the manifest counts them from 0.
    pub first: u32,
    /// How many.
    pub count: u32,
}

/// What lets the devices of one unit open a package, and which of its chunks travel to them.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Envelope {
    /// The id of the manifest.
    pub package: [u8; 16],
    /// The chunks that travel to this unit.
    pub chunks: Vec<Run>,
    /// The unit key for each device that is not revoked, ascending by hint.
    pub recipients: Vec<Recipient>,
    /// The encoded [`Grant`], sealed under the unit key.
    pub grant: Vec<u8>,
}

/// The unit key, sealed to one device by HPKE with X-Wing.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Recipient {
    /// How the device finds its own: [`seal::hint`], which nobody can compute who does not know the
    /// device's public key, and which is another in each package.
    pub hint: [u8; 8],
    /// Encapsulated key.
    pub encapsulated: Vec<u8>,
    /// The unit key under it.
    pub wrapped: Vec<u8>,
}

/// What a unit may read of a package, and on which terms. `Debug` hides the keys.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Grant {
    /// The id of the manifest.
    pub package: [u8; 16],
    /// The unit.
    pub unit: u32,
    /// The key of the inner manifest.
    pub inner_key: [u8; 32],
    /// The content keys of the regions, ascending; [`NATIONAL`] alone for lists that have none.
    pub content_keys: Vec<(u16, [u8; 32])>,
    /// How long the list answers in this unit; the stricter of this and the manifest's counts.
    pub freshness: Option<Freshness>,
    /// Whether this unit clears nobody without a proven chip.
    pub chip_required: bool,
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("package", &self.package)
            .field("unit", &self.unit)
            .field("regions", &self.content_keys.len())
            .finish_non_exhaustive()
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.inner_key.zeroize();
        self.content_keys.iter_mut().for_each(|(_, key)| key.zeroize());
    }
}

/// The region of a dataset that has none, in [`Grant::content_keys`].
pub const NATIONAL: u16 = 0;

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
    /// The regions that a register covers whole ([`region_of`]), strictly ascending; empty for
    /// other datasets, which are national.
    pub regions: Vec<u16>,
    /// The key of the register's tags; only a register has one.
    pub tag_key: Option<[u8; 32]>,
    /// All rows.
    pub rows: u64,
    /// The chunks, in the order of the outer manifest.
    pub chunks: Vec<ChunkInfo>,
    /// Notices of each category that occurs, by ascending number; empty for other datasets.
    pub counts: Vec<(Category, u32)>,
    /// Order numbers of the base that a delta of notices takes away, ascending.
    pub withdrawn: Vec<u64>,
}

impl fmt::Debug for InnerManifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InnerManifest")
            .field("package", &self.package)
            .field("regions", &self.regions)
            .field("rows", &self.rows)
            .field("chunks", &self.chunks.len())
            .field("counts", &self.counts)
            .field("withdrawn", &self.withdrawn.len())
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
    /// Not signed: the `info` under which a unit key is sealed by HPKE.
    UnitKey,
    /// Encoded [`super::message::Withdrawal`], Ed25519.
    Withdrawal,
    /// Encoded [`super::message::Release`], Ed25519.
    Release,
    /// Encoded [`super::message::Installed`], ECDSA P-256.
    Installed,
}

impl Domain {
    /// Returns the leading bytes.
    pub const fn as_bytes(self) -> &'static [u8] {
        match self {
            Domain::Root => b"fieldcheck-root-v1\0",
            Domain::Manifest => b"fieldcheck-manifest-v1\0",
            Domain::Record => b"fieldcheck-record-v1\0",
            Domain::Body => b"fieldcheck-body-v1\0",
            Domain::UnitKey => b"fieldcheck-unit-key-v1\0",
            Domain::Withdrawal => b"fieldcheck-withdrawal-v1\0",
            Domain::Release => b"fieldcheck-release-v1\0",
            Domain::Installed => b"fieldcheck-installed-v1\0",
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
    /// A delta to a version that does not come before its own.
    #[error("version {version} is a delta to version {base}")]
    BaseNotBefore {
        /// The version of the base.
        base: u64,
        /// The version of the delta.
        version: u64,
    },
    /// A delta of a dataset that always comes whole.
    #[error("{dataset} have no deltas")]
    NoDeltas {
        /// The dataset.
        dataset: Dataset,
    },
    /// Expires before it was made; a root too.
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
    #[error("{count} chunks, at most {limit}")]
    ChunkCount {
        /// How many.
        count: usize,
        /// The greatest number.
        limit: usize,
    },
    /// A chunk or envelope of length 0 or above its limit.
    #[error("a part of {len} bytes, at most {limit}")]
    PartLength {
        /// The length.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// No envelope, too many, or not in ascending order.
    #[error("{count} envelopes, or not in ascending order")]
    Envelopes {
        /// How many.
        count: usize,
    },
    /// The chunks of an envelope do not ascend, or are none of the package's.
    #[error("the envelope names chunks that cannot be")]
    Runs,
    /// An envelope for nobody, recipients out of order, or a sealed key of the wrong length.
    #[error("the recipients of the envelope cannot be")]
    Recipients,
    /// The keys of a grant do not ascend, or are none of the dataset's regions.
    #[error("the grant holds keys that cannot be")]
    GrantKeys,
    /// Withdrawn order numbers out of order, too many, or of what is no delta of notices.
    #[error("the withdrawn notices cannot be")]
    Withdrawn,
    /// An envelope, grant or inner manifest belongs to another package.
    #[error("a part belongs to another package")]
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
        if self.expires <= self.made {
            return Err(PackageError::Times);
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
        // A device with some of a day's revocations must not take them for all.
        if self.base.is_some() && self.dataset == Dataset::Anchors {
            return Err(PackageError::NoDeltas { dataset: self.dataset });
        }
        if let Some(Base { version: base, .. }) = self.base
            && base >= self.version.version
        {
            return Err(PackageError::BaseNotBefore { base, version: self.version.version });
        }
        if self.expires <= self.created {
            return Err(PackageError::Times);
        }
        let Freshness { fresh_hours, usable_hours } = self.freshness;
        if fresh_hours > usable_hours {
            return Err(PackageError::Freshness { fresh_hours, usable_hours });
        }
        let count = self.envelopes.len();
        let ascending = self.envelopes.is_sorted_by(|left, right| left.hash < right.hash);
        if !(1..=limits::MAX_ENVELOPES).contains(&count) || !ascending {
            return Err(PackageError::Envelopes { count });
        }
        let (count, limit) = (self.chunks.len(), max_chunks(self.dataset));
        if count > limit {
            return Err(PackageError::ChunkCount { count, limit });
        }
        part_length(self.inner.len, limits::MAX_SEALED_INNER_BYTES)?;
        let limit = limits::MAX_ENVELOPE_BYTES;
        self.envelopes.iter().try_for_each(|envelope| part_length(envelope.len, limit))?;
        self.chunks.iter().try_for_each(|chunk| part_length(chunk.len, limits::MAX_CHUNK_BYTES))
    }
}

impl Freshness {
    /// Returns the stricter of two: the earlier end of each.
    pub fn stricter(self, other: Freshness) -> Freshness {
        Freshness {
            fresh_hours: self.fresh_hours.min(other.fresh_hours),
            usable_hours: self.usable_hours.min(other.usable_hours),
        }
    }
}

impl Envelope {
    /// Says whether the envelope makes sense for this package.
    ///
    /// # Errors
    ///
    /// The first contradiction.
    pub fn validate(&self, outer: &Manifest) -> Result<(), PackageError> {
        if self.package != outer.package {
            return Err(PackageError::OtherPackage);
        }
        let mut after = 0;
        for run in &self.chunks {
            let end = run.first.checked_add(run.count).ok_or(PackageError::Runs)?;
            if run.first < after || run.count == 0 || end as usize > outer.chunks.len() {
                return Err(PackageError::Runs);
            }
            after = end;
        }
        let is_key = |it: &Recipient| {
            it.encapsulated.len() == seal::ENCAPSULATED_BYTES
                && it.wrapped.len() == seal::WRAPPED_BYTES
        };
        let ascending = self.recipients.is_sorted_by_key(|recipient| recipient.hint);
        if self.recipients.is_empty() || !ascending || !self.recipients.iter().all(is_key) {
            return Err(PackageError::Recipients);
        }
        Ok(())
    }

    /// Returns the chunks that travel to this unit, in their order.
    pub fn chunk_indices(&self) -> Vec<u32> {
        self.chunks.iter().flat_map(|run| run.first..run.first.saturating_add(run.count)).collect()
    }

    /// Returns the chunks as runs.
    pub fn runs(indices: impl IntoIterator<Item = u32>) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for index in indices {
            match runs.last_mut() {
                Some(run) if run.first + run.count == index => run.count += 1,
                _ => runs.push(Run { first: index, count: 1 }),
            }
        }
        runs
    }
}

impl Grant {
    /// Says whether the grant makes sense for this package.
    ///
    /// # Errors
    ///
    /// The first contradiction.
    pub fn validate(&self, outer: &Manifest) -> Result<(), PackageError> {
        if self.package != outer.package {
            return Err(PackageError::OtherPackage);
        }
        if let Some(Freshness { fresh_hours, usable_hours }) = self.freshness
            && fresh_hours > usable_hours
        {
            return Err(PackageError::Freshness { fresh_hours, usable_hours });
        }
        let ascending = self.content_keys.is_sorted_by(|left, right| left.0 < right.0);
        let possible = match outer.dataset {
            Dataset::Register => self.content_keys.iter().all(|(region, _)| *region <= ABROAD),
            _ => self.content_keys.iter().map(|(region, _)| *region).eq([NATIONAL]),
        };
        if ascending && possible { Ok(()) } else { Err(PackageError::GrantKeys) }
    }

    /// Returns the content key of a region, or `None` where the unit may not read it.
    pub fn content_key(&self, region: u16) -> Option<&[u8; 32]> {
        let at = self.content_keys.binary_search_by_key(&region, |(region, _)| *region).ok()?;
        Some(&self.content_keys[at].1)
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
        let in_range = self.regions.last().is_none_or(|region| *region <= ABROAD);
        if !ascending || !in_range || is_register == self.regions.is_empty() {
            return Err(PackageError::Regions);
        }
        let ascending = self.withdrawn.is_sorted_by(|left, right| left < right);
        let may_withdraw = outer.dataset == Dataset::Notices && outer.base.is_some();
        let few = self.withdrawn.len() <= limits::MAX_WITHDRAWN;
        if !ascending || !few || !(may_withdraw || self.withdrawn.is_empty()) {
            return Err(PackageError::Withdrawn);
        }
        self.validate_chunks(outer.dataset)?;
        self.validate_counts(outer.dataset)
    }

    fn validate_chunks(&self, dataset: Dataset) -> Result<(), PackageError> {
        let max_rows = match dataset {
            Dataset::Notices => limits::MAX_NOTICES,
            Dataset::Register => limits::MAX_REGISTER_ROWS,
            Dataset::Anchors => limits::MAX_ANCHORS,
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

    /// Whether a chunk is of one region, and of one that is covered: each has a key of its own.
    fn regions_hold(&self, chunk: &ChunkInfo) -> bool {
        let region = region_of(chunk.first);
        self.regions.is_empty()
            || (region == region_of(chunk.last) && self.regions.binary_search(&region).is_ok())
    }

    fn validate_counts(&self, dataset: Dataset) -> Result<(), PackageError> {
        let ascending = self.counts.is_sorted_by(|left, right| left.0 < right.0);
        let occur = self.counts.iter().all(|(_, count)| *count > 0);
        let sum: u64 = self.counts.iter().map(|(_, count)| u64::from(*count)).sum();
        let expected = if dataset == Dataset::Notices { self.rows } else { 0 };
        if ascending && occur && sum == expected { Ok(()) } else { Err(PackageError::Counts) }
    }
}

fn max_chunks(dataset: Dataset) -> usize {
    match dataset {
        Dataset::Anchors => limits::MAX_ANCHOR_CHUNKS,
        Dataset::Notices | Dataset::Register => limits::MAX_CHUNKS,
    }
}

fn part_length(len: u32, limit: usize) -> Result<(), PackageError> {
    let len = len as usize;
    if (1..=limit).contains(&len) { Ok(()) } else { Err(PackageError::PartLength { len, limit }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{self, Kind};

    fn set(threshold: u8, keys: &[u8]) -> KeySet {
        KeySet { threshold, keys: keys.iter().map(|byte| [*byte; 32]).collect() }
    }

    fn a_root() -> Root {
        Root {
            purpose: Purpose::Demo,
            epoch: 1,
            root_version: 1,
            made: 1_700_000_000,
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
            envelopes: vec![
                PartRef { hash: [7; 32], len: 2_000 },
                PartRef { hash: [8; 32], len: 200 },
            ],
            inner: PartRef { hash: [6; 32], len: 300 },
            chunks: vec![PartRef { hash: [9; 32], len: 100 }; 2],
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
                withdrawn: vec![],
            },
            Dataset::Anchors => InnerManifest { counts: vec![], ..an_inner(Dataset::Notices) },
            Dataset::Notices => InnerManifest {
                package: [7; 16],
                regions: vec![],
                tag_key: None,
                rows: 6,
                chunks: vec![chunk(1, 3), chunk(5, 9)],
                counts: vec![(Category::W1, 4), (Category::D3, 2)],
                withdrawn: vec![],
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
        check_root(|it| it.made = it.expires, Err(PackageError::Times));
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
        let base = |version| Some(Base { version, manifest: [5; 32] });
        check_manifest(|it| it.base = base(3_183), Ok(()));
        let not_before = PackageError::BaseNotBefore { base: 3_184, version: 3_184 };
        check_manifest(|it| it.base = base(3_184), Err(not_before));
        check_manifest(|it| it.expires = it.created, Err(PackageError::Times));
        let freshness = Freshness { fresh_hours: 73, usable_hours: 72 };
        check_manifest(
            |it| it.freshness = freshness,
            Err(PackageError::Freshness { fresh_hours: 73, usable_hours: 72 }),
        );
        let count = limits::MAX_CHUNKS + 1;
        let chunk = PartRef { hash: [9; 32], len: 100 };
        check_manifest(
            |it| it.chunks = vec![chunk; count],
            Err(PackageError::ChunkCount { count, limit: limits::MAX_CHUNKS }),
        );
        check_manifest(|it| it.chunks[1].len = 0, part(0, limits::MAX_CHUNK_BYTES));
        let len = limits::MAX_CHUNK_BYTES + 1;
        check_manifest(|it| it.chunks[1].len = len as u32, part(len, limits::MAX_CHUNK_BYTES));
        check_manifest(|it| it.inner.len = 0, part(0, limits::MAX_SEALED_INNER_BYTES));
        check_manifest(|it| it.envelopes[1].len = 0, part(0, limits::MAX_ENVELOPE_BYTES));
        let envelopes = |count| Err(PackageError::Envelopes { count });
        check_manifest(|it| it.envelopes.clear(), envelopes(0));
        check_manifest(|it| it.envelopes.reverse(), envelopes(2));
        check_manifest(|it| it.envelopes[1] = it.envelopes[0], envelopes(2));
    }

    #[test]
    fn anchors_come_whole_and_in_few_chunks() {
        let limit = limits::MAX_ANCHOR_CHUNKS;
        let check = |change: &dyn Fn(&mut Manifest), expected| {
            let mut manifest = a_manifest(Dataset::Anchors);
            change(&mut manifest);
            assert_eq!(manifest.validate(), expected);
        };
        let chunk = PartRef { hash: [9; 32], len: 100 };
        check(&|_| (), Ok(()));
        check(&|it| it.chunks = vec![chunk; limit], Ok(()));
        let count = limit + 1;
        let many = PackageError::ChunkCount { count, limit };
        check(&|it| it.chunks = vec![chunk; count], Err(many));
        let dataset = Dataset::Anchors;
        check(
            &|it| it.base = Some(Base { version: 1, manifest: [5; 32] }),
            Err(PackageError::NoDeltas { dataset }),
        );
        let rows = limits::MAX_ANCHORS as u32 + 1;
        let too_many =
            |it: &mut InnerManifest| (it.chunks[1].rows, it.chunks[1].last) = (rows, 9_000);
        check_inner(dataset, |_| (), Ok(()));
        check_inner(dataset, too_many, Err(PackageError::ChunkRows { index: 1, rows }));
        check_inner(dataset, |it| it.tag_key = Some([1; 32]), Err(PackageError::TagKey));
        check_inner(dataset, |it| it.regions = vec![48], Err(PackageError::Regions));
        check_inner(dataset, |it| it.counts = vec![(Category::D1, 6)], Err(PackageError::Counts));
        check_inner(dataset, |it| it.withdrawn = vec![4], Err(PackageError::Withdrawn));
    }

    #[test]
    fn the_greatest_manifests_fit_into_their_limits() {
        let mut outer = a_manifest(Dataset::Register);
        let part = |at: usize| PartRef { hash: sha256(&at.to_le_bytes()), len: u32::MAX };
        outer.chunks = (0..limits::MAX_CHUNKS).map(part).collect();
        outer.envelopes = (0..limits::MAX_ENVELOPES).map(part).collect();
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
        inner.regions = (0..=ABROAD).collect();
        inner.withdrawn = vec![u64::MAX; limits::MAX_WITHDRAWN];
        assert!(codec::encode(Kind::InnerManifest, &inner).is_ok());
        let mut grant = a_grant(Dataset::Register);
        grant.content_keys = (0..=ABROAD).map(|region| (region, [9; 32])).collect();
        assert!(codec::encode(Kind::Grant, &grant).is_ok());
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
        check_inner(Register, |it| it.regions = vec![15, 48, 101], Err(PackageError::Regions));
        check_inner(Register, |it| it.regions = vec![], Err(PackageError::Regions));
        check_inner(Register, |it| it.regions = vec![15], range(1));
        check_inner(Register, |it| it.chunks[0].last = 48_000_000_000, range(0));
        check_inner(Notices, |it| it.withdrawn = vec![4], Err(PackageError::Withdrawn));
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
    fn a_delta_of_notices_withdraws() {
        let delta = |dataset| {
            let base = Some(Base { version: 3_183, manifest: [5; 32] });
            Manifest { base, ..a_manifest(dataset) }
        };
        let check = |dataset, withdrawn: Vec<u64>, expected| {
            let inner = InnerManifest { withdrawn, ..an_inner(dataset) };
            assert_eq!(inner.validate(&delta(dataset)), expected);
        };
        check(Dataset::Notices, vec![4, 10], Ok(()));
        check(Dataset::Notices, vec![10, 4], Err(PackageError::Withdrawn));
        check(Dataset::Notices, vec![4; 2], Err(PackageError::Withdrawn));
        check(Dataset::Register, vec![4], Err(PackageError::Withdrawn));
    }

    fn an_envelope() -> Envelope {
        let recipient = |hint| Recipient {
            hint: [hint; 8],
            encapsulated: vec![2; seal::ENCAPSULATED_BYTES],
            wrapped: vec![3; seal::WRAPPED_BYTES],
        };
        Envelope {
            package: [7; 16],
            chunks: vec![Run { first: 0, count: 2 }],
            recipients: vec![recipient(1), recipient(2)],
            grant: vec![4; 100],
        }
    }

    #[test]
    fn an_envelope_fits_its_package() {
        let check = |change: fn(&mut Envelope), expected| {
            let mut envelope = an_envelope();
            change(&mut envelope);
            assert_eq!(envelope.validate(&a_manifest(Dataset::Notices)), expected);
        };
        check(|_| (), Ok(()));
        check(|it| it.chunks.clear(), Ok(()));
        check(|it| it.package = [0; 16], Err(PackageError::OtherPackage));
        check(|it| it.chunks[0].count = 3, Err(PackageError::Runs));
        check(|it| it.chunks[0].count = 0, Err(PackageError::Runs));
        check(|it| it.chunks[0].first = u32::MAX, Err(PackageError::Runs));
        check(|it| it.chunks.push(Run { first: 1, count: 1 }), Err(PackageError::Runs));
        check(|it| it.recipients.clear(), Err(PackageError::Recipients));
        check(|it| it.recipients.reverse(), Err(PackageError::Recipients));
        check(|it| it.recipients[1].wrapped.truncate(47), Err(PackageError::Recipients));
        check(|it| it.recipients[1].encapsulated.push(0), Err(PackageError::Recipients));
    }

    #[test]
    fn chunks_of_an_envelope_are_told_as_runs() {
        let indices = [0, 1, 2, 5, 7, 8];
        let runs = Envelope::runs(indices);
        assert_eq!(runs.len(), 3);
        assert_eq!(Envelope { chunks: runs, ..an_envelope() }.chunk_indices(), indices);
    }

    fn a_grant(dataset: Dataset) -> Grant {
        let regions: &[u16] = if dataset == Dataset::Register { &[15, 48] } else { &[NATIONAL] };
        Grant {
            package: [7; 16],
            unit: 4_107,
            inner_key: [5; 32],
            content_keys: regions.iter().map(|region| (*region, [6; 32])).collect(),
            freshness: None,
            chip_required: false,
        }
    }

    #[test]
    fn a_grant_holds_the_keys_of_its_regions() {
        use Dataset::{Notices, Register};
        let check = |dataset, change: fn(&mut Grant), expected| {
            let mut grant = a_grant(dataset);
            change(&mut grant);
            assert_eq!(grant.validate(&a_manifest(dataset)), expected);
        };
        check(Notices, |_| (), Ok(()));
        check(Register, |_| (), Ok(()));
        check(Register, |it| it.content_keys.clear(), Ok(()));
        check(Notices, |it| it.content_keys.clear(), Err(PackageError::GrantKeys));
        check(Register, |it| it.content_keys.reverse(), Err(PackageError::GrantKeys));
        check(Register, |it| it.content_keys[1].0 = 101, Err(PackageError::GrantKeys));
        check(Register, |it| it.package = [0; 16], Err(PackageError::OtherPackage));
        let freshness = PackageError::Freshness { fresh_hours: 3, usable_hours: 2 };
        let odd = |it: &mut Grant| {
            it.freshness = Some(Freshness { fresh_hours: 3, usable_hours: 2 });
        };
        check(Register, odd, Err(freshness));
        let grant = a_grant(Register);
        assert_eq!(grant.content_key(48), Some(&[6; 32]));
        assert_eq!(grant.content_key(1), None);
        assert!(!format!("{grant:?}").contains("5, 5"), "{grant:?}");
    }

    #[test]
    fn the_stricter_freshness_counts() {
        let of = |fresh_hours, usable_hours| Freshness { fresh_hours, usable_hours };
        assert_eq!(of(24, 72).stricter(of(12, 100)), of(12, 72));
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
        use Domain::{Body, Installed, Manifest, Record, Release, Root, UnitKey, Withdrawal};
        let domains = [Root, Manifest, Record, Body, UnitKey, Withdrawal, Release, Installed];
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
