//! All that a user's start page shows, in one answer. What cannot be had is named, and the rest is there all the same.

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use client::{ServiceClient, ServiceError};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use service::http::{Json, Problem, RequestIds};
use service::{ApiError, ApiResult};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::admit::{Admitted, admit};
use crate::app::App;
use crate::routes::{ORDERS, PRODUCER, Token};

/// How many orders are shown.
const RECENT: usize = 5;

pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(dashboard))
}

/// What a user's start page shows.
#[derive(Debug, Serialize, ToSchema)]
struct Dashboard {
    /// The user, as `GET /api/users/{id}` tells it; null if that cannot be had.
    #[schema(value_type = Option<Object>)]
    user: Option<Box<RawValue>>,
    /// The user's orders; null if they cannot be had.
    orders: Option<Orders>,
    /// When this was put together.
    #[serde(with = "time::serde::rfc3339")]
    timestamp: OffsetDateTime,
    /// What cannot be had at the moment.
    #[schema(example = json!(["orders"]))]
    degraded: Vec<&'static str>,
}

/// A user's orders.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Orders {
    /// How many there are.
    total: u64,
    /// The newest five.
    #[schema(value_type = Vec<Object>)]
    recent: Vec<Value>,
    /// What they are worth, by currency.
    total_value: Vec<Money>,
}

/// An amount of money.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Money {
    /// In the currency's smallest unit.
    #[schema(example = 12_345)]
    amount: i64,
    /// ISO 4217.
    #[schema(example = "EUR")]
    currency: String,
}

/// What `orders` answers.
#[derive(Debug, Deserialize)]
struct Summary {
    total: u64,
    recent: Vec<Value>,
    total_value: Vec<Money>,
}

/// A user with their orders, for their start page.
///
/// Users see their own, admins all. What cannot be had at the moment is null, and named in `degraded`.
#[utoipa::path(
    get, path = "/api/user/{id}/dashboard", tag = "dashboard",
    params(("id" = Uuid, Path, description = "The user's id")),
    security(("token" = [])),
    responses(
        (status = 200, description = "As much as can be had", body = Dashboard),
        (status = 401, description = "There is no valid access token", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 403, description = "It belongs to another user", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 404, description = "There is no such user", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 429, description = "This client has sent too many requests", body = Problem, content_type = Problem::MEDIA_TYPE),
    ),
)]
async fn dashboard(State(app): State<App>, Path(id): Path<String>, request: Request) -> Response {
    admit(&app, Token::Always, request, |parts, _, admitted| shown(&app, &id, parts, admitted)).await
}

async fn shown(app: &App, id: &str, parts: Parts, admitted: Admitted) -> ApiResult<Response> {
    let no_such_user = || ApiError::not_found("there is no such user");
    let id: Uuid = id.parse().map_err(|_| no_such_user())?;
    if !admitted.identity.as_ref().is_some_and(|identity| identity.may_act_for(id)) {
        return Err(ApiError::forbidden("this belongs to another user"));
    }
    let asked = Asked { app, parts: &parts };
    let (user_path, orders_path) = (format!("/users/{id}"), format!("/v1/orders/summary?user_id={id}&recent={RECENT}"));
    let (user, orders) = tokio::join!(
        asked.part::<Box<RawValue>>("user", PRODUCER, &user_path),
        asked.part::<Summary>("orders", ORDERS, &orders_path),
    );
    let user = match user {
        Part::Missing => return Err(no_such_user()),
        Part::There(user) => Some(user),
        Part::Away => None,
    };
    let orders = match orders {
        Part::There(Summary { total, mut recent, total_value }) => {
            recent.truncate(RECENT);
            Some(Orders { total, recent, total_value })
        }
        // A user without orders has none, and is not missing.
        Part::Missing | Part::Away => None,
    };
    let degraded = [("user", user.is_none()), ("orders", orders.is_none())];
    let degraded = degraded.into_iter().filter_map(|(part, is_away)| is_away.then_some(part)).collect();
    Ok(Json(Dashboard { user, orders, timestamp: OffsetDateTime::now_utc(), degraded }).into_response())
}

enum Part<T> {
    There(T),
    /// Its service knows of none.
    Missing,
    /// It cannot be had at the moment.
    Away,
}

/// Who asks, for the services: they verify the token themselves.
struct Asked<'a> {
    app: &'a App,
    parts: &'a Parts,
}

impl Asked<'_> {
    async fn part<T: serde::de::DeserializeOwned>(
        &self,
        part: &'static str,
        service: &'static str,
        path: &str,
    ) -> Part<T> {
        let limit = self.app.call_timeout;
        let error = match tokio::time::timeout(limit, self.ask(&self.app.services.service(service), path)).await {
            Ok(Ok(there)) => return Part::There(there),
            Ok(Err(error)) if error.status() == Some(StatusCode::NOT_FOUND) => return Part::Missing,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", limit.as_secs_f64()),
        };
        metrics::counter!("dashboard_degraded_total", "part" => part).increment(1);
        tracing::debug!(part, error, "a part of a dashboard cannot be had");
        Part::Away
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        service: &ServiceClient,
        path: &str,
    ) -> Result<T, ServiceError> {
        // Time for another instance, should the first hang.
        let mut call = service.get(path).timeout(self.app.call_timeout / 2);
        if let Some(token) = self.parts.headers.get(AUTHORIZATION) {
            call = call.header(AUTHORIZATION, HeaderValue::clone(token));
        }
        if let Some(ids) = self.parts.extensions.get::<RequestIds>() {
            call = call.ids(ids.request_id(), ids.correlation_id());
        }
        call.send().await
    }
}
