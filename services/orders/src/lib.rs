//! Orders: taken, brought to an end by a saga over products' stock and payments, told of by events, read by HTTP and gRPC.

mod cache;
mod cancel;
mod config;
mod consume;
mod events;
mod get_orders;
mod hooks;
mod known;
mod notices;
mod order;
mod place;
mod prefer;
mod read;
mod runner;
mod running;
mod saga;
mod stock;
mod store;
mod summary;
mod watch;

use std::time::Duration;

use axum::Router;
use axum::extract::FromRef;
use client::Services;
use service::auth::{self, Verifier};
use service::documents::{self, Replayer};
use tokio_util::sync::CancellationToken;
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;

pub use config::Config;
pub use hooks::Hooks;
pub use running::{start, start_with};

use cache::Products;
use runner::Runner;
use store::Orders;

/// What the handlers share. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct App {
    orders: Orders,
    products: Products,
    runner: Runner,
    services: Services,
    order_timeout: Duration,
    stop: CancellationToken,
}

fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(description())
        .merge(place::router())
        .merge(read::router())
        .merge(summary::router())
        .merge(cancel::router())
        .merge(events::router())
        .merge(documents::admin_router())
}

impl FromRef<App> for Replayer {
    fn from_ref(app: &App) -> Self {
        Self::from(app.orders.documents.clone())
    }
}

fn router(app: App, verifier: Verifier) -> Router {
    auth::guard(routes().with_state(app).into(), verifier)
}

/// The API's description.
pub fn openapi() -> OpenApi {
    let mut described = routes().into_openapi();
    auth::describe(&mut described);
    described
}

fn description() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Warren orders")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Orders of users, who see and change their own by their token; admins all."))
        .build();
    OpenApiBuilder::new().info(info).build()
}
