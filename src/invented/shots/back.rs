//! The back of a card and the page of a passport, with their machine-readable zones.
//!
//! Sizes are in millimetres: ID-1 and TD3 as ISO/IEC 7810 and ICAO 9303 have them, characters of
//! OCR-B size I every 2.54 mm, 2.4 mm high with strokes of 0.35 mm (ICAO 9303-3; ISO 1073-2), lines
//! every 4.3 mm on cards and 6.35 mm in passports. A stroke is about as wide as a module of the
//! code on the front, so the ranges of defocus, motion and noise are those of [`Level`] with strokes
//! for modules.
//!
//! The zone has to be wholly in the frame, so the ranges of the size are their own. Pixels from the
//! foot of a character to its top, drawn evenly (a zone that would not fit is made smaller):
//!
//! | | easy | medium | hard |
//! |---|---|---|---|
//! | card | 25–34 | 19–29 | 14–24 |
//! | passport | 20–26 | 17–23 | 13–19 |
//! | turned, degrees to either side | 5 | 12 | 25 |
//! | upside down | never | 1 in 10 | 1 in 10 |

use std::fmt;

use super::burst::{Hand, SHAKE, STEP};
use super::canvas::{Area, Canvas, guilloche};
use super::dice::Dice;
use super::level::{Level, Range, Ranges};
use super::ocr_b::OcrB;
use super::pose::{Pose, extent};
use super::scene::{Conditions, Face, Focus, Moment};
use super::{Factors, HEIGHT, WIDTH, factors, frame_of, holder, zone};
use crate::camera::Frame;
use crate::invented::names::without_marks;
use crate::invented::people::Person;
use crate::invented::random::Stream;

/// What the zone stands on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BackKind {
    /// The back of an identity card: three lines of 30 (TD1).
    Card,
    /// The page of a passport: two lines of 44 (TD3).
    Passport,
}

/// A photograph of a machine-readable zone, and what a reader of it must give.
///
/// `Debug` shows nothing of the text: it has the form of a person's document.
#[derive(Clone)]
pub struct BackShot {
    /// What the camera saw.
    pub frame: Frame,
    /// The lines of the zone, from top to bottom.
    pub lines: Vec<String>,
    /// What the zone stands on.
    pub kind: BackKind,
    /// How bad it is.
    pub level: Level,
    /// Corners of the zone in the frame, from the upper left of its first character around.
    pub quad: [[f32; 2]; 4],
    /// Height of a character where the middle of the zone is, pixels.
    pub character_height: f32,
    /// What was done to it; lengths in widths of a stroke, which is `factors.module` pixels.
    pub factors: Factors,
}

impl BackShot {
    /// Returns the zone as one text, lines apart.
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }
}

impl fmt::Debug for BackShot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackShot")
            .field("kind", &self.kind)
            .field("level", &self.level)
            .field("character_height", &self.character_height)
            .field("factors", &self.factors)
            .finish_non_exhaustive()
    }
}

/// From one character to the next, its height, and the width of its strokes, millimetres.
const PITCH: f32 = 2.54;
const CHARACTER: f32 = 2.4;
const STROKE: f32 = 0.35;

/// The side of the code on the front, by which shine and fingers are measured, millimetres.
const CODE: f32 = 17.0;

/// Pixels a millimetre of the printed surface.
const FINENESS: f32 = 16.0;

/// Sizes of what a zone stands on, millimetres.
struct Form {
    size: (f32, f32),
    line_pitch: f32,
    lines: usize,
    columns: usize,
    /// From the lower edge to the middle of the last line.
    below: f32,
}

impl BackKind {
    fn form(self) -> Form {
        match self {
            BackKind::Card => {
                Form { size: (85.6, 53.98), line_pitch: 4.3, lines: 3, columns: 30, below: 5.4 }
            }
            BackKind::Passport => {
                Form { size: (125.0, 88.0), line_pitch: 6.35, lines: 2, columns: 44, below: 8.5 }
            }
        }
    }

