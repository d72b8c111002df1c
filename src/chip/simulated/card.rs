//! The simulated chip: what it answers to each command (ICAO 9303-10, section 3, and 9303-11).
//!
//! It behaves as Vietnamese identity cards do as far as that is known: it has no master file to
//! select, EF.CardAccess can be read before anything else, fingerprints cannot be read at all.
//! Its nonces follow from a seed, so that a run can be repeated; nothing here protects anything.

use std::borrow::Cow;
use std::time::Duration;

use super::contents::Contents;
use super::drawn::Drawn;
use super::fault::Fault;
use super::keys;
use crate::chip::apdu::{
    APPLICATION, Command, GENERAL_AUTHENTICATE, MANAGE_SECURITY_ENVIRONMENT, READ_BINARY,
    READ_BINARY_ODD, Response, SELECT, Status,
};
use crate::chip::bac;
use crate::chip::files::FileId;
use crate::chip::pace::{ChipAnswer, ChipSide, Wish};
use crate::chip::password::{Can, MrzKey, PacePassword};
use crate::chip::secret::{Randomness, SecretBytes};
use crate::chip::secure_messaging::SecureMessaging;
use crate::chip::security_infos::{ChipAuthenticationInfo, KeyKind, PaceInfo, SecurityInfos};
use crate::chip::symmetric::{Cipher, SessionKeys};
use crate::chip::tlv::{self, Elements};
use crate::chip::{Card, CardError, CardIdentity};

/// How long an answer is waited for where the card is spoken to in this program. Nobody really waits.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);

/// The longest data of an answer: with its protection it has to fit the protocol of the virtual
/// reader, whose lengths have two bytes.
const LONGEST_ANSWER: usize = 60_000;

/// Instructions that only one protocol has (ISO 7816-4).
const EXTERNAL_AUTHENTICATE: u8 = 0x82;
const GET_CHALLENGE: u8 = 0x84;
const INTERNAL_AUTHENTICATE: u8 = 0x88;
const GET_RESPONSE: u8 = 0xC0;

/// What the chip does with a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reaction {
    /// It answers.
    Answer {
        /// The whole answer, with its status bytes.
        bytes: Vec<u8>,
        /// How long it takes.
        after: Duration,
    },
    /// It has left the field.
    Gone,
}

/// A chip that is a program.
pub struct SimulatedCard {
    contents: Contents,
    faults: Vec<Fault>,
    random: Drawn,
    reader_limit: Option<usize>,
    /// Commands since it was made.
    commands: u32,
    is_here: bool,
    session: Session,
}

/// What is forgotten when the power goes.
#[derive(Default)]
struct Session {
    /// Whether the application is selected.
    is_in_application: bool,
    /// The file that is selected.
    file: Option<FileId>,
    /// The challenge for BAC.
    challenge: Option<bac::Nonce>,
    /// PACE, while it goes on.
    pace: Option<ChipSide>,
    /// Whether chip authentication was chosen.
    is_agreeing: bool,
    messaging: Option<SecureMessaging>,
    /// The session that begins behind the next answer.
    next: Option<SecureMessaging>,
    /// What GET RESPONSE has still to hand out, with its status.
    waiting: Vec<u8>,
}

impl SimulatedCard {
    /// Returns a chip with these files and secrets, and nothing wrong with it.
    pub fn new(contents: Contents) -> SimulatedCard {
        SimulatedCard::with_faults(contents, &[])
    }

    /// Returns a chip with these faults.
    pub fn with_faults(contents: Contents, faults: &[Fault]) -> SimulatedCard {
        SimulatedCard {
            contents,
            faults: faults.to_vec(),
            random: Drawn::new(0, "nonces of a simulated chip"),
            reader_limit: None,
            commands: 0,
            is_here: true,
            session: Session::default(),
        }
    }

    /// Puts the chip on a reader that says how much it can carry, see [`Card::reader_limit`].
    #[must_use]
    pub fn on_reader_of(mut self, bytes: usize) -> SimulatedCard {
        self.reader_limit = Some(bytes);
        self
    }

    /// Returns what is on the card.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Returns how many commands there have been, those that were not answered too.
    pub fn commands(&self) -> u32 {
        self.commands
    }

    /// Forgets every session.
    pub fn power_up(&mut self) {
        self.session = Session::default();
    }

    /// Returns the answer to reset, in the form of PC/SC part 3, 3.1.3.2.3.1, for cards without
    /// contacts.
    pub fn atr(&self) -> Vec<u8> {
        const HISTORICAL: &[u8] = b"FCSIM";
        let mut atr = vec![0x3B, 0x80 | HISTORICAL.len() as u8, 0x80, 0x01];
        atr.extend_from_slice(HISTORICAL);
        atr.push(atr[1..].iter().fold(0, |sum, byte| sum ^ byte));
        atr
    }

