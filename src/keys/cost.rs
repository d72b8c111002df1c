//! Bounds what one guess of a PIN or a passphrase costs, and pays it.
//!
//! The cost stands in the vault's file, so a thief can write another one there. Below the floor he
//! gains nothing, since [`super::Vault::open`] refuses; above the ceiling he cannot exhaust the
//! device's memory; in between the key comes out different and opens nothing.

use std::io;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroizing;

/// Length of the salt of a slot (RFC 9106, 3.1: 16 bytes are recommended).
pub(crate) const SALT_BYTES: usize = 16;

/// The cost of stretching a PIN with Argon2id, version 0x13 (RFC 9106).
///
/// Holding one proves that it lies between [`ArgonCost::FLOOR`] and [`ArgonCost::CEILING`], unless
/// it came from [`ArgonCost::smallest_for_tests`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ArgonCost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// An Argon2 cost outside of what is accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an Argon2 cost of {memory_kib} KiB, {passes} passes, {lanes} lanes is not accepted")]
pub struct CostRefused {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl ArgonCost {
    /// The least that a vault is opened with: 64 MiB, 3 passes (RFC 9106, 4, second recommended
    /// option, with one lane: we fill the lanes one after the other). Measured: 0.18 s on one core
    /// of a 2-core x86 server.
    pub const FLOOR: ArgonCost = ArgonCost { memory_kib: 64 * 1024, passes: 3, lanes: 1 };

    /// The most that a vault is opened with. Chosen: a handheld with 3 GiB can spare 512 MiB for a
    /// moment; more comes from an attacker.
    pub const CEILING: ArgonCost = ArgonCost { memory_kib: 512 * 1024, passes: 16, lanes: 4 };

    /// Returns this cost, or refuses it when it lies outside floor and ceiling.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<ArgonCost, CostRefused> {
        ArgonCost::new_at_least(memory_kib, passes, lanes, ArgonCost::FLOOR)
    }

    /// Returns this cost, or refuses it when it lies below `lowest` or above the ceiling.
    pub(crate) fn new_at_least(
        memory_kib: u32,
        passes: u32,
        lanes: u32,
        lowest: ArgonCost,
    ) -> Result<ArgonCost, CostRefused> {
        ArgonCost { memory_kib, passes, lanes }.at_least(lowest)
    }

    /// Returns memory in KiB, passes and lanes.
    pub fn parts(self) -> (u32, u32, u32) {
        (self.memory_kib, self.passes, self.lanes)
    }

    /// Returns the smallest cost that Argon2 knows: worthless as a protection.
    ///
    /// For tests, which make hundreds of vaults. [`super::Vault::open`] refuses such a vault.
    pub const fn smallest_for_tests() -> ArgonCost {
        ArgonCost { memory_kib: Params::MIN_M_COST, passes: 1, lanes: 1 }
    }

    /// Reads the twelve bytes of a vault's file; refuses what lies below `lowest` or too high.
    pub(super) fn from_bytes(bytes: [u8; 12], lowest: ArgonCost) -> Result<ArgonCost, CostRefused> {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
        ArgonCost {
            memory_kib: u32::from_le_bytes([a, b, c, d]),
            passes: u32::from_le_bytes([e, f, g, h]),
            lanes: u32::from_le_bytes([i, j, k, l]),
        }
        .at_least(lowest)
    }

