//! The steps of a key ceremony, each from files to a file that can be carried to the next machine.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use sync_format::limits::{MAX_ROOT_BYTES, MAX_ROOT_CHAIN_BYTES};
use sync_format::v1::package::{Purpose, Role, Root, key_id};

use super::super::files::{self, Readers, hex};
use super::super::private_key::{self, KeyOptions, PassphraseOptions};
use super::super::time::Utc;
use super::write_key_set;
use crate::clock::DeviceTime;
use crate::document::Date;
use crate::snapshot::ceremony::{
    self, CarriedSignature, Chain, Change, Draft, SeatChange, Team, Term, changes,
};
use crate::snapshot::keyfile::{KeyRole, PublicKey};
use crate::snapshot::units;

/// Longest file of a signature.
const MAX_SIGNATURE_FILE_BYTES: u64 = 1024;

/// Days for which a root is trusted: a year, and a month to make the next one. Chosen.
const ROOT_DAYS: u32 = 396;

/// Days for which an emergency root is trusted: it is made anew with every rotation. Chosen.
const EMERGENCY_DAYS: u32 = 3 * 365;

/// Most days for which a root can be made.
const MAX_ROOT_DAYS: i64 = 3_650;

const DAY_SECONDS: i64 = 86_400;

fn role_parser() -> impl TypedValueParser<Value = KeyRole> {
    PossibleValuesParser::new(KeyRole::all().map(KeyRole::code)).try_map(|code| code.parse())
}

/// Reads `notices-author=2`.
fn parse_role_threshold(text: &str) -> Result<(Role, u8), &'static str> {
    let read = || {
        let (role, threshold) = text.split_once('=')?;
        Some((role.parse().ok()?, threshold.parse().ok()?))
    };
    read().ok_or("not a role and a number, such as notices-author=2")
}

fn days_parser() -> impl TypedValueParser<Value = u32> {
    clap::value_parser!(u32).range(1..=MAX_ROOT_DAYS)
}

#[derive(Args)]
pub(in crate::command) struct CreateOptions {
    /// What the key signs
    #[arg(long, value_name = "ROLE", value_parser = role_parser())]
    role: KeyRole,
    /// File to write; the public half goes beside it, as NAME.pub
    #[arg(long, value_name = "NAME.key")]
    out: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseOptions,
}

/// Who signs, and how many of them.
#[derive(Args)]
pub(in crate::command) struct TeamOptions {
    /// Public halves of all keys
    #[arg(long = "pub", value_name = "FILE", num_args = 1.., required = true)]
    keys: Vec<PathBuf>,
    /// How many root keys must sign a root
    #[arg(long, value_name = "N")]
    threshold: u8,
    /// How many keys of a role must sign, where it is more than one
    #[arg(long = "role-threshold", value_name = "ROLE=N", value_parser = parse_role_threshold)]
    role_thresholds: Vec<(Role, u8)>,
}

/// The root that comes of it.
#[derive(Args)]
pub(in crate::command) struct RootOptions {
    /// Days for which the root is trusted
    #[arg(long, value_name = "DAYS", default_value_t = ROOT_DAYS, value_parser = days_parser())]
    expires_days: u32,
    /// Draft to write
    #[arg(long, value_name = "DRAFT")]
    out: PathBuf,
}

#[derive(Args)]
pub(in crate::command) struct DraftOptions {
    /// What lists under this root are for; devices for one refuse the other
    #[arg(
        long,
        value_name = "PURPOSE",
        value_parser = PossibleValuesParser::new(Purpose::ALL.iter().map(|purpose| purpose.code()))
            .try_map(|code| code.parse::<Purpose>()),
    )]
    purpose: Purpose,
    /// Epoch; versions of lists count anew in each
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    epoch: u32,
    #[command(flatten)]
    team: TeamOptions,
    #[command(flatten)]
    root: RootOptions,
}