    /// Does what the chip does with a command.
    pub fn react(&mut self, command: &[u8]) -> Reaction {
        self.commands += 1;
        let now = Some(self.commands);
        let fault = self.faults.iter().find(|fault| fault.at() == now).copied();
        let mut after = Duration::ZERO;
        let bytes = match fault {
            Some(Fault::Cut { .. } | Fault::Leave { .. }) => {
                self.is_here = false;
                self.power_up();
                return Reaction::Gone;
            }
            Some(Fault::Stub { .. }) => vec![0x90],
            Some(Fault::Status { status, .. }) => status.to_be_bytes().to_vec(),
            Some(Fault::Unprotected { .. }) => {
                self.power_up();
                Response::of(Status::PROTECTION_WRONG).encode()
            }
            Some(Fault::WrongMac { .. }) => {
                let mut bytes = self.in_pieces(command);
                // The last byte of the MAC stands before the two of the status.
                if let Some(last) = bytes.iter_mut().rev().nth(2) {
                    *last ^= 0x01;
                }
                bytes
            }
            Some(Fault::Slow { time, .. }) => {
                after = time;
                self.in_pieces(command)
            }
            _ => self.in_pieces(command),
        };
        Reaction::Answer { bytes, after }
    }

    /// Hands long answers out in pieces where the card does so (ISO 7816-4, 5.3.4).
    fn in_pieces(&mut self, command: &[u8]) -> Vec<u8> {
        let piece = self.faults.iter().find_map(|fault| match fault {
            Fault::Pieces { bytes } => Some(usize::from(*bytes).max(1)),
            _ => None,
        });
        let Some(piece) = piece else { return self.answer(command) };
        if command.get(1) == Some(&GET_RESPONSE) && !self.session.waiting.is_empty() {
            let left = self.session.waiting.len() - 2;
            let mut bytes: Vec<u8> = self.session.waiting.drain(..piece.min(left)).collect();
            if left > piece {
                bytes.extend([0x61, (left - piece).min(piece) as u8]);
            } else {
                bytes.append(&mut self.session.waiting);
            }
            return bytes;
        }
        let answer = self.answer(command);
        let length = answer.len() - 2;
        if length <= piece {
            return answer;
        }
        self.session.waiting = answer;
        vec![0x61, piece as u8]
    }

    /// Takes a command out of its protection, and protects the answer to it.
    fn answer(&mut self, bytes: &[u8]) -> Vec<u8> {
        let Ok(command) = Command::decode(bytes) else {
            return Response::of(Status::WRONG_LENGTH).encode();
        };
        if command.is_extended() && self.has(Fault::NoExtended) {
            return Response::of(Status::WRONG_LENGTH).encode();
        }
        let is_protected = command.class & Command::SECURED == Command::SECURED;
        let Some(mut messaging) = self.session.messaging.take().filter(|_| is_protected) else {
            // A session ends at the first command outside it (ICAO 9303-11, 9.8.3).
            let status = Status::PROTECTION_WRONG;
            let response = if is_protected { Response::of(status) } else { self.obey(&command) };
            self.session.messaging = self.session.next.take();
            return response.encode();
        };
        let plain = match messaging.open_command(&command) {
            Ok(plain) => plain,
            Err(broken) => return Response::of(broken.status()).encode(),
        };
        self.session.messaging = Some(messaging);
        let response = self.obey(&plain);
        let Some(mut messaging) = self.session.messaging.take() else {
            return Response::of(Status::CONDITIONS_NOT_MET).encode();
        };
        let answer = messaging.protect_response(&response, plain.instruction);
        self.session.messaging = Some(self.session.next.take().unwrap_or(messaging));
        answer.unwrap_or_else(|_| Response::of(Status::WRONG_LENGTH)).encode()
    }

    /// Does what a command in plain asks for.
    fn obey(&mut self, command: &Command) -> Response {
        if command.class & !Command::CHAINED != 0 {
            return Response::of(Status::UNKNOWN_CLASS);
        }
        let answer = match (command.instruction, command.parameters) {
            (SELECT, [0x00, _]) => self.select_master_file(),
            (SELECT, [0x04, _]) => self.select_application(&command.data),
            (SELECT, [0x02, _]) => self.select_file(&command.data),
            (READ_BINARY, parameters) => self.read(parameters, command.expected),
            (READ_BINARY_ODD, parameters) => self.read_odd(parameters, command),
            (GET_CHALLENGE, _) => self.give_challenge(command.expected),
            (EXTERNAL_AUTHENTICATE, _) => self.open_by_zone(&command.data),
            (MANAGE_SECURITY_ENVIRONMENT, [0xC1, 0xA4]) => self.choose_pace(&command.data),
            (MANAGE_SECURITY_ENVIRONMENT, [0x41, 0xA4]) => self.choose_agreement(&command.data),
            (MANAGE_SECURITY_ENVIRONMENT, [0x41, 0xA6]) => self.agree_at_once(&command.data),
            (GENERAL_AUTHENTICATE, _) => self.go_on(&command.data),
            (INTERNAL_AUTHENTICATE, _) => self.sign(&command.data),
            _ => Err(Status::UNKNOWN_INSTRUCTION),
        };
        answer.unwrap_or_else(Response::of)
    }

