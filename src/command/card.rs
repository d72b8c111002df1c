//! Reads one card and checks it: the path of the window, from the picture to the queued record.

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::files;
use super::unlock::is_standard_input;
use crate::camera::decode::{self, Payload};
use crate::camera::mrz::{self as zone_reader, Zone};
use crate::camera::pictures::PictureSource;
use crate::camera::{CameraError, Frame, FrameSource as _};
use crate::checks::{ListState, Verdict};
use crate::device::{DeviceError, Session};
use crate::document::mrz::{self, MrzError};
use crate::document::qr::{NoCard, NotACard};
use crate::document::{Document, DocumentKind, qr};
use crate::verdict::Answer;
use sync_format::v1::record::CheckReason;

/// Longest payload that is read from a file; what is longer than a card is refused by its parser,
/// which says the length.
const MAX_PAYLOAD_BYTES: u64 = 64 * 1024;

/// Why a file gave no card. Nothing of what it holds is repeated.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotRead {
    /// The picture cannot be used.
    #[error(transparent)]
    Picture(#[from] CameraError),
    /// The file with a payload cannot be used.
    #[error("{0}")]
    File(String),
    /// There is no such file.
    #[error("there is no such file")]
    Missing,
    /// A folder stands where a file should.
    #[error("this is a folder, not a file")]
    Folder,
    /// A file stands where a folder should.
    #[error("this is a file, not a folder")]
    NotAFolder,
    /// The folder holds neither PNG nor JPEG files.
    #[error("no picture is in the folder")]
    NoPictures,
    /// Neither a QR code nor a zone was read; the hint is what a person at the camera would be told.
    #[error("neither a QR code nor a machine-readable zone was read{}", .0.map(told).unwrap_or_default())]
    NoCode(Option<decode::Hint>),
    /// Several documents: which one is meant cannot be known.
    #[error("{0} documents are in the picture")]
    SeveralCards(usize),
    /// The code is no card's.
    #[error(transparent)]
    NotACard(#[from] NotACard),
    /// The text is laid out as a machine-readable zone, and is not a right one.
    #[error(transparent)]
    NotAZone(#[from] MrzError),
}

fn told(hint: decode::Hint) -> &'static str {
    match hint {
        decode::Hint::Dark => " (too dark)",
        decode::Hint::Glare => " (glare)",
        decode::Hint::Closer => " (too far away)",
        decode::Hint::Steady | decode::Hint::Focus => " (blurred)",
    }
}

impl NotRead {
    /// Returns a short name for scripts.
    pub(super) fn code(&self) -> &'static str {
        match self {
            NotRead::Picture(_) => "unreadable-picture",
            NotRead::File(_) => "unreadable-file",
            NotRead::Missing => "missing",
            NotRead::Folder => "folder",
            NotRead::NotAFolder => "not-a-folder",
            NotRead::NoPictures => "no-pictures",
            NotRead::NoCode(_) => "no-code",
            NotRead::SeveralCards(_) => "several-cards",
            NotRead::NotACard(why) => why.code(),
            NotRead::NotAZone(why) => why.code(),
        }
    }
}

/// Where a card is read from.
pub(super) enum Given<'a> {
    /// A picture.
    Picture(&'a Path),
    /// A file that holds the payload of a code.
    Payload(&'a Path),
    /// The payload of a code on standard input.
    StandardInput,
}

impl Given<'_> {
    /// Returns what the command line means by `path`: `-` is standard input, `.txt` a payload.
    pub(super) fn of(path: &Path) -> Given<'_> {
        if is_standard_input(path) {
            Given::StandardInput
        } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("txt")) {
            Given::Payload(path)
        } else {
            Given::Picture(path)
        }
    }
}

/// The payloads of one input, and how long the decoding of the picture took.
pub(super) struct Decoded {
    /// What the codes hold.
    pub payloads: Vec<Payload>,
    /// From the grey frame to what was read; `None` where there was no picture.
    pub took: Option<Duration>,
    /// The machine-readable zones, where there was no code of a card.
    zones: Vec<Zone>,
    hint: Option<decode::Hint>,
}

