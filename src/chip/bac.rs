//! Basic access control: a session for whoever has seen the machine-readable zone.
//!
//! ICAO 9303-11, section 4.3. The older of the two locks, and weak: who records the session and
//! guesses the zone can read it. It is used where PACE cannot be. Both sides are here.

use super::Malformed;
use super::access::AccessError;
use super::apdu::Command;
use super::channel::Channel;
use super::password::MrzKey;
use super::secret::{Randomness, SecretBytes, is_equal};
use super::secure_messaging::SecureMessaging;
use super::symmetric::{Cipher, SessionKeys};

const GET_CHALLENGE: u8 = 0x84;
const EXTERNAL_AUTHENTICATE: u8 = 0x82;

/// The length of a cryptogram with its MAC in bytes: two nonces, key material, MAC.
pub const CRYPTOGRAM_BYTES: usize = 40;
const NONCE_BYTES: usize = 8;
const MATERIAL_BYTES: usize = 16;
const ENCRYPTED_BYTES: usize = 2 * NONCE_BYTES + MATERIAL_BYTES;

/// A nonce of either side.
pub type Nonce = [u8; NONCE_BYTES];

/// Opens a session with the chip (ICAO 9303-11, 4.3.1; the commands are those of 4.3.4). The channel speaks under it afterwards.
pub fn open(
    channel: &mut Channel<'_>,
    key: &MrzKey,
    random: &mut dyn Randomness,
) -> Result<(), AccessError> {
    let answer = channel.send(&Command::new(GET_CHALLENGE, 0, 0).expecting(NONCE_BYTES))?;
    let Ok(chip) = Nonce::try_from(&*answer.data) else {
        return Err(AccessError::Refused(answer.status));
    };
    let (mut terminal, mut material) = (Nonce::default(), zeroize::Zeroizing::new([0; 16]));
    random.fill(&mut terminal)?;
    random.fill(&mut *material)?;
    let keys = key.bac_keys();
    let cryptogram = seal(&keys, &terminal, &chip, &material)?;
    let command = Command::new(EXTERNAL_AUTHENTICATE, 0, 0).with(cryptogram);
    let answer = channel.send(&command.expecting(CRYPTOGRAM_BYTES))?;
    if answer.data.is_empty() {
        return Err(match answer.status.refuses_password() {
            true => AccessError::WrongPassword(answer.status),
            false => AccessError::Refused(answer.status),
        });
    }
    let opened = unseal(&keys, &answer.data)?;
    let is_fresh = is_equal(&opened.sender, &chip) && is_equal(&opened.receiver, &terminal);
    if !is_fresh {
        return Err(AccessError::CardNotProven);
    }
    channel.open(session(&chip, &terminal, &opened.material, &*material));
    Ok(())
}

/// Answers the cryptogram of a terminal (card). Returns the card's own and the session that the
/// next command belongs to.
pub fn answer(
    key: &MrzKey,
    chip: &Nonce,
    cryptogram: &[u8],
    random: &mut dyn Randomness,
) -> Result<(Vec<u8>, SecureMessaging), AccessError> {
    let keys = key.bac_keys();
    let opened = unseal(&keys, cryptogram)?;
    if !is_equal(&opened.receiver, chip) {
        return Err(AccessError::CardNotProven);
    }
    let mut material = zeroize::Zeroizing::new([0; MATERIAL_BYTES]);
    random.fill(&mut *material)?;
    let answer = seal(&keys, chip, &opened.sender, &material)?;
    Ok((answer, session(chip, &opened.sender, &*material, &opened.material)))
}

/// What a cryptogram holds.
struct Opened {
    sender: Nonce,
    receiver: Nonce,
    material: SecretBytes,
}

fn seal(
    keys: &SessionKeys,
    sender: &Nonce,
    receiver: &Nonce,
    material: &[u8; MATERIAL_BYTES],
) -> Result<Vec<u8>, Malformed> {
    let mut plain = SecretBytes::with_capacity(ENCRYPTED_BYTES);
    plain.extend(sender);
    plain.extend(receiver);
    plain.extend(material);
    let mut cryptogram = keys.encryption.encrypt(&[0; 8], &plain)?.to_vec();
    cryptogram.extend(keys.authentication.mac(&cryptogram)?);
    Ok(cryptogram)
}

fn unseal(keys: &SessionKeys, cryptogram: &[u8]) -> Result<Opened, AccessError> {
    let cryptogram: &[u8; CRYPTOGRAM_BYTES] =
        cryptogram.try_into().map_err(|_| Malformed("a cryptogram of another length than 40"))?;
    let (encrypted, mac) = cryptogram.split_at(ENCRYPTED_BYTES);
    if !is_equal(&keys.authentication.mac(encrypted)?, mac) {
        return Err(AccessError::CardNotProven);
    }
    let plain = keys.encryption.decrypt(&[0; 8], encrypted)?;
    let (sender, rest) = plain.split_first_chunk().ok_or(Malformed("an empty cryptogram"))?;
    let (receiver, material) = rest.split_first_chunk().ok_or(Malformed("an empty cryptogram"))?;
    Ok(Opened { sender: *sender, receiver: *receiver, material: material.into() })
}

