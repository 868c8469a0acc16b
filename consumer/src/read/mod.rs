//! The read side over HTTP.

pub mod everywhere;
pub mod messages;
pub mod records;
pub mod reindex;
pub mod search;
pub mod users;

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use client::Services;
use messaging::{Failure, FailureKind};
use serde::Deserialize;
use service::auth::{self, Verifier};
use service::http::{FieldError, Json};
use service::{ApiError, Health};
use utoipa::openapi::OpenApi as Document;
use utoipa::{IntoParams, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::stores::{NotUsed, Stores};

const DEFAULT_LIMIT: u32 = 100;

/// A store that is down is looked for again within seconds.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// What the routes work with.
#[derive(Clone, Debug)]
pub struct Reads {
    stores: Stores,
    services: Services,
    health: Health,
    verifier: Verifier,
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Warren consumer",
    description = "The read side: users, records and messages as they arrived in their stores."
))]
struct Info;

/// The routes of the read side, and their description.
pub fn router(stores: Stores, services: Services, health: Health, verifier: Verifier) -> (Router, Document) {
    let reads = Reads { stores, services, health, verifier: verifier.clone() };
    let (guarded, mut described) = OpenApiRouter::with_openapi(Info::openapi())
        .routes(routes!(users::list))
        .routes(routes!(users::get))
        .routes(routes!(everywhere::everywhere))
        .routes(routes!(records::get))
        .routes(routes!(messages::list))
        .routes(routes!(reindex::reindex))
        .with_state(reads.clone())
        .split_for_parts();
    auth::describe(&mut described);
    // Like /health, it is open to everybody; so are the products that are found.
    let open = OpenApiRouter::new().routes(routes!(root)).routes(routes!(search::search));
    let (open, open_described) = open.with_state(reads).split_for_parts();
    described.merge(open_described);
    (auth::guard(guarded, verifier).merge(open), described)
}

/// How the service and each of its dependencies are; the same as `/health`.
#[utoipa::path(get, path = "/", tag = "operation", responses(
    (status = 200, description = "Up, or degraded", body = service::health::HealthReport),
    (status = 503, description = "Down", body = service::health::HealthReport),
))]
async fn root(State(reads): State<Reads>) -> Response {
    let report = reads.health.report().await;
    let down = report.status == service::health::Status::Down;
    let code = if down { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (code, Json(report)).into_response()
}

/// Which part of a list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// How many at most; 100 if not given.
    #[param(minimum = 1)]
    limit: Option<u32>,
    /// Where to go on: `next` of the page before.
    after: Option<String>,
}

impl Page {
    fn limit(&self, max: u32) -> Result<u32, ApiError> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT.min(max));
        if (1..=max).contains(&limit) {
            return Ok(limit);
        }
        Err(ApiError::unprocessable([FieldError::new("limit", format!("must be from 1 to {max}"))]))
    }
}

impl From<NotUsed> for ApiError {
    fn from(not_used: NotUsed) -> Self {
        Self::unavailable(not_used.to_string(), RETRY_AFTER)
    }
}

/// What a failed read is answered with: a store that is down is 503, anything else is our fault.
pub(crate) fn failed(store: crate::stores::Store, failure: Failure) -> ApiError {
    let cause = anyhow::Error::msg(failure.reason);
    match failure.kind {
        FailureKind::Unavailable => {
            ApiError::unavailable(format!("{store} cannot be reached now"), RETRY_AFTER).because(cause)
        }
        _ => ApiError::internal(cause),
    }
}
