//! `./dev bench chip`: how many commands it takes to read a card, and how long.
//!
//! The card is simulated and in this program; commands and bytes are those that a real one would
//! get and give. What they take on the air is computed, not measured: see [`Radio`]. Beside ours
//! stands `dmrtd`, another program's reader, on the same card in the same run.

#[path = "common/harness.rs"]
mod harness;

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use dmrtd::com::{TransceiveError, Transceiver};
use dmrtd::lds::efcard_access::EfCardAccess;
use dmrtd::lds::mrz::Mrz;
use dmrtd::passport::Passport;
use dmrtd::proto::can_key::CanKey;
use dmrtd::proto::dba_key::DBAKey;
use fieldcheck::chip::files::FileId;
use fieldcheck::chip::length::LengthMemory;
use fieldcheck::chip::passive::{Origin, authenticate};
use fieldcheck::chip::password::{Can, MrzKey, Password};
use fieldcheck::chip::read::{
    ActiveAuthentication, ChipAuthentication, Reading, Step, Wanted, go_on, read_through,
};
use fieldcheck::chip::simulated::card::SimulatedCard;
use fieldcheck::chip::simulated::contents::{Contents, Making};
use fieldcheck::chip::simulated::fault::Fault;
use fieldcheck::chip::simulated::holder::Holder;
use fieldcheck::chip::simulated::issuer::{Algorithms, Issuer};
use fieldcheck::chip::sod::Sod;
use fieldcheck::chip::trust::Anchors;
use fieldcheck::chip::{Card, CardError, CardIdentity, active_authentication};

use sync_format::v1::date::Date;

use harness::{Aim, Report, Samples, timed, undisturbed_median};

/// Where the figures go, from the root of the repository, which is where cargo runs a bench.
const FOLDER: &str = "target/bench";

/// How often a card is read and proven for the processor's time.
const READINGS: usize = 100;

/// Commands after access for all files of a card with a portrait of 15 KB.
const EXTENDED_AIM: Aim = Aim::AtMost(12.0);
const SHORT_AIM: Aim = Aim::AtMost(80.0);

/// The most of a file that an answer of short length carries under AES. Files have to be read in
/// such pieces, after one command that selects the application.
const AES_IN_SHORT: usize = 223;

/// All that is read of an identity card.
const FILES: [FileId; 7] = [
    FileId::Com,
    FileId::Sod,
    FileId::Dg(1),
    FileId::Dg(14),
    FileId::Dg(15),
    FileId::Dg(13),
    FileId::Dg(2),
];

fn main() -> anyhow::Result<()> {
    let issuer = Issuer::new(1, Algorithms::Brainpool);
    let holder = Holder::nguyen_van_mau();
    let contents = Contents::new(&issuer, &holder, &Making::default());

    let mut report = Report::new("chip");
    report.untimed_section("what is on the card");
    for file in FILES {
        report.count(file.to_string(), contents.files[&file].len() as f64, "bytes");
    }
    for lock in [Lock::Can, Lock::Zone] {
        by_lock(&contents, &holder, lock, &mut report)?;
    }
    losses(&contents, &mut report)?;
    processor(&issuer, &contents, &mut report)?;
    std::fs::create_dir_all(FOLDER)?;
    report.finish(Path::new(FOLDER))
}

/// What opens the card.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lock {
    /// PACE with the card access number; the session is AES-128.
    Can,
    /// BAC with the machine-readable zone; the session is 3DES until chip authentication, which
    /// `dmrtd` does not do.
    Zone,
}

impl Lock {
    fn password(self, contents: &Contents) -> anyhow::Result<Password> {
        let [number, birth, expiry] = &contents.zone_key;
        Ok(match self {
            Lock::Can => Password::of_can(Can::new(&contents.can).context("a number")?),
            Lock::Zone => Password::of_zone(MrzKey::new(number, birth, expiry).context("a zone")?),
        })
    }

