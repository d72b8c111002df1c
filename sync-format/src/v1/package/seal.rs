//! Sealing: what keeps a package unread by whoever holds the stick.
//!
//! ```text
//! device key (X-Wing) ─opens─> unit key ─opens─> grant ─holds─> inner key, content keys by region
//!                                                inner key ─opens─> inner manifest
//!                                                content key ─gives─> a key for each chunk
//! ```
//!
//! Every key is used once, so nonces are zero. Everything random in a package comes from one
//! [`Seed`], so that whoever approves a list can build it again and compare it byte by byte; the seed
//! is as secret as the list. Not here: signatures, which are what makes a package believed.

use std::fmt;

use chacha20::ChaCha20Rng;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _, Nonce};
use hkdf::Hkdf;
use hpke::aead::ChaCha20Poly1305 as HpkeAead;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _};
use rand_core::SeedableRng as _;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{Dataset, Domain, Recipient, sha256};

/// Length of an encapsulated key of X-Wing, bytes.
pub const ENCAPSULATED_BYTES: usize = 1_120;

/// Length of a unit key with its tag, bytes.
pub const WRAPPED_BYTES: usize = 48;

/// Length of a public key of X-Wing, bytes.
pub const PUBLIC_BYTES: usize = 1_216;

/// Bytes that sealing adds.
pub const TAG_BYTES: usize = 16;

/// A key of 32 bytes, wiped from memory when dropped.
pub type Key = Zeroizing<[u8; 32]>;

/// It does not open: another key, or other bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("it does not open with this key")]
pub struct NotOpened;

/// Bytes that are no public key of X-Wing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("this is no X-Wing public key")]
pub struct NoPublicKey;

/// The key of a device to which packages are sealed: the seed of an X-Wing key pair.
#[derive(Clone, PartialEq, Eq)]
pub struct SealSecret(Key);

impl fmt::Debug for SealSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealSecret(..)")
    }
}

impl SealSecret {
    /// Takes over 32 random bytes.
    pub fn new(seed: [u8; 32]) -> SealSecret {
        SealSecret(Zeroizing::new(seed))
    }

    /// Returns the bytes, for the database that keeps them.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the public half, which headquarters seals to.
    pub fn public(&self) -> SealPublic {
        SealPublic(XWing::sk_to_pk(&self.key()))
    }

    fn key(&self) -> <XWing as hpke::Kem>::PrivateKey {
        <XWing as hpke::Kem>::PrivateKey::from_bytes(&self.0[..])
            .expect("any 32 bytes are a seed of X-Wing")
    }
}

/// The public half of a [`SealSecret`].
#[derive(Clone, PartialEq, Eq)]
pub struct SealPublic(<XWing as hpke::Kem>::PublicKey);

impl fmt::Debug for SealPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealPublic({:02x?})", &self.fingerprint()[..4])
    }
}

impl SealPublic {
    /// Reads the [`PUBLIC_BYTES`] of a public key.
    ///
    /// # Errors
    ///
    /// [`NoPublicKey`] for any other length, and for what is no key.
    pub fn from_bytes(bytes: &[u8]) -> Result<SealPublic, NoPublicKey> {
        <XWing as hpke::Kem>::PublicKey::from_bytes(bytes).map(SealPublic).map_err(|_| NoPublicKey)
    }

    /// Returns the [`PUBLIC_BYTES`] of the key.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes().to_vec()
    }

    /// Returns the SHA-256 of the key, by which people compare it.
    pub fn fingerprint(&self) -> [u8; 32] {
        sha256(&self.0.to_bytes())
    }
}

/// The 32 secret bytes that everything random in a package is derived from. Fresh for each package.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed(Key);

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

impl Seed {
    /// Takes over 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Seed {
        Seed(Zeroizing::new(bytes))
    }

    /// Returns the bytes, for the file in which headquarters keeps them.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the id of the package.
    pub fn package_id(&self) -> [u8; 16] {
        *self.derive(b"package", &[]).first_chunk().expect("a key has 32 bytes")
    }

    /// Returns the key of the inner manifest.
    pub fn inner_key(&self) -> Key {
        self.derive(b"inner", &[])
    }

    /// Returns the content key of a region of a dataset.
    pub fn content_key(&self, dataset: Dataset, region: u16) -> Key {
        self.derive(b"content", &[&[dataset.number()], &region.to_le_bytes()])
    }

    /// Returns the key that a unit's grant is sealed under.
    pub fn unit_key(&self, unit: u32) -> Key {
        self.derive(b"unit", &[&unit.to_le_bytes()])
    }

    /// Returns the key of the register's tags: of a full list; its deltas keep the key of their base.
    pub fn tag_key(&self) -> Key {
        self.derive(b"tag", &[])
    }

    fn derive(&self, label: &[u8], parts: &[&[u8]]) -> Key {
        let info = [b"fieldcheck-seed-v1\0", label, b"\0", &parts.concat()].concat();
        expand(&self.0, &info)
    }
}

