//! Adds up what the frames of one camera say of one zone.
//!
//! Noise differs from frame to frame, and a reflection that moves covers other cells in each. What
//! a cell seems to be is added up over the frames; a cell that seems empty in one says nothing there.
//!
//! Two documents are not added up: a frame counts only where the characters that are clear in it are
//! those that were clear before, the end of the document's number and its check digit among them;
//! and a text counts only where the newest frame says so of each character that it shows clearly.

use super::glyph::{ALPHABET, Reading};
use super::read::Sheet;
use super::text::{self, Form};

/// Least characters that must be clear on both sides to see that two frames show one document.
/// Chosen: a third of those that differ between documents.
const LEAST_SHARED: usize = 16;

/// Most of them that may differ: a clear character is wrong once in a few hundred times. Documents
/// of one family, issued together, differ in four or more (the number, its check digits, the name).
const MOST_DIFFERENT: usize = 1;

/// Least characters of a frame that must be clear for it to be worth adding, as a share.
const LEAST_CLEAR: f32 = 0.4;

/// Most frames of a sum: one that still cannot be read never will. Chosen: two seconds of them.
const MAX_FRAMES: u32 = 30;

/// A sum over frames.
pub(super) struct Joined {
    form: Form,
    cells: Vec<Sum>,
    frames: u32,
}

/// What the frames say of one cell.
#[derive(Clone)]
struct Sum {
    /// Sums of the logarithms.
    scores: [f32; ALPHABET.len()],
    /// In how many frames it was seen, by the likelihood that it was.
    weight: f32,
    /// How much likelier a character was than none where it was seen best.
    over_none: f32,
}

impl Joined {
    /// Begins with a frame, if it is worth it.
    pub fn of(sheet: &Sheet) -> Option<Joined> {
        let empty = Sum { scores: [0.0; ALPHABET.len()], weight: 0.0, over_none: f32::MIN };
        let cells = vec![empty; sheet.readings.len()];
        let mut joined = Joined { form: sheet.form, cells, frames: 0 };
        joined.add(sheet);
        is_worth_adding(sheet).then_some(joined)
    }

    /// Tells whether a frame shows the same document; `None` where it does not show enough.
    pub fn agrees(&self, sheet: &Sheet) -> Option<bool> {
        if !is_worth_adding(sheet) {
            return None;
        }
        if self.frames >= MAX_FRAMES || sheet.form != self.form {
            return Some(false);
        }
        let before = text::clear(self.form, &self.readings());
        let now = text::clear(self.form, &sheet.readings);
        // Without the number in both, two of a family could be taken for one.
        let is_same_number = text::end_of_number(self.form).all(|at| {
            let (before, now) = (before.get(at), now.get(at));
            before.is_some_and(Option::is_some) && before == now
        });
        let (mut same, mut different) = (0, 0);
        for (at, (before, now)) in before.into_iter().zip(now).enumerate() {
            let (Some(before), Some(now)) = (before, now) else { continue };
            // What stands in nearly every zone says nothing.
            let is_usual = before == b'<' || text::is_usual(self.form, at);
            match before == now {
                true => same += usize::from(!is_usual),
                false => different += 1,
            }
        }
        match different <= MOST_DIFFERENT {
            true => (is_same_number && same >= LEAST_SHARED).then_some(true),
            false => Some(false),
        }
    }

    /// Adds a frame.
    pub fn add(&mut self, sheet: &Sheet) {
        self.frames += 1;
        for (sum, reading) in self.cells.iter_mut().zip(&sheet.readings) {
            let empty = reading.none.exp().min(1.0);
            let even = empty / ALPHABET.len() as f32;
            let mut first = f32::MIN;
            for (slot, score) in sum.scores.iter_mut().zip(reading.scores) {
                *slot += (score.exp() + even).max(1.0e-9).ln();
                first = first.max(score);
            }
            sum.weight += 1.0 - empty;
            sum.over_none = sum.over_none.max(first - reading.none);
        }
    }

    /// Returns the text, where it is clear and the newest frame does not speak against it.
    pub fn text(&self, newest: &Sheet) -> Option<Vec<u8>> {
        if self.frames < 2 {
            return None;
        }
        let text = text::decide(self.form, &self.readings())?;
        let now = text::clear(self.form, &newest.readings);
        let is_supported = text.iter().zip(now).all(|(own, now)| now.is_none_or(|now| now == *own));
        is_supported.then_some(text)
    }

