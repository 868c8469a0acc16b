//! The collection of welcome messages: what a new user is told, and whether it was mailed.
//!
//! `state` goes from `stored` over `sending` to `sent` or `refused`, and stays with the document through a deletion: whatever
//! comes again, and in whatever order, a user is mailed once. Who mails claims the document first. A claim of another process
//! is respected for as long as that process may be at it, by the clock of whoever waits: no two clocks are compared.

use std::collections::HashMap;

use bson::{DateTime, Document, doc};
use contracts::users::UserEvent;
use messaging::Failure;
use mongodb::error::Error;
use mongodb::{Collection, Database};
use serde::Deserialize;
use uuid::Uuid;

use super::mongodb::{failure, in_time, update_each};
use super::users::{check, to_bson};
use super::versioned::{self, Change, Held};
use crate::mail::welcome;

const COLLECTION: &str = "welcome_messages";

/// A welcome message as it concerns those who mail it.
#[derive(Clone, Debug, Deserialize)]
pub struct Welcome {
    #[serde(rename = "_id")]
    id: String,
    /// Where to; none for a user that is deleted.
    pub email: Option<String>,
    /// Subject.
    pub subject: Option<String>,
    /// Text.
    pub text: Option<String>,
    deleted: bool,
    state: State,
    claim: Option<Claim>,
    reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Stored,
    Sending,
    Sent,
    Refused,
}

/// Who is mailing it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Claim {
    round: String,
}

/// What somebody who wants to mail a welcome message has to do.
#[derive(Clone, Debug)]
pub enum Claimed {
    /// Mail it.
    Mine(Box<Welcome>),
    /// Nothing: it was mailed, or the user is deleted.
    Settled,
    /// Nothing: it was refused.
    Refused(String),
    /// Wait: another process is at it, in this round.
    Elsewhere(Uuid),
}

/// How mailing ended.
#[derive(Clone, Debug)]
pub enum Mailed {
    /// The server has it.
    Sent,
    /// It never will, and why: for the task, and in full.
    Refused {
        /// What the task says.
        reason: String,
        /// All that is known.
        detail: String,
    },
    /// It does not have it yet.
    NotYet,
}

/// Those who are to be welcomed, and by whom.
#[derive(Clone, Copy, Debug)]
pub struct Claiming<'a> {
    /// The process that mails.
    pub process: &'a str,
    /// New for each try.
    pub round: Uuid,
    /// Rounds that nobody can be at any more.
    pub over: &'a [Uuid],
}

/// The collection. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Welcomes {
    database: Database,
}

impl Welcomes {
    /// The collection in this database.
    pub fn new(database: &Database) -> Self {
        Self { database: database.clone() }
    }

    /// Writes the messages of those who were created, and forgets those of the deleted; the verdicts are in the order of the
    /// events. What was mailed stays mailed. `message_id` makes the id of the mail.
    pub async fn apply(
        &self,
        events: &[(&UserEvent, i64)],
        message_id: impl Fn(Uuid) -> Option<String>,
    ) -> Result<Vec<Result<(), Failure>>, Failure> {
        let change = |&(event, version): &(&UserEvent, i64)| {
            check(event)?;
            let user_id = event.user_id();
            Ok(Change { user_id, version, update: update(event, version, message_id(user_id)) })
        };
        versioned::apply(&self.database, COLLECTION, events.iter().map(change).collect()).await
    }

