//! Loading a list, as the commander sees it: what lies on the stick, what is checked, how far it is,
//! and the proof that it was done.

use std::rc::Rc;

use fieldcheck_ui as ui;
use slint::{Image, Model as _, ModelRc, Rgba8Pixel, SharedPixelBuffer, VecModel};
use sync_format::v1::notice::Category;
use sync_format::v1::package::{Dataset, SnapshotVersion};

use super::{View, age, callback, callback_with, moment_text, thousands, time_of_day, to_int};
use crate::carried::Why;
use crate::clock::DeviceTime;
use crate::device::DeviceError;
use crate::device::loading::{Examined, Standing};
use crate::document::Date;
use crate::snapshot::Refusal;
use crate::store::StoreError;
use crate::store::install::{InstallError, Stage};
use crate::worker::loading::{LoadEnd, LoadProgress, NotOffered, Offer, Sticks};
use crate::worker::{InstalledList, Request};

/// Most digits of a service number.
const MAX_LOADER: usize = 12;

/// What the screen holds between two events.
#[derive(Default)]
pub(super) struct Held {
    offers: Vec<Offer>,
    installed: Vec<InstalledList>,
    /// The file that is looked at, loaded or was refused.
    file: String,
    /// What was asked for when it turned out that nobody had said who loads.
    starts_after_loader: bool,
    /// A load is under way: its screen is gone back to.
    pub(super) is_loading: bool,
}

/// Sets the callbacks.
pub(super) fn connect(view: &Rc<View>) {
    clear(view);
    let load = view.global::<ui::Load>();
    load.on_digit(callback_with(view, |view, digit: i32| {
        let load = view.global::<ui::Load>();
        let mut loader = load.get_loader().to_string();
        if loader.len() < MAX_LOADER && (0..=9).contains(&digit) {
            loader.push_str(&digit.to_string());
            load.set_loader(loader.into());
        }
    }));
    load.on_erase(callback(view, |view| {
        let load = view.global::<ui::Load>();
        let mut loader = load.get_loader().to_string();
        loader.pop();
        load.set_loader(loader.into());
    }));
    load.on_loader_given(callback(view, |view| {
        let starts = std::mem::take(&mut view.state.borrow_mut().load.starts_after_loader);
        view.global::<ui::Load>().set_step(ui::LoadStep::Package);
        if starts {
            start(view);
        }
    }));
    load.on_change_loader(callback(view, |view| ask_loader(view, false)));
    load.on_look_at(callback_with(view, look_at));
    load.on_start(callback(view, start));
    load.on_stop(callback(view, |view| view.ask(Request::StopJob)));
    load.on_resume(callback(view, start));
    load.on_scan(callback(view, super::scan::start));
    load.on_open_loads(callback(view, super::loads::open));
    load.on_back(callback(view, back));
    load.on_home(callback(view, leave));
}

/// Takes everything of the last session from the screen.
pub(super) fn clear(view: &Rc<View>) {
    view.state.borrow_mut().load = Held::default();
    let load = view.global::<ui::Load>();
    load.set_step(ui::LoadStep::Choose);
    load.set_loader("".into());
    load.set_places("".into());
    load.set_looking(true);
    load.set_found(ModelRc::new(VecModel::default()));
    load.set_package(ui::FoundPackage::default());
    load.set_problem(ui::ProblemLine::default());
    clear_run(view);
}

fn clear_run(view: &Rc<View>) {
    let load = view.global::<ui::Load>();
    load.set_checks(checks(None, ui::LoadCheck::Read));
    load.set_percent(-1);
    load.set_rows("".into());
    load.set_of_rows("".into());
    load.set_rate("".into());
    load.set_seconds_left(-1);
    load.set_closing(false);
    load.set_stick_gone(false);
    load.set_has_proof(false);
    load.set_proof(Image::default());
    load.set_proof_text("".into());
}

