//! Events about orders. Each carries the whole public state after the change; its version is also in the header
//! [`VERSION`](crate::headers::VERSION).

use messaging::{DecodeError, Incoming, Message, decode_body};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::products::ProductOwner;
use crate::{EVENTS, Money};

/// An order's public state, as events carry it and REST shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderState {
    /// Identifies the order.
    pub order_id: Uuid,
    /// Who ordered.
    pub user_id: Uuid,
    /// The user's name.
    #[schema(example = "Ada")]
    pub user_name: String,
    /// What was ordered.
    pub items: Vec<OrderItem>,
    /// What all items cost together.
    pub total: Money,
    /// How far it is.
    pub status: OrderStatus,
    /// Why it was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "payment timed out")]
    pub reason: Option<String>,
    /// One more with each change.
    #[schema(example = 1, minimum = 1)]
    pub version: i64,
    /// When it was placed.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// Some of one product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderItem {
    /// Identifies the product.
    pub product_id: Uuid,
    /// How many.
    #[schema(example = 2, minimum = 1)]
    pub quantity: u32,
    /// What one costs: the price when the order was placed, whatever becomes of the product.
    pub price: Money,
    /// What is shown of the product.
    pub product: ItemProduct,
}

/// What an order shows of a product. Unlike the price it follows the product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ItemProduct {
    /// Name.
    #[schema(example = "Teapot")]
    pub name: String,
    /// What it is.
    #[schema(example = "Holds a litre, pours without dripping.")]
    pub description: String,
    /// Whose it is.
    pub owner: ProductOwner,
    /// The product's version that this was taken from: only a newer one replaces it.
    #[schema(example = 1, minimum = 1)]
    pub version: i64,
}

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Placed; stock and payment are being seen to.
    Pending,
    /// Paid, and the stock is sold: final.
    Confirmed,
    /// Given up, and the stock is free again: final.
    Cancelled,
}

/// An order was placed and its stock is reserved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderCreated(pub OrderState);

impl Message for OrderCreated {
    const EXCHANGE: &'static str = EVENTS;
    const ROUTING_KEY: &'static str = "order.created";
}

/// An order was paid and its stock is sold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderConfirmed(pub OrderState);

impl Message for OrderConfirmed {
    const EXCHANGE: &'static str = EVENTS;
    const ROUTING_KEY: &'static str = "order.confirmed";
}

/// An order was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderCancelled(pub OrderState);

impl Message for OrderCancelled {
    const EXCHANGE: &'static str = EVENTS;
    const ROUTING_KEY: &'static str = "order.cancelled";
}

/// Any event about an order, for a queue bound to `order.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderEvent {
    /// An order was placed.
    Created(OrderCreated),
    /// An order was paid.
    Confirmed(OrderConfirmed),
    /// An order was given up.
    Cancelled(OrderCancelled),
}

impl OrderEvent {
    /// The state after the change.
    pub fn state(&self) -> &OrderState {
        match self {
            Self::Created(OrderCreated(state))
            | Self::Confirmed(OrderConfirmed(state))
            | Self::Cancelled(OrderCancelled(state)) => state,
        }
    }
}

impl Incoming for OrderEvent {
    fn decode(kind: Option<&str>, body: &[u8]) -> Result<Self, DecodeError> {
        match kind {
            Some(kind @ OrderCreated::ROUTING_KEY) => decode_body(kind, body).map(Self::Created),
            Some(kind @ OrderConfirmed::ROUTING_KEY) => decode_body(kind, body).map(Self::Confirmed),
            Some(kind @ OrderCancelled::ROUTING_KEY) => decode_body(kind, body).map(Self::Cancelled),
            Some(kind) => Err(DecodeError::UnknownKind(kind.to_owned())),
            None => Err(DecodeError::NoKind),
        }
    }
}
