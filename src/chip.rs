//! The chip of a card (ICAO 9303): opening it, reading it, and proving what it says.
//!
//! Stands beside the camera. A QR code proves nothing; a chip proves who signed its data, that
//! nothing of it was changed, and that it is not a copy, as far as [`Card`] lets it. No module here
//! reads or writes anything but through that trait, knows the time, or keeps anything.
//!
//! Bytes of a chip are hostile until a signature says otherwise, and those of a person always: they
//! live in memory that is wiped, and no type here shows them.

pub mod access;
pub mod active_authentication;
pub mod agreement;
pub mod algorithm;
pub mod apdu;
pub mod bac;
pub mod ber;
pub mod card;
pub mod certificate;
pub mod channel;
pub mod chip_authentication;
pub mod cms;
pub mod contents;
pub mod country;
pub mod crl;
pub mod curves;
pub mod dg1;
pub mod dg13;
pub mod dg2;
pub mod files;
pub mod hash;
#[cfg(any(test, feature = "cli"))]
pub mod issue;
pub mod length;
#[cfg(test)]
pub(crate) mod openssl;
pub mod pace;
pub mod passive;
pub mod password;
pub mod portrait;
pub mod proof;
pub mod public_key;
pub mod read;
pub mod rsa;
pub mod secret;
pub mod secure_messaging;
pub mod security_infos;
#[cfg(any(test, feature = "cli"))]
pub mod simulated;
pub mod sod;
pub mod symmetric;
pub mod tlv;
pub mod trust;

pub use card::{Card, CardError, CardIdentity, CardReaders, NoReaders};

use thiserror::Error;

/// Bytes of a chip, or of a certificate, that are not what their norm says.
///
/// The text names the rule that they break, never what they hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);
