//! Keeps the state key behind a PIN, this device, and a counter of tries.
//!
//! Three files: the vault itself ([`super::layout`] has its bytes), `….attempts` beside it with the
//! counter ([`super::attempts`]), and `….lock`, which is empty and keeps two programs from judging
//! PINs or writing at the same time. Every call reads the files anew: the window and the command
//! line may both be at work.
//!
//! The order of an unlocking is the whole point: files are authentic, the wait is over, **the try is
//! counted and has reached the disk**, and only then is the PIN judged. Whoever cuts the power in
//! between has lost a try.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, fs, io};

use super::attempts::{ATTEMPTS_BYTES, Attempts, MAX_TRIES, Record};
use super::cost::ArgonCost;
use super::device_key::{DeviceKey, DeviceKeyError, fingerprint};
use super::durable;
use super::layout::{self, Contents, Damage, Floor, VAULT_BYTES, VaultFile};
use super::pin::{Pin, PinProblem};
use super::secret::SecretKey;
use crate::clock::Clock;

/// A vault on disk. It holds no key: what an unlocking gives is the caller's, [`Unlocked`].
#[derive(Debug)]
pub struct Vault {
    path: PathBuf,
    /// The least cost that the file may name.
    lowest: ArgonCost,
    /// The newest generation of the counter that this program has seen.
    seen: u64,
}

/// What an unlocking gives. Holding one proves that the PIN was right, on this device, and that the
/// floor is the one which was sealed. Locking is dropping it.
pub struct Unlocked {
    /// The key under which the store's keys lie.
    pub state_key: SecretKey,
    /// The floor in force when this was unlocked, or when it was last raised with this.
    pub floor: Floor,
    vault_key: SecretKey,
}

impl fmt::Debug for Unlocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unlocked").field("floor", &self.floor).finish_non_exhaustive()
    }
}

