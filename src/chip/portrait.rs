//! Decodes the holder's picture, from bytes that may be meant to do harm.
//!
//! A picture is at most [`MAX_PIXELS`]; what its headers claim is read before anything is set aside for
//! it. The decoders are other people's: a panic in them is caught, and one that does not come back is
//! left behind.

use std::io::Cursor;
use std::time::Duration;

use image::codecs::jpeg::JpegDecoder;
use image::{ImageDecoder, Limits};
use thiserror::Error;
use zeroize::Zeroizing;

use super::dg2::{Encoding, Face};
use crate::camera::guard::Patience;

/// The largest picture that is decoded, in pixels: 640 by 480. Those of cards and passports have
/// 240 by 320 to 480 by 640 (ICAO 9303-9 and ISO/IEC 19794-5 ask for about 300 by 400).
pub const MAX_PIXELS: u32 = 640 * 480;

/// The longest side, in pixels.
const MAX_SIDE: u32 = 1_600;

/// A picture of the holder, for the officer's eye and nothing else; wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Portrait {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Red, green and blue of each pixel, row by row.
    pub rgb: Zeroizing<Vec<u8>>,
}

/// Says the size alone.
impl std::fmt::Debug for Portrait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Portrait({}x{})", self.width, self.height)
    }
}

/// Why a picture cannot be shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum NoPortrait {
    /// It is damaged.
    #[error("the picture is damaged")]
    Damaged,
    /// It is larger than any card's.
    #[error("the picture is larger than any card's")]
    TooLarge,
    /// Its colours or its inner order are none that a card has.
    #[error("the picture is of a form that no card has")]
    UnusualForm,
    /// Its decoder failed or took too long.
    #[error("the picture could not be decoded in time")]
    DecoderFailed,
}

/// Decodes the picture of a face.
///
/// # Errors
///
/// Why it cannot be shown; the card is not refuted by that.
pub fn decode(face: Face<'_>) -> Result<Portrait, NoPortrait> {
    /// Pictures of this size take 5 to 60 ms; a chip's picture is at hand for seconds.
    static PATIENCE: Patience<Result<Portrait, NoPortrait>> = Patience::new(Duration::from_secs(3));
    let decoder = match face.encoding {
        Encoding::Jpeg => jpeg,
        Encoding::Jpeg2000 => jpeg_2000,
    };
    let image = Zeroizing::new(face.image.to_vec());
    PATIENCE.run("portrait", move || decoder(&image)).unwrap_or(Err(NoPortrait::DecoderFailed))
}

/// Checks the size that a picture claims.
fn fits(width: u32, height: u32) -> Result<(), NoPortrait> {
    if width == 0 || height == 0 {
        return Err(NoPortrait::Damaged);
    }
    let fits = width <= MAX_SIDE && height <= MAX_SIDE && width * height <= MAX_PIXELS;
    if fits { Ok(()) } else { Err(NoPortrait::TooLarge) }
}

fn jpeg(image: &[u8]) -> Result<Portrait, NoPortrait> {
    let mut decoder = JpegDecoder::new(Cursor::new(image)).map_err(|_| NoPortrait::Damaged)?;
    let (width, height) = decoder.dimensions();
    fits(width, height)?;
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
    limits.max_alloc = Some(u64::from(MAX_PIXELS) * 8);
    decoder.set_limits(limits).map_err(|_| NoPortrait::TooLarge)?;
    let channels = match decoder.color_type() {
        image::ColorType::L8 => 1,
        image::ColorType::Rgb8 => 3,
        _ => return Err(NoPortrait::UnusualForm),
    };
    let length = width as usize * height as usize * channels;
    let mut samples = Zeroizing::new(vec![0; length]);
    decoder.read_image(&mut samples).map_err(|_| NoPortrait::Damaged)?;
    Ok(Portrait { width, height, rgb: to_rgb(samples, channels) })
}

fn jpeg_2000(image: &[u8]) -> Result<Portrait, NoPortrait> {
    use hayro_jpeg2000::{ColorSpace, DecodeSettings, DecoderContext, Image};

    has_usual_form(image)?;
    // Palettes and profiles are of no card: the samples are taken as they are.
    let settings = DecodeSettings { resolve_palette_indices: false, ..DecodeSettings::default() };
    let image = Image::new(image, &settings).map_err(|_| NoPortrait::Damaged)?;
    let (width, height) = (image.width(), image.height());
    fits(width, height)?;
    let channels = match (image.color_space(), image.has_alpha()) {
        (ColorSpace::Gray, false) => 1,
        (ColorSpace::RGB, false) => 3,
        _ => return Err(NoPortrait::UnusualForm),
    };
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(|_| NoPortrait::Damaged)?;
    let length = width as usize * height as usize;
    let is_whole = decoded.components().len() == channels
        && decoded.components().iter().all(|component| component.samples().len() == length);
    if !is_whole {
        return Err(NoPortrait::UnusualForm);
    }
    let mut samples = Zeroizing::new(vec![0; length * channels]);
    decoded.store_u8_into(&mut samples);
    Ok(Portrait { width, height, rgb: to_rgb(samples, channels) })
}

