//! Root documents step by step: who may sign what, and how that changes.
//!
//! A root document is drafted from public keys, signed by the people who hold the root keys, each on
//! a machine of his own, and finished into the chain that every package carries. Each step takes
//! values and gives values; files, screens and passphrases are for `fieldcheckctl keys`.
//!
//! The rules are stricter than those of a device ([`super::verify`]), which must take what was
//! signed: a key has one duty, an epoch rises by one, a key that was revoked does not come back.
//! Whatever is finished here a device takes as a chain.

use std::collections::BTreeMap;

use ed25519_dalek::{Signature as Ed25519, VerifyingKey};
use sync_format::codec::{self, DecodeError, EncodeError, Kind};
use sync_format::limits::MAX_KEYS;
use sync_format::v1::package::{
    self, Domain, KeySet, PackageError, Purpose, Role, RoleKeys, Root, RootChain, Signature,
    SignedRoot, key_id, sha256,
};

use super::keyfile::{self, KeyRole, PrivateKey, PublicKey, hex, unhex};
use crate::document::Date;

/// How far ahead of this machine's clock a draft may have been made, seconds: clocks of machines
/// without a network differ. As much as a device allows.
const MAX_AHEAD_SECONDS: i64 = 24 * 3_600;

/// First line of a file with one signature.
const SIGNATURE_HEADER: &str = "fieldcheck-signature-v1";

/// Why a step of a ceremony is refused: what is wrong, and what to do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CeremonyError {
    /// Not a chain of roots.
    #[error("this is no chain of root documents")]
    NoChain(#[source] DecodeError),
    /// A chain without a root.
    #[error("the chain holds no root document")]
    Empty,
    /// Not a root document.
    #[error("this is no draft of a root document")]
    NoDraft(#[source] DecodeError),
    /// A root contradicts itself.
    #[error("root {version} contradicts itself")]
    Contradictory {
        /// Its version.
        version: u32,
        /// How.
        #[source]
        source: PackageError,
    },
    /// Longer than the format allows.
    #[error("the chain is longer than a package may carry; begin anew with a first root")]
    TooLong(#[source] EncodeError),
    /// Not the version that follows.
    #[error("the draft is root {found}, and after the chain's newest comes root {expected}")]
    Version {
        /// Of the draft.
        found: u32,
        /// What follows the chain.
        expected: u32,
    },
    /// A root after the first, without the chain that it follows.
    #[error("this is root {version}: name the chain that it follows with --from")]
    FromMissing {
        /// Of the draft.
        version: u32,
    },
    /// Real and invented data never mix.
    #[error("the chain is for {from} and the draft for {found}; begin anew for another purpose")]
    Purpose {
        /// Of the chain.
        from: Purpose,
        /// Of the draft.
        found: Purpose,
    },
    /// An epoch that neither stays nor rises by one.
    #[error("epoch {found} does not follow epoch {from}: it stays or rises by one")]
    Epoch {
        /// Of the chain.
        from: u32,
        /// Of the draft.
        found: u32,
    },
    /// The newest root of the chain is over, and its keys sign nothing more.
    #[error(
        "root {version} expired on {on}: publish the emergency root, or begin anew with a first \
         root and enrol every device again"
    )]
    FromExpired {
        /// Of the chain's newest root.
        version: u32,
        /// The day.
        on: Date,
    },
    /// The draft would be over before it is used.
    #[error("the draft expires on {on}, which is over: draft it again")]
    Expired {
        /// The day.
        on: Date,
    },
    /// Made before the root that it follows, or after today.
    #[error(
        "the draft was made on {made}, by a wrong clock: set this machine's clock, draft again"
    )]
    Clock {
        /// The day.
        made: Date,
    },
    /// A threshold of 0.
    #[error("{role}: a threshold of 0 lets anybody sign; it is 1 or more")]
    ThresholdZero {
        /// Whose.
        role: KeyRole,
    },
    /// Fewer keys than must sign.
    #[error(
        "{role} would have {keys} of the {threshold} keys that must sign: add another key in the \
         same step, or lower the threshold"
    )]
    TooFewKeys {
        /// Whose.
        role: KeyRole,
        /// How many there would be.
        keys: usize,
        /// How many must sign.
        threshold: u8,
    },
    /// More keys than the format allows.
    #[error("{role} would have {keys} keys, more than {MAX_KEYS}")]
    TooManyKeys {
        /// Whose.
        role: KeyRole,
        /// How many.
        keys: usize,
    },
    /// A threshold for a role without keys.
    #[error("{role} has no key, so it has no threshold: add a key, or leave the threshold out")]
    NoKeys {
        /// Whose.
        role: Role,
    },
    /// A key stands twice.
    #[error("key {} stands twice; every key has one duty and one holder", hex(.id))]
    KeyTwice {
        /// The key.
        id: [u8; 8],
    },
    /// A key would write notices and approve them.
    #[error("key {} would write and approve notices; these are two people", hex(.id))]
    AuthorApproves {
        /// The key.
        id: [u8; 8],
    },
    /// A key under which anybody can sign.
    #[error("key {} is weak; make another with `keys create`", hex(.id))]
    Weak {
        /// The key.
        id: [u8; 8],
    },
    /// No such key is there to be revoked.
    #[error("the newest root names no key {}; `keys show` lists them", hex(.id))]
    NoSuchKey {
        /// The key.
        id: [u8; 8],
    },
    /// A key that an earlier root named and a later one did not.
    #[error("key {} was revoked before and does not come back; make a new key", hex(.id))]
    Revived {
        /// The key.
        id: [u8; 8],
    },
    /// An emergency root keeps a key that may be the stolen one.
    #[error("key {} is in use; an emergency root has fresh keys only", hex(.id))]
    NotFresh {
        /// The key.
        id: [u8; 8],
    },
    /// An emergency root without a key for a role that signs today.
    #[error("{role} signs today and has no key in the emergency root: make one and add it")]
    RoleMissing {
        /// The role.
        role: Role,
    },
    /// A role key was to sign a root.
    #[error("key {} is for {role}; a root is signed by root keys alone", hex(.id))]
    WrongRole {
        /// The key.
        id: [u8; 8],
        /// Its role.
        role: KeyRole,
    },
    /// A root key of neither root.
    #[error("key {} is a root key of neither this root nor the one before", hex(.id))]
    Stranger {
        /// The key.
        id: [u8; 8],
    },
    /// A signature by a key that an earlier root took away.
    #[error("the signature of key {} does not count: the key was revoked before", hex(.id))]
    SignedByRevoked {
        /// The key.
        id: [u8; 8],
    },
    /// A signature that does not hold.
    #[error("the signature of key {} does not hold for this draft: sign again", hex(.id))]
    BadSignature {
        /// The key.
        id: [u8; 8],
    },
    /// Two signatures of one key.
    #[error("key {} signed twice; one signature a key is needed", hex(.id))]
    SignedTwice {
        /// The key.
        id: [u8; 8],
    },
    /// Fewer signatures than a root asks for.
    #[error(
        "only {valid} of the {needed} signatures that root {version} asks for: collect the others"
    )]
    TooFewSignatures {
        /// Which root's keys.
        version: u32,
        /// How many hold.
        valid: usize,
        /// How many must.
        needed: u8,
    },
    /// Not a file with a signature.
    #[error("this is no signature; take the file as `keys sign` wrote it")]
    NoSignature,
    /// A signature for other bytes.
    #[error("this signature is for another draft")]
    OtherDraft,
}

