//! The API's description.

use crate::support::{Ask, World};

#[test]
fn the_description_is_as_it_was() {
    insta::assert_json_snapshot!("openapi", registry::openapi());
}

#[tokio::test]
async fn every_route_is_served_and_described() {
    let world = World::new().await;
    let registry = world.registry().await;
    let described = registry.get("/api-docs/openapi.json").answer().await.expect(200).json();
    for path in [
        "/register",
        "/heartbeat",
        "/deregister",
        "/discover/{service}",
        "/services",
        "/watch",
        "/health",
        "/live",
        "/ready",
        "/metrics",
        "/status",
    ] {
        assert!(described["paths"][path].is_object(), "{path} is not described");
    }
    for path in ["/health", "/live", "/ready", "/metrics", "/status", "/api-docs/", "/services", "/discover/x"] {
        registry.get(path).answer().await.expect(200);
    }
}
