//! What MongoDB, or what stands in for it, does without the saga: updates of single documents under a condition, each on the disk
//! before it is answered.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bson::{Bson, Document, doc};
use mongodb::options::{Acknowledgment, ClientOptions, WriteConcern};
use mongodb::{Client, Collection, Database};
use tokio::task::JoinSet;

use crate::load::Latencies;
use crate::stage::Stage;

/// As many as orders sees to at the same time.
pub(crate) const WRITERS: u32 = 64;

/// About what a change of an order writes.
const BYTES: usize = 512;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(10);

/// The server of the shop's databases.
pub(crate) struct Mongo {
    client: Client,
    /// What runs there.
    pub(crate) name: String,
}

impl Mongo {
    /// Connects as the services do.
    pub(crate) async fn connect(stage: &Stage) -> anyhow::Result<Self> {
        let mut options = ClientOptions::parse(stage.mongodb_url()).await?;
        options.max_pool_size = Some(WRITERS);
        options.server_selection_timeout = Some(LIMIT);
        let durable = WriteConcern::builder().w(Acknowledgment::Majority).journal(true).w_timeout(LIMIT);
        options.write_concern = Some(durable.build());
        let name = fs::read_to_string(format!("/proc/{}/comm", stage.process("mongo")?.pid()))?;
        Ok(Self { client: Client::with_options(options)?, name: name.trim().to_owned() })
    }

    pub(crate) fn database(&self, name: &str) -> Database {
        self.client.database(name)
    }

    /// How many insertions, updates and deletions there were since the server began, by its own account. Of a command with
    /// several updates `mongod` counts each, and what stands in for it the command.
    pub(crate) async fn writes(&self) -> anyhow::Result<u64> {
        let status = self.database("admin").run_command(doc! { "serverStatus": 1 }).await?;
        counted(&status).context("MongoDB does not tell how much it has written")
    }

    /// Updates per second of so many writers, each with a document of its own.
    pub(crate) async fn rate(&self, lasts: Duration) -> anyhow::Result<f64> {
        let documents = self.documents().await?;
        let begun = Instant::now();
        let mut writers = JoinSet::new();
        for id in 0..WRITERS {
            let documents = documents.clone();
            writers.spawn(async move {
                let mut version = 0;
                while begun.elapsed() < lasts {
                    update(&documents, id, version).await?;
                    version += 1;
                }
                anyhow::Ok(version)
            });
        }
        let mut updates = 0;
        while let Some(writer) = writers.join_next().await {
            updates += writer.context("a writer panicked")??;
        }
        Ok(updates as f64 / begun.elapsed().as_secs_f64())
    }

    /// How long `updates` one after another take, while nobody else writes; so many times.
    pub(crate) async fn in_turn(&self, updates: usize, times: usize) -> anyhow::Result<Latencies> {
        let documents = self.documents().await?;
        let mut latencies = Latencies::default();
        let mut versions = 0_i64..;
        for _ in 0..times {
            let begun = Instant::now();
            for version in versions.by_ref().take(updates) {
                update(&documents, 0, version).await?;
            }
            latencies.record(begun.elapsed());
        }
        Ok(latencies)
    }

    /// New documents, one for each writer.
    async fn documents(&self) -> anyhow::Result<Collection<Document>> {
        let documents = self.database("bench").collection::<Document>("documents");
        documents.drop().await?;
        documents.insert_many((0..WRITERS).map(|id| doc! { "_id": id, "version": 0_i64, "body": "" })).await?;
        Ok(documents)
    }
}

async fn update(documents: &Collection<Document>, id: u32, version: i64) -> anyhow::Result<()> {
    let change = doc! { "version": version + 1, "body": "x".repeat(BYTES) };
    let updated = documents.update_one(doc! { "_id": id, "version": version }, doc! { "$set": change }).await?;
    ensure!(updated.matched_count == 1, "a document had another version than it was given");
    Ok(())
}

/// A server may count in any width.
fn counted(status: &Document) -> Option<u64> {
    let counters = status.get_document("opcounters").ok()?;
    let count = |operation| match counters.get(operation)? {
        Bson::Int32(count) => u64::try_from(*count).ok(),
        Bson::Int64(count) => u64::try_from(*count).ok(),
        Bson::Double(count) => Some(*count as u64),
        _ => None,
    };
    ["insert", "update", "delete"].into_iter().map(count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_writes_is_counted_and_what_reads_is_not() {
        let status = |counters: Document| doc! { "uptime": 1, "opcounters": counters };
        let counters = doc! { "insert": 1, "query": 100, "update": 20_i64, "delete": 300.0, "command": 7 };
        assert_eq!(counted(&status(counters)), Some(321));
        assert_eq!(counted(&status(doc! { "insert": 1, "query": 2 })), None);
        assert_eq!(counted(&doc! { "ok": 1 }), None);
    }
}