/// Reads the codes of a picture, and its zones where no code is a card's.
fn decode_picture(path: &Path) -> Result<Decoded, NotRead> {
    let frame = open_picture(path)?;
    let start = Instant::now();
    let payloads = decode::payloads(&frame);
    let has_card = payloads.iter().any(|payload| qr::is_meant_as_card(&payload.bytes));
    let zones = if has_card { Vec::new() } else { zone_reader::zones(&frame) };
    let took = Some(start.elapsed());
    let is_nothing = payloads.is_empty() && zones.is_empty();
    let hint = if is_nothing { decode::hint(&frame) } else { None };
    Ok(Decoded { payloads, took, zones, hint })
}

/// Reads a picture as a grey frame.
pub(super) fn open_picture(path: &Path) -> Result<Frame, NotRead> {
    if path.is_dir() {
        return Err(NotRead::Folder);
    }
    read_frame(path).map_err(|error| match error {
        CameraError::NotFound => NotRead::Missing,
        error => error.into(),
    })
}

fn read_frame(path: &Path) -> Result<Frame, CameraError> {
    PictureSource::open(&[PathBuf::from(path)])?.next_frame()
}

fn decode_given(given: &Given<'_>) -> Result<Decoded, NotRead> {
    let bytes = match given {
        Given::Picture(path) => return decode_picture(path),
        Given::Payload(path) => {
            files::read(path, MAX_PAYLOAD_BYTES).map_err(|error| not_read(&error))?.to_vec()
        }
        Given::StandardInput => {
            let mut bytes = Vec::new();
            io::stdin()
                .lock()
                .take(MAX_PAYLOAD_BYTES)
                .read_to_end(&mut bytes)
                .map_err(|error| NotRead::File(error.to_string()))?;
            bytes
        }
    };
    Ok(Decoded { payloads: vec![Payload { bytes }], took: None, zones: Vec::new(), hint: None })
}

/// Keeps the reason alone: whoever prints it names the file.
fn not_read(error: &anyhow::Error) -> NotRead {
    match error.root_cause().downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::NotFound) => NotRead::Missing,
        _ => NotRead::File(error.root_cause().to_string()),
    }
}

/// Returns the document of an input: text may be a machine-readable zone as well as a payload.
fn the_document(given: &Given<'_>, decoded: &Decoded) -> Result<Document, NotRead> {
    match (given, decoded.payloads.as_slice()) {
        (Given::Payload(_) | Given::StandardInput, [Payload { bytes }]) => {
            match std::str::from_utf8(bytes) {
                Ok(text) if is_laid_out_as_a_zone(text) => Ok(mrz::parse(text)?),
                _ => the_card(decoded),
            }
        }
        (Given::Picture(_), _) if !decoded.zones.is_empty() => the_zone(&decoded.zones),
        _ => the_card(decoded),
    }
}

/// Returns the document of the one zone of a picture.
fn the_zone(zones: &[Zone]) -> Result<Document, NotRead> {
    match zones {
        // A hint is about codes.
        [] => Err(NotRead::NoCode(None)),
        [zone] => Ok(mrz::parse(&zone.text)?),
        several => Err(NotRead::SeveralCards(several.len())),
    }
}

/// Whether a text has the fillers of a machine-readable zone and not the pipes of a QR code.
fn is_laid_out_as_a_zone(text: &str) -> bool {
    text.contains("<<") && !text.contains('|')
}

/// Returns the one card among the payloads of an input.
fn the_card(decoded: &Decoded) -> Result<Document, NotRead> {
    let payloads = decoded.payloads.iter().map(|payload| payload.bytes.as_slice());
    qr::the_card(payloads).map_err(|why| match why {
        NoCard::Nothing => NotRead::NoCode(decoded.hint),
        NoCard::Several(count) => NotRead::SeveralCards(count),
        NoCard::NotACard(why) => why.into(),
    })
}

