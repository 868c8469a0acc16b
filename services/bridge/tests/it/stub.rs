//! An InfluxDB 2 as far as the bridge knows it: it takes lines, and refuses what it is told to.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};

/// What was asked of it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) query: String,
    pub(crate) authorization: String,
    pub(crate) lines: Vec<String>,
    pub(crate) status: StatusCode,
}

type Judge = Arc<dyn Fn(usize, &str) -> StatusCode + Send + Sync>;

/// Answers on a port of its own.
pub(crate) struct Stub {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    asked: Mutex<Vec<Asked>>,
    judge: Judge,
}

impl Stub {
    /// `judge` gives the status for the request of this number, from 0, with this body.
    pub(crate) async fn start(judge: impl Fn(usize, &str) -> StatusCode + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared { asked: Mutex::default(), judge: Arc::new(judge) });
        let router = Router::new()
            .route("/api/v2/write", post(write))
            .route("/ping", get(|| async { StatusCode::NO_CONTENT }))
            .with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { url, shared }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().expect("nothing panics meanwhile").clone()
    }

    /// All lines that were taken.
    pub(crate) fn taken(&self) -> Vec<String> {
        self.asked().into_iter().filter(|asked| asked.status.is_success()).flat_map(|asked| asked.lines).collect()
    }
}

async fn write(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, &'static str) {
    let mut asked = shared.asked.lock().expect("nothing panics meanwhile");
    let status = (shared.judge)(asked.len(), &body);
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    asked.push(Asked {
        query: query.unwrap_or_default(),
        authorization: authorization.to_owned(),
        lines: body.lines().map(str::to_owned).collect(),
        status,
    });
    (status, if status.is_success() { "" } else { r#"{"code":"invalid","message":"unable to parse"}"# })
}
