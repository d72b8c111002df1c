//! The files of a travel document (ICAO 9303-10, section 4.6 and 4.7; 9303-11, 9.2.11).

use std::fmt;

/// A file that is read.
///
/// Data groups 3 and 4, fingerprints and irises, are guarded by keys that we do not have and do not
/// want: [`FileId::of_group`] gives none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FileId {
    /// EF.CardAccess: what may be read before any access.
    CardAccess,
    /// EF.COM: a table of contents that nobody has signed.
    Com,
    /// EF.SOD: the signed hashes of the data groups.
    Sod,
    /// A data group by its number.
    Dg(u8),
}

/// The tags of data groups 1 to 16 (ICAO 9303-10, 4.7).
const TAGS: [u32; 16] = [
    0x61, 0x75, 0x63, 0x76, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x70,
];

impl FileId {
    /// Returns the file of a data group, where there is one that is read.
    pub fn of_group(number: u8) -> Option<Self> {
        matches!(number, 1 | 2 | 5..=16).then_some(Self::Dg(number))
    }

    /// Returns the identifier by which the file is selected.
    pub fn identifier(self) -> [u8; 2] {
        match self {
            Self::CardAccess => [0x01, 0x1C],
            Self::Com => [0x01, 0x1E],
            Self::Sod => [0x01, 0x1D],
            Self::Dg(number) => [0x01, number],
        }
    }

    /// Returns the short identifier, of five bits, by which it is read without being selected.
    pub fn short_identifier(self) -> u8 {
        let [_, short] = self.identifier();
        short & 0x1F
    }

    /// Returns the tag with which the file begins.
    pub fn tag(self) -> u32 {
        match self {
            Self::CardAccess => 0x31,
            Self::Com => 0x60,
            Self::Sod => 0x77,
            Self::Dg(number) => {
                let at = usize::from(number).checked_sub(1);
                at.and_then(|at| TAGS.get(at)).copied().unwrap_or_default()
            }
        }
    }
}

/// The name of the norm: "EF.SOD", "EF.DG2". It is also what a saved file is called.
impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CardAccess => f.write_str("EF.CardAccess"),
            Self::Com => f.write_str("EF.COM"),
            Self::Sod => f.write_str("EF.SOD"),
            Self::Dg(number) => write!(f, "EF.DG{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_the_numbers_of_the_norm() {
        for (file, identifier, short, tag, name) in [
            (FileId::CardAccess, [0x01, 0x1C], 0x1C, 0x31, "EF.CardAccess"),
            (FileId::Com, [0x01, 0x1E], 0x1E, 0x60, "EF.COM"),
            (FileId::Sod, [0x01, 0x1D], 0x1D, 0x77, "EF.SOD"),
            (FileId::Dg(1), [0x01, 0x01], 0x01, 0x61, "EF.DG1"),
            (FileId::Dg(2), [0x01, 0x02], 0x02, 0x75, "EF.DG2"),
            (FileId::Dg(13), [0x01, 0x0D], 0x0D, 0x6D, "EF.DG13"),
            (FileId::Dg(15), [0x01, 0x0F], 0x0F, 0x6F, "EF.DG15"),
        ] {
            assert_eq!((file.identifier(), file.short_identifier()), (identifier, short));
            assert_eq!((file.tag(), file.to_string().as_str()), (tag, name));
        }
    }

    #[test]
    fn fingerprints_and_irises_are_no_files_of_ours() {
        let read: Vec<u8> = (0..=255).filter(|n| FileId::of_group(*n).is_some()).collect();
        assert_eq!(read, [1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    }
}
