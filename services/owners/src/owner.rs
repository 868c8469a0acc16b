//! An owner, as it is stored, and the events that tell of it.

use contracts::headers::VERSION;
use contracts::owners::{OwnerCreated, OwnerDeleted, OwnerState, OwnerUpdated};
use garde::Validate;
use messaging::Outgoing;
use serde::{Deserialize, Serialize};
use service::documents::{Aggregate, WhenFull, instant, now};
use service::valid::{self, line};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// What an owner says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Validate, ToSchema)]
pub(crate) struct Details {
    /// First name.
    #[garde(custom(line::<200, _>))]
    #[schema(example = "Grace", min_length = 1, max_length = 200)]
    first_name: String,
    /// Last name.
    #[garde(custom(line::<200, _>))]
    #[schema(example = "Hopper", min_length = 1, max_length = 200)]
    last_name: String,
    /// E-mail address.
    #[garde(custom(valid::email))]
    #[schema(example = "grace@example.com", max_length = 254)]
    email: String,
    /// Postal address, on one line.
    #[garde(custom(line::<500, _>))]
    #[schema(example = "1 Harbour Street, Arlington", min_length = 1, max_length = 500)]
    address: String,
}

/// An owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    #[serde(rename = "_id", with = "uuid::serde::hyphenated")]
    id: Uuid,
    /// Absent once the owner is deleted: nothing personal is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
    #[serde(with = "uuid::serde::hyphenated")]
    pub(crate) created_by: Uuid,
    version: i64,
    #[serde(with = "instant")]
    created_at: OffsetDateTime,
    #[serde(with = "instant")]
    updated_at: OffsetDateTime,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "instant::option")]
    deleted_at: Option<OffsetDateTime>,
}

impl Owner {
    pub(crate) fn new(details: Details, created_by: Uuid) -> Self {
        let now = now();
        Self {
            id: Uuid::now_v7(),
            details: Some(details),
            created_by,
            version: 1,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        }
    }

    /// With other details; `None` if they are the same.
    pub(crate) fn updated(&self, details: &Details) -> Option<Self> {
        let changed = self.details.as_ref() != Some(details);
        changed.then(|| Self { details: Some(details.clone()), updated_at: now(), ..self.next() })
    }

    /// What is left of it.
    pub(crate) fn deleted(&self) -> Self {
        let now = now();
        Self { details: None, updated_at: now, deleted_at: Some(now), ..self.next() }
    }

    fn next(&self) -> Self {
        Self { version: self.version + 1, ..self.clone() }
    }

    /// What everybody may know, unless it is deleted.
    pub(crate) fn state(&self) -> Option<OwnerState> {
        let Details { first_name, last_name, email, address } = self.details.clone()?;
        Some(OwnerState {
            owner_id: self.id,
            first_name,
            last_name,
            email,
            address,
            created_by: self.created_by,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

impl Aggregate for Owner {
    const NAME: &'static str = "owner";
    const WHEN_FULL: WhenFull = WhenFull::DropOldest;

    fn id(&self) -> Uuid {
        self.id
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn is_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }

    fn event(&self) -> Option<Outgoing> {
        let (owner_id, version) = (self.id, self.version);
        let event = match (self.state(), self.deleted_at) {
            (Some(state), None) if version == 1 => Outgoing::new(&OwnerCreated(state)),
            (Some(state), None) => Outgoing::new(&OwnerUpdated(state)),
            (_, deleted_at) => {
                let deleted_at = deleted_at.unwrap_or(self.updated_at);
                Outgoing::new(&OwnerDeleted { owner_id, version, deleted_at })
            }
        };
        Some(event.with_header(VERSION, version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        let details = Details {
            first_name: "Grace".into(),
            last_name: "Hopper".into(),
            email: "grace@example.com".into(),
            address: "1 Harbour Street".into(),
        };
        Owner::new(details, Uuid::now_v7())
    }

    /// The driver reads raw bytes, which is another way than they are written.
    #[test]
    fn an_owner_is_read_as_it_was_written() {
        for owner in [owner(), owner().deleted()] {
            let bytes = bson::serialize_to_document(&owner).unwrap().to_vec().unwrap();
            assert_eq!(bson::deserialize_from_slice::<Owner>(&bytes).unwrap(), owner);
        }
    }

    #[test]
    fn each_state_has_its_event() {
        let owner = owner();
        let details = Details { address: "elsewhere".into(), ..owner.details.clone().unwrap() };
        let updated = owner.updated(&details).unwrap();
        let events =
            [(&owner, "owner.created", 1), (&updated, "owner.updated", 2), (&updated.deleted(), "owner.deleted", 3)]
                .map(|(owner, kind, version)| (owner.event().unwrap(), kind, version));
        for (event, kind, version) in events {
            assert_eq!((event.kind.as_str(), event.headers.int(VERSION)), (kind, Some(version)));
        }
        assert_eq!(updated.updated(&details), None, "the same again is no change");
    }

    #[test]
    fn of_a_deleted_owner_nothing_personal_is_left() {
        let left = bson::serialize_to_document(&owner().deleted()).unwrap().to_string();
        assert!(!left.contains("Grace") && !left.contains("Harbour"), "{left}");
    }
}
