//! The text of a machine-readable zone, with all its check digits (ICAO 9303-3, -4 and -5).
//!
//! Written apart from the parser, so that each is a test of the other.

use sync_format::v1::date::{Date, PartialDate};
use sync_format::v1::notice::Sex;

use super::dice::Dice;
use crate::invented::names::without_marks;
use crate::invented::people::{Person, expiry};

/// Returns the three lines of a card (TD1, ICAO 9303-5, 4.2.2), with what Viet Nam adds: the
/// twelve digits in the optional data, their last nine as the document's number.
pub(in crate::invented) fn of_card(person: &Person) -> Vec<String> {
    let digits = format!("{:012}", person.number);
    let short = &digits[3..];
    let upper = format!("IDVNM{short}{}{digits}<<{}", check_digit(short), check_digit(&digits));
    let issued = person.issued.unwrap_or(Date::MIN);
    let end = person.birth.full().and_then(|born| expiry(born, issued));
    // Cards that never run out say so in a date.
    let end = end.map_or_else(|| "991231".to_owned(), |end| six_digits(end.into()));
    let birth = with_check_digit(&six_digits(person.birth));
    let end = with_check_digit(&end);
    let composite = check_digit(&format!("{}{birth}{end}{:<<11}", &upper[5..], ""));
    let middle = format!("{birth}{}{end}VNM{:<<11}{composite}", letter_of(person.sex), "");
    let (family, given) = names_of(person);
    vec![upper, middle, name_line("", &family, &given, 30)]
}

/// Returns the two lines of a passport (TD3, ICAO 9303-4, 4.2.2): of Viet Nam with the twelve
/// digits in the optional data, or of Utopia, which uses all letters and has no optional data.
pub(super) fn of_passport(person: &Person, dice: &mut Dice) -> Vec<String> {
    let is_foreign = dice.happens(0.4);
    let random = dice.whole();
    let (state, number, optional) = if is_foreign {
        let mut letter =
            |among: &str| among.as_bytes()[random.below(among.len() as u64) as usize] as char;
        // A number without any digit is none.
        let mut number: String =
            (0..8).map(|_| letter("ABCDEFGHJKLMNPRSTUVWXYZ0123456789")).collect();
        number.push(letter("0123456789"));
        ("UTO", number, String::new())
    } else {
        let letter = (b'B' + random.below(16) as u8) as char;
        let number = format!("{letter}{:07}", random.below(10_000_000));
        ("VNM", number, format!("{:012}", person.number))
    };
    let (family, given) = if is_foreign {
        let mut word = |syllables: u64| -> String {
            (0..syllables).map(|_| random.one_of(SYLLABLES)).collect()
        };
        (word(3), vec![word(2), word(3)])
    } else {
        names_of(person)
    };
    let issued = person.issued.unwrap_or(Date::MIN);
    let number = with_check_digit(&format!("{number:<<9}"));
    let birth = with_check_digit(&six_digits(person.birth));
    let end = with_check_digit(&six_digits(issued.add_years(10).into()));
    let optional = with_check_digit(&format!("{optional:<<14}"));
    let composite = check_digit(&format!("{number}{birth}{end}{optional}"));
    let sex = letter_of(person.sex);
    vec![
        name_line(&format!("P<{state}"), &family, &given, 44),
        format!("{number}{state}{birth}{sex}{end}{optional}{composite}"),
    ]
}

const SYLLABLES: &[&str] = &[
    "BRO", "FEN", "GAW", "HEX", "JIP", "KUR", "LOF", "MIZ", "NYX", "PAW", "QUE", "RIF", "SCH",
    "TOV", "VEK", "WYN", "XAR", "YOL", "ZEB", "DJA",
];

/// Returns the family name and the others, capitals without marks.
fn names_of(person: &Person) -> (String, Vec<String>) {
    let plain = without_marks(&person.name).replace('\'', "").replace('-', " ");
    let mut words = plain.split_whitespace().map(str::to_owned);
    (words.next().unwrap_or_default(), words.collect())
}

/// Family name, two fillers, the other names with one between them; cut or filled to the length.
fn name_line(before: &str, family: &str, given: &[String], length: usize) -> String {
    let line = format!("{before}{family}<<{}", given.join("<"));
    let cut: String = line.chars().take(length).collect();
    format!("{cut:<<length$}")
}

fn letter_of(sex: Sex) -> char {
    match sex {
        Sex::Male => 'M',
        Sex::Female => 'F',
    }
}

/// Two digits each of year, month and day; fillers for what is not known (ICAO 9303-3, 4.8).
fn six_digits(date: PartialDate) -> String {
    let two = |value: u8| if value == 0 { "<<".to_owned() } else { format!("{value:02}") };
    format!("{:02}{}{}", date.year() % 100, two(date.month()), two(date.day()))
}

fn with_check_digit(text: &str) -> String {
    format!("{text}{}", check_digit(text))
}

/// Weights 7, 3 and 1 in turn, modulo 10 (ICAO 9303-3, 4.9).
fn check_digit(text: &str) -> u32 {
    let value = |letter: char| letter.to_digit(36).unwrap_or(0);
    let weighted = text.chars().zip([7, 3, 1].into_iter().cycle());
    weighted.map(|(letter, weight)| value(letter) * weight).sum::<u32>() % 10
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::mrz;
    use crate::invented::random::Stream;
    use crate::invented::shots::holder;

    #[test]
    fn check_digits_follow_the_examples_of_the_norm() {
        // ICAO 9303-3, 4.9, and 9303-4, appendix B.
        for (text, expected) in [("520727", 3), ("AB2134<<<", 5), ("L898902C3", 6), ("740812", 2)] {
            assert_eq!(check_digit(text), expected);
        }
    }

    #[test]
    fn every_zone_is_believed_by_the_parser() {
        let mut letters = std::collections::HashSet::new();
        for index in 0..200 {
            let mut dice = Dice::new(1, Stream::Back, index);
            let person = holder::draw(1, &mut dice);
            let card = of_card(&person);
            assert_eq!(card.iter().map(String::len).collect::<Vec<_>>(), [30; 3]);
            let read = mrz::parse(&card.join("\n")).expect("right check digits");
            assert_eq!(read.personal_number().map(|number| number.value()), Some(person.number));
            let passport = of_passport(&person, &mut dice);
            assert_eq!(passport.iter().map(String::len).collect::<Vec<_>>(), [44; 2]);
            mrz::parse(&passport.join("\n")).expect("right check digits");
            letters.extend(passport.concat().chars());
        }
        assert_eq!(letters.len(), 37, "all characters of a zone come up");
    }
}
