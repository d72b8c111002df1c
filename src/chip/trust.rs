//! Whom to believe: the certificates of states that sign the signers of their documents (CSCA;
//! ICAO 9303-12).
//!
//! Nothing is trusted by itself. An anchor comes from an operator, or from a list whose signer
//! leads to an anchor that is here already, or as a link: the certificate of a state's next key,
//! signed by the one before.

use std::collections::BTreeSet;

use sync_format::v1::anchors::{Anchor, AnchorKind};
use sync_format::v1::date::Date;
use thiserror::Error;

use super::Malformed;
use super::algorithm::{ParseError, Unsupported};
use super::certificate::{Certificate, Fingerprint, KeyUsage, NotSigned};
use super::cms::{CmsRefusal, SignedData};
use super::country::Country;
use super::crl::RevocationList;
use super::tlv;

/// `id-icao-cscaMasterList`, 2.23.136.1.1.2.
pub(super) const MASTER_LIST: &[u8] = &[0x67, 0x81, 0x08, 0x01, 0x01, 0x02];
/// `id-icao-cscaMasterListSigningKey`, 2.23.136.1.1.3.
pub(super) const MASTER_LIST_SIGNER: &[u8] = &[0x67, 0x81, 0x08, 0x01, 0x01, 0x03];
/// A certificate. RSA-8192 has 2.5 KB.
const MAX_CERTIFICATE_BYTES: usize = 64 << 10;
/// A list of revoked certificates: 50,000 of them.
const MAX_REVOCATION_BYTES: usize = 2 << 20;
/// How often a list is gone through for links to keys that stand further down in it.
const MAX_PASSES: usize = 8;

/// The certificates that are trusted to sign the signers of documents, and what they have revoked.
#[derive(Clone, Debug, Default)]
pub struct Anchors {
    certificates: Vec<Certificate>,
    revocations: Vec<RevocationList>,
}

/// Why a certificate does not become an anchor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum AnchorRefusal {
    /// It breaks its norm.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Its key or signature cannot be checked, or it must be understood where it is not.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// It does not say that it may sign certificates.
    #[error("the certificate is not one of an authority")]
    NotAuthority,
    /// It names no country.
    #[error("the certificate names no country")]
    NoCountry,
    /// It says that its own key signed it, which is wrong.
    #[error("the certificate is not signed by the key that it names")]
    Signature,
    /// It was signed by a key that is not that of an anchor of the same country.
    #[error("the certificate is signed by a key that is not known")]
    UnknownKey,
}

/// Why a list of revoked certificates is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RevocationRefusal {
    /// It breaks its norm.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Its signature cannot be checked, or it is of a kind that cannot be read.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// No anchor has the name of who signed it.
    #[error("the list is signed by an office that is not known")]
    UnknownIssuer,
    /// It is not signed by the anchor that it names.
    #[error("the list is not signed by the office that it names")]
    Signature,
}

/// Why a master list is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum MasterListRefusal {
    /// It breaks its norm.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Its signature cannot be checked.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// It is not what its signer signed.
    #[error("the master list is not the one that was signed")]
    Signed(#[source] CmsRefusal),
    /// Its signer's certificate is not one for master lists, or was not valid when it signed.
    #[error("the signer may not sign master lists")]
    Signer,
    /// Its signer does not lead to an anchor.
    #[error("the signer of the master list is not trusted")]
    Untrusted(#[source] NoIssuer),
    /// Its signer was revoked.
    #[error("the signer of the master list is revoked")]
    Revoked(#[source] Revoked),
}

/// What became of the certificates of a list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Added {
    /// Certificates that are anchors now and were none before.
    pub new: usize,
    /// Certificates that were anchors before.
    pub known: usize,
    /// Certificates that are left out, in the order of the list.
    pub refused: Vec<LeftOut>,
}

/// A certificate of a list that does not become an anchor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeftOut {
    /// Its place in the list, from 0.
    pub at: usize,
    /// Why.
    pub why: AnchorRefusal,
}

