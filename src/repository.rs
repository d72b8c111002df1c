//! What headquarters has published: a folder or an S3 bucket that only grows, and one small file
//! in it that changes.
//!
//! ```text
//! latest                      the encoded Index: what is newest, by hash
//! objects/3f/3f9a…            every other file, named by its SHA-256 and never changed
//! ```
//!
//! Nothing here is secret and nothing is believed: whoever holds the place sees what an outsider
//! sees of a package, and what he changes is refused, here by its hash and on the device by its
//! signature. What he can do is withhold, and that shows as age.
//!
//! [`publish`] writes it, [`mirror`] copies what one unit needs onto a stick. A publication is the
//! replacing of `latest`: before it nobody sees anything new, after it everything is there.

mod address;
pub mod check;
pub mod mirror;
pub mod publish;
#[cfg(feature = "s3")]
mod s3;
#[cfg(test)]
mod testing;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion};
use sha2::{Digest as _, Sha256};
use sync_format::codec::{self, Kind};
use sync_format::limits;
use sync_format::v1::message::Index;
use sync_format::v1::package::{PartRef, sha256};

pub use address::{Address, AddressError};

/// The one file that changes.
const LATEST: &str = "latest";

/// Held by whoever publishes into a folder. It stays, empty: removing it would let two hold it.
const LOCK: &str = "publish.lock";

/// How much of a long file is in memory at a time.
const PIECE_BYTES: u64 = 4 << 20;

/// Why a repository cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// Not in the environment, the only place it is looked for.
    #[error("{name} is not set")]
    NotSet {
        /// The variable.
        name: &'static str,
    },
    /// Credentials and lists would go over the network in the clear.
    #[error("{name} is not https, which only this machine itself may do without")]
    InTheClear {
        /// The variable.
        name: &'static str,
    },
    /// Built without S3.
    #[error("this program was built without S3")]
    NoS3,
    /// The place does not let us.
    #[error("access is refused")]
    Refused,
    /// Somebody publishes into this folder right now.
    #[error("another publication is running")]
    Busy,
    /// Somebody else has published since we looked.
    #[error("somebody else has published meanwhile")]
    Overtaken,
    /// Nothing was ever published here.
    #[error("nothing is published here")]
    Nothing,
    /// `latest` is none, or of a version that this program does not know.
    #[error("`latest` cannot be read")]
    Latest(#[source] codec::DecodeError),
    /// An object that the index names is not there.
    #[error("object {object} is missing")]
    Missing {
        /// SHA-256 in hexadecimal digits.
        object: String,
    },
    /// An object is not what its name says.
    #[error("object {object} is damaged")]
    Damaged {
        /// SHA-256 in hexadecimal digits.
        object: String,
    },
    /// What was to be uploaded cannot be read, or is not what was announced.
    #[error("what is to be uploaded cannot be read")]
    Source(#[source] io::Error),
    /// The folder, or the network, or the server.
    #[error("{0}")]
    Store(String),
}

impl RepositoryError {
    /// Returns the short name, for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            RepositoryError::NotSet { .. } => "not-set",
            RepositoryError::InTheClear { .. } => "in-the-clear",
            RepositoryError::NoS3 => "no-s3",
            RepositoryError::Refused => "refused",
            RepositoryError::Busy => "busy",
            RepositoryError::Overtaken => "overtaken",
            RepositoryError::Nothing => "nothing-published",
            RepositoryError::Latest(_) => "latest",
            RepositoryError::Missing { .. } => "object-missing",
            RepositoryError::Damaged { .. } => "object-damaged",
            RepositoryError::Source(_) => "source",
            RepositoryError::Store(_) => "store",
        }
    }
}

/// A repository, opened. Calls wait; each is one request or a few.
pub struct Repository {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    runtime: tokio::runtime::Runtime,
    /// The folder, where it is one: its publications are kept apart by a lock.
    folder: Option<PathBuf>,
    /// What must stand in no message.
    secrets: Vec<String>,
}

impl std::fmt::Debug for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repository").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// `latest` as it was read, and what names that reading.
#[derive(Clone, Debug)]
pub struct Latest {
    /// What it says.
    pub index: Index,
    version: UpdateVersion,
}

/// Keeps other publishers out of a folder until it is dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held, not used")] Option<File>);

impl Repository {
    /// Opens a repository to read.
    pub fn open(address: &Address) -> Result<Repository, RepositoryError> {
        match address {
            Address::Folder(folder) => {
                let store = LocalFileSystem::new_with_prefix(folder)
                    .map_err(|error| RepositoryError::Store(error.to_string()))?
                    .with_fsync(true);
                let folder = Some(folder.clone());
                Repository::with(Arc::new(store), Path::default(), folder, Vec::new())
            }
            #[cfg(feature = "s3")]
            Address::S3 { bucket, prefix } => {
                let (store, secrets) = s3::open(bucket)?;
                Repository::with(Arc::new(store), prefix.clone(), None, secrets)
            }
            #[cfg(not(feature = "s3"))]
            Address::S3 { .. } => Err(RepositoryError::NoS3),
        }
    }

