//! Reed-Solomon decoding as QR codes use it (ISO/IEC 18004, annex on error detection).
//!
//! Over GF(256) with the polynomial 0x11D and roots from the power 0. Corrects `t` errors and `e`
//! erasures where `2t + e` is at most the number of check symbols.

/// Powers of the primitive element, twice over so that a sum of two logarithms needs no modulo.
static EXP: [u8; 512] = TABLES.0;

/// Logarithms to the primitive element; that of 0 is never asked for.
static LOG: [u8; 256] = TABLES.1;

const TABLES: ([u8; 512], [u8; 256]) = {
    let (mut exp, mut log) = ([0; 512], [0; 256]);
    let (mut power, mut value) = (0, 1_u16);
    while power < 255 {
        exp[power] = value as u8;
        exp[power + 255] = value as u8;
        log[value as usize] = power as u8;
        value <<= 1;
        if value & 0x100 != 0 {
            value ^= 0x11D;
        }
        power += 1;
    }
    (exp, log)
};

/// Most check symbols of a block: version 40 has 30.
pub(super) const MAX_CHECKS: usize = 30;

/// Room for a polynomial.
const ROOM: usize = 2 * MAX_CHECKS + 2;

/// Corrects `word` in place, whose last `checks` symbols are check symbols.
///
/// Returns how many symbols were changed, or `None` where no word is near enough; `word` is then
/// as it was. `erased` are the places of symbols that are not to be trusted.
///
/// A random word is taken for a good one with a probability of about 1 in `t!` where `t` is the
/// number of errors that the erasures leave room for; see `read` for what is done about it.
pub(super) fn correct(word: &mut [u8], checks: usize, erased: &[usize]) -> Option<usize> {
    let length = word.len();
    if checks > MAX_CHECKS || checks >= length || length > 255 || erased.len() > checks {
        return None;
    }
    let mut syndromes = [0; MAX_CHECKS];
    let mut is_good = true;
    for (power, syndrome) in syndromes[..checks].iter_mut().enumerate() {
        *syndrome = word.iter().fold(0, |sum, symbol| multiply(sum, EXP[power]) ^ symbol);
        is_good &= *syndrome == 0;
    }
    if is_good {
        return Some(0);
    }
    let (locator, degree) = locator(&syndromes[..checks], erased, length)?;
    repair(word, &syndromes[..checks], &locator, degree)
}

fn multiply(a: u8, b: u8) -> u8 {
    if a == 0 || b == 0 {
        0
    } else {
        EXP[usize::from(LOG[usize::from(a)]) + usize::from(LOG[usize::from(b)])]
    }
}

/// Returns `a / b`; `b` is not 0.
fn divide(a: u8, b: u8) -> u8 {
    if a == 0 {
        0
    } else {
        EXP[usize::from(LOG[usize::from(a)]) + 255 - usize::from(LOG[usize::from(b)])]
    }
}

/// Finds the polynomial whose roots are the inverses of the places of errors and erasures.
///
/// Berlekamp-Massey, begun with the erasures (Blahut).
fn locator(syndromes: &[u8], erased: &[usize], length: usize) -> Option<([u8; ROOM], usize)> {
    let mut locator = [0; ROOM];
    locator[0] = 1;
    for (count, place) in erased.iter().enumerate() {
        let root = EXP[length.checked_sub(1 + place)?];
        for i in (1..=count + 1).rev() {
            locator[i] ^= multiply(locator[i - 1], root);
        }
    }
    let mut support = locator;
    let mut degree = erased.len();
    for step in erased.len()..syndromes.len() {
        let discrepancy = (0..=step.min(ROOM - 1))
            .fold(0, |sum, i| sum ^ multiply(locator[i], syndromes[step - i]));
        support.copy_within(0..ROOM - 1, 1);
        support[0] = 0;
        if discrepancy == 0 {
            continue;
        }
        let before = locator;
        for (value, other) in locator.iter_mut().zip(&support) {
            *value ^= multiply(discrepancy, *other);
        }
        if 2 * degree <= step + erased.len() {
            degree = step + 1 + erased.len() - degree;
            for (value, other) in support.iter_mut().zip(&before) {
                *value = divide(*other, discrepancy);
            }
        }
    }
    let is_short = locator[degree + 1..].iter().all(|value| *value == 0);
    let within = 2 * degree <= syndromes.len() + erased.len();
    (is_short && within && locator[degree] != 0).then_some((locator, degree))
}