#[derive(Args)]
pub(in crate::command) struct RotateOptions {
    /// Chain that the new root follows
    #[arg(long, value_name = "CHAIN")]
    from: PathBuf,
    /// Public halves of keys to add
    #[arg(long, value_name = "FILE", num_args = 1..)]
    add: Vec<PathBuf>,
    /// Keys to take away: their names of 16 digits, or their public halves
    #[arg(long, value_name = "KEY", num_args = 1..)]
    revoke: Vec<PathBuf>,
    /// How many root keys must sign from now on
    #[arg(long, value_name = "N")]
    threshold: Option<u8>,
    /// How many keys of a role must sign from now on
    #[arg(long = "role-threshold", value_name = "ROLE=N", value_parser = parse_role_threshold)]
    role_thresholds: Vec<(Role, u8)>,
    /// Let versions of lists and the devices' floor of time begin anew
    #[arg(long)]
    raise_epoch: bool,
    #[command(flatten)]
    root: RootOptions,
}

#[derive(Args)]
pub(in crate::command) struct RevokeOptions {
    /// Key to take away: its name of 16 digits, or its public half
    #[arg(value_name = "KEY")]
    key: PathBuf,
    /// Chain that the new root follows
    #[arg(long, value_name = "CHAIN")]
    from: PathBuf,
    #[command(flatten)]
    root: RootOptions,
}

#[derive(Args)]
pub(in crate::command) struct RaiseEpochOptions {
    /// Chain that the new root follows
    #[arg(long, value_name = "CHAIN")]
    from: PathBuf,
    #[command(flatten)]
    root: RootOptions,
}

#[derive(Args)]
pub(in crate::command) struct EmergencyOptions {
    /// Chain that the emergency root follows, and the only one
    #[arg(long, value_name = "CHAIN")]
    from: PathBuf,
    #[command(flatten)]
    team: TeamOptions,
    /// Days for which the root is trusted
    #[arg(long, value_name = "DAYS", default_value_t = EMERGENCY_DAYS, value_parser = days_parser())]
    expires_days: u32,
    /// Draft to write
    #[arg(long, value_name = "DRAFT")]
    out: PathBuf,
}

#[derive(Args)]
pub(in crate::command) struct SignOptions {
    /// Draft to sign
    #[arg(value_name = "DRAFT")]
    draft: PathBuf,
    /// Chain that the draft follows: the signer's own copy; a first root follows none
    #[arg(long, value_name = "CHAIN")]
    from: Option<PathBuf>,
    #[command(flatten)]
    key: KeyOptions,
    /// Sign without asking, after what is signed was shown
    #[arg(long)]
    yes: bool,
}

#[derive(Args)]
pub(in crate::command) struct FinishOptions {
    /// Draft that was signed
    #[arg(value_name = "DRAFT")]
    draft: PathBuf,
    /// Signatures [default: all that lie beside the draft, as `keys sign` names them]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    signatures: Vec<PathBuf>,
    /// Chain that the draft follows; a first root follows none
    #[arg(long, value_name = "CHAIN")]
    from: Option<PathBuf>,
    /// Chain to write
    #[arg(long, value_name = "CHAIN")]
    out: PathBuf,
}

#[derive(Args)]
pub(in crate::command) struct RevokeDeviceOptions {
    /// Id of the device, 32 hexadecimal digits
    #[arg(value_name = "DEVICE", value_parser = parse_device)]
    device: [u8; 16],
    /// File of devices, which is changed
    #[arg(long, value_name = "CSV")]
    devices: PathBuf,
}

fn parse_device(text: &str) -> Result<[u8; 16], &'static str> {
    units::parse_device(text).ok_or("not an id of 32 hexadecimal digits")
}

pub(super) fn create(options: &CreateOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    let (public, path) = private_key::create(options.role, &options.out, &options.passphrase)?;
    let named = private_key::named(&public);
    writeln!(out, "{}: the private key {named}; it stays with its holder", options.out.display())?;
    writeln!(out, "{}: the public half, to be handed over", path.display())?;
    Ok(())
}

pub(super) fn draft(
    options: &DraftOptions,
    now: DeviceTime,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let term = term(now, options.root.expires_days);
    let keys = read_publics(&options.team.keys)?;
    let team = options.team.of(&keys);
    let draft = ceremony::first(options.purpose, options.epoch, &team, term)?;
    draft.check(None, now.0)?;
    write_draft(&draft, None, &options.root.out, out)
}

