//! The state database: what this device is, which snapshots answer, and what was used of limits.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};
use sync_format::v1::package::seal::SealSecret;
use sync_format::v1::package::{Dataset, Purpose, SnapshotVersion};

use super::install::Replaces;
use super::{Access, Kind, StoreError};
use crate::clock::{Boot, DeviceTime};
use crate::keys::SecretKey;

/// What enrolment gave this device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Enrolment {
    /// Identity of the device, drawn at enrolment.
    pub device: [u8; 16],
    /// What the screen calls the device.
    pub label: String,
    /// Number of the unit that holds it.
    pub unit: u32,
    /// SHA-256 of the root document that this device trusts.
    pub root_hash: [u8; 32],
    /// Real use or a demonstration.
    pub purpose: Purpose,
    /// Headquarters' X25519 key that record bodies are sealed to.
    pub collect_key: [u8; 32],
    /// The device's own key that packages are sealed to; headquarters has its public half.
    pub seal_secret: SealSecret,
    /// When it was enrolled.
    pub enrolled_at: DeviceTime,
}

/// A snapshot that answers.
pub struct Active {
    /// Its version.
    pub version: SnapshotVersion,
    /// Name of its file in the folder `store`.
    pub file: String,
    /// Key of that file.
    pub key: SecretKey,
    /// The manifest's bytes, as they were signed.
    pub manifest: Vec<u8>,
    /// The inner manifest's bytes.
    pub inner: Vec<u8>,
    /// When it was installed.
    pub installed_at: DeviceTime,
}

/// Shows nothing of the key, nor of the manifest that holds the register's tag key.
impl std::fmt::Debug for Active {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Active")
            .field("version", &self.version)
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// The newest record of a queue; number 0 and a hash of zeros where there is none yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Head {
    /// Its number.
    pub sequence: u64,
    /// SHA-256 of its header.
    pub hash: [u8; 32],
}

/// A line of what the officer may read of the last records: never a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recent {
    /// The record's number in the queue.
    pub sequence: u64,
    /// What kind of record, as `encounter` numbers them.
    pub kind: u8,
    /// Hours since 1970 UTC.
    pub hour: u32,
    /// The notice that a match or referral names.
    pub notice: Option<u64>,
    /// What was recorded of it, as the record format numbers outcomes.
    pub outcome: Option<u8>,
}

/// The lower bound of the time on a device that has seen no signed time yet: 2026-01-01 UTC, before
/// which no version of this program was made.
const EARLIEST_SECONDS: i64 = 1_767_225_600;

/// The open state database.
#[derive(Debug)]
pub struct State {
    connection: Connection,
}

