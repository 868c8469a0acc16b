//! What every call says about itself: ids, who calls, and the trace it is a part of.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::TraceContextExt;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
const SERVICE_NAME: HeaderName = HeaderName::from_static("x-service-name");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Adds what is missing. Ids that are there stay.
pub(crate) fn complete(headers: &mut HeaderMap, caller: &HeaderValue) {
    if !headers.contains_key(REQUEST_ID) {
        headers.insert(REQUEST_ID, new_id());
    }
    if !headers.contains_key(CORRELATION_ID)
        && let Some(id) = headers.get(REQUEST_ID).cloned()
    {
        headers.insert(CORRELATION_ID, id);
    }
    headers.insert(SERVICE_NAME, caller.clone());
    if let Some(trace) = current_trace() {
        headers.insert(TRACEPARENT, trace);
    }
}

fn new_id() -> HeaderValue {
    let mut text = Uuid::encode_buffer();
    HeaderValue::from_str(Uuid::now_v7().hyphenated().encode_lower(&mut text)).expect("a UUID is a header value")
}

/// The trace of the current span, as W3C writes it; none without telemetry.
fn current_trace() -> Option<HeaderValue> {
    let context = Span::current().context();
    let span = context.span();
    let span = span.span_context();
    if !span.is_valid() {
        return None;
    }
    let trace = format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8());
    HeaderValue::try_from(trace).ok()
}