    /// Claims the messages of these users, and tells what is to be done with each.
    pub async fn claim(&self, users: &[Uuid], claiming: Claiming<'_>) -> Result<HashMap<Uuid, Claimed>, Failure> {
        let over: Vec<_> = claiming.over.iter().map(Uuid::to_string).collect();
        let claim = doc! { "process": claiming.process, "round": claiming.round.to_string() };
        let free = doc! { "$or": [
            { "state": "stored" },
            { "state": "sending", "claim.process": claiming.process },
            { "state": "sending", "claim.round": { "$in": over } },
        ] };
        let updates = users.iter().map(|user| {
            let filter = doc! { "_id": user.to_string(), "deleted": false, "$and": [&free] };
            doc! { "q": filter, "u": { "$set": { "state": "sending", "claim": &claim } } }
        });
        self.update_all(updates.collect()).await?;
        let found = self.find(users).await.map_err(|error| failure(&error))?;
        Ok(found
            .into_iter()
            .filter_map(|found| Some((found.id.parse().ok()?, found.claimed(claiming.round))))
            .collect())
    }

    /// Remembers how mailing ended.
    pub async fn settle(&self, round: Uuid, mailed: &[(Uuid, Mailed)]) -> Result<(), Failure> {
        let updates = mailed.iter().map(|(user, mailed)| {
            let mine = doc! { "_id": user.to_string(), "state": "sending", "claim.round": round.to_string() };
            match mailed {
                // Whoever did it, and also of one who was deleted meanwhile.
                Mailed::Sent => doc! {
                    "q": { "_id": user.to_string(), "state": { "$ne": "sent" } },
                    "u": { "$set": { "state": "sent", "sent_at": DateTime::now() }, "$unset": { "claim": "", "reason": "" } },
                },
                Mailed::Refused { reason, detail } => doc! {
                    "q": mine,
                    "u": { "$set": { "state": "refused", "reason": reason, "detail": detail }, "$unset": { "claim": "" } },
                },
                Mailed::NotYet => doc! { "q": mine, "u": { "$set": { "state": "stored" }, "$unset": { "claim": "" } } },
            }
        });
        self.update_all(updates.collect()).await
    }

    /// What is held of a user, be it only that it was deleted.
    pub async fn held(&self, user_id: Uuid) -> Result<Option<Held>, Error> {
        versioned::held(&self.database, COLLECTION, user_id).await
    }

    async fn update_all(&self, updates: Vec<Document>) -> Result<(), Failure> {
        let failed = update_each(&self.database, COLLECTION, updates).await?;
        failed.first().map_or(Ok(()), |error| Err(Failure::unavailable(error.failure())))
    }

    async fn find(&self, users: &[Uuid]) -> Result<Vec<Welcome>, Error> {
        let filter = doc! { "_id": { "$in": users.iter().map(Uuid::to_string).collect::<Vec<_>>() } };
        let collection: Collection<Welcome> = self.database.collection(COLLECTION);
        in_time(async move { versioned::all(collection.find(filter).await?).await }).await
    }
}

impl Welcome {
    fn claimed(self, round: Uuid) -> Claimed {
        // Without one it was given back by another process at this very moment.
        let at_it = self.claim.as_ref().and_then(|claim| claim.round.parse().ok()).unwrap_or_default();
        match self.state {
            _ if self.deleted => Claimed::Settled,
            State::Sending if at_it == round => Claimed::Mine(Box::new(self)),
            State::Sending | State::Stored => Claimed::Elsewhere(at_it),
            State::Refused => Claimed::Refused(self.reason.unwrap_or_default()),
            State::Sent => Claimed::Settled,
        }
    }
}

fn update(event: &UserEvent, version: i64, message_id: Option<String>) -> Document {
    let user_id = event.user_id().to_string();
    let Some(state) = event.state() else {
        return doc! {
            "$set": { "user_id": user_id, "version": version, "deleted": true },
            "$setOnInsert": { "state": "stored" },
            "$unset": {
                "email": "", "subject": "", "text": "", "message_id": "", "created_at": "", "reason": "", "detail": "",
            },
        };
    };
    let (subject, text) = welcome(&state.name);
    doc! {
        "$set": {
            "user_id": user_id,
            "email": &state.email,
            "subject": subject,
            "text": text,
            "message_id": message_id,
            "created_at": to_bson(state.created_at),
            "version": version,
            "deleted": false,
        },
        "$setOnInsert": { "state": "stored" },
    }
}
