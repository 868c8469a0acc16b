//! A shop with goods and a buyer, and the orders of a load.

use std::time::Duration;

use anyhow::ensure;
use bson::{Bson, DateTime, Document, doc};
use mongodb::Collection;
use serde_json::json;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::Bench;
use crate::beside::mongo::Mongo;
use crate::cpu::Cpu;
use crate::load::{Load, Orders, Pattern, Requests, Tally};
use crate::stage::{Shop, Stage, User};

/// So many that orders under way at the same time rarely want the same one.
pub(super) const PRODUCTS: usize = 256;

/// As many as there can be of one product.
const STOCK: u64 = 1_000_000_000;

/// Each product is ordered once before anything is measured: then orders know it, and it is cached. Slowly, as nothing is cached yet.
const WARM_UP_PER_SECOND: f64 = 16.0;

/// How long all that comes of confirmed orders may take.
const SETTLE_LIMIT: Duration = Duration::from_secs(120);

/// What is ordered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goods {
    /// Of all products in turn.
    Many,
    /// Of one and the same.
    One,
}

/// A shop with goods, and who buys them.
pub(super) struct Market {
    pub(super) shop: Shop,
    pub(super) store: Mongo,
    pub(super) products: Vec<Uuid>,
    hot: Uuid,
    buyer: User,
}

/// What came of a load that was as fast as it goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    /// Confirmed orders per second.
    pub(super) rate: f64,
    /// How often what is kept of each was written.
    pub(super) writes: f64,
    /// How many writes MongoDB counted for each, with all that came of it later.
    pub(super) counted: f64,
}

impl Market {
    /// Starts the shop, fills it, and orders each product once.
    pub(super) async fn open(bench: &mut Bench) -> anyhow::Result<Self> {
        bench.progress.now("starting registry, owners, products, orders and payments");
        let name = bench.load_name();
        let shop = bench.stage.start_shop().await?;
        let (stage, store) = (&bench.stage, Mongo::connect(&bench.stage).await?);
        let buyer = stage.log_in(&name).await?;
        bench.progress.now(format!("{} products", PRODUCTS + 1));
        let owner = json!({
            "first_name": "Grace", "last_name": "Hopper", "email": "grace@example.com", "address": "1 Harbour Street, Arlington",
        });
        let owner = stage.make(shop.owners, "/v1/owners", &buyer, &owner, "owner_id").await?;
        let hot = product(stage, &shop, &buyer, owner, PRODUCTS).await?;
        let mut products = Vec::with_capacity(PRODUCTS);
        for number in 0..PRODUCTS {
            products.push(product(stage, &shop, &buyer, owner, number).await?);
        }
        let order = json!({ "items": [{ "product_id": hot, "quantity": 1 }] });
        stage.make(shop.orders, "/v1/orders", &buyer, &order, "order_id").await?;
        let market = Self { shop, store, products, hot, buyer };
        bench.progress.now("ordering each product once");
        let lasts = Duration::from_secs_f64(PRODUCTS as f64 / WARM_UP_PER_SECOND);
        let warm_up = market.orders(bench, Goods::Many, 64, Pattern::Open(WARM_UP_PER_SECOND), lasts)?;
        warm_up.run().await?.all_accepted()?;
        bench.stage.settle().await?;
        market.settle().await?;
        Ok(market)
    }

    /// Orders to be placed.
    fn orders(
        &self,
        bench: &mut Bench,
        goods: Goods,
        connections: usize,
        pattern: Pattern,
        lasts: Duration,
    ) -> anyhow::Result<Load> {
        let products = match goods {
            Goods::Many => &self.products[..],
            Goods::One => &[self.hot],
        };
        let requests = Requests::Orders(Orders::new(bench.load_name(), products, &self.buyer.token)?);
        Ok(Load { to: self.shop.orders, requests, connections, pattern, lasts })
    }

