//! The description of a stream of server-sent events.

use serde::Serialize;
use utoipa::ToSchema;

/// One event of a stream (`text/event-stream`), as its reader gets it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StreamEvent {
    /// Its type.
    pub event: String,
    /// What it tells, as JSON.
    pub data: String,
    /// Its id; a reader that comes back sends it as `Last-Event-ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}
