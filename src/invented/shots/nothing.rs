//! Frames without a code: what a camera sees all day.
//!
//! A reader must find nothing in them, and soon. They are made cheaply, because ten thousand are
//! wanted: drawn straight into bytes, without lens or JPEG, only with noise.

use super::dice::Dice;
use super::{HEIGHT, WIDTH};
use crate::camera::Frame;
use crate::invented::font;
use crate::invented::random::Stream;

/// The kinds of frames, each as often as the others.
const KINDS: u64 = 14;

/// Makes frame number `index` of a seed.
pub fn nothing(seed: u64, index: u64) -> Frame {
    let mut dice = Dice::new(seed, Stream::Nothing, index);
    let mut view = View::new(dice.between(60, 200));
    match index % KINDS {
        0 => desk(&mut view, &mut dice),
        1 => page(&mut view, &mut dice),
        2 => checkerboard(&mut view, &mut dice),
        3 => static_noise(&mut view, &mut dice),
        4 => blinds(&mut view, &mut dice),
        5 => bars(&mut view, &mut dice),
        6 => dots_with_a_border(&mut view, &mut dice),
        7 => rings_around_a_middle(&mut view, &mut dice),
        8 => code_of_chance(&mut view, &mut dice),
        9 => corner_patterns(&mut view, &mut dice),
        10 => front_with_a_blank(&mut view, &mut dice),
        11 => back_of_a_card(&mut view, &mut dice),
        12 => tiles(&mut view, &mut dice),
        _ => coarse_noise(&mut view, &mut dice),
    }
    if dice.happens(0.5) {
        view.soften();
    }
    let noise = dice.within((0.0, 6.0));
    view.add_noise(noise, &mut dice);
    Frame {
        width: WIDTH as u32,
        height: HEIGHT as u32,
        luma: view.0,
        number: index + 1,
        label: None,
    }
}

impl Dice {
    fn between(&mut self, first: i32, last: i32) -> i32 {
        self.whole().between(first, last)
    }
}

/// The bytes of a frame.
struct View(Vec<u8>);

/// Left, top, width, height; what lies outside the frame is not painted.
type Place = [i32; 4];

impl View {
    fn new(grey: i32) -> View {
        View(vec![grey as u8; WIDTH * HEIGHT])
    }

    fn fill(&mut self, [left, top, width, height]: Place, grey: i32) {
        let columns = inside(left, width, WIDTH);
        for y in inside(top, height, HEIGHT) {
            self.0[y * WIDTH..][columns.clone()].fill(grey.clamp(0, 255) as u8);
        }
    }

    /// Writes one line of letters, dots of `dot` pixels.
    fn write(&mut self, text: &[u8], (left, top): (i32, i32), dot: i32, grey: i32) {
        for (at, letter) in text.iter().enumerate() {
            let from = left + at as i32 * font::ADVANCE as i32 * dot;
            if from > WIDTH as i32 {
                break;
            }
            for y in 0..font::HEIGHT {
                for x in 0..font::ADVANCE {
                    if font::is_black(char::from(*letter), x, y) {
                        let place = [from + x as i32 * dot, top + y as i32 * dot, dot, dot];
                        self.fill(place, grey);
                    }
                }
            }
        }
    }

    /// Draws a grid of square cells, of which `is_dark` says the colour.
    fn grid(
        &mut self,
        (left, top): (i32, i32),
        cell: i32,
        side: i32,
        mut is_dark: impl FnMut(i32, i32) -> bool,
    ) {
        for y in 0..side {
            for x in 0..side {
                let grey = if is_dark(x, y) { 35 } else { 225 };
                self.fill([left + x * cell, top + y * cell, cell, cell], grey);
            }
        }
    }

    /// Blurs a little: each pixel with its neighbours to the right and below.
    fn soften(&mut self) {
        for at in 0..WIDTH * (HEIGHT - 1) - 1 {
            let four = [at, at + 1, at + WIDTH, at + WIDTH + 1].map(|at| u16::from(self.0[at]));
            self.0[at] = (four.iter().sum::<u16>() / 4) as u8;
        }
    }

    /// Adds noise of a deviation: from one long row of it, begun elsewhere in each row.
    fn add_noise(&mut self, deviation: f32, dice: &mut Dice) {
        const LENGTH: usize = 4 * WIDTH;
        let mut values = vec![0.0; LENGTH];
        dice.normals(&mut values);
        let values: Vec<i16> = values.iter().map(|value| (value * deviation) as i16).collect();
        for row in self.0.chunks_exact_mut(WIDTH) {
            let from = dice.whole().below((LENGTH - WIDTH) as u64) as usize;
            for (pixel, noise) in row.iter_mut().zip(&values[from..]) {
                *pixel = (i16::from(*pixel) + noise).clamp(0, 255) as u8;
            }
        }
    }
}

fn inside(from: i32, length: i32, end: usize) -> std::ops::Range<usize> {
    let first = from.clamp(0, end as i32);
    let last = from.saturating_add(length.max(0)).clamp(first, end as i32);
    first as usize..last as usize
}

