//! One card or passport in one hand: what a camera sees in the second before it is read.
//!
//! A hand drifts and trembles; both are sums of waves, so that every frame has a place and a speed.
//! The speed blurs the frame, the tilt moves the mirrored lamps, and the lens hunts for the focus.
//! What the light and the camera are does not change; noise is new in each frame.

use std::f32::consts::TAU;

use super::dice::Dice;
use super::front::Front;
use super::holder;
use super::level::{Level, Range, Ranges};
use super::pose::{FOCAL, Point, Pose};
use super::scene::{Conditions, Moment};
use super::{Shot, photograph, placed, turn};
use crate::invented::random::Stream;

/// Seconds from one frame to the next. Chosen: a reader that takes the newest frame gets about
/// every second one of a camera at 30.
pub(super) const STEP: f32 = 1.0 / 15.0;

/// How far the hand may carry the code from where it began, pixels: it stays in the frame.
const REACH: f32 = 30.0;

/// Root mean square of the way during an exposure, in modules; a frame has at most the level's.
pub(super) const SHAKE: Range = (0.15, 0.70);

/// Takes `frames` photographs of one card, each with parameters of [`Level::Hard`].
pub fn burst(seed: u64, index: u64, frames: usize) -> Vec<Shot> {
    let ranges = Ranges::of(Level::Hard);
    let mut dice = Dice::new(seed, Stream::Burst, index);
    let card = holder::card_of(&holder::draw(seed, &mut dice), &mut dice);
    let front = Front::new(&card, &mut dice);
    let conditions = Conditions::draw(ranges, &mut dice);
    let hand = Hand::of_front(ranges, &front, &mut dice);
    let exposure = hand.exposure(frames, dice.within(SHAKE));
    let payload = card.payload();
    (0..frames)
        .map(|frame| {
            let time = frame as f32 * STEP;
            let pose = hand.pose(time);
            let moment = hand.moment(time, exposure);
            let mut shot = photograph(&front, &pose, &conditions, &moment, &mut dice);
            shot.payload.clone_from(&payload);
            (shot.level, shot.frame.number) = (Level::Hard, frame as u64 + 1);
            shot
        })
        .collect()
}

/// Where the card is at each time.
pub(super) struct Hand {
    start: Pose,
    /// Pixels for one unit of the face: the least and the most.
    scales: Range,
    /// A module, in units of the face.
    module: f32,
    /// Pixels.
    place: [Sway; 2],
    /// Radians.
    tilt: [Sway; 2],
    turn: Sway,
    /// Share of the distance.
    nearness: Sway,
    /// From −1 to 1 over the level's range of defocus.
    focus: Sway,
    ranges: &'static Ranges,
}

impl Hand {
    fn of_front(ranges: &'static Ranges, front: &Front, dice: &mut Dice) -> Hand {
        let tilt = dice.within(ranges.tilt).to_radians();
        let (sine, cosine) = dice.direction().sin_cos();
        let start = Pose {
            scale: dice.within(ranges.module),
            turn: turn(Level::Hard, ranges, dice),
            tilt: [tilt * cosine, tilt * sine],
            centre: [0.0, 0.0],
        };
        let mut hand = Hand::holding(start, ranges.module, 1.0, ranges, dice);
        hand.start = placed(start, &front.corners(), REACH, dice);
        hand
    }

    /// Holds a face where it is: `module` is the length in it by which defocus and ways are measured.
    pub fn holding(
        start: Pose,
        scales: Range,
        module: f32,
        ranges: &'static Ranges,
        dice: &mut Dice,
    ) -> Hand {
        let mut place = || Sway::draw(dice, (3.0, 8.0), (0.3, 1.0));
        let place = [place(), place()];
        let degree = 1.0_f32.to_radians();
        let mut tilt = || Sway::draw(dice, (0.6 * degree, 1.8 * degree), (0.0, 0.2 * degree));
        Hand {
            tilt: [tilt(), tilt()],
            turn: Sway::draw(dice, (0.4 * degree, 1.2 * degree), (0.0, 0.2 * degree)),
            nearness: Sway::draw(dice, (0.005, 0.02), (0.0, 0.001)),
            focus: Sway::draw(dice, (0.3, 0.6), (0.0, 0.0)),
            start,
            scales,
            module,
            place,
            ranges,
        }
    }

    pub fn pose(&self, time: f32) -> Pose {
        let start = &self.start;
        let within = |value: f32, (low, high): Range| value.clamp(low, high);
        let tilt = [0, 1].map(|axis| start.tilt[axis] + self.tilt[axis].at(time));
        let angle = tilt[0].hypot(tilt[1]).max(1e-6);
        let (least, most) = self.ranges.tilt;
        let lawful = within(angle, (least.to_radians(), most.to_radians()));
        let place = self.moved(time);
        Pose {
            scale: within(start.scale * (1.0 + self.nearness.at(time)), self.scales),
            turn: start.turn + self.turn.at(time),
            tilt: tilt.map(|part| part * lawful / angle),
            centre: [start.centre[0] + place[0], start.centre[1] + place[1]],
        }
    }

    /// Returns what is different in the frame at a time.
    pub fn moment(&self, time: f32, exposure: f32) -> Moment {
        Moment {
            defocus: self.defocus(time) * self.pose(time).scale * self.module,
            motion: self.way(time, exposure),
            shine: self.shine(time),
        }
    }

