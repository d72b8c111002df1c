//! What a chip says it can do: EF.CardAccess, and data group 14.
//!
//! ICAO 9303-11, section 9.2. Both hold a set of security infos. The first is read before any
//! access, by anyone, and nothing proves it; the second is signed, and has to name the same ways of
//! PACE: otherwise somebody between card and reader could have taken the stronger lock from the list.

use std::fmt;

use super::Malformed;
use super::access::AccessError;
use super::agreement::Curve;
use super::files::FileId;
use super::symmetric::Cipher;
use super::tlv::{self, Elements, Tlv};

/// 0.4.0.127.0.7.2.2, the protocols of BSI TR-03110.
const BSI_PROTOCOLS: [u8; 8] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x00];
/// 2.23.136.1.1.5, active authentication (ICAO 9303-11, 9.2.4).
const ACTIVE_AUTHENTICATION: [u8; 6] = [0x67, 0x81, 0x08, 0x01, 0x01, 0x05];

const SEQUENCE: u32 = 0x30;
const SET: u32 = 0x31;
const INTEGER: u32 = 0x02;
const OBJECT_IDENTIFIER: u32 = 0x06;

/// The most infos that are looked at. Chosen: chips state fewer than a dozen.
const MAX_INFOS: usize = 64;

/// How the generator of PACE is made (ICAO 9303-11, 9.2.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mapping {
    /// Generic mapping over a prime.
    DhGeneric,
    /// Generic mapping over a curve: the one that is supported.
    EcdhGeneric,
    /// Integrated mapping over a prime.
    DhIntegrated,
    /// Integrated mapping over a curve.
    EcdhIntegrated,
    /// Generic mapping over a curve, with chip authentication in it.
    ChipAuthentication,
}

/// One way of PACE that the chip offers (ICAO 9303-11, 9.2.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PaceInfo {
    /// How the generator is made.
    pub mapping: Mapping,
    /// The cipher of the nonce and of the session.
    pub cipher: Cipher,
    /// The group, by its number in the norm; `None` where the chip states parameters of its own.
    pub parameter_id: Option<u8>,
}

impl PaceInfo {
    /// Returns the curve, where this way of PACE is supported.
    pub fn curve(&self) -> Result<Curve, AccessError> {
        if self.mapping != Mapping::EcdhGeneric {
            return Err(AccessError::MappingNotSupported);
        }
        self.parameter_id
            .and_then(Curve::of_parameter_id)
            .ok_or(AccessError::ParametersNotSupported)
    }

    /// Returns the content of the object identifier.
    pub fn oid(&self) -> [u8; 10] {
        let mapping = match self.mapping {
            Mapping::DhGeneric => 1,
            Mapping::EcdhGeneric => 2,
            Mapping::DhIntegrated => 3,
            Mapping::EcdhIntegrated => 4,
            Mapping::ChipAuthentication => 6,
        };
        protocol(4, mapping, cipher_number(self.cipher))
    }

    /// Returns the info as a chip states it.
    pub fn encode(&self) -> Vec<u8> {
        let mut fields = tlv::element(OBJECT_IDENTIFIER, &self.oid());
        tlv::write(&mut fields, INTEGER, &[2]);
        if let Some(id) = self.parameter_id {
            tlv::write(&mut fields, INTEGER, &[id]);
        }
        tlv::element(SEQUENCE, &fields)
    }
}

/// Over what chip authentication agrees on a secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyKind {
    /// A prime.
    Dh,
    /// A curve.
    Ecdh,
}

/// One way of chip authentication that the chip offers (ICAO 9303-11, 9.2.5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChipAuthenticationInfo {
    /// Over what.
    pub kind: KeyKind,
    /// The cipher of the session that follows.
    pub cipher: Cipher,
    /// Which key, where there are several.
    pub key_id: Option<Vec<u8>>,
}

impl ChipAuthenticationInfo {
    /// Returns the content of the object identifier.
    pub fn oid(&self) -> [u8; 10] {
        protocol(3, kind_number(self.kind), cipher_number(self.cipher))
    }

    /// Returns the info as a chip states it.
    pub fn encode(&self) -> Vec<u8> {
        let mut fields = tlv::element(OBJECT_IDENTIFIER, &self.oid());
        tlv::write(&mut fields, INTEGER, &[1]);
        if let Some(id) = &self.key_id {
            tlv::write(&mut fields, INTEGER, id);
        }
        tlv::element(SEQUENCE, &fields)
    }
}

