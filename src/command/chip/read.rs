//! `fieldcheckctl chip readers` and `read`: cards in the readers of this machine.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use super::super::card::{self, Given};
use super::{Common, CountsLine, Report, anchors_for, today};
use crate::chip::Card;
use crate::chip::contents::{self, Contents, Files};
use crate::chip::files::FileId;
use crate::chip::length::LengthMemory;
use crate::chip::password::{Can, Password};
use crate::chip::proof::Proof;
use crate::chip::read::{self, Counts, Reading, Step, Wanted};
use crate::chip::simulated::issuer::{Algorithms, DEMO_STATE, Issuer};
use crate::chip::trust::Anchors;
use crate::clock::Clock;
use crate::document::{Date, Document};
use crate::platform::pcsc::{ANSWER_WITHIN, PcscCard, Readers};

#[derive(Args)]
pub(in crate::command) struct ReadOptions {
    /// Name of the reader, or a part of it; without it, the first that has a card
    #[arg(long, value_name = "READER")]
    reader: Option<String>,
    #[command(flatten)]
    key: Key,
    #[command(flatten)]
    common: Common,
    /// Keep the files in this new folder; for cards of the invented state only, since a saved chip is a
    /// saved person
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    /// Seconds to wait for a card, and for one that was lost
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(0..=600))]
    wait: u64,
}

/// What opens the chip: exactly one.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Key {
    /// The access number: on a Vietnamese card, the last six digits of the personal number
    #[arg(long, value_name = "N")]
    can: Option<String>,
    /// Picture of the card's QR code, or a `.txt` file with its payload
    #[arg(long, value_name = "FILE")]
    qr: Option<PathBuf>,
    /// Picture of the machine-readable zone, or a `.txt` file with it
    #[arg(long, value_name = "FILE")]
    mrz: Option<PathBuf>,
}

pub(super) fn list_readers(out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let readers = Readers::new()?.now()?;
    for reader in &readers {
        let state = if reader.has_card { "card" } else { "empty" };
        writeln!(out, "{state:<5}  {}", reader.name)?;
    }
    if readers.is_empty() {
        writeln!(out, "no card reader")?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn read_card(
    options: &ReadOptions,
    clock: &dyn Clock,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let anchors = options.common.anchors()?;
    let (password, printed) = options.key.password()?;
    let patience = Duration::from_secs(options.wait);
    let reader = the_reader(options.reader.as_deref(), patience)?;
    let mut card = PcscCard::open(&reader, patience, ANSWER_WITHIN)?;
    let mut reading = Reading::new(password, Wanted::ALL);
    let mut lengths = LengthMemory::default();
    let begun = Instant::now();
    let outcome =
        read::read_through(&mut card, &mut reading, &mut lengths, patience, &mut |step| {
            if step == Step::Resuming {
                eprintln!("the card was lost: hold it to the reader again");
            }
            ControlFlow::Continue(())
        });
    if let Err(error) = outcome {
        let code = error.code();
        return Err(anyhow::Error::new(error).context(format!("the chip was not read [{code}]")));
    }
    let took = begun.elapsed();
    let files = Files::of(&reading).context("the chip gave no security object")?;
    let anchors = anchors_for(&files, &anchors);
    let judged = contents::judge(&files, printed.as_ref(), &anchors, today(clock))?;
    if let Some(folder) = &options.save {
        save(folder, &reading, &judged)?;
    }
    let report = Report {
        access: reading.access().map(|access| access.code()),
        counts: Some(CountsLine::of(reading.counts())),
        read_ms: Some(card::milliseconds(took)),
        is_simulated: card.is_simulated(),
        ..Report::of(&files, &judged)
    };
    report.print(options.common.json, out)
}

/// Returns the reader that is meant, once a card is in it.
fn the_reader(named: Option<&str>, patience: Duration) -> anyhow::Result<String> {
    let mut readers = Readers::new()?;
    let mut there = readers.now()?;
    let begun = Instant::now();
    loop {
        let mut meant = there.iter().filter(|it| named.is_none_or(|name| it.name.contains(name)));
        if let Some(reader) = meant.clone().find(|reader| reader.has_card) {
            return Ok(reader.name.clone());
        }
        let left = patience.saturating_sub(begun.elapsed());
        if left.is_zero() {
            match (meant.next(), named) {
                (Some(reader), _) => bail!("no card is in the reader {}", reader.name),
                (None, Some(name)) => bail!("there is no card reader {name}"),
                (None, None) => bail!("there is no card reader"),
            }
        }
        there = readers.wait(left)?;
    }
}

impl Key {
    /// Returns what opens the chip, and the document around it where one was read.
    fn password(&self) -> anyhow::Result<(Password, Option<Document>)> {
        if let Some(can) = &self.can {
            let can = Can::new(can).context("an access number has six digits")?;
            return Ok((Password::of_can(can), None));
        }
        let (path, document) = match (&self.qr, &self.mrz) {
            (Some(path), _) => (path, card::read(&Given::of(path))),
            (None, Some(path)) => (path, card::read_zone(&Given::of(path))),
            (None, None) => bail!("nothing opens the chip"),
        };
        let document = document.with_context(|| path.display().to_string())?;
        Ok((Password::of_document(&document), Some(document)))
    }
}

/// Keeps the files of a reading, where the invented state issued them.
fn save(folder: &Path, reading: &Reading, judged: &Contents) -> anyhow::Result<()> {
    // The secret keys of that state are in every copy of this program: it vouches for nobody.
    ensure!(
        is_invented(reading, judged),
        "only cards of the invented state are saved: a saved chip is a saved person"
    );
    std::fs::create_dir(folder).with_context(|| folder.display().to_string())?;
    let keep = |file: FileId, bytes: &[u8]| {
        let path = folder.join(file.to_string());
        std::fs::write(&path, bytes).with_context(|| path.display().to_string())
    };
    for file in [FileId::Com, FileId::Sod] {
        if let Some(bytes) = reading.file(file) {
            keep(file, bytes)?;
        }
    }
    for (number, bytes) in reading.groups() {
        keep(FileId::Dg(number), bytes)?;
    }
    Ok(())
}

fn is_invented(reading: &Reading, judged: &Contents) -> bool {
    let Some(files) = Files::of(reading) else { return false };
    let mut anchors = Anchors::new();
    for algorithms in [Algorithms::Brainpool, Algorithms::Nist, Algorithms::Rsa] {
        let issuer = Issuer::new(DEMO_STATE, algorithms);
        if anchors.add_certificate(&issuer.anchor()).is_err() {
            return false;
        }
    }
    let today = judged.document.issued.as_ref().map_or(Date::MIN, |issued| issued.value);
    // Whatever the operator's anchors say: this is about one state alone.
    let again = contents::judge(&files, None, &anchors, today);
    again.is_ok_and(|it| matches!(it.proof, Proof::Genuine(..) | Proof::CopyNotExcluded(_)))
}

impl CountsLine {
    fn of(counts: Counts) -> CountsLine {
        CountsLine {
            commands: counts.commands,
            commands_after_access: counts.commands_after_access,
            commands_of_proof: counts.commands_of_proof,
            bytes_sent: counts.bytes_sent,
            bytes_received: counts.bytes_received,
            bytes_reread: counts.bytes_reread,
            resumed: counts.resumed,
        }
    }
}
