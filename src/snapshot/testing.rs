//! Packages for the tests of what reads them: whole ones, and ones that are wrong in one way.
//!
//! It is noon UTC on 24 November 2026, and one simulated keyring signs everything.

use sync_format::codec::{self, Kind};
use sync_format::v1::anchors::{Anchor, AnchorKind};
use sync_format::v1::message::{SignedWithdrawal, Withdrawal};
use sync_format::v1::notice::{Notice, encode_notices};
use sync_format::v1::package::layout::{self, Sections};
use sync_format::v1::package::seal::{self, Part, SealSecret, Seed};
use sync_format::v1::package::{
    Base, ChunkInfo, Domain, Envelope, Freshness, Grant, InnerManifest, Manifest, PartRef, Purpose,
    Role, Root, Signature, SignedManifest, SnapshotVersion, sha256,
};
use sync_format::v1::register::{RegisterRow, Status, TagKey, region_of};

use super::build::{self, BaseOf, Terms, Unit};
use super::keyring::Keyring;
use super::{Held, Opener, Refusal, Rows, Signed, Snapshot, Trust, Verified, verify};
use crate::clock::{DeviceTime, TrustedTime};
use crate::matching::testing::{birth, day, wanted};

pub(crate) const NOW: DeviceTime = DeviceTime(1_795_521_600);
pub(crate) const HOUR: i64 = 3_600;
const EPOCH: u32 = 1;

pub(crate) fn keyring() -> Keyring {
    Keyring::simulated(1)
}

/// The root document, made a month ago and good for a year.
pub(crate) fn root() -> Vec<u8> {
    keyring().root(Purpose::Demo, EPOCH, NOW.0 - 30 * 24 * HOUR, NOW.0 + 365 * 24 * HOUR).unwrap()
}

/// The key of the device that all packages are sealed to.
pub(crate) fn seal_secret() -> SealSecret {
    SealSecret::new([0xd1; 32])
}

pub(crate) const UNIT: u32 = 4_107;

/// The one unit, with the one device.
pub(crate) fn units() -> Vec<Unit> {
    vec![Unit {
        unit: UNIT,
        regions: None,
        freshness: None,
        chip_required: false,
        devices: vec![seal_secret().public()],
    }]
}

pub(crate) fn seed() -> Seed {
    Seed::new([7; 32])
}

/// What a newly enrolled device trusts.
pub(crate) fn trust() -> Trust {
    Trust {
        root_hash: sha256(&root()),
        purpose: Purpose::Demo,
        notices: Held::default(),
        register: Held::default(),
        anchors: Held::default(),
        time: TrustedTime::new(NOW, NOW),
        real_time: NOW,
    }
}

pub(crate) fn version(version: u64) -> SnapshotVersion {
    SnapshotVersion { epoch: EPOCH, version }
}

/// Made three hours ago, to be installed within a month.
pub(crate) fn terms(number: u64) -> Terms {
    Terms {
        version: version(number),
        created: NOW.0 - 3 * HOUR,
        expires: NOW.0 + 30 * 24 * HOUR,
        freshness: Freshness { fresh_hours: 24, usable_hours: 72 },
        chip_required: false,
    }
}

/// A package of notices, built as headquarters builds it.
pub(crate) fn notices_package(number: u64, rows: &[Notice]) -> Vec<u8> {
    let draft = build::notices(rows, terms(number), &units(), &seed()).unwrap();
    package(&draft, &[Role::NoticesAuthor, Role::NoticesApprover])
}

/// A package of register rows, built as headquarters builds it.
pub(crate) fn register_package(number: u64, rows: &[RegisterRow]) -> Vec<u8> {
    let mut regions: Vec<u16> = rows.iter().map(|row| region_of(row.number)).collect();
    regions.dedup();
    let rows = rows.iter().copied();
    let draft = build::register(rows, &regions, terms(number), &units(), &seed()).unwrap();
    package(&draft, &[Role::Register])
}

/// A package of anchors, built as headquarters builds it.
pub(crate) fn anchors_package(number: u64, rows: &[Anchor]) -> Vec<u8> {
    let draft = build::anchors(rows, terms(number), &units(), &seed()).unwrap();
    package(&draft, &[Role::Anchors])
}

/// Two certificates and a revocation list of nobody: DER of any content, for the modules that look no
/// further.
pub(crate) fn some_anchors() -> Vec<Anchor> {
    let kinds = [AnchorKind::Certificate, AnchorKind::RevocationList, AnchorKind::Certificate];
    let anchor = |(id, kind): (u64, AnchorKind)| {
        let content = vec![id as u8; 100];
        Anchor { id, kind, der: crate::chip::tlv::element(0x30, &content) }
    };
    (1..).zip(kinds).map(anchor).collect()
}

