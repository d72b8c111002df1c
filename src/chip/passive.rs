//! Passive authentication (ICAO 9303-11, 5.1): are the data of a document those that a state signed?
//!
//! It says nothing of the chip: whoever copies the files copies the signature. Active or chip
//! authentication shows that it is no copy.

use sync_format::v1::date::Date;
use thiserror::Error;

use super::Malformed;
use super::algorithm::Unsupported;
use super::certificate::{Certificate, Fingerprint, KeyUsage};
use super::cms::CmsRefusal;
use super::country::Country;
use super::sod::Sod;
use super::trust::{Anchors, NoIssuer, Revocation, Revoked};

/// What the signature of a document has shown: nothing in it was altered after it was signed.
///
/// By whom it was signed, [`Passive::origin`] says; without an anchor, anybody may have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Passive {
    /// Whether a state signed it.
    pub origin: Origin,
    /// The data groups of the document in order: each agrees with its hash or was not there.
    pub groups: Vec<(u8, GroupState)>,
    /// Who signed it; `None` where the document does not say.
    pub signer: Option<DocumentSigner>,
    /// When the signer says that it signed. After today where this device's clock is behind: a key
    /// that signs falsely can name any day, so this refutes nothing.
    pub signed_on: Option<Date>,
}

/// Whether the signer of a document was signed by a state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Yes.
    Anchored {
        /// The country of the anchor, to be compared with that of the document.
        country: Country,
        /// The certificate that is trusted.
        anchor: Fingerprint,
        /// How sure it is that neither was revoked.
        revocation: Revocation,
    },
    /// It cannot be said.
    NotVerified(NotVerified),
}

/// Why it cannot be said who signed a document.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum NotVerified {
    /// There is no anchor of the signer's country.
    #[error("there is no anchor of the signer's country")]
    NoAnchorOfCountry(Option<Country>),
    /// The country has anchors, and none with the key that signed the signer.
    #[error("no anchor of {0} has the key that signed the signer")]
    UnknownKey(Country),
    /// The document does not hold the certificate of its signer.
    #[error("the document does not hold the certificate of its signer")]
    NoCertificate,
    /// The document does not say when it was signed, and its signer's certificate is not valid today.
    /// It may have been when it signed: documents are valid for longer.
    #[error("the signer is not valid today, and the document does not say when it was signed")]
    SignerNotValidToday,
    /// It rests on something that this program does not know. Then not even the signature of the
    /// document may have been checked: only that its data fit its own hashes.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// The security object itself is of a kind that this program does not know: nothing was checked.
    #[error("the security object cannot be read: {0}")]
    Unread(Unsupported),
}

/// A data group against its hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupState {
    /// Its file has the hash that was signed.
    Agrees,
    /// It was not read.
    NotRead,
}

/// The certificate that signed a document; nothing of the person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DocumentSigner {
    /// The country of the office.
    pub country: Option<Country>,
    /// The certificate.
    pub fingerprint: Fingerprint,
    /// The first and the last day of the certificate.
    pub validity: (Date, Date),
}

