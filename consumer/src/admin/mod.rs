//! What only admins do: dead letters, and what is written down of it.

mod audit;
mod dead_letters;
mod run;
mod shapes;

use axum::Router;
use messaging::Broker;
use messaging::dead_letters::DeadLetters;
use service::auth::{self, Verifier};
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::stores::Stores;

/// What the routes work with.
#[derive(Clone, Debug)]
pub struct Admin {
    dead_letters: DeadLetters,
    stores: Stores,
    /// Ends what still runs.
    stop: CancellationToken,
}

impl Admin {
    /// The dead letters of all queues of Warren, also of those that only the bridge declares. What still runs ends on `stop`.
    pub fn new(broker: &Broker, stores: &Stores, stop: &CancellationToken) -> Self {
        let mut dead_letters = broker.dead_letters();
        for queue in contracts::topology::bridge().queues {
            dead_letters = dead_letters.and(queue.name);
        }
        Self { dead_letters, stores: stores.clone(), stop: stop.clone() }
    }
}

/// The routes of admins, and their description. Each needs a token.
pub fn router(admin: Admin, verifier: Verifier) -> (Router, OpenApi) {
    let (routes, mut described) = OpenApiRouter::new()
        .routes(routes!(dead_letters::list))
        .routes(routes!(dead_letters::peek))
        .routes(routes!(dead_letters::redrive))
        .routes(routes!(dead_letters::purge))
        .routes(routes!(audit::list))
        .with_state(admin)
        .split_for_parts();
    auth::describe_strict(&mut described);
    (auth::guard(routes, verifier), described)
}
