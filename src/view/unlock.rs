//! The unlock screen: digits come as numbers, and the screen learns their count alone.

use std::rc::Rc;
use std::time::Duration;

use fieldcheck_ui as ui;

use super::{View, callback, callback_with, to_int};
use crate::keys::{Attempts, UnlockError};
use crate::worker::Request;

/// Sets the callbacks.
pub(super) fn connect(view: &Rc<View>) {
    let unlock = view.global::<ui::Unlock>();
    unlock.set_device("".into());
    unlock.set_digits(0);
    unlock.set_state(ui::UnlockState::Ready);
    unlock.on_digit(callback_with(view, |view, digit: i32| {
        if is_idle(view)
            && let Ok(digit) = u8::try_from(digit)
        {
            view.state.borrow_mut().pin.push(digit);
            show_count(view);
        }
    }));
    unlock.on_erase(callback(view, |view| {
        view.state.borrow_mut().pin.erase();
        show_count(view);
    }));
    unlock.on_submit(callback(view, submit));
}

fn submit(view: &Rc<View>) {
    if !is_idle(view) || view.state.borrow().pin.is_empty() {
        return;
    }
    let pin = std::mem::take(&mut view.state.borrow_mut().pin);
    show_count(view);
    view.global::<ui::Unlock>().set_state(ui::UnlockState::Checking);
    view.ask(Request::Unlock(pin));
}

/// Whether a PIN can be entered: nothing is being checked, waited for or lost.
fn is_idle(view: &Rc<View>) -> bool {
    matches!(
        view.global::<ui::Unlock>().get_state(),
        ui::UnlockState::Ready
            | ui::UnlockState::Wrong
            | ui::UnlockState::LastTry
            | ui::UnlockState::NotNow
    )
}

fn show_count(view: &Rc<View>) {
    let count = view.state.borrow().pin.len();
    view.global::<ui::Unlock>().set_digits(to_int(u32::try_from(count).unwrap_or(u32::MAX)));
}

/// Shows how many tries are left, and for how long the next one must wait.
pub(super) fn show_attempts(view: &Rc<View>, attempts: Attempts) {
    let unlock = view.global::<ui::Unlock>();
    unlock.set_tries_left(to_int(attempts.left));
    unlock.set_wait_seconds(seconds(attempts.wait));
    unlock.set_state(match attempts.left {
        0 => ui::UnlockState::Erased,
        _ if !attempts.wait.is_zero() => ui::UnlockState::Waiting,
        1 => ui::UnlockState::LastTry,
        _ if attempts.failed > 0 => ui::UnlockState::Wrong,
        _ => ui::UnlockState::Ready,
    });
}

/// Shows why the device stayed locked.
pub(super) fn show_refusal(view: &Rc<View>, error: &UnlockError) {
    let unlock = view.global::<ui::Unlock>();
    let state = match error {
        UnlockError::Wrong { left, wait } => {
            unlock.set_tries_left(to_int(*left));
            unlock.set_wait_seconds(seconds(*wait));
            match left {
                0 => ui::UnlockState::Erased,
                _ if !wait.is_zero() => ui::UnlockState::Waiting,
                1 => ui::UnlockState::LastTry,
                _ => ui::UnlockState::Wrong,
            }
        }
        UnlockError::Wait { wait } => {
            unlock.set_wait_seconds(seconds(*wait));
            ui::UnlockState::Waiting
        }
        // A PIN that is too short was not tried; the dots show how many digits there are.
        UnlockError::TooShort { .. } => ui::UnlockState::Ready,
        UnlockError::Erased => ui::UnlockState::Erased,
        UnlockError::WrongDevice => {
            super::trouble::show_kind(view, ui::TroubleKind::WrongDevice, "wrong-device");
            ui::UnlockState::Damaged
        }
        // A full disk or a key that does not answer now: nothing is broken for good.
        UnlockError::DeviceKey(_) | UnlockError::Io(_) => ui::UnlockState::NotNow,
        UnlockError::Damaged(_) => ui::UnlockState::Damaged,
    };
    unlock.set_state(state);
}

/// Counts the waiting down, and opens the pad again at its end.
pub(super) fn tick(view: &Rc<View>) {
    let unlock = view.global::<ui::Unlock>();
    if unlock.get_state() != ui::UnlockState::Waiting {
        return;
    }
    let left = unlock.get_wait_seconds() - 1;
    unlock.set_wait_seconds(left.max(0));
    if left <= 0 {
        // The vault decides whether the wait is over, not this counter.
        view.ask(Request::Attempts);
    }
}

fn seconds(wait: Duration) -> i32 {
    to_int(u32::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX))
}
