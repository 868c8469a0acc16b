//! Placing an order.

use axum::extract::State;
use axum::http::header::{AUTHORIZATION, ETAG, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use client::ServiceError;
use contracts::Money;
use contracts::orders::OrderState;
use garde::Validate;
use serde::{Deserialize, Serialize};
use service::auth::Identity;
use service::documents::Claim;
use service::http::{FieldError, IdempotencyKey, Json, Problem, RequestIds, etag};
use service::valid::valid;
use service::{ApiError, ApiResult};
use std::collections::HashSet;
use std::time::Duration;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::App;
use crate::order::{Buyer, Item, Order};
use crate::prefer::{PreferHeader, Wait};

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// More than anybody pays; and so many of them can be added up.
const LARGEST_TOTAL: i64 = 1_000_000_000_000;

pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(place))
}

/// What is ordered.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
struct NewOrder {
    /// For whom; an admin may name another user.
    #[garde(skip)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_id: Option<Uuid>,
    /// What, each product once.
    #[garde(length(min = 1, max = 100), dive)]
    #[schema(min_items = 1, max_items = 100)]
    items: Vec<NewItem>,
}

/// Some of one product.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
struct NewItem {
    /// Which.
    #[garde(skip)]
    product_id: Uuid,
    /// How many.
    #[garde(range(min = 1, max = 1_000_000))]
    #[schema(example = 2, minimum = 1, maximum = 1_000_000)]
    quantity: u32,
}

/// Places an order.
///
/// It is accepted before its stock is reserved and its payment made: follow it by `GET /v1/orders/{order_id}/events`, or wait for
/// its end by `Prefer: wait=N`. Its prices are those of the moment, and stay.
#[utoipa::path(post, path = "/v1/orders", tag = "orders", params(IdempotencyKey, PreferHeader), request_body = NewOrder, responses(
    (status = 200, description = "The order has ended, with `Prefer: wait=N`", body = OrderState,
        headers(("Location" = String, description = "The order"), ("ETag" = String, description = "The version"))),
    (status = 202, description = "The order was accepted", body = OrderState,
        headers(("Location" = String, description = "The order"), ("ETag" = String, description = "The version"))),
    (status = 400, description = "Not JSON", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 403, description = "It is for another user", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 413, description = "The body is too large", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 415, description = "Not JSON by its media type", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 422, description = "These fields are wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
async fn place(
    State(app): State<App>,
    identity: Identity,
    key: IdempotencyKey,
    wait: Wait,
    ids: RequestIds,
    headers: HeaderMap,
    Json(new): Json<NewOrder>,
) -> ApiResult<Response> {
    let new = valid(new)?;
    each_once(&new.items)?;
    let user_id = new.user_id.unwrap_or(identity.user_id);
    if !identity.may_act_for(user_id) {
        return Err(ApiError::forbidden("only an admin may order for another user"));
    }
    let asked = Claim::new(identity.user_id, &key, &new, &())?;
    if let Some(asked) = asked
        && let Some(before) = app.orders.documents.answer_before(&asked).await?
    {
        return Ok(answer(&app, before, wait).await);
    }

    let product_ids: Vec<Uuid> = new.items.iter().map(|item| item.product_id).collect();
    let (buyer, products) = tokio::try_join!(buyer(&app, user_id, &headers, &ids), app.products.get(&product_ids))?;
    let mut unknown = Vec::new();
    let mut items = Vec::with_capacity(new.items.len());
    for (index, NewItem { product_id, quantity }) in new.items.iter().enumerate() {
        match products.get(product_id) {
            Some(product) => items.push(Item::new(product, *quantity)),
            None => unknown.push(FieldError::new(format!("items[{index}].product_id"), "there is no such product")),
        }
    }
    if !unknown.is_empty() {
        return Err(ApiError::unprocessable(unknown));
    }
    let total = total(&items)?;
    let order = Order::new(buyer, items, total, app.order_timeout, ids.correlation_id());
    let state = order.state();
    let claim = Claim::new(identity.user_id, &key, &new, &state)?;
    let state = app.orders.place(&order, claim, state).await?;
    if state.order_id == order.id {
        app.runner.wake(&order);
    }
    Ok(answer(&app, state, wait).await)
}

fn each_once(items: &[NewItem]) -> ApiResult<()> {
    let mut seen = HashSet::new();
    let again = items.iter().enumerate().filter(|(_, item)| !seen.insert(item.product_id));
    let again: Vec<_> =
        again.map(|(index, _)| FieldError::new(format!("items[{index}].product_id"), "is there already")).collect();
    if again.is_empty() { Ok(()) } else { Err(ApiError::unprocessable(again)) }
}

fn total(items: &[Item]) -> ApiResult<Money> {
    let wrong = |detail: String| ApiError::unprocessable([FieldError::new("items", detail)]);
    let mut total: Option<Money> = None;
    for item in items {
        let price = item.price.checked_mul(item.quantity).map_err(|error| wrong(error.to_string()))?;
        let sum = total.map_or(Ok(price), |total| total.checked_add(price));
        total = Some(sum.map_err(|error| wrong(error.to_string()))?);
    }
    total.filter(|total| total.amount <= LARGEST_TOTAL).ok_or_else(|| wrong("cost too much together".to_owned()))
}

/// The user, if there is one: with the token of who asks, as it is the producer who knows what may be seen.
async fn buyer(app: &App, user_id: Uuid, headers: &HeaderMap, ids: &RequestIds) -> ApiResult<Buyer> {
    let mut call = app.services.service("producer").get(&format!("/users/{user_id}"));
    if let Some(token) = headers.get(AUTHORIZATION) {
        call = call.header(AUTHORIZATION, token.clone());
    }
    call.ids(ids.request_id(), ids.correlation_id()).send().await.map_err(unknown_user)
}

fn unknown_user(error: ServiceError) -> ApiError {
    match error.status() {
        Some(StatusCode::NOT_FOUND) => {
            ApiError::unprocessable([FieldError::new("user_id", "there is no such user, or not yet")])
        }
        Some(StatusCode::UNAUTHORIZED) => {
            ApiError::unauthorized("the access token is not valid, or no longer", "Bearer")
        }
        Some(StatusCode::FORBIDDEN) => ApiError::forbidden("this user may not be seen"),
        _ => ApiError::unavailable("the user cannot be looked up", Duration::from_secs(1)).because(error),
    }
}

/// The order, once it has ended if that is preferred.
async fn answer(app: &App, state: OrderState, Wait(wait): Wait) -> Response {
    let order_id = state.order_id;
    let mut response = held(app, state, Wait(wait)).await;
    if let Ok(location) = HeaderValue::try_from(format!("/v1/orders/{order_id}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// 202 with the order as it is or, with a wait, 200 with the order as it has ended.
pub(crate) async fn held(app: &App, state: OrderState, Wait(wait): Wait) -> Response {
    let ended = match wait {
        // Who stops holds nobody up.
        Some(wait) => app.stop.run_until_cancelled(app.orders.watch.end_of(state.order_id, wait)).await.flatten(),
        None => None,
    };
    let Some(ended) = ended else {
        return (StatusCode::ACCEPTED, [(ETAG, etag(state.version))], Json(state)).into_response();
    };
    let applied = format!("wait={}", wait.unwrap_or_default().as_secs());
    ([(ETAG, etag(ended.version)), (PREFERENCE_APPLIED, applied)], Json(ended.state())).into_response()
}