    /// Pixels of a character's height.
    fn heights(self, level: Level) -> Range {
        match (self, level) {
            (BackKind::Card, Level::Easy) => (25.0, 34.0),
            (BackKind::Card, Level::Medium) => (19.0, 29.0),
            (BackKind::Card, Level::Hard) => (14.0, 24.0),
            (BackKind::Passport, Level::Easy) => (20.0, 26.0),
            (BackKind::Passport, Level::Medium) => (17.0, 23.0),
            (BackKind::Passport, Level::Hard) => (13.0, 19.0),
        }
    }
}

/// Takes photograph number `index` of a seed.
pub fn back(seed: u64, index: u64, level: Level, kind: BackKind, font: &OcrB) -> BackShot {
    // Another kind or level of the same index is another person.
    let stream = (index << 3) | (level as u64) << 1 | kind as u64;
    let mut dice = Dice::new(seed, Stream::Back, stream);
    let person = holder::draw(seed, &mut dice);
    let back = Back::of(kind, &person, font, &mut dice);
    let mut shot = back.shoot(level, &mut dice);
    shot.frame.number = index + 1;
    shot
}

/// Takes an easy photograph of the back of a person's card. The same person gives the same picture.
pub fn back_of(person: &Person, font: &OcrB) -> BackShot {
    let mut dice = Dice::new(person.number, Stream::Back, 0);
    Back::of(BackKind::Card, person, font, &mut dice).shoot(Level::Easy, &mut dice)
}

/// Takes `frames` photographs of one back in one hand, each with parameters of [`Level::Hard`].
pub fn back_burst(
    seed: u64,
    index: u64,
    frames: usize,
    kind: BackKind,
    font: &OcrB,
) -> Vec<BackShot> {
    let level = Level::Hard;
    let ranges = Ranges::of(level);
    let mut dice = Dice::new(seed, Stream::BackBurst, (index << 1) | kind as u64);
    let person = holder::draw(seed, &mut dice);
    let back = Back::of(kind, &person, font, &mut dice);
    let start = back.pose(level, ranges, &mut dice);
    let conditions = Conditions::draw(ranges, &mut dice);
    let (_, most) = kind.heights(level);
    // A zone that would not fit has been made smaller than the level's.
    let scales = (start.scale * 0.95, (start.scale * 1.05).min(most / CHARACTER));
    let hand = Hand::holding(start, scales, STROKE, ranges, &mut dice);
    let exposure = hand.exposure(frames, dice.within(SHAKE));
    (0..frames)
        .map(|frame| {
            let time = frame as f32 * STEP;
            let (pose, moment) = (hand.pose(time), hand.moment(time, exposure));
            let mut shot = back.photograph(level, &pose, &conditions, &moment, &mut dice);
            shot.frame.number = frame as u64 + 1;
            shot
        })
        .collect()
}

/// The printed surface. Its unit is the millimetre, its origin the middle of the zone.
struct Back {
    kind: BackKind,
    lines: Vec<String>,
    print: Canvas,
    outline: Area,
    /// Half the width and height of the zone.
    half: (f32, f32),
}

