//! A broker that is killed, wiped and configured.

use serde_json::json;

#[tokio::test]
async fn a_killed_broker_keeps_a_quorum_queue_and_a_wiped_one_does_not() {
    let server = testkit::private_rabbitmq().await;
    let rabbit = server.rabbit();
    assert_eq!(rabbit.url(), server.url());
    rabbit.declare_queue("q", json!({ "x-queue-type": "quorum" })).await;
    server.save_declarations().await;
    rabbit.publish("", "q", json!({ "delivery_mode": 2 }), "kept").await;
    // The management does not await the confirm; what it can show is on disk.
    assert_eq!(rabbit.peek("q", 1).await.len(), 1);
    server.kill9().await;
    server.start().await;
    let kept = testkit::eventually("the queue has a leader again", || async {
        let taken = rabbit.take("q", 10).await;
        (!taken.is_empty()).then_some(taken)
    });
    assert_eq!(kept.await[0].body, b"kept");
    server.stop().await;
    server.wipe();
    server.start().await;
    assert!(!rabbit.queue_exists("q").await);
}

#[tokio::test]
async fn a_broker_takes_further_configuration_and_commands() {
    let server = testkit::private_rabbitmq_with("consumer_timeout = 12345").await;
    let timeout = server.rabbitmqctl(&["eval", "application:get_env(rabbit, consumer_timeout)."]).await;
    assert_eq!(timeout.trim(), "{ok,12345}");
}