/// Goes to the screen: to the load under way, else to what lies on the stick.
pub(super) fn open(view: &Rc<View>) {
    let load = view.global::<ui::Load>();
    if !view.state.borrow().load.is_loading {
        load.set_step(ui::LoadStep::Choose);
        load.set_looking(view.state.borrow().load.offers.is_empty());
    }
    view.ask(Request::Lists);
    view.ask(Request::WatchSticks(true));
    view.go(ui::Screen::Load);
}

/// Goes to the first screen; what is under way goes on.
fn leave(view: &Rc<View>) {
    view.ask(Request::Home);
    view.go(ui::Screen::Home);
}

/// One step back.
fn back(view: &Rc<View>) {
    let load = view.global::<ui::Load>();
    match load.get_step() {
        ui::LoadStep::Choose => leave(view),
        ui::LoadStep::Running => {}
        ui::LoadStep::Loader => {
            view.state.borrow_mut().load.starts_after_loader = false;
            if load.get_loader().len() < 4 {
                load.set_loader("".into());
            }
            load.set_step(ui::LoadStep::Package);
        }
        _ => {
            load.set_step(ui::LoadStep::Choose);
            view.ask(Request::WatchSticks(true));
        }
    }
}

fn ask_loader(view: &Rc<View>, starts: bool) {
    view.state.borrow_mut().load.starts_after_loader = starts;
    let load = view.global::<ui::Load>();
    load.set_loader("".into());
    load.set_step(ui::LoadStep::Loader);
}

/// Shows one of the packages, or why it is none.
fn look_at(view: &Rc<View>, index: i32) {
    let load = view.global::<ui::Load>();
    let Some(package) = usize::try_from(index).ok().and_then(|at| load.get_found().row_data(at))
    else {
        return;
    };
    view.state.borrow_mut().load.file = package.file.to_string();
    if package.state == ui::PackageState::Refused {
        // Nothing was loaded, so there is no time of it and no line in the history.
        load.set_checks(checks(refused_at(view, &package.file), ui::LoadCheck::Read));
        load.set_problem(package.problem.clone());
        load.set_package(package);
        load.set_step(ui::LoadStep::Refused);
    } else {
        load.set_package(package);
        load.set_step(ui::LoadStep::Package);
    }
}

/// Begins to load the package that is looked at, or asks who does.
fn start(view: &Rc<View>) {
    let load = view.global::<ui::Load>();
    if view.state.borrow().load.is_loading {
        return;
    }
    let by = load.get_loader().to_string();
    if by.is_empty() {
        return ask_loader(view, true);
    }
    clear_run(view);
    load.set_step(ui::LoadStep::Running);
    let file = {
        let mut state = view.state.borrow_mut();
        state.load.is_loading = true;
        state.load.file.clone()
    };
    view.ask(Request::Load { file, by });
}

/// Shows what lies on the sticks.
pub(super) fn show_sticks(view: &Rc<View>, sticks: Sticks) {
    let load = view.global::<ui::Load>();
    load.set_looking(false);
    load.set_places(sticks.places.join(", ").into());
    view.global::<ui::Home>().set_new_program(sticks.newer_program.unwrap_or_default().into());
    view.state.borrow_mut().load.offers = sticks.offers;
    show_offers(view);
    // The stick that was pulled out is there again: loading goes on where it stopped.
    let is_back = {
        let state = view.state.borrow();
        state.load.offers.iter().any(|offer| offer.file == state.load.file)
    };
    if load.get_step() == ui::LoadStep::Stopped && load.get_stick_gone() && is_back {
        start(view);
    }
}

/// Takes in what is installed, which packages are shown beside.
pub(super) fn show_installed(view: &Rc<View>, lists: &[InstalledList]) {
    view.state.borrow_mut().load.installed = lists.to_vec();
    show_offers(view);
}

