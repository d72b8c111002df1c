//! Reads a code from the frames of a camera, one after the other.
//!
//! A frame that is not read is not lost: where a code lies is looked at first in the next one, and
//! the soft values of its modules are added up over the frames, until together they can be read.
//! Noise averages out, and a reflection that moves covers other modules in each frame.
//!
//! Two codes are never added up. Values are added only where they agree with those so far, and a
//! code read from the sum counts only where the newest frame agrees with each of its blocks.

use std::time::Duration;

use super::Frame;
use super::corners::Window;
use super::decode::{Cascade, Payload};
use super::equalise::format_of;
use super::geometry::{Picture, Point};
use super::hint::{Hint, hint};
use super::read::SURE;
use super::register::Grid;
use super::samples::Samples;
use super::soft::{Effort, LEAST_RISE};
use super::symbol::{Layout, Module};

/// How long nothing may be read before a hint is given. Chosen: most cards are read within it, and
/// advice that flickers helps nobody.
pub const HINT_AFTER: Duration = Duration::from_millis(700);

/// How much may be done for a frame, in about microseconds. Chosen: three quarters of what a single
/// frame may take, since the next one comes anyway.
const EFFORT: i64 = 26_000;

/// How well the fixed patterns must agree for a frame to be added up. Measured: see
/// [`soft`](super::soft).
const LEAST_FIT: f32 = 0.85;

/// Agreement of a frame with those added up from which it is added; 1 is all data modules.
///
/// Measured on hard bursts: 0.93 to 0.97 for frames of one code, with the fixed modules. Chosen: two
/// frames of noise as large as the contrast agree by 0.7, different codes by nearly none. Those of a
/// family can agree by more; what is read is looked at again for that.
const SAME_FROM: f32 = 0.5;

/// Frames in a row that do not agree, after which a new sum is begun with the next one.
const MOST_MISFITS: u32 = 2;

/// Agreement of the newest frame with each block of a code that was read from a sum.
///
/// Where a block of two codes differs at all, so do nearly all its check symbols, and they are a
/// fifth of it or more: another code agrees by 0.8 at most. Noise as large as the contrast leaves
/// 0.86.
const LEAST_SUPPORT: f32 = 0.82;

/// Frames without a grid after which what was added up is given up.
const MOST_LOST: u32 = 15;

/// The part of the sharpness of the frames before that is forgotten with each. Chosen: what was sharp
/// a second ago says little of what is in view now.
const FORGET: u32 = 16;

/// Mean difference of the samples of two frames above which the picture moves, in levels. Chosen:
/// noise gives up to 8 in the dark.
const MOVING: f32 = 10.0;

/// What a frame gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// What was read, each payload once.
    pub payloads: Vec<Payload>,
    /// What would help, where nothing was read for [`HINT_AFTER`].
    pub hint: Option<Hint>,
    /// Whether frames before were needed for it.
    pub is_fused: bool,
}

/// Reads codes over the frames of one camera.
#[derive(Default)]
pub struct Scanner {
    cascade: Cascade,
    fused: Fused,
    /// Where a code was seen last.
    place: Option<Grid>,
    lost: u32,
    samples: Samples,
    is_moving: bool,
    /// What the last frame gave, for one that is the same.
    last: Scan,
    unread_since: Option<Duration>,
}

impl Scanner {
    /// Makes a scanner that has seen nothing yet.
    pub fn new() -> Scanner {
        Scanner::default()
    }

    /// Forgets all frames, as for another camera or another person.
    pub fn reset(&mut self) {
        *self = Scanner::default();
    }

    /// Reads a frame that was taken at a time, counted from any moment.
    pub fn read(&mut self, frame: &Frame, at: Duration) -> Scan {
        if !frame.is_whole() {
            return Scan::default();
        }
        let difference = self.samples.renew(frame);
        self.is_moving = difference.is_some_and(|difference| difference > MOVING);
        let scan = if difference == Some(0.0) {
            Scan { hint: None, ..self.last.clone() }
        } else {
            self.read_new(frame)
        };
        self.last = scan.clone();
        if !scan.payloads.is_empty() {
            self.unread_since = None;
            return scan;
        }
        let since = *self.unread_since.get_or_insert(at);
        let is_due = at.saturating_sub(since) >= HINT_AFTER;
        Scan { hint: if is_due { self.hint(frame) } else { None }, ..scan }
    }

