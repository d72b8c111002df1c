//! Builds a package from rows: headquarters' side of the format.
//!
//! The same rows, terms, units and [`Seed`] give the same bytes, so that whoever approves a list can
//! build it again and compare. A [`Draft`] is what is built: everything but the signatures, for all
//! units. It is kept in memory, about 5 MB a million register rows.

use sync_format::codec::{self, EncodeError, Kind};
use sync_format::limits::REGISTER_ROWS_PER_CHUNK;
use sync_format::v1::anchors::{self, Anchor, encode_anchors};
use sync_format::v1::columns::ChunkError;
use sync_format::v1::notice::{self, Category, Notice, encode_notices};
use sync_format::v1::package::layout::{self, Sections};
use sync_format::v1::package::seal::{self, Part, SealPublic, Seed};
use sync_format::v1::package::{
    Base, ChunkInfo, Dataset, Envelope, Freshness, Grant, InnerManifest, Manifest, NATIONAL,
    PackageError, PartRef, Signature, SignedManifest, SnapshotVersion, sha256,
};
use sync_format::v1::register::{RegisterRow, encode_register, region_of};

use super::APP;

/// What is promised of a snapshot, beside its rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    /// Epoch and version; must be higher than what devices hold.
    pub version: SnapshotVersion,
    /// When it was made, seconds since 1970 UTC.
    pub created: i64,
    /// When it can no longer be installed, seconds since 1970 UTC.
    pub expires: i64,
    /// How long it may answer.
    pub freshness: Freshness,
    /// Whether a clear answer needs the chip.
    pub chip_required: bool,
}

/// A unit that a package is sealed to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unit {
    /// Its number.
    pub unit: u32,
    /// The regions of the register that it may read; `None`: all.
    pub regions: Option<Vec<u16>>,
    /// How long lists answer there, where that is stricter.
    pub freshness: Option<Freshness>,
    /// Whether it clears nobody without a proven chip.
    pub chip_required: bool,
    /// Its devices that are not revoked.
    pub devices: Vec<SealPublic>,
}

/// A full package that a delta is built against.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseOf {
    /// Version and hash, as the delta names it.
    pub base: Base,
    /// Its epoch.
    pub epoch: u32,
    /// What stands in it.
    pub inner: InnerManifest,
}

/// Shows nothing of the inner manifest's tag key.
impl std::fmt::Debug for BaseOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BaseOf").field("base", &self.base).finish_non_exhaustive()
    }
}

/// Why a package could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A value is over a limit of the format.
    #[error("a value is over a limit of the format")]
    Encode(#[from] EncodeError),
    /// The rows break a rule of the format.
    #[error("the rows cannot be encoded")]
    Rows(#[from] ChunkError),
    /// The rows do not ascend.
    #[error("the rows do not ascend")]
    Order,
    /// A register row outside the regions that the register is said to cover.
    #[error("a row of region {region} stands in a register that does not cover it")]
    OutsideRegions {
        /// Its region.
        region: u16,
    },
    /// No unit, or a unit without a device: nobody could open it.
    #[error("there is no device that could open the package")]
    NoDevice,
    /// A unit stands twice.
    #[error("unit {unit} stands twice")]
    UnitTwice {
        /// The unit.
        unit: u32,
    },
    /// A unit that the package was not built for.
    #[error("the package was not built for unit {unit}")]
    UnknownUnit {
        /// The unit.
        unit: u32,
    },
    /// The documents of the package contradict each other.
    #[error("the package contradicts itself")]
    Contradictory(#[from] PackageError),
    /// A part is longer than the format allows.
    #[error("a part of the package is too long")]
    Layout(#[from] layout::LayoutError),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    NoRandomness,
    /// The keys break a rule of the root document.
    #[error("the keys break a rule of the root document")]
    Root,
}

/// Draws the seed of a new package.
///
/// # Errors
///
/// [`BuildError::NoRandomness`].
pub fn draw_seed() -> Result<Seed, BuildError> {
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|_| BuildError::NoRandomness)?;
    Ok(Seed::new(*bytes))
}

/// Everything of a package but its signatures, for all units.
#[derive(Clone, PartialEq, Eq)]
pub struct Draft {
    /// The encoded manifest, which is what is signed.
    pub manifest: Vec<u8>,
    /// The sealed inner manifest.
    pub inner: Vec<u8>,
    /// The encoded envelope of each unit, in the order of the units given.
    pub envelopes: Vec<(u32, Vec<u8>)>,
    /// The sealed chunks.
    pub chunks: Vec<Vec<u8>>,
}

/// Shows lengths alone.
impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Draft { manifest, inner, envelopes, chunks } = self;
        let lengths = [manifest.len(), inner.len(), envelopes.len(), chunks.len()];
        f.debug_tuple("Draft").field(&lengths).finish()
    }
}

