//! Everything that can go wrong with a card, one thing at a time: what is read all the same, and
//! what is said of the rest. The cards are in this program, so that nobody waits.

use std::ops::ControlFlow;

use fieldcheck::chip::files::FileId;
use fieldcheck::chip::length::LengthMemory;
use fieldcheck::chip::read::{ReadError, Reading, go_on};
use fieldcheck::chip::simulated::card::SimulatedCard;
use fieldcheck::chip::simulated::contents::Contents;
use fieldcheck::chip::simulated::fault::Fault;

use super::{assert_whole, contents, read_to_the_end, reading};

fn faults(text: &str) -> Vec<Fault> {
    text.split(", ").map(|fault| fault.parse().expect(fault)).collect()
}

fn read_with(contents: &Contents, faults: &[Fault]) -> (Result<(), ReadError>, Reading) {
    let mut card = SimulatedCard::with_faults(contents.clone(), faults);
    let mut reading = reading();
    let result = read_to_the_end(&mut card, &mut reading);
    (result, reading)
}

#[test]
fn what_only_makes_reading_harder_is_read_to_the_end() {
    let contents = contents();
    for text in [
        "knows-mf",
        "pieces 100",
        "pieces 255",
        "wants-length 200",
        "short-reads 100",
        "no-extended",
        "longest-read 1024",
        "longest-read 200",
        "no-short-names",
        "no-short-names, no-extended",
        "refuses-can",
        "slow 12 7000",
        "slow 12 60000",
        "cut 3",
        "cut 10, cut 20, cut 30",
        "unprotected 15",
        "status 15 6F00",
    ] {
        let (result, reading) = read_with(&contents, &faults(text));
        assert_eq!(result, Ok(()), "{text}");
        assert_whole(&reading, &contents);
    }
}

#[test]
fn what_makes_it_impossible_is_named() {
    let contents = contents();
    for (text, code) in [
        ("leave 3", "card-lost"),
        ("leave 20", "card-lost"),
        ("wrong-mac 15", "session-broken"),
        ("refuses-can, refuses-zone", "wrong-password"),
        ("missing SOD", "file-missing"),
        ("missing DG1", "file-missing"),
        ("claims DG2 4294967295", "file-too-long"),
        ("claims SOD 300000", "file-too-long"),
        ("claims DG1 1000", "file-ends-early"),
        ("endless DG2", "file-too-long"),
        ("endless SOD", "file-too-long"),
        ("flipped SOD 4", "security-object-malformed"),
        ("flipped DG1 0", "file-malformed"),
    ] {
        let (result, _) = read_with(&contents, &faults(text));
        let error = result.expect_err(text);
        assert_eq!(error.code(), code, "{text}");
    }
}

#[test]
fn a_card_that_is_lost_at_any_command_is_read_to_the_end() {
    let contents = contents();
    let mut whole = SimulatedCard::new(contents.clone());
    let mut reading_whole = reading();
    read_to_the_end(&mut whole, &mut reading_whole).unwrap();
    let all: u64 = contents
        .files
        .iter()
        .filter(|(file, _)| !matches!(file, FileId::CardAccess | FileId::Dg(3)))
        .map(|(_, bytes)| bytes.len() as u64)
        .sum();
    for at in 1..=whole.commands() {
        let (result, reading) = read_with(&contents, &[Fault::Cut { at }]);
        assert_eq!(result, Ok(()), "cut at {at}");
        assert_whole(&reading, &contents);
        let counts = reading.counts();
        assert_eq!(counts.resumed, 1, "cut at {at}");
        // Five bytes for every four that there are, at the most.
        assert!(counts.bytes_of_files * 5 <= all * 6, "cut at {at}: {counts:?} of {all}");
    }
}

#[test]
fn a_card_of_short_commands_that_is_lost_at_any_is_read_to_the_end() {
    let contents = contents();
    let mut lengths = LengthMemory::default();
    let step = &mut |_| ControlFlow::Continue(());
    // The first finds out what the card carries, and the second remembers.
    let commands = [(); 2].map(|()| {
        let mut whole = SimulatedCard::with_faults(contents.clone(), &[Fault::NoExtended]);
        go_on(&mut whole, &mut reading(), &mut lengths, step).unwrap();
        whole.commands()
    });
    // Every seventh is enough: each kind of command is among them.
    for at in (1..=commands[1]).step_by(7) {
        let faults = [Fault::NoExtended, Fault::Cut { at }];
        let mut card = SimulatedCard::with_faults(contents.clone(), &faults);
        let mut reading = reading();
        let lost = go_on(&mut card, &mut reading, &mut lengths, step);
        assert_eq!(lost, Err(ReadError::CardLost), "cut at {at}");
        read_to_the_end(&mut card, &mut reading).unwrap();
        assert_whole(&reading, &contents);
    }
}
