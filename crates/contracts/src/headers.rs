//! Headers that Warren's messages carry beside those of the messaging library.

/// The version of the aggregate after the change. A store applies a message only if its version is newer.
pub const VERSION: &str = "x-version";

/// The task whose progress is reported back to the producer.
pub const TASK_ID: &str = "x-task-id";
