//! How the bridge talks to Kafka.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;

/// What every client of these brokers is configured with.
pub(super) fn config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("client.id", "bridge")
        .set("allow.auto.create.topics", "false")
        .set("log.connection.close", "false")
        .set("socket.connection.setup.timeout.ms", "4000")
        // Kafka that is back is to be found soon.
        .set("reconnect.backoff.max.ms", "1000");
    config
}

/// What of a time limit is left, for the next of several steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit(Instant);

impl Limit {
    pub(super) fn of(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    pub(super) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// # Errors
    /// If nothing is left.
    pub(super) fn check(self) -> Result<(), KafkaError> {
        if self.left().is_zero() { Err(KafkaError::Global(RDKafkaErrorCode::OperationTimedOut)) } else { Ok(()) }
    }
}

/// The library logs each try to connect; what comes of it is logged once, by who waits for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, "{reason}");
    }
}

impl ConsumerContext for Quiet {}

/// Remembers why a record was not taken.
#[derive(Debug, Default)]
pub(super) struct Deliveries(Mutex<Option<RDKafkaErrorCode>>);

impl Deliveries {
    /// The first reason since this was last asked.
    pub(super) fn failed(&self) -> Option<RDKafkaErrorCode> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        Quiet.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        Quiet.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, delivered: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = delivered {
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(code);
        }
    }
}
