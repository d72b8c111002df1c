//! The bytes that Fieldcheck exchanges: snapshot packages, and the records of encounters.
//!
//! Other versions and other programs hold the far side of these types, so they stand apart from the
//! application: one folder per version ([`v1`]), one door to the encoding ([`codec`]), every limit
//! with its reason ([`limits`]). The written specification is this package's `README.md`; golden
//! files, valid and invalid, are in `tests/data`.
//!
//! Deliberately absent: files, network, clock, SQLite, signatures and sealing. The types say *which*
//! bytes are signed or sealed ([`v1::package::signing_bytes`]); keys are the application's business.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on fails"))]

#[macro_use]
mod numbered;

pub mod codec;
pub mod limits;
pub mod v1;