/// The roots from the first to the newest, each signed under the one before: checked in every link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chain {
    signed: Vec<SignedRoot>,
    /// What `signed` decodes to; never empty.
    roots: Vec<Root>,
}

impl Chain {
    /// Reads a chain and checks every link of it. Whether it has expired is not asked.
    ///
    /// # Errors
    ///
    /// The first fault.
    pub fn read(bytes: &[u8]) -> Result<Chain, CeremonyError> {
        let RootChain(signed) =
            codec::decode(Kind::RootChain, bytes).map_err(CeremonyError::NoChain)?;
        let mut roots: Vec<Root> = Vec::new();
        for link in &signed {
            let root = read_root(&link.root, CeremonyError::NoChain)?;
            if let Some(before) = roots.last() {
                follows(before, &root)?;
            }
            enough_signatures(&link.root, &root, roots.last(), &roots, &link.signatures)?;
            roots.push(root);
        }
        if roots.is_empty() { Err(CeremonyError::Empty) } else { Ok(Chain { signed, roots }) }
    }

    /// Returns the bytes that packages carry.
    ///
    /// # Errors
    ///
    /// [`CeremonyError::TooLong`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, CeremonyError> {
        codec::encode(Kind::RootChain, &RootChain(self.signed.clone()))
            .map_err(CeremonyError::TooLong)
    }

    /// Returns each root with the hash of its bytes, by which a device is pinned to it, and the
    /// signatures under it.
    pub fn roots(&self) -> impl Iterator<Item = (&Root, [u8; 32], &[Signature])> {
        let hashed = |link: &'_ SignedRoot| sha256(&link.root);
        self.roots
            .iter()
            .zip(&self.signed)
            .map(move |(root, link)| (root, hashed(link), link.signatures.as_slice()))
    }

    /// Returns the newest root.
    pub fn newest(&self) -> &Root {
        self.roots.last().expect("a chain holds a root")
    }

    /// Returns whether an earlier root names this key and the newest does not.
    fn revoked(&self, id: [u8; 8]) -> bool {
        !names(self.newest(), id) && self.roots.iter().any(|root| names(root, id))
    }
}

/// The keys of a first or of an emergency root.
#[derive(Clone, Debug)]
pub struct Team<'a> {
    /// Every key, each for its role.
    pub keys: &'a [PublicKey],
    /// How many root keys must sign.
    pub root_threshold: u8,
    /// How many keys of a role must sign; one where nothing is said.
    pub thresholds: &'a [(Role, u8)],
}

/// What a rotation changes.
#[derive(Clone, Default, Debug)]
pub struct Change<'a> {
    /// Keys to add, each for its role.
    pub add: &'a [PublicKey],
    /// Keys to take away, wherever they stand.
    pub revoke: &'a [[u8; 8]],
    /// Another threshold of the root.
    pub root_threshold: Option<u8>,
    /// Other thresholds of roles.
    pub thresholds: &'a [(Role, u8)],
    /// Whether versions and the devices' floor of time begin anew.
    pub raise_epoch: bool,
}

/// From when to when a root is trusted, seconds since 1970 UTC.
#[derive(Clone, Copy, Debug)]
pub struct Term {
    /// When it is made.
    pub made: i64,
    /// When it ends.
    pub expires: i64,
}

/// A root document that is not signed yet. It keeps the rules by itself; whether it follows a chain
/// is asked with the chain at hand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    root: Root,
    bytes: Vec<u8>,
}

/// Drafts the first root of a chain.
///
/// # Errors
///
/// The rule that it breaks.
pub fn first(
    purpose: Purpose,
    epoch: u32,
    team: &Team<'_>,
    term: Term,
) -> Result<Draft, CeremonyError> {
    let (root_keys, roles) = seats(team)?;
    Draft::of(Root {
        purpose,
        epoch,
        root_version: 1,
        made: term.made,
        expires: term.expires,
        root_keys,
        roles,
    })
}

/// Drafts the root that follows a chain: one version on, with these changes.
///
/// # Errors
///
/// The rule that it breaks.
pub fn rotate(from: &Chain, change: &Change<'_>, term: Term) -> Result<Draft, CeremonyError> {
    let before = from.newest();
    let mut root = Root {
        epoch: before.epoch.saturating_add(u32::from(change.raise_epoch)),
        root_version: before.root_version.saturating_add(1),
        made: term.made,
        expires: term.expires,
        ..before.clone()
    };
    for id in change.revoke {
        let mut found = false;
        let sets = root.roles.iter_mut().map(|role| &mut role.keys);
        for set in std::iter::once(&mut root.root_keys).chain(sets) {
            let keys = set.keys.len();
            set.keys.retain(|key| key_id(key) != *id);
            found |= set.keys.len() < keys;
        }
        if !found {
            return Err(CeremonyError::NoSuchKey { id: *id });
        }
    }
    for key in change.add {
        match key.role() {
            KeyRole::Root => root.root_keys.keys.push(*key.key()),
            KeyRole::Of(role) => match root.roles.iter_mut().find(|it| it.role == role) {
                Some(held) => held.keys.keys.push(*key.key()),
                None => {
                    let keys = KeySet { threshold: 1, keys: vec![*key.key()] };
                    root.roles.push(RoleKeys { role, keys });
                }
            },
        }
    }
    root.roles.sort_by_key(|role| role.role);
    if let Some(threshold) = change.root_threshold {
        root.root_keys.threshold = threshold;
    }
    for (role, threshold) in change.thresholds {
        let held = root.roles.iter_mut().find(|held| held.role == *role);
        held.ok_or(CeremonyError::NoKeys { role: *role })?.keys.threshold = *threshold;
    }
    let draft = Draft::of(root)?;
    draft.check(Some(from), term.made)?;
    Ok(draft)
}

