//! Watchers are told all there is, then each change.

use crate::support::{Ask, World};

#[tokio::test]
async fn a_watcher_is_told_the_present_state_and_then_each_change() {
    let world = World::new().await;
    let registry = world.registry().await;
    for (service, id) in [("consumer", "c-1"), ("producer", "p-1"), ("producer", "p-2")] {
        registry.register(service, id).answer().await.expect(200);
    }
    // The replica looks at its own changes as at those of others: it has seen the last one once this says so.
    registry.watch("?service=producer").await.until("producer", &["p-1", "p-2"]).await;
    let mut watcher = registry.watch("").await;
    assert_eq!(watcher.next().await, ("consumer".into(), vec!["c-1".into()]));
    assert_eq!(watcher.next().await, ("producer".into(), vec!["p-1".into(), "p-2".into()]));
    registry.deregister("producer", "p-1").answer().await.expect(204);
    assert_eq!(watcher.next().await, ("producer".into(), vec!["p-2".into()]));
    registry.deregister("consumer", "c-1").answer().await.expect(204);
    assert_eq!(watcher.next().await, ("consumer".into(), vec![]));
}

#[tokio::test]
async fn a_watcher_of_some_services_hears_of_these_only() {
    let world = World::new().await;
    let registry = world.registry().await;
    let mut watcher = registry.watch("?service=b&service=c").await;
    assert_eq!(watcher.next().await, ("b".into(), vec![]));
    assert_eq!(watcher.next().await, ("c".into(), vec![]));
    registry.register("a", "a-1").answer().await.expect(200);
    registry.register("c", "c-1").answer().await.expect(200);
    assert_eq!(watcher.next().await, ("c".into(), vec!["c-1".into()]));
}

#[tokio::test]
async fn heartbeats_and_repeated_registrations_are_no_changes() {
    let world = World::new().await;
    let registry = world.registry().await;
    let mut watcher = registry.watch("?service=producer").await;
    watcher.until("producer", &[]).await;
    registry.register("producer", "p-1").answer().await.expect(200);
    watcher.until("producer", &["p-1"]).await;
    registry.heartbeat("producer", "p-1").answer().await.expect(204);
    registry.register("producer", "p-1").answer().await.expect(200);
    registry.register("producer", "p-2").answer().await.expect(200);
    assert_eq!(watcher.next().await, ("producer".into(), vec!["p-1".into(), "p-2".into()]));
}

#[tokio::test]
async fn watching_takes_places_that_are_given_back() {
    let world = World::new().await;
    let registry = world.registry().await;
    let mut watchers = Vec::new();
    for _ in 0..1_000 {
        watchers.push(registry.watch("").await);
    }
    registry.get("/watch").answer().await.expect(503);
    watchers.truncate(999);
    testkit::eventually("there is a place again", async || {
        let response = registry.get("/watch").send().await.unwrap();
        (response.status() == 200).then_some(())
    })
    .await;
}
