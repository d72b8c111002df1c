//! Golden files: the bytes of today, valid and invalid, and a second reader for them.
//!
//! `tests/data/valid` holds one file for each value of [`samples`]; `tests/data/invalid` holds one
//! file for each way of being wrong, in a folder named for the error type and under the name of the
//! variant that it must give. With `SYNC_FORMAT_BLESS=1` the files are written instead of compared:
//! until version 1.0 the bytes may change, but never unseen.
//!
//! The second reader is wincode over structures of its own ([`mirror`]): it proves that the format
//! is what README.md says and not what one library happens to do, and that bincode, which nobody
//! maintains, can be replaced.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod allocations;
mod mirror;
mod names;
mod samples;
mod spoiled;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

use sync_format::codec::{self, DecodeError, Kind};
use sync_format::v1::anchors::decode_anchors;
use sync_format::v1::columns::ChunkError;
use sync_format::v1::message::{self, MessageError};
use sync_format::v1::notice::{NoticeError, decode_notices};
use sync_format::v1::package::layout::{self, LayoutError, Sections};
use sync_format::v1::package::seal::{self, Part};
use sync_format::v1::package::{self, Dataset, PackageError};
use sync_format::v1::record::{self, BodyError};
use sync_format::v1::register::{self, decode_register};

#[test]
fn valid_files_are_the_bytes_of_today() {
    compare("valid", &samples::valid_files());
}

#[test]
fn invalid_files_are_the_bytes_of_today() {
    compare("invalid", &spoiled::invalid_files());
}

#[test]
fn valid_files_read_as_the_values_they_were_made_of() {
    fn check<T: bincode::Decode<()> + bincode::Encode + PartialEq + std::fmt::Debug>(
        kind: Kind,
        name: &str,
        expected: &T,
    ) {
        assert_eq!(&codec::decode::<T>(kind, &valid(name)).expect(name), expected, "{name}");
    }
    check(Kind::Root, "root.bin", &samples::root());
    check(Kind::RootChain, "root-chain.bin", &samples::root_chain());
    for (dataset, name) in samples::DATASETS {
        let file = |part: &str| format!("{name}-{part}");
        check(Kind::Manifest, &file("manifest.bin"), &samples::manifest(dataset));
        check(
            Kind::SignedManifest,
            &file("signed-manifest.bin"),
            &samples::signed_manifest(dataset),
        );
        check(Kind::Envelope, &file("envelope.bin"), &samples::envelope(dataset));
        check(Kind::Grant, &file("grant.bin"), &samples::grant(dataset));
        check(Kind::InnerManifest, &file("inner-manifest.bin"), &samples::inner(dataset));
    }
    check(Kind::Withdrawal, "withdrawal.bin", &samples::withdrawal());
    check(Kind::SignedWithdrawal, "signed-withdrawal.bin", &samples::signed_withdrawal());
    check(Kind::Release, "release.bin", &samples::release());
    check(Kind::SignedRelease, "signed-release.bin", &samples::signed_release());
    check(Kind::Index, "index.bin", &samples::index());
    check(Kind::Installed, "installed.bin", &samples::installed());
    check(Kind::SignedInstalled, "signed-installed.bin", &samples::signed_installed());
    assert_eq!(decode_notices(&valid("notices-chunk.bin")).unwrap(), samples::notices());
    assert_eq!(decode_register(&valid("register-chunk.bin")).unwrap(), samples::register());
    assert_eq!(decode_anchors(&valid("anchors-chunk.bin")).unwrap(), samples::anchors());
    check(Kind::RecordHeader, "record-header.bin", &samples::record_header());
    check(Kind::Record, "record.bin", &samples::record());
    for (name, body) in samples::bodies() {
        let padded = valid(&format!("body-{name}.bin"));
        assert_eq!(record::decode_body(&padded).unwrap(), body, "{name}");
    }
}

#[test]
fn valid_packages_can_be_read_to_their_end() {
    for (dataset, name) in samples::DATASETS {
        let rows = read_package(&valid(&format!("{name}.fcsnap"))).expect(name);
        assert_eq!(rows, [samples::raw_chunk(dataset)], "{name}");
        let outer = samples::manifest(dataset);
        outer.validate().expect(name);
        samples::envelope(dataset).validate(&outer).expect(name);
        samples::grant(dataset).validate(&outer).expect(name);
        samples::inner(dataset).validate(&outer).expect(name);
    }
    samples::root().validate().unwrap();
    samples::withdrawal().validate().unwrap();
    samples::release().validate().unwrap();
    samples::index().validate().unwrap();
}

