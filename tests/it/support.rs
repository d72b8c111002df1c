//! An invented country of one citizen: his card, the notices about him, and devices that know them.
//!
//! It is noon UTC on 24 November 2026, and a simulated keyring signs everything.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use fieldcheck::clock::{DeviceTime, FixedClock};
use fieldcheck::device::{self, Device, DeviceError, Session};
use fieldcheck::document::{Document, qr};
use fieldcheck::keys::{ArgonCost, Pin, SecretKey, SimulatedDeviceKey, Vault, queue_key};
use fieldcheck::queue::draw_collect_keys;
use fieldcheck::snapshot::build::{self, Draft, Terms, Unit};
use fieldcheck::snapshot::keyring::Keyring;
use fieldcheck::store::install::Proceed;
use fieldcheck::store::state::Enrolment;
use fieldcheck::store::{self, Access, Kind};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use sync_format::v1::date::{Date, PartialDate};
use sync_format::v1::notice::{Action, Category, Cautions, Notice, Number, NumberKind, Sex};
use sync_format::v1::package::seal::{SealSecret, Seed};
use sync_format::v1::package::{Dataset, Freshness, Purpose, Role, SnapshotVersion, sha256};
use sync_format::v1::register::{RegisterRow, Status, TagKey, region_of};

pub const NOW: DeviceTime = DeviceTime(1_795_521_600);
const HOUR: i64 = 3_600;
pub const UNIT: u32 = 4_107;

pub const HIS_NUMBER: &str = "048088999901";
/// The citizen's card of 2022, as its QR code has it.
pub const HIS_CARD: &str = "048088999901|201999901|Nguyễn Văn Mẫu|02031988|Nam|\
                            Số 5 Đường Mẫu, Phường Thử, Đà Nẵng|10052022";
/// A card of somebody else, of the same form and about as long.
pub const HER_CARD: &str = "001192999902|012999902|Trần Thị Hòa Thử|17091992|Nữ|\
                            Thôn Vẽ, Xã Không Có, Hà Nội|01022023";

pub fn his() -> Document {
    qr::parse(HIS_CARD.as_bytes()).expect("a card")
}

pub fn hers() -> Document {
    qr::parse(HER_CARD.as_bytes()).expect("a card")
}

/// The notice that he is wanted, under the order number `id`.
pub fn wanted(id: u64) -> Notice {
    Notice {
        id,
        category: Category::W1,
        code: "173".into(),
        decision: "12/QĐ-MẪU".into(),
        issuer: "Cơ quan mẫu".into(),
        decided: day("2025-06-01"),
        valid_to: day("2030-06-01"),
        action: Action::VerifyAndReport,
        contact: "000 000".into(),
        name: "Nguyễn Văn Mẫu".into(),
        aliases: Vec::new(),
        birth: PartialDate::new(1988, 3, 2).expect("a date"),
        sex: Some(Sex::Male),
        numbers: vec![Number { kind: NumberKind::Personal, text: HIS_NUMBER.into() }],
        cautions: Cautions::default(),
        marks: String::new(),
        photo: Vec::new(),
    }
}

/// The notice that a document of this number was lost.
pub fn lost(id: u64, number: &str) -> Notice {
    Notice {
        id,
        category: Category::D1,
        code: String::new(),
        action: Action::HoldDocument,
        name: String::new(),
        birth: PartialDate::UNKNOWN,
        sex: None,
        numbers: vec![Number { kind: NumberKind::Personal, text: number.into() }],
        ..wanted(id)
    }
}

/// His row in the register, in which everything agrees with his card.
pub fn his_row() -> RegisterRow {
    let birth = PartialDate::new(1988, 3, 2);
    let issued = Some(day("2022-05-10"));
    tag_key().seal_row(48_088_999_901, Some("NGUYEN VAN MAU"), birth, issued, Status::Valid)
}

/// The row of somebody of whom the register knows nothing but the number.
pub fn another_row(number: u64) -> RegisterRow {
    tag_key().seal_row(number, None, None, None, Status::Valid)
}

