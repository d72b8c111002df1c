//! The machine-readable zone: three lines of 30 on the identity cards, two of 44 in passports.
//!
//! ICAO 9303-5 (TD1) and 9303-4 (TD3), with what Viet Nam adds to TD1: the optional data of the
//! first line hold the twelve-digit number and a check digit of its own, and the document number is
//! the last nine of the twelve.
//!
//! Every check digit is computed. A letter where a digit belongs (`O` for `0`) is reported with its
//! place and never mended: on a document without a signature, the check digits are all the
//! protection there is against a slip, and a reader that mends until they agree takes it away.

use std::fmt;
use std::ops::Range;

use super::{
    Date, DateField, Document, DocumentKind, DocumentNumber, Expiry, Field, Name, Nationality,
    NumberKind, PartialDate, PersonalNumber, Sex, Source, Warning,
};

/// The longest text that is looked at, in bytes: three lines with generous spaces and line ends.
pub const MAX_BYTES: usize = 400;

/// A check digit by what it protects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CheckDigit {
    /// The document number.
    DocumentNumber,
    /// The twelve-digit number in the optional data: a Vietnamese addition.
    PersonalNumber,
    /// The date of birth.
    Birth,
    /// The date of expiry.
    Expiry,
    /// The optional data of a passport.
    OptionalData,
    /// The fields of the upper lines together.
    Composite,
}

/// Why a text is not a zone that can be believed.
///
/// Lines and columns are counted from 1.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum MrzError {
    /// Nothing was given.
    #[error("the zone is empty")]
    Empty,
    /// Neither three lines of 30 nor two of 44.
    #[error("{characters} characters in {lines} lines are no zone of a card or a passport")]
    WrongShape {
        /// The number of lines that are not empty.
        lines: usize,
        /// The number of characters in all of them.
        characters: usize,
    },
    /// A character that no zone has.
    #[error("line {line}, column {column}: only A to Z, 0 to 9 and < are allowed")]
    BadCharacter {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// The zone of a visa, or of another state's identity card.
    #[error("this is no Vietnamese identity card and no passport")]
    OtherDocument,
    /// A letter or filler where a digit belongs.
    #[error("line {line}, column {column}: a digit belongs here")]
    NotADigit {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// The digit that the letter resembles, as a hint for the eye.
        resembles: Option<char>,
    },
    /// A digit where only letters belong.
    #[error("line {line}, column {column}: a letter belongs here")]
    NotALetter {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// A check digit that does not agree with what it protects.
    #[error("the check digit of {} is wrong", digit.code())]
    WrongCheckDigit {
        /// Which one.
        digit: CheckDigit,
    },
    /// The document number is not the last nine digits of the personal number.
    #[error("document number and personal number do not belong together")]
    NumbersDisagree,
    /// The document number is empty or has fillers in its midst.
    #[error("the document number is not readable")]
    BadNumber,
    /// A date that the calendar does not have.
    #[error("the date of {} is impossible", field.code())]
    BadDate {
        /// Which date.
        field: DateField,
    },
    /// Neither `M`, `F` nor `<`.
    #[error("the sex is not readable")]
    BadSex,
    /// No letter stands where the name belongs.
    #[error("the name is missing")]
    MissingName,
}

impl CheckDigit {
    /// Returns the short name used in error texts.
    pub fn code(self) -> &'static str {
        match self {
            Self::DocumentNumber => "document-number",
            Self::PersonalNumber => "personal-number",
            Self::Birth => "birth",
            Self::Expiry => "expiry",
            Self::OptionalData => "optional-data",
            Self::Composite => "composite",
        }
    }
}

impl MrzError {
    /// Returns the short name used by the command line and in tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::WrongShape { .. } => "wrong-shape",
            Self::BadCharacter { .. } => "bad-character",
            Self::OtherDocument => "other-document",
            Self::NotADigit { .. } => "not-a-digit",
            Self::NotALetter { .. } => "not-a-letter",
            Self::WrongCheckDigit { .. } => "wrong-check-digit",
            Self::NumbersDisagree => "numbers-disagree",
            Self::BadNumber => "bad-number",
            Self::BadDate { .. } => "bad-date",
            Self::BadSex => "bad-sex",
            Self::MissingName => "missing-name",
        }
    }
}