    /// Returns the card, without PACE where its zone is for BAC.
    fn card(self, contents: &Contents, faults: &[Fault]) -> SimulatedCard {
        let mut contents = contents.clone();
        if self == Lock::Zone {
            contents.files.remove(&FileId::CardAccess);
        }
        SimulatedCard::with_faults(contents, faults)
    }
}

/// Reads the card once with extended length, once without, and once by `dmrtd`.
fn by_lock(
    contents: &Contents,
    holder: &Holder,
    lock: Lock,
    report: &mut Report,
) -> anyhow::Result<()> {
    report.untimed_section(match lock {
        Lock::Can => "opened by PACE with the access number, AES-128",
        Lock::Zone => "opened by BAC with the zone, 3DES",
    });
    let variants: [(&str, &[Fault], Aim); 2] = [
        ("ours, extended length", &[], EXTENDED_AIM),
        ("ours, short length", &[Fault::NoExtended], SHORT_AIM),
    ];
    for (name, faults, aim) in variants {
        let mut lengths = LengthMemory::default();
        // What a kind of card carries is found out once and remembered: the second reading counts.
        read_once(contents, lock, faults, &mut lengths)?;
        let traffic = read_once(contents, lock, faults, &mut lengths)?;
        traffic.report(name, aim, report);
    }
    if lock == Lock::Can {
        let reads: usize =
            FILES.iter().map(|file| contents.files[file].len().div_ceil(AES_IN_SHORT)).sum();
        report.count("short length: the least there can be", 1.0 + reads as f64, "commands");
    }
    let traffic = read_by_dmrtd(contents, holder, lock)?;
    traffic.report("dmrtd, short length", Aim::Nothing, report);
    Ok(())
}

fn read_once(
    contents: &Contents,
    lock: Lock,
    faults: &[Fault],
    lengths: &mut LengthMemory,
) -> anyhow::Result<Traffic> {
    let mut card = lock.card(contents, faults);
    let mut reading = Reading::new(lock.password(contents)?, Wanted::ALL);
    let traffic = Traffic::default();
    let mut recorded = Recorded { card: &mut card, traffic: traffic.clone() };
    go_on(&mut recorded, &mut reading, lengths, &mut |step| {
        traffic.0.borrow_mut().is_proving = step == Step::Proving;
        ControlFlow::Continue(())
    })?;
    for file in FILES {
        ensure!(reading.file(file) == Some(&contents.files[&file]), "{file} differs");
    }
    Ok(traffic)
}

fn read_by_dmrtd(contents: &Contents, holder: &Holder, lock: Lock) -> anyhow::Result<Traffic> {
    let mut card = lock.card(contents, &[]);
    let traffic = Traffic::default();
    let mut recorded = Recorded { card: &mut card, traffic: traffic.clone() };
    let mut passport = Passport::new(Wire(&mut recorded));
    match lock {
        // It is given EF.CardAccess: it wants the master file first, which the card has not.
        Lock::Can => {
            let access = EfCardAccess::from_bytes(contents.files[&FileId::CardAccess].clone())?;
            passport.start_session_pace(CanKey::new(&holder.can())?, &access)?;
            passport.api_mut().select_emrtd_application()?;
        }
        Lock::Zone => {
            let zone = Mrz::from_bytes(holder.zone().into_bytes())?;
            passport.start_session(DBAKey::from_mrz(&zone)?)?;
        }
    }
    for file in FILES {
        let read = passport.api_mut().read_file_by_sfi(file.short_identifier())?;
        ensure!(read == contents.files[&file], "{file} differs");
    }
    Ok(traffic)
}

