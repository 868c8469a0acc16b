//! Every participant of the saga is killed at every step of it, while orders go on.

use std::time::{Duration, Instant};

use bson::doc;
use mongodb::Database;
use system_tests::Site;
use testkit::eventually_within;
use uuid::Uuid;

use super::Shop;
use super::audit::audit;
use super::buying::{owner, product};
use super::steady::{Steady, repeated};
use crate::server::Kind;

/// The steps of the saga at which there is something to do or to wait for.
const STEPS: [&str; 4] = ["placed", "reserved", "paid", "cancelling"];

/// How many more orders must be accepted after each blow.
const ORDERS: usize = 6;

/// Long enough for refunds and for what waits to be sent.
const SETTLE_LIMIT: Duration = Duration::from_secs(45);

impl Shop {
    /// Waits until an order is at a step of the saga.
    async fn an_order_is(&self, step: &str) {
        let orders = self.orders().collection::<bson::Document>("orders");
        eventually_within(SETTLE_LIMIT, &format!("an order is {step}"), async || {
            orders.find_one(doc! { "saga.step": step }).await.expect("MongoDB answers").map(drop)
        })
        .await;
    }

    /// Has owners and products made, again and again; gives the ids of both.
    fn creators(&self, admin: &str) -> Steady<(Uuid, Uuid)> {
        let at = |process: &crate::world::Process| Site::behind(process.base()).with_token(admin);
        let (owners, products) = (at(&self.services.owners), at(&self.services.products));
        Steady::start(1, move |turn| {
            let (owners, products) = (owners.clone(), products.clone());
            async move {
                let owner = owner(&format!("Creator {turn}"));
                let owner_id =
                    repeated(&[201], Uuid::now_v7(), || owners.post("/v1/owners", &owner)).await.id("owner_id");
                let product = product(&format!("Creation {turn}"), owner_id, 100, 7);
                let product = repeated(&[201], Uuid::now_v7(), || products.post("/v1/products", &product)).await;
                (owner_id, product.id("product_id"))
            }
        })
    }

    /// Waits until every order has ended, every refund is made, and nothing waits to be sent or read.
    async fn settled(&self) {
        let none = async |what: &str, database: Database, collection: &str, filter: bson::Document| {
            let collection = database.collection::<bson::Document>(collection);
            eventually_within(SETTLE_LIMIT, what, async || {
                let left = collection.count_documents(filter.clone()).await.expect("MongoDB answers");
                (left == 0).then_some(())
            })
            .await;
        };
        none("no order waits", self.orders(), "orders", doc! { "saga.next_at": { "$exists": true } }).await;
        let databases = [self.owners(), self.products(), self.orders(), self.payments()];
        for (database, collection) in databases.into_iter().zip(["owners", "products", "orders", "payments"]) {
            none("nothing is to be sent", database, collection, doc! { "outbox.0": { "$exists": true } }).await;
        }
        self.queues_are_empty().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_at_whatever_step_every_order_ends_and_neither_stock_nor_money_is_lost() {
    let shop = Shop::start(&[Kind::Rabbitmq]).await;
    let admin = shop.admin().await;
    let (stock, mut orders) = shop.buyers(&admin, 4).await;
    let mut creations = shop.creators(&admin);
    tokio::join!(orders.go_on(ORDERS), creations.go_on(2));

    let started = Instant::now();
    let services = &shop.services;
    for step in STEPS {
        for victim in [&services.payments, &services.products, &services.orders] {
            shop.an_order_is(step).await;
            victim.kill9().await;
            victim.start_again().await;
            orders.go_on(ORDERS).await;
        }
    }
    println!("killed {} times in {:?}", 3 * STEPS.len(), started.elapsed());
    for _ in 0..2 {
        creations.go_on(1).await;
        services.owners.kill9().await;
        services.owners.start_again().await;
        creations.go_on(2).await;
    }
    let broker = shop.servers.private(Kind::Rabbitmq);
    shop.an_order_is("reserved").await;
    broker.kill9().await;
    // Orders are taken without it.
    tokio::join!(broker.start(), orders.go_on(ORDERS));
    orders.go_on(ORDERS).await;

    let (placed, created) = (orders.finish().await, creations.finish().await);
    shop.settled().await;
    audit(&shop, &admin, &stock, &placed, &created).await;
    shop.stop().await;
}
