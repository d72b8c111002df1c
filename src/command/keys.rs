//! `fieldcheckctl keys`: who may sign what.
//!
//! In real use each key lives with another person on an offline machine, so that no one of them can
//! make a list alone: `create`, `draft`, `sign` and `finish` are the steps of a ceremony, which
//! `assets/ceremony.md` tells in order. For trials `new` makes one folder with everything, and says
//! what that means.

mod steps;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Subcommand};
use sync_format::codec;
use sync_format::v1::package::{KeySet, Purpose, Root, RootChain, key_id, sha256};
use zeroize::Zeroizing;

use super::files::{self, Readers, hex};
use super::time::Utc;
use crate::clock::{Clock, DeviceTime};
use crate::queue::draw_collect_keys;
use crate::snapshot::keyring::Keyring;

/// How long a root document made here is trusted. Chosen: longer than any trial.
const ROOT_SECONDS: i64 = 5 * 365 * 86_400;

/// Longest file of keys that is read.
const MAX_FILE_BYTES: u64 = 64 * 1024;

const KEYRING: &str = "keyring.txt";
const ROOT: &str = "root.bin";
const COLLECT_PRIVATE: &str = "collect.key";
const COLLECT_PUBLIC: &str = "collect.pub";

#[derive(Subcommand)]
pub(super) enum Command {
    /// For trials: draw all keys into one new folder
    New(NewOptions),
    /// Make one key, sealed with a passphrase; its public half goes beside it
    Create(steps::CreateOptions),
    /// Draft the first root document from public halves
    Draft(steps::DraftOptions),
    /// Draft the next root: add and revoke keys, change thresholds, or only the expiry
    Rotate(steps::RotateOptions),
    /// Draft the next root without one key
    Revoke(steps::RevokeOptions),
    /// Draft the next root with versions of lists and the floor of time beginning anew
    RaiseEpoch(steps::RaiseEpochOptions),
    /// Draft the root that is signed in advance and kept sealed, all of fresh keys
    Emergency(steps::EmergencyOptions),
    /// Show what a draft changes, and sign it with one root key
    Sign(steps::SignOptions),
    /// Check the signatures of a draft and put it at the end of its chain
    Finish(steps::FinishOptions),
    /// Mark a device revoked in the file of devices, so that nothing is sealed to it any more
    RevokeDevice(steps::RevokeDeviceOptions),
    /// Show what is public of a chain or of a folder: roots, roles, thresholds, names of keys
    Show(ShowOptions),
}

#[derive(Args)]
pub(super) struct NewOptions {
    /// Folder to make; it may exist if it is empty
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// What lists under these keys are for; devices for one refuse the other
    #[arg(
        long,
        value_name = "PURPOSE",
        default_value = Purpose::Demo.code(),
        value_parser = PossibleValuesParser::new(Purpose::ALL.iter().map(|purpose| purpose.code()))
            .try_map(|code| code.parse::<Purpose>()),
    )]
    purpose: Purpose,
    /// Epoch of the root document; versions of lists count anew in each
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    epoch: u32,
}

#[derive(Args)]
pub(super) struct ShowOptions {
    /// Chain of roots, or folder of keys for trials
    #[arg(value_name = "CHAIN|DIR")]
    path: PathBuf,
}

pub(super) fn run(command: &Command, clock: &dyn Clock, out: &mut dyn Write) -> anyhow::Result<()> {
    let now = clock.real_time();
    match command {
        Command::New(options) => {
            Keys::create(&options.folder, options.purpose, options.epoch, now)?;
            writeln!(
                out,
                "one person holds all keys now, who can make any list alone: for trials only"
            )?;
            show(&options.folder, out)
        }
        Command::Create(options) => steps::create(options, out),
        Command::Draft(options) => steps::draft(options, now, out),
        Command::Rotate(options) => steps::rotate(options, now, out),
        Command::Revoke(options) => steps::revoke(options, now, out),
        Command::RaiseEpoch(options) => steps::raise_epoch(options, now, out),
        Command::Emergency(options) => steps::emergency(options, now, out),
        Command::Sign(options) => steps::sign(options, now, out),
        Command::Finish(options) => steps::finish(options, now, out),
        Command::RevokeDevice(options) => steps::revoke_device(options, now, out),
        Command::Show(options) if options.path.is_dir() => show(&options.path, out),
        Command::Show(options) => steps::show(&options.path, now, out),
    }
}

