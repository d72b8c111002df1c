//! `fieldcheckctl withdraw`: takes notices away before the next list comes, by one QR code on paper.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, Subcommand};
use image::{GrayImage, Luma};
use qrcode::{Color, EcLevel, QrCode};
use sync_format::codec::{self, Kind};
use sync_format::v1::message::{SignedWithdrawal, Withdrawal};
use sync_format::v1::package::{Domain, Role, SnapshotVersion};

use super::card;
use super::files;
use super::private_key::KeyOptions;
use super::root;
use super::unlock::DeviceOptions;
use crate::camera::decode;
use crate::clock::Clock;
use crate::snapshot::keyfile::KeyRole;
use crate::snapshot::withdrawal;

/// Pixels of a module, and modules of the quiet zone (ISO/IEC 18004 wants four).
const MODULE: u32 = 8;
const QUIET_ZONE: u32 = 4;

/// Longest text with a withdrawal that is read.
const MAX_TEXT_BYTES: u64 = 16 * 1024;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// Make the QR code of a signed withdrawal, and print its line of text
    #[arg(long, value_name = "WITHDRAWAL", requires_all = ["out", "root"])]
    qr: Option<PathBuf>,
    /// Root chain to verify it under, as devices will
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// Picture to write
    #[arg(long, value_name = "FILE.png")]
    out: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Write a draft that an author and an approver are to sign
    New(NewOptions),
    /// Sign a draft with one key; the file is replaced
    Sign(SignOptions),
    /// Take the notices away on a device
    Apply(ApplyOptions),
}

#[derive(Args)]
struct NewOptions {
    /// Order numbers of the notices, at most 64
    #[arg(long, value_name = "ID", value_delimiter = ',', required = true)]
    notices: Vec<u64>,
    /// Epoch and version of the newest list published, such as 1.317
    #[arg(long, value_name = "E.V", value_parser = parse_version)]
    version: SnapshotVersion,
    /// Root chain that devices trust
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    /// Draft to write
    #[arg(long, value_name = "DRAFT")]
    out: PathBuf,
}

#[derive(Args)]
struct SignOptions {
    /// Draft
    #[arg(value_name = "DRAFT")]
    draft: PathBuf,
    #[command(flatten)]
    key: KeyOptions,
}

#[derive(Args)]
struct ApplyOptions {
    #[command(flatten)]
    device: DeviceOptions,
    /// The line `FCW1:…`, a file with it, or a picture of its QR code
    #[arg(value_name = "LINE|FILE")]
    withdrawal: String,
}

pub(super) fn run(
    options: &Options,
    clock: Arc<dyn Clock>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match (&options.command, &options.qr) {
        (Some(Command::New(options)), _) => new(options, &*clock, out),
        (Some(Command::Sign(options)), _) => sign(options, out),
        (Some(Command::Apply(options)), _) => apply(options, clock, out),
        (None, Some(signed)) => {
            let (Some(root), Some(picture)) = (&options.root, &options.out) else {
                bail!("--qr needs --root and --out");
            };
            qr(signed, root, picture, &*clock, out)
        }
        (None, None) => bail!("nothing to do: name a subcommand, or --qr"),
    }
}

fn new(options: &NewOptions, clock: &dyn Clock, out: &mut dyn Write) -> anyhow::Result<()> {
    let now = clock.real_time();
    let (_, trusted) = root::read(&options.root, now)?;
    let mut notices = options.notices.clone();
    notices.sort_unstable();
    notices.dedup();
    let epoch = trusted.root().epoch;
    if options.version.epoch != epoch {
        bail!("the root is of epoch {epoch}, so no list of another is in use");
    }
    let (purpose, version) = (trusted.purpose(), options.version);
    let withdrawal = Withdrawal { purpose, version, made: now.0, notices };
    withdrawal.validate()?;
    let withdrawal = codec::encode(Kind::Withdrawal, &withdrawal)?;
    let draft = SignedWithdrawal { withdrawal, signatures: Vec::new() };
    let draft = codec::encode(Kind::SignedWithdrawal, &draft)?;
    files::write_whole(&options.out, &draft, false)?;
    write_facts(out, &draft)
}