    fn select_master_file(&mut self) -> Result<Response, Status> {
        if !self.has(Fault::KnowsMf) {
            return Err(Status::UNKNOWN_INSTRUCTION);
        }
        self.session.is_in_application = false;
        self.session.file = None;
        done()
    }

    fn select_application(&mut self, name: &[u8]) -> Result<Response, Status> {
        if name != APPLICATION {
            return Err(Status::FILE_NOT_FOUND);
        }
        self.session.is_in_application = true;
        self.session.file = None;
        done()
    }

    fn select_file(&mut self, identifier: &[u8]) -> Result<Response, Status> {
        let file = self.find(|file| file.identifier() == identifier)?;
        self.choose(file)?;
        done()
    }

    fn find(&self, is_it: impl Fn(&FileId) -> bool) -> Result<FileId, Status> {
        let file = self.contents.files.keys().copied().find(is_it).ok_or(Status::FILE_NOT_FOUND)?;
        let is_there = !self.has(Fault::Missing { file })
            && (file == FileId::CardAccess) != self.session.is_in_application;
        if is_there { Ok(file) } else { Err(Status::FILE_NOT_FOUND) }
    }

    /// Selects a file if it may be read now.
    fn choose(&mut self, file: FileId) -> Result<(), Status> {
        // Fingerprints are for those who have proved who they are, by terminal authentication.
        let is_open = file == FileId::CardAccess
            || (self.session.messaging.is_some() && file != FileId::Dg(3));
        if !is_open {
            return Err(Status::ACCESS_DENIED);
        }
        self.session.file = Some(file);
        Ok(())
    }

    fn read(&mut self, [p1, p2]: [u8; 2], expected: Option<usize>) -> Result<Response, Status> {
        let offset = if p1 & 0x80 != 0 {
            if self.has(Fault::NoShortNames) {
                return Err(Status::FILE_NOT_FOUND);
            }
            self.choose(self.find(|file| file.short_identifier() == p1 & 0x1F)?)?;
            usize::from(p2)
        } else {
            usize::from(u16::from_be_bytes([p1, p2]))
        };
        let (data, status) = self.take(offset, expected.ok_or(Status::WRONG_LENGTH)?)?;
        Ok(Response { data: data.into(), status })
    }

    /// READ BINARY with the offset and the answer in elements, for what stands beyond 32,767.
    fn read_odd(&mut self, [p1, p2]: [u8; 2], command: &Command) -> Result<Response, Status> {
        match [p1, p2] {
            [0, 0] => {}
            [0, short @ 1..=0x1F] => {
                self.choose(self.find(|file| file.short_identifier() == short)?)?;
            }
            identifier => self.choose(self.find(|file| file.identifier() == identifier)?)?,
        }
        let offset = tlv::only(&command.data, 0x54).map_err(|_| Status::WRONG_DATA)?.value;
        if offset.len() > 4 {
            return Err(Status::WRONG_PARAMETERS);
        }
        let offset = offset.iter().fold(0, |offset, byte| offset << 8 | usize::from(*byte));
        let expected = command.expected.ok_or(Status::WRONG_LENGTH)?;
        // What is expected counts the header of the element too: tag, and one to three of length.
        let header = match expected {
            0..=0x81 => 2,
            0x82..=0x102 => 3,
            _ => 4,
        };
        let (data, status) = self.take(offset, expected.saturating_sub(header))?;
        Ok(Response { data: tlv::element(0x53, &data).into(), status })
    }

    /// Returns what stands in the selected file from `offset` on.
    fn take(&self, offset: usize, expected: usize) -> Result<(Vec<u8>, Status), Status> {
        let file = self.session.file.ok_or(Status(0x6986))?;
        let mut most = LONGEST_ANSWER;
        for fault in &self.faults {
            match *fault {
                Fault::LongestRead { bytes } if expected > usize::from(bytes) => {
                    return Err(Status::WRONG_LENGTH);
                }
                Fault::WantsLength { bytes } if expected > usize::from(bytes) => {
                    return Err(Status(0x6C00 | u16::from(bytes)));
                }
                Fault::ShortReads { bytes } => most = usize::from(bytes),
                _ => {}
            }
        }
        if self.has(Fault::Endless { file }) {
            let start = self.bytes_of(file);
            let data = (offset..offset.saturating_add(expected.min(most)))
                .map(|at| start.get(at).copied().unwrap_or(0xA5));
            return Ok((data.collect(), Status::OK));
        }
        let bytes = self.bytes_of(file);
        let rest = bytes.get(offset..).filter(|rest| !rest.is_empty());
        let rest = rest.ok_or(Status::WRONG_PARAMETERS)?;
        let data = rest[..rest.len().min(expected).min(most)].to_vec();
        // Who asks for as much as fits asks for what there is.
        let is_less = rest.len() < expected && expected != 256 && expected != 65_536;
        Ok((data, if is_less { Status::END_OF_FILE } else { Status::OK }))
    }

