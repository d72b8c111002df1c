//! A card, and what is spoken with it: in plain until a session is opened, then only under it.
//!
//! Here is the one way from a [`Command`] to an answer. It counts what it carries, so that a card
//! that never comes to an end does, and it follows the two answers that ask for another command
//! (61xx and 6Cxx, ISO 7816-4, 5.6).

use thiserror::Error;

use super::apdu::{Command, MAX_EXTENDED_ANSWER, Response};
use super::secret::SecretBytes;
use super::secure_messaging::{Broken, SecureMessaging};
use super::{Card, CardError, Malformed};

/// Fetches the rest of an answer.
const GET_RESPONSE: u8 = 0xC0;

/// The longest answer that is put together, in bytes: what an extended command may bring, and the
/// elements of secure messaging around it.
const MAX_ANSWER: usize = MAX_EXTENDED_ANSWER + 1_024;

/// Why a command has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ChannelError {
    /// The card or the reader gave none.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The answer is not believed, and the session has ended.
    #[error("the session with the card has ended: {0}")]
    Broken(#[from] Broken),
    /// The session has ended before.
    #[error("the session with the card has ended")]
    Ended,
    /// More commands than a reading needs.
    #[error("the card wants more commands than any reading needs")]
    TooManyCommands,
    /// Our own command cannot be written.
    #[error("the command cannot be written: {0}")]
    Command(#[from] Malformed),
}

/// What went over the air.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Traffic {
    /// Commands, GET RESPONSE among them.
    pub commands: u32,
    /// Bytes of commands.
    pub bytes_sent: u64,
    /// Bytes of answers.
    pub bytes_received: u64,
}

/// What protects the messages.
enum Protection {
    None,
    Session(SecureMessaging),
    /// There was a session. Nothing is sent any more: what the card would answer in plain must not
    /// be taken for what it answered under the session.
    Ended,
}

/// A card that is spoken to.
pub struct Channel<'a> {
    card: &'a mut dyn Card,
    protection: Protection,
    /// What this channel has carried.
    pub traffic: Traffic,
    max_commands: u32,
}

impl<'a> Channel<'a> {
    /// Returns a channel without a session, which carries at most `max_commands`.
    pub fn new(card: &'a mut dyn Card, max_commands: u32) -> Self {
        let (protection, traffic) = (Protection::None, Traffic::default());
        Self { card, protection, traffic, max_commands }
    }

    /// Speaks under this session from now on.
    pub fn open(&mut self, session: SecureMessaging) {
        self.protection = Protection::Session(session);
    }

    /// Returns the session, where there is one.
    pub fn session(&self) -> Option<&SecureMessaging> {
        match &self.protection {
            Protection::Session(session) => Some(session),
            Protection::None | Protection::Ended => None,
        }
    }

    /// Sends a command and returns the answer: under a session, what the session protected.
    pub fn send(&mut self, command: &Command) -> Result<Response, ChannelError> {
        match &mut self.protection {
            Protection::Ended => Err(ChannelError::Ended),
            Protection::None => {
                let answer = self.exchange(command)?;
                let Some(expected) = answer.status.right_length() else { return Ok(answer) };
                // Once only: a card that never likes its own length is not followed.
                self.exchange(&command.clone().expecting(expected))
            }
            Protection::Session(session) => {
                let protected = session.protect_command(command)?;
                let answer = self.exchange(&protected);
                let Protection::Session(session) = &mut self.protection else {
                    return Err(ChannelError::Ended);
                };
                let opened = answer
                    .and_then(|answer| session.open_response(&answer).map_err(ChannelError::from));
                if opened.is_err() {
                    self.protection = Protection::Ended;
                }
                opened
            }
        }
    }

    /// Sends a command as it stands and puts its answer together.
    fn exchange(&mut self, command: &Command) -> Result<Response, ChannelError> {
        let mut answer = self.transmit(command)?;
        let mut data = SecretBytes::default();
        while let Some(waiting) = answer.status.waiting() {
            data.extend(&answer.data);
            if data.len() + waiting > MAX_ANSWER {
                return Err(CardError::Broken.into());
            }
            answer = self.transmit(&Command::new(GET_RESPONSE, 0, 0).expecting(waiting))?;
            if answer.data.is_empty() && answer.status.waiting().is_some() {
                return Err(CardError::Broken.into());
            }
        }
        if !data.is_empty() {
            data.extend(&answer.data);
            answer.data = data;
        }
        Ok(answer)
    }

