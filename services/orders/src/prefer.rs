//! `Prefer: wait=N` (RFC 7240): a client that would rather have the end than an answer at once.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use service::http::preferred_wait;
use utoipa::IntoParams;

/// Less than a handler may take.
const LONGEST: Duration = Duration::from_secs(25);

/// What [`Wait`] reads, for descriptions.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only documents what the extractor reads")]
pub(crate) struct PreferHeader {
    /// `wait=N` holds the answer until the order has ended, for at most N (25 at most) seconds.
    #[param(rename = "Prefer", required = false, example = "wait=5")]
    prefer: String,
}

/// How long the answer may wait; as an extractor it never fails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait(pub(crate) Option<Duration>);

impl<S: Sync> FromRequestParts<S> for Wait {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(preferred_wait(&parts.headers, LONGEST)))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};
    use service::http::PREFER;

    use super::*;

    #[test]
    fn a_wait_is_found_among_other_preferences_and_has_a_limit() {
        let seconds = |value: &'static str| {
            let headers = HeaderMap::from_iter([(PREFER, HeaderValue::from_static(value))]);
            preferred_wait(&headers, LONGEST).map(|wait| wait.as_secs())
        };
        assert_eq!((seconds("wait=5"), seconds("respond-async, WAIT = \"7\"; x=1")), (Some(5), Some(7)));
        assert_eq!((seconds("wait=600"), seconds("wait"), seconds("wait=soon")), (Some(LONGEST.as_secs()), None, None));
    }
}
