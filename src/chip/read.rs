//! Reading a chip from the first command to the last, and going on where a card was lost.
//!
//! The order is that of what an officer needs: what the chip can do, access, the security object,
//! data group 1 with the facts; then the proofs that the chip is no copy; then the rest, and the
//! portrait, which is by far the longest, at the end.
//!
//! A [`Reading`] keeps what it has. A card that is lost in the middle is powered up anew, access is
//! opened once more, and reading goes on at the byte where it stopped; a short piece of the
//! security object is compared first, so that two cards of one person are not mixed. Whether the
//! joined files are what the state signed, their hashes say later.
//!
//! Nothing here judges: what is read is as hostile at the end as it was on the chip.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use thiserror::Error;

use super::access::AccessError;
use super::active_authentication::{Answer, AskError};
use super::algorithm::ParseError;
use super::apdu::Status;
use super::channel::ChannelError;
use super::chip_authentication::ChipAuthenticationError;
use super::files::FileId;
use super::length::{LengthMemory, Manner};
use super::password::Password;
use super::secret::{NoRandomness, Randomness, SecretBytes, SystemRandomness};
use super::secure_messaging::Broken;
use super::security_infos::{PaceInfo, SecurityInfos, VIETNAMESE_CARD_ACCESS};
use super::sod::Sod;
use super::symmetric::Cipher;
use super::{Card, CardError, Malformed};

mod session;
#[cfg(test)]
mod testing;

use session::{Session, Setback};

/// The longest file that is read, in bytes. Chosen: portraits have 10 to 60 KB.
pub const MAX_FILE_BYTES: usize = 256 * 1_024;
/// The most that is read from one chip, in bytes.
pub const MAX_READING_BYTES: usize = 1_024 * 1_024;
/// The most commands of one reading, whatever happens in it. Chosen: all that may be read, in the
/// shortest pieces, and half as many for what goes wrong.
const MAX_COMMANDS: u32 = 10_000;
/// The most sessions of one call: the first, those after a length that failed, each twice, after a
/// proof that ended the session, and after a break over nothing that we know of.
const MAX_SESSIONS: u32 = 12;
/// The most times that a card may forget its session over something that it did before. Chosen:
/// once is an accident of the field.
const MAX_BREAKS: u32 = 2;
/// How long a card that is still there may take to be powered up again.
const RESTART_PATIENCE: Duration = Duration::from_secs(2);
/// The most times in [`read_through`] that a card is lost before it has told anything more.
const MAX_LOSSES_IN_VAIN: u32 = 5;
/// After so many losses in vain, a proof is not asked for again: a chip may lose its power over it.
const MAX_LOSSES_OVER_PROOF: u32 = 3;
/// The most times in [`read_through`] that a card is lost.
const MAX_LOSSES: u32 = 40;

/// Which files are read, of those that the chip has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted(u32);

impl Wanted {
    /// Everything but what is guarded by keys that we do not have.
    pub const ALL: Self = Self(u32::MAX);
    /// The security object and data group 1 alone, which are always read.
    pub const FACTS: Self = Self(0);

    /// Returns the same with a data group.
    pub fn with(self, group: u8) -> Self {
        Self(self.0 | Self::bit(group))
    }

    /// Returns the same without a data group.
    pub fn without(self, group: u8) -> Self {
        Self(self.0 & !Self::bit(group))
    }

    /// Returns the same without EF.COM, which tells nothing that the security object does not.
    pub fn without_com(self) -> Self {
        Self(self.0 & !1)
    }

    fn has_com(self) -> bool {
        self.0 & 1 != 0
    }

    fn has(self, group: u8) -> bool {
        self.0 & Self::bit(group) != 0
    }

    fn bit(group: u8) -> u32 {
        1_u32.checked_shl(u32::from(group)).unwrap_or_default()
    }
}

/// The lock by which a chip was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccessUsed {
    /// PACE with the access number.
    PaceWithCan {
        /// The cipher of the session.
        cipher: Cipher,
    },
    /// PACE with the machine-readable zone.
    PaceWithZone {
        /// The cipher of the session.
        cipher: Cipher,
    },
    /// Basic access control.
    Bac,
}

impl AccessUsed {
    /// Returns the short name used in reports.
    pub fn code(self) -> &'static str {
        match self {
            Self::PaceWithCan { .. } => "pace-can",
            Self::PaceWithZone { .. } => "pace-mrz",
            Self::Bac => "bac",
        }
    }
}

/// What is known of EF.CardAccess, which says before any access what the chip can do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CardAccess {
    /// Not asked for yet.
    NotRead,
    /// Read.
    Read(SecurityInfos),
    /// The chip has none, so that it has no PACE.
    Missing,
    /// The chip lets nobody read it, by any of the ways that chips are known to want: it is taken
    /// to be that of a Vietnamese card where nothing else opens the chip.
    Refused(Status),
}

/// Whether the signed data group 14 names the ways of PACE that EF.CardAccess named (ICAO 9303-11,
/// 9.2.11).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CardAccessCheck {
    /// One of the two was not read, or the signed one names no PACE at all.
    ///
    /// So it is too where EF.CardAccess is missing, refused or garbled though data group 14 names
    /// PACE. The chip is then opened by the older lock, which somebody who listens can break: that
    /// is a harm to its holder, and no sign that what was signed is forged.
    NotChecked,
    /// It names the same.
    Repeated,
    /// It does not: somebody may have changed what the chip offers.
    Differs,
}

/// Whether the chip has proven by chip authentication that it holds its private key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChipAuthentication {
    /// Not tried: not yet, or because data group 14 was not wanted or not given, or because the
    /// security object is of a kind that we do not know.
    NotDone,
    /// There is no data group 14, or it offers none.
    NotOffered,
    /// It holds the key that data group 14 states. This is a proof only if the security object
    /// says that the group is genuine.
    Proven,
    /// It does not, or could not be asked.
    Failed(ChipAuthenticationError),
}

/// What the chip answered to active authentication; [`super::active_authentication::verify`] says
/// whether that proves anything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ActiveAuthentication {
    /// Not tried: not yet, or because data group 15 was not wanted or not given, or because the
    /// security object is of a kind that we do not know.
    NotDone,
    /// There is no data group 15.
    NotOffered,
    /// It signed the challenge.
    Answered(Answer),
    /// It did not.
    Failed(AskError),
    /// Data group 15 holds no key that we have.
    NoKey(ParseError),
}

/// What a reading took.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// All commands.
    pub commands: u32,
    /// Those that read files after access was given.
    pub commands_after_access: u32,
    /// Those of active and chip authentication.
    pub commands_of_proof: u32,
    /// Bytes of all commands.
    pub bytes_sent: u64,
    /// Bytes of all answers.
    pub bytes_received: u64,
    /// Bytes of files that were read, those that were read again among them.
    pub bytes_of_files: u64,
    /// Bytes of files that were read again.
    pub bytes_reread: u64,
    /// How many sessions there were after the first.
    pub resumed: u32,
}

/// What a reading is at, for whoever watches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Finding out what the chip can do.
    Finding,
    /// Opening the chip.
    Opening,
    /// Opening it again after it was lost.
    Resuming,
    /// Reading a file.
    Reading {
        /// Which.
        file: FileId,
        /// Bytes that are there.
        done: usize,
        /// Bytes of the file, once it is known.
        total: Option<usize>,
    },
    /// Having the chip prove that it is no copy.
    Proving,
}

