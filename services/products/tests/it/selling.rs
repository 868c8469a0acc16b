//! Whose a new product is.

use serde_json::json;
use uuid::Uuid;

use crate::support::{Ask, World, teapot, user};

#[tokio::test]
async fn an_owner_that_is_not_there_is_named_as_wrong() {
    let world = World::new().await;
    let products = world.products().await;
    let user = user();
    let mut product = teapot(&world.owners.of(&user), 1);
    product["owner_id"] = json!(Uuid::now_v7());
    let problem = products.post(&product).by(&user).answer().await.expect(422).json();
    assert_eq!(problem["errors"][0]["field"], "owner_id");
}

#[tokio::test]
async fn while_nobody_can_tell_whose_it_is_nothing_is_created() {
    let world = World::new().await;
    let nobody = format!("--grpc-urls=owners=http://127.0.0.1:{}", testkit::free_port());
    let user = user();
    let product = teapot(&world.owners.of(&user), 1);
    for arguments in [nobody.as_str(), "--grpc-urls="] {
        let products = world.products_with(&[arguments]).await;
        let refused = products.post(&product).by(&user).answer().await.expect(503);
        assert!(!refused.header("retry-after").is_empty());
        assert_eq!(products.get("/v1/products").answer().await.expect(200).json(), json!({ "products": [] }));
    }
}
