//! The API's description.

use crate::support::{Ask, World};

#[test]
fn the_description_is_as_it_was() {
    insta::assert_json_snapshot!("openapi", orders::openapi());
}

#[tokio::test]
async fn every_route_is_served_and_described() {
    let world = World::new().await;
    let orders = world.orders().await;
    let described = orders.get("/api-docs/openapi.json").answer().await.expect(200).json();
    for (path, methods) in [
        ("/v1/orders", &["get", "post"][..]),
        ("/v1/orders/summary", &["get"]),
        ("/v1/orders/{order_id}", &["get"]),
        ("/v1/orders/{order_id}/cancel", &["post"]),
        ("/v1/orders/{order_id}/events", &["get"]),
        ("/admin/replay", &["post"]),
        ("/health", &["get"]),
    ] {
        for method in methods {
            assert!(described["paths"][path][method].is_object(), "{method} {path} is not described");
        }
    }
    for path in ["/health", "/live", "/ready", "/metrics", "/status", "/api-docs/"] {
        orders.get(path).answer().await.expect(200);
    }
    orders.stop().await;
}

#[tokio::test]
async fn a_worker_answers_no_requests_and_an_api_handles_no_events() {
    let world = World::new().await;
    let (worker, api) = (world.orders_with(&["worker"]).await, world.orders_with(&["api"]).await);
    worker.get("/v1/orders").answer().await.expect(404);
    worker.get("/ready").answer().await.expect(200);
    let buyer = world.buyer();
    let product = world.shop.product("Teapot", 5);
    let order = api.placed(&buyer, &[(&product, 1)]).await;
    world.pay(&order).await;
    api.ended(&buyer, &order, "confirmed").await;
}
