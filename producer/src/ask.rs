//! Requests that a consumer answers, and what becomes of those that are not answered.

use std::time::Duration;

use axum::http::StatusCode;
use messaging::{Message, RequestError, Requester};
use serde::de::DeserializeOwned;
use service::{ApiError, ApiResult};

/// Sends a request and awaits its answer.
pub(crate) async fn ask<Q: Message, A: DeserializeOwned>(
    requester: &Requester,
    request: &Q,
    within: Duration,
) -> ApiResult<A> {
    requester.request(request, within).await.map_err(|error| problem(error, within))
}

fn problem(error: RequestError, within: Duration) -> ApiError {
    let again = Duration::from_secs(1);
    let seconds = within.as_secs_f64();
    match error {
        RequestError::Unavailable(cause) => {
            ApiError::unavailable("the broker is not reachable", again).because(anyhow::Error::msg(cause))
        }
        RequestError::Unroutable => ApiError::unavailable("the broker has no queue for this request", again),
        RequestError::Busy => ApiError::unavailable("too many requests are waiting for an answer", again),
        RequestError::Timeout { taken: true } => ApiError::gateway_timeout(format!(
            "the broker took the request, but no consumer answered within {seconds} s"
        )),
        RequestError::Timeout { taken: false } => {
            ApiError::gateway_timeout(format!("neither the broker nor a consumer answered within {seconds} s"))
        }
        // What the consumer says of its own inside is for the log.
        RequestError::Failed(cause) => {
            ApiError::new(StatusCode::BAD_GATEWAY, "the consumer could not answer").because(anyhow::Error::msg(cause))
        }
    }
}
