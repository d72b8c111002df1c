//! `./dev bench check`: how long a check takes, and how fast a package becomes a list to check against.
//!
//! Three figures, each beside what it has to be compared with, in one run on one machine:
//! - from payload to verdict, against one bare SQLCipher look-up in the same register;
//! - from package to searchable store, against bare inserts of the same rows;
//! - from frame to payload, against the reader that the QR library brings.
//!
//! Everything is invented; the clock is simulated, the disk and the processor are not. The environment
//! variable `FIELDCHECK_BENCH_PEOPLE` makes the nation smaller, to try the bench. How long the window's
//! own thread is held is not measured here.

#[path = "common/harness.rs"]
mod harness;
#[path = "check/nation.rs"]
mod nation;

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use fieldcheck::camera::decode::payloads;
use fieldcheck::camera::pictures::PictureSource;
use fieldcheck::camera::{Frame, FrameSource};
use fieldcheck::checks::Verdict;
use fieldcheck::document::{fold, qr};
use fieldcheck::invented::{Surface, draw};
use fieldcheck::keys::SecretKey;
use fieldcheck::store::{self, Access, Kind};
use fieldcheck::verdict::{Answer, RegisterLine};
use rusqlite::{Connection, params};
use rxing::BarcodeFormat;
use rxing::helpers::detect_in_luma;
use sync_format::v1::notice::encode_notices;
use sync_format::v1::package::Dataset;
use sync_format::v1::record::CheckReason;

use harness::{Aim, Lost, Report, Samples, ratio, timed, undisturbed, watched};
use nation::{Nation, Post};

/// Where the figures go, from the root of the repository, which is where cargo runs a bench.
const FOLDER: &str = "target/bench";

/// Photographed cards, of which not all can be read.
const PICTURES: &str = "tests/data/pictures";

/// So many that the register, which leaves one province out, holds a million of them; there is a notice
/// to every fifth.
const PEOPLE: usize = 1_013_000;

/// Cards that are judged, and cards before them that make everything warm.
const JUDGED: usize = 20_000;
const WARM_UP: usize = 2_000;

/// Checks that are recorded: each waits for the disk.
const RECORDED: usize = 500;

/// Bytes of a raw append beside them, about as many as a record has.
const RECORD_BYTES: usize = 500;

/// How often both packages are installed, each time on a new device.
const INSTALLS: usize = 3;

/// Drawn cards, and how often each picture is read.
const DRAWN: usize = 20;
const READINGS: usize = 10;

/// From payload to the answer on the screen, p99, in microseconds.
const VERDICT_AIM: Aim = Aim::Below(200.0);

fn main() -> anyhow::Result<()> {
    let people = match std::env::var("FIELDCHECK_BENCH_PEOPLE") {
        Ok(text) => text.parse().context("FIELDCHECK_BENCH_PEOPLE is no number")?,
        Err(_) => PEOPLE,
    };
    std::fs::create_dir_all(FOLDER)?;
    let folder = tempfile::Builder::new().prefix("check-").tempdir_in(FOLDER)?;
    let nation = Nation::invent(people)?;

    let mut report = Report::new("check");
    let mut post = packages_to_store(&nation, folder.path(), &mut report)?;
    payload_to_verdict(&nation, &mut post, &mut report)?;
    verdict_to_record(&nation, &mut post, folder.path(), &mut report)?;
    frame_to_payload(&nation, &mut report)?;
    report.finish(Path::new(FOLDER))
}

