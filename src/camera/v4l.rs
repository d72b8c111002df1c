//! A camera of Linux, through Video4Linux.
//!
//! `nokhwa` opens the device and hands over its buffers; here they become grey [`Frame`]s. Focus,
//! exposure and light are left to the camera.
//!
//! Untested on hardware. Tests cover the error of a missing device, the choice of the format, the
//! conversions, and the reading thread with a stand-in for the device; the calls of the library
//! between opening a device and its buffers have not run yet.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nokhwa::Camera;
use nokhwa::NokhwaError;
use nokhwa::utils::{
    ApiBackend, CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType,
};

use super::guard::guarded;
use super::luma::{luma_of_mjpeg, luma_of_nv12, luma_of_yuyv};
use super::{CameraError, Frame, FrameSource, LatestFrame};

/// Formats that can be made grey, in the order in which they are preferred at equal size and pace.
///
/// Luma that comes as it is costs nothing and has no JPEG noise.
const FORMATS: [FrameFormat; 3] = [FrameFormat::NV12, FrameFormat::YUYV, FrameFormat::MJPEG];

/// Most pixels of a frame. From 1280 x 720 up to here more is better, since a QR code of a card is
/// read by its pixels a module; beyond it decoding takes too long for a viewfinder.
const MOST_PIXELS: u64 = 1920 * 1080;

/// Fewest pixels of a frame that will do.
const ENOUGH_PIXELS: u64 = 1280 * 720;

/// Fewest frames a second that do not feel stuck. Chosen: many cameras give uncompressed large
/// frames at 5, and have MJPEG for that.
const LEAST_RATE: u32 = 10;

/// Formats that are tried before the camera's own choice is taken: some reject what they offer.
const MOST_TRIES: usize = 4;

/// Bad frames in a row before the camera counts as lost. Chosen: many cameras begin with a few
/// broken ones; 30 are one to three seconds.
const MOST_BAD_FRAMES: u32 = 30;

/// How long a frame, and how long the opening, may take before the camera counts as lost.
///
/// Chosen: the darkest exposure takes well under a second, a camera that wakes up a few.
const FRAME_PATIENCE: Duration = Duration::from_secs(5);
const OPEN_PATIENCE: Duration = Duration::from_secs(10);

/// How often the wait for a frame looks whether the reader is still there.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Frames of one device, `/dev/video0` and on.
///
/// The device lives on a thread of its own: the library's handle may not change threads, waits
/// without a limit, and keeps frames that are old by the time one asks. That thread reads all the
/// time, and the newest frame waits here. Dropping the source lets go of the device after the frame
/// being read.
pub struct V4lSource {
    newest: Arc<LatestFrame>,
    stop: Arc<AtomicBool>,
    reader: JoinHandle<()>,
}

impl V4lSource {
    /// Opens `/dev/video` with the number `index` and starts the stream.
    pub fn open(index: u32) -> Result<V4lSource, CameraError> {
        // The library tells all failures to open in words; the system tells them apart.
        open_once(&device_path(index))?;
        V4lSource::start(move || open_device(index))
    }

    /// Starts the thread that opens a device and reads it.
    fn start<D: Device>(
        open: impl FnOnce() -> Result<D, CameraError> + Send + 'static,
    ) -> Result<V4lSource, CameraError> {
        let newest = Arc::new(LatestFrame::new());
        let stop = Arc::new(AtomicBool::new(false));
        let (opened, is_open) = mpsc::sync_channel(1);
        let run = {
            let (newest, stop) = (Arc::clone(&newest), Arc::clone(&stop));
            move || match open() {
                Ok(device) => {
                    // Nobody waits for it after `OPEN_PATIENCE`; then `stop` is set, too.
                    let _ = opened.send(Ok(()));
                    read(device, &newest, &stop);
                }
                Err(error) => {
                    let _ = opened.send(Err(error));
                }
            }
        };
        let reader = thread::Builder::new()
            .name("camera".into())
            .spawn(run)
            .map_err(|_| CameraError::Lost)?;
        let source = V4lSource { newest, stop, reader };
        is_open.recv_timeout(OPEN_PATIENCE).unwrap_or(Err(CameraError::Lost))?;
        Ok(source)
    }
}

