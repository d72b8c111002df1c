//! From what each cell seems to be to a text that can be believed, or to none.
//!
//! Check digits are weak: one in ten wrong texts passes one of them (ICAO 9303-3, 4.9), `G` and `6`
//! look the same to them, and names have none at all. So they are the last sieve here and not the
//! first. A text is returned only when
//!
//! - each character fits its place: letters in a name, digits in a date;
//! - each character is clearly likelier than the next one that would fit its place
//!   ([`FREE_MARGIN`]; [`COVERED_MARGIN`] under a check digit), and seems to be a character at all;
//! - the name has the form of a name, the dates have months and days;
//! - all check digits hold; on Vietnamese cards the number's own, and the two numbers agree.
//!
//! Under check digits, and there alone, a few characters may be less clear ([`MAX_DOUBTS`]): then
//! the likeliest text that passes is taken, if no other that passes comes near it.

use super::glyph::{ALPHABET, Reading};

/// How much likelier a character must be than the next one where no check digit covers it, as a
/// difference of natural logarithms.
pub(super) const FREE_MARGIN: f32 = 4.0;

/// The same under a check digit.
pub(super) const COVERED_MARGIN: f32 = 2.5;

/// Most characters under check digits that may be less clear than that.
const MAX_DOUBTS: usize = 3;

/// Most texts that are tried for these, and how much likelier the text that is taken must be than
/// the next one that passes.
const MAX_TEXTS: usize = 64;
const TEXT_MARGIN: f32 = 4.0;

/// A character that fits its place must not be much less likely than one that does not fit, or than
/// none.
const FITTING: f32 = -4.0;

/// The two forms of a zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// Three lines of 30: cards (ICAO 9303-5).
    Td1,
    /// Two lines of 44: passports (ICAO 9303-4).
    Td3,
}

impl Form {
    pub fn lines(self) -> usize {
        match self {
            Form::Td1 => 3,
            Form::Td3 => 2,
        }
    }

    pub fn columns(self) -> usize {
        match self {
            Form::Td1 => 30,
            Form::Td3 => 44,
        }
    }
}

/// What may stand in a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Class {
    Digit,
    /// A digit or a filler.
    Count,
    /// A letter or a filler.
    Letter,
    /// `A`, `C` or `I` (ICAO 9303-5, 4.2.2.1).
    Card,
    /// `P`.
    Passport,
    /// `M`, `F` or a filler.
    Sex,
    Any,
}

impl Class {
    fn fits(self, character: u8) -> bool {
        match self {
            Class::Digit => character.is_ascii_digit(),
            Class::Count => character.is_ascii_digit() || character == b'<',
            Class::Letter => !character.is_ascii_digit(),
            Class::Card => matches!(character, b'A' | b'C' | b'I'),
            Class::Passport => character == b'P',
            Class::Sex => matches!(character, b'M' | b'F' | b'<'),
            Class::Any => true,
        }
    }
}

/// Returns what may stand in a place, and whether check digits cover it.
fn place(form: Form, line: usize, column: usize) -> (Class, bool) {
    match (form, line, column) {
        (Form::Td1, 0, 0) => (Class::Card, false),
        (Form::Td1, 0, 1..=4) => (Class::Letter, false),
        (Form::Td1, 0, 14) => (Class::Digit, true),
        (Form::Td1, 0, _) => (Class::Any, true),
        (Form::Td1, 1, 7) => (Class::Sex, false),
        (Form::Td1, 1, 0..=14 | 29) => (Class::Digit, true),
        (Form::Td1, 1, 15..=17) => (Class::Letter, false),
        (Form::Td1, 1, _) => (Class::Any, true),
        (Form::Td1, _, _) => (Class::Letter, false),
        (Form::Td3, 0, 0) => (Class::Passport, false),
        (Form::Td3, 0, _) => (Class::Letter, false),
        (Form::Td3, _, 20) => (Class::Sex, false),
        (Form::Td3, _, 10..=12) => (Class::Letter, false),
        (Form::Td3, _, 9 | 13..=19 | 21..=27 | 43) => (Class::Digit, true),
        (Form::Td3, _, 42) => (Class::Count, true),
        (Form::Td3, _, _) => (Class::Any, true),
    }
}

