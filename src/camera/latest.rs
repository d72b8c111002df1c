//! The place where the newest frame waits.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::Frame;

/// A mailbox with room for one frame: the newest replaces an older one that nobody took.
///
/// Never a queue. Decoding can take longer than the camera needs for a frame, and an officer who
/// moves the card must not wait for the reading of frames in which it was elsewhere.
///
/// Holds a [`Frame`], or one with what its reader must know of it.
#[derive(Debug)]
pub struct LatestFrame<T = Frame> {
    slot: Mutex<Option<T>>,
    arrived: Condvar,
}

impl<T> Default for LatestFrame<T> {
    fn default() -> LatestFrame<T> {
        LatestFrame::new()
    }
}

impl<T> LatestFrame<T> {
    /// Makes an empty mailbox.
    pub fn new() -> LatestFrame<T> {
        LatestFrame { slot: Mutex::new(None), arrived: Condvar::new() }
    }

    /// Puts a frame in, in place of one that is still there, which is returned: its memory may serve
    /// for the next.
    pub fn put(&self, frame: T) -> Option<T> {
        // A thread that panicked with the lock held has at worst left an older frame.
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        let passed_over = slot.replace(frame);
        drop(slot);
        self.arrived.notify_one();
        passed_over
    }

    /// Takes the frame out, waiting for one at most as long as `timeout`.
    pub fn take(&self, timeout: Duration) -> Option<T> {
        let slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut slot, _) = self
            .arrived
            .wait_timeout_while(slot, timeout, |slot| slot.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        slot.take()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    fn frame(number: u64) -> Frame {
        Frame { width: 1, height: 1, luma: vec![0], number, label: None }
    }

    const LONG: Duration = Duration::from_secs(30);
    const SHORT: Duration = Duration::from_millis(10);

    #[test]
    fn a_slow_reader_gets_only_the_newest_frame() {
        let mailbox = LatestFrame::new();
        for number in 1..=100 {
            mailbox.put(frame(number));
        }
        assert_eq!(mailbox.take(LONG).map(|frame| frame.number), Some(100));
        assert_eq!(mailbox.take(SHORT), None, "the older 99 are gone");
    }

    #[test]
    fn a_waiting_reader_is_woken_by_the_frame() {
        let mailbox = LatestFrame::new();
        thread::scope(|scope| {
            let reader = scope.spawn(|| mailbox.take(LONG));
            mailbox.put(frame(7));
            assert_eq!(reader.join().expect("reader").map(|frame| frame.number), Some(7));
        });
    }

    #[test]
    fn an_empty_mailbox_is_given_up_after_the_timeout() {
        assert_eq!(LatestFrame::<Frame>::new().take(SHORT), None);
    }

    #[test]
    fn frames_pass_in_order_and_the_last_one_always_arrives() {
        let mailbox = LatestFrame::new();
        let (seen, numbers) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                for number in 1..=1_000 {
                    mailbox.put(frame(number));
                }
            });
            scope.spawn(|| {
                while let Some(frame) = mailbox.take(LONG) {
                    seen.send(frame.number).expect("receiver lives");
                    if frame.number == 1_000 {
                        break;
                    }
                }
                drop(seen);
            });
        });
        let numbers: Vec<u64> = numbers.iter().collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        assert_eq!(numbers.last(), Some(&1_000));
    }
}
