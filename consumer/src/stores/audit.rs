//! The collection in which it is written down what admins do, before they do it, and what others tried.

use bson::{Bson, DateTime, Document, doc};
use futures_util::TryStreamExt;
use mongodb::error::Error;
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::http::Limit;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::mongodb::in_time;

const COLLECTION: &str = "audit";

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It began. If this is all that is known later, the process was killed.
    Started,
    /// It was done.
    Done,
    /// It ended before all was done; the report says why.
    Interrupted,
    /// Nothing was done; the report says why.
    Failed,
    /// Somebody without the right tried it.
    Refused,
}

/// Something that an admin did, or somebody else tried.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Entry {
    /// Its id.
    pub id: Uuid,
    /// What it was: `redrive`, `purge` …
    #[schema(example = "redrive")]
    pub action: String,
    /// What it was done to.
    #[schema(example = "user_tasks")]
    pub queue: Option<String>,
    /// The user who did it.
    pub by: Uuid,
    /// The session in which it was done.
    pub session_id: Uuid,
    /// When, by the consumer's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How it went.
    pub outcome: Outcome,
    /// What was asked for.
    pub request: Value,
    /// What came of it.
    pub report: Option<Value>,
}

/// An entry's document.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    _id: String,
    action: String,
    queue: Option<String>,
    by: String,
    session_id: String,
    at: DateTime,
    outcome: Outcome,
    request: String,
    report: Option<String>,
}

/// The collection. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Audit {
    collection: Collection<Stored>,
}

impl Audit {
    /// The collection in this database.
    pub fn new(database: &Database) -> Self {
        Self { collection: database.collection(COLLECTION) }
    }

    /// Writes it down.
    pub async fn write(&self, entry: &Entry) -> Result<(), Error> {
        let (collection, stored) = (self.collection.clone(), Stored::of(entry));
        in_time(async move { collection.insert_one(stored).await.map(drop) }).await
    }

    /// Adds how it went.
    pub async fn finish(&self, id: Uuid, outcome: Outcome, report: &Value) -> Result<(), Error> {
        let collection = self.collection.clone();
        let change = doc! { "$set": { "outcome": to_bson(outcome), "report": report.to_string() } };
        in_time(async move { collection.update_one(doc! { "_id": id.to_string() }, change).await.map(drop) }).await
    }

    /// Entries, the newest first; and where the next page begins.
    pub async fn page(&self, after: Option<Uuid>, limit: Limit) -> Result<(Vec<Entry>, Option<Uuid>), Error> {
        let filter = after.map_or_else(Document::new, |after| doc! { "_id": { "$lt": after.to_string() } });
        let collection = self.collection.clone();
        let found = async move {
            let found = collection.find(filter).sort(doc! { "_id": -1 }).limit(limit.with_one_more()).await?;
            found.try_collect::<Vec<_>>().await
        };
        let mut entries: Vec<Entry> = in_time(found).await?.into_iter().map(Into::into).collect();
        let next = limit.cut(&mut entries).map(|last| last.id);
        Ok((entries, next))
    }
}

impl Stored {
    fn of(entry: &Entry) -> Self {
        Self {
            _id: entry.id.to_string(),
            action: entry.action.clone(),
            queue: entry.queue.clone(),
            by: entry.by.to_string(),
            session_id: entry.session_id.to_string(),
            at: DateTime::from_millis(i64::try_from(entry.at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)),
            outcome: entry.outcome,
            // As a text: what somebody asked for may have names that MongoDB takes for its own.
            request: entry.request.to_string(),
            report: entry.report.as_ref().map(Value::to_string),
        }
    }
}

impl From<Stored> for Entry {
    fn from(stored: Stored) -> Self {
        let id = |text: &str| Uuid::parse_str(text).unwrap_or_default();
        let json = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
        let nanos = i128::from(stored.at.timestamp_millis()) * 1_000_000;
        Self {
            id: id(&stored._id),
            action: stored.action,
            queue: stored.queue,
            by: id(&stored.by),
            session_id: id(&stored.session_id),
            at: OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH),
            outcome: stored.outcome,
            request: json(stored.request),
            report: stored.report.map(json),
        }
    }
}

fn to_bson(outcome: Outcome) -> Bson {
    bson::serialize_to_bson(&outcome).expect("a name always has a BSON form")
}
