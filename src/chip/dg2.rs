//! Data group 2: the picture of the holder's face (ICAO 9303-10, 4.7.2, with ISO/IEC 19794-5:2005).
//!
//! Finds the first picture, and says how it is encoded; [`super::portrait`] decodes it. The encoding
//! is told by the picture's first bytes, not by what the record says of it.

use thiserror::Error;

use super::{Malformed, tlv};

/// How a picture is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// JPEG (ISO/IEC 10918-1).
    Jpeg,
    /// JPEG 2000 (ISO/IEC 15444-1), as a file or as a bare codestream.
    Jpeg2000,
}

/// A picture as it stands in the group.
#[derive(Clone, Copy)]
pub struct Face<'a> {
    /// Its encoding.
    pub encoding: Encoding,
    /// Its bytes.
    pub image: &'a [u8],
}

/// Says the length alone.
impl std::fmt::Debug for Face<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Face({:?}, {} bytes)", self.encoding, self.image.len())
    }
}

/// Why there is no picture to be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum NoFace {
    /// The group breaks its form.
    #[error("DG2: {0}")]
    Malformed(#[from] Malformed),
    /// There is no picture in it.
    #[error("DG2 holds no picture")]
    Empty,
    /// A record of the newer form (ISO/IEC 39794-5), which this version does not read.
    #[error("DG2 is of a newer form than this program reads")]
    NewerForm,
    /// Neither JPEG nor JPEG 2000.
    #[error("the picture in DG2 is of an unknown kind")]
    UnknownEncoding,
}

/// Returns the first picture of the group.
///
/// # Errors
///
/// Why there is none.
pub fn face(group: &[u8]) -> Result<Face<'_>, NoFace> {
    let templates = tlv::only(group, 0x75)?;
    let mut inside = tlv::only(templates.value, 0x7F61)?.children();
    // ISO/IEC 7816-11, table D.1: how many templates follow.
    if inside.optional(0x02)?.is_some_and(|count| count.value == [0]) {
        return Err(NoFace::Empty);
    }
    let template = inside.optional(0x7F60)?.ok_or(NoFace::Empty)?;
    for element in template.children() {
        let element = element?;
        match element.tag {
            // The biometric data block, as bytes or as elements.
            0x5F2E => return picture(element.value),
            0x7F2E => return Err(NoFace::NewerForm),
            _ => {}
        }
    }
    Err(NoFace::Empty)
}

/// Returns the first picture of a facial record (ISO/IEC 19794-5:2005, 5.4 to 5.7).
fn picture(record: &[u8]) -> Result<Face<'_>, NoFace> {
    const SHORT: Malformed = Malformed("the facial record ends too early");
    /// Format identifier, version, length of the record, number of faces.
    const RECORD_HEADER: usize = 14;
    /// Facial information: length of this face's block, number of feature points, and what the picture
    /// is said to show of a person, which nobody asks.
    const FACE_HEADER: usize = 20;
    const FEATURE_POINT: usize = 8;
    const IMAGE_HEADER: usize = 12;
    if !record.starts_with(b"FAC\0") {
        // ISO/IEC 39794-5 begins with a tag of its own.
        return Err(NoFace::NewerForm);
    }
    let faces = record.get(12..RECORD_HEADER).ok_or(SHORT)?;
    if faces == [0, 0] {
        return Err(NoFace::Empty);
    }
    let block = record.get(RECORD_HEADER..).ok_or(SHORT)?;
    let length = block.first_chunk::<4>().ok_or(SHORT)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| SHORT)?;
    let block = block.get(..length).ok_or(SHORT)?;
    let points = block.get(4..6).ok_or(SHORT)?;
    let points = usize::from(u16::from_be_bytes([points[0], points[1]]));
    let image = block.get(FACE_HEADER + points * FEATURE_POINT + IMAGE_HEADER..).ok_or(SHORT)?;
    if image.is_empty() {
        return Err(NoFace::Empty);
    }
    let encoding = encoding_of(image).ok_or(NoFace::UnknownEncoding)?;
    Ok(Face { encoding, image })
}

