//! The rules that a package must pass, in order; each fails closed, and nothing is kept on the way.
//!
//! Terms are those of TUF (root, roles, thresholds, versions, expiry). Persisting trust is left to
//! the installer, which does it in the transaction that switches the snapshot: trusting anything
//! before all checks have passed was a fault of other clients (CVE-2025-2888).

use ed25519_dalek::{Signature as Ed25519, VerifyingKey};
use sync_format::codec::{self, DecodeError, Kind};
use sync_format::v1::package::{
    self, Dataset, Domain, Envelope, InnerManifest, KeySet, Manifest, PackageError, Purpose, Role,
    Root, RootChain, Signature, SignedManifest, SnapshotVersion, sha256,
};

use super::{APP, Refusal, Signed, Snapshot, Verified};
use crate::clock::TrustedTime;

/// What this device trusts, and what it has seen already.
#[derive(Clone, Debug)]
pub struct Trust {
    /// SHA-256 of the encoded root document, pinned at enrolment.
    pub root_hash: [u8; 32],
    /// Real use or a demonstration: the two never mix.
    pub purpose: Purpose,
    /// The newest version of the notices that was ever installed here.
    pub notices_floor: Option<SnapshotVersion>,
    /// The newest version of the register that was ever installed here.
    pub register_floor: Option<SnapshotVersion>,
    /// What the device knows of the time.
    pub time: TrustedTime,
}

/// A package made later than the device's clock says: accepted up to this many seconds ahead, for
/// clocks differ. A signed time raises the device's floor, so one far ahead could freeze it.
const MAX_AHEAD_SECONDS: i64 = 24 * 3_600;

/// Checks everything that stands before the chunks, and gives the proof that it was checked.
pub fn verify(signed: Signed<Snapshot>, trust: &Trust) -> Result<Verified<Snapshot>, Refusal> {
    let sections = signed.sections;
    let root = verify_root(&sections.root_chain, trust)?;
    let (manifest, manifest_bytes) = verify_manifest(&sections.manifest, &root)?;
    check_version(&manifest, &root, trust)?;
    let (inner, inner_bytes) = open_envelope(&sections.envelope, &manifest)?;
    inner.validate(&manifest).map_err(contradictory("inner manifest"))?;
    Ok(Verified {
        content: Snapshot { manifest, inner, purpose: root.purpose, manifest_bytes, inner_bytes },
    })
}

/// Returns the root document where it is the pinned one and is signed by its own threshold.
fn verify_root(bytes: &[u8], trust: &Trust) -> Result<Root, Refusal> {
    let RootChain(chain) =
        codec::decode(Kind::RootChain, bytes).map_err(undecodable("root chain"))?;
    let signed = match chain.as_slice() {
        [only] => only,
        [] => return Err(Refusal::NoRoot),
        _ => return Err(Refusal::RotationNotSupported),
    };
    if sha256(&signed.root) != trust.root_hash {
        return Err(Refusal::ForeignRoot);
    }
    let root: Root =
        codec::decode(Kind::Root, &signed.root).map_err(undecodable("root document"))?;
    root.validate().map_err(contradictory("root document"))?;
    require(&root.root_keys, "root", Domain::Root, &signed.root, &signed.signatures)?;
    if root.purpose != trust.purpose {
        return Err(Refusal::WrongPurpose);
    }
    if trust.time.upper.0 >= root.expires {
        return Err(Refusal::RootExpired);
    }
    Ok(root)
}

