//! Consuming: what is acked is done, what is not comes again, and the consumer is always there.

use std::time::Duration;

use messaging::{Delivery, Failure, HandleBatch, Outcome};
use serde_json::json;
use testkit::{eventually, eventually_within, private_rabbitmq, rabbitmq};
use tokio::sync::Semaphore;

use crate::support::{Job, Notes, QUEUE, Running, broker, job, when};

#[tokio::test]
async fn waiting_messages_are_handled_in_batches_and_acked() {
    let rabbit = rabbitmq().await;
    let broker = broker(rabbit.url()).await;
    broker.publisher().publish_all((0..500).map(|_| job("ok"))).await;
    let notes = Notes::default();
    let consumer = Running::start(&broker, &notes);
    eventually("all are done", || async { when(notes.done().len() == 500) }).await;
    assert!(notes.batches().len() < 250, "many at a time, not {} batches", notes.batches().len());
    eventually("all are acked", || async { when(rabbit.queue_depth(QUEUE).await == 0) }).await;
    consumer.stop().await;
    assert_eq!(notes.done().len(), 500, "nothing was handled twice");
}

#[tokio::test]
async fn one_of_a_batch_fails_alone() {
    let rabbit = rabbitmq().await;
    let broker = broker(rabbit.url()).await;
    let messages = [job("ok"), job("reject"), job("ok"), job("refuse"), job("ok")];
    let [first, rejected, .., last] = messages.clone().map(|message| message.id);
    broker.publisher().publish_all(messages).await;
    let notes = Notes::default();
    let consumer = Running::start(&broker, &notes);
    eventually("the batch is settled", || async { when(rabbit.queue_depth(QUEUE).await == 0) }).await;
    consumer.stop().await;
    assert_eq!(notes.done().len(), 3);
    assert!(notes.done().contains(&first) && notes.done().contains(&last));
    let dead = rabbit.take("work.dead", 10).await;
    assert_eq!(dead.len(), 1, "the refused one is not dead-lettered");
    assert_eq!(dead[0].properties["message_id"], json!(rejected.to_string()));
    assert_eq!(dead[0].headers["x-dead-reason"], json!("never"));
    assert_eq!(dead[0].headers["x-dead-queue"], json!(QUEUE));
}

#[tokio::test]
async fn a_panic_parks_the_message_that_causes_it_and_no_other() {
    let rabbit = rabbitmq().await;
    let broker = broker(rabbit.url()).await;
    let messages = [job("ok"), job("panic"), job("ok")];
    let culprit = messages[1].id;
    broker.publisher().publish_all(messages).await;
    let notes = Notes::default();
    let consumer = Running::start(&broker, &notes);
    eventually("the batch is settled", || async { when(rabbit.queue_depth(QUEUE).await == 0) }).await;
    consumer.stop().await;
    assert_eq!(notes.done().len(), 2);
    let dead = rabbit.take("work.dead", 10).await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].properties["message_id"], json!(culprit.to_string()));
    assert_eq!(dead[0].headers["x-dead-reason"], json!("the handler panicked"));
}

