//! What the officer types when there is no code to scan.
//!
//! [`parse`] makes a document of the finished entry; [`read_back`] says after every key what the
//! digits mean so far, so that a slip is seen while the card is still in hand: a personal number
//! has no check digit, and the place, sex and year that it states are the only control there is.

use std::fmt;

use super::dates::WrittenDate;
use super::number::{century_of, sex_of};
use super::{
    Document, DocumentKind, DocumentNumber, Field, Name, NumberKind, PartialDate, PersonalNumber,
    Place, Sex, Source, Warning,
};

/// An entry as it stands on the screen; what is not known is left empty.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TypedEntry {
    /// Personal number, old CMND or passport number; spaces, points and dashes do not matter.
    pub number: String,
    /// The name, with or without marks.
    pub name: String,
    /// `dd/mm/yyyy`, `ddmmyyyy`, `mm/yyyy` or `yyyy`.
    pub birth: String,
    /// The sex.
    pub sex: Option<Sex>,
}

impl fmt::Debug for TypedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypedEntry(..)")
    }
}

/// What is wrong with an entry; each problem belongs to one field.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypedProblem {
    /// Neither a number nor a name: there is nothing to look up.
    #[error("neither a number nor a name was entered")]
    NothingEntered,
    /// Digits are missing to the twelve of a personal number.
    #[error("{missing} digits are missing")]
    NumberTooShort {
        /// How many to twelve.
        missing: usize,
    },
    /// More digits than a personal number has.
    #[error("{extra} digits too many")]
    NumberTooLong {
        /// How many beyond twelve.
        extra: usize,
    },
    /// A character that neither a personal nor a passport number has at this place.
    #[error("character {position} of the number is no digit")]
    NumberLetter {
        /// The place, counted from 1 without spaces, points and dashes.
        position: usize,
        /// The character.
        letter: char,
    },
    /// The name holds no letter.
    #[error("the name has no letters")]
    NameWithoutLetters,
    /// A date that the calendar does not have.
    #[error("the date of birth is impossible")]
    ImpossibleDate {
        /// The day as entered, 0 where it was left out.
        day: u8,
        /// The month as entered, 0 where it was left out.
        month: u8,
        /// The year as entered.
        year: u16,
    },
    /// A date in none of the forms.
    #[error("the date of birth is not readable")]
    BirthUnreadable,
}

impl TypedProblem {
    /// Returns the short name used by the command line and in tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NothingEntered => "nothing-entered",
            Self::NumberTooShort { .. } => "number-too-short",
            Self::NumberTooLong { .. } => "number-too-long",
            Self::NumberLetter { .. } => "number-letter",
            Self::NameWithoutLetters => "name-without-letters",
            Self::ImpossibleDate { .. } => "impossible-date",
            Self::BirthUnreadable => "birth-unreadable",
        }
    }
}

// The parts of a date are a person's, so they are left out where logs could meet them.
impl fmt::Debug for TypedProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TypedProblem({})", self.code())
    }
}

/// Makes a document of an entry, or says everything that is wrong with it.
pub fn parse(entry: &TypedEntry) -> Result<Document, Vec<TypedProblem>> {
    let mut problems = Vec::new();
    let number = read(&entry.number, number, &mut problems);
    let name = read(&entry.name, name, &mut problems);
    let birth = read(&entry.birth, birth, &mut problems);
    if problems.is_empty() && number.is_none() && name.is_none() {
        problems.push(TypedProblem::NothingEntered);
    }
    if !problems.is_empty() {
        return Err(problems);
    }

    let mut document = Document::blank(DocumentKind::TypedEntry, Source::Typed);
    document.numbers.extend(number.map(typed));
    if let Some(name) = &name
        && name.as_str().is_ascii()
    {
        document.warn(Warning::TransliterationOnly);
    }
    document.name = name.map(typed);
    document.birth = birth.map(typed);
    document.sex = entry.sex.map(typed);
    document.cross_check();
    Ok(document)
}

fn typed<T>(value: T) -> Field<T> {
    Field::new(value, Source::Typed)
}

/// Reads one field; an empty one is not known, which is no problem.
fn read<T>(
    text: &str,
    reader: fn(&str) -> Result<T, TypedProblem>,
    problems: &mut Vec<TypedProblem>,
) -> Option<T> {
    if text.trim().is_empty() {
        return None;
    }
    reader(text).map_err(|problem| problems.push(problem)).ok()
}

