//! An application update that headquarters has signed. The device tells that there is one and
//! installs nothing by itself: on Android the system does, and asks.

use sync_format::codec::{self, DecodeError, Kind};
use sync_format::v1::message::{MessageError, Release, SignedRelease};
use sync_format::v1::package::{Domain, Purpose, Role, Root, Signature};

use super::verify::{MAX_AHEAD_SECONDS, require_roles};
use super::{APP, Refusal};
use crate::clock::TrustedTime;

/// Who signs an update.
const SIGNERS: &[(Role, &str)] = &[(Role::Release, Role::Release.code())];

/// A release whose signatures, purpose and time have been checked; [`verify`] alone makes one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedRelease(Release);

impl VerifiedRelease {
    /// Returns what was signed.
    pub fn release(&self) -> &Release {
        &self.0
    }

    /// Whether it is newer than this program.
    pub fn is_newer(&self) -> bool {
        self.0.app > APP
    }

    /// Takes a release for verified, in tests of what comes after.
    #[cfg(all(test, feature = "cli"))]
    pub(crate) fn unchecked(release: Release) -> VerifiedRelease {
        VerifiedRelease(release)
    }
}

/// Why a release is not believed.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseRefusal {
    /// It is no release.
    #[error("this is no release")]
    Undecodable(#[source] DecodeError),
    /// Its label or length cannot be.
    #[error("the release contradicts itself")]
    Contradictory(#[source] MessageError),
    /// The root document has passed its end.
    #[error("the root document has expired")]
    RootExpired,
    /// A signature is missing or stray.
    #[error(transparent)]
    Signatures(Refusal),
    /// A demonstration's on a device for real use, or the reverse.
    #[error("the release is for another purpose than this device")]
    WrongPurpose,
    /// Made later than can be believed.
    #[error("the release was made in the future")]
    FromTheFuture,
}

impl ReleaseRefusal {
    /// Returns a short name for logs, screens and tests.
    pub fn code(&self) -> &'static str {
        match self {
            ReleaseRefusal::Undecodable(_) => "undecodable",
            ReleaseRefusal::Contradictory(_) => "contradictory",
            ReleaseRefusal::RootExpired => "root-expired",
            ReleaseRefusal::Signatures(refusal) => refusal.code(),
            ReleaseRefusal::WrongPurpose => "wrong-purpose",
            ReleaseRefusal::FromTheFuture => "from-the-future",
        }
    }
}

/// Checks an encoded [`SignedRelease`] under the root document that is trusted.
pub fn verify(
    signed: &[u8],
    root: &Root,
    purpose: Purpose,
    time: TrustedTime,
) -> Result<VerifiedRelease, ReleaseRefusal> {
    let undecodable = ReleaseRefusal::Undecodable;
    let SignedRelease { release: bytes, signatures } =
        codec::decode(Kind::SignedRelease, signed).map_err(undecodable)?;
    if time.upper.0 >= root.expires {
        return Err(ReleaseRefusal::RootExpired);
    }
    require_roles(root, SIGNERS, "release", Domain::Release, &bytes, &signatures)
        .map_err(ReleaseRefusal::Signatures)?;
    let release: Release = codec::decode(Kind::Release, &bytes).map_err(undecodable)?;
    release.validate().map_err(ReleaseRefusal::Contradictory)?;
    if release.purpose != purpose {
        return Err(ReleaseRefusal::WrongPurpose);
    }
    if release.made > time.upper.0.saturating_add(MAX_AHEAD_SECONDS) {
        return Err(ReleaseRefusal::FromTheFuture);
    }
    Ok(VerifiedRelease(release))
}

