//! `snapshot approve`: the second pair of eyes. Builds a draft again from the source, compares it byte by
//! byte, and shows what changed against what is published.
//!
//! It never signs. What it leaves behind is a mark that `sign` asks an approver for, made with a secret of
//! this machine: a draft that brings such a mark along from elsewhere has none.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use sync_format::v1::anchors::Anchor;
use sync_format::v1::notice::Notice;
use sync_format::v1::package::seal::Seed;
use sync_format::v1::package::{Dataset, Manifest};
use sync_format::v1::register::{ABROAD, RegisterRow, TagKey, region_of};
use zeroize::Zeroizing;

use super::super::draft::{self, DraftFolder, read_root};
use super::super::files::{self, Readers, hex};
use super::super::input::{Input, RefusedOptions};
use super::super::time::Utc;
use super::anchors;
use super::build::{Built, OpenBase, Order, lapsed};
use super::{Source, read_units};
use crate::snapshot::build::Terms;
use crate::snapshot::difference::{
    Counts, NoticeDifference, RegisterChange, apply_notices_delta, apply_register_delta,
    register_changes,
};
use crate::snapshot::source::Regions;

#[derive(Args)]
pub(in super::super) struct ApproveOptions {
    /// Folder of the draft
    #[arg(value_name = "DRAFT")]
    draft: PathBuf,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    refused: RefusedOptions,
    /// Approve that notices are in it that have lapsed; only where the root is for demonstrations
    #[arg(long)]
    keep_lapsed: bool,
    /// Units and what each may read, as approved
    #[arg(long, value_name = "CSV")]
    units: PathBuf,
    /// Devices, as approved
    #[arg(long, value_name = "CSV")]
    devices: PathBuf,
    /// Root document, with its chain
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    /// Folder of the version that is published, to show what changed [default: the first version, all of
    /// which is new]
    #[arg(long, value_name = "DRAFT")]
    previous: Option<PathBuf>,
    /// Folder of the full list that the draft, or the previous version, is a delta to
    #[arg(long, value_name = "DRAFT")]
    base: Vec<PathBuf>,
    /// Show the persons of the rows that changed: names and numbers of notices, and the first six digits
    /// of numbers in the register
    #[arg(long)]
    show_rows: bool,
}

