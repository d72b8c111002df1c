//! The QR code of the identity cards.
//!
//! The payload is one line of fields divided by `|`, without signature and without expiry:
//!
//! ```text
//! 2021  number|CMND or nothing|name|birth|sex|address|issued                     7 fields
//! 2024  the same and cancelled number, father, mother, one unknown               11 fields
//! copy  number|name|birth|sex|address|issued, dates with slashes                 6 fields
//! ```
//!
//! No norm is published: the forms are those that independent readers agree on, the last is how a
//! messenger app shows a card again. The order of the four last fields of 2024 is not certain, so
//! they are told apart by their shape.
//!
//! The bytes are decoded as UTF-8 here and never by the QR library, which guesses a charset from
//! them and guesses wrong on Vietnamese text. What is no card gets a named refusal ([`NotACard`]):
//! officers will hold payment codes and insurance cards to the camera.

use std::fmt;

use super::dates::WrittenDate;
use super::validity::is_under_new_law;
use super::{
    Address, Date, DateField, Document, DocumentKind, DocumentNumber, Field, Name, NumberKind,
    PartialDate, PersonalNumber, Source, Unread, Warning, derived_expiry, text,
};

/// The longest payload that is looked at, in bytes. Chosen: cards hold 110 to 230.
pub const MAX_BYTES: usize = 1_000;

/// Why a payload is not that of an identity card.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotACard {
    /// Nothing, or nothing visible.
    #[error("the code is empty")]
    Empty,
    /// Longer than any card.
    #[error("{len} bytes are more than a card holds")]
    TooLong {
        /// The length of the payload in bytes.
        len: usize,
    },
    /// Not UTF-8.
    #[error("the bytes are no text")]
    NotText,
    /// A payment code (EMVCo merchant-presented QR).
    #[error("this is a payment code")]
    Payment,
    /// The address of a page, or another link.
    #[error("this is a link")]
    Link,
    /// A health insurance card.
    #[error("this is a health insurance card")]
    HealthInsurance,
    /// Neither 6, 7 nor 11 fields.
    #[error("a card has 6, 7 or 11 fields, this code has {count}")]
    WrongFieldCount {
        /// The number of fields.
        count: usize,
    },
    /// The first field is meant to be a personal number and is not.
    #[error("the personal number is not twelve digits")]
    BadNumber {
        /// The place of the first character that is no digit, counted from 1.
        position: Option<usize>,
        /// The length in characters.
        len: usize,
    },
    /// A date that the calendar does not have.
    #[error("the date of {} is impossible", field.code())]
    BadDate {
        /// Which date.
        field: DateField,
        /// The day as written.
        day: u8,
        /// The month as written.
        month: u8,
        /// The year as written.
        year: u16,
    },
    /// A date in another form than the cards use.
    #[error("the date of {} is not readable", field.code())]
    UnreadableDate {
        /// Which date.
        field: DateField,
    },
    /// Neither "Nam" nor "Nữ".
    #[error("the sex is not readable")]
    BadSex,
    /// No letter stands where the name belongs.
    #[error("the name is missing")]
    MissingName,
    /// Divided like a card, but not one.
    #[error("this is a code of another kind")]
    Other,
}

impl NotACard {
    /// Returns the short name used by the command line and in tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong { .. } => "too-long",
            Self::NotText => "not-text",
            Self::Payment => "payment",
            Self::Link => "link",
            Self::HealthInsurance => "health-insurance",
            Self::WrongFieldCount { .. } => "wrong-field-count",
            Self::BadNumber { .. } => "bad-number",
            Self::BadDate { .. } => "bad-date",
            Self::UnreadableDate { .. } => "unreadable-date",
            Self::BadSex => "bad-sex",
            Self::MissingName => "missing-name",
            Self::Other => "other",
        }
    }
}

// The parts of a date are a person's, so they are left out where logs could meet them.
impl fmt::Debug for NotACard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NotACard({})", self.code())
    }
}

