//! Rows of the register, sealed into tags as they are read.

use std::fmt;
use std::io::Read;
use std::str::FromStr;

use sync_format::v1::date::Date;
use sync_format::v1::register::{ABROAD, RegisterRow, Status, TagKey};

use super::{Column, Fault, Refusals, Row, SourceError, put_in_order, read_rows};
use crate::document::{Name, PersonalNumber, Place};

/// Columns of the register, in any order; all must be there.
pub const REGISTER_COLUMNS: [&str; 5] = ["number", "name", "birth", "issued", "status"];

const fn column(at: usize) -> Column {
    Column { at, name: REGISTER_COLUMNS[at] }
}

const NUMBER: Column = column(0);
const NAME: Column = column(1);
const BIRTH: Column = column(2);
const ISSUED: Column = column(3);
const STATUS: Column = column(4);

/// Prefixes of personal numbers, and so the first that is none.
const PREFIXES: u16 = 1_000;

/// The regions that a list of the register covers whole: a number of theirs that is not in the list is
/// not in the register.
///
/// Whoever builds declares them, for the rows cannot tell: one row of a province does not make a list of
/// the province.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Regions(Vec<u16>);

/// A word that names no region.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is no province by its first three digits, `abroad` or `all`")]
pub struct UnknownRegion(String);

impl Regions {
    /// Returns every province, and those who were born abroad.
    pub fn all() -> Regions {
        Regions(
            (0..ABROAD)
                .filter(|prefix| region_of_prefix(*prefix).is_some())
                .chain([ABROAD])
                .collect(),
        )
    }

    /// Returns the regions of these prefixes.
    ///
    /// # Errors
    ///
    /// The first prefix that is of no province and no country.
    pub fn of_prefixes(prefixes: impl IntoIterator<Item = u16>) -> Result<Regions, UnknownRegion> {
        let region = |prefix| region_of_prefix(prefix).ok_or(UnknownRegion(format!("{prefix:03}")));
        let regions = prefixes.into_iter().map(region).collect::<Result<Vec<u16>, _>>()?;
        Ok(Regions::sorted(regions))
    }

    /// Returns the regions of these numbers, as a package names them.
    pub fn of_numbers(numbers: &[u16]) -> Regions {
        Regions::sorted(numbers.to_vec())
    }

    fn sorted(mut regions: Vec<u16>) -> Regions {
        regions.sort_unstable();
        regions.dedup();
        Regions(regions)
    }

    /// Returns their numbers, ascending: the first three digits, [`ABROAD`] for all born abroad.
    pub fn numbers(&self) -> &[u16] {
        &self.0
    }
}

impl FromStr for Regions {
    type Err = UnknownRegion;

    fn from_str(text: &str) -> Result<Regions, UnknownRegion> {
        if text.trim() == "all" {
            return Ok(Regions::all());
        }
        let region = |word: &str| {
            let is_prefix = word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_digit());
            let prefix = word.parse().ok().filter(|prefix| is_prefix && *prefix < ABROAD);
            let province = prefix.and_then(region_of_prefix);
            let region = if word == "abroad" { Some(ABROAD) } else { province };
            region.ok_or_else(|| UnknownRegion(word.to_owned()))
        };
        let regions = text.split(',').map(|word| region(word.trim()));
        Ok(Regions::sorted(regions.collect::<Result<_, _>>()?))
    }
}

impl fmt::Display for Regions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Regions::all() {
            return f.write_str("all");
        }
        for (at, region) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match *region {
                ABROAD => write!(f, "{comma}abroad")?,
                province => write!(f, "{comma}{province:03}")?,
            }
        }
        Ok(())
    }
}

/// Returns the region of a prefix, or `None` where it is of no province and no country.
fn region_of_prefix(prefix: u16) -> Option<u16> {
    match Place::of_prefix(prefix) {
        Place::Province { code, .. } => Some(code),
        Place::Country { .. } => Some(ABROAD),
        Place::Unknown(_) => None,
    }
}

