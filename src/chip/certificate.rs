//! X.509 certificates of states: those that sign documents, and those that sign these.
//!
//! Read with [`super::tlv`] and not with a crate: signatures are over the bytes as they stand, so
//! nothing is ever written again, and what some states bend (names, lengths, strings) does not keep
//! a certificate from being read. What decides is read strictly: keys, algorithms, dates, and the
//! extensions that limit use.

use std::fmt;

use sync_format::v1::date::Date;
use thiserror::Error;

use super::Malformed;
use super::algorithm::{ParseError, SignatureAlgorithm, Unsupported};
use super::country::Country;
use super::curves::number;
use super::hash::HashAlgorithm;
use super::public_key::{PublicKey, WrongSignature, whole_bytes};
use super::tlv::{self, Elements, Tlv};

/// A certificate, read but not trusted: whether it is, [`super::trust::Anchors`] says.
#[derive(Clone, Debug)]
pub struct Certificate {
    signed: Signed,
    der: Vec<u8>,
    fingerprint: Fingerprint,
    serial: Vec<u8>,
    issuer: Name,
    subject: Name,
    validity: (Date, Date),
    key: Result<PublicKey, Unsupported>,
    extensions: Extensions,
}

/// What this program needs of a certificate's extensions.
#[derive(Clone, Debug, Default)]
struct Extensions {
    subject_key: Option<Vec<u8>>,
    authority_key: Option<Vec<u8>>,
    /// Bits as in RFC 5280, 4.2.1.3, the first being the highest.
    key_usage: Option<u16>,
    is_authority: Option<bool>,
    purposes: Vec<Vec<u8>>,
    has_unknown_critical: bool,
}

/// What a key may be used for; bits of the extension `keyUsage` (RFC 5280, 4.2.1.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum KeyUsage {
    /// Signing documents and lists.
    DigitalSignature = 0x8000,
    /// Signing certificates.
    CertificateSign = 0x0400,
    /// Signing lists of revoked certificates.
    ListSign = 0x0200,
}