/// Seals a unit key to a device.
pub fn wrap(seed: &Seed, package: &[u8; 16], unit_key: &Key, device: &SealPublic) -> Recipient {
    // The same device may stand in two units: its unit key differs, so must the randomness.
    let draw = seed.derive(b"hpke", &[&device.fingerprint(), &unit_key[..]]);
    let mut random = ChaCha20Rng::from_seed(*draw);
    let (encapsulated, wrapped) = hpke::single_shot_seal_with_rng::<HpkeAead, HkdfSha256, XWing>(
        &OpModeS::Base,
        &device.0,
        Domain::UnitKey.as_bytes(),
        &unit_key[..],
        package,
        &mut random,
    )
    .expect("a valid key, and a message far below the AEAD's limit");
    Recipient {
        hint: hint(package, device),
        encapsulated: encapsulated.to_bytes().to_vec(),
        wrapped,
    }
}

/// Opens the unit key that was sealed to a device.
///
/// # Errors
///
/// [`NotOpened`] where it was sealed to another device, or is damaged.
pub fn unwrap(
    package: &[u8; 16],
    recipient: &Recipient,
    secret: &SealSecret,
) -> Result<Key, NotOpened> {
    let encapsulated = <XWing as hpke::Kem>::EncappedKey::from_bytes(&recipient.encapsulated)
        .map_err(|_| NotOpened)?;
    let opened = Zeroizing::new(
        hpke::single_shot_open::<HpkeAead, HkdfSha256, XWing>(
            &OpModeR::Base,
            &secret.key(),
            &encapsulated,
            Domain::UnitKey.as_bytes(),
            &recipient.wrapped,
            package,
        )
        .map_err(|_| NotOpened)?,
    );
    opened.as_slice().try_into().map(Zeroizing::new).map_err(|_| NotOpened)
}

/// Returns what tells a device which recipient it is: the first eight bytes of a hash of package and
/// public key, which are never published together.
pub fn hint(package: &[u8; 16], device: &SealPublic) -> [u8; 8] {
    let bytes = [b"fieldcheck-hint-v1\0", &package[..], &device.fingerprint()].concat();
    *sha256(&bytes).first_chunk().expect("a SHA-256 has 32 bytes")
}

/// A part that is sealed by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// The encoded grant, under the unit key.
    Grant,
    /// The encoded inner manifest, under the inner key.
    Inner,
    /// The compressed chunk of this place, under the content key of its region.
    Chunk(u32),
}

/// Returns the part sealed: [`TAG_BYTES`] longer.
pub fn seal(package: &[u8; 16], part: Part, key: &[u8; 32], bytes: &[u8]) -> Vec<u8> {
    let (key, aad) = key_and_aad(package, part, key);
    ChaCha20Poly1305::new(&(*key).into())
        .encrypt(&Nonce::default(), Payload { msg: bytes, aad: &aad })
        .expect("a part is far below the cipher's limit")
}

/// Returns the part opened.
///
/// # Errors
///
/// [`NotOpened`] for another key, part or package, and for damaged bytes.
pub fn open(
    package: &[u8; 16],
    part: Part,
    key: &[u8; 32],
    bytes: &[u8],
) -> Result<Vec<u8>, NotOpened> {
    let (key, aad) = key_and_aad(package, part, key);
    ChaCha20Poly1305::new(&(*key).into())
        .decrypt(&Nonce::default(), Payload { msg: bytes, aad: &aad })
        .map_err(|_| NotOpened)
}

/// Returns the key of a part, derived so that it seals nothing else, and the same words as AAD.
fn key_and_aad(package: &[u8; 16], part: Part, key: &[u8; 32]) -> (Key, Vec<u8>) {
    let (label, index) = match part {
        Part::Grant => (&b"fieldcheck-grant-v1\0"[..], 0),
        Part::Inner => (&b"fieldcheck-inner-v1\0"[..], 0),
        Part::Chunk(index) => (&b"fieldcheck-chunk-v1\0"[..], index),
    };
    let info = [label, package, &index.to_le_bytes()].concat();
    (expand(key, &info), info)
}