pub(super) fn rotate(
    options: &RotateOptions,
    now: DeviceTime,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let from = read_chain(&options.from)?;
    let add = read_publics(&options.add)?;
    let revoke =
        options.revoke.iter().map(|key| read_key_name(key)).collect::<anyhow::Result<Vec<_>>>()?;
    let change = Change {
        add: &add,
        revoke: &revoke,
        root_threshold: options.threshold,
        thresholds: &options.role_thresholds,
        raise_epoch: options.raise_epoch,
    };
    let draft = ceremony::rotate(&from, &change, term(now, options.root.expires_days))?;
    write_draft(&draft, Some(&from), &options.root.out, out)
}

pub(super) fn revoke(
    options: &RevokeOptions,
    now: DeviceTime,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let from = read_chain(&options.from)?;
    let revoke = [read_key_name(&options.key)?];
    let change = Change { revoke: &revoke, ..Change::default() };
    let draft = ceremony::rotate(&from, &change, term(now, options.root.expires_days))?;
    write_draft(&draft, Some(&from), &options.root.out, out)
}

pub(super) fn raise_epoch(
    options: &RaiseEpochOptions,
    now: DeviceTime,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let from = read_chain(&options.from)?;
    let change = Change { raise_epoch: true, ..Change::default() };
    let draft = ceremony::rotate(&from, &change, term(now, options.root.expires_days))?;
    write_draft(&draft, Some(&from), &options.root.out, out)
}

pub(super) fn emergency(
    options: &EmergencyOptions,
    now: DeviceTime,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let from = read_chain(&options.from)?;
    let keys = read_publics(&options.team.keys)?;
    let team = options.team.of(&keys);
    let draft = ceremony::emergency(&from, &team, term(now, options.expires_days))?;
    write_draft(&draft, Some(&from), &options.out, out)
}

pub(super) fn sign(
    options: &SignOptions,
    now: DeviceTime,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let draft = read_draft(&options.draft)?;
    let from = options.from.as_deref().map(read_chain).transpose()?;
    let in_draft = || options.draft.display().to_string();
    draft.check(from.as_ref(), now.0).with_context(in_draft)?;
    let file = options.key.read()?;
    let in_key = || options.key.key_file.display().to_string();
    draft.may_sign(file.public(), from.as_ref()).with_context(in_key)?;
    let path = signature_path(&options.draft, &hex(&file.public().id()));
    if path.symlink_metadata().is_ok() {
        bail!("{}: the file is there already: this key has signed", path.display());
    }

    explain(&draft, from.as_ref(), out)?;
    writeln!(out, "{:<18}{}", "you sign as", private_key::named(file.public()))?;
    out.flush()?;
    if !options.yes && !private_key::confirm("Do you sign this?")? {
        bail!("nothing was signed");
    }
    let key = options.key.open(&file)?;
    let signature = draft.sign(&key, from.as_ref(), now.0).with_context(in_draft)?;
    let carried = CarriedSignature { draft: draft.hash(), signature };
    files::write_new(&path, carried.to_text().as_bytes(), Readers::All)?;
    writeln!(out, "{}: the signature, to be handed over", path.display())?;
    Ok(())
}

pub(super) fn finish(
    options: &FinishOptions,
    now: DeviceTime,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let draft = read_draft(&options.draft)?;
    let from = options.from.as_deref().map(read_chain).transpose()?;
    let paths = match options.signatures.as_slice() {
        [] => signatures_beside(&options.draft)?,
        named => named.to_vec(),
    };
    let mut signatures = Vec::new();
    for path in &paths {
        let bytes = files::read(path, MAX_SIGNATURE_FILE_BYTES)?;
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        let carried = CarriedSignature::from_text(text).and_then(|carried| carried.of(&draft));
        signatures.push(carried.with_context(|| path.display().to_string())?);
    }
    let chain = draft
        .finish(&signatures, from.as_ref(), now.0)
        .with_context(|| options.draft.display().to_string())?;
    if options.out.symlink_metadata().is_ok() {
        bail!("{}: the file is there already; a chain gets a new name", options.out.display());
    }
    files::write_whole(&options.out, &chain.to_bytes()?, false)?;
    writeln!(
        out,
        "{}: {}, {} under the newest",
        options.out.display(),
        super::super::counted(chain.roots().count() as u64, "root"),
        super::super::counted(signatures.len() as u64, "signature"),
    )?;
    writeln!(out, "{:<18}{}", "hash to pin", hex(&draft.hash()))?;
    Ok(())
}

