//! `fieldcheckctl demo`: an invented world on the disk, and every answer in it.
//!
//! Keys, sources, packages, an enrolled device and pictures of cards, made by the same code as the
//! real ones: the packages are built from the CSV files and verified when they are installed. With
//! `--headless` every card is then checked as the window would, and each answer is compared with
//! the one that the plan of the world wrote down.
//!
//! Everything here is invented and simulated, and the purpose in the root document says so.

use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use clap::Args;
use indicatif::ProgressBar;
use sync_format::v1::package::seal::SealSecret;
use sync_format::v1::package::{Purpose, SnapshotVersion};
use sync_format::v1::record::CheckReason;
use sync_format::v1::register::TagKey;
use zeroize::Zeroizing;

use super::card::{self, Checked, Given, Line, NotRead};
use super::files::{self, Readers};
use super::input::{Input, RefusedOptions};
use super::keys::Keys;
use super::snapshot::{self, Order, Source};
use super::{install, progress, unlock};
use crate::checks::{Finding, Origin};
use crate::chip::CardReaders as _;
use crate::chip::contents::Files;
use crate::chip::length::LengthMemory;
use crate::chip::password::Password;
use crate::chip::read::{self, Reading, Wanted};
use crate::chip::simulated::folder;
use crate::clock::{Clock, DeviceTime, FixedClock, VIETNAM_OFFSET_SECONDS};
use crate::device::{self, Device, Session};
use crate::document::{Date, qr};
use crate::invented::chips::{self, ExpectedProof, InventedChip};
use crate::invented::shots::OcrB;
use crate::invented::{Card, Expected, Surface, World, draw};
use crate::keys::{ArgonCost, DeviceKey as _, Pin};
use crate::platform::desktop::SoftwareDeviceKey;
use crate::platform::simulated::SimulatedCards;
use crate::snapshot::build::{self, Terms};
use crate::snapshot::source::{AnchorFile, Lapsed, Regions};
use crate::snapshot::units::{self, KnownDevice};
use crate::store::state::Enrolment;

/// How long before now the lists were made.
const LISTS_AGE_SECONDS: i64 = 3 * 3_600;

/// How much later the lists are too old for a clear answer: beyond their seven usable days.
const MUCH_LATER_DAYS: i64 = 9;

/// Digits of the PIN that is drawn.
const PIN_DIGITS: usize = 6;

#[derive(Args)]
pub(super) struct Options {
    /// Folder to make; it may exist if it is empty
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// People of the world, beside some forty who are there to show something
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    people: usize,
    /// Another seed is another world
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Day on which the world stands, by a simulated clock [default: today, by the real one]
    #[arg(long, value_name = "YYYY-MM-DD")]
    today: Option<Date>,
    /// Make the world in DIR/world, check every card of it, and write the screens to DIR
    #[arg(long)]
    headless: bool,
}

