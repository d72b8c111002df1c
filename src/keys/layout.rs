//! The bytes of a vault, and what must agree before they are believed.
//!
//! A vault in use has 399 bytes, little-endian:
//!
//! | from | bytes | field |
//! |---|---|---|
//! | 0 | 8 | `"FCVAULT\n"` |
//! | 8 | 1 | version: 2 |
//! | 9 | 1 | state: 1 in use, 2 erased |
//! | 10 | 16 | identity of this vault, random |
//! | 26 | 32 | fingerprint of the device's public key |
//! | 58 | 12 | Argon2id memory (KiB), passes, lanes |
//! | 70 | 89 | slot 1, officers: kind 1, salt 16, nonce 24, sealed vault key 48 |
//! | 159 | 89 | slot 2, the commander's: its place; zero bytes in this version |
//! | 248 | 39 | floor: notices, register, anchors: present (0 or 1) 1, epoch 4, version 8 |
//! | 287 | 8 | the attempt counter's generation at the last unlocking |
//! | 295 | 72 | nonce 24, sealed state key 48 |
//! | 367 | 32 | the device's mark: HMAC under the device key over everything before it |
//!
//! A slot seals the *vault key* under the key that comes of its PIN, and the vault key seals the
//! *state key* with everything before it as associated data. So the floor can be raised, and a slot
//! be added, by who holds the vault unlocked, without the PINs of the others; and no part can be
//! exchanged for that of an older copy.
//!
//! The device's mark adds a clear answer: a damaged file is told from a wrong PIN, and costs no try.
//! An erased vault keeps its first 58 bytes; the rest is zero.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::cost::{ArgonCost, CostRefused, SALT_BYTES};
use super::device_key::{DeviceKey, DeviceKeyError, is_same_mark, labelled_hmac};
use super::pin::Pin;
use super::secret::{NONCE_BYTES, SEALED_BYTES, SecretKey, random_bytes};
use super::vault::UnlockError;

/// Length of a vault's file.
pub(super) const VAULT_BYTES: usize = 399;

const MAGIC: [u8; 8] = *b"FCVAULT\n";
/// Of the vault. Version 1 had no floor of the anchors; no device was in use when it rose.
const VERSION: u8 = 2;
const IN_USE: u8 = 1;
const ERASED: u8 = 2;
const OFFICERS: u8 = 1;
const SLOT_BYTES: usize = 1 + SALT_BYTES + NONCE_BYTES + SEALED_BYTES;

const PIN_LABEL: &[u8] = b"fieldcheck-vault-pin-v1\0";
const SLOT_LABEL: &[u8] = b"fieldcheck-vault-slot-v1\0";
const STATE_LABEL: &[u8] = b"fieldcheck-vault-state-v1\0";
const MARK_LABEL: &[u8] = b"fieldcheck-vault-mark-v1\0";

/// The lowest (epoch, version) of each dataset that this device may use; `None` where it never
/// had one. It lies under the vault's seal and only rises.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Floor {
    /// Epoch and version of the notices.
    pub notices: Option<(u32, u64)>,
    /// Epoch and version of the register.
    pub register: Option<(u32, u64)>,
    /// Epoch and version of the anchors.
    pub anchors: Option<(u32, u64)>,
}

impl Floor {
    /// Returns this floor with what `other` says in the place of it, dataset by dataset.
    pub(super) fn with(self, other: Floor) -> Floor {
        Floor {
            notices: other.notices.or(self.notices),
            register: other.register.or(self.register),
            anchors: other.anchors.or(self.anchors),
        }
    }

    /// Whether any dataset would fall below `other`.
    pub fn is_below(self, other: Floor) -> bool {
        self.notices < other.notices
            || self.register < other.register
            || self.anchors < other.anchors
    }
}

