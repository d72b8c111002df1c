//! The card reader service of Debian, started for one test in a world of its own.
//!
//! The virtual reader listens on every address of its machine, and the service has its socket at a
//! fixed place. So each test that needs them runs itself anew inside namespaces of its own: a network
//! that has a loopback and nothing else, a `/run` that is a folder of the test's, and processes that
//! end with it, whatever its end. Nothing of the machine is touched or seen, and tests may run at
//! the same time.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fieldcheck::chip::simulated::card::SimulatedCard;
use fieldcheck::chip::simulated::vpcd::{self, Left, Pull, Slot};
use fieldcheck::platform::pcsc::{ANSWER_WITHIN, PcscCard, Readers};

/// Set inside; the outer process of a test has it not.
const INSIDE: &str = "FIELDCHECK_PCSCD";

/// The one program and the one library that are needed, where Debian has them.
const SERVICE: &str = "/usr/sbin/pcscd";
const DRIVERS: &str = "/usr/lib/pcsc/drivers/serial";
const DRIVER: &str = "libifdvpcd.so";

/// The first virtual reader.
pub const READER: &str = "Virtual PCD 00 00";

/// Becomes the inner process: $1 is the folder that becomes `/run`, $2 this program, $3 the test.
const ENTER: &str = r#"set -e
ip link set lo up
mount --bind "$1" /run
pcscd=$(command -v pcscd || echo /usr/sbin/pcscd)
"$pcscd" --foreground --config /run/readers.conf >/run/pcscd.log 2>&1 &
exec "$2" --exact "$3" --nocapture --test-threads=1
"#;

/// Runs `story`, which is the whole body of the test `name`, where pcscd runs.
///
/// Does nothing where the parts are not installed and need not be.
pub fn with_pcscd(name: &str, story: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        wait_for_service();
        story();
        fs::write("/run/told", name).unwrap();
        return;
    }
    if let Err(why) = find_parts() {
        let required = std::env::var("FIELDCHECK_REQUIRE").is_ok_and(|value| value == "all");
        assert!(!required, "{why}");
        eprintln!("{why}: not tested");
        return;
    }
    let run = tempfile::tempdir().unwrap();
    let driver = Path::new(DRIVERS).join(DRIVER);
    let readers = format!(
        "FRIENDLYNAME \"Virtual PCD\"\nDEVICENAME /dev/null:{:#06X}\nLIBPATH {}\nCHANNELID {:#06X}\n",
        vpcd::PORT,
        driver.display(),
        vpcd::PORT
    );
    fs::write(run.path().join("readers.conf"), readers).unwrap();
    let output = unshare()
        .args(["sh", "-c", ENTER, "sh"])
        .arg(run.path())
        .arg(std::env::current_exe().unwrap())
        .arg(name)
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let told = fs::read_to_string(run.path().join("told")).unwrap_or_default();
    if !output.status.success() || told != name {
        let log = fs::read_to_string(run.path().join("pcscd.log")).unwrap_or_default();
        panic!(
            "{name} failed inside: {}\n{}\n{}\npcscd:\n{log}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
    }
}

/// A namespace of users too where we are not root: there we are.
fn unshare() -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(["--net", "--mount", "--pid", "--fork", "--kill-child"]);
    if !rustix::process::geteuid().is_root() {
        unshare.arg("--map-root-user");
    }
    unshare
}

fn find_parts() -> Result<(), String> {
    for part in [Path::new(SERVICE), &Path::new(DRIVERS).join(DRIVER)] {
        if !part.exists() {
            return Err(format!(
                "{} is not there (Debian: pcscd, vsmartcard-vpcd, iproute2)",
                part.display()
            ));
        }
    }
    let tried = unshare().args(["ip", "link", "set", "lo", "up"]).output();
    match tried {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "no namespaces of our own: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Err(format!("unshare cannot be run: {error}")),
    }
}

fn wait_for_service() {
    let begin = Instant::now();
    loop {
        let readers = Readers::new().and_then(|mut readers| readers.now()).unwrap_or_default();
        if readers.iter().any(|reader| reader.name == READER) {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "pcscd has no virtual reader");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until pcscd must have noticed that the reader is empty: it looks every 0.4 s. A card that is
/// changed for another before that, it takes for the same.
pub fn wait_until_noticed() {
    std::thread::sleep(Duration::from_millis(700));
}

/// A card in the virtual reader, served by a thread.
pub struct Inserted {
    pull: Arc<Mutex<Pull>>,
    thread: JoinHandle<(SimulatedCard, Left)>,
}

/// Puts a card into the reader.
pub fn insert(mut card: SimulatedCard) -> Inserted {
    let slot = slot();
    let pull = Arc::new(Mutex::new(slot.pull().unwrap()));
    let thread = std::thread::spawn(move || {
        let left = slot.serve(&mut card).unwrap();
        (card, left)
    });
    Inserted { pull, thread }
}

/// Puts a card into the reader that leaves it once by itself and is back after so long.
pub fn insert_again(mut card: SimulatedCard, away: Duration) -> Inserted {
    let first = slot();
    let pull = Arc::new(Mutex::new(first.pull().unwrap()));
    let next_pull = Arc::clone(&pull);
    let thread = std::thread::spawn(move || {
        assert_eq!(first.serve(&mut card).unwrap(), Left::Gone);
        std::thread::sleep(away);
        let slot = slot();
        *next_pull.lock().unwrap() = slot.pull().unwrap();
        let left = slot.serve(&mut card).unwrap();
        (card, left)
    });
    Inserted { pull, thread }
}

fn slot() -> Slot {
    Slot::insert(SocketAddr::from((Ipv4Addr::LOCALHOST, vpcd::PORT))).unwrap()
}

impl Inserted {
    /// Pulls the card out, and returns it.
    pub fn pull(self) -> SimulatedCard {
        self.pull.lock().unwrap().out();
        self.thread.join().unwrap().0
    }

    /// Waits until the card has left the field by itself.
    pub fn gone(self) {
        assert_eq!(self.thread.join().unwrap().1, Left::Gone);
    }
}

/// Connects to the card in the reader, as the product does.
pub fn connect() -> PcscCard {
    PcscCard::open(READER, Duration::from_secs(10), ANSWER_WITHIN).unwrap()
}
