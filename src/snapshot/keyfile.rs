//! One signing key in one file, sealed with a passphrase, and its public half in another.
//!
//! In real use each key lives with another person on an offline machine, so that no one of them
//! can make a list alone. What is carried between the machines is public: `NAME.pub`, drafts and
//! signatures. The private half never leaves its file but into memory, to sign, and is wiped there;
//! there is no way to print it.
//!
//! A key file is text of seven lines, and has one spelling:
//!
//! ```text
//! fieldcheck-key-v1
//! role notices-author
//! public 6f1c… (64 hexadecimal digits)
//! id 9a3b… (16)
//! argon2id 65536 3 1 (memory in KiB, passes, lanes)
//! salt 01d4… (32)
//! sealed 77e0… (96: the Ed25519 seed under ChaCha20-Poly1305, and the tag)
//! ```
//!
//! All lines before the last are bound to the seed as associated data, so that a file whose role,
//! key or cost was changed does not open.

use std::fmt;
use std::io;
use std::str::FromStr;

use chacha20poly1305::{AeadInOut as _, ChaCha20Poly1305, KeyInit as _};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use sync_format::v1::package::{self, Domain, Role, Signature};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use crate::keys::{ArgonCost, CostRefused, SALT_BYTES};

/// First line of a key file.
const HEADER: &str = "fieldcheck-key-v1";

/// Longest key file or public half that is worth reading, bytes: a real one has about 400.
pub const MAX_KEY_FILE_BYTES: u64 = 4 * 1024;

/// The seed and the tag of its cipher.
const SEALED_BYTES: usize = 32 + 16;

/// What a key is for: the root document itself, or one of the roles that it names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum KeyRole {
    /// Signs root documents, and nothing else.
    Root,
    /// Signs what the role signs.
    Of(Role),
}

impl KeyRole {
    /// Returns every role a key can be made for.
    pub fn all() -> impl Iterator<Item = KeyRole> {
        std::iter::once(KeyRole::Root).chain(Role::ALL.iter().copied().map(KeyRole::Of))
    }

    /// Returns the code used in text files and on the command line.
    pub const fn code(self) -> &'static str {
        match self {
            KeyRole::Root => "root",
            KeyRole::Of(role) => role.code(),
        }
    }
}

impl fmt::Display for KeyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// A word that is no role of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not the role of a key")]
pub struct UnknownRole;

impl FromStr for KeyRole {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<KeyRole, UnknownRole> {
        KeyRole::all().find(|role| role.code() == text).ok_or(UnknownRole)
    }
}

