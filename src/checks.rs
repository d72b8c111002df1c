//! Judges one person's document by everything that is known about it.
//!
//! [`Facts`] come in from the reader, the look-up and the clock; [`run`] asks each check in order and
//! returns its [`Finding`]s; [`crate::verdict`] takes the strictest. Everything here is a value:
//! no check reads a file, a database or a clock, none can fail, and none sees another's findings, so
//! that a new check can only ever make an answer stricter.
//!
//! A finding never says who somebody is. It says what agrees or disagrees, where that is from, by
//! which legal basis, and what the officer does next.

mod chip;
mod contradiction;
mod expiry;
mod list;
mod lookup_key;
mod notices;
mod policy;
mod register;
mod reported_document;
#[cfg(test)]
pub(crate) mod testing;
mod time;

use std::cmp::Reverse;
use std::fmt;

use sync_format::v1::notice::{Action, Category, Cautions, Notice, NumberKind};
use sync_format::v1::package::SnapshotVersion;
use sync_format::v1::register::{Agreement, Status};

use crate::clock::{DeviceTime, TrustedTime};
use crate::document::chip::Detail;
use crate::document::{Date, Document, Source};
use crate::matching::Agreements;

/// The checks, in the order in which their findings of one strictness are shown: the first one's
/// question is the one that the officer asks.
const CHECKS: [fn(&Facts<'_>) -> Vec<Finding>; 10] = [
    notices::check,
    reported_document::check,
    chip::check,
    contradiction::check,
    register::check,
    expiry::check,
    list::check,
    time::check,
    lookup_key::check,
    policy::check,
];

/// Returns what every check finds, the strictest first, in an order that depends on nothing but the
/// facts: the order in which the look-up found its candidates leaves no trace.
pub fn run(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = CHECKS.iter().flat_map(|check| check(facts)).collect();
    // Stable: within one strictness the order of `CHECKS` stays.
    findings.sort_by_key(|finding| Reverse(finding.verdict));
    findings
}

/// Everything that a verdict rests on.
pub struct Facts<'a> {
    /// What was read.
    pub document: &'a Document,
    /// What the chip proved of it; see [`Facts::proven`] for what counts.
    pub proof: DocumentProof,
    /// What speaks against the chip in particular; often nothing.
    pub doubts: &'a [ChipDoubt],
    /// What the notices hold for it.
    pub notices: NoticeAnswer,
    /// What the register says to it.
    pub register: RegisterAnswer,
    /// The installed list of notices.
    pub list: ListState,
    /// The bounds of the present time.
    pub time: TrustedTime,
}

impl Facts<'_> {
    /// Returns the latest day that it can be today, in Vietnam.
    pub fn today(&self) -> Date {
        Date::from_days(self.time.upper.vietnam_day())
    }

    /// Returns the earliest day that it can be today: what lapsed before it has lapsed for certain.
    pub fn today_at_least(&self) -> Date {
        Date::from_days(self.time.lower.vietnam_day())
    }

    /// Returns what is proven of the document.
    ///
    /// A proof vouches for what the chip holds. Where the name or the personal number is from
    /// somewhere else, it vouches for nothing that was looked up, so that no mistake upstream can
    /// turn a QR code green. A refutation always counts.
    pub fn proven(&self) -> DocumentProof {
        if self.proof == DocumentProof::Refuted || is_read_from_chip(self.document) {
            self.proof
        } else {
            DocumentProof::NotProven
        }
    }
}

/// Whether the name and all personal numbers are the chip's own.
fn is_read_from_chip(document: &Document) -> bool {
    let name = document.name.as_ref().is_some_and(|name| name.source == Source::Chip);
    let some_number = document.numbers.iter().any(|number| number.source == Source::Chip);
    let no_other = document
        .numbers
        .iter()
        .filter(|number| number.value.kind() == NumberKind::Personal)
        .all(|number| number.source == Source::Chip);
    document.source == Source::Chip && name && some_number && no_other
}

