//! How many bytes the rows of a register take at the least, whatever the format.
//!
//! The model, in favour of nobody: the numbers are a set, of which only the size of each group of a
//! province, sex and year of birth is known (it costs nothing here, some 10 kB in all); tags are
//! uniform, as those of HMAC-SHA-256 are: name, masked status, and birth and issue date where they
//! are known; which rows lack a date is a set inside the group again.

use fieldcheck::invented::RegisterSource;

use super::nation::GROUP;

/// Values of a tag that is known.
const NAMES: f64 = 4_095.0;
const BIRTHS: f64 = 31.0;
const ISSUES: f64 = 127.0;

/// Bits of the masked status.
const STATUS_BITS: f64 = 3.0;

/// The information of rows that come in ascending order of the number.
#[derive(Default)]
pub struct Entropy {
    numbers: f64,
    tags: f64,
    group: Group,
}

/// The rows of the present group.
#[derive(Default)]
struct Group {
    beginning: u64,
    rows: u64,
    without_birth: u64,
    without_issue: u64,
}

impl Entropy {
    pub fn add(&mut self, row: &RegisterSource) {
        let beginning = row.number / GROUP;
        if beginning != self.group.beginning {
            self.tags += self.group.sets_without();
            self.group = Group { beginning, ..Group::default() };
        }
        // One element more in a set of `rows`: C(n, rows + 1) / C(n, rows).
        self.numbers += ((GROUP - self.group.rows) as f64 / (self.group.rows + 1) as f64).log2();
        self.group.rows += 1;
        self.tags += NAMES.log2() + STATUS_BITS;
        match row.birth.full() {
            Some(_) => self.tags += BIRTHS.log2(),
            None => self.group.without_birth += 1,
        }
        match row.issued {
            Some(_) => self.tags += ISSUES.log2(),
            None => self.group.without_issue += 1,
        }
    }

    /// Returns the bits of all numbers and of all tags.
    pub fn bits(&self) -> (f64, f64) {
        (self.numbers, self.tags + self.group.sets_without())
    }
}

impl Group {
    /// Returns the bits that tell which rows have no birth date and which no day of issue.
    fn sets_without(&self) -> f64 {
        bits_of_set(self.rows, self.without_birth) + bits_of_set(self.rows, self.without_issue)
    }
}

/// Returns log2 of the number of sets of `chosen` out of `all`.
fn bits_of_set(all: u64, chosen: u64) -> f64 {
    let chosen = chosen.min(all - chosen);
    (0..chosen).map(|at| ((all - at) as f64 / (at + 1) as f64).log2()).sum()
}
