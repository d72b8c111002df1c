//! `fieldcheckctl install`: verified packages into a device.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use sync_format::v1::package::Dataset;

use super::progress;
use super::unlock::DeviceOptions;
use crate::clock::Clock;
use crate::device::{Device, Session};
use crate::store::install::Proceed;

#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    device: DeviceOptions,
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
        .try_for_each(|package| install(&mut device, &mut session, package, out));
    session.log_lock()?;
    installed
}

/// Installs one package and says what answers now.
pub(super) fn install(
    device: &mut Device,
    session: &mut Session,
    package: &Path,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let bar = progress::bar(0, "installing", "rows");
    let dataset = device
        .install(session, package, |progress| {
            bar.set_length(progress.of_rows);
            bar.set_position(progress.rows);
            Proceed::Continue
        })
        .with_context(|| package.display().to_string())?;
    bar.finish_and_clear();
    let answers = match dataset {
        Dataset::Notices => {
            session.lookup().notices().map(|notices| (&notices.manifest, &notices.inner))
        }
        _ => session.lookup().register(),
    };
    let (manifest, inner) = answers.context("what was installed does not answer")?;
    let rows = super::counted(inner.rows, "row");
    writeln!(out, "installed {dataset} {}: {rows}", manifest.version)?;
    Ok(())
}
