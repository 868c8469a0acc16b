//! The log of a request: one line, with what its program added, and without what must not be in it.

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::routing::{get, post};
use service::http::{Access, ApiError, ApiResult, Json};
use service::telemetry::{Line, LogFormat};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use uuid::Uuid;

use crate::server::{Server, talk};

/// What one test logs: its server runs on its own thread.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics while it is locked").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Keeps what is logged until the guard is dropped.
    pub(crate) fn begin(format: LogFormat) -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let lines = tracing_subscriber::fmt::layer()
            .event_format(Line(format))
            .fmt_fields(Line(format))
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .with_filter(LevelFilter::INFO);
        (log, tracing::subscriber::set_default(tracing_subscriber::registry().with(lines)))
    }

    fn text(&self) -> String {
        let bytes = self.0.lock().expect("nobody panics while it is locked").clone();
        String::from_utf8(bytes).expect("lines are text")
    }

    pub(crate) fn answered(&self) -> Vec<String> {
        self.text().lines().filter(|line| line.contains("answered")).map(ToOwned::to_owned).collect()
    }
}

const USER: Uuid = Uuid::from_u128(7);
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwMTkzIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const REFRESH: &str = "q83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJq80";

async fn passes_on(access: Access, request: Request) -> &'static str {
    access.client(Ipv4Addr::new(192, 0, 2, 7).into());
    access.path(request.uri());
    access.upstream("producer-1");
    access.user_id(USER);
    "passed on"
}

/// As careless as a handler can be.
async fn says_all(access: Access, request: Request) -> ApiResult<()> {
    access.path(request.uri());
    let headers = format!("{:?}", request.headers());
    tracing::info!(uri = %request.uri(), headers, "was asked for {}", request.uri());
    Err(ApiError::conflict("no").because(anyhow::anyhow!("refused {}", request.uri())))
}

async fn logs_in(Json(body): Json<serde_json::Value>) -> ApiResult<()> {
    Err(ApiError::unprocessable([service::http::FieldError::new("email", body.to_string())]))
}

fn router() -> Router {
    Router::new()
        .route("/plain", get(async || "plain"))
        .route("/api/{*rest}", get(passes_on))
        .route("/careless/{*rest}", get(says_all))
        .route("/login", post(logs_in))
}

#[tokio::test]
async fn what_a_program_adds_is_in_the_one_line_of_its_request() {
    let (log, _guard) = Log::begin(LogFormat::Text);
    let server = Server::start(router()).await;
    server.get("/plain").await;
    server.get(&format!("/api/users/{USER}?limit=5&email=ann@example.org")).await;
    let [plain, passed] = &log.answered()[..] else { panic!("{}", log.text()) };
    for absent in ["client=", "path=", "upstream=", "user_id="] {
        assert!(!plain.contains(absent), "{plain}");
    }
    for part in [
        " route=/api/{*rest} status=200 ",
        " client=192.0.2.7",
        &format!(" path=/api/users/{USER}?limit=*&email=*"),
        " upstream=producer-1",
        &format!(" user_id={USER}"),
    ] {
        assert!(passed.contains(part), "{part} is not in {passed}");
    }
}

#[tokio::test]
async fn nothing_that_is_sent_begins_a_line_or_steers_a_terminal() {
    for format in [LogFormat::Text, LogFormat::Json] {
        let (log, _guard) = Log::begin(format);
        let server = Server::start(router()).await;
        let nasty = "%0d%0aINFO%20forged%20%1b[31m%e2%80%ae";
        for request in [
            format!("GET /api/{nasty}?{nasty}={nasty} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"),
            format!("GET /careless/{nasty}?{nasty} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx: a\tb\u{202e}c\r\n"),
            format!("GET /plain HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-request-id: a\tb{nasty}\r\n"),
        ] {
            let answer = talk(server.connect().await, format!("{request}\r\n").as_bytes()).await;
            assert!(!answer.starts_with("HTTP/1.1 400 "), "{request}: {answer}");
        }
        let text = log.text();
        assert_eq!(log.answered().len(), 3, "{text}");
        for line in text.lines() {
            assert!(!line.contains(|c: char| c.is_control() || c == '\u{202e}'), "{line:?}");
            assert!(
                line.starts_with("20") || line.starts_with("{\"timestamp\":\"20"),
                "this is no line of ours: {line:?}"
            );
            if format == LogFormat::Json {
                serde_json::from_str::<serde_json::Value>(line).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn tokens_and_passwords_are_in_no_line() {
    for format in [LogFormat::Text, LogFormat::Json] {
        let (log, _guard) = Log::begin(format);
        let server = Server::start(router()).await;
        for token in [TOKEN, REFRESH] {
            for path in ["/api", "/careless"] {
                let request = server.client.get(server.url(&format!("{path}/{token}?access_token={token}&{token}")));
                let request = request.bearer_auth(token).header("cookie", format!("session={token}"));
                request.header("x-request-id", token).header("x-correlation-id", token).send().await.unwrap();
            }
        }
        let body = serde_json::json!({ "email": "a", "password": "hunter2 hunter2" });
        server.client.post(server.url("/login")).json(&body).send().await.unwrap();
        server.client.post(server.url("/login")).json("{\"password\":\"hunter2").send().await.unwrap();

        let text = log.text();
        assert_eq!(log.answered().len(), 6, "{text}");
        assert!(text.contains("was asked for /careless/***?access_token=***"), "{text}");
        for secret in [TOKEN.split_once('.').unwrap().1, REFRESH, "hunter2"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
}