/// Marks a device revoked, so that no list is sealed to it any more.
pub(super) fn revoke_device(
    options: &RevokeDeviceOptions,
    now: DeviceTime,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let in_file = || options.devices.display().to_string();
    let before = files::read(&options.devices, units::MAX_UNITS_FILE_BYTES)?;
    let today = Date::from_days(now.vietnam_day());
    let after = units::revoke(&before, options.device, today).with_context(in_file)?;
    let devices = units::read_devices(after.as_slice()).with_context(in_file)?;
    files::write_whole(&options.devices, &after, true)?;
    let others = devices.iter().filter(|device| device.revoked.is_none()).count();
    let (path, device) = (in_file(), hex(&options.device));
    let others = super::super::counted(others as u64, "device");
    writeln!(out, "{path}: {device} is revoked from {today} on; {others} left to seal to")?;
    Ok(())
}

/// Shows every root of a chain, the newest last.
pub(super) fn show(path: &Path, now: DeviceTime, out: &mut dyn Write) -> anyhow::Result<()> {
    let chain = read_chain(path)?;
    for (root, hash, signatures) in chain.roots() {
        writeln!(out, "root {}", root.root_version)?;
        writeln!(out, "{:<18}{}", "hash", hex(&hash))?;
        let (epoch, until) = (root.epoch, Utc(root.expires));
        writeln!(out, "{:<18}{}, epoch {epoch}, until {until}", "purpose", root.purpose)?;
        write_key_set(out, "root", &root.root_keys)?;
        for role in &root.roles {
            write_key_set(out, role.role.code(), &role.keys)?;
        }
        let signers: Vec<String> =
            signatures.iter().map(|signature| hex(&signature.key_id)).collect();
        writeln!(out, "{:<18}{}", "signed by", signers.join(" "))?;
    }
    let newest = chain.newest();
    if now.0 >= newest.expires {
        writeln!(out, "EXPIRED: devices take nothing under root {}", newest.root_version)?;
    }
    Ok(())
}

impl TeamOptions {
    fn of<'a>(&'a self, keys: &'a [PublicKey]) -> Team<'a> {
        Team { keys, root_threshold: self.threshold, thresholds: &self.role_thresholds }
    }
}

fn term(now: DeviceTime, days: u32) -> Term {
    Term { made: now.0, expires: now.plus_seconds(i64::from(days) * DAY_SECONDS).0 }
}

fn write_draft(
    draft: &Draft,
    from: Option<&Chain>,
    path: &Path,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if path.symlink_metadata().is_ok() {
        bail!("{}: the file is there already; a draft gets a new name", path.display());
    }
    files::write_whole(path, draft.bytes(), false)?;
    explain(draft, from, out)?;
    writeln!(out, "{}: the draft, to be signed", path.display())?;
    Ok(())
}

/// Says in plain words what whoever signs this draft makes true.
fn explain(draft: &Draft, from: Option<&Chain>, out: &mut dyn Write) -> anyhow::Result<()> {
    let root = draft.root();
    let before = from.map(Chain::newest);
    let version = root.root_version;
    match before {
        None => writeln!(out, "root {version}, the first of its chain")?,
        Some(before) => writeln!(out, "root {version}, after root {}", before.root_version)?,
    }
    writeln!(out, "{:<18}{}", "purpose", root.purpose)?;
    match before {
        Some(before) if before.epoch != root.epoch => writeln!(
            out,
            "{:<18}{} -> {}: versions of lists and the devices' floor of time begin anew",
            "epoch", before.epoch, root.epoch
        )?,
        _ => writeln!(out, "{:<18}{}", "epoch", root.epoch)?,
    }
    writeln!(out, "{:<18}{}", "made", Utc(root.made))?;
    writeln!(out, "{:<18}{}", "expires", Utc(root.expires))?;
    for seat in changes(before, root) {
        explain_seat(&seat, before.is_some(), out)?;
    }
    for needed in [Role::NoticesAuthor, Role::NoticesApprover, Role::Register, Role::Anchors] {
        if root.keys_of(needed).is_none() {
            writeln!(out, "{needed:<18}nobody: devices take no list that this role must sign")?;
        }
    }
    if root.root_keys.threshold == 1 {
        writeln!(out, "NOTE: one root key alone can change everything")?;
    }
    for (signers, role) in signers_needed(before, root) {
        writeln!(out, "{:<18}{signers}", role)?;
    }
    writeln!(out, "{:<18}{}", "hash", hex(&draft.hash()))?;
    Ok(())
}

