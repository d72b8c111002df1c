//! Holds what stands between a lost device and its data: device key, PIN and vault.
//!
//! Flow: the officer's [`Pin`] is stretched with Argon2id, one operation of the [`DeviceKey`] turns
//! the result into the key of a slot, the slot opens the [`Vault`], and the vault gives the state
//! key ([`Unlocked`]) under which the store's keys lie. A guess of a PIN therefore costs one
//! operation of this very device's key, and the [`Vault`] counts it before it is judged.
//!
//! The vault also carries the [`Floor`]: the lowest list versions this device may ever use again.
//!
//! What is not done here: no database is opened, no screen is locked, nothing is logged. Device keys
//! themselves are kept by [`crate::platform`].

mod attempts;
mod cost;
mod device_key;
mod durable;
mod layout;
mod pin;
mod secret;
mod simulated;
mod software;
mod vault;

pub use attempts::{Attempts, DELAYS_SECONDS, MAX_TRIES};
pub(crate) use cost::SALT_BYTES;
pub use cost::{ArgonCost, CostRefused};
pub use device_key::{DeviceKey, DeviceKeyError, Protection, fingerprint, queue_key, verifies};
pub use layout::{Damage, Floor};
pub use pin::{Pin, PinProblem, PinReadError};
pub use secret::SecretKey;
pub use simulated::SimulatedDeviceKey;
pub use software::SoftwareSecrets;
pub use vault::{UnlockError, Unlocked, Vault, VaultError};