/// Drafts the root that is signed in advance and kept sealed: one version and one epoch on, with
/// fresh keys for the root and for every role that signs today.
///
/// It follows this chain alone: after the next rotation another one must be made.
///
/// # Errors
///
/// The rule that it breaks.
pub fn emergency(from: &Chain, team: &Team<'_>, term: Term) -> Result<Draft, CeremonyError> {
    let before = from.newest();
    let used = |key: &&PublicKey| from.roots.iter().any(|root| names(root, key.id()));
    if let Some(key) = team.keys.iter().find(used) {
        return Err(CeremonyError::NotFresh { id: key.id() });
    }
    let (root_keys, roles) = seats(team)?;
    let missing = |held: &&RoleKeys| !roles.iter().any(|fresh| fresh.role == held.role);
    if let Some(held) = before.roles.iter().find(missing) {
        return Err(CeremonyError::RoleMissing { role: held.role });
    }
    let draft = Draft::of(Root {
        purpose: before.purpose,
        epoch: before.epoch.saturating_add(1),
        root_version: before.root_version.saturating_add(1),
        made: term.made,
        expires: term.expires,
        root_keys,
        roles,
    })?;
    draft.check(Some(from), term.made)?;
    Ok(draft)
}

/// Returns the keys of a team by role.
fn seats(team: &Team<'_>) -> Result<(KeySet, Vec<RoleKeys>), CeremonyError> {
    let mut root_keys = KeySet { threshold: team.root_threshold, keys: Vec::new() };
    let mut roles: BTreeMap<Role, KeySet> = BTreeMap::new();
    for key in team.keys {
        let set = match key.role() {
            KeyRole::Root => &mut root_keys,
            KeyRole::Of(role) => {
                roles.entry(role).or_insert_with(|| KeySet { threshold: 1, keys: Vec::new() })
            }
        };
        set.keys.push(*key.key());
    }
    for (role, threshold) in team.thresholds {
        let set = roles.get_mut(role).ok_or(CeremonyError::NoKeys { role: *role })?;
        set.threshold = *threshold;
    }
    let roles = roles.into_iter().map(|(role, keys)| RoleKeys { role, keys }).collect();
    Ok((root_keys, roles))
}

impl Draft {
    fn of(root: Root) -> Result<Draft, CeremonyError> {
        obeys(&root)?;
        let bytes = codec::encode(Kind::Root, &root).map_err(CeremonyError::TooLong)?;
        Ok(Draft { root, bytes })
    }

    /// Reads a draft, and checks what it says by itself.
    ///
    /// # Errors
    ///
    /// The rule that it breaks.
    pub fn read(bytes: &[u8]) -> Result<Draft, CeremonyError> {
        let root = read_root(bytes, CeremonyError::NoDraft)?;
        obeys(&root)?;
        Ok(Draft { root, bytes: bytes.to_vec() })
    }

    /// Returns the root.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Returns the bytes, which are those that are signed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the hash by which people compare drafts, and by which a device is pinned later.
    pub fn hash(&self) -> [u8; 32] {
        sha256(&self.bytes)
    }

    /// Says whether this is the first root, or the one that follows the chain, at this time.
    ///
    /// # Errors
    ///
    /// The rule that it breaks.
    pub fn check(&self, from: Option<&Chain>, now: i64) -> Result<(), CeremonyError> {
        let root = &self.root;
        match from {
            Some(from) => {
                let before = from.newest();
                follows(before, root)?;
                if now >= before.expires {
                    let (version, on) = (before.root_version, day(before.expires));
                    return Err(CeremonyError::FromExpired { version, on });
                }
                if root.epoch > before.epoch.saturating_add(1) {
                    let (from, found) = (before.epoch, root.epoch);
                    return Err(CeremonyError::Epoch { from, found });
                }
                if let Some(key) = all_keys(root).find(|key| from.revoked(key_id(key))) {
                    return Err(CeremonyError::Revived { id: key_id(key) });
                }
            }
            None if root.root_version == 1 => {}
            None => return Err(CeremonyError::FromMissing { version: root.root_version }),
        }
        if root.made > now.saturating_add(MAX_AHEAD_SECONDS) {
            return Err(CeremonyError::Clock { made: day(root.made) });
        }
        if root.expires <= root.made.max(now) {
            return Err(CeremonyError::Expired { on: day(root.expires) });
        }
        Ok(())
    }

    /// Signs the draft with a root key of this root or of the one before.
    ///
    /// # Errors
    ///
    /// The rule that the draft breaks, [`CeremonyError::WrongRole`] and
    /// [`CeremonyError::Stranger`].
    pub fn sign(
        &self,
        key: &PrivateKey,
        from: Option<&Chain>,
        now: i64,
    ) -> Result<Signature, CeremonyError> {
        self.check(from, now)?;
        self.may_sign(&key.public(), from)?;
        Ok(key.sign(Domain::Root, &self.bytes))
    }

    /// Says whether this key is one of those that the draft asks for.
    ///
    /// # Errors
    ///
    /// [`CeremonyError::WrongRole`], [`CeremonyError::SignedByRevoked`] and
    /// [`CeremonyError::Stranger`].
    pub fn may_sign(&self, key: &PublicKey, from: Option<&Chain>) -> Result<(), CeremonyError> {
        let (id, role) = (key.id(), key.role());
        if role != KeyRole::Root {
            return Err(CeremonyError::WrongRole { id, role });
        }
        let signers = [Some(&self.root), from.map(Chain::newest)];
        if signers.into_iter().flatten().any(|root| root.root_keys.keys.contains(key.key())) {
            return Ok(());
        }
        match from.is_some_and(|from| from.revoked(id)) {
            true => Err(CeremonyError::SignedByRevoked { id }),
            false => Err(CeremonyError::Stranger { id }),
        }
    }

