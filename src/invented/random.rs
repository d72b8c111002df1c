//! The random numbers of the invented world: small, known, and the same on every machine.
//!
//! A generator of our own, because the same seed has to give the same bytes for as long as the
//! project lives; general random crates change their algorithms between versions.
//! Not for secrets: keys come from the operating system.

/// Gives the stream of numbers for one thing of the world.
///
/// The algorithm is xoshiro256** 1.0 (Blackman and Vigna, 2018), its four words filled by
/// splitmix64 as its authors advise. Each person, notice and picture has a stream of its own,
/// made from the world's seed, the kind of thing and its index, so that any of them can be made
/// without making those before it.
#[derive(Clone)]
pub struct Random {
    words: [u64; 4],
}

/// The kinds of things that have a stream of their own.
#[derive(Clone, Copy)]
pub enum Stream {
    /// Where the world's systematic sample begins, and other facts of the whole.
    World = 1,
    /// One person.
    Person = 2,
    /// One notice.
    Notice = 3,
    /// One card's picture.
    Picture = 4,
    /// The address and the parents on a person's card.
    Card = 5,
    /// One photograph that measures a decoder.
    Shot = 6,
    /// One burst of photographs.
    Burst = 7,
    /// One photograph of a machine-readable zone.
    Back = 8,
    /// One photograph without a code.
    Nothing = 9,
    /// One burst of photographs of a machine-readable zone.
    BackBurst = 10,
}

impl Random {
    /// Makes the stream of thing number `index` of its kind.
    pub fn new(seed: u64, stream: Stream, index: u64) -> Random {
        let mut state = splitmix(&mut seed.wrapping_add((stream as u64) << 56)) ^ index;
        Random {
            words: [
                splitmix(&mut state),
                splitmix(&mut state),
                splitmix(&mut state),
                splitmix(&mut state),
            ],
        }
    }

    /// Returns 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.words;
        let out = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        out
    }

    /// Returns a number from 0 to `end` − 1, or 0 where `end` is 0.
    ///
    /// By the upper half of a 128-bit product; the unevenness is below `end` / 2⁶⁴.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }

    /// Returns a number from `first` to `last`, both included.
    pub fn between(&mut self, first: i32, last: i32) -> i32 {
        let width = (i64::from(last) - i64::from(first) + 1).max(1);
        (i64::from(first) + self.below(width as u64) as i64) as i32
    }

    /// Is true `per_mille` times in 1,000.
    pub fn happens(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// Returns one of `choices`, each as likely as the other.
    pub fn one_of<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// Returns the position in `weights` that the dice fell on.
    pub fn weighted(&mut self, weights: &[u32]) -> usize {
        let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        let mut left = self.below(total);
        for (position, weight) in weights.iter().enumerate() {
            match left.checked_sub(u64::from(*weight)) {
                Some(rest) => left = rest,
                None => return position,
            }
        }
        0
    }
}

/// Steps `state` and returns the mixed word (splitmix64, Steele, Lea and Flood, 2014).
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_gives_the_published_first_numbers() {
        // The reference code's output for the seed 1234567.
        let mut state = 1_234_567;
        let drawn: Vec<u64> = (0..3).map(|_| splitmix(&mut state)).collect();
        assert_eq!(
            drawn,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn xoshiro_gives_the_published_first_numbers() {
        // The reference code's output for the state 1, 2, 3, 4.
        let mut random = Random { words: [1, 2, 3, 4] };
        let drawn: Vec<u64> = (0..4).map(|_| random.bits()).collect();
        assert_eq!(drawn, [11_520, 0, 1_509_978_240, 1_215_971_899_390_074_240]);
    }

    #[test]
    fn streams_of_neighbours_differ_and_repeat() {
        let first = |seed, stream, index| Random::new(seed, stream, index).bits();
        assert_eq!(first(7, Stream::Person, 3), first(7, Stream::Person, 3));
        assert_ne!(first(7, Stream::Person, 3), first(7, Stream::Person, 4));
        assert_ne!(first(7, Stream::Person, 3), first(7, Stream::Notice, 3));
        assert_ne!(first(7, Stream::Person, 3), first(8, Stream::Person, 3));
    }

    #[test]
    fn weighted_choice_follows_its_weights() {
        let mut random = Random::new(1, Stream::World, 0);
        let mut counts = [0_u32; 3];
        for _ in 0..10_000 {
            counts[random.weighted(&[700, 0, 300])] += 1;
        }
        assert!((6_850..7_150).contains(&counts[0]), "{counts:?}");
        assert_eq!(counts[1], 0);
    }
}
