//! The collection of users. The newest event about a user decides; what is older changes nothing.

use std::collections::HashSet;

use bson::{DateTime, Document, doc};
use contracts::users::{UserEvent, UserState};
use futures_util::TryStreamExt;
use messaging::Failure;
use messaging::documents::ensure_indexes;
use mongodb::error::Error;
use mongodb::{Collection, Database, IndexModel};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::check_length;
use super::mongodb::in_time;
use super::versioned::{self, Change, Held};

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
            user_id: user_id(&stored.id)?,
            name: stored.name,
            email: stored.email,
            created_at: from_bson(stored.created_at),
            updated_at: from_bson(stored.updated_at),
            version: stored.version,
        })
    }
}

/// A user or a tombstone, with no more than a search needs.
#[derive(Debug, Deserialize)]
struct Mark {
    #[serde(rename = "_id")]
    id: String,
    name: Option<String>,
    email: Option<String>,
    version: i64,
    deleted: bool,
}

/// What is known of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Identifies the user.
    pub user_id: Uuid,
    /// The newest version.
    pub version: i64,
    /// Name and e-mail address; none if the user was deleted.
    pub user: Option<(String, String)>,
}

impl TryFrom<Mark> for Known {
    type Error = Error;

    fn try_from(mark: Mark) -> Result<Self, Error> {
        let user_id = user_id(&mark.id)?;
        let user = mark.name.zip(mark.email).filter(|_| !mark.deleted);
        Ok(Self { user_id, version: mark.version, user })
    }
}

fn user_id(text: &str) -> Result<Uuid, Error> {
    text.parse().map_err(|_| Error::custom(format!("`{text}` is not the id of a user")))
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
        let live_by_id = IndexModel::builder().keys(doc! { "deleted": 1, "_id": 1 }).build();
        ensure_indexes(&self.collection, [live_by_id]).await
    }

    /// Applies events with their versions in one bulk write; the verdicts are in their order.
    pub async fn apply(&self, events: &[(&UserEvent, i64)]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let change = |&(event, version): &(&UserEvent, i64)| {
            check(event)?;
            Ok(Change { user_id: event.user_id(), version, update: update(event, version) })
        };
        versioned::apply(&self.database, COLLECTION, events.iter().map(change).collect()).await
    }

    /// Which of the users are known to be deleted.
    pub async fn deleted_among(&self, users: &[Uuid]) -> Result<HashSet<Uuid>, Error> {
        versioned::matching(&self.database, COLLECTION, users, doc! { "deleted": true }).await
    }

    /// What is held of a user, be it only that it was deleted.
    pub async fn held(&self, id: Uuid) -> Result<Option<Held>, Error> {
        versioned::held(&self.database, COLLECTION, id).await
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

    /// All that is known in the order of the ids, after the given one: also which users were deleted.
    pub async fn known(&self, after: Option<Uuid>, limit: u32) -> Result<Vec<Known>, Error> {
        let filter = after.map_or_else(Document::new, |after| doc! { "_id": { "$gt": after.to_string() } });
        let collection = self.collection.clone_with_type::<Mark>();
        let found = async move {
            let found = collection.find(filter).sort(doc! { "_id": 1 }).limit(i64::from(limit)).await?;
            found.try_collect::<Vec<_>>().await
        };
        in_time(found).await?.into_iter().map(Known::try_from).collect()
    }

    /// How many are known, about; the deleted ones count.
    pub async fn count(&self) -> Result<u64, Error> {
        let collection = self.collection.clone();
        in_time(async move { collection.estimated_document_count().await }).await
    }
}

fn update(event: &UserEvent, version: i64) -> Document {
    match event.state() {
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
    }
}

fn deleted_at(event: &UserEvent) -> OffsetDateTime {
    match event {
        UserEvent::Deleted(deleted) => deleted.deleted_at,
        UserEvent::Created(created) => created.0.updated_at,
        UserEvent::Updated(updated) => updated.0.updated_at,
    }
}

pub(super) fn to_bson(time: OffsetDateTime) -> DateTime {
    DateTime::from_millis(i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000)).unwrap_or_default())
}

fn from_bson(time: DateTime) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.timestamp_millis()) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
