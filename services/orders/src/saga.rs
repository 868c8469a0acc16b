//! The saga of an order: from where it is and what is heard to where it goes and what it says. Without I/O and without a clock.
//!
//! ```text
//!            stock reserved             paid              stock sold
//!  Placed ──────────────────▶ Reserved ──────▶ Paid ───────────────────▶ Confirmed
//!    │ out of stock              │ declined      │ the reservation ran out
//!    │ cancelled                 │ cancelled     │
//!    │ deadline                  │ deadline      │
//!    └───────────────────────────┴───────────────┴──▶ Cancelling ──────▶ Cancelled
//!                                                               stock free
//! ```
//!
//! Beside its step an order knows how its charge stands. Whoever gives up an order whose charge was asked for, or made, asks for
//! the money back with the same write: what was not charged yet never will be. It asks again until it hears of the end.
//!
//! Only products knows whether stock is still reserved. So an order that is paid leaves that step by the answer to its commit and
//! by nothing else, not even the deadline: nobody can say that it is cancelled while its stock is being sold.

use std::time::Duration;

use contracts::orders::OrderStatus;
use serde::{Deserialize, Serialize};
use service::documents::instant;
use time::OffsetDateTime;

/// How long whoever has changed an order is given for its next step, until somebody else takes it up.
pub(crate) const LEASE: Duration = Duration::from_secs(3);

/// When a refund is asked for again that nothing was heard of; the wait doubles from there.
const REFUND_AGAIN: Duration = Duration::from_secs(30);

const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Its stock is to be reserved.
    Placed,
    /// Its stock is reserved, and its payment awaited.
    Reserved,
    /// It is paid, and its stock is to be sold.
    Paid,
    /// Final: paid, and the stock is sold.
    Confirmed,
    /// It was given up, and its stock is to be freed.
    Cancelling,
    /// Final: given up, and the stock is free.
    Cancelled,
}

/// How an order's charge stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Charge {
    /// Nobody was asked for it.
    Unasked,
    /// It was asked for, and nothing was heard.
    Asked,
    /// The money is there.
    Paid,
    /// It was declined.
    Failed,
    /// The money is to be given back, if it was charged.
    Returning,
    /// The money was given back, or never will be charged.
    Returned,
}

/// Where an order is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saga {
    pub(crate) step: Step,
    pub(crate) charge: Charge,
    /// Why it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Until when it must be paid.
    #[serde(with = "instant")]
    pub(crate) deadline: OffsetDateTime,
    /// When somebody must look at it. Absent when there is nothing more to do.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "instant::option")]
    pub(crate) next_at: Option<OffsetDateTime>,
    /// How often its present step was taken up again.
    pub(crate) tries: u32,
}

/// What is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// Products: the stock is reserved.
    StockReserved,
    /// Products: the stock cannot be reserved, for good.
    StockRefused(String),
    /// Products: the stock is sold.
    StockSold,
    /// Products: the stock cannot be sold, for good.
    StockLost(String),
    /// Products: no stock is held for the order, and none will be.
    StockFree,
    /// Payments: charged.
    PaymentCompleted,
    /// Payments: declined.
    PaymentFailed(String),
    /// Payments: given back, or never to be charged.
    PaymentRefunded,
    /// A person, or a deleted account.
    Cancel(&'static str),
    /// The clock.
    Tick,
}

/// What an order has somebody do at once. Each may be repeated at will.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    Reserve,
    Commit,
    Release,
}

/// What an order says. It is written together with the new state, and sent after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    AnnounceCreated,
    AnnounceConfirmed,
    AnnounceCancelled,
    AskPayment,
    AskRefund,
}

impl Saga {
    pub(crate) fn new(now: OffsetDateTime, timeout: Duration) -> Self {
        let deadline = now + timeout;
        let placed =
            Self { step: Step::Placed, charge: Charge::Unasked, reason: None, deadline, next_at: None, tries: 0 };
        placed.timed(now)
    }

    /// What is shown of it.
    pub(crate) fn status(&self) -> OrderStatus {
        match self.step {
            Step::Placed | Step::Reserved | Step::Paid | Step::Cancelling => OrderStatus::Pending,
            Step::Confirmed => OrderStatus::Confirmed,
            Step::Cancelled => OrderStatus::Cancelled,
        }
    }

    /// What its step asks for.
    pub(crate) fn call(&self) -> Option<Call> {
        match self.step {
            Step::Placed => Some(Call::Reserve),
            Step::Paid => Some(Call::Commit),
            Step::Cancelling => Some(Call::Release),
            Step::Reserved | Step::Confirmed | Step::Cancelled => None,
        }
    }

