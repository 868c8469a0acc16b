//! One run through a queue's dead letters: what is meant is redriven, thrown away or counted, the rest is given back.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::time::Duration;

use lapin::message::Delivery as Raw;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::hand::{Hand, WINDOW};
use super::letter::copy;
use super::pace::Pace;
use super::{DeadLetter, DeadLetterError, Filter};
use crate::client::wire::Publish;
use crate::{Broker, Outcome};

/// As many as the publisher keeps in their order.
const TOGETHER: usize = 64;

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many messages were parked when it began.
    pub total: u64,
    /// How many of them it has looked at.
    pub seen: u64,
    /// How many of those were meant.
    pub matched: u64,
    /// How many were redriven or thrown away; none by a dry run.
    pub done: u64,
    /// How many the broker will never take again as they are. They stay parked.
    pub refused: u64,
}

/// What became of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunReport {
    /// The run's id. What it has redriven says so in the header `x-redrive-run`.
    pub run: Uuid,
    /// How far it came.
    pub progress: Progress,
    /// Why it ended before all was done; `None` if it did not.
    pub interrupted: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// What is done to the messages that are meant.
pub(super) enum Action {
    Count,
    Redrive { by: String },
    Purge,
}

/// Why a run, or one pass of it, is over.
enum End {
    /// All was looked at, or as much as was wanted.
    Complete,
    /// It has held messages for as long as it may.
    HeldLong,
    Interrupted(String),
}

impl From<DeadLetterError> for End {
    fn from(error: DeadLetterError) -> Self {
        Self::Interrupted(error.to_string())
    }
}

pub(super) struct Run<'a, P> {
    broker: &'a Broker,
    queue: &'a str,
    filter: &'a Filter,
    limit: u64,
    action: Action,
    pace: Option<Pace>,
    stop: &'a CancellationToken,
    tell: P,
    id: Uuid,
    progress: Progress,
}

impl<'a, P: FnMut(&Progress) + Send> Run<'a, P> {
    pub(super) fn new(
        broker: &'a Broker,
        queue: &'a str,
        filter: &'a Filter,
        limit: u64,
        action: Action,
        stop: &'a CancellationToken,
        tell: P,
    ) -> Self {
        let (id, progress) = (Uuid::now_v7(), Progress::default());
        Self { broker, queue, filter, limit, action, pace: None, stop, tell, id, progress }
    }

    pub(super) fn paced(mut self, rate: Option<NonZeroU32>) -> Self {
        self.pace = rate.map(Pace::new);
        self
    }

    /// Goes through the messages once. A pass that has held some for too long gives them back, and the next looks at them
    /// again.
    pub(super) async fn finish(mut self, hold_at_most: Duration) -> Result<RunReport, DeadLetterError> {
        let started = Instant::now();
        let mut hand = Hand::open(self.broker, self.queue, None).await?;
        self.progress.total = hand.as_ref().map_or(0, Hand::total);
        let mut interrupted = None;
        while let Some(mut taking) = hand.take() {
            let end = self.pass(&mut taking, Instant::now() + hold_at_most).await;
            let given_back = taking.give_back().await;
            interrupted = match (end, given_back) {
                (End::Interrupted(reason), _) => Some(reason),
                (_, Err(error)) => Some(format!("{error}; what was acked last may still be parked")),
                (End::Complete, Ok(())) => None,
                (End::HeldLong, Ok(())) => match self.again().await {
                    Ok(again) => {
                        hand = again;
                        None
                    }
                    Err(error) => Some(error.to_string()),
                },
            };
        }
        let Self { id, progress, .. } = self;
        Ok(RunReport { run: id, progress, interrupted, took: started.elapsed() })
    }

    /// For another pass over what is left of those that were there at the start.
    async fn again(&self) -> Result<Option<Hand>, DeadLetterError> {
        match self.progress.total - self.progress.done {
            0 => Ok(None),
            left => Hand::open_again(self.broker, self.queue, left).await,
        }
    }

