//! The transactional outbox: messages are stored in the transaction that causes them, and a relay publishes them.
//!
//! A message leaves the outbox only when the broker has confirmed it. It may be sent more than once, always with the
//! same id, and never not at all. Neighbours are sent at the same time, so they may arrive in any order, except those
//! with the same [key](Outgoing::with_key): these arrive in the order in which they were stored, provided that whoever
//! stores one holds a lock on what it is about. What the broker would not have is parked and comes later than its
//! successors; and the messages of two transactions that ran at the same time can change places where a full page ends
//! between them. A receiver that must not be confused by that looks at a version.
//!
//! How the relay knows what is published: rows carry the id of their transaction, and the cursor is a *snapshot*, as in
//! PgQ. All that is visible in `done` is settled. A tick takes the present snapshot as its target and publishes what is
//! visible in it and not in `done`, in the order (xid, seq); then the target is the new `done`. A transaction that is
//! still open stays outside both, so it holds up nobody and is found by the tick after its commit.
//!
//! The relay keeps a database session for itself and locks with it, so the connection must be to Postgres itself or to
//! a pooler in session mode. Writers must not turn `synchronous_commit` off: their messages could go out and their
//! state be lost.

mod cursor;
mod enqueue;
mod gauges;
mod hooks;
mod leader;
mod page;
mod parked;
mod publish;
mod record;
mod relay;
mod segments;
mod session;
mod settings;

use std::sync::Arc;

use sqlx::postgres::{PgConnection, PgPool};
use tokio::sync::Notify;
use uuid::Uuid;

pub use hooks::{ConfirmedHook, LeaderTask};
pub use parked::{Parked, ParkedReason};
pub use relay::Relay;
pub use settings::RelaySettings;

use crate::{Outgoing, Publisher};

/// Any number will do that nobody else in the database locks.
const INSTALL_LOCK: i64 = 0x6f75_7462_6f78_0001;

/// The outbox in a Postgres database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbox {
    pool: PgPool,
    wake: Arc<Notify>,
}

impl Outbox {
    /// Makes the schema `outbox` if it is not there. Several processes may do this at once.
    pub async fn install(pool: &PgPool) -> Result<(), sqlx::Error> {
        let mut transaction = pool.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(INSTALL_LOCK).execute(&mut *transaction).await?;
        // One look instead of IF NOT EXISTS everywhere: that would wait for every open writer, and need more rights.
        let installed: bool =
            sqlx::query_scalar("SELECT to_regclass('outbox.parked') IS NOT NULL").fetch_one(&mut *transaction).await?;
        if !installed {
            sqlx::raw_sql(include_str!("schema.sql")).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }

    /// The outbox of a database in which it is installed.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, wake: Arc::default() }
    }

    /// Stores messages, in one statement, in the caller's transaction: they are sent if that commits.
    ///
    /// Call [`wake`](Self::wake) after the commit.
    pub async fn enqueue(&self, connection: &mut PgConnection, messages: &[Outgoing]) -> Result<(), sqlx::Error> {
        enqueue::enqueue(connection, messages).await
    }

    /// Tells the relay, if it runs in this process, that a transaction with messages has committed.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// About how many messages are not confirmed, parked ones included.
    ///
    /// This costs the same however many there are. It counts what was drawn from a sequence since the relay's cursor:
    /// rows of transactions that were rolled back count until the relay's next look, rows of transactions that stay
    /// open longer do not.
    pub async fn backlog(&self) -> Result<u64, sqlx::Error> {
        let backlog: i64 = sqlx::query_scalar(
            "SELECT greatest(CASE WHEN is_called THEN last_value ELSE 0 END - p.seq, 0) + p.parked
             FROM outbox.message_seq,
                  (SELECT done_seq + tick_rows AS seq, parked FROM outbox.progress ORDER BY id DESC LIMIT 1) p",
        )
        .fetch_optional(&self.pool)
        .await?
        .unwrap_or(0);
        Ok(u64::try_from(backlog).unwrap_or(0))
    }

    /// Messages that could not be sent, those that wait for an operator first, then the oldest first.
    pub async fn parked(&self, limit: u32) -> Result<Vec<Parked>, sqlx::Error> {
        parked::list(&self.pool, limit).await
    }

    /// Has the relay try a parked message now. Whether there is one with this id.
    pub async fn retry_parked(&self, id: Uuid) -> Result<bool, sqlx::Error> {
        parked::retry(&self.pool, id).await
    }

    /// What publishes the messages. Run one in every process: one of them leads, any other takes over.
    pub fn relay(&self, publisher: Publisher, settings: RelaySettings) -> Relay {
        Relay::new(self.clone(), publisher, settings)
    }
}