/// Installs both packages and, in turn, puts their rows into bare databases; returns the last device.
fn packages_to_store(nation: &Nation, folder: &Path, report: &mut Report) -> anyhow::Result<Post> {
    let register_file = folder.join("register.fcsnap");
    let notices_file = folder.join("notices.fcsnap");
    std::fs::write(&register_file, &nation.register_package)?;
    std::fs::write(&notices_file, &nation.notices_package)?;
    let prepared = PreparedNotices::of(nation)?;

    let (mut register, mut notices) = (Samples::default(), Samples::default());
    let (mut bare_register, mut bare_notices) = (Samples::default(), Samples::default());
    let (last, lost) = watched(|| {
        let mut last = None;
        for round in 0..INSTALLS {
            let place = folder.join(format!("device-{round}"));
            let mut post = nation.enrol(&place)?;
            let bare = folder.join("bare.db");
            register.push(installing(&mut post, &register_file, Dataset::Register)?);
            bare_register.push(bare_insert(&bare, Kind::Register, |connection| {
                insert_register(connection, nation)
            })?);
            notices.push(installing(&mut post, &notices_file, Dataset::Notices)?);
            bare_notices
                .push(bare_insert(&bare, Kind::Notices, |connection| prepared.insert(connection))?);
            last = Some(post);
        }
        last.context("at least one round")
    })?;

    report.section("package to searchable store", lost);
    let rows = [
        ("register", nation.register.len(), nation.register_package.len(), register, bare_register),
        ("notices", nation.notices.len(), nation.notices_package.len(), notices, bare_notices),
    ];
    for (what, rows, bytes, installed, bare) in rows {
        let (installed, bare) = (installed.median(), bare.median());
        let a_second = |time: Duration| rows as f64 / time.as_secs_f64();
        report.count(format!("{what}: rows"), rows as f64, "rows");
        report.count(format!("{what}: package"), bytes as f64 / rows as f64, "bytes/row");
        let figure = format!("{what}: verified, installed, on the disk");
        report.add(figure, a_second(installed), "rows/s", Aim::Nothing);
        let figure = format!("{what}: bare inserts of the same rows");
        report.add(figure, a_second(bare), "rows/s", Aim::Nothing);
        let figure = format!("{what}: installed against bare, time");
        report.add(figure, ratio(installed, bare), "times", Aim::Nothing);
    }
    Ok(last)
}

/// Installs a package; from opening the file to a database that was probed and answers.
fn installing(post: &mut Post, file: &Path, expected: Dataset) -> anyhow::Result<Duration> {
    let (time, dataset) = timed(|| post.install(file));
    ensure!(dataset? == expected, "another dataset was installed");
    Ok(time)
}

/// Puts rows into a new encrypted database in one transaction, and waits for the disk.
fn bare_insert(
    path: &Path,
    kind: Kind,
    insert: impl FnOnce(&Connection) -> anyhow::Result<()>,
) -> anyhow::Result<Duration> {
    let (time, done) = timed(|| -> anyhow::Result<()> {
        let connection = store::open(path, &SecretKey::new(&[1; 32]), kind, Access::Create)?;
        connection.execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
             PRAGMA cache_size = -32768; BEGIN;",
        )?;
        insert(&connection)?;
        connection.execute_batch("COMMIT")?;
        drop(connection);
        Ok(File::open(path)?.sync_all()?)
    });
    done?;
    std::fs::remove_file(path)?;
    Ok(time)
}

fn insert_register(connection: &Connection, nation: &Nation) -> anyhow::Result<()> {
    let mut statement = connection.prepare("INSERT INTO register VALUES (?, ?)")?;
    for row in &nation.register {
        statement.execute(params![row.number.cast_signed(), row.tags])?;
    }
    Ok(())
}

/// The notices as rows of the three tables, made beforehand: a bare insert encodes and folds nothing.
struct PreparedNotices {
    bodies: Vec<(i64, Vec<u8>)>,
    numbers: Vec<(String, i64)>,
    names: Vec<(String, u32, i64)>,
}

impl PreparedNotices {
    fn of(nation: &Nation) -> anyhow::Result<PreparedNotices> {
        let mut prepared =
            PreparedNotices { bodies: Vec::new(), numbers: Vec::new(), names: Vec::new() };
        for notice in &nation.notices {
            let id = notice.id.cast_signed();
            prepared.bodies.push((id, encode_notices(std::slice::from_ref(notice))?));
            let numbers = notice.numbers.iter().map(|number| (number.text.clone(), id));
            prepared.numbers.extend(numbers);
            let birth = u32::from(notice.birth.year()) * 10_000
                + u32::from(notice.birth.month()) * 100
                + u32::from(notice.birth.day());
            let names = std::iter::once(&notice.name).chain(&notice.aliases);
            let names = names.map(|name| fold(name)).filter(|name| !name.is_empty());
            prepared.names.extend(names.map(|name| (name, birth, id)));
        }
        Ok(prepared)
    }

    fn insert(&self, connection: &Connection) -> anyhow::Result<()> {
        let mut body = connection.prepare("INSERT INTO notice VALUES (?, ?)")?;
        for (id, bytes) in &self.bodies {
            body.execute(params![id, bytes])?;
        }
        let mut number = connection.prepare("INSERT OR IGNORE INTO notice_number VALUES (?, ?)")?;
        for (text, id) in &self.numbers {
            number.execute(params![text, id])?;
        }
        let mut name = connection.prepare("INSERT OR IGNORE INTO notice_name VALUES (?, ?, ?)")?;
        for (text, birth, id) in &self.names {
            name.execute(params![text, birth, id])?;
        }
        Ok(())
    }
}

