//! The write side: a change of state and the message that tells of it are committed together, then answered with 202;
//! a relay publishes the message, and reports come back of what became of it.

mod accept;
mod ask;
mod background;
mod backlog;
mod config;
mod health_check;
mod idempotency;
mod lane;
mod messages;
mod page;
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

pub use config::{Config, HashingArgs};
pub use running::{Running, start};

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

/// Every route of the producer, and their description.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(description())
        .merge(messages::router())
        .merge(records::router())
        .merge(users::router())
        .merge(tasks::router())
        .merge(health_check::router())
}

fn router(app: App) -> (Router, utoipa::openapi::OpenApi) {
    routes().with_state(app).split_for_parts()
}

/// The API's description, for its snapshot.
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}

fn description() -> utoipa::openapi::OpenApi {
    let info = utoipa::openapi::InfoBuilder::new()
        .title("Warren producer")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("The write side. A write is answered with 202 and a task that tells what becomes of it."))
        .build();
    utoipa::openapi::OpenApiBuilder::new().info(info).build()
}