/// Why a reading stopped.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ReadError {
    /// There is no password to open the chip with.
    #[error("there is no password to open the card with")]
    NoPassword,
    /// The chip could not be opened.
    #[error("the card was not opened")]
    Access(#[source] AccessError),
    /// The chip has no travel document on it.
    #[error("the card is no travel document, status {0}")]
    NoDocument(Status),
    /// The card left the field. Reading can go on.
    #[error("the card was lost")]
    CardLost,
    /// The card did not answer in time. Reading can go on.
    #[error("the card did not answer in time")]
    TimedOut,
    /// There is no reader any more.
    #[error("there is no card reader")]
    NoReader,
    /// The reader carries not even the shortest commands.
    #[error("the reader refuses the shortest commands")]
    ReaderRefuses,
    /// An answer was not protected, or wrongly.
    #[error("the session with the card broke")]
    SecureMessaging(#[source] Broken),
    /// The card that was lost is not the one that came back.
    #[error("this is another card than the one that was lost")]
    AnotherCard,
    /// A file without which there is no document.
    #[error("{file} is missing, status {status}")]
    FileMissing {
        /// Which.
        file: FileId,
        /// What the chip says.
        status: Status,
    },
    /// A file longer than any.
    #[error("{file} claims {claimed} bytes")]
    FileTooLong {
        /// Which.
        file: FileId,
        /// The length that it claims, in bytes.
        claimed: usize,
    },
    /// All files together are longer than any document.
    #[error("the files of the card are longer than any document")]
    ReadingTooLong,
    /// A file ends before its own length.
    #[error("{file} ends after {read} bytes")]
    FileEndsEarly {
        /// Which.
        file: FileId,
        /// Bytes that were read.
        read: usize,
    },
    /// A file is not what its name says.
    #[error("{file} is malformed")]
    FileMalformed {
        /// Which.
        file: FileId,
        /// In what.
        #[source]
        error: Malformed,
    },
    /// The security object is malformed, so that nobody knows which files there are.
    #[error("the security object cannot be read")]
    SecurityObject(#[source] ParseError),
    /// More commands than any reading needs.
    #[error("the card wants more commands than any reading needs")]
    TooManyCommands,
    /// More sessions than any reading needs.
    #[error("the session with the card broke again and again")]
    TooManySessions,
    /// Whoever watches wanted no more.
    #[error("the reading was stopped")]
    Stopped,
    /// Our own command cannot be written.
    #[error("a command cannot be written")]
    Command(#[source] Malformed),
    /// There is nothing to make keys from.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl ReadError {
    /// Returns the short name used by the command line and on screens.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoPassword => "no-password",
            Self::Access(AccessError::WrongPassword(_)) => "wrong-password",
            Self::Access(AccessError::MappingNotSupported) => "mapping-not-supported",
            Self::Access(AccessError::ParametersNotSupported) => "parameters-not-supported",
            Self::Access(_) => "access-refused",
            Self::NoDocument(_) => "no-document",
            Self::CardLost => "card-lost",
            Self::TimedOut => "timed-out",
            Self::NoReader => "no-reader",
            Self::ReaderRefuses => "reader-refuses",
            Self::SecureMessaging(_) => "session-broken",
            Self::AnotherCard => "another-card",
            Self::FileMissing { .. } => "file-missing",
            Self::FileTooLong { .. } => "file-too-long",
            Self::ReadingTooLong => "reading-too-long",
            Self::FileEndsEarly { .. } => "file-ends-early",
            Self::FileMalformed { .. } => "file-malformed",
            Self::SecurityObject(_) => "security-object-malformed",
            Self::TooManyCommands => "too-many-commands",
            Self::TooManySessions => "too-many-sessions",
            Self::Stopped => "stopped",
            Self::Command(_) => "command-malformed",
            Self::NoRandomness(_) => "no-randomness",
        }
    }

    /// Whether reading can go on once the card is there again.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::CardLost | Self::TimedOut)
    }
}

/// A file as far as it has been read.
#[derive(Default, Debug)]
struct Partial {
    bytes: SecretBytes,
    /// The length of the whole, once its header has been read.
    total: Option<usize>,
}

impl Partial {
    fn is_whole(&self) -> bool {
        self.total.is_some_and(|total| self.bytes.len() >= total)
    }
}

/// One try to open a chip: a lock, and the password for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lock {
    PaceWithCan(PaceInfo),
    /// With the place of the zone's key in the password.
    PaceWithZone(PaceInfo, usize),
    Bac(usize),
}

/// What has been read from one chip.
///
/// Lives through the loss of the card; all that it holds of a person is wiped with it.
#[derive(Debug)]
pub struct Reading {
    password: Password,
    wanted: Wanted,
    card_access: CardAccess,
    /// The lock that opened the chip: the first to be tried after a loss.
    lock: Option<Lock>,
    /// Locks that refused their password: they are not tried again.
    refused: Vec<(Lock, AccessError)>,
    files: BTreeMap<FileId, Partial>,
    /// Files that the security object names, or that are read without it, and the chip does not
    /// give, and EF.COM likewise.
    unread: Vec<(FileId, Status)>,
    chip_authentication: ChipAuthentication,
    active_authentication: ActiveAuthentication,
    counts: Counts,
    /// Losses since the last byte of a file that was new.
    losses_in_vain: u32,
    sessions: u32,
    /// How files are read, once it has been found out in this reading.
    manner: Option<Manner>,
    /// Whether less is asked for than the manner's length because this card is held badly.
    is_cautious: bool,
    /// The length that the card itself wants to be asked for.
    at_most: Option<usize>,
    /// The most bytes of a file that one answer has brought.
    carried: usize,
    /// The manner's length at which a read had no answer once; at the second time it is too long.
    failed_length: Option<usize>,
    /// How often the card forgot its session over nothing that we know of.
    breaks: u32,
    is_complete: bool,
}

impl Reading {
    /// Returns a reading that has not begun.
    pub fn new(password: Password, wanted: Wanted) -> Self {
        Self {
            password,
            wanted,
            card_access: CardAccess::NotRead,
            lock: None,
            refused: Vec::new(),
            files: BTreeMap::new(),
            unread: Vec::new(),
            chip_authentication: ChipAuthentication::NotDone,
            active_authentication: ActiveAuthentication::NotDone,
            counts: Counts::default(),
            losses_in_vain: 0,
            sessions: 0,
            manner: None,
            is_cautious: false,
            at_most: None,
            carried: 0,
            failed_length: None,
            breaks: 0,
            is_complete: false,
        }
    }

    /// Whether everything has been read that is wanted and that the chip gives.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Returns a file, once it has been read to its end.
    pub fn file(&self, file: FileId) -> Option<&[u8]> {
        self.files.get(&file).filter(|partial| partial.is_whole()).map(|partial| &*partial.bytes)
    }

    /// Returns the data groups that have been read to their end, by their numbers.
    pub fn groups(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.files.iter().filter(|(_, partial)| partial.is_whole()).filter_map(|(file, partial)| {
            match file {
                FileId::Dg(number) => Some((*number, &*partial.bytes)),
                FileId::CardAccess | FileId::Com | FileId::Sod => None,
            }
        })
    }

    /// Returns how much of a file is there and how long it is, in bytes.
    pub fn progress(&self, file: FileId) -> (usize, Option<usize>) {
        self.files.get(&file).map_or((0, None), |partial| (partial.bytes.len(), partial.total))
    }

    /// Returns the files that the security object names and the chip does not give, and EF.COM
    /// where it is not given or broken ([`Status::WRONG_DATA`]).
    pub fn unread(&self) -> &[(FileId, Status)] {
        &self.unread
    }

    /// Returns what is known of EF.CardAccess.
    pub fn card_access(&self) -> &CardAccess {
        &self.card_access
    }

