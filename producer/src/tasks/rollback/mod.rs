//! Rollback: when a step of a user's creation is parked and the client wanted all or nothing, the user is deleted again.
//!
//! The deletion is like any other: it has a version, an event and a task, so whatever order the stores hear of it in, they
//! come to the same end. The user's tombstone, the deletion's task, its message and the link to the task that it undoes
//! are one commit; until then nothing has happened, from then on the outbox and the reconciler see it through.

mod decide;

use std::collections::HashMap;
use std::time::Duration;

use contracts::headers;
use contracts::users::UserDeleted;
use messaging::outbox::{LeaderTask, Outbox};
use messaging::{Outgoing, header};
use sqlx::postgres::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use decide::{Next, User};
pub(super) use decide::{Standing, after_report};

use super::store::{self, NewTask, kept_message};
use super::{Step, TaskState};
use crate::accept::envelope;
use crate::users::delete_user;

/// How many tasks are looked at together.
const BATCH: i64 = 100;

/// Undoes what is to be undone. It runs where the relay leads, so one producer does it at a time; if two ever believe that
/// they lead, each leaves alone what the other holds.
#[derive(Debug)]
pub(crate) struct Rollback {
    outbox: Outbox,
    /// When the reconciler first looks at the deletion's task.
    reconcile_after: Duration,
}

/// A task that is being undone, with the deletion that does it.
struct Rolling {
    id: Uuid,
    owner_id: Option<Uuid>,
    steps: Json<Vec<Step>>,
    message: Option<String>,
    user_id: Uuid,
    deletion_id: Option<Uuid>,
    deletion_outcome: Option<TaskState>,
    deletion_steps: Option<Json<Vec<Step>>>,
    deletion_age: Option<f64>,
}

/// A deletion on its way.
struct Deletion<'a> {
    of: &'a Rolling,
    message: Outgoing,
    subject: String,
}

impl Rollback {
    pub(crate) const EVERY: Duration = decide::EVERY;

    /// A rollback whose deletions are sent again if they do not end in this time.
    pub(crate) fn new(outbox: Outbox, reconcile_after: Duration) -> Self {
        Self { outbox, reconcile_after }
    }

    /// Deletes users, each with a task of its own.
    async fn delete(&self, connection: &mut PgConnection, tasks: &[&Rolling]) -> Result<(), sqlx::Error> {
        let mut deletions = Vec::with_capacity(tasks.len());
        for task in tasks {
            let applied = delete_user(connection, task.user_id).await?;
            let message = task.deletion(applied)?;
            deletions.push(Deletion { of: task, message, subject: format!("user {}", task.user_id) });
        }
        let new: Vec<NewTask<'_>> = deletions.iter().map(Deletion::task).collect();
        store::insert(connection, &new, self.reconcile_after).await?;
        let messages: Vec<Outgoing> = deletions.iter().map(|deletion| deletion.message.clone()).collect();
        self.outbox.enqueue(connection, &messages).await?;
        link(connection, &deletions).await?;
        for Deletion { of, message, .. } in &deletions {
            tracing::warn!(task = %of.id, user = %of.user_id, deletion = %message.id, "a user is deleted again: a step was parked");
        }
        metrics::counter!("producer_rollbacks_total").increment(deletions.len() as u64);
        Ok(())
    }
}

impl LeaderTask for Rollback {
    async fn run(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let due = due(connection).await?;
        if due.is_empty() {
            return Ok(());
        }
        let users = lock_users(connection, &due).await?;
        let (mut to_delete, mut ended, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        for task in &due {
            match task.next(&users) {
                Next::Delete => to_delete.push(task),
                Next::End => ended.push(task),
                Next::Wait(wait, stuck) => waiting.push((task.id, wait, stuck)),
            }
        }
        if !to_delete.is_empty() {
            self.delete(connection, &to_delete).await?;
        }
        end(connection, &ended).await?;
        put_off(connection, &waiting).await
    }
}

impl Rolling {
    fn next(&self, users: &HashMap<Uuid, User>) -> Next {
        if self.deletion_id.is_none() {
            return decide::begin(users.get(&self.user_id).copied().unwrap_or(User::Held));
        }
        match (&self.deletion_steps, self.deletion_age) {
            (Some(Json(steps)), Some(age)) => {
                let age = Duration::try_from_secs_f64(age).unwrap_or_default();
                decide::follow(self.deletion_outcome, steps, age)
            }
            // Only what is done is ever swept.
            _ => Next::End,
        }
    }

