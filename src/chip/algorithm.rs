//! Signature algorithms, and what is said of those that this program does not know.

use thiserror::Error;

use super::Malformed;
use super::hash::HashAlgorithm;
use super::tlv::{self, Elements};

/// Something that a norm allows and this program does not do.
///
/// It proves nothing against a document: what it would have shown stays open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Unsupported {
    /// A hash function other than SHA-1 and SHA-2.
    #[error("an unknown hash function")]
    Hash,
    /// A signature algorithm other than RSA and ECDSA, or a variant of them.
    #[error("an unknown signature algorithm")]
    Signature,
    /// A kind of public key other than RSA and elliptic curves.
    #[error("an unknown kind of public key")]
    Key,
    /// A curve that is not one of the known, by name or by all of its numbers.
    #[error("an unknown elliptic curve")]
    Curve,
    /// A point written in short: BSI TR-03111, 3.2 asks for the long form.
    #[error("a compressed point")]
    CompressedPoint,
    /// An RSA modulus or exponent of a size outside the limits.
    #[error("an RSA key of an unusual size")]
    RsaSize,
    /// An extension of a certificate or list that must be understood and is not.
    #[error("an unknown critical extension")]
    CriticalExtension,
    /// More than one signer of one object: ICAO 9303-10, 4.6.2.2 recommends one.
    #[error("more than one signer")]
    SeveralSigners,
    /// A version of a structure that was written after this program.
    #[error("an unknown version")]
    Version,
}

/// Why bytes could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ParseError {
    /// They break their norm.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// They keep it, in a way that this program does not know.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

/// How something was signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignatureAlgorithm {
    /// RSA with PKCS #1 v1.5 padding (RFC 8017, 8.2).
    RsaPkcs1(HashAlgorithm),
    /// RSA with PSS padding (RFC 8017, 8.1).
    RsaPss {
        /// Hash of the message.
        hash: HashAlgorithm,
        /// Hash inside the mask generation function MGF1.
        mask: HashAlgorithm,
        /// Length of the salt in bytes.
        salt_length: usize,
    },
    /// ECDSA, the signature a DER sequence of r and s (RFC 3279, 2.2.3).
    Ecdsa(HashAlgorithm),
    /// ECDSA, the signature r and s one after the other (BSI TR-03111, 5.2.1): active
    /// authentication.
    EcdsaPlain(HashAlgorithm),
}

/// `pkcs-1`, 1.2.840.113549.1.1.x.
const PKCS1: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01];
/// `rsaEncryption`, the first of them: a kind of key, and no more said of a signature.
pub(super) const RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
/// `id-RSASSA-PSS`: RSA with that padding, of a signature as of a key (RFC 4055, 1.2).
pub(super) const RSA_PSS: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0A];
/// `id-mgf1`, 1.2.840.113549.1.1.8.
const MGF1: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x08];
/// `ecdsa-with-SHA1`, 1.2.840.10045.4.1.
const ECDSA_SHA1: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x01];
/// `ecdsa-with-SHA2`, 1.2.840.10045.4.3.x.
const ECDSA_SHA2: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03];
/// `ecdsa-plain-signatures`, 0.4.0.127.0.7.1.1.4.1.x (BSI TR-03111, 5.2.1.1).
const ECDSA_PLAIN: &[u8] = &[0x04, 0x00, 0x7F, 0x00, 0x07, 0x01, 0x01, 0x04, 0x01];

impl SignatureAlgorithm {
    /// Returns the hash of the message.
    pub fn hash(self) -> HashAlgorithm {
        match self {
            Self::RsaPkcs1(hash)
            | Self::RsaPss { hash, .. }
            | Self::Ecdsa(hash)
            | Self::EcdsaPlain(hash) => hash,
        }
    }