    fn hint(&self, frame: &Frame) -> Option<Hint> {
        match hint(frame) {
            Some(Hint::Steady) if !self.is_moving => Some(Hint::Focus),
            other => other,
        }
    }

    fn read_new(&mut self, frame: &Frame) -> Scan {
        let picture = Picture {
            width: frame.width as usize,
            height: frame.height as usize,
            luma: &frame.luma,
        };
        let mut effort = Effort(EFFORT);
        let soft = &mut self.cascade.soft;
        soft.start();
        // Where the code was is where it is most likely.
        let mut found = None;
        if let Some(place) = self.place {
            found = soft.follow(&picture, &place, &mut effort);
            if found.is_none()
                && let Some(window) = around(&picture, &place)
            {
                found = soft.read(&picture, window, LEAST_RISE, &mut effort);
            }
        }
        if let Some(found) = found {
            self.place = Some(found.grid);
            self.lost = 0;
            self.fused.clear();
            return Scan { payloads: vec![Payload { bytes: found.bytes }], ..Scan::default() };
        }
        self.cascade.place = None;
        self.cascade.sharpest -= self.cascade.sharpest / FORGET;
        if let Some((payloads, _)) = self.cascade.read(frame, &mut effort) {
            self.place = self.cascade.place.or(self.place);
            self.lost = 0;
            self.fused.clear();
            return Scan { payloads, ..Scan::default() };
        }
        let Some(grid) = self.cascade.soft.unread.filter(|grid| grid.fit >= LEAST_FIT) else {
            self.lost += 1;
            if self.lost > MOST_LOST {
                self.place = None;
                self.fused.clear();
            }
            return Scan::default();
        };
        self.place = Some(grid);
        self.lost = 0;
        let read = self.fused.add(&grid, &mut self.cascade);
        if read.is_some() {
            self.fused.clear();
        }
        let payloads: Vec<Payload> = read.map(|bytes| Payload { bytes }).into_iter().collect();
        Scan { is_fused: !payloads.is_empty(), payloads, hint: None }
    }
}

/// The surroundings of a code in a frame, with room for it to move.
fn around(picture: &Picture<'_>, grid: &Grid) -> Option<Window> {
    let side = grid.layout.side as f32;
    let corners = [(0.0, 0.0), (side, 0.0), (side, side), (0.0, side)]
        .map(|(u, v)| grid.plane.map(Point::new(u, v)));
    let bounds = |of: fn(&Point) -> f32, end: usize| {
        let low = corners.iter().map(of).fold(f32::MAX, f32::min);
        let high = corners.iter().map(of).fold(f32::MIN, f32::max);
        let room = (0.3 * (high - low)).max(40.0);
        // No number at all becomes 0.
        let (low, high) = ((low - room).max(0.0) as usize, (high + room).max(0.0) as usize);
        (low.min(end), high.min(end))
    };
    let (left, right) = bounds(|p| p.x, picture.width);
    let (top, bottom) = bounds(|p| p.y, picture.height);
    (left < right && top < bottom).then_some(Window { left, top, right, bottom })
}

/// Soft values added up over frames.
#[derive(Default)]
struct Fused {
    layout: Option<&'static Layout>,
    sums: Vec<f32>,
    frames: u32,
    misfits: u32,
}

impl Fused {
    fn clear(&mut self) {
        self.layout = None;
        self.misfits = 0;
        self.frames = 0;
    }

