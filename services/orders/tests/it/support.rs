//! Orders in the test's own process, on servers of its own.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use contracts::headers::VERSION;
use contracts::payments::{PaymentState, PaymentStatus};
use contracts::products::{ProductDeleted, ProductState};
use orders::{Config, Hooks, start_with};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use service::Running;
use testkit::{TestMessage, TestMongo, TestRabbit, TestRedis, eventually_within};
use time::OffsetDateTime;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) use crate::answered::{Ask, LIMIT, User, admin, client, user};
pub(crate) use crate::shop::{Held, Shop};

/// The queue of the test, which is bound to all that orders tell.
const SEEN: &str = "seen";

/// The queue of the commands to payments, once the program has declared it.
const PAYMENTS: &str = "payment-service";

/// Everything that there is on the broker is declared first, which takes long on a busy one.
const START_LIMIT: Duration = Duration::from_secs(120);

/// What all replicas of the program share.
pub(crate) struct World {
    pub(crate) mongo: TestMongo,
    pub(crate) rabbit: TestRabbit,
    pub(crate) redis: TestRedis,
    pub(crate) shop: Shop,
    seen: Mutex<Vec<TestMessage>>,
    commands: Mutex<Vec<TestMessage>>,
}

/// One replica, and a client of it.
pub(crate) struct Orders {
    pub(crate) running: Running,
    client: Client,
}

impl World {
    pub(crate) async fn new() -> Self {
        let (mongo, rabbit, redis, shop) =
            tokio::join!(testkit::mongodb(), testkit::rabbitmq(), testkit::redis(), Shop::open());
        // As the topology has it, so that nothing is missed.
        rabbit.declare_exchange(contracts::EVENTS, "topic").await;
        rabbit.declare_queue(SEEN, json!({ "x-queue-type": "quorum" })).await;
        rabbit.bind(SEEN, contracts::EVENTS, "order.*").await;
        Self { mongo, rabbit, redis, shop, seen: Mutex::default(), commands: Mutex::default() }
    }

    pub(crate) async fn orders(&self) -> Orders {
        self.orders_with(&[]).await
    }

    /// With settings of its own beside the usual ones.
    pub(crate) async fn orders_with(&self, arguments: &[&str]) -> Orders {
        let running = start_with(self.config(arguments), Hooks::default(), CancellationToken::new()).await;
        let orders = Orders { running: running.expect("the program can be started"), client: client() };
        consumes(&orders.client, orders.running.address()).await;
        orders
    }

    pub(crate) fn config(&self, arguments: &[&str]) -> Config {
        let name = |argument: &str| argument.split('=').next().map(ToOwned::to_owned);
        let is_given = |usual: &&str| arguments.iter().any(|given| name(given) == name(usual));
        let usual = self.arguments();
        let usual: Vec<&str> = usual.iter().map(String::as_str).filter(|usual| !is_given(usual)).collect();
        Config::try_parse_from(["orders"].into_iter().chain(usual).chain(arguments.iter().copied()))
            .expect("the test's settings are right")
    }

    /// The usual settings.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let own = [
            "--listen=127.0.0.1:0".to_owned(),
            "--grpc-listen=127.0.0.1:0".to_owned(),
            format!("--mongodb-url={}", self.mongo.url()),
            format!("--orders-database={}", self.mongo.name()),
            format!("--amqp-url={}", self.rabbit.url()),
            format!("--redis-url={}", self.redis.url()),
            "--retry-base=0.1".to_owned(),
        ];
        own.into_iter().chain(self.shop.arguments()).collect()
    }

    /// A user whom the producer knows.
    pub(crate) fn buyer(&self) -> User {
        let buyer = user();
        self.shop.user(buyer.id, "Ada");
        buyer
    }

    /// The events of an order, by their kinds, once there are so many. One that was sent twice counts once.
    pub(crate) async fn events(&self, order: &Value, count: usize) -> Vec<(String, Value)> {
        let told = || async {
            let mut seen = self.seen.lock().await;
            seen.extend(self.rabbit.take(SEEN, 1_000).await);
            let told: Vec<_> =
                once_each(&seen, order).map(|message| (message.routing_key.clone(), message.json())).collect();
            (told.len() >= count).then_some(told)
        };
        eventually_within(LIMIT, "the events are seen", told).await
    }

    /// The commands to payments about an order, by their kinds, once there are so many. One that was sent twice counts once.
    pub(crate) async fn commands(&self, order: &Value, count: usize) -> Vec<(String, Value)> {
        let sent = || async {
            let mut commands = self.commands.lock().await;
            if self.rabbit.queue_exists(PAYMENTS).await {
                commands.extend(self.rabbit.take(PAYMENTS, 1_000).await);
            }
            let kind = |message: &TestMessage| message.properties["type"].as_str().expect("it has a type").to_owned();
            let sent: Vec<_> = once_each(&commands, order).map(|message| (kind(message), message.json())).collect();
            (sent.len() >= count).then_some(sent)
        };
        eventually_within(LIMIT, "the commands are sent", sent).await
    }

    /// The kinds of the commands about an order, once there are so many.
    pub(crate) async fn asked(&self, order: &Value, count: usize) -> Vec<String> {
        self.commands(order, count).await.into_iter().map(|(kind, _)| kind).collect()
    }

    /// What payments tells.
    pub(crate) async fn payment(&self, order: &Value, status: PaymentStatus) {
        let (kind, version) = match status {
            PaymentStatus::Completed => ("payment.completed", 1),
            PaymentStatus::Failed => ("payment.failed", 1),
            PaymentStatus::Refunded => ("payment.refunded", 2),
        };
        let state = PaymentState {
            order_id: id(order),
            user_id: Uuid::nil(),
            amount: serde_json::from_value(order["total"].clone()).expect("an order has a total"),
            status,
            reason: (status == PaymentStatus::Failed).then(|| "card declined".to_owned()),
            version,
            created_at: OffsetDateTime::UNIX_EPOCH,
            updated_at: OffsetDateTime::UNIX_EPOCH,
        };
        self.tell(kind, version, &serde_json::to_value(state).expect("plain data")).await;
    }

    /// Pays once that is asked for.
    pub(crate) async fn pay(&self, order: &Value) {
        assert_eq!(self.asked(order, 1).await[0], "process.payment");
        self.payment(order, PaymentStatus::Completed).await;
    }

    pub(crate) async fn updated(&self, product: &ProductState) {
        self.tell("product.updated", product.version, &serde_json::to_value(product).expect("plain data")).await;
    }

    pub(crate) async fn deleted(&self, product: &ProductState) {
        let version = product.version + 1;
        let deleted =
            ProductDeleted { product_id: product.product_id, version, deleted_at: OffsetDateTime::UNIX_EPOCH };
        self.tell("product.deleted", version, &serde_json::to_value(deleted).expect("plain data")).await;
    }

    pub(crate) async fn renamed(&self, user: &User, name: &str, version: i64) {
        let at = "1970-01-01T00:00:00Z";
        let body =
            json!({ "user_id": user.id, "name": name, "email": "a@example.com", "created_at": at, "updated_at": at });
        self.tell("user.updated", version, &body).await;
    }

    pub(crate) async fn user_deleted(&self, user: &User, version: i64) {
        let body = json!({ "user_id": user.id, "deleted_at": "1970-01-01T00:00:00Z" });
        self.tell("user.deleted", version, &body).await;
    }

    async fn tell(&self, kind: &str, version: i64, body: &Value) {
        let properties = json!({
            "type": kind,
            "message_id": Uuid::now_v7().to_string(),
            "headers": { VERSION: version },
        });
        assert!(
            self.rabbit.publish(contracts::EVENTS, kind, properties, body.to_string()).await,
            "{kind} reaches nobody"
        );
    }
}

