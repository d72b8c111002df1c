//! Pictures of invented cards: what a camera would see of one that lies on a table.
//!
//! Grey, 1280 × 720, a little turned, unevenly lit, slightly blurred and noisy, each in its own way;
//! every one has to be readable. Backs are easy ones of [`shots`], whose others measure how far a
//! reader can be driven.
//! The look is nobody's: capitals without marks, a silhouette, and the words "specimen, no value".

use super::card::{Card, Surface};
use super::font;
use super::random::{Random, Stream};
use super::shots::{self, OcrB};
use image::{GrayImage, Luma};
use qrcode::bits::Bits;
use qrcode::{Color, EcLevel, QrCode, Version};

/// Width of a picture, pixels.
pub const WIDTH: u32 = 1_280;

/// Height of a picture, pixels.
pub const HEIGHT: u32 = 720;

/// Side of one module of the QR code on the face, pixels; the picture is 4 % larger or smaller.
const MODULE: u32 = 5;

/// Blank modules around a QR code (ISO/IEC 18004).
const QUIET_ZONE: u32 = 4;

/// A card of 85.6 × 54 mm at 11 pixels a millimetre.
const CARD: (u32, u32) = (944, 596);

/// A slip of paper with some other code.
const SLIP: (u32, u32) = (560, 600);

const MARGIN: u32 = 30;
const INK: u8 = 38;
const SPECIMEN: &str = "THE MAU - KHONG CO GIA TRI";

/// Draws the picture of a card. The same card gives the same picture.
///
/// `None` for a back where the font of its zone is missing.
///
/// # Panics
///
/// When the payload is longer than a QR code can hold (2,331 bytes); those of the plan are not.
pub fn draw_card(card: &Card, font: Option<&OcrB>) -> Option<GrayImage> {
    let (face, corner) = match &card.surface {
        Surface::CardFront => (card_face(card), 30.0),
        Surface::Slip => (slip_face(card), 2.0),
        Surface::CardBack(person) => {
            let frame = shots::back_of(person, font?).frame;
            return GrayImage::from_raw(frame.width, frame.height, frame.luma);
        }
    };
    let mut random = Random::new(fingerprint(&card.payload), Stream::Picture, 0);
    let lying = Lying::at_random(&mut random, &face, corner);
    let scene = photograph(&lying, &face, &mut random);
    Some(soften(&scene, fraction(&mut random)))
}

/// The surface of an identity card, seen straight.
fn card_face(card: &Card) -> GrayImage {
    let (width, height) = CARD;
    let mut face = GrayImage::from_fn(width, height, |x, y| {
        let (x, y) = (x as f32, y as f32);
        let waves = (x / 17.0 + (y / 31.0).sin() * 2.0).sin() + (y / 13.0 + (x / 47.0).sin()).sin();
        Luma([(214.0 + 4.0 * waves) as u8])
    });
    let code = qr_face(&card.payload);
    let code_left = width - MARGIN - code.width();
    image::imageops::replace(&mut face, &code, i64::from(code_left), i64::from(MARGIN));

    ring(&mut face, (84, 84), 44);
    let beside_code = code_left - 20;
    let mut lines = card.lines.iter();
    let title = lines.next().map_or("", String::as_str);
    write(&mut face, title, (150, 56), beside_code - 150, 4);
    write(&mut face, "CONG HOA MAU - NUOC GIA DINH", (150, 100), beside_code - 150, 2);

    silhouette(&mut face, (MARGIN + 10, 160));
    let left = 300;
    // The name is the second line; the address, which is long, stands below the code.
    for (at, line) in lines.by_ref().take(5).enumerate() {
        let largest = if at == 1 { 3 } else { 2 };
        write(&mut face, line, (left, 172 + 46 * at as u32), beside_code - left, largest);
    }
    for (at, line) in lines.flat_map(|address| in_two(address)).enumerate() {
        write(&mut face, line, (left, 414 + 30 * at as u32), width - left - MARGIN, 2);
    }
    banner(&mut face);
    face
}

