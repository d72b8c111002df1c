//! Reading the chip: how far it is, why it did not work, and what was proven in the end.
//!
//! The person stays the verdict's; this screen stands before it while the chip is read. Whatever
//! happens here, the answer that was there stays until a new one comes.

use std::rc::Rc;

use fieldcheck_ui as ui;
use slint::{ModelRc, Rgb8Pixel, SharedPixelBuffer, VecModel};
use zeroize::Zeroize as _;

use super::{View, callback, date_text};
use crate::chip::algorithm::Unsupported;
use crate::chip::country::Country;
use crate::chip::passive::{NotVerified, Refuted};
use crate::chip::portrait::Portrait;
use crate::chip::proof::{Proof, Refutation, Signed};
use crate::chip::trust::{Revocation, Revoked};
use crate::worker::Request;
use crate::worker::chip::{ChipFailure, ChipNews, ChipProgress, ChipStage};

/// What the screen holds between two events.
#[derive(Clone, Copy, Default)]
pub(super) struct Held {
    /// A reading was asked for, and has neither ended nor been stopped.
    is_reading: bool,
    /// It was stopped from here: that it ended is no news.
    is_stopped: bool,
}

/// Sets the callbacks.
pub(super) fn connect(view: &Rc<View>) {
    let chip = view.global::<ui::Chip>();
    chip.set_has_reader(false);
    chip.on_stop(callback(view, back));
    chip.on_back(callback(view, back));
    chip.on_retry(callback(view, start));
    clear(view);
}

/// Goes to the screen and begins to read.
pub(super) fn start(view: &Rc<View>) {
    {
        let mut state = view.state.borrow_mut();
        // There is nothing to read without a person, and one chip is read at a time.
        if state.checked.is_none() || state.chip.is_reading {
            return;
        }
        state.chip = Held { is_reading: true, ..state.chip };
    }
    clear(view);
    view.ask(Request::ReadChip);
    view.go(ui::Screen::Chip);
}

/// Back to the answer, which stays as it was; going there stops the reading.
fn back(view: &Rc<View>) {
    view.touch();
    view.go(ui::Screen::Verdict);
}

/// Stops what is under way, if anything is.
pub(super) fn stop(view: &View) {
    let was_reading = {
        let mut state = view.state.borrow_mut();
        let was_reading = state.chip.is_reading;
        if was_reading {
            state.chip = Held { is_reading: false, is_stopped: true };
        }
        was_reading
    };
    if was_reading {
        view.ask(Request::StopChip);
    }
}

/// Whether a reading is under way.
pub(super) fn is_under_way(view: &View) -> bool {
    view.state.borrow().chip.is_reading
}

/// The reading has ended by itself.
pub(super) fn end(view: &View) {
    view.state.borrow_mut().chip = Held::default();
}

/// Takes the last reading from the screen.
pub(super) fn clear(view: &Rc<View>) {
    let chip = view.global::<ui::Chip>();
    chip.set_step(ui::ChipStep::Hold);
    chip.set_percent(0);
    chip.set_simulated(false);
    chip.set_failure(ui::ChipFailure::Stopped);
    chip.set_stages(stages(ChipStage::Opening));
}

/// Shows what is told of a reading.
pub(super) fn show(view: &Rc<View>, news: ChipNews) {
    // What was stopped from here may still have something to say: it is over.
    if let ChipNews::Failed(ChipFailure::Stopped) = news
        && std::mem::take(&mut view.state.borrow_mut().chip.is_stopped)
    {
        return;
    }
    if !view.state.borrow().chip.is_reading || view.screen() != ui::Screen::Chip {
        return;
    }
    let chip = view.global::<ui::Chip>();
    match news {
        ChipNews::Progress(progress) => {
            show_progress(&chip, progress);
            if progress.stage == ChipStage::Waiting {
                chip.set_step(ui::ChipStep::Hold);
            } else {
                chip.set_step(ui::ChipStep::Reading);
                // Both hands are full; whoever leaves the device locks it.
                view.touch();
            }
        }
        ChipNews::CardLost(progress) => {
            show_progress(&chip, progress);
            chip.set_step(ui::ChipStep::Lost);
        }
        ChipNews::Failed(failure) => {
            end(view);
            if failure == ChipFailure::Stopped {
                return back(view);
            }
            chip.set_failure(failure_to_ui(failure));
            chip.set_step(ui::ChipStep::Failed);
            view.touch();
        }
    }
}

