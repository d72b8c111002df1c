//! Cards read through the real card reader service, and simulated ones with everything that can go
//! wrong.

mod command;
mod dmrtd;
mod faults;
mod pcscd;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use fieldcheck::chip::active_authentication;
use fieldcheck::chip::files::FileId;
use fieldcheck::chip::length::LengthMemory;
use fieldcheck::chip::passive::{Origin, authenticate};
use fieldcheck::chip::password::Password;
use fieldcheck::chip::read::{
    AccessUsed, ActiveAuthentication, ChipAuthentication, ReadError, Reading, Wanted, go_on,
    read_through,
};
use fieldcheck::chip::simulated::card::SimulatedCard;
use fieldcheck::chip::simulated::contents::{Contents, Making};
use fieldcheck::chip::simulated::fault::Fault;
use fieldcheck::chip::simulated::holder::Holder;
use fieldcheck::chip::simulated::issuer::{Algorithms, Issuer};
use fieldcheck::chip::sod::Sod;
use fieldcheck::chip::symmetric::Cipher;
use fieldcheck::chip::trust::Anchors;
use fieldcheck::chip::{Card, CardError};
use fieldcheck::document::qr;
use fieldcheck::platform::pcsc::{ANSWER_WITHIN, PcscCard, ReaderError, Readers};

use pcscd::{READER, connect, insert, insert_again, wait_until_noticed, with_pcscd};

/// The holder's QR code.
const CODE: &str = "048088999901|201999901|Nguyễn Văn Mẫu|02031988|Nam|\
                    Tổ 99, Thọ Quang Giả, Sơn Trà, Đà Nẵng|15082021";

const SELECT: [u8; 12] = [0x00, 0xA4, 0x04, 0x0C, 0x07, 0xA0, 0, 0, 0x02, 0x47, 0x10, 0x01];

/// How long a test waits for a card to come back.
const PATIENCE: Duration = Duration::from_secs(20);

fn issuer() -> Issuer {
    Issuer::new(1, Algorithms::Brainpool)
}

fn contents() -> Contents {
    Contents::new(&issuer(), &Holder::nguyen_van_mau(), &Making::default())
}

/// A reading of the card with what the QR code gives.
fn reading() -> Reading {
    let document = qr::parse(CODE.as_bytes()).unwrap();
    Reading::new(Password::of_document(&document), Wanted::ALL)
}

fn read_to_the_end(card: &mut dyn Card, reading: &mut Reading) -> Result<(), ReadError> {
    let lengths = &mut LengthMemory::default();
    read_through(card, reading, lengths, PATIENCE, &mut |_| ControlFlow::Continue(()))
}

/// Asserts that everything was read as it stands on the card.
#[track_caller]
fn assert_whole(reading: &Reading, contents: &Contents) {
    for (file, bytes) in &contents.files {
        if !matches!(file, FileId::CardAccess | FileId::Dg(3)) {
            assert!(reading.file(*file) == Some(bytes), "{file}");
        }
    }
}

#[test]
fn a_card_comes_answers_and_goes() {
    with_pcscd("chip::a_card_comes_answers_and_goes", || {
        let mut readers = Readers::new().unwrap();
        assert!(readers.now().unwrap().iter().all(|reader| !reader.has_card));
        let begin = Instant::now();
        let unchanged = readers.wait(Duration::from_millis(300)).unwrap();
        assert!(begin.elapsed() >= Duration::from_millis(290), "{unchanged:?}");
        let no_card = PcscCard::open(READER, Duration::from_millis(50), ANSWER_WITHIN);
        assert_eq!(no_card.err(), Some(ReaderError::NoCard));
        let no_reader = PcscCard::open("Reader of nobody", Duration::ZERO, ANSWER_WITHIN);
        assert_eq!(no_reader.err(), Some(ReaderError::NoReader));

        let simulated = SimulatedCard::new(contents());
        let atr = simulated.atr();
        let inserted = insert(simulated);
        let now = readers.wait(PATIENCE).unwrap();
        assert!(now.iter().any(|reader| reader.name == READER && reader.has_card), "{now:?}");
        let mut card = connect();
        assert!(card.is_simulated());
        assert_eq!(card.identity().atr, atr);
        assert_eq!(card.transmit(&SELECT), Ok(vec![0x90, 0x00]));
        let again = PcscCard::open(READER, Duration::ZERO, ANSWER_WITHIN);
        assert_eq!(again.err(), Some(ReaderError::InUse));

        let simulated = inserted.pull();
        assert_eq!(card.transmit(&SELECT), Err(CardError::Lost));
        assert_eq!(card.transmit(&SELECT), Err(CardError::Lost));
        assert_eq!(card.reconnect(Duration::from_millis(50)), Err(CardError::Lost));
        // At once: pcscd may not have noticed that it was away.
        let inserted = insert(simulated);
        assert_eq!(card.reconnect(PATIENCE), Ok(()));
        assert_eq!(card.transmit(&SELECT), Ok(vec![0x90, 0x00]));
        inserted.pull();
    });
}

