//! From what each cell seems to be to a text that can be believed, or to none.
//!
//! Check digits are weak: one in ten wrong texts passes one of them (ICAO 9303-3, 4.9), `G` and `6`
//! look the same to them, and names have none at all. So they are the last sieve here and not the
//! first. A text is returned only when
//!
//! - each character fits its place: letters in a name, digits in a date;
//! - each character that no check digit covers is clearly likelier than the next one that could
//!   stand there ([`FREE_MARGIN`]), and than none;
//! - each other character is so too ([`COVERED_MARGIN`]), but for a few ([`MAX_DOUBTS`]);
//! - the name has the form of a name, the dates have months and days;
//! - all check digits hold; on Vietnamese cards the number's own, and the two numbers agree;
//! - of all texts of which this holds, it is clearly the likeliest ([`TEXT_MARGIN`]).
//!
//! What a place can hold decides between characters that were seen, and never stands in for one that
//! was not: a cell that seems empty refuses the zone. The one exception is the number of Vietnamese
//! cards, which is printed twice: nine of its digits may be seen in either place. Where both are
//! clear and differ, the card contradicts itself, and nothing is made of it.

use super::glyph::{ALPHABET, Reading};

/// How much likelier a character must be than the next one where no check digit covers it, as a
/// difference of natural logarithms.
///
/// Measured on the letters of 3,960 names: of those with a margin from 2.5 to 3.5, 222 are right and
/// one is wrong; from 3.5 to 4.5, 346 and one. At 2.5 three of 5,160 pictures were read with a wrong
/// letter, at 3.5 none of 4,960, most of them the same.
pub(super) const FREE_MARGIN: f32 = 3.5;

/// The same under a check digit.
pub(super) const COVERED_MARGIN: f32 = 2.5;

/// The same, where no other character is known to stand in such a place.
const KNOWN_MARGIN: f32 = 1.0;

/// Most characters under check digits that may be less clear than that.
const MAX_DOUBTS: usize = 6;

/// How much likelier the text that is taken must be than the next one that passes.
const TEXT_MARGIN: f32 = 4.0;

/// How much less likely than the likeliest text, passing or not, the one that is taken may be.
/// Chosen, like the two above, on backs of the seeds 1001 and 1002.
const MOST_COST: f32 = 5.0;

/// What the same change costs once more, as a share: who took one `0` for an `O` takes the next one
/// for it too, even where it seemed clearer.
const AGAIN: f32 = 0.25;

/// Most texts that are tried. Chosen: a zone with more that are nearly as likely is not clear.
const MAX_TEXTS: usize = 4_000;

/// A character that fits its place must not be much less likely than one that does not fit, or than
/// none.
const FITTING: f32 = -4.0;

/// Least share of the three likeliest characters: a cell that could be anything is not read by its
/// check digit.
const LEAST_OF_THREE: f32 = 0.6;

/// The two forms of a zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// Three lines of 30: cards (ICAO 9303-5).
    Td1,
    /// Two lines of 44: passports (ICAO 9303-4).
    Td3,
}

impl Form {
    pub fn lines(self) -> usize {
        match self {
            Form::Td1 => 3,
            Form::Td3 => 2,
        }
    }

    pub fn columns(self) -> usize {
        match self {
            Form::Td1 => 30,
            Form::Td3 => 44,
        }
    }
}

/// What may stand in a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Class {
    Digit,
    /// A digit or a filler.
    Count,
    /// A letter or a filler.
    Letter,
    /// `A`, `C` or `I` (ICAO 9303-5, 4.2.2.1).
    Card,
    /// `P`, or `V` of visas, which have lines of the same length and are not read.
    Passport,
    /// `M`, `F` or a filler.
    Sex,
    /// A filler: where Viet Nam has left optional data empty.
    Filler,
    Any,
}

impl Class {
    fn fits(self, character: u8) -> bool {
        match self {
            Class::Digit => character.is_ascii_digit(),
            Class::Count => character.is_ascii_digit() || character == b'<',
            Class::Letter => !character.is_ascii_digit(),
            Class::Card => matches!(character, b'A' | b'C' | b'I'),
            Class::Passport => matches!(character, b'P' | b'V'),
            Class::Sex => matches!(character, b'M' | b'F' | b'<'),
            Class::Filler => character == b'<',
            Class::Any => true,
        }
    }
}

