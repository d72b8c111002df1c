//! PACE: a session for whoever knows a short password, which the session does not give away.
//!
//! ICAO 9303-11, section 4.4, with the generic mapping over a curve. Both sides choose a generator
//! that depends on the password without telling anything of it, agree on a secret with it, and
//! prove to each other that it is the same. The other mappings are named errors
//! ([`PaceInfo::curve`]). Both sides are here.

use super::Malformed;
use super::access::AccessError;
use super::agreement::{Point, PrivateKey};
use super::apdu::{
    Command, GENERAL_AUTHENTICATE, MANAGE_SECURITY_ENVIRONMENT, MAX_SHORT_ANSWER, Status,
};
use super::channel::Channel;
use super::password::PacePassword;
use super::secret::{Randomness, SecretBytes, is_equal};
use super::secure_messaging::SecureMessaging;
use super::security_infos::PaceInfo;
use super::symmetric::{Key, MAC_BYTES, Purpose, SessionKeys};
use super::tlv::{self, Elements};

/// Dynamic authentication data, around what either side sends (ICAO 9303-11, 4.4.5, table 4).
const TAG_DYNAMIC: u32 = 0x7C;
const TAG_NONCE: u32 = 0x80;
const TAG_MAPPING_TERMINAL: u32 = 0x81;
const TAG_MAPPING_CHIP: u32 = 0x82;
const TAG_KEY_TERMINAL: u32 = 0x83;
const TAG_KEY_CHIP: u32 = 0x84;
const TAG_TOKEN_TERMINAL: u32 = 0x85;
const TAG_TOKEN_CHIP: u32 = 0x86;

/// The longest nonce that is taken, in bytes. Chosen: twice the longest key.
const MAX_NONCE_BYTES: usize = 64;

/// Opens a session with the chip. The channel speaks under it afterwards.
pub fn open(
    channel: &mut Channel<'_>,
    info: &PaceInfo,
    password: &PacePassword,
    random: &mut dyn Randomness,
) -> Result<(), AccessError> {
    let curve = info.curve()?;
    let answer = channel.send(&select(info, password.reference))?;
    match answer.status.0 {
        // A count of tries that are left is no refusal.
        0x9000 | 0x63C1..=0x63CF => {}
        0x63C0 => return Err(AccessError::WrongPassword(answer.status)),
        _ => return Err(AccessError::Refused(answer.status)),
    }

    // 1. The chip sends a nonce, encrypted with the password.
    let encrypted = step(channel, &[], TAG_NONCE, true)?;
    let key = Key::derive(info.cipher, &password.secret, Purpose::Password);
    let nonce = open_nonce(info, &key, &encrypted)?;

    // 2. Both agree on a point, and map the generator by it and by the nonce.
    let private = curve.private_key(random)?;
    let ours = private.times(&curve.generator())?;
    let sent = tlv::element(TAG_MAPPING_TERMINAL, ours.as_bytes());
    let theirs = curve.point(&step(channel, &sent, TAG_MAPPING_CHIP, true)?)?;
    let generator = curve.map(&nonce, &agree(&private, &ours, &theirs)?)?;

    // 3. They agree on the secret, with that generator.
    let private = curve.private_key(random)?;
    let ours = private.times(&generator)?;
    let sent = tlv::element(TAG_KEY_TERMINAL, ours.as_bytes());
    let theirs = curve.point(&step(channel, &sent, TAG_KEY_CHIP, true)?)?;
    let keys = SessionKeys::derive(info.cipher, agree(&private, &ours, &theirs)?.x());

    // 4. Each proves that it has it.
    let sent = tlv::element(TAG_TOKEN_TERMINAL, &token(info, &keys, &theirs)?);
    let proof = step(channel, &sent, TAG_TOKEN_CHIP, false).map_err(|error| match error {
        AccessError::Refused(status) if status.refuses_password() => {
            AccessError::WrongPassword(status)
        }
        error => error,
    })?;
    if !is_equal(&proof, &token(info, &keys, &ours)?) {
        return Err(AccessError::CardNotProven);
    }
    channel.open(SecureMessaging::new(keys));
    Ok(())
}

