//! Answers that are told line by line, each line a JSON value.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};
use serde::Serialize;

/// The media type.
pub(crate) const LINES: &str = "application/x-ndjson";

/// An answer with these lines, which ends with them.
pub(crate) fn answer<T: Serialize>(lines: impl Stream<Item = T> + Send + 'static) -> Response {
    let body = Body::from_stream(lines.map(|line| Ok::<_, Infallible>(in_bytes(&line))));
    ([(CONTENT_TYPE, LINES)], body).into_response()
}

fn in_bytes(line: &impl Serialize) -> Bytes {
    let mut text = serde_json::to_vec(line).expect("names and numbers always have a JSON form");
    text.push(b'\n');
    text.into()
}
