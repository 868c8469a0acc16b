//! A consumer with servers of its own, started as `main` does it.

use std::time::Duration;

use clap::Parser;
use client::Services;
use consumer::config::Config;
use consumer::consumers::Consumers;
use consumer::stores::Stores;
use consumer::{connect_broker, health, router, verifier};
use contracts::headers::{TASK_ID, VERSION};
use contracts::records::{DeleteRecord, InsertRecord, Record};
use contracts::users::{UserCreated, UserDeleted, UserEvent, UserState, UserUpdated};
use messaging::{Broker, Delivery, Message, Meta, Outcome, Outgoing};
use reqwest::{Client, Response};
use serde_json::Value;
use testkit::{TestMongo, TestMysql, TestRabbit, TestRedis, eventually};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Where a consumer's servers are.
pub(crate) struct Servers {
    pub(crate) rabbit: TestRabbit,
    pub(crate) mysql: TestMysql,
    pub(crate) mongo: TestMongo,
    pub(crate) redis: TestRedis,
    /// In place of the servers' own addresses, by argument.
    instead: Vec<(&'static str, String)>,
}

impl Servers {
    pub(crate) async fn new() -> Self {
        let (rabbit, mysql, mongo, redis) =
            tokio::join!(testkit::rabbitmq(), testkit::mysql(), testkit::mongodb(), testkit::redis());
        Self { rabbit, mysql, mongo, redis, instead: Vec::new() }
    }

    /// Sets an argument, such as the address of a proxy.
    pub(crate) fn with(mut self, argument: &'static str, value: impl ToString) -> Self {
        self.instead.push((argument, value.to_string()));
        self
    }

    /// The consumer's arguments.
    pub(crate) fn arguments(&self) -> Vec<(&'static str, String)> {
        let mut arguments = vec![
            ("--amqp-url", self.rabbit.url().to_owned()),
            ("--mysql-url", self.mysql.url().to_owned()),
            ("--mongodb-url", self.mongo.url().to_owned()),
            ("--mongodb-database", self.mongo.name().to_owned()),
            ("--redis-url", self.redis.url().to_owned()),
            ("--retry-attempts", "20".to_owned()),
            ("--retry-base", "0.1".to_owned()),
        ];
        arguments.retain(|(name, _)| self.instead.iter().all(|(instead, _)| instead != name));
        arguments.extend(self.instead.iter().cloned());
        arguments
    }

    pub(crate) fn config(&self, roles: &[&str]) -> Config {
        let arguments = self.arguments();
        let arguments = arguments.iter().flat_map(|(name, value)| [*name, value.as_str()]);
        Config::parse_from(["consumer"].into_iter().chain(arguments).chain(roles.iter().copied()))
    }

    /// Only the stores, for handlers without a broker.
    pub(crate) async fn stores(&self) -> Stores {
        Stores::connect(&self.config(&[])).await.expect("the test servers are there")
    }

    pub(crate) async fn start(self, roles: &[&str]) -> Site {
        Site::start(self, roles).await
    }
}

/// A running consumer.
pub(crate) struct Site {
    pub(crate) servers: Servers,
    pub(crate) broker: Broker,
    url: String,
    client: Client,
    stop: CancellationToken,
}

impl Site {
    async fn start(servers: Servers, roles: &[&str]) -> Self {
        let config = servers.config(roles);
        let stop = CancellationToken::new();
        let stores = Stores::connect(&config).await.expect("the stores are there");
        let broker = connect_broker(&config).await.expect("the broker is there");
        let consumers = Consumers::start(&config, &broker, &stores, &stop).expect("each role has its store");
        let health = health(&broker, &stores, &consumers);
        let verifier = verifier(&config).expect("the secret is one");
        let services = Services::start(&config.registry, &config.calls, "consumer", &stop).expect("no registry is one");
        let (router, openapi) = router(&broker, stores, services, health.clone(), verifier, &stop);
        let app = service::app(router, health, openapi);
        let listener = service::listen(([127, 0, 0, 1], 0).into()).await.expect("there is a free port");
        let url = format!("http://{}", listener.local_addr().expect("it listens"));
        let served = service::serve(listener, app, stop.clone(), config.http.limits());
        let finished = consumers.finish(config.http.stop_timeout);
        tokio::spawn(async move { tokio::join!(served, finished) });
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(15)).build().expect("plain HTTP");
        let site = Self { servers, broker, url, client, stop };
        eventually("the consumers are registered", || async {
            site.get("/ready").await.status().is_success().then_some(())
        })
        .await;
        site
    }