fn show_offers(view: &Rc<View>) {
    let load = view.global::<ui::Load>();
    let packages: Vec<ui::FoundPackage> = {
        let state = view.state.borrow();
        let mut packages: Vec<_> = state
            .load
            .offers
            .iter()
            .map(|offer| package(offer, &state.load.installed, view.clock.real_time()))
            .collect();
        // What can be loaded first, then in the order of the datasets, and full lists before their
        // changes.
        packages.sort_by_key(|package| {
            let state = match package.state {
                ui::PackageState::Newer => 0,
                ui::PackageState::Same => 1,
                ui::PackageState::Older => 2,
                ui::PackageState::Refused => 3,
            };
            (state, package.dataset as u8, package.update)
        });
        for (index, package) in (0..).zip(&mut packages) {
            package.index = index;
        }
        packages
    };
    load.set_found(ModelRc::new(VecModel::from(packages)));
}

/// Returns a file on a stick as the screen shows it.
fn package(offer: &Offer, installed: &[InstalledList], now: DeviceTime) -> ui::FoundPackage {
    let bare = ui::FoundPackage {
        file: offer.file.as_str().into(),
        place: offer.place.as_str().into(),
        size: size_text(offer.bytes).into(),
        ..ui::FoundPackage::default()
    };
    let examined = match &*offer.examined {
        Ok(examined) => examined,
        Err(why) => {
            return ui::FoundPackage {
                state: ui::PackageState::Refused,
                problem: not_offered_problem(why),
                ..bare
            };
        }
    };
    let beside = installed.iter().find(|list| list.manifest.dataset == examined.dataset);
    let old = beside.map(|list| list.manifest.version);
    let is_update = examined.base.is_some();
    let (age, unit) = age(std::time::Duration::from_secs(
        u64::try_from(now.0.saturating_sub(examined.created.0)).unwrap_or_default(),
    ));
    let newer_days = beside.map_or(0, |list| {
        (examined.created.0.saturating_sub(list.manifest.created)).div_euclid(86_400)
    });
    ui::FoundPackage {
        state: match examined.standing {
            Standing::Newer => ui::PackageState::Newer,
            Standing::Same => ui::PackageState::Same,
            Standing::Older => ui::PackageState::Older,
        },
        dataset: dataset_to_ui(examined.dataset),
        version: examined.version.version.to_string().into(),
        update: is_update,
        base: examined.base.map(|base| base.to_string()).unwrap_or_default().into(),
        created: moment_text(examined.created).into(),
        age,
        unit,
        expires: super::date_text(Date::from_days(examined.expires.vietnam_day())).into(),
        rows: thousands(examined.rows).into(),
        rows_change: beside
            .filter(|_| !is_update)
            .map(|list| change_text(examined.rows, list.rows))
            .unwrap_or_default()
            .into(),
        regions: super::list::regions(&examined.regions).into(),
        counts: ModelRc::new(VecModel::from(changes(examined, beside))),
        withdrawn: to_int(u32::try_from(examined.withdrawn).unwrap_or(u32::MAX)),
        installed: old.map(version_text).unwrap_or_default().into(),
        newer_days: i32::try_from(newer_days.max(0)).unwrap_or(i32::MAX),
        ..bare
    }
}

/// Returns the categories of a package beside those of what is installed; one that goes is told too.
fn changes(examined: &Examined, beside: Option<&InstalledList>) -> Vec<ui::CategoryChange> {
    if examined.dataset != Dataset::Notices {
        return Vec::new();
    }
    let of = |counts: &[(Category, u32)], category| {
        counts.iter().find(|(of, _)| *of == category).map_or(0, |(_, count)| u64::from(*count))
    };
    let is_full = examined.base.is_none();
    Category::ALL
        .iter()
        .copied()
        .filter_map(|category| {
            let new = of(&examined.counts, category);
            let old = beside.filter(|_| is_full).map(|list| of(&list.counts, category));
            (new > 0 || old.unwrap_or(0) > 0).then(|| ui::CategoryChange {
                category: super::verdict::category_to_ui(category),
                count: thousands(new).into(),
                change: old.map(|old| change_text(new, old)).unwrap_or_default().into(),
            })
        })
        .collect()
}