/// Returns what may stand in a place, and whether check digits cover it.
fn place(form: Form, line: usize, column: usize) -> (Class, bool) {
    match (form, line, column) {
        (Form::Td1, 0, 0) => (Class::Card, false),
        (Form::Td1, 0, 1..=4) => (Class::Letter, false),
        (Form::Td1, 0, 14) => (Class::Digit, true),
        (Form::Td1, 0, _) => (Class::Any, true),
        (Form::Td1, 1, 7) => (Class::Sex, false),
        (Form::Td1, 1, 2..=5) => (Class::Count, true),
        (Form::Td1, 1, 0..=14 | 29) => (Class::Digit, true),
        (Form::Td1, 1, 15..=17) => (Class::Letter, false),
        (Form::Td1, 1, _) => (Class::Any, true),
        (Form::Td1, _, _) => (Class::Letter, false),
        (Form::Td3, 0, 0) => (Class::Passport, false),
        (Form::Td3, 0, _) => (Class::Letter, false),
        (Form::Td3, _, 20) => (Class::Sex, false),
        (Form::Td3, _, 10..=12) => (Class::Letter, false),
        (Form::Td3, _, 15..=18) => (Class::Count, true),
        (Form::Td3, _, 9 | 13..=19 | 21..=27 | 43) => (Class::Digit, true),
        (Form::Td3, _, 42) => (Class::Count, true),
        (Form::Td3, _, _) => (Class::Any, true),
    }
}

/// What a cell can be.
struct Cell {
    /// What fits the place, the likeliest first, by the logarithm of how likely each is where one of
    /// them must be. The emptier a cell seems, the less it says.
    options: Vec<(u8, f32)>,
    /// How much likelier the first is than all that does not fit, and than none.
    over_others: f32,
    over_none: f32,
}

impl Cell {
    fn of(reading: &Reading, class: Class) -> Option<Cell> {
        let scored = || ALPHABET.iter().copied().zip(reading.scores);
        let mut options: Vec<(u8, f32)> =
            scored().filter(|(character, _)| class.fits(*character)).collect();
        options.sort_by(|a, b| b.1.total_cmp(&a.1));
        let first = options.first()?.1;
        let others = scored().filter(|(character, _)| !class.fits(*character));
        let others = others.map(|(_, score)| score).fold(f32::MIN, f32::max);
        let all: f32 = options.iter().map(|(_, score)| (score - first).exp()).sum();
        let empty = (reading.none - first).exp().min(1.0e12);
        let even = empty / (all + empty) / options.len() as f32;
        for (_, score) in &mut options {
            *score = ((*score - first).exp() / (all + empty) + even).max(1.0e-9).ln();
        }
        Some(Cell { options, over_others: first - others, over_none: first - reading.none })
    }

    fn first(&self) -> u8 {
        self.options.first().map_or(b'<', |option| option.0)
    }

    /// How much likelier the first is than the next one.
    fn margin(&self) -> f32 {
        match self.options[..] {
            [(_, first), (_, second), ..] => first - second,
            _ => f32::MAX,
        }
    }

    /// Tells whether a character was seen.
    fn is_seen(&self) -> bool {
        self.over_others >= FITTING && self.over_none >= FITTING
    }

    /// Makes one of two cells that hold the same character.
    fn joined(&self, other: &Cell) -> Cell {
        let score = |character| {
            other.options.iter().find(|option| option.0 == character).map_or(-20.0, |(_, s)| *s)
        };
        let mut options: Vec<(u8, f32)> = self
            .options
            .iter()
            .map(|&(character, own)| (character, own + score(character)))
            .collect();
        options.sort_by(|a, b| b.1.total_cmp(&a.1));
        let all: f32 = options.iter().map(|(_, score)| score.exp()).sum();
        options.iter_mut().for_each(|(_, score)| *score -= all.max(1.0e-30).ln());
        let better = if self.is_seen() { self } else { other };
        Cell { options, over_others: better.over_others, over_none: better.over_none }
    }
}

/// Below this margin a cell is worth another look. Chosen: more than is needed.
const WORTH_A_LOOK: f32 = 6.0;

/// Returns the cells in which a character was seen that is not clear.
pub(super) fn unclear(form: Form, readings: &[Reading]) -> Vec<usize> {
    let columns = form.columns();
    let is_unclear = |(at, reading): (usize, &Reading)| {
        let (class, is_covered) = place(form, at / columns, at % columns);
        let cell = Cell::of(reading, class).filter(Cell::is_seen)?;
        let none = if is_covered { f32::MAX } else { cell.over_none };
        (cell.margin().min(none) < WORTH_A_LOOK).then_some(at)
    };
    readings.iter().enumerate().filter_map(is_unclear).collect()
}

