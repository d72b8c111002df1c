//! The ciphers of a session with a chip, and how their keys are derived.
//!
//! ICAO 9303-11, sections 9.7 and 9.8: 3DES with two keys and a Retail MAC, or AES with CMAC, both
//! in CBC mode. No mode of it is chosen by us, and none of it stands alone: what is decrypted here
//! was authenticated before, by [`super::secure_messaging`] or by BAC's cryptogram.

use aes::{Aes128, Aes192, Aes256};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{
    BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit,
    KeyInit,
};
use cmac::{Cmac, Mac};
use des::{Des, TdesEde2};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::Malformed;
use super::secret::SecretBytes;

/// The bytes of every MAC (ICAO 9303-11, 9.8.6.2 and 9.8.7.2).
pub const MAC_BYTES: usize = 8;

/// A block cipher, with the MAC that the norm pairs it with; the weaker is less.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Cipher {
    /// 3DES with two keys, and the Retail MAC (ISO 9797-1, algorithm 3).
    TripleDes,
    /// AES-128 and CMAC.
    Aes128,
    /// AES-192 and CMAC.
    Aes192,
    /// AES-256 and CMAC.
    Aes256,
}

impl Cipher {
    /// Returns the length of a block in bytes.
    pub fn block_bytes(self) -> usize {
        match self {
            Self::TripleDes => 8,
            Self::Aes128 | Self::Aes192 | Self::Aes256 => 16,
        }
    }

    /// Returns the length of a key in bytes.
    pub fn key_bytes(self) -> usize {
        match self {
            Self::TripleDes | Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    /// Returns the length in bytes of the nonce that our own side of a chip encrypts: the shortest
    /// run of blocks that is no shorter than the key. Generic mapping wants whole blocks and no more
    /// (ICAO 9303-11, 4.4.3.3), the integrated mapping this length.
    pub fn nonce_bytes(self) -> usize {
        self.key_bytes().next_multiple_of(self.block_bytes())
    }

    /// Returns the short name used in reports.
    pub fn code(self) -> &'static str {
        match self {
            Self::TripleDes => "3des",
            Self::Aes128 => "aes-128",
            Self::Aes192 => "aes-192",
            Self::Aes256 => "aes-256",
        }
    }
}

/// What a derived key is for: the counter of the key derivation (ICAO 9303-11, 9.7.2 to
/// 9.7.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// Encryption.
    Encryption = 1,
    /// Authentication.
    Authentication = 2,
    /// Encryption of the nonce of PACE by a password.
    Password = 3,
}

/// A key of one cipher.
#[derive(Clone, Debug)]
pub struct Key {
    cipher: Cipher,
    bytes: SecretBytes,
}

impl Key {
    /// Derives a key from a shared secret (ICAO 9303-11, 9.7.1): SHA-1 for the two that have 16
    /// bytes, SHA-256 for the longer ones.
    ///
    /// Departure: the parity bits of DES keys are left as they come. No cipher looks at them.
    pub fn derive(cipher: Cipher, secret: &[u8], purpose: Purpose) -> Self {
        let counter = (purpose as u32).to_be_bytes();
        let mut bytes = match cipher {
            Cipher::TripleDes | Cipher::Aes128 => {
                let digest: Zeroizing<[u8; 20]> = Zeroizing::new(
                    Sha1::new().chain_update(secret).chain_update(counter).finalize().into(),
                );
                SecretBytes::from(&digest[..])
            }
            Cipher::Aes192 | Cipher::Aes256 => {
                let digest: Zeroizing<[u8; 32]> = Zeroizing::new(
                    Sha256::new().chain_update(secret).chain_update(counter).finalize().into(),
                );
                SecretBytes::from(&digest[..])
            }
        };
        bytes.truncate(cipher.key_bytes());
        Self { cipher, bytes }
    }

    /// Returns the cipher that the key is for.
    pub fn cipher(&self) -> Cipher {
        self.cipher
    }

    /// Returns the key's bytes, for the worked examples of the norm.
    #[cfg(test)]
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Encrypts in CBC mode; `iv` and `plain` have to be whole blocks, `iv` one.
    pub fn encrypt(&self, iv: &[u8], plain: &[u8]) -> Result<SecretBytes, Malformed> {
        match self.cipher {
            Cipher::TripleDes => encrypt::<TdesEde2>(&self.bytes, iv, plain),
            Cipher::Aes128 => encrypt::<Aes128>(&self.bytes, iv, plain),
            Cipher::Aes192 => encrypt::<Aes192>(&self.bytes, iv, plain),
            Cipher::Aes256 => encrypt::<Aes256>(&self.bytes, iv, plain),
        }
    }

    /// Decrypts in CBC mode; `iv` and `encrypted` have to be whole blocks, `iv` one.
    pub fn decrypt(&self, iv: &[u8], encrypted: &[u8]) -> Result<SecretBytes, Malformed> {
        match self.cipher {
            Cipher::TripleDes => decrypt::<TdesEde2>(&self.bytes, iv, encrypted),
            Cipher::Aes128 => decrypt::<Aes128>(&self.bytes, iv, encrypted),
            Cipher::Aes192 => decrypt::<Aes192>(&self.bytes, iv, encrypted),
            Cipher::Aes256 => decrypt::<Aes256>(&self.bytes, iv, encrypted),
        }
    }

