//! The checker: what was accepted is there once and has ended, and stock, sales and money agree; by what the services tell, and
//! by what lies in their databases.

use std::collections::{BTreeMap, BTreeSet};

use contracts::topology::queue;
use serde_json::Value;
use system_tests::{Ask, Site};
use uuid::Uuid;

use super::Shop;
use super::buying::{Placed, Stock};
use super::stored::documents;
use crate::audit::Findings;
use crate::world::Process;

const QUEUES: [&str; 6] = [
    queue::PRODUCTS_OWNERS,
    queue::ORDERS_PRODUCTS,
    queue::ORDERS_USERS,
    queue::ORDERS_PAYMENTS,
    queue::ORDERS_EVENTS,
    queue::PAYMENT_SERVICE,
];

/// Orders that ran out of time were not brought to their end by those who were there.
const OUT_OF_TIME: [&str; 3] = ["timed out", "in time", "ran out"];

/// What the services tell.
struct Told {
    owners: Vec<Value>,
    products: Vec<Value>,
    orders: Vec<Value>,
    payments: Vec<Value>,
}

impl Shop {
    /// Waits until the queues hold nothing, nor any of the dead letters.
    pub(super) async fn queues_are_empty(&self) {
        let topology = contracts::topology().queues.into_iter().filter(|queue| QUEUES.contains(&queue.name.as_str()));
        self.servers.queues_are_empty(&QUEUES, topology.map(|queue| queue.dead_letter_name())).await;
    }

    async fn told(&self, admin: &str) -> Told {
        let services = &self.services;
        let (owners, products, orders, payments) = tokio::join!(
            told(&services.owners, "owners", admin),
            told(&services.products, "products", admin),
            told(&services.orders, "orders", admin),
            told(&services.payments, "payments", admin),
        );
        Told { owners, products, orders, payments }
    }
}

/// Fails unless all agrees. Only after [`Shop::settled`].
pub(super) async fn audit(shop: &Shop, admin: &str, stock: &Stock, placed: &[Placed], created: &[(Uuid, Uuid)]) {
    let mut found = Findings::default();
    let told = shop.told(admin).await;
    let owners: BTreeSet<String> = created.iter().map(|(owner, _)| owner.to_string()).collect();
    assert_eq!(owners.len(), created.len(), "two requests have made one owner");
    let there: BTreeSet<String> = told.owners.iter().map(|owner| text(owner, "owner_id")).collect();
    assert!(there.is_superset(&owners), "owners are lost");
    assert_eq!(there.len(), owners.len() + 1, "there are more owners than were accepted, and the one of the products");

    the_orders(&told, placed, &mut found);
    let confirmed: BTreeSet<String> =
        of_status(&told.orders, "confirmed").map(|order| text(order, "order_id")).collect();
    the_stock(shop, &told, shelves(stock, placed, created, &confirmed), &mut found).await;
    the_reservations(shop, &told, &mut found).await;
    the_money(shop, &told, &mut found).await;
    found.none();
}

/// Every order that was accepted is there as it was placed, and no other; and it has ended as its amount says.
fn the_orders(told: &Told, placed: &[Placed], found: &mut Findings) {
    let wanted: BTreeMap<_, _> = placed
        .iter()
        .map(|placed| {
            let items = placed.items.iter().map(|(id, quantity)| (id.to_string(), *quantity)).collect();
            (placed.order_id.to_string(), (placed.user_id.to_string(), items))
        })
        .collect();
    assert_eq!(wanted.len(), placed.len(), "two keys have placed one order");
    let there = told.orders.iter().map(|order| (text(order, "order_id"), (text(order, "user_id"), items(order))));
    found.compare("an order", &wanted, &there.collect());
    for order in &told.orders {
        let declined = [13, 51].contains(&(number(&order["total"], "amount") % 100));
        let (status, reason) = (text(order, "status"), text(order, "reason"));
        let ended = match status.as_str() {
            "confirmed" => !declined,
            "cancelled" => !OUT_OF_TIME.iter().any(|late| reason.contains(late)),
            _ => false,
        };
        if !ended {
            found.add(format!("an order is {status} ({reason}): {order}"));
        }
    }
}

/// What there must be of each product: stock, reserved, sold.
fn shelves(
    stock: &Stock,
    placed: &[Placed],
    created: &[(Uuid, Uuid)],
    confirmed: &BTreeSet<String>,
) -> BTreeMap<String, [i64; 3]> {
    let all = stock.iter().map(|(id, stock)| (*id, *stock)).chain(created.iter().map(|(_, product)| (*product, 7)));
    let mut shelves: BTreeMap<String, [i64; 3]> = all.map(|(id, stock)| (id.to_string(), [stock, 0, 0])).collect();
    let sold = placed.iter().filter(|placed| confirmed.contains(&placed.order_id.to_string()));
    for (product, quantity) in sold.flat_map(|placed| &placed.items) {
        let [available, _, sold] = shelves.entry(product.to_string()).or_default();
        (*available, *sold) = (*available - quantity, *sold + quantity);
    }
    shelves
}