pub(super) fn run(options: &ApproveOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    let folder = DraftFolder::read(&options.draft)?;
    // Whatever was approved before, from here on nothing is until the end is reached.
    forget(&folder)?;
    let seed = folder.seed()?;
    let inner = folder.inner_manifest(&seed)?;
    let (root, root_chain) = read_root(&options.root)?;
    let units = read_units(Some(&options.units), &options.devices)?;
    let bases =
        options.base.iter().map(|path| OpenBase::read(path)).collect::<Result<Vec<_>, _>>()?;
    let previous = options
        .previous
        .as_deref()
        .map(|path| Previous::read(path, &folder.manifest, &bases))
        .transpose()?;

    let manifest = &folder.manifest;
    let source = match manifest.dataset {
        Dataset::Notices => Source::Notices,
        Dataset::Register => Source::Register,
        Dataset::Anchors => Source::Anchors,
    };
    let order = Order {
        source,
        input: &options.input,
        refused: &options.refused,
        beside: &options.draft,
        lapsed: lapsed(options.keep_lapsed, &root, manifest.created)?,
        regions: (source == Source::Register).then(|| Regions::of_numbers(&inner.regions)),
        terms: Terms {
            version: manifest.version,
            created: manifest.created,
            expires: manifest.expires,
            freshness: manifest.freshness,
            chip_required: manifest.chip_required,
        },
        units: &units,
        base: find_base(manifest, &bases)?,
    };
    if manifest.version.epoch != root.epoch {
        let (draft, root) = (manifest.version.epoch, root.epoch);
        bail!("the draft is of epoch {draft}, the root of epoch {root}");
    }

    let built = match source {
        Source::Notices => {
            let (rows, refused) = order.read_notices()?;
            let built = order.build_notices(&rows, refused, &seed)?;
            begin(&built, previous.as_ref(), out)?;
            let before = previous.map(|it| it.notices()).transpose()?.unwrap_or_default();
            show_notices(&before, &rows, options.show_rows, out)?;
            built
        }
        Source::Register => {
            let key = order.tag_key(&seed)?;
            let their_key = match &previous {
                Some(previous) => previous.tag_key()?,
                None => order.tag_key(&seed)?,
            };
            let (rows, refused) = order.read_register([&key, &their_key])?;
            let built = order.build_register(|| rows.under(0), refused, &seed)?;
            begin(&built, previous.as_ref(), out)?;
            let before = previous.map(|it| it.register()).transpose()?.unwrap_or_default();
            show_register(before, rows.under(1), options.show_rows, out)?;
            built
        }
        Source::Anchors => {
            let anchors = order.read_anchors()?;
            let built = order.build_anchors(&anchors, &seed)?;
            begin(&built, previous.as_ref(), out)?;
            let before = previous.map(|it| it.folder.anchors(&it.seed)).transpose()?;
            show_anchors(&before.unwrap_or_default(), &anchors, out)?;
            built
        }
    };

    let differing = compare(&folder, &built, &root_chain)?;
    if let Some(first) = differing.first() {
        for name in &differing {
            writeln!(out, "differs    {name}")?;
        }
        writeln!(out, "NOT EQUAL: this draft is not what the source, the units and the root give")?;
        bail!("{}: {first} is not what was built here; do not sign", options.draft.display());
    }
    remember(&folder)?;
    let files = draft::files_of(&built.draft, &root_chain, &built.facts).len();
    writeln!(out, "EQUAL: {files} files are byte for byte what was built here; not signed")?;
    Ok(())
}

fn begin(
    built: &Built,
    previous: Option<&Previous<'_>>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    write!(out, "{}", built.facts)?;
    match previous {
        Some(previous) => {
            let manifest = &previous.folder.manifest;
            let (version, made) = (manifest.version.version, Utc(manifest.created));
            writeln!(out, "against    version {version} of {made}")?;
        }
        None => writeln!(out, "against    nothing: --previous names no version")?,
    }
    Ok(())
}

fn find_base<'a>(
    manifest: &Manifest,
    bases: &'a [OpenBase],
) -> anyhow::Result<Option<&'a OpenBase>> {
    let Some(base) = manifest.base else { return Ok(None) };
    let found = bases.iter().find(|it| it.of.base == base);
    found
        .map(Some)
        .with_context(|| format!("name the full list of version {} by --base", base.version))
}

/// The version that is published.
struct Previous<'a> {
    folder: DraftFolder,
    seed: Seed,
    base: Option<&'a OpenBase>,
}