impl Back {
    fn of(kind: BackKind, person: &Person, font: &OcrB, dice: &mut Dice) -> Back {
        let lines = match kind {
            BackKind::Card => zone::of_card(person),
            BackKind::Passport => zone::of_passport(person, dice),
        };
        let form = kind.form();
        let (width, height) = form.size;
        let half_width = form.columns as f32 * PITCH / 2.0;
        let between = form.line_pitch * (form.lines - 1) as f32;
        let half_height = (between + CHARACTER) / 2.0;
        // The zone may be printed a little off the middle, and a little high or low.
        let middle = (
            width / 2.0 + dice.around(0.5),
            height - form.below - between / 2.0 + dice.around(0.5),
        );
        let outline = Area { left: -middle.0, top: -middle.1, width, height };

        let mut print = guilloche((width * FINENESS) as usize, (height * FINENESS) as usize, dice);
        match kind {
            BackKind::Card => print_card(&mut print, dice),
            BackKind::Passport => print_passport(&mut print, &lines, person, dice),
        }
        // The zone's ground may be paler than the rest, and is never quite even.
        let paler = dice.within((0.0, 0.7));
        let strip = Area {
            left: 0.0,
            top: (middle.1 - half_height - 1.5) * FINENESS,
            width: width * FINENESS,
            height: (2.0 * half_height + 3.0) * FINENESS,
        };
        print.paint(strip, |under, _, _| under + (225.0 - under) * paler);
        let ink = dice.within((25.0, 60.0));
        let spread = dice.around(0.8);
        for (number, line) in lines.iter().enumerate() {
            let centre = middle.1 - between / 2.0 + form.line_pitch * number as f32;
            let line_height = (form.line_pitch * FINENESS) as usize;
            let inked = spread_ink(&font.line(line, PITCH * FINENESS, line_height), spread);
            let left = ((middle.0 - half_width) * FINENESS).round();
            let top = (centre * FINENESS - line_height as f32 / 2.0).round();
            let (columns, rows) = (inked.width as f32, inked.height as f32);
            print.paint(Area { left, top, width: columns, height: rows }, |under, x, y| {
                let (x, y) = ((x - left) as usize, (y - top) as usize);
                let cover = inked.grey.get(y * inked.width + x).copied().unwrap_or(0.0);
                under + (ink - under) * cover
            });
        }
        Back { kind, lines, print, outline, half: (half_width, half_height) }
    }

    /// Takes one picture, all of which is drawn from the ranges of a level.
    fn shoot(&self, level: Level, dice: &mut Dice) -> BackShot {
        let ranges = Ranges::of(level);
        let pose = self.pose(level, ranges, dice);
        let conditions = Conditions::draw(ranges, dice);
        let stroke = pose.scale * STROKE;
        let defocus = dice.within(ranges.defocus) * stroke;
        let way = dice.within(ranges.motion) * stroke;
        let (sine, cosine) = dice.direction().sin_cos();
        let moment = Moment { defocus, motion: [way * cosine, way * sine], shine: [0.0, 0.0] };
        self.photograph(level, &pose, &conditions, &moment, dice)
    }

    fn photograph(
        &self,
        level: Level,
        pose: &Pose,
        conditions: &Conditions,
        moment: &Moment,
        dice: &mut Dice,
    ) -> BackShot {
        let map = pose.map();
        let quad = self.corners().map(|corner| map.apply(corner));
        let stroke = pose.scale * STROKE;
        let focus = Focus { quad, size: pose.scale * CODE, module: stroke };
        let luma = conditions.expose(self, &map, &focus, moment, dice);
        let in_strokes = Pose { scale: stroke, ..*pose };
        BackShot {
            frame: frame_of(luma),
            lines: self.lines.clone(),
            kind: self.kind,
            level,
            quad,
            character_height: pose.scale * CHARACTER,
            factors: factors(&in_strokes, conditions, moment, stroke),
        }
    }

    /// Returns the corners of the zone.
    fn corners(&self) -> [[f32; 2]; 4] {
        let (width, height) = self.half;
        [[-width, -height], [width, -height], [width, height], [-width, height]]
    }

