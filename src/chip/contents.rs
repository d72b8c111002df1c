//! What was read of a chip, as a document with its proof and picture.
//!
//! The last step of a reading: bytes in, values out. Nothing of data group 13 beyond what
//! [`super::dg13`] gives, and no raw file, goes further than this.

use sync_format::v1::date::Date;
use thiserror::Error;

use super::active_authentication::{self, AskError, NotProven};
use super::agreement::AgreementError;
use super::channel::ChannelError;
use super::chip_authentication::ChipAuthenticationError;
use super::dg2::NoFace;
use super::files::FileId;
use super::portrait::{NoPortrait, Portrait};
use super::proof::{CopyTest, Evidence, NotACopy, Proof, prove};
use super::read::{ActiveAuthentication, CardAccessCheck, ChipAuthentication, Reading};
use super::trust::Anchors;
use super::{Malformed, dg1, dg2, dg13, portrait};
use crate::document::Document;
use crate::document::chip::{ChipText, Detail, join, read};
use crate::document::mrz::MrzError;

/// The files of a chip, and what it has shown.
pub struct Files<'a> {
    /// EF.SOD.
    pub security_object: &'a [u8],
    /// The data groups: number and file.
    pub groups: Vec<(u8, &'a [u8])>,
    /// Whether the chip has shown that it is no copy.
    pub copy: CopyTest,
    /// Whether data group 14 contradicts what the chip offered before it was opened.
    pub is_downgraded: bool,
}

impl<'a> Files<'a> {
    /// Returns what was read, as far as it is complete; `None` without the security object.
    pub fn of(reading: &'a Reading) -> Option<Files<'a>> {
        Some(Files {
            security_object: reading.file(FileId::Sod)?,
            groups: reading.groups().collect(),
            copy: copy_test(reading),
            is_downgraded: reading.card_access_check() == CardAccessCheck::Differs,
        })
    }

    fn group(&self, number: u8) -> Option<&'a [u8]> {
        self.groups.iter().find(|(group, _)| *group == number).map(|(_, file)| *file)
    }

    /// Returns the state that issued the document, by the letters of its zone ("VNM", "D<<").
    pub fn issuing_state(&self) -> Option<&'a str> {
        let zone = dg1::zone(self.group(1)?).ok()?;
        zone.get(2..5)
    }
}

/// Returns what both tests against copies gave together: one that failed outweighs the other.
///
/// A chip whose document was signed with a key for a test, and that does not give the key or refuses
/// the test, fails it: a copy does just that. Where the reader does not carry the answer, the card
/// left the field, or this program does not know the key, nothing was shown of the chip, neither way.
fn copy_test(reading: &Reading) -> CopyTest {
    let withheld = |group| reading.unread().iter().any(|(file, _)| *file == FileId::Dg(group));
    let active = match reading.active_authentication() {
        _ if withheld(15) => CopyTest::Failed,
        ActiveAuthentication::NotDone | ActiveAuthentication::NotOffered => CopyTest::NotPossible,
        ActiveAuthentication::NoKey(_) => CopyTest::NotPossible,
        ActiveAuthentication::Failed(
            AskError::Refused(_) | AskError::Channel(ChannelError::Broken(_)),
        ) => CopyTest::Failed,
        ActiveAuthentication::Failed(_) => CopyTest::NotPossible,
        ActiveAuthentication::Answered(answer) => {
            let key = reading.file(FileId::Dg(15)).unwrap_or_default();
            let infos = reading.infos();
            match active_authentication::verify(key, infos.as_ref(), answer) {
                Ok(()) => CopyTest::Passed(NotACopy::ActiveAuthentication),
                Err(NotProven::WrongSignature) => CopyTest::Failed,
                Err(NotProven::Unsupported(_) | NotProven::Malformed(_)) => CopyTest::NotPossible,
            }
        }
    };
    let chip = match reading.chip_authentication() {
        _ if withheld(14) => CopyTest::Failed,
        ChipAuthentication::NotDone | ChipAuthentication::NotOffered => CopyTest::NotPossible,
        ChipAuthentication::Failed(
            ChipAuthenticationError::Refused(_)
            | ChipAuthenticationError::WrongKey(_)
            | ChipAuthenticationError::Channel(ChannelError::Broken(_))
            | ChipAuthenticationError::Agreement(AgreementError::NotInGroup),
        ) => CopyTest::Failed,
        ChipAuthentication::Failed(_) => CopyTest::NotPossible,
        ChipAuthentication::Proven => CopyTest::Passed(NotACopy::ChipAuthentication),
    };
    match (active, chip) {
        (CopyTest::Failed, _) | (_, CopyTest::Failed) => CopyTest::Failed,
        (_, passed @ CopyTest::Passed(_)) | (passed, _) => passed,
    }
}

/// What a chip says, and what that is worth.
pub struct Contents {
    /// Who the holder is; every field says whether it is the chip's or the printed card's.
    pub document: Document,
    /// What is proven of it.
    pub proof: Proof,
    /// What the chip states otherwise than the printed card, or in one group than in another.
    pub differing: Vec<Detail>,
    /// Whether one group of the chip contradicts another, whatever is printed.
    pub is_contradictory: bool,
    /// The picture.
    pub portrait: Result<Portrait, NoPicture>,
    /// The texts of data group 13.
    pub texts: Texts,
}

/// Says nothing of the person.
impl std::fmt::Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contents")
            .field("proof", &self.proof)
            .field("differing", &self.differing)
            .field("is_contradictory", &self.is_contradictory)
            .field("portrait", &self.portrait)
            .field("texts", &self.texts)
            .finish_non_exhaustive()
    }
}

