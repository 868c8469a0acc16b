//! The registry: instances of services say where they are and that they are alive; who calls them asks, or watches.
//!
//! All it knows is in Redis, so a restart loses nothing, and any number of replicas say the same.

mod address;
mod config;
mod discover;
mod register;
mod running;
mod store;
mod token;
mod valid;
mod watch;

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;

pub use config::Config;
pub use running::start;

use address::Addresses;
use store::Store;
use token::Token;
use watch::View;

/// What the handlers share. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Parts>);

#[derive(Debug)]
pub(crate) struct Parts {
    token: Token,
    addresses: Addresses,
    store: Store,
    view: Arc<View>,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Every route of the registry, and their description.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(description())
        .merge(register::router())
        .merge(discover::router())
        .merge(watch::router())
}

fn router(app: App) -> (Router, OpenApi) {
    routes().with_state(app).split_for_parts()
}

/// The API's description, for its snapshot.
pub fn openapi() -> OpenApi {
    routes().into_openapi()
}

fn description() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Warren registry")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Who runs where. Reading is open; whoever registers shows the token."))
        .build();
    let token = SecurityScheme::Http(
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("REGISTRY_TOKEN")).build(),
    );
    let components = ComponentsBuilder::new().security_scheme(token::SCHEME, token).build();
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}