fn show_progress(chip: &ui::Chip<'_>, progress: ChipProgress) {
    chip.set_simulated(progress.is_simulated);
    chip.set_percent(i32::from(progress.percent.min(100)));
    chip.set_stages(stages(progress.stage));
}

/// Returns the steps of a reading that is at `stage`: those before are done.
fn stages(stage: ChipStage) -> ModelRc<ui::ChipStageLine> {
    const STAGES: [(ChipStage, ui::ChipStage); 5] = [
        (ChipStage::Opening, ui::ChipStage::Opening),
        (ChipStage::Data, ui::ChipStage::Data),
        (ChipStage::Copy, ui::ChipStage::Copy),
        (ChipStage::Picture, ui::ChipStage::Picture),
        (ChipStage::Judging, ui::ChipStage::Judging),
    ];
    let line = |(step, shown): (ChipStage, ui::ChipStage)| ui::ChipStageLine {
        stage: shown,
        state: match step.cmp(&stage) {
            std::cmp::Ordering::Less => ui::CheckState::Done,
            std::cmp::Ordering::Equal => ui::CheckState::Running,
            std::cmp::Ordering::Greater => ui::CheckState::Pending,
        },
    };
    ModelRc::new(VecModel::from(STAGES.map(line).to_vec()))
}

fn failure_to_ui(failure: ChipFailure) -> ui::ChipFailure {
    match failure {
        ChipFailure::NoReader => ui::ChipFailure::NoReader,
        ChipFailure::NoCard => ui::ChipFailure::NoCard,
        ChipFailure::Stopped => ui::ChipFailure::Stopped,
        ChipFailure::WrongKey => ui::ChipFailure::WrongKey,
        ChipFailure::NotADocument => ui::ChipFailure::NotADocument,
        ChipFailure::Silent => ui::ChipFailure::Silent,
        ChipFailure::Broken => ui::ChipFailure::Broken,
        ChipFailure::LostTooOften => ui::ChipFailure::LostTooOften,
        ChipFailure::AnotherCard => ui::ChipFailure::AnotherCard,
        ChipFailure::NoKey => ui::ChipFailure::NoKey,
        ChipFailure::NotSupported => ui::ChipFailure::NotSupported,
    }
}

/// Returns what a chip proves, one thing a line.
///
/// A refutation ends the judgement, so what would have come after it was not looked at: that is said,
/// and not taken for proven.
pub(super) fn proof_to_ui(proof: &Proof) -> ui::ChipProof {
    match *proof {
        Proof::Genuine(signed, _) => signed_to_ui(signed, ui::ChipCopy::NoCopy),
        Proof::CopyNotExcluded(signed) => signed_to_ui(signed, ui::ChipCopy::NotExcluded),
        Proof::Consistent(why) => not_verified_to_ui(why),
        Proof::Refuted(why) => refuted_to_ui(why),
    }
}

fn signed_to_ui(signed: Signed, copy: ui::ChipCopy) -> ui::ChipProof {
    let (revocation, date) = match signed.revocation {
        Revocation::NoList => (ui::ChipRevocation::Missing, None),
        Revocation::NotListed { as_of, is_stale: true } => (ui::ChipRevocation::Old, Some(as_of)),
        Revocation::NotListed { as_of, is_stale: false } => {
            (ui::ChipRevocation::Current, Some(as_of))
        }
    };
    ui::ChipProof {
        signer: ui::ChipSigner::State,
        data: ui::ChipData::Unchanged,
        copy,
        revocation,
        country: signed.country.to_string().into(),
        date: date.map(date_text).unwrap_or_default().into(),
    }
}