impl<'a> Previous<'a> {
    fn read(path: &Path, draft: &Manifest, bases: &'a [OpenBase]) -> anyhow::Result<Previous<'a>> {
        let folder = DraftFolder::read(path)?;
        let manifest = &folder.manifest;
        if manifest.dataset != draft.dataset {
            bail!("{}: this is a list of {}", path.display(), manifest.dataset);
        }
        if manifest.version >= draft.version {
            let (before, now) = (manifest.version.version, draft.version.version);
            bail!("{}: version {before} does not come before version {now}", path.display());
        }
        let base = find_base(manifest, bases)?;
        let seed = folder.seed()?;
        Ok(Previous { folder, seed, base })
    }

    fn tag_key(&self) -> anyhow::Result<TagKey> {
        self.folder.tag_key(&self.seed)
    }

    fn notices(self) -> anyhow::Result<Vec<Notice>> {
        let rows = self.folder.notices(&self.seed)?;
        let Some(base) = self.base else { return Ok(rows) };
        let withdrawn = self.folder.inner_manifest(&self.seed)?.withdrawn;
        Ok(apply_notices_delta(base.folder.notices(&base.seed)?, rows, &withdrawn))
    }

    fn register(self) -> anyhow::Result<Vec<RegisterRow>> {
        let rows = self.folder.register_rows(&self.seed)?;
        let Some(base) = self.base else { return Ok(rows) };
        Ok(apply_register_delta(base.folder.register_rows(&base.seed)?, rows).collect())
    }
}

fn show_notices(
    before: &[Notice],
    now: &[Notice],
    show_rows: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let difference = NoticeDifference::between(before, now);
    let by_category = difference.by_category();
    let counts = |of: fn(&Counts) -> u64| {
        let counts = by_category.iter().map(|(category, counts)| (category.code(), of(counts)));
        counted(counts)
    };
    writeln!(out, "added      {}", counts(|counts| counts.added))?;
    writeln!(out, "changed    {}", counts(|counts| counts.changed))?;
    writeln!(out, "withdrawn  {}", counts(|counts| counts.removed))?;
    // Of a first version everything is new: a line a row says no more than the sum.
    if before.is_empty() && !show_rows {
        return Ok(());
    }
    let of = |rows: &[Notice], id: u64| {
        let at = rows.binary_search_by_key(&id, |notice| notice.id).ok().filter(|_| show_rows);
        at.map(|at| format!("  {}", person(&rows[at]))).unwrap_or_default()
    };
    for (id, category) in &difference.added {
        writeln!(out, "  + {id} {category}{}", of(now, *id))?;
    }
    for changed in &difference.changed {
        let (id, fields) = (changed.id, changed.fields.join(", "));
        writeln!(out, "  ~ {id} {} {fields}{}", changed.category, of(now, id))?;
    }
    for (id, category) in &difference.withdrawn {
        writeln!(out, "  - {id} {category}{}", of(before, *id))?;
    }
    Ok(())
}

fn person(notice: &Notice) -> String {
    let numbers = notice.numbers.iter().map(|number| format!("{}:{}", number.kind, number.text));
    let parts = [notice.name.clone()].into_iter().chain(numbers);
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn show_register(
    before: Vec<RegisterRow>,
    now: impl Iterator<Item = RegisterRow>,
    show_rows: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut counts = vec![Counts::default(); usize::from(ABROAD) + 1];
    let mut rows: Vec<(char, u64)> = Vec::new();
    for change in register_changes(before, now) {
        let (sign, row) = match change {
            RegisterChange::Added(row) => ('+', row),
            RegisterChange::Changed(row) => ('~', row),
            RegisterChange::Removed(row) => ('-', row),
        };
        let region = &mut counts[usize::from(region_of(row.number))];
        match sign {
            '+' => region.added += 1,
            '~' => region.changed += 1,
            _ => region.removed += 1,
        }
        if show_rows {
            rows.push((sign, row.number));
        }
    }
    let of = |which: fn(&Counts) -> u64| {
        let regions = (0..=ABROAD).zip(&counts);
        counted(regions.map(|(region, counts)| (facts_region(region), which(counts))))
    };
    writeln!(out, "added      {}", of(|counts| counts.added))?;
    writeln!(out, "changed    {}", of(|counts| counts.changed))?;
    writeln!(out, "removed    {}", of(|counts| counts.removed))?;
    for (sign, number) in rows {
        writeln!(out, "  {sign} {:06}******", number / 1_000_000)?;
    }
    Ok(())
}

/// Shows what came and what went. An anchor that its issuer has changed is another one.
fn show_anchors(before: &[Anchor], now: &[Anchor], out: &mut dyn Write) -> anyhow::Result<()> {
    let without = |these: &[Anchor], others: &[Anchor]| -> Vec<Anchor> {
        let others: BTreeSet<&[u8]> = others.iter().map(|anchor| &anchor.der[..]).collect();
        these.iter().filter(|anchor| !others.contains(&anchor.der[..])).cloned().collect()
    };
    let (added, removed) = (without(now, before), without(before, now));
    writeln!(out, "added      {}", counted(anchors::counts(&added)))?;
    writeln!(out, "removed    {}", counted(anchors::counts(&removed)))?;
    // Of a first version everything is new, and stands above.
    if before.is_empty() {
        return Ok(());
    }
    for (sign, anchors) in [('+', &added), ('-', &removed)] {
        for anchor in anchors {
            writeln!(out, "  {sign} {}", anchors::Line(anchor))?;
        }
    }
    Ok(())
}

fn facts_region(region: u16) -> String {
    Regions::of_numbers(&[region]).to_string()
}

/// Writes a sum and its parts, those that are not 0: `3: W1 2, D1 1`.
fn counted<N: std::fmt::Display>(parts: impl Iterator<Item = (N, u64)>) -> String {
    let parts: Vec<(N, u64)> = parts.filter(|(_, count)| *count > 0).collect();
    let sum: u64 = parts.iter().map(|(_, count)| count).sum();
    let parts: Vec<String> = parts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    if sum == 0 { "0".to_owned() } else { format!("{sum}: {}", parts.join(", ")) }
}

/// Returns the names of the files that are not the same, or are in one of the two alone.
fn compare(folder: &DraftFolder, built: &Built, root_chain: &[u8]) -> anyhow::Result<Vec<String>> {
    let expected = draft::files_of(&built.draft, root_chain, &built.facts);
    let mut differing = Vec::new();
    for (name, bytes) in &expected {
        if folder.file(name)?.as_deref() != Some(*bytes) {
            differing.push(name.clone());
        }
    }
    for name in folder.part_names()? {
        if !expected.iter().any(|(expected, _)| *expected == name) {
            differing.push(name);
        }
    }
    Ok(differing)
}

const APPROVED: &str = "approved";
const MACHINE_SECRET: &str = "approvals.key";
const MAX_MARK_BYTES: u64 = 256;

/// Says whether this draft was approved on this machine.
pub(super) fn is_approved(folder: &DraftFolder) -> anyhow::Result<bool> {
    let path = folder.path().join(APPROVED);
    if !path.exists() {
        return Ok(false);
    }
    let mark = files::read(&path, MAX_MARK_BYTES)?;
    let Some(mark) = files::parse_hex(&mark) else { return Ok(false) };
    Ok(mac(folder)?.verify_slice(&*mark).is_ok())
}

fn remember(folder: &DraftFolder) -> anyhow::Result<()> {
    let mark = hex(&mac(folder)?.finalize().into_bytes()) + "\n";
    files::write_new(&folder.path().join(APPROVED), mark.as_bytes(), Readers::All)
}

fn forget(folder: &DraftFolder) -> anyhow::Result<()> {
    files::remove(&folder.path().join(APPROVED))
}

fn mac(folder: &DraftFolder) -> anyhow::Result<Hmac<Sha256>> {
    let mac =
        Hmac::<Sha256>::new_from_slice(&*machine_secret()?).expect("HMAC takes keys of any length");
    Ok(mac.chain_update(b"fieldcheck-approved-v1\0").chain_update(folder.hash()))
}

/// Returns the secret of this machine, which is drawn when it is first needed.
fn machine_secret() -> anyhow::Result<Zeroizing<[u8; 32]>> {
    let state = match (std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME")) {
        (Some(state), _) if !state.is_empty() => PathBuf::from(state),
        (_, Some(home)) => Path::new(&home).join(".local/state"),
        _ => bail!("neither XDG_STATE_HOME nor HOME says where this machine keeps its state"),
    };
    let folder = state.join("fieldcheck");
    let path = folder.join(MACHINE_SECRET);
    if !path.exists() {
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *secret)
            .map_err(|_| anyhow::anyhow!("the system gave no random bytes"))?;
        let text = Zeroizing::new(hex(&*secret) + "\n");
        match files::write_new(&path, text.as_bytes(), Readers::Owner) {
            // Another approval on this machine was first.
            Err(_) if path.exists() => {}
            written => written?,
        }
    }
    let bytes = files::read(&path, MAX_MARK_BYTES)?;
    files::parse_hex(&bytes).with_context(|| format!("{}: this is no secret", path.display()))
}
