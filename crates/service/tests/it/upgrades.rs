//! Connections that go on in another protocol.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use service::http::{HttpLimits, Upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, split};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::server::{Server, limits, no_dependencies, talk};

const PATIENCE: Duration = Duration::from_secs(20);

const ASK: &[u8] = b"GET /echo HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";

async fn echo(mut request: Request) -> Response {
    let Some(upgrade) = Upgrade::take(&mut request) else {
        return StatusCode::UPGRADE_REQUIRED.into_response();
    };
    upgrade.run(async |connection| {
        let (mut reads, mut writes) = split(connection);
        let _ = copy(&mut reads, &mut writes).await;
    });
    (StatusCode::SWITCHING_PROTOCOLS, [(header::CONNECTION, "upgrade"), (header::UPGRADE, "echo")]).into_response()
}

async fn start(limits: HttpLimits) -> Server {
    let router = Router::new().route("/echo", get(echo)).route("/plain", get(async || "plain"));
    Server::start_with(router, no_dependencies(), limits).await
}

/// A connection that echoes.
async fn upgraded(server: &Server) -> TcpStream {
    let mut stream = server.connect().await;
    // What is sent at once belongs to the other protocol already.
    stream.write_all(&[ASK, b"early "].concat()).await.expect("the server takes it");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nearly ") {
        answer.push(timeout(PATIENCE, stream.read_u8()).await.expect("the server answers").expect("and goes on"));
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
    stream
}

async fn is_echoed(stream: &mut TcpStream) {
    stream.write_all(b"\npi\n").await.expect("the server takes it");
    let mut back = [0; 4];
    timeout(PATIENCE, stream.read_exact(&mut back)).await.expect("it is echoed").expect("and all of it");
    assert_eq!(&back, b"\npi\n");
}

#[tokio::test]
async fn a_connection_goes_on_in_another_protocol_until_the_program_stops() {
    let server = start(limits()).await;
    let mut stream = upgraded(&server).await;
    is_echoed(&mut stream).await;

    server.stop.cancel();
    let end = timeout(PATIENCE, stream.read_u8()).await.expect("the connection is closed");
    assert!(end.is_err());
    timeout(PATIENCE, server.serving).await.expect("the server ends").unwrap().unwrap();
}

#[tokio::test]
async fn it_may_be_silent_for_longer_than_a_connection_that_is_waited_for_requests() {
    let server = start(limits()).await;
    let mut stream = upgraded(&server).await;
    // One that is idle is closed after the limit, which says that it has passed.
    timeout(PATIENCE, talk(server.connect().await, b"")).await.expect("the connection is closed");
    timeout(PATIENCE, talk(server.connect().await, b"")).await.expect("the connection is closed");
    is_echoed(&mut stream).await;
}

#[tokio::test]
async fn it_counts_as_a_connection_until_it_ends() {
    let server = start(HttpLimits { max_connections: 1, ..limits() }).await;
    let stream = upgraded(&server).await;
    let ask = b"GET /plain HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let mut waiting = tokio::spawn(talk(server.connect().await, ask));
    // What is not accepted is not answered, however long that takes; an accepted one would be at once.
    assert!(timeout(Duration::from_millis(300), &mut waiting).await.is_err());
    drop(stream);
    assert!(timeout(PATIENCE, waiting).await.expect("there is room").unwrap().contains("plain"));
}

#[tokio::test]
async fn what_cannot_be_upgraded_is_answered_as_before() {
    let server = start(limits()).await;
    assert_eq!(server.get("/echo").await.status(), 426);
    let refused =
        [&b"GET /plain HTTP/1.1\r\nhost: x\r\nconnection: upgrade, close\r\nupgrade: echo\r\n\r\n"[..]].concat();
    let answer = timeout(PATIENCE, talk(server.connect().await, &refused)).await.expect("the connection is closed");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("plain"), "{answer}");
}
