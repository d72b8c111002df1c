//! The lists and registers that are installed while the power fails, in several versions each.

use std::ops::Range;

use fieldcheck::clock::TrustedTime;
use fieldcheck::snapshot::build::{self, BaseOf, Draft, Terms};
use fieldcheck::snapshot::keyring::Keyring;
use fieldcheck::snapshot::verify::{Held, Opener};
use fieldcheck::snapshot::{self, Signed, Trust};
use sync_format::codec::{self, Kind};
use sync_format::v1::message::{SignedWithdrawal, Withdrawal};
use sync_format::v1::notice::Notice;
use sync_format::v1::package::{Base, Domain, Purpose, Role, SnapshotVersion, sha256};
use sync_format::v1::register::{RegisterRow, TOMBSTONE};

use super::random::Random;
use crate::support::{self, NOW, another_row, lost, notices_package, register_package, wanted};

/// The people who are asked about, whatever list is installed.
pub const PEOPLE: u64 = 16;

/// Where they were born, two in each: the register has a chunk of each region.
const REGIONS: [u64; 8] = [1, 8, 11, 24, 31, 48, 79, 92];

/// The number of one of them; the numbers ascend.
pub fn number(person: u64) -> u64 {
    REGIONS[(person / 2) as usize] * 1_000_000_000 + 88_999_900 + person
}

/// Who is looked for by a list of notices.
const AUTHORS: &[Role] = &[Role::NoticesAuthor, Role::NoticesApprover];

/// The notice about a person, with a photo of several pages, as the list of `version` has it.
fn notice(person: u64, version: u64) -> Notice {
    let mut random = Random::new(person + 1_000 * version);
    let photo = (0..5_000).map(|_| random.below(256) as u8).collect();
    let number = format!("{:012}", number(person));
    match person % 3 {
        0 => lost(person + 1, &number),
        _ => Notice { photo, numbers: lost(1, &number).numbers, ..wanted(person + 1) },
    }
}

fn notices(people: Range<u64>, version: u64) -> Vec<Notice> {
    people.map(|person| notice(person, version)).collect()
}

fn rows(people: Range<u64>) -> Vec<RegisterRow> {
    people.map(|person| another_row(number(person))).collect()
}

/// The full list of `version`, about these people.
pub fn list(version: u64, people: Range<u64>) -> Vec<u8> {
    notices_package(version, &notices(people, version))
}

/// The full register of `version`, of these people.
pub fn register(version: u64, people: Range<u64>) -> Vec<u8> {
    register_package(version, &rows(people))
}

/// Changes to the list `base`: these people are added or changed, those are withdrawn.
pub fn list_changes(
    base: &[u8],
    version: u64,
    changed: Range<u64>,
    withdrawn: Range<u64>,
) -> Vec<u8> {
    let withdrawn: Vec<u64> = withdrawn.map(|person| person + 1).collect();
    let changed = notices(changed, version);
    let (terms, units, seed) = (support::terms(version), support::units(), support::seed());
    let draft = build::notices_delta(&base_of(base), &changed, &withdrawn, terms, &units, &seed);
    support::package(&draft.expect("a draft"), AUTHORS)
}

/// Changes to the register `base`: these people are added, those are gone from it.
pub fn register_changes(base: &[u8], version: u64, gone: Range<u64>, added: Range<u64>) -> Vec<u8> {
    let gone = gone.map(|person| RegisterRow { number: number(person), tags: TOMBSTONE });
    let changed: Vec<RegisterRow> = gone.chain(rows(added)).collect();
    let (terms, units, seed) = (support::terms(version), support::units(), support::seed());
    let draft = build::register_delta(&base_of(base), changed, terms, &units, &seed);
    support::package(&draft.expect("a draft"), &[Role::Register])
}

/// The full list of `version` under a root document that hands over to other keys, perhaps in an
/// epoch of its own.
pub fn list_of_new_keys(epoch: u32, version: u64, people: Range<u64>) -> Vec<u8> {
    let next = Keyring::simulated(2);
    let chain = support::keyring().sign_root(support::root()).expect("a chain");
    let (made, expires) = (NOW.0 - 3_600, NOW.0 + 365 * 24 * 3_600);
    let chain = support::keyring().rotate(&chain, &next, epoch, made, expires).expect("a chain");
    let terms = Terms { version: SnapshotVersion { epoch, version }, ..support::terms(version) };
    let notices = notices(people, version);
    let draft: Draft =
        build::notices(&notices, terms, &support::units(), &support::seed()).expect("a draft");
    let sign = |role: &Role| next.sign_manifest(*role, &draft.manifest);
    let signatures = AUTHORS.iter().flat_map(sign).collect();
    draft.package(support::UNIT, &chain, signatures).expect("a package")
}

/// An emergency withdrawal of the notices about these people, from the lists up to `version`.
pub fn withdrawal(version: u64, people: Range<u64>) -> Vec<u8> {
    let withdrawal = Withdrawal {
        purpose: Purpose::Demo,
        version: support::version(version),
        made: NOW.0,
        notices: people.map(|person| person + 1).collect(),
    };
    let withdrawal = codec::encode(Kind::Withdrawal, &withdrawal).expect("encoded");
    let sign = |role: &Role| support::keyring().sign_as(*role, Domain::Withdrawal, &withdrawal);
    let signatures = AUTHORS.iter().flat_map(sign).collect();
    let signed = SignedWithdrawal { withdrawal, signatures };
    codec::encode(Kind::SignedWithdrawal, &signed).expect("encoded")
}

/// What changes to this package are built against.
fn base_of(package: &[u8]) -> BaseOf {
    let trust = Trust {
        root_hash: sha256(&support::root()),
        purpose: Purpose::Demo,
        notices: Held::default(),
        register: Held::default(),
        anchors: Held::default(),
        time: TrustedTime::new(NOW, NOW),
        real_time: NOW,
    };
    let (mut package, secret) = (package, support::seal_secret());
    let signed = Signed::read(&mut package).expect("a package");
    let verified = snapshot::verify(signed, &trust, Opener::Device(&secret)).expect("verified");
    let snapshot = verified.snapshot();
    let SnapshotVersion { epoch, version } = snapshot.manifest.version;
    let manifest = sha256(snapshot.manifest_bytes());
    BaseOf { base: Base { version, manifest }, epoch, inner: snapshot.inner.clone() }
}
