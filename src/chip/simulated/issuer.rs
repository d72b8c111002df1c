//! The invented state that issues simulated cards: its two certificates, what it revokes, and the
//! security objects that it signs.
//!
//! It names Viet Nam as its country, since that is what the cards say, and itself a simulation. Its
//! keys follow from a number, so its secrets are no secrets.

use sync_format::v1::date::Date;

use super::drawn;
use crate::chip::algorithm::SignatureAlgorithm;
use crate::chip::certificate::Certificate;
use crate::chip::curves::Curve;
use crate::chip::hash::HashAlgorithm;
use crate::chip::issue::{self, CertificateDraft, IssuerKey};
use crate::chip::rsa::RsaSigningKey;
use crate::chip::tlv;

/// Keys made once by `openssl genrsa`: making RSA keys is no work for this program.
const RSA_OF_STATE: &[u8] = include_bytes!("rsa-state.der");
const RSA_OF_SIGNER: &[u8] = include_bytes!("rsa-signer.der");

/// What the state signs with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Algorithms {
    /// As Viet Nam's passports have it: ECDSA over brainpoolP512r1 and P384r1, each written with all
    /// of its numbers.
    #[default]
    Brainpool,
    /// ECDSA over NIST's P-256, by its name.
    Nist,
    /// RSA: the state with PKCS #1 v1.5, its signer with PSS. The keys are the same whatever the
    /// seed.
    Rsa,
}

/// The seed of the state whose cards are in demonstrations. Its secret keys can be made by anybody.
pub const DEMO_STATE: u64 = 1;

/// An invented state.
pub struct Issuer {
    state: IssuerKey,
    state_draft: CertificateDraft,
    state_algorithm: SignatureAlgorithm,
    signer: IssuerKey,
    signer_certificate: Certificate,
    signer_algorithm: SignatureAlgorithm,
}

/// First and last day of the state's certificate.
const STATE_VALID: (Date, Date) = (day(2019, 1, 1), day(2049, 12, 31));
/// First and last day of its signer's.
const SIGNER_VALID: (Date, Date) = (day(2020, 1, 1), day(2040, 12, 31));

/// Hash of the data groups, as Vietnamese cards have it.
const GROUP_HASH: HashAlgorithm = HashAlgorithm::Sha256;

/// `id-icao-mrtd-security-extensions-documentTypeList`, 2.23.136.1.1.6.2.
const DOCUMENT_TYPES: &[u8] = &[0x67, 0x81, 0x08, 0x01, 0x01, 0x06, 0x02];

impl Issuer {
    /// Returns the state of a seed; states of two seeds have the same name and other keys.
    pub fn new(seed: u64, algorithms: Algorithms) -> Issuer {
        let (state, signer) = algorithms.keys(seed);
        let (state_algorithm, signer_algorithm) = algorithms.signatures();
        let name = issue::office("VN", "CSCA of a simulation, no value");
        let office = issue::office("VN", "Document Signer of a simulation, no value");
        let mut state_draft =
            CertificateDraft::authority(name.clone(), &state, &state, STATE_VALID);
        state_draft.serial = serial(seed, "state");
        let mut signer_draft =
            CertificateDraft::document_signer(name, office, &signer, &state, SIGNER_VALID);
        signer_draft.serial = serial(seed, "signer");
        // Version 0, and the one type of document that its signer may sign (ICAO 9303-12, 7.1.1.6).
        let types = [tlv::element(0x02, &[0]), tlv::element(0x31, &tlv::element(0x13, b"ID"))];
        let types = tlv::element(0x30, &types.concat());
        signer_draft.extensions.push(issue::extension(DOCUMENT_TYPES, false, &types));
        if algorithms != Algorithms::Brainpool {
            state_draft.spki = state.public().to_spki();
            signer_draft.spki = signer.public().to_spki();
        }
        let signer_certificate = signer_draft
            .sign(&state, state_algorithm)
            .and_then(|der| Certificate::parse(&der).ok())
            .expect("a state can certify its signer");
        Issuer { state, state_draft, state_algorithm, signer, signer_certificate, signer_algorithm }
    }

