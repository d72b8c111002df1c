//! A card that is a program: for tests, for showing the product, and for trying it by hand.

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