    /// Returns the MAC over `message`: the Retail MAC, which pads it, or a CMAC cut to eight bytes,
    /// which does not (ICAO 9303-11, 9.8.6.2 and 9.8.7.2).
    pub fn mac(&self, message: &[u8]) -> Result<[u8; MAC_BYTES], Malformed> {
        match self.cipher {
            Cipher::TripleDes => self.retail_mac(message),
            Cipher::Aes128 => cmac::<Cmac<Aes128>>(&self.bytes, message),
            Cipher::Aes192 => cmac::<Cmac<Aes192>>(&self.bytes, message),
            Cipher::Aes256 => cmac::<Cmac<Aes256>>(&self.bytes, message),
        }
    }

    /// ISO 9797-1, MAC algorithm 3 with padding method 2: DES in CBC mode with the first half of
    /// the key, and the last block once more through the second half and the first.
    fn retail_mac(&self, message: &[u8]) -> Result<[u8; MAC_BYTES], Malformed> {
        let (first, second) =
            self.bytes.split_at_checked(Cipher::TripleDes.block_bytes()).ok_or(WRONG_KEY)?;
        let padded = pad(message, Cipher::TripleDes.block_bytes());
        let chained = encrypt::<Des>(first, &[0; 8], &padded)?;
        let (_, last) = chained.split_last_chunk::<MAC_BYTES>().ok_or(NO_BLOCKS)?;
        let mut block = (*last).into();
        Des::new_from_slice(second).map_err(|_| WRONG_KEY)?.decrypt_block(&mut block);
        Des::new_from_slice(first).map_err(|_| WRONG_KEY)?.encrypt_block(&mut block);
        Ok(block.into())
    }
}

const WRONG_KEY: Malformed = Malformed("a key of another length than its cipher's");
const NO_BLOCKS: Malformed = Malformed("encrypted bytes that are no whole blocks");

fn encrypt<C: BlockCipherEncrypt + KeyInit>(
    key: &[u8],
    iv: &[u8],
    plain: &[u8],
) -> Result<SecretBytes, Malformed> {
    let cipher = C::new_from_slice(key).map_err(|_| WRONG_KEY)?;
    let mode = cbc::Encryptor::inner_iv_slice_init(cipher, iv).map_err(|_| NO_BLOCKS)?;
    let mut bytes = Zeroizing::new(plain.to_vec());
    mode.encrypt_padded::<NoPadding>(&mut bytes, plain.len()).map_err(|_| NO_BLOCKS)?;
    Ok(SecretBytes::from(std::mem::take(&mut *bytes)))
}

fn decrypt<C: BlockCipherDecrypt + KeyInit>(
    key: &[u8],
    iv: &[u8],
    encrypted: &[u8],
) -> Result<SecretBytes, Malformed> {
    let cipher = C::new_from_slice(key).map_err(|_| WRONG_KEY)?;
    let mode = cbc::Decryptor::inner_iv_slice_init(cipher, iv).map_err(|_| NO_BLOCKS)?;
    let mut bytes = Zeroizing::new(encrypted.to_vec());
    mode.decrypt_padded::<NoPadding>(&mut bytes).map_err(|_| NO_BLOCKS)?;
    Ok(SecretBytes::from(std::mem::take(&mut *bytes)))
}

fn cmac<M: Mac + cmac::KeyInit>(key: &[u8], message: &[u8]) -> Result<[u8; MAC_BYTES], Malformed> {
    let mac = <M as cmac::KeyInit>::new_from_slice(key).map_err(|_| WRONG_KEY)?;
    let whole = mac.chain_update(message).finalize().into_bytes();
    whole.first_chunk::<MAC_BYTES>().copied().ok_or(WRONG_KEY)
}

/// Returns `bytes` padded to whole blocks: one byte 80, then zeros (ISO 9797-1, method 2).
pub fn pad(bytes: &[u8], block_bytes: usize) -> SecretBytes {
    let length = (bytes.len() + 1).next_multiple_of(block_bytes);
    let mut padded = SecretBytes::with_capacity(length);
    padded.extend(bytes);
    padded.extend(&[0x80]);
    padded.extend(&vec![0; length - bytes.len() - 1]);
    padded
}

/// Takes that padding off again.
pub fn unpad(mut padded: SecretBytes) -> Result<SecretBytes, Malformed> {
    let end = padded.iter().rposition(|byte| *byte != 0).filter(|at| padded[*at] == 0x80);
    padded.truncate(end.ok_or(Malformed("padding that is none"))?);
    Ok(padded)
}

/// The two keys of a session.
#[derive(Clone, Debug)]
pub struct SessionKeys {
    /// KSenc.
    pub encryption: Key,
    /// KSmac.
    pub authentication: Key,
}