/// What is proven of a document, from the least to the most, and the refutation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DocumentProof {
    /// Nothing: a QR code, a machine-readable zone or typed digits, which anybody can make.
    NotProven,
    /// The chip's signatures fit each other, but lead to no trust anchor.
    Consistent,
    /// The data is signed by a trusted issuer; the chip may be a copy.
    CopyNotExcluded,
    /// The data is signed by a trusted issuer, and the chip has shown that it is not a copy.
    Genuine,
    /// A signature or a hash is wrong, or the chip disagrees with the card.
    Refuted,
}

impl DocumentProof {
    /// Returns the name used by the command line and the tests.
    pub fn code(self) -> &'static str {
        match self {
            DocumentProof::NotProven => "not-proven",
            DocumentProof::Consistent => "consistent",
            DocumentProof::CopyNotExcluded => "copy-not-excluded",
            DocumentProof::Genuine => "genuine",
            DocumentProof::Refuted => "refuted",
        }
    }
}

/// What speaks against a chip, or against the card around it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChipDoubt {
    /// Its data are not those that a state signed.
    Data,
    /// It does not hold the secret that a genuine one has: it is a copy.
    Copy,
    /// It states this detail otherwise than the card around it, or otherwise in another place.
    Differs(Detail),
}

/// What the notices hold for a document.
pub enum NoticeAnswer {
    /// No list of notices is installed.
    NotLoaded,
    /// The notices that share a number, or the name and birth date, with the document; often none.
    Candidates(Vec<Notice>),
    /// Some of them: there are more than are given for one person.
    TooMany(Vec<Notice>),
}

impl NoticeAnswer {
    /// Returns the candidates, none where nothing is loaded.
    pub fn candidates(&self) -> &[Notice] {
        match self {
            NoticeAnswer::NotLoaded => &[],
            NoticeAnswer::Candidates(notices) | NoticeAnswer::TooMany(notices) => notices,
        }
    }
}

/// Says how many candidates there are, and nothing of them.
impl fmt::Debug for NoticeAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoticeAnswer::NotLoaded => f.write_str("NotLoaded"),
            NoticeAnswer::Candidates(notices) => write!(f, "Candidates({})", notices.len()),
            NoticeAnswer::TooMany(notices) => write!(f, "TooMany({})", notices.len()),
        }
    }
}

/// What the register says to a personal number and the fields beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegisterAnswer {
    /// No register is installed.
    NotLoaded,
    /// The installed register does not cover the region of this number.
    OutOfRegion,
    /// The document has no personal number.
    NotAsked,
    /// The register was not asked, or did not answer, for a reason that is not the document's.
    NoAnswer(NoAnswer),
    /// The register covers the region and does not know the number.
    Unknown,
    /// The register knows the number. What a side does not know, or a name cut off by the
    /// machine-readable zone, is [`Agreement::NotKnown`].
    Row {
        /// The folded name.
        name: Agreement,
        /// The birth date.
        birth: Agreement,
        /// The date of issue.
        issued: Agreement,
        /// What has become of the number's document or holder.
        status: Status,
    },
}

/// Why the register gave no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoAnswer {
    /// No look-up is left in this hour.
    LimitReached,
    /// Its database, or the counting of look-ups, failed.
    Fault,
}

/// The installed list of notices, as an answer must show it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListState {
    /// No list is installed.
    None,
    /// A verified list is installed.
    Loaded {
        /// Which one.
        version: SnapshotVersion,
        /// When headquarters made it.
        created: DeviceTime,
        /// Its age by the upper bound of the time, in hours.
        age_hours: u32,
        /// Up to this age, in hours, it is fresh (signed policy).
        fresh_hours: u32,
        /// Beyond this age, in hours, it answers "nothing on file" no more (signed policy).
        usable_hours: u32,
        /// Whether the signed policy demands the chip for an answer that nothing is on file.
        chip_required: bool,
        /// Whether changes to the list are installed and cannot be read: what it holds may have been
        /// withdrawn since, and what it does not hold may have been added.
        changes_lost: bool,
    },
}

impl ListState {
    /// Whether changes to the list are installed and cannot be read.
    pub fn is_incomplete(&self) -> bool {
        matches!(self, ListState::Loaded { changes_lost: true, .. })
    }

