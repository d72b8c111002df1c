//! `fieldcheckctl snapshot`: from CSV to a signed package, and back to its facts.

use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use sync_format::codec;
use sync_format::v1::package::seal::Seed;
use sync_format::v1::package::{
    Dataset, Freshness, Manifest, Role, Root, RootChain, SignedManifest, SnapshotVersion, layout,
    sha256,
};
use sync_format::v1::register::{TagKey, region_of};

use super::files::{self, hex};
use super::keys::{Keys, PublicKeys};
use super::progress;
use super::time::{self, Utc};
use crate::clock::{Clock, DeviceTime, TrustedTime};
use crate::snapshot::build::{self, Terms, Unit};
use crate::snapshot::source::{self, SourceError};
use crate::snapshot::{self, Held, Opener, Refusal, Rows, Signed, Snapshot, Trust, Verified};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Build and sign a package from CSV; refused rows are named and nothing is written
    Build(BuildOptions),
    /// Show what a package says of itself, without verifying it
    Inspect(InspectOptions),
    /// Verify a package, every part of it, under a root
    Verify(VerifyOptions),
}

/// What a package can carry today.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Source {
    /// Columns notice, category, code, decision, issuer, decided, valid_to, action, contact, name,
    /// aliases, birth, sex, numbers, caution, marks
    Notices,
    /// Columns number, name, birth, issued, status
    Register,
}

#[derive(Args)]
pub(super) struct BuildOptions {
    /// What the rows are
    #[arg(value_name = "DATASET")]
    source: Source,
    /// Folder of keys to sign with
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// CSV file with a header
    #[arg(long = "in", value_name = "CSV")]
    input: PathBuf,
    /// File of the devices' public keys to seal to, one a line in hexadecimal digits
    #[arg(long, value_name = "FILE")]
    devices: PathBuf,
    /// Package to write; the secret seed that it was built from goes beside it
    #[arg(long = "out", value_name = "FILE")]
    output: PathBuf,
    /// Version; devices take none that is not higher than the one they have
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    version: u64,
    /// Epoch [default: that of the root document]
    #[arg(long, value_name = "N")]
    epoch: Option<u32>,
    /// When the list was made, such as 2026-11-24T06:30:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    created: Option<DeviceTime>,
    /// Days after which it can no longer be installed
    #[arg(long, value_name = "DAYS", default_value_t = EXPIRES_DAYS)]
    expires_days: u32,
    /// Hours for which it counts as fresh
    #[arg(long, value_name = "HOURS", default_value_t = FRESHNESS.fresh_hours)]
    fresh_hours: u32,
    /// Hours after which it no longer says that nothing is on file
    #[arg(long, value_name = "HOURS", default_value_t = FRESHNESS.usable_hours)]
    usable_hours: u32,
    /// Demand the chip for an answer that nothing is on file
    #[arg(long)]
    chip_required: bool,
    /// Replace the package that is there
    #[arg(long)]
    force: bool,
}