pub fn day(iso: &str) -> Date {
    iso.parse().expect("an ISO date")
}

fn tag_key() -> TagKey {
    TagKey::new(*seed().tag_key())
}

pub fn keyring() -> Keyring {
    Keyring::simulated(1)
}

pub fn root() -> Vec<u8> {
    let (made, expires) = (NOW.0 - 30 * 24 * HOUR, NOW.0 + 365 * 24 * HOUR);
    keyring().root(Purpose::Demo, 1, made, expires).expect("a root")
}

/// The key of the device that all packages are sealed to.
pub fn seal_secret() -> SealSecret {
    SealSecret::new([0xd1; 32])
}

/// The one unit, with the one device.
pub fn units() -> Vec<Unit> {
    vec![Unit {
        unit: UNIT,
        regions: None,
        freshness: None,
        chip_required: false,
        devices: vec![seal_secret().public()],
    }]
}

pub fn seed() -> Seed {
    Seed::new([7; 32])
}

/// A package file, signed by everybody who must.
pub fn package(draft: &Draft, roles: &[Role]) -> Vec<u8> {
    let root_chain = keyring().sign_root(root()).expect("a root chain");
    let sign = |role: &Role| keyring().sign_manifest(*role, &draft.manifest);
    let signatures = roles.iter().flat_map(sign).collect();
    draft.package(UNIT, &root_chain, signatures).expect("a package")
}

pub fn terms(number: u64) -> Terms {
    Terms {
        version: version(number),
        created: NOW.0 - 3 * HOUR,
        expires: NOW.0 + 30 * 24 * HOUR,
        freshness: Freshness { fresh_hours: 24, usable_hours: 72 },
        chip_required: false,
    }
}

pub fn version(version: u64) -> SnapshotVersion {
    SnapshotVersion { epoch: 1, version }
}

pub fn notices_package(number: u64, notices: &[Notice]) -> Vec<u8> {
    let draft = build::notices(notices, terms(number), &units(), &seed()).expect("a draft");
    package(&draft, &[Role::NoticesAuthor, Role::NoticesApprover])
}

pub fn register_package(number: u64, rows: &[RegisterRow]) -> Vec<u8> {
    let mut regions: Vec<u16> = rows.iter().map(|row| region_of(row.number)).collect();
    regions.dedup();
    let rows = rows.iter().copied();
    let draft = build::register(rows, &regions, terms(number), &units(), &seed());
    package(&draft.expect("a draft"), &[Role::Register])
}

/// A device in a folder of its own, on a clock that stands.
pub struct Enrolled {
    pub folder: tempfile::TempDir,
    pub key: Arc<SimulatedDeviceKey>,
    pub clock: Arc<FixedClock>,
}

/// Enrolled once, since its PIN costs what a real one costs, and then copied.
static TEMPLATE: OnceLock<Enrolled> = OnceLock::new();
static COLLECT_KEYS: OnceLock<([u8; 32], [u8; 32])> = OnceLock::new();

fn collect_keys() -> ([u8; 32], [u8; 32]) {
    *COLLECT_KEYS.get_or_init(|| {
        let (secret, public) = draw_collect_keys();
        (*secret, public)
    })
}

/// Headquarters' private key, which opens the bodies of records.
pub fn collect_secret() -> [u8; 32] {
    collect_keys().0
}

pub fn pin() -> Pin {
    Pin::from_reader(&b"482913"[..]).expect("a PIN")
}

/// What headquarters says of each device.
pub fn enrolment() -> Enrolment {
    Enrolment {
        device: [9; 16],
        label: "07".into(),
        unit: UNIT,
        root_hash: sha256(&root()),
        purpose: Purpose::Demo,
        collect_key: collect_keys().1,
        seal_secret: seal_secret(),
        enrolled_at: NOW.plus_seconds(-30 * 24 * HOUR),
    }
}

impl Enrolled {
    fn empty() -> Enrolled {
        Enrolled {
            folder: tempfile::tempdir().expect("a folder"),
            key: Arc::new(SimulatedDeviceKey::numbered(1)),
            clock: Arc::new(FixedClock::at(NOW)),
        }
    }

