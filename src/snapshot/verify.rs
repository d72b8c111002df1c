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
    let keys = root.root_keys.keys.iter();
    refuse_strays("root document", keys, Domain::Root, &signed.root, &signed.signatures)?;
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
    let keys = needed.iter().filter_map(|(role, _)| root.keys_of(*role)).flat_map(|set| &set.keys);
    refuse_strays("manifest", keys, Domain::Manifest, &signed.manifest, &signed.signatures)?;
    Ok((manifest, signed.manifest))
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

#[cfg(test)]
mod tests {
    use sync_format::v1::package::layout::{LayoutError, Sections};
    use sync_format::v1::package::{Freshness, Recipient, RoleKeys, SignedRoot};

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
    }

    #[test]
    fn only_the_pinned_root_is_trusted() {
        let other_keys = Keyring::simulated(2);
        let root = other_keys.root(Purpose::Demo, 1, NOW.0 + HOUR).unwrap();
        let chain = codec::decode(Kind::RootChain, &other_keys.sign_root(root).unwrap()).unwrap();
        assert_refused!(verify_under(chain), Refusal::ForeignRoot);
        // The same keys, but not the document that was pinned.
        let root = keyring().root(Purpose::Demo, 1, NOW.0 + HOUR).unwrap();
        let chain = codec::decode(Kind::RootChain, &keyring().sign_root(root).unwrap()).unwrap();
        assert_refused!(verify_under(chain), Refusal::ForeignRoot);
    }

    #[test]
    fn a_chain_holds_exactly_one_root() {
        assert_refused!(verify_under(RootChain(Vec::new())), Refusal::NoRoot);
        let two = RootChain(vec![signed_root(), signed_root()]);
        assert_refused!(verify_under(two), Refusal::RotationNotSupported);
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
        let with_floor = |floor| verify_trusting(|trust| trust.notices_floor = Some(floor));
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
        assert!(verify_trusting(|trust| trust.register_floor = Some(version(9))).is_ok());
        let register = Draft::register().encode();
        let floor = Trust { register_floor: Some(version(9)), ..trust() };
        assert_refused!(verify_bytes(&register, &floor), Refusal::NotNewer { .. });
        let floor = Trust { notices_floor: Some(version(9)), ..trust() };
        assert!(verify_bytes(&register, &floor).is_ok());
    }

    #[test]
    fn what_this_version_does_not_read_is_refused_by_name() {
        let delta = verify_changed(|draft| draft.manifest.base = Some(0));
        assert_refused!(delta, Refusal::DeltaNotSupported);
        let newer = verify_changed(|draft| draft.manifest.min_app = APP + 1);
        assert_refused!(newer, Refusal::AppTooOld { needed, here: APP } if needed == APP + 1);
        let sealed = verify_changed(|draft| draft.suite = 1);
        assert_refused!(sealed, Refusal::SealingNotSupported);
        let anchors = verify_changed(|draft| draft.manifest.dataset = Dataset::Anchors);
        assert_refused!(anchors, Refusal::DatasetNotSupported);
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
        let recipient =
            Recipient { device: [1; 16], encapsulated: vec![2; 32], wrapped: vec![3; 48] };
        assert_refused!(
            verify_changed(|draft| draft.recipients = vec![recipient]),
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
            Refusal::RotationNotSupported,
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
            Refusal::DeltaNotSupported,
            Refusal::DatasetNotSupported,
            Refusal::AppTooOld { needed: 2, here: 1 },
            Refusal::Envelope,
            Refusal::SealingNotSupported,
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
