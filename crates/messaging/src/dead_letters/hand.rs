//! A hand that takes dead letters out of their queue in order, and lays back in order what it does not settle.
//!
//! A quorum queue puts what is given back behind what was given back before, and all that before what was never taken. So an
//! order is kept if all that was ever given back is taken again, which ends at the first message that was never taken, and
//! if it is given back in the order in which it was taken: a few messages with each command, since RabbitMQ 3.10 turns the
//! order of many round, and not too many commands ahead of the queue, since the channel gathers those that wait.
//!
//! A consumer gets no more than its prefetch allows while it holds on to what it has. When all of it is held, the next
//! consumer goes on where it stopped.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery as Raw;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions, BasicQosOptions,
    QueueDeclareOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Consumer};
use tokio::time::{Instant, sleep, timeout};

use super::error::is_missing;
use super::{DeadLetterError, dead_letter_name};
use crate::Broker;

/// How many messages are taken ahead.
const PREFETCH: u16 = 256;
/// The same, for those who take as many as there are.
pub(super) const WINDOW: usize = PREFETCH as usize;
/// How many messages go back with one command: with more than 32 their order is lost.
const TOGETHER: u64 = 32;
/// How many such commands are sent ahead; from 32 on the channel gathers them.
const AHEAD: usize = 16;
/// Each operation has this long.
const LIMIT: Duration = Duration::from_secs(10);
/// After so long without a message it is asked whether there is any.
const IDLE: Duration = Duration::from_secs(1);
/// A broker that has messages and gives none for this long is broken.
const GIVES_NONE: Duration = Duration::from_secs(30);
/// The queue shows within some milliseconds what was given back, unless somebody else takes it.
const BACK_WITHIN: Duration = Duration::from_secs(2);
/// Nothing comes for this long if nothing is on its way.
const STILL: Duration = Duration::from_millis(50);
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

/// What a run has in hand of a queue's dead letters. Whatever becomes of it, they go back to the queue with its channel.
pub(super) struct Hand {
    channel: Channel,
    queue: ShortString,
    /// As many as were there at the start: what comes later is not taken.
    total: u64,
    taken: u64,
    /// The very first one, which came with the number of those behind it.
    first: Option<Raw>,
    consumer: Option<Consumer>,
    /// How many the present consumer holds.
    held: u16,
    /// What is held, in the portions in which it is given back. A portion is one consumer's.
    portions: Vec<Portion>,
    /// Whether all that was ever given back is in hand.
    never_taken_seen: bool,
}

/// Messages that follow one another and are given back together.
#[derive(Clone, Copy, Debug, Default)]
struct Portion {
    last: u64,
    size: u64,
    full: bool,
}

impl Hand {
    /// Takes the first message, if there is any, and with it the measure of what is there.
    pub(super) async fn open(
        broker: &Broker,
        queue: &str,
        at_most: Option<u64>,
    ) -> Result<Option<Self>, DeadLetterError> {
        let name = dead_letter_name(queue);
        let channel = broker.inner.consuming.channel().await?;
        let options = BasicGetOptions { no_ack: false };
        // Not the length that the queue tells when it is declared: if it is busy, that is nought.
        let first = match in_time(channel.basic_get(name.as_str().into(), options)).await? {
            Ok(Some(first)) => first,
            Ok(None) => {
                close(&channel).await;
                return Ok(None);
            }
            Err(error) if is_missing(&error) => return Err(DeadLetterError::Missing(name)),
            Err(error) => return Err(error.into()),
        };
        in_time(channel.basic_qos(PREFETCH, BasicQosOptions::default())).await??;
        let total = u64::from(first.message_count) + 1;
        Ok(Some(Self {
            channel,
            queue: name.into(),
            total: at_most.map_or(total, |most| total.min(most)),
            taken: 0,
            never_taken_seen: false,
            first: Some(first.delivery),
            consumer: None,
            held: 0,
            portions: Vec::new(),
        }))
    }