/// Returns MSE:Set AT (ICAO 9303-11, 4.4.4.1). It has no Le: some chips refuse one.
fn select(info: &PaceInfo, reference: u8) -> Command {
    let mut data = tlv::element(0x80, &info.oid());
    tlv::write(&mut data, 0x83, &[reference]);
    if let Some(id) = info.parameter_id {
        tlv::write(&mut data, 0x84, &[id]);
    }
    Command::new(MANAGE_SECURITY_ENVIRONMENT, 0xC1, 0xA4).with(data)
}

/// Sends one GENERAL AUTHENTICATE and returns the one element that the chip answers.
fn step(
    channel: &mut Channel<'_>,
    sent: &[u8],
    expected: u32,
    goes_on: bool,
) -> Result<SecretBytes, AccessError> {
    let command = Command::new(GENERAL_AUTHENTICATE, 0, 0)
        .with(tlv::element(TAG_DYNAMIC, sent))
        .expecting(MAX_SHORT_ANSWER);
    let command = if goes_on { command.chained() } else { command };
    let answer = channel.send(&command)?;
    if answer.status != Status::OK {
        return Err(AccessError::Refused(answer.status));
    }
    let answer = tlv::only(&answer.data, TAG_DYNAMIC)?;
    // What may stand behind it is for other mappings.
    let element = answer.children().expect(expected)?;
    Ok(SecretBytes::from(element.value))
}

/// Decrypts the nonce, which generic mapping wants in whole blocks (ICAO 9303-11, 4.4.3.3).
fn open_nonce(info: &PaceInfo, key: &Key, encrypted: &[u8]) -> Result<SecretBytes, AccessError> {
    let block = info.cipher.block_bytes();
    let is_whole = !encrypted.is_empty() && encrypted.len().is_multiple_of(block);
    if !is_whole || encrypted.len() > MAX_NONCE_BYTES {
        return Err(Malformed("a nonce of a length that no cipher has").into());
    }
    Ok(key.decrypt(&vec![0; block], encrypted)?)
}

/// Returns the point that both agree on.
fn agree(private: &PrivateKey, ours: &Point, theirs: &Point) -> Result<Point, AccessError> {
    // A chip that sends our own key back knows no private key (ICAO 9303-11, 4.4.1).
    if is_equal(ours.as_bytes(), theirs.as_bytes()) {
        return Err(AccessError::SameKey);
    }
    Ok(private.times(theirs)?)
}

/// Returns the proof that its sender has the keys: a MAC over the receiver's public key (ICAO
/// 9303-11, 4.4.3.4).
fn token(
    info: &PaceInfo,
    keys: &SessionKeys,
    receiver: &Point,
) -> Result<[u8; MAC_BYTES], Malformed> {
    let mut fields = tlv::element(0x06, &info.oid());
    tlv::write(&mut fields, 0x86, receiver.as_bytes());
    keys.authentication.mac(&tlv::element(0x7F49, &fields))
}

/// What a terminal asks for with MSE:Set AT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wish<'a> {
    /// The content of the object identifier.
    pub oid: &'a [u8],
    /// The kind of password.
    pub reference: u8,
    /// The number of the group, where it is stated.
    pub parameter_id: Option<u8>,
}

impl<'a> Wish<'a> {
    /// Reads the data of MSE:Set AT (card).
    pub fn read(data: &'a [u8]) -> Result<Self, Malformed> {
        const TWO: Malformed = Malformed("a reference of more than one byte");
        let mut elements = Elements::new(data);
        let oid = elements.expect(0x80)?.value;
        let &[reference] = elements.expect(0x83)?.value else { return Err(TWO) };
        let parameter_id = match elements.optional(0x84)?.map(|element| element.value) {
            None => None,
            Some(&[id]) => Some(id),
            Some(_) => return Err(TWO),
        };
        Ok(Self { oid, reference, parameter_id })
    }
}

