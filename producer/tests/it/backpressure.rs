//! Bounds: past them the answer is 503, never growth.

use std::cell::Cell;

use serde_json::json;

use crate::support::{Ask, World, user};

#[tokio::test]
async fn a_full_backlog_refuses_writes_until_it_drains() {
    let world = World::new().await;
    let proxy = testkit::proxy(world.rabbit.url()).await;
    proxy.cut().await;
    let bounded = ["--outbox-max-backlog=5"];
    let producer = world.producer_at(world.postgres.url(), &proxy.url_for(world.rabbit.url()), &bounded).await;
    let accepted = Cell::new(0);
    let full = testkit::eventually("writes are refused", async || {
        let answer = producer.get("/").answer().await;
        if answer.status == 202 {
            accepted.set(accepted.get() + 1);
            return None;
        }
        Some(answer.expect(503))
    })
    .await;
    assert!(accepted.get() >= 5);
    assert_eq!(full.header("retry-after"), "5");
    insta::assert_json_snapshot!("a_full_backlog", full.problem());
    producer.create_user("ada@example.org").answer().await.expect(503);

    proxy.restore().await;
    testkit::eventually("writes are accepted again", async || {
        (producer.get("/").answer().await.status == 202).then_some(())
    })
    .await;
    world.take("tasks", accepted.get() + 1).await;
}

#[tokio::test]
async fn passwords_past_the_bound_are_refused_and_other_writes_are_not_held_up() {
    let world = World::new().await;
    // About half a second for each hash.
    let slow = ["--hashing-threads=1", "--hashing-queue=1", "--argon2-passes=20000"];
    let producer = world.producer_with(&slow).await;
    let creating = (0..20).map(|number| producer.create_user(&format!("u{number}@example.org")).answer());
    let sending = async {
        testkit::eventually("a text gets through", async || {
            (producer.get("/").answer().await.status == 202).then_some(())
        })
        .await;
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all(creating), sending);
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert!(refused.len() >= 17, "{} were refused", refused.len());
    assert_eq!(refused[0].header("retry-after"), "2");
    insta::assert_json_snapshot!("too_many_passwords", refused[0].problem());
    assert!(answers.iter().any(|answer| answer.status == 202));
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_large_passwords_at_once_are_all_refused() {
    let world = World::new().await;
    let producer = world.producer().await;
    let mut large = user("ada@example.org");
    large["password"] = json!("x".repeat(900 * 1024));
    let large = bytes::Bytes::from(large.to_string());
    let requests = (0..500).map(|_| producer.post_raw("/users", "application/json", large.clone()).answer());
    for answer in futures_util::future::join_all(requests).await {
        answer.expect(422);
    }
}
