//! What is kept of an encounter, and that it is kept: privacy, order, and sudden death.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use fieldcheck::checks::Verdict;
use fieldcheck::device::Session;
use fieldcheck::document::Document;
use fieldcheck::document::typed::{self, TypedEntry};
use fieldcheck::encounter::Conclusion;
use fieldcheck::keys::{DeviceKey as _, SimulatedDeviceKey, queue_key};
use fieldcheck::queue::{self, Circumstance, Opened, Queue, Writer};
use fieldcheck::store::state::Head;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeR};
use sha2::{Digest as _, Sha256};
use sync_format::codec::{self, Kind};
use sync_format::v1::package::Domain;
use sync_format::v1::record::{
    self, Body, CheckReason, CheckVerdict, Event, Outcome, OutcomeWhy, Record, RecordHeader,
};
use unicode_normalization::UnicodeNormalization as _;

use crate::support::{
    Enrolled, NOW, all_files, another_row, collect_secret, dump, hers, his, his_row, lost,
    notices_package, register_package, wanted,
};

/// One form in which something of a person could stand in bytes.
struct Trace {
    what: String,
    bytes: Vec<u8>,
}

/// Every form that we could think of in which a person's card could have been kept.
fn traces(document: &Document) -> Vec<Trace> {
    let name = document.name.as_ref().expect("a name").value.clone();
    let birth = document.birth.as_ref().expect("a birth date").value.full().expect("a full date");
    let address = document.address.as_ref().expect("an address").value.as_str().to_owned();
    let mut texts = vec![
        name.as_str().to_owned(),
        name.as_str().nfd().collect(),
        name.as_str().to_uppercase(),
        name.as_str().to_lowercase(),
        name.folded(),
        name.folded().to_lowercase(),
        name.folded().replace(' ', ""),
        name.folded().replace(' ', "<"),
        address.clone(),
        address.nfd().collect(),
        address.chars().take(10).collect(),
    ];
    // Of the name every syllable that is long enough not to come up by chance.
    texts.extend(name.as_str().split(' ').filter(|part| part.len() > 4).map(str::to_owned));
    let (year, month, date) = (birth.year(), birth.month(), birth.day());
    texts.extend([
        format!("{date:02}{month:02}{year}"),
        format!("{date:02}/{month:02}/{year}"),
        format!("{year}{month:02}{date:02}"),
        format!("{year}-{month:02}-{date:02}"),
    ]);
    let mut numbers = Vec::new();
    for number in &document.numbers {
        let digits = number.value.as_str();
        numbers.push(digits.to_owned());
        texts.extend([digits.to_owned(), number.value.grouped(), digits[3..].to_owned()]);
        texts.push(digits.trim_start_matches('0').to_owned());
    }

    let mut traces = Vec::new();
    let mut add = |what: String, bytes: &[u8]| {
        traces.push(Trace { what, bytes: bytes.to_vec() });
    };
    let binary = |number: u64| {
        let whole = number.to_be_bytes();
        let bytes = whole[number.leading_zeros() as usize / 8..].to_vec();
        let reversed = bytes.iter().rev().copied().collect::<Vec<u8>>();
        [bytes, reversed]
    };
    let packed = u64::from(year) * 10_000 + u64::from(month) * 100 + u64::from(date);
    for bytes in binary(packed) {
        add("birth date as a number".into(), &bytes);
    }
    for digits in &numbers {
        for bytes in binary(digits.parse().expect("digits")) {
            add(format!("{digits} as a number"), &bytes);
        }
        // Two digits a byte, from the right.
        let decimal: Vec<u8> = digits
            .as_bytes()
            .rchunks_exact(2)
            .map(|pair| (pair[0] - b'0') << 4 | (pair[1] - b'0'))
            .rev()
            .collect();
        add(format!("{digits} as packed decimals"), &decimal);
    }
    let number = document.personal_number().expect("a number");
    let mut hashed: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    hashed.extend(binary(number.value()));
    hashed.extend([number.value().to_le_bytes().to_vec(), number.value().to_be_bytes().to_vec()]);
    hashed.push([number.digits().as_bytes(), name.as_str().as_bytes()].concat());
    for source in hashed {
        let hash = Sha256::digest(&source);
        // The beginning is enough: a shortened hash would be one as well.
        add("a hash".into(), &hash[..8]);
        let hex: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        add("a hash in digits".into(), hex.as_bytes());
        add("a hash in capitals".into(), hex.to_uppercase().as_bytes());
    }
    for text in texts {
        add(format!("{text:?} in UTF-16"), &utf16(&text));
        add(format!("{text:?}"), text.as_bytes());
    }
    traces
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Returns the traces in bytes that are encrypted, and so random: a form of few bytes would come up in
/// them by chance, once in some hundred runs (seen with three), so the short ones are left out.
fn found_in_file<'a>(traces: &'a [Trace], bytes: &[u8]) -> Vec<&'a str> {
    const LEAST: usize = 6;
    let stands_in = |trace: &&Trace| {
        trace.bytes.len() >= LEAST
            && bytes.windows(trace.bytes.len()).any(|window| window == trace.bytes)
    };
    traces.iter().filter(stands_in).map(|trace| trace.what.as_str()).collect()
}