    /// Returns what a file holds, as the faults have it.
    fn bytes_of(&self, file: FileId) -> Cow<'_, [u8]> {
        let mut bytes = Cow::from(self.contents.files.get(&file).map_or(&[][..], Vec::as_slice));
        for fault in &self.faults {
            match *fault {
                Fault::Flipped { file: flipped, offset } if flipped == file => {
                    if let Some(byte) = bytes.to_mut().get_mut(offset as usize) {
                        *byte ^= 0x01;
                    }
                }
                Fault::Claims { file: claiming, bytes: length } if claiming == file => {
                    bytes = claim(&bytes, length).into();
                }
                Fault::Endless { file: endless } if endless == file => {
                    bytes = claim(&bytes, u32::MAX).into();
                }
                _ => {}
            }
        }
        bytes
    }

    fn give_challenge(&mut self, expected: Option<usize>) -> Result<Response, Status> {
        if !self.contents.has_bac || !self.session.is_in_application {
            return Err(Status::CONDITIONS_NOT_MET);
        }
        let mut challenge = bac::Nonce::default();
        self.random.fill(&mut challenge).map_err(|_| Status::CONDITIONS_NOT_MET)?;
        self.session.challenge = Some(challenge);
        let length = expected.unwrap_or_default().min(challenge.len());
        give(challenge[..length].to_vec())
    }

    fn open_by_zone(&mut self, cryptogram: &[u8]) -> Result<Response, Status> {
        let challenge = self.session.challenge.take().ok_or(Status::CONDITIONS_NOT_MET)?;
        let key = self.zone_key()?;
        let opened = bac::answer(&key, &challenge, cryptogram, &mut self.random);
        let (answer, messaging) = opened.map_err(|_| Status::AUTHENTICATION_FAILED)?;
        if self.has(Fault::RefusesZone) {
            return Err(Status::AUTHENTICATION_FAILED);
        }
        self.session.next = Some(messaging);
        give(answer)
    }

    fn choose_pace(&mut self, data: &[u8]) -> Result<Response, Status> {
        let wish = Wish::read(data).map_err(|_| Status::WRONG_DATA)?;
        let info = self.pace().ok_or(Status::WRONG_DATA)?;
        let is_offered = wish.oid == info.oid()
            && wish.parameter_id.is_none_or(|id| info.parameter_id == Some(id))
            && info.curve().is_ok();
        if !is_offered {
            return Err(Status::WRONG_DATA);
        }
        let (mut password, refusal) = match wish.reference {
            PacePassword::MRZ => (self.zone_key()?.pace(), Fault::RefusesZone),
            PacePassword::CAN => {
                let can = Can::new(&self.contents.can).ok_or(Status::REFERENCE_NOT_FOUND)?;
                (can.pace(), Fault::RefusesCan)
            }
            _ => return Err(Status::REFERENCE_NOT_FOUND),
        };
        if self.has(refusal) {
            password.secret = SecretBytes::from(&b"another"[..]);
        }
        self.session.pace = Some(ChipSide::new(info, &password));
        done()
    }

    /// Returns the way of PACE that the card offers.
    fn pace(&self) -> Option<PaceInfo> {
        let file = self.contents.files.get(&FileId::CardAccess)?;
        SecurityInfos::of_card_access(file).ok()?.pace.first().copied()
    }

    fn choose_agreement(&mut self, data: &[u8]) -> Result<Response, Status> {
        let (cipher, _) = self.agreement()?;
        let info = ChipAuthenticationInfo { kind: KeyKind::Ecdh, cipher, key_id: None };
        let chosen = Elements::new(data).expect(0x80).map_err(|_| Status::WRONG_DATA)?;
        if chosen.value != info.oid() {
            return Err(Status::WRONG_DATA);
        }
        self.session.is_agreeing = true;
        done()
    }

    /// The one step of chip authentication as 3DES has it (ICAO 9303-11, 6.2.4.1).
    fn agree_at_once(&mut self, data: &[u8]) -> Result<Response, Status> {
        let theirs = Elements::new(data).expect(0x91).map_err(|_| Status::WRONG_DATA)?;
        match self.agreement()? {
            (Cipher::TripleDes, _) => self.agree(theirs.value)?,
            _ => return Err(Status::WRONG_DATA),
        }
        done()
    }

    /// A step of PACE, or the second of chip authentication.
    fn go_on(&mut self, data: &[u8]) -> Result<Response, Status> {
        if let Some(mut pace) = self.session.pace.take() {
            return match pace.answer(data, &mut self.random) {
                Ok(ChipAnswer::Next(answer)) => {
                    self.session.pace = Some(pace);
                    give(answer)
                }
                Ok(ChipAnswer::Open(answer, messaging)) => {
                    self.session.next = Some(messaging);
                    give(answer)
                }
                Err(_) => Err(Status::AUTHENTICATION_FAILED),
            };
        }
        if !std::mem::take(&mut self.session.is_agreeing) {
            return Err(Status::CONDITIONS_NOT_MET);
        }
        let theirs = tlv::only(data, 0x7C)
            .and_then(|whole| whole.children().expect(0x80))
            .map_err(|_| Status::WRONG_DATA)?;
        self.agree(theirs.value)?;
        give(tlv::element(0x7C, &[]))
    }

    /// Agrees on the keys of a new session, which begins behind the answer.
    fn agree(&mut self, theirs: &[u8]) -> Result<(), Status> {
        let (cipher, seed) = self.agreement()?;
        let theirs = keys::AGREEMENT.point(theirs).map_err(|_| Status::WRONG_DATA)?;
        let secret = keys::agreement(seed).times(&theirs).map_err(|_| Status::WRONG_DATA)?;
        let keys = SessionKeys::derive(cipher, secret.x());
        self.session.next = Some(SecureMessaging::new(keys));
        Ok(())
    }

    fn agreement(&self) -> Result<(Cipher, u64), Status> {
        if self.session.messaging.is_none() {
            return Err(Status::ACCESS_DENIED);
        }
        self.contents.agreement.ok_or(Status::REFERENCE_NOT_FOUND)
    }

    fn sign(&self, challenge: &[u8]) -> Result<Response, Status> {
        if self.session.messaging.is_none() {
            return Err(Status::ACCESS_DENIED);
        }
        let (active, seed) = self.contents.active.ok_or(Status::REFERENCE_NOT_FOUND)?;
        if challenge.len() != 8 {
            return Err(Status::WRONG_LENGTH);
        }
        let signature = active.sign(seed, challenge).ok_or(Status::CONDITIONS_NOT_MET)?;
        give(signature)
    }

    fn zone_key(&self) -> Result<MrzKey, Status> {
        let [number, birth, expiry] = &self.contents.zone_key;
        MrzKey::new(number, birth, expiry).ok_or(Status::CONDITIONS_NOT_MET)
    }

    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }
}

