//! The span of a request, as the child of the span its client named in `traceparent`.

use axum::extract::{MatchedPath, Request};
use axum::http::HeaderMap;
use opentelemetry::propagation::Extractor;
use opentelemetry::{Context, global};
use tracing::field::Empty;
use tracing::{Span, debug_span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::RequestIds;
use super::record::is_quiet;

pub(super) fn span(request: &Request, method: &'static str, route: Option<&MatchedPath>, ids: &RequestIds) -> Span {
    let request_id = ids.request_id();
    if is_quiet(route) {
        return debug_span!("request", request_id);
    }
    // Left out where it would only say the same again.
    let correlation_id = (ids.correlation != ids.request).then(|| ids.correlation_id());
    let name = route.map_or(method, MatchedPath::as_str);
    let span = info_span!(
        "request",
        request_id,
        correlation_id,
        // Added by `Access`; left out of the line otherwise.
        client = Empty,
        path = Empty,
        upstream = Empty,
        user_id = Empty,
        otel.name = name,
        otel.kind = "server"
    );
    join(&span, request.headers());
    span
}

/// Makes a span the child of the one that is named in headers, if one is.
pub(crate) fn join(span: &Span, headers: &HeaderMap) {
    if headers.contains_key("traceparent") {
        let parent = global::get_text_map_propagator(|propagator| {
            propagator.extract_with_context(&Context::new(), &Headers(headers))
        });
        // Without telemetry, as in tests, there is no trace to be part of.
        let _ = span.set_parent(parent);
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(axum::http::HeaderName::as_str).collect()
    }
}
