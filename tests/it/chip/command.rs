//! `fieldcheckctl chip` as a tester types it: a simulated card in the virtual reader, read through the
//! service, saved, and proven again.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fieldcheck::chip::simulated::contents::Contents;
use fieldcheck::chip::simulated::folder;
use serde_json::Value;

use super::pcscd::{wait_until_noticed, with_pcscd};
use super::{CODE, Issuer, contents, issuer};
use fieldcheck::chip::simulated::contents::Making;
use fieldcheck::chip::simulated::holder::Holder;
use fieldcheck::chip::simulated::issuer::Algorithms;

fn fieldcheckctl() -> Command {
    Command::new(env!("CARGO_BIN_EXE_fieldcheckctl"))
}

/// A card in the virtual reader, put there by a program of its own.
struct Simulated(Child);

impl Simulated {
    fn of(folder: &Path, faults: &[&str]) -> Simulated {
        let mut command = fieldcheckctl();
        command.args(["chip", "simulate"]).arg(folder).stdout(Stdio::null());
        for fault in faults {
            command.args(["--fault", fault]);
        }
        Simulated(command.spawn().unwrap())
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
        wait_until_noticed();
    }
}

/// A folder with a card, the anchor of its state, and the payload of its QR code.
struct Place(tempfile::TempDir);

impl Place {
    fn with(contents: &Contents) -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        for folder in ["card", "csca"] {
            std::fs::create_dir(place.path(folder)).unwrap();
        }
        folder::write(&place.path("card"), contents, &[]).unwrap();
        std::fs::write(place.path("csca/state.cer"), issuer().anchor()).unwrap();
        std::fs::write(place.path("code.txt"), CODE).unwrap();
        place
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, wait: &str, more: &[&str]) -> (Option<i32>, Value, String) {
        let mut command = fieldcheckctl();
        command.args(["chip", "read", "--json", "--wait", wait]).args(more);
        told(command.current_dir(self.0.path()))
    }
}

fn told(command: &mut Command) -> (Option<i32>, Value, String) {
    let output = command.output().unwrap();
    let line = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code(), line, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_card_is_read_saved_and_proven_again() {
    with_pcscd("chip::command::a_card_is_read_saved_and_proven_again", || {
        let place = Place::with(&contents());
        let card = Simulated::of(&place.path("card"), &[]);
        let listed = fieldcheckctl().args(["chip", "readers"]).output().unwrap();
        assert!(String::from_utf8_lossy(&listed.stdout).contains("Virtual PCD 00 00"));

        let (status, line, error) =
            place.read("20", &["--qr", "code.txt", "--csca", "csca", "--save", "saved"]);
        assert_eq!(status, Some(0), "{line} {error}");
        for (field, expected) in [
            ("proof", Value::from("genuine")),
            ("signed_by", "VN".into()),
            ("revocation", "no-list".into()),
            ("access", "pace-can".into()),
            ("differing", Value::Array(Vec::new())),
            ("groups", vec![1, 2, 13, 14, 15].into()),
            ("texts", "read".into()),
            ("portrait", vec![300, 400].into()),
            ("is_simulated", true.into()),
        ] {
            assert_eq!(line[field], expected, "{field} in {line}");
        }
        // Nothing of the holder: not even where it is asked for.
        let text = line.to_string();
        for hidden in ["048088999901", "999901", "Mẫu", "MAU", "1988"] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }

        // Without an anchor nothing is genuine, and nothing else than the invented state's is kept.
        let (status, line, _) = place.read("20", &["--can", "999901"]);
        assert_eq!((status, &line["proof"]), (Some(5), &Value::from("consistent")));
        // A card around it that says otherwise is no success either.
        let other = CODE.replace("Nguyễn Văn Mẫu", "Trần Văn Giả");
        std::fs::write(place.path("other.txt"), other).unwrap();
        let (status, line, _) = place.read("20", &["--qr", "other.txt", "--csca", "csca"]);
        assert_eq!((status, &line["proof"]), (Some(10), &Value::from("genuine")));
        assert_eq!(line["differing"], Value::from(vec!["name"]));
        drop(card);

        let verify = |csca: &[&str]| {
            told(
                fieldcheckctl()
                    .args(["chip", "verify", "saved", "--json"])
                    .args(csca)
                    .current_dir(place.0.path()),
            )
        };
        let (status, line, error) = verify(&["--csca", "csca"]);
        // A file answers no challenge: whoever has the files has a copy.
        assert_eq!(line["proof"], "copy-not-excluded", "{error}");
        assert_eq!(status, Some(5));
        let mut zone = std::fs::read(place.path("saved/EF.DG1")).unwrap();
        let last = zone.len() - 20;
        zone[last] ^= 1;
        std::fs::write(place.path("saved/EF.DG1"), zone).unwrap();
        let (status, line, error) = verify(&["--csca", "csca"]);
        assert_eq!(status, Some(10), "{line} {error}");
        assert!(line["why"].as_str().unwrap().contains("group-altered"), "{line}");
    });
}

#[test]
fn what_goes_wrong_is_said_in_words() {
    with_pcscd("chip::command::what_goes_wrong_is_said_in_words", || {
        let place = Place::with(&contents());
        let (status, _, error) = place.read("20", &["--can", "99990"]);
        assert_eq!(status, Some(1));
        assert!(error.contains("an access number has six digits"), "{error}");
        let begin = Instant::now();
        let (status, _, error) = place.read("0", &["--can", "999901"]);
        assert_eq!(status, Some(1));
        assert!(error.contains("no card is in the reader"), "{error}");
        assert!(begin.elapsed() < Duration::from_secs(5));
        let (_, _, error) = place.read("0", &["--can", "999901", "--reader", "Nobody"]);
        assert!(error.contains("there is no card reader Nobody"), "{error}");

        let card = Simulated::of(&place.path("card"), &[]);
        let (status, _, error) = place.read("20", &["--can", "111111"]);
        assert_eq!(status, Some(1));
        assert!(error.contains("[wrong-password]"), "{error}");
        drop(card);

        let card = Simulated::of(&place.path("card"), &["cut 15"]);
        let (status, _, error) = place.read("1", &["--can", "999901"]);
        assert_eq!(status, Some(1));
        assert!(error.contains("hold it to the reader again"), "{error}");
        assert!(error.contains("[card-lost]"), "{error}");
        drop(card);

        // A state that signs as the invented one does, and whose secrets are nobody's.
        let other = Issuer::new(77, Algorithms::Nist);
        let other = Contents::new(&other, &Holder::nguyen_van_mau(), &Making::default());
        let place = Place::with(&other);
        let _card = Simulated::of(&place.path("card"), &[]);
        let (status, _, error) = place.read("20", &["--can", "999901", "--save", "saved"]);
        assert_eq!(status, Some(1));
        assert!(error.contains("a saved chip is a saved person"), "{error}");
        assert!(!place.path("saved").exists());
    });
}
