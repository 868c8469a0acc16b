//! `warren tail`, on a real broker.

use contracts::EVENTS;
use serde_json::{Value, json};
use testkit::{TestRabbit, eventually, rabbitmq};

use crate::support::{start, warren};

async fn broker() -> (TestRabbit, String) {
    let rabbit = rabbitmq().await;
    rabbit.declare_exchange(EVENTS, "topic").await;
    let url = format!("--amqp-url={}", rabbit.url());
    (rabbit, url)
}

/// Until somebody watches, it goes nowhere.
async fn publish_first(rabbit: &TestRabbit, event: &str, body: &Value) {
    let properties = json!({ "app_id": "producer\u{1b}[2J", "message_id": "m-1", "headers": { "x-version": 3 } });
    let published = || async {
        let routed = rabbit.publish(EVENTS, event, properties.clone(), body.to_string()).await;
        routed.then_some(())
    };
    eventually("somebody watches", published).await;
}

#[tokio::test]
async fn events_are_shown_as_they_pass_and_steer_no_terminal() {
    let (rabbit, url) = broker().await;
    let running = start(&["tail", &url, "--count=3"]);
    publish_first(&rabbit, "user.created", &json!({ "name": "ada\u{9b}2J\u{1b}]0;x\u{7}\u{202e}" })).await;
    rabbit.publish(EVENTS, "order.created", json!({}), "no JSON \u{1b}[2J\n\r").await;
    rabbit.publish(EVENTS, "owner.created", json!({}), format!("\"{}\"", "x".repeat(5_000))).await;
    let run = running.end().await.expect(0);
    let lines: Vec<_> = run.out.lines().collect();
    assert_eq!(lines.len(), 3, "{}", run.out);
    assert!(lines[0].contains("user.created") && lines[0].contains(" v3 ") && lines[0].contains("ada"), "{}", lines[0]);
    assert!(lines[1].contains("no JSON") && lines[2].len() < 500, "{}", run.out);
    assert_eq!(run.err, "");
}

#[tokio::test]
async fn as_json_an_event_is_all_that_it_was() {
    let (rabbit, url) = broker().await;
    let running = start(&["tail", &url, "--count=1", "--json"]);
    let body = json!({ "user_id": "u-1", "name": "ada\u{9b}2J\u{7f}" });
    publish_first(&rabbit, "user.created", &body).await;
    let event = running.end().await.expect(0).json();
    assert_eq!((&event["event"], &event["body"]), (&json!("user.created"), &body));
    assert_eq!((&event["message_id"], &event["version"]), (&json!("m-1"), &json!(3)));
    assert_eq!(event["service"], "producer\u{1b}[2J");
}

#[tokio::test]
async fn only_what_is_asked_for_is_shown() {
    let (rabbit, url) = broker().await;
    let running =
        start(&["tail", &url, "--event=user.*", "--event=order.created", "--about=u-2", "--count=2", "--json"]);
    publish_first(&rabbit, "user.created", &json!({ "user_id": "u-1" })).await;
    rabbit.publish(EVENTS, "product.created", json!({}), r#"{"owner":"u-2"}"#).await;
    rabbit.publish(EVENTS, "order.created", json!({}), r#"{"user_id":"u-2"}"#).await;
    rabbit.publish(EVENTS, "user.deleted", json!({ "message_id": "u-2" }), "{}").await;
    let run = running.end().await.expect(0);
    let events: Vec<Value> = run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["order.created", "user.deleted"]);
}

#[tokio::test]
async fn it_ends_when_it_is_interrupted_or_nobody_reads() {
    let (rabbit, url) = broker().await;
    let mut running = start(&["tail", &url]);
    publish_first(&rabbit, "user.created", &json!({})).await;
    running.line().await;
    running.interrupt();
    assert_eq!(running.end().await.expect(0).err, "");

    let mut running = start(&["tail", &url]);
    publish_first(&rabbit, "user.created", &json!({})).await;
    running.line().await;
    running.close();
    rabbit.publish(EVENTS, "user.created", json!({}), "{}").await;
    assert_eq!(running.end().await.expect(0).err, "");

    warren(&["tail", &url, "--seconds=1"]).await.expect(0);
}

#[tokio::test]
async fn without_a_broker_it_says_so_and_shows_no_password() {
    let run = warren(&["tail", "--amqp-url=amqp://me:hunter2@127.0.0.1:1/x"]).await.expect(3);
    assert!(run.err.contains("AMQP_URL") && !run.err.contains("hunter2"), "{}", run.err);
    let run = warren(&["tail", "--event=user created"]).await.expect(2);
    assert!(run.err.contains("user.created"), "{}", run.err);
}
