//! The collection of users. The newest event about a user decides; what is older changes nothing.

use bson::{DateTime, Document, doc};
use contracts::users::{UserEvent, UserState};
use futures_util::TryStreamExt;
use messaging::{Failure, FailureKind};
use mongodb::error::Error;
use mongodb::{Collection, Database, IndexModel};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::mongodb::{failure, in_time, update_each};
use super::{check_length, unversioned_is_beaten};

const COLLECTION: &str = "users";

/// Far more than the producer accepts.
const MAX_CHARS: usize = 10_000;

/// A user, as the read side knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// Identifies the user.
    pub user_id: Uuid,
    /// Name.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// When the user was created, to the millisecond.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When the user was last changed, to the millisecond.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// Rises with each change.
    pub version: i64,
}

impl User {
    /// The state that an event carries. Times are cut to what MongoDB keeps, so that both stores answer alike.
    pub fn new(state: &UserState, version: i64) -> Self {
        Self {
            user_id: state.user_id,
            name: state.name.clone(),
            email: state.email.clone(),
            created_at: from_bson(to_bson(state.created_at)),
            updated_at: from_bson(to_bson(state.updated_at)),
            version,
        }
    }
}

/// Whether the stores can hold the state of a user.
pub fn check(event: &UserEvent) -> Result<(), Failure> {
    let Some(state) = event.state() else { return Ok(()) };
    check_length("name", &state.name, MAX_CHARS)?;
    check_length("email", &state.email, MAX_CHARS)
}

/// A user's document.
#[derive(Debug, Deserialize)]
struct Stored {
    #[serde(rename = "_id")]
    id: String,
    name: String,
    email: String,
    created_at: DateTime,
    updated_at: DateTime,
    version: i64,
}

impl TryFrom<Stored> for User {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<Self, Error> {
        Ok(Self {
            user_id: stored
                .id
                .parse()
                .map_err(|_| Error::custom(format!("`{}` is not the id of a user", stored.id)))?,
            name: stored.name,
            email: stored.email,
            created_at: from_bson(stored.created_at),
            updated_at: from_bson(stored.updated_at),
            version: stored.version,
        })
    }
}

/// A page of users.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserPage {
    /// The users, in the order of their ids.
    pub users: Vec<User>,
    /// What to ask the next page with, as `after`; null on the last one.
    pub next: Option<String>,
}

/// The collection. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Users {
    database: Database,
    collection: Collection<Stored>,
}

impl Users {
    /// The collection in this database.
    pub fn new(database: &Database) -> Self {
        Self { database: database.clone(), collection: database.collection(COLLECTION) }
    }

    /// Creates the indexes that the reads need.
    pub async fn create_indexes(&self) -> Result<(), Error> {
        let collection = self.collection.clone();
        let live_by_id = IndexModel::builder().keys(doc! { "deleted": 1, "_id": 1 }).build();
        in_time(async move { collection.create_index(live_by_id).await }).await.map(drop)
    }

    /// Applies events with their versions in one bulk write; the verdicts are in their order.
    pub async fn apply(&self, events: &[(&UserEvent, i64)]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let mut verdicts: Vec<Result<(), Failure>> = events.iter().map(|(event, _)| check(event)).collect();
        let sound: Vec<usize> = (0..events.len()).filter(|&i| verdicts[i].is_ok()).collect();
        let write = |upsert: bool| move |&i: &usize| update(events[i].0, events[i].1, upsert);

        let failed = update_each(&self.database, COLLECTION, sound.iter().map(write(true)).collect()).await?;
        let (taken, failed): (Vec<_>, Vec<_>) = failed.into_iter().partition(|error| error.id_is_taken);
        for error in failed {
            set(&mut verdicts, sound.get(error.index), error.failure());
        }

        // An upsert that finds no older version tries to insert, and finds the key taken: by a newer version, or by an
        // older one that another consumer has inserted at this very moment. The same update without inserting tells.
        let again: Vec<usize> = taken.iter().filter_map(|error| sound.get(error.index).copied()).collect();
        let failed = update_each(&self.database, COLLECTION, again.iter().map(write(false)).collect()).await?;
        for error in failed {
            set(&mut verdicts, again.get(error.index), error.failure());
        }
        self.refuse_unversioned(events, &again, &mut verdicts).await.map_err(|error| failure(&error))?;
        Ok(verdicts)
    }

