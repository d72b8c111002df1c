//! Records: what a device reports of its checks, signed, chained and padded.
//!
//! A record is a signed header outside and a sealed body inside. The chain runs over the headers, so
//! that an inspector verifies order, versions and clock jumps without any key, and a body can be
//! erased without breaking it. A clear check has no field for a person: what cannot be written down
//! cannot be kept.
//!
//! Not here: signing, sealing, and the queue.

use std::fmt;

use bincode::{Decode, Encode};
use sha2::{Digest, Sha256};

use super::date::PartialDate;
use super::notice::Number;
use super::package::SnapshotVersion;
use crate::codec::{self, DecodeError, Kind};
use crate::limits;

numbered! {
    /// What happened on the device.
    pub enum Event, "event" {
        /// A check was answered.
        Check = 1, "check";
        /// The outcome of a match or referral was recorded.
        Outcome = 2, "outcome";
        /// An officer reported a person on purpose.
        Report = 3, "report";
        /// The device was unlocked.
        Unlock = 4, "unlock";
        /// A PIN was wrong.
        UnlockFailed = 5, "unlock-failed";
        /// A snapshot was installed.
        Install = 6, "install";
        /// The clock jumped.
        ClockStep = 7, "clock-step";
        /// Notices were searched by name.
        NameSearch = 8, "name-search";
        /// The device was locked.
        Lock = 9, "lock";
        /// A search was refused by the rate limit.
        PersonSearchRefused = 10, "person-search-refused";
        /// A notice's own record was opened beside the card, for a reason.
        NoticeOpened = 11, "notice-opened";
        /// An installed snapshot could not be opened; the detail is its dataset.
        ListDamaged = 12, "list-damaged";
        /// The queue was lost or damaged, and this record begins a new one.
        QueueRestarted = 13, "queue-restarted";
        /// An emergency withdrawal was read and kept; the detail is how many notices it names.
        Withdrawn = 14, "withdrawn";
        /// An installed snapshot was verified again; the detail is its dataset.
        ListVerified = 15, "list-verified";
    }
}

numbered! {
    /// How the document was read.
    pub enum Channel, "channel" {
        /// QR code.
        Qr = 1, "qr";
        /// Machine-readable zone.
        Mrz = 2, "mrz";
        /// Chip.
        Chip = 3, "chip";
        /// Typed in.
        Typed = 4, "typed";
    }
}

numbered! {
    /// Why a person was checked.
    pub enum CheckReason, "reason" {
        /// Routine check of documents.
        DocumentCheck = 1, "document-check";
        /// Crossing of the border.
        BorderCrossing = 2, "border-crossing";
        /// Inspection of a vessel.
        VesselInspection = 3, "vessel-inspection";
        /// Patrol in the border area.
        Patrol = 4, "patrol";
        /// The person had no document.
        NoDocument = 5, "no-document";
        /// The duty officer asked for it.
        DutyOfficerRequest = 6, "duty-officer-request";
    }
}

numbered! {
    /// What the device answered, in order of strictness.
    pub enum CheckVerdict, "verdict" {
        /// Nothing on file, document proven.
        Clear = 1, "clear";
        /// Nothing on file, document not proven.
        NotListed = 2, "not-listed";
        /// Could not be checked.
        NotChecked = 3, "not-checked";
        /// To be examined further.
        Refer = 4, "refer";
        /// Matches a notice.
        Match = 5, "match";
    }
}

numbered! {
    /// What the officer found out after a match or referral.
    pub enum Outcome, "outcome" {
        /// It is the person of the notice.
        Confirmed = 1, "confirmed";
        /// It is somebody else.
        NotThisPerson = 2, "not-this-person";
        /// It could not be told.
        CouldNotTell = 3, "could-not-tell";
        /// What disagreed has been explained.
        Clarified = 4, "clarified";
    }
}

