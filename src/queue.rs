//! Keeps the encounter records until headquarters has acknowledged them: append only, sealed, chained.
//!
//! Its database stands under the device key alone, since the bodies are sealed already: records
//! survive a lost PIN. [`Queue::append`] returns after COMMIT with `synchronous = FULL`, so "saved"
//! means that the record survives the death of this process; whether it survives a loss of power is
//! the disk's word, proven for each device model.
//!
//! A record's outer header is signed by the device and holds the hash of the header before it: an
//! inspector follows the chain without a key, and a body can be erased without breaking it.

use std::path::{Path, PathBuf};

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};
use rusqlite::{Connection, OptionalExtension as _, params};
use sync_format::codec::{self, Kind as Wire};
use sync_format::v1::package::{Domain, SnapshotVersion, key_id, sha256, signing_bytes};
use sync_format::v1::record::{self, Body, Event, Record, RecordHeader};
use zeroize::Zeroizing;

use crate::keys::{DeviceKey, DeviceKeyError, SecretKey};
use crate::store::state::Head;
use crate::store::{self, Access, Kind, StoreError};

/// Why a record could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The database could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The record does not fit its format.
    #[error("the record does not fit its format")]
    Format,
    /// Headquarters' collect key is not one, or the system gave no random bytes.
    #[error("the record could not be sealed")]
    Seal,
    /// The device key did not sign.
    #[error("the device key did not sign")]
    Sign(#[source] DeviceKeyError),
    /// The chain does not hold from this record on.
    #[error("the chain of records is broken at number {0}")]
    Broken(u64),
}

impl From<rusqlite::Error> for QueueError {
    fn from(error: rusqlite::Error) -> QueueError {
        QueueError::Store(error.into())
    }
}

/// Who writes records here, and to whom they are sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Writer {
    /// Identity of the device.
    pub device: [u8; 16],
    /// Headquarters' X25519 key of this month.
    pub collect_key: [u8; 32],
}

/// What a record is about, beside its body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Circumstance {
    /// What happened.
    pub event: Event,
    /// When, in hours since 1970 UTC: all the precision that is kept.
    pub hour: u32,
    /// Version of the notices that answered.
    pub notices: Option<SnapshotVersion>,
    /// Version of the register that answered.
    pub register: Option<SnapshotVersion>,
}

/// The open queue.
#[derive(Debug)]
pub struct Queue {
    connection: Connection,
}

/// How the queue was found when it was opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Opened {
    /// It was whole.
    Whole,
    /// It was gone; a new one was begun that goes on with its numbers.
    Missing,
    /// It could not be read, or is older than what this device wrote; it was moved aside, never
    /// deleted, and a new one was begun that goes on with its numbers.
    MovedAside(PathBuf),
}

impl Queue {
    /// Makes the queue of a newly enrolled device.
    pub fn create(path: &Path, key: &SecretKey) -> Result<Queue, QueueError> {
        Queue::begin(path, key, Head::default())
    }

    /// Opens the queue, whose newest record this device remembers as `head`.
    ///
    /// A queue that cannot be read is the only copy of its records, so it is moved aside and kept; so
    /// is one that ends before `head`, which is an earlier copy that somebody put back. The new queue
    /// goes on from `head`: a number is never used twice.
    pub fn open(path: &Path, key: &SecretKey, head: Head) -> Result<(Queue, Opened), QueueError> {
        if !path.exists() {
            // What SQLite left beside it would be deleted with the first write.
            move_companions_aside(path, &free_name(path))?;
            return Ok((Queue::begin(path, key, head)?, Opened::Missing));
        }
        match Queue::open_whole(path, key) {
            Ok(queue) if queue.head()?.sequence >= head.sequence => {
                return Ok((queue, Opened::Whole));
            }
            // Closed before its files are moved, so that it never closes over those of the new one.
            Ok(earlier) => drop(earlier),
            Err(QueueError::Store(StoreError::Unreadable(_) | StoreError::Foreign(_))) => {}
            Err(error) => return Err(error),
        }
        let aside = free_name(path);
        move_companions_aside(path, &aside)?;
        std::fs::rename(path, &aside).map_err(StoreError::from)?;
        Ok((Queue::begin(path, key, head)?, Opened::MovedAside(aside)))
    }

