//! `./dev bench scan`: what is read of pictures that are hard to read, and what it costs.
//!
//! Beside ours stand the readers of `benches/peers`, on the same pictures in the same run, where the
//! environment names their programs; `./dev` does. Read means: exactly the bytes of the code. The
//! pictures are synthetic except for the photographs: good to rank readers, not to promise rates.
//!
//! Two folders are not in the repository and are passed over where they are missing: the study's open
//! set (`FIELDCHECK_QR_OPEN`) and the photographs of the ZXing project (`FIELDCHECK_QR_PHOTOS`).
//! `FIELDCHECK_BENCH_PICTURES` makes every generated set smaller, to try the bench.

#[path = "common/harness.rs"]
mod harness;
#[path = "scan/peers.rs"]
mod peers;
#[path = "scan/tally.rs"]
mod tally;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use fieldcheck::camera::decode::{Stage, payloads, stage};
use fieldcheck::camera::mrz::{self, ZoneScanner};
use fieldcheck::camera::pictures::PictureSource;
use fieldcheck::camera::scanner::Scanner;
use fieldcheck::camera::{Frame, FrameSource};
use fieldcheck::invented::shots::{BackKind, Level, OcrB, back, back_burst, burst, nothing, shot};

use harness::{Aim, Report, Samples, processor_timed, watched_processor};
use peers::{Answer, Peers};
use tally::{Tallies, Tally};

/// Where the figures go, from the root of the repository, which is where cargo runs a bench.
const FOLDER: &str = "target/bench";

/// Where the folders are looked for that the environment does not name.
const OPEN_SET: (&str, &str) = ("FIELDCHECK_QR_OPEN", "../shared/data/qr-open");
const PHOTOS: (&str, &str) = ("FIELDCHECK_QR_PHOTOS", "../shared/data/qr-photos");

/// The seed of the generated sets. Chosen before any reader was measured on it, and not to be tuned
/// on: whoever works on a reader takes other seeds.
const SEED: u64 = 77_001;

/// Sizes of the generated sets.
const PICTURES: usize = 300;
const BURSTS: usize = 100;
const FRAMES_OF_A_BURST: usize = 10;
const EMPTY: usize = 10_000;
const BACKS: usize = 300;
const BACK_BURSTS: usize = 30;

/// Every so manieth frame without a code is shown to the peers too: some take half a second.
const EMPTY_FOR_PEERS: usize = 50;

const OURS: &str = "ours";
/// Of a burst: without what the frames before gave.
const ALONE: &str = "ours, each frame alone";

/// Between the frames of a burst: what a camera of 30 frames a second gives.
const FRAME_EVERY: Duration = Duration::from_millis(33);

/// Reads a machine-readable zone: its lines, where all check digits hold.
type ZoneReader = fn(&Frame) -> Option<String>;

/// What is measured on backs.
const ZONE_READER: ZoneReader = |frame| mrz::zones(frame).into_iter().next().map(|zone| zone.text);

fn main() -> anyhow::Result<()> {
    let mut report = Report::new("scan");
    let mut peers = Peers::start()?;
    if peers.is_empty() {
        report.untimed_section("no peers: their programs are not named, see ./dev bench scan");
    }
    let sizes = Sizes::from_environment()?;
    let groups = ["easy", "medium", "hard"];

    if let Some(folder) = folder(OPEN_SET) {
        let set = open_set(&folder)?;
        let count = set.len();
        let pictures = set.into_iter().map(|(path, group, payload)| {
            Ok(Known { frame: picture(&path)?, group, truths: vec![payload], others: vec![] })
        });
        let title = "single frames, the study's open set (best cascade 261, union of all 272)";
        let aim = Aim::AtLeast(268.0);
        single(title, pictures, count, &groups, aim, &mut peers, &mut report)?;
    }
    {
        let pictures = (0..sizes.pictures as u64).map(|index| {
            let shot = shot(SEED, index);
            let group = index as usize % Level::ALL.len();
            Ok(Known { frame: shot.frame, group, truths: vec![shot.payload], others: vec![] })
        });
        let title = "single frames, another seed (study: best cascade 245, union of all 256)";
        let aim = sizes.aim(PICTURES, Aim::AtLeast(255.0));
        single(title, pictures, sizes.pictures, &groups, aim, &mut peers, &mut report)?;
    }
    bursts(&sizes, &mut peers, &mut report)?;
    if let Some(folder) = folder(PHOTOS) {
        let files = photographs(&folder)?;
        let count = files.len();
        let pictures = files.iter().map(|file| {
            Ok(Known {
                frame: picture(file)?,
                group: 0,
                truths: truths(file)?,
                others: others(file),
            })
        });
        let title = "photographs, upright (study: rxing 165, best peer 171)";
        let aim = Aim::AtLeast(170.0);
        single(title, pictures, count, &["upright"], aim, &mut peers, &mut report)?;
    }
    empty(&sizes, &mut peers, &mut report)?;
    zones(ZONE_READER, &sizes, &mut report)?;
    fs::create_dir_all(FOLDER)?;
    report.finish(Path::new(FOLDER))
}