    /// Returns whether data group 14 names the ways of PACE that EF.CardAccess named.
    pub fn card_access_check(&self) -> CardAccessCheck {
        let CardAccess::Read(stated) = &self.card_access else {
            return CardAccessCheck::NotChecked;
        };
        match self.infos() {
            None => CardAccessCheck::NotChecked,
            Some(signed) if signed.pace.is_empty() => CardAccessCheck::NotChecked,
            Some(signed) if signed.repeats(stated) => CardAccessCheck::Repeated,
            Some(_) => CardAccessCheck::Differs,
        }
    }

    /// Returns what data group 14 says, where it was read and can be.
    pub fn infos(&self) -> Option<SecurityInfos> {
        self.file(FileId::Dg(14)).and_then(|file| SecurityInfos::of_data_group_14(file).ok())
    }

    /// Returns the lock by which the chip was opened.
    pub fn access(&self) -> Option<AccessUsed> {
        Some(match self.lock? {
            Lock::PaceWithCan(info) => AccessUsed::PaceWithCan { cipher: info.cipher },
            Lock::PaceWithZone(info, _) => AccessUsed::PaceWithZone { cipher: info.cipher },
            Lock::Bac(_) => AccessUsed::Bac,
        })
    }

    /// Returns whether the chip has proven by chip authentication that it is no copy.
    pub fn chip_authentication(&self) -> ChipAuthentication {
        self.chip_authentication
    }

    /// Returns what the chip answered to active authentication.
    pub fn active_authentication(&self) -> &ActiveAuthentication {
        &self.active_authentication
    }

    /// Returns what the reading took so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether it is worth waiting for a card that was lost: it has given something new of late.
    pub fn may_go_on(&self) -> bool {
        self.losses_in_vain < MAX_LOSSES_IN_VAIN
    }

    /// Whether a file is still to be read.
    fn is_open(&self, file: FileId) -> bool {
        let is_unread = self.unread.iter().any(|(unread, _)| *unread == file);
        !is_unread && !self.files.get(&file).is_some_and(Partial::is_whole)
    }

    /// Returns the locks to try, in their order.
    fn locks(&self) -> Result<Vec<Lock>, ReadError> {
        let mut locks = Vec::new();
        let mut why_no_pace = None;
        let pace = match &self.card_access {
            CardAccess::Read(infos) => {
                why_no_pace = infos.pace.iter().find_map(|info| info.curve().err());
                let usable = infos.pace.iter().filter(|info| info.curve().is_ok());
                usable.max_by_key(|info| info.cipher).copied()
            }
            CardAccess::NotRead | CardAccess::Missing | CardAccess::Refused(_) => None,
        };
        let zones = 0..self.password.zones.len();
        if let Some(info) = pace {
            // A chip has to take the zone, and may take the access number (ICAO 9303-11, 4.2). Beside
            // a number, zones that are guessed are left to the older lock: each is a wrong password
            // that the chip may count.
            let beside = match self.password.can {
                Some(_) => {
                    locks.push(Lock::PaceWithCan(info));
                    zones.clone().filter(|_| zones.len() == 1).collect()
                }
                None => zones.clone().collect::<Vec<_>>(),
            };
            locks.extend(beside.into_iter().map(|zone| Lock::PaceWithZone(info, zone)));
        }
        locks.extend(zones.map(Lock::Bac));
        // Last, and where nothing else is left, the access number is tried as on a Vietnamese card.
        let is_hidden = match &self.card_access {
            CardAccess::Refused(_) => true,
            CardAccess::Missing => locks.is_empty(),
            CardAccess::NotRead | CardAccess::Read(_) => false,
        };
        if is_hidden && self.password.can.is_some() {
            let known = SecurityInfos::of_card_access(&VIETNAMESE_CARD_ACCESS).unwrap_or_default();
            locks.extend(known.pace.first().copied().map(Lock::PaceWithCan));
        }
        match (locks.is_empty(), why_no_pace) {
            (false, _) => Ok(locks),
            (true, Some(error)) => Err(ReadError::Access(error)),
            (true, None) if self.password.is_empty() => Err(ReadError::NoPassword),
            // An access number opens nothing but PACE.
            (true, None) => Err(ReadError::Access(AccessError::NothingToTry)),
        }
    }
}

/// Reads on until everything is there, or the card is lost.
///
/// After [`ReadError::is_lost`], the card is powered up with [`Card::reconnect`] and this is called
/// again: it goes on where it stopped. `step` is told what comes, and may end the reading there.
pub fn go_on(
    card: &mut dyn Card,
    reading: &mut Reading,
    lengths: &mut LengthMemory,
    step: &mut dyn FnMut(Step) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    go_on_with(card, reading, lengths, step, &mut SystemRandomness)
}

/// The same, with a source of randomness that a test can foresee.
pub fn go_on_with(
    card: &mut dyn Card,
    reading: &mut Reading,
    lengths: &mut LengthMemory,
    step: &mut dyn FnMut(Step) -> ControlFlow<()>,
    random: &mut dyn Randomness,
) -> Result<(), ReadError> {
    if reading.is_complete {
        return Ok(());
    }
    for _ in 0..MAX_SESSIONS {
        let outcome = Session::new(card, reading, lengths, step, random).run();
        match outcome {
            Ok(()) => {
                reading.is_complete = true;
                return Ok(());
            }
            Err(Setback::Final(error)) => {
                if error.is_lost() {
                    reading.losses_in_vain += 1;
                }
                return Err(error);
            }
            Err(Setback::Restart) => card.reconnect(RESTART_PATIENCE).map_err(lost)?,
        }
    }
    Err(ReadError::TooManySessions)
}

/// Reads a card, and waits for it at most `patience` each time that it is lost.
pub fn read_through(
    card: &mut dyn Card,
    reading: &mut Reading,
    lengths: &mut LengthMemory,
    patience: Duration,
    step: &mut dyn FnMut(Step) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    for _ in 0..MAX_LOSSES {
        match go_on(card, reading, lengths, step) {
            Err(error) if error.is_lost() && reading.may_go_on() => {
                if step(Step::Resuming).is_break() {
                    return Err(ReadError::Stopped);
                }
                card.reconnect(patience).map_err(lost)?;
            }
            outcome => return outcome,
        }
    }
    Err(ReadError::CardLost)
}

/// What it means for a reading that the card or the reader gave no answer.
fn lost(error: CardError) -> ReadError {
    match error {
        CardError::Lost => ReadError::CardLost,
        CardError::TimedOut => ReadError::TimedOut,
        CardError::NoReader => ReadError::NoReader,
        CardError::Broken | CardError::Refused => ReadError::ReaderRefuses,
    }
}

