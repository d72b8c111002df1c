//! Notices: who or what is looked for, on which legal basis, and what an officer may do.
//!
//! Lawful use is part of the format. There is a closed list of categories, every notice carries its
//! legal basis and a date on which it lapses, there is no field for a description beyond identifying
//! marks, and [`Notice::validate`] refuses what may not be in a list: both encoding and decoding a
//! chunk go through it, so that a notice against the rules can neither be published nor installed.
//!
//! Not here: matching a person against a notice, and whether a notice has lapsed today.

use std::fmt;

use bincode::de::Decoder;
use bincode::{Decode, Encode};
use unicode_normalization::is_nfc;

use super::columns::{ChunkError, TextColumn, differences, next_key};
use super::date::{Date, PartialDate};
use crate::codec::{self, Kind};
use crate::limits;

numbered! {
    /// The closed list of what a notice can be. There is no "of interest", and nothing in data can
    /// add a member.
    pub enum Category, "category" {
        /// Wanted (Joint Circular 13/2012, article 2, clause 1): accused or defendant who has
        /// absconded or whose whereabouts are unknown.
        W1 = 1, "W1";
        /// Wanted (clause 2): sentenced to expulsion and absconded.
        W2 = 2, "W2";
        /// Wanted (clause 3): sentenced to imprisonment and absconded.
        W3 = 3, "W3";
        /// Wanted (clause 4): sentenced to death and absconded.
        W4 = 4, "W4";
        /// Wanted (clause 5): absconded while serving a prison term, or while it was suspended or
        /// postponed.
        W5 = 5, "W5";
        /// Exit suspended for a fixed term (Law 49/2019, article 36).
        X1 = 11, "X1";
        /// Entry not yet permitted (Law 47/2014, article 21).
        X2 = 12, "X2";
        /// Missing person.
        M1 = 21, "M1";
        /// Child or vulnerable person at risk.
        M2 = 22, "M2";
        /// Document reported lost.
        D1 = 31, "D1";
        /// Document reported stolen.
        D2 = 32, "D2";
        /// Document revoked or cancelled.
        D3 = 33, "D3";
    }
}

/// What a category has in common with its neighbours: the rules that apply to it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Group {
    /// W1 to W5.
    Wanted,
    /// X1.
    ExitSuspension,
    /// X2.
    EntryRefusal,
    /// M1.
    Missing,
    /// M2.
    Vulnerable,
    /// D1.
    DocumentLost,
    /// D2.
    DocumentStolen,
    /// D3.
    DocumentRevoked,
}

impl Category {
    /// Returns the group whose rules apply.
    pub const fn group(self) -> Group {
        match self {
            Category::W1 | Category::W2 | Category::W3 | Category::W4 | Category::W5 => {
                Group::Wanted
            }
            Category::X1 => Group::ExitSuspension,
            Category::X2 => Group::EntryRefusal,
            Category::M1 => Group::Missing,
            Category::M2 => Group::Vulnerable,
            Category::D1 => Group::DocumentLost,
            Category::D2 => Group::DocumentStolen,
            Category::D3 => Group::DocumentRevoked,
        }
    }
}

impl Group {
    /// Says whether the notice is about a document and not about a person.
    pub const fn is_document(self) -> bool {
        matches!(self, Group::DocumentLost | Group::DocumentStolen | Group::DocumentRevoked)
    }

    /// Says whether a notice of this group can permit `action`.
    pub const fn permits(self, action: Action) -> bool {
        match self {
            Group::Wanted => matches!(action, Action::VerifyAndReport),
            Group::ExitSuspension => matches!(action, Action::DenyExit),
            Group::EntryRefusal => matches!(action, Action::DenyEntry),
            Group::Missing | Group::Vulnerable => {
                matches!(action, Action::VerifyAndReport | Action::Assist | Action::Protect)
            }
            Group::DocumentLost | Group::DocumentStolen | Group::DocumentRevoked => {
                matches!(action, Action::VerifyAndReport | Action::HoldDocument)
            }
        }
    }
}

numbered! {
    /// What a notice permits the officer to do. None of them is an arrest.
    pub enum Action, "action" {
        /// Verify identity, report to the issuing body.
        VerifyAndReport = 1, "verify-and-report";
        /// Do not let the person leave the country; this is not an arrest order.
        DenyExit = 2, "deny-exit";
        /// Do not let the person enter the country.
        DenyEntry = 3, "deny-entry";
        /// Offer help, ask an adult for his own wish.
        Assist = 4, "assist";
        /// Keep safe and call the issuing body.
        Protect = 5, "protect";
        /// Keep the document against receipt.
        HoldDocument = 6, "hold-document";
    }
}

numbered! {
    /// What an officer must know for safety. The number is the bit in [`Cautions`].
    pub enum Caution, "caution" {
        /// May be armed.
        Armed = 0, "armed";
        /// May be violent.
        Violent = 1, "violent";
        /// May try to escape.
        Escape = 2, "escape";
        /// May harm himself.
        SelfHarm = 3, "self-harm";
    }
}

/// A set of [`Caution`]s.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash, Debug)]
pub struct Cautions(u8);

impl Cautions {
    /// No caution.
    pub const NONE: Cautions = Cautions(0);

