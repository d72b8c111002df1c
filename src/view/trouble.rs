//! What keeps the app from working as a whole, said in words with a short name to read out.

use std::rc::Rc;

use fieldcheck_ui as ui;

use super::{View, callback};
use crate::queue::Opened;
use crate::worker::Request;

/// Sets the callbacks.
pub(super) fn connect(view: &Rc<View>) {
    let trouble = view.global::<ui::Trouble>();
    trouble.set_code("".into());
    trouble.set_time("".into());
    // Trying again begins at the PIN: whatever failed is opened anew.
    trouble.on_retry(callback(view, View::lock));
    trouble.on_proceed(callback(view, |view| {
        if view.state.borrow().open {
            view.ask(Request::Home);
            view.go(ui::Screen::Home);
        } else {
            view.lock();
        }
    }));
}

/// Shows a failure by its short name.
pub(super) fn show(view: &Rc<View>, code: &'static str) {
    let kind = match code {
        "store" | "vault" | "rolled-back" | "lookup" => ui::TroubleKind::StoreDamaged,
        "not-enrolled" | "folder" => ui::TroubleKind::NoData,
        _ => ui::TroubleKind::Other,
    };
    show_kind(view, kind, code);
}

/// Shows a failure of this kind.
pub(super) fn show_kind(view: &Rc<View>, kind: ui::TroubleKind, code: &'static str) {
    let trouble = view.global::<ui::Trouble>();
    trouble.set_kind(kind);
    trouble.set_code(code.into());
    trouble.set_time(super::time_of_day(view.clock.real_time()).into());
    trouble.set_can_continue(matches!(
        kind,
        ui::TroubleKind::QueueMoved | ui::TroubleKind::QueueMissing
    ));
    view.go(ui::Screen::Trouble);
}

/// Shows that the queue was begun anew; returns whether there was anything to show.
pub(super) fn show_queue(view: &Rc<View>, opened: &Opened) -> bool {
    match opened {
        Opened::Whole => return false,
        Opened::Missing => show_kind(view, ui::TroubleKind::QueueMissing, "queue-missing"),
        Opened::MovedAside(_) => show_kind(view, ui::TroubleKind::QueueMoved, "queue-moved"),
    }
    true
}
