//! Tasks in Postgres: stored with the write that makes them, read with their state.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use contracts::topology::REPORTING;
use messaging::{Headers, Outgoing};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::types::Json;
use uuid::Uuid;

use super::{Step, Task, TaskState};

/// The steps of a new task, as JSON, by its message's routing key: they are the same for all of a kind.
static FIRST_STEPS: LazyLock<HashMap<&'static str, String>> = LazyLock::new(|| {
    let topology = contracts::topology();
    let steps = |(exchange, routing_key)| {
        let reached = topology.route(exchange, routing_key).into_iter().map(|queue| queue.name.as_str());
        let steps: Vec<Step> = reached.filter(|queue| REPORTING.contains(queue)).map(Step::waiting).collect();
        let steps = serde_json::to_string(&steps).expect("steps are plain data, which always has a JSON form");
        (routing_key, steps)
    };
    contracts::topology::routes().into_iter().map(steps).collect()
});

/// A message as it is kept to be sent again.
#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    exchange: &'a str,
    routing_key: &'a str,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<&'a str>,
    headers: Headers,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// A task to be stored.
pub(crate) struct NewTask<'a> {
    /// Its id is the task's.
    pub(crate) message: &'a Outgoing,
    /// What it is about, for people.
    pub(crate) subject: &'a str,
    /// Whose it is, if that is known.
    pub(crate) owner: Option<Uuid>,
    /// The user to be deleted again if a step is parked.
    pub(crate) rollback_user: Option<Uuid>,
    /// The task that it undoes.
    pub(crate) rollback_of: Option<Uuid>,
}

/// Stores tasks, in one statement.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    tasks: &[NewTask<'_>],
    reconcile_after: Duration,
) -> Result<(), sqlx::Error> {
    let envelopes = tasks.iter().map(|task| envelope(task.message)).collect::<Result<Vec<_>, _>>()?;
    sqlx::query!(
        "INSERT INTO tasks (id, kind, subject, steps, message, owner_id, rollback_user_id, rollback_of, reconcile_at)
         SELECT id, kind, subject, steps::jsonb, message, owner_id, rollback_user_id, rollback_of,
                now() + make_interval(secs => $9)
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::uuid[], $8::uuid[])
              AS t(id, kind, subject, steps, message, owner_id, rollback_user_id, rollback_of)",
        &tasks.iter().map(|task| task.message.id).collect::<Vec<_>>(),
        &tasks.iter().map(|task| task.message.kind.as_str()).collect::<Vec<_>>() as &[&str],
        &tasks.iter().map(|task| task.subject).collect::<Vec<_>>() as &[&str],
        &tasks.iter().map(|task| first_steps(task.message)).collect::<Vec<_>>() as &[&str],
        &envelopes,
        &tasks.iter().map(|task| task.owner).collect::<Vec<_>>() as &[Option<Uuid>],
        &tasks.iter().map(|task| task.rollback_user).collect::<Vec<_>>() as &[Option<Uuid>],
        &tasks.iter().map(|task| task.rollback_of).collect::<Vec<_>>() as &[Option<Uuid>],
        reconcile_after.as_secs_f64(),
    )
    .execute(connection)
    .await
    .map(drop)
}

fn first_steps(message: &Outgoing) -> &'static str {
    FIRST_STEPS.get(message.routing_key.as_str()).map_or("[]", String::as_str)
}

fn envelope(message: &Outgoing) -> Result<String, sqlx::Error> {
    let Outgoing { exchange, routing_key, kind, correlation_id, headers, body, .. } = message;
    let body = serde_json::from_slice(body).map_err(unkeepable)?;
    let (correlation_id, headers) = (correlation_id.as_deref(), headers.clone());
    let envelope = Envelope { exchange, routing_key, kind, correlation_id, headers, body };
    serde_json::to_string(&envelope).map_err(unkeepable)
}

fn unkeepable(error: serde_json::Error) -> sqlx::Error {
    sqlx::Error::Encode(error.into())
}

/// The message that [`insert`] kept.
pub(super) fn kept_message(task_id: Uuid, kept: &str) -> Result<Outgoing, sqlx::Error> {
    let kept: Envelope<'_> = serde_json::from_str(kept).map_err(sqlx::Error::decode)?;
    let body = Bytes::copy_from_slice(kept.body.get().as_bytes());
    let mut message = Outgoing::raw(kept.exchange, kept.routing_key, kept.kind, body).with_id(task_id);
    message.correlation_id = kept.correlation_id.map(str::to_owned);
    message.headers = kept.headers;
    Ok(message)
}

