//! Cards that mean harm: each is read to its end and judged in a process of its own, and neither panics,
//! nor takes more memory than is allowed, nor more commands than any reading needs.
//!
//! What each comes to is written down beside it: a card that is refused for another reason than the one
//! that it was made for tests nothing. How long a single command may take is the reader's to bound
//! ([`Card`]); here every answer comes at once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fieldcheck::chip::algorithm::SignatureAlgorithm;
use fieldcheck::chip::certificate::Certificate;
use fieldcheck::chip::contents::{Files, judge};
use fieldcheck::chip::curves::{Curve, SigningKey};
use fieldcheck::chip::files::FileId;
use fieldcheck::chip::hash::HashAlgorithm;
use fieldcheck::chip::issue::{self, CertificateDraft, IssuerKey, ObjectDraft};
use fieldcheck::chip::length::LengthMemory;
use fieldcheck::chip::password::{Can, MrzKey, Password};
use fieldcheck::chip::read::{MAX_FILE_BYTES, Reading, Wanted, read_through};
use fieldcheck::chip::simulated::card::SimulatedCard;
use fieldcheck::chip::simulated::contents::{Contents, Making};
use fieldcheck::chip::simulated::fault::Fault;
use fieldcheck::chip::simulated::holder::Holder;
use fieldcheck::chip::simulated::issuer::{Algorithms, DEMO_STATE, Issuer};
use fieldcheck::chip::simulated::portrait::Portrait;
use fieldcheck::chip::tlv;
use fieldcheck::chip::trust::Anchors;
use fieldcheck::chip::{Card, CardError, CardIdentity};
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};

/// Tells the process that this test starts which card it is to read.
const MEASURED: &str = "FIELDCHECK_HOSTILE_CARD";

/// What reading and judging one card may take, the simulated card itself included, KiB.
const MAX_GROWTH_KIB: u64 = 16 * 1_024;

/// The most commands of one reading.
const MAX_COMMANDS: u32 = 10_000;

/// How long one card may take. Chosen: a build without optimisation on a busy machine; the longest
/// takes a tenth of it.
const LONGEST: Duration = Duration::from_secs(120);

/// A card, by the name of what it does, and what becomes of it: the code of the error that ended the
/// reading, or `read`; then what is proven by all that was read, and what is wrong with the picture.
struct Hostile {
    does: &'static str,
    comes_to: &'static str,
    make: fn() -> SimulatedCard,
    /// What stands between it and the reader.
    manner: Manner,
}

/// How a card answers, beside what is on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Obedient,
    /// With bytes that mean nothing, as many as an answer can have, from this command on.
    Babbling(u32),
    /// One byte, and that there is another one.
    MoreAndMore,
    /// Leaves at every command whose number this divides, and comes back.
    Flickering(u32),
}

