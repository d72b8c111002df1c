//! Writes files that are whole or not there, and never over others by accident.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use zeroize::Zeroizing;

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Readers {
    /// Its owner alone: mode 0600.
    Owner,
    /// Everybody, as far as the user's mask allows.
    All,
}

/// Makes the folder, which may be there if it is empty.
pub(super) fn make_empty_folder(folder: &Path) -> anyhow::Result<()> {
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => bail!("{}: the folder is not empty", folder.display()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())
        }
        Err(error) => Err(error).with_context(|| folder.display().to_string()),
    }
}

/// Writes a file that must not be there yet.
pub(super) fn write_new(path: &Path, bytes: &[u8], readers: Readers) -> anyhow::Result<()> {
    let write = || -> io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(mode(readers)).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().with_context(|| path.display().to_string())
}

/// Writes a file by way of another one beside it, so that it is whole or as it was before.
///
/// A file that is there is replaced only with `force`.
pub(super) fn write_whole(path: &Path, bytes: &[u8], force: bool) -> anyhow::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(format!(".{}.partial", std::process::id()));
    let partial = PathBuf::from(partial);
    write_new(&partial, bytes, Readers::All)?;
    let place = || -> io::Result<()> {
        if !force {
            // Claims the name, so that nobody's file that appeared meanwhile is replaced.
            OpenOptions::new().write(true).create_new(true).open(path)?;
        }
        fs::rename(&partial, path)
    };
    place().map_err(|error| {
        // What failed first is the reason; a partial file that stays is named as what it is.
        fs::remove_file(&partial).unwrap_or_default();
        anyhow::Error::new(error).context(path.display().to_string())
    })
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| path.display().to_string())
        }
        _ => Ok(()),
    }
}

/// Opens a file to read; a folder is refused here, since it opens and then cannot be read.
pub(super) fn open(path: &Path) -> anyhow::Result<File> {
    let open = || -> anyhow::Result<File> {
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            bail!("this is a folder, not a file");
        }
        Ok(file)
    };
    open().with_context(|| path.display().to_string())
}

/// Reads a file of at most `limit` bytes.
pub(super) fn read(path: &Path, limit: u64) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let file = open(path)?;
    let read = || -> anyhow::Result<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            bail!("the file is longer than {limit} bytes");
        }
        Ok(bytes)
    };
    read().with_context(|| path.display().to_string())
}

/// Writes bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a key of 64 hexadecimal digits.
pub(super) fn parse_hex(text: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let digits = text.trim_ascii();
    if digits.len() != 64 {
        return None;
    }
    let mut key = Zeroizing::new([0; 32]);
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = (high << 4 | low) as u8;
    }
    Some(key)
}

fn mode(readers: Readers) -> u32 {
    match readers {
        Readers::Owner => 0o600,
        Readers::All => 0o666,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_that_is_there_is_replaced_only_by_force_and_nothing_partial_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        write_whole(&path, b"first", false).unwrap();
        let refused = write_whole(&path, b"second", false).unwrap_err();
        let refused = refused.downcast_ref::<io::Error>().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        write_whole(&path, b"second", true).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_private_file_is_its_owners_from_the_first_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_new(&path, b"secret", Readers::Owner).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(write_new(&path, b"other", Readers::Owner).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"secret");
    }

    #[test]
    fn keys_are_64_hexadecimal_digits() {
        let text = "00ff".repeat(16);
        let key = parse_hex(format!("{text}\n").as_bytes()).unwrap();
        assert_eq!(hex(&*key), text);
        for bad in ["", &text[1..], &text.replace('f', "g"), &format!("{text}0")] {
            assert!(parse_hex(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_folder_is_no_file_and_a_long_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refused = read(folder.path(), 10).unwrap_err();
        assert_eq!(refused.root_cause().to_string(), "this is a folder, not a file");
        let path = folder.path().join("long");
        fs::write(&path, [0; 11]).unwrap();
        let refused = read(&path, 10).unwrap_err();
        assert_eq!(refused.root_cause().to_string(), "the file is longer than 10 bytes");
        assert_eq!(read(&path, 11).unwrap().len(), 11);
    }
}