/// The surface of a slip of paper with a title, a code and the words of a specimen.
fn slip_face(card: &Card) -> GrayImage {
    let (width, height) = SLIP;
    let mut face = GrayImage::from_pixel(width, height, Luma([232]));
    let title = card.lines.first().map_or("", String::as_str);
    write(&mut face, title, (MARGIN, 40), width - 2 * MARGIN, 4);
    let code = qr_face(&card.payload);
    let left = (width - code.width()) / 2;
    image::imageops::replace(&mut face, &code, i64::from(left), 90);
    banner(&mut face);
    face
}

/// The QR code with its quiet zone, black on white, as cards have it: bytes as they are in one
/// segment, no character set named, error correction M.
fn qr_face(payload: &[u8]) -> GrayImage {
    let code = (1..=40)
        .find_map(|version| {
            let mut bits = Bits::new(Version::Normal(version));
            bits.push_byte_data(payload).ok()?;
            bits.push_terminator(EcLevel::M).ok()?;
            QrCode::with_bits(bits, EcLevel::M).ok()
        })
        .expect("a payload of the plan fits a QR code");
    let modules = code.width() as u32;
    let side = (modules + 2 * QUIET_ZONE) * MODULE;
    GrayImage::from_fn(side, side, |x, y| {
        let module = |at: u32| (at / MODULE).checked_sub(QUIET_ZONE).filter(|at| *at < modules);
        match (module(x), module(y)) {
            (Some(x), Some(y)) if code[(x as usize, y as usize)] == Color::Dark => Luma([INK]),
            _ => Luma([236]),
        }
    })
}

/// Writes `text` from its upper left corner, as large as `width` allows, at most `largest` pixels a
/// dot; what does not fit even at one pixel is cut.
fn write(face: &mut GrayImage, text: &str, (left, top): (u32, u32), width: u32, largest: u32) {
    let dots = (text.chars().count() as u32 * font::ADVANCE).max(1);
    let dot = (width / dots).clamp(1, largest);
    for (at, letter) in text.chars().take((width / font::ADVANCE) as usize).enumerate() {
        let from = left + at as u32 * font::ADVANCE * dot;
        for y in 0..font::HEIGHT {
            for x in 0..font::ADVANCE {
                if font::is_black(letter, x, y) {
                    fill(face, (from + x * dot, top + y * dot), (dot, dot), INK);
                }
            }
        }
    }
}

/// A dark band along the lower edge that says that this is no document.
fn banner(face: &mut GrayImage) {
    let (width, height) = face.dimensions();
    fill(face, (0, height - 66), (width, 66), 226);
    fill(face, (0, height - 66), (width, 3), INK);
    let letters = SPECIMEN.len() as u32 * font::ADVANCE;
    let dot = ((width - 2 * MARGIN) / letters).min(4);
    let left = (width - letters * dot) / 2;
    write(face, SPECIMEN, (left, height - 48), letters * dot, 4);
}

/// Head and shoulders before a plain ground.
fn silhouette(face: &mut GrayImage, (left, top): (u32, u32)) {
    let (width, height) = (226_u32, 300_u32);
    for y in 0..height {
        for x in 0..width {
            let (dx, dy) = (x as f32 - 113.0, y as f32);
            let in_head = (dx / 52.0).powi(2) + ((dy - 112.0) / 66.0).powi(2) < 1.0;
            let in_neck = dx.abs() < 24.0 && (150.0..220.0).contains(&dy);
            let in_shoulders = (dx / 102.0).powi(2) + ((dy - 300.0) / 98.0).powi(2) < 1.0;
            let grey = if in_head || in_neck || in_shoulders { 108 } else { 184 };
            put(face, left + x, top + y, grey);
        }
    }
}

fn ring(face: &mut GrayImage, (centre_x, centre_y): (u32, u32), radius: u32) {
    for y in centre_y - radius..=centre_y + radius {
        for x in centre_x - radius..=centre_x + radius {
            let (dx, dy) = (x.abs_diff(centre_x) as f32, y.abs_diff(centre_y) as f32);
            let distance = dx.hypot(dy);
            let rim = radius as f32;
            if (rim - 6.0..rim).contains(&distance) || distance < rim * 0.3 {
                put(face, x, y, 90);
            }
        }
    }
}

fn fill(face: &mut GrayImage, (left, top): (u32, u32), (width, height): (u32, u32), grey: u8) {
    for y in top..top + height {
        for x in left..left + width {
            put(face, x, y, grey);
        }
    }
}