/// Shows how far the load is.
pub(super) fn show_progress(view: &Rc<View>, progress: &LoadProgress) {
    let load = view.global::<ui::Load>();
    let at = &progress.at;
    // What a person waits for is the rows; that they are written and probed shows in the checks.
    let percent = at.rows.saturating_mul(100).checked_div(at.of_rows).unwrap_or(100);
    load.set_percent(i32::try_from(percent).unwrap_or(100));
    load.set_rows(thousands(at.rows).into());
    load.set_of_rows(thousands(at.of_rows).into());
    load.set_rate(progress.rows_per_second.map(rate_text).unwrap_or_default().into());
    load.set_seconds_left(
        progress
            .left
            .map_or(-1, |left| i32::try_from(left.as_secs_f64().ceil() as i64).unwrap_or(i32::MAX)),
    );
    let running = match at.stage {
        Stage::Staged => ui::LoadCheck::Parts,
        Stage::Verified | Stage::Built => ui::LoadCheck::Probe,
        Stage::Probed | Stage::Active => ui::LoadCheck::Active,
    };
    load.set_closing(running == ui::LoadCheck::Active);
    load.set_checks(checks(None, running));
    // A load of minutes is not cut by the idle clock; whoever leaves the device locks it.
    view.touch();
}

/// Shows how the load ended.
pub(super) fn show_end(view: &Rc<View>, end: &LoadEnd) {
    view.state.borrow_mut().load.is_loading = false;
    let load = view.global::<ui::Load>();
    load.set_closing(false);
    match end {
        LoadEnd::Done { version, proof, .. } => {
            load.set_checks(all_done());
            let mut package = load.get_package();
            if let Some(version) = version {
                package.version = version_text(*version).into();
            }
            load.set_package(package);
            let picture = proof.as_deref().and_then(code_picture);
            load.set_has_proof(picture.is_some());
            load.set_proof(picture.unwrap_or_default());
            load.set_proof_text(proof.clone().unwrap_or_default().into());
            load.set_step(ui::LoadStep::Done);
        }
        LoadEnd::Stopped => load.set_step(ui::LoadStep::Stopped),
        LoadEnd::StickGone => {
            load.set_stick_gone(true);
            load.set_step(ui::LoadStep::Stopped);
        }
        LoadEnd::Refused { why, in_the_rows } => {
            let mut problem = problem_of(why);
            if problem.installed.is_empty() {
                problem.installed = load.get_package().installed;
            }
            problem.time = time_of_day(view.clock.real_time()).into();
            load.set_checks(checks(Some(check_of(why, *in_the_rows)), ui::LoadCheck::Read));
            load.set_problem(problem);
            load.set_step(ui::LoadStep::Refused);
        }
    }
    view.ask(Request::Lists);
    // Only the load's own screen shows its end; a check that is on the screen stays there.
    if view.screen() == ui::Screen::Load {
        view.ask(Request::WatchSticks(true));
        view.touch();
    }
}

/// The order in which a package is checked.
const ORDER: [ui::LoadCheck; 9] = [
    ui::LoadCheck::Read,
    ui::LoadCheck::Root,
    ui::LoadCheck::Signatures,
    ui::LoadCheck::Newer,
    ui::LoadCheck::Time,
    ui::LoadCheck::Device,
    ui::LoadCheck::Parts,
    ui::LoadCheck::Probe,
    ui::LoadCheck::Active,
];

/// Returns the checks with those before one done: the one refused, or the one that runs.
fn checks(refused: Option<ui::LoadCheck>, running: ui::LoadCheck) -> ModelRc<ui::CheckLine> {
    let (here, state) = match refused {
        Some(check) => (check, ui::CheckState::Refused),
        None => (running, ui::CheckState::Running),
    };
    let at = ORDER.iter().position(|check| *check == here).unwrap_or(0);
    let line = |(index, check): (usize, ui::LoadCheck)| ui::CheckLine {
        check,
        state: match index.cmp(&at) {
            std::cmp::Ordering::Less => ui::CheckState::Done,
            std::cmp::Ordering::Equal => state,
            std::cmp::Ordering::Greater => ui::CheckState::Pending,
        },
    };
    ModelRc::new(VecModel::from(ORDER.into_iter().enumerate().map(line).collect::<Vec<_>>()))
}