/// Rows of the register, ascending by number, each sealed under every one of `KEYS` keys.
///
/// Sixteen bytes a row under one key: a nation fits into the memory of the machine that builds.
pub struct SealedRows<const KEYS: usize>(Vec<SealedRow<KEYS>>);

struct SealedRow<const KEYS: usize> {
    number: u64,
    tags: [u32; KEYS],
    /// The last line that fits stands for all beyond it: a report of four thousand million rows has no
    /// reader.
    line: u32,
}

impl<const KEYS: usize> SealedRows<KEYS> {
    /// Returns how many rows there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Says whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the rows as they are under key number `key`.
    ///
    /// # Panics
    ///
    /// When there is no such key.
    pub fn under(&self, key: usize) -> impl ExactSizeIterator<Item = RegisterRow> + '_ {
        assert!(key < KEYS, "rows were sealed under {KEYS} keys");
        self.0.iter().map(move |row| RegisterRow { number: row.number, tags: row.tags[key] })
    }
}

/// Shows no row.
impl<const KEYS: usize> fmt::Debug for SealedRows<KEYS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedRows({})", self.len())
    }
}

/// Reads and checks the register, and seals each row into its tags; ascending by number.
///
/// A row outside `regions` is refused: the list would say less about its region than it seems to. So is
/// one whose first three digits are of no province and no country, even where all regions are covered:
/// no unit could be given such a row, no card with it could be genuine, and it is most likely a slip.
///
/// # Errors
///
/// See [`SourceError`]; where refused rows are allowed, they are missing in what is given. Of two rows of
/// one number the first is taken.
pub fn read_register<const KEYS: usize>(
    reader: impl Read,
    keys: [&TagKey; KEYS],
    regions: &Regions,
    refusals: &mut Refusals<'_>,
) -> Result<SealedRows<KEYS>, SourceError> {
    let covered = Covered::new(regions);
    let mut taken: Vec<SealedRow<KEYS>> = Vec::new();
    let mut folded = String::new();
    let rows = read_rows(reader, &REGISTER_COLUMNS, refusals, |row| {
        taken.push(parse_register_row(row, keys, &covered, &mut folded)?);
        Ok(())
    })?;
    put_in_order(
        &mut taken,
        |row| (row.number, u64::from(row.line)),
        |_, first, line| {
            let reason = format!("this number stands on line {first} too");
            refusals.refuse(line, Fault { column: Some(NUMBER.name), reason: reason.into() });
        },
    );
    refusals.judge(rows, taken.len())?;
    Ok(SealedRows(taken))
}

fn parse_register_row<const KEYS: usize>(
    row: &Row<'_>,
    keys: [&TagKey; KEYS],
    covered: &Covered,
    folded: &mut String,
) -> Result<SealedRow<KEYS>, Fault> {
    let number = PersonalNumber::parse(row.required(NUMBER)?)
        .ok_or_else(|| Fault::of(NUMBER, "is not 12 digits"))?;
    covered.check(number.prefix())?;
    let name = match row.cell(NAME) {
        "" => None,
        cell if Name::fold_into(cell, folded) => Some(folded.as_str()),
        _ => return Err(Fault::of(NAME, "has no letter")),
    };
    let birth = Some(row.partial_date(BIRTH)?).filter(|birth| !birth.is_unknown());
    let issued = match row.cell(ISSUED) {
        "" => None,
        _ => Some(row.parse::<Date>(ISSUED, "a date yyyy-mm-dd")?),
    };
    let status: Status = row.parse(STATUS, "a known status")?;
    let seal = |key: &TagKey| key.seal_row(number.value(), name, birth, issued, status).tags;
    Ok(SealedRow {
        number: number.value(),
        tags: keys.map(seal),
        line: u32::try_from(row.line).unwrap_or(u32::MAX),
    })
}

/// For every prefix, whether the list covers it.
struct Covered(Vec<Prefix>);

#[derive(Clone, Copy)]
enum Prefix {
    Covered,
    Outside,
    Unknown,
}