fn put(face: &mut GrayImage, x: u32, y: u32, grey: u8) {
    if let Some(pixel) = face.get_pixel_mut_checked(x, y) {
        *pixel = Luma([grey]);
    }
}

/// Breaks an address at the comma nearest to its middle.
fn in_two(address: &str) -> impl Iterator<Item = &str> {
    let middle = address.len() / 2;
    let comma = address.match_indices(", ").min_by_key(|(at, _)| at.abs_diff(middle));
    let (first, second) = match comma {
        Some((at, _)) => (&address[..at + 1], &address[at + 2..]),
        None => (address, ""),
    };
    [first, second].into_iter().filter(|line| !line.is_empty())
}

/// How a flat thing lies before the camera.
struct Lying {
    /// Middle of the thing in the picture.
    centre: (f32, f32),
    /// Sine and cosine of the turn.
    turn: (f32, f32),
    /// Pixels of the picture for one of the face.
    scale: f32,
    /// Half of width and height on the face.
    half: (f32, f32),
    /// Radius of its corners on the face.
    corner: f32,
}

impl Lying {
    /// Turned up to 6° either way, a little off the middle, 4 % larger or smaller.
    fn at_random(random: &mut Random, face: &GrayImage, corner: f32) -> Lying {
        let mut within = |most: f32| (fraction(random) * 2.0 - 1.0) * most;
        Lying {
            centre: (WIDTH as f32 / 2.0 + within(60.0), HEIGHT as f32 / 2.0 + within(8.0)),
            turn: within(6.0).to_radians().sin_cos(),
            scale: 1.0 + within(0.04),
            half: (face.width() as f32 / 2.0, face.height() as f32 / 2.0),
            corner,
        }
    }

    /// Returns the point of the face, from its middle, that a point of the picture shows.
    fn on_face(&self, x: f32, y: f32) -> (f32, f32) {
        let (sine, cosine) = self.turn;
        let (x, y) = ((x - self.centre.0) / self.scale, (y - self.centre.1) / self.scale);
        (x * cosine + y * sine, y * cosine - x * sine)
    }

    /// Returns how much of a pixel the thing covers: 0 to 1.
    fn cover(&self, point: (f32, f32)) -> f32 {
        let within = |margin: f32| {
            point.0.abs() < self.half.0 + margin && point.1.abs() < self.half.1 + margin
        };
        if within(-self.corner) {
            1.0
        } else if within(1.0) {
            (0.5 - self.outside(point)).clamp(0.0, 1.0)
        } else {
            0.0
        }
    }

    /// Returns how much light its shadow leaves on the table: 0.55 to 1.
    fn shade(&self, (x, y): (f32, f32)) -> f32 {
        let distance = self.outside((x - 5.0, y - 9.0));
        0.55 + 0.45 * (distance / 26.0).clamp(0.0, 1.0)
    }

    /// Returns how far a point of the face is outside the rounded edge; negative inside.
    fn outside(&self, (x, y): (f32, f32)) -> f32 {
        let (dx, dy) = (x.abs() - self.half.0 + self.corner, y.abs() - self.half.1 + self.corner);
        dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - self.corner
    }
}

/// Lays the face on a table and lights it.
///
/// Plain loops over rows: tests draw every card, and iterators are slow without optimisation.
fn photograph(lying: &Lying, face: &GrayImage, random: &mut Random) -> GrayImage {
    let table = Table { grain: random.bits() };
    let (light_x, light_y) = (fraction(random) - 0.5, fraction(random) - 0.5);
    let brightness = 0.9 + 0.12 * fraction(random);
    let deviation = 1.5 + 2.0 * fraction(random);
    let noise = Noise::new(random, deviation);
    let mut picture = GrayImage::new(WIDTH, HEIGHT);
    for (y, row) in picture.chunks_exact_mut(WIDTH as usize).enumerate() {
        let across = 0.5 * light_y * (y as f32 / HEIGHT as f32 - 0.5) + 1.0;
        let wood = table.row(y as f32);
        let start = random.bits() as usize;
        for (x, pixel) in row.iter_mut().enumerate() {
            let point = lying.on_face(x as f32, y as f32);
            let cover = lying.cover(point);
            let mut grey = 0.0;
            if cover > 0.0 {
                grey += cover * sample(face, point.0 + lying.half.0, point.1 + lying.half.1);
            }
            if cover < 1.0 {
                grey += (1.0 - cover) * lying.shade(point) * wood.grey(x);
            }
            let light = brightness * (across + 0.5 * light_x * (x as f32 / WIDTH as f32 - 0.5));
            // The conversion stops at 0 and 255.
            *pixel = (grey * light + noise.values[(start + x) % NOISE_VALUES]) as u8;
        }
    }
    picture
}