/// Why a certificate or list was not signed by a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum NotSigned {
    /// The signature is wrong.
    #[error(transparent)]
    Wrong(#[from] WrongSignature),
    /// Whether it is right cannot be said.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

impl Certificate {
    /// Returns the certificate that `der` is, from its first byte to its last.
    ///
    /// A key or signature algorithm that is not known does not keep it from being read.
    pub fn parse(der: &[u8]) -> Result<Certificate, Malformed> {
        let signed = Signed::parse(der)?;
        let mut fields = signed.content()?;
        fields.optional(0xA0)?;
        let serial = fields.expect(0x02)?.value.to_vec();
        signed.check_algorithm(fields.expect(0x30)?.value)?;
        let issuer = Name::parse(fields.expect(0x30)?)?;
        let mut validity = fields.expect(0x30)?.children();
        let validity = (time(validity.next())?, time(validity.next())?);
        let subject = Name::parse(fields.expect(0x30)?)?;
        let key = supported(PublicKey::from_spki(fields.expect(0x30)?.whole))?;
        fields.optional(0x81)?;
        fields.optional(0x82)?;
        let mut extensions = Extensions::default();
        if let Some(explicit) = fields.optional(0xA3)? {
            extensions = Extensions::parse(tlv::only(explicit.value, 0x30)?)?;
        }
        fields.end()?;
        Ok(Certificate {
            signed,
            der: der.to_vec(),
            fingerprint: Fingerprint::of(der),
            serial,
            issuer,
            subject,
            validity,
            key,
            extensions,
        })
    }

    /// Returns the certificate's bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Returns the number that tells it from all other certificates.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Returns the serial number, big-endian, without leading zeros.
    pub fn serial(&self) -> &[u8] {
        number(&self.serial)
    }

    /// Returns who signed the certificate.
    pub fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// Returns whose key is in it.
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// Returns the first and the last day on which it is valid.
    pub fn validity(&self) -> (Date, Date) {
        self.validity
    }

    /// Whether it is valid on `day`. Hours are left out: no clock at hand is that sure.
    pub fn is_valid_on(&self, day: Date) -> bool {
        self.validity.0 <= day && day <= self.validity.1
    }

    /// Returns the public key.
    pub fn key(&self) -> Result<&PublicKey, Unsupported> {
        self.key.as_ref().map_err(|unsupported| *unsupported)
    }

    /// Returns the identifier of the key in it (RFC 5280, 4.2.1.2).
    pub fn subject_key(&self) -> Option<&[u8]> {
        self.extensions.subject_key.as_deref()
    }

    /// Returns the identifier of the key that signed it (RFC 5280, 4.2.1.1).
    pub fn authority_key(&self) -> Option<&[u8]> {
        self.extensions.authority_key.as_deref()
    }

    /// Whether it says that its key may sign certificates at all (RFC 5280, 4.2.1.9).
    pub fn is_authority(&self) -> bool {
        self.extensions.is_authority == Some(true)
    }

    /// Whether it says that its key is for this use. ICAO 9303-12, 7.1 has every certificate say so.
    pub fn has_usage(&self, usage: KeyUsage) -> bool {
        self.extensions.key_usage.is_some_and(|bits| bits & usage as u16 != 0)
    }

    /// Returns the object identifiers, contents only, of the purposes to which it is limited.
    pub fn purposes(&self) -> impl Iterator<Item = &[u8]> {
        self.extensions.purposes.iter().map(Vec::as_slice)
    }

    /// Whether it has an extension that must be understood and that this program does not know.
    pub fn has_unknown_critical(&self) -> bool {
        self.extensions.has_unknown_critical
    }

    /// Checks that it was signed by the key of `issuer`; nothing else of either.
    pub fn check_signature(&self, issuer: &Certificate) -> Result<(), NotSigned> {
        self.signed.check(issuer.key()?)
    }
}

impl Extensions {
    fn parse(list: Tlv<'_>) -> Result<Extensions, Malformed> {
        let mut extensions = Extensions::default();
        for extension in extension_list(list) {
            let Extension { id, is_critical, value } = extension?;
            match id {
                [0x55, 0x1D, 0x0E] => {
                    let key = tlv::only(value, 0x04)?.value.to_vec();
                    once(&mut extensions.subject_key, key)?;
                }
                [0x55, 0x1D, 0x23] => {
                    if let Some(key) = tlv::only(value, 0x30)?.children().optional(0x80)? {
                        once(&mut extensions.authority_key, key.value.to_vec())?;
                    }
                }
                [0x55, 0x1D, 0x0F] => {
                    let bits = tlv::only(value, 0x03)?.value;
                    let byte = |at: usize| u16::from(bits.get(at).copied().unwrap_or(0));
                    once(&mut extensions.key_usage, byte(1) << 8 | byte(2))?;
                }
                [0x55, 0x1D, 0x13] => {
                    let mut fields = tlv::only(value, 0x30)?.children();
                    let flag = fields.optional(0x01)?.is_some_and(|flag| is_true(flag.value));
                    once(&mut extensions.is_authority, flag)?;
                }
                [0x55, 0x1D, 0x25] => {
                    for purpose in tlv::only(value, 0x30)?.children() {
                        extensions.purposes.push(purpose?.value.to_vec());
                    }
                }
                // The days on which the key was in use, other names, where lists are, policies: none
                // of them is needed, and none widens what a certificate may do.
                [0x55, 0x1D, 0x10 | 0x11 | 0x12 | 0x1F | 0x20] => {}
                _ => extensions.has_unknown_critical |= is_critical,
            }
        }
        Ok(extensions)
    }
}

/// Fills a place that is empty.
pub(super) fn once<T>(place: &mut Option<T>, value: T) -> Result<(), Malformed> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Malformed("an extension or attribute that stands there twice")),
    }
}

fn is_true(boolean: &[u8]) -> bool {
    boolean.iter().any(|byte| *byte != 0)
}

/// One extension of a certificate or list.
pub(super) struct Extension<'a> {
    /// Content of the object identifier.
    pub id: &'a [u8],
    pub is_critical: bool,
    pub value: &'a [u8],
}

