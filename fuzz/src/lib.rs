//! What several fuzz targets share: the invented state behind everything, and a card whose files and
//! answers come from the fuzzer.

use std::collections::VecDeque;
use std::sync::LazyLock;
use std::time::Duration;

use fieldcheck::chip::files::FileId;
use fieldcheck::chip::secret::{NoRandomness, Randomness};
use fieldcheck::chip::security_infos::{Mapping, PaceInfo};
use fieldcheck::chip::simulated::card::SimulatedCard;
use fieldcheck::chip::simulated::contents::{Contents, Making};
use fieldcheck::chip::simulated::fault::Fault;
use fieldcheck::chip::simulated::holder::Holder;
use fieldcheck::chip::simulated::issuer::{Algorithms, DEMO_STATE, Issuer};
use fieldcheck::chip::symmetric::Cipher;
use fieldcheck::chip::tlv;
use fieldcheck::chip::trust::Anchors;
use fieldcheck::chip::{Card, CardError, CardIdentity};

/// The anchors of the invented state, in each of the ways in which it signs.
pub fn anchors() -> Anchors {
    static ANCHORS: LazyLock<Anchors> = LazyLock::new(|| {
        let mut anchors = Anchors::new();
        for algorithms in [Algorithms::Nist, Algorithms::Brainpool, Algorithms::Rsa] {
            let der = Issuer::new(DEMO_STATE, algorithms).anchor();
            anchors.add_certificate(&der).expect("an anchor");
        }
        anchors
    });
    ANCHORS.clone()
}

/// The holder of the card.
pub fn holder() -> Holder {
    Holder::nguyen_van_mau()
}

/// Numbers that are the same in every run, so that a finding can be repeated.
#[derive(Default)]
pub struct Foreseen(u8);

impl Randomness for Foreseen {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(5).wrapping_add(37);
            *byte = self.0;
        }
        Ok(())
    }
}

/// Bytes of the fuzzer, taken from the front; zeros where they have ended.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// Takes one byte.
    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    /// Takes a number of two bytes.
    pub fn short(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// Takes so many bytes, or what is left.
    pub fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// A card with files and answers of the fuzzer's.
///
/// The input: a byte that says how the card is opened and what it does wrong throughout, two bytes
/// for how much; a byte with the number of files that are other than genuine, each with a byte that
/// names it, two bytes of length and the content; then the script, which says of each answer how it
/// goes wrong. It is genuine where the script has ended.
pub struct HostileCard {
    card: SimulatedCard,
    script: VecDeque<u8>,
}

impl HostileCard {
    /// Returns the card that an input describes.
    pub fn new(bytes: &[u8]) -> HostileCard {
        /// Made once: a card that is read quickly, since nothing on it needs a curve and there is no
        /// picture, and one with all that a card can do, which takes far longer.
        static GENUINE: LazyLock<[Contents; 2]> = LazyLock::new(|| [quick(), whole()]);
        let mut input = Input(bytes);
        let (kind, amount) = (input.byte(), input.short());
        let mut contents = GENUINE[usize::from(kind & 0x0F == 0x0F)].clone();
        for _ in 0..input.byte() % 5 {
            let file = match input.byte() % 19 {
                0 => FileId::CardAccess,
                17 => FileId::Com,
                18 => FileId::Sod,
                number => FileId::Dg(number),
            };
            let length = usize::from(input.short());
            contents.files.insert(file, input.take(length).to_vec());
        }
        let piece = (amount as u8).max(1);
        let file =
            [FileId::Sod, FileId::Dg(1), FileId::Dg(2), FileId::Dg(14)][usize::from(kind & 3)];
        let faults: &[Fault] = match kind >> 4 {
            0 => &[],
            1 => &[Fault::Pieces { bytes: piece }],
            2 => &[Fault::WantsLength { bytes: piece }],
            3 => &[Fault::ShortReads { bytes: amount }],
            4 => &[Fault::NoExtended],
            5 => &[Fault::LongestRead { bytes: amount }],
            6 => &[Fault::NoShortNames],
            7 => &[Fault::KnowsMf],
            8 => &[Fault::Missing { file }],
            9 => &[Fault::Claims { file, bytes: u32::from(amount) << 16 | 0xFFFF }],
            10 => &[Fault::Endless { file }],
            11 => &[Fault::Flipped { file, offset: u32::from(amount) }],
            12 => &[Fault::NoExtended, Fault::Endless { file: FileId::Dg(2) }],
            13 => &[Fault::ShortReads { bytes: 1 }, Fault::NoShortNames],
            14 => &[Fault::RefusesZone],
            _ => &[Fault::RefusesCan],
        };
        let card = SimulatedCard::with_faults(contents, faults);
        HostileCard { card, script: input.0.iter().copied().collect() }
    }

    /// Returns how many commands there have been.
    pub fn commands(&self) -> u32 {
        self.card.commands()
    }

    /// Takes a byte of the script.
    fn next(&mut self) -> u8 {
        self.script.pop_front().unwrap_or_default()
    }
}

/// A card that is opened by BAC, without the tests against copies; nobody decodes its picture.
fn quick() -> Contents {
    let making =
        Making { pace: None, chip_authentication: None, active: None, ..Making::default() };
    let issuer = Issuer::new(DEMO_STATE, Algorithms::Nist);
    let mut contents = Contents::new(&issuer, &holder(), &making);
    contents.files.insert(FileId::Dg(2), tlv::element(0x75, &[0; 3_000]));
    let groups = contents.files.iter().filter_map(|(file, bytes)| match file {
        FileId::Dg(number) => Some((*number, &bytes[..])),
        _ => None,
    });
    let sod = issuer.security_object(&groups.collect::<Vec<_>>(), None);
    contents.files.insert(FileId::Sod, sod);
    contents
}

/// A card as it is issued, on NIST's P-256 (ICAO 9303-11, 9.5.1).
fn whole() -> Contents {
    let pace =
        PaceInfo { mapping: Mapping::EcdhGeneric, cipher: Cipher::Aes128, parameter_id: Some(12) };
    let issuer = Issuer::new(DEMO_STATE, Algorithms::Nist);
    Contents::new(&issuer, &holder(), &Making { pace: Some(pace), ..Making::default() })
}

impl Card for HostileCard {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, CardError> {
        let mut answer = self.card.transmit(command)?;
        match self.next() {
            // Another status behind the same data.
            0xF0..=0xF3 => {
                answer.truncate(answer.len().saturating_sub(2));
                answer.extend([self.next(), self.next()]);
            }
            // A byte that is changed.
            0xF4..=0xF7 => {
                let at = usize::from(self.next());
                let bits = self.next();
                if let Some(byte) = answer.get_mut(at) {
                    *byte ^= bits;
                }
            }
            // Fewer bytes.
            0xF8..=0xF9 => answer.truncate(usize::from(self.next())),
            // Other bytes.
            0xFA..=0xFB => {
                let length = usize::from(self.next()).min(self.script.len());
                answer = self.script.drain(..length).collect();
            }
            // More bytes than any command asks for.
            0xFC => answer.extend(vec![self.next(); 70_000]),
            0xFD => return Err(CardError::Lost),
            0xFE => return Err(CardError::TimedOut),
            0xFF => return Err(CardError::Refused),
            _ => {}
        }
        Ok(answer)
    }

    fn reconnect(&mut self, patience: Duration) -> Result<(), CardError> {
        self.card.reconnect(patience)
    }

    fn identity(&self) -> CardIdentity {
        self.card.identity()
    }

    fn is_simulated(&self) -> bool {
        true
    }
}
