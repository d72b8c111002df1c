//! Reads the QR codes of one frame.
//!
//! A cascade: each stage runs only where those before read nothing. First `rxing` on the frame as it
//! is, since it is fast and reads every code of a frame; then the [`soft`](super::soft) reader of
//! this project, where a code most likely is and then everywhere; then `rxing` on an enlarged and
//! sharpened part, and `rqrr`.
//!
//! Measured on 300 synthetic card pictures (1280 x 720; 100 easy, 100 medium, 100 hard), of which
//! rxing alone reads 100, 59 and 23: the cascade reads 100, 97 and 84; of 300 others, on which
//! nothing was chosen, 100, 95 and 89. Of these last, the soft reader adds 100 to what rxing reads on
//! the frame as it is, enlarging one, and rqrr none.
//!
//! A payload is the bytes that the code holds, of all its segments in order. Which text they are is
//! for the document module to say: a decoder that guesses the character set turns some Vietnamese
//! names into Japanese. An extended channel interpretation (ECI) in the code only announces a
//! character set and leaves the bytes as they are.
//!
//! Time is bounded by what is looked at, and by an effort that is counted, not by a clock, except for
//! rqrr, which can run for a minute on an unlucky frame: it gets a thread of its own and a deadline.

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use rxing::common::{BitMatrix, DetectorRXingResult};
use rxing::qrcode::cpp_port::decoder::Decode;
use rxing::qrcode::cpp_port::detector::{FindFinderPatterns, GenerateFinderPatternSets, SampleQR};

use super::Frame;
use super::binarise::Binariser;
use super::corners::Window;
use super::enlarge::Crop;
use super::geometry::Picture;
use super::guard::{Patience, guarded};
use super::register::Grid;
use super::soft::{Effort, LEAST_RISE, SECOND_RISE, Soft};

pub use super::hint::{Hint, hint};

/// Most codes that are returned of a frame. Chosen: a card has one; a desk with a few cards is
/// read.
pub const MAX_CODES: usize = 8;

/// Most triples of corner patterns that are tried. Measured on 300 card pictures: at most 40 come
/// up, and the right one is among the first 4; a sheet full of corner patterns gives 30,000, and 500
/// of them take 60 ms.
const MAX_TRIPLES: usize = 48;

/// Most corner patterns with which the slower searches are begun. Measured: at most 13 on 300 card
/// pictures; rqrr takes 0.1 s on a sheet of 66 and 2 s on a sheet of 576.
const MAX_CORNERS: usize = 64;

/// Most grids of rqrr that are decoded. Chosen: twice the codes that are returned.
const MAX_GRIDS: usize = 2 * MAX_CODES;

/// How long rqrr may take. Measured: 27 ms at most on 300 card pictures of 1280 x 720, and 16 s on
/// one that was enlarged and made black and white; the rest is for slow and busy devices.
const RQRR_DEADLINE: Duration = Duration::from_millis(500);

/// What one QR code holds.
///
/// `Debug` shows the length only: the bytes name a person.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    /// The bytes of all segments, in order.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.bytes.len())
    }
}

/// Returns what the QR codes of a frame hold, each payload once, at most [`MAX_CODES`].
///
/// Empty where nothing could be read, and where the frame is not whole. Micro QR codes are not
/// looked for. A code that is one part of several (structured append) is returned as it is.
pub fn payloads(frame: &Frame) -> Vec<Payload> {
    thread_local! {
        static CASCADE: RefCell<Cascade> = RefCell::default();
    }
    CASCADE.with(|cascade| match cascade.try_borrow_mut() {
        Ok(mut cascade) => cascade.payloads(frame),
        // Unreachable while no stage calls back; a cascade of its own does the same.
        Err(_) => Cascade::default().payloads(frame),
    })
}

/// The stages in which a frame is read, each only where those before found nothing.
///
/// The order is that of cost for what a stage reads besides those before it. Holds memory that is
/// used again from frame to frame.
#[derive(Default)]
pub(super) struct Cascade {
    pub(super) soft: Soft,
    /// Where the soft reader read the last code.
    pub(super) place: Option<Grid>,
    /// Of a camera: how sharp the frames before were, at most.
    pub(super) sharpest: u32,
    crop: Crop,
    binariser: Binariser,
}