impl Card for SimulatedCard {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, CardError> {
        if !self.is_here {
            return Err(CardError::Lost);
        }
        match self.react(command) {
            Reaction::Gone => Err(CardError::Lost),
            Reaction::Answer { after, .. } if after > ANSWER_WITHIN => {
                self.is_here = false;
                Err(CardError::TimedOut)
            }
            Reaction::Answer { bytes, .. } if bytes.len() < 2 => Err(CardError::Broken),
            Reaction::Answer { bytes, .. } => Ok(bytes),
        }
    }

    fn reconnect(&mut self, _patience: Duration) -> Result<(), CardError> {
        let has_left = |fault: &Fault| matches!(fault, Fault::Leave { at } if *at <= self.commands);
        if self.faults.iter().any(has_left) {
            return Err(CardError::Lost);
        }
        self.is_here = true;
        self.power_up();
        Ok(())
    }

    fn identity(&self) -> CardIdentity {
        CardIdentity { reader: "Simulated reader".to_owned(), atr: self.atr() }
    }

    fn reader_limit(&self) -> Option<usize> {
        self.reader_limit
    }

    fn is_simulated(&self) -> bool {
        true
    }
}

fn done() -> Result<Response, Status> {
    Ok(Response::of(Status::OK))
}

fn give(data: Vec<u8>) -> Result<Response, Status> {
    Ok(Response { data: data.into(), status: Status::OK })
}

