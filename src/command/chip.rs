//! `fieldcheckctl chip`: reads chips on a desktop, proves what they say, and puts simulated ones into
//! a virtual reader.
//!
//! For testers, and for headquarters when a new kind of card comes up. It looks nobody up: that is
//! the device's business. Nothing that it prints is of the holder.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde::Serialize;
use sync_format::v1::anchors::Anchor;

use super::{files, input};
use crate::chip::contents::{self, Contents, Files, Texts};
use crate::chip::country::Country;
use crate::chip::files::FileId;
use crate::chip::proof::{CopyTest, NotACopy, Proof, Signed};
use crate::chip::read::MAX_FILE_BYTES;
use crate::chip::simulated::card::SimulatedCard;
use crate::chip::simulated::fault::Fault;
use crate::chip::simulated::vpcd::{Left, Slot};
use crate::chip::simulated::{contents as simulated, folder};
use crate::chip::trust::{Anchors, Revocation};
use crate::clock::Clock;
use crate::document::Date;

#[cfg(feature = "pcsc")]
mod read;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List the card readers of this machine
    #[cfg(feature = "pcsc")]
    Readers,
    /// Read a card in a reader, and say what it proves
    #[cfg(feature = "pcsc")]
    Read(read::ReadOptions),
    /// Prove a saved reading again, without the card
    Verify(VerifyOptions),
    /// Put a simulated card into a virtual reader (vsmartcard-vpcd), until it is taken out
    Simulate(SimulateOptions),
}

#[derive(Args)]
struct Common {
    /// Folder with certificates and revocation lists of states; without it, nothing is genuine
    #[arg(long, value_name = "DIR")]
    csca: Option<PathBuf>,
    /// Print one JSON line; nothing personal stands in it
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct VerifyOptions {
    /// Folder of a saved reading, or of a simulated card
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
pub(super) struct SimulateOptions {
    /// Folder of a simulated card
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Address of the virtual reader
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:35963")]
    reader: SocketAddr,
    /// A fault that the card is to have; may be given several times
    #[arg(long, value_name = "FAULT")]
    fault: Vec<Fault>,
}

pub(super) fn run(
    command: &Command,
    clock: &dyn Clock,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    match command {
        #[cfg(feature = "pcsc")]
        Command::Readers => read::list_readers(out),
        #[cfg(feature = "pcsc")]
        Command::Read(options) => read::read_card(options, clock, out),
        Command::Verify(options) => verify(options, clock, out),
        Command::Simulate(options) => simulate(options, out),
    }
}

impl Common {
    /// Returns what the folder of anchors holds.
    fn anchors(&self) -> anyhow::Result<Vec<Anchor>> {
        match &self.csca {
            Some(folder) => {
                let read = input::read_anchors(folder)?;
                for list in &read.shortened {
                    eprintln!("{}: {list}", folder.display());
                }
                Ok(read.anchors)
            }
            None => Ok(Vec::new()),
        }
    }
}

/// Returns the anchors by which the files of a chip are judged.
fn anchors_for(files: &Files<'_>, list: &[Anchor]) -> Anchors {
    let country = files.issuing_state().and_then(Country::of_issuing_state);
    country.map_or_else(Anchors::new, |country| Anchors::of_country(country, list))
}

fn verify(
    options: &VerifyOptions,
    clock: &dyn Clock,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let anchors = options.common.anchors()?;
    let mut saved = Vec::new();
    let entries =
        std::fs::read_dir(&options.folder).with_context(|| options.folder.display().to_string())?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(file) = simulated::file_of_name(name) {
            saved.push((file, files::read(&path, MAX_FILE_BYTES as u64)?));
        }
    }
    let find = |wanted| saved.iter().find(|(file, _)| *file == wanted).map(|(_, bytes)| &**bytes);
    let security_object = find(FileId::Sod)
        .with_context(|| format!("{}: there is no EF.SOD", options.folder.display()))?;
    let groups = saved.iter().filter_map(|(file, bytes)| match file {
        FileId::Dg(number) => Some((*number, bytes.as_slice())),
        _ => None,
    });
    let files = Files {
        security_object,
        groups: groups.collect(),
        // A file answers no challenge.
        copy: CopyTest::NotPossible,
        is_downgraded: false,
    };
    let anchors = anchors_for(&files, &anchors);
    let judged = contents::judge(&files, None, &anchors, today(clock))?;
    Report::of(&files, &judged).print(options.common.json, out)
}

fn simulate(options: &SimulateOptions, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let (contents, mut faults) = folder::read(&options.folder)?;
    faults.extend(&options.fault);
    let mut card = SimulatedCard::with_faults(contents, &faults);
    let slot = Slot::insert(options.reader)
        .with_context(|| format!("no virtual reader at {}", options.reader))?;
    writeln!(out, "a simulated card is in the virtual reader at {}", options.reader)?;
    out.flush()?;
    match slot.serve(&mut card)? {
        Left::Gone => writeln!(out, "the card has left the field")?,
        Left::Pulled => writeln!(out, "the card was taken out")?,
    }
    Ok(ExitCode::SUCCESS)
}

fn today(clock: &dyn Clock) -> Date {
    Date::from_days(clock.real_time().vietnam_day())
}

/// What a chip proved, in words for scripts. Nothing of the holder.
#[derive(Serialize)]
struct Report {
    proof: &'static str,
    why: Option<String>,
    signed_by: Option<String>,
    not_a_copy: Option<&'static str>,
    revocation: Option<&'static str>,
    differing: Vec<&'static str>,
    groups: Vec<u8>,
    texts: &'static str,
    unknown_texts: Vec<u64>,
    portrait: Option<[u32; 2]>,
    no_portrait: Option<String>,
    access: Option<&'static str>,
    counts: Option<CountsLine>,
    read_ms: Option<f64>,
    is_simulated: bool,
}

/// What a reading took.
#[derive(Serialize)]
struct CountsLine {
    commands: u32,
    commands_after_access: u32,
    commands_of_proof: u32,
    bytes_sent: u64,
    bytes_received: u64,
    bytes_reread: u64,
    resumed: u32,
}

impl Report {
    fn of(files: &Files<'_>, judged: &Contents) -> Report {
        let (why, signed, how) = match &judged.proof {
            Proof::Refuted(why) => (Some(format!("{why} [{}]", why.code())), None, None),
            Proof::Consistent(why) => (Some(why.to_string()), None, None),
            Proof::CopyNotExcluded(signed) => (None, Some(signed), None),
            Proof::Genuine(signed, how) => (None, Some(signed), Some(how)),
        };
        let texts = match &judged.texts {
            Texts::Missing => "missing",
            Texts::OtherForm(_) => "other-form",
            Texts::Read { unreadable: 0, .. } => "read",
            Texts::Read { .. } => "partly-unreadable",
        };
        let unknown_texts = match &judged.texts {
            Texts::Read { unknown, .. } => unknown.clone(),
            _ => Vec::new(),
        };
        Report {
            proof: judged.proof.code(),
            why,
            signed_by: signed.map(|signed| signed.country.to_string()),
            not_a_copy: how.map(|how| match how {
                NotACopy::ActiveAuthentication => "active-authentication",
                NotACopy::ChipAuthentication => "chip-authentication",
            }),
            revocation: signed.map(revocation),
            differing: judged.differing.iter().map(|detail| detail.code()).collect(),
            groups: files.groups.iter().map(|(number, _)| *number).collect(),
            texts,
            unknown_texts,
            portrait: judged.portrait.as_ref().ok().map(|it| [it.width, it.height]),
            no_portrait: judged.portrait.as_ref().err().map(ToString::to_string),
            access: None,
            counts: None,
            read_ms: None,
            is_simulated: false,
        }
    }

