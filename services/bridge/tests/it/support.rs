//! A broker with events, bridges as processes, and independent readers of what they write.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use contracts::{EVENTS, topology};
use messaging::{Broker, Outcome, Outgoing, Settings};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::{Value, json};
use testkit::{Program, TestInflux, TestRabbit, eventually_within, free_port};
use uuid::Uuid;

/// Kafka and RabbitMQ start again in this time, on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(90);

/// A busy broker may take longer than a publisher waits.
const MOST_TRIES: usize = 8;

/// Who publishes events.
pub(crate) struct World {
    pub(crate) rabbit: TestRabbit,
    pub(crate) influx: TestInflux,
    broker: Broker,
    repeated: AtomicU64,
}

impl World {
    /// With the bridge's queues, so that events can wait for a bridge.
    pub(crate) async fn new() -> Self {
        let (rabbit, influx) = tokio::join!(testkit::rabbitmq(), testkit::influxdb());
        let broker = Broker::connect(Settings::new(rabbit.url(), "producer", topology::bridge())).await;
        Self { rabbit, influx, broker: broker.expect("the test broker is there"), repeated: AtomicU64::new(0) }
    }

    /// Publishes so that the queues have them in this order, again with the same ids where no confirm came, as relays do.
    pub(crate) async fn publish(&self, events: impl IntoIterator<Item = Outgoing>) {
        let mut events: Vec<Outgoing> = events.into_iter().collect();
        let mut last = Outcome::Confirmed;
        for _ in 0..MOST_TRIES {
            let outcomes = self.broker.publisher().publish_in_order(events.iter().cloned()).await;
            let Some(failed) = outcomes.iter().position(|outcome| *outcome != Outcome::Confirmed) else { return };
            last = outcomes[failed].clone();
            events.drain(..failed);
            self.repeated.fetch_add(events.len() as u64, Ordering::Relaxed);
        }
        panic!("not published: {last}");
    }

    /// How many events are in the queues twice, at the most.
    pub(crate) fn repeated(&self) -> u64 {
        self.repeated.load(Ordering::Relaxed)
    }

    /// A bridge that is not started yet, to this Kafka and to the test's own database.
    pub(crate) fn bridge(&self, kafka: &Topic) -> Bridge {
        Bridge::new(self.rabbit.url())
            .env("KAFKA_BROKERS", &kafka.brokers)
            .env("KAFKA_TOPIC", &kafka.topic)
            .env("INFLUXDB_URL", self.influx.url())
            .env("INFLUXDB_DATABASE", self.influx.database())
    }

    /// How many events InfluxDB counts.
    pub(crate) async fn counted(&self) -> u64 {
        let rows = self.influx.query(r#"SELECT count("count") FROM events"#).await;
        rows.first().and_then(|row| row["count"].as_u64()).unwrap_or(0)
    }

    pub(crate) async fn counts(&self, count: u64) {
        eventually_within(LONG, "InfluxDB counts all events", || async {
            (self.counted().await >= count).then_some(())
        })
        .await;
        assert_eq!(self.counted().await, count);
    }
}

/// A bridge as a process.
pub(crate) struct Bridge {
    program: Program,
    base: String,
}

impl Bridge {
    pub(crate) fn new(amqp_url: &str) -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        let program = Program::cargo_bin("bridge").env("LISTEN", &listen).env("AMQP_URL", amqp_url);
        Self { program, base: format!("http://{listen}") }
    }

    pub(crate) fn env(self, name: &str, value: &str) -> Self {
        Self { program: self.program.env(name, value), ..self }
    }

    pub(crate) fn program(&self) -> &Program {
        &self.program
    }

    /// Starts it and waits until RabbitMQ has its consumers.
    pub(crate) async fn start(self) -> Self {
        self.start_again().await;
        self
    }

    pub(crate) async fn start_again(&self) {
        self.program().start_again().await;
        self.program().wait_ready(&format!("{}/ready", self.base)).await;
    }

    pub(crate) async fn get(&self, path: &str) -> String {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build();
        let answer = client.expect("a plain client").get(format!("{}{path}", self.base)).send().await;
        answer.expect("the bridge answers").text().await.expect("it answers in full")
    }

    /// The state of the whole, and what it says of one dependency.
    pub(crate) async fn health(&self, dependency: &str) -> (String, Value) {
        let report: Value = serde_json::from_str(&self.get("/health").await).expect("it is JSON");
        let status = report["status"].as_str().expect("it has a status").to_owned();
        (status, report["dependencies"][dependency].clone())
    }

    pub(crate) async fn is_degraded_by(&self, dependency: &str) -> String {
        eventually_within(LONG, &format!("{dependency} is known to be down"), || async {
            let (status, report) = self.health(dependency).await;
            let error = report["last_error"].as_str()?.to_owned();
            (status == "degraded" && report["status"] == "down").then_some(error)
        })
        .await
    }

    /// Waits until it has written so many events to Kafka; by its own word, which is sooner known than by reading.
    pub(crate) async fn has_written(&self, count: u64) {
        eventually_within(LONG, "the bridge writes", || async {
            (self.settled("kafka", "written").await >= count).then_some(())
        })
        .await;
    }

