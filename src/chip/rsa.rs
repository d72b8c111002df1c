//! RSA, the public half: does a signature fit a public key?
//!
//! PKCS #1 v1.5 and PSS for certificates and documents (RFC 8017), and the message recovery of
//! ISO 9796-2 that active authentication uses (ICAO 9303-11, 6.1). Works on public bytes only. The
//! signing half is for invented states and cards.

use crypto_bigint::BoxedUint;
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};

use super::Malformed;
use super::algorithm::{ParseError, Unsupported};
use super::curves::{number, unsigned_integer};
use super::hash::HashAlgorithm;
use super::tlv;

/// Sizes of the modulus in bits. States use 2048 to 6144 (measured on the German master list of
/// 2026-05-28), active authentication 1024 and more. The upper limit bounds the work: 3 ms.
const MODULUS_BITS: std::ops::RangeInclusive<u32> = 1024..=8192;
/// The largest public exponent. All that are met fit; one as long as the modulus would make a
/// verification a thousand times slower.
const MAX_EXPONENT: u64 = 1 << 33;

/// An RSA public key within the limits.
#[derive(Clone, Debug)]
pub struct RsaPublicKey {
    modulus: BoxedMontyParams,
    /// Length of the modulus in bits.
    bits: u32,
    exponent: u64,
}

impl PartialEq for RsaPublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.modulus() == other.modulus() && self.exponent == other.exponent
    }
}

impl Eq for RsaPublicKey {}

impl RsaPublicKey {
    /// Returns the key of a big-endian modulus and public exponent.
    pub fn new(modulus: &[u8], exponent: &[u8]) -> Result<RsaPublicKey, ParseError> {
        let modulus = number(modulus);
        // Also keeps what follows from working on megabytes.
        if modulus.len() > *MODULUS_BITS.end() as usize / 8 {
            return Err(Unsupported::RsaSize.into());
        }
        let modulus = BoxedUint::from_be_slice_vartime(modulus);
        let bits = modulus.bit_width_vartime();
        if !MODULUS_BITS.contains(&bits) {
            return Err(Unsupported::RsaSize.into());
        }
        let odd = modulus.into_odd().into_option();
        let modulus = odd.ok_or(Malformed("an RSA modulus that is even"))?;
        let exponent = number(exponent)
            .iter()
            .try_fold(0_u64, |sum, byte| Some(sum.checked_mul(256)? | u64::from(*byte)))
            .filter(|exponent| *exponent <= MAX_EXPONENT)
            .ok_or(Unsupported::RsaSize)?;
        if exponent < 3 || exponent % 2 == 0 {
            return Err(Malformed("an RSA exponent that is even, or less than three").into());
        }
        Ok(RsaPublicKey { modulus: BoxedMontyParams::new_vartime(modulus), bits, exponent })
    }

    /// Returns the key that an `RSAPublicKey` is (RFC 8017, A.1.1).
    pub fn from_der(bytes: &[u8]) -> Result<RsaPublicKey, ParseError> {
        let mut fields = tlv::only(bytes, 0x30)?.children();
        let key = RsaPublicKey::new(
            positive(fields.expect(0x02)?.value)?,
            positive(fields.expect(0x02)?.value)?,
        )?;
        fields.end()?;
        Ok(key)
    }

    /// Returns the `RSAPublicKey`.
    pub fn to_der(&self) -> Vec<u8> {
        let modulus = self.modulus().to_be_bytes();
        let exponent = self.exponent.to_be_bytes();
        tlv::element(0x30, &[unsigned_integer(&modulus), unsigned_integer(&exponent)].concat())
    }

    /// Returns the length of the modulus in bits.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Returns the length of a signature in bytes.
    pub fn length(&self) -> usize {
        self.bits.div_ceil(8) as usize
    }

    /// Whether `signature` is the PKCS #1 v1.5 signature of a message with `digest`.
    ///
    /// The padding is made and compared whole, not taken apart: nothing in it can be overlooked.
    pub fn verifies_pkcs1(&self, hash: HashAlgorithm, digest: &[u8], signature: &[u8]) -> bool {
        let Some(found) = self.recover(signature) else { return false };
        let with_null = pkcs1_encoding(&hash.identifier(), digest, self.length());
        // RFC 8017, appendix B.1: parameters may also be absent.
        let bare = tlv::element(0x30, &tlv::element(0x06, hash.oid()));
        let without = pkcs1_encoding(&bare, digest, self.length());
        Some(&found) == with_null.as_ref() || Some(&found) == without.as_ref()
    }