/// Why a key file, a public half or a passphrase is not taken. Nothing of a secret is repeated.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// A line is not what stands there in a key file.
    #[error("line {line} is not that of a key file; take the file as `keys create` wrote it")]
    Line {
        /// Which, from 1.
        line: usize,
    },
    /// Not `role key` on one line.
    #[error("this is no public key: one line with a role and 64 hexadecimal digits")]
    NotPublic,
    /// A public key of small order, under which a signature holds for almost any message, or no
    /// point of the curve.
    #[error("the public key is weak or no key at all; make another with `keys create`")]
    Weak,
    /// The cost of the passphrase lies outside of what is accepted.
    #[error("the key file was not written by this program")]
    Cost(#[from] CostRefused),
    /// The passphrase is another, or the file was changed since it was written.
    #[error("the passphrase is not that of this key, or the key file was changed")]
    Passphrase,
    /// Fewer characters than a passphrase must have.
    #[error("the passphrase has {chars} characters; it needs at least {}", Passphrase::MIN_CHARS)]
    Short {
        /// How many it has.
        chars: usize,
    },
    /// Longer than any passphrase is.
    #[error("the passphrase is longer than {} bytes", Passphrase::MAX_BYTES)]
    Long,
    /// Not text.
    #[error("the passphrase is no UTF-8 text, or holds control characters")]
    NotText,
    /// The passphrase could not be read.
    #[error("the passphrase could not be read")]
    Read(#[source] io::Error),
    /// No memory for the passphrase's cost.
    #[error("there is not enough memory to open a key")]
    Memory(#[source] io::Error),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    NoRandomness,
}

/// What seals a key file; wiped when dropped and never printed.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

impl PartialEq for Passphrase {
    /// Compares what the owner typed twice; nobody measures how long that takes.
    fn eq(&self, other: &Passphrase) -> bool {
        *self.0 == *other.0
    }
}

impl Passphrase {
    /// Fewest characters. Chosen: four words, or twelve random letters (56 bits), at 0.2 s a guess.
    pub const MIN_CHARS: usize = 12;
    /// Longest line that is read, bytes. Chosen.
    pub const MAX_BYTES: usize = 1024;

    /// Reads a passphrase from the first line of `reader`, byte by byte, so that nothing behind the
    /// line is taken. The line ends with LF, CRLF or the input.
    ///
    /// It is brought to the composed form (NFC): of "ế" one keyboard writes one character, another
    /// three, and the key must open on both.
    ///
    /// # Errors
    ///
    /// [`KeyFileError::Short`], [`KeyFileError::Long`], [`KeyFileError::NotText`] and
    /// [`KeyFileError::Read`].
    pub fn from_reader(mut reader: impl io::Read) -> Result<Passphrase, KeyFileError> {
        // Room for all of it, so that growing leaves no copy behind.
        let mut line = Zeroizing::new(Vec::with_capacity(Passphrase::MAX_BYTES + 1));
        let mut byte = Zeroizing::new([0_u8; 1]);
        loop {
            match reader.read(byte.as_mut_slice()) {
                Ok(0) => break,
                Ok(_) if byte[0] == b'\n' => break,
                Ok(_) => line.push(byte[0]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(KeyFileError::Read(error)),
            }
            if line.len() > Passphrase::MAX_BYTES {
                return Err(KeyFileError::Long);
            }
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        let text = std::str::from_utf8(&line).map_err(|_| KeyFileError::NotText)?;
        if text.chars().any(char::is_control) {
            return Err(KeyFileError::NotText);
        }
        // Composing makes no UTF-8 text more than three times as long (UAX 15, section 9).
        let mut composed = Zeroizing::new(String::with_capacity(3 * text.len()));
        composed.extend(text.nfc());
        let chars = composed.chars().count();
        if chars < Passphrase::MIN_CHARS {
            return Err(KeyFileError::Short { chars });
        }
        Ok(Passphrase(Zeroizing::new(composed.as_bytes().to_vec())))
    }
}

/// The public half of a key, with what it is for. It is a point of the curve and not weak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PublicKey {
    role: KeyRole,
    key: [u8; 32],
}

impl PublicKey {
    /// Returns the public key of a role.
    ///
    /// # Errors
    ///
    /// [`KeyFileError::Weak`].
    pub fn new(role: KeyRole, key: [u8; 32]) -> Result<PublicKey, KeyFileError> {
        if is_strong(&key) { Ok(PublicKey { role, key }) } else { Err(KeyFileError::Weak) }
    }

    /// Returns what the key is for.
    pub fn role(&self) -> KeyRole {
        self.role
    }

    /// Returns the key.
    pub fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// Returns the key's short name.
    pub fn id(&self) -> [u8; 8] {
        package::key_id(&self.key)
    }

    /// Writes the file `NAME.pub`.
    pub fn to_text(&self) -> String {
        format!("{} {}\n", self.role, hex(&self.key))
    }

    /// Reads what [`PublicKey::to_text`] wrote.
    ///
    /// # Errors
    ///
    /// [`KeyFileError::NotPublic`] and [`KeyFileError::Weak`].
    pub fn from_text(text: &str) -> Result<PublicKey, KeyFileError> {
        let read = || {
            let (role, key) = text.trim_end().split_once(' ')?;
            Some((role.parse().ok()?, unhex(key)?))
        };
        let (role, key) = read().ok_or(KeyFileError::NotPublic)?;
        PublicKey::new(role, key)
    }
}

/// Says whether this is a point of the curve under which not every message has a signature.
pub fn is_strong(key: &[u8; 32]) -> bool {
    VerifyingKey::from_bytes(key).is_ok_and(|key| !key.is_weak())
}

/// A key that signs. It is wiped when dropped and never printed.
pub struct PrivateKey {
    role: KeyRole,
    // On the heap, so that moving the key leaves no copy behind.
    key: Box<SigningKey>,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({}, {})", self.role, hex(&self.public().id()))
    }
}

impl PrivateKey {
    /// Draws a new key.
    ///
    /// # Errors
    ///
    /// [`KeyFileError::NoRandomness`].
    pub fn draw(role: KeyRole) -> Result<PrivateKey, KeyFileError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(|_| KeyFileError::NoRandomness)?;
        Ok(PrivateKey::from_seed(role, &seed))
    }

    /// Returns the key of a seed; the caller wipes its own copy.
    pub(super) fn from_seed(role: KeyRole, seed: &[u8; 32]) -> PrivateKey {
        PrivateKey { role, key: Box::new(SigningKey::from_bytes(seed)) }
    }

    /// Returns what the key is for.
    pub fn role(&self) -> KeyRole {
        self.role
    }

    /// Returns the public half.
    pub fn public(&self) -> PublicKey {
        PublicKey { role: self.role, key: self.key.verifying_key().to_bytes() }
    }

    /// Signs encoded bytes for one purpose. Whether this key may do so is for the caller to ask.
    pub fn sign(&self, domain: Domain, bytes: &[u8]) -> Signature {
        Signature {
            key_id: self.public().id(),
            bytes: self.key.sign(&package::signing_bytes(domain, bytes)).to_bytes(),
        }
    }

    /// Returns the key file that opens with this passphrase.
    ///
    /// # Errors
    ///
    /// [`KeyFileError::NoRandomness`] and [`KeyFileError::Memory`].
    pub fn seal(&self, passphrase: &Passphrase, cost: ArgonCost) -> Result<KeyFile, KeyFileError> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|_| KeyFileError::NoRandomness)?;
        let head = KeyHead { public: self.public(), cost, salt };
        let mut seed = Zeroizing::new(self.key.to_bytes());
        let tag = head
            .cipher(passphrase)?
            .encrypt_inout_detached(
                &NONCE.into(),
                head.to_text().as_bytes(),
                seed.as_mut_slice().into(),
            )
            .expect("32 bytes are far below the cipher's limit");
        let mut sealed = [0; SEALED_BYTES];
        sealed[..32].copy_from_slice(seed.as_slice());
        sealed[32..].copy_from_slice(&tag);
        Ok(KeyFile { head, sealed })
    }
}

