//! Owners in the test's own process, on servers of its own, and those who ask them.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use owners::{Config, start};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use service::Running;
pub(crate) use service::testing::{User, admin, user};
pub(crate) use testkit::Ask;
use testkit::{TestMessage, TestMongo, TestRabbit, TestRedis, eventually};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// The queue of the test, which is bound to all that owners tell.
const SEEN: &str = "seen";

/// Longer than anything that is waited for takes.
const LIMIT: Duration = Duration::from_secs(30);

/// What all replicas of the program share.
pub(crate) struct World {
    pub(crate) mongo: TestMongo,
    pub(crate) rabbit: TestRabbit,
    pub(crate) redis: TestRedis,
    seen: Mutex<Vec<TestMessage>>,
}

/// One replica, and a client of it.
pub(crate) struct Owners {
    pub(crate) running: Running,
    client: Client,
}

impl World {
    pub(crate) async fn new() -> Self {
        let (mongo, rabbit, redis) = tokio::join!(testkit::mongodb(), testkit::rabbitmq(), testkit::redis());
        // As the topology has it, so that nothing is missed.
        rabbit.declare_exchange(contracts::EVENTS, "topic").await;
        rabbit.declare_queue(SEEN, json!({ "x-queue-type": "quorum" })).await;
        rabbit.bind(SEEN, contracts::EVENTS, "owner.*").await;
        Self { mongo, rabbit, redis, seen: Mutex::default() }
    }

    pub(crate) async fn owners(&self) -> Owners {
        self.owners_with(&[]).await
    }

    /// With settings of its own beside the usual ones.
    pub(crate) async fn owners_with(&self, arguments: &[&str]) -> Owners {
        let usual = self.settings().map(|(name, value)| format!("--{name}={value}"));
        let usual = usual.iter().map(String::as_str).filter(|usual| {
            let name = usual.split('=').next();
            !arguments.iter().any(|given| given.split('=').next() == name)
        });
        let config = Config::try_parse_from(["owners"].into_iter().chain(usual).chain(arguments.iter().copied()));
        let running = start(config.expect("the test's settings are right"), CancellationToken::new()).await;
        Owners { running: running.expect("the program can be started"), client: client() }
    }

    /// By the names of arguments.
    pub(crate) fn settings(&self) -> [(&'static str, String); 7] {
        [
            ("listen", "127.0.0.1:0".to_owned()),
            ("grpc-listen", "127.0.0.1:0".to_owned()),
            ("mongodb-url", self.mongo.url().to_owned()),
            ("owners-database", self.mongo.name().to_owned()),
            ("amqp-url", self.rabbit.url().to_owned()),
            ("redis-url", self.redis.url().to_owned()),
            ("retry-base", "0.1".to_owned()),
        ]
    }

    /// Waits until so many events were seen, and gives all of them: kind, owner, version.
    pub(crate) async fn events(&self, count: usize) -> Vec<(String, String, i64)> {
        eventually("the events are seen", || async {
            let mut seen = self.seen.lock().await;
            seen.extend(self.rabbit.take(SEEN, 1_000).await);
            (seen.len() >= count).then_some(())
        })
        .await;
        self.seen.lock().await.iter().map(told).collect()
    }

    /// The messages themselves.
    pub(crate) async fn messages(&self, count: usize) -> Vec<TestMessage> {
        self.events(count).await;
        self.seen.lock().await.clone()
    }
}

fn told(message: &TestMessage) -> (String, String, i64) {
    let body = message.json();
    let version = message.headers["x-version"].as_i64().expect("it carries its version");
    assert_eq!(body["version"], version);
    assert_eq!(message.properties["type"], message.routing_key);
    (message.routing_key.clone(), body["owner_id"].as_str().expect("it names its owner").to_owned(), version)
}

pub(crate) fn client() -> Client {
    Client::builder().no_proxy().timeout(LIMIT).build().expect("a plain client")
}

impl Owners {
    pub(crate) fn grpc_address(&self) -> SocketAddr {
        self.running.grpc_address().expect("it serves gRPC")
    }

    pub(crate) fn ask(&self, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().expect("the test's methods exist");
        self.client.request(method, format!("http://{}{path}", self.running.address()))
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.ask("GET", path)
    }

    pub(crate) fn post(&self, body: &Value) -> RequestBuilder {
        self.ask("POST", "/v1/owners").json(body)
    }

    pub(crate) fn put(&self, owner: &Value, body: &Value) -> RequestBuilder {
        self.ask("PUT", &path(owner)).json(body)
    }

    pub(crate) fn delete(&self, owner: &Value) -> RequestBuilder {
        self.ask("DELETE", &path(owner))
    }

    /// A new owner of this user, as it was answered.
    pub(crate) async fn created(&self, user: &User) -> Value {
        self.post(&grace()).by(user).answer().await.expect(201).json()
    }

    /// Stops it, as SIGTERM does.
    pub(crate) async fn stop(self) {
        self.running.stop().await.expect("it stops in order");
    }
}

/// Where an owner is.
pub(crate) fn path(owner: &Value) -> String {
    format!("/v1/owners/{}", id(owner))
}

pub(crate) fn id(owner: &Value) -> &str {
    owner["owner_id"].as_str().expect("an owner has an id")
}

pub(crate) fn grace() -> Value {
    json!({
        "first_name": "Grace", "last_name": "Hopper", "email": "grace@example.com",
        "address": "1 Harbour Street, Arlington",
    })
}

/// The same at another address.
pub(crate) fn at(address: &str) -> Value {
    let mut grace = grace();
    grace["address"] = address.into();
    grace
}