    /// Whether `signature` is the PSS signature of a message with `digest` (RFC 8017, 9.1.2).
    pub fn verifies_pss(
        &self,
        hash: HashAlgorithm,
        mask: HashAlgorithm,
        salt_length: usize,
        digest: &[u8],
        signature: &[u8],
    ) -> bool {
        let Some(encoded) = self.recover(signature) else { return false };
        // The padded message has one bit less than the modulus.
        let bits = self.bits - 1;
        let length = bits.div_ceil(8) as usize;
        let (zeros, encoded) = encoded.split_at(encoded.len() - length);
        let hash_length = hash.length();
        let has_room = length.checked_sub(hash_length + 2).is_some_and(|room| salt_length <= room);
        if !has_room || zeros.iter().any(|byte| *byte != 0) || encoded.last() != Some(&0xBC) {
            return false;
        }
        let (masked, rest) = encoded.split_at(length - hash_length - 1);
        let seed = &rest[..hash_length];
        let mut block = masked.to_vec();
        mask_with(mask, seed, &mut block);
        let unused_bits = 8 * length as u32 - bits;
        if masked[0].leading_zeros() < unused_bits {
            return false;
        }
        block[0] &= 0xFF >> unused_bits;
        let (padding, salt) = block.split_at(block.len() - salt_length);
        let Some((1, zeros)) = padding.split_last() else { return false };
        zeros.iter().all(|byte| *byte == 0) && hash.digest_of(&[&[0; 8], digest, salt]) == seed
    }

    /// Whether `signature` is the one of active authentication for `challenge`: ISO 9796-2, digital
    /// signature scheme 1, with the challenge as the part of the message that is not recovered.
    ///
    /// The trailer tells the hash function (ISO 10118-3). It is the chip's word, which a copy can
    /// choose without the key: one that names no function of the norm (ICAO 9303-11, 6.1.2.2) is no
    /// signature, and not one that this program does not know.
    pub fn verifies_9796_2(&self, challenge: &[u8], signature: &[u8]) -> bool {
        let Some(mut block) = self.recover(signature) else { return false };
        if block.last().is_some_and(|last| last & 0x0F != 0x0C) {
            // The signer may give n - s where that is smaller.
            let value = BoxedUint::from_be_slice_truncated(&block, self.modulus.bits_precision());
            block = bytes_of(&self.modulus().wrapping_sub(&value), self.length());
        }
        let (hash, rest) = match block.as_slice() {
            [rest @ .., 0xBC] => (HashAlgorithm::Sha1, rest),
            [rest @ .., identifier, 0xCC] => {
                let hash = match identifier {
                    0x33 => HashAlgorithm::Sha1,
                    0x34 => HashAlgorithm::Sha256,
                    0x35 => HashAlgorithm::Sha512,
                    0x36 => HashAlgorithm::Sha384,
                    0x38 => HashAlgorithm::Sha224,
                    _ => return false,
                };
                (hash, rest)
            }
            _ => return false,
        };
        let Some(split) = rest.len().checked_sub(hash.length()) else { return false };
        let (message, digest) = rest.split_at(split);
        let Some(recovered) = after_header(message) else { return false };
        hash.digest_of(&[recovered, challenge]) == digest
    }

    /// Returns signature^e mod n in as many bytes as the modulus has, or `None` if the signature
    /// has not that length or is not below the modulus.
    fn recover(&self, signature: &[u8]) -> Option<Vec<u8>> {
        if signature.len() != self.length() {
            return None;
        }
        let bits = self.modulus.bits_precision();
        let value = BoxedUint::from_be_slice_truncated(signature, bits);
        if value >= *self.modulus() {
            return None;
        }
        let exponent_bits = u64::BITS - self.exponent.leading_zeros();
        let power = BoxedMontyForm::new(value, &self.modulus)
            .pow_bounded_exp(&BoxedUint::from(self.exponent), exponent_bits);
        Some(bytes_of(&power.retrieve(), self.length()))
    }

    fn modulus(&self) -> &BoxedUint {
        self.modulus.modulus().as_ref()
    }
}

/// The secret half of a key of an invented state or card: never hand it one that matters.
#[cfg(any(test, feature = "cli"))]
#[derive(Clone)]
pub struct RsaSigningKey {
    public: RsaPublicKey,
    exponent: BoxedUint,
}