    /// The frames are of one card, one print and one lens, so they err together: what they agree on
    /// counts as the root of their number, not as often as there are frames.
    fn readings(&self) -> Vec<Reading> {
        let reading = |sum: &Sum| {
            let share = 1.0 / sum.weight.max(1.0).sqrt();
            let scores = sum.scores.map(|score| score * share);
            let first = scores.iter().copied().fold(f32::MIN, f32::max);
            let all = first + scores.iter().map(|score| (score - first).exp()).sum::<f32>().ln();
            let scores = scores.map(|score| score - all);
            let none = first - all - sum.over_none;
            Reading { scores, none, place: [0.0; 2], height: 0.0 }
        };
        self.cells.iter().map(reading).collect()
    }
}

fn is_worth_adding(sheet: &Sheet) -> bool {
    let clear = text::clear(sheet.form, &sheet.readings).into_iter().flatten().count();
    clear as f32 >= LEAST_CLEAR * sheet.readings.len() as f32
}

#[cfg(test)]
mod tests {
    use super::super::text::tests::{CARD, PASSPORT, reading, sure};
    use super::*;

    fn sheet(text: &str) -> Sheet {
        Sheet { form: Form::Td1, readings: sure(text, 9.0) }
    }

    /// A sheet of which some cells seem empty.
    fn covered(text: &str, cells: std::ops::Range<usize>) -> Sheet {
        let mut sheet = sheet(text);
        for cell in cells {
            let reading = &mut sheet.readings[cell];
            reading.scores = [-9.0; ALPHABET.len()];
            reading.none = -0.01;
        }
        sheet
    }

    /// The card of somebody whose number is the next one, with all its check digits right.
    const SISTER: &str = "IDVNM1889999023048188999902<<3\
                          8803023F2803021VNM<<<<<<<<<<<4\
                          NGUYEN<<THI<MAU<<<<<<<<<<<<<<<";

    #[test]
    fn two_frames_with_reflections_in_other_places_are_read_together() {
        let (left, right) = (covered(CARD, 62..66), covered(CARD, 34..37));
        for sheet in [&left, &right] {
            assert_eq!(text::decide(Form::Td1, &sheet.readings), None);
        }
        let mut joined = Joined::of(&left).expect("most of it is clear");
        assert_eq!(joined.text(&left), None, "one frame is no two");
        assert_eq!(joined.agrees(&right), Some(true));
        joined.add(&right);
        assert_eq!(joined.text(&right).as_deref(), Some(CARD.as_bytes()));
    }

    #[test]
    fn what_is_covered_in_every_frame_is_not_read() {
        let mut joined = Joined::of(&covered(CARD, 62..66)).expect("most of it is clear");
        for end in [64, 65, 66] {
            let next = covered(CARD, 62..end);
            assert_eq!(joined.agrees(&next), Some(true));
            joined.add(&next);
            assert_eq!(joined.text(&next), None);
        }
    }

    #[test]
    fn another_document_is_not_added() {
        assert!(text::holds(Form::Td1, SISTER.as_bytes()));
        let joined = Joined::of(&covered(CARD, 62..66)).expect("most of it is clear");
        assert_eq!(joined.agrees(&sheet(SISTER)), Some(false));
        // Not even where a frame shows little of what differs.
        assert_eq!(joined.agrees(&covered(SISTER, 66..80)), Some(false));
        assert_eq!(joined.agrees(&covered(SISTER, 12..30)), Some(false));
    }

    #[test]
    fn a_document_of_another_form_is_another_one() {
        let joined = Joined::of(&sheet(CARD)).expect("all of it is clear");
        let passport = Sheet { form: Form::Td3, readings: sure(PASSPORT, 9.0) };
        assert_eq!(joined.agrees(&passport), Some(false));
    }

    #[test]
    fn a_frame_without_the_number_is_not_added() {
        // The name of one and the number of the other would pass all check digits.
        let joined = Joined::of(&covered(CARD, 5..30)).expect("most of it is clear");
        assert_eq!(joined.agrees(&covered(CARD, 66..80)), None);
        let joined = Joined::of(&covered(CARD, 66..80)).expect("most of it is clear");
        assert_eq!(joined.agrees(&covered(CARD, 5..30)), None);
        assert_eq!(joined.agrees(&covered(CARD, 15..30)), Some(true));
    }

    #[test]
    fn a_frame_that_speaks_against_the_text_stops_it() {
        let mut joined = Joined::of(&covered(CARD, 62..66)).expect("most of it is clear");
        let mut other = sheet(CARD);
        other.readings[68] = reading(b'X', b'Q', 9.0);
        assert_eq!(joined.agrees(&other), Some(true), "one character may be wrong");
        joined.add(&other);
        assert_eq!(joined.text(&other), None);
    }

    #[test]
    fn a_frame_that_shows_little_is_not_added() {
        assert!(Joined::of(&covered(CARD, 0..60)).is_none());
        let joined = Joined::of(&sheet(CARD)).expect("all of it is clear");
        assert_eq!(joined.agrees(&covered(CARD, 5..60)), None);
    }
}