/// What is wrong with the files of a vault. Nobody can mend it; the device must be enrolled anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Damage {
    /// The vault is cut short or has something behind it.
    #[error("the vault's file has another length than {VAULT_BYTES} bytes")]
    Length,
    /// The file is no vault.
    #[error("the file is no vault")]
    NotAVault,
    /// The vault was written by a newer program, or by one from before the first release.
    #[error("the vault has version {found}, this program knows version {VERSION}")]
    Version {
        /// The version found.
        found: u8,
    },
    /// A field holds what it never may.
    #[error("the vault's {field} is malformed")]
    Field {
        /// Which field.
        field: &'static str,
    },
    /// The cost of a guess was lowered, or raised beyond reason.
    #[error(transparent)]
    Cost(CostRefused),
    /// The vault does not carry this device's mark: somebody else has written to it.
    #[error("the vault does not carry this device's mark")]
    Mark,
    /// Floor, slots and state key do not belong together.
    #[error("the parts of the vault do not belong together")]
    Seal,
    /// The file of the attempt counter is gone.
    #[error("the attempt counter is missing")]
    AttemptsMissing,
    /// The file of the attempt counter holds no counter.
    #[error("the attempt counter is unreadable")]
    AttemptsUnreadable,
    /// The attempt counter does not carry this device's mark, or counts for another vault.
    #[error("the attempt counter was not written by this device for this vault")]
    AttemptsForged,
    /// The attempt counter is older than one that this device has used already.
    #[error("the attempt counter was set back from {expected} to {found}")]
    AttemptsSetBack {
        /// The generation found.
        found: u64,
        /// The least that it can be.
        expected: u64,
    },
}

/// What stands in a vault's file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum VaultFile {
    /// A vault that a PIN opens.
    InUse(Box<Contents>),
    /// A vault whose slots are gone.
    Erased,
}

/// A vault in use. Decoded does not mean authentic: see [`has_mark`] and [`Contents::open_state`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Contents {
    pub id: [u8; 16],
    pub fingerprint: [u8; 32],
    pub cost: ArgonCost,
    pub floor: Floor,
    pub attempts_seen: u64,
    officers: Slot,
    state: Sealed,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Slot {
    salt: [u8; SALT_BYTES],
    vault_key: Sealed,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Sealed {
    nonce: [u8; NONCE_BYTES],
    bytes: [u8; SEALED_BYTES],
}

impl Contents {
    /// Makes the contents of a new vault: a slot for `pin`, and `state_key` under `vault_key`.
    pub(super) fn new(
        device_key: &dyn DeviceKey,
        pin: &Pin,
        cost: ArgonCost,
        vault_key: &SecretKey,
        state_key: &SecretKey,
    ) -> Result<Contents, UnlockError> {
        let blank = Sealed { nonce: [0; NONCE_BYTES], bytes: [0; SEALED_BYTES] };
        let mut contents = Contents {
            id: random_bytes()?,
            fingerprint: super::fingerprint(&device_key.public_key()),
            cost,
            floor: Floor::default(),
            attempts_seen: 0,
            officers: Slot { salt: [0; SALT_BYTES], vault_key: blank.clone() },
            state: blank,
        };
        contents.set_pin(pin, device_key, vault_key)?;
        contents.seal_state(state_key, vault_key)?;
        Ok(contents)
    }

    /// Gives the officers' slot another PIN. The state key must be sealed anew after this.
    pub(super) fn set_pin(
        &mut self,
        pin: &Pin,
        device_key: &dyn DeviceKey,
        vault_key: &SecretKey,
    ) -> Result<(), UnlockError> {
        let (salt, nonce) = (random_bytes()?, random_bytes()?);
        let slot_key = self.slot_key(pin, &salt, device_key)?;
        let bytes = slot_key.seal(&nonce, &self.slot_context(&salt), vault_key);
        self.officers = Slot { salt, vault_key: Sealed { nonce, bytes } };
        Ok(())
    }

    /// Opens the officers' slot and returns the vault key; `None` when the PIN is another.
    pub(super) fn open_slot(
        &self,
        pin: &Pin,
        device_key: &dyn DeviceKey,
    ) -> Result<Option<SecretKey>, UnlockError> {
        let Slot { salt, vault_key } = &self.officers;
        let slot_key = self.slot_key(pin, salt, device_key)?;
        Ok(slot_key.open(&vault_key.nonce, &self.slot_context(salt), &vault_key.bytes))
    }

    /// Seals `state_key` together with everything else in the vault.
    pub(super) fn seal_state(
        &mut self,
        state_key: &SecretKey,
        vault_key: &SecretKey,
    ) -> Result<(), UnlockError> {
        let nonce = random_bytes()?;
        let bytes = vault_key.seal(&nonce, &self.state_context(), state_key);
        self.state = Sealed { nonce, bytes };
        Ok(())
    }

    /// Opens the state key. `Ok` proves that header, slots and floor are those it was sealed with.
    pub(super) fn open_state(&self, vault_key: &SecretKey) -> Result<SecretKey, Damage> {
        vault_key
            .open(&self.state.nonce, &self.state_context(), &self.state.bytes)
            .ok_or(Damage::Seal)
    }

    /// Returns the vault's file, with the device's mark.
    pub(super) fn encode(&self, device_key: &dyn DeviceKey) -> Result<Vec<u8>, DeviceKeyError> {
        let mut bytes = self.before_state();
        bytes.extend_from_slice(&self.state.nonce);
        bytes.extend_from_slice(&self.state.bytes);
        let mark = labelled_hmac(device_key, MARK_LABEL, &bytes)?;
        bytes.extend_from_slice(mark.as_slice());
        Ok(bytes)
    }

    /// Returns the file of this vault with its slots erased.
    pub(super) fn encode_erased(&self) -> Vec<u8> {
        let mut bytes = self.header();
        bytes[MAGIC.len() + 1] = ERASED;
        bytes.truncate(bytes.len() - 12);
        bytes.resize(VAULT_BYTES, 0);
        bytes
    }

    /// Derives the key of a slot: HKDF over the device key's answer to the stretched PIN.
    fn slot_key(
        &self,
        pin: &Pin,
        salt: &[u8; SALT_BYTES],
        device_key: &dyn DeviceKey,
    ) -> Result<SecretKey, UnlockError> {
        let stretched = self.cost.stretch(pin.expose(), salt)?;
        let bound = labelled_hmac(device_key, PIN_LABEL, stretched.as_slice())?;
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, bound.as_slice())
            .expand_multi_info(&[SLOT_LABEL, &[OFFICERS]], key.as_mut_slice())
            .expect("32 bytes are one block of HKDF-SHA-256");
        Ok(key.into())
    }

    fn slot_context(&self, salt: &[u8; SALT_BYTES]) -> Vec<u8> {
        [SLOT_LABEL, &self.header(), &[OFFICERS], salt].concat()
    }

    fn state_context(&self) -> Vec<u8> {
        [STATE_LABEL, &self.before_state()].concat()
    }

    fn header(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(VAULT_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[VERSION, IN_USE]);
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(&self.fingerprint);
        bytes.extend_from_slice(&self.cost.to_bytes());
        bytes
    }

    fn before_state(&self) -> Vec<u8> {
        let mut bytes = self.header();
        bytes.push(OFFICERS);
        bytes.extend_from_slice(&self.officers.salt);
        bytes.extend_from_slice(&self.officers.vault_key.nonce);
        bytes.extend_from_slice(&self.officers.vault_key.bytes);
        bytes.extend_from_slice(&[0; SLOT_BYTES]);
        for version in [self.floor.notices, self.floor.register, self.floor.anchors] {
            let (epoch, number) = version.unwrap_or_default();
            bytes.push(u8::from(version.is_some()));
            bytes.extend_from_slice(&epoch.to_le_bytes());
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&self.attempts_seen.to_le_bytes());
        bytes
    }
}

