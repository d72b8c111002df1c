//! Why a chip could not be opened, whichever of its two locks was tried.

use thiserror::Error;

use super::Malformed;
use super::agreement::AgreementError;
use super::apdu::Status;
use super::channel::ChannelError;
use super::secret::NoRandomness;

/// Why access was not given.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum AccessError {
    /// The card does not take the password.
    #[error("the card refuses the password, status {0}")]
    WrongPassword(Status),
    /// The card does not do this kind of access, or not with this kind of password.
    #[error("the card refuses this kind of access, status {0}")]
    Refused(Status),
    /// Nothing that is known fits what the card offers.
    #[error("nothing that is known opens this kind of card")]
    NothingToTry,
    /// The card did not prove that it knows the password.
    #[error("the card does not prove that it knows the password")]
    CardNotProven,
    /// PACE with a mapping that we do not have.
    #[error("the card's mapping for PACE is not supported")]
    MappingNotSupported,
    /// PACE over a group that we do not have.
    #[error("the card's parameters for PACE are not supported")]
    ParametersNotSupported,
    /// The card sent our own key back.
    #[error("the card's key is our own")]
    SameKey,
    /// The card's key is of no use.
    #[error("no secret is agreed on: {0}")]
    Agreement(#[from] AgreementError),
    /// The card's answer is not what the norm says.
    #[error("the card's answer is malformed: {0}")]
    Malformed(#[from] Malformed),
    /// A command had no answer.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// There is nothing to make a nonce from.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl Status {
    /// Returns whether a card that answers so at the end of an access has refused the password: a
    /// card says it in many ways, and does not know the protocol in few.
    pub(super) fn refuses_password(self) -> bool {
        let is_other = matches!(
            self,
            Self::WRONG_LENGTH | Self::UNKNOWN_INSTRUCTION | Self::UNKNOWN_CLASS | Self::OK
        );
        !is_other
    }
}
