//! A delivery: a message as its handler sees it.

use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Headers, Message};

/// A decoded message with all that is known about it.
#[derive(Clone, Debug)]
pub struct Delivery<M> {
    /// The envelope.
    pub meta: Meta,
    /// The payload.
    pub payload: M,
}

/// What is known about a delivered message besides its payload.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    /// The message's id. A message published by hand without one gets a new one with each delivery.
    pub id: Uuid,
    /// The AMQP `message_id` as it was published, whatever its form; none on many a message published by hand.
    pub message_id: Option<String>,
    /// Its AMQP `type`, or else the routing key it was published with; none when it was put straight into the queue.
    pub kind: Option<String>,
    /// The queue it came from.
    pub queue: String,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// Whether the broker may have delivered it before.
    pub redelivered: bool,
    /// When it was published, to the second, as its publisher's clock had it.
    pub published_at: Option<OffsetDateTime>,
    /// Ties it to the request that caused it.
    pub correlation_id: Option<String>,
    /// The program that published it, if it says so.
    pub app_id: Option<String>,
    /// Where a reply is wanted.
    pub reply_to: Option<String>,
    /// Headers.
    pub headers: Headers,
}

/// Why a body could not be understood: the message is dead-lettered at once with this reason.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The queue's consumer does not know this type of message.
    #[error("unknown message type `{0}`")]
    UnknownKind(String),
    /// The message has no type, and the queue carries several.
    #[error("the message has no `type` property, and this queue carries several types")]
    NoKind,
    /// The body is not the JSON form of the type.
    #[error("the body is not a valid `{kind}`: {source}")]
    Body {
        /// The type that was expected.
        kind: String,
        /// What is wrong with the body.
        source: serde_json::Error,
    },
}

/// What a queue carries: one [`Message`] type, or an enum over several.
pub trait Incoming: Sized + Send + Sync + 'static {
    /// Decodes a body of the given type.
    fn decode(kind: Option<&str>, body: &[u8]) -> Result<Self, DecodeError>;
}

impl<M: Message> Incoming for M {
    fn decode(kind: Option<&str>, body: &[u8]) -> Result<Self, DecodeError> {
        match kind {
            Some(kind) if kind != M::ROUTING_KEY => Err(DecodeError::UnknownKind(kind.to_owned())),
            _ => decode_body(M::ROUTING_KEY, body),
        }
    }
}

/// Decodes one JSON body; for [`Incoming`] implementations over several types.
pub fn decode_body<T: DeserializeOwned>(kind: &str, body: &[u8]) -> Result<T, DecodeError> {
    serde_json::from_slice(body).map_err(|source| DecodeError::Body { kind: kind.to_owned(), source })
}
