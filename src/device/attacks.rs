//! Attacks on a device by whoever holds the stick: one file each, in a folder named for the refusal
//! that it must get.
//!
//! Most are signed as they should be, so that each is wrong in the one way that its name says. What
//! was installed goes on answering, and nothing of an attack is kept: no file, no floor, no root, no
//! time. `FIELDCHECK_BLESS=1` writes the files of `tests/data/attacks` anew; `tests/it` gives the
//! same files to the program with little memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sync_format::codec::{self, Kind};
use sync_format::limits::MAX_ANCHOR_CHUNKS;
use sync_format::v1::notice::{Notice, encode_notices};
use sync_format::v1::package::layout::{self, Sections};
use sync_format::v1::package::seal::{self, Part, SealSecret};
use sync_format::v1::package::{
    Base, ChunkInfo, Dataset, Manifest, PartRef, Purpose, Role, Root, RootChain, Signature,
    SignedManifest, SnapshotVersion,
};
use sync_format::v1::register::{RegisterRow, TOMBSTONE, encode_register};

use super::testing::Enrolled;
use super::{DeviceError, Session};
use crate::checks::Verdict;
use crate::document::{Document, qr};
use crate::matching::testing::wanted;
use crate::snapshot::build::{self, Terms, Unit};
use crate::snapshot::keyring::Keyring;
use crate::snapshot::testing::{
    Draft, HOUR, NOW, base_of, citizen_row, join, keyring, notices_package, package,
    register_package, root, seed, split, terms, units, version,
};
use crate::store::install::{InstallError, Proceed};

/// What is installed before each attack.
fn installed() -> Vec<u8> {
    notices_package(5, &[wanted()])
}

/// A list that is newer than what is installed, before it is spoiled.
fn newer() -> Draft {
    let mut draft = Draft::notices();
    draft.manifest.version = version(6);
    draft
}

/// The same in two chunks of equal length.
fn newer_in_two() -> Draft {
    let mut draft = newer();
    let second = Notice { id: wanted().id + 1, ..wanted() };
    draft = draft.with_chunks(&[&[wanted()], &[second]]);
    draft
}

fn changed(change: impl FnOnce(&mut Draft)) -> Vec<u8> {
    let mut draft = newer();
    change(&mut draft);
    draft.encode()
}

/// Takes a package apart and puts it together again with one section or the chunks changed.
fn rejoined(package: &[u8], change: impl FnOnce(&mut Sections, &mut Vec<u8>)) -> Vec<u8> {
    let (mut sections, chunks) = split(package);
    let mut chunks = chunks.to_vec();
    change(&mut sections, &mut chunks);
    join(sections, &chunks)
}

/// Lengths of the chunks of a package, and where they begin.
fn chunk_bytes(package: &[u8]) -> Vec<Vec<u8>> {
    let (sections, mut rest) = split(package);
    let signed: SignedManifest = codec::decode(Kind::SignedManifest, &sections.manifest).unwrap();
    let manifest: Manifest = codec::decode(Kind::Manifest, &signed.manifest).unwrap();
    let lengths = manifest.chunks.iter().map(|chunk| chunk.len as usize);
    lengths
        .map(|len| {
            let (chunk, after) = rest.split_at(len);
            rest = after;
            chunk.to_vec()
        })
        .collect()
}

/// A package whose chunks are put together anew from those of a good one.
fn with_chunks(pick: impl FnOnce(Vec<Vec<u8>>) -> Vec<Vec<u8>>) -> Vec<u8> {
    let package = newer_in_two().encode();
    let picked = pick(chunk_bytes(&package)).concat();
    rejoined(&package, |_, chunks| *chunks = picked)
}

