//! The command line as scripts and testers see it: the built program, its texts and statuses.
//!
//! Texts stand in `tests/cli/*.md` and run there. What needs a world stands here; the world is made
//! once, by `demo --headless`, and each test works on a device of its own, which is a copy.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use sync_format::v1::date::Date;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_fieldcheckctl");

#[test]
fn texts_and_statuses_are_those_written_down() {
    trycmd::TestCases::new()
        .register_bin("fieldcheckctl", Path::new(PROGRAM))
        .case("tests/cli/*.md");
}

#[test]
fn the_demonstration_gets_every_card_right_and_records_every_check() {
    let world = world();
    let last = world.told.lines().last().expect("it says something");
    let cards = world.plan.len();
    assert_eq!(last, format!("{cards} cards, {cards} as expected"), "{}", world.told);
    for (file, verdict, reasons) in &world.plan {
        let line = world.told.lines().find(|line| line.contains(file.as_str()));
        let line = line.unwrap_or_else(|| panic!("no line about {file}"));
        assert!(line.starts_with(verdict.as_str()), "{line}");
        assert!(reasons.split(',').all(|reason| line.contains(reason)), "{line}: {reasons}");
    }
    for verdict in ["MATCH", "REFER", "NOT LISTED", "NOT CHECKED", "NOT A CARD"] {
        assert!(world.plan.iter().any(|(_, planned, _)| planned == verdict), "{verdict}");
    }
    assert!(world.told.contains("PIN: ") && world.told.contains("(invented data only)"));
}

#[test]
fn private_files_of_the_demonstration_are_their_owners() {
    use std::os::unix::fs::PermissionsExt as _;
    for file in [
        "pin.txt",
        "keys/keyring.txt",
        "keys/collect.key",
        "packages/register-1.seed",
        "device/device.key",
    ] {
        let mode = fs::metadata(world().path(file)).expect(file).permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{file}");
    }
}

#[test]
fn the_status_is_that_of_the_strictest_answer_and_1_after_any_error() {
    let device = world().a_device();
    let [clean, lost, wanted] = ["clean-2021", "document-lost", "wanted-number"].map(card);
    let link = card("not-a-card-link");
    for (files, expected) in [
        (&[&clean][..], 5),
        (&[&lost], 10),
        (&[&wanted], 20),
        (&[&link], 1),
        (&[&clean, &lost], 10),
        (&[&wanted, &lost, &clean], 20),
        (&[&wanted, &link, &clean], 1),
    ] {
        let mut check = device.command("check");
        check.args(files);
        let ended = run(&mut check);
        assert_eq!(ended.status, Some(expected), "{files:?}: {ended:?}");
    }
}

#[test]
fn a_list_that_is_too_old_gives_not_checked_and_a_match_is_stricter() {
    // The clock of the machine cannot be moved, so the list is made long ago instead.
    let device = world().a_device();
    let package = device.folder.path().join("old.fcsnap");
    let made_long_ago = ["--created".to_owned(), days_ago(9)];
    device.build("notices", &world().path("sources/notices.csv"), 2, &made_long_ago, &package);
    device.installs(&package);
    let [clean, wanted] = ["clean-2021", "wanted-number"].map(card);
    for (files, expected) in [
        (&[&clean][..], 30),
        (&[&clean, &wanted], 20),
        (&[&wanted, &clean, &card("not-a-card-link")], 1),
    ] {
        let mut check = device.command("check");
        check.args(files);
        let ended = run(&mut check);
        assert_eq!(ended.status, Some(expected), "{files:?}: {ended:?}");
    }
}