#[test]
fn the_register_of_the_golden_file_answers() {
    let key = samples::tag_key();
    let people = samples::registered();
    for (row, person) in decode_register(&valid("register-chunk.bin")).unwrap().iter().zip(&people)
    {
        assert_eq!(row.number, person.number);
        assert_eq!(key.status(*row), Ok(person.status));
        assert_eq!(key.name_agrees(*row, person.name), register::Agreement::Agrees);
    }
}

#[test]
fn every_invalid_file_is_refused_for_the_reason_in_its_name() {
    bless();
    let files = files_below(&data("invalid"));
    assert!(!files.is_empty());
    for file in files {
        let reason = file.file_stem().unwrap().to_str().unwrap();
        let error_type = file.parent().unwrap().file_name().unwrap().to_str().unwrap();
        let bytes = fs::read(&file).unwrap();
        let refusal = match error_type {
            "decode-error" => names::decode_error(&refused(read_value(&bytes))),
            "chunk-error" => names::chunk_error(&refused(read_chunk(&bytes))),
            "notice-error" => match refused(read_chunk(&bytes)) {
                ChunkError::Notice { error, .. } => names::notice_error(&error),
                other => panic!("{}: {other:?}", file.display()),
            },
            "package-error" => names::package_error(&refused(read_document(&bytes))),
            "message-error" => names::message_error(&refused(read_message(&bytes))),
            "layout-error" => names::layout_error(&refused(read_package(&bytes))),
            "body-error" => names::body_error(&refused(record::decode_body(&bytes))),
            other => panic!("a folder for no error type: {other}"),
        };
        assert_eq!(kebab(refusal), reason, "{}", file.display());
    }
}

#[test]
fn every_way_of_being_wrong_has_a_file() {
    bless();
    // Each exception with its reason.
    let without_file: &[(&str, &str, &str)] = &[
        ("chunk-error", "encode", "only writing gives it"),
        ("chunk-error", "notice", "its files are those of notice-error"),
        ("package-error", "encode", "only writing gives it"),
        ("layout-error", "io", "the source breaks, not the bytes"),
        ("body-error", "too-long", "only writing gives it"),
    ];
    for (error_type, variants) in names::ALL {
        for variant in *variants {
            let variant = kebab(variant);
            let file = data("invalid").join(error_type).join(format!("{variant}.bin"));
            let excepted =
                without_file.iter().any(|(of, name, _)| of == error_type && *name == variant);
            assert_ne!(file.exists(), excepted, "{}", file.display());
        }
    }
}

#[test]
fn wincode_reads_the_same_values() {
    use mirror::{Same, read};
    fn check<M: for<'de> mirror::Readable<'de> + mirror::Writable + Same<T>, T>(
        name: &str,
        expected: &T,
    ) {
        let bytes = valid(name);
        let value: M = read(&bytes[2..]);
        assert!(value.same(expected), "{name}");
        assert_eq!(mirror::write(&value), bytes[2..], "{name}");
    }
    check::<mirror::Root, _>("root.bin", &samples::root());
    check::<mirror::RootChain, _>("root-chain.bin", &samples::root_chain());
    for (dataset, name) in samples::DATASETS {
        let file = |part: &str| format!("{name}-{part}");
        check::<mirror::Manifest, _>(&file("manifest.bin"), &samples::manifest(dataset));
        check::<mirror::SignedManifest, _>(
            &file("signed-manifest.bin"),
            &samples::signed_manifest(dataset),
        );
        check::<mirror::Envelope, _>(&file("envelope.bin"), &samples::envelope(dataset));
        check::<mirror::Grant, _>(&file("grant.bin"), &samples::grant(dataset));
        check::<mirror::InnerManifest, _>(&file("inner-manifest.bin"), &samples::inner(dataset));
    }
    check::<mirror::Withdrawal, _>("withdrawal.bin", &samples::withdrawal());
    check::<mirror::SignedWithdrawal, _>("signed-withdrawal.bin", &samples::signed_withdrawal());
    check::<mirror::Release, _>("release.bin", &samples::release());
    check::<mirror::SignedRelease, _>("signed-release.bin", &samples::signed_release());
    check::<mirror::Index, _>("index.bin", &samples::index());
    check::<mirror::Installed, _>("installed.bin", &samples::installed());
    check::<mirror::SignedInstalled, _>("signed-installed.bin", &samples::signed_installed());
    check::<mirror::NoticeColumns, _>("notices-chunk.bin", &samples::notices());
    check::<mirror::RegisterColumns, _>("register-chunk.bin", &samples::register());
    check::<mirror::AnchorColumns, _>("anchors-chunk.bin", &samples::anchors());
    check::<mirror::RecordHeader, _>("record-header.bin", &samples::record_header());
    check::<mirror::Record, _>("record.bin", &samples::record());
    for (name, body) in samples::bodies() {
        let padded = valid(&format!("body-{name}.bin"));
        let bytes = record::unpad(&padded).unwrap();
        let value: mirror::Body = read(&bytes[2..]);
        assert!(value.same(&body), "{name}");
        assert_eq!(mirror::write(&value), bytes[2..], "{name}");
    }
}

