//! Dead letters: what could not be handled, and what a person can do about it.
//!
//! Beside each work queue stands `<queue>.dead`, where its consumer parks what it gives up on, with the reason. Here such
//! messages are counted ([`DeadLetters::list`]), looked at ([`DeadLetters::peek`]), sent to their queue once more
//! ([`DeadLetters::redrive`]) and thrown away ([`DeadLetters::purge`]), all of them or those that a [`Filter`] names.
//!
//! ```no_run
//! use messaging::dead_letters::{Filter, Redrive};
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn mend(broker: messaging::Broker) -> Result<(), messaging::dead_letters::DeadLetterError> {
//! let dead_letters = broker.dead_letters();
//! for letter in dead_letters.peek("stock", &Filter::default(), 10).await? {
//!     println!("{:?}: {:?}", letter.kind, letter.reason);
//! }
//! let redrive = Redrive {
//!     filter: Filter { reason: Some("no such table".into()), ..Filter::default() },
//!     by: "ada".into(),
//!     ..Redrive::default()
//! };
//! let stop = CancellationToken::new();
//! let report = dead_letters.redrive("stock", &redrive, &stop, |progress| println!("{}", progress.done)).await?;
//! println!("{} of {} were redriven", report.progress.done, report.progress.matched);
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//!
//! * A redriven message is acked only after its copy is confirmed. A redrive that dies in between leaves two of it, with the
//!   same id: the one thing that a handler must cope with anyway. (A message that has no id is given one, and nothing can
//!   tell its two copies apart. Only a person can have put one there.)
//! * A purge acks only what its filter names.
//! * Each run looks at no more messages than there were at its start, and never twice sends one that it has sent before. So
//!   what fails again and comes back does not go round in a circle.
//! * What is only looked at stays in its order. (Unless somebody else takes messages at the same time. Two runs at once do
//!   no other harm: each message is in one hand only.)
//! * However many there are, only some hundred are in memory at a time.
//!
//! Being looked at counts as a delivery, for which the queues declared by this library allow a thousand million.

mod error;
mod filter;
mod hand;
mod letter;
mod pace;
mod run;

use std::num::NonZeroU32;
use std::time::Duration;

use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

pub use error::DeadLetterError;
pub use filter::Filter;
pub use letter::DeadLetter;
pub use run::{Progress, RunReport};

use self::hand::Hand;
use self::run::{Action, Run};
use crate::Broker;

/// Well below the half hour after which a broker takes a channel away from whoever does not ack.
const HOLD_AT_MOST: Duration = Duration::from_secs(600);

/// The dead letters of a broker's queues. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    broker: Broker,
    queues: Vec<String>,
    hold_at_most: Duration,
}

/// How many messages are parked beside a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The queue that they were parked from.
    pub queue: String,
    /// The queue in which they are.
    pub dead_letter_queue: String,
    /// How many there are, without those that somebody has in hand; `None` if the broker has no such queue.
    pub parked: Option<u64>,
}

/// Which messages are to be sent to their queue once more, and how.
#[derive(Clone, Debug, Default)]
pub struct Redrive {
    /// Which messages; all of them by default.
    pub filter: Filter,
    /// How many at most, the oldest first.
    pub limit: Option<u64>,
    /// How many per second at most.
    pub rate: Option<NonZeroU32>,
    /// Only counts them.
    pub dry_run: bool,
    /// Who does it: the message says so from then on.
    pub by: String,
}

/// Which messages are to be thrown away.
#[derive(Clone, Debug, Default)]
pub struct Purge {
    /// Which messages; all of them by default.
    pub filter: Filter,
    /// How many at most, the oldest first.
    pub limit: Option<u64>,
    /// Only counts them.
    pub dry_run: bool,
}

impl Broker {
    /// The dead letters of this topology's queues.
    pub fn dead_letters(&self) -> DeadLetters {
        let queues = self.topology().queues.iter().map(|queue| queue.name.clone()).collect();
        DeadLetters { broker: self.clone(), queues, hold_at_most: HOLD_AT_MOST }
    }
}

impl DeadLetters {
    /// With a queue that somebody else declares.
    #[must_use]
    pub fn and(mut self, queue: impl Into<String>) -> Self {
        let queue = queue.into();
        if !self.queues.contains(&queue) {
            self.queues.push(queue);
        }
        self
    }

