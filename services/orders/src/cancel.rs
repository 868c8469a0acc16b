//! Giving up an order.

use axum::extract::State;
use axum::response::Response;
use contracts::orders::OrderState;
use service::auth::Identity;
use service::http::{Path, Problem};
use service::{ApiError, ApiResult};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::App;
use crate::order::Order;
use crate::place::held;
use crate::prefer::{PreferHeader, Wait};
use crate::read::find;
use crate::saga::{Input, Step};

pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(cancel))
}

/// Gives up an order that has not ended. Its stock is freed, and what was paid is given back.
#[utoipa::path(post, path = "/v1/orders/{order_id}/cancel", tag = "orders",
    params(("order_id" = Uuid, Path, description = "The order"), PreferHeader),
    responses(
        (status = 200, description = "The order is cancelled, with `Prefer: wait=N`", body = OrderState),
        (status = 202, description = "The order will be cancelled", body = OrderState),
        (status = 403, description = "It belongs to another user", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 404, description = "There is no such order", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 409, description = "It has ended, or is paid", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
async fn cancel(
    State(app): State<App>,
    Path(order_id): Path<Uuid>,
    identity: Identity,
    wait: Wait,
) -> ApiResult<Response> {
    let order = find(&app, &identity, order_id).await?;
    let by = if identity.user_id == order.user_id { "cancelled by the user" } else { "cancelled by an admin" };
    let order = app.orders.change(order, |present| {
        refused(present)?;
        Ok(present.after(&Input::Cancel(by)))
    });
    let order = order.await?;
    app.runner.wake(&order);
    Ok(held(&app, order.state(), wait).await)
}

fn refused(order: &Order) -> ApiResult<()> {
    match order.saga.step {
        Step::Placed | Step::Reserved | Step::Cancelling => Ok(()),
        Step::Paid => Err(ApiError::conflict("the order is paid, and is being confirmed")),
        Step::Confirmed => Err(ApiError::conflict("the order is confirmed")),
        Step::Cancelled => Err(ApiError::conflict("the order is cancelled already")),
    }
}
