//! The door to a chip: one command in, one answer out.
//!
//! A real reader, a simulated card and a recording all stand behind [`Card`]. Nothing else in
//! `chip` reads or writes anything.

use std::time::Duration;

use thiserror::Error;

use crate::document::Document;

/// A card that can be spoken to.
///
/// Implementations bound the time of one command themselves and answer [`CardError::TimedOut`]:
/// a chip that never answers must not keep an officer waiting.
pub trait Card {
    /// Sends one command APDU and returns the whole answer, with the two status bytes at its end.
    ///
    /// An answer of fewer than two bytes is [`CardError::Broken`].
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, CardError>;

    /// Waits at most `patience` for the card to be in the field again and powers it up anew: every
    /// session with it is gone afterwards. Returns [`CardError::Lost`] where it did not come.
    fn reconnect(&mut self, patience: Duration) -> Result<(), CardError>;

    /// Says by what limits the reader and this kind of card are remembered.
    fn identity(&self) -> CardIdentity;

    /// Returns the longest command and answer that the reader says it can carry, in bytes, where it
    /// says so.
    fn reader_limit(&self) -> Option<usize> {
        None
    }

    /// Whether this is no chip but a program: said on every screen that shows what it proved.
    fn is_simulated(&self) -> bool;
}

/// Where cards are held to: the readers of a device, or what stands in for them.
pub trait CardReaders: Send + Sync {
    /// Whether there is a reader at all.
    fn are_there(&self) -> bool;

    /// Waits at most `patience` for the card around which `document` was read, and opens it.
    ///
    /// Real readers take whichever card comes, and need no document: it is for cards that are
    /// programs, of which all are there at once.
    ///
    /// # Errors
    ///
    /// [`CardError::Lost`] where no card came.
    fn wait(&self, document: &Document, patience: Duration) -> Result<Box<dyn Card>, CardError>;
}

/// A device that cannot read chips.
pub struct NoReaders;

impl CardReaders for NoReaders {
    fn are_there(&self) -> bool {
        false
    }

    fn wait(&self, _: &Document, _: Duration) -> Result<Box<dyn Card>, CardError> {
        Err(CardError::NoReader)
    }
}

/// A reader, and the kind of card in it; nothing of a person.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct CardIdentity {
    /// Name of the reader.
    pub reader: String,
    /// The card's answer to reset (ATR); cards of one kind have the same.
    pub atr: Vec<u8>,
}

/// Why no answer came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CardError {
    /// The card has left the field, or lost its power.
    #[error("the card is gone")]
    Lost,
    /// It did not answer in time.
    #[error("the card did not answer in time")]
    TimedOut,
    /// The reader has gone, or its service has.
    #[error("there is no card reader")]
    NoReader,
    /// An answer that is none: fewer than two bytes, or more than asked for.
    #[error("the reader gave an answer that is none")]
    Broken,
    /// The reader refused the command, often for its length.
    #[error("the reader refused the command")]
    Refused,
}
