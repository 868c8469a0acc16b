//! Commands that a person publishes in the management UI.

use contracts::topology::queue::PAYMENT_SERVICE;
use serde_json::json;
use testkit::eventually;

use crate::support::{World, order, process};

#[tokio::test(flavor = "multi_thread")]
async fn a_command_without_properties_is_parked_because_it_says_not_which_it_is() {
    let world = World::new().await;
    let _payments = world.payments().await;
    let order = order(1999);
    let body = serde_json::to_string(&process(&order)).unwrap();
    for (exchange, properties, body, why) in [
        ("commands", json!({}), body.as_str(), "no `type` property"),
        ("", json!({}), "{}", "no `type` property"),
        ("commands", json!({ "type": "pay" }), "{}", "unknown message type `pay`"),
        ("commands", json!({ "type": "process.payment" }), r#"{"order_id":"1"}"#, "not a valid `process.payment`"),
    ] {
        assert!(world.rabbit.publish(exchange, PAYMENT_SERVICE, properties, body).await);
        let dead = format!("{PAYMENT_SERVICE}.dead");
        let parked = eventually("it is parked", || async { world.rabbit.take(&dead, 1).await.pop() }).await;
        let reason = parked.headers["x-dead-reason"].as_str().unwrap();
        assert!(reason.contains(why), "{reason}");
        assert_eq!(parked.body, body.as_bytes());
    }
    assert!(world.payment(order.order_id).await.is_none());

    let properties = json!({ "type": "process.payment" });
    assert!(world.rabbit.publish("commands", PAYMENT_SERVICE, properties, body).await);
    world.decided(order.order_id, "completed").await;
}