    /// Of the events that found a document already, refuses those without a version where the document has one.
    async fn refuse_unversioned(
        &self,
        events: &[(&UserEvent, i64)],
        found: &[usize],
        verdicts: &mut [Result<(), Failure>],
    ) -> Result<(), Error> {
        for &i in found.iter().filter(|&&i| events[i].1 == 0) {
            let collection = self.collection.clone_with_type::<Document>();
            let versioned = doc! { "_id": events[i].0.user_id().to_string(), "version": { "$gt": 0 } };
            if in_time(async move { collection.find_one(versioned).await }).await?.is_some() {
                verdicts[i] = Err(unversioned_is_beaten());
            }
        }
        Ok(())
    }

    /// One user, unless it is deleted.
    pub async fn get(&self, id: Uuid) -> Result<Option<User>, Error> {
        let collection = self.collection.clone();
        let filter = doc! { "_id": id.to_string(), "deleted": false };
        let found = in_time(async move { collection.find_one(filter).await }).await?;
        found.map(User::try_from).transpose()
    }

    /// Users in the order of their ids, after the given one.
    pub async fn page(&self, after: Option<String>, limit: u32) -> Result<UserPage, Error> {
        let mut filter = doc! { "deleted": false };
        if let Some(after) = after {
            filter.insert("_id", doc! { "$gt": after });
        }
        let collection = self.collection.clone();
        // One more than asked for tells whether there is a next page.
        let found = async move {
            let found = collection.find(filter).sort(doc! { "_id": 1 }).limit(i64::from(limit) + 1).await?;
            found.try_collect::<Vec<_>>().await
        };
        let mut users: Vec<User> =
            in_time(found).await?.into_iter().map(User::try_from).collect::<Result<_, Error>>()?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = users.len() > limit;
        users.truncate(limit);
        let next = users.last().filter(|_| more).map(|last| last.user_id.to_string());
        Ok(UserPage { users, next })
    }
}

fn set(verdicts: &mut [Result<(), Failure>], index: Option<&usize>, failure: Failure) {
    debug_assert_ne!(failure.kind, FailureKind::Unavailable, "that is about the whole batch");
    if let Some(verdict) = index.and_then(|&index| verdicts.get_mut(index)) {
        *verdict = Err(failure);
    }
}

fn update(event: &UserEvent, version: i64, upsert: bool) -> Document {
    let state = match event.state() {
        Some(state) => doc! { "$set": {
            "name": &state.name,
            "email": &state.email,
            "created_at": to_bson(state.created_at),
            "updated_at": to_bson(state.updated_at),
            "version": version,
            "deleted": false,
        } },
        // What is left of a deleted user is only what keeps an older event from bringing it back.
        None => doc! {
            "$set": { "updated_at": to_bson(deleted_at(event)), "version": version, "deleted": true },
            "$unset": { "name": "", "email": "", "created_at": "" },
        },
    };
    // What has version 0 was published by hand and gives way to anything.
    let older = doc! { "_id": event.user_id().to_string(), "version": { "$lt": version.max(1) } };
    doc! { "q": older, "u": state, "upsert": upsert }
}

fn deleted_at(event: &UserEvent) -> OffsetDateTime {
    match event {
        UserEvent::Deleted(deleted) => deleted.deleted_at,
        UserEvent::Created(created) => created.0.updated_at,
        UserEvent::Updated(updated) => updated.0.updated_at,
    }
}

fn to_bson(time: OffsetDateTime) -> DateTime {
    DateTime::from_millis(i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000)).unwrap_or_default())
}

fn from_bson(time: DateTime) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.timestamp_millis()) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
