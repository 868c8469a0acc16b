//! Whatever is an event arrives: known, unknown, by hand, and not even JSON.

use std::collections::BTreeMap;

use contracts::topology::queue::{BRIDGE_INFLUXDB, BRIDGE_KAFKA};
use contracts::{EVENTS, topology};
use messaging::Outgoing;
use serde_json::{Value, json};
use testkit::{eventually, kafka};
use uuid::Uuid;

use crate::support::{Seen, Topic, World};

#[tokio::test(flavor = "multi_thread")]
async fn every_event_arrives_in_both_whatever_it_is() {
    let (world, kafka) = tokio::join!(World::new(), kafka());
    let topic = Topic::of(kafka.brokers(), kafka.topic());
    let _bridge = world.bridge(&topic).start().await;

    let order = Uuid::now_v7();
    let body = json!({ "order_id": order, "user_id": Uuid::now_v7() }).to_string();
    let routes = topology::routes().into_iter().filter(|(exchange, _)| *exchange == EVENTS);
    let mut events: Vec<Outgoing> =
        routes.map(|(exchange, kind)| Outgoing::raw(exchange, kind, kind, body.clone())).collect();
    assert!(events.len() > 15, "the topology has events");
    events.push(Outgoing::raw(EVENTS, "invoice.sent.v2", "invoice.sent.v2", r#"{"invoice_id":7}"#));
    events.push(Outgoing::raw(EVENTS, "empty", "empty", ""));
    events.push(Outgoing::raw(EVENTS, "binary", "binary", vec![0, 159, 146, 150]));
    let full = Outgoing::raw(EVENTS, "order.created", "order.created", body.clone())
        .with_correlation_id("a request")
        .with_header("x-version", 7)
        .with_header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .with_header("x-task-id", "t");
    events.push(full.clone());
    world.publish(events.clone()).await;

    assert!(world.rabbit.publish(EVENTS, "user.created", json!({}), "not { JSON").await);
    let odd = "a b,c=d \u{1f407}\nsecond line\\";
    let properties = json!({ "message_id": "seven", "type": odd, "app_id": odd, "headers": { "x-note": odd } });
    assert!(world.rabbit.publish(EVENTS, "odd", properties, "{}").await);

    let seen = topic.reaches(events.len() + 2).await;
    assert_eq!(seen.len(), events.len() + 2);
    let by_id: BTreeMap<&str, &Seen> = seen.iter().map(|seen| (seen.id(), seen)).collect();
    for event in &events {
        let seen = by_id[event.id.to_string().as_str()];
        assert_eq!(seen.body, event.body, "{}", event.kind);
        assert_eq!(seen.headers["type"], event.kind);
        assert_eq!(seen.headers["app-id"], "producer");
        assert!(seen.headers.contains_key("timestamp"));
    }
    let seen_full = by_id[full.id.to_string().as_str()];
    assert_eq!(seen_full.key, order.to_string());
    assert_eq!(seen_full.headers["correlation-id"], "a request");
    assert_eq!(seen_full.headers["x-version"], "7");
    assert_eq!(seen_full.headers["x-task-id"], "t");
    assert!(seen_full.headers["traceparent"].starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
    let by_hand = seen.iter().find(|seen| seen.body == b"not { JSON").expect("it is there");
    assert_eq!(by_hand.headers["type"], "user.created", "the routing key tells the type");
    assert_eq!(by_hand.key, by_hand.id());
    assert_eq!((by_id["seven"].headers["type"].as_str(), by_id["seven"].headers["x-note"].as_str()), (odd, odd));

    world.counts(events.len() as u64 + 2).await;
    let types = world.influx.query(r#"SELECT count("count") FROM events GROUP BY "type", "service""#).await;
    let count = |kind: &str, service: &str| -> u64 {
        let row = types.iter().find(|row| row["type"] == kind && row["service"] == service);
        row.and_then(|row| row["count"].as_u64()).unwrap_or(0)
    };
    assert_eq!(count("order.created", "producer"), 2);
    assert_eq!(count("invoice.sent.v2", "producer"), 1);
    assert_eq!(count("user.created", "unknown"), 1);
    let plain = "a b,c=d \u{1f407} second line";
    assert_eq!(count(plain, plain), 1, "{types:?}");
    let ids: Vec<Value> = world.influx.query(r#"SELECT "id", "latency_ms" FROM events"#).await;
    assert!(ids.iter().any(|row| row["id"] == full.id.to_string() && row["latency_ms"].as_f64() >= Some(0.0)));

    for queue in [BRIDGE_KAFKA, BRIDGE_INFLUXDB] {
        assert_eq!(world.rabbit.queue_depth(&format!("{queue}.dead")).await, 0, "{queue}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_published_again_is_there_once() {
    let (world, kafka) = tokio::join!(World::new(), kafka());
    let topic = Topic::of(kafka.brokers(), kafka.topic());
    let bridge = world.bridge(&topic).start().await;

    let events = crate::support::changes(5, 20);
    world.publish(events.clone()).await;
    world.publish(events.iter().take(50).cloned()).await;
    // The last one shows that all before it were seen to.
    let last = crate::support::changes(1, 1);
    world.publish(last.clone()).await;

    topic.has_all_once_and_in_order(&[events, last].concat()).await;
    world.counts(101).await;
    eventually("those that came again are known", || async {
        (bridge.settled("kafka", "known").await >= 50).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_too_large_for_kafka_is_parked_and_holds_up_no_other() {
    let (world, kafka) = tokio::join!(World::new(), kafka());
    let topic = Topic::of(kafka.brokers(), kafka.topic());
    let _bridge = world.bridge(&topic).start().await;

    let large = Outgoing::raw(EVENTS, "image.uploaded", "image.uploaded", vec![b'x'; 2_000_000]);
    let events = crate::support::changes(3, 3);
    let (before, after) = events.split_at(4);
    world.publish([before, &[large], after].concat()).await;

    topic.has_all_once_and_in_order(&events).await;
    world.counts(10).await;
    let dead = world.rabbit.peek(&format!("{BRIDGE_KAFKA}.dead"), 10).await;
    assert_eq!(dead.len(), 1);
    let reason = dead[0].headers["x-dead-reason"].as_str().expect("it has a reason");
    assert!(reason.contains("too large"), "{reason}");
}
