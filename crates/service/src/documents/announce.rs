//! Telling of a present state again, for somebody who has missed it.

use bson::doc;

use super::write::{entries, to_bson};
use super::{Aggregate, Change, Documents, by_id, failed, in_time};
use crate::ApiResult;

impl<T: Aggregate> Documents<T> {
    /// Tells once more of what has not changed, unless a message of this kind waits to be sent anyway, or others have changed it:
    /// then they tell of that.
    ///
    /// # Errors
    /// If MongoDB does not answer.
    pub async fn announce(&self, present: Change<T>) -> ApiResult<()> {
        let Change { to: present, messages } = present;
        let kinds: Vec<_> = messages.iter().map(|message| message.kind.clone()).collect();
        let mut filter = by_id(present.id());
        filter.insert("version", present.version());
        filter.insert("outbox.kind", doc! { "$nin": kinds });
        let entries = entries(messages);
        let push = doc! { "$push": { "outbox": { "$each": to_bson(&entries) } } };
        let collection = self.raw();
        let updated = in_time(async move { collection.update_one(filter, push).await }).await.map_err(failed)?;
        if updated.matched_count == 1 {
            self.outbox().written(present.id().to_string(), &entries);
        }
        Ok(())
    }
}