    /// Opens a repository to publish into; a folder is made where there is none.
    pub fn create(address: &Address) -> Result<Repository, RepositoryError> {
        if let Address::Folder(folder) = address {
            fs::create_dir_all(folder)
                .map_err(|error| RepositoryError::Store(error.to_string()))?;
        }
        Repository::open(address)
    }

    /// Opens a repository in any store that compares before it replaces.
    pub fn on(store: Arc<dyn ObjectStore>) -> Result<Repository, RepositoryError> {
        Repository::with(store, Path::default(), None, Vec::new())
    }

    fn with(
        store: Arc<dyn ObjectStore>,
        prefix: Path,
        folder: Option<PathBuf>,
        secrets: Vec<String>,
    ) -> Result<Repository, RepositoryError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| RepositoryError::Store(error.to_string()))?;
        Ok(Repository { store, prefix, runtime, folder, secrets })
    }

    /// Returns what is newest, or `None` where nothing was published.
    pub fn latest(&self) -> Result<Option<Latest>, RepositoryError> {
        let limit = Kind::Index.max_bytes() as u64;
        let read = self.runtime.block_on(async {
            let got = match self.store.get(&self.at(LATEST)).await {
                Err(object_store::Error::NotFound { .. }) => return Ok(None),
                got => got?,
            };
            let version =
                UpdateVersion { e_tag: got.meta.e_tag.clone(), version: got.meta.version.clone() };
            // Said by the store before it sends; more is not fetched.
            let bytes = if got.meta.size > limit { None } else { Some(got.bytes().await?) };
            Ok(Some((bytes, version)))
        });
        let Some((bytes, version)) = read.map_err(|error| self.failed(error))? else {
            return Ok(None);
        };
        let too_long = || codec::DecodeError::LimitExceeded { kind: Kind::Index };
        let index = bytes
            .ok_or_else(too_long)
            .and_then(|bytes| codec::decode(Kind::Index, &bytes))
            .map_err(RepositoryError::Latest)?;
        Ok(Some(Latest { index, version }))
    }

    /// Returns the bytes of an object, which are those of its name.
    pub fn read(&self, part: &PartRef) -> Result<Vec<u8>, RepositoryError> {
        if part.len as usize > limits::MAX_CHUNK_BYTES {
            return Err(RepositoryError::Damaged { object: hex(&part.hash) });
        }
        let bytes = self.fetch(&part.hash, u64::from(part.len), None)?;
        if sha256(&bytes) != part.hash {
            return Err(RepositoryError::Damaged { object: hex(&part.hash) });
        }
        Ok(bytes)
    }

    /// Returns a piece of a long object of `len` bytes; whether it is the object's only the hash of
    /// all pieces tells.
    fn read_piece(
        &self,
        hash: &[u8; 32],
        len: u64,
        piece: Range<u64>,
    ) -> Result<Vec<u8>, RepositoryError> {
        self.fetch(hash, len, Some(piece))
    }

    /// Puts bytes under their hash and returns what names them; `true` where they were there.
    ///
    /// What is there already is read again: a torn object must not become part of a publication.
    pub fn put(&self, bytes: &[u8]) -> Result<(PartRef, bool), RepositoryError> {
        let hash = sha256(bytes);
        let len = u32::try_from(bytes.len())
            .map_err(|_| RepositoryError::Source(io::ErrorKind::FileTooLarge.into()))?;
        let part = PartRef { hash, len };
        let mode = self.creating();
        let location = self.object(&hash);
        // In a folder the name is free or taken for as long as the lock is held.
        if self.folder.is_none() || !self.is_there(&location)? {
            let options = PutOptions { mode, ..PutOptions::default() };
            let put = self.store.put_opts(&location, bytes.to_vec().into(), options);
            match self.runtime.block_on(put) {
                Ok(_) => return Ok((part, false)),
                Err(object_store::Error::AlreadyExists { .. }) => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        self.read(&part)?;
        Ok((part, true))
    }

    /// Puts a file of any length under its hash, piece by piece; `true` where it was there.
    ///
    /// The file is read twice: what is uploaded is what the hash says, even where the file changes.
    pub fn put_file(
        &self,
        hash: &[u8; 32],
        len: u64,
        file: &mut dyn Read,
    ) -> Result<bool, RepositoryError> {
        let location = self.object(hash);
        if self.is_there(&location)? {
            self.verify_file(hash, len)?;
            return Ok(true);
        }
        let upload = self.runtime.block_on(self.store.put_multipart(&location));
        let mut upload = upload.map_err(|error| self.failed(error))?;
        let mut digest = Sha256::new();
        let mut written = 0;
        let mut failure = None;
        while failure.is_none() && written < len {
            // S3 wants 5 MiB of each part but the last.
            let wanted = (len - written).min(2 * PIECE_BYTES);
            let mut piece = vec![0; wanted as usize];
            match file.read_exact(&mut piece) {
                Err(error) => failure = Some(RepositoryError::Source(error)),
                Ok(()) => {
                    digest.update(&piece);
                    written += wanted;
                    let put = self.runtime.block_on(upload.put_part(piece.into()));
                    failure = put.err().map(|error| self.failed(error));
                }
            }
        }
        if failure.is_none() && digest.finalize()[..] != hash[..] {
            failure = Some(RepositoryError::Source(io::Error::other("the file has changed")));
        }
        if let Some(failure) = failure {
            // What failed first is the reason; parts that stay belong to no object.
            let _ = self.runtime.block_on(upload.abort());
            return Err(failure);
        }
        self.runtime.block_on(upload.complete()).map_err(|error| self.failed(error))?;
        Ok(false)
    }

    /// Reads a long object to its end and compares its hash.
    pub fn verify_file(&self, hash: &[u8; 32], len: u64) -> Result<(), RepositoryError> {
        let mut digest = Sha256::new();
        let mut at = 0;
        while at < len {
            let end = len.min(at + PIECE_BYTES);
            digest.update(self.read_piece(hash, len, at..end)?);
            at = end;
        }
        if digest.finalize()[..] != hash[..] {
            return Err(RepositoryError::Damaged { object: hex(hash) });
        }
        Ok(())
    }

    /// Keeps other publishers out, where it is a folder; elsewhere the store compares.
    pub fn lock(&self) -> Result<Lock, RepositoryError> {
        let Some(folder) = &self.folder else { return Ok(Lock(None)) };
        let open =
            OpenOptions::new().write(true).create(true).truncate(false).open(folder.join(LOCK));
        let file = open.map_err(|error| RepositoryError::Store(error.to_string()))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(Some(file))),
            Err(fs::TryLockError::WouldBlock) => Err(RepositoryError::Busy),
            Err(fs::TryLockError::Error(error)) => Err(RepositoryError::Store(error.to_string())),
        }
    }

    /// Replaces `latest`, if it still is what was read.
    fn replace_latest(
        &self,
        before: Option<&Latest>,
        index: &Index,
        _lock: &Lock,
    ) -> Result<(), RepositoryError> {
        let bytes = codec::encode(Kind::Index, index)
            .map_err(|error| RepositoryError::Store(error.to_string()))?;
        let mode = match before {
            // The lock keeps others from replacing it; written aside, synced and renamed.
            _ if self.folder.is_some() => PutMode::Overwrite,
            None => PutMode::Create,
            Some(latest) => PutMode::Update(latest.version.clone()),
        };
        let options = PutOptions { mode, ..PutOptions::default() };
        let location = self.at(LATEST);
        let put = self.store.put_opts(&location, bytes.into(), options);
        match self.runtime.block_on(put) {
            Ok(_) => Ok(()),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => {
                // The answer to our own request may have been lost, and the request repeated.
                match self.latest()? {
                    Some(latest) if latest.index == *index => Ok(()),
                    _ => Err(RepositoryError::Overtaken),
                }
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    fn fetch(
        &self,
        hash: &[u8; 32],
        len: u64,
        piece: Option<Range<u64>>,
    ) -> Result<Vec<u8>, RepositoryError> {
        let location = self.object(hash);
        let damaged = || RepositoryError::Damaged { object: hex(hash) };
        let expected = piece.as_ref().map_or(len, |piece| piece.end - piece.start);
        let options = object_store::GetOptions {
            range: piece.map(Into::into),
            ..object_store::GetOptions::default()
        };
        let got = self.runtime.block_on(async {
            let got = self.store.get_opts(&location, options).await?;
            // The store says the length before it sends: a longer one is not fetched.
            if got.meta.size == len { got.bytes().await.map(Some) } else { Ok(None) }
        });
        match got {
            Ok(Some(bytes)) if bytes.len() as u64 == expected => Ok(bytes.into()),
            Ok(_) => Err(damaged()),
            Err(object_store::Error::NotFound { .. }) => {
                Err(RepositoryError::Missing { object: hex(hash) })
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    fn is_there(&self, location: &Path) -> Result<bool, RepositoryError> {
        match self.runtime.block_on(self.store.head(location)) {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn creating(&self) -> PutMode {
        // A folder would create by a hard link, which a stick's file system has not.
        if self.folder.is_some() { PutMode::Overwrite } else { PutMode::Create }
    }

    fn at(&self, name: &str) -> Path {
        self.prefix.clone().join(name)
    }

    /// Returns where an object lies. Only the digits of a hash come from outside.
    fn object(&self, hash: &[u8; 32]) -> Path {
        let hex = hex(hash);
        self.prefix.clone().join("objects").join(&hex[..2]).join(&*hex)
    }

    /// Keeps what a person can act on, and no word of the credentials: servers repeat in their
    /// answers what was wrong with them.
    fn failed(&self, error: object_store::Error) -> RepositoryError {
        use object_store::Error;
        if matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. }) {
            return RepositoryError::Refused;
        }
        let mut text = error.to_string();
        for secret in self.secrets.iter().filter(|secret| !secret.is_empty()) {
            text = text.replace(secret, "…");
        }
        RepositoryError::Store(text)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
