//! Random numbers of the continuous kind, over the world's own generator.

use std::f32::consts::TAU;
use std::sync::OnceLock;

use crate::invented::random::{Random, Stream};

/// Draws floats, directions and noise.
#[derive(Clone)]
pub(super) struct Dice(Random);

/// How many values of the normal distribution are kept. A power of two, so that bits choose one.
const NORMALS: usize = 1 << 12;

impl Dice {
    pub fn new(seed: u64, stream: Stream, index: u64) -> Dice {
        Dice(Random::new(seed, stream, index))
    }

    /// Returns the generator for what is drawn in whole numbers.
    pub fn whole(&mut self) -> &mut Random {
        &mut self.0
    }

    /// Returns a number from 0 to 1, 1 excluded.
    pub fn unit(&mut self) -> f32 {
        (self.0.bits() >> 40) as f32 / (1_u32 << 24) as f32
    }

    /// Returns a number of the range, evenly.
    pub fn within(&mut self, (low, high): (f32, f32)) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Returns a number from −`most` to `most`.
    pub fn around(&mut self, most: f32) -> f32 {
        self.within((-most, most))
    }

    pub fn happens(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// Returns an angle of the whole circle, radians.
    pub fn direction(&mut self) -> f32 {
        self.unit() * TAU
    }

    /// Fills a row with values of the normal distribution, mean 0 and deviation 1.
    ///
    /// From a table: the tails end at 3.7 deviations, which 8-bit pictures do not show.
    pub fn normals(&mut self, row: &mut [f32]) {
        let table = normal_table();
        for five in row.chunks_mut(5) {
            let mut bits = self.0.bits();
            for value in five {
                *value = table[bits as usize % NORMALS];
                bits >>= 12;
            }
        }
    }
}

/// Quantiles of the normal distribution, evenly spaced: summed up from its density.
fn normal_table() -> &'static [f32; NORMALS] {
    static TABLE: OnceLock<[f32; NORMALS]> = OnceLock::new();
    TABLE.get_or_init(|| {
        const STEP: f64 = 1e-4;
        let density = |x: f64| (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
        let mut table = [0.0; NORMALS];
        let (mut x, mut below) = (0.0, 0.5);
        for at in NORMALS / 2..NORMALS {
            let wanted = (at as f64 + 0.5) / NORMALS as f64;
            while below < wanted && x < 6.0 {
                below += STEP * density(x + STEP / 2.0);
                x += STEP;
            }
            table[at] = x as f32;
            table[NORMALS - 1 - at] = -x as f32;
        }
        table
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normals_have_mean_0_and_deviation_1() {
        let mut row = vec![0.0; 100_003];
        Dice::new(1, Stream::Shot, 0).normals(&mut row);
        let count = row.len() as f32;
        let mean = row.iter().sum::<f32>() / count;
        let deviation = (row.iter().map(|value| value * value).sum::<f32>() / count).sqrt();
        assert!(mean.abs() < 0.01 && (deviation - 1.0).abs() < 0.01, "{mean} {deviation}");
        let beyond_two = row.iter().filter(|value| value.abs() > 2.0).count();
        assert!((4_300..4_800).contains(&beyond_two), "{beyond_two}");
    }

    #[test]
    fn ranges_are_kept() {
        let mut dice = Dice::new(1, Stream::Shot, 0);
        assert!((0..10_000).all(|_| (2.0..3.0).contains(&dice.within((2.0, 3.0)))));
        assert!((0..10_000).all(|_| dice.around(0.5).abs() <= 0.5));
    }
}
