//! What a draft is, in words that people approve: the same from the same draft, on every machine.

use std::fmt::Write as _;

use sync_format::codec::{self, Kind};
use sync_format::v1::package::seal::Seed;
use sync_format::v1::package::{InnerManifest, Manifest, sha256};

use super::super::draft::open_inner;
use super::super::files::hex;
use super::super::time::Utc;
use crate::snapshot::build::{Draft, Unit};
use crate::snapshot::source::{Lapsed, Regions};
use crate::snapshot::units::Units;

/// Returns the facts of a draft, and its rows.
pub(super) fn of_draft(
    draft: &Draft,
    seed: &Seed,
    units: &Units,
    lapsed: Lapsed,
    refused: u64,
) -> anyhow::Result<(String, u64)> {
    let manifest: Manifest = codec::decode(Kind::Manifest, &draft.manifest)?;
    let inner = open_inner(&manifest, &draft.inner, seed)?;
    let mut text = String::new();
    write_facts(&mut text, &manifest, &inner, units, lapsed, refused)?;
    writeln!(text, "manifest   {}", hex(&sha256(&draft.manifest)))?;
    Ok((text, inner.rows))
}

fn write_facts(
    text: &mut String,
    manifest: &Manifest,
    inner: &InnerManifest,
    units: &Units,
    lapsed: Lapsed,
    refused: u64,
) -> anyhow::Result<()> {
    let version = manifest.version;
    writeln!(text, "dataset    {} {}, epoch {}", manifest.dataset, version.version, version.epoch)?;
    match manifest.base {
        None => writeln!(text, "kind       full")?,
        Some(base) => writeln!(
            text,
            "kind       delta, all changes since version {} {}",
            base.version,
            hex(&base.manifest)
        )?,
    }
    writeln!(text, "created    {}", Utc(manifest.created))?;
    writeln!(text, "expires    {}", Utc(manifest.expires))?;
    let chip = if manifest.chip_required { ", chip required" } else { "" };
    let freshness = manifest.freshness;
    writeln!(
        text,
        "answers    fresh for {} h, usable for {} h{chip}",
        freshness.fresh_hours, freshness.usable_hours
    )?;
    let chunks = super::super::counted(manifest.chunks.len() as u64, "chunk");
    writeln!(text, "rows       {} in {chunks}", inner.rows)?;
    if !inner.regions.is_empty() {
        writeln!(text, "regions    {}", Regions::of_numbers(&inner.regions))?;
    }
    if !inner.counts.is_empty() {
        let counts: Vec<String> =
            inner.counts.iter().map(|(category, count)| format!("{category} {count}")).collect();
        writeln!(text, "notices    {}", counts.join(", "))?;
    }
    if !inner.withdrawn.is_empty() {
        writeln!(text, "withdrawn  {}", inner.withdrawn.len())?;
    }
    if lapsed == Lapsed::KeepForDemonstration {
        writeln!(text, "LAPSED     notices that have lapsed are kept, for a demonstration")?;
    }
    if refused > 0 {
        let rows = super::super::counted(refused, "row");
        writeln!(text, "REFUSED    {rows} of the source, not in this list")?;
    }
    for unit in &units.units {
        writeln!(text, "unit       {}", of_unit(unit))?;
    }
    for unit in &units.without_device {
        writeln!(text, "unit       {unit}: no device, nothing is sealed to it")?;
    }
    writeln!(text, "revoked    {}", super::super::counted(units.revoked as u64, "device"))?;
    Ok(())
}

fn of_unit(unit: &Unit) -> String {
    let regions = match &unit.regions {
        None => "all".to_owned(),
        Some(regions) => Regions::of_numbers(regions).to_string(),
    };
    let devices = super::super::counted(unit.devices.len() as u64, "device");
    let mut text = format!("{}: {devices}, regions {regions}", unit.unit);
    if let Some(freshness) = unit.freshness {
        let (fresh, usable) = (freshness.fresh_hours, freshness.usable_hours);
        text += &format!(", fresh for {fresh} h, usable for {usable} h");
    }
    if unit.chip_required {
        text += ", chip required";
    }
    text
}