/// Returns the extensions of a list of them (RFC 5280, 4.2).
pub(super) fn extension_list(
    list: Tlv<'_>,
) -> impl Iterator<Item = Result<Extension<'_>, Malformed>> {
    list.children().map(|extension| {
        let mut fields = extension?.children();
        let id = fields.expect(0x06)?.value;
        let is_critical = fields.optional(0x01)?.is_some_and(|flag| is_true(flag.value));
        let value = fields.expect(0x04)?.value;
        fields.end()?;
        Ok(Extension { id, is_critical, value })
    })
}

/// Something with a signature below: a certificate or a list of revoked ones.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    content: Vec<u8>,
    identifier: Vec<u8>,
    algorithm: Result<SignatureAlgorithm, Unsupported>,
    signature: Vec<u8>,
}

impl Signed {
    pub(super) fn parse(der: &[u8]) -> Result<Signed, Malformed> {
        let mut parts = tlv::only(der, 0x30)?.children();
        let content = parts.expect(0x30)?.whole.to_vec();
        let identifier = parts.expect(0x30)?.value.to_vec();
        let signature = whole_bytes(parts.expect(0x03)?.value)?.to_vec();
        parts.end()?;
        let algorithm = supported(SignatureAlgorithm::from_identifier(&identifier, None))?;
        Ok(Signed { content, identifier, algorithm, signature })
    }

    /// Returns the fields that are signed.
    pub(super) fn content(&self) -> Result<Elements<'_>, Malformed> {
        Ok(tlv::only(&self.content, 0x30)?.children())
    }

    /// Checks that the algorithm that was signed is the one beside the signature (RFC 5280,
    /// 4.1.1.2).
    pub(super) fn check_algorithm(&self, signed: &[u8]) -> Result<(), Malformed> {
        if signed == self.identifier {
            Ok(())
        } else {
            Err(Malformed("two signature algorithms for one signature"))
        }
    }

    pub(super) fn check(&self, key: &PublicKey) -> Result<(), NotSigned> {
        Ok(key.verify(self.algorithm?, &self.content, &self.signature)?)
    }
}

/// Keeps what is not supported for later, and lets only what is malformed fail at once.
pub(super) fn supported<T>(
    read: Result<T, ParseError>,
) -> Result<Result<T, Unsupported>, Malformed> {
    match read {
        Ok(value) => Ok(Ok(value)),
        Err(ParseError::Unsupported(unsupported)) => Ok(Err(unsupported)),
        Err(ParseError::Malformed(malformed)) => Err(malformed),
    }
}

/// Returns the day of a `Time` (RFC 5280, 4.1.2.5): two digits of the year from 1950 to 2049, or
/// four.
pub(super) fn time(element: Option<Result<Tlv<'_>, Malformed>>) -> Result<Date, Malformed> {
    const WRONG: Malformed = Malformed("no date where one has to be");
    let element = element.ok_or(WRONG)??;
    let digits = |part: Option<&[u8]>| {
        part.ok_or(WRONG)?.iter().try_fold(0_u16, |sum, byte| match byte {
            b'0'..=b'9' => Ok(sum * 10 + u16::from(byte - b'0')),
            _ => Err(WRONG),
        })
    };
    let (year, rest) = match element.tag {
        0x17 => {
            let year = digits(element.value.get(..2))?;
            (if year >= 50 { 1900 + year } else { 2000 + year }, element.value.get(2..))
        }
        0x18 => (digits(element.value.get(..4))?, element.value.get(4..)),
        _ => return Err(WRONG),
    };
    let rest = rest.ok_or(WRONG)?;
    // The hour has to be there, so that a date cut short is not another date.
    let (month, day, _hour) =
        (digits(rest.get(..2))?, digits(rest.get(2..4))?, digits(rest.get(4..6))?);
    Date::new(year, month as u8, day as u8).ok_or(WRONG)
}

