//! `fieldcheckctl qr`: what the QR codes of pictures hold, before anybody makes sense of it.

use std::time::Duration;

use serde::Serialize;

use super::files::hex;
use super::pictures::Search;
use crate::camera::Frame;
use crate::camera::decode::{self, Payload};
use crate::camera::scanner::Scanner;

/// Reads QR codes.
#[derive(Default)]
pub(super) struct Codes(Scanner);

impl Search for Codes {
    type Found = Text;
    const KEY: &'static str = "payloads";
    const NAME: &'static str = "code";

    fn single(frame: &Frame) -> Vec<Text> {
        texts(decode::payloads(frame))
    }

    fn next(&mut self, frame: &Frame, at: Duration) -> Vec<Text> {
        texts(self.0.read(frame, at).payloads)
    }

    fn lines(found: &Text) -> Vec<String> {
        vec![match found {
            // A code can hold what a terminal would take for a command.
            Text::Text(text) => printable(text),
            Text::Bytes { hex } => format!("hex {hex}"),
        }]
    }
}

/// A payload: its text, or its bytes where they are none.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Text {
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

fn texts(payloads: Vec<Payload>) -> Vec<Text> {
    payloads.into_iter().map(Text::from).collect()
}

/// Writes control characters as escapes.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::pictures::Line;
    use super::*;

    fn line(frames: Option<u64>, payloads: &[&[u8]]) -> String {
        let payloads = payloads.iter().map(|bytes| Payload { bytes: bytes.to_vec() });
        let found = texts(payloads.collect());
        let line: Line<Codes> = Line { file: "a.png".into(), frames, found, ms: 1.5 };
        serde_json::to_string(&line).unwrap()
    }

    #[test]
    fn a_line_has_file_payloads_and_ms_in_this_order() {
        assert_eq!(line(None, &[]), r#"{"file":"a.png","payloads":[],"ms":1.5}"#);
        assert_eq!(
            line(None, &["Vũ|\r\n".as_bytes(), b"\xFF\x00"]),
            r#"{"file":"a.png","payloads":["Vũ|\r\n",{"hex":"ff00"}],"ms":1.5}"#
        );
    }

    #[test]
    fn a_line_of_a_burst_tells_the_pictures_looked_at() {
        let expected = r#"{"burst":"a.png","frames":3,"payloads":["x"],"ms":1.5}"#;
        assert_eq!(line(Some(3), &[b"x"]), expected);
    }

    #[test]
    fn a_payload_cannot_speak_to_the_terminal() {
        assert_eq!(printable("a\u{1b}[2J\nẫ"), "a\\u{1b}[2J\\nẫ");
    }
}
