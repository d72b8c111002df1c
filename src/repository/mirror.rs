//! Copying what one unit needs onto a stick, or into a folder.
//!
//! The stick may be slow, full, pulled out, or prepared by an enemy: files get their names only when
//! they are whole and on the medium, what is copied already is kept, and no link on it is followed.
//! Nothing that is copied can choose its own name: names are made of numbers.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use sync_format::codec::{self, Kind};
use sync_format::v1::message::{Entry, Index};
use sync_format::v1::package::layout::{self, Sections};
use sync_format::v1::package::{Dataset, Envelope, PartRef, SnapshotVersion, sha256};

use super::publish::{PublishError, decode_manifest, decode_release};
use super::{PIECE_BYTES, Repository, RepositoryError, hex};
use crate::carried::{self, FOLDER};

/// What a file that is not whole yet has behind its name.
const PARTIAL: &str = ".partial";

/// Most entries of a folder that are looked at for packages that newer ones replace.
const MAX_ENTRIES: usize = 10_000;

/// Why not everything was copied. What was whole on the stick is whole still.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The repository cannot be read.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// No list is sealed to this unit.
    #[error("nothing is published for unit {unit}")]
    NoUnit {
        /// The unit.
        unit: u32,
    },
    /// A package of which an object is missing or damaged.
    #[error("{package} is not whole in the repository")]
    Package {
        /// The name it would have.
        package: String,
        /// Which object.
        #[source]
        why: RepositoryError,
    },
    /// The index and the manifest contradict each other.
    #[error("{package} is not what the index says")]
    Disagrees {
        /// The name it would have.
        package: String,
    },
    /// The caller does not trust it.
    #[error("{package} is refused: {why}")]
    NotTrusted {
        /// The name it would have.
        package: String,
        /// Why.
        why: String,
    },
    /// Told before anything is written.
    #[error("{needed} bytes are needed and {free} are free")]
    NoRoom {
        /// Bytes still to write.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// Full in the middle.
    #[error("the stick is full; what was copied is kept, and the next try goes on from there")]
    Full,
    /// Pulled out, or broken.
    #[error("the stick is gone; what was copied is kept, and the next try goes on from there")]
    Gone,
    /// It must not be written to.
    #[error("the stick cannot be written to")]
    ReadOnly,
    /// A link, a pipe or a folder stands where a file of ours belongs.
    #[error("{name} on the stick is no ordinary file")]
    InTheWay {
        /// Its name.
        name: String,
    },
    /// Anything else that the system says.
    #[error("the stick cannot be used")]
    Target(#[source] io::Error),
}

impl MirrorError {
    /// Returns the short name, for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            MirrorError::Repository(error) | MirrorError::Package { why: error, .. } => {
                error.code()
            }
            MirrorError::NoUnit { .. } => "no-unit",
            MirrorError::Disagrees { .. } => "disagrees",
            MirrorError::NotTrusted { .. } => "not-trusted",
            MirrorError::NoRoom { .. } => "no-room",
            MirrorError::Full => "full",
            MirrorError::Gone => "gone",
            MirrorError::ReadOnly => "read-only",
            MirrorError::InTheWay { .. } => "in-the-way",
            MirrorError::Target(_) => "target",
        }
    }
}

impl From<io::Error> for MirrorError {
    fn from(error: io::Error) -> MirrorError {
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => MirrorError::Full,
            // A stick that is pulled out shows as any of these.
            Some(Errno::IO | Errno::NODEV | Errno::NXIO | Errno::STALE | Errno::NOENT) => {
                MirrorError::Gone
            }
            Some(Errno::ROFS | Errno::ACCESS | Errno::PERM) => MirrorError::ReadOnly,
            _ => MirrorError::Target(error),
        }
    }
}

impl From<Errno> for MirrorError {
    fn from(errno: Errno) -> MirrorError {
        io::Error::from(errno).into()
    }
}

/// What a mirror has done.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Mirrored {
    /// Names of the files that were written.
    pub written: Vec<String>,
    /// Names of those that were there.
    pub there: Vec<String>,
    /// Names of those that newer ones replace, and that were removed.
    pub removed: Vec<String>,
    /// Bytes that an earlier try had copied and that were kept.
    pub kept: u64,
    /// Bytes that were copied.
    pub copied: u64,
}

/// What may be copied.
pub trait Trusted {
    /// Says why a package is not trusted, from its root chain and its signed manifest.
    fn package(&self, root_chain: &[u8], manifest: &[u8]) -> Result<(), String>;
    /// Says why an application update is not trusted.
    fn update(&self, root_chain: &[u8], signed: &[u8]) -> Result<(), String>;
}