/// Why a vault did not open.
#[derive(Debug, thiserror::Error)]
pub enum UnlockError {
    /// Another PIN. The try is counted.
    #[error("wrong PIN, {left} tries left")]
    Wrong {
        /// Tries left before the slots are erased.
        left: u32,
        /// How long the next try has to wait.
        wait: Duration,
    },
    /// Too early after the last wrong PIN. No try is counted.
    #[error("the next try must wait {} seconds", wait.as_secs_f32().ceil())]
    Wait {
        /// How long.
        wait: Duration,
    },
    /// Too few digits to be a PIN. No try is counted.
    #[error("the PIN is too short: digits missing: {missing}")]
    TooShort {
        /// How many digits are missing.
        missing: usize,
    },
    /// The slots were erased after too many tries; the device must be enrolled anew.
    #[error("the vault was erased after {MAX_TRIES} wrong PINs")]
    Erased,
    /// The vault was made by another device. No try is counted.
    #[error("the vault belongs to another device")]
    WrongDevice,
    /// A file of the vault was changed or lost; the device must be enrolled anew.
    #[error("the vault is damaged")]
    Damaged(#[from] Damage),
    /// The device key did not answer. If it was asked about a PIN, that try is counted.
    #[error("the vault needs the device key")]
    DeviceKey(#[from] DeviceKeyError),
    /// A file could not be read or written, or memory is short.
    #[error("the vault's files cannot be used")]
    Io(#[from] io::Error),
}

/// Why a vault was not made or not changed.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is a vault already, and it is never overwritten.
    #[error("there is a vault already")]
    AlreadyExists,
    /// The new PIN is too easily guessed.
    #[error("the new PIN is not accepted")]
    PinRefused(#[from] PinProblem),
    /// The floor would fall.
    #[error("the floor stands at {:?} and would fall to {:?}", floors[0], floors[1])]
    FloorFalls {
        /// The floor in force, and the floor that was asked for.
        floors: Box<[Floor; 2]>,
    },
    /// The vault does not open, or its files cannot be used.
    #[error(transparent)]
    Unlock(#[from] UnlockError),
}

impl From<Damage> for VaultError {
    fn from(damage: Damage) -> VaultError {
        UnlockError::from(damage).into()
    }
}

impl From<io::Error> for VaultError {
    fn from(error: io::Error) -> VaultError {
        UnlockError::from(error).into()
    }
}

impl Vault {
    /// Makes a vault with a fresh random state key behind `pin`, bound to this device.
    pub fn create(
        path: &Path,
        device_key: &dyn DeviceKey,
        pin: &Pin,
        cost: ArgonCost,
        clock: &dyn Clock,
    ) -> Result<(Vault, Unlocked), VaultError> {
        if let Some(problem) = pin.problem() {
            return Err(problem.into());
        }
        let mut vault = Vault { path: path.to_owned(), lowest: cost, seen: 0 };
        let _lock = vault.lock()?;
        if fs::symlink_metadata(path).is_ok() {
            return Err(VaultError::AlreadyExists);
        }
        let (vault_key, state_key) = (SecretKey::random()?, SecretKey::random()?);
        let contents = Contents::new(device_key, pin, cost, &vault_key, &state_key)?;
        // The counter first: a vault without one is damaged, a counter without a vault is nothing.
        vault.write_record(Record::new(contents.id, &clock.boot()), device_key)?;
        vault.write(&contents, device_key)?;
        Ok((vault, Unlocked { state_key, floor: contents.floor, vault_key }))
    }

    /// Opens the files of a vault, without a PIN yet. An Argon2 cost below [`ArgonCost::FLOOR`] or
    /// above [`ArgonCost::CEILING`] is refused.
    pub fn open(path: &Path) -> Result<Vault, UnlockError> {
        Vault::open_with(path, ArgonCost::FLOOR)
    }

    /// Opens a vault that was made with [`ArgonCost::smallest_for_tests`], for tests.
    pub fn open_for_tests(path: &Path) -> Result<Vault, UnlockError> {
        Vault::open_with(path, ArgonCost::smallest_for_tests())
    }

    /// Returns what the PIN pad shows: tries left, and how long to wait. No try is counted.
    pub fn attempts(
        &self,
        device_key: &dyn DeviceKey,
        clock: &dyn Clock,
    ) -> Result<Attempts, UnlockError> {
        let contents = match self.read(device_key) {
            Ok(contents) => contents,
            Err(UnlockError::Erased) => {
                return Ok(Attempts { failed: MAX_TRIES, left: 0, wait: Duration::ZERO });
            }
            Err(error) => return Err(error),
        };
        Ok(self.read_record(&contents, device_key)?.attempts(&clock.boot()))
    }

    /// Judges `pin`, after the try has been counted on disk.
    ///
    /// The tenth wrong PIN in a row erases the slots. A try whose judging was cut short stays
    /// counted, be it by a power cut or by a device key that did not answer: the two cannot be told
    /// apart.
    pub fn unlock(
        &mut self,
        pin: &Pin,
        device_key: &dyn DeviceKey,
        clock: &dyn Clock,
    ) -> Result<Unlocked, UnlockError> {
        if let missing @ 1.. = Pin::MIN_DIGITS.saturating_sub(pin.len()) {
            return Err(UnlockError::TooShort { missing });
        }
        let _lock = self.lock()?;
        let mut contents = self.read(device_key)?;
        let record = self.read_record(&contents, device_key)?;
        let now = clock.boot();
        let Attempts { left, wait, .. } = record.attempts(&now);
        if left == 0 {
            // The power was cut between the last try and the erasing.
            return Err(self.erase(&contents));
        }
        if !wait.is_zero() {
            return Err(UnlockError::Wait { wait });
        }

        let record = record.with_one_more(&now);
        self.write_record(record, device_key)?;

        let Some(vault_key) = contents.open_slot(pin, device_key)? else {
            let Attempts { left, wait, .. } = record.attempts(&now);
            return Err(match left {
                0 => self.erase(&contents),
                left => UnlockError::Wrong { left, wait },
            });
        };
        let state_key = contents.open_state(&vault_key)?;
        // The vault remembers the counter before the counter is cleared: were it the other way
        // round, a power cut between the two would leave a counter that may be set back.
        contents.attempts_seen = record.generation;
        contents.seal_state(&state_key, &vault_key)?;
        self.write(&contents, device_key)?;
        self.write_record(record.with_none_failed(&now), device_key)?;
        Ok(Unlocked { state_key, floor: contents.floor, vault_key })
    }

    /// Raises the floor, here and in `unlocked`. It has reached the disk on return.
    ///
    /// A dataset that `floor` leaves out keeps its version; one that would fall is refused.
    pub fn raise_floor(
        &mut self,
        unlocked: &mut Unlocked,
        floor: Floor,
        device_key: &dyn DeviceKey,
    ) -> Result<(), VaultError> {
        unlocked.floor = self.amend(unlocked, device_key, |contents| {
            let current = contents.floor;
            let raised = current.with(floor);
            if raised.is_below(current) {
                return Err(VaultError::FloorFalls { floors: Box::new([current, floor]) });
            }
            contents.floor = raised;
            Ok(raised)
        })?;
        Ok(())
    }

    /// Changes the PIN. The current one is judged as in an unlocking, so that who grabs an unlocked
    /// device cannot make it his; the state key stays.
    pub fn change_pin(
        &mut self,
        current: &Pin,
        new: &Pin,
        device_key: &dyn DeviceKey,
        clock: &dyn Clock,
    ) -> Result<Unlocked, VaultError> {
        if let Some(problem) = new.problem() {
            return Err(problem.into());
        }
        let unlocked = self.unlock(current, device_key, clock)?;
        self.amend(&unlocked, device_key, |contents| {
            Ok(contents.set_pin(new, device_key, &unlocked.vault_key)?)
        })?;
        Ok(unlocked)
    }

    fn open_with(path: &Path, lowest: ArgonCost) -> Result<Vault, UnlockError> {
        let vault = Vault { path: path.to_owned(), lowest, seen: 0 };
        // An erased vault opens, so that the screen can say what happened.
        if let VaultFile::InUse(_) = layout::decode(&vault.read_bytes()?, lowest)? {
            Record::decode(&vault.read_record_bytes()?)?;
        }
        Ok(vault)
    }

    /// Applies `change` to the newest contents, which must open under the vault key in `unlocked`,
    /// and writes them.
    fn amend<T>(
        &self,
        unlocked: &Unlocked,
        device_key: &dyn DeviceKey,
        change: impl FnOnce(&mut Contents) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        let _lock = self.lock()?;
        let mut contents = self.read(device_key)?;
        let state_key = contents.open_state(&unlocked.vault_key)?;
        let outcome = change(&mut contents)?;
        contents.seal_state(&state_key, &unlocked.vault_key)?;
        self.write(&contents, device_key)?;
        Ok(outcome)
    }

    /// Erases the slots and says so. An error of the disk goes before: they may still be there.
    fn erase(&self, contents: &Contents) -> UnlockError {
        match durable::overwrite(&self.path, &contents.encode_erased()) {
            Ok(()) => UnlockError::Erased,
            Err(error) => error.into(),
        }
    }

    /// Reads the vault and checks that it is this device's and carries its mark.
    fn read(&self, device_key: &dyn DeviceKey) -> Result<Contents, UnlockError> {
        let bytes = self.read_bytes()?;
        let VaultFile::InUse(contents) = layout::decode(&bytes, self.lowest)? else {
            return Err(UnlockError::Erased);
        };
        if contents.fingerprint != fingerprint(&device_key.public_key()) {
            return Err(UnlockError::WrongDevice);
        }
        if !layout::has_mark(&bytes, device_key)? {
            return Err(Damage::Mark.into());
        }
        Ok(*contents)
    }

    /// Reads the counter and checks that it is genuine, this vault's, and not set back.
    fn read_record(
        &self,
        contents: &Contents,
        device_key: &dyn DeviceKey,
    ) -> Result<Record, UnlockError> {
        let bytes = self.read_record_bytes()?;
        let record = Record::decode(&bytes)?;
        if record.vault != contents.id || !Record::is_marked(&bytes, device_key)? {
            return Err(Damage::AttemptsForged.into());
        }
        let expected = self.seen.max(contents.attempts_seen);
        if record.generation < expected {
            return Err(Damage::AttemptsSetBack { found: record.generation, expected }.into());
        }
        Ok(record)
    }

    fn write(&self, contents: &Contents, device_key: &dyn DeviceKey) -> Result<(), UnlockError> {
        Ok(durable::replace(&self.path, &contents.encode(device_key)?)?)
    }

    fn write_record(
        &mut self,
        record: Record,
        device_key: &dyn DeviceKey,
    ) -> Result<(), UnlockError> {
        durable::replace(&self.attempts_path(), &record.encode(device_key)?)?;
        self.seen = record.generation;
        Ok(())
    }

    fn read_bytes(&self) -> io::Result<Vec<u8>> {
        durable::read_capped(&self.path, VAULT_BYTES)
    }

    fn read_record_bytes(&self) -> Result<Vec<u8>, UnlockError> {
        durable::read_capped(&self.attempts_path(), ATTEMPTS_BYTES).map_err(|error| {
            match error.kind() {
                io::ErrorKind::NotFound => Damage::AttemptsMissing.into(),
                _ => error.into(),
            }
        })
    }

    fn lock(&self) -> io::Result<fs::File> {
        durable::lock(&durable::beside(&self.path, ".lock"))
    }

    fn attempts_path(&self) -> PathBuf {
        durable::beside(&self.path, ".attempts")
    }
}

#[cfg(test)]
mod tests {
    use zeroize::ZeroizeOnDrop;

    use super::*;
    use crate::clock::{DeviceTime, FixedClock};
    use crate::keys::{CostRefused, SimulatedDeviceKey};

    const RIGHT: &str = "482913";
    const WRONG: &str = "730461";

    fn pin(digits: &str) -> Pin {
        Pin::from_reader(digits.as_bytes()).unwrap()
    }

    /// A device with a vault whose PIN is [`RIGHT`].
    struct Device {
        folder: tempfile::TempDir,
        key: SimulatedDeviceKey,
        clock: FixedClock,
        state_key: [u8; 32],
    }

    impl Device {
        fn new() -> Device {
            let folder = tempfile::tempdir().unwrap();
            let key = SimulatedDeviceKey::numbered(1);
            let clock = FixedClock::at(DeviceTime(1_795_000_000));
            let cost = ArgonCost::smallest_for_tests();
            let path = folder.path().join("vault");
            let (_, unlocked) = Vault::create(&path, &key, &pin(RIGHT), cost, &clock).unwrap();
            Device { folder, key, clock, state_key: *unlocked.state_key.expose() }
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("vault")
        }

        fn attempts_path(&self) -> PathBuf {
            self.folder.path().join("vault.attempts")
        }

        /// Opens the vault anew, as after a restart of the program.
        fn open(&self) -> Vault {
            Vault::open_for_tests(&self.path()).unwrap()
        }

        /// Tries a PIN in a program that was just started.
        fn unlock(&self, digits: &str) -> Result<Unlocked, UnlockError> {
            self.open().unlock(&pin(digits), &self.key, &self.clock)
        }

        fn attempts(&self) -> Attempts {
            self.open().attempts(&self.key, &self.clock).unwrap()
        }

        /// Types `count` wrong PINs, waiting as long as it takes in between.
        fn fail(&self, count: u32) {
            for _ in 0..count {
                self.clock.advance(self.attempts().wait);
                self.unlock(WRONG).expect_err("a wrong PIN");
            }
        }
    }

    #[track_caller]
    fn damage(outcome: Result<Unlocked, UnlockError>) -> Damage {
        match outcome {
            Err(UnlockError::Damaged(damage)) => damage,
            other => panic!("not damaged but {other:?}"),
        }
    }

    #[test]
    fn right_pin_gives_the_state_key_after_a_restart_of_the_program() {
        let device = Device::new();
        let unlocked = device.unlock(RIGHT).unwrap();
        assert_eq!(unlocked.state_key.expose(), &device.state_key);
        assert_eq!(unlocked.floor, Floor::default());
    }

    #[test]
    fn wrong_pin_is_counted_and_the_right_one_clears_the_count() {
        let device = Device::new();
        for left in [9, 8, 7] {
            let error = device.unlock(WRONG).expect_err("a wrong PIN");
            assert!(
                matches!(error, UnlockError::Wrong { left: l, wait } if l == left && wait.is_zero()),
                "{error:?}"
            );
        }
        assert_eq!(device.attempts().failed, 3);
        device.unlock(RIGHT).unwrap();
        assert_eq!(device.attempts(), Attempts { failed: 0, left: 10, wait: Duration::ZERO });
    }

    #[test]
    fn try_is_counted_before_it_is_judged() {
        // Given a device that loses power at every moment from the first question to the last.
        let device = Device::new();
        let mut counted = Vec::new();
        for answers in 0..5 {
            let before = device.attempts().failed;
            let mut vault = device.open();
            device.key.fail_after(answers);
            let cut = vault.unlock(&pin(WRONG), &device.key, &device.clock);
            device.key.recover();
            device.clock.advance(Duration::from_secs(3_600));
            counted.push((device.attempts().failed - before, cut.unwrap_err()));
        }

        // Then nothing is counted while the files are read and the count is marked, and from the
        // question about the PIN on everything is, though that question got no answer.
        let no_answer = |error: &UnlockError| matches!(error, UnlockError::DeviceKey(_));
        assert!(counted[..3].iter().all(|(tries, error)| *tries == 0 && no_answer(error)));
        assert!(counted[3].0 == 1 && no_answer(&counted[3].1), "{counted:?}");
        assert!(counted[4].0 == 1 && matches!(counted[4].1, UnlockError::Wrong { .. }));
    }

    #[test]
    fn power_cut_at_any_moment_leaves_a_vault_that_the_right_pin_opens() {
        let device = Device::new();
        let mut cuts = 0;
        loop {
            let mut vault = device.open();
            device.key.fail_after(cuts);
            let outcome = vault.unlock(&pin(RIGHT), &device.key, &device.clock);
            device.key.recover();
            if outcome.is_ok() {
                break;
            }
            assert!(matches!(outcome, Err(UnlockError::DeviceKey(_))), "{outcome:?}");
            let unlocked = device.unlock(RIGHT).unwrap();
            assert_eq!(unlocked.state_key.expose(), &device.state_key, "cut {cuts}");
            cuts += 1;
        }
        // Both marks read, the count marked, the PIN judged, both files marked.
        assert_eq!(cuts, 6);
    }

    #[test]
    fn power_cut_while_a_vault_is_made_leaves_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        let (key, clock) = (SimulatedDeviceKey::numbered(1), FixedClock::at(DeviceTime(0)));
        let create =
            || Vault::create(&path, &key, &pin(RIGHT), ArgonCost::smallest_for_tests(), &clock);
        for answers in 0..3 {
            key.fail_after(answers);
            let cut = create();
            assert!(matches!(cut, Err(VaultError::Unlock(UnlockError::DeviceKey(_)))));
            assert!(!path.exists(), "cut {answers}");
        }
        key.recover();
        create().expect("what a cut has left is not in the way");
    }

    #[test]
    fn ten_power_cuts_while_judging_erase_the_slots() {
        let device = Device::new();
        for _ in 0..MAX_TRIES {
            device.clock.advance(Duration::from_secs(3_600));
            let mut vault = device.open();
            device.key.fail_after(3);
            vault.unlock(&pin(RIGHT), &device.key, &device.clock).expect_err("the power is cut");
            device.key.recover();
        }
        assert_eq!(device.attempts().left, 0);
        assert!(matches!(device.unlock(RIGHT), Err(UnlockError::Erased)));
        let bytes = fs::read(device.path()).unwrap();
        assert!(bytes[58..].iter().all(|byte| *byte == 0), "the slots are still there");
    }

    #[test]
    fn delay_outlives_a_restart_of_the_program_and_costs_no_try() {
        let device = Device::new();
        device.fail(5);
        let wait = Duration::from_secs(30);
        assert_eq!(device.attempts(), Attempts { failed: 5, left: 5, wait });

        // When even the right PIN comes too early, then it is not judged and not counted.
        device.clock.advance(Duration::from_secs(29));
        let early = device.unlock(RIGHT).expect_err("too early");
        assert!(matches!(early, UnlockError::Wait { wait } if wait.as_secs() == 1));
        assert_eq!(device.attempts().failed, 5);

        device.clock.advance(Duration::from_secs(1));
        device.unlock(RIGHT).unwrap();
    }

    #[test]
    fn setting_the_clock_shortens_no_delay() {
        let device = Device::new();
        device.fail(5);
        device.clock.set(DeviceTime(1_900_000_000));
        assert_eq!(device.attempts().wait, Duration::from_secs(30));
    }

    #[test]
    fn reboot_begins_the_delay_anew() {
        let device = Device::new();
        device.fail(7);
        device.clock.advance(Duration::from_secs(299));
        assert_eq!(device.attempts().wait, Duration::from_secs(1));
        device.clock.reboot();
        assert_eq!(device.attempts().wait, Duration::from_secs(300));
        device.clock.advance(Duration::from_secs(300));
        device.unlock(RIGHT).unwrap();
    }

    #[test]
    fn tenth_wrong_pin_erases_the_slots_for_ever() {
        let device = Device::new();
        let kept = fs::read(device.attempts_path()).unwrap();
        device.fail(9);
        device.clock.advance(device.attempts().wait);
        assert!(matches!(device.unlock(WRONG), Err(UnlockError::Erased)));

        // Then nothing helps: the right PIN, a restart, an older counter.
        let erased = Attempts { failed: 10, left: 0, wait: Duration::ZERO };
        assert_eq!(device.attempts(), erased);
        assert!(matches!(device.unlock(RIGHT), Err(UnlockError::Erased)));
        fs::write(device.attempts_path(), kept).unwrap();
        assert!(matches!(device.unlock(RIGHT), Err(UnlockError::Erased)));
        let bytes = fs::read(device.path()).unwrap();
        assert!(bytes[58..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn right_pin_at_the_tenth_try_still_opens() {
        let device = Device::new();
        device.fail(9);
        assert_eq!(device.attempts().left, 1);
        device.clock.advance(device.attempts().wait);
        device.unlock(RIGHT).unwrap();
        assert_eq!(device.attempts().left, 10);
    }

    #[test]
    fn too_few_digits_cost_no_try() {
        let device = Device::new();
        let error = device.unlock("4829").expect_err("four digits");
        assert!(matches!(error, UnlockError::TooShort { missing: 2 }));
        assert_eq!(device.attempts().failed, 0);
    }

    #[test]
    fn every_changed_byte_of_the_vault_is_refused_and_costs_no_try() {
        let device = Device::new();
        let good = fs::read(device.path()).unwrap();
        let mut vault = device.open();
        for position in 0..good.len() {
            let mut changed = good.clone();
            changed[position] ^= 1 << (position % 8);
            fs::write(device.path(), &changed).unwrap();
            let error =
                vault.unlock(&pin(RIGHT), &device.key, &device.clock).expect_err("a changed vault");
            let expected = match position {
                26..58 => matches!(error, UnlockError::WrongDevice),
                _ => matches!(error, UnlockError::Damaged(_)),
            };
            assert!(expected, "byte {position}: {error:?}");
        }
        fs::write(device.path(), good).unwrap();
        assert_eq!(device.attempts().failed, 0);
        device.unlock(RIGHT).unwrap();
    }

    #[test]
    fn lowered_argon2_cost_is_refused() {
        let device = Device::new();
        let mut bytes = fs::read(device.path()).unwrap();
        bytes[58..62].copy_from_slice(&4_u32.to_le_bytes());
        fs::write(device.path(), bytes).unwrap();
        let cost = CostRefused { memory_kib: 4, passes: 1, lanes: 1 };
        let error = Vault::open_for_tests(&device.path()).expect_err("a lower cost");
        assert!(matches!(error, UnlockError::Damaged(Damage::Cost(c)) if c == cost));
    }

    #[test]
    fn production_refuses_a_vault_of_the_test_cost() {
        let device = Device::new();
        let cost = CostRefused { memory_kib: 8, passes: 1, lanes: 1 };
        let error = Vault::open(&device.path()).expect_err("the test cost");
        assert!(matches!(error, UnlockError::Damaged(Damage::Cost(c)) if c == cost));
    }

    #[test]
    fn production_cost_makes_a_vault_that_production_opens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        let (key, clock) = (SimulatedDeviceKey::numbered(1), FixedClock::at(DeviceTime(0)));
        let made = Vault::create(&path, &key, &pin(RIGHT), ArgonCost::FLOOR, &clock).unwrap().1;
        let opened = Vault::open(&path).unwrap().unlock(&pin(RIGHT), &key, &clock).unwrap();
        assert_eq!(opened.state_key.expose(), made.state_key.expose());
    }

    #[test]
    fn vault_of_another_device_is_refused_and_costs_no_try() {
        let device = Device::new();
        let other = SimulatedDeviceKey::numbered(2);
        let mut vault = device.open();
        let outcome = vault.unlock(&pin(RIGHT), &other, &device.clock);
        assert!(matches!(outcome, Err(UnlockError::WrongDevice)));
        let shown = vault.attempts(&other, &device.clock);
        assert!(matches!(shown, Err(UnlockError::WrongDevice)));
        assert_eq!(device.attempts().failed, 0);
    }

    #[test]
    fn counter_lowered_with_an_editor_is_noticed() {
        let device = Device::new();
        device.fail(3);
        let mut bytes = fs::read(device.attempts_path()).unwrap();
        assert_eq!(bytes[56..60], 3_u32.to_le_bytes());
        bytes[56..60].copy_from_slice(&0_u32.to_le_bytes());
        fs::write(device.attempts_path(), bytes).unwrap();
        assert_eq!(damage(device.unlock(RIGHT)), Damage::AttemptsForged);
    }

    #[test]
    fn missing_or_unreadable_counter_is_damage_and_no_fresh_start() {
        let device = Device::new();
        let mut vault = device.open();
        fs::write(device.attempts_path(), b"").unwrap();
        let outcome = vault.unlock(&pin(RIGHT), &device.key, &device.clock);
        assert_eq!(damage(outcome), Damage::AttemptsUnreadable);

        fs::remove_file(device.attempts_path()).unwrap();
        let outcome = vault.unlock(&pin(RIGHT), &device.key, &device.clock);
        assert_eq!(damage(outcome), Damage::AttemptsMissing);
        let reopened = Vault::open_for_tests(&device.path());
        assert!(matches!(reopened, Err(UnlockError::Damaged(Damage::AttemptsMissing))));
    }

    #[test]
    fn counter_from_before_the_last_unlocking_is_noticed_after_a_restart() {
        let device = Device::new();
        let old = fs::read(device.attempts_path()).unwrap();
        device.unlock(RIGHT).unwrap();
        fs::write(device.attempts_path(), old).unwrap();
        let expected = Damage::AttemptsSetBack { found: 1, expected: 2 };
        assert_eq!(damage(device.unlock(RIGHT)), expected);
    }

    #[test]
    fn counter_set_back_between_two_tries_is_noticed_by_the_running_program() {
        let device = Device::new();
        let mut vault = device.open();
        let old = fs::read(device.attempts_path()).unwrap();
        vault.unlock(&pin(WRONG), &device.key, &device.clock).expect_err("a wrong PIN");
        fs::write(device.attempts_path(), old).unwrap();
        let outcome = vault.unlock(&pin(RIGHT), &device.key, &device.clock);
        assert_eq!(damage(outcome), Damage::AttemptsSetBack { found: 1, expected: 2 });
    }

    #[test]
    fn counter_of_another_vault_of_the_same_device_is_noticed() {
        let (device, other) = (Device::new(), Device::new());
        fs::copy(other.attempts_path(), device.attempts_path()).unwrap();
        assert_eq!(damage(device.unlock(RIGHT)), Damage::AttemptsForged);
    }

    #[test]
    fn floor_rises_and_is_there_after_a_restart() {
        let device = Device::new();
        let mut vault = device.open();
        let mut unlocked = vault.unlock(&pin(RIGHT), &device.key, &device.clock).unwrap();
        let first = Floor { notices: Some((3, 1_184)), ..Floor::default() };
        vault.raise_floor(&mut unlocked, first, &device.key).unwrap();
        assert_eq!(unlocked.floor, first);

        // When only the register is raised, then the notices keep their version.
        let register = Floor { register: Some((3, 7)), ..Floor::default() };
        vault.raise_floor(&mut unlocked, register, &device.key).unwrap();
        let both = Floor { notices: Some((3, 1_184)), ..register };
        assert_eq!(unlocked.floor, both);
        assert_eq!(device.unlock(RIGHT).unwrap().floor, both);

        let anchors = Floor { anchors: Some((3, 2)), ..Floor::default() };
        vault.raise_floor(&mut unlocked, anchors, &device.key).unwrap();
        let all = Floor { anchors: Some((3, 2)), ..both };
        assert_eq!(device.unlock(RIGHT).unwrap().floor, all);
        let lower = Floor { anchors: Some((3, 1)), ..all };
        let refused = vault.raise_floor(&mut unlocked, lower, &device.key);
        assert!(matches!(refused, Err(VaultError::FloorFalls { .. })), "{refused:?}");
    }

    #[test]
    fn floor_never_falls_but_a_new_epoch_may_begin_again() {
        let device = Device::new();
        let mut vault = device.open();
        let mut unlocked = vault.unlock(&pin(RIGHT), &device.key, &device.clock).unwrap();
        let mut raise = |notices| {
            let floor = Floor { notices, ..Floor::default() };
            vault.raise_floor(&mut unlocked, floor, &device.key)
        };
        raise(Some((3, 1_184))).unwrap();
        for lower in [(3, 1_183), (2, 9_999), (0, 0)] {
            let error = raise(Some(lower)).expect_err("a lower floor");
            assert!(matches!(error, VaultError::FloorFalls { .. }), "{error:?}");
        }
        raise(Some((3, 1_184))).expect("the same again changes nothing");
        raise(Some((4, 1))).expect("a new epoch");
        assert_eq!(device.unlock(RIGHT).unwrap().floor.notices, Some((4, 1)));
    }

    #[test]
    fn floor_raised_by_another_program_is_not_lowered_by_this_one() {
        let device = Device::new();
        let (mut window, mut command) = (device.open(), device.open());
        let mut unlocked = window.unlock(&pin(RIGHT), &device.key, &device.clock).unwrap();
        let mut other = command.unlock(&pin(RIGHT), &device.key, &device.clock).unwrap();
        let notices = Floor { notices: Some((3, 1_184)), ..Floor::default() };
        command.raise_floor(&mut other, notices, &device.key).unwrap();

        let register = Floor { register: Some((3, 7)), ..Floor::default() };
        window.raise_floor(&mut unlocked, register, &device.key).unwrap();
        let both = Floor { notices: Some((3, 1_184)), ..register };
        assert_eq!(unlocked.floor, both);
    }

    #[test]
    fn who_unlocked_another_vault_cannot_raise_this_floor() {
        let (device, other) = (Device::new(), Device::new());
        let mut unlocked = other.unlock(RIGHT).unwrap();
        let floor = Floor { notices: Some((3, 1_184)), ..Floor::default() };
        let outcome = device.open().raise_floor(&mut unlocked, floor, &device.key);
        let error = outcome.expect_err("another vault's key");
        let seal = VaultError::Unlock(UnlockError::Damaged(Damage::Seal));
        assert_eq!(format!("{error:?}"), format!("{seal:?}"));
        assert_eq!(device.unlock(RIGHT).unwrap().floor, Floor::default());
    }

    #[test]
    fn changed_pin_keeps_state_key_and_floor_and_the_old_one_opens_nothing() {
        let device = Device::new();
        let mut vault = device.open();
        let mut unlocked = vault.unlock(&pin(RIGHT), &device.key, &device.clock).unwrap();
        let floor = Floor { notices: Some((3, 1_184)), ..Floor::default() };
        vault.raise_floor(&mut unlocked, floor, &device.key).unwrap();

        let new = "905172";
        let changed = vault.change_pin(&pin(RIGHT), &pin(new), &device.key, &device.clock).unwrap();
        assert_eq!(changed.state_key.expose(), &device.state_key);
        assert!(matches!(device.unlock(RIGHT), Err(UnlockError::Wrong { left: 9, .. })));
        let opened = device.unlock(new).unwrap();
        assert_eq!(opened.state_key.expose(), &device.state_key);
        assert_eq!(opened.floor, floor);
    }

    #[test]
    fn pin_is_not_changed_by_who_does_not_know_it() {
        let device = Device::new();
        let mut vault = device.open();
        let outcome = vault.change_pin(&pin(WRONG), &pin("905172"), &device.key, &device.clock);
        assert!(matches!(outcome, Err(VaultError::Unlock(UnlockError::Wrong { left: 9, .. }))));
        device.unlock(RIGHT).unwrap();
    }

    #[test]
    fn guessable_pin_is_refused_and_costs_no_try() {
        let device = Device::new();
        let mut vault = device.open();
        let outcome = vault.change_pin(&pin(WRONG), &pin("123456"), &device.key, &device.clock);
        assert!(matches!(outcome, Err(VaultError::PinRefused(PinProblem::Run))));
        assert_eq!(device.attempts().failed, 0);

        let path = device.folder.path().join("other");
        let cost = ArgonCost::smallest_for_tests();
        let outcome = Vault::create(&path, &device.key, &pin("111111"), cost, &device.clock);
        assert!(matches!(outcome, Err(VaultError::PinRefused(PinProblem::Repeat))));
        assert!(!path.exists());
    }

    #[test]
    fn vault_is_never_overwritten_by_a_new_one() {
        let device = Device::new();
        let cost = ArgonCost::smallest_for_tests();
        let again = Vault::create(&device.path(), &device.key, &pin(WRONG), cost, &device.clock);
        assert!(matches!(again, Err(VaultError::AlreadyExists)));
        device.unlock(RIGHT).unwrap();
    }

    #[test]
    fn missing_vault_is_an_io_error_of_that_kind() {
        let folder = tempfile::tempdir().unwrap();
        let outcome = Vault::open(&folder.path().join("vault"));
        assert!(matches!(outcome, Err(UnlockError::Io(e)) if e.kind() == io::ErrorKind::NotFound));
    }

    #[test]
    fn two_programs_share_one_count() {
        let device = Device::new();
        let (mut window, mut command) = (device.open(), device.open());
        for left in [9, 7] {
            let outcome = window.unlock(&pin(WRONG), &device.key, &device.clock);
            assert!(matches!(outcome, Err(UnlockError::Wrong { left: l, .. }) if l == left));
            let outcome = command.unlock(&pin(WRONG), &device.key, &device.clock);
            assert!(matches!(outcome, Err(UnlockError::Wrong { left: l, .. }) if l == left - 1));
        }
    }

    #[test]
    fn unlocked_holds_only_what_is_wiped_on_drop_and_prints_no_key() {
        fn wiped_on_drop<T: ZeroizeOnDrop>(_: &T) {}
        let device = Device::new();
        let unlocked = device.unlock(RIGHT).unwrap();
        // Named one by one: a field that is added must be looked at here.
        let Unlocked { state_key, floor, vault_key } = &unlocked;
        wiped_on_drop(state_key);
        wiped_on_drop(vault_key);
        let Floor { notices: None, register: None, anchors: None } = floor else {
            panic!("a fresh floor")
        };
        let shown = format!("{unlocked:?}");
        let floor = "Floor { notices: None, register: None, anchors: None }";
        assert_eq!(shown, format!("Unlocked {{ floor: {floor}, .. }}"));
    }

    #[test]
    fn errors_read_as_sentences() {
        let rows = [
            (
                UnlockError::Wrong { left: 4, wait: Duration::from_secs(60) },
                "wrong PIN, 4 tries left",
            ),
            (
                UnlockError::Wait { wait: Duration::from_millis(7_200) },
                "the next try must wait 8 seconds",
            ),
            (UnlockError::Erased, "the vault was erased after 10 wrong PINs"),
            (UnlockError::WrongDevice, "the vault belongs to another device"),
            (UnlockError::Damaged(Damage::Mark), "the vault is damaged"),
        ];
        for (error, text) in rows {
            assert_eq!(error.to_string(), text);
        }
    }
}
