//! Photographs of invented cards, to measure how far scanners can be driven.
//!
//! Where [`super::draw`] makes a picture that has to be readable, these are drawn to be hard:
//! tilted, out of focus, moved, dim, shining. Each follows from a seed and an index alone. Four
//! kinds: one photograph of a QR code ([`shot`]), a [`burst`] of one hand, the [`back`] of a card or
//! the page of a passport with its machine-readable zone (and a [`back_burst`] of it), and frames with
//! [`nothing`] to read.
//!
//! They are a model and no photographs: what they are good for is to rank readers, not to promise
//! rates. The steps and ranges of the model are those of the study whose figures the readers are
//! compared with (`level.rs`); the code and the drawing are our own.
//!
//! Sines and roots differ in their last digits between systems, so the same seed gives the same
//! pictures on one machine, and on another ones that look the same.

mod back;
mod burst;
mod canvas;
mod dice;
mod front;
mod holder;
mod level;
mod nothing;
mod ocr_b;
mod optics;
mod pose;
mod scene;
mod zone;

use std::fmt;

use crate::camera::Frame;
use crate::invented::random::Stream;
use dice::Dice;
use front::Front;
use level::Ranges;
use pose::{Point, Pose, area_of, extent};
use scene::{Conditions, Focus, Moment};

pub use back::{BackKind, BackShot, back, back_burst, back_of};
pub use burst::burst;
pub use level::Level;
pub use nothing::nothing;
pub use ocr_b::OcrB;
pub(super) use zone::of_card as zone_of_card;

/// Size of every frame, pixels.
const WIDTH: usize = 1_280;
const HEIGHT: usize = 720;

/// A photograph of a code, and what a reader of it must give.
///
/// `Debug` shows nothing of the payload: it has the form of a person's card.
#[derive(Clone)]
pub struct Shot {
    /// What the camera saw.
    pub frame: Frame,
    /// Bytes of the code.
    pub payload: Vec<u8>,
    /// How bad it is.
    pub level: Level,
    /// Corners of the code without its quiet zone in the frame: upper left, upper right, lower
    /// right, lower left of the code. The middle of the first pixel is at 0.5, 0.5.
    pub quad: [[f32; 2]; 4],
    /// What was done to it.
    pub factors: Factors,
}

/// What was done to a picture. Lengths are in modules.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Factors {
    /// Version of the QR code; its side has 17 + 4 × `version` modules. 0 without a code.
    pub version: u8,
    /// Error correction of the QR code, `M` or `L`.
    pub correction: char,
    /// Pixels a module, over the whole code.
    pub module: f32,
    /// Out of the picture's plane, degrees.
    pub tilt: f32,
    /// In the picture's plane, degrees.
    pub turn: f32,
    /// Deviation of the blur.
    pub defocus: f32,
    /// Way during the exposure.
    pub motion: f32,
    /// Deviation of the noise at middle grey.
    pub noise: f32,
    /// Share of full light.
    pub light: f32,
    /// Share of contrast.
    pub contrast: f32,
    /// Quality of the JPEG.
    pub quality: u8,
    /// Whether lamps are mirrored.
    pub has_glare: bool,
    /// Whether the laminate shows streaks.
    pub has_streaks: bool,
    /// Whether a finger is on the edge.
    pub has_finger: bool,
}

impl fmt::Debug for Shot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shot")
            .field("level", &self.level)
            .field("factors", &self.factors)
            .finish_non_exhaustive()
    }
}

/// Takes photograph number `index` of a seed. Levels come in turn: easy, medium, hard.
///
/// # Panics
///
/// Never: payloads of invented cards fit a QR code.
pub fn shot(seed: u64, index: u64) -> Shot {
    let level = Level::of(index);
    let ranges = Ranges::of(level);
    let mut dice = Dice::new(seed, Stream::Shot, index);
    let card = holder::card_of(&holder::draw(seed, &mut dice), &mut dice);
    let front = Front::new(&card, &mut dice);

    let tilt = dice.within(ranges.tilt).to_radians();
    let (sine, cosine) = dice.direction().sin_cos();
    let scale = dice.within(ranges.module);
    let pose = Pose {
        scale,
        turn: turn(level, ranges, &mut dice),
        tilt: [tilt * cosine, tilt * sine],
        centre: [0.0, 0.0],
    };
    let pose = placed(pose, &front.corners(), 0.0, &mut dice);
    let conditions = Conditions::draw(ranges, &mut dice);
    let defocus = dice.within(ranges.defocus) * scale;
    let way = dice.within(ranges.motion) * scale;
    let (sine, cosine) = dice.direction().sin_cos();
    let moment = Moment { defocus, motion: [way * cosine, way * sine], shine: [0.0, 0.0] };
    let mut shot = photograph(&front, &pose, &conditions, &moment, &mut dice);
    (shot.payload, shot.level, shot.frame.number) = (card.payload(), level, index + 1);
    shot
}

/// A turn of the level's range to either side; one of five easy cards lies on another edge.
fn turn(level: Level, ranges: &Ranges, dice: &mut Dice) -> f32 {
    let turn = dice.within(ranges.turn) * if dice.happens(0.5) { 1.0 } else { -1.0 };
    let quarters = match level {
        Level::Easy if dice.happens(0.2) => 1 + dice.whole().below(3),
        _ => 0,
    };
    (turn + 90.0 * quarters as f32).to_radians()
}

