//! Commands and answers that nobody between card and reader can read or change.
//!
//! ICAO 9303-11, section 9.8. Both sides are here and share their code: the terminal's protects
//! commands and opens answers, the card's opens commands and protects answers. A counter that both
//! sides raise at every message makes one that is repeated, left out or moved worthless.
//!
//! After an error the two sides no longer agree on the counter: the session has ended, and another
//! one is opened from the start.

use thiserror::Error;

use super::Malformed;
use super::apdu::{Command, MAX_EXTENDED_ANSWER, MAX_SHORT_ANSWER, Response, Status};
use super::secret::{SecretBytes, is_equal};
use super::symmetric::{Cipher, SessionKeys, pad, unpad};
use super::tlv::{self, Elements};

/// Encrypted data with a byte that tells how they are padded.
const TAG_PADDED: u32 = 0x87;
/// Encrypted data of a command with an odd instruction: elements, without that byte.
const TAG_ELEMENTS: u32 = 0x85;
/// The length that is expected.
const TAG_EXPECTED: u32 = 0x97;
/// The status.
const TAG_STATUS: u32 = 0x99;
/// The MAC.
const TAG_MAC: u32 = 0x8E;

/// The byte before encrypted data: padded by method 2.
const PADDING_INDICATOR: u8 = 0x01;

/// Why a message under secure messaging is not believed. Each of them ends the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Broken {
    /// It is not protected at all.
    #[error("the message is not protected, status {0}")]
    NotProtected(Status),
    /// Its MAC is not the one that its content has.
    #[error("the message has a wrong MAC")]
    WrongMac,
    /// It is not of the form that the norm gives it.
    #[error("the protected message is malformed: {0}")]
    Malformed(#[from] Malformed),
}

impl Broken {
    /// Returns the status with which a card refuses such a command.
    pub fn status(self) -> Status {
        match self {
            Self::NotProtected(_) => Status::PROTECTION_MISSING,
            Self::WrongMac | Self::Malformed(_) => Status::PROTECTION_WRONG,
        }
    }
}

/// One side of a session.
#[derive(Clone, Debug)]
pub struct SecureMessaging {
    keys: SessionKeys,
    /// The send sequence counter.
    counter: SecretBytes,
}

impl SecureMessaging {
    /// Returns a session whose counter stands at zero, as after PACE and chip authentication
    /// (ICAO 9303-11, 9.8.6.3 and 9.8.7.3).
    pub fn new(keys: SessionKeys) -> Self {
        let counter = SecretBytes::from(vec![0; keys.encryption.cipher().block_bytes()]);
        Self { keys, counter }
    }

    /// Returns a session after BAC: the counter is made of both nonces (ICAO 9303-11, 9.8.6.3).
    pub fn after_nonces(keys: SessionKeys, chip: &[u8; 8], terminal: &[u8; 8]) -> Self {
        let counter = [&chip[4..], &terminal[4..]].concat().into();
        Self { keys, counter }
    }

    /// Returns the cipher of the session.
    pub fn cipher(&self) -> Cipher {
        self.keys.encryption.cipher()
    }

    /// Returns the greatest number of bytes that an answer to a short command carries.
    pub fn max_short_answer(cipher: Cipher) -> usize {
        // Around the encrypted bytes: 87 L 01, 99 02 SW1 SW2, 8E 08 and the MAC, with a length
        // field of two bytes. One byte of the last block is padding.
        let encrypted = MAX_SHORT_ANSWER - (3 + 1) - 4 - 10;
        encrypted / cipher.block_bytes() * cipher.block_bytes() - 1
    }

    /// Protects a command (terminal).
    pub fn protect_command(&mut self, command: &Command) -> Result<Command, Malformed> {
        self.count();
        let class = command.class | Command::SECURED;
        let mut protected = Command { class, data: Vec::new(), ..command.clone() };
        if !command.data.is_empty() {
            self.encrypt(&mut protected.data, command.instruction, &command.data)?;
        }
        let is_long =
            command.expected.is_some_and(|bytes| bytes > Self::max_short_answer(self.cipher()));
        if let Some(expected) = command.expected {
            // The greatest Le of either length is written as zero.
            match expected <= MAX_SHORT_ANSWER {
                true => tlv::write(&mut protected.data, TAG_EXPECTED, &[expected as u8]),
                false => {
                    let expected = (expected as u16).to_be_bytes();
                    tlv::write(&mut protected.data, TAG_EXPECTED, &expected);
                }
            }
        }
        let mac = self.mac(Some(protected.header()), &protected.data)?;
        tlv::write(&mut protected.data, TAG_MAC, &mac);
        // The answer always has data: at least a status and a MAC.
        protected.expected = Some(if is_long { MAX_EXTENDED_ANSWER } else { MAX_SHORT_ANSWER });
        if protected.is_extended() {
            protected.expected = Some(MAX_EXTENDED_ANSWER);
        }
        Ok(protected)
    }