/// One public key of the chip for chip authentication (ICAO 9303-11, 9.2.6).
///
/// No two chips have the same, so that it does not show itself.
#[derive(Clone, PartialEq, Eq)]
pub struct ChipAuthenticationKey {
    /// Over what.
    pub kind: KeyKind,
    /// SubjectPublicKeyInfo, whole.
    pub public_key: Vec<u8>,
    /// Which key, where there are several.
    pub key_id: Option<Vec<u8>>,
}

impl fmt::Debug for ChipAuthenticationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChipAuthenticationKey({:?}, {} bytes)", self.kind, self.public_key.len())
    }
}

impl ChipAuthenticationKey {
    /// Returns the info as a chip states it.
    pub fn encode(&self) -> Vec<u8> {
        let mut oid = protocol(1, kind_number(self.kind), 0).to_vec();
        oid.pop();
        let mut fields = tlv::element(OBJECT_IDENTIFIER, &oid);
        fields.extend_from_slice(&self.public_key);
        if let Some(id) = &self.key_id {
            tlv::write(&mut fields, INTEGER, id);
        }
        tlv::element(SEQUENCE, &fields)
    }
}

/// What a chip says it can do.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SecurityInfos {
    /// Ways of PACE.
    pub pace: Vec<PaceInfo>,
    /// Ways of chip authentication.
    pub chip_authentication: Vec<ChipAuthenticationInfo>,
    /// Keys for chip authentication.
    pub chip_keys: Vec<ChipAuthenticationKey>,
    /// The content of the object identifier of the algorithm with which an elliptic key signs in
    /// active authentication (ICAO 9303-11, 9.2.4).
    pub active_algorithm: Option<Vec<u8>>,
    /// Every info as it stands, those that we do not know among them.
    all: Vec<Vec<u8>>,
}

impl fmt::Debug for SecurityInfos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecurityInfos({}, PACE {:?})", self.all.len(), self.pace)
    }
}

impl SecurityInfos {
    /// Reads the content of EF.CardAccess: a set of infos. Chips may fill the file up behind it.
    pub fn of_card_access(file: &[u8]) -> Result<Self, Malformed> {
        let set = tlv::first(file)?;
        if set.tag == SET { Self::of_set(set) } else { Err(Malformed("no set of security infos")) }
    }

    /// Reads data group 14: the same set in an element of its own.
    pub fn of_data_group_14(file: &[u8]) -> Result<Self, Malformed> {
        let group = tlv::first(file)?;
        if group.tag != FileId::Dg(14).tag() {
            return Err(Malformed("data group 14 has another tag"));
        }
        Self::of_set(tlv::only(group.value, SET)?)
    }

    /// Returns whether `card_access` names the same ways of PACE, no more and no fewer (ICAO
    /// 9303-11, 9.2.11): asked of data group 14.
    ///
    /// A list from which ways were taken is as wrong as one to which ways were added. Departure: the
    /// norm wants the other infos repeated too, and they are not compared. They choose no lock, and
    /// no data group 14 of a Vietnamese card was seen: one that leaves them out must not make every
    /// card of its kind a forgery.
    pub fn repeats(&self, card_access: &Self) -> bool {
        let are_in = |ways: &[PaceInfo], all: &[PaceInfo]| ways.iter().all(|way| all.contains(way));
        are_in(&self.pace, &card_access.pace) && are_in(&card_access.pace, &self.pace)
    }

    fn of_set(set: Tlv<'_>) -> Result<Self, Malformed> {
        let mut infos = Self::default();
        for info in set.children() {
            let info = info?;
            if infos.all.len() == MAX_INFOS {
                return Err(Malformed("more security infos than any chip has"));
            }
            infos.all.push(info.whole.to_vec());
            if info.tag != SEQUENCE {
                return Err(Malformed("a security info that is no sequence"));
            }
            let mut fields = info.children();
            let oid = fields.expect(OBJECT_IDENTIFIER)?;
            infos.add(oid.value, fields)?;
        }
        Ok(infos)
    }

