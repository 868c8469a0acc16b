//! One of the two is down: its events wait, the other one's go on.

use contracts::topology::queue::{BRIDGE_INFLUXDB, BRIDGE_KAFKA};
use testkit::{kafka, private_kafka, proxy};

use crate::support::{Topic, World, changes};

#[tokio::test(flavor = "multi_thread")]
async fn while_kafka_is_down_its_events_wait_and_influxdb_gets_its_own() {
    let (world, kafka) = tokio::join!(World::new(), private_kafka());
    let topic = Topic::of(&kafka.address(), "warren.events");
    let bridge = world.bridge(&topic).start().await;
    let events = changes(10, 100);
    let (before, meanwhile) = events.split_at(500);
    world.publish(before.to_vec()).await;
    topic.reaches(before.len()).await;

    kafka.kill9().await;
    world.publish(meanwhile.to_vec()).await;
    world.counts(events.len() as u64).await;
    let reason = bridge.is_degraded_by(BRIDGE_KAFKA).await;
    assert!(reason.contains("Kafka"), "{reason}");
    bridge.is_degraded_by("kafka").await;

    kafka.start().await;
    topic.has_all_once_and_in_order(&events).await;
    assert_eq!(world.rabbit.queue_depth(&format!("{BRIDGE_KAFKA}.dead")).await, 0, "no attempt was spent");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_influxdb_is_down_its_events_wait_and_kafka_gets_its_own() {
    let (world, kafka) = tokio::join!(World::new(), kafka());
    let topic = Topic::of(kafka.brokers(), kafka.topic());
    let wire = proxy(world.influx.url()).await;
    let bridge = world.bridge(&topic).env("INFLUXDB_URL", &wire.url_for(world.influx.url())).start().await;
    let events = changes(10, 100);
    let (before, meanwhile) = events.split_at(500);
    world.publish(before.to_vec()).await;
    world.counts(before.len() as u64).await;

    wire.cut().await;
    world.publish(meanwhile.to_vec()).await;
    topic.has_all_once_and_in_order(&events).await;
    let reason = bridge.is_degraded_by(BRIDGE_INFLUXDB).await;
    assert!(reason.contains("InfluxDB"), "{reason}");
    bridge.is_degraded_by("influxdb").await;

    wire.restore().await;
    world.counts(events.len() as u64).await;
    assert_eq!(world.rabbit.queue_depth(&format!("{BRIDGE_INFLUXDB}.dead")).await, 0, "no attempt was spent");
}
