//! The simulated device, under the name by which programs and tests look for it.
//!
//! The key itself stands in [`crate::keys`], as the simulated clock stands in [`crate::clock`]: the
//! modules between there and here test with it, and a module uses only what stands above it.

#[cfg(any(test, feature = "cli"))]
use std::path::PathBuf;
#[cfg(any(test, feature = "cli"))]
use std::time::Duration;

#[cfg(any(test, feature = "cli"))]
use crate::chip::simulated::{card::SimulatedCard, folder};
#[cfg(any(test, feature = "cli"))]
use crate::chip::{Card, CardError, CardReaders};
#[cfg(any(test, feature = "cli"))]
use crate::document::Document;
pub use crate::keys::SimulatedDeviceKey;

/// Simulated cards in a folder, each in a folder of its own that is named by the personal number which
/// is printed on the card: so the card that was scanned is the one that is held to the device.
#[cfg(any(test, feature = "cli"))]
pub struct SimulatedCards {
    folder: PathBuf,
}

#[cfg(any(test, feature = "cli"))]
impl SimulatedCards {
    /// Returns the cards in this folder.
    pub fn new(folder: PathBuf) -> SimulatedCards {
        SimulatedCards { folder }
    }
}

#[cfg(any(test, feature = "cli"))]
impl CardReaders for SimulatedCards {
    fn are_there(&self) -> bool {
        self.folder.is_dir()
    }

    fn wait(&self, document: &Document, patience: Duration) -> Result<Box<dyn Card>, CardError> {
        let number = document.personal_number().ok_or(CardError::Lost)?;
        match folder::read(&self.folder.join(number.digits())) {
            Ok((contents, faults)) => Ok(Box::new(SimulatedCard::with_faults(contents, &faults))),
            Err(_) => {
                std::thread::sleep(patience);
                Err(CardError::Lost)
            }
        }
    }
}
