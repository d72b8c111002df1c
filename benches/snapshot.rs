//! `./dev bench snapshot`: what a nation's register costs to build, carry, install, ask and renew.
//!
//! Ten million invented people in the thirty-four provinces of today go the whole way in one run, from
//! headquarters' CSV to a device that answers and gets the changes of a day; beside each step stands the
//! least that does the same without this program. Processor time is of all threads together. Only the
//! people and the clock are invented: disk and processor are this machine's.
//!
//! The environment variable `FIELDCHECK_BENCH_ROWS` makes the nation smaller, to try the bench.

#[path = "snapshot/entropy.rs"]
mod entropy;
#[path = "common/harness.rs"]
mod harness;
#[path = "snapshot/nation.rs"]
mod nation;
#[path = "snapshot/peers.rs"]
mod peers;
#[path = "snapshot/post.rs"]
mod post;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use fieldcheck::snapshot::build::BaseOf;
use rustix::fs::{Advice, fadvise};
use sync_format::v1::register::{RegisterRow, TagKey};

use harness::{
    Aim, Report, Samples, TRIES, bytes_written, processor_timed, ratio, timed, undisturbed,
    undisturbed_median, watched_processor,
};
use nation::{Day, Nation, Written, numbers_of};
use peers::Names;
use post::{Headquarters, Post};

/// Where the figures go, from the root of the repository, which is where cargo runs a bench.
const FOLDER: &str = "target/bench";

/// People of the nation.
const ROWS: usize = 10_000_000;

/// Look-ups that are timed, and those before them that make everything warm.
const WARM: usize = 100_000;
const WARM_UP: usize = 50_000;

/// Look-ups each of which finds the files dropped from the page cache.
const COLD: usize = 400;

/// Which numbers are drawn for them.
const WARM_SEED: u64 = 3;
const COLD_SEED: u64 = 4;

/// Changes are a day's: how large, and how much is written for them.
const DELTA_AIM: Aim = Aim::AtMost(600.0);
const WRITTEN_AIM: Aim = Aim::AtLeast(50.0);
const PACKAGE_AIM: Aim = Aim::AtMost(1.08);
const BUILD_AIM: Aim = Aim::AtMost(3.0);
const INSTALL_AIM: Aim = Aim::AtMost(1.3);
const MEMORY_AIM: Aim = Aim::AtMost(96.0);
const WARM_AIMS: [Aim; 2] = [Aim::AtMost(1.5), Aim::AtMost(2.0)];
const COLD_AIM: Aim = Aim::AtMost(2.0);

fn main() -> anyhow::Result<()> {
    if let Some(errand) = post::errand() {
        return errand;
    }
    let rows = match std::env::var("FIELDCHECK_BENCH_ROWS") {
        Ok(text) => text.parse().context("FIELDCHECK_BENCH_ROWS is no number")?,
        Err(_) => ROWS,
    };
    std::fs::create_dir_all(FOLDER)?;
    let folder = tempfile::Builder::new().prefix("snapshot-").tempdir_in(FOLDER)?;
    let files = Files::in_folder(folder.path());
    let headquarters = Headquarters::new()?;
    let mut report = Report::new("snapshot");

    let written = Nation::invent(rows).write_csv(&files.csv)?;
    report.untimed_section("a nation");
    report.count("rows", written.rows as f64, "rows");
    report.count("regions", written.regions.len() as f64, "regions");
    report.count("as CSV", written.bytes as f64 / written.rows as f64, "bytes/row");

    let built = csv_to_package(&headquarters, &written, &files, &mut report)?;
    std::fs::remove_file(&files.csv)?;
    package_to_entropy(&written, &files, &mut report)?;
    let mut post = package_to_store(&headquarters, &built.register, &files, &mut report)?;
    memory_of_installing(&headquarters, &files, &mut report)?;

    let day = Day::draw(&built.register, &built.tag_key()?)?;
    let applied = apply_changes(&headquarters, &built, &day, &mut post, &files)?;
    look_up(&post, &built.register, &files, &mut report)?;
    changes_in_place(&day, applied, &files, &mut report)?;
    verify_again(&mut post, &written, &mut report)?;
    report.finish(Path::new(FOLDER))
}