/// The chip's side of one run.
#[derive(Debug)]
pub struct ChipSide {
    info: PaceInfo,
    key: Key,
    nonce_bytes: usize,
    state: ChipState,
}

#[derive(Debug)]
enum ChipState {
    Chosen,
    NonceSent { nonce: SecretBytes },
    Mapped { generator: Point },
    Agreed { keys: SessionKeys, ours: Point, theirs: Point },
    Over,
}

/// What a chip answers to one GENERAL AUTHENTICATE.
#[derive(Debug)]
pub enum ChipAnswer {
    /// Data, and the run goes on.
    Next(Vec<u8>),
    /// Data in plain; what follows is under the session.
    Open(Vec<u8>, SecureMessaging),
}

impl ChipSide {
    /// Begins a run, after MSE:Set AT.
    pub fn new(info: PaceInfo, password: &PacePassword) -> Self {
        let key = Key::derive(info.cipher, &password.secret, Purpose::Password);
        Self { info, key, nonce_bytes: info.cipher.nonce_bytes(), state: ChipState::Chosen }
    }

    /// Answers the data of one GENERAL AUTHENTICATE. After an error the run is over.
    pub fn answer(
        &mut self,
        data: &[u8],
        random: &mut dyn Randomness,
    ) -> Result<ChipAnswer, AccessError> {
        let curve = self.info.curve()?;
        let sent = tlv::only(data, TAG_DYNAMIC)?;
        let (tag, value, session) = match std::mem::replace(&mut self.state, ChipState::Over) {
            ChipState::Chosen => {
                sent.children().end()?;
                let mut nonce = zeroize::Zeroizing::new(vec![0; self.nonce_bytes]);
                random.fill(&mut nonce)?;
                let zeros = vec![0; self.info.cipher.block_bytes()];
                let encrypted = self.key.encrypt(&zeros, &nonce)?;
                self.state = ChipState::NonceSent { nonce: SecretBytes::from(&nonce[..]) };
                (TAG_NONCE, encrypted, None)
            }
            ChipState::NonceSent { nonce } => {
                let theirs = tlv::only(sent.value, TAG_MAPPING_TERMINAL)?;
                let theirs = curve.point(theirs.value)?;
                let private = curve.private_key(random)?;
                let ours = private.times(&curve.generator())?;
                let generator = curve.map(&nonce, &agree(&private, &ours, &theirs)?)?;
                self.state = ChipState::Mapped { generator };
                (TAG_MAPPING_CHIP, ours.as_bytes().into(), None)
            }
            ChipState::Mapped { generator } => {
                let theirs = tlv::only(sent.value, TAG_KEY_TERMINAL)?;
                let theirs = curve.point(theirs.value)?;
                let private = curve.private_key(random)?;
                let ours = private.times(&generator)?;
                let secret = agree(&private, &ours, &theirs)?;
                let keys = SessionKeys::derive(self.info.cipher, secret.x());
                let answer = ours.as_bytes().into();
                self.state = ChipState::Agreed { keys, ours, theirs };
                (TAG_KEY_CHIP, answer, None)
            }
            ChipState::Agreed { keys, ours, theirs } => {
                let proof = tlv::only(sent.value, TAG_TOKEN_TERMINAL)?;
                if !is_equal(proof.value, &token(&self.info, &keys, &ours)?) {
                    return Err(AccessError::WrongPassword(Status::AUTHENTICATION_FAILED));
                }
                let answer = token(&self.info, &keys, &theirs)?;
                (TAG_TOKEN_CHIP, answer[..].into(), Some(SecureMessaging::new(keys)))
            }
            ChipState::Over => return Err(AccessError::Refused(Status::CONDITIONS_NOT_MET)),
        };
        let answer = tlv::element(TAG_DYNAMIC, &tlv::element(tag, &value));
        Ok(match session {
            None => ChipAnswer::Next(answer),
            Some(session) => ChipAnswer::Open(answer, session),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::agreement::AgreementError;
    use super::super::channel::script::Script;
    use super::super::password::{Can, MrzKey};
    use super::super::secret::SystemRandomness;
    use super::super::secret::vectors::{Printed, hex};
    use super::super::security_infos::Mapping;
    use super::super::symmetric::Cipher;
    use super::*;

    /// ICAO 9303-11, appendix G.1.
    const INFO: PaceInfo =
        PaceInfo { mapping: Mapping::EcdhGeneric, cipher: Cipher::Aes128, parameter_id: Some(13) };
    const SELECT: &str = "0022C1A412 800A04007F00070202040202 830101 84010D";
    const NONCE: (&str, &str) =
        ("1086000002 7C00 00", "7C12 8010 95A3A016522EE98D01E76CB6B98B42C3 9000");
    const MAPPING: (&str, &str) = (
        "1086000045 7C43 8141
         047ACF3EFC982EC45565A4B155129EFBC74650DCBFA6362D896FC70262E0C2CC5E
         544552DCB6725218799115B55C9BAA6D9F6BC3A9618E70C25AF71777A9C4922D 00",
        "7C43 8241
         04824FBA91C9CBE26BEF53A0EBE7342A3BF178CEA9F45DE0B70AA601651FBA3F57
         30D8C879AAA9C9F73991E61B58F4D52EB87A0A0C709A49DC63719363CCD13C54 9000",
    );
    const AGREEMENT: (&str, &str) = (
        "1086000045 7C43 8341
         042DB7A64C0355044EC9DF190514C625CBA2CEA48754887122F3A5EF0D5EDD301C
         3556F3B3B186DF10B857B58F6A7EB80F20BA5DC7BE1D43D9BF850149FBB36462 00",
        "7C43 8441
         049E880F842905B8B3181F7AF7CAA9F0EFB743847F44A306D2D28C1D9EC65DF6DB
         7764B22277A2EDDC3C265A9F018F9CB852E111B768B326904B59A0193776F094 9000",
    );
    const TOKEN: (&str, &str) =
        ("008600000C 7C0A 8508 C2B0BD78D94BA866 00", "7C0A 8608 3ABB9674BCE93C08 9000");

    fn password() -> PacePassword {
        MrzKey::new("T22000129", "640812", "101031").expect("a key").pace()
    }

    fn terminal() -> Printed {
        Printed::new(&[
            "7F4EF07B9EA82FD78AD689B38D0BC78CF21F249D953BC46F4C6E19259C010F99",
            "A73FB703AC1436A18E0CFA5ABB3F7BEC7A070E7A6788486BEE230C4A22762595",
        ])
    }

    fn run(lines: &[(&str, &str)]) -> Result<(), AccessError> {
        let mut card = Script::new(lines);
        let mut channel = Channel::new(&mut card, 10);
        let result = open(&mut channel, &INFO, &password(), &mut terminal());
        assert_eq!(channel.session().is_some(), result.is_ok());
        assert!(card.is_finished());
        result
    }

    #[test]
    fn worked_example_opens_a_session() {
        run(&[(SELECT, "9000"), NONCE, MAPPING, AGREEMENT, TOKEN]).expect("a session");
        // A chip may say how many tries are left.
        run(&[(SELECT, "63C2"), NONCE, MAPPING, AGREEMENT, TOKEN]).expect("a session");
    }

    #[test]
    fn chip_answers_as_in_the_worked_example() {
        let mut random = Printed::new(&[
            "3F00C4D39D153F2B2A214A078D899B22",
            "498FF49756F2DC1587840041839A85982BE7761D14715FB091EFA7BCE9058560",
            "107CF58696EF6155053340FD633392BA81909DF7B9706F226F32086C7AFF974A",
        ]);
        let command = Command::decode(&hex(SELECT)).expect("a command");
        let wish = Wish::read(&command.data).expect("a wish");
        let (oid, reference, parameter_id) = (&INFO.oid()[..], PacePassword::MRZ, Some(13));
        assert_eq!(wish, Wish { oid, reference, parameter_id });
        let mut chip = ChipSide::new(INFO, &password());
        for (command, expected) in [NONCE, MAPPING, AGREEMENT, TOKEN] {
            let command = Command::decode(&hex(command)).expect("a command");
            let answer = chip.answer(&command.data, &mut random).expect("an answer");
            let (ChipAnswer::Next(answer) | ChipAnswer::Open(answer, _)) = answer;
            let expected = hex(expected);
            assert_eq!(answer, expected[..expected.len() - 2]);
        }
    }

    #[test]
    fn each_refusal_is_named() {
        use AccessError::{CardNotProven, Refused, SameKey, WrongPassword};
        let select = (SELECT, "9000");
        let other = AGREEMENT.1.replace("F094", "F095");
        let echo = AGREEMENT.0.replace("1086000045", "").replace(" 00", "9000");
        let echo = echo.replace("8341", "8441");
        let not_in_group = AccessError::Agreement(AgreementError::NotInGroup);
        let element = Malformed("another element than expected");
        let length = Malformed("a nonce of a length that no cipher has");
        let endless = format!("7C52 8050 {} 9000", "5A".repeat(80));
        for (lines, expected) in [
            (vec![(SELECT, "6A80")], Refused(Status::WRONG_DATA)),
            (vec![(SELECT, "6A88")], Refused(Status::REFERENCE_NOT_FOUND)),
            (vec![(SELECT, "63C0")], WrongPassword(Status(0x63C0))),
            (vec![select, (NONCE.0, "6985")], Refused(Status::CONDITIONS_NOT_MET)),
            (vec![select, (NONCE.0, "7C02 8100 9000")], element.into()),
            (vec![select, (NONCE.0, "7C0A 8008 0102030405060708 9000")], length.into()),
            (vec![select, (NONCE.0, "7C02 8000 9000")], length.into()),
            (vec![select, (NONCE.0, &endless)], length.into()),
            (vec![select, NONCE, (MAPPING.0, "7C03 820100 9000")], not_in_group),
            (vec![select, NONCE, MAPPING, (AGREEMENT.0, &other)], not_in_group),
            (vec![select, NONCE, MAPPING, (AGREEMENT.0, &echo)], SameKey),
            (
                vec![select, NONCE, MAPPING, AGREEMENT, (TOKEN.0, "6300")],
                WrongPassword(Status::AUTHENTICATION_FAILED),
            ),
            (
                vec![select, NONCE, MAPPING, AGREEMENT, (TOKEN.0, "6D00")],
                Refused(Status::UNKNOWN_INSTRUCTION),
            ),
            (
                vec![select, NONCE, MAPPING, AGREEMENT, (TOKEN.0, "7C0A86083ABB9674BCE93C099000")],
                CardNotProven,
            ),
        ] {
            assert_eq!(run(&lines), Err(expected), "{:?}", lines.last());
        }
    }

    #[test]
    fn mapping_that_is_not_supported_says_nothing_to_the_card() {
        let mut card = Script::new(&[]);
        let info = PaceInfo { mapping: Mapping::EcdhIntegrated, ..INFO };
        let mut channel = Channel::new(&mut card, 10);
        let refused = open(&mut channel, &info, &password(), &mut SystemRandomness);
        assert_eq!(refused, Err(AccessError::MappingNotSupported));
        assert_eq!(channel.traffic.commands, 0);
    }

    /// Lets both sides speak with each other.
    fn both(
        info: PaceInfo,
        terminal: &PacePassword,
        chip: &PacePassword,
    ) -> Result<(), AccessError> {
        both_with(info, terminal, ChipSide::new(info, chip))
    }

    fn both_with(
        info: PaceInfo,
        terminal: &PacePassword,
        chip: ChipSide,
    ) -> Result<(), AccessError> {
        struct Chip(ChipSide);
        impl super::super::Card for Chip {
            fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, super::super::CardError> {
                let command = Command::decode(command).expect("a command");
                if command.instruction == MANAGE_SECURITY_ENVIRONMENT {
                    return Ok(hex("9000"));
                }
                let answer = self.0.answer(&command.data, &mut SystemRandomness);
                let (Ok(ChipAnswer::Next(mut answer)) | Ok(ChipAnswer::Open(mut answer, _))) =
                    answer
                else {
                    return Ok(hex("6300"));
                };
                answer.extend(hex("9000"));
                Ok(answer)
            }
            fn reconnect(&mut self, _: std::time::Duration) -> Result<(), super::super::CardError> {
                Ok(())
            }
            fn identity(&self) -> super::super::CardIdentity {
                super::super::CardIdentity { reader: String::new(), atr: Vec::new() }
            }
            fn is_simulated(&self) -> bool {
                true
            }
        }
        let mut card = Chip(chip);
        open(&mut Channel::new(&mut card, 10), &info, terminal, &mut SystemRandomness)
    }

    #[test]
    fn every_cipher_over_every_curve_is_spoken() {
        let can = Can::new("999901").expect("a number").pace();
        for cipher in [Cipher::TripleDes, Cipher::Aes128, Cipher::Aes192, Cipher::Aes256] {
            for id in [12, 13, 15, 16, 18] {
                let info = PaceInfo { cipher, parameter_id: Some(id), ..INFO };
                assert_eq!(both(info, &can, &can), Ok(()), "{cipher:?} {id}");
            }
        }
    }

    #[test]
    fn nonce_of_any_number_of_blocks_is_taken() {
        let can = Can::new("999901").expect("a number").pace();
        for (cipher, nonce_bytes) in [
            (Cipher::TripleDes, 8),
            (Cipher::TripleDes, 24),
            (Cipher::Aes128, 32),
            (Cipher::Aes192, 16),
            (Cipher::Aes256, 16),
        ] {
            let info = PaceInfo { cipher, ..INFO };
            let chip = ChipSide { nonce_bytes, ..ChipSide::new(info, &can) };
            assert_eq!(both_with(info, &can, chip), Ok(()), "{cipher:?} {nonce_bytes}");
        }
    }

    #[test]
    fn another_password_is_refused_by_the_chip() {
        let (can, other) = (Can::new("999901"), Can::new("999902"));
        let (can, other) = (can.expect("a number").pace(), other.expect("a number").pace());
        let refused = both(INFO, &other, &can);
        assert_eq!(refused, Err(AccessError::WrongPassword(Status::AUTHENTICATION_FAILED)));
    }

    #[test]
    fn chip_begins_again_after_an_error() {
        let mut chip = ChipSide::new(INFO, &password());
        chip.answer(&hex("7C00"), &mut SystemRandomness).expect("a nonce");
        chip.answer(&hex("7C00"), &mut SystemRandomness).expect_err("no key");
        let refused = chip.answer(&hex("7C00"), &mut SystemRandomness).expect_err("over");
        assert_eq!(refused, AccessError::Refused(Status::CONDITIONS_NOT_MET));
    }

    proptest! {
        #[test]
        fn any_data_are_answered_without_a_panic(
            data in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 4),
        ) {
            let mut chip = ChipSide::new(INFO, &password());
            for data in data {
                let _ = chip.answer(&data, &mut SystemRandomness);
                let _ = Wish::read(&data);
            }
        }
    }
}
