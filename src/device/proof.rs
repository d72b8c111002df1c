//! The proof that a device has installed a list: a line that it signs and headquarters checks.
//!
//! It names the device, the list by version and by the hash of its signed manifest, and the hour.
//! Nothing of it is secret; it can be read out, photographed or sent.

use sync_format::codec::{self, DecodeError, Kind};
use sync_format::v1::message::{Installed, SignedInstalled};
use sync_format::v1::package::{Domain, signing_bytes};

use crate::keys::{DeviceKey, DeviceKeyError, verifies};
use crate::snapshot::line::{self, LineError};

/// Says in a line of text what follows it.
const PREFIX: &str = "FCI1";

/// Why a line proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProofFault {
    /// It is no line of this kind.
    #[error("this is no proof of an installation")]
    Line(#[from] LineError),
    /// It does not decode.
    #[error("the proof does not decode")]
    Undecodable(#[from] DecodeError),
    /// Another key signed it, or something was changed.
    #[error("the signature is not by this device")]
    Signature,
}

/// Signs a statement with the device key.
pub(super) fn sign(
    installed: &Installed,
    key: &dyn DeviceKey,
) -> Result<Option<SignedInstalled>, DeviceKeyError> {
    let Ok(installed) = codec::encode(Kind::Installed, installed) else { return Ok(None) };
    let signature = key.sign(&signing_bytes(Domain::Installed, &installed))?;
    Ok(Some(SignedInstalled { installed, signature }))
}

/// Returns a proof as a line of text; `None` for one that is too long to be one.
pub fn text(proof: &SignedInstalled) -> Option<String> {
    codec::encode(Kind::SignedInstalled, proof).ok().map(|bytes| line::encode(PREFIX, &bytes))
}

/// Returns what a line says, once the signature has been checked under the device's public key, a
/// compressed SEC 1 point.
pub fn verify(text: &str, public_key: &[u8; 33]) -> Result<Installed, ProofFault> {
    let bytes = line::decode(PREFIX, text)?;
    let SignedInstalled { installed, signature } = codec::decode(Kind::SignedInstalled, &bytes)?;
    if !verifies(public_key, &signing_bytes(Domain::Installed, &installed), &signature) {
        return Err(ProofFault::Signature);
    }
    Ok(codec::decode(Kind::Installed, &installed)?)
}

#[cfg(test)]
mod tests {
    use sync_format::v1::package::{Dataset, SnapshotVersion};

    use super::*;
    use crate::keys::SimulatedDeviceKey;

    #[test]
    fn a_proof_is_this_devices_and_says_what_was_signed() {
        let key = SimulatedDeviceKey::numbered(1);
        let installed = Installed {
            device: [7; 16],
            dataset: Dataset::Notices,
            version: SnapshotVersion { epoch: 1, version: 1_184 },
            manifest: [9; 32],
            hour: 498_756,
            app: 1,
        };
        let proof = sign(&installed, &key).unwrap().unwrap();
        let line = text(&proof).unwrap();
        assert!(line.starts_with("FCI1:") && line.len() < 300, "{line}");
        assert_eq!(verify(&line, &key.public_key()).unwrap(), installed);
        let other = verify(&line, &SimulatedDeviceKey::numbered(2).public_key());
        assert!(matches!(other, Err(ProofFault::Signature)), "{other:?}");

        let changed = Installed { hour: 498_757, ..installed };
        let installed = codec::encode(Kind::Installed, &changed).unwrap();
        let forged = text(&SignedInstalled { installed, ..proof }).unwrap();
        let refused = verify(&forged, &key.public_key());
        assert!(matches!(refused, Err(ProofFault::Signature)), "{refused:?}");
        let cut = verify(&line[..line.len() - 8], &key.public_key());
        assert!(matches!(cut, Err(ProofFault::Undecodable(_) | ProofFault::Line(_))), "{cut:?}");
    }
}
