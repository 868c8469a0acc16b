//! Starts a server for one test.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use axum::Router;
use reqwest::{Client, Response};
use service::Health;
use service::http::{HttpLimits, HttpSettings, Problem, app_with, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;

static TELEMETRY: OnceLock<service::Telemetry> = OnceLock::new();

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
    pub(crate) stop: CancellationToken,
    pub(crate) serving: JoinHandle<anyhow::Result<()>>,
}

/// Limits that a test can wait for.
pub(crate) fn settings() -> HttpSettings {
    HttpSettings {
        body_limit: 64 * 1024,
        body_timeout: Some(Duration::from_millis(300)),
        body_stall: Duration::from_millis(300),
        handler_timeout: Duration::from_millis(1_500),
        ..HttpSettings::default()
    }
}

pub(crate) fn limits() -> HttpLimits {
    let short = Duration::from_millis(300);
    HttpLimits { idle_timeout: short, read_timeout: short, ..HttpLimits::default() }
}

pub(crate) fn no_dependencies() -> Health {
    Health::new("test", "1.2.3")
}

impl Server {
    pub(crate) async fn start(router: Router) -> Self {
        Self::start_with(router, no_dependencies(), limits()).await
    }

    pub(crate) async fn start_with(router: Router, health: Health, limits: HttpLimits) -> Self {
        Self::start_set(router, health, limits, settings()).await
    }

    pub(crate) async fn start_set(router: Router, health: Health, limits: HttpLimits, settings: HttpSettings) -> Self {
        TELEMETRY.get_or_init(|| service::telemetry("service-tests").expect("telemetry can be installed once"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port can be listened on");
        let address = listener.local_addr().expect("a listener has an address");
        let stop = CancellationToken::new();
        let router = app_with(router, health, OpenApi::default(), settings);
        let serving = tokio::spawn(serve(listener, router, stop.clone(), limits));
        Self { address, client: Client::new(), stop, serving }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.client.get(self.url(path)).send().await.expect("the server answers")
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("the server listens")
    }
}

/// Asserts that an answer is a complete problem and returns it.
pub(crate) async fn problem(response: Response, status: u16) -> Problem {
    assert_eq!(response.status().as_u16(), status);
    assert_eq!(response.headers()["content-type"], Problem::MEDIA_TYPE);
    let request_id = response.headers()["x-request-id"].to_str().expect("the id is text").to_owned();
    let problem: Problem = response.json().await.expect("the body is a problem");
    assert_eq!((problem.status, problem.kind.as_str()), (status, "about:blank"));
    assert_eq!(problem.instance.as_deref(), Some(request_id.as_str()));
    problem
}

/// Sends raw bytes, and returns all that comes back until the server closes the connection.
pub(crate) async fn talk(mut stream: TcpStream, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.expect("the server takes the bytes");
    let mut answer = Vec::new();
    // A reset is an end like any other here.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}
