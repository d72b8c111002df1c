//! A card for the tests of reading: small, obedient, and with one fault at a time.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use super::super::agreement::Curve;
use super::super::apdu::{Command, Response, Status};
use super::super::certificate::Certificate;
use super::super::chip_authentication::ChipKey;
use super::super::curves::{self, SigningKey};
use super::super::hash::HashAlgorithm;
use super::super::issue::{self, testing::State};
use super::super::password::{Can, MrzKey, PacePassword, Password};
use super::super::public_key::PublicKey;
use super::super::secret::SystemRandomness;
use super::super::secure_messaging::SecureMessaging;
use super::super::security_infos::{
    ChipAuthenticationInfo, ChipAuthenticationKey, KeyKind, Mapping, PaceInfo, encode_set,
};
use super::super::symmetric::Cipher;
use super::super::{Card, CardError, CardIdentity, bac, pace, tlv};
use super::FileId;

pub const CAN: &str = "999901";

pub fn zone() -> MrzKey {
    MrzKey::new("088999901", "880302", "280302").expect("a key")
}

pub fn can() -> Can {
    Can::new(CAN).expect("a number")
}

/// The access number and the zone of the card.
pub fn password() -> Password {
    Password { can: Some(can()), zones: vec![zone()] }
}

/// How a card lets EF.CardAccess be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Door {
    /// At once, by its short identifier.
    Short,
    /// By its name, and the master file cannot be selected: Vietnamese cards.
    Name,
    /// After the master file has been selected by its identifier.
    Master,
    /// After the master file has been selected by none.
    Root,
    /// Never.
    Shut,
    /// There is none.
    None,
}

/// A card; what is to be wrong with it is altered in its fields.
pub struct TestCard {
    pub files: BTreeMap<FileId, Vec<u8>>,
    pub door: Door,
    pub pace: Option<PaceInfo>,
    pub bac: bool,
    /// Whether PACE takes the access number.
    pub knows_can: bool,
    pub has_application: bool,
    pub chip_key: Option<ChipKey>,
    pub chip_cipher: Cipher,
    pub signing_key: Option<SigningKey>,
    /// The longest command and answer; longer ones end the session with 6700.
    pub carries: usize,
    /// The reader refuses what is longer, and the card never sees it.
    pub reader_carries: usize,
    /// Refuses to be asked for more than there is.
    pub exact: bool,
    pub short_identifiers: bool,
    /// Gives at most so many bytes at once, whatever is asked.
    pub gives: usize,
    /// Numbers of commands, from 1, at which the card is lost.
    pub cuts: Vec<u32>,
    /// The number of the command whose answer has a wrong MAC.
    pub wrong_mac_at: Option<u32>,
    /// Instructions over which the card loses its power, under a session.
    pub dies_at: Vec<u8>,
    /// The number of the command over which the card forgets its session.
    pub forgets_at: Option<u32>,
    /// The number of the command that is not answered in time.
    pub slow_at: Option<u32>,
    /// Another card that is in the field after the next loss.
    pub swapped: Option<Box<TestCard>>,
    /// How many commands came, over all sessions.
    pub commands: u32,
    pub is_lost: bool,
    pub state: Power,
}

/// What a card forgets when it loses its power.
#[derive(Default)]
pub struct Power {
    session: Option<SecureMessaging>,
    next: Option<SecureMessaging>,
    pace: Option<pace::ChipSide>,
    challenge: Option<bac::Nonce>,
    in_application: bool,
    master: bool,
    current: Option<FileId>,
    wants_chip_key: bool,
}

const PACE: PaceInfo =
    PaceInfo { mapping: Mapping::EcdhGeneric, cipher: Cipher::Aes128, parameter_id: Some(13) };

/// Returns the file of a data group with content of this many bytes.
pub fn group(file: FileId, content: usize) -> Vec<u8> {
    tlv::element(file.tag(), &vec![0x5A; content])
}

