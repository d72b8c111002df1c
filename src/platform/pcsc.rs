//! Card readers by PC/SC: what pcscd offers on a desktop.
//!
//! The service answers when its reader does, and a reader may hang. So one thread owns each
//! connection, and whoever waits for it waits for so long and no longer: a thread that does not come
//! back is left behind with its connection, and ends with the reader's answer.

use std::ffi::{CStr, CString};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use pcsc::{Context, Disposition, Error, Protocols, ReaderState, Scope, ShareMode, State};
use thiserror::Error;

use crate::chip::{Card, CardError, CardIdentity, CardReaders};
use crate::document::Document;

/// How long a chip may take for one answer. The slowest passport of which we know took 6.6 s for all
/// of PACE.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(8);

/// How long pcscd may take to notice that a card has gone: of many readers it asks every 0.4 s.
const NOTICED_WITHIN: Duration = Duration::from_millis(600);

/// How often we ask again for a service, a reader or a card that another program holds.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// The longest command or answer with a length of one byte: header, length, 255 bytes, length.
const LONGEST_SHORT: usize = 261;

/// How vsmartcard names its readers, in which every card is a program.
const VIRTUAL_READER: &str = "Virtual PCD";

/// Why there is no connection to a card.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ReaderError {
    /// pcscd does not run, or does not let us in.
    #[error("the card reader service (pcscd) does not answer")]
    NoService,
    /// No reader of that name.
    #[error("there is no such card reader")]
    NoReader,
    /// No card came.
    #[error("no card is in the reader")]
    NoCard,
    /// Another program speaks to the card.
    #[error("another program uses the card")]
    InUse,
    /// The card does not speak.
    #[error("the card in the reader does not answer")]
    Mute,
}

/// A reader, and whether a card is in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reader {
    /// Its name, as the service gives it.
    pub name: String,
    /// Whether a card is in it.
    pub has_card: bool,
}

/// The readers of this machine, to wait for a card to come or go.
pub struct Readers {
    context: Context,
    known: Vec<ReaderState>,
}

impl Readers {
    /// Reaches the service.
    ///
    /// # Errors
    ///
    /// [`ReaderError::NoService`].
    pub fn new() -> Result<Readers, ReaderError> {
        let context = Context::establish(Scope::User).map_err(|_| ReaderError::NoService)?;
        Ok(Readers { context, known: Vec::new() })
    }

    /// Returns the readers of now.
    ///
    /// # Errors
    ///
    /// [`ReaderError::NoService`]; then the service has to be reached anew.
    pub fn now(&mut self) -> Result<Vec<Reader>, ReaderError> {
        let names = match self.context.list_readers_owned() {
            Ok(names) => names,
            Err(Error::NoReadersAvailable) => Vec::new(),
            Err(_) => return Err(ReaderError::NoService),
        };
        self.known = names.iter().map(|name| unknown_state(name)).collect();
        self.look(Duration::ZERO)?;
        let is_reader =
            |state: &&ReaderState| !state.event_state().intersects(State::UNKNOWN | State::IGNORE);
        let readers = self.known.iter().filter(is_reader).map(|state| Reader {
            name: state.name().to_string_lossy().into_owned(),
            has_card: state.event_state().contains(State::PRESENT)
                && !state.event_state().contains(State::MUTE),
        });
        Ok(readers.collect())
    }

    /// Waits at most `patience` until a reader or a card has come or gone since [`Self::now`], and
    /// returns the readers of then.
    ///
    /// # Errors
    ///
    /// [`ReaderError::NoService`].
    pub fn wait(&mut self, patience: Duration) -> Result<Vec<Reader>, ReaderError> {
        self.known.iter_mut().for_each(ReaderState::sync_current_state);
        // The service tells of new readers by a state of this name, with the number of readers.
        self.known.push(ReaderState::new(pcsc::PNP_NOTIFICATION(), State::UNAWARE));
        self.look(patience)?;
        self.now()
    }

