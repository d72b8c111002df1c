//! `fieldcheckctl mrz`: what the machine-readable zones of pictures say, before anybody makes sense
//! of it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::card;
use crate::camera::mrz;

#[derive(Args)]
pub(super) struct Options {
    /// Print one JSON line a file: its name, the zones, and the milliseconds from the decoded
    /// picture to the zones
    #[arg(long)]
    json: bool,
    /// Pictures, PNG or JPEG
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// One file's line.
#[derive(Serialize)]
struct Line {
    file: String,
    zones: Vec<String>,
    ms: f64,
}

/// A picture without a zone is an answer, a picture that cannot be read is an error.
pub(super) fn run(options: &Options, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut status = ExitCode::SUCCESS;
    for path in &options.files {
        let file = path.display().to_string();
        let (zones, ms) = match card::open_picture(path) {
            Ok(frame) => {
                let start = Instant::now();
                let zones = mrz::zones(&frame);
                (zones, card::milliseconds(start.elapsed()))
            }
            Err(why) => {
                let code = why.code();
                eprintln!("error: {file}: {} [{code}]", super::chain(&why.into()));
                status = ExitCode::FAILURE;
                (Vec::new(), 0.0)
            }
        };
        // A zone is made of capitals, digits and `<`: no terminal takes it for a command.
        let zones: Vec<String> = zones.into_iter().map(|zone| zone.text).collect();
        if options.json {
            writeln!(out, "{}", serde_json::to_string(&Line { file, zones, ms })?)?;
        } else {
            let found = super::counted(zones.len() as u64, "zone");
            writeln!(out, "{file}  {found}  [{ms:.1} ms]")?;
            for line in zones.iter().flat_map(|zone| zone.lines()) {
                writeln!(out, "  {line}")?;
            }
        }
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_file_zones_and_ms_in_this_order() {
        let line = |zones: &[&str]| {
            let zones = zones.iter().map(|zone| (*zone).to_owned()).collect();
            serde_json::to_string(&Line { file: "a.png".into(), zones, ms: 1.5 }).unwrap()
        };
        assert_eq!(line(&[]), r#"{"file":"a.png","zones":[],"ms":1.5}"#);
        assert_eq!(line(&["P<\nL8"]), r#"{"file":"a.png","zones":["P<\nL8"],"ms":1.5}"#);
    }
}