/// What the digits entered so far say.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ReadBack {
    /// What the number is, once it is complete.
    pub kind: Option<NumberKind>,
    /// Where the birth was registered, from the third digit on.
    pub place: Option<Place>,
    /// The sex, from the fourth digit on.
    pub sex: Option<Sex>,
    /// The first two digits of the year of birth, from the fourth digit on.
    pub century: Option<u16>,
    /// The year of birth, from the sixth digit on.
    pub year: Option<u16>,
    /// What is wrong or still missing; nothing while the field is empty.
    pub problem: Option<TypedProblem>,
}

impl fmt::Debug for ReadBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReadBack({:?}, {:?})", self.kind, self.problem)
    }
}

/// Says what a number means so far, while it is being entered.
///
/// Nine digits are a complete CMND and the beginning of a personal number: both readings are given,
/// and the officer sees from [`ReadBack::kind`] that three digits may be missing.
pub fn read_back(number: &str) -> ReadBack {
    let text = without_separators(number);
    if text.is_empty() {
        return ReadBack::default();
    }
    let mut back = ReadBack::default();
    match self::number(number) {
        Ok(number) => back.kind = Some(number.kind()),
        Err(problem) => back.problem = Some(problem),
    }
    if back.kind == Some(NumberKind::Passport) {
        return back;
    }
    let digits: Vec<u8> =
        text.chars().map_while(|c| c.to_digit(10)).map(|digit| digit as u8).collect();
    if let [a, b, c, ..] = digits[..] {
        let prefix = u16::from(a) * 100 + u16::from(b) * 10 + u16::from(c);
        back.place = Some(Place::of_prefix(prefix));
    }
    if let [_, _, _, century_digit, rest @ ..] = &digits[..] {
        let century = century_of(*century_digit);
        back.sex = Some(sex_of(*century_digit));
        back.century = Some(century);
        if let [tens, units, ..] = rest {
            back.year = Some(century * 100 + u16::from(*tens) * 10 + u16::from(*units));
        }
    }
    back
}

/// Returns the number without what people write between groups of digits.
fn without_separators(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && !".-–".contains(*c)).collect()
}

/// Reads twelve digits, nine digits, or a passport number.
fn number(text: &str) -> Result<DocumentNumber, TypedProblem> {
    let text = without_separators(text).to_uppercase();
    if is_passport(&text)
        && let Some(passport) = DocumentNumber::new(NumberKind::Passport, &text)
    {
        return Ok(passport);
    }
    if let Some((at, letter)) = text.chars().enumerate().find(|(_, c)| !c.is_ascii_digit()) {
        return Err(TypedProblem::NumberLetter { position: at + 1, letter });
    }
    [NumberKind::Personal, NumberKind::Cmnd]
        .into_iter()
        .find_map(|kind| DocumentNumber::new(kind, &text))
        .ok_or_else(|| match PersonalNumber::DIGITS.checked_sub(text.len()) {
            Some(missing) => TypedProblem::NumberTooShort { missing },
            None => TypedProblem::NumberTooLong { extra: text.len() - PersonalNumber::DIGITS },
        })
}

/// Tells a passport number from a slip: one to three letters and then five to eight digits.
///
/// `B1234567` and `C12345678` are Vietnamese, two letters and seven digits Chinese. `O48088999901`,
/// a personal number with a letter for its zero, is longer than any passport number.
fn is_passport(text: &str) -> bool {
    let letters = text.bytes().take_while(u8::is_ascii_uppercase).count();
    let digits = text.bytes().skip(letters).take_while(u8::is_ascii_digit).count();
    letters + digits == text.len()
        && (1..=3).contains(&letters)
        && (5..=8).contains(&digits)
        && text.len() <= 9
}

fn name(text: &str) -> Result<Name, TypedProblem> {
    Name::parse(text).ok_or(TypedProblem::NameWithoutLetters)
}