    /// Opens an answer (terminal). Its status is the protected one.
    pub fn open_response(&mut self, response: &Response) -> Result<Response, Broken> {
        self.count();
        if response.data.is_empty() {
            return Err(Broken::NotProtected(response.status));
        }
        let mut elements = Elements::new(&response.data);
        let padded = elements.optional(TAG_PADDED)?;
        let plain = elements.optional(TAG_ELEMENTS)?;
        let status = elements.expect(TAG_STATUS)?;
        self.check_mac(None, &response.data, elements)?;
        let status = <[u8; 2]>::try_from(status.value)
            .map_err(|_| Malformed("a status that is not two bytes"))?;
        let data = self.decrypt(padded, plain)?;
        Ok(Response { data, status: Status(u16::from_be_bytes(status)) })
    }

    /// Opens a command (card).
    pub fn open_command(&mut self, command: &Command) -> Result<Command, Broken> {
        if command.class & Command::SECURED != Command::SECURED {
            return Err(Broken::NotProtected(Status::PROTECTION_MISSING));
        }
        self.count();
        let mut elements = Elements::new(&command.data);
        let padded = elements.optional(TAG_PADDED)?;
        let plain = elements.optional(TAG_ELEMENTS)?;
        let expected = elements.optional(TAG_EXPECTED)?;
        self.check_mac(Some(command.header()), &command.data, elements)?;
        let expected = match expected.map(|element| element.value) {
            None => None,
            Some([0]) => Some(MAX_SHORT_ANSWER),
            Some([0, 0]) => Some(MAX_EXTENDED_ANSWER),
            Some(&[le]) => Some(usize::from(le)),
            Some(&[le1, le2]) => Some(usize::from(u16::from_be_bytes([le1, le2]))),
            Some(_) => return Err(Malformed("an expected length of neither form").into()),
        };
        let data = self.decrypt(padded, plain)?.to_vec();
        Ok(Command { class: command.class & !Command::SECURED, data, expected, ..command.clone() })
    }

    /// Protects the answer to a command with this instruction (card).
    pub fn protect_response(
        &mut self,
        response: &Response,
        instruction: u8,
    ) -> Result<Response, Malformed> {
        self.count();
        let mut data = Vec::new();
        if !response.data.is_empty() {
            self.encrypt(&mut data, instruction, &response.data)?;
        }
        tlv::write(&mut data, TAG_STATUS, &response.status.0.to_be_bytes());
        let mac = self.mac(None, &data)?;
        tlv::write(&mut data, TAG_MAC, &mac);
        Ok(Response { data: data.into(), status: response.status })
    }

    /// Raises the counter.
    fn count(&mut self) {
        let mut next = self.counter.to_vec();
        for byte in next.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
        self.counter = next.into();
    }

    /// Returns the initialisation vector of the message that the counter stands at: zeros for 3DES,
    /// the encrypted counter for AES (ICAO 9303-11, 9.8.6.1 and 9.8.7.1).
    fn vector(&self) -> Result<SecretBytes, Malformed> {
        let zeros = vec![0; self.cipher().block_bytes()];
        match self.cipher() {
            Cipher::TripleDes => Ok(zeros.into()),
            Cipher::Aes128 | Cipher::Aes192 | Cipher::Aes256 => {
                self.keys.encryption.encrypt(&zeros, &self.counter)
            }
        }
    }

    fn encrypt(&self, out: &mut Vec<u8>, instruction: u8, data: &[u8]) -> Result<(), Malformed> {
        let padded = pad(data, self.cipher().block_bytes());
        let encrypted = self.keys.encryption.encrypt(&self.vector()?, &padded)?;
        if instruction & 1 == 1 {
            tlv::write(out, TAG_ELEMENTS, &encrypted);
        } else {
            tlv::write_header(out, TAG_PADDED, encrypted.len() + 1);
            out.push(PADDING_INDICATOR);
            out.extend_from_slice(&encrypted);
        }
        Ok(())
    }

    fn decrypt(
        &self,
        padded: Option<tlv::Tlv<'_>>,
        plain: Option<tlv::Tlv<'_>>,
    ) -> Result<SecretBytes, Malformed> {
        let encrypted = match (padded, plain) {
            (None, None) => return Ok(SecretBytes::default()),
            (None, Some(element)) => element.value,
            (Some(element), None) => match element.value {
                [PADDING_INDICATOR, encrypted @ ..] => encrypted,
                _ => return Err(Malformed("an unknown padding indicator")),
            },
            (Some(_), Some(_)) => return Err(Malformed("encrypted data twice")),
        };
        unpad(self.keys.encryption.decrypt(&self.vector()?, encrypted)?)
    }

