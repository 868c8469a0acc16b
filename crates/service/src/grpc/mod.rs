//! gRPC as every Warren program serves it, beside its HTTP: with the same limits, ids, log lines and stop, a deadline for each
//! call, health and reflection.
//!
//! ```no_run
//! # use service::{Health, grpc::{GrpcArgs, GrpcServer}};
//! # async fn start<S>(service: S, health: Health, args: GrpcArgs<40000>, limits: service::http::HttpLimits) -> anyhow::Result<()>
//! # where
//! #     S: tower::Service<axum::http::Request<tonic::body::Body>, Error = std::convert::Infallible> + tonic::server::NamedService
//! #         + Clone + Send + Sync + 'static,
//! #     S::Response: axum::response::IntoResponse,
//! #     S::Future: Send + 'static,
//! # {
//! # let (stop, descriptors) = (service::stop_on_signal(), &[]);
//! let listener = args.listen().await?;
//! let router = GrpcServer::new(health, descriptors).service(service).router()?;
//! service::grpc::serve(listener, router, stop, limits).await
//! # }
//! ```

mod args;
mod body;
mod deadline;
mod health;
mod observe;
mod record;
mod status;

use std::convert::Infallible;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::http::Request;
use axum::response::IntoResponse;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;
use tower::Service;

pub use args::GrpcArgs;
pub use deadline::{TIMEOUT, timeout};

use crate::Health;
use crate::http::HttpLimits;

/// The largest message that is read; a larger one is answered with RESOURCE_EXHAUSTED.
pub const MAX_MESSAGE: usize = 1024 * 1024;

/// How long a call may take whose caller sets no deadline, or a later one; after it comes DEADLINE_EXCEEDED.
pub const LONGEST_CALL: Duration = Duration::from_secs(10);

/// Callers keep a connection and use it now and then.
const IDLE: Duration = Duration::from_secs(120);

const REFLECTION: &str = "grpc.reflection.v1.ServerReflection";
const HEALTH: &str = "grpc.health.v1.Health";

/// The gRPC services of a program, put together.
#[derive(Debug)]
pub struct GrpcServer {
    health: Health,
    descriptors: &'static [u8],
    routes: Routes,
    names: Vec<&'static str>,
}

impl GrpcServer {
    /// A server that tells of this health. `descriptors` is what reflection tells of the services.
    pub fn new(health: Health, descriptors: &'static [u8]) -> Self {
        Self { health, descriptors, routes: Routes::default(), names: Vec::new() }
    }

    /// Adds a service.
    #[must_use]
    pub fn service<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        self.names.push(S::NAME);
        self.routes = self.routes.add_service(service);
        self
    }

    /// All of it, with health and reflection, for [`serve`].
    ///
    /// # Errors
    /// If the descriptors cannot be read.
    pub fn router(self) -> anyhow::Result<Router> {
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(self.descriptors)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        // By name, as the descriptors may be those of other programs' services too.
        let names = self.names.iter().chain(&[HEALTH, REFLECTION]);
        let reflection = names.fold(reflection, |reflection, name| reflection.with_service_name(*name));
        let reflection = reflection.build_v1().context("reading the descriptors of the gRPC services")?;
        let health = HealthServer::new(health::HealthService::new(self.health, self.names));
        let routes = self.routes.add_service(health).add_service(reflection).prepare();
        Ok(routes.into_axum_router().layer(observe::ObserveLayer::default()))
    }
}

/// Serves a gRPC router until `stop` is cancelled; then takes no new call and finishes what is in flight, in time.
///
/// # Errors
/// If `stop_timeout` was not long enough and calls were cut off.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
    limits: HttpLimits,
) -> anyhow::Result<()> {
    crate::serve(listener, router, stop, HttpLimits { idle_timeout: IDLE, ..limits }).await
}