/// Loses the card once at each command, and counts what is read again.
fn losses(contents: &Contents, report: &mut Report) -> anyhow::Result<()> {
    report.untimed_section("lost once, at each command in turn, and read on");
    let mut whole = Lock::Can.card(contents, &[]);
    let read = |card: &mut SimulatedCard| -> anyhow::Result<Reading> {
        let mut reading = Reading::new(Lock::Can.password(contents)?, Wanted::ALL);
        let lengths = &mut LengthMemory::default();
        let step = &mut |_| ControlFlow::Continue(());
        read_through(card, &mut reading, lengths, Duration::ZERO, step)?;
        Ok(reading)
    };
    let bytes = read(&mut whole)?.counts().bytes_of_files;
    let (mut completed, mut most) = (0, 0);
    for at in 1..=whole.commands() {
        let reading = read(&mut Lock::Can.card(contents, &[Fault::Cut { at }]))?;
        let is_whole = FILES.iter().all(|file| reading.file(*file) == Some(&contents.files[file]));
        completed += u32::from(is_whole);
        most = most.max(reading.counts().bytes_of_files);
    }
    let all = f64::from(whole.commands());
    report.count_with_aim("completed", f64::from(completed), "readings", Aim::AtLeast(all));
    report.count("commands of a reading that is not lost", all, "commands");
    let share = most as f64 / bytes as f64;
    report.count_with_aim("bytes of files read, at most", share, "times", Aim::AtMost(1.2));
    Ok(())
}

/// Times our side of a reading, without what the card does, and the proof of what was read.
fn processor(issuer: &Issuer, contents: &Contents, report: &mut Report) -> anyhow::Result<()> {
    let mut anchors = Anchors::new();
    anchors.add_certificate(&issuer.anchor())?;
    let today = "2026-11-24".parse()?;
    let ((reading, proof), lost) = undisturbed_median(|| {
        let (mut ours, mut proof) = (Samples::default(), Samples::default());
        for _ in 0..READINGS {
            let mut card = Lock::Can.card(contents, &[]);
            let mut timed_card = Timed { card: &mut card, spent: Duration::ZERO };
            let mut reading = Reading::new(Lock::Can.password(contents)?, Wanted::ALL);
            let lengths = &mut LengthMemory::default();
            let step = &mut |_| ControlFlow::Continue(());
            let (all, done) = timed(|| go_on(&mut timed_card, &mut reading, lengths, step));
            done?;
            ours.push(all.saturating_sub(timed_card.spent));
            let (time, proven) = timed(|| prove(&reading, &anchors, today));
            proven?;
            proof.push(time);
        }
        Ok((ours, proof))
    })?;
    report.section("processor's time of this machine, our side", lost);
    report.add_micros(
        "reading: PACE, session, chip authentication",
        &reading,
        &[0.5],
        Aim::Nothing,
    );
    report.add_micros(
        "proof: hashes, signatures, active authentication",
        &proof,
        &[0.5],
        Aim::Nothing,
    );
    Ok(())
}

fn prove(reading: &Reading, anchors: &Anchors, today: Date) -> anyhow::Result<()> {
    let sod = Sod::parse(reading.file(FileId::Sod).context("a security object")?)?;
    let groups: Vec<(u8, &[u8])> = reading.groups().collect();
    let passive = authenticate(&sod, &groups, anchors, today)?;
    ensure!(matches!(passive.origin, Origin::Anchored { .. }), "no anchor");
    ensure!(reading.chip_authentication() == ChipAuthentication::Proven, "a copy");
    let ActiveAuthentication::Answered(answer) = reading.active_authentication() else {
        bail!("no answer");
    };
    let key = reading.file(FileId::Dg(15)).context("a key")?;
    Ok(active_authentication::verify(key, reading.infos().as_ref(), answer)?)
}

/// Everything that went to a card and came from it.
#[derive(Clone, Default)]
struct Traffic(Rc<RefCell<Log>>);

#[derive(Default)]
struct Log {
    exchanges: Vec<Exchange>,
    /// Whether a proof is under way that the chip is no copy.
    is_proving: bool,
}

/// One command and its answer.
#[derive(Clone, Copy)]
struct Exchange {
    sent: usize,
    received: usize,
    purpose: Purpose,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Before the session.
    Access,
    Files,
    Proof,
}

