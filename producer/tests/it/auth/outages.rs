//! Redis away: users log in and are known, and logging out is not lost.

use serde_json::json;

use crate::support::{Ask, World};

#[tokio::test]
async fn without_redis_a_login_works_and_a_logout_is_repeated_until_it_holds() {
    let world = World::new().await;
    let proxy = testkit::proxy(world.redis.url()).await;
    proxy.cut().await;
    let producer = world.producer_with_redis_at(&proxy.url_for(world.redis.url())).await;
    let ada = producer.new_user("ada@example.org").await;
    producer.get(&format!("/users/{}", ada.id)).bearer_auth(&ada.access).answer().await.expect(200);
    producer.get("/ready").answer().await.expect(200);
    let health = producer.get("/health").answer().await.expect(200).json();
    assert_eq!((&health["status"], &health["dependencies"]["redis"]["status"]), (&"degraded".into(), &"down".into()));

    let log_out = || producer.post("/auth/logout", &json!({})).bearer_auth(&ada.access).answer();
    for _ in 0..2 {
        let unheard = log_out().await.expect(503);
        assert_eq!(unheard.header("retry-after"), "1");
        insta::assert_json_snapshot!("a_logout_that_not_all_know_of", unheard.problem());
    }
    // Here it holds all the same.
    producer.get("/auth/me").bearer_auth(&ada.access).answer().await.expect(401);
    producer.refresh(&ada.refresh).await.expect(401);
    proxy.restore().await;
    testkit::eventually("the logout is heard", async || (log_out().await.status == 204).then_some(())).await;
    // Only now: another producer that reaches Redis tells it of all sessions that have ended.
    world.producer().await.refuses(&ada.access).await;
}

#[tokio::test]
async fn a_logout_that_nobody_repeats_holds_once_redis_is_back() {
    let world = World::new().await;
    let proxy = testkit::proxy(world.redis.url()).await;
    let producer = world.producer_with_redis_at(&proxy.url_for(world.redis.url())).await;
    let ada = producer.new_user("ada@example.org").await;
    proxy.cut().await;
    producer.post("/auth/logout", &json!({})).bearer_auth(&ada.access).answer().await.expect(503);
    proxy.restore().await;
    producer.refuses(&ada.access).await;
}

#[tokio::test]
async fn a_redis_that_is_silent_holds_nobody_up_for_long() {
    let world = World::new().await;
    let proxy = testkit::proxy(world.redis.url()).await;
    let producer = world.producer_with_redis_at(&proxy.url_for(world.redis.url())).await;
    let ada = producer.new_user("ada@example.org").await;
    proxy.blackhole().await;
    let asking = (0..50).map(|_| producer.get("/tasks").bearer_auth(&ada.access).answer());
    let asked = tokio::time::timeout(std::time::Duration::from_secs(10), futures_util::future::join_all(asking)).await;
    for answer in asked.expect("nobody waits for Redis") {
        answer.expect(200);
    }
    producer.post("/auth/logout", &json!({})).bearer_auth(&ada.access).answer().await.expect(503);
}