    /// Returns the chain with this root at its end.
    ///
    /// # Errors
    ///
    /// The rule that draft or signatures break.
    pub fn finish(
        &self,
        signatures: &[Signature],
        from: Option<&Chain>,
        now: i64,
    ) -> Result<Chain, CeremonyError> {
        self.check(from, now)?;
        let earlier = from.map_or(&[][..], |from| &from.roots);
        enough_signatures(&self.bytes, &self.root, earlier.last(), earlier, signatures)?;
        let mut signed = from.map_or_else(Vec::new, |from| from.signed.clone());
        let mut roots = earlier.to_vec();
        // The order of the files that were carried together says nothing, so the bytes do not either.
        let mut signatures = signatures.to_vec();
        signatures.sort_by_key(|signature| signature.key_id);
        signed.push(SignedRoot { root: self.bytes.clone(), signatures });
        roots.push(self.root.clone());
        let chain = Chain { signed, roots };
        chain.to_bytes()?;
        Ok(chain)
    }
}

/// How the keys of one role change from a root to the next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeatChange {
    /// Whose.
    pub role: KeyRole,
    /// The threshold before, where there was one.
    pub threshold_before: Option<u8>,
    /// The threshold now; 0 where the role is gone.
    pub threshold: u8,
    /// Keys that stay.
    pub kept: Vec<[u8; 8]>,
    /// Keys that are new.
    pub added: Vec<[u8; 8]>,
    /// Keys that are taken away.
    pub revoked: Vec<[u8; 8]>,
}

/// Returns the root's keys and those of every role that either root names, compared.
pub fn changes(before: Option<&Root>, after: &Root) -> Vec<SeatChange> {
    let seat = |root: &Root, role: KeyRole| match role {
        KeyRole::Root => Some(root.root_keys.clone()),
        KeyRole::Of(role) => root.keys_of(role).cloned(),
    };
    let compare = |role| {
        let now = seat(after, role);
        let then = before.and_then(|root| seat(root, role));
        let ids = |set: &Option<KeySet>| -> Vec<[u8; 8]> {
            set.iter().flat_map(|set| &set.keys).map(key_id).collect()
        };
        let (new, old) = (ids(&now), ids(&then));
        let (kept, added) = new.into_iter().partition(|id| old.contains(id));
        let kept: Vec<[u8; 8]> = kept;
        let revoked = old.into_iter().filter(|id| !kept.contains(id)).collect();
        (now.is_some() || then.is_some()).then_some(SeatChange {
            role,
            threshold_before: then.map(|set| set.threshold),
            threshold: now.map_or(0, |set| set.threshold),
            kept,
            added,
            revoked,
        })
    };
    KeyRole::all().filter_map(compare).collect()
}

/// One signature of a draft as it is carried in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CarriedSignature {
    /// The hash of the draft.
    pub draft: [u8; 32],
    /// The signature.
    pub signature: Signature,
}

impl CarriedSignature {
    /// Writes the text of the file.
    pub fn to_text(&self) -> String {
        format!(
            "{SIGNATURE_HEADER}\nroot {}\nkey {}\nsignature {}\n",
            hex(&self.draft),
            hex(&self.signature.key_id),
            hex(&self.signature.bytes),
        )
    }

    /// Returns the signature, where it is for this draft.
    ///
    /// # Errors
    ///
    /// [`CeremonyError::OtherDraft`].
    pub fn of(self, draft: &Draft) -> Result<Signature, CeremonyError> {
        if self.draft == draft.hash() { Ok(self.signature) } else { Err(CeremonyError::OtherDraft) }
    }

    /// Reads what [`CarriedSignature::to_text`] wrote.
    ///
    /// # Errors
    ///
    /// [`CeremonyError::NoSignature`].
    pub fn from_text(text: &str) -> Result<CarriedSignature, CeremonyError> {
        let read = || {
            let mut lines = text.lines();
            let mut next = |word: &str| lines.next()?.strip_prefix(word);
            next(SIGNATURE_HEADER).filter(|rest| rest.is_empty())?;
            let draft = unhex(next("root ")?)?;
            let key_id = unhex(next("key ")?)?;
            let bytes = unhex(next("signature ")?)?;
            let signature = Signature { key_id, bytes };
            lines.next().is_none().then_some(CarriedSignature { draft, signature })
        };
        read().ok_or(CeremonyError::NoSignature)
    }
}

/// Decodes a root, and checks what a device checks of it alone, and that no key is weak.
fn read_root(
    bytes: &[u8],
    undecodable: fn(DecodeError) -> CeremonyError,
) -> Result<Root, CeremonyError> {
    let root: Root = codec::decode(Kind::Root, bytes).map_err(undecodable)?;
    let version = root.root_version;
    root.validate().map_err(|source| CeremonyError::Contradictory { version, source })?;
    no_weak_key(&root)?;
    Ok(root)
}

fn no_weak_key(root: &Root) -> Result<(), CeremonyError> {
    match all_keys(root).find(|key| !keyfile::is_strong(key)) {
        Some(key) => Err(CeremonyError::Weak { id: key_id(key) }),
        None => Ok(()),
    }
}

/// Says whether a new root keeps the rules of the ceremony by itself.
fn obeys(root: &Root) -> Result<(), CeremonyError> {
    let sets = std::iter::once((KeyRole::Root, &root.root_keys))
        .chain(root.roles.iter().map(|held| (KeyRole::Of(held.role), &held.keys)));
    let mut seen: BTreeMap<&[u8; 32], KeyRole> = BTreeMap::new();
    for (role, set) in sets {
        let (keys, threshold) = (set.keys.len(), set.threshold);
        if threshold == 0 {
            return Err(CeremonyError::ThresholdZero { role });
        }
        if keys < usize::from(threshold) {
            return Err(CeremonyError::TooFewKeys { role, keys, threshold });
        }
        if keys > MAX_KEYS {
            return Err(CeremonyError::TooManyKeys { role, keys });
        }
        for key in &set.keys {
            let id = key_id(key);
            match (seen.insert(key, role), role) {
                (None, _) => {}
                (Some(KeyRole::Of(Role::NoticesAuthor)), KeyRole::Of(Role::NoticesApprover)) => {
                    return Err(CeremonyError::AuthorApproves { id });
                }
                (Some(_), _) => return Err(CeremonyError::KeyTwice { id }),
            }
        }
    }
    no_weak_key(root)?;
    let contradictory =
        |source| CeremonyError::Contradictory { version: root.root_version, source };
    root.validate().map_err(contradictory)
}

