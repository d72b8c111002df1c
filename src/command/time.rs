//! Writes and reads points in time as text: RFC 3339, and UTC when written.

use std::fmt;

use crate::clock::DeviceTime;
use crate::document::Date;

const DAY_SECONDS: i64 = 86_400;

/// A point in time, in seconds since 1970 UTC, whose `Display` is `2026-11-24T06:30:00Z`.
pub(super) struct Utc(pub i64);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(days) = i32::try_from(self.0.div_euclid(DAY_SECONDS)) else {
            return write!(f, "{} s", self.0);
        };
        let seconds = self.0.rem_euclid(DAY_SECONDS);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(f, "{}T{hour:02}:{minute:02}:{second:02}Z", Date::from_days(days))
    }
}

/// What is no point in time.
#[derive(Debug, thiserror::Error)]
#[error("not a time such as 2026-11-24T06:30:00Z, 2026-11-24T13:30:00+07:00 or 2026-11-24")]
pub(super) struct NotATime;

/// Reads a time with its offset (RFC 3339, whole seconds), or a date alone: its first second, UTC.
pub(super) fn parse(text: &str) -> Result<DeviceTime, NotATime> {
    let (date, rest) = text.split_at_checked(10).ok_or(NotATime)?;
    let date: Date = date.parse().map_err(|_| NotATime)?;
    let midnight = i64::from(date.to_days()) * DAY_SECONDS;
    if rest.is_empty() {
        return Ok(DeviceTime(midnight));
    }
    let rest = rest.strip_prefix(['T', 't', ' ']).ok_or(NotATime)?;
    let (clock, offset) = rest.split_at_checked(8).ok_or(NotATime)?;
    let [hour, minute, second] = two_digits(clock)?;
    let offset = match offset {
        "Z" | "z" => 0,
        _ => {
            let sign = match offset.get(..1) {
                Some("+") => 1,
                Some("-") => -1,
                _ => return Err(NotATime),
            };
            let [hours, minutes] = two_digits(&offset[1..])?;
            if hours > 23 || minutes > 59 {
                return Err(NotATime);
            }
            sign * (hours * 3_600 + minutes * 60)
        }
    };
    if hour > 23 || minute > 59 || second > 59 {
        return Err(NotATime);
    }
    Ok(DeviceTime(midnight + hour * 3_600 + minute * 60 + second - offset))
}

/// Reads `N` numbers of two digits between colons.
fn two_digits<const N: usize>(text: &str) -> Result<[i64; N], NotATime> {
    let mut numbers = [0; N];
    let mut parts = text.split(':');
    for number in &mut numbers {
        let part = parts.next().ok_or(NotATime)?;
        if part.len() != 2 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotATime);
        }
        *number = part.parse().map_err(|_| NotATime)?;
    }
    match parts.next() {
        None => Ok(numbers),
        Some(_) => Err(NotATime),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_offset_and_written_in_utc() {
        for (text, seconds, written) in [
            ("2026-11-24T06:30:00Z", 1_795_501_800, "2026-11-24T06:30:00Z"),
            ("2026-11-24T13:30:00+07:00", 1_795_501_800, "2026-11-24T06:30:00Z"),
            ("2026-11-23t23:30:00-07:00", 1_795_501_800, "2026-11-24T06:30:00Z"),
            ("2026-11-24", 1_795_478_400, "2026-11-24T00:00:00Z"),
            ("1969-12-31T23:59:59Z", -1, "1969-12-31T23:59:59Z"),
        ] {
            let time = parse(text).expect(text);
            assert_eq!(time, DeviceTime(seconds), "{text}");
            assert_eq!(Utc(time.0).to_string(), written, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "today",
            "2026-02-29",
            "2026-11-24T",
            "2026-11-24T06:30",
            "2026-11-24T06:30:00",
            "2026-11-24T24:00:00Z",
            "2026-11-24T06:60:00Z",
            "2026-11-24T06:30:60Z",
            "2026-11-24T6:30:000Z",
            "2026-11-24T06:30:00+7",
            "2026-11-24T06:30:00+24:00",
            "2026-11-24T06:30:00+07:00:00",
            "2026-11-24T06:30:00é",
            "2026-11-24x06:30:00Z",
            "24/11/2026",
            "２０２６-11-24",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