    /// Returns the state's own certificate (CSCA), in DER: the anchor.
    pub fn anchor(&self) -> Vec<u8> {
        self.state_draft.sign(&self.state, self.state_algorithm).expect(FITS)
    }

    /// Returns the certificate of the office that signs documents. Security objects hold it.
    pub fn signer(&self) -> &Certificate {
        &self.signer_certificate
    }

    /// Returns the state's list of revoked certificates, in DER: those of these serial numbers were
    /// revoked on the day on which the list was made.
    pub fn revocations(&self, serials: &[&[u8]], made: Date, next: Date) -> Vec<u8> {
        let revoked: Vec<(&[u8], Date)> = serials.iter().map(|serial| (*serial, made)).collect();
        let name = &self.state_draft.subject;
        issue::revocation_list(name, (made, next), &revoked, &self.state, self.state_algorithm)
            .expect(FITS)
    }

    /// Returns the file EF.SOD of these data groups, pairs of number and whole file.
    ///
    /// `signed_on` is the signing time in it; many states leave it out.
    pub fn security_object(&self, groups: &[(u8, &[u8])], signed_on: Option<Date>) -> Vec<u8> {
        let (certificate, key) = (&self.signer_certificate, &self.signer);
        issue::security_object(
            groups,
            GROUP_HASH,
            signed_on,
            certificate,
            key,
            self.signer_algorithm,
        )
        .expect(FITS)
    }
}

/// Why signing cannot fail.
const FITS: &str = "an issuer's algorithms fit its keys";

impl Algorithms {
    /// Returns the keys of the state and of its signer.
    fn keys(self, seed: u64) -> (IssuerKey, IssuerKey) {
        let elliptic = |curve, label| IssuerKey::Ec(drawn::key(curve, seed, label));
        let rsa = |der| IssuerKey::Rsa(RsaSigningKey::from_der(der).expect("a key of this folder"));
        match self {
            Algorithms::Brainpool => (
                elliptic(Curve::BrainpoolP512r1, "state"),
                elliptic(Curve::BrainpoolP384r1, "signer"),
            ),
            Algorithms::Nist => (elliptic(Curve::P256, "state"), elliptic(Curve::P256, "signer")),
            Algorithms::Rsa => (rsa(RSA_OF_STATE), rsa(RSA_OF_SIGNER)),
        }
    }

    /// Returns how the state and its signer sign.
    fn signatures(self) -> (SignatureAlgorithm, SignatureAlgorithm) {
        use HashAlgorithm::{Sha256, Sha512};
        let salt_length = Sha256.length();
        match self {
            Algorithms::Brainpool => {
                (SignatureAlgorithm::Ecdsa(Sha512), SignatureAlgorithm::Ecdsa(Sha256))
            }
            Algorithms::Nist => {
                (SignatureAlgorithm::Ecdsa(Sha256), SignatureAlgorithm::Ecdsa(Sha256))
            }
            Algorithms::Rsa => (
                SignatureAlgorithm::RsaPkcs1(Sha256),
                SignatureAlgorithm::RsaPss { hash: Sha256, mask: Sha256, salt_length },
            ),
        }
    }
}

/// Returns a serial number: positive, and of eight bytes.
fn serial(seed: u64, whose: &str) -> Vec<u8> {
    let mut serial = drawn::bytes(seed, &format!("serial number of {whose}"), 8);
    serial[0] = serial[0] & 0x3F | 0x40;
    serial
}