    /// The same after some were given back, which the queue may not show at once.
    pub(super) async fn open_again(
        broker: &Broker,
        queue: &str,
        at_most: u64,
    ) -> Result<Option<Self>, DeadLetterError> {
        let end = Instant::now() + BACK_WITHIN;
        loop {
            match Self::open(broker, queue, Some(at_most)).await? {
                None if Instant::now() < end => sleep(STILL).await,
                opened => return Ok(opened),
            }
        }
    }

    /// How many were there at the start.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// How many of them were taken.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether what was taken can be given back in its order.
    pub(super) fn may_stop(&self) -> bool {
        self.never_taken_seen || self.taken >= self.total
    }

    /// The next ones, as many as are there but at most so many; none when all were taken. Those that were taken before
    /// must have been held or settled.
    pub(super) async fn take(&mut self, at_most: usize) -> Result<Vec<Raw>, DeadLetterError> {
        let mut taken = Vec::new();
        if self.taken >= self.total {
            return Ok(taken);
        }
        match self.first.take() {
            Some(first) => self.note(first, &mut taken),
            None => {
                let Some(next) = self.wait().await? else {
                    self.total = self.taken;
                    return Ok(taken);
                };
                self.note(next, &mut taken);
            }
        }
        while taken.len() < at_most && self.taken < self.total {
            let Some(next) = self.consumer.as_mut().and_then(|consumer| consumer.next().now_or_never()) else { break };
            self.note(next.ok_or(DeadLetterError::Ended)??, &mut taken);
        }
        Ok(taken)
    }

    fn note(&mut self, raw: Raw, taken: &mut Vec<Raw>) {
        self.taken += 1;
        self.never_taken_seen |= !raw.redelivered;
        taken.push(raw);
    }

    /// The next one; none if somebody else has taken what was still there.
    async fn wait(&mut self) -> Result<Option<Raw>, DeadLetterError> {
        if self.held >= PREFETCH {
            self.cancel().await?;
        }
        let started = Instant::now();
        let mut looked_empty = false;
        loop {
            let consumer = match &mut self.consumer {
                Some(consumer) => consumer,
                none => none.insert(subscribe(&self.channel, &self.queue).await?),
            };
            match timeout(IDLE, consumer.next()).await {
                Ok(next) => return Ok(Some(next.ok_or(DeadLetterError::Ended)??)),
                Err(_) if started.elapsed() > GIVES_NONE => return Err(DeadLetterError::TimedOut(GIVES_NONE)),
                Err(_) => {
                    // A busy queue says that it is empty: only if it says so again it is believed.
                    let is_empty = ready(&self.channel, &self.queue).await? == 0;
                    if is_empty && looked_empty {
                        return Ok(None);
                    }
                    looked_empty = is_empty;
                }
            }
        }
    }

    /// Keeps a message in hand until all is given back. They must be held in the order in which they were taken.
    pub(super) fn hold(&mut self, raw: &Raw) {
        // The first one was not given to a consumer, and takes nothing of what that may have.
        let is_first = raw.delivery_tag == 1;
        self.held += u16::from(!is_first);
        if self.portions.last().is_none_or(|portion| portion.full) {
            self.portions.push(Portion::default());
        }
        if let Some(portion) = self.portions.last_mut() {
            let size = portion.size + 1;
            *portion = Portion { last: raw.delivery_tag, size, full: is_first || size == TOGETHER };
        }
    }

    /// Acks a message: it is gone from the queue for good.
    pub(super) async fn settle(&self, raw: &Raw) -> Result<(), DeadLetterError> {
        in_time(self.channel.basic_ack(raw.delivery_tag, BasicAckOptions { multiple: false })).await??;
        Ok(())
    }

