//! Reads the sources of a snapshot: CSV with documented columns, row by row; of anchors, files.
//!
//! A row that breaks a rule is refused with its line and reason, and then nothing is built unless as
//! many refused rows were allowed before: a list that silently lost a row would be taken for the
//! whole. Unknown columns are refused in any case, for a list must have no place for what the law
//! does not provide (README, lawful use, 1).
//!
//! Rows are sealed as they are read, so that of a nation's register numbers and tags are in memory and
//! no names. Reasons never repeat a cell that could be a person's. Where the bytes come from (a file, a
//! database) is the caller's business.

mod anchors;
mod notices;
mod register;

use std::borrow::Cow;
use std::io::Read;
use std::str::FromStr;

use sync_format::v1::date::{Date, PartialDate};

pub use anchors::{
    ANCHOR_ENDINGS, AnchorFault, AnchorFile, AnchorsError, Holds, ReadAnchors, Shortened,
    read_anchors,
};
pub use notices::{Lapsed, NOTICE_COLUMNS, read_notices};
pub use register::{REGISTER_COLUMNS, Regions, SealedRows, UnknownRegion, read_register};

/// As many refused rows are kept to be shown; [`Refusals::telling`] gets every one.
pub const MAX_REPORTED: usize = 100;

/// A row that was refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusedRow {
    /// Line in the file, from 1; the header is line 1.
    pub line: u64,
    /// The column that is at fault, where it is one.
    pub column: Option<&'static str>,
    /// Why, without the content of any cell that could be a person's.
    pub reason: Cow<'static, str>,
}

impl std::fmt::Display for RefusedRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// Why a source was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The source could not be read, or not as CSV.
    #[error("the source is not readable CSV")]
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
    /// More rows were refused than were allowed to be, so nothing is built.
    #[error("{refused} of {rows} rows were refused{}; nothing is built", beyond(*.allowed))]
    Rows {
        /// The first of them by line, at most [`MAX_REPORTED`].
        report: Vec<RefusedRow>,
        /// How many in all.
        refused: u64,
        /// How many might have been.
        allowed: u64,
        /// How many rows the source has.
        rows: u64,
    },
    /// There are no rows.
    #[error("the source has no rows")]
    Empty,
}

fn beyond(allowed: u64) -> String {
    if allowed == 0 { String::new() } else { format!(", and {allowed} were allowed to be") }
}

/// How many rows may be refused, and which were.
///
/// Assumes: whoever allows refused rows has read why they are refused; the number is shown to the
/// approver and kept beside the list.
pub struct Refusals<'a> {
    allowed: u64,
    refused: u64,
    first: Vec<RefusedRow>,
    each: Box<dyn FnMut(&RefusedRow) + 'a>,
}

impl Refusals<'static> {
    /// Takes all rows or none.
    pub fn none_allowed() -> Refusals<'static> {
        Refusals::allowing(0)
    }

    /// Leaves out as many rows as `allowed`; with one more nothing is built.
    pub fn allowing(allowed: u64) -> Refusals<'static> {
        Refusals { allowed, refused: 0, first: Vec::new(), each: Box::new(|_| ()) }
    }
}

impl<'a> Refusals<'a> {
    /// Tells `each` of every refused row, in the order in which they are found.
    pub fn telling(self, each: impl FnMut(&RefusedRow) + 'a) -> Refusals<'a> {
        Refusals { each: Box::new(each), ..self }
    }

    /// Returns how many rows were refused.
    pub fn count(&self) -> u64 {
        self.refused
    }

    /// Returns the first of the refused rows, at most [`MAX_REPORTED`].
    pub fn first(&self) -> &[RefusedRow] {
        &self.first
    }

    fn refuse(&mut self, line: u64, fault: Fault) {
        let row = RefusedRow { line, column: fault.column, reason: fault.reason };
        (self.each)(&row);
        self.refused += 1;
        if self.first.len() < MAX_REPORTED {
            self.first.push(row);
        }
    }

    /// Says whether the rows may be taken; `rows` is how many the source had.
    fn judge(&mut self, rows: u64, taken: usize) -> Result<(), SourceError> {
        self.first.sort_by_key(|row| row.line);
        let (refused, allowed) = (self.refused, self.allowed);
        if refused > allowed {
            Err(SourceError::Rows { report: self.first.clone(), refused, allowed, rows })
        } else if taken == 0 {
            Err(SourceError::Empty)
        } else {
            Ok(())
        }
    }
}

/// What is wrong with a row.
struct Fault {
    column: Option<&'static str>,
    reason: Cow<'static, str>,
}

impl Fault {
    /// A fault of the row as a whole.
    fn of_row(reason: impl Into<Cow<'static, str>>) -> Fault {
        Fault { column: None, reason: reason.into() }
    }

    /// A fault of one column; `what` goes on after its name.
    fn of(column: Column, what: &str) -> Fault {
        Fault { column: Some(column.name), reason: format!("{} {what}", column.name).into() }
    }
}

/// A column, by its place in the list of its source.
#[derive(Clone, Copy)]
struct Column {
    at: usize,
    name: &'static str,
}

/// One row, its cells by column.
struct Row<'a> {
    line: u64,
    cells: &'a csv::ByteRecord,
    /// All cells, one after the other.
    text: &'a str,
    /// Where each column of the list stands in the file.
    places: &'a [usize],
}

