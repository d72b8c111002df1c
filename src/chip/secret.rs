//! Bytes that are wiped, and the one source of bytes that nobody can guess.
//!
//! Everything that a chip tells of a person, and every key, lives in [`SecretBytes`]. Whatever
//! needs a nonce or an ephemeral key takes a [`Randomness`], so that the worked examples of the
//! norm can be run with the values that they print.

use std::fmt;
use std::hint::black_box;
use std::ops::Deref;

use thiserror::Error;
use zeroize::Zeroizing;

/// Bytes that are wiped when they are dropped, and that show nothing of themselves.
#[derive(Clone, Default)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Returns no bytes, with room for `capacity` of them.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(capacity)))
    }

    /// Appends `bytes`.
    ///
    /// Where there is no room, they move into new memory and the old one is wiped, which a `Vec`
    /// that grows does not do.
    pub fn extend(&mut self, bytes: &[u8]) {
        let needed = self.0.len().saturating_add(bytes.len());
        if needed > self.0.capacity() {
            let mut roomier = Self::with_capacity(needed.saturating_mul(2));
            roomier.0.extend_from_slice(&self.0);
            *self = roomier;
        }
        self.0.extend_from_slice(bytes);
    }

    /// Shortens to `length` bytes; the rest is wiped when the whole is.
    pub fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }
}

impl Deref for SecretBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl From<&[u8]> for SecretBytes {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.0.len())
    }
}

/// Returns whether two byte strings are equal, in a time that tells nothing of where they differ.
pub fn is_equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && black_box(a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b))) == 0
}

/// A source of bytes that nobody can guess.
pub trait Randomness {
    /// Fills `bytes`.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoRandomness>;
}

/// The system has no random bytes to give.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

/// The source of the operating system.
#[derive(Clone, Copy, Debug)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(bytes).map_err(|_| NoRandomness)
    }
}

/// What the tests of the protocols share.
#[cfg(test)]
pub(in crate::chip) mod vectors {
    use super::*;

    /// Returns the bytes written in `text`, of which spaces and line ends do not count.
    pub fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text
            .chars()
            .filter(|c| !c.is_whitespace())
            .map(|c| c.to_digit(16).expect("a hexadecimal digit") as u8)
            .collect();
        assert!(digits.len().is_multiple_of(2), "whole bytes");
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    /// Gives the values that a worked example prints, one after the other.
    pub struct Printed(Vec<Vec<u8>>);

    impl Printed {
        pub fn new(values: &[&str]) -> Self {
            Self(values.iter().rev().map(|value| hex(value)).collect())
        }
    }

    impl Randomness for Printed {
        fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
            let value = self.0.pop().ok_or(NoRandomness)?;
            bytes.copy_from_slice(&value);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_grow_and_hide_from_debug() {
        let mut secret = SecretBytes::with_capacity(2);
        secret.extend(b"one");
        secret.extend(b"two");
        assert_eq!(&*secret, b"onetwo");
        secret.truncate(4);
        assert_eq!(format!("{secret:?}"), "SecretBytes(4 bytes)");
    }

    #[test]
    fn only_equal_bytes_are_equal() {
        assert!(is_equal(b"", b""));
        assert!(is_equal(b"same", b"same"));
        assert!(!is_equal(b"same", b"samf"));
        assert!(!is_equal(b"same", b"sam"));
    }
}
