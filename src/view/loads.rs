//! The history of loads: what, when, by whom, and what became of it.

use std::rc::Rc;

use fieldcheck_ui as ui;
use slint::{ModelRc, VecModel};

use super::{View, callback, moment_text};
use crate::store::state::Load;
use crate::worker::Request;

/// Sets the callbacks.
pub(super) fn connect(view: &Rc<View>) {
    let loads = view.global::<ui::Loads>();
    loads.set_rows(ModelRc::new(VecModel::default()));
    loads.on_close(callback(view, |view| {
        let to = view.state.borrow().before_loads;
        view.go(to);
    }));
}

/// Goes to the screen and asks for what it shows.
pub(super) fn open(view: &Rc<View>) {
    view.ask(Request::Loads);
    let from = view.screen();
    view.state.borrow_mut().before_loads = from;
    view.go(ui::Screen::Loads);
}

/// Shows the lines of the history.
pub(super) fn show(view: &Rc<View>, loads: &[Load]) {
    let rows: Vec<ui::LoadLine> = loads.iter().map(line).collect();
    view.global::<ui::Loads>().set_rows(ModelRc::new(VecModel::from(rows)));
}

fn line(load: &Load) -> ui::LoadLine {
    let version = load.version.map(|version| version.version.to_string()).unwrap_or_default();
    let (outcome, problem) = match load.outcome.as_str() {
        "installed" => (ui::LoadOutcome::Loaded, ui::ProblemLine::default()),
        "stopped" => (ui::LoadOutcome::Stopped, ui::ProblemLine::default()),
        code => (ui::LoadOutcome::Refused, super::load::problem_of_code(code)),
    };
    ui::LoadLine {
        dataset: load.dataset.map_or(ui::Dataset::Notices, super::load::dataset_to_ui),
        version: version.into(),
        at: moment_text(load.at).into(),
        by: load.by.as_str().into(),
        outcome,
        problem,
    }
}
