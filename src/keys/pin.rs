//! Takes the officer's PIN digit by digit and wipes it afterwards.
//!
//! The digits never stand in a `String` nor in anything that the window owns: the pad reports a
//! digit, [`Pin::push`] takes it. What a PIN opens is the business of [`super::Vault`].

use std::{fmt, io};

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A PIN while it is typed: decimal digits, wiped on drop, never printed.
///
/// The digits stand on the heap at a fixed place, so that neither typing nor moving leaves copies.
pub struct Pin {
    /// ASCII digits; those past `len` are zero bytes.
    digits: Box<[u8; Pin::MAX_DIGITS]>,
    len: usize,
}

/// Why a PIN is not accepted as a new one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PinProblem {
    /// Fewer than [`Pin::MIN_DIGITS`].
    #[error("the PIN is too short: digits missing: {missing}")]
    TooShort {
        /// How many digits are missing.
        missing: usize,
    },
    /// Every digit follows from the one before by the same step, as in 123456, 864208 or 987654.
    #[error("the PIN is a run of digits")]
    Run,
    /// A shorter group of digits over and over, as in 111111, 121212 or 258258.
    #[error("the PIN repeats itself")]
    Repeat,
}

/// Why no PIN could be read.
#[derive(Debug, thiserror::Error)]
pub enum PinReadError {
    /// The line holds something else than decimal digits.
    #[error("the PIN line holds something else than digits")]
    NotDigits,
    /// The line is longer than a PIN can be.
    #[error("the PIN line has more than {} digits", Pin::MAX_DIGITS)]
    TooLong,
    /// The line is empty.
    #[error("the PIN line is empty")]
    Empty,
    /// The reader failed.
    #[error("the PIN could not be read")]
    Io(#[from] io::Error),
}

impl Pin {
    /// Fewest digits of a PIN. Chosen: with ten tries, a guess succeeds once in 100,000 devices.
    pub const MIN_DIGITS: usize = 6;
    /// Most digits of a PIN. Chosen: more is not typed with gloves, it is written down.
    pub const MAX_DIGITS: usize = 10;

    /// Returns an empty PIN.
    pub fn new() -> Pin {
        Pin { digits: Box::new([0; Pin::MAX_DIGITS]), len: 0 }
    }

    /// Reads a PIN from the first line of `reader`, as `--pin-file` does.
    ///
    /// The line is decimal digits, ended by LF, CRLF or the end of input. It is read byte by byte, so
    /// that nothing behind the line is taken, and the copy is wiped.
    pub fn from_reader(mut reader: impl io::Read) -> Result<Pin, PinReadError> {
        let mut pin = Pin::new();
        let mut byte = Zeroizing::new([0_u8; 1]);
        let mut line_must_end = false;
        loop {
            match reader.read(byte.as_mut_slice()) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            }
            match byte[0] {
                b'\n' => break,
                _ if line_must_end => return Err(PinReadError::NotDigits),
                b'\r' => line_must_end = true,
                digit @ b'0'..=b'9' => {
                    if !pin.push(digit - b'0') {
                        return Err(PinReadError::TooLong);
                    }
                }
                _ => return Err(PinReadError::NotDigits),
            }
        }
        if pin.is_empty() { Err(PinReadError::Empty) } else { Ok(pin) }
    }

    /// Appends one digit, 0 to 9, and says whether it was taken.
    ///
    /// Not taken are other values, and a digit past [`Pin::MAX_DIGITS`].
    pub fn push(&mut self, digit: u8) -> bool {
        if digit > 9 || self.len == Pin::MAX_DIGITS {
            return false;
        }
        self.digits[self.len] = b'0' + digit;
        self.len += 1;
        true
    }

    /// Takes the last digit back, where there is one.
    pub fn erase(&mut self) {
        if let Some(last) = self.len.checked_sub(1) {
            self.digits[last..].zeroize();
            self.len = last;
        }
    }

    /// Wipes all digits.
    pub fn clear(&mut self) {
        self.zeroize();
    }

    /// Returns how many digits were typed.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Says whether nothing was typed.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Says whether this may become the PIN of a device.
    pub fn is_acceptable(&self) -> bool {
        self.problem().is_none()
    }

    /// Returns why this may not become the PIN of a device, or `None` when it may.
    pub fn problem(&self) -> Option<PinProblem> {
        let digits = self.expose();
        if let missing @ 1.. = Pin::MIN_DIGITS.saturating_sub(digits.len()) {
            return Some(PinProblem::TooShort { missing });
        }
        let repeats = |group: usize| digits.iter().zip(&digits[group..]).all(|(a, b)| a == b);
        if (1..=digits.len() / 2).any(repeats) {
            return Some(PinProblem::Repeat);
        }
        let step = |pair: &[u8]| (10 + pair[1] - pair[0]) % 10;
        let first = step(&digits[..2]);
        if digits.windows(2).all(|pair| step(pair) == first) {
            return Some(PinProblem::Run);
        }
        None
    }

