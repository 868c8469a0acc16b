//! Events to Kafka: each once, and those of an aggregate in their order, whoever is killed meanwhile.
//!
//! RabbitMQ gives the events to one bridge at a time, in order. A batch is acked when its transaction is committed. Between
//! the two an event can come again, to this bridge or another: it is known, because who begins to write has read what was
//! written last.

mod client;
mod record;
mod remembered;
mod tail;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use messaging::{ConsumerStatus, Delivery, Failure, HandleBatch};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use self::client::{Quiet, config};
use self::record::Record;
use self::writer::{Writer, failure};
use crate::KafkaArgs;
use crate::event::{self, Event};

/// The most events of a transaction.
pub(crate) const BATCH: usize = 1000;

/// How long making the topic may take.
const TOPIC_LIMIT: Duration = Duration::from_secs(5);

/// Shorter than a health check's patience.
const PING_LIMIT: Duration = Duration::from_millis(1500);

/// Writes events to a topic of Kafka.
pub(crate) struct ToKafka {
    brokers: String,
    kafka: KafkaArgs,
    consumer: ConsumerStatus,
    writer: Mutex<Option<Writer>>,
    stop: CancellationToken,
}

impl ToKafka {
    /// `consumer` is the one whose handler this is to be.
    pub(crate) fn new(brokers: &str, kafka: &KafkaArgs, consumer: ConsumerStatus, stop: CancellationToken) -> Self {
        Self { brokers: brokers.to_owned(), kafka: kafka.clone(), consumer, writer: Mutex::new(None), stop }
    }

    /// A writer that has fenced off all others: rightly so only if these events are still its own then, for whoever gets them
    /// later fences this one off.
    async fn open(&self) -> Result<Writer, Failure> {
        self.ensure_topic().await.map_err(|error| failure(&error))?;
        let (brokers, kafka, stop) = (self.brokers.clone(), self.kafka.clone(), self.stop.clone());
        let writer = blocking(move || Writer::open(&brokers, &kafka, &stop)).await?.map_err(|error| failure(&error))?;
        match self.consumer.confirm().await {
            Ok(()) => Ok(writer),
            Err(failure) => {
                blocking(move || drop(writer)).await?;
                Err(failure)
            }
        }
    }

    async fn ensure_topic(&self) -> Result<(), KafkaError> {
        let client: AdminClient<Quiet> = config(&self.brokers).create_with_context(Quiet)?;
        let replication = TopicReplication::Fixed(-1);
        let topic = NewTopic::new(&self.kafka.kafka_topic, self.kafka.kafka_partitions, replication);
        let options = AdminOptions::new().request_timeout(Some(TOPIC_LIMIT)).operation_timeout(Some(TOPIC_LIMIT));
        match client.create_topics([&topic], &options).await?.pop() {
            // Where others make the topics, this one may not: whether it is there shows when it is read.
            None
            | Some(
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists | RDKafkaErrorCode::TopicAuthorizationFailed)),
            ) => Ok(()),
            Some(Err((_, code))) => Err(KafkaError::AdminOp(code)),
        }
    }
}

impl HandleBatch<Event> for ToKafka {
    async fn handle_batch(&self, batch: &[Delivery<Event>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let mut slot = self.writer.lock().await;
        let mut writer = match slot.take() {
            Some(writer) => writer,
            None => self.open().await?,
        };
        let records: Vec<Record> = batch.iter().map(Record::new).collect();
        let (writer, written) = blocking(move || {
            match writer.write(&records) {
                Ok(written) => (Some(writer), Ok(written)),
                // Dropped here, where it may take its time.
                Err(error) => (None, Err(failure(&error))),
            }
        })
        .await?;
        *slot = writer;
        let written = written?;
        event::settled("kafka", "written", written.new);
        event::settled("kafka", "known", batch.len() - written.new);
        Ok(written.verdicts)
    }
}

impl std::fmt::Debug for ToKafka {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToKafka").field("topic", &self.kafka.kafka_topic).finish_non_exhaustive()
    }
}

/// Asks Kafka for a sign of life.
pub(crate) struct Ping {
    client: Arc<BaseConsumer<Quiet>>,
    topic: String,
}

impl Ping {
    /// # Errors
    /// If the brokers' addresses cannot be used.
    pub(crate) fn new(brokers: &str, kafka: &KafkaArgs) -> anyhow::Result<Self> {
        let client = config(brokers).create_with_context(Quiet).context("KAFKA_BROKERS")?;
        Ok(Self { client: Arc::new(client), topic: kafka.kafka_topic.clone() })
    }

    pub(crate) fn ping(&self) -> impl Future<Output = anyhow::Result<()>> + Send + use<> {
        let (client, topic) = (Arc::clone(&self.client), self.topic.clone());
        async move {
            let asked = spawn_blocking(move || client.fetch_metadata(Some(&topic), PING_LIMIT).map(drop));
            asked.await?.context("Kafka does not answer")
        }
    }
}

/// Kafka's library waits in place.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    spawn_blocking(work).await.map_err(Failure::reject)
}