    fn transmit(&mut self, command: &Command) -> Result<Response, ChannelError> {
        if self.traffic.commands >= self.max_commands {
            return Err(ChannelError::TooManyCommands);
        }
        let bytes = command.encode()?;
        self.traffic.commands += 1;
        self.traffic.bytes_sent += bytes.len() as u64;
        let answer = self.card.transmit(&bytes)?;
        self.traffic.bytes_received += answer.len() as u64;
        Ok(Response::decode(answer)?)
    }
}

/// What the tests of the protocols speak with.
#[cfg(test)]
pub(in crate::chip) mod script {
    use std::collections::VecDeque;
    use std::time::Duration;

    use super::super::CardIdentity;
    use super::super::secret::vectors::hex;
    use super::*;

    /// A card that expects these commands and gives these answers, in this order.
    pub struct Script(VecDeque<(Vec<u8>, Vec<u8>)>);

    impl Script {
        /// Takes pairs of a command and its answer.
        pub fn new(lines: &[(&str, &str)]) -> Self {
            Self(lines.iter().map(|(sent, answer)| (hex(sent), hex(answer))).collect())
        }

        /// Whether every command has come.
        pub fn is_finished(&self) -> bool {
            self.0.is_empty()
        }
    }

    impl Card for Script {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, CardError> {
            let (expected, answer) = self.0.pop_front().expect("a command too many");
            assert_eq!(command, expected, "{command:02X?} is not {expected:02X?}");
            Ok(answer)
        }

        fn reconnect(&mut self, _patience: Duration) -> Result<(), CardError> {
            Err(CardError::Lost)
        }

        fn identity(&self) -> CardIdentity {
            CardIdentity { reader: "script".to_owned(), atr: vec![0x3B] }
        }

        fn is_simulated(&self) -> bool {
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::symmetric::{Cipher, SessionKeys};
    use super::script::Script;
    use super::*;
    use crate::chip::apdu::Status;

    fn read() -> Command {
        Command::new(0xB0, 0, 0).expecting(256)
    }

    #[test]
    fn answers_in_pieces_are_put_together() {
        let mut card = Script::new(&[
            ("00B0000000", "0102 6102"),
            ("00C0000002", "0304 6101"),
            ("00C0000001", "05 9000"),
        ]);
        let mut channel = Channel::new(&mut card, 10);
        let answer = channel.send(&read()).expect("an answer");
        assert_eq!((&*answer.data, answer.status), (&[1, 2, 3, 4, 5][..], Status::OK));
        let expected = Traffic { commands: 3, bytes_sent: 15, bytes_received: 11 };
        assert_eq!(channel.traffic, expected);
        assert!(card.is_finished());
    }

    #[test]
    fn command_is_repeated_with_the_right_length() {
        let mut card = Script::new(&[("00B0000000", "6C02"), ("00B0000002", "0102 9000")]);
        let answer = Channel::new(&mut card, 10).send(&read()).expect("an answer");
        assert_eq!(&*answer.data, &[1, 2]);
    }

    #[test]
    fn card_that_always_wants_another_length_is_followed_once() {
        let mut card = Script::new(&[("00B0000000", "6C02"), ("00B0000002", "6C03")]);
        let answer = Channel::new(&mut card, 10).send(&read()).expect("an answer");
        assert_eq!(answer.status, Status(0x6C03));
    }

    #[test]
    fn card_that_always_has_more_is_left() {
        let mut card = Script::new(&[("00B0000000", "6100"), ("00C0000000", "6100")]);
        let refused = Channel::new(&mut card, 10).send(&read()).expect_err("no end");
        assert_eq!(refused, ChannelError::Card(CardError::Broken));

        let mut card = Script::new(&[("00B0000000", "6101"), ("00C0000001", "01 6101")]);
        let refused = Channel::new(&mut card, 2).send(&read()).expect_err("no end");
        assert_eq!(refused, ChannelError::TooManyCommands);
    }

    #[test]
    fn nothing_is_said_after_a_session_has_ended() {
        let session = SecureMessaging::new(SessionKeys::derive(Cipher::Aes128, b"secret"));
        let sent = session.clone().protect_command(&read()).expect("protected");
        let sent = sent.encode().expect("a command");
        let sent: String = sent.iter().map(|byte| format!("{byte:02X}")).collect();
        let mut card = Script::new(&[(&sent, "6988")]);
        let mut channel = Channel::new(&mut card, 10);
        channel.open(session);
        let refused = channel.send(&read()).expect_err("not protected");
        assert_eq!(refused, Broken::NotProtected(Status::PROTECTION_WRONG).into());
        assert_eq!(channel.send(&read()).expect_err("no session"), ChannelError::Ended);
        assert!(card.is_finished());
    }
}
