//! The log line and the metrics of a call, once.

use std::time::Instant;

use axum::http::HeaderMap;
use tonic::{Code, Status};
use tracing::Span;

pub(super) struct Record {
    started: Instant,
    /// `package.Service/Method`.
    method: String,
    span: Span,
    finished: bool,
}

impl Record {
    pub(super) fn new(method: String, span: Span) -> Self {
        Self { started: Instant::now(), method, span, finished: false }
    }

    /// The call has ended with the status in these headers or trailers, if there is one.
    pub(super) fn finish_with(&mut self, headers: &HeaderMap) {
        if let Some(code) = headers.get(Status::GRPC_STATUS) {
            self.finish(Code::from_bytes(code.as_bytes()));
        }
    }

    pub(super) fn finish(&mut self, code: Code) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        let (took, name) = (self.started.elapsed(), name(code));
        // A caller may invent methods, and each would be a metric of its own.
        let method = if code == Code::Unimplemented { "unmatched" } else { &self.method };
        metrics::counter!("grpc_requests_total", "method" => method.to_owned(), "code" => name).increment(1);
        metrics::histogram!("grpc_request_seconds", "method" => method.to_owned()).record(took);

        let (method, ms) = (&self.method, took.as_micros() as f64 / 1_000.0);
        self.span.in_scope(|| match code {
            Code::Internal | Code::Unknown | Code::DataLoss | Code::Unavailable | Code::DeadlineExceeded => {
                tracing::warn!(target: "grpc", method, code = name, ms, "answered");
            }
            _ if is_quiet(method) => tracing::debug!(target: "grpc", method, code = name, ms, "answered"),
            _ => tracing::info!(target: "grpc", method, code = name, ms, "answered"),
        });
    }
}

impl Drop for Record {
    /// Nobody waited for the end.
    fn drop(&mut self) {
        self.finish(Code::Cancelled);
    }
}

/// Whether a call is one of the many that only ask how the process is, or what it offers.
pub(super) fn is_quiet(method: &str) -> bool {
    method.starts_with("grpc.")
}

/// A code's name, as gRPC writes it.
pub(super) fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
