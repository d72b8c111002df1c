//! `snapshot package`: the file of one unit from a signed draft, for trials; a nation's units are
//! published instead.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use sync_format::codec::{self, Kind};
use sync_format::v1::package::seal::Seed;
use sync_format::v1::package::{Dataset, Manifest, Role};
use zeroize::Zeroizing;

use super::super::draft::{DraftFolder, read_root};
use super::super::files::{self, Readers, hex};
use super::super::keys::Keys;
use super::{seed_beside, verify};
use crate::clock::{Clock, DeviceTime};
use crate::snapshot::build::Draft;
use crate::snapshot::{Snapshot, Verified};

#[derive(Args)]
pub(in super::super) struct PackageOptions {
    /// Folder of the draft, with the signatures in it
    #[arg(value_name = "DRAFT")]
    draft: PathBuf,
    /// The unit
    #[arg(long, value_name = "N")]
    unit: u32,
    /// Package to write
    #[arg(long = "out", value_name = "FILE")]
    output: PathBuf,
    /// Replace the package that is there
    #[arg(long)]
    force: bool,
}

pub(super) fn run(
    options: &PackageOptions,
    clock: &dyn Clock,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if !options.force && options.output.exists() {
        bail!("{}: the file is there already; --force replaces it", options.output.display());
    }
    let folder = DraftFolder::read(&options.draft)?;
    let (_, root_chain) = read_root(&folder.root_path())?;
    let seed = folder.seed()?;
    let draft = folder.draft()?;
    let bytes = draft.package(options.unit, &root_chain, folder.signatures()?)?;
    let verified = verify_own(&bytes, &seed, options.unit, clock.real_time())?;
    files::write_whole(&options.output, &bytes, options.force)?;
    let rows = super::super::counted(verified.snapshot().inner.rows, "row");
    writeln!(out, "{}: {rows}, {} bytes", options.output.display(), bytes.len())?;
    Ok(())
}

/// Signs a draft with every key that is needed, writes the package of a unit, and its seed beside it:
/// for trials one person does what in real use takes several. Returns the length of the package.
pub(in super::super) fn write_package(
    path: &Path,
    draft: &Draft,
    unit: u32,
    keys: &Keys,
    seed: &Seed,
    now: DeviceTime,
    force: bool,
) -> anyhow::Result<u64> {
    let manifest: Manifest = codec::decode(Kind::Manifest, &draft.manifest)?;
    let roles: &[Role] = match manifest.dataset {
        Dataset::Notices => &[Role::NoticesAuthor, Role::NoticesApprover],
        Dataset::Register => &[Role::Register],
        Dataset::Anchors => &[Role::Anchors],
    };
    let sign = |role: &Role| keys.keyring.sign_manifest(*role, &draft.manifest);
    let signatures = roles.iter().flat_map(sign).collect();
    let bytes = draft.package(unit, &keys.public.root_chain, signatures)?;
    verify_own(&bytes, seed, unit, now)?;
    let text = Zeroizing::new(hex(seed.expose()) + "\n");
    if force {
        files::remove(&seed_beside(path))?;
    }
    files::write_new(&seed_beside(path), text.as_bytes(), Readers::Owner)?;
    files::write_whole(path, &bytes, force)?;
    Ok(bytes.len() as u64)
}

/// Verifies what was built here: nothing leaves headquarters that devices refuse.
fn verify_own(
    bytes: &[u8],
    seed: &Seed,
    unit: u32,
    now: DeviceTime,
) -> anyhow::Result<Verified<Snapshot>> {
    let newest = verify::newest_root(&mut &bytes[..])?;
    let open = || Ok(bytes);
    verify::at_headquarters(open, &newest, seed, unit, now, |_, _, _| ())
        .context("a device would refuse the package")
}
