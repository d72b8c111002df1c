//! Reading a chip while the screen stays free: what is asked for, and what is told.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Checked, Desk, Emit, Event, Request, Shown, code_of};
use crate::chip::access::AccessError;
use crate::chip::algorithm::ParseError;
use crate::chip::contents::Files;
use crate::chip::files::FileId;
use crate::chip::length::LengthMemory;
use crate::chip::password::Password;
use crate::chip::portrait::Portrait;
use crate::chip::proof::Proof;
use crate::chip::read::{self, ReadError, Reading, Step, Wanted};
use crate::chip::{Card, CardError, CardReaders};
use crate::device::{DeviceError, Session};
use crate::document::Document;
use crate::document::chip::Detail;
use crate::verdict::Answer;

/// How far the reading of a chip is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChipProgress {
    /// What is done now.
    pub stage: ChipStage,
    /// How much of all bytes is read, in percent.
    pub percent: u8,
    /// Whether the card is a program.
    pub is_simulated: bool,
}

/// The steps of reading a chip, in their order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ChipStage {
    /// No card is there yet.
    Waiting,
    /// The chip is being opened.
    Opening,
    /// Signature, number and name.
    Data,
    /// Whether the chip is a copy.
    Copy,
    /// The picture.
    Picture,
    /// All is read, and is being judged.
    Judging,
}

/// What the screen is told while a chip is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChipNews {
    /// It goes on.
    Progress(ChipProgress),
    /// The card has left the field; when it is held to the device again, reading goes on from here.
    CardLost(ChipProgress),
    /// It has ended without an answer; `code` names why, see [`ChipFailure`].
    Failed(ChipFailure),
}

/// Why the reading of a chip ended without an answer. What was answered before stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChipFailure {
    /// There is no reader, or its service does not run.
    NoReader,
    /// No card came.
    NoCard,
    /// The officer stopped it.
    Stopped,
    /// The number on the card around it does not open the chip: another card, or a forged one.
    WrongKey,
    /// It is no identity card or passport.
    NotADocument,
    /// It did not answer in time.
    Silent,
    /// It answers what no norm allows.
    Broken,
    /// It went away too often.
    LostTooOften,
    /// Another card came back than the one that was lost.
    AnotherCard,
    /// Nothing is known by which it could be opened: a number is needed first.
    NoKey,
    /// It is protected or signed in a way that this program does not know.
    NotSupported,
}

impl ChipFailure {
    /// All of them.
    pub const ALL: [ChipFailure; 11] = [
        ChipFailure::NoReader,
        ChipFailure::NoCard,
        ChipFailure::Stopped,
        ChipFailure::WrongKey,
        ChipFailure::NotADocument,
        ChipFailure::Silent,
        ChipFailure::Broken,
        ChipFailure::LostTooOften,
        ChipFailure::AnotherCard,
        ChipFailure::NoKey,
        ChipFailure::NotSupported,
    ];

    /// Returns the name used in logs and tests.
    pub fn code(self) -> &'static str {
        match self {
            ChipFailure::NoReader => "no-reader",
            ChipFailure::NoCard => "no-card",
            ChipFailure::Stopped => "stopped",
            ChipFailure::WrongKey => "wrong-key",
            ChipFailure::NotADocument => "not-a-document",
            ChipFailure::Silent => "silent",
            ChipFailure::Broken => "broken",
            ChipFailure::LostTooOften => "lost-too-often",
            ChipFailure::AnotherCard => "another-card",
            ChipFailure::NoKey => "no-key",
            ChipFailure::NotSupported => "not-supported",
        }
    }
}

/// What a chip gave, beside the answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChipShown {
    /// What is proven, with its reasons.
    pub proof: Proof,
    /// What the chip states otherwise than the card around it.
    pub differing: Vec<Detail>,
    /// The picture, where there is one that can be shown.
    pub portrait: Option<Portrait>,
    /// Whether the card is a program.
    pub is_simulated: bool,
}

/// How long somebody may look for the card before the screen stops waiting.
const WAIT_FOR_CARD: Duration = Duration::from_secs(60);

