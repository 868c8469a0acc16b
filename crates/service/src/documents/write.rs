//! Creating and changing, each with its messages in one single-document write.

use bson::{Bson, Document, doc};
use messaging::Outgoing;
use messaging::documents::Entry;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use uuid::Uuid;

use super::claim::{Claim, FIELD};
use super::failed::is_duplicate;
use super::read::not_found;
use super::{Aggregate, Documents, MOST_WAITING, WhenFull, by_id, failed, in_time};
use crate::http::RequestIds;
use crate::{ApiError, ApiResult};

/// How often a change is tried that others come before.
const TRIES: usize = 20;

/// A change that was decided on.
#[derive(Clone, Debug)]
pub struct Change<T> {
    /// What comes of it, with the next version.
    pub to: T,
    /// The messages that tell of it.
    pub messages: Vec<Outgoing>,
}

impl<T: Aggregate> Change<T> {
    /// A change that is told by the event of what comes of it.
    pub fn to(to: T) -> Self {
        Self { messages: to.event().into_iter().collect(), to }
    }

    /// As a part of what a client asked for.
    #[must_use]
    pub fn caused_by(self, ids: &RequestIds) -> Self {
        let caused = |message: Outgoing| message.with_correlation_id(ids.correlation_id());
        Self { messages: self.messages.into_iter().map(caused).collect(), ..self }
    }
}

impl<T: Aggregate> Documents<T> {
    /// Stores something new, with its messages. Returns `answer`, or the first one if the request has been sent before.
    ///
    /// # Errors
    /// 422 if another request was sent under the same key; 409 if the id is taken.
    pub async fn create<A: Serialize + DeserializeOwned>(
        &self,
        new: Change<T>,
        claim: Option<Claim>,
        answer: A,
    ) -> ApiResult<A> {
        let Change { to: new, messages } = new;
        let entries = entries(messages);
        let mut document = to_document(&new)?;
        document.insert("outbox", to_bson(&entries));
        let insert = Uuid::now_v7().to_string();
        let created_with = match &claim {
            Some(claim) => bson::serialize_to_bson(claim).map_err(anyhow::Error::new)?,
            None => doc! { "insert": &insert }.into(),
        };
        document.insert(FIELD, created_with);
        for _ in 0..TRIES {
            let (collection, inserted) = (self.raw(), document.clone());
            match in_time(async move { collection.insert_one(inserted).await }).await {
                Ok(_) => {
                    self.outbox.written(new.id().to_string(), &entries);
                    return Ok(answer);
                }
                Err(error) if is_duplicate(&error) => {}
                Err(error) => return Err(failed(error)),
            }
            let Some(claim) = &claim else {
                if self.has_inserted(new.id(), insert).await? {
                    self.outbox.written(new.id().to_string(), &entries);
                    return Ok(answer);
                }
                break;
            };
            if let Some(first) = self.answer_before(claim).await? {
                return Ok(first);
            }
        }
        Err(ApiError::conflict(format!("there is a {} with this id already", T::NAME)))
    }

    /// Changes what has this id by what is decided on its present state: as often as others come before, and with what they have
    /// made of it. `None` changes nothing. Returns the state after it.
    ///
    /// # Errors
    /// What was decided; 404 if it is not there, 503 if too many others come before, or too many messages wait.
    pub async fn change(&self, id: Uuid, mut decide: impl FnMut(&T) -> ApiResult<Option<Change<T>>>) -> ApiResult<T> {
        let mut last = 0;
        for _ in 0..TRIES {
            let present = self.get(id).await?;
            if present.version() == last {
                return Err(busy("too many messages of it wait to be sent"));
            }
            last = present.version();
            let Some(change) = decide(&present)? else { return Ok(present) };
            if self.replace(&present, &change.to, change.messages).await? {
                return Ok(change.to);
            }
        }
        // They have all had their turn.
        Err(busy("it is being changed by too many others"))
    }

