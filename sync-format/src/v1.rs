//! Version 1 of every type.
//!
//! Read in this order: [`date`], [`notice`] (who is looked for, and on which legal basis),
//! [`register`] (what confirms a card and names nobody), [`package`] (how both travel), [`message`]
//! (what travels beside them), [`record`] (what a device reports back).

pub mod columns;
pub mod date;
pub mod message;
pub mod notice;
pub mod package;
pub mod record;
pub mod register;