pub(super) fn run(
    options: &Options,
    clock: Arc<dyn Clock>,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    files::make_empty_folder(&options.folder)?;
    let clock = match options.today {
        None => clock,
        Some(day) => {
            writeln!(out, "simulated clock: noon of {day} in Vietnam")?;
            Arc::new(FixedClock::at(noon_of(day)))
        }
    };
    if !options.headless {
        Place { folder: options.folder.clone() }.make(options, &clock, out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let place = Place { folder: options.folder.join("world") };
    fs::create_dir(&place.folder).with_context(|| place.folder.display().to_string())?;
    let made = place.make(options, &clock, out)?;
    let tally = check_all(&place, made, &options.folder, &clock, out)?;
    writeln!(out, "{} chips, {} as expected", tally.chips, tally.chips_as_expected)?;
    writeln!(out, "{} cards, {} as expected", tally.cards, tally.as_expected)?;
    let is_right = tally.cards == tally.as_expected && tally.chips == tally.chips_as_expected;
    Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns noon of a day in Vietnam.
fn noon_of(day: Date) -> DeviceTime {
    let midnight = i64::from(day.to_days()) * 86_400 - VIETNAM_OFFSET_SECONDS;
    DeviceTime(midnight + 12 * 3_600)
}

/// Returns the files of certificates and revocation lists of the invented state.
fn anchors(today: Date) -> Vec<AnchorFile> {
    let file = |name: &str, bytes| AnchorFile { name: name.to_owned(), bytes };
    vec![
        file("simulated-state.cer", chips::anchor()),
        file("simulated-state.crl", chips::revocations(today)),
    ]
}

/// Returns what a world has lists of, in the order in which they are built and installed.
fn sources(world: &World) -> Vec<Source> {
    let anchors = (!world.anchors().is_empty()).then_some(Source::Anchors);
    [Source::Notices, Source::Register].into_iter().chain(anchors).collect()
}

/// Where the parts of a world lie.
struct Place {
    folder: PathBuf,
}

/// A world that was made, with its device unlocked.
struct Made {
    world: World,
    /// Those of the world that could be drawn.
    cards: Vec<Card>,
    chips: Vec<InventedChip>,
    pin: DrawnPin,
    device: Device,
    session: Session,
}

/// A device before its enrolment.
struct NewDevice {
    id: [u8; 16],
    key: SoftwareDeviceKey,
    seal_secret: SealSecret,
}

impl Place {
    fn keys(&self) -> PathBuf {
        self.folder.join("keys")
    }
    fn device(&self) -> PathBuf {
        self.folder.join("device")
    }
    fn later_device(&self) -> PathBuf {
        self.folder.join("device-later")
    }
    fn cards(&self) -> PathBuf {
        self.folder.join("cards")
    }
    fn chips(&self) -> PathBuf {
        self.folder.join("chips")
    }
    fn later_cards(&self) -> PathBuf {
        self.folder.join("cards-later")
    }
    fn source(&self, source: Source) -> PathBuf {
        self.folder.join("sources").join(match source {
            Source::Notices => "notices.csv",
            Source::Register => "register.csv",
            Source::Anchors => "anchors",
        })
    }
    fn package(&self, source: Source) -> PathBuf {
        self.folder.join("packages").join(match source {
            Source::Notices => "notices-1.fcsnap",
            Source::Register => "register-1.fcsnap",
            Source::Anchors => "anchors-1.fcsnap",
        })
    }

    /// Makes everything of a world; says what it made.
    fn make(
        &self,
        options: &Options,
        clock: &Arc<dyn Clock>,
        out: &mut dyn Write,
    ) -> anyhow::Result<Made> {
        let now = clock.real_time();
        let spinner = progress::spinner();
        writeln!(out, "an invented world: nobody in it is real, and its devices are simulated")?;

        spinner.set_message("inventing people");
        let today = Date::from_days(now.vietnam_day());
        let world = World::new(options.seed, options.people, today).with_anchors(anchors(today));

        spinner.set_message("drawing keys");
        let mut register_seed = build::draw_seed()?;
        while !world.shows_every_disagreement(&TagKey::new(*register_seed.tag_key())) {
            register_seed = build::draw_seed()?;
        }
        let keys = Keys::create(&self.keys(), Purpose::Demo, 1, now)?;
        let new_device = self.make_device()?;
        writeln!(out, "keys       {}", self.keys().display())?;

        spinner.set_message("writing sources");
        self.write_sources(&world)?;
        let terms = Terms {
            version: SnapshotVersion { epoch: 1, version: 1 },
            created: now.plus_seconds(-LISTS_AGE_SECONDS).0,
            expires: now.plus_seconds(i64::from(snapshot::EXPIRES_DAYS) * 86_400).0,
            freshness: snapshot::FRESHNESS,
            chip_required: false,
        };
        make_folder(&self.folder.join("packages"))?;
        let units = snapshot::read_units(None, &self.keys().join(snapshot::DEVICES))?;
        let regions = Regions::of_prefixes(world.regions())?;
        for source in sources(&world) {
            spinner.set_message("building packages");
            let (input, path) = (Input::path(&self.source(source)), self.package(source));
            let order = Order {
                source,
                input: &input,
                refused: &RefusedOptions::default(),
                beside: &path,
                lapsed: Lapsed::KeepForDemonstration,
                regions: (source == Source::Register).then(|| regions.clone()),
                terms,
                units: &units,
                base: None,
            };
            let seed = match source {
                Source::Notices | Source::Anchors => build::draw_seed()?,
                Source::Register => register_seed.clone(),
            };
            let built = order.build(&seed)?;
            let unit = snapshot::UNIT;
            snapshot::write_package(&path, &built.draft, unit, &keys, &seed, now, false)?;
            let rows = super::counted(built.rows, "row");
            writeln!(out, "package    {}: {rows}", path.display())?;
        }

        spinner.set_message("enrolling a device");
        let pin = draw_pin()?;
        let (mut device, mut session) = self.enrol(&keys, &pin.pin, new_device, clock)?;
        for source in sources(&world) {
            write!(out, "device     {}: ", self.device().display())?;
            install::install(&mut device, &mut session, &self.package(source), "", out)?;
        }

        let mut cards = world.cards();
        let font = OcrB::of_system().ok();
        if font.is_none() {
            cards.retain(|card| !matches!(card.surface, Surface::CardBack(_)));
            writeln!(
                out,
                "cards      without backs, which need the font of the package fonts-ocr-b"
            )?;
        }
        self.write_cards(&self.cards(), &cards, font.as_ref(), &spinner)?;
        let later = world.cards_when_list_is_old();
        self.write_cards(&self.later_cards(), &later, font.as_ref(), &spinner)?;
        spinner.set_message("making chips");
        let chips = chips::chips(&cards);
        self.write_chips(&chips)?;
        spinner.finish_and_clear();
        writeln!(out, "cards      {}", self.cards().display())?;
        writeln!(out, "chips      {} (simulated)", self.chips().display())?;
        let path = self.folder.join("pin.txt");
        let line = Zeroizing::new(format!("{}\n", pin.digits.as_str()));
        files::write_new(&path, line.as_bytes(), Readers::Owner)?;
        writeln!(out, "PIN: {} (invented data only)", pin.digits.as_str())?;
        Ok(Made { world, cards, chips, pin, device, session })
    }

    fn write_sources(&self, world: &World) -> anyhow::Result<()> {
        make_folder(&self.folder.join("sources"))?;
        for source in sources(world) {
            let path = self.source(source);
            let create = || -> anyhow::Result<_> {
                Ok(std::io::BufWriter::new(fs::File::create_new(&path)?))
            };
            let write = || -> anyhow::Result<()> {
                match source {
                    Source::Notices => {
                        let mut file = create()?;
                        world.write_notices_csv(&mut file)?;
                        file.flush()?;
                    }
                    Source::Register => {
                        let mut file = create()?;
                        world.write_register_csv(&mut file)?;
                        file.flush()?;
                    }
                    Source::Anchors => {
                        make_folder(&path)?;
                        for anchor in world.anchors() {
                            let path = path.join(&anchor.name);
                            files::write_new(&path, &anchor.bytes, Readers::All)?;
                        }
                    }
                }
                Ok(())
            };
            write().with_context(|| path.display().to_string())?;
        }
        Ok(())
    }

    /// Makes a device that is not enrolled yet, and writes what headquarters knows of it where trials
    /// look for it.
    fn make_device(&self) -> anyhow::Result<NewDevice> {
        let folder = self.device();
        make_folder(&folder)?;
        let key = SoftwareDeviceKey::create(&folder.join(SoftwareDeviceKey::FILE_NAME))?;
        let (mut id, mut seal_secret) = ([0; 16], Zeroizing::new([0; 32]));
        getrandom::fill(&mut id)
            .and_then(|()| getrandom::fill(&mut *seal_secret))
            .map_err(|_| anyhow!("the system gave no random bytes"))?;
        let seal_secret = SealSecret::new(*seal_secret);
        let known = KnownDevice {
            id,
            unit: snapshot::UNIT,
            seal_key: seal_secret.public(),
            sign_key: key.public_key(),
            revoked: None,
        };
        let text = units::write_devices(&[known]);
        files::write_new(&self.keys().join(snapshot::DEVICES), text.as_bytes(), Readers::All)?;
        Ok(NewDevice { id, key, seal_secret })
    }

    /// Enrols the device as headquarters would, and unlocks it.
    fn enrol(
        &self,
        keys: &Keys,
        pin: &Pin,
        new: NewDevice,
        clock: &Arc<dyn Clock>,
    ) -> anyhow::Result<(Device, Session)> {
        let (folder, key) = (self.device(), new.key);
        let enrolment = Enrolment {
            device: new.id,
            label: "01".to_owned(),
            unit: snapshot::UNIT,
            root_hash: keys.public.root_hash,
            purpose: Purpose::Demo,
            collect_key: keys.public.collect_key,
            seal_secret: new.seal_secret,
            enrolled_at: clock.real_time(),
        };
        device::enrol(&folder, &key, &**clock, &enrolment, pin, ArgonCost::FLOOR)?;
        let mut device = Device::open(&folder, Arc::new(key), Arc::clone(clock))?;
        let session = device.unlock(pin)?;
        Ok((device, session))
    }

    /// Writes the simulated chips, each in a folder that is named by the number on its card.
    fn write_chips(&self, chips: &[InventedChip]) -> anyhow::Result<()> {
        make_folder(&self.chips())?;
        let mut truth = String::from("file\tproof\tfindings\tstory\n");
        for chip in chips {
            let path = self.chips().join(chip.number.digits());
            make_folder(&path)?;
            folder::write(&path, &chip.contents, &chip.faults)?;
            let ExpectedProof { proof, findings } = &chip.expected;
            let findings = findings.join(",");
            truth.push_str(&format!("{}\t{proof}\t{findings}\t{}\n", chip.card, chip.story));
        }
        files::write_new(&self.chips().join("truth.tsv"), truth.as_bytes(), Readers::All)
    }

    /// Writes the pictures of cards, and beside them the answers that they must get.
    fn write_cards(
        &self,
        folder: &Path,
        cards: &[Card],
        font: Option<&OcrB>,
        spinner: &ProgressBar,
    ) -> anyhow::Result<()> {
        make_folder(folder)?;
        let mut truth = String::from("file\tverdict\treasons\tstory\n");
        for card in cards {
            spinner.set_message(format!("drawing {}", card.file));
            let path = folder.join(&card.file);
            let picture = draw::draw_card(card, font).context("the font of its zone is missing")?;
            picture.save(&path).with_context(|| path.display().to_string())?;
            let reasons = card.expected.reasons.join(",");
            truth.push_str(&format!(
                "{}\t{}\t{reasons}\t{}\n",
                card.file, card.expected.verdict, card.story
            ));
        }
        files::write_new(&folder.join("truth.tsv"), truth.as_bytes(), Readers::All)
    }
}

/// How many cards and chips were checked, and how many gave the answer that the plan wrote down.
#[derive(Default)]
struct Tally {
    cards: usize,
    as_expected: usize,
    chips: usize,
    chips_as_expected: usize,
}

/// Checks every card of a world; the last ones on a copy of the device, some days later.
fn check_all(
    place: &Place,
    made: Made,
    screens: &Path,
    clock: &Arc<dyn Clock>,
    out: &mut dyn Write,
) -> anyhow::Result<Tally> {
    let Made { world, cards, chips, pin, device, mut session } = made;
    let mut tally = Tally::default();
    tally.check(&mut session, &place.cards(), &cards, "", out)?;
    tally.check_chips(&mut session, place, &cards, &chips, out)?;
    let records = super::counted(session.verify_queue()?, "record");
    writeln!(out, "queue      {records}, the chain holds")?;
    session.log_lock()?;
    drop((session, device));

    // A copy: the records of a day to come would stand strangely in the device that goes on.
    copy_folder(&place.device(), &place.later_device())?;
    let later = clock.real_time().plus_seconds(MUCH_LATER_DAYS * 86_400);
    let simulated = Arc::new(FixedClock::at(later));
    let mut session = unlock::open_device(&place.later_device(), simulated)?.unlock(&pin.pin)?;
    let note = format!("  (simulated clock: {MUCH_LATER_DAYS} days later)");
    tally.check(&mut session, &place.later_cards(), &world.cards_when_list_is_old(), &note, out)?;
    session.log_lock()?;
    drop(session);

    write_screens(screens, place, (&cards, &chips), &pin, clock, out)?;
    Ok(tally)
}

impl Tally {
    fn check(
        &mut self,
        session: &mut Session,
        folder: &Path,
        cards: &[Card],
        note: &str,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        for card in cards {
            let path = folder.join(&card.file);
            let outcome = card::check(session, &Given::of(&path), CheckReason::DocumentCheck)?;
            match &outcome {
                Ok(checked) => writeln!(out, "{}{note}", Line(&card.file, checked))?,
                Err(why) => {
                    let word = word_of(why);
                    writeln!(out, "{word:<11}  {}  {}{note}", card.file, why.code())?;
                }
            }
            self.cards += 1;
            if told(&outcome) == as_planned(&card.expected) {
                self.as_expected += 1;
            } else {
                let Expected { verdict, reasons } = &card.expected;
                writeln!(out, "WRONG  {}: expected {verdict} {}", card.file, reasons.join(", "))?;
            }
        }
        Ok(())
    }
}

impl Tally {
    /// Reads each chip as the window does, and judges it.
    fn check_chips(
        &mut self,
        session: &mut Session,
        place: &Place,
        cards: &[Card],
        chips: &[InventedChip],
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let readers = SimulatedCards::new(place.chips());
        for chip in chips {
            let card = cards.iter().find(|card| card.file == chip.card);
            let printed = qr::parse(&card.context("a chip has a card")?.payload)?;
            let mut held = readers.wait(&printed, Duration::ZERO)?;
            let mut reading = Reading::new(Password::of_document(&printed), Wanted::ALL);
            let begun = Instant::now();
            read::read_through(
                &mut *held,
                &mut reading,
                &mut LengthMemory::default(),
                Duration::ZERO,
                &mut |_| ControlFlow::Continue(()),
            )?;
            let files = Files::of(&reading).context("a security object")?;
            let (contents, answer) = session.judge_chip(&files, Some(&printed), None)?;
            let proof = contents.proof.code();
            let is_of_chip = |finding: &&Finding| finding.origin == Origin::Chip;
            let of_chip = answer.findings.iter().filter(is_of_chip);
            let findings: Vec<&str> = of_chip.map(|finding| finding.kind.code()).collect();
            let (word, took) = (card::word(answer.verdict), card::milliseconds(begun.elapsed()));
            let reasons = findings.join(", ");
            writeln!(out, "{word:<11}  {}  chip {proof}  {reasons}  [{took:.0} ms]", chip.card)?;
            self.chips += 1;
            let ExpectedProof { proof: expected, findings: wanted } = &chip.expected;
            if proof == *expected && findings == *wanted {
                self.chips_as_expected += 1;
            } else {
                writeln!(out, "WRONG  {}: expected {expected} {}", chip.card, wanted.join(", "))?;
            }
        }
        Ok(())
    }
}

/// Returns verdict and reasons in the words of the plan, the reasons in alphabetical order.
fn told(outcome: &Result<Checked, NotRead>) -> (&'static str, Vec<&'static str>) {
    match outcome {
        Ok(checked) => {
            let mut reasons = checked.reasons();
            reasons.sort_unstable();
            (card::word(checked.answer.verdict), reasons)
        }
        Err(why) => (word_of(why), vec![why.code()]),
    }
}

/// Returns what the plan says, its reasons in alphabetical order.
fn as_planned(expected: &Expected) -> (&'static str, Vec<&'static str>) {
    let mut reasons = expected.reasons.clone();
    reasons.sort_unstable();
    (expected.verdict, reasons)
}

fn word_of(why: &NotRead) -> &'static str {
    match why {
        NotRead::NotACard(_) => "NOT A CARD",
        _ => "NOT READ",
    }
}

/// Walks through the window's screens with the device of the world and writes them as pictures.
#[cfg(feature = "window")]
fn write_screens(
    folder: &Path,
    place: &Place,
    (cards, chips): (&[Card], &[InventedChip]),
    pin: &DrawnPin,
    clock: &Arc<dyn Clock>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    use crate::view::shots;

    let device = unlock::open_device(&place.device(), Arc::clone(clock))?;
    let digits: Zeroizing<Vec<u8>> =
        Zeroizing::new(pin.digits.bytes().map(|digit| digit - b'0').collect());
    let pictures: Vec<PathBuf> = cards.iter().map(|card| place.cards().join(&card.file)).collect();
    // One of each kind: the others look like the first.
    let mut held: Vec<(&str, String)> = Vec::new();
    for chip in chips {
        if held.iter().all(|(story, _)| *story != chip.story) {
            held.push((chip.story, chip.card.trim_end_matches(".png").to_owned()));
        }
    }
    let held: Vec<String> = held.into_iter().map(|(_, name)| name).collect();
    let shots = shots::write(
        folder,
        device,
        Arc::clone(clock),
        &digits,
        &pictures,
        &shots::Chips { folder: &place.chips(), held: &held },
        &place.folder.join("packages"),
    )?;
    for file in &shots.files {
        writeln!(out, "screen     {}", file.display())?;
    }
    let slowest = card::milliseconds(shots.slowest);
    writeln!(out, "screens    {}, at most {slowest:.1} ms busy at once", shots.files.len())?;
    Ok(())
}

#[cfg(not(feature = "window"))]
fn write_screens(
    _folder: &Path,
    _place: &Place,
    _: (&[Card], &[InventedChip]),
    _pin: &DrawnPin,
    _clock: &Arc<dyn Clock>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    writeln!(out, "no screens: this program was built without a window")?;
    Ok(())
}

/// A PIN that was drawn, with its digits to be told once.
struct DrawnPin {
    pin: Pin,
    digits: Zeroizing<String>,
}

/// Draws a PIN that a device accepts.
fn draw_pin() -> anyhow::Result<DrawnPin> {
    loop {
        let mut pin = Pin::new();
        let mut digits = Zeroizing::new(String::with_capacity(PIN_DIGITS));
        while pin.len() < PIN_DIGITS {
            let mut byte = [0];
            getrandom::fill(&mut byte).map_err(|_| anyhow!("the system gave no random bytes"))?;
            // 250 to 255 would make the digits 0 to 5 more frequent.
            if byte[0] < 250 {
                pin.push(byte[0] % 10);
                digits.push(char::from(b'0' + byte[0] % 10));
            }
        }
        if pin.is_acceptable() {
            return Ok(DrawnPin { pin, digits });
        }
    }
}

fn make_folder(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())
}

/// Copies a folder and its subfolders; permissions stay as they are.
fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    make_folder(to)?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(|| target.display().to_string())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::qr::NotACard;

    #[test]
    fn the_drawn_pin_is_the_one_that_is_told() {
        for _ in 0..20 {
            let drawn = draw_pin().unwrap();
            assert!(drawn.pin.is_acceptable());
            assert_eq!(drawn.digits.len(), PIN_DIGITS);
            let read = Pin::from_reader(drawn.digits.as_bytes()).unwrap();
            assert_eq!(read.len(), drawn.pin.len());
        }
    }

    #[test]
    fn a_world_with_anchors_has_a_list_of_them_more() {
        let world = World::new(1, 0, "2026-11-24".parse().unwrap());
        assert_eq!(sources(&world), [Source::Notices, Source::Register]);
        let der = chips::anchor();
        let file = AnchorFile { name: "uto.cer".to_owned(), bytes: der.clone() };
        let world = world.with_anchors(vec![file]);
        assert_eq!(sources(&world), [Source::Notices, Source::Register, Source::Anchors]);
        let folder = tempfile::tempdir().unwrap();
        let place = Place { folder: folder.path().to_owned() };
        place.write_sources(&world).unwrap();
        let read = Input::path(&place.source(Source::Anchors)).read_anchors().unwrap();
        assert_eq!(read.anchors.iter().map(|anchor| &anchor.der).collect::<Vec<_>>(), [&der]);
    }

    #[test]
    fn an_answer_is_as_planned_only_with_its_verdict_and_all_its_reasons() {
        let planned = |verdict, reasons: &[&'static str]| {
            as_planned(&Expected { verdict, reasons: reasons.to_vec() })
        };
        let link = told(&Err(NotRead::NotACard(NotACard::Link)));
        assert_eq!(link, planned("NOT A CARD", &["link"]));
        assert_ne!(link, planned("NOT A CARD", &["payment"]));
        assert_ne!(link, planned("NOT A CARD", &[]));
        assert_ne!(link, planned("REFER", &["link"]));
        let missing = told(&Err(NotRead::Missing));
        assert_ne!(missing, planned("NOT A CARD", &["missing"]));
        // The plan names reasons in no order.
        assert_eq!(planned("MATCH", &["b", "a"]), planned("MATCH", &["a", "b"]));
    }

    #[test]
    fn noon_is_noon_in_vietnam() {
        let day: Date = "2026-11-24".parse().unwrap();
        let noon = noon_of(day);
        assert_eq!(noon, DeviceTime(1_795_496_400));
        assert_eq!(Date::from_days(noon.vietnam_day()), day);
        assert_eq!(super::super::time::Utc(noon.0).to_string(), "2026-11-24T05:00:00Z");
    }
}