/// Returns the file with another length in its header.
fn claim(file: &[u8], length: u32) -> Vec<u8> {
    let Ok(header) = tlv::header(file) else { return file.to_vec() };
    let tag = header.tag.to_be_bytes();
    let leading = tag.iter().take_while(|byte| **byte == 0).count();
    let length = length.to_be_bytes();
    [&tag[leading..], &[0x84], &length, &file[header.length..]].concat()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::super::contents::Making;
    use super::super::holder::Holder;
    use super::super::issuer::{Algorithms, Issuer};
    use super::super::keys::Active;
    use super::super::portrait::Portrait;
    use super::*;
    use crate::chip::access::AccessError;
    use crate::chip::active_authentication;
    use crate::chip::agreement::Curve;
    use crate::chip::channel::{Channel, ChannelError};
    use crate::chip::chip_authentication::Offer;
    use crate::chip::pace;
    use crate::chip::secret::SystemRandomness;
    use crate::chip::secure_messaging::Broken;
    use crate::chip::security_infos::Mapping;

    fn contents(making: &Making) -> Contents {
        let issuer = Issuer::new(1, Algorithms::Nist);
        Contents::new(&issuer, &Holder::nguyen_van_mau(), making)
    }

    /// Made once: drawing and signing take longer than a test.
    static CONTENTS: LazyLock<Contents> = LazyLock::new(|| {
        contents(&Making { portrait: Portrait::Jpeg(40_000), ..Making::default() })
    });

    fn card(faults: &[Fault]) -> SimulatedCard {
        SimulatedCard::with_faults(CONTENTS.clone(), faults)
    }

    fn select_application() -> Command {
        Command::new(SELECT, 0x04, 0x0C).with(APPLICATION)
    }

    fn select(file: FileId) -> Command {
        Command::new(SELECT, 0x02, 0x0C).with(file.identifier())
    }

    fn read(file: FileId, expected: usize) -> Command {
        Command::new(READ_BINARY, 0x80 | file.short_identifier(), 0).expecting(expected)
    }

    fn zone_key(contents: &Contents) -> MrzKey {
        let [number, birth, expiry] = &contents.zone_key;
        MrzKey::new(number, birth, expiry).expect("a key")
    }

    fn open_by_zone(channel: &mut Channel<'_>, key: &MrzKey) -> Result<(), AccessError> {
        channel.send(&select_application()).expect("an answer");
        bac::open(channel, key, &mut SystemRandomness)
    }

    /// A channel to the card, opened.
    fn opened(card: &mut SimulatedCard) -> Channel<'_> {
        let key = zone_key(&card.contents);
        let mut channel = Channel::new(card, 1_000);
        open_by_zone(&mut channel, &key).expect("access");
        channel
    }

    fn status(channel: &mut Channel<'_>, command: &Command) -> Status {
        channel.send(command).expect("an answer").status
    }

    #[test]
    fn every_password_opens_the_card() {
        let offers = [
            (Cipher::TripleDes, Curve::P256),
            (Cipher::Aes128, Curve::BrainpoolP256),
            (Cipher::Aes192, Curve::BrainpoolP384),
            (Cipher::Aes256, Curve::P521),
        ];
        for (cipher, curve) in offers {
            let parameter_id = Some(curve.parameter_id());
            let info = PaceInfo { mapping: Mapping::EcdhGeneric, cipher, parameter_id };
            let contents = contents(&Making { pace: Some(info), ..Making::default() });
            let can = Can::new(&contents.can).expect("a number").pace();
            for password in [can, zone_key(&contents).pace()] {
                let mut card = SimulatedCard::new(contents.clone());
                let mut channel = Channel::new(&mut card, 1_000);
                pace::open(&mut channel, &info, &password, &mut SystemRandomness).expect("access");
                assert_eq!(status(&mut channel, &select_application()), Status::OK);
                let answer = channel.send(&read(FileId::Dg(1), 256)).expect("an answer");
                assert_eq!(*answer.data, contents.files[&FileId::Dg(1)]);
            }
        }
        let mut card = card(&[]);
        let file = card.contents.files[&FileId::Dg(1)].clone();
        let answer = opened(&mut card).send(&read(FileId::Dg(1), 256)).expect("an answer");
        assert_eq!(*answer.data, file);
    }

    #[test]
    fn wrong_passwords_open_nothing() {
        let mut card = card(&[Fault::RefusesCan, Fault::RefusesZone]);
        let (info, zone) = (card.pace().expect("PACE"), zone_key(&card.contents));
        let can = Can::new(&card.contents.can).expect("a number").pace();
        for password in [can, zone.pace()] {
            let mut channel = Channel::new(&mut card, 1_000);
            let refused = pace::open(&mut channel, &info, &password, &mut SystemRandomness);
            assert!(matches!(refused, Err(AccessError::WrongPassword(_))), "{refused:?}");
        }
        let mut channel = Channel::new(&mut card, 1_000);
        let refused = open_by_zone(&mut channel, &zone);
        assert!(matches!(refused, Err(AccessError::WrongPassword(_))), "{refused:?}");
        assert_eq!(status(&mut channel, &read(FileId::Dg(1), 256)), Status::ACCESS_DENIED);
    }

    #[test]
    fn what_is_open_and_what_is_not_is_as_on_an_identity_card() {
        let mut card = card(&[]);
        let mut channel = Channel::new(&mut card, 1_000);
        let master_file = Command::new(SELECT, 0x00, 0x0C).with([0x3F, 0x00]);
        assert_eq!(status(&mut channel, &master_file), Status::UNKNOWN_INSTRUCTION);
        assert_eq!(status(&mut channel, &select(FileId::CardAccess)), Status::OK);
        assert_eq!(status(&mut channel, &read(FileId::CardAccess, 256)), Status::OK);
        assert_eq!(status(&mut channel, &select(FileId::Dg(1))), Status::FILE_NOT_FOUND);
        assert_eq!(status(&mut channel, &select_application()), Status::OK);
        assert_eq!(status(&mut channel, &select(FileId::Dg(1))), Status::ACCESS_DENIED);
        assert_eq!(status(&mut channel, &select(FileId::CardAccess)), Status::FILE_NOT_FOUND);
        let signing = Command::new(INTERNAL_AUTHENTICATE, 0, 0).with([0; 8]).expecting(256);
        assert_eq!(status(&mut channel, &signing), Status::ACCESS_DENIED);

        let mut channel = opened(&mut card);
        assert_eq!(status(&mut channel, &select(FileId::Dg(3))), Status::ACCESS_DENIED);
        assert_eq!(status(&mut channel, &read(FileId::Dg(3), 256)), Status::ACCESS_DENIED);
        assert_eq!(status(&mut channel, &select(FileId::Dg(11))), Status::FILE_NOT_FOUND);
    }

    #[test]
    fn a_command_outside_the_session_ends_it() {
        let mut card = card(&[]);
        opened(&mut card);
        let plain = read(FileId::Dg(1), 256).encode().expect("a command");
        assert_eq!(card.transmit(&plain), Ok(vec![0x69, 0x82]));
        let mut secured = read(FileId::Dg(1), 256);
        secured.class = Command::SECURED;
        let secured = secured.encode().expect("a command");
        assert_eq!(card.transmit(&secured), Ok(vec![0x69, 0x88]));
    }

    #[test]
    fn files_are_read_from_any_offset_in_any_length() {
        let mut card = card(&[]);
        let file = card.contents.files[&FileId::Dg(2)].clone();
        let mut channel = opened(&mut card);
        assert_eq!(status(&mut channel, &select(FileId::Dg(2))), Status::OK);
        for (offset, length) in [(0, 16), (300, 231), (1_000, 4_096), (32_000, 1_024)] {
            let [p1, p2] = (offset as u16).to_be_bytes();
            let part = Command::new(READ_BINARY, p1, p2).expecting(length);
            let answer = channel.send(&part).expect("an answer");
            assert_eq!(*answer.data, file[offset..offset + length]);
        }
        let odd = |offset: u32, length: usize| {
            let offset = tlv::element(0x54, &offset.to_be_bytes());
            Command::new(READ_BINARY_ODD, 0, 0).with(offset).expecting(length)
        };
        for (offset, length) in [(0_u32, 100), (33_000, 200), (33_000, 2_000)] {
            let answer = channel.send(&odd(offset, length)).expect("an answer");
            let data = tlv::only(&answer.data, 0x53).expect("an element").value;
            assert_eq!(answer.data.len(), length);
            assert_eq!(*data, file[offset as usize..][..data.len()]);
        }
        // At the end of the file.
        let end = file.len() as u32;
        let answer = channel.send(&odd(end - 10, 100)).expect("an answer");
        assert_eq!((answer.data.len(), answer.status), (12, Status::END_OF_FILE));
        assert_eq!(status(&mut channel, &odd(end, 100)), Status::WRONG_PARAMETERS);
    }

    #[test]
    fn a_genuine_card_proves_it_and_a_copy_does_not() {
        for cipher in [Cipher::TripleDes, Cipher::Aes128] {
            let making = Making {
                chip_authentication: Some(cipher),
                active: Some(Active::Rsa),
                ..Making::default()
            };
            let genuine = contents(&making);
            let infos = SecurityInfos::of_data_group_14(&genuine.files[&FileId::Dg(14)]);
            let offer = Offer::best(&infos.expect("infos")).expect("an offer");
            let proves = |contents: Contents| {
                let key = active_authentication::public_key(&contents.files[&FileId::Dg(15)]);
                let expected = active_authentication::signature_bytes(&key.expect("a key"));
                let mut card = SimulatedCard::new(contents);
                let mut channel = opened(&mut card);
                let mut random = SystemRandomness;
                let answer = active_authentication::ask(&mut channel, expected, &mut random);
                (answer.is_ok(), offer.run(&mut channel, &mut random).is_ok())
            };
            assert_eq!(proves(genuine.clone()), (true, true), "{cipher:?}");
            assert_eq!(proves(genuine.copied()), (false, false), "{cipher:?}");
            // It answers the challenge, with a signature that is not the card's.
            assert_eq!(proves(genuine.copied_with_other_keys()), (true, false), "{cipher:?}");
        }
    }

    #[test]
    fn each_fault_does_what_it_says() {
        let first = |faults: &[Fault], command: &Command| {
            let mut card = card(faults);
            // Access takes three commands: this is the fourth.
            let answer = opened(&mut card).send(command);
            answer.map(|answer| (answer.data.len(), answer.status))
        };
        let dg2 = read(FileId::Dg(2), 256);
        let long = read(FileId::Dg(2), 2_000);
        let at = 4;
        let lost = Err(ChannelError::Card(CardError::Lost));
        for fault in [Fault::Cut { at }, Fault::Leave { at }] {
            assert_eq!(first(&[fault], &dg2), lost);
        }
        let time = Duration::from_secs(60);
        let timed_out = Err(ChannelError::Card(CardError::TimedOut));
        assert_eq!(first(&[Fault::Slow { at, time }], &dg2), timed_out);
        let time = Duration::from_secs(1);
        assert_eq!(first(&[Fault::Slow { at, time }], &dg2), Ok((256, Status::OK)));
        assert_eq!(
            first(&[Fault::WrongMac { at }], &dg2),
            Err(ChannelError::Broken(Broken::WrongMac))
        );
        assert!(matches!(
            first(&[Fault::Unprotected { at }], &dg2),
            Err(ChannelError::Broken(Broken::NotProtected(Status::PROTECTION_WRONG)))
        ));
        assert_eq!(first(&[Fault::Stub { at }], &dg2), Err(ChannelError::Card(CardError::Broken)));
        assert!(matches!(
            first(&[Fault::Status { at, status: 0x6F00 }], &dg2),
            Err(ChannelError::Broken(Broken::NotProtected(Status(0x6F00))))
        ));
        assert_eq!(first(&[Fault::Pieces { bytes: 100 }], &long), Ok((2_000, Status::OK)));
        assert_eq!(first(&[Fault::WantsLength { bytes: 100 }], &dg2), Ok((0, Status(0x6C64))));
        assert_eq!(first(&[Fault::ShortReads { bytes: 100 }], &dg2), Ok((100, Status::OK)));
        assert!(matches!(
            first(&[Fault::NoExtended], &long),
            Err(ChannelError::Broken(Broken::NotProtected(Status::WRONG_LENGTH)))
        ));
        assert_eq!(first(&[Fault::NoExtended], &read(FileId::Dg(2), 200)), Ok((200, Status::OK)));
        let longest = [Fault::LongestRead { bytes: 1_024 }];
        assert_eq!(first(&longest, &long), Ok((0, Status::WRONG_LENGTH)));
        assert_eq!(first(&longest, &read(FileId::Dg(2), 1_024)), Ok((1_024, Status::OK)));
        assert_eq!(first(&[Fault::NoShortNames], &dg2), Ok((0, Status::FILE_NOT_FOUND)));
        let file = FileId::Dg(2);
        assert_eq!(first(&[Fault::Missing { file }], &dg2), Ok((0, Status::FILE_NOT_FOUND)));

        let bytes = |faults: &[Fault], command: &Command| {
            let mut card = card(faults);
            opened(&mut card).send(command).expect("an answer").data.to_vec()
        };
        let right = bytes(&[], &dg2);
        let mut flipped = bytes(&[Fault::Flipped { file, offset: 99 }], &dg2);
        flipped[99] ^= 0x01;
        assert_eq!(flipped, right);
        let claiming = bytes(&[Fault::Claims { file, bytes: 3_000_000_000 }], &dg2);
        let header = tlv::header(&claiming).expect("a header");
        assert_eq!((header.tag, header.content), (0x75, 3_000_000_000));
        let mut card = card(&[Fault::Endless { file }]);
        let mut channel = opened(&mut card);
        assert_eq!(status(&mut channel, &select(file)), Status::OK);
        let far = Command::new(READ_BINARY_ODD, 0, 0).with(tlv::element(0x54, &[0xFF; 4]));
        let answer = channel.send(&far.expecting(200)).expect("an answer");
        assert_eq!((answer.data.len(), answer.status), (200, Status::OK));
    }

    proptest! {
        #[test]
        fn any_commands_are_answered_without_a_panic(
            commands in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..8),
            instruction in prop::sample::select(vec![
                MANAGE_SECURITY_ENVIRONMENT, EXTERNAL_AUTHENTICATE, GENERAL_AUTHENTICATE, SELECT, READ_BINARY,
                READ_BINARY_ODD, GET_RESPONSE,
            ]),
            piece in 0_u8..3,
        ) {
            let mut card = card(&[Fault::Pieces { bytes: piece }]);
            card.react(&select_application().encode().expect("a command"));
            for mut command in commands {
                card.react(&command);
                // The same with an instruction that the card knows.
                if let [class, second, ..] = &mut command[..] {
                    (*class, *second) = (0x00, instruction);
                }
                prop_assert_ne!(card.react(&command), Reaction::Gone);
            }
        }
    }

    #[test]
    fn a_card_that_was_cut_comes_back_and_one_that_left_does_not() {
        let command = select_application().encode().expect("a command");
        let mut cut = card(&[Fault::Cut { at: 2 }]);
        assert_eq!(cut.transmit(&command), Ok(vec![0x90, 0x00]));
        assert_eq!(cut.transmit(&command), Err(CardError::Lost));
        assert_eq!(cut.transmit(&command), Err(CardError::Lost));
        assert_eq!(cut.reconnect(Duration::ZERO), Ok(()));
        assert_eq!(cut.transmit(&command), Ok(vec![0x90, 0x00]));

        let mut left = card(&[Fault::Leave { at: 2 }]);
        assert_eq!(left.transmit(&command), Ok(vec![0x90, 0x00]));
        assert_eq!(left.transmit(&command), Err(CardError::Lost));
        assert_eq!(left.reconnect(Duration::ZERO), Err(CardError::Lost));
    }
}
