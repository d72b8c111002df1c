//! The device key of a desktop: a file that only its owner may read.
//!
//! A desktop has no key store that we may count on, so its key is software and says so
//! ([`Protection::Software`]); every screen shows it, and only demonstration data belongs there.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use crate::keys::{DeviceKey, DeviceKeyError, Protection, SoftwareSecrets};

/// First bytes of a device key's file; the last of them is the version.
const MAGIC: [u8; 8] = *b"FCDEVKY\x01";
/// Magic, then P-256 scalar and HMAC key.
const FILE_BYTES: usize = MAGIC.len() + SoftwareSecrets::BYTES;
/// Owner may read and write, nobody else anything.
const OWNER_ONLY: u32 = 0o600;

/// A device key in software: whoever copies its file is this device.
#[derive(Debug)]
pub struct SoftwareDeviceKey {
    secrets: SoftwareSecrets,
}

impl SoftwareDeviceKey {
    /// Name of the key's file in the folder of a device.
    pub const FILE_NAME: &str = "device.key";

    /// Draws a new key and writes it to `path`, which must not exist yet. Mode 0600, flushed.
    pub fn create(path: &Path) -> Result<SoftwareDeviceKey, DeviceKeyError> {
        let mut file =
            match OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(DeviceKeyError::AlreadyExists);
                }
                Err(error) => return Err(error.into()),
            };
        let written = SoftwareSecrets::random().and_then(|secrets| {
            file.write_all(&MAGIC)?;
            file.write_all(secrets.to_bytes().as_slice())?;
            file.sync_all()?;
            sync_directory_of(path)?;
            Ok(SoftwareDeviceKey { secrets })
        });
        written.map_err(|error| {
            // Half a key would stand in the way of the next try. What failed first is the reason.
            let _ = fs::remove_file(path);
            error.into()
        })
    }

    /// Reads the key at `path`; a file that others may read is refused, for they may have.
    pub fn open(path: &Path) -> Result<SoftwareDeviceKey, DeviceKeyError> {
        let file = match fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(DeviceKeyError::NotFound);
            }
            Err(error) => return Err(error.into()),
        };
        let mode = file.metadata()?.permissions().mode() & 0o777;
        if mode & !OWNER_ONLY != 0 {
            return Err(DeviceKeyError::Exposed { mode });
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES + 1));
        file.take(FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        let secrets = bytes
            .strip_prefix(&MAGIC)
            .and_then(|secrets| SoftwareSecrets::from_bytes(secrets.try_into().ok()?))
            .ok_or(DeviceKeyError::Damaged)?;
        Ok(SoftwareDeviceKey { secrets })
    }
}

impl DeviceKey for SoftwareDeviceKey {
    fn hmac(&self, data: &[u8]) -> Result<Zeroizing<[u8; 32]>, DeviceKeyError> {
        Ok(self.secrets.hmac(data))
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], DeviceKeyError> {
        Ok(self.secrets.sign(message))
    }

    fn public_key(&self) -> [u8; 33] {
        self.secrets.public_key()
    }

    fn protection(&self) -> Protection {
        Protection::Software
    }
}

/// Flushes the directory entry as well: a vault whose key is lost with the power opens never again.
fn sync_directory_of(path: &Path) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_the_same_after_reopening_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.key");
        let made = SoftwareDeviceKey::create(&path).unwrap();
        let opened = SoftwareDeviceKey::open(&path).unwrap();
        assert_eq!(opened.public_key(), made.public_key());
        assert_eq!(*opened.hmac(b"data").unwrap(), *made.hmac(b"data").unwrap());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(made.protection(), Protection::Software);
        assert_eq!(format!("{made:?}"), "SoftwareDeviceKey { secrets: SoftwareSecrets(..) }");
    }

    #[test]
    fn a_key_that_exists_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.key");
        let made = SoftwareDeviceKey::create(&path).unwrap();
        let again = SoftwareDeviceKey::create(&path);
        assert!(matches!(again, Err(DeviceKeyError::AlreadyExists)));
        assert_eq!(SoftwareDeviceKey::open(&path).unwrap().public_key(), made.public_key());
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.key");
        SoftwareDeviceKey::create(&path).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refused = SoftwareDeviceKey::open(&path);
            assert!(matches!(refused, Err(DeviceKeyError::Exposed { mode: m }) if m == mode));
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        SoftwareDeviceKey::open(&path).expect("less than 0600 is no danger");
    }

    #[test]
    fn what_is_no_key_is_refused_for_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.key");
        assert!(matches!(SoftwareDeviceKey::open(&path), Err(DeviceKeyError::NotFound)));

        SoftwareDeviceKey::create(&path).unwrap();
        let good = fs::read(&path).unwrap();
        let zero_scalar = [&good[..8], &[0; 32], &good[40..]].concat();
        let beyond_the_order = [&good[..8], &[0xFF; 32], &good[40..]].concat();
        let longer = [good.as_slice(), &[0]].concat();
        let mut other_magic = good.clone();
        other_magic[7] = 2;
        for bad in [
            &[][..],
            &good[..8],
            &good[..FILE_BYTES - 1],
            &longer,
            &zero_scalar,
            &beyond_the_order,
            &other_magic,
        ] {
            fs::write(&path, bad).unwrap();
            assert!(matches!(SoftwareDeviceKey::open(&path), Err(DeviceKeyError::Damaged)));
        }
    }
}
