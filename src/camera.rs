//! Frames from a camera, and the QR codes in them.
//!
//! First step of the flow: a [`FrameSource`] gives grey frames, [`decode::payloads`] gives the
//! bytes of the QR codes in one, [`scanner::Scanner`] those in a stream of them, and the document
//! module makes sense of those bytes. Between the thread that reads the camera and the thread that
//! decodes stands a [`LatestFrame`], so that a slow decode sees the newest frame and never a queue
//! of old ones.
//!
//! Nothing here knows what a card is, or writes a frame anywhere. What the scanners keep of frames
//! between two of them (sums over a code or a zone, smaller pictures, where it lay) is given up when
//! they are reset.

use std::io;

mod binarise;
mod corners;
pub mod decode;
mod enlarge;
mod equalise;
mod frame;
mod geometry;
pub(crate) mod guard;
mod hint;
mod latest;
#[cfg(feature = "camera")]
mod luma;
pub mod mrz;
pub mod pictures;
mod read;
mod reed_solomon;
mod register;
mod samples;
pub mod scanner;
mod segments;
mod soft;
mod symbol;
#[cfg(feature = "camera")]
pub mod v4l;

pub use frame::Frame;
pub use latest::LatestFrame;
pub use pictures::PictureFault;

/// Gives frames, one after the other: a camera, or pictures that stand in for one.
pub trait FrameSource: Send {
    /// Returns the next frame, waiting for it as long as the source needs.
    ///
    /// Frame numbers rise strictly over the life of a source. After [`CameraError::Lost`] the
    /// source is of no more use; after any other error the next call may succeed.
    fn next_frame(&mut self) -> Result<Frame, CameraError>;

    /// Tells whether the frames stand in for a camera, so that the screen can say so.
    fn is_simulated(&self) -> bool;

    /// Goes on to the next picture, where the source is a set of pictures; a camera ignores it.
    fn advance(&mut self) {}
}

/// Why there is no frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CameraError {
    /// There is no such camera, file or folder, or the folder holds no picture.
    #[error("no camera or picture is there")]
    NotFound,
    /// Another program uses the camera.
    #[error("the camera is in use by another program")]
    Busy,
    /// The system does not let us use it.
    #[error("the system refuses access to the camera or picture")]
    Refused,
    /// A picture cannot be used; the next one may be.
    #[error("picture {picture} cannot be used")]
    Unreadable {
        /// File name, without the folder.
        picture: String,
        /// What is wrong with it.
        #[source]
        fault: PictureFault,
    },
    /// Every picture has been shown.
    #[error("there are no more pictures")]
    Ended,
    /// The camera offers no picture format that we can read.
    #[error("the camera offers no format that can be read")]
    Unsupported,
    /// The camera stopped giving usable frames: unplugged, or its driver failed.
    #[error("the camera stopped giving frames")]
    Lost,
}

impl CameraError {
    /// Sorts an operating system's error by what one can do about it.
    ///
    /// `None` where it says nothing about the device's presence or our access to it.
    fn from_system(error: &io::Error) -> Option<CameraError> {
        match error.kind() {
            io::ErrorKind::NotFound => Some(CameraError::NotFound),
            io::ErrorKind::PermissionDenied => Some(CameraError::Refused),
            io::ErrorKind::ResourceBusy => Some(CameraError::Busy),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What every source must hold, given one that has at least three frames to give.
    ///
    /// A camera needs hardware, so here only pictures go through it; a device's test calls the
    /// same.
    pub(crate) fn check_frame_source(source: &mut dyn FrameSource) {
        let mut last_number = None;
        for _ in 0..3 {
            let frame = source.next_frame().expect("three frames");
            assert!(frame.width > 0 && frame.height > 0);
            assert!(frame.is_whole(), "{frame:?}");
            assert!(
                last_number < Some(frame.number),
                "numbers rise: {frame:?} after {last_number:?}"
            );
            last_number = Some(frame.number);
        }
        source.advance();
        if let Ok(frame) = source.next_frame() {
            assert!(last_number < Some(frame.number), "numbers rise over advance()");
        }
    }

    #[test]
    fn pictures_keep_the_rules_of_a_frame_source() {
        let folder = std::path::PathBuf::from(pictures::tests::FIXTURES);
        let mut source = pictures::PictureSource::open(&[folder]).expect("fixtures");
        check_frame_source(&mut source);
    }

    #[test]
    fn system_errors_are_sorted_by_what_one_can_do() {
        for (errno, expected) in [
            (2, Some(CameraError::NotFound)),
            (13, Some(CameraError::Refused)),
            (16, Some(CameraError::Busy)),
            (5, None),
        ] {
            assert_eq!(CameraError::from_system(&io::Error::from_raw_os_error(errno)), expected);
        }
    }

    #[test]
    fn an_unreadable_picture_is_named_with_its_fault_as_the_cause() {
        let error = CameraError::Unreadable {
            picture: "card.png".into(),
            fault: PictureFault::TooManyBytes { limit: 8 },
        };
        assert_eq!(error.to_string(), "picture card.png cannot be used");
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        assert_eq!(cause.as_deref(), Some("the file is longer than 8 bytes"));
    }
}
