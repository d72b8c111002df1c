//! The way of a list from headquarters to a device: checked for every unit, published into a folder,
//! copied onto a stick, found there and installed.

use std::fs;
use std::io;
use std::path::Path;

use fieldcheck::carried;
use fieldcheck::clock::DeviceTime;
use fieldcheck::repository::check::{CheckError, Checked, UnderRoot};
use fieldcheck::repository::mirror::{MirrorError, Mirrored, Unverified, mirror};
use fieldcheck::repository::publish::{Parts, Publication, publish};
use fieldcheck::repository::{Address, Repository};
use fieldcheck::snapshot::build::{self, BaseOf, Draft, Terms, Unit};
use fieldcheck::snapshot::keyring::Keyring;
use fieldcheck::store::install::Proceed;
use sync_format::codec::{self, Kind};
use sync_format::v1::anchors::{Anchor, AnchorKind};
use sync_format::v1::package::seal::{Part, Seed, open};
use sync_format::v1::package::{
    Base, Dataset, InnerManifest, Manifest, Role, SignedManifest, sha256,
};

use crate::support::{self, Enrolled, NOW, UNIT};

const NOTICES: &[Role] = &[Role::NoticesAuthor, Role::NoticesApprover];

/// A draft and its signatures, as they lie at headquarters.
#[derive(Clone)]
pub struct Signed {
    pub draft: Draft,
    pub manifest: Vec<u8>,
}

impl Signed {
    pub fn new(draft: Draft, roles: &[Role]) -> Signed {
        let sign = |role: &Role| support::keyring().sign_manifest(*role, &draft.manifest);
        let signatures = roles.iter().flat_map(sign).collect();
        let signed = SignedManifest { manifest: draft.manifest.clone(), signatures };
        let manifest = codec::encode(Kind::SignedManifest, &signed).expect("a manifest");
        Signed { draft, manifest }
    }
}

impl Parts for Signed {
    fn manifest(&self) -> &[u8] {
        &self.manifest
    }
    fn inner(&self) -> &[u8] {
        &self.draft.inner
    }
    fn envelopes(&self) -> &[(u32, Vec<u8>)] {
        &self.draft.envelopes
    }
    fn chunk(&mut self, index: usize) -> io::Result<Vec<u8>> {
        self.draft.chunks.get(index).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

pub fn root_chain() -> Vec<u8> {
    support::keyring().sign_root(support::root()).expect("a root chain")
}

/// Another secret for each package, as at headquarters.
fn seed(number: u8) -> Seed {
    Seed::new([number; 32])
}

fn notices(number: u64) -> Signed {
    let rows = [support::wanted(2), support::lost(5, "001088999905")];
    let draft =
        build::notices(&rows, support::terms(number), &units(), &seed(number as u8)).unwrap();
    Signed::new(draft, NOTICES)
}

/// What has changed since `full`: one notice more, and one withdrawn.
fn notices_delta(full: &Signed, number: u64) -> Signed {
    let manifest: Manifest = codec::decode(Kind::Manifest, &full.draft.manifest).unwrap();
    let version = manifest.version;
    let key = seed(version.version as u8).inner_key();
    let inner = open(&manifest.package, Part::Inner, &key, &full.draft.inner).unwrap();
    let inner: InnerManifest = codec::decode(Kind::InnerManifest, &inner).unwrap();
    let base = Base { version: version.version, manifest: sha256(&full.draft.manifest) };
    let base = BaseOf { base, epoch: version.epoch, inner };
    let changed = [support::wanted(9)];
    let terms = support::terms(number);
    let draft =
        build::notices_delta(&base, &changed, &[5], terms, &units(), &seed(number as u8)).unwrap();
    Signed::new(draft, NOTICES)
}

/// The unit of the device, and another one that has none of its own keys.
fn units() -> Vec<Unit> {
    let other = Unit { unit: UNIT + 1, ..support::units().remove(0) };
    vec![other, support::units().remove(0)]
}

fn trusted() -> UnderRoot {
    UnderRoot::new(&root_chain(), NOW).unwrap()
}

fn check<'a>(signed: &'a mut Signed, number: u8) -> Result<Checked<'a>, CheckError> {
    Checked::new(signed, &root_chain(), &trusted(), &seed(number), &mut |_, _| ())
}

fn publish_all(folder: &Path, lists: &mut [(Signed, u8)]) {
    let repository = Repository::create(&Address::Folder(folder.to_path_buf())).unwrap();
    let packages =
        lists.iter_mut().map(|(signed, number)| check(signed, *number).unwrap()).collect();
    let publication = Publication { root_chain: &root_chain(), packages, update: None, now: NOW.0 };
    publish(&repository, publication, &mut |_, _| ()).unwrap();
}

fn mirror_under(trusted: &UnderRoot, from: &Path, to: &Path) -> Result<Mirrored, MirrorError> {
    let repository = Repository::open(&Address::Folder(from.to_path_buf()))?;
    mirror(&repository, UNIT, to, trusted, &mut |_, _| ())
}

