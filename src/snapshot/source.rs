//! Reads the sources of a snapshot: CSV with documented columns, all or nothing.
//!
//! A row that breaks a rule is refused with its line and reason, and then nothing is built: a list
//! that silently lost a row would be taken for the whole. Unknown columns are refused too, for a
//! list must have no place for what the law does not provide (DESIGN: closed categories).
//!
//! Reasons never repeat a cell that could be a person's.

use std::collections::BTreeMap;
use std::io::Read;
use std::str::FromStr;

use sync_format::v1::date::{Date, PartialDate};
use sync_format::v1::notice::{
    Action, Category, Caution, Cautions, Notice, Number, NumberKind, Sex,
};
use sync_format::v1::register::{RegisterRow, Status, TagKey};

use crate::document::{Name, PersonalNumber};

/// Columns of the notices, in any order; all must be there.
pub const NOTICE_COLUMNS: [&str; 16] = [
    "notice", "category", "code", "decision", "issuer", "decided", "valid_to", "action", "contact",
    "name", "aliases", "birth", "sex", "numbers", "caution", "marks",
];

/// Columns of the register, in any order; all must be there.
pub const REGISTER_COLUMNS: [&str; 5] = ["number", "name", "birth", "issued", "status"];

/// As many refused rows are kept for the report; the rest are counted.
pub const MAX_REPORTED: usize = 100;

/// A row that was refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusedRow {
    /// Line in the file, from 1; the header is line 1.
    pub line: u64,
    /// Why, without the content of any cell that could be a person's.
    pub reason: String,
}

impl std::fmt::Display for RefusedRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// Why a source was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file could not be read as CSV at all.
    #[error("the file is not readable CSV")]
    Csv(#[source] csv::Error),
    /// A column that the format does not have.
    #[error("unknown column {0:?}: a list has no place for it")]
    UnknownColumn(String),
    /// A column stands twice.
    #[error("column {0:?} stands twice")]
    RepeatedColumn(String),
    /// A column that the format needs.
    #[error("column {0:?} is missing")]
    MissingColumn(&'static str),
    /// Rows were refused, so nothing is built.
    #[error("{refused} of {rows} rows were refused; nothing is built")]
    Rows {
        /// The first of them, at most [`MAX_REPORTED`].
        report: Vec<RefusedRow>,
        /// How many in all.
        refused: u64,
        /// How many rows the file has.
        rows: u64,
    },
    /// There are no rows.
    #[error("the source has no rows")]
    Empty,
}

/// Reads and checks the notices; gives them ascending by order number.
pub fn read_notices(reader: impl Read) -> Result<Vec<Notice>, SourceError> {
    let mut lines: BTreeMap<u64, u64> = BTreeMap::new();
    let mut notices = read_rows(reader, &NOTICE_COLUMNS, |row| {
        let notice = parse_notice(row)?;
        if let Some(first) = lines.insert(notice.id, row.line) {
            return Err(format!("notice number {} stands on line {first} too", notice.id));
        }
        Ok(notice)
    })?;
    notices.sort_by_key(|notice| notice.id);
    Ok(notices)
}

/// Reads and checks the register, and seals each row into its tags; ascending by number.
pub fn read_register(reader: impl Read, key: &TagKey) -> Result<Vec<RegisterRow>, SourceError> {
    let mut lines: BTreeMap<u64, u64> = BTreeMap::new();
    let mut rows = read_rows(reader, &REGISTER_COLUMNS, |row| {
        let sealed = parse_register_row(row, key)?;
        if let Some(first) = lines.insert(sealed.number, row.line) {
            return Err(format!("this number stands on line {first} too"));
        }
        Ok(sealed)
    })?;
    rows.sort_by_key(|row| row.number);
    Ok(rows)
}

/// One row, its cells by column name.
struct Row<'a> {
    line: u64,
    cells: &'a csv::StringRecord,
    columns: &'a BTreeMap<&'static str, usize>,
}

impl Row<'_> {
    fn cell(&self, column: &'static str) -> &str {
        let at = self.columns.get(column).copied();
        at.and_then(|at| self.cells.get(at)).unwrap_or_default().trim()
    }

    fn required(&self, column: &'static str) -> Result<&str, String> {
        match self.cell(column) {
            "" => Err(format!("{column} is missing")),
            cell => Ok(cell),
        }
    }

    fn parse<T: FromStr>(&self, column: &'static str, what: &str) -> Result<T, String> {
        self.required(column)?.parse().map_err(|_| format!("{column} is not {what}"))
    }

    /// The parts of a list cell, which stand between semicolons.
    fn list(&self, column: &'static str) -> impl Iterator<Item = &str> {
        self.cell(column).split(';').map(str::trim).filter(|part| !part.is_empty())
    }
}

fn read_rows<T>(
    reader: impl Read,
    known: &[&'static str],
    mut parse: impl FnMut(&Row<'_>) -> Result<T, String>,
) -> Result<Vec<T>, SourceError> {
    let mut csv = csv::ReaderBuilder::new().flexible(true).from_reader(reader);
    let columns = read_columns(csv.headers().map_err(SourceError::Csv)?, known)?;
    let width = columns.len();
    let (mut taken, mut report, mut refused, mut rows) = (Vec::new(), Vec::new(), 0, 0);
    let mut record = csv::StringRecord::new();
    let mut line = 1;
    loop {
        let outcome = match csv.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                line = record.position().map_or(line + 1, csv::Position::line);
                if record.len() == width {
                    parse(&Row { line, cells: &record, columns: &columns })
                } else {
                    Err(format!("{} cells instead of {width}", record.len()))
                }
            }
            Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                line = error.position().map_or(line + 1, csv::Position::line);
                Err("the row is not UTF-8 text".to_owned())
            }
            Err(error) => return Err(SourceError::Csv(error)),
        };
        rows += 1;
        match outcome {
            Ok(row) => taken.push(row),
            Err(reason) => {
                refused += 1;
                if report.len() < MAX_REPORTED {
                    report.push(RefusedRow { line, reason });
                }
            }
        }
    }
    if refused > 0 {
        Err(SourceError::Rows { report, refused, rows })
    } else if taken.is_empty() {
        Err(SourceError::Empty)
    } else {
        Ok(taken)
    }
}

