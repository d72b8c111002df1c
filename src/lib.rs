//! Checks a person's identity card where there is no network.
//!
//! The modules stand in the order of the flow, and each uses only what stands above it; a test
//! (`tests/it/map.rs`) reads this list and keeps it so. ARCHITECTURE.md tells what each is for.

pub mod clock;
pub mod keys;

pub mod document;

pub mod camera;

pub mod chip;

pub mod matching;

pub mod checks;

pub mod verdict;

pub mod snapshot;

pub mod store;

pub mod lookup;

pub mod encounter;

pub mod queue;

#[cfg(feature = "cli")]
pub mod invented;

pub mod platform;

pub mod carried;

pub mod device;

pub mod worker;

#[cfg(feature = "window")]
pub mod view;

#[cfg(feature = "cli")]
pub mod repository;

#[cfg(feature = "cli")]
pub mod command;

#[cfg(feature = "window")]
pub mod app;
