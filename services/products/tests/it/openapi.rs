//! The API's description.

use crate::support::{Ask, World};

#[test]
fn the_description_is_as_it_was() {
    insta::assert_json_snapshot!("openapi", products::openapi());
}

#[tokio::test]
async fn every_route_is_served_and_described() {
    let world = World::new().await;
    let products = world.products().await;
    let described = products.get("/api-docs/openapi.json").answer().await.expect(200).json();
    for (path, methods) in [
        ("/v1/products", &["get", "post"][..]),
        ("/v1/products/{product_id}", &["get", "put", "delete"]),
        ("/v1/products/{product_id}/stock", &["patch"]),
        ("/v1/products/{product_id}/image", &["put", "get", "delete"]),
        ("/admin/replay", &["post"]),
        ("/health", &["get"]),
        ("/metrics", &["get"]),
    ] {
        for method in methods {
            assert!(described["paths"][path][method].is_object(), "{method} {path} is not described");
        }
    }
    for path in ["/health", "/live", "/ready", "/metrics", "/status", "/api-docs/", "/v1/products"] {
        products.get(path).answer().await.expect(200);
    }
    for (method, path) in [("PATCH", "/v1/products"), ("GET", "/admin/replay"), ("POST", "/v1/products/x")] {
        products.ask(method, path).answer().await.expect(405);
    }
}