impl Draft {
    /// Returns the package file of one unit.
    ///
    /// # Errors
    ///
    /// [`BuildError::UnknownUnit`].
    pub fn package(
        &self,
        unit: u32,
        root_chain: &[u8],
        signatures: Vec<Signature>,
    ) -> Result<Vec<u8>, BuildError> {
        let envelope = self.envelopes.iter().find(|(of, _)| *of == unit);
        let (_, envelope) = envelope.ok_or(BuildError::UnknownUnit { unit })?;
        let decoded: Envelope = codec::decode(Kind::Envelope, envelope)
            .map_err(|error| BuildError::Contradictory(error.into()))?;
        let signed = SignedManifest { manifest: self.manifest.clone(), signatures };
        let sections = Sections {
            root_chain: root_chain.to_vec(),
            manifest: codec::encode(Kind::SignedManifest, &signed)?,
            envelope: envelope.clone(),
            inner: self.inner.clone(),
        };
        let mut package = Vec::new();
        layout::write_sections(&mut package, &sections)?;
        for index in decoded.chunk_indices() {
            package.extend_from_slice(&self.chunks[index as usize]);
        }
        Ok(package)
    }
}

/// Builds a full package of notices, which must ascend by order number.
pub fn notices(
    rows: &[Notice],
    terms: Terms,
    units: &[Unit],
    seed: &Seed,
) -> Result<Draft, BuildError> {
    notice_parts(Parts::new(Dataset::Notices, terms, None, seed), rows, units)
}

/// Builds a package of the notices that were added or changed since `base`, with the order numbers
/// that were withdrawn since; both must ascend.
pub fn notices_delta(
    base: &BaseOf,
    changed: &[Notice],
    withdrawn: &[u64],
    terms: Terms,
    units: &[Unit],
    seed: &Seed,
) -> Result<Draft, BuildError> {
    let mut parts = Parts::new(Dataset::Notices, terms, Some(base), seed);
    parts.inner.withdrawn = withdrawn.to_vec();
    notice_parts(parts, changed, units)
}

fn notice_parts(
    mut parts: Parts<'_>,
    rows: &[Notice],
    units: &[Unit],
) -> Result<Draft, BuildError> {
    for rows in notice::split(rows) {
        let raw = encode_notices(rows)?;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { continue };
        parts.push(&raw, rows.len(), first.id, last.id, NATIONAL)?;
    }
    parts.inner.counts = Category::ALL
        .iter()
        .map(|category| (*category, rows.iter().filter(|row| row.category == *category).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(category, count)| (category, u32::try_from(count).unwrap_or(u32::MAX)))
        .collect();
    parts.finish(units)
}

/// Builds a full package of the register, whose rows must ascend by number and be sealed with
/// [`Seed::tag_key`].
///
/// `regions` are those that the register covers whole, ascending: a number of theirs that no row has
/// is a referral.
pub fn register(
    rows: impl IntoIterator<Item = RegisterRow>,
    regions: &[u16],
    terms: Terms,
    units: &[Unit],
    seed: &Seed,
) -> Result<Draft, BuildError> {
    let mut parts = Parts::new(Dataset::Register, terms, None, seed);
    parts.inner.tag_key = Some(*seed.tag_key());
    parts.inner.regions = regions.to_vec();
    register_parts(parts, rows, units)
}

/// Builds a package of the register rows that were added or changed since `base`, and of tombstones
/// for those that are gone; sealed with the base's tag key.
pub fn register_delta(
    base: &BaseOf,
    rows: impl IntoIterator<Item = RegisterRow>,
    terms: Terms,
    units: &[Unit],
    seed: &Seed,
) -> Result<Draft, BuildError> {
    let mut parts = Parts::new(Dataset::Register, terms, Some(base), seed);
    parts.inner.tag_key = base.inner.tag_key;
    parts.inner.regions = base.inner.regions.clone();
    register_parts(parts, rows, units)
}

fn register_parts(
    mut parts: Parts<'_>,
    rows: impl IntoIterator<Item = RegisterRow>,
    units: &[Unit],
) -> Result<Draft, BuildError> {
    let mut chunk: Vec<RegisterRow> = Vec::with_capacity(REGISTER_ROWS_PER_CHUNK);
    for row in rows {
        let is_full = chunk.len() == REGISTER_ROWS_PER_CHUNK;
        // Each region has a key of its own, so no chunk reaches from one into the next.
        let ends = chunk.last().is_some_and(|last| region_of(last.number) != region_of(row.number));
        if is_full || ends {
            parts.push_register(&chunk)?;
            chunk.clear();
        }
        chunk.push(row);
    }
    parts.push_register(&chunk)?;
    parts.finish(units)
}

/// Builds a package of anchors, which must ascend by place. It is always full: anchors have no deltas.
pub fn anchors(
    rows: &[Anchor],
    terms: Terms,
    units: &[Unit],
    seed: &Seed,
) -> Result<Draft, BuildError> {
    let mut parts = Parts::new(Dataset::Anchors, terms, None, seed);
    for rows in anchors::split(rows) {
        let raw = encode_anchors(rows)?;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { continue };
        parts.push(&raw, rows.len(), first.id, last.id, NATIONAL)?;
    }
    parts.finish(units)
}

/// The parts of a package while it grows.
struct Parts<'a> {
    dataset: Dataset,
    terms: Terms,
    base: Option<&'a BaseOf>,
    seed: &'a Seed,
    inner: InnerManifest,
    chunks: Vec<Vec<u8>>,
    /// The region of each chunk.
    regions: Vec<u16>,
}