/// How many of everything.
struct Sizes {
    pictures: usize,
    bursts: usize,
    empty: usize,
    backs: usize,
    back_bursts: usize,
}

impl Sizes {
    fn from_environment() -> anyhow::Result<Sizes> {
        let most = match std::env::var("FIELDCHECK_BENCH_PICTURES") {
            Ok(text) => text.parse().context("FIELDCHECK_BENCH_PICTURES is no number")?,
            Err(_) => usize::MAX,
        };
        Ok(Sizes {
            pictures: PICTURES.min(most),
            bursts: BURSTS.min(most),
            empty: EMPTY.min(most),
            backs: BACKS.min(most),
            back_bursts: BACK_BURSTS.min(most),
        })
    }

    /// An aim counts for the whole set alone.
    fn aim(&self, whole: usize, aim: Aim) -> Aim {
        if self.pictures < whole { Aim::Nothing } else { aim }
    }
}

/// A picture and the bytes that may be read of it.
struct Known {
    frame: Frame,
    group: usize,
    truths: Vec<Vec<u8>>,
    /// What else is in it: neither read rightly nor wrong.
    others: Vec<Vec<u8>>,
}

fn ask_ours(frame: &Frame) -> Answer {
    // All threads' time: one of the stages has a thread of its own.
    let (took, found) = processor_timed(|| payloads(frame));
    let payloads = found.into_iter().map(|payload| payload.bytes).collect();
    Answer { engine: OURS.to_owned(), took, payloads }
}

/// Shows each picture once to every reader.
fn single(
    title: &'static str,
    pictures: impl Iterator<Item = anyhow::Result<Known>>,
    count: usize,
    groups: &[&str],
    aim: Aim,
    peers: &mut Peers,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut stages = [0_u32; Stage::ALL.len()];
    let (tallies, lost) = watched_processor(|| {
        let mut tallies = Tallies::default();
        for known in pictures {
            let known = known?;
            if let Some((_, stage)) = stage(&known.frame) {
                stages[stage as usize] += 1;
            }
            let mut answers = vec![ask_ours(&known.frame)];
            answers.extend(peers.ask(&known.frame)?);
            for answer in &mut answers {
                answer.payloads.retain(|bytes| !known.others.contains(bytes));
                tallies.count(answer, known.group, groups.len(), |bytes| {
                    known.truths.iter().any(|truth| truth == bytes)
                });
            }
        }
        Ok(tallies)
    })?;
    report.section(title, lost);
    report.count("pictures", count as f64, "pictures");
    for (stage, read) in Stage::ALL.into_iter().zip(stages) {
        report.count(format!("{OURS}: read by the stage {stage}"), read.into(), "pictures");
    }
    for tally in &tallies.0 {
        let is_ours = tally.engine == OURS;
        let aim = if is_ours { aim } else { Aim::Nothing };
        let name = &tally.engine;
        if groups.len() > 1 {
            for (group, read) in groups.iter().zip(&tally.read) {
                report.count(format!("{name}: read, {group}"), *read as f64, "pictures");
            }
        }
        report.count_with_aim(format!("{name}: read"), tally.total() as f64, "pictures", aim);
        wrong(tally, report);
        let aims = [(0.5, 3.0), (0.95, f64::INFINITY)]
            .map(|(share, most)| (share, is_ours.then_some(most)));
        for (share, most) in aims {
            let aim = most.filter(|most| most.is_finite()).map_or(Aim::Nothing, Aim::AtMost);
            let time = millis(tally.took_read.percentile(share));
            report.add(format!("{name}: time when read, p{}", share * 100.0), time, "ms", aim);
        }
        let time = millis(tally.took_unread.median());
        report.add(format!("{name}: time when not read, p50"), time, "ms", Aim::Nothing);
        // The aim is for frames of a camera; photographs are larger and smaller.
        let aim = if is_ours && groups.len() > 1 { Aim::AtMost(60.0) } else { Aim::Nothing };
        report.add(format!("{name}: time, worst"), millis(tally.worst), "ms", aim);
    }
    Ok(())
}

