//! `snapshot build`: from rows, or files, to a draft that others approve and sign, or for trials at once
//! to a package.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use sync_format::v1::anchors::Anchor;
use sync_format::v1::date::Date;
use sync_format::v1::notice::Notice;
use sync_format::v1::package::seal::Seed;
use sync_format::v1::package::{Freshness, Purpose, Root, SnapshotVersion};
use sync_format::v1::register::{RegisterRow, TagKey};

use super::super::draft::{self, DraftFolder, read_root};
use super::super::input::{Input, RefusedOptions};
use super::super::keys::Keys;
use super::super::time;
use super::{EXPIRES_DAYS, FRESHNESS, Source, facts, package, read_units};
use crate::clock::{Clock, DeviceTime};
use crate::snapshot::build::{self, BaseOf, BuildError, Draft, Terms};
use crate::snapshot::difference::{NoticeDifference, RegisterChange, register_changes};
use crate::snapshot::source::{Lapsed, Regions};
use crate::snapshot::units::Units;

#[derive(Args)]
pub(in super::super) struct BuildOptions {
    /// What the rows are
    #[arg(value_name = "DATASET")]
    source: Source,
    #[command(flatten)]
    input: Input,
    /// Regions that a register covers whole: the first three digits of their numbers, such as
    /// 001,048,abroad; or all. Of these a number that is not listed is in no register. Of a delta they
    /// are those of its base
    #[arg(long, value_name = "REGIONS")]
    regions: Option<Regions>,
    /// Keep notices that have lapsed, to show them; only where the root is for demonstrations
    #[arg(long)]
    keep_lapsed: bool,
    #[command(flatten)]
    refused: RefusedOptions,
    /// Units and what each may read: CSV with the columns unit, regions (all, or such as
    /// 001;048;abroad), fresh_hours, usable_hours, chip_required
    #[arg(long, value_name = "CSV", required_unless_present = "keys")]
    units: Option<PathBuf>,
    /// Devices: CSV with the columns device, unit, seal_key, sign_key, revoked; nothing is sealed to one
    /// that was revoked [default for trials: devices.csv among the keys]
    #[arg(long, value_name = "CSV", required_unless_present = "keys")]
    devices: Option<PathBuf>,
    /// Root document, with its chain
    #[arg(long, value_name = "FILE", required_unless_present = "keys", conflicts_with = "keys")]
    root: Option<PathBuf>,
    /// For trials: folder of all keys; signs at once, and writes a package instead of a draft
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// For trials: the unit whose package is written [default: the first]
    #[arg(long, value_name = "N", requires = "keys")]
    unit: Option<u32>,
    /// Folder of the full list whose changes since then are built, all of them
    #[arg(long, value_name = "DRAFT")]
    base: Option<PathBuf>,
    /// Seed of an earlier try, to build the same bytes again; of two different lists of one seed only one
    /// may ever leave headquarters, or both can be read [default: a new one]
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,
    /// Folder of the draft to make; for trials the package to write
    #[arg(long = "out", value_name = "DRAFT")]
    output: PathBuf,
    #[command(flatten)]
    terms: TermsOptions,
    /// For trials: replace the package that is there
    #[arg(long, requires = "keys")]
    force: bool,
}

#[derive(Args)]
pub(super) struct TermsOptions {
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
}

impl TermsOptions {
    fn terms(&self, root: &Root, now: DeviceTime) -> Terms {
        let created = self.created.unwrap_or(now);
        Terms {
            version: SnapshotVersion {
                epoch: self.epoch.unwrap_or(root.epoch),
                version: self.version,
            },
            created: created.0,
            expires: created.plus_seconds(i64::from(self.expires_days) * 86_400).0,
            freshness: Freshness { fresh_hours: self.fresh_hours, usable_hours: self.usable_hours },
            chip_required: self.chip_required,
        }
    }
}

pub(super) fn run(
    options: &BuildOptions,
    clock: &dyn Clock,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match &options.keys {
        Some(keys) => build_package(options, keys, clock, out),
        None => build_draft(options, clock, out),
    }
}

fn build_draft(
    options: &BuildOptions,
    clock: &dyn Clock,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    // Told before the work and not after it; `draft::write` makes sure again.
    if fs::read_dir(&options.output).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{}: the folder is not empty", options.output.display());
    }
    let path = options.root.as_deref().context("no root document is named")?;
    let (root, root_chain) = read_root(path)?;
    let devices = options.devices.as_deref().context("no file of devices is named")?;
    let units = read_units(options.units.as_deref(), devices)?;
    let (built, seed) = build_as_asked(options, &root, &units, clock.real_time())?;
    draft::write(&options.output, &built.draft, &root_chain, &built.facts, &seed)?;
    write!(out, "{}", built.facts)?;
    writeln!(out, "draft      {}: not approved, not signed", options.output.display())?;
    Ok(())
}

