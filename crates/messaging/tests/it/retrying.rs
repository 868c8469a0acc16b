//! The retry ladder and the dead letters: a failed message always is in exactly one safe place.

use std::time::{Duration, Instant};

use messaging::Outcome;
use serde_json::json;
use testkit::{eventually, eventually_within, rabbitmq};

use crate::support::{Notes, QUEUE, Running, broker, job, when};

#[tokio::test]
async fn a_failed_message_comes_back_after_the_ladder_s_delays_and_is_parked_after_the_last_try() {
    let rabbit = rabbitmq().await;
    let broker = broker(rabbit.url()).await;
    let notes = Notes::default();
    let consumer = Running::start_with(broker.consumer(QUEUE).max_attempts(3), notes.clone());
    let message = job("retry").with_header("x-version", 4);
    let id = message.id;
    let started = Instant::now();
    assert_eq!(broker.publisher().publish(message).await, Outcome::Confirmed);
    eventually("a second try", || async { when(notes.times(id) == 2) }).await;
    let second = started.elapsed();
    assert!(second >= Duration::from_secs(1) && second < Duration::from_secs(4), "second try after {second:?}");
    eventually_within(Duration::from_secs(15), "a third try", || async { when(notes.times(id) == 3) }).await;
    let third = started.elapsed();
    assert!(third >= Duration::from_secs(6) && third < Duration::from_secs(11), "third try after {third:?}");
    assert_eq!(notes.attempts(id), [1, 2, 3]);

    eventually("it is parked", || async { when(rabbit.queue_depth("work.dead").await == 1) }).await;
    consumer.stop().await;
    let dead = rabbit.take("work.dead", 1).await.remove(0);
    let headers = &dead.headers;
    assert_eq!(dead.properties["message_id"], json!(id.to_string()), "the same message all along");
    assert_eq!(headers["x-dead-reason"], json!("failed 3 times, last: try again"));
    assert_eq!(headers["x-attempt"], json!(2), "two tries had failed before the last");
    assert_eq!(headers["x-version"], json!(4), "what the publisher set is kept");
    assert!(headers["x-first-failure"].is_string() && headers["x-dead-at"].is_string());
    assert_eq!(dead.json(), json!({"will": "retry"}));
    assert_eq!(rabbit.queue_depth(QUEUE).await, 0);
}

#[tokio::test]
async fn a_message_is_not_acked_before_its_copy_is_safe() {
    let rabbit = rabbitmq().await;
    let broker = broker(rabbit.url()).await;
    let notes = Notes::default();
    // The dead-letter queue takes nothing: the message must stay where it is, and consuming waits.
    rabbit.set_policy("full", "^work.dead$", json!({"max-length": 1, "overflow": "reject-publish"})).await;
    eventually("the dead-letter queue is closed", || async {
        let probe = messaging::Outgoing::raw("", "work.dead", "job", "{}");
        when(broker.publisher().publish(probe).await == Outcome::Nacked)
    })
    .await;
    let consumer = Running::start(&broker, &notes);
    let status = consumer.status.clone();
    broker.publisher().publish(job("reject")).await;
    eventually("consuming waits", || async { when(status.paused().is_some()) }).await;
    eventually("the original is kept", || async { when(rabbit.queue_depth(QUEUE).await == 1) }).await;
    // Making room, as an operator would. (Taking the policy away would not do: the queue tells its publishers only when it
    // gets shorter.)
    rabbit.take("work.dead", 1000).await;
    eventually("it is parked", || async {
        let parked = rabbit.peek("work.dead", 1000).await;
        when(parked.iter().filter(|message| message.headers["x-dead-reason"] == json!("never")).count() == 1)
    })
    .await;
    eventually("and acked", || async { when(rabbit.queue_depth(QUEUE).await == 0) }).await;
    consumer.stop().await;
}

#[tokio::test]
async fn a_dead_letter_queue_that_was_deleted_is_declared_again() {
    let rabbit = rabbitmq().await;
    let broker = broker(rabbit.url()).await;
    let notes = Notes::default();
    let consumer = Running::start(&broker, &notes);
    let status = consumer.status.clone();
    eventually("it consumes", || async { status.ready().ok() }).await;
    rabbit.delete_queue("work.dead").await;
    broker.publisher().publish(job("reject")).await;
    eventually("it is parked", || async {
        when(rabbit.queue_exists("work.dead").await && rabbit.queue_depth("work.dead").await == 1)
    })
    .await;
    eventually("and acked", || async { when(rabbit.queue_depth(QUEUE).await == 0) }).await;
    consumer.stop().await;
}
