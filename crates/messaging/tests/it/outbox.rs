//! The outbox: what was committed is published, all of it and nothing else, whatever happens meanwhile.

mod committing;
mod hooking;
mod leading;
mod ordering;
mod parking;
mod resuming;
mod segments;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use messaging::outbox::{Outbox, Relay, RelaySettings};
use messaging::{Broker, Outgoing};
use sqlx::PgPool;
use testkit::{TestPostgres, TestRabbit, eventually, postgres, rabbitmq};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{Notes, Running, broker, job, when};

/// An outbox in a database of its own, a broker, and a consumer that notes what arrives.
struct Rig {
    postgres: TestPostgres,
    rabbit: TestRabbit,
    broker: Broker,
    outbox: Outbox,
    notes: Notes,
    _consumer: Running,
}

impl Rig {
    async fn new() -> Self {
        let (postgres, rabbit) = (postgres().await, rabbitmq().await);
        Outbox::install(postgres.pool()).await.expect("an empty database takes the schema");
        let broker = broker(rabbit.url()).await;
        let notes = Notes::default();
        let _consumer = Running::start(&broker, &notes);
        let outbox = Outbox::new(postgres.pool().clone());
        Self { postgres, rabbit, broker, outbox, notes, _consumer }
    }

    fn pool(&self) -> &PgPool {
        self.postgres.pool()
    }

    fn relay(&self, settings: RelaySettings) -> Relay {
        self.outbox.relay(self.broker.publisher(), settings)
    }

    /// Starts a relay with the usual settings.
    fn start(&self) -> Started {
        Started::start(self.relay(RelaySettings::default()))
    }

    /// Stores messages and commits.
    async fn store(&self, messages: &[Outgoing]) -> Vec<Uuid> {
        let mut transaction = self.pool().begin().await.expect("the database is there");
        self.outbox.enqueue(&mut transaction, messages).await.expect("messages can be stored");
        transaction.commit().await.expect("the database is there");
        self.outbox.wake();
        ids(messages)
    }

    /// How often each message was received.
    fn received(&self) -> BTreeMap<Uuid, usize> {
        let mut times = BTreeMap::new();
        for id in self.notes.done() {
            *times.entry(id).or_default() += 1;
        }
        times
    }

    /// Waits until each of these was received, and sees to it that nothing else was and nothing twice.
    async fn received_once(&self, ids: impl IntoIterator<Item = Uuid>) {
        let wanted: BTreeSet<Uuid> = ids.into_iter().collect();
        self.received_all(&wanted).await;
        let twice: Vec<_> = self.received().into_iter().filter(|(_, times)| *times != 1).collect();
        assert_eq!(twice, [], "some were received more than once");
        let received: BTreeSet<Uuid> = self.received().into_keys().collect();
        assert_eq!(received.difference(&wanted).count(), 0, "something was received that was not committed");
    }

    /// Waits until each of these was received.
    async fn received_all(&self, wanted: &BTreeSet<Uuid>) {
        let all = || async {
            let received = self.received();
            when(wanted.iter().all(|id| received.contains_key(id)))
        };
        // Below the limit of `eventually`, so that the failure can tell how many are missing.
        let _ = timeout(Duration::from_secs(18), eventually("all messages were received", all)).await;
        let received = self.received();
        let missing = wanted.iter().filter(|id| !received.contains_key(id)).count();
        assert_eq!(missing, 0, "of {} messages some were never sent", wanted.len());
    }

    /// Waits until a query that returns a truth value says so.
    async fn eventually_true(&self, what: &str, query: &'static str) {
        eventually(what, || async { when(self.scalar::<bool>(query).await) }).await;
    }

    async fn scalar<T>(&self, query: &'static str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        sqlx::query_scalar(query).fetch_one(self.pool()).await.expect("the query is valid")
    }
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

fn jobs(count: usize) -> Vec<Outgoing> {
    (0..count).map(|_| job("ok")).collect()
}

fn ids(messages: &[Outgoing]) -> Vec<Uuid> {
    messages.iter().map(|message| message.id).collect()
}
