//! Writing events to Kafka, each once: every batch is a transaction.
//!
//! All bridges write under one transactional id, so that Kafka fences off all but the one who came last, whatever they think
//! of themselves. Whoever comes knows what was written last, and does not write it again.

use std::collections::HashSet;
use std::time::Duration;

use messaging::Failure;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tokio_util::sync::CancellationToken;

use super::client::{Deliveries, Limit, config};
use super::record::Record;
use super::remembered::Remembered;
use super::tail;
use crate::KafkaArgs;

/// How long starting, and how long a batch may take. Both are over before a program that is told to stop must have ended.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
const WRITE_LIMIT: Duration = Duration::from_secs(8);

/// The one who writes. After any error it is done with: what became of the transaction, its successor finds out.
pub(super) struct Writer {
    producer: BaseProducer<Deliveries>,
    topic: String,
    remembered: Remembered,
}

/// What became of a batch.
#[derive(Debug)]
pub(super) struct Written {
    /// For each record in turn.
    pub(super) verdicts: Vec<Result<(), Failure>>,
    /// How many were written now.
    pub(super) new: usize,
}

impl Writer {
    /// Fences off all others, ends what they have begun, and reads what they have written.
    pub(super) fn open(brokers: &str, kafka: &KafkaArgs, stop: &CancellationToken) -> Result<Self, KafkaError> {
        let topic = &kafka.kafka_topic;
        let producer: BaseProducer<Deliveries> = config(brokers)
            .set("transactional.id", format!("bridge.{topic}"))
            .set("transaction.timeout.ms", "10000")
            .set("message.timeout.ms", "8000")
            .set("compression.type", "lz4")
            .set("linger.ms", "2")
            // As other languages' clients do it, so that all put an aggregate into the same partition.
            .set("partitioner", "murmur2_random")
            .create_with_context(Deliveries::default())?;
        producer.init_transactions(OPEN_LIMIT)?;
        let remembered = tail::read(brokers, topic, kafka.bridge_remember as usize, stop)?;
        tracing::info!(topic, remembered = remembered.len(), "writing to Kafka");
        Ok(Self { producer, topic: topic.clone(), remembered })
    }

    /// Writes those that are not known yet, all of them or none.
    pub(super) fn write(&mut self, records: &[Record]) -> Result<Written, KafkaError> {
        let limit = Limit::of(WRITE_LIMIT);
        let mut verdicts = vec![Ok(()); records.len()];
        let (mut seen, mut sent) = (HashSet::new(), Vec::new());
        for (record, verdict) in records.iter().zip(&mut verdicts) {
            if self.remembered.contains(&record.id) || !seen.insert(record.id.as_str()) {
                continue;
            }
            if seen.len() == 1 {
                self.producer.begin_transaction()?;
            }
            *verdict = self.send(record, limit)?;
            if verdict.is_ok() {
                sent.push(record.id.as_str());
            }
        }
        if !seen.is_empty() {
            self.commit(limit)?;
        }
        for id in &sent {
            self.remembered.insert(id);
        }
        Ok(Written { new: sent.len(), verdicts })
    }

    /// Waits until Kafka has taken all that was sent, and ends the transaction.
    fn commit(&self, limit: Limit) -> Result<(), KafkaError> {
        // The library's own flush looks once in 100 ms.
        while self.producer.in_flight_count() > 0 {
            limit.check()?;
            self.producer.poll(Duration::from_millis(1));
        }
        match self.producer.context().failed() {
            Some(code) => Err(KafkaError::MessageProduction(code)),
            None => self.producer.commit_transaction(limit.left()),
        }
    }

    /// Hands a record to the library; one that is too large for it will never go.
    fn send(&self, record: &Record, limit: Limit) -> Result<Result<(), Failure>, KafkaError> {
        let mut sending = BaseRecord::to(&self.topic)
            .key(record.key.as_str())
            .payload(&record.body[..])
            .timestamp(record.timestamp)
            .headers(record.headers());
        loop {
            match self.producer.send(sending) {
                Ok(()) => return Ok(Ok(())),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                    limit.check()?;
                    self.producer.poll(Duration::from_millis(5));
                    sending = again;
                }
                Err((error, _)) if is_poison(&error) => return Ok(Err(failure(&error))),
                Err((error, _)) => return Err(error),
            }
        }
    }
}

/// What an error means for the records at hand.
pub(super) fn failure(error: &KafkaError) -> Failure {
    let reason = format!("Kafka: {error}");
    if is_poison(error) { Failure::reject(reason) } else { Failure::unavailable(reason) }
}

/// Whether the record will never be taken.
fn is_poison(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{InvalidRecord, InvalidTimestamp, MessageSizeTooLarge};
    matches!(error.rdkafka_error_code(), Some(MessageSizeTooLarge | InvalidRecord | InvalidTimestamp))
}