    /// Holds it so that the zone is wholly in the frame.
    fn pose(&self, level: Level, ranges: &Ranges, dice: &mut Dice) -> Pose {
        const EDGE: f32 = 8.0;
        let most = match level {
            Level::Easy => 5.0,
            Level::Medium => 12.0,
            Level::Hard => 25.0,
        };
        let upside_down = level != Level::Easy && dice.happens(0.1);
        let turn = dice.around(most) + if upside_down { 180.0 } else { 0.0 };
        let tilt = dice.within(ranges.tilt).to_radians();
        let (sine, cosine) = dice.direction().sin_cos();
        let mut pose = Pose {
            scale: dice.within(self.kind.heights(level)) / CHARACTER,
            turn: turn.to_radians(),
            tilt: [tilt * cosine, tilt * sine],
            centre: [WIDTH as f32 / 2.0, HEIGHT as f32 / 2.0],
        };
        let corners = self.corners();
        let room = [WIDTH as f32 / 2.0 - EDGE, HEIGHT as f32 / 2.0 - EDGE];
        // Each round takes a fiftieth off: from the largest to a third in fifty-five.
        for _ in 0..80 {
            let (_, half) = extent(&pose.map(), &corners);
            if half[0] <= room[0] && half[1] <= room[1] {
                break;
            }
            pose.scale *= 0.98;
        }
        // People put the document into the middle, where it hides no part of the zone.
        let (_, half) = extent(&pose.map(), &corners);
        let mut place = |axis: usize, length: usize, from: f32, until: f32| {
            let length = length as f32;
            let (low, high) = (half[axis] + EDGE, length - half[axis] - EDGE);
            dice.within((length * from, length * until)).clamp(low, high.max(low))
        };
        let to = [place(0, WIDTH, 0.45, 0.55), place(1, HEIGHT, 0.45, 0.8)];
        pose.centred(&corners, to)
    }
}

impl Face for Back {
    fn outline(&self) -> Area {
        self.outline
    }

    fn grey(&self, x: f32, y: f32) -> f32 {
        let (x, y) = (x - self.outline.left, y - self.outline.top);
        self.print.sample(x * FINENESS, y * FINENESS)
    }
}

/// Lets ink run out by a part of a pixel, or stay short of its edge where `spread` is negative.
fn spread_ink(ink: &Canvas, spread: f32) -> Canvas {
    let mut spread_out = ink.clone();
    let width = ink.width;
    for y in 1..ink.height.saturating_sub(1) {
        for x in 1..width.saturating_sub(1) {
            let at = y * width + x;
            let own = ink.grey[at];
            let around = [at - width, at - 1, at + 1, at + width].map(|at| ink.grey[at]);
            let utmost = if spread > 0.0 {
                around.into_iter().fold(own, f32::max)
            } else {
                around.into_iter().fold(own, f32::min)
            };
            spread_out.grey[at] = own + (utmost - own) * spread.abs();
        }
    }
    spread_out
}

/// Everything above the zone of a card: words, a chip, two fingerprints.
fn print_card(print: &mut Canvas, dice: &mut Dice) {
    let mm = |left: f32, top: f32, width: f32, height: f32| Area {
        left: left * FINENESS,
        top: top * FINENESS,
        width: width * FINENESS,
        height: height * FINENESS,
    };
    let rows = [
        ("DAC DIEM NHAN DANG: THE MAU", 1.6),
        ("NOT RUOI MAU C:9CM TREN SAU DUOI MAT", 1.6),
        ("NGAY, THANG, NAM: 01/01/2022", 1.6),
        ("CUC TRUONG CUC GIA DINH", 1.5),
        ("THE MAU - KHONG CO GIA TRI", 2.2),
    ];
    for (number, (text, height)) in rows.into_iter().enumerate() {
        let grey = dice.within((40.0, 90.0));
        let place = (5.0 * FINENESS, (3.2 + 3.4 * number as f32) * FINENESS);
        print.write(text, place, height * FINENESS, grey);
    }
    // The chip, with its contacts.
    print.fill(mm(7.0, 21.5, 12.0, 10.5), 165.0);
    for bar in 0..4 {
        print.fill(mm(7.0, 23.5 + 2.2 * bar as f32, 12.0, 0.3), 95.0);
    }
    print.fill(mm(12.8, 21.5, 0.4, 10.5), 95.0);
    for left in [52.0, 68.0] {
        let area = mm(left, 10.0, 13.0, 20.0);
        fingerprint(print, area, dice);
    }
}

