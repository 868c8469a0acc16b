//! An outbox by itself: filled by its own writer, then relayed into a queue that nobody consumes.

use std::time::Duration;

use anyhow::{Context, ensure};
use contracts::headers;
use messaging::Outgoing;
use messaging::outbox::{ConfirmedHook, Outbox, RelaySettings};
use sqlx::postgres::{PgConnection, PgPool};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::queue::{BODY, EXCHANGE, Queue, ROUTING_KEY};
use crate::stage::Stage;

const DATABASE: &str = "relay";
/// As many as the producer commits together at most.
const TOGETHER: u64 = 512;
const WRITERS: u64 = 2;
/// No relay is slower than this.
const SLOWEST_PER_SECOND: u64 = 500;
/// The tables of the producer, of which the relay's hook updates one.
const TABLES: &str = include_str!("../../../migrations/postgres/0001_write_side.sql");

/// How a relay is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// It publishes and no more.
    Plain,
    /// As in the producer: it also marks each message's task as published.
    MarksTasks,
}

/// A new database with so many messages in its outbox.
pub(super) async fn filled(stage: &Stage, messages: u64, mode: Mode) -> anyhow::Result<PgPool> {
    let database = stage.fresh_database(DATABASE).await?;
    Outbox::install(&database).await?;
    if mode == Mode::MarksTasks {
        sqlx::raw_sql(TABLES).execute(&database).await?;
    }
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (database, share) = (database.clone(), messages / WRITERS + u64::from(writer < messages % WRITERS));
        writers.spawn(async move { fill(&database, share, mode).await });
    }
    while let Some(written) = writers.join_next().await {
        written.context("a writer panicked")??;
    }
    let backlog = Outbox::new(database.clone()).backlog().await?;
    ensure!(backlog == messages, "{backlog} of {messages} messages are in the outbox");
    sqlx::raw_sql("CHECKPOINT").execute(&database).await?;
    Ok(database)
}

async fn fill(database: &PgPool, messages: u64, mode: Mode) -> anyhow::Result<()> {
    let outbox = Outbox::new(database.clone());
    let mut left = messages;
    while left > 0 {
        let together: Vec<Outgoing> = (0..left.min(TOGETHER)).map(|_| message()).collect();
        left -= together.len() as u64;
        let mut transaction = database.begin().await?;
        if mode == Mode::MarksTasks {
            insert_tasks(&mut transaction, &together).await?;
        }
        outbox.enqueue(&mut transaction, &together).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// With the headers that the producer gives it.
fn message() -> Outgoing {
    let message = Outgoing::raw(EXCHANGE, ROUTING_KEY, ROUTING_KEY, BODY);
    let id = message.id.to_string();
    message.with_header(headers::TASK_ID, id.clone()).with_header(headers::VERSION, 1).with_correlation_id(id)
}

/// As long as those of the producer.
async fn insert_tasks(connection: &mut PgConnection, messages: &[Outgoing]) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO tasks (id, kind, subject, steps, message, reconcile_at)
         SELECT id, $2, 'record load001-000000001', '[{\"name\":\"insert_record\",\"state\":\"waiting\",\"attempts\":0}]',
                $3 || '{\"exchange\":\"commands\",\"routing_key\":\"insert_record\",\"kind\":\"insert_record\",\"headers\":{}}' || id,
                now() + interval '1 day'
         FROM unnest($1::uuid[]) AS t(id)",
    )
    .bind(messages.iter().map(|message| message.id).collect::<Vec<_>>())
    .bind(ROUTING_KEY)
    .bind(BODY)
    .execute(connection)
    .await
    .map(drop)
}

/// How fast the relay empties the outbox.
pub(super) async fn drained(database: &PgPool, queue: &Queue, messages: u64, mode: Mode) -> anyhow::Result<f64> {
    let outbox = Outbox::new(database.clone());
    let stop = CancellationToken::new();
    let relay = outbox.relay(queue.broker.publisher(), RelaySettings::default());
    let relay = if mode == Mode::MarksTasks { relay.on_confirmed(MarkPublished) } else { relay };
    let begun = Instant::now();
    let deadline = begun + Duration::from_secs(30 + messages / SLOWEST_PER_SECOND);
    let relaying = tokio::spawn(relay.run(stop.clone()));
    let emptied = async {
        loop {
            let left = outbox.backlog().await?;
            if left == 0 {
                return Ok(begun.elapsed());
            }
            ensure!(Instant::now() < deadline, "{left} of {messages} messages were not confirmed in time");
            sleep(Duration::from_millis(10)).await;
        }
    };
    let took = emptied.await;
    stop.cancel();
    relaying.await.context("the relay panicked")?;
    database.close().await;
    Ok(messages as f64 / took?.as_secs_f64())
}

/// The same statement as the producer's.
struct MarkPublished;

impl ConfirmedHook for MarkPublished {
    async fn confirmed(&self, connection: &mut PgConnection, ids: &[Uuid]) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE tasks SET published_at = now() WHERE id = ANY($1) AND published_at IS NULL")
            .bind(ids)
            .execute(connection)
            .await
            .map(drop)
    }
}