    fn look(&mut self, patience: Duration) -> Result<(), ReaderError> {
        match self.context.get_status_change(patience, &mut self.known) {
            // A reader that has just gone is no fault: the next list lacks it.
            Ok(()) | Err(Error::Timeout | Error::UnknownReader | Error::NoReadersAvailable) => {
                Ok(())
            }
            Err(_) => Err(ReaderError::NoService),
        }
    }
}

fn unknown_state(name: &CStr) -> ReaderState {
    ReaderState::new(name, State::UNAWARE)
}

/// Whichever reader of this machine a card comes to.
pub struct AnyReader;

impl CardReaders for AnyReader {
    fn are_there(&self) -> bool {
        let readers = Readers::new().and_then(|mut readers| readers.now());
        readers.is_ok_and(|readers| !readers.is_empty())
    }

    fn wait(&self, _: &Document, patience: Duration) -> Result<Box<dyn Card>, CardError> {
        let gone = |_| CardError::NoReader;
        let mut readers = Readers::new().map_err(gone)?;
        let until = Instant::now() + patience;
        let mut there = readers.now().map_err(gone)?;
        if !there.iter().any(|reader| reader.has_card) {
            there = readers.wait(patience).map_err(gone)?;
        }
        if there.is_empty() {
            return Err(CardError::NoReader);
        }
        there.retain(|reader| reader.has_card);
        let card = first_that_opens(&there, until, |reader| {
            PcscCard::open(&reader.name, Duration::ZERO, ANSWER_WITHIN)
        });
        Ok(Box::new(card.map_err(CardError::from)?))
    }
}

/// Opens the first of these readers whose card can be: one that is mute, or that another program
/// holds, does not stand before the others. All are tried again until the time is over; then the
/// last says what stood in the way.
fn first_that_opens<T>(
    readers: &[Reader],
    until: Instant,
    mut open: impl FnMut(&Reader) -> Result<T, ReaderError>,
) -> Result<T, ReaderError> {
    let mut why = ReaderError::NoCard;
    loop {
        for reader in readers {
            match open(reader) {
                Ok(card) => return Ok(card),
                Err(error) => why = error,
            }
        }
        if readers.is_empty() || Instant::now() + ASK_AGAIN > until {
            return Err(why);
        }
        thread::sleep(ASK_AGAIN);
    }
}

impl From<ReaderError> for CardError {
    fn from(error: ReaderError) -> Self {
        match error {
            ReaderError::NoService | ReaderError::NoReader => Self::NoReader,
            ReaderError::NoCard | ReaderError::InUse | ReaderError::Mute => Self::Lost,
        }
    }
}

/// A card in a reader. Dropped, it is let go and reset.
pub struct PcscCard {
    reader: String,
    answer_within: Duration,
    connection: Option<Connection>,
    /// What the last connection said.
    atr: Vec<u8>,
    reader_limit: Option<usize>,
}

/// The way to the thread that owns a connection.
struct Connection {
    commands: Sender<Vec<u8>>,
    answers: Receiver<Result<Vec<u8>, CardError>>,
}

/// What came before a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing, or a connection that could still be spoken through.
    Open,
    /// A card that has gone, as far as we know.
    Lost,
}

/// What is known once a connection stands.
struct Opened {
    atr: Vec<u8>,
    reader_limit: Option<usize>,
}

impl PcscCard {
    /// Waits at most `patience` for a card in the reader of this name, and powers it up anew.
    ///
    /// `answer_within` bounds each answer of it, see [`ANSWER_WITHIN`].
    ///
    /// # Errors
    ///
    /// A [`ReaderError`], the last that stood in the way.
    pub fn open(
        reader: &str,
        patience: Duration,
        answer_within: Duration,
    ) -> Result<PcscCard, ReaderError> {
        let (connection, opened) = Connection::open(reader, Before::Open, patience)?;
        Ok(PcscCard {
            reader: reader.to_owned(),
            answer_within,
            connection: Some(connection),
            atr: opened.atr,
            reader_limit: opened.reader_limit,
        })
    }
}

