//! Data group 1: the machine-readable zone (ICAO 9303-10, 4.7.1).

use super::Malformed;
use super::tlv;

/// Returns the zone as one line of 90, 72 or 88 characters, without line ends.
///
/// What the zone says is for [`crate::document::chip`] to read.
///
/// # Errors
///
/// What breaks the group's form. Bytes of another repertoire than the zone's are left to its reader.
pub fn zone(group: &[u8]) -> Result<&str, Malformed> {
    let mut inside = tlv::only(group, 0x61)?.children();
    let zone = inside.expect(0x5F1F)?.value;
    inside.end()?;
    std::str::from_utf8(zone).map_err(|_| Malformed("the zone of DG1 is no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zone_comes_out_of_its_wrapping() {
        let group = tlv::element(0x61, &tlv::element(0x5F1F, b"IDVNM<<"));
        assert_eq!(zone(&group), Ok("IDVNM<<"));
    }

    #[test]
    fn another_form_is_refused() {
        let zone_of = |tag, inside: &[u8]| tlv::element(tag, inside);
        let good = tlv::element(0x5F1F, b"IDVNM<<");
        for group in [
            zone_of(0x75, &good),
            zone_of(0x61, &[good.clone(), vec![0x04, 0x00]].concat()),
            [zone_of(0x61, &good), vec![0]].concat(),
            zone_of(0x61, &tlv::element(0x5F1F, &[0xFF])),
            Vec::new(),
        ] {
            assert!(zone(&group).is_err(), "{group:02X?}");
        }
    }
}
