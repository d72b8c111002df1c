//! What a chip says of its holder: the machine-readable zone of data group 1, and the texts of the
//! Vietnamese data group 13.
//!
//! The zone is on every chip, in capitals without marks, and cut where a line ends. Data group 13 has
//! the name as it is written, the day of issue and the old number; on cards since 2024 any of it may
//! be missing or unreadable, and then the zone alone speaks. Of what data group 13 holds beyond
//! that (ethnic group, religion, parents, spouse, marks and hometown) nothing comes here: its
//! parser drops it.

use super::dates::WrittenDate;
use super::mrz::{self, MrzError};
use super::validity::is_under_new_law;
use super::{
    Address, Document, DocumentKind, DocumentNumber, Expiry, Field, Name, NumberKind,
    PersonalNumber, Sex, Source, Warning, text,
};

/// The texts of data group 13 that are used, as they stand there.
#[derive(Clone, Default)]
pub struct ChipText<'a> {
    /// The twelve-digit number.
    pub number: Option<&'a str>,
    /// The name with its marks.
    pub name: Option<&'a str>,
    /// Date of birth, `dd/MM/yyyy`.
    pub birth: Option<&'a str>,
    /// "Nam" or "Nữ".
    pub sex: Option<&'a str>,
    /// Place of residence.
    pub residence: Option<&'a str>,
    /// Date of issue, `dd/MM/yyyy`.
    pub issued: Option<&'a str>,
    /// Last day of validity, `dd/MM/yyyy`, or "Không thời hạn".
    pub expiry: Option<&'a str>,
    /// The old number of nine digits.
    pub old_number: Option<&'a str>,
}

/// Shows nothing of the person.
impl std::fmt::Debug for ChipText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChipText(..)")
    }
}

/// Reads the zone of data group 1, and the texts of data group 13 where there are any.
///
/// What the two say of the same thing is compared; the second value names where they disagree. The
/// zone is what the document goes by then, since every chip and every printed card has it. A text that is
/// no name or no date is passed over: cards since 2024 may hold it in a form that nobody outside can
/// read.
///
/// # Errors
///
/// What is wrong with the zone.
pub fn read(zone: &str, texts: &ChipText<'_>) -> Result<(Document, Vec<Detail>), MrzError> {
    let mut document = mrz::parse(zone)?;
    reread_as(&mut document, Source::Chip);
    let texts = read_texts(texts);
    let differing = differences(&document, &texts);
    if let Some(name) = texts.name.filter(|_| !differing.contains(&Detail::Name)) {
        document.name = Some(name);
        document.warnings.retain(|warning| {
            !matches!(warning, Warning::TransliterationOnly | Warning::NameMayBeCut)
        });
    }
    document.sex = document.sex.or(texts.sex);
    document.birth = document.birth.or(texts.birth);
    document.address = texts.address;
    document.issued = texts.issued;
    // All numbers are looked up, also where the groups disagree.
    for number in texts.numbers {
        if !document.numbers.iter().any(|known| known.value == number.value) {
            document.numbers.push(number);
        }
    }
    if document.kind == DocumentKind::IdentityCardMrz
        && let Some(issued) = &document.issued
    {
        document.kind = if is_under_new_law(issued.value) {
            DocumentKind::IdentityCard
        } else {
            DocumentKind::CitizenCard
        };
    }
    document.cross_check();
    Ok((document, differing))
}

