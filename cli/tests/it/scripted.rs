//! What a stub answers.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

/// An answer that is written down beforehand.
#[derive(Clone, Debug)]
pub(crate) struct Scripted {
    status: StatusCode,
    body: String,
    /// It does not end.
    is_open: bool,
}

impl Scripted {
    pub(crate) fn text(body: impl Into<String>) -> Self {
        Self { status: StatusCode::OK, body: body.into(), is_open: false }
    }

    pub(crate) fn json(body: &Value) -> Self {
        Self::text(body.to_string())
    }

    /// Server-sent events.
    pub(crate) fn events(events: &[Value]) -> Self {
        let event = |event: &Value| format!("event: task\ndata: {event}\n\n");
        Self::text(format!(": begins\n\n{}", events.iter().map(event).collect::<String>()))
    }

    /// A line of JSON for each.
    pub(crate) fn lines(lines: &[Value]) -> Self {
        Self::text(lines.iter().map(|line| format!("{line}\n")).collect::<String>())
    }

    pub(crate) fn problem(status: StatusCode, detail: &str) -> Self {
        Self { status, ..Self::json(&json!({ "status": status.as_u16(), "detail": detail })) }
    }

    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// The same, of which the end never comes.
    pub(crate) fn open(self) -> Self {
        Self { is_open: true, ..self }
    }
}

impl IntoResponse for Scripted {
    fn into_response(self) -> Response {
        let body = stream::iter([Ok::<_, Infallible>(self.body)]);
        let body =
            if self.is_open { Body::from_stream(body.chain(stream::pending())) } else { Body::from_stream(body) };
        (self.status, body).into_response()
    }
}