impl Traffic {
    fn report(&self, name: &str, aim: Aim, report: &mut Report) {
        let log = self.0.borrow();
        let of = |purpose| log.exchanges.iter().filter(move |one| one.purpose == purpose);
        let files = of(Purpose::Files).count() as f64;
        report.count_with_aim(format!("{name}: commands after access"), files, "commands", aim);
        let others = [("for access", Purpose::Access), ("for the chip's proofs", Purpose::Proof)];
        for (what, purpose) in others {
            let count = of(purpose).count() as f64;
            if count > 0.0 {
                report.count(format!("{name}: commands {what}"), count, "commands");
            }
        }
        let sent = of(Purpose::Files).map(|one| one.sent).sum::<usize>();
        let received = of(Purpose::Files).map(|one| one.received).sum::<usize>();
        report.count(format!("{name}: bytes sent"), sent as f64, "bytes");
        report.count(format!("{name}: bytes received"), received as f64, "bytes");
        for rate in RATES {
            let time: f64 = of(Purpose::Files).map(|one| Radio(rate).milliseconds(*one)).sum();
            report.count(format!("{name}: by the model, at {rate} kbit/s"), time, "ms");
        }
    }
}

/// Bit rates of ISO 14443, kbit/s.
const RATES: [u32; 3] = [106, 424, 848];

/// A model, not a measurement, of the air between reader and card (ISO 14443-4) at so many kbit/s:
/// nine bits a byte, frames of 256 bytes of which three are the frame's own, 0.4 ms between frames,
/// and 8 ms of the chip for each command. A chip that computes takes longer, so access and proofs
/// are not modelled.
#[derive(Clone, Copy)]
struct Radio(u32);

impl Radio {
    fn milliseconds(self, exchange: Exchange) -> f64 {
        const BITS_OF_A_BYTE: usize = 9;
        const FRAME: usize = 256;
        const OF_THE_FRAME: usize = 3;
        const BETWEEN_FRAMES: f64 = 0.4;
        const CHIP: f64 = 8.0;
        let frames = |bytes: usize| bytes.div_ceil(FRAME - OF_THE_FRAME);
        let all = frames(exchange.sent) + frames(exchange.received);
        let bytes = exchange.sent + exchange.received + OF_THE_FRAME * all;
        let on_air = (BITS_OF_A_BYTE * bytes) as f64 / f64::from(self.0);
        on_air + BETWEEN_FRAMES * all as f64 + CHIP
    }
}

/// A card whose traffic is recorded.
struct Recorded<'a> {
    card: &'a mut dyn Card,
    traffic: Traffic,
}

impl Card for Recorded<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, CardError> {
        let answer = self.card.transmit(command)?;
        let mut log = self.traffic.0.borrow_mut();
        // The class of a command says whether it is under the session.
        let is_secured = command.first().is_some_and(|class| class & 0x0C != 0);
        let purpose = match (is_secured, log.is_proving) {
            (false, _) => Purpose::Access,
            (true, true) => Purpose::Proof,
            (true, false) => Purpose::Files,
        };
        log.exchanges.push(Exchange { sent: command.len(), received: answer.len(), purpose });
        Ok(answer)
    }

    fn reconnect(&mut self, patience: Duration) -> Result<(), CardError> {
        self.card.reconnect(patience)
    }

    fn identity(&self) -> CardIdentity {
        self.card.identity()
    }

    fn is_simulated(&self) -> bool {
        self.card.is_simulated()
    }
}

/// A card whose own time is taken.
struct Timed<'a> {
    card: &'a mut dyn Card,
    spent: Duration,
}

impl Card for Timed<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, CardError> {
        let (time, answer) = timed(|| self.card.transmit(command));
        self.spent += time;
        answer
    }

    fn reconnect(&mut self, patience: Duration) -> Result<(), CardError> {
        self.card.reconnect(patience)
    }

    fn identity(&self) -> CardIdentity {
        self.card.identity()
    }

    fn is_simulated(&self) -> bool {
        self.card.is_simulated()
    }
}

/// A card as `dmrtd` wants it.
struct Wire<'a>(&'a mut dyn Card);

impl Transceiver for Wire<'_> {
    fn transceive(&mut self, command: &[u8]) -> Result<Vec<u8>, TransceiveError> {
        self.0.transmit(command).map_err(|error| TransceiveError::new(error.to_string()))
    }
}
