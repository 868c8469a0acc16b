//! Payments that are late, repeated, out of order, or of no use any more.

use contracts::payments::PaymentStatus;
use testkit::eventually;

use crate::support::{Held, World, id};

#[tokio::test]
async fn an_order_that_is_not_paid_in_time_ends_and_a_late_payment_is_given_back_once() {
    let world = World::new().await;
    let orders = world.orders_with(&["--order-timeout=1"]).await;
    let buyer = world.buyer();
    let order = orders.placed(&buyer, &[(&world.shop.product("Teapot", 5), 2)]).await;
    let cancelled = orders.ended(&buyer, &order, "cancelled").await;
    assert_eq!(cancelled["reason"], "payment timed out");
    assert_eq!(world.shop.held(id(&order)), Some(Held::Free));

    let commands = world.commands(&order, 2).await;
    assert_eq!((commands[0].0.as_str(), commands[1].0.as_str()), ("process.payment", "refund.payment"));
    assert_eq!(commands[1].1["amount"], order["total"]);
    assert_eq!(commands[1].1["reason"], "payment timed out");
    for status in [PaymentStatus::Completed, PaymentStatus::Completed, PaymentStatus::Refunded] {
        world.payment(&order, status).await;
    }
    orders
        .until(&buyer, &order, "the refund is heard of", |now| now["version"].as_i64() > cancelled["version"].as_i64())
        .await;
    assert_eq!(world.asked(&order, 2).await.len(), 2);
    assert_eq!(world.events(&order, 2).await.len(), 2);
    orders.ended(&buyer, &order, "cancelled").await;
}

#[tokio::test]
async fn a_payment_after_a_decline_is_given_back() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let order = orders.placed(&buyer, &[(&world.shop.product("Teapot", 5), 2)]).await;
    world.asked(&order, 1).await;
    world.payment(&order, PaymentStatus::Failed).await;
    orders.ended(&buyer, &order, "cancelled").await;
    world.payment(&order, PaymentStatus::Completed).await;
    assert_eq!(world.asked(&order, 2).await, ["process.payment", "refund.payment"]);
}

#[tokio::test]
async fn payments_that_come_twice_and_in_any_order_change_nothing_more() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let order = orders.placed(&buyer, &[(&world.shop.product("Teapot", 5), 2)]).await;
    world.asked(&order, 1).await;
    for _ in 0..3 {
        world.payment(&order, PaymentStatus::Completed).await;
    }
    let confirmed = orders.ended(&buyer, &order, "confirmed").await;
    for status in [PaymentStatus::Failed, PaymentStatus::Completed] {
        world.payment(&order, status).await;
    }
    eventually("all are handled", || async { (world.rabbit.queue_depth("orders.payments").await == 0).then_some(()) })
        .await;
    assert_eq!(orders.found(&buyer, &order).await, confirmed);
    assert_eq!(world.asked(&order, 1).await.len(), 1);
    assert_eq!(world.events(&order, 2).await.len(), 2);
}

#[tokio::test]
async fn a_commit_that_is_refused_cancels_the_order_and_gives_the_money_back() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let order = orders.placed(&buyer, &[(&world.shop.product("Teapot", 5), 2)]).await;
    world.asked(&order, 1).await;
    // The reservation runs out of time.
    world.shop.shelves().held.insert(id(&order), Held::Free);
    world.payment(&order, PaymentStatus::Completed).await;
    let cancelled = orders.ended(&buyer, &order, "cancelled").await;
    assert_eq!(cancelled["reason"], "the reservation of the stock ran out before it could be sold");
    assert_eq!(world.asked(&order, 2).await, ["process.payment", "refund.payment"]);
}

#[tokio::test]
async fn a_payment_for_no_order_is_set_aside_for_a_person() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let mut order = orders.placed(&buyer, &[(&world.shop.product("Teapot", 5), 2)]).await;
    order["order_id"] = uuid::Uuid::now_v7().to_string().into();
    world.payment(&order, PaymentStatus::Completed).await;
    eventually("it is parked", || async {
        (world.rabbit.queue_depth("orders.payments.dead").await == 1).then_some(())
    })
    .await;
}