/// No reader may give bytes that are not there; ours must not.
fn wrong(tally: &Tally, report: &mut Report) {
    let aim = if tally.engine == OURS { Aim::AtMost(0.0) } else { Aim::Nothing };
    let figure = format!("{}: wrong payloads", tally.engine);
    report.count_with_aim(figure, tally.wrong as f64, "payloads", aim);
}

/// Shows bursts of one hand: read is a burst of which any frame was read, until then.
fn bursts(sizes: &Sizes, peers: &mut Peers, report: &mut Report) -> anyhow::Result<()> {
    let mut tallies = Tallies::default();
    // By engine: bursts that were read, and at which frame each was.
    let mut first: Vec<(String, Vec<usize>)> = Vec::new();
    for index in 0..sizes.bursts as u64 {
        let mut seen: Vec<String> = Vec::new();
        let mut scanner = Scanner::new();
        for (number, shot) in burst(SEED, index, FRAMES_OF_A_BURST).into_iter().enumerate() {
            let at = FRAME_EVERY * u32::try_from(number)?;
            let (took, scan) = processor_timed(|| scanner.read(&shot.frame, at));
            let payloads = scan.payloads.into_iter().map(|payload| payload.bytes).collect();
            let scanned = Answer { engine: OURS.to_owned(), took, payloads };
            let alone = Answer { engine: ALONE.to_owned(), ..ask_ours(&shot.frame) };
            let mut answers = vec![scanned, alone];
            answers.extend(peers.ask(&shot.frame)?);
            for answer in &answers {
                tallies.count(answer, 0, 1, |bytes| bytes == shot.payload);
                let has_read = answer.payloads.contains(&shot.payload);
                if has_read && !seen.contains(&answer.engine) {
                    seen.push(answer.engine.clone());
                    match first.iter_mut().find(|(engine, _)| *engine == answer.engine) {
                        Some((_, frames)) => frames.push(number + 1),
                        None => first.push((answer.engine.clone(), vec![number + 1])),
                    }
                }
            }
        }
    }
    report.untimed_section("bursts of 10 frames of the hard level");
    report.count("bursts", sizes.bursts as f64, "bursts");
    let frames = (sizes.bursts * FRAMES_OF_A_BURST) as f64;
    for tally in &tallies.0 {
        let name = &tally.engine;
        let read = first.iter().find(|(engine, _)| engine == name).map(|(_, frames)| frames);
        let share = read.map_or(0, Vec::len) as f64 / sizes.bursts.max(1) as f64 * 100.0;
        let aim = if name == OURS { Aim::AtLeast(95.0) } else { Aim::Nothing };
        report.count_with_aim(format!("{name}: read within the burst"), share, "%", aim);
        let single = tally.total() as f64 / frames.max(1.0) * 100.0;
        report.count(format!("{name}: frames read"), single, "%");
        if let Some(frames) = read {
            let mut frames = frames.clone();
            frames.sort_unstable();
            let median = frames[frames.len() / 2] as f64;
            report.count(format!("{name}: first frame read, p50"), median, "frames");
        }
        wrong(tally, report);
    }
    Ok(())
}