fn not_verified_to_ui(why: NotVerified) -> ui::ChipProof {
    let name = |country: Option<Country>| country.map(|it| it.to_string()).unwrap_or_default();
    let (signer, country, data) = match why {
        NotVerified::NoAnchorOfCountry(country) => {
            (ui::ChipSigner::NoAnchor, name(country), ui::ChipData::Unchanged)
        }
        NotVerified::UnknownKey(country) => {
            (ui::ChipSigner::UnknownKey, name(Some(country)), ui::ChipData::Unchanged)
        }
        // Without the certificate of its signer a signature cannot be checked.
        NotVerified::NoCertificate => {
            (ui::ChipSigner::NoCertificate, String::new(), ui::ChipData::Unsigned)
        }
        // What is unknown is on the way from the signer to its state.
        NotVerified::Unsupported(Unsupported::CriticalExtension) => {
            (ui::ChipSigner::UnknownKind, String::new(), ui::ChipData::Unchanged)
        }
        NotVerified::Unsupported(_) => {
            (ui::ChipSigner::UnknownKind, String::new(), ui::ChipData::Unsigned)
        }
        NotVerified::Unread(_) => {
            (ui::ChipSigner::UnknownKind, String::new(), ui::ChipData::NotLookedAt)
        }
        NotVerified::SignerNotValidToday => {
            (ui::ChipSigner::NotValidToday, String::new(), ui::ChipData::Unchanged)
        }
    };
    ui::ChipProof {
        signer,
        data,
        // A home-made chip is nobody's copy: whatever test it passed says nothing.
        copy: ui::ChipCopy::NotExcluded,
        revocation: ui::ChipRevocation::None,
        country: country.into(),
        date: "".into(),
    }
}

fn refuted_to_ui(why: Refutation) -> ui::ChipProof {
    use ui::{ChipCopy, ChipData, ChipSigner};
    let unlooked = (ChipSigner::NotLookedAt, ChipData::NotLookedAt, ChipCopy::NotLookedAt);
    let signer = |signer| (signer, unlooked.1, unlooked.2);
    let data = |data| (unlooked.0, data, unlooked.2);
    let mut date = None;
    let (signer, data, copy) = match why {
        Refutation::Data(Refuted::Malformed(_)) => signer(ChipSigner::Unreadable),
        Refutation::Data(Refuted::Signature) => signer(ChipSigner::Wrong),
        Refutation::Data(Refuted::ContentType) => signer(ChipSigner::NotOfDocuments),
        Refutation::Data(Refuted::SignerUsage) => signer(ChipSigner::NotPermitted),
        Refutation::Data(Refuted::SignerNotValid { day }) => {
            date = Some(day);
            signer(ChipSigner::NotValid)
        }
        Refutation::Data(Refuted::SignerForged) => signer(ChipSigner::Forged),
        Refutation::Data(Refuted::AnchorNotValid) => signer(ChipSigner::AuthorityNotValid),
        Refutation::Data(Refuted::Revoked(Revoked { on })) => {
            date = Some(on);
            signer(ChipSigner::Revoked)
        }
        Refutation::Data(Refuted::Hashes | Refuted::GroupAltered { .. }) => data(ChipData::Altered),
        Refutation::Data(Refuted::GroupNotSigned { .. }) => data(ChipData::NotSigned),
        Refutation::NoHolder => data(ChipData::NoHolder),
        Refutation::Downgraded => data(ChipData::Downgraded),
        Refutation::OtherState => signer(ChipSigner::OtherState),
        Refutation::Copy => (unlooked.0, unlooked.1, ChipCopy::Copy),
    };
    ui::ChipProof {
        signer,
        data,
        copy,
        revocation: ui::ChipRevocation::None,
        country: "".into(),
        date: date.map(date_text).unwrap_or_default().into(),
    }
}

/// A picture of the person, as the screen holds it.
pub(super) type Pixels = SharedPixelBuffer<Rgb8Pixel>;

