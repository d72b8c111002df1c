//! What travels beside packages: an emergency withdrawal, an application update, the index of a
//! repository, and the proof that a device has installed something.

use bincode::{Decode, Encode};

use super::package::{Dataset, PartRef, Purpose, Signature, SnapshotVersion};
use crate::limits;

/// Notices that must not answer any more, before the next list comes: small enough for one QR code
/// on paper.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Withdrawal {
    /// Real or invented, as the root.
    pub purpose: Purpose,
    /// The newest list of notices that was published when it was made; lists up to this one are
    /// affected, later ones are built without the notices.
    pub version: SnapshotVersion,
    /// Unix time in seconds at which it was made.
    pub made: i64,
    /// Order numbers, strictly ascending.
    pub notices: Vec<u64>,
}

/// An encoded [`Withdrawal`] and the signatures of an author and an approver of notices.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct SignedWithdrawal {
    /// The encoded withdrawal.
    pub withdrawal: Vec<u8>,
    /// Its signatures.
    pub signatures: Vec<Signature>,
}

/// An application update: a file that devices are told of and do not install by themselves.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Release {
    /// Real or invented, as the root.
    pub purpose: Purpose,
    /// The number that `min_app` of a manifest is compared with.
    pub app: u32,
    /// What people call it.
    pub label: String,
    /// Unix time in seconds at which it was made.
    pub made: i64,
    /// SHA-256 of the file.
    pub hash: [u8; 32],
    /// Its length in bytes.
    pub len: u64,
}

/// An encoded [`Release`] and its signatures.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct SignedRelease {
    /// The encoded release.
    pub release: Vec<u8>,
    /// Its signatures.
    pub signatures: Vec<Signature>,
}

/// What a repository has of one package.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Entry {
    /// What it carries.
    pub dataset: Dataset,
    /// Its version.
    pub version: SnapshotVersion,
    /// The version of the full package that it is a delta of.
    pub base: Option<u64>,
    /// The encoded signed manifest.
    pub manifest: PartRef,
    /// The sealed inner manifest.
    pub inner: PartRef,
    /// The sealed chunks, in the manifest's order.
    pub chunks: Vec<PartRef>,
    /// The envelope of each unit, ascending by unit.
    pub units: Vec<(u32, PartRef)>,
}

/// The one mutable object of a repository. Unsigned: all it can do is withhold, since whatever it
/// names is checked by hash and signature.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Index {
    /// Rises by one with every publication.
    pub serial: u64,
    /// Unix time in seconds at which it was published.
    pub published: i64,
    /// The encoded root chain.
    pub root_chain: PartRef,
    /// The packages: of each dataset the newest full one, and its newest delta.
    pub entries: Vec<Entry>,
    /// The encoded signed release.
    pub release: Option<PartRef>,
}

/// What a device says it has installed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Installed {
    /// The device, by the id of its enrolment.
    pub device: [u8; 16],
    /// What was installed.
    pub dataset: Dataset,
    /// Its version.
    pub version: SnapshotVersion,
    /// SHA-256 of the encoded manifest.
    pub manifest: [u8; 32],
    /// When, in hours since 1970 UTC.
    pub hour: u32,
    /// The number of the program.
    pub app: u32,
}

/// An encoded [`Installed`] and the device's signature.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct SignedInstalled {
    /// The encoded statement.
    pub installed: Vec<u8>,
    /// ECDSA P-256 with SHA-256, r and s.
    pub signature: [u8; 64],
}

/// Why a message contradicts itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MessageError {
    /// No notice, too many, or out of order.
    #[error("the withdrawn notices cannot be")]
    Notices,
    /// A label that is empty, too long or holds control characters, or an empty file.
    #[error("label or length of the update cannot be")]
    Release,
    /// Units or entries of an index out of order.
    #[error("the entries of the index cannot be")]
    Entries,
}

impl Withdrawal {
    /// Says whether the withdrawal makes sense by itself.
    ///
    /// # Errors
    ///
    /// [`MessageError::Notices`].
    pub fn validate(&self) -> Result<(), MessageError> {
        let few = (1..=limits::MAX_EMERGENCY_WITHDRAWN).contains(&self.notices.len());
        let ascending = self.notices.is_sorted_by(|left, right| left < right);
        if few && ascending && self.notices[0] > 0 { Ok(()) } else { Err(MessageError::Notices) }
    }
}