const CARDS: &[Hostile] = &[
    plain("nothing", "read: genuine", || card(genuine())),
    // Files without an end, and lengths that are none.
    plain("endless-card-access", "read: genuine", || {
        faulty(Fault::Endless { file: FileId::CardAccess })
    }),
    plain("endless-com", "read: genuine", || faulty(Fault::Endless { file: FileId::Com })),
    plain("endless-sod", "file-too-long: nothing", || faulty(Fault::Endless { file: FileId::Sod })),
    plain("endless-dg1", "file-too-long: the chip gave no data group 1", || {
        faulty(Fault::Endless { file: FileId::Dg(1) })
    }),
    plain("endless-dg2", "file-too-long: genuine, the chip gave no picture", || {
        faulty(Fault::Endless { file: FileId::Dg(2) })
    }),
    plain("endless-dg14", "file-too-long: copy-not-excluded, the chip gave no picture", || {
        faulty(Fault::Endless { file: FileId::Dg(14) })
    }),
    plain("endless-dg15", "file-too-long: genuine, the chip gave no picture", || {
        faulty(Fault::Endless { file: FileId::Dg(15) })
    }),
    plain("longest-dg2-claimed", "file-too-long: genuine, the chip gave no picture", || {
        let bytes = MAX_FILE_BYTES as u32 - 5;
        faulty(Fault::Claims { file: FileId::Dg(2), bytes })
    }),
    plain("longest-sod", "security-object-malformed: the chip gave no data group 1", || {
        card(replaced(FileId::Sod, filled(0x77, MAX_FILE_BYTES)))
    }),
    plain("longest-card-access", "read: genuine", || {
        card(replaced(FileId::CardAccess, filled(0x31, MAX_FILE_BYTES)))
    }),
    plain(
        "all-groups-of-the-longest",
        "reading-too-long: DG1: another element than expected",
        || {
            let mut contents = genuine();
            for number in (1..=16).filter(|number| ![3, 4].contains(number)) {
                let file = FileId::Dg(number);
                contents.files.insert(file, filled(file.tag(), MAX_FILE_BYTES));
            }
            card(signed(contents))
        },
    ),
    // Answers that never come to an end.
    plain("one-byte-at-a-time", "too-many-commands: genuine, the chip gave no picture", || {
        faulty(Fault::ShortReads { bytes: 1 })
    }),
    plain("pieces-of-one-byte", "too-many-commands: genuine, the chip gave no picture", || {
        faulty(Fault::Pieces { bytes: 1 })
    }),
    plain("wants-length-one", "too-many-commands: genuine, the chip gave no picture", || {
        faulty(Fault::WantsLength { bytes: 1 })
    }),
    in_manner("babbles-at-once", "access-refused: nothing", Manner::Babbling(1)),
    in_manner(
        "babbles-when-opened",
        "session-broken: copy-not-excluded, the chip gave no picture",
        Manner::Babbling(12),
    ),
    in_manner("more-and-more", "too-many-commands: nothing", Manner::MoreAndMore),
    in_manner("leaves-at-every-command", "card-lost: nothing", Manner::Flickering(1)),
    in_manner("leaves-at-every-eleventh", "read: genuine", Manner::Flickering(11)),
    // Security objects with more in them than there can be.
    plain("sod-full-of-certificates", "read: consistent", || {
        let certificate = own_draft().sign(&own_key(), ECDSA).unwrap();
        card(with_certificates(&vec![&certificate[..]; 240_000 / certificate.len()]))
    }),
    plain("sod-with-40000-names", "read: consistent", || {
        let name = tlv::element(0x31, &[0x30, 0x04, 0x06, 0x00, 0x0C, 0x00].repeat(40_000));
        card(signed_by(|draft| draft.subject = tlv::element(0x30, &name)))
    }),
    plain("sod-with-120000-purposes", "read: consistent", || {
        let purposes = tlv::element(0x30, &[0x06, 0x00].repeat(120_000));
        let extension = issue::extension(&[0x55, 0x1D, 0x25], false, &purposes);
        card(signed_by(|draft| draft.extensions.push(extension.clone())))
    }),
    plain("sod-with-30000-extensions", "read: consistent", || {
        let many = issue::extension(&[], false, &[]).repeat(30_000);
        card(signed_by(|draft| draft.extensions.push(many.clone())))
    }),
    plain("sod-too-deep", "security-object-malformed: the chip gave no data group 1", || {
        card(with_sod([0x30, 0x80].repeat(120_000)))
    }),
    plain(
        "sod-in-80000-pieces",
        "security-object-malformed: the chip gave no data group 1",
        || card(with_sod(in_pieces(80_000))),
    ),
    plain(
        "sod-of-60000-elements",
        "security-object-malformed: the chip gave no data group 1",
        || card(with_sod(tlv::element(0x30, &[0x30, 0x02, 0x05, 0x00].repeat(60_000)))),
    ),
    // Data groups likewise.
    plain("dg13-of-40000-entries", "read: genuine", || {
        let entry = tlv::element(0x30, &[0x02, 0x01, 0x63]);
        card(group(13, tlv::element(0x6D, &tlv::element(0x30, &entry.repeat(40_000)))))
    }),
    plain("dg14-of-20000-infos", "read: genuine", || {
        let info = tlv::element(0x30, &[0x06, 0x01, 0x2A, 0x02, 0x01, 0x01]);
        card(group(14, tlv::element(0x6E, &tlv::element(0x31, &info.repeat(20_000)))))
    }),
    plain("dg15-with-a-key-of-200000-bytes", "read: genuine", || card(group(15, endless_key()))),
    // Pictures.
    plain("jpeg-of-65535-by-65535", "read: genuine, the picture is larger than any card's", || {
        picture(resized_jpeg(65_535, 65_535))
    }),
    plain("jpeg-of-640-by-480-that-is-less", "read: genuine", || picture(resized_jpeg(640, 480))),
    plain("jpeg-of-1600-by-192-that-is-less", "read: genuine", || {
        picture(resized_jpeg(1_600, 192))
    }),
    plain("jpeg-of-640-by-480", "read: genuine", || picture(noise(640, 480))),
    plain("jpeg-2000-of-640-by-480", "read: genuine", || picture(resized_jpeg_2000(640, 480, 7))),
    plain("jpeg-2000-of-640-by-480-of-16-bits", "read: genuine", || {
        picture(resized_jpeg_2000(640, 480, 15))
    }),
    plain("jpeg-2000-of-4-billion", "read: genuine, the picture is larger than any card's", || {
        picture(resized_jpeg_2000(u32::MAX, u32::MAX, 7))
    }),
    plain(
        "no-picture-but-bytes",
        "read: genuine, the picture in DG2 is of an unknown kind",
        || picture(vec![0xFF; 200_000]),
    ),
];

