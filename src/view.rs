//! Puts what the worker knows on the screens, and what the officer presses to the worker.
//!
//! One file an adapter of `ui/adapters.slint`, each with `connect`, which sets the callbacks, and
//! functions that show a value. Nothing is decided here: a view turns values into the closed sets
//! that the screens have words for, and holds what is being entered.
//!
//! All of this runs on the screen's thread and must not wait for anything.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fieldcheck_ui as ui;

use crate::checks::{ListCondition, ListState};
use crate::clock::{Clock, DeviceTime};
use crate::document::{Date, Document, PartialDate};
use crate::keys::Pin;
use crate::worker::{Checked, Event, Request, Worker};

mod about;
mod chip;
mod entry;
mod home;
mod list;
mod load;
mod loads;
mod outcome;
mod queue;
mod scan;
mod settings;
#[cfg(feature = "cli")]
pub mod shots;
mod trouble;
mod unlock;
mod verdict;
mod withdrawal;

pub use scan::{Preview, preview};

/// What the screens hold between two events.
struct State {
    pin: Pin,
    entry: entry::Entered,
    checked: Option<Checked>,
    /// What was read or typed of the card before its chip was: what the chip disagrees with is named
    /// with both values.
    printed: Option<Document>,
    chip: chip::Held,
    /// The picture that is on the screen.
    photo: Option<chip::Pixels>,
    /// Pictures that have left it, and are overwritten once it was drawn without them.
    left_photos: Vec<chip::Pixels>,
    outcome: outcome::Chosen,
    load: load::Held,
    /// Where the history of loads was opened from.
    before_loads: ui::Screen,
    scanning_since: Option<Instant>,
    hint_since: Instant,
    /// Time since boot at the last touch: it goes on while the device sleeps.
    last_touch: Duration,
    auto_lock: Duration,
    /// The device is unlocked.
    open: bool,
}

/// The window with everything behind it.
pub struct View {
    window: ui::AppWindow,
    worker: Worker,
    clock: Arc<dyn Clock>,
    /// Says without the screen that a card was read.
    tell_read: fn(),
    state: RefCell<State>,
}

/// The idle time after which the device locks, unless the officer chose another. Chosen: long
/// enough to look at a card twice, short enough for a device that is put down.
const AUTO_LOCK: Duration = Duration::from_secs(120);

/// A verdict leaves the screen after this long without a touch: nothing of a person stays on a
/// screen that nobody holds.
const VERDICT_STAYS: Duration = Duration::from_secs(60);

impl View {
    /// Connects a window to a worker, and asks how many tries are left; `tell_read` is called when a
    /// card was read, unless the officer does not want it, and must not wait.
    pub fn new(
        window: ui::AppWindow,
        worker: Worker,
        clock: Arc<dyn Clock>,
        tell_read: fn(),
    ) -> Rc<View> {
        let last_touch = clock.boot().since;
        let view = Rc::new(View {
            window,
            worker,
            clock,
            tell_read,
            state: RefCell::new(State {
                pin: Pin::new(),
                entry: entry::Entered::default(),
                checked: None,
                printed: None,
                chip: chip::Held::default(),
                photo: None,
                left_photos: Vec::new(),
                outcome: outcome::Chosen::default(),
                load: load::Held::default(),
                before_loads: ui::Screen::Home,
                scanning_since: None,
                hint_since: Instant::now(),
                last_touch,
                auto_lock: AUTO_LOCK,
                open: false,
            }),
        });
        view.clear_preview();
        connect_app(&view);
        unlock::connect(&view);
        home::connect(&view);
        scan::connect(&view);
        verdict::connect(&view);
        chip::connect(&view);
        entry::connect(&view);
        outcome::connect(&view);
        queue::connect(&view);
        settings::connect(&view);
        about::connect(&view);
        list::connect(&view);
        load::connect(&view);
        loads::connect(&view);
        withdrawal::connect(&view);
        trouble::connect(&view);
        view.ask(Request::Attempts);
        view
    }

    /// Returns the window.
    pub fn window(&self) -> &ui::AppWindow {
        &self.window
    }