    /// When a call that brought no answer is tried again.
    pub(crate) fn later(&self, now: OffsetDateTime) -> OffsetDateTime {
        let at = now + doubled(Duration::from_millis(250), self.tries).min(Duration::from_secs(30));
        if self.step == Step::Placed { at.min(self.deadline) } else { at }
    }

    /// Where it goes with what is heard, and what it says; `None` if that changes nothing.
    pub(crate) fn on(&self, input: &Input, now: OffsetDateTime) -> Option<(Self, Vec<Effect>)> {
        use {Charge as C, Effect as E, Input as I, Step as S};
        let given_up = matches!(self.step, S::Cancelling | S::Cancelled);
        let (next, effects) = match (self.step, input) {
            // Paid before it was asked for: nobody does that, but then it is so.
            (S::Placed, I::PaymentCompleted) if self.charge == C::Unasked => (self.charged(C::Paid), vec![]),
            (S::Placed, I::StockReserved) if self.charge == C::Paid => (self.at(S::Paid), vec![E::AnnounceCreated]),
            (S::Placed, I::StockReserved) => {
                (Self { charge: C::Asked, ..self.at(S::Reserved) }, vec![E::AnnounceCreated, E::AskPayment])
            }
            (S::Placed, I::StockRefused(reason)) => self.given_up(self.charge, reason),
            (S::Placed, I::Tick) if now >= self.deadline => {
                self.given_up(self.charge, "the stock could not be reserved in time")
            }
            (S::Reserved, I::Tick) if now >= self.deadline => self.given_up(self.charge, "payment timed out"),
            (S::Placed | S::Reserved, I::Cancel(reason)) => self.given_up(self.charge, reason),

            (S::Reserved, I::PaymentCompleted) => (Self { charge: C::Paid, ..self.at(S::Paid) }, vec![]),
            (S::Reserved, I::PaymentFailed(reason)) => self.given_up(C::Failed, reason),
            (S::Reserved, I::PaymentRefunded) => self.given_up(C::Returned, "the payment was given back"),

            (S::Paid, I::StockSold) => (self.at(S::Confirmed), vec![E::AnnounceConfirmed]),
            (S::Paid, I::StockLost(reason)) => self.given_up(self.charge, reason),

            (S::Cancelling, I::StockFree) => (self.at(S::Cancelled), vec![E::AnnounceCancelled]),

            (_, I::PaymentCompleted) if given_up && !matches!(self.charge, C::Returning | C::Returned) => {
                (self.charged(C::Returning), vec![E::AskRefund])
            }
            (_, I::PaymentFailed(_)) if given_up && self.charge == C::Returning => (self.charged(C::Failed), vec![]),
            (_, I::PaymentRefunded) if given_up && self.charge != C::Returned => (self.charged(C::Returned), vec![]),
            (S::Cancelled, I::Tick) if self.charge == C::Returning && self.next_at.is_some_and(|at| now >= at) => {
                (Self { tries: self.tries.saturating_add(1), ..self.clone() }, vec![E::AskRefund])
            }
            _ => return None,
        };
        Some((next.timed(now), effects))
    }

    fn at(&self, step: Step) -> Self {
        Self { step, tries: 0, ..self.clone() }
    }

    fn charged(&self, charge: Charge) -> Self {
        Self { charge, ..self.clone() }
    }

    /// What may have been charged is asked back in the same breath.
    fn given_up(&self, charge: Charge, reason: &str) -> (Self, Vec<Effect>) {
        let owed = matches!(charge, Charge::Asked | Charge::Paid);
        let charge = if owed { Charge::Returning } else { charge };
        let effects = if owed { vec![Effect::AskRefund] } else { vec![] };
        (Self { charge, reason: Some(reason.to_owned()), ..self.at(Step::Cancelling) }, effects)
    }

    /// With the time when somebody must look at it next.
    fn timed(self, now: OffsetDateTime) -> Self {
        let next_at = match self.step {
            Step::Placed => Some(self.deadline.min(now + LEASE)),
            Step::Paid | Step::Cancelling => Some(now + LEASE),
            Step::Reserved => Some(self.deadline),
            Step::Cancelled if self.charge == Charge::Returning => Some(now + doubled(REFUND_AGAIN, self.tries)),
            Step::Confirmed | Step::Cancelled => None,
        };
        Self { next_at, ..self }
    }
}

fn doubled(wait: Duration, times: u32) -> Duration {
    wait.saturating_mul(2_u32.saturating_pow(times)).min(LONGEST_WAIT)
}

#[cfg(test)]
#[path = "saga_tests.rs"]
mod tests;