impl TestCard {
    /// A card with a portrait of this many bytes, and with both proofs that it is no copy.
    pub fn new(portrait: usize) -> Self {
        let curve = Curve::BrainpoolP256;
        let key = ChipKey::Curve(curve.private_key(&mut SystemRandomness).expect("a key"));
        let signing = SigningKey::new(curves::Curve::P256, &[7; 32]).expect("a key");
        let (kind, cipher) = (KeyKind::Ecdh, Cipher::Aes128);
        let stated =
            ChipAuthenticationKey { kind, public_key: key.to_spki().expect("a key"), key_id: None };
        let way = ChipAuthenticationInfo { kind, cipher, key_id: None };
        let card_access = encode_set(&[PACE.encode(), way.encode()]);
        let infos = encode_set(&[PACE.encode(), way.encode(), stated.encode()]);
        let group_15 = PublicKey::Ec(signing.public()).to_spki();
        let mut files = BTreeMap::from([
            (FileId::CardAccess, card_access),
            (FileId::Com, hex_com()),
            (FileId::Dg(1), group(FileId::Dg(1), 93)),
            (FileId::Dg(2), group(FileId::Dg(2), portrait)),
            (FileId::Dg(3), group(FileId::Dg(3), 60)),
            (FileId::Dg(13), group(FileId::Dg(13), 430)),
            (FileId::Dg(14), tlv::element(FileId::Dg(14).tag(), &infos)),
            (FileId::Dg(15), tlv::element(FileId::Dg(15).tag(), &group_15)),
        ]);
        files.insert(FileId::Sod, security_object(&files));
        Self {
            files,
            door: Door::Name,
            pace: Some(PACE),
            bac: true,
            knows_can: true,
            has_application: true,
            chip_key: Some(key),
            chip_cipher: cipher,
            signing_key: Some(signing),
            carries: usize::MAX,
            reader_carries: usize::MAX,
            exact: false,
            short_identifiers: true,
            gives: usize::MAX,
            cuts: Vec::new(),
            wrong_mac_at: None,
            dies_at: Vec::new(),
            forgets_at: None,
            slow_at: None,
            swapped: None,
            commands: 0,
            is_lost: false,
            state: Power::default(),
        }
    }

    /// Signs the data groups anew, after they were altered.
    pub fn signed(mut self) -> Self {
        self.files.insert(FileId::Sod, security_object(&self.files));
        self
    }

    /// How many bytes the files have that a reading of everything brings.
    pub fn readable(&self) -> usize {
        let guarded = [FileId::Dg(3), FileId::CardAccess];
        self.files.iter().filter(|(file, _)| !guarded.contains(file)).map(|(_, f)| f.len()).sum()
    }

    fn react(&mut self, command: &Command) -> Response {
        let is_plain = command.class & Command::SECURED == 0;
        let Some(session) = self.state.session.as_mut().filter(|_| !is_plain) else {
            // A command in plain ends the session.
            self.state.session = None;
            return self.answer(command);
        };
        let Ok(opened) = session.open_command(command) else {
            self.state.session = None;
            return Response::of(Status::PROTECTION_WRONG);
        };
        let answer = self.answer(&opened);
        let next = self.state.next.take();
        let Some(session) = self.state.session.as_mut() else {
            return Response::of(Status::PROTECTION_WRONG);
        };
        let answer = session.protect_response(&answer, opened.instruction).expect("protected");
        if let Some(next) = next {
            self.state.session = Some(next);
        }
        answer
    }

    fn answer(&mut self, command: &Command) -> Response {
        match self.data(command) {
            Ok(data) => Response { data: data.into(), status: Status::OK },
            Err(status) => Response::of(status),
        }
    }

