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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chip::certificate::Certificate;
    use crate::chip::curves::Curve;
    use crate::chip::issue::ObjectDraft;
    use crate::chip::issue::testing::{DG1, ECDSA, State};

    #[test]
    fn hashes_are_found_by_their_number() {
        let sod = Sod::parse(&State::on(Curve::P256).sod()).expect("readable");
        assert_eq!(sod.groups().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(sod.hash(), HashAlgorithm::Sha256);
        assert_eq!(sod.digest_of(1), Some(&HashAlgorithm::Sha256.digest(DG1)[..]));
        assert_eq!(sod.digest_of(3), None);
    }

    #[test]
    fn broken_security_object_is_refused_by_what_is_broken() {
        let state = State::on(Curve::P256);
        let signer = Certificate::parse(&state.signer_certificate()).expect("readable");
        let parse = |version: u8, groups: &[(&[u8], usize)]| {
            let mut content = tlv::element(0x02, &[version]);
            content.extend(HashAlgorithm::Sha256.identifier());
            let digests: Vec<Vec<u8>> = groups
                .iter()
                .map(|(number, length)| {
                    let number = tlv::element(0x02, number);
                    let digest = tlv::element(0x04, &vec![0; *length]);
                    tlv::element(0x30, &[number, digest].concat())
                })
                .collect();
            tlv::write(&mut content, 0x30, &digests.concat());
            // LDSVersionInfo, of version 1.
            tlv::write(&mut content, 0x30, &tlv::element(0x13, b"0108"));
            let draft = ObjectDraft {
                content_type: LDS_SECURITY_OBJECT,
                content: &tlv::element(0x30, &content),
                digest: HashAlgorithm::Sha256,
                signing_time: None,
                certificates: &[],
            };
            let signed = draft.sign(&signer, &state.signer, ECDSA).expect("signed");
            Sod::parse(&tlv::element(0x77, &signed)).map(|sod| sod.groups().collect::<Vec<_>>())
        };
        assert_eq!(parse(1, &[(&[14], 32), (&[1], 32), (&[16], 32)]), Ok(vec![1, 14, 16]));
        let check = |groups: &[(&[u8], usize)], why| {
            assert_eq!(parse(0, groups), Err(Malformed(why).into()));
        };
        for number in [&[0][..], &[17], &[0x81], &[0, 1], &[]] {
            check(&[(number, 32)], "a data group of an impossible number");
        }
        check(&[(&[1], 20)], "a hash of the wrong length");
        check(&[(&[1], 0)], "a hash of the wrong length");
        check(&[(&[1], 32), (&[1], 32)], "two hashes for one data group");
        assert_eq!(parse(2, &[(&[1], 32)]), Err(Unsupported::Version.into()));
        let other = Sod::parse(&tlv::element(0x60, &[])).err();
        assert_eq!(other, Some(Malformed("another element than expected").into()));
    }
}