// Like the text, without the characters of the zone.
impl fmt::Debug for MrzError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MrzError({self})")
    }
}

/// Reads a zone, with line ends or without them.
pub fn parse(text: &str) -> Result<Document, MrzError> {
    let text = divide(text)?;
    let lines: Vec<Line> =
        text.iter().zip(1..).map(|(bytes, number)| Line { bytes, number }).collect();
    match lines.as_slice() {
        [upper, middle, names] => read_identity_card(*upper, *middle, *names),
        [names, lower] => read_passport(*names, *lower),
        _ => Err(wrong_shape(&text)),
    }
}

/// Lengths and counts of the lines: TD1 (ICAO 9303-5) and TD3 (ICAO 9303-4).
const TD1: (usize, usize) = (3, 30);
const TD3: (usize, usize) = (2, 44);

/// Returns the lines of the zone in capitals; all have the length that their number demands.
fn divide(text: &str) -> Result<Vec<Vec<u8>>, MrzError> {
    if text.len() > MAX_BYTES {
        return Err(MrzError::WrongShape { lines: text.lines().count(), characters: text.len() });
    }
    let mut lines = Vec::new();
    for line in text.split(['\r', '\n']) {
        let line: Vec<char> =
            line.chars().filter(|c| !c.is_whitespace() && !"\u{FEFF}\0".contains(*c)).collect();
        if !line.is_empty() {
            lines.push(capitals(&line, lines.len() + 1)?);
        }
    }
    if let [whole] = lines.as_slice() {
        for (count, length) in [TD1, TD3] {
            if whole.len() == count * length {
                lines = whole.chunks_exact(length).map(<[u8]>::to_vec).collect();
                break;
            }
        }
    }
    let has_shape = |(count, length): (usize, usize)| {
        lines.len() == count && lines.iter().all(|line| line.len() == length)
    };
    match lines.as_slice() {
        [] => Err(MrzError::Empty),
        _ if has_shape(TD1) || has_shape(TD3) => Ok(lines),
        _ => Err(wrong_shape(&lines)),
    }
}

fn wrong_shape(lines: &[Vec<u8>]) -> MrzError {
    MrzError::WrongShape { lines: lines.len(), characters: lines.iter().map(Vec::len).sum() }
}

fn capitals(line: &[char], number: usize) -> Result<Vec<u8>, MrzError> {
    line.iter()
        .zip(1..)
        .map(|(c, column)| match c.to_ascii_uppercase() {
            c @ ('A'..='Z' | '0'..='9' | '<') => Ok(c as u8),
            _ => Err(MrzError::BadCharacter { line: number, column }),
        })
        .collect()
}

/// ICAO 9303-5, 4.2.2, and the Vietnamese use of the optional data.
fn read_identity_card(upper: Line, middle: Line, names: Line) -> Result<Document, MrzError> {
    if upper.letters(0..5)? != b"IDVNM" {
        return Err(MrzError::OtherDocument);
    }
    let card_number = upper.digits(5..14)?;
    upper.check(14, CheckDigit::DocumentNumber, &[upper.part(5..14)])?;
    let digits = upper.digits(15..27)?;
    upper.check(29, CheckDigit::PersonalNumber, &[upper.part(15..27)])?;
    let birth = TwoDigitYear::read(middle, 0)?;
    middle.check(6, CheckDigit::Birth, &[middle.part(0..6)])?;
    let sex = middle.sex(7)?;
    let expiry = TwoDigitYear::read(middle, 8)?;
    middle.check(14, CheckDigit::Expiry, &[middle.part(8..14)])?;
    let nationality = middle.nationality(15)?;
    middle.check(
        29,
        CheckDigit::Composite,
        &[upper.part(5..30), middle.part(0..7), middle.part(8..15), middle.part(18..29)],
    )?;
    if !digits.ends_with(card_number) {
        return Err(MrzError::NumbersDisagree);
    }
    // Twelve digits have just been read, so the number is one.
    let number = PersonalNumber::parse(digits).ok_or(MrzError::BadNumber)?;

    let mut document = Document::blank(DocumentKind::IdentityCardMrz, Source::Mrz);
    document.numbers.push(Field::new(number.into(), Source::Mrz));
    // A pivot would guess the century; the number states it.
    document.birth = Some(read_field(birth.partial(century_of(number), DateField::Birth)?));
    document.expiry = Some(read_field(expiry.expiry_of_card()?));
    document.nationality = Some(read_field(nationality));
    read_sex(&mut document, sex);
    read_name(&mut document, names, 0)?;
    document.cross_check();
    Ok(document)
}

