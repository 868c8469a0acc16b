//! Payments that are declined.

use crate::support::{World, order, process, refund};

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_declined_by_its_amount_and_the_reason_is_kept() {
    let world = World::new().await;
    let _payments = world.payments().await;
    let orders =
        [(order(1913), "card declined"), (order(1951), "insufficient funds"), (order(-1), "the amount is below zero")];
    let paid = order(0);
    world.send(&orders.map(|(order, _)| process(&order))).await;
    world.send([&process(&paid)]).await;
    for (order, reason) in &orders {
        let payment = world.decided(order.order_id, "failed").await;
        assert_eq!(payment.reason, *reason);
    }
    world.decided(paid.order_id, "completed").await;
    let events = world.events(4).await;
    assert_eq!(events.iter().filter(|(kind, ..)| kind == "payment.failed").count(), 3);

    // Again, and given back: nothing was charged, and it stays declined.
    world.send(&orders.map(|(order, _)| process(&order))).await;
    world.send(&orders.map(|(order, _)| refund(&order))).await;
    world.drained().await;
    for (order, _) in &orders {
        assert_eq!(world.decided(order.order_id, "failed").await.version, 1);
        assert!(!world.ledger(order.order_id).await.iter().any(|kind| kind == "charge" || kind == "refund"));
    }
    // Whoever asks for a refund is told what there is instead.
    let mut told = world.events(7).await;
    told.dedup();
    assert_eq!(told, events);
}
