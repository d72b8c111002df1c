//! The state database: what this device is, which snapshots answer, and what was used of limits.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row, TransactionBehavior, params};
use sync_format::v1::package::seal::SealSecret;
use sync_format::v1::package::{Dataset, Freshness, Purpose, SnapshotVersion};

use super::install::Stage;
use super::{Access, Kind, StoreError};
use crate::clock::{Boot, DeviceTime, Observation, TimeBase};
use crate::keys::SecretKey;
use crate::snapshot::NewestRoot;

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

/// A part of a dataset: the full list, or the changes laid over it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// The full list.
    Full = 0,
    /// All changes since the full list, in a file of their own.
    Overlay = 1,
}

impl Part {
    fn from_number(number: u8) -> Option<Part> {
        [Part::Full, Part::Overlay].into_iter().find(|part| *part as u8 == number)
    }
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
    /// The inner manifest, as far as this unit may read.
    pub inner: Vec<u8>,
    /// How long it answers: the stricter of list and unit.
    pub freshness: Freshness,
    /// Whether list or unit demands the chip.
    pub chip_required: bool,
    /// When it was installed.
    pub installed_at: DeviceTime,
    /// Whether a verification found that it is not what was signed: it answers no more until it is
    /// installed again.
    pub is_changed: bool,
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

/// The root document that this device trusts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrustedRoot {
    /// SHA-256 of its bytes.
    pub hash: [u8; 32],
    /// The bytes, as they were signed; empty before the first package.
    pub bytes: Vec<u8>,
    /// Its version, 0 before the first package.
    pub root_version: u32,
    /// Its epoch, 0 before the first package.
    pub epoch: u32,
}

/// An installation that is under way, or was cut.
pub struct Installation {
    /// Which part it builds.
    pub part: Part,
    /// How far it is.
    pub stage: Stage,
    /// SHA-256 over the manifest and the chunks that are granted: the same again goes on from here.
    pub package: [u8; 32],
    /// The version that it will be.
    pub version: SnapshotVersion,
    /// Name of its file in the folder `store`.
    pub file: String,
    /// Key of that file.
    pub key: SecretKey,
    /// When it began.
    pub began: DeviceTime,
}

/// A package that was offered, and what became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Load {
    /// When.
    pub at: DeviceTime,
    /// What it carried; `None` where it was refused before that was known.
    pub dataset: Option<Dataset>,
    /// Its version.
    pub version: Option<SnapshotVersion>,
    /// Of a delta, the version of its full list.
    pub base: Option<u64>,
    /// Service number of who loaded it; may be empty.
    pub by: String,
    /// Name of the file, without its folder.
    pub source: String,
    /// `installed`, `stopped`, or the code of the refusal.
    pub outcome: String,
    /// Length of the package.
    pub bytes: u64,
    /// How long it took, seconds.
    pub seconds: u32,
}

