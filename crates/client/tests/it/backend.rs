//! An instance that can be killed, and one that never answers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{any, get};
use axum::{Router, middleware};
use bytes::Bytes;
use futures_util::StreamExt;
use testkit::Proxy;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

pub(crate) struct Backend {
    shared: Arc<Shared>,
    /// Stands before it, so that it can be cut off.
    proxy: Proxy,
}

struct Shared {
    name: String,
    requests: AtomicUsize,
    gate: Semaphore,
}

impl Backend {
    pub(crate) async fn start(name: &str) -> Self {
        let shared = Arc::new(Shared { name: name.to_owned(), requests: AtomicUsize::new(0), gate: Semaphore::new(0) });
        let router = Router::new()
            .route("/", any(async |State(shared): State<Arc<Shared>>| shared.name.clone()))
            .route("/status/{code}", any(status))
            .route("/headers", get(headers))
            .route("/echo", any(async |body: Bytes| body))
            .route("/json", any(json))
            .route("/gate", any(gate))
            .route("/stream", get(stream))
            .layer(middleware::from_fn_with_state(shared.clone(), count))
            .with_state(shared.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let address = listener.local_addr().expect("it listens");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { shared, proxy: testkit::proxy(&address.to_string()).await }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.proxy.port()))
    }

    /// How many requests have arrived.
    pub(crate) fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Its connections break, and no new one is taken.
    pub(crate) async fn kill(&self) {
        self.proxy.cut().await;
    }

    pub(crate) async fn revive(&self) {
        self.proxy.restore().await;
    }

    /// Lets one request through the gate, or ends one stream.
    pub(crate) fn open_gate(&self) {
        self.shared.gate.add_permits(1);
    }
}

async fn count(State(shared): State<Arc<Shared>>, request: Request, next: middleware::Next) -> Response {
    shared.requests.fetch_add(1, Ordering::SeqCst);
    next.run(request).await
}

async fn status(Path(code): Path<u16>) -> Response {
    let status = StatusCode::from_u16(code).expect("the test asks for a status");
    (status, Json(serde_json::json!({ "status": code, "detail": "as you wish" }))).into_response()
}

async fn headers(headers: HeaderMap) -> Json<BTreeMap<String, String>> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Json(headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect())
}

async fn json(headers: HeaderMap, Json(body): Json<serde_json::Value>) -> Json<serde_json::Value> {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    Json(serde_json::json!({ "got": body, "key": key }))
}

async fn gate(State(shared): State<Arc<Shared>>) -> String {
    shared.gate.acquire().await.expect("it is never closed").forget();
    shared.name.clone()
}

/// Sends its name, and the end once the gate is opened.
async fn stream(State(shared): State<Arc<Shared>>) -> Body {
    let first = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from(shared.name.clone()))]);
    let end = futures_util::stream::once(async move {
        shared.gate.acquire().await.expect("it is never closed").forget();
        Ok(Bytes::from_static(b"."))
    });
    Body::from_stream(first.chain(end))
}

/// Reads a request and closes the connection without an answer.
pub(crate) struct Breaking {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Breaking {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let address = listener.local_addr().expect("it listens");
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = requests.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let counter = counter.clone();
                tokio::spawn(async move {
                    let (mut head, mut part) = (Vec::<u8>::new(), [0; 1024]);
                    while let Ok(1..) = stream.read(&mut part).await.inspect(|read| head.extend(&part[..*read])) {
                        if head.windows(4).any(|end| end == b"\r\n\r\n") {
                            counter.fetch_add(1, Ordering::SeqCst);
                            return;
                        }
                    }
                });
            }
        });
        Self { address, requests }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}
