//! Publishing the present state of every document again, for a broker or a reader that has lost what it knew.

use bson::{Bson, Document, RawDocumentBuf, doc};
use futures_util::TryStreamExt;
use mongodb::Collection;
use mongodb::error::Error;
use serde::de::DeserializeOwned;
use tokio::time::sleep;

use super::operation::{LIMIT, in_time};
use crate::{Backoff, Outcome, Outgoing, Publisher};

/// How a replay goes about its work.
#[derive(Clone, Debug)]
pub struct Replay {
    /// How many documents are read and published together.
    pub page: u32,
    /// The `_id` after which to begin, for a replay that goes on where another ended.
    pub after: Option<Bson>,
    /// How patiently a broker is waited for that is away.
    pub patience: Backoff,
}

impl Default for Replay {
    fn default() -> Self {
        Self { page: 256, after: None, patience: Backoff::default() }
    }
}

/// How far a replay has come.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replayed {
    /// Documents that were read.
    pub documents: u64,
    /// Messages that the broker has confirmed.
    pub confirmed: u64,
    /// Messages that the broker would not have.
    pub failed: u64,
    /// Documents that could not be read.
    pub unreadable: u64,
    /// The `_id` of the last document of all that are done.
    pub last: Option<Bson>,
}

/// Why a replay ended early. It can go on after the last `_id` that it told of.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The documents could not be read.
    #[error("reading documents: {0}")]
    Store(#[from] Error),
    /// The broker was away for too long.
    #[error("publishing: {0}")]
    Broker(String),
}

/// Publishes what `event` makes of each document, page by page in the order of their `_id`s, which are all of one BSON
/// type. Calls `progress` after each page.
///
/// The messages are new ones, told apart from the first by their ids and put in order by their versions. So it is for
/// messages that carry a state, not for commands.
pub async fn replay<T: DeserializeOwned + Send + Sync>(
    collection: &Collection<T>,
    publisher: &Publisher,
    settings: Replay,
    mut event: impl FnMut(T) -> Option<Outgoing>,
    mut progress: impl FnMut(&Replayed),
) -> Result<Replayed, ReplayError> {
    let collection = collection.clone_with_type::<RawDocumentBuf>();
    let Replay { page, after, patience } = settings;
    let mut replayed = Replayed { last: after, ..Replayed::default() };
    loop {
        let documents = read(&collection, replayed.last.clone(), page.max(1)).await?;
        let Some(last) = documents.last() else { return Ok(replayed) };
        let last = id(last)?;
        let mut messages = Vec::new();
        for document in &documents {
            replayed.documents += 1;
            // From the same bytes in the same way as the driver reads a typed document.
            match bson::deserialize_from_slice(document.as_bytes()) {
                Ok(document) => messages.extend(event(document)),
                Err(error) => {
                    replayed.unreadable += 1;
                    tracing::warn!(collection = collection.name(), id = %id(document)?, %error, "a document cannot be read");
                }
            }
        }
        publish(publisher, messages, &patience, &mut replayed).await?;
        replayed.last = Some(last);
        progress(&replayed);
    }
}

async fn read(
    collection: &Collection<RawDocumentBuf>,
    after: Option<Bson>,
    page: u32,
) -> Result<Vec<RawDocumentBuf>, Error> {
    let collection = collection.clone();
    let filter = after.map_or_else(Document::new, |after| doc! { "_id": { "$gt": after } });
    in_time(LIMIT, async move {
        let found = collection.find(filter).sort(doc! { "_id": 1 }).limit(i64::from(page)).max_time(LIMIT).await?;
        found.try_collect().await
    })
    .await
}

fn id(document: &RawDocumentBuf) -> Result<Bson, Error> {
    let id = document.get("_id").ok().flatten().ok_or_else(|| Error::custom("a document without an _id"))?;
    Bson::try_from(id).map_err(Error::custom)
}

/// Publishes messages, those without an answer again with the same id, as long as the patience lasts.
async fn publish(
    publisher: &Publisher,
    messages: Vec<Outgoing>,
    patience: &Backoff,
    replayed: &mut Replayed,
) -> Result<(), ReplayError> {
    let mut delays = patience.delays();
    let mut open = messages;
    loop {
        let outcomes = publisher.publish_all(open.clone()).await;
        let mut unknown = Vec::new();
        let mut why = None;
        for (message, outcome) in open.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Confirmed => replayed.confirmed += 1,
                Outcome::Unknown(reason) => {
                    why = Some(reason);
                    unknown.push(message);
                }
                outcome => {
                    replayed.failed += 1;
                    tracing::warn!(id = %message.id, routing_key = message.routing_key, reason = %outcome, "a message could not be sent");
                }
            }
        }
        let Some(reason) = why else { return Ok(()) };
        let Some(delay) = delays.next() else { return Err(ReplayError::Broker(reason)) };
        tracing::warn!(%reason, "waiting for the broker");
        open = unknown;
        sleep(delay).await;
    }
}
