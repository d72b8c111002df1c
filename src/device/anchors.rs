//! What becomes of anchors on a device: carried there, read back, never older than before, and never
//! a part of them.

use sync_format::codec::{self, Kind};
use sync_format::v1::anchors::{Anchor, AnchorKind};
use sync_format::v1::package::{Base, Dataset, Role};
use sync_format::v1::record::Event;

use super::testing::{Enrolled, right_pin};
use super::{Device, DeviceError, Session};
use crate::checks::ListState;
use crate::matching::testing::wanted;
use crate::snapshot::testing::{
    Draft, NOW, anchors_package, notices_package, package, seed, some_anchors, terms, units,
    version,
};
use crate::snapshot::{Refusal, build};
use crate::store::install::{InstallError, Proceed};
use crate::store::verify::StoreFault;
use crate::store::{self, Access};

fn install(
    enrolled: &Enrolled,
    (device, session): (&mut Device, &mut Session),
    package: &[u8],
) -> Result<Dataset, DeviceError> {
    device.install(session, &enrolled.package(package), |_| Proceed::Continue)
}

#[track_caller]
fn refusal(outcome: Result<Dataset, DeviceError>) -> Refusal {
    match outcome {
        Err(DeviceError::Install(InstallError::Refused(refusal))) => refusal,
        other => panic!("{other:?}"),
    }
}

/// As many small certificates, for a list in several chunks.
fn many(count: u64) -> Vec<Anchor> {
    let der = |id: u64| crate::chip::tlv::element(0x30, &id.to_be_bytes());
    (1..=count).map(|id| Anchor { id, kind: AnchorKind::Certificate, der: der(id) }).collect()
}

#[test]
fn anchors_are_carried_to_a_device_and_read_back_there() {
    let enrolled = Enrolled::new();
    let (mut device, mut session) = enrolled.unlock();
    assert_eq!(session.anchors().unwrap(), [], "none is installed");
    let installed =
        install(&enrolled, (&mut device, &mut session), &notices_package(4, &[wanted()]));
    assert_eq!(installed.unwrap(), Dataset::Notices);
    let rows = some_anchors();
    let installed = install(&enrolled, (&mut device, &mut session), &anchors_package(2, &rows));
    assert_eq!(installed.unwrap(), Dataset::Anchors);
    assert_eq!(session.anchors().unwrap(), rows);
    drop((device, session));

    let (_, mut session) = enrolled.unlock();
    assert_eq!(session.anchors().unwrap(), rows, "after a restart");
    assert_eq!(session.unlocked.floor.anchors, Some((1, 2)));
    let verified = session.verify_store(Dataset::Anchors, |_| Proceed::Continue).unwrap();
    assert_eq!((verified.base_rows, verified.overlay_rows), (3, 0));
    let line = session.proof_line(Dataset::Anchors).unwrap().unwrap();
    let proven = super::proof::verify(&line, &session.sign_public()).unwrap();
    assert_eq!((proven.dataset, proven.version), (Dataset::Anchors, version(2)));
    let state = session.lookup().anchors_state(session.time().unwrap());
    assert!(matches!(state, ListState::Loaded { age_hours: 3, usable_hours: 72, .. }), "{state:?}");
}

#[test]
fn no_older_anchors_come_back_by_a_package_or_by_an_earlier_copy() {
    let enrolled = Enrolled::new();
    let (mut device, mut session) = enrolled.unlock();
    let with_list = some_anchors();
    install(&enrolled, (&mut device, &mut session), &anchors_package(1, &with_list[..1])).unwrap();
    drop((device, session));
    let copy = std::fs::read(enrolled.file("state.db")).unwrap();
    let (mut device, mut session) = enrolled.unlock();
    install(&enrolled, (&mut device, &mut session), &anchors_package(2, &with_list)).unwrap();
    for older in [1, 2] {
        let package = anchors_package(older, &with_list[..1]);
        let refused = refusal(install(&enrolled, (&mut device, &mut session), &package));
        assert!(matches!(refused, Refusal::NotNewer { .. }), "{refused:?}");
    }
    assert_eq!(session.anchors().unwrap(), with_list);
    // Versions of other datasets are others.
    install(&enrolled, (&mut device, &mut session), &notices_package(1, &[wanted()])).unwrap();
    drop((device, session));

    std::fs::write(enrolled.file("state.db"), copy).unwrap();
    let refused = enrolled.device().unlock(&right_pin()).map(drop);
    assert!(matches!(refused, Err(DeviceError::RolledBack)), "{refused:?}");
}

#[test]
fn a_delta_of_anchors_is_refused_by_name() {
    let enrolled = Enrolled::new();
    let (mut device, mut session) = enrolled.unlock();
    install(&enrolled, (&mut device, &mut session), &anchors_package(1, &some_anchors())).unwrap();
    let base = session.state.active(Dataset::Anchors).unwrap().unwrap();
    let base = Base { version: 1, manifest: sync_format::v1::package::sha256(&base.manifest) };
    let mut draft = Draft::anchors();
    draft.manifest.version = version(2);
    draft.manifest.base = Some(base);
    let refused = refusal(install(&enrolled, (&mut device, &mut session), &draft.encode()));
    assert_eq!(refused.code(), "contradictory");
    let source = std::error::Error::source(&refused).unwrap().to_string();
    assert_eq!(source, "anchors have no deltas");
}

