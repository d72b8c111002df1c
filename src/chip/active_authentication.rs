//! Active authentication: a chip that holds a private key signs what we choose.
//!
//! ICAO 9303-11, section 6.1. Data group 15 states the public key, and the security object signs
//! the group. The signature can be checked again by anyone who keeps it, which is why both
//! challenge and signature are kept.

use std::fmt;

use thiserror::Error;

use super::Malformed;
use super::algorithm::{ParseError, SignatureAlgorithm, Unsupported};
use super::apdu::{Command, Status};
use super::channel::{Channel, ChannelError};
use super::files::FileId;
use super::hash::HashAlgorithm;
use super::public_key::PublicKey;
use super::secret::{NoRandomness, Randomness};
use super::security_infos::SecurityInfos;
use super::tlv;

const INTERNAL_AUTHENTICATE: u8 = 0x88;

/// The length of a challenge in bytes (ICAO 9303-11, 6.1.2.1).
pub const CHALLENGE_BYTES: usize = 8;

/// A chip's answer to a challenge; not yet verified.
///
/// It tells one chip from all others, so that it does not show itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// What we asked to have signed.
    pub challenge: [u8; CHALLENGE_BYTES],
    /// What the chip says is its signature.
    pub signature: Vec<u8>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({} bytes)", self.signature.len())
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum AskError {
    /// The signature is longer than the answers that this reader and this card carry.
    #[error("the card's signature is longer than the answers that are carried")]
    TooLong,
    /// The chip does not sign.
    #[error("the card refuses active authentication, status {0}")]
    Refused(Status),
    /// A command had no answer.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// There is nothing to make a challenge from.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// Why an answer proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum NotProven {
    /// It is not the signature of this challenge by this key: the chip is a copy.
    #[error("the card's signature is wrong")]
    WrongSignature,
    /// The key or the algorithm is one that we do not have.
    #[error("the card's key cannot be used: {0}")]
    Unsupported(#[from] Unsupported),
    /// Data group 15 holds no key.
    #[error("the card's key is malformed: {0}")]
    Malformed(#[from] Malformed),
}

impl From<ParseError> for NotProven {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::Malformed(error) => Self::Malformed(error),
            ParseError::Unsupported(error) => Self::Unsupported(error),
        }
    }
}

/// Returns the key that data group 15 states.
pub fn public_key(data_group_15: &[u8]) -> Result<PublicKey, ParseError> {
    PublicKey::from_spki(tlv::only(data_group_15, FileId::Dg(15).tag())?.value)
}

/// Returns the length in bytes of a signature by this key.
pub fn signature_bytes(key: &PublicKey) -> usize {
    match key {
        PublicKey::Rsa(key) => key.length(),
        PublicKey::Ec(point) => 2 * point.curve().order_length(),
    }
}

/// Has a new challenge signed. A signature has `expected` bytes, see [`signature_bytes`].
pub fn ask(
    channel: &mut Channel<'_>,
    expected: usize,
    random: &mut dyn Randomness,
) -> Result<Answer, AskError> {
    let mut challenge = [0; CHALLENGE_BYTES];
    random.fill(&mut challenge)?;
    let command = Command::new(INTERNAL_AUTHENTICATE, 0, 0).with(challenge).expecting(expected);
    let answer = channel.send(&command)?;
    if answer.status != Status::OK {
        return Err(AskError::Refused(answer.status));
    }
    Ok(Answer { challenge, signature: answer.data.to_vec() })
}

/// Checks an answer (ICAO 9303-11, 6.1.2.2 and 6.1.2.3): RSA by ISO 9796-2, an elliptic key by
/// ECDSA with r and s in plain (BSI TR-03111).
///
/// `infos` are those of data group 14, which has to name the hash of an elliptic key. Where it does
/// not, each hash is tried: a signature that fits by one of five is no easier to forge.
pub fn verify(
    data_group_15: &[u8],
    infos: Option<&SecurityInfos>,
    answer: &Answer,
) -> Result<(), NotProven> {
    let key = public_key(data_group_15)?;
    let named = infos.and_then(|infos| infos.active_algorithm.as_ref());
    let is_right = match (&key, named) {
        (PublicKey::Rsa(key), _) => key.verifies_9796_2(&answer.challenge, &answer.signature),
        (PublicKey::Ec(_), Some(oid)) => {
            let named = SignatureAlgorithm::from_identifier(&tlv::element(0x06, oid), None)?;
            let plain = SignatureAlgorithm::EcdsaPlain(named.hash());
            key.verify(plain, &answer.challenge, &answer.signature).is_ok()
        }
        (PublicKey::Ec(_), None) => HASHES.into_iter().any(|hash| {
            let plain = SignatureAlgorithm::EcdsaPlain(hash);
            key.verify(plain, &answer.challenge, &answer.signature).is_ok()
        }),
    };
    if is_right { Ok(()) } else { Err(NotProven::WrongSignature) }
}