/// Why no anchor is behind a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum NoIssuer {
    /// There is no anchor of the country that it names as its issuer's.
    #[error("there is no anchor of the country")]
    NoAnchorOfCountry(Option<Country>),
    /// The country has anchors, and none with the key that it names.
    #[error("no anchor of {0} has the key that signed the certificate")]
    UnknownKey(Country),
    /// Whether the anchor signed it cannot be said.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// It names an anchor that did not sign it: a forgery.
    #[error("the anchor that the certificate names did not sign it")]
    Forged,
    /// It begins on a day on which the anchor that signed it was not valid.
    #[error("the anchor was not valid when it signed the certificate")]
    AnchorNotValid,
}

/// How sure it is that a certificate was not revoked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Revocation {
    /// There is no list of the office that signed the certificate.
    NoList,
    /// It is on no list that there is.
    NotListed {
        /// The day of the newest list.
        as_of: Date,
        /// Whether a newer one was to be made before today, or the list does not say when.
        is_stale: bool,
    },
}

/// A certificate, or the anchor that signed it, is on a list of revoked ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the certificate was revoked on {on}")]
pub struct Revoked {
    /// The day.
    pub on: Date,
}

impl Anchors {
    /// Returns no anchors: then nothing is genuine.
    pub fn new() -> Anchors {
        Anchors::default()
    }

    /// Returns the anchors of one country out of a signed list: all that a document of this country
    /// is tried against.
    ///
    /// Of the others nothing is checked, so that a list of the whole world costs no time. What of it is
    /// no anchor, or of an algorithm that is not known, is left out.
    pub fn of_country(country: Country, list: &[Anchor]) -> Anchors {
        let mut anchors = Anchors::new();
        let of = |kind| list.iter().filter(move |anchor| anchor.kind == kind);
        let is_of_country = |der: &[u8]| {
            Certificate::parse(der).is_ok_and(|it| it.subject().country() == Some(country))
        };
        let certificates = of(AnchorKind::Certificate).map(|anchor| &anchor.der[..]);
        anchors.add_certificates(certificates.filter(|der| is_of_country(der)));
        for anchor in of(AnchorKind::RevocationList) {
            // One that no anchor of this country signed is another country's.
            let _ = anchors.add_revocations(&anchor.der);
        }
        anchors
    }

