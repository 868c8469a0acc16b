//! What a person could do in the management UI.

use serde_json::json;
use testkit::TestRabbit;
use tokio::task::JoinSet;

async fn with_queue(arguments: serde_json::Value) -> TestRabbit {
    let rabbit = testkit::rabbitmq().await;
    rabbit.declare_queue("q/1", arguments).await;
    rabbit
}

#[tokio::test]
async fn eight_vhosts_at_once_are_eight() {
    let mut tests = JoinSet::new();
    for _ in 0..8 {
        tests.spawn(async {
            let rabbit = with_queue(json!({})).await;
            assert!(rabbit.publish("", "q/1", json!({}), "mine").await);
            assert_eq!(rabbit.take("q/1", 10).await.len(), 1);
        });
    }
    tests.join_all().await;
}

#[tokio::test]
async fn the_depth_of_a_quorum_queue_is_right_just_after_a_change() {
    let rabbit = with_queue(json!({ "x-queue-type": "quorum" })).await;
    assert_eq!(rabbit.queue_depth("q/1").await, 0);
    for _ in 0..3 {
        rabbit.publish("", "q/1", json!({}), "x").await;
    }
    assert_eq!(rabbit.queue_depth("q/1").await, 3);
    rabbit.purge("q/1").await;
    assert_eq!(rabbit.queue_depth("q/1").await, 0);
}

#[tokio::test]
async fn the_depth_of_a_classic_queue_is_right_just_after_a_change() {
    let rabbit = with_queue(json!({})).await;
    rabbit.publish("", "q/1", json!({}), "x").await;
    assert_eq!(rabbit.queue_depth("q/1").await, 1);
}

#[tokio::test]
async fn a_message_without_properties_has_none() {
    let rabbit = with_queue(json!({})).await;
    rabbit.publish("", "q/1", json!({}), "hello").await;
    let message = rabbit.take("q/1", 1).await.remove(0);
    assert_eq!(message.body, b"hello");
    assert_eq!((message.properties, message.headers), (json!({}), json!({})));
    assert_eq!((message.exchange.as_str(), message.routing_key.as_str(), message.redelivered), ("", "q/1", false));
}

#[tokio::test]
async fn properties_headers_and_bytes_arrive_as_sent() {
    let rabbit = with_queue(json!({})).await;
    rabbit.declare_exchange("events", "topic").await;
    rabbit.bind("q/1", "events", "user.*").await;
    let properties = json!({ "message_id": "m1", "delivery_mode": 2, "headers": { "x-version": 7 } });
    assert!(rabbit.publish("events", "user.created", properties, [0xff, 0x00]).await);
    let message = rabbit.take("q/1", 1).await.remove(0);
    assert_eq!(message.body, [0xff, 0x00]);
    assert_eq!(message.properties, json!({ "message_id": "m1", "delivery_mode": 2 }));
    assert_eq!(message.headers, json!({ "x-version": 7 }));
    assert_eq!((message.exchange.as_str(), message.routing_key.as_str()), ("events", "user.created"));
}

#[tokio::test]
async fn an_unroutable_message_is_told() {
    let rabbit = with_queue(json!({})).await;
    assert!(!rabbit.publish("", "nowhere", json!({}), "lost").await);
}

#[tokio::test]
async fn peeking_leaves_the_messages_in_order_and_marks_them() {
    let rabbit = with_queue(json!({ "x-queue-type": "quorum" })).await;
    for body in ["1", "2", "3"] {
        rabbit.publish("", "q/1", json!({}), body).await;
    }
    let peeked = rabbit.peek("q/1", 2).await;
    assert_eq!([peeked[0].json(), peeked[1].json()], [json!(1), json!(2)]);
    let taken = rabbit.take("q/1", 10).await;
    let mut order: Vec<_> = taken.iter().map(|message| (message.json(), message.redelivered)).collect();
    order.sort_by_key(|(number, _)| number.as_u64());
    assert_eq!(order, [(json!(1), true), (json!(2), true), (json!(3), false)]);
    assert_eq!(rabbit.queue_depth("q/1").await, 0);
}

#[tokio::test]
async fn a_policy_bounds_a_queue_until_it_is_deleted() {
    let rabbit = with_queue(json!({})).await;
    rabbit.set_policy("full", "^q/", json!({ "max-length": 1 })).await;
    rabbit.publish("", "q/1", json!({}), "1").await;
    rabbit.publish("", "q/1", json!({}), "2").await;
    assert_eq!(rabbit.queue_depth("q/1").await, 1);
    rabbit.delete_policy("full").await;
    rabbit.publish("", "q/1", json!({}), "3").await;
    assert_eq!(rabbit.queue_depth("q/1").await, 2);
}

#[tokio::test]
async fn a_deleted_queue_does_not_exist() {
    let rabbit = with_queue(json!({})).await;
    assert!(rabbit.queue_exists("q/1").await);
    rabbit.delete_queue("q/1").await;
    assert!(!rabbit.queue_exists("q/1").await);
}

#[tokio::test]
async fn closing_connections_without_any_is_no_error() {
    testkit::rabbitmq().await.close_connections().await;
}
