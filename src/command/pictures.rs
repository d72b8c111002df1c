//! What `fieldcheckctl qr` and `fieldcheckctl mrz` have in common: pictures, one by one or as the
//! frames of a camera, and a line for each.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::card;
use crate::camera::pictures::PictureSource;
use crate::camera::{CameraError, Frame, FrameSource as _};

/// Between the pictures of a burst: what a camera of 30 frames a second gives.
const FRAME_EVERY: Duration = Duration::from_millis(33);

#[derive(Args)]
pub(super) struct Options {
    /// Print one JSON line a file or burst: its name, what was found, and the milliseconds from the
    /// decoded pictures to what was found; of a burst also the pictures looked at until then
    #[arg(long)]
    json: bool,
    /// A folder whose pictures, in the order of their names, are the frames of one camera: they are
    /// read together, until something is found
    #[arg(long, value_name = "DIR")]
    burst: Vec<PathBuf>,
    /// Pictures, PNG or JPEG
    #[arg(value_name = "FILE", required_unless_present = "burst")]
    files: Vec<PathBuf>,
}

/// What is looked for in pictures.
pub(super) trait Search {
    /// What is found.
    type Found: Serialize;
    /// What a line calls several of them.
    const KEY: &'static str;
    /// What one of them is called.
    const NAME: &'static str;

    /// Looks in a single picture.
    fn single(frame: &Frame) -> Vec<Self::Found>;

    /// Looks in the next frame of a camera.
    fn next(&mut self, frame: &Frame, at: Duration) -> Vec<Self::Found>;

    /// Writes what was found in lines that cannot speak to a terminal.
    fn lines(found: &Self::Found) -> Vec<String>;
}

/// One file's or burst's line.
pub(super) struct Line<S: Search> {
    pub(super) file: String,
    /// Of a burst: how many of its pictures were looked at.
    pub(super) frames: Option<u64>,
    pub(super) found: Vec<S::Found>,
    pub(super) ms: f64,
}

impl<S: Search> Serialize for Line<S> {
    fn serialize<T: Serializer>(&self, serializer: T) -> Result<T::Ok, T::Error> {
        let mut line = serializer.serialize_map(None)?;
        match self.frames {
            Some(frames) => {
                line.serialize_entry("burst", &self.file)?;
                line.serialize_entry("frames", &frames)?;
            }
            None => line.serialize_entry("file", &self.file)?,
        }
        line.serialize_entry(S::KEY, &self.found)?;
        line.serialize_entry("ms", &self.ms)?;
        line.end()
    }
}

impl<S: Search> Line<S> {
    fn write(&self, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
        if json {
            writeln!(out, "{}", serde_json::to_string(self)?)?;
            return Ok(());
        }
        let found = super::counted(self.found.len() as u64, S::NAME);
        let frames = match self.frames {
            Some(frames) => format!("{}, ", super::counted(frames, "frame")),
            None => String::new(),
        };
        writeln!(out, "{}  {found}  [{frames}{:.1} ms]", self.file, self.ms)?;
        for line in self.found.iter().flat_map(S::lines) {
            writeln!(out, "  {line}")?;
        }
        Ok(())
    }
}

/// Looks in every file and burst; one that holds nothing is an answer, one that cannot be read is an
/// error.
pub(super) fn run<S: Search + Default>(
    options: &Options,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let mut status = ExitCode::SUCCESS;
    for path in &options.files {
        let file = path.display().to_string();
        let (found, ms) = match card::open_picture(path) {
            Ok(frame) => {
                let start = Instant::now();
                let found = S::single(&frame);
                (found, card::milliseconds(start.elapsed()))
            }
            Err(why) => {
                tell(&file, why);
                status = ExitCode::FAILURE;
                (Vec::new(), 0.0)
            }
        };
        Line::<S> { file, frames: None, found, ms }.write(options.json, out)?;
    }
    for folder in &options.burst {
        let (line, is_whole) = burst::<S>(folder);
        line.write(options.json, out)?;
        if !is_whole {
            status = ExitCode::FAILURE;
        }
    }
    Ok(status)
}

/// Looks in the pictures of a folder until something is found; tells also whether all of those could
/// be read.
fn burst<S: Search + Default>(folder: &Path) -> (Line<S>, bool) {
    let file = folder.display().to_string();
    let mut line = Line { file: file.clone(), frames: Some(0), found: Vec::new(), ms: 0.0 };
    let source = if folder.is_file() { Err(card::NotRead::NotAFolder) } else { open_burst(folder) };
    let mut source = match source {
        Ok(source) => source,
        Err(why) => {
            tell(&file, why);
            return (line, false);
        }
    };
    let (mut search, mut frames, mut took) = (S::default(), 0, Duration::ZERO);
    let mut is_whole = true;
    while line.found.is_empty() {
        match source.next_frame() {
            Ok(frame) => {
                let start = Instant::now();
                line.found = search.next(&frame, FRAME_EVERY * frames);
                took += start.elapsed();
            }
            Err(CameraError::Ended) => break,
            Err(error) => {
                tell(&file, error.into());
                is_whole = false;
            }
        }
        frames += 1;
        source.advance();
    }
    line.frames = Some(frames.into());
    line.ms = card::milliseconds(took);
    (line, is_whole)
}

fn open_burst(folder: &Path) -> Result<PictureSource, card::NotRead> {
    PictureSource::open(&[folder.to_owned()]).map_err(|error| match error {
        CameraError::NotFound if folder.is_dir() => card::NotRead::NoPictures,
        CameraError::NotFound => card::NotRead::Missing,
        error => error.into(),
    })
}

fn tell(file: &str, why: card::NotRead) {
    let code = why.code();
    eprintln!("error: {file}: {} [{code}]", super::chain(&why.into()));
}
