//! What is on a simulated card: its files, and the secrets of its chip.

use std::collections::BTreeMap;
use std::fmt;

use super::der::{oid, sequence, small};
use super::drawn;
use super::holder::{Dg13Form, Holder};
use super::issuer::Issuer;
use super::keys::{self, Active};
use super::portrait::Portrait;
use crate::chip::agreement;
use crate::chip::files::FileId;
use crate::chip::security_infos::{
    ChipAuthenticationInfo, ChipAuthenticationKey, KeyKind, Mapping, PaceInfo, encode_set,
};
use crate::chip::symmetric::Cipher;
use crate::chip::tlv;

/// Returns the file that is named so, as [`FileId`] shows it: `EF.DG1`. That of the fingerprints is
/// among them, since a card has it.
pub fn file_of_name(name: &str) -> Option<FileId> {
    let groups = (1..=16).map(FileId::Dg);
    let mut files = [FileId::CardAccess, FileId::Com, FileId::Sod].into_iter().chain(groups);
    files.find(|file| file.to_string() == name)
}

/// What the chip of a card can do, and how its groups are written. The default is what is known of
/// a citizen's identity card.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Making {
    /// How access is given by PACE; without it there is no EF.CardAccess. A way that this program
    /// does not know is offered and then refused.
    pub pace: Option<PaceInfo>,
    /// Whether access is given by BAC.
    pub has_bac: bool,
    /// The cipher of the session after chip authentication, where there is any; its key is on
    /// brainpoolP256r1.
    pub chip_authentication: Option<Cipher>,
    /// Active authentication.
    pub active: Option<Active>,
    /// The form of group 13.
    pub dg13: Dg13Form,
    /// The picture of group 2.
    pub portrait: Portrait,
    /// Whether the security object says when it was signed.
    pub tells_signing_time: bool,
}

impl Default for Making {
    fn default() -> Making {
        Making {
            pace: Some(PaceInfo {
                mapping: Mapping::EcdhGeneric,
                cipher: Cipher::Aes128,
                parameter_id: Some(agreement::Curve::BrainpoolP256.parameter_id()),
            }),
            has_bac: true,
            chip_authentication: Some(Cipher::Aes128),
            active: Some(Active::P256),
            dg13: Dg13Form::default(),
            portrait: Portrait::default(),
            tells_signing_time: true,
        }
    }
}

/// What is on a card.
#[derive(Clone)]
pub struct Contents {
    /// The files.
    pub files: BTreeMap<FileId, Vec<u8>>,
    /// What keys of access are made of: document number, birth and expiry as in the zone.
    pub zone_key: [String; 3],
    /// The card access number.
    pub can: String,
    /// Whether access is given by BAC; how by PACE, EF.CardAccess says.
    pub has_bac: bool,
    /// How active authentication is done, and the seed of its key.
    pub active: Option<(Active, u64)>,
    /// The cipher after chip authentication, and the seed of its key.
    pub agreement: Option<(Cipher, u64)>,
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents").field("files", &self.files.len()).finish_non_exhaustive()
    }
}

/// `id-TA`, 0.4.0.127.0.7.2.2.2: for fingerprints, which are not read (BSI TR-03110-3, A.1.1.3).
const TERMINAL: &[u8] = &[0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x02];
/// `id-icao-mrtd-security-aaProtocolObject`, 2.23.136.1.1.5.
const ACTIVE: &[u8] = &[0x67, 0x81, 0x08, 0x01, 0x01, 0x05];
/// `ecdsa-plain-SHA256`, 0.4.0.127.0.7.1.1.4.1.3.
const ECDSA_PLAIN_SHA256: &[u8] = &[0x04, 0x00, 0x7F, 0x00, 0x07, 0x01, 0x01, 0x04, 0x01, 0x03];

impl Contents {
    /// Makes the card of a person. The seed of its secrets is the person's number.
    pub fn new(issuer: &Issuer, holder: &Holder, making: &Making) -> Contents {
        let seed = holder.number;
        let mut groups: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
        groups.insert(1, holder.dg1());
        groups.insert(2, making.portrait.dg2(seed));
        // Fingerprints, which nobody may read: no program here makes or takes any.
        groups.insert(3, tlv::element(0x63, &drawn::bytes(seed, "group 3", 500)));
        groups.insert(13, holder.dg13(making.dg13));
        let infos = security_infos(making);
        if making.active.is_some() || making.chip_authentication.is_some() {
            groups.insert(14, dg14(infos.clone(), making, seed));
        }
        if let Some(active) = making.active {
            groups.insert(15, tlv::element(0x6F, &active.key(seed).public().to_spki()));
        }

        let signed: Vec<(u8, &[u8])> =
            groups.iter().map(|(number, file)| (*number, file.as_slice())).collect();
        let signed_on = making.tells_signing_time.then_some(holder.issued);
        let mut files: BTreeMap<FileId, Vec<u8>> = BTreeMap::new();
        files.insert(FileId::Sod, issuer.security_object(&signed, signed_on));
        files.insert(FileId::Com, com(groups.keys().copied()));
        if making.pace.is_some() {
            files.insert(FileId::CardAccess, encode_set(&infos));
        }
        files.extend(groups.into_iter().map(|(number, file)| (FileId::Dg(number), file)));
        Contents {
            files,
            zone_key: holder.zone_key(),
            can: holder.can(),
            has_bac: making.has_bac,
            active: making.active.map(|active| (active, seed)),
            agreement: making.chip_authentication.map(|cipher| (cipher, seed)),
        }
    }