/// A manifest that the right people signed, changed after everything was sealed.
fn signed_anew(package: &[u8], roles: &[Role], change: impl FnOnce(&mut Manifest)) -> Vec<u8> {
    rejoined(package, |sections, _| {
        let signed: SignedManifest =
            codec::decode(Kind::SignedManifest, &sections.manifest).unwrap();
        let mut manifest: Manifest = codec::decode(Kind::Manifest, &signed.manifest).unwrap();
        change(&mut manifest);
        let manifest = codec::encode(Kind::Manifest, &manifest).unwrap();
        let sign = |role: &Role| keyring().sign_manifest(*role, &manifest);
        let signatures = roles.iter().flat_map(sign).collect();
        let signed = SignedManifest { manifest, signatures };
        sections.manifest = codec::encode(Kind::SignedManifest, &signed).unwrap();
    })
}

const OF_NOTICES: &[Role] = &[Role::NoticesAuthor, Role::NoticesApprover];

/// Signs a list as the people of these keyrings do, under this root chain.
fn under_chain(chain: &RootChain, draft: Draft, people: &Keyring) -> Vec<u8> {
    let chain = codec::encode(Kind::RootChain, chain).unwrap();
    draft.encode_signed(chain, |manifest| {
        OF_NOTICES.iter().flat_map(|role| people.sign_manifest(*role, manifest)).collect()
    })
}

fn chain_of(bytes: &[u8]) -> RootChain {
    codec::decode(Kind::RootChain, bytes).unwrap()
}

/// The chain from the pinned root to one of other people, signed by both.
fn handed_over(epoch: u32) -> RootChain {
    let chain = keyring().sign_root(root()).unwrap();
    let (made, expires) = (NOW.0 - HOUR, NOW.0 + 365 * 24 * HOUR);
    chain_of(&keyring().rotate(&chain, &Keyring::simulated(2), epoch, made, expires).unwrap())
}

/// Changes the newest root of a chain; these keyrings sign it.
fn change_newest(chain: &mut RootChain, signers: &[u64], change: impl FnOnce(&mut Root)) {
    let newest = chain.0.last_mut().unwrap();
    let mut root: Root = codec::decode(Kind::Root, &newest.root).unwrap();
    change(&mut root);
    newest.root = codec::encode(Kind::Root, &root).unwrap();
    let sign = |seed: &u64| Keyring::simulated(*seed).signed_root(newest.root.clone()).signatures;
    newest.signatures = signers.iter().flat_map(sign).collect();
}

fn rotated_with(signers: &[u64], change: impl FnOnce(&mut Root)) -> Vec<u8> {
    let mut chain = handed_over(1);
    change_newest(&mut chain, signers, change);
    under_chain(&chain, newer(), &Keyring::simulated(2))
}

fn chain_signed_by(signatures: impl FnOnce(Vec<Signature>) -> Vec<Signature>) -> Vec<u8> {
    let mut chain = chain_of(&keyring().sign_root(root()).unwrap());
    let all = std::mem::take(&mut chain.0[0].signatures);
    chain.0[0].signatures = signatures(all);
    under_chain(&chain, newer(), &keyring())
}

/// A register of the citizen's region in which one chunk is of another.
fn register_with(chunk: &[RegisterRow], region: u16) -> Vec<u8> {
    let draft = Draft::register();
    let rows = chunk.to_vec();
    let package = draft.encode();
    let raw = encode_register(&rows).unwrap();
    let compressed = layout::compress(&raw).unwrap();
    let key = seed().content_key(Dataset::Register, region);
    let sealed = seal::seal(&seed().package_id(), Part::Chunk(0), &key, &compressed);
    let package = signed_anew(&package, &[Role::Register], |manifest| {
        manifest.chunks[0] = PartRef::of(&sealed);
    });
    rejoined(&package, |_, chunks| *chunks = sealed)
}

fn delta_of(base: Base, rows: &[Notice], number: u64) -> Vec<u8> {
    let of = build::BaseOf { base, ..base_of(&installed()) };
    let draft = build::notices_delta(&of, rows, &[], terms(number), &units(), &seed()).unwrap();
    package(&draft, OF_NOTICES)
}

/// A zstd frame of one mebibyte of zeros that is repeated: much from little.
fn bomb() -> Vec<u8> {
    layout::compress(&vec![0; 8 << 20]).unwrap()
}

