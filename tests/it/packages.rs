//! Packages on their way from a stick to an answer: the whole ones, and every way of being damaged.

use std::collections::BTreeSet;
use std::process::Command;

use fieldcheck::checks::Verdict;
use fieldcheck::device::{Device, DeviceError, Session};
use fieldcheck::snapshot::Refusal;
use fieldcheck::store::install::InstallError;
use fieldcheck::verdict::RegisterLine;
use sync_format::v1::package::Dataset;

use crate::support::{
    Enrolled, hers, his, his_row, lost, names, notices_package, register_package, unlock, version,
    wanted,
};

#[test]
fn a_package_of_each_dataset_is_installed_and_answers() {
    let enrolled = Enrolled::new();
    let (mut device, mut session) = enrolled.unlock();
    let notices = notices_package(1, &[wanted(7), lost(9, "001192999902")]);
    let installed = enrolled.install(&mut device, &mut session, &notices).unwrap();
    assert_eq!(installed, Dataset::Notices);
    let answer = session.judge(&his()).unwrap();
    assert_eq!((answer.verdict, answer.register), (Verdict::Match, RegisterLine::NotLoaded));
    assert_eq!(session.judge(&hers()).unwrap().verdict, Verdict::Refer);

    let register = register_package(1, &[his_row()]);
    let installed = enrolled.install(&mut device, &mut session, &register).unwrap();
    assert_eq!(installed, Dataset::Register);
    assert_eq!(session.judge(&his()).unwrap().register, RegisterLine::Agrees);
    assert_eq!(session.judge(&hers()).unwrap().register, RegisterLine::OutOfRegion);

    // A newer list that no longer names him; the program after this one answers by it as well.
    enrolled.install(&mut device, &mut session, &notices_package(2, &[])).unwrap();
    assert_eq!(session.judge(&his()).unwrap().verdict, Verdict::NotListed);
    drop((device, session));
    let (_, mut session) = enrolled.unlock();
    assert_eq!(session.judge(&his()).unwrap().verdict, Verdict::NotListed);
    assert_eq!(names(&enrolled.file("store")), ["notices-1-2.db", "register-1-1.db"]);
}

/// A device with a first list, onto which damaged packages are put.
struct Target {
    enrolled: Enrolled,
    device: Device,
    session: Session,
    codes: BTreeSet<&'static str>,
}

impl Target {
    fn new() -> Target {
        let enrolled = Enrolled::with(&[&notices_package(1, &[wanted(7)])]);
        let (device, session) = enrolled.unlock();
        Target { enrolled, device, session, codes: BTreeSet::new() }
    }

    /// Puts on a package that must be refused by name, leave nothing, and change no answer.
    #[track_caller]
    fn assert_refused(&mut self, package: &[u8], what: &str) {
        let outcome = self.enrolled.install(&mut self.device, &mut self.session, package);
        match outcome {
            Err(DeviceError::Install(InstallError::Refused(refusal))) => {
                assert!(!matches!(refusal, Refusal::Io(_)), "{what}: {refusal:?}");
                self.codes.insert(refusal.code());
            }
            other => panic!("{what}: {other:?}"),
        }
        assert_eq!(names(&self.enrolled.file("store")), ["notices-1-1.db"], "{what}");
        let answer = self.session.judge(&his()).unwrap();
        assert_eq!(answer.verdict, Verdict::Match, "{what}");
        let notices = self.session.lookup().notices().expect("notices");
        assert_eq!(notices.manifest.version, version(1), "{what}");
    }

    /// The package that was damaged in every way is good when it is not.
    fn finish(mut self, package: &[u8]) -> BTreeSet<&'static str> {
        let before = self.session.queue().count().unwrap();
        self.enrolled.install(&mut self.device, &mut self.session, package).unwrap();
        assert_eq!(self.session.queue().count().unwrap(), before + 1);
        self.codes
    }
}

/// Bytes of which every bit is flipped by itself; of those behind one bit each.
const EVERY_BIT_UP_TO: usize = 512;

fn flip_every_byte(package: &[u8]) -> BTreeSet<&'static str> {
    let mut target = Target::new();
    for at in 0..package.len() {
        let bits = if at < EVERY_BIT_UP_TO { 0..8 } else { at % 8..at % 8 + 1 };
        for bit in bits {
            let mut flipped = package.to_vec();
            flipped[at] ^= 1 << bit;
            target.assert_refused(&flipped, &format!("byte {at}, bit {bit}"));
        }
    }
    target.finish(package)
}

