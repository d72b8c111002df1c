//! What whoever holds the stick can do: read no more than the outside, and bring files that ask for
//! memory in vain. Which refusal each file of `tests/data/attacks` gets is tested beside the device.

use std::path::{Path, PathBuf};
use std::process::Command;

use sync_format::codec::{self, Kind};
use sync_format::v1::package::layout::{self, Sections};
use sync_format::v1::package::{
    Base, Envelope, Freshness, Manifest, PartRef, Recipient, Run, Signature, SignedManifest,
    SnapshotVersion,
};

use crate::support::{
    Enrolled, another_row, his_row, lost, notices_package, register_package, wanted,
};

/// Tells the process that this test starts to be the one that is measured.
const MEASURED: &str = "FIELDCHECK_ATTACKS_MEASURED";

/// What all attacks together may take beyond what the good list took, KiB: a chunk compressed, raw
/// and decoded, and the greatest manifest.
const MAX_GROWTH_KIB: u64 = 48 * 1024;

#[test]
fn no_attack_takes_more_memory_than_a_chunk_needs() {
    if std::env::var_os(MEASURED).is_some() {
        install_them_all();
        return;
    }
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .args(["--exact", "attacks::no_attack_takes_more_memory_than_a_chunk_needs"])
        .args(["--nocapture", "--test-threads=1"])
        .env(MEASURED, "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let grown = told.lines().find_map(|line| line.strip_prefix("grown by ")).expect("measured");
    let (grown, count) = grown.split_once(" KiB in ").expect("two numbers");
    assert!(count.parse::<usize>().unwrap() >= 50, "{count} attacks");
    assert!(grown.parse::<u64>().unwrap() <= MAX_GROWTH_KIB, "{grown} KiB");
}

#[expect(clippy::print_stdout, reason = "the process that started this one reads it")]
fn install_them_all() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/attacks");
    let enrolled = Enrolled::new();
    let (mut device, mut session) = enrolled.unlock();
    let good = std::fs::read(folder.join("installed.fcsnap")).unwrap();
    enrolled.install(&mut device, &mut session, &good).expect("installed");
    let before = peak_kib();
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    for file in &files {
        let package = std::fs::read(file).unwrap();
        let outcome = enrolled.install(&mut device, &mut session, &package);
        assert!(outcome.is_err(), "{}", file.display());
    }
    println!("\ngrown by {} KiB in {}", peak_kib() - before, files.len());
}

/// The most memory that this process has had, KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux");
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

/// Everything that can be read of a package without a key, in words. Whoever adds a field to these
/// documents must name it here, and ask himself whether it may be read: DESIGN allows dataset,
/// versions, times, terms, and hashes and lengths of what is sealed.
fn readable(package: &[u8]) -> Vec<String> {
    let mut rest = package;
    let sections = layout::read_sections(&mut rest).unwrap();
    let Sections { root_chain: _, manifest, envelope, inner } = sections;
    let signed: SignedManifest = codec::decode(Kind::SignedManifest, &manifest).unwrap();
    let SignedManifest { manifest, signatures } = signed;
    let Manifest {
        package: _, // random
        dataset,
        version: SnapshotVersion { epoch, version },
        created,
        expires,
        base,
        min_app,
        freshness: Freshness { fresh_hours, usable_hours },
        chip_required,
        envelopes,
        inner: PartRef { hash: _, len: inner_len },
        chunks,
    } = codec::decode(Kind::Manifest, &manifest).unwrap();
    let base = base.map(|Base { version, manifest: _ }| version);
    let Envelope { package: _, chunks: runs, recipients, grant } =
        codec::decode(Kind::Envelope, &envelope).unwrap();
    let runs: Vec<(u32, u32)> =
        runs.into_iter().map(|Run { first, count }| (first, count)).collect();
    let lengths = |parts: &[PartRef]| -> Vec<u32> { parts.iter().map(|part| part.len).collect() };
    let recipients: Vec<(usize, usize)> = recipients
        .iter()
        .map(|Recipient { hint: _, encapsulated, wrapped }| (encapsulated.len(), wrapped.len()))
        .collect();
    let signers: Vec<[u8; 8]> =
        signatures.iter().map(|Signature { key_id, bytes: _ }| *key_id).collect();
    assert_eq!(inner.len(), inner_len as usize);
    assert_eq!(rest.len(), chunks.iter().map(|chunk| chunk.len as usize).sum::<usize>());
    vec![
        format!("dataset {dataset}, epoch {epoch}, version {version}, base {base:?}"),
        format!("made {created}, until {expires}, fresh {fresh_hours}, usable {usable_hours}"),
        format!("chip required {chip_required}, program {min_app}, signed by {signers:?}"),
        format!(
            "envelopes {:?}, inner {inner_len}, chunks {:?}",
            lengths(&envelopes),
            lengths(&chunks)
        ),
        format!("of this unit: chunks {runs:?}, recipients {recipients:?}, grant {}", grant.len()),
    ]
}

#[test]
fn whoever_holds_a_package_reads_no_more_than_its_outside() {
    // Two lists about other people, of other categories, with as many bytes.
    let first = notices_package(2, &[wanted(7)]);
    let second = notices_package(2, &[wanted(7), lost(9, "001192999902")]);
    let lines = readable(&first);
    assert_eq!(lines[0], "dataset notices, epoch 1, version 2, base None");
    assert_eq!(lines[..3], readable(&second)[..3], "what is in it does not show in its terms");
    // Registers of two regions and two people: their terms are the same.
    let his = register_package(1, &[his_row()]);
    let hers = register_package(1, &[another_row(1_192_999_902)]);
    assert_eq!(readable(&his)[..3], readable(&hers)[..3]);
    assert_eq!(readable(&his)[0], "dataset register, epoch 1, version 1, base None");
    // Everything else is sealed: no text of a notice and no number is anywhere in the bytes.
    for needle in ["Mẫu", "NGUYEN", "173", "QĐ", "Cơ quan", "048088999901", "001192999902"] {
        let found = |package: &[u8]| {
            package.windows(needle.len()).any(|window| window == needle.as_bytes())
        };
        assert!(!found(&second) && !found(&his), "{needle}");
    }
}

#[test]
fn a_package_is_sealed_to_the_devices_of_its_unit_by_name_of_none() {
    let package = notices_package(2, &[wanted(7)]);
    let secret = crate::support::seal_secret();
    let public = secret.public().to_bytes();
    let unit = crate::support::enrolment().unit;
    let found = |needle: &[u8]| package.windows(needle.len()).any(|window| window == needle);
    assert!(!found(&public[..16]), "the device's key");
    assert!(!found(&crate::support::enrolment().device), "the device's id");
    assert!(!found(&unit.to_le_bytes()), "the unit's number");
}