fn read_texts(written: &ChipText<'_>) -> Document {
    fn read<T>(value: Option<T>) -> Option<Field<T>> {
        value.map(|value| Field::new(value, Source::Chip))
    }
    let date = |text: Option<&str>| text.and_then(WrittenDate::read);
    let mut texts = Document::blank(DocumentKind::IdentityCardMrz, Source::Chip);
    let number = written.number.and_then(PersonalNumber::parse).map(DocumentNumber::from);
    let old = written.old_number.and_then(|text| DocumentNumber::new(NumberKind::Cmnd, text));
    texts.numbers.extend([number, old].into_iter().filter_map(read));
    texts.name = read(written.name.and_then(Name::parse));
    texts.birth = read(date(written.birth).and_then(WrittenDate::partial));
    texts.sex = read(written.sex.and_then(text::sex));
    texts.address = read(written.residence.and_then(Address::parse));
    texts.issued = read(date(written.issued).and_then(WrittenDate::full));
    texts.expiry = read(written.expiry.and_then(|text| match date(Some(text)) {
        Some(date) => date.full().map(Expiry::On),
        None => (super::fold(text) == "KHONG THOI HAN").then_some(Expiry::Never),
    }));
    texts
}

/// Gives every field of a document another source.
fn reread_as(document: &mut Document, source: Source) {
    fn set<T>(field: &mut Option<Field<T>>, source: Source) {
        if let Some(field) = field {
            field.source = source;
        }
    }
    document.source = source;
    for number in &mut document.numbers {
        number.source = source;
    }
    set(&mut document.name, source);
    set(&mut document.birth, source);
    set(&mut document.sex, source);
    set(&mut document.expiry, source);
    set(&mut document.nationality, source);
}

/// A detail that two readings of one document may state differently.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Detail {
    /// The personal number, or the passport's.
    Number,
    /// The name, as folded, with what a line may have cut off.
    Name,
    /// The date of birth.
    Birth,
    /// The sex.
    Sex,
    /// The date of issue.
    Issued,
    /// The last day of validity, where both state it; a derived one is no statement.
    Expiry,
    /// The old number.
    OldNumber,
}

impl Detail {
    /// All of them.
    pub const ALL: [Detail; 7] = [
        Detail::Number,
        Detail::Name,
        Detail::Birth,
        Detail::Sex,
        Detail::Issued,
        Detail::Expiry,
        Detail::OldNumber,
    ];

    /// Returns the short name used by the command line and in tests.
    pub fn code(self) -> &'static str {
        match self {
            Detail::Number => "number",
            Detail::Name => "name",
            Detail::Birth => "birth",
            Detail::Sex => "sex",
            Detail::Issued => "issued",
            Detail::Expiry => "expiry",
            Detail::OldNumber => "old-number",
        }
    }
}

/// Returns the details that both documents state, and state differently.
///
/// A part of a birth date that one of them does not know agrees with anything.
pub fn differences(one: &Document, other: &Document) -> Vec<Detail> {
    fn differ<T>(
        one: &Option<Field<T>>,
        other: &Option<Field<T>>,
        same: impl Fn(&T, &T) -> bool,
    ) -> bool {
        matches!((one, other), (Some(one), Some(other)) if !same(&one.value, &other.value))
    }
    let number = |document: &Document, kind| {
        let found = document.numbers.iter().find(|number| number.value.kind() == kind);
        found.map(|number| number.value.as_str().to_owned())
    };
    let numbers_differ = |kind| {
        let (one, other) = (number(one, kind), number(other, kind));
        one.is_some() && other.is_some() && one != other
    };
    let stated = |document: &Document| {
        document.expiry.clone().filter(|expiry| expiry.source != Source::Derived)
    };
    let same_birth = |one: &super::PartialDate, other: &super::PartialDate| {
        let agrees = |one: u16, other: u16| one == 0 || other == 0 || one == other;
        agrees(one.year(), other.year())
            && agrees(one.month().into(), other.month().into())
            && agrees(one.day().into(), other.day().into())
    };
    let differing = |detail: &Detail| match detail {
        Detail::Number => {
            numbers_differ(NumberKind::Personal) || numbers_differ(NumberKind::Passport)
        }
        Detail::Name => differ(&one.name, &other.name, Name::matches_cut),
        Detail::Birth => differ(&one.birth, &other.birth, same_birth),
        Detail::Sex => differ(&one.sex, &other.sex, Sex::eq),
        Detail::Issued => differ(&one.issued, &other.issued, super::Date::eq),
        Detail::Expiry => differ(&stated(one), &stated(other), Expiry::eq),
        Detail::OldNumber => numbers_differ(NumberKind::Cmnd),
    };
    Detail::ALL.into_iter().filter(|detail| differing(detail)).collect()
}

