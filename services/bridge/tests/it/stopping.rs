//! A bridge that is told to stop finishes what it has begun.

use testkit::kafka;

use crate::support::{Topic, World, changes};

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_is_told_to_stop_under_load_acks_all_that_it_wrote() {
    let (world, kafka) = tokio::join!(World::new(), kafka());
    let topic = Topic::of(kafka.brokers(), kafka.topic());
    let events = changes(20, 1_000);
    world.publish(events.clone()).await;
    let bridge = world.bridge(&topic).start().await;
    bridge.has_written(1_000).await;
    assert_eq!(bridge.program().sigterm().await, 0, "{}", bridge.program().logs());

    bridge.start_again().await;
    topic.has_all_once_and_in_order(&events).await;
    world.counts(events.len() as u64).await;
    let known = bridge.settled("kafka", "known").await;
    assert!(known <= world.repeated(), "{known} events came again that were written");
}