    /// Takes an info that we know, and leaves the others.
    fn add(&mut self, oid: &[u8], mut fields: Elements<'_>) -> Result<(), Malformed> {
        if oid == ACTIVE_AUTHENTICATION {
            fields.expect(INTEGER)?;
            self.active_algorithm = Some(fields.expect(OBJECT_IDENTIFIER)?.value.to_vec());
            return Ok(());
        }
        let Some(number) = oid.strip_prefix(&BSI_PROTOCOLS[..7]) else { return Ok(()) };
        match *number {
            [4, mapping, cipher] => {
                let (Some(mapping), Some(cipher)) = (mapping_of(mapping), cipher_of(cipher)) else {
                    return Ok(());
                };
                // There is no other version (ICAO 9303-11, 9.2.3): what it would mean is not known.
                if fields.expect(INTEGER)?.value != [2] {
                    return Ok(());
                }
                let parameter_id = match fields.optional(INTEGER)?.map(|id| id.value) {
                    None => None,
                    Some(&[id]) => Some(id),
                    Some(_) => return Err(Malformed("a parameter id of more than one byte")),
                };
                self.pace.push(PaceInfo { mapping, cipher, parameter_id });
            }
            [3, kind, cipher] => {
                let (Some(kind), Some(cipher)) = (kind_of(kind), cipher_of(cipher)) else {
                    return Ok(());
                };
                fields.expect(INTEGER)?;
                let key_id = key_id(&mut fields)?;
                self.chip_authentication.push(ChipAuthenticationInfo { kind, cipher, key_id });
            }
            [1, kind] => {
                let Some(kind) = kind_of(kind) else { return Ok(()) };
                let public_key = fields.expect(SEQUENCE)?.whole.to_vec();
                let key_id = key_id(&mut fields)?;
                self.chip_keys.push(ChipAuthenticationKey { kind, public_key, key_id });
            }
            _ => {}
        }
        Ok(())
    }
}

/// Returns the set that holds these infos: the content of EF.CardAccess.
pub fn encode_set(infos: &[Vec<u8>]) -> Vec<u8> {
    // DER wants the elements of a set in order.
    let mut infos = infos.to_vec();
    infos.sort();
    tlv::element(SET, &infos.concat())
}

/// Reads the number of a key, which chips compare byte by byte.
fn key_id(fields: &mut Elements<'_>) -> Result<Option<Vec<u8>>, Malformed> {
    Ok(fields.optional(INTEGER)?.map(|id| id.value.to_vec()))
}

fn protocol(number: u8, kind: u8, cipher: u8) -> [u8; 10] {
    let [a, b, c, d, e, f, g, _] = BSI_PROTOCOLS;
    [a, b, c, d, e, f, g, number, kind, cipher]
}

fn mapping_of(number: u8) -> Option<Mapping> {
    match number {
        1 => Some(Mapping::DhGeneric),
        2 => Some(Mapping::EcdhGeneric),
        3 => Some(Mapping::DhIntegrated),
        4 => Some(Mapping::EcdhIntegrated),
        6 => Some(Mapping::ChipAuthentication),
        _ => None,
    }
}

fn cipher_of(number: u8) -> Option<Cipher> {
    match number {
        1 => Some(Cipher::TripleDes),
        2 => Some(Cipher::Aes128),
        3 => Some(Cipher::Aes192),
        4 => Some(Cipher::Aes256),
        _ => None,
    }
}

fn cipher_number(cipher: Cipher) -> u8 {
    match cipher {
        Cipher::TripleDes => 1,
        Cipher::Aes128 => 2,
        Cipher::Aes192 => 3,
        Cipher::Aes256 => 4,
    }
}

fn kind_of(number: u8) -> Option<KeyKind> {
    match number {
        1 => Some(KeyKind::Dh),
        2 => Some(KeyKind::Ecdh),
        _ => None,
    }
}

fn kind_number(kind: KeyKind) -> u8 {
    match kind {
        KeyKind::Dh => 1,
        KeyKind::Ecdh => 2,
    }
}