    /// A request that is still to be sent.
    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.url)).send().await.expect("the consumer answers")
    }

    pub(crate) async fn post(&self, path: &str) -> Response {
        self.client.post(format!("{}{path}", self.url)).send().await.expect("the consumer answers")
    }

    /// The status that somebody gets with this token.
    pub(crate) async fn status_with(&self, path: &str, token: &str) -> u16 {
        let request = self.client.get(format!("{}{path}", self.url)).bearer_auth(token);
        request.send().await.expect("the consumer answers").status().as_u16()
    }

    /// The status that somebody gets for a POST with this token.
    pub(crate) async fn post_with(&self, path: &str, token: &str) -> u16 {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(token);
        request.send().await.expect("the consumer answers").status().as_u16()
    }

    /// The body and the status.
    pub(crate) async fn json(&self, path: &str) -> (u16, Value) {
        let response = self.get(path).await;
        (response.status().as_u16(), response.json().await.expect("every answer is JSON"))
    }

    /// The body, once the answer is a success.
    pub(crate) async fn found(&self, path: &str) -> Value {
        eventually(&format!("{path} is there"), || async {
            let (status, body) = self.json(path).await;
            (status == 200).then_some(body)
        })
        .await
    }

    pub(crate) async fn gone(&self, path: &str) {
        eventually(&format!("{path} is gone"), || async { (self.get(path).await.status() == 404).then_some(()) }).await;
    }

    pub(crate) async fn publish(&self, messages: impl IntoIterator<Item = Outgoing>) {
        let outcomes = self.broker.publisher().publish_all(messages).await;
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Confirmed), "{outcomes:?}");
    }

    /// Waits until the queue holds exactly so many messages, acked or not: its length is published with a delay.
    pub(crate) async fn holds(&self, queue: &str, count: u64) {
        holds(&self.servers.rabbit, queue, count).await;
    }

    /// The next so many steps that were reported to the producer.
    pub(crate) async fn reports(&self, count: usize) -> Vec<Value> {
        let mut reports = Vec::new();
        while reports.len() < count {
            let more = eventually("more reports are there", || async {
                let taken = self.servers.rabbit.take("producer.tasks", 100).await;
                (!taken.is_empty()).then_some(taken)
            })
            .await;
            for message in more {
                reports.extend(message.json()["reports"].as_array().expect("a list").clone());
            }
        }
        reports
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) async fn holds(rabbit: &TestRabbit, queue: &str, count: u64) {
    eventually(&format!("{queue} holds {count} messages"), || async {
        (rabbit.queue_depth(queue).await == count).then_some(())
    })
    .await;
}

pub(crate) fn record(srn: &str, name: &str) -> Record {
    Record { srn: srn.to_owned(), name: name.to_owned(), section: "B".to_owned() }
}

/// As the producer publishes it.
pub(crate) fn versioned<M: Message>(message: &M, version: i64) -> Outgoing {
    Outgoing::new(message).with_header(VERSION, version).with_header(TASK_ID, Uuid::now_v7().to_string())
}

pub(crate) fn insert(srn: &str, name: &str, version: i64) -> Outgoing {
    versioned(&InsertRecord(record(srn, name)), version)
}

pub(crate) fn delete(srn: &str, version: i64) -> Outgoing {
    versioned(&DeleteRecord { srn: srn.to_owned() }, version)
}

/// As a handler gets it.
pub(crate) fn delivery<M>(payload: M, version: i64) -> Delivery<M> {
    let mut meta = Meta { id: Uuid::now_v7(), attempt: 1, ..Meta::default() };
    meta.headers.set(VERSION, version);
    Delivery { meta, payload }
}

pub(crate) fn user(id: Uuid, name: &str, second: i64) -> UserState {
    let time = |second| OffsetDateTime::from_unix_timestamp(1_700_000_000 + second).expect("a time");
    let email = format!("{id}@example.org");
    UserState {
        user_id: id,
        name: name.to_owned(),
        email,
        preferences: None,
        created_at: time(0),
        updated_at: time(second),
    }
}

pub(crate) fn created(id: Uuid, name: &str) -> UserCreated {
    UserCreated(user(id, name, 0))
}

pub(crate) fn updated(id: Uuid, name: &str, second: i64) -> UserUpdated {
    UserUpdated(user(id, name, second))
}

pub(crate) fn deleted(id: Uuid) -> UserDeleted {
    UserDeleted { user_id: id, deleted_at: user(id, "", 100).updated_at }
}

/// A user's history: created, updated some times, perhaps deleted; the versions count from 1.
pub(crate) fn user_history(id: Uuid, updates: usize, ends_deleted: bool) -> Vec<UserEvent> {
    let mut history = vec![UserEvent::Created(created(id, "name 1"))];
    for update in 0..updates {
        let version = update + 2;
        history.push(UserEvent::Updated(updated(id, &format!("name {version}"), version as i64)));
    }
    if ends_deleted {
        history.push(UserEvent::Deleted(deleted(id)));
    }
    history
}
