//! Decides what is kept of an encounter: as little as the law asks for.
//!
//! A check on which nothing is on file leaves its hour, unit, channel, reason and the snapshot's
//! version; a match or referral by a notice names the notice. The *person* enters a record only with
//! the outcome "confirmed" (DESIGN 2.4). The rule stands in the types here: no function but
//! [`outcome`] takes a document, and it drops the person for every other choice.
//!
//! What this does not do: seal, sign or store (`queue` does).

use sync_format::limits::MAX_NOTICES_IN_RECORD;
use sync_format::v1::notice::Number;
use sync_format::v1::record::{
    Body, Channel, CheckReason, CheckVerdict, Outcome, OutcomeWhy, Person,
};

use crate::checks::Verdict;
use crate::document::{Document, Source};
use crate::verdict::Answer;

/// What is known of the circumstances of a check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Circumstances {
    /// Number of the officer's unit.
    pub unit: u32,
    /// How the document was read.
    pub channel: Channel,
    /// Why the person was checked.
    pub reason: CheckReason,
}

/// Returns how a document was read, as records name it.
pub fn channel_of(document: &Document) -> Channel {
    match document.source {
        Source::Qr | Source::Derived => Channel::Qr,
        Source::Mrz => Channel::Mrz,
        Source::Chip => Channel::Chip,
        Source::Typed => Channel::Typed,
    }
}

/// Returns the record of a check.
///
/// Findings that rest on no notice leave nothing but the verdict: what a card says against itself or
/// against the register is the person's, not headquarters'.
pub fn check(answer: &Answer, circumstances: Circumstances) -> Body {
    let Circumstances { unit, channel, reason } = circumstances;
    let verdict = record_verdict(answer.verdict);
    let mut notices: Vec<u64> = answer
        .findings
        .iter()
        .filter(|finding| finding.verdict >= Verdict::Refer)
        .filter_map(|finding| finding.basis.as_ref())
        .map(|basis| basis.notice)
        .collect();
    notices.sort_unstable();
    notices.dedup();
    notices.truncate(MAX_NOTICES_IN_RECORD);
    if notices.is_empty() {
        Body::Cleared { unit, channel, reason, verdict }
    } else {
        Body::Hit { unit, channel, reason, verdict, notices }
    }
}

/// What the officer concluded about a check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conclusion {
    /// Number of the check's record.
    pub check: u64,
    /// The notice concerned; 0 where a referral rests on none.
    pub notice: u64,
    /// What was concluded.
    pub outcome: Outcome,
    /// Why.
    pub why: OutcomeWhy,
}

/// Returns the record of an outcome; the person stands in it only where confirmed.
pub fn outcome(conclusion: Conclusion, document: &Document) -> Body {
    let Conclusion { check, notice, outcome, why } = conclusion;
    let person = (outcome == Outcome::Confirmed).then(|| person_of(document));
    Body::Outcome { check, notice, outcome, why, person }
}

fn person_of(document: &Document) -> Person {
    Person {
        name: document.name.as_ref().map(|name| name.value.as_str().to_owned()).unwrap_or_default(),
        birth: document
            .birth
            .as_ref()
            .map_or(crate::document::PartialDate::UNKNOWN, |birth| birth.value),
        number: document.numbers.first().map(|number| Number {
            kind: number.value.kind(),
            text: number.value.as_str().to_owned(),
        }),
    }
}

fn record_verdict(verdict: Verdict) -> CheckVerdict {
    match verdict {
        Verdict::Clear => CheckVerdict::Clear,
        Verdict::NotListed => CheckVerdict::NotListed,
        Verdict::NotChecked => CheckVerdict::NotChecked,
        Verdict::Refer => CheckVerdict::Refer,
        Verdict::Match => CheckVerdict::Match,
    }
}
