//! The invented nation that the bench stands on: its rows, its packages, and devices to put them on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use fieldcheck::clock::{Clock, DeviceTime, FixedClock};
use fieldcheck::device::{self, Device, Session};
use fieldcheck::document::fold;
use fieldcheck::invented::{LEFT_OUT, World};
use fieldcheck::keys::{ArgonCost, Pin, SimulatedDeviceKey};
use fieldcheck::queue::draw_collect_keys;
use fieldcheck::snapshot::build::{self, Draft, Terms, Unit};
use fieldcheck::snapshot::keyring::Keyring;
use fieldcheck::store::install::Proceed;
use fieldcheck::store::state::Enrolment;
use sync_format::v1::notice::Notice;
use sync_format::v1::package::seal::{SealSecret, Seed};
use sync_format::v1::package::{Dataset, Freshness, Purpose, Role, SnapshotVersion, sha256};
use sync_format::v1::register::{RegisterRow, TagKey, region_of};

/// 2026-11-24, noon in Vietnam.
const NOON: DeviceTime = DeviceTime(1_795_496_400);

/// As many scanned cards are taken in one hour of the simulated clock; the allowance is 240, and a
/// check beyond it would skip the register.
const CHECKS_AN_HOUR: usize = 200;

/// Rows of both lists, and what is built of them.
pub struct Nation {
    world: World,
    root_hash: [u8; 32],
    pub notices: Vec<Notice>,
    pub register: Vec<RegisterRow>,
    pub notices_package: Vec<u8>,
    pub register_package: Vec<u8>,
}

/// The key of the device that the packages are sealed to.
fn seal_secret() -> SealSecret {
    SealSecret::new([1; 32])
}

impl Nation {
    /// Invents `people` people and a notice for every fifth, and builds both packages.
    pub fn invent(people: usize) -> anyhow::Result<Nation> {
        let today = sync_format::v1::date::Date::from_days(NOON.vietnam_day());
        let world = World::with_notices(1, people, people / 5, today);
        let keyring = Keyring::simulated(1);
        let root = keyring.root(Purpose::Demo, 1, NOON.0, NOON.plus_seconds(365 * 86_400).0)?;
        let root_hash = sha256(&root);
        let root_chain = keyring.sign_root(root)?;
        let terms = Terms {
            version: SnapshotVersion { epoch: 1, version: 1 },
            created: NOON.0,
            expires: NOON.plus_seconds(30 * 86_400).0,
            // The simulated clock runs through days: the lists shall answer all the time.
            freshness: Freshness { fresh_hours: 720, usable_hours: 720 },
            chip_required: false,
        };

        let notices = world.notices();
        let seed = Seed::new(sha256(b"fieldcheck simulated seed"));
        let units = [Unit {
            unit: 1,
            regions: None,
            freshness: None,
            chip_required: false,
            devices: vec![seal_secret().public()],
        }];
        let package = |draft: &Draft, roles: &[Role]| {
            let sign = |role: &Role| keyring.sign_manifest(*role, &draft.manifest);
            draft.package(1, &root_chain, roles.iter().flat_map(sign).collect())
        };
        let draft = build::notices(&notices, terms, &units, &seed)?;
        let notices_package = package(&draft, &[Role::NoticesAuthor, Role::NoticesApprover])?;
        let tag_key = TagKey::new(*seed.tag_key());
        let register: Vec<RegisterRow> = world
            .register()
            .map(|person| {
                let name = fold(&person.name);
                let birth = Some(person.birth);
                tag_key.seal_row(person.number, Some(&name), birth, person.issued, person.status)
            })
            .collect();
        let rows = register.iter().copied();
        let mut regions: Vec<u16> = register.iter().map(|row| region_of(row.number)).collect();
        regions.dedup();
        let draft = build::register(rows, &regions, terms, &units, &seed)?;
        let register_package = package(&draft, &[Role::Register])?;
        Ok(Nation { world, root_hash, notices, register, notices_package, register_package })
    }

    pub fn world(&self) -> &World {
        &self.world
    }

    /// Returns the payloads of `count` random cards of people in the register, each person once;
    /// fewer where there are not as many.
    pub fn payloads(&self, count: usize) -> Vec<Vec<u8>> {
        let mut order: Vec<u64> = (0..self.world.people_count()).collect();
        let mut state = 1;
        for at in (1..order.len()).rev() {
            order.swap(at, (next_random(&mut state) % (at as u64 + 1)) as usize);
        }
        order
            .into_iter()
            .map(|index| self.world.person(index))
            .filter(|person| person.prefix() != LEFT_OUT)
            .filter_map(|person| self.world.payload(&person))
            .take(count)
            .collect()
    }

    /// Enrols a device in an empty folder and unlocks it.
    pub fn enrol(&self, folder: &Path) -> anyhow::Result<Post> {
        let clock = Arc::new(FixedClock::at(NOON));
        let key = Arc::new(SimulatedDeviceKey::numbered(1));
        let pin = Pin::from_reader(&b"193746"[..]).context("a PIN that is accepted")?;
        let enrolment = Enrolment {
            device: [1; 16],
            label: "01".to_owned(),
            unit: 1,
            root_hash: self.root_hash,
            purpose: Purpose::Demo,
            collect_key: draw_collect_keys().1,
            seal_secret: seal_secret(),
            enrolled_at: NOON,
        };
        device::enrol(folder, &*key, &*clock, &enrolment, &pin, ArgonCost::FLOOR)?;
        let mut device = Device::open(folder, key, Arc::clone(&clock) as Arc<dyn Clock>)?;
        let session = device.unlock(&pin)?;
        Ok(Post { device, session, clock, checks: 0 })
    }
}

/// A device at work, under a simulated clock.
pub struct Post {
    device: Device,
    pub session: Session,
    clock: Arc<FixedClock>,
    checks: usize,
}

impl Post {
    /// Installs the package in a file, as an officer would.
    pub fn install(&mut self, package: &Path) -> anyhow::Result<Dataset> {
        Ok(self.device.install(&mut self.session, package, |_| Proceed::Continue)?)
    }

    /// Lets the clock run on, so that the hourly allowance never ends; called before each check.
    pub fn next_person(&mut self) {
        self.checks += 1;
        if self.checks.is_multiple_of(CHECKS_AN_HOUR) {
            self.clock.advance(Duration::from_secs(3_600));
        }
    }
}

/// SplitMix64: small, and random enough to choose people by.
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