fn read_columns(
    header: &csv::StringRecord,
    known: &[&'static str],
) -> Result<BTreeMap<&'static str, usize>, SourceError> {
    let mut columns = BTreeMap::new();
    for (at, cell) in header.iter().enumerate() {
        let cell = cell.trim_start_matches('\u{feff}').trim();
        let Some(column) = known.iter().find(|column| **column == cell) else {
            return Err(SourceError::UnknownColumn(cell.to_owned()));
        };
        if columns.insert(*column, at).is_some() {
            return Err(SourceError::RepeatedColumn(cell.to_owned()));
        }
    }
    match known.iter().find(|column| !columns.contains_key(*column)) {
        Some(missing) => Err(SourceError::MissingColumn(missing)),
        None => Ok(columns),
    }
}

fn parse_notice(row: &Row<'_>) -> Result<Notice, String> {
    let mut cautions = Cautions::default();
    for word in row.list("caution") {
        let caution: Caution =
            word.parse().map_err(|_| "caution holds an unknown word".to_owned())?;
        cautions.insert(caution);
    }
    let numbers =
        row.list("numbers").map(parse_number).collect::<Result<Vec<Number>, String>>()?;
    for (at, number) in numbers.iter().enumerate() {
        if numbers[..at].contains(number) {
            return Err("numbers holds the same number twice".to_owned());
        }
    }
    let notice = Notice {
        id: row.parse("notice", "a whole number above 0")?,
        category: row.parse::<Category>("category", "one of the closed categories")?,
        code: row.cell("code").to_owned(),
        decision: row.required("decision")?.to_owned(),
        issuer: row.required("issuer")?.to_owned(),
        decided: row.parse::<Date>("decided", "a date yyyy-mm-dd")?,
        valid_to: row.parse::<Date>("valid_to", "a date yyyy-mm-dd")?,
        action: row.parse::<Action>("action", "one of the closed actions")?,
        contact: row.cell("contact").to_owned(),
        name: normal_text(row.cell("name")),
        aliases: row.list("aliases").map(normal_text).collect(),
        birth: parse_partial_date(row.cell("birth"))?,
        sex: parse_sex(row.cell("sex"))?,
        numbers,
        cautions,
        marks: normal_text(row.cell("marks")),
        photo: Vec::new(),
    };
    notice.validate().map_err(|error| error.to_string())?;
    Ok(notice)
}

fn parse_register_row(row: &Row<'_>, key: &TagKey) -> Result<RegisterRow, String> {
    let number: PersonalNumber =
        PersonalNumber::parse(row.required("number")?).ok_or("number is not 12 digits")?;
    let name = match row.cell("name") {
        "" => None,
        cell => Some(Name::parse(cell).ok_or("name has no letter")?.folded()),
    };
    let birth = Some(parse_partial_date(row.cell("birth"))?).filter(|birth| birth.year() != 0);
    let issued = match row.cell("issued") {
        "" => None,
        _ => Some(row.parse::<Date>("issued", "a date yyyy-mm-dd")?),
    };
    let status: Status = row.parse("status", "a known status")?;
    Ok(key.seal_row(number.value(), name.as_deref(), birth, issued, status))
}

fn parse_number(part: &str) -> Result<Number, String> {
    let (word, text) = part.split_once(':').ok_or("numbers holds a part without its kind")?;
    let kind = match word.trim() {
        "cccd" => NumberKind::Personal,
        "cmnd" => NumberKind::Cmnd,
        "cancelled" => NumberKind::Cancelled,
        "passport" => NumberKind::Passport,
        _ => return Err("numbers holds an unknown kind".to_owned()),
    };
    let text = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_uppercase();
    Ok(Number { kind, text })
}

/// Reads `1988-03-02`, `1988-03`, `1988` or nothing.
fn parse_partial_date(cell: &str) -> Result<PartialDate, String> {
    let bad = || "birth is not a date yyyy-mm-dd, yyyy-mm or yyyy".to_owned();
    if cell.is_empty() {
        return Ok(PartialDate::UNKNOWN);
    }
    let widths: Vec<usize> = cell.split('-').map(str::len).collect();
    if !matches!(widths.as_slice(), [4] | [4, 2] | [4, 2, 2]) {
        return Err(bad());
    }
    let mut parts = [0_u16; 3];
    for (part, text) in parts.iter_mut().zip(cell.split('-')) {
        *part = text.parse().map_err(|_| bad())?;
    }
    PartialDate::new(parts[0], parts[1] as u8, parts[2] as u8)
        .filter(|date| date.year() != 0)
        .ok_or_else(bad)
}

fn parse_sex(cell: &str) -> Result<Option<Sex>, String> {
    match cell {
        "" => Ok(None),
        "M" => Ok(Some(Sex::Male)),
        "F" => Ok(Some(Sex::Female)),
        _ => Err("sex is not M, F or empty".to_owned()),
    }
}

/// Composed form (NFC), so that the same text has the same bytes whoever typed it.
fn normal_text(cell: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    cell.nfc().collect()
}