fn encoding_of(image: &[u8]) -> Option<Encoding> {
    const JPEG: &[u8] = &[0xFF, 0xD8, 0xFF];
    /// The signature box of a file, and the start of a codestream with its size.
    const JPEG_2000: [&[u8]; 2] = [b"\0\0\0\x0CjP  \r\n\x87\n", &[0xFF, 0x4F, 0xFF, 0x51]];
    if image.starts_with(JPEG) {
        Some(Encoding::Jpeg)
    } else if JPEG_2000.iter().any(|start| image.starts_with(start)) {
        Some(Encoding::Jpeg2000)
    } else {
        None
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns a facial record of one picture with this many feature points.
    fn record(image: &[u8], points: u16) -> Vec<u8> {
        let length = 20 + 8 * usize::from(points) + 12 + image.len();
        let mut record = b"FAC\x00010\0".to_vec();
        record.extend((14 + length as u32).to_be_bytes());
        record.extend(1_u16.to_be_bytes());
        record.extend((length as u32).to_be_bytes());
        record.extend(points.to_be_bytes());
        record.extend(vec![0; 14 + 8 * usize::from(points) + 12]);
        record.extend(image);
        record
    }

    fn group_of(tag: u32, block: &[u8]) -> Vec<u8> {
        let header = tlv::element(0xA1, &tlv::element(0x87, &[0x01, 0x01]));
        let template = tlv::element(0x7F60, &[header, tlv::element(tag, block)].concat());
        let inside = [tlv::element(0x02, &[1]), template].concat();
        tlv::element(0x75, &tlv::element(0x7F61, &inside))
    }

    /// Returns a data group 2 with this picture.
    pub(in super::super) fn group(image: &[u8]) -> Vec<u8> {
        group_of(0x5F2E, &record(image, 0))
    }

    const JPEG: &[u8] = &[0xFF, 0xD8, 0xFF, 0xE0, 1, 2, 3];

    #[test]
    fn picture_is_found_behind_any_feature_points() {
        for points in [0, 1, 40] {
            let group = group_of(0x5F2E, &record(JPEG, points));
            let face = face(&group).expect("a picture");
            assert_eq!((face.encoding, face.image), (Encoding::Jpeg, JPEG));
            assert_eq!(format!("{face:?}"), "Face(Jpeg, 7 bytes)");
        }
    }

    #[test]
    fn encoding_is_told_by_the_picture() {
        for (image, expected) in [
            (&b"\0\0\0\x0CjP  \r\n\x87\nrest"[..], Some(Encoding::Jpeg2000)),
            (&[0xFF, 0x4F, 0xFF, 0x51, 0, 0], Some(Encoding::Jpeg2000)),
            (b"\x89PNG\r\n\x1A\n", None),
            (b"GIF89a", None),
        ] {
            let group = group(image);
            let found = face(&group).map(|face| face.encoding);
            assert_eq!(found, expected.ok_or(NoFace::UnknownEncoding));
        }
    }

    #[test]
    fn a_group_without_a_picture_says_why() {
        let mut faceless = record(JPEG, 0);
        faceless[13] = 0;
        let mut endless = record(JPEG, 0);
        endless[14..18].fill(0xFF);
        let mut many_points = record(JPEG, 0);
        many_points[18..20].fill(0xFF);
        let short = Malformed("the facial record ends too early");
        let no_template = tlv::element(0x75, &tlv::element(0x7F61, &[0x02, 0x01, 0x00]));
        for (group, expected) in [
            (group_of(0x5F2E, &faceless), NoFace::Empty),
            (group_of(0x5F2E, &record(&[], 0)), NoFace::Empty),
            (no_template, NoFace::Empty),
            (group_of(0x5F2E, &endless), short.into()),
            (group_of(0x5F2E, &many_points), short.into()),
            (group_of(0x5F2E, b"FAC\0"), short.into()),
            (group_of(0x7F2E, &[0x65, 0x00]), NoFace::NewerForm),
            (group_of(0x5F2E, &[0x65, 0x00]), NoFace::NewerForm),
            (tlv::element(0x61, &[]), Malformed("another element than expected").into()),
        ] {
            assert_eq!(face(&group).err(), Some(expected));
        }
    }

    proptest! {
        #[test]
        fn any_mutation_is_read_without_a_panic(
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            end in any::<prop::sample::Index>(),
        ) {
            let mut group = group(JPEG);
            let length = group.len();
            group[at.index(length)] = byte;
            let _ = face(&group);
            let _ = face(&group[..end.index(length)]);
        }
    }
}
