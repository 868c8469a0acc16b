//! Reading orders: users their own, admins all.

use axum::extract::State;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use bson::Document;
use contracts::orders::{OrderState, OrderStatus};
use serde::{Deserialize, Serialize};
use service::auth::Identity;
use service::http::{Json, Limit, Path, Problem, Query, etag};
use service::{ApiError, ApiResult};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::App;
use crate::order::Order;
use crate::store::{of_user, status};

pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// Which orders.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only those of this user. Who is no admin sees only their own anyway.
    user_id: Option<Uuid>,
    /// Only those that are so far.
    status: Option<OrderStatus>,
    /// How many at most; 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Where to go on: `next` of the page before.
    after: Option<Uuid>,
}

/// A page of orders.
#[derive(Debug, Serialize, ToSchema)]
struct OrderPage {
    /// The orders, the newest first.
    orders: Vec<OrderState>,
    /// What to ask the next page with, as `after`; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Uuid>,
}

/// Orders, the newest first.
#[utoipa::path(get, path = "/v1/orders", tag = "orders", params(Filter), responses(
    (status = 200, description = "A page of orders", body = OrderPage),
    (status = 403, description = "They belong to another user", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 422, description = "A parameter is wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
async fn list(State(app): State<App>, identity: Identity, Query(asked): Query<Filter>) -> ApiResult<Json<OrderPage>> {
    let limit = Limit::of(asked.limit)?;
    let mut filter = match asked.user_id {
        Some(user_id) => of_user(own(&identity, user_id)?),
        None if identity.is_admin() => Document::new(),
        None => of_user(identity.user_id),
    };
    if let Some(asked) = asked.status {
        filter.insert("status", status(asked));
    }
    let (orders, next) = app.orders.newest(filter, asked.after, limit).await?;
    Ok(Json(OrderPage { orders: orders.iter().map(Order::state).collect(), next }))
}

/// One order.
#[utoipa::path(get, path = "/v1/orders/{order_id}", tag = "orders",
    params(("order_id" = Uuid, Path, description = "The order")),
    responses(
        (status = 200, description = "The order", body = OrderState,
            headers(("ETag" = String, description = "The version"))),
        (status = 403, description = "It belongs to another user", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 404, description = "There is no such order", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
async fn get(State(app): State<App>, Path(order_id): Path<Uuid>, identity: Identity) -> ApiResult<Response> {
    let order = find(&app, &identity, order_id).await?;
    Ok(([(ETAG, etag(order.version))], Json(order.state())).into_response())
}

/// The order with this id, or 404, or 403 if it is somebody else's.
pub(crate) async fn find(app: &App, identity: &Identity, order_id: Uuid) -> ApiResult<Order> {
    let order = app.orders.documents.get(order_id).await?;
    own(identity, order.user_id)?;
    Ok(order)
}

/// This user, if who asks may see what is theirs.
pub(crate) fn own(identity: &Identity, user_id: Uuid) -> ApiResult<Uuid> {
    if identity.may_act_for(user_id) {
        return Ok(user_id);
    }
    Err(ApiError::forbidden("this belongs to another user"))
}