impl FrameSource for V4lSource {
    fn next_frame(&mut self) -> Result<Frame, CameraError> {
        let looks = FRAME_PATIENCE.as_millis() / LOOK_AGAIN.as_millis();
        for _ in 0..looks {
            // Asked first: a frame may have come between the last look and the end.
            let is_over = self.reader.is_finished();
            if let Some(frame) = self.newest.take(LOOK_AGAIN) {
                return Ok(frame);
            }
            if is_over {
                break;
            }
        }
        Err(CameraError::Lost)
    }

    fn is_simulated(&self) -> bool {
        false
    }
}

impl Drop for V4lSource {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What is read on the reader's thread: a camera, or a stand-in of the tests.
trait Device {
    /// Reads a frame into `spare`, whatever it held.
    fn read(&mut self, spare: Vec<u8>) -> Reading;
}

/// What came of reading a frame.
enum Reading {
    Luma {
        width: u32,
        height: u32,
        luma: Vec<u8>,
    },
    /// Cut off or damaged; the next one may be whole.
    Bad,
    Gone,
}

/// Reads until nobody wants more, the device is gone, or gives nothing but bad frames.
fn read(mut device: impl Device, newest: &LatestFrame, stop: &AtomicBool) {
    let mut number = 0;
    let mut bad_frames = 0;
    // The memory of a frame that nobody took. A frame that is taken is its reader's.
    let mut spare = Vec::new();
    while !stop.load(Ordering::Relaxed) && bad_frames < MOST_BAD_FRAMES {
        number += 1;
        match device.read(std::mem::take(&mut spare)) {
            Reading::Luma { width, height, luma } => {
                bad_frames = 0;
                let passed_over = newest.put(Frame { width, height, luma, number, label: None });
                spare = passed_over.map(|frame| frame.luma).unwrap_or_default();
            }
            Reading::Bad => bad_frames += 1,
            Reading::Gone => break,
        }
    }
}

/// An open stream of the library.
struct Stream {
    /// There until it is dropped.
    camera: Option<Camera>,
    format: CameraFormat,
}

/// Opens a device in the best format that it takes, and starts the stream.
fn open_device(index: u32) -> Result<Stream, CameraError> {
    let opened = guarded("v4l", || -> Result<Stream, NokhwaError> {
        let any = RequestedFormat::with_formats(RequestedFormatType::None, &FORMATS);
        let index = CameraIndex::Index(index);
        let mut camera = Camera::with_backend(index, any, ApiBackend::Video4Linux)?;
        let offers = camera.compatible_camera_formats()?;
        for offer in by_preference(offers).into_iter().take(MOST_TRIES) {
            let wanted = [offer.format()];
            let exact = RequestedFormatType::Exact(offer);
            if camera.set_camera_requset(RequestedFormat::with_formats(exact, &wanted)).is_ok() {
                break;
            }
        }
        camera.open_stream()?;
        let format = camera.camera_format();
        Ok(Stream { camera: Some(camera), format })
    });
    // The library panics at drivers that tell a step of 0 between sizes: no use to us either.
    let stream = opened.ok_or(CameraError::Unsupported)?.map_err(|error| not_opened(&error))?;
    if !FORMATS.contains(&stream.format.format()) {
        return Err(CameraError::Unsupported);
    }
    Ok(stream)
}

impl Device for Stream {
    fn read(&mut self, spare: Vec<u8>) -> Reading {
        let format = self.format;
        let Some(camera) = self.camera.as_mut() else {
            return Reading::Gone;
        };
        let read = guarded("v4l", || {
            let buffer = camera.frame_raw().ok()?;
            Some(luma_of(format, &buffer, spare))
        });
        match read {
            Some(Some(Some(luma))) => {
                Reading::Luma { width: format.width(), height: format.height(), luma }
            }
            Some(Some(None)) => Reading::Bad,
            _ => Reading::Gone,
        }
    }
}

impl Drop for Stream {
    /// Lets go of the device. The library panics where an unplugged one cannot be stopped.
    fn drop(&mut self) {
        let camera = self.camera.take();
        let _ = guarded("v4l", || drop(camera));
    }
}

fn device_path(index: u32) -> PathBuf {
    PathBuf::from(format!("/dev/video{index}"))
}

/// Opens and closes a device, for the system's word on whether it is there and ours to use.
fn open_once(device: &Path) -> Result<(), CameraError> {
    match OpenOptions::new().read(true).write(true).open(device) {
        Ok(_) => Ok(()),
        Err(error) => Err(sorted(&error)),
    }
}

fn sorted(error: &io::Error) -> CameraError {
    /// "No such device" and "no such device or address": a node is left, its camera is gone.
    const GONE: [i32; 2] = [19, 6];
    CameraError::from_system(error).unwrap_or(match error.raw_os_error() {
        Some(errno) if GONE.contains(&errno) => CameraError::NotFound,
        _ => CameraError::Unsupported,
    })
}

/// Sorts an error of the library, which carries the system's error in its text.
fn not_opened(error: &NokhwaError) -> CameraError {
    errno_in(&error.to_string())
        .map_or(CameraError::Unsupported, |errno| sorted(&io::Error::from_raw_os_error(errno)))
}

/// Finds the number in "… (os error 16)", as the standard library prints it.
fn errno_in(text: &str) -> Option<i32> {
    let (_, after) = text.rsplit_once("(os error ")?;
    after.split_once(')')?.0.parse().ok()
}

/// Sorts what a camera offers, the best first; what cannot be made grey is left out.
///
/// First what is quick enough; then sizes from 1280 x 720 to 1920 x 1080, the larger the better;
/// then whatever is nearest to 1280 x 720.
fn by_preference(offers: Vec<CameraFormat>) -> Vec<CameraFormat> {
    let mut usable: Vec<(usize, CameraFormat)> = offers
        .into_iter()
        .filter_map(|offer| {
            let rank = FORMATS.iter().position(|format| *format == offer.format())?;
            Some((rank, offer))
        })
        .collect();
    usable.sort_by_key(|(rank, offer)| {
        let pixels = u64::from(offer.width()) * u64::from(offer.height());
        let is_slow = offer.frame_rate() < LEAST_RATE;
        let is_outside = !(ENOUGH_PIXELS..=MOST_PIXELS).contains(&pixels);
        let wanted = if is_outside { ENOUGH_PIXELS } else { MOST_PIXELS };
        (is_slow, is_outside, pixels.abs_diff(wanted), *rank, offer.frame_rate().abs_diff(30))
    });
    usable.into_iter().map(|(_, offer)| offer).collect()
}

/// Makes a buffer grey, in the memory of `spare`; `None` where it is cut off, damaged or of another
/// format.
fn luma_of(format: CameraFormat, buffer: &[u8], mut spare: Vec<u8>) -> Option<Vec<u8>> {
    let (width, height) = (format.width() as usize, format.height() as usize);
    let luma = &mut spare;
    match format.format() {
        FrameFormat::YUYV => luma_of_yuyv(width, height, buffer, luma),
        FrameFormat::NV12 => luma_of_nv12(width, height, buffer, luma),
        FrameFormat::MJPEG => luma_of_mjpeg(width, height, buffer, luma),
        _ => None,
    }?;
    Some(spare)
}

#[cfg(test)]
mod tests {
    use nokhwa::utils::Resolution;