#[test]
fn what_is_published_is_copied_found_and_installed() {
    let (folder, stick) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let full = notices(3);
    let delta = notices_delta(&full, 4);
    publish_all(folder.path(), &mut [(delta, 4), (full, 3)]);
    let done = mirror_under(&trusted(), folder.path(), stick.path()).unwrap();
    assert_eq!(done.written.len(), 2);

    let found = carried::find(&[stick.path().to_path_buf()]);
    let names: Vec<&str> = found.carried.iter().map(carried::Carried::name).collect();
    assert_eq!(names, ["notices-1-3.fcsnap", "notices-1-4-from-3.fcsnap"]);

    let enrolled = Enrolled::new();
    let (mut device, mut session) = enrolled.unlock();
    for carried in &found.carried {
        let installed = device.install(&mut session, &carried.path(), |_| Proceed::Continue);
        assert_eq!(installed.unwrap(), Dataset::Notices, "{}", carried.name());
    }
    // Nothing else may have the newest version: a copy that is repeated is a copy of the same.
    let again = mirror_under(&trusted(), folder.path(), stick.path()).unwrap();
    assert_eq!((again.written.len(), again.there.len()), (0, 2));
}

#[test]
fn anchors_go_the_same_way_and_are_read_back_on_the_device() {
    let (folder, stick) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let der = |text: &str| [&[0x30, text.len() as u8], text.as_bytes()].concat();
    let anchor = |id, kind, text| Anchor { id, kind, der: der(text) };
    let rows = [
        anchor(1, AnchorKind::Certificate, "a certificate"),
        anchor(2, AnchorKind::RevocationList, "a list"),
    ];
    let draft = build::anchors(&rows, support::terms(2), &units(), &seed(2)).unwrap();
    let not_theirs = Signed::new(draft.clone(), &[Role::Register]);
    let refused = check(&mut not_theirs.clone(), 2).map(drop).unwrap_err();
    assert_eq!(refused.code(), "signatures");
    let anchors = Signed::new(draft, &[Role::Anchors]);
    publish_all(folder.path(), &mut [(notices(3), 3), (anchors, 2)]);
    mirror_under(&trusted(), folder.path(), stick.path()).unwrap();
    let found = carried::find(&[stick.path().to_path_buf()]);
    let names: Vec<&str> = found.carried.iter().map(carried::Carried::name).collect();
    assert_eq!(names, ["anchors-1-2.fcsnap", "notices-1-3.fcsnap"]);

    let enrolled = Enrolled::new();
    let (mut device, mut session) = enrolled.unlock();
    for carried in &found.carried {
        device.install(&mut session, &carried.path(), |_| Proceed::Continue).unwrap();
    }
    assert_eq!(session.anchors().unwrap(), rows);
    let again = device.install(&mut session, &found.carried[0].path(), |_| Proceed::Continue);
    assert!(again.is_err(), "no newer than what is installed");
    drop((device, session));
    let (_, mut session) = enrolled.unlock();
    assert_eq!(session.anchors().unwrap(), rows);
}

#[test]
fn nothing_leaves_headquarters_that_devices_refuse() {
    let refused =
        |mut signed: Signed, number: u8| check(&mut signed, number).map(drop).unwrap_err().code();
    let whole = notices(3);
    check(&mut whole.clone(), 3).unwrap();
    let author_alone = Signed::new(whole.draft.clone(), &[Role::NoticesAuthor]);
    assert_eq!(refused(author_alone, 3), "signatures");
    let stray = Signed::new(whole.draft.clone(), &[NOTICES, &[Role::Register]].concat());
    assert_eq!(refused(stray, 3), "stray-signature");
    assert_eq!(refused(whole.clone(), 4), "envelope", "the seed of another package");
    let mut damaged = whole.clone();
    damaged.draft.chunks[0][20] ^= 1;
    assert_eq!(refused(damaged, 3), "damaged-chunk");
    let mut swapped = whole.clone();
    let [first, second] = &mut swapped.draft.envelopes[..] else { panic!("two units") };
    std::mem::swap(&mut first.1, &mut second.1);
    assert_eq!(refused(swapped, 3), "envelope");

    let terms = Terms { expires: NOW.0 - 1, ..support::terms(3) };
    let expired = build::notices(&[support::wanted(2)], terms, &units(), &seed(3)).unwrap();
    assert_eq!(refused(Signed::new(expired, NOTICES), 3), "expired");
    let terms = Terms { created: NOW.0 + 2 * 86_400, ..support::terms(3) };
    let early = build::notices(&[support::wanted(2)], terms, &units(), &seed(3)).unwrap();
    assert_eq!(refused(Signed::new(early, NOTICES), 3), "from-the-future");
    let late = UnderRoot::new(&root_chain(), DeviceTime(NOW.0 + 2 * 365 * 86_400));
    assert_eq!(late.unwrap_err().code(), "root-expired");
}

#[test]
fn what_another_root_signs_is_not_copied() {
    let folder = tempfile::tempdir().unwrap();
    publish_all(folder.path(), &mut [(notices(3), 3)]);
    let others = Keyring::simulated(2);
    let root = others
        .root(sync_format::v1::package::Purpose::Demo, 1, NOW.0 - 1, NOW.0 + 1_000_000)
        .unwrap();
    let trusted = UnderRoot::new(&others.sign_root(root).unwrap(), NOW).unwrap();
    let stick = tempfile::tempdir().unwrap();
    let refused = mirror_under(&trusted, folder.path(), stick.path());
    assert!(matches!(refused, Err(MirrorError::NotTrusted { .. })), "{refused:?}");
    assert_eq!(fs::read_dir(stick.path()).unwrap().count(), 0);
    // Who names no root leaves it to the devices.
    let repository = Repository::open(&Address::Folder(folder.path().to_path_buf())).unwrap();
    mirror(&repository, UNIT, stick.path(), &Unverified, &mut |_, _| ()).unwrap();
}