/// Where a manifest says which dataset it is of.
const DATASET_AT: usize = 18;

/// A chunk in which a certificate is said to have more bytes than any may.
const ANCHOR_TOO_LONG: &[u8] =
    include_bytes!("../../sync-format/tests/data/invalid/chunk-error/anchor-length.bin");

/// Every attack: the refusal it must get, its name, the file.
fn attacks() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let weak: [u8; 32] = std::array::from_fn(|at| u8::from(at == 0));
    let base = base_of(&installed()).base;
    let revoked = {
        let unit = Unit { devices: vec![SealSecret::new([5; 32]).public()], ..units().remove(0) };
        let draft = build::notices(&[wanted()], terms(6), &[unit], &seed()).unwrap();
        package(&draft, OF_NOTICES)
    };
    let other_package = {
        let draft = build::notices(
            &[wanted()],
            terms(6),
            &units(),
            &sync_format::v1::package::seal::Seed::new([8; 32]),
        );
        package(&draft.unwrap(), OF_NOTICES)
    };
    let sections_of_other = split(&other_package).0;
    let mut out_of_order = {
        let row = |id| Notice { id, ..wanted() };
        let mut draft = newer();
        let raw = encode_notices(&[row(7), row(9)]).unwrap();
        draft = draft.with_chunks(&[&[row(7), row(9)]]);
        draft.set_chunk(0, &raw);
        draft
    };
    // The second difference becomes 0: the same key twice.
    let at = encode_notices(&[Notice { id: 7, ..wanted() }, Notice { id: 9, ..wanted() }])
        .unwrap()
        .iter()
        .position(|byte| *byte == 7)
        .unwrap();
    let mut raw =
        encode_notices(&[Notice { id: 7, ..wanted() }, Notice { id: 9, ..wanted() }]).unwrap();
    raw[at + 1] = 0;
    out_of_order.set_chunk(0, &raw);

    vec![
        // The file.
        ("not-a-package", "another-kind-of-file", b"PK\x03\x04 a list as a zip file".to_vec()),
        ("not-a-package", "taken-for-text", {
            let package = newer().encode();
            [b"FCSNAP\n\n", &package[8..]].concat()
        }),
        ("not-a-package", "huge-section", {
            let mut package = newer().encode();
            package[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
            package
        }),
        ("not-a-package", "cut-in-the-manifest", newer().encode()[..900].to_vec()),
        ("trailing-bytes", "one-byte-more", [newer().encode(), vec![0]].concat()),
        // Chunks.
        ("damaged-chunk", "swapped-chunks", with_chunks(|it| vec![it[1].clone(), it[0].clone()])),
        ("damaged-chunk", "missing-chunk", with_chunks(|it| it[..1].to_vec())),
        ("damaged-chunk", "repeated-chunk", with_chunks(|it| vec![it[0].clone(); 2])),
        ("trailing-bytes", "chunk-too-many", {
            with_chunks(|it| vec![it[0].clone(), it[1].clone(), it[1].clone()])
        }),
        ("damaged-chunk", "reordered-and-signed-so", {
            let package = newer_in_two().encode();
            let reversed: Vec<u8> = chunk_bytes(&package).into_iter().rev().flatten().collect();
            let package = signed_anew(&package, OF_NOTICES, |manifest| manifest.chunks.reverse());
            rejoined(&package, |_, chunks| *chunks = reversed)
        }),
        ("damaged-chunk", "chunk-of-another-package", {
            let other = chunk_bytes(&other_package).concat();
            rejoined(&newer().encode(), |_, chunks| *chunks = other)
        }),
        ("damaged-chunk", "keys-out-of-order", out_of_order.encode()),
        ("damaged-chunk", "bomb", {
            let mut draft = newer();
            draft.chunks[0] = bomb();
            draft.encode()
        }),
        ("damaged-chunk", "not-zstd", changed(|it| it.chunks[0] = b"rows as they are".to_vec())),
        (
            "damaged-chunk",
            "rows-of-the-register",
            changed(|it| {
                it.set_chunk(0, &encode_register(&[citizen_row()]).unwrap());
            }),
        ),
        ("damaged-chunk", "fewer-rows-than-announced", {
            let mut draft = newer_in_two();
            draft.set_chunk(1, &encode_notices(&[wanted()]).unwrap());
            draft.encode()
        }),
        ("damaged-chunk", "tombstone-in-a-full-register", {
            register_package(6, &[RegisterRow { tags: TOMBSTONE, ..citizen_row() }])
        }),
        ("damaged-chunk", "sealed-for-another-region", register_with(&[citizen_row()], 1)),
        ("contradictory", "huge-chunk", {
            signed_anew(&newer().encode(), OF_NOTICES, |it| it.chunks[0].len = u32::MAX)
        }),
        ("contradictory", "huge-decompressed-chunk", {
            changed(|it| it.inner.chunks[0].raw_len = u32::MAX)
        }),
        ("contradictory", "chunk-of-a-region-not-covered", {
            let mut draft = Draft::register();
            draft.inner.regions = vec![1];
            draft.encode()
        }),
        ("contradictory", "rows-do-not-add-up", changed(|it| it.inner.rows = u64::MAX)),
        ("contradictory", "rows-without-a-region-key", {
            let mut draft = Draft::register();
            draft.grant.content_keys = vec![(1, *seed().content_key(Dataset::Register, 48))];
            draft.encode()
        }),
        // Version and time.
        ("not-newer", "older", notices_package(4, &[wanted()])),
        ("not-newer", "the-same-version-without-him", notices_package(5, &[])),
        ("expired", "expired", changed(|it| it.manifest.expires = NOW.0)),
        ("from-the-future", "made-the-day-after-tomorrow", {
            changed(|it| it.manifest.created = NOW.0 + 48 * HOUR)
        }),
        (
            "from-the-future",
            "fast-forward-to-2099",
            changed(|it| {
                it.manifest.version = version(u64::MAX);
                it.manifest.created = 4_070_908_800;
                it.manifest.expires = i64::MAX;
            }),
        ),
        ("wrong-epoch", "epoch-without-a-root", {
            changed(|it| it.manifest.version = SnapshotVersion { epoch: 2, version: 1 })
        }),
        ("app-too-old", "needs-a-newer-program", changed(|it| it.manifest.min_app = u32::MAX)),
        ("dataset-not-supported", "dataset-of-a-later-version", {
            rejoined(&newer().encode(), |sections, _| {
                let signed: SignedManifest =
                    codec::decode(Kind::SignedManifest, &sections.manifest).unwrap();
                let mut manifest = signed.manifest;
                // Behind version, kind and the 16 bytes of the package's id.
                assert_eq!(manifest[DATASET_AT], Dataset::Notices.number());
                manifest[DATASET_AT] = 9;
                let sign = |role: &Role| keyring().sign_manifest(*role, &manifest);
                let signatures = OF_NOTICES.iter().flat_map(sign).collect();
                let signed = SignedManifest { manifest, signatures };
                sections.manifest = codec::encode(Kind::SignedManifest, &signed).unwrap();
            })
        }),
        // Anchors.
        ("signatures", "anchors-signed-by-those-of-the-notices", {
            changed(|it| it.manifest.dataset = Dataset::Anchors)
        }),
        ("damaged-chunk", "notices-as-anchors", {
            let draft = newer();
            let mut anchors = Draft::anchors();
            anchors.set_chunk(0, &encode_notices(&[wanted()]).unwrap());
            anchors.inner.chunks[0] = ChunkInfo {
                raw_len: anchors.inner.chunks[0].raw_len,
                raw_hash: anchors.inner.chunks[0].raw_hash,
                ..draft.inner.chunks[0]
            };
            anchors.inner.rows = 1;
            anchors.encode()
        }),
        ("damaged-chunk", "anchor-longer-than-any", {
            let mut draft = Draft::anchors();
            draft.set_chunk(0, ANCHOR_TOO_LONG);
            draft.encode()
        }),
        ("contradictory", "delta-of-anchors", {
            let mut draft = Draft::anchors();
            draft.manifest.version = version(6);
            draft.manifest.base = Some(base);
            draft.encode()
        }),
        ("contradictory", "anchors-in-many-chunks", {
            signed_anew(&Draft::anchors().encode(), &[Role::Anchors], |it| {
                it.chunks = vec![it.chunks[0]; MAX_ANCHOR_CHUNKS + 1];
            })
        }),
        (
            "contradictory",
            "expires-before-it-was-made",
            changed(|it| {
                it.manifest.created = NOW.0 + 2 * HOUR;
                it.manifest.expires = NOW.0 + HOUR;
            }),
        ),
        // Deltas.
        ("wrong-base", "delta-to-another-version", {
            delta_of(Base { version: 4, ..base }, &[wanted()], 6)
        }),
        ("wrong-base", "delta-to-other-contents", {
            delta_of(Base { manifest: [0; 32], ..base }, &[wanted()], 6)
        }),
        (
            "contradictory",
            "delta-to-itself",
            changed(|it| {
                it.manifest.base = Some(Base { version: 6, ..base });
            }),
        ),
        // Roots and signatures.
        ("no-root", "no-root", under_chain(&RootChain(Vec::new()), newer(), &keyring())),
        ("foreign-root", "root-of-others", {
            let others = Keyring::simulated(9);
            let theirs = others.root(Purpose::Demo, 1, NOW.0 - HOUR, NOW.0 + 24 * HOUR).unwrap();
            under_chain(&chain_of(&others.sign_root(theirs).unwrap()), newer(), &others)
        }),
        ("signatures", "root-signed-by-too-few", chain_signed_by(|it| it[..1].to_vec())),
        ("signatures", "root-signed-twice-by-one", chain_signed_by(|it| vec![it[0].clone(); 2])),
        (
            "stray-signature",
            "root-signed-by-a-stranger-too",
            chain_signed_by(|mut it| {
                it.extend(Keyring::simulated(9).signed_root(root()).signatures);
                it
            }),
        ),
        (
            "root-version",
            "root-that-skips-a-version",
            rotated_with(&[1, 2], |it| {
                it.root_version = 3;
            }),
        ),
        (
            "root-version",
            "root-that-stays-at-its-version",
            rotated_with(&[1, 2], |it| {
                it.root_version = 1;
            }),
        ),
        ("signatures", "rotation-without-the-old-keys", rotated_with(&[2], |_| ())),
        ("signatures", "rotation-without-the-new-keys", rotated_with(&[1], |_| ())),
        ("epoch-back", "rotation-to-an-earlier-epoch", rotated_with(&[1, 2], |it| it.epoch = 0)),
        (
            "weak-key",
            "rotation-to-a-weak-root-key",
            rotated_with(&[1, 2], |it| {
                it.root_keys.keys[2] = weak;
            }),
        ),
        (
            "weak-key",
            "rotation-to-a-weak-author",
            rotated_with(&[1, 2], |it| {
                it.roles[0].keys.keys = vec![weak];
            }),
        ),
        (
            "wrong-purpose",
            "rotation-to-real-use",
            rotated_with(&[1, 2], |it| {
                it.purpose = Purpose::Production;
            }),
        ),
        (
            "root-expired",
            "rotation-to-an-expired-root",
            rotated_with(&[1, 2], |it| {
                it.made = NOW.0 - 2 * HOUR;
                it.expires = NOW.0;
            }),
        ),
        ("signatures", "signed-by-revoked-keys", {
            under_chain(&handed_over(1), newer(), &keyring())
        }),
        (
            "contradictory",
            "one-person-in-both-sets",
            rotated_with(&[1, 2], |it| {
                it.roles[1].keys = it.roles[0].keys.clone();
            }),
        ),
        ("signatures", "author-without-approver", {
            changed(|it| it.roles = vec![Role::NoticesAuthor])
        }),
        ("signatures", "author-signs-twice", {
            changed(|it| it.roles = vec![Role::NoticesAuthor; 2])
        }),
        ("signatures", "signed-by-the-registers-key", {
            changed(|it| it.roles = vec![Role::NoticesAuthor, Role::Register])
        }),
        ("signatures", "not-signed", changed(|it| it.roles.clear())),
        // Sealing.
        ("not-for-this-device", "revoked-device", revoked),
        ("envelope", "envelope-of-another-package", {
            let envelope = sections_of_other.envelope.clone();
            rejoined(&newer().encode(), |sections, _| sections.envelope = envelope)
        }),
        ("inner", "inner-manifest-of-another-package", {
            let inner = sections_of_other.inner.clone();
            rejoined(&newer().encode(), |sections, _| sections.inner = inner)
        }),
        ("contradictory", "both-of-another-package-and-signed-so", {
            let (envelope, inner) =
                (sections_of_other.envelope.clone(), sections_of_other.inner.clone());
            let refs = (PartRef::of(&envelope), PartRef::of(&inner));
            let package = signed_anew(&newer().encode(), OF_NOTICES, |manifest| {
                manifest.envelopes = vec![refs.0];
                manifest.inner = refs.1;
            });
            rejoined(&package, |sections, _| {
                sections.envelope = envelope;
                sections.inner = inner;
            })
        }),
        ("undecodable", "manifest-with-a-byte-more", {
            rejoined(&newer().encode(), |sections, _| sections.manifest.push(0))
        }),
    ]
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/attacks")
}