    use super::*;

    fn offer(format: FrameFormat, width: u32, height: u32, rate: u32) -> CameraFormat {
        CameraFormat::new(Resolution::new(width, height), format, rate)
    }

    #[test]
    fn a_missing_device_is_not_found() {
        // Numbers of devices end at 255.
        let opened = V4lSource::open(4_000).map(|_| ());
        assert_eq!(opened, Err(CameraError::NotFound));
    }

    /// A device that reads from a list, and is gone at its end.
    struct Played(std::vec::IntoIter<Reading>);

    impl Device for Played {
        fn read(&mut self, _: Vec<u8>) -> Reading {
            thread::sleep(Duration::from_millis(5));
            self.0.next().unwrap_or(Reading::Gone)
        }
    }

    fn good() -> Reading {
        Reading::Luma { width: 2, height: 1, luma: vec![10, 20] }
    }

    fn playing(readings: Vec<Reading>) -> V4lSource {
        V4lSource::start(move || Ok(Played(readings.into_iter()))).expect("opens")
    }

    #[test]
    fn a_device_keeps_the_rules_of_a_frame_source() {
        let mut source = playing((0..10_000).map(|_| good()).collect());
        assert!(!source.is_simulated());
        super::super::tests::check_frame_source(&mut source);
    }

    #[test]
    fn a_bad_frame_is_passed_over_and_counted() {
        let mut source = playing(vec![Reading::Bad, Reading::Bad, good()]);
        assert_eq!(source.next_frame().map(|frame| frame.number), Ok(3));
    }

