//! `user_tasks`: keeps the users in MongoDB.

use contracts::users::UserEvent;
use messaging::{Delivery, Failure, HandleBatch};

use super::version;
use crate::stores::users::Users;

/// Applies events about users to their documents.
#[derive(Debug)]
pub struct KeepUsers(pub Users);

impl HandleBatch<UserEvent> for KeepUsers {
    async fn handle_batch(&self, batch: &[Delivery<UserEvent>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let events: Vec<_> = batch.iter().map(|delivery| (&delivery.payload, version(&delivery.meta))).collect();
        self.0.apply(&events).await
    }
}
