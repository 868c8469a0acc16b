//! Tasks: where each accepted write is, until its effects are in every store.

mod events;
mod merge;
mod published;
mod reconcile;
mod reports;
mod rollback;
mod routes;
pub(crate) mod store;
mod sweep;
mod watch;

use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use contracts::tasks::StepState;

pub(crate) use published::MarkPublished;
pub(crate) use reconcile::Reconcile;
pub(crate) use reports::ApplyReports;
pub(crate) use rollback::Rollback;
pub(crate) use routes::router;
pub(crate) use sweep::sweep;
pub(crate) use watch::Watch;

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(crate) enum TaskState {
    /// Stored, and its message in the outbox.
    Accepted,
    /// The broker has the message.
    Published,
    /// Every step is done.
    Done,
    /// A step was parked as a dead letter.
    Failed,
    /// A step was refused by the business.
    Refused,
    /// A step was parked, and all is undone because that was wanted.
    RollingBack,
    /// All is undone.
    RolledBack,
}

impl TaskState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Published => "published",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::RollingBack => "rolling_back",
            Self::RolledBack => "rolled_back",
        }
    }
}

/// One step of a task: what the consumer of one queue makes of its message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Step {
    /// The queue whose consumer does it.
    #[schema(example = "insert_record")]
    pub(crate) step: String,
    /// How far it is.
    pub(crate) state: StepState,
    /// How often it was tried.
    pub(crate) attempts: u32,
    /// When the consumer said so.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub(crate) at: Option<OffsetDateTime>,
    /// What was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

impl Step {
    /// A step that nothing is heard of yet.
    fn waiting(step: &str) -> Self {
        Self { step: step.to_owned(), state: StepState::Waiting, attempts: 0, at: None, error: None }
    }
}

/// A task as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) id: Uuid,
    kind: String,
    subject: String,
    steps: Json<Vec<Step>>,
    outcome: Option<TaskState>,
    accepted_at: OffsetDateTime,
    published_at: Option<OffsetDateTime>,
    ended_at: Option<OffsetDateTime>,
    owner_id: Option<Uuid>,
    rollback_task_id: Option<Uuid>,
    rollback_of: Option<Uuid>,
    reason: Option<String>,
    rollback_stuck: Option<String>,
}

impl Task {
    pub(crate) fn state(&self) -> TaskState {
        let open = if self.published_at.is_some() { TaskState::Published } else { TaskState::Accepted };
        self.outcome.unwrap_or(open)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.outcome.is_some_and(|outcome| outcome != TaskState::RollingBack)
    }

    /// Why it is undone, and what keeps it from being so.
    pub(crate) fn reason(&self) -> Option<String> {
        let stuck = self.rollback_stuck.iter();
        self.reason.as_ref().map(|reason| stuck.fold(reason.clone(), |all, stuck| format!("{all}; {stuck}")))
    }

    pub(crate) fn into_steps(self) -> Vec<Step> {
        self.steps.0
    }
}

/// A task as a client sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskView {
    /// Identifies the task; it is also the id of its message.
    id: Uuid,
    /// The type of its message.
    #[schema(example = "insert_record")]
    kind: String,
    /// What it is about.
    #[schema(example = "record PES1UG21CS001")]
    subject: String,
    /// Where it is.
    state: TaskState,
    /// When the write was accepted.
    #[serde(with = "time::serde::rfc3339")]
    accepted_at: OffsetDateTime,
    /// When the broker confirmed the message.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    published_at: Option<OffsetDateTime>,
    /// When the last step ended.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    /// What is to happen, and how far it is.
    steps: Vec<Step>,
    /// Why it is undone, and if that does not end, why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The task of the deletion that undoes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    rollback_task_id: Option<Uuid>,
    /// The task that this one undoes.
    #[serde(skip_serializing_if = "Option::is_none")]
    rollback_of: Option<Uuid>,
    /// Where to go on.
    links: Links,
}

/// Where to go on from a task.
#[derive(Debug, Serialize, ToSchema)]
struct Links {
    /// The task.
    #[serde(rename = "self")]
    this: String,
    /// Its changes, as they happen.
    events: String,
}

impl From<Task> for TaskView {
    fn from(task: Task) -> Self {
        let (state, reason) = (task.state(), task.reason());
        let Task { id, kind, subject, steps: Json(steps), accepted_at, published_at, ended_at, .. } = task;
        let Task { rollback_task_id, rollback_of, .. } = task;
        let links = Links { this: location(id), events: format!("/tasks/{id}/events") };
        Self {
            id,
            kind,
            subject,
            state,
            accepted_at,
            published_at,
            ended_at,
            steps,
            reason,
            rollback_task_id,
            rollback_of,
            links,
        }
    }
}

/// Where a task is found.
pub(crate) fn location(id: Uuid) -> String {
    format!("/tasks/{id}")
}
