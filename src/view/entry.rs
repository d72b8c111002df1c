//! Typed entry: the app's own keys, so that no system keyboard learns a name.

use std::rc::Rc;

use fieldcheck_ui as ui;
use slint::SharedString;
use sync_format::v1::record::CheckReason;

use super::{View, callback, callback_with, to_int};
use crate::document::typed::{self, ReadBack, TypedEntry, TypedProblem};
use crate::document::{Name, Place, Sex};
use crate::lookup::Limited;
use crate::worker::Request;

/// Longer than any number, name or date; more keys are dropped.
const MAX_NUMBER: usize = 12;
const MAX_KEYS: usize = 80;
const MAX_BIRTH: usize = 8;

/// What was entered so far.
#[derive(Default)]
pub(super) struct Entered {
    reason: Option<CheckReason>,
    number: String,
    /// Keys of the name, as Telex.
    keys: String,
    birth: String,
    sex: Option<Sex>,
}

/// Sets the callbacks.
pub(super) fn connect(view: &Rc<View>) {
    let entry = view.global::<ui::Entry>();
    entry.set_searches_limit(to_int(Limited::NameSearch.per_hour()));
    entry.on_pick_reason(callback_with(view, |view, reason: ui::CheckReason| {
        view.state.borrow_mut().entry.reason = match reason {
            ui::CheckReason::None => None,
            ui::CheckReason::DocumentCheck => Some(CheckReason::DocumentCheck),
            ui::CheckReason::BorderCrossing => Some(CheckReason::BorderCrossing),
            ui::CheckReason::VesselInspection => Some(CheckReason::VesselInspection),
            ui::CheckReason::Patrol => Some(CheckReason::Patrol),
            ui::CheckReason::NoDocument => Some(CheckReason::NoDocument),
            ui::CheckReason::DutyOfficerRequest => Some(CheckReason::DutyOfficerRequest),
        };
        view.global::<ui::Entry>().set_reason(reason);
    }));
    entry.on_focus_field(callback_with(view, |view, field| {
        view.global::<ui::Entry>().set_field(field);
    }));
    entry.on_key(callback_with(view, |view, key: SharedString| press(view, &key)));
    entry.on_erase(callback(view, erase));
    entry.on_set_sex(callback_with(view, |view, sex: ui::Sex| {
        view.state.borrow_mut().entry.sex = match sex {
            ui::Sex::Unknown => None,
            ui::Sex::Male => Some(Sex::Male),
            ui::Sex::Female => Some(Sex::Female),
        };
        show(view);
    }));
    entry.on_submit(callback(view, submit));
    entry.on_back(callback(view, |view| {
        // One step back: from the fields to the reasons, with what was typed kept; from there home.
        let entry = view.global::<ui::Entry>();
        if entry.get_reason() == ui::CheckReason::None {
            view.forget();
            view.go(ui::Screen::Home);
        } else {
            entry.set_reason(ui::CheckReason::None);
        }
    }));
}

/// Begins a new entry, at the reasons.
pub(super) fn start(view: &Rc<View>) {
    view.forget();
    view.ask(Request::Home);
    view.go(ui::Screen::Entry);
}

/// Empties the screen.
pub(super) fn clear(view: &Rc<View>) {
    let entry = view.global::<ui::Entry>();
    entry.set_reason(ui::CheckReason::None);
    entry.set_field(ui::EntryField::Number);
    entry.set_busy(false);
    entry.set_problem(ui::EntryProblem::None);
    entry.set_when("".into());
    show_fields(view, &Entered::default());
}

fn press(view: &Rc<View>, key: &str) {
    let field = view.global::<ui::Entry>().get_field();
    {
        let entered = &mut view.state.borrow_mut().entry;
        let is_digit = key.len() == 1 && key.as_bytes()[0].is_ascii_digit();
        match field {
            ui::EntryField::Number if is_digit && entered.number.len() < MAX_NUMBER => {
                entered.number.push_str(key);
            }
            ui::EntryField::Birth if is_digit && entered.birth.len() < MAX_BIRTH => {
                entered.birth.push_str(key);
            }
            ui::EntryField::Name if !is_digit && entered.keys.len() < MAX_KEYS => {
                entered.keys.push_str(key);
            }
            _ => {}
        }
    }
    show(view);
}

fn erase(view: &Rc<View>) {
    let field = view.global::<ui::Entry>().get_field();
    {
        let entered = &mut view.state.borrow_mut().entry;
        match field {
            ui::EntryField::Number => entered.number.pop(),
            ui::EntryField::Name => entered.keys.pop(),
            ui::EntryField::Birth => entered.birth.pop(),
        };
    }
    show(view);
}

fn submit(view: &Rc<View>) {
    let request = {
        let state = view.state.borrow();
        let Some(reason) = state.entry.reason else { return };
        let entry = TypedEntry {
            number: state.entry.number.clone(),
            name: telex(&state.entry.keys),
            birth: as_date(&state.entry.birth),
            sex: state.entry.sex,
        };
        Request::CheckTyped { entry, reason }
    };
    view.global::<ui::Entry>().set_busy(true);
    view.ask(request);
}

/// Shows what is wrong with the entry; the first problem in the order of the fields.
pub(super) fn show_problems(view: &Rc<View>, problems: &[TypedProblem]) {
    let entry = view.global::<ui::Entry>();
    entry.set_busy(false);
    if let Some(problem) = problems.first() {
        show_problem(view, problem);
    }
}

