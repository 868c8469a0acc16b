//! Killed while the provider's answer is on its way: the money has moved, and nobody has recorded it.

use testkit::{Program, eventually};

use crate::support::{World, order, process, refund};

/// A program that hears the provider's answers late enough to be killed before.
async fn slow(world: &World) -> Program {
    let port = testkit::free_port();
    let mut program = Program::cargo_bin("payments").env("PAYMENT_TIMEOUT", "600");
    for (name, value) in world.settings() {
        let value = match name {
            "listen" => format!("127.0.0.1:{port}"),
            "payment-latency" => "6".to_owned(),
            _ => value,
        };
        program = program.env(name.replace('-', "_").to_uppercase(), value);
    }
    let program = program.start().await;
    program.wait_ready(&format!("http://127.0.0.1:{port}/ready")).await;
    program
}

/// Kills the program as soon as the ledger has this row.
async fn killed_at(program: Program, world: &World, order: uuid::Uuid, kind: &str) {
    eventually("the money has moved", || async {
        world.ledger(order).await.iter().any(|row| row == kind).then_some(())
    })
    .await;
    program.pause();
    let status = world.payment(order).await.map(|payment| payment.status);
    assert_ne!(status.as_deref(), Some(if kind == "charge" { "completed" } else { "refunded" }), "it was too fast");
    program.kill9().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_charge_and_its_record_it_charges_once() {
    let world = World::new().await;
    let order = order(1999);
    let program = slow(&world).await;
    world.send([&process(&order)]).await;
    killed_at(program, &world, order.order_id, "charge").await;

    let _payments = world.payments().await;
    world.decided(order.order_id, "completed").await;
    world.drained().await;
    assert_eq!(world.ledger(order.order_id).await, ["charge"]);
    assert_eq!(world.events(1).await, [("payment.completed".to_owned(), order.order_id, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_refund_and_its_record_it_gives_back_once() {
    let world = World::new().await;
    let order = order(1999);
    let payments = world.payments().await;
    world.send([&process(&order)]).await;
    world.decided(order.order_id, "completed").await;
    payments.stop().await;
    let program = slow(&world).await;
    world.send([&refund(&order)]).await;
    killed_at(program, &world, order.order_id, "refund").await;

    let _payments = world.payments().await;
    world.decided(order.order_id, "refunded").await;
    world.drained().await;
    assert_eq!(world.ledger(order.order_id).await, ["charge", "refund"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_charge_and_its_record_and_refunded_first_it_gives_back_what_was_charged() {
    let world = World::new().await;
    let order = order(1999);
    let program = slow(&world).await;
    world.send([&process(&order)]).await;
    killed_at(program, &world, order.order_id, "charge").await;

    // The refund is handled while the charge's own command still lies in the queue.
    let commands = world.commands(world.provider(&[]), crate::support::PATIENCE).await;
    let refunding = [crate::support::delivery(refund(&order), 1)];
    messaging::HandleBatch::handle_batch(&commands, &refunding).await.unwrap()[0].clone().unwrap();
    let _payments = world.payments().await;
    world.drained().await;
    assert_eq!(world.decided(order.order_id, "refunded").await.version, 1);
    assert_eq!(world.ledger(order.order_id).await, ["charge", "refund"]);
    assert_eq!(world.events(1).await, [("payment.refunded".to_owned(), order.order_id, 1)]);
}
