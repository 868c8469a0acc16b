//! Orders show what becomes of their products, their products' owners and their users.

use contracts::products::ProductState;
use serde_json::Value;
use testkit::eventually;

use crate::support::{Orders, User, World, id, moved};

fn address(order: &Value) -> &str {
    order["items"][0]["product"]["owner"]["address"].as_str().expect("an item shows the owner's address")
}

async fn handled(world: &World, queue: &str) {
    eventually("all is handled", || async { (world.rabbit.queue_depth(queue).await == 0).then_some(()) }).await;
}

async fn shows(orders: &Orders, buyer: &User, order: &Value, wanted: &str) -> Value {
    orders.until(buyer, order, "the address is shown", |order| address(order) == wanted).await
}

#[tokio::test]
async fn an_owners_new_address_is_shown_in_open_and_confirmed_orders_and_prices_stay() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let (product, cup) = (world.shop.product("Teapot", 50), world.shop.product("Cup", 50));
    let confirmed = orders.placed(&buyer, &[(&cup, 1), (&product, 1)]).await;
    world.pay(&confirmed).await;
    let confirmed = orders.ended(&buyer, &confirmed, "confirmed").await;
    let open = orders.placed(&buyer, &[(&product, 1)]).await;
    world.asked(&open, 1).await;
    let cancelled = orders.placed(&buyer, &[(&product, 99)]).await;
    orders.ended(&buyer, &cancelled, "cancelled").await;

    let mut news = moved(&product, 5, "2 Hill Road");
    news.price.amount = 9_999;
    world.updated(&news).await;
    let open = shows(&orders, &buyer, &open, "2 Hill Road").await;
    assert_eq!((&open["total"]["amount"], &open["items"][0]["price"]["amount"]), (&1999.into(), &1999.into()));
    assert_eq!((&open["items"][0]["product"]["version"], &open["status"]), (&5.into(), &"pending".into()));
    let now = orders.found(&buyer, &confirmed).await;
    assert_eq!(now["items"][1]["product"]["owner"]["address"], "2 Hill Road");
    assert_eq!(address(&now), "1 Harbour Street", "of another product");
    assert_eq!(now["version"].as_i64(), confirmed["version"].as_i64().map(|version| version + 1));
    assert_eq!(address(&orders.found(&buyer, &cancelled).await), "1 Harbour Street");

    // Older ones come late, and change nothing; nor does one that only changes the stock.
    world.updated(&moved(&product, 4, "nowhere")).await;
    let mut sold: ProductState = moved(&product, 5, "2 Hill Road");
    (sold.version, sold.stock) = (6, 3);
    world.updated(&sold).await;
    handled(&world, "orders.products").await;
    assert_eq!(orders.found(&buyer, &open).await, open);
    world.updated(&moved(&product, 7, "3 Lake Lane")).await;
    shows(&orders, &buyer, &open, "3 Lake Lane").await;
}

#[tokio::test]
async fn an_order_that_is_placed_with_what_is_out_of_date_is_put_right_when_its_stock_is_reserved() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let product = world.shop.product("Teapot", 50);
    world.updated(&moved(&product, 5, "2 Hill Road")).await;
    world.renamed(&buyer, "Ada Lovelace", 4).await;
    handled(&world, "orders.products").await;
    handled(&world, "orders.users").await;
    // Products and producer answer with what was before.
    let placed = orders.placed(&buyer, &[(&product, 1)]).await;
    assert_eq!((address(&placed), &placed["user_name"]), ("1 Harbour Street", &"Ada".into()));
    let (_, created) = world.events(&placed, 1).await.remove(0);
    assert_eq!((address(&created), &created["user_name"]), ("2 Hill Road", &"Ada Lovelace".into()));
    assert_eq!(created["order_id"], id(&placed).to_string());
}

#[tokio::test]
async fn a_users_new_name_is_shown_in_all_their_orders_and_an_older_one_never_again() {
    let world = World::new().await;
    let orders = world.orders().await;
    let (buyer, other) = (world.buyer(), world.buyer());
    let product = world.shop.product("Teapot", 50);
    let order = orders.placed(&buyer, &[(&product, 1)]).await;
    world.asked(&order, 1).await;
    let others = orders.placed(&other, &[(&product, 1)]).await;
    world.asked(&others, 1).await;
    world.renamed(&buyer, "Ada Lovelace", 3).await;
    orders.until(&buyer, &order, "the name is shown", |order| order["user_name"] == "Ada Lovelace").await;
    world.renamed(&buyer, "Augusta", 2).await;
    handled(&world, "orders.users").await;
    assert_eq!(orders.found(&buyer, &order).await["user_name"], "Ada Lovelace");
    assert_eq!(orders.found(&other, &others).await["user_name"], "Ada");
}