/// ICAO 9303-4, 4.2.2.
fn read_passport(names: Line, lower: Line) -> Result<Document, MrzError> {
    if names.letters(0..1)? != b"P" {
        return Err(MrzError::OtherDocument);
    }
    let issuer = names.nationality(2)?;
    lower.check(9, CheckDigit::DocumentNumber, &[lower.part(0..9)])?;
    let nationality = lower.nationality(10)?;
    let birth = TwoDigitYear::read(lower, 13)?;
    lower.check(19, CheckDigit::Birth, &[lower.part(13..19)])?;
    let sex = lower.sex(20)?;
    let expiry = TwoDigitYear::read(lower, 21)?;
    lower.check(27, CheckDigit::Expiry, &[lower.part(21..27)])?;
    // 4.2.2.2, data element 14: the digit may be left out where there are no optional data.
    if lower.part(28..43) != [FILLER; 15] {
        lower.check(42, CheckDigit::OptionalData, &[lower.part(28..42)])?;
    }
    lower.check(
        43,
        CheckDigit::Composite,
        &[lower.part(0..10), lower.part(13..20), lower.part(21..43)],
    )?;

    let mut document = Document::blank(DocumentKind::Passport, Source::Mrz);
    if issuer == Nationality::VNM {
        document.numbers.extend(optional_number(lower.part(28..42)).map(read_field));
    }
    let passport = DocumentNumber::new(NumberKind::Passport, text_of(lower.part(0..9)))
        .ok_or(MrzError::BadNumber)?;
    document.numbers.push(read_field(passport));
    let expires = expiry.day_of_this_century()?;
    let birth = match document.personal_number() {
        Some(number) => birth.partial(century_of(number), DateField::Birth)?,
        None => {
            let birth = birth.before(expires)?;
            if birth.year() >= 2000 {
                document.warn(Warning::CenturyAssumed);
            }
            birth
        }
    };
    document.birth = Some(read_field(birth));
    document.expiry = Some(read_field(Expiry::On(expires)));
    document.nationality = Some(read_field(nationality));
    read_sex(&mut document, sex);
    read_name(&mut document, names, 5)?;
    document.cross_check();
    Ok(document)
}

/// Viet Nam writes the holder's number into the optional data: nine digits in old passports, twelve
/// in new ones.
fn optional_number(part: &[u8]) -> Option<DocumentNumber> {
    let text = text_of(part);
    [NumberKind::Personal, NumberKind::Cmnd]
        .into_iter()
        .find_map(|kind| DocumentNumber::new(kind, text))
}

fn read_field<T>(value: T) -> Field<T> {
    Field::new(value, Source::Mrz)
}

fn read_sex(document: &mut Document, sex: Option<Sex>) {
    match sex {
        Some(sex) => document.sex = Some(read_field(sex)),
        None => document.warn(Warning::SexNotStated),
    }
}

