//! Publishing: each message gets its own, true outcome.

use std::collections::HashSet;

use futures_util::future::join_all;
use messaging::{Outcome, Outgoing};
use serde_json::json;
use testkit::{eventually, private_rabbitmq, rabbitmq};

use crate::support::{EXCHANGE, QUEUE, broker, job, when};

#[tokio::test]
async fn a_confirmed_message_is_in_its_queue_with_its_properties() {
    let rabbit = rabbitmq().await;
    let message = job("ok").with_header("x-version", 7).with_correlation_id("abc");
    let id = message.id.to_string();
    assert_eq!(broker(rabbit.url()).await.publisher().publish(message).await, Outcome::Confirmed);

    let taken = rabbit.take(QUEUE, 10).await;
    assert_eq!(taken.len(), 1);
    let properties = &taken[0].properties;
    assert_eq!(properties["message_id"], json!(id));
    assert_eq!(properties["type"], json!("job"));
    assert_eq!(properties["delivery_mode"], json!(2));
    assert_eq!(properties["content_type"], json!("application/json"));
    assert_eq!(properties["app_id"], json!("test"));
    assert_eq!(properties["correlation_id"], json!("abc"));
    assert_eq!(taken[0].headers["x-version"], json!(7));
    assert!(properties["timestamp"].is_u64());
    assert_eq!(taken[0].json(), json!({"will": "ok"}));
}

/// The broker still confirms what it could not route, and lapin may hand the returned message to a neighbour's confirm.
#[tokio::test]
async fn among_many_messages_at_once_each_gets_its_own_outcome() {
    let rabbit = rabbitmq().await;
    let publisher = broker(rabbit.url()).await.publisher();
    let messages: Vec<Outgoing> = (0..2000)
        .map(|n| if n % 3 == 0 { Outgoing::raw(EXCHANGE, "nobody", "job", "{}") } else { job("ok") })
        .collect();
    let outcomes = publisher.publish_all(messages.clone()).await;
    for (message, outcome) in messages.iter().zip(&outcomes) {
        let expected = if message.routing_key == "nobody" { Outcome::Unroutable } else { Outcome::Confirmed };
        assert_eq!(*outcome, expected);
    }
    eventually("all that was confirmed is there", || async { when(rabbit.queue_depth(QUEUE).await == 1333) }).await;
}

/// Tasks that shared a channel would be told one another's outcomes: lapin draws the delivery tag and sends the frame
/// under separate locks.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_of_many_tasks_that_publish_at_the_same_time_is_told_its_own_outcome() {
    let rabbit = rabbitmq().await;
    let publisher = broker(rabbit.url()).await.publisher();
    rabbit.declare_queue("full", json!({"x-max-length": 0, "x-overflow": "reject-publish"})).await;
    let tasks = (0..64).map(|task| {
        let publisher = publisher.clone();
        tokio::spawn(async move {
            for n in 0..100 {
                let (message, expected) = match (task + n) % 3 {
                    0 => (Outgoing::raw("", "full", "job", "{}"), Outcome::Nacked),
                    1 => (Outgoing::raw(EXCHANGE, "nobody", "job", "{}"), Outcome::Unroutable),
                    _ => (job("ok"), Outcome::Confirmed),
                };
                assert_eq!(publisher.publish(message).await, expected);
            }
        })
    });
    for told in join_all(tasks).await {
        told.expect("every outcome is the task's own");
    }
}

