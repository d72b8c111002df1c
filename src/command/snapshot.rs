//! `fieldcheckctl snapshot`: from rows to a list that devices believe, and back to its facts.
//!
//! The way of a list: one builds a draft, another approves it (builds it again from the source and
//! compares), each signs on his own machine, and it is published. Drafts are carried by file, and none
//! of these machines needs a network.

mod anchors;
mod approve;
mod build;
mod facts;
mod inspect;
mod package;
mod sign;
mod verify;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use sync_format::v1::package::Freshness;

use super::files;
use crate::clock::Clock;
use crate::snapshot::units::{self, MAX_UNITS_FILE_BYTES, Units};

pub(super) use build::Order;
pub(super) use package::write_package;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Build a draft from CSV, PostgreSQL or a folder; refused rows are named, and nothing is made of the rest
    Build(build::BuildOptions),
    /// Build a draft again from the source, compare it byte by byte, and show what changed
    Approve(approve::ApproveOptions),
    /// Sign a draft with one key
    Sign(sign::SignOptions),
    /// Make the package of one unit from a signed draft
    Package(package::PackageOptions),
    /// Show what a package says to whoever finds it, without verifying it
    Inspect(inspect::InspectOptions),
    /// Verify a package, every part of it, under a root
    Verify(verify::VerifyOptions),
}

/// What a package can carry today.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Source {
    /// Columns notice, category, code, decision, issuer, decided, valid_to, action, contact, name,
    /// aliases, birth, sex, numbers, caution, marks
    Notices,
    /// Columns number, name, birth, issued, status
    Register,
    /// A folder of certificates (.cer, .crt, .der, .pem), revocation lists (.crl) and master lists (.ml)
    /// that chips are proven by
    Anchors,
}

/// Days until a package expires. Chosen: a month on a stick, and then it is no help any more.
pub(super) const EXPIRES_DAYS: u32 = 30;

/// How long a list answers. Chosen: fresh for a day of duty, usable for a week of patrol.
pub(super) const FRESHNESS: Freshness = Freshness { fresh_hours: 24, usable_hours: 168 };
const _: () = assert!(FRESHNESS.fresh_hours < FRESHNESS.usable_hours);

/// The file of devices among the keys of a trial.
pub(super) const DEVICES: &str = "devices.csv";

/// The unit of trials.
pub(super) const UNIT: u32 = 1;

/// Where a trial keeps the seed of a package: beside it, as no headquarters would.
pub(super) fn seed_beside(package: &Path) -> PathBuf {
    package.with_extension("seed")
}

/// Reads the files of units and devices. Without a file of units every unit of the devices reads all
/// regions, by the list's own rules: for trials.
pub(super) fn read_units(units: Option<&Path>, devices: &Path) -> anyhow::Result<Units> {
    let read = |path: &Path| files::read(path, MAX_UNITS_FILE_BYTES);
    let known = units::read_devices(read(devices)?.as_slice())
        .with_context(|| devices.display().to_string())?;
    let Some(path) = units else { return Ok(Units::of_devices(known)) };
    let units =
        units::read_units(read(path)?.as_slice()).with_context(|| path.display().to_string())?;
    Units::join(units, known).with_context(|| devices.display().to_string())
}

pub(super) fn run(command: &Command, clock: &dyn Clock, out: &mut dyn Write) -> anyhow::Result<()> {
    match command {
        Command::Build(options) => build::run(options, clock, out),
        Command::Approve(options) => approve::run(options, out),
        Command::Sign(options) => sign::run(options, out),
        Command::Package(options) => package::run(options, clock, out),
        Command::Inspect(options) => inspect::run(options, out),
        Command::Verify(options) => verify::run(options, clock, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::source::{ANCHOR_ENDINGS, NOTICE_COLUMNS, REGISTER_COLUMNS};

    #[test]
    fn the_columns_in_the_help_are_those_of_the_sources() {
        for (source, columns) in
            [(Source::Notices, &NOTICE_COLUMNS[..]), (Source::Register, &REGISTER_COLUMNS[..])]
        {
            let value = source.to_possible_value().expect("none is skipped");
            let help = value.get_help().expect("each has a text").to_string();
            assert_eq!(help, format!("Columns {}", columns.join(", ")));
        }
        let anchors = Source::Anchors.to_possible_value().expect("none is skipped");
        let help = anchors.get_help().expect("each has a text").to_string();
        for (ending, _) in ANCHOR_ENDINGS {
            assert!(help.contains(&format!(".{ending}")), "{ending}");
        }
    }
}