    /// Returns how the list stands to the ages that its policy allows.
    ///
    /// A policy whose fresh age lies beyond its usable age is read by the stricter of the two.
    pub fn condition(&self) -> ListCondition {
        match *self {
            ListState::None => ListCondition::Missing,
            ListState::Loaded { age_hours, fresh_hours, usable_hours, .. } => {
                // Whole hours, rounded down: 72 hours and a minute are beyond 72.
                if age_hours >= usable_hours {
                    ListCondition::TooOld
                } else if age_hours >= fresh_hours {
                    ListCondition::Ageing
                } else {
                    ListCondition::Fresh
                }
            }
        }
    }
}

/// How old a list is, by its signed policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListCondition {
    /// Young enough for every answer.
    Fresh,
    /// Still answers, and should be renewed.
    Ageing,
    /// Too old to say that nothing is on file. What it does hold still counts.
    TooOld,
    /// There is none.
    Missing,
}

impl ListCondition {
    /// Returns the name used by the command line and the tests.
    pub fn code(self) -> &'static str {
        match self {
            ListCondition::Fresh => "fresh",
            ListCondition::Ageing => "ageing",
            ListCondition::TooOld => "too-old",
            ListCondition::Missing => "missing",
        }
    }
}

/// The five answers, ordered by strictness.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Verdict {
    /// Nothing on file, and the document is genuine and no copy.
    Clear,
    /// Nothing on file for a document of which nothing is proven.
    NotListed,
    /// No answer can be given.
    NotChecked,
    /// It cannot be ruled out, or something disagrees: one question more.
    Refer,
    /// A notice agrees: compare and confirm. Never a statement about the person.
    Match,
}

impl Verdict {
    /// All verdicts, the mildest first.
    pub const ALL: [Verdict; 5] =
        [Verdict::Clear, Verdict::NotListed, Verdict::NotChecked, Verdict::Refer, Verdict::Match];

    /// Returns the name used by the command line and the tests.
    pub fn code(self) -> &'static str {
        match self {
            Verdict::Clear => "clear",
            Verdict::NotListed => "not-listed",
            Verdict::NotChecked => "not-checked",
            Verdict::Refer => "refer",
            Verdict::Match => "match",
        }
    }
}

/// One thing that a check found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What was found.
    pub kind: FindingKind,
    /// The mildest verdict that it allows; always [`FindingKind::verdict`].
    pub verdict: Verdict,
    /// Where it is from; always [`FindingKind::origin`].
    pub origin: Origin,
    /// The legal basis; with every finding from a notice, with no other.
    pub basis: Option<Basis>,
    /// What agrees and what differs; with every finding from a notice, with no other.
    pub agreements: Option<Agreements>,
    /// What the officer does next.
    pub todo: Todo,
}

impl Finding {
    /// Returns a finding that rests on no notice.
    fn new(kind: FindingKind, todo: Todo) -> Finding {
        Finding {
            kind,
            verdict: kind.verdict(),
            origin: kind.origin(),
            basis: None,
            agreements: None,
            todo,
        }
    }

    /// Returns a finding that rests on `notice`.
    fn under(notice: &Notice, agreements: Agreements, kind: FindingKind, todo: Todo) -> Finding {
        Finding {
            basis: Some(Basis::of(notice)),
            agreements: Some(agreements),
            ..Finding::new(kind, todo)
        }
    }
}

/// The legal basis of a finding: what must be named before anybody acts on it.
#[derive(Clone, PartialEq, Eq)]
pub struct Basis {
    /// The notice's order number.
    pub notice: u64,
    /// Its category.
    pub category: Category,
    /// Charge articles or statutory ground; empty for missing persons and documents.
    pub code: String,
    /// The number of the decision.
    pub decision: String,
    /// The body that issued it.
    pub issuer: String,
    /// The day of the decision.
    pub decided: Date,
    /// The last day on which it holds.
    pub valid_to: Date,
    /// What it permits: nothing beyond.
    pub action: Action,
    /// Whom to call about the case.
    pub contact: String,
    /// What the officer must be careful of; never a reason for a verdict.
    pub cautions: Cautions,
}

