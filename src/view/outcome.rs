//! The outcome of a match: what the officer concluded, why, and whether it is saved.

use std::rc::Rc;

use fieldcheck_ui as ui;
use sync_format::v1::record::{Outcome, OutcomeWhy};

use super::{View, callback, callback_with, scan, verdict};
use crate::worker::{Request, Unrecorded};

/// What was chosen so far.
#[derive(Clone, Copy, Default)]
pub(super) struct Chosen {
    outcome: Option<Outcome>,
    why: Option<OutcomeWhy>,
    /// The match of an earlier check, whose person is gone; `None`: the one on the screen.
    earlier: Option<Unrecorded>,
}

/// Sets the callbacks.
pub(super) fn connect(view: &Rc<View>) {
    let outcome = view.global::<ui::Outcome>();
    outcome.on_choose(callback_with(view, choose));
    outcome.on_pick_why(callback_with(view, |view, why: ui::OutcomeWhy| {
        view.state.borrow_mut().outcome.why = why_from_ui(why);
        view.global::<ui::Outcome>().set_why(why);
    }));
    outcome.on_save(callback(view, save));
    outcome.on_next(callback(view, scan::start));
    outcome.on_done(callback(view, |view| {
        view.forget();
        view.ask(Request::Home);
        view.go(ui::Screen::Home);
    }));
}

/// Goes to the outcome of the match on the screen, with `choice` made already.
pub(super) fn start(view: &Rc<View>, choice: ui::OutcomeChoice) {
    clear(view);
    view.state.borrow_mut().outcome = Chosen::default();
    let outcome = view.global::<ui::Outcome>();
    outcome.set_category(view.global::<ui::VerdictView>().get_notice().category);
    show_checks(view);
    choose(view, choice);
    view.go(ui::Screen::Outcome);
}

/// Goes to the outcome of an earlier match. Its person is gone, so nobody can be confirmed.
pub(super) fn start_earlier(view: &Rc<View>, earlier: Unrecorded) {
    clear(view);
    view.state.borrow_mut().outcome = Chosen { earlier: Some(earlier), ..Chosen::default() };
    let outcome = view.global::<ui::Outcome>();
    outcome.set_category(verdict::category_to_ui(earlier.category));
    outcome.set_checks_left(CHECKS);
    view.go(ui::Screen::Outcome);
}

/// The steps of the checklist.
const CHECKS: i32 = 3;

fn choose(view: &Rc<View>, choice: ui::OutcomeChoice) {
    let screen = view.global::<ui::Outcome>();
    if screen.get_state() == ui::OutcomeState::Saving {
        return;
    }
    let outcome = match choice {
        ui::OutcomeChoice::None => None,
        ui::OutcomeChoice::Confirmed => Some(Outcome::Confirmed),
        ui::OutcomeChoice::NotThisPerson => Some(Outcome::NotThisPerson),
        ui::OutcomeChoice::CouldNotTell => Some(Outcome::CouldNotTell),
    };
    // "The right person" takes all three steps; the screen says how many are missing.
    if outcome == Some(Outcome::Confirmed) && screen.get_checks_left() > 0 {
        return;
    }
    // The reason is the officer's to give: none is chosen for him.
    view.state.borrow_mut().outcome.outcome = outcome;
    view.state.borrow_mut().outcome.why = None;
    screen.set_choice(choice);
    screen.set_why(ui::OutcomeWhy::None);
}

fn save(view: &Rc<View>) {
    let chosen = view.state.borrow().outcome;
    let screen = view.global::<ui::Outcome>();
    let (Some(outcome), Some(why)) = (chosen.outcome, chosen.why) else { return };
    if matches!(screen.get_state(), ui::OutcomeState::Saving | ui::OutcomeState::Saved) {
        return;
    }
    let request = match chosen.earlier {
        Some(earlier) => Request::RecordEarlier { earlier, outcome, why },
        None => {
            let state = view.state.borrow();
            let notice = state.checked.as_ref().and_then(verdict::leading_notice);
            Request::RecordOutcome { notice: notice.unwrap_or_default(), outcome, why }
        }
    };
    screen.set_state(ui::OutcomeState::Saving);
    view.ask(request);
}

/// Shows that a record was committed.
pub(super) fn show_saved(view: &Rc<View>, sequence: u64) {
    if view.screen() == ui::Screen::Outcome {
        let screen = view.global::<ui::Outcome>();
        screen.set_record_number(sequence.to_string().into());
        screen.set_state(ui::OutcomeState::Saved);
        view.global::<ui::VerdictView>().set_asks_before_close(false);
    } else if view.screen() == ui::Screen::Verdict
        && view.global::<ui::VerdictView>().get_reply() == ui::Reply::AsCard
        && view.global::<ui::VerdictView>().get_can_settle()
    {
        // A referral that was settled: on to the next person.
        view.forget();
        view.ask(Request::Home);
        view.go(ui::Screen::Home);
    }
}

/// Shows that a record was not committed; the screen stays, and Save tries again.
pub(super) fn show_not_saved(view: &Rc<View>, code: &'static str) {
    tracing::warn!(code, "a record was not saved");
    if view.screen() == ui::Screen::Outcome {
        view.global::<ui::Outcome>().set_state(ui::OutcomeState::Failed);
    }
    // The answer stays: it is worth more than the record of it.
    view.global::<ui::VerdictView>().set_unsaved(true);
}

/// Shows how many of the three steps are not ticked.
pub(super) fn show_checks(view: &Rc<View>) {
    view.global::<ui::Outcome>().set_checks_left(verdict::open_checks(view));
}

/// Empties the screen.
pub(super) fn clear(view: &Rc<View>) {
    let screen = view.global::<ui::Outcome>();
    screen.set_choice(ui::OutcomeChoice::None);
    screen.set_why(ui::OutcomeWhy::None);
    screen.set_state(ui::OutcomeState::Choosing);
    screen.set_record_number("".into());
}

fn why_from_ui(why: ui::OutcomeWhy) -> Option<OutcomeWhy> {
    match why {
        ui::OutcomeWhy::None => None,
        ui::OutcomeWhy::PhotoDiffers => Some(OutcomeWhy::PhotoDiffers),
        ui::OutcomeWhy::MarksDiffer => Some(OutcomeWhy::MarksDiffer),
        ui::OutcomeWhy::NumberDiffers => Some(OutcomeWhy::NumberDiffers),
        ui::OutcomeWhy::AgeDiffers => Some(OutcomeWhy::AgeDiffers),
        ui::OutcomeWhy::ConfirmedByDuty => Some(OutcomeWhy::ConfirmedByDuty),
        ui::OutcomeWhy::ConfirmedByDocument => Some(OutcomeWhy::ConfirmedByDocument),
        ui::OutcomeWhy::NoPhoto => Some(OutcomeWhy::NoPhoto),
        ui::OutcomeWhy::NoAnswer => Some(OutcomeWhy::NoAnswer),
    }
}