fn all_done() -> ModelRc<ui::CheckLine> {
    let done = |check| ui::CheckLine { check, state: ui::CheckState::Done };
    ModelRc::new(VecModel::from(ORDER.map(done).to_vec()))
}

/// Returns the check at which a file on the stick was refused.
fn refused_at(view: &Rc<View>, file: &str) -> Option<ui::LoadCheck> {
    let state = view.state.borrow();
    let offer = state.load.offers.iter().find(|offer| offer.file == file)?;
    match &*offer.examined {
        Ok(_) => None,
        Err(NotOffered::Skipped(_)) => Some(ui::LoadCheck::Read),
        Err(NotOffered::Refused(error)) => Some(check_of(error, false)),
    }
}

/// Returns the check that an error belongs to, in the order in which they are made.
fn check_of(error: &DeviceError, in_the_rows: bool) -> ui::LoadCheck {
    let DeviceError::Install(error) = error else { return ui::LoadCheck::Active };
    match error {
        InstallError::Refused(refusal) => check_of_refusal(refusal, in_the_rows),
        InstallError::Probe(_) => ui::LoadCheck::Probe,
        InstallError::Store(StoreError::Overtaken) => ui::LoadCheck::Newer,
        InstallError::Stopped | InstallError::Store(_) | InstallError::NoRandomness => {
            ui::LoadCheck::Parts
        }
    }
}

fn check_of_refusal(refusal: &Refusal, in_the_rows: bool) -> ui::LoadCheck {
    let of_section = |section: &str| match section {
        "root chain" | "root document" => ui::LoadCheck::Root,
        "signed manifest" | "manifest" => ui::LoadCheck::Signatures,
        _ => ui::LoadCheck::Device,
    };
    match refusal {
        Refusal::Io(_) if in_the_rows => ui::LoadCheck::Parts,
        Refusal::Io(_) | Refusal::NotAPackage(_) => ui::LoadCheck::Read,
        Refusal::Undecodable { section, .. }
        | Refusal::Contradictory { section, .. }
        | Refusal::StraySignature { section } => of_section(section),
        Refusal::NoRoot
        | Refusal::ForeignRoot
        | Refusal::RootVersion { .. }
        | Refusal::EpochBack { .. }
        | Refusal::WeakKey { .. }
        | Refusal::RootExpired
        | Refusal::WrongPurpose => ui::LoadCheck::Root,
        Refusal::Signatures { role, .. } if role.starts_with("root") => ui::LoadCheck::Root,
        Refusal::Signatures { .. } | Refusal::DatasetNotSupported => ui::LoadCheck::Signatures,
        Refusal::WrongEpoch { .. } | Refusal::NotNewer { .. } => ui::LoadCheck::Newer,
        Refusal::Expired | Refusal::FromTheFuture => ui::LoadCheck::Time,
        Refusal::WrongBase { .. }
        | Refusal::WrongTagKey
        | Refusal::AppTooOld { .. }
        | Refusal::Envelope
        | Refusal::NotForThisDevice
        | Refusal::Inner => ui::LoadCheck::Device,
        Refusal::DamagedChunk { .. } | Refusal::TrailingBytes => ui::LoadCheck::Parts,
    }
}

fn not_offered_problem(why: &NotOffered) -> ui::ProblemLine {
    match why {
        NotOffered::Refused(error) => problem_of(error),
        NotOffered::Skipped(why) => ui::ProblemLine {
            kind: match why {
                Why::Gone => ui::LoadProblem::StickGone,
                Why::NotReadable => ui::LoadProblem::Unreadable,
                Why::Link | Why::NotAFile | Why::Name | Why::TooMany | Why::Empty => {
                    ui::LoadProblem::NotAPackage
                }
            },
            code: why.code().into(),
            ..ui::ProblemLine::default()
        },
    }
}

