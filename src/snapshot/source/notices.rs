//! Rows of notices.

use std::io::Read;

use sync_format::v1::date::Date;
use sync_format::v1::notice::{
    Action, Category, Caution, Cautions, Notice, Number, NumberKind, Sex,
};

use super::{Column, Fault, Refusals, Row, SourceError, put_in_order, read_rows};

/// Columns of the notices, in any order; all must be there.
pub const NOTICE_COLUMNS: [&str; 16] = [
    "notice", "category", "code", "decision", "issuer", "decided", "valid_to", "action", "contact",
    "name", "aliases", "birth", "sex", "numbers", "caution", "marks",
];

const fn column(at: usize) -> Column {
    Column { at, name: NOTICE_COLUMNS[at] }
}

const NOTICE: Column = column(0);
const CATEGORY: Column = column(1);
const CODE: Column = column(2);
const DECISION: Column = column(3);
const ISSUER: Column = column(4);
const DECIDED: Column = column(5);
const VALID_TO: Column = column(6);
const ACTION: Column = column(7);
const CONTACT: Column = column(8);
const NAME: Column = column(9);
const ALIASES: Column = column(10);
const BIRTH: Column = column(11);
const SEX: Column = column(12);
const NUMBERS: Column = column(13);
const CAUTION: Column = column(14);
const MARKS: Column = column(15);

/// What becomes of a notice whose last day in force is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lapsed {
    /// It is refused: a list that is made on this day has no right to it any more.
    RefuseOn(Date),
    /// It is taken, to show on invented data what a device says of a notice that lapses in the field.
    KeepForDemonstration,
}

/// Reads and checks the notices; gives them ascending by order number.
///
/// # Errors
///
/// See [`SourceError`]; where refused rows are allowed, they are missing in what is given.
pub fn read_notices(
    reader: impl Read,
    lapsed: Lapsed,
    refusals: &mut Refusals<'_>,
) -> Result<Vec<Notice>, SourceError> {
    let mut taken: Vec<(u64, Notice)> = Vec::new();
    let rows = read_rows(reader, &NOTICE_COLUMNS, refusals, |row| {
        let notice = parse_notice(row)?;
        if matches!(lapsed, Lapsed::RefuseOn(day) if notice.valid_to < day) {
            let over = format!("{} is over when the list is made", notice.valid_to);
            return Err(Fault::of(VALID_TO, &over));
        }
        taken.push((row.line, notice));
        Ok(())
    })?;
    put_in_order(
        &mut taken,
        |(line, notice)| (notice.id, *line),
        |(_, notice), first, line| {
            let reason = format!("notice number {} stands on line {first} too", notice.id);
            refusals.refuse(line, Fault { column: Some(NOTICE.name), reason: reason.into() });
        },
    );
    refusals.judge(rows, taken.len())?;
    Ok(taken.into_iter().map(|(_, notice)| notice).collect())
}

fn parse_notice(row: &Row<'_>) -> Result<Notice, Fault> {
    let mut cautions = Cautions::default();
    for word in row.list(CAUTION) {
        let caution: Caution =
            word.parse().map_err(|_| Fault::of(CAUTION, "holds an unknown word"))?;
        cautions.insert(caution);
    }
    let numbers = row.list(NUMBERS).map(parse_number).collect::<Result<Vec<Number>, Fault>>()?;
    for (at, number) in numbers.iter().enumerate() {
        if numbers[..at].contains(number) {
            return Err(Fault::of(NUMBERS, "holds the same number twice"));
        }
    }
    let notice = Notice {
        id: row.parse(NOTICE, "a whole number above 0")?,
        category: row.parse::<Category>(CATEGORY, "one of the closed categories")?,
        code: row.cell(CODE).to_owned(),
        decision: normal_text(row.required(DECISION)?),
        issuer: normal_text(row.required(ISSUER)?),
        decided: row.parse::<Date>(DECIDED, "a date yyyy-mm-dd")?,
        valid_to: row.parse::<Date>(VALID_TO, "a date yyyy-mm-dd")?,
        action: row.parse::<Action>(ACTION, "one of the closed actions")?,
        contact: normal_text(row.cell(CONTACT)),
        name: normal_text(row.cell(NAME)),
        aliases: row.list(ALIASES).map(normal_text).collect(),
        birth: row.partial_date(BIRTH)?,
        sex: parse_sex(row.cell(SEX))?,
        numbers,
        cautions,
        marks: normal_text(row.cell(MARKS)),
        photo: Vec::new(),
    };
    notice.validate().map_err(|error| Fault::of_row(error.to_string()))?;
    Ok(notice)
}

