//! Commands to a chip and its answers (ISO 7816-4, section 5), as bytes and back.
//!
//! Knows no session and no file. A command is written short where it fits, and extended where its
//! data or the answer it expects do not.

use std::fmt;

use super::secret::SecretBytes;
use super::{CardError, Malformed};

/// INS of MANAGE SECURITY ENVIRONMENT.
pub const MANAGE_SECURITY_ENVIRONMENT: u8 = 0x22;
/// INS of GENERAL AUTHENTICATE.
pub const GENERAL_AUTHENTICATE: u8 = 0x86;
/// INS of SELECT.
pub const SELECT: u8 = 0xA4;
/// INS of READ BINARY.
pub const READ_BINARY: u8 = 0xB0;
/// INS of READ BINARY with an offset in its data, for what lies behind 32 KB.
pub const READ_BINARY_ODD: u8 = 0xB1;
/// The name of the application of travel documents (ICAO 9303-10, 4.1).
pub const APPLICATION: [u8; 7] = [0xA0, 0x00, 0x00, 0x02, 0x47, 0x10, 0x01];

/// The longest answer to a short command, in bytes without the status.
pub const MAX_SHORT_ANSWER: usize = 256;
/// The longest answer to an extended command, in bytes without the status.
pub const MAX_EXTENDED_ANSWER: usize = 65_536;
/// The longest data of a short command, in bytes.
const MAX_SHORT_DATA: usize = 255;
/// The longest data of an extended command, in bytes.
const MAX_EXTENDED_DATA: usize = 65_535;

/// One command APDU.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    /// CLA.
    pub class: u8,
    /// INS.
    pub instruction: u8,
    /// P1 and P2.
    pub parameters: [u8; 2],
    /// The data field; empty where there is none.
    pub data: Vec<u8>,
    /// Le: how many bytes the answer may have at most, without the status; `None` where none are
    /// wanted.
    pub expected: Option<usize>,
}

impl Command {
    /// Bit 5 of CLA: more commands of one chain follow.
    pub const CHAINED: u8 = 0x10;
    /// Bits 3 and 4 of CLA: secure messaging with an authenticated header.
    pub const SECURED: u8 = 0x0C;

    /// Returns a command without data that wants no answer but a status.
    pub fn new(instruction: u8, p1: u8, p2: u8) -> Self {
        let (class, data, expected) = (0x00, Vec::new(), None);
        Self { class, instruction, parameters: [p1, p2], data, expected }
    }

    /// Returns the command with these data.
    pub fn with(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// Returns the command that wants an answer of at most `bytes`.
    pub fn expecting(mut self, bytes: usize) -> Self {
        self.expected = Some(bytes);
        self
    }

    /// Returns the command as one of a chain that goes on.
    pub fn chained(mut self) -> Self {
        self.class |= Self::CHAINED;
        self
    }

    /// Returns CLA, INS, P1 and P2.
    pub fn header(&self) -> [u8; 4] {
        let [p1, p2] = self.parameters;
        [self.class, self.instruction, p1, p2]
    }

    /// Whether the command needs extended length fields.
    pub fn is_extended(&self) -> bool {
        self.data.len() > MAX_SHORT_DATA
            || self.expected.is_some_and(|bytes| bytes > MAX_SHORT_ANSWER)
    }

    /// Returns the bytes of the command.
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        let is_too_long = self.data.len() > MAX_EXTENDED_DATA
            || self.expected.is_some_and(|bytes| bytes > MAX_EXTENDED_ANSWER);
        if is_too_long {
            return Err(Malformed("a command longer than any"));
        }
        let mut bytes = Vec::with_capacity(self.data.len() + 9);
        bytes.extend_from_slice(&self.header());
        // The greatest Le is written as zero: a cast that cuts it is what the norm wants.
        if self.is_extended() {
            if !self.data.is_empty() {
                bytes.push(0);
                bytes.extend_from_slice(&(self.data.len() as u16).to_be_bytes());
                bytes.extend_from_slice(&self.data);
            }
            if let Some(expected) = self.expected {
                if self.data.is_empty() {
                    bytes.push(0);
                }
                bytes.extend_from_slice(&(expected as u16).to_be_bytes());
            }
        } else {
            if !self.data.is_empty() {
                bytes.push(self.data.len() as u8);
                bytes.extend_from_slice(&self.data);
            }
            bytes.extend(self.expected.map(|expected| expected as u8));
        }
        Ok(bytes)
    }

