//! Who may see and order what.

use crate::support::{Ask, World, admin, path, user, wish};

#[tokio::test]
async fn orders_need_a_token_and_users_see_their_own() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let product = world.shop.product("Teapot", 5);
    let order = orders.placed(&buyer, &[(&product, 1)]).await;
    let other = user();
    for (method, path) in [
        ("GET", "/v1/orders".to_owned()),
        ("GET", path(&order)),
        ("GET", format!("{}/events", path(&order))),
        ("POST", format!("{}/cancel", path(&order))),
        ("GET", "/v1/orders/summary".to_owned()),
        ("POST", "/admin/replay".to_owned()),
    ] {
        orders.ask(method, &path).answer().await.expect(401);
        orders.ask(method, &path).bearer_auth("x").answer().await.expect(401);
    }
    orders.order(&[(&product, 1)]).answer().await.expect(401);
    orders.get(&path(&order)).by(&other).answer().await.expect(403);
    orders.get(&format!("/v1/orders?user_id={}", buyer.id)).by(&other).answer().await.expect(403);
    orders.ask("POST", "/admin/replay").by(&buyer).answer().await.expect(403);
    orders.get(&path(&order)).by(admin()).answer().await.expect(200);
    orders.get(&format!("/v1/orders/{}", uuid::Uuid::now_v7())).by(&buyer).answer().await.expect(404);
    orders.get("/v1/orders/x").by(&buyer).answer().await.expect(404);
}

#[tokio::test]
async fn only_an_admin_orders_for_another_user() {
    let world = World::new().await;
    let orders = world.orders().await;
    let (buyer, other) = (world.buyer(), world.buyer());
    let product = world.shop.product("Teapot", 5);
    let mut wish = wish(&[(&product, 1)]);
    wish["user_id"] = buyer.id.to_string().into();
    let order = |by| orders.ask("POST", "/v1/orders").json(&wish).by(by);
    order(&other).answer().await.expect(403);
    order(&buyer).answer().await.expect(202);
    let placed = order(&admin()).answer().await.expect(202).json();
    assert_eq!((&placed["user_id"], &placed["user_name"]), (&buyer.id.to_string().into(), &"Ada".into()));
    orders.found(&buyer, &placed).await;
}
