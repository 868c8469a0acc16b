//! What an error means for a message whose handler met it.

use axum::http::StatusCode;
use messaging::Failure;

use crate::ApiError;

/// A store that is away is not the message's fault. The cause is a part of the reason, which is logged with what becomes of the
/// message.
impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let reason = match error.cause() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        if error.status() == StatusCode::SERVICE_UNAVAILABLE { Self::unavailable(reason) } else { Self::retry(reason) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use messaging::FailureKind;

    use super::*;

    #[test]
    fn the_cause_is_told_to_operators_without_what_is_secret() {
        let cause = || anyhow::anyhow!("no such table").context("asking mongodb://user:hunter2@db");
        let failure = Failure::from(ApiError::internal(cause()));
        assert_eq!(failure.kind, FailureKind::Retry);
        assert!(failure.reason.ends_with(": asking mongodb://***@db: no such table"), "{failure}");
        let away =
            Failure::from(ApiError::unavailable("the database is away", Duration::from_secs(1)).because(cause()));
        assert_eq!(away.kind, FailureKind::Unavailable);
        assert!(away.reason.ends_with("the database is away: asking mongodb://***@db: no such table"), "{away}");
        assert_eq!(Failure::from(ApiError::not_found("no such order")).reason, "404 Not Found: no such order");
    }
}
