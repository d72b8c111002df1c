//! A signed message as one line of text: for a QR code, a screen, a radio or a sheet of paper.
//!
//! Upper-case base32 (RFC 4648, without padding) behind a prefix that says what it is: QR codes keep
//! such text in their alphanumeric mode, two characters in eleven bits, and a voice can spell it.

/// What is no line of this kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LineError {
    /// It begins with something else.
    #[error("the line does not begin with {0}:")]
    Prefix(&'static str),
    /// A character that base32 does not have: 0, 1, 8 and 9 are not in it.
    #[error("character {at} is none of A to Z and 2 to 7")]
    Character {
        /// Which, from 1 behind the prefix, blanks not counted.
        at: usize,
    },
    /// It was cut off, or a character is too many.
    #[error("the line is cut off or too long")]
    Length,
}

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Returns `bytes` as a line behind `prefix`.
pub fn encode(prefix: &'static str, bytes: &[u8]) -> String {
    let mut line = format!("{prefix}:");
    for group in bytes.chunks(5) {
        let mut bits = [0; 8];
        bits[3..3 + group.len()].copy_from_slice(group);
        let bits = u64::from_be_bytes(bits);
        let characters = (group.len() * 8).div_ceil(5);
        for at in 0..characters {
            let value = (bits >> (35 - 5 * at)) & 31;
            line.push(char::from(ALPHABET[value as usize]));
        }
    }
    line
}

/// Returns the bytes of a line. Blanks, line breaks and hyphens are passed over, and small letters
/// are taken for large ones: it may have been typed from paper.
pub fn decode(prefix: &'static str, text: &str) -> Result<Vec<u8>, LineError> {
    let plain: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let body = plain
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix(':'))
        .ok_or(LineError::Prefix(prefix))?;
    let mut bytes = Vec::with_capacity(body.len() * 5 / 8);
    let (mut held, mut bits) = (0_u32, 0);
    for (at, character) in body.chars().enumerate() {
        let value = match character {
            'A'..='Z' => character as u32 - 'A' as u32,
            '2'..='7' => character as u32 - '2' as u32 + 26,
            _ => return Err(LineError::Character { at: at + 1 }),
        };
        held = held << 5 | value;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits & 0xFF) as u8);
            held &= (1 << bits) - 1;
        }
    }
    // What is left are fewer than five bits of zeros, or something was lost.
    if bits >= 5 || held != 0 { Err(LineError::Length) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_lines_are_those_of_the_norm() {
        // RFC 4648, section 10.
        for (bytes, line) in [
            ("", "X:"),
            ("f", "X:MY"),
            ("fo", "X:MZXQ"),
            ("foo", "X:MZXW6"),
            ("foob", "X:MZXW6YQ"),
            ("fooba", "X:MZXW6YTB"),
            ("foobar", "X:MZXW6YTBOI"),
        ] {
            assert_eq!(encode("X", bytes.as_bytes()), line);
            assert_eq!(decode("X", line).unwrap(), bytes.as_bytes());
        }
    }

    #[test]
    fn a_line_that_was_typed_from_paper_is_read() {
        assert_eq!(decode("FCW1", " fcw1: mzxw-6ytb\n oi \r\n").unwrap(), b"foobar");
    }

    #[test]
    fn what_is_no_line_says_where() {
        for (text, expected) in [
            ("FCI1:MY", LineError::Prefix("FCW1")),
            ("MY", LineError::Prefix("FCW1")),
            ("FCW1:MZ1W", LineError::Character { at: 3 }),
            ("FCW1:MZÉW", LineError::Character { at: 3 }),
            ("FCW1:MZXW6Y", LineError::Length),
            ("FCW1:MZ", LineError::Length),
        ] {
            assert_eq!(decode("FCW1", text), Err(expected), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_message_comes_back(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let line = encode("FCW1", &bytes);
            prop_assert_eq!(decode("FCW1", &line).unwrap(), bytes);
        }

        #[test]
        fn no_text_breaks_the_reading(text in ".{0,200}") {
            let _ = decode("FCW1", &format!("FCW1:{text}"));
        }
    }
}
