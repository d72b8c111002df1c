//! `fieldcheckctl mrz`: what the machine-readable zones of pictures say, before anybody makes sense
//! of it.

use std::time::Duration;

use super::pictures::Search;
use crate::camera::Frame;
use crate::camera::mrz::{self, Zone, ZoneScanner};

/// Reads machine-readable zones.
#[derive(Default)]
pub(super) struct Zones(ZoneScanner);

impl Search for Zones {
    type Found = String;
    const KEY: &'static str = "zones";
    const NAME: &'static str = "zone";

    fn single(frame: &Frame) -> Vec<String> {
        texts(mrz::zones(frame))
    }

    fn next(&mut self, frame: &Frame, _: Duration) -> Vec<String> {
        texts(self.0.read(frame))
    }

    /// A zone is made of capitals, digits and `<`: no terminal takes it for a command.
    fn lines(found: &String) -> Vec<String> {
        found.lines().map(str::to_owned).collect()
    }
}

fn texts(zones: Vec<Zone>) -> Vec<String> {
    zones.into_iter().map(|zone| zone.text).collect()
}

#[cfg(test)]
mod tests {
    use super::super::pictures::Line;
    use super::*;

    #[test]
    fn a_line_has_file_zones_and_ms_in_this_order() {
        let line = |zones: &[&str]| {
            let found = zones.iter().map(|zone| (*zone).to_owned()).collect();
            let line: Line<Zones> = Line { file: "a.png".into(), frames: None, found, ms: 1.5 };
            serde_json::to_string(&line).unwrap()
        };
        assert_eq!(line(&[]), r#"{"file":"a.png","zones":[],"ms":1.5}"#);
        assert_eq!(line(&["P<\nL8"]), r#"{"file":"a.png","zones":["P<\nL8"],"ms":1.5}"#);
    }
}
