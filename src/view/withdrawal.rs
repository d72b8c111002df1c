//! An emergency withdrawal that was read from a code: what it says, whether it holds, and applying it.

use std::rc::Rc;

use fieldcheck_ui as ui;

use super::{View, callback, moment_text, to_int};
use crate::clock::DeviceTime;
use crate::snapshot::withdrawal::WithdrawalRefusal;
use crate::worker::Request;
use crate::worker::loading::WithdrawalNews;

/// Sets the callbacks.
pub(super) fn connect(view: &Rc<View>) {
    clear(view);
    let withdrawal = view.global::<ui::WithdrawalView>();
    withdrawal.on_apply(callback(view, |view| {
        view.global::<ui::WithdrawalView>().set_state(ui::WithdrawalState::Applying);
        view.ask(Request::ApplyWithdrawal);
    }));
    withdrawal.on_scan(callback(view, super::scan::start));
    withdrawal.on_close(callback(view, |view| {
        clear(view);
        view.ask(Request::Home);
        view.go(ui::Screen::Home);
    }));
}

/// Empties the screen.
pub(super) fn clear(view: &Rc<View>) {
    let withdrawal = view.global::<ui::WithdrawalView>();
    withdrawal.set_state(ui::WithdrawalState::Checking);
    withdrawal.set_notices("".into());
    withdrawal.set_count(0);
    withdrawal.set_here(0);
    withdrawal.set_made("".into());
    withdrawal.set_code("".into());
    withdrawal.set_problem(ui::WithdrawalProblem::None);
}

/// Shows what is known of the withdrawal.
pub(super) fn show(view: &Rc<View>, news: &WithdrawalNews) {
    let screen = view.global::<ui::WithdrawalView>();
    match news {
        WithdrawalNews::Offered(offered) => {
            let notices = &offered.withdrawal.notices;
            let count = |number: usize| to_int(u32::try_from(number).unwrap_or(u32::MAX));
            let text = notices.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
            screen.set_notices(text.into());
            screen.set_count(count(notices.len()));
            screen.set_here(count(offered.here));
            screen.set_made(moment_text(DeviceTime(offered.withdrawal.made)).into());
            screen.set_state(ui::WithdrawalState::Offered);
        }
        WithdrawalNews::Applied { new: 0 } => {
            screen.set_state(ui::WithdrawalState::NothingToDo);
        }
        WithdrawalNews::Applied { .. } => screen.set_state(ui::WithdrawalState::Applied),
        WithdrawalNews::Refused { code, why } => {
            screen.set_code((*code).into());
            screen.set_problem(match why {
                Some(why) => problem(why),
                None if *code == "unreadable" => ui::WithdrawalProblem::Unreadable,
                None => ui::WithdrawalProblem::NotWritten,
            });
            screen.set_state(ui::WithdrawalState::Refused);
        }
    }
    view.touch();
    view.go(ui::Screen::Withdrawal);
}

fn problem(why: &WithdrawalRefusal) -> ui::WithdrawalProblem {
    match why {
        WithdrawalRefusal::Undecodable(_) | WithdrawalRefusal::Contradictory(_) => {
            ui::WithdrawalProblem::Unreadable
        }
        WithdrawalRefusal::NoRoot => ui::WithdrawalProblem::NoList,
        WithdrawalRefusal::RootExpired | WithdrawalRefusal::WrongEpoch { .. } => {
            ui::WithdrawalProblem::EarlierRoot
        }
        WithdrawalRefusal::Signatures(_) => ui::WithdrawalProblem::Signatures,
        WithdrawalRefusal::WrongPurpose => ui::WithdrawalProblem::WrongPurpose,
        WithdrawalRefusal::FromTheFuture => ui::WithdrawalProblem::FromTheFuture,
    }
}