/// A stage, for measuring what each adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// `rxing` on the frame as it is.
    Plain,
    /// Soft values, where a code is most likely.
    Likely,
    /// Soft values, in the whole frame.
    Whole,
    /// `rxing` on the likely part, enlarged and sharpened.
    Enlarged,
    /// `rqrr` on the frame as it is.
    Rqrr,
}

impl Stage {
    /// All of them, in their order.
    pub const ALL: [Stage; 5] =
        [Stage::Plain, Stage::Likely, Stage::Whole, Stage::Enlarged, Stage::Rqrr];
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Plain => "rxing",
            Stage::Likely => "soft, where a code is likely",
            Stage::Whole => "soft, everywhere",
            Stage::Enlarged => "rxing, enlarged and sharpened",
            Stage::Rqrr => "rqrr",
        })
    }
}

impl Cascade {
    /// See [`payloads`].
    pub(super) fn payloads(&mut self, frame: &Frame) -> Vec<Payload> {
        self.soft.start();
        self.sharpest = 0;
        self.read(frame, &mut Effort(EFFORT)).map_or_else(Vec::new, |(payloads, _)| payloads)
    }

    /// Reads a frame; tells also which stage did.
    ///
    /// Not of a frame that is not whole. The soft reader may have been started on the frame.
    pub(super) fn read(
        &mut self,
        frame: &Frame,
        effort: &mut Effort,
    ) -> Option<(Vec<Payload>, Stage)> {
        if !frame.is_whole() {
            return None;
        }
        let bits = guarded("rxing", || self.binariser.dark(frame)).flatten()?;
        let plain = guarded("rxing", || search_with_rxing(&bits)).unwrap_or_default();
        if !plain.found.is_empty() {
            return Some((distinct(plain.found), Stage::Plain));
        }
        effort.pay(plain.corners as i64 * CORNER_COST + plain.triples as i64 * TRIPLE_COST);
        let picture = Picture {
            width: frame.width as usize,
            height: frame.height as usize,
            luma: &frame.luma,
        };
        let likely = super::hint::likely(frame);
        if likely.sharpness * 4 < self.sharpest * 3 {
            effort.0 = effort.0.min(EFFORT_ON_NOTHING);
        }
        self.sharpest = self.sharpest.max(likely.sharpness);
        let windows = likely.areas.map(|area| {
            area.map(|(columns, rows)| Window {
                left: columns.start.saturating_sub(AROUND),
                top: rows.start.saturating_sub(AROUND),
                right: (columns.end + AROUND).min(picture.width),
                bottom: (rows.end + AROUND).min(picture.height),
            })
        });
        for window in windows.into_iter().flatten() {
            for least_rise in [LEAST_RISE, SECOND_RISE] {
                if let Some(found) = self.soft.read(&picture, window, least_rise, effort) {
                    self.place = Some(found.grid);
                    return Some((distinct(vec![found.bytes]), Stage::Likely));
                }
            }
        }
        let likely = windows[0];
        if likely.is_none() {
            // Nothing looks like a code, so less is done to find one.
            effort.0 = effort.0.min(EFFORT_ON_NOTHING);
        }
        let whole = Window { left: 0, top: 0, right: picture.width, bottom: picture.height };
        if likely != Some(whole)
            && let Some(found) = self.soft.read(&picture, whole, LEAST_RISE, effort)
        {
            self.place = Some(found.grid);
            return Some((distinct(vec![found.bytes]), Stage::Whole));
        }
        if plain.corners > MAX_CORNERS {
            return None;
        }
        // Without a likely part nothing looks like a code.
        let window = likely?;
        if effort.pay(Crop::COST) {
            let enlarged = self.crop.of(&picture, window);
            let binariser = &mut self.binariser;
            let found = guarded("rxing", || {
                binariser.dark(enlarged).map(|bits| search_with_rxing(&bits)).unwrap_or_default()
            });
            if let Some(search) = found
                && !search.found.is_empty()
            {
                return Some((distinct(search.found), Stage::Enlarged));
            }
        }
        // It starts from three corner patterns as well.
        if plain.corners < 3 || !effort.pay(RQRR_COST) {
            return None;
        }
        let found = search_with_rqrr(frame);
        (!found.is_empty()).then(|| (distinct(found), Stage::Rqrr))
    }
}

/// How much may be done for a frame besides the plain pass, in about microseconds. Measured: 28,000
/// reads 1 of 300 pictures less, 40,000 one more; what reads a frame mostly takes 3,000, and the rest
/// is for frames with many things like codes.
const EFFORT: i64 = 32_000;

