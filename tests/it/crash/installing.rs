//! The program whose power fails: it unlocks a device and installs a package, and tells a witness
//! what it has promised; and what must hold of the device that is found afterwards.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use fieldcheck::clock::{DeviceTime, FixedClock};
use fieldcheck::device::{self, Device, DeviceError, Session};
use fieldcheck::document::{Document, qr};
use fieldcheck::keys::{ArgonCost, SimulatedDeviceKey};
use fieldcheck::queue::Opened;
use fieldcheck::snapshot::Refusal;
use fieldcheck::store::install::{InstallError, Proceed};
use fieldcheck::verdict::Answer;
use sync_format::v1::notice::Notice;
use sync_format::v1::package::{Dataset, SnapshotVersion};
use sync_format::v1::record::Record;

use super::disk::Image;
use super::lists::{PEOPLE, number};
use super::trace::{self, Trace};
use crate::support::{self, NOW, all_files, copy_folder};

/// Names the folder to the process that installs.
const FOLDER: &str = "FIELDCHECK_TEST_CRASH_FOLDER";

/// More files than the test harness opens, and more lines than it writes, in its own thread.
const HARNESS_CALLS: usize = 100;

/// A folder in memory, if there is one: a power cut is played thousands of times.
pub fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

/// What a device is given.
#[derive(Clone)]
pub enum Step {
    /// A package.
    Install(Vec<u8>),
    /// An emergency withdrawal.
    Withdraw(Vec<u8>),
}

impl Step {
    /// Writes it to a folder, under a name that says what it is.
    fn write(&self, folder: &Path) -> PathBuf {
        let (name, bytes) = match self {
            Step::Install(bytes) => (PACKAGE, bytes),
            Step::Withdraw(bytes) => (WITHDRAWAL, bytes),
        };
        let path = folder.join(name);
        std::fs::write(&path, bytes).expect("written");
        path
    }
}

const PACKAGE: &str = "package.fcsnap";
const BEFORE: &str = "before";
const WITHDRAWAL: &str = "withdrawal";

/// Where one installation happens: the device, the package, and what was promised.
pub struct Place {
    folder: PathBuf,
}

impl Place {
    pub fn new(folder: &Path) -> Place {
        Place { folder: folder.to_owned() }
    }
    /// Where a device stands before it is installed on; the folder is there afterwards.
    fn before(folder: &Path) -> Place {
        let place = Place::new(&folder.join(BEFORE));
        std::fs::create_dir_all(place.device()).expect("a folder");
        place
    }
    pub fn device(&self) -> PathBuf {
        self.folder.join("device")
    }
    /// What the device is given.
    pub fn step(&self) -> PathBuf {
        let paths = [PACKAGE, WITHDRAWAL].map(|name| self.folder.join(name));
        paths.into_iter().find(|path| path.exists()).expect("a package or a withdrawal")
    }
    pub fn witness(&self) -> PathBuf {
        self.folder.join("witness")
    }
    pub fn log(&self) -> PathBuf {
        self.folder.join("strace.log")
    }

    /// The same device and package in another folder, and a witness that knows nothing yet.
    pub fn copied_to(&self, folder: &Path) -> Place {
        let place = Place::new(folder);
        if folder.exists() {
            std::fs::remove_dir_all(folder).expect("an empty place");
        }
        std::fs::create_dir_all(place.device()).expect("a folder");
        copy_folder(&self.device(), &place.device());
        let step = self.step();
        std::fs::copy(&step, folder.join(step.file_name().expect("a name"))).expect("copied");
        std::fs::write(place.witness(), "").expect("written");
        place
    }

    /// The program that installs the package on the device, to be started.
    pub fn program(&self) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        // With one thread the test runs in the thread that the process begins with.
        command.args(["--exact", "crash::installs_in_a_process_of_its_own"]);
        command.args(["--nocapture", "--test-threads=1"]).env(FOLDER, &self.folder);
        command
    }

    /// Starts that program; what it says goes nowhere.
    pub fn start(&self) -> Child {
        let mut program = self.program();
        program.stdout(Stdio::null()).stderr(Stdio::null());
        program.spawn().expect("started")
    }

    /// What the program has promised so far.
    pub fn promises(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.witness()).expect("a witness");
        // A line that is not whole was not told yet.
        text.split_inclusive('\n')
            .filter_map(|it| it.strip_suffix('\n'))
            .map(str::to_owned)
            .collect()
    }
}

/// What the installing process says at its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ended {
    Installed,
    Refused(String),
    /// Killed, or worse.
    Died(String),
}

