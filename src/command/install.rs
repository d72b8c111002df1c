//! `fieldcheckctl install`: verified packages into a device.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;

use super::progress;
use super::unlock::DeviceOptions;
use crate::clock::Clock;
use crate::device::{Device, InstallOptions, Session};
use crate::lookup::Overlay;
use crate::store::install::Proceed;

#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    device: DeviceOptions,
    /// Service number of who loads them, for the history: digits, at most twelve
    #[arg(long, value_name = "NUMBER", default_value = "")]
    by: String,
    /// Packages, installed in this order; the first that is refused ends it
    #[arg(value_name = "PACKAGE", required = true)]
    packages: Vec<PathBuf>,
}

pub(super) fn run(
    options: &Options,
    clock: Arc<dyn Clock>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let (mut device, mut session) = options.device.unlock(clock)?;
    let installed = options
        .packages
        .iter()
        .try_for_each(|package| install(&mut device, &mut session, package, &options.by, out));
    session.log_lock()?;
    installed
}

/// Installs one package and says what answers now.
pub(super) fn install(
    device: &mut Device,
    session: &mut Session,
    package: &Path,
    by: &str,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let bar = progress::bar(0, "installing", "rows");
    let options = InstallOptions { by: by.to_owned() };
    let dataset = device
        .install_with(session, package, &options, |progress| {
            bar.set_length(progress.of_rows);
            bar.set_position(progress.rows);
            Proceed::Continue
        })
        .with_context(|| package.display().to_string())?;
    bar.finish_and_clear();
    let lookup = session.lookup();
    let (manifest, inner) = lookup.signed(dataset).context("what was installed does not answer")?;
    let rows = super::counted(inner.rows, "row");
    write!(out, "installed {dataset} {}: {rows}", manifest.version)?;
    if let Some(Overlay { inner, .. }) = lookup.overlay(dataset) {
        let changes = inner.rows + inner.withdrawn.len() as u64;
        write!(out, ", {} over them", super::counted(changes, "change"))?;
    }
    writeln!(out)?;
    Ok(())
}
