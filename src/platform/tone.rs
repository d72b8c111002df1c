//! Tells without the screen that a card was read: a short tone, by the sound player of the system.
//!
//! The tone is the same for every card, so that nobody who stands by hears what was found. A system
//! without a player, or a player that fails, stays silent: the screen has said it all. Nothing
//! vibrates in this version.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Programs that play a WAV file from their standard input, and what they are told: the first one
/// that is there is taken.
const PLAYERS: [(&str, &[&str]); 2] = [("aplay", &["-q", "-"]), ("pw-play", &["-"])];

/// Samples a second.
const RATE: u32 = 22_050;

/// Hertz. Chosen: high enough to be heard beside an engine.
const PITCH: f32 = 1_760.0;

/// Milliseconds. Chosen: short enough for a hundred cards an hour.
const LENGTH: u32 = 90;

/// Milliseconds in which it swells and dies away, without which it clicks.
const EDGE: u32 = 8;

/// Of the loudest that there is.
const LOUDNESS: f32 = 0.6;

/// How long a player may take. Chosen: a sound system that wakes up takes a second.
const PATIENCE: Duration = Duration::from_secs(3);

/// Plays the tone; returns at once.
pub fn play() {
    // Without a thread there is no tone.
    let _ = thread::Builder::new().name("tone".into()).spawn(|| play_by(&PLAYERS, PATIENCE));
}

/// Plays the tone to its end; tells whether a player says that it has.
fn play_by(players: &[(&str, &[&str])], patience: Duration) -> bool {
    let found = players.iter().find_map(|(program, arguments)| {
        let mut command = Command::new(program);
        command.args(*arguments).stdin(Stdio::piped());
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
    });
    let Some(mut player) = found else { return false };
    if let Some(mut input) = player.stdin.take() {
        // A player that has ended already makes no sound, and nobody can help it. One that does not
        // read does not hold this up: a pipe takes more than the whole tone.
        let _ = input.write_all(&wav());
    }
    let begun = Instant::now();
    while matches!(player.try_wait(), Ok(None)) {
        if begun.elapsed() > patience {
            let _ = player.kill();
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    // Taken from the list of processes.
    player.wait().is_ok_and(|status| status.success())
}

/// Returns the tone as a WAV file: one channel of 16 bits.
fn wav() -> Vec<u8> {
    let count = RATE * LENGTH / 1_000;
    let edge = (RATE * EDGE / 1_000) as f32;
    let samples = (0..count).flat_map(|i| {
        let from_end = i.min(count - i) as f32;
        let loudness = LOUDNESS * (from_end / edge).min(1.0) * f32::from(i16::MAX);
        let turn = i as f32 * PITCH / RATE as f32 * std::f32::consts::TAU;
        ((turn.sin() * loudness) as i16).to_le_bytes()
    });
    let length = 2 * count;
    let mut file = Vec::with_capacity(44 + length as usize);
    file.extend(b"RIFF");
    file.extend((36 + length).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    // Uncompressed, one channel.
    file.extend([1, 0, 1, 0]);
    file.extend(RATE.to_le_bytes());
    file.extend((2 * RATE).to_le_bytes());
    // Two bytes a sample, of 16 bits.
    file.extend([2, 0, 16, 0]);
    file.extend(b"data");
    file.extend(length.to_le_bytes());
    file.extend(samples);
    file
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn the_tone_is_a_whole_file_that_begins_and_ends_in_silence() {
        let file = wav();
        let sizes = [4, 40].map(|at| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()));
        assert_eq!(sizes, [file.len() as u32 - 8, file.len() as u32 - 44]);
        let samples: Vec<i16> = file[44..]
            .chunks_exact(2)
            .map(|sample| i16::from_le_bytes(sample.try_into().unwrap()))
            .collect();
        let loudest = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!((15_000..25_000).contains(&loudest), "{loudest}");
        assert_eq!(samples[0], 0);
        assert!(samples[samples.len() - 1].unsigned_abs() < 500);
        let rises = samples.windows(2).filter(|two| two[0] < 0 && two[1] >= 0).count();
        let expected = PITCH * LENGTH as f32 / 1_000.0;
        assert!((rises as f32 - expected).abs() < 3.0, "{rises} turns, not {expected}");
    }

    /// `tee` stands in for a player: what it was given is what would have been heard.
    #[test]
    fn the_first_player_that_is_there_gets_the_tone() {
        let folder = tempfile::tempdir().unwrap();
        let heard = folder.path().join("heard.wav");
        let arguments: &[&str] = &[heard.to_str().unwrap()];
        assert!(play_by(&[("fieldcheck-no-such-player", arguments), ("tee", arguments)], LONG));
        assert_eq!(fs::read(&heard).unwrap(), wav());
    }

    #[test]
    fn without_a_player_or_with_one_that_fails_or_hangs_nothing_is_played() {
        assert!(!play_by(&[], LONG));
        assert!(!play_by(&[("fieldcheck-no-such-player", &[])], LONG));
        assert!(!play_by(&[("false", &[])], LONG));
        let begun = Instant::now();
        assert!(!play_by(&[("sleep", &["600"])], Duration::from_millis(50)));
        assert!(begun.elapsed() < LONG);
    }
}