    fn moved(&self, time: f32) -> Point {
        [0, 1].map(|axis| self.place[axis].at(time).clamp(-REACH, REACH))
    }

    fn defocus(&self, time: f32) -> f32 {
        let (low, high) = self.ranges.defocus;
        (low + high) / 2.0 + (high - low) / 2.0 * self.focus.at(time).clamp(-1.0, 1.0)
    }

    /// Pixels a second.
    fn speed(&self, time: f32) -> Point {
        [0, 1].map(|axis| self.place[axis].speed(time))
    }

    /// Returns the exposure, in seconds, at which so many modules are passed over on average.
    pub fn exposure(&self, frames: usize, modules: f32) -> f32 {
        let squares = (0..frames).map(|frame| {
            let [x, y] = self.speed(frame as f32 * STEP);
            x * x + y * y
        });
        let speed = (squares.sum::<f32>() / frames.max(1) as f32).sqrt();
        modules * self.start.scale * self.module / speed.max(1e-3)
    }

    fn way(&self, time: f32, exposure: f32) -> Point {
        let way = self.speed(time).map(|speed| speed * exposure);
        let most = self.ranges.motion.1 * self.pose(time).scale * self.module;
        let length = way[0].hypot(way[1]).max(1e-6);
        way.map(|part| part * (most / length).min(1.0))
    }

    /// How far a mirrored lamp has wandered over the card: a mirror that is tilted by an angle turns
    /// the light by twice the angle, and the lamp does not follow the hand.
    fn shine(&self, time: f32) -> Point {
        let (now, start) = (self.pose(time), self.pose(0.0));
        let tilted = [0, 1].map(|axis| now.tilt[axis] - start.tilt[axis]);
        let (moved, before) = (self.moved(time), self.moved(0.0));
        [
            -2.0 * FOCAL * tilted[1] - (moved[0] - before[0]),
            2.0 * FOCAL * tilted[0] - (moved[1] - before[1]),
        ]
    }
}

/// A value that goes to and fro: slow waves of a drift, quick ones of a tremor.
struct Sway(Vec<Wave>);

struct Wave {
    amplitude: f32,
    /// Radians a second.
    rate: f32,
    phase: f32,
}

impl Sway {
    /// Ranges are of the amplitudes. A hand drifts at up to 1.5 Hz and trembles at 7 to 11 Hz.
    fn draw(dice: &mut Dice, drift: Range, tremor: Range) -> Sway {
        let slow = (0..3).map(|_| (drift, (0.3, 1.5)));
        let quick = (0..2).map(|_| (tremor, (7.0, 11.0)));
        let waves = slow.chain(quick).map(|(amplitude, frequency)| Wave {
            amplitude: dice.within(amplitude),
            rate: dice.within(frequency) * TAU,
            phase: dice.direction(),
        });
        Sway(waves.collect())
    }

    fn at(&self, time: f32) -> f32 {
        self.0.iter().map(|wave| wave.amplitude * (wave.rate * time + wave.phase).sin()).sum()
    }

    fn speed(&self, time: f32) -> f32 {
        let speed =
            |wave: &Wave| wave.amplitude * wave.rate * (wave.rate * time + wave.phase).cos();
        self.0.iter().map(speed).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_a_burst_show_one_card_that_moves_a_little() {
        let shots = burst(1, 0, 3);
        assert_eq!(shots.len(), 3);
        for (one, next) in shots.iter().zip(&shots[1..]) {
            assert!(one.payload == next.payload && one.frame != next.frame);
            let moved = (one.quad[0][0] - next.quad[0][0]).hypot(one.quad[0][1] - next.quad[0][1]);
            assert!((0.1..60.0).contains(&moved), "{moved}");
            assert_eq!(one.factors.version, next.factors.version);
        }
        assert!(burst(1, 0, 2)[1].frame == shots[1].frame || shots[1].factors.motion > 0.0);
    }

    #[test]
    fn every_frame_is_within_the_hard_level() {
        let ranges = Ranges::of(Level::Hard);
        for index in 0..20 {
            let mut dice = Dice::new(3, Stream::Burst, index);
            let card = holder::card_of(&holder::draw(3, &mut dice), &mut dice);
            let front = Front::new(&card, &mut dice);
            let hand = Hand::of_front(ranges, &front, &mut dice);
            let exposure = hand.exposure(10, 0.5);
            for frame in 0..10 {
                let time = frame as f32 * STEP;
                let pose = hand.pose(time);
                let tilt = pose.tilt[0].hypot(pose.tilt[1]).to_degrees();
                let [x, y] = hand.way(time, exposure);
                let within =
                    |value: f32, (low, high): Range| (low - 1e-3..=high + 1e-3).contains(&value);
                assert!(within(tilt, ranges.tilt), "{tilt}");
                assert!(within(pose.scale, ranges.module), "{}", pose.scale);
                assert!(within(hand.defocus(time), ranges.defocus));
                assert!(within(x.hypot(y) / pose.scale, ranges.motion), "{x} {y}");
                let map = pose.map();
                for corner in front.corners() {
                    let [x, y] = map.apply(corner);
                    assert!(within(x, (0.0, 1_280.0)) && within(y, (0.0, 720.0)), "{x} {y}");
                }
            }
        }
    }
}
