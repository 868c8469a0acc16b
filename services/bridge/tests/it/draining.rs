//! A long queue is sent on fast.

use std::time::{Duration, Instant};

use testkit::kafka;

use crate::support::{Topic, World, changes};

#[tokio::test(flavor = "multi_thread")]
async fn fifty_thousand_events_that_waited_are_sent_on_in_less_than_a_minute() {
    let (world, kafka) = tokio::join!(World::new(), kafka());
    let topic = Topic::of(kafka.brokers(), kafka.topic());
    let events = changes(100, 500);
    world.publish(events.clone()).await;
    let bridge = world.bridge(&topic).start().await;

    let begun = Instant::now();
    let sent_on = async |sink: &str| {
        testkit::eventually_within(Duration::from_secs(60), "all are sent on", || async {
            (bridge.settled(sink, "written").await == 50_000).then(|| begun.elapsed())
        })
        .await
    };
    let (to_kafka, to_influxdb) = tokio::join!(sent_on("kafka"), sent_on("influxdb"));
    let rate = |took: Duration| (50_000.0 / took.as_secs_f64()).round();
    println!(
        "50,000 events: Kafka {to_kafka:?} ({}/s), InfluxDB {to_influxdb:?} ({}/s)",
        rate(to_kafka),
        rate(to_influxdb)
    );

    topic.has_all_once_and_in_order(&events).await;
    world.counts(50_000).await;
}
