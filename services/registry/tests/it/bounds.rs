//! What the registry takes on, and no more.

use redis::AsyncCommands;
use serde_json::json;

use crate::support::{Ask, World, at, reference};

#[tokio::test]
async fn every_field_that_is_wrong_is_named() {
    let world = World::new().await;
    let registry = world.registry().await;
    let body = json!({ "service": "No", "instance": { "id": "a/b", "host": "127.0.0.1", "port": 0 } });
    let problem = registry.post("/register", &body).answer().await.expect(422).json();
    let fields: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|error| &error["field"]).collect();
    assert_eq!(fields, ["service", "instance.id", "instance.port"]);
    for host in ["", "a b", "http://127.0.0.1/", "127.0.0.1:80", "fe80::1%lo"] {
        let problem = registry.post("/register", &at("producer", "p-1", host)).answer().await.expect(422).json();
        assert_eq!(problem["errors"][0]["field"], "instance.host", "{host}");
    }
    let mut body = at("producer", "p-1", "127.0.0.1");
    body["instance"]["port"] = json!(65536);
    registry.post("/register", &body).answer().await.expect(422);
    body["instance"]["port"] = json!(1);
    body["instance"]["metadata"] = json!({ "k": "v".repeat(257) });
    registry.post("/register", &body).answer().await.expect(422);
    for path in ["/heartbeat", "/deregister"] {
        registry.post(path, &reference("producer", "")).answer().await.expect(422);
        registry.post(path, &json!({})).answer().await.expect(422);
    }
    for path in ["/discover/NO", "/discover/a%2Fb", "/watch?service=NO"] {
        registry.get(path).answer().await.expect(422);
    }
}

#[tokio::test]
async fn a_service_has_at_most_a_thousand_instances() {
    let world = World::new().await;
    let registry = world.registry().await;
    // Put there directly: only how many there are matters.
    let members: Vec<(f64, String)> = (0..1_000).map(|number| (0.0, format!("producer/{number}"))).collect();
    let () = world.redis.connection().await.zadd_multiple("registry:index", &members).await.unwrap();
    registry.register("producer", "one-more").answer().await.expect(409);
    registry.register("consumer", "one-more").answer().await.expect(200);
}

#[tokio::test]
async fn there_are_at_most_a_thousand_services() {
    let world = World::new().await;
    let registry = world.registry().await;
    registry.register("producer", "p-1").answer().await.expect(200);
    let others: Vec<(String, i64)> = (0..999).map(|number| (format!("other-{number}"), 1)).collect();
    let () = world.redis.connection().await.hset_multiple("registry:services", &others).await.unwrap();
    registry.register("consumer", "c-1").answer().await.expect(409);
    registry.register("producer", "p-2").answer().await.expect(200);
}

#[tokio::test]
async fn there_are_at_most_ten_thousand_instances() {
    let world = World::new().await;
    let registry = world.registry().await;
    registry.register("producer", "p-1").answer().await.expect(200);
    let members: Vec<(f64, String)> = (0..9_999).map(|number| (0.0, format!("other/{number}"))).collect();
    let () = world.redis.connection().await.zadd_multiple("registry:index", &members).await.unwrap();
    registry.register("producer", "p-2").answer().await.expect(409);
    // One that is there may still be replaced.
    registry.register("producer", "p-1").answer().await.expect(200);
}