/// Returns why a package is not loaded, in the closed set that the screens have words for.
fn problem_of(error: &DeviceError) -> ui::ProblemLine {
    let DeviceError::Install(error) = error else {
        return ui::ProblemLine {
            kind: ui::LoadProblem::NotWritten,
            code: crate::worker::code_of(error).into(),
            ..ui::ProblemLine::default()
        };
    };
    let line = ui::ProblemLine { code: error.code().into(), ..ui::ProblemLine::default() };
    let kind = match error {
        InstallError::Refused(refusal) => return problem_of_refusal(refusal, line),
        InstallError::Store(StoreError::Full | StoreError::NoRoom { .. }) => {
            ui::LoadProblem::NoSpace
        }
        InstallError::Store(StoreError::Busy) => ui::LoadProblem::Busy,
        InstallError::Store(StoreError::Overtaken) => ui::LoadProblem::Overtaken,
        InstallError::Store(_) | InstallError::NoRandomness => ui::LoadProblem::NotWritten,
        InstallError::Probe(_) => ui::LoadProblem::Probe,
        InstallError::Stopped => ui::LoadProblem::Other,
    };
    ui::ProblemLine { kind, ..line }
}

fn problem_of_refusal(refusal: &Refusal, line: ui::ProblemLine) -> ui::ProblemLine {
    let kind = match refusal {
        Refusal::Io(_) => ui::LoadProblem::Unreadable,
        Refusal::NotAPackage(_) => ui::LoadProblem::NotAPackage,
        Refusal::Undecodable { .. } => ui::LoadProblem::Undecodable,
        Refusal::Contradictory { .. } => ui::LoadProblem::Contradictory,
        Refusal::NoRoot => ui::LoadProblem::NoRoot,
        Refusal::ForeignRoot => ui::LoadProblem::ForeignRoot,
        Refusal::RootVersion { .. } | Refusal::WeakKey { .. } => ui::LoadProblem::RootOrder,
        Refusal::EpochBack { .. } => ui::LoadProblem::RootBefore,
        Refusal::RootExpired => ui::LoadProblem::RootEnd,
        Refusal::WrongPurpose => ui::LoadProblem::WrongPurpose,
        Refusal::Signatures { valid, needed, .. } => {
            return ui::ProblemLine {
                kind: ui::LoadProblem::Signatures,
                valid: i32::from(*valid),
                needed: i32::from(*needed),
                ..line
            };
        }
        Refusal::StraySignature { .. } => ui::LoadProblem::StraySignature,
        Refusal::Expired => ui::LoadProblem::Expired,
        Refusal::FromTheFuture => ui::LoadProblem::FromTheFuture,
        Refusal::WrongEpoch { .. } => ui::LoadProblem::WrongEpoch,
        Refusal::NotNewer { offered, installed } => {
            let is_same = offered == installed;
            return ui::ProblemLine {
                kind: if is_same { ui::LoadProblem::Same } else { ui::LoadProblem::Older },
                offered: version_text(*offered).into(),
                installed: version_text(*installed).into(),
                ..line
            };
        }
        Refusal::WrongBase { needed, installed } => {
            return ui::ProblemLine {
                kind: ui::LoadProblem::WrongBase,
                offered: needed.to_string().into(),
                installed: installed.map(|it| it.to_string()).unwrap_or_default().into(),
                ..line
            };
        }
        Refusal::WrongTagKey => ui::LoadProblem::Contradictory,
        Refusal::DatasetNotSupported => ui::LoadProblem::OtherDataset,
        Refusal::AppTooOld { .. } => ui::LoadProblem::ProgramTooOld,
        Refusal::Envelope | Refusal::Inner => ui::LoadProblem::Envelope,
        Refusal::NotForThisDevice => ui::LoadProblem::NotForThisDevice,
        Refusal::DamagedChunk { chunk, .. } => {
            return ui::ProblemLine {
                kind: ui::LoadProblem::DamagedPart,
                part: to_int(u32::try_from(chunk.saturating_add(1)).unwrap_or(u32::MAX)),
                ..line
            };
        }
        Refusal::TrailingBytes => ui::LoadProblem::TrailingBytes,
    };
    ui::ProblemLine { kind, ..line }
}