/// Shows frames without a code: nothing may be found, and soon.
fn empty(sizes: &Sizes, peers: &mut Peers, report: &mut Report) -> anyhow::Result<()> {
    let ((tallies, ours, zones, zone_times), lost) = watched_processor(|| {
        let (mut tallies, mut ours) = (Tallies::default(), Samples::default());
        let (mut zones, mut zone_times) = (0, Samples::default());
        for index in 0..sizes.empty {
            let frame = nothing(SEED, index as u64);
            let (took, found) = processor_timed(|| mrz::zones(&frame));
            zones += found.len();
            zone_times.push(took);
            let mut answers = vec![ask_ours(&frame)];
            ours.push(answers[0].took);
            if index % EMPTY_FOR_PEERS == 0 {
                answers.extend(peers.ask(&frame)?);
            }
            for answer in &answers {
                tallies.count(answer, 0, 1, |_| false);
            }
        }
        Ok((tallies, ours, zones, zone_times))
    })?;
    report.section("frames without a code", lost);
    report.count("frames", sizes.empty as f64, "frames");
    report.count("frames shown to peers", sizes.empty.div_ceil(EMPTY_FOR_PEERS) as f64, "frames");
    for tally in &tallies.0 {
        let is_ours = tally.engine == OURS;
        wrong(tally, report);
        let name = &tally.engine;
        let aim = |most| if is_ours { Aim::AtMost(most) } else { Aim::Nothing };
        let median = millis(if is_ours { ours.median() } else { tally.took_unread.median() });
        report.add(format!("{name}: time, p50"), median, "ms", aim(15.0));
        report.add(format!("{name}: time, worst"), millis(tally.worst), "ms", aim(60.0));
    }
    let none = Aim::AtMost(0.0);
    report.count_with_aim("ours: machine-readable zones", zones as f64, "zones", none);
    report.add("ours: zones, time, p50", millis(zone_times.median()), "ms", Aim::Nothing);
    let worst = millis(zone_times.percentile(1.0));
    report.add("ours: zones, time, worst", worst, "ms", Aim::AtMost(60.0));
    Ok(())
}

