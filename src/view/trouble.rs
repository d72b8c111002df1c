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
    trouble.set_logged(false);
    trouble.on_retry(callback(view, |view| {
        if view.global::<ui::Trouble>().get_kind() == ui::TroubleKind::NotSaved {
            view.ask(Request::RecordCheck);
            view.go(ui::Screen::Verdict);
        } else {
            view.ask(Request::Attempts);
            view.lock();
        }
    }));
    trouble.on_proceed(callback(view, |view| {
        view.ask(Request::Home);
        view.go(ui::Screen::Home);
    }));
}

/// Shows a failure by its short name.
pub(super) fn show(view: &Rc<View>, code: &'static str) {
    let kind = match code {
        "store" | "vault" | "rolled-back" | "lookup" => ui::TroubleKind::StoreDamaged,
        "queue" => ui::TroubleKind::NotSaved,
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
    trouble.set_can_continue(kind == ui::TroubleKind::QueueMoved);
    view.go(ui::Screen::Trouble);
}

/// Shows that a damaged queue was moved aside; returns whether there was anything to show.
pub(super) fn show_queue(view: &Rc<View>, opened: &Opened) -> bool {
    match opened {
        Opened::Whole => false,
        Opened::Missing | Opened::MovedAside(_) => {
            show_kind(view, ui::TroubleKind::QueueMoved, "queue-moved");
            true
        }
    }
}