fn show_problem(view: &Rc<View>, problem: &TypedProblem) {
    let entry = view.global::<ui::Entry>();
    let count = |value: usize| to_int(u32::try_from(value).unwrap_or(u32::MAX));
    entry.set_problem(match *problem {
        TypedProblem::NothingEntered => ui::EntryProblem::NothingEntered,
        TypedProblem::NumberTooShort { missing } => {
            entry.set_count(count(missing));
            ui::EntryProblem::NumberTooShort
        }
        TypedProblem::NumberTooLong { extra } => {
            entry.set_count(count(extra));
            ui::EntryProblem::NumberTooLong
        }
        TypedProblem::NumberLetter { position, letter } => {
            entry.set_count(count(position));
            entry.set_letter(letter.to_string().into());
            ui::EntryProblem::NumberLetter
        }
        TypedProblem::NameWithoutLetters => ui::EntryProblem::NameUnreadable,
        TypedProblem::ImpossibleDate { day, month, .. } => {
            entry.set_when(format!("{day:02}/{month:02}").into());
            ui::EntryProblem::ImpossibleDate
        }
        TypedProblem::BirthUnreadable => ui::EntryProblem::BirthUnreadable,
    });
}

/// Shows that no name search is left in this hour.
pub(super) fn show_no_search_left(view: &Rc<View>) {
    let entry = view.global::<ui::Entry>();
    entry.set_busy(false);
    entry.set_searches_left(0);
    entry.set_problem(ui::EntryProblem::SearchesUsedUp);
    // Filled by `home::show`, which knows the time.
    view.ask(Request::Home);
}

/// Shows what was entered, and that no problem is known of it any more.
fn show(view: &Rc<View>) {
    view.global::<ui::Entry>().set_problem(ui::EntryProblem::None);
    show_fields(view, &view.state.borrow().entry);
}

fn show_fields(view: &Rc<View>, entered: &Entered) {
    let entry = view.global::<ui::Entry>();
    entry.set_number(in_threes(&entered.number).into());
    entry.set_keys(entered.keys.as_str().into());
    entry.set_name(telex(&entered.keys).into());
    entry.set_birth(as_date(&entered.birth).into());
    entry.set_sex(sex_to_ui(entered.sex));
    entry.set_read_back(read_back(&typed::read_back(&entered.number)));
}

fn read_back(read: &ReadBack) -> ui::ReadBack {
    let place = read.place.as_ref();
    ui::ReadBack {
        prefix: place.map(|place| format!("{:03}", place.code())).unwrap_or_default().into(),
        place: place.map(|place| place_name(*place)).unwrap_or_default().into(),
        year: match (read.year, read.century) {
            (Some(year), _) => year.to_string(),
            (None, Some(century)) => format!("{century}__"),
            (None, None) => String::new(),
        }
        .into(),
        sex: sex_to_ui(read.sex),
    }
}

/// The place without its number, which stands above it.
fn place_name(place: Place) -> String {
    let text = place.describe();
    match text.split_once(" – ") {
        Some((_, name)) => name.to_owned(),
        None => text,
    }
}

/// Returns a sex as the screens name it.
pub(super) fn sex_to_ui(sex: Option<Sex>) -> ui::Sex {
    match sex {
        None => ui::Sex::Unknown,
        Some(Sex::Male) => ui::Sex::Male,
        Some(Sex::Female) => ui::Sex::Female,
    }
}

/// Returns the name that Telex keys make, each word with a capital: "nguyeenx" gives "Nguyễn".
pub(super) fn telex(keys: &str) -> String {
    let words = keys.split(' ').map(|keys| {
        let mut word = String::new();
        vi::transform_buffer(&vi::TELEX, keys.to_lowercase().chars(), &mut word);
        let mut letters = word.chars();
        letters
            .next()
            .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    });
    let text = words.collect::<Vec<_>>().join(" ");
    // The same composed form that a card has; a trailing space is kept while it is being typed.
    match Name::parse(&text) {
        Some(name) if !text.ends_with(' ') => name.as_str().to_owned(),
        _ => text,
    }
}

fn in_threes(digits: &str) -> String {
    digits
        .as_bytes()
        .chunks(3)
        .map(|chunk| String::from_utf8_lossy(chunk).into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Shows digits as a date while they are typed: four as a year, more as day, month, year.
fn as_date(digits: &str) -> String {
    match digits.len() {
        0..=4 => digits.to_owned(),
        5 | 6 => format!("{}/{}", &digits[..2], &digits[2..]),
        _ => format!("{}/{}/{}", &digits[..2], &digits[2..4], &digits[4..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telex_keys_make_vietnamese_names() {
        for (keys, expected) in [
            ("nguyeenx", "Nguyễn"),
            ("nguyeenx vawn maaux", "Nguyễn Văn Mẫu"),
            ("ddoo", "Đô"),
            ("tran thi", "Tran Thi"),
            ("tran ", "Tran "),
            ("", ""),
        ] {
            assert_eq!(telex(keys), expected, "{keys}");
        }
    }

    #[test]
    fn digits_are_shown_as_they_are_read_aloud() {
        assert_eq!(in_threes("0480889"), "048 088 9");
        assert_eq!(as_date("1988"), "1988");
        assert_eq!(as_date("021988"), "02/1988");
        assert_eq!(as_date("0203198"), "02/03/198");
        assert_eq!(as_date("02031988"), "02/03/1988");
    }
}