/// Reads the name from `start` to the end of the line, surname first as Vietnamese write it.
///
/// A letter in the last position says that the name may have been cut (ICAO 9303-3, 4.6).
/// Vietnamese cards cut without looking, so that a single filler at the end may be the gap before a
/// lost word.
fn read_name(document: &mut Document, line: Line, start: usize) -> Result<(), MrzError> {
    let part = line.letters(start..line.bytes.len())?;
    let words = text_of(part).replace('<', " ");
    let name =
        if part.ends_with(&[FILLER; 2]) { Name::parse(&words) } else { Name::parse_cut(&words) };
    let name = name.ok_or(MrzError::MissingName)?;
    if name.is_cut() {
        document.warn(Warning::NameMayBeCut);
    }
    document.warn(Warning::TransliterationOnly);
    document.name = Some(read_field(name));
    Ok(())
}

/// The character for "nothing here".
const FILLER: u8 = b'<';

/// Returns a part of a line without the fillers behind it.
fn text_of(part: &[u8]) -> &str {
    // Lines are made of ASCII alone, so this never falls back.
    std::str::from_utf8(part).unwrap_or_default().trim_end_matches('<')
}

/// Returns the first two digits of the year of birth that the number states.
fn century_of(number: PersonalNumber) -> u16 {
    number.birth_year() / 100
}

/// One line of the zone, as long as its kind of document demands, ASCII alone.
#[derive(Clone, Copy)]
struct Line<'a> {
    bytes: &'a [u8],
    /// Counted from 1.
    number: usize,
}

impl<'a> Line<'a> {
    fn part(self, range: Range<usize>) -> &'a [u8] {
        &self.bytes[range]
    }

    /// Returns a part that has to be made of digits.
    fn digits(self, range: Range<usize>) -> Result<&'a str, MrzError> {
        for at in range.clone() {
            self.digit(at)?;
        }
        Ok(text_of(self.part(range)))
    }

    /// Returns a part in which letters and fillers alone belong.
    fn letters(self, range: Range<usize>) -> Result<&'a [u8], MrzError> {
        let part = self.part(range.clone());
        match part.iter().position(u8::is_ascii_digit) {
            Some(at) => {
                Err(MrzError::NotALetter { line: self.number, column: range.start + at + 1 })
            }
            None => Ok(part),
        }
    }

    fn digit(self, at: usize) -> Result<u8, MrzError> {
        match self.bytes[at] {
            digit @ b'0'..=b'9' => Ok(digit - b'0'),
            other => Err(MrzError::NotADigit {
                line: self.number,
                column: at + 1,
                resembles: digit_like(other),
            }),
        }
    }

    fn two_digits(self, at: usize) -> Result<u8, MrzError> {
        Ok(self.digit(at)? * 10 + self.digit(at + 1)?)
    }

    /// Compares the check digit at `at` with the one that belongs to `parts`.
    fn check(self, at: usize, digit: CheckDigit, parts: &[&[u8]]) -> Result<(), MrzError> {
        if self.digit(at)? == check_digit(parts) {
            Ok(())
        } else {
            Err(MrzError::WrongCheckDigit { digit })
        }
    }

    fn sex(self, at: usize) -> Result<Option<Sex>, MrzError> {
        match self.bytes[at] {
            b'M' => Ok(Some(Sex::Male)),
            b'F' => Ok(Some(Sex::Female)),
            FILLER => Ok(None),
            _ => Err(MrzError::BadSex),
        }
    }

    fn nationality(self, at: usize) -> Result<Nationality, MrzError> {
        self.letters(at..at + 3)?;
        Ok(Nationality([self.bytes[at], self.bytes[at + 1], self.bytes[at + 2]]))
    }
}

/// Returns the digit that a letter is mistaken for by eye and by machine.
fn digit_like(letter: u8) -> Option<char> {
    match letter {
        b'O' | b'Q' | b'D' => Some('0'),
        b'I' | b'L' => Some('1'),
        b'Z' => Some('2'),
        b'S' => Some('5'),
        b'G' => Some('6'),
        b'B' => Some('8'),
        _ => None,
    }
}