/// The same where no part of a frame looks like a code, or where it is blurred and the frames before
/// were not: the next one comes soon, and is more likely read.
const EFFORT_ON_NOTHING: i64 = 12_000;

/// What it costs the plain pass to try three corner patterns, mostly in vain.
const TRIPLE_COST: i64 = 200;

/// What it costs the plain pass to list the triples of one corner pattern. Measured: 0.05 ms for 11
/// of them, 5.5 ms for 1,166.
const CORNER_COST: i64 = 5;

/// What rqrr mostly costs of it.
const RQRR_COST: i64 = 12_000;

/// Pixels around the likely area that are looked at too.
const AROUND: usize = 32;

/// Returns each payload once.
fn distinct(found: Vec<Vec<u8>>) -> Vec<Payload> {
    let mut payloads: Vec<Payload> = Vec::new();
    for bytes in found {
        let payload = Payload { bytes };
        if !payloads.contains(&payload) && payloads.len() < MAX_CODES {
            payloads.push(payload);
        }
    }
    payloads
}

/// Reads a frame and tells which stage did, for measuring what each adds.
pub fn stage(frame: &Frame) -> Option<(Vec<Payload>, Stage)> {
    Cascade::default().read(frame, &mut Effort(EFFORT))
}

/// What rxing saw in a frame.
#[derive(Default)]
struct Search {
    found: Vec<Vec<u8>>,
    /// Corner patterns, of codes or of what looks like them.
    corners: usize,
    /// Threes of them that were tried.
    triples: usize,
}

/// Searches with the detector of rxing that is a port of the C++ one.
///
/// This is what the reader of rxing does first when told to try harder, with two differences: triples
/// are bounded, and it is asked for bytes. Its older detector, which comes second there, read none of
/// 779 pictures besides, and took 250 ms on one of 10,000 frames without a code. The reader's own "raw bytes" are those of the payload after one
/// detector and code words after the other.
fn search_with_rxing(bits: &BitMatrix) -> Search {
    let mut corners = FindFinderPatterns(bits, true, 0);
    let triples = GenerateFinderPatternSets(&mut corners);
    let mut used = Vec::new();
    let mut search = Search { corners: corners.len(), ..Search::default() };
    for triple in triples.iter().take(MAX_TRIPLES) {
        let three = [triple.bl, triple.tl, triple.tr];
        if three.iter().any(|corner| used.contains(corner)) {
            continue;
        }
        search.triples += 1;
        if let Some(bytes) = SampleQR(bits, triple).ok().and_then(|code| bytes_of(code.getBits())) {
            search.found.push(bytes);
            used.extend(three);
            if search.found.len() == MAX_CODES {
                break;
            }
        }
    }
    search
}

/// Corrects and decodes the modules of one code.
fn bytes_of(modules: &BitMatrix) -> Option<Vec<u8>> {
    let code = Decode(modules).ok()?;
    code.isValid().then(|| code.content().bytes().to_vec())
}