/// Says whether `root` follows `before`, by what a chain shows without a clock.
fn follows(before: &Root, root: &Root) -> Result<(), CeremonyError> {
    let expected = before.root_version.checked_add(1);
    if expected != Some(root.root_version) {
        let expected = expected.unwrap_or(u32::MAX);
        return Err(CeremonyError::Version { found: root.root_version, expected });
    }
    if root.purpose != before.purpose {
        return Err(CeremonyError::Purpose { from: before.purpose, found: root.purpose });
    }
    if root.epoch < before.epoch {
        return Err(CeremonyError::Epoch { from: before.epoch, found: root.epoch });
    }
    if root.made < before.made {
        return Err(CeremonyError::Clock { made: day(root.made) });
    }
    Ok(())
}

/// Requires the signatures of both thresholds, each signature valid, known and only once.
fn enough_signatures(
    bytes: &[u8],
    root: &Root,
    before: Option<&Root>,
    earlier: &[Root],
    signatures: &[Signature],
) -> Result<(), CeremonyError> {
    let message = package::signing_bytes(Domain::Root, bytes);
    let mut signers: Vec<&[u8; 32]> = Vec::new();
    for signature in signatures {
        let id = signature.key_id;
        let known = [before, Some(root)].into_iter().flatten();
        let mut known = known.flat_map(|root| &root.root_keys.keys);
        let Some(key) = known.find(|key| key_id(key) == id) else {
            let named = |root: &Root| root_named(root, id);
            return Err(match earlier.iter().chain([root]).rev().find_map(named) {
                Some(KeyRole::Root) => CeremonyError::SignedByRevoked { id },
                Some(role) => CeremonyError::WrongRole { id, role },
                None => CeremonyError::Stranger { id },
            });
        };
        if signers.contains(&key) {
            return Err(CeremonyError::SignedTwice { id });
        }
        let holds = VerifyingKey::from_bytes(key).is_ok_and(|key| {
            key.verify_strict(&message, &Ed25519::from_bytes(&signature.bytes)).is_ok()
        });
        if !holds {
            return Err(CeremonyError::BadSignature { id });
        }
        signers.push(key);
    }
    for asks in [before, Some(root)].into_iter().flatten() {
        let set = &asks.root_keys;
        let valid = signers.iter().filter(|key| set.keys.contains(key)).count();
        if valid < usize::from(set.threshold) {
            let (version, needed) = (asks.root_version, set.threshold);
            return Err(CeremonyError::TooFewSignatures { version, valid, needed });
        }
    }
    Ok(())
}

/// Returns every key that a root names, its own first.
fn all_keys(root: &Root) -> impl Iterator<Item = &[u8; 32]> {
    root.root_keys.keys.iter().chain(root.roles.iter().flat_map(|held| &held.keys.keys))
}

fn names(root: &Root, id: [u8; 8]) -> bool {
    all_keys(root).any(|key| key_id(key) == id)
}

/// Returns what a root names this key for.
fn root_named(root: &Root, id: [u8; 8]) -> Option<KeyRole> {
    let has = |set: &KeySet| set.keys.iter().any(|key| key_id(key) == id);
    if has(&root.root_keys) {
        return Some(KeyRole::Root);
    }
    root.roles.iter().find(|held| has(&held.keys)).map(|held| KeyRole::Of(held.role))
}

