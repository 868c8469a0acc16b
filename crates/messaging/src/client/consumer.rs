//! A supervised consumer: it rebuilds itself, for ever, until it is told to stop.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::Channel;
use lapin::message::Delivery as Raw;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::consumer_status::{ConsumerStatus, State};
use super::handler::{HandleBatch, Observe, Report, Settled};
use super::pause::Pause;
use super::settle;
use super::{Backoff, Broker, trace, wire};
use crate::{Delivery, Failure, Incoming, Meta};

const SETUP_TIMEOUT: Duration = Duration::from_secs(10);

/// A consumer of one queue, being set up.
#[must_use = "a consumer does nothing until it is run"]
pub struct Consumer {
    broker: Broker,
    queue: String,
    prefetch: u16,
    batch: usize,
    max_attempts: u32,
    observer: Option<Arc<dyn Observe>>,
    status: ConsumerStatus,
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("queue", &self.queue).finish_non_exhaustive()
    }
}

/// Why a running consumer must be rebuilt, or may end.
pub(super) enum End {
    Stopped,
    Broken(String),
}

impl<E: fmt::Display> From<E> for End {
    fn from(error: E) -> Self {
        Self::Broken(error.to_string())
    }
}

impl Consumer {
    pub(crate) fn new(broker: Broker, queue: &str) -> Self {
        Self {
            broker,
            queue: queue.to_owned(),
            prefetch: 512,
            batch: 256,
            max_attempts: 5,
            observer: None,
            status: ConsumerStatus::new(),
        }
    }

    /// How many messages the broker sends ahead of their acks.
    pub fn prefetch(mut self, messages: u16) -> Self {
        self.prefetch = messages.max(1);
        self
    }

    /// How many waiting messages are handled together at most. Nothing waits for a batch to fill.
    pub fn batch(mut self, messages: usize) -> Self {
        self.batch = messages.max(1);
        self
    }

    /// How often a message is tried before it is parked.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// Tells this observer what becomes of each message.
    pub fn observer(mut self, observer: Arc<dyn Observe>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// How the consumer stands, while it runs.
    pub fn status(&self) -> ConsumerStatus {
        self.status.clone()
    }

    /// Consumes until `stop`, rebuilding connection, channel, topology and subscription after any error.
    ///
    /// On `stop` the batch at hand is finished and acked; what was only prefetched goes back to the queue.
    pub async fn run<M: Incoming, H: HandleBatch<M>>(self, handler: H, stop: CancellationToken) {
        let mut delays = Backoff::RECONNECT.delays();
        loop {
            let (end, worked) = self.consume(&handler, &stop).await;
            let End::Broken(reason) = end else { return };
            if worked {
                delays = Backoff::RECONNECT.delays();
            }
            let delay = delays.next().unwrap_or(Backoff::RECONNECT.cap);
            tracing::warn!(queue = self.queue, reason, retry_in = ?delay, "consumer lost; rebuilding it");
            metrics::counter!("messaging_consumer_rebuilds_total", "queue" => self.queue.clone()).increment(1);
            self.status.set(State::Connecting(reason));
            if stop.run_until_cancelled(tokio::time::sleep(delay)).await.is_none() {
                return;
            }
        }
    }

    /// One life of a subscription. Also tells whether it got as far as consuming.
    async fn consume<M: Incoming, H: HandleBatch<M>>(&self, handler: &H, stop: &CancellationToken) -> (End, bool) {
        let subscribed = tokio::select! {
            () = stop.cancelled() => return (End::Stopped, false),
            subscribed = self.subscribe() => subscribed,
        };
        let (channel, consumer) = match subscribed {
            Ok(subscribed) => subscribed,
            Err(end) => return (end, false),
        };
        tracing::info!(queue = self.queue, prefetch = self.prefetch, "consuming");
        self.status.subscribed(&channel);

        let mut batches = consumer.ready_chunks(self.batch);
        let end = loop {
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => break End::Stopped,
                next = batches.next() => next,
            };
            let Some(deliveries) = next else {
                // lapin's stream just ends when the queue is deleted or the channel is closed on it.
                break End::Broken("the broker ended the subscription".to_owned());
            };
            let deliveries = match deliveries.into_iter().collect::<Result<Vec<Raw>, _>>() {
                Ok(deliveries) => deliveries,
                Err(error) => break End::from(error),
            };
            if let Err(end) = self.process(handler, &channel, deliveries, stop).await {
                break end;
            }
        };
        // This hands what was only prefetched back to the queue, for another consumer. Not cancelled before: in between, the
        // next one of a queue with a single active consumer would get what comes after.
        let _ = timeout(SETUP_TIMEOUT, channel.close(200, "consumer ends".into())).await;
        (end, true)
    }

    async fn subscribe(&self) -> Result<(Channel, lapin::Consumer), End> {
        self.broker.declare_for(&self.queue).await?;
        let channel = self.broker.inner.consuming.channel().await?;
        let setup = async {
            channel.basic_qos(self.prefetch, BasicQosOptions::default()).await?;
            let tag = format!("{}-{}", self.broker.inner.app, uuid::Uuid::now_v7().simple());
            let options = BasicConsumeOptions::default();
            channel.basic_consume(self.queue.as_str().into(), tag.into(), options, FieldTable::default()).await
        };
        let consumer = timeout(SETUP_TIMEOUT, setup).await??;
        Ok((channel, consumer))
    }

