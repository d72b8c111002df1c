//! Turns BER with indefinite lengths into what [`super::tlv`] reads.
//!
//! Some states write their signed objects as they stream out of a library: lengths are left open and
//! ended by two zero bytes, and a byte string comes in pieces (X.690, 8.1.3.6 and 8.7.3). What is
//! already definite stays as it is, byte for byte: signatures are over it.

use std::borrow::Cow;

use super::Malformed;
use super::tlv;

/// How deep elements may stand in one another. A signed object needs 11.
const MAX_DEPTH: usize = 24;
/// The longest object. The German master list, the longest that is met, has 0.9 MB.
const MAX_BYTES: usize = 8 << 20;

const INDEFINITE: u8 = 0x80;
const END_OF_CONTENTS: [u8; 2] = [0, 0];
const OCTET_STRING: u32 = 0x04;
const OCTET_STRING_IN_PIECES: u32 = 0x24;

/// Returns the one element that `bytes` are, with definite lengths and byte strings whole.
pub fn definite(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Malformed> {
    if bytes.len() > MAX_BYTES {
        return Err(Malformed("an object that is too long"));
    }
    let (element, rest) = convert(bytes, MAX_DEPTH)?;
    if rest.is_empty() { Ok(element) } else { Err(Malformed("bytes after the last element")) }
}

/// Returns the first element of `bytes` in its definite form, and what follows it.
fn convert(bytes: &[u8], depth: usize) -> Result<(Cow<'_, [u8]>, &[u8]), Malformed> {
    let depth = depth.checked_sub(1).ok_or(Malformed("elements too deep in one another"))?;
    let tag_length = tag_length(bytes)?;
    let (tag, mut inside, end) = if bytes.get(tag_length) == Some(&INDEFINITE) {
        // The tag alone, with a length that can be read.
        let mut tag = bytes[..tag_length].to_vec();
        tag.push(0);
        (tlv::first(&tag)?.tag, &bytes[tag_length + 1..], None)
    } else {
        let element = tlv::first(bytes)?;
        if !element.is_constructed() {
            return Ok((Cow::Borrowed(element.whole), &bytes[element.whole.len()..]));
        }
        (element.tag, element.value, Some(element.whole))
    };
    if bytes[0] & 0x20 == 0 {
        return Err(Malformed("an open length where nothing can stand inside"));
    }

    let mut content = Vec::new();
    let mut is_changed = end.is_none() || tag == OCTET_STRING_IN_PIECES;
    loop {
        match end {
            Some(_) if inside.is_empty() => break,
            None if inside.starts_with(&END_OF_CONTENTS) => {
                inside = &inside[END_OF_CONTENTS.len()..];
                break;
            }
            _ => {}
        }
        let (child, after) = convert(inside, depth)?;
        inside = after;
        is_changed |= matches!(child, Cow::Owned(_));
        if tag == OCTET_STRING_IN_PIECES {
            content.extend_from_slice(tlv::only(&child, OCTET_STRING)?.value);
        } else {
            content.extend_from_slice(&child);
        }
    }
    let rest = end.map_or(inside, |whole| &bytes[whole.len()..]);
    match end {
        Some(whole) if !is_changed => Ok((Cow::Borrowed(whole), rest)),
        _ if tag == OCTET_STRING_IN_PIECES => {
            Ok((tlv::element(OCTET_STRING, &content).into(), rest))
        }
        _ => Ok((tlv::element(tag, &content).into(), rest)),
    }
}

/// Returns the number of bytes of the tag at the beginning of `bytes`.
fn tag_length(bytes: &[u8]) -> Result<usize, Malformed> {
    let first = bytes.first().ok_or(Malformed("an element ends in its header"))?;
    if first & 0x1F != 0x1F {
        return Ok(1);
    }
    let more = bytes[1..].iter().take_while(|byte| **byte & 0x80 != 0).count();
    Ok(more + 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn definite_object_stays_as_it_is() {
        // A length of more bytes than needed too: a signature may be over it.
        let bytes = [0x30, 0x81, 0x07, 0x04, 0x01, 0xAA, 0x30, 0x02, 0x05, 0x00];
        assert!(matches!(definite(&bytes), Ok(Cow::Borrowed(same)) if same == bytes));
    }

    #[test]
    fn open_lengths_are_closed_and_pieces_joined() {
        let open = [
            0x30, 0x80, 0xA0, 0x80, 0x24, 0x80, 0x04, 0x01, 0xAA, 0x24, 0x03, 0x04, 0x01, 0xBB, 0,
            0, 0, 0, 0x30, 0x81, 0x02, 0x05, 0x00, 0, 0,
        ];
        let closed = [0x30, 0x0B, 0xA0, 0x04, 0x04, 0x02, 0xAA, 0xBB, 0x30, 0x81, 0x02, 0x05, 0x00];
        assert_eq!(definite(&open).as_deref(), Ok(&closed[..]));
        // Tags of two bytes.
        let open = [0x7F, 0x61, 0x80, 0x5F, 0x2E, 0x01, 0xAA, 0, 0];
        assert_eq!(definite(&open).as_deref(), Ok(&[0x7F, 0x61, 0x04, 0x5F, 0x2E, 0x01, 0xAA][..]));
    }

    #[test]
    fn object_out_of_bounds_is_refused() {
        let check = |bytes: &[u8], why| assert_eq!(definite(bytes), Err(Malformed(why)));
        check(&[0x30, 0x80].repeat(1_000), "elements too deep in one another");
        check(&vec![0x30; MAX_BYTES + 1], "an object that is too long");
        check(&[0x04, 0x80, 0, 0], "an open length where nothing can stand inside");
        check(&[0x30, 0x80, 0x05, 0x00], "an element ends in its header");
        check(&[0x30, 0x80, 0, 0, 0], "bytes after the last element");
        check(&[0x24, 0x80, 0x05, 0x00, 0, 0], "another element than expected");
        check(&[], "an element ends in its header");
        check(&[0x1F], "an element ends in its header");
        check(&[0x3F, 0x81, 0x81, 0x81, 0x01, 0x80], "a tag of more than three bytes");
        // Closed too early by what stands inside.
        check(&[0x30, 0x02, 0x30, 0x80, 0, 0], "an element ends in its header");
    }

    /// An element, written with open and with closed lengths, and how it reads closed.
    fn element() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
        let leaf = prop::collection::vec(any::<u8>(), 0..40).prop_map(|value| {
            let bytes = tlv::element(0x04, &value);
            (bytes.clone(), bytes)
        });
        leaf.prop_recursive(4, 32, 4, |inner| {
            (prop::collection::vec(inner, 0..4), any::<bool>()).prop_map(|(children, is_open)| {
                let (open, closed): (Vec<_>, Vec<_>) = children.into_iter().unzip();
                let (open, closed) = (open.concat(), tlv::element(0x30, &closed.concat()));
                if is_open {
                    ([&[0x30, 0x80], &open[..], &[0, 0]].concat(), closed)
                } else {
                    (tlv::element(0x30, &open), closed)
                }
            })
        })
    }

    proptest! {
        #[test]
        fn every_mixture_of_open_and_closed_reads_closed((open, closed) in element()) {
            let found = definite(&open);
            prop_assert_eq!(found.as_deref(), Ok(&closed[..]));
        }

        #[test]
        fn any_bytes_are_no_reason_to_panic(
            bytes in prop::collection::vec(
                prop_oneof![Just(0x30), Just(0x80), Just(0x24), Just(0), any::<u8>()], 0..100),
        ) {
            if let Ok(element) = definite(&bytes) {
                prop_assert!(tlv::first(&element).is_ok());
                prop_assert!(element.len() <= 2 * bytes.len());
            }
        }
    }
}
