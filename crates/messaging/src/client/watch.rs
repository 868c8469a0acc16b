//! Watching what passes an exchange, for people and not for work: what passes while nobody watches is missed.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Consumer};
use tokio::time::timeout;

use super::wire::meta;
use super::{Broker, ConnectError};
use crate::Meta;

const SETUP_LIMIT: Duration = Duration::from_secs(10);
/// How far the broker may be ahead of who watches.
const AHEAD: u16 = 256;
/// Who watches too slowly misses the oldest of what waits, rather than filling the broker.
const WAITING: i32 = 10_000;

/// A message that passed by.
#[derive(Clone, Debug)]
pub struct Passing {
    /// What is known about it.
    pub meta: Meta,
    /// The routing key that it was published with.
    pub routing_key: String,
    /// Its body as it is.
    pub body: Bytes,
}

/// What passes an exchange, from now on. It ends with its connection, and leaves nothing on the broker.
pub struct Watch {
    /// Consuming ends when the channel is dropped.
    _channel: Channel,
    passing: Consumer,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl Broker {
    /// Watches what passes this exchange under these routing keys or patterns.
    ///
    /// # Errors
    /// If the broker cannot be reached, or there is no such exchange.
    pub async fn watch(&self, exchange: &str, routing_keys: &[&str]) -> Result<Watch, ConnectError> {
        let channel = self.inner.consuming.channel().await?;
        let setup = async {
            let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
            let mut arguments = FieldTable::default();
            arguments.insert("x-max-length".into(), AMQPValue::LongInt(WAITING));
            let queue = channel.queue_declare("".into(), options, arguments).await?.name().clone();
            for routing_key in routing_keys {
                let (exchange, routing_key) = (exchange.into(), (*routing_key).into());
                let bound = QueueBindOptions::default();
                channel.queue_bind(queue.clone(), exchange, routing_key, bound, FieldTable::default()).await?;
            }
            channel.basic_qos(AHEAD, BasicQosOptions::default()).await?;
            channel.basic_consume(queue, "".into(), BasicConsumeOptions::default(), FieldTable::default()).await
        };
        let passing = timeout(SETUP_LIMIT, setup).await.map_err(|_| ConnectError::Timeout)??;
        Ok(Watch { _channel: channel, passing })
    }
}

impl Watch {
    /// The next message; `None` once the connection has ended.
    ///
    /// # Errors
    /// If the connection was lost.
    pub async fn next(&mut self) -> Result<Option<Passing>, ConnectError> {
        let Some(delivery) = self.passing.next().await.transpose()? else { return Ok(None) };
        delivery.ack(BasicAckOptions::default()).await?;
        let (meta, routing_key) = (meta(&delivery, ""), delivery.routing_key.to_string());
        Ok(Some(Passing { meta, routing_key, body: delivery.data.into() }))
    }
}