/// Returns what the chip says, with what only the other reading of the same card states, and where
/// the two disagree.
///
/// All numbers of both are kept, each with its source, so that all are looked up. A name or number
/// of the other reading never replaces the chip's.
pub fn join(chip: Document, printed: &Document) -> (Document, Vec<Detail>) {
    let differing = differences(&chip, printed);
    let mut joined = chip;
    for number in &printed.numbers {
        let is_there = joined.numbers.iter().any(|known| known.value == number.value);
        if !is_there {
            joined.numbers.push(number.clone());
        }
    }
    joined.address = joined.address.or_else(|| printed.address.clone());
    joined.issued = joined.issued.or_else(|| printed.issued.clone());
    joined.sex = joined.sex.or_else(|| printed.sex.clone());
    joined.expiry = joined.expiry.or_else(|| printed.expiry.clone());
    for warning in &printed.warnings {
        if warning.is_contradiction() {
            joined.warn(*warning);
        }
    }
    (joined, differing)
}

#[cfg(test)]
mod tests {
    use super::super::qr;
    use super::super::tests::told;
    use super::*;

    const ZONE: &str = "IDVNM0889999015048088999901<<5\n8803023M2803021VNM<<<<<<<<<<<4\n\
                        NGUYEN<<VAN<MAU<<<<<<<<<<<<<<<";
    const PAYLOAD: &str = "048088999901|201999901|Nguyễn Văn Mẫu|02031988|Nam|\
                           Tổ 99, Thọ Quang Giả, Sơn Trà, Đà Nẵng|15082021";

