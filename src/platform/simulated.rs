//! The simulated device, under the name by which programs and tests look for it.
//!
//! The key itself stands in [`crate::keys`], as the simulated clock stands in [`crate::clock`]: the
//! modules between there and here test with it, and a module uses only what stands above it.

pub use crate::keys::SimulatedDeviceKey;
