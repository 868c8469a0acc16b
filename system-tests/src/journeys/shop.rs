//! The shop, from an owner to an order that is confirmed, all through the gateway.

use serde_json::{Value, json};
use testkit::eventually;
use uuid::Uuid;

use super::{told, unique};
use crate::{Answer, Ask, Site};

/// What an order of this shop is about, and who may change it.
#[derive(Debug)]
pub struct Sale {
    /// The gateway, asked by the user whose owner and product these are.
    pub seller: Site,
    /// The gateway, asked by the user whose order it is.
    pub buyer: Site,
    /// The owner.
    pub owner_id: Uuid,
    /// Its product.
    pub product_id: Uuid,
    /// The order, which is confirmed.
    pub order_id: Uuid,
}

/// A seller's product is bought: order, stock and the buyer's dashboard say so.
pub async fn an_order_is_confirmed_and_seen_on_the_dashboard(gateway: &Site) -> Sale {
    let ((seller, _), (buyer, buyer_id)) = (user(gateway, "Grace Hopper").await, user(gateway, "Ada Lovelace").await);
    let owner = seller.post("/api/owners", &owner("1 Harbour Street, Arlington"));
    let owner_id = owner.answer().await.expect(201).id("owner_id");
    let teapot = product(owner_id);
    buyer.post("/api/products", &teapot).answer().await.expect(403);
    let product_id = seller.post("/api/products", &teapot).answer().await.expect(201).id("product_id");

    let order = buys(&buyer, product_id, 2).await;
    let (order_id, order) = (order.id("order_id"), order.json());
    let price = |amount: i64| json!({ "amount": amount, "currency": "EUR" });
    assert_eq!((&order["user_id"], &order["user_name"]), (&json!(buyer_id), &json!("Ada Lovelace")));
    assert_eq!((&order["total"], &order["items"][0]["price"]), (&price(3998), &price(1999)));
    assert_eq!(order["items"][0]["product"]["name"], teapot["name"]);
    assert_eq!(order["items"][0]["product"]["owner"]["address"], "1 Harbour Street, Arlington");

    let path = format!("/api/orders/{order_id}");
    seller.get(&path).answer().await.expect(403);
    let events = buyer.get(&format!("{path}/events")).answer().await.expect(200);
    assert_eq!(told(&events.body).last().map(|told| &told["status"]), Some(&json!("confirmed")));
    // Who looks needs no token.
    let product = gateway.get(&format!("/api/products/{product_id}")).answer().await.expect(200).json();
    assert_eq!((&product["stock"], &product["reserved"], &product["sold"]), (&json!(3), &json!(0), &json!(2)));

    let too_many = buyer.post("/api/orders", &basket(product_id, 4)).header("prefer", "wait=20");
    let too_many = too_many.answer().await.expect(200).json();
    assert_eq!(too_many["status"], "cancelled", "{too_many}");
    assert!(too_many["reason"].as_str().is_some_and(|reason| reason.contains("out of stock")), "{too_many}");

    let dashboard = buyer.get(&format!("/api/user/{buyer_id}/dashboard")).answer().await.expect(200).json();
    assert_eq!((&dashboard["degraded"], &dashboard["user"]["user_id"]), (&json!([]), &json!(buyer_id)));
    let orders = &dashboard["orders"];
    assert_eq!((&orders["total"], &orders["totalValue"]), (&json!(2), &json!([price(3998)])), "{dashboard}");
    let recent: Vec<_> = (0..2).map(|at| &orders["recent"][at]["order_id"]).collect();
    assert_eq!(recent, [&too_many["order_id"], &order["order_id"]], "the newest is first: {dashboard}");
    Sale { seller, buyer, owner_id, product_id, order_id }
}

impl Sale {
    /// The owner moves, and the product that was ordered is shown with the new address.
    pub async fn follows_the_owner(&self) {
        let moved = owner("2 Hill Road, Arlington");
        self.seller.put(&format!("/api/owners/{}", self.owner_id), &moved).answer().await.expect(200);
        self.shows("owner.address", |product| product["owner"]["address"] == "2 Hill Road, Arlington").await;
    }

    /// Waits until the order shows its product so.
    pub async fn shows(&self, what: &str, so: impl Fn(&Value) -> bool) {
        eventually(&format!("the order shows the product's {what}"), async || so(&self.shown().await).then_some(()))
            .await;
    }

    /// What the order shows of its product.
    pub async fn shown(&self) -> Value {
        let order = self.buyer.get(&format!("/api/orders/{}", self.order_id)).answer().await.expect(200).json();
        assert_eq!(order["items"][0]["price"]["amount"], 1999, "a price stays as it was: {order}");
        order["items"][0]["product"].clone()
    }

    /// Buys one more, and gives what the order shows of it.
    pub async fn bought_again(&self) -> Value {
        buys(&self.buyer, self.product_id, 1).await.json()["items"][0]["product"].clone()
    }
}

/// An order that must be confirmed.
async fn buys(buyer: &Site, product_id: Uuid, quantity: u32) -> Answer {
    let order = buyer.post("/api/orders", &basket(product_id, quantity));
    let order = order.header("idempotency-key", unique("order")).header("prefer", "wait=20").answer().await.expect(200);
    assert_eq!(order.json()["status"], "confirmed", "{}", order.body);
    order
}

fn basket(product_id: Uuid, quantity: u32) -> Value {
    json!({ "items": [{ "product_id": product_id, "quantity": quantity }] })
}

/// An owner as it is created and changed.
pub fn owner(address: &str) -> Value {
    json!({ "first_name": "Grace", "last_name": "Hopper", "email": "grace@example.org", "address": address })
}

fn product(owner_id: Uuid) -> Value {
    let price = json!({ "amount": 1999, "currency": "EUR" });
    json!({ "name": unique("Teapot"), "description": "Holds a litre.", "price": price, "owner_id": owner_id, "stock": 5 })
}

/// The gateway, asked by a new user, and the user's id.
async fn user(gateway: &Site, name: &str) -> (Site, Uuid) {
    let user =
        json!({ "name": name, "email": format!("{}@example.org", unique("user")), "password": unique("password") });
    gateway.post("/auth/register", &user).answer().await.expect(202);
    let login = gateway.post("/auth/login", &user).answer().await.expect(200).json();
    let id = login["user"]["user_id"].as_str().and_then(|id| id.parse().ok()).expect("users have ids");
    (gateway.with_token(login["access_token"].as_str().expect("tokens are text")), id)
}
