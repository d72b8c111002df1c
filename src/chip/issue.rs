//! What an invented state issues: certificates, lists and security objects (ICAO 9303-10 and -12).
//!
//! For simulated cards and tests. Everything is a function of its arguments: the same secrets and
//! days give the same bytes.

use sync_format::v1::date::Date;

use super::algorithm::SignatureAlgorithm;
use super::certificate::{Certificate, KeyUsage};
use super::cms;
use super::curves::{SigningKey, unsigned_integer};
use super::hash::HashAlgorithm;
use super::public_key::{PublicKey, ecdsa_der};
use super::rsa::RsaSigningKey;
use super::sod::LDS_SECURITY_OBJECT;
use super::tlv;
use super::trust::{MASTER_LIST, MASTER_LIST_SIGNER};

/// An invented secret of either kind.
#[derive(Clone)]
pub enum IssuerKey {
    /// On a curve.
    Ec(SigningKey),
    /// RSA.
    Rsa(RsaSigningKey),
}

impl IssuerKey {
    /// Returns the public key.
    pub fn public(&self) -> PublicKey {
        match self {
            Self::Ec(key) => PublicKey::Ec(key.public()),
            Self::Rsa(key) => PublicKey::Rsa(key.public().clone()),
        }
    }

    /// Returns the identifier of the key: the SHA-1 of the public key (RFC 5280, 4.2.1.2).
    pub fn id(&self) -> Vec<u8> {
        HashAlgorithm::Sha1.digest(&match self.public() {
            PublicKey::Ec(point) => point.to_bytes(),
            PublicKey::Rsa(key) => key.to_der(),
        })
    }

    /// Returns the signature of `message`; `None` where the algorithm is for another kind of key or
    /// the key is too short for it.
    pub fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Option<Vec<u8>> {
        let digest = algorithm.hash().digest(message);
        match (self, algorithm) {
            (Self::Ec(key), SignatureAlgorithm::Ecdsa(_)) => {
                let (r, s) = key.sign(&digest);
                Some(ecdsa_der(&r, &s))
            }
            (Self::Ec(key), SignatureAlgorithm::EcdsaPlain(_)) => {
                let (r, s) = key.sign(&digest);
                Some([r, s].concat())
            }
            (Self::Rsa(key), SignatureAlgorithm::RsaPkcs1(hash)) => key.sign_pkcs1(hash, &digest),
            (Self::Rsa(key), SignatureAlgorithm::RsaPss { hash, mask, salt_length })
                if hash == mask =>
            {
                let salt = &hash.digest(&digest)[..salt_length.min(hash.length())];
                key.sign_pss(hash, salt, &digest)
            }
            _ => None,
        }
    }
}

/// A certificate before it is signed.
#[derive(Clone)]
pub struct CertificateDraft {
    /// Serial number, big-endian.
    pub serial: Vec<u8>,
    /// DER of the name of who signs; see [`office`].
    pub issuer: Vec<u8>,
    /// DER of the name of whose key it is.
    pub subject: Vec<u8>,
    /// The first and the last day.
    pub validity: (Date, Date),
    /// The key, as `SubjectPublicKeyInfo`.
    pub spki: Vec<u8>,
    /// DER of each extension; see the functions that end in `_extension`.
    pub extensions: Vec<Vec<u8>>,
}

impl CertificateDraft {
    /// Returns the draft of a state's own certificate, signed by `issuer`: by the key itself, or by
    /// the one before it, which makes it a link.
    pub fn authority(
        name: Vec<u8>,
        key: &IssuerKey,
        issuer: &IssuerKey,
        validity: (Date, Date),
    ) -> CertificateDraft {
        CertificateDraft {
            serial: vec![1],
            issuer: name.clone(),
            subject: name,
            validity,
            spki: key.public().to_explicit_spki(),
            extensions: vec![
                authority_extension(),
                usage_extension(&[KeyUsage::CertificateSign, KeyUsage::ListSign]),
                subject_key_extension(&key.id()),
                authority_key_extension(&issuer.id()),
            ],
        }
    }

    /// Returns the draft of the certificate of a signer of documents.
    pub fn document_signer(
        issuer: Vec<u8>,
        subject: Vec<u8>,
        key: &IssuerKey,
        authority: &IssuerKey,
        validity: (Date, Date),
    ) -> CertificateDraft {
        CertificateDraft {
            serial: vec![2],
            issuer,
            subject,
            validity,
            spki: key.public().to_explicit_spki(),
            extensions: vec![
                usage_extension(&[KeyUsage::DigitalSignature]),
                subject_key_extension(&key.id()),
                authority_key_extension(&authority.id()),
            ],
        }
    }

