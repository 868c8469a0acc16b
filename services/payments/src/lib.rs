//! Payments of orders: commands decide them through a [`PaymentProvider`], each once; events and HTTP tell of them.

mod commands;
mod config;
mod payment;
mod provider;
mod read;
mod running;
mod simulated;

use axum::Router;
use axum::extract::FromRef;
use service::auth::{self, Verifier};
use service::documents::{self, Documents, Replayer};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;

pub use commands::{Patience, TakeCommands};
pub use config::Config;
pub use payment::Payment;
pub use provider::{Charge, Charged, PaymentProvider, ProviderError, Refunded};
pub use running::start;
pub use simulated::SimulatedProvider;

/// What the handlers of requests share. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct App {
    payments: Documents<Payment>,
}

/// All routes need a token.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(description()).merge(read::router()).merge(documents::admin_router())
}

impl FromRef<App> for Replayer {
    fn from_ref(app: &App) -> Self {
        Self::from(app.payments.clone())
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
        .title("Warren payments")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("What became of the payments of orders. They are asked for by messages, and only read here."))
        .build();
    OpenApiBuilder::new().info(info).build()
}