/// Characters that may stand in a cell, the likeliest first, with what each costs.
struct Choice {
    options: Vec<(u8, f32)>,
}

/// Decides on a text, given a reading of each cell: line by line, left to right.
pub(super) fn decide(form: Form, readings: &[Reading]) -> Option<Vec<u8>> {
    if readings.len() != form.lines() * form.columns() {
        return None;
    }
    let mut text = Vec::with_capacity(readings.len());
    let mut doubts: Vec<(usize, Choice)> = Vec::new();
    let is_vietnamese = form == Form::Td1 && {
        let best = |at: usize| readings[at].best().map(|(character, _)| character);
        (0..5).map(best).eq(b"IDVNM".iter().copied().map(Some))
    };
    for (at, reading) in readings.iter().enumerate() {
        let (line, column) = (at / form.columns(), at % form.columns());
        let (mut class, covered) = place(form, line, column);
        if is_vietnamese && line == 0 && matches!(column, 5..=26 | 29) {
            class = Class::Digit;
        }
        let mut options: Vec<(u8, f32)> = ALPHABET
            .iter()
            .copied()
            .zip(reading.scores)
            .filter(|(character, _)| class.fits(*character))
            .collect();
        options.sort_by(|a, b| b.1.total_cmp(&a.1));
        let (character, first) = *options.first()?;
        let second = options.get(1).map_or(f32::MIN, |option| option.1);
        let others = reading.scores.iter().copied().fold(reading.none, f32::max);
        if first - others < FITTING {
            return None;
        }
        // Where one character alone fits, it has to be the likeliest of all.
        let margin = match class {
            Class::Passport | Class::Card | Class::Sex => {
                reading.best().map_or(0.0, |(best, m)| if best == character { m } else { 0.0 })
            }
            _ => first - second.max(if covered { f32::MIN } else { reading.none }),
        };
        let needed = if covered { COVERED_MARGIN } else { FREE_MARGIN };
        if margin < needed {
            if !covered || doubts.len() == MAX_DOUBTS {
                return None;
            }
            options.truncate(3);
            options.retain(|option| first - option.1 < TEXT_MARGIN);
            options.iter_mut().for_each(|option| option.1 = first - option.1);
            doubts.push((at, Choice { options }));
        }
        text.push(character);
    }

    let mut texts = vec![(0.0f32, text)];
    for (at, choice) in doubts {
        let mut more = Vec::with_capacity(texts.len() * choice.options.len());
        for (cost, text) in &texts {
            for &(character, extra) in &choice.options {
                let mut text = text.clone();
                text[at] = character;
                more.push((cost + extra, text));
            }
        }
        more.sort_by(|a, b| a.0.total_cmp(&b.0));
        more.truncate(MAX_TEXTS);
        texts = more;
    }
    let mut passing = texts.into_iter().filter(|(_, text)| holds(form, text));
    let (cost, text) = passing.next()?;
    let is_alone = passing.next().is_none_or(|(next, _)| next - cost >= TEXT_MARGIN);
    is_alone.then_some(text)
}

