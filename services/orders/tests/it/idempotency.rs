//! Orders that are sent again.

use futures_util::future::join_all;

use crate::support::{Ask, World};

#[tokio::test]
async fn the_same_request_is_answered_as_the_first_time_whatever_became_of_the_product() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let product = world.shop.product("Teapot", 50);
    let place = || orders.order(&[(&product, 1)]).header("idempotency-key", "k 1").by(&buyer);
    let first = place().answer().await.expect(202);
    world.pay(&first.json()).await;
    orders.ended(&buyer, &first.json(), "confirmed").await;
    world.deleted(&product).await;
    world.shop.shelves().users.clear();
    let again = place().answer().await.expect(202);
    assert_eq!(again.json(), first.json());
    assert_eq!(again.header("location"), first.header("location"));
    world.shop.user(buyer.id, "Ada");
    let cup = world.shop.product("Cup", 50);
    let other =
        orders.order(&[(&cup, 1)]).header("idempotency-key", "k 1").by(&buyer).answer().await.expect(422).json();
    assert_eq!(other["errors"][0]["field"], "Idempotency-Key");
    let others = world.buyer();
    orders.order(&[(&cup, 1)]).header("idempotency-key", "k 1").by(&others).answer().await.expect(202);
}

#[tokio::test]
async fn of_many_at_the_same_time_one_is_placed_over_two_processes() {
    let world = World::new().await;
    let (one, two) = (world.orders().await, world.orders().await);
    let buyer = world.buyer();
    let product = world.shop.product("Teapot", 50);
    let placing = (0..20).map(|n| {
        let replica = if n % 2 == 0 { &one } else { &two };
        replica.order(&[(&product, 1)]).header("idempotency-key", "k").by(&buyer).answer()
    });
    let answers: Vec<_> = join_all(placing).await.into_iter().map(|answer| answer.expect(202).json()).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let page = one.get("/v1/orders").by(&buyer).answer().await.expect(200).json();
    assert_eq!(page["orders"].as_array().unwrap().len(), 1);
    assert_eq!(world.asked(&answers[0], 1).await.len(), 1);
    assert_eq!(world.shop.shelves().products[&product.product_id].stock, 49);
}
