//! Counts the tries at a PIN, and makes the next one wait.
//!
//! The count stands in a file of its own, so that counting never touches the slots. It carries the
//! device's mark (an HMAC under the device key): a count that was lowered with an editor is noticed.
//! A file that is missing or forged makes the vault [`Damage`]d, not fresh: otherwise deleting it
//! would give a thief ten new tries. The price, said openly: who can delete files can make a vault
//! unusable, and he could delete the vault itself as well.
//!
//! An older count that was genuine in its time is noticed when it is older than the last unlocking,
//! which the vault remembers under its seal, or than what the running program has seen. Between two
//! unlockings, software alone cannot tell a restored file from the one it replaced; headquarters
//! sees a restored device by its counters.
//!
//! Waiting is measured in the time since boot, which nobody can set: turning the real-time clock on
//! shortens nothing, and a restart begins the wait anew.

use std::time::Duration;

use super::device_key::{DeviceKey, DeviceKeyError, is_same_mark, labelled_hmac};
use super::layout::{Damage, Reader};
use crate::clock::Boot;

/// Tries before the slots are erased. Chosen: with six digits, one device in 100,000 falls.
pub const MAX_TRIES: u32 = 10;

/// Seconds to wait after the first, second, … wrong PIN in a row; the tenth erases the slots.
///
/// Chosen: three slips of a cold hand cost nothing, all ten tries take 82 minutes.
pub const DELAYS_SECONDS: [u64; MAX_TRIES as usize - 1] = [0, 0, 0, 8, 30, 60, 300, 900, 3_600];

/// What a PIN pad has to show before a try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attempts {
    /// Wrong PINs in a row so far, a try that was cut short included.
    pub failed: u32,
    /// Tries left before the slots are erased; 0 when they are.
    pub left: u32,
    /// How long the next try has to wait; zero when it may be made now.
    pub wait: Duration,
}

/// Length of the counter's file.
pub(super) const ATTEMPTS_BYTES: usize = 92;

const MAGIC: [u8; 7] = *b"FCTRIES";
const VERSION: u8 = 1;
const LABEL: &[u8] = b"fieldcheck-vault-attempts-v1\0";

/// The counter as it stands in its file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Record {
    /// The vault that this counts for.
    pub vault: [u8; 16],
    /// Rises with every write and never falls.
    pub generation: u64,
    /// Wrong PINs in a row, the try that is being judged included.
    pub failed: u32,
    /// The boot during which the last try was made.
    boot: [u8; 16],
    /// Time since that boot at the last try.
    since_ms: u64,
}

impl Record {
    /// Returns the counter of a new vault.
    pub(super) fn new(vault: [u8; 16], now: &Boot) -> Record {
        Record { vault, generation: 1, failed: 0, boot: now.id, since_ms: milliseconds(now.since) }
    }

    /// Returns the counter with one more try begun at `now`.
    pub(super) fn with_one_more(&self, now: &Boot) -> Record {
        self.followed_by(self.failed.saturating_add(1), now)
    }

    /// Returns the counter after the right PIN.
    pub(super) fn with_none_failed(&self, now: &Boot) -> Record {
        self.followed_by(0, now)
    }

    /// Returns what is left and how long the next try has to wait.
    pub(super) fn attempts(&self, now: &Boot) -> Attempts {
        let delay = match self.failed.checked_sub(1) {
            Some(index) => DELAYS_SECONDS.get(index as usize).copied().unwrap_or(0),
            None => 0,
        };
        // Where the system hides the boot's identity, a time that ran backwards tells a restart.
        let same_boot = now.id == self.boot && milliseconds(now.since) >= self.since_ms;
        let waited = if same_boot {
            now.since.saturating_sub(Duration::from_millis(self.since_ms))
        } else {
            now.since
        };
        Attempts {
            failed: self.failed,
            left: MAX_TRIES.saturating_sub(self.failed),
            wait: Duration::from_secs(delay).saturating_sub(waited),
        }
    }

    /// Returns the counter's file, with the device's mark.
    pub(super) fn encode(
        &self,
        device_key: &dyn DeviceKey,
    ) -> Result<[u8; ATTEMPTS_BYTES], DeviceKeyError> {
        let mut bytes = Vec::with_capacity(ATTEMPTS_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.vault);
        bytes.extend_from_slice(&self.generation.to_le_bytes());
        bytes.extend_from_slice(&self.boot);
        bytes.extend_from_slice(&self.since_ms.to_le_bytes());
        bytes.extend_from_slice(&self.failed.to_le_bytes());
        bytes.extend_from_slice(labelled_hmac(device_key, LABEL, &bytes)?.as_slice());
        Ok(bytes.try_into().expect("60 bytes of fields and 32 of the mark"))
    }

    /// Reads the counter's file without its mark: enough to show a number, not to judge a PIN.
    pub(super) fn decode(bytes: &[u8]) -> Result<Record, Damage> {
        if bytes.len() != ATTEMPTS_BYTES {
            return Err(Damage::AttemptsUnreadable);
        }
        let mut reader = Reader::new(bytes);
        if reader.take() != MAGIC || reader.take() != [VERSION] {
            return Err(Damage::AttemptsUnreadable);
        }
        Ok(Record {
            vault: reader.take(),
            generation: u64::from_le_bytes(reader.take()),
            boot: reader.take(),
            since_ms: u64::from_le_bytes(reader.take()),
            failed: u32::from_le_bytes(reader.take()),
        })
    }