fn found<'a>(traces: &'a [Trace], bytes: &[u8]) -> Vec<&'a str> {
    let stands_in =
        |trace: &&Trace| bytes.windows(trace.bytes.len()).any(|window| window == trace.bytes);
    traces.iter().filter(stands_in).map(|trace| trace.what.as_str()).collect()
}

/// Opens a body by the specification alone, and returns its bytes with their padding.
fn unsealed_bytes(record: &Record) -> Vec<u8> {
    let header = header_of(record);
    let (encapsulated, ciphertext) = record.sealed.split_at(32);
    hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &<X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(&collect_secret()).unwrap(),
        &<X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated).unwrap(),
        Domain::Body.as_bytes(),
        ciphertext,
        &record::aad(&header),
    )
    .unwrap()
}

fn header_of(record: &Record) -> RecordHeader {
    codec::decode(Kind::RecordHeader, &record.header).unwrap()
}

fn body_of(record: &Record) -> Body {
    queue::unseal(record, &collect_secret()).unwrap()
}

/// Judges a card, records the check, and returns its record.
fn check(session: &mut Session, document: &Document, expected: Verdict) -> Record {
    let answer = session.judge(document).unwrap();
    assert_eq!(answer.verdict, expected);
    session.record_check(document, &answer, CheckReason::Patrol).unwrap();
    session.queue().records().unwrap().pop().unwrap()
}

fn conclude(session: &mut Session, document: &Document, check: u64, outcome: Outcome) -> Record {
    let why = OutcomeWhy::ConfirmedByDuty;
    session.record_outcome(document, Conclusion { check, notice: 7, outcome, why }).unwrap();
    session.queue().records().unwrap().pop().unwrap()
}

/// A device whose list names him and not her, and whose register holds his number.
fn a_device() -> Enrolled {
    // His number is not the first or last of the register, which its manifest names.
    let rows = [another_row(48_000_000_001), his_row(), another_row(48_999_999_999)];
    Enrolled::with(&[&notices_package(1, &[wanted(7)]), &register_package(1, &rows)])
}

#[test]
fn of_a_clear_check_nothing_of_the_person_is_kept() {
    let enrolled = a_device();
    let (device, mut session) = enrolled.unlock();
    let record = check(&mut session, &hers(), Verdict::NotListed);
    let body = unsealed_bytes(&record);
    assert_eq!(body.len(), 256);
    drop((device, session));

    let traces = traces(&hers());
    assert_eq!(found(&traces, &record.header), [""; 0]);
    assert_eq!(found(&traces, &body), [""; 0]);
    assert_eq!(found(&traces, &record.sealed), [""; 0]);
    assert_eq!(found(&traces, &dump(&enrolled.queue_database())), [""; 0]);
    assert_eq!(found(&traces, &dump(&enrolled.state_database())), [""; 0]);
    for file in all_files(enrolled.folder.path()) {
        let bytes = std::fs::read(&file).unwrap();
        assert_eq!(found_in_file(&traces, &bytes), [""; 0], "{}", file.display());
    }
    let expected = Body::Cleared {
        unit: 4_107,
        channel: record::Channel::Qr,
        reason: CheckReason::Patrol,
        verdict: CheckVerdict::NotListed,
    };
    assert_eq!(record::decode_body(&body), Ok(expected));
}

