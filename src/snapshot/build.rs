//! Builds a package from rows: headquarters' side of the format.
//!
//! The same rows and terms give the same bytes, so that whoever approves a list can build it again
//! and compare. Compressed chunks are kept in memory until the manifest that names them is written
//! before them: about 5 MB a million register rows.

use sync_format::codec::{self, EncodeError, Kind};
use sync_format::limits::REGISTER_ROWS_PER_CHUNK;
use sync_format::v1::notice::{self, Category, Notice, encode_notices};
use sync_format::v1::package::layout::{self, Sections};
use sync_format::v1::package::{
    ChunkInfo, ChunkRef, Dataset, Envelope, Freshness, InnerManifest, Manifest, Role,
    SignedManifest, SnapshotVersion, sha256,
};
use sync_format::v1::register::{RegisterRow, TagKey, encode_register};

use super::APP;
use super::keyring::Keyring;

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

/// Why a package could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A value is over a limit of the format.
    #[error("a value is over a limit of the format")]
    Encode(#[from] EncodeError),
    /// The rows break a rule of the format.
    #[error("the rows cannot be encoded")]
    Rows,
    /// The rows do not ascend.
    #[error("the rows do not ascend")]
    Order,
    /// The snapshot would be over before it begins.
    #[error("the snapshot expires before it is made")]
    Expiry,
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    NoRandomness,
    /// The keys break a rule of the root document.
    #[error("the keys break a rule of the root document")]
    Root,
}

/// Builds a package of notices, which must ascend by order number.
pub fn notices(
    rows: &[Notice],
    terms: Terms,
    keyring: &Keyring,
    root_chain: Vec<u8>,
) -> Result<Vec<u8>, BuildError> {
    let mut parts = Parts::new(Dataset::Notices, terms)?;
    for rows in notice::split(rows) {
        let raw = encode_notices(rows).map_err(|_| BuildError::Rows)?;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { continue };
        parts.push(&raw, rows.len(), first.id, last.id)?;
    }
    parts.inner.counts = Category::ALL
        .iter()
        .map(|category| (*category, rows.iter().filter(|row| row.category == *category).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(category, count)| (category, u32::try_from(count).unwrap_or(u32::MAX)))
        .collect();
    parts.finish(keyring, &[Role::NoticesAuthor, Role::NoticesApprover], root_chain)
}

/// Builds a package of register rows, which must ascend by number and be sealed with `key`.
///
/// Assumes: each region (first three digits) that occurs among the rows is covered whole, for a number
/// that a covered region does not hold is a referral.
pub fn register(
    rows: impl IntoIterator<Item = RegisterRow>,
    key: &TagKey,
    terms: Terms,
    keyring: &Keyring,
    root_chain: Vec<u8>,
) -> Result<Vec<u8>, BuildError> {
    let mut parts = Parts::new(Dataset::Register, terms)?;
    parts.inner.tag_key = Some(*key.expose());
    let mut chunk = Vec::with_capacity(REGISTER_ROWS_PER_CHUNK);
    for row in rows {
        let region = region_of(row.number);
        if parts.inner.regions.last() != Some(&region) && !parts.inner.regions.contains(&region) {
            parts.inner.regions.push(region);
        }
        chunk.push(row);
        if chunk.len() == REGISTER_ROWS_PER_CHUNK {
            parts.push_register(&chunk)?;
            chunk.clear();
        }
    }
    parts.push_register(&chunk)?;
    parts.inner.regions.sort_unstable();
    parts.finish(keyring, &[Role::Register], root_chain)
}

/// The parts of a package while it grows.
struct Parts {
    dataset: Dataset,
    terms: Terms,
    inner: InnerManifest,
    refs: Vec<ChunkRef>,
    bytes: Vec<u8>,
}

impl Parts {
    fn new(dataset: Dataset, terms: Terms) -> Result<Parts, BuildError> {
        if terms.expires <= terms.created {
            return Err(BuildError::Expiry);
        }
        let package = package_id(dataset, terms);
        Ok(Parts {
            dataset,
            terms,
            inner: InnerManifest {
                package,
                regions: Vec::new(),
                tag_key: None,
                rows: 0,
                chunks: Vec::new(),
                counts: Vec::new(),
            },
            refs: Vec::new(),
            bytes: Vec::new(),
        })
    }

    fn push_register(&mut self, rows: &[RegisterRow]) -> Result<(), BuildError> {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(()) };
        let raw = encode_register(rows).map_err(|_| BuildError::Rows)?;
        self.push(&raw, rows.len(), first.number, last.number)
    }

    fn push(&mut self, raw: &[u8], rows: usize, first: u64, last: u64) -> Result<(), BuildError> {
        if self.inner.chunks.last().is_some_and(|before| before.last >= first) {
            return Err(BuildError::Order);
        }
        let compressed = layout::compress(raw).map_err(|_| BuildError::Rows)?;
        let len = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| BuildError::Rows);
        self.inner.rows += rows as u64;
        self.inner.chunks.push(ChunkInfo {
            rows: u32::try_from(rows).map_err(|_| BuildError::Rows)?,
            first,
            last,
            raw_len: len(raw)?,
            raw_hash: sha256(raw),
        });
        self.refs.push(ChunkRef { hash: sha256(&compressed), len: len(&compressed)? });
        self.bytes.extend_from_slice(&compressed);
        Ok(())
    }

    fn finish(
        self,
        keyring: &Keyring,
        roles: &[Role],
        root_chain: Vec<u8>,
    ) -> Result<Vec<u8>, BuildError> {
        let envelope = Envelope::unsealed(&self.inner).map_err(|_| BuildError::Rows)?;
        let envelope = codec::encode(Kind::Envelope, &envelope)?;
        let manifest = Manifest {
            package: self.inner.package,
            dataset: self.dataset,
            version: self.terms.version,
            created: self.terms.created,
            expires: self.terms.expires,
            base: None,
            min_app: APP,
            freshness: self.terms.freshness,
            chip_required: self.terms.chip_required,
            envelope_hash: sha256(&envelope),
            envelope_len: u32::try_from(envelope.len()).map_err(|_| BuildError::Rows)?,
            chunks: self.refs,
        };
        let manifest = codec::encode(Kind::Manifest, &manifest)?;
        let signatures =
            roles.iter().flat_map(|role| keyring.sign_manifest(*role, &manifest)).collect();
        let signed = codec::encode(Kind::SignedManifest, &SignedManifest { manifest, signatures })?;
        let mut package = Vec::new();
        layout::write_sections(&mut package, &Sections { root_chain, manifest: signed, envelope })
            .map_err(|_| BuildError::Rows)?;
        package.extend_from_slice(&self.bytes);
        Ok(package)
    }
}

