//! A gateway in the test's own process, tokens for it, and clients of it.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use gateway::{Config, start};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use service::Running;
use service::auth::AuthArgs;
pub(crate) use service::testing::{User, admin, user};
use testkit::TestRedis;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::stub::Stub;

/// A gateway, and a client of it.
pub(crate) struct Gateway {
    running: Running,
    client: Client,
    base: String,
    /// Its database is emptied when the gateway is gone.
    _redis: Option<TestRedis>,
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Gateway {
    /// A gateway with a Redis database of its own that lets any number of requests pass, unless told otherwise.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let redis = testkit::redis().await;
        let gateway = Self::start_with_redis(redis.url(), arguments).await;
        Self { _redis: Some(redis), ..gateway }
    }

    /// The same, with these services.
    pub(crate) async fn of(services: &[(&str, &Stub)], arguments: &[&str]) -> Self {
        Self::start(&[&[urls(services).as_str()], arguments].concat()).await
    }

    /// The same, with a Redis that the test has.
    pub(crate) async fn start_with_redis(redis: &str, arguments: &[&str]) -> Self {
        let usual =
            ["gateway", "--listen=127.0.0.1:0", "--redis-url", redis, "--rate-limit=0", "--rate-limit-patience=10"];
        // Of two values for one argument the later is to hold.
        let is_given = |usual: &&str| {
            let name = usual.split('=').next().unwrap_or_default();
            usual.starts_with("--rate") && arguments.iter().any(|given| given.split('=').next() == Some(name))
        };
        let arguments = usual.iter().filter(|usual| !is_given(usual)).chain(arguments);
        let config = Config::try_parse_from(arguments).expect("the test's settings are right");
        let running = start(config, CancellationToken::new()).await.expect("a gateway can be started");
        let base = format!("http://{}", running.address());
        Self { running, client: client(), base, _redis: None }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.running.address()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.ask("GET", path)
    }

    pub(crate) fn ask(&self, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().expect("the test's methods exist");
        self.client.request(method, self.url(path))
    }

    /// Sends raw bytes, and returns all that comes back until the gateway closes the connection.
    pub(crate) async fn talk(&self, bytes: &str) -> String {
        talk(self.address(), bytes.as_bytes()).await
    }

    /// Stops it, as SIGTERM does.
    pub(crate) async fn stop(self) {
        self.running.stop().await.expect("it stops in order");
    }
}

pub(crate) fn client() -> Client {
    Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().expect("a plain client")
}

/// `--service-urls` with these services.
pub(crate) fn urls(services: &[(&str, &Stub)]) -> String {
    let services: Vec<_> = services.iter().map(|(name, stub)| stub.named(name)).collect();
    format!("--service-urls={}", services.join(","))
}

/// Sends raw bytes, and returns all that comes back until the connection is closed.
pub(crate) async fn talk(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("the gateway listens");
    stream.write_all(bytes).await.expect("the gateway takes the bytes");
    let mut answer = Vec::new();
    // A reset is an end like any other here.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// The body of a raw answer, as JSON.
#[track_caller]
pub(crate) fn raw_json(answer: &str) -> Value {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}"));
    let length = head.to_ascii_lowercase().contains("content-length");
    assert!(length, "the body's length is not told: {head}");
    serde_json::from_str(body).unwrap_or_else(|error| panic!("not JSON ({error}): {answer}"))
}

/// The settings that tokens are signed with when nothing is set.
pub(crate) fn auth() -> AuthArgs {
    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        auth: AuthArgs,
    }
    Only::parse_from(["test"]).auth
}

/// Sends a request and reads its answer.
pub(crate) trait Ask {
    async fn answer(self) -> Answered;

    /// With this user's token.
    fn by(self, user: &User) -> Self;
}

impl Ask for RequestBuilder {
    async fn answer(self) -> Answered {
        let response: Response = self.send().await.expect("the gateway answers");
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.text().await.expect("the answer ends in order");
        Answered { status, headers, body }
    }

    fn by(self, user: &User) -> Self {
        self.bearer_auth(&user.token)
    }
}

impl Answered {
    /// The same answer, which must have this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("headers are text"))
    }

    /// A refusal by the gateway itself: a problem with this status, that also has `error` and `message`.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.body);
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["instance"], self.header("x-request-id"));
        assert!(problem["title"].is_string() && problem["error"] == problem["title"], "{problem}");
        assert!(problem["detail"].is_string() && problem["message"] == problem["detail"], "{problem}");
        assert!(self.header("x-response-time").ends_with("ms"), "{:?}", self.headers);
        problem
    }
}