/// The nonce of the cipher. Each key of the cipher comes from a salt of its own and seals one seed.
const NONCE: [u8; 12] = [0; 12];

/// What a key file says openly, and what the seed is bound to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct KeyHead {
    public: PublicKey,
    cost: ArgonCost,
    salt: [u8; SALT_BYTES],
}

impl KeyHead {
    fn to_text(self) -> String {
        let (memory_kib, passes, lanes) = self.cost.parts();
        format!(
            "{HEADER}\nrole {}\npublic {}\nid {}\nargon2id {memory_kib} {passes} {lanes}\nsalt {}\n",
            self.public.role,
            hex(&self.public.key),
            hex(&self.public.id()),
            hex(&self.salt),
        )
    }

    fn cipher(&self, passphrase: &Passphrase) -> Result<ChaCha20Poly1305, KeyFileError> {
        let key = self.cost.stretch(&passphrase.0, &self.salt).map_err(KeyFileError::Memory)?;
        Ok(ChaCha20Poly1305::new((&*key).into()))
    }
}

/// A key file; the private half in it is sealed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyFile {
    head: KeyHead,
    sealed: [u8; SEALED_BYTES],
}

impl KeyFile {
    /// Reads the text of a key file, whose cost lies between floor and ceiling.
    ///
    /// # Errors
    ///
    /// [`KeyFileError::Line`], [`KeyFileError::Weak`] and [`KeyFileError::Cost`].
    pub fn from_text(text: &str) -> Result<KeyFile, KeyFileError> {
        KeyFile::from_text_at_least(text, ArgonCost::FLOOR)
    }

