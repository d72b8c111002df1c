//! Facts for the tests of judging: nothing on file, a fresh list, a register that agrees.
//!
//! It is noon on 24 November 2026 in Vietnam.

use sync_format::v1::package::SnapshotVersion;
use sync_format::v1::register::{Agreement, Status};

use super::{DocumentProof, Facts, ListState, NoticeAnswer, RegisterAnswer, run};
use crate::clock::{DeviceTime, TrustedTime, VIETNAM_OFFSET_SECONDS};
use crate::document::Document;
use crate::matching::testing::day;

/// Facts in which everything is in order, of a document that nobody has proven.
pub(crate) fn facts(document: &Document) -> Facts<'_> {
    Facts {
        document,
        proof: DocumentProof::NotProven,
        doubts: &[],
        notices: NoticeAnswer::Candidates(Vec::new()),
        register: RegisterAnswer::Row {
            name: Agreement::Agrees,
            birth: Agreement::Agrees,
            issued: Agreement::Agrees,
            status: Status::Valid,
        },
        list: list_aged(3),
        time: TrustedTime::new(now(), now()),
    }
}

/// The codes of all findings, in their order.
pub(crate) fn codes(facts: &Facts<'_>) -> Vec<&'static str> {
    run(facts).into_iter().map(|finding| finding.kind.code()).collect()
}

pub(crate) fn now() -> DeviceTime {
    noon("2026-11-24")
}

/// Bounds of the time from noon of one day to noon of another.
pub(crate) fn time_bounds(lower: &str, upper: &str) -> TrustedTime {
    TrustedTime::new(noon(lower), noon(upper))
}

/// A list that is fresh for a day and usable for three.
pub(crate) fn list_aged(hours: u32) -> ListState {
    list(now().plus_seconds(-3_600 * i64::from(hours)), hours, false)
}

pub(crate) fn list_made_at(created: DeviceTime) -> ListState {
    list(created, 0, false)
}

pub(crate) fn list_that_demands_the_chip() -> ListState {
    list(now(), 0, true)
}

/// A fresh list whose changes cannot be read.
pub(crate) fn list_without_its_changes() -> ListState {
    match list_aged(3) {
        ListState::Loaded { version, created, age_hours, fresh_hours, usable_hours, .. } => {
            ListState::Loaded {
                version,
                created,
                age_hours,
                fresh_hours,
                usable_hours,
                chip_required: false,
                changes_lost: true,
            }
        }
        ListState::None => ListState::None,
    }
}

fn list(created: DeviceTime, age_hours: u32, chip_required: bool) -> ListState {
    ListState::Loaded {
        version: SnapshotVersion { epoch: 1, version: 1_184 },
        created,
        age_hours,
        fresh_hours: 24,
        usable_hours: 72,
        chip_required,
        changes_lost: false,
    }
}

fn noon(iso: &str) -> DeviceTime {
    let midnight = i64::from(day(iso).to_days()) * 86_400 - VIETNAM_OFFSET_SECONDS;
    DeviceTime(midnight + 12 * 3_600)
}
