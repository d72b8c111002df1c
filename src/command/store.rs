//! `fieldcheckctl store`: verifies what is installed on a device, row by row.

use std::io::Write;
use std::sync::Arc;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde::Serialize;
use sync_format::v1::package::Dataset;

use super::progress;
use super::unlock::DeviceOptions;
use crate::clock::Clock;
use crate::device::DeviceError;
use crate::store::install::Proceed;
use crate::store::state::Part;
use crate::store::verify::StoreFault;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Compare every installed row with what was signed
    ///
    /// What differs answers no more until it is installed again, and the status is 1.
    Verify(VerifyOptions),
}

#[derive(Args)]
pub(super) struct VerifyOptions {
    #[command(flatten)]
    device: DeviceOptions,
    /// Print one JSON line a list
    #[arg(long)]
    json: bool,
}

/// What was found of one list.
#[derive(Serialize)]
struct Line {
    dataset: &'static str,
    outcome: &'static str,
    rows: u64,
    changed_rows: u64,
    chunks: usize,
    /// Of a list that differs: `list` or `changes`.
    part: Option<&'static str>,
    /// Of a list that differs: which chunk, from 0.
    chunk: Option<usize>,
}

pub(super) fn run(
    command: &Command,
    clock: Arc<dyn Clock>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let Command::Verify(options) = command;
    let (_device, mut session) = options.device.unlock(clock)?;
    let mut differ = 0;
    let mut lines = Vec::new();
    for dataset in Dataset::ALL.iter().copied() {
        let bar = progress::bar(0, "verifying", "rows");
        let verified = session.verify_store(dataset, |at| {
            bar.set_length(at.of_rows);
            bar.set_position(at.rows);
            Proceed::Continue
        });
        bar.finish_and_clear();
        let line = match verified {
            Ok(verified) => Line {
                rows: verified.base_rows,
                changed_rows: verified.overlay_rows,
                chunks: verified.chunks,
                ..Line::of(dataset, "verified")
            },
            Err(DeviceError::Fault(StoreFault::NotInstalled)) => continue,
            Err(DeviceError::Fault(fault)) if fault.changed_part().is_some() => {
                differ += 1;
                let chunk = match fault {
                    StoreFault::Chunk { chunk, .. } => Some(chunk),
                    _ => None,
                };
                let part = fault.changed_part().map(|part| match part {
                    Part::Full => "list",
                    Part::Overlay => "changes",
                });
                Line { part, chunk, ..Line::of(dataset, fault.code()) }
            }
            Err(error) => {
                session.log_lock()?;
                return Err(error.into());
            }
        };
        lines.push(line);
    }
    session.log_lock()?;
    for line in &lines {
        if options.json {
            writeln!(out, "{}", serde_json::to_string(line)?)?;
        } else {
            line.write(out)?;
        }
    }
    if differ > 0 {
        bail!("{} not what was signed", super::counted(differ, "list"));
    }
    Ok(())
}

impl Line {
    fn of(dataset: Dataset, outcome: &'static str) -> Line {
        Line {
            dataset: dataset.code(),
            outcome,
            rows: 0,
            changed_rows: 0,
            chunks: 0,
            part: None,
            chunk: None,
        }
    }

    fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let Line { dataset, rows, changed_rows, chunks, .. } = self;
        match (self.part, self.chunk) {
            (Some(part), Some(chunk)) => {
                writeln!(out, "{dataset}: part {} of the {part} differs", chunk + 1)
            }
            (Some(part), None) => {
                writeln!(out, "{dataset}: the {part} holds more or less than was signed")
            }
            (None, _) => {
                let rows = super::counted(*rows, "row");
                let changes = super::counted(*changed_rows, "change");
                let parts = super::counted(*chunks as u64, "part");
                writeln!(out, "{dataset}: {rows} and {changes} in {parts} are what was signed")
            }
        }
    }
}
