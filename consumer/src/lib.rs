//! Warren's read side: applies tasks and events to MongoDB, MariaDB/MySQL and Redis, and serves the reads.

pub mod admin;
pub mod config;
pub mod consumers;
pub mod handlers;
mod lines;
pub mod mail;
pub mod read;
pub mod report;
pub mod role;
pub mod search;
pub mod stores;

use std::time::Duration;

use anyhow::Context;
use axum::Router;
use client::Services;
use messaging::{Broker, Settings};
use secrecy::ExposeSecret;
use service::auth::Verifier;
use service::connect::{PoolSettings, redis_if_there};
use service::{Health, Need};
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;

use admin::Admin;
use config::Config;
use consumers::Consumers;
use stores::Stores;

/// Connects to RabbitMQ and declares the topology.
pub async fn connect_broker(config: &Config) -> anyhow::Result<Broker> {
    let mut settings = Settings::new(config.amqp_url.expose_secret(), "consumer", contracts::topology());
    settings.first_connect = config.retry.backoff();
    // It publishes reports, answers, and copies of what failed: one message for a batch, mostly.
    settings.publish_channels = 1;
    Broker::connect(settings).await.context("connecting to RabbitMQ at AMQP_URL")
}

/// What verifies access tokens. It does without Redis while that is away, as also those do whose roles do not need it.
pub fn verifier(config: &Config) -> anyhow::Result<Verifier> {
    let limit = Duration::from_secs(1);
    let settings = PoolSettings { connect_timeout: limit, statement_timeout: limit, ..PoolSettings::default() };
    let redis = redis_if_there("REDIS_URL", &config.redis_url, settings)?;
    Verifier::new(&config.auth, Some(redis))
}

/// What the process depends on: the broker, the stores in use, and its own consumers.
pub fn health(broker: &Broker, stores: &Stores, consumers: &Consumers) -> Health {
    let broker = broker.clone();
    let health = Health::new("consumer", env!("CARGO_PKG_VERSION")).dependency("rabbitmq", Need::Required, move || {
        let broker = broker.clone();
        async move { broker.ping().await }
    });
    consumers.in_health(stores.in_health(health))
}

/// All routes of the program, and their description. What admins have begun ends on `stop`.
pub fn router(
    broker: &Broker,
    stores: Stores,
    services: Services,
    health: Health,
    verifier: Verifier,
    stop: &CancellationToken,
) -> (Router, OpenApi) {
    let (admin, of_admins) = admin::router(Admin::new(broker, &stores, stop), verifier.clone());
    let (reads, mut described) = read::router(stores, services, health, verifier);
    described.merge(of_admins);
    (reads.merge(admin), described)
}
