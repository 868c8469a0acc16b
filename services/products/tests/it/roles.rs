//! The API and the worker, each in a process of its own.

use std::time::Duration;

use testkit::eventually;
use uuid::Uuid;

use crate::shelves::{Order, is_reserved};
use crate::support::{Ask, World, user, uuid};

#[tokio::test]
async fn an_api_serves_and_a_worker_looks_after_reservations() {
    let world = World::new().await;
    let api = world.products_with(&["api"]).await;
    let user = user();
    let product = api.created(&user, &world.owners.of(&user), 5).await;
    world.events(1).await;
    let order = Uuid::now_v7();
    let outcome = api.calls().reserve_for(order, &[(uuid(&product), 2)], Duration::from_millis(1)).await.unwrap();
    assert!(is_reserved(&outcome));
    let health = api.get("/health").answer().await.expect(200).json();
    assert!(health["dependencies"].get("products.owners").is_none(), "{health}");

    let worker = world.products_with(&["worker"]).await;
    assert!(worker.running.grpc_address().is_none());
    worker.get("/v1/products").answer().await.expect(404);
    eventually("the consumer is registered", async || {
        (worker.get("/ready").answer().await.status == 200).then_some(())
    })
    .await;
    eventually("it is given back", async || (api.stock(&product).await == (5, 0, 0)).then_some(())).await;
    worker.stop().await;
    api.stop().await;
}
