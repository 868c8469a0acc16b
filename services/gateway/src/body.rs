//! A request's body on its way to a service: a small one is read first, so that it can be sent again to another instance;
//! a large one is passed on as it comes.

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request};
use client::CallBody;
use service::ApiResult;
use service::http::RawBody;

/// Bodies up to this size are read first.
const SMALL: u64 = 64 * 1024;

/// Reads the body or leaves it to be streamed; `max` is the largest that is passed on.
pub(crate) async fn forwarded(body: Body, max: usize) -> ApiResult<CallBody> {
    if body.is_end_stream() {
        return Ok(CallBody::empty());
    }
    // One that says it is too large is not even begun with; reading it answers so.
    let is_read_first = |size: u64| size <= SMALL || size > max as u64;
    if !body.size_hint().exact().is_some_and(is_read_first) {
        return Ok(CallBody::Stream(body));
    }
    let RawBody(bytes) = RawBody::from_request(Request::new(body), &()).await?;
    Ok(CallBody::Whole(bytes))
}