/// Returns the character of each cell in which it is clear.
pub(super) fn clear(form: Form, readings: &[Reading]) -> Vec<Option<u8>> {
    let columns = form.columns();
    let clear = |(at, reading): (usize, &Reading)| {
        let cell = Cell::of(reading, place(form, at / columns, at % columns).0)?;
        let is_clear = cell.margin().min(cell.over_none).min(cell.over_others) >= COVERED_MARGIN;
        is_clear.then(|| cell.first())
    };
    readings.iter().enumerate().map(clear).collect()
}

/// Tells whether most documents have the same in a place: what it is, and whose.
pub(super) fn is_usual(form: Form, at: usize) -> bool {
    match form {
        Form::Td1 => at < 5 || (45..48).contains(&at),
        Form::Td3 => at < 5 || (54..57).contains(&at),
    }
}

/// Returns the places of the last three characters of the document's number and of its check digit:
/// two numbers that differ in a single character differ in the last (ICAO 9303-3, 4.9).
pub(super) fn end_of_number(form: Form) -> std::ops::Range<usize> {
    match form {
        Form::Td1 => 11..15,
        Form::Td3 => 50..54,
    }
}

/// Returns the logarithm of how likely it is that something stands in a cell that fits a place.
pub(super) fn fit(form: Form, line: usize, column: usize, reading: &Reading) -> f32 {
    let class = place(form, line, column).0;
    let fitting = ALPHABET.iter().zip(reading.scores).filter(|(letter, _)| class.fits(**letter));
    fitting.map(|(_, score)| score).fold(f32::MIN, f32::max)
}

/// One or two places of a text with the same character, and what else it may be at what cost.
#[derive(Clone)]
struct Doubt {
    places: [usize; 2],
    options: Vec<(u8, f32)>,
}

/// Decides on a text, given a reading of each cell: line by line, left to right.
pub(super) fn decide(form: Form, readings: &[Reading]) -> Option<Vec<u8>> {
    let columns = form.columns();
    if readings.len() != form.lines() * columns {
        return None;
    }
    let is_vietnamese = {
        let best = |at: usize| Cell::of(&readings[at], Class::Letter).map(|cell| cell.first());
        let text = (0..5).map(|at| best(at).unwrap_or(b'<'));
        match form {
            Form::Td1 => text.eq(*b"IDVNM"),
            Form::Td3 => text.skip(2).eq(*b"VNM"),
        }
    };
    let is_vietnamese_card = is_vietnamese && form == Form::Td1;
    let mut cells = Vec::with_capacity(readings.len());
    for (at, reading) in readings.iter().enumerate() {
        let (line, column) = (at / columns, at % columns);
        let (mut class, _) = place(form, line, column);
        if is_vietnamese_card && line == 0 && matches!(column, 5..=26 | 29) {
            class = Class::Digit;
        }
        if is_vietnamese_card && line == 1 && matches!(column, 18..=28) {
            class = Class::Filler;
        }
        // Nine or twelve digits of a number.
        if is_vietnamese && form == Form::Td3 && line == 1 && matches!(column, 28..=41) {
            class = Class::Count;
        }
        cells.push(Cell::of(reading, class)?);
    }
    let text: Vec<u8> = cells.iter().map(Cell::first).collect();
    let is_covered = |at: usize| place(form, at / columns, at % columns).1;
    if (0..cells.len()).any(|at| !is_covered(at) && !is_clear(form, &cells, &text, at)) {
        return None;
    }

    if is_vietnamese_card && (5..14).any(|at| differ_clearly(&cells[at], &cells[at + 13])) {
        return None;
    }
    let mut doubts = Vec::new();
    let mut unclear = 0;
    for at in (0..cells.len()).filter(|at| is_covered(*at)) {
        let twin = (is_vietnamese_card && (5..14).contains(&at)).then_some(at + 13);
        if is_vietnamese_card && (18..27).contains(&at) {
            continue;
        }
        let joined = twin.map(|twin| cells[at].joined(&cells[twin]));
        let cell = joined.as_ref().unwrap_or(&cells[at]);
        let share: f32 = cell.options.iter().take(3).map(|(_, score)| score.exp()).sum();
        // Nothing else fits, so it has to be likelier than all that does not.
        let is_lone = cell.options.len() == 1;
        if is_lone && cell.over_others.min(cell.over_none) < KNOWN_MARGIN {
            return None;
        }
        if !cell.is_seen() || share < LEAST_OF_THREE {
            return None;
        }
        unclear += usize::from(cell.margin() < COVERED_MARGIN);
        let first = cell.options.first()?.1;
        let costs = cell.options.iter().map(|&(character, score)| (character, first - score));
        let options: Vec<(u8, f32)> =
            costs.take_while(|(_, cost)| *cost < MOST_COST + TEXT_MARGIN).collect();
        doubts.push(Doubt { places: [at, twin.unwrap_or(at)], options });
    }
    if unclear > MAX_DOUBTS {
        return None;
    }
    // Where only one character is likely there is nothing to try.
    let mut text = text;
    for doubt in &doubts {
        doubt.places.iter().for_each(|&place| text[place] = doubt.options[0].0);
    }
    doubts.retain(|doubt| doubt.options.len() > 1);
    let mut search = Search {
        form,
        doubts: &doubts,
        cheapest: cheapest(&doubts),
        text,
        changes: Vec::new(),
        best: None,
        bound: MOST_COST + TEXT_MARGIN,
        is_alone: true,
        left: MAX_TEXTS,
    };
    search.walk(0, 0.0);
    let is_sure = search.is_alone && search.left > 0;
    search.best.filter(|(cost, _)| is_sure && *cost <= MOST_COST).map(|(_, text)| text)
}