    /// Adds a state's certificate that an operator vouches for, or a link to one that is here.
    ///
    /// A self-signed certificate is taken at the word of the caller; its signature only shows that
    /// it is whole. One that is here already is no error.
    pub fn add_certificate(&mut self, der: &[u8]) -> Result<Fingerprint, AnchorRefusal> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(Malformed("a certificate that is too long").into());
        }
        let certificate = Certificate::parse(der)?;
        let fingerprint = certificate.fingerprint();
        if !self.holds(&fingerprint) {
            self.check_anchor(&certificate)?;
            self.certificates.push(certificate);
        }
        Ok(fingerprint)
    }

    /// Adds the certificates of a list that an operator vouches for, in any order: those that can be
    /// added, links to keys further down among them.
    pub fn add_certificates<'a>(
        &mut self,
        certificates: impl IntoIterator<Item = &'a [u8]>,
    ) -> Added {
        let certificates: Vec<&[u8]> = certificates.into_iter().collect();
        let mut added = Added::default();
        let mut results: Vec<Option<AnchorRefusal>> = vec![None; certificates.len()];
        let mut waiting: Vec<usize> = (0..certificates.len()).collect();
        for _ in 0..MAX_PASSES {
            let before = self.certificates.len();
            waiting.retain(|at| {
                let count = self.certificates.len();
                let result = self.add_certificate(certificates[*at]);
                results[*at] = result.err();
                match result {
                    Ok(_) if self.certificates.len() > count => added.new += 1,
                    Ok(_) => added.known += 1,
                    Err(_) => {}
                }
                result == Err(AnchorRefusal::UnknownKey)
            });
            if waiting.is_empty() || self.certificates.len() == before {
                break;
            }
        }
        let results = results.into_iter().enumerate();
        added.refused = results.filter_map(|(at, why)| Some(LeftOut { at, why: why? })).collect();
        added
    }

    /// Adds a list of revoked certificates, which an anchor must have signed.
    pub fn add_revocations(&mut self, der: &[u8]) -> Result<(), RevocationRefusal> {
        if der.len() > MAX_REVOCATION_BYTES {
            return Err(Malformed("a list that is too long").into());
        }
        let list = RevocationList::parse(der).map_err(|error| match error {
            ParseError::Malformed(malformed) => RevocationRefusal::Malformed(malformed),
            ParseError::Unsupported(unsupported) => RevocationRefusal::Unsupported(unsupported),
        })?;
        let mut refusal = RevocationRefusal::UnknownIssuer;
        for anchor in &self.certificates {
            if anchor.subject() != list.issuer() || !anchor.has_usage(KeyUsage::ListSign) {
                continue;
            }
            match list.check_signature(anchor) {
                Ok(()) => {
                    self.revocations.push(list);
                    return Ok(());
                }
                Err(NotSigned::Wrong(_)) => refusal = RevocationRefusal::Signature,
                Err(NotSigned::Unsupported(unsupported)) => return Err(unsupported.into()),
            }
        }
        Err(refusal)
    }

    /// Adds the certificates of a master list whose signer leads to an anchor that is here.
    ///
    /// The signer's own state must so be added first, by [`Anchors::add_certificate`].
    pub fn add_master_list(&mut self, bytes: &[u8]) -> Result<Added, MasterListRefusal> {
        let list = MasterList::parse(bytes)?;
        let signer = list.signer()?;
        let is_for_lists = signer.purposes().any(|purpose| purpose == MASTER_LIST_SIGNER);
        // ICAO 9303-12, 9.2 has every list say when it was signed.
        let signing_time = list.signed.signing_time();
        let was_valid = signing_time.is_some_and(|day| signer.is_valid_on(day));
        if signer.has_unknown_critical() {
            return Err(Unsupported::CriticalExtension.into());
        }
        if !is_for_lists || !was_valid || !signer.has_usage(KeyUsage::DigitalSignature) {
            return Err(MasterListRefusal::Signer);
        }
        let anchor = self.issuer_of(signer).map_err(|why| match why {
            NoIssuer::Unsupported(unsupported) => MasterListRefusal::Unsupported(unsupported),
            why => MasterListRefusal::Untrusted(why),
        })?;
        // How old the lists are does not matter here.
        self.revocation_of(signer, anchor, Date::MIN).map_err(MasterListRefusal::Revoked)?;
        Ok(self.add_certificates(list.certificates.iter().map(Vec::as_slice)))
    }

    /// Adds the certificates of a master list that an operator vouches for, whoever signed it.
    ///
    /// It still has to be what its signer signed, so that it is whole.
    pub fn add_vouched_master_list(&mut self, bytes: &[u8]) -> Result<Added, MasterListRefusal> {
        let certificates = vouched_certificates(bytes)?;
        Ok(self.add_certificates(certificates.iter().map(Vec::as_slice)))
    }

    /// Returns the anchors.
    pub fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.certificates.iter()
    }

    /// Returns the countries that have an anchor, in order.
    pub fn countries(&self) -> BTreeSet<Country> {
        self.certificates.iter().filter_map(|anchor| anchor.subject().country()).collect()
    }

    /// Returns the anchor that signed a certificate.
    ///
    /// It is looked for by the key that the certificate names and by the name of its issuer, among
    /// those of the same country: no state signs for another. The signature decides.
    pub fn issuer_of(&self, certificate: &Certificate) -> Result<&Certificate, NoIssuer> {
        let country = certificate.issuer().country();
        let of_country = || {
            let of = move |anchor: &&Certificate| anchor.subject().country() == country;
            self.certificates.iter().filter(of)
        };
        let Some(country) = country.filter(|_| of_country().next().is_some()) else {
            return Err(NoIssuer::NoAnchorOfCountry(country));
        };
        let mut refusal = NoIssuer::UnknownKey(country);
        for anchor in of_country() {
            let key = certificate.authority_key();
            let has_key = key.is_some() && anchor.subject_key() == key;
            if !has_key && anchor.subject() != certificate.issuer() {
                continue;
            }
            match certificate.check_signature(anchor) {
                // The first day stands for the one on which it was signed, which nothing tells.
                Ok(()) if anchor.is_valid_on(certificate.validity().0) => return Ok(anchor),
                Ok(()) => refusal = NoIssuer::AnchorNotValid,
                Err(NotSigned::Unsupported(unsupported)) => refusal = unsupported.into(),
                Err(NotSigned::Wrong(_))
                    if has_key
                        && anchor.subject() == certificate.issuer()
                        && refusal == NoIssuer::UnknownKey(country) =>
                {
                    refusal = NoIssuer::Forged;
                }
                // An office of this name has other keys, and one of this key another name: the right
                // anchor may not be here.
                Err(NotSigned::Wrong(_)) => {}
            }
        }
        Err(refusal)
    }

    /// Returns how sure it is that neither a certificate nor the anchor that signed it was revoked.
    ///
    /// Lists are found by the name of the office that signed both: serial numbers are unique there
    /// and nowhere else.
    pub fn revocation_of(
        &self,
        certificate: &Certificate,
        anchor: &Certificate,
        today: Date,
    ) -> Result<Revocation, Revoked> {
        let mut newest: Option<&RevocationList> = None;
        for list in &self.revocations {
            for revocable in [certificate, anchor] {
                if list.issuer() == revocable.issuer()
                    && let Some(on) = list.revoked_on(revocable.serial())
                {
                    return Err(Revoked { on });
                }
            }
            if list.issuer() == certificate.issuer()
                && newest.is_none_or(|newest| newest.this_update() < list.this_update())
            {
                newest = Some(list);
            }
        }
        Ok(newest.map_or(Revocation::NoList, |list| Revocation::NotListed {
            as_of: list.this_update(),
            is_stale: list.next_update().is_none_or(|next| next < today),
        }))
    }

    fn holds(&self, fingerprint: &Fingerprint) -> bool {
        self.certificates.iter().any(|anchor| anchor.fingerprint() == *fingerprint)
    }

    fn check_anchor(&self, certificate: &Certificate) -> Result<(), AnchorRefusal> {
        certificate.key()?;
        if certificate.has_unknown_critical() {
            return Err(Unsupported::CriticalExtension.into());
        }
        if !certificate.is_authority() || !certificate.has_usage(KeyUsage::CertificateSign) {
            return Err(AnchorRefusal::NotAuthority);
        }
        let country = certificate.subject().country().ok_or(AnchorRefusal::NoCountry)?;
        let own = certificate.check_signature(certificate);
        let Err(not_by_itself) = own else { return Ok(()) };
        let is_link =
            certificate.authority_key().is_some_and(|key| certificate.subject_key() != Some(key));
        if is_link && certificate.issuer().country() == Some(country) {
            return match self.issuer_of(certificate) {
                // A link may have been signed after the old key's last day: it vouches all the same.
                Ok(_) | Err(NoIssuer::AnchorNotValid) => Ok(()),
                Err(NoIssuer::Unsupported(unsupported)) => Err(unsupported.into()),
                Err(NoIssuer::Forged) => Err(AnchorRefusal::Signature),
                Err(NoIssuer::NoAnchorOfCountry(_) | NoIssuer::UnknownKey(_)) => {
                    Err(AnchorRefusal::UnknownKey)
                }
            };
        }
        Err(match not_by_itself {
            NotSigned::Wrong(_) => AnchorRefusal::Signature,
            NotSigned::Unsupported(unsupported) => unsupported.into(),
        })
    }
}