/// Returns why a load of the history failed, by the code that was kept of it.
pub(super) fn problem_of_code(code: &str) -> ui::ProblemLine {
    let kind = match code {
        "unreadable" => ui::LoadProblem::Unreadable,
        "not-a-package" => ui::LoadProblem::NotAPackage,
        "undecodable" => ui::LoadProblem::Undecodable,
        "contradictory" | "wrong-tag-key" => ui::LoadProblem::Contradictory,
        "no-root" => ui::LoadProblem::NoRoot,
        "foreign-root" => ui::LoadProblem::ForeignRoot,
        "root-version" | "weak-key" => ui::LoadProblem::RootOrder,
        "epoch-back" => ui::LoadProblem::RootBefore,
        "root-expired" => ui::LoadProblem::RootEnd,
        "wrong-purpose" => ui::LoadProblem::WrongPurpose,
        // How many there were is not kept: that they were not enough is.
        "signatures" | "stray-signature" => ui::LoadProblem::StraySignature,
        "expired" => ui::LoadProblem::Expired,
        "from-the-future" => ui::LoadProblem::FromTheFuture,
        "wrong-epoch" => ui::LoadProblem::WrongEpoch,
        "not-newer" | "overtaken" => ui::LoadProblem::Overtaken,
        "wrong-base" => ui::LoadProblem::WrongBase,
        "dataset-not-supported" => ui::LoadProblem::OtherDataset,
        "app-too-old" => ui::LoadProblem::ProgramTooOld,
        "envelope" | "inner" => ui::LoadProblem::Envelope,
        "not-for-this-device" => ui::LoadProblem::NotForThisDevice,
        "damaged-chunk" => ui::LoadProblem::Undecodable,
        "trailing-bytes" => ui::LoadProblem::TrailingBytes,
        "no-room" | "disk-full" => ui::LoadProblem::NoSpace,
        "busy" => ui::LoadProblem::Busy,
        "store" | "no-randomness" => ui::LoadProblem::NotWritten,
        "probe" => ui::LoadProblem::Probe,
        _ => ui::LoadProblem::Other,
    };
    ui::ProblemLine { kind, code: code.into(), ..ui::ProblemLine::default() }
}

/// Returns a dataset as the screens name it.
pub(super) fn dataset_to_ui(dataset: Dataset) -> ui::Dataset {
    match dataset {
        Dataset::Notices => ui::Dataset::Notices,
        Dataset::Register => ui::Dataset::Register,
        Dataset::Anchors => ui::Dataset::Anchors,
    }
}

fn version_text(version: SnapshotVersion) -> String {
    version.version.to_string()
}

/// Writes "+12", "-3", or nothing.
fn change_text(new: u64, old: u64) -> String {
    match new.cmp(&old) {
        std::cmp::Ordering::Greater => format!("+{}", thousands(new - old)),
        std::cmp::Ordering::Less => format!("-{}", thousands(old - new)),
        std::cmp::Ordering::Equal => String::new(),
    }
}

/// Writes a rate in two figures: more would jump.
fn rate_text(rate: f64) -> String {
    let rate = rate.round().max(0.0) as u64;
    let step = 10_u64.pow(rate.checked_ilog10().unwrap_or(0).saturating_sub(1));
    thousands(rate / step * step)
}

/// Writes a size as Vietnamese does: "41,8 MB".
fn size_text(bytes: u64) -> String {
    let (value, unit) = match bytes {
        0..1_000_000 => (bytes.div_ceil(100), "kB"),
        1_000_000..1_000_000_000 => (bytes.div_ceil(100_000), "MB"),
        _ => (bytes.div_ceil(100_000_000), "GB"),
    };
    format!("{},{} {unit}", thousands(value / 10), value % 10)
}

/// Modules of blank paper round a QR code, as its norm asks for (ISO/IEC 18004, 9.1).
const QUIET_MODULES: u32 = 4;

