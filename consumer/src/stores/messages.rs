//! The collection of texts that were sent. Each is stored once, by the id of its message.

use bson::{DateTime, Document, doc};
use futures_util::TryStreamExt;
use messaging::{Failure, Meta};
use mongodb::error::Error;
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::mongodb::{in_time, update_each};

const COLLECTION: &str = "messages";

/// One command must stay well below what MongoDB reads at once (48 MB).
const COMMAND_BYTES: usize = 16 * 1024 * 1024;

/// A stored text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StoredMessage {
    /// The id of the message that brought it.
    pub id: String,
    /// The text.
    pub message: String,
    /// When it was stored, by the consumer's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub received_at: OffsetDateTime,
    /// The task it belongs to, if it came through the producer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
}

/// A text's document.
#[derive(Debug, Deserialize)]
struct Stored {
    #[serde(rename = "_id")]
    id: String,
    message: String,
    received_at: DateTime,
    task_id: Option<String>,
}

impl From<Stored> for StoredMessage {
    fn from(stored: Stored) -> Self {
        let millis = i128::from(stored.received_at.timestamp_millis());
        Self {
            id: stored.id,
            message: stored.message,
            received_at: OffsetDateTime::from_unix_timestamp_nanos(millis * 1_000_000)
                .unwrap_or(OffsetDateTime::UNIX_EPOCH),
            task_id: stored.task_id,
        }
    }
}

/// A page of texts.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessagePage {
    /// The texts, in the order in which they were sent.
    pub messages: Vec<StoredMessage>,
    /// What to ask the next page with, as `after`; null on the last one.
    pub next: Option<String>,
}

/// The collection. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Messages {
    database: Database,
    collection: Collection<Stored>,
}

impl Messages {
    /// The collection in this database.
    pub fn new(database: &Database) -> Self {
        Self { database: database.clone(), collection: database.collection(COLLECTION) }
    }

    /// Stores texts that are not there yet; the verdicts are in their order.
    pub async fn insert(&self, texts: &[(&Meta, &str)]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let mut verdicts = Vec::with_capacity(texts.len());
        let mut rest = texts;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(fitting(rest));
            verdicts.extend(self.insert_at_once(now).await?);
            rest = later;
        }
        Ok(verdicts)
    }

    async fn insert_at_once(&self, texts: &[(&Meta, &str)]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let received_at = DateTime::now();
        let updates = texts.iter().map(|(meta, text)| insert(meta, text, received_at)).collect();
        let mut verdicts = vec![Ok(()); texts.len()];
        for error in update_each(&self.database, COLLECTION, updates).await? {
            // Another consumer has stored the same message at this very moment: it is there.
            if !error.id_is_taken
                && let Some(verdict) = verdicts.get_mut(error.index)
            {
                *verdict = Err(error.failure());
            }
        }
        Ok(verdicts)
    }

    /// Texts in the order of their ids, after the given one.
    pub async fn page(&self, after: Option<String>, limit: u32) -> Result<MessagePage, Error> {
        let filter = after.map_or_else(Document::new, |after| doc! { "_id": { "$gt": after } });
        let collection = self.collection.clone();
        // One more than asked for tells whether there is a next page.
        let found = async move {
            let found = collection.find(filter).sort(doc! { "_id": 1 }).limit(i64::from(limit) + 1).await?;
            found.try_collect::<Vec<_>>().await
        };
        let mut messages: Vec<StoredMessage> = in_time(found).await?.into_iter().map(Into::into).collect();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = messages.len() > limit;
        messages.truncate(limit);
        let next = messages.last().filter(|_| more).map(|last| last.id.clone());
        Ok(MessagePage { messages, next })
    }
}

/// How many of the texts go into one command; at least one.
fn fitting(texts: &[(&Meta, &str)]) -> usize {
    let mut bytes = 0;
    texts
        .iter()
        .take_while(|(_, text)| {
            bytes += text.len();
            bytes <= COMMAND_BYTES
        })
        .count()
        .max(1)
}

fn insert(meta: &Meta, text: &str, received_at: DateTime) -> Document {
    let mut stored = doc! { "message": text, "received_at": received_at };
    if let Some(task) = meta.headers.text(contracts::headers::TASK_ID) {
        stored.insert("task_id", task);
    }
    doc! { "q": { "_id": meta.id.to_string() }, "u": { "$setOnInsert": stored }, "upsert": true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_split_into_commands_that_mongodb_reads() {
        let meta = Meta::default();
        let text = "x".repeat(COMMAND_BYTES / 2);
        assert_eq!(fitting(&[(&meta, &text), (&meta, &text), (&meta, &text)]), 2);
        let huge = "x".repeat(COMMAND_BYTES * 2);
        assert_eq!(fitting(&[(&meta, &huge), (&meta, "small")]), 1);
    }
}
