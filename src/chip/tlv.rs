//! Tag, length, value: the notation of everything on a chip.
//!
//! Reads definite lengths only, of one to five bytes (ISO 7816-4:2020, section 6.3 goes no further),
//! without copying and without recursion; what the bytes claim never makes it reach outside them.
//! A CMS object in BER with indefinite lengths is made definite first, see [`super::ber`].

use super::Malformed;

/// One element: its tag, its content, and how long it is with its header.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// The tag's bytes as one number: `0x7F61`, `0x5F2E`, `0x30`.
    pub tag: u32,
    /// The content.
    pub value: &'a [u8],
    /// The element whole, from the first byte of its tag to the last of its content.
    pub whole: &'a [u8],
}

impl<'a> Tlv<'a> {
    /// Returns the elements inside this one.
    pub fn children(&self) -> Elements<'a> {
        Elements::new(self.value)
    }

    /// Whether the element holds others (bit 6 of the first byte of its tag; X.690, 8.1.2.5).
    pub fn is_constructed(&self) -> bool {
        let mut first = self.tag;
        while first > 0xFF {
            first >>= 8;
        }
        first & 0x20 != 0
    }
}

/// The elements of a byte string, one after the other, in the order in which they stand.
///
/// An error ends it.
#[derive(Clone)]
pub struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    /// Returns the elements of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Elements<'a> {
        Elements { rest: bytes }
    }

    /// Returns what has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Returns the next element, which must have this tag.
    pub fn expect(&mut self, tag: u32) -> Result<Tlv<'a>, Malformed> {
        match self.next() {
            Some(Ok(found)) if found.tag == tag => Ok(found),
            Some(Err(error)) => Err(error),
            _ => Err(Malformed("another element than expected")),
        }
    }

    /// Returns the next element if it has this tag, and leaves it otherwise.
    pub fn optional(&mut self, tag: u32) -> Result<Option<Tlv<'a>>, Malformed> {
        let mut ahead = self.clone();
        match ahead.next() {
            Some(Ok(found)) if found.tag == tag => {
                *self = ahead;
                Ok(Some(found))
            }
            Some(Err(error)) => Err(error),
            _ => Ok(None),
        }
    }

    /// Checks that nothing is left.
    pub fn end(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed("bytes after the last element")) }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Tlv<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let element = first(self.rest);
        self.rest = match &element {
            Ok(element) => &self.rest[element.whole.len()..],
            Err(_) => &[],
        };
        Some(element)
    }
}

/// Returns the one element that `bytes` are, from the first byte to the last.
pub fn only(bytes: &[u8], tag: u32) -> Result<Tlv<'_>, Malformed> {
    let mut elements = Elements::new(bytes);
    let element = elements.expect(tag)?;
    elements.end()?;
    Ok(element)
}

/// Returns the first element of `bytes`, whatever follows it.
pub fn first(bytes: &[u8]) -> Result<Tlv<'_>, Malformed> {
    let header = header(bytes)?;
    let whole = bytes.get(..header.total()?).ok_or(Malformed("an element ends after its data"))?;
    Ok(Tlv { tag: header.tag, value: &whole[header.length..], whole })
}

/// The tag and length at the beginning of an element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The tag's bytes as one number.
    pub tag: u32,
    /// Bytes of the tag and the length.
    pub length: usize,
    /// Bytes of the content that follow.
    pub content: usize,
}

impl Header {
    /// Returns the length of the whole element in bytes.
    pub fn total(&self) -> Result<usize, Malformed> {
        self.length.checked_add(self.content).ok_or(Malformed("a length beyond all measure"))
    }
}

