//! The viewfinder: the newest frame, one hint at a time, and what a code was when it was no card.

use std::rc::Rc;
use std::time::{Duration, Instant};

use fieldcheck_ui as ui;
use slint::{Image, Rgb8Pixel, SharedPixelBuffer};

use super::{View, callback, to_int};
use crate::camera::decode::Hint;
use crate::camera::{CameraError, Frame};
use crate::document::qr::NotACard;
use crate::worker::{FrameOrigin, Request};

/// A hint stays at least this long, so that it can be read. Chosen.
const HINT_STAYS: Duration = Duration::from_millis(700);

/// Without a code for so long, the officer is told where it is.
const TELL_WHERE: Duration = Duration::from_secs(8);

/// Without a code for so long, typing is offered.
const OFFER_TYPING: Duration = Duration::from_secs(20);

/// A viewfinder wider than this shows no more on a handheld's screen.
const PREVIEW_WIDTH: u32 = 640;

/// A frame made small for the viewfinder.
pub struct Preview {
    pixels: SharedPixelBuffer<Rgb8Pixel>,
    label: Option<String>,
    origin: FrameOrigin,
}

/// Makes a frame small for the viewfinder; in the night theme in the red channel alone.
///
/// Costs about a millisecond for 1280×720, so it is done on the camera's thread.
pub fn preview(frame: &Frame, origin: FrameOrigin, night: bool) -> Preview {
    let step = frame.width.div_ceil(PREVIEW_WIDTH).max(1);
    let (width, height) = (frame.width / step, frame.height / step);
    let mut pixels = SharedPixelBuffer::<Rgb8Pixel>::new(width, height);
    let rows = pixels.make_mut_slice().chunks_exact_mut((width as usize).max(1));
    for (row, out) in rows.enumerate() {
        let line = row * (step * frame.width) as usize;
        for (column, pixel) in out.iter_mut().enumerate() {
            let grey = frame.luma.get(line + column * step as usize).copied().unwrap_or_default();
            *pixel = if night {
                Rgb8Pixel { r: grey, g: 0, b: 0 }
            } else {
                Rgb8Pixel { r: grey, g: grey, b: grey }
            };
        }
    }
    Preview { pixels, label: frame.label.clone(), origin }
}

/// Sets the callbacks.
pub(super) fn connect(view: &Rc<View>) {
    let scan = view.global::<ui::Scan>();
    scan.on_retry(callback(view, start));
    scan.on_next_picture(callback(view, |view| {
        view.ask(Request::SkipPicture);
        start(view);
    }));
    scan.on_type_in(callback(view, super::entry::start));
    scan.on_close(callback(view, |view| view.go(ui::Screen::Home)));
}

/// Goes to the viewfinder and looks for a card.
pub(super) fn start(view: &Rc<View>) {
    view.forget();
    {
        let mut state = view.state.borrow_mut();
        let now = Instant::now();
        state.scanning_since = Some(now);
        state.hint_since = now;
    }
    view.go(ui::Screen::Scan);
    view.ask(Request::StartScan);
}

/// Looks for a card, unless a match on the screen has no outcome yet: then that is asked first.
pub(super) fn start_unless_asked(view: &Rc<View>) {
    let verdict = view.global::<ui::VerdictView>();
    let is_here = matches!(view.screen(), ui::Screen::Verdict | ui::Screen::Chip);
    if is_here && verdict.get_asks_before_close() {
        view.go(ui::Screen::Verdict);
        verdict.set_asking(true);
    } else {
        start(view);
    }
}

/// Takes the last picture and its troubles from the screen.
pub(super) fn clear(view: &Rc<View>) {
    let scan = view.global::<ui::Scan>();
    scan.set_has_frame(false);
    scan.set_frame(Image::default());
    scan.set_picture("".into());
    scan.set_camera(ui::CameraState::Starting);
    scan.set_hint(ui::ScanHint::Aim);
    scan.set_trouble(ui::NotACard::None);
    scan.set_date("".into());
}

/// Shows a frame.
pub(super) fn show_preview(view: &Rc<View>, preview: Preview) {
    let scan = view.global::<ui::Scan>();
    if view.screen() != ui::Screen::Scan {
        return;
    }
    scan.set_frame(Image::from_rgb8(preview.pixels));
    scan.set_has_frame(true);
    scan.set_camera(ui::CameraState::Live);
    scan.set_simulated(preview.origin == FrameOrigin::Simulated);
    scan.set_picture(preview.label.unwrap_or_default().into());
}

