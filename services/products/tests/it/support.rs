//! Products in the test's own process, on servers of its own, with owners that the test makes up, and those who ask them.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use client::grpc::{Channel, GrpcCallArgs, GrpcServices};
use client::{CallArgs, RegistryArgs};
use contracts::owners::OwnerState;
use products::{Config, start};
use proto::v1::product_service_client::ProductServiceClient;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use service::Running;
pub(crate) use service::testing::{User, admin, user};
pub(crate) use testkit::Ask;
use testkit::{TestMessage, TestMongo, TestRabbit, TestRedis, eventually};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::stub::StubOwners;

/// The queue of the test, which is bound to all that products tell.
const SEEN: &str = "seen";

/// Longer than anything that is waited for takes.
const LIMIT: Duration = Duration::from_secs(30);

/// What all replicas of the program share.
pub(crate) struct World {
    pub(crate) mongo: TestMongo,
    pub(crate) rabbit: TestRabbit,
    pub(crate) redis: TestRedis,
    pub(crate) owners: StubOwners,
    pub(crate) owners_at: SocketAddr,
    seen: tokio::sync::Mutex<Vec<TestMessage>>,
    stop: CancellationToken,
}

/// One replica, and a client of it.
pub(crate) struct Products {
    pub(crate) running: Running,
    client: Client,
}

impl World {
    pub(crate) async fn new() -> Self {
        let (mongo, rabbit, redis) = tokio::join!(testkit::mongodb(), testkit::rabbitmq(), testkit::redis());
        // As the topology has it, so that nothing is missed.
        rabbit.declare_exchange(contracts::EVENTS, "topic").await;
        rabbit.declare_queue(SEEN, json!({ "x-queue-type": "quorum" })).await;
        rabbit.bind(SEEN, contracts::EVENTS, "product.*").await;

        let (owners, stop) = (StubOwners::default(), CancellationToken::new());
        let owners_at = owners.serve(stop.clone()).await;
        Self { mongo, rabbit, redis, owners, owners_at, seen: tokio::sync::Mutex::default(), stop }
    }

    pub(crate) async fn products(&self) -> Products {
        self.products_with(&[]).await
    }

    /// With settings of its own beside the usual ones.
    pub(crate) async fn products_with(&self, arguments: &[&str]) -> Products {
        let usual = self.settings().map(|(name, value)| format!("--{name}={value}"));
        let usual = usual.iter().map(String::as_str).filter(|usual| {
            let name = usual.split('=').next();
            !arguments.iter().any(|given| given.split('=').next() == name)
        });
        let config = Config::try_parse_from(["products"].into_iter().chain(usual).chain(arguments.iter().copied()));
        let running = start(config.expect("the test's settings are right"), CancellationToken::new()).await;
        Products { running: running.expect("the program can be started"), client: client() }
    }

