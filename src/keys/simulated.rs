//! A device key that exists in memory alone: for tests, and for faults that hardware shows too
//! rarely.

use std::sync::atomic::{AtomicUsize, Ordering};

use zeroize::Zeroizing;

use super::device_key::{DeviceKey, DeviceKeyError, Protection};
use super::software::SoftwareSecrets;

/// A device key in memory, the same for the same number, which fails when it is told to.
#[derive(Debug)]
pub struct SimulatedDeviceKey {
    secrets: SoftwareSecrets,
    protection: Protection,
    /// Answers left before it fails; `usize::MAX` never runs out.
    answers_left: AtomicUsize,
}

impl SimulatedDeviceKey {
    /// Returns the key of simulated device `number`. It is no secret.
    pub fn numbered(number: u8) -> SimulatedDeviceKey {
        let mut bytes = [0x11; SoftwareSecrets::BYTES];
        bytes[31] = number;
        bytes[63] = number;
        SimulatedDeviceKey {
            secrets: SoftwareSecrets::from_bytes(&bytes)
                .expect("0x1111… lies between zero and the group's order, 0xFFFF…"),
            protection: Protection::Software,
            answers_left: AtomicUsize::new(usize::MAX),
        }
    }

    /// Returns this key claiming `protection`, to show what a screen does with it.
    pub fn claiming(self, protection: Protection) -> SimulatedDeviceKey {
        SimulatedDeviceKey { protection, ..self }
    }

    /// Lets the key answer `answers` more times and then no more, like a device that loses power.
    pub fn fail_after(&self, answers: usize) {
        self.answers_left.store(answers, Ordering::SeqCst);
    }

    /// Lets the key answer again, like a device that was switched on.
    pub fn recover(&self) {
        self.answers_left.store(usize::MAX, Ordering::SeqCst);
    }

    fn take_an_answer(&self) -> Result<(), DeviceKeyError> {
        self.answers_left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| match left {
                usize::MAX => Some(left),
                _ => left.checked_sub(1),
            })
            .map(|_| ())
            .map_err(|_| DeviceKeyError::NoAnswer)
    }
}

impl DeviceKey for SimulatedDeviceKey {
    fn hmac(&self, data: &[u8]) -> Result<Zeroizing<[u8; 32]>, DeviceKeyError> {
        self.take_an_answer()?;
        Ok(self.secrets.hmac(data))
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], DeviceKeyError> {
        self.take_an_answer()?;
        Ok(self.secrets.sign(message))
    }

    fn public_key(&self) -> [u8; 33] {
        self.secrets.public_key()
    }

    fn protection(&self) -> Protection {
        self.protection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_fails_when_told_and_answers_again_when_recovered() {
        let key = SimulatedDeviceKey::numbered(1);
        key.fail_after(2);
        key.hmac(b"one").unwrap();
        key.sign(b"two").unwrap();
        assert!(matches!(key.hmac(b"three"), Err(DeviceKeyError::NoAnswer)));
        assert!(matches!(key.sign(b"four"), Err(DeviceKeyError::NoAnswer)));
        key.recover();
        key.hmac(b"five").unwrap();
    }

    #[test]
    fn every_number_is_another_device() {
        let keys: std::collections::BTreeSet<[u8; 33]> =
            (0..16).map(|number| SimulatedDeviceKey::numbered(number).public_key()).collect();
        assert_eq!(keys.len(), 16);
    }

    #[test]
    fn protection_is_what_it_claims() {
        let key = SimulatedDeviceKey::numbered(1);
        assert_eq!(key.protection(), Protection::Software);
        assert_eq!(key.claiming(Protection::Hardware).protection(), Protection::Hardware);
    }
}
