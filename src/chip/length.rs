//! How much a reader and a card carry at once, found out once and remembered.
//!
//! Many readers stop at 261 bytes, some cards at 256, and a few say so only by failing. Every read
//! that is larger saves a round trip of some ten milliseconds, so that the largest is tried first.
//! What is remembered is of a reader and a kind of card, never of a person.
//!
//! Departure: extended length is tried without EF.ATR/INFO saying that the card has it (ICAO
//! 9303-11, 9.3.1.2; 9303-10). To look there first costs a command and more with every card, and to
//! try costs one command and a session once with each kind that has none.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::CardIdentity;

/// The lengths that are tried, in bytes of a file, the greatest first.
///
/// Chosen: a portrait of 15 KB in four reads; what a card of 1 KB of memory takes; the longest
/// short answer under 3DES (231); what every reader in the field has been seen to carry (160).
pub const LENGTHS: [usize; 4] = [4_096, 1_024, 231, 160];

/// What a protected command or answer adds to the bytes that it carries, at most: headers of its
/// elements, padding, MAC and status.
const OVERHEAD_BYTES: usize = 48;

/// The longest short command or answer: a reader that carries no more has no extended length.
const SHORT_BYTES: usize = 261;

/// The most readers and kinds of cards that are remembered. Chosen: no post has as many.
const MAX_REMEMBERED: usize = 64;

/// How files are read from one kind of card with one reader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manner {
    /// Place in [`LENGTHS`].
    step: usize,
    /// Whether the card refuses to be asked for more than there is: the header of a file is read
    /// first then.
    pub is_exact: bool,
    /// Whether the card knows no short file identifiers: a file is selected first then.
    pub selects: bool,
}

impl Manner {
    /// Returns how many bytes of a file are asked for at once.
    pub fn length(self) -> usize {
        LENGTHS[self.step]
    }

    /// Returns the manner with the next smaller length, where there is one.
    pub fn smaller(self) -> Option<Self> {
        let step = self.step + 1;
        (step < LENGTHS.len()).then_some(Self { step, ..self })
    }

    /// Whether reads have extended length.
    pub fn is_extended(self) -> bool {
        self.length() > SHORT_BYTES
    }
}

/// What readers and cards were found to carry.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct LengthMemory {
    manners: BTreeMap<CardIdentity, Manner>,
}

impl LengthMemory {
    /// Returns the manner to begin with. `reader_limit` is what the reader says of itself, in bytes
    /// of a whole command or answer.
    pub fn manner(&self, identity: &CardIdentity, reader_limit: Option<usize>) -> Manner {
        if let Some(known) = self.manners.get(identity) {
            return *known;
        }
        // Short commands fit every reader: those that say less mean the bytes of a file.
        let fits = |length: usize| length <= SHORT_BYTES || is_carried(length, reader_limit);
        let step = LENGTHS.iter().position(|length| fits(*length)).unwrap_or_default();
        Manner { step, is_exact: false, selects: false }
    }

    /// Remembers what was found out.
    pub fn remember(&mut self, identity: &CardIdentity, manner: Manner) {
        if self.manners.len() >= MAX_REMEMBERED && !self.manners.contains_key(identity) {
            self.manners.pop_first();
        }
        self.manners.insert(identity.clone(), manner);
    }

    /// Returns everything as text, one reader and kind of card a line.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (identity, manner) in &self.manners {
            let flag = |is_set: bool, letter: char| if is_set { letter } else { '-' };
            let (exact, selects) = (flag(manner.is_exact, 'e'), flag(manner.selects, 's'));
            let _ = write!(text, "{} {exact}{selects} ", manner.length());
            for byte in &identity.atr {
                let _ = write!(text, "{byte:02X}");
            }
            // A name with a line end in it would be another line.
            let reader = identity.reader.replace(['\n', '\r'], " ");
            let _ = writeln!(text, " {reader}");
        }
        text
    }

    /// Reads such a text. Lines that are none are left: what they said is found out again.
    pub fn from_text(text: &str) -> Self {
        let mut memory = Self::default();
        for (identity, manner) in text.lines().filter_map(line) {
            memory.remember(&identity, manner);
        }
        memory
    }
}

/// Whether a reader carries so many bytes under a session, as far as it says; what needs no more
/// than a short command, every reader carries.
pub fn is_carried(bytes: usize, reader_limit: Option<usize>) -> bool {
    reader_limit.is_none_or(|limit| bytes + OVERHEAD_BYTES <= limit)
}

