//! The one door to the encoding: bincode 2, standard configuration, behind two leading bytes.
//!
//! Every encoded value starts with the format's version and its [`Kind`]. A value has exactly one
//! encoding: decoding refuses what is too long before it reads, a length that promises more than
//! the kind may hold before it allocates, bytes left over, and encodings that are not the shortest.
//!
//! Nothing else in the workspace calls bincode, so that replacing it is a change of this file.

use bincode::config::{self, Configuration, Limit, LittleEndian, Varint};
use bincode::{Decode, Encode};

use crate::limits;
pub use crate::numbered::UnknownCode;

/// First byte of every encoded value.
pub const VERSION: u8 = 1;

numbered! {
    /// Second byte of every encoded value: what it is, so that no value is taken for another.
    pub enum Kind, "kind" {
        /// [`crate::v1::package::Root`].
        Root = 1, "root";
        /// [`crate::v1::package::RootChain`].
        RootChain = 2, "root-chain";
        /// [`crate::v1::package::Manifest`].
        Manifest = 3, "manifest";
        /// [`crate::v1::package::SignedManifest`].
        SignedManifest = 4, "signed-manifest";
        /// [`crate::v1::package::Envelope`].
        Envelope = 5, "envelope";
        /// [`crate::v1::package::InnerManifest`].
        InnerManifest = 6, "inner-manifest";
        /// Rows of [`crate::v1::notice::Notice`] in columns.
        NoticeChunk = 7, "notice-chunk";
        /// Rows of [`crate::v1::register::RegisterRow`] in columns.
        RegisterChunk = 8, "register-chunk";
        /// [`crate::v1::record::RecordHeader`].
        RecordHeader = 9, "record-header";
        /// [`crate::v1::record::Record`].
        Record = 10, "record";
        /// [`crate::v1::record::Body`].
        Body = 11, "body";
        /// [`crate::v1::package::Grant`].
        Grant = 12, "grant";
        /// [`crate::v1::message::Withdrawal`].
        Withdrawal = 13, "withdrawal";
        /// [`crate::v1::message::SignedWithdrawal`].
        SignedWithdrawal = 14, "signed-withdrawal";
        /// [`crate::v1::message::Release`].
        Release = 15, "release";
        /// [`crate::v1::message::SignedRelease`].
        SignedRelease = 16, "signed-release";
        /// [`crate::v1::message::Index`].
        Index = 17, "index";
        /// [`crate::v1::message::Installed`].
        Installed = 18, "installed";
        /// [`crate::v1::message::SignedInstalled`].
        SignedInstalled = 19, "signed-installed";
        /// Rows of [`crate::v1::anchors::Anchor`] in columns.
        AnchorChunk = 20, "anchor-chunk";
    }
}

impl Kind {
    /// Returns the greatest length of an encoded value of this kind, in bytes.
    pub const fn max_bytes(self) -> usize {
        match self {
            Kind::Root => limits::MAX_ROOT_BYTES,
            Kind::RootChain => limits::MAX_ROOT_CHAIN_BYTES,
            Kind::Manifest => limits::MAX_MANIFEST_BYTES,
            Kind::SignedManifest => limits::MAX_SIGNED_MANIFEST_BYTES,
            Kind::Envelope => limits::MAX_ENVELOPE_BYTES,
            Kind::InnerManifest => limits::MAX_INNER_MANIFEST_BYTES,
            Kind::NoticeChunk | Kind::RegisterChunk | Kind::AnchorChunk => {
                limits::MAX_CHUNK_RAW_BYTES
            }
            Kind::RecordHeader => limits::MAX_RECORD_HEADER_BYTES,
            Kind::Record => limits::MAX_RECORD_BYTES,
            Kind::Body => limits::MAX_BODY_BYTES,
            Kind::Grant => limits::MAX_GRANT_BYTES,
            Kind::Withdrawal | Kind::SignedWithdrawal => limits::MAX_SIGNED_WITHDRAWAL_BYTES,
            Kind::Release | Kind::SignedRelease => limits::MAX_SIGNED_RELEASE_BYTES,
            Kind::Index => limits::MAX_INDEX_BYTES,
            Kind::Installed | Kind::SignedInstalled => limits::MAX_SIGNED_INSTALLED_BYTES,
        }
    }
}

/// Why a value cannot be encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EncodeError {
    /// The value is larger than its kind may be.
    #[error("a {kind} of {len} bytes is longer than {limit}")]
    TooLong {
        /// What was encoded.
        kind: Kind,
        /// Its length in bytes.
        len: usize,
        /// The greatest length of the kind.
        limit: usize,
    },
}

