//! Clients that are slow, silent or hostile are cut off.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use futures_util::stream;
use h2::{Reason, client};
use service::http::RawBody;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::server::{Server, talk};

const PATIENCE: Duration = Duration::from_secs(20);

async fn server() -> Server {
    Server::start(Router::new().route("/echo", post(async |RawBody(body): RawBody| body))).await
}

#[tokio::test]
async fn who_never_finishes_the_head_is_cut_off() {
    let server = server().await;
    // Too little to tell the version of HTTP, a first head, and a second head on a connection that was used.
    for start in ["", "P", "POST /echo HT", "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\nPOST /ec"] {
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

#[tokio::test]
async fn two_lengths_of_one_body_are_refused() {
    let server = server().await;
    for heads in [
        "content-length: 3\r\ncontent-length: 4",
        "content-length: 3\r\ncontent-length: 3, 4",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity",
    ] {
        let request = format!("POST /echo HTTP/1.1\r\nhost: x\r\n{heads}\r\n\r\nabcd");
        let answer = timeout(PATIENCE, talk(server.connect().await, request.as_bytes()))
            .await
            .expect("the connection is closed");
        assert!(answer.starts_with("HTTP/1.1 400 "), "{heads}: {answer}");
    }
}

#[tokio::test]
async fn streams_that_are_opened_and_reset_at_once_end_the_connection() {
    let server = server().await;
    let (mut requests, connection) = client::handshake(server.connect().await).await.unwrap();
    let connection = tokio::spawn(connection);
    let attack = async {
        for _ in 0..5_000 {
            let request = axum::http::Request::post("http://x/echo").body(()).expect("the request is well formed");
            requests = match requests.ready().await {
                Ok(ready) => ready,
                Err(error) => return Some(error),
            };
            match requests.send_request(request, false) {
                Ok((_, mut stream)) => stream.send_reset(Reason::CANCEL),
                Err(error) => return Some(error),
            }
            // The connection is to send each of them.
            tokio::task::yield_now().await;
        }
        None
    };
    let end = timeout(PATIENCE, attack).await.expect("the server takes or refuses the streams");
    let end = match end {
        Some(error) => error,
        None => connection.await.expect("the connection does not panic").expect_err("the server ends the connection"),
    };
    assert!(end.is_go_away() || end.is_io(), "{end}");
}