fn build_package(
    options: &BuildOptions,
    keys: &Path,
    clock: &dyn Clock,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if !options.force && options.output.exists() {
        bail!("{}: the file is there already; --force replaces it", options.output.display());
    }
    let beside_keys = keys.join(super::DEVICES);
    let keys = Keys::read(keys)?;
    let now = clock.real_time();
    let devices = options.devices.as_deref().unwrap_or(&beside_keys);
    let units = read_units(options.units.as_deref(), devices)?;
    let (built, seed) = build_as_asked(options, &keys.public.root, &units, now)?;
    let first = units.units.first().map(|unit| unit.unit).unwrap_or_default();
    let unit = options.unit.unwrap_or(first);
    let draft = &built.draft;
    let bytes =
        package::write_package(&options.output, draft, unit, &keys, &seed, now, options.force)?;
    writeln!(
        out,
        "{}: {}, {} bytes, {:.2} bytes a row",
        options.output.display(),
        super::super::counted(built.rows, "row"),
        bytes,
        bytes as f64 / built.rows.max(1) as f64
    )?;
    let seed = super::seed_beside(&options.output);
    writeln!(out, "{}: the secret that opens it; it is carried nowhere", seed.display())?;
    Ok(())
}

fn build_as_asked(
    options: &BuildOptions,
    root: &Root,
    units: &Units,
    now: DeviceTime,
) -> anyhow::Result<(Built, Seed)> {
    let terms = options.terms.terms(root, now);
    if options.source == Source::Anchors && options.base.is_some() {
        bail!("anchors have no deltas, and take no --base");
    }
    let base = options.base.as_deref().map(OpenBase::read).transpose()?;
    let order = Order {
        source: options.source,
        input: &options.input,
        refused: &options.refused,
        beside: &options.output,
        lapsed: lapsed(options.keep_lapsed, root, terms.created)?,
        regions: regions(options, base.as_ref())?,
        terms,
        units,
        base: base.as_ref(),
    };
    let seed = match &options.seed {
        Some(path) => draft::read_seed(path)?,
        None => build::draw_seed()?,
    };
    Ok((order.build(&seed)?, seed))
}

fn regions(options: &BuildOptions, base: Option<&OpenBase>) -> anyhow::Result<Option<Regions>> {
    match (options.source, &options.regions, base) {
        (Source::Notices, None, _) => Ok(None),
        (Source::Notices, Some(_), _) => bail!("notices are national and have no --regions"),
        (Source::Anchors, None, _) => Ok(None),
        (Source::Anchors, Some(_), _) => bail!("anchors are national and have no --regions"),
        (Source::Register, Some(regions), None) => Ok(Some(regions.clone())),
        (Source::Register, None, Some(base)) => {
            Ok(Some(Regions::of_numbers(&base.of.inner.regions)))
        }
        (Source::Register, Some(_), Some(_)) => {
            bail!("a delta covers the regions of its base, and takes no --regions")
        }
        (Source::Register, None, None) => {
            bail!("a register must say which --regions it covers whole, such as 001,048 or all")
        }
    }
}

/// A list for real use has no notice that has lapsed, whoever asks for it.
pub(super) fn lapsed(keep: bool, root: &Root, created: i64) -> anyhow::Result<Lapsed> {
    if !keep {
        return Ok(Lapsed::RefuseOn(Date::from_days(DeviceTime(created).vietnam_day())));
    }
    if root.purpose != Purpose::Demo {
        bail!("--keep-lapsed is for demonstrations, and this root is for real use");
    }
    Ok(Lapsed::KeepForDemonstration)
}

/// The full list that a delta is built against, opened.
pub(in super::super) struct OpenBase {
    pub of: BaseOf,
    pub folder: DraftFolder,
    pub seed: Seed,
}

impl OpenBase {
    pub(super) fn read(path: &Path) -> anyhow::Result<OpenBase> {
        let folder = DraftFolder::read(path)?;
        let seed = folder.seed()?;
        let of = folder.base_of(&seed)?;
        Ok(OpenBase { of, folder, seed })
    }
}

/// What is to be built: the same for whoever builds and for whoever approves.
pub(in super::super) struct Order<'a> {
    pub source: Source,
    pub input: &'a Input,
    pub refused: &'a RefusedOptions,
    /// The file or folder beside which refused rows are listed.
    pub beside: &'a Path,
    pub lapsed: Lapsed,
    pub regions: Option<Regions>,
    pub terms: Terms,
    pub units: &'a Units,
    pub base: Option<&'a OpenBase>,
}

/// What was built.
pub(in super::super) struct Built {
    pub draft: Draft,
    /// What it is, for people: the same text from the same source.
    pub facts: String,
    /// The rows that it holds.
    pub rows: u64,
}

