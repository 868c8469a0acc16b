//! The collection of what users prefer. The newest event about a user decides; what is older changes nothing.

use bson::{Document, doc};
use contracts::users::UserEvent;
use messaging::Failure;
use mongodb::Database;
use mongodb::error::Error;
use uuid::Uuid;

use super::json::to_document;
use super::users::to_bson;
use super::versioned::{self, Change, Held};

const COLLECTION: &str = "user_preferences";

/// Where an event comes from that nobody says a program for.
const BY_HAND: &str = "by hand";

/// An event about a user, as it came.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// The event.
    pub event: &'a UserEvent,
    /// Its version.
    pub version: i64,
    /// The program that published it.
    pub source: Option<&'a str>,
}

/// The collection. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Preferences {
    database: Database,
}

impl Preferences {
    /// The collection in this database.
    pub fn new(database: &Database) -> Self {
        Self { database: database.clone() }
    }

    /// Applies events in one bulk write; the verdicts are in their order.
    pub async fn apply(&self, events: &[Received<'_>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let change = |received: &Received<'_>| {
            let (user_id, version) = (received.event.user_id(), received.version);
            update(received).map(|update| Change { user_id, version, update })
        };
        versioned::apply(&self.database, COLLECTION, events.iter().map(change).collect()).await
    }

    /// What is held of a user, be it only that it was deleted.
    pub async fn held(&self, user_id: Uuid) -> Result<Option<Held>, Error> {
        versioned::held(&self.database, COLLECTION, user_id).await
    }
}

fn update(received: &Received<'_>) -> Result<Document, Failure> {
    let (user_id, version) = (received.event.user_id().to_string(), received.version);
    let Some(state) = received.event.state() else {
        // What is left of a deleted user is only what keeps an older event from bringing it back.
        return Ok(doc! {
            "$set": { "user_id": user_id, "version": version, "deleted": true },
            "$unset": { "preferences": "", "metadata": "" },
        });
    };
    let preferences = state.preferences.as_ref().map(|preferences| to_document("preferences", preferences));
    Ok(doc! { "$set": {
        "user_id": user_id,
        "preferences": preferences.transpose()?.unwrap_or_default(),
        "metadata": { "created_at": to_bson(state.created_at), "source": received.source.unwrap_or(BY_HAND) },
        "version": version,
        "deleted": false,
    } })
}