impl Basis {
    fn of(notice: &Notice) -> Basis {
        Basis {
            notice: notice.id,
            category: notice.category,
            code: notice.code.clone(),
            decision: notice.decision.clone(),
            issuer: notice.issuer.clone(),
            decided: notice.decided,
            valid_to: notice.valid_to,
            action: notice.action,
            contact: notice.contact.clone(),
            cautions: notice.cautions,
        }
    }
}

/// Names the notice by its order number alone: a decision leads to a person.
impl fmt::Debug for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Basis(notice {})", self.notice)
    }
}

/// Declares a closed enum with a kebab-case code for each variant.
macro_rules! coded {
    (
        $(#[$outer:meta])*
        pub enum $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal,)+ }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// All of them, in the order of their declaration.
            pub const ALL: &[$name] = &[$($name::$variant,)+];

            /// Returns the name used by the command line and the tests.
            pub fn code(self) -> &'static str {
                match self { $($name::$variant => $code,)+ }
            }
        }
    };
}

coded! {
    /// What a check can find: a closed set.
    pub enum FindingKind {
        /// A notice in force shares a number, and another field agrees.
        NoticeNumber = "notice-number",
        /// A notice in force agrees in name, full birth date and sex.
        NoticeNameBirth = "notice-name-birth",
        /// A notice in force may be about this person; what is known does not tell.
        NoticePossible = "notice-possible",
        /// A notice agrees that has lapsed by a clock which nobody vouches for.
        NoticeLapseUnproven = "notice-lapse-unproven",
        /// A notice agrees, and the changes that may have withdrawn it cannot be read.
        NoticeUnconfirmed = "notice-unconfirmed",
        /// This document was reported lost.
        DocumentLost = "document-lost",
        /// This document was reported stolen.
        DocumentStolen = "document-stolen",
        /// This document was revoked.
        DocumentRevoked = "document-revoked",
        /// The chip's proof failed.
        ChipRefuted = "chip-refuted",
        /// The chip is a copy.
        ChipCopy = "chip-copy",
        /// The chip has another number than the card around it.
        ChipNumberDiffers = "chip-number-differs",
        /// The chip has another name.
        ChipNameDiffers = "chip-name-differs",
        /// The chip has another birth date.
        ChipBirthDiffers = "chip-birth-differs",
        /// The chip has another sex.
        ChipSexDiffers = "chip-sex-differs",
        /// The chip has another day of issue.
        ChipIssueDiffers = "chip-issue-differs",
        /// The chip has another end of validity.
        ChipExpiryDiffers = "chip-expiry-differs",
        /// The chip has another old number.
        ChipOldNumberDiffers = "chip-old-number-differs",
        /// The personal number says another sex than the document.
        NumberSexContradiction = "number-sex-contradiction",
        /// The personal number says another birth year than the document.
        NumberYearContradiction = "number-year-contradiction",
        /// The card was issued before its holder was born.
        IssueBirthContradiction = "issue-birth-contradiction",
        /// The card says that its holder was born, or that it was issued, after today.
        DateInFuture = "date-in-future",
        /// More notices share the name than are compared for one person.
        TooManyNotices = "too-many-notices",
        /// The register has another name under this number.
        RegisterNameDiffers = "register-name-differs",
        /// The register has another birth date under this number.
        RegisterBirthDiffers = "register-birth-differs",
        /// The register has another date of issue under this number.
        RegisterIssueDiffers = "register-issue-differs",
        /// The register covers the region and does not know the number.
        RegisterUnknownNumber = "register-unknown-number",
        /// The register has a newer document or number in the place of this one.
        RegisterStatusReplaced = "register-status-replaced",
        /// The register has the document as lost.
        RegisterStatusLost = "register-status-lost",
        /// The register has the document as stolen.
        RegisterStatusStolen = "register-status-stolen",
        /// The register has the document as revoked.
        RegisterStatusRevoked = "register-status-revoked",
        /// The register has the holder as deceased.
        RegisterStatusDeceased = "register-status-deceased",
        /// The document's last day of validity has passed.
        DocumentExpired = "document-expired",
        /// No list of notices is installed.
        ListMissing = "list-missing",
        /// The list is older than its signed policy allows for a clear answer.
        ListTooOld = "list-too-old",
        /// The changes to the list cannot be read: they may name whom the list does not.
        ListIncomplete = "list-incomplete",
        /// The device's clock is behind a time that was signed.
        TimeNotTrusted = "time-not-trusted",
        /// No look-up in the register is left in this hour.
        RegisterLimit = "register-limit",
        /// The register could not be read.
        RegisterFault = "register-fault",
        /// The document has neither a number nor a full name with a full birth date to look up by.
        TooLittleKnown = "too-little-known",
        /// The signed policy demands the chip, and it has not proven the document genuine.
        ChipDemanded = "chip-demanded",
    }
}

