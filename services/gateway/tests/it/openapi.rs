//! The API's description.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Ask, Gateway};

/// What the services say of themselves, as their own tests keep it.
const PRODUCER: &str = include_str!("../../../../producer/tests/it/snapshots/it__openapi__openapi.snap");
const CONSUMER: &str = include_str!("../../../../consumer/tests/it/snapshots/it__http__openapi.snap");

#[test]
fn the_description_is_as_it_was() {
    insta::assert_json_snapshot!("openapi", gateway::openapi());
}

#[tokio::test]
async fn the_description_is_served_and_has_what_is_passed_on_and_the_gateways_own_routes() {
    let gateway = Gateway::start(&[]).await;
    let described = gateway.get("/api-docs/openapi.json").answer().await.expect(200).json();
    for path in ["/auth/me", "/api/users/{id}", "/api/orders", "/api/user/{id}/dashboard", "/health", "/status"] {
        assert!(described["paths"][path]["get"].is_object(), "{path} is missing");
    }
    for path in ["/health", "/live", "/ready", "/metrics", "/status", "/api-docs/"] {
        gateway.get(path).answer().await.expect(200);
    }
}

#[test]
fn what_is_passed_on_is_what_the_services_describe() {
    let described = serde_json::to_value(gateway::openapi()).expect("a description is JSON");
    let of_services = ["/auth", "/api/users", "/api/records", "/api/tasks", "/api/search", "/api/admin"];
    let ours: BTreeSet<_> = operations(&described)
        .into_iter()
        .filter(|(_, path)| of_services.iter().any(|family| is_within(path, family)))
        .collect();
    let families = ["/auth", "/users", "/records", "/tasks"];
    let producers = operations(&kept(PRODUCER)).into_iter();
    let producers = producers.filter(|(_, path)| families.iter().any(|family| is_within(path, family)));
    let consumers = operations(&kept(CONSUMER)).into_iter().filter(|(_, path)| {
        ["/records/{srn}", "/users/{id}/everywhere"].contains(&path.as_str())
            || ["/search", "/admin"].iter().any(|family| is_within(path, family))
    });
    let public = |path: String| if path.starts_with("/auth") { path } else { format!("/api{path}") };
    let theirs: BTreeSet<_> = producers.chain(consumers).map(|(method, path)| (method, public(path))).collect();
    assert_eq!(ours, theirs);
}

fn is_within(path: &str, family: &str) -> bool {
    path.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The methods and paths of a description.
fn operations(described: &Value) -> BTreeSet<(String, String)> {
    let paths = described["paths"].as_object().expect("a description has paths").iter();
    let methods = |operations: &Value| {
        let operations = operations.as_object().expect("a path has operations");
        operations.keys().cloned().collect::<Vec<_>>()
    };
    paths.flat_map(|(path, operations)| methods(operations).into_iter().map(move |one| (one, path.clone()))).collect()
}

/// The JSON of a snapshot, after its head.
fn kept(snapshot: &str) -> Value {
    let json = snapshot.splitn(3, "---\n").nth(2).expect("a snapshot has a head");
    serde_json::from_str(json).expect("a description is JSON")
}
