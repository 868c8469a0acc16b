//! Products in Redis.

use std::time::Duration;

use futures_util::future::join_all;
use redis::AsyncCommands;
use serde_json::Value;
use testkit::eventually;

use crate::support::{Ask, World, moved};

#[tokio::test(flavor = "multi_thread")]
async fn a_stampede_reads_a_product_once_over_two_processes() {
    let world = World::new().await;
    let (one, two) = (world.orders().await, world.orders().await);
    let buyer = world.buyer();
    let (mut teapot, cup) = (world.shop.product("Teapot", 10_000), world.shop.product("Cup", 10_000));
    // Both know everybody by now.
    let warm = world.shop.product("Spoon", 10);
    for replica in [&one, &two] {
        replica.placed(&buyer, &[(&warm, 1)]).await;
    }
    // So dear that the order is refused when its products are read: this is not about the database.
    teapot.price.amount = 10_i64.pow(15);
    world.shop.shelves().products.insert(teapot.product_id, teapot.clone());
    world.shop.shelves().read_takes = Duration::from_millis(200);
    let placing = (0..200).map(|n| {
        let replica = if n % 2 == 0 { &one } else { &two };
        replica.order(&[(&teapot, 1), (&cup, 1)]).by(&buyer).answer()
    });
    for answer in join_all(placing).await {
        assert_eq!(answer.expect(422).json()["errors"][0]["field"], "items");
    }
    let reads = world.shop.shelves().reads.clone();
    assert_eq!((reads[&teapot.product_id], reads[&cup.product_id]), (1, 1));
}

#[tokio::test]
async fn a_new_price_is_charged_and_a_placed_order_keeps_its_own() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let product = world.shop.product("Teapot", 50);
    let before = orders.placed(&buyer, &[(&product, 1)]).await;
    let mut dearer = moved(&product, 7, "elsewhere");
    dearer.price.amount = 2500;
    world.updated(&dearer).await;
    let charged = async || orders.placed(&buyer, &[(&product, 1)]).await["total"]["amount"].as_i64();
    eventually("the new price is charged", || async { (charged().await == Some(2500)).then_some(()) }).await;
    assert_eq!(world.shop.shelves().reads[&product.product_id], 1, "it was told, not read again");

    // What is older changes nothing any more.
    let mut cheaper = moved(&product, 6, "elsewhere");
    cheaper.price.amount = 1;
    world.updated(&cheaper).await;
    eventually("it is handled", || async { (world.rabbit.queue_depth("orders.products").await == 0).then_some(()) })
        .await;
    assert_eq!(charged().await, Some(2500));
    let before = orders.found(&buyer, &before).await;
    assert_eq!((&before["total"]["amount"], &before["items"][0]["price"]["amount"]), (&1999.into(), &1999.into()));
}

#[tokio::test]
async fn an_event_that_comes_before_an_older_read_is_not_overwritten() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let product = world.shop.product("Teapot", 50);
    // It was not cached, so the event proves only that nothing older than version 3 may be.
    world.updated(&moved(&product, 3, "elsewhere")).await;
    let key = format!("product:{}", product.product_id);
    let mut redis = world.redis.connection().await;
    let cached = async |redis: &mut redis::aio::MultiplexedConnection| {
        let text: Option<String> = redis.get(&key).await.unwrap();
        text.map(|text| serde_json::from_str::<Value>(&text).unwrap())
    };
    eventually("the version is noted", || {
        let mut redis = redis.clone();
        async move { cached(&mut redis).await.filter(|cached| cached["version"] == 3) }
    })
    .await;
    orders.placed(&buyer, &[(&product, 1)]).await;
    let cached_now = cached(&mut redis).await.unwrap();
    assert_eq!((&cached_now["version"], &cached_now["product"]), (&3.into(), &Value::Null));

    let newest = moved(&product, 3, "elsewhere");
    world.shop.shelves().products.insert(product.product_id, newest);
    orders.placed(&buyer, &[(&product, 1)]).await;
    assert_eq!(cached(&mut redis).await.unwrap()["product"]["owner"]["address"], "elsewhere");
    let ttl: i64 = redis.ttl(&key).await.unwrap();
    assert!((3_500..=3_600).contains(&ttl), "{ttl}");
}

#[tokio::test]
async fn a_deleted_product_cannot_be_ordered_even_if_it_is_still_read() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let product = world.shop.product("Teapot", 50);
    orders.placed(&buyer, &[(&product, 1)]).await;
    world.deleted(&product).await;
    let order = || orders.order(&[(&product, 1)]).by(&buyer);
    eventually("it is gone", || async { (order().answer().await.status == 422).then_some(()) }).await;
    world.updated(&moved(&product, 9, "elsewhere")).await;
    eventually("it is handled", || async { (world.rabbit.queue_depth("orders.products").await == 0).then_some(()) })
        .await;
    let problem = order().answer().await.expect(422).json();
    assert_eq!(problem["errors"][0]["field"], "items[0].product_id");
}

#[tokio::test]
async fn without_redis_products_are_read_one_reader_at_a_time() {
    let world = World::new().await;
    let redis = testkit::proxy(world.redis.url()).await;
    let orders = world.orders_with(&[&format!("--redis-url={}", redis.url_for(world.redis.url()))]).await;
    let buyer = world.buyer();
    let product = world.shop.product("Teapot", 50);
    orders.placed(&buyer, &[(&product, 1)]).await;
    redis.blackhole().await;
    for _ in 0..3 {
        orders.placed(&buyer, &[(&product, 1)]).await;
    }
    assert_eq!(world.shop.shelves().reads[&product.product_id], 4);
    // What was told meanwhile is not forgotten.
    let mut dearer = moved(&product, 2, "elsewhere");
    dearer.price.amount = 2500;
    world.updated(&dearer).await;
    redis.restore().await;
    eventually("the new price is charged", || async {
        let order = orders.placed(&buyer, &[(&product, 1)]).await;
        (order["total"]["amount"] == 2500).then_some(())
    })
    .await;
}