/// Reads `dd/mm/yyyy`, `ddmmyyyy`, `mm/yyyy` or `yyyy`, with any of `/ - .` or a space between.
fn birth(text: &str) -> Result<PartialDate, TypedProblem> {
    let parts: Vec<&str> =
        text.split(['/', '-', '.', ' ']).filter(|part| !part.is_empty()).collect();
    let (day, month, year) = match parts[..] {
        [day, month, year] => (day, month, year),
        [month, year] => ("", month, year),
        [whole] if whole.len() == 8 && whole.is_ascii() => (&whole[..2], &whole[2..4], &whole[4..]),
        [year] => ("", "", year),
        _ => return Err(TypedProblem::BirthUnreadable),
    };
    let (day, month) = (day_or_month(day)?, day_or_month(month)?);
    let year = digits(year).filter(|_| year.len() == 4).ok_or(TypedProblem::BirthUnreadable)?;
    WrittenDate { day, month, year }.partial().ok_or(TypedProblem::ImpossibleDate {
        day,
        month,
        year,
    })
}

/// Reads one or two digits; nothing is 0, which stands for unknown.
fn day_or_month(text: &str) -> Result<u8, TypedProblem> {
    match text.len() {
        0 => Ok(0),
        1 | 2 => digits(text).map(|value| value as u8).ok_or(TypedProblem::BirthUnreadable),
        _ => Err(TypedProblem::BirthUnreadable),
    }
}

