//! Is a consumer there? Asked by request and reply through the broker.

use std::time::{Duration, Instant};

use axum::extract::State;
use contracts::messages::{HealthAnswer, HealthCheck};
use garde::Validate;
use serde::{Deserialize, Serialize};
use service::ApiResult;
use service::http::{Json, Problem, Query};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::ask::ask;
use crate::valid::{self, required, valid};

/// How long a consumer has to answer.
const WITHIN: Duration = Duration::from_secs(2);

/// The route of health checks.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(health_check))
}

/// What is sent.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct Said {
    /// Any text of 1 to 200 characters; it comes back.
    #[garde(custom(required(valid::name)))]
    #[param(required = true, example = "hello")]
    message: Option<String>,
}

/// Who answered.
#[derive(Debug, Serialize, ToSchema)]
struct Answered {
    /// The text that was sent.
    message: String,
    /// The consumer that answered.
    acknowledged_by: String,
    /// How long it took, there and back.
    round_trip_ms: f64,
}

/// Asks for a sign of life from a consumer, through the broker.
#[utoipa::path(get, path = "/health_check", tag = "messages", params(Said), responses(
    (status = 200, description = "A consumer answered", body = Answered),
    (status = 422, description = "There is no message", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 502, description = "The consumer could not answer", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "The broker is not reachable", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 504, description = "The broker took the request, but no consumer answered within 2 s", body = Problem,
        content_type = Problem::MEDIA_TYPE),
))]
async fn health_check(State(app): State<App>, Query(said): Query<Said>) -> ApiResult<Json<Answered>> {
    let message = valid(said)?.message.unwrap_or_default();
    let begun = Instant::now();
    let HealthAnswer { message, acknowledged_by } = ask(&app.requester, &HealthCheck { message }, WITHIN).await?;
    let round_trip_ms = begun.elapsed().as_micros() as f64 / 1_000.0;
    Ok(Json(Answered { message, acknowledged_by, round_trip_ms }))
}