numbered! {
    /// What the outcome rests on.
    pub enum OutcomeWhy, "outcome reason" {
        /// The photo shows somebody else.
        PhotoDiffers = 1, "photo-differs";
        /// The marks are not his.
        MarksDiffer = 2, "marks-differ";
        /// The number is another.
        NumberDiffers = 3, "number-differs";
        /// The age cannot be.
        AgeDiffers = 4, "age-differs";
        /// The duty officer confirmed it.
        ConfirmedByDuty = 5, "confirmed-by-duty";
        /// A further document confirmed it.
        ConfirmedByDocument = 6, "confirmed-by-document";
        /// There was no photo to compare.
        NoPhoto = 7, "no-photo";
        /// Nobody answered the call.
        NoAnswer = 8, "no-answer";
        /// The person's answer settled it; nothing proves an answer.
        PersonAnswered = 9, "person-answered";
    }
}

/// The outer part of a record: signed, never sealed, and nothing of a person in it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct RecordHeader {
    /// The device, by the id of its enrolment.
    pub device: [u8; 16],
    /// Number of the record on the device, from 1, without gaps.
    pub sequence: u64,
    /// [`header_hash`] of the record before, zeros for the first.
    pub previous: [u8; 32],
    /// Hours since 1970 UTC; nothing finer is kept.
    pub hour: u32,
    /// The notices installed at that time.
    pub notices: Option<SnapshotVersion>,
    /// The register installed at that time.
    pub register: Option<SnapshotVersion>,
    /// What happened.
    pub event: Event,
    /// The collect key to which the body is sealed.
    pub key_id: [u8; 8],
    /// SHA-256 of [`Record::sealed`].
    pub body_hash: [u8; 32],
}

/// A record as it is queued and exported.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Record {
    /// The encoded [`RecordHeader`]; its bytes are what is signed and chained.
    pub header: Vec<u8>,
    /// ECDSA P-256 over [`super::package::signing_bytes`] of the header, r then s.
    pub signature: [u8; 64],
    /// Encapsulated key, then ciphertext of the padded [`Body`]; empty once it has been erased.
    pub sealed: Vec<u8>,
}

/// The inner part of a record.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Body {
    /// A check that named no notice. There is no field for a person, a number or a place.
    Cleared {
        /// The unit.
        unit: u32,
        /// How the document was read.
        channel: Channel,
        /// Why the person was checked.
        reason: CheckReason,
        /// What was answered.
        verdict: CheckVerdict,
    },
    /// A check that named notices.
    Hit {
        /// The unit.
        unit: u32,
        /// How the document was read.
        channel: Channel,
        /// Why the person was checked.
        reason: CheckReason,
        /// What was answered.
        verdict: CheckVerdict,
        /// The order numbers of the notices, strictly ascending.
        notices: Vec<u64>,
    },
    /// What came out of a match or referral.
    Outcome {
        /// [`RecordHeader::sequence`] of the check.
        check: u64,
        /// The notice, 0 when the referral named none.
        notice: u64,
        /// What was found out.
        outcome: Outcome,
        /// What it rests on.
        why: OutcomeWhy,
        /// The person, only with [`Outcome::Confirmed`].
        person: Option<Person>,
    },
    /// An event of the device.
    Event {
        /// A number whose meaning depends on [`RecordHeader::event`].
        detail: u32,
    },
    /// A report that an officer made on purpose.
    Report {
        /// Why the person was checked.
        reason: CheckReason,
        /// The person.
        person: Person,
    },
}

/// A person whom an officer has confirmed or reported. `Debug` hides all of it.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Person {
    /// The name as the document gives it.
    pub name: String,
    /// The birth date as far as known.
    pub birth: PartialDate,
    /// The document's number, when there was one.
    pub number: Option<Number>,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person(..)")
    }
}