    async fn pass(&mut self, hand: &mut Hand, until: Instant) -> End {
        // What an earlier pass has given back is looked at again.
        let done = self.progress.done;
        self.progress = Progress { matched: done, refused: 0, seen: done, ..self.progress };
        let together = match (&self.action, &self.pace) {
            (Action::Count, _) => WINDOW,
            (_, Some(pace)) => pace.together().min(TOGETHER),
            (_, None) => TOGETHER,
        };
        let stop = self.stop;
        loop {
            if Instant::now() >= until {
                return End::HeldLong;
            }
            let wait = async {
                if let Some(pace) = &self.pace {
                    sleep_until(pace.next()).await;
                }
            };
            if stop.run_until_cancelled(wait).await.is_none() {
                return End::Interrupted("it was told to stop".to_owned());
            }
            let taken = match hand.take(together).await {
                Ok(taken) if taken.is_empty() => return End::Complete,
                Ok(taken) => taken,
                Err(error) => return error.into(),
            };
            let ended = self.treat(hand, &taken).await;
            self.progress.seen = done + hand.taken();
            if let Err(end) = ended {
                return end;
            }
            if self.progress.matched >= self.limit && hand.may_stop() {
                return End::Complete;
            }
        }
    }

    /// Does what is to be done to each of these messages, and holds those that stay.
    async fn treat(&mut self, hand: &mut Hand, taken: &[Raw]) -> Result<(), End> {
        let now = OffsetDateTime::now_utc();
        let mut meant = Vec::new();
        for raw in taken {
            let letter = DeadLetter::of(raw, self.queue);
            let is_meant = self.progress.matched < self.limit
                && self.filter.matches(&letter, now)
                && !letter.was_redriven_in(self.id);
            if is_meant {
                self.progress.matched += 1;
                meant.push((raw, letter));
            }
        }
        let (gone, end) = match &self.action {
            Action::Count => (HashSet::new(), Ok(())),
            Action::Purge => (meant.iter().map(|(raw, _)| raw.delivery_tag).collect(), Ok(())),
            Action::Redrive { by } => {
                let copy = |(raw, letter): &(&Raw, DeadLetter)| copy(raw, letter, self.queue, self.id, by);
                let outcomes = self.publish(meant.iter().map(copy).collect()).await;
                if let Some(pace) = &mut self.pace {
                    pace.gone(meant.len());
                }
                self.confirmed(&meant, outcomes)
            }
        };
        self.progress.done += gone.len() as u64;
        (self.tell)(&self.progress);
        for raw in taken {
            if gone.contains(&raw.delivery_tag) {
                hand.settle(raw).await?;
            } else {
                hand.hold(raw);
            }
        }
        end
    }

    /// One that is refused ends its channel, and of those around it nothing is known: they are sent again.
    async fn publish(&self, copies: Vec<Publish>) -> Vec<Outcome> {
        let publisher = self.broker.publisher();
        let mut outcomes = publisher.send_all(copies.clone()).await;
        if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Refused(_))) {
            for (outcome, copy) in outcomes.iter_mut().zip(copies) {
                if matches!(outcome, Outcome::Unknown(_)) {
                    *outcome = publisher.send(copy).await;
                }
            }
        }
        outcomes
    }

    /// Those whose copies are confirmed, and whether it makes sense to go on.
    fn confirmed(&mut self, meant: &[(&Raw, DeadLetter)], outcomes: Vec<Outcome>) -> (HashSet<u64>, Result<(), End>) {
        let mut confirmed = HashSet::new();
        let mut end = Ok(());
        for ((raw, letter), outcome) in meant.iter().zip(outcomes) {
            match outcome {
                Outcome::Confirmed => {
                    confirmed.insert(raw.delivery_tag);
                }
                Outcome::Refused(reason) => {
                    let (queue, id) = (self.queue, &letter.message_id);
                    tracing::warn!(queue, id, reason, "a dead letter cannot be redriven");
                    self.progress.refused += 1;
                }
                // The next ones would fare no better.
                Outcome::Unroutable | Outcome::Nacked | Outcome::Unknown(_) => {
                    end = Err(End::Interrupted(format!("`{}` did not take a message: {outcome}", self.queue)));
                }
            }
        }
        (confirmed, end)
    }
}
