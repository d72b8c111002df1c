//! Reads the sources of a snapshot: CSV with documented columns, all or nothing.
//!
//! A row that breaks a rule is refused with its line and reason, and then nothing is built: a list
//! that silently lost a row would be taken for the whole. Unknown columns are refused too, for a
//! list must have no place for what the law does not provide (README, lawful use, 1).
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
    let numbers = row.list("numbers").map(parse_number).collect::<Result<Vec<Number>, String>>()?;
    for (at, number) in numbers.iter().enumerate() {
        if numbers[..at].contains(number) {
            return Err("numbers holds the same number twice".to_owned());
        }
    }
    let notice = Notice {
        id: row.parse("notice", "a whole number above 0")?,
        category: row.parse::<Category>("category", "one of the closed categories")?,
        code: row.cell("code").to_owned(),
        decision: normal_text(row.required("decision")?),
        issuer: normal_text(row.required("issuer")?),
        decided: row.parse::<Date>("decided", "a date yyyy-mm-dd")?,
        valid_to: row.parse::<Date>("valid_to", "a date yyyy-mm-dd")?,
        action: row.parse::<Action>("action", "one of the closed actions")?,
        contact: normal_text(row.cell("contact")),
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

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "notice,category,code,decision,issuer,decided,valid_to,action,contact,\
                          name,aliases,birth,sex,numbers,caution,marks";
    const WANTED: &str = "7,W1,173,12/QĐ-MẪU,Cơ quan mẫu,2025-06-01,2030-06-01,verify-and-report,\
                          000,Nguyễn Văn Mẫu,Mẫu Đen;Ba Mẫu,1988-03-02,M,\
                          cccd:048088999901; cmnd:201 999 901,armed;escape,hình xăm";

    fn notices(lines: &[&str]) -> Result<Vec<Notice>, SourceError> {
        read_notices(lines.join("\n").as_bytes())
    }

    /// The one row that was refused.
    #[track_caller]
    fn refused(source: Result<Vec<Notice>, SourceError>) -> RefusedRow {
        match source {
            Err(SourceError::Rows { mut report, refused: 1, .. }) => report.remove(0),
            other => panic!("{other:?}"),
        }
    }

    /// The row, with one part of it replaced.
    fn changed(from: &str, to: &str) -> String {
        assert!(WANTED.contains(from), "{from}");
        WANTED.replacen(from, to, 1)
    }

    #[test]
    fn every_column_is_read() {
        let notice = notices(&[HEADER, WANTED]).unwrap().remove(0);
        assert_eq!((notice.id, notice.category, notice.code.as_str()), (7, Category::W1, "173"));
        assert_eq!(notice.decision, "12/QĐ-MẪU");
        assert_eq!(notice.decided.to_string(), "2025-06-01");
        assert_eq!(notice.valid_to.to_string(), "2030-06-01");
        assert_eq!(notice.action, Action::VerifyAndReport);
        assert_eq!(notice.name, "Nguyễn Văn Mẫu");
        assert_eq!(notice.aliases, ["Mẫu Đen", "Ba Mẫu"]);
        assert_eq!(notice.birth.full(), Date::new(1988, 3, 2));
        assert_eq!(notice.sex, Some(Sex::Male));
        let numbers: Vec<(NumberKind, &str)> =
            notice.numbers.iter().map(|number| (number.kind, number.text.as_str())).collect();
        let expected = [(NumberKind::Personal, "048088999901"), (NumberKind::Cmnd, "201999901")];
        assert_eq!(numbers, expected);
        assert!(notice.cautions.contains(Caution::Armed));
        assert!(notice.cautions.contains(Caution::Escape));
        assert!(!notice.cautions.contains(Caution::Violent));
        assert_eq!(notice.marks, "hình xăm");
    }

    #[test]
    fn columns_stand_in_any_order_and_texts_become_nfc() {
        let reversed = |line: &str| line.split(',').rev().collect::<Vec<_>>().join(",");
        let decomposed: String = {
            use unicode_normalization::UnicodeNormalization as _;
            WANTED.nfd().collect()
        };
        let lines = [format!("\u{feff}{}", reversed(HEADER)), reversed(&decomposed)];
        let read = notices(&[&lines[0], &lines[1]]).unwrap();
        assert_eq!(read, notices(&[HEADER, WANTED]).unwrap());
    }

    #[test]
    fn rows_come_ascending_by_order_number() {
        let (late, early) = (changed("7,W1", "9,W1"), changed("7,W1", "3,W1"));
        let read = notices(&[HEADER, &late, &early, WANTED]).unwrap();
        assert_eq!(read.iter().map(|notice| notice.id).collect::<Vec<_>>(), [3, 7, 9]);
    }

    #[test]
    fn a_column_that_the_law_does_not_provide_for_is_refused() {
        let with = |column: &str| notices(&[&format!("{HEADER},{column}"), WANTED]);
        assert!(matches!(with("religion"), Err(SourceError::UnknownColumn(c)) if c == "religion"));
        assert!(matches!(with("marks"), Err(SourceError::RepeatedColumn(c)) if c == "marks"));
        let without = notices(&[HEADER.strip_suffix(",marks").unwrap()]);
        assert!(matches!(without, Err(SourceError::MissingColumn("marks"))));
    }

    #[test]
    fn each_bad_cell_is_refused_with_its_line_and_reason() {
        for (from, to, reason) in [
            ("7,W1", ",W1", "notice is missing"),
            ("7,W1", "seven,W1", "notice is not a whole number above 0"),
            ("W1", "Q9", "category is not one of the closed categories"),
            ("12/QĐ-MẪU", "", "decision is missing"),
            ("Cơ quan mẫu", "", "issuer is missing"),
            ("2025-06-01", "01/06/2025", "decided is not a date yyyy-mm-dd"),
            ("2030-06-01", "2030-02-30", "valid_to is not a date yyyy-mm-dd"),
            ("verify-and-report", "arrest", "action is not one of the closed actions"),
            ("1988-03-02", "1988-3-2", "birth is not a date yyyy-mm-dd, yyyy-mm or yyyy"),
            ("1988-03-02", "1988-13", "birth is not a date yyyy-mm-dd, yyyy-mm or yyyy"),
            ("1988-03-02", "0000", "birth is not a date yyyy-mm-dd, yyyy-mm or yyyy"),
            (",M,", ",X,", "sex is not M, F or empty"),
            ("cccd:048088999901", "048088999901", "numbers holds a part without its kind"),
            ("cccd:048088999901", "tax:048088999901", "numbers holds an unknown kind"),
            ("cmnd:201 999 901", "cccd:048088999901", "numbers holds the same number twice"),
            ("armed", "dangerous", "caution holds an unknown word"),
        ] {
            let row = refused(notices(&[HEADER, &changed("7,W1", "1,W1"), &changed(from, to)]));
            assert_eq!((row.line, row.reason.as_str()), (3, reason), "{to:?}");
        }
    }

    #[test]
    fn reasons_repeat_nothing_of_a_person() {
        let mut reasons = String::new();
        for (from, to) in [
            ("cccd:048088999901", "cccd:04808899990"),
            ("1988-03-02", "1988-99-02"),
            ("2030-06-01", "2020-06-01"),
            ("Nguyễn Văn Mẫu", "Nguyễn\u{200b}Văn Mẫu"),
            (",M,", ",Nguyễn,"),
        ] {
            reasons += &refused(notices(&[HEADER, &changed(from, to)])).to_string();
        }
        for personal in ["0480889", "1988", "Nguy", "Mẫu", "2019999"] {
            assert!(!reasons.contains(personal), "{personal} in {reasons}");
        }
    }

    #[test]
    fn an_order_number_stands_once_and_the_other_line_is_named() {
        let row = refused(notices(&[HEADER, WANTED, WANTED]));
        assert_eq!(row.to_string(), "line 3: notice number 7 stands on line 2 too");
    }

    #[test]
    fn one_bad_row_refuses_them_all_and_the_report_has_an_end() {
        let bad = changed("W1", "Q9");
        let mut lines = vec![HEADER, WANTED];
        lines.extend(std::iter::repeat_n(bad.as_str(), MAX_REPORTED + 5));
        match notices(&lines) {
            Err(SourceError::Rows { report, refused, rows }) => {
                assert_eq!(report.len(), MAX_REPORTED);
                assert_eq!((refused, rows), (MAX_REPORTED as u64 + 5, MAX_REPORTED as u64 + 6));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rows_that_are_no_rows_are_refused_with_their_line() {
        assert_eq!(refused(notices(&[HEADER, "7,W1"])).reason, "2 cells instead of 16");
        let latin = [HEADER.as_bytes(), b"\n\xff\xfe,W1"].concat();
        let row = refused(read_notices(&latin[..]));
        assert_eq!((row.line, row.reason.as_str()), (2, "the row is not UTF-8 text"));
        assert!(matches!(notices(&[HEADER]), Err(SourceError::Empty)));
        assert!(matches!(notices(&[""]), Err(SourceError::MissingColumn("notice"))));
    }

    #[test]
    fn a_register_row_is_sealed_with_what_it_knows() {
        use sync_format::v1::register::Agreement::{Agrees, Differs, NotKnown};

        let key = TagKey::new([7; 32]);
        let source = "status,number,name,birth,issued\n\
                      lost,048088999902,,,\n\
                      valid,048088999901,Nguyễn Văn Mẫu,1988-03-02,2022-05-10\n\
                      valid,048088999903,Trần Thị Thử,1990,\n";
        let rows = read_register(source.as_bytes(), &key).unwrap();
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
        let key = TagKey::new([7; 32]);
        let header = "number,name,birth,issued,status\n";
        for (row, reason) in [
            ("048088999901,Mẫu,,,gone", "status is not a known status"),
            ("04808899990,Mẫu,,,valid", "number is not 12 digits"),
            (",Mẫu,,,valid", "number is missing"),
            ("048088999901,123,,,valid", "name has no letter"),
            ("048088999901,Mẫu,,2022,valid", "issued is not a date yyyy-mm-dd"),
        ] {
            let source = format!("{header}048088999909,Mẫu,,,valid\n{row}\n");
            match read_register(source.as_bytes(), &key) {
                Err(SourceError::Rows { report, refused: 1, rows: 2 }) => {
                    assert_eq!(report, [RefusedRow { line: 3, reason: reason.to_owned() }]);
                }
                other => panic!("{other:?}"),
            }
        }
        let twice = format!("{header}048088999901,,,,valid\n048088999901,,,,valid\n");
        match read_register(twice.as_bytes(), &key) {
            Err(SourceError::Rows { report, .. }) => {
                assert_eq!(report[0].to_string(), "line 3: this number stands on line 2 too");
            }
            other => panic!("{other:?}"),
        }
    }
}
