//! Who asks for a write, and how it is to be treated.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use service::auth::MaybeIdentity;
use service::http::{IdempotencyKey, RequestIds};
use service::{ApiError, ApiResult};
use utoipa::IntoParams;
use uuid::Uuid;

const PREFER: HeaderName = HeaderName::from_static("prefer");
/// The longest that a client may wait for a task.
const LONGEST_WAIT: u64 = 30;

/// Headers that every write understands.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only documents what the extractors read")]
pub(crate) struct WriteHeaders {
    /// Makes it safe to send the request again: the same key with the same request gets the first answer, without a
    /// second effect; with another request 422. Kept for 24 hours.
    #[param(rename = "Idempotency-Key", required = false, max_length = 255, example = "order-17-attempt-1")]
    idempotency_key: String,
    /// `wait=N` holds the answer until the task has ended, for at most N (30 at most) seconds.
    #[param(rename = "Prefer", required = false, example = "wait=5")]
    prefer: String,
    /// Echoed, and carried on by the message.
    #[param(rename = "X-Correlation-ID", required = false)]
    correlation_id: String,
}

/// Who asks for a write, and how it is to be treated.
#[derive(Debug)]
pub(crate) struct Caller {
    identity: MaybeIdentity,
    /// Whose the task will be.
    owner: Option<Uuid>,
    correlation_id: String,
    key: Option<String>,
    wait: Option<Duration>,
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let IdempotencyKey(key) = IdempotencyKey::from_request_parts(parts, state).await?;
        let Ok(ids) = RequestIds::from_request_parts(parts, state).await;
        let Ok(identity) = MaybeIdentity::from_request_parts(parts, state).await;
        let owner = identity.0.as_ref().map(|identity| identity.user_id);
        let correlation_id = ids.correlation_id().to_owned();
        Ok(Self { identity, owner, correlation_id, key, wait: wait(&parts.headers) })
    }
}

impl Caller {
    /// The producer itself.
    pub(crate) fn itself() -> Self {
        let correlation_id = Uuid::now_v7().to_string();
        Self { identity: MaybeIdentity(None), owner: None, correlation_id, key: None, wait: None }
    }

    /// The Idempotency-Key that was sent.
    pub(crate) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Where an operation's keys belong: each user has keys of their own.
    pub(crate) fn scope(&self, operation: &str) -> String {
        match &self.identity.0 {
            Some(identity) => format!("{operation} {}", identity.user_id),
            None => operation.to_owned(),
        }
    }

    /// Whose the task will be.
    pub(crate) fn owner(&self) -> Option<Uuid> {
        self.owner
    }

    /// The task is this user's if nothing is known of who asks.
    pub(crate) fn owned_by(self, user_id: Uuid) -> Self {
        Self { owner: self.owner.or(Some(user_id)), ..self }
    }

    /// 403 if what belongs to this user is none of the caller's business.
    pub(crate) fn may_act_for(&self, user_id: Uuid) -> ApiResult<()> {
        self.identity.may_act_for(user_id)
    }

    pub(crate) fn correlation_id(&self) -> &str {
        &self.correlation_id
    }

    /// How long the answer may wait for the task to end.
    pub(crate) fn wait(&self) -> Option<Duration> {
        self.wait
    }
}

/// RFC 7240: a preference that is not understood is no error, and of several the first counts.
fn wait(headers: &HeaderMap) -> Option<Duration> {
    let preferences = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    preferences.flat_map(|value| value.split(',')).find_map(|preference| {
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        let seconds: u64 = value.trim().trim_matches('"').parse().ok()?;
        name.trim().eq_ignore_ascii_case("wait").then(|| Duration::from_secs(seconds.min(LONGEST_WAIT)))
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
        wait(&headers).map(|wait| wait.as_secs())
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