/// What lies on the disk during the run.
struct Files {
    folder: PathBuf,
    csv: PathBuf,
    package: PathBuf,
    changes: PathBuf,
    bare: PathBuf,
}

impl Files {
    fn in_folder(folder: &Path) -> Files {
        let file = |name: &str| folder.join(name);
        Files {
            folder: folder.to_owned(),
            csv: file("register.csv"),
            package: file("register.fcsnap"),
            changes: file("changes.fcsnap"),
            bare: file("bare.db"),
        }
    }
}

/// What headquarters holds of the list that it has built.
struct Built {
    register: Vec<RegisterRow>,
    base: BaseOf,
}

impl Built {
    fn tag_key(&self) -> anyhow::Result<TagKey> {
        self.base.inner.tag_key.map(TagKey::new).context("a register has a tag key")
    }
}

/// Builds the package of the CSV; before and after it the same file is read and parsed, and nothing
/// more.
fn csv_to_package(
    headquarters: &Headquarters,
    written: &Written,
    files: &Files,
    report: &mut Report,
) -> anyhow::Result<Built> {
    let (csv, package) = (&files.csv, &files.package);
    let parse = |names| -> anyhow::Result<Duration> {
        let (time, rows) = processor_timed(|| peers::parse_csv(csv, names));
        ensure!(rows? == written.rows, "the CSV has other rows than were written");
        Ok(time)
    };
    let ((folded, stood, time, (rows, base)), lost) = watched_processor(|| {
        let before = (parse(Names::Folded)?, parse(Names::AsTheyStand)?);
        let (time, built) = processor_timed(|| headquarters.build(csv, &written.regions, package));
        let after = (parse(Names::Folded)?, parse(Names::AsTheyStand)?);
        Ok(((before.0 + after.0) / 2, (before.1 + after.1) / 2, time, built?))
    })?;
    let register: Vec<RegisterRow> = rows.under(0).collect();
    ensure!(register.len() as u64 == written.rows, "rows were lost");

    report.section("CSV to package, processor time", lost);
    let mut add = |what: &str, time: Duration| {
        let a_second = written.rows as f64 / time.as_secs_f64();
        report.add(what, a_second, "rows/s", Aim::Nothing);
    };
    add("read, checked, sealed, built, written", time);
    add("the CSV read and parsed, names folded", folded);
    add("the CSV read and parsed, names as they stand", stood);
    report.add("built against parsed, names folded", ratio(time, folded), "times", BUILD_AIM);
    report.add(
        "built against parsed, names as they stand",
        ratio(time, stood),
        "times",
        Aim::Nothing,
    );
    Ok(Built { register, base })
}

/// Compares the package with what its rows tell.
fn package_to_entropy(written: &Written, files: &Files, report: &mut Report) -> anyhow::Result<()> {
    let a_row = |bytes: f64| bytes / written.rows as f64;
    let package = a_row(files.package.metadata()?.len() as f64);
    let (numbers, tags) = written.entropy.bits();
    let entropy = a_row((numbers + tags) / 8.0);
    report.untimed_section("package, against the information in its rows");
    report.count("package, whole", package, "bytes/row");
    report.count("entropy of the numbers", a_row(numbers), "bits/row");
    report.count("entropy of the tags", a_row(tags), "bits/row");
    report.count("entropy of the rows", entropy, "bytes/row");
    report.count_with_aim("package against entropy", package / entropy, "times", PACKAGE_AIM);
    Ok(())
}

