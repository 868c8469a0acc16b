//! `orders.users`: the names of users in their orders, and the end of the open ones with that of their user.

use contracts::headers::VERSION;
use contracts::users::UserEvent;
use messaging::{Delivery, Failure, Handle, HandleBatch};

use super::{Tools, unless_away};

pub(super) struct Follow(pub(super) Tools);

impl HandleBatch<UserEvent> for Follow {
    async fn handle_batch(&self, batch: &[Delivery<UserEvent>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let mut verdicts = Vec::with_capacity(batch.len());
        for delivery in batch {
            verdicts.push(self.handle(delivery).await);
        }
        unless_away(verdicts)
    }
}

impl Handle<UserEvent> for Follow {
    async fn handle(&self, Delivery { meta, payload: event }: &Delivery<UserEvent>) -> Result<(), Failure> {
        if matches!(event, UserEvent::Created(_)) {
            // Nobody has orders before.
            return Ok(());
        }
        // What was published by hand has no version, and gives way to anything.
        let version = meta.headers.int(VERSION).unwrap_or(0).max(0);
        let Tools { orders, known, runner, .. } = &self.0;
        let name = event.state().map(|user| user.name.as_str());
        let cancelled = known.user(orders, event.user_id(), version, name).await?;
        cancelled.iter().for_each(|order| runner.wake(order));
        Ok(())
    }
}