/// Returns the certificates of a master list that an operator vouches for, whoever signed it, each in
/// DER and none of them checked.
///
/// The list itself still has to be what its signer signed, so that it is whole.
pub fn vouched_certificates(bytes: &[u8]) -> Result<Vec<Vec<u8>>, MasterListRefusal> {
    let list = MasterList::parse(bytes)?;
    list.signer()?;
    Ok(list.certificates)
}

/// A signed list of states' certificates (ICAO 9303-12, section 9).
struct MasterList {
    signed: SignedData,
    certificates: Vec<Vec<u8>>,
}

impl MasterList {
    fn parse(bytes: &[u8]) -> Result<MasterList, MasterListRefusal> {
        let signed = SignedData::parse(bytes).map_err(|error| match error {
            ParseError::Malformed(malformed) => MasterListRefusal::Malformed(malformed),
            ParseError::Unsupported(unsupported) => MasterListRefusal::Unsupported(unsupported),
        })?;
        if signed.content_type() != MASTER_LIST {
            return Err(Malformed("signed data of another type than a master list").into());
        }
        let mut fields = tlv::only(signed.content(), 0x30)?.children();
        if fields.expect(0x02)?.value != [0] {
            return Err(Unsupported::Version.into());
        }
        let set = fields.expect(0x31)?;
        fields.end()?;
        let whole = |element: Result<tlv::Tlv<'_>, Malformed>| Ok(element?.whole.to_vec());
        let certificates = set.children().map(whole).collect::<Result<_, Malformed>>()?;
        Ok(MasterList { signed, certificates })
    }

