//! `snapshot inspect`: what a package says to whoever finds it.

use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use sync_format::codec::{self, Kind};
use sync_format::v1::package::{
    Envelope, Manifest, Root, RootChain, SignedManifest, layout, sha256,
};

use super::super::files::{self, hex};
use super::super::time::Utc;

#[derive(Args)]
pub(in super::super) struct InspectOptions {
    /// Package
    #[arg(value_name = "FILE")]
    package: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &InspectOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    let facts = Facts::read(&options.package)?;
    if options.json {
        writeln!(out, "{}", serde_json::to_string(&facts)?)?;
        return Ok(());
    }
    writeln!(out, "NOT VERIFIED: anybody can have written this")?;
    write_facts(out, &facts)
}

/// Everything that an outsider can read of a package; the rest is sealed.
#[derive(Serialize)]
pub(super) struct Facts {
    file: String,
    bytes: u64,
    pub verified: bool,
    purpose: &'static str,
    root: String,
    dataset: &'static str,
    epoch: u32,
    version: u64,
    /// Version of the full list that a delta belongs to.
    base: Option<u64>,
    created: String,
    expires: String,
    fresh_hours: u32,
    usable_hours: u32,
    chip_required: bool,
    min_app: u32,
    /// Sealed chunks of the whole list, and of those in this file.
    parts: usize,
    parts_here: usize,
    /// Envelopes of the whole list, one a unit, and devices that can open the one in this file.
    units: usize,
    devices: usize,
    /// Names of the keys that have put a signature on it.
    signed_by: Vec<String>,
}

impl Facts {
    /// Reads the sections before the parts. Believes nothing, and so proves nothing.
    pub(super) fn read(path: &Path) -> anyhow::Result<Facts> {
        let file = files::open(path)?;
        let bytes = file.metadata().map_or(0, |metadata| metadata.len());
        let read = || -> anyhow::Result<Facts> {
            let sections = layout::read_sections(&mut BufReader::new(file))?;
            let RootChain(chain) = codec::decode(Kind::RootChain, &sections.root_chain)
                .context("the root chain does not decode")?;
            let newest = chain.last().context("the package holds no root document")?;
            let root: Root = codec::decode(Kind::Root, &newest.root)
                .context("the root document does not decode")?;
            let signed: SignedManifest = codec::decode(Kind::SignedManifest, &sections.manifest)
                .context("the signed manifest does not decode")?;
            let manifest: Manifest = codec::decode(Kind::Manifest, &signed.manifest)
                .context("the manifest does not decode")?;
            let envelope: Envelope = codec::decode(Kind::Envelope, &sections.envelope)
                .context("the envelope does not decode")?;
            let freshness = manifest.freshness;
            Ok(Facts {
                file: path.display().to_string(),
                bytes,
                verified: false,
                purpose: root.purpose.code(),
                root: hex(&sha256(&newest.root)),
                dataset: manifest.dataset.code(),
                epoch: manifest.version.epoch,
                version: manifest.version.version,
                base: manifest.base.map(|base| base.version),
                created: Utc(manifest.created).to_string(),
                expires: Utc(manifest.expires).to_string(),
                fresh_hours: freshness.fresh_hours,
                usable_hours: freshness.usable_hours,
                chip_required: manifest.chip_required,
                min_app: manifest.min_app,
                parts: manifest.chunks.len(),
                parts_here: envelope.chunks.iter().map(|run| run.count as usize).sum(),
                units: manifest.envelopes.len(),
                devices: envelope.recipients.len(),
                signed_by: signed.signatures.iter().map(|it| hex(&it.key_id)).collect(),
            })
        };
        read().with_context(|| path.display().to_string())
    }
}

pub(super) fn write_facts(out: &mut dyn Write, facts: &Facts) -> anyhow::Result<()> {
    writeln!(out, "dataset    {} {}, epoch {}", facts.dataset, facts.version, facts.epoch)?;
    match facts.base {
        None => writeln!(out, "kind       full")?,
        Some(base) => writeln!(out, "kind       delta to version {base}")?,
    }
    writeln!(out, "purpose    {}, root {}", facts.purpose, facts.root)?;
    writeln!(out, "created    {}", facts.created)?;
    writeln!(out, "expires    {}", facts.expires)?;
    let chip = if facts.chip_required { ", chip required" } else { "" };
    let (fresh, usable) = (facts.fresh_hours, facts.usable_hours);
    writeln!(out, "answers    fresh for {fresh} h, usable for {usable} h{chip}")?;
    let parts = super::super::counted(facts.parts as u64, "part");
    writeln!(out, "sealed     {} of {parts}, {} bytes", facts.parts_here, facts.bytes)?;
    let units = super::super::counted(facts.units as u64, "unit");
    let devices = super::super::counted(facts.devices as u64, "device");
    writeln!(out, "for        {devices} of one of {units}")?;
    writeln!(out, "signed by  {}", facts.signed_by.join(" "))?;
    Ok(())
}
