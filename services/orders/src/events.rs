//! An order's changes as they happen: Server-Sent Events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt, stream};
use service::auth::Identity;
use service::http::{Path, Problem, Stopping, StreamEvent};
use service::{ApiError, ApiResult};
use tokio::sync::watch;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::App;
use crate::order::Order;
use crate::read::find;

/// Proxies cut off a connection that is silent for longer, often after a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(events))
}

/// An order's changes, until it has ended.
#[utoipa::path(get, path = "/v1/orders/{order_id}/events", tag = "orders",
    params(("order_id" = Uuid, Path, description = "The order")),
    responses(
        (status = 200, description = "Events of type `order`, each with the whole order, by its version as the id: first as it \
            is, then after changes; the stream ends when the order has ended", body = StreamEvent,
            content_type = "text/event-stream"),
        (status = 403, description = "It belongs to another user", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 404, description = "There is no such order", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Too many follow orders", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
async fn events(
    State(app): State<App>,
    identity: Identity,
    Path(order_id): Path<Uuid>,
    Stopping(stop): Stopping,
) -> ApiResult<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let order = find(&app, &identity, order_id).await?;
    let changes = app
        .orders
        .watch
        .follow(order_id)
        .ok_or_else(|| ApiError::unavailable("too many orders are followed", Duration::from_secs(5)))?;
    let changes = stream::unfold(Following { changes, order, told: false }, next);
    let events = changes.map(|order| Ok(event(&order))).take_until(stop.cancelled_owned());
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

struct Following {
    changes: watch::Receiver<Option<Order>>,
    order: Order,
    told: bool,
}

/// The order as it was found, then as it is after each change.
async fn next(mut following: Following) -> Option<(Order, Following)> {
    let Following { changes, order, told } = &mut following;
    if *told {
        if order.has_ended() {
            return None;
        }
        let is_news = |now: &Option<Order>| now.as_ref().is_some_and(|now| now.version > order.version);
        *order = changes.wait_for(is_news).await.ok()?.clone()?;
    }
    *told = true;
    Some((order.clone(), following))
}

fn event(order: &Order) -> Event {
    let event = Event::default().event("order").id(order.version.to_string());
    event.json_data(order.state()).unwrap_or_else(|_| Event::default().comment("not representable"))
}
