//! Which web sites may call from a browser.

use crate::stub::Stub;
use crate::support::{Ask, Gateway};

async fn preflight(gateway: &Gateway, origin: &str) -> crate::support::Answered {
    let request = gateway.ask("OPTIONS", "/api/orders").header("origin", origin);
    let request = request.header("access-control-request-method", "POST");
    request.header("access-control-request-headers", "authorization,idempotency-key").answer().await
}

#[tokio::test]
async fn a_site_that_is_named_may_call() {
    let gateway = Gateway::start(&["--cors-origins=https://shop.example,http://localhost:5173"]).await;
    let allowed = preflight(&gateway, "https://shop.example").await.expect(200);
    assert_eq!(allowed.header("access-control-allow-origin"), "https://shop.example");
    assert!(allowed.header("access-control-allow-methods").contains("POST"));
    assert!(allowed.header("access-control-allow-headers").contains("idempotency-key"));
    assert!(allowed.header("vary").to_ascii_lowercase().contains("origin"));
    let other = preflight(&gateway, "https://evil.example").await;
    assert_eq!(other.header("access-control-allow-origin"), "");

    // Refusals too are to be readable by the site.
    let refused = gateway.get("/api/orders").header("origin", "http://localhost:5173").answer().await;
    assert_eq!(refused.header("access-control-allow-origin"), "http://localhost:5173");
    assert!(refused.header("access-control-expose-headers").contains("ratelimit-remaining"));
    refused.refused(401);
}

#[tokio::test]
async fn by_default_no_site_may_call() {
    let products = Stub::echo("products").await;
    let gateway = Gateway::of(&[("products", &products)], &[]).await;
    let answer = gateway.get("/api/products").header("origin", "https://shop.example").answer().await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), "");
    preflight(&gateway, "https://shop.example").await.refused(401);
}
