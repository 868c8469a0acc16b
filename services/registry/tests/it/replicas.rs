//! Any number of replicas say the same, and none of them remembers anything that the others do not.

use futures_util::StreamExt;
use redis::{AsyncCommands, Client, cmd};
use testkit::eventually;
use tokio::time::timeout;

use crate::support::{Ask, LIMIT, World};

#[tokio::test]
async fn what_one_replica_is_told_the_other_says_and_its_watchers_hear() {
    let world = World::new().await;
    let (first, second) = tokio::join!(world.registry(), world.registry());
    let mut watcher = second.watch("?service=producer").await;
    assert_eq!(watcher.next().await, ("producer".into(), vec![]));
    first.register("producer", "p-1").answer().await.expect(200);
    assert_eq!(second.discover("producer").await, ["p-1"]);
    assert_eq!(watcher.next().await, ("producer".into(), vec!["p-1".into()]));
    second.heartbeat("producer", "p-1").answer().await.expect(204);
    second.deregister("producer", "p-1").answer().await.expect(204);
    assert!(first.discover("producer").await.is_empty());
    assert_eq!(watcher.next().await, ("producer".into(), vec![]));
}

#[tokio::test]
async fn a_restart_loses_nothing() {
    let world = World::new().await;
    let registry = world.registry().await;
    registry.register("producer", "p-1").answer().await.expect(200);
    registry.register("consumer", "c-1").answer().await.expect(200);
    let before = registry.services().await;
    registry.stop().await;
    let registry = world.registry().await;
    assert_eq!(registry.services().await, before);
    registry.heartbeat("producer", "p-1").answer().await.expect(204);
}

#[tokio::test]
async fn a_stop_ends_the_streams() {
    let world = World::new().await;
    let registry = world.registry().await;
    let watcher = registry.watch("").await;
    registry.stop().await;
    watcher.ends().await;
}

#[tokio::test]
async fn silence_is_not_held_against_instances_while_no_registry_was_there() {
    let world = World::new().await;
    let settings = ["--registry-unhealthy-after=3"];
    let registry = world.registry_with(&settings).await;
    registry.register("producer", "p-1").answer().await.expect(200);
    registry.stop().await;
    // An hour goes by.
    let mut redis = world.redis.connection().await;
    let hour = 3_600_000;
    let () = redis.zincr("registry:healthy", "producer/p-1", -hour).await.unwrap();
    let _: i64 = redis.hincr("registry:clock", "swept_at", -hour).await.unwrap();
    let registry = world.registry_with(&settings).await;
    assert_eq!(registry.discover("producer").await, ["p-1"]);
    eventually("it had its time to send a heartbeat", async || {
        registry.discover("producer").await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_instance_is_announced_as_unhealthy_once() {
    let world = World::new().await;
    let settings = ["--registry-unhealthy-after=1"];
    let (first, second) = tokio::join!(world.registry_with(&settings), world.registry_with(&settings));
    let mut watcher = first.watch("?service=producer").await;
    assert!(watcher.next().await.1.is_empty());
    second.register("producer", "p-1").answer().await.expect(200);
    assert_eq!(watcher.next().await.1, ["p-1"]);
    assert!(watcher.next().await.1.is_empty());
    // The next event is the next change: nothing was said twice in between.
    second.register("producer", "p-2").answer().await.expect(200);
    assert_eq!(watcher.next().await.1, ["p-2"]);
}

#[tokio::test]
async fn a_change_is_told_at_once_to_the_replicas_of_this_database_and_a_heartbeat_to_nobody() {
    let world = World::new().await;
    let (first, _second) = tokio::join!(world.registry(), world.registry());
    let channel = format!("registry:{}:changes", world.redis.url().rsplit('/').next().unwrap());
    let mut redis = world.redis.connection().await;
    eventually("both replicas listen", async || {
        let (_, listeners): (String, u32) =
            cmd("PUBSUB").arg("NUMSUB").arg(&channel).query_async(&mut redis.clone()).await.unwrap();
        (listeners == 2).then_some(())
    })
    .await;
    let mut heard = Client::open(world.redis.url()).unwrap().get_async_pubsub().await.unwrap();
    heard.subscribe(&channel).await.unwrap();
    first.register("producer", "p-1").answer().await.expect(200);
    first.heartbeat("producer", "p-1").answer().await.expect(204);
    first.register("consumer", "c-1").answer().await.expect(200);
    let services = heard.on_message().take(2).map(|message| message.get_payload().unwrap()).collect();
    let services: Vec<String> = timeout(LIMIT, services).await.expect("the changes are told");
    assert_eq!(services, ["producer", "consumer"]);
    let keys: Vec<String> = redis.keys("*").await.unwrap();
    assert!(keys.iter().all(|key| key.starts_with("registry:")), "{keys:?}");
}
