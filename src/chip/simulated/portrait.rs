//! The portrait on a simulated card: nobody's, drawn, and written as chips have it.

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};

use super::der::small;
use crate::chip::tlv;

/// Width and height in pixels, as portraits on chips have them.
const SIZE: (u32, u32) = (300, 400);

/// A portrait of this program's own, drawn as below and compressed by OpenJPEG: nothing here writes
/// JPEG 2000.
const JPEG_2000: &[u8] = include_bytes!("portrait.jp2");

/// The picture of group 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Portrait {
    /// A JPEG whose file has exactly so many bytes; of at least 5,000.
    Jpeg(usize),
    /// A JPEG 2000 file.
    Jpeg2000,
}

impl Default for Portrait {
    /// The size that most cards' portraits have, about.
    fn default() -> Portrait {
        Portrait::Jpeg(15_000)
    }
}

impl Portrait {
    /// Returns the picture's file; `seed` gives the person his own colours.
    pub fn file(self, seed: u64) -> Vec<u8> {
        match self {
            Portrait::Jpeg(size) => jpeg(&draw(seed), size),
            Portrait::Jpeg2000 => JPEG_2000.to_vec(),
        }
    }

    /// Returns the file of group 2: the picture in an ISO 19794-5 record, in a biometric template
    /// (ICAO 9303-10, 4.7.2).
    pub fn dg2(self, seed: u64) -> Vec<u8> {
        let record = self.record(&self.file(seed));
        // Version of the header; facial features, of the whole face; a record of ISO/IEC JTC 1/SC 37
        // that is a face.
        let header = [
            tlv::element(0x80, &[0x01, 0x01]),
            tlv::element(0x81, &[0x02]),
            tlv::element(0x82, &[0x00]),
            tlv::element(0x87, &[0x01, 0x01]),
            tlv::element(0x88, &[0x00, 0x08]),
        ]
        .concat();
        let template = [tlv::element(0xA1, &header), tlv::element(0x5F2E, &record)].concat();
        let templates = [small(1), tlv::element(0x7F60, &template)].concat();
        tlv::element(0x75, &tlv::element(0x7F61, &templates))
    }

    /// Returns the facial record of ISO/IEC 19794-5:2005, section 5, with one picture and two feature
    /// points, whose length readers have to take from the record.
    fn record(self, picture: &[u8]) -> Vec<u8> {
        /// Points of an eye each: type, major and minor code, position, two bytes not used.
        const FEATURE_POINTS: [[u8; 8]; 2] =
            [[1, 0xC1, 0, 0x7D, 0, 0xB4, 0, 0], [1, 0xC2, 0, 0xAF, 0, 0xB4, 0, 0]];
        let points = FEATURE_POINTS.concat();
        let (width, height) = SIZE;
        let mut data = Vec::new();
        data.extend_from_slice(&(FEATURE_POINTS.len() as u16).to_be_bytes());
        // Gender, eyes, hair, properties, expression, pose and its uncertainty: not said.
        data.extend_from_slice(&[0; 14]);
        data.extend_from_slice(&points);
        // Full frontal; JPEG or JPEG 2000.
        data.extend_from_slice(&[0x01, u8::from(self == Portrait::Jpeg2000)]);
        data.extend_from_slice(&(width as u16).to_be_bytes());
        data.extend_from_slice(&(height as u16).to_be_bytes());
        // Colours of 24 bits; source, device and quality not said.
        data.extend_from_slice(&[0x01, 0, 0, 0, 0, 0]);
        data.extend_from_slice(picture);
        let data_length = 4 + data.len() as u32;
        let mut record = b"FAC\x00010\x00".to_vec();
        record.extend_from_slice(&(14 + data_length).to_be_bytes());
        record.extend_from_slice(&1_u16.to_be_bytes());
        record.extend_from_slice(&data_length.to_be_bytes());
        record.extend_from_slice(&data);
        record
    }
}

