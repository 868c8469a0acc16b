//! Owners.

use contracts::owners::OwnerState;

use super::{Malformed, instant, timestamp, uuid};
use crate::v1;

impl From<OwnerState> for v1::Owner {
    fn from(owner: OwnerState) -> Self {
        Self {
            owner_id: owner.owner_id.to_string(),
            first_name: owner.first_name,
            last_name: owner.last_name,
            email: owner.email,
            address: owner.address,
            created_by: owner.created_by.to_string(),
            version: owner.version,
            created_at: Some(timestamp(owner.created_at)),
            updated_at: Some(timestamp(owner.updated_at)),
        }
    }
}

impl TryFrom<v1::Owner> for OwnerState {
    type Error = Malformed;

    fn try_from(owner: v1::Owner) -> Result<Self, Malformed> {
        Ok(Self {
            owner_id: uuid("owner_id", &owner.owner_id)?,
            first_name: owner.first_name,
            last_name: owner.last_name,
            email: owner.email,
            address: owner.address,
            created_by: uuid("created_by", &owner.created_by)?,
            version: owner.version,
            created_at: instant("created_at", owner.created_at)?,
            updated_at: instant("updated_at", owner.updated_at)?,
        })
    }
}
