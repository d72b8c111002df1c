//! Signed objects (CMS `SignedData`, RFC 5652): what holds the hashes of a document, and lists of
//! states' certificates.

use sync_format::v1::date::Date;
use thiserror::Error;

use super::Malformed;
use super::algorithm::{ParseError, SignatureAlgorithm, Unsupported};
use super::ber;
use super::certificate::{self, Certificate, Name, once};
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chip::country::Country;
    use crate::chip::curves::Curve;
    use crate::chip::issue::testing::State;
    use crate::chip::openssl::OpenSsl;

    /// Signs as OpenSSL does, with these options.
    fn by_openssl(options: &str) -> Vec<u8> {
        let openssl = OpenSsl::new();
        openssl.run(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out \
             signer.pem -sha256 -subj /C=UT/CN=Signer",
        );
        openssl.write("content", "what was signed");
        openssl.run(&format!(
            "cms -sign -binary -nodetach -in content -outform DER -signer signer.pem -inkey key.pem \
             -md sha256{options}"
        ))
    }

    #[test]
    fn object_of_openssl_is_read_and_verified() {
        let object = SignedData::parse(&by_openssl("")).expect("readable");
        assert_eq!(object.content(), b"what was signed");
        // id-data, 1.2.840.113549.1.7.1
        let (last, family) = SIGNED_DATA.split_last().expect("an identifier");
        assert_eq!((object.content_type(), *last), (&[family, &[1]].concat()[..], 2));
        assert!(object.signing_time().is_some());
        assert_eq!(object.verify().expect("signed").subject().country(), Country::new("UT"));
        let bare = SignedData::parse(&by_openssl(" -nocerts")).expect("readable");
        assert_eq!(bare.verify().err(), Some(CmsRefusal::NoCertificate));
    }

    #[test]
    fn object_that_is_signed_in_another_way_is_refused() {
        let check = |options: &str, expected: ParseError| {
            assert_eq!(SignedData::parse(&by_openssl(options)).err(), Some(expected));
        };
        check(" -noattr", Malformed("no signed attributes").into());
        check(" -nocerts -signer signer.pem -inkey key.pem", Unsupported::SeveralSigners.into());
        let other = Malformed("another object than signed data");
        let data = tlv::element(0x30, &tlv::element(0x06, &[0x2A]));
        assert_eq!(SignedData::parse(&data).err(), Some(other.into()));
    }

    #[test]
    fn attributes_have_to_be_there_once() {
        let sod = State::on(Curve::P256).sod();
        let object = SignedData::parse(tlv::only(&sod, 0x77).expect("a file").value);
        let attributes = object.expect("readable").signer.attributes;
        let attributes: Vec<&[u8]> = tlv::only(&attributes, 0x31)
            .expect("a set")
            .children()
            .map(|attribute| attribute.expect("an attribute").whole)
            .collect();
        let check = |attributes: &[&[u8]], expected: Option<&'static str>| {
            let mut info = tlv::element(0x02, &[3]);
            tlv::write(&mut info, 0x80, &[1]);
            info.extend(HashAlgorithm::Sha256.identifier());
            tlv::write(&mut info, 0xA0, &attributes.concat());
            info.extend(SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha256).identifier());
            tlv::write(&mut info, 0x04, &[0]);
            let info = tlv::element(0x30, &info);
            let found = Signer::parse(tlv::only(&info, 0x30).expect("a sequence")).err();
            assert_eq!(found, expected.map(|why| Malformed(why).into()));
        };
        let [kind, time, digest] = attributes[..] else { panic!("three attributes") };
        check(&[kind, digest], None);
        check(&[kind, time, digest], None);
        check(&[time, digest], Some("no signed content type"));
        check(&[kind, time], Some("no signed message digest"));
        for twice in [kind, time, digest] {
            let twice = [kind, time, digest, twice];
            check(&twice, Some("an extension or attribute that stands there twice"));
        }
    }
}
