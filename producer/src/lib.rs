//! The write side: a change of state and the message that tells of it are committed together, then answered with 202;
//! a relay publishes the message, and reports come back of what became of it.

mod accept;
mod ask;
mod auth;
mod background;
mod backlog;
mod caller;
mod config;
mod database;
mod health_check;
mod idempotency;
mod lane;
mod messages;
mod records;
mod running;
mod tasks;
mod users;
mod valid;

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use messaging::Requester;
use sqlx::postgres::PgPool;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

pub use config::{AdminArgs, Config, HashingArgs, SessionArgs};
pub use running::start;

use auth::Auth;
use backlog::Backlog;
use lane::Lane;
use messages::NoChange;
use records::RecordChange;
use tasks::Watch;
use users::{Hasher, UserChange};

/// What the handlers share. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Parts>);

#[derive(Debug)]
pub(crate) struct Parts {
    messages: Lane<NoChange>,
    records: Lane<RecordChange>,
    users: Lane<UserChange>,
    backlog: Backlog,
    hasher: Hasher,
    auth: Auth,
    /// Apart from what the lanes use, so that reads cannot keep writes waiting.
    reads: PgPool,
    requester: Requester,
    watch: Arc<Watch>,
    stop: CancellationToken,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Every route of the producer that the guard stands before, and their description.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(description())
        .merge(messages::router())
        .merge(records::router())
        .merge(users::router())
        .merge(tasks::router())
        .merge(health_check::router())
        .merge(auth::router())
}

fn router(app: App) -> Router {
    let verifier = app.auth.verifier.clone();
    let guarded = service::auth::guard(routes().with_state(app.clone()).into(), verifier);
    guarded.merge(Router::from(auth::unguarded().with_state(app)))
}

/// The API's description.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut described = routes().into_openapi();
    service::auth::describe(&mut described);
    described.merge(auth::unguarded().into_openapi());
    described
}

fn description() -> utoipa::openapi::OpenApi {
    let info = utoipa::openapi::InfoBuilder::new()
        .title("Warren producer")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("The write side. A write is answered with 202 and a task that tells what becomes of it."))
        .build();
    utoipa::openapi::OpenApiBuilder::new().info(info).build()
}
