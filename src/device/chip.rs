//! What a device makes of a chip: proof by the anchors that are installed, and one answer of chip and
//! printed card together.

use sync_format::v1::anchors::{Anchor, AnchorKind};
use sync_format::v1::notice::{Notice, NumberKind};
use sync_format::v1::record::{Channel, CheckReason};

use super::testing::Enrolled;
use super::{Device, DeviceError, Session};
use crate::checks::{DocumentProof, Verdict};
use crate::chip::contents::{Contents, Files};
use crate::chip::length::LengthMemory;
use crate::chip::passive::{NotVerified, Refuted};
use crate::chip::password::Password;
use crate::chip::proof::{CopyTest, NotACopy, Proof, Refutation, Signed};
use crate::chip::read::{self, Reading, Wanted};
use crate::chip::simulated::card::SimulatedCard;
use crate::chip::simulated::contents::{Contents as CardContents, Making};
use crate::chip::simulated::holder::Holder;
use crate::chip::simulated::issuer::{Algorithms, Issuer};
use crate::chip::trust::{Revocation, Revoked};
use crate::document::chip::Detail;
use crate::document::{Document, Field, Name, Source, qr};
use crate::matching::testing::{birth, number, wanted};
use crate::snapshot::testing::{anchors_package, notices_package};
use crate::store::install::Proceed;
use crate::verdict::Answer;

/// The card of [`Holder::nguyen_van_mau`], as its QR code has it.
const PAYLOAD: &str = "048088999901|201999901|Nguyễn Văn Mẫu|02031988|Nam|\
                       Tổ 99, Thọ Quang Giả, Sơn Trà, Đà Nẵng|15082021";

fn printed() -> Document {
    qr::parse(PAYLOAD.as_bytes()).unwrap()
}

fn state() -> Issuer {
    Issuer::new(1, Algorithms::Nist)
}

fn genuine() -> CardContents {
    CardContents::new(&state(), &Holder::nguyen_van_mau(), &Making::default())
}

fn read_whole(contents: CardContents) -> Reading {
    let mut card = SimulatedCard::new(contents);
    let mut reading = Reading::new(Password::of_document(&printed()), Wanted::ALL);
    let mut lengths = LengthMemory::default();
    read::go_on(
        &mut card,
        &mut reading,
        &mut lengths,
        &mut |_| std::ops::ControlFlow::Continue(()),
    )
    .unwrap();
    reading
}

fn install(enrolled: &Enrolled, (device, session): (&mut Device, &mut Session), package: &[u8]) {
    device.install(session, &enrolled.package(package), |_| Proceed::Continue).unwrap();
}

fn anchor_rows(issuer: &Issuer) -> Vec<Anchor> {
    vec![Anchor { id: 1, kind: AnchorKind::Certificate, der: issuer.anchor() }]
}

/// A device that holds `notices` and, where there are any, the anchors of a state.
fn session_with(notices: &[Notice], anchors: &[Anchor]) -> (Enrolled, Device, Session) {
    let enrolled = Enrolled::new();
    let (mut device, mut session) = enrolled.unlock();
    install(&enrolled, (&mut device, &mut session), &notices_package(1, notices));
    if !anchors.is_empty() {
        install(&enrolled, (&mut device, &mut session), &anchors_package(1, anchors));
    }
    (enrolled, device, session)
}

fn judged(session: &mut Session, reading: &Reading) -> (Contents, Answer) {
    let files = Files::of(reading).unwrap();
    session.judge_chip(&files, Some(&printed()), None).unwrap()
}

/// The wanted person under another number, so that he is found by nothing here.
fn somebody_else() -> Notice {
    let number = number(NumberKind::Personal, "031301999902");
    Notice {
        numbers: vec![number],
        name: "Trần Khác".into(),
        birth: birth((1970, 1, 1)),
        ..wanted()
    }
}

#[test]
fn only_anchor_and_test_together_are_clear() {
    let reading = read_whole(genuine());
    let (_enrolled, _device, mut session) =
        session_with(&[somebody_else()], &anchor_rows(&state()));
    let (contents, answer) = judged(&mut session, &reading);
    assert!(matches!(
        contents.proof,
        Proof::Genuine(
            Signed { revocation: Revocation::NoList, .. },
            NotACopy::ChipAuthentication | NotACopy::ActiveAuthentication
        )
    ));
    assert_eq!((answer.verdict, answer.proof), (Verdict::Clear, DocumentProof::Genuine));
    assert!(contents.portrait.is_ok());
    assert_eq!(contents.document.source, Source::Chip);
    let number = session.record_check(&contents.document, &answer, CheckReason::DocumentCheck);
    assert!(number.is_ok());
    assert_eq!(crate::encounter::channel_of(&contents.document), Channel::Chip);

    // The same files without the chip, as a copy or a saved reading has them.
    let mut files = Files::of(&reading).unwrap();
    files.copy = CopyTest::NotPossible;
    let (contents, answer) = session.judge_chip(&files, Some(&printed()), None).unwrap();
    assert_eq!(contents.proof.code(), "copy-not-excluded");
    assert_eq!(
        (answer.verdict, answer.proof),
        (Verdict::NotListed, DocumentProof::CopyNotExcluded)
    );
}

