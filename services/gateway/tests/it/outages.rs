//! Redis comes and goes.

use std::time::Duration;

use crate::stub::Stub;
use crate::support::{Ask, Gateway, urls, user};

#[tokio::test]
async fn without_redis_a_gateway_starts_and_counts_by_itself() {
    let products = Stub::echo("products").await;
    let redis = format!("redis://127.0.0.1:{}", testkit::free_port());
    let urls = urls(&[("products", &products)]);
    let gateway = Gateway::start_with_redis(&redis, &[&urls, "--rate-limit=3"]).await;
    for _ in 0..3 {
        gateway.get("/api/products").by(&user()).answer().await.expect(200);
    }
    gateway.get("/api/products").answer().await.refused(429);
    let health = gateway.get("/health").answer().await.expect(200).json();
    assert_eq!((&health["status"], &health["dependencies"]["redis"]["status"]), (&"degraded".into(), &"down".into()));
}

#[tokio::test]
async fn while_redis_is_away_requests_are_counted_here_and_afterwards_there_again() {
    let (redis, products) = (testkit::private_redis().await, Stub::echo("products").await);
    let urls = urls(&[("products", &products)]);
    let gateway =
        Gateway::start_with_redis(redis.url(), &[&urls, "--rate-limit=1000", "--rate-limit-patience=1"]).await;
    let remaining = async || {
        let answer = gateway.get("/api/products").answer().await.expect(200);
        answer.header("ratelimit-remaining").parse::<u64>().unwrap()
    };
    assert_eq!([remaining().await, remaining().await], [999, 998]);
    redis.kill9().await;
    // It goes on from what it knows.
    assert_eq!([remaining().await, remaining().await], [997, 996]);

    redis.start().await;
    let mut connection = connected(redis.url()).await;
    let counted = testkit::eventually("requests are counted in Redis again", async || {
        remaining().await;
        let count: Option<u64> =
            redis::cmd("GET").arg("rate_limit:127.0.0.1").query_async(&mut connection.clone()).await.ok()?;
        count.filter(|count| *count > 2)
    });
    counted.await;
    let before: u64 = redis::cmd("GET").arg("rate_limit:127.0.0.1").query_async(&mut connection).await.unwrap();
    assert_eq!(remaining().await, 1_000 - before - 1);
}

#[tokio::test]
async fn a_redis_that_answers_nothing_holds_up_one_request_a_second() {
    let (redis, products) = (testkit::private_redis().await, Stub::echo("products").await);
    let urls = urls(&[("products", &products)]);
    let gateway =
        Gateway::start_with_redis(redis.url(), &[&urls, "--rate-limit=100000", "--rate-limit-patience=0.3"]).await;
    gateway.get("/api/products").answer().await.expect(200);
    redis.pause();
    let begun = tokio::time::Instant::now();
    for _ in 0..50 {
        gateway.get("/api/products").answer().await.expect(200);
    }
    let took = begun.elapsed();
    redis.resume();
    assert!(took < Duration::from_secs(8), "50 requests took {took:?}: each has waited for Redis");
}

async fn connected(url: &str) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(url).expect("the test's URL is one");
    testkit::eventually("Redis is back", async || client.get_multiplexed_async_connection().await.ok()).await
}