#[test]
fn a_hostile_length_at_any_place_takes_no_memory() {
    for (name, bytes) in samples::valid_files() {
        if name.ends_with(".fcsnap") || name.starts_with("body-") {
            continue;
        }
        let kind = Kind::from_number(bytes[1]).unwrap();
        for at in 2..bytes.len() {
            // 2^40, 2^24 and 65,535 things follow.
            for length in [
                [&[253][..], &(1u64 << 40).to_le_bytes()].concat(),
                [&[252][..], &(1u32 << 24).to_le_bytes()].concat(),
                vec![251, 0xff, 0xff],
            ] {
                let hostile = [&bytes[..at], &length, &bytes[at + 1..]].concat();
                allocations::reset();
                let _ = read_value(&hostile);
                let largest = allocations::largest();
                assert!(
                    largest <= (4 * kind.max_bytes()).max(64 << 10),
                    "{name}: {largest} bytes at once for a length at {at}"
                );
            }
        }
    }
}

#[test]
fn a_hostile_length_of_a_list_is_named_so() {
    let chunks = samples::DATASETS.map(|(_, name)| format!("{name}-chunk.bin"));
    let root_chain = "root-chain.bin".to_owned();
    for name in chunks.iter().chain([&root_chain]) {
        let (at, bytes) = (2, valid(name));
        let kind = Kind::from_number(bytes[1]).unwrap();
        let length = [&[253][..], &(1u64 << 40).to_le_bytes()].concat();
        let hostile = [&bytes[..at], &length, &bytes[at + 1..]].concat();
        assert_eq!(read_value(&hostile), Err(DecodeError::LimitExceeded { kind }), "{name}");
    }
}

#[test]
fn a_flipped_bit_anywhere_is_read_or_refused_and_nothing_worse() {
    for (name, bytes) in samples::valid_files() {
        for at in 0..bytes.len() {
            for bit in [0, 3, 7] {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                if name.ends_with(".fcsnap") {
                    // The next test reads these.
                } else if name.starts_with("body-") {
                    let _ = record::decode_body(&flipped);
                } else {
                    let _ = read_value(&flipped);
                    let _ = read_chunk(&flipped);
                    let _ = read_document(&flipped);
                }
            }
        }
    }
}

#[test]
fn a_flipped_bit_in_a_package_never_gives_other_rows() {
    for (dataset, name) in samples::DATASETS {
        let bytes = valid(&format!("{name}.fcsnap"));
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            match read_package(&flipped).unwrap_or_default().as_slice() {
                [] => (),
                rows => assert!(rows == [samples::raw_chunk(dataset)], "{name}: byte {at}"),
            }
        }
    }
}