/// Reads a vault's file. Total: any bytes give contents or a [`Damage`].
///
/// One vault has one encoding: whatever is accepted here encodes to the same bytes again.
pub(super) fn decode(bytes: &[u8], lowest: ArgonCost) -> Result<VaultFile, Damage> {
    // The version first: each has a length of its own.
    let Some((magic, [version, ..])) = bytes.split_first_chunk() else {
        return Err(Damage::Length);
    };
    if *magic != MAGIC {
        return Err(Damage::NotAVault);
    }
    if *version != VERSION {
        return Err(Damage::Version { found: *version });
    }
    if bytes.len() != VAULT_BYTES {
        return Err(Damage::Length);
    }
    let mut reader = Reader::new(&bytes[MAGIC.len() + 1..]);
    match reader.take() {
        [IN_USE] => {}
        [ERASED] => return Ok(VaultFile::Erased),
        _ => return Err(Damage::Field { field: "state" }),
    }
    let (id, fingerprint) = (reader.take(), reader.take());
    let cost = ArgonCost::from_bytes(reader.take(), lowest).map_err(Damage::Cost)?;
    if reader.take() != [OFFICERS] {
        return Err(Damage::Field { field: "first slot" });
    }
    let officers = Slot { salt: reader.take(), vault_key: reader.take_sealed() };
    if reader.take() != [0; SLOT_BYTES] {
        return Err(Damage::Field { field: "second slot" });
    }
    let floor = Floor {
        notices: reader.take_version()?,
        register: reader.take_version()?,
        anchors: reader.take_version()?,
    };
    let attempts_seen = u64::from_le_bytes(reader.take());
    let state = reader.take_sealed();
    Ok(VaultFile::InUse(Box::new(Contents {
        id,
        fingerprint,
        cost,
        floor,
        attempts_seen,
        officers,
        state,
    })))
}

