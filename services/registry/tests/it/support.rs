//! Registries in the test's own process, on a Redis of its own, and those who ask them.

use std::time::Duration;

use clap::Parser;
use registry::{Config, start};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use service::Running;
pub(crate) use testkit::Ask;
use testkit::{TestRedis, eventually};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longer than anything that is waited for takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// What registries share.
pub(crate) struct World {
    pub(crate) redis: TestRedis,
}

/// A registry, and a client of it that has the token.
pub(crate) struct Registry {
    running: Running,
    client: Client,
    base: String,
}

/// A client of `/watch`.
pub(crate) struct Watcher {
    response: Response,
    read: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self { redis: testkit::redis().await }
    }

    pub(crate) async fn registry(&self) -> Registry {
        self.registry_with(&[]).await
    }

    /// A registry with settings of its own beside the usual ones.
    pub(crate) async fn registry_with(&self, arguments: &[&str]) -> Registry {
        registry(self.redis.url(), arguments).await
    }
}

/// A registry on this Redis, which it can see.
pub(crate) async fn registry(redis: &str, arguments: &[&str]) -> Registry {
    let usual = ["registry", "--listen=127.0.0.1:0", "--retry-base=0.1", "--redis-url", redis];
    let config = Config::try_parse_from(usual.iter().chain(arguments)).expect("the test's settings are right");
    let running = start(config, CancellationToken::new()).await.expect("a registry can be started");
    let base = format!("http://{}", running.address());
    let client = Client::builder().no_proxy().build().expect("a plain client");
    let registry = Registry { running, client, base };
    registry.is_ready().await;
    registry
}

impl Registry {
    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.base))
    }

    /// A request without the token.
    pub(crate) fn post_as_anybody(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.base)).json(body)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.post_as_anybody(path, body).bearer_auth("warren-registry-token")
    }

    pub(crate) fn register(&self, service: &str, id: &str) -> RequestBuilder {
        self.post("/register", &registration(service, id))
    }

    pub(crate) fn heartbeat(&self, service: &str, id: &str) -> RequestBuilder {
        self.post("/heartbeat", &reference(service, id))
    }

    pub(crate) fn deregister(&self, service: &str, id: &str) -> RequestBuilder {
        self.post("/deregister", &reference(service, id))
    }

    /// The ids of the healthy instances.
    pub(crate) async fn discover(&self, service: &str) -> Vec<String> {
        ids(&self.get(&format!("/discover/{service}")).answer().await.expect(200).json())
    }

    /// Every instance that is known.
    pub(crate) async fn services(&self) -> Value {
        self.get("/services").answer().await.expect(200).json()["services"].clone()
    }

    pub(crate) async fn watch(&self, query: &str) -> Watcher {
        let sending = self.get(&format!("/watch{query}")).send();
        let response = timeout(LIMIT, sending).await.expect("in time").expect("the registry answers");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Watcher { response, read: String::new() }
    }

    pub(crate) async fn is_ready(&self) {
        eventually("the registry is ready", async || (self.get("/ready").answer().await.status == 200).then_some(()))
            .await;
    }

    /// Stops it, as SIGTERM does.
    pub(crate) async fn stop(self) {
        self.running.stop().await.expect("it stops in order");
    }
}

pub(crate) fn registration(service: &str, id: &str) -> Value {
    at(service, id, "127.0.0.1")
}

pub(crate) fn at(service: &str, id: &str, host: &str) -> Value {
    json!({ "service": service, "instance": { "id": id, "host": host, "port": 8081 } })
}

pub(crate) fn reference(service: &str, id: &str) -> Value {
    json!({ "service": service, "instance_id": id })
}

/// The ids of the instances of an answer or an event.
pub(crate) fn ids(discovered: &Value) -> Vec<String> {
    let instances = discovered["instances"].as_array().expect("there is a list of instances");
    instances.iter().map(|instance| instance["id"].as_str().expect("each has an id").to_owned()).collect()
}

impl Watcher {
    /// The next event: its service and the ids of its instances. Signs of life are passed over.
    pub(crate) async fn next(&mut self) -> (String, Vec<String>) {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.read = rest;
                if !event.starts_with(':') {
                    return announced(&event);
                }
            } else {
                let chunk = timeout(LIMIT, self.response.chunk()).await.expect("something comes in time");
                let chunk = chunk.expect("the stream is whole").expect("the stream goes on");
                self.read.push_str(std::str::from_utf8(&chunk).expect("events are text"));
            }
        }
    }

    /// Waits until this is said of a service; what is said before does not matter.
    pub(crate) async fn until(&mut self, service: &str, wanted: &[&str]) {
        while self.next().await != (service.to_owned(), wanted.iter().map(|id| (*id).to_owned()).collect()) {}
    }

    /// Waits for the end of the stream.
    pub(crate) async fn ends(mut self) {
        while timeout(LIMIT, self.response.chunk()).await.expect("it ends in time").expect("in order").is_some() {}
    }
}

fn announced(event: &str) -> (String, Vec<String>) {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    assert_eq!(field("event"), Some("instances"), "{event}");
    field("id").expect("an event has an id").parse::<i64>().expect("the id is a revision");
    let data: Value = serde_json::from_str(field("data").expect("an event has data")).expect("data is JSON");
    (data["service"].as_str().expect("it names its service").to_owned(), ids(&data))
}
