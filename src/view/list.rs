//! What is installed: versions, times, counts and regions of the snapshots.

use std::rc::Rc;

use fieldcheck_ui as ui;
use slint::{ModelRc, VecModel};

use super::{View, callback, moment_text, thousands};
use crate::clock::DeviceTime;
use crate::document::Place;
use crate::worker::loading::ReadAgain;
use crate::worker::{InstalledList, Request};

/// Sets the callbacks.
pub(super) fn connect(view: &Rc<View>) {
    let list = view.global::<ui::List>();
    list.set_installed(ModelRc::new(VecModel::default()));
    list.set_counts(ModelRc::new(VecModel::default()));
    clear(view);
    list.on_open_load(callback(view, super::load::open));
    list.on_open_loads(callback(view, super::loads::open));
    list.on_start_reading(callback(view, |view| view.ask(Request::ReadAgain)));
    list.on_stop_reading(callback(view, |view| view.ask(Request::StopJob)));
    list.on_close(callback(view, |view| {
        // One step back: to the verdict, where it was opened from there.
        let is_from_verdict = view.state.borrow().checked.is_some();
        view.go(if is_from_verdict { ui::Screen::Verdict } else { ui::Screen::Home });
    }));
}

/// Forgets what reading again has found.
pub(super) fn clear(view: &Rc<View>) {
    view.global::<ui::List>().set_read_again(ui::ReadAgain::No);
}

/// Shows how far reading again is, or what came of it.
pub(super) fn show_read_again(view: &Rc<View>, news: ReadAgain) {
    let list = view.global::<ui::List>();
    list.set_read_again(match news {
        ReadAgain::Running(percent) => {
            list.set_percent(i32::from(percent));
            ui::ReadAgain::Running
        }
        ReadAgain::Whole => ui::ReadAgain::Whole,
        ReadAgain::Damaged(dataset) => {
            list.set_damaged(super::load::dataset_to_ui(dataset));
            ui::ReadAgain::Damaged
        }
        ReadAgain::Stopped => ui::ReadAgain::Stopped,
        ReadAgain::Failed => ui::ReadAgain::Failed,
    });
    if !matches!(news, ReadAgain::Running(_)) {
        view.ask(Request::Lists);
    }
}

/// Goes to the screen and asks for what it shows.
pub(super) fn open(view: &Rc<View>) {
    view.ask(Request::Lists);
    view.go(ui::Screen::List);
}

/// Shows the installed snapshots.
pub(super) fn show(view: &Rc<View>, lists: &[InstalledList]) {
    let installed: Vec<ui::InstalledList> = lists.iter().map(line).collect();
    let counts: Vec<ui::CategoryCount> = lists
        .iter()
        .flat_map(|list| &list.counts)
        .map(|(category, count)| ui::CategoryCount {
            category: super::verdict::category_to_ui(*category),
            count: thousands(u64::from(*count)).into(),
        })
        .collect();
    let screen = view.global::<ui::List>();
    screen.set_installed(ModelRc::new(VecModel::from(installed)));
    screen.set_counts(ModelRc::new(VecModel::from(counts)));
}

fn line(list: &InstalledList) -> ui::InstalledList {
    let manifest = &list.manifest;
    ui::InstalledList {
        dataset: super::load::dataset_to_ui(manifest.dataset),
        version: manifest.version.version.to_string().into(),
        epoch: manifest.version.epoch.to_string().into(),
        created: moment_text(DeviceTime(manifest.created)).into(),
        expires: moment_text(DeviceTime(manifest.expires)).into(),
        rows: thousands(list.rows).into(),
        regions: regions(&list.regions).into(),
    }
}

/// As many regions are named; the rest are counted, for a whole nation fills no line.
const NAMED_REGIONS: usize = 6;

/// Names regions by the first three digits of their numbers; empty for the whole country.
pub(super) fn regions(codes: &[u16]) -> String {
    let name = |code: &u16| {
        let text = Place::of_prefix(*code).describe();
        let name = text.split_once(" – ").map_or(text.as_str(), |(_, name)| name);
        name.split(" (").next().unwrap_or(name).to_owned()
    };
    let mut text = codes.iter().take(NAMED_REGIONS).map(name).collect::<Vec<_>>().join(", ");
    if codes.len() > NAMED_REGIONS {
        text.push_str(&format!(" +{}", codes.len() - NAMED_REGIONS));
    }
    text
}
