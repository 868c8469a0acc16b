//! Every refusal is a problem that says what is wrong.

use std::time::Duration;

use axum::Router;
use axum::routing::any;
use reqwest::Body;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::stub::{Stub, answering};
use crate::support::{Ask, Gateway, user};

#[tokio::test]
async fn a_request_without_a_token_is_told_that_it_needs_one() {
    let producer = Stub::echo("producer").await;
    let gateway = Gateway::of(&[("producer", &producer), ("products", &producer), ("owners", &producer)], &[]).await;
    for (method, path) in [
        ("GET", "/api/users"),
        ("POST", "/api/records"),
        ("GET", "/api/tasks/1"),
        ("GET", "/api/orders"),
        ("POST", "/api/products"),
        ("DELETE", "/api/owners/1"),
        ("GET", "/api/user/018f2f5e-0000-7000-8000-000000000000/dashboard"),
    ] {
        let refused = gateway.ask(method, path).answer().await;
        assert_eq!(refused.header("www-authenticate"), "Bearer");
        refused.refused(401);
    }
    assert_eq!(producer.seen(), [] as [Value; 0]);
    for (method, path) in
        [("POST", "/auth/login"), ("GET", "/api/products"), ("HEAD", "/api/products/1"), ("GET", "/api/owners/1/x")]
    {
        gateway.ask(method, path).answer().await.expect(200);
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_whether_it_says_so_or_not() {
    let producer = Stub::echo("producer").await;
    let gateway = Gateway::of(&[("producer", &producer)], &["--max-body=100000"]).await;
    let body = vec![b'x'; 100_001];
    gateway.ask("POST", "/auth/login").body(body.clone()).answer().await.refused(413);
    let chunks = body.chunks(10_000).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>();
    let chunked = Body::wrap_stream(futures_util::stream::iter(chunks));
    gateway.ask("POST", "/auth/login").body(chunked).answer().await.refused(413);
    gateway.ask("POST", "/auth/login").body(body[1..].to_vec()).answer().await.expect(200);
}

#[tokio::test]
async fn a_service_that_is_not_there_is_unavailable_and_says_when_to_come_back() {
    let gateway = Gateway::start(&[&format!("--service-urls=owners=http://127.0.0.1:{}", testkit::free_port())]).await;
    for path in ["/api/products", "/api/owners"] {
        let refused = gateway.get(path).answer().await;
        assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
        refused.refused(503);
    }
    let refused = gateway.ask("POST", "/auth/login").body("{}").answer().await;
    assert!(refused.refused(503)["detail"].as_str().unwrap().contains("producer"));
}

#[tokio::test]
async fn a_service_that_breaks_off_may_have_done_what_it_was_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("--service-urls=producer=http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
        }
    });
    let gateway = Gateway::start(&[&url]).await;
    gateway.ask("POST", "/auth/login").body("{}").answer().await.refused(502);
}

#[tokio::test]
async fn a_service_that_takes_too_long_is_not_waited_for() {
    let slow = Stub::serving(Router::new().fallback(any(async || std::future::pending::<()>().await))).await;
    let gateway = Gateway::of(&[("producer", &slow)], &["--call-timeout=0.2", "--call-tries=1"]).await;
    gateway.ask("POST", "/auth/login").body("{}").answer().await.refused(504);
    gateway.get("/auth/me").answer().await.refused(504);
}

#[tokio::test]
async fn a_client_that_prefers_to_wait_is_waited_for() {
    let router = Router::new().fallback(any(async || tokio::time::sleep(Duration::from_millis(600)).await));
    let slow = Stub::serving(router).await;
    let gateway = Gateway::of(&[("producer", &slow)], &["--call-timeout=0.2", "--call-tries=1"]).await;
    let user = user();
    gateway.get("/api/tasks/1").by(&user).answer().await.refused(504);
    gateway.get("/api/tasks/1").by(&user).header("prefer", "wait=10").answer().await.expect(200);
}

#[tokio::test]
async fn what_a_service_answers_is_passed_on_as_it_is() {
    for status in [400, 404, 409, 422, 500] {
        let stub = Stub::serving(answering(status)).await;
        let gateway = Gateway::of(&[("producer", &stub)], &[]).await;
        let answer = gateway.ask("POST", "/auth/login").answer().await.expect(status);
        assert_eq!((answer.header("content-type"), answer.body.as_str()), ("text/csv", "a,b"));
    }
}