#[cfg(any(test, feature = "cli"))]
impl RsaSigningKey {
    /// Returns the key of a big-endian modulus, public exponent and private exponent.
    pub fn new(modulus: &[u8], public: &[u8], private: &[u8]) -> Result<Self, ParseError> {
        let public = RsaPublicKey::new(modulus, public)?;
        let bits = public.modulus.bits_precision();
        let exponent = BoxedUint::from_be_slice(number(private), bits)
            .map_err(|_| Malformed("a private exponent longer than the modulus"))?;
        Ok(RsaSigningKey { public, exponent })
    }

    /// Returns the key that an `RSAPrivateKey` is (RFC 8017, A.1.2), without use of its primes.
    pub fn from_der(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut fields = tlv::only(bytes, 0x30)?.children();
        fields.expect(0x02)?;
        RsaSigningKey::new(
            positive(fields.expect(0x02)?.value)?,
            positive(fields.expect(0x02)?.value)?,
            positive(fields.expect(0x02)?.value)?,
        )
    }

    /// Returns the public key.
    pub fn public(&self) -> &RsaPublicKey {
        &self.public
    }

    /// Returns the PKCS #1 v1.5 signature of a message with `digest`.
    pub fn sign_pkcs1(&self, hash: HashAlgorithm, digest: &[u8]) -> Option<Vec<u8>> {
        let encoded = pkcs1_encoding(&hash.identifier(), digest, self.public.length())?;
        Some(self.private_operation(&encoded))
    }

    /// Returns the PSS signature of a message with `digest`, the mask by the same hash.
    pub fn sign_pss(&self, hash: HashAlgorithm, salt: &[u8], digest: &[u8]) -> Option<Vec<u8>> {
        let bits = self.public.bits - 1;
        let length = bits.div_ceil(8) as usize;
        let padding = length.checked_sub(hash.length() + salt.len() + 2)?;
        let seed = hash.digest_of(&[&[0; 8], digest, salt]);
        let mut block = [&vec![0; padding][..], &[1], salt].concat();
        mask_with(hash, &seed, &mut block);
        block[0] &= 0xFF >> (8 * length as u32 - bits);
        let encoded = [&block[..], &seed, &[0xBC]].concat();
        Some(self.private_operation(&encoded))
    }

    /// Returns the active authentication signature of `challenge`, by ISO 9796-2, scheme 1.
    ///
    /// `fill` gives the recoverable part: as much of it, over and over, as there is room for.
    pub fn sign_9796_2(&self, hash: HashAlgorithm, fill: u8, challenge: &[u8]) -> Option<Vec<u8>> {
        let trailer: &[u8] = match hash {
            HashAlgorithm::Sha1 => &[0xBC],
            HashAlgorithm::Sha224 => &[0x38, 0xCC],
            HashAlgorithm::Sha256 => &[0x34, 0xCC],
            HashAlgorithm::Sha384 => &[0x36, 0xCC],
            HashAlgorithm::Sha512 => &[0x35, 0xCC],
        };
        let room = self.public.length().checked_sub(1 + hash.length() + trailer.len())?;
        let recovered = vec![fill; room];
        let digest = hash.digest_of(&[&recovered, challenge]);
        let block = [&[0x6A], &recovered[..], &digest, trailer].concat();
        Some(self.private_operation(&block))
    }

    fn private_operation(&self, block: &[u8]) -> Vec<u8> {
        let modulus = &self.public.modulus;
        let value = BoxedUint::from_be_slice_truncated(block, modulus.bits_precision());
        let power = BoxedMontyForm::new(value, modulus).pow(&self.exponent);
        bytes_of(&power.retrieve(), self.public.length())
    }
}

/// Returns a message padded by PKCS #1 v1.5 (RFC 8017, 9.2), or `None` where it does not fit.
fn pkcs1_encoding(identifier: &[u8], digest: &[u8], length: usize) -> Option<Vec<u8>> {
    let digest = tlv::element(0x04, digest);
    let digest_info = tlv::element(0x30, &[identifier, &digest].concat());
    let padding = length.checked_sub(digest_info.len() + 3).filter(|padding| *padding >= 8)?;
    Some([&[0, 1], &vec![0xFF; padding][..], &[0], &digest_info].concat())
}

/// XORs `block` with the mask that MGF1 makes of `seed` (RFC 8017, B.2.1).
fn mask_with(hash: HashAlgorithm, seed: &[u8], block: &mut [u8]) {
    for (counter, part) in (0_u32..).zip(block.chunks_mut(hash.length())) {
        let mask = hash.digest_of(&[seed, &counter.to_be_bytes()]);
        for (byte, mask) in part.iter_mut().zip(mask) {
            *byte ^= mask;
        }
    }
}

