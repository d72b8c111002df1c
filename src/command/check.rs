//! `fieldcheckctl check`: answers for cards, as the window gives them.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use serde::Serialize;
use sync_format::v1::record::CheckReason;

use super::card::{self, Checked, Given, NotRead};
use super::time::Utc;
use super::unlock::{DeviceOptions, is_standard_input};
use crate::checks::{ListState, Verdict};
use crate::clock::Clock;

#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    device: DeviceOptions,
    /// Print one JSON line a file; nothing personal stands in it beyond the file's name
    #[arg(long)]
    json: bool,
    /// Why the people are checked; stands in the records
    #[arg(
        long,
        value_name = "REASON",
        default_value = CheckReason::DocumentCheck.code(),
        value_parser = PossibleValuesParser::new(CheckReason::ALL.iter().map(|reason| reason.code()))
            .try_map(|code| code.parse::<CheckReason>()),
    )]
    reason: CheckReason,
    /// Pictures (PNG, JPEG), `.txt` files with the payload of a code or a machine-readable zone, or
    /// `-` for such text on standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

impl Options {
    /// Standard input holds one thing only.
    pub(super) fn validate(&self) -> Result<(), &'static str> {
        let files = self.files.iter().filter(|file| is_standard_input(file)).count();
        match (self.device.reads_standard_input(), files) {
            (true, 1..) => Err("`-` cannot be both the PIN file and a card"),
            (_, 2..) => Err("`-` can be named once only"),
            _ => Ok(()),
        }
    }
}

/// One file's answer.
#[derive(Serialize)]
struct AnswerLine {
    file: String,
    verdict: &'static str,
    reasons: Vec<&'static str>,
    todo: &'static str,
    proof: &'static str,
    list: Option<ListLine>,
    register: &'static str,
    document: &'static str,
    record: u64,
    ms: Times,
}

/// The list that answered.
#[derive(Serialize)]
struct ListLine {
    epoch: u32,
    version: u64,
    created: String,
    age_hours: u32,
    condition: &'static str,
}

/// Milliseconds: from the frame to the payload, and from there to the verdict.
#[derive(Serialize)]
struct Times {
    decode: Option<f64>,
    check: f64,
}

/// One file that gave no answer.
#[derive(Serialize)]
struct ErrorLine {
    file: String,
    error: &'static str,
    text: String,
}

pub(super) fn run(
    options: &Options,
    clock: Arc<dyn Clock>,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let (_device, mut session) = options.device.unlock(clock)?;
    let (mut strictest, mut failed) = (Verdict::Clear, false);
    for path in &options.files {
        let file = path.display().to_string();
        match card::check(&mut session, &Given::of(path), options.reason)? {
            Ok(checked) => {
                strictest = strictest.max(checked.answer.verdict);
                if options.json {
                    let line = AnswerLine::of(file, &checked);
                    writeln!(out, "{}", serde_json::to_string(&line)?)?;
                } else {
                    writeln!(out, "{}", card::Line(&file, &checked))?;
                }
            }
            Err(why) => {
                failed = true;
                let line = ErrorLine::of(file, why);
                if options.json {
                    writeln!(out, "{}", serde_json::to_string(&line)?)?;
                } else {
                    eprintln!("error: {}: {} [{}]", line.file, line.text, line.error);
                }
            }
        }
    }
    session.log_lock()?;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::from(status(strictest)) })
}

/// Returns the exit status that stands for a verdict. The numbers are for scripts and do not rise
/// with strictness; of several files the strictest *verdict* counts.
fn status(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Clear => 0,
        Verdict::NotListed => 5,
        Verdict::NotChecked => 30,
        Verdict::Refer => 10,
        Verdict::Match => 20,
    }
}

impl AnswerLine {
    fn of(file: String, checked: &Checked) -> AnswerLine {
        let answer = &checked.answer;
        AnswerLine {
            file,
            verdict: answer.verdict.code(),
            reasons: checked.reasons(),
            todo: answer.todo().code(),
            proof: answer.proof.code(),
            list: ListLine::of(&answer.list),
            register: answer.register.code(),
            document: checked.kind.code(),
            record: checked.record,
            ms: Times {
                decode: checked.decode.map(card::milliseconds),
                check: card::milliseconds(checked.check),
            },
        }
    }
}

impl ListLine {
    fn of(list: &ListState) -> Option<ListLine> {
        match *list {
            ListState::None => None,
            ListState::Loaded { version, created, age_hours, .. } => Some(ListLine {
                epoch: version.epoch,
                version: version.version,
                created: Utc(created.0).to_string(),
                age_hours,
                condition: list.condition().code(),
            }),
        }
    }
}

impl ErrorLine {
    fn of(file: String, why: NotRead) -> ErrorLine {
        ErrorLine { file, error: why.code(), text: super::chain(&why.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verdict_has_a_status_of_its_own_that_is_no_error() {
        let statuses: Vec<u8> = Verdict::ALL.into_iter().map(status).collect();
        assert_eq!(statuses, [0, 5, 30, 10, 20]);
    }
}
