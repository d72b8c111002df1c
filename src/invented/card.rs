//! A card of the world: what its QR code says, and what the plan expects of it.

use super::names::without_marks;
use super::people::Person;
use sync_format::v1::date::{Date, PartialDate};
use sync_format::v1::notice::Sex;

/// First day of the cards with chip and QR code ("CCCD"); the month is known, the day is chosen.
pub const FIRST_OF_2021: Date = Date::new(2021, 1, 4).expect("a day of the calendar");

/// First day of the cards under the Law on Identification 26/2023 ("Căn cước").
pub const FIRST_OF_2024: Date = Date::new(2024, 7, 1).expect("a day of the calendar");

/// A card picture to be shown to the app, with the answer it must give.
///
/// `Debug` shows the file and the expectation, not the person.
#[derive(Clone)]
pub struct Card {
    /// File name of the picture, without folder: `01-clean-2021.png`.
    pub file: String,
    /// Bytes of the QR code; of a back, the text of the zone.
    pub payload: Vec<u8>,
    /// What the plan says the answer is.
    pub expected: Expected,
    /// What the card is there to show, in one English sentence.
    pub story: &'static str,
    /// Lines printed on a front or a slip: title, then the rest; capitals without marks.
    pub lines: Vec<String>,
    /// What the picture shows.
    pub surface: Surface,
}

/// What a picture shows.
#[derive(Clone)]
pub enum Surface {
    /// The front of an identity card, with its QR code.
    CardFront,
    /// The back of this person's card, with its machine-readable zone.
    CardBack(Box<Person>),
    /// A slip of paper with a QR code.
    Slip,
}

/// The answer that the plan expects: how the generator made the person, never computed by the
/// code under test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expected {
    /// `MATCH`, `REFER`, `NOT CHECKED`, `NOT LISTED`, or `NOT A CARD` where the code is refused.
    pub verdict: &'static str,
    /// Codes of all findings that the answer must have, in no order; for `NOT A CARD` the one code
    /// of the refusal.
    pub reasons: Vec<&'static str>,
}

impl std::fmt::Debug for Card {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Card")
            .field("file", &self.file)
            .field("expected", &self.expected)
            .finish_non_exhaustive()
    }
}

/// What stands on an identity card.
#[derive(Clone)]
pub struct CardText {
    /// Personal number, twelve digits.
    pub number: u64,
    /// Old identity card's number.
    pub cmnd: Option<u32>,
    /// Full name.
    pub name: String,
    /// Birth date; unknown parts are printed `00`.
    pub birth: PartialDate,
    /// Sex.
    pub sex: Sex,
    /// Residence.
    pub address: String,
    /// Day of issue; decides the form of the payload.
    pub issued: Date,
    /// A personal number that was cancelled, on cards since July 2024.
    pub cancelled: Option<u64>,
    /// Father and mother, on children's cards since July 2024.
    pub parents: Option<[String; 2]>,
}

/// Says whether a card issued on that day is of the form of 2024, with eleven fields.
pub fn is_of_2024(issued: Date) -> bool {
    issued >= FIRST_OF_2024
}

impl CardText {
    /// Returns the bytes of the QR code: seven fields until June 2024, eleven since.
    ///
    /// Assumes: the order cancelled number, father, mother, reserved in fields 8 to 11. Observed
    /// cards of adults have them empty.
    pub fn payload(&self) -> Vec<u8> {
        let mut text = format!(
            "{:012}|{}|{}|{}|{}|{}|{}",
            self.number,
            self.cmnd.map(|number| format!("{number:09}")).unwrap_or_default(),
            self.name,
            birth_text(self.birth, ""),
            sex_text(self.sex),
            self.address,
            birth_text(self.issued.into(), ""),
        );
        if is_of_2024(self.issued) {
            let cancelled = self.cancelled.map(|number| format!("{number:012}"));
            let [father, mother] = self
                .parents
                .as_ref()
                .map_or(["", ""], |[father, mother]| [father.as_str(), mother.as_str()]);
            text.push_str(&format!("|{}|{father}|{mother}|", cancelled.unwrap_or_default()));
        }
        text.into_bytes()
    }

