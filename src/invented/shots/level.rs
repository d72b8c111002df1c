//! How bad a photograph is: the ranges that each level draws from.

use std::fmt;

/// A third of the pictures each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Level {
    /// A good hand by day.
    Easy,
    /// An ordinary hand, some shine, some shade.
    Medium,
    /// Tilted, dim, moving, shining: what other scanners give up on.
    Hard,
}

impl Level {
    /// All of them, the mildest first.
    pub const ALL: [Level; 3] = [Level::Easy, Level::Medium, Level::Hard];

    /// Returns the level of picture number `index` of a set: each in turn.
    pub fn of(index: u64) -> Level {
        Level::ALL[(index % 3) as usize]
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Easy => "easy",
            Level::Medium => "medium",
            Level::Hard => "hard",
        })
    }
}

/// Lowest and highest.
pub(super) type Range = (f32, f32);

/// What a level draws from, evenly. Lengths are in modules of the code (or widths of a stroke of
/// the zone), so that a smaller picture is not a sharper one.
pub(super) struct Ranges {
    /// Pixels a module, where the code is.
    pub module: Range,
    /// Degrees out of the picture's plane.
    pub tilt: Range,
    /// Degrees in it, to either side.
    pub turn: Range,
    /// Deviation of the blur of a lens out of focus.
    pub defocus: Range,
    /// Length of the way during the exposure.
    pub motion: Range,
    /// Deviation of the sensor's noise at middle grey.
    pub noise: Range,
    /// Share of full light.
    pub light: Range,
    /// Quality of the JPEG.
    pub quality: Range,
    /// Share of the print's contrast that is left.
    pub contrast: Range,
    /// Share of the light that is lost from one side to the other.
    pub gradient: Range,
    /// How often lamps are mirrored.
    pub glare: f32,
    /// How often the laminate shows streaks.
    pub streaks: f32,
    /// How often a finger is on the edge.
    pub finger: f32,
}

impl Ranges {
    /// Chosen by the study whose figures the decoders are compared with, and kept as they are.
    pub fn of(level: Level) -> &'static Ranges {
        match level {
            Level::Easy => &Ranges {
                module: (3.6, 6.0),
                tilt: (0.0, 12.0),
                turn: (0.0, 15.0),
                defocus: (0.05, 0.25),
                motion: (0.0, 0.3),
                noise: (0.5, 3.0),
                light: (0.75, 1.0),
                quality: (52.0, 75.0),
                contrast: (0.8, 1.0),
                gradient: (0.0, 0.25),
                glare: 0.15,
                streaks: 0.15,
                finger: 0.10,
            },
            Level::Medium => &Ranges {
                module: (2.8, 4.6),
                tilt: (5.0, 25.0),
                turn: (0.0, 45.0),
                defocus: (0.20, 0.40),
                motion: (0.0, 0.8),
                noise: (2.0, 7.0),
                light: (0.45, 1.0),
                quality: (40.0, 65.0),
                contrast: (0.6, 0.9),
                gradient: (0.1, 0.5),
                glare: 0.40,
                streaks: 0.35,
                finger: 0.25,
            },
            Level::Hard => &Ranges {
                module: (2.5, 4.2),
                tilt: (12.0, 35.0),
                turn: (0.0, 180.0),
                defocus: (0.20, 0.42),
                motion: (0.0, 0.9),
                noise: (2.0, 9.0),
                light: (0.3, 0.9),
                quality: (38.0, 58.0),
                contrast: (0.5, 0.85),
                gradient: (0.2, 0.65),
                glare: 0.45,
                streaks: 0.40,
                finger: 0.35,
            },
        }
    }
}