impl Card for PcscCard {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, CardError> {
        let connection = self.connection.as_ref().ok_or(CardError::Lost)?;
        let answer = connection.transmit(command, self.answer_within);
        if matches!(answer, Err(CardError::Lost | CardError::TimedOut | CardError::NoReader)) {
            // Whatever comes later would be the answer to another question.
            self.connection = None;
        }
        answer
    }

    fn reconnect(&mut self, patience: Duration) -> Result<(), CardError> {
        // One that is still open is let go by its thread, which resets the card.
        let before = if self.connection.take().is_some() { Before::Open } else { Before::Lost };
        let (connection, opened) = Connection::open(&self.reader, before, patience)?;
        self.connection = Some(connection);
        self.atr = opened.atr;
        self.reader_limit = opened.reader_limit;
        Ok(())
    }

    fn identity(&self) -> CardIdentity {
        CardIdentity { reader: self.reader.clone(), atr: self.atr.clone() }
    }

    fn reader_limit(&self) -> Option<usize> {
        self.reader_limit
    }

    fn is_simulated(&self) -> bool {
        self.reader.starts_with(VIRTUAL_READER)
    }
}

impl Connection {
    /// Starts the thread that connects, and waits for it no longer than `patience` and the time that
    /// a reader needs to power a card up.
    fn open(
        reader: &str,
        before: Before,
        patience: Duration,
    ) -> Result<(Connection, Opened), ReaderError> {
        let reader = CString::new(reader).map_err(|_| ReaderError::NoReader)?;
        let (commands, asked) = channel();
        let (answer, answers) = channel();
        let (opened, is_open) = channel();
        let until = Instant::now() + patience;
        thread::spawn(move || {
            let connected = connect_until(&reader, before, until).map(|(context, card)| {
                let known = Opened { atr: atr_of(&card), reader_limit: limit_of(&card) };
                (Owner { context, reader, card }, known)
            });
            match connected {
                // Nobody waits any more: the card is let go.
                Ok((owner, known)) => {
                    if opened.send(Ok(known)).is_ok() {
                        owner.answer_all(&asked, &answer);
                    }
                }
                Err(error) => opened.send(Err(error)).unwrap_or_default(),
            }
        });
        let known =
            is_open.recv_timeout(patience + ANSWER_WITHIN).unwrap_or(Err(ReaderError::Mute))?;
        Ok((Connection { commands, answers }, known))
    }

    fn transmit(&self, command: &[u8], within: Duration) -> Result<Vec<u8>, CardError> {
        self.commands.send(command.to_vec()).map_err(|_| CardError::Lost)?;
        match self.answers.recv_timeout(within) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => Err(CardError::TimedOut),
            Err(RecvTimeoutError::Disconnected) => Err(CardError::Lost),
        }
    }
}

/// The thread's side of a connection.
struct Owner {
    context: Context,
    reader: CString,
    card: pcsc::Card,
}

impl Owner {
    fn answer_all(self, asked: &Receiver<Vec<u8>>, answer: &Sender<Result<Vec<u8>, CardError>>) {
        let mut buffer = vec![0; pcsc::MAX_BUFFER_SIZE_EXTENDED];
        while let Ok(command) = asked.recv() {
            let result = match self.card.transmit(&command, &mut buffer) {
                // What some drivers say of a card that leaves while it should answer.
                Ok([]) => Err(CardError::Lost),
                Ok([_]) => Err(CardError::Broken),
                Ok(bytes) => Ok(bytes.to_vec()),
                Err(error) => Err(self.explain(error, &command)),
            };
            let is_lost = result == Err(CardError::Lost);
            if answer.send(result).is_err() {
                break;
            }
            if is_lost {
                // See `is_still_there`: no reset.
                self.card.disconnect(Disposition::LeaveCard).unwrap_or_default();
                return;
            }
        }
        // A reset ends the session, so that the next program finds no open door.
        self.card.disconnect(Disposition::ResetCard).unwrap_or_default();
    }