fn line(line: &str) -> Option<(CardIdentity, Manner)> {
    let mut parts = line.splitn(4, ' ');
    let length: usize = parts.next()?.parse().ok()?;
    let step = LENGTHS.iter().position(|known| *known == length)?;
    let (is_exact, selects) = match parts.next()? {
        "--" => (false, false),
        "e-" => (true, false),
        "-s" => (false, true),
        "es" => (true, true),
        _ => return None,
    };
    let atr = bytes(parts.next()?)?;
    let reader = parts.next()?.to_owned();
    Some((CardIdentity { reader, atr }, Manner { step, is_exact, selects }))
}

fn bytes(hexadecimal: &str) -> Option<Vec<u8>> {
    // An ATR has at most 33 bytes (ISO 7816-3, 8.1).
    if hexadecimal.len() > 66 || !hexadecimal.len().is_multiple_of(2) || !hexadecimal.is_ascii() {
        return None;
    }
    (0..hexadecimal.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hexadecimal[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn identity(reader: &str) -> CardIdentity {
        CardIdentity { reader: reader.to_owned(), atr: vec![0x3B, 0x80, 0x01] }
    }

    #[test]
    fn first_length_is_the_greatest_that_the_reader_says_it_carries() {
        let memory = LengthMemory::default();
        for (limit, expected) in [
            (None, 4_096),
            (Some(65_544), 4_096),
            (Some(4_100), 1_024),
            (Some(1_072), 1_024),
            (Some(1_071), 231),
            (Some(261), 231),
            (Some(255), 231),
        ] {
            let manner = memory.manner(&identity("reader"), limit);
            assert_eq!(manner.length(), expected, "{limit:?}");
            assert_eq!(manner.is_extended(), expected > 261);
        }
    }

    #[test]
    fn what_failed_is_smaller_next_time_and_survives_as_text() {
        let mut memory = LengthMemory::default();
        let known = identity("Virtual PCD 00 00");
        let mut manner = memory.manner(&known, None);
        let mut tried = vec![manner.length()];
        while let Some(smaller) = manner.smaller() {
            manner = smaller;
            tried.push(manner.length());
        }
        assert_eq!(tried, LENGTHS);
        memory.remember(&known, Manner { is_exact: true, ..manner });
        memory.remember(&identity(""), Manner { selects: true, ..manner });
        assert_eq!(memory.to_text(), "160 -s 3B8001 \n160 e- 3B8001 Virtual PCD 00 00\n");
        let again = LengthMemory::from_text(&memory.to_text());
        assert_eq!(again, memory);
        assert_eq!(again.manner(&known, None).length(), 160);
        assert_eq!(again.manner(&identity("other"), None).length(), 4_096);
    }

    #[test]
    fn reader_is_taken_at_its_word() {
        for (bytes, limit, expected) in [
            (256, None, true),
            (256, Some(261), false),
            (256, Some(303), false),
            (256, Some(304), true),
            (512, Some(304), false),
        ] {
            assert_eq!(is_carried(bytes, limit), expected, "{bytes} {limit:?}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut memory = LengthMemory::default();
        for number in 0..100 {
            let other = identity(&number.to_string());
            memory.remember(&other, memory.manner(&other, None));
        }
        assert_eq!(memory.manners.len(), MAX_REMEMBERED);
    }

    #[test]
    fn lines_that_are_none_are_left() {
        for text in
            ["", "4096", "4096 --", "4097 -- 3B r", "4096 xx 3B r", "4096 -- 3 r", "160 -- é r"]
        {
            assert_eq!(LengthMemory::from_text(text), LengthMemory::default(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "(.|\n){0,80}", atr in "[0-9A-Fé]{0,9}") {
            let _ = LengthMemory::from_text(&text);
            let _ = LengthMemory::from_text(&format!("160 -- {atr} r"));
        }

        #[test]
        fn what_is_written_is_read(
            reader in "[^\n\r]{0,20}",
            atr in prop::collection::vec(any::<u8>(), 0..33),
        ) {
            let mut memory = LengthMemory::default();
            let identity = CardIdentity { reader, atr };
            memory.remember(&identity, memory.manner(&identity, Some(500)));
            prop_assert_eq!(LengthMemory::from_text(&memory.to_text()), memory);
        }
    }
}