/// Trusts everything: the device verifies it all, so an untrusted copy is of no harm and no use.
#[derive(Clone, Copy, Debug)]
pub struct Unverified;

impl Trusted for Unverified {
    fn package(&self, _: &[u8], _: &[u8]) -> Result<(), String> {
        Ok(())
    }
    fn update(&self, _: &[u8], _: &[u8]) -> Result<(), String> {
        Ok(())
    }
}

/// Copies what `unit` needs into the folder [`FOLDER`] below `to`; `progress` is told the bytes done
/// and to be done.
pub fn mirror(
    repository: &Repository,
    unit: u32,
    to: &Path,
    trusted: &dyn Trusted,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Mirrored, MirrorError> {
    let index = repository.latest()?.ok_or(RepositoryError::Nothing)?.index;
    index.validate().map_err(|_| MirrorError::Disagrees { package: "latest".to_owned() })?;
    let plans = plan(repository, &index, unit, trusted)?;
    let folder = Folder::create(to)?;
    copy_all(repository, &folder, plans, folder.free()?, progress)
}

/// A file that the stick is to have.
struct Plan {
    name: String,
    what: What,
    /// What it begins with: the sections of a package, or all of a signed release.
    header: Vec<u8>,
    body: Body,
}

/// What a file is, as its name says; a newer one replaces an older one of the same list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    Package { dataset: Dataset, version: SnapshotVersion, base: Option<u64> },
    Release { app: u32 },
    Program { app: u32 },
}

/// What follows the header.
enum Body {
    Chunks(Vec<PartRef>),
    File { hash: [u8; 32], len: u64 },
}

impl Plan {
    fn len(&self) -> u64 {
        let body = match &self.body {
            Body::Chunks(chunks) => chunks.iter().map(|part| u64::from(part.len)).sum(),
            Body::File { len, .. } => *len,
        };
        self.header.len() as u64 + body
    }
}

impl What {
    /// Returns the name of the file. Nothing but numbers and our own words goes into it.
    fn name(&self) -> String {
        match self {
            What::Package { dataset, version: SnapshotVersion { epoch, version }, base } => {
                let extension = carried::Kind::Package.extension();
                match base {
                    None => format!("{dataset}-{epoch}-{version}.{extension}"),
                    Some(base) => format!("{dataset}-{epoch}-{version}-from-{base}.{extension}"),
                }
            }
            What::Release { app } => {
                format!("app-{app}.{}", carried::Kind::Release.extension())
            }
            What::Program { app } => format!("app-{app}.apk"),
        }
    }

    /// Reads a name that [`What::name`] has made, and no other.
    fn of(name: &str) -> Option<What> {
        let (stem, _) = name.rsplit_once('.')?;
        let (word, numbers) = stem.split_once('-')?;
        let what = if word == "app" {
            let app = numbers.parse().ok()?;
            if name.ends_with(".apk") { What::Program { app } } else { What::Release { app } }
        } else {
            let dataset = word.parse().ok()?;
            let (numbers, base) = match numbers.split_once("-from-") {
                Some((numbers, base)) => (numbers, Some(base.parse().ok()?)),
                None => (numbers, None),
            };
            let (epoch, version) = numbers.split_once('-')?;
            let version =
                SnapshotVersion { epoch: epoch.parse().ok()?, version: version.parse().ok()? };
            What::Package { dataset, version, base }
        };
        (what.name() == name).then_some(what)
    }

    /// Whether this file is of no use where that one is.
    fn is_replaced_by(&self, other: &What) -> bool {
        match (*self, *other) {
            (
                What::Package { dataset, version, .. },
                What::Package { dataset: other, version: newer, base },
            ) => {
                // A full package replaces all before it, a delta the deltas before it.
                let same_kind =
                    base.is_none() || matches!(self, What::Package { base: Some(_), .. });
                dataset == other && version < newer && same_kind
            }
            (
                What::Release { app } | What::Program { app },
                What::Release { app: newer } | What::Program { app: newer },
            ) => app < newer,
            _ => false,
        }
    }
}

