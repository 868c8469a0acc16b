//! A producer in the test's own process, on servers of its own, and the consumers it would have.

use std::sync::Mutex;
use std::time::Duration;

use clap::Parser;
use contracts::tasks::{StepReport, StepState, TaskProgressed};
use messaging::{Broker, Settings};
use producer::{Config, start};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use service::Running;
use testkit::{TestPostgres, TestRabbit, TestRedis, eventually};
use time::OffsetDateTime;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

pub(crate) use crate::answered::{Answered, Ask};

/// What a producer works with.
pub(crate) struct World {
    pub(crate) postgres: TestPostgres,
    pub(crate) rabbit: TestRabbit,
    pub(crate) redis: TestRedis,
}

/// A producer, and a client of it.
pub(crate) struct Producer {
    running: Running,
    client: Client,
    base: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        let (postgres, rabbit, redis) = tokio::join!(testkit::postgres(), testkit::rabbitmq(), testkit::redis());
        Self { postgres, rabbit, redis }
    }

    /// A producer with settings of its own beside the usual ones.
    pub(crate) async fn producer_with(&self, arguments: &[&str]) -> Producer {
        self.producer_at(self.postgres.url(), self.rabbit.url(), arguments).await
    }

    /// A producer that reaches its servers at other addresses.
    pub(crate) async fn producer_at(&self, postgres: &str, rabbit: &str, arguments: &[&str]) -> Producer {
        producer(postgres, rabbit, self.redis.url(), arguments).await
    }

    /// A producer that reaches Redis at another address.
    pub(crate) async fn producer_with_redis_at(&self, redis: &str) -> Producer {
        producer(self.postgres.url(), self.rabbit.url(), redis, &[]).await
    }

    pub(crate) async fn producer(&self) -> Producer {
        self.producer_with(&[]).await
    }

    /// The broker, as a consumer sees it.
    pub(crate) async fn broker(&self) -> Broker {
        let settings = Settings::new(self.rabbit.url(), "test", contracts::topology());
        Broker::connect(settings).await.expect("the test's own vhost can be used")
    }

    /// Waits for so many messages in a queue, and takes them.
    pub(crate) async fn take(&self, queue: &str, messages: usize) -> Vec<testkit::TestMessage> {
        let taken = Mutex::new(Vec::new());
        let missing = || messages - taken.lock().expect("nothing panics while it holds this lock").len();
        eventually(&format!("{messages} messages in {queue}"), async || {
            if self.rabbit.queue_exists(queue).await {
                let more = self.rabbit.take(queue, missing()).await;
                taken.lock().expect("nothing panics while it holds this lock").extend(more);
            }
            (missing() == 0).then_some(())
        })
        .await;
        taken.into_inner().expect("nothing panics while it holds this lock")
    }

    /// Reports a step of a task, as its consumer would.
    pub(crate) async fn report(&self, task: &str, step: &str, state: StepState, attempt: u32) {
        let report = StepReport {
            task_id: task.parse().expect("a task's id is a UUID"),
            step: step.to_owned(),
            state,
            attempt,
            error: (state != StepState::Done).then(|| "as the test wants it".to_owned()),
            at: OffsetDateTime::now_utc(),
        };
        self.report_all(vec![report]).await;
    }

    /// Reports steps in one message.
    pub(crate) async fn report_all(&self, reports: Vec<StepReport>) {
        let body = serde_json::to_vec(&TaskProgressed { reports }).expect("plain data");
        // The producer declares the queue, at its start, in its own time.
        eventually("the reports' queue", async || self.rabbit.queue_exists("producer.tasks").await.then_some(())).await;
        eventually("the report is routed", async || {
            let properties = json!({ "type": "task.progressed" });
            self.rabbit.publish("events", "task.progressed", properties, body.clone()).await.then_some(())
        })
        .await;
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.postgres.pool()).await.expect("the test's SQL is right")
    }
}

/// A producer on these servers. Hashing is cheap, and everything is tried often.
async fn producer(postgres: &str, rabbit: &str, redis: &str, arguments: &[&str]) -> Producer {
    let usual = [
        "producer",
        "--listen=127.0.0.1:0",
        "--argon2-memory-kib=8",
        "--retry-base=0.1",
        "--database-url",
        postgres,
        "--amqp-url",
        rabbit,
        "--redis-url",
        redis,
    ];
    let config = Config::try_parse_from(usual.iter().chain(arguments)).expect("the test's settings are right");
    let running = start(config, CancellationToken::new()).await.expect("a producer can be started");
    let base = format!("http://{}", running.address());
    let client = Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().expect("a plain client");
    Producer { running, client, base }
}

impl Producer {
    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.base))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.base)).json(body)
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client.put(format!("{}{path}", self.base)).json(body)
    }

    pub(crate) fn delete(&self, path: &str) -> RequestBuilder {
        self.client.delete(format!("{}{path}", self.base))
    }

    pub(crate) fn post_raw(&self, path: &str, kind: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.base)).header("content-type", kind).body(body)
    }

    /// The status that a path gets which is too long for any client library.
    pub(crate) async fn status_of_raw_get(&self, path: &str) -> u16 {
        let request = format!("GET {path} HTTP/1.1\r\nHost: producer\r\nConnection: close\r\n\r\n");
        let mut connection =
            BufReader::new(TcpStream::connect(self.running.address()).await.expect("the producer listens"));
        connection.write_all(request.as_bytes()).await.expect("the producer reads");
        let mut status = String::new();
        connection.read_line(&mut status).await.expect("the producer answers");
        let status = status.split(' ').nth(1).expect("an answer begins with its status");
        status.parse().expect("a status is a number")
    }

    /// Inserts a record of this SRN.
    pub(crate) fn insert(&self, srn: &str) -> RequestBuilder {
        self.post("/records", &record(srn))
    }

    /// Creates a user with this e-mail address.
    pub(crate) fn create_user(&self, email: &str) -> RequestBuilder {
        self.post("/users", &user(email))
    }

    /// A task as it is now.
    pub(crate) async fn task(&self, id: &str) -> Value {
        self.get(&format!("/tasks/{id}")).answer().await.expect(200).json()
    }

    /// Waits until a task is in this state.
    pub(crate) async fn task_is(&self, id: &str, state: &str) -> Value {
        eventually(&format!("task {id} is {state}"), async || {
            let task = self.task(id).await;
            (task["state"] == state).then_some(task)
        })
        .await
    }

    /// Stops it, as SIGTERM does.
    pub(crate) async fn stop(self) {
        self.running.stop().await.expect("it stops in order");
    }
}

pub(crate) fn record(srn: &str) -> Value {
    json!({ "SRN": srn, "Name": "Ada Lovelace", "Section": "B" })
}

pub(crate) fn user(email: &str) -> Value {
    json!({ "name": "Ada Lovelace", "email": email, "password": "correct horse" })
}
