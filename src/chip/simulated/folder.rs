//! A simulated card as a folder: its files by their names, and `card.txt` with all else.
//!
//! ```text
//! # A simulated card. No secret in it protects anybody.
//! zone = 088999901 880302 280302
//! can = 999901
//! bac = yes
//! active = p256 48088999901
//! agreement = aes-128 48088999901
//! fault = cut 17
//! ```
//!
//! `zone` and `can` open the card; without a line `can`, or with `bac = no`, that way is shut. The
//! numbers of `active` and `agreement` are the seeds of the chip's keys: a card without these lines
//! is a copy. `fault` may stand several times, see [`Fault`].

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use thiserror::Error;

use super::contents::{Contents, file_of_name};
use super::fault::{Fault, NoSuchFault};
use super::keys::Active;
use crate::chip::symmetric::Cipher;

/// The file beside those of the chip.
const CARD: &str = "card.txt";

/// The longest file that is read: longer ones are no chip's. Endless ones are a [`Fault`].
const LONGEST: u64 = 1 << 20;

/// Why a folder is no card.
#[derive(Debug, Error)]
pub enum FolderError {
    /// The system's error.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
    /// A file that is longer than any on a chip.
    #[error("{}: longer than any file of a chip", .0.display())]
    TooLong(PathBuf),
    /// A line of `card.txt` that says nothing.
    #[error("card.txt, line {line}: {why}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// Why.
        why: &'static str,
    },
    /// `card.txt` lacks the line `zone`.
    #[error("card.txt says no `zone`")]
    NoZone,
}

/// Writes a card into a folder, which must be there.
///
/// # Errors
///
/// [`FolderError::Io`].
pub fn write(folder: &Path, contents: &Contents, faults: &[Fault]) -> Result<(), FolderError> {
    let save = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, bytes).map_err(|source| FolderError::Io { path, source })
    };
    for (file, bytes) in &contents.files {
        save(&file.to_string(), bytes)?;
    }
    save(CARD, describe(contents, faults).as_bytes())
}

fn describe(contents: &Contents, faults: &[Fault]) -> String {
    let mut text = "# A simulated card. No secret in it protects anybody.\n".to_owned();
    let mut line = |key: &str, value: &str| {
        // A string takes everything.
        writeln!(text, "{key} = {value}").unwrap_or_default();
    };
    line("zone", &contents.zone_key.join(" "));
    if !contents.can.is_empty() {
        line("can", &contents.can);
    }
    line("bac", if contents.has_bac { "yes" } else { "no" });
    if let Some((active, seed)) = contents.active {
        line("active", &format!("{} {seed}", active.code()));
    }
    if let Some((cipher, seed)) = contents.agreement {
        line("agreement", &format!("{} {seed}", cipher.code()));
    }
    for fault in faults {
        line("fault", &fault.to_string());
    }
    text
}

/// Reads the card in a folder. Files with other names are passed over.
///
/// # Errors
///
/// A [`FolderError`].
pub fn read(folder: &Path) -> Result<(Contents, Vec<Fault>), FolderError> {
    let failed = |path: &Path, source| FolderError::Io { path: path.to_owned(), source };
    let load = |path: PathBuf| -> Result<Vec<u8>, FolderError> {
        let length = fs::metadata(&path).map_err(|error| failed(&path, error))?.len();
        if length > LONGEST {
            return Err(FolderError::TooLong(path));
        }
        fs::read(&path).map_err(|error| failed(&path, error))
    };
    let text = load(folder.join(CARD))?;
    let (mut contents, faults) = parse(&String::from_utf8_lossy(&text))?;
    for entry in fs::read_dir(folder).map_err(|error| failed(folder, error))? {
        let entry = entry.map_err(|error| failed(folder, error))?;
        if let Some(file) = entry.file_name().to_str().and_then(file_of_name) {
            contents.files.insert(file, load(entry.path())?);
        }
    }
    Ok((contents, faults))
}

