//! Users who order: what can be had, what is scarce, what the payment provider declines, and what they give up again.

use std::collections::BTreeMap;

use bson::{Document, doc};
use mongodb::Collection;
use serde_json::{Value, json};
use system_tests::{Ask, Site};
use testkit::eventually_within;
use uuid::Uuid;

use super::Shop;
use super::steady::{PATIENCE, Steady, repeated};

/// How many order at the same time, each as one of the users.
const AT_ONCE: usize = 8;

/// Price and stock of each product. One of those at 10.13 is declined by the payment provider, and one of those at 10.51.
const PRODUCTS: [(i64, i64); 5] = [(1999, 400), (250, 400), (1013, 400), (1051, 400), (5000, 12)];

/// What is ordered in turn: which products, how many of them, and whether the order is given up once it is charged.
const TURNS: [(&[(usize, i64)], bool); 7] = [
    (&[(0, 2)], false),
    (&[(1, 1)], true),
    (&[(0, 1), (1, 3)], false),
    (&[(2, 1)], false),
    (&[(4, 1)], false),
    (&[(3, 1)], false),
    (&[(1, 2), (4, 2)], true),
];

/// An order that was accepted.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) order_id: Uuid,
    pub(super) user_id: Uuid,
    /// How many of each product.
    pub(super) items: BTreeMap<Uuid, i64>,
}

/// The products that are ordered, with their stock.
pub(super) type Stock = BTreeMap<Uuid, i64>;

#[derive(Clone)]
struct Buyers {
    /// Orders, asked by each of the users.
    sites: Vec<(Site, Uuid)>,
    products: Vec<Uuid>,
    /// Where the payment provider writes down what it has charged.
    ledger: Collection<Document>,
}

impl Shop {
    /// Makes products, and has users order them until it is enough.
    pub(super) async fn buyers(&self, admin: &str, users: usize) -> (Stock, Steady<Placed>) {
        let at = |process: &crate::world::Process| Site::behind(process.base()).with_token(admin);
        let (owners, products) = (at(&self.services.owners), at(&self.services.products));
        let owner_id = owners.post("/v1/owners", &owner("Ada")).answer().await.expect(201).id("owner_id");
        let mut made = Vec::new();
        for (number, (price, stock)) in PRODUCTS.into_iter().enumerate() {
            let product = product(&format!("Product {number}"), owner_id, price, stock);
            made.push(products.post("/v1/products", &product).answer().await.expect(201).id("product_id"));
        }
        let mut sites = Vec::new();
        for number in 0..users {
            let token = self.user(&format!("user{number}")).await;
            let site = Site::behind(self.producer.base()).with_token(&token);
            let user_id = site.get("/auth/me").answer().await.expect(200).id("user_id");
            sites.push((Site::behind(self.services.orders.base()).with_token(&token), user_id));
        }
        let stock = made.iter().copied().zip(PRODUCTS.map(|(_, stock)| stock)).collect();
        let buyers = Buyers { sites, products: made, ledger: self.payments().collection("ledger") };
        let steady = Steady::start(AT_ONCE, move |turn| {
            let buyers = buyers.clone();
            async move { buyers.order(turn).await }
        });
        (stock, steady)
    }
}

impl Buyers {
    async fn order(&self, turn: usize) -> Placed {
        let ((site, user_id), (items, given_up)) = (&self.sites[turn % self.sites.len()], TURNS[turn % TURNS.len()]);
        let items: BTreeMap<Uuid, i64> =
            items.iter().map(|(product, quantity)| (self.products[*product], *quantity)).collect();
        let basket: Vec<_> =
            items.iter().map(|(id, quantity)| json!({ "product_id": id, "quantity": quantity })).collect();
        let (key, basket) = (Uuid::now_v7(), json!({ "items": basket }));
        let post = || site.post("/v1/orders", &basket);
        let order_id = repeated(&[200, 202], key, post).await.id("order_id");
        if given_up {
            self.give_up(site, order_id).await;
        }
        // The same request again is held until the order has ended; nobody orders more before.
        eventually_within(PATIENCE, "the order has ended", async || {
            let again = repeated(&[200, 202], key, || post().header("prefer", "wait=10")).await;
            assert_eq!(again.id("order_id"), order_id, "the same key has ordered twice");
            (again.status == 200).then_some(())
        })
        .await;
        Placed { order_id, user_id: *user_id, items }
    }

    /// Cancels an order once the money has moved, unless it has ended by then.
    async fn give_up(&self, site: &Site, order_id: Uuid) {
        let path = format!("/v1/orders/{order_id}");
        eventually_within(PATIENCE, "the order is charged, or has ended", async || {
            let charge = doc! { "_id": format!("charge {order_id}") };
            if self.ledger.find_one(charge).await.expect("MongoDB answers").is_some() {
                return Some(());
            }
            let order = site.get(&path).try_answer().await.filter(|order| order.status == 200)?;
            (order.json()["status"] != "pending").then_some(())
        })
        .await;
        repeated(&[202, 409], Uuid::now_v7(), || site.post(&format!("{path}/cancel"), &json!({}))).await;
    }
}

pub(super) fn owner(name: &str) -> Value {
    json!({ "first_name": name, "last_name": "Hopper", "email": "shop@example.org", "address": "1 Harbour Street" })
}

pub(super) fn product(name: &str, owner_id: Uuid, price: i64, stock: i64) -> Value {
    let price = json!({ "amount": price, "currency": "EUR" });
    json!({ "name": name, "description": "", "price": price, "owner_id": owner_id, "stock": stock })
}
