//! Who asks for a write, and how it is to be treated.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use service::auth::MaybeIdentity;
use service::http::{IdempotencyKey, RequestIds, preferred_wait};
use service::{ApiError, ApiResult};
use utoipa::IntoParams;
use uuid::Uuid;

/// The longest that a client may wait for a task.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

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
        Ok(Self { identity, owner, correlation_id, key, wait: preferred_wait(&parts.headers, LONGEST_WAIT) })
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