#[test]
fn any_flipped_bit_of_a_list_is_refused_and_the_installed_one_answers() {
    let codes = flip_every_byte(&notices_package(2, &[wanted(7)]));
    let expected = BTreeSet::from([
        "not-a-package",
        "undecodable",
        "foreign-root",
        "stray-signature",
        "signatures",
        "envelope",
        "inner",
        "damaged-chunk",
    ]);
    assert_eq!(codes, expected);
}

#[test]
fn any_flipped_bit_of_a_register_is_refused_and_the_installed_list_answers() {
    let codes = flip_every_byte(&register_package(1, &[his_row()]));
    assert!(codes.contains("damaged-chunk") && codes.contains("envelope"), "{codes:?}");
}

#[test]
fn a_package_cut_off_anywhere_is_refused() {
    let package = notices_package(2, &[wanted(7)]);
    let mut target = Target::new();
    for len in 0..package.len() {
        target.assert_refused(&package[..len], &format!("{len} bytes"));
    }
    let codes = target.finish(&package);
    assert_eq!(codes, BTreeSet::from(["damaged-chunk", "not-a-package"]));
}

#[test]
fn bytes_behind_the_end_are_refused() {
    let package = notices_package(2, &[wanted(7)]);
    let mut target = Target::new();
    for more in [&b"\0"[..], b"\n", &package] {
        target.assert_refused(&[&package[..], more].concat(), "longer");
    }
    assert_eq!(target.finish(&package), BTreeSet::from(["trailing-bytes"]));
}

#[test]
fn parts_of_two_packages_make_none() {
    let (first, second) = (notices_package(2, &[wanted(7)]), notices_package(3, &[wanted(8)]));
    // Both have the same root chain; everything behind it is of one or of the other.
    let differ = first.iter().zip(&second).position(|(a, b)| a != b).expect("two packages");
    let mut target = Target::new();
    for at in (differ + 1..first.len().min(second.len())).step_by(7) {
        let mixed = [&first[..at], &second[at..]].concat();
        if mixed != first && mixed != second {
            target.assert_refused(&mixed, &format!("mixed at {at}"));
        }
    }
    target.finish(&first);
}

/// Named by a test that runs this one in a process whose files may not grow.
const FULL_DISK_FOLDER: &str = "FIELDCHECK_TEST_FULL_DISK";

#[test]
fn a_disk_without_room_leaves_the_installed_list() {
    let enrolled = Enrolled::with(&[&notices_package(1, &[wanted(7)])]);
    let many: Vec<_> = (1..=4_000).map(wanted).collect();
    std::fs::write(enrolled.file("package.fcsnap"), notices_package(2, &many)).unwrap();

    // 300 kB a file at most; the list needs more. With the signal ignored, writing is an error.
    let limited = "trap '' XFSZ; ulimit -f 600; exec \"$0\" \"$@\"";
    let output = Command::new("sh")
        .args(["-c", limited])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "packages::installs_on_a_full_disk", "--nocapture"])
        .env(FULL_DISK_FOLDER, enrolled.folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("\nfull disk: as it should be\n"), "{told}");

    // With room again, the same package is installed.
    let (mut device, mut session) = enrolled.unlock();
    let path = enrolled.file("package.fcsnap");
    device.install(&mut session, &path, |_| fieldcheck::store::install::Proceed::Continue).unwrap();
    assert_eq!(session.lookup().notices().expect("notices").inner.rows, 4_000);
}

/// Does nothing by itself: see [`a_disk_without_room_leaves_the_installed_list`].
#[test]
fn installs_on_a_full_disk() {
    let Some(folder) = std::env::var_os(FULL_DISK_FOLDER) else { return };
    let folder = std::path::PathBuf::from(folder);
    let (mut device, mut session) = unlock(&folder);
    let path = folder.join("package.fcsnap");
    let outcome =
        device.install(&mut session, &path, |_| fieldcheck::store::install::Proceed::Continue);
    assert!(matches!(outcome, Err(DeviceError::Install(InstallError::Store(_)))), "{outcome:?}");
    assert_eq!(names(&folder.join("store")), ["notices-1-1.db"]);
    assert_eq!(session.judge(&his()).unwrap().verdict, Verdict::Match);
    println!("\nfull disk: as it should be");
}