    /// Returns the MAC over the counter, the header where there is one, and the elements.
    fn mac(&self, header: Option<[u8; 4]>, elements: &[u8]) -> Result<[u8; 8], Malformed> {
        let block = self.cipher().block_bytes();
        let mut message = self.counter.to_vec();
        if let Some(header) = header {
            message.extend_from_slice(&pad(&header, block));
        }
        message.extend_from_slice(elements);
        match self.cipher() {
            Cipher::TripleDes => self.keys.authentication.mac(&message),
            // The Retail MAC pads by itself, CMAC does not, and here the norm wants padding.
            Cipher::Aes128 | Cipher::Aes192 | Cipher::Aes256 => {
                self.keys.authentication.mac(&pad(&message, block))
            }
        }
    }

    /// Checks that `rest` is the MAC over all that stands before it in `whole`, and the end.
    fn check_mac(
        &self,
        header: Option<[u8; 4]>,
        whole: &[u8],
        mut rest: Elements<'_>,
    ) -> Result<(), Broken> {
        let covered = &whole[..whole.len() - rest.rest().len()];
        let found = rest.expect(TAG_MAC)?;
        rest.end()?;
        let expected = self.mac(header, covered)?;
        if is_equal(found.value, &expected) { Ok(()) } else { Err(Broken::WrongMac) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::secret::vectors::hex;
    use super::*;

    const CIPHERS: [Cipher; 4] =
        [Cipher::TripleDes, Cipher::Aes128, Cipher::Aes192, Cipher::Aes256];

    /// The session of ICAO 9303-11, appendix D.3.
    fn worked_example() -> SecureMessaging {
        let keys = SessionKeys::derive(Cipher::TripleDes, &hex("0036D272F5C350ACAC50C3F572D23600"));
        let (chip, terminal) = (hex("4608F91988702212"), hex("781723860C06C226"));
        SecureMessaging::after_nonces(
            keys,
            chip.first_chunk().expect("eight bytes"),
            terminal.first_chunk().expect("eight bytes"),
        )
    }

    fn both(cipher: Cipher) -> (SecureMessaging, SecureMessaging) {
        let session = SecureMessaging::new(SessionKeys::derive(cipher, b"shared secret"));
        (session.clone(), session)
    }

    #[test]
    fn worked_example_is_spoken_by_both_sides() {
        // ICAO 9303-11, appendix D.4: select EF.COM, read four bytes of it, read the rest.
        let (mut terminal, mut card) = (worked_example(), worked_example());
        for (command, protected, answer, protected_answer) in [
            (
                "00A4020C02011E",
                "0CA4020C158709016375432908C044F68E08BF8B92D635FF24F800",
                "9000",
                "990290008E08FA855A5D4C50A8ED9000",
            ),
            (
                "00B0000004",
                "0CB000000D9701048E08ED6705417E96BA5500",
                "60145F019000",
                "8709019FF0EC34F9922651990290008E08AD55CC17140B2DED9000",
            ),
            (
                "00B0000412",
                "0CB000040D9701128E082EA28A70F3C7B53500",
                "04303130365F36063034303030305C0261759000",
                "871901FB9235F4E4037F2327DCC8964F1F9B8C30F42C8E2FFF224A990290008E08C8B2787EAEA07D749000",
            ),
        ] {
            let command = Command::decode(&hex(command)).expect("a command");
            let sent = terminal.protect_command(&command).expect("protected");
            assert_eq!(sent.encode().expect("a command"), hex(protected));
            assert_eq!(card.open_command(&sent), Ok(command.clone()));
            let answer = Response::decode(hex(answer)).expect("an answer");
            let returned = card.protect_response(&answer, command.instruction);
            let returned = returned.expect("protected");
            assert_eq!(returned.encode(), hex(protected_answer));
            let opened = terminal.open_response(&returned).expect("opened");
            assert_eq!(opened.encode(), answer.encode());
        }
    }

    #[test]
    fn what_is_not_protected_ends_the_session() {
        let (mut terminal, mut card) = both(Cipher::Aes128);
        let status = Status::PROTECTION_WRONG;
        let refused = terminal.open_response(&Response::of(status)).expect_err("not protected");
        assert_eq!(refused, Broken::NotProtected(status));
        let refused = card.open_command(&Command::new(0xB0, 0, 0)).expect_err("not protected");
        assert_eq!(refused.status(), Status::PROTECTION_MISSING);
    }

    #[test]
    fn every_changed_byte_of_an_answer_is_noticed() {
        for cipher in CIPHERS {
            let (mut terminal, mut card) = both(cipher);
            let sent = terminal.protect_command(&Command::new(0xB0, 0, 0).expecting(8));
            card.open_command(&sent.expect("protected")).expect("opened");
            let answer = Response { data: vec![7; 8].into(), status: Status::OK };
            let answer = card.protect_response(&answer, 0xB0).expect("protected");
            for at in 0..answer.data.len() {
                let mut changed = answer.data.to_vec();
                changed[at] ^= 0x01;
                let changed = Response { data: changed.into(), status: Status::OK };
                let refused = terminal.clone().open_response(&changed).expect_err("changed");
                assert!(!matches!(refused, Broken::NotProtected(_)), "{cipher:?} {at}");
            }
            let mut wrong = answer.data.to_vec();
            *wrong.last_mut().expect("a byte") ^= 0x80;
            let wrong = Response { data: wrong.into(), status: Status::OK };
            assert_eq!(terminal.clone().open_response(&wrong).err(), Some(Broken::WrongMac));
            // The same answer once more: the counter has moved on.
            terminal.open_response(&answer).expect("opened");
            assert_eq!(terminal.open_response(&answer).err(), Some(Broken::WrongMac));
        }
    }

    #[test]
    fn malformed_answers_are_named() {
        for (data, expected) in [
            ("8E080000000000000000", "another element than expected"),
            ("99029000", "another element than expected"),
            ("9902", "an element ends after its data"),
            ("99029000 8E080000000000000000 00", "bytes after the last element"),
        ] {
            let (mut terminal, _) = both(Cipher::TripleDes);
            let answer = Response { data: hex(data).into(), status: Status::OK };
            let refused = terminal.open_response(&answer).expect_err(data);
            let found = matches!(refused, Broken::Malformed(Malformed(text)) if text == expected);
            assert!(found, "{data}: {refused}");
        }
    }

    #[test]
    fn status_that_counts_is_the_protected_one() {
        let (mut terminal, mut card) = both(Cipher::Aes256);
        let sent = terminal.protect_command(&Command::new(0xB0, 0, 0)).expect("protected");
        card.open_command(&sent).expect("opened");
        let refusal = Response::of(Status::FILE_NOT_FOUND);
        let mut answer = card.protect_response(&refusal, 0xB0).expect("protected");
        answer.status = Status::OK;
        let opened = terminal.open_response(&answer).expect("opened");
        assert_eq!(opened.status, Status::FILE_NOT_FOUND);
    }

    #[test]
    fn commands_stay_short_as_long_as_the_answer_fits() {
        for (cipher, most) in [(Cipher::TripleDes, 231), (Cipher::Aes128, 223)] {
            assert_eq!(SecureMessaging::max_short_answer(cipher), most);
            let (mut terminal, mut card) = both(cipher);
            for (bytes, is_extended) in [(most, false), (most + 1, true), (4096, true)] {
                let command = Command::new(0xB0, 0, 0).expecting(bytes);
                let sent = terminal.protect_command(&command).expect("protected");
                assert_eq!(sent.is_extended(), is_extended, "{cipher:?} {bytes}");
                assert_eq!(card.open_command(&sent), Ok(command));
                let answer = Response { data: vec![1; bytes].into(), status: Status::OK };
                let answer = card.protect_response(&answer, 0xB0).expect("protected");
                assert_eq!(answer.data.len() > MAX_SHORT_ANSWER, is_extended);
                terminal.open_response(&answer).expect("opened");
            }
        }
    }

    proptest! {
        #[test]
        fn both_sides_understand_each_other(
            at in 0..CIPHERS.len(),
            odd in any::<bool>(),
            data in prop::collection::vec(any::<u8>(), 0..300),
            expected in prop::option::of(1_usize..=65_536),
            answer in prop::collection::vec(any::<u8>(), 0..600),
        ) {
            let (mut terminal, mut card) = both(CIPHERS[at]);
            for _ in 0..3 {
                let command = Command::new(if odd { 0xB1 } else { 0xB0 }, 1, 2).with(data.clone());
                let command = Command { expected, ..command };
                let sent = terminal.protect_command(&command).expect("protected");
                let sent = Command::decode(&sent.encode().expect("a command")).expect("a command");
                prop_assert_eq!(card.open_command(&sent), Ok(command.clone()));
                let plain = Response { data: answer.clone().into(), status: Status::END_OF_FILE };
                let sent = card.protect_response(&plain, command.instruction).expect("protected");
                let opened = terminal.open_response(&sent).expect("opened");
                prop_assert_eq!(opened.encode(), plain.encode());
            }
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(
            at in 0..CIPHERS.len(),
            data in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let (mut terminal, mut card) = both(CIPHERS[at]);
            let answer = Response { data: data.clone().into(), status: Status::OK };
            prop_assert!(terminal.open_response(&answer).is_err());
            let command = Command { class: 0x0C, ..Command::new(0xB0, 0, 0).with(data) };
            prop_assert!(card.open_command(&command).is_err());
        }
    }
}
