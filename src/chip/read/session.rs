//! One session with a chip: opening it, and reading until all is there or something breaks.

use std::ops::ControlFlow;

use super::super::apdu::{
    APPLICATION, Command, MAX_SHORT_ANSWER, READ_BINARY, READ_BINARY_ODD, Response, SELECT, Status,
};
use super::super::channel::{Channel, ChannelError, Traffic};
use super::super::chip_authentication::{ChipAuthenticationError, Offer};
use super::super::length::{self, Manner};
use super::super::secure_messaging::SecureMessaging;
use super::super::tlv;
use super::super::{CardIdentity, active_authentication, bac, pace};
use super::*;

/// The first offset that READ BINARY cannot state in its parameters (ICAO 9303-10, 3.6.6).
const FAR_OFFSET: usize = 0x8000;
/// What is read of a file to know its length, where a chip refuses to be asked for more.
const HEADER_BYTES: usize = 6;
/// The longest header of a file: tag of two bytes, length of five.
const MAX_HEADER_BYTES: usize = 7;
/// The longest EF.CardAccess that is read, in bytes.
const MAX_CARD_ACCESS_BYTES: usize = 2_048;

/// The piece of the security object that tells one card from another: behind its headers, where
/// the hashes of data groups 1 and 2 stand. A short file identifier reaches offsets of one byte.
const COMPARED_FROM: usize = 96;
const COMPARED_BYTES: usize = 128;

/// The data groups that say who the holder is: read where the security object is of a kind that we
/// do not know. Nothing can be proven then, so that the groups of the proofs are left.
const HOLDER: [u8; 3] = [1, 2, 13];

/// Why a session ends before everything is read.
pub(super) enum Setback {
    /// Another session may do better.
    Restart,
    /// No other session does.
    Final(ReadError),
}

impl<E: Into<ReadError>> From<E> for Setback {
    fn from(error: E) -> Self {
        Self::Final(error.into())
    }
}

/// What commands are for, as [`Counts`] tells them apart.
#[derive(Clone, Copy)]
enum Account {
    Access,
    Files,
    Proof,
}