/// The name of a state's office.
///
/// Two are equal if they would be read as the same: states write one name now as one kind of string
/// and now as another, and "VN" and "vn".
#[derive(Clone, Debug)]
pub struct Name {
    der: Vec<u8>,
    /// Object identifier and simplified text of each part.
    parts: Vec<(Vec<u8>, String)>,
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

impl Eq for Name {}

impl Name {
    pub(super) fn parse(sequence: Tlv<'_>) -> Result<Name, Malformed> {
        let mut parts = Vec::new();
        for set in sequence.children() {
            for part in set?.children() {
                let mut fields = part?.children();
                let id = fields.expect(0x06)?.value.to_vec();
                let text = fields.next().ok_or(Malformed("a part of a name without text"))??;
                parts.push((id, simplified(text)));
            }
        }
        Ok(Name { der: sequence.whole.to_vec(), parts })
    }

    /// Returns the name as it was written.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Returns the country, where it names one.
    pub fn country(&self) -> Option<Country> {
        // countryName, 2.5.4.6
        let (_, text) = self.parts.iter().find(|(id, _)| id == &[0x55, 0x04, 0x06])?;
        Country::new(text)
    }
}

/// Returns the text in lower case, with single spaces.
fn simplified(text: Tlv<'_>) -> String {
    let text: String = match text.tag {
        // BMPString: two bytes for each character.
        0x1E => {
            let units = text
                .value
                .chunks(2)
                .map(|pair| pair.iter().fold(0_u16, |unit, byte| unit << 8 | u16::from(*byte)));
            char::decode_utf16(units)
                .map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect()
        }
        _ => match std::str::from_utf8(text.value) {
            Ok(text) => text.to_owned(),
            // TeletexString, which everyone writes as Latin-1.
            Err(_) => text.value.iter().map(|byte| char::from(*byte)).collect(),
        },
    };
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The SHA-256 of a certificate; as text, in hexadecimal, what other programs show for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    fn of(der: &[u8]) -> Fingerprint {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(&HashAlgorithm::Sha256.digest(der));
        Fingerprint(bytes)
    }

    /// Returns the 32 bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::chip::curves::Curve;
    use crate::chip::issue::testing::{State, day};
    use crate::chip::openssl::OpenSsl;

    #[test]
    fn certificate_of_openssl_is_read() {
        let openssl = OpenSsl::new();
        openssl.run(
            "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -outform DER -out certificate -days 1 \
             -set_serial 0x00C0FFEE -sha256 -subj /C=UT/O=Utopia/CN=CSCA -addext \
             keyUsage=critical,keyCertSign,cRLSign",
        );
        let der = openssl.read("certificate");
        let certificate = Certificate::parse(&der).expect("readable");
        assert_eq!(certificate.serial(), [0xC0, 0xFF, 0xEE]);
        assert_eq!(certificate.subject().country(), Country::new("UT"));
        assert_eq!(certificate.issuer(), certificate.subject());
        assert!(certificate.is_authority());
        assert!(certificate.has_usage(KeyUsage::CertificateSign));
        assert!(certificate.has_usage(KeyUsage::ListSign));
        assert!(!certificate.has_usage(KeyUsage::DigitalSignature));
        assert!(certificate.subject_key().is_some());
        assert_eq!(certificate.subject_key(), certificate.authority_key());
        assert_eq!(certificate.check_signature(&certificate), Ok(()));
        assert_eq!(certificate.der(), der);
        let says = openssl.run("x509 -inform DER -in certificate -noout -fingerprint -sha256");
        let says = String::from_utf8_lossy(&says).replace(':', "").to_lowercase();
        assert!(says.trim_end().ends_with(&certificate.fingerprint().to_string()), "{says}");
    }

    #[test]
    fn names_are_compared_as_they_are_read() {
        let name = |country: &str, tag: u32, common_name: &[u8]| {
            let part = |id: u8, tag: u32, text: &[u8]| {
                let content = [tlv::element(0x06, &[0x55, 0x04, id]), tlv::element(tag, text)];
                tlv::element(0x31, &tlv::element(0x30, &content.concat()))
            };
            let der = [part(6, 0x13, country.as_bytes()), part(3, tag, common_name)].concat();
            let der = tlv::element(0x30, &der);
            Name::parse(tlv::only(&der, 0x30).expect("a sequence")).expect("a name")
        };
        let known = name("UT", 0x13, b"CSCA Utopia");
        assert_eq!(known, name("ut", 0x0C, b"csca  utopia "));
        let wide: Vec<u8> = "CSCA Utopia".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(known, name("UT", 0x1E, &wide));
        assert_ne!(known, name("UT", 0x0C, b"CSCA Atlantis"));
        assert_ne!(known, name("XX", 0x0C, b"CSCA Utopia"));
        assert_eq!(name("UT", 0x0C, "Đà".as_bytes()), name("UT", 0x0C, "đà".as_bytes()));
        // Latin-1, where it says that it is something else.
        assert_eq!(name("UT", 0x14, &[0xE9]), name("UT", 0x0C, "É".as_bytes()));
    }

    #[test]
    fn day_is_read_in_both_forms_and_no_other() {
        let read = |tag, text: &str| {
            let element = tlv::element(tag, text.as_bytes());
            time(Some(tlv::only(&element, tag)))
        };
        assert_eq!(read(0x17, "220629120000Z"), Ok(day("2022-06-29")));
        assert_eq!(read(0x17, "491231235959Z"), Ok(day("2049-12-31")));
        assert_eq!(read(0x17, "500101000000Z"), Ok(day("1950-01-01")));
        assert_eq!(read(0x17, "2206291200Z"), Ok(day("2022-06-29")));
        assert_eq!(read(0x18, "20520301000000Z"), Ok(day("2052-03-01")));
        for (tag, text) in [
            (0x17, ""),
            (0x17, "220629"),
            (0x17, "220230120000Z"),
            (0x17, "2206ab120000Z"),
            (0x18, "220629120000Z"),
            (0x04, "220629120000Z"),
        ] {
            assert!(read(tag, text).is_err(), "{text}");
        }
    }

    #[test]
    fn broken_certificate_is_refused_by_what_is_broken() {
        let state = State::on(Curve::P256);
        let check = |der: &[u8], why| {
            assert_eq!(Certificate::parse(der).err(), Some(Malformed(why)));
        };
        let der = state.signer_certificate();
        check(&der[..der.len() - 1], "an element ends after its data");
        check(&[&der[..], &[0]].concat(), "bytes after the last element");
        // The algorithm beside the signature, SHA-384 in place of SHA-256.
        let oid = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02];
        let last = der.windows(8).rposition(|part| part == oid).expect("there") + 7;
        let mut other = der.clone();
        other[last] = 3;
        check(&other, "two signature algorithms for one signature");
        let mut twice = state.clone();
        let extension = twice.signer_draft.extensions[0].clone();
        twice.signer_draft.extensions.push(extension);
        check(&twice.signer_certificate(), "an extension or attribute that stands there twice");
    }

    #[test]
    fn unknown_key_keeps_no_certificate_from_being_read() {
        let mut state = State::on(Curve::P256);
        // Ed25519: 1.3.101.112
        let identifier = tlv::element(0x30, &[0x06, 0x03, 0x2B, 0x65, 0x70]);
        let key = [identifier, tlv::element(0x03, &[0; 33])].concat();
        state.signer_draft.spki = tlv::element(0x30, &key);
        let certificate = Certificate::parse(&state.signer_certificate()).expect("readable");
        assert_eq!(certificate.key(), Err(Unsupported::Key));
        let unsupported = NotSigned::Unsupported(Unsupported::Key);
        assert_eq!(certificate.check_signature(&certificate), Err(unsupported));
    }

    proptest! {
        #[test]
        fn altered_certificate_is_no_reason_to_panic(at in any::<usize>(), bits in 1_u8..) {
            static DER: LazyLock<Vec<u8>> =
                LazyLock::new(|| State::on(Curve::P224).signer_certificate());
            let mut der = DER.clone();
            let at = at % der.len();
            der[at] ^= bits;
            let _ = Certificate::parse(&der);
        }
    }
}
