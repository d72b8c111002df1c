//! The door to the key that never leaves the device.
//!
//! A [`DeviceKey`] holds two secrets: a P-256 signing key, which is the device's identity towards
//! headquarters, and an HMAC-SHA-256 key, which binds what lies on the device to this device.
//! P-256 because it is what Android Keystore and StrongBox hold and attest. Implementations stand
//! in [`crate::platform`]; all must pass the one set of contract tests there.

use std::io;

use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::secret::SecretKey;

/// What the device's own key can do. It answers from this device alone and cannot be copied away
/// where [`DeviceKey::protection`] says [`Protection::Hardware`].
pub trait DeviceKey: Send + Sync {
    /// Returns HMAC-SHA-256 of `data` under the device's secret.
    ///
    /// Callers begin `data` with a label of their own that ends in a zero byte, so that an answer
    /// for one use is worth nothing for another.
    fn hmac(&self, data: &[u8]) -> Result<Zeroizing<[u8; 32]>, DeviceKeyError>;

    /// Signs `message` with ECDSA on P-256 over SHA-256; the signature is r ‖ s, 32 bytes each.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], DeviceKeyError>;

    /// Returns the public key as a compressed SEC 1 point.
    fn public_key(&self) -> [u8; 33];

    /// Says what keeps the key from being copied. The screen shows it.
    fn protection(&self) -> Protection;
}

/// What keeps a device key from being copied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protection {
    /// A secure element or trusted environment; the key cannot be read out.
    Hardware,
    /// Nothing but file permissions: whoever copies the disk has the key.
    Software,
}

/// Why the device key did not answer.
#[derive(Debug, thiserror::Error)]
pub enum DeviceKeyError {
    /// There is no key yet; enrolment makes one.
    #[error("this device has no device key")]
    NotFound,
    /// There is a key already, and it is never overwritten.
    #[error("this device has a device key already")]
    AlreadyExists,
    /// The key's file may be read by other users of the machine.
    #[error("the device key's file is open to other users (mode {mode:03o}, expected 600)")]
    Exposed {
        /// The permission bits found.
        mode: u32,
    },
    /// What lies in the key's place is no key; only a new enrolment helps.
    #[error("the device key is damaged")]
    Damaged,
    /// The keeper of the key refused or did not answer; trying again may help.
    #[error("the device key did not answer")]
    NoAnswer,
    /// The key's file could not be read or written.
    #[error("the device key's file cannot be used")]
    Io(#[from] io::Error),
}

/// Returns the fingerprint of a device's public key: its SHA-256.
pub fn fingerprint(public_key: &[u8; 33]) -> [u8; 32] {
    Sha256::digest(public_key).into()
}

/// Says whether `signature` (r ‖ s) over `message` was made by the device with this public key.
///
/// False for a public key that is no compressed point of the curve. The library would also take the
/// tag 0x05 of "compact" points; a device is known by its key's bytes, so it has one spelling here.
pub fn verifies(public_key: &[u8; 33], message: &[u8], signature: &[u8; 64]) -> bool {
    if !matches!(public_key[0], 0x02 | 0x03) {
        return false;
    }
    let (Ok(key), Ok(signature)) =
        (VerifyingKey::from_sec1_bytes(public_key), Signature::from_slice(signature))
    else {
        return false;
    };
    key.verify(message, &signature).is_ok()
}

/// Returns the key of the queue's database.
///
/// It hangs on the device key alone: what was recorded must outlive a forgotten PIN and an erased
/// vault, and the records inside are sealed to headquarters anyway.
pub fn queue_key(device_key: &dyn DeviceKey) -> Result<SecretKey, DeviceKeyError> {
    Ok(labelled_hmac(device_key, b"fieldcheck-queue-key-v1\0", &[])?.into())
}

/// Asks for the HMAC of `label` and `data`. `label` ends in a zero byte: no label begins another.
pub(super) fn labelled_hmac(
    device_key: &dyn DeviceKey,
    label: &[u8],
    data: &[u8],
) -> Result<Zeroizing<[u8; 32]>, DeviceKeyError> {
    debug_assert_eq!(label.last(), Some(&0), "a label ends in a zero byte");
    // Sized at once: growing would leave parts of a stretched PIN in freed memory.
    let mut message = Zeroizing::new(Vec::with_capacity(label.len() + data.len()));
    message.extend_from_slice(label);
    message.extend_from_slice(data);
    device_key.hmac(&message)
}

/// Compares two marks in a time that does not tell where they differ.
pub(super) fn is_same_mark(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.iter().zip(other).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}