    /// Writes what became of `present`, if nobody came before. Whether it did.
    ///
    /// # Errors
    /// If MongoDB does not answer: then it may have been written.
    pub async fn replace(&self, present: &T, next: &T, messages: Vec<Outgoing>) -> ApiResult<bool> {
        debug_assert!(next.version() == present.version() + 1 && next.id() == present.id(), "a change is one version");
        if present.is_deleted() {
            return Err(not_found::<T>());
        }
        let entries = entries(messages);
        let mut filter = by_id(present.id());
        filter.insert("version", present.version());
        let mut push = doc! { "$each": to_bson(&entries) };
        match T::WHEN_FULL {
            WhenFull::DropOldest => push.insert("$slice", -MOST_WAITING),
            WhenFull::Refuse => filter.insert(format!("outbox.{}", MOST_WAITING - 1), doc! { "$exists": false }),
        };
        let mut update = difference(&to_document(present)?, to_document(next)?);
        update.insert("$push", doc! { "outbox": push });
        let collection = self.raw();
        let updated = in_time(async move { collection.update_one(filter, update).await }).await.map_err(failed)?;
        if updated.matched_count == 0 {
            return Ok(false);
        }
        self.outbox.written(next.id().to_string(), &entries);
        Ok(true)
    }

    /// The first answer to a request that was sent before under the same key, whatever it was checked against then; a claim that
    /// is over is removed.
    ///
    /// # Errors
    /// 422 if another request was sent under the same key.
    pub async fn answer_before<A: DeserializeOwned>(&self, claim: &Claim) -> ApiResult<Option<A>> {
        let Some(before) = self.claimed(claim).await? else { return Ok(None) };
        if before.is_over() {
            return self.forget(before).await.map(|()| None);
        }
        let answer = serde_json::from_str(before.answer_to(claim)?);
        answer.map(Some).map_err(|error| ApiError::internal(anyhow::Error::new(error)))
    }

    /// Whether what has this id was written by this very insert. The driver repeats one whose answer was lost, and then finds the id
    /// taken if the server does not know it again.
    async fn has_inserted(&self, id: Uuid, insert: String) -> ApiResult<bool> {
        let (collection, mut filter) = (self.raw(), by_id(id));
        filter.insert("created_with.insert", insert);
        let found = in_time(async move { collection.find_one(filter).projection(doc! { "_id": 1 }).await });
        Ok(found.await.map_err(failed)?.is_some())
    }

    async fn claimed(&self, claim: &Claim) -> ApiResult<Option<Claim>> {
        let (collection, filter) = (self.raw(), doc! { "created_with.key": &claim.key });
        let found = in_time(async move { collection.find_one(filter).projection(doc! { FIELD: 1 }).await });
        let Some(mut found) = found.await.map_err(failed)? else { return Ok(None) };
        let claim = found.remove(FIELD).unwrap_or_default();
        bson::deserialize_from_bson(claim).map(Some).map_err(|error| ApiError::internal(anyhow::Error::new(error)))
    }

    async fn forget(&self, claim: Claim) -> ApiResult<()> {
        let (collection, filter) = (self.raw(), claim.filter());
        let forgetting = async move { collection.update_one(filter, doc! { "$unset": { FIELD: "" } }).await };
        in_time(forgetting).await.map(drop).map_err(failed)
    }
}

/// The messages as they lie in their document, for a write that is a service's own.
pub(super) fn entries(messages: Vec<Outgoing>) -> Vec<Entry> {
    messages.into_iter().map(Entry::new).collect()
}

pub(super) fn to_bson(entries: &[Entry]) -> Vec<Bson> {
    entries.iter().cloned().map(Bson::from).collect()
}

fn to_document<T: Aggregate>(aggregate: &T) -> ApiResult<Document> {
    bson::serialize_to_document(aggregate).map_err(|error| ApiError::internal(anyhow::Error::new(error)))
}

/// Sets all that there is, and unsets what is there no more. What belongs to others stays.
fn difference(present: &Document, mut next: Document) -> Document {
    let gone: Document =
        present.keys().filter(|key| !next.contains_key(key)).map(|key| (key.clone(), Bson::from(""))).collect();
    next.remove("_id");
    let mut update = doc! { "$set": next };
    if !gone.is_empty() {
        update.insert("$unset", gone);
    }
    update
}

fn busy(detail: &str) -> ApiError {
    ApiError::unavailable(detail, Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_gone_is_removed_and_what_belongs_to_others_is_not_named() {
        let update = difference(&doc! { "_id": "1", "a": 1, "b": 2 }, doc! { "_id": "1", "a": 1, "c": 3 });
        assert_eq!(update, doc! { "$set": { "a": 1, "c": 3 }, "$unset": { "b": "" } });
        assert_eq!(difference(&doc! { "a": 1 }, doc! { "a": 2 }), doc! { "$set": { "a": 2 } });
    }
}
