//! The card against the register.
//!
//! The register confirms and names nobody: a finding names the field that differs, never what the
//! register holds. A register that is not loaded, or does not cover the region, is no finding: notices
//! are national and decide, and [`crate::verdict`] says in one line that the register was not asked.
//!
//! A register that should have answered and did not is a finding: otherwise using up the hour's
//! look-ups would make the next answer milder.
//!
//! A card issued since the register was made differs in its date of issue; the question for that date
//! settles it.

use sync_format::v1::register::{Agreement, Status};

use super::notices::look_closer;
use super::{Facts, Finding, FindingKind, NoAnswer, RegisterAnswer, Todo};

/// Returns a finding for the status of the document and for each field that differs.
pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let (name, birth, issued, status) = match facts.register {
        RegisterAnswer::NotLoaded | RegisterAnswer::OutOfRegion | RegisterAnswer::NotAsked => {
            return Vec::new();
        }
        RegisterAnswer::NoAnswer(NoAnswer::LimitReached) => {
            return vec![Finding::new(FindingKind::RegisterLimit, Todo::CallDuty)];
        }
        RegisterAnswer::NoAnswer(NoAnswer::Fault) => {
            return vec![Finding::new(FindingKind::RegisterFault, Todo::TellCommander)];
        }
        RegisterAnswer::Unknown => {
            let todo = look_closer(facts.document);
            return vec![Finding::new(FindingKind::RegisterUnknownNumber, todo)];
        }
        RegisterAnswer::Row { name, birth, issued, status } => (name, birth, issued, status),
    };
    let fields = [
        (name, FindingKind::RegisterNameDiffers, Todo::AskName),
        (birth, FindingKind::RegisterBirthDiffers, Todo::AskBirthDate),
        (issued, FindingKind::RegisterIssueDiffers, Todo::AskReissueDate),
    ];
    let differing = fields
        .into_iter()
        .filter(|(agreement, ..)| *agreement == Agreement::Differs)
        .map(|(_, kind, todo)| Finding::new(kind, todo));
    status_finding(status).into_iter().chain(differing).collect()
}

fn status_finding(status: Status) -> Option<Finding> {
    let (kind, todo) = match status {
        Status::Valid => return None,
        Status::Replaced => (FindingKind::RegisterStatusReplaced, Todo::AskNewCard),
        Status::Lost => (FindingKind::RegisterStatusLost, Todo::AskReissueDate),
        Status::Stolen => (FindingKind::RegisterStatusStolen, Todo::AskReissueDate),
        Status::Revoked => (FindingKind::RegisterStatusRevoked, Todo::CallDuty),
        Status::Deceased => (FindingKind::RegisterStatusDeceased, Todo::CallDuty),
    };
    Some(Finding::new(kind, todo))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::facts;
    use crate::matching::testing::a_citizen;

    fn found(register: RegisterAnswer) -> Vec<(&'static str, Todo)> {
        let document = a_citizen();
        check(&Facts { register, ..facts(&document) })
            .into_iter()
            .map(|finding| (finding.kind.code(), finding.todo))
            .collect()
    }

    fn row([name, birth, issued]: [Agreement; 3], status: Status) -> RegisterAnswer {
        RegisterAnswer::Row { name, birth, issued, status }
    }

    #[test]
    fn a_register_that_does_not_answer_is_no_finding() {
        for register in
            [RegisterAnswer::NotLoaded, RegisterAnswer::OutOfRegion, RegisterAnswer::NotAsked]
        {
            assert_eq!(found(register), [], "{register:?}");
        }
    }

    #[test]
    fn a_number_unknown_to_a_loaded_register_is_referred() {
        assert_eq!(found(RegisterAnswer::Unknown), [("register-unknown-number", Todo::ReadChip)]);
    }

    #[test]
    fn each_differing_field_is_named_with_its_question() {
        use Agreement::{Agrees, Differs, NotKnown};
        let name = ("register-name-differs", Todo::AskName);
        let birth = ("register-birth-differs", Todo::AskBirthDate);
        let issued = ("register-issue-differs", Todo::AskReissueDate);
        for (fields, expected) in [
            ([Agrees, Agrees, Agrees], vec![]),
            ([NotKnown, NotKnown, NotKnown], vec![]),
            ([Differs, Agrees, Agrees], vec![name]),
            ([Agrees, Differs, NotKnown], vec![birth]),
            ([NotKnown, Agrees, Differs], vec![issued]),
            ([Differs, Differs, Differs], vec![name, birth, issued]),
        ] {
            assert_eq!(found(row(fields, Status::Valid)), expected, "{fields:?}");
        }
    }

    #[test]
    fn each_status_but_valid_is_referred() {
        for (status, expected) in [
            (Status::Replaced, ("register-status-replaced", Todo::AskNewCard)),
            (Status::Lost, ("register-status-lost", Todo::AskReissueDate)),
            (Status::Stolen, ("register-status-stolen", Todo::AskReissueDate)),
            (Status::Revoked, ("register-status-revoked", Todo::CallDuty)),
            (Status::Deceased, ("register-status-deceased", Todo::CallDuty)),
        ] {
            assert_eq!(found(row([Agreement::Agrees; 3], status)), [expected], "{status:?}");
        }
    }
}
