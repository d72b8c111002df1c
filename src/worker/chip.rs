//! Reading a chip while the screen stays free: what is asked for, and what is told.

use crate::chip::portrait::Portrait;
use crate::chip::proof::Proof;
use crate::document::chip::Detail;

/// How far the reading of a chip is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChipProgress {
    /// What is done now.
    pub stage: ChipStage,
    /// How much of all bytes is read, in percent.
    pub percent: u8,
    /// Whether the card is a program.
    pub is_simulated: bool,
}

/// The steps of reading a chip, in their order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ChipStage {
    /// No card is there yet.
    Waiting,
    /// The chip is being opened.
    Opening,
    /// Signature, number and name.
    Data,
    /// Whether the chip is a copy.
    Copy,
    /// The picture.
    Picture,
    /// All is read, and is being judged.
    Judging,
}

/// What the screen is told while a chip is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChipNews {
    /// It goes on.
    Progress(ChipProgress),
    /// The card has left the field; when it is held to the device again, reading goes on from here.
    CardLost(ChipProgress),
    /// It has ended without an answer; `code` names why, see [`ChipFailure`].
    Failed(ChipFailure),
}

/// Why the reading of a chip ended without an answer. What was answered before stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChipFailure {
    /// There is no reader, or its service does not run.
    NoReader,
    /// No card came.
    NoCard,
    /// The officer stopped it.
    Stopped,
    /// The number on the card around it does not open the chip: another card, or a forged one.
    WrongKey,
    /// It is no identity card or passport.
    NotADocument,
    /// It did not answer in time.
    Silent,
    /// It answers what no norm allows.
    Broken,
    /// It went away too often.
    LostTooOften,
    /// Nothing is known by which it could be opened: a number is needed first.
    NoKey,
}

impl ChipFailure {
    /// All of them.
    pub const ALL: [ChipFailure; 9] = [
        ChipFailure::NoReader,
        ChipFailure::NoCard,
        ChipFailure::Stopped,
        ChipFailure::WrongKey,
        ChipFailure::NotADocument,
        ChipFailure::Silent,
        ChipFailure::Broken,
        ChipFailure::LostTooOften,
        ChipFailure::NoKey,
    ];

    /// Returns the name used in logs and tests.
    pub fn code(self) -> &'static str {
        match self {
            ChipFailure::NoReader => "no-reader",
            ChipFailure::NoCard => "no-card",
            ChipFailure::Stopped => "stopped",
            ChipFailure::WrongKey => "wrong-key",
            ChipFailure::NotADocument => "not-a-document",
            ChipFailure::Silent => "silent",
            ChipFailure::Broken => "broken",
            ChipFailure::LostTooOften => "lost-too-often",
            ChipFailure::NoKey => "no-key",
        }
    }
}

/// What a chip gave, beside the answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChipShown {
    /// What is proven, with its reasons.
    pub proof: Proof,
    /// What the chip states otherwise than the card around it.
    pub differing: Vec<Detail>,
    /// The picture, where there is one that can be shown.
    pub portrait: Option<Portrait>,
    /// Whether the card is a program.
    pub is_simulated: bool,
}