#[derive(Args)]
pub(super) struct InspectOptions {
    /// Package
    #[arg(value_name = "FILE")]
    package: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct VerifyOptions {
    /// Package
    #[arg(value_name = "FILE")]
    package: PathBuf,
    /// Folder with the root document to trust; its private files are not opened
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Days until a package expires. Chosen: a month on a stick, and then it is no help any more.
pub(super) const EXPIRES_DAYS: u32 = 30;

/// How long a list answers. Chosen: fresh for a day of duty, usable for a week of patrol.
pub(super) const FRESHNESS: Freshness = Freshness { fresh_hours: 24, usable_hours: 168 };
const _: () = assert!(FRESHNESS.fresh_hours < FRESHNESS.usable_hours);

/// The unit that trials are sealed to.
pub(super) const UNIT: u32 = 1;

fn seed_file(package: &Path) -> PathBuf {
    package.with_extension("seed")
}

pub(super) fn run(command: &Command, clock: &dyn Clock, out: &mut dyn Write) -> anyhow::Result<()> {
    match command {
        Command::Build(options) => build(options, clock, out),
        Command::Inspect(options) => inspect(options, out),
        Command::Verify(options) => verify(options, clock, out),
    }
}

fn build(options: &BuildOptions, clock: &dyn Clock, out: &mut dyn Write) -> anyhow::Result<()> {
    // Told before the work and not after it; `write_whole` makes sure again.
    if !options.force && options.output.exists() {
        bail!("{}: the file is there already; --force replaces it", options.output.display());
    }
    let keys = Keys::read(&options.keys)?;
    let now = clock.real_time();
    let created = options.created.unwrap_or(now);
    let terms = Terms {
        version: SnapshotVersion {
            epoch: options.epoch.unwrap_or(keys.public.root.epoch),
            version: options.version,
        },
        created: created.0,
        expires: created.plus_seconds(i64::from(options.expires_days) * 86_400).0,
        freshness: Freshness {
            fresh_hours: options.fresh_hours,
            usable_hours: options.usable_hours,
        },
        chip_required: options.chip_required,
    };
    let seed = build::draw_seed()?;
    let units = [files::read_unit(&options.devices)?];
    let package = build_package(options.source, &options.input, terms, &keys, &units, &seed, now)?;
    files::write_whole(&options.output, &package.bytes, options.force)?;
    let seed = zeroize::Zeroizing::new(hex(seed.expose()) + "\n");
    files::write_whole(&seed_file(&options.output), seed.as_bytes(), options.force)?;
    let bytes = package.bytes.len();
    writeln!(
        out,
        "{}: {}, {bytes} bytes, {:.2} bytes a row",
        options.output.display(),
        super::counted(package.rows, "row"),
        bytes as f64 / package.rows.max(1) as f64
    )?;
    Ok(())
}

/// A package that a device with these keys' root takes.
pub(super) struct Package {
    /// The file.
    pub bytes: Vec<u8>,
    /// Its rows.
    pub rows: u64,
}

/// Reads a CSV file and builds a package of all its rows, or of none.
///
/// What was built is verified as a device will: nothing leaves headquarters that devices refuse.
pub(super) fn build_package(
    source: Source,
    input: &Path,
    terms: Terms,
    keys: &Keys,
    units: &[Unit],
    seed: &Seed,
    now: DeviceTime,
) -> anyhow::Result<Package> {
    let file = files::open(input)?;
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let bar = progress::bar(length, "reading", "bytes");
    let reader = bar.wrap_read(BufReader::new(file));
    let root_chain = keys.public.root_chain.clone();
    let refused = |error: SourceError| {
        bar.finish_and_clear();
        report_rows(input, &error);
        anyhow::Error::new(error).context(input.display().to_string())
    };
    let draft = match source {
        Source::Notices => {
            let rows = source::read_notices(reader).map_err(refused)?;
            build::notices(&rows, terms, units, seed)
        }
        Source::Register => {
            let key = TagKey::new(*seed.tag_key());
            let rows = source::read_register(reader, &key).map_err(refused)?;
            let mut regions: Vec<u16> = rows.iter().map(|row| region_of(row.number)).collect();
            regions.dedup();
            build::register(rows, &regions, terms, units, seed)
        }
    };
    bar.finish_and_clear();
    let draft = draft.context("the package was not built")?;
    let roles: &[Role] = match source {
        Source::Notices => &[Role::NoticesAuthor, Role::NoticesApprover],
        Source::Register => &[Role::Register],
    };
    let sign = |role: &Role| keys.keyring.sign_manifest(*role, &draft.manifest);
    let signatures = roles.iter().flat_map(sign).collect();
    let bytes = draft.package(UNIT, &root_chain, signatures)?;
    let verified = verify_all(&mut bytes.as_slice(), &keys.public, seed, now, |_, _| ())
        .context("a device would refuse the package")?;
    Ok(Package { bytes, rows: verified.snapshot().inner.rows })
}

fn report_rows(input: &Path, error: &SourceError) {
    if let SourceError::Rows { report, refused, .. } = error {
        for row in report {
            eprintln!("{}: {row}", input.display());
        }
        let more = refused.saturating_sub(report.len() as u64);
        if more > 0 {
            eprintln!("{}: and {more} more", input.display());
        }
    }
}

/// Verifies a package and reads every part of it; `each` is told the rows so far, and of all.
fn verify_all(
    reader: &mut impl Read,
    keys: &PublicKeys,
    seed: &Seed,
    now: DeviceTime,
    mut each: impl FnMut(u64, u64),
) -> Result<Verified<Snapshot>, Refusal> {
    let trust = Trust {
        root_hash: keys.root_hash,
        purpose: keys.root.purpose,
        notices: Held::default(),
        register: Held::default(),
        time: TrustedTime::new(now, now),
        real_time: now,
    };
    let opener = Opener::Headquarters(seed, UNIT);
    let verified = snapshot::verify(Signed::read(reader)?, &trust, opener)?;
    let mut rows = 0;
    for part in 0..verified.chunk_count() {
        rows += match verified.read_rows(part, reader)? {
            Rows::Notices(rows) => rows.len() as u64,
            Rows::Register(rows) => rows.len() as u64,
        };
        each(rows, verified.snapshot().inner.rows);
    }
    verified.expect_end(reader)?;
    Ok(verified)
}

/// What a package says of itself.
#[derive(Serialize)]
struct Facts {
    file: String,
    bytes: u64,
    verified: bool,
    purpose: &'static str,
    root: String,
    dataset: &'static str,
    epoch: u32,
    version: u64,
    created: String,
    expires: String,
    fresh_hours: u32,
    usable_hours: u32,
    chip_required: bool,
    min_app: u32,
    parts: usize,
    /// Envelopes, one a unit.
    units: usize,
    /// Names of the keys that have put a signature on it.
    signed_by: Vec<String>,
}

impl Facts {
    /// Reads the sections before the parts. Believes nothing, and so proves nothing.
    fn read(path: &Path) -> anyhow::Result<Facts> {
        let file = files::open(path)?;
        let bytes = file.metadata().map_or(0, |metadata| metadata.len());
        let read = || -> anyhow::Result<Facts> {
            let sections = layout::read_sections(&mut BufReader::new(file))?;
            let RootChain(chain) = codec::decode(codec::Kind::RootChain, &sections.root_chain)
                .context("the root chain does not decode")?;
            let newest = chain.last().context("the package holds no root document")?;
            let root: Root = codec::decode(codec::Kind::Root, &newest.root)
                .context("the root document does not decode")?;
            let signed: SignedManifest =
                codec::decode(codec::Kind::SignedManifest, &sections.manifest)
                    .context("the signed manifest does not decode")?;
            let manifest: Manifest = codec::decode(codec::Kind::Manifest, &signed.manifest)
                .context("the manifest does not decode")?;
            let signed_by =
                signed.signatures.iter().map(|signature| hex(&signature.key_id)).collect();
            let root = (root.purpose.code(), hex(&sha256(&newest.root)));
            Ok(Facts::of(path, bytes, root, &manifest, signed_by))
        };
        read().with_context(|| path.display().to_string())
    }

    fn of(
        path: &Path,
        bytes: u64,
        (purpose, root): (&'static str, String),
        manifest: &Manifest,
        signed_by: Vec<String>,
    ) -> Facts {
        Facts {
            file: path.display().to_string(),
            bytes,
            verified: false,
            purpose,
            root,
            dataset: manifest.dataset.code(),
            epoch: manifest.version.epoch,
            version: manifest.version.version,
            created: Utc(manifest.created).to_string(),
            expires: Utc(manifest.expires).to_string(),
            fresh_hours: manifest.freshness.fresh_hours,
            usable_hours: manifest.freshness.usable_hours,
            chip_required: manifest.chip_required,
            min_app: manifest.min_app,
            parts: manifest.chunks.len(),
            units: manifest.envelopes.len(),
            signed_by,
        }
    }
}

fn inspect(options: &InspectOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    let facts = Facts::read(&options.package)?;
    if options.json {
        writeln!(out, "{}", serde_json::to_string(&facts)?)?;
        return Ok(());
    }
    writeln!(out, "NOT VERIFIED: anybody can have written this")?;
    write_facts(out, &facts)
}

fn write_facts(out: &mut dyn Write, facts: &Facts) -> anyhow::Result<()> {
    writeln!(out, "dataset    {} {}, epoch {}", facts.dataset, facts.version, facts.epoch)?;
    writeln!(out, "purpose    {}, root {}", facts.purpose, facts.root)?;
    writeln!(out, "created    {}", facts.created)?;
    writeln!(out, "expires    {}", facts.expires)?;
    let chip = if facts.chip_required { ", chip required" } else { "" };
    let (fresh, usable) = (facts.fresh_hours, facts.usable_hours);
    writeln!(out, "answers    fresh for {fresh} h, usable for {usable} h{chip}")?;
    let parts = super::counted(facts.parts as u64, "part");
    let units = super::counted(facts.units as u64, "unit");
    writeln!(out, "sealed     {parts} for {units}, {} bytes", facts.bytes)?;
    writeln!(out, "signed by  {}", facts.signed_by.join(" "))?;
    Ok(())
}

/// Why a package is not believed, for machines.
#[derive(Serialize)]
struct RefusalLine {
    file: String,
    verified: bool,
    refusal: &'static str,
}

fn verify(options: &VerifyOptions, clock: &dyn Clock, out: &mut dyn Write) -> anyhow::Result<()> {
    let keys = PublicKeys::read(&options.keys)?;
    let mut reader = BufReader::new(files::open(&options.package)?);
    let bar = progress::bar(0, "verifying", "rows");
    let seed = files::read(&seed_file(&options.package), 128)?;
    let seed = Seed::new(*files::parse_hex(&seed).context("the seed is no key")?);
    let verified = verify_all(&mut reader, &keys, &seed, clock.real_time(), |rows, of_rows| {
        bar.set_length(of_rows);
        bar.set_position(rows);
    });
    bar.finish_and_clear();
    let verified = match verified {
        Ok(verified) => verified,
        Err(refusal) => {
            if options.json {
                let file = options.package.display().to_string();
                let line = RefusalLine { file, verified: false, refusal: refusal.code() };
                writeln!(out, "{}", serde_json::to_string(&line)?)?;
            }
            let text = options.package.display().to_string();
            return Err(anyhow::Error::new(refusal).context(text));
        }
    };
    let facts = Facts { verified: true, ..Facts::read(&options.package)? };
    if options.json {
        writeln!(out, "{}", serde_json::to_string(&facts)?)?;
        return Ok(());
    }
    let signers = match verified.snapshot().manifest.dataset {
        Dataset::Notices => "an author and an approver",
        _ => "the register's key",
    };
    writeln!(out, "VERIFIED: a device of this root takes it, where it has no newer one")?;
    writeln!(out, "holds      the root document, by its hash and its own threshold")?;
    writeln!(out, "holds      the manifest, by the signatures of {signers}; it has not expired")?;
    writeln!(out, "holds      every part, by hash, length, order and number of its rows")?;
    write_facts(out, &facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_in_the_help_are_those_of_the_sources() {
        for (source, columns) in [
            (Source::Notices, &source::NOTICE_COLUMNS[..]),
            (Source::Register, &source::REGISTER_COLUMNS[..]),
        ] {
            let value = source.to_possible_value().expect("none is skipped");
            let help = value.get_help().expect("each has a text").to_string();
            assert_eq!(help, format!("Columns {}", columns.join(", ")));
        }
    }
}
