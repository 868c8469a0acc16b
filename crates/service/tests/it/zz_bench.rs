use axum::{Router, routing::post, body::Body, extract::Request};
use tower::ServiceExt;
#[derive(serde::Deserialize)] struct U { name: String, age: u32 }
fn router() -> Router { Router::new().route("/users/{id}", post(async |service::http::Json(u): service::http::Json<U>| format!("{}{}", u.name, u.age))) }
fn req() -> Request { Request::post("/users/7").header("content-type","application/json").header("host","x").header("traceparent","00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00").body(Body::from(r#"{"name":"Ann","age":30}"#)).unwrap() }
async fn run(name: &str, app: Router) {
    for _ in 0..2000 { app.clone().oneshot(req()).await.unwrap(); }
    let n = 50_000; let t = std::time::Instant::now();
    for _ in 0..n { let r = app.clone().oneshot(req()).await.unwrap(); assert_eq!(r.status(), 200); }
    eprintln!("{name}: {:.2} us/request", t.elapsed().as_secs_f64()*1e6/n as f64);
}
#[tokio::test] #[ignore = "bench"] async fn bench() {
    let _t = service::telemetry("b").unwrap();
    run("bare", router()).await;
    run("layers", service::http::layers(router(), Default::default())).await;
}
