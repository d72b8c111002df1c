//! The rules that a package must pass, in order; each fails closed, and nothing is kept on the way.
//!
//! Terms are those of TUF (root, roles, thresholds, versions, expiry). Persisting trust is left to
//! the installer, which does it in the transaction that switches the snapshot: trusting anything
//! before all checks have passed was a fault of other clients (CVE-2025-2888).

use ed25519_dalek::{Signature as Ed25519, VerifyingKey};
use sync_format::codec::{self, DecodeError, Kind};
use sync_format::v1::package::seal::{self, Part, SealSecret, Seed};
use sync_format::v1::package::{
    self, Base, Dataset, Domain, Envelope, Grant, InnerManifest, KeySet, Manifest, PackageError,
    PartRef, Purpose, Role, Root, RootChain, Signature, SignedManifest, SignedRoot,
    SnapshotVersion, sha256,
};
use sync_format::v1::register::region_of;
use zeroize::Zeroizing;

use super::{APP, Refusal, Signed, Snapshot, Verified};
use crate::clock::{DeviceTime, TrustedTime};

/// What this device trusts, and what it has seen already.
#[derive(Clone, Debug)]
pub struct Trust {
    /// SHA-256 of the newest encoded root document that this device has believed: the one pinned at
    /// enrolment, or one that was rotated to since.
    pub root_hash: [u8; 32],
    /// Real use or a demonstration: the two never mix.
    pub purpose: Purpose,
    /// What is installed of the notices.
    pub notices: Held,
    /// What is installed of the register.
    pub register: Held,
    /// What is installed of the anchors.
    pub anchors: Held,
    /// What the device knows of the time.
    pub time: TrustedTime,
    /// What its real-time clock says, from which the time begins anew when the epoch rises.
    pub real_time: DeviceTime,
}

/// What a device holds of a dataset.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// The newest version that was ever installed here.
    pub floor: Option<SnapshotVersion>,
    /// The installed full package, which a delta must name.
    pub base: Option<Base>,
    /// The tag key of that package, which its deltas keep.
    pub tag_key: Option<[u8; 32]>,
}

/// Shows nothing of the tag key.
impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held")
            .field("floor", &self.floor)
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

/// Who opens the envelope.
#[derive(Clone, Copy, Debug)]
pub enum Opener<'a> {
    /// A device, with its own key.
    Device(&'a SealSecret),
    /// Headquarters, which built the package, as the unit of this number would.
    Headquarters(&'a Seed, u32),
}

/// The newest root document of a package's chain, to be trusted when the package is in use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewestRoot {
    /// The document.
    pub root: Root,
    /// Its encoded bytes.
    pub bytes: Vec<u8>,
    /// SHA-256 of these.
    pub hash: [u8; 32],
    /// Whether its epoch is above that of the root trusted before, so that versions and the lower
    /// bound of the time begin anew.
    pub raises_epoch: bool,
}

/// A package made later than the device's clock says: accepted up to this many seconds ahead, for
/// clocks differ. A signed time raises the device's floor, so one far ahead could freeze it; where
/// the clock is wrong and not the package, whoever sets the clock right is the second source.
pub(crate) const MAX_AHEAD_SECONDS: i64 = 24 * 3_600;

/// Checks everything that stands before the chunks, and gives the proof that it was checked.
pub fn verify(
    signed: Signed<Snapshot>,
    trust: &Trust,
    opener: Opener<'_>,
) -> Result<Verified<Snapshot>, Refusal> {
    let sections = signed.sections;
    let newest = verify_root_chain(&sections.root_chain, trust)?;
    let time = if newest.raises_epoch {
        TrustedTime::new(DeviceTime(newest.root.made), trust.real_time)
    } else {
        trust.time
    };
    if time.upper.0 >= newest.root.expires {
        return Err(Refusal::RootExpired);
    }
    let (manifest, manifest_bytes) = verify_manifest(&sections.manifest, &newest.root)?;
    let held = match manifest.dataset {
        Dataset::Notices => &trust.notices,
        Dataset::Register => &trust.register,
        Dataset::Anchors => &trust.anchors,
    };
    check_version(&manifest, &newest.root, held, time)?;
    let (envelope, grant) = open_envelope(&sections.envelope, &manifest, opener)?;
    let inner = open_inner(&sections.inner, &manifest, &grant)?;
    if manifest.base.is_some() && inner.tag_key != held.tag_key {
        return Err(Refusal::WrongTagKey);
    }
    let chunks = check_granted(&envelope, &grant, &inner, &manifest)?;
    let inner = restrict(inner, &grant, &chunks, manifest.dataset);
    let inner_bytes = codec::encode(Kind::InnerManifest, &inner)
        .map_err(|error| contradictory("inner manifest")(error.into()))?;
    Ok(Verified {
        chunks,
        content: Snapshot {
            freshness: grant
                .freshness
                .map_or(manifest.freshness, |unit| manifest.freshness.stricter(unit)),
            chip_required: manifest.chip_required || grant.chip_required,
            unit: grant.unit,
            purpose: newest.root.purpose,
            root: newest,
            manifest,
            inner,
            manifest_bytes,
            inner_bytes,
        },
        grant,
    })
}

/// Walks a root chain: each document is signed by the threshold of the one before it and by its own,
/// and counts one more. The root that is trusted must be among them.
///
/// Returns the newest; that it has not expired is for the caller to see, who knows the time.
pub fn verify_root_chain(bytes: &[u8], trust: &Trust) -> Result<NewestRoot, Refusal> {
    let RootChain(chain) =
        codec::decode(Kind::RootChain, bytes).map_err(undecodable("root chain"))?;
    if chain.is_empty() {
        return Err(Refusal::NoRoot);
    }
    // Before anything else of the chain is looked at, it must be ours at all.
    if !chain.iter().any(|signed| sha256(&signed.root) == trust.root_hash) {
        return Err(Refusal::ForeignRoot);
    }
    let mut before: Option<Root> = None;
    let mut trusted_epoch = None;
    for signed in &chain {
        let root = verify_root(signed, before.as_ref(), trust.purpose)?;
        if sha256(&signed.root) == trust.root_hash {
            trusted_epoch = Some(root.epoch);
        }
        before = Some(root);
    }
    let (Some(root), Some(signed), Some(trusted_epoch)) = (before, chain.last(), trusted_epoch)
    else {
        return Err(Refusal::NoRoot);
    };
    Ok(NewestRoot {
        raises_epoch: root.epoch > trusted_epoch,
        root,
        hash: sha256(&signed.root),
        bytes: signed.root.clone(),
    })
}

