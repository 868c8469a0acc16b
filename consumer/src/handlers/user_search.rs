//! `user_search`: makes users searchable.

use contracts::users::UserEvent;
use messaging::{Delivery, Failure, HandleBatch};

use super::version;
use crate::search::Search;

/// Applies events about users to their index.
#[derive(Debug)]
pub struct FindUsers(pub Search);

impl HandleBatch<UserEvent> for FindUsers {
    async fn handle_batch(&self, batch: &[Delivery<UserEvent>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let events: Vec<_> = batch.iter().map(|delivery| (&delivery.payload, version(&delivery.meta))).collect();
        self.0.apply_users(&events).await
    }
}
