//! `grpc-timeout`: how long a caller waits.

use std::time::Duration;

use axum::http::HeaderMap;

use super::LONGEST_CALL;

/// The header.
pub const TIMEOUT: &str = "grpc-timeout";

/// How long a call may take: as long as its caller waits, but not longer than any call may.
pub(super) fn limit(headers: &HeaderMap) -> Duration {
    timeout(headers).map_or(LONGEST_CALL, |asked| asked.min(LONGEST_CALL))
}

/// How long the caller of a call waits, if that is said.
pub fn timeout(headers: &HeaderMap) -> Option<Duration> {
    parse(headers.get(TIMEOUT)?.to_str().ok()?)
}

/// At most eight digits and a unit, as gRPC writes it.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3_600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_has_digits_and_a_unit() {
        let millis = |text| parse(text).map(|timeout| timeout.as_millis());
        for (text, wanted) in [("2S", 2_000), ("250m", 250), ("1H", 3_600_000), ("3M", 180_000), ("5000u", 5)] {
            assert_eq!(millis(text), Some(wanted), "{text}");
        }
        assert_eq!(parse("7n"), Some(Duration::from_nanos(7)));
        for wrong in ["", "S", "2", "2s", "-2S", "+2S", "123456789S", "2 S", "é"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn nobody_waits_longer_than_the_longest_call() {
        let limit =
            |text: &'static str| limit(&HeaderMap::from_iter([(TIMEOUT.parse().unwrap(), text.parse().unwrap())]));
        assert_eq!((limit("1H"), limit("1S"), limit("soon")), (LONGEST_CALL, Duration::from_secs(1), LONGEST_CALL));
    }
}
