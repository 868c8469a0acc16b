//! Builds an index anew beside the one in use, and puts it in its place.
//!
//! While it is built, writers write to both (see `Index::write`). It is filled from those who know best, and
//! from the index in use, which may know of a change earlier; of each document the newest version stays. So the order of all
//! this does not matter, and what is found before is found afterwards.

mod lease;
mod truth;

use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;
use utoipa::ToSchema;

pub use lease::{Lease, Leases};
pub use truth::Truth;

use super::client::Error;
use super::document::Versioned;
use super::index::Index;
use super::write::Written;
use reqwest::Method;

/// How many documents of the old index are read at once; each may be long.
const PAGE: usize = 250;

/// How far a reindex has come: one line of its answer. The last line is `done` or `failed`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Progress {
    /// Documents are copied.
    Copying {
        /// How many have been.
        done: u64,
        /// How many there are about; never fewer than are done.
        total: u64,
    },
    /// The new index is in use.
    Done {
        /// Its name.
        #[schema(example = "users-1795000000000")]
        index: String,
        /// How many documents were copied.
        documents: u64,
        /// How many the new index did not take; the log tells why.
        refused: u64,
        /// How long all of it took, in milliseconds.
        took_ms: u64,
    },
    /// All is as it was before.
    Failed {
        /// Why.
        error: String,
    },
}

/// Why a reindex ended early.
#[derive(Debug)]
enum Ended {
    /// Whoever asked for it has gone away.
    Alone,
    /// Somebody else may be at it.
    LeaseLost,
    Failed(String),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// What was built.
struct Built {
    new: String,
    old: String,
    documents: u64,
    refused: u64,
}

/// Builds the index anew, and tells how far it is until the last line. If nobody listens any more, it gives up.
pub async fn run(index: Index, truth: Truth, lease: Lease, progress: Sender<Progress>) {
    let began = Instant::now();
    tracing::info!(index = index.alias(), "a reindex begins");
    let last = match replace(&index, &truth, &lease, &progress).await {
        Ok(Built { new, old, documents, refused }) => {
            if let Err(error) = index.delete(&old).await {
                tracing::warn!(%error, index = old, "the index that was replaced is left for the next reindex to delete");
            }
            let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(index = new, documents, refused, took_ms, "a reindex is done");
            Progress::Done { index: new, documents, refused, took_ms }
        }
        Err(ended) => {
            let error = match &ended {
                Ended::Alone => "nobody listens any more".to_owned(),
                Ended::LeaseLost => "its lease in Redis was lost".to_owned(),
                Ended::Failed(error) => error.clone(),
            };
            tracing::warn!(index = index.alias(), error, "a reindex failed");
            // Without the lease, what is there may be somebody else's.
            if !matches!(ended, Ended::LeaseLost)
                && let Err(error) = index.clear_remains().await
            {
                tracing::warn!(%error, "what a reindex has left is there for the next one to delete");
            }
            Progress::Failed { error }
        }
    };
    lease.release().await;
    // Whoever has gone away is not told.
    let _ = progress.send(last).await;
}

async fn replace(index: &Index, truth: &Truth, lease: &Lease, progress: &Sender<Progress>) -> Result<Built, Ended> {
    let built = tokio::select! {
        built = build(index, truth, progress) => built?,
        () = lease.kept() => return Err(Ended::LeaseLost),
        () = progress.closed() => return Err(Ended::Alone),
    };
    // From here on it is not cut off: a request to swap may be carried out though nobody waits for its answer.
    index.swap(&built.new, &built.old).await?;
    Ok(built)
}

async fn build(index: &Index, truth: &Truth, progress: &Sender<Progress>) -> Result<Built, Ended> {
    index.ensure().await?;
    index.clear_remains().await?;
    let new = index.new_name();
    index.create(&new, &index.next_alias()).await?;
    let old = index.carriers().await?.current;
    let old = old.ok_or_else(|| Ended::Failed(format!("`{}` was taken away", index.alias())))?;

    // All that was written to the old index alone is found in it from here on.
    index.refresh(index.alias()).await?;
    let kept = index.count().await?;
    let known = truth.count().await.map_err(Ended::Failed)?.unwrap_or(kept);
    let mut copy = Copy { index, new: &new, progress, done: 0, refused: 0, total: known + kept };

    let mut after = None;
    loop {
        let page = truth.page(after).await.map_err(Ended::Failed)?;
        copy.write(&page.documents).await?;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut after = None;
    loop {
        let (documents, next) = page(index, after).await?;
        copy.write(&documents).await?;
        after = next;
        if after.is_none() {
            break;
        }
    }
    let Copy { done: documents, refused, .. } = copy;
    index.refresh(&index.next_alias()).await?;
    Ok(Built { new, old, documents, refused })
}

/// Copying, and how far it has come.
struct Copy<'a> {
    index: &'a Index,
    new: &'a str,
    progress: &'a Sender<Progress>,
    done: u64,
    refused: u64,
    total: u64,
}

impl Copy<'_> {
    async fn write(&mut self, documents: &[Versioned]) -> Result<(), Ended> {
        if !documents.is_empty() {
            let written = self.index.bulk(&self.index.next_alias(), "false", documents.iter()).await?;
            for (document, written) in documents.iter().zip(written) {
                self.judge(document, written)?;
            }
        }
        self.done += documents.len() as u64;
        self.total = self.total.max(self.done);
        let copying = Progress::Copying { done: self.done, total: self.total };
        self.progress.send(copying).await.map_err(|_| Ended::Alone)
    }

    fn judge(&mut self, document: &Versioned, written: Written) -> Result<(), Ended> {
        match written {
            Written::Has { index, .. } if index == self.new => Ok(()),
            Written::Refused { index, error } if index == self.new => match error.failure().kind {
                messaging::FailureKind::Unavailable => Err(error.into()),
                _ => {
                    tracing::warn!(id = document.id, %error, "a document is left out of the new index");
                    self.refused += 1;
                    Ok(())
                }
            },
            _ => Err(Ended::Failed(format!("`{}` was taken away", self.new))),
        }
    }
}

/// Documents of the old index after this one, with their versions. Their ids never change, and none is ever deleted.
async fn page(index: &Index, after: Option<Value>) -> Result<(Vec<Versioned>, Option<Value>), Ended> {
    let mut request = json!({
        "size": PAGE,
        "query": { "match_all": {} },
        "sort": [{ index.kind.id_field(): "asc" }],
    });
    if let Some(after) = after {
        request["search_after"] = after;
    }
    let path = format!("/{}/_search?allow_partial_search_results=false", index.alias);
    let mut answer = index.client.request(Method::POST, &path, Some(&request)).await?;
    let Value::Array(hits) = answer["hits"]["hits"].take() else {
        return Err(Error::Unreadable("it has no hits".to_owned()).into());
    };
    let next = hits.last().filter(|_| hits.len() == PAGE).map(|last| last["sort"].clone());
    Ok((hits.into_iter().map(kept).collect(), next))
}

/// The version is the document's own: one that somebody has changed by hand gives way to the truth.
fn kept(mut hit: Value) -> Versioned {
    let source = hit["_source"].take();
    let version = source["version"].as_i64().unwrap_or_default();
    Versioned { id: hit["_id"].as_str().unwrap_or_default().to_owned(), version, source }
}
