//! How handling one message can fail, as the handler judges it.

use std::fmt;

/// What is to become of a message whose handling failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// Transient: wait on the retry ladder and come back, until the last try.
    Retry,
    /// Poison: dead-letter it now.
    Reject,
    /// The business says no: a final answer, recorded and acknowledged, no dead letter.
    Refuse,
    /// A store is down, which is not the message's fault: consuming pauses, no attempt is spent.
    Unavailable,
}

/// Why a message was not handled, and what is to become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What is to become of the message.
    pub kind: FailureKind,
    /// Why, in words fit for an operator.
    pub reason: String,
}

impl Failure {
    /// Transient: try again later.
    pub fn retry(reason: impl fmt::Display) -> Self {
        Self::new(FailureKind::Retry, reason)
    }

    /// Poison: dead-letter now.
    pub fn reject(reason: impl fmt::Display) -> Self {
        Self::new(FailureKind::Reject, reason)
    }

    /// A business refusal: recorded, not dead-lettered.
    pub fn refuse(reason: impl fmt::Display) -> Self {
        Self::new(FailureKind::Refuse, reason)
    }

    /// A store is down: pause and go on when it is back.
    pub fn unavailable(reason: impl fmt::Display) -> Self {
        Self::new(FailureKind::Unavailable, reason)
    }

    fn new(kind: FailureKind, reason: impl fmt::Display) -> Self {
        // `{:#}` makes an anyhow error tell its whole chain of causes.
        Self { kind, reason: format!("{reason:#}") }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}
