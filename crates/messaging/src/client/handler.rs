//! What a consumer does with messages: the handler decides, the library acks.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::{Delivery, Failure, Meta};

/// Handles one message at a time.
pub trait Handle<M>: Send + Sync + 'static {
    /// Handles a message. `Ok` acks it; a [`Failure`] says what is to become of it.
    ///
    /// A message can come more than once: its id and its effect must commit together, or the effect be guarded by a
    /// version.
    fn handle(&self, delivery: &Delivery<M>) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Handles whatever is waiting, up to the batch size, in one go: one bulk write instead of many.
pub trait HandleBatch<M>: Send + Sync + 'static {
    /// Handles a batch; the verdicts are in its order, one for each message.
    ///
    /// An `Err` is about the batch as a whole. If it is [`Failure::unavailable`], consuming pauses and the same batch
    /// is handled again when the store is back; otherwise the messages are handled again one at a time, so that the
    /// one at fault fails alone.
    fn handle_batch(
        &self,
        batch: &[Delivery<M>],
    ) -> impl Future<Output = Result<Vec<Result<(), Failure>>, Failure>> + Send;
}

/// Makes a [`HandleBatch`] of a [`Handle`]: each message by itself, in order.
#[derive(Debug)]
pub struct Each<H>(pub H);

impl<M: Send + Sync + 'static, H: Handle<M>> HandleBatch<M> for Each<H> {
    async fn handle_batch(&self, batch: &[Delivery<M>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let mut verdicts = Vec::with_capacity(batch.len());
        for delivery in batch {
            verdicts.push(self.0.handle(delivery).await);
        }
        Ok(verdicts)
    }
}

/// What became of a message, for now or for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Handled.
    Done,
    /// Failed, and will come back.
    Retrying {
        /// When.
        delay: Duration,
        /// Why it failed.
        reason: String,
    },
    /// Refused by the business: final, no dead letter.
    Refused {
        /// Why.
        reason: String,
    },
    /// Parked in the dead-letter queue.
    Dead {
        /// Why.
        reason: String,
    },
}

impl Settled {
    /// A word for metrics and logs.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retrying { .. } => "retrying",
            Self::Refused { .. } => "refused",
            Self::Dead { .. } => "dead",
        }
    }
}

/// What became of one message.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The message.
    pub meta: &'a Meta,
    /// What became of it.
    pub settled: &'a Settled,
}

/// Is told what became of each message, before it is acked: what it makes known is not forgotten in a crash.
pub trait Observe: fmt::Debug + Send + Sync + 'static {
    /// Told of a batch. A failure pauses the consumer, and it is told again.
    fn observe<'a>(&'a self, reports: &'a [Report<'a>]) -> BoxFuture<'a, Result<(), Failure>>;
}