/// Says what the stick is to have, smallest first: a priority delta is there before the register.
fn plan(
    repository: &Repository,
    index: &Index,
    unit: u32,
    trusted: &dyn Trusted,
) -> Result<Vec<Plan>, MirrorError> {
    let root_chain = repository.read(&index.root_chain)?;
    let mut plans = Vec::new();
    for entry in &index.entries {
        let part = entry.units.binary_search_by_key(&unit, |(unit, _)| *unit);
        if let Ok(at) = part {
            plans.push(plan_package(repository, &root_chain, entry, &entry.units[at].1, trusted)?);
        }
    }
    if plans.is_empty() {
        return Err(MirrorError::NoUnit { unit });
    }
    if let Some(part) = &index.release {
        let signed = repository.read(part)?;
        let package = || "the application update".to_owned();
        let release =
            decode_release(&signed).map_err(|_| MirrorError::Disagrees { package: package() })?;
        trusted
            .update(&root_chain, &signed)
            .map_err(|why| MirrorError::NotTrusted { package: package(), why })?;
        let (app, hash, len) = (release.app, release.hash, release.len);
        // The program before the word that there is one.
        for (what, header, body) in [
            (What::Program { app }, Vec::new(), Body::File { hash, len }),
            (What::Release { app }, signed, Body::Chunks(Vec::new())),
        ] {
            plans.push(Plan { name: what.name(), what, header, body });
        }
    }
    plans.sort_by_key(|plan| (matches!(plan.what, What::Release { .. }), plan.len()));
    Ok(plans)
}

fn plan_package(
    repository: &Repository,
    root_chain: &[u8],
    entry: &Entry,
    envelope: &PartRef,
    trusted: &dyn Trusted,
) -> Result<Plan, MirrorError> {
    let what = What::Package { dataset: entry.dataset, version: entry.version, base: entry.base };
    let name = what.name();
    let read = |part: &PartRef| {
        let why = |why| MirrorError::Package { package: name.clone(), why };
        repository.read(part).map_err(why)
    };
    let disagrees = || MirrorError::Disagrees { package: name.clone() };
    let signed = read(&entry.manifest)?;
    trusted
        .package(root_chain, &signed)
        .map_err(|why| MirrorError::NotTrusted { package: name.clone(), why })?;
    let (manifest, _) = decode_manifest(&signed).map_err(|_: PublishError| disagrees())?;
    let agrees = manifest.dataset == entry.dataset
        && manifest.version == entry.version
        && manifest.base.map(|base| base.version) == entry.base
        && manifest.inner == entry.inner
        && manifest.chunks == entry.chunks
        && manifest.envelopes.contains(envelope)
        && manifest.validate().is_ok();
    if !agrees {
        return Err(disagrees());
    }
    let envelope = read(envelope)?;
    let chunks = codec::decode::<Envelope>(Kind::Envelope, &envelope)
        .ok()
        .filter(|envelope| envelope.validate(&manifest).is_ok())
        .ok_or_else(disagrees)?
        .chunk_indices();
    let chunks = chunks
        .into_iter()
        .map(|index| manifest.chunks.get(index as usize).copied().ok_or_else(disagrees))
        .collect::<Result<Vec<_>, _>>()?;
    let inner = read(&entry.inner)?;
    let mut header = Vec::new();
    let sections = Sections { root_chain: root_chain.to_vec(), manifest: signed, envelope, inner };
    layout::write_sections(&mut header, &sections).map_err(|_| disagrees())?;
    Ok(Plan { name, what, header, body: Body::Chunks(chunks) })
}