/// Why bytes are not a value. Nothing of the bytes is repeated, except numbers out of closed lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// Longer than any value of the kind; refused unread.
    #[error("{len} bytes are longer than a {kind} may be ({limit})")]
    TooLong {
        /// What was expected.
        kind: Kind,
        /// The length offered.
        len: usize,
        /// The greatest length of the kind.
        limit: usize,
    },
    /// The bytes end inside the value.
    #[error("the bytes end inside the value")]
    Truncated,
    /// Written by a version that this program does not know.
    #[error("format version {found} is not known, only {VERSION}")]
    WrongVersion {
        /// The version byte found.
        found: u8,
    },
    /// A value of another kind.
    #[error("expected a {expected}, found kind {found}")]
    WrongKind {
        /// What was expected.
        expected: Kind,
        /// The kind byte found.
        found: u8,
    },
    /// A length inside the value promises more than the kind may hold; nothing was allocated.
    #[error("a length inside the {kind} exceeds its limit")]
    LimitExceeded {
        /// What was expected.
        kind: Kind,
    },
    /// A number that is in no closed list.
    #[error("{what} has no number {found}")]
    UnknownNumber {
        /// The list.
        what: &'static str,
        /// The number found.
        found: u32,
    },
    /// A number that no value of its type has, such as the 30th of February.
    #[error("impossible {what}")]
    Impossible {
        /// The type.
        what: &'static str,
    },
    /// A text that is not UTF-8.
    #[error("a text is not UTF-8")]
    NotText,
    /// An integer wider than its field.
    #[error("an integer is wider than its field")]
    TooWide,
    /// The value ends before the bytes do.
    #[error("{left} bytes are left over")]
    Trailing {
        /// How many.
        left: usize,
    },
    /// The value has a shorter encoding, or one in another order.
    #[error("not the one encoding of the value")]
    NotCanonical,
}

/// Returns the encoding of `value`, with the version and kind bytes in front.
///
/// # Errors
///
/// [`EncodeError::TooLong`] when nobody would decode it.
pub fn encode<T: Encode>(kind: Kind, value: &T) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = vec![VERSION, kind.number()];
    bincode::encode_into_std_write(value, &mut bytes, config::standard())
        .expect("writing to memory, no type here refuses to be encoded");
    let (len, limit) = (bytes.len(), kind.max_bytes());
    if len > limit {
        return Err(EncodeError::TooLong { kind, len, limit });
    }
    Ok(bytes)
}

/// Returns the value whose one encoding these bytes are.
///
/// # Errors
///
/// Whatever differs from that encoding, in the order in which [`DecodeError`] lists it. Memory taken
/// is at most four times [`Kind::max_bytes`], or 64 KiB, whatever lengths the bytes promise.
pub fn decode<T: Decode<()> + Encode>(kind: Kind, bytes: &[u8]) -> Result<T, DecodeError> {
    let (len, limit) = (bytes.len(), kind.max_bytes());
    if len > limit {
        return Err(DecodeError::TooLong { kind, len, limit });
    }
    let [version, found, payload @ ..] = bytes else {
        return Err(DecodeError::Truncated);
    };
    if *version != VERSION {
        return Err(DecodeError::WrongVersion { found: *version });
    }
    if *found != kind.number() {
        return Err(DecodeError::WrongKind { expected: kind, found: *found });
    }
    // The limit is part of bincode's type, so classes of kinds; twice the bytes, since bincode counts
    // what a list will take in memory, which is more than its bytes.
    const SMALL: usize = 2 * limits::MAX_ROOT_BYTES;
    const MIDDLE: usize = 2 * limits::MAX_SIGNED_MANIFEST_BYTES;
    const LARGE: usize = 2 * limits::MAX_ENVELOPE_BYTES;
    const CHUNK: usize = 2 * limits::MAX_CHUNK_RAW_BYTES;
    let decode_limited = match 2 * limit {
        memory if memory <= SMALL => limited::<T, SMALL>,
        memory if memory <= MIDDLE => limited::<T, MIDDLE>,
        memory if memory <= LARGE => limited::<T, LARGE>,
        _ => limited::<T, CHUNK>,
    };
    let (value, used) = decode_limited(kind, payload)?;
    if used != payload.len() {
        return Err(DecodeError::Trailing { left: payload.len() - used });
    }
    if encode(kind, &value).ok().as_deref() != Some(bytes) {
        return Err(DecodeError::NotCanonical);
    }
    Ok(value)
}

