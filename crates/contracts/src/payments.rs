//! Payments: commands to charge and to give back, and events about what became of them. An order has one payment, so the
//! order's id identifies it. Each event carries the whole public state after the change; its version is also in the header
//! [`VERSION`](crate::headers::VERSION).

use messaging::{DecodeError, Incoming, Message, Outgoing, decode_body};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{COMMANDS, EVENTS, Money};

/// The routing key of every [`PaymentCommand`], on the exchange of commands.
pub const ROUTING_KEY: &str = "payment-service";

/// Charge the user for this order, once however often it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessPayment {
    /// The order to be paid.
    pub order_id: Uuid,
    /// Who pays.
    pub user_id: Uuid,
    /// How much.
    pub amount: Money,
}

/// Give back what was charged for this order. If nothing was charged yet, nothing will be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundPayment {
    /// The order that is not to be paid.
    pub order_id: Uuid,
    /// Who gets it back.
    pub user_id: Uuid,
    /// How much: all that the order cost.
    pub amount: Money,
    /// Why.
    pub reason: String,
}

/// Any command about a payment. Both kinds go by one routing key into one queue, and are told apart by their AMQP `type`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum PaymentCommand {
    /// Charge.
    Process(ProcessPayment),
    /// Give back.
    Refund(RefundPayment),
}

impl PaymentCommand {
    /// The AMQP `type` of [`ProcessPayment`].
    pub const PROCESS: &'static str = "process.payment";
    /// The AMQP `type` of [`RefundPayment`].
    pub const REFUND: &'static str = "refund.payment";

    /// The order whose payment it is about.
    pub fn order_id(&self) -> Uuid {
        match self {
            Self::Process(command) => command.order_id,
            Self::Refund(command) => command.order_id,
        }
    }

    /// Its AMQP `type`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Process(_) => Self::PROCESS,
            Self::Refund(_) => Self::REFUND,
        }
    }

    /// The envelope, with a new id. A [`Message`] has its routing key for its type, which these cannot.
    pub fn outgoing(&self) -> Outgoing {
        let body = serde_json::to_vec(self).expect("commands are plain data, which always has a JSON form");
        Outgoing::raw(COMMANDS, ROUTING_KEY, self.kind(), body)
    }
}

impl Incoming for PaymentCommand {
    fn decode(kind: Option<&str>, body: &[u8]) -> Result<Self, DecodeError> {
        match kind {
            Some(kind @ Self::PROCESS) => decode_body(kind, body).map(Self::Process),
            Some(kind @ Self::REFUND) => decode_body(kind, body).map(Self::Refund),
            // What was published by hand without a type is known by its routing key only, which says no more than the queue.
            Some(ROUTING_KEY) | None => Err(DecodeError::NoKind),
            Some(kind) => Err(DecodeError::UnknownKind(kind.to_owned())),
        }
    }
}

/// A payment's public state, as events carry it and REST shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentState {
    /// The order it pays for; identifies the payment.
    pub order_id: Uuid,
    /// Who pays.
    pub user_id: Uuid,
    /// How much.
    pub amount: Money,
    /// What became of it.
    pub status: PaymentStatus,
    /// Why it failed or was given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "card declined")]
    pub reason: Option<String>,
    /// One more with each change.
    #[schema(example = 1, minimum = 1)]
    pub version: i64,
    /// When it was decided first.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// What became of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// Charged.
    Completed,
    /// Declined: nothing was charged.
    Failed,
    /// Given back, or never to be charged.
    Refunded,
}

/// An order was paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PaymentCompleted(pub PaymentState);

impl Message for PaymentCompleted {
    const EXCHANGE: &'static str = EVENTS;
    const ROUTING_KEY: &'static str = "payment.completed";
}

/// A payment was declined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PaymentFailed(pub PaymentState);

impl Message for PaymentFailed {
    const EXCHANGE: &'static str = EVENTS;
    const ROUTING_KEY: &'static str = "payment.failed";
}

/// A payment was given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PaymentRefunded(pub PaymentState);

impl Message for PaymentRefunded {
    const EXCHANGE: &'static str = EVENTS;
    const ROUTING_KEY: &'static str = "payment.refunded";
}

/// Any event about a payment, for a queue bound to `payment.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentEvent {
    /// An order was paid.
    Completed(PaymentCompleted),
    /// A payment was declined.
    Failed(PaymentFailed),
    /// A payment was given back.
    Refunded(PaymentRefunded),
}

impl PaymentEvent {
    /// The state after the change.
    pub fn state(&self) -> &PaymentState {
        match self {
            Self::Completed(PaymentCompleted(state))
            | Self::Failed(PaymentFailed(state))
            | Self::Refunded(PaymentRefunded(state)) => state,
        }
    }
}

impl Incoming for PaymentEvent {
    fn decode(kind: Option<&str>, body: &[u8]) -> Result<Self, DecodeError> {
        match kind {
            Some(kind @ PaymentCompleted::ROUTING_KEY) => decode_body(kind, body).map(Self::Completed),
            Some(kind @ PaymentFailed::ROUTING_KEY) => decode_body(kind, body).map(Self::Failed),
            Some(kind @ PaymentRefunded::ROUTING_KEY) => decode_body(kind, body).map(Self::Refunded),
            Some(kind) => Err(DecodeError::UnknownKind(kind.to_owned())),
            None => Err(DecodeError::NoKind),
        }
    }
}