const NOISE_VALUES: usize = 8_192;

/// Values to add to pixels, begun at another place in each row.
struct Noise {
    values: Vec<f32>,
}

impl Noise {
    /// Near enough to a normal distribution: the sum of four bytes has a deviation of 148.
    fn new(random: &mut Random, deviation: f32) -> Noise {
        let values = (0..NOISE_VALUES)
            .map(|_| {
                let [a, b, c, d, ..] = random.bits().to_le_bytes().map(i32::from);
                (a + b + c + d - 510) as f32 * deviation / 148.0
            })
            .collect();
        Noise { values }
    }
}

/// A wooden table: long grain, with finer grain in it.
struct Table {
    grain: u64,
}

/// One row of the table, known at every [`WOOD_STEP`]-th pixel.
struct Wood {
    greys: Vec<f32>,
}

const WOOD_STEP: usize = 16;

impl Table {
    fn row(&self, y: f32) -> Wood {
        let grey = |at: usize| {
            let x = (at * WOOD_STEP) as f32;
            let slow = lattice(self.grain, x / 320.0, y / 26.0);
            let fine = lattice(!self.grain, x / 90.0, y / 4.0);
            78.0 + 30.0 * slow + 12.0 * fine
        };
        Wood { greys: (0..=WIDTH as usize / WOOD_STEP + 1).map(grey).collect() }
    }
}

impl Wood {
    fn grey(&self, x: usize) -> f32 {
        let at = x / WOOD_STEP;
        mix(self.greys[at], self.greys[at + 1], (x % WOOD_STEP) as f32 / WOOD_STEP as f32)
    }
}

/// A smooth random surface between 0 and 1 with one free value at each whole point.
fn lattice(seed: u64, x: f32, y: f32) -> f32 {
    let value = |column: f32, row: f32| {
        let point = ((column as u64) << 32) | row as u64;
        Random::new(seed, Stream::Picture, point).below(1 << 24) as f32 / (1 << 24) as f32
    };
    let (column, row) = (x.floor(), y.floor());
    let ease = |part: f32| part * part * (3.0 - 2.0 * part);
    let (right, down) = (ease(x - column), ease(y - row));
    let upper = mix(value(column, row), value(column + 1.0, row), right);
    let lower = mix(value(column, row + 1.0), value(column + 1.0, row + 1.0), right);
    mix(upper, lower, down)
}

/// The grey of the face between its pixels.
fn sample(face: &GrayImage, x: f32, y: f32) -> f32 {
    let (width, height) = (face.width() as usize, face.height() as usize);
    let x = (x - 0.5).clamp(0.0, (width - 1) as f32);
    let y = (y - 0.5).clamp(0.0, (height - 1) as f32);
    let (column, row) = (x as usize, y as usize);
    let (right, below) = ((column + 1).min(width - 1), (row + 1).min(height - 1));
    let pixels = face.as_raw();
    let grey = |column: usize, row: usize| f32::from(pixels[row * width + column]);
    let part = x - column as f32;
    let upper = mix(grey(column, row), grey(right, row), part);
    let lower = mix(grey(column, below), grey(right, below), part);
    mix(upper, lower, y - row as f32)
}