    fn data(&mut self, command: &Command) -> Result<Vec<u8>, Status> {
        let [p1, p2] = command.parameters;
        let expected = command.expected.unwrap_or_default();
        match (command.instruction, p1, p2) {
            (0xA4, 0x00, _) => match (self.door, &command.data[..]) {
                (Door::Master, [0x3F, 0x00]) | (Door::Root, []) => {
                    self.state.master = true;
                    Ok(Vec::new())
                }
                (Door::Master | Door::Root, _) => Err(Status::FILE_NOT_FOUND),
                _ => Err(Status::UNKNOWN_INSTRUCTION),
            },
            (0xA4, 0x04, _) if !self.has_application => Err(Status::FILE_NOT_FOUND),
            (0xA4, 0x04, _) => {
                self.state.in_application = true;
                Ok(Vec::new())
            }
            (0xA4, 0x02, _) => {
                let named = self.files.keys().find(|file| file.identifier()[..] == command.data);
                let file = *named.ok_or(Status::FILE_NOT_FOUND)?;
                self.may_read(file, false)?;
                self.state.current = Some(file);
                Ok(Vec::new())
            }
            (0xB0, 0x80.., _) => {
                let short = p1 & 0x1F;
                let found = self.files.keys().find(|file| file.short_identifier() == short);
                let file = *found.ok_or(Status::FILE_NOT_FOUND)?;
                self.may_read(file, true)?;
                let data = self.piece(file, usize::from(p2), expected)?;
                self.state.current = Some(file);
                Ok(data)
            }
            (0xB0, _, _) => {
                let file = self.state.current.ok_or(Status(0x6986))?;
                self.piece(file, usize::from(u16::from_be_bytes([p1, p2])), expected)
            }
            (0xB1, 0, 0) => {
                let file = self.state.current.ok_or(Status(0x6986))?;
                let offset = tlv::only(&command.data, 0x54).map_err(|_| Status::WRONG_DATA)?;
                let offset = offset.value.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                let header = if expected < 0x82 {
                    2
                } else if expected < 0x103 {
                    3
                } else {
                    4
                };
                Ok(tlv::element(0x53, &self.piece(file, offset, expected - header)?))
            }
            (0x84, ..) if self.bac && self.state.in_application => {
                let challenge = [1, 2, 3, 4, 5, 6, 7, 8];
                self.state.challenge = Some(challenge);
                Ok(challenge.to_vec())
            }
            (0x82, ..) if self.bac => {
                let challenge = self.state.challenge.take().ok_or(Status::CONDITIONS_NOT_MET)?;
                let answer = bac::answer(&zone(), &challenge, &command.data, &mut SystemRandomness);
                let (data, session) = answer.map_err(|_| Status::AUTHENTICATION_FAILED)?;
                self.state.session = Some(session);
                Ok(data)
            }
            (0x22, 0xC1, 0xA4) => {
                let info = self.pace.ok_or(Status::UNKNOWN_INSTRUCTION)?;
                let wish = pace::Wish::read(&command.data).map_err(|_| Status::WRONG_DATA)?;
                if wish.oid != info.oid() {
                    return Err(Status::WRONG_DATA);
                }
                let password = match wish.reference {
                    PacePassword::CAN if self.knows_can => can().pace(),
                    PacePassword::MRZ => zone().pace(),
                    _ => return Err(Status::REFERENCE_NOT_FOUND),
                };
                self.state.pace = Some(pace::ChipSide::new(info, &password));
                Ok(Vec::new())
            }
            (0x22, 0x41, 0xA4) => {
                self.state.wants_chip_key = self.chip_key.is_some();
                Ok(Vec::new())
            }
            (0x86, ..) if self.state.wants_chip_key => {
                let key = self.chip_key.as_ref().ok_or(Status::CONDITIONS_NOT_MET)?;
                let sent = tlv::only(&command.data, 0x7C).map_err(|_| Status::WRONG_DATA)?;
                let sent = tlv::only(sent.value, 0x80).map_err(|_| Status::WRONG_DATA)?;
                let session = key.session(self.chip_cipher, sent.value);
                self.state.next = Some(session.map_err(|_| Status::WRONG_DATA)?);
                Ok(vec![0x7C, 0x00])
            }
            (0x86, ..) => {
                let run = self.state.pace.as_mut().ok_or(Status::CONDITIONS_NOT_MET)?;
                match run.answer(&command.data, &mut SystemRandomness) {
                    Ok(pace::ChipAnswer::Next(data)) => Ok(data),
                    Ok(pace::ChipAnswer::Open(data, session)) => {
                        self.state.session = Some(session);
                        Ok(data)
                    }
                    Err(_) => Err(Status::AUTHENTICATION_FAILED),
                }
            }
            (0x88, ..) => {
                let key = self.signing_key.as_ref().ok_or(Status::UNKNOWN_INSTRUCTION)?;
                let (r, s) = key.sign(&HashAlgorithm::Sha256.digest(&command.data));
                Ok([r, s].concat())
            }
            _ => Err(Status::UNKNOWN_INSTRUCTION),
        }
    }