impl<'a> Parts<'a> {
    fn new(dataset: Dataset, terms: Terms, base: Option<&'a BaseOf>, seed: &'a Seed) -> Parts<'a> {
        let inner = InnerManifest {
            package: seed.package_id(),
            regions: Vec::new(),
            tag_key: None,
            rows: 0,
            chunks: Vec::new(),
            counts: Vec::new(),
            withdrawn: Vec::new(),
        };
        Parts { dataset, terms, base, seed, inner, chunks: Vec::new(), regions: Vec::new() }
    }

    fn push_register(&mut self, rows: &[RegisterRow]) -> Result<(), BuildError> {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(()) };
        let region = region_of(first.number);
        if self.inner.regions.binary_search(&region).is_err() {
            return Err(BuildError::OutsideRegions { region });
        }
        let raw = encode_register(rows)?;
        self.push(&raw, rows.len(), first.number, last.number, region)
    }

    fn push(
        &mut self,
        raw: &[u8],
        rows: usize,
        first: u64,
        last: u64,
        region: u16,
    ) -> Result<(), BuildError> {
        if self.inner.chunks.last().is_some_and(|before| before.last >= first) {
            return Err(BuildError::Order);
        }
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let index = count(self.chunks.len());
        self.inner.rows += rows as u64;
        self.inner.chunks.push(ChunkInfo {
            rows: count(rows),
            first,
            last,
            raw_len: count(raw.len()),
            raw_hash: sha256(raw),
        });
        let key = self.seed.content_key(self.dataset, region);
        let compressed = layout::compress(raw)?;
        self.chunks.push(seal::seal(&self.inner.package, Part::Chunk(index), &key, &compressed));
        self.regions.push(region);
        Ok(())
    }

    fn finish(self, units: &[Unit]) -> Result<Draft, BuildError> {
        let package = self.inner.package;
        let inner = codec::encode(Kind::InnerManifest, &self.inner)?;
        let inner = seal::seal(&package, Part::Inner, &self.seed.inner_key(), &inner);
        if units.is_empty() {
            return Err(BuildError::NoDevice);
        }
        let mut envelopes: Vec<(u32, Vec<u8>)> = Vec::with_capacity(units.len());
        for unit in units {
            if envelopes.iter().any(|(number, _)| *number == unit.unit) {
                return Err(BuildError::UnitTwice { unit: unit.unit });
            }
            envelopes.push((unit.unit, codec::encode(Kind::Envelope, &self.envelope(unit)?)?));
        }
        let mut refs: Vec<PartRef> = envelopes.iter().map(|(_, it)| PartRef::of(it)).collect();
        refs.sort_unstable();
        let manifest = Manifest {
            package,
            dataset: self.dataset,
            version: self.terms.version,
            created: self.terms.created,
            expires: self.terms.expires,
            base: self.base.map(|base| base.base),
            min_app: APP,
            freshness: self.terms.freshness,
            chip_required: self.terms.chip_required,
            envelopes: refs,
            inner: PartRef::of(&inner),
            chunks: self.chunks.iter().map(|chunk| PartRef::of(chunk)).collect(),
        };
        manifest.validate()?;
        self.inner.validate(&manifest)?;
        let manifest = codec::encode(Kind::Manifest, &manifest)?;
        Ok(Draft { manifest, inner, envelopes, chunks: self.chunks })
    }

    fn envelope(&self, unit: &Unit) -> Result<Envelope, BuildError> {
        let package = self.inner.package;
        if unit.devices.is_empty() {
            return Err(BuildError::NoDevice);
        }
        let may_read = |region: u16| match (&unit.regions, self.dataset) {
            (Some(regions), Dataset::Register) => regions.contains(&region),
            _ => true,
        };
        let regions = match self.dataset {
            Dataset::Register => &self.inner.regions[..],
            _ => &[NATIONAL],
        };
        let grant = Grant {
            package,
            unit: unit.unit,
            inner_key: *self.seed.inner_key(),
            content_keys: regions
                .iter()
                .filter(|region| may_read(**region))
                .map(|region| (*region, *self.seed.content_key(self.dataset, *region)))
                .collect(),
            freshness: unit.freshness,
            chip_required: unit.chip_required,
        };
        let unit_key = self.seed.unit_key(unit.unit);
        let encoded = zeroize::Zeroizing::new(codec::encode(Kind::Grant, &grant)?);
        let mut recipients: Vec<_> = unit
            .devices
            .iter()
            .map(|device| seal::wrap(self.seed, &package, &unit_key, device))
            .collect();
        recipients.sort_unstable_by_key(|recipient| recipient.hint);
        let chunks = (0..).zip(&self.regions).filter(|(_, region)| may_read(**region));
        Ok(Envelope {
            package,
            chunks: Envelope::runs(chunks.map(|(index, _)| index)),
            recipients,
            grant: seal::seal(&package, Part::Grant, &unit_key, &encoded),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::testing::{named, reported, wanted};
    use crate::snapshot::testing::{
        UNIT, base_of, citizen_row, notices_package, open, read_whole, register_package, seed,
        tag_key, terms, trust, units,
    };
    use crate::snapshot::{Opener, Refusal, Rows, Signed, verify};
    use sync_format::v1::package::Role;
    use sync_format::v1::package::seal::SealSecret;

    fn row(number: u64) -> RegisterRow {
        RegisterRow { number, tags: 0 }
    }

    fn build_register(rows: Vec<RegisterRow>) -> Result<Draft, BuildError> {
        register(rows, &[15, 48], terms(1), &units(), &seed())
    }

    #[test]
    fn the_same_rows_terms_and_seed_give_the_same_bytes() {
        let second = Notice { id: 1_300, ..named("Trần Thị Thử") };
        let rows = [wanted(), second];
        assert_eq!(notices_package(4, &rows), notices_package(4, &rows));
        assert_ne!(notices_package(4, &rows), notices_package(5, &rows));
        assert_eq!(register_package(4, &[citizen_row()]), register_package(4, &[citizen_row()]));
        let with = |seed: &Seed| notices(&rows, terms(4), &units(), seed).unwrap();
        let (first, second) = (with(&Seed::new([1; 32])), with(&Seed::new([2; 32])));
        assert!(first.inner != second.inner && first.chunks != second.chunks);
    }

    #[test]
    fn notices_are_counted_by_category() {
        let lost = Notice { id: 1_300, ..reported(Category::D1, "2026-01-01") };
        let another = Notice { id: 1_301, ..lost.clone() };
        let package = notices_package(1, &[wanted(), lost, another]);
        let (verified, _) = open(&package, &trust()).unwrap();
        let inner = &verified.snapshot().inner;
        assert_eq!(inner.counts, [(Category::W1, 1), (Category::D1, 2)]);
        assert_eq!((inner.rows, &inner.regions[..]), (3, &[][..]), "notices are national");
    }

    #[test]
    fn an_empty_list_is_a_list() {
        let package = notices_package(1, &[]);
        assert_eq!(read_whole(&package, &trust()).unwrap().len(), 0);
    }

    #[test]
    fn a_chunk_ends_when_it_is_full_and_at_the_end_of_its_region() {
        let mut rows: Vec<RegisterRow> =
            (0..=REGISTER_ROWS_PER_CHUNK as u64).map(|at| row(15_000_000_000 + at)).collect();
        rows.push(row(48_000_000_000));
        let package = register_package(1, &rows);
        let (verified, _) = open(&package, &trust()).unwrap();
        let inner = &verified.snapshot().inner;
        assert_eq!(inner.regions, [15, 48]);
        let sizes: Vec<u32> = inner.chunks.iter().map(|chunk| chunk.rows).collect();
        assert_eq!(sizes, [100_000, 1, 1]);
        assert_eq!(inner.tag_key.as_ref(), Some(tag_key().expose()));
        let read = read_whole(&package, &trust()).unwrap();
        let last = &rows[REGISTER_ROWS_PER_CHUNK + 1..];
        assert!(matches!(&read[2], Rows::Register(read) if read == last));
    }

    #[test]
    fn rows_out_of_order_are_refused_inside_a_chunk_and_between_two() {
        let inside = build_register(vec![row(15_000_000_001), row(15_000_000_000)]);
        assert!(matches!(inside, Err(BuildError::Rows(_))), "{inside:?}");
        let mut rows: Vec<RegisterRow> =
            (0..REGISTER_ROWS_PER_CHUNK as u64).map(|at| row(15_000_000_000 + at)).collect();
        rows.push(row(15_000_000_000));
        let between = build_register(rows);
        assert!(matches!(between, Err(BuildError::Order)), "{between:?}");
    }

    #[test]
    fn a_row_outside_the_declared_regions_is_not_built() {
        let refused = build_register(vec![row(1_000_000_000)]);
        assert!(matches!(refused, Err(BuildError::OutsideRegions { region: 1 })), "{refused:?}");
    }

    #[test]
    fn a_notice_that_the_law_does_not_provide_for_is_not_built() {
        let without_basis = Notice { decision: String::new(), ..wanted() };
        let refused = notices(&[without_basis], terms(1), &units(), &seed());
        assert!(matches!(refused, Err(BuildError::Rows(_))), "{refused:?}");
    }

    #[test]
    fn a_snapshot_that_is_over_before_it_begins_is_not_built() {
        let over = Terms { expires: terms(1).created, ..terms(1) };
        let refused = notices(&[wanted()], over, &units(), &seed());
        let times = BuildError::Contradictory(PackageError::Times);
        assert_eq!(refused.unwrap_err().to_string(), times.to_string());
    }

    #[test]
    fn a_package_that_nobody_could_open_is_not_built() {
        let built = |units: &[Unit]| notices(&[wanted()], terms(1), units, &seed());
        assert!(matches!(built(&[]), Err(BuildError::NoDevice)));
        let without = Unit { devices: Vec::new(), ..units().remove(0) };
        assert!(matches!(built(&[without]), Err(BuildError::NoDevice)));
        let twice = [units(), units()].concat();
        assert!(matches!(built(&twice), Err(BuildError::UnitTwice { unit: UNIT })));
    }

    /// Two units: one reads region 15 alone, the other both.
    fn two_units() -> (Vec<Unit>, SealSecret, SealSecret) {
        let (of_one, of_both) = (SealSecret::new([1; 32]), SealSecret::new([2; 32]));
        let unit = |unit, regions, device: &SealSecret| Unit {
            unit,
            regions,
            freshness: None,
            chip_required: false,
            devices: vec![device.public()],
        };
        (vec![unit(1, Some(vec![15]), &of_one), unit(2, None, &of_both)], of_one, of_both)
    }

    fn opened(
        draft: &Draft,
        unit: u32,
        secret: &SealSecret,
    ) -> Result<(Vec<u16>, u64, Vec<Rows>), Refusal> {
        use crate::snapshot::testing::{keyring, root};
        let root_chain = keyring().sign_root(root()).unwrap();
        let signatures = keyring().sign_manifest(Role::Register, &draft.manifest);
        let package = draft.package(unit, &root_chain, signatures).unwrap();
        let mut rest = &package[..];
        let signed = Signed::read(&mut rest).unwrap();
        let verified = verify(signed, &trust(), Opener::Device(secret))?;
        let rows = (0..verified.chunk_count())
            .map(|position| verified.read_rows(position, &mut rest))
            .collect::<Result<Vec<Rows>, Refusal>>()?;
        verified.expect_end(&mut rest)?;
        let inner = &verified.snapshot().inner;
        Ok((inner.regions.clone(), inner.rows, rows))
    }

    #[test]
    fn a_unit_reads_its_own_regions_and_no_others() {
        let (units, of_one, of_both) = two_units();
        let rows = [row(15_000_000_000), row(15_000_000_001), row(48_000_000_000)];
        let draft = register(rows, &[15, 48], terms(1), &units, &seed()).unwrap();
        let (regions, count, read) = opened(&draft, 1, &of_one).unwrap();
        assert_eq!((regions, count, read.len()), (vec![15], 2, 1));
        let (regions, count, read) = opened(&draft, 2, &of_both).unwrap();
        assert_eq!((regions, count, read.len()), (vec![15, 48], 3, 2));
        for (unit, secret) in [(1, &of_both), (2, &of_one), (2, &SealSecret::new([3; 32]))] {
            let refused = opened(&draft, unit, secret);
            assert!(matches!(refused, Err(Refusal::NotForThisDevice)), "{unit}: {refused:?}");
        }
    }

    #[test]
    fn the_stricter_terms_count_of_list_and_unit() {
        let of_unit = Freshness { fresh_hours: 12, usable_hours: 100 };
        let mut units = units();
        units[0].freshness = Some(of_unit);
        units[0].chip_required = true;
        let draft = notices(&[wanted()], terms(1), &units, &seed()).unwrap();
        let roles = [Role::NoticesAuthor, Role::NoticesApprover];
        let package = crate::snapshot::testing::package(&draft, &roles);
        let (verified, _) = open(&package, &trust()).unwrap();
        let snapshot = verified.snapshot();
        assert_eq!(snapshot.freshness, Freshness { fresh_hours: 12, usable_hours: 72 });
        assert!(snapshot.chip_required && !snapshot.manifest.chip_required);
    }

    #[test]
    fn a_delta_names_its_base_and_is_believed_on_it_alone() {
        let full = register_package(1, &[citizen_row()]);
        let base = base_of(&full);
        let gone = RegisterRow { tags: sync_format::v1::register::TOMBSTONE, ..citizen_row() };
        let draft = register_delta(&base, [gone], terms(2), &units(), &seed()).unwrap();
        let delta = crate::snapshot::testing::package(&draft, &[Role::Register]);
        assert!(matches!(
            read_whole(&delta, &trust()),
            Err(Refusal::WrongBase { needed: 1, installed: None })
        ));
        let mut on_base = trust();
        on_base.register.base = Some(base.base);
        on_base.register.tag_key = base.inner.tag_key;
        let read = read_whole(&delta, &on_base).unwrap();
        assert!(matches!(&read[..], [Rows::Register(rows)] if *rows == [gone]));
        // The same version with other contents is another base.
        on_base.register.base = Some(Base { version: 1, manifest: [0; 32] });
        let refused = read_whole(&delta, &on_base);
        assert!(matches!(refused, Err(Refusal::WrongBase { installed: Some(1), .. })));
        on_base.register.base = Some(base.base);
        on_base.register.tag_key = Some([0; 32]);
        assert!(matches!(read_whole(&delta, &on_base), Err(Refusal::WrongTagKey)));
    }

    #[test]
    fn anchors_come_back_from_as_many_chunks_as_they_need() {
        use sync_format::limits::MAX_ANCHORS;
        use sync_format::v1::anchors::AnchorKind;

        let count = MAX_ANCHORS as u64 + 1;
        let row = |id| Anchor { id, kind: AnchorKind::Certificate, der: vec![0x30, 0] };
        let rows: Vec<Anchor> = (1..=count).map(row).collect();
        let package = crate::snapshot::testing::anchors_package(1, &rows);
        let (verified, _) = open(&package, &trust()).unwrap();
        let inner = &verified.snapshot().inner;
        assert_eq!((inner.rows, inner.chunks.len()), (count, 2));
        assert_eq!(
            (&inner.regions[..], &inner.counts[..], inner.tag_key),
            (&[][..], &[][..], None)
        );
        let read = read_whole(&package, &trust()).unwrap();
        let read: Vec<Anchor> = read
            .into_iter()
            .flat_map(|rows| match rows {
                Rows::Anchors(rows) => rows,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(read == rows);
        let refused = anchors(&[row(2), row(1)], terms(1), &units(), &seed());
        assert!(matches!(refused, Err(BuildError::Rows(_))), "{refused:?}");
    }

    #[test]
    fn a_full_register_takes_no_row_away() {
        let gone = RegisterRow { tags: sync_format::v1::register::TOMBSTONE, ..citizen_row() };
        let refused = read_whole(&register_package(1, &[gone]), &trust());
        assert!(matches!(refused, Err(Refusal::DamagedChunk { chunk: 0, .. })), "{refused:?}");
    }
}
