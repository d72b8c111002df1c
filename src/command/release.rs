//! `fieldcheckctl release`: signs application updates, of which devices are told.

use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use sha2::{Digest as _, Sha256};
use sync_format::limits::MAX_SIGNED_RELEASE_BYTES;
use sync_format::v1::message::Release;
use sync_format::v1::package::{Domain, Role};

use super::files::{self, hex};
use super::private_key::KeyOptions;
use super::root;
use super::time::Utc;
use crate::clock::Clock;
use crate::snapshot::keyfile::KeyRole;
use crate::snapshot::release;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Sign a program's file
    Sign(SignOptions),
    /// Verify a signed release and show it
    Show(ShowOptions),
}

#[derive(Args)]
pub(super) struct SignOptions {
    /// Number of the program, which packages name as the oldest that may install them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    app: u32,
    /// What people call it, such as 0.2.0
    #[arg(long, value_name = "TEXT")]
    label: String,
    /// The program's file, such as an APK
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Root chain that names who signs releases
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    #[command(flatten)]
    key: KeyOptions,
    /// Signed release to write
    #[arg(long, value_name = "X.fcrelease")]
    out: PathBuf,
}

#[derive(Args)]
pub(super) struct ShowOptions {
    /// Signed release
    #[arg(value_name = "FILE")]
    release: PathBuf,
    /// Root chain to verify it under
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
}

pub(super) fn run(command: &Command, clock: &dyn Clock, out: &mut dyn Write) -> anyhow::Result<()> {
    match command {
        Command::Sign(options) => sign(options, clock, out),
        Command::Show(options) => show(&options.release, &options.root, clock, out),
    }
}

fn sign(options: &SignOptions, clock: &dyn Clock, out: &mut dyn Write) -> anyhow::Result<()> {
    let now = clock.real_time();
    let (_, trusted) = root::read(&options.root, now)?;
    let key_file = options.key.read()?;
    if key_file.public().role() != KeyRole::Of(Role::Release) {
        bail!("a key of {} does not sign releases", key_file.public().role().code());
    }
    let (hash, len) = hash_of(&options.file)?;
    let key = options.key.open(&key_file)?;
    let release = Release {
        purpose: trusted.purpose(),
        app: options.app,
        label: options.label.clone(),
        made: now.0,
        hash,
        len,
    };
    let signed = release::encode(&release, |bytes| key.sign(Domain::Release, bytes))
        .context("label or length of the release cannot be")?;
    // What devices would refuse is not written.
    release::verify(&signed, trusted.root(), trusted.purpose(), trusted.time())
        .with_context(|| options.root.display().to_string())?;
    files::write_whole(&options.out, &signed, false)?;
    write_release(out, &release)
}

fn show(path: &Path, root: &Path, clock: &dyn Clock, out: &mut dyn Write) -> anyhow::Result<()> {
    let (_, trusted) = root::read(root, clock.real_time())?;
    let signed = files::read(path, MAX_SIGNED_RELEASE_BYTES as u64)?;
    let verified = release::verify(&signed, trusted.root(), trusted.purpose(), trusted.time())
        .with_context(|| path.display().to_string())?;
    write_release(out, verified.release())
}

fn write_release(out: &mut dyn Write, release: &Release) -> anyhow::Result<()> {
    writeln!(out, "program    {} ({}), {}", release.app, release.label, release.purpose)?;
    writeln!(out, "made       {}", Utc(release.made))?;
    writeln!(out, "file       {} bytes, SHA-256 {}", release.len, hex(&release.hash))?;
    Ok(())
}

/// Returns hash and length of a file, in memory for a piece at a time.
fn hash_of(path: &Path) -> anyhow::Result<([u8; 32], u64)> {
    let mut file = files::open(path)?;
    let mut digest = Sha256::new();
    let mut piece = vec![0; 1 << 20];
    let mut len = 0;
    loop {
        let read = file.read(&mut piece).with_context(|| path.display().to_string())?;
        if read == 0 {
            return Ok((digest.finalize().into(), len));
        }
        digest.update(&piece[..read]);
        len += read as u64;
    }
}
