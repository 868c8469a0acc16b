//! Floods of HTTP/2 frames end their connection.

use std::time::Duration;

use axum::Router;
use axum::routing::post;
use h2::{Reason, client};
use service::http::{HttpLimits, RawBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::server::{Server, limits, no_dependencies};

const PATIENCE: Duration = Duration::from_secs(20);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;

/// One whose limit for silence does not end what is to be ended for another reason.
async fn server() -> Server {
    let router = Router::new().route("/echo", post(async |RawBody(body): RawBody| body));
    let limits = HttpLimits { idle_timeout: Duration::from_secs(120), ..limits() };
    Server::start_with(router, no_dependencies(), limits).await
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is short").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

async fn connect(server: &Server) -> TcpStream {
    let mut stream = server.connect().await;
    let start = [PREFACE, &frame(SETTINGS, 0, 0, b"")].concat();
    stream.write_all(&start).await.expect("the server takes the preface");
    stream
}

/// Sends the same frames until the server ends the connection, and returns how many bytes it took.
async fn flood(mut stream: impl AsyncWriteExt + Unpin, frames: &[u8]) -> usize {
    let mut sent = 0;
    let flooding = async {
        while stream.write_all(frames).await.is_ok() {
            sent += frames.len();
        }
    };
    timeout(PATIENCE, flooding).await.expect("the server ends the connection");
    sent
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

#[tokio::test]
async fn headers_that_go_on_and_on_end_the_connection() {
    let server = server().await;
    let mut stream = connect(&server).await;
    // Without END_HEADERS. The block is one literal field, whose value goes on in the frames that follow.
    stream.write_all(&frame(HEADERS, 0, 1, b"\x00\x01x\x7f\xff\xff\xff\x07")).await.unwrap();
    let (mut reads, writes) = stream.into_split();
    let answered = tokio::spawn(async move {
        let mut answer = Vec::new();
        let _ = reads.read_to_end(&mut answer).await;
        answer
    });
    let sent = flood(writes, &frame(CONTINUATION, 0, 1, &[b'a'; 1024])).await;
    // Some are in the buffers of the network when the server has enough.
    assert!(sent < 16 * 1024 * 1024, "it took {sent} bytes of headers");
    answered.await.unwrap();
}

#[tokio::test]
async fn empty_continuations_end_the_connection() {
    let server = server().await;
    let mut stream = connect(&server).await;
    stream.write_all(&frame(HEADERS, 0, 1, b"\x00\x01x\x01y")).await.unwrap();
    flood(stream, &frame(CONTINUATION, 0, 1, b"").repeat(100)).await;
}

#[tokio::test]
async fn who_asks_for_answers_and_reads_none_is_cut_off() {
    let server = server().await;
    for frames in [frame(SETTINGS, 0, 0, b""), frame(PING, 0, 0, b"01234567")] {
        flood(connect(&server).await, &frames.repeat(100)).await;
    }
}

#[tokio::test]
async fn frames_without_a_request_are_silence() {
    let router = Router::new();
    let server = Server::start_with(router, no_dependencies(), limits()).await;
    let (mut reads, mut writes) = connect(&server).await.into_split();
    let pinging = async move {
        let ping = frame(PING, 0, 0, b"01234567");
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        while writes.write_all(&ping).await.is_ok() {
            pace.tick().await;
        }
    };
    let reading = tokio::spawn(async move { reads.read_to_end(&mut Vec::new()).await });
    timeout(PATIENCE, pinging).await.expect("the connection is closed");
    let _ = reading.await.unwrap();
}
