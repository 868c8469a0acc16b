//! The log line and the metrics of one request, written exactly once, also if the client leaves early.

use std::time::Instant;

use axum::extract::MatchedPath;
use axum::http::StatusCode;
use tracing::Span;

use super::Meters;

/// Used by others too for a client that closed its connection; never sent.
const CLIENT_LEFT: u16 = 499;

pub(super) struct Record {
    started: Instant,
    method: &'static str,
    route: Option<MatchedPath>,
    span: Span,
    meters: Meters,
    finished: bool,
}

impl Record {
    pub(super) fn new(method: &'static str, route: Option<MatchedPath>, span: Span, meters: Meters) -> Self {
        Self { started: Instant::now(), method, route, span, meters, finished: false }
    }

    /// Whether this request is one of the many that only ask how the process is.
    pub(super) fn is_quiet(&self) -> bool {
        is_quiet(self.route.as_ref())
    }

    pub(super) fn finish(&mut self, status: StatusCode, is_routine: bool) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        let took = self.started.elapsed();
        let route = self.route.as_ref().map_or("unmatched", MatchedPath::as_str);
        self.meters.record(self.method, route, status, took);

        let (method, code) = (self.method, status.as_u16());
        let ms = took.as_micros() as f64 / 1_000.0;
        self.span.in_scope(|| {
            if status.is_server_error() {
                tracing::warn!(target: "http", method, route, status = code, ms, "answered");
            } else if is_routine || self.is_quiet() {
                tracing::debug!(target: "http", method, route, status = code, ms, "answered");
            } else {
                tracing::info!(target: "http", method, route, status = code, ms, "answered");
            }
        });
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.finish(StatusCode::from_u16(CLIENT_LEFT).unwrap_or(StatusCode::BAD_REQUEST), false);
    }
}

pub(super) fn is_quiet(route: Option<&MatchedPath>) -> bool {
    route.is_some_and(|route| {
        let route = route.as_str();
        crate::health::ROUTES.contains(&route) || route.starts_with("/api-docs")
    })
}