    /// Handles a batch, makes its copies safe, reports, and only then acks.
    async fn process<M: Incoming, H: HandleBatch<M>>(
        &self,
        handler: &H,
        channel: &Channel,
        raws: Vec<Raw>,
        stop: &CancellationToken,
    ) -> Result<(), End> {
        let started = Instant::now();
        let pause = Pause { queue: &self.queue, status: &self.status, channel, stop };
        let mut metas = Vec::with_capacity(raws.len());
        let mut verdicts: Vec<Option<Result<(), Failure>>> = Vec::with_capacity(raws.len());
        let mut batch = Vec::with_capacity(raws.len());
        for raw in &raws {
            let meta = wire::meta(raw, &self.queue);
            match M::decode(meta.kind.as_deref(), &raw.data) {
                Ok(payload) => {
                    batch.push(Delivery { meta: meta.clone(), payload });
                    verdicts.push(None);
                }
                Err(error) => verdicts.push(Some(Err(Failure::reject(error)))),
            }
            metas.push(meta);
        }
        let span = tracing::info_span!("consume", queue = self.queue, messages = batch.len());
        trace::follow(&span, batch.iter().map(|delivery| &delivery.meta.headers));

        let mut decided = self.handle(handler, &pause, &batch).instrument(span.clone()).await?.into_iter();
        let settled: Vec<Settled> = metas
            .iter()
            .zip(verdicts)
            .map(|(meta, verdict)| {
                let verdict = verdict.or_else(|| decided.next()).unwrap_or_else(missing_verdict);
                settle::decide(meta, verdict, self.max_attempts)
            })
            .collect();

        let copies: Vec<_> = raws
            .iter()
            .zip(&metas)
            .zip(&settled)
            .filter_map(|((raw, meta), settled)| settle::copy_of(raw, meta, settled))
            .collect();
        if !copies.is_empty() {
            let unconfirmed = Mutex::new(copies);
            pause.until(|| settle::publish_copies(&self.broker, &unconfirmed)).await?;
        }
        if let Some(observer) = &self.observer {
            let reports: Vec<_> = metas.iter().zip(&settled).map(|(meta, settled)| Report { meta, settled }).collect();
            pause.until(|| observer.observe(&reports)).instrument(span.clone()).await?;
        }
        self.ack(&raws).await?;
        span.in_scope(|| self.tell(&metas, &settled, started.elapsed()));
        Ok(())
    }

    /// The handler's verdicts, after as many pauses as it takes.
    async fn handle<M: Incoming, H: HandleBatch<M>>(
        &self,
        handler: &H,
        pause: &Pause<'_>,
        batch: &[Delivery<M>],
    ) -> Result<Vec<Result<(), Failure>>, End> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        match pause.attempt(|| guarded(handler, batch)).await? {
            Ok(verdicts) => Ok(verdicts),
            Err(failure) if batch.len() == 1 => Ok(vec![Err(failure)]),
            Err(failure) => {
                tracing::debug!(reason = %failure, "batch failed as a whole; handling its messages one at a time");
                let mut verdicts = Vec::with_capacity(batch.len());
                for delivery in batch {
                    if pause.stop.is_cancelled() {
                        // What is settled already comes again, and changes nothing.
                        return Err(End::Stopped);
                    }
                    let alone = std::slice::from_ref(delivery);
                    let verdict = match pause.attempt(|| guarded(handler, alone)).await? {
                        Ok(verdicts) => verdicts.into_iter().next().unwrap_or_else(missing_verdict),
                        Err(failure) => Err(failure),
                    };
                    verdicts.push(verdict);
                }
                Ok(verdicts)
            }
        }
    }

    /// Batches are handled one after another, so with this one all that came before it is settled too: one ack.
    async fn ack(&self, raws: &[Raw]) -> Result<(), End> {
        let Some(last) = raws.last() else { return Ok(()) };
        if last.acker.ack(BasicAckOptions { multiple: true }).await? {
            Ok(())
        } else {
            // The channel it came on is gone: the broker will deliver the batch again.
            Err(End::Broken("the channel was lost before the ack".to_owned()))
        }
    }

    fn tell(&self, metas: &[Meta], settled: &[Settled], took: Duration) {
        metrics::histogram!("messaging_batch_seconds", "queue" => self.queue.clone()).record(took);
        for (meta, settled) in metas.iter().zip(settled) {
            metrics::counter!(
                "messaging_consumed_total", "queue" => self.queue.clone(), "outcome" => settled.label()
            )
            .increment(1);
            let (queue, id, attempt) = (&self.queue, meta.id, meta.attempt);
            match settled {
                Settled::Done => tracing::debug!(queue, %id, attempt, "done"),
                Settled::Refused { reason } => tracing::info!(queue, %id, attempt, reason, "refused"),
                Settled::Retrying { delay, reason } => {
                    tracing::warn!(queue, %id, attempt, reason, retry_in = ?delay, "failed; will be retried");
                }
                Settled::Dead { reason } => tracing::error!(queue, %id, attempt, reason, "parked as a dead letter"),
            }
        }
    }
}

fn missing_verdict() -> Result<(), Failure> {
    Err(Failure::retry("the handler gave no verdict on this message"))
}

/// A panic is the failure of what was handled, not of the consumer.
async fn guarded<M: Incoming, H: HandleBatch<M>>(
    handler: &H,
    batch: &[Delivery<M>],
) -> Result<Vec<Result<(), Failure>>, Failure> {
    AssertUnwindSafe(handler.handle_batch(batch))
        .catch_unwind()
        .await
        .unwrap_or_else(|_| Err(Failure::reject("the handler panicked")))
}