/// Derives the session from the key material of both (ICAO 9303-11, 4.3.1, step 5, and
/// 9.7.4).
fn session(chip: &Nonce, terminal: &Nonce, theirs: &[u8], ours: &[u8]) -> SecureMessaging {
    let seed: Vec<u8> = theirs.iter().zip(ours).map(|(a, b)| a ^ b).collect();
    let seed = SecretBytes::from(seed);
    let keys = SessionKeys::derive(Cipher::TripleDes, &seed);
    SecureMessaging::after_nonces(keys, chip, terminal)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::apdu::Status;
    use super::super::channel::script::Script;
    use super::super::secret::SystemRandomness;
    use super::super::secret::vectors::{Printed, hex};
    use super::*;

    /// The zone of ICAO 9303-11, appendix D.2.
    fn key() -> MrzKey {
        MrzKey::new("L898902C", "690806", "940623").expect("a key")
    }

    const CHALLENGE: (&str, &str) = ("0084000008", "4608F91988702212 9000");
    const SENT: &str = "0082000028
        72C29C2371CC9BDB65B779B8E8D37B29ECC154AA56A8799FAE2F498F76ED92F25F1448EEA8AD90A728";
    const ANSWER: &str =
        "46B9342A41396CD7386BF5803104D7CEDC122B9132139BAF2EEDC94EE178534F2F2D235D074D7449 9000";

    fn terminal() -> Printed {
        Printed::new(&["781723860C06C226", "0B795240CB7049B01C19B33E32804F0B"])
    }

    fn open_with(answer: &str) -> Result<(), AccessError> {
        let mut card = Script::new(&[CHALLENGE, (SENT, answer)]);
        open(&mut Channel::new(&mut card, 10), &key(), &mut terminal())
    }

    #[test]
    fn worked_example_opens_a_session() {
        // ICAO 9303-11, appendices D.3 and D.4.
        let mut card = Script::new(&[
            CHALLENGE,
            (SENT, ANSWER),
            (
                "0CA4020C158709016375432908C044F68E08BF8B92D635FF24F800",
                "990290008E08FA855A5D4C50A8ED9000",
            ),
        ]);
        let mut channel = Channel::new(&mut card, 10);
        open(&mut channel, &key(), &mut terminal()).expect("a session");
        let select = Command::new(0xA4, 0x02, 0x0C).with([0x01, 0x1E]);
        assert_eq!(channel.send(&select).expect("an answer").status, Status::OK);
        assert!(card.is_finished());
    }

    #[test]
    fn card_answers_as_in_the_worked_example() {
        let chip = Nonce::try_from(hex("4608F91988702212")).expect("a nonce");
        let command = Command::decode(&hex(SENT)).expect("a command");
        let mut material = Printed::new(&["0B4F80323EB3191CB04970CB4052790B"]);
        let (answer, _) = answer(&key(), &chip, &command.data, &mut material).expect("an answer");
        assert_eq!(answer, hex(ANSWER)[..CRYPTOGRAM_BYTES]);
    }

    #[test]
    fn each_refusal_is_named() {
        let wrong = |status| AccessError::WrongPassword(Status(status));
        for (answer, expected) in [
            ("6300", wrong(0x6300)),
            ("63C2", wrong(0x63C2)),
            ("6982", wrong(0x6982)),
            ("6988", wrong(0x6988)),
            ("6D00", AccessError::Refused(Status::UNKNOWN_INSTRUCTION)),
            ("01 9000", Malformed("a cryptogram of another length than 40").into()),
            (&ANSWER.replace("46B9", "46B8"), AccessError::CardNotProven),
            (&ANSWER.replace("7449", "7448"), AccessError::CardNotProven),
        ] {
            assert_eq!(open_with(answer), Err(expected), "{answer}");
        }
        let mut card = Script::new(&[("0084000008", "6D00")]);
        let refused = open(&mut Channel::new(&mut card, 10), &key(), &mut terminal());
        assert_eq!(refused, Err(AccessError::Refused(Status::UNKNOWN_INSTRUCTION)));
    }

    #[test]
    fn answer_to_another_challenge_is_refused() {
        // The card's cryptogram for a terminal with another nonce, under the right keys.
        let keys = key().bac_keys();
        let chip = Nonce::try_from(hex("4608F91988702212")).expect("a nonce");
        let old = seal(&keys, &chip, &[9; 8], &[1; 16]).expect("a cryptogram");
        let old: String = old.iter().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(open_with(&(old + "9000")), Err(AccessError::CardNotProven));
    }

    #[test]
    fn card_refuses_another_key_and_another_challenge() {
        let command = Command::decode(&hex(SENT)).expect("a command");
        let chip = Nonce::try_from(hex("4608F91988702212")).expect("a nonce");
        let other = MrzKey::new("L898902C", "690806", "940624").expect("a key");
        for (key, chip) in [(other, chip), (key(), [0; 8])] {
            let refused = answer(&key, &chip, &command.data, &mut SystemRandomness);
            assert_eq!(refused.err(), Some(AccessError::CardNotProven));
        }
    }

    proptest! {
        #[test]
        fn any_cryptogram_is_refused_without_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            prop_assert!(unseal(&key().bac_keys(), &bytes).is_err());
        }
    }
}