    fn may_read(&self, file: FileId, is_short: bool) -> Result<(), Status> {
        if file == FileId::CardAccess {
            return match self.door {
                Door::Short => Ok(()),
                Door::Name if !is_short => Ok(()),
                Door::Name => Err(Status(0x6986)),
                Door::Master | Door::Root if self.state.master => Ok(()),
                Door::Master | Door::Root | Door::Shut => Err(Status::ACCESS_DENIED),
                Door::None => Err(Status::FILE_NOT_FOUND),
            };
        }
        if !self.state.in_application {
            return Err(Status::FILE_NOT_FOUND);
        }
        if self.state.session.is_none() || file == FileId::Dg(3) {
            return Err(Status::ACCESS_DENIED);
        }
        if is_short && !self.short_identifiers {
            return Err(Status(0x6A86));
        }
        Ok(())
    }

    fn piece(&self, file: FileId, offset: usize, expected: usize) -> Result<Vec<u8>, Status> {
        let rest = self.files[&file].get(offset..).ok_or(Status::WRONG_PARAMETERS)?;
        if self.exact && expected > rest.len() && file != FileId::CardAccess {
            return Err(Status::WRONG_PARAMETERS);
        }
        Ok(rest[..rest.len().min(expected).min(self.gives)].to_vec())
    }
}

fn hex_com() -> Vec<u8> {
    // Names data group 11, which is not there, and not data group 13, which is: nobody signed it.
    tlv::element(0x60, &tlv::element(0x5C, &[0x61, 0x75, 0x6B]))
}

fn security_object(files: &BTreeMap<FileId, Vec<u8>>) -> Vec<u8> {
    static SIGNER: LazyLock<(State, Certificate)> = LazyLock::new(|| {
        let state = State::on(curves::Curve::P256);
        let certificate = Certificate::parse(&state.signer_certificate()).expect("readable");
        (state, certificate)
    });
    let (state, certificate) = &*SIGNER;
    let groups: Vec<(u8, &[u8])> = files
        .iter()
        .filter_map(|(file, bytes)| match file {
            FileId::Dg(number) => Some((*number, &bytes[..])),
            _ => None,
        })
        .collect();
    let (hash, key) = (HashAlgorithm::Sha256, &state.signer);
    issue::security_object(&groups, hash, state.signed_on, certificate, key, state.algorithm)
        .expect("signed")
}

impl Card for TestCard {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, CardError> {
        self.commands += 1;
        if self.is_lost || self.cuts.contains(&self.commands) {
            self.is_lost = true;
            return Err(CardError::Lost);
        }
        if self.slow_at == Some(self.commands) {
            self.is_lost = true;
            return Err(CardError::TimedOut);
        }
        if self.forgets_at == Some(self.commands) {
            self.state.session = None;
            return Ok(Response::of(Status::PROTECTION_WRONG).encode());
        }
        let parsed = Command::decode(command).expect("a command");
        let is_secured = parsed.class & Command::SECURED != 0;
        if is_secured && self.dies_at.contains(&parsed.instruction) {
            self.is_lost = true;
            return Err(CardError::Lost);
        }
        // An extended command asks for as much as the card likes to give.
        let asked = parsed.expected.unwrap_or_default();
        if parsed.is_extended() && self.reader_carries <= 261 {
            return Err(CardError::Refused);
        }
        if parsed.is_extended() && self.carries <= 261 {
            self.state.session = None;
            return Ok(Response::of(Status::WRONG_LENGTH).encode());
        }
        let mut answer = self.react(&parsed);
        assert!(answer.data.len() <= asked, "{} bytes for {asked}", answer.data.len());
        if self.wrong_mac_at == Some(self.commands) {
            let mut data = answer.data.to_vec();
            if let Some(last) = data.last_mut() {
                *last ^= 1;
            }
            answer.data = data.into();
        }
        let answer = answer.encode();
        if answer.len() > self.carries.saturating_add(48) {
            self.state.session = None;
            return Ok(Response::of(Status::WRONG_LENGTH).encode());
        }
        if answer.len() > self.reader_carries.saturating_add(48) {
            return Err(CardError::Broken);
        }
        Ok(answer)
    }

    fn reconnect(&mut self, _patience: Duration) -> Result<(), CardError> {
        if let Some(swapped) = self.swapped.take() {
            let commands = self.commands;
            *self = *swapped;
            self.commands = commands;
        }
        self.is_lost = false;
        self.state = Power::default();
        Ok(())
    }

    fn identity(&self) -> CardIdentity {
        CardIdentity { reader: "test".to_owned(), atr: vec![0x3B, 0x88] }
    }

    fn is_simulated(&self) -> bool {
        true
    }
}
