//! Whom to believe: the certificates of states that sign the signers of their documents (CSCA;
//! ICAO 9303-12).
//!
//! Nothing is trusted by itself. An anchor comes from an operator, or from a list whose signer
//! leads to an anchor that is here already, or as a link: the certificate of a state's next key,
//! signed by the one before.

use std::collections::BTreeSet;

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
    #[error("the signer of the master list was revoked on {on}")]
    Revoked {
        /// The day.
        on: Date,
    },
}

/// What became of the certificates of a list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Added {
    /// Certificates that are anchors now and were none before.
    pub new: usize,
    /// Certificates that were anchors before.
    pub known: usize,
    /// Certificates that are left out, in the order of the list, and why.
    pub refused: Vec<AnchorRefusal>,
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

/// What is known of revocation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Revocation {
    /// There is no list of the office that signed the certificate.
    NoList,
    /// It is on no list that there is.
    NotRevoked {
        /// The day of the newest list.
        as_of: Date,
        /// Whether a newer one was to be made before today.
        is_stale: bool,
    },
    /// It, or the anchor itself, is on a list.
    Revoked {
        /// The day of the revocation.
        on: Date,
    },
}

impl Anchors {
    /// Returns no anchors: then nothing is genuine.
    pub fn new() -> Anchors {
        Anchors::default()
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
            if anchor.subject() == list.issuer() && anchor.has_usage(KeyUsage::ListSign) {
                match list.check_signature(anchor) {
                    Ok(()) => {
                        self.revocations.push(list);
                        return Ok(());
                    }
                    Err(NotSigned::Wrong(_)) if refusal == RevocationRefusal::UnknownIssuer => {
                        refusal = RevocationRefusal::Signature;
                    }
                    Err(NotSigned::Wrong(_)) => {}
                    Err(NotSigned::Unsupported(unsupported)) => refusal = unsupported.into(),
                }
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
        if let Revocation::Revoked { on } = self.revocation_of(signer, anchor, Date::MIN) {
            return Err(MasterListRefusal::Revoked { on });
        }
        Ok(self.add_all(&list.certificates))
    }

    /// Adds the certificates of a master list that an operator vouches for, whoever signed it.
    ///
    /// It still has to be what its signer signed, so that it is whole.
    pub fn add_vouched_master_list(&mut self, bytes: &[u8]) -> Result<Added, MasterListRefusal> {
        let list = MasterList::parse(bytes)?;
        list.signer()?;
        Ok(self.add_all(&list.certificates))
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
    /// It is found by the key that the certificate names, or by name where it names none, among
    /// those of the same country: no state signs for another.
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
            let is_named = match certificate.authority_key() {
                Some(key) => anchor.subject_key() == Some(key),
                None => anchor.subject() == certificate.issuer(),
            };
            if !is_named {
                continue;
            }
            match certificate.check_signature(anchor) {
                // The first day stands for the one on which it was signed, which nothing tells.
                Ok(()) if anchor.is_valid_on(certificate.validity().0) => return Ok(anchor),
                Ok(()) => refusal = NoIssuer::AnchorNotValid,
                Err(NotSigned::Unsupported(unsupported)) => refusal = unsupported.into(),
                // By its name alone it may also be of another key of the same office.
                Err(NotSigned::Wrong(_)) => {
                    if certificate.authority_key().is_some()
                        && matches!(refusal, NoIssuer::UnknownKey(_))
                    {
                        refusal = NoIssuer::Forged;
                    }
                }
            }
        }
        Err(refusal)
    }

    /// Returns what is known of the revocation of a certificate, and of the anchor that signed it.
    ///
    /// Lists are found by the name of the office that signed both: serial numbers are unique there
    /// and nowhere else.
    pub fn revocation_of(
        &self,
        certificate: &Certificate,
        anchor: &Certificate,
        today: Date,
    ) -> Revocation {
        let mut newest: Option<&RevocationList> = None;
        for list in &self.revocations {
            for revocable in [certificate, anchor] {
                if list.issuer() == revocable.issuer()
                    && let Some(on) = list.revoked_on(revocable.serial())
                {
                    return Revocation::Revoked { on };
                }
            }
            if list.issuer() == certificate.issuer()
                && newest.is_none_or(|newest| newest.this_update() < list.this_update())
            {
                newest = Some(list);
            }
        }
        newest.map_or(Revocation::NoList, |list| Revocation::NotRevoked {
            as_of: list.this_update(),
            is_stale: list.next_update().is_none_or(|next| next < today),
        })
    }

    fn holds(&self, fingerprint: &Fingerprint) -> bool {
        self.certificates.iter().any(|anchor| anchor.fingerprint() == *fingerprint)
    }

    /// Adds what can be added, links to keys further down in the list too.
    fn add_all(&mut self, certificates: &[Vec<u8>]) -> Added {
        let mut added = Added::default();
        let mut results: Vec<Option<AnchorRefusal>> = vec![None; certificates.len()];
        let mut waiting: Vec<usize> = (0..certificates.len()).collect();
        for _ in 0..MAX_PASSES {
            let before = self.certificates.len();
            waiting.retain(|at| {
                let count = self.certificates.len();
                let result = self.add_certificate(&certificates[*at]);
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
        added.refused = results.into_iter().flatten().collect();
        added
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