impl FindingKind {
    /// Returns the mildest verdict that a finding of this kind allows.
    pub fn verdict(self) -> Verdict {
        match self {
            FindingKind::NoticeNumber | FindingKind::NoticeNameBirth => Verdict::Match,
            FindingKind::ListMissing
            | FindingKind::ListTooOld
            | FindingKind::ListIncomplete
            | FindingKind::TimeNotTrusted
            | FindingKind::RegisterLimit
            | FindingKind::RegisterFault
            | FindingKind::TooLittleKnown
            | FindingKind::ChipDemanded => Verdict::NotChecked,
            FindingKind::NoticePossible
            | FindingKind::NoticeLapseUnproven
            | FindingKind::NoticeUnconfirmed
            | FindingKind::DocumentLost
            | FindingKind::DocumentStolen
            | FindingKind::DocumentRevoked
            | FindingKind::ChipRefuted
            | FindingKind::ChipCopy
            | FindingKind::ChipNumberDiffers
            | FindingKind::ChipNameDiffers
            | FindingKind::ChipBirthDiffers
            | FindingKind::ChipSexDiffers
            | FindingKind::ChipIssueDiffers
            | FindingKind::ChipExpiryDiffers
            | FindingKind::ChipOldNumberDiffers
            | FindingKind::NumberSexContradiction
            | FindingKind::NumberYearContradiction
            | FindingKind::IssueBirthContradiction
            | FindingKind::DateInFuture
            | FindingKind::TooManyNotices
            | FindingKind::RegisterNameDiffers
            | FindingKind::RegisterBirthDiffers
            | FindingKind::RegisterIssueDiffers
            | FindingKind::RegisterUnknownNumber
            | FindingKind::RegisterStatusReplaced
            | FindingKind::RegisterStatusLost
            | FindingKind::RegisterStatusStolen
            | FindingKind::RegisterStatusRevoked
            | FindingKind::RegisterStatusDeceased
            | FindingKind::DocumentExpired => Verdict::Refer,
        }
    }

    /// Returns where findings of this kind are from.
    pub fn origin(self) -> Origin {
        match self {
            FindingKind::NoticeNumber
            | FindingKind::NoticeNameBirth
            | FindingKind::NoticePossible
            | FindingKind::NoticeLapseUnproven
            | FindingKind::NoticeUnconfirmed
            | FindingKind::DocumentLost
            | FindingKind::DocumentStolen
            | FindingKind::DocumentRevoked => Origin::Notices,
            FindingKind::ChipRefuted
            | FindingKind::ChipCopy
            | FindingKind::ChipNumberDiffers
            | FindingKind::ChipNameDiffers
            | FindingKind::ChipBirthDiffers
            | FindingKind::ChipSexDiffers
            | FindingKind::ChipIssueDiffers
            | FindingKind::ChipExpiryDiffers
            | FindingKind::ChipOldNumberDiffers => Origin::Chip,
            FindingKind::NumberSexContradiction
            | FindingKind::NumberYearContradiction
            | FindingKind::IssueBirthContradiction
            | FindingKind::DateInFuture
            | FindingKind::DocumentExpired
            | FindingKind::TooLittleKnown => Origin::Document,
            FindingKind::RegisterNameDiffers
            | FindingKind::RegisterBirthDiffers
            | FindingKind::RegisterIssueDiffers
            | FindingKind::RegisterUnknownNumber
            | FindingKind::RegisterStatusReplaced
            | FindingKind::RegisterStatusLost
            | FindingKind::RegisterStatusStolen
            | FindingKind::RegisterStatusRevoked
            | FindingKind::RegisterStatusDeceased
            | FindingKind::RegisterLimit
            | FindingKind::RegisterFault => Origin::Register,
            FindingKind::ListMissing
            | FindingKind::ListTooOld
            | FindingKind::ListIncomplete
            | FindingKind::TooManyNotices => Origin::List,
            FindingKind::TimeNotTrusted => Origin::Clock,
            FindingKind::ChipDemanded => Origin::Policy,
        }
    }
}