#[test]
fn a_card_is_read_and_proven() {
    with_pcscd("chip::a_card_is_read_and_proven", || {
        let contents = contents();
        let inserted = insert(SimulatedCard::new(contents.clone()));
        let mut reading = reading();
        read_to_the_end(&mut connect(), &mut reading).unwrap();
        assert_whole(&reading, &contents);
        assert_eq!(reading.access(), Some(AccessUsed::PaceWithCan { cipher: Cipher::Aes128 }));
        assert_eq!(reading.counts().resumed, 0);

        let mut anchors = Anchors::new();
        anchors.add_certificate(&issuer().anchor()).unwrap();
        let sod = Sod::parse(reading.file(FileId::Sod).unwrap()).unwrap();
        let groups: Vec<(u8, &[u8])> = reading.groups().collect();
        let today = "2026-11-24".parse().unwrap();
        let passive = authenticate(&sod, &groups, &anchors, today).unwrap();
        assert!(matches!(passive.origin, Origin::Anchored { .. }), "{passive:?}");
        assert_eq!(reading.chip_authentication(), ChipAuthentication::Proven);
        let ActiveAuthentication::Answered(answer) = reading.active_authentication() else {
            panic!("no answer: {:?}", reading.active_authentication());
        };
        let (key, infos) = (reading.file(FileId::Dg(15)).unwrap(), reading.infos());
        active_authentication::verify(key, infos.as_ref(), answer).unwrap();
        inserted.pull();
    });
}

#[test]
fn a_card_that_is_lost_in_the_middle_is_read_on_when_it_comes_back() {
    with_pcscd("chip::a_card_that_is_lost_in_the_middle_is_read_on_when_it_comes_back", || {
        let contents = contents();
        // In PACE, in the first file, and in the portrait; away for longer and for shorter than it
        // takes pcscd to look again.
        for (at, away) in [(4, 0), (12, 1_500), (20, 0), (21, 600)] {
            let card = SimulatedCard::with_faults(contents.clone(), &[Fault::Cut { at }]);
            let inserted = insert_again(card, Duration::from_millis(away));
            let mut reading = reading();
            read_to_the_end(&mut connect(), &mut reading).unwrap();
            assert_whole(&reading, &contents);
            assert_eq!(reading.counts().resumed, 1, "at {at}");
            inserted.pull();
            wait_until_noticed();
        }
    });
}

#[test]
fn a_card_that_does_not_answer_keeps_nobody_waiting() {
    with_pcscd("chip::a_card_that_does_not_answer_keeps_nobody_waiting", || {
        let contents = contents();
        let slow = Fault::Slow { at: 15, time: Duration::from_secs(3) };
        let inserted = insert(SimulatedCard::with_faults(contents.clone(), &[slow]));
        let within = Duration::from_millis(800);
        let mut card = PcscCard::open(READER, PATIENCE, within).unwrap();
        let (mut reading, mut lengths) = (reading(), LengthMemory::default());
        let begin = Instant::now();
        let stopped =
            go_on(&mut card, &mut reading, &mut lengths, &mut |_| ControlFlow::Continue(()));
        assert_eq!(stopped, Err(ReadError::TimedOut));
        assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
        // The late answer is the answer to nothing any more.
        card.reconnect(PATIENCE).unwrap();
        read_to_the_end(&mut card, &mut reading).unwrap();
        assert_whole(&reading, &contents);
        inserted.pull();
    });
}

#[test]
fn a_card_is_not_mixed_with_the_next() {
    with_pcscd("chip::a_card_is_not_mixed_with_the_next", || {
        let cut = SimulatedCard::with_faults(contents(), &[Fault::Cut { at: 20 }]);
        let inserted = insert(cut);
        let mut card = connect();
        let (mut reading, mut lengths) = (reading(), LengthMemory::default());
        let mut go_on = |card: &mut PcscCard| {
            go_on(card, &mut reading, &mut lengths, &mut |_| ControlFlow::Continue(()))
        };
        assert_eq!(go_on(&mut card), Err(ReadError::CardLost));
        inserted.gone();
        // Another card of the same person: the same passwords open it.
        let renewed = Holder { issued: "2026-01-05".parse().unwrap(), ..Holder::nguyen_van_mau() };
        let renewed = Contents::new(&issuer(), &renewed, &Making::default());
        let inserted = insert(SimulatedCard::new(renewed));
        card.reconnect(PATIENCE).unwrap();
        assert_eq!(go_on(&mut card), Err(ReadError::AnotherCard));
        inserted.pull();
    });
}