    fn begin(path: &Path, key: &SecretKey, head: Head) -> Result<Queue, QueueError> {
        let connection = store::open(path, key, Kind::Queue, Access::Create)?;
        store::state::durable(&connection)?;
        connection.execute(
            "INSERT INTO chain VALUES (1, ?, ?)",
            params![head.sequence.cast_signed(), head.hash],
        )?;
        Ok(Queue { connection })
    }

    fn open_whole(path: &Path, key: &SecretKey) -> Result<Queue, QueueError> {
        let connection = store::open(path, key, Kind::Queue, Access::ReadWrite)?;
        store::keep_log(&connection, true)?;
        store::state::durable(&connection)?;
        // Counting reads every page on which a record begins: behind a damaged one no record could
        // be shown, sent, or in the worst case ever added.
        connection
            .query_row("SELECT count(*) FROM record", [], |row| row.get::<_, i64>(0))
            .and_then(|_| start_of(&connection))
            .map_err(|error| store::unreadable(error, Kind::Queue))?;
        store::keep_log(&connection, false)?;
        Ok(Queue { connection })
    }

    /// Returns number and header hash of the newest record.
    pub fn head(&self) -> Result<Head, QueueError> {
        head_of(&self.connection)
    }

    /// Returns the record before the first one here.
    fn start(&self) -> Result<Head, QueueError> {
        Ok(start_of(&self.connection)?)
    }

    /// Appends a record and returns its number, after it was committed.
    pub fn append(
        &mut self,
        circumstance: Circumstance,
        body: &Body,
        writer: &Writer,
        device_key: &dyn DeviceKey,
    ) -> Result<u64, QueueError> {
        let transaction =
            self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let head = head_of(&transaction)?;
        let (sequence, previous) = (head.sequence + 1, head.hash);
        let mut header = RecordHeader {
            device: writer.device,
            sequence,
            previous,
            hour: circumstance.hour,
            notices: circumstance.notices,
            register: circumstance.register,
            event: circumstance.event,
            key_id: key_id(&writer.collect_key),
            body_hash: [0; 32],
        };
        let sealed = seal(&header, body, &writer.collect_key)?;
        header.body_hash = sha256(&sealed);
        let header = codec::encode(Wire::RecordHeader, &header).map_err(|_| QueueError::Format)?;
        let signature =
            device_key.sign(&signing_bytes(Domain::Record, &header)).map_err(QueueError::Sign)?;
        transaction.execute(
            "INSERT INTO record VALUES (?, ?, ?, ?)",
            params![sequence.cast_signed(), header, signature, sealed],
        )?;
        transaction.commit()?;
        Ok(sequence)
    }

    /// Returns the number of records that wait.
    pub fn count(&self) -> Result<u64, QueueError> {
        Ok(count(&self.connection)?)
    }

    /// Returns the hour of the oldest record that waits.
    pub fn oldest_hour(&self) -> Result<Option<u32>, QueueError> {
        let header: Option<Vec<u8>> = self
            .connection
            .query_row("SELECT header FROM record ORDER BY sequence LIMIT 1", [], |row| row.get(0))
            .optional()?;
        header.map(|bytes| Ok(decode_header(&bytes, 1)?.hour)).transpose()
    }

