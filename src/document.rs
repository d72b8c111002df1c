//! What a document says about the person who carries it.
//!
//! Stands between reading and judging: the camera, the chip or the keypad deliver bytes or text,
//! the parsers here make a [`Document`] of them, and everything after this module works on its
//! fields alone. Every field keeps its [`Source`], so that nobody mistakes what was derived for
//! what was read.
//!
//! A document that could be read is not a document that is true: nothing here proves anything,
//! looks anything up or knows today's date. What a document says against itself becomes a
//! [`Warning`], never a refusal: the law promises no more of a personal number than twelve digits
//! (Law on Identification 26/2023, art. 12), and civil-status corrections leave honest
//! contradictions behind.
//!
//! Values of persons have no `Display`, and their `Debug` shows no content.

use std::fmt;

pub mod chip;
mod dates;
pub mod mrz;
mod name;
mod number;
mod places;
pub mod qr;
mod text;
pub mod typed;
mod validity;

pub use dates::DateField;
pub use name::{Name, fold};
pub use number::{DocumentNumber, PersonalNumber};
pub use places::Place;
pub use sync_format::v1::date::{Date, PartialDate};
pub use sync_format::v1::notice::{NumberKind, Sex};
pub use validity::{Expiry, derived_expiry};

/// The way by which a value reached us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// The QR code printed on the card: unsigned, anyone can print one.
    Qr,
    /// The machine-readable zone: unsigned as well.
    Mrz,
    /// A data group of the chip; what that proves is said elsewhere.
    Chip,
    /// Entered by the officer.
    Typed,
    /// Computed by a rule from other fields; not written on the document where we read it.
    Derived,
}

/// A value together with where it came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field<T> {
    /// What the document says.
    pub value: T,
    /// Where it says so.
    pub source: Source,
}

impl<T> Field<T> {
    /// Returns a field read from `source`.
    pub fn new(value: T, source: Source) -> Self {
        Self { value, source }
    }
}

/// The kinds of document that are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DocumentKind {
    /// "Căn cước công dân" with a chip, issued from 2021 to 30.06.2024.
    CitizenCard,
    /// "Căn cước", issued from 01.07.2024.
    IdentityCard,
    /// The machine-readable zone of either card: it does not tell which.
    IdentityCardMrz,
    /// A passport of any state (ICAO 9303-4).
    Passport,
    /// No document: the officer entered what the person said or showed.
    TypedEntry,
}

impl DocumentKind {
    /// Returns the short name used by the command line and in tests.
    pub fn code(self) -> &'static str {
        match self {
            Self::CitizenCard => "citizen-card",
            Self::IdentityCard => "identity-card",
            Self::IdentityCardMrz => "identity-card-mrz",
            Self::Passport => "passport",
            Self::TypedEntry => "typed-entry",
        }
    }
}

/// The address printed on the card, as one cleaned line.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// Returns the address in composed form with single spaces, or `None` when nothing is left of
    /// it.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text::clean(text);
        (!text.is_empty()).then_some(Self(text))
    }

    /// Returns the address for showing to the officer.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({} chars)", self.0.chars().count())
    }
}

/// A nationality by its three-letter code (ICAO 9303-3, section 5); short codes end in `<`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Nationality(pub [u8; 3]);

impl Nationality {
    /// Viet Nam.
    pub const VNM: Self = Self(*b"VNM");

    /// Returns the code without filler, "VNM" or "D".
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default().trim_end_matches('<')
    }
}

/// A field whose meaning is not known for certain, kept as it stands.
///
/// The law lists what the four last fields of a 2024 card hold (cancelled number, names of the
/// parents) but no source gives their order, so only their shape is interpreted.
#[derive(Clone, PartialEq, Eq)]
pub struct Unread {
    /// The place of the field in the payload, counted from 1.
    pub position: usize,
    text: String,
}

impl Unread {
    /// Returns the text of the field for showing to the officer.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unread(field {}, {} chars)", self.position, self.text.chars().count())
    }
}

