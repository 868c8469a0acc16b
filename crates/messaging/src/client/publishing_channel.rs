//! One publishing channel, and the task that owns it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use lapin::options::ConfirmSelectOptions;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::{Channel, Confirmation, ErrorKind};
use tokio::sync::{RwLock, mpsc};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout, timeout_at};

use super::link::Link;
use super::publisher::{Job, Outcome};
use super::wire::Publish;
use super::{Backoff, ConnectError};

/// How much a channel may have unconfirmed, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) size: usize,
    pub(crate) confirm_within: Duration,
}

impl Default for Window {
    fn default() -> Self {
        // Four channels with 256 each hold the most messages per second: lapin's confirm handling is linear in it.
        Self { size: 256, confirm_within: Duration::from_secs(10) }
    }
}

/// A channel that publishes half a window while the broker confirms the other half.
///
/// Both halves are futures of one task: no two threads ever publish on one channel.
pub(super) struct PublishingChannel {
    link: Arc<Link>,
    window: Window,
    open: tokio::sync::Mutex<Open>,
    /// What was returned and is not decided yet: lapin can hand a returned message to any confirm of the channel.
    returned: Mutex<HashSet<Key>>,
    /// Told when something could not be routed.
    unroutable: mpsc::Sender<()>,
    /// A message that is sent alone, to learn whether it is the one that ends channels, must be really alone.
    alone: RwLock<()>,
}

/// The channel as it is now.
#[derive(Default)]
struct Open {
    channel: Option<Channel>,
    /// Counts the channels, to tell one from the next.
    generation: u64,
    /// After a failure to connect nobody waits for the next try: until then all is `Unknown` at once.
    retry_at: Option<(Instant, String)>,
    delays: Option<Box<dyn Iterator<Item = Duration> + Send>>,
}

/// What tells a returned message: its id and where it was to go.
type Key = (Option<String>, String, String);

impl PublishingChannel {
    pub(super) fn new(link: Arc<Link>, window: Window, unroutable: mpsc::Sender<()>) -> Self {
        let (open, returned, alone) = Default::default();
        Self { link, window, open, returned, unroutable, alone }
    }

    /// Publishes what comes, until nobody can send any more.
    pub(super) async fn run(self, jobs: Arc<tokio::sync::Mutex<mpsc::Receiver<Job>>>) {
        tokio::join!(self.take_turns(&jobs), self.take_turns(&jobs));
    }

    async fn take_turns(&self, jobs: &tokio::sync::Mutex<mpsc::Receiver<Job>>) {
        let half = self.window.size.div_ceil(2);
        let (mut publishes, mut replies) = (Vec::with_capacity(half), Vec::with_capacity(half));
        loop {
            {
                let mut jobs = jobs.lock().await;
                let mut next = jobs.recv().await;
                // Whatever waits goes together, as far as the window allows: no timer, no added delay.
                while let Some(Job { publishes: some, reply }) = next {
                    replies.push((some.len(), reply));
                    publishes.extend(some);
                    next = if publishes.len() < half { jobs.try_recv().ok() } else { None };
                }
            }
            if replies.is_empty() {
                return;
            }
            let outcomes = self.publish(&publishes).await;
            if outcomes.contains(&Outcome::Unroutable) {
                // Whoever declares has been told already if this is full.
                let _ = self.unroutable.try_send(());
            }
            publishes.clear();
            let mut outcomes = outcomes.into_iter();
            for (size, reply) in replies.drain(..) {
                // Nobody may be waiting any more.
                let _ = reply.send(outcomes.by_ref().take(size).collect());
            }
        }
    }

    async fn publish(&self, publishes: &[Publish]) -> Vec<Outcome> {
        let together = {
            let _together = self.alone.read().await;
            self.publish_together(publishes).await
        };
        if together.iter().all(Result::is_ok) {
            return together.into_iter().flatten().collect();
        }
        // An error of the channel has one culprit, but it takes all that is in flight with it: send each again alone,
        // with its same id, to find it.
        let _alone = self.alone.write().await;
        let mut outcomes = Vec::with_capacity(publishes.len());
        let mut lost = None;
        for (outcome, publish) in together.into_iter().zip(publishes) {
            outcomes.push(match (outcome, &lost) {
                (Ok(outcome), _) => outcome,
                // The connection is gone, and what comes after must not overtake what got no confirm.
                (Err(_), Some(reason)) => Outcome::Unknown(String::clone(reason)),
                (Err(_), None) => {
                    let outcome = self.publish_alone(publish).await;
                    if let Outcome::Unknown(reason) = &outcome {
                        lost = Some(reason.clone());
                    }
                    outcome
                }
            });
        }
        outcomes
    }

    async fn publish_alone(&self, publish: &Publish) -> Outcome {
        let alone = self.publish_together(std::slice::from_ref(publish)).await;
        alone.into_iter().next().expect("one message has one outcome").unwrap_or_else(|error| blame(&error))
    }

