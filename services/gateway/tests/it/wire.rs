//! Bytes that two servers might read differently.

use serde_json::Value;

use crate::stub::Stub;
use crate::support::Gateway;

/// A request within the body of another, for a server that sees the other's end too early.
const HIDDEN: &str = "GET /api/products/hidden HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn no_request_hides_in_another() {
    let stub = Stub::echo("products").await;
    let gateway = Gateway::of(&[("products", &stub), ("producer", &stub)], &[]).await;
    let chunked = format!("0\r\n\r\n{HIDDEN}");
    let ask = async |heads: &str, body: &str| {
        gateway.talk(&format!("POST /auth/login HTTP/1.1\r\nHost: x\r\n{heads}\r\n\r\n{body}")).await
    };
    for (heads, body) in [
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", chunked.as_str()),
        ("Transfer-Encoding: xchunked", &chunked),
        ("Transfer-Encoding : chunked", &chunked),
        ("Content-Length: 0\r\nContent-Length: 46", HIDDEN),
        ("Content-Length: 0, 46", HIDDEN),
        ("Content-Length: +0", HIDDEN),
        ("X-A: b\r\n Transfer-Encoding: chunked", HIDDEN),
        ("X-A: b\rTransfer-Encoding: chunked", HIDDEN),
    ] {
        let answer = ask(heads, body).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{heads}: {answer}");
    }
    assert_eq!(stub.seen(), [] as [Value; 0]);
    // With both, chunks count (RFC 9112, 6.3), and nothing that follows does: the connection is closed.
    for heads in
        ["Content-Length: 6\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 100"]
    {
        let answer = ask(heads, &chunked).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{heads}: {answer}");
    }
    let seen = stub.seen();
    assert!(seen.iter().all(|asked| asked["uri"] == "/auth/login" && asked["body"] == ""), "{seen:?}");
}

#[tokio::test]
async fn a_line_that_ends_in_lf_alone_is_refused() {
    let stub = Stub::echo("any").await;
    let gateway = Gateway::of(&[("products", &stub), ("producer", &stub)], &[]).await;
    for request in [
        "GET /api/products HTTP/1.1\nHost: x\nConnection: close\n\n",
        "GET /api/products HTTP/1.1\r\nHost: x\nX-A: b\r\nConnection: close\r\n\r\n",
        "GET /api/products HTTP/1.1\r\nHost: x\r\nConnection: close\n\r\n",
        "POST /auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
    ] {
        let answer = gateway.talk(request).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{request:?}: {answer}");
    }
    let seen = stub.seen();
    assert!(seen.iter().all(|asked| asked["body"] == ""), "{seen:?}");
}