impl Covered {
    fn new(regions: &Regions) -> Covered {
        let prefix = |prefix| match region_of_prefix(prefix) {
            Some(region) if regions.0.contains(&region) => Prefix::Covered,
            Some(_) => Prefix::Outside,
            None => Prefix::Unknown,
        };
        Covered((0..PREFIXES).map(prefix).collect())
    }

    fn check(&self, prefix: u16) -> Result<(), Fault> {
        match self.0[usize::from(prefix)] {
            Prefix::Covered => Ok(()),
            Prefix::Outside => {
                Err(Fault::of(NUMBER, "is of a region that this list does not cover"))
            }
            Prefix::Unknown => {
                Err(Fault::of(NUMBER, "begins like that of no province and no country"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::RefusedRow;
    use super::*;

    fn key() -> TagKey {
        TagKey::new([7; 32])
    }

    fn read(source: &str) -> Result<SealedRows<1>, SourceError> {
        read_register(source.as_bytes(), [&key()], &Regions::all(), &mut Refusals::none_allowed())
    }

    /// The one row that was refused.
    #[track_caller]
    fn refused(source: Result<SealedRows<1>, SourceError>) -> RefusedRow {
        match source {
            Err(SourceError::Rows { mut report, refused: 1, .. }) => report.remove(0),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_register_row_is_sealed_with_what_it_knows() {
        use sync_format::v1::register::Agreement::{Agrees, Differs, NotKnown};

        let key = key();
        let source = "status,number,name,birth,issued\n\
                      lost,048088999902,,,\n\
                      valid,048088999901,Nguyễn Văn Mẫu,1988-03-02,2022-05-10\n\
                      valid,048088999903,Trần Thị Thử,1990,\n";
        let rows: Vec<RegisterRow> = read(source).unwrap().under(0).collect();
        let numbers: Vec<u64> = rows.iter().map(|row| row.number).collect();
        assert_eq!(numbers, [48_088_999_901, 48_088_999_902, 48_088_999_903]);
        assert_eq!(key.name_agrees(rows[0], "NGUYEN VAN MAU"), Agrees);
        assert_eq!(key.name_agrees(rows[0], "TRAN THI THU"), Differs);
        let day = |iso: &str| iso.parse::<Date>().unwrap();
        assert_eq!(key.birth_agrees(rows[0], day("1988-03-02").into()), Agrees);
        assert_eq!(key.issued_agrees(rows[0], day("2022-05-10")), Agrees);
        assert_eq!(key.name_agrees(rows[1], "NGUYEN VAN MAU"), NotKnown);
        assert_eq!(key.status(rows[1]), Ok(Status::Lost));
        assert_eq!(key.birth_agrees(rows[2], day("1990-01-01").into()), NotKnown);
    }

    #[test]
    fn a_bad_register_row_is_refused_with_its_line_and_without_its_number() {
        let header = "number,name,birth,issued,status\n";
        for (row, reason) in [
            ("048088999901,Mẫu,,,gone", "status is not a known status"),
            ("04808899990,Mẫu,,,valid", "number is not 12 digits"),
            (",Mẫu,,,valid", "number is missing"),
            ("048088999901,123,,,valid", "name has no letter"),
            ("048088999901,Mẫu,,2022,valid", "issued is not a date yyyy-mm-dd"),
        ] {
            let source = format!("{header}048088999909,Mẫu,,,valid\n{row}\n");
            let row = refused(read(&source));
            assert_eq!((row.line, &*row.reason), (3, reason));
        }
        let twice = format!("{header}048088999901,,,,valid\n048088999901,,,,valid\n");
        assert_eq!(refused(read(&twice)).to_string(), "line 3: this number stands on line 2 too");
    }

    #[test]
    fn rows_in_any_order_come_ascending_and_a_number_stands_once() {
        let source = "number,name,birth,issued,status\n\
                      048088999903,,,,valid\n048088999901,,,,valid\n\
                      048088999902,,,,lost\n048088999901,,,,lost\n";
        let row = refused(read(source));
        assert_eq!(row.to_string(), "line 5: this number stands on line 3 too");
        assert_eq!(row.column, Some("number"));

        let mut one = Refusals::allowing(1);
        let rows = read_register(source.as_bytes(), [&key()], &Regions::all(), &mut one).unwrap();
        let rows: Vec<RegisterRow> = rows.under(0).collect();
        let numbers: Vec<u64> = rows.iter().map(|row| row.number).collect();
        assert_eq!(numbers, [48_088_999_901, 48_088_999_902, 48_088_999_903]);
        assert_eq!(key().status(rows[0]), Ok(Status::Valid), "the first of the two is taken");
    }

    #[test]
    fn a_row_is_sealed_under_each_key_as_under_that_key_alone() {
        let source = "number,name,birth,issued,status\n\
                      048088999901,Nguyễn Văn Mẫu,1988-03-02,2022-05-10,valid\n\
                      048088999902,H'Hen Niê,1990,,lost\n";
        let other = TagKey::new([8; 32]);
        let read = |keys: [&TagKey; 2]| {
            let mut none = Refusals::none_allowed();
            read_register(source.as_bytes(), keys, &Regions::all(), &mut none).unwrap()
        };
        let (one, both) = (key(), read([&key(), &other]));
        assert_eq!(both.len(), 2);
        assert!(both.under(0).eq(read([&one, &one]).under(1)));
        assert!(both.under(1).eq(read([&other, &one]).under(0)));
        assert!(both.under(0).ne(both.under(1)));
        assert_eq!(format!("{both:?}"), "SealedRows(2)");
    }

    #[test]
    fn a_row_outside_the_declared_regions_is_refused() {
        let read = |regions: &str, number: &str| {
            let source = format!("number,name,birth,issued,status\n{number},,,,valid\n");
            let (regions, mut none) = (regions.parse().unwrap(), Refusals::none_allowed());
            read_register(source.as_bytes(), [&key()], &regions, &mut none)
        };
        for (regions, number) in [
            ("048", "048088999901"),
            ("001,048", "001088999901"),
            ("abroad", "101088999901"),
            ("abroad", "295088999901"),
            ("all", "096088999901"),
        ] {
            assert_eq!(read(regions, number).unwrap().len(), 1, "{number} of {regions}");
        }
        let outside = "number is of a region that this list does not cover";
        let unknown = "number begins like that of no province and no country";
        for (regions, number, reason) in [
            ("048", "001088999901", outside),
            ("048", "101088999901", outside),
            ("abroad", "048088999901", outside),
            ("all", "003088999901", unknown),
            ("all", "000088999901", unknown),
            ("all", "100088999901", unknown),
            ("abroad", "296088999901", unknown),
        ] {
            let row = refused(read(regions, number));
            assert_eq!((row.line, &*row.reason), (2, reason), "{number} of {regions}");
        }
    }

    #[test]
    fn regions_are_named_by_three_digits_and_two_words() {
        let numbers =
            |text: &str| text.parse::<Regions>().map(|regions| regions.numbers().to_vec());
        assert_eq!(numbers("048, 001,abroad,048"), Ok(vec![1, 48, ABROAD]));
        assert_eq!(numbers("all").unwrap().len(), 64, "63 provinces and abroad");
        for word in ["", "48", "0048", "003", "101", "+48", "ALL", "north"] {
            assert_eq!(numbers(&format!("048,{word}")), Err(UnknownRegion(word.to_owned())));
        }
        for text in ["all", "001,048,abroad", "096"] {
            assert_eq!(text.parse::<Regions>().unwrap().to_string(), text);
        }
        let of = |prefixes: &[u16]| Regions::of_prefixes(prefixes.iter().copied());
        assert_eq!(of(&[295, 48, 101, 1]), "001,048,abroad".parse());
        assert_eq!(of(&[48, 300]), Err(UnknownRegion("300".to_owned())));
    }
}