    /// Returns the set of these bits, or `None` when a bit stands for no caution.
    pub const fn from_bits(bits: u8) -> Option<Cautions> {
        if bits < 1 << Caution::ALL.len() { Some(Cautions(bits)) } else { None }
    }

    /// Returns one bit for each member, at the caution's number.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Adds a caution.
    pub const fn insert(&mut self, caution: Caution) {
        self.0 |= 1 << caution.number();
    }

    /// Says whether the caution is in the set.
    pub const fn contains(self, caution: Caution) -> bool {
        self.0 & (1 << caution.number()) != 0
    }

    /// Says whether there is nothing to be careful of.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the members in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Caution> {
        Caution::ALL.iter().copied().filter(move |caution| self.contains(*caution))
    }
}

impl FromIterator<Caution> for Cautions {
    fn from_iter<I: IntoIterator<Item = Caution>>(cautions: I) -> Cautions {
        let mut set = Cautions::NONE;
        cautions.into_iter().for_each(|caution| set.insert(caution));
        set
    }
}

numbered! {
    /// The sex as documents give it.
    pub enum Sex, "sex" {
        /// Male (Nam).
        Male = 1, "M";
        /// Female (Nữ).
        Female = 2, "F";
    }
}

numbered! {
    /// What kind of document number a text is; its shape follows from it.
    pub enum NumberKind, "number kind" {
        /// Personal number of CCCD and Căn cước: twelve digits.
        Personal = 1, "cccd";
        /// Number of the old identity card (CMND): nine digits.
        Cmnd = 2, "cmnd";
        /// A personal number that has been cancelled and replaced: twelve digits.
        Cancelled = 3, "cancelled";
        /// Passport number: upper-case letters, then digits, nine characters at most.
        Passport = 4, "passport";
    }
}

impl NumberKind {
    /// Says whether `text` has the shape of this kind.
    pub fn fits(self, text: &str) -> bool {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        match self {
            NumberKind::Personal | NumberKind::Cancelled => text.len() == 12 && digits(text),
            NumberKind::Cmnd => text.len() == 9 && digits(text),
            NumberKind::Passport => {
                let serial = text.trim_start_matches(|letter: char| letter.is_ascii_uppercase());
                text.len() <= 9 && (1..text.len()).contains(&serial.len()) && digits(serial)
            }
        }
    }
}

/// A document number. `Debug` shows its kind alone, and there is no `Display`.
#[derive(Clone, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Number {
    /// What kind of number it is.
    pub kind: NumberKind,
    /// Digits and upper-case letters, without separators.
    pub text: String,
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Number({}, ..)", self.kind)
    }
}

/// One notice: a legal basis, an action, and enough to recognise whom or what it is about.
///
/// `Debug` shows the order number, category and action, and nothing of the person.
#[derive(Clone, PartialEq, Eq)]
pub struct Notice {
    /// Order number of the notice at headquarters, from 1; it outlives corrections.
    pub id: u64,
    /// What kind of notice it is.
    pub category: Category,
    /// Charge articles of the Penal Code 2015 for W1 to W5 (`173;174`), the statutory ground for X1
    /// (`36.1`) and X2 (`21.1`), empty for all others.
    pub code: String,
    /// Number of the decision.
    pub decision: String,
    /// Issuing body.
    pub issuer: String,
    /// Day of the decision.
    pub decided: Date,
    /// Last day on which the notice is in force; it lapses by itself.
    pub valid_to: Date,
    /// What it permits.
    pub action: Action,
    /// Whom to call for the second confirmation; may be empty.
    pub contact: String,
    /// Full name in NFC; may be empty for documents.
    pub name: String,
    /// Other names, in NFC.
    pub aliases: Vec<String>,
    /// Birth date as far as known.
    pub birth: PartialDate,
    /// Sex, `None` when not known.
    pub sex: Option<Sex>,
    /// Document numbers, all that are known.
    pub numbers: Vec<Number>,
    /// What an officer must know for safety.
    pub cautions: Cautions,
    /// Identifying marks, 120 characters at most, shown at the second step only.
    pub marks: String,
    /// Photo, 8 KiB at most, or empty.
    pub photo: Vec<u8>,
}

impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Notice({}, {}, {}, ..)", self.id, self.category, self.action)
    }
}