/// Returns a picture as it is shown: in the night theme in the red channel alone. `None` where its
/// pixels are not as many as it says.
pub(super) fn picture(portrait: &Portrait, is_night: bool) -> Option<Pixels> {
    let mut pixels = Pixels::new(portrait.width, portrait.height);
    let out = pixels.make_mut_slice();
    if out.is_empty() || portrait.rgb.len() != out.len() * 3 {
        return None;
    }
    for (pixel, rgb) in out.iter_mut().zip(portrait.rgb.chunks_exact(3)) {
        let [r, g, b] = [rgb[0], rgb[1], rgb[2]];
        *pixel = if is_night {
            // Rec. 601, in 256ths: a red face is no brighter than a grey one.
            let grey = (77 * u32::from(r) + 150 * u32::from(g) + 29 * u32::from(b)) >> 8;
            Rgb8Pixel { r: u8::try_from(grey).unwrap_or(u8::MAX), g: 0, b: 0 }
        } else {
            Rgb8Pixel { r, g, b }
        };
    }
    Some(pixels)
}

/// Overwrites a picture that has left the screen.
///
/// Slint lets go of it when it draws again; called before, this wipes a copy and the picture's memory
/// is freed unwiped.
pub(super) fn wipe(mut pixels: Pixels) {
    pixels.make_mut_bytes().zeroize();
}

#[cfg(test)]
mod tests {
    use slint::Model as _;

    use super::*;
    use crate::chip::Malformed;
    use crate::chip::proof::NotACopy;
    use crate::document::Date;

    fn day() -> Date {
        Date::new(2026, 11, 24).expect("a day")
    }

    fn signed(revocation: Revocation) -> Signed {
        Signed { country: Country::new("UT").expect("two letters"), revocation }
    }

    /// Every refutation that there is.
    fn refutations() -> Vec<Refutation> {
        let data = [
            Refuted::Malformed(Malformed("a rule")),
            Refuted::Signature,
            Refuted::Hashes,
            Refuted::ContentType,
            Refuted::GroupAltered { group: 1 },
            Refuted::GroupNotSigned { group: 11 },
            Refuted::SignerUsage,
            Refuted::SignerNotValid { day: day() },
            Refuted::SignerForged,
            Refuted::AnchorNotValid,
            Refuted::Revoked(Revoked { on: day() }),
        ];
        let others = [
            Refutation::OtherState,
            Refutation::NoHolder,
            Refutation::Copy,
            Refutation::Downgraded,
        ];
        data.into_iter().map(Refutation::Data).chain(others).collect()
    }

    #[test]
    fn only_a_genuine_chip_has_all_three_proofs() {
        let fresh = Revocation::NotListed { as_of: day(), is_stale: false };
        let genuine = proof_to_ui(&Proof::Genuine(signed(fresh), NotACopy::ChipAuthentication));
        assert_eq!(genuine.signer, ui::ChipSigner::State);
        assert_eq!(genuine.data, ui::ChipData::Unchanged);
        assert_eq!(genuine.copy, ui::ChipCopy::NoCopy);
        assert_eq!((genuine.country.as_str(), genuine.date.as_str()), ("UT", "24/11/2026"));

        let copied = proof_to_ui(&Proof::CopyNotExcluded(signed(fresh)));
        assert_eq!((copied.signer, copied.copy), (genuine.signer, ui::ChipCopy::NotExcluded));

        let country = Country::new("VN");
        for (why, signer, data) in [
            (NotVerified::NoAnchorOfCountry(country), ui::ChipSigner::NoAnchor, true),
            (NotVerified::NoAnchorOfCountry(None), ui::ChipSigner::NoAnchor, true),
            (
                NotVerified::UnknownKey(country.expect("two letters")),
                ui::ChipSigner::UnknownKey,
                true,
            ),
            (NotVerified::NoCertificate, ui::ChipSigner::NoCertificate, false),
            (NotVerified::SignerNotValidToday, ui::ChipSigner::NotValidToday, true),
            (NotVerified::Unsupported(Unsupported::Signature), ui::ChipSigner::UnknownKind, false),
            (
                NotVerified::Unsupported(Unsupported::CriticalExtension),
                ui::ChipSigner::UnknownKind,
                true,
            ),
            (NotVerified::Unread(Unsupported::Hash), ui::ChipSigner::UnknownKind, false),
        ] {
            let shown = proof_to_ui(&Proof::Consistent(why));
            assert_eq!(shown.signer, signer);
            assert_eq!(shown.data == ui::ChipData::Unchanged, data, "{why:?}");
            assert_eq!(shown.copy, ui::ChipCopy::NotExcluded, "{why:?}");
        }
    }

