//! Lists, page by page.

use serde_json::Value;

use crate::support::{Ask, World, id, user};

#[tokio::test]
async fn pages_together_hold_each_owner_once_in_the_order_of_creation() {
    let world = World::new().await;
    let owners = world.owners().await;
    let user = user();
    let mut created = Vec::new();
    for _ in 0..7 {
        created.push(owners.created(&user).await);
    }
    owners.delete(&created.remove(3)).by(&user).answer().await.expect(204);

    let mut found: Vec<Value> = Vec::new();
    let mut sizes = Vec::new();
    let mut next = String::new();
    loop {
        let page = owners.get(&format!("/v1/owners?limit=2{next}")).answer().await.expect(200).json();
        let list = page["owners"].as_array().expect("a page has owners").clone();
        sizes.push(list.len());
        found.extend(list);
        let Some(after) = page["next"].as_str() else { break };
        assert_eq!(after, id(found.last().unwrap()));
        next = format!("&after={after}");
    }
    assert_eq!((sizes, found), (vec![2, 2, 2], created));
}

#[tokio::test]
async fn a_wrong_parameter_is_named() {
    let world = World::new().await;
    let owners = world.owners().await;
    for (query, field) in [("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"), ("after=x", "after")] {
        let problem = owners.get(&format!("/v1/owners?{query}")).answer().await.expect(422).json();
        assert_eq!(problem["errors"][0]["field"], field, "{query}");
    }
    let empty = owners.get("/v1/owners?after=ffffffff-ffff-7fff-bfff-ffffffffffff").answer().await.expect(200).json();
    assert_eq!(empty, serde_json::json!({ "owners": [] }));
}