fn search_with_rqrr(frame: &Frame) -> Vec<Vec<u8>> {
    static PATIENCE: Patience<Vec<Vec<u8>>> = Patience::new(RQRR_DEADLINE);

    let (width, height) = (frame.width as usize, frame.height as usize);
    let luma = frame.luma.clone();
    let search = move || {
        let mut picture =
            rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| luma[y * width + x]);
        let mut found = Vec::new();
        for grid in picture.detect_grids().iter().take(MAX_GRIDS) {
            // After an error the writer may hold half a payload: a new one for every grid.
            let mut bytes = Vec::new();
            if grid.decode_to(&mut bytes).is_ok() {
                found.push(bytes);
            }
        }
        found
    };
    PATIENCE.run("rqrr", search).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::super::FrameSource;
    use super::super::pictures::{PictureSource, tests::FIXTURES};
    use super::*;

    fn evenly(width: u32, height: u32, level: u8) -> Frame {
        let luma = vec![level; width as usize * height as usize];
        Frame { width, height, luma, number: 1, label: None }
    }

    fn fixture(name: &str) -> Frame {
        let mut source = PictureSource::open(&[Path::new(FIXTURES).join(name)]).expect("is there");
        source.next_frame().expect("a picture")
    }

    #[test]
    fn card_pictures_give_their_exact_payload() {
        /// Blurred and moved over most of a module: nothing reads it, and nothing must be invented.
        const UNREADABLE: &str = "0077_hard.jpg";
        let truth = fs::read_to_string(Path::new(FIXTURES).join("truth.tsv")).expect("truth");
        let mut pictures = 0;
        for line in truth.lines().skip(1) {
            let mut columns = line.split('\t');
            let (name, payload) = (columns.next().expect("file"), columns.nth(1).expect("payload"));
            let frame = fixture(name);
            let expected = Payload { bytes: payload.into() };
            if name == UNREADABLE {
                assert_eq!(payloads(&frame), [], "{name}");
                assert_eq!(hint(&frame), Some(Hint::Closer), "{name}: 2.8 pixels a module");
            } else {
                assert_eq!(payloads(&frame), [expected], "{name}");
            }
            pictures += 1;
        }
        assert_eq!(pictures, 8);
    }

    fn plain(frame: &Frame) -> Search {
        search_with_rxing(&Binariser::default().dark(frame).expect("large enough"))
    }

    #[test]
    fn a_stage_comes_in_where_those_before_read_nothing() {
        for (name, expected) in
            [("0144_easy.jpg", Stage::Plain), ("0274_medium.jpg", Stage::Likely)]
        {
            let read = stage(&fixture(name)).map(|(_, stage)| stage);
            assert_eq!(read, Some(expected), "{name}");
        }
    }

    #[test]
    fn rqrr_reads_an_easy_picture_too() {
        let frame = fixture("0144_easy.jpg");
        let found = plain(&frame).found;
        assert_eq!(found.len(), 1);
        assert_eq!(search_with_rqrr(&frame), found);
    }

    #[test]
    fn frames_without_a_code_give_nothing() {
        for (width, height) in [(1, 1), (3, 2), (7, 8), (39, 41), (41, 39), (40, 40), (5_000, 1)] {
            for level in [0, 128, 255] {
                assert_eq!(payloads(&evenly(width, height, level)), [], "{width} x {height}");
            }
        }
        let cut_off = Frame { luma: vec![0; 99], ..evenly(100, 100, 0) };
        assert_eq!(payloads(&cut_off), [], "not whole");
    }

    #[test]
    fn noise_gives_nothing() {
        let mut state = 1_u32;
        let mut frame = evenly(640, 480, 0);
        frame.luma.fill_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        assert_eq!(payloads(&frame), []);
    }

    #[test]
    fn a_sheet_of_corner_patterns_is_beyond_the_slower_searches_and_gives_nothing() {
        const STEP: u32 = 40;
        let mut sheet = evenly(1280, 720, 255);
        for (place, level) in sheet.luma.iter_mut().enumerate() {
            let (x, y) = (place as u32 % 1280 % STEP / 2, place as u32 / 1280 % STEP / 2);
            let ring = x.abs_diff(3).max(y.abs_diff(3));
            if x < 7 && y < 7 && ring != 2 {
                *level = 0;
            }
        }
        let search = plain(&sheet);
        assert!(search.corners > MAX_CORNERS, "{}", search.corners);
        assert_eq!(payloads(&sheet), []);
    }

    #[test]
    fn debug_shows_the_length_only() {
        let payload = Payload { bytes: b"048088999901".to_vec() };
        assert_eq!(format!("{payload:?}"), "Payload(12 bytes)");
    }

    /// Codes drawn here; the crate that draws them comes with the command line.
    #[cfg(feature = "cli")]
    mod drawn {
        use qrcode::bits::Bits;
        use qrcode::{EcLevel, QrCode, Version};

        use super::*;

        const VERSION: Version = Version::Normal(8);
        const MODULE: usize = 4;

        fn code(write: impl Fn(&mut Bits)) -> QrCode {
            let mut bits = Bits::new(VERSION);
            write(&mut bits);
            bits.push_terminator(EcLevel::M).expect("fits");
            QrCode::with_bits(bits, EcLevel::M).expect("a code")
        }

        fn code_of_bytes(bytes: &[u8]) -> QrCode {
            code(|bits| bits.push_byte_data(bytes).expect("fits"))
        }

        /// Draws codes beside and below each other, four in a row, with the quiet zone between.
        fn frame_of(codes: &[QrCode]) -> Frame {
            const SIDE: usize = (49 + 8) * MODULE;
            let (columns, rows) = (codes.len().min(4), codes.len().div_ceil(4));
            let mut frame = evenly((columns * SIDE) as u32, (rows * SIDE) as u32, 235);
            for (place, code) in codes.iter().enumerate() {
                let (left, top) = (place % 4 * SIDE, place / 4 * SIDE);
                for (module, color) in code.to_colors().into_iter().enumerate() {
                    let (x, y) = (module % code.width() + 4, module / code.width() + 4);
                    for row in 0..MODULE {
                        let start = (top + y * MODULE + row) * columns * SIDE + left + x * MODULE;
                        frame.luma[start..start + MODULE].fill(color.select(30, 235));
                    }
                }
            }
            frame
        }

        #[test]
        fn both_decoders_give_the_bytes_of_the_code_and_never_a_guess() {
            let name = "048088999901||Vũ Công Thủy|02031988|Nữ|Yên Bái|01012022".as_bytes();
            let latin = b"caf\xE9";
            let japanese = b"\x93\xFA\x96\x7B";
            let lines = b"\xEF\xBB\xBF048\x00088\r\n999901";
            let cases: [(&str, QrCode, Vec<u8>); 9] = [
                ("bytes in UTF-8", code_of_bytes(name), name.to_vec()),
                ("bytes in Latin-1", code_of_bytes(latin), latin.to_vec()),
                ("bytes in Shift-JIS", code_of_bytes(japanese), japanese.to_vec()),
                ("byte order mark, NUL, line end", code_of_bytes(lines), lines.to_vec()),
                (
                    "UTF-8 announced",
                    code(|bits| {
                        bits.push_eci_designator(26).expect("fits");
                        bits.push_byte_data(name).expect("fits");
                    }),
                    name.to_vec(),
                ),
                (
                    "Latin-1 announced over UTF-8",
                    code(|bits| {
                        bits.push_eci_designator(3).expect("fits");
                        bits.push_byte_data(name).expect("fits");
                    }),
                    name.to_vec(),
                ),
                (
                    "segments of digits, letters and bytes",
                    code(|bits| {
                        bits.push_numeric_data(b"048088999901").expect("fits");
                        bits.push_byte_data("||Vũ".as_bytes()).expect("fits");
                        bits.push_alphanumeric_data(b" A-Z 0:9").expect("fits");
                        bits.push_byte_data("|Nữ".as_bytes()).expect("fits");
                    }),
                    "048088999901||Vũ A-Z 0:9|Nữ".into(),
                ),
                (
                    "a letter cut in two by a segment border",
                    code(|bits| {
                        bits.push_byte_data(&"ữ".as_bytes()[..1]).expect("fits");
                        bits.push_byte_data(&"ữ".as_bytes()[1..]).expect("fits");
                    }),
                    "ữ".into(),
                ),
                (
                    "two character sets announced",
                    code(|bits| {
                        bits.push_eci_designator(20).expect("fits");
                        bits.push_byte_data(japanese).expect("fits");
                        bits.push_eci_designator(26).expect("fits");
                        bits.push_byte_data(name).expect("fits");
                    }),
                    [japanese, name].concat(),
                ),
            ];
            for (what, code, expected) in cases {
                let frame = frame_of(&[code]);
                assert_eq!(plain(&frame).found, std::slice::from_ref(&expected), "{what}, rxing");
                assert_eq!(search_with_rqrr(&frame), [expected], "{what}, rqrr");
            }
        }

        #[test]
        fn all_codes_of_a_frame_are_read_each_payload_once_and_not_more_than_the_most() {
            let codes = |texts: &[&str]| -> Vec<QrCode> {
                texts.iter().map(|text| code_of_bytes(text.as_bytes())).collect()
            };
            let read = |texts: &[&str]| -> Vec<String> {
                let mut read: Vec<String> = payloads(&frame_of(&codes(texts)))
                    .into_iter()
                    .map(|payload| String::from_utf8(payload.bytes).expect("text"))
                    .collect();
                read.sort();
                read
            };
            assert_eq!(read(&["a", "b", "c"]), ["a", "b", "c"]);
            assert_eq!(read(&["a", "b", "a"]), ["a", "b"]);
            let twelve = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
            assert_eq!(read(&twelve[..8]), twelve[..8]);
            assert_eq!(read(&twelve).len(), MAX_CODES);
        }

        #[test]
        fn a_damaged_code_gives_nothing() {
            let mut frame = frame_of(&[code_of_bytes(b"048088999901")]);
            let width = frame.width as usize;
            for row in frame.luma.chunks_mut(width).skip(100).take(80) {
                row[60..180].fill(30);
            }
            assert_eq!(payloads(&frame), []);
        }
    }
}