#[test]
fn json_has_one_line_a_file_and_nothing_of_the_person() {
    let device = world().a_device();
    let mut check = device.command("check");
    check.arg("--json").args([
        card("wanted-number"),
        card("clean-2024"),
        card("not-a-card-payment"),
    ]);
    let ended = run(&mut check);
    let lines = json_lines(&ended.out);
    assert_eq!(lines.len(), 3, "{ended:?}");
    let [wanted, clean, payment] = [&lines[0], &lines[1], &lines[2]];
    for (line, field, expected) in [
        (wanted, "/verdict", "match"),
        (wanted, "/reasons/0", "notice-number"),
        (wanted, "/todo", "compare-and-confirm"),
        (wanted, "/proof", "not-proven"),
        (wanted, "/register", "agrees"),
        (wanted, "/document", "citizen-card"),
        (wanted, "/list/condition", "fresh"),
        (clean, "/verdict", "not-listed"),
        (clean, "/document", "identity-card"),
        (payment, "/error", "payment"),
    ] {
        assert_eq!(line.pointer(field).and_then(Value::as_str), Some(expected), "{field}: {line}");
    }
    for (field, expected) in [("/list/version", 1), ("/list/age_hours", 3)] {
        assert_eq!(wanted.pointer(field).and_then(Value::as_u64), Some(expected), "{wanted}");
    }
    assert!(wanted.pointer("/ms/decode").and_then(Value::as_f64).is_some_and(|ms| ms > 0.0));
    assert!(wanted.pointer("/ms/check").and_then(Value::as_f64).is_some_and(|ms| ms > 0.0));
    // The number and a syllable that everybody of the plan has in the name.
    for (line, file) in [(wanted, "wanted-number"), (clean, "clean-2024")] {
        let payload = payload_of(&card(file));
        let mut fields = payload.split('|').filter(|field| field.len() > 3);
        let text = line.to_string();
        assert!(fields.all(|field| !text.contains(field)), "{line}");
    }
}

#[test]
fn a_payload_on_standard_input_is_answered_like_its_picture() {
    let device = world().a_device();
    let payload = payload_of(&card("document-revoked"));
    let mut check = device.command("check");
    check.args(["--json", "-"]);
    let ended = run_with_input(&mut check, payload.as_bytes());
    assert_eq!(ended.status, Some(10), "{ended:?}");
    let line = &json_lines(&ended.out)[0];
    assert_eq!(line.pointer("/reasons/0").and_then(Value::as_str), Some("document-revoked"));
    assert!(line.pointer("/ms/decode").is_some_and(Value::is_null), "{line}");
}

#[test]
fn the_queue_lists_every_event_in_order_and_its_chain_holds() {
    let device = world().a_device();
    let before = device.queue().len();
    let mut check = device.command("check");
    check.args([card("clean-2021"), card("wanted-number"), card("not-a-card-link")]);
    run(&mut check);
    let queue = device.queue();
    let kinds: Vec<&str> = queue[before..].iter().map(|line| text(line, "kind")).collect();
    assert_eq!(kinds, ["lock", "unlock", "not-listed", "match", "lock", "unlock"]);
    for (line, number) in queue.iter().zip(1_u64..) {
        assert_eq!(line["number"].as_u64(), Some(number));
        assert_eq!(text(line, "state"), "waiting");
    }
    let ended = run(&mut device.queue_command("verify"));
    let expected = format!("{} records: numbers, hashes and signatures hold\n", queue.len() + 2);
    assert_eq!((ended.status, ended.out.as_str()), (Some(0), expected.as_str()));
}

#[test]
fn a_refused_package_leaves_the_installed_one_answering() {
    let device = world().a_device();
    let newer = device.folder.path().join("newer.fcsnap");
    let csv = world().path("sources/notices.csv");
    device.build("notices", &csv, 2, &[], &newer);
    device.installs(&newer);

    let older = world().path("packages/notices-1.fcsnap");
    let mut bytes = fs::read(&newer).expect("reads");
    let tampered = device.folder.path().join("tampered.fcsnap");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&tampered, &bytes).expect("writes");
    let cut_off = device.folder.path().join("cut-off.fcsnap");
    fs::write(&cut_off, &bytes[..last]).expect("writes");
    let foreign = device.folder.path().join("foreign.fcsnap");
    let others = device.folder.path().join("others");
    assert_eq!(run(program("keys").arg("new").arg(&others)).status, Some(0));
    build(&others, "notices", &csv, 3, &[], &foreign);

    for (package, why) in [
        (&older, "snapshot 1 is not newer than the installed 2"),
        (&newer, "snapshot 2 is not newer than the installed 2"),
        // The floor is asked before the parts are read: of version 2 nothing is looked at any more.
        (&tampered, "snapshot 2 is not newer than the installed 2"),
        (&foreign, "the package was made under another root"),
        (&csv, "this is not a snapshot package"),
        (&device.folder.path().to_owned(), "Is a directory"),
        (&device.folder.path().join("none"), "No such file"),
    ] {
        let ended = run(device.command("install").arg(package));
        assert_eq!(ended.status, Some(1), "{ended:?}");
        assert!(ended.err.contains(why), "{}: {ended:?}", package.display());
    }

    let damaged = world().a_device();
    for (package, why) in
        [(&tampered, "part 1 is damaged: its hash differs"), (&cut_off, "part 1 is damaged")]
    {
        let ended = run(damaged.command("install").arg(package));
        assert_eq!(ended.status, Some(1), "{ended:?}");
        assert!(ended.err.contains(why), "{ended:?}");
    }
    for (device, version) in [(&device, 2), (&damaged, 1)] {
        let ended = run(device.command("check").arg("--json").arg(card("wanted-number")));
        assert_eq!(ended.status, Some(20), "{ended:?}");
        let answered = &json_lines(&ended.out)[0]["list"]["version"];
        assert_eq!(answered.as_u64(), Some(version));
    }
}