/// Everything above the zone of a passport: portrait, words, lines.
fn print_passport(print: &mut Canvas, lines: &[String], person: &Person, dice: &mut Dice) {
    let mm = |left: f32, top: f32, width: f32, height: f32| Area {
        left: left * FINENESS,
        top: top * FINENESS,
        width: width * FINENESS,
        height: height * FINENESS,
    };
    print.fill(mm(6.0, 16.0, 35.0, 45.0), 160.0);
    print.ellipse(mm(14.0, 22.0, 19.0, 24.0), 105.0);
    print.ellipse(mm(9.0, 46.0, 29.0, 15.0), 95.0);
    let number = lines.last().and_then(|line| line.get(..9)).unwrap_or_default();
    let rows = [
        "HO CHIEU MAU / PASSPORT SPECIMEN".to_owned(),
        format!("P   {number}"),
        without_marks(&person.name),
        format!("{:02}/{:02}/{}", person.birth.day(), person.birth.month(), person.birth.year()),
        "NOI SINH: GIA DINH".to_owned(),
        "NOI CAP: CUC MAU".to_owned(),
        "KHONG CO GIA TRI".to_owned(),
    ];
    for (row, text) in rows.iter().enumerate() {
        let grey = dice.within((40.0, 90.0));
        let place = (48.0 * FINENESS, (8.0 + 8.0 * row as f32) * FINENESS);
        print.write(text, place, 2.2 * FINENESS, grey);
    }
}

