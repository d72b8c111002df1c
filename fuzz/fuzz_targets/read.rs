//! A whole reading of a card that does what the fuzzer says, and the judging of it.
#![no_main]

use std::ops::ControlFlow;
use std::time::Duration;

use fieldcheck::chip::Card;
use fieldcheck::chip::contents::{Files, judge};
use fieldcheck::chip::length::LengthMemory;
use fieldcheck::chip::password::{Can, MrzKey, Password};
use fieldcheck::chip::read::{MAX_FILE_BYTES, MAX_READING_BYTES, Reading, Wanted, go_on_with};
use fieldcheck_fuzz::{Foreseen, HostileCard, anchors, holder};
use libfuzzer_sys::fuzz_target;
use sync_format::v1::date::Date;

/// See `MAX_COMMANDS` of the reading.
const MAX_COMMANDS: u32 = 10_000;

fuzz_target!(|bytes: &[u8]| {
    let mut card = HostileCard::new(bytes);
    let [number, birth, expiry] = holder().zone_key();
    let password = Password {
        can: Can::new(&holder().can()),
        zones: MrzKey::new(&number, &birth, &expiry).into_iter().collect(),
    };
    let mut reading = Reading::new(password, Wanted::ALL);
    let mut random = Foreseen::default();
    let mut lengths = LengthMemory::default();
    let watch = &mut |_| ControlFlow::Continue(());
    // As often as a reading goes on by itself; see `read_through`.
    for _ in 0..40 {
        match go_on_with(&mut card, &mut reading, &mut lengths, watch, &mut random) {
            Err(error) if error.is_lost() && reading.may_go_on() => {}
            _ => break,
        }
        if card.reconnect(Duration::ZERO).is_err() {
            break;
        }
    }
    assert!(card.commands() <= MAX_COMMANDS, "{} commands", card.commands());
    let lengths: Vec<usize> = reading.groups().map(|(_, file)| file.len()).collect();
    assert!(lengths.iter().all(|length| *length <= MAX_FILE_BYTES));
    assert!(lengths.iter().sum::<usize>() <= MAX_READING_BYTES);
    if let Some(files) = Files::of(&reading) {
        let today = Date::new(2026, 11, 24).expect("a day");
        let _ = judge(&files, None, &anchors(), today);
    }
});