const fn plain(does: &'static str, comes_to: &'static str, make: fn() -> SimulatedCard) -> Hostile {
    Hostile { does, comes_to, make, manner: Manner::Obedient }
}

const fn in_manner(does: &'static str, comes_to: &'static str, manner: Manner) -> Hostile {
    Hostile { does, comes_to, make: || card(genuine()), manner }
}

#[test]
fn a_hostile_card_takes_neither_memory_nor_commands_without_end() {
    if let Ok(does) = std::env::var(MEASURED) {
        return read_and_tell(CARDS.iter().find(|card| card.does == does).expect("a card"));
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut wrong = String::new();
        while let Some(card) = CARDS.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(why) = measure(card) {
                writeln!(wrong, "{}: {why}", card.does).expect("memory");
            }
        }
        wrong
    };
    let wrong: String = std::thread::scope(|scope| {
        let both = [scope.spawn(work), scope.spawn(work)];
        both.map(|thread| thread.join().expect("no panic")).concat()
    });
    assert!(wrong.is_empty(), "{wrong}");
}

/// Has a process of its own read a card, and says what is wrong with what it took.
fn measure(card: &Hostile) -> Result<(), String> {
    let test = "hostile::a_hostile_card_takes_neither_memory_nor_commands_without_end";
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(MEASURED, card.does)
        // Whatever was freed goes back to the system at once, so that making the card leaves nothing
        // behind that reading could take unseen.
        .env("MALLOC_MMAP_THRESHOLD_", "65536")
        .env("MALLOC_TRIM_THRESHOLD_", "65536")
        .output()
        .expect("a process");
    let told = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    let found = told.lines().find_map(|line| line.strip_prefix("took "));
    let Some(found) = found.filter(|_| output.status.success()) else {
        return Err(format!("died: {told}{said}"));
    };
    let words: Vec<&str> = found.splitn(4, ' ').collect();
    let [grown, commands, ms, outcome] = words[..] else { return Err(found.to_owned()) };
    let number = |text: &str| text.parse::<u64>().map_err(|_| found.to_owned());
    let is_right = number(grown)? < MAX_GROWTH_KIB
        && number(commands)? <= u64::from(MAX_COMMANDS)
        && u128::from(number(ms)?) < LONGEST.as_millis()
        && outcome == card.comes_to;
    if is_right {
        Ok(())
    } else {
        Err(format!("{grown} KiB, {commands} commands, {ms} ms, {outcome}"))
    }
}

#[expect(clippy::print_stdout, reason = "the process that started this one reads it")]
fn read_and_tell(hostile: &Hostile) {
    let mut card =
        Mannered { card: (hostile.make)(), manner: hostile.manner, commands: 0, left: false };
    let holder = Holder::nguyen_van_mau();
    let [number, birth, expiry] = holder.zone_key();
    let password = Password {
        can: Can::new(&holder.can()),
        zones: MrzKey::new(&number, &birth, &expiry).into_iter().collect(),
    };
    let mut anchors = Anchors::new();
    anchors.add_certificate(&issuer().anchor()).unwrap();
    let today = "2026-11-24".parse().unwrap();

    let before = memory_kib("VmRSS:");
    let began = Instant::now();
    let mut reading = Reading::new(password, Wanted::ALL);
    let mut lengths = LengthMemory::default();
    let watch = &mut |_| ControlFlow::Continue(());
    let outcome = read_through(&mut card, &mut reading, &mut lengths, Duration::ZERO, watch);
    // What was read before the end is judged too, as if it were all.
    let judged = Files::of(&reading).map(|files| judge(&files, None, &anchors, today));
    let took = began.elapsed().as_millis();
    let grown = memory_kib("VmHWM:") - before;

    let read = outcome.err().map_or("read", |error| error.code());
    let judged = match judged {
        None => "nothing".to_owned(),
        Some(Err(error)) => error.to_string(),
        Some(Ok(contents)) => match (contents.proof, contents.portrait) {
            (proof, Ok(_)) => proof.code().to_owned(),
            (proof, Err(error)) => format!("{}, {error}", proof.code()),
        },
    };
    println!("\ntook {grown} {} {took} {read}: {judged}", card.commands);
}

