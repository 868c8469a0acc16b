//! Reading payments.

use axum::extract::State;
use bson::{Document, doc};
use contracts::payments::PaymentState;
use serde::{Deserialize, Serialize};
use service::auth::Identity;
use service::http::{Json, Limit, Path, Problem, Query};
use service::{ApiError, ApiResult};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::App;
use crate::payment::Payment;

pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// Which payments.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Only that of this order.
    order_id: Option<Uuid>,
    /// How many at most; 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Where to go on: `next` of the page before.
    after: Option<Uuid>,
}

/// A page of payments.
#[derive(Debug, Serialize, ToSchema)]
struct Payments {
    /// The payments, in the order of their orders' creation.
    payments: Vec<PaymentState>,
    /// What to ask the next page with, as `after`; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Uuid>,
}

/// The user's own payments, or all that there are if it is an admin who asks.
#[utoipa::path(get, path = "/v1/payments", tag = "payments", params(Which), responses(
    (status = 200, description = "A page of payments", body = Payments),
    (status = 422, description = "A parameter is wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
async fn list(State(app): State<App>, identity: Identity, Query(which): Query<Which>) -> ApiResult<Json<Payments>> {
    let mut filter = Document::new();
    if !identity.is_admin() {
        filter.insert("user_id", identity.user_id.to_string());
    }
    if let Some(order_id) = which.order_id {
        // Beside the condition that a page has on the same field.
        filter.insert("$and", vec![doc! { "_id": order_id.to_string() }]);
    }
    let (payments, next) = app.payments.page(filter, which.after, Limit::of(which.limit)?).await?;
    Ok(Json(Payments { payments: payments.iter().map(Payment::state).collect(), next }))
}

/// The payment of an order, once it is decided.
#[utoipa::path(get, path = "/v1/payments/{order_id}", tag = "payments",
    params(("order_id" = Uuid, Path, description = "The order")),
    responses(
        (status = 200, description = "The payment", body = PaymentState),
        (status = 403, description = "It is another user's", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 404, description = "No payment of this order was decided", body = Problem,
            content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
async fn get(State(app): State<App>, identity: Identity, Path(order_id): Path<Uuid>) -> ApiResult<Json<PaymentState>> {
    let payment = app.payments.get(order_id).await?;
    if !identity.may_act_for(payment.user_id) {
        return Err(ApiError::forbidden("this payment is another user's"));
    }
    Ok(Json(payment.state()))
}