/// Changes the symbols at the roots of the locator (Chien, Forney).
fn repair(word: &mut [u8], syndromes: &[u8], locator: &[u8; ROOM], degree: usize) -> Option<usize> {
    let mut evaluator = [0; MAX_CHECKS];
    for (i, value) in evaluator[..syndromes.len()].iter_mut().enumerate() {
        *value = (0..=i.min(degree)).fold(0, |sum, j| sum ^ multiply(locator[j], syndromes[i - j]));
    }
    let mut repairs = [(0, 0); MAX_CHECKS];
    let mut found = 0;
    for place in 0..word.len() {
        let power = word.len() - 1 - place;
        let inverse = EXP[(255 - power % 255) % 255];
        let value = locator[..=degree].iter().rev().fold(0, |sum, c| multiply(sum, inverse) ^ c);
        if value != 0 {
            continue;
        }
        // The derivative: odd coefficients, one power lower.
        let square = multiply(inverse, inverse);
        let mut slope = 0;
        for i in (1..=degree).rev().filter(|i| i % 2 == 1) {
            slope = multiply(slope, square) ^ locator[i];
        }
        if slope == 0 || found == degree || found == MAX_CHECKS {
            return None;
        }
        let top =
            evaluator[..syndromes.len()].iter().rev().fold(0, |sum, c| multiply(sum, inverse) ^ c);
        repairs[found] = (place, multiply(divide(top, slope), EXP[power % 255]));
        found += 1;
    }
    if found != degree {
        return None;
    }
    let mut changed = 0;
    for (place, change) in &repairs[..found] {
        word[*place] ^= change;
        changed += usize::from(*change != 0);
    }
    Some(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fixed sequence without pattern.
    pub(crate) fn random(state: &mut u64) -> usize {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 33) as usize
    }

    /// Multiplies the slow way, bit by bit.
    fn slowly(mut a: u8, mut b: u8) -> u8 {
        let mut product = 0;
        while b != 0 {
            if b & 1 == 1 {
                product ^= a;
            }
            a = (a << 1) ^ if a & 0x80 != 0 { 0x1D } else { 0 };
            b >>= 1;
        }
        product
    }

    /// Appends check symbols: the remainder of a division by the product of (x - 2^i).
    fn encode(data: &[u8], checks: usize) -> Vec<u8> {
        let mut generator = vec![1];
        let mut root = 1;
        for _ in 0..checks {
            generator.push(0);
            for i in (1..generator.len()).rev() {
                generator[i] ^= slowly(generator[i - 1], root);
            }
            root = slowly(root, 2);
        }
        let mut rest = [data, &vec![0; checks]].concat();
        for i in 0..data.len() {
            let factor = rest[i];
            for (j, c) in generator.iter().enumerate() {
                rest[i + j] ^= slowly(*c, factor);
            }
        }
        [data, &rest[data.len()..]].concat()
    }

    #[test]
    fn products_are_those_of_long_multiplication() {
        for a in 0..=255 {
            for b in 0..=255 {
                assert_eq!(multiply(a, b), slowly(a, b), "{a} x {b}");
                if b != 0 {
                    assert_eq!(multiply(divide(a, b), b), a, "{a} / {b}");
                }
            }
        }
    }

    #[test]
    fn every_mix_of_errors_and_erasures_within_the_bound_is_corrected() {
        let mut state = 9;
        for (length, checks) in [(26, 7), (26, 17), (44, 28), (61, 22), (146, 30), (255, 30)] {
            for erasures in 0..=checks {
                for errors in 0..=(checks - erasures) / 2 {
                    let data: Vec<u8> =
                        (0..length - checks).map(|_| random(&mut state) as u8).collect();
                    let good = encode(&data, checks);
                    let mut places: Vec<usize> = (0..length).collect();
                    for i in 0..length {
                        places.swap(i, random(&mut state) % length);
                    }
                    let mut word = good.clone();
                    for place in &places[..errors] {
                        word[*place] ^= 1 + (random(&mut state) % 255) as u8;
                    }
                    let erased = &places[errors..errors + erasures];
                    for place in erased {
                        word[*place] = random(&mut state) as u8;
                    }
                    let corrected = correct(&mut word, checks, erased);
                    assert!(corrected.is_some(), "{length} {checks} {errors} {erasures}");
                    assert_eq!(word, good, "{length} {checks} {errors} {erasures}");
                }
            }
        }
    }

    #[test]
    fn beyond_the_bound_a_word_is_refused_untouched_or_a_code_word() {
        let mut state = 5;
        let mut refused = 0;
        for round in 0..20_000 {
            let (length, checks) = (30, 4 + round % 14);
            let mut word: Vec<u8> = (0..length).map(|_| random(&mut state) as u8).collect();
            let erased: Vec<usize> = (0..round % 4).collect();
            let before = word.clone();
            match correct(&mut word, checks, &erased) {
                None => {
                    refused += 1;
                    assert_eq!(word, before);
                }
                Some(changed) => {
                    assert_eq!(encode(&word[..length - checks], checks), word);
                    assert!(changed <= checks);
                }
            }
        }
        assert!(refused > 15_000, "{refused}");
    }

    #[test]
    fn the_nearest_word_is_found_as_by_brute_force() {
        // Two check symbols correct one error: all words at distance 1 can be tried.
        let mut state = 77;
        for _ in 0..200 {
            let mut word: Vec<u8> = (0..5).map(|_| random(&mut state) as u8).collect();
            let mut near = Vec::new();
            for place in 0..5 {
                for value in 0..=255 {
                    let mut tried = word.clone();
                    tried[place] = value;
                    if encode(&tried[..3], 2) == tried && !near.contains(&tried) {
                        near.push(tried);
                    }
                }
            }
            match correct(&mut word, 2, &[]) {
                Some(_) => assert_eq!(near, [word]),
                None => assert!(near.is_empty()),
            }
        }
    }

    #[test]
    fn bad_arguments_give_none() {
        assert_eq!(correct(&mut [1; 10], 10, &[]), None);
        assert_eq!(correct(&mut [1; 60], 31, &[]), None);
        assert_eq!(correct(&mut [1; 10], 4, &[0, 1, 2, 3, 4]), None);
        assert_eq!(correct(&mut [1; 10], 4, &[10]), None);
        assert_eq!(correct(&mut [], 0, &[]), None);
    }
}