const fn day(year: u16, month: u8, day: u8) -> Date {
    match Date::new(year, month, day) {
        Some(date) => date,
        None => Date::MIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chip::openssl::OpenSsl;
    use crate::chip::passive::{GroupState, NotVerified, Origin, Refuted, authenticate};
    use crate::chip::sod::Sod;
    use crate::chip::trust::{Anchors, Revocation, Revoked};

    const TODAY: Date = day(2026, 11, 24);
    const ALL: [Algorithms; 3] = [Algorithms::Brainpool, Algorithms::Nist, Algorithms::Rsa];

    fn sod(issuer: &Issuer) -> Sod {
        let object = issuer.security_object(&[(1, b"one"), (2, b"two")], Some(day(2021, 8, 15)));
        Sod::parse(&object).expect("a security object")
    }

    #[test]
    fn what_the_state_signs_is_verified_by_its_anchor_and_no_other() {
        for algorithms in ALL {
            let issuer = Issuer::new(1, algorithms);
            let mut anchors = Anchors::new();
            anchors.add_certificate(&issuer.anchor()).expect("an anchor");
            let groups: [(u8, &[u8]); 1] = [(1, b"one")];
            let passive = authenticate(&sod(&issuer), &groups, &anchors, TODAY).expect("genuine");
            assert!(matches!(passive.origin, Origin::Anchored { .. }), "{passive:?}");
            assert_eq!(passive.groups, [(1, GroupState::Agrees), (2, GroupState::NotRead)]);
            assert_eq!(passive.signed_on, Some(day(2021, 8, 15)));

            let altered: [(u8, &[u8]); 1] = [(1, b"One")];
            let refuted = authenticate(&sod(&issuer), &altered, &anchors, TODAY);
            assert_eq!(refuted.err(), Some(Refuted::GroupAltered { group: 1 }));

            if algorithms != Algorithms::Rsa {
                let other = Issuer::new(2, algorithms);
                let passive = authenticate(&sod(&other), &groups, &anchors, TODAY).expect("signed");
                assert!(
                    matches!(passive.origin, Origin::NotVerified(NotVerified::UnknownKey(_))),
                    "{passive:?}"
                );
            }
        }
    }

    #[test]
    fn a_signer_can_be_revoked() {
        let issuer = Issuer::new(1, Algorithms::Brainpool);
        let with = |serials: &[&[u8]]| {
            let mut anchors = Anchors::new();
            anchors.add_certificate(&issuer.anchor()).expect("an anchor");
            let list = issuer.revocations(serials, day(2026, 11, 1), day(2027, 2, 1));
            anchors.add_revocations(&list).expect("a list");
            authenticate(&sod(&issuer), &[(1, b"one")], &anchors, TODAY)
        };
        let passive = with(&[&[0x41; 8]]).expect("another's number");
        assert!(
            matches!(
                passive.origin,
                Origin::Anchored { revocation: Revocation::NotListed { .. }, .. }
            ),
            "{passive:?}"
        );
        assert!(with(&[]).is_ok());
        let revoked = with(&[issuer.signer().serial()]);
        assert_eq!(revoked.err(), Some(Refuted::Revoked(Revoked { on: day(2026, 11, 1) })));
    }

    #[test]
    fn openssl_takes_what_has_named_curves_or_rsa() {
        for algorithms in [Algorithms::Nist, Algorithms::Rsa] {
            let issuer = Issuer::new(1, algorithms);
            let openssl = OpenSsl::new();
            openssl.write("anchor.der", issuer.anchor());
            openssl.write("signer.der", issuer.signer().der());
            let list = issuer.revocations(&[&[0x41; 8]], day(2026, 11, 1), day(2027, 2, 1));
            openssl.write("list.der", list);
            let object = issuer.security_object(&[(1, b"one")], Some(day(2021, 8, 15)));
            openssl.write("sod.der", tlv::only(&object, 0x77).expect("a file").value);
            openssl.run("x509 -inform DER -in anchor.der -out anchor.pem");
            openssl.run("x509 -inform DER -in signer.der -out signer.pem");
            openssl.run("verify -CAfile anchor.pem signer.pem");
            openssl.run("crl -inform DER -in list.der -CAfile anchor.pem -noout");
            openssl.run("cms -verify -inform DER -in sod.der -CAfile anchor.pem -purpose any");
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_state() {
        for algorithms in ALL {
            let (one, two) = (Issuer::new(7, algorithms), Issuer::new(7, algorithms));
            assert_eq!(one.anchor(), two.anchor());
            assert_eq!(one.signer().der(), two.signer().der());
            assert_ne!(one.anchor(), Issuer::new(8, algorithms).anchor());
        }
    }
}