/// Installs the package on a new device; before and after it the same rows go into a bare database.
fn package_to_store(
    headquarters: &Headquarters,
    register: &[RegisterRow],
    files: &Files,
    report: &mut Report,
) -> anyhow::Result<Post> {
    let insert = || -> anyhow::Result<(Duration, Duration)> {
        if files.bare.exists() {
            std::fs::remove_file(&files.bare)?;
        }
        let (processor, (wall, done)) =
            processor_timed(|| timed(|| peers::insert(&files.bare, register)));
        done?;
        Ok((processor, wall))
    };
    let mut post = headquarters.enrol(&files.folder.join("device"))?;
    let ((bare, installed), lost) = watched_processor(|| {
        let before = insert()?;
        let (processor, (wall, done)) = processor_timed(|| timed(|| post.install(&files.package)));
        done?;
        let after = insert()?;
        Ok((((before.0 + after.0) / 2, (before.1 + after.1) / 2), (processor, wall)))
    })?;

    report.section("package to searchable store", lost);
    let rows = register.len() as f64;
    let mut add = |what: &str, time: Duration| {
        report.add(what, rows / time.as_secs_f64(), "rows/s", Aim::Nothing);
    };
    add("verified, installed, on the disk, probed: processor time", installed.0);
    add("bare inserts of the same rows: processor time", bare.0);
    add("verified, installed, on the disk, probed: time", installed.1);
    add("bare inserts of the same rows: time", bare.1);
    let times = ratio(installed.0, bare.0);
    report.add("installed against bare, processor time", times, "times", INSTALL_AIM);
    let (store, _) = post.register_files()?;
    report.count("store", store.metadata()?.len() as f64 / rows, "bytes/row");
    Ok(post)
}

/// Installs the package in a process of its own, beside one that only opens the store.
fn memory_of_installing(
    headquarters: &Headquarters,
    files: &Files,
    report: &mut Report,
) -> anyhow::Result<()> {
    let folder = files.folder.join("device-of-errands");
    drop(headquarters.enrol(&folder)?);
    let opened = post::errand_for(&folder, None)?;
    let installed = post::errand_for(&folder, Some(&files.package))?;
    std::fs::remove_dir_all(&folder)?;
    let mib = |kib: u64| kib as f64 / 1024.0;
    report.untimed_section("memory, each in a process of its own");
    report.count("peak of opening the store", mib(opened), "MiB");
    report.count("peak of installing", mib(installed), "MiB");
    let above = mib(installed) - mib(opened);
    report.count_with_aim("installing above opening", above, "MiB", MEMORY_AIM);
    Ok(())
}

/// Asks the installed register, with the changes laid over it, and the bare one, in turn.
fn look_up(
    post: &Post,
    register: &[RegisterRow],
    files: &Files,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (base, overlay) = post.register_files()?;
    let installed = post.open_register()?;
    let bare = peers::LookUp::open(&files.bare)?;
    let mut statement = bare.statement()?;
    let mut ask = |numbers: &[u64], before_each: &mut dyn FnMut() -> anyhow::Result<()>| {
        let (mut ours, mut peers_) = (Samples::default(), Samples::default());
        for (at, number) in numbers.iter().enumerate() {
            before_each()?;
            // The one that comes second finds the processor's caches warmer: they take turns.
            for turn in [at % 2, 1 - at % 2] {
                if turn == 0 {
                    let (time, found) = timed(|| installed.find(*number));
                    found?;
                    ours.push(time);
                } else {
                    let (time, found) = timed(|| peers::find(&mut statement, *number));
                    ensure!(found?.is_some(), "a row of the register is not in the bare database");
                    peers_.push(time);
                }
            }
        }
        anyhow::Ok((ours, peers_))
    };

    let numbers = numbers_of(register, WARM_UP + WARM, WARM_SEED)?;
    let (warm_up, asked) = numbers.split_at(WARM_UP);
    ask(warm_up, &mut || Ok(()))?;
    let ((ours, theirs), lost) = undisturbed(|| ask(asked, &mut || Ok(())))?;
    report.section("look-up by number, changes laid over, warm", lost);
    let shares = [0.50, 0.99];
    report.add_micros("installed register", &ours, &shares, Aim::Nothing);
    report.add_micros("one bare SQLCipher look-up", &theirs, &shares, Aim::Nothing);
    for (share, aim) in shares.into_iter().zip(WARM_AIMS) {
        let times = ratio(ours.percentile(share), theirs.percentile(share));
        report.add(format!("installed against bare, p{}", share * 100.0), times, "times", aim);
    }

    let paths = overlay.iter().chain([&base, &files.bare]);
    let on_disk = paths.map(File::open).collect::<Result<Vec<File>, _>>()?;
    let mut drop_from_cache =
        || on_disk.iter().try_for_each(|file| Ok(fadvise(file, 0, None, Advice::DontNeed)?));
    // Nobody is asked for twice: the second time the page would be in SQLite's own cache.
    let mut tries = numbers_of(register, COLD * TRIES, COLD_SEED)?.into_iter();
    let ((ours, theirs), lost) = undisturbed_median(|| {
        let asked: Vec<u64> = tries.by_ref().take(COLD).collect();
        ask(&asked, &mut drop_from_cache)
    })?;
    report.section("the same, files dropped from the page cache", lost);
    report.add_micros("installed register", &ours, &[0.50], Aim::Nothing);
    report.add_micros("one bare SQLCipher look-up", &theirs, &[0.50], Aim::Nothing);
    let times = ratio(ours.median(), theirs.median());
    report.add("installed against bare, p50", times, "times", COLD_AIM);
    Ok(())
}

