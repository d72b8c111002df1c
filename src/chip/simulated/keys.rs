//! The secrets of a simulated chip, which follow from a seed and are none.

use super::drawn::{self, Drawn};
use crate::chip::agreement::{self, PrivateKey};
use crate::chip::algorithm::SignatureAlgorithm;
use crate::chip::curves::{Curve, Point};
use crate::chip::hash::HashAlgorithm;
use crate::chip::issue::IssuerKey;
use crate::chip::public_key::PublicKey;
use crate::chip::rsa::RsaSigningKey;

/// A key made once by `openssl genrsa`.
const RSA_OF_CARD: &[u8] = include_bytes!("rsa-card.der");

/// How a card proves that it is no copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Active {
    /// By ECDSA over P-256.
    P256,
    /// By RSA of 2048 bits and ISO 9796-2. Every such card has the same key, whatever the seed.
    Rsa,
}

/// How the cards' elliptic keys sign a challenge.
const ACTIVE_ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::EcdsaPlain(ACTIVE_HASH);
const ACTIVE_HASH: HashAlgorithm = HashAlgorithm::Sha256;

impl Active {
    /// Returns the name by which a folder keeps it.
    pub(super) fn code(self) -> &'static str {
        match self {
            Active::P256 => "p256",
            Active::Rsa => "rsa",
        }
    }

    /// Returns the key of a seed.
    pub(super) fn key(self, seed: u64) -> IssuerKey {
        match self {
            Active::P256 => IssuerKey::Ec(drawn::key(Curve::P256, seed, "active authentication")),
            Active::Rsa => {
                IssuerKey::Rsa(RsaSigningKey::from_der(RSA_OF_CARD).expect("a key of this folder"))
            }
        }
    }

    /// Returns a card's answer to a challenge (ICAO 9303-11, 6.1.2), by ECDSA or ISO 9796-2.
    pub(super) fn sign(self, seed: u64, challenge: &[u8]) -> Option<Vec<u8>> {
        match self.key(seed) {
            IssuerKey::Rsa(key) => key.sign_9796_2(ACTIVE_HASH, 0x5A, challenge),
            key @ IssuerKey::Ec(_) => key.sign(ACTIVE_ALGORITHM, challenge),
        }
    }
}

/// The curve of chip authentication.
pub(super) const AGREEMENT: agreement::Curve = agreement::Curve::BrainpoolP256;

/// Returns the key of chip authentication of a seed.
pub(super) fn agreement(seed: u64) -> PrivateKey {
    AGREEMENT
        .private_key(&mut Drawn::new(seed, "chip authentication"))
        .expect("there are always more drawn bytes")
}

/// Returns the public half of it.
pub(super) fn agreement_public(seed: u64) -> PublicKey {
    let point = agreement(seed).times(&AGREEMENT.generator());
    let point = point.expect("a key times the generator is a point");
    let point = Point::from_bytes(Curve::BrainpoolP256r1, point.as_bytes());
    PublicKey::Ec(point.expect("both sides of the module know the curve"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_active_key_answers_a_challenge() {
        let public = Active::P256.key(7).public();
        let signature = Active::P256.sign(7, b"12345678").expect("a signature");
        public.verify(ACTIVE_ALGORITHM, b"12345678", &signature).expect("its own");
        assert!(public.verify(ACTIVE_ALGORITHM, b"12345679", &signature).is_err());
        let other = Active::P256.sign(8, b"12345678").expect("a signature");
        assert!(public.verify(ACTIVE_ALGORITHM, b"12345678", &other).is_err());

        let signature = Active::Rsa.sign(7, b"12345678").expect("a signature");
        let PublicKey::Rsa(public) = Active::Rsa.key(7).public() else { panic!("an RSA key") };
        assert!(public.verifies_9796_2(b"12345678", &signature));
    }
}
