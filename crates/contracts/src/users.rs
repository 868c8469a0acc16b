//! Events about users. Each carries the whole public state after the change, so that a newer one makes the older
//! needless; the version is in the header [`VERSION`](crate::headers::VERSION). No event carries a password in any form.

use messaging::{DecodeError, Incoming, Message, decode_body};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::EVENTS;

/// A user's public state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserState {
    /// Identifies the user.
    pub user_id: Uuid,
    /// Name.
    pub name: String,
    /// E-mail address, as the user wrote it.
    pub email: String,
    /// What the user prefers, by names that programs agree on; left out if nothing was ever said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferences: Option<Map<String, Value>>,
    /// When the user was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When the user was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// A user was created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserCreated(pub UserState);

impl Message for UserCreated {
    const EXCHANGE: &'static str = EVENTS;
    const ROUTING_KEY: &'static str = "user.created";
}

/// A user's name or e-mail address was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserUpdated(pub UserState);

impl Message for UserUpdated {
    const EXCHANGE: &'static str = EVENTS;
    const ROUTING_KEY: &'static str = "user.updated";
}

/// A user was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserDeleted {
    /// Identifies the user.
    pub user_id: Uuid,
    /// When the user was deleted.
    #[serde(with = "time::serde::rfc3339")]
    pub deleted_at: OffsetDateTime,
}

impl Message for UserDeleted {
    const EXCHANGE: &'static str = EVENTS;
    const ROUTING_KEY: &'static str = "user.deleted";
}

/// Any event about a user, for a queue bound to `user.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserEvent {
    /// A user was created.
    Created(UserCreated),
    /// A user was changed.
    Updated(UserUpdated),
    /// A user was deleted.
    Deleted(UserDeleted),
}

impl UserEvent {
    /// Which user it is about.
    pub fn user_id(&self) -> Uuid {
        match self {
            Self::Created(UserCreated(state)) | Self::Updated(UserUpdated(state)) => state.user_id,
            Self::Deleted(deleted) => deleted.user_id,
        }
    }

    /// The state after the change; none after a deletion.
    pub fn state(&self) -> Option<&UserState> {
        match self {
            Self::Created(UserCreated(state)) | Self::Updated(UserUpdated(state)) => Some(state),
            Self::Deleted(_) => None,
        }
    }
}

impl Incoming for UserEvent {
    fn decode(kind: Option<&str>, body: &[u8]) -> Result<Self, DecodeError> {
        match kind {
            Some(kind @ UserCreated::ROUTING_KEY) => decode_body(kind, body).map(Self::Created),
            Some(kind @ UserUpdated::ROUTING_KEY) => decode_body(kind, body).map(Self::Updated),
            Some(kind @ UserDeleted::ROUTING_KEY) => decode_body(kind, body).map(Self::Deleted),
            Some(kind) => Err(DecodeError::UnknownKind(kind.to_owned())),
            None => Err(DecodeError::NoKind),
        }
    }
}