impl Ended {
    pub fn of(output: &Output) -> Ended {
        let told = String::from_utf8_lossy(&output.stdout);
        let told = told.lines().find_map(|line| line.strip_prefix("ended: ")).map(str::to_owned);
        match told {
            Some(told) if output.status.success() && told == "installed" => Ended::Installed,
            Some(told) if output.status.success() => Ended::Refused(told),
            _ => Ended::Died(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

/// What the process of [`Place::program`] does; nothing in a process that was not started so.
pub fn install_in_this_process() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let place = Place::new(Path::new(&folder));
    // `strace` counts calls thread by thread: from here on, no call of the test harness has the
    // number of one of ours, which may be made to fail.
    for _ in 0..HARNESS_CALLS {
        let mut nowhere = std::fs::File::create("/dev/null").expect("open");
        nowhere.write_all(b"\n").expect("written");
    }
    let mut witness = std::fs::File::options().append(true).open(place.witness()).expect("open");
    let mut promise = |what: &str, session: &Session| {
        let records = session.queue().count().expect("a count");
        // One write, so that a promise is made as a whole or not at all.
        witness.write_all(format!("{what} {records}\n").as_bytes()).expect("told");
    };
    let mut run = || -> Result<(), DeviceError> {
        let (mut device, mut session) = unlock(&place.device())?;
        promise("unlocked", &session);
        perform(&mut device, &mut session, &place.step())?;
        promise("installed", &session);
        session.log_lock()?;
        promise("locked", &session);
        Ok(())
    };
    match run() {
        Ok(()) => println!("\nended: installed"),
        Err(error) => {
            let mut told = error.to_string();
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                told.push_str(&format!(": {error}"));
                cause = error.source();
            }
            println!("\nended: {told}");
        }
    }
}

/// Gives the device what lies at `path`.
fn perform(device: &mut Device, session: &mut Session, path: &Path) -> Result<(), DeviceError> {
    if path.ends_with(WITHDRAWAL) {
        let signed = std::fs::read(path).expect("a withdrawal");
        return session.withdraw(&signed).map(drop);
    }
    device.install(session, path, |_| Proceed::Continue).map(drop)
}

fn clock() -> FixedClock {
    FixedClock::at(NOW)
}

fn open(folder: &Path) -> Result<Device, DeviceError> {
    let key = Arc::new(SimulatedDeviceKey::numbered(1));
    Device::open_for_tests(folder, key, Arc::new(clock()))
}

pub fn unlock(folder: &Path) -> Result<(Device, Session), DeviceError> {
    let mut device = open(folder)?;
    let session = device.unlock(&support::pin())?;
    Ok((device, session))
}

fn card(person: u64) -> Document {
    let number = number(person);
    let card = format!(
        "{number:012}|201999901|Nguyễn Văn Mẫu|02031988|Nam|\
         Số 5 Đường Mẫu, Phường Thử, Đà Nẵng|10052022"
    );
    qr::parse(card.as_bytes()).expect("a card")
}

/// Everything that a device answers, every row of its lists asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answers {
    notices: Option<SnapshotVersion>,
    register: Option<SnapshotVersion>,
    bodies: Vec<Option<Notice>>,
    answers: Vec<Answer>,
}

impl Answers {
    fn of(session: &mut Session) -> Result<Answers, String> {
        let told = |error: &dyn std::fmt::Debug| format!("no answer: {error:?}");
        let notices = session.lookup().notices();
        let bodies = (0..PEOPLE)
            .map(|person| notices.map_or(Ok(None), |notices| notices.get(person + 1)))
            .collect::<Result<_, _>>()
            .map_err(|error| told(&error))?;
        let mut answers = Answers {
            notices: notices.map(|notices| notices.manifest.version),
            register: session.lookup().register().map(|(manifest, _)| manifest.version),
            bodies,
            answers: Vec::new(),
        };
        for person in 0..PEOPLE {
            answers.answers.push(session.judge(&card(person)).map_err(|error| told(&error))?);
        }
        let damaged = [session.lookup().faults().to_vec(), session.lookup().lost_changes()];
        match damaged.concat().as_slice() {
            [] => Ok(answers),
            damaged => Err(format!("damaged: {damaged:?}")),
        }
    }
}

/// An installation, and the device before and after it.
pub struct Scenario {
    pub name: &'static str,
    folder: tempfile::TempDir,
    pub old: Whole,
    pub new: Whole,
    /// A package that is older than what was installed last.
    older: Option<Step>,
    /// What the installation did.
    pub trace: Trace,
}

/// Which run of the installation a device comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Run {
    /// The one that was recorded: its records are known to the last byte.
    Recorded,
    /// Another one.
    Another,
}