    /// As fast as so many who wait for each order to be confirmed can order.
    pub(super) async fn flow(
        &self,
        bench: &mut Bench,
        goods: Goods,
        connections: usize,
        cpu: &mut Cpu,
    ) -> anyhow::Result<Flow> {
        let load = self.orders(bench, goods, connections, Pattern::Closed, bench.plan.round)?;
        let (written, counted) = (self.written().await?, self.store.writes().await?);
        let tally = cpu.during(&bench.stage, load.run()).await?;
        tally.all_accepted()?;
        self.settle().await?;
        let (written, counted) = (self.written().await? - written, self.store.writes().await?.saturating_sub(counted));
        let orders = tally.accepted.max(1) as f64;
        Ok(Flow { rate: tally.rate(), writes: written as f64 / orders, counted: counted as f64 / orders })
    }

    /// So many a second, for two rounds' time: a p99 wants many orders.
    pub(super) async fn calm(
        &self,
        bench: &mut Bench,
        per_second: f64,
        connections: usize,
        cpu: &mut Cpu,
    ) -> anyhow::Result<Tally> {
        let lasts = bench.plan.round * 2;
        let load = self.orders(bench, Goods::Many, connections, Pattern::Open(per_second), lasts)?;
        let tally = cpu.during(&bench.stage, load.run()).await?;
        tally.all_accepted()?;
        self.settle().await?;
        Ok(tally)
    }

    /// Waits until every message has been sent, and orders have heard of every change of a product.
    pub(super) async fn settle(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + SETTLE_LIMIT;
        while !self.is_settled().await? {
            ensure!(Instant::now() < deadline, "what came of the orders had not all happened after two minutes");
            sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    async fn is_settled(&self) -> anyhow::Result<bool> {
        for name in ["orders", "products", "payments"] {
            let waits = doc! { "outbox.due": { "$gt": DateTime::from_millis(0) } };
            if self.documents(name, name).find_one(waits).await?.is_some() {
                return Ok(false);
            }
        }
        // Of the first version of a product orders are told nothing.
        let changed = doc! { "version": { "$gt": 1 } };
        let changed = sum(&self.documents("products", "products"), changed, "$version").await?;
        Ok(changed == sum(&self.documents("orders", "known_products"), doc! {}, "$version").await?)
    }

    /// How often orders, products, reservations, payments and the ledger were written so far: each counts its own changes, but
    /// for the rows of the ledger, which never change.
    async fn written(&self) -> anyhow::Result<i64> {
        let mut written = sum(&self.documents("payments", "ledger"), doc! {}, 1).await?;
        for (database, name, counter) in [
            ("orders", "orders", "$version"),
            ("products", "products", "$version"),
            ("products", "reservations", "$revision"),
            ("payments", "payments", "$version"),
        ] {
            written += sum(&self.documents(database, name), doc! {}, counter).await?;
        }
        Ok(written)
    }

    fn documents(&self, database: &str, name: &str) -> Collection<Document> {
        self.store.database(database).collection(name)
    }
}

async fn product(stage: &Stage, shop: &Shop, seller: &User, owner_id: Uuid, number: usize) -> anyhow::Result<Uuid> {
    // The simulated provider of payments declines no such amount.
    let product = json!({
        "name": format!("Teapot {number}"), "description": "Holds a litre, pours without dripping.", "owner_id": owner_id,
        "price": { "amount": 1_990, "currency": "EUR" }, "stock": STOCK,
    });
    stage.make(shop.products, "/v1/products", seller, &product, "product_id").await
}

/// All of these together: a field, or so much for each.
async fn sum(documents: &Collection<Document>, of: Document, what: impl Into<Bson>) -> anyhow::Result<i64> {
    let stages = [doc! { "$match": of }, doc! { "$group": { "_id": "all", "sum": { "$sum": what.into() } } }];
    let mut found = documents.aggregate(stages).await?;
    if !found.advance().await? {
        return Ok(0);
    }
    match found.deserialize_current()?.get("sum") {
        Some(Bson::Int32(sum)) => Ok(i64::from(*sum)),
        Some(Bson::Int64(sum)) => Ok(*sum),
        other => anyhow::bail!("a sum is {other:?}"),
    }
}