/// What is timed of the checks of many people.
#[derive(Default)]
struct Checks {
    whole: Samples,
    parse: Samples,
    judge: Samples,
    bare: Samples,
    listed: usize,
}

/// Judges the cards of random people; a bare look-up of the same number stands beside each.
fn payload_to_verdict(nation: &Nation, post: &mut Post, report: &mut Report) -> anyhow::Result<()> {
    let cards = nation.payloads(WARM_UP + JUDGED);
    let (warm_up, judged) = cards.split_at(WARM_UP.min(cards.len() / 2));
    let active = post.session.state().active(Dataset::Register)?.context("no register")?;
    let path = post.session.store_folder().join(&active.file);
    let bare = store::open(&path, &active.key, Kind::Register, Access::Read)?;
    let mut look_up = bare.prepare("SELECT tags FROM register WHERE number = ?")?;
    let mut look_up = |number: i64| -> rusqlite::Result<u32> {
        look_up.query_row(params![number], |row| row.get(0))
    };

    let mut check_all = |payloads: &[Vec<u8>]| -> anyhow::Result<Checks> {
        let mut checks = Checks::default();
        for (at, payload) in payloads.iter().enumerate() {
            let number: i64 = std::str::from_utf8(payload)?.get(..12).context("number")?.parse()?;
            // The one that comes second finds the processor's caches warmer: they take turns.
            if at % 2 == 0 {
                checks.bare.push(looked_up(&mut look_up, number)?);
            }
            checks.check(post, payload)?;
            if at % 2 == 1 {
                checks.bare.push(looked_up(&mut look_up, number)?);
            }
        }
        Ok(checks)
    };
    check_all(warm_up)?;
    let (checks, lost) = undisturbed(|| check_all(judged))?;

    report.section("payload to verdict, warm", lost);
    report.count("people of the register whose cards were judged", judged.len() as f64, "people");
    report.count("of them on a notice", checks.listed as f64, "people");
    let shares = [0.50, 0.99];
    report.add_micros("payload to verdict", &checks.whole, &shares, VERDICT_AIM);
    report.add_micros("payload to verdict", &checks.whole, &[0.999], Aim::Nothing);
    report.add_micros("of it parsing", &checks.parse, &shares, Aim::Nothing);
    report.add_micros("of it judging, with both look-ups", &checks.judge, &shares, Aim::Nothing);
    report.add_micros("one bare SQLCipher look-up", &checks.bare, &shares, Aim::Nothing);
    for share in shares {
        let times = ratio(checks.whole.percentile(share), checks.bare.percentile(share));
        report.add(
            format!("verdict against bare, p{}", share * 100.0),
            times,
            "times",
            Aim::Nothing,
        );
    }
    Ok(())
}

fn looked_up(
    look_up: &mut impl FnMut(i64) -> rusqlite::Result<u32>,
    number: i64,
) -> anyhow::Result<Duration> {
    let (time, tags) = timed(|| look_up(number));
    tags.context("a person of the register is not in it")?;
    Ok(time)
}

impl Checks {
    fn check(&mut self, post: &mut Post, payload: &[u8]) -> anyhow::Result<()> {
        post.next_person();
        let began = Instant::now();
        let document = qr::parse(payload)?;
        let parsed = began.elapsed();
        let answer = post.session.judge(&document)?;
        let whole = began.elapsed();

        was_asked(&answer)?;
        self.whole.push(whole);
        self.parse.push(parsed);
        self.judge.push(whole - parsed);
        self.listed += usize::from(answer.findings.iter().any(|finding| finding.basis.is_some()));
        Ok(())
    }
}

/// A check that skipped a look-up would be fast and prove nothing.
fn was_asked(answer: &Answer) -> anyhow::Result<()> {
    let register = matches!(
        answer.register,
        RegisterLine::Agrees | RegisterLine::Differs | RegisterLine::NumberOnly
    );
    ensure!(register, "the register gave no row: {}", answer.register.code());
    ensure!(answer.verdict != Verdict::NotChecked, "the notices were not asked");
    Ok(())
}

