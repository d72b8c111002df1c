//! An enrolled device in a folder of its own, for the tests of what uses one.

use std::path::PathBuf;
use std::sync::Arc;

use sync_format::v1::package::Purpose;
use zeroize::Zeroizing;

use super::{Device, Places, Session, enrol};
use crate::clock::FixedClock;
use crate::keys::{ArgonCost, Pin, SimulatedDeviceKey, Vault};
use crate::queue::draw_collect_keys;
use crate::snapshot::testing::NOW;
use crate::store::state::Enrolment;
use crate::store::testing::enrolment;

const PIN: &str = "482913";

/// A device as it comes from headquarters. Its PIN costs next to nothing, and its clock stands.
pub(crate) struct Enrolled {
    pub folder: tempfile::TempDir,
    pub key: Arc<SimulatedDeviceKey>,
    pub clock: Arc<FixedClock>,
    pub collect_secret: Zeroizing<[u8; 32]>,
}

impl Enrolled {
    pub(crate) fn new() -> Enrolled {
        Enrolled::for_purpose(Purpose::Demo)
    }

    /// A device for real use, or for a demonstration.
    pub(crate) fn for_purpose(purpose: Purpose) -> Enrolled {
        let (collect_secret, collect_key) = draw_collect_keys();
        let enrolled = Enrolled {
            folder: tempfile::tempdir().unwrap(),
            key: Arc::new(SimulatedDeviceKey::numbered(1)),
            clock: Arc::new(FixedClock::at(NOW)),
            collect_secret,
        };
        enrol(
            enrolled.folder.path(),
            &*enrolled.key,
            &*enrolled.clock,
            &Enrolment { collect_key, purpose, ..enrolment() },
            &right_pin(),
            ArgonCost::smallest_for_tests(),
        )
        .unwrap();
        enrolled
    }

    /// The device, locked.
    pub(crate) fn device(&self) -> Device {
        let places = Places { folder: self.folder.path().to_owned() };
        let vault = Vault::open_for_tests(&places.vault()).unwrap();
        Device { places, vault, key: self.key.clone(), clock: self.clock.clone() }
    }

    pub(crate) fn unlock(&self) -> (Device, Session) {
        let mut device = self.device();
        let session = device.unlock(&right_pin()).unwrap();
        (device, session)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a package and returns where it lies.
    pub(crate) fn package(&self, bytes: &[u8]) -> PathBuf {
        let path = self.file("package.fcsnap");
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

pub(crate) fn right_pin() -> Pin {
    pin(PIN)
}

pub(crate) fn pin(digits: &str) -> Pin {
    Pin::from_reader(digits.as_bytes()).unwrap()
}