#[test]
fn a_wrong_pin_says_what_is_left_and_how_long_to_wait() {
    let device = world().a_device();
    let wrong = device.folder.path().join("wrong.txt");
    // Refused as a new PIN, so it cannot be the one that was drawn.
    fs::write(&wrong, "111111\n").expect("writes");
    let say = |pin: &Path| run(&mut device.command_with_pin("check", pin, &card("clean-2021"))).err;
    for left in [9, 8, 7] {
        let said = say(&wrong);
        assert!(said.ends_with(&format!("wrong PIN, {left} tries left, the next one at once\n")));
    }
    let said = say(&wrong);
    assert!(said.ends_with("wrong PIN, 6 tries left, the next one in 8 seconds\n"), "{said}");
    let said = say(&world().path("pin.txt"));
    assert!(said.contains("the next try must wait "), "not even the right one: {said}");
}

#[test]
fn a_pin_in_the_environment_or_on_standard_input_is_not_taken() {
    let pin = fs::read_to_string(world().path("pin.txt")).expect("reads");
    let mut check = program("check");
    check.arg("--data").arg(world().path("device")).arg(card("clean-2021"));
    for name in ["PIN", "PIN_FILE", "FIELDCHECK_PIN", "FIELDCHECK_PIN_FILE", "FIELDCHECKCTL_PIN"] {
        check.env(name, pin.trim());
    }
    let ended = run_with_input(&mut check, pin.as_bytes());
    assert_eq!(ended.status, Some(2), "{ended:?}");
    assert!(ended.err.contains("--pin-file <FILE>"), "{ended:?}");

    // Where standard input is named, it is taken.
    let device = world().a_device();
    let mut check = device.command_with_pin("check", Path::new("-"), &card("clean-2021"));
    assert_eq!(run_with_input(&mut check, pin.as_bytes()).status, Some(5));
}

#[test]
fn qr_gives_one_line_a_file_whatever_the_file_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let garbage = folder.path().join("garbage.png");
    fs::write(&garbage, [0x89, b'P', b'N', b'G', 0, 1, 2, 3]).expect("writes");
    let none = folder.path().join("none.png");
    let fixture = |name: &str| Path::new("tests/data/pictures").join(name);
    let pictures = [fixture("0006_easy.jpg"), fixture("0077_hard.jpg"), garbage, none];
    let ended = run(program("qr").arg("--json").args(&pictures));
    assert_eq!(ended.status, Some(1), "two files cannot be read: {ended:?}");
    let lines = json_lines(&ended.out);
    let files: Vec<&str> = lines.iter().map(|line| text(line, "file")).collect();
    assert_eq!(files, pictures.each_ref().map(|path| path.to_str().expect("UTF-8")));
    let payloads = |at: usize| lines[at]["payloads"].as_array().expect("a list").len();
    assert_eq!([payloads(0), payloads(1), payloads(2), payloads(3)], [1, 0, 0, 0]);
    let truth = fs::read_to_string("tests/data/pictures/truth.tsv").expect("reads");
    let truth = truth.lines().find(|line| line.starts_with("0006_easy.jpg")).expect("is in it");
    assert_eq!(lines[0]["payloads"][0].as_str(), truth.split('\t').nth(2));
}

#[test]
fn output_that_nobody_reads_is_no_panic() {
    let mut check = program("qr");
    check.args(["--json", "tests/data/pictures/0006_easy.jpg"]);
    let mut child = check.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("ends");
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

/// A world that `demo --headless` made.
struct World {
    folder: TempDir,
    told: String,
    /// File, verdict, reasons: what the world's `truth.tsv` files plan.
    plan: Vec<(String, String, String)>,
}

/// Returns the world of these tests; it is made once, since unlocking is slow on purpose.
fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let ended = run(program("demo").arg(folder.path()).args(["--people", "60", "--headless"]));
        assert_eq!(ended.status, Some(0), "{ended:?}");
        let plan = ["cards", "cards-later"].iter().flat_map(|cards| {
            let truth = folder.path().join("world").join(cards).join("truth.tsv");
            let truth = fs::read_to_string(truth).expect("the plan is written down");
            let columns = |line: &str| {
                let mut columns = line.split('\t').map(str::to_owned);
                let mut next = || columns.next().expect("a column");
                (next(), next(), next())
            };
            truth.lines().skip(1).map(columns).collect::<Vec<_>>()
        });
        let plan = plan.collect();
        World { folder, told: ended.out, plan }
    })
}