/// Returns how much memory this process has (`VmRSS:`), or has had at most (`VmHWM:`), KiB.
fn memory_kib(which: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(which)).expect("Linux");
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

/// A card with manners.
struct Mannered {
    card: SimulatedCard,
    manner: Manner,
    commands: u32,
    left: bool,
}

impl Card for Mannered {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, CardError> {
        self.commands += 1;
        match self.manner {
            Manner::Babbling(from) if self.commands >= from => {
                let mut answer = vec![0xA5; 65_536];
                answer.extend([0x90, 0x00]);
                return Ok(answer);
            }
            Manner::MoreAndMore => return Ok(vec![0xA5, 0x61, 0x01]),
            Manner::Flickering(every) if self.left || self.commands.is_multiple_of(every) => {
                self.left = true;
                return Err(CardError::Lost);
            }
            _ => {}
        }
        self.card.transmit(command)
    }

    fn reconnect(&mut self, patience: Duration) -> Result<(), CardError> {
        self.left = false;
        self.card.reconnect(patience)
    }

    fn identity(&self) -> CardIdentity {
        self.card.identity()
    }

    fn is_simulated(&self) -> bool {
        true
    }
}

// --- what is on the cards ----------------------------------------------------------------------

fn issuer() -> Issuer {
    Issuer::new(DEMO_STATE, Algorithms::Nist)
}

fn genuine() -> Contents {
    let making = Making { portrait: Portrait::Jpeg(15_000), ..Making::default() };
    Contents::new(&issuer(), &Holder::nguyen_van_mau(), &making)
}

fn card(contents: Contents) -> SimulatedCard {
    SimulatedCard::new(contents)
}

fn faulty(fault: Fault) -> SimulatedCard {
    SimulatedCard::with_faults(genuine(), &[fault])
}

/// The genuine card with another file, which nobody signed.
fn replaced(file: FileId, bytes: Vec<u8>) -> Contents {
    let mut contents = genuine();
    contents.files.insert(file, bytes);
    contents
}

/// The same with a security object over the files that are there.
fn signed(mut contents: Contents) -> Contents {
    let sod = issuer().security_object(&groups(&contents.files), None);
    contents.files.insert(FileId::Sod, sod);
    contents
}

fn groups(files: &BTreeMap<FileId, Vec<u8>>) -> Vec<(u8, &[u8])> {
    let number = |file: &FileId| if let FileId::Dg(number) = file { Some(*number) } else { None };
    files.iter().filter_map(|(file, bytes)| Some((number(file)?, &bytes[..]))).collect()
}

/// A signed card with another data group.
fn group(number: u8, bytes: Vec<u8>) -> Contents {
    signed(replaced(FileId::Dg(number), bytes))
}

/// A card with this in its security object.
fn with_sod(content: Vec<u8>) -> Contents {
    replaced(FileId::Sod, tlv::element(0x77, &content))
}

/// An element of this length in all, full of nothing.
fn filled(tag: u32, length: usize) -> Vec<u8> {
    let mut element = tlv::element(tag, &vec![0; length]);
    let header = element.len() - length;
    element = tlv::element(tag, &vec![0; length - header]);
    assert_eq!(element.len(), length);
    element
}

/// The key of a signer that nobody knows.
fn own_key() -> IssuerKey {
    IssuerKey::Ec(SigningKey::new(Curve::P256, b"secret of a hostile signer").unwrap())
}

/// The certificate of that signer.
fn own_draft() -> CertificateDraft {
    let (name, key) = (issue::office("VN", "nobody"), own_key());
    let validity = ("2020-01-01".parse().unwrap(), "2040-12-31".parse().unwrap());
    CertificateDraft::document_signer(name.clone(), name, &key, &key, validity)
}

const ECDSA: SignatureAlgorithm = SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha256);

/// A card signed with a certificate that was altered.
fn signed_by(alter: impl Fn(&mut CertificateDraft)) -> Contents {
    let mut draft = own_draft();
    alter(&mut draft);
    with_certificates(&[&draft.sign(&own_key(), ECDSA).unwrap()])
}