/// Puts the code somewhere around the middle of the frame, wholly inside it and `margin` pixels
/// from its edges.
fn placed(pose: Pose, corners: &[Point], margin: f32, dice: &mut Dice) -> Pose {
    const EDGE: f32 = 14.0;
    let (_, half) = extent(&pose.map(), corners);
    let mut place = |half: f32, length: usize, share: f32| {
        let (length, half) = (length as f32, half + EDGE + margin);
        let low = half.max(length * share);
        dice.within((low, (length - half).min(length * (1.0 - share)).max(low)))
    };
    let to = [place(half[0], WIDTH, 0.28), place(half[1], HEIGHT, 0.3)];
    pose.centred(corners, to)
}

/// Takes one picture of a front, without saying whose it is.
fn photograph(
    front: &Front,
    pose: &Pose,
    conditions: &Conditions,
    moment: &Moment,
    dice: &mut Dice,
) -> Shot {
    let map = pose.map();
    let quad = front.corners().map(|corner| map.apply(corner));
    let size = area_of(&quad).sqrt();
    let module = size / front.modules as f32;
    let focus = Focus { quad, size, module: pose.scale };
    let luma = conditions.expose(front, &map, &focus, moment, dice);
    let factors = Factors {
        version: front.version,
        correction: front.correction,
        ..factors(pose, conditions, moment, module)
    };
    Shot { frame: frame_of(luma), payload: Vec::new(), level: Level::Easy, quad, factors }
}

fn frame_of(luma: Vec<u8>) -> Frame {
    Frame { width: WIDTH as u32, height: HEIGHT as u32, luma, number: 1, label: None }
}

fn factors(pose: &Pose, conditions: &Conditions, moment: &Moment, module: f32) -> Factors {
    Factors {
        version: 0,
        correction: ' ',
        module,
        tilt: pose.tilt[0].hypot(pose.tilt[1]).to_degrees(),
        turn: pose.turn.to_degrees(),
        defocus: moment.defocus / pose.scale,
        motion: moment.motion[0].hypot(moment.motion[1]) / pose.scale,
        noise: conditions.noise,
        light: conditions.light,
        contrast: conditions.contrast,
        quality: conditions.quality,
        has_glare: conditions.has_glare(),
        has_streaks: conditions.has_streaks(),
        has_finger: conditions.has_finger(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_index_give_the_same_picture_and_others_another() {
        let first = shot(1, 0);
        assert!(first.frame == shot(1, 0).frame && first.payload == shot(1, 0).payload);
        assert!(first.frame.is_whole());
        assert!(first.payload != shot(1, 1).payload && first.payload != shot(2, 0).payload);
    }

    #[test]
    fn the_factors_are_in_the_ranges_of_their_level() {
        for index in 0..9 {
            let shot = shot(5, index);
            let ranges = Ranges::of(shot.level);
            let within =
                |value: f32, (low, high): (f32, f32)| (low - 1e-3..=high + 1e-3).contains(&value);
            assert!(within(shot.factors.tilt, ranges.tilt), "{shot:?}");
            assert!(within(shot.factors.defocus, ranges.defocus), "{shot:?}");
            assert!(within(shot.factors.motion, ranges.motion), "{shot:?}");
            assert!(within(shot.factors.noise, ranges.noise), "{shot:?}");
            assert!(within(f32::from(shot.factors.quality), ranges.quality), "{shot:?}");
            // A tilt makes the code smaller by its cosine, in one direction.
            let least = ranges.module.0 * ranges.tilt.1.to_radians().cos().sqrt() * 0.97;
            assert!(within(shot.factors.module, (least, ranges.module.1 * 1.05)), "{shot:?}");
            for [x, y] in shot.quad {
                assert!(within(x, (0.0, WIDTH as f32)) && within(y, (0.0, HEIGHT as f32)));
            }
        }
    }

    #[test]
    fn finder_patterns_are_at_the_corners() {
        // Number 0 is easy. The ring of a pattern is dark, and light is beyond the code's edge.
        for index in [0, 3, 6] {
            let shot = shot(1, index);
            let centre =
                [0, 1].map(|axis| shot.quad.iter().map(|corner| corner[axis]).sum::<f32>() / 4.0);
            let modules = 17.0 + 4.0 * f32::from(shot.factors.version);
            for corner in [shot.quad[0], shot.quad[1], shot.quad[3]] {
                let grey = |modules_inwards: f32| {
                    let part = modules_inwards / (modules / 2.0);
                    let at = [0, 1]
                        .map(|axis| (corner[axis] + (centre[axis] - corner[axis]) * part) as usize);
                    i32::from(shot.frame.luma[at[1] * WIDTH + at[0]])
                };
                assert!(grey(0.5) + 30 < grey(-0.7), "{shot:?}");
                assert!(grey(0.5) + 20 < grey(1.5) && grey(3.5) + 20 < grey(1.5), "{shot:?}");
            }
        }
    }

    #[test]
    fn debug_shows_nothing_of_the_person() {
        let shot = shot(1, 0);
        let shown = format!("{shot:?}");
        let number = String::from_utf8_lossy(&shot.payload[..12]).into_owned();
        assert!(!shown.contains(&number), "{shown}");
    }
}
