//! Headquarters that builds, and devices that install.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use fieldcheck::clock::{Clock, DeviceTime, FixedClock};
use fieldcheck::device::{self, Device, Session};
use fieldcheck::keys::{ArgonCost, Pin, SimulatedDeviceKey};
use fieldcheck::queue::draw_collect_keys;
use fieldcheck::snapshot::build::{self, BaseOf, Draft, Terms, Unit};
use fieldcheck::snapshot::keyring::Keyring;
use fieldcheck::snapshot::source::{Refusals, Regions, SealedRows, read_register};
use fieldcheck::store::install::Proceed;
use fieldcheck::store::register::Register;
use fieldcheck::store::state::{Enrolment, Part};
use sync_format::codec::{self, Kind};
use sync_format::v1::package::seal::{self, SealSecret, Seed};
use sync_format::v1::package::{
    Base, Dataset, Freshness, InnerManifest, Manifest, Purpose, Role, SnapshotVersion, sha256,
};
use sync_format::v1::register::TagKey;

use super::harness::{forget_peak, peak_kib};
use super::nation::Day;

/// 2026-11-24, noon in Vietnam.
const NOON: DeviceTime = DeviceTime(1_795_496_400);

/// The unit of the devices.
const UNIT: u32 = 1;

/// Tells a process of this bench that it is to do one thing and say its peak of memory.
const ERRAND_DEVICE: &str = "FIELDCHECK_BENCH_ERRAND_DEVICE";
const ERRAND_PACKAGE: &str = "FIELDCHECK_BENCH_ERRAND_PACKAGE";

/// Headquarters, with the keys of everybody there.
pub struct Headquarters {
    keyring: Keyring,
    root_hash: [u8; 32],
    root_chain: Vec<u8>,
}

impl Headquarters {
    pub fn new() -> anyhow::Result<Headquarters> {
        let keyring = Keyring::simulated(1);
        let root = keyring.root(Purpose::Demo, 1, NOON.0, NOON.plus_seconds(365 * 86_400).0)?;
        let root_hash = sha256(&root);
        let root_chain = keyring.sign_root(root)?;
        Ok(Headquarters { keyring, root_hash, root_chain })
    }

    /// Builds the package of a register's CSV and writes it; returns the rows and what a delta needs.
    pub fn build(
        &self,
        csv: &Path,
        regions: &[u16],
        package: &Path,
    ) -> anyhow::Result<(SealedRows<1>, BaseOf)> {
        let seed = seed(1);
        let regions = Regions::of_prefixes(regions.iter().copied())?;
        let tag_key = TagKey::new(*seed.tag_key());
        let rows =
            read_register(File::open(csv)?, [&tag_key], &regions, &mut Refusals::none_allowed())?;
        let (under, regions) = (rows.under(0), regions.numbers());
        let draft = build::register(under, regions, terms(1), &self.units(), &seed)?;
        self.write(&draft, package)?;
        Ok((rows, base_of(&draft, &seed)?))
    }

    /// Builds the package of a day's changes and writes it.
    pub fn build_changes(&self, base: &BaseOf, day: &Day, package: &Path) -> anyhow::Result<()> {
        let draft = build::register_delta(base, day.rows(), terms(2), &self.units(), &seed(2))?;
        self.write(&draft, package)
    }

    fn write(&self, draft: &Draft, package: &Path) -> anyhow::Result<()> {
        let signatures = self.keyring.sign_manifest(Role::Register, &draft.manifest);
        Ok(std::fs::write(package, draft.package(UNIT, &self.root_chain, signatures)?)?)
    }

    fn units(&self) -> [Unit; 1] {
        [Unit {
            unit: UNIT,
            regions: None,
            freshness: None,
            chip_required: false,
            devices: vec![device_secret().public()],
        }]
    }

    /// Enrols a device in a folder and unlocks it.
    pub fn enrol(&self, folder: &Path) -> anyhow::Result<Post> {
        let enrolment = Enrolment {
            device: [1; 16],
            label: "01".to_owned(),
            unit: UNIT,
            root_hash: self.root_hash,
            purpose: Purpose::Demo,
            collect_key: draw_collect_keys().1,
            seal_secret: device_secret(),
            enrolled_at: NOON,
        };
        let key = SimulatedDeviceKey::numbered(1);
        let clock = FixedClock::at(NOON);
        device::enrol(folder, &key, &clock, &enrolment, &pin()?, ArgonCost::FLOOR)?;
        Post::unlock(folder)
    }
}

