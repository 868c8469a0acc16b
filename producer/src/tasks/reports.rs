//! Applies what consumers report about tasks.

use std::collections::BTreeMap;
use std::sync::Arc;

use contracts::tasks::{StepReport, TaskProgressed};
use messaging::{Delivery, Failure, HandleBatch};
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::types::Json;
use uuid::Uuid;

use super::merge::merge;
use super::rollback::{Standing, after_report};
use super::{Step, TaskState, Watch};

/// How many tasks are changed in one transaction.
const TOGETHER: usize = 2_000;

/// The consumer of `producer.tasks`.
#[derive(Debug)]
pub(crate) struct ApplyReports {
    pub(crate) pool: PgPool,
    pub(crate) watch: Arc<Watch>,
}

type Reports = BTreeMap<Uuid, Vec<StepReport>>;

impl HandleBatch<TaskProgressed> for ApplyReports {
    async fn handle_batch(&self, batch: &[Delivery<TaskProgressed>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let mut reports = Reports::new();
        for report in batch.iter().flat_map(|delivery| &delivery.payload.reports) {
            reports.entry(report.task_id).or_default().push(report.clone());
        }
        while !reports.is_empty() {
            let rest = reports.keys().nth(TOGETHER).copied().map(|first| reports.split_off(&first)).unwrap_or_default();
            let ids: Vec<Uuid> = reports.keys().copied().collect();
            self.apply(std::mem::replace(&mut reports, rest)).await.map_err(failure)?;
            self.watch.heard_of(&ids);
        }
        Ok(batch.iter().map(|_| Ok(())).collect())
    }
}

/// An error about the data is about one message, which the library then finds; any other is the database's.
fn failure(error: sqlx::Error) -> Failure {
    match &error {
        sqlx::Error::Database(cause) if cause.code().is_some_and(|code| code.starts_with("22")) => {
            Failure::reject(error)
        }
        _ => Failure::unavailable(error),
    }
}

impl ApplyReports {
    /// Applies reports in as few transactions as it takes without ever waiting for a row while holding others.
    ///
    /// The relay marks tasks as published in an order of its own, so a transaction that waited could deadlock with it.
    async fn apply(&self, mut reports: Reports) -> Result<(), sqlx::Error> {
        let mut awaited: Option<Uuid> = None;
        while !reports.is_empty() {
            let mut transaction = self.pool.begin().await?;
            if let Some(id) = awaited {
                sqlx::query_scalar!("SELECT id FROM tasks WHERE id = $1 FOR UPDATE", id)
                    .fetch_optional(&mut *transaction)
                    .await?;
            }
            apply_unlocked(&mut transaction, &mut reports).await?;
            if !reports.is_empty() {
                // A report about a task that is not there is of no use to anybody.
                let left: Vec<Uuid> = reports.keys().copied().collect();
                let there = sqlx::query_scalar!("SELECT id FROM tasks WHERE id = ANY($1)", &left)
                    .fetch_all(&mut *transaction)
                    .await?;
                reports.retain(|id, _| there.contains(id));
            }
            transaction.commit().await?;
            awaited = reports.keys().next().copied();
        }
        Ok(())
    }
}

/// Applies the reports about tasks that nobody else holds, and takes them out.
async fn apply_unlocked(connection: &mut PgConnection, reports: &mut Reports) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = reports.keys().copied().collect();
    let tasks = sqlx::query!(
        r#"SELECT id, steps AS "steps: Json<Vec<Step>>", outcome AS "outcome: TaskState",
                  rollback_user_id IS NOT NULL AS "undoable!", rollback_task_id IS NOT NULL AS "begun!"
           FROM tasks WHERE id = ANY($1) FOR UPDATE SKIP LOCKED"#,
        &ids
    )
    .fetch_all(&mut *connection)
    .await?;

    let mut changed = (Vec::new(), Vec::new(), Vec::new());
    for task in tasks {
        let mut steps = task.steps.0;
        let mut news = false;
        for report in reports.remove(&task.id).unwrap_or_default() {
            news |= merge(&mut steps, report);
        }
        if news {
            changed.0.push(task.id);
            let standing = Standing { outcome: task.outcome, undoable: task.undoable, begun: task.begun };
            changed.2.push(after_report(standing, &steps).map(TaskState::as_str));
            changed.1.push(Json(steps));
        }
    }
    if !changed.0.is_empty() {
        // What is heard of was published, even if the relay has not recorded that yet.
        sqlx::query!(
            "UPDATE tasks t
             SET steps = u.steps, reported_at = now(), published_at = coalesce(published_at, now()), outcome = u.outcome,
                 ended_at = CASE WHEN u.outcome IS NULL OR u.outcome = 'rolling_back' THEN NULL
                                 WHEN u.outcome = t.outcome THEN t.ended_at ELSE now() END,
                 message = CASE WHEN u.outcome IS NULL OR u.outcome = 'rolling_back' THEN t.message END,
                 reconcile_at = CASE WHEN u.outcome = 'rolling_back' AND t.outcome IS DISTINCT FROM u.outcome THEN now()
                                     ELSE t.reconcile_at END
             FROM unnest($1::uuid[], $2::jsonb[], $3::text[]) AS u(id, steps, outcome) WHERE t.id = u.id",
            &changed.0,
            &changed.1 as &[Json<Vec<Step>>],
            &changed.2 as &[Option<&str>],
        )
        .execute(connection)
        .await?;
    }
    Ok(())
}