/// A card that was checked, and the check recorded.
pub(super) struct Checked {
    /// The answer.
    pub answer: Answer,
    /// What kind of document it was.
    pub kind: DocumentKind,
    /// Number of the check's record in the queue.
    pub record: u64,
    /// From the frame to what was read; `None` where there was no picture.
    pub decode: Option<Duration>,
    /// From the payload to the verdict.
    pub check: Duration,
}

/// Reads the document of an input, and nothing else.
#[cfg(feature = "pcsc")]
pub(super) fn read(given: &Given<'_>) -> Result<Document, NotRead> {
    the_document(given, &decode_given(given)?)
}

/// Reads the machine-readable zone of a picture, whatever code is beside it, or what a text holds.
#[cfg(feature = "pcsc")]
pub(super) fn read_zone(given: &Given<'_>) -> Result<Document, NotRead> {
    let Given::Picture(path) = given else { return read(given) };
    the_zone(&zone_reader::zones(&open_picture(path)?))
}

/// Reads a card, judges it and records the check.
///
/// The outer error is the device's, after which no further file can be checked; the inner one is
/// this file's.
pub(super) fn check(
    session: &mut Session,
    given: &Given<'_>,
    reason: CheckReason,
) -> Result<Result<Checked, NotRead>, DeviceError> {
    let decoded = match decode_given(given) {
        Ok(decoded) => decoded,
        Err(why) => return Ok(Err(why)),
    };
    let start = Instant::now();
    let document = match the_document(given, &decoded) {
        Ok(document) => document,
        Err(why) => return Ok(Err(why)),
    };
    let answer = session.judge(&document)?;
    let check = start.elapsed();
    let record = session.record_check(&document, &answer, reason)?;
    Ok(Ok(Checked { answer, kind: document.kind, record, decode: decoded.took, check }))
}

impl Checked {
    /// Returns the codes of the findings, the strictest first, each once.
    pub(super) fn reasons(&self) -> Vec<&'static str> {
        let mut codes = Vec::new();
        for finding in &self.answer.findings {
            if !codes.contains(&finding.kind.code()) {
                codes.push(finding.kind.code());
            }
        }
        codes
    }
}

/// One line: verdict, file, reasons, what they rest on, times.
pub(super) struct Line<'a>(pub &'a str, pub &'a Checked);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line(file, checked) = self;
        let answer = &checked.answer;
        write!(f, "{:<11}  {file}  ", word(answer.verdict))?;
        let reasons = checked.reasons();
        if !reasons.is_empty() {
            write!(f, "{}  ", reasons.join(", "))?;
        }
        write!(f, "register {}, ", answer.register.code())?;
        match answer.list {
            ListState::None => write!(f, "no list, ")?,
            ListState::Loaded { version, age_hours, .. } => {
                write!(f, "list {version} is {age_hours} h old, ")?;
            }
        }
        write!(f, "document {}  [", answer.proof.code())?;
        if let Some(decode) = checked.decode {
            write!(f, "decode {:.1} ms, ", milliseconds(decode))?;
        }
        write!(f, "check {:.1} ms]", milliseconds(checked.check))
    }
}

/// Returns a duration in milliseconds, to the microsecond.
pub(super) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