/// Tells whether two cells show different characters, and clearly.
fn differ_clearly(one: &Cell, other: &Cell) -> bool {
    let is_clear = |cell: &Cell| cell.is_seen() && cell.margin() >= FREE_MARGIN;
    one.first() != other.first() && is_clear(one) && is_clear(other)
}

/// Tells whether a character that no check digit covers is clear.
fn is_clear(form: Form, cells: &[Cell], text: &[u8], at: usize) -> bool {
    let (line, column) = (at / form.columns(), at % form.columns());
    let cell = &cells[at];
    let margin = cell.margin().min(cell.over_none);
    match place(form, line, column).0 {
        // Few characters fit, so it has to be nearly as likely as those that do not.
        Class::Passport | Class::Card | Class::Sex => {
            return margin >= FREE_MARGIN && cell.over_others >= -KNOWN_MARGIN;
        }
        _ if !cell.is_seen() => return false,
        _ if margin >= FREE_MARGIN => return true,
        _ => {}
    }
    if margin < KNOWN_MARGIN || cell.over_none < FREE_MARGIN {
        return false;
    }
    // No other state's code has two of the letters of VNM, so the two least clear ones together have
    // to be clear.
    let state = match (form, line) {
        (Form::Td1, 0) if (1..5).contains(&column) => Some(2),
        (Form::Td1, 1) => Some(form.columns() + 15),
        (Form::Td3, 0) if (2..5).contains(&column) => Some(2),
        (Form::Td3, 1) => Some(form.columns() + 10),
        _ => None,
    };
    if let Some(start) = state {
        let mut margins = [0, 1, 2].map(|i| cells[start + i].margin());
        margins.sort_by(f32::total_cmp);
        let is_known = &text[start..start + 3] == b"VNM" && margins[0] + margins[1] >= FREE_MARGIN;
        // The second letter is the state's to choose, and Viet Nam has chosen.
        return is_known && (at != 1 || text.starts_with(b"ID"));
    }
    // In a name: against what would be one too.
    let name = match (form, line) {
        (Form::Td1, 2) => 2 * form.columns()..text.len(),
        (Form::Td3, 0) if column >= 5 => 5..form.columns(),
        _ => return false,
    };
    let mut other = text[name.clone()].to_vec();
    let rival = cell.options.iter().skip(1).find(|(character, _)| {
        other[at - name.start] = *character;
        is_name(&other)
    });
    rival.is_none_or(|(_, score)| cell.options[0].1 - score >= FREE_MARGIN)
}

/// What is taken for something else: the character that seems likeliest, and what it is changed into.
type Change = (u8, u8);

/// Returns each change that is possible, with what it costs where it is cheapest.
fn cheapest(doubts: &[Doubt]) -> Vec<(Change, f32)> {
    let mut changes: Vec<(Change, f32)> = Vec::new();
    for doubt in doubts {
        for &(character, cost) in &doubt.options[1..] {
            let change = (doubt.options[0].0, character);
            match changes.iter_mut().find(|(other, _)| *other == change) {
                Some((_, least)) => *least = least.min(cost),
                None => changes.push((change, cost)),
            }
        }
    }
    changes
}