/// Why a notice may not be in a list. Texts of the notice are not repeated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoticeError {
    /// Order number 0.
    #[error("order number 0")]
    NoOrderNumber,
    /// A part of the legal basis is not given.
    #[error("the legal basis lacks its {field}")]
    MissingBasis {
        /// `code`, `decision` or `issuer`.
        field: &'static str,
    },
    /// A code that is neither a charge article nor a ground of this category.
    #[error("no such ground or charge article for {category}")]
    UnknownGround {
        /// The notice's category.
        category: Category,
    },
    /// Every charge or ground is one that may not be the reason of a notice: national security
    /// (Penal Code chapter XIII), opinion (article 331), health, or security at the border.
    #[error("the ground may not be the reason of a notice")]
    UnlawfulGround,
    /// Lapses before it was decided.
    #[error("lapses on {valid_to}, before it was decided on {decided}")]
    Validity {
        /// Day of the decision.
        decided: Date,
        /// Last day in force.
        valid_to: Date,
    },
    /// The category cannot permit the action.
    #[error("{category} does not permit {action}")]
    Action {
        /// The notice's category.
        category: Category,
        /// The action asked for.
        action: Action,
    },
    /// Nothing by which the person or document could be recognised.
    #[error("nothing to recognise it by: no {field}")]
    NothingToRecognise {
        /// `name` or `number`.
        field: &'static str,
    },
    /// A notice about a document describes a person.
    #[error("a notice about a document has no {field}")]
    DescribesOwner {
        /// `marks`, `photo` or `cautions`.
        field: &'static str,
    },
    /// A text has control or invisible characters, spaces at its ends, is not in NFC, or is empty
    /// where a text must be.
    #[error("{field} is not a clean text")]
    Text {
        /// The field.
        field: &'static str,
    },
    /// A text, list or photo is longer than its limit.
    #[error("{field} is longer than {limit}")]
    TooLong {
        /// The field.
        field: &'static str,
        /// Characters, entries or bytes.
        limit: usize,
    },
    /// A document number has not the shape of its kind.
    #[error("a {kind} number has not the shape of its kind")]
    NumberShape {
        /// The kind it claims.
        kind: NumberKind,
    },
    /// The same document number twice.
    #[error("the same {kind} number twice")]
    NumberTwice {
        /// Its kind.
        kind: NumberKind,
    },
}

impl Notice {
    /// Says whether the notice may be in a list, and otherwise why not.
    ///
    /// # Errors
    ///
    /// The first rule that it breaks, in the order in which [`NoticeError`] lists them.
    pub fn validate(&self) -> Result<(), NoticeError> {
        if self.id == 0 {
            return Err(NoticeError::NoOrderNumber);
        }
        for (field, text) in [("decision", &self.decision), ("issuer", &self.issuer)] {
            if text.is_empty() {
                return Err(NoticeError::MissingBasis { field });
            }
        }
        lawful::check(self.category, &self.code)?;
        if self.valid_to < self.decided {
            return Err(NoticeError::Validity { decided: self.decided, valid_to: self.valid_to });
        }
        if !self.category.group().permits(self.action) {
            return Err(NoticeError::Action { category: self.category, action: self.action });
        }
        self.validate_object()?;
        self.validate_texts()?;
        self.validate_numbers()
    }

    fn validate_object(&self) -> Result<(), NoticeError> {
        if !self.category.group().is_document() {
            return match self.name.is_empty() {
                true => Err(NoticeError::NothingToRecognise { field: "name" }),
                false => Ok(()),
            };
        }
        if self.numbers.is_empty() {
            return Err(NoticeError::NothingToRecognise { field: "number" });
        }
        // Its holder is probably the victim; what describes a person has no purpose here.
        let described = [
            ("cautions", !self.cautions.is_empty()),
            ("marks", !self.marks.is_empty()),
            ("photo", !self.photo.is_empty()),
        ];
        match described.iter().find(|(_, present)| *present) {
            Some((field, _)) => Err(NoticeError::DescribesOwner { field }),
            None => Ok(()),
        }
    }

    fn validate_texts(&self) -> Result<(), NoticeError> {
        clean("code", &self.code, limits::MAX_CODE_CHARS)?;
        clean("decision", &self.decision, limits::MAX_DECISION_CHARS)?;
        clean("issuer", &self.issuer, limits::MAX_ISSUER_CHARS)?;
        clean("contact", &self.contact, limits::MAX_CONTACT_CHARS)?;
        clean("name", &self.name, limits::MAX_NAME_CHARS)?;
        clean("marks", &self.marks, limits::MAX_MARKS_CHARS)?;
        at_most("aliases", self.aliases.len(), limits::MAX_ALIASES)?;
        for alias in &self.aliases {
            if alias.is_empty() {
                return Err(NoticeError::Text { field: "aliases" });
            }
            clean("aliases", alias, limits::MAX_NAME_CHARS)?;
        }
        at_most("photo", self.photo.len(), limits::MAX_PHOTO_BYTES)
    }

    fn validate_numbers(&self) -> Result<(), NoticeError> {
        at_most("numbers", self.numbers.len(), limits::MAX_NUMBERS)?;
        for (at, number) in self.numbers.iter().enumerate() {
            if !number.kind.fits(&number.text) {
                return Err(NoticeError::NumberShape { kind: number.kind });
            }
            if self.numbers[..at].contains(number) {
                return Err(NoticeError::NumberTwice { kind: number.kind });
            }
        }
        Ok(())
    }
}

fn at_most(field: &'static str, length: usize, limit: usize) -> Result<(), NoticeError> {
    if length > limit { Err(NoticeError::TooLong { field, limit }) } else { Ok(()) }
}

fn clean(field: &'static str, text: &str, limit: usize) -> Result<(), NoticeError> {
    at_most(field, text.chars().count(), limit)?;
    // Zero-width and direction marks make two names look alike that are not, or one look like two.
    let invisible = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    if text.chars().any(invisible) || text.trim() != text || !is_nfc(text) {
        return Err(NoticeError::Text { field });
    }
    Ok(())
}

/// The closed lists of charges and grounds, and those that may not be the reason of a notice.
///
/// INTERPOL's constitution (article 3) keeps out matters of political, military, religious or racial
/// character; here that is done by the statute's own chapters, so that nobody has to judge a case.
mod lawful {
    use super::{Category, Group, NoticeError};

