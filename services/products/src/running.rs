//! The start of the program, its run and its end.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::Router;
use client::Registration;
use client::grpc::GrpcServices;
use contracts::registry::GRPC_PORT;
use contracts::topology::queue;
use messaging::{Broker, Consumer};
use service::auth::Verifier;
use service::connect::{self, PoolSettings};
use service::documents;
use service::grpc::GrpcServer;
use service::http::HttpLimits;
use service::{Background, Health, Need, Running};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::Role;
use crate::owners::Owners;
use crate::parts::Parts;
use crate::{App, Config, description, openapi, router};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Starts the program. It needs MongoDB, and does without RabbitMQ for as long as that is away.
///
/// # Errors
/// If an address is taken, MongoDB cannot be reached, or a setting cannot be used.
pub async fn start(config: Config, stop: CancellationToken) -> anyhow::Result<Running> {
    config.auth.check()?;
    let listener = service::listen(config.http.listen).await?;
    let is_api = config.plays(Role::Api);
    let grpc_listener = if is_api { Some(config.grpc.listen().await?) } else { None };
    let address = listener.local_addr()?;
    let grpc_address = grpc_listener.as_ref().map(TcpListener::local_addr).transpose()?;

    let parts = Parts::open(&config).await?;
    let consumer = config.plays(Role::Worker).then(|| parts.broker.consumer(queue::PRODUCTS_OWNERS));
    let health = documents::health(config.service(), VERSION, &parts.mongodb, &parts.broker);
    let health = with_consumer(health, consumer.as_ref(), is_api);
    let (app, grpc) = if is_api {
        let grpc = GrpcServer::new(health.clone(), proto::FILE_DESCRIPTOR_SET).service(parts.serve().service());
        (service::app(api(&config, &parts, &stop)?, health.clone(), openapi()), grpc.router()?)
    } else {
        (service::app(Router::new(), health.clone(), description()), Router::new())
    };

    let left = register(&config, address, grpc_address, &health)?.leave_before(stop.clone());
    let broker = parts.broker.clone();
    let serving =
        Serving { config, broker, http: (listener, app), grpc: grpc_listener.map(|listener| (listener, grpc)) };
    let background = parts.start(consumer);
    let running = Running::spawn(address, stop, serving.run(background, left));
    Ok(match grpc_address {
        Some(address) => running.with_grpc(address),
        None => running,
    })
}

/// What is served to users.
fn api(config: &Config, parts: &Parts, stop: &CancellationToken) -> anyhow::Result<Router> {
    let services = GrpcServices::start(&config.registry, &config.calls, &config.grpc_calls, "products", stop)?;
    let redis = connect::redis_if_there("REDIS_URL", &config.redis_url, PoolSettings::default())?;
    let verifier = Verifier::new(&config.auth, Some(redis))?;
    Ok(router(App { products: parts.products.clone(), owners: Owners::new(services) }, verifier))
}

/// An API serves while its consumer is away; a mere worker without one does not work.
fn with_consumer(health: Health, consumer: Option<&Consumer>, is_api: bool) -> Health {
    let Some(status) = consumer.map(Consumer::status) else { return health };
    let registered = status.clone();
    let health =
        health.dependency(queue::PRODUCTS_OWNERS, Need::Optional, move || std::future::ready(status.working()));
    if is_api { health } else { health.ready_when(queue::PRODUCTS_OWNERS, move || registered.ready()) }
}

fn register(
    config: &Config,
    address: SocketAddr,
    grpc_address: Option<SocketAddr>,
    health: &Health,
) -> anyhow::Result<Registration> {
    let port = |address: SocketAddr| (GRPC_PORT.to_owned(), address.port().to_string());
    let metadata: BTreeMap<_, _> = grpc_address.map(port).into_iter().collect();
    let health = health.clone();
    let ready = move || health.not_ready().is_empty();
    Registration::with_metadata(&config.registry, config.service(), VERSION, address, metadata, ready)
}

struct Serving {
    config: Config,
    broker: Broker,
    http: (TcpListener, Router),
    grpc: Option<(TcpListener, Router)>,
}

impl Serving {
    /// Requests and calls, then what works beside them: all of it within STOP_TIMEOUT.
    async fn run(self, background: Background, stop: CancellationToken) -> anyhow::Result<()> {
        let Self { config, broker, http: (listener, app), grpc } = self;
        let stop_timeout = config.http.stop_timeout;
        let limits = HttpLimits { stop_timeout: stop_timeout * 3 / 5, ..config.http.limits() };
        let calls = stop.clone();
        let grpc = async {
            match grpc {
                Some((listener, router)) => service::grpc::serve(listener, router, calls, limits).await,
                None => Ok(()),
            }
        };
        let serving = async {
            let (http, grpc) = tokio::join!(service::serve(listener, app, stop, limits), grpc);
            http.and(grpc)
        };
        let served = background.beside(serving, stop_timeout / 5).await;
        broker.close().await;
        tracing::info!("stopped");
        served
    }
}