fn copy_all(
    repository: &Repository,
    folder: &Folder,
    plans: Vec<Plan>,
    free: u64,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Mirrored, MirrorError> {
    let mut done = Mirrored::default();
    let mut missing = Vec::new();
    let names: Vec<String> = plans.iter().map(|plan| plan.name.clone()).collect();
    let whats: Vec<What> = plans.iter().map(|plan| plan.what).collect();
    for plan in plans {
        let there = folder.open(&plan.name)?;
        if there.map_or(Ok(false), |mut file| whole(&mut file, &plan))? {
            done.there.push(plan.name);
            continue;
        }
        let mut partial = folder.open_partial(&plan.name)?;
        let kept = kept(&mut partial, &plan)?;
        done.kept += kept;
        missing.push((plan, partial, kept));
    }
    let needed: u64 = missing.iter().map(|(plan, _, kept)| plan.len() - kept).sum();
    if needed > free {
        return Err(MirrorError::NoRoom { needed, free });
    }
    for (plan, partial, kept) in missing {
        copy(repository, &plan, partial, kept, &mut |bytes| {
            done.copied += bytes;
            progress(done.copied, needed);
        })?;
        folder.finish(&plan.name)?;
        done.written.push(plan.name);
    }
    // Only now, with everything new in its place.
    for name in folder.names()? {
        let whole = name.strip_suffix(PARTIAL).unwrap_or(&name);
        let Some(what) = What::of(whole) else { continue };
        let is_ours = names.contains(&name);
        if !is_ours && whats.iter().any(|newer| what.is_replaced_by(newer)) {
            folder.remove(&name)?;
            done.removed.push(name);
        }
    }
    folder.sync()?;
    Ok(done)
}

/// Whether a file is what is planned, to its last byte.
fn whole(file: &mut File, plan: &Plan) -> Result<bool, MirrorError> {
    Ok(file.metadata()?.len() == plan.len() && kept(file, plan)? == plan.len())
}

/// Returns how many bytes at the beginning of a file are those planned, up to the end of a chunk.
fn kept(file: &mut File, plan: &Plan) -> Result<u64, MirrorError> {
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(0))?;
    let mut at = plan.header.len() as u64;
    if len < at || read(file, at)? != plan.header {
        return Ok(0);
    }
    match &plan.body {
        Body::Chunks(chunks) => {
            for part in chunks {
                let end = at + u64::from(part.len);
                if len < end || sha256(&read(file, u64::from(part.len))?) != part.hash {
                    break;
                }
                at = end;
            }
            Ok(at)
        }
        // There is one hash for all of it: what is there is believed until the end is reached.
        Body::File { hash, len: full } => {
            if len < at + full {
                return Ok(len - len % PIECE_BYTES);
            }
            let is_it = digest_of(file, *full)?[..] == hash[..];
            Ok(if is_it { at + full } else { 0 })
        }
    }
}

fn read(file: &mut File, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len as usize];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn digest_of(file: &mut File, len: u64) -> io::Result<[u8; 32]> {
    let mut digest = Sha256::new();
    let mut left = len;
    while left > 0 {
        let piece = read(file, left.min(PIECE_BYTES))?;
        digest.update(&piece);
        left -= piece.len() as u64;
    }
    Ok(digest.finalize().into())
}

/// Writes what is missing behind the first `kept` bytes, and waits until it is on the medium.
fn copy(
    repository: &Repository,
    plan: &Plan,
    mut file: File,
    kept: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<(), MirrorError> {
    let why = |why| MirrorError::Package { package: plan.name.clone(), why };
    file.set_len(kept)?;
    file.seek(SeekFrom::Start(kept))?;
    let mut at = plan.header.len() as u64;
    if kept < at {
        file.write_all(&plan.header)?;
        progress(at);
    }
    match &plan.body {
        Body::Chunks(chunks) => {
            for part in chunks {
                let len = u64::from(part.len);
                if kept < at + len {
                    file.write_all(&repository.read(part).map_err(why)?)?;
                    progress(len);
                }
                at += len;
            }
        }
        Body::File { hash, len } => {
            let mut at = kept;
            while at < *len {
                let end = (*len).min(at + PIECE_BYTES);
                let piece = repository.read_piece(hash, *len, at..end).map_err(why)?;
                file.write_all(&piece)?;
                progress(end - at);
                at = end;
            }
            file.seek(SeekFrom::Start(0))?;
            if digest_of(&mut file, *len)?[..] != hash[..] {
                // Begin anew next time: which piece it was cannot be told.
                file.set_len(0)?;
                return Err(why(RepositoryError::Damaged { object: hex(hash) }));
            }
        }
    }
    file.sync_all()?;
    Ok(())
}

/// The folder on the stick, held open: what happens to its name meanwhile changes nothing.
struct Folder {
    fd: OwnedFd,
}

impl Folder {
    fn create(to: &Path) -> Result<Folder, MirrorError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(to, flags, Mode::empty())?;
        match rustix::fs::mkdirat(&root, FOLDER, Mode::from_raw_mode(0o777)) {
            Err(errno) if errno != Errno::EXIST => return Err(errno.into()),
            _ => {}
        }
        let fd = rustix::fs::openat(&root, FOLDER, flags | OFlags::NOFOLLOW, Mode::empty())
            .map_err(|errno| in_the_way(errno, FOLDER))?;
        rustix::fs::fsync(&root)?;
        Ok(Folder { fd })
    }

    fn free(&self) -> Result<u64, MirrorError> {
        let stat = rustix::fs::fstatvfs(&self.fd)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn open(&self, name: &str) -> Result<Option<File>, MirrorError> {
        match self.open_at(name, OFlags::RDONLY) {
            Err(Errno::NOENT) => Ok(None),
            opened => self.regular(name, opened).map(Some),
        }
    }

    fn open_partial(&self, name: &str) -> Result<File, MirrorError> {
        let name = format!("{name}{PARTIAL}");
        let opened = self.open_at(&name, OFlags::RDWR | OFlags::CREATE);
        self.regular(&name, opened)
    }

    fn open_at(&self, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        // Nothing waits for the other end of a pipe.
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        rustix::fs::openat(&self.fd, name, flags, Mode::from_raw_mode(0o666))
    }

    fn regular(&self, name: &str, opened: Result<OwnedFd, Errno>) -> Result<File, MirrorError> {
        let fd = opened.map_err(|errno| in_the_way(errno, name))?;
        match FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) {
            FileType::RegularFile => Ok(File::from(fd)),
            _ => Err(MirrorError::InTheWay { name: name.to_owned() }),
        }
    }

    /// Gives a whole file its name.
    fn finish(&self, name: &str) -> Result<(), MirrorError> {
        rustix::fs::renameat(&self.fd, format!("{name}{PARTIAL}"), &self.fd, name)?;
        self.sync()
    }

    fn names(&self) -> Result<Vec<String>, MirrorError> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd)?.take(MAX_ENTRIES) {
            if let Ok(name) = entry?.file_name().to_str() {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn remove(&self, name: &str) -> Result<(), MirrorError> {
        Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())?)
    }

    fn sync(&self) -> Result<(), MirrorError> {
        Ok(rustix::fs::fsync(&self.fd)?)
    }
}