/// A desk with papers, pens and their shadows.
fn desk(view: &mut View, dice: &mut Dice) {
    for _ in 0..dice.between(3, 14) {
        let size = (dice.between(8, 500), dice.between(8, 350));
        let place = (dice.between(-100, 1_200), dice.between(-100, 650));
        let grey = dice.between(10, 245);
        view.fill([place.0 + 6, place.1 + 6, size.0, size.1], 30);
        view.fill([place.0, place.1, size.0, size.1], grey);
    }
}

/// A page of text, upright or on its side.
fn page(view: &mut View, dice: &mut Dice) {
    view.fill([0, 0, WIDTH as i32, HEIGHT as i32], dice.between(190, 245));
    let dot = dice.between(1, 4);
    let grey = dice.between(10, 90);
    let mut top = dice.between(0, 20);
    while top < HEIGHT as i32 {
        let text = words(dice, 120);
        let indent = if dice.happens(0.2) { dice.between(0, 300) } else { 20 };
        view.write(&text, (indent, top), dot, grey);
        top += dot * dice.between(9, 13);
    }
}

fn words(dice: &mut Dice, letters: usize) -> Vec<u8> {
    let random = dice.whole();
    (0..letters)
        .map(|_| match random.below(6) {
            0 => b' ',
            1 => b'0' + random.below(10) as u8,
            _ => b'A' + random.below(26) as u8,
        })
        .collect()
}

fn checkerboard(view: &mut View, dice: &mut Dice) {
    let cell = dice.between(2, 60);
    let (dark, light) = (dice.between(10, 90), dice.between(150, 245));
    let (left, top) = (dice.between(0, cell), dice.between(0, cell));
    view.fill([0, 0, WIDTH as i32, HEIGHT as i32], light);
    for (y, row) in view.0.chunks_exact_mut(WIDTH).enumerate() {
        let odd_row = (y as i32 + top) / cell % 2;
        for (x, pixel) in row.iter_mut().enumerate() {
            if ((x as i32 + left) / cell + odd_row) % 2 == 0 {
                *pixel = dark as u8;
            }
        }
    }
}

fn static_noise(view: &mut View, dice: &mut Dice) {
    for eight in view.0.chunks_mut(8) {
        let bytes = dice.whole().bits().to_le_bytes();
        eight.copy_from_slice(&bytes[..eight.len()]);
    }
}

/// Black and white cells of chance all over the frame, as large as the modules of a code.
fn coarse_noise(view: &mut View, dice: &mut Dice) {
    let cell = dice.between(3, 12);
    let mut row = vec![0_u8; WIDTH];
    for (y, line) in view.0.chunks_exact_mut(WIDTH).enumerate() {
        if y as i32 % cell == 0 {
            for pixels in row.chunks_mut(cell as usize) {
                pixels.fill(if dice.whole().happens(500) { 30 } else { 225 });
            }
        }
        line.copy_from_slice(&row);
    }
}

/// The light through a window's blinds, slanting.
fn blinds(view: &mut View, dice: &mut Dice) {
    let pitch = dice.between(8, 90);
    let (dark, light) = (dice.between(10, 100), dice.between(130, 255));
    let slant = dice.between(-40, 40);
    for (y, row) in view.0.chunks_exact_mut(WIDTH).enumerate() {
        for (x, pixel) in row.iter_mut().enumerate() {
            let place = (y as i32 + x as i32 * slant / 100 + 1_000).rem_euclid(pitch);
            *pixel = if place * 2 < pitch { dark } else { light } as u8;
        }
    }
}

/// A label with bars, as on goods.
fn bars(view: &mut View, dice: &mut Dice) {
    for _ in 0..dice.between(1, 3) {
        let (left, top) = (dice.between(0, 700), dice.between(0, 450));
        let (module, height) = (dice.between(2, 6), dice.between(80, 260));
        view.fill([left - 40, top - 20, 110 * module + 80, height + 60], 230);
        let mut at = 0;
        while at < 100 {
            let (bar, gap) = (dice.between(1, 4), dice.between(1, 4));
            view.fill([left + at * module, top, bar * module, height], 30);
            at += bar + gap;
        }
        let text = words(dice, 13);
        view.write(&text, (left, top + height + 6), 3, 40);
    }
}

/// A square of dots with two whole edges and two dashed ones, as other codes have it.
fn dots_with_a_border(view: &mut View, dice: &mut Dice) {
    let (cell, side) = (dice.between(3, 12), 2 * dice.between(6, 20));
    let place = (dice.between(30, 700), dice.between(30, 200));
    view.fill([place.0 - 30, place.1 - 30, side * cell + 60, side * cell + 60], 230);
    let random = dice.whole();
    view.grid(place, cell, side, |x, y| {
        if x == 0 || y == side - 1 {
            true
        } else if y == 0 || x == side - 1 {
            (x + y) % 2 == 0
        } else {
            random.happens(500)
        }
    });
}