/// Whose signatures make the draft a root.
fn signers_needed(before: Option<&Root>, root: &Root) -> Vec<(String, &'static str)> {
    let of = |root: &Root| {
        let ids: Vec<String> = root.root_keys.keys.iter().map(|key| hex(&key_id(key))).collect();
        format!("{} of {}", root.root_keys.threshold, ids.join(" "))
    };
    match before {
        None => vec![(of(root), "to be signed by")],
        Some(before) if before.root_keys == root.root_keys => vec![(of(root), "to be signed by")],
        Some(before) => vec![(of(before), "to be signed by"), (of(root), "and by")],
    }
}

fn explain_seat(seat: &SeatChange, compare: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let keys = seat.kept.len() + seat.added.len();
    let keys_before = seat.kept.len() + seat.revoked.len();
    let was = match seat.threshold_before {
        Some(before) if (before, keys_before) != (seat.threshold, keys) => {
            format!(", was {before} of {keys_before}")
        }
        None if compare => ", new".to_owned(),
        _ => String::new(),
    };
    writeln!(out, "{:<18}{} of {keys}{was}", seat.role.code(), seat.threshold)?;
    let words = if compare { ["stays", "ADDED", "REVOKED"] } else { ["", "key", ""] };
    for (word, ids) in words.iter().zip([&seat.kept, &seat.added, &seat.revoked]) {
        for id in ids {
            writeln!(out, "  {word:<16}{}", hex(id))?;
        }
    }
    Ok(())
}

fn read_chain(path: &Path) -> anyhow::Result<Chain> {
    let bytes = files::read(path, MAX_ROOT_CHAIN_BYTES as u64)?;
    Chain::read(&bytes).with_context(|| path.display().to_string())
}

fn read_draft(path: &Path) -> anyhow::Result<Draft> {
    let bytes = files::read(path, MAX_ROOT_BYTES as u64)?;
    Draft::read(&bytes).with_context(|| path.display().to_string())
}

fn read_publics(paths: &[PathBuf]) -> anyhow::Result<Vec<PublicKey>> {
    paths.iter().map(|path| private_key::read_public(path)).collect()
}

/// Reads the name of a key: 16 hexadecimal digits, or the file of its public half.
fn read_key_name(text: &Path) -> anyhow::Result<[u8; 8]> {
    let digits = text.to_str().filter(|text| text.len() == 16 && !text.contains(['/', '.']));
    match digits {
        Some(digits) => {
            let number = u64::from_str_radix(digits, 16)
                .map_err(|_| anyhow!("{digits}: this is no name of a key of 16 digits"))?;
            Ok(number.to_be_bytes())
        }
        None => Ok(private_key::read_public(text)?.id()),
    }
}

/// `root-1.draft` signed by a key is `root-1.draft.<key>.sig`.
fn signature_path(draft: &Path, key: &str) -> PathBuf {
    let mut name = draft.as_os_str().to_owned();
    name.push(format!(".{key}.sig"));
    name.into()
}

/// Returns the signatures that lie beside a draft, by their names.
fn signatures_beside(draft: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let name = draft.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let folder = match draft.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let is_signature = |entry: &fs::DirEntry| {
        let found = entry.file_name();
        let found = found.to_str().and_then(|found| found.strip_prefix(name)?.strip_prefix('.'));
        let key = found.and_then(|rest| rest.strip_suffix(".sig"));
        key.is_some_and(|key| key.len() == 16)
    };
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut found: Vec<PathBuf> = entries
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| folder.display().to_string())?
        .iter()
        .filter(|entry| is_signature(entry))
        .map(|entry| folder.join(entry.file_name()))
        .collect();
    found.sort();
    if found.is_empty() {
        bail!("{}: no signature lies beside the draft; let it be signed first", draft.display());
    }
    Ok(found)
}
