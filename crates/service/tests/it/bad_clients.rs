//! Clients that are slow, silent or hostile are cut off.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use futures_util::stream;
use service::http::{HttpSettings, RawBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{interval, timeout};

use crate::server::{Server, limits, no_dependencies, settings, talk};

const PATIENCE: Duration = Duration::from_secs(20);

async fn server() -> Server {
    Server::start(Router::new().route("/echo", post(async |RawBody(body): RawBody| body))).await
}

#[tokio::test]
async fn who_never_finishes_the_head_is_cut_off() {
    let server = server().await;
    // Too little to tell the version of HTTP, a first head, and a second head on a connection that was used.
    for start in [
        "",
        "P",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "POST /echo HT",
        "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\nPOST /ec",
    ] {
        timeout(PATIENCE, talk(server.connect().await, start.as_bytes())).await.expect("the connection is closed");
    }
}

#[tokio::test]
async fn who_never_finishes_the_body_is_told_so() {
    let server = server().await;
    let start = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc";
    let answer = timeout(PATIENCE, talk(server.connect().await, start)).await.expect("the connection is closed");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
}

#[tokio::test]
async fn who_reads_nothing_of_an_endless_answer_is_cut_off() {
    let streaming = Arc::new(());
    let watched = Arc::downgrade(&streaming);
    let endless = move || {
        let streaming = Arc::clone(&streaming);
        async move {
            Body::from_stream(stream::repeat_with(move || {
                let _ = &streaming;
                Ok::<_, Infallible>(vec![b'x'; 64 * 1024])
            }))
        }
    };
    let server = Server::start(Router::new().route("/endless", get(endless))).await;
    let mut client = server.connect().await;
    client.write_all(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    // One is the route's own.
    testkit::eventually("the stream begins", async || (watched.strong_count() > 1).then_some(())).await;
    testkit::eventually("the stream is dropped", async || (watched.strong_count() == 1).then_some(())).await;
}

/// Sends one byte after the other at this pace for as long as the server takes them, and returns what it answered.
async fn trickle(server: &Server, head: &[u8], byte: &'static [u8], pace: Duration) -> String {
    let (mut reads, mut writes) = server.connect().await.into_split();
    writes.write_all(head).await.expect("the server takes the head");
    let trickling = tokio::spawn(async move {
        let mut pace = interval(pace);
        while writes.write_all(byte).await.is_ok() {
            pace.tick().await;
        }
    });
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, reads.read_to_end(&mut answer)).await.expect("the connection is closed");
    trickling.abort();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn who_sends_the_head_byte_by_byte_is_cut_off() {
    let server = server().await;
    let pace = limits().idle_timeout / 10;
    let answer = trickle(&server, b"POST /echo HTTP/1.1\r\nhost: x\r\nx: ", b"a", pace).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn who_sends_the_body_byte_by_byte_is_told_so() {
    let server = server().await;
    let pace = settings().body_stall / 10;
    let answer = trickle(&server, b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 9999\r\n\r\n", b"a", pace).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn without_a_limit_for_all_of_a_body_it_may_go_on_but_not_stall() {
    let settings = HttpSettings { body_timeout: None, handler_timeout: PATIENCE, ..settings() };
    let router = Router::new().route("/echo", post(async |RawBody(body): RawBody| body.len().to_string()));
    let server = Server::start_set(router, no_dependencies(), limits(), settings).await;
    let head = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 30\r\nconnection: close\r\n\r\n";

    // Longer than it may stall, and than another server would let the whole of it take.
    let whole = trickle(&server, head, b"a", settings.body_stall / 5).await;
    assert!(whole.starts_with("HTTP/1.1 200 ") && whole.ends_with("30"), "{whole}");

    let stalled = timeout(PATIENCE, talk(server.connect().await, head)).await.expect("the connection is closed");
    assert!(stalled.starts_with("HTTP/1.1 408 "), "{stalled}");
}