/// Tells whether all that can be checked of a text holds.
pub(super) fn holds(form: Form, text: &[u8]) -> bool {
    let columns = form.columns();
    if text.len() != form.lines() * columns {
        return false;
    }
    let fits =
        |(at, &character): (usize, &u8)| place(form, at / columns, at % columns).0.fits(character);
    if !text.iter().enumerate().all(fits) {
        return false;
    }
    match form {
        Form::Td1 => {
            let (upper, rest) = text.split_at(columns);
            let (middle, name) = rest.split_at(columns);
            let is_vietnamese = upper.starts_with(b"IDVNM");
            is_checked(&[&upper[5..14]], upper[14])
                && is_checked(&[&middle[..6]], middle[6])
                && is_checked(&[&middle[8..14]], middle[14])
                && is_checked(
                    &[&upper[5..30], &middle[..7], &middle[8..15], &middle[18..29]],
                    middle[29],
                )
                && is_number(&upper[5..14])
                && is_date(&middle[..6])
                && is_date(&middle[8..14])
                && is_name(name)
                // The optional data of Viet Nam: the whole number, with a check digit of its own.
                && (!is_vietnamese
                    || (upper[15..27].iter().all(u8::is_ascii_digit)
                        && is_checked(&[&upper[15..27]], upper[29])
                        && upper[18..27] == upper[5..14]))
        }
        Form::Td3 => {
            let (upper, lower) = text.split_at(columns);
            let optional = &lower[28..42];
            let is_empty = optional.iter().all(|&character| character == b'<');
            is_checked(&[&lower[..9]], lower[9])
                && is_checked(&[&lower[13..19]], lower[19])
                && is_checked(&[&lower[21..27]], lower[27])
                // 9303-4, 4.2.2.2: may be left out where there are no optional data.
                && (is_empty && lower[42] == b'<' || is_checked(&[optional], lower[42]))
                && is_checked(&[&lower[..10], &lower[13..20], &lower[21..43]], lower[43])
                && is_number(&lower[..9])
                && is_date(&lower[13..19])
                && is_date(&lower[21..27])
                && is_name(&upper[5..])
        }
    }
}

/// ICAO 9303-3, 4.9: weights 7, 3, 1.
fn is_checked(parts: &[&[u8]], digit: u8) -> bool {
    let value = |character: u8| match character {
        b'0'..=b'9' => u32::from(character - b'0'),
        b'A'..=b'Z' => u32::from(character - b'A') + 10,
        _ => 0,
    };
    let weights = [7, 3, 1].into_iter().cycle();
    let characters = parts.iter().flat_map(|part| part.iter());
    let sum: u32 = characters.zip(weights).map(|(&character, w)| value(character) * w).sum();
    digit.is_ascii_digit() && sum % 10 == value(digit)
}

/// Letters and digits, then fillers.
fn is_number(part: &[u8]) -> bool {
    let length = part.iter().take_while(|&&character| character != b'<').count();
    length > 0 && part[length..].iter().all(|&character| character == b'<')
}

/// Six digits with a month and a day, which can be unknown.
fn is_date(part: &[u8]) -> bool {
    let two = |at: usize| {
        part[at].wrapping_sub(b'0').wrapping_mul(10).wrapping_add(part[at + 1].wrapping_sub(b'0'))
    };
    part.iter().all(u8::is_ascii_digit) && two(2) <= 12 && two(4) <= 31
}

