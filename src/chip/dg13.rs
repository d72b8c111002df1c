//! Data group 13 of the Vietnamese cards: texts by number.
//!
//! No norm is published; the form is what independent readers agree on:
//!
//! ```text
//! 6D { 30 { INTEGER 1, OBJECT IDENTIFIER, 31 { 30 { INTEGER n, value… } … } } }
//! 6D { 30 { INTEGER n, value… } … }
//! ```
//!
//! Texts are NFC in UTF8String or PrintableString. Parents and spouse are sequences inside. On cards
//! issued since 2024 (Circular 16/2024/TT-BCA) any of it may be missing, or encoded so that only
//! the issuer can read it: that is no fault of the card, and the zone of DG1 speaks alone then.
//!
//! **What is never read.** Ethnic group, religion, hometown, identifying marks, parents and spouse
//! (numbers 6, 7, 8, 10, 13, 14) are told apart by their number and passed over: no type of this
//! program has a place for them. The raw group is needed for its hash alone.

use super::tlv::{Elements, Tlv};
use super::{Malformed, tlv};
use crate::document::chip::ChipText;

/// The numbers that are read.
const NUMBER: u64 = 1;
const NAME: u64 = 2;
const BIRTH: u64 = 3;
const SEX: u64 = 4;
const RESIDENCE: u64 = 9;
const ISSUED: u64 = 11;
const EXPIRY: u64 = 12;
const OLD_NUMBER: u64 = 15;

/// The numbers whose meaning is known and that have no use here.
///
/// 5 is the nationality, which the zone states; 16 names the chip; the others are those that must not
/// be read.
const PASSED_OVER: [u64; 8] = [5, 6, 7, 8, 10, 13, 14, 16];

/// More entries than this are in no group. Chosen: sixteen are known.
const MAX_ENTRIES: usize = 64;

/// The longest text that is read, in bytes. Chosen: addresses take up to 200.
const MAX_TEXT: usize = 1_000;

/// What data group 13 says that is used.
#[derive(Default)]
pub struct Dg13<'a> {
    /// The texts.
    pub text: ChipText<'a>,
    /// Entries whose number is not known, as they stand there: for whoever reads a card of a new kind in a
    /// laboratory, and for no screen.
    pub unknown: Vec<Unknown<'a>>,
    /// How many entries are there whose text cannot be read.
    pub unreadable: usize,
}

/// An entry whose number is not known.
#[derive(Clone, Copy)]
pub struct Unknown<'a> {
    /// Its number.
    pub number: u64,
    /// Its bytes behind the number; they may be a person's.
    pub raw: &'a [u8],
}

/// Tells numbers and lengths alone.
impl std::fmt::Debug for Unknown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unknown({}, {} bytes)", self.number, self.raw.len())
    }
}

/// Reads data group 13 in either form.
///
/// # Errors
///
/// What breaks the form of the group as a whole. One entry that cannot be read is counted in
/// [`Dg13::unreadable`].
pub fn read(group: &[u8]) -> Result<Dg13<'_>, Malformed> {
    let mut read = Dg13::default();
    let mut seen = 0_u64;
    for (at, entry) in entries(group)?.enumerate() {
        if at >= MAX_ENTRIES {
            return Err(Malformed("more entries than DG13 can have"));
        }
        let Some((number, value)) = numbered(entry?) else {
            read.unreadable += 1;
            continue;
        };
        if number < 64 {
            if seen & 1 << number != 0 {
                return Err(Malformed("DG13 has one number twice"));
            }
            seen |= 1 << number;
        }
        let place = match number {
            NUMBER => &mut read.text.number,
            NAME => &mut read.text.name,
            BIRTH => &mut read.text.birth,
            SEX => &mut read.text.sex,
            RESIDENCE => &mut read.text.residence,
            ISSUED => &mut read.text.issued,
            EXPIRY => &mut read.text.expiry,
            OLD_NUMBER => &mut read.text.old_number,
            number if PASSED_OVER.contains(&number) => continue,
            number => {
                read.unknown.push(Unknown { number, raw: value });
                continue;
            }
        };
        match text(value) {
            Some(found) => *place = Some(found),
            // An entry without a value says that there is nothing to say.
            None if value.is_empty() || matches!(value, [_, 0]) => {}
            None => read.unreadable += 1,
        }
    }
    Ok(read)
}

