//! Version 1 of every type.
//!
//! Read in this order: [`date`], [`notice`] (who is looked for, and on which legal basis),
//! [`register`] (what confirms a card and names nobody), [`anchors`] (what proves a chip),
//! [`package`] (how all three travel), [`message`] (what travels beside them), [`record`] (what a
//! device reports back).

pub mod anchors;
pub mod columns;
pub mod date;
pub mod message;
pub mod notice;
pub mod package;
pub mod record;
pub mod register;