/// Returns three samples a pixel.
fn to_rgb(samples: Zeroizing<Vec<u8>>, channels: usize) -> Zeroizing<Vec<u8>> {
    if channels == 3 {
        return samples;
    }
    Zeroizing::new(samples.iter().flat_map(|grey| [*grey; 3]).collect())
}

/// Checks the headers of a JPEG 2000 codestream (ISO/IEC 15444-1, annex A), before a decoder sets
/// anything aside for what they claim.
///
/// Small tiles, precincts and code-blocks cost a decoder more than the pixels in them: an image of
/// [`MAX_PIXELS`] may be cut into hundreds of thousands of each by a few bytes. No camera writes that.
fn has_usual_form(image: &[u8]) -> Result<(), NoPortrait> {
    const SIZ: u8 = 0x51;
    const COD: u8 = 0x52;
    const COC: u8 = 0x53;
    const POC: u8 = 0x5F;
    const PPM: u8 = 0x60;
    const PPT: u8 = 0x61;
    const SOT: u8 = 0x90;
    const SOD: u8 = 0x93;
    const DAMAGED: NoPortrait = NoPortrait::Damaged;
    let start = codestream_start(image).ok_or(DAMAGED)?;
    let stream = image.get(start..).ok_or(DAMAGED)?;
    let mut at = 2;
    let mut tile_part = None;
    loop {
        let marker = stream.get(at..at + 2).ok_or(DAMAGED)?;
        if marker[0] != 0xFF {
            return Err(DAMAGED);
        }
        let marker = marker[1];
        if marker == SOD {
            // The data of a tile-part follow, up to the length that its header gave.
            match tile_part {
                Some((begin, length)) if length > at - begin => at = begin + length,
                // To the end of the codestream, or nonsense for the decoder to refuse.
                _ => return Ok(()),
            }
            // End of the codestream, or what is left is no tile-part any more.
            if stream.get(at..at + 2) != Some(&[0xFF, SOT]) {
                return Ok(());
            }
            continue;
        }
        let length = stream.get(at + 2..at + 4).ok_or(DAMAGED)?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        let fields = stream.get(at + 4..at + 2 + length).ok_or(DAMAGED)?;
        match marker {
            SIZ => check_size(fields)?,
            COD => check_coding(fields.get(5..).ok_or(DAMAGED)?, fields[0] & 1 != 0)?,
            COC => check_coding(fields.get(2..).ok_or(DAMAGED)?, fields[1] & 1 != 0)?,
            POC | PPM | PPT => return Err(NoPortrait::UnusualForm),
            SOT => {
                let length = fields.get(2..6).and_then(|it| it.first_chunk()).ok_or(DAMAGED)?;
                tile_part = Some((at, u32::from_be_bytes(*length) as usize));
            }
            _ => {}
        }
        if length < 2 {
            return Err(DAMAGED);
        }
        at += 2 + length;
    }
}

/// Returns where the codestream begins: at once, or in the box `jp2c` of a file (annex I).
///
/// `None` also where there are several: a decoder may take another one than was looked at.
fn codestream_start(image: &[u8]) -> Option<usize> {
    const START: [u8; 2] = [0xFF, 0x4F];
    if image.starts_with(&START) {
        return Some(0);
    }
    let (mut at, mut found) = (0_usize, None);
    while let Some(header) = image.get(at..at + 8) {
        let length = u32::from_be_bytes(*header.first_chunk()?) as usize;
        if &header[4..] == b"jp2c" {
            // Lengths of eight bytes are for files that no chip holds.
            if found.is_some() || length == 1 || image.get(at + 8..at + 10)? != START {
                return None;
            }
            found = Some(at + 8);
            if length == 0 {
                break;
            }
        }
        at = at.checked_add(if length >= 8 { length } else { return None })?;
    }
    found
}

