//! Products and their stock: kept in MongoDB, told of by events, read by HTTP and gRPC, reserved and bought by orders.

mod config;
mod follow;
mod image;
pub mod images;
mod owners;
mod parts;
pub mod product;
mod products;
mod read;
mod request;
mod running;
mod search;
mod serve;
pub mod stock;
mod write;

use axum::Router;
use axum::extract::FromRef;
use service::auth::{self, Verifier};
use service::documents::{self, Documents, Replayer};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;

pub use config::Config;
pub use running::start;

use images::Storage;
use owners::Owners;
use products::Products;

/// What the handlers share. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct App {
    products: Products,
    owners: Owners,
    /// Where images are kept, if they are.
    storage: Option<Storage>,
}

/// Routes that need a token.
fn guarded() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(write::router()).merge(documents::admin_router())
}

/// Routes for everybody.
fn open() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(description()).merge(read::router())
}

impl FromRef<App> for Replayer {
    fn from_ref(app: &App) -> Self {
        Self::from(Documents::clone(&app.products))
    }
}

fn router(app: App, verifier: Verifier) -> Router {
    let guarded = auth::guard(guarded().with_state(app.clone()).into(), verifier);
    guarded.merge(Router::from(open().with_state(app)))
}

/// The routes of images, with limits of their own.
fn image_router(app: App, verifier: Verifier) -> Router {
    let guarded = auth::guard(image::guarded_router().with_state(app.clone()).into(), verifier);
    let router = guarded.merge(Router::from(image::open_router().with_state(app)));
    service::http::layers(router, image::SETTINGS)
}

/// The API's description.
pub fn openapi() -> OpenApi {
    let mut guarded = guarded().merge(image::guarded_router()).into_openapi();
    auth::describe(&mut guarded);
    let mut described = open().merge(image::open_router()).into_openapi();
    described.merge(guarded);
    described
}

fn description() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Warren products")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Products and their stock. Reading is open; whoever writes shows a token."))
        .build();
    OpenApiBuilder::new().info(info).build()
}
