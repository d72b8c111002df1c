//! Lists of certificates that a state has revoked (CRL; ICAO 9303-12, 7.1.4).

use sync_format::v1::date::Date;

use super::algorithm::{ParseError, Unsupported};
use super::certificate::{self, Certificate, Name, NotSigned, Signed};
use super::curves::number;
use super::tlv::{self, Tlv};

/// A list of revoked certificates, read but not trusted: [`super::trust::Anchors`] checks who signed
/// it.
#[derive(Clone, Debug)]
pub struct RevocationList {
    signed: Signed,
    issuer: Name,
    this_update: Date,
    next_update: Option<Date>,
    /// Serial numbers without leading zeros, in order, and the day of each revocation.
    revoked: Vec<(Vec<u8>, Date)>,
}

impl RevocationList {
    /// Returns the list that `der` is, from its first byte to its last.
    ///
    /// A list of a part of the certificates, or of changes only, is not supported: what is not on it
    /// would seem not revoked.
    pub fn parse(der: &[u8]) -> Result<RevocationList, ParseError> {
        let signed = Signed::parse(der)?;
        let mut fields = signed.content()?;
        fields.optional(0x02)?;
        signed.check_algorithm(fields.expect(0x30)?.value)?;
        let issuer = Name::parse(fields.expect(0x30)?)?;
        let this_update = certificate::time(fields.next())?;
        let mut next_update = None;
        for tag in [0x17, 0x18] {
            if let Some(time) = fields.optional(tag)? {
                next_update = Some(certificate::time(Some(Ok(time)))?);
            }
        }
        let mut revoked = Vec::new();
        if let Some(entries) = fields.optional(0x30)? {
            for entry in entries.children() {
                let mut entry = entry?.children();
                let serial = number(entry.expect(0x02)?.value).to_vec();
                revoked.push((serial, certificate::time(entry.next())?));
                if let Some(extensions) = entry.optional(0x30)? {
                    check_extensions(extensions)?;
                }
            }
        }
        if let Some(explicit) = fields.optional(0xA0)? {
            check_extensions(tlv::only(explicit.value, 0x30)?)?;
        }
        fields.end()?;
        revoked.sort();
        Ok(RevocationList { signed, issuer, this_update, next_update, revoked })
    }

    /// Returns who signed it.
    pub fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// Returns the day on which it was made.
    pub fn this_update(&self) -> Date {
        self.this_update
    }

    /// Returns the day by which the next one was to be made, where it names one.
    pub fn next_update(&self) -> Option<Date> {
        self.next_update
    }

    /// Returns the day on which the certificate of this serial number was revoked, if it was.
    pub fn revoked_on(&self, serial: &[u8]) -> Option<Date> {
        let serial = number(serial);
        let at = self.revoked.binary_search_by(|(listed, _)| listed.as_slice().cmp(serial)).ok()?;
        Some(self.revoked[at].1)
    }

    /// Checks that it was signed by the key of `issuer`; nothing else of either.
    pub fn check_signature(&self, issuer: &Certificate) -> Result<(), NotSigned> {
        self.signed.check(issuer.key()?)
    }
}

/// `deltaCRLIndicator` and `issuingDistributionPoint` (RFC 5280, 5.2.4 and 5.2.5).
const CHANGES_ONLY: &[u8] = &[0x55, 0x1D, 0x1B];
const PART_ONLY: &[u8] = &[0x55, 0x1D, 0x1C];