/// How long a card may answer, from its first command on, breaks included. Chosen: the slowest
/// reading of a usual card takes 3 s; whoever stands there is not to be held by a card that drips.
const READ_WITHIN: Duration = Duration::from_secs(180);

/// How often the thread looks whether it is to stop while no card is there.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Name of the setting that keeps what readers and kinds of cards carry in one command.
const LENGTHS: &str = "chip-lengths";

/// What the thread of a reading gives at its end.
pub struct ChipEnd {
    reading: Box<Reading>,
    outcome: Result<(), ChipFailure>,
    is_simulated: bool,
    lengths: LengthMemory,
}

/// Says nothing of the person.
impl fmt::Debug for ChipEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChipEnd({:?})", self.outcome)
    }
}

/// The reading that is under way, and what stays from one to the next.
pub(super) struct Chips {
    readers: Arc<dyn CardReaders>,
    lengths: LengthMemory,
    running: Option<Running>,
    /// Readings are numbered, so that the end of one that was stopped is not taken for the next.
    number: u64,
}

struct Running {
    number: u64,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Chips {
    pub(super) fn new(readers: Arc<dyn CardReaders>) -> Chips {
        Chips { readers, lengths: LengthMemory::default(), running: None, number: 0 }
    }

    /// Takes up what was learnt of readers and kinds of cards before.
    pub(super) fn recall(&mut self, session: &Session) {
        match session.state().setting(LENGTHS) {
            Ok(kept) => self.lengths = LengthMemory::from_text(&kept.unwrap_or_default()),
            Err(error) => tracing::warn!(%error, "the lengths of commands were not found"),
        }
    }

    pub(super) fn has_reader(&self) -> bool {
        self.readers.are_there()
    }

    /// Tells the reading that is under way to stop; its end comes as [`ChipFailure::Stopped`].
    pub(super) fn stop(&self) {
        if let Some(running) = &self.running {
            running.stop.store(true, Ordering::SeqCst);
        }
    }

    /// Stops the reading that is under way and forgets it: it holds a person.
    pub(super) fn end(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop.store(true, Ordering::SeqCst);
            // A command that a card does not answer ends by itself; nobody waits for it here.
            drop(running.thread);
        }
    }
}

impl Shown {
    /// Returns what was read of the card around the chip, or without a chip, and the answer to it.
    fn print(&self) -> (&Document, &Answer) {
        self.printed.as_ref().map_or((&self.document, &self.answer), |(it, answer)| (it, answer))
    }
}

impl Desk {
    /// Begins to read the chip of the card on the screen, beside everything else.
    pub(super) fn read_chip(&mut self) {
        let (Some(_), Some(shown)) = (&self.session, &self.shown) else { return };
        self.chips.end();
        let document = shown.print().0.clone();
        self.chips.number += 1;
        let number = self.chips.number;
        let stop = Arc::new(AtomicBool::new(false));
        let mut job = Job {
            readers: Arc::clone(&self.chips.readers),
            password: Password::of_document(&document),
            document,
            lengths: self.chips.lengths.clone(),
            stop: Arc::clone(&stop),
            emit: Arc::clone(&self.emit),
            progress: ChipProgress { stage: ChipStage::Waiting, percent: 0, is_simulated: false },
        };
        let requests = self.requests.clone();
        let thread = std::thread::spawn(move || {
            let mut reading = Box::new(Reading::new(job.password.clone(), Wanted::ALL));
            let outcome = job.run(&mut reading);
            let is_simulated = job.progress.is_simulated;
            let end = Box::new(ChipEnd { reading, outcome, is_simulated, lengths: job.lengths });
            // Nobody receives it when the program ends.
            requests.send(Request::ChipEnded { number, end }).unwrap_or_default();
        });
        self.chips.running = Some(Running { number, stop, thread });
    }