impl Order<'_> {
    /// Reads the rows and builds the list.
    pub(in super::super) fn build(&self, seed: &Seed) -> anyhow::Result<Built> {
        match self.source {
            Source::Notices => {
                let (rows, refused) = self.read_notices()?;
                self.build_notices(&rows, refused, seed)
            }
            Source::Register => {
                let key = self.tag_key(seed)?;
                let (rows, refused) = self.read_register([&key])?;
                self.build_register(|| rows.under(0), refused, seed)
            }
            Source::Anchors => self.build_anchors(&self.read_anchors()?, seed),
        }
    }

    /// Reads the notices, and how many rows were refused.
    pub(in super::super) fn read_notices(&self) -> anyhow::Result<(Vec<Notice>, u64)> {
        self.refused.read_notices(self.input, self.lapsed, self.beside)
    }

    /// Returns the key that rows are sealed with: a delta's is that of its base.
    pub(in super::super) fn tag_key(&self, seed: &Seed) -> anyhow::Result<TagKey> {
        match self.base {
            Some(base) => base.folder.tag_key(&base.seed),
            None => Ok(TagKey::new(*seed.tag_key())),
        }
    }

    /// Reads the register, and how many rows were refused.
    pub(in super::super) fn read_register<const KEYS: usize>(
        &self,
        keys: [&TagKey; KEYS],
    ) -> anyhow::Result<(crate::snapshot::source::SealedRows<KEYS>, u64)> {
        let regions = self.regions.as_ref().context("a register names its regions")?;
        self.refused.read_register(self.input, keys, regions, self.beside)
    }

    /// Builds a full list of these notices, or what changed since the base.
    pub(in super::super) fn build_notices(
        &self,
        rows: &[Notice],
        refused: u64,
        seed: &Seed,
    ) -> anyhow::Result<Built> {
        let (terms, units) = (self.terms, &self.units.units[..]);
        let draft = match self.base {
            None => build::notices(rows, terms, units, seed),
            Some(base) => {
                let before = base.folder.notices(&base.seed)?;
                let difference = NoticeDifference::between(&before, rows);
                let changed: Vec<Notice> =
                    difference.of_the_later(rows).into_iter().cloned().collect();
                let withdrawn: Vec<u64> = difference.withdrawn.iter().map(|(id, _)| *id).collect();
                build::notices_delta(&base.of, &changed, &withdrawn, terms, units, seed)
            }
        };
        self.built(draft, refused, seed)
    }

    /// Builds a full list of these rows, or what changed since the base; `rows` gives them twice if need
    /// be.
    pub(in super::super) fn build_register<I: Iterator<Item = RegisterRow>>(
        &self,
        rows: impl Fn() -> I,
        refused: u64,
        seed: &Seed,
    ) -> anyhow::Result<Built> {
        let (terms, units) = (self.terms, &self.units.units[..]);
        let draft = match self.base {
            None => {
                let regions = self.regions.as_ref().map(Regions::numbers).unwrap_or_default();
                build::register(rows(), regions, terms, units, seed)
            }
            Some(base) => {
                let before = base.folder.register_rows(&base.seed)?;
                let changes = register_changes(before, rows()).map(RegisterChange::delta_row);
                build::register_delta(&base.of, changes, terms, units, seed)
            }
        };
        self.built(draft, refused, seed)
    }

    /// Reads the anchors, and says which files repeat others.
    pub(in super::super) fn read_anchors(&self) -> anyhow::Result<Vec<Anchor>> {
        if self.refused.is_asked_for() {
            bail!("anchors are taken whole or not at all: no --allow-refused, no --report");
        }
        let read = self.input.read_anchors()?;
        for (file, same) in &read.duplicates {
            eprintln!("{}: {file} repeats what is in {same}: taken once", self.input.name());
        }
        for list in &read.shortened {
            eprintln!("{}: {list}", self.input.name());
        }
        Ok(read.anchors)
    }

    /// Builds a full list of these anchors.
    pub(in super::super) fn build_anchors(
        &self,
        anchors: &[Anchor],
        seed: &Seed,
    ) -> anyhow::Result<Built> {
        let draft = build::anchors(anchors, self.terms, &self.units.units, seed);
        let mut built = self.built(draft, 0, seed)?;
        built.facts += &super::anchors::list(anchors);
        Ok(built)
    }

    fn built(
        &self,
        draft: Result<Draft, BuildError>,
        refused: u64,
        seed: &Seed,
    ) -> anyhow::Result<Built> {
        let draft = draft.context("the list was not built")?;
        let (facts, rows) = facts::of_draft(&draft, seed, self.units, self.lapsed, refused)?;
        Ok(Built { draft, facts, rows })
    }
}