    /// By the names of arguments.
    pub(crate) fn settings(&self) -> [(&'static str, String); 8] {
        [
            ("listen", "127.0.0.1:0".to_owned()),
            ("grpc-listen", "127.0.0.1:0".to_owned()),
            ("mongodb-url", self.mongo.url().to_owned()),
            ("products-database", self.mongo.name().to_owned()),
            ("amqp-url", self.rabbit.url().to_owned()),
            ("redis-url", self.redis.url().to_owned()),
            ("retry-base", "0.1".to_owned()),
            ("grpc-urls", format!("owners=http://{}", self.owners_at)),
        ]
    }

    /// Waits until so many events were seen, and gives all of them: kind, product, version.
    pub(crate) async fn events(&self, count: usize) -> Vec<(String, String, i64)> {
        self.messages(count).await.iter().map(told).collect()
    }

    /// The messages themselves.
    pub(crate) async fn messages(&self, count: usize) -> Vec<TestMessage> {
        eventually("the events are seen", || async {
            let mut seen = self.seen.lock().await;
            seen.extend(self.rabbit.take(SEEN, 1_000).await);
            (seen.len() >= count).then_some(())
        })
        .await;
        self.seen.lock().await.clone()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn told(message: &TestMessage) -> (String, String, i64) {
    let body = message.json();
    let version = message.headers["x-version"].as_i64().expect("it carries its version");
    assert_eq!(body["version"], version);
    assert_eq!(message.properties["type"], message.routing_key);
    (message.routing_key.clone(), id(&body).to_owned(), version)
}

pub(crate) fn client() -> Client {
    Client::builder().no_proxy().timeout(LIMIT).build().expect("a plain client")
}

impl Products {
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
        self.ask("POST", "/v1/products").json(body)
    }

    pub(crate) fn put(&self, product: &Value, body: &Value) -> RequestBuilder {
        self.ask("PUT", &path(product)).json(body)
    }

    pub(crate) fn delete(&self, product: &Value) -> RequestBuilder {
        self.ask("DELETE", &path(product))
    }

    pub(crate) fn change_stock(&self, product: &Value, change: i64) -> RequestBuilder {
        self.ask("PATCH", &format!("{}/stock", path(product))).json(&json!({ "change": change }))
    }

    /// A new product of this owner, as it was answered.
    pub(crate) async fn created(&self, user: &User, owner: &OwnerState, stock: i64) -> Value {
        self.post(&teapot(owner, stock)).by(user).answer().await.expect(201).json()
    }

    /// What there is of a product now: stock, reserved, sold.
    pub(crate) async fn stock(&self, product: &Value) -> (i64, i64, i64) {
        let product = self.get(&path(product)).answer().await.expect(200).json();
        let number = |field: &str| product[field].as_i64().expect("it is a number");
        (number("stock"), number("reserved"), number("sold"))
    }

    /// Asks it by gRPC.
    pub(crate) fn calls(&self) -> ProductServiceClient<Channel> {
        calls(&[self.grpc_address()])
    }

    /// Stops it, as SIGTERM does.
    pub(crate) async fn stop(self) {
        self.running.stop().await.expect("it stops in order");
    }
}

/// Asks replicas by gRPC, with patience: many calls at once take their time.
pub(crate) fn calls(replicas: &[SocketAddr]) -> ProductServiceClient<Channel> {
    ProductServiceClient::new(channel(replicas))
}

pub(crate) fn channel(replicas: &[SocketAddr]) -> Channel {
    #[derive(Parser)]
    struct Settings {
        #[command(flatten)]
        registry: RegistryArgs,
        #[command(flatten)]
        calls: CallArgs,
        #[command(flatten)]
        grpc: GrpcCallArgs,
    }
    let urls: Vec<_> = replicas.iter().map(|address| format!("products=http://{address}")).collect();
    let Settings { registry, calls, grpc } =
        Settings::parse_from(["test", "--breaker-open=0.1", "--grpc-urls", &urls.join(",")]);
    let services = GrpcServices::start(&registry, &calls, &grpc, "test", &CancellationToken::new());
    services.expect("the settings are right").channel("products").idempotent().timeout(Duration::from_secs(9))
}

/// Where a product is.
pub(crate) fn path(product: &Value) -> String {
    format!("/v1/products/{}", id(product))
}

pub(crate) fn id(product: &Value) -> &str {
    product["product_id"].as_str().expect("a product has an id")
}

pub(crate) fn uuid(product: &Value) -> Uuid {
    id(product).parse().expect("ids are UUIDs")
}

pub(crate) fn teapot(owner: &OwnerState, stock: i64) -> Value {
    let mut product = named("Teapot");
    product["owner_id"] = owner.owner_id.to_string().into();
    product["stock"] = stock.into();
    product
}

/// What can be changed of a product, with this name.
pub(crate) fn named(name: &str) -> Value {
    json!({ "name": name, "description": "Holds a litre.", "price": { "amount": 1999, "currency": "EUR" } })
}