    /// The event that tells of the deletion, in the same trace as the one that it undoes.
    fn deletion(&self, applied: crate::lane::Applied) -> Result<Outgoing, sqlx::Error> {
        let mut message = envelope::<UserDeleted>();
        message.headers.set(headers::TASK_ID, message.id.to_string());
        applied.complete(&mut message);
        if let Some(kept) = &self.message {
            let undone = kept_message(self.id, kept)?;
            message.correlation_id = undone.correlation_id;
            if let Some(trace) = undone.headers.text(header::TRACEPARENT) {
                message.headers.set(header::TRACEPARENT, trace);
            }
        }
        Ok(message.with_key(self.user_id.to_string()))
    }
}

impl Deletion<'_> {
    fn task(&self) -> NewTask<'_> {
        NewTask {
            message: &self.message,
            subject: &self.subject,
            owner: self.of.owner_id,
            rollback_user: None,
            rollback_of: Some(self.of.id),
        }
    }
}

async fn due(connection: &mut PgConnection) -> Result<Vec<Rolling>, sqlx::Error> {
    sqlx::query_as!(
        Rolling,
        r#"SELECT t.id, t.owner_id, t.steps AS "steps: Json<Vec<Step>>", t.message, t.rollback_user_id AS "user_id!",
                  t.rollback_task_id AS deletion_id, d.outcome AS "deletion_outcome: TaskState",
                  d.steps AS "deletion_steps?: Json<Vec<Step>>",
                  extract(epoch FROM now() - d.accepted_at)::float8 AS deletion_age
           FROM tasks t LEFT JOIN tasks d ON d.id = t.rollback_task_id
           WHERE t.outcome = 'rolling_back' AND t.reconcile_at <= now()
           ORDER BY t.reconcile_at LIMIT $1 FOR UPDATE OF t SKIP LOCKED"#,
        BATCH,
    )
    .fetch_all(connection)
    .await
}

/// Locks the users that are to be deleted. One that somebody else is at is left for the next time: the relay's leader
/// waits for nobody.
async fn lock_users(connection: &mut PgConnection, due: &[Rolling]) -> Result<HashMap<Uuid, User>, sqlx::Error> {
    let ids: Vec<Uuid> = due.iter().filter(|task| task.deletion_id.is_none()).map(|task| task.user_id).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        r#"SELECT id, deleted_at IS NULL AS "live!" FROM users WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED"#,
        &ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, if row.live { User::Live } else { User::Deleted })).collect())
}

async fn link(connection: &mut PgConnection, deletions: &[Deletion<'_>]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE tasks t SET rollback_task_id = d.deletion_id, reason = d.reason, message = NULL,
                            reconcile_at = now() + make_interval(secs => $4)
         FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS d(id, deletion_id, reason) WHERE t.id = d.id",
        &deletions.iter().map(|deletion| deletion.of.id).collect::<Vec<_>>(),
        &deletions.iter().map(|deletion| deletion.message.id).collect::<Vec<_>>(),
        &deletions.iter().map(|deletion| decide::reason(&deletion.of.steps)).collect::<Vec<_>>(),
        Rollback::EVERY.as_secs_f64(),
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Ends rollbacks; one whose user somebody else had deleted learns its reason only now.
async fn end(connection: &mut PgConnection, ended: &[&Rolling]) -> Result<(), sqlx::Error> {
    if ended.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE tasks t SET outcome = 'rolled_back', ended_at = now(), message = NULL, rollback_stuck = NULL,
                            reason = coalesce(t.reason, e.reason)
         FROM unnest($1::uuid[], $2::text[]) AS e(id, reason) WHERE t.id = e.id",
        &ended.iter().map(|task| task.id).collect::<Vec<_>>(),
        &ended.iter().map(|task| decide::reason(&task.steps)).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await
    .map(drop)
}

async fn put_off(
    connection: &mut PgConnection,
    waiting: &[(Uuid, Duration, Option<String>)],
) -> Result<(), sqlx::Error> {
    if waiting.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE tasks t SET reconcile_at = now() + make_interval(secs => w.secs), rollback_stuck = w.stuck
         FROM unnest($1::uuid[], $2::float8[], $3::text[]) AS w(id, secs, stuck) WHERE t.id = w.id",
        &waiting.iter().map(|(id, ..)| *id).collect::<Vec<_>>(),
        &waiting.iter().map(|(_, wait, _)| wait.as_secs_f64()).collect::<Vec<_>>(),
        &waiting.iter().map(|(.., stuck)| stuck.as_deref()).collect::<Vec<_>>() as &[Option<&str>],
    )
    .execute(connection)
    .await
    .map(drop)
}
