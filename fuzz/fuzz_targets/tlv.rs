//! Elements of every shape, and those of BER.
#![no_main]

use fieldcheck::chip::{ber, tlv};
use libfuzzer_sys::fuzz_target;

/// Goes through all elements, as deep as the norm's files are nested.
fn walk(bytes: &[u8], depth: u32) {
    for element in tlv::Elements::new(bytes) {
        let Ok(element) = element else { return };
        if element.is_constructed() && depth < 8 {
            walk(element.value, depth + 1);
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(header) = tlv::header(bytes) {
        let _ = header.total();
    }
    walk(bytes, 0);
    if let Ok(definite) = ber::definite(bytes) {
        // What is definite already stays as it is.
        assert_eq!(ber::definite(&definite).expect("definite"), definite);
    }
    if let Ok(element) = tlv::first(bytes) {
        assert!(bytes.starts_with(element.whole));
        let again = tlv::element(element.tag, element.value);
        let read = tlv::only(&again, element.tag).expect("what was written is read");
        assert_eq!(read.value, element.value);
    }
});