    #[test]
    fn a_refuted_chip_has_no_proof_at_all_and_one_line_that_failed() {
        for why in refutations() {
            let shown = proof_to_ui(&Proof::Refuted(why));
            let unlooked = [
                shown.signer == ui::ChipSigner::NotLookedAt,
                shown.data == ui::ChipData::NotLookedAt,
                shown.copy == ui::ChipCopy::NotLookedAt,
            ];
            assert_eq!(unlooked.iter().filter(|it| !**it).count(), 1, "{}", why.code());
            let proven = shown.signer == ui::ChipSigner::State
                || shown.data == ui::ChipData::Unchanged
                || shown.copy == ui::ChipCopy::NoCopy;
            assert!(!proven, "{}", why.code());
        }
    }

    #[test]
    fn the_list_of_revoked_signers_is_said_where_it_is_missing_or_old() {
        for (revocation, expected, date) in [
            (Revocation::NoList, ui::ChipRevocation::Missing, ""),
            (
                Revocation::NotListed { as_of: day(), is_stale: true },
                ui::ChipRevocation::Old,
                "24/11/2026",
            ),
        ] {
            let shown = proof_to_ui(&Proof::CopyNotExcluded(signed(revocation)));
            assert_eq!((shown.revocation, shown.date.as_str()), (expected, date));
        }
    }

    #[test]
    fn the_steps_before_the_one_that_runs_are_done() {
        let states = |stage| stages(stage).iter().map(|line| line.state).collect::<Vec<_>>();
        use ui::CheckState::{Done, Pending, Running};
        assert_eq!(states(ChipStage::Waiting), [Pending; 5]);
        assert_eq!(states(ChipStage::Opening), [Running, Pending, Pending, Pending, Pending]);
        assert_eq!(states(ChipStage::Picture), [Done, Done, Done, Running, Pending]);
        assert_eq!(states(ChipStage::Judging), [Done, Done, Done, Done, Running]);
    }

    #[test]
    fn each_failure_has_a_place_of_its_own_on_the_screen() {
        let shown: Vec<_> = ChipFailure::ALL.iter().map(|it| failure_to_ui(*it)).collect();
        for (at, one) in shown.iter().enumerate() {
            assert!(!shown[at + 1..].contains(one), "{one:?}");
        }
    }

    #[test]
    fn a_portrait_is_red_alone_at_night() {
        let rgb = [[200, 100, 50], [255; 3]].concat();
        let portrait = Portrait { width: 2, height: 1, rgb: zeroize::Zeroizing::new(rgb) };
        let day = picture(&portrait, false).expect("a picture");
        let first = day.as_slice()[0];
        assert_eq!((first.r, first.g, first.b), (200, 100, 50));
        let night = picture(&portrait, true).expect("a picture");
        assert!(night.as_slice().iter().all(|pixel| pixel.g == 0 && pixel.b == 0));
        assert_eq!(night.as_slice()[1].r, 255);
    }

    #[test]
    fn a_portrait_that_is_cut_short_is_not_shown() {
        for (width, height, length) in [(2, 2, 11), (0, 0, 0), (1, 1, 4)] {
            let rgb = zeroize::Zeroizing::new(vec![9; length]);
            assert!(picture(&Portrait { width, height, rgb }, false).is_none());
        }
    }
}