fn sign(options: &SignOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut draft = read(&options.draft)?;
    let key_file = options.key.read()?;
    match key_file.public().role() {
        KeyRole::Of(Role::NoticesAuthor | Role::NoticesApprover) => {}
        other => bail!("a key of {} does not withdraw notices", other.code()),
    }
    let id = key_file.public().id();
    if draft.signatures.iter().any(|signature| signature.key_id == id) {
        bail!("{}: this key has signed it already", options.draft.display());
    }
    // Who signs sees what, before the passphrase is asked for.
    write_facts(out, &codec::encode(Kind::SignedWithdrawal, &draft)?)?;
    let key = options.key.open(&key_file)?;
    draft.signatures.push(key.sign(Domain::Withdrawal, &draft.withdrawal));
    let signed = codec::encode(Kind::SignedWithdrawal, &draft)?;
    files::write_whole(&options.draft, &signed, true)?;
    writeln!(out, "signed     as {}", key_file.public().role().code())?;
    Ok(())
}

fn qr(
    signed: &Path,
    root: &Path,
    picture: &Path,
    clock: &dyn Clock,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let (_, trusted) = root::read(root, clock.real_time())?;
    let bytes = codec::encode(Kind::SignedWithdrawal, &read(signed)?)?;
    withdrawal::verify(&bytes, trusted.root(), trusted.purpose(), trusted.time())
        .with_context(|| signed.display().to_string())?;
    let line = withdrawal::text(&bytes);
    files::write_whole(picture, &draw(&line)?, false)?;
    writeln!(out, "{line}")?;
    Ok(())
}

fn apply(options: &ApplyOptions, clock: Arc<dyn Clock>, out: &mut dyn Write) -> anyhow::Result<()> {
    let line = read_line(&options.withdrawal)?;
    let signed = withdrawal::parse(&line).context("this is no withdrawal")?;
    let (_device, mut session) = options.device.unlock(clock)?;
    let withdrew = session.withdraw(&signed);
    session.log_lock()?;
    let withdrew = withdrew.context("the withdrawal was refused")?;
    let named = super::counted(withdrew.named as u64, "notice");
    writeln!(out, "withdrawn  {named}, {} of them new", withdrew.new)?;
    Ok(())
}

/// Returns the line that is given, or that stands in a file or in a QR code of a picture.
fn read_line(given: &str) -> anyhow::Result<String> {
    if given.get(..5).is_some_and(|prefix| prefix.eq_ignore_ascii_case("FCW1:")) {
        return Ok(given.to_owned());
    }
    let path = Path::new(given);
    let is_picture = path.extension().is_some_and(|extension| {
        ["png", "jpg", "jpeg"].iter().any(|picture| extension.eq_ignore_ascii_case(picture))
    });
    if !is_picture {
        let bytes = files::read(path, MAX_TEXT_BYTES)?;
        return String::from_utf8(bytes.to_vec())
            .map_err(|_| anyhow!("{}: this is no text", path.display()));
    }
    let frame = card::open_picture(path).with_context(|| path.display().to_string())?;
    let mut lines = decode::payloads(&frame)
        .into_iter()
        .filter_map(|payload| String::from_utf8(payload.bytes).ok())
        .filter(|text| text.starts_with("FCW1:"));
    match (lines.next(), lines.next()) {
        (Some(line), None) => Ok(line),
        (None, _) => bail!("{}: there is no withdrawal in this picture", path.display()),
        (Some(_), Some(_)) => bail!("{}: there are several withdrawals in it", path.display()),
    }
}

fn read(path: &Path) -> anyhow::Result<SignedWithdrawal> {
    let bytes = files::read(path, Kind::SignedWithdrawal.max_bytes() as u64)?;
    codec::decode(Kind::SignedWithdrawal, &bytes)
        .with_context(|| format!("{}: this is no withdrawal", path.display()))
}

fn write_facts(out: &mut dyn Write, signed: &[u8]) -> anyhow::Result<()> {
    let signed: SignedWithdrawal = codec::decode(Kind::SignedWithdrawal, signed)?;
    let withdrawal: Withdrawal = codec::decode(Kind::Withdrawal, &signed.withdrawal)?;
    let SnapshotVersion { epoch, version } = withdrawal.version;
    let ids: Vec<String> = withdrawal.notices.iter().map(ToString::to_string).collect();
    writeln!(out, "withdraws  {} of lists up to {epoch}.{version}", ids.join(", "))?;
    writeln!(out, "purpose    {}", withdrawal.purpose)?;
    Ok(())
}