fn parse(text: &str) -> Result<(Contents, Vec<Fault>), FolderError> {
    let mut zone_key = None;
    let mut contents = Contents {
        files: BTreeMap::new(),
        zone_key: Default::default(),
        can: String::new(),
        has_bac: true,
        active: None,
        agreement: None,
    };
    let mut faults = Vec::new();
    for (at, text) in text.lines().enumerate() {
        let wrong = |why| FolderError::Line { line: at + 1, why };
        if text.trim().is_empty() || text.starts_with('#') {
            continue;
        }
        let (key, value) = text.split_once('=').ok_or(wrong("no `key = value`"))?;
        let words: Vec<&str> = value.split_whitespace().collect();
        match (key.trim(), &words[..]) {
            ("zone", [number, birth, expiry]) => {
                zone_key = Some([*number, *birth, *expiry].map(str::to_owned));
            }
            ("can", [can]) => contents.can = (*can).to_owned(),
            ("bac", ["yes"]) => contents.has_bac = true,
            ("bac", ["no"]) => contents.has_bac = false,
            ("active", [kind, seed]) => {
                let kind = [Active::P256, Active::Rsa].into_iter().find(|it| it.code() == *kind);
                let kind = kind.ok_or(wrong("`active` is `p256` or `rsa`, and a seed"))?;
                contents.active = Some((kind, seed.parse().map_err(|_| wrong("no seed"))?));
            }
            ("agreement", [cipher, seed]) => {
                let cipher = CIPHERS.into_iter().find(|it| it.code() == *cipher);
                let cipher = cipher.ok_or(wrong("`agreement` is a cipher and a seed"))?;
                contents.agreement = Some((cipher, seed.parse().map_err(|_| wrong("no seed"))?));
            }
            ("fault", _) => {
                let fault = value.parse();
                faults.push(fault.map_err(|_: NoSuchFault| wrong("no such fault"))?);
            }
            _ => return Err(wrong("nothing that a card has")),
        }
    }
    contents.zone_key = zone_key.ok_or(FolderError::NoZone)?;
    Ok((contents, faults))
}

const CIPHERS: [Cipher; 4] = [Cipher::TripleDes, Cipher::Aes128, Cipher::Aes192, Cipher::Aes256];

#[cfg(test)]
mod tests {
    use super::super::contents::Making;
    use super::super::holder::Holder;
    use super::super::issuer::{Algorithms, Issuer};
    use super::*;
    use crate::chip::files::FileId;

    fn contents() -> Contents {
        let issuer = Issuer::new(1, Algorithms::Nist);
        Contents::new(&issuer, &Holder::nguyen_van_mau(), &Making::default())
    }

    #[test]
    fn a_card_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let (written, faults) = (contents(), [Fault::Cut { at: 9 }, Fault::NoExtended]);
        write(folder.path(), &written, &faults).expect("written");
        fs::write(folder.path().join("photo.jpg"), b"not of the card").expect("written");
        let (read, read_faults) = read(folder.path()).expect("a card");
        assert_eq!(read.files, written.files);
        assert_eq!((read.zone_key, read.can), (written.zone_key, written.can));
        assert_eq!((read.active, read.agreement), (written.active, written.agreement));
        assert!(read.has_bac);
        assert_eq!(read_faults, faults);
    }

    #[test]
    fn what_a_card_is_made_of_is_told_in_a_text() {
        assert_eq!(
            describe(&contents(), &[Fault::Missing { file: FileId::Dg(13) }]),
            "# A simulated card. No secret in it protects anybody.\n\
             zone = 088999901 880302 280302\n\
             can = 999901\n\
             bac = yes\n\
             active = p256 48088999901\n\
             agreement = aes-128 48088999901\n\
             fault = missing DG13\n"
        );
    }

    #[test]
    fn a_text_that_says_nothing_is_refused_with_its_line() {
        let refusal = |text: &str| parse(text).map(|_| ()).expect_err(text).to_string();
        for (text, why) in [
            ("zone = 1 2 3\ncan 999901", "card.txt, line 2: no `key = value`"),
            ("zone = 1 2", "card.txt, line 1: nothing that a card has"),
            ("# nothing\n\ncan = 999901", "card.txt says no `zone`"),
            ("active = dsa 1", "card.txt, line 1: `active` is `p256` or `rsa`, and a seed"),
            ("agreement = aes-128 x", "card.txt, line 1: no seed"),
            ("fault = burns", "card.txt, line 1: no such fault"),
        ] {
            assert_eq!(refusal(text), why);
        }
    }
}