    /// Says whether `code` may be the reason of a notice of this category.
    pub(super) fn check(category: Category, code: &str) -> Result<(), NoticeError> {
        let unknown = NoticeError::UnknownGround { category };
        match category.group() {
            Group::Wanted | Group::ExitSuspension | Group::EntryRefusal if code.is_empty() => {
                Err(NoticeError::MissingBasis { field: "code" })
            }
            Group::Wanted => {
                // A warrant for theft and for an opinion is a warrant for theft; one for an opinion
                // alone is none.
                let mut lawful = false;
                for article in code.split(';') {
                    lawful |= is_ordinary(charge_article(article).ok_or(unknown)?);
                }
                if lawful { Ok(()) } else { Err(NoticeError::UnlawfulGround) }
            }
            // Law 49/2019, article 36: clause 8 is health, clause 9 national defence and security.
            Group::ExitSuspension => clause(code, "36.", &[8, 9]).ok_or(unknown)?,
            // Law 47/2014, article 21: clause 4 is health, clause 9 national defence and security.
            Group::EntryRefusal => clause(code, "21.", &[4, 9]).ok_or(unknown)?,
            // No list of reasons exists for these, and a code outside a list would be a free tag.
            _ if code.is_empty() => Ok(()),
            _ => Err(unknown),
        }
    }

