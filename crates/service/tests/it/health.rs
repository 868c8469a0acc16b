//! What is asked of a process from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use futures_util::future::join_all;
use serde_json::Value;
use service::{Health, Need};

use crate::server::{Server, limits, no_dependencies};

async fn start(health: Health) -> Server {
    Server::start_with(Router::new(), health, limits()).await
}

async fn down() -> Result<(), String> {
    Err("cannot reach mysql://root:secret@db:3306/x".to_owned())
}

#[tokio::test]
async fn a_required_dependency_that_is_down_is_503() {
    let health =
        no_dependencies()
            .dependency("mysql", Need::Required, down)
            .dependency("redis", Need::Optional, async || Ok::<(), String>(()));
    let server = start(health).await;
    let response = server.get("/health").await;
    assert_eq!(response.status(), 503);
    let report: Value = response.json().await.unwrap();
    assert_eq!(report["status"], "down");
    assert_eq!(report["dependencies"]["mysql"]["status"], "down");
    assert_eq!(report["dependencies"]["mysql"]["required"], true);
    assert_eq!(report["dependencies"]["mysql"]["last_error"], "cannot reach mysql://***@db:3306/x");
    assert_eq!(report["dependencies"]["redis"]["status"], "up");
    assert!(report["dependencies"]["redis"]["latency_ms"].is_number());
}

#[tokio::test]
async fn an_optional_dependency_that_is_down_is_only_a_pity() {
    let server = start(no_dependencies().dependency("mysql", Need::Optional, down)).await;
    let response = server.get("/health").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.json::<Value>().await.unwrap()["status"], "degraded");
}

#[tokio::test]
async fn asking_often_does_not_ask_the_stores_often() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let health = no_dependencies().dependency("store", Need::Required, move || {
        counter.fetch_add(1, Ordering::Relaxed);
        async { Ok::<(), String>(()) }
    });
    let server = start(health).await;
    let begun = std::time::Instant::now();
    join_all((0..200).map(|_| server.get("/health"))).await;
    let seconds = begun.elapsed().as_secs() as usize;
    assert!(asked.load(Ordering::Relaxed) <= 1 + seconds, "asked {asked:?} times in {seconds} s");
}

#[tokio::test]
async fn ready_says_what_is_waited_for() {
    let ready = Arc::new(AtomicBool::new(false));
    let condition = ready.clone();
    let health = no_dependencies().ready_when("consumer", move || {
        if condition.load(Ordering::Relaxed) { Ok(()) } else { Err("not registered yet".to_owned()) }
    });
    let server = start(health).await;
    let response = server.get("/ready").await;
    assert_eq!(response.status(), 503);
    let report: Value = response.json().await.unwrap();
    assert_eq!(report["reasons"]["consumer"], "not registered yet");

    ready.store(true, Ordering::Relaxed);
    assert_eq!(server.get("/ready").await.status(), 200);
}

#[tokio::test]
async fn status_and_live_answer_without_asking_anyone() {
    let server = start(no_dependencies().dependency("mysql", Need::Required, down)).await;
    assert_eq!(server.get("/live").await.status(), 200);
    let status: Value = server.get("/status").await.json().await.unwrap();
    assert_eq!(
        (&status["service"], &status["version"], &status["status"]),
        (&"test".into(), &"1.2.3".into(), &"up".into())
    );
    assert!(status["uptime_seconds"].is_u64());
}

#[tokio::test]
async fn status_has_what_a_program_adds_to_it() {
    let asked = Arc::new(AtomicUsize::new(0));
    let health = no_dependencies().status_detail("asked", move || asked.fetch_add(1, Ordering::Relaxed).into());
    let server = start(health).await;
    for times in 0..2 {
        let status: Value = server.get("/status").await.json().await.unwrap();
        assert_eq!(status["details"], serde_json::json!({ "asked": times }));
    }
    let plain: Value = start(no_dependencies()).await.get("/status").await.json().await.unwrap();
    assert!(plain.get("details").is_none(), "{plain}");
}