    /// Tells a card that has gone from a command that the reader cannot carry, where the service says
    /// the same of both.
    fn explain(&self, error: Error, command: &[u8]) -> CardError {
        match error {
            Error::NoService | Error::ServiceStopped | Error::ReaderUnavailable => {
                CardError::NoReader
            }
            Error::InvalidParameter | Error::InvalidValue | Error::InsufficientBuffer => {
                CardError::Refused
            }
            Error::NotTransacted | Error::CommError | Error::CommDataLost
                if is_extended(command) && is_still_there(&self.context, &self.reader) =>
            {
                CardError::Refused
            }
            _ => CardError::Lost,
        }
    }
}

/// Whether a command has lengths of two bytes, which not every reader carries.
fn is_extended(command: &[u8]) -> bool {
    command.len() > LONGEST_SHORT || matches!(command, [_, _, _, _, 0, _, ..])
}

/// Tries until a card is connected and reset, or the time is over; then says what stood in the way.
fn connect_until(
    reader: &CStr,
    before: Before,
    until: Instant,
) -> Result<(Context, pcsc::Card), ReaderError> {
    if before == Before::Lost
        && let Ok(context) = Context::establish(Scope::User)
    {
        // Either way it is asked for below.
        is_still_there(&context, reader);
    }
    loop {
        let why = match connect(reader, until) {
            Ok(connected) => return Ok(connected),
            Err(why) => why,
        };
        if Instant::now() + ASK_AGAIN > until {
            return Err(why);
        }
        thread::sleep(ASK_AGAIN);
    }
}

/// Whether a card that could not be spoken to is in the reader, once pcscd must have noticed that it
/// is not.
///
/// A reset of a card that is not there makes pcscd write it off, and one that comes back before
/// pcscd looks again is then never seen. So nothing is asked of a lost card before this.
fn is_still_there(context: &Context, reader: &CStr) -> bool {
    let until = Instant::now() + NOTICED_WITHIN;
    let mut states = [unknown_state(reader)];
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        match context.get_status_change(left, &mut states) {
            Ok(()) => {}
            Err(Error::Timeout) => return true,
            Err(_) => return false,
        }
        let state = states[0].event_state();
        if !state.contains(State::PRESENT) || state.contains(State::MUTE) {
            return false;
        }
        states[0].sync_current_state();
    }
    true
}

fn connect(reader: &CStr, until: Instant) -> Result<(Context, pcsc::Card), ReaderError> {
    let context = Context::establish(Scope::User).map_err(|_| ReaderError::NoService)?;
    wait_for_card(&context, reader, until)?;
    // Exclusive: a program that spoke in between would end our session with the chip.
    let mut card =
        context.connect(reader, ShareMode::Exclusive, Protocols::ANY).map_err(why_not)?;
    // Another program may have left the card in a state of its own.
    card.reconnect(ShareMode::Exclusive, Protocols::ANY, Disposition::ResetCard)
        .map_err(why_not)?;
    Ok((context, card))
}

fn wait_for_card(context: &Context, reader: &CStr, until: Instant) -> Result<(), ReaderError> {
    let mut states = [unknown_state(reader)];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match context.get_status_change(left, &mut states) {
            Ok(()) => {}
            Err(Error::Timeout) => return Err(ReaderError::NoCard),
            Err(error) => return Err(why_not(error)),
        }
        let state = states[0].event_state();
        if state.contains(State::UNKNOWN) {
            return Err(ReaderError::NoReader);
        }
        if state.contains(State::PRESENT) {
            return Ok(());
        }
        if left.is_zero() {
            return Err(ReaderError::NoCard);
        }
        states[0].sync_current_state();
    }
}

