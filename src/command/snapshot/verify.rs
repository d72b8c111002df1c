//! `snapshot verify`: every rule that a device walks through, on every part of a package.

use std::io::{BufReader, Read, Write};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Serialize;
use sync_format::codec::{self, Kind};
use sync_format::v1::package::seal::Seed;
use sync_format::v1::package::{
    Dataset, Manifest, Root, RootChain, SignedManifest, layout, sha256,
};

use super::super::draft::{open_inner, read_root, read_seed};
use super::super::files;
use super::super::progress;
use super::inspect::{Facts, write_facts};
use super::seed_beside;
use crate::clock::{Clock, DeviceTime, TrustedTime};
use crate::snapshot::source::Regions;
use crate::snapshot::{self, Held, Opener, Refusal, Rows, Signed, Snapshot, Trust, Verified};

#[derive(Args)]
pub(in super::super) struct VerifyOptions {
    /// Package
    #[arg(value_name = "FILE")]
    package: PathBuf,
    /// Root document to trust, with its chain
    #[arg(long, value_name = "FILE", required_unless_present = "keys")]
    root: Option<PathBuf>,
    /// For trials: folder of keys with that root document; its private files are not opened
    #[arg(long, value_name = "DIR", conflicts_with = "root")]
    keys: Option<PathBuf>,
    /// Seed that the package was built from [default for trials: the one beside the package]
    #[arg(long, value_name = "FILE", required_unless_present = "keys")]
    seed: Option<PathBuf>,
    /// Unit that the package is for
    #[arg(long, value_name = "N", default_value_t = super::UNIT)]
    unit: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Why a package is not believed, for machines.
#[derive(Serialize)]
struct RefusalLine {
    file: String,
    verified: bool,
    refusal: &'static str,
}

pub(super) fn run(
    options: &VerifyOptions,
    clock: &dyn Clock,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let root_path = match (&options.root, &options.keys) {
        (Some(root), _) => root.clone(),
        (None, Some(keys)) => keys.join(super::super::draft::ROOT),
        (None, None) => bail!("no root document is named"),
    };
    let (_, root_chain) = read_root(&root_path)?;
    let newest = newest_of(&root_chain)?;
    let beside = seed_beside(&options.package);
    let seed = read_seed(options.seed.as_deref().unwrap_or(&beside))?;
    let bar = progress::bar(0, "verifying", "rows");
    let mut anchors = Vec::new();
    let each = |these, rows, of_rows| {
        if let Rows::Anchors(these) = these {
            anchors.extend(these);
        }
        bar.set_length(of_rows);
        bar.set_position(rows);
    };
    let open = || Ok(BufReader::new(files::open(&options.package)?));
    let verified = at_headquarters(open, &newest, &seed, options.unit, clock.real_time(), each);
    bar.finish_and_clear();
    let text = options.package.display().to_string();
    let verified = match verified {
        Ok(verified) => verified,
        Err(error) => {
            if let (true, Some(refusal)) = (options.json, error.downcast_ref::<Refusal>()) {
                let line =
                    RefusalLine { file: text.clone(), verified: false, refusal: refusal.code() };
                writeln!(out, "{}", serde_json::to_string(&line)?)?;
            }
            return Err(error.context(text));
        }
    };
    let mut facts = Facts::read(&options.package)?;
    facts.verified = true;
    if options.json {
        writeln!(out, "{}", serde_json::to_string(&facts)?)?;
        return Ok(());
    }
    let snapshot = verified.snapshot();
    let signers = match snapshot.manifest.dataset {
        Dataset::Notices => "an author and an approver",
        Dataset::Register => "the register's key",
        Dataset::Anchors => "the anchors' key",
    };
    let base = match snapshot.manifest.base {
        None => ", where it has no newer one".to_owned(),
        Some(base) => format!(" on version {}, where it has no newer one", base.version),
    };
    writeln!(out, "VERIFIED: a device of this root and unit takes it{base}")?;
    writeln!(out, "holds      the root document, by its hash and its own threshold")?;
    writeln!(out, "holds      the manifest, by the signatures of {signers}; it has not expired")?;
    writeln!(out, "holds      every part, by hash, length, order and number of its rows")?;
    write_facts(out, &facts)?;
    writeln!(out, "inside     unit {}", snapshot.unit)?;
    writeln!(out, "rows       {}", snapshot.inner.rows)?;
    if !snapshot.inner.regions.is_empty() {
        writeln!(out, "regions    {}", Regions::of_numbers(&snapshot.inner.regions))?;
    }
    if !snapshot.inner.counts.is_empty() {
        let counts = snapshot.inner.counts.iter();
        let counts: Vec<String> =
            counts.map(|(category, count)| format!("{category} {count}")).collect();
        writeln!(out, "notices    {}", counts.join(", "))?;
    }
    if !anchors.is_empty() {
        write!(out, "{}", super::anchors::list(&anchors))?;
    }
    if !snapshot.inner.withdrawn.is_empty() {
        writeln!(out, "withdrawn  {}", snapshot.inner.withdrawn.len())?;
    }
    Ok(())
}

/// The root document that a package is verified under.
pub(super) struct NewestRoot {
    root: Root,
    hash: [u8; 32],
}

fn newest_of(chain: &[u8]) -> anyhow::Result<NewestRoot> {
    let RootChain(chain) = codec::decode(Kind::RootChain, chain)?;
    let newest = chain.last().context("the chain holds no root document")?;
    let root: Root = codec::decode(Kind::Root, &newest.root)?;
    Ok(NewestRoot { root, hash: sha256(&newest.root) })
}

/// Returns the root document that a package brings along.
pub(super) fn newest_root(reader: &mut impl Read) -> anyhow::Result<NewestRoot> {
    newest_of(&layout::read_sections(reader)?.root_chain)
}

/// Verifies a package and reads every part of it, as a device of `unit` would that holds the base of a
/// delta; `open` gives it twice, `each` is given the rows of each part, and told how many there were so
/// far, and in all.
pub(super) fn at_headquarters<R: Read>(
    open: impl Fn() -> anyhow::Result<R>,
    newest: &NewestRoot,
    seed: &Seed,
    unit: u32,
    now: DeviceTime,
    mut each: impl FnMut(Rows, u64, u64),
) -> anyhow::Result<Verified<Snapshot>> {
    let held = held_for(&mut open()?, seed)?;
    let trust = Trust {
        root_hash: newest.hash,
        purpose: newest.root.purpose,
        notices: held,
        register: held,
        anchors: held,
        time: TrustedTime::new(now, now),
        real_time: now,
    };
    let mut reader = open()?;
    let signed = Signed::read(&mut reader)?;
    let verified = snapshot::verify(signed, &trust, Opener::Headquarters(seed, unit))?;
    let mut rows = 0;
    for part in 0..verified.chunk_count() {
        let these = verified.read_rows(part, &mut reader)?;
        rows += these.count() as u64;
        each(these, rows, verified.snapshot().inner.rows);
    }
    verified.expect_end(&mut reader)?;
    Ok(verified)
}

/// What a device holds to which this package may come: of a full one nothing, of a delta its base. What
/// cannot be read here is for [`snapshot::verify`] to refuse.
fn held_for(reader: &mut impl Read, seed: &Seed) -> anyhow::Result<Held> {
    let sections = layout::read_sections(reader).map_err(Refusal::from)?;
    let manifest = codec::decode::<SignedManifest>(Kind::SignedManifest, &sections.manifest)
        .and_then(|signed| codec::decode::<Manifest>(Kind::Manifest, &signed.manifest));
    let Ok(manifest) = manifest else { return Ok(Held::default()) };
    let inner = open_inner(&manifest, &sections.inner, seed).ok();
    let tag_key = inner.and_then(|inner| inner.tag_key).filter(|_| manifest.base.is_some());
    Ok(Held { floor: None, base: manifest.base, tag_key })
}
