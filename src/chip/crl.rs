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
                    refuse_critical(extensions)?;
                }
            }
        }
        if let Some(explicit) = fields.optional(0xA0)? {
            refuse_critical(tlv::only(explicit.value, 0x30)?)?;
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

fn refuse_critical(extensions: Tlv<'_>) -> Result<(), ParseError> {
    for extension in certificate::extension_list(extensions) {
        if extension?.is_critical {
            return Err(Unsupported::CriticalExtension.into());
        }
    }
    Ok(())
}