/// Encodes a release with the signature that `sign` puts on it, or `None` where it cannot be.
pub fn encode(release: &Release, sign: impl FnOnce(&[u8]) -> Signature) -> Option<Vec<u8>> {
    release.validate().ok()?;
    let release = codec::encode(Kind::Release, release).ok()?;
    let signatures = vec![sign(&release)];
    codec::encode(Kind::SignedRelease, &SignedRelease { release, signatures }).ok()
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};
    use sync_format::v1::package::{KeySet, RoleKeys, key_id, signing_bytes};

    use super::*;
    use crate::clock::DeviceTime;

    const NOW: i64 = 1_795_521_600;

    fn key(number: u8) -> SigningKey {
        SigningKey::from_bytes(&[number; 32])
    }

    fn sign(key: &SigningKey, domain: Domain, bytes: &[u8]) -> Signature {
        Signature {
            key_id: key_id(&key.verifying_key().to_bytes()),
            bytes: key.sign(&signing_bytes(domain, bytes)).to_bytes(),
        }
    }

    fn keys_of(role: Role, keys: &[u8]) -> RoleKeys {
        let keys: Vec<[u8; 32]> =
            keys.iter().map(|number| key(*number).verifying_key().to_bytes()).collect();
        RoleKeys { role, keys: KeySet { threshold: 1, keys } }
    }

    fn root() -> Root {
        Root {
            purpose: Purpose::Demo,
            epoch: 1,
            root_version: 1,
            made: NOW - 1,
            expires: NOW + 1_000_000,
            root_keys: KeySet { threshold: 1, keys: vec![key(9).verifying_key().to_bytes()] },
            roles: vec![keys_of(Role::Register, &[1]), keys_of(Role::Release, &[2, 3])],
        }
    }

    fn release() -> Release {
        Release {
            purpose: Purpose::Demo,
            app: APP + 1,
            label: "0.2.0".into(),
            made: NOW,
            hash: [7; 32],
            len: 40_000_000,
        }
    }

    fn signed_by(number: u8, domain: Domain, release: &Release) -> Vec<u8> {
        encode(release, |bytes| sign(&key(number), domain, bytes)).unwrap()
    }

    fn verify_now(signed: &[u8]) -> Result<VerifiedRelease, ReleaseRefusal> {
        let time = TrustedTime::new(DeviceTime(NOW), DeviceTime(NOW));
        verify(signed, &root(), Purpose::Demo, time)
    }

    #[test]
    fn a_release_is_believed_from_whoever_signs_releases() {
        for number in [2, 3] {
            let verified = verify_now(&signed_by(number, Domain::Release, &release())).unwrap();
            assert_eq!(verified.release(), &release());
            assert!(verified.is_newer());
        }
        let same = Release { app: APP, ..release() };
        assert!(!verify_now(&signed_by(2, Domain::Release, &same)).unwrap().is_newer());
    }

    #[test]
    fn a_release_is_refused_for_its_reason() {
        let check = |signed: Vec<u8>, code: &str| {
            assert_eq!(verify_now(&signed).unwrap_err().code(), code);
        };
        check(signed_by(1, Domain::Release, &release()), "signatures");
        check(signed_by(9, Domain::Release, &release()), "signatures");
        check(signed_by(2, Domain::Manifest, &release()), "signatures");
        let changed = Release { purpose: Purpose::Production, ..release() };
        check(signed_by(2, Domain::Release, &changed), "wrong-purpose");
        let changed = Release { made: NOW + MAX_AHEAD_SECONDS + 1, ..release() };
        check(signed_by(2, Domain::Release, &changed), "from-the-future");
        check(b"no release".to_vec(), "undecodable");

        let expired = Root { expires: NOW, ..root() };
        let time = TrustedTime::new(DeviceTime(NOW), DeviceTime(NOW));
        let signed = signed_by(2, Domain::Release, &release());
        let refused = verify(&signed, &expired, Purpose::Demo, time).unwrap_err();
        assert_eq!(refused.code(), "root-expired");
        let nobody = Root { roles: vec![keys_of(Role::Register, &[1])], ..root() };
        let refused = verify(&signed, &nobody, Purpose::Demo, time).unwrap_err();
        assert_eq!(refused.code(), "signatures");
    }

    #[test]
    fn a_change_at_any_byte_is_noticed() {
        let signed = signed_by(2, Domain::Release, &release());
        for at in 0..signed.len() {
            let mut changed = signed.clone();
            changed[at] ^= 1;
            assert!(verify_now(&changed).is_err(), "byte {at}");
        }
    }

    #[test]
    fn what_cannot_be_is_not_signed() {
        let unlabelled = Release { label: String::new(), ..release() };
        assert_eq!(encode(&unlabelled, |bytes| sign(&key(2), Domain::Release, bytes)), None);
    }
}
