//! Group commit: whatever waits while one transaction commits goes together into the next.
//!
//! A lane is a bounded queue and one task. The task owns the transaction; a request only awaits its answer, so a client
//! that leaves cannot stop a transaction midway.

mod claims;
mod commit;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contracts::headers;
use messaging::Outgoing;
use messaging::outbox::Outbox;
use service::ApiError;
use sqlx::postgres::{PgConnection, PgPool};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use uuid::Uuid;

use crate::idempotency::Claim;

/// How many writes go into one transaction at most.
const BATCH: usize = 512;
/// How many writes may wait; more are refused.
const WAITING: usize = 8 * BATCH;
/// How long a lane waits for one transaction: a connection on which nothing comes back any more must not stop it.
const PATIENCE: Duration = Duration::from_secs(20);

/// A kind of change to the write side's state, made many at a time.
pub(crate) trait Change: Send + Sync + Sized + 'static {
    /// The lane's name in metrics and logs.
    const LANE: &'static str;

    /// What is changed: messages about the same are sent in their order.
    fn key(&self) -> Option<String> {
        None
    }

    /// The user to be deleted again if a step of the task is parked.
    fn rollback_user(&self) -> Option<Uuid> {
        None
    }

    /// Makes the changes, in their order, and gives a verdict on each. A change that is refused has no effect.
    ///
    /// Locks are taken in a sorted order, or two producers' batches deadlock.
    fn apply(
        connection: &mut PgConnection,
        changes: &[&Self],
    ) -> impl Future<Output = Result<Vec<Verdict>, Abort>> + Send;
}

/// What became of one change.
pub(crate) type Verdict = Result<Applied, Refusal>;

/// What a change that was made adds to its message.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// The aggregate's version after the change.
    pub(crate) version: Option<i64>,
    /// The body, where it is only known after the change.
    pub(crate) body: Option<Bytes>,
}

impl Applied {
    /// Adds to the message what is known only now. A batch that is tried again does this again.
    pub(crate) fn complete(self, message: &mut Outgoing) {
        if let Some(version) = self.version {
            message.headers.set(headers::VERSION, version);
        }
        if let Some(body) = self.body {
            message.body = body;
        }
    }
}

/// Why a change cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Something stands in its way.
    Conflict(&'static str),
    /// There is nothing to change.
    Missing(&'static str),
    /// It was meant for another version.
    Stale,
}

/// Why a batch could not be committed.
#[derive(Debug)]
pub(crate) enum Abort {
    /// Another transaction came between; the batch is tried again.
    Raced,
    /// The database's error.
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Abort {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// A change with the message that tells of it.
#[derive(Debug)]
pub(crate) struct Write<C> {
    pub(crate) change: C,
    /// The message, except for what is only known after the change. Its id is the task's.
    pub(crate) message: Outgoing,
    /// What the task is about, for people.
    pub(crate) subject: String,
    /// Whose the task is, if that is known.
    pub(crate) owner: Option<Uuid>,
    /// The client's Idempotency-Key, if it sent one.
    pub(crate) claim: Option<Claim>,
}

/// What a lane answers.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Committed.
    Accepted,
    /// It was accepted before, under the same Idempotency-Key; this was the answer.
    Repeated { task_id: Uuid, response: Arc<str> },
    /// The Idempotency-Key was used for another request.
    KeyReused,
    /// The change cannot be made.
    Refused(Refusal),
    /// Not committed, or not known whether: the database failed.
    Unavailable,
    /// This very write is what the database would not take.
    Broken,
}

/// What the lanes write to.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) pool: PgPool,
    pub(crate) outbox: Outbox,
    /// When the reconciler first looks at a task.
    pub(crate) reconcile_after: Duration,
}

/// The way into a lane. Cheap to clone; the lane ends when the last clone is dropped.
#[derive(Debug)]
pub(crate) struct Lane<C>(mpsc::Sender<Entry<C>>);

impl<C> Clone for Lane<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[derive(Debug)]
struct Entry<C> {
    write: Write<C>,
    reply: oneshot::Sender<Answer>,
}

impl<C: Change> Lane<C> {
    /// Opens a lane. Its task ends when nobody can write to it any more and all is answered.
    pub(crate) fn open(store: Store) -> (Self, JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), tokio::spawn(run(store, receiver)))
    }

    /// Commits a write together with whatever else is waiting.
    pub(crate) async fn write(&self, write: Write<C>) -> Result<Answer, ApiError> {
        let (reply, answer) = oneshot::channel();
        self.0.try_send(Entry { write, reply }).map_err(|error| {
            metrics::counter!("producer_refused_total", "lane" => C::LANE, "reason" => "busy").increment(1);
            let cause = match error {
                mpsc::error::TrySendError::Full(_) => "more writes are waiting than can be taken now",
                mpsc::error::TrySendError::Closed(_) => "the service is stopping",
            };
            ApiError::unavailable(cause, Duration::from_secs(1))
        })?;
        // Without an answer the lane's task has panicked, and the outcome is as unknown as after a lost connection.
        Ok(answer.await.unwrap_or(Answer::Unavailable))
    }
}

async fn run<C: Change>(store: Store, mut receiver: mpsc::Receiver<Entry<C>>) {
    let mut entries = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut entries, BATCH).await > 0 {
        let batch = std::mem::take(&mut entries);
        let size = batch.len();
        metrics::histogram!("producer_batch_size", "lane" => C::LANE).record(size as f64);
        // A task of its own, which is never dropped midway: when patience ends, only the waiting for it does.
        let committing = tokio::spawn(commit_and_answer(store.clone(), batch));
        match timeout(PATIENCE, committing).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(lane = C::LANE, size, %error, "a batch of writes panicked"),
            Err(_) => tracing::error!(lane = C::LANE, size, "a batch of writes hangs; going on without it"),
        }
    }
}

async fn commit_and_answer<C: Change>(store: Store, batch: Vec<Entry<C>>) {
    let (mut writes, replies): (Vec<_>, Vec<_>) = batch.into_iter().map(|entry| (entry.write, entry.reply)).unzip();
    let answers = commit::commit(&store, &mut writes).await;
    for (reply, answer) in replies.into_iter().zip(answers) {
        // The client may have left; the write stands all the same.
        let _ = reply.send(answer);
    }
}
