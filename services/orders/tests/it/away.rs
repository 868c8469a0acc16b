//! Servers and services that are away.

use contracts::payments::PaymentStatus;
use testkit::proxy;

use crate::support::{Ask, World, path};

#[tokio::test]
async fn without_the_broker_orders_are_taken_and_end_later() {
    let world = World::new().await;
    let broker = proxy(world.rabbit.url()).await;
    let orders = world.orders_with(&[&format!("--amqp-url={}", broker.url_for(world.rabbit.url()))]).await;
    let buyer = world.buyer();
    broker.cut().await;
    let order = orders.placed(&buyer, &[(&world.shop.product("Teapot", 5), 1)]).await;
    orders.until(&buyer, &order, "its stock is reserved", |order| order["version"] == 2).await;
    broker.restore().await;
    world.pay(&order).await;
    orders.ended(&buyer, &order, "confirmed").await;
}

#[tokio::test]
async fn an_order_whose_products_do_not_answer_waits_for_them_but_not_for_ever() {
    let world = World::new().await;
    let orders = world.orders_with(&["--order-timeout=3", "--grpc-timeout=0.5"]).await;
    let buyer = world.buyer();
    let product = world.shop.product("Teapot", 5);
    // It is cached.
    orders.placed(&buyer, &[(&product, 1)]).await;
    world.shop.shelves().away = true;
    let order = orders.placed(&buyer, &[(&product, 1)]).await;
    orders.until(&buyer, &order, "it is given up", |order| order["reason"].is_string()).await;
    let other = world.shop.product("Cup", 5);
    let refused = orders.order(&[(&other, 1)]).by(&buyer).answer().await.expect(503);
    assert!(!refused.header("retry-after").is_empty());
    world.shop.shelves().away = false;
    let cancelled = orders.ended(&buyer, &order, "cancelled").await;
    assert_eq!(cancelled["reason"], "the stock could not be reserved in time");
    assert!(world.asked(&order, 0).await.is_empty());
}

#[tokio::test]
async fn without_the_producer_nobody_orders() {
    let world = World::new().await;
    let orders = world.orders_with(&["--service-urls=producer=http://127.0.0.1:1", "--call-timeout=1"]).await;
    let buyer = world.buyer();
    let refused = orders.order(&[(&world.shop.product("Teapot", 5), 1)]).by(&buyer).answer().await.expect(503);
    assert!(!refused.header("retry-after").is_empty());
}

#[tokio::test]
async fn without_the_database_the_answer_is_503_and_payments_wait() {
    let world = World::new().await;
    let database = proxy(world.mongo.url()).await;
    let orders = world.orders_with(&[&format!("--mongodb-url={}", database.url_for(world.mongo.url()))]).await;
    let buyer = world.buyer();
    let product = world.shop.product("Teapot", 5);
    let order = orders.placed(&buyer, &[(&product, 1)]).await;
    world.asked(&order, 1).await;
    database.cut().await;
    world.payment(&order, PaymentStatus::Completed).await;
    for request in [orders.get(&path(&order)), orders.order(&[(&product, 1)]), orders.get("/v1/orders/summary")] {
        let refused = request.by(&buyer).answer().await.expect(503);
        assert!(!refused.header("retry-after").is_empty());
    }
    assert_eq!(orders.get("/health").answer().await.status, 503);
    database.restore().await;
    testkit::eventually_within(crate::support::LIMIT, "the order is confirmed", || async {
        let answer = orders.get(&path(&order)).by(&buyer).answer().await;
        (answer.status == 200 && answer.json()["status"] == "confirmed").then_some(())
    })
    .await;
    assert_eq!(world.rabbit.queue_depth("orders.payments.dead").await, 0);
}
