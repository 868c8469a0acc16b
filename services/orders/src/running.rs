//! The start of the program, its run and its end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use client::grpc::GrpcServices;
use client::{Registration, Services};
use contracts::registry::GRPC_PORT;
use messaging::documents::RelaySettings;
use messaging::{Broker, Settings};
use redis::Client;
use secrecy::ExposeSecret;
use service::auth::Verifier;
use service::connect::{self, PoolSettings};
use service::grpc::GrpcServer;
use service::http::HttpLimits;
use service::{Background, Health, Need, Running, documents};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;

use crate::cache::{Cache, Products};
use crate::config::{Config, Role};
use crate::consume::{Consumers, Tools};
use crate::hooks::Hooks;
use crate::known::Known;
use crate::runner::Runner;
use crate::stock::Stock;
use crate::store::Orders;
use crate::{App, get_orders, notices, router};

const NAME: &str = "orders";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Starts the program. It needs MongoDB, and does without RabbitMQ, Redis and the other services for as long as they are away.
///
/// # Errors
/// If an address is taken, MongoDB cannot be reached, or a setting cannot be used.
pub async fn start(config: Config, stop: CancellationToken) -> anyhow::Result<Running> {
    start_with(config, Hooks::default(), stop).await
}

/// The same, with places for a test to stop it at.
///
/// # Errors
/// If an address is taken, MongoDB cannot be reached, or a setting cannot be used.
pub async fn start_with(config: Config, hooks: Hooks, stop: CancellationToken) -> anyhow::Result<Running> {
    config.auth.check()?;
    let listener = service::listen(config.http.listen).await?;
    let grpc_listener = config.grpc.listen().await?;
    let (address, grpc_address) = (listener.local_addr()?, grpc_listener.local_addr()?);

    let (store, pool) = (&config.store, PoolSettings::connections(64));
    let mongodb = connect::mongodb("MONGODB_URL", &store.mongodb_url, pool, &config.retry.backoff()).await?;
    let broker = Broker::open(Settings::new(store.amqp_url.expose_secret(), NAME, contracts::topology()));
    let broker = broker.context("AMQP_URL")?;
    let relay = RelaySettings { stop_within: config.http.stop_timeout / 5, ..RelaySettings::default() };
    let database = mongodb.database(&config.orders_database);
    let (orders, relay) = Orders::open(&database, broker.publisher(), relay).await?;

    let second = Duration::from_secs(1);
    let pool = PoolSettings { connect_timeout: second, statement_timeout: second, ..PoolSettings::default() };
    let redis = connect::redis_if_there("REDIS_URL", &config.redis_url, pool)?;
    let subscriber = Client::open(config.redis_url.expose_secret()).context("REDIS_URL")?;
    let verifier = Verifier::new(&config.auth, Some(redis.clone()))?;
    let services = Services::start(&config.registry, &config.calls, NAME, &stop)?;
    let grpc = GrpcServices::start(&config.registry, &config.calls, &config.grpc_calls, NAME, &stop)?;

    let (known, cache) = (Known::new(&database), Cache::new(redis.clone()));
    let stock = Stock::new(grpc.clone(), config.order_timeout);
    let (runner, woken) = Runner::new(orders.clone(), stock, known.clone(), hooks);
    let is_worker = config.plays(Role::Worker);
    let pinged = redis.clone();
    let mut health =
        documents::health(NAME, VERSION, &mongodb, &broker)
            .dependency("redis", Need::Optional, move || connect::ping_redis(pinged.clone()));
    let tools = Tools { orders: orders.clone(), known, cache: cache.clone(), runner: runner.clone(), redis };
    let consumers = is_worker.then(|| Consumers::new(&broker, tools));
    if let Some(consumers) = &consumers {
        // One that also answers requests takes orders without a broker.
        health = consumers.in_health(health, !config.plays(Role::Api));
    }

    let left = register(&config, address, grpc_address, &health)?.leave_before(stop.clone());
    let mut background = Background::default();
    background.spawn(|stop| relay.run(stop));
    background.spawn(|stop| runner.clone().run(woken, stop));
    background.spawn(|stop| Arc::clone(&orders.watch).run(stop));
    if let Some(consumers) = consumers {
        consumers.start(&mut background);
        background.spawn(|stop| runner.clone().sweep(stop));
        background.spawn(|stop| orders.documents.clone().forget_claims(stop));
    } else {
        background.spawn(|stop| documents::declare(broker.clone(), stop));
    }
    let products = Products::new(cache, grpc);
    let app = App { orders, products, runner, services, order_timeout: config.order_timeout, stop: left.clone() };
    if config.plays(Role::Api) {
        background.spawn(|stop| notices::listen(Arc::clone(&app.orders.watch), subscriber, stop));
    }
    let parts = Parts { config, listener, grpc_listener, broker, app, verifier, health, background };
    Ok(Running::spawn(address, stop, parts.run(left)).with_grpc(grpc_address))
}

/// Only those that answer requests are `orders`: nobody is to send any to a process that only handles events.
fn register(
    config: &Config,
    address: SocketAddr,
    grpc_address: SocketAddr,
    health: &Health,
) -> anyhow::Result<Registration> {
    let name = if config.plays(Role::Api) { NAME } else { "orders-worker" };
    let metadata = BTreeMap::from([(GRPC_PORT.to_owned(), grpc_address.port().to_string())]);
    let health = health.clone();
    let ready = move || health.not_ready().is_empty();
    Registration::with_metadata(&config.registry, name, VERSION, address, metadata, ready)
}

struct Parts {
    config: Config,
    listener: TcpListener,
    grpc_listener: TcpListener,
    broker: Broker,
    app: App,
    verifier: Verifier,
    health: Health,
    background: Background,
}

impl Parts {
    /// Requests and calls, then what goes on beside them: all of it within STOP_TIMEOUT.
    async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let Self { config, listener, grpc_listener, broker, app, verifier, health, background } = self;
        let stop_timeout = config.http.stop_timeout;
        let limits = HttpLimits { stop_timeout: stop_timeout * 3 / 5, ..config.http.limits() };

        let mut grpc = GrpcServer::new(health.clone(), proto::FILE_DESCRIPTOR_SET);
        let (mut routes, mut openapi) = (Router::new(), OpenApi::default());
        if config.plays(Role::Api) {
            grpc = grpc.service(get_orders::service(app.orders.clone()));
            (routes, openapi) = (router(app, verifier), crate::openapi());
        }
        let grpc = service::grpc::serve(grpc_listener, grpc.router()?, stop.clone(), limits);
        let http = service::serve(listener, service::app(routes, health, openapi), stop, limits);
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
