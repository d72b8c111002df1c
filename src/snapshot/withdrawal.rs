//! An emergency withdrawal: a message of at most a kilobyte that takes notices away before the next
//! list comes. It fits one QR code, and can be read from a screen, a sheet of paper or a radio.
//!
//! It is signed as a list of notices is, by authors and by approvers. It can only take away what a
//! list of the same epoch, up to a version that it names, says: whoever replays it later takes away
//! nothing that was published since.

use sync_format::codec::{self, DecodeError, Kind};
use sync_format::v1::message::{MessageError, SignedWithdrawal, Withdrawal};
use sync_format::v1::package::{Domain, Purpose, Root};

use super::Refusal;
use super::line::{self, LineError};
use super::verify::{MAX_AHEAD_SECONDS, NOTICE_SIGNERS, require_roles};
use crate::clock::TrustedTime;

/// Says in a line of text what follows it.
const PREFIX: &str = "FCW1";

/// Returns an encoded [`SignedWithdrawal`] as a line of text.
pub fn text(signed: &[u8]) -> String {
    line::encode(PREFIX, signed)
}

/// Returns the encoded [`SignedWithdrawal`] of a line of text; nothing of it is believed yet.
pub fn parse(text: &str) -> Result<Vec<u8>, LineError> {
    line::decode(PREFIX, text)
}

/// Why a withdrawal is not believed; all notices go on answering.
#[derive(Debug, thiserror::Error)]
pub enum WithdrawalRefusal {
    /// It is no withdrawal.
    #[error("this is no withdrawal")]
    Undecodable(#[source] DecodeError),
    /// It contradicts itself.
    #[error("the withdrawal contradicts itself")]
    Contradictory(#[source] MessageError),
    /// The device has no root document yet, since no package was ever installed.
    #[error("there is no list yet that a notice could be withdrawn from")]
    NoRoot,
    /// The root document has passed its end.
    #[error("the root document has expired")]
    RootExpired,
    /// A signature is missing or stray.
    #[error(transparent)]
    Signatures(Refusal),
    /// Demonstration data on a device for real use, or the reverse.
    #[error("the withdrawal is for another purpose than this device")]
    WrongPurpose,
    /// It speaks of lists of another epoch than the root's.
    #[error("the withdrawal is of epoch {found}, the root of epoch {root}")]
    WrongEpoch {
        /// The withdrawal's.
        found: u32,
        /// The root's.
        root: u32,
    },
    /// It was made later than this device can believe.
    #[error("the withdrawal was made in the future")]
    FromTheFuture,
}

impl WithdrawalRefusal {
    /// Returns a short name for logs, screens and tests.
    pub fn code(&self) -> &'static str {
        match self {
            WithdrawalRefusal::Undecodable(_) => "undecodable",
            WithdrawalRefusal::Contradictory(_) => "contradictory",
            WithdrawalRefusal::NoRoot => "no-root",
            WithdrawalRefusal::RootExpired => "root-expired",
            WithdrawalRefusal::Signatures(refusal) => refusal.code(),
            WithdrawalRefusal::WrongPurpose => "wrong-purpose",
            WithdrawalRefusal::WrongEpoch { .. } => "wrong-epoch",
            WithdrawalRefusal::FromTheFuture => "from-the-future",
        }
    }
}

/// Checks an encoded [`SignedWithdrawal`] under the root document that the device trusts, and
/// returns what it takes away.
pub fn verify(
    signed: &[u8],
    root: &Root,
    purpose: Purpose,
    time: TrustedTime,
) -> Result<Withdrawal, WithdrawalRefusal> {
    let undecodable = WithdrawalRefusal::Undecodable;
    let signed: SignedWithdrawal =
        codec::decode(Kind::SignedWithdrawal, signed).map_err(undecodable)?;
    if time.upper.0 >= root.expires {
        return Err(WithdrawalRefusal::RootExpired);
    }
    let SignedWithdrawal { withdrawal: bytes, signatures } = &signed;
    require_roles(root, NOTICE_SIGNERS, "withdrawal", Domain::Withdrawal, bytes, signatures)
        .map_err(WithdrawalRefusal::Signatures)?;
    let withdrawal: Withdrawal = codec::decode(Kind::Withdrawal, bytes).map_err(undecodable)?;
    withdrawal.validate().map_err(WithdrawalRefusal::Contradictory)?;
    if withdrawal.purpose != purpose {
        return Err(WithdrawalRefusal::WrongPurpose);
    }
    let found = withdrawal.version.epoch;
    if found != root.epoch {
        return Err(WithdrawalRefusal::WrongEpoch { found, root: root.epoch });
    }
    if withdrawal.made > time.upper.0.saturating_add(MAX_AHEAD_SECONDS) {
        return Err(WithdrawalRefusal::FromTheFuture);
    }
    Ok(withdrawal)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sync_format::limits::MAX_SIGNED_WITHDRAWAL_BYTES;
    use sync_format::v1::package::{Role, Signature, SnapshotVersion};

    use super::*;
    use crate::clock::DeviceTime;
    use crate::snapshot::testing::{
        HOUR, NOW, keyring, root as root_bytes, signed_withdrawal, version,
    };

    fn root() -> Root {
        codec::decode(Kind::Root, &root_bytes()).unwrap()
    }

    fn a_withdrawal() -> Withdrawal {
        let notices = vec![1_204, 1_300];
        Withdrawal { purpose: Purpose::Demo, version: version(7), made: NOW.0 - HOUR, notices }
    }

    fn verified(signed: &[u8]) -> Result<Withdrawal, WithdrawalRefusal> {
        verify(signed, &root(), Purpose::Demo, TrustedTime::new(NOW, NOW))
    }

    fn refused(change: impl FnOnce(&mut Withdrawal)) -> &'static str {
        let mut withdrawal = a_withdrawal();
        change(&mut withdrawal);
        verified(&signed_withdrawal(&withdrawal)).unwrap_err().code()
    }