    #[test]
    fn a_device_that_goes_or_gives_only_bad_frames_is_lost() {
        let only_bad = (0..MOST_BAD_FRAMES).map(|_| Reading::Bad).chain([good()]).collect();
        for readings in [vec![], only_bad] {
            assert_eq!(playing(readings).next_frame(), Err(CameraError::Lost));
        }
    }

    #[test]
    fn an_error_on_opening_is_passed_on() {
        let opened = V4lSource::start(|| Err::<Played, _>(CameraError::Busy)).map(|_| ());
        assert_eq!(opened, Err(CameraError::Busy));
    }

    #[test]
    fn dropping_the_source_ends_the_reading() {
        struct Endless(mpsc::Sender<()>);
        impl Device for Endless {
            fn read(&mut self, _: Vec<u8>) -> Reading {
                let _ = self.0.send(());
                good()
            }
        }
        let (reads, seen) = mpsc::channel();
        let source = V4lSource::start(move || Ok(Endless(reads))).expect("opens");
        seen.recv().expect("it reads");
        drop(source);
        // The channel closes when the device is dropped; the test hangs if it never is.
        while seen.recv().is_ok() {}
    }

    #[test]
    fn a_node_that_is_no_camera_is_unsupported() {
        let opened = open_once(Path::new("/dev/null/video0"));
        assert_eq!(opened, Err(CameraError::Unsupported), "not a directory");
    }

    #[test]
    fn errors_of_the_library_are_sorted_by_the_number_in_their_text() {
        let open = |text: &str| NokhwaError::OpenDeviceError("0".into(), text.into());
        for (error, expected) in [
            (open("V4L2 Error: No such file or directory (os error 2)"), CameraError::NotFound),
            (open("V4L2 Error: Permission denied (os error 13)"), CameraError::Refused),
            (
                NokhwaError::OpenStreamError("Device or resource busy (os error 16)".into()),
                CameraError::Busy,
            ),
            (open("V4L2 Error: No such device (os error 19)"), CameraError::NotFound),
            (open("V4L2 Error: Invalid argument (os error 22)"), CameraError::Unsupported),
            (open("Failed to Fufill"), CameraError::Unsupported),
            (open("(os error twelve)"), CameraError::Unsupported),
        ] {
            assert_eq!(not_opened(&error), expected, "{error}");
        }
    }

    #[test]
    fn the_largest_quick_format_up_to_full_hd_is_preferred() {
        use FrameFormat::{GRAY, MJPEG, NV12, YUYV};
        let check = |offers: &[CameraFormat], expected: Option<CameraFormat>| {
            assert_eq!(by_preference(offers.to_vec()).first().copied(), expected, "{offers:?}");
        };
        let hd_slow = offer(YUYV, 1280, 720, 5);
        let hd = offer(MJPEG, 1280, 720, 30);
        let full_hd_slow = offer(YUYV, 1920, 1080, 5);
        let full_hd = offer(MJPEG, 1920, 1080, 30);
        let four_k = offer(MJPEG, 3840, 2160, 30);
        let vga = offer(YUYV, 640, 480, 30);
        let vga_jpeg = offer(MJPEG, 640, 480, 30);

        check(&[vga, hd_slow, hd, full_hd_slow, full_hd, four_k], Some(full_hd));
        check(&[vga, hd_slow, hd, full_hd_slow, four_k], Some(hd));
        check(&[vga, hd_slow], Some(vga));
        check(&[hd_slow, full_hd_slow], Some(full_hd_slow));
        check(&[four_k, vga], Some(vga));
        check(&[vga_jpeg, vga], Some(vga));
        check(&[vga, offer(NV12, 640, 480, 30)], Some(offer(NV12, 640, 480, 30)));
        check(&[offer(YUYV, 640, 480, 60), vga], Some(vga));
        check(&[offer(GRAY, 1280, 720, 30)], None);
        check(&[], None);
    }
}
