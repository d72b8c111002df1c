//! Hash functions that documents and their signatures name.

use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use super::algorithm::{ParseError, Unsupported};
use super::tlv::{self, Elements};

/// A hash function of ICAO 9303-10, 4.6.2.2, or SHA-1 of documents before them.
///
/// SHA-1 is still read: a forger would need a second preimage of what a state has signed, not a
/// collision, and some states' certificates still carry it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum HashAlgorithm {
    /// SHA-1.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl HashAlgorithm {
    /// All of them.
    pub const ALL: [HashAlgorithm; 5] =
        [Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];

    /// Returns the hash of `message`.
    pub fn digest(self, message: &[u8]) -> Vec<u8> {
        self.digest_of(&[message])
    }

    /// Returns the hash of `parts`, one after the other.
    pub fn digest_of(self, parts: &[&[u8]]) -> Vec<u8> {
        fn run<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
            let mut hash = D::new();
            for part in parts {
                hash.update(part);
            }
            hash.finalize().to_vec()
        }
        match self {
            Self::Sha1 => run::<Sha1>(parts),
            Self::Sha224 => run::<Sha224>(parts),
            Self::Sha256 => run::<Sha256>(parts),
            Self::Sha384 => run::<Sha384>(parts),
            Self::Sha512 => run::<Sha512>(parts),
        }
    }

    /// Returns the length of the hash in bytes.
    pub fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Returns the name that people know: "SHA-256".
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA-1",
            Self::Sha224 => "SHA-224",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }

    /// Returns the content of the object identifier.
    pub fn oid(self) -> &'static [u8] {
        match self {
            // 1.3.14.3.2.26
            Self::Sha1 => &[0x2B, 0x0E, 0x03, 0x02, 0x1A],
            // 2.16.840.1.101.3.4.2.x
            Self::Sha224 => &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x04],
            Self::Sha256 => &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01],
            Self::Sha384 => &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02],
            Self::Sha512 => &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03],
        }
    }

    /// Returns the hash function of an object identifier's content.
    pub fn from_oid(oid: &[u8]) -> Result<HashAlgorithm, Unsupported> {
        Self::ALL.into_iter().find(|known| known.oid() == oid).ok_or(Unsupported::Hash)
    }

    /// Returns the hash function that the content of an `AlgorithmIdentifier` names.
    ///
    /// Parameters may be absent or NULL (RFC 5754, section 2); what stands there changes nothing.
    pub fn from_identifier(content: &[u8]) -> Result<HashAlgorithm, ParseError> {
        Ok(Self::from_oid(Elements::new(content).expect(0x06)?.value)?)
    }

    /// Returns the `AlgorithmIdentifier`, with NULL for parameters.
    pub fn identifier(self) -> Vec<u8> {
        let mut content = tlv::element(0x06, self.oid());
        tlv::write(&mut content, 0x05, &[]);
        tlv::element(0x30, &content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hash_is_the_one_of_its_norm() {
        // FIPS 180-4, the message "abc".
        for (algorithm, begins) in [
            (HashAlgorithm::Sha1, 0xA9993E36_u32),
            (HashAlgorithm::Sha224, 0x23097D22_u32),
            (HashAlgorithm::Sha256, 0xBA7816BF_u32),
            (HashAlgorithm::Sha384, 0xCB00753F_u32),
            (HashAlgorithm::Sha512, 0xDDAF35A1_u32),
        ] {
            let hash = algorithm.digest(b"abc");
            assert_eq!(hash[..4], begins.to_be_bytes());
            assert_eq!(hash.len(), algorithm.length());
            assert_eq!(hash, algorithm.digest_of(&[b"a", b"", b"bc"]));
            let identifier = algorithm.identifier();
            let content = tlv::only(&identifier, 0x30).expect("a sequence").value;
            assert_eq!(HashAlgorithm::from_identifier(content), Ok(algorithm));
        }
    }

    #[test]
    fn unknown_hash_is_unsupported_and_not_malformed() {
        // MD5: 1.2.840.113549.2.5
        let md5 = [0x06, 0x08, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x02, 0x05];
        assert_eq!(
            HashAlgorithm::from_identifier(&md5),
            Err(ParseError::Unsupported(Unsupported::Hash))
        );
        assert!(matches!(HashAlgorithm::from_identifier(&[]), Err(ParseError::Malformed(_))));
    }
}