/// Checks image, tiles and components (A.5.1).
fn check_size(fields: &[u8]) -> Result<(), NoPortrait> {
    let number = |at: usize| {
        let bytes = fields.get(at..at + 4).and_then(|bytes| bytes.first_chunk());
        bytes.map(|bytes| u32::from_be_bytes(*bytes)).ok_or(NoPortrait::Damaged)
    };
    let (right, bottom, left, top) = (number(2)?, number(6)?, number(10)?, number(14)?);
    let (tile_width, tile_height) = (number(18)?, number(22)?);
    let width = right.checked_sub(left).ok_or(NoPortrait::Damaged)?;
    let height = bottom.checked_sub(top).ok_or(NoPortrait::Damaged)?;
    fits(width, height)?;
    const SMALLEST_TILE: u32 = 64;
    let components = fields.get(34..36).ok_or(NoPortrait::Damaged)?;
    let is_usual = [left, top, number(26)?, number(30)?] == [0; 4]
        && tile_width >= SMALLEST_TILE.min(width)
        && tile_height >= SMALLEST_TILE.min(height)
        && matches!(components, [0, 1 | 3])
        // No component is made of fewer samples than the others.
        && fields[36..].chunks(3).all(|it| it.len() == 3 && it[0] < 16 && it[1..] == [1, 1]);
    if is_usual { Ok(()) } else { Err(NoPortrait::UnusualForm) }
}

/// Checks code-blocks and precincts: `fields` begin with the number of decompositions (A.6.1, A.6.2).
fn check_coding(fields: &[u8], has_precincts: bool) -> Result<(), NoPortrait> {
    let [levels, width, height, _, _, precincts @ ..] = fields else {
        return Err(NoPortrait::Damaged);
    };
    /// Code-blocks of at least 16 by 16, precincts of at least 64 by 64: exponents.
    const CODE_BLOCK: u8 = 4;
    const PRECINCT: u8 = 6;
    let large_enough = |exponents: &u8| exponents & 0xF >= PRECINCT && exponents >> 4 >= PRECINCT;
    let is_usual = *levels <= 8
        && width.saturating_add(2) >= CODE_BLOCK
        && height.saturating_add(2) >= CODE_BLOCK
        && (!has_precincts || precincts.iter().all(large_enough));
    if is_usual { Ok(()) } else { Err(NoPortrait::UnusualForm) }
}

#[cfg(test)]
mod tests {
    use image::codecs::jpeg::JpegEncoder;
    use image::{ExtendedColorType, RgbImage};
    use proptest::prelude::*;

    use super::*;

    /// A drawn face of 96 by 128 pixels, in a file; one of 48 by 64 grey ones, as a codestream.
    const JP2: &[u8] = include_bytes!("../../tests/data/chip/face.jp2");
    const J2K: &[u8] = include_bytes!("../../tests/data/chip/face.j2k");