    fn from_text_at_least(text: &str, lowest: ArgonCost) -> Result<KeyFile, KeyFileError> {
        let mut lines = text.lines().zip(1..);
        let mut next = |word: &str| match lines.next() {
            Some((text, line)) => match text.strip_prefix(word) {
                Some(rest) => Ok((rest, KeyFileError::Line { line })),
                None => Err(KeyFileError::Line { line }),
            },
            None => Err(KeyFileError::Line { line: text.lines().count() + 1 }),
        };
        next(HEADER)?;
        let (role, bad) = next("role ")?;
        let role = role.parse().map_err(|_| bad)?;
        let (key, bad) = next("public ")?;
        let key = unhex(key).ok_or(bad)?;
        next("id ")?;
        let (cost, bad) = next("argon2id ")?;
        let [memory_kib, passes, lanes] = three_numbers(cost).ok_or(bad)?;
        let (salt, bad) = next("salt ")?;
        let salt = unhex(salt).ok_or(bad)?;
        let (sealed, bad) = next("sealed ")?;
        let sealed = unhex(sealed).ok_or(bad)?;
        let public = PublicKey::new(role, key)?;
        let cost = ArgonCost::new_at_least(memory_kib, passes, lanes, lowest)?;
        let file = KeyFile { head: KeyHead { public, cost, salt }, sealed };
        // The seed is bound to the text, so the text has one spelling; this compares the id too.
        let spelt = file.to_text();
        if spelt == text {
            return Ok(file);
        }
        let same = spelt.split('\n').zip(text.split('\n')).take_while(|(a, b)| a == b).count();
        Err(KeyFileError::Line { line: same + 1 })
    }

    /// Writes the text of the file. It is secret as long as its passphrase can be guessed.
    pub fn to_text(&self) -> String {
        format!("{}sealed {}\n", self.head.to_text(), hex(&self.sealed))
    }

    /// Returns the public half.
    pub fn public(&self) -> &PublicKey {
        &self.head.public
    }

    /// Opens the private half.
    ///
    /// # Errors
    ///
    /// [`KeyFileError::Passphrase`] and [`KeyFileError::Memory`].
    pub fn open(&self, passphrase: &Passphrase) -> Result<PrivateKey, KeyFileError> {
        let mut seed = Zeroizing::new([0; 32]);
        let mut tag = [0; SEALED_BYTES - 32];
        seed.copy_from_slice(&self.sealed[..32]);
        tag.copy_from_slice(&self.sealed[32..]);
        self.head
            .cipher(passphrase)?
            .decrypt_inout_detached(
                &NONCE.into(),
                self.head.to_text().as_bytes(),
                seed.as_mut_slice().into(),
                &tag.into(),
            )
            .map_err(|_| KeyFileError::Passphrase)?;
        let key = PrivateKey::from_seed(self.head.public.role, &seed);
        // Bound together by the cipher; another program may have bound what does not belong together.
        if key.public() == self.head.public { Ok(key) } else { Err(KeyFileError::Passphrase) }
    }
}

fn three_numbers(text: &str) -> Option<[u32; 3]> {
    let mut numbers = text.split(' ').map(|number| number.parse().ok());
    let three = [numbers.next()??, numbers.next()??, numbers.next()??];
    numbers.next().is_none().then_some(three)
}