/// Words with one filler between them, two once between the surname and the others, and fillers
/// behind.
fn is_name(part: &[u8]) -> bool {
    let end = part.iter().rposition(|&character| character != b'<').map_or(0, |at| at + 1);
    let name = &part[..end];
    let words: Vec<&[u8]> = name.split(|&character| character == b'<').collect();
    let empty = words.iter().filter(|word| word.is_empty()).count();
    !name.is_empty() && name[0] != b'<' && empty <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARD: &str = "IDVNM0889999015048088999901<<5\
                        8803023M2803021VNM<<<<<<<<<<<4\
                        NGUYEN<<VAN<MAU<<<<<<<<<<<<<<<";
    const PASSPORT: &str = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\
                            L898902C36UTO7408122F1204159ZE184226B<<<<<10";

    /// Cells of which the recogniser is `margin` sure.
    fn sure(text: &str, margin: f32) -> Vec<Reading> {
        text.bytes().map(|character| reading(character, b'?', margin)).collect()
    }

    /// A cell that seems to be `first`, and `second` with that margin.
    fn reading(first: u8, second: u8, margin: f32) -> Reading {
        let mut scores = [-12.0 - margin; ALPHABET.len()];
        for (score, &character) in scores.iter_mut().zip(ALPHABET) {
            if character == first {
                *score = -0.01;
            } else if character == second {
                *score = -margin;
            }
        }
        Reading { scores, none: -30.0, place: [0.0; 2], height: 0.0 }
    }

    #[test]
    fn zones_that_are_clear_are_read() {
        for (form, text) in [(Form::Td1, CARD), (Form::Td3, PASSPORT)] {
            assert_eq!(decide(form, &sure(text, 9.0)).as_deref(), Some(text.as_bytes()));
        }
    }

    #[test]
    fn every_wrong_digit_is_refused() {
        for (form, text) in [(Form::Td1, CARD), (Form::Td3, PASSPORT)] {
            let columns = form.columns();
            let mut tried = 0;
            for at in 0..text.len() {
                let (class, covered) = place(form, at / columns, at % columns);
                if class == Class::Digit && covered {
                    for digit in b'0'..=b'9' {
                        let mut other = text.as_bytes().to_vec();
                        other[at] = digit;
                        assert_eq!(holds(form, &other), other == text.as_bytes(), "{at}");
                        tried += 1;
                    }
                }
            }
            assert!(tried >= 160, "{tried}");
        }
    }

    #[test]
    fn an_uncertain_name_is_refused() {
        for (form, text, at) in [(Form::Td1, CARD, 63), (Form::Td3, PASSPORT, 7)] {
            let mut readings = sure(text, 9.0);
            readings[at] = reading(text.as_bytes()[at], b'Q', FREE_MARGIN - 0.5);
            assert_eq!(decide(form, &readings), None);
            readings[at] = reading(text.as_bytes()[at], b'Q', FREE_MARGIN + 0.5);
            assert!(decide(form, &readings).is_some());
        }
    }

    #[test]
    fn a_doubt_under_check_digits_is_settled_by_them() {
        let mut readings = sure(PASSPORT, 9.0);
        // The number's first character, O or L, with the wrong one in front.
        readings[44] = reading(b'O', b'L', 1.0);
        assert_eq!(decide(Form::Td3, &readings).as_deref(), Some(PASSPORT.as_bytes()));
    }

    #[test]
    fn a_doubt_that_check_digits_cannot_settle_refuses_the_zone() {
        // G is 16 and 6 is 6: the same to every check digit.
        assert!(holds(Form::Td3, PASSPORT.as_bytes()));
        let mut readings = sure(PASSPORT, 9.0);
        readings[44 + 35] = reading(b'6', b'G', 1.0);
        assert_eq!(decide(Form::Td3, &readings), None);
    }

    #[test]
    fn a_digit_that_looks_like_a_letter_is_read_where_digits_belong() {
        let mut readings = sure(CARD, 9.0);
        readings[30] = reading(b'B', b'8', 1.0);
        assert_eq!(decide(Form::Td1, &readings).as_deref(), Some(CARD.as_bytes()));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in ["<NGUYEN<<VAN", "NGUYEN<<VAN<<MAU", "NGUYEN<<VAN<<<<MAU", ""] {
            let text = format!("{}{name:<<30}", &CARD[..60]);
            assert!(!holds(Form::Td1, text.as_bytes()), "{name}");
        }
        for name in ["NGUYEN", "NGUYEN<VAN", "NGUYEN<<VAN<MAU<EM<ANH<CUA<BAN"] {
            let text = format!("{}{name:<<30}", &CARD[..60]);
            assert!(holds(Form::Td1, text.as_bytes()), "{name}");
        }
    }

    #[test]
    fn numbers_that_do_not_belong_together_are_refused() {
        // The whole number ends in other digits than the card's, each with its check digit right.
        let other = "IDVNM0889999015048088999902<<8\
                     8803023M2803021VNM<<<<<<<<<<<5\
                     NGUYEN<<VAN<MAU<<<<<<<<<<<<<<<";
        assert!(!holds(Form::Td1, other.as_bytes()));
    }
}