/// Why a body is not one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BodyError {
    /// Not of a padded length: 256, 512, ... 16,384 bytes.
    #[error("{len} bytes are no padded length")]
    Length {
        /// The length found.
        len: usize,
    },
    /// Longer than the longest step.
    #[error("a body of {len} bytes is longer than the longest step")]
    TooLong {
        /// The length offered.
        len: usize,
    },
    /// Not padded with zeros to the shortest step that holds it.
    #[error("the padding is not the one padding of the body")]
    Padding,
    /// Not a value of the format.
    #[error("the body cannot be decoded")]
    Decode(#[from] DecodeError),
    /// A person with an outcome that does not permit one.
    #[error("only a confirmed outcome names a person")]
    PersonNotConfirmed,
    /// No notice, too many, or not in ascending order.
    #[error("a hit names 1 to {limit} notices in ascending order", limit = limits::MAX_NOTICES_IN_RECORD)]
    Notices,
}

/// Returns the hash by which the next record refers to this one: SHA-256 of the encoded header.
pub fn header_hash(header: &[u8]) -> [u8; 32] {
    Sha256::digest(header).into()
}

/// Returns what is authenticated together with the sealed body: the encoded header with
/// [`RecordHeader::body_hash`] zero, since that is the hash of what is being sealed.
pub fn aad(header: &RecordHeader) -> Vec<u8> {
    let header = RecordHeader { body_hash: [0; 32], ..header.clone() };
    codec::encode(Kind::RecordHeader, &header)
        .expect("a header has no part of variable length, and its limit has room for all of them")
}

/// Returns the encoded and padded body, ready to be sealed.
///
/// # Errors
///
/// A body that names a person or notices where it may not, or one that is too long.
pub fn encode_body(body: &Body) -> Result<Vec<u8>, BodyError> {
    body.validate()?;
    let bytes = codec::encode(Kind::Body, body)
        .map_err(|codec::EncodeError::TooLong { len, .. }| BodyError::TooLong { len })?;
    pad(&bytes)
}

/// Returns the body of what was unsealed.
///
/// # Errors
///
/// Whatever [`encode_body`] would not have written.
pub fn decode_body(padded: &[u8]) -> Result<Body, BodyError> {
    let body: Body = codec::decode(Kind::Body, unpad(padded)?)?;
    body.validate()?;
    Ok(body)
}

/// Returns the body behind its length and before zeros, in the shortest step that holds it.
///
/// # Errors
///
/// [`BodyError::TooLong`] beyond the last step.
pub fn pad(body: &[u8]) -> Result<Vec<u8>, BodyError> {
    let step = step_for(body.len()).ok_or(BodyError::TooLong { len: body.len() })?;
    let mut padded = Vec::with_capacity(step);
    padded.extend_from_slice(&(body.len() as u32).to_le_bytes());
    padded.extend_from_slice(body);
    padded.resize(step, 0);
    Ok(padded)
}

/// Returns the body without its padding.
///
/// # Errors
///
/// [`BodyError::Length`] or [`BodyError::Padding`] for what [`pad`] does not write.
pub fn unpad(padded: &[u8]) -> Result<&[u8], BodyError> {
    let wrong_length = BodyError::Length { len: padded.len() };
    let (prefix, rest) = padded.split_first_chunk::<4>().ok_or(wrong_length)?;
    if !steps().any(|step| step == padded.len()) {
        return Err(wrong_length);
    }
    let len = u32::from_le_bytes(*prefix) as usize;
    let (body, zeros) = rest.split_at_checked(len).ok_or(BodyError::Padding)?;
    if step_for(len) != Some(padded.len()) || zeros.iter().any(|byte| *byte != 0) {
        return Err(BodyError::Padding);
    }
    Ok(body)
}

