//! How are times, durations, sizes and rates written?

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use event_detector::bson::DateTime;

/// What a time may be.
const TIMES: &str = "expected how long ago, as `1h`, `30m`, `7d`, or a time, as `2026-11-26`, `2026-11-26 14:30`, `2026-11-26T14:30:00Z` \
                     (UTC), `2026-11-26T14:30:00+02:00`";

/// A point in time, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(pub(crate) i64);

/// Where a source begins that has no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// Behind everything that has happened, as the server's clock has it.
    Now,
    /// At a time.
    At(Time),
}

/// So many a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate(pub(crate) f64);

impl Time {
    pub(crate) fn now() -> Self {
        Self(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// A time, or how long ago it was.
pub(crate) fn time(text: &str) -> Result<Time, String> {
    time_before(Time::now(), text)
}

/// `now`, a time, or how long ago it was.
pub(crate) fn beginning(text: &str) -> Result<Beginning, String> {
    match text.trim() {
        "now" => Ok(Beginning::Now),
        text => time(text).map(Beginning::At),
    }
}

fn time_before(now: Time, text: &str) -> Result<Time, String> {
    let text = text.trim();
    if text == "now" {
        return Ok(now);
    }
    if let Ok(ago) = humantime::parse_duration(text.trim_end_matches(" ago")) {
        return Ok(Time(now.0.saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX))));
    }
    if let Ok(time) = DateTime::parse_rfc3339_str(text) {
        return Ok(Time(time.timestamp_millis()));
    }
    // A date with as much of a time behind it as somebody wrote: the rest is midnight's.
    let full = match text.len() {
        10 => format!("{text} 00:00:00"),
        16 => format!("{text}:00"),
        _ => text.to_owned(),
    };
    humantime::parse_rfc3339_weak(&full)
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .map(Time)
        .ok_or_else(|| TIMES.to_owned())
}

/// A duration with its unit.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let parsed = humantime::parse_duration(text).map_err(|_| match text.parse::<f64>() {
        Ok(_) => format!("a duration needs its unit: write `{text}s` or `{text}ms`"),
        Err(_) => "expected a duration such as `500ms`, `30s`, `5m`, `1h 30m`".to_owned(),
    })?;
    if parsed.is_zero() { Err("a duration must be longer than zero".to_owned()) } else { Ok(parsed) }
}

/// A number of bytes with its unit.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 9] = [
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
        ("tib", 1 << 40),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("tb", 1_000_000_000_000),
        ("b", 1),
    ];
    let lower = text.trim().to_ascii_lowercase();
    let split = UNITS.iter().find_map(|(unit, bytes)| Some((lower.strip_suffix(unit)?.trim_end().parse::<u64>().ok()?, *bytes)));
    match split.and_then(|(number, bytes)| number.checked_mul(bytes)) {
        Some(0) => Err("a size must be more than zero".to_owned()),
        Some(size) => Ok(size),
        None if lower.parse::<f64>().is_ok() => Err(format!("a size needs its unit: write `{lower}MiB` or `{lower}GiB`")),
        None => Err("expected a whole number of bytes with its unit, such as `500MiB`, `10GiB`".to_owned()),
    }
}

/// A number for each second, minute or hour.
pub(crate) fn rate(text: &str) -> Result<Rate, String> {
    let expected = || "expected a number a second, minute or hour, such as `100/s`, `30/m`, `5/h`".to_owned();
    let (number, unit) = text.split_once('/').ok_or_else(expected)?;
    let number: f64 = number.trim().parse().map_err(|_| expected())?;
    let seconds = match unit.trim() {
        "s" | "sec" | "second" => 1.0,
        "m" | "min" | "minute" => 60.0,
        "h" | "hour" => 3600.0,
        _ => return Err(expected()),
    };
    if number.is_finite() && number > 0.0 { Ok(Rate(number / seconds)) } else { Err("a rate must be more than zero".to_owned()) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Beginning, Rate, Time, beginning, duration, rate, size, time_before};

    #[test]
    fn a_time_is_how_long_ago_or_when() {
        const DAY: i64 = 1_795_651_200_000;
        let now = Time(DAY + 1000);
        let cases = [
            ("1s", DAY),
            ("1s ago", DAY),
            ("now", DAY + 1000),
            ("2026-11-26", DAY),
            ("2026-11-26 00:01", DAY + 60_000),
            ("2026-11-26T00:01", DAY + 60_000),
            ("2026-11-26 00:00:02", DAY + 2000),
            ("2026-11-26T00:00:02.5Z", DAY + 2500),
            ("2026-11-26T02:00:00+02:00", DAY),
        ];
        for (text, expected) in cases {
            assert_eq!(time_before(now, text), Ok(Time(expected)), "{text}");
        }
        for bad in ["yesterday", "", "5", "2026-13-01", "26.11.2026", "-1h", "2026-11-26 25:00"] {
            assert!(time_before(now, bad).unwrap_err().contains("as `1h`"), "{bad}");
        }
    }

    #[test]
    fn a_source_that_begins_now_is_not_asked_to_begin_at_the_time_of_this_computer() {
        assert_eq!(beginning(" now "), Ok(Beginning::Now));
        assert_eq!(beginning("2026-11-26"), Ok(Beginning::At(Time(1_795_651_200_000))));
        assert!(beginning("soon").unwrap_err().contains("as `1h`"));
    }

    #[test]
    fn a_duration_needs_a_unit_and_some_length() {
        assert_eq!(duration("1h 30m").unwrap(), Duration::from_secs(5400));
        assert!(duration("5").unwrap_err().contains("`5s` or `5ms`"));
        assert!(duration("1.5").unwrap_err().contains("`1.5s`"));
        assert!(duration("soon").unwrap_err().contains("`30s`"));
        assert!(duration("0s").unwrap_err().contains("longer than zero"));
    }

    #[test]
    fn a_size_needs_a_unit_and_fits() {
        assert_eq!(size("10GiB"), Ok(10 << 30));
        assert_eq!(size("5 mb"), Ok(5_000_000));
        assert_eq!(size("7B"), Ok(7));
        assert!(size("10").unwrap_err().contains("`10GiB`"));
        for bad in ["", "GiB", "1.5GiB", "-1MB", "99999999999TiB", "ten"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        assert!(size("0GB").unwrap_err().contains("more than zero"));
    }

    #[test]
    fn a_rate_is_for_each_second_minute_or_hour() {
        assert_eq!(rate("100/s"), Ok(Rate(100.0)));
        assert_eq!(rate("30/m"), Ok(Rate(0.5)));
        assert_eq!(rate("1.8/hour"), Ok(Rate(0.0005)));
        for bad in ["100", "0/s", "-1/s", "inf/s", "NaN/s", "x/s", "1/day"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }
}
