//! Home: the state of the list, what waits in the queue, and the big button.

use std::rc::Rc;
use std::time::Duration;

use fieldcheck_ui as ui;

use super::{View, age, callback, list_line, scan, time_of_day, to_int};
use crate::worker::{self, Request};

/// Sets the callbacks.
pub(super) fn connect(view: &Rc<View>) {
    let home = view.global::<ui::Home>();
    home.on_scan(callback(view, scan::start));
    home.on_type_in(callback(view, super::entry::start));
    home.on_open_queue(callback(view, open_queue));
    home.on_open_unrecorded(callback(view, |view| view.ask(Request::OpenUnrecorded)));
    home.on_open_list(callback(view, super::list::open));
    home.on_open_load(callback(view, super::load::open));
    home.set_update_lost(false);
    home.set_new_program("".into());
    home.on_open_settings(callback(view, |view| view.go(ui::Screen::Settings)));
}

fn open_queue(view: &Rc<View>) {
    view.ask(Request::Queue);
    view.go(ui::Screen::Queue);
}

/// Shows the state of list and queue, here and where other screens repeat it.
pub(super) fn show(view: &Rc<View>, home: &worker::Home) {
    let line = list_line(&home.list, home.now);
    view.global::<ui::Scan>().set_list(line.clone());
    view.global::<ui::About>().set_list(line.clone());
    view.global::<ui::List>().set_line(line.clone());
    let entry = view.global::<ui::Entry>();
    entry.set_searches_left(to_int(home.searches_left));
    let renews_in = i64::try_from(home.searches_renew_in.as_secs()).unwrap_or_default();
    if entry.get_problem() == ui::EntryProblem::SearchesUsedUp {
        entry.set_when(time_of_day(home.now.plus_seconds(renews_in)).into());
    }
    view.global::<ui::Chip>().set_has_reader(home.has_card_reader);
    let screen = view.global::<ui::Home>();
    screen.set_list(line);
    screen.set_queue_count(to_int(u32::try_from(home.waiting).unwrap_or(u32::MAX)));
    screen.set_unrecorded(to_int(home.unrecorded));
    screen.set_update_lost(home.changes_lost);
    screen.set_new_program(home.newer_program.clone().unwrap_or_default().into());
    let hours = home.oldest_hour.map_or(0, |oldest| home.now.hour().saturating_sub(oldest));
    // Records keep their hour alone: below two days nothing finer can be told.
    let (oldest_age, oldest_unit) = match hours {
        0..48 => (to_int(hours), ui::AgeUnit::Hours),
        _ => age(Duration::from_secs(u64::from(hours) * 3_600)),
    };
    screen.set_oldest_age(oldest_age);
    screen.set_oldest_unit(oldest_unit);
}
