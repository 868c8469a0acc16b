//! What `/health` answers.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All is well.
    Up,
    /// Something is missing that can be done without.
    Degraded,
    /// Something is missing that cannot be done without.
    Down,
}

/// How a process and what it depends on are.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HealthReport {
    /// The sum of it.
    pub status: Status,
    /// The name of the service.
    pub service: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What it depends on, by name.
    pub dependencies: BTreeMap<&'static str, DependencyReport>,
}

/// How one dependency is.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DependencyReport {
    /// Up or down.
    pub status: Status,
    /// Whether the process can do without it.
    pub required: bool,
    /// How long the last check took.
    pub latency_ms: f64,
    /// The last thing that was wrong, also if it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// How long ago that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error_seconds_ago: Option<u64>,
}
