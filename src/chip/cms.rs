//! Signed objects (CMS `SignedData`, RFC 5652): what holds the hashes of a document, and lists of
//! states' certificates.

use sync_format::v1::date::Date;
use thiserror::Error;

use super::Malformed;
use super::algorithm::{ParseError, SignatureAlgorithm, Unsupported};
use super::ber;
use super::certificate::{self, Certificate, Name};
use super::curves::number;
use super::hash::HashAlgorithm;
use super::tlv::{self, Tlv};

/// `id-signedData`, 1.2.840.113549.1.7.2.
pub(super) const SIGNED_DATA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02];
/// `contentType`, 1.2.840.113549.1.9.3.
pub(super) const CONTENT_TYPE: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x03];
/// `messageDigest`, 1.2.840.113549.1.9.4.
pub(super) const MESSAGE_DIGEST: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x04];
/// `signingTime`, 1.2.840.113549.1.9.5.
pub(super) const SIGNING_TIME: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x05];

/// A signed object with one signer, read but not verified.
#[derive(Clone, Debug)]
pub struct SignedData {
    content_type: Vec<u8>,
    content: Vec<u8>,
    certificates: Vec<Certificate>,
    signer: Signer,
}

#[derive(Clone, Debug)]
struct Signer {
    id: SignerId,
    digest: Result<HashAlgorithm, Unsupported>,
    algorithm: Result<SignatureAlgorithm, Unsupported>,
    /// The signed attributes as they are signed: as a SET, whose tag the object does not carry.
    attributes: Vec<u8>,
    signed_type: Vec<u8>,
    signed_digest: Vec<u8>,
    signing_time: Option<Date>,
    signature: Vec<u8>,
}

/// How an object names the certificate of its signer.
#[derive(Clone, Debug)]
enum SignerId {
    Serial { issuer: Name, serial: Vec<u8> },
    Key(Vec<u8>),
}

/// Why a signed object is not what its signer has signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CmsRefusal {
    /// The content is of another type than the one that was signed.
    #[error("the type of the content is not the one that was signed")]
    ContentType,
    /// The content is not the one that was signed.
    #[error("the content is not the one that was signed")]
    Content,
    /// The signature is wrong.
    #[error("the signature is wrong")]
    Signature,
    /// The certificate of the signer is not in the object.
    #[error("the certificate of the signer is missing")]
    NoCertificate,
    /// Whether it was signed cannot be said.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

impl SignedData {
    /// Returns the signed object that `bytes` are, in DER or BER.
    pub fn parse(bytes: &[u8]) -> Result<SignedData, ParseError> {
        let bytes = ber::definite(bytes)?;
        let mut outer = tlv::only(&bytes, 0x30)?.children();
        if outer.expect(0x06)?.value != SIGNED_DATA {
            return Err(Malformed("another object than signed data").into());
        }
        let explicit = outer.expect(0xA0)?;
        outer.end()?;

        let mut fields = tlv::only(explicit.value, 0x30)?.children();
        fields.expect(0x02)?;
        fields.expect(0x31)?;
        let mut encapsulated = fields.expect(0x30)?.children();
        let content_type = encapsulated.expect(0x06)?.value.to_vec();
        let content = tlv::only(encapsulated.expect(0xA0)?.value, 0x04)?.value.to_vec();
        encapsulated.end()?;
        let mut certificates = Vec::new();
        if let Some(set) = fields.optional(0xA0)? {
            for choice in set.children() {
                let choice = choice?;
                // The other choices are older kinds, which sign no documents (RFC 5652, 10.2.2).
                if choice.tag == 0x30 {
                    certificates.push(Certificate::parse(choice.whole)?);
                }
            }
        }
        fields.optional(0xA1)?;
        let mut signers = fields.expect(0x31)?.children();
        fields.end()?;
        let signer = Signer::parse(signers.expect(0x30)?)?;
        if !signers.rest().is_empty() {
            return Err(Unsupported::SeveralSigners.into());
        }
        Ok(SignedData { content_type, content, certificates, signer })
    }

