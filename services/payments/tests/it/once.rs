//! Money moves once, however often it is asked for.

use bson::doc;

use crate::support::{Row, World, order, process, refund};

const COPIES: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn twenty_copies_of_each_command_at_three_replicas_charge_each_order_once() {
    let world = World::new().await;
    let replicas = [world.payments().await, world.payments().await, world.payments().await];
    let orders: Vec<_> = (0..20).map(|_| order(1999)).collect();
    // Half of the copies are redeliveries, with the same message id; the others are sent again, with ids of their own.
    let commands: Vec<_> = orders.iter().map(process).collect();
    let again: Vec<_> = commands.iter().map(|command| command.outgoing()).collect();
    for _ in 0..COPIES / 2 {
        world.send(&commands).await;
        world.publish(again.clone()).await;
    }
    let events = world.events(orders.len()).await;
    world.drained().await;
    for order in &orders {
        assert_eq!(world.ledger(order.order_id).await, ["charge"]);
        assert_eq!(world.decided(order.order_id, "completed").await.version, 1);
    }
    let all = world.events(orders.len()).await;
    assert_eq!(all, events, "no payment was told of twice by different messages");
    let mut wanted: Vec<_> = orders.iter().map(|order| ("payment.completed".to_owned(), order.order_id, 1)).collect();
    wanted.sort();
    assert_eq!(all, wanted);
    for replica in replicas {
        replica.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_charged_is_given_back_once() {
    let world = World::new().await;
    let _replicas = [world.payments().await, world.payments().await];
    let order = order(1999);
    world.send([&process(&order)]).await;
    world.decided(order.order_id, "completed").await;
    for _ in 0..COPIES {
        world.send([&refund(&order), &process(&order)]).await;
    }
    let refunded = world.decided(order.order_id, "refunded").await;
    world.drained().await;
    assert_eq!(refunded.reason, "the order was cancelled");
    assert_eq!(world.ledger(order.order_id).await, ["charge", "refund"]);
    let told = [("payment.completed", 1), ("payment.refunded", 2)];
    let mut events = world.events(2).await;
    events.dedup();
    assert_eq!(events, told.map(|(kind, version)| (kind.to_owned(), order.order_id, version)));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_again_for_a_refund_is_told_its_end_again() {
    let world = World::new().await;
    let _payments = world.payments().await;
    let (charged, declined) = (order(1999), order(1913));
    world.send([&process(&charged), &process(&declined)]).await;
    world.events(2).await;
    // A charge is given back, and a declined one was none.
    let refunds = [&charged, &declined].map(refund);
    for (asked, told) in [(1, 4), (2, 6)] {
        world.send(&refunds).await;
        let mut events = world.events(told).await;
        world.all_told().await;
        events.retain(|(_, order, _)| *order == charged.order_id);
        let refunded = ("payment.refunded".to_owned(), charged.order_id, 2);
        assert_eq!(events[1..], vec![refunded; asked], "asked {asked} times");
    }
    assert_eq!(world.events(6).await.iter().filter(|(kind, ..)| kind == "payment.failed").count(), 3);
    assert_eq!(world.ledger(charged.order_id).await, ["charge", "refund"]);
    assert_eq!(world.ledger(declined.order_id).await, ["decline"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_to_be_paid_again_with_another_amount_is_not() {
    let world = World::new().await;
    let _payments = world.payments().await;
    let mut order = order(1999);
    world.send([&process(&order)]).await;
    world.decided(order.order_id, "completed").await;
    order.amount.amount = 5;
    world.send([&process(&order)]).await;
    world.drained().await;
    let rows: Vec<Row> = world.found("ledger", doc! {}).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].amount.amount, 1999);
}
