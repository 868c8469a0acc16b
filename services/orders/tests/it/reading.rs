//! Lists and summaries.

use serde_json::{Value, json};

use crate::support::{Ask, World, admin, user};

fn ids(page: &Value) -> Vec<&Value> {
    page["orders"].as_array().expect("there is a list").iter().map(|order| &order["order_id"]).collect()
}

#[tokio::test]
async fn orders_are_listed_by_page_the_newest_first() {
    let world = World::new().await;
    let orders = world.orders().await;
    let (buyer, other) = (world.buyer(), world.buyer());
    let product = world.shop.product("Teapot", 3);
    let mut placed = Vec::new();
    for quantity in [1, 2, 9] {
        placed.push(orders.placed(&buyer, &[(&product, quantity)]).await);
        world.asked(&placed[0], 1).await;
    }
    orders.ended(&buyer, &placed[2], "cancelled").await;
    let others = orders.placed(&other, &[(&product, 9)]).await;
    let list =
        async |query: &str, by| orders.get(&format!("/v1/orders{query}")).by(by).answer().await.expect(200).json();
    let newest: Vec<_> = placed.iter().rev().map(|order| &order["order_id"]).collect();
    let page = list("", &buyer).await;
    assert_eq!((ids(&page), &page["next"]), (newest.clone(), &Value::Null));
    let page = list("?limit=2", &buyer).await;
    assert_eq!((ids(&page), &page["next"]), (newest[..2].to_vec(), newest[1]));
    let rest = list(&format!("?limit=2&after={}", page["next"].as_str().unwrap()), &buyer).await;
    assert_eq!(ids(&rest), newest[2..]);
    assert_eq!(ids(&list("?status=cancelled", &buyer).await), [newest[0]]);
    let admin = admin();
    assert_eq!(list("", &admin).await["orders"].as_array().unwrap().len(), 4);
    assert_eq!(ids(&list(&format!("?user_id={}", other.id), &admin).await), [&others["order_id"]]);
    for wrong in ["?limit=0", "?limit=1001", "?status=lost", "?after=x"] {
        orders.get(&format!("/v1/orders{wrong}")).by(&buyer).answer().await.expect(422);
    }
}

#[tokio::test]
async fn a_summary_counts_all_and_adds_up_what_is_not_cancelled_by_currency() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let summary = async |query: String, by| orders.get(&format!("/v1/orders/summary{query}")).by(by).answer().await;
    let none = summary(format!("?user_id={}&recent=5", buyer.id), &buyer).await.expect(200).json();
    assert_eq!(none, json!({ "total": 0, "recent": [], "total_value": [] }));

    let (admin, stranger) = (admin(), user());
    let (teapot, mut fan) = (world.shop.product("Teapot", 50), world.shop.product("Fan", 50));
    fan.price = contracts::Money::new(500, "JPY".parse().unwrap());
    world.shop.shelves().products.insert(fan.product_id, fan.clone());
    let confirmed = orders.placed(&buyer, &[(&teapot, 2)]).await;
    world.pay(&confirmed).await;
    orders.ended(&buyer, &confirmed, "confirmed").await;
    let cancelled = orders.placed(&buyer, &[(&teapot, 99)]).await;
    orders.ended(&buyer, &cancelled, "cancelled").await;
    for _ in 0..2 {
        orders.placed(&buyer, &[(&teapot, 1)]).await;
        orders.placed(&buyer, &[(&fan, 1)]).await;
    }
    let own = summary(String::new(), &buyer).await.expect(200).json();
    assert_eq!(own["total"], 6);
    assert_eq!(own["recent"].as_array().unwrap().len(), 5);
    assert_eq!(own["recent"][0]["total"]["currency"], "JPY");
    let wanted = json!([{ "amount": 4 * 1999, "currency": "EUR" }, { "amount": 1000, "currency": "JPY" }]);
    assert_eq!(own["total_value"], wanted);
    let by_admin = summary(format!("?user_id={}&recent=1", buyer.id), &admin).await.expect(200).json();
    assert_eq!((&by_admin["total"], by_admin["recent"].as_array().unwrap().len()), (&6.into(), 1));
    summary(format!("?user_id={}", buyer.id), &stranger).await.expect(403);
    summary("?recent=0".to_owned(), &buyer).await.expect(422);
}
