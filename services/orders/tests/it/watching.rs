//! Following an order: Server-Sent Events.

use serde_json::Value;
use tokio::time::timeout;

use crate::support::{Ask, LIMIT, World, path, user};

/// The events of a stream, once it has ended: their ids and their orders.
async fn stream(response: reqwest::Response) -> Vec<(String, Value)> {
    let text = timeout(LIMIT, response.text()).await.expect("the stream ends").expect("in order");
    let field = |event: &str, name: &str| event.lines().find_map(|line| Some(line.strip_prefix(name)?.to_owned()));
    let events = text.split("\n\n").filter(|event| event.contains("data: "));
    events
        .map(|event| {
            assert_eq!(field(event, "event: ").as_deref(), Some("order"), "{event}");
            let data = field(event, "data: ").expect("an event has data");
            (field(event, "id: ").expect("an event has an id"), serde_json::from_str(&data).expect("which is JSON"))
        })
        .collect()
}

#[tokio::test]
async fn an_orders_changes_are_told_until_its_end_by_whichever_process() {
    let world = World::new().await;
    let (orders, other) = (world.orders_with(&["worker", "api"]).await, world.orders_with(&["api"]).await);
    let buyer = world.buyer();
    let order = orders.placed(&buyer, &[(&world.shop.product("Teapot", 5), 1)]).await;
    world.asked(&order, 1).await;
    let events = format!("{}/events", path(&order));
    let follow = async |replica: &crate::support::Orders| {
        let response = replica.get(&events).by(&buyer).send().await.expect("the program answers");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        response
    };
    let (one, two) = (follow(&orders).await, follow(&other).await);
    world.pay(&order).await;
    for told in [stream(one).await, stream(two).await] {
        let statuses: Vec<_> = told.iter().map(|(_, order)| order["status"].as_str().unwrap()).collect();
        assert_eq!((statuses[0], *statuses.last().unwrap()), ("pending", "confirmed"), "{told:?}");
        assert!(told.iter().all(|(id, order)| id.parse().ok() == order["version"].as_i64()), "{told:?}");
        let versions: Vec<_> = told.iter().map(|(_, order)| order["version"].as_i64().unwrap()).collect();
        assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
    }
    // Of one that has ended there is one event.
    assert_eq!(stream(follow(&other).await).await.len(), 1);
    orders.get(&events).by(user()).answer().await.expect(403);
    orders.stop().await;
}

#[tokio::test]
async fn a_stop_ends_the_streams() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let order = orders.placed(&buyer, &[(&world.shop.product("Teapot", 5), 1)]).await;
    let response = orders.get(&format!("{}/events", path(&order))).by(&buyer).send().await.unwrap();
    let (told, ()) = tokio::join!(stream(response), orders.stop());
    assert!(!told.is_empty());
}