    /// Returns what a thief has who could read the card: every file, and no secret of the chip.
    #[must_use]
    pub fn copied(&self) -> Contents {
        Contents { active: None, agreement: None, ..self.clone() }
    }

    /// Returns such a copy on a chip with keys of its own, which answers as if it were the card.
    #[must_use]
    pub fn copied_with_other_keys(&self) -> Contents {
        const THIEF: u64 = 666;
        // There is one RSA key alone here, which would be the card's.
        let active = self.active.map(|_| (Active::P256, THIEF));
        let agreement = self.agreement.map(|(cipher, _)| (cipher, THIEF));
        Contents { active, agreement, ..self.clone() }
    }

    /// Returns a card on which the surname was changed after it was signed.
    #[must_use]
    pub fn altered(&self) -> Contents {
        let mut altered = self.clone();
        // The first letter of the third line of the zone.
        if let Some(letter) =
            altered.files.get_mut(&FileId::Dg(1)).and_then(|file| file.get_mut(65))
        {
            *letter = if *letter == b'X' { b'Y' } else { b'X' };
        }
        altered
    }
}

/// What EF.CardAccess says, in the order in which identity cards say it.
fn security_infos(making: &Making) -> Vec<Vec<u8>> {
    let mut infos = vec![sequence(&[&oid(TERMINAL), &small(1)])];
    infos.extend(making.chip_authentication.map(|cipher| {
        ChipAuthenticationInfo { kind: KeyKind::Ecdh, cipher, key_id: None }.encode()
    }));
    infos.extend(making.pace.map(|pace| pace.encode()));
    infos
}

fn dg14(mut infos: Vec<Vec<u8>>, making: &Making, seed: u64) -> Vec<u8> {
    if making.chip_authentication.is_some() {
        let public_key = keys::agreement_public(seed).to_explicit_spki();
        let key = ChipAuthenticationKey { kind: KeyKind::Ecdh, public_key, key_id: None };
        infos.push(key.encode());
    }
    // With RSA, the signature itself tells its hash.
    if making.active == Some(Active::P256) {
        infos.push(sequence(&[&oid(ACTIVE), &small(1), &oid(ECDSA_PLAIN_SHA256)]));
    }
    tlv::element(0x6E, &encode_set(&infos))
}

/// Returns EF.COM: the versions of LDS and Unicode, and the tags of the groups.
fn com(groups: impl Iterator<Item = u8>) -> Vec<u8> {
    let tags: Vec<u8> = groups.map(|number| FileId::Dg(number).tag() as u8).collect();
    let parts =
        [tlv::element(0x5F01, b"0107"), tlv::element(0x5F36, b"040000"), tlv::element(0x5C, &tags)];
    tlv::element(0x60, &parts.concat())
}

#[cfg(test)]
mod tests {
    use super::super::issuer::Algorithms;
    use super::*;
    use crate::chip::sod::Sod;

    fn contents(making: &Making) -> Contents {
        let issuer = Issuer::new(1, Algorithms::Brainpool);
        Contents::new(&issuer, &Holder::nguyen_van_mau(), making)
    }

    #[test]
    fn a_card_has_the_files_of_an_identity_card() {
        let contents = contents(&Making::default());
        let names: Vec<String> = contents.files.keys().map(FileId::to_string).collect();
        assert_eq!(
            names.join(" "),
            "EF.CardAccess EF.COM EF.SOD EF.DG1 EF.DG2 EF.DG3 EF.DG13 EF.DG14 EF.DG15"
        );
        assert!(names.iter().all(|name| file_of_name(name).is_some()));
        // As seven published programs have it for identity cards.
        let published = "3134300D060804007F0007020202020101300F060A04007F00070202030202020101\
                         3012060A04007F0007020204020202010202010D";
        let hex: String =
            contents.files[&FileId::CardAccess].iter().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(hex, published);
        assert!(
            contents.files[&FileId::Com].ends_with(&[0x5C, 6, 0x61, 0x75, 0x63, 0x6D, 0x6E, 0x6F])
        );
        let sod = Sod::parse(&contents.files[&FileId::Sod]).expect("a security object");
        assert_eq!(sod.groups().collect::<Vec<_>>(), [1, 2, 3, 13, 14, 15]);
    }

    #[test]
    fn a_copy_has_the_files_and_not_the_secrets() {
        let genuine = contents(&Making::default());
        assert_eq!(genuine.copied().files, genuine.files);
        assert!(genuine.copied().active.is_none() && genuine.copied().agreement.is_none());
        let other = genuine.copied_with_other_keys();
        assert!(other.active.is_some() && other.active != genuine.active);
        assert!(other.agreement.is_some() && other.agreement != genuine.agreement);
        let altered = contents(&Making::default()).altered();
        assert_ne!(altered.files[&FileId::Dg(1)], genuine.files[&FileId::Dg(1)]);
        assert_eq!(altered.files[&FileId::Sod], genuine.files[&FileId::Sod]);
    }
}
