//! Headquarters' signing keys and the root document that names them.
//!
//! For the demonstration and the tests one [`Keyring`] holds every role's key, which is named as
//! what it is: in real use each key lives with another person on an offline machine.

use ed25519_dalek::{Signer as _, SigningKey};
use sync_format::codec::{self, Kind};
use sync_format::v1::package::{
    self, Domain, KeySet, Purpose, Role, RoleKeys, Root, RootChain, Signature, SignedRoot, sha256,
};
use zeroize::Zeroizing;

use super::build::BuildError;

/// Signing keys by role; private parts are zeroised when dropped and never printed.
pub struct Keyring {
    root: Vec<SigningKey>,
    roles: Vec<(Role, SigningKey)>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keyring({} root keys, {} role keys)", self.root.len(), self.roles.len())
    }
}

/// How many keys sign a root document made by [`Keyring::generate`], and how many are needed.
const ROOT_KEYS: (usize, u8) = (3, 2);

/// The roles that a new keyring gets a key for.
const ROLES: [Role; 5] =
    [Role::NoticesAuthor, Role::NoticesApprover, Role::Register, Role::Anchors, Role::Release];

/// Why a keyring could not be read.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// A line is not `role hex`.
    #[error("line {line} is not a role and a key of 64 hexadecimal digits")]
    Line {
        /// Which, from 1.
        line: usize,
    },
    /// No root key, or a role without one.
    #[error("the keyring has no key for {0}")]
    Missing(&'static str),
}

impl Keyring {
    /// Draws new keys: three for the root, one for each role of today.
    pub fn generate() -> Result<Keyring, BuildError> {
        let mut root = Vec::new();
        for _ in 0..ROOT_KEYS.0 {
            root.push(draw_key()?);
        }
        let mut roles = Vec::new();
        for role in ROLES {
            roles.push((role, draw_key()?));
        }
        Ok(Keyring { root, roles })
    }

    /// Derives keys from a number: simulated, the same at every call, for tests and demonstrations.
    pub fn simulated(seed: u64) -> Keyring {
        let key = |what: &str, index: usize| {
            let text = format!("fieldcheck simulated key {seed} {what} {index}");
            SigningKey::from_bytes(&sha256(text.as_bytes()))
        };
        Keyring {
            root: (0..ROOT_KEYS.0).map(|index| key("root", index)).collect(),
            roles: ROLES.iter().map(|role| (*role, key(role.code(), 0))).collect(),
        }
    }