/// Decodes a value of the kind that its second byte names; a root when it names none.
fn read_value(bytes: &[u8]) -> Result<(), DecodeError> {
    let kind = bytes.get(1).and_then(|number| Kind::from_number(*number)).unwrap_or(Kind::Root);
    match kind {
        Kind::Root => codec::decode::<package::Root>(kind, bytes).map(drop),
        Kind::RootChain => codec::decode::<package::RootChain>(kind, bytes).map(drop),
        Kind::Manifest => codec::decode::<package::Manifest>(kind, bytes).map(drop),
        Kind::SignedManifest => codec::decode::<package::SignedManifest>(kind, bytes).map(drop),
        Kind::Envelope => codec::decode::<package::Envelope>(kind, bytes).map(drop),
        Kind::InnerManifest => codec::decode::<package::InnerManifest>(kind, bytes).map(drop),
        Kind::NoticeChunk | Kind::RegisterChunk | Kind::AnchorChunk => match read_chunk(bytes) {
            Err(ChunkError::Decode(error)) => Err(error),
            _ => Ok(()),
        },
        Kind::RecordHeader => codec::decode::<record::RecordHeader>(kind, bytes).map(drop),
        Kind::Record => codec::decode::<record::Record>(kind, bytes).map(drop),
        Kind::Body => codec::decode::<record::Body>(kind, bytes).map(drop),
        Kind::Grant => codec::decode::<package::Grant>(kind, bytes).map(drop),
        Kind::Withdrawal => codec::decode::<message::Withdrawal>(kind, bytes).map(drop),
        Kind::SignedWithdrawal => codec::decode::<message::SignedWithdrawal>(kind, bytes).map(drop),
        Kind::Release => codec::decode::<message::Release>(kind, bytes).map(drop),
        Kind::SignedRelease => codec::decode::<message::SignedRelease>(kind, bytes).map(drop),
        Kind::Index => codec::decode::<message::Index>(kind, bytes).map(drop),
        Kind::Installed => codec::decode::<message::Installed>(kind, bytes).map(drop),
        Kind::SignedInstalled => codec::decode::<message::SignedInstalled>(kind, bytes).map(drop),
    }
}

fn read_chunk(bytes: &[u8]) -> Result<(), ChunkError> {
    match bytes.get(1) {
        Some(kind) if *kind == Kind::RegisterChunk.number() => decode_register(bytes).map(drop),
        Some(kind) if *kind == Kind::AnchorChunk.number() => decode_anchors(bytes).map(drop),
        _ => decode_notices(bytes).map(drop),
    }
}

/// Decodes a document and lets it check itself; an inner manifest against the sample's outer one.
fn read_document(bytes: &[u8]) -> Result<(), PackageError> {
    match bytes.get(1).and_then(|number| Kind::from_number(*number)) {
        Some(kind @ Kind::Manifest) => codec::decode::<package::Manifest>(kind, bytes)?.validate(),
        Some(kind @ Kind::Envelope) => codec::decode::<package::Envelope>(kind, bytes)?
            .validate(&samples::manifest(Dataset::Notices)),
        Some(kind @ Kind::Grant) => codec::decode::<package::Grant>(kind, bytes)?
            .validate(&samples::manifest(Dataset::Notices)),
        Some(kind @ Kind::InnerManifest) => {
            let inner: package::InnerManifest = codec::decode(kind, bytes)?;
            let is_of =
                |(dataset, _): &&(Dataset, _)| inner.package == samples::package_id(*dataset);
            let found = samples::DATASETS.iter().find(is_of);
            let dataset = found.map_or(Dataset::Notices, |(dataset, _)| *dataset);
            inner.validate(&samples::manifest(dataset))
        }
        _ => codec::decode::<package::Root>(Kind::Root, bytes)?.validate(),
    }
}

/// Decodes a message and lets it check itself.
fn read_message(bytes: &[u8]) -> Result<(), MessageError> {
    let decoded = "a message that decodes";
    match Kind::from_number(bytes[1]) {
        Some(kind @ Kind::Release) => {
            codec::decode::<message::Release>(kind, bytes).expect(decoded).validate()
        }
        Some(kind @ Kind::Index) => {
            codec::decode::<message::Index>(kind, bytes).expect(decoded).validate()
        }
        _ => {
            codec::decode::<message::Withdrawal>(Kind::Withdrawal, bytes).expect(decoded).validate()
        }
    }
}

