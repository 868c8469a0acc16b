//! Connections that become WebSockets.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stub::Stub;
use crate::support::{Gateway, user};

const PATIENCE: Duration = Duration::from_secs(20);

/// Switches protocols, and then sends back what it gets.
async fn echo(mut request: Request) -> Response {
    if request.headers().get("upgrade").is_none_or(|protocol| protocol != "websocket") {
        return StatusCode::UPGRADE_REQUIRED.into_response();
    }
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let (mut reading, mut writing) = tokio::io::split(TokioIo::new(upgrade.await.expect("the gateway agrees")));
        let _ = tokio::io::copy(&mut reading, &mut writing).await;
        let _ = writing.shutdown().await;
    });
    let headers = [("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", "proof")];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

async fn gateway() -> (Stub, Gateway) {
    let stub = Stub::serving(Router::new().route("/v1/orders/live", get(echo))).await;
    let gateway = Gateway::of(&[("orders", &stub)], &[]).await;
    (stub, gateway)
}

/// Sends a request for an upgrade, and gives the answer's head.
async fn asked(gateway: &Gateway, upgrade: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(gateway.address()).await.expect("the gateway listens");
    let token = user().token;
    let head = format!(
        "GET /api/orders/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: keep-alive, Upgrade\r\n\
         Upgrade: {upgrade}\r\nSec-WebSocket-Key: key\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("the gateway reads");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let byte = timeout(PATIENCE, stream.read_u8()).await.expect("the gateway answers in time");
        answer.push(byte.expect("the gateway answers"));
    }
    (stream, String::from_utf8_lossy(&answer).to_ascii_lowercase())
}

#[tokio::test]
async fn bytes_pass_both_ways_until_one_side_ends() {
    let (_stub, gateway) = gateway().await;
    let (mut stream, head) = asked(&gateway, "WebSocket").await;
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(
        head.contains("\r\nsec-websocket-accept: proof\r\n") && head.contains("\r\nupgrade: websocket\r\n"),
        "{head}"
    );
    for text in ["one", "two"] {
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut back = vec![0; text.len()];
        timeout(PATIENCE, stream.read_exact(&mut back)).await.expect("it comes back").unwrap();
        assert_eq!(back, text.as_bytes());
    }
    stream.shutdown().await.unwrap();
    let end = timeout(PATIENCE, stream.read(&mut [0; 8])).await.expect("the other side ends too").unwrap();
    assert_eq!(end, 0);
}

#[tokio::test]
async fn a_tunnel_does_not_hold_up_the_end_of_the_gateway() {
    let (_stub, gateway) = gateway().await;
    let (mut stream, head) = asked(&gateway, "websocket").await;
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    timeout(PATIENCE, gateway.stop()).await.expect("the gateway stops");
    let end = timeout(PATIENCE, stream.read(&mut [0; 8])).await.expect("the tunnel ends");
    assert!(end.is_err() || end.is_ok_and(|length| length == 0));
}

#[tokio::test]
async fn no_other_protocol_is_passed_on() {
    let (_stub, gateway) = gateway().await;
    for protocol in ["h2c", "TLS/1.0", "websocket, h2c", "foo"] {
        let (_, head) = asked(&gateway, protocol).await;
        assert!(head.starts_with("http/1.1 426 "), "{protocol}: {head}");
    }
}

#[tokio::test]
async fn a_service_cannot_switch_unasked() {
    let router = Router::new()
        .fallback(async || (StatusCode::SWITCHING_PROTOCOLS, [("upgrade", "h2c"), ("connection", "upgrade")]));
    let stub = Stub::serving(router).await;
    let gateway = Gateway::of(&[("orders", &stub)], &[]).await;
    let (_, head) = asked(&gateway, "websocket").await;
    assert!(head.starts_with("http/1.1 502 "), "{head}");
}
