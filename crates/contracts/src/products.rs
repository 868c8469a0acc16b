//! Events about products. Each carries the whole public state after the change; its version is also in the header
//! [`VERSION`](crate::headers::VERSION).

use messaging::{DecodeError, Incoming, Message, decode_body};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{EVENTS, Money};

/// A product's public state, as events carry it, REST shows it and orders cache it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProductState {
    /// Identifies the product.
    pub product_id: Uuid,
    /// Name.
    #[schema(example = "Teapot")]
    pub name: String,
    /// What it is.
    #[schema(example = "Holds a litre, pours without dripping.")]
    pub description: String,
    /// What one costs.
    pub price: Money,
    /// Whose it is.
    pub owner: ProductOwner,
    /// How many can be bought now.
    #[schema(example = 50, minimum = 0)]
    pub stock: i64,
    /// How many are held for orders that are not paid yet.
    #[schema(example = 2, minimum = 0)]
    pub reserved: i64,
    /// How many were sold.
    #[schema(example = 7, minimum = 0)]
    pub sold: i64,
    /// Its image, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ProductImage>,
    /// One more with each change.
    #[schema(example = 1, minimum = 1)]
    pub version: i64,
    /// When the product was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When the product was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// What is known of a product's image, which `GET /v1/products/{product_id}/image` gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProductImage {
    /// Its media type.
    #[schema(example = "image/webp")]
    pub content_type: String,
    /// Its size in bytes.
    #[schema(example = 48_213, minimum = 1)]
    pub size: u64,
    /// Tells it from every other image: the ETag that it is given with.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub etag: String,
}

/// What a product shows of its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProductOwner {
    /// Identifies the owner.
    pub owner_id: Uuid,
    /// First and last name.
    #[schema(example = "Grace Hopper")]
    pub name: String,
    /// Postal address.
    #[schema(example = "1 Harbour Street, Arlington")]
    pub address: String,
    /// The owner's version that this was taken from: only a newer one replaces it.
    #[schema(example = 1, minimum = 1)]
    pub version: i64,
}

/// A product was created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProductCreated(pub ProductState);

impl Message for ProductCreated {
    const EXCHANGE: &'static str = EVENTS;
    const ROUTING_KEY: &'static str = "product.created";
}

/// A product was changed: itself, its stock, or what it shows of its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProductUpdated(pub ProductState);

impl Message for ProductUpdated {
    const EXCHANGE: &'static str = EVENTS;
    const ROUTING_KEY: &'static str = "product.updated";
}

/// A product was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductDeleted {
    /// Identifies the product.
    pub product_id: Uuid,
    /// The version that the deletion made.
    pub version: i64,
    /// When the product was deleted.
    #[serde(with = "time::serde::rfc3339")]
    pub deleted_at: OffsetDateTime,
}

impl Message for ProductDeleted {
    const EXCHANGE: &'static str = EVENTS;
    const ROUTING_KEY: &'static str = "product.deleted";
}

/// Any event about a product, for a queue bound to `product.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProductEvent {
    /// A product was created.
    Created(ProductCreated),
    /// A product was changed.
    Updated(ProductUpdated),
    /// A product was deleted.
    Deleted(ProductDeleted),
}

impl ProductEvent {
    /// Which product it is about.
    pub fn product_id(&self) -> Uuid {
        match self {
            Self::Created(ProductCreated(state)) | Self::Updated(ProductUpdated(state)) => state.product_id,
            Self::Deleted(deleted) => deleted.product_id,
        }
    }

    /// The version after the change.
    pub fn version(&self) -> i64 {
        match self {
            Self::Created(ProductCreated(state)) | Self::Updated(ProductUpdated(state)) => state.version,
            Self::Deleted(deleted) => deleted.version,
        }
    }

    /// The state after the change; none after a deletion.
    pub fn state(&self) -> Option<&ProductState> {
        match self {
            Self::Created(ProductCreated(state)) | Self::Updated(ProductUpdated(state)) => Some(state),
            Self::Deleted(_) => None,
        }
    }
}

impl Incoming for ProductEvent {
    fn decode(kind: Option<&str>, body: &[u8]) -> Result<Self, DecodeError> {
        match kind {
            Some(kind @ ProductCreated::ROUTING_KEY) => decode_body(kind, body).map(Self::Created),
            Some(kind @ ProductUpdated::ROUTING_KEY) => decode_body(kind, body).map(Self::Updated),
            Some(kind @ ProductDeleted::ROUTING_KEY) => decode_body(kind, body).map(Self::Deleted),
            Some(kind) => Err(DecodeError::UnknownKind(kind.to_owned())),
            None => Err(DecodeError::NoKind),
        }
    }
}