/// Cells of chance around square rings, as other codes have it.
fn rings_around_a_middle(view: &mut View, dice: &mut Dice) {
    let (cell, side) = (dice.between(3, 12), 4 * dice.between(4, 12) + 1);
    let place = (dice.between(30, 600), dice.between(30, 150));
    view.fill([place.0 - 30, place.1 - 30, side * cell + 60, side * cell + 60], 230);
    let random = dice.whole();
    view.grid(place, cell, side, |x, y| {
        let ring = (x - side / 2).abs().max((y - side / 2).abs());
        if ring <= 5 { ring % 2 == 0 } else { random.happens(500) }
    });
}

/// Three corner patterns and the timing between them as a QR code has, and cells of chance: no bytes
/// are in it that any correction would believe.
fn code_of_chance(view: &mut View, dice: &mut Dice) {
    let side = 17 + 4 * dice.between(1, 12);
    let cell = dice.between(3, 10).min(680 / side);
    let place = (dice.between(20, 500), dice.between(10, (700 - side * cell).max(11)));
    view.fill([place.0 - 30, place.1 - 30, side * cell + 60, side * cell + 60], 230);
    let random = dice.whole();
    view.grid(place, cell, side, |x, y| {
        let corner = [(0, 0), (side - 7, 0), (0, side - 7)].into_iter().find(|(left, top)| {
            (left - 1..=left + 7).contains(&x) && (top - 1..=top + 7).contains(&y)
        });
        match corner {
            Some((left, top)) => is_in_corner_pattern(x - left, y - top),
            None if x == 6 || y == 6 => (x + y) % 2 == 0,
            None => random.happens(500),
        }
    });
}

/// Dark are the outer ring and the middle of seven by seven; around them it is light.
fn is_in_corner_pattern(x: i32, y: i32) -> bool {
    let ring = (x - 3).abs().max((y - 3).abs());
    ring <= 3 && ring != 2
}

/// Corner patterns without a code between them.
fn corner_patterns(view: &mut View, dice: &mut Dice) {
    view.fill([0, 0, WIDTH as i32, HEIGHT as i32], 230);
    for _ in 0..dice.between(3, 12) {
        let cell = dice.between(3, 9);
        let place = (dice.between(0, 1_200), dice.between(0, 650));
        view.grid(place, cell, 7, is_in_corner_pattern);
    }
}

/// The front of a card whose code is hidden.
fn front_with_a_blank(view: &mut View, dice: &mut Dice) {
    let (left, top) = (dice.between(20, 250), dice.between(20, 120));
    let width = dice.between(600, 1_000);
    card(view, [left, top, width, width * 54 / 86], dice);
    let unit = width / 86;
    view.fill([left + 3 * unit, top + 20 * unit, 20 * unit, 26 * unit], 140);
    for line in 0..7 {
        let text = words(dice, 26);
        view.write(&text, (left + 26 * unit, top + (20 + 4 * line) * unit), unit / 5 + 1, 60);
    }
    let grey = dice.between(20, 240);
    view.fill([left + 66 * unit, top + 4 * unit, 17 * unit, 17 * unit], grey);
}

/// The back of a card with lines of letters at its foot, that are no zone.
fn back_of_a_card(view: &mut View, dice: &mut Dice) {
    let (left, top) = (dice.between(20, 250), dice.between(20, 120));
    let width = dice.between(600, 1_000);
    card(view, [left, top, width, width * 54 / 86], dice);
    let unit = width / 86;
    for line in 0..4 {
        let text = words(dice, 30);
        view.write(&text, (left + 4 * unit, top + (3 + 4 * line) * unit), unit / 6 + 1, 60);
    }
    for line in 0..3 {
        let text = words(dice, 30);
        view.write(&text, (left + 5 * unit, top + (37 + 5 * line) * unit), unit / 4 + 1, 40);
    }
}

/// The ground of a card: light, with fine lines.
fn card(view: &mut View, area: Place, dice: &mut Dice) {
    view.fill(area, 205);
    let pitch = dice.between(5, 20);
    for line in 0..area[3] / pitch {
        view.fill([area[0], area[1] + line * pitch, area[2], 1], 190);
    }
}

/// A tiled floor: light squares with dark joints, some with a dark square in them.
fn tiles(view: &mut View, dice: &mut Dice) {
    let side = dice.between(18, 120);
    let joint = (side / 12).max(1);
    view.fill([0, 0, WIDTH as i32, HEIGHT as i32], 60);
    for top in (0..HEIGHT as i32).step_by(side as usize) {
        for left in (0..WIDTH as i32).step_by(side as usize) {
            view.fill([left, top, side - joint, side - joint], 210);
            if dice.happens(0.4) {
                let middle = side * 2 / 7;
                view.fill([left + middle, top + middle, side * 3 / 7, side * 3 / 7], 50);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_whole_has_something_on_it_and_is_the_same_again() {
        for index in 0..KINDS {
            let frame = nothing(1, index);
            assert!(frame.is_whole(), "kind {index}");
            assert!(frame == nothing(1, index), "kind {index}");
            let (least, most) = (frame.luma.iter().min(), frame.luma.iter().max());
            assert!(most > least, "kind {index}");
            assert!(frame != nothing(1, index + KINDS), "kind {index}");
        }
    }
}
