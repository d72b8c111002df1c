//! The values of the valid files. The people are invented, the issuing state is UTO (ICAO 9303);
//! signatures are fixed bytes, since this package does not verify them.

use std::sync::OnceLock;

use sync_format::v1::anchors::*;
use sync_format::v1::date::{Date, PartialDate};
use sync_format::v1::message::*;
use sync_format::v1::notice::*;
use sync_format::v1::package::seal::{self, Part, SealSecret, Seed};
use sync_format::v1::package::*;
use sync_format::v1::record::*;
use sync_format::v1::register::*;

use super::{Dataset, Kind, Sections, codec, layout};

/// Every dataset, by the name of its files.
pub const DATASETS: [(Dataset, &str); 3] =
    [(Dataset::Notices, "notices"), (Dataset::Register, "register"), (Dataset::Anchors, "anchors")];

pub fn valid_files() -> Vec<(String, Vec<u8>)> {
    let mut files = vec![
        ("root.bin".to_owned(), encode(Kind::Root, &root())),
        ("root-chain.bin".to_owned(), encode(Kind::RootChain, &root_chain())),
        ("record-header.bin".to_owned(), encode(Kind::RecordHeader, &record_header())),
        ("record.bin".to_owned(), encode(Kind::Record, &record())),
        ("withdrawal.bin".to_owned(), encode(Kind::Withdrawal, &withdrawal())),
        ("signed-withdrawal.bin".to_owned(), encode(Kind::SignedWithdrawal, &signed_withdrawal())),
        ("release.bin".to_owned(), encode(Kind::Release, &release())),
        ("signed-release.bin".to_owned(), encode(Kind::SignedRelease, &signed_release())),
        ("index.bin".to_owned(), encode(Kind::Index, &index())),
        ("installed.bin".to_owned(), encode(Kind::Installed, &installed())),
        ("signed-installed.bin".to_owned(), encode(Kind::SignedInstalled, &signed_installed())),
    ];
    for (dataset, name) in DATASETS {
        let mut add = |part: &str, bytes| files.push((format!("{name}{part}"), bytes));
        add("-manifest.bin", encode(Kind::Manifest, &manifest(dataset)));
        add("-signed-manifest.bin", encode(Kind::SignedManifest, &signed_manifest(dataset)));
        add("-envelope.bin", encode(Kind::Envelope, &envelope(dataset)));
        add("-grant.bin", encode(Kind::Grant, &grant(dataset)));
        add("-inner-manifest.bin", encode(Kind::InnerManifest, &inner(dataset)));
        add("-chunk.bin", raw_chunk(dataset));
        add(".fcsnap", package_file(dataset));
    }
    for (name, body) in bodies() {
        files.push((format!("body-{name}.bin"), encode_body(&body).unwrap()));
    }
    files
}

