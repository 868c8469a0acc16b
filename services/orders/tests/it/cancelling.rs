//! Orders that somebody gives up.

use contracts::payments::PaymentStatus;
use serde_json::json;

use crate::support::{Ask, Held, World, admin, id, user};

#[tokio::test]
async fn a_user_cancels_an_order_that_waits_for_its_payment() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let order = orders.placed(&buyer, &[(&world.shop.product("Teapot", 5), 2)]).await;
    world.asked(&order, 1).await;
    let cancelled = orders.cancel(&order).header("prefer", "wait=20").by(&buyer).answer().await.expect(200).json();
    assert_eq!((&cancelled["status"], &cancelled["reason"]), (&json!("cancelled"), &json!("cancelled by the user")));
    assert_eq!(world.shop.held(id(&order)), Some(Held::Free));
    assert_eq!(world.asked(&order, 2).await, ["process.payment", "refund.payment"]);
    let problem = orders.cancel(&order).by(&buyer).answer().await.expect(409).json();
    assert_eq!(problem["detail"], "the order is cancelled already");
    let kinds: Vec<_> = world.events(&order, 2).await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["order.created", "order.cancelled"]);
}

#[tokio::test]
async fn an_order_is_cancelled_before_its_stock_is_reserved_and_never_gets_any() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let product = world.shop.product("Teapot", 5);
    orders.ended(&buyer, &orders.placed(&buyer, &[(&product, 9)]).await, "cancelled").await;
    world.shop.shelves().away = true;
    let order = orders.placed(&buyer, &[(&product, 2)]).await;
    orders.cancel(&order).by(admin()).answer().await.expect(202);
    assert_eq!(orders.found(&buyer, &order).await["status"], "pending", "its stock may not be free yet");
    world.shop.shelves().away = false;
    let cancelled = orders.ended(&buyer, &order, "cancelled").await;
    assert_eq!(cancelled["reason"], "cancelled by an admin");
    assert_eq!(world.shop.held(id(&order)), Some(Held::Free));
    assert!(world.asked(&order, 0).await.is_empty());
}

#[tokio::test]
async fn a_paid_or_confirmed_order_is_not_cancelled() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let order = orders.placed(&buyer, &[(&world.shop.product("Teapot", 5), 2)]).await;
    world.asked(&order, 1).await;
    world.shop.shelves().away = true;
    world.payment(&order, PaymentStatus::Completed).await;
    orders.until(&buyer, &order, "the payment is heard of", |order| order["version"] == 3).await;
    let problem = orders.cancel(&order).by(&buyer).answer().await.expect(409).json();
    assert_eq!(problem["detail"], "the order is paid, and is being confirmed");
    world.shop.shelves().away = false;
    orders.ended(&buyer, &order, "confirmed").await;
    orders.cancel(&order).by(&buyer).answer().await.expect(409);
}

#[tokio::test]
async fn only_its_user_and_admins_cancel_an_order() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let order = orders.placed(&buyer, &[(&world.shop.product("Teapot", 5), 2)]).await;
    orders.cancel(&order).by(user()).answer().await.expect(403);
    orders.cancel(&order).answer().await.expect(401);
    let nowhere = format!("/v1/orders/{}/cancel", uuid::Uuid::now_v7());
    orders.ask("POST", &nowhere).by(&buyer).answer().await.expect(404);
}

#[tokio::test]
async fn with_its_user_an_open_order_ends_and_a_confirmed_one_stays() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let product = world.shop.product("Teapot", 9);
    let confirmed = orders.placed(&buyer, &[(&product, 1)]).await;
    world.pay(&confirmed).await;
    orders.ended(&buyer, &confirmed, "confirmed").await;
    let open = orders.placed(&buyer, &[(&product, 2)]).await;
    world.asked(&open, 1).await;
    world.shop.shelves().away = true;
    let placed = orders.placed(&buyer, &[(&product, 3)]).await;
    world.user_deleted(&buyer, 2).await;
    world.shop.shelves().away = false;
    for order in [&open, &placed] {
        assert_eq!(orders.ended(&buyer, order, "cancelled").await["reason"], "the user was deleted");
        assert_eq!(world.shop.held(id(order)), Some(Held::Free));
    }
    assert_eq!(world.asked(&open, 2).await, ["process.payment", "refund.payment"]);
    orders.ended(&buyer, &confirmed, "confirmed").await;
    // The producer may still have known the user when a last order was placed.
    let late = orders.placed(&buyer, &[(&product, 1)]).await;
    assert_eq!(orders.ended(&buyer, &late, "cancelled").await["reason"], "the user was deleted");
}