    /// Adds the last unread frame and tries to read the sum.
    fn add(&mut self, grid: &Grid, cascade: &mut Cascade) -> Option<Vec<u8>> {
        let soft = &mut cascade.soft;
        let values = &soft.unread_soft;
        if values.len() != grid.layout.modules.len() {
            return None;
        }
        let is_same_kind = self.layout.is_some_and(|layout| layout.version == grid.layout.version);
        let agreement = if is_same_kind {
            agreement(grid.layout, &self.sums, self.frames, values)
        } else {
            0.0
        };
        if is_same_kind && agreement < SAME_FROM {
            self.misfits += 1;
        }
        if !is_same_kind || self.misfits > MOST_MISFITS {
            self.misfits = 0;
            self.layout = Some(grid.layout);
            self.sums.clear();
            self.sums.extend(values.iter().map(|value| value.clamp(-MOST_SURE, MOST_SURE)));
            self.frames = 1;
            return None;
        }
        if agreement < SAME_FROM {
            return None;
        }
        self.misfits = 0;
        for (sum, value) in self.sums.iter_mut().zip(values) {
            *sum += value.clamp(-MOST_SURE, MOST_SURE);
        }
        self.frames += 1;
        let (format, is_mirrored) = format_of(grid.layout, &self.sums);
        soft.reader.start();
        let bytes = soft.reader.read(grid.layout, format, is_mirrored, &self.sums)?;
        let support = soft.reader.support(grid.layout, format, is_mirrored, values);
        (support > LEAST_SUPPORT).then_some(bytes)
    }
}

/// Most that a module of one frame counts: one frame that is sure and wrong must not outweigh the
/// others.
const MOST_SURE: f32 = 12.0;

