//! The reconciler: a task that has not ended in time is sent again from Postgres, with the same message id.
//!
//! So a broker whose disk was wiped loses nothing.

use std::time::Duration;

use messaging::outbox::{LeaderTask, Outbox};
use sqlx::postgres::PgConnection;
use time::OffsetDateTime;

use super::store::kept_message;

/// How many tasks are looked at together.
const BATCH: i64 = 5_000;
/// The wait doubles with each time that a task is sent again, up to this many times.
const DOUBLINGS: u32 = 6;

/// Sends tasks again that nothing was heard of for too long.
#[derive(Debug)]
pub(crate) struct Reconcile {
    outbox: Outbox,
    after: Duration,
}

/// What is to be done about a task whose time has come.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    send: bool,
    next_look: OffsetDateTime,
}

impl Reconcile {
    /// A reconciler that waits this long for a task to end.
    pub(crate) fn new(outbox: Outbox, after: Duration) -> Self {
        Self { outbox, after }
    }

    /// How often it should look.
    pub(crate) fn every(&self) -> Duration {
        (self.after / 10).clamp(Duration::from_millis(50), Duration::from_secs(5))
    }

    fn wait(&self, republished: i32) -> Duration {
        self.after.saturating_mul(1 << u32::try_from(republished).unwrap_or(0).min(DOUBLINGS))
    }

    /// The time to look at a task is only put off here, and not whenever it is heard of: that would cost a write to the
    /// index each time. So a task may be due although it goes on well.
    fn plan(&self, now: OffsetDateTime, task: &Due) -> Plan {
        let wait = self.wait(task.republished);
        match task.published_at.max(task.reported_at) {
            // Its message is still in the outbox.
            None => Plan { send: false, next_look: now + wait },
            Some(heard) if heard + wait > now => Plan { send: false, next_look: heard + wait },
            Some(_) => Plan { send: true, next_look: now + self.wait(task.republished.saturating_add(1)) },
        }
    }
}

struct Due {
    id: uuid::Uuid,
    message: Option<String>,
    published_at: Option<OffsetDateTime>,
    reported_at: Option<OffsetDateTime>,
    republished: i32,
    now: OffsetDateTime,
}

impl LeaderTask for Reconcile {
    async fn run(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let due = sqlx::query_as!(
            Due,
            r#"SELECT id, message, published_at, reported_at, republished, now() AS "now!" FROM tasks
               WHERE outcome IS NULL AND reconcile_at <= now()
               ORDER BY reconcile_at LIMIT $1 FOR UPDATE SKIP LOCKED"#,
            BATCH,
        )
        .fetch_all(&mut *connection)
        .await?;
        if due.is_empty() {
            return Ok(());
        }
        let plans: Vec<Plan> = due.iter().map(|task| self.plan(task.now, task)).collect();
        sqlx::query!(
            "UPDATE tasks t SET reconcile_at = p.next_look, republished = t.republished + p.send::int
             FROM unnest($1::uuid[], $2::timestamptz[], $3::bool[]) AS p(id, next_look, send) WHERE t.id = p.id",
            &due.iter().map(|task| task.id).collect::<Vec<_>>(),
            &plans.iter().map(|plan| plan.next_look).collect::<Vec<_>>(),
            &plans.iter().map(|plan| plan.send).collect::<Vec<_>>(),
        )
        .execute(&mut *connection)
        .await?;

        let silent = due.iter().zip(&plans).filter(|(_, plan)| plan.send);
        let messages = silent
            .filter_map(|(task, _)| task.message.as_deref().map(|message| kept_message(task.id, message)))
            .collect::<Result<Vec<_>, _>>()?;
        if !messages.is_empty() {
            self.outbox.enqueue(connection, &messages).await?;
            metrics::counter!("producer_republished_total").increment(messages.len() as u64);
            tracing::warn!(tasks = messages.len(), "tasks have not ended in time; their messages are sent again");
        }
        Ok(())
    }
}
