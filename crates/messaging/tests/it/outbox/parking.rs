//! What cannot be sent is set aside and holds up nobody.

use std::time::Duration;

use messaging::Outgoing;
use messaging::outbox::{ParkedReason, RelaySettings};
use serde_json::json;
use testkit::eventually;

use super::{Rig, Started, ids, jobs};
use crate::support::{EXCHANGE, QUEUE, when};

fn impatient() -> RelaySettings {
    RelaySettings { retry_first: Duration::from_millis(100), ..RelaySettings::default() }
}

/// A job that goes another way.
fn job_to(exchange: &str, routing_key: &str) -> Outgoing {
    Outgoing { exchange: exchange.to_owned(), routing_key: routing_key.to_owned(), ..crate::support::job("ok") }
}

#[tokio::test]
async fn an_unroutable_message_holds_up_nobody_and_is_sent_once_its_queue_is_bound() {
    let rig = Rig::new().await;
    let relay = Started::start(rig.relay(impatient()));
    let mut messages = jobs(50);
    messages.insert(25, job_to(EXCHANGE, "later"));
    let unroutable = messages[25].id;
    rig.store(&messages).await;
    rig.received_once(ids(&messages).into_iter().filter(|id| *id != unroutable)).await;
    let parked = eventually("the message was tried again", || async {
        rig.outbox.parked(10).await.unwrap().into_iter().find(|parked| parked.attempts >= 3)
    })
    .await;
    assert_eq!((parked.id, parked.reason), (unroutable, ParkedReason::Unroutable));
    assert!(parked.next_try_at.is_some());

    rig.rabbit.bind(QUEUE, EXCHANGE, "later").await;
    rig.received_once(ids(&messages)).await;
    eventually("nothing is parked", || async { when(rig.outbox.parked(10).await.unwrap().is_empty()) }).await;
    eventually("nothing is left", || async { when(rig.outbox.backlog().await.unwrap() == 0) }).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_refused_message_is_quarantined_without_harm_to_its_neighbours_and_tried_when_an_operator_says_so() {
    let rig = Rig::new().await;
    let relay = Started::start(rig.relay(impatient()));
    let mut messages = jobs(50);
    // RabbitMQ wants a list of routing keys in this header.
    messages.insert(25, jobs(1).remove(0).with_header("CC", "not a list"));
    let refused = messages[25].id;
    rig.store(&messages).await;
    rig.received_all(&ids(&messages).into_iter().filter(|id| *id != refused).collect()).await;
    let parked = eventually("the message is parked", || async { rig.outbox.parked(10).await.unwrap().pop() }).await;
    assert_eq!((parked.id, parked.reason, parked.attempts), (refused, ParkedReason::Refused, 1));
    assert_eq!(parked.next_try_at, None);
    assert!(parked.detail.contains("PRECONDITION_FAILED"), "`{}` is not the broker's reason", parked.detail);

    assert!(rig.outbox.retry_parked(refused).await.unwrap());
    eventually("it was tried again", || async {
        let parked = rig.outbox.parked(10).await.unwrap().pop()?;
        when(parked.attempts == 2 && parked.next_try_at.is_none())
    })
    .await;

    assert!(!rig.outbox.retry_parked(uuid::Uuid::now_v7()).await.unwrap());
    relay.stop().await;
}

#[tokio::test]
async fn a_message_that_a_full_queue_rejects_is_sent_when_there_is_room() {
    let rig = Rig::new().await;
    rig.rabbit.declare_queue("narrow", json!({"x-max-length": 1, "x-overflow": "reject-publish"})).await;
    rig.rabbit.bind("narrow", EXCHANGE, "narrow").await;
    let relay = Started::start(rig.relay(impatient()));
    rig.store(&[job_to(EXCHANGE, "narrow")]).await;
    eventually("the queue is full", || async { when(rig.rabbit.queue_depth("narrow").await == 1) }).await;

    let second = rig.store(&[job_to(EXCHANGE, "narrow")]).await[0];
    let parked = eventually("the second is parked", || async { rig.outbox.parked(10).await.unwrap().pop() }).await;
    assert_eq!((parked.id, parked.reason), (second, ParkedReason::Nacked));

    rig.rabbit.purge("narrow").await;
    eventually("the second is sent", || async { when(rig.rabbit.queue_depth("narrow").await == 1) }).await;
    eventually("nothing is parked", || async { when(rig.outbox.parked(10).await.unwrap().is_empty()) }).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_message_that_is_stored_twice_is_parked_once() {
    let rig = Rig::new().await;
    let relay = Started::start(rig.relay(impatient()));
    let message = job_to(EXCHANGE, "later");
    rig.store(&[message.clone(), message.clone()]).await;
    rig.store(&[message]).await;
    let sent = rig.store(&jobs(1)).await;
    rig.received_once(sent).await;
    eventually("all is settled", || async { when(rig.outbox.backlog().await.unwrap() == 1) }).await;
    assert_eq!(rig.outbox.parked(10).await.unwrap().len(), 1);
    relay.stop().await;
}
