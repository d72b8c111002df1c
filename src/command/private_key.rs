//! Opens a private key with the passphrase from `--passphrase-file`, and makes new ones.
//!
//! At a terminal the passphrase is asked for and not shown while it is typed, and a new one twice:
//! a key whose passphrase was mistyped once is lost.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::files::{self, Readers, hex};
use super::unlock::is_standard_input;
use crate::keys::ArgonCost;
use crate::snapshot::keyfile::{
    KeyFile, KeyRole, MAX_KEY_FILE_BYTES, Passphrase, PrivateKey, PublicKey,
};

/// Which private key, and where its passphrase stands.
#[derive(Args)]
pub(super) struct KeyOptions {
    /// File of the private key, as `keys create` wrote it
    #[arg(long = "key", value_name = "FILE")]
    pub key_file: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseOptions,
}

/// Where a passphrase stands.
#[derive(Args)]
pub(super) struct PassphraseOptions {
    /// File whose first line is the passphrase; `-` for standard input
    #[arg(long, value_name = "FILE")]
    passphrase_file: PathBuf,
}

impl KeyOptions {
    /// Reads the key file; nothing is asked for yet.
    pub(super) fn read(&self) -> anyhow::Result<KeyFile> {
        read_key_file(&self.key_file)
    }

    /// Opens a key file that was read.
    pub(super) fn open(&self, file: &KeyFile) -> anyhow::Result<PrivateKey> {
        let passphrase =
            self.passphrase.read(&format!("passphrase of {}", self.key_file.display()))?;
        file.open(&passphrase).with_context(|| self.key_file.display().to_string())
    }
}

impl PassphraseOptions {
    fn read(&self, prompt: &str) -> anyhow::Result<Passphrase> {
        if !is_standard_input(&self.passphrase_file) {
            return Passphrase::from_reader(files::open(&self.passphrase_file)?)
                .with_context(|| self.passphrase_file.display().to_string());
        }
        let quiet = Quiet::begin(prompt)?;
        let passphrase = Passphrase::from_reader(standard_input()?).context("standard input");
        drop(quiet);
        passphrase
    }

    fn read_new(&self) -> anyhow::Result<Passphrase> {
        let passphrase = self.read("new passphrase, at least 12 characters")?;
        let typed = is_standard_input(&self.passphrase_file) && io::stdin().is_terminal();
        if typed && self.read("once more")? != passphrase {
            bail!("the two passphrases differ; nothing was made");
        }
        Ok(passphrase)
    }
}

/// Draws a key into a new file, and writes its public half beside it; returns where that is.
pub(super) fn create(
    role: KeyRole,
    path: &Path,
    options: &PassphraseOptions,
) -> anyhow::Result<(PublicKey, PathBuf)> {
    let public_path = public_path(path);
    for path in [path, &public_path] {
        if path.symlink_metadata().is_ok() {
            bail!("{}: the file is there already, and no key is ever written over", path.display());
        }
    }
    let passphrase = options.read_new()?;
    let sealed = PrivateKey::draw(role)?.seal(&passphrase, ArgonCost::default())?;
    files::write_new(path, sealed.to_text().as_bytes(), Readers::Owner)?;
    // A key is made once and needed for years: what was written must open.
    let public = read_key_file(path)?
        .open(&passphrase)
        .with_context(|| format!("{}: what was written does not open", path.display()))?
        .public();
    files::write_new(&public_path, public.to_text().as_bytes(), Readers::All)?;
    Ok((public, public_path))
}

/// Reads a public half.
pub(super) fn read_public(path: &Path) -> anyhow::Result<PublicKey> {
    let bytes = files::read(path, MAX_KEY_FILE_BYTES)?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    PublicKey::from_text(text).with_context(|| path.display().to_string())
}

/// Asks on standard error, and says whether the line that comes back is `yes`.
#[expect(clippy::unbuffered_bytes, reason = "what follows the line belongs to the next reader")]
pub(super) fn confirm(question: &str) -> anyhow::Result<bool> {
    eprint!("{question} Type yes: ");
    io::stderr().flush()?;
    let mut line = Vec::new();
    for byte in standard_input()?.bytes() {
        match byte? {
            b'\n' => break,
            byte => line.push(byte),
        }
        // The line of a person is short; what is longer is no answer.
        if line.len() > 16 {
            return Ok(false);
        }
    }
    Ok(line.trim_ascii_end() == b"yes")
}

/// Standard input without the buffer that the standard library puts before it: that one is never
/// wiped, and keeps what was typed until the program ends.
fn standard_input() -> io::Result<File> {
    Ok(io::stdin().as_fd().try_clone_to_owned()?.into())
}

/// `NAME.key` has its public half in `NAME.pub`; any other name gets `.pub` behind it.
fn public_path(path: &Path) -> PathBuf {
    match path.extension() {
        Some(extension) if extension == "key" => path.with_extension("pub"),
        _ => {
            let mut name = path.as_os_str().to_owned();
            name.push(".pub");
            name.into()
        }
    }
}

/// Reads a key file that nobody but its owner may read.
fn read_key_file(path: &Path) -> anyhow::Result<KeyFile> {
    let file = files::open(path)?;
    let read = || -> anyhow::Result<KeyFile> {
        let mode = file.metadata()?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            bail!(
                "others may read this private key (mode {mode:03o}); run `chmod 600` on it, and \
                 revoke it where others work on this machine"
            );
        }
        let mut text = Zeroizing::new(String::with_capacity(MAX_KEY_FILE_BYTES as usize));
        (&file)
            .take(MAX_KEY_FILE_BYTES)
            .read_to_string(&mut text)
            .map_err(|_| anyhow!("this is no key file"))?;
        Ok(KeyFile::from_text(&text)?)
    };
    read().with_context(|| path.display().to_string())
}

/// The terminal shows nothing of what is typed while this lives.
struct Quiet(Option<Termios>);

impl Quiet {
    /// Asks, and stops the echo, where standard input is a terminal.
    fn begin(prompt: &str) -> anyhow::Result<Quiet> {
        if !io::stdin().is_terminal() {
            return Ok(Quiet(None));
        }
        eprint!("{prompt}: ");
        io::stderr().flush()?;
        let before = tcgetattr(io::stdin()).map_err(io::Error::from)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Now, &quiet).map_err(io::Error::from)?;
        Ok(Quiet(Some(before)))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // Where the terminal has gone there is nobody to show anything.
            tcsetattr(io::stdin(), OptionalActions::Now, before).unwrap_or_default();
            eprintln!();
        }
    }
}

/// Returns how a key is named to people: what it is for, and its short name.
pub(super) fn named(key: &PublicKey) -> String {
    format!("{} {}", key.role(), hex(&key.id()))
}
