//! What spans modules, in one binary: each module here is one story.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod approval;
mod attacks;
mod ceremony;
#[cfg(feature = "pcsc")]
mod chip;
mod cli;
mod crash;
mod encounters;
mod hostile;
mod map;
mod packages;
mod postgres;
mod repository;
mod s3;
mod seeds;
mod support;
mod window;
mod withdraw;
