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

/// How a damaged queue was dealt with when it was opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Opened {
    /// It was whole.
    Whole,
    /// It could not be read; it was moved aside, never deleted, and a new one was begun.
    MovedAside(PathBuf),
}

impl Queue {
    /// Opens the queue, or makes it where there is none.
    ///
    /// A queue that cannot be read is the only copy of its records, so it is moved aside and kept.
    pub fn open(path: &Path, key: &SecretKey) -> Result<(Queue, Opened), QueueError> {
        if !path.exists() {
            return Ok((Queue::create(path, key)?, Opened::Whole));
        }
        match Queue::open_whole(path, key) {
            Ok(queue) => Ok((queue, Opened::Whole)),
            Err(QueueError::Store(StoreError::Unreadable(_) | StoreError::Foreign(_))) => {
                let aside = free_name(path);
                for (from, suffix) in store::companions(path).iter().zip(["-wal", "-shm", "-journal"]) {
                    if from.exists() {
                        let mut to = aside.as_os_str().to_owned();
                        to.push(suffix);
                        std::fs::rename(from, PathBuf::from(to)).map_err(StoreError::from)?;
                    }
                }
                std::fs::rename(path, &aside).map_err(StoreError::from)?;
                Ok((Queue::create(path, key)?, Opened::MovedAside(aside)))
            }
            Err(error) => Err(error),
        }
    }

    fn create(path: &Path, key: &SecretKey) -> Result<Queue, QueueError> {
        let connection = store::open(path, key, Kind::Queue, Access::Create)?;
        store::state::durable(&connection)?;
        Ok(Queue { connection })
    }

    fn open_whole(path: &Path, key: &SecretKey) -> Result<Queue, QueueError> {
        let connection = store::open(path, key, Kind::Queue, Access::ReadWrite)?;
        store::state::durable(&connection)?;
        // The next record stands on the last one: were that unreadable, none could ever be added.
        last_header(&connection).map_err(|error| store::unreadable(error, Kind::Queue))?;
        Ok(Queue { connection })
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
        let (sequence, previous) = match last_header(&transaction)? {
            Some((sequence, header)) => (sequence + 1, record::header_hash(&header)),
            None => (1, [0; 32]),
        };
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
        let signature = device_key
            .sign(&signing_bytes(Domain::Record, &header))
            .map_err(QueueError::Sign)?;
        transaction.execute(
            "INSERT INTO record VALUES (?, ?, ?, ?)",
            params![sequence.cast_signed(), header, signature, sealed],
        )?;
        transaction.commit()?;
        Ok(sequence)
    }

    /// Returns the number of records that wait.
    pub fn count(&self) -> Result<u64, QueueError> {
        let count: i64 =
            self.connection.query_row("SELECT count(*) FROM record", [], |row| row.get(0))?;
        Ok(count.cast_unsigned())
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
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, header FROM record ORDER BY sequence DESC LIMIT ?",
        )?;
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
        verify_chain(&self.records()?, public_key)
    }
}

/// Checks a chain of records that begins at number 1: order, hashes, signatures, bodies' hashes.
///
/// A body that was erased (empty) breaks nothing. What is missing at the end cannot be seen here.
pub fn verify_chain(records: &[Record], public_key: &[u8; 33]) -> Result<u64, QueueError> {
    let mut previous = [0; 32];
    for (expected, record) in (1..).zip(records) {
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

fn seal(
    header: &RecordHeader,
    body: &Body,
    collect_key: &[u8; 32],
) -> Result<Vec<u8>, QueueError> {
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

fn last_header(connection: &Connection) -> rusqlite::Result<Option<(u64, Vec<u8>)>> {
    connection
        .query_row(
            "SELECT sequence, header FROM record ORDER BY sequence DESC LIMIT 1",
            [],
            |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?)),
        )
        .optional()
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