#[test]
fn without_the_anchor_of_its_state_nothing_is_clear() {
    let reading = read_whole(genuine());
    let stranger = Issuer::new(2, Algorithms::Nist);
    for (anchors, why) in [(Vec::new(), "none"), (anchor_rows(&stranger), "another key")] {
        let (_enrolled, _device, mut session) = session_with(&[somebody_else()], &anchors);
        let (contents, answer) = judged(&mut session, &reading);
        match contents.proof {
            Proof::Consistent(NotVerified::NoAnchorOfCountry(_)) => assert_eq!(why, "none"),
            Proof::Consistent(NotVerified::UnknownKey(_)) => assert_eq!(why, "another key"),
            other => panic!("{why}: {other:?}"),
        }
        assert_eq!((answer.verdict, answer.proof), (Verdict::NotListed, DocumentProof::Consistent));
    }
}

#[test]
fn a_copy_and_altered_data_are_referred_each_by_its_name() {
    for (contents, refutation, finding) in [
        (genuine().copied(), "copy", "chip-copy"),
        (genuine().copied_with_other_keys(), "copy", "chip-copy"),
        (genuine().altered(), "group-altered", "chip-refuted"),
    ] {
        let reading = read_whole(contents);
        let (_enrolled, _device, mut session) =
            session_with(&[somebody_else()], &anchor_rows(&state()));
        let (contents, answer) = judged(&mut session, &reading);
        match contents.proof {
            Proof::Refuted(why) => assert_eq!(why.code(), refutation),
            other => panic!("{refutation}: {other:?}"),
        }
        assert_eq!((answer.verdict, answer.proof), (Verdict::Refer, DocumentProof::Refuted));
        let codes: Vec<&str> = answer.findings.iter().map(|it| it.kind.code()).collect();
        assert_eq!(codes[0], finding);
    }
}

#[test]
fn a_chip_takes_nothing_away_that_its_card_brought() {
    // The card is that of a wanted man by name, birth date and sex; its chip is somebody else's.
    let holder = Holder { name: "Trần Văn Giả".into(), ..Holder::nguyen_van_mau() };
    let reading = read_whole(CardContents::new(&state(), &holder, &Making::default()));
    let by_name = Notice { numbers: Vec::new(), ..wanted() };
    let (_enrolled, _device, mut session) = session_with(&[by_name], &anchor_rows(&state()));
    let before = session.judge(&printed()).unwrap();
    assert_eq!(before.verdict, Verdict::Match);
    let (contents, answer) = judged(&mut session, &reading);
    assert_eq!(contents.differing, [Detail::Name]);
    assert_eq!((answer.verdict, answer.proof), (Verdict::Match, DocumentProof::Refuted));
    let codes: Vec<&str> = answer.findings.iter().map(|it| it.kind.code()).collect();
    assert!(codes.contains(&"chip-name-differs"), "{codes:?}");
}

#[test]
fn what_was_answered_of_the_print_is_not_asked_again_and_stays() {
    let holder = Holder { name: "Trần Văn Giả".into(), ..Holder::nguyen_van_mau() };
    let reading = read_whole(CardContents::new(&state(), &holder, &Making::default()));
    let by_name = Notice { numbers: Vec::new(), ..wanted() };
    let (_enrolled, _device, mut session) = session_with(&[by_name], &anchor_rows(&state()));
    let before = session.judge(&printed()).unwrap();
    let files = Files::of(&reading).unwrap();
    let nothing = Answer { verdict: Verdict::NotListed, findings: Vec::new(), ..before.clone() };
    for (answered, verdict) in [(&before, Verdict::Match), (&nothing, Verdict::Refer)] {
        let (_, answer) = session.judge_chip(&files, Some(&printed()), Some(answered)).unwrap();
        assert_eq!(answer.verdict, verdict);
    }
}

#[test]
fn a_slip_of_the_officer_refers_and_refutes_no_chip() {
    let reading = read_whole(genuine());
    let (_enrolled, _device, mut session) =
        session_with(&[somebody_else()], &anchor_rows(&state()));
    let files = Files::of(&reading).unwrap();
    let mut typed = printed();
    typed.source = Source::Typed;
    typed.name =
        typed.name.map(|name| Field::new(Name::parse("Trần Văn Sai").unwrap(), name.source));
    let (contents, answer) = session.judge_chip(&files, Some(&typed), None).unwrap();
    assert_eq!((contents.proof.code(), contents.is_contradictory), ("genuine", false));
    assert_eq!((answer.verdict, answer.proof), (Verdict::Refer, DocumentProof::Genuine));
    let codes: Vec<&str> = answer.findings.iter().map(|it| it.kind.code()).collect();
    assert_eq!(codes, ["chip-name-differs"]);
}

#[test]
fn a_revoked_signer_is_refuted_by_the_list_that_was_carried_here() {
    let issuer = state();
    let day = |text: &str| crate::matching::testing::day(text);
    let list =
        issuer.revocations(&[issuer.signer().serial()], day("2026-11-20"), day("2026-12-20"));
    let mut anchors = anchor_rows(&issuer);
    anchors.push(Anchor { id: 2, kind: AnchorKind::RevocationList, der: list });
    let (_enrolled, _device, mut session) = session_with(&[somebody_else()], &anchors);
    let (contents, answer) = judged(&mut session, &read_whole(genuine()));
    let revoked =
        Proof::Refuted(Refutation::Data(Refuted::Revoked(Revoked { on: day("2026-11-20") })));
    assert_eq!(contents.proof, revoked);
    assert_eq!(answer.verdict, Verdict::Refer);
}

#[test]
fn files_that_name_nobody_are_no_document() {
    let reading = read_whole(genuine());
    let (_enrolled, _device, mut session) = session_with(&[somebody_else()], &[]);
    let mut files = Files::of(&reading).unwrap();
    files.groups.retain(|(number, _)| *number != 1);
    let outcome = session.judge_chip(&files, Some(&printed()), None);
    assert!(matches!(outcome, Err(DeviceError::NoDocument(_))));
}
