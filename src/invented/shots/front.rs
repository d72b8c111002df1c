//! The front of a card with its QR code, seen straight.
//!
//! The look is nobody's: a silhouette, a ring, capitals without marks and the words of a specimen.
//! The code is where such cards have it, in the upper right, about a fifth of the width.

use qrcode::bits::Bits;
use qrcode::{Color, EcLevel, QrCode, Version};

use super::canvas::{Area, Canvas, guilloche};
use super::dice::Dice;
use super::pose::Point;
use super::scene::Face;
use crate::invented::card::CardText;
use crate::invented::names::without_marks;

/// Pixels a module on the card, and on the patch around the code, which is drawn finer.
const CARD_SCALE: f32 = 4.0;
const CODE_SCALE: usize = 8;

/// Versions that such payloads need; further ones are only there to be never without a code.
const VERSIONS: std::ops::RangeInclusive<i16> = 1..=40;

/// A card's front. Its unit is the module, its origin the middle of the code.
pub(super) struct Front {
    card: Canvas,
    code: Canvas,
    /// The whole card.
    pub outline: Area,
    /// The code with its quiet zone.
    patch: Area,
    /// Modules of the code's side.
    pub modules: usize,
    /// 6 to 11 for payloads of such cards.
    pub version: u8,
    /// `M` or `L`.
    pub correction: char,
}

impl Front {
    /// Draws the front of a card.
    ///
    /// # Panics
    ///
    /// When the payload is longer than a QR code can hold (2,331 bytes); those of a card are not.
    pub fn new(card: &CardText, dice: &mut Dice) -> Front {
        // Real cards have been seen with both; how often which is chosen.
        let level = if dice.happens(0.6) { EcLevel::M } else { EcLevel::L };
        let code = encode(&card.payload(), level).expect("a card's payload fits a QR code");
        let modules = code.width();
        let side = modules as f32;

        let width = side * dice.within((4.6, 5.4));
        let height = width * 53.98 / 85.6;
        let quiet = dice.within((1.5, 4.0));
        let hundredth = width / 100.0;
        let right = quiet + hundredth * dice.within((1.8, 4.7));
        let top = quiet + hundredth * dice.within((3.5, 7.0));
        let outline =
            Area { left: -(width - right - side / 2.0), top: -(top + side / 2.0), width, height };
        let around = side / 2.0 + quiet;
        let patch = Area { left: -around, top: -around, width: 2.0 * around, height: 2.0 * around };

        let mut face =
            guilloche((width * CARD_SCALE) as usize, (height * CARD_SCALE) as usize, dice);
        print(&mut face, card, outline, dice);
        let paper = dice.within((205.0, 235.0));
        let ink = dice.within((25.0, 55.0));
        let spread = spread(dice);
        let fine = CODE_SCALE as f32;
        let cells = (2.0 * around * fine) as usize;
        let code_face = Canvas::from_fn(cells, cells, |x, y| {
            let (x, y) = (x / fine - around, y / fine - around);
            let on_card =
                face.sample((x - outline.left) * CARD_SCALE, (y - outline.top) * CARD_SCALE);
            // The quiet zone is paler than the card, and still tinted.
            let under = 0.35 * on_card + 0.65 * paper;
            let dark = darkness(&code, x + side / 2.0, y + side / 2.0, spread);
            under + (ink - under) * dark
        });
        let version = ((modules - 17) / 4) as u8;
        let correction = if level == EcLevel::M { 'M' } else { 'L' };
        Front { card: face, code: code_face, outline, patch, modules, version, correction }
    }

    /// Returns the outer corners of the code without its quiet zone: upper left, upper right, lower
    /// right, lower left.
    pub fn corners(&self) -> [Point; 4] {
        let half = self.modules as f32 / 2.0;
        [[-half, -half], [half, -half], [half, half], [-half, half]]
    }
}

impl Face for Front {
    fn outline(&self) -> Area {
        self.outline
    }

    fn grey(&self, x: f32, y: f32) -> f32 {
        if self.patch.contains(x, y) {
            let scale = CODE_SCALE as f32;
            self.code.sample((x - self.patch.left) * scale, (y - self.patch.top) * scale)
        } else {
            self.card
                .sample((x - self.outline.left) * CARD_SCALE, (y - self.outline.top) * CARD_SCALE)
        }
    }
}

/// Encodes as cards do: the bytes as they are in one segment, no character set named, in the
/// smallest version that holds them.
fn encode(payload: &[u8], level: EcLevel) -> Option<QrCode> {
    VERSIONS.into_iter().find_map(|version| {
        let mut bits = Bits::new(Version::Normal(version));
        bits.push_byte_data(payload).ok()?;
        bits.push_terminator(level).ok()?;
        QrCode::with_bits(bits, level).ok()
    })
}

