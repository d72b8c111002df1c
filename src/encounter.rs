//! Decides what is kept of an encounter: as little as the law asks for.
//!
//! A check on which nothing is on file leaves its hour, unit, channel, reason and the snapshot's
//! version; a match or referral by a notice names the notice. The *person* enters a record only with
//! the outcome "confirmed" (README, lawful use, 4). The rule stands in the types here: no function but
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

#[cfg(test)]
mod tests {
    use sync_format::v1::notice::{Category, Notice, NumberKind};

    use super::*;
    use crate::checks::testing::facts;
    use crate::checks::{Facts, NoticeAnswer, RegisterAnswer};
    use crate::document::Name;
    use crate::matching::testing::{HIS_NUMBER, a_citizen, birth, reported, wanted};
    use crate::verdict::decide;

    const HERE: Circumstances =
        Circumstances { unit: 4_107, channel: Channel::Qr, reason: CheckReason::Patrol };

    fn answer(notices: Vec<Notice>, register: RegisterAnswer) -> Answer {
        let document = a_citizen();
        let notices = NoticeAnswer::Candidates(notices);
        decide(&Facts { notices, register, ..facts(&document) })
    }

    fn conclude(outcome: Outcome) -> Conclusion {
        Conclusion { check: 12, notice: 1_204, outcome, why: OutcomeWhy::ConfirmedByDuty }
    }

    #[test]
    fn a_check_without_a_notice_keeps_the_verdict_and_no_reason_for_it() {
        for (register, verdict) in [
            (RegisterAnswer::NotLoaded, CheckVerdict::NotListed),
            (RegisterAnswer::Unknown, CheckVerdict::Refer),
        ] {
            let body = check(&answer(Vec::new(), register), HERE);
            let expected = Body::Cleared {
                unit: 4_107,
                channel: Channel::Qr,
                reason: CheckReason::Patrol,
                verdict,
            };
            assert_eq!(body, expected);
        }
    }

    #[test]
    fn two_people_of_one_verdict_leave_the_same_record() {
        let mut other = a_citizen();
        other.name.as_mut().unwrap().value = Name::parse("Trần Thị Thử").unwrap();
        other.birth.as_mut().unwrap().value = birth((2001, 12, 31));
        let of = |document: &Document| check(&decide(&facts(document)), HERE);
        assert_eq!(of(&a_citizen()), of(&other));
    }

    #[test]
    fn a_match_and_a_referral_name_their_notices_once_and_in_order() {
        let wanted_twice = vec![wanted(), Notice { id: 7, ..wanted() }];
        let body = check(&answer(wanted_twice, RegisterAnswer::NotLoaded), HERE);
        assert!(
            matches!(&body, Body::Hit { verdict: CheckVerdict::Match, notices, .. }
                if *notices == [7, 1_204]),
            "{body:?}"
        );
        let lost = vec![reported(Category::D1, "2025-06-01")];
        let body = check(&answer(lost, RegisterAnswer::NotLoaded), HERE);
        assert!(
            matches!(&body, Body::Hit { verdict: CheckVerdict::Refer, notices, .. }
                if *notices == [1_204]),
            "{body:?}"
        );
    }

    #[test]
    fn no_record_names_more_notices_than_it_may() {
        let many = (1..=40).map(|id| Notice { id, ..wanted() }).collect();
        let body = check(&answer(many, RegisterAnswer::NotLoaded), HERE);
        assert_eq!(body.validate(), Ok(()));
        assert!(matches!(&body, Body::Hit { notices, .. } if notices.len() == 16), "{body:?}");
    }

    #[test]
    fn only_a_confirmed_outcome_holds_the_person() {
        for choice in Outcome::ALL {
            let body = outcome(conclude(*choice), &a_citizen());
            assert_eq!(body.validate(), Ok(()), "{choice}");
            let Body::Outcome { check: 12, notice: 1_204, outcome, person, .. } = body else {
                panic!("{body:?}");
            };
            assert_eq!(outcome, *choice);
            assert_eq!(person.is_some(), *choice == Outcome::Confirmed, "{choice}");
        }
        let Body::Outcome { person: Some(person), .. } =
            outcome(conclude(Outcome::Confirmed), &a_citizen())
        else {
            panic!("a person");
        };
        assert_eq!(person.name, "Nguyễn Văn Mẫu");
        assert_eq!(person.birth, birth((1988, 3, 2)));
        let number = person.number.unwrap();
        assert_eq!((number.kind, number.text.as_str()), (NumberKind::Personal, HIS_NUMBER));
    }

    #[test]
    fn a_person_of_whom_little_is_known_is_kept_as_far_as_known() {
        let document = Document { numbers: Vec::new(), name: None, birth: None, ..a_citizen() };
        let Body::Outcome { person: Some(person), .. } =
            outcome(conclude(Outcome::Confirmed), &document)
        else {
            panic!("a person");
        };
        assert!(person.name.is_empty() && person.birth.is_unknown() && person.number.is_none());
    }

    #[test]
    fn each_way_of_reading_has_its_channel() {
        for (source, expected) in [
            (Source::Qr, Channel::Qr),
            (Source::Mrz, Channel::Mrz),
            (Source::Chip, Channel::Chip),
            (Source::Typed, Channel::Typed),
        ] {
            assert_eq!(channel_of(&Document { source, ..a_citizen() }), expected);
        }
    }
}
