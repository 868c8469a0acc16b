//! Between the errors of HTTP and the statuses of gRPC, so that both sides of a program share their code.

use std::time::Duration;

use axum::http::StatusCode;
use tonic::{Code, Status};

use crate::ApiError;

/// The status that says the same. The cause is logged and never sent.
impl From<ApiError> for Status {
    fn from(error: ApiError) -> Self {
        error.log_cause();
        let code = match error.status() {
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Code::InvalidArgument,
            StatusCode::UNAUTHORIZED => Code::Unauthenticated,
            StatusCode::FORBIDDEN => Code::PermissionDenied,
            StatusCode::NOT_FOUND => Code::NotFound,
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => Code::FailedPrecondition,
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS => Code::ResourceExhausted,
            StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
            StatusCode::GATEWAY_TIMEOUT => Code::DeadlineExceeded,
            _ => Code::Internal,
        };
        let mut message = error.detail().unwrap_or_default().to_owned();
        for field in error.errors() {
            message.push_str(&format!("; `{}` {}", field.field, field.detail));
        }
        Self::new(code, message)
    }
}

/// What a program answers whose call to another one ended like this and has no meaning of its own: 503 if that may pass, or else
/// 500, as it is a bug.
impl From<Status> for ApiError {
    fn from(status: Status) -> Self {
        let cause = anyhow::anyhow!("{}: {}", super::record::name(status.code()), status.message());
        match status.code() {
            Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Cancelled | Code::Aborted => {
                Self::unavailable("another service does not answer", Duration::from_secs(1)).because(cause)
            }
            _ => Self::internal(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::FieldError;

    #[test]
    fn fields_are_named_and_causes_are_not() {
        let status = Status::from(ApiError::unprocessable([FieldError::new("limit", "must be positive")]));
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().ends_with("; `limit` must be positive"), "{status}");
        let status = Status::from(ApiError::internal(anyhow::anyhow!("hunter2")));
        assert_eq!(status.code(), Code::Internal);
        assert!(!status.to_string().contains("hunter2"));
    }

    #[test]
    fn only_what_may_pass_is_worth_trying_again() {
        assert_eq!(ApiError::from(Status::unavailable("x")).status(), 503);
        assert_eq!(ApiError::from(Status::deadline_exceeded("x")).status(), 503);
        assert_eq!(ApiError::from(Status::unimplemented("x")).status(), 500);
    }
}