/// Returns the header at the beginning of `bytes`, whether or not its content is there.
///
/// So the length of a file is known from its first bytes.
pub fn header(bytes: &[u8]) -> Result<Header, Malformed> {
    const SHORT: Malformed = Malformed("an element ends in its header");
    let mut at = 0;
    let mut next = || {
        let byte = bytes.get(at).copied();
        at += 1;
        byte.ok_or(SHORT)
    };
    let first = next()?;
    let mut tag = u32::from(first);
    if first & 0x1F == 0x1F {
        // Tags of up to three bytes: more are in no document.
        for count in 1.. {
            let byte = next()?;
            if count > 2 {
                return Err(Malformed("a tag of more than three bytes"));
            }
            tag = tag << 8 | u32::from(byte);
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    let first = next()?;
    let content = match first {
        0..=0x7F => usize::from(first),
        0x81..=0x84 => {
            let mut length = 0_usize;
            for _ in 0..first & 0x7F {
                length = length << 8 | usize::from(next()?);
            }
            length
        }
        _ => return Err(Malformed("a length of no definite form")),
    };
    Ok(Header { tag, length: at, content })
}

/// Appends an element with the shortest length (DER).
pub fn write(out: &mut Vec<u8>, tag: u32, value: &[u8]) {
    write_header(out, tag, value.len());
    out.extend_from_slice(value);
}

/// Returns an element with the shortest length (DER).
pub fn element(tag: u32, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 8);
    write(&mut out, tag, value);
    out
}

/// Appends the tag and length of an element whose content follows.
pub fn write_header(out: &mut Vec<u8>, tag: u32, length: usize) {
    let tag = tag.to_be_bytes();
    let leading = tag.iter().take(3).take_while(|byte| **byte == 0).count();
    out.extend_from_slice(&tag[leading..]);
    let bytes = length.to_be_bytes();
    let leading = bytes.iter().take_while(|byte| **byte == 0).count();
    match length {
        0..=0x7F => out.push(length as u8),
        _ => {
            out.push(0x80 | (bytes.len() - leading) as u8);
            out.extend_from_slice(&bytes[leading..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn elements_come_in_order_and_may_be_looked_into() {
        let bytes = [0x7F, 0x61, 0x06, 0x02, 0x01, 0x05, 0x5F, 0x2E, 0x00, 0x04, 0x81, 0x01, 0xAA];
        let mut elements = Elements::new(&bytes);
        let outer = elements.expect(0x7F61).expect("the outer one");
        assert!(outer.is_constructed());
        let tags: Vec<u32> = outer.children().map(|child| child.expect("a child").tag).collect();
        assert_eq!(tags, [0x02, 0x5F2E]);
        assert!(elements.optional(0x30).expect("well formed").is_none());
        // A length of more bytes than needed is BER and met on chips.
        assert_eq!(elements.expect(0x04).expect("the last").value, [0xAA]);
        elements.end().expect("nothing left");
    }

    #[test]
    fn what_the_bytes_claim_is_not_believed() {
        for bytes in [
            &[0x30][..],
            &[0x30, 0x01],
            &[0x30, 0x80, 0x00, 0x00],
            &[0x30, 0x85, 1, 1, 1, 1, 1],
            &[0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF],
            &[0x7F],
            &[0x7F, 0xFF, 0xFF, 0xFF, 0x00, 0x00],
            &[0x30, 0x82, 0x01],
        ] {
            assert!(first(bytes).is_err(), "{bytes:02X?}");
        }
    }

    #[test]
    fn header_tells_the_length_of_what_is_not_there_yet() {
        let found = header(&[0x75, 0x82, 0x3A, 0x10]).expect("a header");
        assert_eq!(found, Header { tag: 0x75, length: 4, content: 0x3A10 });
        assert_eq!(found.total().expect("a length"), 0x3A14);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            for element in Elements::new(&bytes) {
                let Ok(element) = element else { break };
                prop_assert!(element.whole.len() >= element.value.len() + 2);
            }
        }

        #[test]
        fn what_is_written_is_read(
            tag in prop::sample::select(vec![0x04_u32, 0x30, 0x7F49, 0x5F2E, 0xA0]),
            value in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let bytes = element(tag, &value);
            let read = only(&bytes, tag).expect("an element");
            prop_assert_eq!(read.value, &value[..]);
        }
    }
}