#[test]
fn the_search_for_traces_finds_a_person_who_is_there() {
    let enrolled = a_device();
    let (_, mut session) = enrolled.unlock();
    check(&mut session, &his(), Verdict::Match);
    let sequence = session.queue().count().unwrap();
    let record = conclude(&mut session, &his(), sequence, Outcome::Confirmed);
    let traces = traces(&his());
    let in_body = found(&traces, &unsealed_bytes(&record));
    for what in
        ["\"Nguyễn Văn Mẫu\"", "\"048088999901\"", "\"088999901\"", "birth date as a number"]
    {
        assert!(in_body.iter().any(|trace| trace.contains(what)), "{what} in {in_body:?}");
    }
}

#[test]
fn two_people_leave_the_same_traces() {
    // Two devices that differ in nothing but whom they check.
    let first = a_device();
    let second = first.copy();
    let other = typed::parse(&TypedEntry {
        number: "001 199 999 903".into(),
        name: "Lê Hoàng Thử Nghiệm Dài Hơn".into(),
        birth: "31/12/1999".into(),
        ..TypedEntry::default()
    });
    // Read from the card, as hers is: the channel is kept, and is no person.
    let mut other = other.unwrap();
    other.source = fieldcheck::document::Source::Qr;

    let mut kept = Vec::new();
    for (enrolled, document) in [(&first, &hers()), (&second, &other)] {
        let (device, mut session) = enrolled.unlock();
        let record = check(&mut session, document, Verdict::NotListed);
        let records = session.queue().records().unwrap();
        let headers: Vec<RecordHeader> = records
            .iter()
            .map(header_of)
            .map(|header| RecordHeader { previous: [0; 32], body_hash: [0; 32], ..header })
            .collect();
        let lengths: Vec<usize> = records.iter().map(|record| record.sealed.len()).collect();
        drop((device, session));
        // All but the hash of the newest header, which follows from what is sealed.
        let hash = record::header_hash(&records[records.len() - 1].header);
        let mut state = dump(&enrolled.state_database());
        let at = state.windows(hash.len()).position(|window| window == hash);
        let at = at.expect("the queue's head");
        state.drain(at..at + hash.len());
        kept.push((headers, lengths, unsealed_bytes(&record), state));
    }
    assert_eq!(kept[0].0, kept[1].0, "headers, but for the hashes of what is sealed");
    assert_eq!(kept[0].1, kept[1].1, "lengths");
    assert_eq!(kept[0].2, kept[1].2, "the body");
    assert!(kept[0].3 == kept[1].3, "the state database");
}

#[test]
fn a_match_names_its_notice_and_not_the_person() {
    let enrolled = a_device();
    let (device, mut session) = enrolled.unlock();
    let record = check(&mut session, &his(), Verdict::Match);
    let body = unsealed_bytes(&record);
    let traces = traces(&his());
    assert_eq!(found(&traces, &record.header), [""; 0]);
    assert_eq!(found(&traces, &body), [""; 0]);
    let Body::Hit { notices, verdict, .. } = body_of(&record) else { panic!("a hit") };
    assert_eq!((notices, verdict), (vec![7], CheckVerdict::Match));

    // Nor do the outcomes that leave it open.
    let sequence = session.queue().count().unwrap();
    for outcome in [Outcome::NotThisPerson, Outcome::CouldNotTell, Outcome::Clarified] {
        let record = conclude(&mut session, &his(), sequence, outcome);
        assert_eq!(found(&traces, &unsealed_bytes(&record)), [""; 0], "{outcome}");
        assert!(
            matches!(body_of(&record), Body::Outcome { person: None, check, notice: 7, .. }
                if check == sequence),
            "{outcome}"
        );
    }
    drop((device, session));
    assert_eq!(found(&traces, &dump(&enrolled.queue_database())), [""; 0]);
    assert_eq!(found(&traces, &dump(&enrolled.state_database())), [""; 0]);
}