/// A card whose security object carries these certificates.
fn with_certificates(certificates: &[&[u8]]) -> Contents {
    let digest = HashAlgorithm::Sha256;
    let contents = genuine();
    let hash = |(number, file): &(u8, &[u8])| {
        let digest = tlv::element(0x04, &digest.digest(file));
        tlv::element(0x30, &[tlv::element(0x02, &[*number]), digest].concat())
    };
    let hashes: Vec<Vec<u8>> = groups(&contents.files).iter().map(hash).collect();
    let hashes = tlv::element(0x30, &hashes.concat());
    let content = [tlv::element(0x02, &[0]), digest.identifier(), hashes].concat();
    let draft = ObjectDraft {
        // mRTDSignatureData, 2.23.136.1.1.1
        content_type: &[0x67, 0x81, 0x08, 0x01, 0x01, 0x01],
        content: &tlv::element(0x30, &content),
        digest,
        signing_time: None,
        certificates,
    };
    let signer = Certificate::parse(&own_draft().sign(&own_key(), ECDSA).unwrap()).unwrap();
    with_sod(draft.sign(&signer, &own_key(), ECDSA).unwrap())
}

/// A signed object of BER whose content comes in so many pieces of one byte.
fn in_pieces(pieces: usize) -> Vec<u8> {
    const OPEN: [u8; 2] = [0x30, 0x80];
    const END: [u8; 2] = [0, 0];
    // signedData, 1.2.840.113549.1.7.2
    let signed_data = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02];
    let mut object = [&OPEN[..], &tlv::element(0x06, &signed_data), &[0xA0, 0x80], &OPEN].concat();
    object.extend([0x02, 0x01, 0x03, 0x31, 0x00]);
    object.extend(OPEN);
    object.extend([0x06, 0x01, 0x2A, 0xA0, 0x80, 0x24, 0x80]);
    object.extend([0x04, 0x01, 0x41].repeat(pieces));
    object.extend(END.repeat(6));
    object
}

/// Data group 15 with an RSA key that is longer than any.
fn endless_key() -> Vec<u8> {
    // rsaEncryption, 1.2.840.113549.1.1.1
    let algorithm = tlv::element(0x06, &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01]);
    let numbers = [tlv::element(0x02, &[0x7F; 200_000]), tlv::element(0x02, &[1, 0, 1])].concat();
    let key = tlv::element(0x03, &[&[0][..], &tlv::element(0x30, &numbers)].concat());
    tlv::element(0x6F, &tlv::element(0x30, &[tlv::element(0x30, &algorithm), key].concat()))
}

/// A signed card with this picture.
fn picture(file: Vec<u8>) -> SimulatedCard {
    let genuine = genuine();
    let group_2 = &genuine.files[&FileId::Dg(2)];
    let own = Portrait::Jpeg(15_000).file(Holder::nguyen_van_mau().number);
    let at = group_2.windows(own.len()).position(|window| window == own).expect("its picture");
    // The facial record before the picture, whose lengths no reader believes.
    let record = &group_2[group_2.windows(4).position(|it| it == b"FAC\0").expect("a record")..at];
    let template = tlv::element(0x5F2E, &[record, &file].concat());
    let templates = [vec![0x02, 0x01, 0x01], tlv::element(0x7F60, &template)].concat();
    card(group(2, tlv::element(0x75, &tlv::element(0x7F61, &templates))))
}

/// The invented portrait, with another size in its header.
fn resized_jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut file = Portrait::Jpeg(15_000).file(1);
    // SOF0: length, precision, height, width.
    let at = file.windows(2).position(|marker| marker == [0xFF, 0xC0]).expect("a frame");
    file[at + 5..at + 7].copy_from_slice(&height.to_be_bytes());
    file[at + 7..at + 9].copy_from_slice(&width.to_be_bytes());
    file
}

/// The same of the JPEG 2000 file, as one tile.
fn resized_jpeg_2000(width: u32, height: u32, depth: u8) -> Vec<u8> {
    let mut file = Portrait::Jpeg2000.file(1);
    // SIZ: length, capabilities, size, offset, tile, offset of tiles, components.
    let at = file.windows(2).position(|marker| marker == [0xFF, 0x51]).expect("a size");
    for (field, value) in [(6, width), (10, height), (22, width), (26, height)] {
        file[at + field..at + field + 4].copy_from_slice(&value.to_be_bytes());
    }
    let components = usize::from(file[at + 39]);
    for component in 0..components {
        file[at + 40 + 3 * component] = depth;
    }
    file
}

/// A picture that cannot be compressed.
fn noise(width: u32, height: u32) -> Vec<u8> {
    let mut state = 1_u32;
    let picture = RgbImage::from_fn(width, height, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Rgb([(state >> 24) as u8, (state >> 16) as u8, (state >> 8) as u8])
    });
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, 40).encode_image(&picture).unwrap();
    file
}