/// How well values agree with the mean of those added up, where both are sure: 1 is everywhere, 0
/// is as often as not.
fn agreement(layout: &Layout, sums: &[f32], frames: u32, values: &[f32]) -> f32 {
    let (mut product, mut size) = (0.0_f32, 0.0_f32);
    for ((sum, value), module) in sums.iter().zip(values).zip(&layout.modules) {
        if *module != Module::Data {
            continue;
        }
        let (a, b) = ((sum / frames as f32).clamp(-SURE, SURE), value.clamp(-SURE, SURE));
        product += a * b;
        size += (a * b).abs();
    }
    if size > 0.0 { product / size } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evenly(level: u8) -> Frame {
        Frame { width: 320, height: 240, luma: vec![level; 320 * 240], number: 1, label: None }
    }

    const FRAME: Duration = Duration::from_millis(33);

    #[test]
    fn a_hint_comes_only_after_a_while_without_a_code() {
        let mut scanner = Scanner::new();
        for i in 0..40 {
            // No two are the same picture.
            let scan = scanner.read(&evenly(20 + i as u8 % 2), FRAME * i);
            let expected = (FRAME * i >= HINT_AFTER).then_some(Hint::Dark);
            assert_eq!((scan.hint, scan.payloads.len()), (expected, 0), "frame {i}");
        }
        scanner.reset();
        assert_eq!(scanner.read(&evenly(20), FRAME * 40).hint, None, "after a reset");
    }

    #[test]
    fn bad_frames_and_times_that_go_back_do_no_harm() {
        let mut scanner = Scanner::new();
        let cut_off = Frame { luma: vec![0; 7], ..evenly(0) };
        assert_eq!(scanner.read(&cut_off, FRAME), Scan::default());
        scanner.read(&evenly(100), FRAME * 90);
        scanner.read(&evenly(101), FRAME);
        for (width, height) in [(1, 1), (50, 3), (3, 50), (64, 64), (41, 999)] {
            let luma = vec![90; width * height];
            let frame =
                Frame { width: width as u32, height: height as u32, luma, number: 1, label: None };
            assert_eq!(scanner.read(&frame, FRAME).payloads, [], "{width} x {height}");
        }
    }

    #[test]
    fn noise_gives_nothing_over_many_frames() {
        let mut scanner = Scanner::new();
        let mut state = 5_u32;
        for i in 0..30 {
            let mut frame = evenly(0);
            frame.luma.fill_with(|| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            });
            assert_eq!(scanner.read(&frame, FRAME * i).payloads, []);
        }
    }

    /// Codes drawn here; the crate that draws them comes with the command line.
    #[cfg(feature = "cli")]
    mod drawn {
        use qrcode::{Color, EcLevel, QrCode, Version};

        use super::super::super::decode;
        use super::super::super::read::Reader;
        use super::*;

        const MODULE: usize = 4;

        /// A sum of twelve evenly spread numbers, near enough a normal one of deviation 1.
        fn normal(state: &mut u64) -> f32 {
            (0..12).fold(-6.0, |sum, _| {
                *state ^= *state << 13;
                *state ^= *state >> 7;
                *state ^= *state << 17;
                sum + (*state >> 40) as f32 / (1 << 24) as f32
            })
        }

        /// A code whose data modules are hidden in noise of `noise` times their contrast.
        fn noisy(text: &[u8], noise: f32, state: &mut u64) -> Frame {
            let code = QrCode::with_version(text, Version::Normal(6), EcLevel::L).expect("fits");
            let layout = Layout::of(6).expect("a version");
            let mut frame = evenly(200);
            let colors = code.to_colors();
            for (place, color) in colors.iter().enumerate() {
                let value = if *color == Color::Dark { 1.0 } else { -1.0 };
                let off = if layout.modules[place] == Module::Data { noise } else { 0.0 };
                let value = value + off * normal(state);
                let level = (128.0 - 50.0 * value).clamp(0.0, 255.0) as u8;
                let (x, y) = (place % layout.side, place / layout.side);
                for row in 0..MODULE {
                    let start = (30 + y * MODULE + row) * 320 + 60 + x * MODULE;
                    frame.luma[start..start + MODULE].fill(level);
                }
            }
            frame
        }

        fn text(mark: u8) -> Vec<u8> {
            (0..130_u8).map(|i| b'A' + (i.wrapping_mul(mark) ^ mark) % 26).collect()
        }

        #[test]
        fn frames_that_none_can_be_read_from_are_read_together() {
            let mut state = 77;
            let mut scanner = Scanner::new();
            let text = text(3);
            for i in 0..12 {
                let frame = noisy(&text, 0.85, &mut state);
                assert_eq!(decode::payloads(&frame), [], "frame {i} alone");
                let scan = scanner.read(&frame, FRAME * i);
                if !scan.payloads.is_empty() {
                    assert_eq!(scan.payloads, [Payload { bytes: text }]);
                    assert!(scan.is_fused && i > 0);
                    return;
                }
            }
            panic!("twelve frames are enough");
        }

        #[test]
        fn two_codes_are_never_mixed() {
            let mut state = 99;
            for pattern in [0b01_u32, 0b0011, 0b000_111, 0b0000_0111] {
                let length = 32 - pattern.leading_zeros().min(24);
                for noise in [0.3, 0.8, 1.0] {
                    let mut scanner = Scanner::new();
                    for i in 0..14_u32 {
                        let text = text(3 + (pattern >> (i % length) & 1) as u8 * 4);
                        let frame = noisy(&text, noise, &mut state);
                        let scan = scanner.read(&frame, FRAME * i);
                        // Whatever is read is the code in this very frame.
                        for payload in scan.payloads {
                            assert!(payload.bytes == text, "{pattern:b} {noise} frame {i}");
                        }
                    }
                }
            }
        }

        #[test]
        fn a_code_is_not_taken_for_another_of_the_family() {
            let person = |number: &str, name: &str, born: &str| {
                format!("{number}||{name}|{born}|Nam|Ap Tan Hoa, Xa An Binh, Dong Thap|12042024")
            };
            let one = person("087088123456", "Tran Van Mot", "01021988").into_bytes();
            let other = person("087088123456", "Tran Van Hai", "01021988").into_bytes();
            let values = |text: &[u8]| -> Vec<f32> {
                let code = QrCode::with_version(text, Version::Normal(6), EcLevel::L);
                let dark = |color: &Color| if *color == Color::Dark { 3.0 } else { -3.0 };
                code.expect("fits").to_colors().iter().map(dark).collect()
            };
            let (of_one, of_other) = (values(&one), values(&other));
            let layout = Layout::of(6).expect("a version");
            assert!(agreement(layout, &of_one, 1, &of_one) > 0.99);

            let mut reader = Reader::default();
            let (format, _) = format_of(layout, &of_one);
            assert_eq!(reader.read(layout, format, false, &of_one), Some(one));
            assert!(reader.support(layout, format, false, &of_one) > 0.99);
            let support = reader.support(layout, format, false, &of_other);
            assert!(support < LEAST_SUPPORT, "{support}");
        }

        #[test]
        fn a_code_that_comes_after_another_is_read() {
            let mut state = 7;
            let mut scanner = Scanner::new();
            for i in 0..5 {
                scanner.read(&noisy(&text(3), 1.0, &mut state), FRAME * i);
            }
            let other = text(9);
            let scan = scanner.read(&noisy(&other, 0.1, &mut state), FRAME * 6);
            assert_eq!(scan.payloads, [Payload { bytes: other }]);
        }
    }
}