    /// Returns the algorithm that the content of an `AlgorithmIdentifier` names.
    ///
    /// CMS names the hash apart from the signature, and some signers write no more than
    /// `rsaEncryption` here (RFC 3370, 3.2): `digest` is the hash it then means.
    pub fn from_identifier(
        content: &[u8],
        digest: Option<HashAlgorithm>,
    ) -> Result<SignatureAlgorithm, ParseError> {
        use HashAlgorithm::{Sha1, Sha224, Sha256, Sha384, Sha512};
        let mut elements = Elements::new(content);
        let oid = elements.expect(0x06)?.value;
        let Some((last, family)) = oid.split_last() else {
            return Err(Malformed("an empty object identifier").into());
        };
        Ok(match (family, *last) {
            (PKCS1, 1) => Self::RsaPkcs1(digest.ok_or(Unsupported::Signature)?),
            (PKCS1, 5) => Self::RsaPkcs1(Sha1),
            (PKCS1, 11) => Self::RsaPkcs1(Sha256),
            (PKCS1, 12) => Self::RsaPkcs1(Sha384),
            (PKCS1, 13) => Self::RsaPkcs1(Sha512),
            (PKCS1, 14) => Self::RsaPkcs1(Sha224),
            _ if oid == RSA_PSS => pss(elements)?,
            _ if oid == ECDSA_SHA1 => Self::Ecdsa(Sha1),
            (ECDSA_SHA2, 1) => Self::Ecdsa(Sha224),
            (ECDSA_SHA2, 2) => Self::Ecdsa(Sha256),
            (ECDSA_SHA2, 3) => Self::Ecdsa(Sha384),
            (ECDSA_SHA2, 4) => Self::Ecdsa(Sha512),
            (ECDSA_PLAIN, 1) => Self::EcdsaPlain(Sha1),
            (ECDSA_PLAIN, 2) => Self::EcdsaPlain(Sha224),
            (ECDSA_PLAIN, 3) => Self::EcdsaPlain(Sha256),
            (ECDSA_PLAIN, 4) => Self::EcdsaPlain(Sha384),
            (ECDSA_PLAIN, 5) => Self::EcdsaPlain(Sha512),
            _ => return Err(Unsupported::Signature.into()),
        })
    }

    /// Returns the `AlgorithmIdentifier`.
    pub fn identifier(self) -> Vec<u8> {
        use HashAlgorithm::{Sha1, Sha224, Sha256, Sha384, Sha512};
        let oid = |family: &[u8], last: u8| tlv::element(0x06, &[family, &[last]].concat());
        let mut content = match self {
            Self::RsaPkcs1(hash) => {
                let last = match hash {
                    Sha1 => 5,
                    Sha224 => 14,
                    Sha256 => 11,
                    Sha384 => 12,
                    Sha512 => 13,
                };
                oid(PKCS1, last)
            }
            Self::RsaPss { .. } => tlv::element(0x06, RSA_PSS),
            Self::Ecdsa(Sha1) => tlv::element(0x06, ECDSA_SHA1),
            // Both families number the hashes in the order in which they are declared.
            Self::Ecdsa(hash) => oid(ECDSA_SHA2, hash as u8),
            Self::EcdsaPlain(hash) => oid(ECDSA_PLAIN, hash as u8 + 1),
        };
        match self {
            Self::RsaPkcs1(_) => tlv::write(&mut content, 0x05, &[]),
            Self::RsaPss { hash, mask, salt_length } => {
                let mut generator = tlv::element(0x06, MGF1);
                generator.extend(mask.identifier());
                let mut parameters = tlv::element(0xA0, &hash.identifier());
                tlv::write(&mut parameters, 0xA1, &tlv::element(0x30, &generator));
                // A salt is as long as a hash, so one byte holds its length.
                let salt_length = tlv::element(0x02, &[salt_length.min(0x7F) as u8]);
                tlv::write(&mut parameters, 0xA2, &salt_length);
                tlv::write(&mut content, 0x30, &parameters);
            }
            Self::Ecdsa(_) | Self::EcdsaPlain(_) => {}
        }
        tlv::element(0x30, &content)
    }
}

