//! The queue: what waits for headquarters, without a person in it.

use std::rc::Rc;

use fieldcheck_ui as ui;
use slint::{ModelRc, VecModel};
use sync_format::v1::record::Outcome;

use super::{View, callback, to_int};
use crate::clock::VIETNAM_OFFSET_SECONDS;
use crate::device::RecentKind;
use crate::store::state::Recent;

/// Sets the callbacks.
pub(super) fn connect(view: &Rc<View>) {
    let queue = view.global::<ui::Queue>();
    queue.set_rows(ModelRc::new(VecModel::default()));
    queue.set_count(0);
    queue.on_close(callback(view, |view| view.go(ui::Screen::Home)));
}

/// Shows the last lines about records, and how many wait in all.
pub(super) fn show(view: &Rc<View>, rows: &[Recent], count: u64) {
    let rows: Vec<ui::QueueRow> = rows.iter().filter_map(row).collect();
    let queue = view.global::<ui::Queue>();
    queue.set_rows(ModelRc::new(VecModel::from(rows)));
    queue.set_count(to_int(u32::try_from(count).unwrap_or(u32::MAX)));
}

fn row(recent: &Recent) -> Option<ui::QueueRow> {
    let kind = match RecentKind::from_number(recent.kind)? {
        RecentKind::Clear => ui::RecordKind::Clear,
        RecentKind::NotListed => ui::RecordKind::NotListed,
        RecentKind::NotChecked => ui::RecordKind::NotChecked,
        RecentKind::Refer => ui::RecordKind::Refer,
        RecentKind::Match => ui::RecordKind::Match,
        RecentKind::Outcome => ui::RecordKind::Outcome,
        RecentKind::Unlock => ui::RecordKind::Unlock,
        RecentKind::UnlockFailed => ui::RecordKind::UnlockFailed,
        RecentKind::Install => ui::RecordKind::Install,
        RecentKind::NameSearch => ui::RecordKind::NameSearch,
        RecentKind::NoticeOpened => ui::RecordKind::NoticeOpened,
        RecentKind::Lock => ui::RecordKind::Lock,
        RecentKind::ListDamaged => ui::RecordKind::ListDamaged,
        RecentKind::QueueRestarted => ui::RecordKind::QueueRestarted,
        RecentKind::SearchRefused => ui::RecordKind::SearchRefused,
        RecentKind::Other => return None,
    };
    let outcome = match recent.outcome.and_then(Outcome::from_number) {
        None => ui::RecordOutcome::None,
        Some(Outcome::Confirmed) => ui::RecordOutcome::Confirmed,
        Some(Outcome::NotThisPerson) => ui::RecordOutcome::NotThisPerson,
        Some(Outcome::CouldNotTell) => ui::RecordOutcome::CouldNotTell,
        Some(Outcome::Clarified) => ui::RecordOutcome::Clarified,
    };
    // A record holds the hour alone, so that is all there is to show.
    let hour = (i64::from(recent.hour) + VIETNAM_OFFSET_SECONDS / 3_600).rem_euclid(24);
    Some(ui::QueueRow {
        number: recent.sequence.to_string().into(),
        kind,
        hour: format!("{hour:02}").into(),
        state: ui::RecordState::Waiting,
        outcome,
    })
}