    /// Judges what was read and shows it, or says why there is nothing to judge.
    pub(super) fn end_chip(&mut self, number: u64, end: ChipEnd) -> Result<(), DeviceError> {
        let Some(running) = self.chips.running.take_if(|running| running.number == number) else {
            return Ok(());
        };
        running.thread.join().unwrap_or_default();
        let (Some(session), Some(shown)) = (&mut self.session, &self.shown) else { return Ok(()) };
        let lengths = end.lengths.to_text();
        if lengths != self.chips.lengths.to_text() {
            // It saves a second the next time, and is worth no more than that.
            if let Err(error) = session.set_setting(LENGTHS, &lengths) {
                tracing::warn!(code = code_of(&error), "the lengths of commands were not kept");
            }
            self.chips.lengths = end.lengths;
        }
        let since = Instant::now();
        let (printed, before) = shown.print();
        let judged = match (end.outcome, Files::of(&end.reading)) {
            (Err(failure), files) => {
                // What ends in the middle makes no answer milder, and hides nothing either: a copy
                // must not get away by breaking off.
                let contents = files.filter(|_| failure != ChipFailure::Stopped);
                let contents = contents.map(|files| session.chip_contents(&files, Some(printed)));
                let speaks_against = contents.is_some_and(|contents| {
                    contents.is_ok_and(|it| {
                        matches!(it.proof, Proof::Refuted(_)) || !it.differing.is_empty()
                    })
                });
                if speaks_against { Files::of(&end.reading).ok_or(failure) } else { Err(failure) }
            }
            (Ok(()), files) => files.ok_or(ChipFailure::NotADocument),
        };
        let judged = match judged {
            Ok(files) => session.judge_chip(&files, Some(printed), Some(before)),
            Err(failure) => {
                (self.emit)(Event::Chip(ChipNews::Failed(failure)));
                return Ok(());
            }
        };
        let (contents, answer) = match judged {
            Ok(judged) => judged,
            Err(DeviceError::NoDocument(_)) => {
                (self.emit)(Event::Chip(ChipNews::Failed(ChipFailure::NotADocument)));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let printed = (printed.clone(), before.clone());
        let (now, took, reason) = (session.time()?.upper, since.elapsed(), shown.reason);
        let chip = ChipShown {
            proof: contents.proof,
            differing: contents.differing,
            portrait: contents.portrait.ok(),
            is_simulated: end.is_simulated,
        };
        let document = contents.document;
        (self.emit)(Event::Answered(Box::new(Checked {
            document: document.clone(),
            answer: answer.clone(),
            now,
            took,
            chip: Some(Box::new(chip)),
        })));
        self.shown = Some(Shown {
            document,
            printed: Some(printed),
            answer,
            reason,
            sequence: None,
            concluded: None,
        });
        self.record_check();
        Ok(())
    }
}

/// One reading, on a thread of its own.
struct Job {
    readers: Arc<dyn CardReaders>,
    password: Password,
    document: Document,
    lengths: LengthMemory,
    stop: Arc<AtomicBool>,
    emit: Emit,
    progress: ChipProgress,
}

impl Job {
    fn run(&mut self, reading: &mut Reading) -> Result<(), ChipFailure> {
        if self.password.is_empty() {
            return Err(ChipFailure::NoKey);
        }
        let mut card = self.wait_for_card()?;
        self.progress.is_simulated = card.is_simulated();
        let begun = Instant::now();
        loop {
            let outcome = {
                let (progress, stop, emit) = (&mut self.progress, &self.stop, &self.emit);
                let mut expected = Expected::default();
                let mut told = None;
                read::go_on(&mut *card, reading, &mut self.lengths, &mut |step| {
                    expected.advance(progress, step);
                    if told != Some(*progress) {
                        told = Some(*progress);
                        emit(Event::Chip(ChipNews::Progress(*progress)));
                    }
                    if stop.load(Ordering::SeqCst) || begun.elapsed() > READ_WITHIN {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                })
            };
            match outcome {
                Ok(()) => break,
                Err(error) if error.is_lost() && reading.may_go_on() => {
                    (self.emit)(Event::Chip(ChipNews::CardLost(self.progress)));
                    self.wait_until_back(&mut *card)?;
                }
                Err(ReadError::Stopped) if !self.stop.load(Ordering::SeqCst) => {
                    return Err(ChipFailure::Silent);
                }
                Err(error) => return Err(failure_of(&error)),
            }
        }
        self.progress = ChipProgress { stage: ChipStage::Judging, percent: 100, ..self.progress };
        (self.emit)(Event::Chip(ChipNews::Progress(self.progress)));
        Ok(())
    }

    fn wait_for_card(&self) -> Result<Box<dyn Card>, ChipFailure> {
        (self.emit)(Event::Chip(ChipNews::Progress(self.progress)));
        let begun = Instant::now();
        while begun.elapsed() < WAIT_FOR_CARD {
            match self.readers.wait(&self.document, LOOK_EVERY) {
                Ok(card) => return Ok(card),
                Err(CardError::NoReader) => return Err(ChipFailure::NoReader),
                // Held badly, or by another program: the next try may find it.
                Err(_) => std::thread::sleep(LOOK_EVERY / 5),
            }
            self.look_whether_to_stop()?;
        }
        Err(ChipFailure::NoCard)
    }

    fn wait_until_back(&self, card: &mut dyn Card) -> Result<(), ChipFailure> {
        let begun = Instant::now();
        while begun.elapsed() < WAIT_FOR_CARD {
            self.look_whether_to_stop()?;
            match card.reconnect(LOOK_EVERY) {
                Ok(()) => return Ok(()),
                Err(CardError::NoReader) => return Err(ChipFailure::NoReader),
                Err(_) => std::thread::sleep(LOOK_EVERY / 5),
            }
        }
        Err(ChipFailure::NoCard)
    }

    fn look_whether_to_stop(&self) -> Result<(), ChipFailure> {
        if self.stop.load(Ordering::SeqCst) { Err(ChipFailure::Stopped) } else { Ok(()) }
    }
}

/// How much there is to read, learnt while it is read.
#[derive(Default)]
struct Expected {
    /// Bytes of each file so far, and of each in all.
    files: BTreeMap<FileId, (usize, usize)>,
}

impl Expected {
    /// All files of a usual card, in bytes: what the bar goes by before their lengths are known. The
    /// picture is most of it.
    const USUAL: usize = 18_000;

    fn advance(&mut self, progress: &mut ChipProgress, step: Step) {
        let stage = match step {
            Step::Finding | Step::Opening | Step::Resuming => ChipStage::Opening,
            Step::Proving => ChipStage::Copy,
            Step::Reading { file, done, total } => {
                self.files.insert(file, (done, total.unwrap_or(done)));
                match file {
                    FileId::Dg(2) => ChipStage::Picture,
                    FileId::Dg(14 | 15) => ChipStage::Copy,
                    _ => ChipStage::Data,
                }
            }
        };
        // Files are read in the order of their need; a step that is done stays so.
        progress.stage = progress.stage.max(stage);
        let (done, known) = self
            .files
            .values()
            .fold((0, 0), |(done, known), (read, total)| (done + read, known + total));
        let expected = match self.files.contains_key(&FileId::Dg(2)) {
            true => known,
            false => known.max(Self::USUAL),
        };
        let percent = done * 100 / expected.max(1);
        // A bar that goes back says that something was lost.
        progress.percent = progress.percent.max(u8::try_from(percent).unwrap_or(100).min(100));
    }
}

/// What an error of a reading means to the officer.
fn failure_of(error: &ReadError) -> ChipFailure {
    match error {
        ReadError::NoPassword => ChipFailure::NoKey,
        ReadError::Access(AccessError::WrongPassword(_) | AccessError::CardNotProven) => {
            ChipFailure::WrongKey
        }
        ReadError::Access(
            AccessError::NothingToTry
            | AccessError::Refused(_)
            | AccessError::MappingNotSupported
            | AccessError::ParametersNotSupported,
        )
        | ReadError::SecurityObject(ParseError::Unsupported(_)) => ChipFailure::NotSupported,
        ReadError::NoDocument(_) | ReadError::FileMissing { .. } => ChipFailure::NotADocument,
        ReadError::CardLost | ReadError::TooManySessions => ChipFailure::LostTooOften,
        ReadError::TimedOut => ChipFailure::Silent,
        ReadError::NoReader | ReadError::ReaderRefuses => ChipFailure::NoReader,
        ReadError::AnotherCard => ChipFailure::AnotherCard,
        ReadError::Stopped => ChipFailure::Stopped,
        ReadError::Access(_)
        | ReadError::SecureMessaging(_)
        | ReadError::FileTooLong { .. }
        | ReadError::ReadingTooLong
        | ReadError::FileEndsEarly { .. }
        | ReadError::FileMalformed { .. }
        | ReadError::SecurityObject(_)
        | ReadError::TooManyCommands
        | ReadError::Command(_)
        | ReadError::NoRandomness(_) => ChipFailure::Broken,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::tests::Running;
    use super::*;
    use crate::checks::{DocumentProof, Verdict};
    use crate::chip::NoReaders;
    use crate::chip::simulated::card::SimulatedCard;
    use crate::chip::simulated::contents::{Contents, Making};
    use crate::chip::simulated::fault::Fault;
    use crate::chip::simulated::holder::Holder;
    use crate::chip::simulated::issuer::{Algorithms, Issuer};
    use crate::document::Source;
    use crate::document::typed::TypedEntry;
    use sync_format::v1::record::CheckReason;

    /// A reader to which one card is held, once.
    struct OneCard(Mutex<Option<SimulatedCard>>);

    impl CardReaders for OneCard {
        fn are_there(&self) -> bool {
            true
        }

        fn wait(&self, _: &Document, patience: Duration) -> Result<Box<dyn Card>, CardError> {
            match self.0.lock().unwrap().take() {
                Some(card) => Ok(Box::new(card)),
                None => {
                    std::thread::sleep(patience);
                    Err(CardError::Lost)
                }
            }
        }
    }

    fn card(faults: &[Fault]) -> Arc<dyn CardReaders> {
        let issuer = Issuer::new(1, Algorithms::Nist);
        let contents = Contents::new(&issuer, &Holder::nguyen_van_mau(), &Making::default());
        Arc::new(OneCard(Mutex::new(Some(SimulatedCard::with_faults(contents, faults)))))
    }

    /// A device on which the holder's number was typed and answered.
    fn asked(readers: Arc<dyn CardReaders>) -> Running {
        let running = Running::unlocked_with(readers);
        let number = "048088999901".to_owned();
        let entry = TypedEntry { number, ..TypedEntry::default() };
        running.ask(Request::CheckTyped { entry, reason: CheckReason::DocumentCheck });
        running.wait_for(|event| matches!(event, Event::CheckSaved { .. }));
        running
    }

    fn is_answer(event: &Event) -> bool {
        matches!(event, Event::Answered(_))
    }

    fn is_failure(event: &Event) -> bool {
        matches!(event, Event::Chip(ChipNews::Failed(_)))
    }

    #[test]
    fn a_chip_is_read_by_steps_and_answers_with_its_picture() {
        let running = asked(card(&[]));
        let before = running.records();
        running.ask(Request::ReadChip);
        let mut events = running.collect_until(is_answer);
        let Some(Event::Answered(checked)) = events.pop() else { panic!("no answer") };
        let mut stages: Vec<ChipStage> = Vec::new();
        let mut percent = 0;
        for event in &events {
            if let Event::Chip(ChipNews::Progress(progress)) = event {
                assert!(progress.percent >= percent, "the bar went back");
                percent = progress.percent;
                if stages.last() != Some(&progress.stage) {
                    stages.push(progress.stage);
                }
            }
        }
        assert_eq!(stages.first(), Some(&ChipStage::Waiting));
        assert_eq!(stages.last(), Some(&ChipStage::Judging));
        assert!(stages.is_sorted(), "{stages:?}");
        for stage in [ChipStage::Opening, ChipStage::Data, ChipStage::Copy, ChipStage::Picture] {
            assert!(stages.contains(&stage), "{stage:?} in {stages:?}");
        }
        assert_eq!(percent, 100);
        // Nobody vouches for the state: no anchors are installed.
        assert_eq!(checked.answer.verdict, Verdict::NotListed);
        assert_eq!(checked.answer.proof, DocumentProof::Consistent);
        let chip = checked.chip.expect("what the chip gave");
        assert_eq!(chip.proof.code(), "consistent");
        assert!(chip.is_simulated && chip.portrait.is_some());
        assert_eq!(checked.document.source, Source::Chip);
        running.wait_for(|event| matches!(event, Event::CheckSaved { .. }));
        assert_eq!(running.records(), before + 1, "the chip is a check of its own");
    }

    #[test]
    fn a_card_that_is_pulled_away_goes_on_where_it_was() {
        let running = asked(card(&[Fault::Cut { at: 12 }, Fault::Cut { at: 20 }]));
        running.ask(Request::ReadChip);
        let events = running.collect_until(|event| is_answer(event) || is_failure(event));
        let losses =
            events.iter().filter(|event| matches!(event, Event::Chip(ChipNews::CardLost(_))));
        assert_eq!(losses.count(), 2);
        assert!(events.last().is_some_and(is_answer), "{events:?}");
    }

    #[test]
    fn each_end_without_an_answer_is_named_and_leaves_the_answer_that_was() {
        let issuer = Issuer::new(1, Algorithms::Nist);
        let other = Holder { number: 31_301_999_902, ..Holder::nguyen_van_mau() };
        let other = Contents::new(&issuer, &other, &Making::default());
        let other: Arc<dyn CardReaders> =
            Arc::new(OneCard(Mutex::new(Some(SimulatedCard::new(other)))));
        for (readers, expected) in [
            (Arc::new(NoReaders) as Arc<dyn CardReaders>, ChipFailure::NoReader),
            (other, ChipFailure::WrongKey),
            (card(&[Fault::Endless { file: FileId::Sod }]), ChipFailure::Broken),
        ] {
            let running = asked(readers);
            let before = running.records();
            running.ask(Request::ReadChip);
            match running.wait_for(is_failure) {
                Event::Chip(ChipNews::Failed(failure)) => assert_eq!(failure, expected),
                event => panic!("{event:?}"),
            }
            assert_eq!(running.records(), before, "{}", expected.code());
        }
    }

    #[test]
    fn what_breaks_off_is_answered_where_it_speaks_against_the_chip() {
        let issuer = Issuer::new(1, Algorithms::Nist);
        let whole = Contents::new(&issuer, &Holder::nguyen_van_mau(), &Making::default());
        let endless = [Fault::Endless { file: FileId::Dg(2) }];
        let ends = |contents| {
            let card = SimulatedCard::with_faults(contents, &endless);
            let running = asked(Arc::new(OneCard(Mutex::new(Some(card)))));
            running.ask(Request::ReadChip);
            running.wait_for(|event| is_answer(event) || is_failure(event))
        };
        let Event::Answered(copied) = ends(whole.clone().copied()) else { panic!("no answer") };
        assert_eq!(copied.answer.verdict, Verdict::Refer);
        // Nothing is wrong with this one but its end.
        let genuine = ends(whole);
        assert!(matches!(genuine, Event::Chip(ChipNews::Failed(ChipFailure::Broken))));
    }

    #[test]
    fn stopping_and_forgetting_end_a_reading() {
        let nothing: Arc<dyn CardReaders> = Arc::new(OneCard(Mutex::new(None)));
        let running = asked(nothing);
        running.ask(Request::ReadChip);
        running.wait_for(|event| matches!(event, Event::Chip(ChipNews::Progress(_))));
        running.ask(Request::StopChip);
        let end = running.wait_for(is_failure);
        assert!(matches!(end, Event::Chip(ChipNews::Failed(ChipFailure::Stopped))), "{end:?}");
        running.ask(Request::ReadChip);
        running.ask(Request::Forget);
        std::thread::sleep(3 * LOOK_EVERY);
        assert!(!running.settle().iter().any(|event| is_failure(event) || is_answer(event)));
    }

    #[test]
    fn nothing_personal_is_in_what_a_thread_says_at_its_end() {
        let end = ChipEnd {
            reading: Box::new(Reading::new(Password::default(), Wanted::ALL)),
            outcome: Err(ChipFailure::Silent),
            is_simulated: true,
            lengths: LengthMemory::default(),
        };
        assert_eq!(format!("{end:?}"), "ChipEnd(Err(Silent))");
    }
}
