//! What consumers report back about tasks.

use messaging::Message;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::EVENTS;

/// What became of the messages of one batch that belong to tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskProgressed {
    /// One report for each message.
    pub reports: Vec<StepReport>,
}

impl Message for TaskProgressed {
    const EXCHANGE: &'static str = EVENTS;
    const ROUTING_KEY: &'static str = "task.progressed";
}

/// How far one consumer is with one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// The task.
    pub task_id: Uuid,
    /// The step: the name of the queue whose consumer reports.
    pub step: String,
    /// What became of it.
    pub state: StepState,
    /// Which try this was, from 1.
    pub attempt: u32,
    /// Why it failed or was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When the consumer decided this, by its own clock; for people, never for ordering.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Nothing heard yet.
    Waiting,
    /// Failed, and will be tried again.
    Retrying,
    /// The effect is in its store.
    Done,
    /// Refused by the business: final.
    Refused,
    /// Nothing to be done: the store is not in use here.
    Skipped,
    /// Parked as a dead letter.
    Failed,
}

impl StepState {
    /// Whether nothing more will happen by itself.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Refused | Self::Failed | Self::Skipped)
    }
}