/// Returns the picture of the world's card with this name.
fn card(name: &str) -> PathBuf {
    let file =
        world().plan.iter().map(|(file, ..)| file).find(|file| {
            file.split_once('-').is_some_and(|(_, rest)| rest == format!("{name}.png"))
        });
    world().path("cards").join(file.unwrap_or_else(|| panic!("no card is named {name}")))
}

fn payload_of(card: &Path) -> String {
    let ended = run(program("qr").arg("--json").arg(card));
    let line = &json_lines(&ended.out)[0];
    line["payloads"][0].as_str().expect("a payload").to_owned()
}

/// Returns the midnight of some days ago, by the clock of the world.
fn days_ago(days: i32) -> String {
    let inspected = run(program("snapshot")
        .args(["inspect", "--json"])
        .arg(world().path("packages/notices-1.fcsnap")));
    let created = text(&json_lines(&inspected.out)[0], "created").to_owned();
    let date: Date = created[..10].parse().expect("a date");
    Date::from_days(date.to_days() - days).to_string()
}

impl World {
    fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join("world").join(inside)
    }

    /// Returns a copy of the world's device.
    fn a_device(&self) -> Device {
        let folder = tempfile::tempdir().expect("a folder");
        copy(&self.path("device"), &folder.path().join("device"));
        Device { folder }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("makes");
    for entry in fs::read_dir(from).expect("lists") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copies");
        }
    }
}

/// A device to be used up by one test.
struct Device {
    folder: TempDir,
}

impl Device {
    fn options(&self, command: &mut Command, pin: &Path) {
        command.arg("--data").arg(self.folder.path().join("device")).arg("--pin-file").arg(pin);
    }

    fn command(&self, name: &str) -> Command {
        let mut command = program(name);
        self.options(&mut command, &world().path("pin.txt"));
        command
    }

    fn command_with_pin(&self, name: &str, pin: &Path, file: &Path) -> Command {
        let mut command = program(name);
        self.options(&mut command, pin);
        command.arg(file);
        command
    }

    fn queue_command(&self, name: &str) -> Command {
        let mut command = program("queue");
        command.arg(name);
        self.options(&mut command, &world().path("pin.txt"));
        command
    }

    fn queue(&self) -> Vec<Value> {
        let ended = run(self.queue_command("list").arg("--json"));
        assert_eq!(ended.status, Some(0), "{ended:?}");
        json_lines(&ended.out)
    }

    fn build(&self, dataset: &str, csv: &Path, version: u32, more: &[String], package: &Path) {
        build(&world().path("keys"), dataset, csv, version, more, package);
    }

    fn installs(&self, package: &Path) {
        let ended = run(self.command("install").arg(package));
        assert_eq!(ended.status, Some(0), "{ended:?}");
    }
}

fn build(keys: &Path, dataset: &str, csv: &Path, version: u32, more: &[String], package: &Path) {
    let mut build = program("snapshot");
    build.args(["build", dataset, "--keep-lapsed", "--keys"]).arg(keys).arg("--in").arg(csv);
    build.arg("--devices").arg(world().path("keys/devices.csv"));
    build.arg("--out").arg(package).args(["--version", &version.to_string()]).args(more);
    let ended = run(&mut build);
    assert_eq!(ended.status, Some(0), "{ended:?}");
}

pub fn program(subcommand: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg(subcommand);
    command
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Ended {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

pub fn run(command: &mut Command) -> Ended {
    run_with_input(command, b"")
}

fn run_with_input(command: &mut Command, input: &[u8]) -> Ended {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    // A program that has ended before it read everything is no failure of the test.
    child.stdin.take().expect("piped").write_all(input).unwrap_or_default();
    let Output { status, stdout, stderr } = child.wait_with_output().expect("ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let ended = Ended { status: status.code(), out: text(stdout), err: text(stderr) };
    assert!(!ended.err.contains("panicked"), "{ended:?}");
    ended
}

fn json_lines(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn text<'a>(line: &'a Value, field: &str) -> &'a str {
    line[field].as_str().unwrap_or_else(|| panic!("no {field} in {line}"))
}
