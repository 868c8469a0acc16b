//! Many orders at once, over two replicas.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use rand::Rng;
use rand::seq::SliceRandom;
use serde_json::Value;
use testkit::eventually_within;
use tonic::Code;
use uuid::Uuid;

use crate::shelves::{HEALED, HOLD, Order, Watcher, are_at_rest, check, check_rest, is_reserved, reservations, stored};
use crate::support::{Products, World, calls, user, uuid};

struct Shop {
    world: World,
    replicas: [Products; 2],
    products: Vec<Value>,
    totals: BTreeMap<Uuid, i64>,
}

impl Shop {
    async fn with(stock: &[i64]) -> Self {
        let world = World::new().await;
        let (one, two) = tokio::join!(world.products(), world.products());
        let user = user();
        let owner = world.owners.of(&user);
        let mut products = Vec::new();
        for stock in stock {
            products.push(one.created(&user, &owner, *stock).await);
        }
        let totals = products.iter().map(uuid).zip(stock.iter().copied()).collect();
        Self { world, replicas: [one, two], products, totals }
    }

    fn calls(&self) -> impl Order + Clone {
        calls(&[self.replicas[0].grpc_address(), self.replicas[1].grpc_address()])
    }

    /// Checks that all has come to rest, and that nothing is missing.
    async fn check(&self) {
        // A call that took too long has left something behind.
        eventually_within(HEALED, "nothing is under way", async || {
            are_at_rest(&reservations(&self.world.mongo).await).then_some(())
        })
        .await;
        let products = stored(&self.world.mongo).await;
        check(&products, &self.totals);
        check_rest(&products, &reservations(&self.world.mongo).await);
    }
}

#[tokio::test]
async fn two_hundred_buyers_of_fifty_get_exactly_fifty() {
    let shop = Shop::with(&[50]).await;
    let watcher = Watcher::start(&shop.world.mongo, shop.totals.clone());
    let (calls, teapot) = (shop.calls(), uuid(&shop.products[0]));
    let orders: Vec<_> = (0..200).map(|_| Uuid::now_v7()).collect();
    let items = [(teapot, 1)];
    let outcomes = join_all(orders.iter().map(|order| calls.reserve(*order, &items))).await;
    let reserved: Vec<bool> = outcomes.into_iter().map(|outcome| is_reserved(&outcome.expect("an answer"))).collect();
    assert_eq!(reserved.iter().filter(|reserved| **reserved).count(), 50);
    assert_eq!(shop.replicas[0].stock(&shop.products[0]).await, (0, 50, 0));

    let lucky = orders.iter().zip(reserved).filter(|(_, reserved)| *reserved);
    let sold = join_all(lucky.map(|(order, _)| calls.commit(*order))).await;
    assert!(sold.iter().all(Result::is_ok), "{sold:?}");
    assert_eq!(shop.replicas[1].stock(&shop.products[0]).await, (0, 0, 50));
    assert!(watcher.stop().await > 10);
    shop.check().await;
}

/// As when payments come back after many orders have waited for them.
#[tokio::test]
async fn eighty_who_have_paid_or_give_up_at_once_change_their_product_a_few_times_and_not_eighty() {
    let shop = Shop::with(&[80]).await;
    let (calls, teapot) = (shop.replicas[0].calls(), uuid(&shop.products[0]));
    let orders: Vec<_> = (0..80).map(|_| Uuid::now_v7()).collect();
    let items = [(teapot, 1)];
    let reserved = join_all(orders.iter().map(|order| calls.reserve(*order, &items))).await;
    assert!(reserved.iter().all(|outcome| is_reserved(outcome.as_ref().expect("an answer"))), "{reserved:?}");

    let before = stored(&shop.world.mongo).await[0].version;
    let ended = orders.iter().enumerate().map(async |(index, order)| match index % 4 {
        0 => calls.release(*order).await,
        _ => calls.commit(*order).await,
    });
    let ended = join_all(ended).await;
    assert!(ended.iter().all(Result::is_ok), "{ended:?}");
    assert_eq!(shop.replicas[0].stock(&shop.products[0]).await, (20, 0, 60));
    let changes = stored(&shop.world.mongo).await[0].version - before;
    assert!(changes < 40, "{changes} changes");
    shop.check().await;
}

#[tokio::test]
async fn orders_of_several_products_get_all_or_none_and_never_wait_for_each_other_in_a_circle() {
    let shop = Shop::with(&[12, 12, 12]).await;
    let watcher = Watcher::start(&shop.world.mongo, shop.totals.clone());
    let (calls, ids) = (shop.calls(), shop.products.iter().map(uuid).collect::<Vec<_>>());
    let orders = (0..60).map(|_| {
        let mut items: Vec<_> = ids.iter().map(|id| (*id, 1)).collect();
        items.shuffle(&mut rand::rng());
        let calls = calls.clone();
        async move { calls.reserve(Uuid::now_v7(), &items).await }
    });
    let outcomes = join_all(orders).await;
    let reserved = outcomes.iter().filter(|outcome| is_reserved(outcome.as_ref().expect("an answer"))).count();
    for product in &shop.products {
        assert_eq!(shop.replicas[0].stock(product).await, (12 - reserved as i64, reserved as i64, 0));
    }
    // One that comes short gives back what it had, which another may have wanted meanwhile.
    assert!((1..=12).contains(&reserved), "{reserved}");
    assert!(watcher.stop().await > 10);
    shop.check().await;
}

#[tokio::test]
async fn whatever_orders_do_at_the_same_time_the_sum_stays() {
    let shop = Shop::with(&[30, 20, 10]).await;
    let watcher = Watcher::start(&shop.world.mongo, shop.totals.clone());
    let (calls, ids) = (shop.calls(), shop.products.iter().map(uuid).collect::<Vec<_>>());
    let orders = (0..80).map(|_| {
        let (calls, mut ids, mut random) = (calls.clone(), ids.clone(), rand::rng());
        ids.shuffle(&mut random);
        ids.truncate(random.random_range(1..=3));
        let items: Vec<_> = ids.into_iter().map(|id| (id, random.random_range(1..4))).collect();
        let hold = if random.random_bool(0.3) { Duration::from_millis(200) } else { HOLD };
        let mut does: Vec<u8> = (0..random.random_range(2..6)).map(|_| random.random_range(0..3)).collect();
        does.push(0);
        async move {
            // Each of them by itself, in no order.
            let order = Uuid::now_v7();
            let act = async |what| match what {
                0 => calls.reserve_for(order, &items, hold).await.map(drop).map_err(|status| status.code()),
                1 => calls.commit(order).await,
                _ => calls.release(order).await,
            };
            join_all(does.into_iter().map(act)).await
        }
    });
    let ends: Vec<_> = stream::iter(orders).buffer_unordered(20).collect::<Vec<_>>().await.concat();
    let is_final = |end: &&Result<(), Code>| matches!(end, Ok(()) | Err(Code::FailedPrecondition));
    assert!(ends.iter().all(|end| is_final(&end)), "{ends:?}");
    let all = reservations(&shop.world.mongo).await;
    let ending = all.iter().map(async |reservation| {
        // Of what is still held, some is sold and some given back.
        let sells = rand::random::<bool>();
        if sells { calls.commit(reservation.order_id).await } else { calls.release(reservation.order_id).await }
    });
    stream::iter(ending).buffer_unordered(20).collect::<Vec<_>>().await;
    assert!(watcher.stop().await > 10);
    shop.check().await;
    assert!(stored(&shop.world.mongo).await.iter().all(|product| product.stock.holds.is_empty()));
}