    fn signed_by(signatures: Vec<Signature>) -> Vec<u8> {
        let withdrawal = codec::encode(Kind::Withdrawal, &a_withdrawal()).unwrap();
        codec::encode(Kind::SignedWithdrawal, &SignedWithdrawal { withdrawal, signatures }).unwrap()
    }

    fn signatures(role: Role, domain: Domain) -> Vec<Signature> {
        let bytes = codec::encode(Kind::Withdrawal, &a_withdrawal()).unwrap();
        keyring().sign_as(role, domain, &bytes)
    }

    #[test]
    fn a_withdrawal_by_author_and_approver_is_believed_and_fits_one_code() {
        let greatest =
            Withdrawal { notices: (u64::MAX - 64..u64::MAX).collect(), ..a_withdrawal() };
        for withdrawal in [a_withdrawal(), greatest] {
            let signed = signed_withdrawal(&withdrawal);
            assert_eq!(verified(&signed).unwrap(), withdrawal);
            assert!(signed.len() <= MAX_SIGNED_WITHDRAWAL_BYTES, "{}", signed.len());
            let line = text(&signed);
            assert!(line.chars().all(|c| "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:".contains(c)));
            assert_eq!(parse(&line.to_lowercase()).unwrap(), signed);
        }
    }

    #[test]
    fn each_person_and_nobody_else_must_sign_for_this_very_use() {
        let author = || signatures(Role::NoticesAuthor, Domain::Withdrawal);
        let approver = || signatures(Role::NoticesApprover, Domain::Withdrawal);
        let both = [author(), approver()].concat();
        assert!(verified(&signed_by(both.clone())).is_ok());
        for (what, signatures, expected) in [
            ("nobody", vec![], "signatures"),
            ("the author alone", author(), "signatures"),
            ("the approver alone", approver(), "signatures"),
            ("the author twice", [author(), author()].concat(), "signatures"),
            (
                "for a list",
                [author(), signatures(Role::NoticesApprover, Domain::Manifest)].concat(),
                "signatures",
            ),
            (
                "and the register's key",
                [both, signatures(Role::Register, Domain::Withdrawal)].concat(),
                "stray-signature",
            ),
        ] {
            let refused = verified(&signed_by(signatures)).unwrap_err();
            assert_eq!(refused.code(), expected, "{what}");
        }
    }

    #[test]
    fn what_contradicts_itself_the_device_or_the_time_is_refused_by_name() {
        assert_eq!(refused(|it| it.notices.clear()), "contradictory");
        assert_eq!(refused(|it| it.notices.reverse()), "contradictory");
        assert_eq!(refused(|it| it.purpose = Purpose::Production), "wrong-purpose");
        let at = |epoch| SnapshotVersion { epoch, version: 7 };
        assert_eq!(refused(|it| it.version = at(0)), "wrong-epoch");
        assert_eq!(refused(|it| it.version = at(9)), "wrong-epoch");
        assert_eq!(refused(|it| it.made = NOW.0 + 24 * HOUR + 1), "from-the-future");
        let mut ahead = a_withdrawal();
        ahead.made = NOW.0 + 24 * HOUR;
        assert!(verified(&signed_withdrawal(&ahead)).is_ok());

        let late = DeviceTime(root().expires);
        let signed = signed_withdrawal(&a_withdrawal());
        let expired = verify(&signed, &root(), Purpose::Demo, TrustedTime::new(NOW, late));
        assert_eq!(expired.unwrap_err().code(), "root-expired");
        assert_eq!(verified(b"").unwrap_err().code(), "undecodable");
        assert_eq!(verified(&[signed, vec![0]].concat()).unwrap_err().code(), "undecodable");
    }

    proptest! {
        #[test]
        fn a_changed_bit_is_refused_wherever_it_is(at in any::<prop::sample::Index>(), bit in 0_u32..8) {
            let mut signed = signed_withdrawal(&a_withdrawal());
            let at = at.index(signed.len());
            signed[at] ^= 1 << bit;
            prop_assert!(verified(&signed).is_err());
        }
    }
}