coded! {
    /// Where a finding is from.
    pub enum Origin {
        /// The signed list of notices.
        Notices = "notices",
        /// The signed register.
        Register = "register",
        /// The document against itself.
        Document = "document",
        /// The document's chip.
        Chip = "chip",
        /// The state of the list.
        List = "list",
        /// The device's clock.
        Clock = "clock",
        /// The signed policy.
        Policy = "policy",
    }
}

coded! {
    /// What the officer does next: one thing, from a closed set.
    pub enum Todo {
        /// Compare the card's photo with the person; alike, let them go.
        ComparePhoto = "compare-photo",
        /// Open the checklist: photo, marks, second confirmation, outcome.
        CompareAndConfirm = "compare-and-confirm",
        /// Ask for the full name.
        AskName = "ask-name",
        /// Ask for the day, month and year of birth.
        AskBirthDate = "ask-birth-date",
        /// Ask for the personal number.
        AskNumber = "ask-number",
        /// Enter the person's sex, which nothing read so far says.
        EnterSex = "enter-sex",
        /// Ask when the card was issued again.
        AskReissueDate = "ask-reissue-date",
        /// Ask for the newer card.
        AskNewCard = "ask-new-card",
        /// Read the chip.
        ReadChip = "read-chip",
        /// Look at the typed digits again.
        LookAgain = "look-again",
        /// Call the duty officer.
        CallDuty = "call-duty",
        /// Load the current list.
        LoadList = "load-list",
        /// Tell the commander that the clock is wrong.
        TellCommander = "tell-commander",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::testing::{codes, facts, list_aged, now};
    use super::*;
    use crate::matching::testing::{a_citizen, a_citizen_by_chip, reported, wanted};

    #[test]
    fn a_citizen_with_nothing_on_file_has_no_finding() {
        assert_eq!(codes(&facts(&a_citizen())), [""; 0]);
    }

    #[test]
    fn the_strictest_finding_leads_whatever_check_found_it() {
        let mut document = a_citizen();
        document.warnings = vec![crate::document::Warning::SexDiffersFromNumber];
        let facts = Facts {
            notices: NoticeAnswer::Candidates(vec![reported(Category::D1, "2026-09-03"), wanted()]),
            list: list_aged(1_000),
            register: RegisterAnswer::Unknown,
            ..facts(&document)
        };
        assert_eq!(
            codes(&facts),
            [
                "notice-number",
                "document-lost",
                "number-sex-contradiction",
                "register-unknown-number",
                "list-too-old",
            ]
        );
    }

    #[test]
    fn a_match_leads_before_what_is_only_possible() {
        let citizen = a_citizen();
        let possible = Notice { numbers: Vec::new(), sex: None, ..wanted() };
        let missing = Notice { id: 9_000, category: Category::M1, ..wanted() };
        let notices = NoticeAnswer::Candidates(vec![possible, missing]);
        let facts = Facts { notices, ..facts(&citizen) };
        assert_eq!(codes(&facts), ["notice-number", "notice-possible"]);
    }

    #[test]
    fn every_kind_has_a_code_of_its_own() {
        let codes: HashSet<&str> = FindingKind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), FindingKind::ALL.len());
        let codes: HashSet<&str> = Todo::ALL.iter().map(|todo| todo.code()).collect();
        assert_eq!(codes.len(), Todo::ALL.len());
        let codes: HashSet<&str> = Origin::ALL.iter().map(|origin| origin.code()).collect();
        assert_eq!(codes.len(), Origin::ALL.len());
    }

    #[test]
    fn no_finding_can_call_anybody_clear() {
        for kind in FindingKind::ALL {
            assert!(kind.verdict() > Verdict::NotListed, "{}", kind.code());
        }
    }

    #[test]
    fn verdicts_are_ordered_by_strictness() {
        assert!(Verdict::ALL.is_sorted());
        let codes: Vec<&str> = Verdict::ALL.iter().map(|verdict| verdict.code()).collect();
        assert_eq!(codes, ["clear", "not-listed", "not-checked", "refer", "match"]);
    }

    #[test]
    fn a_list_grows_old_by_its_policy() {
        for (age_hours, expected) in [
            (0, ListCondition::Fresh),
            (23, ListCondition::Fresh),
            (24, ListCondition::Ageing),
            (71, ListCondition::Ageing),
            (72, ListCondition::TooOld),
            (u32::MAX, ListCondition::TooOld),
        ] {
            assert_eq!(list_aged(age_hours).condition(), expected, "{age_hours} h");
        }
        assert_eq!(ListState::None.condition(), ListCondition::Missing);
    }

    #[test]
    fn a_policy_that_contradicts_itself_is_read_strictly() {
        let list = ListState::Loaded {
            version: SnapshotVersion { epoch: 1, version: 1 },
            created: now(),
            age_hours: 50,
            fresh_hours: 72,
            usable_hours: 24,
            chip_required: false,
            changes_lost: false,
        };
        assert_eq!(list.condition(), ListCondition::TooOld);
    }

    #[test]
    fn a_proof_counts_only_for_what_the_chip_holds() {
        let by_chip = a_citizen_by_chip();
        let mut name_by_qr = by_chip.clone();
        name_by_qr.name.as_mut().expect("a name").source = Source::Qr;
        let mut number_by_qr = by_chip.clone();
        number_by_qr.numbers[0].source = Source::Qr;
        let mut old_number_by_qr = by_chip.clone();
        old_number_by_qr.numbers[1].source = Source::Qr;
        let merged_into_qr = Document { source: Source::Qr, ..by_chip.clone() };
        let mut nameless = by_chip.clone();
        nameless.name = None;
        let mut numberless = by_chip.clone();
        numberless.numbers.clear();
        for (what, document, expected) in [
            ("chip", &by_chip, DocumentProof::Genuine),
            ("old number by QR", &old_number_by_qr, DocumentProof::Genuine),
            ("QR", &a_citizen(), DocumentProof::NotProven),
            ("merged into a QR code", &merged_into_qr, DocumentProof::NotProven),
            ("name by QR", &name_by_qr, DocumentProof::NotProven),
            ("number by QR", &number_by_qr, DocumentProof::NotProven),
            ("no name", &nameless, DocumentProof::NotProven),
            ("no number", &numberless, DocumentProof::NotProven),
        ] {
            let facts = Facts { proof: DocumentProof::Genuine, ..facts(document) };
            assert_eq!(facts.proven(), expected, "{what}");
        }
        let refuted = Facts { proof: DocumentProof::Refuted, ..facts(&name_by_qr) };
        assert_eq!(refuted.proven(), DocumentProof::Refuted);
    }

    #[test]
    fn debug_shows_nothing_of_a_person() {
        let document = a_citizen();
        let facts = Facts { notices: NoticeAnswer::Candidates(vec![wanted()]), ..facts(&document) };
        assert_eq!(format!("{:?}", facts.notices), "Candidates(1)");
        let shown = format!("{:?}", run(&facts));
        assert!(shown.contains("Basis(notice 1204)"), "{shown}");
        for hidden in ["Mẫu", "MẪU", "048088999901", "1988"] {
            assert!(!shown.contains(hidden), "{hidden} in {shown}");
        }
    }
}