fn in_the_way(errno: Errno, name: &str) -> MirrorError {
    match errno {
        Errno::LOOP | Errno::NOTDIR | Errno::ISDIR | Errno::NXIO => {
            MirrorError::InTheWay { name: name.to_owned() }
        }
        errno => errno.into(),
    }
}

/// Returns where the files of a mirror lie below `to`.
pub fn folder_of(to: &Path) -> PathBuf {
    to.join(FOLDER)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::super::check::Checked;
    use super::super::publish::{Publication, Update, publish};
    use super::super::testing::{Fake, NOW, a_folder, publish_fakes, root_chain};
    use super::*;
    use crate::snapshot::release::VerifiedRelease;

    fn a_stick() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn mirror_to(
        repository: &Repository,
        unit: u32,
        stick: &tempfile::TempDir,
    ) -> Result<Mirrored, MirrorError> {
        mirror(repository, unit, stick.path(), &Unverified, &mut |_, _| ())
    }

    fn files(stick: &tempfile::TempDir) -> BTreeMap<String, Vec<u8>> {
        fs::read_dir(folder_of(stick.path()))
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
            })
            .collect()
    }

    #[test]
    fn a_unit_gets_its_own_packages_whole_and_under_names_that_tell_what_they_are() {
        let (_folder, repository) = a_folder();
        let full = Fake::full(Dataset::Notices, 5);
        let (delta, register) = (full.delta(6), Fake::full(Dataset::Register, 2));
        publish_fakes(&repository, &mut [full.clone(), delta.clone(), register.clone()]).unwrap();
        let stick = a_stick();
        let mut told = (0, 0);
        let done = mirror(&repository, 9, stick.path(), &Unverified, &mut |at, of| told = (at, of));
        let done = done.unwrap();
        let chain = root_chain(1);
        let expected = BTreeMap::from([
            ("notices-1-5.fcsnap".to_owned(), full.package(9, &chain)),
            ("notices-1-6-from-5.fcsnap".to_owned(), delta.package(9, &chain)),
            ("register-1-2.fcsnap".to_owned(), register.package(9, &chain)),
        ]);
        assert_eq!(files(&stick), expected);
        let bytes: usize = expected.values().map(Vec::len).sum();
        assert_eq!((done.written.len(), done.copied), (3, bytes as u64));
        assert_eq!(told, (bytes as u64, bytes as u64));
        let found = carried::find(&[stick.path().to_path_buf()]);
        assert_eq!((found.carried.len(), found.skipped), (3, vec![]));
        let nobody = mirror_to(&repository, 8, &stick);
        assert!(matches!(nobody, Err(MirrorError::NoUnit { unit: 8 })), "{nobody:?}");
    }

    #[test]
    fn what_is_there_is_not_copied_again_and_what_is_damaged_is() {
        let (_folder, repository) = a_folder();
        let mut all = [Fake::full(Dataset::Notices, 5), Fake::full(Dataset::Register, 2)];
        publish_fakes(&repository, &mut all).unwrap();
        let stick = a_stick();
        mirror_to(&repository, 7, &stick).unwrap();
        let before = files(&stick);
        let again = mirror_to(&repository, 7, &stick).unwrap();
        assert_eq!((again.copied, again.there.len()), (0, 2));

        let path = folder_of(stick.path()).join("register-1-2.fcsnap");
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        let mended = mirror_to(&repository, 7, &stick).unwrap();
        assert_eq!(mended.written, ["register-1-2.fcsnap"]);
        assert_eq!(files(&stick), before);
        // The same stick for another unit: its envelopes are others.
        let other = mirror_to(&repository, 9, &stick).unwrap();
        assert_eq!(other.written.len(), 2);
    }

    #[test]
    fn a_copy_that_broke_off_goes_on_at_every_byte() {
        let (_folder, repository) = a_folder();
        let full = Fake::full(Dataset::Notices, 5);
        publish_fakes(&repository, &mut [full.clone()]).unwrap();
        let package = full.package(7, &root_chain(1));
        let chunk_lens = full.chunks.iter().map(Vec::len);
        let header = package.len() - chunk_lens.clone().sum::<usize>();
        let mut ends = vec![0, header];
        ends.extend(chunk_lens.scan(header, |at, len| {
            *at += len;
            Some(*at)
        }));
        let stick = a_stick();
        fs::create_dir(folder_of(stick.path())).unwrap();
        let path = folder_of(stick.path()).join("notices-1-5.fcsnap");
        let partial = folder_of(stick.path()).join("notices-1-5.fcsnap.partial");
        for len in (0..=package.len()).step_by(1_997).chain(ends.clone()) {
            fs::write(&partial, &package[..len]).unwrap();
            let done = mirror_to(&repository, 7, &stick).unwrap();
            let whole = ends.iter().filter(|end| **end <= len).max().unwrap();
            assert_eq!(done.kept, *whole as u64, "cut at {len}");
            assert_eq!(done.copied, (package.len() - whole) as u64, "cut at {len}");
            assert_eq!(fs::read(&path).unwrap(), package, "cut at {len}");
            assert!(!partial.exists());
            fs::remove_file(&path).unwrap();
        }
        // A chunk of it that is another is not kept, nor is what comes after it.
        let mut bytes = package.clone();
        bytes[ends[2]] ^= 1;
        fs::write(&partial, [&bytes[..], b"and more"].concat()).unwrap();
        assert_eq!(mirror_to(&repository, 7, &stick).unwrap().kept, ends[2] as u64);
        assert_eq!(fs::read(&path).unwrap(), package);
    }

    #[test]
    fn what_newer_ones_replace_goes_when_they_are_there_and_nothing_else_goes() {
        let (folder, repository) = a_folder();
        let (notices, register) =
            (Fake::full(Dataset::Notices, 5), Fake::full(Dataset::Register, 2));
        publish_fakes(&repository, &mut [notices.clone(), notices.delta(6), register]).unwrap();
        let stick = a_stick();
        mirror_to(&repository, 7, &stick).unwrap();
        let on_stick = folder_of(stick.path());
        let others = [
            "notices-1-9.fcsnap",
            "notices-01-4.fcsnap",
            "notices-1-4.fcsnap.txt",
            "anchors-1-1.fcsnap",
            "picture.png",
        ];
        for name in others.iter().chain(&["notices-0-9.fcsnap", "notices-1-4.fcsnap.partial"]) {
            fs::write(on_stick.join(name), b"x").unwrap();
        }
        publish_fakes(&repository, &mut [notices.delta(7)]).unwrap();
        // Not before the new one is whole.
        let delta = notices.delta(7);
        let object = hex(&delta.manifest.chunks[0].hash);
        let object = folder.path().join("objects").join(&object[..2]).join(&object);
        fs::rename(&object, folder.path().join("away")).unwrap();
        let missing = mirror_to(&repository, 7, &stick).unwrap_err();
        assert_eq!(missing.code(), "object-missing");
        assert!(on_stick.join("notices-1-6-from-5.fcsnap").exists());
        fs::rename(folder.path().join("away"), &object).unwrap();

        let done = mirror_to(&repository, 7, &stick).unwrap();
        let gone =
            ["notices-0-9.fcsnap", "notices-1-4.fcsnap.partial", "notices-1-6-from-5.fcsnap"];
        assert_eq!(done.removed, gone);
        let left: Vec<String> = files(&stick).into_keys().collect();
        let ours = ["notices-1-5.fcsnap", "notices-1-7-from-5.fcsnap", "register-1-2.fcsnap"];
        let mut expected: Vec<&str> = others.into_iter().chain(ours).collect();
        expected.sort_unstable();
        assert_eq!(left, expected);
    }

    #[test]
    fn a_damaged_object_is_named_with_the_package_that_needs_it() {
        let (folder, repository) = a_folder();
        let full = Fake::full(Dataset::Notices, 5);
        publish_fakes(&repository, &mut [full.clone()]).unwrap();
        let check = |hash: [u8; 32], stays: bool| {
            let name = hex(&hash);
            let object = folder.path().join("objects").join(&name[..2]).join(&name);
            let whole = fs::read(&object).unwrap();
            let mut bytes = whole.clone();
            bytes[0] ^= 1;
            for damaged in [&bytes[..], &whole[1..], &[&whole[..], b"x"].concat()] {
                fs::write(&object, damaged).unwrap();
                let stick = a_stick();
                let refused = mirror_to(&repository, 7, &stick).unwrap_err();
                let MirrorError::Package { package, why } = refused else { panic!("{refused:?}") };
                assert_eq!(package, "notices-1-5.fcsnap");
                assert!(
                    matches!(&why, RepositoryError::Damaged { object } if *object == name),
                    "{why:?}"
                );
                // Nothing has the name of a package before it is one.
                let partial = folder_of(stick.path()).join("notices-1-5.fcsnap.partial");
                assert_eq!(partial.exists(), stays);
                assert!(!folder_of(stick.path()).join(package).exists());
            }
            fs::write(&object, whole).unwrap();
        };
        check(full.manifest.chunks[2].hash, true);
        check(full.manifest.inner.hash, false);
        check(sha256(&full.envelopes[0].1), false);
    }

    #[test]
    fn an_index_that_contradicts_the_signed_manifest_is_refused() {
        let (_folder, repository) = a_folder();
        let full = Fake::full(Dataset::Notices, 5);
        publish_fakes(&repository, &mut [full]).unwrap();
        let latest = repository.latest().unwrap().unwrap();
        let check = |change: fn(&mut Entry)| {
            let mut index = latest.index.clone();
            change(&mut index.entries[0]);
            let lock = repository.lock().unwrap();
            repository.replace_latest(Some(&latest), &index, &lock).unwrap();
            let refused = mirror_to(&repository, 7, &a_stick());
            assert!(matches!(refused, Err(MirrorError::Disagrees { .. })), "{refused:?}");
        };
        check(|entry| entry.version.version += 1);
        check(|entry| entry.dataset = Dataset::Register);
        check(|entry| entry.base = Some(1));
        check(|entry| entry.chunks.reverse());
        check(|entry| entry.inner = entry.chunks[0]);
        check(|entry| entry.units[0].1 = entry.chunks[0]);
        check(|entry| entry.units.reverse());
    }

    #[test]
    fn no_link_on_the_stick_leads_the_copy_elsewhere() {
        let (_folder, repository) = a_folder();
        publish_fakes(&repository, &mut [Fake::full(Dataset::Notices, 5)]).unwrap();
        let elsewhere = a_stick();
        let victim = elsewhere.path().join("victim");
        fs::write(&victim, b"untouched").unwrap();
        let check = |prepare: &dyn Fn(&Path)| {
            let stick = a_stick();
            prepare(stick.path());
            let refused = mirror_to(&repository, 7, &stick);
            assert!(matches!(refused, Err(MirrorError::InTheWay { .. })), "{refused:?}");
            assert_eq!(fs::read(&victim).unwrap(), b"untouched");
            assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
        };
        check(&|stick| symlink(elsewhere.path(), stick.join(FOLDER)).unwrap());
        check(&|stick| fs::write(stick.join(FOLDER), b"no folder").unwrap());
        for name in ["notices-1-5.fcsnap", "notices-1-5.fcsnap.partial"] {
            check(&|stick| {
                fs::create_dir(stick.join(FOLDER)).unwrap();
                symlink(&victim, stick.join(FOLDER).join(name)).unwrap();
            });
            check(&|stick| {
                fs::create_dir(stick.join(FOLDER)).unwrap();
                let pipe = stick.join(FOLDER).join(name);
                let mode = Mode::RUSR | Mode::WUSR;
                rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, mode, 0).unwrap();
            });
            check(&|stick| fs::create_dir_all(stick.join(FOLDER).join(name)).unwrap());
        }
    }

    #[test]
    fn room_is_asked_for_before_anything_is_written() {
        let (_folder, repository) = a_folder();
        publish_fakes(&repository, &mut [Fake::full(Dataset::Notices, 5)]).unwrap();
        let stick = a_stick();
        let index = repository.latest().unwrap().unwrap().index;
        let folder = Folder::create(stick.path()).unwrap();
        let plans = || plan(&repository, &index, 7, &Unverified).unwrap();
        let needed = plans()[0].len();
        let refused = copy_all(&repository, &folder, plans(), needed - 1, &mut |_, _| ());
        let Err(MirrorError::NoRoom { needed: told, free }) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!((told, free), (needed, needed - 1));
        assert_eq!(files(&stick), BTreeMap::from([("notices-1-5.fcsnap.partial".into(), vec![])]));
        copy_all(&repository, &folder, plans(), needed, &mut |_, _| ()).unwrap();
    }

    #[test]
    fn what_the_system_says_becomes_what_a_person_can_do() {
        let check = |errno: Errno, code: &str| {
            assert_eq!(MirrorError::from(errno).code(), code, "{errno}");
        };
        check(Errno::NOSPC, "full");
        check(Errno::IO, "gone");
        check(Errno::NODEV, "gone");
        check(Errno::NOENT, "gone");
        check(Errno::ROFS, "read-only");
        check(Errno::NOMEM, "target");
    }

    #[test]
    fn names_are_read_back_only_where_they_are_ours() {
        let version = SnapshotVersion { epoch: 3, version: u64::MAX };
        let package = |base| What::Package { dataset: Dataset::Register, version, base };
        for what in
            [package(None), package(Some(7)), What::Release { app: 2 }, What::Program { app: 2 }]
        {
            assert_eq!(What::of(&what.name()), Some(what));
            assert!(what.name().len() <= carried::MAX_NAME_BYTES / 2);
        }
        for name in [
            "",
            "register-3.fcsnap",
            "register-3-+7.fcsnap",
            "register-3-07.fcsnap",
            "register-3-7",
            "register-3-7.fcsnap.partial",
            "register-3-7-from-.fcsnap",
            "people-3-7.fcsnap",
            "../register-3-7.fcsnap",
            "app-2.fcsnap",
            "app--2.apk",
        ] {
            assert_eq!(What::of(name), None, "{name}");
        }
    }

    #[test]
    fn an_update_comes_with_its_file_and_goes_on_where_it_broke_off() {
        let (folder, repository) = a_folder();
        let file: Vec<u8> = (0..PIECE_BYTES + 999).map(|at| (at % 251) as u8).collect();
        let release = sync_format::v1::message::Release {
            purpose: sync_format::v1::package::Purpose::Demo,
            app: 2,
            label: "0.2".into(),
            made: NOW,
            hash: sha256(&file),
            len: file.len() as u64,
        };
        let encoded = codec::encode(Kind::Release, &release).unwrap();
        let signed =
            sync_format::v1::message::SignedRelease { release: encoded, signatures: Vec::new() };
        let signed = codec::encode(Kind::SignedRelease, &signed).unwrap();
        let release = VerifiedRelease::unchecked(release);
        let mut full = Fake::full(Dataset::Notices, 5);
        let publication = Publication {
            root_chain: &root_chain(1),
            packages: vec![Checked::unchecked(&mut full)],
            update: Some(Update { signed: &signed, release: &release, file: &mut &file[..] }),
            now: NOW,
        };
        publish(&repository, publication, &mut |_, _| ()).unwrap();

        let stick = a_stick();
        let on_stick = folder_of(stick.path());
        fs::create_dir(&on_stick).unwrap();
        fs::write(on_stick.join("app-1.apk"), b"old").unwrap();
        fs::write(on_stick.join("app-2.apk.partial"), &file[..PIECE_BYTES as usize + 7]).unwrap();
        let done = mirror_to(&repository, 7, &stick).unwrap();
        assert_eq!(done.kept, PIECE_BYTES);
        assert_eq!(done.removed, ["app-1.apk"]);
        assert_eq!(files(&stick)["app-2.apk"], file);
        assert_eq!(files(&stick)["app-2.fcrelease"], signed);
        assert_eq!(mirror_to(&repository, 7, &stick).unwrap().copied, 0);

        // A piece that was wrong shows at the end, and everything is fetched anew.
        let mut wrong = file[..PIECE_BYTES as usize].to_vec();
        wrong[0] ^= 1;
        fs::remove_file(on_stick.join("app-2.apk")).unwrap();
        fs::write(on_stick.join("app-2.apk.partial"), &wrong).unwrap();
        assert_eq!(mirror_to(&repository, 7, &stick).unwrap_err().code(), "object-damaged");
        mirror_to(&repository, 7, &stick).unwrap();
        assert_eq!(files(&stick)["app-2.apk"], file);
        drop(folder);
    }
}
