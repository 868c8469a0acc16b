//! What all writes have in common: how they are committed and answered.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use contracts::headers;
use messaging::{Message, Outgoing};
use serde::{Deserialize, Serialize};
use service::http::FieldError;
use service::{ApiError, ApiResult};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::caller::Caller;
use crate::idempotency::Claim;
use crate::lane::{Answer, Change, Lane, Write};
use crate::tasks::{Step, TaskState, location};

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

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
    /// Why it was undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

impl Accepted {
    /// Something was accepted; the task is filled in later.
    pub(crate) fn new(message: &str) -> Self {
        let (message, task_id) = (message.to_owned(), Uuid::nil());
        Self { message, task_id, user_id: None, srn: None, state: None, steps: None, reason: None }
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
    let owner = caller.owner();
    let claim = caller.key().map(|key| Claim {
        scope: caller.scope(operation),
        key: key.to_owned(),
        request_hash: crate::idempotency::request_hash(request),
        response: response.clone(),
    });
    let mut message = message
        .with_header(headers::TASK_ID, task_id.to_string())
        .with_correlation_id(caller.correlation_id())
        .with_current_trace();
    if let Some(key) = change.key() {
        message = message.with_key(key);
    }
    let (task_id, response): (Uuid, Arc<str>) =
        match lane.write(Write { change, message, subject, owner, claim }).await? {
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
    match caller.wait() {
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
    answer.reason = task.reason();
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