/// Tries the texts that are nearly as likely as the likeliest.
struct Search<'a> {
    form: Form,
    doubts: &'a [Doubt],
    cheapest: Vec<(Change, f32)>,
    text: Vec<u8>,
    /// What was changed in the text, and what each would cost alone.
    changes: Vec<(Change, f32)>,
    /// The likeliest text that passes, and what it costs.
    best: Option<(f32, Vec<u8>)>,
    /// What costs more is not tried.
    bound: f32,
    /// Whether no other text that passes comes near the best one.
    is_alone: bool,
    left: usize,
}

impl Search<'_> {
    /// Goes on from a place with what the changes before it cost at least.
    fn walk(&mut self, at: usize, cost: f32) {
        let Some(doubt) = self.doubts.get(at) else {
            return self.look();
        };
        let first = doubt.options[0].0;
        for &(character, extra) in &doubt.options {
            if self.left == 0 {
                break;
            }
            let cost = cost + self.least(first, character, extra);
            if cost >= self.bound {
                // What is next costs more, unless it is such a change again.
                continue;
            }
            doubt.places.iter().for_each(|&place| self.text[place] = character);
            let depth = self.changes.len();
            if character != first {
                self.changes.push(((first, character), extra));
            }
            self.walk(at + 1, cost);
            self.changes.truncate(depth);
        }
        doubt.places.iter().for_each(|&place| self.text[place] = first);
    }

    /// Returns what one more change costs at least: its share, and if it is the first of its kind,
    /// the rest of the cheapest of them, which may still come.
    fn least(&self, first: u8, character: u8, extra: f32) -> f32 {
        if character == first {
            return 0.0;
        }
        let change = (first, character);
        let is_again = self.changes.iter().any(|(other, _)| *other == change);
        let cheapest = self.cheapest.iter().find(|(other, _)| *other == change);
        let rest = cheapest.filter(|_| !is_again).map_or(0.0, |(_, least)| (1.0 - AGAIN) * least);
        AGAIN * extra + rest
    }

    /// Returns what the changes cost: of each kind the cheapest in full, the others their share.
    fn cost(&self) -> f32 {
        let full = |(change, extra): &(Change, f32)| {
            let same = self.changes.iter().filter(|(other, _)| other == change);
            let least = same.clone().map(|(_, extra)| *extra).fold(f32::MAX, f32::min);
            AGAIN * extra + (1.0 - AGAIN) * least / same.count() as f32
        };
        self.changes.iter().map(full).sum()
    }

    fn look(&mut self) {
        self.left -= 1;
        let cost = self.cost();
        if cost >= self.bound || !holds(self.form, &self.text) {
            return;
        }
        match &self.best {
            Some((best, _)) if *best <= cost => self.is_alone &= cost - best >= TEXT_MARGIN,
            before => {
                self.is_alone = before.as_ref().is_none_or(|(old, _)| old - cost >= TEXT_MARGIN);
                self.best = Some((cost, self.text.clone()));
                self.bound = self.bound.min(cost + TEXT_MARGIN);
            }
        }
    }
}

