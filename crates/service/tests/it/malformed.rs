//! Requests that two parsers could understand differently: refused, or the connection ends with them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use service::http::{HttpLimits, RawBody};
use tokio::time::timeout;

use crate::server::{Server, limits, no_dependencies, talk};

/// What an attacker wants to be taken for a request of its own.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";

/// How often a request for `/smuggled` got through.
#[derive(Clone, Default)]
struct Smuggled(Arc<AtomicUsize>);

impl Smuggled {
    async fn server(&self) -> Server {
        let smuggled = self.0.clone();
        let router = Router::new()
            .route("/echo", post(async |RawBody(body): RawBody| body))
            .route("/smuggled", get(async move || smuggled.fetch_add(1, Ordering::Relaxed).to_string()));
        // A connection that is kept open would be open for long.
        let limits = HttpLimits { idle_timeout: Duration::from_secs(60), ..limits() };
        Server::start_with(router, no_dependencies(), limits).await
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Sends it, and returns all that is answered until the server closes the connection, which it must.
async fn answers(server: &Server, request: &str) -> String {
    let answers = talk(server.connect().await, request.as_bytes());
    timeout(Duration::from_secs(10), answers).await.unwrap_or_else(|_| panic!("left open: {request:?}"))
}

#[tokio::test]
async fn what_is_malformed_is_400_and_ends_the_connection() {
    let smuggled = Smuggled::default();
    let server = smuggled.server().await;
    for head in [
        "content-length: 3\r\ncontent-length: 4",
        "content-length: 3\r\ncontent-length: 3, 4",
        "content-length: 3, 3",
        "content-length: +3",
        "content-length: -1",
        "content-length: 0x3",
        "content-length: 3 3",
        "content-length:",
        "content-length: 18446744073709551616",
        "content-length: 99999999999999999999999999",
        "content-length : 3",
        "content-length\t: 3",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: xchunked",
        "transfer-encoding : chunked",
        "transfer-encoding:\x0bchunked",
        "content-length: 3\r\nx: a\0b",
        "content-length: 3\r\nx: a\rb",
        "content-length: 3\r\nx: a\r\n folded",
        "content-length: 3\r\nx: a\r\n\tfolded",
        "content-length: 3\r\n x: a",
        "content-length: 3\r\nno colon",
        "content-length: 3\r\n: no name",
        "content-length: 3\r\nx y: a",
        "content-length: 3\r\nx\0: a",
    ] {
        let request = format!("POST /echo HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\nabc{SMUGGLED}");
        let answers = answers(&server, &request).await;
        assert!(answers.starts_with("HTTP/1.1 400 "), "{head:?}: {answers}");
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{head:?}: {answers}");
    }
    for line in ["GET  /echo HTTP/1.1", "GET /echo", "GET /a b HTTP/1.1", "GET /echo HTTP/1.10", "GE T /echo HTTP/1.1"]
    {
        let answers = answers(&server, &format!("{line}\r\nhost: x\r\n\r\n{SMUGGLED}")).await;
        assert!(answers.starts_with("HTTP/1.1 400 "), "{line:?}: {answers}");
    }
    assert_eq!(smuggled.count(), 0);
}

#[tokio::test]
async fn a_line_that_ends_with_a_bare_line_feed_ends_the_connection() {
    let smuggled = Smuggled::default();
    let server = smuggled.server().await;
    let fine = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\na\nb";
    for (request, answered) in [
        ("GET /smuggled HTTP/1.1\nhost: x\n\n".to_owned(), 0),
        ("GET /smuggled HTTP/1.1\r\nhost: x\nx: y\r\n\r\n".to_owned(), 0),
        ("GET /smuggled HTTP/1.1\r\nhost: x\r\n\n".to_owned(), 0),
        (format!("\n{SMUGGLED}"), 0),
        (format!("{fine}GET /smuggled HTTP/1.1\r\nhost: x\nx: y\r\n\r\n"), 1),
    ] {
        let answers = answers(&server, &request).await;
        assert_eq!(answers.matches("HTTP/1.1 200 ").count(), answered, "{request:?}: {answers}");
        // None but where the head ends with it, and so could go on.
        let refused = usize::from(!request.ends_with("\r\n\n"));
        assert_eq!(answers.matches("HTTP/1.1 400 ").count(), refused, "{request:?}: {answers}");
    }
    assert_eq!(smuggled.count(), 0);
}

#[tokio::test]
async fn two_framings_of_one_body_end_the_connection() {
    let smuggled = Smuggled::default();
    let server = smuggled.server().await;
    for heads in ["content-length: 5\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\ncontent-length: 5"]
    {
        let request = format!("POST /echo HTTP/1.1\r\nhost: x\r\n{heads}\r\n\r\n0\r\n\r\n{SMUGGLED}");
        let answers = answers(&server, &request).await;
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{heads}: {answers}");
    }
    let old = format!("POST /echo HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}");
    let refused = answers(&server, &old).await;
    assert!(refused.contains(" 400 ") && refused.matches("HTTP/1.").count() == 1, "{refused}");
    assert_eq!(smuggled.count(), 0);
}

#[tokio::test]
async fn chunks_that_are_malformed_are_400_and_end_the_connection() {
    let smuggled = Smuggled::default();
    let server = smuggled.server().await;
    for chunks in [
        "fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        "10000000000000003\r\nabc\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3;x\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
        "\r\nabc\r\n0\r\n\r\n",
        "z\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\nt: v\nt: w\r\n\r\n",
    ] {
        let request = format!("POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{chunks}{SMUGGLED}");
        let answers = answers(&server, &request).await;
        assert!(answers.starts_with("HTTP/1.1 400 "), "{chunks:?}: {answers}");
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{chunks:?}: {answers}");
    }
    assert_eq!(smuggled.count(), 0);
}

#[tokio::test]
async fn a_request_names_one_host() {
    let smuggled = Smuggled::default();
    let server = smuggled.server().await;
    for hosts in ["", "host: x\r\nhost: y\r\n", "host: x\r\nHOST: x\r\n"] {
        let request = format!("POST /echo HTTP/1.1\r\n{hosts}content-length: 0\r\nconnection: close\r\n\r\n");
        let answer = answers(&server, &request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{hosts:?}: {answer}");
        assert!(answer.contains("application/problem+json"), "{hosts:?}: {answer}");
    }
    let old = answers(&server, "POST /echo HTTP/1.0\r\ncontent-length: 2\r\n\r\nhi").await;
    assert!(old.starts_with("HTTP/1.0 200 "), "before HTTP/1.1 none was needed: {old}");
}

#[tokio::test]
async fn what_is_well_formed_is_answered_on_the_same_connection() {
    let smuggled = Smuggled::default();
    let server = smuggled.server().await;
    let last = SMUGGLED.replace("host: x", "host: x\r\nconnection: close");
    for body in ["content-length: 3\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nt: v\r\n\r\n"]
    {
        let answers = answers(&server, &format!("POST /echo HTTP/1.1\r\nhost: x\r\n{body}{last}")).await;
        assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 2, "{answers}");
    }
    assert_eq!(smuggled.count(), 2, "the check can see what gets through");
}
