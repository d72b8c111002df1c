//! The picture of the holder: where it is in data group 2, and what is in it.
//!
//! The decoders are other people's: one that panics is caught, as on a device, and is no finding. One
//! that does not come back is.
#![no_main]

use std::time::{Duration, Instant};

use fieldcheck::chip::dg2::{self, Encoding, Face};
use fieldcheck::chip::portrait::{self, MAX_PIXELS};
use libfuzzer_sys::fuzz_target;

fn decode(face: Face<'_>) {
    let began = Instant::now();
    if let Ok(portrait) = portrait::decode(face) {
        assert!(portrait.width * portrait.height <= MAX_PIXELS);
        let samples = portrait.width as usize * portrait.height as usize * 3;
        assert_eq!(portrait.rgb.len(), samples);
    }
    assert!(began.elapsed() < Duration::from_millis(2_900), "the decoder did not come back");
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(face) = dg2::face(bytes) {
        decode(face);
    }
    // Without the group around it, which the fuzzer would have to keep whole.
    for (encoding, begins) in [(Encoding::Jpeg, 0xD8), (Encoding::Jpeg2000, 0x4F)] {
        if bytes.starts_with(&[0xFF, begins]) {
            decode(Face { encoding, image: bytes });
        }
    }
    if bytes.starts_with(&[0, 0, 0, 0x0C]) {
        decode(Face { encoding: Encoding::Jpeg2000, image: bytes });
    }
});
