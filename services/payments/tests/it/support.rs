//! Payments in the test's own process, on servers of its own, those who command them and those who ask them.

use std::collections::BTreeSet;
use std::time::Duration;

use bson::{Document, doc};
use clap::Parser;
use contracts::Money;
use contracts::payments::{PaymentCommand, ProcessPayment, RefundPayment};
use contracts::topology::queue::PAYMENT_SERVICE;
use futures_util::TryStreamExt;
use messaging::documents::{Entry, RelaySettings};
use messaging::{Broker, Delivery, Meta, Outcome, Outgoing, Settings};
use payments::{Charge, Config, Patience, Payment, PaymentProvider, SimulatedProvider, TakeCommands, start};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use service::Running;
use service::documents::Documents;
pub(crate) use service::testing::{User, admin, user};
use testkit::{TestMongo, TestRabbit, TestRedis, eventually};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The queue of the test, which is bound to all that payments tell.
const SEEN: &str = "seen";

/// What all replicas of the program share.
pub(crate) struct World {
    pub(crate) mongo: TestMongo,
    pub(crate) rabbit: TestRabbit,
    pub(crate) redis: TestRedis,
    broker: Broker,
    /// Each event once, by its message id: its kind, order and version.
    seen: Mutex<BTreeSet<(String, Event)>>,
}

/// A payment as it lies in MongoDB.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Decided {
    pub(crate) status: String,
    pub(crate) version: i64,
    #[serde(default)]
    pub(crate) reason: String,
    pub(crate) outbox: Vec<Entry>,
}

/// A row of the provider's ledger.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Row {
    pub(crate) kind: String,
    pub(crate) amount: Money,
}

/// Kind, order and version.
pub(crate) type Event = (String, Uuid, i64);

/// One replica, and a client of it.
pub(crate) struct Payments {
    pub(crate) running: Running,
    client: Client,
}

impl World {
    pub(crate) async fn new() -> Self {
        let (mongo, rabbit, redis) = tokio::join!(testkit::mongodb(), testkit::rabbitmq(), testkit::redis());
        let broker = Broker::connect(Settings::new(rabbit.url(), "orders", contracts::topology())).await;
        let broker = broker.expect("the test broker is there");
        rabbit.declare_queue(SEEN, json!({ "x-queue-type": "quorum" })).await;
        rabbit.bind(SEEN, contracts::EVENTS, "payment.*").await;
        Self { mongo, rabbit, redis, broker, seen: Mutex::default() }
    }

    /// A replica that answers at once.
    pub(crate) async fn payments(&self) -> Payments {
        self.payments_with(&[]).await
    }

    /// With settings of its own beside the usual ones.
    pub(crate) async fn payments_with(&self, arguments: &[&str]) -> Payments {
        let usual = self.settings().map(|(name, value)| format!("--{name}={value}"));
        let usual = usual.iter().map(String::as_str).filter(|usual| {
            let name = usual.split('=').next();
            !arguments.iter().any(|given| given.split('=').next() == name)
        });
        let config = Config::try_parse_from(["payments"].into_iter().chain(usual).chain(arguments.iter().copied()));
        let running = start(config.expect("the test's settings are right"), CancellationToken::new()).await;
        let running = running.expect("the program can be started");
        Payments { running, client: client() }
    }

