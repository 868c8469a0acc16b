//! The start of the program, its run and its end.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::Context;
use client::Registration;
use contracts::registry::GRPC_PORT;
use messaging::documents::{Relay, RelaySettings};
use messaging::{Broker, Settings};
use secrecy::ExposeSecret;
use service::auth::Verifier;
use service::connect::{self, PoolSettings};
use service::documents::{self, Documents};
use service::grpc::GrpcServer;
use service::http::HttpLimits;
use service::{Background, Health, Running};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{App, Config, get_owner, openapi, router};

const NAME: &str = "owners";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Starts the program. It needs MongoDB, and does without RabbitMQ for as long as that is away.
///
/// # Errors
/// If an address is taken, MongoDB cannot be reached, or a setting cannot be used.
pub async fn start(config: Config, stop: CancellationToken) -> anyhow::Result<Running> {
    config.auth.check()?;
    let listener = service::listen(config.http.listen).await?;
    let grpc_listener = config.grpc.listen().await?;
    let (address, grpc_address) = (listener.local_addr()?, grpc_listener.local_addr()?);

    let (store, pool) = (&config.store, PoolSettings::connections(32));
    let mongodb = connect::mongodb("MONGODB_URL", &store.mongodb_url, pool, &config.retry.backoff()).await?;
    let broker = Broker::open(Settings::new(store.amqp_url.expose_secret(), NAME, contracts::topology()));
    let broker = broker.context("AMQP_URL")?;
    let relay = RelaySettings { stop_within: config.http.stop_timeout / 5, ..RelaySettings::default() };
    let database = mongodb.database(&config.owners_database);
    let (owners, relay) = Documents::open(&database, "owners", broker.publisher(), relay).await?;

    let redis = connect::redis_if_there("REDIS_URL", &config.redis_url, PoolSettings::default())?;
    let verifier = Verifier::new(&config.auth, Some(redis))?;
    let health = documents::health(NAME, VERSION, &mongodb, &broker);
    let left = register(&config, address, grpc_address, &health)?.leave_before(stop.clone());
    let parts = Parts { config, listener, grpc_listener, broker, owners, relay, verifier, health };
    Ok(Running::spawn(address, stop, parts.run(left)).with_grpc(grpc_address))
}

fn register(
    config: &Config,
    address: SocketAddr,
    grpc_address: SocketAddr,
    health: &Health,
) -> anyhow::Result<Registration> {
    let metadata = BTreeMap::from([(GRPC_PORT.to_owned(), grpc_address.port().to_string())]);
    let health = health.clone();
    let ready = move || health.not_ready().is_empty();
    Registration::with_metadata(&config.registry, NAME, VERSION, address, metadata, ready)
}

struct Parts {
    config: Config,
    listener: TcpListener,
    grpc_listener: TcpListener,
    broker: Broker,
    owners: Documents<crate::owner::Owner>,
    relay: Relay,
    verifier: Verifier,
    health: Health,
}

impl Parts {
    /// Requests and calls, then the relay: all of it within STOP_TIMEOUT.
    async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let Self { config, listener, grpc_listener, broker, owners, relay, verifier, health } = self;
        let stop_timeout = config.http.stop_timeout;
        let limits = HttpLimits { stop_timeout: stop_timeout * 3 / 5, ..config.http.limits() };

        let mut background = Background::default();
        background.spawn(|stop| relay.run(stop));
        background.spawn(|stop| owners.clone().forget_claims(stop));
        background.spawn(|stop| documents::declare(broker.clone(), stop));

        let grpc =
            GrpcServer::new(health.clone(), proto::FILE_DESCRIPTOR_SET).service(get_owner::service(owners.clone()));
        let grpc = service::grpc::serve(grpc_listener, grpc.router()?, stop.clone(), limits);
        let router = service::app(router(App { owners }, verifier), health, openapi());
        let http = service::serve(listener, router, stop, limits);
        let serving = async {
            let (http, grpc) = tokio::join!(http, grpc);
            http.and(grpc)
        };
        let served = background.beside(serving, stop_timeout / 5).await;
        broker.close().await;
        tracing::info!("stopped");
        served
    }
}
