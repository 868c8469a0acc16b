//! Redis is away, comes back, and may even have lost its data.

use redis::{Client, cmd};
use testkit::{eventually, private_redis};

use crate::support::{Ask, reference, registration, registry};

#[tokio::test]
async fn without_redis_all_is_answered_with_503_and_watchers_stay() {
    let redis = private_redis().await;
    let registry = registry(redis.url(), &[]).await;
    registry.register("producer", "p-1").answer().await.expect(200);
    let mut watcher = registry.watch("").await;
    watcher.until("producer", &["p-1"]).await;

    redis.kill9().await;
    for (path, body) in [
        ("/register", registration("producer", "p-2")),
        ("/heartbeat", reference("producer", "p-1")),
        ("/deregister", reference("producer", "p-1")),
    ] {
        let answer = registry.post(path, &body).answer().await.expect(503);
        assert_eq!(answer.header("retry-after"), "2", "{path}");
    }
    for path in ["/discover/producer", "/services"] {
        assert_eq!(registry.get(path).answer().await.expect(503).header("retry-after"), "2", "{path}");
    }
    eventually("it is not ready", async || (registry.get("/ready").answer().await.status == 503).then_some(())).await;
    assert_eq!(registry.get("/watch").answer().await.expect(503).header("retry-after"), "2");
    eventually("/health says so", async || {
        let health = registry.get("/health").answer().await;
        (health.status == 503).then(|| assert_eq!(health.json()["dependencies"]["redis"]["status"], "down"))
    })
    .await;
    registry.get("/live").answer().await.expect(200);

    redis.start().await;
    registry.is_ready().await;
    assert_eq!(registry.discover("producer").await, ["p-1"]);
    registry.heartbeat("producer", "p-1").answer().await.expect(204);
    registry.register("producer", "p-2").answer().await.expect(200);
    assert_eq!(watcher.next().await, ("producer".into(), vec!["p-1".into(), "p-2".into()]));
}

#[tokio::test]
async fn a_redis_that_is_frozen_is_given_up_on() {
    let redis = private_redis().await;
    let registry = registry(redis.url(), &[]).await;
    registry.register("producer", "p-1").answer().await.expect(200);
    redis.pause();
    registry.get("/discover/producer").answer().await.expect(503);
    redis.resume();
    eventually("it answers again", async || {
        (registry.get("/discover/producer").answer().await.status == 200).then_some(())
    })
    .await;
    assert_eq!(registry.discover("producer").await, ["p-1"]);
}

#[tokio::test]
async fn a_redis_that_has_lost_its_data_gets_back_who_was_there() {
    let redis = private_redis().await;
    let registry = registry(redis.url(), &[]).await;
    let mut watcher = registry.watch("").await;
    registry.register("producer", "p-1").answer().await.expect(200);
    watcher.until("producer", &["p-1"]).await;
    registry.register("consumer", "c-1").answer().await.expect(200);
    watcher.until("consumer", &["c-1"]).await;

    let mut connection = Client::open(redis.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let () = cmd("FLUSHALL").query_async(&mut connection).await.unwrap();
    eventually("they are there again", async || {
        (registry.discover("producer").await == ["p-1"] && registry.discover("consumer").await == ["c-1"]).then_some(())
    })
    .await;
    registry.heartbeat("producer", "p-1").answer().await.expect(204);
    // Nobody was told that they had gone.
    registry.register("producer", "p-2").answer().await.expect(200);
    assert_eq!(watcher.next().await, ("producer".into(), vec!["p-1".into(), "p-2".into()]));
}