    /// Shows one event. Never waits.
    pub fn apply(self: &Rc<View>, event: Event) {
        // What was under way when the device was locked is about a person, and comes too late.
        if !self.state.borrow().open && event.is_of_a_session() {
            return;
        }
        match event {
            Event::Attempts(attempts, label) => {
                self.global::<ui::Unlock>().set_device(label.into());
                unlock::show_attempts(self, attempts);
            }
            Event::Screen(settings) => settings::restore(self, &settings),
            Event::Unlocked(welcome) => {
                self.state.borrow_mut().open = true;
                self.touch();
                settings::restore(self, &welcome.settings);
                about::show(self, &welcome);
                let shown = trouble::show_queue(self, &welcome.queue);
                home::show(self, &welcome.home);
                if !shown {
                    self.go(ui::Screen::Home);
                }
            }
            Event::UnlockRefused(error) => unlock::show_refusal(self, &error),
            Event::Locked => self.go(ui::Screen::Unlock),
            // Frames come through `apply_preview`, made small on the camera's thread.
            Event::Frame(..) => {}
            Event::Hint(hint) => scan::show_hint(self, hint),
            Event::Camera(error) => scan::show_camera(self, &error),
            Event::NotACard(refusal) => scan::show_refusal(self, &refusal),
            Event::SeveralCards => scan::show_trouble(self, ui::NotACard::SeveralCards),
            Event::OtherDocument => scan::show_trouble(self, ui::NotACard::OtherDocument),
            Event::TypedRefused(problems) => entry::show_problems(self, &problems),
            Event::NoSearchLeft => entry::show_no_search_left(self),
            Event::Answered(checked) => {
                if self.screen() == ui::Screen::Scan && self.global::<ui::Settings>().get_sound() {
                    (self.tell_read)();
                }
                verdict::show(self, *checked);
            }
            Event::Chip(news) => chip::show(self, news),
            Event::CheckSaved { .. } => verdict::show_saved(self),
            Event::Saved { sequence } => outcome::show_saved(self, sequence),
            Event::NotSaved { code } => outcome::show_not_saved(self, code),
            Event::Notice(notice) => verdict::show_notice(self, &notice),
            Event::Unrecorded(unrecorded) => outcome::start_earlier(self, unrecorded),
            Event::Home(home) => home::show(self, &home),
            Event::Queue(rows, count) => queue::show(self, &rows, count),
            Event::Lists(lists) => {
                list::show(self, &lists);
                load::show_installed(self, &lists);
            }
            Event::Sticks(sticks) => load::show_sticks(self, *sticks),
            Event::LoadProgress(progress) => load::show_progress(self, &progress),
            Event::LoadEnded(end) => load::show_end(self, &end),
            Event::Loads(loads) => loads::show(self, &loads),
            Event::Withdrawal(news) => withdrawal::show(self, &news),
            Event::ReadAgain(news) => list::show_read_again(self, news),
            Event::Failed { code } => trouble::show(self, code),
        }
    }

    /// Shows a frame in the viewfinder.
    pub fn apply_preview(self: &Rc<View>, preview: Preview) {
        scan::show_preview(self, preview);
    }

    /// Does what time alone brings: guidance, counting seconds, locking. Call it about once a second.
    pub fn tick(self: &Rc<View>) {
        let (idle, verdict_is_old) = {
            let state = self.state.borrow();
            let untouched = self.clock.boot().since.saturating_sub(state.last_touch);
            // A match stays until its outcome is recorded: somebody may be on the radio about it.
            let stays = self.global::<ui::VerdictView>().get_asks_before_close();
            (state.open && untouched >= state.auto_lock, untouched >= VERDICT_STAYS && !stays)
        };
        if idle {
            self.lock();
        } else if verdict_is_old && self.shows_a_person() {
            self.forget();
            self.go(ui::Screen::Home);
        }
        verdict::wipe_photos(self);
        unlock::tick(self);
        scan::tick(self);
    }

    /// Whether a verdict is on the screen, or a reading of a chip that has ended. One that is under way
    /// ends by itself, and the officer has both hands full.
    fn shows_a_person(&self) -> bool {
        match self.screen() {
            ui::Screen::Verdict => true,
            ui::Screen::Chip => !chip::is_under_way(self),
            _ => false,
        }
    }