fn verify_root(
    signed: &SignedRoot,
    before: Option<&Root>,
    purpose: Purpose,
) -> Result<Root, Refusal> {
    let SignedRoot { root: bytes, signatures } = signed;
    let root: Root = codec::decode(Kind::Root, bytes).map_err(undecodable("root document"))?;
    root.validate().map_err(contradictory("root document"))?;
    if let Some(role) = weak_key(&root) {
        return Err(Refusal::WeakKey { role });
    }
    if root.purpose != purpose {
        return Err(Refusal::WrongPurpose);
    }
    require(&root.root_keys, "root", Domain::Root, bytes, signatures)?;
    let mut keys = root.root_keys.keys.clone();
    if let Some(before) = before {
        let expected = before.root_version.saturating_add(1);
        if root.root_version != expected {
            return Err(Refusal::RootVersion { found: root.root_version, expected });
        }
        if root.epoch < before.epoch {
            return Err(Refusal::EpochBack { found: root.epoch, before: before.epoch });
        }
        require(&before.root_keys, "root before", Domain::Root, bytes, signatures)?;
        keys.extend(&before.root_keys.keys);
    }
    refuse_strays("root document", keys.iter(), Domain::Root, bytes, signatures)?;
    Ok(root)
}

/// Returns whose key is none, or one under which many messages have the same signature.
fn weak_key(root: &Root) -> Option<&'static str> {
    let is_weak = |key: &[u8; 32]| VerifyingKey::from_bytes(key).map_or(true, |key| key.is_weak());
    if root.root_keys.keys.iter().any(is_weak) {
        return Some("root");
    }
    let role = root.roles.iter().find(|role| role.keys.keys.iter().any(is_weak))?;
    Some(role.role.code())
}