    /// Returns the form that some apps draw anew: six fields, dates with strokes, no old number.
    pub fn payload_drawn_anew(&self) -> Vec<u8> {
        format!(
            "{:012}|{}|{}|{}|{}|{}",
            self.number,
            self.name,
            birth_text(self.birth, "/"),
            sex_text(self.sex),
            self.address,
            birth_text(self.issued.into(), "/"),
        )
        .into_bytes()
    }

    /// Returns the lines to print on the picture.
    pub fn lines(&self) -> Vec<String> {
        let title = if is_of_2024(self.issued) { "CAN CUOC" } else { "CAN CUOC CONG DAN" };
        let digits = format!("{:012}", self.number);
        let grouped = [&digits[..3], &digits[3..6], &digits[6..9], &digits[9..]].join(" ");
        vec![
            title.to_owned(),
            format!("SO: {grouped}"),
            without_marks(&self.name),
            format!("NGAY SINH: {}", birth_text(self.birth, "/")),
            format!("GIOI TINH: {}", without_marks(sex_text(self.sex))),
            format!("NGAY CAP: {}", birth_text(self.issued.into(), "/")),
            without_marks(&self.address),
        ]
    }
}

fn sex_text(sex: Sex) -> &'static str {
    match sex {
        Sex::Male => "Nam",
        Sex::Female => "Nữ",
    }
}

/// Day, month and year as on cards.
fn birth_text(date: PartialDate, between: &str) -> String {
    format!("{:02}{between}{:02}{between}{:04}", date.day(), date.month(), date.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(issued: &str) -> CardText {
        CardText {
            number: 48_088_999_901,
            cmnd: Some(1_999_901),
            name: "Nguyễn Văn Mẫu".into(),
            birth: PartialDate::new(1988, 3, 2).expect("a date of the test"),
            sex: Sex::Male,
            address: "Tổ 99, Thọ Quang Giả, Đà Nẵng".into(),
            issued: issued.parse().expect("a date of the test"),
            cancelled: None,
            parents: None,
        }
    }

    fn check(payload: Vec<u8>, expected: &str) {
        assert_eq!(String::from_utf8(payload).expect("UTF-8"), expected);
    }

    #[test]
    fn payload_has_the_fields_of_its_form() {
        check(
            text("2021-08-15").payload(),
            "048088999901|001999901|Nguyễn Văn Mẫu|02031988|Nam|Tổ 99, Thọ Quang Giả, Đà Nẵng|15082021",
        );
        let mut of_2024 = text("2025-09-01");
        of_2024.cmnd = None;
        check(
            of_2024.clone().payload(),
            "048088999901||Nguyễn Văn Mẫu|02031988|Nam|Tổ 99, Thọ Quang Giả, Đà Nẵng|01092025||||",
        );
        of_2024.cancelled = Some(48_088_999_999);
        of_2024.parents = Some(["Cha Mẫu".into(), "Mẹ Mẫu".into()]);
        of_2024.birth = PartialDate::new(1988, 0, 0).expect("a date of the test");
        check(
            of_2024.payload(),
            "048088999901||Nguyễn Văn Mẫu|00001988|Nam|Tổ 99, Thọ Quang Giả, Đà Nẵng|01092025\
             |048088999999|Cha Mẫu|Mẹ Mẫu|",
        );
        check(
            text("2021-08-15").payload_drawn_anew(),
            "048088999901|Nguyễn Văn Mẫu|02/03/1988|Nam|Tổ 99, Thọ Quang Giả, Đà Nẵng|15/08/2021",
        );
    }

    #[test]
    fn debug_shows_nothing_of_the_person() {
        let card = Card {
            file: "01-clean.png".into(),
            payload: text("2021-08-15").payload(),
            expected: Expected { verdict: "NOT LISTED", reasons: vec![] },
            story: "",
            lines: text("2021-08-15").lines(),
            surface: Surface::CardFront,
        };
        let shown = format!("{card:?}");
        assert!(shown.contains("01-clean.png") && shown.contains("NOT LISTED"), "{shown}");
        assert!(!shown.contains("048088999901") && !shown.contains("NGUYEN"), "{shown}");
    }
}