impl Body {
    /// Says whether the body names only what it may.
    ///
    /// # Errors
    ///
    /// [`BodyError::PersonNotConfirmed`] or [`BodyError::Notices`].
    pub fn validate(&self) -> Result<(), BodyError> {
        match self {
            Body::Outcome { outcome, person: Some(_), .. } if *outcome != Outcome::Confirmed => {
                Err(BodyError::PersonNotConfirmed)
            }
            Body::Hit { notices, .. }
                if notices.is_empty()
                    || notices.len() > limits::MAX_NOTICES_IN_RECORD
                    || !notices.is_sorted_by(|left, right| left < right) =>
            {
                Err(BodyError::Notices)
            }
            _ => Ok(()),
        }
    }
}

/// The padded lengths: powers of two, so that a length tells little.
fn steps() -> impl Iterator<Item = usize> {
    std::iter::successors(Some(limits::MIN_BODY_BYTES), |step| Some(step * 2))
        .take_while(|step| *step <= limits::MAX_BODY_BYTES)
}

fn step_for(body: usize) -> Option<usize> {
    steps().find(|step| step - 4 >= body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::v1::notice::NumberKind;

    fn a_header() -> RecordHeader {
        RecordHeader {
            device: [1; 16],
            sequence: u64::MAX,
            previous: [2; 32],
            hour: u32::MAX,
            notices: Some(SnapshotVersion { epoch: u32::MAX, version: u64::MAX }),
            register: Some(SnapshotVersion { epoch: u32::MAX, version: u64::MAX }),
            event: Event::Check,
            key_id: [3; 8],
            body_hash: [4; 32],
        }
    }

    fn a_person() -> Person {
        let number = Number { kind: NumberKind::Personal, text: "048188999901".into() };
        Person {
            name: "Trần Thị Mẫu".into(),
            birth: PartialDate::new(1988, 3, 2).unwrap(),
            number: Some(number),
        }
    }

    fn a_hit(notices: Vec<u64>) -> Body {
        Body::Hit {
            unit: u32::MAX,
            channel: Channel::Typed,
            reason: CheckReason::Patrol,
            verdict: CheckVerdict::Match,
            notices,
        }
    }

    fn an_outcome(outcome: Outcome, person: Option<Person>) -> Body {
        let why = OutcomeWhy::ConfirmedByDuty;
        Body::Outcome { check: 12, notice: 17, outcome, why, person }
    }

    #[test]
    fn a_clear_check_is_as_long_as_the_greatest_match() {
        let cleared = Body::Cleared {
            unit: 0,
            channel: Channel::Qr,
            reason: CheckReason::DocumentCheck,
            verdict: CheckVerdict::NotListed,
        };
        let match_ = a_hit((u64::MAX - 15..=u64::MAX).collect());
        assert_eq!(encode_body(&cleared).unwrap().len(), 256);
        assert_eq!(encode_body(&match_).unwrap().len(), 256);
        assert_eq!(encode_body(&Body::Event { detail: 3 }).unwrap().len(), 256);
    }

    #[test]
    fn only_a_confirmed_outcome_names_a_person() {
        for outcome in Outcome::ALL {
            let body = an_outcome(*outcome, Some(a_person()));
            let expected = match outcome {
                Outcome::Confirmed => Ok(()),
                _ => Err(BodyError::PersonNotConfirmed),
            };
            assert_eq!(body.validate(), expected, "{outcome}");
            assert_eq!(encode_body(&body).map(drop), expected, "{outcome}");
            assert_eq!(an_outcome(*outcome, None).validate(), Ok(()), "{outcome}");
        }
    }

    #[test]
    fn a_hit_names_its_notices_once_and_in_order() {
        assert_eq!(a_hit(vec![3, 7]).validate(), Ok(()));
        for notices in [vec![], vec![7, 3], vec![3, 3], (1..=17).collect()] {
            assert_eq!(a_hit(notices).validate(), Err(BodyError::Notices));
        }
    }

    #[test]
    fn padding_goes_by_steps_and_comes_off() {
        for (len, step) in
            [(0, 256), (252, 256), (253, 512), (508, 512), (509, 1_024), (16_380, 16_384)]
        {
            let body = vec![0xa5; len];
            let padded = pad(&body).unwrap();
            assert_eq!(padded.len(), step, "{len}");
            assert_eq!(unpad(&padded), Ok(&body[..]), "{len}");
        }
        assert_eq!(pad(&[0; 16_381]), Err(BodyError::TooLong { len: 16_381 }));
    }

    #[test]
    fn padding_that_nobody_writes_is_refused() {
        let check = |padded: &[u8], expected| assert_eq!(unpad(padded), Err(expected));
        let padded = pad(&[1, 2, 3]).unwrap();
        let changed = |at: usize, byte| {
            let mut padded = padded.clone();
            padded[at] = byte;
            padded
        };
        for len in [0, 3, 255, 257, 384] {
            check(&vec![0; len], BodyError::Length { len });
        }
        check(&vec![0; 32_768], BodyError::Length { len: 32_768 });
        check(&changed(255, 1), BodyError::Padding);
        check(&changed(0, 253), BodyError::Padding);
        check(&changed(3, 0xff), BodyError::Padding);
        check(&[padded.clone(), vec![0; 256]].concat(), BodyError::Padding);
    }

    #[test]
    fn what_is_authenticated_is_the_header_without_the_hash_of_what_is_sealed() {
        let header = a_header();
        let authenticated: RecordHeader = codec::decode(Kind::RecordHeader, &aad(&header)).unwrap();
        assert_eq!(authenticated, RecordHeader { body_hash: [0; 32], ..header.clone() });
        let sealed_later = RecordHeader { body_hash: [9; 32], ..header.clone() };
        assert_eq!(aad(&sealed_later), aad(&header));
        let other = RecordHeader { sequence: 1, ..header.clone() };
        assert_ne!(aad(&other), aad(&header));
    }

    #[test]
    fn the_chain_hash_is_sha256_of_the_header() {
        // FIPS 180-2, appendix B.1.
        let expected = [
            0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae,
            0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61,
            0xf2, 0x00, 0x15, 0xad,
        ];
        assert_eq!(header_hash(b"abc"), expected);
    }

    #[test]
    fn the_longest_record_fits() {
        let record = Record {
            header: codec::encode(Kind::RecordHeader, &a_header()).unwrap(),
            signature: [5; 64],
            // X-Wing's encapsulation, the longest body, the tag.
            sealed: vec![6; 1_120 + limits::MAX_BODY_BYTES + 16],
        };
        let bytes = codec::encode(Kind::Record, &record).unwrap();
        assert_eq!(codec::decode(Kind::Record, &bytes), Ok(record));
    }

    #[test]
    fn a_person_does_not_show_itself() {
        let shown = format!("{:?}", an_outcome(Outcome::Confirmed, Some(a_person())));
        assert!(shown.contains("person: Some(Person(..))"), "{shown}");
        assert!(!shown.contains("Trần") && !shown.contains("048188999901"), "{shown}");
    }

    proptest! {
        #[test]
        fn bodies_come_back(unit: u32, name in "\\PC{0,80}", detail: u32, check: u64) {
            let person = Person { name, ..a_person() };
            for body in [
                Body::Cleared {
                    unit,
                    channel: Channel::Qr,
                    reason: CheckReason::NoDocument,
                    verdict: CheckVerdict::Clear,
                },
                a_hit(vec![check.max(1)]),
                an_outcome(Outcome::Confirmed, Some(person.clone())),
                Body::Event { detail },
                Body::Report { reason: CheckReason::Patrol, person },
            ] {
                prop_assert_eq!(decode_body(&encode_body(&body).unwrap()), Ok(body));
            }
        }

        #[test]
        fn random_bytes_are_refused_and_nothing_worse(bytes in prop::collection::vec(any::<u8>(), 256)) {
            prop_assert!(decode_body(&bytes).is_err());
            let _ = decode_body(&pad(&bytes).unwrap());
        }
    }
}
