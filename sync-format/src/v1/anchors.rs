//! Trust anchors: what a chip is proven by when nobody can be asked.
//!
//! Two kinds of row, both DER as their issuer wrote it: certificates of the authorities that sign
//! the signers of documents (CSCA, ICAO 9303-12), and the lists of what those have revoked
//! (RFC 5280). A list of anchors is national and whole: there are no regions and no deltas, so that
//! no device holds some of the revocations of one day and not the others.
//!
//! Not here: what a certificate says. The rows are bytes with a limit; whoever builds a list and
//! whoever proves a chip by it parse them.

use bincode::{Decode, Encode};

use super::columns::{ChunkError, differences, next_key};
use crate::codec::{self, Kind};
use crate::limits;

numbered! {
    /// What an anchor is.
    pub enum AnchorKind, "anchor kind" {
        /// A certificate (X.509).
        Certificate = 1, "certificate";
        /// A list of revoked certificates (CRL).
        RevocationList = 2, "revocation-list";
    }
}

impl AnchorKind {
    /// Returns the greatest length of an anchor of this kind, in bytes.
    pub const fn max_bytes(self) -> usize {
        match self {
            AnchorKind::Certificate => limits::MAX_CERTIFICATE_BYTES,
            AnchorKind::RevocationList => limits::MAX_REVOCATION_LIST_BYTES,
        }
    }
}

/// One row: a certificate or a revocation list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Anchor {
    /// Its place in the list, from 1.
    pub id: u64,
    /// What the bytes are.
    pub kind: AnchorKind,
    /// The certificate or list in DER.
    pub der: Vec<u8>,
}

/// A chunk of anchors, column by column.
#[derive(Encode, Decode, Default)]
struct AnchorColumns {
    /// Differences of the places.
    ids: Vec<u64>,
    kinds: Vec<AnchorKind>,
    lengths: Vec<u32>,
    /// The anchors back to back.
    ders: Vec<u8>,
}

/// Returns the rows as one chunk, not yet compressed.
///
/// # Errors
///
/// Rows out of order, an anchor that is empty or too long, or more than fits; [`split`] cuts a list
/// so that each part fits.
pub fn encode_anchors(anchors: &[Anchor]) -> Result<Vec<u8>, ChunkError> {
    check_row_count(anchors.len())?;
    let mut columns = AnchorColumns {
        ids: differences(anchors.iter().map(|anchor| anchor.id))?,
        ..AnchorColumns::default()
    };
    for (row, anchor) in anchors.iter().enumerate() {
        check_row(row, anchor.id, anchor.kind, anchor.der.len())?;
        columns.kinds.push(anchor.kind);
        // No anchor that passed the check is longer than a `u32` tells.
        columns.lengths.push(anchor.der.len() as u32);
        columns.ders.extend_from_slice(&anchor.der);
    }
    Ok(codec::encode(Kind::AnchorChunk, &columns)?)
}

/// Returns the anchors of a decompressed chunk, in ascending order.
///
/// # Errors
///
/// The first thing that is wrong with it.
pub fn decode_anchors(raw: &[u8]) -> Result<Vec<Anchor>, ChunkError> {
    let AnchorColumns { ids, kinds, lengths, ders } = codec::decode(Kind::AnchorChunk, raw)?;
    let count = ids.len();
    check_row_count(count)?;
    for (column, len) in [("kinds", kinds.len()), ("lengths", lengths.len())] {
        if len != count {
            return Err(ChunkError::ColumnLength { column });
        }
    }
    let mut rest = ders.as_slice();
    let mut anchors = Vec::with_capacity(count);
    let mut id = 0;
    for (row, ((difference, kind), length)) in ids.into_iter().zip(kinds).zip(lengths).enumerate() {
        id = next_key(id, difference, row)?;
        let length = length as usize;
        check_row(row, id, kind, length)?;
        let (der, after) =
            rest.split_at_checked(length).ok_or(ChunkError::ColumnLength { column: "ders" })?;
        rest = after;
        anchors.push(Anchor { id, kind, der: der.to_vec() });
    }
    if rest.is_empty() { Ok(anchors) } else { Err(ChunkError::ColumnLength { column: "ders" }) }
}