/// Something on the document that deserves a second look.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Warning {
    /// The fourth digit of the personal number stands for the other sex.
    SexDiffersFromNumber,
    /// Digits four to six of the personal number stand for another year of birth.
    YearDiffersFromNumber,
    /// The card is older than its holder.
    IssuedBeforeBirth,
    /// The first three digits are in neither the province nor the country table.
    UnknownPrefix,
    /// Day or month of birth is not known to the document.
    BirthIncomplete,
    /// The form of the QR code and the issue date belong to different generations of cards.
    FormDiffersFromIssueDate,
    /// The old number has neither nine nor twelve digits; it is kept as it stands.
    OldNumberUnreadable,
    /// The name is written without marks, so that several names look alike.
    TransliterationOnly,
    /// The name fills its line to the end and may go on.
    NameMayBeCut,
    /// The zone has two digits for the year of birth and nothing that tells the century.
    CenturyAssumed,
    /// The document does not state a sex.
    SexNotStated,
}

impl Warning {
    /// Returns the short name used by the command line and in tests.
    pub fn code(self) -> &'static str {
        match self {
            Self::SexDiffersFromNumber => "sex-differs-from-number",
            Self::YearDiffersFromNumber => "year-differs-from-number",
            Self::IssuedBeforeBirth => "issued-before-birth",
            Self::UnknownPrefix => "unknown-prefix",
            Self::BirthIncomplete => "birth-incomplete",
            Self::FormDiffersFromIssueDate => "form-differs-from-issue-date",
            Self::OldNumberUnreadable => "old-number-unreadable",
            Self::TransliterationOnly => "transliteration-only",
            Self::NameMayBeCut => "name-may-be-cut",
            Self::CenturyAssumed => "century-assumed",
            Self::SexNotStated => "sex-not-stated",
        }
    }

    /// Returns true where the document contradicts itself; the other warnings only say what is
    /// missing or unusual.
    pub fn is_contradiction(self) -> bool {
        matches!(
            self,
            Self::SexDiffersFromNumber | Self::YearDiffersFromNumber | Self::IssuedBeforeBirth
        )
    }
}

/// The fields of one document, each with its source.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// What was read.
    pub kind: DocumentKind,
    /// How it was read.
    pub source: Source,
    /// Every number of the person that the document states; the personal number comes first.
    pub numbers: Vec<Field<DocumentNumber>>,
    /// The name as written.
    pub name: Option<Field<Name>>,
    /// The date of birth, as far as it is known.
    pub birth: Option<Field<PartialDate>>,
    /// The sex, where stated.
    pub sex: Option<Field<Sex>>,
    /// Permanent address (2021) or place of residence (2024).
    pub address: Option<Field<Address>>,
    /// The date of issue.
    pub issued: Option<Field<Date>>,
    /// The last day of validity; of a QR code it is derived (see [`derived_expiry`]).
    pub expiry: Option<Field<Expiry>>,
    /// The nationality, where stated.
    pub nationality: Option<Field<Nationality>>,
    /// Fields whose meaning is not certain.
    pub unread: Vec<Unread>,
    /// What deserves a second look, each at most once.
    pub warnings: Vec<Warning>,
}

impl Document {
    /// Returns the personal number, where the document states one.
    pub fn personal_number(&self) -> Option<PersonalNumber> {
        self.numbers.iter().find_map(|number| number.value.personal())
    }