/// Why the data of a document are not those that a state signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Refuted {
    /// The security object breaks its norm: for callers, of what [`Sod::parse`] gives.
    #[error("the security object is malformed")]
    Malformed(#[from] Malformed),
    /// The signature of the security object is wrong.
    #[error("the signature of the document is wrong")]
    Signature,
    /// The hashes are not those that were signed.
    #[error("the hashes of the document are not those that were signed")]
    Hashes,
    /// What was signed is something other than a security object.
    #[error("something other than a security object was signed")]
    ContentType,
    /// A data group is not the one that was signed.
    #[error("data group {group} is not the one that was signed")]
    GroupAltered {
        /// Its number.
        group: u8,
    },
    /// A data group is there that was not signed.
    #[error("data group {group} was not signed")]
    GroupNotSigned {
        /// Its number.
        group: u8,
    },
    /// The signer's certificate is not one for documents.
    #[error("the signer may not sign documents")]
    SignerUsage,
    /// The signer's certificate was not valid.
    #[error("the signer was not valid on {day}")]
    SignerNotValid {
        /// The day on which it signed, by the document.
        day: Date,
    },
    /// The signer names an anchor that did not sign it.
    #[error("the signer was not signed by the state that it names")]
    SignerForged,
    /// The anchor was not valid when it signed the signer.
    #[error("the anchor was not valid when it signed the signer")]
    AnchorNotValid,
    /// The signer, or the anchor itself, was revoked.
    #[error("the signer is revoked")]
    Revoked(#[from] Revoked),
}

/// `2.23.136.1.1`: purposes that ICAO has given to other signers than those of documents.
const ICAO_PURPOSES: &[u8] = &[0x67, 0x81, 0x08, 0x01, 0x01];

/// Checks that `groups`, pairs of a data group's number and its whole file, are what a state signed.
///
/// `today` stands for the day of signing where the document does not tell it, and tells which lists of
/// revoked certificates are old. The country of [`Origin::Anchored`] is still to be compared with
/// that of the document, by [`Country::of_issuing_state`].
pub fn authenticate(
    sod: &Sod,
    groups: &[(u8, &[u8])],
    anchors: &Anchors,
    today: Date,
) -> Result<Passive, Refuted> {
    let verified = match sod.signed().verify() {
        Ok(signer) => Ok(signer),
        Err(CmsRefusal::NoCertificate) => Err(NotVerified::NoCertificate),
        Err(CmsRefusal::Unsupported(unsupported)) => Err(unsupported.into()),
        Err(CmsRefusal::Signature) => return Err(Refuted::Signature),
        Err(CmsRefusal::Content) => return Err(Refuted::Hashes),
        Err(CmsRefusal::ContentType) => return Err(Refuted::ContentType),
    };
    let groups = check_groups(sod, groups)?;
    let signed_on = sod.signed().signing_time();
    let origin = match verified {
        Ok(signer) => origin_of(signer, signed_on, anchors, today)?,
        Err(why) => Origin::NotVerified(why),
    };
    let signer = verified.ok().map(|signer| DocumentSigner {
        country: signer.issuer().country(),
        fingerprint: signer.fingerprint(),
        validity: signer.validity(),
    });
    Ok(Passive { origin, groups, signer, signed_on })
}

fn check_groups(sod: &Sod, files: &[(u8, &[u8])]) -> Result<Vec<(u8, GroupState)>, Refuted> {
    for (group, file) in files {
        let digest = sod.digest_of(*group).ok_or(Refuted::GroupNotSigned { group: *group })?;
        if sod.hash().digest(file) != digest {
            return Err(Refuted::GroupAltered { group: *group });
        }
    }
    let state = |group| match files.iter().any(|(read, _)| *read == group) {
        true => GroupState::Agrees,
        false => GroupState::NotRead,
    };
    Ok(sod.groups().map(|group| (group, state(group))).collect())
}

/// Returns whether a state signed the signer of a document, which signed it on `signed_on`.
fn origin_of(
    signer: &Certificate,
    signed_on: Option<Date>,
    anchors: &Anchors,
    today: Date,
) -> Result<Origin, Refuted> {
    let is_for_others = signer.purposes().any(|purpose| purpose.starts_with(ICAO_PURPOSES));
    if !signer.has_usage(KeyUsage::DigitalSignature) || is_for_others {
        return Err(Refuted::SignerUsage);
    }
    match signed_on {
        Some(day) if !signer.is_valid_on(day) => return Err(Refuted::SignerNotValid { day }),
        None if !signer.is_valid_on(today) => {
            return Ok(Origin::NotVerified(NotVerified::SignerNotValidToday));
        }
        _ => {}
    }
    let anchor = match anchors.issuer_of(signer) {
        Ok(anchor) => anchor,
        Err(NoIssuer::Forged) => return Err(Refuted::SignerForged),
        Err(NoIssuer::AnchorNotValid) => return Err(Refuted::AnchorNotValid),
        Err(NoIssuer::NoAnchorOfCountry(country)) => {
            return Ok(Origin::NotVerified(NotVerified::NoAnchorOfCountry(country)));
        }
        Err(NoIssuer::UnknownKey(country)) => {
            return Ok(Origin::NotVerified(NotVerified::UnknownKey(country)));
        }
        Err(NoIssuer::Unsupported(unsupported)) => {
            return Ok(Origin::NotVerified(unsupported.into()));
        }
    };
    if signer.has_unknown_critical() {
        return Ok(Origin::NotVerified(Unsupported::CriticalExtension.into()));
    }
    let revocation = anchors.revocation_of(signer, anchor, today)?;
    // Every anchor names its country, and that of the signer is the same.
    match anchor.subject().country() {
        Some(country) => Ok(Origin::Anchored { country, anchor: anchor.fingerprint(), revocation }),
        None => Ok(Origin::NotVerified(NotVerified::NoAnchorOfCountry(None))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::chip::algorithm::{ParseError, SignatureAlgorithm};
    use crate::chip::curves::{Curve, SigningKey};
    use crate::chip::hash::HashAlgorithm;
    use crate::chip::issue::testing::{DG1, DG2, ECDSA, State, day, ec};
    use crate::chip::issue::{self, CertificateDraft, IssuerKey, ObjectDraft};
    use crate::chip::openssl::OpenSsl;
    use crate::chip::public_key::PublicKey;
    use crate::chip::rsa::RsaSigningKey;
    use crate::chip::sod::LDS_SECURITY_OBJECT;
    use crate::chip::tlv;
    use crate::chip::trust::MASTER_LIST;

    const TODAY: &str = "2026-11-24";

    fn anchors(state: &State) -> Anchors {
        let mut anchors = Anchors::new();
        anchors.add_certificate(&state.authority_certificate()).expect("an anchor");
        anchors
    }

    fn read(file: &[u8], anchors: &Anchors) -> Result<Passive, Refuted> {
        let sod = Sod::parse(file).expect("a security object");
        authenticate(&sod, &[(1, DG1), (2, DG2)], anchors, day(TODAY))
    }

    /// What becomes of a document of a state in which something has gone wrong.
    fn issued(go_wrong: impl Fn(&mut State)) -> Result<Passive, Refuted> {
        let mut state = State::on(Curve::P256);
        let anchors = anchors(&state);
        go_wrong(&mut state);
        read(&state.sod(), &anchors)
    }

    fn is_anchored(passive: &Result<Passive, Refuted>) -> bool {
        matches!(passive, Ok(Passive { origin: Origin::Anchored { .. }, .. }))
    }

    fn why(passive: Result<Passive, Refuted>) -> NotVerified {
        match passive {
            Ok(Passive { origin: Origin::NotVerified(why), .. }) => why,
            other => panic!("{other:?}"),
        }
    }

    fn position(bytes: &[u8], part: &[u8]) -> usize {
        bytes.windows(part.len()).position(|window| window == part).expect("there")
    }

    #[test]
    fn document_of_a_known_state_is_anchored() {
        // As Vietnam's passports: the authority on brainpoolP512r1, its numbers written out.
        let mut state = State::with(
            ec(Curve::BrainpoolP512r1, b"secret of Utopia"),
            ec(Curve::BrainpoolP384r1, b"secret of its signer"),
        );
        state.algorithm = SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha512);
        let anchors = anchors(&state);
        let sod = Sod::parse(&state.sod()).expect("a security object");
        assert_eq!(sod.groups().collect::<Vec<_>>(), [1, 2]);
        let passive = authenticate(&sod, &[(1, DG1)], &anchors, day(TODAY)).expect("genuine");
        let anchor = anchors.certificates().next().expect("one").fingerprint();
        let country = Country::new("UT").expect("two letters");
        let revocation = Revocation::NoList;
        assert_eq!(passive.origin, Origin::Anchored { country, anchor, revocation });
        assert_eq!(passive.groups, [(1, GroupState::Agrees), (2, GroupState::NotRead)]);
        assert_eq!(passive.signed_on, Some(day("2022-05-01")));
        let signer = passive.signer.expect("a signer");
        assert_eq!(signer.country, Some(country));
        assert_eq!(signer.validity, (day("2021-01-01"), day("2033-12-31")));
        assert_eq!(Country::of_issuing_state("UTO"), Some(country));
    }

    #[test]
    fn every_kind_of_signature_is_verified() {
        let openssl = OpenSsl::new();
        openssl.run("genrsa -traditional -out key.pem 2048");
        let der = openssl.run("rsa -in key.pem -traditional -outform DER");
        let rsa = IssuerKey::Rsa(RsaSigningKey::from_der(&der).expect("a key"));
        for hash in HashAlgorithm::ALL {
            for algorithm in [
                SignatureAlgorithm::RsaPkcs1(hash),
                SignatureAlgorithm::RsaPss { hash, mask: hash, salt_length: hash.length() },
            ] {
                let mut state = State::with(rsa.clone(), rsa.clone());
                state.algorithm = algorithm;
                let passive = read(&state.sod(), &anchors(&state));
                assert!(is_anchored(&passive), "{algorithm:?}: {passive:?}");
            }
        }
        for curve in Curve::ALL {
            let mut state = State::on(curve);
            for algorithm in [
                SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha1),
                SignatureAlgorithm::EcdsaPlain(HashAlgorithm::Sha384),
            ] {
                state.algorithm = algorithm;
                let passive = read(&state.sod(), &anchors(&state));
                assert!(is_anchored(&passive), "{curve:?} {algorithm:?}: {passive:?}");
            }
        }
    }

    #[test]
    fn altered_data_group_is_refuted_by_its_number() {
        let state = State::on(Curve::P256);
        let sod = Sod::parse(&state.sod()).expect("a security object");
        let check = |groups: &[(u8, &[u8])], expected| {
            let found = authenticate(&sod, groups, &anchors(&state), day(TODAY));
            assert_eq!(found, Err(expected));
        };
        check(&[(1, DG1), (2, b"another face")], Refuted::GroupAltered { group: 2 });
        check(&[(1, DG2), (2, DG1)], Refuted::GroupAltered { group: 1 });
        check(&[(1, DG1), (13, b"put in")], Refuted::GroupNotSigned { group: 13 });
        // Also where the state is not known: the data do not fit their own hashes.
        let found = authenticate(&sod, &[(1, b"")], &Anchors::new(), day(TODAY));
        assert_eq!(found, Err(Refuted::GroupAltered { group: 1 }));
    }

    #[test]
    fn altered_security_object_is_refuted_by_what_was_altered() {
        let state = State::on(Curve::P256);
        let file = state.sod();
        let anchors = anchors(&state);
        let check = |at: usize, expected| {
            let mut altered = file.clone();
            altered[at] ^= 1;
            assert_eq!(read(&altered, &anchors), Err(expected));
        };
        let sod = Sod::parse(&file).expect("a security object");
        let digest = sod.digest_of(1).expect("a hash");
        let at = position(&file, digest);
        let mut altered = file.clone();
        altered[at] ^= 1;
        let altered_sod = Sod::parse(&altered).expect("a security object");
        let found = authenticate(&altered_sod, &[], &anchors, day(TODAY));
        assert_eq!(found, Err(Refuted::Hashes));
        // The day of signing, among the signed attributes.
        check(position(&file, b"220501") + 4, Refuted::Signature);
        check(file.len() - 1, Refuted::Signature);
        // The signature in the certificate: the last bytes before the next element.
        let certificate = state.signer_certificate();
        let end = position(&file, &certificate) + certificate.len();
        check(end - 1, Refuted::SignerForged);
        // Its last day.
        check(position(&file, b"331231") + 1, Refuted::SignerForged);
    }

    #[test]
    fn what_was_signed_as_something_else_is_refuted() {
        let state = State::on(Curve::P256);
        let file = state.sod();
        let sod = Sod::parse(&file).expect("a security object");
        let certificate = sod.signed().verify().expect("signed");
        let draft = ObjectDraft {
            content_type: MASTER_LIST,
            content: sod.signed().content(),
            digest: HashAlgorithm::Sha256,
            signing_time: None,
            certificates: &[certificate.der()],
        };
        let mut signed = draft.sign(certificate, &state.signer, ECDSA).expect("signed");
        let as_list = Sod::parse(&tlv::element(0x77, &signed)).err();
        let type_differs = Malformed("signed data of another type than a security object");
        assert_eq!(as_list, Some(type_differs.into()));
        // The type beside the content is not signed; the one among the attributes is.
        let at = position(&signed, MASTER_LIST);
        signed[at..at + MASTER_LIST.len()].copy_from_slice(LDS_SECURITY_OBJECT);
        let found = read(&tlv::element(0x77, &signed), &anchors(&state));
        assert_eq!(found, Err(Refuted::ContentType));
    }

    #[test]
    fn signer_that_may_not_sign_is_refuted() {
        let usage = |state: &mut State, usages: &[KeyUsage]| {
            state.signer_draft.extensions[0] = issue::usage_extension(usages);
        };
        assert!(is_anchored(&issued(|_| {})));
        let found = issued(|state| usage(state, &[KeyUsage::CertificateSign]));
        assert_eq!(found, Err(Refuted::SignerUsage));
        let found = issued(|state| {
            state.signer_draft.extensions.remove(0);
        });
        assert_eq!(found, Err(Refuted::SignerUsage));
        let found =
            issued(|state| state.signer_draft = state.signer_draft.clone().for_master_lists());
        assert_eq!(found, Err(Refuted::SignerUsage));
        // Signed by somebody else than the authority whose key it names.
        let found = issued(|state| state.authority = ec(Curve::P256, b"a forger's secret"));
        assert_eq!(found, Err(Refuted::SignerForged));
    }

    #[test]
    fn signer_has_to_be_valid_when_it_signed() {
        let not_valid = |day| Err(Refuted::SignerNotValid { day });
        for on in ["2020-12-31", "2034-01-01"] {
            let found = issued(|state| state.signed_on = Some(day(on)));
            assert_eq!(found, not_valid(day(on)));
        }
        for on in ["2021-01-01", "2033-12-31"] {
            assert!(is_anchored(&issued(|state| state.signed_on = Some(day(on)))));
        }
        // It does not say when: what is over today may have been valid then.
        assert!(is_anchored(&issued(|state| state.signed_on = None)));
        let found = issued(|state| {
            state.signed_on = None;
            state.signer_draft.validity.1 = day("2026-11-23");
        });
        assert_eq!(why(found), NotVerified::SignerNotValidToday);
        // Long expired, and valid when it signed.
        assert!(is_anchored(&issued(|state| state.signer_draft.validity.1 = day("2023-01-01"))));
        let found = issued(|state| state.signer_draft.validity.0 = day("2019-12-31"));
        assert_eq!(found, Err(Refuted::AnchorNotValid));
    }

    #[test]
    fn without_the_states_key_the_origin_is_not_verified() {
        let state = State::on(Curve::P256);
        let file = state.sod();
        let utopia = Country::new("UT");
        let none = why(read(&file, &Anchors::new()));
        assert_eq!(none, NotVerified::NoAnchorOfCountry(utopia));

        // Another key of the same state.
        let other = State::with(ec(Curve::P256, b"the next key"), state.signer.clone());
        let unknown = why(read(&file, &anchors(&other)));
        assert_eq!(Some(unknown), utopia.map(NotVerified::UnknownKey));
        // Where it names no key, the office may have signed it with one that is not here.
        let found = issued(|state| {
            state.signer_draft.extensions.pop();
            state.authority = ec(Curve::P256, b"the next key");
        });
        assert_eq!(Some(why(found)), utopia.map(NotVerified::UnknownKey));
        let found = issued(|state| {
            state.signer_draft.extensions.pop();
        });
        assert!(is_anchored(&found));

        // The same key, of another country.
        let mut foreign = state.clone();
        foreign.authority_draft.issuer = issue::office("XX", "CSCA Utopia");
        foreign.authority_draft.subject = issue::office("XX", "CSCA Utopia");
        let foreign = why(read(&file, &anchors(&foreign)));
        assert_eq!(foreign, NotVerified::NoAnchorOfCountry(utopia));
    }

    #[test]
    fn what_is_not_known_is_named_and_not_refuted() {
        let state = State::on(Curve::P256);
        let certificate = Certificate::parse(&state.signer_certificate()).expect("readable");
        let sod = Sod::parse(&state.sod()).expect("a security object");
        let draft = ObjectDraft {
            content_type: LDS_SECURITY_OBJECT,
            content: sod.signed().content(),
            digest: HashAlgorithm::Sha256,
            signing_time: state.signed_on,
            certificates: &[],
        };
        let bare = draft.sign(&certificate, &state.signer, ECDSA).expect("signed");
        let found = why(read(&tlv::element(0x77, &bare), &anchors(&state)));
        assert_eq!(found, NotVerified::NoCertificate);

        // Ed25519: 1.3.101.112
        let found = issued(|state| {
            let identifier = tlv::element(0x30, &tlv::element(0x06, &[0x2B, 0x65, 0x70]));
            let key = [identifier, tlv::element(0x03, &[0; 33])].concat();
            state.signer_draft.spki = tlv::element(0x30, &key);
        });
        assert_eq!(why(found), Unsupported::Key.into());
        let found = issued(|state| {
            let extension = issue::extension(&[0x55, 0x1D, 0x1E], true, &[0x30, 0x00]);
            state.signer_draft.extensions.push(extension);
        });
        assert_eq!(why(found), Unsupported::CriticalExtension.into());

        // SHA3-256 as the hash of the data groups: 2.16.840.1.101.3.4.2.8
        let mut other = state.sod();
        let sha256 = HashAlgorithm::Sha256.oid();
        let at = position(&other, LDS_SECURITY_OBJECT);
        let at = at + position(&other[at..], sha256);
        other[at + sha256.len() - 1] = 8;
        let found = Sod::parse(&other).err();
        assert_eq!(found, Some(ParseError::Unsupported(Unsupported::Hash)));
    }

    #[test]
    fn curve_of_a_forger_is_no_curve_of_a_state() {
        // CVE-2020-0601: the state's public key, with a generator that makes a secret of 1 fit.
        let state = State::on(Curve::BrainpoolP512r1);
        let PublicKey::Ec(public) = state.authority.public() else { panic!("a curve") };
        let one = SigningKey::new(Curve::BrainpoolP512r1, &[1]).expect("not zero");
        let mut spki = state.authority.public().to_explicit_spki();
        let generator = one.public().to_bytes();
        let at = position(&spki, &generator);
        spki[at..at + generator.len()].copy_from_slice(&public.to_bytes());
        let mut forged = state.clone();
        forged.signer_draft.spki = spki;
        let found = why(read(&forged.sod(), &anchors(&state)));
        assert_eq!(found, Unsupported::Curve.into());
    }

    #[test]
    fn revoked_signer_is_refuted() {
        let state = State::on(Curve::P256);
        let file = state.sod();
        let with = |list: Vec<u8>| {
            let mut anchors = anchors(&state);
            anchors.add_revocations(&list).expect("a list of the state's");
            anchors
        };
        let revoked = Err(Revoked { on: day("2022-06-01") }.into());
        assert_eq!(read(&file, &with(state.revocations(&[&[7], &[2]]))), revoked);
        // The authority's own certificate.
        assert_eq!(read(&file, &with(state.revocations(&[&[1]]))), revoked);

        let sod = Sod::parse(&file).expect("a security object");
        let anchors = with(state.revocations(&[&[7]]));
        for (today, is_stale) in [("2022-10-01", false), ("2022-10-02", true)] {
            let passive = authenticate(&sod, &[], &anchors, day(today)).expect("genuine");
            let Origin::Anchored { revocation, .. } = passive.origin else { panic!("anchored") };
            let as_of = day("2022-07-01");
            assert_eq!(revocation, Revocation::NotListed { as_of, is_stale });
        }
    }

    /// The state of a test in which OpenSSL has the keys too, as `authority.pem` and `signer.pem`.
    fn shared_state(openssl: &OpenSsl, curve: Curve, name: &str) -> State {
        let key = |file: &str| {
            openssl.run(&format!("ecparam -name {name} -genkey -noout -out {file}.key"));
            let der = openssl.run(&format!("ec -in {file}.key -outform DER"));
            let mut fields = tlv::only(&der, 0x30).expect("a key").children();
            fields.expect(0x02).expect("a version");
            ec(curve, fields.expect(0x04).expect("a secret").value)
        };
        let mut state = State::with(key("authority"), key("signer"));
        // OpenSSL takes no curve whose numbers are written out.
        let named =
            |draft: &mut CertificateDraft, key: &IssuerKey| draft.spki = key.public().to_spki();
        named(&mut state.authority_draft, &state.authority.clone());
        named(&mut state.signer_draft, &state.signer.clone());
        // It signs today, whenever that is.
        state.authority_draft.validity = (day("2000-01-01"), day("2999-12-31"));
        state.signer_draft.validity = (day("2000-01-01"), day("2999-12-31"));
        for (file, der) in
            [("authority", state.authority_certificate()), ("signer", state.signer_certificate())]
        {
            openssl.write(file, der);
            openssl.run(&format!("x509 -inform DER -in {file} -out {file}.pem"));
        }
        state
    }

    #[test]
    fn openssl_verifies_what_our_state_issues() {
        let openssl = OpenSsl::new();
        let state = shared_state(&openssl, Curve::BrainpoolP384r1, "brainpoolP384r1");
        let file = state.sod();
        openssl.write("object", tlv::only(&file, 0x77).expect("a file").value);
        let verify = "cms -verify -binary -inform DER -in object -CAfile authority.pem -purpose any \
                      -attime 1700000000 -out content";
        openssl.run(verify);
        let sod = Sod::parse(&file).expect("a security object");
        assert_eq!(openssl.read("content"), sod.signed().content());
        openssl.write("list", state.revocations(&[&[2]]));
        openssl.run("crl -inform DER -in list -CAfile authority.pem -noout");
        // And does not where we do not.
        let mut altered = file.clone();
        let last = altered.len() - 1;
        altered[last] ^= 1;
        openssl.write("object", tlv::only(&altered, 0x77).expect("a file").value);
        assert!(!openssl.agrees(verify));
    }

    #[test]
    fn we_verify_what_openssl_signs_as_it_streams() {
        let openssl = OpenSsl::new();
        let state = shared_state(&openssl, Curve::P256, "prime256v1");
        let anchors = anchors(&state);
        let sod = Sod::parse(&state.sod()).expect("a security object");
        openssl.write("content", sod.signed().content());
        let sign = "cms -sign -binary -nodetach -in content -outform DER -signer signer.pem -inkey \
                    signer.key -econtent_type 2.23.136.1.1.1 -md sha256";
        for (options, is_open) in [("", false), (" -stream", true), (" -keyid", false)] {
            let object = openssl.run(&format!("{sign}{options}"));
            assert_eq!(object[1] == 0x80, is_open, "{options}");
            let mut files = vec![tlv::element(0x77, &object)];
            // The length of the file itself may be open too.
            files.push([&[0x77, 0x80], &object[..], &[0, 0]].concat());
            for file in files {
                let passive = read(&file, &anchors);
                assert!(is_anchored(&passive), "{options}: {passive:?}");
                let mut altered = file.clone();
                altered[position(&file, b"DS Utopia 1")] ^= 1;
                assert!(!is_anchored(&read(&altered, &anchors)), "{options}");
            }
        }
    }

    #[test]
    fn we_verify_what_openssl_signs_with_rsa() {
        let openssl = OpenSsl::new();
        openssl.run("genrsa -traditional -out signer.key 2048");
        let der = openssl.run("rsa -in signer.key -traditional -outform DER");
        let rsa = IssuerKey::Rsa(RsaSigningKey::from_der(&der).expect("a key"));
        let mut state = State::with(rsa.clone(), rsa);
        state.signer_draft.validity = (day("2000-01-01"), day("2999-12-31"));
        state.authority_draft.validity = (day("2000-01-01"), day("2999-12-31"));
        state.algorithm = SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha256);
        openssl.write("signer", state.signer_certificate());
        openssl.run("x509 -inform DER -in signer -out signer.pem");
        let sod = Sod::parse(&state.sod()).expect("a security object");
        openssl.write("content", sod.signed().content());
        for options in [
            "-md sha256",
            "-md sha512",
            "-md sha256 -keyopt rsa_padding_mode:pss",
            "-md sha384 -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:32",
        ] {
            let object = openssl.run(&format!(
                "cms -sign -binary -nodetach -in content -outform DER -signer signer.pem -inkey \
                 signer.key -econtent_type 2.23.136.1.1.1 {options}"
            ));
            let passive = read(&tlv::element(0x77, &object), &anchors(&state));
            assert!(is_anchored(&passive), "{options}: {passive:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn altered_security_object_never_brings_other_hashes(at in any::<usize>(), bits in 1_u8..) {
            static GENUINE: LazyLock<(Vec<u8>, Anchors)> = LazyLock::new(|| {
                let state = State::on(Curve::P224);
                (state.sod(), anchors(&state))
            });
            let (file, anchors) = &*GENUINE;
            let mut altered = file.clone();
            let at = at % file.len();
            altered[at] ^= bits;
            if let Ok(sod) = Sod::parse(&altered) {
                let genuine = Sod::parse(file).expect("a security object");
                if is_anchored(&authenticate(&sod, &[], anchors, day(TODAY))) {
                    prop_assert_eq!(sod.signed().content(), genuine.signed().content());
                    prop_assert_eq!(sod.signed().signing_time(), genuine.signed().signing_time());
                }
            }
        }

        #[test]
        fn any_bytes_are_no_reason_to_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Sod::parse(&bytes);
            let _ = Sod::parse(&tlv::element(0x77, &bytes));
        }
    }
}