    /// Locks the device and leaves nothing of a person on the screen.
    pub fn lock(self: &Rc<View>) {
        self.state.borrow_mut().open = false;
        self.forget();
        load::clear(self);
        withdrawal::clear(self);
        list::clear(self);
        self.ask(Request::Lock);
        self.go(ui::Screen::Unlock);
    }

    /// Begins the idle time anew.
    fn touch(self: &Rc<View>) {
        self.state.borrow_mut().last_touch = self.clock.boot().since;
    }

    fn ask(&self, request: Request) {
        self.worker.ask(request);
    }

    fn global<'a, T: slint::Global<'a, ui::AppWindow>>(&'a self) -> T {
        T::get(&self.window)
    }

    fn screen(&self) -> ui::Screen {
        self.global::<ui::App>().get_screen()
    }

    fn go(&self, screen: ui::Screen) {
        if self.screen() == ui::Screen::Scan && screen != ui::Screen::Scan {
            self.state.borrow_mut().scanning_since = None;
            self.ask(Request::StopScan);
        }
        if self.screen() == ui::Screen::Load && screen != ui::Screen::Load {
            self.ask(Request::WatchSticks(false));
        }
        if screen != ui::Screen::Chip {
            chip::stop(self);
        }
        self.global::<ui::App>().set_screen(screen);
    }

    /// Takes the person from the screen, from here and from the worker.
    fn forget(self: &Rc<View>) {
        {
            let mut state = self.state.borrow_mut();
            state.checked = None;
            state.printed = None;
            state.outcome = outcome::Chosen::default();
            state.entry = entry::Entered::default();
            state.pin.clear();
        }
        self.clear_preview();
        chip::stop(self);
        self.ask(Request::Forget);
    }

    /// Replaces the invented values that the Slint files carry for the designer, and whatever a
    /// person left there.
    fn clear_preview(self: &Rc<View>) {
        verdict::clear(self);
        chip::clear(self);
        entry::clear(self);
        outcome::clear(self);
        scan::clear(self);
    }
}

fn connect_app(view: &Rc<View>) {
    let app = view.global::<ui::App>();
    app.set_screen(ui::Screen::Unlock);
    app.on_lock(callback(view, View::lock));
    app.on_touched(callback(view, View::touch));
    app.on_back(callback(view, |view| {
        // Nothing lies behind the lock.
        if !view.state.borrow().open {
            return;
        }
        let to = match view.screen() {
            ui::Screen::Outcome => ui::Screen::Verdict,
            ui::Screen::About => ui::Screen::Settings,
            ui::Screen::Unlock => ui::Screen::Unlock,
            // Each closes itself, one step at a time.
            ui::Screen::Load => return view.global::<ui::Load>().invoke_back(),
            ui::Screen::Loads => return view.global::<ui::Loads>().invoke_close(),
            ui::Screen::Chip => return view.global::<ui::Chip>().invoke_back(),
            ui::Screen::Withdrawal => return view.global::<ui::WithdrawalView>().invoke_close(),
            _ => ui::Screen::Home,
        };
        view.go(to);
    }));
    let weak = Rc::downgrade(view);
    app.on_go(move |screen| {
        if let Some(view) = weak.upgrade()
            && view.state.borrow().open
        {
            match screen {
                ui::Screen::Scan => scan::start_unless_asked(&view),
                _ => view.go(screen),
            }
        }
    });
}

/// Returns a callback that does nothing once the view is gone.
fn callback(view: &Rc<View>, does: impl Fn(&Rc<View>) + 'static) -> impl FnMut() + 'static {
    let weak = Rc::downgrade(view);
    move || {
        if let Some(view) = weak.upgrade() {
            does(&view);
        }
    }
}

/// Returns a callback with one value that does nothing once the view is gone.
fn callback_with<T>(
    view: &Rc<View>,
    does: impl Fn(&Rc<View>, T) + 'static,
) -> impl FnMut(T) + 'static {
    let weak = Rc::downgrade(view);
    move |value| {
        if let Some(view) = weak.upgrade() {
            does(&view, value);
        }
    }
}

