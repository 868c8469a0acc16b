//! Services as the gateway sees them: each tells what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Json};
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// A service in the test's own process. Gone when it is dropped, connections and all.
pub(crate) struct Stub {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Value>>>,
    serving: JoinHandle<()>,
}

impl Stub {
    /// Answers everything with what it was asked, and its name.
    pub(crate) async fn echo(name: &'static str) -> Self {
        let seen: Arc<Mutex<Vec<Value>>> = Arc::default();
        let note = seen.clone();
        let router = Router::new().fallback(async move |request: Request| {
            let asked = described(name, request).await;
            note.lock().expect("nothing panics while it holds this lock").push(asked.clone());
            Json(asked)
        });
        let mut stub = Self::serving(router).await;
        stub.seen = seen;
        stub
    }

    /// Answers as this router does.
    pub(crate) async fn serving(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port can be listened on");
        let address = listener.local_addr().expect("a listener has an address");
        let serving = tokio::spawn(async move {
            // Dropped with the task, and all connections with it.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let service = TowerToHyperService::new(router.clone());
                connections.spawn(async move {
                    let builder = Builder::new(TokioExecutor::new());
                    let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, seen: Arc::default(), serving }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `name=http://…`, as SERVICE_URLS has it.
    pub(crate) fn named(&self, name: &str) -> String {
        format!("{name}=http://{}", self.address)
    }

    /// All that it was asked.
    pub(crate) fn seen(&self) -> Vec<Value> {
        self.seen.lock().expect("nothing panics while it holds this lock").clone()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn described(name: &str, request: Request) -> Value {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let headers: Vec<_> = parts
        .headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    json!({
        "service": name,
        "method": parts.method.as_str(),
        "uri": parts.uri.to_string(),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    })
}

/// The values of a header that a service was sent.
pub(crate) fn header<'a>(asked: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = asked["headers"].as_array().expect("a stub tells the headers");
    headers.iter().filter(|header| header[0] == name).filter_map(|header| header[1].as_str()).collect()
}

/// The names of all headers that a service was sent.
pub(crate) fn names(asked: &Value) -> Vec<&str> {
    let headers = asked["headers"].as_array().expect("a stub tells the headers");
    headers.iter().filter_map(|header| header[0].as_str()).collect()
}

/// An answer with this status that no gateway would take for its own.
pub(crate) fn answering(status: u16) -> Router {
    let status = axum::http::StatusCode::from_u16(status).expect("the test's statuses exist");
    Router::new().fallback(async move || (status, [("content-type", "text/csv")], Body::from("a,b")).into_response())
}