/// The broker ends the channel for it, and with it what else is in flight.
#[tokio::test]
async fn what_the_broker_refuses_harms_none_of_its_neighbours() {
    let rabbit = rabbitmq().await;
    let publisher = broker(rabbit.url()).await.publisher();
    let mut messages: Vec<Outgoing> = (0..100).map(|_| job("ok")).collect();
    messages[50] = Outgoing::raw("no such exchange", "job", "job", "{}");
    // RabbitMQ wants a list of routing keys in this header.
    messages[70] = job("ok").with_header("CC", "not a list");
    let sound = |n: &usize| ![50, 70].contains(n);
    let ids: HashSet<String> =
        messages.iter().enumerate().filter(|(n, _)| sound(n)).map(|(_, message)| message.id.to_string()).collect();

    // What comes after the culprit on the closed channel is unknown, and is published again as a relay would.
    let mut waiting = messages;
    let (mut refused, mut unroutable) = (0, 0);
    while !waiting.is_empty() {
        let outcomes = publisher.publish_all(waiting.clone()).await;
        refused += outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Refused(_))).count();
        unroutable += outcomes.iter().filter(|outcome| **outcome == Outcome::Unroutable).count();
        let mut unknown = outcomes.iter().map(|outcome| matches!(outcome, Outcome::Unknown(_)));
        waiting.retain(|_| unknown.next().unwrap());
    }
    assert_eq!((refused, unroutable), (1, 1));
    let taken = rabbit.take(QUEUE, 1000).await;
    let there: HashSet<String> =
        taken.iter().map(|message| message.properties["message_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(there, ids);
}

#[tokio::test]
async fn what_was_deleted_is_declared_again_when_something_is_published_to_it() {
    let rabbit = rabbitmq().await;
    let publisher = broker(rabbit.url()).await.publisher();
    rabbit.delete_exchange(EXCHANGE).await;
    rabbit.delete_queue(QUEUE).await;
    assert_eq!(publisher.publish(job("ok")).await, Outcome::Unroutable);
    eventually("both are there again", || async { when(publisher.publish(job("ok")).await == Outcome::Confirmed) })
        .await;
}

#[tokio::test]
async fn a_full_queue_nacks() {
    let rabbit = rabbitmq().await;
    let publisher = broker(rabbit.url()).await.publisher();
    rabbit.set_policy("full", "^work$", json!({"max-length": 1})).await;
    eventually("the queue is full", || async { when(publisher.publish(job("ok")).await == Outcome::Nacked) }).await;
}

#[tokio::test]
async fn whatever_was_confirmed_is_there_though_the_connection_is_cut_again_and_again() {
    let rabbit = rabbitmq().await;
    let publisher = broker(rabbit.url()).await.publisher();
    let mut waiting: Vec<Outgoing> = (0..3000).map(|_| job("ok")).collect();
    let all: HashSet<String> = waiting.iter().map(|message| message.id.to_string()).collect();
    let mut cuts = 0;
    while !waiting.is_empty() {
        let cut = async {
            if cuts < 3 {
                rabbit.close_connections().await;
            }
        };
        let (outcomes, ()) = tokio::join!(publisher.publish_all(waiting.clone()), cut);
        cuts += 1;
        let mut confirmed = outcomes.iter().map(|outcome| *outcome == Outcome::Confirmed);
        waiting.retain(|_| !confirmed.next().unwrap());
    }
    let mut there = HashSet::new();
    while there.len() < all.len() {
        let taken = rabbit.take(QUEUE, 1000).await;
        assert!(!taken.is_empty(), "{} confirmed messages are not in the queue", all.len() - there.len());
        there.extend(taken.iter().map(|message| message.properties["message_id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(there, all);
}

#[tokio::test]
async fn a_broker_killed_under_load_keeps_every_confirmed_message() {
    let rabbit = private_rabbitmq().await;
    let publisher = broker(rabbit.url()).await.publisher();
    let mut confirmed = HashSet::new();
    let mut lost_sight = false;
    while !lost_sight {
        let messages: Vec<Outgoing> = (0..500).map(|_| job("ok")).collect();
        let ids: Vec<String> = messages.iter().map(|message| message.id.to_string()).collect();
        let kill = async {
            if confirmed.len() > 2000 {
                rabbit.kill9().await;
            }
        };
        let (outcomes, ()) = tokio::join!(publisher.publish_all(messages), kill);
        lost_sight = outcomes.iter().any(|outcome| *outcome != Outcome::Confirmed);
        confirmed.extend(
            ids.into_iter().zip(outcomes).filter(|(_, outcome)| *outcome == Outcome::Confirmed).map(|(id, _)| id),
        );
    }
    rabbit.start().await;
    eventually("the publisher finds the broker again", || async {
        when(publisher.publish(job("ok")).await == Outcome::Confirmed)
    })
    .await;
    let rabbit = rabbit.rabbit();
    let mut there = HashSet::new();
    loop {
        let taken = rabbit.take(QUEUE, 1000).await;
        if taken.is_empty() {
            break;
        }
        there.extend(taken.iter().map(|message| message.properties["message_id"].as_str().unwrap().to_owned()));
    }
    let lost: Vec<_> = confirmed.difference(&there).collect();
    assert!(lost.is_empty(), "{} of {} confirmed messages are lost", lost.len(), confirmed.len());
}
