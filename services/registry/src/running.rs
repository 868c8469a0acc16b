//! The registry's start, its run and its end.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use redis::Client;
use redis::aio::ConnectionManager;
use secrecy::ExposeSecret;
use service::connect::{self, PoolSettings};
use service::{Background, Health, Need, Running};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::address::Addresses;
use crate::store::Store;
use crate::token::Token;
use crate::watch::{self, View};
use crate::{App, Config, Parts, router};

/// Shorter than what instances and callers wait for an answer.
const REDIS_LIMIT: Duration = Duration::from_secs(2);

/// Starts a registry. It needs Redis.
pub async fn start(config: Config, stop: CancellationToken) -> anyhow::Result<Running> {
    config.check()?;
    let listener = service::listen(config.http.listen).await?;
    let address = listener.local_addr()?;
    let limits =
        PoolSettings { statement_timeout: REDIS_LIMIT, connect_timeout: REDIS_LIMIT, ..PoolSettings::default() };
    let redis = connect::redis("REDIS_URL", &config.redis_url, limits, &config.retry.backoff()).await?;
    let client = Client::open(config.redis_url.expose_secret()).context("REDIS_URL")?;
    let serving = run(config, listener, redis, client, stop.clone());
    Ok(Running::spawn(address, stop, serving))
}

async fn run(
    config: Config,
    listener: TcpListener,
    redis: ConnectionManager,
    client: Client,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    // Channels belong to the whole server, and the rest to one of its databases.
    let database = client.get_connection_info().redis_settings().db();
    let channel: Arc<str> = format!("registry:{database}:changes").into();
    let (unhealthy_after, forget_after) = (config.registry_unhealthy_after, config.registry_forget_after);
    let store = Store::new(redis.clone(), channel.clone(), unhealthy_after, forget_after);
    let view = Arc::new(View::new());

    let mut background = Background::default();
    background.spawn(|stop| watch::follow(view.clone(), store.clone(), stop));
    background.spawn(|stop| watch::listen(view.clone(), client, channel, stop));

    let limits = config.http.limits();
    let health = health(redis, view.clone());
    let addresses = Addresses::new(config.registry_allowed_networks);
    let (router, openapi) =
        router(App(Arc::new(Parts { token: Token::new(config.registry_token), addresses, store, view })));
    let serving = service::serve(listener, service::app(router, health, openapi), stop, limits);
    let served = background.beside(serving, REDIS_LIMIT).await;
    tracing::info!("stopped");
    served
}

fn health(redis: ConnectionManager, view: Arc<View>) -> Health {
    Health::new("registry", env!("CARGO_PKG_VERSION"))
        .dependency("redis", Need::Required, move || connect::ping_redis(redis.clone()))
        .ready_when("redis", move || view.is_current())
}