    /// Returns the ASCII digits.
    pub(super) fn expose(&self) -> &[u8] {
        &self.digits[..self.len]
    }
}

impl Default for Pin {
    fn default() -> Pin {
        Pin::new()
    }
}

impl Zeroize for Pin {
    fn zeroize(&mut self) {
        self.digits.as_mut_slice().zeroize();
        self.len.zeroize();
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl ZeroizeOnDrop for Pin {}

/// Shows nothing, the length included: a log must not narrow a guess.
impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(digits: &str) -> Pin {
        let mut pin = Pin::new();
        for digit in digits.bytes() {
            assert!(pin.push(digit - b'0'), "{digits}");
        }
        pin
    }

    #[test]
    fn pins_that_are_guessed_first_are_refused() {
        use PinProblem::{Repeat, Run, TooShort};
        let rows: &[(&str, Option<PinProblem>)] = &[
            ("", Some(TooShort { missing: 6 })),
            ("48291", Some(TooShort { missing: 1 })),
            ("482913", None),
            ("4829130756", None),
            ("123457", None),
            ("112233", None),
            ("111112", None),
            ("111111", Some(Repeat)),
            ("0000000000", Some(Repeat)),
            ("121212", Some(Repeat)),
            ("1212121", Some(Repeat)),
            ("258258", Some(Repeat)),
            ("123456", Some(Run)),
            ("890123", Some(Run)),
            ("987654", Some(Run)),
            ("210987", Some(Run)),
            ("135791", Some(Run)),
            ("8642086420", Some(Repeat)),
            ("864208", Some(Run)),
        ];
        for (digits, expected) in rows {
            let pin = typed(digits);
            assert_eq!(pin.problem(), *expected, "{digits}");
            assert_eq!(pin.is_acceptable(), expected.is_none(), "{digits}");
        }
    }

    #[test]
    fn only_ten_digits_are_taken() {
        let mut pin = typed("4829130756");
        assert!(!pin.push(1), "an eleventh digit");
        assert_eq!(pin.len(), 10);

        let mut pin = Pin::new();
        for value in [10, b'1', 255] {
            assert!(!pin.push(value), "{value} is no digit");
        }
        assert!(pin.is_empty());
    }

    #[test]
    fn erase_takes_back_the_last_digit_and_wipes_it() {
        let mut pin = typed("4829");
        pin.erase();
        assert_eq!(pin.expose(), b"482");
        assert_eq!(&pin.digits[3..], &[0; 7]);
        pin.clear();
        assert!(pin.is_empty());
        assert_eq!(*pin.digits, [0; 10]);
        pin.erase();
        assert!(pin.is_empty(), "nothing is there to take back");
    }

    #[test]
    fn pin_is_wiped_on_drop_and_never_printed() {
        fn wiped_on_drop<T: ZeroizeOnDrop>(_: &T) {}
        let mut pin = typed("482913");
        wiped_on_drop(&pin);
        assert_eq!(format!("{pin:?}"), "Pin(..)");
        pin.zeroize();
        assert_eq!(*pin.digits, [0; 10]);
    }

    #[test]
    fn first_line_of_a_pin_file_is_the_pin() {
        for text in ["482913", "482913\n", "482913\r\n", "482913\nanything else"] {
            let pin = Pin::from_reader(text.as_bytes()).expect(text);
            assert_eq!(pin.expose(), b"482913", "{text:?}");
        }
    }

    #[test]
    fn what_is_no_pin_line_is_refused_for_its_reason() {
        let reason = |text: &str| Pin::from_reader(text.as_bytes()).expect_err(text);
        assert!(matches!(reason(""), PinReadError::Empty));
        assert!(matches!(reason("\n482913"), PinReadError::Empty));
        assert!(matches!(reason("48 2913"), PinReadError::NotDigits));
        assert!(matches!(reason("48291x"), PinReadError::NotDigits));
        assert!(matches!(reason("482913\r5"), PinReadError::NotDigits));
        assert!(matches!(reason("48291307561"), PinReadError::TooLong));
        assert!(matches!(reason("482913\r\r\n"), PinReadError::NotDigits));
    }

    #[test]
    fn a_reader_that_fails_is_reported_as_such() {
        struct Broken;
        impl io::Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        assert!(matches!(Pin::from_reader(Broken), Err(PinReadError::Io(_))));
    }
}
