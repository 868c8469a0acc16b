//! `Prefer: wait=N` (RFC 7240): a client that would rather have the end than an answer at once.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};

/// The header.
pub const PREFER: HeaderName = HeaderName::from_static("prefer");

/// How long a client would wait, `longest` at most. A preference that is not understood is no error, and of several the first
/// counts.
pub fn preferred_wait(headers: &HeaderMap, longest: Duration) -> Option<Duration> {
    let preferences = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    preferences.flat_map(|value| value.split(',')).find_map(|preference| {
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        let seconds: u64 = value.trim().trim_matches('"').parse().ok()?;
        name.trim().eq_ignore_ascii_case("wait").then(|| Duration::from_secs(seconds).min(longest))
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn waits(values: &[&'static str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(PREFER, HeaderValue::from_static(value));
        }
        preferred_wait(&headers, Duration::from_secs(30)).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_wait_is_found_among_other_preferences_and_has_a_limit() {
        assert_eq!(waits(&["wait=5"]), Some(5));
        assert_eq!(waits(&["respond-async, WAIT = 7; x=1", "wait=9"]), Some(7));
        assert_eq!(waits(&["return=minimal", "wait=\"3\""]), Some(3));
        assert_eq!(waits(&["wait=600"]), Some(30));
    }

    #[test]
    fn a_preference_that_is_not_understood_is_ignored() {
        for value in ["wait", "wait=", "wait=-1", "wait=soon", "patience=5", ""] {
            assert_eq!(waits(&[value]), None, "{value}");
        }
    }
}