/// What one transaction makes of a snapshot that was built and probed.
#[derive(Debug)]
pub struct Switch<'a> {
    /// Its dataset.
    pub dataset: Dataset,
    /// Whether it is the full list or the changes over it.
    pub part: Part,
    /// What answers from now on.
    pub next: &'a Active,
    /// The root document that it was verified under.
    pub root: &'a NewestRoot,
    /// The time in its manifest.
    pub signed_at: DeviceTime,
    /// The running boot, from which the lower bound of the time goes on.
    pub boot: Boot,
    /// The line of the history.
    pub load: &'a Load,
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
        connection.execute(
            "INSERT INTO trusted_root VALUES (1, ?, x'', 0, 0)",
            params![enrolment.root_hash],
        )?;
        connection.execute(
            "INSERT INTO time_base VALUES (1, ?, ?, 0)",
            params![EARLIEST_SECONDS, Boot::default().id],
        )?;
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

    /// Returns the full list of `dataset` that answers, or `None` where none was installed.
    pub fn active(&self, dataset: Dataset) -> Result<Option<Active>, StoreError> {
        self.part(dataset, Part::Full)
    }

    /// Returns the changes that lie over the full list of `dataset`, or `None` where there are none.
    pub fn overlay(&self, dataset: Dataset) -> Result<Option<Active>, StoreError> {
        self.part(dataset, Part::Overlay)
    }

    /// Returns one part of `dataset`.
    pub fn part(&self, dataset: Dataset, part: Part) -> Result<Option<Active>, StoreError> {
        let active = self
            .connection
            .query_row(
                "SELECT epoch, version, file, key, manifest, inner, fresh_hours, usable_hours,
                        chip_required, installed_at, is_changed
                 FROM active WHERE dataset = ? AND part = ?",
                params![dataset.number(), part as u8],
                |row| {
                    Ok(Active {
                        version: version_at(row, 0)?,
                        file: row.get(2)?,
                        key: SecretKey::new(&row.get::<_, [u8; 32]>(3)?),
                        manifest: row.get(4)?,
                        inner: row.get(5)?,
                        freshness: Freshness {
                            fresh_hours: row.get(6)?,
                            usable_hours: row.get(7)?,
                        },
                        chip_required: row.get(8)?,
                        installed_at: DeviceTime(row.get(9)?),
                        is_changed: row.get(10)?,
                    })
                },
            )
            .optional()?;
        Ok(active)
    }

    /// Returns the root document that this device trusts.
    pub fn trusted_root(&self) -> Result<TrustedRoot, StoreError> {
        Ok(self.connection.query_row(
            "SELECT hash, bytes, root_version, epoch FROM trusted_root",
            [],
            |row| {
                Ok(TrustedRoot {
                    hash: row.get(0)?,
                    bytes: row.get(1)?,
                    root_version: row.get(2)?,
                    epoch: row.get(3)?,
                })
            },
        )?)
    }

    /// Returns the highest version of `dataset` that was ever installed.
    pub fn floor(&self, dataset: Dataset) -> Result<Option<SnapshotVersion>, StoreError> {
        floor_in(&self.connection, dataset)
    }

    /// Returns the lower bound of the time, and when it held.
    pub fn time_base(&self) -> Result<TimeBase, StoreError> {
        time_base_in(&self.connection)
    }

    /// Looks whether the clock went on as it must since it was last looked at, and keeps what it says
    /// now. Returns by how many seconds it was set, or lies behind the lower bound: once for each
    /// step.
    pub fn observe(&mut self, now: Observation) -> Result<Option<u64>, StoreError> {
        let base = self.time_base()?;
        let seen = self
            .connection
            .prepare_cached("SELECT boot, since, real, behind FROM clock_seen")?
            .query_row([], |row| {
                let boot = Boot { id: row.get(0)?, since: seconds_at(row, 1)? };
                let observation = Observation { boot, real: DeviceTime(row.get(2)?) };
                Ok((observation, row.get::<_, bool>(3)?))
            })
            .optional()?;
        let lag = base.at(now.boot).0.saturating_sub(now.real.0);
        let behind = lag > 0;
        let step = match seen {
            None => behind.then_some(lag.unsigned_abs()),
            Some((earlier, was_behind)) => now
                .step_since(earlier)
                .or_else(|| (behind && !was_behind).then_some(lag.unsigned_abs())),
        };
        let is_same_boot = seen.is_some_and(|(earlier, _)| earlier.boot.id == now.boot.id);
        if step.is_some() || !is_same_boot || seen.is_some_and(|(_, was)| was != behind) {
            self.connection.execute(
                "INSERT OR REPLACE INTO clock_seen VALUES (1, ?, ?, ?, ?)",
                params![now.boot.id, whole_seconds(now.boot), now.real.0, behind],
            )?;
        }
        Ok(step)
    }

    /// Carries the lower bound of the time on to `now` and keeps it, so that a restart loses little.
    pub fn tick(&mut self, now: Observation) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        tick_in(&transaction, now)?;
        transaction.commit()?;
        Ok(())
    }

    /// Makes a snapshot the one that answers, raises the floor, keeps the newest root document, the
    /// time that was signed and the line of the history: all in one transaction.
    ///
    /// A new full list drops the changes over the one before. Returns the files that answered before.
    /// Fails where the floor has risen to this version or above it since the package was verified,
    /// unless the package is the very one that answers, whose file is damaged.
    pub fn switch(&mut self, switch: &Switch<'_>) -> Result<Vec<String>, StoreError> {
        let Switch { dataset, part, next, .. } = *switch;
        let before = self.part(dataset, part)?;
        let mends = before.is_some_and(|before| before.manifest == next.manifest);
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let floor = floor_in(&transaction, dataset)?;
        if !mends && floor.is_some_and(|floor| next.version <= floor) {
            return Err(StoreError::Overtaken);
        }
        // The same full list again keeps the changes that were laid over it.
        let ends = if mends || part == Part::Overlay { "part = ?2" } else { "part >= ?2" };
        let files = transaction
            .prepare(&format!("DELETE FROM active WHERE dataset = ?1 AND {ends} RETURNING file"))?
            .query_map(params![dataset.number(), part as u8], |row| row.get(0))?
            .collect::<Result<Vec<String>, _>>()?;
        transaction.execute(
            "INSERT INTO active VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                dataset.number(),
                part as u8,
                next.version.epoch,
                next.version.version.cast_signed(),
                next.file,
                next.key.expose(),
                next.manifest,
                next.inner,
                next.freshness.fresh_hours,
                next.freshness.usable_hours,
                next.chip_required,
                next.installed_at.0,
                next.is_changed
            ],
        )?;
        if floor.is_none_or(|floor| next.version > floor) {
            transaction.execute(
                "INSERT OR REPLACE INTO floor VALUES (?, ?, ?)",
                params![dataset.number(), next.version.epoch, next.version.version.cast_signed()],
            )?;
        }
        transaction
            .execute("DELETE FROM installation WHERE dataset = ?", params![dataset.number()])?;
        if dataset == Dataset::Notices {
            drop_withdrawals(&transaction, next.version)?;
        }
        keep_root(&transaction, switch)?;
        note_load(&transaction, switch.load)?;
        transaction.commit()?;
        Ok(files)
    }

    /// Notes that a part of `dataset` is not what was signed.
    pub fn distrust(&mut self, dataset: Dataset, part: Part) -> Result<(), StoreError> {
        self.connection.execute(
            "UPDATE active SET is_changed = 1 WHERE dataset = ? AND part = ?",
            params![dataset.number(), part as u8],
        )?;
        Ok(())
    }

    /// Returns the installation of `dataset` that is under way or was cut.
    pub fn installation(&self, dataset: Dataset) -> Result<Option<Installation>, StoreError> {
        let found = self
            .connection
            .query_row(
                "SELECT part, stage, package, epoch, version, file, key, began
                 FROM installation WHERE dataset = ?",
                params![dataset.number()],
                |row| {
                    let (part, stage) = (row.get::<_, u8>(0)?, row.get::<_, u8>(1)?);
                    let rest = Installation {
                        part: Part::Full,
                        stage: Stage::Staged,
                        package: row.get(2)?,
                        version: version_at(row, 3)?,
                        file: row.get(5)?,
                        key: SecretKey::new(&row.get::<_, [u8; 32]>(6)?),
                        began: DeviceTime(row.get(7)?),
                    };
                    Ok((part, stage, rest))
                },
            )
            .optional()?;
        let Some((part, stage, rest)) = found else { return Ok(None) };
        let damaged = || StoreError::DamagedRow("state");
        let part = Part::from_number(part).ok_or_else(damaged)?;
        let stage = Stage::from_number(stage).ok_or_else(damaged)?;
        Ok(Some(Installation { part, stage, ..rest }))
    }

    /// Begins an installation of `dataset`, in the place of one that was cut.
    pub fn begin_installation(
        &mut self,
        dataset: Dataset,
        begun: &Installation,
    ) -> Result<(), StoreError> {
        self.connection.execute(
            "INSERT OR REPLACE INTO installation VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                dataset.number(),
                begun.part as u8,
                begun.stage as u8,
                begun.package,
                begun.version.epoch,
                begun.version.version.cast_signed(),
                begun.file,
                begun.key.expose(),
                begun.began.0
            ],
        )?;
        Ok(())
    }

    /// Notes how far the installation of `dataset` is.
    pub fn reach(&mut self, dataset: Dataset, stage: Stage) -> Result<(), StoreError> {
        self.connection.execute(
            "UPDATE installation SET stage = ? WHERE dataset = ?",
            params![stage as u8, dataset.number()],
        )?;
        Ok(())
    }

    /// Forgets an installation that was cut; its file is the caller's to remove.
    pub fn forget_installation(&mut self, dataset: Dataset) -> Result<(), StoreError> {
        self.connection
            .execute("DELETE FROM installation WHERE dataset = ?", params![dataset.number()])?;
        Ok(())
    }

    /// Keeps a line of the history of a package that was not installed.
    pub fn note_load(&mut self, load: &Load) -> Result<(), StoreError> {
        note_load(&self.connection, load)
    }

    /// Returns the last packages that were offered, newest first.
    pub fn loads(&self, most: u32) -> Result<Vec<Load>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT at, dataset, epoch, version, base, by, source, outcome, bytes, seconds
             FROM load ORDER BY id DESC LIMIT ?",
        )?;
        let rows = statement.query_map(params![most], |row| {
            let version = match row.get::<_, Option<u32>>(2)? {
                None => None,
                Some(_) => Some(version_at(row, 2)?),
            };
            Ok(Load {
                at: DeviceTime(row.get(0)?),
                dataset: row.get::<_, Option<u8>>(1)?.and_then(Dataset::from_number),
                version,
                base: row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned),
                by: row.get(5)?,
                source: row.get(6)?,
                outcome: row.get(7)?,
                bytes: row.get::<_, i64>(8)?.cast_unsigned(),
                seconds: row.get(9)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Keeps the notices that an emergency withdrawal names; lists up to `version` lose them. Returns
    /// how many were not kept already.
    pub fn withdraw(
        &mut self,
        version: SnapshotVersion,
        made: DeviceTime,
        notices: &[u64],
    ) -> Result<usize, StoreError> {
        let known = self.withdrawn()?;
        let transaction = self.connection.transaction()?;
        let mut new = 0;
        for notice in notices {
            if known.get(notice).is_some_and(|until| *until >= version) {
                continue;
            }
            transaction.execute(
                "INSERT OR REPLACE INTO withdrawn VALUES (?, ?, ?, ?)",
                params![notice.cast_signed(), version.epoch, version.version.cast_signed(), made.0],
            )?;
            new += 1;
        }
        transaction.commit()?;
        Ok(new)
    }

    /// Returns the notices that were withdrawn, and up to which version of the list.
    pub fn withdrawn(&self) -> Result<BTreeMap<u64, SnapshotVersion>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT notice, epoch, version FROM withdrawn")?;
        let rows = statement.query_map([], |row| {
            Ok((row.get::<_, i64>(0)?.cast_unsigned(), version_at(row, 1)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
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

    /// Keeps a line about a record for the officer's list and the queue's head, drops lines older
    /// than `keep_hours`, and carries the lower bound of the time on to `now`.
    pub fn remember(
        &mut self,
        recent: &Recent,
        head: Head,
        keep_hours: u32,
        now: Observation,
    ) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        tick_in(&transaction, now)?;
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
            |row| version_at(row, 0),
        )
        .optional()?;
    Ok(floor)
}

fn version_at(row: &Row<'_>, at: usize) -> rusqlite::Result<SnapshotVersion> {
    let version = row.get::<_, i64>(at + 1)?.cast_unsigned();
    Ok(SnapshotVersion { epoch: row.get(at)?, version })
}

fn seconds_at(row: &Row<'_>, at: usize) -> rusqlite::Result<Duration> {
    Ok(Duration::from_secs(row.get::<_, i64>(at)?.cast_unsigned()))
}

fn whole_seconds(boot: Boot) -> i64 {
    i64::try_from(boot.since.as_secs()).unwrap_or(i64::MAX)
}

fn time_base_in(connection: &Connection) -> Result<TimeBase, StoreError> {
    let base = connection.prepare_cached("SELECT seconds, boot, since FROM time_base")?.query_row(
        [],
        |row| {
            let boot = Boot { id: row.get(1)?, since: seconds_at(row, 2)? };
            Ok(TimeBase { lower: DeviceTime(row.get(0)?), boot })
        },
    )?;
    Ok(base)
}

fn keep_time_base(connection: &Connection, base: TimeBase) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE time_base SET seconds = ?, boot = ?, since = ?")?
        .execute(params![base.lower.0, base.boot.id, whole_seconds(base.boot)])?;
    Ok(())
}

/// Carries the lower bound on, and what the clock said with it: its drift within weeks is no step.
fn tick_in(connection: &Connection, now: Observation) -> Result<(), StoreError> {
    let base = time_base_in(connection)?;
    keep_time_base(connection, base.ticked(now.boot))?;
    connection
        .prepare_cached("UPDATE clock_seen SET since = ?, real = ? WHERE boot = ?")?
        .execute(params![whole_seconds(now.boot), now.real.0, now.boot.id])?;
    Ok(())
}

/// Keeps the newest root document and the newest signed time.
fn keep_root(connection: &Connection, switch: &Switch<'_>) -> Result<(), StoreError> {
    let Switch { root: newest, signed_at, boot, .. } = *switch;
    let root = &newest.root;
    let known: u32 =
        connection.query_row("SELECT root_version FROM trusted_root", [], |row| row.get(0))?;
    if root.root_version > known {
        connection.execute(
            "UPDATE trusted_root SET hash = ?, bytes = ?, root_version = ?, epoch = ?",
            params![newest.hash, newest.bytes, root.root_version, root.epoch],
        )?;
    }
    let base = if newest.raises_epoch {
        TimeBase::restarted(DeviceTime(root.made), boot)
    } else {
        time_base_in(connection)?
    };
    keep_time_base(connection, base.raised(signed_at, boot))
}

/// Forgets withdrawals that a list of this version was made after.
fn drop_withdrawals(connection: &Connection, version: SnapshotVersion) -> Result<(), StoreError> {
    // Versions use all 64 bits, which SQLite would compare as signed numbers.
    let older: Vec<i64> = {
        let mut statement = connection.prepare("SELECT notice, epoch, version FROM withdrawn")?;
        let rows =
            statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, version_at(row, 1)?)))?;
        let rows: Vec<(i64, SnapshotVersion)> = rows.collect::<Result<_, _>>()?;
        rows.into_iter().filter(|(_, until)| *until < version).map(|(notice, _)| notice).collect()
    };
    for notice in older {
        connection.execute("DELETE FROM withdrawn WHERE notice = ?", params![notice])?;
    }
    Ok(())
}

/// As many lines of the history are kept. Chosen: a year at three packages a day.
const KEEP_LOADS: u32 = 1_000;

fn note_load(connection: &Connection, load: &Load) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO load (at, dataset, epoch, version, base, by, source, outcome, bytes, seconds)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            load.at.0,
            load.dataset.map(Dataset::number),
            load.version.map(|version| version.epoch),
            load.version.map(|version| version.version.cast_signed()),
            load.base.map(u64::cast_signed),
            load.by,
            load.source,
            load.outcome,
            load.bytes.cast_signed(),
            load.seconds
        ],
    )?;
    connection.execute(
        "DELETE FROM load WHERE id <= (SELECT max(id) FROM load) - ?",
        params![KEEP_LOADS],
    )?;
    Ok(())
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
    use sync_format::codec;
    use sync_format::v1::package::{Root, sha256};

    use super::*;
    use crate::snapshot::testing::{self, NOW, version};
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
        let base = store.state.time_base().unwrap();
        assert_eq!(base.at(boot(1, 5_000)), DeviceTime(EARLIEST_SECONDS));
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
            store.state.remember(&line(sequence, hour), Head::default(), 48, seen(0)).unwrap();
        }
        let numbers = |state: &State, most| -> Vec<u64> {
            state.recent(most).unwrap().iter().map(|recent| recent.sequence).collect()
        };
        assert_eq!(numbers(&store.state, 9), [3, 2, 1]);
        assert_eq!(numbers(&store.state, 2), [3, 2]);
        let head = Head { sequence: 4, hash: [4; 32] };
        store.state.remember(&line(4, HOUR + 49), head, 48, seen(0)).unwrap();
        assert_eq!(store.state.queue_head().unwrap().sequence, 4);
        assert_eq!(numbers(&store.state, 9), [4, 3, 2]);

        store.state.note_outcome(3, 1).unwrap();
        let outcomes: Vec<Option<u8>> =
            store.state.recent(9).unwrap().iter().map(|recent| recent.outcome).collect();
        assert_eq!(outcomes, [None, Some(1), None]);
    }

    /// What the clocks say so many seconds after the boot, on a device whose clock is right.
    fn seen(seconds: i64) -> Observation {
        Observation { boot: boot(1, seconds as u64), real: NOW.plus_seconds(seconds) }
    }

    fn active(number: u64) -> Active {
        Active {
            version: version(number),
            file: format!("{number}.db"),
            key: key(),
            manifest: number.to_be_bytes().to_vec(),
            inner: vec![2],
            freshness: Freshness { fresh_hours: 24, usable_hours: 72 },
            chip_required: false,
            installed_at: NOW,
            is_changed: false,
        }
    }

    fn load(outcome: &str) -> Load {
        Load {
            at: NOW,
            dataset: Some(Dataset::Notices),
            version: Some(version(u64::MAX)),
            base: None,
            by: "407".into(),
            source: "list.fcsnap".into(),
            outcome: outcome.into(),
            bytes: 12,
            seconds: 3,
        }
    }

    /// A root document; the first of an epoch above 1 raises it.
    fn root(root_version: u32, epoch: u32) -> NewestRoot {
        let root: Root = codec::decode(codec::Kind::Root, &testing::root()).unwrap();
        let root = Root { root_version, epoch, made: NOW.0 - 9_000, ..root };
        let bytes = codec::encode(codec::Kind::Root, &root).unwrap();
        NewestRoot { hash: sha256(&bytes), raises_epoch: epoch > 1, root, bytes }
    }

    fn trusted(newest: &NewestRoot) -> TrustedRoot {
        TrustedRoot {
            hash: newest.hash,
            bytes: newest.bytes.clone(),
            root_version: newest.root.root_version,
            epoch: newest.root.epoch,
        }
    }

    fn switch_to(
        state: &mut State,
        part: Part,
        next: &Active,
        root: &NewestRoot,
    ) -> Result<Vec<String>, StoreError> {
        let signed_at = NOW.plus_seconds(next.version.version as i64);
        state.switch(&Switch {
            dataset: Dataset::Notices,
            part,
            next,
            root,
            signed_at,
            boot: boot(1, 100),
            load: &load("installed"),
        })
    }

    fn file(state: &State, part: Part) -> Option<String> {
        state.part(Dataset::Notices, part).unwrap().map(|active| active.file)
    }

    #[test]
    fn nothing_older_is_switched_to() {
        let mut store = Store::new();
        let switch =
            |state: &mut State, number| switch_to(state, Part::Full, &active(number), &root(1, 1));
        assert_eq!(switch(&mut store.state, 3).unwrap(), [""; 0]);
        for older in [active(2), Active { manifest: vec![9], ..active(3) }] {
            let refused = switch_to(&mut store.state, Part::Full, &older, &root(2, 1));
            assert!(matches!(refused, Err(StoreError::Overtaken)), "{refused:?}");
            assert_eq!(file(&store.state, Part::Full).as_deref(), Some("3.db"));
            let kept = store.state.trusted_root().unwrap();
            assert_eq!(kept, trusted(&root(1, 1)), "nothing of it is kept");
        }
        assert_eq!(switch(&mut store.state, 4).unwrap(), ["3.db"]);
        assert_eq!(store.state.floor(Dataset::Notices).unwrap(), Some(version(4)));
        assert_eq!(store.state.time_base().unwrap().lower, NOW.plus_seconds(4));
        let newer_epoch = Active { version: SnapshotVersion { epoch: 2, version: 1 }, ..active(1) };
        switch_to(&mut store.state, Part::Full, &newer_epoch, &root(2, 2)).unwrap();
        assert_eq!(store.state.floor(Dataset::Notices).unwrap(), Some(newer_epoch.version));
    }

    #[test]
    fn changes_go_with_their_full_list_and_the_same_list_again_keeps_them() {
        let mut store = Store::new();
        let mut switch =
            |part, next: &Active| switch_to(&mut store.state, part, next, &root(1, 1)).unwrap();
        let full = active(3);
        switch(Part::Full, &full);
        assert_eq!(switch(Part::Overlay, &active(5)), [""; 0]);
        assert_eq!(switch(Part::Overlay, &active(6)), ["5.db"]);
        // The file of the full list was damaged, and the same package has mended it.
        let mended = Active { file: "3b.db".into(), ..active(3) };
        assert_eq!(switch(Part::Full, &mended), ["3.db"]);
        assert_eq!(file(&store.state, Part::Overlay).as_deref(), Some("6.db"));
        assert_eq!(store.state.floor(Dataset::Notices).unwrap(), Some(version(6)), "not lowered");
        let mut files = switch_to(&mut store.state, Part::Full, &active(7), &root(1, 1)).unwrap();
        files.sort();
        assert_eq!(files, ["3b.db", "6.db"]);
        assert_eq!(file(&store.state, Part::Overlay), None);
    }

    #[test]
    fn an_epoch_that_rises_resets_the_time_and_nothing_else_lowers_it() {
        let mut store = Store::new();
        let far = Active { version: version(i64::MAX as u64 / 2), ..active(1) };
        switch_to(&mut store.state, Part::Full, &far, &root(1, 1)).unwrap();
        let frozen = store.state.time_base().unwrap().lower;
        assert!(frozen > NOW.plus_seconds(1_000_000_000));
        // Another root of the same epoch does not help.
        let same = Active { version: version(u64::MAX), manifest: vec![8], ..active(1) };
        let switched = state_after(&mut store.state, &same, &root(2, 1));
        assert!(switched >= frozen);
        // A new epoch does: the versions begin anew, and the time at when its root was made.
        let anew = Active { version: SnapshotVersion { epoch: 2, version: 1 }, ..active(1) };
        let switched = state_after(&mut store.state, &anew, &root(3, 2));
        assert_eq!(switched, NOW.plus_seconds(1), "when the list of the new epoch was made");
        assert_eq!(store.state.trusted_root().unwrap(), trusted(&root(3, 2)));
    }

    fn state_after(state: &mut State, next: &Active, root: &NewestRoot) -> DeviceTime {
        switch_to(state, Part::Full, next, root).unwrap();
        state.time_base().unwrap().lower
    }

    #[test]
    fn the_lower_bound_is_kept_over_restarts() {
        let mut store = Store::new();
        switch_to(&mut store.state, Part::Full, &active(1), &root(1, 1)).unwrap();
        let signed = NOW.plus_seconds(1);
        let at = |state: &State, boot| state.time_base().unwrap().at(boot);
        assert_eq!(at(&store.state, boot(1, 700)), signed.plus_seconds(600));
        assert_eq!(at(&store.state, boot(2, 700)), signed, "what was not kept is lost");
        store.state.tick(Observation { boot: boot(1, 700), real: NOW }).unwrap();
        for restart in 2..5 {
            assert_eq!(at(&store.state, boot(restart, 0)), signed.plus_seconds(600));
        }
        let line = Recent { sequence: 1, kind: 2, hour: HOUR, notice: None, outcome: None };
        let now = Observation { boot: boot(2, 50), real: NOW };
        store.state.remember(&line, Head::default(), 48, now).unwrap();
        assert_eq!(at(&store.state, boot(2, 60)), signed.plus_seconds(610), "since the tick");
    }

    #[test]
    fn a_clock_that_was_set_is_told_once() {
        let mut store = Store::new();
        switch_to(&mut store.state, Part::Full, &active(1), &root(1, 1)).unwrap();
        let mut observe = |boot: Boot, ahead: i64| {
            let real = NOW.plus_seconds(boot.since.as_secs() as i64 + ahead);
            store.state.observe(Observation { boot, real }).unwrap()
        };
        assert_eq!(observe(boot(1, 100), 0), None);
        assert_eq!(observe(boot(1, 200), 60), None, "a small correction");
        assert_eq!(observe(boot(1, 300), 7_200), Some(7_200));
        assert_eq!(observe(boot(1, 400), 7_200), None, "once");
        let back = observe(boot(1, 500), -86_400).unwrap();
        assert_eq!(back, 86_400 + 7_200, "one step, though it is behind the lower bound as well");
        assert_eq!(observe(boot(1, 600), -86_400), None);
        // After a restart nothing can be compared, and it is behind as it was.
        assert_eq!(observe(boot(2, 10), -86_400), None);
        assert_eq!(observe(boot(2, 20), 0), Some(86_400));
        assert_eq!(observe(boot(3, 10), -86_400), Some(86_400 - 10 + 1), "behind the lower bound");
    }

    #[test]
    fn withdrawals_are_kept_until_a_newer_list_comes() {
        let mut store = Store::new();
        switch_to(&mut store.state, Part::Full, &active(3), &root(1, 1)).unwrap();
        assert_eq!(store.state.withdraw(version(5), NOW, &[7, 9]).unwrap(), 2);
        assert_eq!(store.state.withdraw(version(5), NOW, &[7, 9]).unwrap(), 0, "the same again");
        assert_eq!(store.state.withdraw(version(4), NOW, &[9]).unwrap(), 0, "an older one");
        assert_eq!(store.state.withdraw(version(u64::MAX), NOW, &[11]).unwrap(), 1);
        let kept = |state: &State| state.withdrawn().unwrap().into_keys().collect::<Vec<u64>>();
        switch_to(&mut store.state, Part::Overlay, &active(5), &root(1, 1)).unwrap();
        assert_eq!(kept(&store.state), [7, 9, 11], "made after this list");
        switch_to(&mut store.state, Part::Overlay, &active(6), &root(1, 1)).unwrap();
        assert_eq!(kept(&store.state), [11]);
        let anew = Active { version: SnapshotVersion { epoch: 2, version: 1 }, ..active(1) };
        switch_to(&mut store.state, Part::Full, &anew, &root(2, 2)).unwrap();
        assert_eq!(kept(&store.state), [0; 0]);
    }

    #[test]
    fn the_history_tells_every_package_newest_first() {
        let mut store = Store::new();
        let unknown = Load { dataset: None, version: None, ..load("not-a-package") };
        store.state.note_load(&unknown).unwrap();
        switch_to(&mut store.state, Part::Full, &active(3), &root(1, 1)).unwrap();
        store.state.note_load(&Load { base: Some(3), ..load("stopped") }).unwrap();
        let lines = store.state.loads(9).unwrap();
        let outcomes: Vec<&str> = lines.iter().map(|line| line.outcome.as_str()).collect();
        assert_eq!(outcomes, ["stopped", "installed", "not-a-package"]);
        assert_eq!(lines[0], Load { base: Some(3), ..load("stopped") });
        assert_eq!(lines[2], unknown);
        assert_eq!(store.state.loads(1).unwrap().len(), 1);
        for _ in 0..KEEP_LOADS {
            store.state.note_load(&unknown).unwrap();
        }
        assert_eq!(store.state.loads(u32::MAX).unwrap().len(), KEEP_LOADS as usize);
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