#[test]
fn only_a_confirmed_outcome_holds_the_person_and_only_in_its_sealed_body() {
    let enrolled = a_device();
    let (device, mut session) = enrolled.unlock();
    check(&mut session, &his(), Verdict::Match);
    let sequence = session.queue().count().unwrap();
    let record = conclude(&mut session, &his(), sequence, Outcome::Confirmed);
    let Body::Outcome { person: Some(person), .. } = body_of(&record) else { panic!("a person") };
    assert_eq!(person.name, "Nguyễn Văn Mẫu");
    drop((device, session));
    let traces = traces(&his());
    assert_eq!(found(&traces, &record.header), [""; 0]);
    assert_eq!(found(&traces, &dump(&enrolled.queue_database())), [""; 0]);
    assert_eq!(found(&traces, &dump(&enrolled.state_database())), [""; 0]);
}

#[test]
fn outside_a_match_looks_like_every_other_check() {
    let her_card_is_lost = lost(9, "001192999902");
    let enrolled = Enrolled::with(&[&notices_package(1, &[wanted(7), her_card_is_lost])]);
    let (_, mut session) = enrolled.unlock();
    let mut nobody = hers();
    nobody.numbers.clear();
    nobody.source = fieldcheck::document::Source::Mrz;
    let records = [
        check(&mut session, &his(), Verdict::Match),
        check(&mut session, &hers(), Verdict::Refer),
        check(&mut session, &nobody, Verdict::NotListed),
    ];
    for record in &records {
        let header = header_of(record);
        assert_eq!(header.event, Event::Check);
        assert_eq!(header.hour, NOW.hour(), "the hour and nothing finer");
        assert_eq!(record.sealed.len(), records[0].sealed.len());
        assert_eq!(record.header.len(), records[0].header.len());
        let common = |record| RecordHeader {
            sequence: 0,
            previous: [0; 32],
            body_hash: [0; 32],
            ..header_of(record)
        };
        assert_eq!(common(record), common(&records[0]));
    }
}

#[test]
fn a_name_that_was_searched_is_nowhere() {
    let enrolled = a_device();
    let (device, mut session) = enrolled.unlock();
    let entry = TypedEntry {
        name: "Trần Thị Hòa Thử".into(),
        birth: "17/09/1992".into(),
        ..TypedEntry::default()
    };
    let document = typed::parse(&entry).unwrap();
    let record = check(&mut session, &document, Verdict::NotListed);
    let events: Vec<Event> =
        session.queue().headers(2).unwrap().iter().map(|header| header.event).collect();
    assert_eq!(events, [Event::Check, Event::NameSearch]);
    drop((device, session));
    // The same name and birth date as on her card.
    let traces = traces(&hers());
    assert_eq!(found(&traces, &unsealed_bytes(&record)), [""; 0]);
    assert_eq!(found(&traces, &dump(&enrolled.queue_database())), [""; 0]);
    assert_eq!(found(&traces, &dump(&enrolled.state_database())), [""; 0]);
}

/// Named by a test that runs this one in a process that it kills.
const APPENDS_TO: &str = "FIELDCHECK_TEST_APPENDS_TO";

const WRITER: Writer = Writer {
    device: [9; 16],
    // The base point of X25519 (RFC 7748, 4.1): any key will do, nobody reads these bodies.
    collect_key: {
        let mut key = [0; 32];
        key[0] = 9;
        key
    },
};