fn show(folder: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let public = PublicKeys::read(folder)?;
    let root = &public.root;
    writeln!(out, "{:<18}{}", "hash", hex(&public.root_hash))?;
    let until = Utc(root.expires);
    writeln!(out, "{:<18}{}, epoch {}, until {until}", "purpose", root.purpose, root.epoch)?;
    write_key_set(out, "root", &root.root_keys)?;
    for role in &root.roles {
        write_key_set(out, role.role.code(), &role.keys)?;
    }
    writeln!(out, "{:<18}1 of 1  {}", "collect", hex(&key_id(&public.collect_key)))?;
    Ok(())
}

fn write_key_set(out: &mut dyn Write, role: &str, keys: &KeySet) -> anyhow::Result<()> {
    let ids: Vec<String> = keys.keys.iter().map(|key| hex(&key_id(key))).collect();
    let of = format!("{} of {}", keys.threshold, ids.len());
    writeln!(out, "{role:<18}{of}  {}", ids.join(" "))?;
    Ok(())
}

/// What everybody may know of a folder of keys.
pub(super) struct PublicKeys {
    /// The root document.
    pub root: Root,
    /// SHA-256 of its bytes, by which devices know it.
    pub root_hash: [u8; 32],
    /// The encoded and signed chain that stands in every package.
    pub root_chain: Vec<u8>,
    /// The key that records are sealed to.
    pub collect_key: [u8; 32],
}

impl PublicKeys {
    /// Reads the public part of a folder; the private files are not opened.
    pub(super) fn read(folder: &Path) -> anyhow::Result<PublicKeys> {
        let path = folder.join(ROOT);
        let root_chain = files::read(&path, MAX_FILE_BYTES)?.to_vec();
        let (root, root_hash) =
            decode_root(&root_chain).with_context(|| path.display().to_string())?;
        let collect_key = *read_key(&folder.join(COLLECT_PUBLIC))?;
        Ok(PublicKeys { root, root_hash, root_chain, collect_key })
    }
}

fn decode_root(chain: &[u8]) -> anyhow::Result<(Root, [u8; 32])> {
    let RootChain(chain) = codec::decode(codec::Kind::RootChain, chain)?;
    let Some(newest) = chain.last() else { bail!("the chain holds no root document") };
    let root: Root = codec::decode(codec::Kind::Root, &newest.root)?;
    root.validate()?;
    Ok((root, sha256(&newest.root)))
}

/// All keys of a folder, with those that sign and seal.
pub(super) struct Keys {
    /// The public part.
    pub public: PublicKeys,
    /// The keys that sign.
    pub keyring: Keyring,
}

impl Keys {
    /// Draws keys into a new folder.
    pub(super) fn create(
        folder: &Path,
        purpose: Purpose,
        epoch: u32,
        now: DeviceTime,
    ) -> anyhow::Result<Keys> {
        files::make_empty_folder(folder)?;
        let keyring = Keyring::generate()?;
        let root = keyring.root(purpose, epoch, now.0, now.plus_seconds(ROOT_SECONDS).0)?;
        let root_chain = keyring.sign_root(root)?;
        let (collect_private, collect_public) = draw_collect_keys();

        let write_key = |name: &str, key: &[u8; 32], readers: Readers| {
            let text = Zeroizing::new(hex(key) + "\n");
            files::write_new(&folder.join(name), text.as_bytes(), readers)
        };
        let text = keyring.to_text();
        files::write_new(&folder.join(KEYRING), text.as_bytes(), Readers::Owner)?;
        write_key(COLLECT_PRIVATE, &collect_private, Readers::Owner)?;
        write_key(COLLECT_PUBLIC, &collect_public, Readers::All)?;
        files::write_new(&folder.join(ROOT), &root_chain, Readers::All)?;
        Ok(Keys { public: PublicKeys::read(folder)?, keyring })
    }

    /// Reads a folder of keys.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Keys> {
        if !fs::metadata(folder).with_context(|| folder.display().to_string())?.is_dir() {
            bail!("{}: this is a file, not a folder of keys", folder.display());
        }
        let path = folder.join(KEYRING);
        let bytes = files::read(&path, MAX_FILE_BYTES)?;
        let keyring = std::str::from_utf8(&bytes)
            .map_err(|_| anyhow!("the keyring is no text"))
            .and_then(|text| Ok(Keyring::from_text(text)?))
            .with_context(|| path.display().to_string())?;
        Ok(Keys { public: PublicKeys::read(folder)?, keyring })
    }
}

fn read_key(path: &Path) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    let bytes = files::read(path, MAX_FILE_BYTES)?;
    files::parse_hex(&bytes)
        .with_context(|| format!("{}: this is no key of 64 hexadecimal digits", path.display()))
}