/// Says whether a manifest is signed as this root demands; nothing yet of version, time or contents.
pub(crate) fn verify_manifest(bytes: &[u8], root: &Root) -> Result<(Manifest, Vec<u8>), Refusal> {
    let signed: SignedManifest =
        codec::decode(Kind::SignedManifest, bytes).map_err(undecodable("signed manifest"))?;
    // Decoding what is not verified yet is safe (limits, no side effects) and needed: the dataset
    // says whose signatures to ask for. Nothing else of it is used before they hold.
    let manifest: Manifest = match codec::decode(Kind::Manifest, &signed.manifest) {
        // A dataset of a later version: which role signs it nobody here knows, but that one did tells
        // it from a damaged byte.
        Err(DecodeError::UnknownNumber { what: DATASET, .. }) if is_by_any_role(&signed, root) => {
            return Err(Refusal::DatasetNotSupported);
        }
        decoded => decoded.map_err(undecodable("manifest"))?,
    };
    let needed: &[(Role, &'static str)] = match manifest.dataset {
        Dataset::Notices => NOTICE_SIGNERS,
        Dataset::Register => &[(Role::Register, "register")],
        Dataset::Anchors => &[(Role::Anchors, "anchors")],
    };
    require_roles(
        root,
        needed,
        "manifest",
        Domain::Manifest,
        &signed.manifest,
        &signed.signatures,
    )?;
    Ok((manifest, signed.manifest))
}

/// What the codec calls the closed list of datasets.
const DATASET: &str = "dataset";

/// Who must sign what is said of notices: two people, of disjoint sets of keys.
pub(crate) const NOTICE_SIGNERS: &[(Role, &str)] =
    &[(Role::NoticesAuthor, "authors"), (Role::NoticesApprover, "approvers")];

/// Whether a key of any role has signed it.
fn is_by_any_role(signed: &SignedManifest, root: &Root) -> bool {
    let message = package::signing_bytes(Domain::Manifest, &signed.manifest);
    let mut keys = root.roles.iter().flat_map(|held| &held.keys.keys);
    keys.any(|key| signed.signatures.iter().any(|signature| is_by(signature, key, &message)))
}

/// Requires the thresholds of these roles, and no other signature.
pub(crate) fn require_roles(
    root: &Root,
    needed: &[(Role, &'static str)],
    section: &'static str,
    domain: Domain,
    signed: &[u8],
    signatures: &[Signature],
) -> Result<(), Refusal> {
    for (role, word) in needed {
        let Some(keys) = root.keys_of(*role) else {
            return Err(Refusal::Signatures { role: word, valid: 0, needed: 1 });
        };
        require(keys, word, domain, signed, signatures)?;
    }
    let keys = needed.iter().filter_map(|(role, _)| root.keys_of(*role)).flat_map(|set| &set.keys);
    refuse_strays(section, keys, domain, signed, signatures)
}

/// Requires valid signatures by as many different keys of `keys` as its threshold says.
fn require(
    keys: &KeySet,
    role: &'static str,
    domain: Domain,
    signed: &[u8],
    signatures: &[Signature],
) -> Result<(), Refusal> {
    let message = package::signing_bytes(domain, signed);
    let is_signed_by =
        |key: &&[u8; 32]| signatures.iter().any(|signature| is_by(signature, key, &message));
    let valid = keys.keys.iter().filter(is_signed_by).count();
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

/// Refuses a signature that is by none of `keys`, or not valid.
///
/// Thresholds alone would let a damaged signature pass beside enough good ones; a package with a
/// changed bit is refused wherever the bit is.
fn refuse_strays<'a>(
    section: &'static str,
    keys: impl Iterator<Item = &'a [u8; 32]> + Clone,
    domain: Domain,
    signed: &[u8],
    signatures: &[Signature],
) -> Result<(), Refusal> {
    let message = package::signing_bytes(domain, signed);
    let is_stray = |signature: &Signature| !keys.clone().any(|key| is_by(signature, key, &message));
    if signatures.iter().any(is_stray) { Err(Refusal::StraySignature { section }) } else { Ok(()) }
}

/// Whether `signature` names `key` and is valid under it.
///
/// `verify_strict` refuses keys and signatures that several messages would satisfy.
fn is_by(signature: &Signature, key: &[u8; 32], message: &[u8]) -> bool {
    signature.key_id == package::key_id(key)
        && VerifyingKey::from_bytes(key).is_ok_and(|key| {
            key.verify_strict(message, &Ed25519::from_bytes(&signature.bytes)).is_ok()
        })
}

fn check_version(
    manifest: &Manifest,
    root: &Root,
    held: &Held,
    time: TrustedTime,
) -> Result<(), Refusal> {
    if manifest.version.epoch != root.epoch {
        return Err(Refusal::WrongEpoch { found: manifest.version.epoch, root: root.epoch });
    }
    if let Some(installed) = held.floor
        && manifest.version <= installed
    {
        return Err(Refusal::NotNewer { offered: manifest.version, installed });
    }
    if time.upper.0 >= manifest.expires {
        return Err(Refusal::Expired);
    }
    if manifest.created > time.upper.0.saturating_add(MAX_AHEAD_SECONDS) {
        return Err(Refusal::FromTheFuture);
    }
    manifest.validate().map_err(contradictory("manifest"))?;
    if manifest.base.is_some() && manifest.base != held.base {
        let needed = manifest.base.map_or(0, |base| base.version);
        return Err(Refusal::WrongBase { needed, installed: held.base.map(|base| base.version) });
    }
    if manifest.min_app > APP {
        return Err(Refusal::AppTooOld { needed: manifest.min_app, here: APP });
    }
    Ok(())
}

fn open_envelope(
    bytes: &[u8],
    manifest: &Manifest,
    opener: Opener<'_>,
) -> Result<(Envelope, Grant), Refusal> {
    if !manifest.envelopes.contains(&PartRef::of(bytes)) {
        return Err(Refusal::Envelope);
    }
    let envelope: Envelope =
        codec::decode(Kind::Envelope, bytes).map_err(undecodable("envelope"))?;
    envelope.validate(manifest).map_err(contradictory("envelope"))?;
    let unit_key = match opener {
        Opener::Headquarters(seed, unit) => seed.unit_key(unit),
        Opener::Device(secret) => {
            let hint = seal::hint(&manifest.package, &secret.public());
            let own = |it: &&package::Recipient| it.hint == hint;
            let recipient =
                envelope.recipients.iter().find(own).ok_or(Refusal::NotForThisDevice)?;
            seal::unwrap(&manifest.package, recipient, secret)
                .map_err(|_| Refusal::NotForThisDevice)?
        }
    };
    let grant = seal::open(&manifest.package, Part::Grant, &unit_key, &envelope.grant)
        .map(Zeroizing::new)
        .map_err(|_| Refusal::Envelope)?;
    let grant: Grant = codec::decode(Kind::Grant, &grant).map_err(undecodable("grant"))?;
    grant.validate(manifest).map_err(contradictory("grant"))?;
    Ok((envelope, grant))
}

fn open_inner(bytes: &[u8], manifest: &Manifest, grant: &Grant) -> Result<InnerManifest, Refusal> {
    if PartRef::of(bytes) != manifest.inner {
        return Err(Refusal::Inner);
    }
    let inner = seal::open(&manifest.package, Part::Inner, &grant.inner_key, bytes)
        .map(Zeroizing::new)
        .map_err(|_| Refusal::Inner)?;
    let inner: InnerManifest =
        codec::decode(Kind::InnerManifest, &inner).map_err(undecodable("inner manifest"))?;
    inner.validate(manifest).map_err(contradictory("inner manifest"))?;
    Ok(inner)
}

/// Returns the chunks that travel with the package: all those of the regions that the unit may read,
/// or a register would silently lack rows.
fn check_granted(
    envelope: &Envelope,
    grant: &Grant,
    inner: &InnerManifest,
    manifest: &Manifest,
) -> Result<Vec<u32>, Refusal> {
    let granted = |first: u64| {
        manifest.dataset != Dataset::Register || grant.content_key(region_of(first)).is_some()
    };
    let chunks: Vec<u32> = (0..)
        .zip(&inner.chunks)
        .filter(|(_, chunk)| granted(chunk.first))
        .map(|(index, _)| index)
        .collect();
    if envelope.chunk_indices() != chunks {
        return Err(contradictory("envelope")(PackageError::Runs));
    }
    if manifest.dataset == Dataset::Register && grant.content_keys.is_empty() {
        return Err(Refusal::NotForThisDevice);
    }
    Ok(chunks)
}

/// Returns what the inner manifest says of the part that this unit reads.
fn restrict(
    mut inner: InnerManifest,
    grant: &Grant,
    chunks: &[u32],
    dataset: Dataset,
) -> InnerManifest {
    if dataset == Dataset::Register {
        inner.regions.retain(|region| grant.content_key(*region).is_some());
        inner.chunks = chunks.iter().map(|index| inner.chunks[*index as usize]).collect();
        inner.rows = inner.chunks.iter().map(|chunk| u64::from(chunk.rows)).sum();
    }
    inner
}

fn undecodable(section: &'static str) -> impl Fn(DecodeError) -> Refusal {
    move |source| Refusal::Undecodable { section, source }
}

fn contradictory(section: &'static str) -> impl Fn(PackageError) -> Refusal {
    move |source| Refusal::Contradictory { section, source }
}

#[cfg(test)]
mod tests {
    use sync_format::v1::package::layout::{LayoutError, Sections};
    use sync_format::v1::package::{Freshness, RoleKeys};

    use super::*;
    use crate::clock::DeviceTime;
    use crate::snapshot::keyring::Keyring;
    use crate::snapshot::testing::{Draft, HOUR, NOW, join, keyring, open, split, trust, version};

    type Outcome = Result<Verified<Snapshot>, Refusal>;

    fn verify_bytes(package: &[u8], trust: &Trust) -> Outcome {
        open(package, trust).map(|(verified, _)| verified)
    }

    /// Verifies a package of notices that was changed in one way, on a device that trusts its root.
    fn verify_changed(change: impl FnOnce(&mut Draft)) -> Outcome {
        let mut draft = Draft::notices();
        change(&mut draft);
        let trust = draft.trust();
        verify_bytes(&draft.encode(), &trust)
    }

    /// Verifies a package of notices on a device whose trust was changed in one way.
    fn verify_trusting(change: impl FnOnce(&mut Trust)) -> Outcome {
        let mut trust = trust();
        change(&mut trust);
        verify_bytes(&Draft::notices().encode(), &trust)
    }

    /// Verifies a package under this root chain.
    fn verify_under(chain: RootChain) -> Outcome {
        let package = Draft::notices().encode();
        let (sections, chunks) = split(&package);
        let root_chain = codec::encode(Kind::RootChain, &chain).unwrap();
        verify_bytes(&join(Sections { root_chain, ..sections }, chunks), &trust())
    }

    /// Verifies a package whose manifest carries these signatures.
    fn verify_signed(draft: Draft, sign: impl FnOnce(&[u8]) -> Vec<Signature>) -> Outcome {
        let trust = draft.trust();
        let root_chain = keyring().sign_root(draft.root_bytes()).unwrap();
        verify_bytes(&draft.encode_signed(root_chain, sign), &trust)
    }

    fn signed_root() -> SignedRoot {
        let chain = keyring().sign_root(Draft::notices().root_bytes()).unwrap();
        let RootChain(mut chain) = codec::decode(Kind::RootChain, &chain).unwrap();
        chain.remove(0)
    }

    macro_rules! assert_refused {
        ($outcome:expr, $expected:pat $(if $guard:expr)?) => {
            match $outcome {
                Err($expected) $(if $guard)? => {}
                Err(other) => panic!("refused for another reason: {other:?}"),
                Ok(_) => panic!("accepted"),
            }
        };
    }

    #[test]
    fn a_package_of_each_dataset_is_believed() {
        let verified = verify_changed(|_| ()).unwrap();
        assert_eq!(verified.snapshot().manifest.dataset, Dataset::Notices);
        let verified = verify_bytes(&Draft::register().encode(), &trust()).unwrap();
        assert_eq!(verified.snapshot().manifest.dataset, Dataset::Register);
        let verified = verify_bytes(&Draft::anchors().encode(), &trust()).unwrap();
        assert_eq!(verified.snapshot().manifest.dataset, Dataset::Anchors);
    }

    #[test]
    fn only_the_pinned_root_is_trusted() {
        let other_keys = Keyring::simulated(2);
        let root = other_keys.root(Purpose::Demo, 1, NOW.0, NOW.0 + HOUR).unwrap();
        let chain = codec::decode(Kind::RootChain, &other_keys.sign_root(root).unwrap()).unwrap();
        assert_refused!(verify_under(chain), Refusal::ForeignRoot);
        // The same keys, but not the document that was pinned.
        let root = keyring().root(Purpose::Demo, 1, NOW.0, NOW.0 + HOUR).unwrap();
        let chain = codec::decode(Kind::RootChain, &keyring().sign_root(root).unwrap()).unwrap();
        assert_refused!(verify_under(chain), Refusal::ForeignRoot);
    }

    /// A chain that hands over to other keys, with this epoch.
    fn rotated(epoch: u32) -> RootChain {
        let chain = keyring().sign_root(Draft::notices().root_bytes()).unwrap();
        let (made, expires) = (NOW.0, NOW.0 + 365 * 24 * HOUR);
        let next = Keyring::simulated(2);
        let chain = keyring().rotate(&chain, &next, epoch, made, expires).unwrap();
        codec::decode(Kind::RootChain, &chain).unwrap()
    }

    /// Walks a root chain on a device that trusts the first of it.
    fn walk(chain: &RootChain) -> Result<NewestRoot, Refusal> {
        verify_root_chain(&codec::encode(Kind::RootChain, chain).unwrap(), &trust())
    }

    /// Changes the newest document of a chain and has it signed again by these people.
    fn change_newest(chain: &mut RootChain, signers: &[u64], change: impl FnOnce(&mut Root)) {
        let newest = chain.0.last_mut().unwrap();
        let mut root: Root = codec::decode(Kind::Root, &newest.root).unwrap();
        change(&mut root);
        newest.root = codec::encode(Kind::Root, &root).unwrap();
        let sign =
            |seed: &u64| Keyring::simulated(*seed).signed_root(newest.root.clone()).signatures;
        newest.signatures = signers.iter().flat_map(sign).collect();
    }

    #[test]
    fn a_chain_holds_a_root() {
        assert_refused!(verify_under(RootChain(Vec::new())), Refusal::NoRoot);
    }

    #[test]
    fn a_rotation_is_signed_by_the_old_keys_and_the_new_ones() {
        let newest = walk(&rotated(1)).unwrap();
        assert_eq!((newest.root.root_version, newest.raises_epoch), (2, false));
        assert_eq!(newest.hash, sha256(&newest.bytes));
        assert!(walk(&rotated(2)).unwrap().raises_epoch);
        let mut by_old_alone = rotated(1);
        change_newest(&mut by_old_alone, &[1], |_| ());
        assert_refused!(walk(&by_old_alone), Refusal::Signatures { role: "root", valid: 0, .. });
        let mut by_new_alone = rotated(1);
        change_newest(&mut by_new_alone, &[2], |_| ());
        assert_refused!(
            walk(&by_new_alone),
            Refusal::Signatures { role: "root before", valid: 0, needed: 2 }
        );
        let mut and_a_stranger = rotated(1);
        change_newest(&mut and_a_stranger, &[1, 2, 9], |_| ());
        assert_refused!(walk(&and_a_stranger), Refusal::StraySignature { .. });
    }

    #[test]
    fn a_rotation_is_one_step_and_never_back() {
        for (version, epoch) in [(1, 1), (3, 1), (u32::MAX, 1)] {
            let mut chain = rotated(epoch);
            change_newest(&mut chain, &[1, 2], |root| root.root_version = version);
            assert_refused!(walk(&chain), Refusal::RootVersion { found, expected: 2 }
                if found == version);
        }
        let mut chain = rotated(1);
        change_newest(&mut chain, &[1, 2], |root| root.epoch = 0);
        assert_refused!(walk(&chain), Refusal::EpochBack { found: 0, before: 1 });
        let mut skips = rotated(1);
        skips.0.push(skips.0[1].clone());
        assert_refused!(walk(&skips), Refusal::RootVersion { found: 2, expected: 3 });
        let mut other_purpose = rotated(1);
        let real = |root: &mut Root| root.purpose = Purpose::Production;
        change_newest(&mut other_purpose, &[1, 2], real);
        assert_refused!(walk(&other_purpose), Refusal::WrongPurpose);
    }

    #[test]
    fn whoever_trusts_the_newer_root_is_not_led_back() {
        let chain = rotated(1);
        let on_newer = Trust { root_hash: sha256(&chain.0[1].root), ..trust() };
        let encoded = codec::encode(Kind::RootChain, &chain).unwrap();
        assert!(verify_root_chain(&encoded, &on_newer).is_ok());
        let old = codec::encode(Kind::RootChain, &RootChain(chain.0[..1].to_vec())).unwrap();
        assert_refused!(verify_root_chain(&old, &on_newer), Refusal::ForeignRoot);
    }

    #[test]
    fn a_key_that_proves_nothing_is_refused() {
        // The neutral element, under which a signature of zeros fits many messages.
        let weak = [[1; 1].as_slice(), &[0; 31]].concat().try_into().unwrap();
        let as_root = verify_changed(|draft| draft.root.root_keys.keys[2] = weak);
        assert_refused!(as_root, Refusal::WeakKey { role: "root" });
        let as_author = verify_changed(|draft| draft.root.roles[0].keys.keys[0] = weak);
        assert_refused!(as_author, Refusal::WeakKey { role: "notices-author" });
    }

    #[test]
    fn a_raised_epoch_is_the_way_out_of_the_year_2099() {
        // A stolen key signed the greatest version in the year 2099, on a device whose clock was
        // set there: nothing signed today is new, nor valid, any more.
        let year_2099 = DeviceTime(4_070_908_800);
        let mut frozen = trust();
        frozen.notices.floor = Some(version(u64::MAX));
        frozen.time = TrustedTime::new(year_2099, NOW);
        let package = Draft::notices().encode();
        assert_refused!(verify_bytes(&package, &frozen), Refusal::RootExpired);
        let mut draft = Draft::notices();
        draft.manifest.version = SnapshotVersion { epoch: 2, version: 1 };
        let chain = codec::encode(Kind::RootChain, &rotated(2)).unwrap();
        let package = draft.encode_signed(chain, |manifest| {
            let sign = |role| Keyring::simulated(2).sign_manifest(role, manifest);
            [sign(Role::NoticesAuthor), sign(Role::NoticesApprover)].concat()
        });
        let verified = verify_bytes(&package, &frozen).unwrap();
        assert!(verified.snapshot().root.raises_epoch);
    }

    #[test]
    fn real_data_and_demonstration_never_mix() {
        let real = |draft: &mut Draft| draft.root.purpose = Purpose::Production;
        assert_refused!(verify_changed(real), Refusal::WrongPurpose);
        let on_a_real_device = verify_trusting(|trust| trust.purpose = Purpose::Production);
        assert_refused!(on_a_real_device, Refusal::WrongPurpose);
    }

    #[test]
    fn a_root_ends_at_its_end_by_the_later_bound_of_the_time() {
        assert_refused!(verify_changed(|draft| draft.root.expires = NOW.0), Refusal::RootExpired);
        assert!(verify_changed(|draft| draft.root.expires = NOW.0 + 1).is_ok());
        // A clock that was set back does not revive it.
        let mut draft = Draft::notices();
        draft.root.expires = NOW.0;
        let time = TrustedTime::new(NOW, NOW.plus_seconds(-24 * HOUR));
        let trust = Trust { time, ..draft.trust() };
        assert_refused!(verify_bytes(&draft.encode(), &trust), Refusal::RootExpired);
    }

    #[test]
    fn a_root_needs_as_many_different_keys_as_it_says() {
        let with = |keep: fn(&mut Vec<Signature>)| {
            let mut root = signed_root();
            keep(&mut root.signatures);
            verify_under(RootChain(vec![root]))
        };
        assert!(with(|signatures| signatures.truncate(2)).is_ok(), "two of three are enough");
        let too_few = with(|signatures| signatures.truncate(1));
        assert_refused!(too_few, Refusal::Signatures { role: "root", valid: 1, needed: 2 });
        let none = with(Vec::clear);
        assert_refused!(none, Refusal::Signatures { role: "root", valid: 0, needed: 2 });
        let one_twice = with(|signatures| *signatures = vec![signatures[0].clone(); 2]);
        assert_refused!(one_twice, Refusal::Signatures { role: "root", valid: 1, needed: 2 });
        let under_two_names = with(|signatures| {
            let second = Signature { key_id: signatures[1].key_id, ..signatures[0].clone() };
            *signatures = vec![signatures[0].clone(), second];
        });
        assert_refused!(under_two_names, Refusal::Signatures { role: "root", valid: 1, .. });
    }

    #[test]
    fn a_signature_for_something_else_is_none() {
        let mut root = signed_root();
        root.signatures = keyring().sign_manifest(Role::Register, &root.root);
        let refused = verify_under(RootChain(vec![root]));
        assert_refused!(refused, Refusal::Signatures { role: "root", valid: 0, .. });
        // By the right people, but of another manifest.
        let refused = verify_signed(Draft::notices(), |manifest| {
            let other = [manifest, &[0]].concat();
            let sign = |role| keyring().sign_manifest(role, &other);
            [sign(Role::NoticesAuthor), sign(Role::NoticesApprover)].concat()
        });
        assert_refused!(refused, Refusal::Signatures { role: "authors", valid: 0, .. });
    }

    #[test]
    fn a_damaged_signature_is_refused_even_beside_enough_good_ones() {
        for place in 0..3 {
            let mut root = signed_root();
            root.signatures[place].bytes[40] ^= 1;
            let refused = verify_under(RootChain(vec![root]));
            assert_refused!(refused, Refusal::StraySignature { section: "root document" });
            let mut root = signed_root();
            root.signatures[place].key_id[0] ^= 1;
            let refused = verify_under(RootChain(vec![root]));
            assert_refused!(refused, Refusal::StraySignature { section: "root document" });
        }
        let and_by_a_stranger = verify_signed(Draft::notices(), |manifest| {
            let author = keyring().sign_manifest(Role::NoticesAuthor, manifest);
            let approver = keyring().sign_manifest(Role::NoticesApprover, manifest);
            let stranger = Keyring::simulated(9).sign_manifest(Role::NoticesAuthor, manifest);
            [author, approver, stranger].concat()
        });
        assert_refused!(and_by_a_stranger, Refusal::StraySignature { section: "manifest" });
    }

    #[test]
    fn notices_need_an_author_and_an_approver() {
        let signed_by = |roles: &[Role]| verify_changed(|draft| draft.roles = roles.to_vec());
        assert!(signed_by(&[Role::NoticesApprover, Role::NoticesAuthor]).is_ok(), "in any order");
        for (roles, missing) in [
            (&[][..], "authors"),
            (&[Role::NoticesApprover], "authors"),
            (&[Role::Register], "authors"),
            (&[Role::Register, Role::NoticesApprover], "authors"),
            (&[Role::NoticesAuthor], "approvers"),
            (&[Role::NoticesAuthor, Role::NoticesAuthor], "approvers"),
            (&[Role::NoticesAuthor, Role::Register], "approvers"),
        ] {
            let refused = signed_by(roles);
            assert_refused!(refused, Refusal::Signatures { role, valid: 0, needed: 1 }
                if role == missing);
        }
    }

    #[test]
    fn a_register_needs_its_own_key() {
        for roles in [&[][..], &[Role::NoticesAuthor, Role::NoticesApprover]] {
            let mut draft = Draft::register();
            draft.roles = roles.to_vec();
            let refused = verify_bytes(&draft.encode(), &trust());
            assert_refused!(refused, Refusal::Signatures { role: "register", valid: 0, needed: 1 });
        }
    }

    #[test]
    fn anchors_need_as_many_of_their_keys_as_the_root_says() {
        for roles in [&[][..], &[Role::Register], &[Role::NoticesAuthor, Role::NoticesApprover]] {
            let mut draft = Draft::anchors();
            draft.roles = roles.to_vec();
            let refused = verify_bytes(&draft.encode(), &trust());
            assert_refused!(refused, Refusal::Signatures { role: "anchors", valid: 0, needed: 1 });
        }
        let second = Keyring::simulated(2);
        let with_two = || {
            let mut draft = Draft::anchors();
            for held in draft.root.roles.iter_mut().filter(|held| held.role == Role::Anchors) {
                held.keys.threshold = 2;
                held.keys.keys.extend(second.public_keys(Role::Anchors));
            }
            draft
        };
        let one = verify_signed(with_two(), |it| keyring().sign_manifest(Role::Anchors, it));
        assert_refused!(one, Refusal::Signatures { role: "anchors", valid: 1, needed: 2 });
        let both = verify_signed(with_two(), |manifest| {
            let sign = |keys: &Keyring| keys.sign_manifest(Role::Anchors, manifest);
            [sign(&keyring()), sign(&second)].concat()
        });
        assert!(both.is_ok(), "{both:?}");
        let mut nobody = Draft::anchors();
        nobody.root.roles.retain(|held| held.role != Role::Anchors);
        let trust = nobody.trust();
        let refused = verify_bytes(&nobody.encode(), &trust);
        assert_refused!(refused, Refusal::Signatures { role: "anchors", valid: 0, needed: 1 });
    }

    #[test]
    fn a_role_that_nobody_has_signs_nothing() {
        let without_approvers = |draft: &mut Draft| {
            draft.root.roles.retain(|role| role.role != Role::NoticesApprover);
        };
        let refused = verify_changed(without_approvers);
        assert_refused!(refused, Refusal::Signatures { role: "approvers", valid: 0, needed: 1 });
    }

    #[test]
    fn a_role_of_several_counts_each_of_them_once() {
        let second = Keyring::simulated(5);
        let of_two = || {
            let mut draft = Draft::notices();
            let authors = draft.root.roles.iter_mut();
            let authors = authors.filter(|role| role.role == Role::NoticesAuthor);
            for RoleKeys { keys, .. } in authors {
                keys.threshold = 2;
                keys.keys.extend(second.public_keys(Role::NoticesAuthor));
            }
            draft
        };
        let approve = |manifest: &[u8]| keyring().sign_manifest(Role::NoticesApprover, manifest);
        let author = |manifest: &[u8]| keyring().sign_manifest(Role::NoticesAuthor, manifest);
        let twice = verify_signed(of_two(), |manifest| {
            [author(manifest), author(manifest), approve(manifest)].concat()
        });
        assert_refused!(twice, Refusal::Signatures { role: "authors", valid: 1, needed: 2 });
        let both = verify_signed(of_two(), |manifest| {
            let second = second.sign_manifest(Role::NoticesAuthor, manifest);
            [author(manifest), second, approve(manifest)].concat()
        });
        assert!(both.is_ok(), "{both:?}");
    }

    #[test]
    fn nobody_approves_what_he_has_written() {
        let same_person = |draft: &mut Draft| {
            let author = keyring().public_keys(Role::NoticesAuthor);
            let approvers = draft.root.roles.iter_mut();
            for role in approvers.filter(|role| role.role == Role::NoticesApprover) {
                role.keys.keys = author.clone();
            }
            draft.roles = vec![Role::NoticesAuthor];
        };
        assert_refused!(
            verify_changed(same_person),
            Refusal::Contradictory {
                section: "root document",
                source: PackageError::AuthorApproves,
            }
        );
    }

    #[test]
    fn a_snapshot_ends_at_its_end_by_the_later_bound_of_the_time() {
        assert_refused!(verify_changed(|draft| draft.manifest.expires = NOW.0), Refusal::Expired);
        assert!(verify_changed(|draft| draft.manifest.expires = NOW.0 + 1).is_ok());
        let much_later = NOW.plus_seconds(31 * 24 * HOUR);
        let set_back = verify_trusting(|trust| trust.time = TrustedTime::new(much_later, NOW));
        assert_refused!(set_back, Refusal::Expired);
    }

    #[test]
    fn a_snapshot_is_made_a_day_ahead_at_most() {
        let made_in = |seconds: i64| {
            verify_changed(|draft| draft.manifest.created = NOW.0 + seconds).map(drop)
        };
        assert!(made_in(24 * HOUR).is_ok());
        assert_refused!(made_in(24 * HOUR + 1), Refusal::FromTheFuture);
        assert_refused!(
            verify_changed(|draft| {
                draft.manifest.created = i64::MAX - 1;
                draft.manifest.expires = i64::MAX;
            }),
            Refusal::FromTheFuture
        );
    }

    #[test]
    fn a_snapshot_is_of_the_roots_epoch() {
        for epoch in [0, 2] {
            let refused = verify_changed(|draft| draft.manifest.version.epoch = epoch);
            assert_refused!(refused, Refusal::WrongEpoch { found, root: 1 } if found == epoch);
        }
    }

    #[test]
    fn a_snapshot_is_newer_than_every_one_before() {
        let with_floor = |floor| verify_trusting(|trust| trust.notices.floor = Some(floor));
        for installed in [version(1), version(2), SnapshotVersion { epoch: 2, version: 0 }] {
            let refused = with_floor(installed);
            assert_refused!(refused, Refusal::NotNewer { offered, installed: found }
                if offered == version(1) && found == installed);
        }
        // A rotation starts the versions anew.
        assert!(with_floor(version(0)).is_ok());
        assert!(with_floor(SnapshotVersion { epoch: 0, version: 9 }).is_ok());
    }

    #[test]
    fn each_dataset_has_a_floor_of_its_own() {
        assert!(verify_trusting(|trust| trust.register.floor = Some(version(9))).is_ok());
        let register = Draft::register().encode();
        let held = Held { floor: Some(version(9)), ..Held::default() };
        let floor = Trust { register: held, ..trust() };
        assert_refused!(verify_bytes(&register, &floor), Refusal::NotNewer { .. });
        let floor = Trust { notices: held, anchors: held, ..trust() };
        assert!(verify_bytes(&register, &floor).is_ok());
        let anchors = Draft::anchors().encode();
        assert_refused!(verify_bytes(&anchors, &floor), Refusal::NotNewer { .. });
        let floor = Trust { notices: held, register: held, ..trust() };
        assert!(verify_bytes(&anchors, &floor).is_ok());
    }

    #[test]
    fn what_this_version_does_not_read_is_refused_by_name() {
        let package = Draft::notices().encode();
        let newer = verify_changed(|draft| draft.manifest.min_app = APP + 1);
        assert_refused!(newer, Refusal::AppTooOld { needed, here: APP } if needed == APP + 1);
        // The dataset stands behind version, kind and the 16 bytes of the package's id.
        let of_dataset = |number: u8, people: &Keyring| {
            let (mut sections, chunks) = split(&package);
            let signed: SignedManifest =
                codec::decode(Kind::SignedManifest, &sections.manifest).unwrap();
            let mut manifest = signed.manifest;
            manifest[18] = number;
            let sign = |role| people.sign_manifest(role, &manifest);
            let signatures = [sign(Role::NoticesAuthor), sign(Role::NoticesApprover)].concat();
            let signed = SignedManifest { manifest, signatures };
            sections.manifest = codec::encode(Kind::SignedManifest, &signed).unwrap();
            verify_bytes(&join(sections, chunks), &trust())
        };
        assert!(of_dataset(Dataset::Notices.number(), &keyring()).is_ok());
        for number in [0, 4, 200] {
            assert_refused!(of_dataset(number, &keyring()), Refusal::DatasetNotSupported);
            assert_refused!(
                of_dataset(number, &Keyring::simulated(9)),
                Refusal::Undecodable { section: "manifest", .. }
            );
        }
    }

    #[test]
    fn the_envelope_is_the_one_that_was_signed() {
        let package = Draft::notices().encode();
        let with = |change: fn(&mut Vec<u8>)| {
            let (mut sections, chunks) = split(&package);
            change(&mut sections.envelope);
            verify_bytes(&join(sections, chunks), &trust())
        };
        assert_refused!(with(|envelope| envelope[9] ^= 1), Refusal::Envelope);
        assert_refused!(with(|envelope| envelope.push(0)), Refusal::Envelope);
        assert_refused!(with(|envelope| envelope.truncate(envelope.len() - 1)), Refusal::Envelope);
        // Another package's, whole and well-formed.
        let other = split(&Draft::register().encode()).0.envelope;
        let (mut sections, chunks) = split(&package);
        sections.envelope = other;
        assert_refused!(verify_bytes(&join(sections, chunks), &trust()), Refusal::Envelope);
    }

    #[test]
    fn documents_that_contradict_themselves_or_each_other_are_refused() {
        let freshness = Freshness { fresh_hours: 73, usable_hours: 72 };
        assert_refused!(
            verify_changed(|draft| draft.manifest.freshness = freshness),
            Refusal::Contradictory { section: "manifest", source: PackageError::Freshness { .. } }
        );
        assert_refused!(
            verify_changed(|draft| {
                draft.manifest.expires = NOW.0 + HOUR;
                draft.manifest.created = NOW.0 + HOUR;
            }),
            Refusal::Contradictory { section: "manifest", source: PackageError::Times }
        );
        assert_refused!(
            verify_changed(|draft| draft.root.root_version = 0),
            Refusal::Contradictory { section: "root document", source: PackageError::RootVersion }
        );
        assert_refused!(
            verify_changed(|draft| draft.envelope.recipients[0].wrapped.truncate(47)),
            Refusal::Contradictory { section: "envelope", source: PackageError::Recipients }
        );
        assert_refused!(
            verify_changed(|draft| draft.inner.package[0] ^= 1),
            Refusal::Contradictory {
                section: "inner manifest",
                source: PackageError::OtherPackage,
            }
        );
        assert_refused!(
            verify_changed(|draft| draft.chunks.push(vec![0])),
            Refusal::Contradictory {
                section: "inner manifest",
                source: PackageError::ChunksDiffer { inner: 1, outer: 2 },
            }
        );
        assert_refused!(
            verify_changed(|draft| draft.inner.tag_key = Some([1; 32])),
            Refusal::Contradictory { section: "inner manifest", source: PackageError::TagKey }
        );
        assert_refused!(
            verify_changed(|draft| draft.inner.rows += 1),
            Refusal::Contradictory {
                section: "inner manifest",
                source: PackageError::RowSum { .. },
            }
        );
    }

    #[test]
    fn a_section_that_does_not_decode_is_named() {
        let package = Draft::notices().encode();
        let with = |change: fn(&mut Sections)| {
            let (mut sections, chunks) = split(&package);
            change(&mut sections);
            verify_bytes(&join(sections, chunks), &trust())
        };
        assert_refused!(
            with(|sections| sections.root_chain.push(0)),
            Refusal::Undecodable { section: "root chain", source: DecodeError::Trailing { .. } }
        );
        assert_refused!(
            with(|sections| sections.manifest[0] = 2),
            Refusal::Undecodable { section: "signed manifest", .. }
        );
        // Signed by everybody who must, and still not a manifest.
        let (sections, chunks) = split(&package);
        let manifest = b"not a manifest".to_vec();
        let signatures = [Role::NoticesAuthor, Role::NoticesApprover]
            .iter()
            .flat_map(|role| keyring().sign_manifest(*role, &manifest))
            .collect();
        let signed = SignedManifest { manifest, signatures };
        let manifest = codec::encode(Kind::SignedManifest, &signed).unwrap();
        assert_refused!(
            verify_bytes(&join(Sections { manifest, ..sections }, chunks), &trust()),
            Refusal::Undecodable { section: "manifest", .. }
        );
        // A root that was pinned and is none.
        let root = b"not a root".to_vec();
        let pinned = Trust { root_hash: sha256(&root), ..trust() };
        let root_chain = keyring().sign_root(root).unwrap();
        let (sections, chunks) = split(&package);
        assert_refused!(
            verify_bytes(&join(Sections { root_chain, ..sections }, chunks), &pinned),
            Refusal::Undecodable { section: "root document", .. }
        );
    }

    #[test]
    fn nothing_is_believed_before_its_length_is() {
        let refused = verify_bytes(b"FCSNAP\n\nno package", &trust());
        assert_refused!(refused, Refusal::NotAPackage(LayoutError::NotAPackage));
        let mut package = Draft::notices().encode();
        package[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        let refused = verify_bytes(&package, &trust());
        assert_refused!(refused, Refusal::NotAPackage(LayoutError::SectionLength { .. }));
    }

    #[test]
    fn every_refusal_has_a_short_name_of_its_own() {
        let damaged = |why| Refusal::DamagedChunk { chunk: 0, why };
        let refusals = [
            Refusal::Io(std::io::Error::from(std::io::ErrorKind::NotFound)),
            Refusal::NotAPackage(LayoutError::NotAPackage),
            Refusal::Undecodable { section: "", source: DecodeError::NotCanonical },
            Refusal::ForeignRoot,
            Refusal::RootVersion { found: 3, expected: 2 },
            Refusal::EpochBack { found: 1, before: 2 },
            Refusal::WeakKey { role: "" },
            Refusal::NoRoot,
            Refusal::Contradictory { section: "", source: PackageError::TagKey },
            Refusal::RootExpired,
            Refusal::WrongPurpose,
            Refusal::Signatures { role: "", valid: 0, needed: 1 },
            Refusal::StraySignature { section: "" },
            Refusal::Expired,
            Refusal::FromTheFuture,
            Refusal::WrongEpoch { found: 0, root: 1 },
            Refusal::NotNewer { offered: version(1), installed: version(1) },
            Refusal::WrongBase { needed: 1, installed: None },
            Refusal::WrongTagKey,
            Refusal::DatasetNotSupported,
            Refusal::AppTooOld { needed: 2, here: 1 },
            Refusal::Envelope,
            Refusal::NotForThisDevice,
            Refusal::Inner,
            damaged(crate::snapshot::ChunkFault::Hash),
            Refusal::TrailingBytes,
        ];
        let codes: std::collections::BTreeSet<&str> =
            refusals.iter().map(|refusal| refusal.code()).collect();
        assert_eq!(codes.len(), refusals.len());
    }

    #[test]
    fn a_device_without_a_clock_still_judges_by_what_was_signed() {
        // The floor is the enrolment; the battery of the clock is dead.
        let time = TrustedTime::new(NOW, DeviceTime(0));
        assert!(verify_trusting(|trust| trust.time = time).is_ok());
    }
}