    /// Ends the present consumer, and holds what it has been given and nobody has looked at.
    async fn cancel(&mut self) -> Result<(), DeadLetterError> {
        let Some(mut consumer) = self.consumer.take() else { return Ok(()) };
        self.until_still(&mut consumer).await?;
        in_time(self.channel.basic_cancel(consumer.tag(), BasicCancelOptions::default())).await??;
        while let Some(left) = in_time(consumer.next()).await? {
            self.hold(&left?);
        }
        if let Some(portion) = self.portions.last_mut() {
            portion.full = true;
        }
        self.held = 0;
        Ok(())
    }

    /// Holds what still comes, until the consumer has all it may have, or the queue has no more. What is on its way to a
    /// consumer when it ends goes back at once, before all others.
    async fn until_still(&mut self, consumer: &mut Consumer) -> Result<(), DeadLetterError> {
        let end = Instant::now() + BACK_WITHIN;
        let mut is_empty = false;
        while self.held < PREFETCH && Instant::now() < end {
            match timeout(STILL, consumer.next()).await {
                Ok(next) => self.hold(&next.ok_or(DeadLetterError::Ended)??),
                Err(_) if is_empty => break,
                // It may have been sent just before.
                Err(_) => is_empty = ready(&self.channel, &self.queue).await? == 0,
            }
        }
        Ok(())
    }

    /// Gives back what was not settled. Returns once the broker has got this and all that was acked: if it fails, what was
    /// acked last may be there still.
    pub(super) async fn give_back(mut self) -> Result<(), DeadLetterError> {
        self.cancel().await?;
        let options = BasicNackOptions { multiple: true, requeue: true };
        let mut expected = ready(&self.channel, &self.queue).await?;
        let mut is_alone = true;
        for (nth, portion) in self.portions.iter().enumerate() {
            in_time(self.channel.basic_nack(portion.last, options)).await??;
            expected += portion.size;
            // With the first one all acks before it have got there too, and the last one ends the run.
            if is_alone && (nth % AHEAD == 0 || nth + 1 == self.portions.len()) {
                is_alone = self.until_ready(expected).await?;
            }
        }
        in_time(self.channel.close(200, "done with the dead letters".into())).await??;
        Ok(())
    }

    /// Waits until the queue could give so many messages. It never will if somebody else takes them.
    async fn until_ready(&self, messages: u64) -> Result<bool, DeadLetterError> {
        let end = Instant::now() + BACK_WITHIN;
        while ready(&self.channel, &self.queue).await? < messages {
            if Instant::now() >= end {
                return Ok(false);
            }
            sleep(BETWEEN_LOOKS).await;
        }
        Ok(true)
    }
}

async fn subscribe(channel: &Channel, queue: &ShortString) -> Result<Consumer, DeadLetterError> {
    let options = BasicConsumeOptions::default();
    Ok(in_time(channel.basic_consume(queue.clone(), "".into(), options, FieldTable::default())).await??)
}

/// How many messages the queue could give.
async fn ready(channel: &Channel, queue: &ShortString) -> Result<u64, DeadLetterError> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let declared = in_time(channel.queue_declare(queue.clone(), options, FieldTable::default())).await??;
    Ok(u64::from(declared.message_count()))
}

/// How many are parked beside a queue; `None` if there is no dead-letter queue.
pub(super) async fn count(broker: &Broker, queue: &str) -> Result<Option<u64>, DeadLetterError> {
    // A question about a queue that is not there ends its channel.
    let channel = broker.inner.consuming.channel().await?;
    match ready(&channel, &dead_letter_name(queue).into()).await {
        Ok(ready) => {
            close(&channel).await;
            Ok(Some(ready))
        }
        Err(DeadLetterError::Connect(crate::ConnectError::Amqp(error))) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Nothing is lost if it fails.
async fn close(channel: &Channel) {
    let _ = in_time(channel.close(200, "done with the dead letters".into())).await;
}

async fn in_time<T>(operation: impl Future<Output = T>) -> Result<T, DeadLetterError> {
    timeout(LIMIT, operation).await.map_err(|_| DeadLetterError::TimedOut(LIMIT))
}