    /// A device as headquarters hands it out. All are copies of one, with its identity and keys.
    pub fn new() -> Enrolled {
        let template = TEMPLATE.get_or_init(|| {
            let enrolled = Enrolled::empty();
            let (key, clock) = (&*enrolled.key, &*enrolled.clock);
            let (enrolment, cost) = (enrolment(), ArgonCost::FLOOR);
            device::enrol(enrolled.folder.path(), key, clock, &enrolment, &pin(), cost)
                .expect("enrolled");
            enrolled
        });
        template.copy()
    }

    /// The same device in another folder.
    pub fn copy(&self) -> Enrolled {
        let copy = Enrolled::empty();
        copy_folder(self.folder.path(), copy.folder.path());
        copy
    }

    pub fn unlock(&self) -> (Device, Session) {
        unlock(self.folder.path())
    }

    /// A device with these packages installed.
    pub fn with(packages: &[&[u8]]) -> Enrolled {
        let enrolled = Enrolled::new();
        let (mut device, mut session) = enrolled.unlock();
        for package in packages {
            enrolled.install(&mut device, &mut session, package).expect("installed");
        }
        enrolled
    }

    pub fn install(
        &self,
        device: &mut Device,
        session: &mut Session,
        package: &[u8],
    ) -> Result<Dataset, DeviceError> {
        let path = self.file("package.fcsnap");
        std::fs::write(&path, package).expect("written");
        device.install(session, &path, |_| Proceed::Continue)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The queue's database, opened beside the program.
    pub fn queue_database(&self) -> Connection {
        let key = queue_key(&*self.key).expect("a key");
        store::open(&self.file("queue.db"), &key, Kind::Queue, Access::ReadWrite).expect("open")
    }

    /// The state database, opened beside the program; takes an unlocking.
    pub fn state_database(&self) -> Connection {
        let mut vault = Vault::open(&self.file("vault.fck")).expect("a vault");
        let unlocked = vault.unlock(&pin(), &*self.key, &*self.clock).expect("the right PIN");
        let key = SecretKey::new(unlocked.state_key.expose());
        store::open(&self.file("state.db"), &key, Kind::State, Access::ReadWrite).expect("open")
    }
}

/// Unlocks the device in a folder.
pub fn unlock(folder: &Path) -> (Device, Session) {
    let key = Arc::new(SimulatedDeviceKey::numbered(1));
    let mut device =
        Device::open(folder, key, Arc::new(FixedClock::at(NOW))).expect("an enrolled device");
    let session = device.unlock(&pin()).expect("the right PIN");
    (device, session)
}

pub fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&target).expect("a folder");
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// Every file in a folder and below it.
pub fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(all_files(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The names of the files in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let files = all_files(folder);
    let names = files.iter().filter_map(|file| file.file_name());
    names.map(|name| name.to_string_lossy().into_owned()).collect()
}

/// Everything that a database holds, table by table: the bytes of every value, numbers as binary
/// numbers and as decimal digits.
pub fn dump(connection: &Connection) -> Vec<u8> {
    let mut statement = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        .expect("a schema");
    let tables: Vec<String> = statement
        .query_map([], |row| row.get(0))
        .expect("tables")
        .collect::<Result<_, _>>()
        .expect("names");
    let mut bytes = Vec::new();
    for table in tables {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).expect("a table");
        let columns = statement.column_count();
        let mut rows = statement.query([]).expect("rows");
        while let Some(row) = rows.next().expect("a row") {
            for column in 0..columns {
                match row.get_ref(column).expect("a column") {
                    ValueRef::Null => {}
                    ValueRef::Integer(number) => {
                        bytes.extend(number.to_be_bytes());
                        bytes.extend(number.to_le_bytes());
                        bytes.extend(number.to_string().bytes());
                    }
                    ValueRef::Real(number) => bytes.extend(number.to_string().bytes()),
                    ValueRef::Text(value) | ValueRef::Blob(value) => bytes.extend(value),
                }
                bytes.push(0);
            }
        }
    }
    bytes
}
