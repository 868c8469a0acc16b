//! Nobody without the token changes what callers are told (fault 42).

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Ask, World, at, reference, registration};

fn changes() -> [(&'static str, Value); 3] {
    [
        ("/register", at("producer", "p-1", "127.6.6.6")),
        ("/heartbeat", reference("producer", "p-1")),
        ("/deregister", reference("producer", "p-1")),
    ]
}

#[tokio::test]
async fn who_shows_no_token_or_a_wrong_one_changes_nothing() {
    let world = World::new().await;
    let registry = world.registry().await;
    registry.post("/register", &registration("producer", "p-1")).answer().await.expect(200);
    let before = registry.services().await;
    for (path, body) in changes() {
        let refused = registry.post_as_anybody(path, &body).answer().await.expect(401);
        assert_eq!(refused.header("www-authenticate"), "Bearer", "{path}");
        registry.post_as_anybody(path, &body).basic_auth("warren-registry-token", Some("")).answer().await.expect(401);
        for wrong in ["warren-registry-toke", "warren-registry-token2", "x"] {
            registry.post_as_anybody(path, &body).bearer_auth(wrong).answer().await.expect(403);
        }
    }
    assert_eq!(registry.services().await, before);
}

#[tokio::test]
async fn the_token_is_asked_for_before_the_body_is_read() {
    let world = World::new().await;
    let registry = world.registry().await;
    for (path, _) in changes() {
        registry.post_as_anybody(path, &json!("not even an object")).answer().await.expect(401);
    }
}

#[tokio::test]
async fn reading_is_open() {
    let world = World::new().await;
    let registry = world.registry().await;
    for path in ["/discover/producer", "/services", "/watch"] {
        assert_eq!(registry.get(path).send().await.unwrap().status(), StatusCode::OK, "{path}");
    }
}
