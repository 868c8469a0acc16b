//! Passing a request on to a service, and its answer back, as they come.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use client::{Call, CallError};
use futures_util::StreamExt;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{StatusCode, Version};
use service::http::{Access, RequestIds, preferred_wait};
use service::{ApiError, ApiResult};

use crate::admit::{Admitted, admit};
use crate::app::App;
use crate::routes::Family;
use crate::{body, headers, location, path, tunnel};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest that a service waits before it answers because a client prefers so.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Lets a request of a family in, and passes it on.
pub(crate) async fn proxy(app: App, family: &'static Family, request: Request) -> Response {
    admit(&app, family.token, request, |parts, body, admitted| forward(&app, family, parts, body, admitted)).await
}

async fn forward(app: &App, family: &Family, parts: Parts, body: Body, admitted: Admitted) -> ApiResult<Response> {
    let path = parts.uri.path();
    if !path::is_unambiguous(path) {
        return Err(ApiError::bad_request(
            "the path has empty segments, steps such as `..`, encoded slashes or escapes that are none",
        ));
    }
    let service = family.service(&parts.method, path.get(family.public.len()..).unwrap_or_default());
    let uri = path::rewritten(&parts.uri, family.public, family.upstream)
        .map_err(|_| ApiError::bad_request("the path is too long"))?;
    let (mut parts, upgrade) = tunnel::wanted(parts);
    let timeout = preferred_wait(&parts.headers, LONGEST_WAIT).map(|wait| app.call_timeout + wait);
    let repeatable = parts.headers.contains_key(IDEMPOTENCY_KEY);
    headers::request(&mut parts.headers, &parts.uri, &admitted.peer, admitted.identity.as_ref());
    if let Some(ids) = parts.extensions.get::<RequestIds>() {
        put(&mut parts.headers, REQUEST_ID, ids.request_id());
        put(&mut parts.headers, CORRELATION_ID, ids.correlation_id());
    }
    if upgrade.is_some() {
        tunnel::put_headers(&mut parts.headers);
    }
    parts.uri = uri;
    parts.version = Version::HTTP_11;
    let access = parts.extensions.remove::<Access>();
    parts.extensions.clear();

    let request = http::Request::from_parts(parts, body::forwarded(body, app.max_body).await?);
    let answer = app.services.send(service, Call { request, timeout, repeatable }).await.map_err(refused)?;
    if let Some(access) = access {
        access.upstream(&answer.instance);
    }
    let mut response = answer.response;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return tunnel::open(response, upgrade);
    }
    headers::response(response.headers_mut());
    location::rewrite(response.headers_mut(), service, &answer.address);
    Ok(if is_endless(response.headers()) { ending_with(app, response) } else { response })
}

/// A client's id that is not harmless was replaced.
fn put(headers: &mut HeaderMap, name: HeaderName, id: &str) {
    if headers.get(&name).is_none_or(|sent| sent != id)
        && let Ok(id) = HeaderValue::from_str(id)
    {
        headers.insert(name, id);
    }
}

/// Why a service could not be asked, for the client.
pub(crate) fn refused(error: CallError) -> ApiError {
    let detail = error.to_string();
    match &error {
        CallError::RequestBody(error) => ApiError::of_body(error),
        CallError::TimedOut { .. } => ApiError::gateway_timeout(detail),
        _ => match error.retry_after() {
            Some(retry_after) => ApiError::unavailable(detail, retry_after),
            None => ApiError::new(StatusCode::BAD_GATEWAY, detail),
        },
    }
}

/// Server-sent events have no end of their own.
fn is_endless(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// Ends a stream in order when the gateway is told to stop, so that the client connects anew, elsewhere.
fn ending_with(app: &App, response: Response) -> Response {
    let stop = app.stop.clone();
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(stop.cancelled_owned())))
}

#[cfg(test)]
mod tests {
    use service::http::PREFER;

    use super::*;

    #[test]
    fn a_wait_is_found_among_other_preferences_and_bounded() {
        for (values, expected) in [
            (&[][..], None),
            (&["respond-async"], None),
            (&["wait=10"], Some(10)),
            (&["respond-async, Wait = 5"], Some(5)),
            (&["return=minimal", "wait=\"7\""], Some(7)),
            (&["wait=86400"], Some(LONGEST_WAIT.as_secs())),
            (&["wait=-1"], None),
            (&["wait=soon"], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(PREFER, HeaderValue::from_static(value));
            }
            assert_eq!(preferred_wait(&headers, LONGEST_WAIT), expected.map(Duration::from_secs), "{values:?}");
        }
    }
}