/// Shows what would help the camera, one hint at a time.
pub(super) fn show_hint(view: &Rc<View>, hint: Hint) {
    let scan = view.global::<ui::Scan>();
    let mut state = view.state.borrow_mut();
    let waited = state.scanning_since.is_some_and(|since| since.elapsed() >= TELL_WHERE);
    if waited || state.hint_since.elapsed() < HINT_STAYS {
        return;
    }
    let hint = match hint {
        Hint::Dark => ui::ScanHint::Dark,
        Hint::Glare => ui::ScanHint::Glare,
        Hint::Closer => ui::ScanHint::Closer,
        Hint::Steady => ui::ScanHint::Steady,
        Hint::Focus => ui::ScanHint::Focus,
    };
    if scan.get_hint() != hint {
        state.hint_since = Instant::now();
        scan.set_hint(hint);
    }
}

/// Tells where the code is, and offers typing, when none was found for long.
pub(super) fn tick(view: &Rc<View>) {
    let Some(since) = view.state.borrow().scanning_since else { return };
    let scan = view.global::<ui::Scan>();
    if since.elapsed() >= OFFER_TYPING {
        scan.set_hint(ui::ScanHint::OfferTyping);
    } else if since.elapsed() >= TELL_WHERE {
        scan.set_hint(ui::ScanHint::NotFound);
    }
}

/// Shows why there is no picture.
pub(super) fn show_camera(view: &Rc<View>, error: &CameraError) {
    view.state.borrow_mut().scanning_since = None;
    view.global::<ui::Scan>().set_camera(match error {
        CameraError::NotFound | CameraError::Unsupported => ui::CameraState::Missing,
        CameraError::Busy => ui::CameraState::Busy,
        CameraError::Refused => ui::CameraState::Refused,
        CameraError::Ended => ui::CameraState::Ended,
        CameraError::Unreadable { .. } => ui::CameraState::Unreadable,
        CameraError::Lost => ui::CameraState::Lost,
    });
}

/// Shows why what was read gives no document to look up.
pub(super) fn show_trouble(view: &Rc<View>, trouble: ui::NotACard) {
    view.state.borrow_mut().scanning_since = None;
    view.global::<ui::Scan>().set_trouble(trouble);
}

/// Shows what a code was when it was no card.
pub(super) fn show_refusal(view: &Rc<View>, refusal: &NotACard) {
    view.state.borrow_mut().scanning_since = None;
    let scan = view.global::<ui::Scan>();
    scan.set_trouble(match *refusal {
        NotACard::Empty => ui::NotACard::Empty,
        NotACard::TooLong { .. } => ui::NotACard::TooLong,
        NotACard::NotText => ui::NotACard::NotText,
        NotACard::Payment => ui::NotACard::Payment,
        NotACard::Link => ui::NotACard::Link,
        NotACard::HealthInsurance => ui::NotACard::HealthInsurance,
        NotACard::WrongFieldCount { .. } | NotACard::UnreadableDate { .. } => {
            ui::NotACard::FieldCount
        }
        NotACard::BadNumber { position: Some(position), .. } => {
            scan.set_position(to_int(u32::try_from(position).unwrap_or(u32::MAX)));
            ui::NotACard::NumberLetter
        }
        NotACard::BadNumber { position: None, len } => {
            scan.set_missing(12 - to_int(u32::try_from(len).unwrap_or(u32::MAX)));
            ui::NotACard::NumberLength
        }
        NotACard::BadDate { day, month, .. } => {
            scan.set_date(format!("{day:02}/{month:02}").into());
            ui::NotACard::BadDate
        }
        NotACard::BadSex => ui::NotACard::BadSex,
        NotACard::MissingName => ui::NotACard::MissingName,
        NotACard::Other => ui::NotACard::Other,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_is_small_grey_and_red_alone_at_night() {
        let frame =
            Frame { width: 1280, height: 720, luma: vec![200; 1280 * 720], number: 1, label: None };
        let day = preview(&frame, FrameOrigin::Camera, false);
        assert_eq!((day.pixels.width(), day.pixels.height()), (640, 360));
        assert!(day.pixels.as_slice().iter().all(|pixel| pixel.r == 200 && pixel.b == 200));
        let night = preview(&frame, FrameOrigin::Camera, true);
        assert!(night.pixels.as_slice().iter().all(|pixel| pixel.r == 200 && pixel.g == 0));
    }

    #[test]
    fn a_frame_that_is_cut_short_does_not_panic() {
        let frame = Frame { width: 64, height: 64, luma: vec![9; 10], number: 1, label: None };
        assert_eq!(preview(&frame, FrameOrigin::Camera, false).pixels.width(), 64);
    }
}
