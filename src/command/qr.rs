//! `fieldcheckctl qr`: what the QR codes of pictures hold, before anybody makes sense of it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::card;
use super::files::hex;
use crate::camera::decode::Payload;

#[derive(Args)]
pub(super) struct Options {
    /// Print one JSON line a file: its name, the payloads, and the milliseconds from the decoded
    /// picture to the payloads
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
    payloads: Vec<Text>,
    ms: f64,
}

/// A payload: its text, or its bytes where they are none.
#[derive(Serialize)]
#[serde(untagged)]
enum Text {
    Text(String),
    Bytes { hex: String },
}

impl From<Payload> for Text {
    fn from(payload: Payload) -> Text {
        match String::from_utf8(payload.bytes) {
            Ok(text) => Text::Text(text),
            Err(error) => Text::Bytes { hex: hex(error.as_bytes()) },
        }
    }
}

/// A picture without a code is an answer, a picture that cannot be read is an error.
pub(super) fn run(options: &Options, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut status = ExitCode::SUCCESS;
    for path in &options.files {
        let file = path.display().to_string();
        let (payloads, ms) = match card::decode_picture(path) {
            Ok(decoded) => (decoded.payloads, decoded.took.map_or(0.0, card::milliseconds)),
            Err(why) => {
                let code = why.code();
                eprintln!("error: {file}: {} [{code}]", super::chain(&why.into()));
                status = ExitCode::FAILURE;
                (Vec::new(), 0.0)
            }
        };
        let payloads: Vec<Text> = payloads.into_iter().map(Text::from).collect();
        if options.json {
            writeln!(out, "{}", serde_json::to_string(&Line { file, payloads, ms })?)?;
        } else {
            let codes = super::counted(payloads.len() as u64, "code");
            writeln!(out, "{file}  {codes}  [{ms:.1} ms]")?;
            for payload in payloads {
                match payload {
                    // A code can hold what a terminal would take for a command.
                    Text::Text(text) => writeln!(out, "  {}", printable(&text))?,
                    Text::Bytes { hex } => writeln!(out, "  hex {hex}")?,
                }
            }
        }
    }
    Ok(status)
}

/// Writes control characters as escapes.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(payloads: &[&[u8]]) -> String {
        let payloads = payloads.iter().map(|bytes| Payload { bytes: bytes.to_vec() }.into());
        let line = Line { file: "a.png".into(), payloads: payloads.collect(), ms: 1.5 };
        serde_json::to_string(&line).unwrap()
    }

    #[test]
    fn a_line_has_file_payloads_and_ms_in_this_order() {
        assert_eq!(line(&[]), r#"{"file":"a.png","payloads":[],"ms":1.5}"#);
        assert_eq!(
            line(&["Vũ|\r\n".as_bytes(), b"\xFF\x00"]),
            r#"{"file":"a.png","payloads":["Vũ|\r\n",{"hex":"ff00"}],"ms":1.5}"#
        );
    }

    #[test]
    fn a_payload_cannot_speak_to_the_terminal() {
        assert_eq!(printable("a\u{1b}[2J\nẫ"), "a\\u{1b}[2J\\nẫ");
    }
}
