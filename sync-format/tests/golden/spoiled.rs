//! The invalid files: each a sample with one thing wrong. Where the library refuses to write it,
//! wincode does.

use sync_format::limits;
use sync_format::v1::message::*;
use sync_format::v1::notice::Category;
use sync_format::v1::package::*;
use sync_format::v1::record::*;

use super::samples::{self, encode};
use super::{Dataset, Kind, Sections, codec, layout, mirror};

type Files = Vec<(String, Vec<u8>)>;

pub fn invalid_files() -> Files {
    let mut files = Files::new();
    let mut add = |error_type: &str, spoiled: Vec<(&str, Vec<u8>)>| {
        for (variant, bytes) in spoiled {
            files.push((format!("{error_type}/{variant}.bin"), bytes));
        }
    };
    add("decode-error", values());
    add("chunk-error", chunks());
    add("notice-error", notices());
    add("package-error", documents());
    add("message-error", messages());
    add("layout-error", packages());
    add("body-error", bodies());
    files
}

fn values() -> Vec<(&'static str, Vec<u8>)> {
    let root = encode(Kind::Root, &samples::root());
    // Version, kind, purpose, epoch: one byte each.
    let with = |range: std::ops::Range<usize>, bytes: &[u8]| {
        let mut root = root.clone();
        root.splice(range, bytes.iter().copied());
        root
    };
    let person = |name: &[u8], birth: u32| {
        // Report, reason, length and text, date of four bytes, no number.
        let start = [1, Kind::Body.number(), 4, 4, name.len() as u8];
        [&start, name, &[252], &birth.to_le_bytes(), &[0]].concat()
    };
    let limit = limits::MAX_RECORD_HEADER_BYTES;
    let mut too_long = vec![0; limit + 1];
    too_long[..2].copy_from_slice(&[1, Kind::RecordHeader.number()]);
    vec![
        ("too-long", too_long),
        ("truncated", root[..root.len() - 1].to_vec()),
        ("wrong-version", with(0..1, &[2])),
        ("wrong-kind", with(1..2, &[0xee])),
        ("limit-exceeded", vec![1, 2, 253, 0, 0, 0, 0, 0, 1, 0, 0]),
        ("unknown-number", with(2..3, &[3])),
        ("impossible", person(b"MAU", 19880230)),
        ("not-text", person(b"M\xffU", 19880228)),
        ("too-wide", with(3..4, &[253, 1, 0, 0, 0, 0, 0, 0, 0])),
        ("trailing", [&root[..], &[0]].concat()),
        ("not-canonical", with(3..4, &[251, 1, 0])),
    ]
}

fn notice_columns(change: impl FnOnce(&mut mirror::NoticeColumns)) -> Vec<u8> {
    let raw = samples::raw_chunk(Dataset::Notices);
    let mut columns: mirror::NoticeColumns = mirror::read(&raw[2..]);
    change(&mut columns);
    [&raw[..2], &mirror::write(&columns)].concat()
}

fn register_columns(change: impl FnOnce(&mut mirror::RegisterColumns)) -> Vec<u8> {
    let raw = samples::raw_chunk(Dataset::Register);
    let mut columns: mirror::RegisterColumns = mirror::read(&raw[2..]);
    change(&mut columns);
    [&raw[..2], &mirror::write(&columns)].concat()
}

fn anchor_columns(change: impl FnOnce(&mut mirror::AnchorColumns)) -> Vec<u8> {
    let raw = samples::raw_chunk(Dataset::Anchors);
    let mut columns: mirror::AnchorColumns = mirror::read(&raw[2..]);
    change(&mut columns);
    [&raw[..2], &mirror::write(&columns)].concat()
}

fn chunks() -> Vec<(&'static str, Vec<u8>)> {
    let raw = samples::raw_chunk(Dataset::Notices);
    vec![
        ("decode", raw[..raw.len() - 1].to_vec()),
        ("row-count", register_columns(|it| *it = mirror::RegisterColumns::default())),
        ("column-length", notice_columns(|it| it.marks.lengths.truncate(11))),
        // "Trần Văn Mẫu" is cut inside its third character.
        (
            "text-cut",
            notice_columns(|it| {
                let first = it.names.lengths[0];
                it.names.lengths[0] = 3;
                it.names.lengths[1] += first - 3;
            }),
        ),
        ("not-ascending", notice_columns(|it| it.ids[1] = 0)),
        ("number-range", register_columns(|it| it.numbers[4][6] = 0xe8)),
        ("unused-bits", register_columns(|it| it.tags[3][2] |= 0x08)),
        ("anchor-length", anchor_columns(|it| it.lengths[0] = 8_193)),
    ]
}