    /// Says whether `bytes`, a file that [`Record::decode`] could read, carry the device's mark.
    pub(super) fn is_marked(
        bytes: &[u8],
        device_key: &dyn DeviceKey,
    ) -> Result<bool, DeviceKeyError> {
        let Some((fields, mark)) = bytes.split_last_chunk::<32>() else {
            return Ok(false);
        };
        Ok(is_same_mark(&*labelled_hmac(device_key, LABEL, fields)?, mark))
    }

    fn followed_by(&self, failed: u32, now: &Boot) -> Record {
        Record {
            vault: self.vault,
            generation: self.generation.saturating_add(1),
            failed,
            boot: now.id,
            since_ms: milliseconds(now.since),
        }
    }
}

fn milliseconds(since: Duration) -> u64 {
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SimulatedDeviceKey;

    fn boot(id: u8, seconds: u64) -> Boot {
        Boot { id: [id; 16], since: Duration::from_secs(seconds) }
    }

    fn after_failures(count: u32, at: &Boot) -> Record {
        (0..count).fold(Record::new([7; 16], at), |record, _| record.with_one_more(at))
    }

    #[test]
    fn delay_grows_with_every_wrong_pin() {
        let now = boot(1, 5_000);
        let shown: Vec<(u32, u64)> = (0..=MAX_TRIES)
            .map(|failed| after_failures(failed, &now).attempts(&now))
            .map(|attempts| (attempts.left, attempts.wait.as_secs()))
            .collect();
        assert_eq!(
            shown,
            [
                (10, 0),
                (9, 0),
                (8, 0),
                (7, 0),
                (6, 8),
                (5, 30),
                (4, 60),
                (3, 300),
                (2, 900),
                (1, 3_600),
                (0, 0),
            ]
        );
    }

    #[test]
    fn waiting_is_measured_in_the_time_since_boot() {
        // Given seven failures, hence 300 s, the last one 5,000 s after boot 1.
        let record = after_failures(7, &boot(1, 5_000));
        let rows = [
            ("at once", boot(1, 5_000), 300),
            ("some of it waited", boot(1, 5_100), 200),
            ("all of it waited", boot(1, 5_300), 0),
            ("long after", boot(1, 90_000), 0),
            ("a restart begins it anew", boot(2, 0), 300),
            ("and it runs in the new boot", boot(2, 100), 200),
            ("until it is over", boot(2, 300), 0),
            ("a restart whose identity is hidden", boot(1, 40), 260),
        ];
        for (case, now, seconds) in rows {
            assert_eq!(record.attempts(&now).wait, Duration::from_secs(seconds), "{case}");
        }
    }

    #[test]
    fn right_pin_clears_the_count_and_the_generation_only_rises() {
        let now = boot(1, 10);
        let failed = after_failures(5, &now);
        assert_eq!((failed.failed, failed.generation), (5, 6));
        let cleared = failed.with_none_failed(&now);
        assert_eq!((cleared.failed, cleared.generation), (0, 7));
        assert_eq!(cleared.attempts(&now), Attempts { failed: 0, left: 10, wait: Duration::ZERO });
    }

    #[test]
    fn counter_reads_back_as_written() {
        let record = after_failures(3, &Boot { id: [9; 16], since: Duration::from_millis(1_234) });
        let key = SimulatedDeviceKey::numbered(1);
        let bytes = record.encode(&key).unwrap();
        assert_eq!(Record::decode(&bytes), Ok(record));
        assert!(Record::is_marked(&bytes, &key).unwrap());
    }

    #[test]
    fn every_flipped_bit_of_the_counter_is_noticed() {
        let key = SimulatedDeviceKey::numbered(1);
        let bytes = after_failures(3, &boot(1, 10)).encode(&key).unwrap();
        for position in 0..ATTEMPTS_BYTES {
            for bit in 0..8 {
                let mut changed = bytes;
                changed[position] ^= 1 << bit;
                let noticed = Record::decode(&changed).is_err()
                    || !Record::is_marked(&changed, &key).unwrap();
                assert!(noticed, "bit {bit} of byte {position}");
            }
        }
        let other = SimulatedDeviceKey::numbered(2);
        assert!(!Record::is_marked(&bytes, &other).unwrap(), "another device's mark");
    }

    #[test]
    fn counter_of_another_length_is_refused() {
        let key = SimulatedDeviceKey::numbered(1);
        let bytes = Record::new([7; 16], &boot(1, 10)).encode(&key).unwrap();
        let longer = [bytes.as_slice(), &[0]].concat();
        for wrong in [&[][..], &bytes[..ATTEMPTS_BYTES - 1], &longer] {
            assert_eq!(Record::decode(wrong), Err(Damage::AttemptsUnreadable), "{}", wrong.len());
        }
    }
}
