//! From an order to its end.

use contracts::payments::PaymentStatus;
use serde_json::json;

use crate::support::{Ask, Held, World, id, wish};

#[tokio::test]
async fn an_order_is_reserved_paid_and_confirmed() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let (teapot, cup) = (world.shop.product("Teapot", 5), world.shop.product("Cup", 9));
    let answer = orders.order(&[(&teapot, 2), (&cup, 3)]).by(&buyer).answer().await.expect(202);
    let order = answer.json();
    assert_eq!(answer.header("location"), format!("/v1/orders/{}", id(&order)));
    assert_eq!(
        (&order["status"], &order["user_name"], &order["version"]),
        (&json!("pending"), &json!("Ada"), &json!(1))
    );
    assert_eq!(order["total"], json!({ "amount": 5 * 1999, "currency": "EUR" }));
    assert_eq!(world.shop.shelves().asked_with, format!("Bearer {}", buyer.token));

    let (kind, command) = world.commands(&order, 1).await.remove(0);
    assert_eq!(kind, "process.payment");
    assert_eq!(command, json!({ "order_id": id(&order), "user_id": buyer.id, "amount": order["total"] }));
    assert_eq!(world.shop.held(id(&order)), Some(Held::Reserved));
    assert_eq!(world.shop.shelves().hold_for, 240);
    let (kind, created) = world.events(&order, 1).await.remove(0);
    assert_eq!((kind.as_str(), &created["status"]), ("order.created", &json!("pending")));

    world.payment(&order, PaymentStatus::Completed).await;
    let confirmed = orders.ended(&buyer, &order, "confirmed").await;
    assert_eq!(world.shop.held(id(&order)), Some(Held::Sold));
    let (kind, told) = world.events(&order, 2).await.remove(1);
    assert_eq!((kind.as_str(), &told), ("order.confirmed", &confirmed));
    assert_eq!(world.shop.shelves().products[&teapot.product_id].stock, 3);
    orders.stop().await;
}

#[tokio::test]
async fn who_prefers_to_wait_gets_the_end() {
    let world = World::new().await;
    let (orders, other) = (world.orders().await, world.orders().await);
    let buyer = world.buyer();
    let product = world.shop.product("Teapot", 5);
    let order = orders.placed(&buyer, &[(&product, 1)]).await;
    world.pay(&order).await;
    // Its key names the same order, whoever is asked, and the end is heard of there too.
    let again = || other.order(&[(&product, 1)]).header("prefer", "wait=20").header("idempotency-key", "k").by(&buyer);
    let second = again();
    let (answer, ()) = tokio::join!(second.answer(), async {
        let newest = || async {
            let page = orders.get("/v1/orders?status=pending").by(&buyer).answer().await.json();
            page["orders"].as_array()?.iter().find(|found| found["order_id"] != order["order_id"]).cloned()
        };
        let second = testkit::eventually("the second order is there", newest).await;
        world.pay(&second).await;
    });
    let answer = answer.expect(200);
    assert_eq!(answer.json()["status"], "confirmed");
    assert_eq!(answer.header("preference-applied"), "wait=20");
    assert_eq!(again().answer().await.expect(200).json(), answer.json());
    // Who waits in vain gets what there is.
    let third = orders.order(&[(&product, 1)]).header("prefer", "wait=1").by(&buyer).answer().await.expect(202);
    assert_eq!((&third.json()["status"], third.header("preference-applied")), (&json!("pending"), ""));
}

#[tokio::test]
async fn what_is_out_of_stock_is_cancelled_and_never_paid() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let (teapot, cup) = (world.shop.product("Teapot", 5), world.shop.product("Cup", 1));
    let order = orders.placed(&buyer, &[(&teapot, 2), (&cup, 3)]).await;
    let cancelled = orders.ended(&buyer, &order, "cancelled").await;
    assert_eq!(cancelled["reason"], "out of stock: 1 of `Cup` are left");
    assert_eq!(world.shop.held(id(&order)), Some(Held::Free));
    let events = world.events(&order, 1).await;
    assert_eq!((events.len(), events[0].0.as_str(), &events[0].1), (1, "order.cancelled", &cancelled));
    assert!(world.asked(&order, 0).await.is_empty());
}

#[tokio::test]
async fn a_payment_that_fails_ends_the_order() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let order = orders.placed(&buyer, &[(&world.shop.product("Teapot", 5), 2)]).await;
    world.asked(&order, 1).await;
    world.payment(&order, PaymentStatus::Failed).await;
    let cancelled = orders.ended(&buyer, &order, "cancelled").await;
    assert_eq!(cancelled["reason"], "payment failed: card declined");
    assert_eq!(world.shop.held(id(&order)), Some(Held::Free));
    assert_eq!(world.asked(&order, 1).await, ["process.payment"], "nothing is to be given back");
}

#[tokio::test]
async fn what_cannot_be_ordered_is_refused_by_its_field() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let (teapot, mut yen) = (world.shop.product("Teapot", 5), world.shop.product("Fan", 5));
    yen.price.currency = "JPY".parse().unwrap();
    world.shop.shelves().products.insert(yen.product_id, yen.clone());
    let unknown = crate::shop::product("Unknown", 1);
    let field = async |items: &[(&contracts::products::ProductState, u32)]| {
        let problem = orders.order(items).by(&buyer).answer().await.expect(422).json();
        problem["errors"][0]["field"].as_str().expect("it names a field").to_owned()
    };
    assert_eq!(field(&[]).await, "items");
    assert_eq!(field(&[(&teapot, 0)]).await, "items[0].quantity");
    assert_eq!(field(&[(&teapot, 1), (&teapot, 1)]).await, "items[1].product_id");
    assert_eq!(field(&[(&teapot, 1), (&unknown, 1)]).await, "items[1].product_id");
    assert_eq!(field(&[(&teapot, 1), (&yen, 1)]).await, "items");
    let stranger = crate::support::user();
    let problem = orders.order(&[(&teapot, 1)]).by(&stranger).answer().await.expect(422).json();
    assert_eq!(problem["errors"][0]["field"], "user_id");
    orders.ask("POST", "/v1/orders").by(&buyer).json(&json!({ "items": 7 })).answer().await.expect(422);
    orders.ask("POST", "/v1/orders").by(&buyer).body("x").answer().await.expect(415);
    assert_eq!(wish(&[(&teapot, 1)])["items"][0]["quantity"], 1);
    let page = orders.get("/v1/orders").by(&buyer).answer().await.expect(200).json();
    assert_eq!(page, json!({ "orders": [] }));
}