    /// Returns a document of which nothing has been read yet.
    fn blank(kind: DocumentKind, source: Source) -> Self {
        Self {
            kind,
            source,
            numbers: Vec::new(),
            name: None,
            birth: None,
            sex: None,
            address: None,
            issued: None,
            expiry: None,
            nationality: None,
            unread: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Adds a warning unless it stands there already.
    fn warn(&mut self, warning: Warning) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Compares what the document says with itself and notes every contradiction as a warning.
    fn cross_check(&mut self) {
        let birth = self.birth.as_ref().map(|field| field.value);
        if let Some(number) = self.personal_number() {
            if matches!(number.place(), Place::Unknown(_)) {
                self.warn(Warning::UnknownPrefix);
            }
            if self.sex.as_ref().is_some_and(|sex| sex.value != number.sex()) {
                self.warn(Warning::SexDiffersFromNumber);
            }
            if birth.is_some_and(|birth| birth.year() != number.birth_year()) {
                self.warn(Warning::YearDiffersFromNumber);
            }
        }
        if birth.is_some_and(|birth| birth.full().is_none()) {
            self.warn(Warning::BirthIncomplete);
        }
        if let (Some(birth), Some(issued)) = (birth.and_then(|birth| birth.full()), &self.issued)
            && issued.value < birth
        {
            self.warn(Warning::IssuedBeforeBirth);
        }
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("kind", &self.kind)
            .field("source", &self.source)
            .field("numbers", &self.numbers.len())
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    /// Tells a whole document, one line a value, so that a test can show what it expects.
    pub(super) fn told(document: &Document) -> String {
        fn line<T>(name: &str, field: &Option<Field<T>>, text: impl Fn(&T) -> String) -> String {
            field
                .as_ref()
                .map_or(String::new(), |field| format!("{name}: {}\n", text(&field.value)))
        }
        let mut told = format!("kind: {}\n", document.kind.code());
        for number in &document.numbers {
            told += &format!("number: {:?} {}\n", number.value.kind(), number.value.as_str());
        }
        told += &line("name", &document.name, |name| name.as_str().to_owned());
        told += &line("birth", &document.birth, |birth| {
            format!("{:04}-{:02}-{:02}", birth.year(), birth.month(), birth.day())
        });
        told += &line("sex", &document.sex, |sex| match sex {
            Sex::Male => "M".to_owned(),
            Sex::Female => "F".to_owned(),
        });
        told += &line("address", &document.address, |address| address.as_str().to_owned());
        told += &line("nationality", &document.nationality, |state| state.as_str().to_owned());
        told += &line("issued", &document.issued, Date::to_string);
        if let Some(expiry) = &document.expiry {
            let day = match expiry.value {
                Expiry::On(day) => day.to_string(),
                Expiry::Never => "never".to_owned(),
            };
            told += &format!("expiry: {day}, {:?}\n", expiry.source);
        }
        for unread in &document.unread {
            told += &format!("unread: {}: {}\n", unread.position, unread.as_str());
        }
        for warning in &document.warnings {
            told += &format!("warning: {}\n", warning.code());
        }
        told
    }

    /// Reads the files of a folder under `tests/data/payloads` that end in `ending`, by name
    /// without it.
    pub(super) fn files(folder: &str, ending: &str) -> BTreeMap<String, Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/payloads").join(folder);
        let entries = std::fs::read_dir(&folder).expect("the folder of fixtures");
        entries
            .map(|entry| entry.expect("an entry of the folder").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == ending))
            .map(|path| {
                let name = path.file_stem().expect("a file name").to_string_lossy().into_owned();
                (name, std::fs::read(&path).expect("a fixture"))
            })
            .collect()
    }

    /// Reads every `.txt` of a folder and compares with the `.expected` beside it.
    pub(super) fn check_valid<E: fmt::Display>(
        folder: &str,
        at_least: usize,
        parse: fn(&[u8]) -> Result<Document, E>,
    ) {
        let (inputs, mut expected) = (files(folder, "txt"), files(folder, "expected"));
        assert!(inputs.len() >= at_least, "{folder} was not found whole");
        for (name, input) in inputs {
            let told = parse(&input).map_or_else(|error| error.to_string(), |found| told(&found));
            let expected = expected.remove(&name).expect("an expectation beside each file");
            assert_eq!(told, String::from_utf8_lossy(&expected), "{folder}/{name}");
        }
        assert!(expected.is_empty(), "expectations without a file: {:?}", expected.keys());
    }

    #[test]
    fn document_shows_nothing_of_the_person_in_debug() {
        let payload = "048088999901|201999901|Nguyễn Văn Mẫu|02031988|Nam|Tổ 99, Đà Nẵng|15082021";
        let document = qr::parse(payload.as_bytes()).expect("a card");
        let shown = format!(
            "{document:?} {:?} {:?} {:?}",
            document.name, document.address, document.numbers
        );
        for part in ["048088", "999901", "Mẫu", "Nguy", "1988", "Nẵng"] {
            assert!(!shown.contains(part), "{part} in {shown}");
        }
    }

    #[test]
    fn only_what_disagrees_is_a_contradiction() {
        for (warning, expected) in [
            (Warning::SexDiffersFromNumber, true),
            (Warning::YearDiffersFromNumber, true),
            (Warning::IssuedBeforeBirth, true),
            (Warning::UnknownPrefix, false),
            (Warning::BirthIncomplete, false),
            (Warning::FormDiffersFromIssueDate, false),
            (Warning::OldNumberUnreadable, false),
            (Warning::TransliterationOnly, false),
            (Warning::NameMayBeCut, false),
            (Warning::CenturyAssumed, false),
            (Warning::SexNotStated, false),
        ] {
            assert_eq!(warning.is_contradiction(), expected, "{}", warning.code());
        }
    }

    #[test]
    fn nationality_is_shown_without_filler() {
        assert_eq!(Nationality::VNM.as_str(), "VNM");
        assert_eq!(Nationality(*b"D<<").as_str(), "D");
    }
}
