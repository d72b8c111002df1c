//! Holds 32 secret bytes and sees that they do not outlive their use.

use std::{fmt, io};

use chacha20poly1305::{AeadInOut, KeyInit, XChaCha20Poly1305};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Length of an XChaCha20-Poly1305 nonce: long enough to be drawn at random (192 bits).
pub(super) const NONCE_BYTES: usize = 24;
/// Length of a sealed [`SecretKey`]: 32 bytes and the Poly1305 tag.
pub(super) const SEALED_BYTES: usize = 48;

/// A secret key of 32 bytes: wiped on drop, never printed, never copied in silence.
///
/// The bytes stand on the heap, so that moving the key moves a pointer and leaves no copy behind.
pub struct SecretKey(Box<[u8; 32]>);

impl SecretKey {
    /// Returns a key that holds a copy of `bytes`; the caller wipes its own.
    pub fn new(bytes: &[u8; 32]) -> SecretKey {
        let mut key = SecretKey(Box::new([0; 32]));
        key.0.copy_from_slice(bytes);
        key
    }

    /// Draws a key from the system's generator.
    pub fn random() -> io::Result<SecretKey> {
        let mut key = SecretKey(Box::new([0; 32]));
        getrandom::fill(key.0.as_mut_slice()).map_err(io::Error::other)?;
        Ok(key)
    }

    /// Returns the bytes. Whoever copies them answers for wiping the copy.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals `secret` under this key with XChaCha20-Poly1305; `context` must be the same on opening.
    pub(super) fn seal(
        &self,
        nonce: &[u8; NONCE_BYTES],
        context: &[u8],
        secret: &SecretKey,
    ) -> [u8; SEALED_BYTES] {
        let mut buffer = Zeroizing::new(*secret.expose());
        let tag = self
            .cipher()
            .encrypt_inout_detached(&(*nonce).into(), context, buffer.as_mut_slice().into())
            .expect("32 bytes are far below the cipher's limit");
        let mut sealed = [0; SEALED_BYTES];
        sealed[..32].copy_from_slice(buffer.as_slice());
        sealed[32..].copy_from_slice(&tag);
        sealed
    }

    /// Opens what [`SecretKey::seal`] made; `None` when key, nonce, context or bytes differ.
    pub(super) fn open(
        &self,
        nonce: &[u8; NONCE_BYTES],
        context: &[u8],
        sealed: &[u8; SEALED_BYTES],
    ) -> Option<SecretKey> {
        let mut secret = SecretKey(Box::new([0; 32]));
        let mut tag = [0; SEALED_BYTES - 32];
        secret.0.copy_from_slice(&sealed[..32]);
        tag.copy_from_slice(&sealed[32..]);
        self.cipher()
            .decrypt_inout_detached(
                &(*nonce).into(),
                context,
                secret.0.as_mut_slice().into(),
                &tag.into(),
            )
            .ok()?;
        Some(secret)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.expose().into())
    }
}

impl From<Zeroizing<[u8; 32]>> for SecretKey {
    fn from(bytes: Zeroizing<[u8; 32]>) -> SecretKey {
        SecretKey::new(&bytes)
    }
}

impl Zeroize for SecretKey {
    fn zeroize(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl ZeroizeOnDrop for SecretKey {}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// Draws `N` bytes from the system's generator.
pub(super) fn random_bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_key_is_wiped_on_drop_and_never_printed() {
        fn wiped_on_drop<T: ZeroizeOnDrop>(_: &T) {}
        let mut key = SecretKey::new(&[0xA5; 32]);
        wiped_on_drop(&key);
        assert_eq!(format!("{key:?}"), "SecretKey(..)");
        key.zeroize();
        assert_eq!(key.expose(), &[0; 32]);
    }

    #[test]
    fn random_keys_differ() {
        let (one, other) = (SecretKey::random().unwrap(), SecretKey::random().unwrap());
        assert_ne!(one.expose(), other.expose());
    }

    #[test]
    fn sealed_key_opens_only_with_the_same_key_nonce_context_and_bytes() {
        let key = SecretKey::new(&[1; 32]);
        let secret = SecretKey::new(&[2; 32]);
        let sealed = key.seal(&[3; 24], b"context", &secret);

        let opened = key.open(&[3; 24], b"context", &sealed).expect("nothing was changed");
        assert_eq!(opened.expose(), secret.expose());

        assert!(SecretKey::new(&[9; 32]).open(&[3; 24], b"context", &sealed).is_none());
        assert!(key.open(&[4; 24], b"context", &sealed).is_none());
        assert!(key.open(&[3; 24], b"contexT", &sealed).is_none());
        for position in 0..SEALED_BYTES {
            let mut changed = sealed;
            changed[position] ^= 0x01;
            assert!(key.open(&[3; 24], b"context", &changed).is_none(), "byte {position}");
        }
    }
}
