//! The start of the program: what it is made of.

use client::Registration;
use service::auth::Verifier;
use service::connect::{self, PoolSettings};
use service::documents::{self, Documents};
use service::grpc::GrpcServer;
use service::{Background, Running, Serving};
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
    let (http, grpc) = (service::listen(config.http.listen).await?, config.grpc.listen().await?);
    let (address, grpc_address) = (http.local_addr()?, grpc.local_addr()?);

    let (pool, limits) = (PoolSettings::connections(32), config.http.limits());
    let store = config.store.connect(NAME, pool, &config.retry, limits.stop_timeout).await?;
    let (database, broker) = (store.database(&config.owners_database), store.broker.clone());
    let (owners, relay) = Documents::open(&database, "owners", broker.publisher(), store.relay.clone()).await?;
    let redis = connect::redis_if_there("REDIS_URL", &config.redis_url, PoolSettings::default())?;
    let verifier = Verifier::new(&config.auth, Some(redis))?;
    let health = store.health(NAME, VERSION);

    let mut background = Background::default();
    background.spawn(|stop| relay.run(stop));
    background.spawn(|stop| owners.clone().forget_claims(stop));
    background.spawn(|stop| documents::declare(broker.clone(), stop));

    let (registry, ready) = (&config.registry, health.readiness());
    let registration = Registration::with_grpc(registry, NAME, VERSION, address, Some(grpc_address), ready)?;
    let calls = GrpcServer::new(health.clone(), proto::FILE_DESCRIPTOR_SET).service(get_owner::service(owners.clone()));
    let app = service::app(router(App { owners }, verifier), health, openapi());
    let serving = Serving::http(http, app, limits, registration.leave_before(stop.clone()))?;
    Ok(serving.grpc(grpc, calls.router()?)?.start(background, broker, stop))
}