impl Orders {
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

    pub(crate) fn order(&self, items: &[(&ProductState, u32)]) -> RequestBuilder {
        self.ask("POST", "/v1/orders").json(&wish(items))
    }

    /// A new order of this user, as it was answered.
    pub(crate) async fn placed(&self, user: &User, items: &[(&ProductState, u32)]) -> Value {
        self.order(items).by(user).answer().await.expect(202).json()
    }

    pub(crate) async fn found(&self, user: &User, order: &Value) -> Value {
        self.get(&path(order)).by(user).answer().await.expect(200).json()
    }

    /// Waits until an order is as it is wanted.
    pub(crate) async fn until(&self, user: &User, order: &Value, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let looked = || async { Some(self.found(user, order).await).filter(|order| is(order)) };
        eventually_within(LIMIT, what, looked).await
    }

    /// Waits for the end of an order.
    pub(crate) async fn ended(&self, user: &User, order: &Value, status: &str) -> Value {
        let ended = self.until(user, order, "the order has ended", |order| order["status"] != "pending").await;
        assert_eq!(ended["status"], status, "{ended}");
        ended
    }

    pub(crate) fn cancel(&self, order: &Value) -> RequestBuilder {
        self.ask("POST", &format!("{}/cancel", path(order)))
    }

    /// Stops it, as SIGTERM does.
    pub(crate) async fn stop(self) {
        self.running.stop().await.expect("it stops in order");
    }
}

/// Waits until the broker has all consumers of a process.
pub(crate) async fn consumes(client: &Client, address: SocketAddr) {
    let up = || async {
        let health = client.get(format!("http://{address}/health")).answer().await.json();
        let up = |(name, report): (&String, &Value)| !name.starts_with("orders.") || report["status"] == "up";
        health["dependencies"].as_object().is_some_and(|reports| reports.iter().all(up)).then_some(())
    };
    eventually_within(START_LIMIT, "the consumers are registered", up).await;
}

pub(crate) fn wish(items: &[(&ProductState, u32)]) -> Value {
    let item =
        |(product, quantity): &(&ProductState, u32)| json!({ "product_id": product.product_id, "quantity": quantity });
    json!({ "items": items.iter().map(item).collect::<Vec<_>>() })
}

pub(crate) fn id(order: &Value) -> Uuid {
    order["order_id"].as_str().expect("an order has an id").parse().expect("which is a UUID")
}

pub(crate) fn path(order: &Value) -> String {
    format!("/v1/orders/{}", id(order))
}

/// A later version of a product, with the same price.
pub(crate) fn moved(product: &ProductState, version: i64, address: &str) -> ProductState {
    let mut moved = product.clone();
    moved.version = version;
    moved.owner.version = version;
    moved.owner.address = address.to_owned();
    moved
}

/// The messages about an order, each once: who dies, or has a colleague, may send one again under its id.
fn once_each<'a>(messages: &'a [TestMessage], order: &'a Value) -> impl Iterator<Item = &'a TestMessage> {
    let mut known = std::collections::HashSet::new();
    let of_order = messages.iter().filter(|message| message.json()["order_id"] == order["order_id"]);
    of_order.filter(move |message| known.insert(message.properties["message_id"].to_string()))
}
