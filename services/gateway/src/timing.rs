//! `X-Response-Time`: how long the gateway took until its answer began.

use std::fmt::Write;

use axum::Router;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use tokio::time::Instant;
use tower::util::MapFutureLayer;

pub(crate) const RESPONSE_TIME: HeaderName = HeaderName::from_static("x-response-time");

/// Puts the header into every answer of the router.
pub(crate) fn timed(router: Router) -> Router {
    router.layer(MapFutureLayer::new(|answering| {
        let begun = Instant::now();
        async move { put(answering.await, begun) }
    }))
}

fn put<E>(answered: Result<Response, E>, begun: Instant) -> Result<Response, E> {
    answered.map(|mut response| {
        let micros = begun.elapsed().as_micros();
        let mut text = String::with_capacity(16);
        let _ = write!(text, "{}.{:03}ms", micros / 1_000, micros % 1_000);
        response.headers_mut().insert(RESPONSE_TIME, HeaderValue::try_from(text).expect("a number is a header value"));
        response
    })
}