    /// Returns the newest headers, newest first.
    pub fn headers(&self, most: u32) -> Result<Vec<RecordHeader>, QueueError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT sequence, header FROM record ORDER BY sequence DESC LIMIT ?")?;
        let mut rows = statement.query(params![most])?;
        let mut headers = Vec::new();
        while let Some(row) = rows.next()? {
            let sequence: i64 = row.get(0)?;
            headers.push(decode_header(&row.get::<_, Vec<u8>>(1)?, sequence.cast_unsigned())?);
        }
        Ok(headers)
    }

    /// Returns all records, oldest first, as they will be sent.
    pub fn records(&self) -> Result<Vec<Record>, QueueError> {
        let mut statement = self
            .connection
            .prepare("SELECT header, signature, sealed FROM record ORDER BY sequence")?;
        let rows = statement.query_map([], |row| {
            Ok(Record { header: row.get(0)?, signature: row.get(1)?, sealed: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Checks numbers, hashes and signatures of all records; returns how many there are.
    pub fn verify(&self, public_key: &[u8; 33]) -> Result<u64, QueueError> {
        verify_chain(&self.records()?, self.start()?, public_key)
    }
}

/// Checks a chain of records that follows on `start`: order, hashes, signatures, bodies' hashes.
///
/// A body that was erased (empty) breaks nothing. What is missing at the end cannot be seen here.
pub fn verify_chain(
    records: &[Record],
    start: Head,
    public_key: &[u8; 33],
) -> Result<u64, QueueError> {
    let mut previous = start.hash;
    for (expected, record) in (start.sequence + 1..).zip(records) {
        let header = decode_header(&record.header, expected)?;
        let holds = header.sequence == expected
            && header.previous == previous
            && (record.sealed.is_empty() || header.body_hash == sha256(&record.sealed))
            && crate::keys::verifies(
                public_key,
                &signing_bytes(Domain::Record, &record.header),
                &record.signature,
            );
        if !holds {
            return Err(QueueError::Broken(expected));
        }
        previous = record::header_hash(&record.header);
    }
    Ok(records.len() as u64)
}

/// Opens a record's body with headquarters' private key.
pub fn unseal(record: &Record, collect_secret: &[u8; 32]) -> Result<Body, QueueError> {
    let header: RecordHeader =
        codec::decode(Wire::RecordHeader, &record.header).map_err(|_| QueueError::Format)?;
    let aad = record::aad(&header);
    let (encapsulated, ciphertext) =
        record.sealed.split_at_checked(ENCAPSULATED_BYTES).ok_or(QueueError::Format)?;
    let secret = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(collect_secret)
        .map_err(|_| QueueError::Seal)?;
    let encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated)
        .map_err(|_| QueueError::Format)?;
    let padded = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &secret,
        &encapsulated,
        Domain::Body.as_bytes(),
        ciphertext,
        &aad,
    )
    .map_err(|_| QueueError::Seal)?;
    record::decode_body(&padded).map_err(|_| QueueError::Format)
}

/// Draws a pair of keys for headquarters to collect with: (private, public).
pub fn draw_collect_keys() -> (Zeroizing<[u8; 32]>, [u8; 32]) {
    let (private, public) = X25519HkdfSha256::gen_keypair();
    (Zeroizing::new(private.to_bytes().into()), public.to_bytes().into())
}

/// Length of an encapsulated X25519 key (RFC 9180, 7.1).
const ENCAPSULATED_BYTES: usize = 32;

fn seal(header: &RecordHeader, body: &Body, collect_key: &[u8; 32]) -> Result<Vec<u8>, QueueError> {
    let padded = Zeroizing::new(record::encode_body(body).map_err(|_| QueueError::Format)?);
    let public = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(collect_key)
        .map_err(|_| QueueError::Seal)?;
    let (encapsulated, ciphertext) =
        hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &public,
            Domain::Body.as_bytes(),
            &padded,
            &record::aad(header),
        )
        .map_err(|_| QueueError::Seal)?;
    let mut sealed = encapsulated.to_bytes().to_vec();
    sealed.extend_from_slice(&ciphertext);
    Ok(sealed)
}

fn count(connection: &Connection) -> rusqlite::Result<u64> {
    let count: i64 = connection.query_row("SELECT count(*) FROM record", [], |row| row.get(0))?;
    Ok(count.cast_unsigned())
}

fn head_of(connection: &Connection) -> Result<Head, QueueError> {
    let newest = connection
        .query_row(
            "SELECT sequence, header FROM record ORDER BY sequence DESC LIMIT 1",
            [],
            |row| {
                let header: Vec<u8> = row.get(1)?;
                let hash = record::header_hash(&header);
                Ok(Head { sequence: row.get::<_, i64>(0)?.cast_unsigned(), hash })
            },
        )
        .optional()?;
    match newest {
        Some(head) => Ok(head),
        None => Ok(start_of(connection)?),
    }
}

/// Returns the record before the first one here. Without a line about it the power failed when the
/// queue was begun, and nothing stands in it.
fn start_of(connection: &Connection) -> rusqlite::Result<Head> {
    let start =
        connection.query_row("SELECT sequence, hash FROM chain", [], read_head).optional()?;
    Ok(start.unwrap_or_default())
}

fn read_head(row: &rusqlite::Row<'_>) -> rusqlite::Result<Head> {
    Ok(Head { sequence: row.get::<_, i64>(0)?.cast_unsigned(), hash: row.get(1)? })
}

fn move_companions_aside(path: &Path, aside: &Path) -> Result<(), QueueError> {
    for (from, to) in store::companions(path).iter().zip(store::companions(aside)) {
        if from.exists() {
            std::fs::rename(from, to).map_err(StoreError::from)?;
        }
    }
    Ok(())
}

fn decode_header(bytes: &[u8], sequence: u64) -> Result<RecordHeader, QueueError> {
    codec::decode(Wire::RecordHeader, bytes).map_err(|_| QueueError::Broken(sequence))
}

/// Returns a name beside `path` that is not taken.
fn free_name(path: &Path) -> PathBuf {
    let mut number = 1_u32;
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        let name = PathBuf::from(name);
        if !name.exists() {
            return name;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use sync_format::v1::date::PartialDate;
    use sync_format::v1::record::{
        Channel, CheckReason, CheckVerdict, Outcome, OutcomeWhy, Person,
    };

    use super::*;
    use crate::keys::{SimulatedDeviceKey, queue_key};

    const WHEN: Circumstance = Circumstance {
        event: Event::Check,
        hour: 498_756,
        notices: Some(SnapshotVersion { epoch: 1, version: 3_184 }),
        register: None,
    };

    /// A device that appends to a queue in a folder of its own.
    struct Device {
        folder: tempfile::TempDir,
        key: SimulatedDeviceKey,
        writer: Writer,
        collect_secret: Zeroizing<[u8; 32]>,
    }

    impl Device {
        fn new() -> Device {
            let (collect_secret, collect_key) = draw_collect_keys();
            Device {
                folder: tempfile::tempdir().unwrap(),
                key: SimulatedDeviceKey::numbered(1),
                writer: Writer { device: [9; 16], collect_key },
                collect_secret,
            }
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("queue.db")
        }

        fn open(&self) -> (Queue, Opened) {
            let key = queue_key(&self.key).unwrap();
            if self.files().is_empty() {
                return (Queue::create(&self.path(), &key).unwrap(), Opened::Whole);
            }
            Queue::open(&self.path(), &queue_key(&self.key).unwrap(), Head::default()).unwrap()
        }

        fn append(&self, queue: &mut Queue, body: &Body) -> u64 {
            queue.append(WHEN, body, &self.writer, &self.key).unwrap()
        }

        /// A queue of this many records.
        fn with_records(&self, count: u32) -> Queue {
            let (mut queue, _) = self.open();
            for detail in 1..=count {
                let sequence = self.append(&mut queue, &Body::Event { detail });
                assert_eq!(sequence, u64::from(detail));
            }
            queue
        }

        fn files(&self) -> Vec<String> {
            crate::store::testing::files(self.folder.path())
        }
    }

    fn cleared() -> Body {
        Body::Cleared {
            unit: 4_107,
            channel: Channel::Qr,
            reason: CheckReason::DocumentCheck,
            verdict: CheckVerdict::NotListed,
        }
    }

    fn hit(verdict: CheckVerdict, notices: Vec<u64>) -> Body {
        Body::Hit {
            unit: 4_107,
            channel: Channel::Qr,
            reason: CheckReason::DocumentCheck,
            verdict,
            notices,
        }
    }

    #[track_caller]
    fn assert_broken(records: &[Record], key: &SimulatedDeviceKey, at: u64) {
        let verified = verify_chain(records, Head::default(), &key.public_key());
        assert!(matches!(verified, Err(QueueError::Broken(found)) if found == at), "{verified:?}");
    }

    #[test]
    fn records_are_numbered_from_one_and_follow_each_other() {
        let device = Device::new();
        let queue = device.with_records(5);
        assert_eq!(queue.count().unwrap(), 5);
        assert_eq!(queue.verify(&device.key.public_key()).unwrap(), 5);
        assert_eq!(queue.oldest_hour().unwrap(), Some(WHEN.hour));
        let newest: Vec<u64> =
            queue.headers(2).unwrap().iter().map(|header| header.sequence).collect();
        assert_eq!(newest, [5, 4]);
        drop(queue);
        // The next program goes on where this one stopped.
        let (mut queue, opened) = device.open();
        assert_eq!(opened, Opened::Whole);
        assert_eq!(device.append(&mut queue, &cleared()), 6);
        assert_eq!(queue.verify(&device.key.public_key()).unwrap(), 6);
    }

    #[test]
    fn an_empty_queue_holds() {
        let device = Device::new();
        let (queue, opened) = device.open();
        assert_eq!(opened, Opened::Whole);
        assert_eq!(queue.verify(&device.key.public_key()).unwrap(), 0);
        assert_eq!((queue.count().unwrap(), queue.oldest_hour().unwrap()), (0, None));
    }

    #[test]
    fn headquarters_reads_what_was_written_and_nobody_else() {
        let device = Device::new();
        let (mut queue, _) = device.open();
        let person = Person {
            name: "Nguyễn Văn Mẫu".into(),
            birth: PartialDate::new(1988, 3, 2).unwrap(),
            number: None,
        };
        let bodies = [
            cleared(),
            hit(CheckVerdict::Match, vec![7, 1_204]),
            Body::Outcome {
                check: 2,
                notice: 7,
                outcome: Outcome::Confirmed,
                why: OutcomeWhy::ConfirmedByDuty,
                person: Some(person),
            },
            Body::Event { detail: 3 },
        ];
        for body in &bodies {
            device.append(&mut queue, body);
        }
        let records = queue.records().unwrap();
        for (record, body) in records.iter().zip(&bodies) {
            assert_eq!(unseal(record, &device.collect_secret).unwrap(), *body);
        }
        let (other_secret, _) = draw_collect_keys();
        let refused = unseal(&records[0], &other_secret);
        assert!(matches!(refused, Err(QueueError::Seal)), "{refused:?}");
    }

    #[test]
    fn a_body_belongs_to_its_header() {
        let device = Device::new();
        let records = device.with_records(2).records().unwrap();
        let other = Record { header: records[1].header.clone(), ..records[0].clone() };
        let refused = unseal(&other, &device.collect_secret);
        assert!(matches!(refused, Err(QueueError::Seal)), "{refused:?}");
        for sealed in [Vec::new(), records[0].sealed[..31].to_vec()] {
            let refused = unseal(&Record { sealed, ..records[0].clone() }, &device.collect_secret);
            assert!(matches!(refused, Err(QueueError::Format)), "{refused:?}");
        }
        let mut changed = records[0].clone();
        *changed.sealed.last_mut().unwrap() ^= 1;
        let refused = unseal(&changed, &device.collect_secret);
        assert!(matches!(refused, Err(QueueError::Seal)), "{refused:?}");
    }

    #[test]
    fn neither_size_nor_header_tells_a_match() {
        let device = Device::new();
        let (mut queue, _) = device.open();
        for body in [
            cleared(),
            hit(CheckVerdict::Refer, vec![1]),
            hit(CheckVerdict::Match, (1..=16).map(|at| u64::MAX - 16 + at).collect()),
        ] {
            device.append(&mut queue, &body);
        }
        let records = queue.records().unwrap();
        let lengths: Vec<usize> = records.iter().map(|record| record.sealed.len()).collect();
        // Encapsulated key, body of 256 bytes, tag.
        assert_eq!(lengths, [32 + 256 + 16; 3]);
        for header in queue.headers(3).unwrap() {
            let same =
                RecordHeader { sequence: 0, previous: [0; 32], body_hash: [0; 32], ..header };
            let expected = RecordHeader {
                device: [9; 16],
                sequence: 0,
                previous: [0; 32],
                hour: WHEN.hour,
                notices: WHEN.notices,
                register: None,
                event: Event::Check,
                key_id: key_id(&device.writer.collect_key),
                body_hash: [0; 32],
            };
            assert_eq!(same, expected);
        }
    }

    #[test]
    fn the_same_body_is_sealed_differently_each_time() {
        let device = Device::new();
        let (mut queue, _) = device.open();
        device.append(&mut queue, &cleared());
        device.append(&mut queue, &cleared());
        let records = queue.records().unwrap();
        assert_ne!(records[0].sealed, records[1].sealed);
    }

    #[test]
    fn a_record_is_neither_changed_nor_deleted_nor_replaced() {
        let device = Device::new();
        let queue = device.with_records(3);
        let before = queue.records().unwrap();
        for (sql, why) in [
            ("UPDATE record SET sealed = x'00' WHERE sequence = 2", "never changed"),
            ("UPDATE OR REPLACE record SET sequence = 1 WHERE sequence = 2", "never changed"),
            ("DELETE FROM record WHERE sequence = 3", "only an acknowledged record"),
            ("DELETE FROM record", "only an acknowledged record"),
            (
                "REPLACE INTO record SELECT 2, header, signature, sealed FROM record
                 WHERE sequence = 1",
                "only an acknowledged record",
            ),
            (
                "INSERT INTO record SELECT 2, header, signature, sealed FROM record
                 WHERE sequence = 1 ON CONFLICT DO UPDATE SET sealed = x'00'",
                "never changed",
            ),
        ] {
            let refused = queue.connection.execute_batch(sql).unwrap_err().to_string();
            assert!(refused.contains(why), "{sql}: {refused}");
        }
        assert_eq!(queue.records().unwrap(), before);
        // A number that is taken is refused as such.
        let again = "INSERT INTO record SELECT 2, header, signature, sealed FROM record LIMIT 1";
        assert!(queue.connection.execute_batch(again).is_err());
    }

    #[test]
    fn every_kind_of_edit_breaks_the_chain_where_it_was_made() {
        let device = Device::new();
        let records = device.with_records(5).records().unwrap();
        let edited = |edit: &dyn Fn(&mut Vec<Record>)| {
            let mut records = records.clone();
            edit(&mut records);
            records
        };
        let rewritten = |at: usize, change: &dyn Fn(&mut RecordHeader)| {
            let mut header: RecordHeader =
                codec::decode(Wire::RecordHeader, &records[at].header).unwrap();
            change(&mut header);
            codec::encode(Wire::RecordHeader, &header).unwrap()
        };
        let signed_by = |key: &SimulatedDeviceKey, header: &[u8]| {
            key.sign(&signing_bytes(Domain::Record, header)).unwrap()
        };

        assert_eq!(verify_chain(&records, Head::default(), &device.key.public_key()).unwrap(), 5);
        let key = &device.key;
        assert_broken(&edited(&|records| records.swap(1, 2)), key, 2);
        assert_broken(&edited(&|records| drop(records.remove(2))), key, 3);
        assert_broken(&edited(&|records| drop(records.remove(0))), key, 1);
        assert_broken(&edited(&|records| records.insert(3, records[2].clone())), key, 4);
        assert_broken(&edited(&|records| records[3].sealed[50] ^= 1), key, 4);
        assert_broken(&edited(&|records| records[3].sealed = records[2].sealed.clone()), key, 4);
        assert_broken(&edited(&|records| records[1].signature[7] ^= 1), key, 2);
        let later = rewritten(2, &|header| header.hour += 1);
        assert_broken(&edited(&|records| records[2].header = later.clone()), key, 3);
        // By another device, signed.
        let other = SimulatedDeviceKey::numbered(2);
        let others = signed_by(&other, &records[2].header);
        assert_broken(&edited(&|records| records[2].signature = others), key, 3);
        assert_broken(&records, &other, 1);
        // By this device, signed for something else.
        let as_manifest = key.sign(&signing_bytes(Domain::Manifest, &records[2].header)).unwrap();
        assert_broken(&edited(&|records| records[2].signature = as_manifest), key, 3);
        // Even with this device's key, a header that is replaced breaks the one after it.
        let resigned = signed_by(key, &later);
        let replaced = edited(&|records| {
            records[2].header = later.clone();
            records[2].signature = resigned;
        });
        assert_broken(&replaced, key, 4);
        // A number left out by the device itself.
        let skipped = rewritten(4, &|header| header.sequence += 1);
        let resigned = signed_by(key, &skipped);
        let with_a_gap = edited(&|records| {
            records[4].header = skipped.clone();
            records[4].signature = resigned;
        });
        assert_broken(&with_a_gap, key, 5);
        assert_broken(&edited(&|records| records[4].header.push(0)), key, 5);
    }

    #[test]
    fn a_body_is_erased_without_breaking_the_chain() {
        let device = Device::new();
        let mut records = device.with_records(3).records().unwrap();
        records[1].sealed.clear();
        assert_eq!(verify_chain(&records, Head::default(), &device.key.public_key()).unwrap(), 3);
    }

    #[test]
    fn a_missing_end_is_for_headquarters_to_notice() {
        let device = Device::new();
        let records = device.with_records(3).records().unwrap();
        assert_eq!(
            verify_chain(&records[..2], Head::default(), &device.key.public_key()).unwrap(),
            2
        );
    }

    #[test]
    fn a_record_that_could_not_be_signed_leaves_no_number_behind() {
        let device = Device::new();
        let mut queue = device.with_records(1);
        device.key.fail_after(0);
        let refused = queue.append(WHEN, &cleared(), &device.writer, &device.key);
        assert!(matches!(refused, Err(QueueError::Sign(_))), "{refused:?}");
        assert_eq!(queue.count().unwrap(), 1);
        device.key.recover();
        assert_eq!(device.append(&mut queue, &cleared()), 2);
        assert_eq!(queue.verify(&device.key.public_key()).unwrap(), 2);
    }

    #[test]
    fn a_body_that_breaks_its_rules_is_not_written() {
        let device = Device::new();
        let (mut queue, _) = device.open();
        let nobody = hit(CheckVerdict::Match, Vec::new());
        let refused = queue.append(WHEN, &nobody, &device.writer, &device.key);
        assert!(matches!(refused, Err(QueueError::Format)), "{refused:?}");
        assert_eq!(queue.count().unwrap(), 0);
    }

    #[test]
    fn the_files_are_their_owners_alone() {
        let device = Device::new();
        let queue = device.with_records(3);
        let files = device.files();
        assert_eq!(files, ["queue.db", "queue.db-shm", "queue.db-wal"]);
        for file in files {
            let mode = std::fs::metadata(device.folder.path().join(&file)).unwrap().permissions();
            assert_eq!(mode.mode() & 0o777, 0o600, "{file}");
        }
        drop(queue);
    }

    #[test]
    fn a_queue_opens_with_the_key_of_its_device_alone() {
        let device = Device::new();
        drop(device.with_records(1));
        let bytes = std::fs::read(device.path()).unwrap();
        let other = queue_key(&SimulatedDeviceKey::numbered(2)).unwrap();
        let refused = Queue::open_whole(&device.path(), &other).map(drop);
        assert!(
            matches!(refused, Err(QueueError::Store(StoreError::Unreadable("queue")))),
            "{refused:?}"
        );
        assert_eq!(std::fs::read(device.path()).unwrap(), bytes);
    }

    #[test]
    fn what_cannot_be_read_is_moved_aside_and_kept() {
        let device = Device::new();
        drop(device.with_records(3));
        let mut damaged = std::fs::read(device.path()).unwrap();
        damaged[100] ^= 0x40;
        std::fs::write(device.path(), &damaged).unwrap();
        std::fs::write(device.folder.path().join("queue.db-wal"), b"what was not written yet")
            .unwrap();

        let (mut queue, opened) = device.open();
        let aside = device.folder.path().join("queue.db.damaged-1");
        assert_eq!(opened, Opened::MovedAside(aside.clone()));
        assert_eq!(std::fs::read(&aside).unwrap(), damaged);
        let kept = std::fs::read(device.folder.path().join("queue.db.damaged-1-wal")).unwrap();
        assert_eq!(kept, b"what was not written yet");
        assert_eq!(device.append(&mut queue, &cleared()), 1);
        drop(queue);

        // And a second time, beside the first.
        std::fs::write(device.path(), b"no database at all, and long enough to be one".repeat(200))
            .unwrap();
        let (queue, opened) = device.open();
        let second = device.folder.path().join("queue.db.damaged-2");
        assert_eq!(opened, Opened::MovedAside(second));
        assert_eq!(std::fs::read(&aside).unwrap(), damaged);
        assert_eq!(queue.count().unwrap(), 0);
    }

    #[test]
    fn a_queue_begun_anew_goes_on_with_the_numbers_and_the_chain() {
        let device = Device::new();
        let queue = device.with_records(5);
        let head = queue.head().unwrap();
        assert_eq!(head.sequence, 5);
        let lost = queue.records().unwrap();
        drop(queue);
        std::fs::remove_file(device.path()).unwrap();

        let key = queue_key(&device.key).unwrap();
        let (mut queue, opened) = Queue::open(&device.path(), &key, head).unwrap();
        assert_eq!(opened, Opened::Missing);
        assert_eq!(device.append(&mut queue, &cleared()), 6);
        assert_eq!(queue.count().unwrap(), 1);
        assert_eq!(queue.verify(&device.key.public_key()).unwrap(), 1);
        // Whoever holds the lost records sees one chain.
        let whole = [lost, queue.records().unwrap()].concat();
        let verified = verify_chain(&whole, Head::default(), &device.key.public_key());
        assert_eq!(verified.unwrap(), 6);
    }

    #[test]
    fn a_queue_whose_beginning_never_reached_the_disk_is_begun_again() {
        let device = Device::new();
        let (queue, _) = device.open();
        queue.connection.execute_batch("DELETE FROM chain").unwrap();
        drop(queue);
        let key = queue_key(&device.key).unwrap();
        let (mut queue, opened) = Queue::open(&device.path(), &key, Head::default()).unwrap();
        assert_eq!((device.append(&mut queue, &cleared()), opened), (1, Opened::Whole));
        assert_eq!(queue.verify(&device.key.public_key()).unwrap(), 1);
        drop(queue);
        // On a device that has written more, it goes on from there.
        let head = Head { sequence: 7, hash: [5; 32] };
        let (mut queue, opened) = Queue::open(&device.path(), &key, head).unwrap();
        assert!(matches!(opened, Opened::MovedAside(_)), "{opened:?}");
        assert_eq!(device.append(&mut queue, &cleared()), 8);
        assert_eq!(queue.verify(&device.key.public_key()).unwrap(), 1);
    }

    #[test]
    fn an_earlier_copy_of_the_queue_is_moved_aside() {
        let device = Device::new();
        drop(device.with_records(2));
        let earlier = std::fs::read(device.path()).unwrap();
        let (mut queue, _) = device.open();
        device.append(&mut queue, &cleared());
        let head = queue.head().unwrap();
        drop(queue);
        std::fs::write(device.path(), earlier).unwrap();

        let key = queue_key(&device.key).unwrap();
        let (mut queue, opened) = Queue::open(&device.path(), &key, head).unwrap();
        assert!(matches!(opened, Opened::MovedAside(_)), "{opened:?}");
        assert_eq!(device.append(&mut queue, &cleared()), 4, "number 3 is not used twice");
    }

    #[test]
    fn a_file_that_was_begun_and_not_finished_is_moved_aside_too() {
        let device = Device::new();
        std::fs::write(device.path(), b"").unwrap();
        let (mut queue, opened) = device.open();
        assert!(matches!(opened, Opened::MovedAside(_)), "{opened:?}");
        assert_eq!(device.append(&mut queue, &cleared()), 1);
    }

    #[test]
    fn a_queue_that_another_program_holds_is_not_moved_aside() {
        let device = Device::new();
        let queue = device.with_records(2);
        drop(queue);
        let (holder, _) = device.open();
        holder.connection.execute_batch("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE").unwrap();
        let refused =
            Queue::open(&device.path(), &queue_key(&device.key).unwrap(), Head::default())
                .map(drop);
        assert!(matches!(refused, Err(QueueError::Store(StoreError::Busy))), "{refused:?}");
        holder.connection.execute_batch("COMMIT").unwrap();
        drop(holder);
        assert_eq!(device.files(), ["queue.db"]);
        let (queue, opened) = device.open();
        assert_eq!((queue.count().unwrap(), opened), (2, Opened::Whole));
    }

    #[test]
    fn damage_in_any_page_is_noticed_when_the_queue_is_opened() {
        let device = Device::new();
        drop(device.with_records(40));
        let whole = std::fs::read(device.path()).unwrap();
        let pages = whole.len() / 4_096;
        assert!(pages > 4, "{pages} pages");
        for page in 0..pages {
            let mut damaged = whole.clone();
            damaged[page * 4_096 + 2_000] ^= 1;
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("queue.db");
            std::fs::write(&path, &damaged).unwrap();
            let (mut queue, opened) =
                Queue::open(&path, &queue_key(&device.key).unwrap(), Head::default()).unwrap();
            let Opened::MovedAside(aside) = opened else { panic!("page {page}") };
            assert_eq!(std::fs::read(aside).unwrap(), damaged, "page {page}");
            assert_eq!(device.append(&mut queue, &cleared()), 1, "page {page}");
        }
    }
}