/// Returns the list of notices as one line.
fn list_line(list: &ListState, now: DeviceTime) -> ui::ListLine {
    let state = match list.condition() {
        ListCondition::Fresh => ui::ListState::Usable,
        ListCondition::Ageing => ui::ListState::Ageing,
        ListCondition::TooOld => ui::ListState::TooOld,
        ListCondition::Missing => ui::ListState::Missing,
    };
    let ListState::Loaded { version, created, age_hours, usable_hours, .. } = *list else {
        return ui::ListLine { state, ..ui::ListLine::default() };
    };
    let (age, unit) = age(Duration::from_secs(
        u64::try_from(now.0.saturating_sub(created.0)).unwrap_or_default(),
    ));
    ui::ListLine {
        state,
        version: version.version.to_string().into(),
        age,
        unit,
        days_left: (to_int(usable_hours) - to_int(age_hours)).div_euclid(24),
        usable_days: to_int(usable_hours / 24),
    }
}

/// Returns an age in the unit that a person would use: two days are "2 days", not "51 hours".
fn age(age: Duration) -> (i32, ui::AgeUnit) {
    let minutes = age.as_secs() / 60;
    match minutes {
        0..120 => (to_int(minutes as u32), ui::AgeUnit::Minutes),
        120..2_880 => (to_int((minutes / 60) as u32), ui::AgeUnit::Hours),
        _ => (to_int(u32::try_from(minutes / 1_440).unwrap_or(u32::MAX)), ui::AgeUnit::Days),
    }
}

fn to_int(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// Writes a date as cards do: 12/03/1988.
fn date_text(date: Date) -> String {
    format!("{:02}/{:02}/{:04}", date.day(), date.month(), date.year())
}

/// Writes as much of a date as is known.
fn partial_date_text(date: PartialDate) -> String {
    match (date.year(), date.month(), date.day()) {
        (0, ..) => String::new(),
        (year, 0, _) => format!("{year:04}"),
        (year, month, 0) => format!("{month:02}/{year:04}"),
        (year, month, day) => format!("{day:02}/{month:02}/{year:04}"),
    }
}

/// Writes a moment in Vietnamese civil time: "23/11/2026, 06:00".
fn moment_text(time: DeviceTime) -> String {
    let date = Date::from_days(time.vietnam_day());
    format!("{}, {}", date_text(date), time_of_day(time))
}

/// Writes the time of day in Vietnam: "06:00".
fn time_of_day(time: DeviceTime) -> String {
    let seconds = (time.0 + crate::clock::VIETNAM_OFFSET_SECONDS).rem_euclid(86_400);
    format!("{:02}:{:02}", seconds / 3_600, seconds / 60 % 60)
}

/// Writes a number with points between the thousands, as Vietnamese does.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('.');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_the_unit_that_a_person_would_use() {
        for (seconds, expected) in [
            (0, (0, ui::AgeUnit::Minutes)),
            (7_199, (119, ui::AgeUnit::Minutes)),
            (7_200, (2, ui::AgeUnit::Hours)),
            (172_799, (47, ui::AgeUnit::Hours)),
            (172_800, (2, ui::AgeUnit::Days)),
        ] {
            assert_eq!(age(Duration::from_secs(seconds)), expected, "{seconds} s");
        }
    }

    #[test]
    fn numbers_and_moments_are_written_as_in_vietnam() {
        assert_eq!(thousands(7), "7");
        assert_eq!(thousands(1_284), "1.284");
        assert_eq!(thousands(1_134_310), "1.134.310");
        // 2026-11-24 17:30 UTC is half past midnight of the next day.
        assert_eq!(moment_text(DeviceTime(1_795_541_400)), "25/11/2026, 00:30");
    }

    #[test]
    fn only_what_is_known_of_a_date_is_written() {
        let text = |y, m, d| partial_date_text(PartialDate::new(y, m, d).unwrap());
        assert_eq!(text(1988, 3, 2), "02/03/1988");
        assert_eq!(text(1988, 3, 0), "03/1988");
        assert_eq!(text(1988, 0, 0), "1988");
        assert_eq!(partial_date_text(PartialDate::UNKNOWN), "");
    }
}
