//! Declaring a topology: nothing changes where it stands already, and a conflict is named.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ErrorKind};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::link::Link;
use super::{Backoff, ConnectError};
use crate::{ExchangeKind, Queue, QueueKind, RETRY_LADDER, Topology};

const DECLARE_TIMEOUT: Duration = Duration::from_secs(30);
/// A message that no declaration helps is tried again and again.
const BETWEEN_DECLARATIONS: Duration = Duration::from_secs(2);

/// RabbitMQ 4 drops a message after 20 deliveries, and each death of a consumer is a delivery of all it had
/// prefetched. Tries are counted by this library, so the broker's own limit only ends what kills its consumers.
const DELIVERY_LIMIT: i64 = 1000;

/// Looking at a dead letter in the management UI is a delivery too, and nobody's look may be the one that drops it.
const PARKED_DELIVERY_LIMIT: i64 = 1_000_000_000;

/// Why the topology could not be declared.
#[derive(Debug, thiserror::Error)]
pub enum DeclareError {
    /// There is a queue or exchange of this name with other arguments: somebody must decide which is right.
    #[error("{what} exists with other arguments: {reason}")]
    Conflict {
        /// The queue or exchange.
        what: String,
        /// What the broker says, with the argument's name.
        reason: String,
    },
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

/// Declares everything again whenever it is asked to, but not over and over: somebody may have deleted a queue or an
/// exchange, or all of the broker's data. Ends with the last of those who ask.
pub(crate) async fn whenever_asked(link: Arc<Link>, topology: Topology, mut asked: mpsc::Receiver<()>) {
    while asked.recv().await.is_some() {
        match declare(&link, &topology).await {
            Ok(()) => tracing::info!("the topology was declared again, because a message could not be routed"),
            Err(error) => tracing::warn!(%error, "the topology could not be declared again"),
        }
        tokio::time::sleep(BETWEEN_DECLARATIONS).await;
    }
}

/// Declares everything, on a channel of its own: a failed declaration closes its channel.
pub(crate) async fn declare(link: &Link, topology: &Topology) -> Result<(), DeclareError> {
    // Two processes that declare the same quorum queue at the same moment can get an INTERNAL_ERROR at start-up.
    let mut delays = Backoff { attempts: 5, ..Backoff::RECONNECT }.delays();
    loop {
        let error = match timeout(DECLARE_TIMEOUT, try_declare(link, topology)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            Err(_) => DeclareError::Connect(ConnectError::Timeout),
        };
        match delays.next() {
            Some(delay) if is_internal_error(&error) => tokio::time::sleep(delay).await,
            _ => return Err(error),
        }
    }
}

async fn try_declare(link: &Link, topology: &Topology) -> Result<(), DeclareError> {
    let channel = link.channel().await?;
    for step in RETRY_LADDER {
        declare_exchange(&channel, step.name, ExchangeKind::Fanout).await?;
        let mut arguments = quorum(PARKED_DELIVERY_LIMIT);
        arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(millis(step.delay)));
        // Back through the default exchange, by the routing key: the queue's own name.
        dead_letter_to(&mut arguments, None);
        declare_queue(&channel, step.name, arguments).await?;
        bind(&channel, step.name, step.name, "").await?;
    }
    for exchange in &topology.exchanges {
        declare_exchange(&channel, &exchange.name, exchange.kind).await?;
    }
    for queue in &topology.queues {
        declare_queue(&channel, &queue.dead_letter_name(), quorum(PARKED_DELIVERY_LIMIT)).await?;
        declare_queue(&channel, &queue.name, arguments_of(queue)).await?;
        for binding in &queue.bindings {
            bind(&channel, &queue.name, &binding.exchange, &binding.routing_key).await?;
        }
    }
    Ok(())
}

fn arguments_of(queue: &Queue) -> FieldTable {
    let mut arguments = quorum(DELIVERY_LIMIT);
    match queue.kind {
        QueueKind::Work => dead_letter_to(&mut arguments, Some(&queue.dead_letter_name())),
        // Expired requests would fill a dead-letter queue that nobody reads.
        QueueKind::Requests => {}
    }
    if queue.single_active {
        arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    }
    arguments
}

fn quorum(delivery_limit: i64) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(delivery_limit));
    arguments
}

/// Without at-least-once a quorum queue may lose a message on its way to the dead letters; it needs the overflow rule.
fn dead_letter_to(arguments: &mut FieldTable, routing_key: Option<&str>) {
    arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
    if let Some(routing_key) = routing_key {
        arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString(routing_key.into()));
    }
    arguments.insert("x-dead-letter-strategy".into(), AMQPValue::LongString("at-least-once".into()));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
}

async fn declare_exchange(channel: &Channel, name: &str, kind: ExchangeKind) -> Result<(), DeclareError> {
    let kind = match kind {
        ExchangeKind::Direct => lapin::ExchangeKind::Direct,
        ExchangeKind::Topic => lapin::ExchangeKind::Topic,
        ExchangeKind::Fanout => lapin::ExchangeKind::Fanout,
    };
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel
        .exchange_declare(name.into(), kind, options, FieldTable::default())
        .await
        .map_err(|error| named(&format!("exchange `{name}`"), error))
}

async fn declare_queue(channel: &Channel, name: &str, arguments: FieldTable) -> Result<(), DeclareError> {
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    match channel.queue_declare(name.into(), options, arguments).await {
        Ok(_) => Ok(()),
        Err(error) => Err(named(&format!("queue `{name}`"), error)),
    }
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, routing_key: &str) -> Result<(), DeclareError> {
    let options = QueueBindOptions::default();
    channel
        .queue_bind(queue.into(), exchange.into(), routing_key.into(), options, FieldTable::default())
        .await
        .map_err(|error| named(&format!("binding of `{queue}` to `{exchange}`"), error))
}

fn named(what: &str, error: lapin::Error) -> DeclareError {
    if let ErrorKind::ProtocolError(refusal) = error.kind()
        && *refusal.kind() == AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED)
    {
        return DeclareError::Conflict { what: what.to_owned(), reason: refusal.get_message().to_string() };
    }
    ConnectError::Amqp(error).into()
}

fn is_internal_error(error: &DeclareError) -> bool {
    let DeclareError::Connect(ConnectError::Amqp(error)) = error else { return false };
    matches!(error.kind(), ErrorKind::ProtocolError(refusal)
        if *refusal.kind() == AMQPErrorKind::Hard(AMQPHardError::INTERNALERROR))
}

fn millis(delay: Duration) -> i64 {
    i64::try_from(delay.as_millis()).expect("the ladder's delays are minutes at most")
}
