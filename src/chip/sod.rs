//! The security object of a document (EF.SOD; ICAO 9303-10, 4.6.2): the hashes of its data groups,
//! signed.

use super::Malformed;
use super::algorithm::{ParseError, Unsupported};
use super::ber;
use super::cms::SignedData;
use super::hash::HashAlgorithm;
use super::tlv;

/// `id-icao-mrtd-security-ldsSecurityObject`, 2.23.136.1.1.1.
pub(super) const LDS_SECURITY_OBJECT: &[u8] = &[0x67, 0x81, 0x08, 0x01, 0x01, 0x01];

/// Data groups are numbered from 1 to 16 (ICAO 9303-10, 4.7).
const GROUPS: std::ops::RangeInclusive<u8> = 1..=16;

/// A security object, read but not verified: [`super::passive::authenticate`] does that.
#[derive(Clone, Debug)]
pub struct Sod {
    signed: SignedData,
    hash: HashAlgorithm,
    /// In the order of their numbers.
    groups: Vec<(u8, Vec<u8>)>,
}

impl Sod {
    /// Returns the security object that a file EF.SOD holds.
    pub fn parse(file: &[u8]) -> Result<Sod, ParseError> {
        let file = ber::definite(file)?;
        let signed = SignedData::parse(tlv::only(&file, 0x77)?.value)?;
        if signed.content_type() != LDS_SECURITY_OBJECT {
            return Err(Malformed("signed data of another type than a security object").into());
        }
        let mut fields = tlv::only(signed.content(), 0x30)?.children();
        match fields.expect(0x02)?.value {
            // Version 1 adds at the end which version of the LDS the document has.
            [0 | 1] => {}
            _ => return Err(Unsupported::Version.into()),
        }
        let hash = HashAlgorithm::from_identifier(fields.expect(0x30)?.value)?;
        let mut groups: Vec<(u8, Vec<u8>)> = Vec::new();
        for group in fields.expect(0x30)?.children() {
            let mut group = group?.children();
            let number = match group.expect(0x02)?.value {
                [number] if GROUPS.contains(number) => *number,
                _ => return Err(Malformed("a data group of an impossible number").into()),
            };
            let digest = group.expect(0x04)?.value;
            group.end()?;
            if digest.len() != hash.length() {
                return Err(Malformed("a hash of the wrong length").into());
            }
            if groups.iter().any(|(other, _)| *other == number) {
                return Err(Malformed("two hashes for one data group").into());
            }
            groups.push((number, digest.to_vec()));
        }
        groups.sort();
        Ok(Sod { signed, hash, groups })
    }

    /// Returns the numbers of the data groups that the document has, in order.
    ///
    /// Which files there are is taken from here: EF.COM says so too and nobody has signed it.
    pub fn groups(&self) -> impl Iterator<Item = u8> {
        self.groups.iter().map(|(number, _)| *number)
    }

    /// Returns the hash function of the data groups.
    pub fn hash(&self) -> HashAlgorithm {
        self.hash
    }

    /// Returns the hash that the file of a data group has to have.
    pub fn digest_of(&self, group: u8) -> Option<&[u8]> {
        self.groups.iter().find(|(number, _)| *number == group).map(|(_, digest)| digest.as_slice())
    }

    /// Returns the signed object.
    pub fn signed(&self) -> &SignedData {
        &self.signed
    }
}
