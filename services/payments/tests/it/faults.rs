//! A provider that fails.

use std::collections::BTreeMap;
use std::time::Duration;

use contracts::payments::PaymentCommand;
use messaging::documents::Entry;
use messaging::{FailureKind, HandleBatch, Incoming};
use payments::{Charge, Charged, Patience, PaymentProvider, ProviderError, Refunded, TakeCommands};

use crate::support::{PATIENCE, World, delivery, order, process, refund};

/// Handles a command as often as it comes back; how often that was.
async fn until_done<P: PaymentProvider>(commands: &TakeCommands<P>, command: PaymentCommand) -> u32 {
    for attempt in 1..1_000 {
        let verdicts = commands.handle_batch(&[delivery(command.clone(), attempt)]).await.expect("MongoDB is there");
        match &verdicts[0] {
            Ok(()) => return attempt,
            Err(failure) => assert_eq!(failure.kind, FailureKind::Retry, "{failure}"),
        }
    }
    panic!("{command:?} is never done");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_the_ledger_agrees_with_the_payments_in_the_end() {
    let world = World::new().await;
    let patience = Patience { tries: 2, ..PATIENCE };
    let commands = world.commands(world.provider(&["--payment-failures=0.9"]), patience).await;
    let orders: Vec<_> = (0..60).map(|_| order(1999)).collect();
    for order in &orders {
        assert!(until_done(&commands, process(order)).await <= patience.tries);
    }
    let mut seen = BTreeMap::new();
    for order in &orders {
        let payment = world.payment(order.order_id).await.unwrap();
        // What the relay would send, and the service would get.
        for message in payment.outbox.iter().map(Entry::outgoing) {
            if let Ok(command) = PaymentCommand::decode(Some(&message.kind), &message.body) {
                until_done(&commands, command).await;
            }
        }
        let ledger = world.ledger(order.order_id).await;
        match payment.status.as_str() {
            "completed" => assert_eq!(ledger, ["charge"]),
            "failed" => assert!(ledger == ["close"] || ledger == ["charge", "refund"], "{ledger:?}"),
            other => panic!("{other}"),
        }
        *seen.entry((payment.status, ledger)).or_insert(0) += 1;
    }
    // Each of the three ways is gone by one order of five or more: that none of this many does is one chance in a million.
    assert_eq!(seen.len(), 3, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_cannot_be_decided_has_failed_and_is_undone_once_the_provider_is_back() {
    let world = World::new().await;
    let payments = world.payments_with(&["--payment-failures=1", "--payment-tries=2"]).await;
    let order = order(1999);
    world.send([&process(&order)]).await;
    let payment = world.decided(order.order_id, "failed").await;
    assert_eq!(payment.reason, "the payment provider does not answer");
    assert_eq!(world.events(1).await, [("payment.failed".to_owned(), order.order_id, 1)]);
    payments.stop().await;

    let _payments = world.payments().await;
    testkit::eventually("it is undone", || async {
        let ledger = world.ledger(order.order_id).await;
        (ledger == ["close"] || ledger == ["charge", "refund"]).then_some(())
    })
    .await;
    assert_eq!(world.decided(order.order_id, "failed").await.version, 1);
    assert_eq!(world.dead().await, 0);
}

/// A provider that never answers.
struct Silent;

impl PaymentProvider for Silent {
    async fn charge(&self, _: &Charge) -> Result<Charged, ProviderError> {
        std::future::pending().await
    }

    async fn refund(&self, _: &Charge) -> Result<Refunded, ProviderError> {
        std::future::pending().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_never_answers_is_waited_for_in_limited_time() {
    let world = World::new().await;
    let patience = Patience { tries: 3, timeout: Duration::from_millis(20) };
    let commands = world.commands(Silent, patience).await;
    let order = order(1999);
    assert_eq!(until_done(&commands, process(&order)).await, 3);
    assert_eq!(world.payment(order.order_id).await.unwrap().status, "failed");

    // What is owed is never given up.
    let verdicts = commands.handle_batch(&[delivery(refund(&order), 1_000_000)]).await.unwrap();
    assert_eq!(verdicts[0].as_ref().unwrap_err().kind, FailureKind::Retry);
}
