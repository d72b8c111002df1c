//! Pictures from files in place of a camera.
//!
//! For testers, demonstrations and the command line: a picture goes the way of a camera's frame, so
//! that everything behind the [`FrameSource`] is the same. Files come from outside: their size and
//! their pixels are bounded before anything is allocated, and a file that is no picture is an error
//! of that picture alone.

use std::fs::{self, File};
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use image::{ImageError, ImageFormat, ImageReader, Limits};

use super::{CameraError, Frame, FrameSource};

/// Longest picture file. Chosen: a phone's 12-megapixel JPEG has 3 to 8 MB.
pub const MAX_PICTURE_BYTES: u64 = 16 * 1024 * 1024;

/// Most pixels of a picture. Chosen: a phone's 12-megapixel photo fits, and decoding stays under a
/// second.
pub const MAX_PICTURE_PIXELS: u64 = 16_000_000;

/// Most memory that decoding one picture may take, in bytes: 16-bit RGBA at the most pixels.
const MAX_DECODE_BYTES: u64 = MAX_PICTURE_PIXELS * 8;

/// Pause before a picture is given again. Chosen: about a camera's pace in poor light, and little
/// work.
const REPEAT_PAUSE: Duration = Duration::from_millis(100);

/// File names that count as pictures in a folder.
const EXTENSIONS: [&str; 3] = ["png", "jpg", "jpeg"];

/// What is wrong with a picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureFault {
    /// The file is longer than [`MAX_PICTURE_BYTES`].
    #[error("the file is longer than {limit} bytes")]
    TooManyBytes {
        /// The most that is read.
        limit: u64,
    },
    /// The picture has more than [`MAX_PICTURE_PIXELS`], or none.
    #[error("a picture of {width} x {height} pixels is not between 1 and {limit} pixels")]
    BadSize {
        /// Pixels in a row, as the file says.
        width: u32,
        /// Rows, as the file says.
        height: u32,
        /// The most that is decoded.
        limit: u64,
    },
    /// The file is neither PNG nor JPEG.
    #[error("the file is neither PNG nor JPEG")]
    NotAPicture,
    /// The file begins like a picture and is cut off or damaged.
    #[error("the picture is damaged")]
    Damaged,
    /// The file vanished, or the system does not let us read it.
    #[error("the file cannot be read")]
    NotReadable,
}

/// Shows pictures one by one; each is repeated until [`advance`](FrameSource::advance).
///
/// After the last picture comes [`CameraError::Ended`]; a further `advance` starts over.
#[derive(Debug)]
pub struct PictureSource {
    paths: Vec<PathBuf>,
    /// Index into `paths`; equal to its length after the last picture.
    current: usize,
    /// The current picture, once it is decoded.
    shown: Option<Frame>,
    next_number: u64,
}

impl PictureSource {
    /// Opens files, and the PNG and JPEG files of folders sorted by name; subfolders are left out.
    ///
    /// A file that is named itself is taken whatever its name ends in. The pictures are read when
    /// their turn comes, so that a bad one hides no other.
    pub fn open(paths: &[PathBuf]) -> Result<PictureSource, CameraError> {
        let mut pictures = Vec::new();
        for path in paths {
            let kind = fs::metadata(path).map_err(|error| not_opened(&error))?;
            if kind.is_dir() {
                pictures.extend(pictures_of_folder(path).map_err(|error| not_opened(&error))?);
            } else {
                pictures.push(path.clone());
            }
        }
        if pictures.is_empty() {
            return Err(CameraError::NotFound);
        }
        Ok(PictureSource { paths: pictures, current: 0, shown: None, next_number: 1 })
    }
}

impl FrameSource for PictureSource {
    fn next_frame(&mut self) -> Result<Frame, CameraError> {
        let path = self.paths.get(self.current).ok_or(CameraError::Ended)?;
        let mut frame = match &self.shown {
            Some(frame) => {
                thread::sleep(REPEAT_PAUSE);
                frame.clone()
            }
            None => {
                let picture = name_of(path);
                read_picture(path).map_err(|fault| CameraError::Unreadable { picture, fault })?
            }
        };
        frame.number = self.next_number;
        self.next_number += 1;
        self.shown = Some(frame.clone());
        Ok(frame)
    }

    fn is_simulated(&self) -> bool {
        true
    }