/// The tasks with these ids, as far as there are any.
pub(crate) async fn find(pool: &PgPool, ids: &[Uuid]) -> Result<Vec<Task>, sqlx::Error> {
    sqlx::query_as!(
        Task,
        r#"SELECT id, kind, subject, steps AS "steps: Json<Vec<Step>>", outcome AS "outcome: TaskState",
                  accepted_at, published_at, ended_at, owner_id, rollback_task_id, rollback_of, reason,
                  rollback_stuck
           FROM tasks WHERE id = ANY($1)"#,
        ids,
    )
    .fetch_all(pool)
    .await
}

/// The newest tasks before `before`, in any state or one.
pub(super) async fn page(
    pool: &PgPool,
    state: Option<TaskState>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Task>, sqlx::Error> {
    let before = before.unwrap_or(Uuid::max());
    // One statement for each, so that the planner can use the partial index that holds just those.
    match state {
        None => {
            sqlx::query_as!(
                Task,
                r#"SELECT id, kind, subject, steps AS "steps: Json<Vec<Step>>", outcome AS "outcome: TaskState",
                          accepted_at, published_at, ended_at, owner_id, rollback_task_id, rollback_of, reason,
                          rollback_stuck
                   FROM tasks WHERE id < $1 ORDER BY id DESC LIMIT $2"#,
                before,
                limit,
            )
            .fetch_all(pool)
            .await
        }
        Some(state @ (TaskState::Accepted | TaskState::Published)) => {
            sqlx::query_as!(
                Task,
                r#"SELECT id, kind, subject, steps AS "steps: Json<Vec<Step>>", outcome AS "outcome: TaskState",
                          accepted_at, published_at, ended_at, owner_id, rollback_task_id, rollback_of, reason,
                          rollback_stuck
                   FROM tasks WHERE outcome IS NULL AND (published_at IS NULL) = $3 AND id < $1
                   ORDER BY id DESC LIMIT $2"#,
                before,
                limit,
                state == TaskState::Accepted,
            )
            .fetch_all(pool)
            .await
        }
        Some(TaskState::Done) => {
            sqlx::query_as!(
                Task,
                r#"SELECT id, kind, subject, steps AS "steps: Json<Vec<Step>>", outcome AS "outcome: TaskState",
                          accepted_at, published_at, ended_at, owner_id, rollback_task_id, rollback_of, reason,
                          rollback_stuck
                   FROM tasks WHERE outcome = 'done' AND id < $1 ORDER BY id DESC LIMIT $2"#,
                before,
                limit,
            )
            .fetch_all(pool)
            .await
        }
        Some(unhappy @ (TaskState::Failed | TaskState::Refused)) => {
            sqlx::query_as!(
                Task,
                r#"SELECT id, kind, subject, steps AS "steps: Json<Vec<Step>>", outcome AS "outcome: TaskState",
                          accepted_at, published_at, ended_at, owner_id, rollback_task_id, rollback_of, reason,
                          rollback_stuck
                   FROM tasks WHERE outcome IN ('failed', 'refused') AND outcome = $3 AND id < $1
                   ORDER BY id DESC LIMIT $2"#,
                before,
                limit,
                unhappy.as_str(),
            )
            .fetch_all(pool)
            .await
        }
        Some(undone @ (TaskState::RollingBack | TaskState::RolledBack)) => {
            sqlx::query_as!(
                Task,
                r#"SELECT id, kind, subject, steps AS "steps: Json<Vec<Step>>", outcome AS "outcome: TaskState",
                          accepted_at, published_at, ended_at, owner_id, rollback_task_id, rollback_of, reason,
                          rollback_stuck
                   FROM tasks WHERE outcome IN ('rolling_back', 'rolled_back') AND outcome = $3 AND id < $1
                   ORDER BY id DESC LIMIT $2"#,
                before,
                limit,
                undone.as_str(),
            )
            .fetch_all(pool)
            .await
        }
    }
}

/// The same of one owner, of whose tasks there are few enough to look through.
pub(super) async fn page_of(
    pool: &PgPool,
    owner: Uuid,
    state: Option<TaskState>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Task>, sqlx::Error> {
    sqlx::query_as!(
        Task,
        r#"SELECT id, kind, subject, steps AS "steps: Json<Vec<Step>>", outcome AS "outcome: TaskState",
                  accepted_at, published_at, ended_at, owner_id, rollback_task_id, rollback_of, reason,
                  rollback_stuck
           FROM tasks
           WHERE owner_id = $1 AND id < $2 AND ($3::text IS NULL OR $3 =
               COALESCE(outcome, CASE WHEN published_at IS NULL THEN 'accepted' ELSE 'published' END))
           ORDER BY id DESC LIMIT $4"#,
        owner,
        before.unwrap_or(Uuid::max()),
        state.map(TaskState::as_str),
        limit,
    )
    .fetch_all(pool)
    .await
}