/// A device on which nothing is amiss.
pub struct Whole {
    pub answers: Answers,
    root_hash: [u8; 32],
    loads: usize,
    pub is_unfinished: bool,
    floor: [Option<SnapshotVersion>; 2],
    time_floor: DeviceTime,
    records: Vec<Record>,
    files: Vec<String>,
}

impl Whole {
    fn of(folder: &Path) -> Result<Whole, String> {
        let (_, mut session) =
            unlock(folder).map_err(|error| format!("not unlocked: {error:?}"))?;
        if *session.queue_opened() != Opened::Whole {
            return Err(format!("the queue was {:?}", session.queue_opened()));
        }
        let told = |error: &dyn std::fmt::Debug| format!("unreadable: {error:?}");
        let floor = |dataset| session.state().floor(dataset).map_err(|error| told(&error));
        Ok(Whole {
            floor: [floor(Dataset::Notices)?, floor(Dataset::Register)?],
            time_floor: session.time().map_err(|error| told(&error))?.lower,
            records: session.queue().records().map_err(|error| told(&error))?,
            root_hash: session.trust().map_err(|error| told(&error))?.root_hash,
            loads: session
                .loads(1_000)
                .map_err(|error| told(&error))?
                .iter()
                .filter(|load| load.outcome == "installed")
                .count(),
            is_unfinished: !session.unfinished().map_err(|error| told(&error))?.is_empty(),
            answers: Answers::of(&mut session)?,
            files: files(&session.store_folder()),
        })
    }
}

/// The files of the lists. An empty journal beside one is none: SQLite takes it for not there.
fn files(store: &Path) -> Vec<String> {
    let is_empty_journal = |file: &Path| {
        let is_empty = file.metadata().is_ok_and(|metadata| metadata.len() == 0);
        is_empty && file.to_string_lossy().ends_with("-journal")
    };
    let files = all_files(store).into_iter().filter(|file| !is_empty_journal(file));
    files.filter_map(|file| Some(file.file_name()?.to_string_lossy().into_owned())).collect()
}

impl Scenario {
    /// Prepares a device that was given `before`, and records what `step` does to it.
    pub fn record(name: &'static str, before: &[Step], step: &Step) -> Scenario {
        let folder = scratch();
        let place = Place::before(folder.path());
        let key = SimulatedDeviceKey::numbered(1);
        let (enrolment, cost) = (support::enrolment(), ArgonCost::smallest_for_tests());
        device::enrol(&place.device(), &key, &clock(), &enrolment, &support::pin(), cost)
            .expect("enrolled");
        for step in before {
            let path = step.write(folder.path());
            let (mut device, mut session) = unlock(&place.device()).expect("unlocked");
            perform(&mut device, &mut session, &path).expect("installed");
        }
        step.write(&folder.path().join(BEFORE));
        let older = before.iter().rfind(|step| matches!(step, Step::Install(_)));
        Scenario::record_on(name, folder, older.cloned())
    }

    /// Records how the same installation is begun again on what a cut has left of it.
    pub fn record_again(&self, name: &'static str, left: &Image) -> Scenario {
        let folder = scratch();
        let place = Place::before(folder.path());
        left.write(&place.device());
        let step = self.before().step();
        let name_of_step = step.file_name().expect("a name");
        std::fs::copy(&step, place.folder.join(name_of_step)).expect("copied");
        Scenario::record_on(name, folder, self.older.clone())
    }

    fn record_on(name: &'static str, folder: tempfile::TempDir, older: Option<Step>) -> Scenario {
        let place = Place::before(folder.path());
        let old = place.copied_to(&folder.path().join("old"));
        let old = Whole::of(&old.device()).expect("the device before");
        let run = place.copied_to(&folder.path().join("run"));
        let output = trace::strace(&run.log(), &["--seccomp-bpf"], &run.program());
        assert_eq!(Ended::of(&output), Ended::Installed, "{name}");
        let log = std::fs::read(run.log()).expect("a log");
        let trace = trace::read(&log, &place.device(), &run.device(), &run.witness());
        let new = Whole::of(&run.device()).expect("the device afterwards");
        assert_ne!(old.answers, new.answers, "{name}: nothing to tell apart");
        Scenario { name, folder, old, new, older, trace }
    }

    /// The device before the installation, and the package.
    pub fn before(&self) -> Place {
        Place::before(self.folder.path())
    }