    /// Returns the certificate that signed the list, which may be anybody's.
    fn signer(&self) -> Result<&Certificate, MasterListRefusal> {
        self.signed.verify().map_err(|refusal| match refusal {
            CmsRefusal::Unsupported(unsupported) => MasterListRefusal::Unsupported(unsupported),
            refusal => MasterListRefusal::Signed(refusal),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chip::curves::Curve;
    use crate::chip::hash::HashAlgorithm;
    use crate::chip::issue::testing::{ECDSA, State, day, ec};
    use crate::chip::issue::{self, CertificateDraft, IssuerKey, ObjectDraft};

    fn utopia() -> State {
        State::on(Curve::P256)
    }

    fn add(state: &State) -> Result<Fingerprint, AnchorRefusal> {
        Anchors::new().add_certificate(&state.authority_certificate())
    }

    /// What becomes of a state's certificate in which something has gone wrong.
    fn drafted(go_wrong: impl Fn(&mut State)) -> Result<Fingerprint, AnchorRefusal> {
        let mut state = utopia();
        go_wrong(&mut state);
        add(&state)
    }

    #[test]
    fn certificate_of_a_state_becomes_an_anchor_once() {
        let mut anchors = Anchors::new();
        let der = utopia().authority_certificate();
        let first = anchors.add_certificate(&der).expect("an anchor");
        assert_eq!(anchors.add_certificate(&der), Ok(first));
        assert_eq!(anchors.certificates().count(), 1);
        assert_eq!(anchors.countries(), Country::new("ut").into_iter().collect());
        // Also with its numbers written out, and on the curve of Vietnam's passports.
        assert!(add(&State::on(Curve::BrainpoolP512r1)).is_ok());
    }

    #[test]
    fn certificate_that_is_none_of_a_state_is_refused() {
        let extension = |at: usize| {
            drafted(|state| {
                state.authority_draft.extensions.remove(at);
            })
        };
        assert_eq!(extension(0), Err(AnchorRefusal::NotAuthority));
        assert_eq!(extension(1), Err(AnchorRefusal::NotAuthority));
        let found = drafted(|state| {
            let usage = issue::usage_extension(&[KeyUsage::DigitalSignature]);
            state.authority_draft.extensions[1] = usage;
        });
        assert_eq!(found, Err(AnchorRefusal::NotAuthority));
        let found = drafted(|state| {
            state.authority_draft.issuer = issue::office("?", "CSCA Utopia");
            state.authority_draft.subject = issue::office("?", "CSCA Utopia");
        });
        assert_eq!(found, Err(AnchorRefusal::NoCountry));
        let found = drafted(|state| {
            let critical = issue::extension(&[0x55, 0x1D, 0x1E], true, &[0x30, 0x00]);
            state.authority_draft.extensions.push(critical);
        });
        assert_eq!(found, Err(Unsupported::CriticalExtension.into()));
        // Somebody else signed it in its name.
        let found = drafted(|state| state.authority = ec(Curve::P256, b"a forger's secret"));
        assert_eq!(found, Err(AnchorRefusal::Signature));
        let found = drafted(|state| {
            let twice = state.authority_draft.extensions[0].clone();
            state.authority_draft.extensions.push(twice);
        });
        let twice = Malformed("an extension or attribute that stands there twice");
        assert_eq!(found, Err(twice.into()));
        let long = Anchors::new().add_certificate(&vec![0x30; MAX_CERTIFICATE_BYTES + 1]);
        assert_eq!(long, Err(Malformed("a certificate that is too long").into()));
    }

    /// The certificate of Utopia's next key, signed by its first.
    fn link(first: &State, country: &str) -> (IssuerKey, Vec<u8>) {
        let next = ec(Curve::P384, b"the next secret");
        let mut draft = CertificateDraft::authority(
            issue::office(country, "CSCA Utopia"),
            &next,
            &first.authority,
            (day("2024-01-01"), day("2040-12-31")),
        );
        draft.issuer = first.authority_draft.subject.clone();
        let der = draft.sign(&first.authority, ECDSA).expect("signed");
        (next, der)
    }

    #[test]
    fn link_is_taken_from_an_anchor_of_the_same_state() {
        let state = utopia();
        let (_, der) = link(&state, "UT");
        let mut anchors = Anchors::new();
        assert_eq!(anchors.add_certificate(&der), Err(AnchorRefusal::UnknownKey));
        anchors.add_certificate(&state.authority_certificate()).expect("an anchor");
        assert!(anchors.add_certificate(&der).is_ok());
        // No state makes another's key known.
        let (_, der) = link(&state, "XX");
        assert_eq!(anchors.add_certificate(&der), Err(AnchorRefusal::Signature));
        // In the name of the first key, and not by it.
        let mut forger = state.clone();
        forger.authority = ec(Curve::P256, b"a forger's secret");
        let mut draft = state.authority_draft.clone();
        draft.spki = forger.authority.public().to_spki();
        draft.extensions[2] = issue::subject_key_extension(&forger.authority.id());
        draft.extensions[3] = issue::authority_key_extension(&state.authority.id());
        let other = ec(Curve::P256, b"neither of them");
        let der = draft.sign(&other, ECDSA).expect("signed");
        assert_eq!(anchors.add_certificate(&der), Err(AnchorRefusal::Signature));
    }

    #[test]
    fn list_of_revoked_certificates_has_to_be_the_states_own() {
        let state = utopia();
        let list = state.revocations(&[&[2], &[0x80, 0]]);
        let mut anchors = Anchors::new();
        assert_eq!(anchors.add_revocations(&list), Err(RevocationRefusal::UnknownIssuer));
        anchors.add_certificate(&state.authority_certificate()).expect("an anchor");
        assert_eq!(anchors.add_revocations(&list), Ok(()));
        let mut altered = list.clone();
        let last = altered.len() - 1;
        altered[last] ^= 1;
        assert_eq!(anchors.add_revocations(&altered), Err(RevocationRefusal::Signature));
        let mut forger = state.clone();
        forger.authority = ec(Curve::P256, b"a forger's secret");
        let forged = forger.revocations(&[]);
        assert_eq!(anchors.add_revocations(&forged), Err(RevocationRefusal::Signature));
        let long = anchors.add_revocations(&vec![0x30; MAX_REVOCATION_BYTES + 1]);
        assert_eq!(long, Err(Malformed("a list that is too long").into()));
    }

    /// Atlantis signs lists of the certificates of others.
    struct Publisher {
        state: State,
        signed_on: Option<Date>,
    }

    impl Publisher {
        fn new() -> Publisher {
            let mut state = utopia();
            state.authority = ec(Curve::BrainpoolP256r1, b"secret of Atlantis");
            let name = issue::office("AT", "CSCA Atlantis");
            let validity = (day("2020-01-01"), day("2035-12-31"));
            let key = &state.authority;
            state.authority_draft = CertificateDraft::authority(name.clone(), key, key, validity);
            let subject = issue::office("AT", "Master List Signer");
            let signer = &state.signer;
            let draft = CertificateDraft::document_signer(name, subject, signer, key, validity);
            state.signer_draft = draft.for_master_lists();
            Publisher { state, signed_on: Some(day("2026-05-28")) }
        }

        fn list(&self, certificates: &[&[u8]]) -> Vec<u8> {
            let signer = Certificate::parse(&self.state.signer_certificate()).expect("readable");
            let key = &self.state.signer;
            issue::master_list(certificates, self.signed_on, &signer, key, ECDSA).expect("signed")
        }

        fn anchors(&self) -> Anchors {
            let mut anchors = Anchors::new();
            anchors.add_certificate(&self.state.authority_certificate()).expect("an anchor");
            anchors
        }
    }

    #[test]
    fn certificates_of_a_trusted_master_list_become_anchors() {
        let state = utopia();
        let own = state.authority_certificate();
        let (_, linked) = link(&state, "UT");
        let publisher = Publisher::new();
        let publishers_own = publisher.state.authority_certificate();
        let broken = [0x30, 0x00];
        let list = publisher.list(&[&linked, &own, &broken, &publishers_own]);
        let mut anchors = publisher.anchors();
        let added = anchors.add_master_list(&list).expect("trusted");
        // A list stands in the order of its bytes, and this is the shortest of them.
        let why = AnchorRefusal::Malformed(Malformed("another element than expected"));
        let refused = vec![LeftOut { at: 0, why }];
        assert_eq!(added, Added { new: 2, known: 1, refused });
        assert_eq!(anchors.certificates().count(), 3);
    }

    #[test]
    fn master_list_of_a_stranger_is_refused_unless_an_operator_vouches_for_it() {
        let own = utopia().authority_certificate();
        let publisher = Publisher::new();
        let list = publisher.list(&[&own]);
        let mut anchors = Anchors::new();
        let stranger =
            MasterListRefusal::Untrusted(NoIssuer::NoAnchorOfCountry(Country::new("AT")));
        assert_eq!(anchors.add_master_list(&list), Err(stranger));
        assert_eq!(anchors.certificates().count(), 0);
        let added = anchors.add_vouched_master_list(&list).expect("vouched for");
        assert_eq!(added.new, 1);
        // Vouched for or not, it has to be whole.
        let mut altered = list.clone();
        let at = list.windows(4).position(|part| part == b"CSCA").expect("a name");
        altered[at] ^= 1;
        let found = Anchors::new().add_vouched_master_list(&altered);
        assert_eq!(found, Err(MasterListRefusal::Signed(CmsRefusal::Content)));
    }

    #[test]
    fn master_list_of_a_signer_that_may_not_is_refused() {
        let own = utopia().authority_certificate();
        let check = |go_wrong: &dyn Fn(&mut Publisher), expected| {
            let mut publisher = Publisher::new();
            let mut anchors = publisher.anchors();
            go_wrong(&mut publisher);
            assert_eq!(anchors.add_master_list(&publisher.list(&[&own])).err(), expected);
        };
        check(&|_| {}, None);
        let signer = Some(MasterListRefusal::Signer);
        // A signer of documents.
        check(&|publisher| drop(publisher.state.signer_draft.extensions.pop()), signer);
        check(&|publisher| drop(publisher.state.signer_draft.extensions.remove(0)), signer);
        check(&|publisher| publisher.signed_on = None, signer);
        check(&|publisher| publisher.signed_on = Some(day("2036-01-01")), signer);
        let forge = |publisher: &mut Publisher| {
            publisher.state.authority = ec(Curve::BrainpoolP256r1, b"a forger's secret");
        };
        check(&forge, Some(MasterListRefusal::Untrusted(NoIssuer::Forged)));

        let publisher = Publisher::new();
        let mut anchors = publisher.anchors();
        anchors.add_revocations(&publisher.state.revocations(&[&[2]])).expect("its own");
        let revoked = MasterListRefusal::Revoked(Revoked { on: day("2022-06-01") });
        assert_eq!(anchors.add_master_list(&publisher.list(&[&own])), Err(revoked));
    }

    #[test]
    fn other_signed_data_is_no_master_list() {
        let publisher = Publisher::new();
        let signer = Certificate::parse(&publisher.state.signer_certificate()).expect("readable");
        let sign = |content_type: &[u8], content: &[u8]| {
            let draft = ObjectDraft {
                content_type,
                content,
                digest: HashAlgorithm::Sha256,
                signing_time: None,
                certificates: &[signer.der()],
            };
            draft.sign(&signer, &publisher.state.signer, ECDSA).expect("signed")
        };
        let check = |bytes: &[u8], expected| {
            assert_eq!(Anchors::new().add_vouched_master_list(bytes), Err(expected));
        };
        let other = Malformed("signed data of another type than a master list");
        check(&sign(MASTER_LIST_SIGNER, &[]), other.into());
        check(&sign(MASTER_LIST, &[0x30, 0x03, 2, 1, 1]), Unsupported::Version.into());
        check(&[], Malformed("an element ends in its header").into());
    }

    #[test]
    fn authority_with_an_unknown_key_is_named_as_such() {
        let found = drafted(|state| {
            // Ed25519: 1.3.101.112
            let identifier = tlv::element(0x30, &[0x06, 0x03, 0x2B, 0x65, 0x70]);
            let key = [identifier, tlv::element(0x03, &[0; 33])].concat();
            state.authority_draft.spki = tlv::element(0x30, &key);
        });
        assert_eq!(found, Err(Unsupported::Key.into()));
        let found = drafted(|state| {
            // The curve's order, written out, with another last bit.
            let order = &Curve::P256.explicit_parameters();
            let order = &order[order.len() - 3 - 32..order.len() - 3];
            let spki = &mut state.authority_draft.spki;
            let at = spki.windows(32).position(|part| part == order).expect("there");
            spki[at + 31] ^= 1;
        });
        assert_eq!(found, Err(Unsupported::Curve.into()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn altered_list_is_never_taken(at in any::<usize>(), bits in 1_u8..) {
            let state = utopia();
            let mut anchors = Anchors::new();
            anchors.add_certificate(&state.authority_certificate()).expect("an anchor");
            let mut list = state.revocations(&[&[2]]);
            let at = at % list.len();
            list[at] ^= bits;
            prop_assert!(anchors.add_revocations(&list).is_err());
            let mut certificate = state.authority_certificate();
            let at = at % certificate.len();
            certificate[at] ^= bits;
            prop_assert!(Anchors::new().add_certificate(&certificate).is_err());
        }

        #[test]
        fn any_bytes_are_no_reason_to_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut anchors = Anchors::new();
            prop_assert!(anchors.add_certificate(&bytes).is_err());
            prop_assert!(anchors.add_revocations(&bytes).is_err());
            prop_assert!(anchors.add_master_list(&bytes).is_err());
            let nested = tlv::element(0x30, &tlv::element(0x30, &bytes));
            prop_assert!(anchors.add_certificate(&nested).is_err());
            prop_assert!(anchors.add_revocations(&nested).is_err());
        }
    }
}
