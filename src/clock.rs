//! Asks the device for the time, and bounds what may be believed of it.
//!
//! This is the only module that reads a clock; every rule takes a time as an argument. A handheld's
//! real-time clock can be set by whoever holds it, so nothing that makes an answer milder may rest
//! on it alone: [`TrustedTime`] keeps a lower bound that only signed times raise.
//!
//! Assumes: the lower bound is the newest signed time that this device has seen. Adding the time
//! since boot to it needs the time base of the snapshot rules and is not done here.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

/// Seconds since 1970-01-01 UTC, as this device believes them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DeviceTime(pub i64);

/// How far Vietnamese civil time is ahead of UTC: seven hours all year, no summer time.
pub const VIETNAM_OFFSET_SECONDS: i64 = 7 * 3_600;

impl DeviceTime {
    /// Returns the number of whole days since 1970-01-01 in Vietnamese civil time.
    ///
    /// Validity dates of notices and cards are Vietnamese dates.
    pub fn vietnam_day(self) -> i32 {
        let day = (self.0.saturating_add(VIETNAM_OFFSET_SECONDS)).div_euclid(86_400);
        day.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
    }

    /// Returns the number of whole hours since 1970-01-01 UTC: all the precision that a record keeps.
    pub fn hour(self) -> u32 {
        self.0.div_euclid(3_600).clamp(0, i64::from(u32::MAX)) as u32
    }

    /// Returns the whole hours from `earlier` to this time, 0 where `earlier` lies ahead.
    pub fn hours_since(self, earlier: DeviceTime) -> u32 {
        (self.0.saturating_sub(earlier.0) / 3_600).clamp(0, i64::from(u32::MAX)) as u32
    }

    /// Returns this time moved by `seconds`.
    pub fn plus_seconds(self, seconds: i64) -> DeviceTime {
        DeviceTime(self.0.saturating_add(seconds))
    }
}

/// The running boot of the device: delays are counted in it, since nobody can set it back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Boot {
    /// Identifies this boot; another value means the device was restarted.
    pub id: [u8; 16],
    /// Time since this boot began, time asleep included.
    pub since: Duration,
}

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// Returns the real-time clock, which its holder can set.
    fn real_time(&self) -> DeviceTime;
    /// Returns the running boot and the time since it began, which its holder cannot set.
    fn boot(&self) -> Boot;
}

/// The device's own clocks.
#[derive(Clone, Copy, Default, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // the one place that asks
    fn real_time(&self) -> DeviceTime {
        match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => DeviceTime(i64::try_from(since.as_secs()).unwrap_or(i64::MAX)),
            Err(before) => {
                DeviceTime(-i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX))
            }
        }
    }

    fn boot(&self) -> Boot {
        let since = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Boot {
            id: read_boot_id().unwrap_or_default(),
            since: Duration::new(
                u64::try_from(since.tv_sec).unwrap_or_default(),
                u32::try_from(since.tv_nsec).unwrap_or_default(),
            ),
        }
    }
}

/// Reads the kernel's identity of this boot; `None` where the system hides it.
fn read_boot_id() -> Option<[u8; 16]> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let digits: Vec<u8> =
        text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    if digits.len() != 32 {
        return None;
    }
    let mut id = [0; 16];
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    Some(id)
}

/// A clock that stands where it was put: simulated, for tests and demonstrations.
pub struct FixedClock {
    now: Mutex<(DeviceTime, Boot)>,
}

impl FixedClock {
    /// Returns a clock that stands at `time`, one hour after its boot.
    pub fn at(time: DeviceTime) -> FixedClock {
        let boot = Boot { id: [1; 16], since: Duration::from_secs(3_600) };
        FixedClock { now: Mutex::new((time, boot)) }
    }

    /// Moves both clocks on by `by`.
    pub fn advance(&self, by: Duration) {
        let mut now = self.lock();
        now.0 = now.0.plus_seconds(i64::try_from(by.as_secs()).unwrap_or(i64::MAX));
        now.1.since = now.1.since.saturating_add(by);
    }

    /// Sets the real-time clock, as the holder of a device can.
    pub fn set(&self, time: DeviceTime) {
        self.lock().0 = time;
    }

    /// Restarts the simulated device: a new boot, whose time begins at zero.
    pub fn reboot(&self) {
        let mut now = self.lock();
        now.1.id[0] = now.1.id[0].wrapping_add(1);
        now.1.since = Duration::ZERO;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (DeviceTime, Boot)> {
        self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl fmt::Debug for FixedClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FixedClock").field(&*self.lock()).finish()
    }
}

impl Clock for FixedClock {
    fn real_time(&self) -> DeviceTime {
        self.lock().0
    }

    fn boot(&self) -> Boot {
        self.lock().1
    }
}

/// The two bounds between which the true time lies, as far as the device can know.
///
/// Ages use the upper bound, so that an old list never looks young; what lapses by the upper bound
/// alone has not lapsed for certain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrustedTime {
    /// The newest signed time seen: it cannot be earlier than this.
    pub lower: DeviceTime,
    /// The real-time clock, or the lower bound where the clock is behind it.
    pub upper: DeviceTime,
    suspect: bool,
}

impl TrustedTime {
    /// Returns the bounds for a persisted `floor` and what the real-time clock says.
    pub fn new(floor: DeviceTime, real: DeviceTime) -> TrustedTime {
        TrustedTime { lower: floor, upper: floor.max(real), suspect: real < floor }
    }

    /// Whether the real-time clock is behind a time that was signed: it was set back, or has stopped.
    pub fn is_suspect(&self) -> bool {
        self.suspect
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_behind_the_floor_is_suspect_and_the_floor_is_used() {
        let time = TrustedTime::new(DeviceTime(1_000), DeviceTime(900));
        assert!(time.is_suspect());
        assert_eq!((time.lower, time.upper), (DeviceTime(1_000), DeviceTime(1_000)));
    }

    #[test]
    fn a_clock_ahead_of_the_floor_is_the_upper_bound() {
        let time = TrustedTime::new(DeviceTime(1_000), DeviceTime(5_000));
        assert!(!time.is_suspect());
        assert_eq!((time.lower, time.upper), (DeviceTime(1_000), DeviceTime(5_000)));
    }

    #[test]
    fn the_day_changes_at_midnight_in_vietnam() {
        // 2026-11-24 16:59:59 UTC is 23:59:59 in Vietnam.
        let before = DeviceTime(1_795_539_599);
        assert_eq!(before.vietnam_day(), 20_781);
        assert_eq!(before.plus_seconds(1).vietnam_day(), 20_782);
    }

    #[test]
    fn a_reboot_gives_another_boot_that_starts_at_zero() {
        let clock = FixedClock::at(DeviceTime(10));
        let first = clock.boot();
        clock.reboot();
        assert_ne!(clock.boot().id, first.id);
        assert_eq!(clock.boot().since, Duration::ZERO);
        clock.advance(Duration::from_secs(5));
        assert_eq!(clock.boot().since, Duration::from_secs(5));
    }

    #[test]
    fn the_system_clock_gives_one_boot_that_moves_on() {
        let (first, second) = (SystemClock.boot(), SystemClock.boot());
        assert_eq!(first.id, second.id);
        assert!(second.since >= first.since);
        assert!(SystemClock.real_time() > DeviceTime(1_700_000_000));
    }
}