/// Ridges around a middle that is off the box's, as a fingertip leaves them.
fn fingerprint(print: &mut Canvas, area: Area, dice: &mut Dice) {
    print.fill(area, 222.0);
    let middle = (
        area.left + area.width * dice.within((0.4, 0.6)),
        area.top + area.height * dice.within((0.45, 0.65)),
    );
    let pitch = FINENESS * dice.within((0.42, 0.55));
    let wobble = dice.direction();
    print.paint(area, |under, x, y| {
        let (dx, dy) = ((x - middle.0) / area.width, (y - middle.1) / area.height);
        if dx * dx + dy * dy > 0.22 {
            return under;
        }
        let bent = (x - middle.0).hypot((y - middle.1) * 0.8)
            + 0.8 * pitch * (4.0 * dy.atan2(dx) + wobble).sin();
        if (bent / pitch).fract() < 0.5 { 85.0 } else { under }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without the package of the font there is nothing to print with, and nothing to test.
    fn font() -> Option<OcrB> {
        OcrB::of_system().ok()
    }

    #[test]
    fn the_zone_is_in_the_frame_and_the_same_seed_gives_the_same_picture() {
        let Some(font) = font() else {
            return;
        };
        for kind in [BackKind::Card, BackKind::Passport] {
            for level in Level::ALL {
                let shot = back(1, 4, level, kind, &font);
                let again = back(1, 4, level, kind, &font);
                assert!(shot.frame == again.frame && shot.lines == again.lines);
                for [x, y] in shot.quad {
                    assert!((0.0..1_280.0).contains(&x) && (0.0..720.0).contains(&y), "{shot:?}");
                }
                let (_, most) = kind.heights(level);
                assert!((9.0..=most).contains(&shot.character_height), "{shot:?}");
            }
        }
    }

    #[test]
    fn debug_shows_nothing_of_the_person() {
        let Some(font) = font() else {
            return;
        };
        let shot = back(1, 0, Level::Easy, BackKind::Card, &font);
        assert!(!format!("{shot:?}").contains(&shot.lines[0][5..14]));
    }

    /// What the reader of zones makes of them. The package `fonts-ocr-b` is needed: without it these
    /// tests fail, since nothing else reads a printed zone.
    mod read {
        use super::*;
        use crate::camera::mrz::{ZoneScanner, zones};

        fn needed() -> OcrB {
            OcrB::of_system().expect("the package fonts-ocr-b is installed")
        }

        fn texts(frame: &Frame) -> Vec<String> {
            zones(frame).into_iter().map(|zone| zone.text).collect()
        }

        /// Copies one character of a card's zone over another one.
        fn copy(shot: &mut BackShot, from: (usize, usize), to: (usize, usize)) {
            let middle = |(line, column): (usize, usize)| {
                let across = (column as f32 + 0.5) / 30.0;
                let down = (1.2 + 4.3 * line as f32) / (2.0 * 4.3 + CHARACTER);
                let mix = |one: [f32; 2], other: [f32; 2], part: f32| {
                    [0, 1].map(|axis| one[axis] + (other[axis] - one[axis]) * part)
                };
                let [upper_left, upper_right, lower_right, lower_left] = shot.quad;
                let upper = mix(upper_left, upper_right, across);
                mix(upper, mix(lower_left, lower_right, across), down)
            };
            let ([from_x, from_y], [to_x, to_y]) = (middle(from), middle(to));
            let before = shot.frame.luma.clone();
            let half = (shot.character_height * 0.55) as i32;
            for y in -half..=half {
                for x in -half..=half {
                    let place = |left: f32, top: f32| {
                        (top as i32 + y) as usize * WIDTH + (left as i32 + x) as usize
                    };
                    shot.frame.luma[place(to_x, to_y)] = before[place(from_x, from_y)];
                }
            }
        }

        #[test]
        fn a_card_is_read_as_it_stands_and_upside_down() {
            let mut shot = back(1, 0, Level::Easy, BackKind::Card, &needed());
            assert_eq!(texts(&shot.frame), [shot.text()]);
            shot.frame.luma.reverse();
            assert_eq!(texts(&shot.frame), [shot.text()]);
        }

        #[test]
        fn a_passport_is_read() {
            let shot = back(1, 0, Level::Easy, BackKind::Passport, &needed());
            assert_eq!(texts(&shot.frame), [shot.text()]);
        }

        #[test]
        fn a_zone_with_a_wrong_digit_is_not_offered() {
            let shot = back(1, 0, Level::Easy, BackKind::Card, &needed());
            let middle = shot.lines[1].clone().into_bytes();
            // A digit of the birth date, its check digit, and the composite one.
            for column in [4, 6, 29] {
                let like = |column: usize, same: bool| {
                    let is_like = |other: &usize| (middle[*other] == middle[column]) == same;
                    (0..6).chain(8..14).filter(|other| *other != column).find(is_like)
                };
                let mut wrong = shot.clone();
                copy(&mut wrong, (1, like(column, false).expect("another digit")), (1, column));
                assert!(texts(&wrong.frame).is_empty(), "{column}");
                // The same digit, copied in the same way, does no harm.
                if let Some(same) = like(column, true) {
                    let mut right = shot.clone();
                    copy(&mut right, (1, same), (1, column));
                    assert_eq!(texts(&right.frame), [shot.text()], "{column}");
                }
            }
        }

        #[test]
        fn documents_that_are_shown_in_turn_are_not_mixed() {
            let font = needed();
            let shots = [0, 1].map(|index| back_burst(1, index, 4, BackKind::Card, &font));
            // Alone each is read within its frames.
            for burst in &shots {
                let mut scanner = ZoneScanner::new();
                assert!(burst.iter().any(|shot| !scanner.read(&shot.frame).is_empty()));
            }
            let mut scanner = ZoneScanner::new();
            for frame in 0..4 {
                for shot in shots.iter().map(|burst| &burst[frame]) {
                    for zone in scanner.read(&shot.frame) {
                        assert_eq!(zone.text, shot.text());
                    }
                }
            }
        }
    }
}