/// Checks people and keeps the records; a raw append of as many bytes stands beside each.
fn verdict_to_record(
    nation: &Nation,
    post: &mut Post,
    folder: &Path,
    report: &mut Report,
) -> anyhow::Result<()> {
    let cards = nation.payloads(RECORDED);
    let mut log = File::create(folder.join("append"))?;
    let ((recorded, appended), lost) = undisturbed(|| {
        let (mut recorded, mut appended) = (Samples::default(), Samples::default());
        for payload in &cards {
            post.next_person();
            let began = Instant::now();
            let document = qr::parse(payload)?;
            let answer = post.session.judge(&document)?;
            post.session.record_check(&document, &answer, CheckReason::DocumentCheck)?;
            recorded.push(began.elapsed());
            was_asked(&answer)?;

            let (time, done) = timed(|| {
                log.write_all(&[0; RECORD_BYTES])?;
                log.sync_data()
            });
            done?;
            appended.push(time);
        }
        Ok((recorded, appended))
    })?;

    report.section("payload to record on the disk", lost);
    let shares = [0.50, 0.99];
    report.count("checks recorded", cards.len() as f64, "checks");
    report.add_micros("payload to verdict to record", &recorded, &shares, Aim::Nothing);
    report.add_micros("one raw append, flushed", &appended, &shares, Aim::Nothing);
    Ok(())
}

/// A picture, and what its code holds.
struct Shot {
    frame: Frame,
    payload: Vec<u8>,
}

/// Reads drawn cards and photographed ones.
fn frame_to_payload(nation: &Nation, report: &mut Report) -> anyhow::Result<()> {
    let sets = [
        ("frame to payload: drawn cards", drawn_cards(nation)),
        ("frame to payload: tests/data/pictures", photographed_cards(Path::new(PICTURES))?),
    ];
    for (title, shots) in &sets {
        let (readings, lost) = undisturbed(|| Ok(Readings::of(shots)))?;
        readings.report(title, shots.len(), lost, report);
    }
    Ok(())
}

/// The first cards of the world, 1280 x 720, as its demonstration shows them.
fn drawn_cards(nation: &Nation) -> Vec<Shot> {
    let cards = nation.world().cards();
    cards
        .into_iter()
        .filter(|card| matches!(card.surface, Surface::CardFront))
        .take(DRAWN)
        .map(|card| {
            let picture = draw::draw_card(&card, None).expect("a front needs no font");
            let (width, height) = picture.dimensions();
            let frame = Frame { width, height, luma: picture.into_raw(), number: 1, label: None };
            Shot { frame, payload: card.payload }
        })
        .collect()
}

/// The pictures of a folder, whose `truth.tsv` says in its third column what their codes hold.
fn photographed_cards(folder: &Path) -> anyhow::Result<Vec<Shot>> {
    let truth = std::fs::read_to_string(folder.join("truth.tsv"))?;
    let mut lines: Vec<&str> = truth.lines().skip(1).collect();
    lines.sort_unstable();
    let cells: Vec<Vec<&str>> = lines.iter().map(|line| line.split('\t').collect()).collect();
    let files: Vec<PathBuf> = cells.iter().map(|cells| folder.join(cells[0])).collect();
    let mut source = PictureSource::open(&files)?;
    let mut shots = Vec::new();
    for cells in cells {
        let payload = cells.get(2).context("a line of three cells")?.as_bytes().to_vec();
        shots.push(Shot { frame: source.next_frame()?, payload });
        source.advance();
    }
    Ok(shots)
}

/// What is timed of reading pictures.
#[derive(Default)]
struct Readings {
    ours: Samples,
    peer: Samples,
    read: usize,
    read_by_peer: usize,
}

impl Readings {
    fn of(shots: &[Shot]) -> Readings {
        let mut readings = Readings::default();
        for _ in 0..READINGS {
            (readings.read, readings.read_by_peer) = (0, 0);
            for Shot { frame, payload } in shots {
                let (time, found) = timed(|| payloads(frame));
                readings.ours.push(time);
                readings.read += usize::from(found.iter().any(|found| found.bytes == *payload));

                let luma = frame.luma.clone();
                let (width, height) = (frame.width, frame.height);
                let (time, found) =
                    timed(|| detect_in_luma(luma, width, height, Some(BarcodeFormat::QR_CODE)));
                readings.peer.push(time);
                // It gives text of a character set that it guesses, so only that it read counts.
                readings.read_by_peer += usize::from(found.is_ok());
            }
        }
        readings
    }

    fn report(&self, title: &'static str, shots: usize, lost: Lost, report: &mut Report) {
        report.section(title, lost);
        let shares = [0.50, 0.95];
        report.count("pictures, 1280 x 720", shots as f64, "pictures");
        report.count("read rightly", self.read as f64, "pictures");
        report.add_micros("frame to payload", &self.ours, &shares, Aim::Nothing);
        report.count("read by rxing's own reader", self.read_by_peer as f64, "pictures");
        report.add_micros("rxing's own reader", &self.peer, &shares, Aim::Nothing);
    }
}
