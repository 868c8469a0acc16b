//! `Idempotency-Key`: a write that may be repeated.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Ask, World, record, user};

#[tokio::test]
async fn the_same_request_under_the_same_key_gets_the_first_answer_even_after_a_restart() {
    let world = World::new().await;
    let producer = world.producer().await;
    let first = producer.insert("A1").header("idempotency-key", "k-1").answer().await.expect(202);
    let again = producer.insert("A1").header("idempotency-key", "k-1").answer().await.expect(202);
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("location"), first.header("location"));
    // However it was written: the older route, a form.
    let form =
        producer.post_raw("/insert_record", "application/x-www-form-urlencoded", "srn=A1&name=Ada+Lovelace&section=B");
    assert_eq!(form.header("idempotency-key", "k-1").answer().await.expect(202).body, first.body);
    producer.stop().await;

    let producer = world.producer().await;
    let later = producer.insert("A1").header("idempotency-key", "k-1").answer().await.expect(202);
    assert_eq!(later.body, first.body);
    assert_eq!(world.count("SELECT count(*) FROM tasks").await, 1);
    // Another operation's keys are its own.
    producer.delete("/records/A1").header("idempotency-key", "k-1").answer().await.expect(202);
}

#[tokio::test]
async fn another_request_under_the_same_key_is_refused() {
    let world = World::new().await;
    let producer = world.producer().await;
    producer.insert("A1").header("idempotency-key", "k").answer().await.expect(202);
    let other = producer.insert("A2").header("idempotency-key", "k").answer().await.expect(422);
    insta::assert_json_snapshot!("a_key_used_for_another_request", other.problem());

    producer.create_user("ada@example.org").header("idempotency-key", "k").answer().await.expect(202);
    producer.create_user("ada@example.org").header("idempotency-key", "k").answer().await.expect(202);
    let mut password = user("ada@example.org");
    password["password"] = json!("another password");
    producer.post("/users", &password).header("idempotency-key", "k").answer().await.expect(422);
}

#[tokio::test]
async fn the_same_key_many_times_at_once_has_one_effect() {
    let world = World::new().await;
    let producers = [world.producer().await, world.producer().await];
    let requests = (0..40).map(|number| {
        let producer = &producers[number % 2];
        producer.get("/send?msg=once").header("idempotency-key", "k").answer()
    });
    let answers = join_all(requests).await;
    let first = answers[0].task();
    for answer in answers {
        assert_eq!(answer.expect(202).task(), first);
    }
    assert_eq!(world.count("SELECT count(*) FROM tasks").await, 1);
    assert_eq!(world.take("tasks", 1).await[0].properties["message_id"], first);
}

#[tokio::test]
async fn different_requests_at_once_under_one_key_have_one_effect() {
    let world = World::new().await;
    let producer = world.producer().await;
    let requests = (0..40).map(|number| {
        let srn = format!("R{}", number % 2);
        producer.post("/records", &record(&srn)).header("idempotency-key", "k").answer()
    });
    let mut statuses: Vec<u16> = join_all(requests).await.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [[202; 20], [422; 20]].concat());
    assert_eq!(world.count("SELECT count(*) FROM tasks").await, 1);
}

#[tokio::test]
async fn a_write_that_failed_may_be_tried_again_under_its_key() {
    let world = World::new().await;
    let producer = world.producer().await;
    producer.insert("A1").answer().await.expect(202);
    producer.insert("A1").header("idempotency-key", "k").answer().await.expect(409);
    producer.delete("/records/A1").answer().await.expect(202);
    producer.insert("A1").header("idempotency-key", "k").answer().await.expect(202);
}

#[tokio::test]
async fn a_key_has_a_form() {
    let world = World::new().await;
    let producer = world.producer().await;
    let long = "x".repeat(256);
    for key in ["", "é", long.as_str()] {
        let wrong = producer.insert("A1").header("idempotency-key", key).answer().await.expect(422);
        assert_eq!(wrong.json()["errors"][0]["field"], "Idempotency-Key");
    }
    producer.insert("A1").header("idempotency-key", &long[1..]).answer().await.expect(202);
}

#[tokio::test]
async fn keys_are_forgotten_after_a_day() {
    let world = World::new().await;
    let producer = world.producer().await;
    for key in ["old", "new"] {
        producer.get("/").header("idempotency-key", key).answer().await.expect(202);
    }
    producer.stop().await;
    let age = "UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE key = 'old'";
    sqlx::query(age).execute(world.postgres.pool()).await.unwrap();
    let _sweeping = world.producer().await;
    testkit::eventually("the old key is forgotten", async || {
        (world.count("SELECT count(*) FROM idempotency_keys WHERE key = 'old'").await == 0).then_some(())
    })
    .await;
    assert_eq!(world.count("SELECT count(*) FROM idempotency_keys").await, 1);
}