/// Reads the payload of a card's QR code.
pub fn parse(payload: &[u8]) -> Result<Document, NotACard> {
    if payload.len() > MAX_BYTES {
        return Err(NotACard::TooLong { len: payload.len() });
    }
    let line = text::clean(std::str::from_utf8(payload).map_err(|_| NotACard::NotText)?);
    if line.is_empty() {
        return Err(NotACard::Empty);
    }
    let fields: Vec<&str> = line.split('|').map(str::trim).collect();
    let number = PersonalNumber::parse(fields[0]);
    if number.is_none() {
        refuse_other_kinds(&line, &fields)?;
    }
    let (card, extra) = Card::divide(&fields)?;
    let Some(number) = number else {
        return Err(no_number(card.number));
    };
    read(number, &card, extra)
}

/// The fields of a card by their meaning.
struct Card<'a> {
    number: &'a str,
    old_number: &'a str,
    name: &'a str,
    birth: &'a str,
    sex: &'a str,
    address: &'a str,
    issued: &'a str,
    /// The number of fields of the payload.
    count: usize,
}

impl<'a> Card<'a> {
    /// Names the fields, and returns what a card of 2024 has behind them.
    fn divide<'f>(fields: &'f [&'a str]) -> Result<(Self, &'f [&'a str]), NotACard> {
        let (old_number, rest, extra) = match fields {
            [_, rest @ ..] if rest.len() == 5 => ("", rest, [].as_slice()),
            [_, old, rest @ ..] if rest.len() == 5 => (*old, rest, [].as_slice()),
            [_, old, rest @ ..] if rest.len() == 9 => (*old, &rest[..5], &rest[5..]),
            _ => {
                return Err(NotACard::WrongFieldCount { count: fields.len() });
            }
        };
        let card = Self {
            number: fields[0],
            old_number,
            name: rest[0],
            birth: rest[1],
            sex: rest[2],
            address: rest[3],
            issued: rest[4],
            count: fields.len(),
        };
        Ok((card, extra))
    }
}

fn read(number: PersonalNumber, card: &Card, extra: &[&str]) -> Result<Document, NotACard> {
    let name = Name::parse(card.name).ok_or(NotACard::MissingName)?;
    let birth = birth_date(card.birth)?;
    let sex = text::sex(card.sex).ok_or(NotACard::BadSex)?;
    let issued = issue_date(card.issued)?;
    let kind = if is_under_new_law(issued) {
        DocumentKind::IdentityCard
    } else {
        DocumentKind::CitizenCard
    };

    let mut document = Document::blank(kind, Source::Qr);
    document.numbers.push(Field::new(number.into(), Source::Qr));
    document.name = Some(Field::new(name, Source::Qr));
    document.birth = Some(Field::new(birth, Source::Qr));
    document.sex = Some(Field::new(sex, Source::Qr));
    document.address = Address::parse(card.address).map(|address| Field::new(address, Source::Qr));
    document.issued = Some(Field::new(issued, Source::Qr));
    document.expiry =
        birth.full().map(|birth| Field::new(derived_expiry(birth, issued), Source::Derived));
    read_old_number(&mut document, card.old_number);
    read_extra(&mut document, extra, card.count - extra.len());
    if !has_form_of_its_time(card.count, issued) {
        document.warn(Warning::FormDiffersFromIssueDate);
    }
    document.cross_check();
    Ok(document)
}

/// Names the codes that are no cards, wherever the first field is no personal number.
///
/// It has to come before the fields are counted: a payment code has one, an insurance card many,
/// and "wrong number of fields" would tell the officer nothing.
fn refuse_other_kinds(line: &str, fields: &[&str]) -> Result<(), NotACard> {
    if is_payment(line) {
        return Err(NotACard::Payment);
    }
    if is_link(line) {
        return Err(NotACard::Link);
    }
    if is_health_insurance(fields) {
        return Err(NotACard::HealthInsurance);
    }
    Ok(())
}

/// EMVCo QR code specification, 4.2: a merchant's code begins with tag 00, length 02, version 01.
fn is_payment(line: &str) -> bool {
    line.starts_with("000201")
}

fn is_link(line: &str) -> bool {
    const SCHEMES_WITHOUT_SLASHES: [&str; 5] = ["www.", "mailto:", "tel:", "sms:", "smsto:"];
    let lower = line.to_ascii_lowercase();
    let scheme = lower.split_once("://").map_or("", |(scheme, _)| scheme);
    let is_scheme = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    };
    is_scheme(scheme) || SCHEMES_WITHOUT_SLASHES.iter().any(|start| lower.starts_with(start))
}