    /// Returns the draft with the purpose of signing master lists.
    pub fn for_master_lists(mut self) -> CertificateDraft {
        self.extensions.push(purpose_extension(MASTER_LIST_SIGNER));
        self
    }

    /// Returns the certificate.
    pub fn sign(&self, key: &IssuerKey, algorithm: SignatureAlgorithm) -> Option<Vec<u8>> {
        let mut content = tlv::element(0xA0, &tlv::element(0x02, &[2]));
        content.extend(unsigned_integer(&self.serial));
        content.extend(algorithm.identifier());
        content.extend_from_slice(&self.issuer);
        let validity = [time(self.validity.0), time(self.validity.1)].concat();
        tlv::write(&mut content, 0x30, &validity);
        content.extend_from_slice(&self.subject);
        content.extend_from_slice(&self.spki);
        if !self.extensions.is_empty() {
            let list = tlv::element(0x30, &self.extensions.concat());
            tlv::write(&mut content, 0xA3, &list);
        }
        signed(&content, key, algorithm)
    }
}

/// Returns the DER of an office's name: country and common name.
pub fn office(country: &str, common_name: &str) -> Vec<u8> {
    // countryName and commonName, 2.5.4.6 and 2.5.4.3
    let parts = [(0x06, 0x13, country), (0x03, 0x0C, common_name)].map(|(id, tag, text)| {
        let mut part = tlv::element(0x06, &[0x55, 0x04, id]);
        tlv::write(&mut part, tag, text.as_bytes());
        tlv::element(0x31, &tlv::element(0x30, &part))
    });
    tlv::element(0x30, &parts.concat())
}

/// Returns the extension that makes a certificate one of an authority.
pub fn authority_extension() -> Vec<u8> {
    let value = [tlv::element(0x01, &[0xFF]), tlv::element(0x02, &[0])].concat();
    extension(&[0x55, 0x1D, 0x13], true, &tlv::element(0x30, &value))
}

/// Returns the extension that says what a key is for.
pub fn usage_extension(usages: &[KeyUsage]) -> Vec<u8> {
    let bits = usages.iter().fold(0, |bits, usage| bits | *usage as u16);
    let unused = (bits.trailing_zeros() % 8) as u8;
    let bytes = bits.to_be_bytes();
    let bytes = if bytes[1] == 0 { &bytes[..1] } else { &bytes[..] };
    extension(&[0x55, 0x1D, 0x0F], true, &tlv::element(0x03, &[&[unused], bytes].concat()))
}

/// Returns the extension with the identifier of the key.
pub fn subject_key_extension(id: &[u8]) -> Vec<u8> {
    extension(&[0x55, 0x1D, 0x0E], false, &tlv::element(0x04, id))
}

/// Returns the extension with the identifier of the key that signs.
pub fn authority_key_extension(id: &[u8]) -> Vec<u8> {
    extension(&[0x55, 0x1D, 0x23], false, &tlv::element(0x30, &tlv::element(0x80, id)))
}

/// Returns the extension that limits a certificate to one purpose.
pub fn purpose_extension(oid: &[u8]) -> Vec<u8> {
    extension(&[0x55, 0x1D, 0x25], true, &tlv::element(0x30, &tlv::element(0x06, oid)))
}

/// Returns an extension of any kind.
pub fn extension(oid: &[u8], is_critical: bool, value: &[u8]) -> Vec<u8> {
    let mut content = tlv::element(0x06, oid);
    if is_critical {
        tlv::write(&mut content, 0x01, &[0xFF]);
    }
    tlv::write(&mut content, 0x04, value);
    tlv::element(0x30, &content)
}

/// Returns a list of revoked certificates: serial numbers, and the days of their revocation.
pub fn revocation_list(
    issuer: &[u8],
    updates: (Date, Date),
    revoked: &[(&[u8], Date)],
    key: &IssuerKey,
    algorithm: SignatureAlgorithm,
) -> Option<Vec<u8>> {
    let mut content = tlv::element(0x02, &[1]);
    content.extend(algorithm.identifier());
    content.extend_from_slice(issuer);
    content.extend(time(updates.0));
    content.extend(time(updates.1));
    let entries: Vec<Vec<u8>> = revoked
        .iter()
        .map(|(serial, day)| tlv::element(0x30, &[unsigned_integer(serial), time(*day)].concat()))
        .collect();
    if !entries.is_empty() {
        tlv::write(&mut content, 0x30, &entries.concat());
    }
    let list = tlv::element(0x30, &authority_key_extension(&key.id()));
    tlv::write(&mut content, 0xA0, &list);
    signed(&content, key, algorithm)
}

