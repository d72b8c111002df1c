//! How fast an installation goes, and how long it will still take.

use std::collections::VecDeque;
use std::time::Duration;

use super::install::Progress;

/// The pace of the last seconds: a stick that slows down is seen, and one slow chunk is not.
#[derive(Clone, Default, Debug)]
pub struct Pace {
    seen: VecDeque<(Duration, Progress)>,
}

/// The pace is that of this stretch. Chosen.
const WINDOW: Duration = Duration::from_secs(10);

impl Pace {
    /// Returns a pace that has seen nothing yet.
    pub fn new() -> Pace {
        Pace::default()
    }

    /// Takes in how far the installation is at `at`, by any clock that only goes on.
    pub fn observe(&mut self, at: Duration, progress: &Progress) {
        self.seen.push_back((at, *progress));
        // One sample from before the stretch stays, so that the stretch is measured whole.
        while self.seen.get(1).is_some_and(|(second, _)| at.saturating_sub(*second) >= WINDOW) {
            self.seen.pop_front();
        }
    }

    /// Returns the rows of one second, `None` until two observations differ.
    pub fn rows_per_second(&self) -> Option<f64> {
        self.per_second(|progress| progress.rows)
    }

    /// Returns the bytes of one second, `None` until two observations differ.
    pub fn bytes_per_second(&self) -> Option<f64> {
        self.per_second(|progress| progress.bytes)
    }

    /// Returns how long the rest takes at this pace, `None` while there is none.
    pub fn left(&self) -> Option<Duration> {
        let (_, last) = self.seen.back()?;
        let rows = last.of_rows.saturating_sub(last.rows) as f64;
        let seconds = rows / self.rows_per_second()?;
        Duration::try_from_secs_f64(seconds).ok()
    }

    fn per_second(&self, of: impl Fn(&Progress) -> u64) -> Option<f64> {
        let ((began, first), (at, last)) = (self.seen.front()?, self.seen.back()?);
        let passed = at.checked_sub(*began)?.as_secs_f64();
        let done = of(last).checked_sub(of(first))? as f64;
        (passed > 0.0 && done > 0.0).then(|| done / passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::install::Stage;

    fn at(rows: u64) -> Progress {
        Progress { stage: Stage::Staged, rows, of_rows: 1_000, bytes: rows * 5, of_bytes: 5_000 }
    }

    #[test]
    fn the_pace_is_that_of_the_last_seconds_and_tells_the_rest() {
        let mut pace = Pace::new();
        assert_eq!((pace.rows_per_second(), pace.left()), (None, None));
        pace.observe(Duration::from_secs(5), &at(100));
        assert_eq!(pace.left(), None, "one observation is no pace");
        pace.observe(Duration::from_secs(7), &at(300));
        assert_eq!(pace.rows_per_second(), Some(100.0));
        assert_eq!(pace.bytes_per_second(), Some(500.0));
        assert_eq!(pace.left(), Some(Duration::from_secs(7)));
        // The stick slows down: after the stretch only the new pace counts.
        for second in 8..30 {
            pace.observe(Duration::from_secs(second), &at(300 + (second - 7) * 10));
        }
        assert_eq!(pace.rows_per_second(), Some(10.0));
        assert_eq!(pace.left(), Some(Duration::from_secs(48)));
    }

    #[test]
    fn a_standstill_has_no_end_and_divides_by_nothing() {
        let mut pace = Pace::new();
        pace.observe(Duration::from_secs(5), &at(100));
        pace.observe(Duration::from_secs(5), &at(200));
        assert_eq!(pace.left(), None);
        pace.observe(Duration::from_secs(6), &at(100));
        assert_eq!(pace.left(), None, "nor does one that was begun anew");
    }
}
