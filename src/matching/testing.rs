//! Invented people and notices for the tests of judging.
//!
//! Everybody here is Nguyễn Văn Mẫu, and every notice is about him until a test changes a field, so
//! that a test shows what it depends on and nothing else.

use proptest::prelude::*;
use sync_format::v1::notice::{Action, Category, Cautions, Notice, Number, Sex};

use crate::document::{
    Date, Document, DocumentKind, DocumentNumber, Expiry, Field, Name, NumberKind, PartialDate,
    Source, mrz,
};

/// The citizen's personal number: Đà Nẵng, male, born in 1988.
pub(crate) const HIS_NUMBER: &str = "048088999901";
/// A number of the same shape that is not his.
pub(crate) const ANOTHER_NUMBER: &str = "048088999902";

/// A card of 2022, read by its QR code, with nothing wrong about it.
pub(crate) fn a_citizen() -> Document {
    Document {
        kind: DocumentKind::CitizenCard,
        source: Source::Qr,
        numbers: vec![personal(HIS_NUMBER), cmnd("201999901")],
        name: Some(Field::new(name("Nguyễn Văn Mẫu"), Source::Qr)),
        birth: Some(Field::new(birth((1988, 3, 2)), Source::Qr)),
        sex: Some(Field::new(Sex::Male, Source::Qr)),
        address: None,
        issued: Some(Field::new(day("2022-05-10"), Source::Qr)),
        expiry: Some(Field::new(Expiry::On(day("2028-03-02")), Source::Derived)),
        nationality: None,
        unread: Vec::new(),
        warnings: Vec::new(),
    }
}

/// The same card, read through its chip.
pub(crate) fn a_citizen_by_chip() -> Document {
    let mut document = Document { source: Source::Chip, ..a_citizen() };
    document.numbers.iter_mut().for_each(|number| number.source = Source::Chip);
    document.name.as_mut().expect("a name").source = Source::Chip;
    document.birth.as_mut().expect("a birth date").source = Source::Chip;
    document.sex.as_mut().expect("a sex").source = Source::Chip;
    document
}

/// A notice that he is wanted, with his name, full birth date, sex and personal number.
pub(crate) fn wanted() -> Notice {
    Notice {
        id: 1_204,
        category: Category::W1,
        code: "173".into(),
        decision: "12/QĐ-MẪU".into(),
        issuer: "Cơ quan mẫu".into(),
        decided: day("2025-06-01"),
        valid_to: day("2030-06-01"),
        action: Action::VerifyAndReport,
        contact: "000 000".into(),
        name: "Nguyễn Văn Mẫu".into(),
        aliases: Vec::new(),
        birth: birth((1988, 3, 2)),
        sex: Some(Sex::Male),
        numbers: vec![number(NumberKind::Personal, HIS_NUMBER)],
        cautions: Cautions::default(),
        marks: String::new(),
        photo: Vec::new(),
    }
}

/// The notice about somebody of another name.
pub(crate) fn named(name: &str) -> Notice {
    Notice { name: name.into(), ..wanted() }
}

/// A report about a document that goes by his personal number, decided on `decided`.
pub(crate) fn reported(category: Category, decided: &str) -> Notice {
    Notice {
        category,
        code: String::new(),
        decided: day(decided),
        action: Action::HoldDocument,
        name: String::new(),
        birth: PartialDate::UNKNOWN,
        sex: None,
        ..wanted()
    }
}

pub(crate) fn personal(text: &str) -> Field<DocumentNumber> {
    read(NumberKind::Personal, text)
}

pub(crate) fn cmnd(text: &str) -> Field<DocumentNumber> {
    read(NumberKind::Cmnd, text)
}

/// A number that a QR code gave.
pub(crate) fn read(kind: NumberKind, text: &str) -> Field<DocumentNumber> {
    Field::new(DocumentNumber::new(kind, text).expect("a number of its kind"), Source::Qr)
}

pub(crate) fn with_source<T>(field: Field<T>, source: Source) -> Field<T> {
    Field { source, ..field }
}

/// A number on a notice.
pub(crate) fn number(kind: NumberKind, text: &str) -> Number {
    Number { kind, text: text.into() }
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

/// A name of which the machine-readable zone has cut off the end.
pub(crate) fn a_cut_name() -> Name {
    // 39 characters fill the name line of a passport (ICAO 9303-4, 4.2.2).
    let passport = mrz::parse(concat!(
        "P<VNMCONG<TANG<TON<NU<<THI<MINH<NGUYET<PHUON\n",
        "B1234567<3VNM8803023M3003013<<<<<<<<<<<<<<00"
    ))
    .expect("a passport");
    let name = passport.name.expect("a name").value;
    assert!(name.is_cut());
    name
}

pub(crate) fn birth((year, month, day): (u16, u8, u8)) -> PartialDate {
    PartialDate::new(year, month, day).expect("a birth date")
}

pub(crate) fn day(iso: &str) -> Date {
    iso.parse().expect("an ISO date")
}

/// Any full birth date of three years, so that two of them are often near each other.
pub(crate) fn full_birth() -> impl Strategy<Value = PartialDate> {
    (6_570..7_665).prop_map(|days: i32| Date::from_days(days).into())
}