    /// Reads the bytes of a command, as a card does.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        const BROKEN: Malformed = Malformed("a command whose lengths do not fit");
        let (&[class, instruction, p1, p2], body) =
            bytes.split_first_chunk::<4>().ok_or(Malformed("a command without a header"))?;
        let short = |le: u8| if le == 0 { MAX_SHORT_ANSWER } else { usize::from(le) };
        let extended = |le: [u8; 2]| match u16::from_be_bytes(le) {
            0 => MAX_EXTENDED_ANSWER,
            le => usize::from(le),
        };
        let (data, expected): (&[u8], Option<usize>) = match *body {
            [] => (&[], None),
            [le] => (&[], Some(short(le))),
            [0, le1, le2] => (&[], Some(extended([le1, le2]))),
            [0, lc1, lc2, ref rest @ ..] => {
                let length = usize::from(u16::from_be_bytes([lc1, lc2]));
                match rest.split_at_checked(length).ok_or(BROKEN)? {
                    ([], _) => return Err(BROKEN),
                    (data, []) => (data, None),
                    (data, &[le1, le2]) => (data, Some(extended([le1, le2]))),
                    _ => return Err(BROKEN),
                }
            }
            [0, ..] => return Err(BROKEN),
            [lc, ref rest @ ..] => match rest.split_at_checked(usize::from(lc)).ok_or(BROKEN)? {
                (data, []) => (data, None),
                (data, &[le]) => (data, Some(short(le))),
                _ => return Err(BROKEN),
            },
        };
        Ok(Self { class, instruction, parameters: [p1, p2], data: data.to_vec(), expected })
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({:02X?}, {} bytes)", self.header(), self.data.len())
    }
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The data field.
    pub data: SecretBytes,
    /// SW1 and SW2.
    pub status: Status,
}

impl Response {
    /// Returns an answer without data.
    pub fn of(status: Status) -> Self {
        Self { data: SecretBytes::default(), status }
    }

    /// Reads what [`super::Card::transmit`] returned.
    pub fn decode(bytes: Vec<u8>) -> Result<Self, CardError> {
        let mut data = SecretBytes::from(bytes);
        let (rest, &status) = data.split_last_chunk::<2>().ok_or(CardError::Broken)?;
        let length = rest.len();
        data.truncate(length);
        Ok(Self { data, status: Status(u16::from_be_bytes(status)) })
    }

    /// Returns the bytes of the answer.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.data.len() + 2);
        bytes.extend_from_slice(&self.data);
        bytes.extend_from_slice(&self.status.0.to_be_bytes());
        bytes
    }
}

/// The two status bytes of an answer (ISO 7816-4, section 5.6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(pub u16);

impl Status {
    /// Done.
    pub const OK: Self = Self(0x9000);
    /// The file ended before as many bytes as asked for.
    pub const END_OF_FILE: Self = Self(0x6282);
    /// An authentication failed.
    pub const AUTHENTICATION_FAILED: Self = Self(0x6300);
    /// A length that the card does not take.
    pub const WRONG_LENGTH: Self = Self(0x6700);
    /// Another access is needed first.
    pub const ACCESS_DENIED: Self = Self(0x6982);
    /// The state of the card does not allow the command.
    pub const CONDITIONS_NOT_MET: Self = Self(0x6985);
    /// A command that has to be secured and is not.
    pub const PROTECTION_MISSING: Self = Self(0x6987);
    /// A secured command that the card cannot open.
    pub const PROTECTION_WRONG: Self = Self(0x6988);
    /// Data that mean nothing to the card.
    pub const WRONG_DATA: Self = Self(0x6A80);
    /// No such file.
    pub const FILE_NOT_FOUND: Self = Self(0x6A82);
    /// No such key, password or algorithm.
    pub const REFERENCE_NOT_FOUND: Self = Self(0x6A88);
    /// An offset or a parameter outside the file.
    pub const WRONG_PARAMETERS: Self = Self(0x6B00);
    /// An instruction that the card does not know.
    pub const UNKNOWN_INSTRUCTION: Self = Self(0x6D00);
    /// A class that the card does not know.
    pub const UNKNOWN_CLASS: Self = Self(0x6E00);

    /// Returns how many bytes wait for GET RESPONSE, 256 where the card says zero.
    pub fn waiting(self) -> Option<usize> {
        self.after(0x61)
    }

    /// Returns the length that the card wants to be asked for, 256 where it says zero.
    pub fn right_length(self) -> Option<usize> {
        self.after(0x6C)
    }