/// Blurs by one step of a 3 × 3 binomial filter, `amount` of the way; the edges stay as they are.
fn soften(sharp: &GrayImage, amount: f32) -> GrayImage {
    let width = WIDTH as usize;
    let from = sharp.as_raw();
    let weight = (amount * 16.0) as u32;
    let mut soft = sharp.clone();
    let mut column = vec![0_u32; width];
    for (above, row) in soft.chunks_exact_mut(width).skip(1).take(HEIGHT as usize - 2).enumerate() {
        let at = above * width;
        for (x, sum) in column.iter_mut().enumerate() {
            let upper = u32::from(from[at + x]);
            let own = u32::from(from[at + width + x]);
            *sum = upper + 2 * own + u32::from(from[at + 2 * width + x]);
        }
        for x in 1..width - 1 {
            let blurred = column[x - 1] + 2 * column[x] + column[x + 1];
            // Both in sixteenths of a sixteenth of a grey.
            let mixed = u32::from(row[x]) * 16 * (16 - weight) + blurred * weight;
            row[x] = (mixed / 256) as u8;
        }
    }
    soft
}

fn mix(from: f32, to: f32, part: f32) -> f32 {
    from + (to - from) * part
}

/// Returns a number from 0 to 1.
fn fraction(random: &mut Random) -> f32 {
    random.below(1 << 24) as f32 / (1_u64 << 24) as f32
}

/// Returns a number that stands for these bytes (FNV-1a), so that each card looks its own way.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::Frame;
    use crate::camera::mrz::zones;
    use crate::invented::World;
    use rxing::{BarcodeFormat, RXingResultMetadataType, RXingResultMetadataValue};

    /// Says whether the library alone reads these bytes in a picture.
    fn shows(picture: &GrayImage, payload: &[u8]) -> bool {
        let luma = picture.as_raw().clone();
        let format = Some(BarcodeFormat::QR_CODE);
        let Ok(read) = rxing::helpers::detect_in_luma(luma, WIDTH, HEIGHT, format) else {
            return false;
        };
        // One of its detectors gives the bytes as raw bytes, the other as segments.
        let segments = read.getRXingResultMetadata().get(&RXingResultMetadataType::BYTE_SEGMENTS);
        match segments {
            Some(RXingResultMetadataValue::ByteSegments(parts)) => parts.concat() == payload,
            _ => read.getRawBytes() == payload,
        }
    }

    fn shows_zone(picture: GrayImage, text: &[u8]) -> bool {
        let (width, height) = picture.dimensions();
        let frame = Frame { width, height, luma: picture.into_raw(), number: 1, label: None };
        zones(&frame).iter().map(|zone| zone.text.as_bytes()).eq([text])
    }

    #[test]
    fn every_picture_is_read_back() {
        let font = OcrB::of_system().expect("the package fonts-ocr-b is installed");
        let world = World::new(1, 0, "2026-11-24".parse().expect("a date of the test"));
        for card in world.cards().iter().chain(&world.cards_when_list_is_old()) {
            let picture = draw_card(card, Some(&font)).expect("there is a font");
            assert_eq!(picture.dimensions(), (WIDTH, HEIGHT));
            let is_read = match card.surface {
                Surface::CardBack(_) => shows_zone(picture, &card.payload),
                Surface::CardFront | Surface::Slip => shows(&picture, &card.payload),
            };
            assert!(is_read, "{} cannot be read", card.file);
        }
    }

    #[test]
    fn the_same_card_gives_the_same_picture_and_another_card_another() {
        let world = World::new(2, 0, "2026-11-24".parse().expect("a date of the test"));
        let cards = world.cards();
        let first = draw_card(&cards[0], None).expect("a front");
        assert!(Some(&first) == draw_card(&cards[0], None).as_ref());
        assert!(Some(&first) != draw_card(&cards[1], None).as_ref());
    }

    #[test]
    fn a_back_is_not_drawn_without_its_font() {
        let world = World::new(2, 0, "2026-11-24".parse().expect("a date of the test"));
        let cards = world.cards();
        let undrawn: Vec<&Card> =
            cards.iter().filter(|card| draw_card(card, None).is_none()).collect();
        assert!(!undrawn.is_empty());
        assert!(undrawn.iter().all(|card| matches!(card.surface, Surface::CardBack(_))));
    }

    #[test]
    fn addresses_are_broken_at_the_comma_in_the_middle() {
        let lines = |address| in_two(address).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(lines("TO 1, XA MAU, HUYEN MAU"), ["TO 1, XA MAU,", "HUYEN MAU"]);
        assert_eq!(lines("XA MAU"), ["XA MAU"]);
    }
}