/// Tells whether all that can be checked of a text holds.
pub(super) fn holds(form: Form, text: &[u8]) -> bool {
    let columns = form.columns();
    if text.len() != form.lines() * columns {
        return false;
    }
    let fits =
        |(at, &character): (usize, &u8)| place(form, at / columns, at % columns).0.fits(character);
    if !text.iter().enumerate().all(fits) {
        return false;
    }
    match form {
        Form::Td3 if text[0] != b'P' => false,
        Form::Td1 => {
            let (upper, rest) = text.split_at(columns);
            let (middle, name) = rest.split_at(columns);
            let is_vietnamese = upper.starts_with(b"IDVNM");
            is_checked(&[&upper[5..14]], upper[14])
                && is_checked(&[&middle[..6]], middle[6])
                && is_checked(&[&middle[8..14]], middle[14])
                && is_checked(
                    &[&upper[5..30], &middle[..7], &middle[8..15], &middle[18..29]],
                    middle[29],
                )
                && is_number(&upper[5..14])
                && is_state(&upper[2..5])
                && is_state(&middle[15..18])
                && is_date(&middle[..6])
                && is_date(&middle[8..14])
                && is_name(name)
                // The optional data of Viet Nam: the whole number, with a check digit of its own.
                && (!is_vietnamese
                    || (upper[15..27].iter().all(u8::is_ascii_digit)
                        && is_checked(&[&upper[15..27]], upper[29])
                        && upper[18..27] == upper[5..14]))
        }
        Form::Td3 => {
            let (upper, lower) = text.split_at(columns);
            let optional = &lower[28..42];
            let is_empty = optional.iter().all(|&character| character == b'<');
            is_checked(&[&lower[..9]], lower[9])
                && is_checked(&[&lower[13..19]], lower[19])
                && is_checked(&[&lower[21..27]], lower[27])
                // 9303-4, 4.2.2.2: may be left out where there are no optional data.
                && (is_empty && lower[42] == b'<' || is_checked(&[optional], lower[42]))
                && is_checked(&[&lower[..10], &lower[13..20], &lower[21..43]], lower[43])
                && is_number(&lower[..9])
                && is_state(&upper[2..5])
                && is_state(&lower[10..13])
                && is_date(&lower[13..19])
                && is_date(&lower[21..27])
                && is_name(&upper[5..])
        }
    }
}

/// ICAO 9303-3, 4.9: weights 7, 3, 1.
fn is_checked(parts: &[&[u8]], digit: u8) -> bool {
    let value = |character: u8| match character {
        b'0'..=b'9' => u32::from(character - b'0'),
        b'A'..=b'Z' => u32::from(character - b'A') + 10,
        _ => 0,
    };
    let weights = [7, 3, 1].into_iter().cycle();
    let characters = parts.iter().flat_map(|part| part.iter());
    let sum: u32 = characters.zip(weights).map(|(&character, w)| value(character) * w).sum();
    digit.is_ascii_digit() && sum % 10 == value(digit)
}

/// No other state's code has two of the letters of VNM in their places: such a one is VNM, misread.
fn is_state(code: &[u8]) -> bool {
    code.iter().zip(b"VNM").filter(|(own, other)| own == other).count() != 2
}

/// Letters and digits, then fillers.
fn is_number(part: &[u8]) -> bool {
    let length = part.iter().take_while(|&&character| character != b'<').count();
    length > 0 && part[length..].iter().all(|&character| character == b'<')
}

/// Six digits with a month and a day; fillers for what is not known (ICAO 9303-3, 4.8).
fn is_date(part: &[u8]) -> bool {
    let is_two = |at: usize, most: u8| {
        let [tens, ones] = [part[at], part[at + 1]].map(|digit| digit.wrapping_sub(b'0'));
        &part[at..at + 2] == b"<<" || (tens < 10 && ones < 10 && 10 * tens + ones <= most)
    };
    part[..2].iter().all(u8::is_ascii_digit) && is_two(2, 12) && is_two(4, 31)
}

