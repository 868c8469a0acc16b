//! News that were lost on the way, and a cache that was emptied: `warren replay` tells all states again.

use redis::AsyncCommands;
use serde_json::{Value, json};
use system_tests::{Ask, journeys};
use testkit::{Program, eventually};

use super::Shop;
use crate::world::ADMIN;

const PRODUCTS_OWNERS: &str = contracts::topology::queue::PRODUCTS_OWNERS;
const ORDERS_PRODUCTS: &str = contracts::topology::queue::ORDERS_PRODUCTS;

impl Shop {
    /// Waits until news are in a queue, and deletes it with them.
    async fn news_are_lost(&self, queue: &str) {
        let rabbit = self.servers.rabbit();
        eventually("there are news", async || (rabbit.queue_depth(queue).await > 0).then_some(())).await;
        rabbit.delete_queue(queue).await;
    }

    /// Runs `warren replay`, and gives what it says.
    async fn replay(&self) -> Value {
        let warren = Program::cargo_bin("warren").arg("--json").arg("replay");
        let warren = warren
            .env("WARREN_URL", self.gateway.base())
            .env("REGISTRY_URL", self.registry.base())
            .env("ADMIN_EMAIL", ADMIN.0)
            .env("ADMIN_PASSWORD", ADMIN.1)
            .start()
            .await;
        assert_eq!(warren.exit_code().await, 0, "{}", warren.logs());
        serde_json::from_str(&warren.logs()).unwrap_or_else(|error| panic!("{error}: {}", warren.logs()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_lost_with_the_queues_and_the_cache_is_right_again_after_a_replay() {
    let shop = Shop::start(&[]).await;
    shop.is_open().await;
    let sale = journeys::an_order_is_confirmed_and_seen_on_the_dashboard(&shop.gateway()).await;
    let before = sale.shown().await;

    // Orders are to miss a new name, and then products a new address.
    let (owner_path, product_path) =
        (format!("/api/owners/{}", sale.owner_id), format!("/api/products/{}", sale.product_id));
    shop.services.orders.kill9().await;
    let named = json!({ "name": "Samovar", "description": "", "price": { "amount": 2500, "currency": "EUR" } });
    sale.seller.put(&product_path, &named).answer().await.expect(200);
    shop.news_are_lost(ORDERS_PRODUCTS).await;
    shop.services.products.kill9().await;
    sale.seller.put(&owner_path, &journeys::owner("2 Hill Road")).answer().await.expect(200);
    shop.news_are_lost(PRODUCTS_OWNERS).await;
    let mut redis = shop.servers.redis().await;
    let cached: Vec<String> = redis.keys("product:*").await.expect("Redis answers");
    let () = redis.del(&cached).await.expect("Redis answers");
    assert!(!cached.is_empty(), "nothing was cached");

    tokio::join!(shop.services.orders.start_again(), shop.services.products.start_again());
    assert_eq!(sale.shown().await, before);
    let product = sale.seller.get(&product_path).answer().await.expect(200).json();
    assert_eq!(product["owner"], before["owner"], "the news of the owner were not lost");

    let replayed = shop.replay().await;
    for (service, documents) in [("owners", 1), ("products", 1), ("orders", 2), ("payments", 1)] {
        let all = json!({ "documents": documents, "confirmed": documents, "failed": 0, "unreadable": 0 });
        assert_eq!(replayed[service], all, "{service}");
    }
    sale.shows("name", |product| product["name"] == "Samovar").await;
    sale.shows("address", |product| product["owner"]["address"] == "2 Hill Road").await;
    assert_eq!(sale.shown().await["owner"]["version"], 2);
    let product = sale.seller.get(&product_path).answer().await.expect(200).json();
    assert_eq!(product["owner"]["address"], "2 Hill Road");
    let (again, shown) = (sale.bought_again().await, sale.shown().await);
    assert_eq!((&again["name"], &again["owner"]), (&shown["name"], &shown["owner"]), "what is cached is out of date");
    shop.stop().await;
}
