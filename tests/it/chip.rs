//! Cards read through the real card reader service.

mod pcscd;

use std::time::{Duration, Instant};

use fieldcheck::chip::simulated::card::SimulatedCard;
use fieldcheck::chip::{Card, CardError};
use fieldcheck::platform::pcsc::{ANSWER_WITHIN, PcscCard, ReaderError, Readers};

use pcscd::{READER, connect, insert, with_pcscd};

const SELECT: [u8; 12] = [0x00, 0xA4, 0x04, 0x0C, 0x07, 0xA0, 0, 0, 0x02, 0x47, 0x10, 0x01];

#[test]
fn a_card_comes_answers_and_goes() {
    with_pcscd("chip::a_card_comes_answers_and_goes", || {
        let mut readers = Readers::new().unwrap();
        assert!(readers.now().unwrap().iter().all(|reader| !reader.has_card));
        let no_card = PcscCard::open(READER, Duration::from_millis(50), ANSWER_WITHIN);
        assert_eq!(no_card.err(), Some(ReaderError::NoCard));
        let no_reader = PcscCard::open("Reader of nobody", Duration::ZERO, ANSWER_WITHIN);
        assert_eq!(no_reader.err(), Some(ReaderError::NoReader));

        let inserted = insert(SimulatedCard::new());
        let now = readers.wait(Duration::from_secs(10)).unwrap();
        assert!(now.iter().any(|reader| reader.name == READER && reader.has_card), "{now:?}");
        let mut card = connect();
        assert!(card.is_simulated());
        assert_eq!(card.identity().atr, SimulatedCard::new().atr());
        let begin = Instant::now();
        for _ in 0..100 {
            assert_eq!(card.transmit(&SELECT), Ok(vec![0x90, 0x00]));
        }
        eprintln!("{:?} {:?}", begin.elapsed() / 100, card.reader_limit());
        let again = PcscCard::open(READER, Duration::ZERO, ANSWER_WITHIN);
        assert_eq!(again.err(), Some(ReaderError::InUse));

        let simulated = inserted.pull();
        let begin = Instant::now();
        assert_eq!(card.transmit(&SELECT), Err(CardError::Lost));
        assert_eq!(card.transmit(&SELECT), Err(CardError::Lost));
        eprintln!("lost {:?}", begin.elapsed());
        assert_eq!(card.reconnect(Duration::from_millis(50)), Err(CardError::Lost));
        let inserted = insert(simulated);
        let begin = Instant::now();
        card.reconnect(Duration::from_secs(10)).unwrap();
        eprintln!("reconnect {:?}", begin.elapsed());
        assert_eq!(card.transmit(&SELECT), Ok(vec![0x90, 0x00]));
        inserted.pull();
    });
}