    fn advance(&mut self) {
        self.shown = None;
        self.current = if self.current < self.paths.len() { self.current + 1 } else { 0 };
    }
}

fn not_opened(error: &std::io::Error) -> CameraError {
    CameraError::from_system(error).unwrap_or(CameraError::NotFound)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn pictures_of_folder(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if EXTENSIONS.contains(&extension.as_str()) && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read_picture(path: &Path) -> Result<Frame, PictureFault> {
    let file = File::open(path).map_err(|_| PictureFault::NotReadable)?;
    let mut bytes = Vec::new();
    // The length that the system tells is no bound: the file may be a pipe, or grow.
    file.take(MAX_PICTURE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|_| PictureFault::NotReadable)?;
    if bytes.len() as u64 > MAX_PICTURE_BYTES {
        return Err(PictureFault::TooManyBytes { limit: MAX_PICTURE_BYTES });
    }
    let (width, height, luma) = decode_picture(&bytes)?;
    Ok(Frame { width, height, luma, number: 0, label: Some(name_of(path)) })
}

/// Decodes a PNG or JPEG to grey: width, height, pixels.
fn decode_picture(bytes: &[u8]) -> Result<(u32, u32, Vec<u8>), PictureFault> {
    let format = match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg)) => format,
        _ => return Err(PictureFault::NotAPicture),
    };
    decode_to_luma(bytes, format, MAX_PICTURE_PIXELS)
}

/// Decodes to grey what is known to be of one format, up to `limit` pixels.
fn decode_to_luma(
    bytes: &[u8],
    format: ImageFormat,
    limit: u64,
) -> Result<(u32, u32, Vec<u8>), PictureFault> {
    let (width, height) = ImageReader::with_format(Cursor::new(bytes), format)
        .into_dimensions()
        .map_err(|_| PictureFault::Damaged)?;
    let bad_size = PictureFault::BadSize { width, height, limit };
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 || pixels > limit {
        return Err(bad_size);
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODE_BYTES);
    reader.limits(limits);
    let picture = reader.decode().map_err(|error| match error {
        ImageError::Limits(_) => bad_size,
        _ => PictureFault::Damaged,
    })?;
    let luma = picture.into_luma8();
    Ok((luma.width(), luma.height(), luma.into_raw()))
}

#[cfg(test)]
pub(crate) mod tests {
    use image::{GrayImage, ImageEncoder, RgbImage};

    use super::*;

    /// Invented card pictures, with their truth in `truth.tsv`.
    pub(crate) const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/pictures");

    fn png_of(picture: &GrayImage) -> Vec<u8> {
        let mut bytes = Vec::new();
        image::codecs::png::PngEncoder::new(&mut bytes)
            .write_image(picture, picture.width(), picture.height(), image::ExtendedColorType::L8)
            .expect("encodes");
        bytes
    }

