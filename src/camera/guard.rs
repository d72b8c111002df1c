//! Runs other people's decoders and drivers, which may panic or not come back.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use std::time::Duration;

/// Runs `work` and returns `None` where it panicked.
///
/// What such a panic says is thrown away unseen: the message of a failed string slice quotes the
/// string, and here that would be a person's card.
pub(crate) fn guarded<T>(what: &'static str, work: impl FnOnce() -> T) -> Option<T> {
    silence_guarded_panics();
    let before = GUARDED.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    if outcome.is_err() {
        tracing::warn!(what, "panicked and was stopped");
    }
    outcome.ok()
}

thread_local! {
    /// Whether this thread is inside [`guarded`].
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Puts a panic hook before the one in place that lets no guarded panic through.
fn silence_guarded_panics() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let next = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !GUARDED.get() {
                next(panic);
            }
        }));
    });
}

/// Waits only so long for work that cannot be interrupted.
///
/// A thread cannot be killed, so a run that takes too long goes on with nobody waiting for it;
/// while it does, no new one is started. Overdue work thus holds one core per caller at most.
pub(crate) struct Patience<T> {
    deadline: Duration,
    overdue: Mutex<Vec<Receiver<Option<T>>>>,
}

impl<T: Send + 'static> Patience<T> {
    pub(crate) const fn new(deadline: Duration) -> Patience<T> {
        Patience { deadline, overdue: Mutex::new(Vec::new()) }
    }

    /// Runs guarded `work` on a thread of its own and returns its result, or `None` where it
    /// panicked, took too long, or was not started because an earlier run still goes on.
    pub(crate) fn run(
        &self,
        what: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        if self.is_waiting() {
            return None;
        }
        let (done, result) = mpsc::sync_channel(1);
        let run = move || {
            // Nobody receives it when the run was overdue.
            let _ = done.send(guarded(what, work));
        };
        thread::Builder::new().name(what.into()).spawn(run).ok()?;
        match result.recv_timeout(self.deadline) {
            Ok(found) => found,
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                tracing::warn!(what, "took too long and was left alone");
                self.overdue.lock().unwrap_or_else(PoisonError::into_inner).push(result);
                None
            }
        }
    }

    /// Tells whether an overdue run still goes on.
    fn is_waiting(&self) -> bool {
        let mut overdue = self.overdue.lock().unwrap_or_else(PoisonError::into_inner);
        overdue.retain(|result| matches!(result.try_recv(), Err(TryRecvError::Empty)));
        !overdue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_panic_becomes_none_and_a_result_passes() {
        assert_eq!(guarded("test", || 7), Some(7));
        assert_eq!(guarded("test", || -> u8 { panic!("stopped") }), None);
    }

    /// The hook writes to the process's standard error, so a process of its own has to panic.
    #[test]
    fn a_guarded_panic_prints_nothing_of_its_message() {
        const INSIDE: &str = "FIELDCHECK_TEST_GUARDED_PANIC";
        if std::env::var_os(INSIDE).is_some() {
            assert_eq!(guarded("test", || -> u8 { panic!("048088999901 inside") }), None);
            panic!("outside the guard");
        }
        let this = "camera::guard::tests::a_guarded_panic_prints_nothing_of_its_message";
        let output = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", this, "--nocapture"])
            .env(INSIDE, "1")
            .output()
            .expect("runs");
        let printed =
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(printed.contains("outside the guard"), "other panics are shown: {printed}");
        assert!(!printed.contains("048088999901"), "{printed}");
    }

    #[test]
    fn work_in_time_gives_its_result_and_work_that_panics_none() {
        let patience = Patience::new(Duration::from_secs(30));
        assert_eq!(patience.run("test", || 7), Some(7));
        assert_eq!(patience.run("test", || panic!("stopped")), None);
        assert_eq!(patience.run("test", || 8), Some(8), "a panic is not overdue");
    }

    #[test]
    fn overdue_work_is_left_alone_and_keeps_new_work_out_until_it_ends() {
        let patience = Patience::new(Duration::from_millis(20));
        let (end, ended) = mpsc::channel::<()>();
        let late = move || {
            let _ = ended.recv();
            1
        };
        assert_eq!(patience.run("test", late), None);
        assert_eq!(patience.run("test", || 2), None, "the first still goes on");
        end.send(()).expect("the first waits");
        while patience.is_waiting() {
            thread::yield_now();
        }
        let patience = Patience { deadline: Duration::from_secs(30), ..patience };
        assert_eq!(patience.run("test", || 3), Some(3));
    }
}
