//! What readers made of a set of pictures.

use std::time::Duration;

use super::harness::Samples;
use super::peers::Answer;

/// What one engine read of a set.
#[derive(Default)]
pub struct Tally {
    pub engine: String,
    /// Read rightly, by the groups of the set.
    pub read: Vec<usize>,
    /// Bytes that are not those of the picture.
    pub wrong: usize,
    /// The processor's time of pictures that were read, and of the others.
    pub took_read: Samples,
    pub took_unread: Samples,
    pub worst: Duration,
    /// Whether the last picture was read.
    pub has_read_last: bool,
}

impl Tally {
    pub fn total(&self) -> usize {
        self.read.iter().sum()
    }
}

/// All engines in the order in which they answered first.
#[derive(Default)]
pub struct Tallies(pub Vec<Tally>);

impl Tallies {
    /// Counts an answer about a picture of a group (of `groups`); `truth` is what is in the picture.
    pub fn count(
        &mut self,
        answer: &Answer,
        group: usize,
        groups: usize,
        is_truth: impl Fn(&[u8]) -> bool,
    ) {
        let at = self.0.iter().position(|tally| tally.engine == answer.engine);
        let at = at.unwrap_or_else(|| {
            let engine = answer.engine.clone();
            self.0.push(Tally { engine, read: vec![0; groups], ..Tally::default() });
            self.0.len() - 1
        });
        let tally = &mut self.0[at];
        let right = answer.payloads.iter().filter(|bytes| is_truth(bytes)).count();
        tally.wrong += answer.payloads.len() - right;
        tally.has_read_last = right > 0;
        tally.worst = tally.worst.max(answer.took);
        if right > 0 {
            tally.read[group] += 1;
            tally.took_read.push(answer.took);
        } else {
            tally.took_unread.push(answer.took);
        }
    }
}