/// An insurance card has a number of two letters and thirteen digits (or ten digits alone since
/// 2021) and name and address as the hexadecimal digits of their UTF-8.
fn is_health_insurance(fields: &[&str]) -> bool {
    let [number, second, ..] = fields else {
        return false;
    };
    let has_letters = number.len() == 15
        && number.bytes().take(2).all(|b| b.is_ascii_alphabetic())
        && number.bytes().skip(2).all(|b| b.is_ascii_digit());
    let has_ten_digits = number.len() == 10 && number.bytes().all(|b| b.is_ascii_digit());
    has_letters || (has_ten_digits && is_hex_text(second))
}

fn is_hex_text(text: &str) -> bool {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    let Some(digits) = digits.filter(|digits| digits.len() >= 4 && digits.len() % 2 == 0) else {
        return false;
    };
    let bytes = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    String::from_utf8(bytes).is_ok_and(|text| text.chars().any(char::is_alphabetic))
}

/// Says what is wrong with a number; what is mostly no digits was never meant to be one.
fn no_number(field: &str) -> NotACard {
    let len = field.chars().count();
    let digits = field.bytes().filter(u8::is_ascii_digit).count();
    if digits < PersonalNumber::DIGITS / 2 {
        return NotACard::Other;
    }
    let position = field.chars().position(|c| !c.is_ascii_digit()).map(|at| at + 1);
    NotACard::BadNumber { position, len }
}

fn birth_date(text: &str) -> Result<PartialDate, NotACard> {
    let written = written_date(text, DateField::Birth)?;
    written.partial().ok_or_else(|| impossible(written, DateField::Birth))
}

fn issue_date(text: &str) -> Result<Date, NotACard> {
    let written = written_date(text, DateField::Issued)?;
    written.full().ok_or_else(|| impossible(written, DateField::Issued))
}

fn written_date(text: &str, field: DateField) -> Result<WrittenDate, NotACard> {
    WrittenDate::read(text).ok_or(NotACard::UnreadableDate { field })
}

fn impossible(WrittenDate { day, month, year }: WrittenDate, field: DateField) -> NotACard {
    NotACard::BadDate { field, day, month, year }
}

/// Reads the old number: a CMND of nine digits, or a twelve-digit number that the person had
/// before.
///
/// The twelve-digit CMND of 2012 to 2016 is the personal number itself, and says nothing new.
fn read_old_number(document: &mut Document, text: &str) {
    if text.is_empty() {
        return;
    }
    if let Some(number) = DocumentNumber::new(NumberKind::Cmnd, text) {
        document.numbers.push(Field::new(number, Source::Qr));
    } else if !read_cancelled_number(document, text) {
        const OLD_NUMBER: usize = 2;
        document.unread.push(Unread { position: OLD_NUMBER, text: text.to_owned() });
        document.warn(Warning::OldNumberUnreadable);
    }
}

/// Reads the fields behind the issue date: twelve digits are a cancelled number, all else is kept.
fn read_extra(document: &mut Document, extra: &[&str], fields_before: usize) {
    for (at, text) in extra.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
        if !read_cancelled_number(document, text) {
            let position = fields_before + at + 1;
            document.unread.push(Unread { position, text: (*text).to_owned() });
        }
    }
}

/// Adds a former twelve-digit number unless the document states it already; false for other shapes.
fn read_cancelled_number(document: &mut Document, text: &str) -> bool {
    let Some(number) = DocumentNumber::new(NumberKind::Cancelled, text) else {
        return false;
    };
    if document.numbers.iter().all(|known| known.value.as_str() != number.as_str()) {
        document.numbers.push(Field::new(number, Source::Qr));
    }
    true
}

