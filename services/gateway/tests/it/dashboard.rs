//! The start page of a user.

use axum::Router;
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json};
use axum::routing::get;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::stub::{Stub, answering};
use crate::support::{Ask, Gateway, User, admin, user};

/// Knows this user alone, and answers only whom a token names.
async fn users(known: Uuid) -> Stub {
    let router = Router::new().route(
        "/users/{id}",
        get(async move |Path(id): Path<Uuid>, headers: HeaderMap| {
            if !headers.contains_key("authorization") || headers["x-service-name"] != "gateway" {
                return StatusCode::UNAUTHORIZED.into_response();
            }
            if id != known {
                return StatusCode::NOT_FOUND.into_response();
            }
            Json(json!({ "user_id": id, "name": "Ada", "email": "ada@example.com" })).into_response()
        }),
    );
    Stub::serving(router).await
}

async fn orders() -> Stub {
    let summary = async |RawQuery(query): RawQuery| {
        Json(json!({
            "total": 7,
            "recent": [{ "id": 1, "asked": query }],
            "total_value": [{ "amount": 12_345, "currency": "EUR" }, { "amount": 5, "currency": "JPY" }],
        }))
    };
    Stub::serving(Router::new().route("/v1/orders/summary", get(summary))).await
}

async fn shown(gateway: &Gateway, whose: Uuid, by: &User) -> crate::support::Answered {
    gateway.get(&format!("/api/user/{whose}/dashboard")).by(by).answer().await
}

#[tokio::test]
async fn a_user_sees_their_own_and_an_admin_everybodys() {
    let user = user();
    let (users, orders) = (users(user.id).await, orders().await);
    let gateway = Gateway::of(&[("producer", &users), ("orders", &orders)], &[]).await;
    for by in [&user, &admin()] {
        let dashboard = shown(&gateway, user.id, by).await.expect(200).json();
        assert_eq!(dashboard["user"]["email"], "ada@example.com");
        assert_eq!(dashboard["orders"]["total"], 7);
        assert_eq!(dashboard["orders"]["recent"][0]["asked"], format!("user_id={}&recent=5", user.id));
        let worth = json!([{ "amount": 12_345, "currency": "EUR" }, { "amount": 5, "currency": "JPY" }]);
        assert_eq!(dashboard["orders"]["totalValue"], worth);
        assert_eq!(dashboard["degraded"], json!([]));
        assert!(dashboard["timestamp"].as_str().unwrap().ends_with('Z'));
    }
    shown(&gateway, Uuid::now_v7(), &user).await.refused(403);
    shown(&gateway, Uuid::now_v7(), &admin()).await.refused(404);
    gateway.get("/api/user/7/dashboard").by(&user).answer().await.refused(404);
}

#[tokio::test]
async fn what_cannot_be_had_is_named_and_the_rest_is_there() {
    let user = user();
    let (users, orders, broken) = (users(user.id).await, orders().await, Stub::serving(answering(500)).await);
    let hanging = Stub::serving(Router::new().fallback(async || std::future::pending::<()>().await)).await;
    let degraded = async |services: &[(&str, &Stub)]| {
        let gateway = Gateway::of(services, &["--call-timeout=0.5"]).await;
        shown(&gateway, user.id, &user).await.expect(200).json()
    };
    for services in [
        &[("producer", &users)][..],
        &[("producer", &users), ("orders", &broken)],
        &[("producer", &users), ("orders", &hanging)],
    ] {
        let dashboard = degraded(services).await;
        assert_eq!((&dashboard["degraded"], &dashboard["orders"]), (&json!(["orders"]), &Value::Null));
        assert_eq!(dashboard["user"]["name"], "Ada");
    }
    let dashboard = degraded(&[("orders", &orders)]).await;
    assert_eq!((&dashboard["degraded"], &dashboard["user"]), (&json!(["user"]), &Value::Null));
    assert_eq!(dashboard["orders"]["total"], 7);
    assert_eq!(degraded(&[]).await["degraded"], json!(["user", "orders"]));
}
