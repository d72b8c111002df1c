//! Numbers and keys that follow from a seed: nothing simulated needs a secret.

use crate::chip::curves::{Curve, SigningKey};
use crate::chip::hash::HashAlgorithm;
use crate::chip::secret::{NoRandomness, Randomness};

/// Drawn bytes without end.
#[derive(Clone, Debug)]
pub struct Drawn {
    seed: u64,
    label: String,
    taken: u64,
}

impl Drawn {
    /// Begins the bytes for the thing that `label` names.
    pub fn new(seed: u64, label: &str) -> Drawn {
        Drawn { seed, label: label.to_owned(), taken: 0 }
    }
}

impl Randomness for Drawn {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoRandomness> {
        let label = format!("{}, {}", self.label, self.taken);
        out.copy_from_slice(&bytes(self.seed, &label, out.len()));
        self.taken += 1;
        Ok(())
    }
}

/// Returns `length` bytes for the thing that `label` names.
pub fn bytes(seed: u64, label: &str, length: usize) -> Vec<u8> {
    let mut drawn = Vec::new();
    for count in 0_u32.. {
        if drawn.len() >= length {
            break;
        }
        let parts: [&[u8]; 3] = [&seed.to_be_bytes(), label.as_bytes(), &count.to_be_bytes()];
        drawn.extend(HashAlgorithm::Sha256.digest_of(&parts));
    }
    drawn.truncate(length);
    drawn
}

/// Returns the key for the thing that `label` names.
pub fn key(curve: Curve, seed: u64, label: &str) -> SigningKey {
    let secret = bytes(seed, label, curve.order_length());
    SigningKey::new(curve, &secret).expect("a hash is not zero")
}