/// What the changes of a day took on the device.
struct Applied {
    package_bytes: u64,
    bytes_written: u64,
    processor: Duration,
}

/// Builds the package of the changes and installs it over the full list.
fn apply_changes(
    headquarters: &Headquarters,
    built: &Built,
    day: &Day,
    post: &mut Post,
    files: &Files,
) -> anyhow::Result<Applied> {
    headquarters.build_changes(&built.base, day, &files.changes)?;
    let before = bytes_written()?;
    let (processor, done) = processor_timed(|| post.install(&files.changes));
    done?;
    Ok(Applied {
        package_bytes: files.changes.metadata()?.len(),
        bytes_written: bytes_written()? - before,
        processor,
    })
}

/// Makes the same changes in the bare database.
fn changes_in_place(
    day: &Day,
    applied: Applied,
    files: &Files,
    report: &mut Report,
) -> anyhow::Result<()> {
    let before = bytes_written()?;
    let ((processor, done), lost) =
        watched_processor(|| Ok(processor_timed(|| peers::change_in_place(&files.bare, day))))?;
    done?;
    let in_place = bytes_written()? - before;

    report.section("changes of a day", lost);
    report.count("rows that are changed", day.changed as f64, "rows");
    report.count("rows that are new", day.new as f64, "rows");
    report.count("rows that are gone", day.gone as f64, "rows");
    let kilobytes = |bytes: u64| bytes as f64 / 1e3;
    let package = kilobytes(applied.package_bytes);
    report.count_with_aim("package", package, "kB", DELTA_AIM);
    report.count("package", applied.package_bytes as f64 / day.rows().len() as f64, "bytes/row");
    report.count("written for it, installed", kilobytes(applied.bytes_written), "kB");
    report.count("written for it, in place", kilobytes(in_place), "kB");
    let times = in_place as f64 / applied.bytes_written as f64;
    report.count_with_aim("in place against installed, written", times, "times", WRITTEN_AIM);
    report.add("installed: processor time", applied.processor.as_secs_f64(), "s", Aim::Nothing);
    report.add("in place: processor time", processor.as_secs_f64(), "s", Aim::Nothing);
    Ok(())
}

/// Verifies the installed list against what was signed, as can be done at any time.
fn verify_again(post: &mut Post, written: &Written, report: &mut Report) -> anyhow::Result<()> {
    let ((time, rows), lost) = watched_processor(|| Ok(processor_timed(|| post.verify_again())))?;
    ensure!(rows? == written.rows, "the installed list has other rows");
    report.section("installed list verified again", lost);
    let a_second = written.rows as f64 / time.as_secs_f64();
    report.add("processor time", a_second, "rows/s", Aim::Nothing);
    Ok(())
}