    /// How many events of a sink had this outcome.
    pub(crate) async fn settled(&self, sink: &str, outcome: &str) -> u64 {
        let metrics = self.get("/metrics").await;
        let line = format!("bridge_events_total{{sink=\"{sink}\",outcome=\"{outcome}\"}} ");
        metrics.lines().find_map(|metric| metric.strip_prefix(&line)?.parse().ok()).unwrap_or(0)
    }
}

/// A topic of a Kafka.
#[derive(Clone, Debug)]
pub(crate) struct Topic {
    pub(crate) brokers: String,
    pub(crate) topic: String,
}

/// A record as an independent consumer reads it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) key: String,
    pub(crate) body: Vec<u8>,
    pub(crate) headers: BTreeMap<String, String>,
}

impl Seen {
    pub(crate) fn id(&self) -> &str {
        &self.headers["message-id"]
    }

    fn version(&self) -> u64 {
        let body: Value = serde_json::from_slice(&self.body).expect("the test's events are JSON");
        body["version"].as_u64().expect("the test's events have versions")
    }
}

impl Topic {
    pub(crate) fn of(brokers: &str, topic: &str) -> Self {
        Self { brokers: brokers.to_owned(), topic: topic.to_owned() }
    }

    /// All committed records, each partition from its beginning to its end. None while there is no such topic or no Kafka.
    pub(crate) async fn read(&self) -> Vec<Seen> {
        let topic = self.clone();
        let read = tokio::task::spawn_blocking(move || topic.try_read());
        read.await.expect("reading does not panic").unwrap_or_default()
    }

    fn try_read(&self) -> Result<Vec<Seen>, KafkaError> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", "independent")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("enable.auto.commit", "false")
            .set("log_level", "0")
            .create()?;
        let limit = Duration::from_secs(5);
        let metadata = consumer.fetch_metadata(Some(&self.topic), limit)?;
        let partitions: Vec<i32> = metadata.topics()[0].partitions().iter().map(|partition| partition.id()).collect();
        let mut assignment = TopicPartitionList::new();
        for partition in &partitions {
            assignment.add_partition_offset(&self.topic, *partition, Offset::Beginning)?;
        }
        consumer.assign(&assignment)?;
        let mut unread: HashSet<i32> = partitions.into_iter().collect();
        let mut seen = Vec::new();
        while !unread.is_empty() {
            match consumer.poll(limit) {
                Some(Ok(message)) => {
                    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
                    let headers = message.headers().expect("every record has headers").iter();
                    seen.push(Seen {
                        key: text(message.key()),
                        body: message.payload().unwrap_or_default().to_vec(),
                        headers: headers.map(|header| (header.key.to_owned(), text(header.value))).collect(),
                    });
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    unread.remove(&partition);
                }
                Some(Err(error)) => return Err(error),
                None => return Err(KafkaError::NoMessageReceived),
            }
        }
        Ok(seen)
    }

    /// Waits until there are so many records.
    pub(crate) async fn reaches(&self, count: usize) -> Vec<Seen> {
        let what = format!("{count} records are in Kafka");
        eventually_within(LONG, &what, || async {
            let seen = self.read().await;
            (seen.len() >= count).then_some(seen)
        })
        .await
    }

    /// Waits until all of these are there: then each once, and those of a key in the order of their versions.
    pub(crate) async fn has_all_once_and_in_order(&self, events: &[Outgoing]) {
        let ids: BTreeSet<String> = events.iter().map(|event| event.id.to_string()).collect();
        let what = format!("all {} events are in Kafka", ids.len());
        let seen = eventually_within(LONG, &what, || async {
            let seen = self.read().await;
            let read: HashSet<&str> = seen.iter().map(Seen::id).collect();
            ids.iter().all(|id| read.contains(id.as_str())).then_some(seen)
        })
        .await;
        let mut times = BTreeMap::<&str, u32>::new();
        let mut versions = BTreeMap::<&str, Vec<u64>>::new();
        for record in &seen {
            *times.entry(record.id()).or_default() += 1;
            versions.entry(&record.key).or_default().push(record.version());
        }
        let twice = times.values().filter(|times| **times > 1).count();
        assert_eq!(twice, 0, "of {} events, so many are there more than once", ids.len());
        assert_eq!(seen.len(), ids.len(), "there is more than was published");
        for (key, versions) in versions {
            assert!(versions.is_sorted(), "the events of {key} are not in order");
        }
    }
}

/// Events of users in turn, each with all its versions in order.
pub(crate) fn changes(users: usize, versions: usize) -> Vec<Outgoing> {
    let users: Vec<Uuid> = (0..users).map(|_| Uuid::now_v7()).collect();
    let change = |version: usize, user: Uuid| {
        let body = json!({ "user_id": user, "version": version }).to_string();
        Outgoing::raw(EVENTS, "user.updated", "user.updated", body).with_header("x-version", version as i64)
    };
    (1..=versions).flat_map(|version| users.iter().map(move |user| change(version, *user))).collect()
}