    /// Writes the private keys as lines `role hex`: only ever into a file that its owner alone reads.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::new());
        let all = self
            .root
            .iter()
            .map(|key| ("root", key))
            .chain(self.roles.iter().map(|(role, key)| (role.code(), key)));
        for (word, key) in all {
            text.push_str(word);
            text.push(' ');
            for byte in key.to_bytes() {
                for nibble in [byte >> 4, byte & 15] {
                    text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
                }
            }
            text.push('\n');
        }
        text
    }

    /// Reads what [`Keyring::to_text`] wrote.
    pub fn from_text(text: &str) -> Result<Keyring, KeyringError> {
        let mut keyring = Keyring { root: Vec::new(), roles: Vec::new() };
        for (at, line) in text.lines().enumerate() {
            let bad = || KeyringError::Line { line: at + 1 };
            let (word, hex) = line.split_once(' ').ok_or_else(bad)?;
            let key = SigningKey::from_bytes(&*parse_hex(hex).ok_or_else(bad)?);
            if word == "root" {
                keyring.root.push(key);
            } else {
                let role = ROLES.into_iter().find(|role| role.code() == word);
                keyring.roles.push((role.ok_or_else(bad)?, key));
            }
        }
        if keyring.root.len() < usize::from(ROOT_KEYS.1) {
            return Err(KeyringError::Missing("the root"));
        }
        for role in ROLES {
            if !keyring.roles.iter().any(|(held, _)| *held == role) {
                return Err(KeyringError::Missing(role.code()));
            }
        }
        Ok(keyring)
    }

    /// Returns the encoded first root document for these keys.
    ///
    /// `made` and `expires` are in seconds since 1970 UTC.
    pub fn root(
        &self,
        purpose: Purpose,
        epoch: u32,
        made: i64,
        expires: i64,
    ) -> Result<Vec<u8>, BuildError> {
        let root = self.root_document(purpose, epoch, 1, made, expires);
        root.validate().map_err(|_| BuildError::Root)?;
        Ok(codec::encode(Kind::Root, &root)?)
    }

    fn root_document(
        &self,
        purpose: Purpose,
        epoch: u32,
        root_version: u32,
        made: i64,
        expires: i64,
    ) -> Root {
        Root {
            purpose,
            epoch,
            root_version,
            made,
            expires,
            root_keys: KeySet {
                threshold: ROOT_KEYS.1,
                keys: self.root.iter().map(|key| key.verifying_key().to_bytes()).collect(),
            },
            roles: ROLES
                .iter()
                .map(|role| RoleKeys {
                    role: *role,
                    keys: KeySet { threshold: 1, keys: self.public_keys(*role) },
                })
                .collect(),
        }
    }

    /// Returns the encoded chain of one root document, signed by all root keys.
    pub fn sign_root(&self, root: Vec<u8>) -> Result<Vec<u8>, BuildError> {
        Ok(codec::encode(Kind::RootChain, &RootChain(vec![self.signed_root(root)]))?)
    }

    /// Returns the root document with the signatures of all root keys.
    pub fn signed_root(&self, root: Vec<u8>) -> SignedRoot {
        let signatures = self.root.iter().map(|key| sign(key, Domain::Root, &root)).collect();
        SignedRoot { root, signatures }
    }

    /// Returns `chain` with a root document more, which hands over from these keys to those of
    /// `next` and is signed by both.
    pub fn rotate(
        &self,
        chain: &[u8],
        next: &Keyring,
        epoch: u32,
        made: i64,
        expires: i64,
    ) -> Result<Vec<u8>, BuildError> {
        let RootChain(mut chain) =
            codec::decode(Kind::RootChain, chain).map_err(|_| BuildError::Root)?;
        let newest = chain.last().ok_or(BuildError::Root)?;
        let newest: Root = codec::decode(Kind::Root, &newest.root).map_err(|_| BuildError::Root)?;
        let version = newest.root_version.checked_add(1).ok_or(BuildError::Root)?;
        let root = next.root_document(newest.purpose, epoch, version, made, expires);
        root.validate().map_err(|_| BuildError::Root)?;
        let mut signed = next.signed_root(codec::encode(Kind::Root, &root)?);
        for signature in self.signed_root(signed.root.clone()).signatures {
            if !signed.signatures.contains(&signature) {
                signed.signatures.push(signature);
            }
        }
        chain.push(signed);
        Ok(codec::encode(Kind::RootChain, &RootChain(chain))?)
    }

    /// Signs a manifest with every key of `role`.
    pub fn sign_manifest(&self, role: Role, manifest: &[u8]) -> Vec<Signature> {
        self.sign_as(role, Domain::Manifest, manifest)
    }

    /// Signs encoded bytes with every key of `role`.
    pub fn sign_as(&self, role: Role, domain: Domain, bytes: &[u8]) -> Vec<Signature> {
        self.roles
            .iter()
            .filter(|(held, _)| *held == role)
            .map(|(_, key)| sign(key, domain, bytes))
            .collect()
    }

    /// Returns the public keys of `role`.
    pub fn public_keys(&self, role: Role) -> Vec<[u8; 32]> {
        self.roles
            .iter()
            .filter(|(held, _)| *held == role)
            .map(|(_, key)| key.verifying_key().to_bytes())
            .collect()
    }
}

fn sign(key: &SigningKey, domain: Domain, bytes: &[u8]) -> Signature {
    Signature {
        key_id: package::key_id(&key.verifying_key().to_bytes()),
        bytes: key.sign(&package::signing_bytes(domain, bytes)).to_bytes(),
    }
}

fn draw_key() -> Result<SigningKey, BuildError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(|_| BuildError::NoRandomness)?;
    Ok(SigningKey::from_bytes(&seed))
}

