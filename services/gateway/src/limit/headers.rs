//! What tells a client of its limit: the `RateLimit` headers.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Policy, Standing};

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Those that are the same for everybody are made once.
#[derive(Debug)]
pub(crate) struct PolicyHeaders {
    limit: HeaderValue,
    policy: HeaderValue,
}

impl PolicyHeaders {
    pub(super) fn new(policy: Policy) -> Self {
        let text = format!("{};w={}", policy.limit, whole_seconds(policy.window));
        let text = HeaderValue::try_from(text).expect("numbers make a header value");
        Self { limit: policy.limit.into(), policy: text }
    }

    /// Puts them into an answer, in place of any that a service gave.
    pub(crate) fn put(&self, headers: &mut HeaderMap, standing: &Standing) {
        headers.insert(LIMIT, self.limit.clone());
        headers.insert(REMAINING, standing.remaining.into());
        headers.insert(RESET, whole_seconds(standing.reset).into());
        headers.insert(POLICY, self.policy.clone());
    }
}

/// Rounded up: who comes back a moment early is refused again.
pub(crate) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
