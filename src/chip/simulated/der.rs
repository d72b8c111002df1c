//! Writing the few forms of DER that a holder's groups are made of.

use crate::chip::tlv;

pub const INTEGER: u32 = 0x02;
pub const OCTET_STRING: u32 = 0x04;
pub const OID: u32 = 0x06;
pub const UTF8_STRING: u32 = 0x0C;
pub const PRINTABLE_STRING: u32 = 0x13;
pub const SEQUENCE: u32 = 0x30;
pub const SET: u32 = 0x31;

/// Returns a SEQUENCE.
pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv::element(SEQUENCE, &parts.concat())
}

/// Returns the INTEGER of a number below 128.
pub fn small(number: u8) -> Vec<u8> {
    tlv::element(INTEGER, &[number])
}

/// Returns the OBJECT IDENTIFIER of its content.
pub fn oid(content: &[u8]) -> Vec<u8> {
    tlv::element(OID, content)
}
