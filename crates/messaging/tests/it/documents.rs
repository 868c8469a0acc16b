//! Messages inside documents: each is sent, and none stays, whatever happens meanwhile.

mod crashing;
mod failing;
mod ordering;
mod replaying;
mod stopping;
mod sweeping;
mod writing;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bson::{Document, doc};
use messaging::Broker;
use messaging::documents::{DocumentOutbox, Entry, Relay, RelaySettings};
use mongodb::Collection;
use serde::{Deserialize, Serialize};
use testkit::{TestMongo, TestRabbit, eventually, eventually_within, mongodb, rabbitmq};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{Notes, Running, broker, job, when};

/// An aggregate, as a service would store it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Shop {
    _id: String,
    name: String,
    version: i64,
    outbox: Vec<Entry>,
}

impl Shop {
    /// A new shop with a message that tells of it.
    fn new(name: &str) -> Self {
        let entry = Entry::new(job("ok").with_header("x-version", 1));
        Self { _id: Uuid::now_v7().to_string(), name: name.to_owned(), version: 1, outbox: vec![entry] }
    }

    fn ids(&self) -> Vec<Uuid> {
        self.outbox.iter().map(Entry::id).collect()
    }
}

fn shops(count: usize) -> Vec<Shop> {
    (0..count).map(|n| Shop::new(&format!("shop {n}"))).collect()
}

fn ids(shops: &[Shop]) -> BTreeSet<Uuid> {
    shops.iter().flat_map(Shop::ids).collect()
}

/// A collection of shops, a broker, and a consumer that notes what arrives.
struct Rig {
    mongo: TestMongo,
    rabbit: TestRabbit,
    broker: Broker,
    shops: Collection<Shop>,
    notes: Notes,
    _consumer: Running,
}

impl Rig {
    async fn new() -> Self {
        let (mongo, rabbit) = (mongodb().await, rabbitmq().await);
        let broker = broker(rabbit.url()).await;
        let notes = Notes::default();
        let _consumer = Running::start(&broker, &notes);
        let shops = mongo.database().collection("shops");
        Self { mongo, rabbit, broker, shops, notes, _consumer }
    }

    async fn outbox(&self, settings: RelaySettings) -> (DocumentOutbox, Relay) {
        let (outbox, relay) = DocumentOutbox::new(&self.shops, self.broker.publisher(), settings);
        outbox.ensure_index().await.expect("MongoDB makes the index");
        (outbox, relay)
    }

    /// Starts a relay, as another process would.
    async fn start(&self, settings: RelaySettings) -> Started {
        Started::start(self.outbox(settings).await.1)
    }

    /// Writes shops with their entries, and tells no relay.
    async fn store(&self, shops: &[Shop]) -> BTreeSet<Uuid> {
        for shops in shops.chunks(1000) {
            self.shops.insert_many(shops).await.expect("MongoDB takes the shops");
        }
        ids(shops)
    }

    async fn received_all(&self, wanted: &BTreeSet<Uuid>) {
        received_all(&self.notes, wanted).await;
    }

    /// Sees to it that nothing was received twice or that nobody sent.
    fn received_nothing_but(&self, wanted: &BTreeSet<Uuid>) {
        let times = times(&self.notes);
        assert_eq!(times.values().filter(|times| **times != 1).count(), 0, "some were received more than once");
        assert!(times.keys().all(|id| wanted.contains(id)), "something was received that was never written");
    }

    async fn drained(&self) {
        drained(&self.shops).await;
    }

    /// A shop's document as it is stored.
    async fn document(&self, shop: &Shop) -> Document {
        document(&self.shops, &shop._id).await
    }
}

async fn document(shops: &Collection<Shop>, id: &str) -> Document {
    let found = shops.clone_with_type::<Document>().find_one(doc! { "_id": id }).await;
    found.expect("MongoDB answers").expect("the shop is there")
}

/// Waits until no document holds an entry.
async fn drained(shops: &Collection<Shop>) {
    eventually("no document holds an entry", || async {
        when(shops.count_documents(doc! { "outbox.0": { "$exists": true } }).await.ok()? == 0)
    })
    .await;
}

/// How often each message was received.
fn times(notes: &Notes) -> BTreeMap<Uuid, usize> {
    let mut times = BTreeMap::new();
    for id in notes.done() {
        *times.entry(id).or_default() += 1;
    }
    times
}

async fn received_all(notes: &Notes, wanted: &BTreeSet<Uuid>) {
    let all = || async {
        let received = times(notes);
        when(wanted.iter().all(|id| received.contains_key(id)))
    };
    eventually_within(Duration::from_secs(60), "all messages were received", all).await;
}

/// Settings of a relay that sweeps once, at its start, and then only sends what it is told of.
fn without_sweeps() -> RelaySettings {
    RelaySettings { sweep_every: Duration::from_secs(3600), ..RelaySettings::default() }
}

/// A relay that runs in the background.
struct Started {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Started {
    fn start(relay: Relay) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(relay.run(stop.clone()));
        Self { stop, task }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("a relay does not panic");
    }

    /// Ends it as kill -9 would: in the middle of whatever it does.
    async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}