pub fn encode<T: bincode::Encode>(kind: Kind, value: &T) -> Vec<u8> {
    codec::encode(kind, value).unwrap()
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn key_set(threshold: u8, keys: &[u8]) -> KeySet {
    KeySet { threshold, keys: keys.iter().map(|byte| [*byte; 32]).collect() }
}

fn signature(key: u8) -> Signature {
    Signature { key_id: key_id(&[key; 32]), bytes: [key; 64] }
}

pub fn root() -> Root {
    let role = |role, keys| RoleKeys { role, keys };
    Root {
        purpose: Purpose::Demo,
        epoch: 1,
        root_version: 1,
        made: 1_795_392_000,
        expires: 1_861_920_000,
        root_keys: key_set(2, &[1, 2, 3]),
        roles: vec![
            role(Role::NoticesAuthor, key_set(1, &[4, 5])),
            role(Role::NoticesApprover, key_set(1, &[6])),
            role(Role::Register, key_set(1, &[7])),
            role(Role::Anchors, key_set(1, &[9])),
        ],
    }
}

pub fn root_chain() -> RootChain {
    let root = encode(Kind::Root, &root());
    RootChain(vec![SignedRoot { root, signatures: vec![signature(1), signature(3)] }])
}

pub fn package_id(dataset: Dataset) -> [u8; 16] {
    seed(dataset).package_id()
}

/// What everything random in the sample comes from; here written down for all to see.
pub fn seed(dataset: Dataset) -> Seed {
    Seed::new([dataset.number(); 32])
}

/// The one device that the samples are sealed to.
pub fn device() -> SealSecret {
    SealSecret::new([0xd1; 32])
}

const UNIT: u32 = 4_107;

fn region(dataset: Dataset) -> u16 {
    if dataset == Dataset::Register { 48 } else { NATIONAL }
}

pub fn manifest(dataset: Dataset) -> Manifest {
    Manifest {
        package: package_id(dataset),
        dataset,
        version: SnapshotVersion { epoch: 1, version: 3_184 },
        created: 1_795_500_000,
        expires: 1_796_104_800,
        base: None,
        min_app: 1,
        freshness: Freshness { fresh_hours: 24, usable_hours: 72 },
        chip_required: false,
        envelopes: vec![PartRef::of(&encode(Kind::Envelope, &envelope(dataset)))],
        inner: PartRef::of(&sealed_inner(dataset)),
        chunks: vec![PartRef::of(&sealed_chunk(dataset))],
    }
}

pub fn signed_manifest(dataset: Dataset) -> SignedManifest {
    let signatures = match dataset {
        Dataset::Notices => vec![signature(4), signature(6)],
        Dataset::Register => vec![signature(7)],
        Dataset::Anchors => vec![signature(9)],
    };
    SignedManifest { manifest: encode(Kind::Manifest, &manifest(dataset)), signatures }
}

pub fn grant(dataset: Dataset) -> Grant {
    let seed = seed(dataset);
    Grant {
        package: seed.package_id(),
        unit: UNIT,
        inner_key: *seed.inner_key(),
        content_keys: vec![(region(dataset), *seed.content_key(dataset, region(dataset)))],
        freshness: Some(Freshness { fresh_hours: 12, usable_hours: 72 }),
        chip_required: false,
    }
}

pub fn envelope(dataset: Dataset) -> Envelope {
    // Made once: sealing to a device is slow without optimisation.
    static ENVELOPES: [OnceLock<Envelope>; 3] = [const { OnceLock::new() }; 3];
    let made = ENVELOPES[usize::from(dataset.number() - 1)].get_or_init(|| {
        let seed = seed(dataset);
        let package = seed.package_id();
        let unit_key = seed.unit_key(UNIT);
        let grant = encode(Kind::Grant, &grant(dataset));
        Envelope {
            package,
            chunks: vec![Run { first: 0, count: 1 }],
            recipients: vec![seal::wrap(&seed, &package, &unit_key, &device().public())],
            grant: seal::seal(&package, Part::Grant, &unit_key, &grant),
        }
    });
    made.clone()
}

pub fn seal_inner(dataset: Dataset, inner: &InnerManifest) -> Vec<u8> {
    let seed = seed(dataset);
    let inner = encode(Kind::InnerManifest, inner);
    seal::seal(&seed.package_id(), Part::Inner, &seed.inner_key(), &inner)
}

fn sealed_inner(dataset: Dataset) -> Vec<u8> {
    seal_inner(dataset, &inner(dataset))
}

pub fn inner(dataset: Dataset) -> InnerManifest {
    let raw = raw_chunk(dataset);
    let keys: Vec<u64> = match dataset {
        Dataset::Register => register().iter().map(|row| row.number).collect(),
        Dataset::Notices => notices().iter().map(|notice| notice.id).collect(),
        Dataset::Anchors => anchors().iter().map(|anchor| anchor.id).collect(),
    };
    let is_register = dataset == Dataset::Register;
    InnerManifest {
        package: package_id(dataset),
        regions: if is_register { vec![15, 48] } else { vec![] },
        tag_key: is_register.then(|| *tag_key().expose()),
        rows: keys.len() as u64,
        chunks: vec![ChunkInfo {
            rows: keys.len() as u32,
            first: keys[0],
            last: *keys.last().unwrap(),
            raw_len: raw.len() as u32,
            raw_hash: sha256(&raw),
        }],
        counts: if dataset == Dataset::Notices { counts() } else { vec![] },
        withdrawn: vec![],
    }
}

fn counts() -> Vec<(Category, u32)> {
    let count =
        |category| notices().iter().filter(|notice| notice.category == category).count() as u32;
    let counts = Category::ALL.iter().map(|category| (*category, count(*category)));
    counts.filter(|(_, count)| *count > 0).collect()
}

pub fn raw_chunk(dataset: Dataset) -> Vec<u8> {
    match dataset {
        Dataset::Register => encode_register(&register()).unwrap(),
        Dataset::Notices => encode_notices(&notices()).unwrap(),
        Dataset::Anchors => encode_anchors(&anchors()).unwrap(),
    }
}

pub fn compressed_chunk(dataset: Dataset) -> Vec<u8> {
    layout::compress(&raw_chunk(dataset)).unwrap()
}

/// Seals bytes as the one chunk of a sample.
pub fn seal_chunk(dataset: Dataset, compressed: &[u8]) -> Vec<u8> {
    let seed = seed(dataset);
    let key = seed.content_key(dataset, region(dataset));
    seal::seal(&seed.package_id(), Part::Chunk(0), &key, compressed)
}

pub fn sealed_chunk(dataset: Dataset) -> Vec<u8> {
    seal_chunk(dataset, &compressed_chunk(dataset))
}

pub fn sections(dataset: Dataset) -> Sections {
    Sections {
        root_chain: encode(Kind::RootChain, &root_chain()),
        manifest: encode(Kind::SignedManifest, &signed_manifest(dataset)),
        envelope: encode(Kind::Envelope, &envelope(dataset)),
        inner: sealed_inner(dataset),
    }
}

pub fn package_file(dataset: Dataset) -> Vec<u8> {
    let mut bytes = Vec::new();
    layout::write_sections(&mut bytes, &sections(dataset)).unwrap();
    bytes.extend(sealed_chunk(dataset));
    bytes
}

fn number(kind: NumberKind, text: &str) -> Number {
    Number { kind, text: text.to_owned() }
}

/// One notice of each category, in a list that uses every field.
pub fn notices() -> Vec<Notice> {
    let notice = |id, category, code: &str, action, name: &str| Notice {
        id,
        category,
        code: code.to_owned(),
        decision: format!("{id}/QĐ-UTO"),
        issuer: "Cơ quan CSĐT UTO".to_owned(),
        decided: day("2025-01-10"),
        valid_to: day("2027-01-09"),
        action,
        contact: "0900 000 001".to_owned(),
        name: name.to_owned(),
        aliases: vec![],
        birth: PartialDate::UNKNOWN,
        sex: None,
        numbers: vec![],
        cautions: Cautions::NONE,
        marks: String::new(),
        photo: vec![],
    };
    use Action::*;
    vec![
        Notice {
            aliases: vec!["Tư Mẫu".to_owned(), "Trần Mẫu".to_owned()],
            birth: PartialDate::new(1988, 3, 2).unwrap(),
            sex: Some(Sex::Male),
            numbers: vec![
                number(NumberKind::Personal, "048088999901"),
                number(NumberKind::Cmnd, "201999901"),
                number(NumberKind::Passport, "B9999901"),
            ],
            cautions: [Caution::Armed, Caution::Escape].into_iter().collect(),
            marks: "Sẹo chấm cách 2 cm dưới mắt trái".to_owned(),
            photo: vec![0xff, 0xd8, 0xff, 0xd9],
            ..notice(101, Category::W1, "168;173", VerifyAndReport, "Trần Văn Mẫu")
        },
        notice(102, Category::W2, "217a", VerifyAndReport, "Lý Thị Thử"),
        notice(103, Category::W3, "117;174", VerifyAndReport, "Đỗ Văn Giả"),
        notice(104, Category::W4, "123", VerifyAndReport, "Phạm Văn Mẫu"),
        notice(105, Category::W5, "251", VerifyAndReport, "Bùi Văn Thử"),
        Notice {
            birth: PartialDate::new(1975, 0, 0).unwrap(),
            sex: Some(Sex::Female),
            numbers: vec![number(NumberKind::Cancelled, "015175999902")],
            ..notice(400, Category::X1, "36.1", DenyExit, "Nguyễn Thị Mẫu")
        },
        notice(401, Category::X2, "21.1", DenyEntry, "ERIKSSON ANNA MARIA"),
        Notice {
            cautions: [Caution::SelfHarm].into_iter().collect(),
            ..notice(70_000, Category::M1, "", Assist, "Hoàng Văn Mẫu")
        },
        Notice {
            birth: PartialDate::new(2016, 5, 0).unwrap(),
            ..notice(70_001, Category::M2, "", Protect, "Vũ Thị Thử")
        },
        Notice {
            numbers: vec![number(NumberKind::Personal, "048188999903")],
            ..notice(5_000_000, Category::D1, "", HoldDocument, "Trần Thị Thử")
        },
        Notice {
            numbers: vec![number(NumberKind::Passport, "C9999904")],
            ..notice(5_000_001, Category::D2, "", HoldDocument, "")
        },
        Notice {
            numbers: vec![number(NumberKind::Personal, "001099999905")],
            ..notice(u64::from(u32::MAX) + 1, Category::D3, "", VerifyAndReport, "")
        },
    ]
}

/// Two certificates and a list, as far as this package looks into them: DER of any content.
pub fn anchors() -> Vec<Anchor> {
    let anchor = |id, kind, der: &[u8]| Anchor { id, kind, der: der.to_vec() };
    vec![
        anchor(1, AnchorKind::Certificate, b"\x30\x05\x0c\x03UTO"),
        anchor(2, AnchorKind::RevocationList, b"\x30\x03\x02\x01\x07"),
        anchor(4, AnchorKind::Certificate, &[&b"\x30\x81\x80\x04\x7e"[..], &[0x55; 126]].concat()),
    ]
}

pub fn tag_key() -> TagKey {
    TagKey::new(std::array::from_fn(|at| at as u8))
}

pub struct Registered {
    pub number: u64,
    pub name: &'static str,
    birth: Option<&'static str>,
    issued: Option<&'static str>,
    pub status: Status,
}

pub fn registered() -> Vec<Registered> {
    let person =
        |number, name, birth, issued, status| Registered { number, name, birth, issued, status };
    let (birth, issued) = (Some("1988-03-02"), Some("2022-07-15"));
    vec![
        person(48_088_000_001, "DO VAN GIA", None, issued, Status::Stolen),
        person(48_088_000_300, "PHAM VAN MAU", None, None, Status::Replaced),
        person(48_088_999_901, "TRAN VAN MAU", birth, issued, Status::Valid),
        person(48_088_999_902, "TRAN VAN MAU", birth, issued, Status::Valid),
        person(48_188_070_000, "BUI THI THU", birth, issued, Status::Revoked),
        person(48_188_999_903, "LY THI THU", birth, None, Status::Lost),
        person(48_199_999_999, "VU THI MAU", birth, issued, Status::Deceased),
    ]
}

pub fn register() -> Vec<RegisterRow> {
    let rows = registered().into_iter().map(|it| {
        let birth = it.birth.map(|text| PartialDate::from(day(text)));
        tag_key().seal_row(it.number, Some(it.name), birth, it.issued.map(day), it.status)
    });
    rows.collect()
}

pub fn withdrawal() -> Withdrawal {
    Withdrawal {
        purpose: Purpose::Demo,
        version: SnapshotVersion { epoch: 1, version: 3_184 },
        made: 1_795_510_000,
        notices: vec![101, 70_000],
    }
}

pub fn signed_withdrawal() -> SignedWithdrawal {
    SignedWithdrawal {
        withdrawal: encode(Kind::Withdrawal, &withdrawal()),
        signatures: vec![signature(4), signature(6)],
    }
}

pub fn release() -> Release {
    Release {
        purpose: Purpose::Demo,
        app: 2,
        label: "0.2.0".to_owned(),
        made: 1_795_510_000,
        hash: [0x55; 32],
        len: 30_000_000,
    }
}

pub fn signed_release() -> SignedRelease {
    SignedRelease { release: encode(Kind::Release, &release()), signatures: vec![signature(8)] }
}

pub fn index() -> Index {
    let entry = |dataset| Entry {
        dataset,
        version: manifest(dataset).version,
        base: None,
        manifest: PartRef::of(&encode(Kind::SignedManifest, &signed_manifest(dataset))),
        inner: manifest(dataset).inner,
        chunks: manifest(dataset).chunks,
        units: vec![(UNIT, manifest(dataset).envelopes[0])],
    };
    Index {
        serial: 12,
        published: 1_795_510_100,
        root_chain: PartRef::of(&encode(Kind::RootChain, &root_chain())),
        entries: DATASETS.map(|(dataset, _)| entry(dataset)).to_vec(),
        release: Some(PartRef::of(&encode(Kind::SignedRelease, &signed_release()))),
    }
}

pub fn installed() -> Installed {
    Installed {
        device: [0xd0; 16],
        dataset: Dataset::Notices,
        version: SnapshotVersion { epoch: 1, version: 3_184 },
        manifest: [0x66; 32],
        hour: 498_752,
        app: 1,
    }
}

pub fn signed_installed() -> SignedInstalled {
    SignedInstalled { installed: encode(Kind::Installed, &installed()), signature: [0x44; 64] }
}

pub fn record_header() -> RecordHeader {
    RecordHeader {
        device: [0xd0; 16],
        sequence: 300,
        previous: [0x11; 32],
        hour: 498_750,
        notices: Some(SnapshotVersion { epoch: 1, version: 3_184 }),
        register: None,
        event: Event::Check,
        key_id: [0x22; 8],
        body_hash: sha256(&[0x33; 304]),
    }
}

pub fn record() -> Record {
    Record {
        header: encode(Kind::RecordHeader, &record_header()),
        signature: [0x44; 64],
        sealed: vec![0x33; 304],
    }
}

pub fn bodies() -> Vec<(&'static str, Body)> {
    let person = || Person {
        name: "Trần Văn Mẫu".to_owned(),
        birth: PartialDate::new(1988, 3, 2).unwrap(),
        number: Some(number(NumberKind::Personal, "048088999901")),
    };
    let (unit, reason) = (4_107, CheckReason::Patrol);
    vec![
        (
            "cleared",
            Body::Cleared { unit, channel: Channel::Qr, reason, verdict: CheckVerdict::NotListed },
        ),
        (
            "hit",
            Body::Hit {
                unit,
                channel: Channel::Typed,
                reason,
                verdict: CheckVerdict::Match,
                notices: vec![101, 70_000],
            },
        ),
        (
            "outcome",
            Body::Outcome {
                check: 300,
                notice: 101,
                outcome: Outcome::Confirmed,
                why: OutcomeWhy::ConfirmedByDuty,
                person: Some(person()),
            },
        ),
        (
            "outcome-without-person",
            Body::Outcome {
                check: 300,
                notice: 101,
                outcome: Outcome::NotThisPerson,
                why: OutcomeWhy::PhotoDiffers,
                person: None,
            },
        ),
        ("event", Body::Event { detail: 3 }),
        ("report", Body::Report { reason: CheckReason::NoDocument, person: person() }),
    ]
}