impl Row<'_> {
    fn cell(&self, column: Column) -> &str {
        let range = self.cells.range(self.places[column.at]).unwrap_or_default();
        self.text.get(range).unwrap_or_default().trim()
    }

    fn required(&self, column: Column) -> Result<&str, Fault> {
        match self.cell(column) {
            "" => Err(Fault::of(column, "is missing")),
            cell => Ok(cell),
        }
    }

    fn parse<T: FromStr>(&self, column: Column, what: &str) -> Result<T, Fault> {
        let cell = self.required(column)?;
        cell.parse().map_err(|_| Fault::of(column, &format!("is not {what}")))
    }

    /// The parts of a list cell, which stand between semicolons.
    fn list(&self, column: Column) -> impl Iterator<Item = &str> {
        self.cell(column).split(';').map(str::trim).filter(|part| !part.is_empty())
    }

    /// Reads `1988-03-02`, `1988-03`, `1988` or nothing.
    fn partial_date(&self, column: Column) -> Result<PartialDate, Fault> {
        let cell = self.cell(column);
        let date = match cell.len() {
            0 => Some(PartialDate::UNKNOWN),
            10 => cell.parse::<Date>().ok().map(PartialDate::from),
            _ => parse_year_and_month(cell),
        };
        date.ok_or_else(|| Fault::of(column, "is not a date yyyy-mm-dd, yyyy-mm or yyyy"))
    }
}

fn parse_year_and_month(cell: &str) -> Option<PartialDate> {
    let digits = |text: &str, count: usize| {
        let fits = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|value| fits && *value > 0)
    };
    let (year, month) = match cell.split_once('-') {
        None => (digits(cell, 4)?, 0),
        Some((year, month)) => (digits(year, 4)?, digits(month, 2)?),
    };
    PartialDate::new(year, month as u8, 0)
}

/// Gives each row to `take`, and the reason of each that cannot be taken to `refusals`; returns how
/// many rows there were.
fn read_rows(
    reader: impl Read,
    known: &[&'static str],
    refusals: &mut Refusals<'_>,
    mut take: impl FnMut(&Row<'_>) -> Result<(), Fault>,
) -> Result<u64, SourceError> {
    let mut csv =
        csv::ReaderBuilder::new().flexible(true).buffer_capacity(READ_BYTES).from_reader(reader);
    let places = find_columns(csv.headers().map_err(SourceError::Csv)?, known)?;
    let mut record = csv::ByteRecord::new();
    let (mut line, mut rows) = (1, 0);
    while csv.read_byte_record(&mut record).map_err(SourceError::Csv)? {
        line = record.position().map_or(line + 1, csv::Position::line);
        let outcome = match text_of(&record) {
            Some(text) if record.len() == places.len() => {
                take(&Row { line, cells: &record, text, places: &places })
            }
            Some(_) => {
                let cells = record.len();
                Err(Fault::of_row(format!("{cells} cells instead of {}", places.len())))
            }
            None => Err(Fault::of_row("the row is not UTF-8 text")),
        };
        rows += 1;
        if let Err(fault) = outcome {
            refusals.refuse(line, fault);
        }
    }
    Ok(rows)
}

/// Returns all cells of a row as one text, where each of them is UTF-8.
///
/// Looked at once: `csv` would look at each cell by itself, for a tenth of the time of a build.
fn text_of(record: &csv::ByteRecord) -> Option<&str> {
    let text = std::str::from_utf8(record.as_slice()).ok()?;
    let begins_whole = |at| record.range(at).is_some_and(|cell| text.is_char_boundary(cell.start));
    (0..record.len()).all(begins_whole).then_some(text)
}

/// Bytes read at once. Chosen: a few thousand rows.
const READ_BYTES: usize = 256 * 1024;

/// Returns where in the file each of the known columns stands.
fn find_columns(
    header: &csv::StringRecord,
    known: &[&'static str],
) -> Result<Vec<usize>, SourceError> {
    let mut places = vec![None; known.len()];
    for (at, cell) in header.iter().enumerate() {
        let cell = cell.trim_start_matches('\u{feff}').trim();
        let Some(column) = known.iter().position(|column| *column == cell) else {
            return Err(SourceError::UnknownColumn(cell.to_owned()));
        };
        if places[column].replace(at).is_some() {
            return Err(SourceError::RepeatedColumn(cell.to_owned()));
        }
    }
    let place = |(place, column): (Option<usize>, &&'static str)| {
        place.ok_or(SourceError::MissingColumn(column))
    };
    places.into_iter().zip(known).map(place).collect()
}

/// Sorts rows that do not ascend yet and takes out those whose key stands twice; `twice` is told the
/// line that stays and the line that goes, which is the later one.
fn put_in_order<T>(
    rows: &mut Vec<T>,
    key_and_line: impl Fn(&T) -> (u64, u64),
    mut twice: impl FnMut(&T, u64, u64),
) {
    if !rows.is_sorted_by_key(&key_and_line) {
        rows.sort_unstable_by_key(&key_and_line);
    }
    rows.dedup_by(|later, earlier| {
        let ((key, line), (before, first)) = (key_and_line(later), key_and_line(earlier));
        if key == before {
            twice(later, first, line);
        }
        key == before
    });
}