/// The package file of the one unit, signed by the keys of these roles.
pub(crate) fn package(draft: &build::Draft, roles: &[Role]) -> Vec<u8> {
    let root_chain = keyring().sign_root(root()).unwrap();
    let sign = |role: &Role| keyring().sign_manifest(*role, &draft.manifest);
    draft.package(UNIT, &root_chain, roles.iter().flat_map(sign).collect()).unwrap()
}

/// What a delta to this package is built against.
pub(crate) fn base_of(package: &[u8]) -> BaseOf {
    let (verified, _) = open(package, &trust()).unwrap();
    let snapshot = verified.snapshot();
    let SnapshotVersion { epoch, version } = snapshot.manifest.version;
    let manifest = sha256(snapshot.manifest_bytes());
    BaseOf { base: Base { version, manifest }, epoch, inner: snapshot.inner.clone() }
}

/// A withdrawal, signed by author and approver.
pub(crate) fn signed_withdrawal(withdrawal: &Withdrawal) -> Vec<u8> {
    let withdrawal = codec::encode(Kind::Withdrawal, withdrawal).unwrap();
    let sign = |role| keyring().sign_as(role, Domain::Withdrawal, &withdrawal);
    let signatures = [sign(Role::NoticesAuthor), sign(Role::NoticesApprover)].concat();
    codec::encode(Kind::SignedWithdrawal, &SignedWithdrawal { withdrawal, signatures }).unwrap()
}

pub(crate) fn tag_key() -> TagKey {
    TagKey::new(*seed().tag_key())
}

/// The row of [`crate::matching::testing::a_citizen`], who is alive and whose card is in force.
pub(crate) fn citizen_row() -> RegisterRow {
    tag_key().seal_row(
        48_088_999_901,
        Some("NGUYEN VAN MAU"),
        Some(birth((1988, 3, 2))),
        Some(day("2022-05-10")),
        Status::Valid,
    )
}

/// Verifies what stands before the chunks; the rest of the package comes with it.
pub(crate) fn open<'a>(
    mut package: &'a [u8],
    trust: &Trust,
) -> Result<(Verified<Snapshot>, &'a [u8]), Refusal> {
    let secret = seal_secret();
    let verified = verify(Signed::read(&mut package)?, trust, Opener::Device(&secret))?;
    Ok((verified, package))
}

/// Reads a package to its end, as an installation does.
pub(crate) fn read_whole(package: &[u8], trust: &Trust) -> Result<Vec<Rows>, Refusal> {
    let (verified, mut rest) = open(package, trust)?;
    let chunks = 0..verified.chunk_count();
    let rows = chunks.map(|position| verified.read_rows(position, &mut rest)).collect();
    verified.expect_end(&mut rest)?;
    rows
}

/// The documents of a package before they are signed, to be changed one at a time.
///
/// Hashes and lengths follow from the contents, so that a change is wrong in the one way that it
/// shows and in no other.
pub(crate) struct Draft {
    pub root: Root,
    pub manifest: Manifest,
    pub envelope: Envelope,
    pub grant: Grant,
    pub inner: InnerManifest,
    /// Compressed, not yet sealed.
    pub chunks: Vec<Vec<u8>>,
    /// Who signs the manifest.
    pub roles: Vec<Role>,
}

impl Draft {
    /// A small list of notices.
    pub(crate) fn notices() -> Draft {
        let roles = vec![Role::NoticesAuthor, Role::NoticesApprover];
        Draft::of(&notices_package(1, &[wanted()]), roles)
    }

    /// A small register.
    pub(crate) fn register() -> Draft {
        Draft::of(&register_package(1, &[citizen_row()]), vec![Role::Register])
    }

    /// A small list of anchors.
    pub(crate) fn anchors() -> Draft {
        Draft::of(&anchors_package(1, &some_anchors()), vec![Role::Anchors])
    }