fn notices() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("no-order-number", notice_columns(|it| it.ids[0] = 0)),
        ("missing-basis", notice_columns(|it| it.decisions.set(0, ""))),
        ("unknown-ground", notice_columns(|it| it.codes.set(0, "interest"))),
        ("unlawful-ground", notice_columns(|it| it.codes.set(0, "117;331"))),
        ("validity", notice_columns(|it| it.valid_to[0] = 20250109)),
        ("action", notice_columns(|it| it.actions[0] = 2)),
        ("nothing-to-recognise", notice_columns(|it| it.names.set(0, ""))),
        ("describes-owner", notice_columns(|it| it.marks.set(9, "cao 1,65 m"))),
        ("text", notice_columns(|it| it.names.set(0, "Tra\u{302}\u{300}n Va\u{306}n Mẫu"))),
        ("too-long", notice_columns(|it| it.marks.set(0, &"x".repeat(121)))),
        ("number-shape", notice_columns(|it| it.numbers.set(0, "04808899990X"))),
        (
            "number-twice",
            notice_columns(|it| {
                it.numbers.set(1, "048088999901");
                it.number_kinds[1] = it.number_kinds[0];
            }),
        ),
    ]
}

fn documents() -> Vec<(&'static str, Vec<u8>)> {
    let root = |change: fn(&mut Root)| {
        let mut root = samples::root();
        change(&mut root);
        encode(Kind::Root, &root)
    };
    let manifest = |change: fn(&mut Manifest)| {
        let mut manifest = samples::manifest(Dataset::Notices);
        change(&mut manifest);
        encode(Kind::Manifest, &manifest)
    };
    let envelope = |change: fn(&mut Envelope)| {
        let mut envelope = samples::envelope(Dataset::Notices);
        change(&mut envelope);
        encode(Kind::Envelope, &envelope)
    };
    let grant = |change: fn(&mut Grant)| {
        let mut grant = samples::grant(Dataset::Notices);
        change(&mut grant);
        encode(Kind::Grant, &grant)
    };
    let inner = |dataset, change: fn(&mut InnerManifest)| {
        let mut inner = samples::inner(dataset);
        change(&mut inner);
        encode(Kind::InnerManifest, &inner)
    };
    use Dataset::{Notices, Register};
    vec![
        ("decode", encode(Kind::Root, &samples::root())[..40].to_vec()),
        ("threshold", root(|it| it.root_keys.threshold = 4)),
        ("key-twice", root(|it| it.root_keys.keys[2] = it.root_keys.keys[0])),
        ("role-twice", root(|it| it.roles[2].role = Role::NoticesAuthor)),
        ("author-approves", root(|it| it.roles[1].keys = it.roles[0].keys.clone())),
        ("root-version", root(|it| it.root_version = 0)),
        (
            "base-not-before",
            manifest(|it| it.base = Some(Base { version: 3_184, manifest: [5; 32] })),
        ),
        (
            "no-deltas",
            manifest(|it| {
                it.dataset = Dataset::Anchors;
                it.base = Some(Base { version: 3_183, manifest: [5; 32] });
            }),
        ),
        ("times", manifest(|it| it.expires = it.created)),
        ("freshness", manifest(|it| it.freshness.fresh_hours = 73)),
        (
            "chunk-count",
            manifest(|it| {
                it.dataset = Dataset::Anchors;
                it.chunks = vec![it.chunks[0]; limits::MAX_ANCHOR_CHUNKS + 1];
            }),
        ),
        ("part-length", manifest(|it| it.chunks[0].len = 0)),
        ("envelopes", manifest(|it| it.envelopes.clear())),
        ("runs", envelope(|it| it.chunks[0].count = 2)),
        ("recipients", envelope(|it| it.recipients[0].wrapped.truncate(47))),
        ("grant-keys", grant(|it| it.content_keys.clear())),
        ("withdrawn", inner(Notices, |it| it.withdrawn = vec![101])),
        ("other-package", inner(Notices, |it| it.package = [9; 16])),
        ("chunks-differ", inner(Notices, |it| it.chunks.clear())),
        ("key-range", inner(Register, |it| it.chunks[0].last = it.chunks[0].first + 1)),
        ("chunk-rows", inner(Notices, |it| it.chunks[0].rows = 0)),
        ("row-sum", inner(Notices, |it| it.rows += 1)),
        ("regions", inner(Register, |it| it.regions.reverse())),
        ("tag-key", inner(Register, |it| it.tag_key = None)),
        ("counts", inner(Notices, |it| it.counts[0] = (Category::W1, 2))),
    ]
}

