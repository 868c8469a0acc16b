//! HTTP as every Warren program serves it: problems as JSON, request ids, limits, health, API documents.

mod access;
mod body;
pub(crate) mod connection;
pub(crate) mod detach;
mod error;
mod event;
mod extract;
mod idempotency;
pub(crate) mod ids;
mod listen;
mod meters;
pub(crate) mod observe;
mod page;
mod precondition;
mod prefer;
mod problem;
mod serve;
mod strict;
mod upgrade;

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::SwaggerUi;

pub use access::{Access, Routine};
pub use connection::Stopping;
pub use error::{ApiError, ApiResult};
pub use event::StreamEvent;
pub use extract::{Json, JsonOrForm, Path, Query, RawBody};
pub use idempotency::IdempotencyKey;
pub use ids::RequestIds;
pub use listen::{listen, listen_as};
pub use page::{Limit, Page};
pub use precondition::{IfMatch, Precondition, etag};
pub use prefer::{PREFER, preferred_wait};
pub use problem::{FieldError, Problem};
pub use serve::{HttpLimits, serve};
pub use upgrade::Upgrade;

use crate::Health;

/// What a request may ask for and how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct HttpSettings {
    /// The largest body that is read, as it was sent and as it is when decompressed; more is answered with 413.
    pub body_limit: usize,
    /// How long a client may take to send its whole body; after it comes 408. `None` for bodies of any length, which
    /// only `body_stall` limits.
    pub body_timeout: Option<Duration>,
    /// How long a client may send nothing of a body that is waited for; after it comes 408.
    pub body_stall: Duration,
    /// Whether bodies are decompressed (gzip, deflate, br, zstd). Where they are not, they are read as they were sent.
    pub decompress: bool,
    /// How long a handler may take until its response begins; after it comes 503. What it streams may last.
    pub handler_timeout: Duration,
    /// Whether a handler is finished when its client has left or its time is over. Otherwise it is dropped.
    pub finish_abandoned: bool,
    /// How many abandoned handlers may still be finishing before new requests are refused with 503.
    pub max_abandoned: usize,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            body_limit: 1024 * 1024,
            body_timeout: Some(Duration::from_secs(20)),
            body_stall: Duration::from_secs(20),
            decompress: true,
            handler_timeout: Duration::from_secs(30),
            finish_abandoned: true,
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