/// How much of data group 13 could be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Texts {
    /// The chip has none, or did not give it.
    Missing,
    /// It is of a form that this program does not know.
    OtherForm(Malformed),
    /// It was read.
    Read {
        /// Numbers of the entries whose meaning is not known.
        unknown: Vec<u64>,
        /// How many entries could not be read.
        unreadable: usize,
    },
}

/// Why there is no picture to show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum NoPicture {
    /// The chip has none, or did not give it.
    #[error("the chip gave no picture")]
    Missing,
    /// The group holds none that this program reads.
    #[error(transparent)]
    NoFace(#[from] NoFace),
    /// It cannot be decoded.
    #[error(transparent)]
    NoPortrait(#[from] NoPortrait),
}

/// Why the files of a chip are no document.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum NoDocument {
    /// The group with the zone is not there.
    #[error("the chip gave no data group 1")]
    NoZone,
    /// The group with the zone breaks its form.
    #[error("DG1: {0}")]
    Malformed(#[from] Malformed),
    /// The zone is none of a Vietnamese card or of a passport.
    #[error("DG1: {0}")]
    Zone(#[from] MrzError),
}

/// Reads and judges the files of a chip. `printed` is what was read of the card around it;
/// `today` is the later bound of the time.
///
/// # Errors
///
/// Why they say of nobody who it is.
pub fn judge(
    files: &Files<'_>,
    printed: Option<&Document>,
    anchors: &Anchors,
    today: Date,
) -> Result<Contents, NoDocument> {
    let zone = dg1::zone(files.group(1).ok_or(NoDocument::NoZone)?)?;
    let (text, texts) = match files.group(13).map(dg13::read) {
        None => (ChipText::default(), Texts::Missing),
        Some(Err(form)) => (ChipText::default(), Texts::OtherForm(form)),
        Some(Ok(group)) => {
            let unknown = group.unknown.iter().map(|entry| entry.number).collect();
            (group.text, Texts::Read { unknown, unreadable: group.unreadable })
        }
    };
    let (document, mut differing) = read(zone, &text)?;
    let is_contradictory = !differing.is_empty();
    let document = match printed {
        None => document,
        Some(printed) => {
            let (joined, others) = join(document, printed);
            differing.extend(others);
            differing.sort();
            differing.dedup();
            joined
        }
    };
    let proof = prove(
        &Evidence {
            security_object: files.security_object,
            groups: &files.groups,
            issuer: files.issuing_state().unwrap_or_default(),
            copy: files.copy,
            is_downgraded: files.is_downgraded,
        },
        anchors,
        today,
    );
    let portrait = match files.group(2) {
        None => Err(NoPicture::Missing),
        Some(group) => dg2::face(group)
            .map_err(NoPicture::from)
            .and_then(|face| portrait::decode(face).map_err(NoPicture::from)),
    };
    Ok(Contents { document, proof, differing, is_contradictory, portrait, texts })
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;
    use std::time::Duration;

    use super::*;
    use crate::chip::length::LengthMemory;
    use crate::chip::read::{Wanted, read_through};
    use crate::chip::simulated::card::SimulatedCard;
    use crate::chip::simulated::contents::{Contents as CardContents, Making};
    use crate::chip::simulated::holder::Holder;
    use crate::chip::simulated::issuer::{Algorithms, Issuer};
    use crate::chip::simulated::keys::Active;
    use crate::document::qr;

    const PAYLOAD: &str = "048088999901|201999901|Nguyễn Văn Mẫu|02031988|Nam|\
                           Tổ 99, Thọ Quang Giả, Sơn Trà, Đà Nẵng|15082021";

    /// What the tests give on a reader that carries so many bytes and says so.
    fn tested(making: &Making, copied: bool, carries: usize) -> CopyTest {
        let issuer = Issuer::new(1, Algorithms::Nist);
        let contents = CardContents::new(&issuer, &Holder::nguyen_van_mau(), making);
        let contents = if copied { contents.copied() } else { contents };
        let printed = qr::parse(PAYLOAD.as_bytes()).expect("a card");
        let password = crate::chip::password::Password::of_document(&printed);
        let mut reading = Reading::new(password, Wanted::ALL);
        let mut card = SimulatedCard::new(contents).on_reader_of(carries);
        let mut lengths = LengthMemory::default();
        let mut watch = |_| ControlFlow::Continue(());
        read_through(&mut card, &mut reading, &mut lengths, Duration::ZERO, &mut watch)
            .expect("read");
        copy_test(&reading)
    }

    #[test]
    fn what_a_reader_cannot_carry_is_not_held_against_the_chip() {
        const LONG: usize = 65_538;
        const SHORT: usize = 261;
        let long = Making { active: Some(Active::Rsa), ..Making::default() };
        let passed = CopyTest::Passed(NotACopy::ChipAuthentication);
        assert_eq!(tested(&long, false, LONG), passed);
        assert_eq!(tested(&long, false, SHORT), passed);
        let alone = Making { chip_authentication: None, ..long };
        assert_eq!(tested(&alone, false, SHORT), CopyTest::NotPossible);
        let active = CopyTest::Passed(NotACopy::ActiveAuthentication);
        assert_eq!(tested(&alone, false, LONG), active);
        // A copy stays one under either reader where it is asked.
        assert_eq!(tested(&long, true, LONG), CopyTest::Failed);
        assert_eq!(tested(&Making::default(), true, SHORT), CopyTest::Failed);
    }
}
