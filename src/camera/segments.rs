//! Takes the bytes out of the corrected data of a QR code.
//!
//! The segments follow each other, each with a mode and a length (ISO/IEC 18004, encoding). Letters
//! are given as the bytes that the code holds: kanji as Shift-JIS. What character set they are in is
//! not asked.

/// The characters of an alphanumeric segment in the order of their values.
static ALPHANUMERIC: [u8; 45] = *b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/// Returns the bytes of all segments, or `None` where they break the norm.
///
/// That the rest is padding is asked where `is_strict`: with many erasures it is one more proof that
/// the right code word was found, and a few writers of codes pad otherwise.
pub(super) fn bytes_of(data: &[u8], version: usize, is_strict: bool) -> Option<Vec<u8>> {
    let mut bits = Bits { data, at: 0 };
    let mut bytes = Vec::with_capacity(data.len());
    // In the first position of FNC1, a lone % stands for the separator.
    let mut has_fnc1 = false;
    while let Some(mode) = bits.take(4) {
        let long = match version {
            ..10 => 0,
            10..27 => 1,
            _ => 2,
        };
        match mode {
            0 => break,
            1 => {
                let mut left = bits.take([10, 12, 14][long])?;
                while left > 0 {
                    let digits = left.min(3);
                    let value = bits.take([0, 4, 7, 10][digits as usize])?;
                    let (size, text) =
                        (digits as usize, [value / 100, value / 10 % 10, value % 10]);
                    if value >= 10_u32.pow(digits) {
                        return None;
                    }
                    bytes.extend(text[3 - size..].iter().map(|digit| b'0' + *digit as u8));
                    left -= digits;
                }
            }
            2 => {
                let mut left = bits.take([9, 11, 13][long])?;
                let from = bytes.len();
                while left > 0 {
                    if left == 1 {
                        bytes.push(*ALPHANUMERIC.get(bits.take(6)? as usize)?);
                        break;
                    }
                    let value = bits.take(11)? as usize;
                    bytes.push(*ALPHANUMERIC.get(value / 45)?);
                    bytes.push(ALPHANUMERIC[value % 45]);
                    left -= 2;
                }
                if has_fnc1 {
                    separate(&mut bytes, from);
                }
            }
            4 => {
                for _ in 0..bits.take([8, 16, 16][long])? {
                    bytes.push(bits.take(8)? as u8);
                }
            }
            8 => {
                for _ in 0..bits.take([8, 10, 12][long])? {
                    let value = bits.take(13)?;
                    let value = ((value / 0xC0) << 8) | (value % 0xC0);
                    let value = value + if value < 0x1F00 { 0x8140 } else { 0xC140 };
                    bytes.extend([(value >> 8) as u8, value as u8]);
                }
            }
            // One part of several: its number, their count, their check.
            3 => {
                bits.take(16)?;
            }
            5 => has_fnc1 = true,
            9 => {
                has_fnc1 = true;
                bits.take(8)?;
            }
            // A character set is announced by one to three bytes.
            7 => {
                let first = bits.take(8)?;
                if first & 0x80 != 0 {
                    bits.take(if first & 0x40 == 0 { 8 } else { 16 })?;
                }
            }
            _ => return None,
        }
    }
    (!bytes.is_empty() && (!is_strict || bits.is_padded())).then_some(bytes)
}

/// Turns `%` into the separator and `%%` into `%`, from a place on.
fn separate(bytes: &mut Vec<u8>, from: usize) {
    let mut written = from;
    let mut read = from;
    while read < bytes.len() {
        let is_percent = bytes[read] == b'%';
        let is_double = is_percent && bytes.get(read + 1) == Some(&b'%');
        bytes[written] = if is_percent && !is_double { 0x1D } else { bytes[read] };
        written += 1;
        read += if is_double { 2 } else { 1 };
    }
    bytes.truncate(written);
}

struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// Takes up to 16 bits.
    fn take(&mut self, count: usize) -> Option<u32> {
        if self.at + count > self.data.len() * 8 {
            return None;
        }
        let mut value = 0;
        for at in self.at..self.at + count {
            value = value << 1 | u32::from(self.data[at / 8] >> (7 - at % 8) & 1);
        }
        self.at += count;
        Some(value)
    }

    /// Tells whether only zeros and the padding bytes follow.
    fn is_padded(&self) -> bool {
        let end = self.at.div_ceil(8);
        let zeros = (self.at..end * 8).all(|at| self.data[at / 8] >> (7 - at % 8) & 1 == 0);
        let rest = self.data.get(end..).unwrap_or_default();
        zeros && rest.iter().zip([0xEC, 0x11].iter().cycle()).all(|(byte, pad)| byte == pad)
    }
}