    fn jpeg_of(width: u32, height: u32) -> Vec<u8> {
        let image = RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 90]));
        let mut bytes = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut bytes, 90);
        image.write_with_encoder(encoder).expect("a picture in memory");
        bytes
    }

    fn decoded(encoding: Encoding, image: &[u8]) -> Result<Portrait, NoPortrait> {
        decode(Face { encoding, image })
    }

    #[test]
    fn pictures_of_both_encodings_are_decoded() {
        let jpeg = decoded(Encoding::Jpeg, &jpeg_of(120, 160)).expect("a picture");
        assert_eq!((jpeg.width, jpeg.height, jpeg.rgb.len()), (120, 160, 120 * 160 * 3));
        // Row 100, column 50: red tells the column, green the row.
        let pixel = &jpeg.rgb[(100 * 120 + 50) * 3..][..3];
        for (seen, drawn) in pixel.iter().zip([50_u8, 100, 90]) {
            assert!(seen.abs_diff(drawn) < 12, "{pixel:?}");
        }
        let jp2 = decoded(Encoding::Jpeg2000, JP2).expect("a picture");
        assert_eq!((jp2.width, jp2.height), (96, 128));
        // Skin on the forehead, background in the corner.
        let at = |x: usize, y: usize| &jp2.rgb[(y * 96 + x) * 3..][..3];
        assert!(at(48, 45)[0] > 200, "{:?}", at(48, 45));
        assert!(at(2, 2)[2] > at(2, 2)[0], "{:?}", at(2, 2));
        assert_eq!(format!("{jp2:?}"), "Portrait(96x128)");
    }

    #[test]
    fn grey_pictures_get_three_samples_a_pixel() {
        let stream = decoded(Encoding::Jpeg2000, J2K).expect("a picture");
        assert_eq!((stream.width, stream.height, stream.rgb.len()), (48, 64, 48 * 64 * 3));
        let mut bytes = Vec::new();
        JpegEncoder::new(&mut bytes)
            .encode(&[77; 64], 8, 8, ExtendedColorType::L8)
            .expect("a picture in memory");
        let grey = decoded(Encoding::Jpeg, &bytes).expect("a picture");
        assert!(grey.rgb.iter().all(|sample| sample.abs_diff(77) < 3));
    }

    #[test]
    fn the_largest_picture_is_decoded_and_no_larger_one() {
        assert!(decoded(Encoding::Jpeg, &jpeg_of(640, 480)).is_ok());
        for (width, height) in [(641, 480), (1_601, 1), (1, 1_601)] {
            let error = decoded(Encoding::Jpeg, &jpeg_of(width, height)).err();
            assert_eq!(error, Some(NoPortrait::TooLarge), "{width}x{height}");
        }
    }

    /// Returns the codestream with bytes at `from` behind the marker replaced.
    fn changed(marker: u8, from: usize, bytes: &[u8]) -> Vec<u8> {
        let mut stream = J2K.to_vec();
        let at = stream.windows(2).position(|pair| pair == [0xFF, marker]).expect("the marker");
        stream[at + 4 + from..][..bytes.len()].copy_from_slice(bytes);
        stream
    }

    #[test]
    fn what_headers_claim_is_read_before_a_decoder_believes_it() {
        const SIZ: u8 = 0x51;
        const COD: u8 = 0x52;
        let huge = 30_000_u32.to_be_bytes();
        for (what, stream, expected) in [
            ("width", changed(SIZ, 2, &huge), NoPortrait::TooLarge),
            ("no width", changed(SIZ, 2, &[0; 4]), NoPortrait::Damaged),
            ("offset", changed(SIZ, 10, &[0, 0, 0, 1]), NoPortrait::UnusualForm),
            ("tiles of a pixel", changed(SIZ, 18, &[0, 0, 0, 1]), NoPortrait::UnusualForm),
            ("components", changed(SIZ, 34, &[0x40, 0]), NoPortrait::UnusualForm),
            ("sampling", changed(SIZ, 37, &[9]), NoPortrait::UnusualForm),
            ("levels", changed(COD, 5, &[32]), NoPortrait::UnusualForm),
            ("code-blocks", changed(COD, 6, &[0]), NoPortrait::UnusualForm),
            ("cut", J2K[..60].to_vec(), NoPortrait::Damaged),
            ("empty", Vec::new(), NoPortrait::Damaged),
        ] {
            let found = decoded(Encoding::Jpeg2000, &stream).err();
            assert_eq!(found, Some(expected), "{what}");
        }
        assert_eq!(check_coding(&[5, 4, 4, 0, 1, 0x66, 0x77], true), Ok(()));
        let small_precincts = check_coding(&[5, 4, 4, 0, 1, 0x66, 0x61], true);
        assert_eq!(small_precincts, Err(NoPortrait::UnusualForm));
    }

    #[test]
    fn second_codestream_is_refused_since_a_decoder_may_take_that_one() {
        let boxed = |stream: &[u8]| {
            let length = (stream.len() as u32 + 8).to_be_bytes();
            [&length[..], b"jp2c", stream].concat()
        };
        let at = JP2.windows(4).position(|four| four == b"jp2c").expect("the box") - 4;
        let whole = [&JP2[..at], &boxed(&JP2[at + 8..])].concat();
        assert!(decoded(Encoding::Jpeg2000, &whole).is_ok());
        let twice = [&whole[..], &boxed(J2K)].concat();
        assert_eq!(decoded(Encoding::Jpeg2000, &twice).err(), Some(NoPortrait::Damaged));
    }

    #[test]
    fn headers_behind_the_first_tile_are_looked_at_too() {
        // One tile-part; a second one with an unusual coding style follows it.
        let end = J2K.len() - 2;
        let at = J2K.windows(2).position(|pair| pair == [0xFF, 0x90]).expect("a tile-part");
        let mut stream = J2K[..end].to_vec();
        stream[at + 6..at + 10].copy_from_slice(&((end - at) as u32).to_be_bytes());
        stream.extend([0xFF, 0x90, 0, 10, 0, 0, 0, 0, 0, 0, 1, 2]);
        stream.extend([0xFF, 0x52, 0, 12, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1]);
        stream.extend([0xFF, 0x93, 0xFF, 0xD9]);
        let found = decoded(Encoding::Jpeg2000, &stream).err();
        assert_eq!(found, Some(NoPortrait::UnusualForm));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn any_mutation_is_answered(
            at in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..4),
            cut in any::<prop::sample::Index>(),
        ) {
            for (encoding, image) in [
                (Encoding::Jpeg2000, JP2.to_vec()),
                (Encoding::Jpeg2000, J2K.to_vec()),
                (Encoding::Jpeg, jpeg_of(24, 32)),
            ] {
                let mut image = image;
                for (at, byte) in &at {
                    let length = image.len();
                    image[at.index(length)] = *byte;
                }
                let _ = decoded(encoding, &image);
                let _ = decoded(encoding, &image[..cut.index(image.len())]);
            }
        }
    }
}