impl SessionKeys {
    /// Derives both from a shared secret (ICAO 9303-11, 9.7.4).
    pub fn derive(cipher: Cipher, secret: &[u8]) -> Self {
        Self {
            encryption: Key::derive(cipher, secret, Purpose::Encryption),
            authentication: Key::derive(cipher, secret, Purpose::Authentication),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::secret::vectors::hex;
    use super::*;

    const CIPHERS: [Cipher; 4] =
        [Cipher::TripleDes, Cipher::Aes128, Cipher::Aes192, Cipher::Aes256];

    fn key(cipher: Cipher, bytes: &str) -> Key {
        Key { cipher, bytes: hex(bytes).into() }
    }

    /// DES ignores the lowest bit of every byte of its key, and the norm prints it as parity.
    fn without_parity(bytes: &[u8]) -> Vec<u8> {
        bytes.iter().map(|byte| byte & 0xFE).collect()
    }

    #[test]
    fn keys_of_the_worked_example_are_derived() {
        // ICAO 9303-11, appendix D.1.
        let keys = SessionKeys::derive(Cipher::TripleDes, &hex("239AB9CB282DAF66231DC5A4DF6BFBAE"));
        let (encryption, authentication) =
            ("AB94FDECF2674FDFB9B391F85D7F76F2", "7962D9ECE03D1ACD4C76089DCE131543");
        assert_eq!(without_parity(&keys.encryption.bytes), without_parity(&hex(encryption)));
        assert_eq!(
            without_parity(&keys.authentication.bytes),
            without_parity(&hex(authentication))
        );
    }

    #[test]
    fn longer_keys_come_from_sha_256() {
        let secret = b"secret";
        for (cipher, bytes) in [(Cipher::Aes192, 24), (Cipher::Aes256, 32)] {
            let expected = Sha256::digest([&secret[..], &[0, 0, 0, 1]].concat());
            let derived = Key::derive(cipher, secret, Purpose::Encryption);
            assert_eq!(&*derived.bytes, &expected[..bytes]);
        }
    }

    #[test]
    fn macs_are_those_of_their_norms() {
        // RFC 4493, example 2; NIST SP 800-38B, examples for AES-192 and AES-256.
        let message = hex("6BC1BEE22E409F96E93D7E117393172A");
        for (cipher, bytes, expected) in [
            (Cipher::Aes128, "2B7E151628AED2A6ABF7158809CF4F3C", "070A16B46B4D4144"),
            (
                Cipher::Aes192,
                "8E73B0F7DA0E6452C810F32B809079E562F8EAD2522C6B7B",
                "9E99A7BF31E71090",
            ),
            (
                Cipher::Aes256,
                "603DEB1015CA71BE2B73AEF0857D77811F352C073B6108D72D9810A30914DFF4",
                "28A7023F452E8F82",
            ),
        ] {
            assert_eq!(key(cipher, bytes).mac(&message).expect("a MAC")[..], hex(expected));
        }
        // ICAO 9303-11, appendix D.3: the cryptogram of the terminal.
        let authentication = key(Cipher::TripleDes, "7962D9ECE03D1ACD4C76089DCE131543");
        let message = hex("72C29C2371CC9BDB65B779B8E8D37B29ECC154AA56A8799FAE2F498F76ED92F2");
        assert_eq!(authentication.mac(&message).expect("a MAC")[..], hex("5F1448EEA8AD90A7"));
    }

    #[test]
    fn what_is_no_whole_blocks_is_refused() {
        for cipher in CIPHERS {
            let key = Key::derive(cipher, b"secret", Purpose::Encryption);
            let iv = vec![0; cipher.block_bytes()];
            assert_eq!(key.decrypt(&iv, &[0; 17]).expect_err("no blocks"), NO_BLOCKS);
            assert_eq!(key.encrypt(&iv, &[0; 17]).expect_err("no blocks"), NO_BLOCKS);
            assert_eq!(key.decrypt(&[0; 3], &[0; 16]).expect_err("no block"), NO_BLOCKS);
        }
    }

    #[test]
    fn padding_has_one_form() {
        assert_eq!(&*pad(&[1, 2], 8), &hex("0102800000000000")[..]);
        assert_eq!(&*pad(&[1; 8], 8), &hex("01010101010101018000000000000000")[..]);
        for bytes in ["", "00000000", "0102030405060708", "8001"] {
            let refused = unpad(hex(bytes).into()).expect_err(bytes);
            assert_eq!(refused, Malformed("padding that is none"));
        }
    }

    proptest! {
        #[test]
        fn what_is_encrypted_is_decrypted(
            at in 0..CIPHERS.len(),
            secret in prop::collection::vec(any::<u8>(), 0..40),
            plain in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let key = Key::derive(CIPHERS[at], &secret, Purpose::Encryption);
            let block = CIPHERS[at].block_bytes();
            let iv = vec![7; block];
            let encrypted = key.encrypt(&iv, &pad(&plain, block)).expect("whole blocks");
            let decrypted = unpad(key.decrypt(&iv, &encrypted).expect("whole blocks"));
            prop_assert_eq!(&*decrypted.expect("padding"), &plain[..]);
        }
    }
}
