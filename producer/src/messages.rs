//! Texts for the queue `tasks`.

use axum::extract::State;
use axum::response::Response;
use contracts::messages::StoreMessage;
use messaging::Outgoing;
use serde::Deserialize;
use service::http::{FieldError, Problem, Query};
use service::{ApiError, ApiResult};
use sqlx::postgres::PgConnection;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::accept::{Accepted, Wish, accept};
use crate::caller::{Caller, WriteHeaders};
use crate::lane::{Abort, Applied, Change, Verdict};

const DEFAULT_TEXT: &str = "Hello from Warren!";

/// The routes of messages.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(send_default)).routes(routes!(send))
}

/// A text leaves nothing behind on the write side but its task.
#[derive(Debug)]
pub(crate) struct NoChange;

impl Change for NoChange {
    const LANE: &'static str = "messages";

    async fn apply(_: &mut PgConnection, changes: &[&Self]) -> Result<Vec<Verdict>, Abort> {
        Ok(changes.iter().map(|_| Ok(Applied::default())).collect())
    }
}

/// What to send.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Text {
    /// The text, as long as the URL stays within 64 KiB; a default one if it is absent.
    msg: Option<String>,
}

/// Sends a default text to the queue `tasks`.
#[utoipa::path(get, path = "/", tag = "messages", params(WriteHeaders), responses(
    (status = 202, description = "Accepted: it will be stored", body = Accepted,
        headers(("Location" = String, description = "The task"))),
    (status = 200, description = "Ended in the time of `Prefer: wait=N`; `state` tells how", body = Accepted,
        headers(("Location" = String, description = "The task"), ("Preference-Applied" = String, description = "wait=N"))),
    (status = 422, description = "The Idempotency-Key is wrong, or was used for another request", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
async fn send_default(state: State<App>, caller: Caller) -> ApiResult<Response> {
    send(state, caller, Query(Text { msg: None })).await
}

/// Sends a text to the queue `tasks`.
#[utoipa::path(get, path = "/send", tag = "messages", params(Text, WriteHeaders), responses(
    (status = 202, description = "Accepted: it will be stored", body = Accepted,
        headers(("Location" = String, description = "The task"))),
    (status = 200, description = "Ended in the time of `Prefer: wait=N`; `state` tells how", body = Accepted,
        headers(("Location" = String, description = "The task"), ("Preference-Applied" = String, description = "wait=N"))),
    (status = 414, description = "The URL is longer than 64 KiB"),
    (status = 422, description = "The text holds U+0000", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
async fn send(State(app): State<App>, caller: Caller, Query(Text { msg }): Query<Text>) -> ApiResult<Response> {
    let message = msg.unwrap_or_else(|| DEFAULT_TEXT.to_owned());
    if message.contains('\0') {
        return Err(ApiError::unprocessable([FieldError::new("msg", "must not hold U+0000")]));
    }
    let command = StoreMessage { message };
    let wish = Wish {
        change: NoChange,
        message: Outgoing::new(&command),
        subject: "a text".to_owned(),
        operation: "GET /send",
        request: &command,
        answer: Accepted::new("the text will be stored"),
    };
    accept(&app, &app.messages, caller, wish).await
}
