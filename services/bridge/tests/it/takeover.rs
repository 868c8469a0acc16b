//! Two bridges: one writes to Kafka, and the other one takes over, whatever the first still thinks of itself.

use std::time::{Duration, Instant};

use testkit::{eventually_within, kafka};

use crate::support::{Bridge, LONG, Topic, World, changes};

/// The one that writes, and the one that waits.
async fn in_turn(first: Bridge, second: Bridge) -> (Bridge, Bridge) {
    let writing = eventually_within(LONG, "one of them writes", || async {
        let (first, second) = (first.settled("kafka", "written").await, second.settled("kafka", "written").await);
        (first + second > 0).then_some((first, second))
    })
    .await;
    match writing {
        (_, 0) => (first, second),
        (0, _) => (second, first),
        both => panic!("both of them write: {both:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_bridge_takes_over_within_seconds() {
    let (world, kafka) = tokio::join!(World::new(), kafka());
    let topic = Topic::of(kafka.brokers(), kafka.topic());
    let (first, second) = tokio::join!(world.bridge(&topic).start(), world.bridge(&topic).start());
    let events = changes(10, 400);
    let (before, after) = events.split_at(2_000);
    world.publish(before.to_vec()).await;
    let (active, waiting) = in_turn(first, second).await;
    topic.has_all_once_and_in_order(before).await;

    active.program().kill9().await;
    let killed = Instant::now();
    world.publish(after.iter().take(1).cloned()).await;
    topic.reaches(before.len() + 1).await;
    let took = killed.elapsed();
    println!("the other bridge took over within {took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");

    world.publish(after.iter().skip(1).cloned()).await;
    topic.has_all_once_and_in_order(&events).await;
    assert!(waiting.settled("kafka", "written").await >= after.len() as u64);
    world.counts(events.len() as u64).await;
}

/// Frozen with events at hand and, as likely as not, a transaction begun, it goes on after another one has written all of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_was_frozen_writes_nothing_of_what_another_one_has_written() {
    let (world, kafka) = tokio::join!(World::new(), kafka());
    let topic = Topic::of(kafka.brokers(), kafka.topic());
    let events = changes(20, 1_000);
    let (waiting, later) = events.split_at(19_000);
    world.publish(waiting.to_vec()).await;
    // RabbitMQ is to notice soon that one of them is silent.
    let amqp_url = format!("{}?heartbeat=1", world.rabbit.url());
    let bridge = || world.bridge(&topic).env("AMQP_URL", &amqp_url).start();
    let (first, second) = tokio::join!(bridge(), bridge());
    let (frozen, other) = in_turn(first, second).await;
    frozen.program().pause();

    topic.has_all_once_and_in_order(waiting).await;
    assert!(other.settled("kafka", "written").await > 0, "the other one took over");
    frozen.program().resume();
    eventually_within(LONG, "it knows that its events are another's now", || async {
        frozen.program().logs().contains("consumer lost").then_some(())
    })
    .await;
    world.publish(later.to_vec()).await;
    topic.has_all_once_and_in_order(&events).await;
    world.counts(events.len() as u64).await;
}
