//! The two secrets of a device key, where nothing but software keeps them.
//!
//! [`crate::keys::SimulatedDeviceKey`] holds them in memory, the desktop's key in a file. A key in
//! hardware has no use for this: its secrets cannot be held.

use std::io;

use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::secret::SecretKey;

/// A P-256 signing key and an HMAC key in memory, both wiped on drop.
pub struct SoftwareSecrets {
    signing: SigningKey,
    mac: SecretKey,
}

impl SoftwareSecrets {
    /// Length of [`SoftwareSecrets::to_bytes`].
    pub const BYTES: usize = 64;

    /// Draws both secrets from the system's generator.
    pub fn random() -> io::Result<SoftwareSecrets> {
        loop {
            let mut bytes = Zeroizing::new([0; SoftwareSecrets::BYTES]);
            getrandom::fill(bytes.as_mut_slice()).map_err(io::Error::other)?;
            // Zero and numbers from the group's order up are no scalars: one draw in 2^32.
            if let Some(secrets) = SoftwareSecrets::from_bytes(&bytes) {
                return Ok(secrets);
            }
        }
    }

    /// Reads the P-256 scalar and the HMAC key, 32 bytes each; `None` when the scalar is none.
    pub fn from_bytes(bytes: &[u8; SoftwareSecrets::BYTES]) -> Option<SoftwareSecrets> {
        let (scalar, mac) = bytes.split_first_chunk::<32>()?;
        Some(SoftwareSecrets {
            signing: SigningKey::from_slice(scalar).ok()?,
            mac: SecretKey::new(mac.first_chunk()?),
        })
    }

    /// Returns the P-256 scalar and the HMAC key.
    pub fn to_bytes(&self) -> Zeroizing<[u8; SoftwareSecrets::BYTES]> {
        let mut bytes = Zeroizing::new([0; SoftwareSecrets::BYTES]);
        bytes[..32].copy_from_slice(&Zeroizing::new(self.signing.to_bytes()));
        bytes[32..].copy_from_slice(self.mac.expose());
        bytes
    }

    /// Returns HMAC-SHA-256 of `data`.
    pub fn hmac(&self, data: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.mac.expose())
            .expect("HMAC takes keys of any length");
        mac.update(data);
        Zeroizing::new(mac.finalize().into_bytes().into())
    }

    /// Signs `message`: r ‖ s. The nonce comes of key and message (RFC 6979).
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature: Signature = self.signing.sign(message);
        signature.to_bytes().into()
    }

    /// Returns the public key as a compressed SEC 1 point.
    pub fn public_key(&self) -> [u8; 33] {
        self.signing
            .verifying_key()
            .to_sec1_point(true)
            .as_bytes()
            .try_into()
            .expect("a compressed point of P-256 is 33 bytes")
    }
}

impl std::fmt::Debug for SoftwareSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SoftwareSecrets(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_read_back_as_written_and_are_never_printed() {
        let secrets = SoftwareSecrets::random().unwrap();
        let read = SoftwareSecrets::from_bytes(&secrets.to_bytes()).expect("just written");
        assert_eq!(read.to_bytes(), secrets.to_bytes());
        assert_eq!(read.public_key(), secrets.public_key());
        assert_eq!(format!("{secrets:?}"), "SoftwareSecrets(..)");
    }

    #[test]
    fn what_is_no_scalar_is_refused() {
        for scalar in [[0x00; 32], [0xFF; 32]] {
            let mut bytes = [0x22; 64];
            bytes[..32].copy_from_slice(&scalar);
            assert!(SoftwareSecrets::from_bytes(&bytes).is_none());
        }
    }

    /// RFC 4231, 4.2, its HMAC key filled up with zero bytes to 32, which HMAC does anyway.
    #[test]
    fn hmac_is_that_of_the_norm() {
        let mut bytes = [0; 64];
        bytes[31] = 1;
        bytes[32..52].fill(0x0B);
        let mark = SoftwareSecrets::from_bytes(&bytes).unwrap().hmac(b"Hi There");
        let hex: String = mark.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    }

    /// RFC 6979, A.2.5: ECDSA on P-256 with SHA-256, message "sample".
    #[test]
    fn signature_is_that_of_the_norm() {
        let unhex = |text: &str| -> Vec<u8> {
            let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).unwrap() as u8).collect();
            digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
        };
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&unhex(
            "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
        ));
        let secrets = SoftwareSecrets::from_bytes(&bytes).unwrap();
        assert_eq!(
            secrets.public_key()[1..],
            unhex("60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6")
        );
        assert_eq!(
            secrets.sign(b"sample")[..],
            [
                unhex("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"),
                unhex("f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"),
            ]
            .concat()
        );
    }
}
