//! Asks the device for the time, and bounds what may be believed of it.
//!
//! This is the only module that reads a clock; every rule takes a time as an argument. A handheld's
//! real-time clock can be set by whoever holds it, so nothing that makes an answer milder may rest
//! on it alone: [`TrustedTime`] keeps a lower bound that only signed times raise, and that goes on
//! with the time since boot ([`TimeBase`]), which nobody can set.
//!
//! A signed time that lies more than a day ahead of the upper bound is refused by `snapshot::verify`
//! until a second source agrees: the real-time clock, set by hand. One stolen signing key can thus not
//! carry a device into the year 2099 unless whoever holds it sets the clock too, and then a root of
//! a new epoch leads out again ([`TimeBase::restarted`]).

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
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Boot {
    /// Identifies this boot; another value means the device was restarted.
    pub id: [u8; 16],
    /// Time since this boot began, time asleep included.
    pub since: Duration,
}

impl Boot {
    /// Returns how long ago `earlier` was, or `None` where that was in another boot, or in one that
    /// the system does not name.
    pub fn since_moment(self, earlier: Boot) -> Option<Duration> {
        let is_named = self.id != [0; 16];
        if is_named && self.id == earlier.id { self.since.checked_sub(earlier.since) } else { None }
    }
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

/// A lower bound of the time, and the moment of a boot at which it held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeBase {
    /// It was not earlier than this.
    pub lower: DeviceTime,
    /// When.
    pub boot: Boot,
}

impl TimeBase {
    /// Returns the lower bound at a later moment: in the same boot it has gone on, after a restart
    /// it is what was persisted.
    pub fn at(self, boot: Boot) -> DeviceTime {
        let passed = boot.since_moment(self.boot).unwrap_or_default();
        self.lower.plus_seconds(i64::try_from(passed.as_secs()).unwrap_or(i64::MAX))
    }

    /// Returns the base carried on to `boot`, so that a restart after it loses nothing before it.
    pub fn ticked(self, boot: Boot) -> TimeBase {
        TimeBase { lower: self.at(boot), boot }
    }

    /// Returns the base after a signed time was seen: raised to it, never lowered.
    pub fn raised(self, signed: DeviceTime, boot: Boot) -> TimeBase {
        TimeBase { lower: self.at(boot).max(signed), boot }
    }

    /// Returns the base after a root raised the epoch: it begins anew from when that root was made.
    pub fn restarted(made: DeviceTime, boot: Boot) -> TimeBase {
        TimeBase { lower: made, boot }
    }
}

/// What the clocks said at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Observation {
    /// The boot and the time since it began.
    pub boot: Boot,
    /// The real-time clock.
    pub real: DeviceTime,
}

/// The clock's drift and its correction by a few seconds are no step. Chosen.
const SMALLEST_STEP_SECONDS: u64 = 120;

impl Observation {
    /// Reads both clocks.
    pub fn of(clock: &dyn Clock) -> Observation {
        Observation { boot: clock.boot(), real: clock.real_time() }
    }

    /// Returns by how many seconds the real-time clock was set since `earlier`, `None` where it went
    /// on as the time since boot did, or where the boot is another and nothing can be compared.
    pub fn step_since(self, earlier: Observation) -> Option<u64> {
        let passed = self.boot.since_moment(earlier.boot)?;
        let expected = earlier.real.plus_seconds(i64::try_from(passed.as_secs()).ok()?);
        let step = self.real.0.abs_diff(expected.0);
        (step > SMALLEST_STEP_SECONDS).then_some(step)
    }
}

/// The two bounds between which the true time lies, as far as the device can know.
///
/// Ages use the upper bound, so that an old list never looks young; what lapses by the upper bound
/// alone has not lapsed for certain. The upper bound is never persisted: a clock that was ahead for a
/// day leaves nothing behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrustedTime {
    /// It cannot be earlier than this: the newest signed time, and the time since boot after it.
    pub lower: DeviceTime,
    /// The real-time clock, or the lower bound where the clock is behind it.
    pub upper: DeviceTime,
    real: DeviceTime,
}

impl TrustedTime {
    /// Returns the bounds for a lower bound and what the real-time clock says.
    pub fn new(lower: DeviceTime, real: DeviceTime) -> TrustedTime {
        TrustedTime { lower, upper: lower.max(real), real }
    }

    /// Whether the real-time clock is behind a time that was signed: it was set back, or has stopped.
    pub fn is_suspect(&self) -> bool {
        self.real < self.lower
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

    fn boot(id: u8, seconds: u64) -> Boot {
        Boot { id: [id; 16], since: Duration::from_secs(seconds) }
    }

    #[test]
    fn the_lower_bound_goes_on_with_the_boot_and_stands_after_a_restart() {
        let base = TimeBase { lower: DeviceTime(1_000), boot: boot(1, 50) };
        for (at, expected) in [
            (boot(1, 50), 1_000),
            (boot(1, 170), 1_120),
            (boot(1, 49), 1_000),
            (boot(2, 500), 1_000),
            (boot(0, 500), 1_000),
        ] {
            assert_eq!(base.at(at), DeviceTime(expected), "{at:?}");
        }
        let ticked = base.ticked(boot(1, 170));
        assert_eq!(ticked.at(boot(2, 0)), DeviceTime(1_120), "what was carried on is kept");
        assert_eq!(ticked.at(boot(1, 180)), DeviceTime(1_130), "and counted once");
        // A system that does not name its boots gives no time since one.
        let nameless = TimeBase { lower: DeviceTime(1_000), boot: boot(0, 50) };
        assert_eq!(nameless.at(boot(0, 500)), DeviceTime(1_000));
    }

    #[test]
    fn a_signed_time_raises_the_bound_and_only_a_new_epoch_lowers_it() {
        let base = TimeBase { lower: DeviceTime(1_000), boot: boot(1, 50) };
        assert_eq!(base.raised(DeviceTime(1_100), boot(1, 60)).lower, DeviceTime(1_100));
        assert_eq!(base.raised(DeviceTime(900), boot(1, 60)).lower, DeviceTime(1_010));
        assert_eq!(TimeBase::restarted(DeviceTime(500), boot(1, 60)).lower, DeviceTime(500));
    }

    #[test]
    fn a_step_is_a_clock_that_did_not_go_on_with_the_boot() {
        let first = Observation { boot: boot(1, 100), real: DeviceTime(10_000) };
        for (seconds, real, expected) in [
            (200, 10_100, None),
            (200, 10_220, None),
            (200, 9_980, None),
            (200, 10_221, Some(121)),
            (200, 9_979, Some(121)),
            (200, 10_100 + 7_200, Some(7_200)),
        ] {
            let later = Observation { boot: boot(1, seconds), real: DeviceTime(real) };
            assert_eq!(later.step_since(first), expected, "{real}");
        }
        let restarted = Observation { boot: boot(2, 1), real: DeviceTime(99) };
        assert_eq!(restarted.step_since(first), None);
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
