//! Whoever is killed: every event is in Kafka once, and those of an aggregate in their order.

use testkit::{eventually_within, kafka, private_kafka, proxy};

use crate::support::{LONG, Topic, World, changes};

/// Half of the events wait already, the others come meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn all_is_once_and_in_order_though_the_bridge_is_killed_again_and_again() {
    let (world, kafka) = tokio::join!(World::new(), kafka());
    let topic = Topic::of(kafka.brokers(), kafka.topic());
    let events = changes(20, 1_000);
    let (waiting, coming) = events.split_at(10_000);
    world.publish(waiting.to_vec()).await;
    let bridge = world.bridge(&topic).start().await;

    let load = async {
        for some in coming.chunks(100) {
            world.publish(some.to_vec()).await;
        }
    };
    let killing = async {
        for count in [1, 2_000, 500, 3_000, 1_000] {
            bridge.has_written(count).await;
            bridge.program().kill9().await;
            bridge.start_again().await;
        }
    };
    tokio::join!(load, killing);

    topic.has_all_once_and_in_order(&events).await;
    world.counts(events.len() as u64).await;
}

/// What the bridge still has at hand then, it writes; and RabbitMQ never hears of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_and_not_acked_is_not_written_again() {
    let (world, kafka) = tokio::join!(World::new(), kafka());
    let topic = Topic::of(kafka.brokers(), kafka.topic());
    let wire = proxy(world.rabbit.url()).await;
    let events = changes(20, 1_000);
    world.publish(events.clone()).await;
    let bridge = world.bridge(&topic).env("AMQP_URL", &wire.url_for(world.rabbit.url())).start().await;

    bridge.has_written(1_000).await;
    wire.blackhole().await;
    eventually_within(LONG, "the bridge has written what it had", || async {
        let before = topic.read().await.len();
        (topic.read().await.len() == before).then_some(())
    })
    .await;
    bridge.program().kill9().await;
    wire.cut().await;
    wire.restore().await;
    bridge.start_again().await;

    topic.has_all_once_and_in_order(&events).await;
    world.counts(events.len() as u64).await;
    assert!(
        bridge.settled("kafka", "known").await > world.repeated(),
        "something came again, or this test shows nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_once_and_in_order_though_kafka_is_killed_again_and_again() {
    let (world, kafka) = tokio::join!(World::new(), private_kafka());
    let topic = Topic::of(&kafka.address(), "warren.events");
    let events = changes(20, 1_000);
    let (waiting, coming) = events.split_at(10_000);
    world.publish(waiting.to_vec()).await;
    let bridge = world.bridge(&topic).start().await;

    let load = async {
        for some in coming.chunks(100) {
            world.publish(some.to_vec()).await;
        }
    };
    let killing = async {
        for count in [1, 4_000, 9_000] {
            topic.reaches(count).await;
            kafka.kill9().await;
            kafka.start().await;
        }
    };
    tokio::join!(load, killing);

    topic.has_all_once_and_in_order(&events).await;
    world.counts(events.len() as u64).await;
    assert!(bridge.program().is_running());
}