fn verify_manifest(bytes: &[u8], root: &Root) -> Result<(Manifest, Vec<u8>), Refusal> {
    let signed: SignedManifest =
        codec::decode(Kind::SignedManifest, bytes).map_err(undecodable("signed manifest"))?;
    // Decoding what is not verified yet is safe (limits, no side effects) and needed: the dataset
    // says whose signatures to ask for. Nothing else of it is used before they hold.
    let manifest: Manifest =
        codec::decode(Kind::Manifest, &signed.manifest).map_err(undecodable("manifest"))?;
    let needed: &[(Role, &'static str)] = match manifest.dataset {
        Dataset::Notices => {
            &[(Role::NoticesAuthor, "authors"), (Role::NoticesApprover, "approvers")]
        }
        Dataset::Register => &[(Role::Register, "register")],
        Dataset::Anchors => return Err(Refusal::DatasetNotSupported),
    };
    for (role, word) in needed {
        let Some(keys) = root.keys_of(*role) else {
            return Err(Refusal::Signatures { role: word, valid: 0, needed: 1 });
        };
        require(keys, word, Domain::Manifest, &signed.manifest, &signed.signatures)?;
    }
    Ok((manifest, signed.manifest))
}

/// Requires valid signatures by as many different keys of `keys` as its threshold says.
///
/// `verify_strict` refuses keys and signatures that several messages would satisfy.
fn require(
    keys: &KeySet,
    role: &'static str,
    domain: Domain,
    signed: &[u8],
    signatures: &[Signature],
) -> Result<(), Refusal> {
    let message = package::signing_bytes(domain, signed);
    let is_signed_by = |key: &[u8; 32]| {
        let Ok(verifying) = VerifyingKey::from_bytes(key) else { return false };
        signatures
            .iter()
            .filter(|signature| signature.key_id == package::key_id(key))
            .any(|signature| {
                verifying.verify_strict(&message, &Ed25519::from_bytes(&signature.bytes)).is_ok()
            })
    };
    let valid = keys.keys.iter().filter(|key| is_signed_by(key)).count();
    if valid >= usize::from(keys.threshold) {
        Ok(())
    } else {
        Err(Refusal::Signatures {
            role,
            valid: u8::try_from(valid).unwrap_or(u8::MAX),
            needed: keys.threshold,
        })
    }
}

fn check_version(manifest: &Manifest, root: &Root, trust: &Trust) -> Result<(), Refusal> {
    if manifest.version.epoch != root.epoch {
        return Err(Refusal::WrongEpoch { found: manifest.version.epoch, root: root.epoch });
    }
    let floor = match manifest.dataset {
        Dataset::Register => trust.register_floor,
        Dataset::Notices | Dataset::Anchors => trust.notices_floor,
    };
    if let Some(installed) = floor
        && manifest.version <= installed
    {
        return Err(Refusal::NotNewer { offered: manifest.version, installed });
    }
    if trust.time.upper.0 >= manifest.expires {
        return Err(Refusal::Expired);
    }
    if manifest.created > trust.time.upper.0.saturating_add(MAX_AHEAD_SECONDS) {
        return Err(Refusal::FromTheFuture);
    }
    if manifest.base.is_some() {
        return Err(Refusal::DeltaNotSupported);
    }
    manifest.validate().map_err(contradictory("manifest"))?;
    if manifest.min_app > APP {
        return Err(Refusal::AppTooOld { needed: manifest.min_app, here: APP });
    }
    Ok(())
}

fn open_envelope(bytes: &[u8], manifest: &Manifest) -> Result<(InnerManifest, Vec<u8>), Refusal> {
    if bytes.len() != manifest.envelope_len as usize || sha256(bytes) != manifest.envelope_hash {
        return Err(Refusal::Envelope);
    }
    let envelope: Envelope =
        codec::decode(Kind::Envelope, bytes).map_err(undecodable("envelope"))?;
    let inner = envelope.open().map_err(|error| match error {
        PackageError::Sealed { .. } => Refusal::SealingNotSupported,
        other => contradictory("envelope")(other),
    })?;
    Ok((inner, envelope.inner))
}

fn undecodable(section: &'static str) -> impl Fn(DecodeError) -> Refusal {
    move |source| Refusal::Undecodable { section, source }
}

fn contradictory(section: &'static str) -> impl Fn(PackageError) -> Refusal {
    move |source| Refusal::Contradictory { section, source }
}