/// Tells whether cards issued on this day had codes of this many fields.
///
/// Cards with a QR code exist since 2021; those of the new law have eleven fields. The copy of six
/// fields comes of either.
fn has_form_of_its_time(count: usize, issued: Date) -> bool {
    const FULL_2021: usize = 7;
    const FULL_2024: usize = 11;
    const FIRST_YEAR: u16 = 2021;
    issued.year() >= FIRST_YEAR
        && match count {
            FULL_2021 => !is_under_new_law(issued),
            FULL_2024 => is_under_new_law(issued),
            _ => true,
        }
}

/// Tells whether a code is meant as a card's, be it right or not: what stands beside it in a picture
/// is then not looked at.
///
/// It is where it can be parsed, where it begins with a personal number as cards do, and where only
/// what one field says is wrong.
pub fn is_meant_as_card(payload: &[u8]) -> bool {
    let is_other = match parse(payload) {
        Ok(_) => false,
        Err(why) => matches!(
            why,
            NotACard::Empty
                | NotACard::TooLong { .. }
                | NotACard::NotText
                | NotACard::Payment
                | NotACard::Link
                | NotACard::HealthInsurance
                | NotACard::WrongFieldCount { .. }
                | NotACard::Other
        ),
    };
    let mut fields = payload.split(|byte| *byte == b'|');
    let first = fields.next().unwrap_or_default();
    let first = first.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(first).trim_ascii();
    let begins_as_card =
        first.len() == 12 && first.iter().all(u8::is_ascii_digit) && fields.next().is_some();
    !is_other || begins_as_card
}

/// Why the codes of one picture give no card.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoCard {
    /// There is no code.
    Nothing,
    /// There are several cards: which of them is meant cannot be told.
    Several(usize),
    /// There is a code, and it is no card's.
    NotACard(NotACard),
}