/// Reads `1.317`.
fn parse_version(text: &str) -> Result<SnapshotVersion, &'static str> {
    let read = || {
        let (epoch, version) = text.split_once('.')?;
        Some(SnapshotVersion { epoch: epoch.parse().ok()?, version: version.parse().ok()? })
    };
    read().ok_or("not an epoch and a version, such as 1.317")
}

/// Returns a picture of the line's QR code, to be printed. The line's characters are those of the
/// alphanumeric mode, and what is lost to a fold or a stain is corrected up to 15 %.
fn draw(line: &str) -> anyhow::Result<Vec<u8>> {
    let code = QrCode::with_error_correction_level(line, EcLevel::M)
        .map_err(|_| anyhow!("the withdrawal does not fit a QR code"))?;
    let modules = code.width() as u32;
    let side = (modules + 2 * QUIET_ZONE) * MODULE;
    let picture = GrayImage::from_fn(side, side, |x, y| {
        let module = |at: u32| (at / MODULE).checked_sub(QUIET_ZONE).filter(|at| *at < modules);
        match (module(x), module(y)) {
            (Some(x), Some(y)) if code[(x as usize, y as usize)] == Color::Dark => Luma([0]),
            _ => Luma([255]),
        }
    });
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png)?;
    Ok(png.into_inner())
}

#[cfg(test)]
mod tests {
    use sync_format::v1::package::{Purpose, Signature};

    use super::*;

    /// The largest that is: 64 notices of a register of billions, and two signatures for each role.
    fn the_largest() -> Vec<u8> {
        let withdrawal = Withdrawal {
            purpose: Purpose::Production,
            version: SnapshotVersion { epoch: 70_000, version: 1 << 40 },
            made: 4_000_000_000,
            notices: (0..64).map(|at| 5_000_000_000 + at * 7_919).collect(),
        };
        withdrawal.validate().unwrap();
        let signature = Signature { key_id: [0xA5; 8], bytes: [0x5A; 64] };
        let signed = SignedWithdrawal {
            withdrawal: codec::encode(Kind::Withdrawal, &withdrawal).unwrap(),
            signatures: vec![signature; 2],
        };
        codec::encode(Kind::SignedWithdrawal, &signed).unwrap()
    }

    #[test]
    fn sixty_four_notices_fit_a_kilobyte_and_one_code_that_comes_back_from_its_picture() {
        let signed = the_largest();
        assert!(signed.len() <= 1_000, "{} bytes", signed.len());
        let line = withdrawal::text(&signed);
        let code = QrCode::with_error_correction_level(&line, EcLevel::M).unwrap();
        // Alphanumeric mode: as bytes it would take version 29.
        assert!(code.width() <= 17 + 4 * 25, "{} modules", code.width());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("withdrawal.png");
        std::fs::write(&path, draw(&line).unwrap()).unwrap();
        assert_eq!(read_line(path.to_str().unwrap()).unwrap(), line);
        assert_eq!(withdrawal::parse(&line).unwrap(), signed);
    }

    #[test]
    fn a_line_is_taken_from_the_command_a_text_or_a_picture() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        assert_eq!(read_line("fcw1:abc").unwrap(), "fcw1:abc");
        std::fs::write(at("line.txt"), "FCW1:ABC\n").unwrap();
        assert_eq!(read_line(&at("line.txt")).unwrap(), "FCW1:ABC\n");
        std::fs::write(at("card.png"), draw("048088999901|").unwrap()).unwrap();
        let refused = read_line(&at("card.png")).unwrap_err();
        assert!(refused.to_string().ends_with("there is no withdrawal in this picture"));
        assert!(read_line(&at("nowhere.png")).is_err());
    }

    #[test]
    fn a_version_has_its_epoch() {
        assert_eq!(parse_version("1.317"), Ok(SnapshotVersion { epoch: 1, version: 317 }));
        for text in ["", "317", "1.", ".317", "1.317.2", "1,317"] {
            assert!(parse_version(text).is_err(), "{text}");
        }
    }
}