/// ICAO 9303-3, 4.9: weights 7, 3, 1 over the values 0 to 35, modulo 10.
fn check_digit(parts: &[&[u8]]) -> u8 {
    let sum: u32 = parts
        .iter()
        .flat_map(|part| part.iter())
        .zip([7, 3, 1].into_iter().cycle())
        .map(|(character, weight)| value_of(*character) * weight)
        .sum();
    (sum % 10) as u8
}

fn value_of(character: u8) -> u32 {
    match character {
        b'0'..=b'9' => u32::from(character - b'0'),
        b'A'..=b'Z' => u32::from(character - b'A') + 10,
        _ => 0,
    }
}

/// A date as the zone writes it; zero for a day or month that the document does not know.
#[derive(Clone, Copy)]
struct TwoDigitYear {
    year: u8,
    month: u8,
    day: u8,
}

impl TwoDigitYear {
    /// "Không thời hạn" in the zone of a Vietnamese card, as public examples of it show.
    const NO_EXPIRY: (u8, u8, u8) = (99, 12, 31);

    fn read(line: Line, at: usize) -> Result<Self, MrzError> {
        // ICAO 9303-3, 4.8: fillers stand for an unknown month or day.
        let part = |at: usize| match line.part(at..at + 2) {
            [FILLER, FILLER] => Ok(0),
            _ => line.two_digits(at),
        };
        Ok(Self { year: line.two_digits(at)?, month: part(at + 2)?, day: part(at + 4)? })
    }

    fn partial(self, century: u16, field: DateField) -> Result<PartialDate, MrzError> {
        let year = century * 100 + u16::from(self.year);
        PartialDate::new(year, self.month, self.day).ok_or(MrzError::BadDate { field })
    }

    /// Returns the latest date with these digits on which a holder can have been born whose
    /// document expires on `expires`.
    ///
    /// Assumes: a holder is less than a hundred years old. The caller warns of it.
    fn before(self, expires: Date) -> Result<PartialDate, MrzError> {
        let young = self.partial(20, DateField::Birth);
        let is_born = |birth: &PartialDate| {
            (birth.year(), birth.month(), birth.day())
                <= (expires.year(), expires.month(), expires.day())
        };
        match young {
            Ok(young) if is_born(&young) => Ok(young),
            _ => self.partial(19, DateField::Birth),
        }
    }

    /// Returns the day of expiry: documents of the last century are no longer valid anywhere.
    fn day_of_this_century(self) -> Result<Date, MrzError> {
        Date::new(2000 + u16::from(self.year), self.month, self.day)
            .ok_or(MrzError::BadDate { field: DateField::Expiry })
    }

    fn expiry_of_card(self) -> Result<Expiry, MrzError> {
        if (self.year, self.month, self.day) == Self::NO_EXPIRY {
            Ok(Expiry::Never)
        } else {
            self.day_of_this_century().map(Expiry::On)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{check_valid, files};
    use super::*;

    const CARD: &str = "IDVNM0889999015048088999901<<5\n\
                        8803023M2803021VNM<<<<<<<<<<<4\n\
                        NGUYEN<<VAN<MAU<<<<<<<<<<<<<<<\n";

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).expect("a fixture of text")
    }

    #[test]
    fn every_zone_is_read() {
        check_valid("mrz/valid", 15, |zone| parse(&String::from_utf8_lossy(zone)));
    }

    #[test]
    fn every_file_that_is_no_zone_is_refused_for_the_reason_in_its_name() {
        let files = files("mrz/invalid", "txt");
        assert!(files.len() >= 30, "the folder of refusals was not found whole");
        for (file, zone) in files {
            let error = parse(&text(zone)).expect_err(&file);
            let (reason, detail) =
                file.split_once("--").expect("a reason and a detail in the name");
            assert_eq!(error.code(), reason, "{file}");
            if let MrzError::WrongCheckDigit { digit } = error {
                assert!(detail.starts_with(digit.code()), "{file}");
            }
        }
    }