    /// Returns what the status means, in words for a log.
    pub fn meaning(self) -> &'static str {
        match self.0 {
            0x9000 => "done",
            0x6282 => "the file ended early",
            0x6283 => "the file is deactivated",
            0x6300 | 0x63C0..=0x63CF => "the authentication failed",
            0x6100..=0x61FF => "more bytes wait",
            0x6700 => "wrong length",
            0x6982 => "access denied",
            0x6983 => "the authentication is blocked",
            0x6985 => "not in this state",
            0x6986 => "no file is selected",
            0x6987 => "protection is missing",
            0x6988 => "protection is wrong",
            0x6A80 => "wrong data",
            0x6A81 => "not supported",
            0x6A82 => "no such file",
            0x6A86 => "wrong parameters",
            0x6A88 => "no such reference",
            0x6B00 => "outside the file",
            0x6C00..=0x6CFF => "another length is wanted",
            0x6D00 => "unknown instruction",
            0x6E00 => "unknown class",
            _ => "unknown",
        }
    }

    fn after(self, first: u8) -> Option<usize> {
        let [sw1, sw2] = self.0.to_be_bytes();
        let bytes = if sw2 == 0 { MAX_SHORT_ANSWER } else { usize::from(sw2) };
        (sw1 == first).then_some(bytes)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X} ({})", self.0, self.meaning())
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Status({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::secret::vectors::hex;
    use super::*;

    #[test]
    fn each_form_of_a_command_is_written_as_the_norm_says() {
        let read = Command::new(0xB0, 0x9C, 0x00);
        for (command, expected) in [
            (read.clone(), "00B09C00"),
            (read.clone().expecting(8), "00B09C0008"),
            (read.clone().expecting(256), "00B09C0000"),
            (read.clone().expecting(257), "00B09C00 00 0101"),
            (read.clone().expecting(65_536), "00B09C00 00 0000"),
            (read.clone().with([1, 2]), "00B09C00 02 0102"),
            (read.clone().with([1, 2]).expecting(256), "00B09C00 02 0102 00"),
            (read.clone().with([1, 2]).expecting(4096), "00B09C00 000002 0102 1000"),
            (read.clone().chained().with([1]), "10B09C00 01 01"),
        ] {
            assert_eq!(command.encode().expect("a command"), hex(expected));
        }
        let long = read.with(vec![7; 300]).encode().expect("a command");
        assert_eq!(long[..7], hex("00B09C00 00012C"));
    }

    #[test]
    fn commands_beyond_all_measure_are_refused() {
        for command in [
            Command::new(0xB0, 0, 0).with(vec![0; 65_536]),
            Command::new(0xB0, 0, 0).expecting(65_537),
        ] {
            assert_eq!(command.encode(), Err(Malformed("a command longer than any")));
        }
    }

    #[test]
    fn broken_commands_are_refused() {
        let (no_header, no_lengths) = (
            Malformed("a command without a header"),
            Malformed("a command whose lengths do not fit"),
        );
        for (bytes, expected) in [
            ("", no_header),
            ("00B000", no_header),
            ("00B00000 02 01", no_lengths),
            ("00B00000 02 0102 00 00", no_lengths),
            ("00B00000 000002 01", no_lengths),
            ("00B00000 000001 01 00", no_lengths),
            ("00B00000 000000 01", no_lengths),
        ] {
            assert_eq!(Command::decode(&hex(bytes)), Err(expected), "{bytes}");
        }
    }

    #[test]
    fn answer_has_its_status_at_the_end() {
        let answer = Response::decode(hex("0102 6C10")).expect("an answer");
        assert_eq!((&*answer.data, answer.status.right_length()), (&[1, 2][..], Some(16)));
        assert_eq!(answer.encode(), hex("0102 6C10"));
        assert_eq!(Status(0x6100).waiting(), Some(256));
        assert_eq!(Status::OK.waiting(), None);
        assert_eq!(Response::decode(vec![0x90]).expect_err("no answer"), CardError::Broken);
        assert_eq!(Status::FILE_NOT_FOUND.to_string(), "6A82 (no such file)");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(command) = Command::decode(&bytes) {
                let again = Command::decode(&command.encode().expect("it was one"));
                prop_assert_eq!(again, Ok(command));
            }
        }

        #[test]
        fn what_is_written_is_read(
            data in prop::collection::vec(any::<u8>(), 0..400),
            expected in prop::option::of(1_usize..=65_536),
        ) {
            let command = Command { expected, ..Command::new(0x86, 1, 2).with(data) };
            let bytes = command.encode().expect("a command");
            prop_assert_eq!(Command::decode(&bytes), Ok(command));
        }
    }
}