/// Head and shoulders before a plain ground.
fn draw(seed: u64) -> RgbImage {
    let (width, height) = SIZE;
    let hue = |shift: u32| (seed >> shift) as u8 & 0x1F;
    let mut state = seed | 1;
    RgbImage::from_fn(width, height, |x, y| {
        let (dx, dy) = (x as f32 - width as f32 / 2.0, y as f32);
        let oval = |dx: f32, dy: f32, wide: f32, high: f32| {
            (dx / wide).powi(2) + (dy / high).powi(2) < 1.0
        };
        let is_eye = oval(dx.abs() - 25.0, dy - 180.0, 9.0, 4.0);
        let is_mouth = oval(dx, dy - 250.0, 26.0, 5.0);
        let is_face = oval(dx, dy - 195.0, 72.0, 95.0) && dy > 130.0;
        let is_hair = oval(dx, dy - 175.0, 84.0, 100.0) && dy < 210.0;
        let is_neck = dx.abs() < 34.0 && (260.0..330.0).contains(&dy);
        let is_shoulder = oval(dx, dy - 410.0, 140.0, 105.0);
        let colour = if is_face && (is_eye || is_mouth) {
            [70, 40, 40]
        } else if is_face || (is_neck && !is_shoulder) {
            [205 + hue(0) / 2, 165 + hue(5) / 2, 130 + hue(10) / 2]
        } else if is_hair {
            [25 + hue(15) / 2, 20, 20]
        } else if is_shoulder {
            [60 + hue(20), 70 + hue(25), 110 + hue(30)]
        } else {
            [225, 230, 240]
        };
        // The grain of a sensor, by which a drawing compresses like a photograph.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let grain = (state >> 40) as u8 % 7;
        let shade = (dx / 24.0) as i8;
        Rgb(colour.map(|value: u8| value.saturating_add_signed(shade).saturating_add(grain)))
    })
}

/// Compresses as little as the size allows, and fills what is left with a comment, which a decoder
/// passes over.
fn jpeg(picture: &RgbImage, size: usize) -> Vec<u8> {
    let encode = |quality: u8| {
        let mut file = Vec::new();
        JpegEncoder::new_with_quality(&mut file, quality)
            .encode_image(picture)
            .expect("memory takes everything");
        file
    };
    // A comment takes four bytes at least.
    let fits = |file: &Vec<u8>| file.len() + 4 <= size || file.len() == size;
    let mut file = (1..=95).rev().step_by(5).map(encode).find(fits).unwrap_or_else(|| encode(1));
    while file.len() < size {
        let room = size - file.len();
        // Not so much that fewer than four bytes would be left for the next.
        let length = if room > 0xFFFF + 2 { 0xFFF0 } else { room - 2 };
        let mut comment = vec![0xFF, 0xFE];
        comment.extend_from_slice(&(length as u16).to_be_bytes());
        comment.resize(2 + length, b' ');
        // Behind the mark of the beginning.
        file.splice(2..2, comment);
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_the_size_that_is_asked_for_and_can_be_looked_at() {
        for size in [5_000, 15_000, 54_000, 200_001] {
            let file = Portrait::Jpeg(size).file(7);
            assert_eq!(file.len(), size);
            let seen = image::load_from_memory(&file).expect("a picture");
            assert_eq!((seen.width(), seen.height()), SIZE);
        }
    }

    #[test]
    fn a_group_holds_the_picture_at_its_end() {
        for portrait in [Portrait::default(), Portrait::Jpeg2000] {
            let (file, group) = (portrait.file(7), portrait.dg2(7));
            assert!(group.ends_with(&file));
            assert_eq!(tlv::only(&group, 0x75).expect("a group").whole, &group[..]);
            let record = group.windows(4).position(|part| part == b"FAC\0").expect("a record");
            let length: [u8; 4] = group[record + 8..record + 12].try_into().expect("four bytes");
            assert_eq!(u32::from_be_bytes(length) as usize, group.len() - record);
        }
    }

    #[test]
    fn the_same_person_has_the_same_picture() {
        assert_eq!(Portrait::default().file(7), Portrait::default().file(7));
        assert_ne!(Portrait::default().file(7), Portrait::default().file(8));
    }
}
