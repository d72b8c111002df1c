//! Other readers of QR codes on the same pictures as ours.
//!
//! Takes grey pictures (PGM, P5), from the files that are named or one after the other from standard
//! input, and prints for each of them one line an engine and then a line with a dot:
//!
//! ```text
//! engine <TAB> processor time in microseconds <TAB> payloads in hexadecimal, a comma between
//! ```
//!
//! Every engine is asked as its documentation does it, for QR codes only, and gives bytes: where one
//! turns them into text of a character set that it guesses, the bytes before that are taken.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use rxing::{BarcodeFormat, DecodeHints, RXingResultMetadataType, RXingResultMetadataValue};
use zedbar::config::symbologies::QrCode;
use zedbar::{DecoderConfig, Scanner};

/// Most pixels of a picture, so that a wrong header does not take all memory.
const MOST_PIXELS: usize = 64_000_000;

/// An engine and its name in the table.
type Engine = (&'static str, fn(&Picture) -> Vec<Vec<u8>>);

const ENGINES: &[Engine] = &[
    ("rqrr", with_rqrr),
    ("rxing", with_rxing),
    #[cfg(feature = "zxing-cpp")]
    ("zxing-cpp", with_zxing_cpp),
    ("zedbar", with_zedbar),
    ("zedbar, all retries", with_zedbar_and_retries),
];

fn main() -> io::Result<()> {
    // rqrr panics on some pictures: that is a picture not read, and needs no words.
    std::panic::set_hook(Box::new(|_| {}));
    let mut out = BufWriter::new(io::stdout().lock());
    let files: Vec<_> = std::env::args_os().skip(1).collect();
    if files.is_empty() {
        read_all(io::stdin().lock(), &mut out)?;
    }
    for file in files {
        read_all(BufReader::new(File::open(file)?), &mut out)?;
    }
    Ok(())
}

/// A grey picture, rows without gaps.
struct Picture {
    width: u32,
    height: u32,
    luma: Vec<u8>,
}

fn read_all(mut from: impl BufRead, out: &mut impl Write) -> io::Result<()> {
    while let Some(picture) = Picture::read(&mut from)? {
        for (name, engine) in ENGINES {
            let began = thread_time();
            let found = catch_unwind(AssertUnwindSafe(|| engine(&picture))).unwrap_or_default();
            let took = thread_time().saturating_sub(began).as_micros();
            let found: Vec<String> = found.iter().map(|bytes| hexadecimal(bytes)).collect();
            writeln!(out, "{name}\t{took}\t{}", found.join(","))?;
        }
        writeln!(out, ".")?;
        out.flush()?;
    }
    Ok(())
}

impl Picture {
    /// Reads the next picture; `None` at the end.
    fn read(from: &mut impl BufRead) -> io::Result<Option<Picture>> {
        let bad = || io::Error::from(io::ErrorKind::InvalidData);
        if from.fill_buf()?.is_empty() {
            return Ok(None);
        }
        // P5, width, height, the largest value; white space between and one after.
        let mut words = Vec::new();
        while words.len() < 4 {
            let mut word = String::new();
            loop {
                let mut byte = [0];
                from.read_exact(&mut byte)?;
                match byte[0] {
                    byte if byte.is_ascii_whitespace() => break,
                    byte if word.len() < 10 => word.push(char::from(byte)),
                    _ => return Err(bad()),
                }
            }
            if !word.is_empty() {
                words.push(word);
            }
        }
        let number = |at: usize| words[at].parse::<u32>().map_err(|_| bad());
        let (width, height) = (number(1)?, number(2)?);
        let pixels = width as usize * height as usize;
        if words[0] != "P5" || words[3] != "255" || pixels == 0 || pixels > MOST_PIXELS {
            return Err(bad());
        }
        let mut luma = vec![0; pixels];
        from.read_exact(&mut luma)?;
        Ok(Some(Picture { width, height, luma }))
    }
}

fn with_rqrr(picture: &Picture) -> Vec<Vec<u8>> {
    let (width, height) = (picture.width as usize, picture.height as usize);
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
        picture.luma[y * width + x]
    });
    let mut found = Vec::new();
    for grid in prepared.detect_grids() {
        let mut bytes = Vec::new();
        if grid.decode_to(&mut bytes).is_ok() {
            found.push(bytes);
        }
    }
    found
}

fn with_rxing(picture: &Picture) -> Vec<Vec<u8>> {
    let mut hints = DecodeHints { TryHarder: Some(true), ..DecodeHints::default() };
    let read = rxing::helpers::detect_in_luma_with_hints(
        picture.luma.clone(),
        picture.width,
        picture.height,
        Some(BarcodeFormat::QR_CODE),
        &mut hints,
    );
    let Ok(read) = read else {
        return Vec::new();
    };
    // One of its detectors gives the bytes as raw bytes, the other as segments.
    let segments = read.getRXingResultMetadata().get(&RXingResultMetadataType::BYTE_SEGMENTS);
    vec![match segments {
        Some(RXingResultMetadataValue::ByteSegments(parts)) => parts.concat(),
        _ => read.getRawBytes().to_vec(),
    }]
}

#[cfg(feature = "zxing-cpp")]
fn with_zxing_cpp(picture: &Picture) -> Vec<Vec<u8>> {
    use zxingcpp::{BarcodeFormat, ImageFormat, ImageView};
    let view =
        ImageView::from_slice(&picture.luma, picture.width, picture.height, ImageFormat::Lum);
    let reader = zxingcpp::read()
        .formats([BarcodeFormat::QRCode])
        .try_harder(true)
        .try_downscale(true)
        .try_invert(false);
    let found = view.and_then(|view| reader.from(view)).unwrap_or_default();
    found.iter().map(|code| code.bytes()).collect()
}

fn with_zedbar(picture: &Picture) -> Vec<Vec<u8>> {
    scan_with_zedbar(picture, DecoderConfig::new().enable(QrCode))
}

fn with_zedbar_and_retries(picture: &Picture) -> Vec<Vec<u8>> {
    let config = DecoderConfig::new()
        .enable(QrCode)
        .retry_undecoded_regions(true)
        .retry_downscaled(true)
        .retry_smoothed(true);
    scan_with_zedbar(picture, config)
}

fn scan_with_zedbar(picture: &Picture, config: DecoderConfig) -> Vec<Vec<u8>> {
    let image = zedbar::Image::from_gray(&picture.luma, picture.width, picture.height);
    let Ok(mut image) = image else {
        return Vec::new();
    };
    let found = Scanner::with_config(config).scan(&mut image).into_symbols();
    found.iter().map(|code| code.raw_data().unwrap_or(code.data()).to_vec()).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}
