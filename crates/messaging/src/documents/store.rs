//! The collection: which entries are due, and what becomes of them when the broker has answered.

use std::collections::HashMap;
use std::time::Duration;

use bson::{Bson, DateTime, Document, doc};
use futures_util::TryStreamExt;
use mongodb::error::Error;
use mongodb::options::IndexOptions;
use mongodb::{Collection, IndexModel};

use super::claims::Claims;
use super::operation::{LIMIT, ensure_indexes, in_time};
use super::settings::RelaySettings;
use super::{Entry, Waiting};
use crate::Outcome;

/// The bytes of bodies after which a page ends.
const PAGE_BYTES: usize = 8 * 1024 * 1024;
/// Clocks of processes may differ so much. What seems due later than it can be comes from a clock that is wrong.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// A collection of documents with entries. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Store {
    collection: Collection<Document>,
}

/// Entries that are due.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) entries: Vec<Waiting>,
    bytes: usize,
    /// There may be more.
    pub(super) full: bool,
    /// Entries that somebody has put there and that are none.
    pub(super) unreadable: usize,
}

impl Page {
    fn add(&mut self, mut document: Document, is_due: impl Fn(&Entry) -> bool, claims: &Claims, most: usize) {
        let (Some(id), Ok(outbox)) = (document.remove("_id"), document.get_array_mut("outbox")) else { return };
        for entry in outbox.drain(..) {
            let Ok(entry) = bson::deserialize_from_bson::<Entry>(entry) else {
                self.unreadable += 1;
                continue;
            };
            if !is_due(&entry) {
                continue;
            }
            if self.entries.len() >= most || self.bytes >= PAGE_BYTES {
                self.full = true;
                return;
            }
            if let Some(claim) = claims.take(&entry) {
                self.bytes += entry.bytes();
                self.entries.push(Waiting { document: id.clone(), entry, _claim: claim });
            }
        }
    }
}

impl Store {
    pub(super) fn new(collection: Collection<Document>) -> Self {
        Self { collection }
    }

    /// The collection's name.
    pub(super) fn name(&self) -> &str {
        self.collection.name()
    }

    /// Only documents that hold entries are in the index, so it is as small as the backlog. (A partial index would say so
    /// in more words, and SecantusDB does not read by one.)
    pub(super) async fn ensure_index(&self) -> Result<(), Error> {
        let options = IndexOptions::builder().name("outbox_due".to_owned()).sparse(true).build();
        let index = IndexModel::builder().keys(doc! { "outbox.due": 1 }).options(options).build();
        ensure_indexes(&self.collection, [index]).await
    }

    /// Reads entries that are due, and claims them.
    pub(super) async fn due(&self, claims: &Claims, settings: &RelaySettings) -> Result<Page, Error> {
        let (collection, claims) = (self.collection.clone(), claims.clone());
        let most = (settings.batch * settings.batches_in_flight).max(1);
        let now = DateTime::now();
        let farthest = now.saturating_add_duration(settings.retry_at_most + CLOCK_TOLERANCE);
        let is_due = move |entry: &Entry| entry.due() <= now || entry.due() > farthest;
        in_time(LIMIT, async move {
            let mut page = Page::default();
            // One after the other and unsorted: the index gives the oldest first by itself, while MongoDB would sort all
            // there is for each page, since an index over arrays is no order to it.
            for due in [doc! { "$lte": now }, doc! { "$gt": farthest }] {
                let found = collection.find(doc! { "outbox.due": due }).projection(doc! { "outbox": 1 });
                let mut found = found.batch_size(u32::try_from(most + 1).unwrap_or(u32::MAX)).max_time(LIMIT).await?;
                // What is claimed or unreadable does not fill the page, or it would hide what is behind it.
                while let Some(document) = found.try_next().await? {
                    page.add(document, is_due, &claims, most);
                    if page.full {
                        return Ok(page);
                    }
                }
            }
            Ok(page)
        })
        .await
    }

    /// Removes what is confirmed and puts off what the broker would not have, in one command.
    ///
    /// It does not wait for the disk: what a crash can undo is only knowledge of what was sent.
    pub(super) async fn settle(&self, answered: &[(Waiting, Outcome)], settings: &RelaySettings) -> Result<(), Error> {
        if answered.is_empty() {
            return Ok(());
        }
        let updates = updates(answered, settings);
        let asked = updates.len();
        let command = doc! {
            "update": self.collection.name(),
            "updates": updates,
            "ordered": false,
            "writeConcern": { "w": 1 },
        };
        let database = self.collection.client().database(&self.collection.namespace().db);
        let reply = in_time(LIMIT, async move { database.run_command(command).await }).await?;
        let errors = reply.get_array("writeErrors").map(Vec::as_slice).unwrap_or_default();
        let Some(first) = errors.first().and_then(Bson::as_document) else { return Ok(()) };
        let reason = first.get_str("errmsg").unwrap_or("no reason given");
        if errors.len() >= asked {
            return Err(Error::custom(reason.to_owned()));
        }
        tracing::warn!(
            collection = self.name(),
            documents = errors.len(),
            reason,
            "entries could not be removed from their documents and will be sent again"
        );
        Ok(())
    }

    /// Counts the entries by what the broker said of them last, with the time of the oldest.
    pub(super) async fn count(&self) -> Result<Vec<Document>, Error> {
        let collection = self.collection.clone();
        in_time(LIMIT, async move {
            let any_due = doc! { "outbox.due": { "$gt": DateTime::from_millis(0) } };
            let stages = [
                doc! { "$match": any_due },
                // As exact as an operator needs it, and no more work than that.
                doc! { "$limit": 10_000 },
                doc! { "$project": { "outbox.failed": 1, "outbox.at": 1 } },
                doc! { "$unwind": "$outbox" },
                doc! { "$group": { "_id": "$outbox.failed", "entries": { "$sum": 1 }, "oldest": { "$min": "$outbox.at" } } },
            ];
            collection.aggregate(stages).max_time(LIMIT).await?.try_collect().await
        })
        .await
    }
}

/// One update for each document whose entries are confirmed, and one for each entry that the broker would not have.
fn updates(answered: &[(Waiting, Outcome)], settings: &RelaySettings) -> Vec<Document> {
    let mut confirmed: HashMap<&Bson, Vec<String>> = HashMap::new();
    let mut updates = Vec::new();
    let now = DateTime::now();
    for (Waiting { document, entry, .. }, outcome) in answered {
        let id = entry.id().to_string();
        let wait = match outcome {
            Outcome::Confirmed => {
                confirmed.entry(document).or_default().push(id);
                continue;
            }
            Outcome::Refused(_) => settings.retry_at_most,
            _ => settings.wait_after(entry.tries().saturating_add(1)),
        };
        updates.push(doc! {
            "q": { "_id": document, "outbox.id": id },
            "u": {
                "$set": { "outbox.$.due": now.saturating_add_duration(wait), "outbox.$.failed": outcome.label() },
                "$inc": { "outbox.$.tries": 1 },
            },
        });
    }
    updates.extend(confirmed.into_iter().map(
        |(document, ids)| doc! { "q": { "_id": document }, "u": { "$pull": { "outbox": { "id": { "$in": ids } } } } },
    ));
    updates
}