/// Returns the entries of either form.
fn entries(group: &[u8]) -> Result<Elements<'_>, Malformed> {
    const SEQUENCE: u32 = 0x30;
    let inside = tlv::only(group, 0x6D)?.children();
    let mut versioned = inside.clone();
    if let Some(outer) = versioned.optional(SEQUENCE)?
        && versioned.rest().is_empty()
    {
        let mut fields = outer.children();
        if fields.optional(0x02)?.is_some()
            && fields.optional(0x06)?.is_some()
            && let Some(set) = fields.optional(0x31)?
        {
            fields.end()?;
            return Ok(set.children());
        }
    }
    Ok(inside)
}

/// Returns the number of an entry and what follows it.
fn numbered(entry: Tlv<'_>) -> Option<(u64, &[u8])> {
    let mut fields = (entry.tag == 0x30).then(|| entry.children())?;
    let number = fields.optional(0x02).ok().flatten()?.value;
    let is_small = (1..=4).contains(&number.len()) && number[0] & 0x80 == 0;
    let number =
        is_small.then(|| number.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))?;
    Some((number, fields.rest()))
}

/// Returns the text that the bytes are: one string, in the character sets of the cards.
fn text(value: &[u8]) -> Option<&str> {
    const UTF8: u32 = 0x0C;
    const PRINTABLE: u32 = 0x13;
    const NUMERIC: u32 = 0x12;
    const IA5: u32 = 0x16;
    let string = tlv::first(value).ok()?;
    let is_string = matches!(string.tag, UTF8 | PRINTABLE | NUMERIC | IA5);
    let is_alone = string.whole.len() == value.len();
    let fits = is_string && is_alone && string.value.len() <= MAX_TEXT;
    let text = fits.then(|| std::str::from_utf8(string.value).ok())??;
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(number: u8, value: &[u8]) -> Vec<u8> {
        tlv::element(0x30, &[tlv::element(0x02, &[number]), value.to_vec()].concat())
    }

    fn utf8(text: &str) -> Vec<u8> {
        tlv::element(0x0C, text.as_bytes())
    }

    /// Every number of an invented card.
    fn all_entries() -> Vec<Vec<u8>> {
        let parent = |name: &str| tlv::element(0x30, &utf8(name));
        let parents = [parent("Nguyễn Văn Cha Mẫu"), parent("Lê Thị Mẹ Mẫu")].concat();
        vec![
            entry(1, &tlv::element(0x13, b"048088999901")),
            entry(2, &utf8("Nguyễn Văn Mẫu")),
            entry(3, &tlv::element(0x13, b"02/03/1988")),
            entry(4, &utf8("Nam")),
            entry(5, &utf8("Việt Nam")),
            entry(6, &utf8("Dân tộc giả")),
            entry(7, &utf8("Tôn giáo giả")),
            entry(8, &utf8("Quê giả")),
            entry(9, &utf8("Tổ 99, Thọ Quang Giả, Sơn Trà, Đà Nẵng")),
            entry(10, &utf8("Nốt ruồi giả")),
            entry(11, &tlv::element(0x13, b"15/08/2021")),
            entry(12, &utf8("02/03/2028")),
            entry(13, &parents),
            entry(14, &[]),
            entry(15, &tlv::element(0x13, b"201999901")),
            entry(16, &tlv::element(0x13, b"0123456789ABCDEF")),
        ]
    }

    fn versioned(entries: &[Vec<u8>]) -> Vec<u8> {
        let fields = [
            tlv::element(0x02, &[1]),
            tlv::element(0x06, &[0x28, 0xD3, 0x16, 0x01, 0x00, 0x08]),
            tlv::element(0x31, &entries.concat()),
        ];
        tlv::element(0x6D, &tlv::element(0x30, &fields.concat()))
    }

    fn plain(entries: &[Vec<u8>]) -> Vec<u8> {
        tlv::element(0x6D, &entries.concat())
    }

    #[test]
    fn both_forms_give_the_texts_that_are_used() {
        for group in [versioned(&all_entries()), plain(&all_entries())] {
            let read = read(&group).expect("a group");
            assert_eq!(read.text.number, Some("048088999901"));
            assert_eq!(read.text.name, Some("Nguyễn Văn Mẫu"));
            assert_eq!(read.text.birth, Some("02/03/1988"));
            assert_eq!(read.text.sex, Some("Nam"));
            assert_eq!(read.text.residence, Some("Tổ 99, Thọ Quang Giả, Sơn Trà, Đà Nẵng"));
            assert_eq!(read.text.issued, Some("15/08/2021"));
            assert_eq!(read.text.expiry, Some("02/03/2028"));
            assert_eq!(read.text.old_number, Some("201999901"));
            assert!(read.unknown.is_empty());
            assert_eq!(read.unreadable, 0);
        }
    }

    #[test]
    fn parents_may_be_one_sequence_and_order_is_free() {
        let mut entries = all_entries();
        let both = [utf8("Cha Mẫu"), utf8("Mẹ Mẫu")].concat();
        entries[12] = entry(13, &tlv::element(0x30, &both));
        entries.reverse();
        let group = versioned(&entries);
        let read = read(&group).expect("a group");
        assert_eq!(read.text.name, Some("Nguyễn Văn Mẫu"));
        assert_eq!(read.unreadable, 0);
    }

    #[test]
    fn nothing_of_what_must_not_be_read_comes_out() {
        let group = versioned(&all_entries());
        let read = read(&group).expect("a group");
        let ChipText { number, name, birth, sex, residence, issued, expiry, old_number } =
            read.text;
        let out = [number, name, birth, sex, residence, issued, expiry, old_number];
        let out = out.map(Option::unwrap_or_default).join(" ");
        for hidden in ["Dân tộc", "Tôn giáo", "Quê", "Nốt ruồi", "Cha", "Mẹ"] {
            assert!(!out.contains(hidden), "{hidden} in {out}");
        }
        assert!(read.unknown.is_empty());
    }

    #[test]
    fn what_is_absent_or_unreadable_leaves_the_rest() {
        let sealed = tlv::element(0x04, &[0x91; 48]);
        let entries = vec![
            entry(1, &tlv::element(0x13, b"048088999901")),
            entry(2, &sealed),
            entry(9, &[]),
            // An empty text says as little as none.
            entry(15, &[0x13, 0]),
            entry(21, &sealed),
            tlv::element(0x30, &sealed),
            sealed.clone(),
        ];
        for group in [versioned(&entries), plain(&entries)] {
            let read = read(&group).expect("a group");
            assert_eq!(read.text.number, Some("048088999901"));
            assert_eq!(read.text.name, None);
            assert_eq!(read.unreadable, 3);
            let unknown: Vec<_> = read.unknown.iter().map(|it| (it.number, it.raw)).collect();
            assert_eq!(unknown, [(21, &sealed[..])]);
            assert_eq!(format!("{:?}", read.unknown), "[Unknown(21, 50 bytes)]");
        }
    }

    #[test]
    fn a_group_of_another_form_is_refused() {
        let entries = all_entries();
        let mut twice = entries.clone();
        twice.push(entry(2, &utf8("Người Khác")));
        let many = vec![entry(70, &[]); MAX_ENTRIES + 1];
        for (group, why) in [
            (tlv::element(0x61, &entries.concat()), "another element than expected"),
            (plain(&twice), "DG13 has one number twice"),
            (plain(&many), "more entries than DG13 can have"),
            (versioned(&entries)[..40].to_vec(), "an element ends after its data"),
            (tlv::element(0x6D, &[0x30, 0x7F]), "an element ends after its data"),
        ] {
            assert_eq!(read(&group).err(), Some(Malformed(why)));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            let _ = read(&tlv::element(0x6D, &bytes));
        }

        #[test]
        fn any_mutation_is_read_without_a_panic(at in 0_usize..500, byte in any::<u8>()) {
            let mut group = versioned(&all_entries());
            let length = group.len();
            group[at % length] = byte;
            let _ = read(&group);
        }
    }
}