    /// Returns the number of an article of the Penal Code 2015 that is a charge: 108 to 425, the
    /// special part, without 292 (repealed by Law 12/2017) and with 217a (Law 12/2017) and 256a (Law
    /// 86/2025).
    fn charge_article(text: &str) -> Option<u16> {
        let (digits, inserted) = match text.strip_suffix('a') {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        let well_formed = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let article = digits.parse().ok().filter(|_| well_formed)?;
        let exists = match inserted {
            true => matches!(article, 217 | 256),
            false => matches!(article, 108..=291 | 293..=425),
        };
        exists.then_some(article)
    }

    /// Says whether a charge is outside chapter XIII (national security, articles 108 to 122) and
    /// not article 331 (opinion).
    fn is_ordinary(article: u16) -> bool {
        !(108..=122).contains(&article) && article != 331
    }

    /// Judges a ground by its clause, 1 to 9; `None` when it is no clause of the article.
    fn clause(code: &str, article: &str, refused: &[u8]) -> Option<Result<(), NoticeError>> {
        match code.strip_prefix(article)?.as_bytes() {
            [digit @ b'1'..=b'9'] if refused.contains(&(digit - b'0')) => {
                Some(Err(NoticeError::UnlawfulGround))
            }
            [b'1'..=b'9'] => Some(Ok(())),
            _ => None,
        }
    }
}

/// A chunk of notices, column by column. Lists inside a row have a column of counts.
#[derive(Encode, Decode, Default)]
struct NoticeColumns {
    ids: Vec<u64>,
    categories: Vec<Category>,
    codes: TextColumn,
    decisions: TextColumn,
    issuers: TextColumn,
    decided: Vec<Date>,
    valid_to: Vec<Date>,
    actions: Vec<Action>,
    contacts: TextColumn,
    names: TextColumn,
    alias_counts: Vec<u8>,
    aliases: TextColumn,
    births: Vec<PartialDate>,
    sexes: Vec<Option<Sex>>,
    number_counts: Vec<u8>,
    number_kinds: Vec<NumberKind>,
    numbers: TextColumn,
    cautions: Vec<Cautions>,
    marks: TextColumn,
    photo_lengths: Vec<u32>,
    photos: Vec<u8>,
}

/// Returns the rows as one chunk, not yet compressed.
///
/// # Errors
///
/// Rows out of order, a notice against the rules, or more than fits; [`split`] cuts a list so that
/// each part fits.
pub fn encode_notices(notices: &[Notice]) -> Result<Vec<u8>, ChunkError> {
    check_row_count(notices.len())?;
    let mut columns = NoticeColumns {
        ids: differences(notices.iter().map(|notice| notice.id))?,
        ..NoticeColumns::default()
    };
    for notice in notices {
        notice.validate().map_err(|error| ChunkError::Notice { id: notice.id, error })?;
        columns.push(notice);
    }
    Ok(codec::encode(Kind::NoticeChunk, &columns)?)
}

/// Returns the notices of a decompressed chunk, in ascending order and each of them valid.
///
/// # Errors
///
/// The first thing that is wrong with it.
pub fn decode_notices(raw: &[u8]) -> Result<Vec<Notice>, ChunkError> {
    codec::decode::<NoticeColumns>(Kind::NoticeChunk, raw)?.rows()
}

/// Cuts a list into parts that each fit into one chunk.
pub fn split(notices: &[Notice]) -> Vec<&[Notice]> {
    // Twice the bytes of texts and photo stay below the limit even if lengths took as much again.
    const BYTES: usize = limits::MAX_CHUNK_RAW_BYTES / 2;
    let mut parts = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, notice) in notices.iter().enumerate() {
        let size = size_estimate(notice);
        if at > start && (bytes + size > BYTES || at - start == limits::MAX_NOTICES) {
            parts.push(&notices[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += size;
    }
    if start < notices.len() {
        parts.push(&notices[start..]);
    }
    parts
}

/// Returns the bytes of a row, rounded up: variable parts, and 5 bytes for each length and date.
fn size_estimate(notice: &Notice) -> usize {
    let texts = [
        &notice.code,
        &notice.decision,
        &notice.issuer,
        &notice.contact,
        &notice.name,
        &notice.marks,
    ];
    let lists = notice.aliases.iter().chain(notice.numbers.iter().map(|number| &number.text));
    100 + texts.into_iter().chain(lists).map(|text| text.len() + 6).sum::<usize>()
        + notice.photo.len()
}

fn check_row_count(rows: usize) -> Result<(), ChunkError> {
    let limit = limits::MAX_NOTICES;
    if (1..=limit).contains(&rows) { Ok(()) } else { Err(ChunkError::RowCount { rows, limit }) }
}

impl NoticeColumns {
    /// Adds a row; its key is already there. The notice is valid, so its counts fit into a byte.
    fn push(&mut self, notice: &Notice) {
        self.categories.push(notice.category);
        self.codes.push(&notice.code);
        self.decisions.push(&notice.decision);
        self.issuers.push(&notice.issuer);
        self.decided.push(notice.decided);
        self.valid_to.push(notice.valid_to);
        self.actions.push(notice.action);
        self.contacts.push(&notice.contact);
        self.names.push(&notice.name);
        self.alias_counts.push(notice.aliases.len() as u8);
        notice.aliases.iter().for_each(|alias| self.aliases.push(alias));
        self.births.push(notice.birth);
        self.sexes.push(notice.sex);
        self.number_counts.push(notice.numbers.len() as u8);
        for number in &notice.numbers {
            self.number_kinds.push(number.kind);
            self.numbers.push(&number.text);
        }
        self.cautions.push(notice.cautions);
        self.marks.push(&notice.marks);
        self.photo_lengths.push(notice.photo.len() as u32);
        self.photos.extend_from_slice(&notice.photo);
    }

    fn rows(self) -> Result<Vec<Notice>, ChunkError> {
        let rows = self.ids.len();
        check_row_count(rows)?;
        self.check_lengths(rows)?;
        let total = |counts: &[u8]| counts.iter().map(|count| usize::from(*count)).sum();
        let mut codes = self.codes.reader("codes", rows)?;
        let mut decisions = self.decisions.reader("decisions", rows)?;
        let mut issuers = self.issuers.reader("issuers", rows)?;
        let mut contacts = self.contacts.reader("contacts", rows)?;
        let mut names = self.names.reader("names", rows)?;
        let mut aliases = self.aliases.reader("aliases", total(&self.alias_counts))?;
        let mut numbers = self.numbers.reader("numbers", total(&self.number_counts))?;
        let mut number_kinds = self.number_kinds.iter();
        let mut marks = self.marks.reader("marks", rows)?;
        let mut photos = self.photos.as_slice();
        let mut id = 0;
        let mut notices = Vec::with_capacity(rows);
        for row in 0..rows {
            id = next_key(id, self.ids[row], row)?;
            let photo_length = self.photo_lengths[row] as usize;
            let (photo, rest) = photos
                .split_at_checked(photo_length)
                .ok_or(ChunkError::ColumnLength { column: "photos" })?;
            photos = rest;
            let notice = Notice {
                id,
                category: self.categories[row],
                code: codes.next()?,
                decision: decisions.next()?,
                issuer: issuers.next()?,
                decided: self.decided[row],
                valid_to: self.valid_to[row],
                action: self.actions[row],
                contact: contacts.next()?,
                name: names.next()?,
                aliases: (0..self.alias_counts[row])
                    .map(|_| aliases.next())
                    .collect::<Result<_, _>>()?,
                birth: self.births[row],
                sex: self.sexes[row],
                numbers: (0..self.number_counts[row])
                    .zip(&mut number_kinds)
                    .map(|(_, kind)| Ok(Number { kind: *kind, text: numbers.next()? }))
                    .collect::<Result<_, ChunkError>>()?,
                cautions: self.cautions[row],
                marks: marks.next()?,
                photo: photo.to_vec(),
            };
            notice.validate().map_err(|error| ChunkError::Notice { id, error })?;
            notices.push(notice);
        }
        Ok(notices)
    }

    /// Checks the columns that are not texts; [`TextColumn::reader`] checks those that are.
    fn check_lengths(&self, rows: usize) -> Result<(), ChunkError> {
        let photos: u64 = self.photo_lengths.iter().map(|length| u64::from(*length)).sum();
        let fits = [
            ("categories", self.categories.len() == rows),
            ("decided", self.decided.len() == rows),
            ("valid_to", self.valid_to.len() == rows),
            ("actions", self.actions.len() == rows),
            ("alias_counts", self.alias_counts.len() == rows),
            ("births", self.births.len() == rows),
            ("sexes", self.sexes.len() == rows),
            ("number_counts", self.number_counts.len() == rows),
            (
                "number_kinds",
                self.number_kinds.len()
                    == self.number_counts.iter().map(|count| usize::from(*count)).sum::<usize>(),
            ),
            ("cautions", self.cautions.len() == rows),
            ("photo_lengths", self.photo_lengths.len() == rows),
            ("photos", photos == self.photos.len() as u64),
        ];
        match fits.iter().find(|(_, fits)| !fits) {
            Some((column, _)) => Err(ChunkError::ColumnLength { column }),
            None => Ok(()),
        }
    }
}

impl Encode for Cautions {
    fn encode<E: bincode::enc::Encoder>(
        &self,
        encoder: &mut E,
    ) -> Result<(), bincode::error::EncodeError> {
        self.0.encode(encoder)
    }
}

impl<Context> Decode<Context> for Cautions {
    fn decode<D: Decoder<Context = Context>>(
        decoder: &mut D,
    ) -> Result<Self, bincode::error::DecodeError> {
        Cautions::from_bits(u8::decode(decoder)?)
            .ok_or(bincode::error::DecodeError::Other("cautions"))
    }
}

bincode::impl_borrow_decode!(Cautions);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    /// A notice of this category that is in order.
    fn a_notice(category: Category) -> Notice {
        let (code, action) = match category.group() {
            Group::Wanted => ("173", Action::VerifyAndReport),
            Group::ExitSuspension => ("36.1", Action::DenyExit),
            Group::EntryRefusal => ("21.1", Action::DenyEntry),
            Group::Missing => ("", Action::Assist),
            Group::Vulnerable => ("", Action::Protect),
            _ => ("", Action::HoldDocument),
        };
        Notice {
            id: 17,
            category,
            code: code.into(),
            decision: "12/QĐ-CSĐT".into(),
            issuer: "Cơ quan CSĐT UTO".into(),
            decided: day("2025-01-10"),
            valid_to: day("2027-01-09"),
            action,
            contact: "0900 000 001".into(),
            name: "Trần Thị Mẫu".into(),
            aliases: vec![],
            birth: day("1988-03-02").into(),
            sex: Some(Sex::Female),
            numbers: vec![number(NumberKind::Personal, "048188999901")],
            cautions: Cautions::NONE,
            marks: String::new(),
            photo: vec![],
        }
    }

    fn number(kind: NumberKind, text: &str) -> Number {
        Number { kind, text: text.into() }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Notice), expected: Result<(), NoticeError>) {
        check_in(Category::W1, change, expected);
    }

    #[track_caller]
    fn check_in(
        category: Category,
        change: impl FnOnce(&mut Notice),
        expected: Result<(), NoticeError>,
    ) {
        let mut notice = a_notice(category);
        change(&mut notice);
        assert_eq!(notice.validate(), expected);
    }

    #[test]
    fn a_notice_of_every_category_can_be_in_order() {
        for category in Category::ALL {
            assert_eq!(a_notice(*category).validate(), Ok(()), "{category}");
        }
    }

    #[test]
    fn charges_and_grounds_are_closed_lists() {
        use Category::{D1, M1, M2, W1, X1, X2};
        let codes = |category, codes: &[&str], expected: Result<(), NoticeError>| {
            for code in codes {
                let mut notice = a_notice(category);
                notice.code = (*code).into();
                assert_eq!(notice.validate(), expected, "{category} {code:?}");
            }
        };
        let unknown = |category| Err(NoticeError::UnknownGround { category });
        let missing = Err(NoticeError::MissingBasis { field: "code" });

        codes(W1, &["123", "173", "173;174;175", "217a", "256a", "330", "332", "425"], Ok(()));
        codes(
            W1,
            &[
                "107", "426", "292", "173a", "1173", "73", "0173", "+73", "173;", ";173",
                "173,174", "173; 174", "36.1", "theft", "999", "1７3", "217A", "a",
            ],
            unknown(W1),
        );
        codes(W1, &[""], missing);

        codes(X1, &["36.1", "36.2", "36.3", "36.4", "36.5", "36.6", "36.7"], Ok(()));
        codes(X1, &["36.8", "36.9"], Err(NoticeError::UnlawfulGround));
        codes(X1, &["36", "36.", "36.0", "36.10", "36.1;36.2", "21.1", "173", "36.a"], unknown(X1));
        codes(X1, &[""], missing);

        codes(X2, &["21.1", "21.2", "21.3", "21.5", "21.6", "21.7", "21.8"], Ok(()));
        codes(X2, &["21.4", "21.9"], Err(NoticeError::UnlawfulGround));
        codes(X2, &["21.0", "21.10", "36.1", "121.1"], unknown(X2));
        codes(X2, &[""], missing);

        for category in [M1, M2, D1] {
            codes(category, &["173", "36.1", "interest"], unknown(category));
        }
    }

    #[test]
    fn national_security_and_opinion_alone_are_no_reason() {
        for article in (108..=122).chain([331]) {
            check(|it| it.code = article.to_string(), Err(NoticeError::UnlawfulGround));
            check(|it| it.code = format!("{article};117;331"), Err(NoticeError::UnlawfulGround));
            check(|it| it.code = format!("{article};173"), Ok(()));
            check(|it| it.code = format!("173;{article}"), Ok(()));
        }
    }

    #[test]
    fn every_notice_has_its_basis_and_lapses() {
        let missing = |field| Err(NoticeError::MissingBasis { field });
        check(|it| it.id = 0, Err(NoticeError::NoOrderNumber));
        check(|it| it.decision.clear(), missing("decision"));
        check(|it| it.issuer.clear(), missing("issuer"));
        check(|it| it.contact.clear(), Ok(()));
        check(|it| it.valid_to = it.decided, Ok(()));
        let (decided, valid_to) = (day("2025-01-10"), day("2025-01-09"));
        check(|it| it.valid_to = valid_to, Err(NoticeError::Validity { decided, valid_to }));
    }

    #[test]
    fn a_category_permits_its_actions_alone() {
        let permitted = |category: Category| -> Vec<&str> {
            let actions = Action::ALL.iter().filter(|action| category.group().permits(**action));
            actions.map(|action| action.code()).collect()
        };
        assert_eq!(permitted(Category::W3), ["verify-and-report"]);
        assert_eq!(permitted(Category::X1), ["deny-exit"]);
        assert_eq!(permitted(Category::X2), ["deny-entry"]);
        assert_eq!(permitted(Category::M1), ["verify-and-report", "assist", "protect"]);
        assert_eq!(permitted(Category::M2), ["verify-and-report", "assist", "protect"]);
        assert_eq!(permitted(Category::D2), ["verify-and-report", "hold-document"]);
        let (category, action) = (Category::X1, Action::VerifyAndReport);
        check_in(category, |it| it.action = action, Err(NoticeError::Action { category, action }));
    }

    #[test]
    fn a_document_is_known_by_its_number_and_describes_nobody() {
        let nothing = |field| Err(NoticeError::NothingToRecognise { field });
        let owner = |field| Err(NoticeError::DescribesOwner { field });
        check(|it| it.name.clear(), nothing("name"));
        check(|it| it.numbers.clear(), Ok(()));
        check_in(Category::D1, |it| it.name.clear(), Ok(()));
        check_in(Category::D1, |it| it.numbers.clear(), nothing("number"));
        check_in(Category::D2, |it| it.marks = "sẹo".into(), owner("marks"));
        check_in(Category::D2, |it| it.photo = vec![1], owner("photo"));
        check_in(Category::D3, |it| it.cautions.insert(Caution::Armed), owner("cautions"));
    }

    #[test]
    fn texts_are_clean_and_short() {
        let text = |field| Err(NoticeError::Text { field });
        let long = |field, limit| Err(NoticeError::TooLong { field, limit });
        check(|it| it.marks = "ẹ".repeat(120), Ok(()));
        check(|it| it.marks = "ẹ".repeat(121), long("marks", 120));
        check(|it| it.name = "ễ".repeat(81), long("name", 80));
        check(|it| it.aliases = vec!["Bé".into(); 8], Ok(()));
        check(|it| it.aliases = vec!["Bé".into(); 9], long("aliases", 8));
        check(|it| it.photo = vec![0; 8_192], Ok(()));
        check(|it| it.photo = vec![0; 8_193], long("photo", 8_192));
        check(|it| it.decision = "1".repeat(81), long("decision", 80));
        check(|it| it.issuer = "1".repeat(121), long("issuer", 120));
        check(|it| it.contact = "1".repeat(121), long("contact", 120));
        check(|it| it.code = ["173"; 21].join(";"), long("code", 80));
        check(|it| it.name = "Tra\u{302}\u{300}n".into(), text("name"));
        check(|it| it.name = "Trần\u{200b}".into(), text("name"));
        check(|it| it.name = "\u{202e}nầrT".into(), text("name"));
        check(|it| it.name = " Trần".into(), text("name"));
        check(|it| it.marks = "a\nb".into(), text("marks"));
        check(|it| it.aliases = vec![String::new()], text("aliases"));
    }

    #[test]
    fn numbers_have_the_shape_of_their_kind() {
        use NumberKind::{Cancelled, Cmnd, Passport, Personal};
        for (kind, text, fits) in [
            (Personal, "048188999901", true),
            (Personal, "04818899990", false),
            (Personal, "04818899990A", false),
            (Personal, "048188 99990", false),
            (Cancelled, "048188999901", true),
            (Cancelled, "201999901", false),
            (Cmnd, "201999901", true),
            (Cmnd, "2019999012", false),
            (Cmnd, "２０１", false),
            (Passport, "B1234567", true),
            (Passport, "PB1234567", true),
            (Passport, "PB12345678", false),
            (Passport, "b1234567", false),
            (Passport, "12345678", false),
            (Passport, "PASSPORT", false),
            (Passport, "B12C4567", false),
            (Passport, "", false),
        ] {
            let expected = if fits { Ok(()) } else { Err(NoticeError::NumberShape { kind }) };
            let mut notice = a_notice(Category::W1);
            notice.numbers = vec![number(kind, text)];
            assert_eq!(notice.validate(), expected, "{kind} {text:?}");
        }
        let kind = Cmnd;
        let twice = vec![number(kind, "201999901"); 2];
        check(|it| it.numbers = twice, Err(NoticeError::NumberTwice { kind }));
        let many = (0..17).map(|at| number(kind, &format!("{at:09}"))).collect();
        let too_long = NoticeError::TooLong { field: "numbers", limit: 16 };
        check(|it| it.numbers = many, Err(too_long));
    }

    #[test]
    fn cautions_are_a_closed_set() {
        assert_eq!(Cautions::from_bits(0b1_0000), None);
        let cautions: Cautions = [Caution::SelfHarm, Caution::Armed].into_iter().collect();
        assert_eq!(cautions.bits(), 0b1001);
        assert_eq!(Cautions::from_bits(0b1001), Some(cautions));
        assert!(cautions.contains(Caution::Armed) && !cautions.contains(Caution::Violent));
        assert!(cautions.iter().eq([Caution::Armed, Caution::SelfHarm]));
    }

    #[test]
    fn nothing_of_a_person_is_shown() {
        let shown = format!("{:?} {:?}", a_notice(Category::W1), a_notice(Category::W1).numbers);
        assert_eq!(shown, "Notice(17, W1, verify-and-report, ..) [Number(cccd, ..)]");
    }

    #[test]
    fn a_list_that_cannot_be_is_not_encoded() {
        let with_id = |id| Notice { id, ..a_notice(Category::M1) };
        let limit = limits::MAX_NOTICES;
        assert_eq!(encode_notices(&[]), Err(ChunkError::RowCount { rows: 0, limit }));
        assert_eq!(
            encode_notices(&[with_id(4), with_id(4)]),
            Err(ChunkError::NotAscending { row: 1 })
        );
        let refused = Notice { code: "117".into(), ..a_notice(Category::W1) };
        let error = NoticeError::UnlawfulGround;
        assert_eq!(encode_notices(&[refused]), Err(ChunkError::Notice { id: 17, error }));
    }

    #[test]
    fn a_list_is_cut_into_parts_that_fit() {
        let with_photo = Notice { photo: vec![0x5a; 8_192], ..a_notice(Category::W1) };
        let light: Vec<Notice> =
            (1..=30_000).map(|id| Notice { id, ..a_notice(Category::D1) }).collect();
        let heavy: Vec<Notice> =
            (1..=1_200).map(|id| Notice { id, ..with_photo.clone() }).collect();
        assert_eq!(split(&[]).len(), 0);
        for list in [light, heavy] {
            let parts = split(&list);
            assert!(parts.len() > 1);
            assert_eq!(parts.concat(), list);
            parts.iter().for_each(|part| assert!(encode_notices(part).is_ok()));
        }
    }

    #[test]
    fn a_full_chunk_of_the_longest_notices_is_refused_before_it_is_made() {
        let heavy = Notice { photo: vec![1; 8_192], ..a_notice(Category::W1) };
        let list: Vec<Notice> = (1..=1_100).map(|id| Notice { id, ..heavy.clone() }).collect();
        assert!(matches!(encode_notices(&list), Err(ChunkError::Encode(_))));
    }

    fn clean_text(max: usize) -> impl Strategy<Value = String> {
        use unicode_normalization::UnicodeNormalization;
        prop::collection::vec(
            prop::sample::select("AbcĐđễỆớ 12/;".chars().collect::<Vec<_>>()),
            1..=max,
        )
        .prop_map(|text| text.into_iter().nfc().collect::<String>().trim().to_owned())
        .prop_filter("a text", |text| !text.is_empty())
    }

    prop_compose! {
        fn any_number()(kind in prop::sample::select(NumberKind::ALL), serial in 0u64..1_000_000) -> Number {
            match kind {
                NumberKind::Personal | NumberKind::Cancelled => number(kind, &format!("{serial:012}")),
                NumberKind::Cmnd => number(kind, &format!("{serial:09}")),
                NumberKind::Passport => number(kind, &format!("B{serial:07}")),
            }
        }
    }

    prop_compose! {
        fn any_notice()(
            category in prop::sample::select(Category::ALL),
            decision in clean_text(20),
            name in clean_text(30),
            aliases in prop::collection::vec(clean_text(10), 0..4),
            days in 0i32..40_000,
            numbers in prop::collection::btree_map(0u8..4, any_number(), 1..4),
            sex in prop::option::of(prop::sample::select(Sex::ALL)),
            bits in 0u8..16,
            marks in prop::option::of(clean_text(60)),
            photo in prop::collection::vec(any::<u8>(), 0..40),
        ) -> Notice {
            let mut notice = Notice {
                decision,
                name,
                aliases,
                birth: Date::from_days(days).into(),
                sex,
                numbers: numbers.into_values().collect(),
                ..a_notice(category)
            };
            notice.numbers.dedup();
            if !category.group().is_document() {
                notice.cautions = Cautions::from_bits(bits).unwrap();
                notice.marks = marks.unwrap_or_default();
                notice.photo = photo;
            }
            notice
        }
    }

    proptest! {
        #[test]
        fn notices_come_back(mut notices in prop::collection::vec(any_notice(), 1..20), first: u32) {
            for (id, notice) in (u64::from(first) + 1..).zip(&mut notices) {
                notice.id = id;
            }
            prop_assume!(notices.iter().all(|notice| notice.validate().is_ok()));
            let raw = encode_notices(&notices).unwrap();
            prop_assert_eq!(decode_notices(&raw).unwrap(), notices);
        }

        #[test]
        fn random_bytes_are_refused_and_nothing_worse(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let chunk = [&[codec::VERSION, Kind::NoticeChunk.number()][..], &bytes].concat();
            prop_assert!(decode_notices(&chunk).is_err());
            prop_assert!(decode_notices(&bytes).is_err());
        }
    }
}
