//! HTTP as every Warren program serves it: problems as JSON, request ids, limits, health, API documents.

mod body;
mod connection;
mod detach;
mod error;
mod extract;
mod ids;
mod listen;
mod meters;
mod observe;
mod problem;
mod serve;

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::SwaggerUi;

pub use connection::Stopping;
pub use error::{ApiError, ApiResult};
pub use extract::{Json, JsonOrForm, Path, Query, RawBody};
pub use ids::RequestIds;
pub use listen::listen;
pub use problem::{FieldError, Problem};
pub use serve::{HttpLimits, serve};

use crate::Health;

/// What a request may ask for and how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct HttpSettings {
    /// The largest body that is read; more is answered with 413.
    pub body_limit: usize,
    /// How long a client may take to send its body; after it comes 408.
    pub body_timeout: Duration,
    /// How long a handler may take until its response begins; after it comes 503. What it streams may last.
    pub handler_timeout: Duration,
    /// How many abandoned handlers may still be finishing before new requests are refused with 503.
    pub max_abandoned: usize,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            body_limit: 1024 * 1024,
            body_timeout: Duration::from_secs(20),
            handler_timeout: Duration::from_secs(30),
            max_abandoned: 1_000,
        }
    }
}

/// A program's whole HTTP side: its own routes, health and metrics, and the API document with Swagger UI at `/api-docs`.
pub fn app(router: Router, health: Health, openapi: OpenApi) -> Router {
    app_with(router, health, openapi, HttpSettings::default())
}

/// The same as [`app`], with settings of its own.
pub fn app_with(router: Router, health: Health, mut openapi: OpenApi, settings: HttpSettings) -> Router {
    openapi.merge(crate::health::openapi());
    let documents = SwaggerUi::new("/api-docs").url("/api-docs/openapi.json", openapi);
    layers(router.merge(health.routes()).merge(documents), settings)
}

/// Wraps each route in what all requests have in common: ids, trace, log line, metrics, limits and problem answers.
pub fn layers(router: Router, settings: HttpSettings) -> Router {
    // `observe` limits every body, also for extractors that know nothing of axum's own limit.
    router.layer(observe::ObserveLayer::new(settings)).layer(DefaultBodyLimit::disable())
}
