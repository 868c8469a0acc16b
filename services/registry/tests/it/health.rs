//! How the registry itself is, and its start.

use clap::Parser;
use registry::{Config, start};
use tokio_util::sync::CancellationToken;

use crate::support::{Ask, World};

#[tokio::test]
async fn health_tells_of_redis() {
    let world = World::new().await;
    let registry = world.registry().await;
    let health = registry.get("/health").answer().await.expect(200).json();
    assert_eq!(health["dependencies"]["redis"]["status"], "up");
    assert_eq!(health["dependencies"]["redis"]["required"], true);
}

#[tokio::test]
async fn in_production_the_example_token_is_refused_at_the_start() {
    let world = World::new().await;
    let arguments = ["registry", "--listen=127.0.0.1:0", "--environment=production", "--redis-url", world.redis.url()];
    let error = start(Config::parse_from(arguments), CancellationToken::new()).await.unwrap_err();
    assert!(error.to_string().contains("REGISTRY_TOKEN"), "{error}");
}
