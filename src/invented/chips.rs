//! The chips of the invented cards, and what each must prove.
//!
//! Most are genuine. A few of those whose holders have nothing on file show what else can be met: a
//! copy, data that were changed, a state that nobody vouches for, another person's data, a card that is
//! pulled away while it is read, and a card of the newer kind that says less.

use sync_format::v1::date::Date;

use super::card::{Card, Surface};
use crate::chip::simulated::contents::{Contents, Making};
use crate::chip::simulated::fault::Fault;
use crate::chip::simulated::holder::{Dg13Form, Holder};
use crate::chip::simulated::issuer::{Algorithms, DEMO_STATE, Issuer};
use crate::document::{PersonalNumber, qr};

/// The chip in an invented card.
pub struct InventedChip {
    /// File name of the card's picture.
    pub card: String,
    /// The number that is printed on the card.
    pub number: PersonalNumber,
    /// What is on the chip.
    pub contents: Contents,
    /// What goes wrong while it is read.
    pub faults: Vec<Fault>,
    /// What it must prove.
    pub expected: ExpectedProof,
    /// What it is there to show, in a few English words.
    pub story: &'static str,
}

/// What the plan expects of a chip, by the codes of proof and refutation; never computed by the code
/// under test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExpectedProof {
    /// Code of the proof.
    pub proof: &'static str,
    /// Codes of the findings that it brings.
    pub findings: Vec<&'static str>,
}

/// Returns the certificate of the state that issues the genuine chips (CSCA), in DER: the anchor.
pub fn anchor() -> Vec<u8> {
    Issuer::new(DEMO_STATE, Algorithms::Brainpool).anchor()
}

/// Returns its list of revoked certificates, in DER: empty, made the day before and good for a month.
pub fn revocations(today: Date) -> Vec<u8> {
    let day = |after: i32| Date::from_days(today.to_days() + after);
    Issuer::new(DEMO_STATE, Algorithms::Brainpool).revocations(&[], day(-1), day(30))
}

/// Returns the chips of all cards that are identity cards with a whole birth date.
pub fn chips(cards: &[Card]) -> Vec<InventedChip> {
    let state = Issuer::new(DEMO_STATE, Algorithms::Brainpool);
    let stranger = Issuer::new(DEMO_STATE + 1, Algorithms::Brainpool);
    let mut specials = SPECIALS.iter();
    let mut chips: Vec<InventedChip> = Vec::new();
    for card in cards.iter().filter(|card| matches!(card.surface, Surface::CardFront)) {
        let Ok(document) = qr::parse(&card.payload) else { continue };
        let (Some(holder), Some(number)) = (Holder::of_card(&document), document.personal_number())
        else {
            continue;
        };
        let is_known = chips.iter().any(|chip| chip.number == number);
        if holder.birth.full().is_none() || is_known {
            continue;
        }
        let has_nothing_on_file =
            card.expected.verdict == "NOT LISTED" && card.expected.reasons.is_empty();
        let special = if has_nothing_on_file { specials.next() } else { None };
        let kind = special.copied().unwrap_or(Special::Genuine);
        let genuine = || Contents::new(&state, &holder, &Making::default());
        let contents = match kind {
            Special::Genuine | Special::Pulled => genuine(),
            Special::Copy => genuine().copied_with_other_keys(),
            Special::CopyWithoutKeys => genuine().copied(),
            Special::Altered => genuine().altered(),
            Special::Stranger => Contents::new(&stranger, &holder, &Making::default()),
            Special::OtherName => {
                let name = "Người Giả Trong Chip".to_owned();
                Contents::new(&state, &Holder { name, ..holder.clone() }, &Making::default())
            }
            Special::SaysLess => {
                let making = Making { dg13: Dg13Form::Unreadable, ..Making::default() };
                Contents::new(&state, &holder, &making)
            }
        };
        let faults = match kind {
            Special::Pulled => vec![Fault::Cut { at: 9 }, Fault::Cut { at: 17 }],
            _ => Vec::new(),
        };
        let (expected, story) = kind.expected();
        chips.push(InventedChip {
            card: card.file.clone(),
            number,
            contents,
            faults,
            expected,
            story,
        });
    }
    chips
}

/// What a chip shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Special {
    Genuine,
    Copy,
    CopyWithoutKeys,
    Altered,
    Stranger,
    OtherName,
    Pulled,
    SaysLess,
}

/// What the chips of the first people with nothing on file show; those of all others are genuine.
const SPECIALS: [Special; 8] = [
    Special::Genuine,
    Special::Copy,
    Special::Altered,
    Special::Stranger,
    Special::OtherName,
    Special::Pulled,
    Special::SaysLess,
    Special::CopyWithoutKeys,
];

impl Special {
    fn expected(self) -> (ExpectedProof, &'static str) {
        let (proof, findings, story): (_, &[_], _) = match self {
            Special::Genuine => ("genuine", &[], "genuine"),
            Special::Copy => ("refuted", &["chip-copy"], "a copy with keys of its own"),
            Special::CopyWithoutKeys => ("refuted", &["chip-copy"], "a copy that answers nothing"),
            Special::Altered => {
                ("refuted", &["chip-refuted", "chip-name-differs"], "a name that was changed")
            }
            Special::Stranger => ("consistent", &[], "a state that nobody vouches for"),
            Special::OtherName => ("genuine", &["chip-name-differs"], "another name than printed"),
            Special::Pulled => ("genuine", &[], "pulled away twice while it is read"),
            Special::SaysLess => ("genuine", &[], "a newer card whose texts cannot be read"),
        };
        (ExpectedProof { proof, findings: findings.to_vec() }, story)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invented::World;

    #[test]
    fn the_world_shows_every_kind_of_chip() {
        let today = Date::new(2026, 11, 24).expect("a day");
        let chips = chips(&World::new(1, 1_000, today).cards());
        for special in SPECIALS {
            let (_, story) = special.expected();
            assert!(chips.iter().any(|chip| chip.story == story), "{story}");
        }
        let mut numbers: Vec<u64> = chips.iter().map(|chip| chip.number.value()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), chips.len());
    }
}
