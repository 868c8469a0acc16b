//! Who a service is told that asks, whatever a client says of itself.

use serde_json::Value;

use crate::stub::{Stub, header, names};
use crate::support::{Ask, Gateway, admin, raw_json, user};

async fn gateway() -> (Stub, Gateway) {
    let stub = Stub::echo("any").await;
    let gateway = Gateway::of(&[("producer", &stub), ("products", &stub)], &[]).await;
    (stub, gateway)
}

/// What the service is sent when a client sends these lines.
async fn sent(gateway: &Gateway, path: &str, lines: &str) -> Value {
    raw_json(&gateway.talk(&format!("GET {path} HTTP/1.1\r\nHost: shop\r\n{lines}Connection: close\r\n\r\n")).await)
}

const FORGED: &str = "X-User-ID: evil\r\nx-user-id: evil\r\nX-USER-ID: evil\r\nX_User_Id: evil\r\nx-user_id: evil\r\n\
    X-User-Roles: [\"admin\"]\r\nx_user_roles: [\"admin\"]\r\nX-User-Email: evil\r\nX-Service-Name: producer\r\n\
    X_Service_Name: evil\r\nX-Auth-User: evil\r\nx_auth_request_user: evil\r\nX-Forwarded-User: evil\r\n\
    X-Real-IP: evil\r\nForwarded: for=evil\r\nConnection: X-User-ID, x-user-roles, X_USER_ID\r\n";

#[tokio::test]
async fn a_service_sees_only_the_identity_of_the_token() {
    let (_stub, gateway) = gateway().await;
    for (user, roles) in [(user(), r#"["user"]"#), (admin(), r#"["admin","user"]"#)] {
        let lines = format!("{FORGED}Authorization: Bearer {}\r\n", user.token);
        let asked = sent(&gateway, "/api/users", &lines).await;
        assert_eq!(header(&asked, "x-user-id"), [user.id.to_string()]);
        assert_eq!(header(&asked, "x-user-roles"), [roles]);
        assert_eq!(header(&asked, "x-service-name"), ["gateway"]);
        assert_eq!(header(&asked, "authorization"), [format!("Bearer {}", user.token)]);
        assert!(!asked["headers"].to_string().contains("evil"), "{asked}");
    }
}

#[tokio::test]
async fn without_a_token_a_service_sees_no_identity() {
    let (_stub, gateway) = gateway().await;
    let asked = sent(&gateway, "/api/products", FORGED).await;
    let identity: Vec<_> =
        names(&asked).into_iter().filter(|name| name.replace('_', "-").starts_with("x-user")).collect();
    assert_eq!(identity, [] as [&str; 0], "{asked}");
    assert!(!asked["headers"].to_string().contains("evil"), "{asked}");
}

#[tokio::test]
async fn a_client_cannot_have_its_own_token_taken_out() {
    let (_stub, gateway) = gateway().await;
    let user = user();
    let lines = format!("Authorization: Bearer {}\r\nConnection: authorization, Authorization\r\n", user.token);
    let asked = sent(&gateway, "/api/users", &lines).await;
    assert_eq!(header(&asked, "authorization"), [format!("Bearer {}", user.token)]);
}

#[tokio::test]
async fn what_is_between_two_neighbours_stays_between_them() {
    let (_stub, gateway) = gateway().await;
    let lines = "Connection: X-Private, keep-alive\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\n\
        Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic eDp5\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\
        X-Kept: yes\r\n";
    let asked = sent(&gateway, "/api/products", lines).await;
    assert_eq!(header(&asked, "x-kept"), ["yes"]);
    for gone in [
        "x-private",
        "keep-alive",
        "te",
        "proxy-connection",
        "proxy-authorization",
        "upgrade",
        "http2-settings",
        "connection",
    ] {
        assert_eq!(header(&asked, gone), [] as [&str; 0], "{gone}");
    }
}

#[tokio::test]
async fn a_service_is_told_where_the_request_came_from() {
    let (_stub, gateway) = gateway().await;
    let lines = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n";
    let asked = sent(&gateway, "/api/products", lines).await;
    assert_eq!(header(&asked, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(header(&asked, "x-forwarded-proto"), ["http"]);
    assert_eq!(header(&asked, "x-forwarded-host"), ["shop"]);
    assert_eq!(header(&asked, "host").len(), 1);

    let stub = Stub::echo("any").await;
    let behind = Gateway::of(&[("products", &stub)], &["--trusted-proxies=127.0.0.1"]).await;
    let asked = sent(&behind, "/api/products", lines).await;
    assert_eq!(header(&asked, "x-forwarded-for"), ["203.0.113.9, 127.0.0.1"]);
    assert_eq!(header(&asked, "x-forwarded-proto"), ["https"]);
}

#[tokio::test]
async fn ids_are_passed_on_and_echoed_and_made_where_they_are_missing_or_harmful() {
    let (_stub, gateway) = gateway().await;
    let answer =
        gateway.get("/api/products").header("x-request-id", "r-1").header("x-correlation-id", "c-1").answer().await;
    let asked = answer.json();
    assert_eq!((header(&asked, "x-request-id"), header(&asked, "x-correlation-id")), (vec!["r-1"], vec!["c-1"]));
    assert_eq!((answer.header("x-request-id"), answer.header("x-correlation-id")), ("r-1", "c-1"));

    let answer = gateway.get("/api/products").header("x-request-id", "<script>").answer().await;
    assert_eq!(header(&answer.json(), "x-request-id"), [answer.header("x-request-id")]);
    assert_ne!(answer.header("x-request-id"), "<script>");
}