fn messages() -> Vec<(&'static str, Vec<u8>)> {
    let mut withdrawal = samples::withdrawal();
    withdrawal.notices.reverse();
    let release = Release { label: "0.2\n".to_owned(), ..samples::release() };
    let mut index = samples::index();
    index.entries.reverse();
    vec![
        ("notices", encode(Kind::Withdrawal, &withdrawal)),
        ("release", encode(Kind::Release, &release)),
        ("entries", encode(Kind::Index, &index)),
    ]
}

/// A package around this chunk, sealed as it should be, whose manifests promise the given lengths.
fn package_with(chunk: &[u8], len: Option<usize>, raw_len: usize) -> Vec<u8> {
    let mut inner = samples::inner(Dataset::Notices);
    inner.chunks[0].raw_len = raw_len as u32;
    let mut manifest = samples::manifest(Dataset::Notices);
    let inner = samples::seal_inner(Dataset::Notices, &inner);
    manifest.inner = PartRef::of(&inner);
    let chunk = samples::seal_chunk(Dataset::Notices, chunk);
    manifest.chunks = vec![PartRef::of(&chunk)];
    if let Some(len) = len {
        manifest.chunks[0].len = len as u32;
    }
    let signed = SignedManifest {
        manifest: encode(Kind::Manifest, &manifest),
        ..samples::signed_manifest(Dataset::Notices)
    };
    let sections = Sections {
        manifest: encode(Kind::SignedManifest, &signed),
        inner,
        ..samples::sections(Dataset::Notices)
    };
    let mut bytes = Vec::new();
    layout::write_sections(&mut bytes, &sections).unwrap();
    bytes.extend_from_slice(&chunk);
    bytes
}

fn packages() -> Vec<(&'static str, Vec<u8>)> {
    let package = samples::package_file(Dataset::Notices);
    let chunk = samples::compressed_chunk(Dataset::Notices);
    let raw_len = samples::raw_chunk(Dataset::Notices).len();
    let with = |at: usize, bytes: &[u8]| {
        let mut package = package.clone();
        package[at..at + bytes.len()].copy_from_slice(bytes);
        package
    };
    let last = package.len() - 1;
    let bomb = layout::compress(&vec![0; 4_000_000]).unwrap();
    vec![
        ("not-a-package", with(0, b"PK\x03\x04")),
        ("section-length", with(8, &u32::MAX.to_le_bytes())),
        ("truncated", package[..last].to_vec()),
        ("trailing", [&package[..], b"\n"].concat()),
        ("chunk-length", package_with(&chunk, Some(u32::MAX as usize), raw_len)),
        ("chunk-hash", with(last, &[package[last] ^ 1])),
        ("not-compressed", package_with(b"rows as they are", None, raw_len)),
        ("bomb", package_with(&bomb, None, 10_000)),
        ("raw-length", package_with(&chunk, None, raw_len + 1)),
    ]
}

fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    let padded = |body: &Body| pad(&codec::encode(Kind::Body, body).unwrap()).unwrap();
    let bodies = samples::bodies();
    let body = |name: &str| bodies.iter().find(|(it, _)| *it == name).unwrap().1.clone();
    let Body::Outcome { check, notice, why, person, .. } = body("outcome") else {
        panic!("the sample is an outcome");
    };
    let outcome = Outcome::CouldNotTell;
    let Body::Hit { unit, channel, reason, verdict, .. } = body("hit") else {
        panic!("the sample is a hit");
    };
    let event = padded(&body("event"));
    let mut odd_padding = event.clone();
    odd_padding[255] = 1;
    vec![
        ("length", event[..255].to_vec()),
        ("padding", odd_padding),
        ("decode", pad(&[1, 11, 99]).unwrap()),
        ("person-not-confirmed", padded(&Body::Outcome { check, notice, outcome, why, person })),
        ("notices", padded(&Body::Hit { unit, channel, reason, verdict, notices: vec![101, 101] })),
    ]
}