    /// Returns memory, passes and lanes, each 32 bits, little-endian.
    pub(super) fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&self.memory_kib.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.passes.to_le_bytes());
        bytes[8..].copy_from_slice(&self.lanes.to_le_bytes());
        bytes
    }

    /// Stretches a PIN or a passphrase with Argon2id. The working memory is wiped.
    pub(crate) fn stretch(
        self,
        secret: &[u8],
        salt: &[u8; SALT_BYTES],
    ) -> io::Result<Zeroizing<[u8; 32]>> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32))
            .expect("every cost lies between what Argon2 allows");
        let mut blocks = Vec::new();
        blocks
            .try_reserve_exact(params.block_count())
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        blocks.resize(params.block_count(), Block::new());
        let mut blocks: Zeroizing<Box<[Block]>> = Zeroizing::new(blocks.into_boxed_slice());
        let mut stretched = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(secret, salt, stretched.as_mut_slice(), &mut **blocks)
            .expect("lengths of secret, salt, output and memory are those of the parameters");
        Ok(stretched)
    }

    fn at_least(self, lowest: ArgonCost) -> Result<ArgonCost, CostRefused> {
        let ArgonCost { memory_kib, passes, lanes } = self;
        let holds = (lowest.memory_kib..=ArgonCost::CEILING.memory_kib).contains(&memory_kib)
            && (lowest.passes..=ArgonCost::CEILING.passes).contains(&passes)
            && (lowest.lanes..=ArgonCost::CEILING.lanes).contains(&lanes)
            // RFC 9106, 3.1: at least eight blocks a lane.
            && memory_kib >= 8 * lanes;
        if holds { Ok(self) } else { Err(CostRefused { memory_kib, passes, lanes }) }
    }
}

impl Default for ArgonCost {
    fn default() -> ArgonCost {
        ArgonCost::FLOOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cost_is_kept_between_floor_and_ceiling() {
        let rows: &[(u32, u32, u32, bool)] = &[
            (65_536, 3, 1, true),
            (524_288, 16, 4, true),
            (131_072, 4, 2, true),
            (65_535, 3, 1, false),
            (65_536, 2, 1, false),
            (65_536, 3, 0, false),
            (524_289, 3, 1, false),
            (65_536, 17, 1, false),
            (65_536, 3, 5, false),
            (u32::MAX, u32::MAX, u32::MAX, false),
            (0, 0, 0, false),
        ];
        for &(memory_kib, passes, lanes, accepted) in rows {
            let cost = ArgonCost::new(memory_kib, passes, lanes);
            let expected = if accepted {
                Ok(ArgonCost { memory_kib, passes, lanes })
            } else {
                Err(CostRefused { memory_kib, passes, lanes })
            };
            assert_eq!(cost, expected);
        }
    }

    #[test]
    fn cost_reads_back_as_written_and_the_test_cost_only_where_it_is_allowed() {
        let cost = ArgonCost::new(131_072, 4, 2).unwrap();
        assert_eq!(ArgonCost::from_bytes(cost.to_bytes(), ArgonCost::FLOOR), Ok(cost));

        let small = ArgonCost::smallest_for_tests();
        assert_eq!(ArgonCost::from_bytes(small.to_bytes(), small), Ok(small));
        assert_eq!(
            ArgonCost::from_bytes(small.to_bytes(), ArgonCost::FLOOR),
            Err(CostRefused { memory_kib: 8, passes: 1, lanes: 1 })
        );
        let too_little_for_its_lanes = ArgonCost { memory_kib: 8, passes: 1, lanes: 2 };
        assert!(ArgonCost::from_bytes(too_little_for_its_lanes.to_bytes(), small).is_err());
    }

    #[test]
    fn stretching_depends_on_pin_salt_and_cost() {
        let small = ArgonCost::smallest_for_tests();
        let stretch = |cost: ArgonCost, digits: &str, salt: u8| {
            *cost.stretch(digits.as_bytes(), &[salt; SALT_BYTES]).unwrap()
        };
        let first = stretch(small, "482913", 1);
        assert_eq!(first, stretch(small, "482913", 1));
        assert_ne!(first, stretch(small, "482914", 1));
        assert_ne!(first, stretch(small, "482913", 2));
        assert_ne!(first, stretch(ArgonCost { passes: 2, ..small }, "482913", 1));
        assert_ne!(first, stretch(ArgonCost { memory_kib: 16, ..small }, "482913", 1));
    }
}
