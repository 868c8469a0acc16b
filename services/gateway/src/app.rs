//! What the handlers share, and all that the gateway serves.

use std::future::ready;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use client::Services;
use ipnet::IpNet;
use service::ApiError;
use service::auth::Verifier;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::limit::Limiter;
use crate::routes::{FAMILIES, Token};
use crate::{admit, dashboard, describe, proxy, system};

/// What the handlers share. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Parts>);

#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) services: Services,
    pub(crate) verifier: Verifier,
    /// None if clients may send any number of requests.
    pub(crate) limiter: Option<Limiter>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) call_timeout: Duration,
    pub(crate) max_body: usize,
    pub(crate) stop: CancellationToken,
}

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Every route of the gateway, and their description.
pub(crate) fn router(app: App) -> (Router, OpenApi) {
    let (own, openapi) = own_routes().with_state(app.clone()).split_for_parts();
    let mut routes = Router::new();
    for family in &FAMILIES {
        let handler = any(move |State(app): State<App>, request: Request| proxy::proxy(app, family, request));
        routes = routes.route(family.public, handler.clone()).route(&format!("{}/{{*rest}}", family.public), handler);
    }
    let routes = routes.fallback(nothing_there).with_state(app);
    (own.merge(routes), describe::with_passed_on(openapi))
}

/// The API's description, for its snapshot.
pub fn openapi() -> OpenApi {
    describe::with_passed_on(own_routes().into_openapi())
}

fn own_routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(describe::description()).merge(dashboard::router()).merge(system::router())
}

/// Who tries paths is counted like everybody else.
async fn nothing_there(State(app): State<App>, request: Request) -> Response {
    let nothing = ApiError::not_found("no service is reached by this path");
    admit::admit(&app, Token::Never, request, |_, _, _| ready(Err(nothing))).await
}