impl Release {
    /// Says whether the release makes sense by itself.
    ///
    /// # Errors
    ///
    /// [`MessageError::Release`].
    pub fn validate(&self) -> Result<(), MessageError> {
        let chars = self.label.chars().count();
        let shown = !self.label.chars().any(char::is_control);
        let fits = (1..=limits::MAX_LABEL_CHARS).contains(&chars) && self.len > 0;
        if fits && shown { Ok(()) } else { Err(MessageError::Release) }
    }
}

impl Index {
    /// Says whether the index makes sense by itself: each package once, each unit once.
    ///
    /// # Errors
    ///
    /// [`MessageError::Entries`].
    pub fn validate(&self) -> Result<(), MessageError> {
        let place = |entry: &Entry| (entry.dataset, entry.base.is_some());
        let once = self.entries.is_sorted_by(|left, right| place(left) < place(right));
        let units = |entry: &Entry| entry.units.is_sorted_by(|left, right| left.0 < right.0);
        let sized = |entry: &Entry| {
            entry.chunks.len() <= limits::MAX_CHUNKS && entry.units.len() <= limits::MAX_ENVELOPES
        };
        if once && self.entries.iter().all(|entry| units(entry) && sized(entry)) {
            Ok(())
        } else {
            Err(MessageError::Entries)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_withdrawal(notices: Vec<u64>) -> Withdrawal {
        let version = SnapshotVersion { epoch: 1, version: 7 };
        Withdrawal { purpose: Purpose::Demo, version, made: 1_800_000_000, notices }
    }

    #[test]
    fn a_withdrawal_names_some_notices_each_once() {
        let check = |notices: Vec<u64>, expected| {
            assert_eq!(a_withdrawal(notices).validate(), expected);
        };
        check(vec![7], Ok(()));
        check((1..=64).collect(), Ok(()));
        check(vec![], Err(MessageError::Notices));
        check((1..=65).collect(), Err(MessageError::Notices));
        check(vec![7, 7], Err(MessageError::Notices));
        check(vec![0], Err(MessageError::Notices));
    }

    #[test]
    fn a_release_has_a_label_that_can_be_shown() {
        let check = |label: &str, len, expected| {
            let release = Release {
                purpose: Purpose::Demo,
                app: 2,
                label: label.to_owned(),
                made: 1_800_000_000,
                hash: [1; 32],
                len,
            };
            assert_eq!(release.validate(), expected, "{label:?}");
        };
        check("0.2.0", 1, Ok(()));
        check("0.2.0", 0, Err(MessageError::Release));
        check("", 1, Err(MessageError::Release));
        check("a\nb", 1, Err(MessageError::Release));
        check(&"x".repeat(41), 1, Err(MessageError::Release));
    }

    #[test]
    fn an_index_has_each_package_and_each_unit_once() {
        let part = PartRef { hash: [1; 32], len: 1 };
        let entry = |dataset, base, units: &[u32]| Entry {
            dataset,
            version: SnapshotVersion { epoch: 1, version: 7 },
            base,
            manifest: part,
            inner: part,
            chunks: vec![part],
            units: units.iter().map(|unit| (*unit, part)).collect(),
        };
        let check = |entries: Vec<Entry>, expected| {
            let index = Index { serial: 1, published: 1, root_chain: part, entries, release: None };
            assert_eq!(index.validate(), expected);
        };
        use Dataset::{Notices, Register};
        check(vec![], Ok(()));
        let all = [
            entry(Notices, None, &[1, 2]),
            entry(Notices, Some(6), &[]),
            entry(Register, None, &[3]),
        ];
        check(all.to_vec(), Ok(()));
        check(vec![entry(Notices, None, &[2, 1])], Err(MessageError::Entries));
        check(vec![entry(Notices, None, &[]); 2], Err(MessageError::Entries));
        check(
            vec![entry(Register, None, &[]), entry(Notices, None, &[])],
            Err(MessageError::Entries),
        );
    }
}