/// Returns the day of a time, UTC.
fn day(seconds: i64) -> Date {
    let days = seconds.div_euclid(86_400).clamp(i64::from(i32::MIN), i64::from(i32::MAX));
    Date::from_days(days as i32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::snapshot::Trust;
    use crate::snapshot::testing::trust;
    use crate::snapshot::verify::verify_root_chain;

    const NOW: i64 = 1_795_521_600;
    const YEAR: i64 = 365 * 86_400;
    const TERM: Term = Term { made: NOW, expires: NOW + YEAR };
    const LATER: Term = Term { made: NOW + YEAR / 2, expires: NOW + 2 * YEAR };

    /// Everybody who holds a key: numbers below 10 are root keys.
    fn key(number: u8) -> PrivateKey {
        let role = match number {
            0..10 => KeyRole::Root,
            10..20 => KeyRole::Of(Role::NoticesAuthor),
            20..30 => KeyRole::Of(Role::NoticesApprover),
            _ => KeyRole::Of(Role::Register),
        };
        PrivateKey::from_seed(role, &[number; 32])
    }

    fn public(numbers: &[u8]) -> Vec<PublicKey> {
        numbers.iter().map(|number| key(*number).public()).collect()
    }

    fn id(number: u8) -> [u8; 8] {
        key(number).public().id()
    }

    const TEAM: [u8; 6] = [0, 1, 2, 10, 20, 30];

    fn first_of(numbers: &[u8], threshold: u8) -> Result<Draft, CeremonyError> {
        let keys = public(numbers);
        let team = Team { keys: &keys, root_threshold: threshold, thresholds: &[] };
        first(Purpose::Demo, 1, &team, TERM)
    }

    fn a_first() -> Draft {
        first_of(&TEAM, 2).unwrap()
    }

    /// Signs whatever the bytes are, as somebody does who does not use this program.
    fn sign(draft: &Draft, numbers: &[u8]) -> Vec<Signature> {
        numbers.iter().map(|number| key(*number).sign(Domain::Root, draft.bytes())).collect()
    }

    fn a_chain() -> Chain {
        a_first().finish(&sign(&a_first(), &[0, 1]), None, NOW).unwrap()
    }

    fn rotated(change: &Change<'_>) -> Result<Draft, CeremonyError> {
        rotate(&a_chain(), change, LATER)
    }

    /// A draft that follows the chain except for one change, made by another program.
    fn forged(change: impl FnOnce(&mut Root)) -> Draft {
        let mut root = rotated(&Change::default()).unwrap().root;
        change(&mut root);
        let bytes = codec::encode(Kind::Root, &root).unwrap();
        Draft { root, bytes }
    }

    fn finish(draft: &Draft, numbers: &[u8]) -> Result<Chain, CeremonyError> {
        draft.finish(&sign(draft, numbers), Some(&a_chain()), LATER.made)
    }

    #[test]
    fn a_first_root_is_signed_by_its_own_threshold() {
        let chain = a_chain();
        assert_eq!(chain.newest().root_version, 1);
        assert_eq!(chain.newest().keys_of(Role::Register).unwrap().threshold, 1);
        assert_eq!(Chain::read(&chain.to_bytes().unwrap()), Ok(chain));
        let alone = a_first().finish(&sign(&a_first(), &[0]), None, NOW);
        let few = CeremonyError::TooFewSignatures { version: 1, valid: 1, needed: 2 };
        assert_eq!(alone, Err(few));
    }

    #[test]
    fn the_order_in_which_signatures_arrive_says_nothing() {
        let draft = a_first();
        let finish = |numbers: &[u8]| draft.finish(&sign(&draft, numbers), None, NOW).unwrap();
        assert_eq!(finish(&[0, 1, 2]).to_bytes(), finish(&[2, 0, 1]).to_bytes());
    }

    #[test]
    fn a_root_that_anybody_nobody_or_one_alone_could_use_is_not_drafted() {
        let root = KeyRole::Root;
        assert_eq!(first_of(&TEAM, 0), Err(CeremonyError::ThresholdZero { role: root }));
        let few = CeremonyError::TooFewKeys { role: root, keys: 3, threshold: 4 };
        assert_eq!(first_of(&TEAM, 4), Err(few));
        assert!(matches!(first_of(&[10], 1), Err(CeremonyError::TooFewKeys { keys: 0, .. })));
        assert_eq!(first_of(&[0, 1, 0], 2), Err(CeremonyError::KeyTwice { id: id(0) }));
        let many: Vec<PublicKey> = (0..=MAX_KEYS as u8)
            .map(|number| PrivateKey::from_seed(KeyRole::Root, &[number; 32]).public())
            .collect();
        let team = Team { keys: &many, root_threshold: 2, thresholds: &[] };
        let refused = first(Purpose::Demo, 1, &team, TERM);
        assert_eq!(refused, Err(CeremonyError::TooManyKeys { role: root, keys: MAX_KEYS + 1 }));

        let keys = public(&TEAM);
        let with = |role, threshold| {
            let team = Team { keys: &keys, root_threshold: 2, thresholds: &[(role, threshold)] };
            first(Purpose::Demo, 1, &team, TERM)
        };
        let author = KeyRole::Of(Role::NoticesAuthor);
        let zero = with(Role::NoticesAuthor, 0);
        assert_eq!(zero, Err(CeremonyError::ThresholdZero { role: author }));
        let few = CeremonyError::TooFewKeys { role: author, keys: 1, threshold: 2 };
        assert_eq!(with(Role::NoticesAuthor, 2), Err(few));
        assert_eq!(with(Role::Enrol, 1), Err(CeremonyError::NoKeys { role: Role::Enrol }));
    }

    #[test]
    fn every_key_has_one_duty() {
        let other_duty = |number: u8, role| PublicKey::new(role, *key(number).public().key());
        let with = |more: PublicKey| {
            let mut keys = public(&TEAM);
            keys.push(more);
            let team = Team { keys: &keys, root_threshold: 2, thresholds: &[] };
            first(Purpose::Demo, 1, &team, TERM)
        };
        let approves = other_duty(10, KeyRole::Of(Role::NoticesApprover)).unwrap();
        assert_eq!(with(approves), Err(CeremonyError::AuthorApproves { id: id(10) }));
        let registers = other_duty(10, KeyRole::Of(Role::Register)).unwrap();
        assert_eq!(with(registers), Err(CeremonyError::KeyTwice { id: id(10) }));
        let lists = other_duty(0, KeyRole::Of(Role::NoticesAuthor)).unwrap();
        assert_eq!(with(lists), Err(CeremonyError::KeyTwice { id: id(0) }));
    }

    #[test]
    fn weak_keys_are_refused_wherever_they_come_from() {
        // The neutral element: every signature with R = B·s holds under it.
        let mut weak = [0; 32];
        weak[0] = 1;
        let error = CeremonyError::Weak { id: key_id(&weak) };
        let as_root = forged(|root| root.root_keys.keys.push(weak));
        let as_author = forged(|root| root.roles[0].keys.keys.push(weak));
        for draft in [as_root, as_author] {
            assert_eq!(Draft::read(draft.bytes()), Err(error.clone()));
            let signatures = sign(&draft, &[0, 1]);
            let mut chain = a_chain();
            chain.signed.push(SignedRoot { root: draft.bytes.clone(), signatures });
            assert_eq!(Chain::read(&chain.to_bytes().unwrap()), Err(error.clone()));
        }
    }

    #[test]
    fn a_rotation_is_one_version_on_and_keeps_what_it_does_not_name() {
        let draft = rotated(&Change::default()).unwrap();
        let expected = Root {
            root_version: 2,
            made: LATER.made,
            expires: LATER.expires,
            ..a_chain().newest().clone()
        };
        assert_eq!(draft.root(), &expected);
        let chain = finish(&draft, &[1, 2]).unwrap();
        assert_eq!(Chain::read(&chain.to_bytes().unwrap()), Ok(chain));
    }

    #[test]
    fn keys_come_and_go_with_a_rotation() {
        let (add, revoke) = (public(&[3, 11, 12]), [id(2), id(10)]);
        let change = Change {
            add: &add,
            revoke: &revoke,
            thresholds: &[(Role::NoticesAuthor, 2)],
            raise_epoch: true,
            ..Change::default()
        };
        let draft = rotated(&change).unwrap();
        assert_eq!((draft.root().epoch, draft.root().root_version), (2, 2));
        let listed = changes(Some(a_chain().newest()), draft.root());
        let author = listed.iter().find(|it| it.role == KeyRole::Of(Role::NoticesAuthor)).unwrap();
        let expected = SeatChange {
            role: author.role,
            threshold_before: Some(1),
            threshold: 2,
            kept: Vec::new(),
            added: vec![id(11), id(12)],
            revoked: vec![id(10)],
        };
        assert_eq!(author, &expected);
        let root = listed.iter().find(|it| it.role == KeyRole::Root).unwrap();
        assert_eq!((&root.added, &root.revoked), (&vec![id(3)], &vec![id(2)]));
        assert_eq!(root.kept, [id(0), id(1)]);
        assert!(finish(&draft, &[0, 1]).is_ok());
    }

    #[test]
    fn revoking_below_a_threshold_needs_a_successor_in_the_same_step() {
        let author = KeyRole::Of(Role::NoticesAuthor);
        let alone = rotated(&Change { revoke: &[id(10)], ..Change::default() });
        let few = CeremonyError::TooFewKeys { role: author, keys: 0, threshold: 1 };
        assert_eq!(alone, Err(few));
        let two = rotated(&Change { revoke: &[id(0), id(1)], ..Change::default() });
        let few = CeremonyError::TooFewKeys { role: KeyRole::Root, keys: 1, threshold: 2 };
        assert_eq!(two, Err(few));
        let nobody = rotated(&Change { revoke: &[id(9)], ..Change::default() });
        assert_eq!(nobody, Err(CeremonyError::NoSuchKey { id: id(9) }));
        let twice = rotated(&Change { revoke: &[id(0), id(0)], ..Change::default() });
        assert_eq!(twice, Err(CeremonyError::NoSuchKey { id: id(0) }));
        let again = rotated(&Change { add: &public(&[0]), ..Change::default() });
        assert_eq!(again, Err(CeremonyError::KeyTwice { id: id(0) }));
    }

    #[test]
    fn both_the_old_and_the_new_threshold_must_sign() {
        let add = public(&[3, 4]);
        let change = Change {
            add: &add,
            revoke: &[id(1), id(2)],
            root_threshold: Some(3),
            ..Change::default()
        };
        let draft = rotated(&change).unwrap();
        let few = |version, valid, needed| {
            Err(CeremonyError::TooFewSignatures { version, valid, needed })
        };
        assert_eq!(finish(&draft, &[]), few(1, 0, 2));
        assert_eq!(finish(&draft, &[0, 3, 4]), few(1, 1, 2));
        assert_eq!(finish(&draft, &[0, 1]), few(2, 1, 3));
        assert_eq!(finish(&draft, &[0, 1, 3]), few(2, 2, 3));
        assert!(finish(&draft, &[0, 1, 3, 4]).is_ok());
    }

    #[test]
    fn every_signature_is_by_a_key_that_was_asked_and_stands_once() {
        let draft = rotated(&Change::default()).unwrap();
        assert_eq!(finish(&draft, &[0, 0]), Err(CeremonyError::SignedTwice { id: id(0) }));
        assert_eq!(finish(&draft, &[0, 1, 5]), Err(CeremonyError::Stranger { id: id(5) }));
        let role = KeyRole::Of(Role::NoticesAuthor);
        assert_eq!(finish(&draft, &[0, 1, 10]), Err(CeremonyError::WrongRole { id: id(10), role }));
        let mut signatures = sign(&draft, &[0, 1, 2]);
        signatures[2].bytes[40] ^= 1;
        let bad = draft.finish(&signatures, Some(&a_chain()), LATER.made);
        assert_eq!(bad, Err(CeremonyError::BadSignature { id: id(2) }));
        let of_another = sign(&a_first(), &[0, 1]);
        let bad = draft.finish(&of_another, Some(&a_chain()), LATER.made);
        assert_eq!(bad, Err(CeremonyError::BadSignature { id: id(0) }));
    }

    #[test]
    fn a_key_signs_its_own_leaving_and_nothing_after() {
        let add = public(&[3]);
        let leaving = Change { add: &add, revoke: &[id(2)], ..Change::default() };
        let second = rotated(&leaving).unwrap();
        // A device counts it for the root before, so a planned change needs nobody else.
        let chain = finish(&second, &[0, 2, 3]).unwrap();
        let third = rotate(&chain, &Change::default(), LATER).unwrap();
        let finish =
            |numbers: &[u8]| third.finish(&sign(&third, numbers), Some(&chain), LATER.made);
        assert_eq!(finish(&[0, 1, 2]), Err(CeremonyError::SignedByRevoked { id: id(2) }));
        let refused = third.sign(&key(2), Some(&chain), LATER.made);
        assert_eq!(refused, Err(CeremonyError::SignedByRevoked { id: id(2) }));
        assert!(finish(&[0, 3]).is_ok());
        let back = rotate(&chain, &Change { add: &public(&[2]), ..Change::default() }, LATER);
        assert_eq!(back, Err(CeremonyError::Revived { id: id(2) }));
    }

    #[test]
    fn a_draft_follows_its_chain_in_version_epoch_purpose_and_time() {
        let check = |change: fn(&mut Root), expected: Result<(), CeremonyError>| {
            let draft = forged(change);
            assert_eq!(draft.check(Some(&a_chain()), LATER.made), expected);
            let signed = draft.sign(&key(0), Some(&a_chain()), LATER.made);
            assert_eq!(signed.map(|_| ()), expected);
            assert_eq!(finish(&draft, &[0, 1]).map(|_| ()), expected);
        };
        let version = |found| Err(CeremonyError::Version { found, expected: 2 });
        let epoch = |from, found| Err(CeremonyError::Epoch { from, found });
        let (real, demo) = (Purpose::Production, Purpose::Demo);
        check(|_| (), Ok(()));
        check(|root| root.root_version = 3, version(3));
        check(|root| root.root_version = 1, version(1));
        check(|root| root.epoch = 2, Ok(()));
        check(|root| root.epoch = 3, epoch(1, 3));
        check(|root| root.epoch = 0, epoch(1, 0));
        let purpose = CeremonyError::Purpose { from: demo, found: real };
        check(|root| root.purpose = Purpose::Production, Err(purpose));
        let clock = |made| Err(CeremonyError::Clock { made: day(made) });
        check(|root| root.made = NOW - 1, clock(NOW - 1));
        check(|root| root.made = LATER.made + MAX_AHEAD_SECONDS, Ok(()));
        check(
            |root| root.made = LATER.made + MAX_AHEAD_SECONDS + 1,
            clock(LATER.made + MAX_AHEAD_SECONDS + 1),
        );
        let expired = Err(CeremonyError::Expired { on: day(LATER.made) });
        check(|root| root.expires = LATER.made, expired);
    }

    #[test]
    fn a_first_root_follows_nothing_and_a_later_one_follows_its_chain() {
        let missing = rotated(&Change::default()).unwrap().check(None, LATER.made);
        assert_eq!(missing, Err(CeremonyError::FromMissing { version: 2 }));
        let version = CeremonyError::Version { found: 1, expected: 2 };
        assert_eq!(a_first().check(Some(&a_chain()), NOW), Err(version));
    }

    #[test]
    fn an_expired_root_gives_no_other() {
        let late = Term { made: TERM.expires, expires: TERM.expires + YEAR };
        let refused = rotate(&a_chain(), &Change::default(), late);
        let expired = CeremonyError::FromExpired { version: 1, on: day(TERM.expires) };
        assert_eq!(refused, Err(expired.clone()));
        // Nor one that was drafted while it was in force and is signed too late.
        let draft = rotated(&Change::default()).unwrap();
        let finished = draft.finish(&sign(&draft, &[0, 1]), Some(&a_chain()), TERM.expires);
        assert_eq!(finished, Err(expired));
    }

    #[test]
    fn an_emergency_root_has_fresh_keys_for_everything_and_the_next_epoch() {
        let draft = |numbers: &[u8]| {
            let keys = public(numbers);
            let team = Team { keys: &keys, root_threshold: 2, thresholds: &[] };
            emergency(&a_chain(), &team, LATER)
        };
        let sealed = draft(&[5, 6, 15, 25, 35]).unwrap();
        assert_eq!((sealed.root().epoch, sealed.root().root_version), (2, 2));
        assert!(finish(&sealed, &[0, 1, 5, 6]).is_ok());
        assert_eq!(draft(&[5, 0, 15, 25, 35]), Err(CeremonyError::NotFresh { id: id(0) }));
        assert_eq!(draft(&[5, 6, 15, 20, 35]), Err(CeremonyError::NotFresh { id: id(20) }));
        let missing = CeremonyError::RoleMissing { role: Role::Register };
        assert_eq!(draft(&[5, 6, 15, 25]), Err(missing));
    }

    #[test]
    fn a_broken_link_is_found_when_the_chain_is_read() {
        let two = finish(&rotated(&Change::default()).unwrap(), &[0, 1]).unwrap();
        let read = |change: fn(&mut Vec<SignedRoot>)| {
            let mut signed = two.signed.clone();
            change(&mut signed);
            Chain::read(&codec::encode(Kind::RootChain, &RootChain(signed)).unwrap())
        };
        assert_eq!(read(|_| ()), Ok(two.clone()));
        assert_eq!(read(Vec::clear), Err(CeremonyError::Empty));
        let version = CeremonyError::Version { found: 1, expected: 3 };
        assert_eq!(read(|signed| signed.reverse()), Err(version));
        let few = CeremonyError::TooFewSignatures { version: 1, valid: 1, needed: 2 };
        assert_eq!(read(|signed| signed[1].signatures.truncate(1)), Err(few));
        let changed = read(|signed| *signed[1].root.last_mut().unwrap() ^= 1);
        assert!(changed.is_err());
        assert!(matches!(Chain::read(b"no chain"), Err(CeremonyError::NoChain(_))));
        assert!(matches!(Draft::read(b"no draft"), Err(CeremonyError::NoDraft(_))));
    }

    #[test]
    fn a_carried_signature_names_its_draft() {
        let draft = a_first();
        let signature = draft.sign(&key(0), None, NOW).unwrap();
        let carried = CarriedSignature { draft: draft.hash(), signature: signature.clone() };
        let text = carried.to_text();
        assert_eq!(CarriedSignature::from_text(&text), Ok(carried.clone()));
        assert_eq!(carried.clone().of(&draft), Ok(signature));
        let other = rotated(&Change::default()).unwrap();
        assert_eq!(carried.of(&other), Err(CeremonyError::OtherDraft));
        for bad in
            ["", &text[..text.len() - 2], &text.replace("root ", "tree "), &(text.clone() + "x")]
        {
            assert_eq!(CarriedSignature::from_text(bad), Err(CeremonyError::NoSignature), "{bad}");
        }
    }

    #[test]
    fn a_key_that_is_not_asked_does_not_sign() {
        let sign = |number| a_first().sign(&key(number), None, NOW).map(|_| ());
        assert_eq!(sign(0), Ok(()));
        assert_eq!(sign(5), Err(CeremonyError::Stranger { id: id(5) }));
        let role = KeyRole::Of(Role::NoticesAuthor);
        assert_eq!(sign(10), Err(CeremonyError::WrongRole { id: id(10), role }));
    }

    /// A step that somebody may take: numbers of keys to add and to revoke, thresholds, who signs.
    #[derive(Clone, Debug)]
    struct Step {
        add: Vec<u8>,
        revoke: Vec<u8>,
        root_threshold: Option<u8>,
        author_threshold: Option<u8>,
        raise_epoch: bool,
        absent: Vec<u8>,
    }

    fn a_step() -> impl Strategy<Value = Step> {
        let keys = || prop::collection::vec(0..36_u8, 0..4);
        let threshold = || prop::option::weighted(0.3, 0..4_u8);
        (keys(), keys(), threshold(), threshold(), any::<bool>(), keys()).prop_map(
            |(add, revoke, root_threshold, author_threshold, raise_epoch, absent)| Step {
                add,
                revoke,
                root_threshold,
                author_threshold,
                raise_epoch,
                absent,
            },
        )
    }

    fn take(step: &Step, from: &Chain) -> Result<Chain, CeremonyError> {
        let add = public(&step.add);
        let named = |number: &u8| names(from.newest(), id(*number));
        let revoke: Vec<[u8; 8]> =
            step.revoke.iter().filter(|number| named(number)).map(|number| id(*number)).collect();
        let author = step.author_threshold.map(|threshold| (Role::NoticesAuthor, threshold));
        let change = Change {
            add: &add,
            revoke: &revoke,
            root_threshold: step.root_threshold,
            thresholds: author.as_slice(),
            raise_epoch: step.raise_epoch,
        };
        let draft = rotate(from, &change, LATER)?;
        let asked = |number: &u8| draft.may_sign(&key(*number).public(), Some(from)).is_ok();
        let signers: Vec<u8> =
            (0..10).filter(|number| asked(number) && !step.absent.contains(number)).collect();
        draft.finish(&sign(&draft, &signers), Some(from), LATER.made)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_is_finished_a_device_takes_from_every_root_before(
            steps in prop::collection::vec(a_step(), 1..6),
        ) {
            let mut chain = a_chain();
            for step in &steps {
                if let Ok(longer) = take(step, &chain) {
                    chain = longer;
                }
            }
            let bytes = chain.to_bytes().unwrap();
            prop_assert_eq!(Chain::read(&bytes), Ok(chain.clone()));
            for (_, root_hash, _) in chain.roots() {
                let trust = Trust { root_hash, ..trust() };
                let newest = verify_root_chain(&bytes, &trust);
                prop_assert_eq!(newest.map(|newest| newest.root).ok(), Some(chain.newest().clone()));
            }
        }
    }

    #[test]
    fn the_steps_of_the_property_do_get_somewhere() {
        let step = Step {
            add: vec![3, 11],
            revoke: vec![0, 10],
            root_threshold: Some(3),
            author_threshold: Some(1),
            raise_epoch: true,
            absent: Vec::new(),
        };
        let chain = take(&step, &a_chain()).unwrap();
        assert_eq!((chain.newest().root_version, chain.newest().root_keys.threshold), (2, 3));
    }
}
