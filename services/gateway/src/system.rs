//! How the whole system is, in one answer: each service says it of itself, and whoever does not answer in time is named.

use std::collections::BTreeMap;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use client::{Call, CallBody, CallError};
use futures_util::future::join_all;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::ApiResult;
use service::auth::Identity;
use service::http::{Json, Problem, RequestIds};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::admit::{Admitted, admit};
use crate::app::App;
use crate::routes::{CONSUMER, ORDERS, PRODUCER, Token};

/// The services that the system is made of.
const NEEDED: [&str; 7] = ["registry", PRODUCER, CONSUMER, "owners", "products", ORDERS, "payments"];

/// Services that are asked where they run; nothing is missing where they do not.
const EXTRA: [&str; 1] = ["bridge"];

/// No service tells more than this of itself.
const MAX_ANSWER: usize = 64 * 1024;

pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(status))
}

/// How the whole system is.
#[derive(Debug, Serialize, ToSchema)]
struct System {
    /// `up` if every service is, `down` if none answers, else `degraded`.
    status: Condition,
    /// When this was put together.
    #[serde(with = "time::serde::rfc3339")]
    timestamp: OffsetDateTime,
    /// What each service says of itself, by its name.
    services: BTreeMap<&'static str, ServiceReport>,
}

/// How a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Condition {
    /// All is well.
    Up,
    /// Something is missing that can be done without.
    Degraded,
    /// Something is missing that cannot be done without.
    Down,
    /// No instance has answered.
    Unreachable,
}

/// What an instance of a service says of itself.
#[derive(Debug, Serialize, ToSchema)]
struct ServiceReport {
    status: Condition,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "0.1.0")]
    version: Option<String>,
    /// Seconds since it was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    uptime_seconds: Option<u64>,
    /// How long its answers took.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<f64>,
    /// What it depends on, and how that is. Only admins are told of errors.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = std::collections::HashMap<String, Object>)]
    dependencies: BTreeMap<String, Value>,
    /// Why it cannot be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What `/health` says.
#[derive(Deserialize)]
struct Health {
    status: Condition,
    version: String,
    dependencies: BTreeMap<String, Value>,
}

/// What `/status` says.
#[derive(Deserialize)]
struct Running {
    uptime_seconds: u64,
}

/// How every service of the system is, and what it depends on.
///
/// The services are asked at the same time. One that does not answer in time is `unreachable`, and the rest is told all the
/// same: this is always a 200. An admin's token adds the last errors.
#[utoipa::path(
    get, path = "/api/system/status", tag = "system",
    security((), ("token" = [])),
    responses(
        (status = 200, description = "As much as is known", body = System),
        (status = 401, description = "The token is not valid", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 429, description = "This client has sent too many requests", body = Problem, content_type = Problem::MEDIA_TYPE),
    ),
)]
async fn status(State(app): State<App>, request: Request) -> Response {
    admit(&app, Token::ToWrite, request, |parts, _, admitted| told(&app, parts, admitted)).await
}

async fn told(app: &App, parts: Parts, admitted: Admitted) -> ApiResult<Response> {
    let to_admin = admitted.identity.as_ref().is_some_and(Identity::is_admin);
    let asked = NEEDED.into_iter().chain(EXTRA).map(async |service| (service, report(app, service, &parts).await));
    let reports = join_all(asked).await.into_iter();
    let services: BTreeMap<_, _> = reports
        .filter_map(|(service, report)| {
            let mut report =
                report.or_else(|| NEEDED.contains(&service).then(|| ServiceReport::away("none is running")))?;
            if !to_admin {
                report.dependencies.values_mut().for_each(hide_errors);
            }
            Some((service, report))
        })
        .collect();
    let are = |condition| services.values().filter(|report| report.status == condition).count();
    let status = if are(Condition::Up) == services.len() {
        Condition::Up
    } else if are(Condition::Unreachable) == services.len() {
        Condition::Down
    } else {
        Condition::Degraded
    };
    Ok(Json(System { status, timestamp: OffsetDateTime::now_utc(), services }).into_response())
}

/// What a service says of itself; nothing if none is known to run.
async fn report(app: &App, service: &'static str, parts: &Parts) -> Option<ServiceReport> {
    let begun = Instant::now();
    let asked =
        async { tokio::join!(ask::<Health>(app, service, "/health", parts), ask(app, service, "/status", parts)) };
    let (health, running) = match timeout(app.call_timeout, asked).await {
        Ok((Err(CallError::NoInstance { .. }), _)) => return None,
        Ok((Ok(Some(health)), running)) => (health, running),
        Ok((Ok(None), _)) => return Some(ServiceReport::away("its answer cannot be understood")),
        Ok((Err(error), _)) => return Some(ServiceReport::away(&error.to_string())),
        Err(_) => return Some(ServiceReport::away("it did not answer in time")),
    };
    let running: Option<Running> = running.ok().flatten();
    Some(ServiceReport {
        status: health.status,
        version: Some(health.version),
        uptime_seconds: running.map(|running| running.uptime_seconds),
        latency_ms: Some(begun.elapsed().as_micros() as f64 / 1_000.0),
        dependencies: health.dependencies,
        error: None,
    })
}

/// Asks a service; what it answers counts also if it is a 503, as that of a service which is down.
async fn ask<T: DeserializeOwned>(app: &App, service: &str, path: &str, parts: &Parts) -> Result<Option<T>, CallError> {
    let mut request = http::Request::get(path);
    if let Some(ids) = parts.extensions.get::<RequestIds>() {
        request = request.header("x-request-id", ids.request_id()).header("x-correlation-id", ids.correlation_id());
    }
    let request = request.body(CallBody::empty()).expect("a known path and checked ids make a request");
    // Time for another instance, should the first hang.
    let call = Call { timeout: Some(app.call_timeout / 2), ..Call::new(request) };
    let answer = app.services.send(service, call).await?;
    let body = to_bytes(answer.response.into_body(), MAX_ANSWER).await;
    Ok(body.ok().and_then(|body| serde_json::from_slice(&body).ok()))
}

fn hide_errors(dependency: &mut Value) {
    if let Some(dependency) = dependency.as_object_mut() {
        dependency.remove("last_error");
        dependency.remove("last_error_seconds_ago");
    }
}

impl ServiceReport {
    fn away(error: &str) -> Self {
        Self {
            status: Condition::Unreachable,
            version: None,
            uptime_seconds: None,
            latency_ms: None,
            dependencies: BTreeMap::new(),
            error: Some(error.to_owned()),
        }
    }
}
