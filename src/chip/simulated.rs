//! A card that is a program: for tests, for showing the product, and for trying it by hand.
//!
//! An [`issuer`] is an invented state, a [`holder`] an invented person. What the state puts on the
//! person's card are its [`contents`]; a [`card`] with a chip's behaviour answers for them, with
//! any [`fault`] that real ones have or an attacker would like. A [`folder`] keeps one as files, and
//! [`vpcd`] puts it into the virtual reader of the system's card service.
//!
//! Unlike the rest of `chip`, this reads files and speaks over a socket. It needs no secret and has
//! none: every key follows from a number, or stands in this folder.

pub mod card;
pub mod contents;
mod der;
mod drawn;
pub mod fault;
pub mod folder;
pub mod holder;
pub mod issuer;
pub mod keys;
pub mod portrait;
pub mod vpcd;
