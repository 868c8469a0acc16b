//! `user_preferences`: keeps what users prefer in MongoDB.

use contracts::users::UserEvent;
use messaging::{Delivery, Failure, HandleBatch};

use super::version;
use crate::stores::preferences::{Preferences, Received};

/// Applies events about users to their preferences.
#[derive(Debug)]
pub struct KeepPreferences(pub Preferences);

impl HandleBatch<UserEvent> for KeepPreferences {
    async fn handle_batch(&self, batch: &[Delivery<UserEvent>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let events: Vec<_> = batch
            .iter()
            .map(|Delivery { meta, payload }| Received {
                event: payload,
                version: version(meta),
                source: meta.app_id.as_deref(),
            })
            .collect();
        self.0.apply(&events).await
    }
}