pub(super) struct Session<'a> {
    channel: Channel<'a>,
    reading: &'a mut Reading,
    lengths: &'a mut LengthMemory,
    step: &'a mut dyn FnMut(Step) -> ControlFlow<()>,
    random: &'a mut dyn Randomness,
    identity: CardIdentity,
    /// What the reader says that it carries.
    reader_limit: Option<usize>,
    manner: Manner,
    /// What the channel had carried when it was counted last.
    counted: Traffic,
    /// The file that the chip reads from where no other is named.
    current: Option<FileId>,
    /// Whether a short file identifier has been understood.
    short_identifiers_work: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        card: &'a mut dyn Card,
        reading: &'a mut Reading,
        lengths: &'a mut LengthMemory,
        step: &'a mut dyn FnMut(Step) -> ControlFlow<()>,
        random: &'a mut dyn Randomness,
    ) -> Self {
        let identity = card.identity();
        let reader_limit = card.reader_limit();
        let known = || lengths.manner(&identity, reader_limit);
        let manner = reading.manner.unwrap_or_else(known);
        let left = MAX_COMMANDS.saturating_sub(reading.counts.commands);
        Self {
            channel: Channel::new(card, left),
            reading,
            lengths,
            step,
            random,
            identity,
            reader_limit,
            manner,
            counted: Traffic::default(),
            current: None,
            short_identifiers_work: false,
        }
    }

    /// Reads what is not there yet.
    pub(super) fn run(mut self) -> Result<(), Setback> {
        let result = self.read();
        self.reading.manner = Some(self.manner);
        // What went over the air before an error counts too.
        self.count(Account::Files);
        match result {
            Err(Setback::Final(error)) if self.forgets_break(&error) => Err(Setback::Restart),
            result => result,
        }
    }

    /// Whether the card only forgot its session, or swallowed an answer: it may do so a few times.
    fn forgets_break(&mut self, error: &ReadError) -> bool {
        let is_break = is_break(error) && self.reading.breaks < MAX_BREAKS;
        self.reading.breaks += u32::from(is_break);
        is_break
    }

    fn read(&mut self) -> Result<(), Setback> {
        if self.reading.sessions > 0 {
            self.reading.counts.resumed += 1;
        }
        self.reading.sessions += 1;
        // Two losses without a new byte, and long answers may be what the field cannot carry. It is
        // this card held by this hand: nothing of it is remembered.
        if self.reading.losses_in_vain >= 2 && self.manner.is_extended() {
            self.reading.is_cautious |= self.take_less();
        }
        let opened = self.open();
        self.count(Account::Access);
        opened?;
        self.compare()?;

        self.file(FileId::Sod)?;
        let named = self.groups()?;
        let is_readable = named.is_some();
        let groups = named.unwrap_or_else(|| HOLDER.to_vec());
        self.file(FileId::Dg(1))?;
        if self.reading.wanted.has_com() {
            self.com()?;
        }
        if is_readable && !groups.contains(&14) {
            self.reading.chip_authentication = ChipAuthentication::NotOffered;
        } else if groups.contains(&14) && self.reading.wanted.has(14) {
            self.file(FileId::Dg(14))?;
            self.authenticate_chip()?;
        }
        if is_readable && !groups.contains(&15) {
            self.reading.active_authentication = ActiveAuthentication::NotOffered;
        } else if groups.contains(&15) && self.reading.wanted.has(15) {
            self.file(FileId::Dg(15))?;
            self.authenticate_actively()?;
        }
        // The portrait is the longest by far, and the first that an officer can do without.
        let wanted = self.reading.wanted;
        let rest = groups.iter().filter(|group| **group != 2);
        let last = groups.iter().filter(|group| **group == 2);
        for group in rest.chain(last).filter(|group| wanted.has(**group)) {
            if let Some(file) = FileId::of_group(*group) {
                self.file(file)?;
            }
        }
        Ok(())
    }

    /// Counts what the channel has carried since the last time.
    fn count(&mut self, purpose: Account) {
        let (now, before) = (self.channel.traffic, self.counted);
        self.counted = now;
        let commands = now.commands - before.commands;
        let counts = &mut self.reading.counts;
        counts.commands += commands;
        counts.bytes_sent += now.bytes_sent - before.bytes_sent;
        counts.bytes_received += now.bytes_received - before.bytes_received;
        match purpose {
            Account::Access => {}
            Account::Files => counts.commands_after_access += commands,
            Account::Proof => counts.commands_of_proof += commands,
        }
    }

    fn tell(&mut self, step: Step) -> Result<(), ReadError> {
        match (self.step)(step) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(ReadError::Stopped),
        }
    }

    // Access.

    fn open(&mut self) -> Result<(), Setback> {
        if self.reading.password.is_empty() {
            return Err(ReadError::NoPassword.into());
        }
        if self.reading.card_access == CardAccess::NotRead {
            self.tell(Step::Finding)?;
            self.reading.card_access = self.find_card_access()?;
        }
        self.tell(if self.reading.lock.is_some() { Step::Resuming } else { Step::Opening })?;
        let locks = match self.reading.lock {
            Some(lock) => vec![lock],
            None => self.reading.locks()?,
        };
        let (mut refusal, mut no_document) = (None, None);
        let mut application_is_selected = false;
        for lock in locks {
            let known = self.reading.refused.iter().find(|(refused, _)| *refused == lock);
            if let Some((_, error)) = known {
                refusal = Some(more_telling(refusal, *error));
                continue;
            }
            if let (Lock::Bac(_), false) = (lock, application_is_selected) {
                match self.select_application() {
                    // Perhaps not before PACE.
                    Err(Setback::Final(error @ ReadError::NoDocument(_))) => {
                        no_document = Some(error);
                        continue;
                    }
                    selected => selected?,
                }
                application_is_selected = true;
            }
            match self.unlock(lock) {
                Ok(()) => {
                    self.reading.lock = Some(lock);
                    if !matches!(lock, Lock::Bac(_)) {
                        // The session is there: what follows is read under it.
                        self.count(Account::Access);
                        self.select_application()?;
                        self.count(Account::Files);
                    }
                    return Ok(());
                }
                Err(AccessError::Channel(error)) => return Err(error.into()),
                Err(AccessError::NoRandomness(error)) => return Err(error.into()),
                Err(error) => {
                    let is_wrong = matches!(error, AccessError::WrongPassword(_));
                    if is_wrong && self.reading.lock.is_none() {
                        self.reading.refused.push((lock, error));
                    }
                    refusal = Some(more_telling(refusal, error));
                }
            }
        }
        match (refusal, no_document) {
            (None, Some(error)) => Err(error.into()),
            (refusal, _) => {
                Err(ReadError::Access(refusal.unwrap_or(AccessError::NothingToTry)).into())
            }
        }
    }

    fn unlock(&mut self, lock: Lock) -> Result<(), AccessError> {
        let missing = AccessError::NothingToTry;
        let password = &self.reading.password;
        match lock {
            Lock::PaceWithCan(info) => {
                let can = password.can.as_ref().ok_or(missing)?;
                pace::open(&mut self.channel, &info, &can.pace(), self.random)
            }
            Lock::PaceWithZone(info, zone) => {
                let key = password.zones.get(zone).ok_or(missing)?;
                pace::open(&mut self.channel, &info, &key.pace(), self.random)
            }
            Lock::Bac(zone) => {
                let key = password.zones.get(zone).ok_or(missing)?;
                bac::open(&mut self.channel, key, self.random)
            }
        }
    }

    fn select_application(&mut self) -> Result<(), Setback> {
        // No Le: some chips refuse one.
        let answer = self.channel.send(&Command::new(SELECT, 0x04, 0x0C).with(APPLICATION))?;
        match answer.status {
            Status::OK => Ok(()),
            status => Err(ReadError::NoDocument(status).into()),
        }
    }

    /// Reads EF.CardAccess by each of the ways that chips are known to want.
    ///
    /// Most have the master file selected when they are powered up and take a short identifier, so
    /// that one command brings the file. Vietnamese cards refuse to have the master file selected
    /// (6D00), others refuse everything before it is, by its identifier or by none (ICAO 9303-10,
    /// table 1).
    fn find_card_access(&mut self) -> Result<CardAccess, Setback> {
        let file = FileId::CardAccess;
        let by_short = Command::new(READ_BINARY, 0x80 | file.short_identifier(), 0);
        let by_name = Command::new(SELECT, 0x02, 0x0C).with(file.identifier());
        let master = Command::new(SELECT, 0x00, 0x0C);
        let masters = [None, Some(master.clone().with([0x3F, 0x00])), Some(master)];
        let mut refusal = Status::FILE_NOT_FOUND;
        for master in masters {
            // That the master file cannot be selected says nothing of the file.
            if let Some(master) = &master
                && self.channel.send(master)?.status != Status::OK
            {
                continue;
            }
            for is_by_name in [false, true] {
                let status = match is_by_name {
                    true => self.channel.send(&by_name)?.status,
                    false => Status::OK,
                };
                let first = match status {
                    Status::OK if is_by_name => Command::new(READ_BINARY, 0, 0),
                    Status::OK => by_short.clone(),
                    Status::FILE_NOT_FOUND => continue,
                    status => {
                        refusal = status;
                        continue;
                    }
                };
                match self.read_card_access(first.expecting(MAX_SHORT_ANSWER))? {
                    Ok(infos) => return Ok(CardAccess::Read(infos)),
                    Err(Status::FILE_NOT_FOUND) => {}
                    Err(status) => refusal = status,
                }
            }
            // One that can be selected is the same by every way.
            if master.is_some() {
                break;
            }
        }
        Ok(match refusal {
            Status::FILE_NOT_FOUND => CardAccess::Missing,
            status => CardAccess::Refused(status),
        })
    }

    /// Reads EF.CardAccess from its first command on. What cannot be understood counts as refused.
    fn read_card_access(
        &mut self,
        first: Command,
    ) -> Result<Result<SecurityInfos, Status>, Setback> {
        let answer = self.channel.send(&first)?;
        let mut bytes = answer.data.to_vec();
        let mut status = answer.status;
        while let Ok(total) = tlv::header(&bytes).and_then(|header| header.total())
            && bytes.len() < total
            && total <= MAX_CARD_ACCESS_BYTES
        {
            let [high, low] = (bytes.len() as u16).to_be_bytes();
            let length = (total - bytes.len()).min(MAX_SHORT_ANSWER);
            let answer =
                self.channel.send(&Command::new(READ_BINARY, high, low).expecting(length))?;
            if answer.data.is_empty() {
                status = answer.status;
                break;
            }
            bytes.extend_from_slice(&answer.data);
        }
        // A chip that has the file and garbles it is taken at its word no more than one that
        // refuses it. Nothing is held against it: its owner did not write the file, and what opens
        // instead still has to be proven.
        Ok(SecurityInfos::of_card_access(&bytes).map_err(|_| match status {
            Status::OK => Status::WRONG_DATA,
            status => status,
        }))
    }

    // Files.

    /// Checks that this is the card from which the rest was read.
    fn compare(&mut self) -> Result<(), Setback> {
        let Some(known) = self.reading.files.get(&FileId::Sod) else { return Ok(()) };
        if known.bytes.len() < COMPARED_FROM + COMPARED_BYTES && !known.is_whole() {
            // Too little to compare: nothing but this has been read, and it is read again.
            self.reading.counts.bytes_reread += known.bytes.len() as u64;
            self.reading.files.remove(&FileId::Sod);
            return Ok(());
        }
        let mut from = COMPARED_FROM.min(known.bytes.len().saturating_sub(COMPARED_BYTES));
        let until = known.bytes.len().min(from + COMPARED_BYTES);
        let mut expected = SecretBytes::from(&known.bytes[from..until]);
        while !expected.is_empty() {
            let length = expected.len().min(self.most());
            let answer = self.read_at(FileId::Sod, from, length)?;
            let read = answer.data.len();
            self.reading.counts.bytes_of_files += read as u64;
            self.reading.counts.bytes_reread += read as u64;
            // A card that gives nothing has not said that it is another.
            match answer.status {
                _ if read > 0 && expected.starts_with(&answer.data) => {}
                _ if read > 0 => return Err(ReadError::AnotherCard.into()),
                Status::OK | Status::END_OF_FILE => {
                    return Err(ReadError::FileEndsEarly { file: FileId::Sod, read: from }.into());
                }
                status => {
                    return Err(ReadError::FileMissing { file: FileId::Sod, status }.into());
                }
            }
            from += read;
            expected = SecretBytes::from(&expected[read..]);
        }
        Ok(())
    }

    /// Returns the data groups that the security object names, where it is of a kind that we know.
    fn groups(&self) -> Result<Option<Vec<u8>>, ReadError> {
        match Sod::parse(self.reading.file(FileId::Sod).unwrap_or_default()) {
            Ok(object) => Ok(Some(object.groups().collect())),
            Err(ParseError::Unsupported(_)) => Ok(None),
            Err(error @ ParseError::Malformed(_)) => Err(ReadError::SecurityObject(error)),
        }
    }

    /// Reads a file to its end.
    fn file(&mut self, file: FileId) -> Result<(), Setback> {
        while self.reading.is_open(file) {
            let (done, total) = self.reading.progress(file);
            self.tell(Step::Reading { file, done, total })?;
            let most = self.most();
            let length = match total {
                Some(total) => (total - done).min(most),
                None if self.manner.is_exact => HEADER_BYTES.saturating_sub(done).max(1),
                None => most,
            };
            let answer = match self.read_at(file, done, length) {
                Ok(answer) => answer,
                Err(Setback::Final(error)) => return Err(self.without_answer(error, length)),
                Err(restart) => return Err(restart),
            };
            match answer.status {
                Status::OK | Status::END_OF_FILE if !answer.data.is_empty() => {
                    self.keep(file, done, length, &answer.data)?;
                }
                status => self.refused(file, done, length, status)?,
            }
        }
        Ok(())
    }

    /// Reads EF.COM, and goes on without it where it is broken: nothing is concluded from it.
    ///
    /// Nor is it concluded how much the card carries: a file that ends early looks like a length that
    /// fails.
    fn com(&mut self) -> Result<(), Setback> {
        let lengths = (self.manner, self.reading.at_most);
        let outcome = self.file(FileId::Com);
        let is_over = !matches!(outcome, Err(Setback::Restart));
        if is_over && self.reading.file(FileId::Com).is_none() {
            (self.manner, self.reading.at_most) = lengths;
        }
        match outcome {
            Err(Setback::Final(
                ReadError::FileTooLong { .. }
                | ReadError::FileMalformed { .. }
                | ReadError::FileEndsEarly { .. },
            )) => {
                self.reading.files.remove(&FileId::Com);
                self.reading.unread.push((FileId::Com, Status::WRONG_DATA));
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Returns how many bytes of a file are asked for at once.
    fn most(&self) -> usize {
        let length = self.manner.length().min(self.reading.at_most.unwrap_or(usize::MAX));
        match self.channel.session().map(SecureMessaging::cipher) {
            // What is short stays so under a cipher with longer blocks.
            Some(cipher) if !self.manner.is_extended() => {
                length.min(SecureMessaging::max_short_answer(cipher))
            }
            _ => length,
        }
    }

    /// Reads a piece of a file, by the way that its offset needs.
    fn read_at(&mut self, file: FileId, offset: usize, length: usize) -> Result<Response, Setback> {
        let is_near = offset <= 0xFF;
        if self.current != Some(file) && (self.manner.selects || !is_near) {
            let select = Command::new(SELECT, 0x02, 0x0C).with(file.identifier());
            let answer = self.channel.send(&select)?;
            if answer.status != Status::OK {
                return Ok(Response::of(answer.status));
            }
            self.current = Some(file);
        }
        if offset >= FAR_OFFSET {
            return self.read_far(offset, length);
        }
        let [high, low] = (offset as u16).to_be_bytes();
        let high = match self.current == Some(file) {
            true => high,
            false => 0x80 | file.short_identifier(),
        };
        let answer = self.channel.send(&Command::new(READ_BINARY, high, low).expecting(length))?;
        if !answer.data.is_empty() {
            // A short identifier selects its file too.
            self.short_identifiers_work |= self.current != Some(file);
            self.current = Some(file);
        }
        Ok(answer)
    }

    /// Reads behind 32 KB: the offset stands in the data, and the answer in an element whose
    /// header counts as expected too (ICAO 9303-10, 3.6.6).
    fn read_far(&mut self, offset: usize, length: usize) -> Result<Response, Setback> {
        // The smallest room for a header leaves the answer within what may be asked for.
        let length = length.min(self.most().saturating_sub(4)).max(1);
        let header = match length {
            0..=0x7F => 2,
            0x80..=0xFF => 3,
            _ => 4,
        };
        let offset = (offset as u32).to_be_bytes();
        let zeros = offset.iter().take(2).take_while(|byte| **byte == 0).count();
        let data = tlv::element(0x54, &offset[zeros..]);
        let command = Command::new(READ_BINARY_ODD, 0, 0).with(data).expecting(length + header);
        let mut answer = self.channel.send(&command)?;
        if answer.data.is_empty() {
            return Ok(answer);
        }
        let content = tlv::only(&answer.data, 0x53).map(|element| SecretBytes::from(element.value));
        // What is no such element counts as no data: it is not asked for again in this way.
        answer.data = content.unwrap_or_default();
        Ok(answer)
    }

    /// Keeps a piece that was read.
    fn keep(
        &mut self,
        file: FileId,
        done: usize,
        asked: usize,
        data: &[u8],
    ) -> Result<(), ReadError> {
        let malformed = |error| ReadError::FileMalformed { file, error };
        if data.len() > asked {
            return Err(malformed(Malformed("more bytes than asked for")));
        }
        let partial = self.reading.files.entry(file).or_default();
        let mut bytes = std::mem::take(&mut partial.bytes);
        bytes.extend(data);
        if partial.total.is_none() {
            match tlv::header(&bytes).and_then(|header| Ok((header.tag, header.total()?))) {
                Ok((tag, _)) if tag != file.tag() => {
                    return Err(malformed(Malformed("another tag than the file's")));
                }
                Ok((_, claimed)) if claimed > MAX_FILE_BYTES => {
                    return Err(ReadError::FileTooLong { file, claimed });
                }
                Ok((_, total)) => {
                    // In one piece, so that the file grows without moving. What is reserved is
                    // bounded above, whatever the card claims.
                    let mut roomy = SecretBytes::with_capacity(total.max(bytes.len()));
                    roomy.extend(&bytes);
                    bytes = roomy;
                    partial.total = Some(total);
                }
                Err(error) if bytes.len() >= MAX_HEADER_BYTES => return Err(malformed(error)),
                Err(_) => {}
            }
        }
        if let Some(total) = partial.total {
            // Chips fill files up; what stands behind the element is not of it.
            bytes.truncate(total);
        }
        self.reading.counts.bytes_of_files += (bytes.len() - done) as u64;
        partial.bytes = bytes;
        self.reading.losses_in_vain = 0;
        self.reading.carried = self.reading.carried.max(data.len());
        // A short file shows nothing of what is carried, and a whole answer everything.
        if data.len() == self.most() && !self.reading.is_cautious {
            self.lengths.remember(&self.identity, self.manner);
        }
        let all: usize = self
            .reading
            .files
            .values()
            .map(|partial| partial.total.unwrap_or(partial.bytes.len()))
            .sum();
        if all > MAX_READING_BYTES { Err(ReadError::ReadingTooLong) } else { Ok(()) }
    }

    /// Decides what a chip wants that answers without data.
    fn refused(
        &mut self,
        file: FileId,
        done: usize,
        asked: usize,
        status: Status,
    ) -> Result<(), Setback> {
        let is_missing = match status {
            Status::ACCESS_DENIED => true,
            Status::FILE_NOT_FOUND => self.short_identifiers_work || self.manner.selects,
            _ => false,
        };
        if is_missing {
            return match file {
                FileId::Sod | FileId::Dg(1) => Err(ReadError::FileMissing { file, status }.into()),
                _ => {
                    self.reading.unread.push((file, status));
                    Ok(())
                }
            };
        }
        if let Some(right) = status.right_length().filter(|right| *right < asked) {
            // It says itself what it wants. Each time it has to be less, so that this ends.
            self.reading.at_most = Some(right);
            return Ok(());
        }
        let is_at_start = done == 0;
        if status == Status::WRONG_LENGTH && self.manner.is_extended() {
            self.take_less();
        } else if is_at_start && !self.manner.is_exact && status != Status::FILE_NOT_FOUND {
            self.manner.is_exact = true;
        } else if is_at_start && !self.manner.selects && !self.short_identifiers_work {
            self.manner.selects = true;
        } else if !self.take_less() {
            return Err(ReadError::FileEndsEarly { file, read: done }.into());
        }
        Ok(())
    }

    /// Decides what to do after a read that had no answer, or none that is believed: a chip that
    /// cannot take a length often forgets its session over it, and a reader swallows the answer.
    ///
    /// A length that the card does not name is taken for failed only when it fails again. One bad
    /// moment of the field looks the same, and what is found out here is remembered of every card of
    /// the kind.
    fn without_answer(&mut self, error: ReadError, asked: usize) -> Setback {
        let is_length = is_break(&error) && asked > self.reading.carried;
        if !is_length {
            return Setback::Final(error);
        }
        let length = self.manner.length();
        let is_named =
            matches!(error, ReadError::SecureMessaging(Broken::NotProtected(Status::WRONG_LENGTH)));
        if !is_named && self.reading.failed_length != Some(length) {
            self.reading.failed_length = Some(length);
            return Setback::Restart;
        }
        match self.take_less() {
            true => Setback::Restart,
            false => Setback::Final(error),
        }
    }

    /// Asks for less from now on. Returns whether there is less to ask for.
    fn take_less(&mut self) -> bool {
        let Some(smaller) = self.manner.smaller() else { return false };
        self.manner = smaller;
        true
    }

    // Proofs.

    /// Has the chip prove that it holds the key of data group 14.
    fn authenticate_chip(&mut self) -> Result<(), Setback> {
        if self.reading.chip_authentication != ChipAuthentication::NotDone {
            return Ok(());
        }
        let Some(file) = self.reading.file(FileId::Dg(14)) else { return Ok(()) };
        let offer = match SecurityInfos::of_data_group_14(file) {
            Ok(infos) => Offer::best(&infos),
            Err(error) => {
                self.reading.chip_authentication = ChipAuthentication::Failed(error.into());
                return Ok(());
            }
        };
        let Some(offer) = offer else {
            self.reading.chip_authentication = ChipAuthentication::NotOffered;
            return Ok(());
        };
        let result = match self.reading.losses_in_vain >= MAX_LOSSES_OVER_PROOF {
            true => Err(ChannelError::Card(CardError::Lost).into()),
            false => {
                self.begin_proof()?;
                let result = offer.run(&mut self.channel, self.random);
                self.count(Account::Proof);
                match result {
                    Err(ChipAuthenticationError::Channel(error)) => self.after_break(error)?,
                    // It looks like a copy; so does a chip that forgot its session just now.
                    Err(ChipAuthenticationError::WrongKey(error @ Broken::NotProtected(_))) => {
                        self.after_break(error.into())?;
                    }
                    _ => {}
                }
                result
            }
        };
        // The new session reads from no file yet.
        self.current = None;
        self.reading.chip_authentication = match result {
            Ok(()) => ChipAuthentication::Proven,
            Err(error) => ChipAuthentication::Failed(error),
        };
        // After a failure nobody knows which session the chip is in.
        result.map_err(|_| Setback::Restart)
    }

    /// Has the chip sign a challenge with the key of data group 15.
    fn authenticate_actively(&mut self) -> Result<(), Setback> {
        if self.reading.active_authentication != ActiveAuthentication::NotDone {
            return Ok(());
        }
        let Some(file) = self.reading.file(FileId::Dg(15)) else { return Ok(()) };
        let key = match active_authentication::public_key(file) {
            Ok(key) => key,
            Err(error) => {
                self.reading.active_authentication = ActiveAuthentication::NoKey(error);
                return Ok(());
            }
        };
        let expected = active_authentication::signature_bytes(&key);
        let cipher = self.channel.session().map(SecureMessaging::cipher);
        let is_long =
            cipher.is_none_or(|cipher| expected > SecureMessaging::max_short_answer(cipher));
        // What the reader says of itself decides. That long reads failed does not: a copy may refuse
        // them, so as not to be asked for the signature that it does not have.
        let futile = if self.reading.losses_in_vain >= MAX_LOSSES_OVER_PROOF {
            Some(AskError::from(ChannelError::Card(CardError::Lost)))
        } else if is_long && !length::is_carried(expected, self.reader_limit) {
            Some(AskError::TooLong)
        } else {
            None
        };
        if let Some(error) = futile {
            self.reading.active_authentication = ActiveAuthentication::Failed(error);
            return Ok(());
        }
        self.begin_proof()?;
        let result = active_authentication::ask(&mut self.channel, expected, self.random);
        self.count(Account::Proof);
        // A length is no accident, which another try would mend.
        let is_new = is_long && expected > self.reading.carried;
        let refused = match result {
            Err(AskError::Channel(error)) => refused_length(error, is_new),
            _ => None,
        };
        if let (Err(AskError::Channel(error)), None) = (&result, refused) {
            self.after_break(*error)?;
        }
        let has_broken = matches!(result, Err(AskError::Channel(_)));
        self.reading.active_authentication = match (result, refused) {
            (Ok(answer), _) => ActiveAuthentication::Answered(answer),
            (Err(_), Some(error)) | (Err(error), None) => ActiveAuthentication::Failed(error),
        };
        if has_broken { Err(Setback::Restart) } else { Ok(()) }
    }

    /// Decides whether a proof that had no answer is tried again: a card that is gone, or that only
    /// forgot its session, has said nothing of what it can prove.
    fn after_break(&self, error: ChannelError) -> Result<(), ReadError> {
        let error = ReadError::from(error);
        let has_refused = is_break(&error) && self.reading.breaks >= MAX_BREAKS;
        if has_refused { Ok(()) } else { Err(error) }
    }

    fn begin_proof(&mut self) -> Result<(), ReadError> {
        self.tell(Step::Proving)?;
        self.count(Account::Files);
        Ok(())
    }
}

/// Whether an error may be an accident, or speak of a length: an answer in plain, or none.
fn is_break(error: &ReadError) -> bool {
    matches!(error, ReadError::SecureMessaging(Broken::NotProtected(_)) | ReadError::ReaderRefuses)
}

/// Returns why a proof failed whose command had no answer, where it is its length that was refused:
/// by the card, which ended the session over it, or by the reader, which has not carried so much
/// before (`is_new`).
fn refused_length(error: ChannelError, is_new: bool) -> Option<AskError> {
    match error {
        ChannelError::Broken(Broken::NotProtected(status @ Status::WRONG_LENGTH)) => {
            Some(AskError::Refused(status))
        }
        ChannelError::Card(CardError::Refused) if is_new => Some(error.into()),
        _ => None,
    }
}

/// Returns the refusal that says more: a wrong password is what an officer can mend.
fn more_telling(known: Option<AccessError>, new: AccessError) -> AccessError {
    match known {
        Some(known @ AccessError::WrongPassword(_)) => known,
        _ => new,
    }
}