    #[test]
    fn slips_are_reported_with_their_place_and_what_they_resemble() {
        for (zone, expected) in [
            (
                CARD.replace("IDVNM0", "IDVNMO"),
                MrzError::NotADigit { line: 1, column: 6, resembles: Some('0') },
            ),
            (
                CARD.replace("5048088", "50480B8"),
                MrzError::NotADigit { line: 1, column: 20, resembles: Some('8') },
            ),
            (
                CARD.replace("8803023M", "88O3023M"),
                MrzError::NotADigit { line: 2, column: 3, resembles: Some('0') },
            ),
            (
                CARD.replace("280302", "2803X2"),
                MrzError::NotADigit { line: 2, column: 13, resembles: None },
            ),
            (CARD.replace("VAN", "V4N"), MrzError::NotALetter { line: 3, column: 10 }),
            (CARD.replace("VAN", "VĂN"), MrzError::BadCharacter { line: 3, column: 10 }),
        ] {
            assert_eq!(parse(&zone), Err(expected), "{zone}");
        }
    }

    #[test]
    fn check_digits_follow_the_examples_of_the_norm() {
        // ICAO 9303-3, 4.9, and 9303-4, appendix B.
        for (parts, expected) in [
            ([b"520727".as_slice(), b""], 3),
            ([b"AB2134<<<", b""], 5),
            ([b"L898902C3", b""], 6),
            ([b"740812", b""], 2),
            ([b"520", b"727"], 3),
        ] {
            assert_eq!(check_digit(&parts), expected);
        }
    }

    #[test]
    fn every_single_wrong_digit_of_a_card_is_noticed() {
        let protected = (5..15).chain(15..27).chain([29]).chain(31..38).chain(39..46).chain([60]);
        let mut tried = 0;
        for at in protected {
            let original = CARD.as_bytes()[at];
            assert!(original.is_ascii_digit(), "column {at} holds a digit");
            for digit in (b'0'..=b'9').filter(|digit| *digit != original) {
                let mut zone = CARD.as_bytes().to_vec();
                zone[at] = digit;
                let error = parse(&text(zone)).expect_err("a wrong digit");
                assert!(matches!(error, MrzError::WrongCheckDigit { .. }), "{at}: {error}");
                tried += 1;
            }
        }
        assert_eq!(tried, 38 * 9);
    }

    #[test]
    fn cut_name_still_agrees_with_the_printed_one() {
        let zone =
            files("mrz/valid", "txt").remove("card-name-cut-between-words").expect("the fixture");
        let cut = parse(&text(zone)).expect("a zone").name.expect("a name").value;
        let printed = |text| Name::parse(text).expect("a name");
        assert!(cut.matches_cut(&printed("Nguyễn Hoàng Thị Phương Thảo Nguyên Mẫu")));
        assert!(!cut.matches_cut(&printed("Nguyễn Hoàng Thị Phương Thanh")));
    }

    #[test]
    fn errors_show_nothing_of_the_zone() {
        let error = parse(&CARD.replace("880302", "880231")).expect_err("a wrong date");
        let shown = format!("{error:?} {error}");
        for part in ["0889999", "8802", "NGUYEN"] {
            assert!(!shown.contains(part), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in any::<String>()) {
            let _ = parse(&text);
        }

        #[test]
        fn any_zone_of_the_right_shape_is_answered(
            card in "[A-Z0-9<]{90}",
            passport in "P[A-Z0-9<]{87}",
        ) {
            let _ = parse(&card);
            let _ = parse(&format!("IDVNM{}", &card[5..]));
            let _ = parse(&passport);
        }

        #[test]
        fn damaged_zone_never_yields_another_number(
            at in any::<prop::sample::Index>(),
            character in "[A-Z0-9<]",
        ) {
            let original = parse(CARD).expect("a zone").personal_number();
            let mut zone = CARD.to_owned();
            let at = at.index(zone.len());
            zone.replace_range(at..at + 1, &character);
            if let Ok(document) = parse(&zone) {
                prop_assert_eq!(document.personal_number(), original);
            }
        }
    }
}
