//! What a handler returns when it cannot do what was asked.

use std::fmt;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::problem::{FieldError, Problem};

/// The result of a handler.
pub type ApiResult<T> = Result<T, ApiError>;

/// An answer that is a [`Problem`].
#[derive(Debug)]
pub struct ApiError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    detail: Option<String>,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
    header: Option<(HeaderName, &'static str)>,
    cause: Option<anyhow::Error>,
}

impl ApiError {
    /// A problem of any status, with what the client is to know about it.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            status,
            detail: Some(detail.into()),
            errors: Vec::new(),
            retry_after: None,
            header: None,
            cause: None,
        }))
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 401: who asks is not known; `challenge` is the answer's `WWW-Authenticate`.
    pub fn unauthorized(detail: impl Into<String>, challenge: &'static str) -> Self {
        let mut error = Self::new(StatusCode::UNAUTHORIZED, detail);
        error.0.header = Some((header::WWW_AUTHENTICATE, challenge));
        error
    }

    /// 403: who asks is known and may not.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// 404: there is no such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 408: the client was too slow.
    pub fn request_timeout(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, detail)
    }

    /// 409: the state of things does not allow it.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 412: what the client knew is no longer so.
    pub fn precondition_failed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, detail)
    }

    /// 413: the body is too large.
    pub fn payload_too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    /// 415: the body has a form that is not read.
    pub fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    /// 415: the body is compressed in a way that is not read; `accepted` are those that are.
    pub(super) fn unsupported_encoding(detail: &str, accepted: &'static str) -> Self {
        let mut error = Self::unsupported_media_type(detail);
        error.0.header = Some((header::ACCEPT_ENCODING, accepted));
        error
    }

    /// 422: the request was understood, and these fields are wrong.
    pub fn unprocessable(errors: impl IntoIterator<Item = FieldError>) -> Self {
        let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "the request has fields that are wrong");
        error.0.errors = errors.into_iter().collect();
        error
    }

    /// 500: our fault; the cause is logged and never sent.
    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong on our side; it has been logged")
            .because(cause)
    }

    /// 503: not now; the client may come back after this time.
    pub fn unavailable(detail: impl Into<String>, retry_after: Duration) -> Self {
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        error.0.retry_after = Some(retry_after);
        error
    }

    /// 504: who was asked in turn did not answer in time.
    pub fn gateway_timeout(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, detail)
    }

    /// Adds a cause, which is logged and never sent.
    pub fn because(mut self, cause: impl Into<anyhow::Error>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Logs the cause, if there is one: when the error is answered, and nowhere else.
    pub(crate) fn log_cause(&self) {
        let Some(error) = self.cause() else { return };
        if self.0.status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(error, "a request failed");
        } else {
            tracing::warn!(error, status = self.0.status.as_u16(), "a request could not be served");
        }
    }

    /// The cause with all of its own, for operators and without what is secret.
    pub(crate) fn cause(&self) -> Option<String> {
        self.0.cause.as_ref().map(|cause| crate::redact::redact(&format!("{cause:#}")))
    }

    /// What the client is told of it.
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The fields that are wrong.
    pub fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.status)?;
        if let Some(detail) = &self.0.detail {
            write!(f, ": {detail}")?;
        }
        Ok(())
    }
}

impl From<anyhow::Error> for ApiError {
    fn from(cause: anyhow::Error) -> Self {
        Self::internal(cause)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.log_cause();
        let Inner { status, detail, errors, retry_after, header: added, cause: _ } = *self.0;
        let mut response = Problem { detail, errors, ..Problem::new(status) }.into_response();
        if let Some(after) = retry_after {
            // Rounded up: a client that comes back early is refused again.
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some((name, value)) = added {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_never_sent() {
        let response = ApiError::internal(anyhow::anyhow!("password hunter2 refused")).into_response();
        let problem = response.extensions().get::<Problem>().unwrap();
        assert_eq!(problem.status, 500);
        assert!(!serde_json::to_string(problem).unwrap().contains("hunter2"));
    }

    #[test]
    fn retry_after_is_rounded_up() {
        let response = ApiError::unavailable("later", Duration::from_millis(1_200)).into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    }
}
