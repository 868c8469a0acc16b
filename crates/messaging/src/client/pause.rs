//! Pausing: what is down is not the message's fault, so no attempt is spent while it is.

use std::time::Duration;

use lapin::Channel;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Backoff;
use super::consumer::End;
use super::consumer_status::{ConsumerStatus, State};
use crate::{Failure, FailureKind};

/// How long a consumer may hold messages while it pauses: RabbitMQ closes the channel of one that acks nothing for
/// 30 minutes.
const LONGEST_PAUSE: Duration = Duration::from_secs(20 * 60);

/// Waiting for what is down, with the messages at hand kept.
pub(super) struct Pause<'a> {
    pub(super) queue: &'a str,
    pub(super) status: &'a ConsumerStatus,
    pub(super) channel: &'a Channel,
    pub(super) stop: &'a CancellationToken,
}

impl Pause<'_> {
    /// Runs `op` until it is not unavailable any more. Ends early when told to stop, when the channel is lost (the
    /// messages will be delivered again), or before the broker loses patience.
    pub(super) async fn attempt<T, F, Fut>(&self, mut op: F) -> Result<Result<T, Failure>, End>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, Failure>>,
    {
        let queue = self.queue;
        let started = Instant::now();
        let mut delays = Backoff::RECONNECT.delays();
        let mut paused = false;
        loop {
            let failure = match op().await {
                Err(failure) if failure.kind == FailureKind::Unavailable => failure,
                result => {
                    if paused {
                        tracing::info!(queue, paused_for = ?started.elapsed(), "consuming again");
                        self.status.set(State::Consuming);
                        self.gauge(0.0);
                    }
                    return Ok(result);
                }
            };
            if !paused {
                paused = true;
                tracing::warn!(queue, reason = %failure, "consuming pauses");
                self.gauge(1.0);
            }
            self.status.set(State::Paused(failure.reason.clone()));
            let delay = delays.next().unwrap_or(Backoff::RECONNECT.cap);
            let stopped = self.stop.run_until_cancelled(tokio::time::sleep(delay)).await.is_none();
            if stopped {
                self.gauge(0.0);
                return Err(End::Stopped);
            }
            if !self.channel.status().connected() || started.elapsed() > LONGEST_PAUSE {
                self.gauge(0.0);
                return Err(End::Broken(format!("paused: {failure}")));
            }
        }
    }

    /// The same for what can only be unavailable.
    pub(super) async fn until<F, Fut>(&self, op: F) -> Result<(), End>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<(), Failure>>,
    {
        self.attempt(op).await?.map_err(End::from)
    }

    fn gauge(&self, paused: f64) {
        metrics::gauge!("messaging_consumer_paused", "queue" => self.queue.to_owned()).set(paused);
    }
}