fn parse_hex(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let text = text.trim().as_bytes();
    if text.len() != 64 {
        return None;
    }
    let mut key = Zeroizing::new([0; 32]);
    for (byte, pair) in key.iter_mut().zip(text.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = (high << 4 | low) as u8;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_from_their_text() {
        let keyring = Keyring::generate().unwrap();
        let again = Keyring::from_text(&keyring.to_text()).unwrap();
        let root = |keyring: &Keyring| keyring.root(Purpose::Demo, 1, 8, 9).unwrap();
        assert_eq!(root(&again), root(&keyring));
        assert_eq!(*again.to_text(), *keyring.to_text());
    }

    #[test]
    fn drawn_keys_differ_and_simulated_ones_are_the_same_at_every_call() {
        let text = |keyring: &Keyring| keyring.to_text().to_string();
        let drawn = text(&Keyring::generate().unwrap());
        assert_ne!(drawn, text(&Keyring::generate().unwrap()));
        let mut lines: Vec<&str> = drawn.lines().collect();
        assert_eq!(lines.len(), 8);
        lines.sort_by_key(|line| line.split_once(' ').map(|(_, key)| key));
        lines.dedup_by_key(|line| line.split_once(' ').map(|(_, key)| key));
        assert_eq!(lines.len(), 8, "every key is another");
        assert_eq!(text(&Keyring::simulated(3)), text(&Keyring::simulated(3)));
        assert_ne!(text(&Keyring::simulated(3)), text(&Keyring::simulated(4)));
    }

    #[test]
    fn a_role_may_have_several_keys_and_all_of_them_sign() {
        let (first, second) = (Keyring::simulated(1), Keyring::simulated(2));
        let author = second.to_text();
        let author = author.lines().find(|line| line.starts_with("notices-author ")).unwrap();
        let both = Keyring::from_text(&format!("{}{author}\n", first.to_text().as_str())).unwrap();
        assert_eq!(both.public_keys(Role::NoticesAuthor).len(), 2);
        assert_eq!(both.sign_manifest(Role::NoticesAuthor, b"manifest").len(), 2);
        assert_eq!(both.sign_manifest(Role::Register, b"manifest").len(), 1);
    }

    #[test]
    fn what_is_no_keyring_is_refused_for_its_reason() {
        let text = Keyring::simulated(1).to_text();
        let broken = |line: usize, new: &str| {
            let mut lines: Vec<&str> = text.lines().collect();
            lines[line - 1] = new;
            lines.join("\n")
        };
        let line_of = |text: &str| match Keyring::from_text(text) {
            Err(KeyringError::Line { line }) => Some(line),
            _ => None,
        };
        assert_eq!(line_of(&broken(2, "root")), Some(2));
        assert_eq!(line_of(&broken(3, &format!("root {}", "0".repeat(63)))), Some(3));
        assert_eq!(line_of(&broken(4, &format!("notices-author {}", "g".repeat(64)))), Some(4));
        assert_eq!(line_of(&broken(5, &format!("nobody {}", "0".repeat(64)))), Some(5));

        let without = |word: &str| {
            let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with(word)).collect();
            Keyring::from_text(&lines.join("\n"))
        };
        assert!(matches!(without("root"), Err(KeyringError::Missing("the root"))));
        assert!(matches!(without("register"), Err(KeyringError::Missing("register"))));
    }

    #[test]
    fn an_author_who_approves_gets_no_root() {
        let text = Keyring::simulated(1).to_text();
        let author = text.lines().find(|line| line.starts_with("notices-author ")).unwrap();
        let both = author.replace("notices-author", "notices-approver");
        let text = format!("{}{both}\n", text.as_str());
        let refused = Keyring::from_text(&text).unwrap().root(Purpose::Demo, 1, 8, 9);
        assert!(matches!(refused, Err(BuildError::Root)), "{refused:?}");
    }

    #[test]
    fn keys_do_not_show_themselves() {
        assert_eq!(format!("{:?}", Keyring::simulated(1)), "Keyring(3 root keys, 5 role keys)");
    }
}
