//! Texts over HTTP.

use crate::support::{Ask, World};

#[tokio::test]
async fn a_text_or_the_default_one_goes_to_the_queue_tasks() {
    let world = World::new().await;
    let producer = world.producer().await;
    producer.get("/").answer().await.expect(202);
    let accepted = producer.get("/send?msg=good%20day").answer().await.expect(202);
    let messages = world.take("tasks", 2).await;
    assert_eq!(messages[0].json()["message"], "Hello from Warren!");
    assert_eq!(messages[1].json()["message"], "good day");
    assert_eq!(messages[1].properties["message_id"], accepted.task());
}

#[tokio::test]
async fn a_text_that_cannot_be_stored_is_refused() {
    let world = World::new().await;
    let producer = world.producer().await;
    let zero = producer.get("/send?msg=a%00b").answer().await.expect(422);
    insta::assert_json_snapshot!("a_text_with_zero", zero.problem());
    let long = producer.status_of_raw_get(&format!("/send?msg={}", "x".repeat(64 * 1024 + 1))).await;
    assert!(matches!(long, 413 | 414), "{long}");
}