    /// By the names of arguments.
    pub(crate) fn settings(&self) -> [(&'static str, String); 7] {
        [
            ("listen", "127.0.0.1:0".to_owned()),
            ("mongodb-url", self.mongo.url().to_owned()),
            ("payments-database", self.mongo.name().to_owned()),
            ("amqp-url", self.rabbit.url().to_owned()),
            ("redis-url", self.redis.url().to_owned()),
            ("retry-base", "0.1".to_owned()),
            ("payment-latency", "0".to_owned()),
        ]
    }

    pub(crate) async fn send(&self, commands: impl IntoIterator<Item = &PaymentCommand>) {
        self.publish(commands.into_iter().map(PaymentCommand::outgoing)).await;
    }

    pub(crate) async fn publish(&self, messages: impl IntoIterator<Item = Outgoing>) {
        let outcomes = self.broker.publisher().publish_all(messages).await;
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Confirmed), "{outcomes:?}");
    }

    /// Waits until every command is done with.
    pub(crate) async fn drained(&self) {
        eventually("the commands are done with", || async {
            (self.rabbit.queue_depth(PAYMENT_SERVICE).await == 0).then_some(())
        })
        .await;
        assert_eq!(self.dead().await, 0, "a command was given up");
    }

    pub(crate) async fn dead(&self) -> u64 {
        self.rabbit.queue_depth(&format!("{PAYMENT_SERVICE}.dead")).await
    }

    /// Waits until so many different events were seen, and gives all of them in order.
    pub(crate) async fn events(&self, count: usize) -> Vec<Event> {
        eventually("the events are seen", || async {
            let mut seen = self.seen.lock().await;
            for message in self.rabbit.take(SEEN, 1_000).await {
                let body = message.json();
                assert_eq!(message.headers["x-version"], body["version"]);
                let order = body["order_id"].as_str().and_then(|id| id.parse().ok()).expect("it names its order");
                let version = body["version"].as_i64().expect("it has a version");
                let id = message.properties["message_id"].as_str().expect("it has an id").to_owned();
                seen.insert((id, (message.routing_key, order, version)));
            }
            (seen.len() >= count).then_some(())
        })
        .await;
        let mut events: Vec<_> = self.seen.lock().await.iter().map(|(_, event)| event.clone()).collect();
        events.sort();
        events
    }

    /// Waits until no message lies in a payment any more.
    pub(crate) async fn all_told(&self) {
        eventually("all messages are sent", || async {
            let waiting: Vec<Document> = self.found("payments", doc! { "outbox.0": { "$exists": true } }).await;
            waiting.is_empty().then_some(())
        })
        .await;
    }

    /// What was decided about an order.
    pub(crate) async fn payment(&self, order: Uuid) -> Option<Decided> {
        self.found("payments", doc! { "_id": order.to_string() }).await.pop()
    }

    /// The status that a payment gets.
    pub(crate) async fn decided(&self, order: Uuid, status: &str) -> Decided {
        eventually(&format!("the payment is {status}"), || async {
            self.payment(order).await.filter(|payment| payment.status == status)
        })
        .await
    }

    /// The rows of the provider's ledger about an order, by their kinds.
    pub(crate) async fn ledger(&self, order: Uuid) -> Vec<String> {
        let rows: Vec<Row> = self.found("ledger", doc! { "order_id": order.to_string() }).await;
        let mut kinds: Vec<_> = rows.into_iter().map(|row| row.kind).collect();
        kinds.sort();
        kinds
    }

    pub(crate) async fn found<T: DeserializeOwned + Send + Sync>(&self, collection: &str, filter: Document) -> Vec<T> {
        let found = self.mongo.database().collection(collection).find(filter).await.expect("MongoDB answers");
        found.try_collect().await.expect("MongoDB answers")
    }

    /// The handler of commands by itself, without a relay: what it tells stays in its documents.
    pub(crate) async fn commands<P: PaymentProvider>(&self, provider: P, patience: Patience) -> TakeCommands<P> {
        let (database, publisher) = (self.mongo.database(), self.broker.publisher());
        let opened = Documents::<Payment>::open(&database, "payments", publisher, RelaySettings::default()).await;
        TakeCommands::new(opened.expect("the database is there").0, provider, patience)
    }

    /// The simulated provider by itself.
    pub(crate) fn provider(&self, arguments: &[&str]) -> SimulatedProvider {
        let config = Config::parse_from(["payments", "--payment-latency=0"].iter().chain(arguments));
        SimulatedProvider::new(&self.mongo.database(), config.provider)
    }
}

pub(crate) const PATIENCE: Patience = Patience { tries: 4, timeout: Duration::from_secs(10) };

pub(crate) fn client() -> Client {
    Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().expect("a plain client")
}

impl Payments {
    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("http://{}{path}", self.running.address()))
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("http://{}{path}", self.running.address()))
    }

    /// Stops it, as SIGTERM does.
    pub(crate) async fn stop(self) {
        self.running.stop().await.expect("it stops in order");
    }
}

pub(crate) fn eur(amount: i64) -> Money {
    Money::new(amount, "EUR".parse().expect("a currency"))
}

pub(crate) fn order(amount: i64) -> Charge {
    Charge { order_id: Uuid::now_v7(), user_id: Uuid::now_v7(), amount: eur(amount) }
}

pub(crate) fn process(charge: &Charge) -> PaymentCommand {
    let Charge { order_id, user_id, amount } = *charge;
    PaymentCommand::Process(ProcessPayment { order_id, user_id, amount })
}

pub(crate) fn refund(charge: &Charge) -> PaymentCommand {
    let Charge { order_id, user_id, amount } = *charge;
    PaymentCommand::Refund(RefundPayment { order_id, user_id, amount, reason: "the order was cancelled".to_owned() })
}

/// As the handler gets it.
pub(crate) fn delivery(payload: PaymentCommand, attempt: u32) -> Delivery<PaymentCommand> {
    Delivery { meta: Meta { id: Uuid::now_v7(), attempt, ..Meta::default() }, payload }
}

/// Sends a request and reads its answer.
pub(crate) trait Ask {
    /// The body of an answer that must have this status, and be a problem if it is an error.
    async fn expect(self, status: u16) -> Value;

    /// With this user's token.
    fn by(self, user: &User) -> Self;
}

impl Ask for RequestBuilder {
    async fn expect(self, status: u16) -> Value {
        let response = self.send().await.expect("the program answers");
        let got = response.status().as_u16();
        let media_type = response.headers().get("content-type").cloned();
        let of_health = ["/health", "/ready"].contains(&response.url().path());
        let body = response.text().await.expect("the answer ends in order");
        assert_eq!(got, status, "{body}");
        if status >= 400 && !of_health {
            assert_eq!(media_type.expect("it has a type"), "application/problem+json");
        }
        serde_json::from_str(&body).unwrap_or(Value::Null)
    }

    fn by(self, user: &User) -> Self {
        self.bearer_auth(&user.token)
    }
}