/// Returns the region of a register row: the first three digits of its number.
fn region_of(number: u64) -> u16 {
    u16::try_from(number / 1_000_000_000).unwrap_or(u16::MAX)
}

/// Names a package by its dataset, version and time: the same source gives the same name.
fn package_id(dataset: Dataset, terms: Terms) -> [u8; 16] {
    let text = format!(
        "fieldcheck-package-v1 {} {} {} {}",
        dataset.number(),
        terms.version.epoch,
        terms.version.version,
        terms.created
    );
    let mut id = [0; 16];
    id.copy_from_slice(&sha256(text.as_bytes())[..16]);
    id
}

#[cfg(test)]
mod tests {
    use sync_format::v1::package::Purpose;

    use super::*;
    use crate::matching::testing::{named, reported, wanted};
    use crate::snapshot::Rows;
    use crate::snapshot::testing::{
        NOW, citizen_row, keyring, notices_package, open, read_whole, register_package, tag_key,
        terms, trust,
    };

    fn row(number: u64) -> RegisterRow {
        RegisterRow { number, tags: 0 }
    }

    fn build_register(rows: Vec<RegisterRow>) -> Result<Vec<u8>, BuildError> {
        let root = keyring().root(Purpose::Demo, 1, NOW.0 + 1).unwrap();
        let root_chain = keyring().sign_root(root).unwrap();
        register(rows, &tag_key(), terms(1), &keyring(), root_chain)
    }

    #[test]
    fn the_same_rows_and_terms_give_the_same_bytes() {
        let second = Notice { id: 1_300, ..named("Trần Thị Thử") };
        let rows = [wanted(), second];
        assert_eq!(notices_package(4, &rows), notices_package(4, &rows));
        assert_ne!(notices_package(4, &rows), notices_package(5, &rows));
        assert_eq!(register_package(4, &[citizen_row()]), register_package(4, &[citizen_row()]));
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
    fn a_register_names_its_regions_and_is_cut_into_chunks() {
        let mut rows: Vec<RegisterRow> =
            (0..REGISTER_ROWS_PER_CHUNK as u64).map(|at| row(15_000_000_000 + at)).collect();
        rows.push(row(48_000_000_000));
        let package = register_package(1, &rows);
        let (verified, _) = open(&package, &trust()).unwrap();
        let inner = &verified.snapshot().inner;
        assert_eq!(inner.regions, [15, 48]);
        let sizes: Vec<u32> = inner.chunks.iter().map(|chunk| chunk.rows).collect();
        assert_eq!(sizes, [100_000, 1]);
        assert_eq!(inner.tag_key.as_ref(), Some(tag_key().expose()));
        let read = read_whole(&package, &trust()).unwrap();
        assert!(
            matches!(&read[1], Rows::Register(last) if *last == rows[REGISTER_ROWS_PER_CHUNK..])
        );
    }

    #[test]
    fn rows_out_of_order_are_refused_inside_a_chunk_and_between_two() {
        let inside = build_register(vec![row(15_000_000_001), row(15_000_000_000)]);
        assert!(matches!(inside, Err(BuildError::Rows)), "{inside:?}");
        let mut rows: Vec<RegisterRow> =
            (0..REGISTER_ROWS_PER_CHUNK as u64).map(|at| row(15_000_000_000 + at)).collect();
        rows.push(row(15_000_000_000));
        let between = build_register(rows);
        assert!(matches!(between, Err(BuildError::Order)), "{between:?}");
    }

    #[test]
    fn a_notice_that_the_law_does_not_provide_for_is_not_built() {
        let without_basis = Notice { decision: String::new(), ..wanted() };
        let root_chain = keyring().sign_root(crate::snapshot::testing::root()).unwrap();
        let refused = notices(&[without_basis], terms(1), &keyring(), root_chain);
        assert!(matches!(refused, Err(BuildError::Rows)), "{refused:?}");
    }

    #[test]
    fn a_snapshot_that_is_over_before_it_begins_is_not_built() {
        let over = Terms { expires: terms(1).created, ..terms(1) };
        let refused = notices(&[wanted()], over, &keyring(), Vec::new());
        assert!(matches!(refused, Err(BuildError::Expiry)), "{refused:?}");
    }
}
