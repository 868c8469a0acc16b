//! `/health`, `/live`, `/ready`, `/status` and `/metrics`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::{Health, HealthReport, Status};
use crate::http::{Json, Stopping};

/// Asked so often that they are logged at `debug` only.
pub(crate) const ROUTES: [&str; 5] = ["/health", "/live", "/ready", "/status", "/metrics"];

#[derive(OpenApi)]
#[openapi(paths(health, live, ready, status, metrics))]
struct Document;

pub(crate) fn openapi() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// Whether the process can be sent requests.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// `ready` or `not ready`.
    status: &'static str,
    /// What is waited for, by condition.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    reasons: BTreeMap<&'static str, String>,
}

/// What runs, and for how long.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Running {
    /// The name of the service.
    service: &'static str,
    /// `up` or, once it was told to stop, `stopping`.
    status: &'static str,
    /// Its version.
    version: &'static str,
    /// Seconds since it was started.
    uptime_seconds: u64,
    /// What else this service tells of itself.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    details: BTreeMap<&'static str, serde_json::Value>,
}

impl Health {
    pub(crate) fn routes(self) -> Router {
        Router::new()
            .route("/health", get(health))
            .route("/live", get(live))
            .route("/ready", get(ready))
            .route("/status", get(status))
            .route("/metrics", get(metrics))
            .with_state(Arc::new(self))
    }
}

/// How the service and each of its dependencies are.
#[utoipa::path(get, path = "/health", tag = "operation", responses(
    (status = 200, description = "Up, or degraded: something is missing that can be done without", body = HealthReport),
    (status = 503, description = "Down: something is missing that cannot be done without", body = HealthReport),
))]
async fn health(State(health): State<Arc<Health>>) -> Response {
    let report = health.report().await;
    let code = if report.status == Status::Down { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (code, Json(report)).into_response()
}

/// Whether the process is alive at all.
#[utoipa::path(get, path = "/live", tag = "operation", responses((status = 200, description = "It is")))]
async fn live() -> Response {
    Json(serde_json::json!({ "status": "live" })).into_response()
}

/// Whether the service can be sent requests now.
#[utoipa::path(get, path = "/ready", tag = "operation", responses(
    (status = 200, description = "It can", body = Readiness),
    (status = 503, description = "It cannot, for these reasons", body = Readiness),
))]
async fn ready(State(health): State<Arc<Health>>, Stopping(stop): Stopping) -> Response {
    let mut reasons: BTreeMap<_, _> = health.not_ready().into_iter().collect();
    if stop.is_cancelled() {
        reasons.insert("stopping", "the service was told to stop".to_owned());
    }
    let (code, status) =
        if reasons.is_empty() { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
    (code, Json(Readiness { status, reasons })).into_response()
}

/// What runs here, and since when.
#[utoipa::path(get, path = "/status", tag = "operation", responses((status = 200, description = "It runs", body = Running)))]
async fn status(State(health): State<Arc<Health>>, Stopping(stop): Stopping) -> Json<Running> {
    Json(Running {
        service: health.service,
        status: if stop.is_cancelled() { "stopping" } else { "up" },
        version: health.version,
        uptime_seconds: health.started.elapsed().as_secs(),
        details: health.details.iter().map(|(name, detail)| (*name, detail())).collect(),
    })
}

/// Metrics for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operation", responses(
    (status = 200, description = "Metrics", body = String, content_type = "text/plain"),
))]
async fn metrics() -> Response {
    let metrics = crate::telemetry::recorded().map(|recorded| recorded.render()).unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics).into_response()
}