/// Returns the value of at most four digits.
fn digits(text: &str) -> Option<u16> {
    let is_digits = text.bytes().all(|b| b.is_ascii_digit());
    is_digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::told;
    use super::*;

    fn entry(number: &str, name: &str, birth: &str) -> TypedEntry {
        TypedEntry {
            number: number.to_owned(),
            name: name.to_owned(),
            birth: birth.to_owned(),
            sex: None,
        }
    }

    #[test]
    fn entries_become_documents() {
        for (number, name, birth, expected) in [
            ("048088999901", "", "", "number: Personal 048088999901\n"),
            (" 048 088.999-901 ", "", "", "number: Personal 048088999901\n"),
            ("201999901", "", "", "number: Cmnd 201999901\n"),
            ("b1234567", "", "", "number: Passport B1234567\n"),
            ("C12345678", "", "", "number: Passport C12345678\n"),
            ("EA1234567", "", "", "number: Passport EA1234567\n"),
            ("", "Nguyễn  Mẫu", "02/03/1988", "name: Nguyễn Mẫu\nbirth: 1988-03-02\n"),
            ("", "Mẫu", "2.3.1988", "name: Mẫu\nbirth: 1988-03-02\n"),
            ("", "Mẫu", "02031988", "name: Mẫu\nbirth: 1988-03-02\n"),
            ("", "Mẫu", "3/1988", "name: Mẫu\nbirth: 1988-03-00\nwarning: birth-incomplete\n"),
            ("", "Mẫu", "1988", "name: Mẫu\nbirth: 1988-00-00\nwarning: birth-incomplete\n"),
            ("", "Mẫu", "00/00/1988", "name: Mẫu\nbirth: 1988-00-00\nwarning: birth-incomplete\n"),
        ] {
            let document = parse(&entry(number, name, birth)).expect("an entry");
            assert_eq!(told(&document), format!("kind: typed-entry\n{expected}"));
        }
    }

    #[test]
    fn entry_is_checked_against_its_own_number() {
        let mut entry = entry("048088999901", "Nguyen Van Mau", "1989");
        entry.sex = Some(Sex::Female);
        let document = parse(&entry).expect("an entry");
        assert_eq!(
            document.warnings,
            [
                Warning::TransliterationOnly,
                Warning::SexDiffersFromNumber,
                Warning::YearDiffersFromNumber,
                Warning::BirthIncomplete,
            ]
        );
        assert_eq!(document.sex.map(|sex| sex.source), Some(Source::Typed));
    }

    #[test]
    fn every_problem_is_named() {
        use TypedProblem::*;
        for (number, name, birth, expected) in [
            ("", " ", "", vec![NothingEntered]),
            ("", "", "02/03/1988", vec![NothingEntered]),
            ("0480889999", "", "", vec![NumberTooShort { missing: 2 }]),
            ("04808899", "", "", vec![NumberTooShort { missing: 4 }]),
            ("0480889999011", "", "", vec![NumberTooLong { extra: 1 }]),
            ("04808899990l", "", "", vec![NumberLetter { position: 12, letter: 'L' }]),
            ("048 O88 999 901", "", "", vec![NumberLetter { position: 4, letter: 'O' }]),
            ("O48088999901", "", "", vec![NumberLetter { position: 1, letter: 'O' }]),
            ("B123", "", "", vec![NumberLetter { position: 1, letter: 'B' }]),
            ("", "1988", "", vec![NameWithoutLetters]),
            ("", "Mẫu", "31/02/2000", vec![ImpossibleDate { day: 31, month: 2, year: 2000 }]),
            ("", "Mẫu", "13/1990", vec![ImpossibleDate { day: 0, month: 13, year: 1990 }]),
            ("", "Mẫu", "1788", vec![ImpossibleDate { day: 0, month: 0, year: 1788 }]),
            ("", "Mẫu", "02/03/88", vec![BirthUnreadable]),
            ("", "Mẫu", "020388", vec![BirthUnreadable]),
            ("", "Mẫu", "1/2/3/1988", vec![BirthUnreadable]),
            ("", "Mẫu", "năm 88", vec![BirthUnreadable]),
            (
                "048",
                "9",
                "x",
                vec![NumberTooShort { missing: 9 }, NameWithoutLetters, BirthUnreadable],
            ),
        ] {
            let problems = parse(&entry(number, name, birth)).expect_err("a problem");
            assert_eq!(problems, expected, "{number} {name} {birth}");
        }
    }

    #[test]
    fn number_is_read_back_while_it_grows() {
        // Digits, place, sex, century, year, what it is or what is missing.
        for (number, expected) in [
            ("", "- - - - -"),
            ("04", "- - - - number-too-short"),
            ("048", "48 - - - number-too-short"),
            ("0480", "48 Male 19 - number-too-short"),
            ("04808", "48 Male 19 - number-too-short"),
            ("048088", "48 Male 19 1988 number-too-short"),
            ("048 088 999", "48 Male 19 1988 Cmnd"),
            ("0480889999", "48 Male 19 1988 number-too-short"),
            ("048088999901", "48 Male 19 1988 Personal"),
            ("0480889999011", "48 Male 19 1988 number-too-long"),
            ("0313", "31 Female 20 - number-too-short"),
            ("139195999909", "139 Female 19 1995 Personal"),
            ("048O", "48 - - - number-letter"),
            ("B1234567", "- - - - Passport"),
        ] {
            let back = read_back(number);
            let outcome = back
                .kind
                .map(|kind| format!("{kind:?}"))
                .or(back.problem.as_ref().map(|problem| problem.code().to_owned()));
            let parts = [
                back.place.map(|place| place.code().to_string()),
                back.sex.map(|sex| format!("{sex:?}")),
                back.century.map(|century| century.to_string()),
                back.year.map(|year| year.to_string()),
                outcome,
            ];
            let told = parts.map(|part| part.unwrap_or("-".to_owned())).join(" ");
            assert_eq!(told, expected, "{number}");
        }
    }

    #[test]
    fn read_back_says_how_many_digits_are_missing() {
        assert_eq!(read_back("0480").problem, Some(TypedProblem::NumberTooShort { missing: 8 }));
        assert_eq!(read_back("048088999901").problem, None);
    }

    #[test]
    fn entries_and_problems_hide_from_debug() {
        let entry = entry("048088999901", "Mẫu", "31/02/2000");
        let problems = parse(&entry).expect_err("no day");
        let shown = format!("{entry:?} {problems:?} {:?}", read_back(&entry.number));
        assert_eq!(
            shown,
            "TypedEntry(..) [TypedProblem(impossible-date)] ReadBack(Some(Personal), None)"
        );
    }

    proptest! {
        #[test]
        fn anything_typed_is_answered(number: String, name: String, birth in "\\PC{0,12}") {
            let _ = parse(&entry(&number, &name, &birth));
            let _ = read_back(&number);
        }

        #[test]
        fn complete_number_is_read_back_as_it_is_parsed(value in 0..1_000_000_000_000u64) {
            let text = format!("{value:012}");
            let number = PersonalNumber::parse(&text).expect("twelve digits");
            let back = read_back(&number.grouped());
            prop_assert_eq!(back.kind, Some(NumberKind::Personal));
            prop_assert_eq!(back.place, Some(number.place()));
            prop_assert_eq!(back.sex, Some(number.sex()));
            prop_assert_eq!(back.year, Some(number.birth_year()));
        }
    }
}