    fn of(package: &[u8], roles: Vec<Role>) -> Draft {
        let (sections, _) = split(package);
        let (verified, mut rest) = open(package, &trust()).unwrap();
        let Snapshot { manifest, inner, .. } = verified.snapshot().clone();
        let grant = verified.grant.clone();
        let open_chunk = |(index, chunk): (u32, &PartRef)| {
            let sealed = layout::read_chunk(&mut rest, chunk).unwrap();
            let key = &grant.content_keys[0].1;
            seal::open(&manifest.package, Part::Chunk(index), key, &sealed).unwrap()
        };
        Draft {
            root: codec::decode(Kind::Root, &root()).unwrap(),
            chunks: (0..).zip(&manifest.chunks).map(open_chunk).collect(),
            envelope: codec::decode(Kind::Envelope, &sections.envelope).unwrap(),
            grant,
            manifest,
            inner,
            roles,
        }
    }

    /// Puts rows into chunks of their own.
    pub(crate) fn with_chunks(mut self, chunks: &[&[Notice]]) -> Draft {
        self.chunks.clear();
        self.inner.chunks.clear();
        self.inner.rows = chunks.iter().map(|rows| rows.len() as u64).sum();
        self.inner.counts = vec![(chunks[0][0].category, self.inner.rows as u32)];
        for rows in chunks {
            let (first, last) = (rows[0].id, rows[rows.len() - 1].id);
            let info =
                ChunkInfo { rows: rows.len() as u32, first, last, raw_len: 0, raw_hash: [0; 32] };
            self.inner.chunks.push(info);
            self.chunks.push(Vec::new());
            self.set_chunk(self.chunks.len() - 1, &encode_notices(rows).unwrap());
        }
        self
    }

    /// Puts other bytes into a chunk, and describes them truly.
    pub(crate) fn set_chunk(&mut self, index: usize, raw: &[u8]) {
        self.chunks[index] = layout::compress(raw).unwrap();
        self.inner.chunks[index].raw_len = raw.len() as u32;
        self.inner.chunks[index].raw_hash = sha256(raw);
    }

    /// What a device trusts that was enrolled under this root.
    pub(crate) fn trust(&self) -> Trust {
        Trust { root_hash: sha256(&self.root_bytes()), ..trust() }
    }

    pub(crate) fn root_bytes(&self) -> Vec<u8> {
        codec::encode(Kind::Root, &self.root).unwrap()
    }

    pub(crate) fn encode(self) -> Vec<u8> {
        let (root_chain, roles) =
            (keyring().sign_root(self.root_bytes()).unwrap(), self.roles.clone());
        self.encode_signed(root_chain, |manifest| {
            roles.iter().flat_map(|role| keyring().sign_manifest(*role, manifest)).collect()
        })
    }

    pub(crate) fn encode_signed(
        mut self,
        root_chain: Vec<u8>,
        sign: impl FnOnce(&[u8]) -> Vec<Signature>,
    ) -> Vec<u8> {
        let package = self.manifest.package;
        let grant = codec::encode(Kind::Grant, &self.grant).unwrap();
        self.envelope.grant = seal::seal(&package, Part::Grant, &seed().unit_key(UNIT), &grant);
        self.envelope.chunks = Envelope::runs(0..self.chunks.len() as u32);
        let envelope = codec::encode(Kind::Envelope, &self.envelope).unwrap();
        let inner = codec::encode(Kind::InnerManifest, &self.inner).unwrap();
        let inner = seal::seal(&package, Part::Inner, &self.grant.inner_key, &inner);
        self.manifest.envelopes = vec![PartRef::of(&envelope)];
        self.manifest.inner = PartRef::of(&inner);
        let key = self.grant.content_keys[0].1;
        let chunks = (0..).zip(&self.chunks);
        let chunks: Vec<Vec<u8>> = chunks
            .map(|(index, chunk)| seal::seal(&package, Part::Chunk(index), &key, chunk))
            .collect();
        self.manifest.chunks = chunks.iter().map(|chunk| PartRef::of(chunk)).collect();
        let manifest = codec::encode(Kind::Manifest, &self.manifest).unwrap();
        let signatures = sign(&manifest);
        let signed = SignedManifest { manifest, signatures };
        let manifest = codec::encode(Kind::SignedManifest, &signed).unwrap();
        join(Sections { root_chain, manifest, envelope, inner }, &chunks.concat())
    }
}

/// Writes a package of these parts, whatever they are.
pub(crate) fn join(sections: Sections, chunks: &[u8]) -> Vec<u8> {
    let mut package = Vec::new();
    layout::write_sections(&mut package, &sections).unwrap();
    package.extend_from_slice(chunks);
    package
}

/// Takes a package apart: its sections, and the bytes of its chunks.
pub(crate) fn split(mut package: &[u8]) -> (Sections, &[u8]) {
    let sections = layout::read_sections(&mut package).unwrap();
    (sections, package)
}
