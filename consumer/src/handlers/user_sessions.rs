//! `user_sessions`: keeps sessions and cached profiles in Redis.

use contracts::users::UserEvent;
use messaging::{Delivery, Failure, HandleBatch};

use super::version;
use crate::stores::profiles::Profiles;

/// Applies events about users to their sessions and profiles.
#[derive(Debug)]
pub struct KeepSessions(pub Profiles);

impl HandleBatch<UserEvent> for KeepSessions {
    async fn handle_batch(&self, batch: &[Delivery<UserEvent>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let events: Vec<_> = batch.iter().map(|delivery| (&delivery.payload, version(&delivery.meta))).collect();
        self.0.apply(&events).await
    }
}
