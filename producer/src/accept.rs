//! What all writes have in common: the headers they understand, and how they are answered.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use contracts::headers;
use messaging::{Message, Outgoing};
use serde::{Deserialize, Serialize};
use service::http::{FieldError, RequestIds};
use service::{ApiError, ApiResult};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::App;
use crate::idempotency::{Claim, IdempotencyKey};
use crate::lane::{Answer, Change, Lane, Write};
use crate::tasks::{Step, TaskState, location};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
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

/// The answer to a write.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Accepted {
    /// What was accepted, for people.
    #[schema(example = "the record will be inserted")]
    pub(crate) message: String,
    /// The task, by which the write can be followed; also the id of its message.
    pub(crate) task_id: Uuid,
    /// The user it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user_id: Option<Uuid>,
    /// The record it is about.
    #[serde(default, rename = "SRN", skip_serializing_if = "Option::is_none")]
    pub(crate) srn: Option<String>,
    /// How the task has ended, with `Prefer: wait=N`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<TaskState>,
    /// The same for each of its steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) steps: Option<Vec<Step>>,
}

impl Accepted {
    /// Something was accepted; the task is filled in later.
    pub(crate) fn new(message: &str) -> Self {
        let (message, task_id) = (message.to_owned(), Uuid::nil());
        Self { message, task_id, user_id: None, srn: None, state: None, steps: None }
    }

    /// It is about this user.
    pub(crate) fn user(self, id: Uuid) -> Self {
        Self { user_id: Some(id), ..self }
    }

    /// It is about this record.
    pub(crate) fn record(self, srn: &str) -> Self {
        Self { srn: Some(srn.to_owned()), ..self }
    }
}

/// How a client wants a write to be treated.
#[derive(Debug)]
pub(crate) struct Caller {
    ids: RequestIds,
    key: Option<String>,
    wait: Option<Duration>,
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let IdempotencyKey(key) = IdempotencyKey::from_request_parts(parts, state).await?;
        let ids = RequestIds::from_request_parts(parts, state).await.unwrap_or_else(|never: Infallible| match never {});
        Ok(Self { ids, key, wait: wait(&parts.headers) })
    }
}

impl Caller {
    /// The Idempotency-Key that was sent.
    pub(crate) fn key(&self) -> Option<&str> {
        self.key.as_deref()
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

/// A write as a handler describes it.
pub(crate) struct Wish<'a, C, R> {
    /// The change of the state.
    pub(crate) change: C,
    /// The message that tells of it.
    pub(crate) message: Outgoing,
    /// What it is about, for people.
    pub(crate) subject: String,
    /// The operation, for Idempotency-Key.
    pub(crate) operation: &'static str,
    /// What tells this request from another of the same operation.
    pub(crate) request: &'a R,
    /// The answer.
    pub(crate) answer: Accepted,
}

/// The envelope of a message whose body is known only when the change is made.
pub(crate) fn envelope<M: Message>() -> Outgoing {
    Outgoing::raw(M::EXCHANGE, M::ROUTING_KEY, M::ROUTING_KEY, &b"null"[..])
}

/// Has a write committed, and answers it.
pub(crate) async fn accept<C: Change, R: Serialize>(
    app: &App,
    lane: &Lane<C>,
    caller: Caller,
    wish: Wish<'_, C, R>,
) -> ApiResult<Response> {
    app.backlog.admit()?;
    let Wish { change, message, subject, operation, request, mut answer } = wish;
    let task_id = message.id;
    answer.task_id = task_id;
    let response = serde_json::to_string(&answer).map_err(ApiError::internal)?;
    let claim = caller.key.map(|key| Claim {
        scope: operation,
        key,
        request_hash: crate::idempotency::request_hash(request),
        response: response.clone(),
    });
    let message = message
        .with_header(headers::TASK_ID, task_id.to_string())
        .with_correlation_id(caller.ids.correlation_id())
        .with_current_trace();
    let (task_id, response): (Uuid, Arc<str>) = match lane.write(Write { change, message, subject, claim }).await? {
        Answer::Accepted => (task_id, response.into()),
        Answer::Repeated { task_id, response } => (task_id, response),
        Answer::KeyReused => {
            let detail = "was used for another request; a key belongs to one request";
            return Err(ApiError::unprocessable([FieldError::new("Idempotency-Key", detail)]));
        }
        Answer::Refused(refusal) => return Err(refusal.into()),
        Answer::Broken => {
            return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "the request holds what cannot be stored"));
        }
        Answer::Unavailable => {
            return Err(ApiError::unavailable(
                "the database does not answer; the write may have been made or not. Send it again, with the same \
                 Idempotency-Key if it had one",
                Duration::from_secs(1),
            ));
        }
    };
    match caller.wait {
        Some(wait) => wait_for_end(app, task_id, response, wait).await,
        None => Ok(respond(StatusCode::ACCEPTED, task_id, response.as_ref().to_owned())),
    }
}

async fn wait_for_end(app: &App, task_id: Uuid, response: Arc<str>, wait: Duration) -> ApiResult<Response> {
    // A producer that stops holds nobody up.
    let waiting = app.stop.run_until_cancelled(app.watch.end_of(task_id, wait));
    let Some(task) = waiting.await.flatten() else {
        return Ok(respond(StatusCode::ACCEPTED, task_id, response.as_ref().to_owned()));
    };
    let mut answer: Accepted = serde_json::from_str(&response).map_err(ApiError::internal)?;
    answer.state = Some(task.state());
    answer.steps = Some(task.into_steps());
    let answer = serde_json::to_string(&answer).map_err(ApiError::internal)?;
    let mut response = respond(StatusCode::OK, task_id, answer);
    if let Ok(applied) = HeaderValue::try_from(format!("wait={}", wait.as_secs())) {
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}

fn respond(status: StatusCode, task_id: Uuid, body: String) -> Response {
    let kind = HeaderValue::from_static("application/json");
    let place = HeaderValue::try_from(location(task_id)).expect("a UUID makes a valid header");
    (status, [(header::CONTENT_TYPE, kind), (header::LOCATION, place)], body).into_response()
}

#[cfg(test)]
mod tests {
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
