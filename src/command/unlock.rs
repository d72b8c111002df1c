//! Opens a device with the PIN from `--pin-file`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use clap::Args;

use super::files;
use crate::clock::Clock;
use crate::device::{Device, DeviceError, Session};
use crate::keys::{DeviceKeyError, Pin, UnlockError};
use crate::platform::desktop::SoftwareDeviceKey;

/// Which device, and where its PIN stands.
#[derive(Args)]
pub(super) struct DeviceOptions {
    /// Folder of the device
    #[arg(long = "data", value_name = "DIR")]
    folder: PathBuf,
    /// File whose first line is the PIN; `-` for standard input
    #[arg(long, value_name = "FILE")]
    pin_file: PathBuf,
}

impl DeviceOptions {
    /// Whether the PIN comes from standard input, which is then not free for anything else.
    pub(super) fn reads_standard_input(&self) -> bool {
        is_standard_input(&self.pin_file)
    }

    /// Unlocks the device. The try counts as one on the PIN pad does.
    pub(super) fn unlock(&self, clock: Arc<dyn Clock>) -> anyhow::Result<(Device, Session)> {
        let pin = read_pin(&self.pin_file)?;
        let open = || -> anyhow::Result<(Device, Session)> {
            let mut device = open_device(&self.folder, clock)?;
            let session = device.unlock(&pin).map_err(with_wait)?;
            Ok((device, session))
        };
        open().with_context(|| self.folder.display().to_string())
    }
}

/// Returns whether a path means standard input.
pub(super) fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// Opens the device in a folder, locked.
pub(super) fn open_device(folder: &Path, clock: Arc<dyn Clock>) -> Result<Device, DeviceError> {
    let key = SoftwareDeviceKey::open(&folder.join(SoftwareDeviceKey::FILE_NAME));
    let key = key.map_err(|error| match error {
        DeviceKeyError::NotFound => DeviceError::NotEnrolled,
        error => error.into(),
    })?;
    Device::open(folder, Arc::new(key), clock)
}

fn read_pin(path: &Path) -> anyhow::Result<Pin> {
    if is_standard_input(path) {
        return Pin::from_reader(std::io::stdin().lock()).context("standard input");
    }
    Pin::from_reader(files::open(path)?).with_context(|| path.display().to_string())
}

/// Says after a wrong PIN what the pad shows: the tries that are left, and the wait.
fn with_wait(error: DeviceError) -> anyhow::Error {
    match error {
        DeviceError::Unlock(UnlockError::Wrong { left, wait }) if wait.is_zero() => {
            anyhow!("wrong PIN, {left} tries left, the next one at once")
        }
        DeviceError::Unlock(UnlockError::Wrong { left, wait }) => {
            let seconds = wait.as_secs_f32().ceil();
            anyhow!("wrong PIN, {left} tries left, the next one in {seconds} seconds")
        }
        error => error.into(),
    }
}
