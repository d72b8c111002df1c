//! A second opinion on the simulated card: another program's reader opens it, reads what was put on
//! it and verifies who signed it.
//!
//! What the card is and what we read it with share their code, so that both could be wrong alike;
//! `dmrtd` shares nothing with either.

use std::collections::BTreeMap;

use dmrtd::auth::passive::{self, ChainStatus, DataGroup, TrustAnchor};
use dmrtd::com::{TransceiveError, Transceiver};
use dmrtd::lds::efcard_access::EfCardAccess;
use dmrtd::lds::mrz::Mrz;
use dmrtd::passport::Passport;
use dmrtd::proto::can_key::CanKey;
use dmrtd::proto::dba_key::DBAKey;
use fieldcheck::chip::Card;
use fieldcheck::chip::agreement::Curve;
use fieldcheck::chip::files::FileId;
use fieldcheck::chip::security_infos::{Mapping, PaceInfo};
use fieldcheck::chip::simulated::card::SimulatedCard;
use fieldcheck::chip::simulated::contents::{Contents, Making};
use fieldcheck::chip::simulated::holder::Holder;
use fieldcheck::chip::simulated::issuer::{Algorithms, Issuer};
use fieldcheck::chip::simulated::keys::Active;
use fieldcheck::chip::symmetric::Cipher;

use super::pcscd::{connect, insert, with_pcscd};

/// The files that dmrtd reads, all that are not locked.
const FILES: [FileId; 7] = [
    FileId::Com,
    FileId::Sod,
    FileId::Dg(1),
    FileId::Dg(2),
    FileId::Dg(13),
    FileId::Dg(14),
    FileId::Dg(15),
];

/// How dmrtd is let in.
#[derive(Clone, Copy, Debug)]
enum Way {
    Bac,
    Can,
    Zone,
}

struct Wire<'a>(&'a mut dyn Card);

impl Transceiver for Wire<'_> {
    fn transceive(&mut self, command: &[u8]) -> Result<Vec<u8>, TransceiveError> {
        self.0.transmit(command).map_err(|error| TransceiveError::new(error.to_string()))
    }
}

#[test]
fn it_reads_what_is_on_the_card_by_every_way_in() {
    let issuer = Issuer::new(1, Algorithms::Brainpool);
    let holder = Holder::nguyen_van_mau();
    let contents = Contents::new(&issuer, &holder, &Making::default());
    for way in [Way::Bac, Way::Can, Way::Zone] {
        let mut card = SimulatedCard::new(contents.clone());
        let read = read(&mut card, &contents, &holder, way);
        for file in FILES {
            assert!(read[&file] == contents.files[&file], "{file} by {way:?}");
        }
    }
}

#[test]
fn it_opens_every_cipher_and_curve() {
    // It has no PACE with 3DES.
    let issuer = Issuer::new(1, Algorithms::Nist);
    let holder = Holder::nguyen_van_mau();
    for (cipher, curve) in [
        (Cipher::Aes128, Curve::BrainpoolP256),
        (Cipher::Aes128, Curve::P256),
        (Cipher::Aes192, Curve::P384),
        (Cipher::Aes256, Curve::BrainpoolP384),
        (Cipher::Aes256, Curve::P521),
    ] {
        let parameter_id = Some(curve.parameter_id());
        let pace = PaceInfo { mapping: Mapping::EcdhGeneric, cipher, parameter_id };
        let making = Making { pace: Some(pace), ..Making::default() };
        let contents = Contents::new(&issuer, &holder, &making);
        let mut card = SimulatedCard::new(contents.clone());
        let read = read(&mut card, &contents, &holder, Way::Can);
        assert!(read[&FileId::Dg(1)] == contents.files[&FileId::Dg(1)], "{cipher:?} {curve:?}");
    }
}

#[test]
fn it_reads_the_card_through_pcscd() {
    with_pcscd("chip::dmrtd::it_reads_the_card_through_pcscd", || {
        let issuer = Issuer::new(1, Algorithms::Brainpool);
        let holder = Holder::nguyen_van_mau();
        let contents = Contents::new(&issuer, &holder, &Making::default());
        let inserted = insert(SimulatedCard::new(contents.clone()));
        for way in [Way::Bac, Way::Can] {
            let read = read(&mut connect(), &contents, &holder, way);
            for file in FILES {
                assert!(read[&file] == contents.files[&file], "{file} by {way:?}");
            }
        }
        inserted.pull();
    });
}

#[test]
fn it_finds_that_the_state_signed_and_that_the_chip_is_no_copy() {
    for (algorithms, active) in [
        (Algorithms::Brainpool, Active::P256),
        (Algorithms::Nist, Active::P256),
        (Algorithms::Rsa, Active::Rsa),
    ] {
        let issuer = Issuer::new(1, algorithms);
        let holder = Holder::nguyen_van_mau();
        let making = Making { active: Some(active), ..Making::default() };
        let contents = Contents::new(&issuer, &holder, &making);
        let groups: Vec<DataGroup<'_>> = contents
            .files
            .iter()
            .filter_map(|(file, bytes)| match file {
                FileId::Dg(number) => Some(DataGroup { number: *number, bytes }),
                _ => None,
            })
            .collect();
        let anchor = TrustAnchor::from_certificate(&issuer.anchor()).unwrap();
        let found = passive::verify(&contents.files[&FileId::Sod], &groups, &[anchor]).unwrap();
        assert!(matches!(found.chain, ChainStatus::Trusted { .. }), "{algorithms:?}: {found:?}");
        assert!(found.covers_all_groups());

        let proves = |contents: Contents| {
            let mut card = SimulatedCard::new(contents);
            let mut passport = Passport::new(Wire(&mut card));
            passport.start_session(zone_key(&holder)).unwrap();
            passport.verify_active_authentication(b"12345678").is_ok()
        };
        assert!(proves(contents.clone()), "{active:?}");
        assert!(!proves(contents.copied()), "{active:?}");
        assert!(!proves(contents.copied_with_other_keys()), "{active:?}");
    }
}

fn zone_key(holder: &Holder) -> DBAKey {
    DBAKey::from_mrz(&Mrz::from_bytes(holder.zone().into_bytes()).unwrap()).unwrap()
}

fn read(
    card: &mut dyn Card,
    contents: &Contents,
    holder: &Holder,
    way: Way,
) -> BTreeMap<FileId, Vec<u8>> {
    let mut passport = Passport::new(Wire(card));
    // It selects the master file before EF.CardAccess, which identity cards refuse.
    let access = EfCardAccess::from_bytes(contents.files[&FileId::CardAccess].clone()).unwrap();
    match way {
        Way::Bac => passport.start_session(zone_key(holder)).unwrap(),
        Way::Can => {
            let key = CanKey::new(&holder.can()).unwrap();
            passport.start_session_pace(key, &access).unwrap();
        }
        Way::Zone => {
            let zone = Mrz::from_bytes(holder.zone().into_bytes()).unwrap();
            let (number, birth, expiry) =
                (zone.document_number(), zone.date_of_birth, zone.date_of_expiry);
            let key = DBAKey::new(number, birth, expiry, true).unwrap();
            passport.start_session_pace(key, &access).unwrap();
        }
    }
    passport.api_mut().select_emrtd_application().unwrap();
    let mut read =
        |file: FileId| passport.api_mut().read_file_by_sfi(file.short_identifier()).unwrap();
    FILES.into_iter().map(|file| (file, read(file))).collect()
}
