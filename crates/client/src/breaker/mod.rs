//! Leaves an instance alone that fails again and again, until a single call has found it well.

use std::time::Duration;

use tokio::time::Instant;

use crate::BreakerState;

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BreakerPolicy {
    /// Failures in a row.
    pub(crate) failures: u32,
    /// Until a call is let through again.
    pub(crate) open: Duration,
}

/// The state machine. It does not wait and has no clock: it is told the time.
#[derive(Debug)]
pub(crate) struct Breaker {
    policy: BreakerPolicy,
    phase: Phase,
    failures: u32,
    /// Grows with each change of phase, so that calls from before it do not decide about what came after.
    generation: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed,
    Open { until: Instant },
    HalfOpen,
}

/// The permission for one call. It must be given back as a success, a failure, or unused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    generation: u64,
}

/// A change that people want to know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Opened,
    HalfOpened,
    Closed,
}

impl Breaker {
    pub(crate) fn new(policy: BreakerPolicy) -> Self {
        Self { policy, phase: Phase::Closed, failures: 0, generation: 0 }
    }

    /// Whether a call would be let through.
    pub(crate) fn would_pass(&self, now: Instant) -> bool {
        match self.phase {
            Phase::Closed => true,
            Phase::Open { until } => until <= now,
            Phase::HalfOpen => false,
        }
    }

    /// Lets a call through, or not.
    pub(crate) fn try_pass(&mut self, now: Instant) -> Option<(Ticket, Option<Change>)> {
        if !self.would_pass(now) {
            return None;
        }
        let probe = self.phase != Phase::Closed;
        let change = probe.then(|| self.enter(Phase::HalfOpen, Change::HalfOpened));
        Some((Ticket { generation: self.generation }, change))
    }

    /// The call was answered.
    pub(crate) fn succeeded(&mut self, ticket: Ticket) -> Option<Change> {
        if ticket.generation != self.generation {
            return None;
        }
        self.failures = 0;
        (self.phase == Phase::HalfOpen).then(|| self.enter(Phase::Closed, Change::Closed))
    }

    /// The call was not answered.
    pub(crate) fn failed(&mut self, ticket: Ticket, now: Instant) -> Option<Change> {
        if ticket.generation != self.generation {
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        let opens = self.phase == Phase::HalfOpen || self.failures >= self.policy.failures;
        opens.then(|| self.enter(Phase::Open { until: now + self.policy.open }, Change::Opened))
    }

    /// The call ended without saying anything about the instance. If it was the probe, another may be it at once.
    pub(crate) fn abandoned(&mut self, ticket: Ticket, now: Instant) {
        if ticket.generation == self.generation && self.phase == Phase::HalfOpen {
            self.enter(Phase::Open { until: now }, Change::Opened);
        }
    }

    /// How long until a call may be let through.
    pub(crate) fn retry_after(&self, now: Instant) -> Duration {
        match self.phase {
            Phase::Closed => Duration::ZERO,
            Phase::Open { until } => until.saturating_duration_since(now),
            // The probe is on its way, and soon there is an answer or none.
            Phase::HalfOpen => Duration::from_secs(1),
        }
    }

    pub(crate) fn state(&self) -> BreakerState {
        match self.phase {
            Phase::Closed => BreakerState::Closed,
            Phase::Open { .. } => BreakerState::Open,
            Phase::HalfOpen => BreakerState::HalfOpen,
        }
    }

    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    fn enter(&mut self, phase: Phase, change: Change) -> Change {
        self.phase = phase;
        self.generation += 1;
        change
    }
}

#[cfg(test)]
mod tests;
