//! Documents that the newest message decides about: what is older changes nothing, in whatever order it comes.

use std::collections::HashSet;

use bson::{Bson, Document, doc};
use messaging::{Failure, FailureKind};
use mongodb::error::Error;
use mongodb::{Collection, Database};
use serde_json::Value;
use uuid::Uuid;

use super::json::to_json;
use super::mongodb::{failure, in_time, update_each};
use super::unversioned_is_beaten;

/// A change of a user's document. It sets `version` and `deleted` beside what it is about.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) user_id: Uuid,
    pub(super) version: i64,
    pub(super) update: Document,
}

impl Change {
    fn command(&self, upsert: bool) -> Document {
        // What has version 0 was published by hand and gives way to anything.
        let older = doc! { "_id": self.user_id.to_string(), "version": { "$lt": self.version.max(1) } };
        doc! { "q": older, "u": &self.update, "upsert": upsert }
    }
}

/// What a store holds of a user.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The version of the newest change that it knows.
    pub version: Option<i64>,
    /// Whether that was the deletion.
    pub deleted: bool,
    /// The rest.
    pub data: Value,
}

/// Applies changes in one bulk write; the verdicts are in their order. What cannot be changed so is its verdict already.
pub(super) async fn apply(
    database: &Database,
    collection: &str,
    changes: Vec<Result<Change, Failure>>,
) -> Result<Vec<Result<(), Failure>>, Failure> {
    let mut verdicts = Vec::with_capacity(changes.len());
    let mut sound = Vec::with_capacity(changes.len());
    for (i, change) in changes.into_iter().enumerate() {
        verdicts.push(change.map(|change| sound.push((i, change))));
    }
    let upserts = sound.iter().map(|(_, change)| change.command(true)).collect();
    let failed = update_each(database, collection, upserts).await?;
    let (taken, failed): (Vec<_>, Vec<_>) = failed.into_iter().partition(|error| error.id_is_taken);
    for error in failed {
        set(&mut verdicts, sound.get(error.index), error.failure());
    }

    // An upsert that finds no older version tries to insert, and finds the key taken: by a newer version, or by an older
    // one that another consumer has inserted at this very moment. The same update without inserting tells.
    let again: Vec<&(usize, Change)> = taken.iter().filter_map(|error| sound.get(error.index)).collect();
    let updates = again.iter().map(|(_, change)| change.command(false)).collect();
    for error in update_each(database, collection, updates).await? {
        set(&mut verdicts, again.get(error.index).copied(), error.failure());
    }

    // Without a version, they were published by hand: whoever did so is to learn that they changed nothing.
    let unversioned = again.iter().filter(|(_, change)| change.version == 0);
    let ids: Vec<Uuid> = unversioned.clone().map(|(_, change)| change.user_id).collect();
    let beaten = matching(database, collection, &ids, doc! { "version": { "$gt": 0 } }).await;
    let beaten = beaten.map_err(|error| failure(&error))?;
    for change in unversioned.filter(|(_, change)| beaten.contains(&change.user_id)) {
        set(&mut verdicts, Some(change), unversioned_is_beaten());
    }
    Ok(verdicts)
}

fn set(verdicts: &mut [Result<(), Failure>], change: Option<&(usize, Change)>, failure: Failure) {
    debug_assert_ne!(failure.kind, FailureKind::Unavailable, "that is about the whole batch");
    if let Some(verdict) = change.and_then(|(i, _)| verdicts.get_mut(*i)) {
        *verdict = Err(failure);
    }
}

/// Which of the users have a document like this.
pub(super) async fn matching(
    database: &Database,
    collection: &str,
    users: &[Uuid],
    mut filter: Document,
) -> Result<HashSet<Uuid>, Error> {
    if users.is_empty() {
        return Ok(HashSet::new());
    }
    filter.insert("_id", doc! { "$in": users.iter().map(Uuid::to_string).collect::<Vec<_>>() });
    let collection: Collection<Document> = database.collection(collection);
    let found = in_time(async move { all(collection.find(filter).projection(doc! { "_id": 1 }).await?).await }).await?;
    Ok(found.iter().filter_map(|found| found.get_str("_id").ok()?.parse().ok()).collect())
}

/// All documents of a result that is known to be small.
pub(super) async fn all<T>(cursor: mongodb::Cursor<T>) -> Result<Vec<T>, Error>
where
    T: serde::de::DeserializeOwned + Unpin + Send + Sync + 'static,
{
    futures_util::TryStreamExt::try_collect(cursor).await
}

/// What the collection holds of a user, be it only that it was deleted.
pub(super) async fn held(database: &Database, collection: &str, user_id: Uuid) -> Result<Option<Held>, Error> {
    let collection: Collection<Document> = database.collection(collection);
    let found = in_time(async move { collection.find_one(doc! { "_id": user_id.to_string() }).await }).await?;
    Ok(found.map(|mut document| {
        document.remove("_id");
        let version = document.remove("version").as_ref().and_then(Bson::as_i64);
        let deleted = document.remove("deleted").as_ref().and_then(Bson::as_bool).unwrap_or_default();
        Held { version, deleted, data: to_json(Bson::Document(document)) }
    }))
}