impl State {
    /// Makes the database of a newly enrolled device.
    pub fn create(
        path: &Path,
        key: &SecretKey,
        enrolment: &Enrolment,
    ) -> Result<State, StoreError> {
        let connection = super::open(path, key, Kind::State, Access::Create)?;
        durable(&connection)?;
        connection.execute(
            "INSERT INTO enrolment VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                enrolment.device,
                enrolment.label,
                enrolment.unit,
                enrolment.root_hash,
                enrolment.purpose.number(),
                enrolment.collect_key,
                enrolment.seal_secret.expose(),
                enrolment.enrolled_at.0
            ],
        )?;
        connection.execute("INSERT INTO time_floor VALUES (1, ?)", params![EARLIEST_SECONDS])?;
        Ok(State { connection })
    }

    /// Opens the database of an enrolled device.
    pub fn open(path: &Path, key: &SecretKey) -> Result<State, StoreError> {
        let connection = super::open(path, key, Kind::State, Access::ReadWrite)?;
        durable(&connection)?;
        Ok(State { connection })
    }

    /// Returns what enrolment gave this device.
    pub fn enrolment(&self) -> Result<Enrolment, StoreError> {
        let enrolment = self.connection.query_row(
            "SELECT device, label, unit, root_hash, purpose, collect_key, seal_secret, enrolled_at
             FROM enrolment",
            [],
            |row| {
                Ok((
                    Enrolment {
                        device: row.get(0)?,
                        label: row.get(1)?,
                        unit: row.get(2)?,
                        root_hash: row.get(3)?,
                        purpose: Purpose::Demo,
                        collect_key: row.get(5)?,
                        seal_secret: SealSecret::new(row.get(6)?),
                        enrolled_at: DeviceTime(row.get(7)?),
                    },
                    row.get::<_, u8>(4)?,
                ))
            },
        )?;
        let (enrolment, purpose) = enrolment;
        let purpose = Purpose::from_number(purpose).ok_or(StoreError::DamagedRow("state"))?;
        Ok(Enrolment { purpose, ..enrolment })
    }

    /// Returns the snapshot of `dataset` that answers, or `None` where none was installed.
    pub fn active(&self, dataset: Dataset) -> Result<Option<Active>, StoreError> {
        let active = self
            .connection
            .query_row(
                "SELECT epoch, version, file, key, manifest, inner, installed_at FROM active
                 WHERE dataset = ? AND partition = 0",
                params![dataset.number()],
                |row| {
                    Ok(Active {
                        version: SnapshotVersion {
                            epoch: row.get(0)?,
                            version: row.get::<_, i64>(1)?.cast_unsigned(),
                        },
                        file: row.get(2)?,
                        key: SecretKey::new(&row.get::<_, [u8; 32]>(3)?),
                        manifest: row.get(4)?,
                        inner: row.get(5)?,
                        installed_at: DeviceTime(row.get(6)?),
                    })
                },
            )
            .optional()?;
        Ok(active)
    }

    /// Returns the highest version of `dataset` that was ever installed.
    pub fn floor(&self, dataset: Dataset) -> Result<Option<SnapshotVersion>, StoreError> {
        floor_in(&self.connection, dataset)
    }

    /// Returns the newest signed time that this device has seen.
    pub fn time_floor(&self) -> Result<DeviceTime, StoreError> {
        let seconds = self
            .connection
            .prepare_cached("SELECT seconds FROM time_floor")?
            .query_row([], |row| row.get(0))?;
        Ok(DeviceTime(seconds))
    }

    /// Makes a snapshot the one that answers, and raises both floors: all in one transaction.
    ///
    /// `signed_at` is the time in its manifest. Returns the file that answered before. Fails where
    /// the floor has risen to this version or above it since the package was verified.
    pub fn switch(
        &mut self,
        dataset: Dataset,
        next: &Active,
        replaces: Replaces,
        signed_at: DeviceTime,
    ) -> Result<Option<String>, StoreError> {
        let transaction =
            self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let before: Option<String> = transaction
            .query_row(
                "SELECT file FROM active WHERE dataset = ? AND partition = 0",
                params![dataset.number()],
                |row| row.get(0),
            )
            .optional()?;
        transaction.execute(
            "INSERT OR REPLACE INTO active VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?)",
            params![
                dataset.number(),
                next.version.epoch,
                next.version.version.cast_signed(),
                next.file,
                next.key.expose(),
                next.manifest,
                next.inner,
                next.installed_at.0
            ],
        )?;
        let floor = floor_in(&transaction, dataset)?;
        if floor.is_some_and(|floor| !replaces.permits(next.version, floor)) {
            return Err(StoreError::Overtaken);
        }
        transaction.execute(
            "INSERT OR REPLACE INTO floor VALUES (?, ?, ?)",
            params![dataset.number(), next.version.epoch, next.version.version.cast_signed()],
        )?;
        transaction
            .execute("UPDATE time_floor SET seconds = max(seconds, ?)", params![signed_at.0])?;
        transaction.commit()?;
        Ok(before)
    }

    /// Counts one use of a limited thing, or gives `false` where `limit` is reached in this hour.
    pub fn use_allowance(&mut self, kind: u8, boot: Boot, limit: u32) -> Result<bool, StoreError> {
        let window = self.window(kind, boot)?;
        if window.used >= limit {
            return Ok(false);
        }
        // A count that a power cut takes back is no harm; waiting for the disk at every look-up is.
        self.connection.execute_batch("PRAGMA synchronous = NORMAL")?;
        let counted = self
            .connection
            .prepare_cached("INSERT OR REPLACE INTO allowance VALUES (?, ?, ?, ?)")
            .and_then(|mut statement| {
                statement.execute(params![
                    kind,
                    boot.id,
                    window.since.cast_signed(),
                    window.used + 1
                ])
            });
        self.connection.execute_batch("PRAGMA synchronous = FULL")?;
        counted?;
        Ok(true)
    }

    /// Returns how often a limited thing was used in this hour, and when the hour ends.
    pub fn used(&self, kind: u8, boot: Boot) -> Result<(u32, Duration), StoreError> {
        let window = self.window(kind, boot)?;
        let end = Duration::from_secs(window.since.saturating_add(WINDOW_SECONDS));
        Ok((window.used, end.saturating_sub(boot.since)))
    }

    /// Returns the hour that runs for a limited thing. A restart begins it anew and keeps its count,
    /// so that restarting gives nothing.
    fn window(&self, kind: u8, boot: Boot) -> Result<Window, StoreError> {
        let kept = self
            .connection
            .prepare_cached("SELECT boot, since, used FROM allowance WHERE kind = ?")?
            .query_row(params![kind], |row| {
                let since = row.get::<_, i64>(1)?.cast_unsigned();
                Ok((row.get::<_, [u8; 16]>(0)?, Window { since, used: row.get(2)? }))
            })
            .optional()?;
        let now = boot.since.as_secs();
        Ok(match kept {
            Some((id, window)) if id == boot.id && now < window.since + WINDOW_SECONDS => window,
            Some((id, window)) if id != boot.id => Window { since: now, used: window.used },
            _ => Window { since: now, used: 0 },
        })
    }

    /// Returns number and header hash of the newest record that this device wrote.
    pub fn queue_head(&self) -> Result<Head, StoreError> {
        let head = self
            .connection
            .query_row("SELECT sequence, hash FROM queue_head", [], |row| {
                Ok(Head { sequence: row.get::<_, i64>(0)?.cast_unsigned(), hash: row.get(1)? })
            })
            .optional()?;
        Ok(head.unwrap_or_default())
    }

    /// Keeps a line about a record for the officer's list and the queue's head, and drops lines
    /// older than `keep_hours`.
    pub fn remember(
        &mut self,
        recent: &Recent,
        head: Head,
        keep_hours: u32,
    ) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        transaction.execute(
            "INSERT OR REPLACE INTO queue_head VALUES (1, ?, ?)",
            params![head.sequence.cast_signed(), head.hash],
        )?;
        transaction.execute(
            "INSERT OR REPLACE INTO recent VALUES (?, ?, ?, ?, ?)",
            params![
                recent.sequence.cast_signed(),
                recent.kind,
                recent.hour,
                recent.notice.map(u64::cast_signed),
                recent.outcome
            ],
        )?;
        transaction.execute(
            "DELETE FROM recent WHERE hour < ?",
            params![recent.hour.saturating_sub(keep_hours)],
        )?;
        transaction.commit()?;
        Ok(())
    }

    /// Notes the outcome that was recorded for the check with this number.
    pub fn note_outcome(&mut self, sequence: u64, outcome: u8) -> Result<(), StoreError> {
        self.connection.execute(
            "UPDATE recent SET outcome = ? WHERE sequence = ?",
            params![outcome, sequence.cast_signed()],
        )?;
        Ok(())
    }

    /// Returns the last lines about records, newest first.
    pub fn recent(&self, most: u32) -> Result<Vec<Recent>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, kind, hour, notice, outcome FROM recent
             ORDER BY sequence DESC LIMIT ?",
        )?;
        let rows = statement.query_map(params![most], |row| {
            Ok(Recent {
                sequence: row.get::<_, i64>(0)?.cast_unsigned(),
                kind: row.get(1)?,
                hour: row.get(2)?,
                notice: row.get::<_, Option<i64>>(3)?.map(i64::cast_unsigned),
                outcome: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns how many lines of this kind have no outcome.
    pub fn without_outcome(&self, kind: u8) -> Result<u32, StoreError> {
        Ok(self.connection.query_row(
            "SELECT count(*) FROM recent WHERE kind = ? AND outcome IS NULL",
            params![kind],
            |row| row.get(0),
        )?)
    }

    /// Returns the newest line of this kind that has no outcome and names a notice.
    pub fn newest_without_outcome(&self, kind: u8) -> Result<Option<(u64, u64)>, StoreError> {
        let newest = self
            .connection
            .query_row(
                "SELECT sequence, notice FROM recent
                 WHERE kind = ? AND outcome IS NULL AND notice IS NOT NULL
                 ORDER BY sequence DESC LIMIT 1",
                params![kind],
                |row| {
                    let (sequence, notice): (i64, i64) = (row.get(0)?, row.get(1)?);
                    Ok((sequence.cast_unsigned(), notice.cast_unsigned()))
                },
            )
            .optional()?;
        Ok(newest)
    }

    /// Returns a setting.
    pub fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(self
            .connection
            .query_row("SELECT value FROM setting WHERE name = ?", params![name], |row| row.get(0))
            .optional()?)
    }

    /// Keeps a setting.
    pub fn set_setting(&mut self, name: &str, value: &str) -> Result<(), StoreError> {
        self.connection
            .execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", params![name, value])?;
        Ok(())
    }
}

fn floor_in(
    connection: &Connection,
    dataset: Dataset,
) -> Result<Option<SnapshotVersion>, StoreError> {
    let floor = connection
        .query_row(
            "SELECT epoch, version FROM floor WHERE dataset = ?",
            params![dataset.number()],
            |row| {
                Ok(SnapshotVersion {
                    epoch: row.get(0)?,
                    version: row.get::<_, i64>(1)?.cast_unsigned(),
                })
            },
        )
        .optional()?;
    Ok(floor)
}

/// The hour in which uses of a limited thing are counted.
struct Window {
    /// Its beginning, seconds since boot.
    since: u64,
    used: u32,
}

/// Length of that hour.
const WINDOW_SECONDS: u64 = 3_600;

/// COMMIT returns only when the bytes are on the disk, as far as the disk says so.
pub(crate) fn durable(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::testing::{NOW, version};
    use crate::store::testing::{Store, enrolment, key};

    const HOUR: u32 = 500_000;
    const KIND: u8 = 1;

    fn boot(id: u8, seconds: u64) -> Boot {
        Boot { id: [id; 16], since: Duration::from_secs(seconds) }
    }

    /// Uses as much as is left of a limit of five, and says how much that was.
    fn use_up(state: &mut State, boot: Boot) -> u32 {
        (0..20).map(|_| u32::from(state.use_allowance(KIND, boot, 5).unwrap())).sum()
    }

    #[test]
    fn what_enrolment_gave_comes_back() {
        let store = Store::new();
        assert_eq!(store.state.enrolment().unwrap(), enrolment());
        // An unsigned clock raises no floor.
        assert_eq!(store.state.time_floor().unwrap(), DeviceTime(EARLIEST_SECONDS));
        assert!(store.state.active(Dataset::Notices).unwrap().is_none());
        assert_eq!(store.state.floor(Dataset::Notices).unwrap(), None);
    }

    #[test]
    fn a_limit_holds_for_an_hour_and_each_kind_by_itself() {
        let mut store = Store::new();
        assert_eq!(use_up(&mut store.state, boot(1, 100)), 5);
        assert_eq!(use_up(&mut store.state, boot(1, 3_699)), 0);
        assert!(store.state.use_allowance(KIND + 1, boot(1, 100), 5).unwrap());
        let left_of_the_hour = Duration::from_secs(2_700);
        assert_eq!(store.state.used(KIND, boot(1, 1_000)).unwrap(), (5, left_of_the_hour));
        assert_eq!(use_up(&mut store.state, boot(1, 3_700)), 5);
    }

    #[test]
    fn restarting_gives_no_fresh_allowance() {
        let mut store = Store::new();
        assert_eq!(use_up(&mut store.state, boot(1, 3_000)), 5);
        for restart in 2..6 {
            assert_eq!(use_up(&mut store.state, boot(restart, 10)), 0, "{restart}");
        }
        // Nothing was used in the last boots, so the hour is counted from the one that asks.
        assert_eq!(store.state.used(KIND, boot(9, 0)).unwrap().0, 5);
    }

    #[test]
    fn a_restart_ends_its_hour_too() {
        let mut store = Store::new();
        for _ in 0..4 {
            assert!(store.state.use_allowance(KIND, boot(1, 3_000), 5).unwrap());
        }
        assert_eq!(use_up(&mut store.state, boot(2, 60)), 1);
        assert_eq!(use_up(&mut store.state, boot(2, 3_659)), 0);
        assert_eq!(use_up(&mut store.state, boot(2, 3_660)), 5);
    }

    #[test]
    fn lines_come_newest_first_and_are_dropped_after_their_time() {
        let mut store = Store::new();
        let line = |sequence, hour| Recent { sequence, kind: 2, hour, notice: None, outcome: None };
        for (sequence, hour) in [(1, HOUR), (2, HOUR + 1), (3, HOUR + 48)] {
            store.state.remember(&line(sequence, hour), Head::default(), 48).unwrap();
        }
        let numbers = |state: &State, most| -> Vec<u64> {
            state.recent(most).unwrap().iter().map(|recent| recent.sequence).collect()
        };
        assert_eq!(numbers(&store.state, 9), [3, 2, 1]);
        assert_eq!(numbers(&store.state, 2), [3, 2]);
        store.state.remember(&line(4, HOUR + 49), Head { sequence: 4, hash: [4; 32] }, 48).unwrap();
        assert_eq!(store.state.queue_head().unwrap().sequence, 4);
        assert_eq!(numbers(&store.state, 9), [4, 3, 2]);

        store.state.note_outcome(3, 1).unwrap();
        let outcomes: Vec<Option<u8>> =
            store.state.recent(9).unwrap().iter().map(|recent| recent.outcome).collect();
        assert_eq!(outcomes, [None, Some(1), None]);
    }

    #[test]
    fn nothing_older_is_switched_to() {
        let mut store = Store::new();
        let active = |number| Active {
            version: version(number),
            file: format!("{number}.db"),
            key: key(),
            manifest: vec![1],
            inner: vec![2],
            installed_at: NOW,
        };
        let switch = |state: &mut State, number| {
            state.switch(
                Dataset::Notices,
                &active(number),
                Replaces::Older,
                NOW.plus_seconds(number as i64),
            )
        };
        assert_eq!(switch(&mut store.state, 3).unwrap(), None);
        for older in [2, 3] {
            let refused = switch(&mut store.state, older);
            assert!(matches!(refused, Err(StoreError::Overtaken)), "{refused:?}");
            let file = store.state.active(Dataset::Notices).unwrap().map(|active| active.file);
            assert_eq!(file.as_deref(), Some("3.db"));
        }
        assert_eq!(switch(&mut store.state, 4).unwrap().as_deref(), Some("3.db"));
        assert_eq!(store.state.floor(Dataset::Notices).unwrap(), Some(version(4)));
        assert_eq!(store.state.time_floor().unwrap(), NOW.plus_seconds(4));
        let newer_epoch = Active { version: SnapshotVersion { epoch: 2, version: 1 }, ..active(1) };
        store.state.switch(Dataset::Notices, &newer_epoch, Replaces::Older, NOW).unwrap();
        assert_eq!(store.state.floor(Dataset::Notices).unwrap(), Some(newer_epoch.version));
    }

    #[test]
    fn settings_are_kept_and_replaced() {
        let mut store = Store::new();
        assert_eq!(store.state.setting("theme").unwrap(), None);
        store.state.set_setting("theme", "night").unwrap();
        store.state.set_setting("theme", "light").unwrap();
        assert_eq!(store.state.setting("theme").unwrap().as_deref(), Some("light"));
    }

    #[test]
    fn a_purpose_that_nobody_wrote_is_damage() {
        let store = Store::new();
        store.state_connection().execute_batch("UPDATE enrolment SET purpose = 7").unwrap();
        let refused = store.state.enrolment();
        assert!(matches!(refused, Err(StoreError::DamagedRow("state"))), "{refused:?}");
    }
}
