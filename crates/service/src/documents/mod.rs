//! Aggregates in MongoDB: one document each, which also holds the messages that tell of its changes.
//!
//! A service says what its [`Aggregate`] is, and [`Documents`] does what all of them do: reads and pages, creation that may be
//! repeated under an `Idempotency-Key`, changes under a condition on the version, messages in the same write, replays.
//!
//! In the type of an aggregate
//!
//! - the id is `#[serde(rename = "_id", with = "uuid::serde::hyphenated")]`, and every other id is `with` that as well: ids are
//!   texts in the database,
//! - times are `#[serde(with = "service::documents::instant")]` (or `instant::option`), made by [`now`],
//! - there is a number `version`, from 1,
//! - a tombstone has a `deleted_at`, which is left out before (`skip_serializing_if`, `default`).
//!
//! The fields `outbox` and `created_with` belong to this module.

mod admin;
mod announce;
mod args;
mod claim;
mod declare;
mod failed;
pub mod instant;
mod operation;
mod read;
mod replay;
mod store;
mod write;

use std::fmt;

use bson::{Document, doc};
use messaging::documents::{DocumentOutbox, Relay, RelaySettings, ensure_indexes};
use messaging::{Outgoing, Publisher};
use mongodb::options::IndexOptions;
use mongodb::{Collection, Database, IndexModel};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

pub use admin::{Replayer, admin_router};
pub use args::StoreArgs;
pub use claim::Claim;
pub use declare::declare;
pub use failed::failed;
pub use instant::now;
pub use operation::in_time;
pub use replay::{ReplayFrom, ReplayReport};
pub use store::Store;
pub use write::Change;

/// Something with an identity that changes as a whole, by one write at a time.
pub trait Aggregate: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What one of them is called, for people: `owner`.
    const NAME: &'static str;

    /// What becomes of a change while too many messages of the document wait to be sent.
    const WHEN_FULL: WhenFull;

    /// Identifies it.
    fn id(&self) -> Uuid;

    /// How often it was changed, from 1.
    fn version(&self) -> i64;

    /// Whether this is what a deletion left.
    fn is_deleted(&self) -> bool;

    /// The message that tells of the present state, if there is one, with its version in a header; for replays.
    fn event(&self) -> Option<Outgoing>;
}

/// What becomes of a change while too many messages of the document wait to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The oldest message is dropped: each one carries the whole state, so that a newer one makes it needless.
    DropOldest,
    /// The change is refused with 503: every message counts.
    Refuse,
}

/// How many messages may wait in one document.
const MOST_WAITING: i32 = 50;

/// The aggregates of one collection. Cheap to clone.
pub struct Documents<T: Aggregate> {
    collection: Collection<T>,
    outbox: DocumentOutbox,
    publisher: Publisher,
}

impl<T: Aggregate> Clone for Documents<T> {
    fn clone(&self) -> Self {
        Self { collection: self.collection.clone(), outbox: self.outbox.clone(), publisher: self.publisher.clone() }
    }
}

impl<T: Aggregate> fmt::Debug for Documents<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents").field("collection", &self.collection.name()).finish_non_exhaustive()
    }
}

impl<T: Aggregate> Documents<T> {
    /// A collection with the indexes that this module needs, and the relay that sends what its documents hold.
    ///
    /// # Errors
    /// If the indexes cannot be made.
    pub async fn open(
        database: &Database,
        collection: &str,
        publisher: Publisher,
        settings: RelaySettings,
    ) -> anyhow::Result<(Self, Relay)> {
        let collection = database.collection(collection);
        let (outbox, relay) = DocumentOutbox::new(&collection, publisher.clone(), settings);
        outbox.ensure_index().await?;
        let documents = Self { collection, outbox, publisher };
        documents.ensure_index(claim::index()).await?;
        Ok((documents, relay))
    }

    /// Makes an index, if it is not there.
    ///
    /// # Errors
    /// If it cannot be made.
    pub async fn ensure_index(&self, index: IndexModel) -> Result<(), mongodb::error::Error> {
        ensure_indexes(&self.collection, [index]).await
    }

    /// The collection itself, for reads and writes that are a service's own. What is written with entries must be told to the
    /// [`outbox`](Self::outbox).
    pub fn collection(&self) -> &Collection<T> {
        &self.collection
    }

    /// The same with documents as they are stored.
    pub fn raw(&self) -> Collection<Document> {
        self.collection.clone_with_type()
    }

    /// The messages in the documents.
    pub fn outbox(&self) -> &DocumentOutbox {
        &self.outbox
    }
}

/// An index over these fields, with a name.
pub fn index(name: &str, keys: Document) -> IndexModel {
    IndexModel::builder().keys(keys).options(IndexOptions::builder().name(name.to_owned()).build()).build()
}

/// A projection of all but what belongs to this module: an aggregate is read without its messages.
pub fn state_alone() -> Document {
    doc! { "outbox": 0, claim::FIELD: 0 }
}

fn by_id(id: Uuid) -> Document {
    doc! { "_id": id.to_string() }
}