/// Returns what the parameters of RSASSA-PSS say; what they leave out has a default (RFC 4055, 3.1).
fn pss(mut identifier: Elements<'_>) -> Result<SignatureAlgorithm, ParseError> {
    let mut hash = HashAlgorithm::Sha1;
    let mut mask = HashAlgorithm::Sha1;
    let mut salt_length = 20;
    if let Some(parameters) = identifier.optional(0x30)? {
        let mut parameters = parameters.children();
        if let Some(explicit) = parameters.optional(0xA0)? {
            hash = HashAlgorithm::from_identifier(tlv::only(explicit.value, 0x30)?.value)?;
        }
        if let Some(explicit) = parameters.optional(0xA1)? {
            let mut generator = tlv::only(explicit.value, 0x30)?.children();
            if generator.expect(0x06)?.value != MGF1 {
                return Err(Unsupported::Signature.into());
            }
            mask = HashAlgorithm::from_identifier(generator.expect(0x30)?.value)?;
        }
        if let Some(explicit) = parameters.optional(0xA2)? {
            salt_length = match tlv::only(explicit.value, 0x02)?.value {
                [length @ 0..=0x7F] => usize::from(*length),
                [0, length] => usize::from(*length),
                _ => return Err(Unsupported::Signature.into()),
            };
        }
        if let Some(trailer) = parameters.optional(0xA3)?
            && tlv::only(trailer.value, 0x02)?.value != [1]
        {
            return Err(Unsupported::Signature.into());
        }
        parameters.end()?;
    }
    Ok(SignatureAlgorithm::RsaPss { hash, mask, salt_length })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(identifier: &[u8]) -> Result<SignatureAlgorithm, ParseError> {
        let content = tlv::only(identifier, 0x30).expect("a sequence").value;
        SignatureAlgorithm::from_identifier(content, None)
    }

    #[test]
    fn every_algorithm_is_read_as_it_is_written() {
        for hash in HashAlgorithm::ALL {
            for algorithm in [
                SignatureAlgorithm::RsaPkcs1(hash),
                SignatureAlgorithm::RsaPss { hash, mask: hash, salt_length: hash.length() },
                SignatureAlgorithm::Ecdsa(hash),
                SignatureAlgorithm::EcdsaPlain(hash),
            ] {
                assert_eq!(parse(&algorithm.identifier()), Ok(algorithm));
                assert_eq!(algorithm.hash(), hash);
            }
        }
    }

    #[test]
    fn rsa_without_a_hash_takes_the_one_of_the_message() {
        let identifier = tlv::element(0x06, RSA);
        let digest = Some(HashAlgorithm::Sha384);
        assert_eq!(
            SignatureAlgorithm::from_identifier(&identifier, digest),
            Ok(SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha384))
        );
        assert_eq!(
            SignatureAlgorithm::from_identifier(&identifier, None),
            Err(Unsupported::Signature.into())
        );
    }

    #[test]
    fn pss_without_parameters_has_those_of_its_norm() {
        let identifier = tlv::element(0x30, &tlv::element(0x06, RSA_PSS));
        let sha1 = HashAlgorithm::Sha1;
        assert_eq!(
            parse(&identifier),
            Ok(SignatureAlgorithm::RsaPss { hash: sha1, mask: sha1, salt_length: 20 })
        );
    }

    #[test]
    fn unknown_algorithm_is_unsupported_and_not_malformed() {
        // Ed25519: 1.3.101.112
        let ed25519 = tlv::element(0x30, &tlv::element(0x06, &[0x2B, 0x65, 0x70]));
        assert_eq!(parse(&ed25519), Err(Unsupported::Signature.into()));
        let nothing = tlv::element(0x30, &tlv::element(0x06, &[]));
        assert!(matches!(parse(&nothing), Err(ParseError::Malformed(_))));
    }
}
