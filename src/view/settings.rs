//! Settings: those of the lock screen too lie beside the vault, the others in the encrypted state.

use std::rc::Rc;
use std::time::Duration;

use fieldcheck_ui as ui;

use sync_format::v1::record::CheckReason;

use super::{View, callback, callback_with};
use crate::worker::Request;

const THEMES: [(ui::ThemeMode, &str); 4] = [
    (ui::ThemeMode::Light, "light"),
    (ui::ThemeMode::Dark, "dark"),
    (ui::ThemeMode::Night, "night"),
    (ui::ThemeMode::Contrast, "contrast"),
];

const LANGUAGES: [(ui::Language, &str); 2] =
    [(ui::Language::Vietnamese, "vi"), (ui::Language::English, "en")];

const REASONS: [(ui::CheckReason, CheckReason, &str); 4] = [
    (ui::CheckReason::DocumentCheck, CheckReason::DocumentCheck, "document-check"),
    (ui::CheckReason::BorderCrossing, CheckReason::BorderCrossing, "border-crossing"),
    (ui::CheckReason::VesselInspection, CheckReason::VesselInspection, "vessel-inspection"),
    (ui::CheckReason::Patrol, CheckReason::Patrol, "patrol"),
];

const SWITCH: [(bool, &str); 2] = [(true, "on"), (false, "off")];

/// Minutes that can be chosen until the device locks; longer is no protection.
const AUTO_LOCK_MINUTES: std::ops::RangeInclusive<i32> = 1..=10;

/// Sets the callbacks.
pub(super) fn connect(view: &Rc<View>) {
    let settings = view.global::<ui::Settings>();
    settings.set_auto_lock(minutes(view));
    settings.on_set_theme(callback_with(view, |view, theme| {
        view.global::<ui::App>().set_theme(theme);
        super::verdict::show_photo(view);
        keep(view, "theme", word_of(&THEMES, theme));
    }));
    settings.on_set_language(callback_with(view, |view, language| {
        ui::select_language(view.window(), language);
        keep(view, "language", word_of(&LANGUAGES, language));
    }));
    settings.on_set_glove(callback_with(view, |view, glove: bool| {
        view.global::<ui::App>().set_glove(glove);
        keep(view, "glove", word_of(&SWITCH, glove));
    }));
    settings.on_set_sound(callback_with(view, |view, sound: bool| {
        view.global::<ui::Settings>().set_sound(sound);
        keep(view, "sound", word_of(&SWITCH, sound));
    }));
    settings.on_set_auto_lock(callback_with(view, |view, minutes: i32| {
        if AUTO_LOCK_MINUTES.contains(&minutes) {
            set_auto_lock(view, minutes);
            keep(view, "auto-lock", &minutes.to_string());
        }
    }));
    settings.set_check_reason(ui::CheckReason::DocumentCheck);
    settings.on_set_check_reason(callback_with(view, |view, reason: ui::CheckReason| {
        if let Some((.., word)) = REASONS.iter().find(|(shown, ..)| *shown == reason) {
            set_check_reason(view, word);
            keep(view, "check-reason", word);
        }
    }));
    settings.on_open_about(callback(view, |view| view.go(ui::Screen::About)));
    settings.on_close(callback(view, |view| view.go(ui::Screen::Home)));
}

/// Applies settings that were kept; a word that is not known changes nothing.
pub(super) fn restore<N: AsRef<str>>(view: &Rc<View>, settings: &[(N, String)]) {
    for (name, value) in settings {
        match name.as_ref() {
            "theme" => {
                if let Some(theme) = of_word(&THEMES, value) {
                    view.global::<ui::App>().set_theme(theme);
                }
            }
            "language" => {
                if let Some(language) = of_word(&LANGUAGES, value) {
                    ui::select_language(view.window(), language);
                }
            }
            "sound" => {
                if let Some(sound) = of_word(&SWITCH, value) {
                    view.global::<ui::Settings>().set_sound(sound);
                }
            }
            "glove" => {
                if let Some(glove) = of_word(&SWITCH, value) {
                    view.global::<ui::App>().set_glove(glove);
                }
            }
            "check-reason" => set_check_reason(view, value),
            "auto-lock" => {
                if let Ok(minutes) = value.parse()
                    && AUTO_LOCK_MINUTES.contains(&minutes)
                {
                    set_auto_lock(view, minutes);
                }
            }
            _ => {}
        }
    }
}

/// Takes a reason for the scans from now on; a word that is not known changes nothing.
fn set_check_reason(view: &Rc<View>, word: &str) {
    if let Some((shown, reason, _)) = REASONS.iter().find(|(.., known)| *known == word) {
        view.global::<ui::Settings>().set_check_reason(*shown);
        view.ask(Request::ScanReason(*reason));
    }
}

fn set_auto_lock(view: &Rc<View>, minutes: i32) {
    let seconds = u64::try_from(minutes).unwrap_or(1) * 60;
    view.state.borrow_mut().auto_lock = Duration::from_secs(seconds);
    view.global::<ui::Settings>().set_auto_lock(minutes);
}

fn minutes(view: &Rc<View>) -> i32 {
    super::to_int(u32::try_from(view.state.borrow().auto_lock.as_secs() / 60).unwrap_or(1))
}

fn keep(view: &Rc<View>, name: &'static str, value: &str) {
    view.ask(Request::Keep { name, value: value.to_owned() });
}

fn word_of<T: PartialEq>(words: &[(T, &'static str)], value: T) -> &'static str {
    words.iter().find(|(known, _)| *known == value).map_or("", |(_, word)| word)
}

fn of_word<T: Copy>(words: &[(T, &'static str)], word: &str) -> Option<T> {
    words.iter().find(|(_, known)| *known == word).map(|(value, _)| *value)
}
