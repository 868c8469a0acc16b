//! Instances that come, stay, fall silent and leave.

use serde_json::json;
use testkit::eventually;

use crate::support::{Ask, World, at};

#[tokio::test]
async fn a_registered_instance_is_discovered_as_it_was_stored() {
    let world = World::new().await;
    let registry = world.registry().await;
    let mut body = at("producer", "p-1", "127.0.0.1");
    body["instance"]["metadata"] = json!({ "version": "1.2.3" });
    body["unknown"] = json!("is passed over");
    let stored = registry.post("/register", &body).answer().await.expect(200).json();
    assert_eq!(stored, body["instance"]);
    let discovered = registry.get("/discover/producer").answer().await.expect(200).json();
    assert_eq!(discovered, json!({ "service": "producer", "instances": [stored] }));
    let services = registry.services().await;
    let status = &services["producer"][0];
    assert_eq!((&status["id"], &status["healthy"]), (&json!("p-1"), &json!(true)));
    assert_eq!(status["registered_at"], status["last_heartbeat"]);
}

#[tokio::test]
async fn a_service_that_is_not_known_has_no_instances() {
    let world = World::new().await;
    let registry = world.registry().await;
    assert!(registry.discover("nobody").await.is_empty());
    assert_eq!(registry.services().await, json!({}));
}

#[tokio::test]
async fn instances_come_in_the_order_of_their_ids_and_services_do_not_mix() {
    let world = World::new().await;
    let registry = world.registry().await;
    // What stands just before and after `a/` in the order of characters.
    for (service, id) in [("a", "2"), ("a.b", "x"), ("a", "10"), ("a-", "y"), ("a0", "z"), ("a", "Z")] {
        registry.register(service, id).answer().await.expect(200);
    }
    assert_eq!(registry.discover("a").await, ["10", "2", "Z"]);
    assert_eq!(registry.discover("a.b").await, ["x"]);
    let services = registry.services().await;
    assert_eq!(services.as_object().unwrap().keys().collect::<Vec<_>>(), ["a", "a-", "a.b", "a0"]);
}

#[tokio::test]
async fn the_same_id_again_takes_the_place_of_the_one_before() {
    let world = World::new().await;
    let registry = world.registry().await;
    registry.register("producer", "p-1").answer().await.expect(200);
    let before = registry.services().await;
    let mut moved = at("producer", "p-1", "10.0.0.7");
    moved["instance"]["port"] = json!(9000);
    registry.post("/register", &moved).answer().await.expect(200);
    let after = registry.services().await;
    assert_eq!(after["producer"].as_array().unwrap().len(), 1);
    assert_eq!(after["producer"][0]["host"], "10.0.0.7");
    assert_eq!(after["producer"][0]["port"], 9000);
    assert_eq!(after["producer"][0]["registered_at"], before["producer"][0]["registered_at"]);
}

#[tokio::test]
async fn a_heartbeat_of_an_unknown_instance_is_told_to_register_again() {
    let world = World::new().await;
    let registry = world.registry().await;
    registry.register("producer", "p-1").answer().await.expect(200);
    registry.heartbeat("producer", "p-1").answer().await.expect(204);
    for (service, id) in [("producer", "p-2"), ("consumer", "p-1")] {
        let problem = registry.heartbeat(service, id).answer().await.expect(404).json();
        assert_eq!(problem["detail"], "this instance is not known: register again");
    }
}

#[tokio::test]
async fn an_instance_that_leaves_is_gone_at_once_and_may_leave_twice() {
    let world = World::new().await;
    let registry = world.registry().await;
    for id in ["p-1", "p-2"] {
        registry.register("producer", id).answer().await.expect(200);
    }
    registry.deregister("producer", "p-1").answer().await.expect(204);
    assert_eq!(registry.discover("producer").await, ["p-2"]);
    registry.deregister("producer", "p-1").answer().await.expect(204);
    registry.heartbeat("producer", "p-1").answer().await.expect(404);
    registry.deregister("producer", "p-2").answer().await.expect(204);
    assert_eq!(registry.services().await, json!({}));
}

#[tokio::test]
async fn a_silent_instance_is_no_longer_discovered_and_later_forgotten() {
    let world = World::new().await;
    let registry = world.registry_with(&["--registry-unhealthy-after=1", "--registry-forget-after=4"]).await;
    registry.register("producer", "silent").answer().await.expect(200);
    registry.register("producer", "alive").answer().await.expect(200);
    let beat = async || registry.heartbeat("producer", "alive").answer().await.expect(204);
    eventually("it is not discovered any more", async || {
        beat().await;
        (registry.discover("producer").await == ["alive"]).then_some(())
    })
    .await;
    let services = registry.services().await;
    assert_eq!(
        (&services["producer"][1]["id"], &services["producer"][1]["healthy"]),
        (&json!("silent"), &json!(false))
    );
    eventually("it is forgotten", async || {
        beat().await;
        (registry.services().await["producer"].as_array().unwrap().len() == 1).then_some(())
    })
    .await;
    registry.heartbeat("producer", "silent").answer().await.expect(404);
    assert_eq!(registry.discover("producer").await, ["alive"]);
}

#[tokio::test]
async fn a_heartbeat_makes_a_silent_instance_healthy_again() {
    let world = World::new().await;
    let registry = world.registry_with(&["--registry-unhealthy-after=1"]).await;
    registry.register("producer", "p-1").answer().await.expect(200);
    eventually("it is silent", async || registry.discover("producer").await.is_empty().then_some(())).await;
    registry.heartbeat("producer", "p-1").answer().await.expect(204);
    assert_eq!(registry.discover("producer").await, ["p-1"]);
}
