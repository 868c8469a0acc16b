//! Commands that overtake each other.

use std::sync::Arc;

use messaging::HandleBatch;
use payments::{Charge, Charged, PaymentProvider, ProviderError, Refunded, SimulatedProvider};
use tokio::sync::Notify;

use crate::support::{PATIENCE, World, delivery, order, process, refund};

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_comes_after_its_refund_is_never_made() {
    let world = World::new().await;
    let _payments = world.payments().await;
    let order = order(1999);
    world.send([&refund(&order)]).await;
    world.decided(order.order_id, "refunded").await;
    for _ in 0..3 {
        world.send([&process(&order), &refund(&order)]).await;
    }
    world.drained().await;
    assert_eq!(world.ledger(order.order_id).await, ["close"]);
    assert_eq!(world.decided(order.order_id, "refunded").await.version, 1);
    let mut events = world.events(1).await;
    events.dedup();
    assert_eq!(events, [("payment.refunded".to_owned(), order.order_id, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn charges_and_refunds_at_the_same_time_end_with_nothing_charged() {
    let world = World::new().await;
    let _replicas = [world.payments().await, world.payments().await, world.payments().await];
    let orders: Vec<_> = (0..30).map(|_| order(1999)).collect();
    let commands: Vec<_> = orders.iter().flat_map(|order| [process(order), refund(order), process(order)]).collect();
    world.send(&commands).await;
    for order in &orders {
        world.decided(order.order_id, "refunded").await;
    }
    world.drained().await;
    for order in &orders {
        let ledger = world.ledger(order.order_id).await;
        assert!(ledger == ["close"] || ledger == ["charge", "refund"], "{ledger:?}");
        let version = world.payment(order.order_id).await.unwrap().version;
        assert!((1..=2).contains(&version));
    }
}

/// A provider whose answers to charges come when the test says so.
struct Held {
    provider: SimulatedProvider,
    charged: Arc<Notify>,
    answer: Arc<Notify>,
}

impl PaymentProvider for Held {
    async fn charge(&self, charge: &Charge) -> Result<Charged, ProviderError> {
        let charged = self.provider.charge(charge).await;
        self.charged.notify_one();
        self.answer.notified().await;
        charged
    }

    async fn refund(&self, charge: &Charge) -> Result<Refunded, ProviderError> {
        self.provider.refund(charge).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_overtakes_the_answer_to_the_charge_stays() {
    let world = World::new().await;
    let (charged, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let provider = Held { provider: world.provider(&[]), charged: charged.clone(), answer: answer.clone() };
    let commands = Arc::new(world.commands(provider, PATIENCE).await);
    let order = order(1999);

    let charging = tokio::spawn({
        let commands = commands.clone();
        async move { commands.handle_batch(&[delivery(process(&order), 1)]).await }
    });
    charged.notified().await;
    assert_eq!(commands.handle_batch(&[delivery(refund(&order), 1)]).await, Ok(vec![Ok(())]));
    answer.notify_one();
    assert_eq!(charging.await.unwrap(), Ok(vec![Ok(())]));
    assert_eq!(world.payment(order.order_id).await.unwrap().status, "refunded");
    assert_eq!(world.ledger(order.order_id).await, ["charge", "refund"]);
}