    /// Returns the content of the object identifier that says what the content is.
    pub fn content_type(&self) -> &[u8] {
        &self.content_type
    }

    /// Returns the content, which is proven by [`SignedData::verify`] and nothing before it.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// Returns when the signer says that it signed.
    pub fn signing_time(&self) -> Option<Date> {
        self.signer.signing_time
    }

    /// Checks that the content was signed by the certificate that is returned (RFC 5652, 5.6).
    ///
    /// That one may be anybody's: it travels in the object.
    pub fn verify(&self) -> Result<&Certificate, CmsRefusal> {
        let certificate = self
            .certificates
            .iter()
            .find(|certificate| self.signer.id.names(certificate))
            .ok_or(CmsRefusal::NoCertificate)?;
        if self.signer.signed_type != self.content_type {
            return Err(CmsRefusal::ContentType);
        }
        if self.signer.digest?.digest(&self.content) != self.signer.signed_digest {
            return Err(CmsRefusal::Content);
        }
        let (algorithm, attributes) = (self.signer.algorithm?, &self.signer.attributes);
        certificate
            .key()?
            .verify(algorithm, attributes, &self.signer.signature)
            .map_err(|_| CmsRefusal::Signature)?;
        Ok(certificate)
    }
}

impl Signer {
    fn parse(info: Tlv<'_>) -> Result<Signer, ParseError> {
        let mut fields = info.children();
        fields.expect(0x02)?;
        let id = match fields.optional(0x80)? {
            Some(key) => SignerId::Key(key.value.to_vec()),
            None => {
                let mut parts = fields.expect(0x30)?.children();
                let issuer = Name::parse(parts.expect(0x30)?)?;
                SignerId::Serial { issuer, serial: parts.expect(0x02)?.value.to_vec() }
            }
        };
        let digest = HashAlgorithm::from_identifier(fields.expect(0x30)?.value);
        let digest = certificate::supported(digest)?;
        // ICAO 9303-10, 4.6.2.2 and RFC 5652, 5.3: for content of these types they must be there.
        let signed = fields.optional(0xA0)?.ok_or(Malformed("no signed attributes"))?;
        let identifier = fields.expect(0x30)?.value;
        let algorithm = SignatureAlgorithm::from_identifier(identifier, digest.ok());
        let algorithm = certificate::supported(algorithm)?;
        let signature = fields.expect(0x04)?.value.to_vec();
        fields.optional(0xA1)?;
        fields.end()?;

        let (mut signed_type, mut signed_digest, mut signing_time) = (None, None, None);
        for attribute in signed.children() {
            let mut attribute = attribute?.children();
            let id = attribute.expect(0x06)?.value;
            let mut values = attribute.expect(0x31)?.children();
            match id {
                CONTENT_TYPE => once(&mut signed_type, values.expect(0x06)?.value.to_vec())?,
                MESSAGE_DIGEST => once(&mut signed_digest, values.expect(0x04)?.value.to_vec())?,
                SIGNING_TIME => once(&mut signing_time, certificate::time(values.next())?)?,
                _ => continue,
            }
            values.end()?;
        }
        Ok(Signer {
            id,
            digest,
            algorithm,
            attributes: tlv::element(0x31, signed.value),
            signed_type: signed_type.ok_or(Malformed("no signed content type"))?,
            signed_digest: signed_digest.ok_or(Malformed("no signed message digest"))?,
            signing_time,
            signature,
        })
    }
}

impl SignerId {
    fn names(&self, certificate: &Certificate) -> bool {
        match self {
            Self::Serial { issuer, serial } => {
                number(serial) == certificate.serial() && issuer == certificate.issuer()
            }
            Self::Key(key) => certificate.subject_key() == Some(key),
        }
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), Malformed> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Malformed("an attribute that stands there twice")),
    }
}
