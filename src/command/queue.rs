//! `fieldcheckctl queue`: the records that wait on a device.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::time::Utc;
use super::unlock::DeviceOptions;
use crate::clock::Clock;
use crate::device::RecentKind;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List the records, oldest first: number, event, hour, state
    List(ListOptions),
    /// Verify numbers, hashes and signatures of all records
    Verify(VerifyOptions),
}

#[derive(Args)]
pub(super) struct ListOptions {
    #[command(flatten)]
    device: DeviceOptions,
    /// Print one JSON line a record
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct VerifyOptions {
    #[command(flatten)]
    device: DeviceOptions,
}

/// What a record's outside says, and what the device remembers of the last two days.
#[derive(Serialize)]
struct Line {
    number: u64,
    event: &'static str,
    kind: &'static str,
    hour: String,
    notices: Option<u64>,
    register: Option<u64>,
    state: &'static str,
}

pub(super) fn run(
    command: &Command,
    clock: Arc<dyn Clock>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match command {
        Command::List(options) => list(options, clock, out),
        Command::Verify(options) => verify(options, clock, out),
    }
}

fn list(options: &ListOptions, clock: Arc<dyn Clock>, out: &mut dyn Write) -> anyhow::Result<()> {
    let (_device, mut session) = options.device.unlock(clock)?;
    let headers = session.queue().headers(u32::MAX)?;
    let kinds: BTreeMap<u64, RecentKind> = session
        .recent(u32::MAX)?
        .into_iter()
        .filter_map(|recent| Some((recent.sequence, RecentKind::from_number(recent.kind)?)))
        .collect();
    session.log_lock()?;
    for header in headers.iter().rev() {
        let event = header.event.code();
        let line = Line {
            number: header.sequence,
            event,
            kind: kinds.get(&header.sequence).map_or(event, |kind| kind.code()),
            hour: Utc(i64::from(header.hour) * 3_600).to_string(),
            notices: header.notices.map(|version| version.version),
            register: header.register.map(|version| version.version),
            // Nothing is sent yet, so every record waits.
            state: "waiting",
        };
        if options.json {
            writeln!(out, "{}", serde_json::to_string(&line)?)?;
        } else {
            let Line { number, event, kind, hour, state, .. } = line;
            let kind = if kind == event { "" } else { kind };
            writeln!(out, "{number:>6}  {hour}  {event:<13}  {kind:<11}  {state}")?;
        }
    }
    Ok(())
}

fn verify(
    options: &VerifyOptions,
    clock: Arc<dyn Clock>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let (_device, mut session) = options.device.unlock(clock)?;
    let verified = session.verify_queue();
    session.log_lock()?;
    let records = super::counted(verified?, "record");
    writeln!(out, "{records}: numbers, hashes and signatures hold")?;
    Ok(())
}