/// Returns the one card among the payloads of one picture.
pub fn the_card<'a>(payloads: impl IntoIterator<Item = &'a [u8]>) -> Result<Document, NoCard> {
    let (mut cards, mut refusals) = (Vec::new(), Vec::new());
    for payload in payloads {
        match parse(payload) {
            Ok(document) => cards.push(document),
            Err(why) => refusals.push(why),
        }
    }
    match (cards.pop(), refusals.into_iter().next()) {
        (Some(card), _) if cards.is_empty() => Ok(card),
        (Some(_), _) => Err(NoCard::Several(cards.len() + 1)),
        (None, Some(why)) => Err(NoCard::NotACard(why)),
        (None, None) => Err(NoCard::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;

    use super::super::tests::{check_valid, files};
    use super::*;

    const PLAIN: &str = "048088999901|201999901|Nguyễn Văn Mẫu|02031988|Nam|\
                         Tổ 99, Thọ Quang Giả, Sơn Trà, Đà Nẵng|15082021";

    #[test]
    fn a_wrong_card_is_meant_as_one_and_other_codes_are_not() {
        let impossible = PLAIN.replace("02031988", "31021988");
        let letter = PLAIN.replace("048088999901|", "04808899990A|");
        let cut = PLAIN.rsplit_once('|').map(|(cut, _)| format!("\u{FEFF}{cut}|x|y|z")).unwrap();
        for payload in [PLAIN, &impossible, &letter, &cut, "048088999901|"] {
            assert!(is_meant_as_card(payload.as_bytes()), "{payload}");
        }
        // In a character set of old: the bytes are no text, and begin as a card's all the same.
        assert!(is_meant_as_card(b"048088999901||Nguy\xaan|02031988"));
        let number = "048088999901";
        for payload in ["", "https://example.org", "000201010211", "VN123456789", "a|b", number] {
            assert!(!is_meant_as_card(payload.as_bytes()), "{payload}");
        }
    }

    #[test]
    fn every_form_of_card_is_read() {
        check_valid("qr/valid", 20, parse);
    }

    #[test]
    fn every_file_that_is_no_card_is_refused_for_the_reason_in_its_name() {
        let files = files("qr/invalid", "txt");
        assert!(files.len() >= 40, "the folder of refusals was not found whole");
        for (file, payload) in files {
            let refusal = parse(&payload).expect_err(&file);
            let (reason, _) = file.split_once("--").expect("a reason and a detail in the name");
            assert_eq!(refusal.code(), reason, "{file}");
        }
    }

    #[test]
    fn refusals_tell_what_was_found() {
        let card = |old: &str, new: &str| PLAIN.replace(old, new);
        for (payload, expected) in [
            (
                card("048088999901", "04808899990l"),
                NotACard::BadNumber { position: Some(12), len: 12 },
            ),
            (
                card("048088999901", "O48088999901"),
                NotACard::BadNumber { position: Some(1), len: 12 },
            ),
            (card("048088999901", "48088999901"), NotACard::BadNumber { position: None, len: 11 }),
            (
                card("048088999901", "048 088 999 901"),
                NotACard::BadNumber { position: Some(4), len: 15 },
            ),
            (
                card("02031988", "31022000"),
                NotACard::BadDate { field: DateField::Birth, day: 31, month: 2, year: 2000 },
            ),
            (
                card("15082021", "00082021"),
                NotACard::BadDate { field: DateField::Issued, day: 0, month: 8, year: 2021 },
            ),
            (card("15082021", ""), NotACard::UnreadableDate { field: DateField::Issued }),
            (PLAIN.to_owned() + "|||", NotACard::WrongFieldCount { count: 10 }),
            ("x".repeat(1_001), NotACard::TooLong { len: 1_001 }),
        ] {
            assert_eq!(parse(payload.as_bytes()).err(), Some(expected), "{payload}");
        }
    }

    #[test]
    fn payload_of_exactly_a_thousand_bytes_is_read() {
        let payload = PLAIN.replace("Tổ", &"x".repeat(MAX_BYTES - PLAIN.len() + "Tổ".len()));
        assert_eq!(payload.len(), MAX_BYTES);
        assert!(parse(payload.as_bytes()).is_ok());
    }

    #[test]
    fn personal_number_that_begins_like_a_payment_code_is_a_number() {
        let payload = PLAIN.replace("048088999901", "000201999901");
        let document = parse(payload.as_bytes()).expect("a card");
        assert_eq!(document.personal_number().map(PersonalNumber::prefix), Some(0));
    }

    #[test]
    fn address_keeps_its_punctuation() {
        let payload = std::mem::take(
            files("qr/valid", "txt")
                .get_mut("2021-long-address-highland-name")
                .expect("the fixture"),
        );
        let address = parse(&payload).expect("a card").address.expect("an address");
        assert_eq!(
            address.value.as_str(),
            "Số nhà 99/9/9A, Hẻm 999 Đường Giả Định, Buôn Ea M'Mẫu, Tổ dân phố 99, \
             Xã Cư Êbur Giả, Thành phố Buôn Ma Thuột, Đắk Lắk"
        );
    }

    #[test]
    fn every_field_tells_its_source() {
        let document = parse(PLAIN.as_bytes()).expect("a card");
        assert_eq!(document.source, Source::Qr);
        assert!(document.numbers.iter().all(|number| number.source == Source::Qr));
        assert_eq!(document.name.map(|field| field.source), Some(Source::Qr));
        assert_eq!(document.issued.map(|field| field.source), Some(Source::Qr));
        assert_eq!(document.expiry.map(|field| field.source), Some(Source::Derived));
        assert_eq!(document.nationality, None);
    }

    #[test]
    fn refusals_hide_the_date_from_debug_and_text() {
        let refusal = parse(PLAIN.replace("02031988", "31022000").as_bytes()).expect_err("no day");
        assert_eq!(format!("{refusal:?}"), "NotACard(bad-date)");
        assert_eq!(refusal.to_string(), "the date of birth is impossible");
    }

    /// A card as the issuer knows it, for comparing with what is read.
    #[derive(Clone, Debug)]
    struct Issued {
        number: u64,
        cmnd: Option<u32>,
        name: String,
        birth: (u16, u8, u8),
        sex: &'static str,
        address: String,
        issued: (u16, u8, u8),
        is_2024: bool,
    }

    impl Issued {
        fn payload(&self) -> String {
            let day = |(year, month, day): (u16, u8, u8)| format!("{day:02}{month:02}{year:04}");
            let cmnd = self.cmnd.map_or(String::new(), |cmnd| format!("{cmnd:09}"));
            format!(
                "{:012}|{cmnd}|{}|{}|{}|{}|{}{}",
                self.number,
                self.name,
                day(self.birth),
                self.sex,
                self.address,
                day(self.issued),
                if self.is_2024 { "||||" } else { "" }
            )
        }
    }

    const WORD: &str = "[A-ZĂÂĐÊÔƠƯ]\
        [a-zàảãáạăằẳẵắặâầẩẫấậđèẻẽéẹêềểễếệìỉĩíịòỏõóọôồổỗốộơờởỡớợùủũúụưừửữứựỳỷỹýỵ]{0,6}";

    fn issued() -> impl Strategy<Value = Issued> {
        (
            0..1_000_000_000_000u64,
            proptest::option::of(0..1_000_000_000u32),
            vec(WORD, 1..6),
            (1900..2024u16, 1..=12u8, 1..=28u8),
            prop_oneof![Just("Nam"), Just("Nữ")],
            vec(WORD, 0..10),
            (2021..2036u16, 1..=12u8, 1..=28u8),
            any::<bool>(),
        )
            .prop_map(|(number, cmnd, name, birth, sex, address, issued, is_2024)| {
                Issued {
                    number,
                    cmnd,
                    name: name.join(" "),
                    birth,
                    sex,
                    address: address.join(", "),
                    issued,
                    is_2024,
                }
            })
    }

    proptest! {
        #[test]
        fn what_was_issued_is_what_is_read(card in issued()) {
            let document = parse(card.payload().as_bytes()).expect("a card");
            let number = document.personal_number().map(PersonalNumber::value);
            prop_assert_eq!(number, Some(card.number));
            prop_assert_eq!(document.numbers.len(), 1 + usize::from(card.cmnd.is_some()));
            let name: String = card.name.nfc().collect();
            prop_assert_eq!(document.name.as_ref().map(|name| name.value.as_str()), Some(&*name));
            let birth = document.birth.as_ref().map(|birth| birth.value);
            let (year, month, day) = card.birth;
            prop_assert_eq!(birth, PartialDate::new(year, month, day));
            let sex = document.sex.as_ref().map(|sex| sex.value == super::super::Sex::Female);
            prop_assert_eq!(sex, Some(card.sex == "Nữ"));
            prop_assert_eq!(document.address.is_some(), !card.address.is_empty());
        }

        #[test]
        fn reading_ignores_what_the_eye_does_not_see(card in issued(), is_upper: bool) {
            let payload = card.payload();
            let expected = parse(payload.as_bytes()).expect("a card");
            let composed: String = payload.nfc().collect();
            let decomposed: String = payload.nfd().collect();
            for other in [
                composed,
                decomposed.clone(),
                format!("\u{FEFF}{decomposed}\r\n"),
                format!("{payload}\r"),
                format!("{payload}\n\0"),
                payload.replace(' ', "  ").replace('|', " | "),
            ] {
                prop_assert_eq!(parse(other.as_bytes()), Ok(expected.clone()));
            }
            if is_upper {
                let upper = parse(payload.to_uppercase().as_bytes()).expect("a card in capitals");
                let folded = |document: &Document| {
                    document.name.as_ref().map(|name| name.value.folded())
                };
                prop_assert_eq!(folded(&upper), folded(&expected));
                prop_assert_eq!(&upper.numbers, &expected.numbers);
            }
        }

        #[test]
        fn any_bytes_are_answered(bytes in vec(any::<u8>(), 0..1_100)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn any_text_of_fields_is_answered(fields in vec("\\PC{0,12}", 0..14)) {
            let _ = parse(fields.join("|").as_bytes());
        }

        #[test]
        fn damaged_card_is_refused_or_still_has_number_and_name(
            card in issued(),
            damage in vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..6),
        ) {
            let mut bytes = card.payload().into_bytes();
            for (at, byte, how) in damage {
                let at = at.index(bytes.len());
                match how {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    _ => { bytes.remove(at); }
                }
            }
            if let Ok(document) = parse(&bytes) {
                prop_assert!(document.personal_number().is_some());
                prop_assert!(document.name.is_some() && document.birth.is_some());
            }
        }
    }
}