fn terms(version: u64) -> Terms {
    Terms {
        version: SnapshotVersion { epoch: 1, version },
        created: NOON.0,
        expires: NOON.plus_seconds(30 * 86_400).0,
        freshness: Freshness { fresh_hours: 24, usable_hours: 72 },
        chip_required: false,
    }
}

fn seed(number: u8) -> Seed {
    Seed::new([number; 32])
}

/// What packages are sealed to; all devices of the bench have it.
fn device_secret() -> SealSecret {
    SealSecret::new([7; 32])
}

fn pin() -> anyhow::Result<Pin> {
    Pin::from_reader(&b"193746"[..]).context("a PIN that is accepted")
}

/// A device at work.
pub struct Post {
    device: Device,
    session: Session,
}

impl Post {
    fn unlock(folder: &Path) -> anyhow::Result<Post> {
        let clock: Arc<dyn Clock> = Arc::new(FixedClock::at(NOON));
        let mut device = Device::open(folder, Arc::new(SimulatedDeviceKey::numbered(1)), clock)?;
        let session = device.unlock(&pin()?)?;
        Ok(Post { device, session })
    }

    /// Installs the package in a file, as an officer would.
    pub fn install(&mut self, package: &Path) -> anyhow::Result<()> {
        let dataset = self.device.install(&mut self.session, package, |_| Proceed::Continue)?;
        ensure!(dataset == Dataset::Register, "another dataset was installed");
        Ok(())
    }

    /// Verifies the installed rows against what was signed; returns those of the full list.
    pub fn verify_again(&mut self) -> anyhow::Result<u64> {
        let verified = self.session.verify_store(Dataset::Register, |_| Proceed::Continue)?;
        Ok(verified.base_rows)
    }

    /// Returns the files of the full list and of the changes laid over it.
    pub fn register_files(&self) -> anyhow::Result<(PathBuf, Option<PathBuf>)> {
        let file = |part| -> anyhow::Result<Option<PathBuf>> {
            let active = self.session.state().part(Dataset::Register, part)?;
            Ok(active.map(|active| self.session.store_folder().join(active.file)))
        };
        Ok((file(Part::Full)?.context("no register")?, file(Part::Overlay)?))
    }

    /// Opens the register as the look-up does.
    pub fn open_register(&self) -> anyhow::Result<Register> {
        let state = self.session.state();
        let full = state.part(Dataset::Register, Part::Full)?.context("no register")?;
        let changes = state.part(Dataset::Register, Part::Overlay)?.context("no changes")?;
        let (file, overlay) = self.register_files()?;
        let mut register = Register::open(&file, &full.key)?;
        register.lay_over(&overlay.context("no changes")?, &changes.key)?;
        Ok(register)
    }
}

/// Runs this program again to unlock the device in a folder, and to install a package where one is
/// given; returns its peak of memory since it was unlocked, KiB.
///
/// Unlocking takes more memory than anything else (Argon2), and gives it back.
pub fn errand_for(device: &Path, package: Option<&Path>) -> anyhow::Result<u64> {
    let mut command = Command::new(std::env::current_exe()?);
    command.env(ERRAND_DEVICE, device);
    if let Some(package) = package {
        command.env(ERRAND_PACKAGE, package);
    }
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "an errand ended with {}", output.status);
    text.trim().parse().context("an errand told no number")
}

/// Does the errand that this process was started for, or gives `None`.
pub fn errand() -> Option<anyhow::Result<()>> {
    let device = PathBuf::from(std::env::var_os(ERRAND_DEVICE)?);
    let package = std::env::var_os(ERRAND_PACKAGE).map(PathBuf::from);
    Some(run_errand(&device, package.as_deref()))
}

fn run_errand(device: &Path, package: Option<&Path>) -> anyhow::Result<()> {
    let mut post = Post::unlock(device)?;
    forget_peak()?;
    if let Some(package) = package {
        post.install(package)?;
    }
    writeln!(std::io::stdout(), "{}", peak_kib()?)?;
    Ok(())
}

/// Returns what a delta needs to know of a full package.
fn base_of(draft: &Draft, seed: &Seed) -> anyhow::Result<BaseOf> {
    let manifest: Manifest = codec::decode(Kind::Manifest, &draft.manifest)?;
    let inner = seal::open(&manifest.package, seal::Part::Inner, &seed.inner_key(), &draft.inner)?;
    let inner: InnerManifest = codec::decode(Kind::InnerManifest, &inner)?;
    let SnapshotVersion { epoch, version } = manifest.version;
    Ok(BaseOf { base: Base { version, manifest: sha256(&draft.manifest) }, epoch, inner })
}