/// Words with one filler between them, two once between the surname and the others, and fillers
/// behind.
fn is_name(part: &[u8]) -> bool {
    let end = part.iter().rposition(|&character| character != b'<').map_or(0, |at| at + 1);
    let name = &part[..end];
    let words: Vec<&[u8]> = name.split(|&character| character == b'<').collect();
    let empty = words.iter().filter(|word| word.is_empty()).count();
    !name.is_empty() && name[0] != b'<' && empty <= 1
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub const CARD: &str = "IDVNM0889999015048088999901<<5\
                        8803023M2803021VNM<<<<<<<<<<<4\
                        NGUYEN<<VAN<MAU<<<<<<<<<<<<<<<";
    pub const PASSPORT: &str = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\
                            L898902C36UTO7408122F1204159ZE184226B<<<<<10";

    /// Cells of which the recogniser is `margin` sure.
    pub fn sure(text: &str, margin: f32) -> Vec<Reading> {
        text.bytes().map(|character| reading(character, b'?', margin)).collect()
    }

    /// A cell that seems to be `first`, and `second` with that margin.
    pub fn reading(first: u8, second: u8, margin: f32) -> Reading {
        let mut scores = [-12.0 - margin; ALPHABET.len()];
        for (score, &character) in scores.iter_mut().zip(ALPHABET) {
            if character == first {
                *score = -0.01;
            } else if character == second {
                *score = -margin;
            }
        }
        Reading { scores, none: -30.0, place: [0.0; 2], height: 0.0 }
    }

    #[test]
    fn zones_that_are_clear_are_read() {
        for (form, text) in [(Form::Td1, CARD), (Form::Td3, PASSPORT)] {
            assert_eq!(decide(form, &sure(text, 9.0)).as_deref(), Some(text.as_bytes()));
        }
    }

    #[test]
    fn every_wrong_digit_is_refused() {
        for (form, text) in [(Form::Td1, CARD), (Form::Td3, PASSPORT)] {
            let columns = form.columns();
            let mut tried = 0;
            for at in 0..text.len() {
                let (class, covered) = place(form, at / columns, at % columns);
                if class.fits(b'0') && covered && text.as_bytes()[at].is_ascii_digit() {
                    for digit in b'0'..=b'9' {
                        let mut other = text.as_bytes().to_vec();
                        other[at] = digit;
                        assert_eq!(holds(form, &other), other == text.as_bytes(), "{at}");
                        tried += 1;
                    }
                }
            }
            assert!(tried >= 160, "{tried}");
        }
    }

    #[test]
    fn an_uncertain_name_is_refused() {
        for (form, text, at) in [(Form::Td1, CARD, 63), (Form::Td3, PASSPORT, 7)] {
            let mut readings = sure(text, 9.0);
            readings[at] = reading(text.as_bytes()[at], b'Q', FREE_MARGIN - 0.5);
            assert_eq!(decide(form, &readings), None);
            readings[at] = reading(text.as_bytes()[at], b'Q', FREE_MARGIN + 0.5);
            assert!(decide(form, &readings).is_some());
        }
    }

    #[test]
    fn a_doubt_under_check_digits_is_settled_by_them() {
        let mut readings = sure(PASSPORT, 9.0);
        // The number's first character, O or L, with the wrong one in front.
        readings[44] = reading(b'O', b'L', 1.0);
        assert_eq!(decide(Form::Td3, &readings).as_deref(), Some(PASSPORT.as_bytes()));
    }

    #[test]
    fn a_doubt_that_comes_again_is_one_doubt() {
        // Two zeros that look like O: what the two add to the check digits cancels out.
        let zeros = PASSPORT.replace("ZE184226B", "Z0184206B");
        let (check, composite) = (zeros.len() - 2, zeros.len() - 1);
        let digits: Vec<(char, char)> =
            ('0'..='9').flat_map(|one| ('0'..='9').map(move |other| (one, other))).collect();
        let text = digits.into_iter().find_map(|(one, other)| {
            let mut text = zeros.clone().into_bytes();
            (text[check], text[composite]) = (one as u8, other as u8);
            holds(Form::Td3, &text).then_some(text)
        });
        let text = text.expect("one of them is right");
        let zeros: Vec<usize> = (44 + 28..44 + 42).filter(|at| text[*at] == b'0').collect();
        let mut readings = sure(&String::from_utf8_lossy(&text), 9.0);
        readings[zeros[0]] = reading(b'O', b'0', 2.6);
        assert_eq!(decide(Form::Td3, &readings), Some(text.clone()), "one alone is settled");
        readings[zeros[1]] = reading(b'O', b'0', 2.6);
        assert_eq!(decide(Form::Td3, &readings), None);
        // One of the two seems clear, whichever it is.
        for margins in [[1.0, 8.0], [8.0, 1.0]] {
            for (at, margin) in zeros.iter().zip(margins) {
                readings[*at] = reading(b'O', b'0', margin);
            }
            assert_eq!(decide(Form::Td3, &readings), None, "{margins:?}");
        }
    }

    #[test]
    fn of_the_same_changes_the_cheapest_costs_in_full_in_any_order() {
        let doubt =
            |at, options: &[(u8, f32)]| Doubt { places: [at; 2], options: options.to_vec() };
        let one = doubt(0, &[(b'0', 0.0), (b'8', 1.0), (b'O', 5.0)]);
        let other = doubt(1, &[(b'0', 0.0), (b'O', 2.0)]);
        for doubts in [[one.clone(), other.clone()], [other, one]] {
            let mut search = Search {
                form: Form::Td1,
                doubts: &doubts,
                cheapest: cheapest(&doubts),
                text: vec![b'0'; 2],
                changes: Vec::new(),
                best: None,
                bound: f32::MAX,
                is_alone: true,
                left: 1,
            };
            let mut least = 0.0;
            for (doubt, expected) in doubts.iter().zip([1, 2]) {
                let &(character, extra) = doubt.options.last().expect("there are some");
                least += search.least(b'0', character, extra);
                search.changes.push(((b'0', character), extra));
                assert!(least <= search.cost() && search.changes.len() == expected);
            }
            assert_eq!(search.cost(), 2.0 + AGAIN * 5.0);
        }
    }

    #[test]
    fn a_number_is_read_where_it_is_not_covered() {
        let mut readings = sure(CARD, 9.0);
        readings[8].none = -0.01;
        readings[8].scores = [-9.0; ALPHABET.len()];
        assert_eq!(decide(Form::Td1, &readings).as_deref(), Some(CARD.as_bytes()));
        // The same digit in its other place.
        readings[21] = readings[8];
        assert_eq!(decide(Form::Td1, &readings), None);
    }

    #[test]
    fn a_number_that_is_clearly_another_in_its_other_place_is_refused() {
        for at in [8, 21] {
            let text = CARD.as_bytes();
            let mut readings = sure(CARD, 9.0);
            let other = if text[at] == b'0' { b'8' } else { b'0' };
            readings[at] = reading(other, text[at], FREE_MARGIN + 0.5);
            assert_eq!(decide(Form::Td1, &readings), None, "{at}");
            // One that is not clear is settled by the clear one.
            readings[at] = reading(other, text[at], 1.0);
            assert_eq!(decide(Form::Td1, &readings).as_deref(), Some(text), "{at}");
        }
    }

    #[test]
    fn a_digit_that_is_covered_is_not_made_up_from_its_check_digit() {
        for at in [30, 36, 59] {
            let mut readings = sure(CARD, 9.0);
            readings[at].none = -0.7;
            readings[at].scores = [-4.3; ALPHABET.len()];
            assert_eq!(decide(Form::Td1, &readings), None, "{at}");
        }
    }

    #[test]
    fn a_birth_date_of_which_only_the_year_is_known_is_read() {
        let text = "IDVNM0889999015048088999901<<5\
                    88<<<<0M2803021VNM<<<<<<<<<<<2\
                    NGUYEN<<VAN<MAU<<<<<<<<<<<<<<<";
        assert_eq!(decide(Form::Td1, &sure(text, 9.0)).as_deref(), Some(text.as_bytes()));
    }

    #[test]
    fn a_state_is_known_by_two_of_its_letters() {
        let mut readings = sure(CARD, 9.0);
        readings[3] = reading(b'N', b'M', 1.2);
        assert!(decide(Form::Td1, &readings).is_some());
        readings[4] = reading(b'M', b'N', 1.2);
        assert_eq!(decide(Form::Td1, &readings), None);
    }

    #[test]
    fn a_doubt_that_check_digits_cannot_settle_refuses_the_zone() {
        // G is 16 and 6 is 6: the same to every check digit.
        assert!(holds(Form::Td3, PASSPORT.as_bytes()));
        let mut readings = sure(PASSPORT, 9.0);
        readings[44 + 35] = reading(b'6', b'G', 1.0);
        assert_eq!(decide(Form::Td3, &readings), None);
    }

    #[test]
    fn a_digit_that_looks_like_a_letter_is_read_where_digits_belong() {
        let mut readings = sure(CARD, 9.0);
        readings[30] = reading(b'B', b'8', 1.0);
        assert_eq!(decide(Form::Td1, &readings).as_deref(), Some(CARD.as_bytes()));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in ["<NGUYEN<<VAN", "NGUYEN<<VAN<<MAU", "NGUYEN<<VAN<<<<MAU", ""] {
            let text = format!("{}{name:<<30}", &CARD[..60]);
            assert!(!holds(Form::Td1, text.as_bytes()), "{name}");
        }
        for name in ["NGUYEN", "NGUYEN<VAN", "NGUYEN<<VAN<MAU<EM<ANH<CUA<BAN"] {
            let text = format!("{}{name:<<30}", &CARD[..60]);
            assert!(holds(Form::Td1, text.as_bytes()), "{name}");
        }
    }

    #[test]
    fn numbers_that_do_not_belong_together_are_refused() {
        // The whole number ends in other digits than the card's, each with its check digit right.
        let other = "IDVNM0889999015048088999902<<8\
                     8803023M2803021VNM<<<<<<<<<<<5\
                     NGUYEN<<VAN<MAU<<<<<<<<<<<<<<<";
        assert!(!holds(Form::Td1, other.as_bytes()));
    }
}