/// Returns the files as refusal/name.fcsnap.
fn files() -> BTreeMap<String, Vec<u8>> {
    let attacks = attacks();
    let count = attacks.len();
    let files: BTreeMap<String, Vec<u8>> = attacks
        .into_iter()
        .map(|(code, name, bytes)| (format!("{code}/{name}.fcsnap"), bytes))
        .collect();
    assert_eq!(files.len(), count, "two attacks have one name");
    files
}

#[test]
fn the_files_are_the_attacks_of_today() {
    let files = files();
    if std::env::var_os("FIELDCHECK_BLESS").is_some_and(|value| value == "1") {
        for (name, bytes) in &files {
            let path = folder().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        std::fs::write(folder().join("installed.fcsnap"), installed()).unwrap();
    }
    for (name, bytes) in &files {
        let found = std::fs::read(folder().join(name)).unwrap_or_default();
        assert!(found == *bytes, "{name} is another; if that is meant, FIELDCHECK_BLESS=1");
    }
    let mut found = 0;
    for code in std::fs::read_dir(folder()).unwrap() {
        let code = code.unwrap().path();
        found += if code.is_dir() { std::fs::read_dir(code).unwrap().count() } else { 0 };
    }
    assert_eq!(found, files.len(), "a file that is no attack of today");
}

fn card() -> Document {
    let payload = "048088999901|201999901|Nguyễn Văn Mẫu|02031988|Nam|Đà Nẵng|10052022";
    qr::parse(payload.as_bytes()).unwrap()
}

/// What must not change by an attack: answer, version, and everything that is trusted.
fn standing(session: &mut Session) -> String {
    let answer = session.judge(&card()).unwrap();
    let trust = session.trust().unwrap();
    let version = session.lookup().notices().map(|notices| notices.manifest.version);
    let floor = trust.time.lower;
    let held = (trust.root_hash, trust.notices, trust.register, trust.anchors);
    format!("{:?} {version:?} {held:?} {floor:?}", answer.verdict)
}

#[test]
fn every_attack_is_refused_by_its_name_and_leaves_nothing() {
    let enrolled = Enrolled::new();
    let (mut device, mut session) = enrolled.unlock();
    let path = enrolled.package(&installed());
    device.install(&mut session, &path, |_| Proceed::Continue).unwrap();
    let before = standing(&mut session);
    assert!(before.starts_with(&format!("{:?}", Verdict::Match)), "{before}");
    let store = session.store_folder();
    let names = || -> Vec<_> {
        let entries = std::fs::read_dir(&store).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    };
    for (name, bytes) in files() {
        let code = name.split('/').next().unwrap();
        let path = enrolled.package(&bytes);
        match device.install(&mut session, &path, |_| Proceed::Continue) {
            Err(DeviceError::Install(InstallError::Refused(refusal))) => {
                assert_eq!(refusal.code(), code, "{name}: {refusal:?}");
            }
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(standing(&mut session), before, "{name}");
        assert_eq!(names().len(), 1, "{name} left a file");
    }
    drop((device, session));
    let (_, mut session) = enrolled.unlock();
    assert_eq!(standing(&mut session), before, "after a restart");
}

#[test]
fn demonstration_data_is_refused_where_the_use_is_real() {
    let enrolled = Enrolled::for_purpose(Purpose::Production);
    let (mut device, mut session) = enrolled.unlock();
    let path = enrolled.package(&installed());
    let refused = device.install(&mut session, &path, |_| Proceed::Continue).unwrap_err();
    let DeviceError::Install(InstallError::Refused(refusal)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(refusal.code(), "wrong-purpose");
}

#[test]
fn a_file_that_changes_while_it_is_read_is_refused() {
    let enrolled = Enrolled::new();
    let (mut device, mut session) = enrolled.unlock();
    // Long enough that the last chunk is not yet in the reader's buffer when the first is done.
    let marks = |id: u64| format!("{:x}", u128::from(id) * 0x9E37_79B9_7F4A_7C15_F39C);
    let rows: Vec<Notice> =
        (1..=30_000).map(|id| Notice { id, marks: marks(id), ..wanted() }).collect();
    let package = notices_package(5, &rows);
    let path = enrolled.package(&package);
    let refused = device.install(&mut session, &path, |_| {
        let mut changed = package.clone();
        *changed.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &changed).unwrap();
        Proceed::Continue
    });
    match refused {
        Err(DeviceError::Install(InstallError::Refused(refusal))) => {
            assert_eq!(refusal.code(), "damaged-chunk");
        }
        other => panic!("{other:?}"),
    }
    assert!(session.lookup().notices().is_none());
}

#[test]
fn the_greatest_version_in_the_year_2099_is_recovered_from_by_a_raised_epoch() {
    let enrolled = Enrolled::new();
    let (mut device, mut session) = enrolled.unlock();
    // Somebody set the clock far ahead, as far as the root lasts, and both keys signed there.
    let far = NOW.plus_seconds(364 * 24 * HOUR);
    let frozen =
        Terms { version: version(u64::MAX), created: far.0, expires: i64::MAX, ..terms(6) };
    enrolled.clock.set(far);
    let built = build::notices(&[wanted()], frozen, &units(), &seed()).unwrap();
    let path = enrolled.package(&package(&built, OF_NOTICES));
    device.install(&mut session, &path, |_| Proceed::Continue).unwrap();
    enrolled.clock.set(NOW);
    let path = enrolled.package(&notices_package(7, &[]));
    assert!(device.install(&mut session, &path, |_| Proceed::Continue).is_err(), "frozen");
    // The emergency root: other people, a raised epoch, and time that begins anew.
    let mut recovery = newer();
    recovery.manifest.version = SnapshotVersion { epoch: 2, version: 1 };
    recovery.manifest.created = NOW.0 - HOUR;
    let recovery = under_chain(&handed_over(2), recovery, &Keyring::simulated(2));
    let path = enrolled.package(&recovery);
    device.install(&mut session, &path, |_| Proceed::Continue).unwrap();
    let notices = session.lookup().notices().expect("notices");
    assert_eq!(notices.manifest.version, SnapshotVersion { epoch: 2, version: 1 });
    assert_eq!(session.time().unwrap().upper, NOW, "time began anew");
    // Lists of the people before are no good any more, however high their version.
    let path = enrolled.package(&notices_package(u64::MAX, &[]));
    assert!(device.install(&mut session, &path, |_| Proceed::Continue).is_err());
    drop((device, session));
    let (_, session) = enrolled.unlock();
    assert_eq!(session.lookup().notices().expect("notices").manifest.version.epoch, 2);
}