/// Something to be signed, and how.
#[derive(Clone, Copy)]
pub struct ObjectDraft<'a> {
    /// Content of the object identifier that says what the content is.
    pub content_type: &'a [u8],
    /// The content.
    pub content: &'a [u8],
    /// Hash of the content.
    pub digest: HashAlgorithm,
    /// The day on which it says that it was signed.
    pub signing_time: Option<Date>,
    /// The certificates that travel with it.
    pub certificates: &'a [&'a [u8]],
}

impl ObjectDraft<'_> {
    /// Returns the signed object (CMS `SignedData`, RFC 5652).
    pub fn sign(
        &self,
        signer: &Certificate,
        key: &IssuerKey,
        algorithm: SignatureAlgorithm,
    ) -> Option<Vec<u8>> {
        let attribute = |oid: &[u8], value: Vec<u8>| {
            let mut content = tlv::element(0x06, oid);
            tlv::write(&mut content, 0x31, &value);
            tlv::element(0x30, &content)
        };
        let digest = tlv::element(0x04, &self.digest.digest(self.content));
        let mut attributes = vec![
            attribute(cms::CONTENT_TYPE, tlv::element(0x06, self.content_type)),
            attribute(cms::MESSAGE_DIGEST, digest),
        ];
        attributes.extend(self.signing_time.map(|day| attribute(cms::SIGNING_TIME, time(day))));
        // DER has the elements of a set in the order of their bytes.
        attributes.sort();
        let attributes = attributes.concat();
        let signature = key.sign(algorithm, &tlv::element(0x31, &attributes))?;

        let mut info = tlv::element(0x02, &[1]);
        let serial = unsigned_integer(signer.serial());
        tlv::write(&mut info, 0x30, &[signer.issuer().der(), &serial].concat());
        info.extend(self.digest.identifier());
        tlv::write(&mut info, 0xA0, &attributes);
        info.extend(algorithm.identifier());
        tlv::write(&mut info, 0x04, &signature);

        let mut encapsulated = tlv::element(0x06, self.content_type);
        tlv::write(&mut encapsulated, 0xA0, &tlv::element(0x04, self.content));
        let mut content = tlv::element(0x02, &[3]);
        tlv::write(&mut content, 0x31, &self.digest.identifier());
        tlv::write(&mut content, 0x30, &encapsulated);
        tlv::write(&mut content, 0xA0, &self.certificates.concat());
        tlv::write(&mut content, 0x31, &tlv::element(0x30, &info));

        let mut outer = tlv::element(0x06, cms::SIGNED_DATA);
        tlv::write(&mut outer, 0xA0, &tlv::element(0x30, &content));
        Some(tlv::element(0x30, &outer))
    }
}

/// Returns the file EF.SOD of a document with these data groups: numbers, and whole files.
pub fn security_object(
    groups: &[(u8, &[u8])],
    hash: HashAlgorithm,
    signing_time: Option<Date>,
    signer: &Certificate,
    key: &IssuerKey,
    algorithm: SignatureAlgorithm,
) -> Option<Vec<u8>> {
    let digests: Vec<Vec<u8>> = groups
        .iter()
        .map(|(number, file)| {
            let mut digest = tlv::element(0x02, &[*number]);
            tlv::write(&mut digest, 0x04, &hash.digest(file));
            tlv::element(0x30, &digest)
        })
        .collect();
    let mut content = tlv::element(0x02, &[0]);
    content.extend(hash.identifier());
    tlv::write(&mut content, 0x30, &digests.concat());
    let draft = ObjectDraft {
        content_type: LDS_SECURITY_OBJECT,
        content: &tlv::element(0x30, &content),
        digest: hash,
        signing_time,
        certificates: &[signer.der()],
    };
    Some(tlv::element(0x77, &draft.sign(signer, key, algorithm)?))
}

/// Returns a master list of certificates.
pub fn master_list(
    certificates: &[&[u8]],
    signing_time: Option<Date>,
    signer: &Certificate,
    key: &IssuerKey,
    algorithm: SignatureAlgorithm,
) -> Option<Vec<u8>> {
    let mut certificates = certificates.to_vec();
    certificates.sort();
    let mut content = tlv::element(0x02, &[0]);
    tlv::write(&mut content, 0x31, &certificates.concat());
    let draft = ObjectDraft {
        content_type: MASTER_LIST,
        content: &tlv::element(0x30, &content),
        digest: algorithm.hash(),
        signing_time,
        certificates: &[signer.der()],
    };
    draft.sign(signer, key, algorithm)
}

