//! Units of OAM, as numbers of Nomad's.

use std::time::Duration;

/// An amount of CPU in MHz: a core counts as 1,000 MHz, so that `500m` (half a core, in the unit of
/// OAM and Kubernetes) is 500 MHz.
pub fn mhz(text: &str) -> Option<u64> {
    let value = match text.strip_suffix('m') {
        Some(milli) => milli.parse().ok()?,
        None => decimal(text, 1000)?,
    };
    (value > 0).then_some(value)
}

/// An amount of memory in MiB, which is what Nomad calls MB. Amounts that are no whole number of
/// MiB are rounded up.
pub fn mib(text: &str) -> Option<u64> {
    let (number, bytes) = [
        ("Ki", 1u64 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
    ]
    .into_iter()
    .find_map(|(suffix, bytes)| Some((text.strip_suffix(suffix)?, bytes)))?;
    let value = decimal(number, bytes)?.div_ceil(1 << 20);
    (value > 0).then_some(value)
}

/// Digits with at most nine decimals, times a unit.
fn decimal(text: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    let value = whole.parse::<u128>().ok()?.checked_mul(scale)? + fraction.parse::<u128>().ok()?;
    let value = value.checked_mul(u128::from(unit))?.div_ceil(scale);
    u64::try_from(value).ok()
}

/// A duration such as `30s`, `1m30s` or `500ms`.
pub fn duration(text: &str) -> Option<Duration> {
    let duration = humantime::parse_duration(text).ok()?;
    (!text.contains(' ') && duration.as_nanos() <= i64::MAX as u128).then_some(duration)
}

/// A duration in nanoseconds, as Nomad's JSON has it.
pub fn nanoseconds(text: &str) -> Option<i64> {
    i64::try_from(duration(text)?.as_nanos()).ok()
}

/// Nanoseconds as text that reads back.
pub fn from_nanoseconds(value: u64) -> String {
    humantime::format_duration(Duration::from_nanos(value))
        .to_string()
        .replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu() {
        for (text, want) in [
            ("500m", Some(500)),
            ("1", Some(1000)),
            ("0.25", Some(250)),
            ("2.5", Some(2500)),
            ("0", None),
            ("0m", None),
            ("-1", None),
            ("500Mi", None),
            ("1.m", None),
            ("m", None),
            ("", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(mhz(text), want, "{text}");
        }
    }

    #[test]
    fn memory() {
        for (text, want) in [
            ("256Mi", Some(256)),
            ("1Gi", Some(1024)),
            ("1.5Gi", Some(1536)),
            ("512Ki", Some(1)),
            ("100M", Some(96)),
            ("256", None),
            ("256MB", None),
            ("256mi", None),
            ("0Mi", None),
            ("Mi", None),
            ("99999999999999999999Ti", None),
        ] {
            assert_eq!(mib(text), want, "{text}");
        }
    }

    #[test]
    fn durations_read_back() {
        for text in ["30s", "1m30s", "500ms", "2h", "1day"] {
            let nanos = nanoseconds(text).unwrap_or_default();
            let written = from_nanoseconds(nanos.unsigned_abs());
            assert_eq!(nanoseconds(&written), Some(nanos), "{text} {written}");
        }
        for text in ["", "30", "x", "1 m", "-1s", "99999999999h"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