/// Refuses extensions that would make a list say less, or something else, than it seems to.
fn check_extensions(extensions: Tlv<'_>) -> Result<(), ParseError> {
    for extension in certificate::extension_list(extensions) {
        let extension = extension?;
        if extension.is_critical || matches!(extension.id, CHANGES_ONLY | PART_ONLY) {
            return Err(Unsupported::CriticalExtension.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::chip::curves::Curve;
    use crate::chip::issue;
    use crate::chip::issue::testing::{State, day};
    use crate::chip::openssl::OpenSsl;

    #[test]
    fn serial_number_is_found_among_many() {
        let state = State::on(Curve::P256);
        let serials: Vec<[u8; 2]> =
            (1..500_u16).rev().map(|number| (3 * number).to_be_bytes()).collect();
        let serials: Vec<&[u8]> = serials.iter().map(|serial| &serial[..]).collect();
        let list = RevocationList::parse(&state.revocations(&serials)).expect("readable");
        for number in 1..1_500_u16 {
            let expected = (number % 3 == 0 && number < 1_500).then(|| day("2022-06-01"));
            assert_eq!(list.revoked_on(&number.to_be_bytes()), expected, "{number}");
        }
        // Leading zeros are no part of a number.
        assert_eq!(list.revoked_on(&[0, 0, 0, 3]), Some(day("2022-06-01")));
        assert_eq!(list.this_update(), day("2022-07-01"));
        assert_eq!(list.next_update(), Some(day("2022-10-01")));
    }

    #[test]
    fn list_of_openssl_is_read() {
        let openssl = OpenSsl::new();
        openssl.run(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out \
             authority.pem -sha256 -subj /C=UT/CN=CSCA -addext \
             keyUsage=critical,keyCertSign,cRLSign",
        );
        openssl.write("index", "R\t490101000000Z\t220601000000Z\tC0FFEE\tunknown\t/C=UT/CN=DS\n");
        openssl.write("number", "01\n");
        openssl.write(
            "config",
            "[ca]\ndefault_ca=own\n[own]\ndatabase=index\ncrlnumber=number\ndefault_md=sha256\n\
             default_crl_days=30\ncrl_extensions=list\n[list]\nauthorityKeyIdentifier=keyid\n",
        );
        openssl.run("ca -config config -gencrl -keyfile key.pem -cert authority.pem -out list.pem");
        let list = openssl.run("crl -in list.pem -outform DER");
        let list = RevocationList::parse(&list).expect("readable");
        let authority = openssl.run("x509 -in authority.pem -outform DER");
        let authority = Certificate::parse(&authority).expect("readable");
        assert_eq!(list.issuer(), authority.subject());
        assert_eq!(list.check_signature(&authority), Ok(()));
        assert_eq!(list.revoked_on(&[0xC0, 0xFF, 0xEE]), Some(day("2022-06-01")));
        assert_eq!(list.revoked_on(&[0xC0, 0xFF]), None);
    }

    #[test]
    fn list_that_must_be_understood_and_is_not_is_not_supported() {
        let whole = State::on(Curve::P256).revocations(&[]);
        let with = |extension: Vec<u8>| {
            let mut parts = tlv::only(&whole, 0x30).expect("a sequence").children();
            let content = parts.expect(0x30).expect("the content");
            let mut fields: Vec<&[u8]> =
                content.children().map(|field| field.expect("a field").whole).collect();
            let extensions = tlv::element(0xA0, &tlv::element(0x30, &extension));
            *fields.last_mut().expect("the extensions") = &extensions;
            let content = tlv::element(0x30, &fields.concat());
            let list = tlv::element(0x30, &[&content, parts.rest()].concat());
            RevocationList::parse(&list).map(|_| ())
        };
        let [part, changes, number] = [0x1C, 0x1B, 0x14].map(|last| [0x55, 0x1D, last]);
        let unsupported = Err(Unsupported::CriticalExtension.into());
        assert_eq!(with(issue::extension(&number, false, &[])), Ok(()));
        assert_eq!(with(issue::extension(&number, true, &[])), unsupported);
        // Whether or not they say that they must be understood.
        assert_eq!(with(issue::extension(&part, false, &[])), unsupported);
        assert_eq!(with(issue::extension(&changes, false, &[])), unsupported);
    }

    proptest! {
        #[test]
        fn altered_list_is_no_reason_to_panic(at in any::<usize>(), bits in 1_u8..) {
            static DER: LazyLock<Vec<u8>> =
                LazyLock::new(|| State::on(Curve::P224).revocations(&[&[2], &[3]]));
            let mut der = DER.clone();
            let at = at % der.len();
            der[at] ^= bits;
            let _ = RevocationList::parse(&der);
        }
    }
}