    /// Starts the device in a folder again after a cut, and says what is amiss.
    ///
    /// `promised` is what the program had told its witness by then. With `mends` the installation
    /// is begun again, and must then come to its end.
    pub fn check(
        &self,
        place: &Place,
        run: Run,
        promised: &[String],
        mends: bool,
    ) -> Result<(), String> {
        let folder = place.device();
        let device = open(&folder).map_err(|error| format!("not opened: {error:?}"))?;
        let attempts = device.attempts().map_err(|error| format!("no attempts: {error:?}"))?;
        if attempts.left < 9 {
            return Err(format!("{attempts:?}"));
        }
        drop(device);
        let found = Whole::of(&folder)?;
        let is_new = if found.answers == self.new.answers {
            true
        } else if found.answers == self.old.answers {
            false
        } else {
            return Err(format!("neither the old nor the new answers: {:?}", found.answers));
        };
        let expected = if is_new { &self.new } else { &self.old };
        if found.floor != expected.floor || found.time_floor < expected.time_floor {
            return Err(format!("floors: {:?}, {:?}", found.floor, found.time_floor));
        }
        if (found.root_hash, found.loads) != (expected.root_hash, expected.loads) {
            return Err(format!("another root or history: {} loads", found.loads));
        }
        let told = |what: &str| promised.iter().any(|promise| promise.starts_with(what));
        if told("installed") && !is_new {
            return Err("installed, it was said, and the old list answers".to_owned());
        }
        self.check_records(&found.records, run, promised, attempts.failed)?;
        if mends { self.check_mending(place, is_new) } else { Ok(()) }
    }

    /// All records that were promised are there, followed by others of the same run if any, and by
    /// what this unlocking has logged.
    fn check_records(
        &self,
        found: &[Record],
        run: Run,
        promised: &[String],
        failed: u32,
    ) -> Result<(), String> {
        let own = 1 + usize::from(failed > 0);
        let kept = found.len().checked_sub(own).ok_or("the records are gone")?;
        // The unlocking that looked at the device before or afterwards has logged itself.
        let before = &self.old.records[..self.old.records.len() - 1];
        let promised = promised.iter().filter_map(|promise| promise.split_once(' '));
        let least = promised.filter_map(|(_, records)| records.parse().ok()).max();
        let least = least.unwrap_or(before.len());
        if kept < least {
            return Err(format!("{least} records were promised, {kept} are there"));
        }
        let is_known = match run {
            Run::Recorded => {
                self.new.records[..self.new.records.len() - 1].starts_with(&found[..kept])
            }
            Run::Another => found.starts_with(before) && kept < self.new.records.len(),
        };
        if is_known { Ok(()) } else { Err(format!("{kept} records, and others than were written")) }
    }

    fn check_mending(&self, place: &Place, is_new: bool) -> Result<(), String> {
        let (mut device, mut session) =
            unlock(&place.device()).map_err(|error| format!("not unlocked again: {error:?}"))?;
        session.verify_queue().map_err(|error| format!("the chain: {error:?}"))?;
        let again = perform(&mut device, &mut session, &self.before().step());
        let is_right = match &again {
            // To withdraw once more is no fault, and changes nothing.
            Ok(()) => !is_new || self.before().step().ends_with(WITHDRAWAL),
            Err(DeviceError::Install(InstallError::Refused(Refusal::NotNewer { .. }))) => is_new,
            Err(_) => false,
        };
        if !is_right {
            return Err(format!("installing again: {again:?}"));
        }
        if let Some(older) = &self.older {
            let older = older.write(&place.folder);
            let refused = perform(&mut device, &mut session, &older);
            if !matches!(refused, Err(DeviceError::Install(InstallError::Refused(_)))) {
                return Err(format!("an older list: {refused:?}"));
            }
        }
        drop((device, session));
        let mended = Whole::of(&place.device())?;
        if mended.answers != self.new.answers || mended.floor != self.new.floor {
            return Err("installed again, and it does not answer".to_owned());
        }
        if mended.is_unfinished {
            return Err("installed again, and there is an unfinished installation".to_owned());
        }
        // What the new one has replaced may stay where the cut took the removal back; nothing opens
        // it, and the next installation sweeps it away.
        let is_known = |file: &String| {
            self.new.files.contains(file) || is_new && self.old.files.contains(file)
        };
        if !mended.files.iter().all(is_known) {
            return Err(format!("left behind: {:?}", mended.files));
        }
        Ok(())
    }
}