/// Returns the words of a verdict, as the screen has them in English.
pub(super) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Clear => "CLEAR",
        Verdict::NotListed => "NOT LISTED",
        Verdict::NotChecked => "NOT CHECKED",
        Verdict::Refer => "REFER",
        Verdict::Match => "MATCH",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invented::shots::{BackKind, Level, OcrB, back};

    const CARD: &str = "048088999901||Nguyễn Văn Mẫu|02031988|Nam|Tổ 99, Đà Nẵng|15082021";

    fn decoded(payloads: &[&str]) -> Decoded {
        let payloads = payloads.iter().map(|text| Payload { bytes: text.as_bytes().to_vec() });
        Decoded {
            payloads: payloads.collect(),
            took: None,
            zones: Vec::new(),
            hint: Some(decode::Hint::Closer),
        }
    }

    #[test]
    fn the_one_card_among_other_codes_is_taken_and_two_cards_are_none() {
        let other_card = CARD.replace("999901", "999902");
        for (payloads, expected) in [
            (&[CARD][..], Ok(())),
            (&["https://example.org", CARD], Ok(())),
            (&[CARD, &other_card], Err("several-cards")),
            (&["https://example.org", "x"], Err("link")),
            (&[""], Err("empty")),
            (&[], Err("no-code")),
        ] {
            let outcome = the_card(&decoded(payloads)).map(|_| ()).map_err(|why| why.code());
            assert_eq!(outcome, expected, "{} payloads", payloads.len());
        }
    }

    #[test]
    fn text_in_the_form_of_a_zone_is_read_as_one() {
        let zone = "IDVNM0889999015048088999901<<5\n8803023M2803021VNM<<<<<<<<<<<4\n\
                    NGUYEN<<VAN<MAU<<<<<<<<<<<<<<<\n";
        let read = |text: &str| {
            the_document(&Given::StandardInput, &decoded(&[text]))
                .map(|document| document.kind)
                .map_err(|why| why.code())
        };
        assert_eq!(read(zone), Ok(DocumentKind::IdentityCardMrz));
        assert_eq!(read(&zone.replace("M2803021", "M2803022")), Err("wrong-check-digit"));
        assert_eq!(read(CARD), Ok(DocumentKind::CitizenCard));
        // A code in a picture is a code, also where it holds what a zone would.
        let in_picture = the_document(&Given::Picture(Path::new("a.png")), &decoded(&[zone]));
        assert!(matches!(in_picture, Err(NotRead::NotACard(_))), "{in_picture:?}");
        // Where no code is a card's, a zone is read, and of two it cannot be known which is meant.
        let shown = |payloads: &[&str], texts: &[&str]| {
            let zones = texts.iter().map(|text| Zone { text: (*text).to_owned() }).collect();
            let picture = Given::Picture(Path::new("a.png"));
            the_document(&picture, &Decoded { zones, ..decoded(payloads) })
                .map(|document| document.kind)
                .map_err(|why| why.code())
        };
        assert_eq!(shown(&[], &[zone]), Ok(DocumentKind::IdentityCardMrz));
        assert_eq!(shown(&["https://example.org"], &[zone]), Ok(DocumentKind::IdentityCardMrz));
        assert_eq!(shown(&[], &[zone, "another"]), Err("several-cards"));
        assert_eq!(shown(&["https://example.org"], &[]), Err("link"));
    }

    #[test]
    fn the_back_of_a_card_is_read_from_a_picture() {
        let font = OcrB::of_system().expect("the package fonts-ocr-b is installed");
        let Frame { width, height, luma, .. } =
            back(1, 0, Level::Easy, BackKind::Card, &font).frame;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("back.png");
        image::GrayImage::from_raw(width, height, luma).unwrap().save(&path).unwrap();
        let decoded = decode_picture(&path).unwrap();
        let kind = the_document(&Given::of(&path), &decoded).unwrap().kind;
        assert_eq!(kind, DocumentKind::IdentityCardMrz);
        #[cfg(feature = "pcsc")]
        assert_eq!(read_zone(&Given::of(&path)).unwrap().kind, kind);
    }

    #[cfg(feature = "pcsc")]
    #[test]
    fn where_a_zone_is_asked_for_a_code_is_none() {
        let card = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/pictures/0006_easy.jpg");
        let given = Given::of(Path::new(card));
        assert_eq!(read(&given).unwrap().kind, DocumentKind::CitizenCard);
        assert_eq!(read_zone(&given).unwrap_err().code(), "no-code");
    }

    #[test]
    fn a_picture_without_a_code_says_what_to_do() {
        let error = the_card(&decoded(&[])).map(|_| ()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "neither a QR code nor a machine-readable zone was read (too far away)"
        );
    }

    #[test]
    fn names_of_files_say_what_they_hold() {
        assert!(matches!(Given::of(Path::new("-")), Given::StandardInput));
        assert!(matches!(Given::of(Path::new("a.TXT")), Given::Payload(_)));
        assert!(matches!(Given::of(Path::new("a.png")), Given::Picture(_)));
        assert!(matches!(Given::of(Path::new("txt")), Given::Picture(_)));
    }
}
