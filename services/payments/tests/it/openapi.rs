//! The API's description.

use crate::support::{Ask, World, user};

#[test]
fn the_description_is_as_it_was() {
    insta::assert_json_snapshot!("openapi", payments::openapi());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_served_and_described() {
    let world = World::new().await;
    let payments = world.payments().await;
    let described = payments.get("/api-docs/openapi.json").expect(200).await;
    for (path, method) in [
        ("/v1/payments", "get"),
        ("/v1/payments/{order_id}", "get"),
        ("/admin/replay", "post"),
        ("/health", "get"),
        ("/metrics", "get"),
    ] {
        assert!(described["paths"][path][method].is_object(), "{method} {path} is not described");
    }
    for path in ["/health", "/live", "/metrics", "/status", "/api-docs/"] {
        payments.get(path).expect(200).await;
    }
    payments.post("/v1/payments").by(&user()).expect(405).await;
}
