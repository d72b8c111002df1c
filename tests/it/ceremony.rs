//! The key ceremony as `assets/ceremony.md` tells it: every command of the document is run, in its
//! order, and must say what stands below it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use fieldcheck::keys::{DeviceKey as _, SimulatedDeviceKey};
use fieldcheck::snapshot::units::{DEVICE_COLUMNS, UNIT_COLUMNS};
use sync_format::v1::package::seal::SealSecret;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_fieldcheckctl");

/// Stands for what differs each time: within a line for some characters, alone for any lines.
const ANYTHING: &str = "…";

/// What everybody of the ceremony types where a passphrase is asked for.
const PASSPHRASE: &str = "sông Hồng mùa nước nổi\n";

#[test]
fn every_command_of_the_ceremony_says_what_is_written() {
    let held = held();
    assert!(held.said.len() > 30, "the document has {} commands", held.said.len());
    for (step, said) in &held.said {
        assert!(
            fits(&step.expected, said),
            "$ {}\nis written:\n{}\nand says:\n{}",
            step.command,
            step.expected.join("\n"),
            said.join("\n"),
        );
    }
}

#[test]
fn nothing_that_is_carried_or_shown_holds_a_secret() {
    let held = held();
    let is_secret = |text: &str| text.contains(PASSPHRASE.trim()) || text.contains("sealed ");
    for (step, said) in &held.said {
        assert!(!said.iter().any(|line| is_secret(line)), "{}", step.command);
    }
    let mut private = 0;
    for entry in fs::read_dir(held.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "key") {
            let text = fs::read_to_string(&path).unwrap();
            assert!(!text.contains(PASSPHRASE.trim()), "{}", path.display());
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", path.display());
            private += 1;
        } else if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            assert!(!is_secret(&String::from_utf8_lossy(&bytes)), "{}", path.display());
        }
    }
    assert!(private > 10, "{private} private keys");
}

/// The ceremony, once held: where its files are, and what each command said.
struct Held {
    folder: TempDir,
    said: Vec<(Step, Vec<String>)>,
}

fn held() -> &'static Held {
    static HELD: OnceLock<Held> = OnceLock::new();
    HELD.get_or_init(|| {
        let document = fs::read_to_string("assets/ceremony.md").unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("devices.csv"), devices()).unwrap();
        fs::write(folder.path().join("units.csv"), units()).unwrap();
        fs::copy("tests/cli/sources.in/notices.csv", folder.path().join("notices.csv")).unwrap();
        let run = |step: Step| {
            let said = run(&step.command, folder.path());
            (step, said)
        };
        let said = steps(&document).into_iter().map(run).collect();
        Held { folder, said }
    })
}

/// One unit, which reads everything.
fn units() -> String {
    format!("{}\n1,all,,,no\n", UNIT_COLUMNS.join(","))
}

/// Three devices, as enrolment writes them down.
fn devices() -> String {
    let mut text = DEVICE_COLUMNS.join(",") + "\n";
    for number in [6, 7, 8] {
        let hex =
            |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
        let id = hex(&[number; 16]);
        let seal_key = hex(&SealSecret::new([number; 32]).public().to_bytes());
        let sign_key = hex(&SimulatedDeviceKey::numbered(number).public_key());
        text += &format!("{id},1,{seal_key},{sign_key},\n");
    }
    text
}

/// A command of the document and what it must say.
struct Step {
    command: String,
    expected: Vec<String>,
}

fn steps(document: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in document.lines() {
        if let Some(language) = line.strip_prefix("```") {
            inside = language == "console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
            steps.push(Step { command: command.to_owned(), expected: Vec::new() });
        } else if inside {
            steps.last_mut().expect("a command comes first").expected.push(line.to_owned());
        }
    }
    steps
}

/// Runs one line as a shell does, with the answers that a person would type.
fn run(command: &str, folder: &Path) -> Vec<String> {
    let programs = Path::new(PROGRAM).parent().expect("stands in a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut child = Command::new("sh")
        .args(["-c", command])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", programs.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let answer = if command.contains(" keys sign ") { "yes\n" } else { "" };
    let typed = format!("{answer}{PASSPHRASE}");
    // A program that has ended before it read everything is no failure of the test.
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap_or_default();
    let ended = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (out, err) = (text(&ended.stdout), text(&ended.stderr));
    let asked = err.replace("Do you sign this? Type yes: ", "");
    out.lines().chain(asked.lines()).map(str::to_owned).collect()
}

/// Whether what was said is what is written, line by line.
fn fits(expected: &[String], said: &[String]) -> bool {
    match (expected, said) {
        ([], said) => said.is_empty(),
        ([any, rest @ ..], said) if any == ANYTHING => {
            (0..=said.len()).any(|skipped| fits(rest, &said[skipped..]))
        }
        ([line, rest @ ..], [first, others @ ..]) => line_fits(line, first) && fits(rest, others),
        ([_, ..], []) => false,
    }
}

fn line_fits(expected: &str, said: &str) -> bool {
    let Some((before, after)) = expected.split_once(ANYTHING) else { return expected == said };
    let Some(rest) = said.strip_prefix(before) else { return false };
    let ends = rest.char_indices().map(|(at, letter)| at + letter.len_utf8());
    ends.into_iter().any(|end| line_fits(after, &rest[end..]))
}

#[test]
fn what_is_written_is_told_from_what_is_not() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    for (expected, said, result) in [
        ("a\nb", "a\nb", true),
        ("a", "a\nb", false),
        ("a\nb", "a", false),
        ("key …", "key 12", true),
        ("key …", "key ", false),
        ("… and …", "a and b", true),
        ("…", "a\nb", true),
        ("…\nc", "a\nb\nc", true),
        ("…\nc", "a\nb", false),
        ("", "", true),
        ("", "error", false),
    ] {
        assert_eq!(fits(&lines(expected), &lines(said)), result, "{expected:?} {said:?}");
    }
}