/// Writes bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads exactly `N` bytes of lower-case hexadecimal digits.
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use sync_format::v1::package::signing_bytes;

    use super::*;

    const SMALL: ArgonCost = ArgonCost::smallest_for_tests();

    fn a_passphrase() -> Passphrase {
        Passphrase::from_reader("sông Hồng mùa nước nổi\n".as_bytes()).unwrap()
    }

    fn an_author() -> PrivateKey {
        PrivateKey::from_seed(KeyRole::Of(Role::NoticesAuthor), &[7; 32])
    }

    fn read(text: &str) -> Result<KeyFile, KeyFileError> {
        KeyFile::from_text_at_least(text, SMALL)
    }

    #[test]
    fn a_key_comes_back_from_its_file_by_its_passphrase_alone() {
        for role in KeyRole::all() {
            let key = PrivateKey::draw(role).unwrap();
            let text = key.seal(&a_passphrase(), SMALL).unwrap().to_text();
            let file = read(&text).unwrap();
            assert_eq!(file.public(), &key.public());
            let again = file.open(&a_passphrase()).unwrap();
            assert_eq!((again.role(), again.public()), (role, key.public()));
            let other = Passphrase::from_reader(&b"another passphrase"[..]).unwrap();
            assert!(matches!(file.open(&other), Err(KeyFileError::Passphrase)));
        }
    }

    #[test]
    fn the_same_key_is_sealed_differently_every_time() {
        let seal = || an_author().seal(&a_passphrase(), SMALL).unwrap();
        let (one, other) = (seal(), seal());
        assert_ne!(one.head.salt, other.head.salt);
        assert_ne!(one.sealed, other.sealed);
    }

    #[test]
    fn a_file_that_was_changed_anywhere_does_not_open() {
        let text = an_author().seal(&a_passphrase(), SMALL).unwrap().to_text();
        for at in 0..text.len() {
            for flip in [0x01, 0x02, 0x20] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= flip;
                let Ok(changed) = String::from_utf8(bytes) else { continue };
                let opened = read(&changed).and_then(|file| file.open(&a_passphrase()));
                assert!(opened.is_err(), "byte {at}");
            }
        }
        for cut in 0..text.len() {
            assert!(read(&text[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn role_key_and_cost_are_bound_to_the_seed() {
        let file = an_author().seal(&a_passphrase(), SMALL).unwrap();
        let mut as_approver = file.clone();
        as_approver.head.public.role = KeyRole::Of(Role::NoticesApprover);
        let mut of_another = file.clone();
        of_another.head.public.key = PrivateKey::from_seed(KeyRole::Root, &[8; 32]).public().key;
        let mut dearer = file.clone();
        dearer.head.cost = ArgonCost::new_at_least(16, 1, 1, SMALL).unwrap();
        for changed in [as_approver, of_another, dearer] {
            let changed = read(&changed.to_text()).unwrap();
            assert!(matches!(changed.open(&a_passphrase()), Err(KeyFileError::Passphrase)));
        }
    }

    #[test]
    fn a_cost_below_the_floor_or_above_the_ceiling_is_refused_before_it_is_paid() {
        let text = an_author().seal(&a_passphrase(), SMALL).unwrap().to_text();
        assert!(matches!(KeyFile::from_text(&text), Err(KeyFileError::Cost(_))));
        let with = |cost: &str| KeyFile::from_text(&text.replace("argon2id 8 1 1", cost));
        assert!(with("argon2id 65536 3 1").is_ok());
        for cost in ["65535 3 1", "65536 2 1", "524289 3 1", "65536 17 1", "4294967295 3 1"] {
            let refused = with(&format!("argon2id {cost}"));
            assert!(matches!(refused, Err(KeyFileError::Cost(_))), "{cost}");
        }
    }

    #[test]
    fn what_is_no_key_file_is_refused_by_its_line() {
        let text = an_author().seal(&a_passphrase(), SMALL).unwrap().to_text();
        let line_of = |text: &str| match read(text) {
            Err(KeyFileError::Line { line }) => line,
            other => panic!("{other:?}"),
        };
        let with = |line: usize, new: &str| {
            let mut lines: Vec<&str> = text.lines().collect();
            lines[line - 1] = new;
            line_of(&(lines.join("\n") + "\n"))
        };
        assert_eq!(line_of(""), 1);
        assert_eq!(with(1, "fieldcheck-key-v2"), 1);
        assert_eq!(with(2, "role nobody"), 2);
        assert_eq!(with(3, "public 00"), 3);
        assert_eq!(with(4, "id 0000000000000000"), 4);
        assert_eq!(with(5, "argon2id 8 1"), 5);
        assert_eq!(with(5, "argon2id 8 1 1 1"), 5);
        assert_eq!(with(5, "argon2id 8 1 +1"), 5);
        assert_eq!(with(6, "salt "), 6);
        assert_eq!(with(7, "sealed"), 7);
        assert_eq!(line_of(&text.replace('\n', "\r\n")), 1);
        assert_eq!(line_of(&format!("{text}more\n")), 8);
        let upper = text.lines().nth(2).unwrap().replace("public ", "").to_uppercase();
        assert_eq!(with(3, &format!("public {upper}")), 3);
    }

    #[test]
    fn the_public_half_comes_back_from_its_text_and_nothing_else_does() {
        let public = an_author().public();
        assert_eq!(PublicKey::from_text(&public.to_text()).unwrap(), public);
        let key = hex(public.key());
        for text in ["", &key, &format!("nobody {key}"), &format!("root {key}0"), "root 00"] {
            assert!(matches!(PublicKey::from_text(text), Err(KeyFileError::NotPublic)), "{text}");
        }
    }

    #[test]
    fn weak_keys_are_no_keys() {
        // Points of small order (their list: Brendel and others, "The Provable Security of Ed25519",
        // table 3), and bytes that are no point.
        let one = [&[1][..], &[0; 31]].concat();
        let minus_one = [&[0xec][..], &[0xff; 30], &[0x7f]].concat();
        let of_order_8 = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";
        let of_order_8: [u8; 32] = unhex(of_order_8).unwrap();
        for weak in [&[0; 32][..], &one, &minus_one, &of_order_8, &[2; 32]] {
            let text = format!("root {}", hex(weak));
            assert!(matches!(PublicKey::from_text(&text), Err(KeyFileError::Weak)), "{text}");
        }
    }

    #[test]
    fn a_passphrase_has_twelve_characters_and_stands_on_the_first_line() {
        let read = |text: &str| Passphrase::from_reader(text.as_bytes());
        assert!(matches!(read("eleven char"), Err(KeyFileError::Short { chars: 11 })));
        assert!(matches!(read("\ntwelve chars"), Err(KeyFileError::Short { chars: 0 })));
        assert!(matches!(read("tab\tis no character"), Err(KeyFileError::NotText)));
        assert!(matches!(read(&"x".repeat(1025)), Err(KeyFileError::Long)));
        assert!(read(&"x".repeat(1024)).is_ok());
        let invalid = Passphrase::from_reader(&b"\xff is no text at all"[..]);
        assert!(matches!(invalid, Err(KeyFileError::NotText)));
        let one = read("twelve chars").unwrap();
        for same in ["twelve chars\n", "twelve chars\r\n", "twelve chars\nand more"] {
            assert!(read(same).unwrap() == one, "{same:?}");
        }
        assert!(read("twelve  chars").unwrap() != one);
    }

    #[test]
    fn a_passphrase_is_the_same_from_every_keyboard() {
        let composed = Passphrase::from_reader("n\u{1ebf}p c\u{1ea9}m x\u{f4}i".as_bytes());
        assert!(matches!(composed, Err(KeyFileError::Short { chars: 11 })));
        let read = |text: &str| Passphrase::from_reader(text.as_bytes()).unwrap();
        let composed = read("n\u{1ebf}p c\u{1ea9}m xanh");
        assert!(composed == read("ne\u{302}\u{301}p ca\u{302}\u{309}m xanh"));
    }

    #[test]
    fn a_signature_holds_for_its_purpose_alone() {
        let key = an_author();
        let signature = key.sign(Domain::Manifest, b"bytes");
        assert_eq!(signature.key_id, key.public().id());
        let public = VerifyingKey::from_bytes(key.public().key()).unwrap();
        let bytes = ed25519_dalek::Signature::from_bytes(&signature.bytes);
        let holds = |domain| public.verify_strict(&signing_bytes(domain, b"bytes"), &bytes).is_ok();
        assert!(holds(Domain::Manifest));
        assert!(!holds(Domain::Root));
    }

    #[test]
    fn secrets_do_not_show_themselves() {
        let key = an_author();
        let id = hex(&key.public().id());
        assert_eq!(format!("{key:?}"), format!("PrivateKey(notices-author, {id})"));
        assert_eq!(format!("{:?}", a_passphrase()), "Passphrase(..)");
    }
}