fn why_not(error: Error) -> ReaderError {
    match error {
        Error::NoService | Error::ServiceStopped | Error::InvalidHandle => ReaderError::NoService,
        Error::UnknownReader | Error::ReaderUnavailable | Error::NoReadersAvailable => {
            ReaderError::NoReader
        }
        Error::SharingViolation => ReaderError::InUse,
        Error::UnresponsiveCard | Error::UnpoweredCard | Error::ProtoMismatch => ReaderError::Mute,
        _ => ReaderError::NoCard,
    }
}

/// Returns the answer to reset from the card's status: not every driver has it as an attribute.
fn atr_of(card: &pcsc::Card) -> Vec<u8> {
    card.status2_owned().map(|status| status.atr().to_vec()).unwrap_or_default()
}

/// Returns what the reader says it can carry: `dwMaxAPDUDataSize` of PC/SC part 10, section 2.6.14.
fn limit_of(card: &pcsc::Card) -> Option<usize> {
    /// `CM_IOCTL_GET_FEATURE_REQUEST` and the feature that returns properties.
    const GET_FEATURES: u32 = 3_400;
    const GET_PROPERTIES: u8 = 0x12;
    const LONGEST_APDU: u8 = 0x0A;

    let mut buffer = [0; pcsc::MAX_BUFFER_SIZE];
    let features = card.control(pcsc::ctl_code(GET_FEATURES.into()), &[], &mut buffer).ok()?;
    let code: [u8; 4] = property(features, GET_PROPERTIES)?.try_into().ok()?;
    let mut buffer = [0; pcsc::MAX_BUFFER_SIZE];
    let properties = card.control(u32::from_be_bytes(code).into(), &[], &mut buffer).ok()?;
    let longest: [u8; 4] = property(properties, LONGEST_APDU)?.try_into().ok()?;
    match u32::from_le_bytes(longest) {
        // "Short APDU only."
        0 => Some(LONGEST_SHORT),
        longest => usize::try_from(longest).ok(),
    }
}

/// Returns the value of `tag` among elements of one byte of tag and one of length.
fn property(mut elements: &[u8], tag: u8) -> Option<&[u8]> {
    while let [found, length, rest @ ..] = elements {
        let (value, behind) = rest.split_at_checked(usize::from(*length))?;
        if *found == tag {
            return Some(value);
        }
        elements = behind;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readers(names: &[&str]) -> Vec<Reader> {
        names.iter().map(|name| Reader { name: (*name).to_owned(), has_card: true }).collect()
    }

    #[test]
    fn card_that_does_not_open_does_not_stand_before_the_next() {
        let there = readers(&["mute", "busy", "good", "never"]);
        let mut asked = Vec::new();
        let opened = first_that_opens(&there, Instant::now(), |reader| {
            asked.push(reader.name.clone());
            match reader.name.as_str() {
                "mute" => Err(ReaderError::Mute),
                "busy" => Err(ReaderError::InUse),
                name => Ok(name.to_owned()),
            }
        });
        assert_eq!(opened, Ok("good".to_owned()));
        assert_eq!(asked, ["mute", "busy", "good"]);
    }

    #[test]
    fn what_stood_in_the_way_last_is_said() {
        let there = readers(&["mute", "busy"]);
        let refused = first_that_opens(&there, Instant::now(), |reader| match &*reader.name {
            "mute" => Err::<(), _>(ReaderError::Mute),
            _ => Err(ReaderError::InUse),
        });
        assert_eq!(refused, Err(ReaderError::InUse));
        let refused = first_that_opens(&[], Instant::now(), |_| Ok(()));
        assert_eq!(refused, Err(ReaderError::NoCard));
    }

    #[test]
    fn card_that_is_busy_is_asked_again_within_the_time() {
        let there = readers(&["busy"]);
        let mut times = 0;
        let opened = first_that_opens(&there, Instant::now() + 20 * ASK_AGAIN, |_| {
            times += 1;
            if times < 3 { Err(ReaderError::InUse) } else { Ok(times) }
        });
        assert_eq!(opened, Ok(3));
    }
}
