//! The start of the program: what it is made of, in each of its roles.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use client::grpc::GrpcServices;
use client::{Registration, Services};
use redis::Client;
use secrecy::ExposeSecret;
use service::auth::Verifier;
use service::connect::{self, PoolSettings};
use service::grpc::GrpcServer;
use service::roles::Role;
use service::{Background, Need, Running, Serving, documents};
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;

use crate::cache::{Cache, Products};
use crate::config::Config;
use crate::consume::{Consumers, Tools};
use crate::hooks::Hooks;
use crate::known::Known;
use crate::runner::Runner;
use crate::stock::Stock;
use crate::store::Orders;
use crate::{App, get_orders, notices, openapi, router};

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
    let (http, grpc) = (service::listen(config.http.listen).await?, config.grpc.listen().await?);
    let (address, grpc_address) = (http.local_addr()?, grpc.local_addr()?);
    let (is_api, is_worker) = (config.roles.plays(Role::Api), config.roles.plays(Role::Worker));

    let (pool, limits) = (PoolSettings::connections(64), config.http.limits());
    let store = config.store.connect(NAME, pool, &config.retry, limits.stop_timeout).await?;
    let (database, broker) = (store.database(&config.orders_database), store.broker.clone());
    let (orders, relay) = Orders::open(&database, broker.publisher(), store.relay.clone()).await?;

    let second = Duration::from_secs(1);
    let pool = PoolSettings { connect_timeout: second, statement_timeout: second, ..PoolSettings::default() };
    let redis = connect::redis_if_there("REDIS_URL", &config.redis_url, pool)?;
    let subscriber = Client::open(config.redis_url.expose_secret()).context("REDIS_URL")?;
    let verifier = Verifier::new(&config.auth, Some(redis.clone()))?;
    let services = Services::start(&config.registry, &config.calls, NAME, &stop)?;
    let products = GrpcServices::start(&config.registry, &config.calls, &config.grpc_calls, NAME, &stop)?;

    let (known, cache) = (Known::new(&database), Cache::new(redis.clone()));
    let stock = Stock::new(products.clone(), config.order_timeout);
    let (runner, woken) = Runner::new(orders.clone(), stock, known.clone(), hooks);
    let pinged = redis.clone();
    let ping = move || connect::ping_redis(pinged.clone());
    let mut health = store.health(NAME, VERSION).dependency("redis", Need::Optional, ping);
    let tools = Tools { orders: orders.clone(), known, cache: cache.clone(), runner: runner.clone(), redis };
    let consumers = is_worker.then(|| Consumers::new(&broker, tools));
    if let Some(consumers) = &consumers {
        // One that also answers requests takes orders without a broker.
        health = consumers.in_health(health, if is_api { Need::Optional } else { Need::Required });
    }

    // Only those that answer requests are `orders`: nobody is to send any to a process that only handles events.
    let (registry, name) = (&config.registry, config.roles.service(NAME, "orders-worker"));
    let registration =
        Registration::with_grpc(registry, name, VERSION, address, Some(grpc_address), health.readiness())?;
    let left = registration.leave_before(stop.clone());

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

    let mut calls = GrpcServer::new(health.clone(), proto::FILE_DESCRIPTOR_SET);
    let (mut routes, mut described) = (Router::new(), OpenApi::default());
    if is_api {
        background.spawn(|stop| notices::listen(Arc::clone(&orders.watch), subscriber, stop));
        calls = calls.service(get_orders::service(orders.clone()));
        let products = Products::new(cache, products);
        let app = App { orders, products, runner, services, order_timeout: config.order_timeout, stop: left.clone() };
        (routes, described) = (router(app, verifier), openapi());
    }
    let serving = Serving::http(http, service::app(routes, health, described), limits, left)?;
    Ok(serving.grpc(grpc, calls.router()?)?.start(background, broker, stop))
}