    fn texts() -> ChipText<'static> {
        ChipText {
            number: Some("048088999901"),
            name: Some("Nguyễn Văn Mẫu"),
            birth: Some("02/03/1988"),
            sex: Some("Nam"),
            residence: Some("Tổ 99, Thọ Quang Giả"),
            issued: Some("15/08/2021"),
            expiry: Some("02/03/2028"),
            old_number: Some("201999901"),
        }
    }

    fn document(texts: &ChipText<'_>) -> (Document, Vec<Detail>) {
        read(ZONE, texts).expect("a zone")
    }

    fn printed() -> Document {
        qr::parse(PAYLOAD.as_bytes()).expect("a card")
    }

    #[test]
    fn both_groups_make_one_document_all_of_the_chip() {
        let (document, differing) = document(&texts());
        assert!(differing.is_empty());
        assert_eq!(
            told(&document),
            "kind: citizen-card\nnumber: Personal 048088999901\nnumber: Cmnd 201999901\n\
             name: Nguyễn Văn Mẫu\nbirth: 1988-03-02\nsex: M\naddress: Tổ 99, Thọ Quang Giả\n\
             nationality: VNM\nissued: 2021-08-15\nexpiry: 2028-03-02, Chip\n"
        );
        assert!(document.numbers.iter().all(|number| number.source == Source::Chip));
        assert_eq!(document.name.expect("a name").source, Source::Chip);
    }

    #[test]
    fn the_zone_alone_is_enough() {
        let (document, differing) = document(&ChipText::default());
        assert!(differing.is_empty());
        assert_eq!(document.kind, DocumentKind::IdentityCardMrz);
        assert_eq!(document.name.expect("a name").value.as_str(), "NGUYEN VAN MAU");
        assert!(document.warnings.contains(&Warning::TransliterationOnly));
    }

    #[test]
    fn texts_that_are_none_are_passed_over() {
        let garbled = ChipText {
            number: Some("0x99"),
            name: Some("\u{1}\u{2}"),
            birth: Some("QkFTRTY0"),
            sex: Some("?"),
            residence: Some(""),
            issued: Some("99/99/9999"),
            expiry: Some("QkFTRTY0"),
            old_number: Some("-"),
        };
        let (document, differing) = document(&garbled);
        assert!(differing.is_empty());
        assert_eq!(document.name.expect("a name").value.as_str(), "NGUYEN VAN MAU");
        assert!(document.issued.is_none() && document.address.is_none());
    }

    #[test]
    fn a_card_without_an_end_has_none_in_both_groups() {
        let zone = "IDVNM1559999043086155999904<<3\n5510104F9912315VNM<<<<<<<<<<<8\n\
                    DANG<<THI<DO<MAU<<<<<<<<<<<<<<";
        let texts = ChipText { expiry: Some("Không thời hạn"), ..ChipText::default() };
        let (document, differing) = read(zone, &texts).expect("a zone");
        assert!(differing.is_empty());
        assert_eq!(document.expiry.expect("an expiry").value, Expiry::Never);
    }

    #[test]
    fn each_detail_that_differs_is_named() {
        for (changed, expected) in [
            (ChipText { number: Some("048088999902"), ..texts() }, Detail::Number),
            (ChipText { name: Some("Trần Văn Giả"), ..texts() }, Detail::Name),
            (ChipText { birth: Some("03/03/1988"), ..texts() }, Detail::Birth),
            (ChipText { sex: Some("Nữ"), ..texts() }, Detail::Sex),
            (ChipText { expiry: Some("02/03/2029"), ..texts() }, Detail::Expiry),
        ] {
            let (document, differing) = document(&changed);
            assert_eq!(differing, [expected]);
            // The zone is what the document goes by.
            assert_eq!(document.personal_number().expect("a number").value(), 48_088_999_901);
            // Both numbers are looked up.
            let is_other = changed.number == Some("048088999902");
            assert_eq!(document.numbers.len(), if is_other { 3 } else { 2 });
            let name = document.name.expect("a name").value;
            assert_eq!(name.folded(), "NGUYEN VAN MAU");
        }
    }

    #[test]
    fn a_printed_card_that_agrees_adds_what_the_chip_does_not_say() {
        let (chip, _) = document(&ChipText::default());
        let (joined, differing) = join(chip, &printed());
        assert!(differing.is_empty(), "{differing:?}");
        assert_eq!(joined.source, Source::Chip);
        assert_eq!(joined.issued.expect("a day of issue").source, Source::Qr);
        assert_eq!(joined.expiry.expect("an expiry").source, Source::Chip);
        let sources: Vec<Source> = joined.numbers.iter().map(|number| number.source).collect();
        assert_eq!(sources, [Source::Chip, Source::Qr]);
    }

    #[test]
    fn another_card_is_told_by_every_detail_and_all_numbers_are_kept() {
        let (chip, _) = document(&texts());
        let other = "031301999902|331999904|Trần Thị Thử|17112001|Nữ|Hải Phòng|01012022";
        let (joined, differing) = join(chip, &qr::parse(other.as_bytes()).expect("a card"));
        assert_eq!(
            differing,
            [
                Detail::Number,
                Detail::Name,
                Detail::Birth,
                Detail::Sex,
                Detail::Issued,
                Detail::OldNumber
            ]
        );
        assert_eq!(joined.numbers.len(), 4);
        assert_eq!(joined.numbers[0].source, Source::Chip);
    }

    #[test]
    fn what_is_not_known_or_derived_differs_from_nothing() {
        let (chip, _) = document(&ChipText { expiry: None, ..texts() });
        let mut printed = printed();
        printed.expiry = Some(Field::new(Expiry::Never, Source::Derived));
        printed.birth =
            super::super::PartialDate::new(1988, 0, 0).map(|birth| Field::new(birth, Source::Qr));
        printed.sex = None;
        assert!(differences(&chip, &printed).is_empty());
    }

    #[test]
    fn names_in_debug_nothing() {
        assert_eq!(format!("{:?}", texts()), "ChipText(..)");
    }
}