#[tokio::test]
async fn poison_bytes_and_unknown_types_are_parked_with_their_reason() {
    let rabbit = rabbitmq().await;
    let broker = broker(rabbit.url()).await;
    let notes = Notes::default();
    rabbit.publish("test", "job", json!({}), "not json").await;
    rabbit.publish("test", "job", json!({"type": "job.v9"}), r#"{"will":"ok"}"#).await;
    broker.publisher().publish(job("ok")).await;
    let consumer = Running::start(&broker, &notes);
    eventually("all are settled", || async { when(rabbit.queue_depth(QUEUE).await == 0) }).await;
    consumer.stop().await;
    assert_eq!(notes.done().len(), 1, "the good message is not held up");
    let mut reasons: Vec<String> = rabbit
        .take("work.dead", 10)
        .await
        .iter()
        .map(|dead| dead.headers["x-dead-reason"].as_str().unwrap().to_owned())
        .collect();
    reasons.sort();
    assert_eq!(reasons.len(), 2);
    assert!(reasons[0].starts_with("the body is not a valid `job`: "), "{}", reasons[0]);
    assert_eq!(reasons[1], "unknown message type `job.v9`");
}

#[tokio::test]
async fn a_message_published_by_hand_without_properties_is_handled() {
    let rabbit = rabbitmq().await;
    let broker = broker(rabbit.url()).await;
    let notes = Notes::default();
    let consumer = Running::start(&broker, &notes);
    // Through the exchange, and straight into the queue as the queue's page in the management UI does.
    rabbit.publish("test", "job", json!({}), r#"{"will":"ok"}"#).await;
    rabbit.publish("", QUEUE, json!({}), r#"{"will":"ok"}"#).await;
    eventually("both are done", || async { when(notes.done().len() == 2) }).await;
    consumer.stop().await;
}

/// Unacked messages come again, marked as redelivered, when a consumer dies with them in hand.
#[tokio::test]
async fn a_message_in_hand_when_the_connection_is_lost_comes_again() {
    struct Gate {
        notes: Notes,
        may_go: &'static Semaphore,
    }
    impl HandleBatch<Job> for Gate {
        async fn handle_batch(&self, batch: &[Delivery<Job>]) -> Result<Vec<Result<(), Failure>>, Failure> {
            let verdicts = self.notes.handle_batch(batch).await;
            self.may_go.acquire().await.expect("never closed").forget();
            verdicts
        }
    }
    static MAY_GO: Semaphore = Semaphore::const_new(0);

    let rabbit = rabbitmq().await;
    let broker = broker(rabbit.url()).await;
    let message = job("ok");
    let id = message.id;
    let notes = Notes::default();
    let consumer = Running::start_with(broker.consumer(QUEUE), Gate { notes: notes.clone(), may_go: &MAY_GO });
    broker.publisher().publish(message).await;
    eventually("the message is in hand", || async { when(notes.times(id) == 1) }).await;
    rabbit.close_connections().await;
    MAY_GO.add_permits(10);
    eventually("it came again", || async { when(notes.times(id) == 2) }).await;
    eventually("it is acked", || async { when(rabbit.queue_depth(QUEUE).await == 0) }).await;
    assert_eq!(notes.attempts(id), [1, 1], "a redelivery is not a failed try");
    consumer.stop().await;
}

#[tokio::test]
async fn a_queue_deleted_live_is_declared_again_and_consumed() {
    let rabbit = rabbitmq().await;
    let broker = broker(rabbit.url()).await;
    let notes = Notes::default();
    let consumer = Running::start(&broker, &notes);
    let status = consumer.status.clone();
    eventually("it consumes", || async { status.ready().ok() }).await;
    rabbit.delete_queue(QUEUE).await;
    eventually("the loss is noticed", || async { when(status.ready().is_err()) }).await;
    eventually("it consumes again", || async { status.ready().ok() }).await;
    assert_eq!(broker.publisher().publish(job("ok")).await, Outcome::Confirmed);
    eventually("and handles", || async { when(notes.done().len() == 1) }).await;
    consumer.stop().await;
}

#[tokio::test]
async fn a_broker_killed_while_consuming_is_found_again_and_no_message_is_left() {
    let rabbit = private_rabbitmq().await;
    let broker = broker(rabbit.url()).await;
    let outcomes = broker.publisher().publish_all((0..2000).map(|_| job("ok"))).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Confirmed));
    let notes = Notes::default();
    let consumer = Running::start_with(broker.consumer(QUEUE).prefetch(50).batch(10), notes.clone());
    eventually("some are done", || async { when(notes.done().len() > 100) }).await;
    rabbit.kill9().await;
    rabbit.start().await;
    eventually_within(Duration::from_secs(60), "the queue is empty", || async {
        let done: std::collections::HashSet<_> = notes.done().into_iter().collect();
        when(done.len() == 2000)
    })
    .await;
    consumer.stop().await;
}

#[tokio::test]
async fn while_a_store_is_down_no_attempt_is_spent_and_then_it_goes_on() {
    let rabbit = rabbitmq().await;
    let broker = broker(rabbit.url()).await;
    let notes = Notes::default();
    notes.set_store_down(true);
    let message = job("ok");
    let id = message.id;
    broker.publisher().publish(message).await;
    let consumer = Running::start_with(broker.consumer(QUEUE).max_attempts(2), notes.clone());
    let status = consumer.status.clone();
    eventually("it was tried more often than attempts allow", || async { when(notes.times(id) >= 4) }).await;
    assert_eq!(status.paused().as_deref(), Some("the store is down"));
    assert!(status.ready().is_ok(), "a consumer that pauses is still there");
    notes.set_store_down(false);
    eventually("it is done", || async { when(notes.done() == [id]) }).await;
    eventually("it is acked", || async { when(rabbit.queue_depth(QUEUE).await == 0) }).await;
    assert!(notes.attempts(id).iter().all(|attempt| *attempt == 1));
    assert_eq!(rabbit.queue_depth("work.dead").await, 0);
    assert_eq!(status.paused(), None);
    consumer.stop().await;
}

#[tokio::test]
async fn a_stop_finishes_the_batch_at_hand_and_gives_the_rest_back() {
    struct Slow {
        notes: Notes,
        entered: &'static Semaphore,
        may_go: &'static Semaphore,
    }
    impl HandleBatch<Job> for Slow {
        async fn handle_batch(&self, batch: &[Delivery<Job>]) -> Result<Vec<Result<(), Failure>>, Failure> {
            self.entered.add_permits(1);
            self.may_go.acquire().await.expect("never closed").forget();
            self.notes.handle_batch(batch).await
        }
    }
    static ENTERED: Semaphore = Semaphore::const_new(0);
    static MAY_GO: Semaphore = Semaphore::const_new(0);

    let rabbit = rabbitmq().await;
    let broker = broker(rabbit.url()).await;
    broker.publisher().publish_all((0..100).map(|_| job("ok"))).await;
    let notes = Notes::default();
    let handler = Slow { notes: notes.clone(), entered: &ENTERED, may_go: &MAY_GO };
    let consumer = Running::start_with(broker.consumer(QUEUE).batch(10), handler);
    ENTERED.acquire().await.expect("never closed").forget();
    let stopping = tokio::spawn(consumer.stop());
    MAY_GO.add_permits(1);
    stopping.await.expect("the stop does not panic");
    let done = notes.done().len();
    assert!((1..=10).contains(&done), "one batch was finished, not {done} messages");
    let left = 100 - u64::try_from(done).unwrap();
    eventually("the rest is ready for another consumer", || async { when(rabbit.queue_depth(QUEUE).await == left) })
        .await;
}