/// Draws a QR code: its dark modules alone, a pixel each, for the screen to set on bright paper.
fn code_picture(text: &str) -> Option<Image> {
    let code = qrcode::QrCode::new(text).ok()?;
    let width = u32::try_from(code.width()).ok()?;
    let side = width + 2 * QUIET_MODULES;
    let mut pixels = SharedPixelBuffer::<Rgba8Pixel>::new(side, side);
    let rows = pixels.make_mut_slice().chunks_exact_mut(side as usize);
    let colors = code.to_colors();
    let inside = rows.skip(QUIET_MODULES as usize).zip(colors.chunks_exact(width as usize));
    for (row, modules) in inside {
        for (pixel, module) in row.iter_mut().skip(QUIET_MODULES as usize).zip(modules) {
            pixel.a = if *module == qrcode::Color::Dark { 255 } else { 0 };
        }
    }
    Some(Image::from_rgba8(pixels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_changes_and_rates_are_written_as_in_vietnam() {
        for (bytes, expected) in [
            (0, "0,0 kB"),
            (1, "0,1 kB"),
            (412_345, "412,4 kB"),
            (41_800_000, "41,8 MB"),
            (2_500_000_000, "2,5 GB"),
        ] {
            assert_eq!(size_text(bytes), expected, "{bytes}");
        }
        assert_eq!(change_text(1_322, 1_284), "+38");
        assert_eq!(change_text(1_000, 3_500), "-2.500");
        assert_eq!(change_text(7, 7), "");
        assert_eq!(rate_text(92_481.3), "92.000");
        assert_eq!(rate_text(7.2), "7");
        assert_eq!(rate_text(0.0), "0");
    }

    #[test]
    fn what_was_checked_before_a_refusal_is_done_and_the_rest_waits() {
        let states = |refused, running| -> Vec<ui::CheckState> {
            checks(refused, running).iter().map(|line| line.state).collect()
        };
        use ui::CheckState::{Done, Pending, Refused, Running};
        assert_eq!(
            states(Some(ui::LoadCheck::Newer), ui::LoadCheck::Read),
            [Done, Done, Done, Refused, Pending, Pending, Pending, Pending, Pending]
        );
        assert_eq!(
            states(None, ui::LoadCheck::Parts),
            [Done, Done, Done, Done, Done, Done, Running, Pending, Pending]
        );
    }

    #[test]
    fn a_code_is_drawn_as_dark_modules_with_quiet_paper_round_them() {
        let text = "FCI1:ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let picture = code_picture(text).unwrap();
        let pixels = picture.to_rgba8().unwrap();
        let side = pixels.width();
        assert_eq!(pixels.height(), side);
        let dark = |x: u32, y: u32| pixels.as_slice()[(y * side + x) as usize].a == 255;
        assert!((0..side).all(|x| !dark(x, 0) && !dark(x, 3) && !dark(3, x)));
        assert!(dark(4, 4), "the corner of the first finder pattern");
        assert!(pixels.as_slice().iter().all(|pixel| pixel.r == 0), "no colour of its own");
    }

    /// Every code that the history can hold has words of its own.
    #[test]
    fn the_history_knows_the_codes_of_refusals() {
        for refusal in [
            Refusal::ForeignRoot,
            Refusal::NoRoot,
            Refusal::RootExpired,
            Refusal::WrongPurpose,
            Refusal::StraySignature { section: "manifest" },
            Refusal::Expired,
            Refusal::FromTheFuture,
            Refusal::WrongEpoch { found: 1, root: 2 },
            Refusal::WrongBase { needed: 1, installed: None },
            Refusal::WrongTagKey,
            Refusal::DatasetNotSupported,
            Refusal::AppTooOld { needed: 2, here: 1 },
            Refusal::Envelope,
            Refusal::NotForThisDevice,
            Refusal::Inner,
            Refusal::TrailingBytes,
            Refusal::RootVersion { found: 3, expected: 2 },
            Refusal::EpochBack { found: 1, before: 2 },
            Refusal::WeakKey { role: "root" },
        ] {
            let from_code = problem_of_code(refusal.code()).kind;
            let code = refusal.code();
            let from_error = problem_of(&refusal.into()).kind;
            assert_eq!(from_code, from_error, "{code}");
        }
    }
}
