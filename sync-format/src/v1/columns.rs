//! What the kinds of row have in common: they travel in columns.
//!
//! Rows of one column resemble each other, so that zstd finds in them what it would miss between the
//! fields of a row. Keys are strictly ascending and travel as differences; texts of a column lie
//! back to back beside their lengths.

use bincode::{Decode, Encode};

use super::anchors::AnchorKind;
use super::notice::NoticeError;
use crate::codec::{DecodeError, EncodeError};

/// Why rows cannot be made into a chunk, or a chunk into rows.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ChunkError {
    /// The chunk is not a value of the format.
    #[error("the chunk cannot be decoded")]
    Decode(#[from] DecodeError),
    /// The rows take more than a chunk may hold.
    #[error("the rows do not fit into one chunk")]
    Encode(#[from] EncodeError),
    /// No row, or more than a chunk may hold.
    #[error("{rows} rows, a chunk holds 1 to {limit}")]
    RowCount {
        /// The number of rows.
        rows: usize,
        /// The greatest number.
        limit: usize,
    },
    /// A column is longer or shorter than the others.
    #[error("column {column} does not have one entry a row")]
    ColumnLength {
        /// The column.
        column: &'static str,
    },
    /// A length in a text column cuts a character in two.
    #[error("column {column} is cut inside a character")]
    TextCut {
        /// The column.
        column: &'static str,
    },
    /// A key does not follow its predecessor.
    #[error("row {row} is not in strictly ascending order")]
    NotAscending {
        /// The row, from 0.
        row: usize,
    },
    /// A register number has more than twelve digits.
    #[error("row {row} has a number of more than twelve digits")]
    NumberRange {
        /// The row, from 0.
        row: usize,
    },
    /// Bits of a register row that mean nothing are set.
    #[error("row {row} has bits set that mean nothing")]
    UnusedBits {
        /// The row, from 0.
        row: usize,
    },
    /// An anchor without a byte, or longer than its kind may be.
    #[error("row {row}: a {kind} of {len} bytes, at most {limit}")]
    AnchorLength {
        /// The row, from 0.
        row: usize,
        /// What it is.
        kind: AnchorKind,
        /// Its length.
        len: usize,
        /// The greatest length.
        limit: usize,
    },
    /// A notice breaks the rules for its category.
    #[error("notice {id} is refused")]
    Notice {
        /// Its order number.
        id: u64,
        /// The rule.
        #[source]
        error: NoticeError,
    },
}

/// Texts of a column: lengths in bytes, and the texts back to back.
#[derive(Encode, Decode, Default)]
pub(crate) struct TextColumn {
    lengths: Vec<u32>,
    text: String,
}

impl TextColumn {
    pub(crate) fn push(&mut self, text: &str) {
        self.lengths.push(text.len() as u32);
        self.text.push_str(text);
    }

    /// Returns the texts one after the other; the column must have `entries` of them.
    pub(crate) fn reader(
        &self,
        column: &'static str,
        entries: usize,
    ) -> Result<TextReader<'_>, ChunkError> {
        let total: u64 = self.lengths.iter().map(|length| u64::from(*length)).sum();
        if self.lengths.len() != entries || total != self.text.len() as u64 {
            return Err(ChunkError::ColumnLength { column });
        }
        Ok(TextReader { column, lengths: self.lengths.iter(), rest: &self.text })
    }
}

/// Texts of a column that has been measured.
pub(crate) struct TextReader<'a> {
    column: &'static str,
    lengths: std::slice::Iter<'a, u32>,
    rest: &'a str,
}

impl TextReader<'_> {
    pub(crate) fn next(&mut self) -> Result<String, ChunkError> {
        let column = self.column;
        let length = *self.lengths.next().ok_or(ChunkError::ColumnLength { column })? as usize;
        let (text, rest) =
            self.rest.split_at_checked(length).ok_or(ChunkError::TextCut { column })?;
        self.rest = rest;
        Ok(text.to_owned())
    }
}

/// Returns the differences of strictly ascending keys; the first counts from 0.
pub(crate) fn differences(keys: impl Iterator<Item = u64>) -> Result<Vec<u64>, ChunkError> {
    let mut previous = 0;
    keys.enumerate()
        .map(|(row, key)| {
            if row > 0 && key <= previous {
                return Err(ChunkError::NotAscending { row });
            }
            Ok(key - std::mem::replace(&mut previous, key))
        })
        .collect()
}

/// Returns the key after `previous`, by its difference; the first may be any.
pub(crate) fn next_key(previous: u64, difference: u64, row: usize) -> Result<u64, ChunkError> {
    if row > 0 && difference == 0 {
        return Err(ChunkError::NotAscending { row });
    }
    // A sum beyond 64 bits would start again from 0, and so would not ascend.
    previous.checked_add(difference).ok_or(ChunkError::NotAscending { row })
}
