//! Ten million invented people in the thirty-four provinces of today, as a stream, and what changes
//! among them in a day.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, ensure};
use fieldcheck::invented::{RegisterSource, World, write_register_csv};
use sync_format::v1::date::Date;
use sync_format::v1::register::{RegisterRow, Status, TOMBSTONE, TagKey};

use super::entropy::Entropy;

/// 2026-11-24.
const TODAY: Date = Date::new(2026, 11, 24).expect("a day of the calendar");

/// Numbers with the same six digits before: of one province, sex and year of birth.
pub const GROUP: u64 = 1_000_000;

/// Numbers with the same three digits before: of one province.
const PROVINCE: u64 = 1_000_000_000;

/// The invented nation.
pub struct Nation {
    world: World,
}

/// What was written of it.
pub struct Written {
    pub rows: u64,
    pub bytes: u64,
    /// First three digits of the numbers.
    pub regions: Vec<u16>,
    /// What the rows tell, once they are tags.
    pub entropy: Entropy,
}

impl Nation {
    pub fn invent(people: usize) -> Nation {
        Nation { world: World::of_present_provinces(1, people, TODAY) }
    }

    /// Writes the register as headquarters would get it, ascending by number.
    pub fn write_csv(&self, path: &Path) -> anyhow::Result<Written> {
        let mut written =
            Written { rows: 0, bytes: 0, regions: Vec::new(), entropy: Entropy::default() };
        let mut out = BufWriter::new(File::create(path)?);
        let rows = self.register().inspect(|row| {
            let region = (row.number / PROVINCE) as u16;
            if written.regions.last() != Some(&region) {
                written.regions.push(region);
            }
            written.rows += 1;
            written.entropy.add(row);
        });
        write_register_csv(rows, &mut out)?;
        out.flush()?;
        written.bytes = out.get_ref().metadata()?.len();
        Ok(written)
    }

    /// Returns the rows in ascending order of the number.
    ///
    /// The world spreads the numbers of a group evenly, which would make them cheaper to write down
    /// than real ones: here they are drawn by chance.
    fn register(&self) -> impl Iterator<Item = RegisterSource> + '_ {
        let mut people = self.world.people().map(RegisterSource::from).peekable();
        let mut chance = Chance(1);
        std::iter::from_fn(move || {
            let first = people.next()?;
            let group = first.number / GROUP;
            let mut members = vec![first];
            while let Some(next) = people.next_if(|next| next.number / GROUP == group) {
                members.push(next);
            }
            let mut tails = Vec::new();
            while tails.len() < members.len() {
                tails.resize_with(members.len(), || chance.below(GROUP));
                tails.sort_unstable();
                tails.dedup();
            }
            for (member, tail) in members.iter_mut().zip(tails) {
                member.number = group * GROUP + tail;
            }
            Some(members)
        })
        .flatten()
    }
}

/// What a day changes in a register: 35 rows in 10,000 are not what they were, 10 are new, 5 are gone.
#[derive(Default)]
pub struct Day {
    rows: Vec<RegisterRow>,
    pub changed: usize,
    pub new: usize,
    pub gone: usize,
}

impl Day {
    /// Draws the changes, anywhere in the nation, and seals them.
    pub fn draw(register: &[RegisterRow], key: &TagKey) -> anyhow::Result<Day> {
        let mut chance = Chance(2);
        let mut day = Day::default();
        let seal = |chance: &mut Chance, number| {
            let name = format!("NGUYEN VAN {}", chance.below(1 << 40));
            let issued = Date::from_days(TODAY.to_days() - chance.below(1_000) as i32);
            let birth = Date::from_days(chance.below(20_000) as i32);
            key.seal_row(number, Some(&name), Some(birth.into()), Some(issued), Status::Valid)
        };
        for pair in register.windows(2) {
            let (number, next) = (pair[0].number, pair[1].number);
            let row = match chance.below(10_000) {
                0..35 => {
                    day.changed += 1;
                    seal(&mut chance, number)
                }
                35..40 => {
                    day.gone += 1;
                    RegisterRow { number, tags: TOMBSTONE }
                }
                40..50 if next / GROUP == number / GROUP && next - number > 1 => {
                    day.new += 1;
                    let between = number + 1 + chance.below(next - number - 1);
                    seal(&mut chance, between)
                }
                _ => continue,
            };
            day.rows.push(row);
        }
        ensure!(day.gone > 0, "the nation is too small for its changes");
        Ok(day)
    }

    /// Returns the rows of a delta, ascending by number: those that are gone as tombstones.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = RegisterRow> + '_ {
        self.rows.iter().copied()
    }
}

/// Returns `count` random numbers of the register.
pub fn numbers_of(register: &[RegisterRow], count: usize, seed: u64) -> anyhow::Result<Vec<u64>> {
    let mut chance = Chance(seed);
    (0..count)
        .map(|_| {
            let at = chance.below(register.len() as u64) as usize;
            register.get(at).map(|row| row.number).context("the register is empty")
        })
        .collect()
}

/// SplitMix64: small, and random enough to draw people by.
pub struct Chance(pub u64);

impl Chance {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number from 0 to `end` - 1.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }
}
