//! Writes small files so that a power cut leaves the old or the new one, never a mixture.
//!
//! Assumes: Unix (Linux, Android), and a file system that orders a rename after the fsync of what
//! is renamed; ext4 and F2FS do.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Owner may read and write, nobody else anything.
const OWNER_ONLY: u32 = 0o600;

/// Returns `path` with `suffix` behind its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Reads a file of at most `cap` bytes, and one byte more of a longer one, so that a caller who
/// expects a length sees that it does not fit.
pub(super) fn read_capped(path: &Path, cap: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(cap + 1);
    File::open(path)?.take(cap as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Replaces the file at `path` by one with `bytes`: written aside, flushed, renamed, and the
/// directory flushed. It has reached the disk when this returns.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = aside(path);
    // What a crash has left. Removed, not opened: it could be a link to somewhere else.
    remove_if_there(&aside)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    sync_directory_of(path)
}

/// Overwrites the file at `path` in place with `bytes`, and what a crash has left beside it.
///
/// In place, so that the blocks themselves are written over where the medium allows it. Flash moves
/// blocks, so an earlier copy may survive in the spare area: what protects that one is the device
/// key alone.
pub(super) fn overwrite(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.write_all(bytes)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()?;
    remove_if_there(&aside(path))?;
    sync_directory_of(path)
}

/// Waits for the exclusive lock at `path`; it is held until the returned file is dropped.
pub(super) fn lock(path: &Path) -> io::Result<File> {
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(OWNER_ONLY).open(path)?;
    file.lock()?;
    Ok(file)
}

fn aside(path: &Path) -> PathBuf {
    beside(path, ".new")
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sync_directory_of(path: &Path) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn replacing_leaves_one_file_that_only_its_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        replace(&path, b"old").unwrap();
        replace(&path, b"newer").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"newer");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_crash_left_beside_is_neither_followed_nor_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let (path, victim) = (folder.path().join("vault"), folder.path().join("victim"));
        fs::write(&victim, b"untouched").unwrap();
        symlink(&victim, aside(&path)).unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read(&victim).unwrap(), b"untouched");
    }

    #[test]
    fn reading_stops_one_byte_past_the_cap() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        fs::write(&path, [7; 100]).unwrap();
        assert_eq!(read_capped(&path, 10).unwrap(), [7; 11]);
        assert_eq!(read_capped(&path, 100).unwrap(), [7; 100]);
    }

    #[test]
    fn overwriting_changes_the_same_file_and_takes_the_leftover_away() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other_name) = (folder.path().join("vault"), folder.path().join("link"));
        fs::write(&path, b"secret slots").unwrap();
        fs::write(aside(&path), b"secret slots").unwrap();
        fs::hard_link(&path, &other_name).unwrap();
        overwrite(&path, b"gone").unwrap();
        assert_eq!(fs::read(&other_name).unwrap(), b"gone");
        assert!(!aside(&path).exists());
    }

    #[test]
    fn lock_is_exclusive_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = lock(&path).unwrap();
        let second = OpenOptions::new().write(true).open(&path).unwrap();
        assert!(matches!(second.try_lock(), Err(fs::TryLockError::WouldBlock)));
        drop(held);
        second.try_lock().unwrap();
    }
}