fn expand(key: &[u8; 32], info: &[u8]) -> Key {
    let mut derived = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, key).expand(info, &mut *derived).expect("32 bytes are one block");
    derived
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKAGE: [u8; 16] = [7; 16];

    fn seed() -> Seed {
        Seed::new([3; 32])
    }

    #[test]
    fn a_unit_key_opens_for_its_device_and_no_other() {
        let (his, hers) = (SealSecret::new([1; 32]), SealSecret::new([2; 32]));
        let key = seed().unit_key(4_107);
        let recipient = wrap(&seed(), &PACKAGE, &key, &his.public());
        assert_eq!(recipient.encapsulated.len(), ENCAPSULATED_BYTES);
        assert_eq!(recipient.wrapped.len(), WRAPPED_BYTES);
        assert_eq!(recipient.hint, hint(&PACKAGE, &his.public()));
        assert_eq!(unwrap(&PACKAGE, &recipient, &his), Ok(key));
        assert_eq!(unwrap(&PACKAGE, &recipient, &hers), Err(NotOpened));
        assert_eq!(unwrap(&[8; 16], &recipient, &his), Err(NotOpened));
        for at in [0, 600, ENCAPSULATED_BYTES - 1] {
            let mut damaged = recipient.clone();
            damaged.encapsulated[at] ^= 1;
            assert_eq!(unwrap(&PACKAGE, &damaged, &his), Err(NotOpened), "{at}");
        }
    }

    #[test]
    fn the_same_seed_seals_to_the_same_bytes() {
        let device = SealSecret::new([1; 32]).public();
        let wrapped = |seed: &Seed, unit| wrap(seed, &PACKAGE, &seed.unit_key(unit), &device);
        assert_eq!(wrapped(&seed(), 1), wrapped(&seed(), 1));
        assert_ne!(wrapped(&seed(), 1).encapsulated, wrapped(&seed(), 2).encapsulated);
        let other = Seed::new([4; 32]);
        assert_ne!(wrapped(&seed(), 1).encapsulated, wrapped(&other, 1).encapsulated);
    }

    #[test]
    fn a_hint_tells_nothing_from_one_package_to_the_next() {
        let device = SealSecret::new([1; 32]).public();
        assert_ne!(hint(&PACKAGE, &device), hint(&[8; 16], &device));
        assert_ne!(hint(&PACKAGE, &device), hint(&PACKAGE, &SealSecret::new([2; 32]).public()));
    }

    #[test]
    fn a_part_opens_in_its_own_place_alone() {
        let key = seed().content_key(Dataset::Register, 48);
        let sealed = seal(&PACKAGE, Part::Chunk(2), &key, b"rows");
        assert_eq!(sealed.len(), 4 + TAG_BYTES);
        let opened = |package, part, key: &Key, bytes: &[u8]| open(package, part, key, bytes);
        assert_eq!(opened(&PACKAGE, Part::Chunk(2), &key, &sealed), Ok(b"rows".to_vec()));
        assert_eq!(opened(&PACKAGE, Part::Chunk(3), &key, &sealed), Err(NotOpened));
        assert_eq!(opened(&PACKAGE, Part::Inner, &key, &sealed), Err(NotOpened));
        assert_eq!(opened(&[8; 16], Part::Chunk(2), &key, &sealed), Err(NotOpened));
        let other = seed().content_key(Dataset::Register, 1);
        assert_eq!(opened(&PACKAGE, Part::Chunk(2), &other, &sealed), Err(NotOpened));
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert_eq!(opened(&PACKAGE, Part::Chunk(2), &key, &flipped), Err(NotOpened), "{at}");
        }
    }

    #[test]
    fn the_keys_of_a_seed_are_all_different() {
        let seed = seed();
        let keys = [
            seed.inner_key(),
            seed.tag_key(),
            seed.unit_key(0),
            seed.unit_key(1),
            seed.content_key(Dataset::Notices, 0),
            seed.content_key(Dataset::Register, 0),
            seed.content_key(Dataset::Register, 1),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key), "{at}");
        }
    }

    #[test]
    fn a_public_key_comes_back_from_its_bytes() {
        let public = SealSecret::new([1; 32]).public();
        assert_eq!(public.to_bytes().len(), PUBLIC_BYTES);
        assert_eq!(SealPublic::from_bytes(&public.to_bytes()), Ok(public.clone()));
        assert_eq!(SealPublic::from_bytes(&public.to_bytes()[1..]), Err(NoPublicKey));
    }

    #[test]
    fn nothing_secret_shows_itself() {
        assert_eq!(
            format!("{:?} {:?}", seed(), SealSecret::new([9; 32])),
            "Seed(..) SealSecret(..)"
        );
    }
}