/// Says whether `bytes`, a vault in use, carry the mark of this device.
pub(super) fn has_mark(bytes: &[u8], device_key: &dyn DeviceKey) -> Result<bool, DeviceKeyError> {
    let Some((before, mark)) = bytes.split_last_chunk::<32>() else {
        return Ok(false);
    };
    Ok(is_same_mark(&*labelled_hmac(device_key, MARK_LABEL, before)?, mark))
}

/// Takes fields off the front of a file whose length was checked.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// Takes the next `N` bytes.
    pub(super) fn take<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) =
            self.rest.split_first_chunk().expect("the fields add up to the checked length");
        self.rest = rest;
        *taken
    }

    fn take_sealed(&mut self) -> Sealed {
        Sealed { nonce: self.take(), bytes: self.take() }
    }

    fn take_version(&mut self) -> Result<Option<(u32, u64)>, Damage> {
        let present = self.take();
        let version = (u32::from_le_bytes(self.take()), u64::from_le_bytes(self.take()));
        match (present, version) {
            ([1], version) => Ok(Some(version)),
            ([0], (0, 0)) => Ok(None),
            _ => Err(Damage::Field { field: "floor" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SimulatedDeviceKey;

    const SMALL: ArgonCost = ArgonCost::smallest_for_tests();

    fn pin() -> Pin {
        Pin::from_reader(&b"482913"[..]).unwrap()
    }

    fn a_vault(device_key: &SimulatedDeviceKey) -> Contents {
        let vault_key = SecretKey::new(&[1; 32]);
        let state_key = SecretKey::new(&[2; 32]);
        let mut contents =
            Contents::new(device_key, &pin(), SMALL, &vault_key, &state_key).unwrap();
        contents.floor = Floor { notices: Some((3, 1_184)), ..Floor::default() };
        contents.attempts_seen = 12;
        contents.seal_state(&state_key, &vault_key).unwrap();
        contents
    }

    fn in_use(bytes: &[u8]) -> Result<Contents, Damage> {
        match decode(bytes, SMALL)? {
            VaultFile::InUse(contents) => Ok(*contents),
            VaultFile::Erased => panic!("the vault is in use"),
        }
    }

    /// Opens `contents` with the right PIN and the right device, as an unlocking does.
    fn open(contents: &Contents, device_key: &SimulatedDeviceKey) -> Result<[u8; 32], String> {
        let vault_key = contents
            .open_slot(&pin(), device_key)
            .map_err(|error| error.to_string())?
            .ok_or("wrong PIN")?;
        let state_key = contents.open_state(&vault_key).map_err(|damage| damage.to_string())?;
        Ok(*state_key.expose())
    }

    #[test]
    fn vault_reads_back_as_written() {
        let device_key = SimulatedDeviceKey::numbered(1);
        let contents = a_vault(&device_key);
        let bytes = contents.encode(&device_key).unwrap();
        assert_eq!(bytes.len(), VAULT_BYTES);
        let read = in_use(&bytes).unwrap();
        assert_eq!(read, contents);
        assert_eq!(read.encode(&device_key).unwrap(), bytes);
        assert_eq!(open(&read, &device_key), Ok([2; 32]));
        assert!(has_mark(&bytes, &device_key).unwrap());
    }

    #[test]
    fn every_flipped_bit_is_malformed_or_loses_the_mark() {
        let device_key = SimulatedDeviceKey::numbered(1);
        let bytes = a_vault(&device_key).encode(&device_key).unwrap();
        for position in 0..VAULT_BYTES {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[position] ^= 1 << bit;
                let refused = match decode(&changed, SMALL) {
                    Err(_) | Ok(VaultFile::Erased) => true,
                    Ok(VaultFile::InUse(_)) => !has_mark(&changed, &device_key).unwrap(),
                };
                assert!(refused, "bit {bit} of byte {position}");
            }
        }
    }

    #[test]
    fn who_can_forge_the_mark_still_gets_nothing_past_the_seals() {
        let device_key = SimulatedDeviceKey::numbered(1);
        let bytes = a_vault(&device_key).encode(&device_key).unwrap();
        for position in 0..VAULT_BYTES - 32 {
            let mut changed = bytes.clone();
            changed[position] ^= 0x01;
            // Where the parser takes it, the right PIN opens nothing; a new mark would hide nothing.
            if let Ok(VaultFile::InUse(contents)) = decode(&changed, SMALL) {
                assert!(open(&contents, &device_key).is_err(), "byte {position}");
            }
        }
    }

    #[test]
    fn malformed_vaults_are_refused_for_their_reason() {
        let device_key = SimulatedDeviceKey::numbered(1);
        let bytes = a_vault(&device_key).encode(&device_key).unwrap();
        let with = |position: usize, value: u8| {
            let mut changed = bytes.clone();
            changed[position] = value;
            changed
        };
        let longer = [bytes.as_slice(), &[0]].concat();
        let cost =
            |memory_kib, passes, lanes| Damage::Cost(CostRefused { memory_kib, passes, lanes });
        let rows: &[(&str, Vec<u8>, Damage)] = &[
            ("empty", Vec::new(), Damage::Length),
            ("cut short", bytes[..VAULT_BYTES - 1].to_vec(), Damage::Length),
            ("longer", longer, Damage::Length),
            ("another magic", with(0, b'G'), Damage::NotAVault),
            ("a later version", with(8, 3), Damage::Version { found: 3 }),
            ("an earlier version", with(8, 1)[..386].to_vec(), Damage::Version { found: 1 }),
            ("no state", with(9, 0), Damage::Field { field: "state" }),
            ("less memory", with(58, 7), cost(7, 1, 1)),
            ("far too much memory", with(61, 0xFF), cost(0xFF00_0008, 1, 1)),
            ("no pass", with(62, 0), cost(8, 0, 1)),
            ("too many lanes for the memory", with(66, 2), cost(8, 1, 2)),
            ("no officers' slot", with(70, 0), Damage::Field { field: "first slot" }),
            ("something in the second slot", with(159, 2), Damage::Field { field: "second slot" }),
            ("half a floor", with(248, 2), Damage::Field { field: "floor" }),
            ("half a floor of the anchors", with(274, 2), Damage::Field { field: "floor" }),
            ("a floor that is not there", with(262, 1), Damage::Field { field: "floor" }),
        ];
        for (case, bytes, expected) in rows {
            assert_eq!(decode(bytes, SMALL).expect_err(case), *expected, "{case}");
        }
    }

    #[test]
    fn erased_vault_keeps_no_byte_of_slots_and_keys() {
        let device_key = SimulatedDeviceKey::numbered(1);
        let contents = a_vault(&device_key);
        let erased = contents.encode_erased();
        assert_eq!(decode(&erased, ArgonCost::FLOOR), Ok(VaultFile::Erased));
        assert_eq!(erased.len(), VAULT_BYTES);
        assert_eq!(erased[10..26], contents.id);
        assert!(erased[58..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn slot_of_an_older_copy_does_not_fit_a_newer_vault() {
        // Given a vault whose PIN was changed, when the old slot is put back into it.
        let device_key = SimulatedDeviceKey::numbered(1);
        let old = a_vault(&device_key);
        let vault_key = SecretKey::new(&[1; 32]);
        let mut new = old.clone();
        let other_pin = Pin::from_reader(&b"730461"[..]).unwrap();
        new.set_pin(&other_pin, &device_key, &vault_key).unwrap();
        new.seal_state(&SecretKey::new(&[2; 32]), &vault_key).unwrap();
        let mixed = Contents { officers: old.officers.clone(), ..new };

        // Then the old PIN opens the slot, and the seal refuses the rest.
        let opened = mixed.open_slot(&pin(), &device_key).unwrap().expect("the old slot");
        assert_eq!(mixed.open_state(&opened).expect_err("mixed parts"), Damage::Seal);
    }

    #[test]
    fn floor_edited_in_place_breaks_the_seal() {
        let device_key = SimulatedDeviceKey::numbered(1);
        let mut contents = a_vault(&device_key);
        contents.floor.notices = Some((3, 1_183));
        let vault_key = contents.open_slot(&pin(), &device_key).unwrap().expect("right PIN");
        assert_eq!(contents.open_state(&vault_key).expect_err("lower floor"), Damage::Seal);
    }
}