const HASHES: [HashAlgorithm; 5] = [
    HashAlgorithm::Sha256,
    HashAlgorithm::Sha384,
    HashAlgorithm::Sha512,
    HashAlgorithm::Sha224,
    HashAlgorithm::Sha1,
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::channel::script::Script;
    use super::super::curves::{Curve, SigningKey};
    use super::super::rsa::RsaPublicKey;
    use super::super::secret::SystemRandomness;
    use super::super::secret::vectors::{Printed, hex};
    use super::super::security_infos::encode_set;
    use super::*;

    const CHALLENGE: &str = "0102030405060708";

    fn challenge() -> [u8; 8] {
        [1, 2, 3, 4, 5, 6, 7, 8]
    }

    fn group(key: &PublicKey) -> Vec<u8> {
        tlv::element(FileId::Dg(15).tag(), &key.to_spki())
    }

    fn infos(algorithm: &[u8]) -> SecurityInfos {
        let mut fields = tlv::element(0x06, &hex("678108010105"));
        tlv::write(&mut fields, 0x02, &[1]);
        tlv::write(&mut fields, 0x06, algorithm);
        let set = encode_set(&[tlv::element(0x30, &fields)]);
        SecurityInfos::of_data_group_14(&tlv::element(0x6E, &set)).expect("infos")
    }

    fn signed(key: &SigningKey, hash: HashAlgorithm) -> Answer {
        let (r, s) = key.sign(&hash.digest(&challenge()));
        Answer { challenge: challenge(), signature: [r, s].concat() }
    }

    #[test]
    fn signature_of_an_elliptic_key_is_verified() {
        let key = SigningKey::new(Curve::P256, &[7; 32]).expect("a key");
        let file = group(&PublicKey::Ec(key.public()));
        let answer = signed(&key, HashAlgorithm::Sha256);
        let sha_256 = infos(&hex("04007F00070101040103"));
        assert_eq!(answer.signature.len(), signature_bytes(&PublicKey::Ec(key.public())));
        assert_eq!(verify(&file, Some(&sha_256), &answer), Ok(()));
        assert_eq!(verify(&file, None, &answer), Ok(()));

        // Another hash than the one that is named, another challenge, another key, no signature.
        let wrong = Err(NotProven::WrongSignature);
        assert_eq!(verify(&file, Some(&infos(&hex("04007F00070101040104"))), &answer), wrong);
        let other = Answer { challenge: [9; 8], ..answer.clone() };
        assert_eq!(verify(&file, Some(&sha_256), &other), wrong);
        let copy = SigningKey::new(Curve::P256, &[8; 32]).expect("a key");
        assert_eq!(verify(&file, None, &signed(&copy, HashAlgorithm::Sha256)), wrong);
        let none = Answer { signature: Vec::new(), ..answer.clone() };
        assert_eq!(verify(&file, None, &none), wrong);

        let unknown = Some(infos(&hex("2A0304")));
        let refused = verify(&file, unknown.as_ref(), &answer);
        assert_eq!(refused, Err(NotProven::Unsupported(Unsupported::Signature)));
        let refused = verify(&hex("6F023000"), None, &answer);
        assert_eq!(refused, Err(Malformed("another element than expected").into()));
    }

    #[test]
    fn signature_of_the_worked_example_is_verified() {
        // ICAO 9303-11, appendix F, gives the block that is signed and no key: this one is ours.
        let modulus = hex("B814F61EDF648384E1128C1D2B2A3BBAC8D2CF3F4A1F4E4487A8BF1DB64DA7C7
             751AA87D858856B134AA0731330259B981A3B2914C9B182B52DD8E44CC380558
             92CEDCFFEB1081178FA139B55DDF4A35F67DEBF03E7D76506036EBF5BEFD3FEB
             0B0CBB1C21F1256A5C53FD2BCA1C94E259EBE3C0E1B986249A6B835399033C27");
        let signature = hex("5A65C325D807DC96212E60DFBDFC2875B7B8E761F6F9C4CA3536DFB9945F8B90
             E79E06FC61AD065CCAAA7E9EF99CA11E188FAA2AE9860499B0F3C0D04CFCABB6
             85906F27C57A28DFB6B421B0A2C17DB007D4A957B59B4AA08E393F4EF98E05C6
             10C512E0F9D7F19638967AF02307D671029D944C52F9DA96534CB757286D793A");
        let key = PublicKey::Rsa(RsaPublicKey::new(&modulus, &[1, 0, 1]).expect("a key"));
        assert_eq!(signature_bytes(&key), signature.len());
        let challenge = hex("F173589974BF40C6").try_into().expect("eight bytes");
        let answer = Answer { challenge, signature };
        assert_eq!(verify(&group(&key), None, &answer), Ok(()));
        let other = Answer { challenge: [0; 8], ..answer };
        assert_eq!(verify(&group(&key), None, &other), Err(NotProven::WrongSignature));
    }

    #[test]
    fn chip_signs_the_challenge_that_was_drawn() {
        let sent = format!("0088000008 {CHALLENGE} 40");
        let mut card = Script::new(&[(&sent, "0A0B 9000")]);
        let mut random = Printed::new(&[CHALLENGE]);
        let answer = ask(&mut Channel::new(&mut card, 1), 64, &mut random).expect("an answer");
        assert_eq!(answer, Answer { challenge: challenge(), signature: vec![0x0A, 0x0B] });

        let mut card = Script::new(&[(&sent, "6D00")]);
        let mut random = Printed::new(&[CHALLENGE]);
        let refused = ask(&mut Channel::new(&mut card, 1), 64, &mut random);
        assert_eq!(refused, Err(AskError::Refused(Status::UNKNOWN_INSTRUCTION)));
        let mut random = SystemRandomness;
        let mut card = Script::new(&[]);
        let refused = ask(&mut Channel::new(&mut card, 0), 64, &mut random);
        assert_eq!(refused, Err(ChannelError::TooManyCommands.into()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_without_a_panic(
            file in prop::collection::vec(any::<u8>(), 0..80),
            signature in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let answer = Answer { challenge: challenge(), signature };
            prop_assert!(verify(&file, None, &answer).is_err());
            let file = tlv::element(FileId::Dg(15).tag(), &file);
            prop_assert!(verify(&file, None, &answer).is_err());
        }
    }
}
