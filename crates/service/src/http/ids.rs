//! Request and correlation ids: taken from the client if they are harmless, made otherwise, echoed and passed on.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(super) const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// Longer ids are replaced.
const MAX_LENGTH: usize = 128;

/// The ids of a request, for handlers that send something on.
#[derive(Clone, Debug)]
pub struct RequestIds {
    pub(crate) request: HeaderValue,
    pub(crate) correlation: HeaderValue,
}

impl RequestIds {
    /// This request's own id.
    pub fn request_id(&self) -> &str {
        text(&self.request)
    }

    /// The id of the work this request belongs to; the request's own if the client named none.
    pub fn correlation_id(&self) -> &str {
        text(&self.correlation)
    }

    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let request = accepted(headers, &REQUEST_ID).unwrap_or_else(new_id);
        let correlation = accepted(headers, &CORRELATION_ID).unwrap_or_else(|| request.clone());
        Self { request, correlation }
    }
}

impl<S: Sync> FromRequestParts<S> for RequestIds {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_else(|| Self::of(&parts.headers)))
    }
}

fn text(id: &HeaderValue) -> &str {
    id.to_str().expect("ids have only letters, digits and a few signs")
}

/// The client's id, if there is exactly one and it can be put into headers, logs and messages as it is.
fn accepted(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let id = values.next().filter(|id| is_harmless(id.as_bytes()))?;
    values.next().is_none().then(|| id.clone())
}

fn is_harmless(id: &[u8]) -> bool {
    (1..=MAX_LENGTH).contains(&id.len()) && id.iter().all(|c| c.is_ascii_alphanumeric() || b"-_.:".contains(c))
}

fn new_id() -> HeaderValue {
    let mut text = Uuid::encode_buffer();
    HeaderValue::from_str(Uuid::now_v7().hyphenated().encode_lower(&mut text)).expect("a UUID is a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(request: &[&str], correlation: &[&str]) -> RequestIds {
        let mut headers = HeaderMap::new();
        for id in request {
            headers.append(REQUEST_ID, HeaderValue::from_str(id).unwrap());
        }
        for id in correlation {
            headers.append(CORRELATION_ID, HeaderValue::from_str(id).unwrap());
        }
        RequestIds::of(&headers)
    }

    #[test]
    fn a_harmless_id_is_kept() {
        let ids = ids(&["Job-7_a.b:c"], &["batch-1"]);
        assert_eq!((ids.request_id(), ids.correlation_id()), ("Job-7_a.b:c", "batch-1"));
    }

    #[test]
    fn the_correlation_id_is_the_request_id_if_there_is_none() {
        let ids = ids(&["r"], &[]);
        assert_eq!(ids.correlation_id(), "r");
    }

    #[test]
    fn any_other_id_is_replaced_by_a_time_ordered_uuid() {
        let long = "x".repeat(129);
        for wrong in [&[][..], &[""], &["a b"], &["<x>"], &["é"], &[long.as_str()], &["a", "b"]] {
            let ids = ids(wrong, &[]);
            let id: Uuid = ids.request_id().parse().unwrap();
            assert_eq!(id.get_version_num(), 7, "{wrong:?}");
        }
        assert_eq!(ids(&[&"x".repeat(128)], &[]).request_id().len(), 128);
    }
}
