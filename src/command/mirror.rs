//! `fieldcheckctl mirror`: what one unit needs, from a repository onto a stick.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::{progress, root};
use crate::clock::Clock;
use crate::repository::mirror::{self, Trusted, Unverified};
use crate::repository::{Address, Repository};

#[derive(Args)]
pub(super) struct Options {
    /// Repository: a folder, or s3://BUCKET/PREFIX as for `publish`
    #[arg(long, value_name = "DIR|URL")]
    from: Address,
    /// Number of the unit
    #[arg(long, value_name = "N")]
    unit: u32,
    /// Stick or folder; the files go into its folder `fieldcheck`
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Copy nothing that this root does not sign [default: leave that to the devices]
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
}

pub(super) fn run(options: &Options, clock: &dyn Clock, out: &mut dyn Write) -> anyhow::Result<()> {
    let trusted: Box<dyn Trusted> = match &options.root {
        None => Box::new(Unverified),
        Some(path) => Box::new(root::read(path, clock.real_time())?.1),
    };
    let repository = Repository::open(&options.from).with_context(|| options.from.to_string())?;
    let bar = progress::bar(0, "copying", "bytes");
    let done = mirror::mirror(&repository, options.unit, &options.to, &*trusted, &mut |at, of| {
        bar.set_length(of);
        bar.set_position(at);
    });
    bar.finish_and_clear();
    let done = done.with_context(|| options.to.display().to_string())?;
    for (word, names) in
        [("copied", &done.written), ("there", &done.there), ("removed", &done.removed)]
    {
        for name in names {
            writeln!(out, "{word:<8} {name}")?;
        }
    }
    writeln!(out, "{} bytes copied, {} kept from an earlier try", done.copied, done.kept)?;
    Ok(())
}