fn append(queue: &mut Queue, key: &SimulatedDeviceKey) -> u64 {
    let circumstance =
        Circumstance { event: Event::Check, hour: NOW.hour(), notices: None, register: None };
    let body = Body::Cleared {
        unit: 4_107,
        channel: record::Channel::Qr,
        reason: CheckReason::Patrol,
        verdict: CheckVerdict::NotListed,
    };
    queue.append(circumstance, &body, &WRITER, key).unwrap()
}

fn open_queue(path: &std::path::Path) -> Queue {
    let key = queue_key(&SimulatedDeviceKey::numbered(1)).unwrap();
    if !path.exists() {
        return Queue::create(path, &key).unwrap();
    }
    let (queue, opened) = Queue::open(path, &key, Head::default()).unwrap();
    assert_eq!(opened, Opened::Whole);
    queue
}

/// Does nothing by itself: see [`what_was_said_to_be_saved_survives_sudden_death`].
#[test]
fn appends_until_it_is_killed() {
    let Some(path) = std::env::var_os(APPENDS_TO) else { return };
    let key = SimulatedDeviceKey::numbered(1);
    let mut queue = open_queue(std::path::Path::new(&path));
    loop {
        let sequence = append(&mut queue, &key);
        println!("\nsaved {sequence}");
        std::io::stdout().flush().unwrap();
    }
}

#[test]
fn what_was_said_to_be_saved_survives_sudden_death() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    let key = SimulatedDeviceKey::numbered(1);
    let mut before = 0;
    for delay in [0, 1, 3, 8, 21, 34, 55] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "encounters::appends_until_it_is_killed", "--nocapture"])
            .env(APPENDS_TO, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = None;
        let read = |line: std::io::Result<String>| -> Option<u64> {
            line.unwrap().strip_prefix("saved ")?.parse().ok()
        };
        while said.is_none() {
            said = read(lines.next().expect("the child writes"));
        }
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it died stands in the pipe.
        said = lines.filter_map(read).last().or(said);
        let said = said.expect("a record");

        let queue = open_queue(&path);
        let count = queue.verify(&key.public_key()).unwrap();
        assert!(count >= said, "{said} were said to be saved, {count} are there");
        assert!(count <= said + 1, "at most one was saved and not yet said");
        assert!(count > before, "{count} after {before}");
        before = count;
    }
    // Life goes on.
    let mut queue = open_queue(&path);
    assert_eq!(append(&mut queue, &key), before + 1);
}

#[test]
fn a_log_cut_off_anywhere_gives_back_whole_records_from_the_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    let key = SimulatedDeviceKey::numbered(1);
    let mut queue = open_queue(&path);
    for _ in 0..8 {
        append(&mut queue, &key);
    }
    let records = queue.records().unwrap();
    let database = std::fs::read(&path).unwrap();
    let log = std::fs::read(folder.path().join("queue.db-wal")).unwrap();

    // A header of 32 bytes, then frames of a page and 24 bytes (SQLite file format, 4.1).
    let frame_ends = (0..=log.len() / 4_120).map(|frames| 32 + frames * 4_120);
    let near_frame_ends = frame_ends.flat_map(|end| [end - 1, end, end + 1, end + 24]);
    let cuts = (0..log.len()).step_by(1_013).chain(near_frame_ends).chain([log.len()]);
    let mut cuts: Vec<usize> = cuts.filter(|cut| *cut <= log.len()).collect();
    cuts.sort_unstable();
    let mut most = 0;
    for cut in cuts {
        let copy = tempfile::tempdir().unwrap();
        let path = copy.path().join("queue.db");
        std::fs::write(&path, &database).unwrap();
        std::fs::write(copy.path().join("queue.db-wal"), &log[..cut]).unwrap();
        let mut queue = open_queue(&path);
        let kept = queue.records().unwrap();
        assert!(records.starts_with(&kept), "{} records at {cut}", kept.len());
        assert!(kept.len() >= most, "{} records at {cut}, and {most} before", kept.len());
        most = kept.len();
        assert_eq!(append(&mut queue, &key), kept.len() as u64 + 1, "at {cut}");
    }
    assert_eq!(most, 8);
}