/// Reads a package as a device does, except for signatures; returns the raw chunks.
fn read_package(bytes: &[u8]) -> Result<Vec<Vec<u8>>, LayoutError> {
    let mut reader = bytes;
    let sections = layout::read_sections(&mut reader)?;
    // A document that does not decode or open is no matter of the layout; such packages have no
    // chunks here.
    let Some(Documents { manifest, grant, inner }) = documents(&sections) else {
        return Ok(Vec::new());
    };
    let mut chunks = Vec::new();
    for (at, (chunk, info)) in manifest.chunks.iter().zip(&inner.chunks).enumerate() {
        let sealed = layout::read_chunk(&mut reader, chunk)?;
        let region = grant.content_keys[0].0;
        let key = grant.content_key(region).expect("the first of the keys");
        let opened = seal::open(&manifest.package, Part::Chunk(at as u32), key, &sealed);
        let Ok(compressed) = opened else { return Ok(Vec::new()) };
        chunks.push(layout::decompress(&compressed, info.raw_len as usize)?);
    }
    layout::expect_end(&mut reader)?;
    let unchanged = chunks.len() == inner.chunks.len()
        && chunks
            .iter()
            .zip(&inner.chunks)
            .all(|(raw, info)| package::sha256(raw) == info.raw_hash);
    Ok(if unchanged { chunks } else { Vec::new() })
}

struct Documents {
    manifest: package::Manifest,
    grant: package::Grant,
    inner: package::InnerManifest,
}

/// Opens what stands before the chunks with the key of the samples' device.
fn documents(sections: &Sections) -> Option<Documents> {
    let signed: package::SignedManifest =
        codec::decode(Kind::SignedManifest, &sections.manifest).ok()?;
    let manifest: package::Manifest = codec::decode(Kind::Manifest, &signed.manifest).ok()?;
    let envelope: package::Envelope = codec::decode(Kind::Envelope, &sections.envelope).ok()?;
    let package = manifest.package;
    // Hashes first, as the specification has it: what is not signed is not opened.
    let is_signed = manifest.envelopes.contains(&package::PartRef::of(&sections.envelope))
        && manifest.inner == package::PartRef::of(&sections.inner);
    if !is_signed {
        return None;
    }
    let unit_key = seal::unwrap(&package, envelope.recipients.first()?, &samples::device()).ok()?;
    let grant = seal::open(&package, Part::Grant, &unit_key, &envelope.grant).ok()?;
    let grant: package::Grant = codec::decode(Kind::Grant, &grant).ok()?;
    let inner = seal::open(&package, Part::Inner, &grant.inner_key, &sections.inner).ok()?;
    let inner = codec::decode(Kind::InnerManifest, &inner).ok()?;
    (!grant.content_keys.is_empty()).then_some(Documents { manifest, grant, inner })
}

#[track_caller]
fn refused<T, E>(result: Result<T, E>) -> E {
    result.err().expect("an invalid file was accepted")
}

fn data(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder)
}

/// Reads a valid file.
fn valid(name: &str) -> Vec<u8> {
    bless();
    fs::read(data("valid").join(name)).expect(name)
}

/// Writes all files when that is asked for, before the first of them is read.
fn bless() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if std::env::var_os("SYNC_FORMAT_BLESS").is_none_or(|value| value != "1") {
            return;
        }
        for (folder, files) in
            [("valid", samples::valid_files()), ("invalid", spoiled::invalid_files())]
        {
            for (name, bytes) in files {
                let file = data(folder).join(name);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, bytes).unwrap();
            }
        }
    });
}

fn compare(folder: &str, files: &[(String, Vec<u8>)]) {
    bless();
    let folder = data(folder);
    for (name, bytes) in files {
        let file = folder.join(name);
        assert!(
            fs::read(&file).unwrap_or_default() == *bytes,
            "{} has other bytes than are written today; if that is meant, SYNC_FORMAT_BLESS=1",
            file.display()
        );
    }
    let named: BTreeSet<PathBuf> = files.iter().map(|(name, _)| folder.join(name)).collect();
    let found: BTreeSet<PathBuf> = files_below(&folder).into_iter().collect();
    assert_eq!(found, named, "files that no sample makes, or samples without a file");
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// Returns `LimitExceeded` as `limit-exceeded`.
fn kebab(variant: &str) -> String {
    let mut name = String::new();
    for letter in variant.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}