    /// A refuted document, or one that disagrees with the card around it, is an answer that scripts
    /// must not miss.
    fn print(&self, json: bool, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
        if json {
            writeln!(out, "{}", serde_json::to_string(self)?)?;
        } else {
            self.print_lines(out)?;
        }
        Ok(ExitCode::from(match self.proof {
            _ if !self.differing.is_empty() => 10,
            "genuine" => 0,
            "copy-not-excluded" | "consistent" => 5,
            _ => 10,
        }))
    }

    fn print_lines(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        writeln!(out, "document    {}", self.proof)?;
        let mut line = |name: &str, value: Option<&str>| match value {
            Some(value) => writeln!(out, "{name:<10}  {value}"),
            None => Ok(()),
        };
        line("why", self.why.as_deref())?;
        line("signed by", self.signed_by.as_deref())?;
        line("revocation", self.revocation)?;
        line("no copy by", self.not_a_copy)?;
        if !self.differing.is_empty() {
            line("differs in", Some(&self.differing.join(", ")))?;
        }
        let groups: Vec<String> = self.groups.iter().map(u8::to_string).collect();
        line("groups", Some(&groups.join(" ")))?;
        line("texts", Some(self.texts))?;
        match (self.portrait, &self.no_portrait) {
            (Some([width, height]), _) => line("picture", Some(&format!("{width} x {height}")))?,
            (None, why) => line("picture", why.as_deref())?,
        }
        line("opened by", self.access)?;
        if let (Some(counts), Some(ms)) = (&self.counts, self.read_ms) {
            let bytes = counts.bytes_sent + counts.bytes_received;
            let text = format!("{} commands, {bytes} bytes, {ms:.0} ms", counts.commands);
            line("reading", Some(&text))?;
        }
        if self.is_simulated {
            line("card", Some("simulated"))?;
        }
        Ok(())
    }
}

fn revocation(signed: &Signed) -> &'static str {
    match signed.revocation {
        Revocation::NoList => "no-list",
        Revocation::NotListed { is_stale: false, .. } => "not-revoked",
        Revocation::NotListed { is_stale: true, .. } => "not-on-an-old-list",
    }
}
