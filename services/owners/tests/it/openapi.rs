//! The API's description.

use crate::support::{Ask, World};

#[test]
fn the_description_is_as_it_was() {
    insta::assert_json_snapshot!("openapi", owners::openapi());
}

#[tokio::test]
async fn every_route_is_served_and_described() {
    let world = World::new().await;
    let owners = world.owners().await;
    let described = owners.get("/api-docs/openapi.json").answer().await.expect(200).json();
    for (path, methods) in [
        ("/v1/owners", &["get", "post"][..]),
        ("/v1/owners/{owner_id}", &["get", "put", "delete"]),
        ("/admin/replay", &["post"]),
        ("/health", &["get"]),
        ("/metrics", &["get"]),
    ] {
        for method in methods {
            assert!(described["paths"][path][method].is_object(), "{method} {path} is not described");
        }
    }
    for path in ["/health", "/live", "/ready", "/metrics", "/status", "/api-docs/", "/v1/owners"] {
        owners.get(path).answer().await.expect(200);
    }
    for (method, path) in [("PATCH", "/v1/owners"), ("GET", "/admin/replay"), ("POST", "/v1/owners/x")] {
        owners.ask(method, path).answer().await.expect(405);
    }
}