async fn the_stock(shop: &Shop, told: &Told, wanted: BTreeMap<String, [i64; 3]>, found: &mut Findings) {
    let shelf = |of: &Value, available| [number(of, available), number(of, "reserved"), number(of, "sold")];
    let shown = told.products.iter().map(|product| (text(product, "product_id"), shelf(product, "stock")));
    found.compare("the stock of a product", &wanted, &shown.collect());
    let stored = documents(&shop.products(), "products").await;
    let held = stored.values().map(|product| product["stock"]["holds"].as_array().map_or(0, Vec::len)).sum::<usize>();
    assert_eq!(held, 0, "somebody holds some of a product");
    let stored = stored.iter().map(|(id, product)| (id.clone(), shelf(&product["stock"], "available")));
    found.compare("the stock of a product in MongoDB", &wanted, &stored.collect());
}

async fn the_reservations(shop: &Shop, told: &Told, found: &mut Findings) {
    let state = |order: &Value| if order["status"] == "confirmed" { "committed" } else { "released" }.to_owned();
    let wanted = told.orders.iter().map(|order| (text(order, "order_id"), state(order))).collect();
    let held = documents(&shop.products(), "reservations").await;
    let held = held.iter().map(|(id, reservation)| (id.clone(), text(reservation, "state"))).collect();
    found.compare("a reservation", &wanted, &held);
}

/// What is confirmed was charged, once, and not given back; what is cancelled was not charged, or it was given back.
async fn the_money(shop: &Shop, told: &Told, found: &mut Findings) {
    let mut payments: BTreeMap<String, &Value> = BTreeMap::new();
    for payment in &told.payments {
        if payments.insert(text(payment, "order_id"), payment).is_some() {
            found.add(format!("an order has two payments: {payment}"));
        }
    }
    // By order, what the payment provider has done, in the order of its kinds.
    let mut moves: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let ledger = documents(&shop.payments(), "ledger").await;
    for row in ledger.values() {
        moves.entry(text(row, "order_id")).or_default().push(text(row, "kind"));
    }
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for order in &told.orders {
        let (id, amount) = (text(order, "order_id"), &order["total"]);
        let mut done = moves.remove(&id).unwrap_or_default();
        done.sort();
        let done = done.join(" and ");
        let payment = payments.remove(&id);
        let status = payment.map(|payment| text(payment, "status")).unwrap_or_default();
        let right = match text(order, "status").as_str() {
            "confirmed" => matches!((status.as_str(), done.as_str()), ("completed", "charge")),
            _ => matches!(
                (status.as_str(), done.as_str()),
                ("", "") | ("failed", "decline") | ("refunded", "decline" | "close" | "charge and refund")
            ),
        };
        if !right || payment.is_some_and(|payment| payment["amount"] != *amount) {
            found.add(format!("the payment is {status:?}, and the provider has done {done:?}, of {order}"));
        }
        *seen.entry(format!("{} {} {done}", text(order, "status"), status)).or_default() += 1;
    }
    println!("{} orders: {seen:?}", told.orders.len());
    found.compare("a payment of no order", &BTreeMap::new(), &payments);
    found.compare("money of no order", &BTreeMap::new(), &moves);
    for kind in [
        "confirmed completed charge",
        "cancelled failed decline",
        "cancelled refunded charge and refund",
        "cancelled  ",
    ] {
        assert!(seen.contains_key(kind), "no order was {kind}, which shows nothing");
    }
}

/// All that a service has, page by page.
async fn told(process: &Process, name: &str, token: &str) -> Vec<Value> {
    let site = Site::behind(process.base()).with_token(token);
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let page = site.get(&format!("/v1/{name}?limit=100{after}")).answer().await.expect(200).json();
        all.extend(page[name].as_array().expect("a page has a list").iter().cloned());
        let Some(next) = page["next"].as_str() else { return all };
        after = format!("&after={next}");
    }
}

fn of_status<'a>(orders: &'a [Value], status: &'a str) -> impl Iterator<Item = &'a Value> {
    orders.iter().filter(move |order| order["status"] == status)
}

fn items(order: &Value) -> BTreeMap<String, i64> {
    let items = order["items"].as_array().into_iter().flatten();
    items.map(|item| (text(item, "product_id"), number(item, "quantity"))).collect()
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

#[track_caller]
fn number(value: &Value, name: &str) -> i64 {
    value[name].as_i64().unwrap_or_else(|| panic!("there is no number `{name}` in {value}"))
}
