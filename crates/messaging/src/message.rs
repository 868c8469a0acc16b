//! A message: what a program wants to say, and the envelope it travels in.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

/// Names of the headers that this library reads and writes.
pub mod header {
    /// How many times handling has been tried before this delivery. Absent on the first.
    pub const ATTEMPT: &str = "x-attempt";
    /// When handling first failed, RFC 3339.
    pub const FIRST_FAILURE: &str = "x-first-failure";
    /// Why handling last failed.
    pub const LAST_ERROR: &str = "x-last-error";
    /// Why the message was parked in a dead-letter queue.
    pub const DEAD_REASON: &str = "x-dead-reason";
    /// When the message was parked, RFC 3339.
    pub const DEAD_AT: &str = "x-dead-at";
    /// The queue whose consumer parked the message.
    pub const DEAD_QUEUE: &str = "x-dead-queue";
    /// When the message was last sent from the dead letters to its queue again, RFC 3339.
    pub const REDRIVEN_AT: &str = "x-redriven-at";
    /// Who did that.
    pub const REDRIVEN_BY: &str = "x-redriven-by";
    /// The id of the run that did it.
    pub const REDRIVE_RUN: &str = "x-redrive-run";
    /// The W3C trace context of whoever caused the message.
    pub const TRACEPARENT: &str = "traceparent";
    /// What the message is about. A relay sends messages with the same key in their order.
    pub const KEY: &str = "x-key";
}

/// A payload type with its place on the wire.
///
/// The body on the wire is the JSON form of the type and nothing else; id, type, time and trace travel as AMQP
/// properties and headers.
pub trait Message: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The exchange it is published to.
    const EXCHANGE: &'static str;
    /// Its routing key, which is also its AMQP `type`.
    const ROUTING_KEY: &'static str;
}

/// One header's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum HeaderValue {
    /// A whole number.
    Int(i64),
    /// A text.
    Text(String),
}

impl From<i64> for HeaderValue {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<String> for HeaderValue {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&str> for HeaderValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

/// The headers of a message. What the broker adds in richer types (`x-death` …) is not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Headers(BTreeMap<String, HeaderValue>);

impl Headers {
    /// Sets a header.
    pub fn set(&mut self, name: &str, value: impl Into<HeaderValue>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// A header that holds a number, as a number or as digits.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.0.get(name)? {
            HeaderValue::Int(value) => Some(*value),
            HeaderValue::Text(text) => text.parse().ok(),
        }
    }

    /// A header that holds a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name)? {
            HeaderValue::Text(text) => Some(text),
            HeaderValue::Int(_) => None,
        }
    }

    /// Every header, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

/// A message ready to be published, by a [`Publisher`](crate::Publisher) or through the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its identity: the same however often it is sent, so that receivers can tell a repetition.
    pub id: Uuid,
    /// The exchange it goes to; empty is the default exchange, which routes to the queue named by the routing key.
    pub exchange: String,
    /// The routing key.
    pub routing_key: String,
    /// The AMQP `type`.
    pub kind: String,
    /// Ties a reply to its request, or messages to the user's request that caused them.
    pub correlation_id: Option<String>,
    /// Where a reply is wanted.
    pub reply_to: Option<String>,
    /// After this time in a queue the broker drops it. For requests, whose caller will have gone.
    pub expiration: Option<Duration>,
    /// Headers.
    pub headers: Headers,
    /// The body: JSON.
    pub body: Bytes,
}

impl Outgoing {
    /// The envelope of a message, with a new id.
    pub fn new<M: Message>(message: &M) -> Self {
        Self::raw(M::EXCHANGE, M::ROUTING_KEY, M::ROUTING_KEY, to_json(message))
    }

    /// An envelope around a JSON body that is ready made.
    pub fn raw(exchange: &str, routing_key: &str, kind: &str, body: impl Into<Bytes>) -> Self {
        Self {
            id: Uuid::now_v7(),
            exchange: exchange.to_owned(),
            routing_key: routing_key.to_owned(),
            kind: kind.to_owned(),
            correlation_id: None,
            reply_to: None,
            expiration: None,
            headers: Headers::default(),
            body: body.into(),
        }
    }

    /// With this id.
    #[must_use]
    pub fn with_id(mut self, id: Uuid) -> Self {
        self.id = id;
        self
    }

    /// With this header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<HeaderValue>) -> Self {
        self.headers.set(name, value);
        self
    }

    /// With this key: a relay sends messages with the same key in their order.
    #[must_use]
    pub fn with_key(self, key: impl Into<String>) -> Self {
        self.with_header(header::KEY, key.into())
    }

    /// With this correlation id.
    #[must_use]
    pub fn with_correlation_id(mut self, id: impl Into<String>) -> Self {
        self.correlation_id = Some(id.into());
        self
    }
}

/// The JSON form of a message.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Bytes {
    serde_json::to_vec(value).expect("messages are plain data, which always has a JSON form").into()
}