    /// How long a run keeps messages in hand that it has not acked, 10 minutes by default: less than the broker's
    /// `consumer_timeout`, which is half an hour. A run that takes longer gives them back and begins again.
    #[must_use]
    pub fn hold_at_most(mut self, time: Duration) -> Self {
        self.hold_at_most = time;
        self
    }

    /// The queues whose dead letters these are.
    pub fn queues(&self) -> &[String] {
        &self.queues
    }

    /// How many messages are parked beside each queue.
    pub async fn list(&self) -> Result<Vec<Count>, DeadLetterError> {
        let mut counts = Vec::with_capacity(self.queues.len());
        for queue in &self.queues {
            let parked = hand::count(&self.broker, queue).await?;
            counts.push(Count { queue: queue.clone(), dead_letter_queue: dead_letter_name(queue), parked });
        }
        Ok(counts)
    }

    /// The first so many of a queue's dead letters, the oldest first. They stay where they are.
    ///
    /// This can mean to look at all of them: what somebody has looked at before must all be looked at again to keep its order.
    pub async fn peek(&self, queue: &str, filter: &Filter, limit: usize) -> Result<Vec<DeadLetter>, DeadLetterError> {
        self.known(queue)?;
        let mut letters = Vec::new();
        let Some(mut hand) = Hand::open(&self.broker, queue, None).await? else { return Ok(letters) };
        let now = OffsetDateTime::now_utc();
        let mut looking = Ok(());
        while letters.len() < limit || !hand.may_stop() {
            let taken = match hand.take(hand::WINDOW).await {
                Ok(taken) if taken.is_empty() => break,
                Ok(taken) => taken,
                Err(error) => {
                    looking = Err(error);
                    break;
                }
            };
            for raw in &taken {
                let letter = DeadLetter::of(raw, queue);
                if letters.len() < limit && filter.matches(&letter, now) {
                    letters.push(letter.with_body(raw));
                }
                hand.hold(raw);
            }
        }
        // If this fails the channel is gone, and with it all of them are back.
        let _ = hand.give_back().await;
        looking?;
        Ok(letters)
    }

    /// Sends dead letters to their queue once more, with their tries at nought, and tells how far it is: after each few
    /// messages that were confirmed, before they are acked.
    ///
    /// It ends early on `stop`, and when the queue takes no more; the report says so. Dropping the future is as safe as
    /// being killed: nothing is lost, and what was just confirmed is there twice.
    pub async fn redrive(
        &self,
        queue: &str,
        redrive: &Redrive,
        stop: &CancellationToken,
        progress: impl FnMut(&Progress) + Send,
    ) -> Result<RunReport, DeadLetterError> {
        let Redrive { filter, limit, rate, dry_run, by } = redrive;
        let action = if *dry_run { Action::Count } else { Action::Redrive { by: by.clone() } };
        self.run(queue, filter, *limit, *rate, action, stop, progress).await
    }

    /// Throws dead letters away, and tells how far it is. It ends early on `stop`.
    pub async fn purge(
        &self,
        queue: &str,
        purge: &Purge,
        stop: &CancellationToken,
        progress: impl FnMut(&Progress) + Send,
    ) -> Result<RunReport, DeadLetterError> {
        let Purge { filter, limit, dry_run } = purge;
        let action = if *dry_run { Action::Count } else { Action::Purge };
        self.run(queue, filter, *limit, None, action, stop, progress).await
    }

    #[allow(clippy::too_many_arguments, reason = "the two callers' types are what a reader sees")]
    async fn run(
        &self,
        queue: &str,
        filter: &Filter,
        limit: Option<u64>,
        rate: Option<NonZeroU32>,
        action: Action,
        stop: &CancellationToken,
        progress: impl FnMut(&Progress) + Send,
    ) -> Result<RunReport, DeadLetterError> {
        self.known(queue)?;
        Run::new(&self.broker, queue, filter, limit.unwrap_or(u64::MAX), action, stop, progress)
            .paced(rate)
            .finish(self.hold_at_most)
            .await
    }

    fn known(&self, queue: &str) -> Result<(), DeadLetterError> {
        if self.queues.iter().any(|known| known == queue) {
            return Ok(());
        }
        Err(DeadLetterError::UnknownQueue { queue: queue.to_owned(), known: self.queues.clone() })
    }
}

fn dead_letter_name(queue: &str) -> String {
    format!("{queue}.dead")
}
