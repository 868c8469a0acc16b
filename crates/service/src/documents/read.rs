//! One of them, or a page.

use bson::{Bson, Document, doc};
use futures_util::TryStreamExt;
use uuid::Uuid;

use super::{Aggregate, Documents, by_id, failed, in_time, state_alone};
use crate::http::Limit;
use crate::{ApiError, ApiResult};

impl<T: Aggregate> Documents<T> {
    /// What is stored under this id, be it a tombstone.
    ///
    /// # Errors
    /// If MongoDB does not answer.
    pub async fn find(&self, id: Uuid) -> ApiResult<Option<T>> {
        let collection = self.collection.clone();
        in_time(async move { collection.find_one(by_id(id)).projection(state_alone()).await }).await.map_err(failed)
    }

    /// The one with this id.
    ///
    /// # Errors
    /// 404 if there is none, or it was deleted.
    pub async fn get(&self, id: Uuid) -> ApiResult<T> {
        self.find(id).await?.filter(|found| !found.is_deleted()).ok_or_else(not_found::<T>)
    }

    /// A page of those that the filter lets pass and that are not deleted, in the order of their ids, and where the next page
    /// begins, if there is one.
    ///
    /// # Errors
    /// If MongoDB does not answer.
    pub async fn page(
        &self,
        mut filter: Document,
        after: Option<Uuid>,
        limit: Limit,
    ) -> ApiResult<(Vec<T>, Option<Uuid>)> {
        // Matches what has no such field, too.
        filter.insert("deleted_at", Bson::Null);
        if let Some(after) = after {
            filter.insert("_id", doc! { "$gt": after.to_string() });
        }
        let collection = self.collection.clone();
        let found = in_time(async move {
            let found = collection.find(filter).projection(state_alone()).sort(doc! { "_id": 1 });
            let found = found.limit(limit.with_one_more()).await?;
            found.try_collect::<Vec<T>>().await
        });
        let mut found = found.await.map_err(failed)?;
        let next = limit.cut(&mut found).map(T::id);
        Ok((found, next))
    }
}

pub(super) fn not_found<T: Aggregate>() -> ApiError {
    ApiError::not_found(format!("there is no {} with this id", T::NAME))
}