/// How far ink runs out of each edge of a module, or stays short of it, in sixteenths of a module.
///
/// Half the cards are printed as they should be; the others are up to an eighth off at each edge.
fn spread(dice: &mut Dice) -> f32 {
    let drawn = dice.around(0.8);
    let sixteenths = match drawn.abs() {
        ..=0.4 => 0.0,
        ..=0.65 => 1.0,
        _ => 2.0,
    };
    sixteenths * drawn.signum() / 16.0
}

/// Returns how much ink is at a point of the code, its upper left corner being the origin: 0 or 1,
/// or between where the four quarters of a pixel differ.
fn darkness(code: &QrCode, x: f32, y: f32, spread: f32) -> f32 {
    let quarter = 0.25 / CODE_SCALE as f32;
    let mut sum = 0.0;
    for (dx, dy) in
        [(-quarter, -quarter), (quarter, -quarter), (-quarter, quarter), (quarter, quarter)]
    {
        sum += if is_inked(code, x + dx, y + dy, spread) { 0.25 } else { 0.0 };
    }
    sum
}

/// Ink that runs out makes a point dark that has a dark module within reach; ink that stays short
/// leaves one light that has a light module within reach.
fn is_inked(code: &QrCode, x: f32, y: f32, spread: f32) -> bool {
    let is_dark = |x: f32, y: f32| {
        let side = code.width() as f32;
        let inside = (0.0..side).contains(&x) && (0.0..side).contains(&y);
        inside && code[(x as usize, y as usize)] == Color::Dark
    };
    let reach = spread.abs();
    let mut around = [(-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0), (1.0, 1.0)]
        .into_iter()
        .map(|(dx, dy)| is_dark(x + dx * reach, y + dy * reach));
    if spread > 0.0 { around.any(|dark| dark) } else { around.all(|dark| dark) }
}

/// Prints everything but the code.
fn print(face: &mut Canvas, card: &CardText, outline: Area, dice: &mut Dice) {
    let unit = outline.width * CARD_SCALE / 856.0;
    let at = |left: f32, top: f32| (left * unit, top * unit);
    let area = |left: f32, top: f32, width: f32, height: f32| Area {
        left: left * unit,
        top: top * unit,
        width: width * unit,
        height: height * unit,
    };
    face.write("CONG HOA MAU - NUOC GIA DINH", at(250.0, 24.0), 14.0 * unit, 70.0);
    face.write("THE MAU - SPECIMEN", at(270.0, 96.0), 22.0 * unit, 60.0);
    face.ring(area(60.0, 30.0, 110.0, 110.0), 6.0 * unit, 90.0);
    face.fill(area(30.0, 210.0, 190.0, 250.0), 150.0);
    face.ellipse(area(80.0, 240.0, 90.0, 110.0), 110.0);
    face.ellipse(area(50.0, 360.0, 150.0, 98.0), 95.0);
    let mut lines = card.lines();
    lines.remove(0);
    lines.push("THE MAU - KHONG CO GIA TRI".to_owned());
    let name = lines.iter().position(|line| *line == without_marks(&card.name));
    for (number, line) in lines.iter().flat_map(|line| in_pieces(line, 44)).enumerate() {
        let height = if Some(number) == name { 20.0 } else { 16.0 };
        let grey = dice.within((40.0, 90.0));
        face.write(&line, at(250.0, 215.0 + 38.0 * number as f32), height * unit, grey);
    }
}

/// Cuts a line after so many letters each.
fn in_pieces(line: &str, letters: usize) -> Vec<String> {
    let letters_of_line: Vec<char> = line.chars().collect();
    letters_of_line.chunks(letters).map(|piece| piece.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invented::random::Stream;
    use crate::invented::shots::holder;

    fn a_front(index: u64) -> Front {
        let mut dice = Dice::new(1, Stream::Shot, index);
        let person = holder::draw(1, &mut dice);
        Front::new(&holder::card_of(&person, &mut dice), &mut dice)
    }

    #[test]
    fn versions_and_corrections_are_those_of_cards() {
        let fronts: Vec<Front> = (0..20).map(a_front).collect();
        assert!(fronts.iter().all(|front| (6..=11).contains(&front.version)));
        let m = fronts.iter().filter(|front| front.correction == 'M').count();
        assert!((6..=18).contains(&m), "{m}");
    }

    #[test]
    fn finder_patterns_are_at_three_corners() {
        let front = a_front(3);
        let half = front.modules as f32 / 2.0;
        // The light ring of a finder pattern is between one and two modules from the edge.
        for (x, y, has_pattern) in [(-1.0, -1.0, true), (1.0, -1.0, true), (-1.0, 1.0, true)] {
            let at = |inwards: f32| front.grey(x * (half - inwards), y * (half - inwards));
            assert_eq!(at(0.5) + 60.0 < at(1.5) && at(3.5) + 60.0 < at(1.5), has_pattern);
            assert!(at(-0.8) > at(0.5) + 60.0, "the quiet zone is light");
        }
    }

    #[test]
    fn the_code_is_inside_the_card() {
        let front = a_front(1);
        for [x, y] in front.corners() {
            assert!(front.outline.contains(x, y));
        }
    }
}
