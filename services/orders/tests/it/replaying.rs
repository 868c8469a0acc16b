//! Sending every order's present state again.

use crate::support::{Ask, World, admin};

#[tokio::test]
async fn a_replay_sends_what_each_order_has_come_to() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let product = world.shop.product("Teapot", 5);
    let confirmed = orders.placed(&buyer, &[(&product, 1)]).await;
    world.pay(&confirmed).await;
    orders.ended(&buyer, &confirmed, "confirmed").await;
    let cancelled = orders.placed(&buyer, &[(&product, 99)]).await;
    orders.ended(&buyer, &cancelled, "cancelled").await;
    let open = orders.placed(&buyer, &[(&product, 1)]).await;
    world.asked(&open, 1).await;
    world.shop.shelves().away = true;
    let placed = orders.placed(&buyer, &[(&product, 1)]).await;
    for (order, count) in [(&confirmed, 2), (&cancelled, 1), (&open, 1)] {
        world.events(order, count).await;
    }

    let report = orders.ask("POST", "/admin/replay").by(admin()).answer().await.expect(200).json();
    assert_eq!(
        (&report["confirmed"], &report["failed"], &report["next"]),
        (&3.into(), &0.into(), &serde_json::Value::Null)
    );
    for (order, count, kind) in
        [(&confirmed, 3, "order.confirmed"), (&cancelled, 2, "order.cancelled"), (&open, 2, "order.created")]
    {
        let events = world.events(order, count).await;
        assert_eq!((events.len(), events[count - 1].0.as_str()), (count, kind));
        assert_eq!(events[count - 1].1, orders.found(&buyer, order).await);
    }
    assert!(world.events(&placed, 0).await.is_empty(), "it is not announced yet");
}
