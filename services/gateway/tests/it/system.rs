//! How the whole system is.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Json;
use axum::routing::get;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::stub::Stub;
use crate::support::{Ask, Gateway, admin, user};

/// A service in this condition, with a store that was down a while ago.
async fn service(condition: &'static str) -> Stub {
    let code = if condition == "down" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let health = json!({
        "status": condition, "service": "a service", "version": "1.2.3",
        "dependencies": {
            "store": {
                "status": "up", "required": true, "latency_ms": 0.5,
                "last_error": "no way to db.internal", "last_error_seconds_ago": 7,
            },
        },
    });
    let running = json!({ "service": "a service", "status": "up", "version": "1.2.3", "uptime_seconds": 42 });
    let router = Router::new()
        .route("/health", get(async move || (code, Json(health.clone()))))
        .route("/status", get(async move || Json(running.clone())));
    Stub::serving(router).await
}

/// Answers nothing for as long as the test lasts.
async fn hanging() -> Stub {
    Stub::serving(Router::new().fallback(async || std::future::pending::<StatusCode>().await)).await
}

const ALL: [&str; 7] = ["consumer", "orders", "owners", "payments", "producer", "products", "registry"];

fn conditions(status: &Value) -> Vec<(&str, &str)> {
    let services = status["services"].as_object().expect("an answer has services");
    services.iter().map(|(name, report)| (name.as_str(), report["status"].as_str().unwrap_or_default())).collect()
}

#[tokio::test]
async fn every_service_tells_how_it_is_and_what_it_depends_on() {
    let stub = service("up").await;
    let gateway = Gateway::of(&ALL.map(|name| (name, &stub)), &[]).await;
    let status = gateway.get("/api/system/status").answer().await.expect(200).json();
    assert_eq!(status["status"], "up");
    assert_eq!(conditions(&status), ALL.map(|name| (name, "up")));
    let producer = &status["services"]["producer"];
    assert_eq!((&producer["version"], &producer["uptime_seconds"]), (&json!("1.2.3"), &json!(42)));
    assert!(producer["latency_ms"].as_f64().is_some_and(|took| took > 0.0), "{producer}");
    assert_eq!(producer["dependencies"]["store"], json!({ "status": "up", "required": true, "latency_ms": 0.5 }));
}

#[tokio::test]
async fn only_an_admin_is_told_what_was_wrong() {
    let stub = service("up").await;
    let gateway = Gateway::of(&[("producer", &stub)], &[]).await;
    let to_user = gateway.get("/api/system/status").by(&user()).answer().await.expect(200);
    assert!(!to_user.body.contains("db.internal"), "{}", to_user.body);
    let to_admin = gateway.get("/api/system/status").by(&admin()).answer().await.expect(200).json();
    let store = &to_admin["services"]["producer"]["dependencies"]["store"];
    assert_eq!((&store["last_error"], &store["last_error_seconds_ago"]), (&json!("no way to db.internal"), &json!(7)));
    gateway.get("/api/system/status").bearer_auth("not a token").answer().await.expect(401);
}

#[tokio::test]
async fn what_hangs_is_down_or_gone_is_named_in_time_and_the_rest_is_told() {
    let (up, down, hanging) = (service("up").await, service("down").await, hanging().await);
    let nonsense = Stub::serving(Router::new().fallback(async || "all is well")).await;
    let services = [
        ("producer", &up),
        ("registry", &up),
        ("consumer", &down),
        ("orders", &hanging),
        ("owners", &nonsense),
        ("bridge", &up),
    ];
    let gateway = Gateway::of(&services, &["--call-timeout=1"]).await;
    let begun = Instant::now();
    let status = gateway.get("/api/system/status").answer().await.expect(200).json();
    assert!(begun.elapsed() < Duration::from_secs(3), "it took {:?}", begun.elapsed());
    assert_eq!(status["status"], "degraded");
    let expected = [
        ("bridge", "up"),
        ("consumer", "down"),
        ("orders", "unreachable"),
        ("owners", "unreachable"),
        ("payments", "unreachable"),
        ("producer", "up"),
        ("products", "unreachable"),
        ("registry", "up"),
    ];
    assert_eq!(conditions(&status), expected);
    assert_eq!(status["services"]["payments"]["error"], "none is running");
    assert_eq!(status["services"]["owners"]["error"], "its answer cannot be understood");
}

#[tokio::test]
async fn a_system_of_which_nobody_answers_is_down() {
    let gateway = Gateway::start(&[]).await;
    let status = gateway.get("/api/system/status").answer().await.expect(200).json();
    assert_eq!(status["status"], "down");
    assert_eq!(conditions(&status), ALL.map(|name| (name, "unreachable")));
}