    /// Publishes messages, in their order, and decides their outcomes when all of them are confirmed. An error ended the channel, and is
    /// about one of those that were in flight on it.
    async fn publish_together(&self, publishes: &[Publish]) -> Vec<Result<Outcome, lapin::Error>> {
        let (channel, generation) = match self.channel().await {
            Ok(open) => open,
            Err(reason) => return vec![Ok(Outcome::Unknown(reason)); publishes.len()],
        };
        let deadline = Instant::now() + self.window.confirm_within;
        let confirms = join_all(publishes.iter().map(|publish| self.publish_one(&channel, publish)));
        let Ok(confirms) = timeout_at(deadline, confirms).await else {
            self.discard(&channel, generation).await;
            let waited = self.window.confirm_within.as_secs();
            return vec![Ok(Outcome::Unknown(format!("none came within {waited} s"))); publishes.len()];
        };
        // What was returned came before its confirm, and so has been handed out by now, perhaps to the other half: that
        // one looks at it as soon as this one lets it.
        yield_now().await;
        let outcomes: Vec<_> =
            confirms.iter().zip(publishes).map(|(confirm, publish)| self.decide(confirm, publish)).collect();
        if confirms.iter().any(Result::is_err) || !channel.status().connected() {
            self.discard(&channel, generation).await;
        }
        outcomes
    }

    async fn publish_one(&self, channel: &Channel, publish: &Publish) -> lapin::Result<Confirmation> {
        let confirm = publish.send(channel).await?.await?;
        if let Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) = &confirm {
            let delivery = &returned.delivery;
            let id = delivery.properties.message_id().as_ref().map(ToString::to_string);
            self.returned().insert((id, delivery.exchange.to_string(), delivery.routing_key.to_string()));
        }
        Ok(confirm)
    }

    fn decide(&self, confirm: &lapin::Result<Confirmation>, publish: &Publish) -> Result<Outcome, lapin::Error> {
        Ok(match confirm {
            Ok(Confirmation::Ack(_)) if self.was_returned(publish) => Outcome::Unroutable,
            Ok(Confirmation::Ack(_)) => Outcome::Confirmed,
            Ok(Confirmation::Nack(_)) => Outcome::Nacked,
            Ok(Confirmation::NotRequested) => Outcome::Unknown("the channel does not confirm".to_owned()),
            Err(error) if error.is_amqp_soft_error() => return Err(error.clone()),
            Err(error) => Outcome::Unknown(error.to_string()),
        })
    }

    fn was_returned(&self, publish: &Publish) -> bool {
        let mut returned = self.returned();
        // Nearly always it is empty, and then no key has to be made.
        !returned.is_empty()
            && returned.remove(&(
                publish.message_id().map(str::to_owned),
                publish.exchange.to_string(),
                publish.routing_key.to_string(),
            ))
    }

    fn returned(&self) -> std::sync::MutexGuard<'_, HashSet<Key>> {
        self.returned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn channel(&self) -> Result<(Channel, u64), String> {
        let mut open = self.open.lock().await;
        if let Some(channel) = open.channel.as_ref().filter(|channel| channel.status().connected()) {
            return Ok((channel.clone(), open.generation));
        }
        if let Some((at, reason)) = &open.retry_at
            && Instant::now() < *at
        {
            return Err(reason.clone());
        }
        match open_channel(&self.link).await {
            Ok(channel) => {
                *open = Open { channel: Some(channel.clone()), generation: open.generation + 1, ..Open::default() };
                self.returned().clear();
                Ok((channel, open.generation))
            }
            Err(error) => {
                let delays = open.delays.get_or_insert_with(|| Box::new(Backoff::RECONNECT.delays()));
                let delay = delays.next().unwrap_or(Backoff::RECONNECT.cap);
                let reason = format!("not connected to RabbitMQ: {error}");
                open.retry_at = Some((Instant::now() + delay, reason.clone()));
                Err(reason)
            }
        }
    }

    /// Lets go of a channel that has failed, unless the other half did so before.
    async fn discard(&self, channel: &Channel, generation: u64) {
        let mut open = self.open.lock().await;
        if open.generation != generation || open.channel.take().is_none() {
            return;
        }
        if channel.status().connected() {
            let channel = channel.clone();
            // What it still has in flight does not matter any more, and the broker's answer may never come.
            tokio::spawn(async move {
                let _ = timeout(Duration::from_secs(5), channel.close(200, "confirm timed out".into())).await;
            });
        }
    }
}

/// What a message comes to that ended its channel all alone. What can be put right on the broker is worth another try.
fn blame(error: &lapin::Error) -> Outcome {
    let ErrorKind::ProtocolError(refusal) = error.kind() else { return Outcome::Unknown(error.to_string()) };
    match refusal.kind() {
        AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => Outcome::Unroutable,
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED | AMQPSoftError::RESOURCELOCKED) => Outcome::Nacked,
        _ => Outcome::Refused(error.to_string()),
    }
}

async fn open_channel(link: &Link) -> Result<Channel, ConnectError> {
    let channel = link.channel().await?;
    timeout(Duration::from_secs(10), channel.confirm_select(ConfirmSelectOptions::default()))
        .await
        .map_err(|_| ConnectError::Timeout)??;
    Ok(channel)
}
