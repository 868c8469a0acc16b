//! The API's description.

use std::collections::BTreeSet;

use crate::support::{Ask, World};

#[test]
fn the_description_is_as_it_was() {
    insta::assert_json_snapshot!("openapi", producer::openapi());
}

#[tokio::test]
async fn every_route_of_the_table_is_served_and_described() {
    let world = World::new().await;
    let producer = world.producer().await;
    let described = producer.get("/api-docs/openapi.json").answer().await.expect(200).json();
    let paths: BTreeSet<&str> = described["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    for path in [
        "/",
        "/send",
        "/user",
        "/users",
        "/users/{id}",
        "/health_check",
        "/insert_record",
        "/records",
        "/delete_record",
        "/records/{srn}",
        "/read_database",
        "/tasks",
        "/tasks/{id}",
        "/tasks/{id}/events",
        "/health",
        "/live",
        "/ready",
        "/metrics",
        "/status",
    ] {
        assert!(paths.contains(path), "{path} is missing in {paths:?}");
    }
    for path in ["/health", "/live", "/ready", "/metrics", "/status", "/api-docs/"] {
        producer.get(path).answer().await.expect(200);
    }
}