/// Returns a `Time` at noon (RFC 5280, 4.1.2.5).
fn time(day: Date) -> Vec<u8> {
    let (year, month, day) = (day.year(), day.month(), day.day());
    match year {
        1950..2050 => {
            let text = format!("{:02}{month:02}{day:02}120000Z", year % 100);
            tlv::element(0x17, text.as_bytes())
        }
        _ => tlv::element(0x18, format!("{year:04}{month:02}{day:02}120000Z").as_bytes()),
    }
}

/// Returns `content`, a sequence's, with its signature below.
fn signed(content: &[u8], key: &IssuerKey, algorithm: SignatureAlgorithm) -> Option<Vec<u8>> {
    let content = tlv::element(0x30, content);
    let signature = key.sign(algorithm, &content)?;
    let mut whole = content;
    whole.extend(algorithm.identifier());
    tlv::write(&mut whole, 0x03, &[&[0], &signature[..]].concat());
    Some(tlv::element(0x30, &whole))
}

#[cfg(test)]
pub(crate) mod testing {
    //! The invented state of the tests.

    use super::*;
    use crate::chip::curves::Curve;

    pub(crate) fn day(text: &str) -> Date {
        text.parse().expect("a day")
    }

    pub(crate) fn ec(curve: Curve, secret: &[u8]) -> IssuerKey {
        IssuerKey::Ec(SigningKey::new(curve, secret).expect("not zero"))
    }

    pub(crate) const ECDSA: SignatureAlgorithm = SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha256);

    /// Utopia: its authority, and a signer of documents. What is to go wrong is altered in the
    /// fields before anything is issued.
    #[derive(Clone)]
    pub(crate) struct State {
        pub authority: IssuerKey,
        pub authority_draft: CertificateDraft,
        pub signer: IssuerKey,
        pub signer_draft: CertificateDraft,
        pub signed_on: Option<Date>,
        pub algorithm: SignatureAlgorithm,
    }

    pub(crate) const DG1: &[u8] = b"what stands in data group 1";
    pub(crate) const DG2: &[u8] = b"what stands in data group 2";

    impl State {
        /// A state on one curve.
        pub(crate) fn on(curve: Curve) -> State {
            State::with(ec(curve, b"secret of Utopia"), ec(curve, b"secret of its signer"))
        }

        pub(crate) fn with(authority: IssuerKey, signer: IssuerKey) -> State {
            let name = office("UT", "CSCA Utopia");
            let years = |from: &str, to: &str| (day(from), day(to));
            State {
                authority_draft: CertificateDraft::authority(
                    name.clone(),
                    &authority,
                    &authority,
                    years("2020-01-01", "2035-12-31"),
                ),
                signer_draft: CertificateDraft::document_signer(
                    name,
                    office("UT", "DS Utopia 1"),
                    &signer,
                    &authority,
                    years("2021-01-01", "2033-12-31"),
                ),
                authority,
                signer,
                signed_on: Some(day("2022-05-01")),
                algorithm: ECDSA,
            }
        }

        pub(crate) fn authority_certificate(&self) -> Vec<u8> {
            let algorithm = self.algorithm;
            self.authority_draft.sign(&self.authority, algorithm).expect("a certificate")
        }

        pub(crate) fn signer_certificate(&self) -> Vec<u8> {
            self.signer_draft.sign(&self.authority, self.algorithm).expect("a certificate")
        }

        /// The file EF.SOD of a document with [`DG1`] and [`DG2`].
        pub(crate) fn sod(&self) -> Vec<u8> {
            let certificate = Certificate::parse(&self.signer_certificate()).expect("readable");
            let groups = [(1, DG1), (2, DG2)];
            let hash = HashAlgorithm::Sha256;
            let (time, key) = (self.signed_on, &self.signer);
            security_object(&groups, hash, time, &certificate, key, self.algorithm).expect("signed")
        }

        pub(crate) fn revocations(&self, serials: &[&[u8]]) -> Vec<u8> {
            let revoked: Vec<_> =
                serials.iter().map(|serial| (*serial, day("2022-06-01"))).collect();
            let updates = (day("2022-07-01"), day("2022-10-01"));
            let issuer = &self.authority_draft.subject;
            revocation_list(issuer, updates, &revoked, &self.authority, self.algorithm)
                .expect("a list")
        }
    }
}
