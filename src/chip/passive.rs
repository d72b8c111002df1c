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
use super::trust::{Anchors, NoIssuer, Revocation};

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
        /// Whether the signer may have been revoked: never `Revoked`, which refutes.
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
    /// It rests on something that this program does not know. Then not even the signature of the
    /// document may have been checked: only that its data fit its own hashes.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
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
        /// The day on which it signed, or today where the document does not say.
        day: Date,
    },
    /// The signer names an anchor that did not sign it.
    #[error("the signer was not signed by the state that it names")]
    SignerForged,
    /// The anchor was not valid when it signed the signer.
    #[error("the anchor was not valid when it signed the signer")]
    AnchorNotValid,
    /// The signer, or the anchor itself, was revoked.
    #[error("the signer was revoked on {on}")]
    Revoked {
        /// The day.
        on: Date,
    },
}

/// `2.23.136.1.1`: purposes that ICAO has given to other signers than those of documents.
const ICAO_PURPOSES: &[u8] = &[0x67, 0x81, 0x08, 0x01, 0x01];

/// Checks that `groups`, pairs of a data group's number and its whole file, are what a state signed.
///
/// `today` decides where the document does not say when it was signed, and tells which lists of
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
        Ok(signer) => origin_of(signer, signed_on.unwrap_or(today), anchors, today)?,
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

/// Returns whether a state signed the signer of a document, which signed it on `day`.
fn origin_of(
    signer: &Certificate,
    day: Date,
    anchors: &Anchors,
    today: Date,
) -> Result<Origin, Refuted> {
    let is_for_others = signer.purposes().any(|purpose| purpose.starts_with(ICAO_PURPOSES));
    if !signer.has_usage(KeyUsage::DigitalSignature) || is_for_others {
        return Err(Refuted::SignerUsage);
    }
    if !signer.is_valid_on(day) {
        return Err(Refuted::SignerNotValid { day });
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
    let revocation = match anchors.revocation_of(signer, anchor, today) {
        Revocation::Revoked { on } => return Err(Refuted::Revoked { on }),
        revocation => revocation,
    };
    // Every anchor names its country, and that of the signer is the same.
    match anchor.subject().country() {
        Some(country) => {
            Ok(Origin::Anchored { country, anchor: anchor.fingerprint(), revocation })
        }
        None => Ok(Origin::NotVerified(NotVerified::NoAnchorOfCountry(None))),
    }
}