/// Cuts a list into parts that each fit into one chunk.
pub fn split(anchors: &[Anchor]) -> Vec<&[Anchor]> {
    let mut parts = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, anchor) in anchors.iter().enumerate() {
        let size = anchor.der.len() + ROW_BYTES;
        if at > start && (bytes + size > MOST_BYTES || at - start == limits::MAX_ANCHORS) {
            parts.push(&anchors[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += size;
    }
    if start < anchors.len() {
        parts.push(&anchors[start..]);
    }
    parts
}

/// Bytes of a row beside its DER, at most: place 9, kind 1, length 5.
const ROW_BYTES: usize = 15;

/// Bytes of rows that fit into a chunk: what version, kind and the lengths of four columns leave.
const MOST_BYTES: usize = limits::MAX_CHUNK_RAW_BYTES - 2 - 4 * 9;

// The largest anchor fits into a chunk by itself.
const _: () = assert!(limits::MAX_REVOCATION_LIST_BYTES + ROW_BYTES <= MOST_BYTES);
const _: () = assert!(limits::MAX_CERTIFICATE_BYTES <= limits::MAX_REVOCATION_LIST_BYTES);

fn check_row_count(rows: usize) -> Result<(), ChunkError> {
    let limit = limits::MAX_ANCHORS;
    if (1..=limit).contains(&rows) { Ok(()) } else { Err(ChunkError::RowCount { rows, limit }) }
}

fn check_row(row: usize, id: u64, kind: AnchorKind, len: usize) -> Result<(), ChunkError> {
    if id == 0 {
        return Err(ChunkError::NotAscending { row });
    }
    let limit = kind.max_bytes();
    if (1..=limit).contains(&len) {
        Ok(())
    } else {
        Err(ChunkError::AnchorLength { row, kind, len, limit })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn an_anchor(id: u64, kind: AnchorKind, len: usize) -> Anchor {
        Anchor { id, kind, der: vec![0x30; len] }
    }

    fn certificate(id: u64) -> Anchor {
        an_anchor(id, AnchorKind::Certificate, 700)
    }

    #[test]
    fn anchors_come_back_as_they_were() {
        let rows = [certificate(1), an_anchor(2, AnchorKind::RevocationList, 9), certificate(900)];
        let raw = encode_anchors(&rows).unwrap();
        assert_eq!(decode_anchors(&raw).unwrap(), rows);
    }

    #[test]
    fn rows_out_of_order_are_refused() {
        for (ids, row) in [([2, 1], 1), ([2, 2], 1), ([0, 1], 0)] {
            let rows = ids.map(certificate);
            assert_eq!(encode_anchors(&rows), Err(ChunkError::NotAscending { row }), "{ids:?}");
        }
        // The sum of two differences beyond 64 bits.
        let columns = AnchorColumns {
            ids: vec![u64::MAX, 1],
            kinds: vec![AnchorKind::Certificate; 2],
            lengths: vec![1; 2],
            ders: vec![0x30; 2],
        };
        let raw = codec::encode(Kind::AnchorChunk, &columns).unwrap();
        assert_eq!(decode_anchors(&raw), Err(ChunkError::NotAscending { row: 1 }));
    }

    #[test]
    fn an_anchor_is_as_long_as_its_kind_may_be() {
        for kind in AnchorKind::ALL {
            let (kind, limit) = (*kind, kind.max_bytes());
            let encoded = |len| encode_anchors(&[an_anchor(1, kind, len)]).map(drop);
            assert_eq!(encoded(limit), Ok(()), "{kind}");
            for len in [0, limit + 1] {
                let refused = ChunkError::AnchorLength { row: 0, kind, len, limit };
                assert_eq!(encoded(len), Err(refused), "{kind}");
            }
        }
    }

    #[test]
    fn columns_of_other_lengths_are_refused_by_name() {
        let with = |change: fn(&mut AnchorColumns)| {
            let mut columns = AnchorColumns {
                ids: vec![1, 1],
                kinds: vec![AnchorKind::Certificate; 2],
                lengths: vec![2; 2],
                ders: vec![0x30; 4],
            };
            change(&mut columns);
            let decoded = decode_anchors(&codec::encode(Kind::AnchorChunk, &columns).unwrap());
            match decoded {
                Err(ChunkError::ColumnLength { column }) => column,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(with(|it| it.kinds.truncate(1)), "kinds");
        assert_eq!(with(|it| it.lengths.push(1)), "lengths");
        assert_eq!(with(|it| it.ders.truncate(3)), "ders");
        assert_eq!(with(|it| it.ders.push(0)), "ders");
    }

    #[test]
    fn a_chunk_has_some_rows_and_not_too_many() {
        let limit = limits::MAX_ANCHORS;
        assert_eq!(encode_anchors(&[]), Err(ChunkError::RowCount { rows: 0, limit }));
        let many: Vec<Anchor> =
            (1..=limit as u64 + 1).map(|id| an_anchor(id, AnchorKind::Certificate, 1)).collect();
        let rows = limit + 1;
        assert_eq!(encode_anchors(&many), Err(ChunkError::RowCount { rows, limit }));
        assert!(encode_anchors(&many[..limit]).is_ok());
        let parts: Vec<usize> = split(&many).iter().map(|part| part.len()).collect();
        assert_eq!(parts, [limit, 1]);
        assert_eq!(split(&[]).len(), 0);
    }

    #[test]
    fn each_part_of_a_long_list_fits_into_a_chunk() {
        let largest = AnchorKind::RevocationList.max_bytes();
        let heavy: Vec<Anchor> =
            (1..=70).map(|id| an_anchor(id, AnchorKind::RevocationList, largest)).collect();
        let parts = split(&heavy);
        assert_eq!(parts.iter().map(|part| part.len()).sum::<usize>(), heavy.len());
        assert!(parts.len() < 4, "{}", parts.len());
        for part in parts {
            assert!(encode_anchors(part).is_ok());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let raw = [&[codec::VERSION, Kind::AnchorChunk.number()], bytes.as_slice()].concat();
            if let Ok(rows) = decode_anchors(&raw) {
                prop_assert_eq!(encode_anchors(&rows).unwrap(), raw);
            }
        }

        #[test]
        fn any_anchors_come_back(
            rows in prop::collection::vec(
                (1_u64..9, any::<bool>(), prop::collection::vec(any::<u8>(), 1..40)),
                1..20,
            )
        ) {
            let mut id = 0;
            let rows: Vec<Anchor> = rows
                .into_iter()
                .map(|(step, is_list, der)| {
                    id += step;
                    let kind = match is_list {
                        true => AnchorKind::RevocationList,
                        false => AnchorKind::Certificate,
                    };
                    Anchor { id, kind, der }
                })
                .collect();
            let raw = encode_anchors(&rows).unwrap();
            prop_assert_eq!(decode_anchors(&raw).unwrap(), rows);
        }
    }
}
