//! The start of the program: what it is made of, in each of its roles.

use axum::Router;
use client::Registration;
use client::grpc::GrpcServices;
use contracts::topology::queue;
use service::auth::Verifier;
use service::connect::{self, PoolSettings};
use service::grpc::GrpcServer;
use service::roles::Role;
use service::{Need, Running, Serving};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::owners::Owners;
use crate::parts::Parts;
use crate::{App, Config, description, image_router, openapi, router};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Starts the program. It needs MongoDB, and does without RabbitMQ for as long as that is away.
///
/// # Errors
/// If an address is taken, MongoDB cannot be reached, or a setting cannot be used.
pub async fn start(config: Config, stop: CancellationToken) -> anyhow::Result<Running> {
    config.auth.check()?;
    let (name, is_api) = (config.service(), config.roles.plays(Role::Api));
    let http = service::listen(config.http.listen).await?;
    let grpc = if is_api { Some(config.grpc.listen().await?) } else { None };
    let (address, grpc_address) = (http.local_addr()?, grpc.as_ref().map(TcpListener::local_addr).transpose()?);

    let parts = Parts::open(&config).await?;
    let consumer = config.roles.plays(Role::Worker).then(|| parts.store.broker.consumer(queue::PRODUCTS_OWNERS));
    let mut health = parts.store.health(name, VERSION);
    if let Some(storage) = parts.storage.clone() {
        health = health.dependency("s3", Need::Optional, move || storage.clone().check());
    }
    if let Some(consumer) = &consumer {
        // An API serves while its consumer is away; a mere worker without one does not work.
        let need = if is_api { Need::Optional } else { Need::Required };
        health = health.consumer(queue::PRODUCTS_OWNERS, consumer.status(), need);
    }

    let registration =
        Registration::with_grpc(&config.registry, name, VERSION, address, grpc_address, health.readiness())?;
    let (left, limits) = (registration.leave_before(stop.clone()), config.http.limits());
    let routes = if is_api {
        let (routes, images) = api(&config, &parts, &stop)?;
        service::app(routes, health.clone(), openapi()).merge(images)
    } else {
        service::app(Router::new(), health.clone(), description())
    };
    let mut serving = Serving::http(http, routes, limits, left)?;
    if let Some(grpc) = grpc {
        let calls = GrpcServer::new(health, proto::FILE_DESCRIPTOR_SET).service(parts.serve().service());
        serving = serving.grpc(grpc, calls.router()?)?;
    }
    let broker = parts.store.broker.clone();
    Ok(serving.start(parts.start(consumer), broker, stop))
}

/// What is served to users: all but images, and images.
fn api(config: &Config, parts: &Parts, stop: &CancellationToken) -> anyhow::Result<(Router, Router)> {
    let services = GrpcServices::start(&config.registry, &config.calls, &config.grpc_calls, "products", stop)?;
    let redis = connect::redis_if_there("REDIS_URL", &config.redis_url, PoolSettings::default())?;
    let verifier = Verifier::new(&config.auth, Some(redis))?;
    let (products, owners, storage) = (parts.products.clone(), Owners::new(services), parts.storage.clone());
    let app = App { products, owners, storage };
    Ok((router(app.clone(), verifier.clone()), image_router(app, verifier)))
}