fn parse_number(part: &str) -> Result<Number, Fault> {
    let (word, text) =
        part.split_once(':').ok_or_else(|| Fault::of(NUMBERS, "holds a part without its kind"))?;
    let kind: NumberKind =
        word.trim().parse().map_err(|_| Fault::of(NUMBERS, "holds an unknown kind"))?;
    let text = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_uppercase();
    Ok(Number { kind, text })
}

fn parse_sex(cell: &str) -> Result<Option<Sex>, Fault> {
    match cell {
        "" => Ok(None),
        _ => cell.parse().map(Some).map_err(|_| Fault::of(SEX, "is not M, F or empty")),
    }
}

/// Composed form (NFC), so that the same text has the same bytes whoever typed it.
fn normal_text(cell: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    cell.nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::super::{MAX_REPORTED, RefusedRow};
    use super::*;

    const TODAY: Date = match Date::new(2026, 11, 24) {
        Some(day) => day,
        None => Date::MIN,
    };

    const HEADER: &str = "notice,category,code,decision,issuer,decided,valid_to,action,contact,\
                          name,aliases,birth,sex,numbers,caution,marks";
    const WANTED: &str = "7,W1,173,12/QĐ-MẪU,Cơ quan mẫu,2025-06-01,2030-06-01,verify-and-report,\
                          000,Nguyễn Văn Mẫu,Mẫu Đen;Ba Mẫu,1988-03-02,M,\
                          cccd:048088999901; cmnd:201 999 901,armed;escape,hình xăm";

    fn notices(lines: &[&str]) -> Result<Vec<Notice>, SourceError> {
        read(lines.join("\n").as_bytes())
    }

    fn read(source: &[u8]) -> Result<Vec<Notice>, SourceError> {
        read_notices(source, Lapsed::RefuseOn(TODAY), &mut Refusals::none_allowed())
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
            assert_eq!((row.line, &*row.reason), (3, reason), "{to:?}");
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
            Err(SourceError::Rows { report, refused, allowed: 0, rows }) => {
                assert_eq!(report.len(), MAX_REPORTED);
                assert_eq!((refused, rows), (MAX_REPORTED as u64 + 5, MAX_REPORTED as u64 + 6));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rows_that_are_no_rows_are_refused_with_their_line() {
        assert_eq!(refused(notices(&[HEADER, "7,W1"])).reason, "2 cells instead of 16");
        // Of the second, two cells together would be UTF-8 and neither is.
        for bytes in [&b"\n\xff\xfe,W1"[..], b"\n7\xc4,\x90W1"] {
            let row = refused(read(&[HEADER.as_bytes(), bytes].concat()));
            assert_eq!((row.line, &*row.reason), (2, "the row is not UTF-8 text"));
        }
        assert!(matches!(notices(&[HEADER]), Err(SourceError::Empty)));
        assert!(matches!(notices(&[""]), Err(SourceError::MissingColumn("notice"))));
    }

    #[test]
    fn a_notice_that_has_lapsed_is_refused_and_kept_for_a_demonstration_alone() {
        let yesterday = changed("2030-06-01", "2026-11-23");
        let row = refused(notices(&[HEADER, &yesterday]));
        assert_eq!(row.reason, "valid_to 2026-11-23 is over when the list is made");
        assert_eq!(row.column, Some("valid_to"));
        let today = changed("2030-06-01", "2026-11-24");
        assert_eq!(notices(&[HEADER, &today]).unwrap().len(), 1, "its last day counts");
        let source = [HEADER, &yesterday].join("\n");
        let mut none = Refusals::none_allowed();
        let kept = read_notices(source.as_bytes(), Lapsed::KeepForDemonstration, &mut none);
        assert_eq!(kept.unwrap().len(), 1);
    }

    #[test]
    fn refused_rows_are_left_out_up_to_the_number_that_is_allowed_and_all_are_told() {
        let (bad, other) = (changed("W1", "Q9"), changed("7,W1", "9,W1"));
        let source = [HEADER, WANTED, &bad, &other, WANTED].join("\n");
        let read = |allowed| {
            let mut told = Vec::new();
            let mut refusals = Refusals::allowing(allowed).telling(|row| told.push(row.clone()));
            let read = read_notices(source.as_bytes(), Lapsed::RefuseOn(TODAY), &mut refusals);
            let count = refusals.count();
            drop(refusals);
            (read, count, told)
        };
        let (taken, count, told) = read(2);
        assert_eq!(taken.unwrap().iter().map(|notice| notice.id).collect::<Vec<_>>(), [7, 9]);
        let lines: Vec<(u64, Option<&str>)> =
            told.iter().map(|row: &RefusedRow| (row.line, row.column)).collect();
        assert_eq!((count, &lines[..]), (2, &[(3, Some("category")), (5, Some("notice"))][..]));
        let (refused, ..) = read(1);
        assert_eq!(
            refused.unwrap_err().to_string(),
            "2 of 4 rows were refused, and 1 were allowed to be; nothing is built"
        );
    }
}