/// Returns the recoverable part of a message after its header: `01`, the bit that more of the
/// message follows, zero bits in nibbles `B`, and the border nibble `A`.
fn after_header(block: &[u8]) -> Option<&[u8]> {
    let (first, rest) = block.split_first()?;
    match first {
        0x6A => Some(rest),
        0x6B => {
            let padding = rest.iter().take_while(|byte| **byte == 0xBB).count();
            rest.get(padding..)?.strip_prefix(&[0xBA])
        }
        _ => None,
    }
}

/// Returns the number in `length` bytes, which must be enough.
fn bytes_of(value: &BoxedUint, length: usize) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    bytes[bytes.len().saturating_sub(length)..].to_vec()
}

/// Returns the content of an INTEGER that must not be negative.
fn positive(content: &[u8]) -> Result<&[u8], Malformed> {
    match content.first() {
        Some(0..=0x7F) => Ok(content),
        _ => Err(Malformed("a negative number where there can be none")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chip::openssl::OpenSsl;

    /// Returns an invented key of `bits` bits, made by OpenSSL, which keeps it as `key.pem`.
    fn key(openssl: &OpenSsl, bits: u32) -> RsaSigningKey {
        // Where the number of bits is odd, OpenSSL's key sometimes has one less.
        loop {
            openssl.run(&format!("genrsa -traditional -out key.pem {bits}"));
            let der = openssl.run("rsa -in key.pem -traditional -outform DER");
            let key = RsaSigningKey::from_der(&der).expect("a key");
            if key.public().bits() == bits {
                return key;
            }
        }
    }

    fn sha(hash: HashAlgorithm) -> String {
        hash.name().replace('-', "").to_lowercase()
    }

    #[test]
    fn openssl_signs_and_we_verify() {
        let openssl = OpenSsl::new();
        openssl.write("message", "what was signed");
        // 1025 bits: the block that PSS pads is a byte shorter than the modulus.
        for bits in [1024, 1025, 2047, 2048] {
            let key = key(&openssl, bits);
            let public = key.public();
            let der = openssl.run("rsa -in key.pem -RSAPublicKey_out -outform DER");
            assert_eq!(RsaPublicKey::from_der(&der).as_ref(), Ok(public));
            assert_eq!(public.to_der(), der);
            for hash in [HashAlgorithm::Sha1, HashAlgorithm::Sha256, HashAlgorithm::Sha384] {
                let digest = hash.digest(b"what was signed");
                let other = hash.digest(b"what was not signed");
                let sign = format!("dgst -{} -sign key.pem", sha(hash));
                let signature = openssl.run(&format!("{sign} message"));
                assert!(public.verifies_pkcs1(hash, &digest, &signature));
                assert!(!public.verifies_pkcs1(hash, &other, &signature));
                assert!(!public.verifies_pss(hash, hash, 20, &digest, &signature));
                for salt_length in [0, 20, 32] {
                    let signature = openssl.run(&format!(
                        "{sign} -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:{salt_length} \
                         -sigopt rsa_mgf1_md:sha256 message"
                    ));
                    let mask = HashAlgorithm::Sha256;
                    assert!(public.verifies_pss(hash, mask, salt_length, &digest, &signature));
                    assert!(!public.verifies_pss(hash, mask, salt_length, &other, &signature));
                    assert!(!public.verifies_pss(hash, mask, salt_length + 1, &digest, &signature));
                    assert!(!public.verifies_pkcs1(hash, &digest, &signature));
                }
            }
        }
    }

    #[test]
    fn we_sign_and_openssl_verifies() {
        let openssl = OpenSsl::new();
        openssl.write("message", "what was signed");
        for bits in [1024, 1025, 2047, 2048] {
            let key = key(&openssl, bits);
            let hash = HashAlgorithm::Sha256;
            let digest = hash.digest(b"what was signed");
            let verify = "dgst -sha256 -prverify key.pem -signature signature";
            openssl.write("signature", key.sign_pkcs1(hash, &digest).expect("room"));
            assert!(openssl.agrees(&format!("{verify} message")));
            openssl.write("signature", key.sign_pss(hash, &[7; 32], &digest).expect("room"));
            let pss = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32";
            assert!(openssl.agrees(&format!("{verify} {pss} message")));
        }
    }

    #[test]
    fn challenge_is_recovered_and_another_is_not() {
        let openssl = OpenSsl::new();
        for bits in [1024, 1536, 2048] {
            let key = key(&openssl, bits);
            for hash in HashAlgorithm::ALL {
                let challenge = [1, 2, 3, 4, 5, 6, 7, 8];
                let signature = key.sign_9796_2(hash, 0x5A, &challenge).expect("room");
                let public = key.public();
                assert!(public.verifies_9796_2(&challenge, &signature));
                assert!(!public.verifies_9796_2(&[0; 8], &signature));
                // The smaller of s and n - s is a signature too.
                let value = BoxedUint::from_be_slice_vartime(&signature);
                let other = bytes_of(&public.modulus().wrapping_sub(&value), public.length());
                assert!(public.verifies_9796_2(&challenge, &other));
            }
        }
    }

    #[test]
    fn block_of_another_shape_is_no_active_authentication() {
        let key = key(&OpenSsl::new(), 1024);
        let public = key.public();
        let challenge = [9; 8];
        let block = |header: &[u8], trailer: &[u8]| {
            let recovered = vec![0x5A; 128 - header.len() - 32 - trailer.len()];
            let digest = HashAlgorithm::Sha256.digest_of(&[&recovered, &challenge]);
            key.private_operation(&[header, &recovered, &digest, trailer].concat())
        };
        let verify = |signature: &[u8]| public.verifies_9796_2(&challenge, signature);
        assert!(verify(&block(&[0x6A], &[0x34, 0xCC])));
        assert!(verify(&block(&[0x6B, 0xBB, 0xBB, 0xBA], &[0x34, 0xCC])));
        // Nothing more of the message would follow: then the challenge was not signed.
        assert!(!verify(&block(&[0x4A], &[0x34, 0xCC])));
        assert!(!verify(&block(&[0x6B, 0xBB, 0xAB, 0xBA], &[0x34, 0xCC])));
        assert!(!verify(&block(&[0x6A], &[0x34, 0xDC])));
        // A hash function that the norm does not allow: a copy may name what it likes.
        assert!(!verify(&block(&[0x6A], &[0x3A, 0xCC])));
        assert!(!verify(&[0; 128]));
        assert!(!verify(&[0xFF; 128]));
        assert!(!verify(&[]));
    }

    #[test]
    fn key_outside_the_limits_is_refused() {
        let modulus = |bytes: usize| [&[0xC1][..], &vec![0xFF; bytes - 1]].concat();
        let check = |modulus: &[u8], exponent: &[u8], expected: Option<ParseError>| {
            assert_eq!(RsaPublicKey::new(modulus, exponent).err(), expected);
        };
        let size = Some(Unsupported::RsaSize.into());
        check(&modulus(128), &[3], None);
        check(&modulus(1024), &[1, 0, 1], None);
        check(&modulus(1024), &[1, 255, 255, 255, 255], None);
        check(&modulus(127), &[3], size);
        check(&modulus(1025), &[3], size);
        check(&vec![0xFF; 1 << 20], &[3], size);
        check(&modulus(128), &[2, 0, 0, 0, 1], size);
        check(&modulus(128), &[0xFF; 128], size);
        let exponent = "an RSA exponent that is even, or less than three";
        for wrong in [&[][..], &[0], &[1], &[2], &[1, 0]] {
            check(&modulus(128), wrong, Some(Malformed(exponent).into()));
        }
        let mut even = modulus(128);
        even[127] = 0xFE;
        check(&even, &[3], Some(Malformed("an RSA modulus that is even").into()));
    }

    #[test]
    fn padding_is_compared_to_its_last_byte() {
        // Bleichenbacher's forgery for exponent 3 hides what it likes behind a short padding.
        let key = key(&OpenSsl::new(), 1024);
        let hash = HashAlgorithm::Sha256;
        let digest = hash.digest(b"message");
        let encoded = pkcs1_encoding(&hash.identifier(), &digest, 128).expect("room");
        for at in 0..encoded.len() {
            let mut altered = encoded.clone();
            altered[at] ^= 0x01;
            let signature = key.private_operation(&altered);
            assert!(!key.public().verifies_pkcs1(hash, &digest, &signature), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_no_reason_to_panic(
            modulus in prop::collection::vec(any::<u8>(), 120..140),
            signature in prop::collection::vec(any::<u8>(), 120..140),
            salt_length in 0_usize..200,
        ) {
            let _ = RsaPublicKey::from_der(&signature);
            if let Ok(key) = RsaPublicKey::new(&modulus, &[3]) {
                let hash = HashAlgorithm::Sha256;
                prop_assert!(!key.verifies_pkcs1(hash, &[0; 32], &signature));
                prop_assert!(!key.verifies_pss(hash, hash, salt_length, &[0; 32], &signature));
                prop_assert!(!key.verifies_9796_2(&[0; 8], &signature));
            }
        }
    }
}
