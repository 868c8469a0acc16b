//! Stores and brokers that are away.

use testkit::{eventually, proxy};

use crate::support::{Ask, World, order, process, user};

#[tokio::test(flavor = "multi_thread")]
async fn while_mongodb_is_away_commands_wait_and_no_try_is_spent() {
    let world = World::new().await;
    let mongo = proxy(world.mongo.url()).await;
    let url = format!("--mongodb-url={}", mongo.url_for(world.mongo.url()));
    // One try for each payment: were it spent on the outage, the payment would have failed.
    let payments = world.payments_with(&[&url, "--payment-tries=1"]).await;
    let before = order(1999);
    world.send([&process(&before)]).await;
    world.decided(before.order_id, "completed").await;

    mongo.cut().await;
    let orders: Vec<_> = (0..10).map(|_| order(1999)).collect();
    world.send(&orders.iter().map(process).collect::<Vec<_>>()).await;
    eventually("consuming pauses", || async {
        let health = payments.get("/health").expect(503).await;
        (health["dependencies"]["payment-service"]["status"] == "down").then_some(())
    })
    .await;
    payments.get("/v1/payments").by(&user()).expect(503).await;

    mongo.restore().await;
    for order in &orders {
        world.decided(order.order_id, "completed").await;
        assert_eq!(world.ledger(order.order_id).await, ["charge"]);
    }
    world.drained().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_rabbitmq_is_away_payments_are_read_and_it_is_not_ready() {
    let world = World::new().await;
    let rabbit = proxy(world.rabbit.url()).await;
    rabbit.cut().await;
    let url = format!("--amqp-url={}", rabbit.url_for(world.rabbit.url()));
    let payments = world.payments_with(&[&url]).await;
    payments.get("/v1/payments").by(&user()).expect(200).await;
    payments.get("/ready").expect(503).await;

    let order = order(1999);
    world.send([&process(&order)]).await;
    rabbit.restore().await;
    world.decided(order.order_id, "completed").await;
    payments.get("/ready").expect(200).await;
    assert_eq!(world.events(1).await.len(), 1);
}