    /// A PNG whose header claims a size, with nothing behind it.
    fn png_claiming(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = png_of(&GrayImage::new(1, 1));
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let crc = crc32(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// The check sum of PNG chunks (PNG specification, annex D).
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 }
            })
        })
    }

    fn folder_with(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("folder");
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).expect("writes");
        }
        folder
    }

    fn grey(level: u8) -> Vec<u8> {
        png_of(&GrayImage::from_pixel(3, 2, image::Luma([level])))
    }

    fn shows(source: &mut PictureSource) -> (Option<String>, u8) {
        let frame = source.next_frame().expect("a frame");
        (frame.label, frame.luma[0])
    }

    #[test]
    fn a_folder_is_shown_in_the_order_of_names_then_ends_then_starts_over() {
        let folder = folder_with(&[
            ("b.png", grey(20)),
            ("a.PNG", grey(10)),
            ("notes.txt", b"no picture".to_vec()),
        ]);
        let mut source = PictureSource::open(&[folder.path().into()]).expect("opens");

        assert!(source.is_simulated());
        assert_eq!(shows(&mut source), (Some("a.PNG".into()), 10));
        source.advance();
        assert_eq!(shows(&mut source), (Some("b.png".into()), 20));
        source.advance();
        assert_eq!(source.next_frame(), Err(CameraError::Ended));
        assert_eq!(source.next_frame(), Err(CameraError::Ended), "it stays ended");
        source.advance();
        assert_eq!(shows(&mut source), (Some("a.PNG".into()), 10));
    }

    #[test]
    fn a_picture_is_repeated_until_advance_with_rising_numbers() {
        let folder = folder_with(&[("a.png", grey(10)), ("b.png", grey(20))]);
        let mut source = PictureSource::open(&[folder.path().into()]).expect("opens");

        let first = source.next_frame().expect("a frame");
        let again = source.next_frame().expect("the same");
        assert_eq!((first.number, again.number), (1, 2));
        assert_eq!(first.luma, again.luma);
        source.advance();
        assert_eq!(source.next_frame().expect("the next").number, 3);
    }

    #[test]
    fn named_files_keep_their_order_and_need_no_extension() {
        let folder = folder_with(&[("z", grey(10)), ("a", grey(20))]);
        let paths = ["z", "a"].map(|name| folder.path().join(name));
        let mut source = PictureSource::open(&paths).expect("opens");
        assert_eq!(shows(&mut source), (Some("z".into()), 10));
        source.advance();
        assert_eq!(shows(&mut source), (Some("a".into()), 20));
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let empty = folder_with(&[("notes.txt", b"no picture".to_vec())]);
        for paths in [vec![], vec![empty.path().into()], vec![empty.path().join("missing.png")]] {
            let opened = PictureSource::open(&paths).map(|_| ());
            assert_eq!(opened, Err(CameraError::NotFound), "{paths:?}");
        }
    }

    #[test]
    fn each_bad_picture_is_refused_for_what_is_wrong_with_it() {
        let limit = MAX_PICTURE_PIXELS;
        let whole = png_of(&GrayImage::from_fn(64, 64, |x, y| image::Luma([(x * y) as u8])));
        let mut gif = whole.clone();
        gif[..6].copy_from_slice(b"GIF89a");
        let cases = [
            ("empty.png", vec![], PictureFault::NotAPicture),
            ("text.jpg", b"not a picture at all".to_vec(), PictureFault::NotAPicture),
            ("gif.png", gif, PictureFault::NotAPicture),
            ("cut_off.png", whole[..whole.len() / 2].to_vec(), PictureFault::Damaged),
            ("header_only.jpg", vec![0xFF, 0xD8, 0xFF, 0xE0], PictureFault::Damaged),
            (
                "bomb.png",
                png_claiming(60_000, 60_000),
                PictureFault::BadSize { width: 60_000, height: 60_000, limit },
            ),
            (
                "one_row_too_many.png",
                png_claiming(4_000, 4_001),
                PictureFault::BadSize { width: 4_000, height: 4_001, limit },
            ),
            (
                "too_long.png",
                vec![0; MAX_PICTURE_BYTES as usize + 1],
                PictureFault::TooManyBytes { limit: MAX_PICTURE_BYTES },
            ),
        ];
        for (name, bytes, fault) in cases {
            let folder = folder_with(&[(name, bytes)]);
            let mut source = PictureSource::open(&[folder.path().join(name)]).expect("opens");
            let expected = CameraError::Unreadable { picture: name.into(), fault };
            assert_eq!(source.next_frame(), Err(expected));
        }
    }

    #[test]
    fn a_bad_picture_hides_no_other() {
        let folder = folder_with(&[("a.png", b"broken".to_vec()), ("b.png", grey(20))]);
        let mut source = PictureSource::open(&[folder.path().into()]).expect("opens");
        assert!(matches!(source.next_frame(), Err(CameraError::Unreadable { .. })));
        source.advance();
        assert_eq!(shows(&mut source), (Some("b.png".into()), 20));
    }

    #[test]
    fn a_picture_that_vanished_is_not_readable() {
        let folder = folder_with(&[("a.png", grey(10))]);
        let mut source = PictureSource::open(&[folder.path().into()]).expect("opens");
        fs::remove_file(folder.path().join("a.png")).expect("removes");
        let fault = PictureFault::NotReadable;
        let expected = CameraError::Unreadable { picture: "a.png".into(), fault };
        assert_eq!(source.next_frame(), Err(expected));
    }

    #[test]
    fn colour_becomes_grey() {
        let mut bytes = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 95)
            .encode_image(&RgbImage::from_pixel(16, 8, image::Rgb([200, 200, 200])))
            .expect("encodes");
        let (width, height, luma) = decode_picture(&bytes).expect("decodes");
        assert_eq!((width, height, luma.len()), (16, 8, 128));
        assert!(luma.iter().all(|level| level.abs_diff(200) <= 2));
    }
}