/// EF.CardAccess of a Vietnamese card, as seven public programs carry it: PACE by generic mapping
/// over brainpoolP256r1 with AES-128, chip authentication, terminal authentication.
///
/// Assumes: every batch of cards has the same. It is used where a card lets nobody read the file.
pub const VIETNAMESE_CARD_ACCESS: [u8; 54] = [
    0x31, 0x34, 0x30, 0x0D, 0x06, 0x08, 0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x02, 0x02, 0x01,
    0x01, 0x30, 0x0F, 0x06, 0x0A, 0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x03, 0x02, 0x02, 0x02,
    0x01, 0x01, 0x30, 0x12, 0x06, 0x0A, 0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x04, 0x02, 0x02,
    0x02, 0x01, 0x02, 0x02, 0x01, 0x0D,
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::secret::vectors::hex;
    use super::*;

    #[test]
    fn vietnamese_card_offers_pace_over_brainpool() {
        let infos = SecurityInfos::of_card_access(&VIETNAMESE_CARD_ACCESS).expect("infos");
        let [pace] = infos.pace[..] else { panic!("one way of PACE") };
        assert_eq!((pace.mapping, pace.cipher), (Mapping::EcdhGeneric, Cipher::Aes128));
        assert_eq!(pace.curve(), Ok(Curve::BrainpoolP256));
        assert_eq!(pace.oid()[..], hex("04007F00070202040202"));
        let [chip] = &infos.chip_authentication[..] else { panic!("one chip authentication") };
        assert_eq!((chip.kind, chip.cipher), (KeyKind::Ecdh, Cipher::Aes128));
        // What is written as it was read has all the same infos.
        let terminal = hex("300D060804007F0007020202020101");
        let again = encode_set(&[pace.encode(), chip.encode(), terminal]);
        assert_eq!(again, VIETNAMESE_CARD_ACCESS);
    }

    #[test]
    fn data_group_14_has_to_repeat_card_access() {
        let access = SecurityInfos::of_card_access(&VIETNAMESE_CARD_ACCESS).expect("infos");
        let key = ChipAuthenticationKey {
            kind: KeyKind::Ecdh,
            public_key: hex("3003020107"),
            key_id: Some(vec![1]),
        };
        let active = hex("301506066781080101050201010608 04007F0007010104");
        let mut all = access.all.clone();
        all.extend([key.encode(), active]);
        let file = tlv::element(FileId::Dg(14).tag(), &encode_set(&all));
        let infos = SecurityInfos::of_data_group_14(&file).expect("infos");
        assert!(infos.repeats(&access));
        assert_eq!(infos.chip_keys, [key]);
        assert_eq!(infos.active_algorithm, Some(hex("04007F0007010104")));

        let [pace] = access.pace[..] else { panic!("one way of PACE") };
        let set =
            |infos: &[Vec<u8>]| SecurityInfos::of_card_access(&encode_set(infos)).expect("infos");
        // The ways of PACE alone are compared: what is said of other protocols chooses no lock.
        assert!(infos.repeats(&set(&[pace.encode()])));
        let weaker = PaceInfo { cipher: Cipher::TripleDes, ..pace };
        // Taken away, replaced, and added.
        for other in [&[][..], &[weaker.encode()], &[pace.encode(), weaker.encode()]] {
            assert!(!infos.repeats(&set(other)), "{} infos", other.len());
        }
    }

    #[test]
    fn what_is_not_supported_is_named() {
        let curve = |mapping, parameter_id| {
            PaceInfo { mapping, cipher: Cipher::Aes128, parameter_id }.curve()
        };
        for mapping in [
            Mapping::DhGeneric,
            Mapping::DhIntegrated,
            Mapping::EcdhIntegrated,
            Mapping::ChipAuthentication,
        ] {
            assert_eq!(curve(mapping, Some(13)), Err(AccessError::MappingNotSupported));
        }
        for parameters in [None, Some(0), Some(10), Some(11), Some(14), Some(17), Some(32)] {
            let found = curve(Mapping::EcdhGeneric, parameters);
            assert_eq!(found, Err(AccessError::ParametersNotSupported), "{parameters:?}");
        }
    }

    #[test]
    fn unknown_infos_are_left_and_malformed_ones_named() {
        let unknown = hex("3109 3007 06052A03040506");
        let infos = SecurityInfos::of_card_access(&unknown).expect("infos");
        assert_eq!((infos.pace.len(), infos.all.len()), (0, 1));
        for (file, expected) in [
            ("3000", "no set of security infos"),
            ("3103020101", "a security info that is no sequence"),
            ("3104 3002 0500", "another element than expected"),
            ("310E 300C 060A04007F00070202040202", "another element than expected"),
            (
                "3115 3013 060A04007F00070202040202 020102 02020001",
                "a parameter id of more than one byte",
            ),
            ("3105 30", "an element ends after its data"),
        ] {
            let refused = SecurityInfos::of_card_access(&hex(file)).expect_err(file);
            assert_eq!(refused, Malformed(expected), "{file}");
        }
        // PACE of another version than the one that there is.
        let later = hex("3114 3012 060A04007F00070202040202 020103 02010D");
        let infos = SecurityInfos::of_card_access(&later).expect("infos");
        assert_eq!((infos.pace.len(), infos.all.len()), (0, 1));
        let many = vec![hex("300706052A03040506"); MAX_INFOS + 1];
        let refused = SecurityInfos::of_card_access(&encode_set(&many)).expect_err("too many");
        assert_eq!(refused, Malformed("more security infos than any chip has"));
        let refused = SecurityInfos::of_data_group_14(&unknown).expect_err("another group");
        assert_eq!(refused, Malformed("data group 14 has another tag"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(
            mut bytes in prop::collection::vec(any::<u8>(), 0..60),
            at in 0..VIETNAMESE_CARD_ACCESS.len(),
            byte in any::<u8>(),
        ) {
            let _ = SecurityInfos::of_card_access(&bytes);
            bytes.insert(0, 0x6E);
            let _ = SecurityInfos::of_data_group_14(&bytes);
            let mut changed = VIETNAMESE_CARD_ACCESS;
            changed[at] = byte;
            let _ = SecurityInfos::of_card_access(&changed);
        }
    }
}