#[test]
fn anchors_are_signed_by_those_of_their_role_as_many_as_the_root_says() {
    let enrolled = Enrolled::new();
    let (mut device, mut session) = enrolled.unlock();
    let draft = build::anchors(&some_anchors(), terms(1), &units(), &seed()).unwrap();
    for roles in [&[][..], &[Role::Register], &[Role::NoticesAuthor, Role::NoticesApprover]] {
        let package = package(&draft, roles);
        let refused = refusal(install(&enrolled, (&mut device, &mut session), &package));
        assert!(
            matches!(refused, Refusal::Signatures { role: "anchors", valid: 0, needed: 1 }),
            "{refused:?}"
        );
    }
    let package = package(&draft, &[Role::Anchors, Role::Register]);
    let refused = refusal(install(&enrolled, (&mut device, &mut session), &package));
    assert!(matches!(refused, Refusal::StraySignature { section: "manifest" }), "{refused:?}");
}

#[test]
fn a_load_that_was_stopped_goes_on_and_the_old_anchors_answer_meanwhile() {
    let enrolled = Enrolled::new();
    let (mut device, mut session) = enrolled.unlock();
    let before = some_anchors();
    install(&enrolled, (&mut device, &mut session), &anchors_package(1, &before)).unwrap();
    let rows = many(4_500);
    let path = enrolled.package(&anchors_package(2, &rows));
    let stopped = device.install(&mut session, &path, |at| {
        if at.rows >= 2_000 { Proceed::Stop } else { Proceed::Continue }
    });
    assert!(matches!(stopped, Err(DeviceError::Install(InstallError::Stopped))), "{stopped:?}");
    assert_eq!(session.anchors().unwrap(), before);
    assert_eq!(session.unfinished().unwrap()[0].dataset, Dataset::Anchors);
    let mut first = None;
    device
        .install(&mut session, &path, |at| {
            first.get_or_insert(at.rows);
            Proceed::Continue
        })
        .unwrap();
    assert_eq!(first, Some(2_000), "the first chunk is not read again");
    assert_eq!(session.anchors().unwrap(), rows);
    assert_eq!(session.unfinished().unwrap(), []);
}

#[test]
fn anchors_that_are_not_what_was_signed_prove_nothing_until_they_are_loaded_again() {
    for (sql, is_noticed_at_once) in [
        ("DELETE FROM anchor WHERE id = 2", true),
        ("INSERT INTO anchor VALUES (9, 1, x'3000')", true),
        ("UPDATE anchor SET kind = 7 WHERE id = 2", true),
        // Another certificate in the place of one: only comparing with what was signed finds it.
        ("UPDATE anchor SET der = x'3000' WHERE id = 1", false),
    ] {
        let enrolled = Enrolled::new();
        let (mut device, mut session) = enrolled.unlock();
        let package = anchors_package(1, &some_anchors());
        install(&enrolled, (&mut device, &mut session), &package).unwrap();
        let active = session.state.active(Dataset::Anchors).unwrap().unwrap();
        drop((device, session));
        let path = enrolled.file("store").join(active.file);
        let connection =
            store::open(&path, &active.key, store::Kind::Anchors, Access::ReadWrite).unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);

        let (device, mut session) = enrolled.unlock();
        let read = session.anchors().unwrap();
        assert_eq!(read.is_empty(), is_noticed_at_once, "{sql}");
        let verified = session.verify_store(Dataset::Anchors, |_| Proceed::Continue);
        let is_fault = matches!(
            verified,
            Err(DeviceError::Fault(StoreFault::Chunk { .. } | StoreFault::Count { .. }))
        );
        assert!(is_fault, "{sql}: {verified:?}");
        assert_eq!(session.anchors().unwrap(), [], "{sql}");
        assert_eq!(session.lookup().faults(), [Dataset::Anchors], "{sql}");
        drop((device, session));
        let (mut device, mut session) = enrolled.unlock();
        assert_eq!(session.anchors().unwrap(), [], "{sql}: in a later session too");
        install(&enrolled, (&mut device, &mut session), &package).expect("the same mends it");
        assert_eq!(session.anchors().unwrap(), some_anchors(), "{sql}");
        assert_eq!(session.lookup().faults(), [], "{sql}");
    }
}

#[test]
fn a_page_of_the_anchors_that_cannot_be_read_is_noted_in_the_log() {
    let enrolled = Enrolled::new();
    let (mut device, mut session) = enrolled.unlock();
    install(&enrolled, (&mut device, &mut session), &anchors_package(1, &many(2_000))).unwrap();
    let records = session.queue().count().unwrap();
    // Behind the first page: the database opens, and its rows cannot be read.
    let path = enrolled.file("store/anchors-1-1.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 100;
    bytes[last] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    drop((device, session));

    let (_, mut session) = enrolled.unlock();
    assert_eq!(session.anchors().unwrap(), []);
    assert_eq!(session.lookup().faults(), [Dataset::Anchors]);
    assert!(session.queue().count().unwrap() > records + 1, "the unlocking, and the damage");
    let headers = session.queue().headers(9).unwrap();
    let newest = headers.first().unwrap();
    assert_eq!(newest.event, Event::ListDamaged);
    assert_eq!(session.anchors().unwrap(), [], "and is noted once");
    assert_eq!(session.queue().headers(9).unwrap().len(), headers.len());
    assert_eq!(session.time().unwrap().upper, NOW);
}

#[test]
fn a_package_of_anchors_shows_no_more_than_its_outside() {
    let rows = some_anchors();
    let package = anchors_package(1, &rows);
    for row in &rows {
        assert!(!package.windows(row.der.len()).any(|window| window == row.der), "{}", row.id);
    }
    let draft = build::anchors(&rows, terms(1), &units(), &seed()).unwrap();
    let manifest: sync_format::v1::package::Manifest =
        codec::decode(Kind::Manifest, &draft.manifest).unwrap();
    assert_eq!((manifest.dataset, manifest.base), (Dataset::Anchors, None));
}