impl From<ChannelError> for ReadError {
    fn from(error: ChannelError) -> Self {
        match error {
            ChannelError::Card(error) => lost(error),
            ChannelError::Broken(error) => Self::SecureMessaging(error),
            ChannelError::Ended => Self::TooManySessions,
            ChannelError::TooManyCommands => Self::TooManyCommands,
            ChannelError::Command(error) => Self::Command(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::super::active_authentication;
    use super::super::apdu::Command;
    use super::super::password::{Can, MrzKey};
    use super::super::security_infos::{Mapping, encode_set};
    use super::super::simulated::card::SimulatedCard;
    use super::super::simulated::contents::{Contents, Making};
    use super::super::simulated::fault::Fault;
    use super::super::simulated::holder::Holder;
    use super::super::simulated::issuer::{Algorithms, Issuer};
    use super::super::simulated::keys::Active;
    use super::super::{CardIdentity, tlv};
    use super::testing::{Door, TestCard, can, group, password, zone};
    use super::*;

    /// The portrait of the figures that the issue names, in bytes.
    const PORTRAIT: usize = 15 * 1_024;
    const PATIENCE: Duration = Duration::from_secs(1);

    fn watch(_: Step) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// Reads a card in one go, with what is remembered of it.
    fn read_with(
        card: &mut TestCard,
        password: Password,
        lengths: &mut LengthMemory,
    ) -> (Reading, Result<(), ReadError>) {
        let mut reading = Reading::new(password, Wanted::ALL);
        let result = go_on(card, &mut reading, lengths, &mut watch);
        (reading, result)
    }

    fn read(card: &mut TestCard) -> (Reading, Result<(), ReadError>) {
        read_with(card, password(), &mut LengthMemory::default())
    }

    fn check_whole(card: &TestCard, reading: &Reading) {
        for (file, bytes) in &card.files {
            let is_read = !matches!(file, FileId::CardAccess | FileId::Dg(3));
            let expected = is_read.then_some(&bytes[..]);
            assert!(reading.file(*file) == expected, "{file}");
        }
    }

    fn check_proven(reading: &Reading) {
        assert_eq!(reading.chip_authentication(), ChipAuthentication::Proven);
        let ActiveAuthentication::Answered(answer) = reading.active_authentication() else {
            panic!("{:?}", reading.active_authentication());
        };
        let file = reading.file(FileId::Dg(15)).expect("data group 15");
        let infos = reading.infos();
        assert_eq!(active_authentication::verify(file, infos.as_ref(), answer), Ok(()));
    }

    #[test]
    fn card_is_read_and_proven_in_few_commands() {
        // The issue aims at 12 and 80. In short commands under AES, the answer to one has room for
        // 223 bytes: these 17.6 KB need 82 of them, and one that selects the application.
        for (carries, at_most) in [(usize::MAX, 11), (261, 83)] {
            let mut card = TestCard { carries, ..TestCard::new(PORTRAIT) };
            let mut lengths = LengthMemory::default();
            // The first time, the lengths are found out.
            let (reading, result) = read_with(&mut card, password(), &mut lengths);
            result.expect("read");
            check_whole(&card, &reading);
            card.reconnect(PATIENCE).expect("there");
            let (reading, result) = read_with(&mut card, password(), &mut lengths);
            result.expect("read");
            check_whole(&card, &reading);
            check_proven(&reading);
            assert_eq!(reading.card_access_check(), CardAccessCheck::Repeated);
            let pace = AccessUsed::PaceWithCan { cipher: Cipher::Aes128 };
            assert_eq!(reading.access(), Some(pace));
            let counts = reading.counts();
            assert!(counts.commands_after_access <= at_most, "{counts:?}");
            assert_eq!((counts.resumed, counts.bytes_reread), (0, 0));
            assert_eq!(counts.bytes_of_files, card.readable() as u64);
        }
    }

    #[test]
    fn card_that_is_lost_at_any_command_is_read_to_its_end() {
        let mut whole = TestCard::new(PORTRAIT);
        read(&mut whole).1.expect("read");
        for cut in 1..=whole.commands {
            let mut card = TestCard { cuts: vec![cut], ..TestCard::new(PORTRAIT) };
            let bytes = card.readable() as u64;
            let mut reading = Reading::new(password(), Wanted::ALL);
            let mut lengths = LengthMemory::default();
            read_through(&mut card, &mut reading, &mut lengths, PATIENCE, &mut watch)
                .unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
            check_whole(&card, &reading);
            check_proven(&reading);
            let counts = reading.counts();
            assert_eq!(counts.resumed, 1, "cut at {cut}");
            assert!(counts.bytes_of_files * 5 <= bytes * 6, "cut at {cut}: {counts:?}");
            assert_eq!(counts.bytes_of_files - counts.bytes_reread, bytes, "cut at {cut}");
            // No more than the piece by which the card is known again.
            assert!(counts.bytes_reread <= 128, "cut at {cut}: {counts:?}");
        }
    }

    #[test]
    fn card_that_is_lost_again_and_again_is_read_to_its_end() {
        for every in [14, 20] {
            let cuts = (1..40).map(|n| n * every).collect();
            let mut card = TestCard { cuts, carries: 261, ..TestCard::new(PORTRAIT) };
            let mut reading = Reading::new(password(), Wanted::ALL);
            let mut lengths = LengthMemory::from_text("231 -- 3B88 test");
            read_through(&mut card, &mut reading, &mut lengths, PATIENCE, &mut watch)
                .unwrap_or_else(|error| panic!("every {every}: {error}"));
            check_whole(&card, &reading);
            check_proven(&reading);
        }
    }

    #[test]
    fn card_that_never_stays_is_given_up() {
        let mut card = TestCard { cuts: (1..1_000).collect(), ..TestCard::new(100) };
        let mut reading = Reading::new(password(), Wanted::ALL);
        let mut lengths = LengthMemory::default();
        let refused = read_through(&mut card, &mut reading, &mut lengths, PATIENCE, &mut watch);
        assert_eq!(refused, Err(ReadError::CardLost));
        assert_eq!(card.commands, MAX_LOSSES_IN_VAIN);
    }

    #[test]
    fn card_that_is_slow_is_named_and_read_on() {
        let mut card = TestCard { slow_at: Some(12), ..TestCard::new(100) };
        let (mut reading, result) = read(&mut card);
        assert_eq!(result, Err(ReadError::TimedOut));
        card.reconnect(PATIENCE).expect("there");
        go_on(&mut card, &mut reading, &mut LengthMemory::default(), &mut watch).expect("read");
        check_whole(&card, &reading);
    }

    #[test]
    fn another_card_of_the_same_person_is_not_mixed_in() {
        let mut other = TestCard::new(PORTRAIT);
        other.files.insert(FileId::Dg(1), group(FileId::Dg(1), 80));
        let other = Box::new(other.signed());
        let mut card = TestCard { cuts: vec![16], swapped: Some(other), ..TestCard::new(PORTRAIT) };
        let mut reading = Reading::new(password(), Wanted::ALL);
        let mut lengths = LengthMemory::default();
        let refused = read_through(&mut card, &mut reading, &mut lengths, PATIENCE, &mut watch);
        assert_eq!(refused, Err(ReadError::AnotherCard));
    }

    #[test]
    fn card_that_gives_nothing_after_a_loss_is_not_called_another() {
        let (file, status) = (FileId::Sod, Status::FILE_NOT_FOUND);
        let mut other = TestCard::new(PORTRAIT);
        other.files.remove(&file);
        let swapped = Some(Box::new(other));
        let mut card = TestCard { cuts: vec![16], swapped, ..TestCard::new(PORTRAIT) };
        let mut reading = Reading::new(password(), Wanted::ALL);
        let mut lengths = LengthMemory::default();
        let refused = read_through(&mut card, &mut reading, &mut lengths, PATIENCE, &mut watch);
        assert_eq!(refused, Err(ReadError::FileMissing { file, status }));
    }

    #[test]
    fn lengths_that_fail_are_smaller_until_they_are_carried_and_remembered() {
        for (carries, reader_carries, expected) in [
            (usize::MAX, usize::MAX, 4_096),
            (1_024, usize::MAX, 1_024),
            (261, usize::MAX, 231),
            (160, usize::MAX, 160),
            (usize::MAX, 261, 231),
            (usize::MAX, 1_100, 1_024),
            (usize::MAX, 160, 160),
        ] {
            let mut card = TestCard { carries, reader_carries, ..TestCard::new(PORTRAIT) };
            let mut lengths = LengthMemory::default();
            let (reading, result) = read_with(&mut card, password(), &mut lengths);
            assert_eq!(result, Ok(()), "{carries} {reader_carries}");
            check_whole(&card, &reading);
            let text = lengths.to_text();
            assert_eq!(text, format!("{expected} -- 3B88 test\n"), "{carries} {reader_carries}");
            // Once known, nothing fails any more.
            card.reconnect(PATIENCE).expect("there");
            let (reading, result) = read_with(&mut card, password(), &mut lengths);
            assert_eq!((result, reading.counts().resumed), (Ok(()), 0));
        }
    }

    #[test]
    fn card_that_refuses_to_be_asked_for_too_much_is_asked_for_what_there_is() {
        let mut card = TestCard { exact: true, ..TestCard::new(PORTRAIT) };
        let mut lengths = LengthMemory::default();
        let (reading, result) = read_with(&mut card, password(), &mut lengths);
        result.expect("read");
        check_whole(&card, &reading);
        assert_eq!(lengths.to_text(), "4096 e- 3B88 test\n");
    }

    #[test]
    fn card_without_short_identifiers_has_its_files_selected() {
        let mut card = TestCard { short_identifiers: false, ..TestCard::new(PORTRAIT) };
        let mut lengths = LengthMemory::default();
        let (reading, result) = read_with(&mut card, password(), &mut lengths);
        result.expect("read");
        check_whole(&card, &reading);
        assert!(lengths.to_text().contains("s 3B88"));
    }

    #[test]
    fn portrait_behind_32_kilobytes_is_read() {
        for carries in [usize::MAX, 261] {
            let mut card = TestCard { carries, ..TestCard::new(70_000) };
            let (reading, result) = read(&mut card);
            result.expect("read");
            check_whole(&card, &reading);
        }
    }

    #[test]
    fn card_that_gives_little_at_once_is_read_to_its_end() {
        let mut card = TestCard { gives: 7, cuts: vec![300], ..TestCard::new(500) };
        let mut reading = Reading::new(password(), Wanted::ALL);
        let mut lengths = LengthMemory::default();
        read_through(&mut card, &mut reading, &mut lengths, PATIENCE, &mut watch).expect("read");
        check_whole(&card, &reading);
        assert_eq!(reading.counts().resumed, 1);
    }

    #[test]
    fn card_access_is_found_through_every_door() {
        for (door, expected, pace) in [
            (Door::Short, None, true),
            (Door::Name, None, true),
            (Door::Master, None, true),
            (Door::Root, None, true),
            (Door::Shut, Some(CardAccess::Refused(Status::ACCESS_DENIED)), false),
            (Door::None, Some(CardAccess::Missing), false),
        ] {
            let mut card = TestCard { door, ..TestCard::new(100) };
            let (reading, result) = read(&mut card);
            result.unwrap_or_else(|error| panic!("{door:?}: {error}"));
            let found = (reading.access() != Some(AccessUsed::Bac)) == pace;
            assert!(found, "{door:?} {:?}", reading.access());
            if let Some(expected) = expected {
                assert_eq!(reading.card_access(), &expected, "{door:?}");
                assert_eq!(reading.card_access_check(), CardAccessCheck::NotChecked);
            }
        }
    }

    #[test]
    fn ways_of_pace_have_to_be_those_that_were_signed() {
        let stated = |infos: &[Vec<u8>]| {
            let mut card = TestCard::new(100);
            card.files.insert(FileId::CardAccess, encode_set(infos));
            card
        };
        let way = TestCard::new(100).pace.expect("a way of PACE");
        let weaker = PaceInfo { cipher: Cipher::TripleDes, ..way };
        // Terminal authentication, which data group 14 of this card leaves out.
        let terminal = vec![
            0x30, 0x0D, 0x06, 0x08, 0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x02, 0x02, 0x01,
            0x01,
        ];
        let mut unsigned = TestCard::new(100);
        unsigned.files.insert(FileId::Dg(14), tlv::element(0x6E, &encode_set(&[])));
        for (card, expected) in [
            (stated(&[way.encode(), terminal]), CardAccessCheck::Repeated),
            (stated(&[]), CardAccessCheck::Differs),
            (stated(&[weaker.encode()]), CardAccessCheck::Differs),
            (stated(&[way.encode(), weaker.encode()]), CardAccessCheck::Differs),
            (unsigned.signed(), CardAccessCheck::NotChecked),
        ] {
            let mut card = card;
            let (reading, result) = read(&mut card);
            result.expect("read");
            assert_eq!(reading.card_access_check(), expected);
        }
    }

    #[test]
    fn number_that_the_card_does_not_take_leaves_its_zone() {
        let mut card = TestCard { knows_can: false, bac: false, ..TestCard::new(100) };
        let (reading, result) = read(&mut card);
        result.expect("read");
        let pace = AccessUsed::PaceWithZone { cipher: Cipher::Aes128 };
        assert_eq!(reading.access(), Some(pace));
        // Zones that are guessed are tried by the older lock alone.
        let guessed = MrzKey::new("088999901", "880302", "480302").expect("a key");
        let password = Password { can: Some(can()), zones: vec![guessed, zone()] };
        let mut card = TestCard { knows_can: false, ..TestCard::new(100) };
        let (reading, result) = read_with(&mut card, password, &mut LengthMemory::default());
        result.expect("read");
        assert_eq!(reading.access(), Some(AccessUsed::Bac));
    }

    #[test]
    fn number_opens_no_card_without_pace() {
        let mut card = TestCard::new(100);
        card.files.insert(FileId::CardAccess, encode_set(&[]));
        let can = Password::of_can(can());
        let (_, result) = read_with(&mut card, can, &mut LengthMemory::default());
        assert_eq!(result, Err(ReadError::Access(AccessError::NothingToTry)));
        assert_eq!(result.expect_err("refused").code(), "access-refused");
    }

    #[test]
    fn security_object_of_another_kind_leaves_who_the_holder_is() {
        let mut card = TestCard::new(100);
        // SHA-256 under a number that no hash function has.
        let sha_256 = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
        let object = card.files.get_mut(&FileId::Sod).expect("a security object");
        for at in 0..object.len() - sha_256.len() {
            if object[at..].starts_with(&sha_256) {
                object[at + 8] = 0x7F;
            }
        }
        let refused = Sod::parse(object).expect_err("another kind");
        assert!(matches!(refused, ParseError::Unsupported(_)), "{refused:?}");
        let (reading, result) = read(&mut card);
        result.expect("read");
        let groups: Vec<u8> = reading.groups().map(|(number, _)| number).collect();
        assert_eq!(groups, [1, 2, 13]);
        assert_eq!(reading.chip_authentication(), ChipAuthentication::NotDone);
        assert_eq!(reading.active_authentication(), &ActiveAuthentication::NotDone);
    }

    #[test]
    fn broken_index_of_files_says_nothing_of_lengths() {
        let mut card = TestCard::new(PORTRAIT);
        card.files.insert(FileId::Com, vec![0x60, 0x20]);
        let mut lengths = LengthMemory::default();
        let (reading, result) = read_with(&mut card, password(), &mut lengths);
        result.expect("read");
        assert!(reading.file(FileId::Dg(2)).is_some());
        assert_eq!(lengths.to_text(), "4096 -- 3B88 test\n");
        // One for each length that was tried in vain, and the others as if there were no index.
        assert!(reading.counts().commands_after_access <= 15, "{:?}", reading.counts());
    }

    #[test]
    fn bad_moment_says_nothing_of_lengths() {
        let mut whole = TestCard::new(PORTRAIT);
        read(&mut whole).1.expect("read");
        for at in 1..=whole.commands {
            let mut card = TestCard { forgets_at: Some(at), ..TestCard::new(PORTRAIT) };
            let mut lengths = LengthMemory::default();
            let (reading, result) = read_with(&mut card, password(), &mut lengths);
            assert_eq!(result, Ok(()), "{at}");
            check_whole(&card, &reading);
            assert_eq!(lengths.to_text(), "4096 -- 3B88 test\n", "{at}");
        }
    }

    #[test]
    fn broken_index_of_files_is_left_out_and_the_rest_is_read() {
        for broken in
            [vec![0x60, 0x84, 0xFF, 0xFF, 0xFF, 0xFF], vec![0x30, 0x01, 0x00], vec![0x60, 0x20]]
        {
            let mut card = TestCard::new(100);
            card.files.insert(FileId::Com, broken);
            let (reading, result) = read(&mut card);
            result.expect("read");
            check_proven(&reading);
            assert_eq!(reading.file(FileId::Com), None);
            assert_eq!(reading.unread(), [(FileId::Com, Status::WRONG_DATA)]);
            assert!(reading.file(FileId::Dg(2)).is_some());
        }
    }

    #[test]
    fn access_number_opens_a_card_that_shows_nothing_before() {
        let mut card = TestCard { door: Door::Shut, ..TestCard::new(100) };
        let (reading, result) =
            read_with(&mut card, Password::of_can(can()), &mut LengthMemory::default());
        result.expect("read");
        let pace = AccessUsed::PaceWithCan { cipher: Cipher::Aes128 };
        assert_eq!(reading.access(), Some(pace));
        // A reading that is complete has nothing more to say to the card.
        let (mut reading, commands) = (reading, card.commands);
        assert!(reading.is_complete());
        go_on(&mut card, &mut reading, &mut LengthMemory::default(), &mut watch).expect("complete");
        assert_eq!(card.commands, commands);
    }

    #[test]
    fn zone_opens_by_pace_and_by_the_older_lock() {
        let password = Password::of_zone(zone());
        let mut card = TestCard::new(100);
        let (reading, result) =
            read_with(&mut card, password.clone(), &mut LengthMemory::default());
        result.expect("read");
        let pace = AccessUsed::PaceWithZone { cipher: Cipher::Aes128 };
        assert_eq!(reading.access(), Some(pace));

        let mut card = TestCard { door: Door::None, ..TestCard::new(100) };
        let (reading, result) = read_with(&mut card, password, &mut LengthMemory::default());
        result.expect("read");
        assert_eq!(reading.access(), Some(AccessUsed::Bac));
        check_proven(&reading);
    }

    #[test]
    fn mapping_that_is_not_supported_leaves_the_older_lock() {
        let info = PaceInfo {
            mapping: Mapping::EcdhIntegrated,
            cipher: Cipher::Aes128,
            parameter_id: Some(13),
        };
        let card = || {
            let mut card = TestCard { pace: Some(info), ..TestCard::new(100) };
            card.files.insert(FileId::CardAccess, encode_set(&[info.encode()]));
            card
        };
        let (reading, result) = read(&mut card());
        result.expect("read");
        assert_eq!(reading.access(), Some(AccessUsed::Bac));
        assert_eq!(reading.card_access_check(), CardAccessCheck::Differs);

        let can = Password::of_can(can());
        let (_, result) = read_with(&mut card(), can, &mut LengthMemory::default());
        assert_eq!(result, Err(ReadError::Access(AccessError::MappingNotSupported)));
    }

    #[test]
    fn right_zone_is_found_among_candidates() {
        let wrong = |expiry| MrzKey::new("088999901", "880302", expiry).expect("a key");
        let zones = vec![wrong("480302"), wrong("991231"), zone()];
        let password = Password { can: None, zones };
        let mut card = TestCard { door: Door::None, ..TestCard::new(100) };
        let (reading, result) = read_with(&mut card, password, &mut LengthMemory::default());
        result.expect("read");
        assert_eq!(reading.access(), Some(AccessUsed::Bac));
    }

    #[test]
    fn wrong_password_is_tried_once() {
        let wrong = Can::new("999902").expect("a number");
        let mut card = TestCard { bac: false, ..TestCard::new(100) };
        let mut reading = Reading::new(Password::of_can(wrong), Wanted::ALL);
        let mut lengths = LengthMemory::default();
        let refused = go_on(&mut card, &mut reading, &mut lengths, &mut watch);
        let expected = AccessError::WrongPassword(Status::AUTHENTICATION_FAILED);
        assert_eq!(refused, Err(ReadError::Access(expected)));
        assert_eq!(refused.expect_err("refused").code(), "wrong-password");
        // Asked again, the card hears nothing of it.
        let commands = card.commands;
        let refused = go_on(&mut card, &mut reading, &mut lengths, &mut watch);
        assert_eq!(refused, Err(ReadError::Access(expected)));
        assert_eq!(card.commands, commands);
    }

    #[test]
    fn without_a_password_nothing_is_said_to_the_card() {
        let mut card = TestCard::new(100);
        let (_, result) = read_with(&mut card, Password::default(), &mut LengthMemory::default());
        assert_eq!((result, card.commands), (Err(ReadError::NoPassword), 0));
    }

    #[test]
    fn card_that_is_no_travel_document_is_named() {
        let card = || TestCard { door: Door::None, has_application: false, ..TestCard::new(100) };
        let (_, result) = read(&mut card());
        assert_eq!(result, Err(ReadError::NoDocument(Status::FILE_NOT_FOUND)));
        assert_eq!(result.expect_err("refused").code(), "no-document");
    }

    #[test]
    fn wrong_mac_ends_the_reading() {
        // The ninth command selects the application, the tenth reads the security object.
        for at in [9, 10, 12] {
            let mut card = TestCard { wrong_mac_at: Some(at), ..TestCard::new(100) };
            let (_, result) = read(&mut card);
            assert_eq!(result, Err(ReadError::SecureMessaging(Broken::WrongMac)), "{at}");
        }
    }

    #[test]
    fn copy_without_the_keys_is_read_and_proves_nothing() {
        let other = TestCard::new(100);
        let mut card = TestCard { signing_key: None, ..TestCard::new(100) };
        card.chip_key = other.chip_key;
        let (reading, result) = read(&mut card);
        result.expect("read");
        check_whole(&card, &reading);
        let broken = Broken::NotProtected(Status::PROTECTION_WRONG);
        let failed = ChipAuthenticationError::WrongKey(broken);
        assert_eq!(reading.chip_authentication(), ChipAuthentication::Failed(failed));
        let refused = AskError::Refused(Status::UNKNOWN_INSTRUCTION);
        assert_eq!(reading.active_authentication(), &ActiveAuthentication::Failed(refused));
    }

    #[test]
    fn card_without_proofs_offers_none() {
        let mut card = TestCard::new(100);
        card.files.remove(&FileId::Dg(14));
        card.files.remove(&FileId::Dg(15));
        let mut card = card.signed();
        let (reading, result) = read(&mut card);
        result.expect("read");
        assert_eq!(reading.chip_authentication(), ChipAuthentication::NotOffered);
        assert_eq!(reading.active_authentication(), &ActiveAuthentication::NotOffered);
        assert_eq!(reading.card_access_check(), CardAccessCheck::NotChecked);
    }

    #[test]
    fn chip_that_dies_over_every_proof_is_read_without() {
        let (manage, sign) = (0x22, 0x88);
        let mut card = TestCard { dies_at: vec![manage, sign], ..TestCard::new(100) };
        let mut reading = Reading::new(password(), Wanted::ALL);
        let mut lengths = LengthMemory::default();
        read_through(&mut card, &mut reading, &mut lengths, PATIENCE, &mut watch).expect("read");
        check_whole(&card, &reading);
        let lost = ChannelError::Card(CardError::Lost);
        let failed = ChipAuthentication::Failed(lost.into());
        assert_eq!(reading.chip_authentication(), failed);
        let failed = ActiveAuthentication::Failed(lost.into());
        assert_eq!(reading.active_authentication(), &failed);
    }

    #[test]
    fn file_that_the_card_does_not_give_is_noted() {
        let mut card = TestCard::new(100);
        card.files.insert(FileId::Dg(11), group(FileId::Dg(11), 20));
        let mut card = card.signed();
        card.files.remove(&FileId::Dg(11));
        let (reading, result) = read(&mut card);
        result.expect("read");
        check_whole(&card, &reading);
        assert_eq!(reading.unread(), [(FileId::Dg(11), Status::FILE_NOT_FOUND)]);

        for file in [FileId::Sod, FileId::Dg(1)] {
            let mut card = TestCard::new(100);
            card.files.remove(&file);
            let (_, result) = read(&mut card);
            let status = Status::FILE_NOT_FOUND;
            assert_eq!(result, Err(ReadError::FileMissing { file, status }));
        }
    }

    #[test]
    fn fingerprints_are_never_asked_for() {
        // The card panics at no command, so that the files that were opened tell.
        let mut card = TestCard::new(100);
        let (reading, result) = read(&mut card);
        result.expect("read");
        assert_eq!(reading.file(FileId::Dg(3)), None);
        assert!(reading.unread().is_empty(), "it would have been refused");
    }

    #[test]
    fn hostile_files_are_named() {
        let claim = |claimed: u32| {
            let [a, b, c, d] = claimed.to_be_bytes();
            let mut file = vec![0x75, 0x84, a, b, c, d];
            file.extend(vec![0; 5_000]);
            file
        };
        let file = FileId::Dg(2);
        let malformed = |text| ReadError::FileMalformed { file, error: Malformed(text) };
        for (bytes, expected) in [
            (claim(u32::MAX), ReadError::FileTooLong { file, claimed: u32::MAX as usize + 6 }),
            (
                claim(MAX_FILE_BYTES as u32),
                ReadError::FileTooLong { file, claimed: MAX_FILE_BYTES + 6 },
            ),
            (claim(10_000), ReadError::FileEndsEarly { file, read: 5_006 }),
            (vec![], ReadError::FileEndsEarly { file, read: 0 }),
            (group(FileId::Dg(3), 9), malformed("another tag than the file's")),
            (vec![0x75, 0x80, 0, 0, 0, 0, 0, 0], malformed("a length of no definite form")),
        ] {
            let mut card = TestCard::new(100);
            card.files.insert(file, bytes);
            let (_, result) = read(&mut card);
            assert_eq!(result, Err(expected));
        }
        let mut card = TestCard::new(100);
        card.files.insert(FileId::Sod, group(FileId::Sod, 300));
        let (_, result) = read(&mut card);
        assert!(matches!(result, Err(ReadError::SecurityObject(_))), "{result:?}");
    }

    #[test]
    fn files_that_are_too_long_together_are_refused() {
        let mut card = TestCard::new(200_000);
        for number in [5, 6, 7, 8, 9] {
            let file = FileId::Dg(number);
            card.files.insert(file, group(file, 250_000));
        }
        let (_, result) = read(&mut card.signed());
        assert_eq!(result, Err(ReadError::ReadingTooLong));
    }

    #[test]
    fn card_that_gives_a_byte_at_a_time_comes_to_an_end() {
        let mut card = TestCard { gives: 1, ..TestCard::new(20_000) };
        let (reading, result) = read(&mut card);
        assert_eq!(result, Err(ReadError::TooManyCommands));
        assert_eq!(reading.counts().commands, MAX_COMMANDS);
    }

    #[test]
    fn reading_stops_where_it_is_told_to_and_goes_on() {
        let mut card = TestCard::new(PORTRAIT);
        let mut reading = Reading::new(password(), Wanted::ALL);
        let mut lengths = LengthMemory::default();
        let stopped = go_on(&mut card, &mut reading, &mut lengths, &mut |step| match step {
            Step::Reading { file: FileId::Dg(2), done: 1.., .. } => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
        assert_eq!(stopped, Err(ReadError::Stopped));
        assert_eq!(reading.progress(FileId::Dg(2)), (4_096, Some(PORTRAIT + 4)));
        card.reconnect(PATIENCE).expect("there");
        go_on(&mut card, &mut reading, &mut lengths, &mut watch).expect("read");
        check_whole(&card, &reading);
    }

    /// The card of the invented citizen, by the state that issues simulated cards.
    fn contents() -> Contents {
        static CONTENTS: LazyLock<Contents> = LazyLock::new(|| {
            let issuer = Issuer::new(1, Algorithms::Brainpool);
            Contents::new(&issuer, &Holder::nguyen_van_mau(), &Making::default())
        });
        CONTENTS.clone()
    }

    fn check_contents(reading: &Reading, but: &[FileId]) {
        for (file, bytes) in contents().files {
            let is_read = !matches!(file, FileId::CardAccess | FileId::Dg(3));
            let is_read = is_read && !but.contains(&file);
            assert!(reading.file(file) == is_read.then_some(&bytes[..]), "{file}");
        }
    }

    #[test]
    fn simulated_card_that_is_cut_at_any_command_is_read_to_its_end() {
        let mut whole = SimulatedCard::new(contents());
        let mut reading = Reading::new(password(), Wanted::ALL);
        go_on(&mut whole, &mut reading, &mut LengthMemory::default(), &mut watch).expect("read");
        let bytes = reading.counts().bytes_of_files;
        assert!(reading.counts().commands_after_access <= 12, "{:?}", reading.counts());
        for at in 1..=whole.commands() {
            let mut card = SimulatedCard::with_faults(contents(), &[Fault::Cut { at }]);
            let mut reading = Reading::new(password(), Wanted::ALL);
            let mut lengths = LengthMemory::default();
            read_through(&mut card, &mut reading, &mut lengths, PATIENCE, &mut watch)
                .unwrap_or_else(|error| panic!("cut at {at}: {error}"));
            check_contents(&reading, &[]);
            check_proven(&reading);
            let counts = reading.counts();
            assert_eq!((counts.resumed, counts.bytes_of_files - counts.bytes_reread), (1, bytes));
            assert!(counts.bytes_of_files * 5 <= bytes * 6, "cut at {at}: {counts:?}");
        }
    }

    #[test]
    fn simulated_card_that_stumbles_at_any_command_is_read_to_its_end() {
        let mut whole = SimulatedCard::new(contents());
        let mut reading = Reading::new(password(), Wanted::ALL);
        go_on(&mut whole, &mut reading, &mut LengthMemory::default(), &mut watch).expect("read");
        for at in 1..=whole.commands() {
            for fault in [Fault::Unprotected { at }, Fault::Stub { at }] {
                let mut card = SimulatedCard::with_faults(contents(), &[fault]);
                let mut reading = Reading::new(password(), Wanted::ALL);
                let mut lengths = LengthMemory::default();
                go_on(&mut card, &mut reading, &mut lengths, &mut watch)
                    .unwrap_or_else(|error| panic!("{fault}: {error}"));
                check_contents(&reading, &[]);
                check_proven(&reading);
            }
        }
    }

    #[test]
    fn each_fault_of_a_simulated_card_is_read_through_or_named() {
        let (sod, portrait) = (FileId::Sod, FileId::Dg(2));
        let broken = |broken| Err(ReadError::SecureMessaging(broken));
        let missing = Status::FILE_NOT_FOUND;
        let claimed = u32::MAX as usize + 6;
        for (fault, expected) in [
            (Fault::Pieces { bytes: 100 }, Ok(())),
            (Fault::WantsLength { bytes: 100 }, Ok(())),
            (Fault::ShortReads { bytes: 100 }, Ok(())),
            (Fault::NoExtended, Ok(())),
            (Fault::LongestRead { bytes: 1_024 }, Ok(())),
            (Fault::LongestRead { bytes: 200 }, Ok(())),
            (Fault::NoShortNames, Ok(())),
            (Fault::KnowsMf, Ok(())),
            (Fault::RefusesCan, Ok(())),
            (Fault::RefusesZone, Ok(())),
            (Fault::WrongMac { at: 12 }, broken(Broken::WrongMac)),
            (Fault::Leave { at: 12 }, Err(ReadError::CardLost)),
            (
                Fault::Missing { file: sod },
                Err(ReadError::FileMissing { file: sod, status: missing }),
            ),
            (
                Fault::Claims { file: portrait, bytes: u32::MAX },
                Err(ReadError::FileTooLong { file: portrait, claimed }),
            ),
            (
                Fault::Endless { file: portrait },
                Err(ReadError::FileTooLong { file: portrait, claimed }),
            ),
        ] {
            let mut card = SimulatedCard::with_faults(contents(), &[fault]);
            let mut reading = Reading::new(password(), Wanted::ALL);
            let mut lengths = LengthMemory::default();
            let result = read_through(&mut card, &mut reading, &mut lengths, PATIENCE, &mut watch);
            assert_eq!(result, expected, "{fault}");
            if result.is_ok() {
                check_contents(&reading, &[]);
                check_proven(&reading);
            }
        }
        let file = FileId::Dg(13);
        let mut card = SimulatedCard::with_faults(contents(), &[Fault::Missing { file }]);
        let mut reading = Reading::new(password(), Wanted::ALL);
        go_on(&mut card, &mut reading, &mut LengthMemory::default(), &mut watch).expect("read");
        check_contents(&reading, &[file]);
        assert_eq!(reading.unread(), [(file, missing)]);
    }

    #[test]
    fn long_signature_needs_long_answers() {
        let making = Making { active: Some(Active::Rsa), ..Making::default() };
        let issuer = Issuer::new(1, Algorithms::Brainpool);
        let contents = Contents::new(&issuer, &Holder::nguyen_van_mau(), &making);
        let read = |card: &mut dyn Card| {
            let mut reading = Reading::new(password(), Wanted::ALL);
            let mut lengths = LengthMemory::default();
            go_on(card, &mut reading, &mut lengths, &mut watch).expect("read");
            assert_eq!(reading.chip_authentication(), ChipAuthentication::Proven);
            reading
        };
        let card = |faults| SimulatedCard::with_faults(contents.clone(), faults);
        let failed = |error| ActiveAuthentication::Failed(error);
        check_proven(&read(&mut card(&[])));
        // A card that takes short commands alone is asked all the same: it may only say so.
        for faults in [&[Fault::NoExtended][..], &[Fault::LongestRead { bytes: 200 }]] {
            let reading = read(&mut card(faults));
            match faults {
                [Fault::NoExtended] => {
                    let refused = failed(AskError::Refused(Status::WRONG_LENGTH));
                    assert_eq!(reading.active_authentication(), &refused);
                }
                _ => check_proven(&reading),
            }
        }
        // The reader's own word is believed, and where it says nothing, that it refuses is no more
        // than a command without an answer.
        let reading = read(&mut card(&[]).on_reader_of(261));
        assert_eq!(reading.active_authentication(), &failed(AskError::TooLong));
        check_proven(&read(&mut card(&[]).on_reader_of(400)));
        let reading = read(&mut ShortReader(card(&[])));
        let refused = failed(ChannelError::Card(CardError::Refused).into());
        assert_eq!(reading.active_authentication(), &refused);
    }

    /// A reader that carries no extended length and does not say so.
    struct ShortReader(SimulatedCard);

    impl Card for ShortReader {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, CardError> {
            let is_long = Command::decode(command).is_ok_and(|command| command.is_extended());
            if is_long { Err(CardError::Refused) } else { self.0.transmit(command) }
        }

        fn reconnect(&mut self, patience: Duration) -> Result<(), CardError> {
            self.0.reconnect(patience)
        }

        fn identity(&self) -> CardIdentity {
            self.0.identity()
        }

        fn is_simulated(&self) -> bool {
            true
        }
    }

    #[test]
    fn only_what_is_wanted_is_read_and_the_facts_come_first() {
        let mut card = TestCard::new(PORTRAIT);
        let mut reading = Reading::new(password(), Wanted::FACTS.with(13));
        let mut order = Vec::new();
        go_on(&mut card, &mut reading, &mut LengthMemory::default(), &mut |step| {
            if let Step::Reading { file, done: 0, .. } = step {
                order.push(file);
            }
            ControlFlow::Continue(())
        })
        .expect("read");
        assert_eq!(order, [FileId::Sod, FileId::Dg(1), FileId::Dg(13)]);
        assert_eq!(reading.chip_authentication(), ChipAuthentication::NotDone);
        assert!(!Wanted::ALL.without(2).without_com().has(2));
    }

    #[test]
    fn reading_hides_from_debug() {
        let mut card = TestCard::new(100);
        let (reading, result) = read(&mut card);
        result.expect("read");
        let shown = format!("{reading:?}");
        for part in ["9999", "8803", "90, 90", "5A5A"] {
            assert!(!shown.contains(part), "{part} in {shown}");
        }
    }

    /// Says what it likes, and then nothing more.
    struct Babbler(Vec<Vec<u8>>);

    impl Card for Babbler {
        fn transmit(&mut self, _command: &[u8]) -> Result<Vec<u8>, CardError> {
            self.0.pop().ok_or(CardError::Lost)
        }

        fn reconnect(&mut self, _patience: Duration) -> Result<(), CardError> {
            Ok(())
        }

        fn identity(&self) -> CardIdentity {
            CardIdentity { reader: String::new(), atr: Vec::new() }
        }

        fn is_simulated(&self) -> bool {
            true
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn any_answers_are_taken_without_a_panic(
            answers in prop::collection::vec(
                (prop::collection::vec(any::<u8>(), 0..40), prop::sample::select(vec![
                    &[0x90, 0x00][..], &[0x61, 0x10], &[0x6C, 0x10], &[0x63, 0xC2], &[0x62, 0x82], &[],
                ])),
                0..40,
            ),
        ) {
            let answers = answers.into_iter().map(|(data, status)| [&data, status].concat());
            let mut card = Babbler(answers.collect());
            let mut reading = Reading::new(password(), Wanted::ALL);
            let mut lengths = LengthMemory::default();
            let result = go_on(&mut card, &mut reading, &mut lengths, &mut watch);
            prop_assert!(result.is_err());
        }

        #[test]
        fn any_file_is_read_or_refused_without_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            number in prop::sample::select(vec![1_u8, 2, 13, 14, 15]),
            has_tag in any::<bool>(),
        ) {
            let file = FileId::Dg(number);
            let bytes = if has_tag { super::super::tlv::element(file.tag(), &bytes) } else { bytes };
            let mut card = TestCard::new(100);
            card.files.insert(file, bytes.clone());
            let (reading, result) = read(&mut card);
            if result.is_ok() {
                prop_assert!(has_tag || reading.file(file).is_none_or(|read| bytes.starts_with(read)));
                prop_assert!(!has_tag || reading.file(file) == Some(&bytes[..]));
            }
        }
    }
}