fn limited<T: Decode<()>, const LIMIT: usize>(
    kind: Kind,
    payload: &[u8],
) -> Result<(T, usize), DecodeError> {
    let config: Configuration<LittleEndian, Varint, Limit<LIMIT>> =
        config::standard().with_limit::<LIMIT>();
    bincode::decode_from_slice(payload, config).map_err(|error| {
        use bincode::error::DecodeError as Bincode;
        match error {
            Bincode::UnexpectedEnd { .. } => DecodeError::Truncated,
            Bincode::LimitExceeded | Bincode::OutsideUsizeRange(_) => {
                DecodeError::LimitExceeded { kind }
            }
            Bincode::UnexpectedVariant { type_name, found, .. } => {
                DecodeError::UnknownNumber { what: type_name, found }
            }
            Bincode::InvalidBooleanValue(found) => {
                DecodeError::UnknownNumber { what: "bool", found: u32::from(found) }
            }
            Bincode::Other(what) => DecodeError::Impossible { what },
            Bincode::Utf8 { .. } => DecodeError::NotText,
            // What is left can only be an integer's marker: no type here has characters, maps,
            // durations or borrowed slices.
            _ => DecodeError::TooWide,
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Encode, Decode, PartialEq, Debug, Clone)]
    struct Sample {
        number: u32,
        flag: bool,
        text: String,
        list: Vec<u64>,
    }

    fn a_sample() -> Sample {
        Sample { number: 300, flag: true, text: "đ".into(), list: vec![1, 1 << 40] }
    }

    #[test]
    fn bytes_are_those_of_the_specification() {
        let bytes = encode(Kind::Root, &a_sample()).unwrap();
        let expected = [
            &[1, 1][..],                          // version, kind
            &[251, 0x2c, 0x01],                   // 300 as marker and two bytes
            &[1],                                 // true
            &[2, 0xc4, 0x91],                     // length in bytes, UTF-8
            &[2, 1, 253, 0, 0, 0, 0, 0, 1, 0, 0], // length, 1, 2^40 as marker and eight bytes
        ]
        .concat();
        assert_eq!(bytes, expected);
        assert_eq!(decode(Kind::Root, &bytes), Ok(a_sample()));
    }

    #[test]
    fn each_way_of_being_wrong_has_its_name() {
        let check = |bytes: &[u8], expected: DecodeError| {
            assert_eq!(decode::<Sample>(Kind::Root, bytes), Err(expected), "{bytes:?}");
        };
        let bomb = |marker: &[u8]| [&[1, 1, 5, 0, 0][..], marker].concat();
        let limit = limits::MAX_ROOT_BYTES;
        check(
            &vec![0; limit + 1],
            DecodeError::TooLong { kind: Kind::Root, len: limit + 1, limit },
        );
        check(&[], DecodeError::Truncated);
        check(&[1], DecodeError::Truncated);
        check(&[1, 1, 5, 0, 3, b'a'], DecodeError::Truncated);
        check(&[2, 1, 5, 0, 0, 0], DecodeError::WrongVersion { found: 2 });
        check(&[1, 3, 5, 0, 0, 0], DecodeError::WrongKind { expected: Kind::Root, found: 3 });
        for length in [1u64 << 16, 1 << 40, u64::MAX] {
            let length = [&[253][..], &length.to_le_bytes()].concat();
            check(&bomb(&length), DecodeError::LimitExceeded { kind: Kind::Root });
        }
        check(&[1, 1, 5, 7, 0, 0], DecodeError::UnknownNumber { what: "bool", found: 7 });
        check(&[1, 1, 5, 0, 1, 0xff, 0], DecodeError::NotText);
        check(&[1, 1, 253, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], DecodeError::TooWide);
        check(&[1, 1, 255, 0, 0, 0], DecodeError::TooWide);
        check(&[1, 1, 5, 0, 0, 0, 9], DecodeError::Trailing { left: 1 });
        check(&[1, 1, 251, 5, 0, 0, 0, 0], DecodeError::NotCanonical);
    }

    #[test]
    fn nothing_is_encoded_that_would_not_be_decoded() {
        let limit = limits::MAX_ROOT_BYTES;
        // Version, kind, number, flag, marker and length of the text, length of the list.
        let around = 2 + 1 + 1 + 3 + 1;
        let with_text = |len| Sample { text: "x".repeat(len), list: vec![], number: 5, flag: true };
        let fits = encode(Kind::Root, &with_text(limit - around)).unwrap();
        assert_eq!(fits.len(), limit);
        assert_eq!(decode(Kind::Root, &fits), Ok(with_text(limit - around)));
        assert_eq!(
            encode(Kind::Root, &with_text(limit - around + 1)),
            Err(EncodeError::TooLong { kind: Kind::Root, len: limit + 1, limit })
        );
    }

    #[test]
    fn kinds_keep_their_numbers() {
        for (at, kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(usize::from(kind.number()), at + 1);
            assert_eq!(Kind::from_number(kind.number()), Some(*kind));
            assert_eq!(kind.code().parse(), Ok(*kind));
        }
        assert_eq!(Kind::from_number(0), None);
        assert_eq!("Root".parse::<Kind>(), Err(UnknownCode { what: "kind" }));
    }

    proptest! {
        #[test]
        fn values_come_back(number: u32, flag: bool, text: String, list: Vec<u64>) {
            let sample = Sample { number, flag, text, list };
            let bytes = encode(Kind::Manifest, &sample).unwrap();
            prop_assert_eq!(decode(Kind::Manifest, &bytes), Ok(sample));
        }

        #[test]
        fn what_decodes_is_the_one_encoding(payload in prop::collection::vec(any::<u8>(), 0..40)) {
            let bytes = [&[VERSION, Kind::Manifest.number()][..], &payload].concat();
            if let Ok(sample) = decode::<Sample>(Kind::Manifest, &bytes) {
                prop_assert_eq!(encode(Kind::Manifest, &sample).unwrap(), bytes);
            }
        }
    }
}
