//! The gateway's start, its run and its end.

use std::time::Duration;

use client::{CallArgs, Registration, Services};
use redis::aio::ConnectionManager;
use service::auth::Verifier;
use service::connect::{self, PoolSettings};
use service::http::HttpSettings;
use service::{Health, Need, Running};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::{App, Parts, router};
use crate::limit::{Limiter, Policy};
use crate::{Config, cors, timing};

const NAME: &str = "gateway";

/// Calls have limits of their own, which do not run while a body makes progress. This one is for what is left: an upload that
/// comes just fast enough, for a day.
const HANDLER_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// Starts a gateway. It needs nobody: Redis, the registry and the services may come and go.
///
/// # Errors
/// If the address is taken, or a setting cannot be used.
pub async fn start(config: Config, stop: CancellationToken) -> anyhow::Result<Running> {
    let redis = connect::redis_if_there("REDIS_URL", &config.redis_url, pool())?;
    let verifier = Verifier::new(&config.auth, Some(redis.clone()))?;
    // The registry does not know itself, and is asked how it is as all others are.
    let service_urls = config.calls.service_urls.clone().with("registry", &config.registry.registry_url);
    let calls = CallArgs { service_urls, ..config.calls.clone() };
    let services = Services::start(&config.registry, &calls, NAME, &stop)?;
    // Only now: who cannot use its settings is not to seem to be there.
    let listener = service::listen(config.http.listen).await?;
    let address = listener.local_addr()?;
    let registration = Registration::start(&config.registry, NAME, env!("CARGO_PKG_VERSION"), address, || true)?;
    // Who looks for gateways is to hear that this one leaves before it takes no more connections.
    let leaving = registration.leave_before(stop.clone());
    Ok(Running::spawn(address, stop, serve(config, listener, redis, verifier, services, leaving)))
}

fn pool() -> PoolSettings {
    let second = Duration::from_secs(1);
    PoolSettings { connect_timeout: second, statement_timeout: second, ..PoolSettings::default() }
}

async fn serve(
    config: Config,
    listener: TcpListener,
    redis: ConnectionManager,
    verifier: Verifier,
    services: Services,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let health = health(redis.clone(), services.clone());
    let policy = Policy { limit: config.limit.rate_limit, window: config.limit.rate_limit_window };
    let (router, openapi) = router(App::new(Parts {
        services,
        verifier,
        limiter: (policy.limit > 0).then(|| Limiter::new(policy, redis, config.limit.rate_limit_patience)),
        trusted_proxies: config.trusted_proxies.0,
        call_timeout: config.calls.call_timeout,
        max_body: config.max_body,
        stop: stop.clone(),
    }));
    let settings = HttpSettings {
        body_limit: config.max_body,
        body_timeout: None,
        decompress: false,
        handler_timeout: HANDLER_TIMEOUT,
        finish_abandoned: false,
        ..HttpSettings::default()
    };
    let router = service::http::app_with(router, health, openapi, settings);
    let router = timing::timed(cors::allowed(router, config.cors_origins));
    let served = service::serve(listener, router, stop, config.http.limits()).await;
    tracing::info!("stopped");
    served
}

/// Without Redis each gateway counts by itself, and sessions are not looked up.
fn health(redis: ConnectionManager, services: Services) -> Health {
    Health::new(NAME, env!("CARGO_PKG_VERSION"))
        .dependency("redis", Need::Optional, move || connect::ping_redis(redis.clone()))
        .status_detail("instances", move || serde_json::to_value(services.report()).unwrap_or_default())
}
