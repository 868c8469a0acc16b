//! Events about owners, the shops whose products are sold. Each carries the whole public state after the change; its version
//! is also in the header [`VERSION`](crate::headers::VERSION).

use messaging::{DecodeError, Incoming, Message, decode_body};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::EVENTS;

/// An owner's public state, as events carry it and REST shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OwnerState {
    /// Identifies the owner.
    pub owner_id: Uuid,
    /// First name.
    #[schema(example = "Grace")]
    pub first_name: String,
    /// Last name.
    #[schema(example = "Hopper")]
    pub last_name: String,
    /// E-mail address.
    #[schema(example = "grace@example.com")]
    pub email: String,
    /// Postal address.
    #[schema(example = "1 Harbour Street, Arlington")]
    pub address: String,
    /// The user who created the owner, and who may change it and its products.
    pub created_by: Uuid,
    /// One more with each change.
    #[schema(example = 1, minimum = 1)]
    pub version: i64,
    /// When the owner was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When the owner was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

impl OwnerState {
    /// First and last name, as products show them.
    pub fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }
}

/// An owner was created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnerCreated(pub OwnerState);

impl Message for OwnerCreated {
    const EXCHANGE: &'static str = EVENTS;
    const ROUTING_KEY: &'static str = "owner.created";
}

/// An owner was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnerUpdated(pub OwnerState);

impl Message for OwnerUpdated {
    const EXCHANGE: &'static str = EVENTS;
    const ROUTING_KEY: &'static str = "owner.updated";
}

/// An owner was deleted. Nothing of the owner is public any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerDeleted {
    /// Identifies the owner.
    pub owner_id: Uuid,
    /// The version that the deletion made.
    pub version: i64,
    /// When the owner was deleted.
    #[serde(with = "time::serde::rfc3339")]
    pub deleted_at: OffsetDateTime,
}

impl Message for OwnerDeleted {
    const EXCHANGE: &'static str = EVENTS;
    const ROUTING_KEY: &'static str = "owner.deleted";
}

/// Any event about an owner, for a queue bound to `owner.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerEvent {
    /// An owner was created.
    Created(OwnerCreated),
    /// An owner was changed.
    Updated(OwnerUpdated),
    /// An owner was deleted.
    Deleted(OwnerDeleted),
}

impl OwnerEvent {
    /// Which owner it is about.
    pub fn owner_id(&self) -> Uuid {
        match self {
            Self::Created(OwnerCreated(state)) | Self::Updated(OwnerUpdated(state)) => state.owner_id,
            Self::Deleted(deleted) => deleted.owner_id,
        }
    }

    /// The version after the change.
    pub fn version(&self) -> i64 {
        match self {
            Self::Created(OwnerCreated(state)) | Self::Updated(OwnerUpdated(state)) => state.version,
            Self::Deleted(deleted) => deleted.version,
        }
    }

    /// The state after the change; none after a deletion.
    pub fn state(&self) -> Option<&OwnerState> {
        match self {
            Self::Created(OwnerCreated(state)) | Self::Updated(OwnerUpdated(state)) => Some(state),
            Self::Deleted(_) => None,
        }
    }
}

impl Incoming for OwnerEvent {
    fn decode(kind: Option<&str>, body: &[u8]) -> Result<Self, DecodeError> {
        match kind {
            Some(kind @ OwnerCreated::ROUTING_KEY) => decode_body(kind, body).map(Self::Created),
            Some(kind @ OwnerUpdated::ROUTING_KEY) => decode_body(kind, body).map(Self::Updated),
            Some(kind @ OwnerDeleted::ROUTING_KEY) => decode_body(kind, body).map(Self::Deleted),
            Some(kind) => Err(DecodeError::UnknownKind(kind.to_owned())),
            None => Err(DecodeError::NoKind),
        }
    }
}
