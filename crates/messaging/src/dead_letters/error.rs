//! Why dead letters could not be got at.

use std::time::Duration;

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};

use crate::ConnectError;

/// Why nothing was done. What ends a run that has begun is in its report.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// There is no such queue.
    #[error("there is no queue `{queue}`; there are {}", known.join(", "))]
    UnknownQueue {
        /// What was asked for.
        queue: String,
        /// The queues there are.
        known: Vec<String>,
    },
    /// The queue is known, but the broker has no dead-letter queue beside it.
    #[error("the broker has no queue `{0}`")]
    Missing(String),
    /// No connection, or none any more.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The broker ended it.
    #[error("the broker ended the subscription to the dead letters")]
    Ended,
    /// The broker took too long.
    #[error("no answer from the broker within {} s", .0.as_secs())]
    TimedOut(Duration),
}

impl From<lapin::Error> for DeadLetterError {
    fn from(error: lapin::Error) -> Self {
        Self::Connect(error.into())
    }
}

/// Whether the broker says that there is no such queue.
pub(super) fn is_missing(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(refusal)
        if *refusal.kind() == AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND))
}