/// Shows backs of cards and pages of passports.
fn zones(reader: ZoneReader, sizes: &Sizes, report: &mut Report) -> anyhow::Result<()> {
    let font = OcrB::of_system().context("OCR-B is needed (Debian: fonts-ocr-b)")?;
    let aims = [98.0, 90.0, 50.0];
    let (rows, lost) = watched_processor(|| {
        let mut rows = Vec::new();
        for kind in [BackKind::Card, BackKind::Passport] {
            for (level, aim) in Level::ALL.into_iter().zip(aims) {
                let (mut read, mut wrong, mut took) = (0, 0, Samples::default());
                for index in 0..sizes.backs as u64 {
                    let shot = back(SEED, index, level, kind, &font);
                    let (time, found) = processor_timed(|| reader(&shot.frame));
                    took.push(time);
                    read += usize::from(found.as_ref() == Some(&shot.text()));
                    wrong += usize::from(found.is_some_and(|found| found != shot.text()));
                }
                rows.push((kind, level, aim, read, wrong, took));
            }
        }
        Ok(rows)
    })?;
    report.section("machine-readable zones", lost);
    report.count("pictures of each kind and level", sizes.backs as f64, "pictures");
    for (kind, level, aim, read, wrong, took) in rows {
        let name = match kind {
            BackKind::Card => format!("cards, {level}"),
            BackKind::Passport => format!("passports, {level}"),
        };
        let share = read as f64 / sizes.backs.max(1) as f64 * 100.0;
        report.count_with_aim(format!("{name}: read"), share, "%", Aim::AtLeast(aim));
        let figure = format!("{name}: wrong with right check digits");
        report.count_with_aim(figure, wrong as f64, "zones", Aim::AtMost(0.0));
        report.add(format!("{name}: time, p50"), millis(took.median()), "ms", Aim::Nothing);
        let figure = format!("{name}: time, worst");
        report.add(figure, millis(took.percentile(1.0)), "ms", Aim::AtMost(60.0));
    }
    report.untimed_section("bursts of 10 backs of the hard level");
    report.count("bursts of each kind", sizes.back_bursts as f64, "bursts");
    for (kind, name) in [(BackKind::Card, "cards"), (BackKind::Passport, "passports")] {
        let (mut read, mut alone, mut wrong) = (0, 0, 0);
        for index in 0..sizes.back_bursts as u64 {
            let mut scanner = ZoneScanner::new();
            let mut is_read = false;
            for shot in back_burst(SEED, index, FRAMES_OF_A_BURST, kind, &font) {
                let found = scanner.read(&shot.frame);
                is_read |= found.iter().any(|zone| zone.text == shot.text());
                wrong += found.iter().filter(|zone| zone.text != shot.text()).count();
                alone += usize::from(reader(&shot.frame).as_ref() == Some(&shot.text()));
            }
            read += usize::from(is_read);
        }
        let bursts = sizes.back_bursts.max(1) as f64;
        let share = read as f64 / bursts * 100.0;
        report.count(format!("{name}: read within the burst"), share, "%");
        let share = alone as f64 / (bursts * FRAMES_OF_A_BURST as f64) * 100.0;
        report.count(format!("{name}: frames read, each alone"), share, "%");
        let figure = format!("{name}: wrong with right check digits");
        report.count_with_aim(figure, wrong as f64, "zones", Aim::AtMost(0.0));
    }
    Ok(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Returns a folder that the environment names or that is in its usual place.
fn folder((variable, usual): (&str, &str)) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map_or_else(|| PathBuf::from(usual), PathBuf::from);
    folder.is_dir().then_some(folder)
}

fn picture(path: &Path) -> anyhow::Result<Frame> {
    Ok(PictureSource::open(&[path.to_owned()])?.next_frame()?)
}

/// Returns the pictures of a set with their levels and payloads, from its `truth.tsv`.
fn open_set(folder: &Path) -> anyhow::Result<Vec<(PathBuf, usize, Vec<u8>)>> {
    let truth = fs::read_to_string(folder.join("truth.tsv"))?;
    truth
        .lines()
        .skip(1)
        .map(|line| {
            let mut columns = line.split('\t');
            let mut column = || columns.next().context("three columns");
            let (file, level, payload) = (column()?, column()?, column()?);
            let level = Level::ALL.iter().position(|known| known.to_string() == level);
            Ok((folder.join(file), level.context("a level")?, payload.into()))
        })
        .collect()
}

/// Returns the photographs of all folders in a folder, in order.
fn photographs(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for inner in fs::read_dir(folder)? {
        let inner = inner?.path();
        if inner.is_dir() {
            for file in fs::read_dir(inner)? {
                let file = file?.path();
                if file.extension().is_some_and(|extension| extension == "png") {
                    files.push(file);
                }
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Returns the bytes that may be in a photograph's code: those of the file beside it, or its text as
/// old codes have it, in Latin-1, Shift-JIS or GBK.
fn truths(picture: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    if let Ok(bytes) = fs::read(picture.with_extension("bin")) {
        return Ok(vec![bytes]);
    }
    Ok(encodings(&fs::read_to_string(picture.with_extension("txt"))?))
}

fn encodings(text: &str) -> Vec<Vec<u8>> {
    let latin: Option<Vec<u8>> = text.chars().map(|letter| u8::try_from(letter).ok()).collect();
    let mut all: Vec<Vec<u8>> = [text.as_bytes().to_vec()].into_iter().chain(latin).collect();
    for encoding in [encoding_rs::SHIFT_JIS, encoding_rs::GBK] {
        let (bytes, _, has_others) = encoding.encode(text);
        if !has_others {
            all.push(bytes.into_owned());
        }
    }
    all
}

/// Returns the bytes of a further code in a photograph.
fn others(picture: &Path) -> Vec<Vec<u8>> {
    if picture.ends_with(TWO_CODES.0) { encodings(TWO_CODES.1) } else { Vec::new() }
}

/// A photograph of a code within a code, of which the file beside it tells the outer one alone.
const TWO_CODES: (&str, &str) =
    ("qrcode-2/16.png", "[内側QRコード]\r\n\r\n*ダブルQR*\r\nhttp://d-qr.net/ex/");
