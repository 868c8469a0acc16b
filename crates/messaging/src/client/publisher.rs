//! Publishing: persistent, mandatory, confirmed, with a typed outcome.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::link::Link;
use super::request::DIRECT_REPLY_TO;
use super::wire::Publish;
use super::{Backoff, ConnectError};
use crate::Outgoing;

/// What became of a published message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A queue has it, safely.
    Confirmed,
    /// No queue is bound to its routing key.
    Unroutable,
    /// The broker would not take it now: a queue is full, or its leader failed.
    Nacked,
    /// The broker will never take it as it is: no such exchange, or it is too large.
    Refused(String),
    /// Not known: the connection was lost, or was not there, or the confirm did not come in time. It may have been
    /// taken; publish it again with the same id.
    Unknown(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confirmed => f.write_str("confirmed"),
            Self::Unroutable => f.write_str("no queue is bound to the routing key"),
            Self::Nacked => f.write_str("the broker would not take it"),
            Self::Refused(reason) => write!(f, "refused by the broker: {reason}"),
            Self::Unknown(reason) => write!(f, "no confirm: {reason}"),
        }
    }
}

impl Outcome {
    /// A word for metrics.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Unroutable => "unroutable",
            Self::Nacked => "nacked",
            Self::Refused(_) => "refused",
            Self::Unknown(_) => "unknown",
        }
    }
}

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

/// Publishes messages. Cheap to clone; all clones share a few channels.
///
/// Each channel has one task that owns it: lapin takes the delivery tag and sends the frame under separate locks, so
/// tasks that share a channel can be told the outcome of one another's messages.
#[derive(Clone, Debug)]
pub struct Publisher {
    jobs: mpsc::Sender<Job>,
    app: Arc<str>,
}

#[derive(Debug)]
struct Job {
    publish: Publish,
    reply: oneshot::Sender<Outcome>,
}

impl Publisher {
    pub(crate) fn start(link: &Arc<Link>, app: &str, channels: usize, window: Window) -> Self {
        let (sender, receiver) = mpsc::channel(channels * window.size);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..channels {
            let owner = Owner { link: Arc::clone(link), window, channel: None, retry_at: None, delays: None };
            tokio::spawn(owner.run(Arc::clone(&receiver)));
        }
        Self { jobs: sender, app: app.into() }
    }

    /// Publishes a message and awaits the broker's word on it. This ends in bounded time.
    pub async fn publish(&self, message: Outgoing) -> Outcome {
        match Publish::new(message, &self.app) {
            Ok(publish) => self.send(publish).await,
            Err(reason) => Outcome::Refused(reason),
        }
    }

    /// Publishes messages at the same time; the outcomes are in the same order.
    pub async fn publish_all(&self, messages: impl IntoIterator<Item = Outgoing>) -> Vec<Outcome> {
        join_all(messages.into_iter().map(|message| self.publish(message))).await
    }

    pub(crate) async fn send(&self, publish: Publish) -> Outcome {
        let (reply, outcome) = oneshot::channel();
        if self.jobs.send(Job { publish, reply }).await.is_err() {
            return Outcome::Unknown("the publisher has stopped".to_owned());
        }
        let outcome = outcome.await.unwrap_or_else(|_| Outcome::Unknown("the publisher has stopped".to_owned()));
        metrics::counter!("messaging_published_total", "outcome" => outcome.label()).increment(1);
        outcome
    }
}

/// The task that owns one publishing channel.
struct Owner {
    link: Arc<Link>,
    window: Window,
    channel: Option<Channel>,
    /// After a failure to connect nobody waits for the next try: until then all is `Unknown` at once.
    retry_at: Option<(Instant, String)>,
    delays: Option<Box<dyn Iterator<Item = Duration> + Send>>,
}

impl Owner {
    async fn run(mut self, jobs: Arc<Mutex<mpsc::Receiver<Job>>>) {
        let mut batch = Vec::with_capacity(self.window.size);
        loop {
            // Whatever waits goes together, as far as the window allows: no timer, no added delay.
            if jobs.lock().await.recv_many(&mut batch, self.window.size).await == 0 {
                return;
            }
            let (publishes, replies): (Vec<_>, Vec<_>) = batch.drain(..).map(|job| (job.publish, job.reply)).unzip();
            for (reply, outcome) in replies.into_iter().zip(self.publish(&publishes).await) {
                // Nobody may be waiting any more.
                let _ = reply.send(outcome);
            }
        }
    }

    async fn publish(&mut self, publishes: &[Publish]) -> Vec<Outcome> {
        let mut outcomes = self.publish_window(publishes).await;
        if publishes.len() > 1 {
            // An error of the channel has one culprit, but it takes all that is in flight with it: send each again
            // alone, with its same id, to find it.
            for (outcome, publish) in outcomes.iter_mut().zip(publishes) {
                if matches!(outcome, Outcome::Refused(_)) {
                    let alone = self.publish_window(std::slice::from_ref(publish)).await;
                    *outcome = alone.into_iter().next().expect("one message has one outcome");
                }
            }
        }
        outcomes
    }

    /// Publishes one window and decides every outcome only when all of it is resolved: lapin can hand a returned
    /// message to the confirm of another message of the same window.
    async fn publish_window(&mut self, publishes: &[Publish]) -> Vec<Outcome> {
        let channel = match self.channel().await {
            Ok(channel) => channel,
            Err(reason) => return vec![Outcome::Unknown(reason); publishes.len()],
        };
        let deadline = Instant::now() + self.window.confirm_within;
        let confirms = join_all(publishes.iter().map(|publish| publish_one(&channel, publish)));
        let Ok(confirms) = timeout_at(deadline, confirms).await else {
            self.discard_channel(&channel);
            let waited = self.window.confirm_within.as_secs();
            return vec![Outcome::Unknown(format!("none came within {waited} s")); publishes.len()];
        };

        let returned: HashSet<_> = confirms.iter().filter_map(returned_message).collect();
        let outcomes: Vec<_> = confirms
            .iter()
            .zip(publishes)
            .map(|(confirm, publish)| match confirm {
                Ok(Confirmation::Ack(_)) if returned.contains(&key(publish)) => Outcome::Unroutable,
                Ok(Confirmation::Ack(_)) => Outcome::Confirmed,
                Ok(Confirmation::Nack(_)) => Outcome::Nacked,
                Ok(Confirmation::NotRequested) => Outcome::Unknown("the channel does not confirm".to_owned()),
                Err(error) if error.is_amqp_soft_error() => Outcome::Refused(error.to_string()),
                Err(error) => Outcome::Unknown(error.to_string()),
            })
            .collect();
        if confirms.iter().any(Result::is_err) || !channel.status().connected() {
            self.discard_channel(&channel);
        }
        outcomes
    }

    async fn channel(&mut self) -> Result<Channel, String> {
        if let Some(channel) = self.channel.as_ref().filter(|channel| channel.status().connected()) {
            return Ok(channel.clone());
        }
        if let Some((at, reason)) = &self.retry_at
            && Instant::now() < *at
        {
            return Err(reason.clone());
        }
        match open(&self.link).await {
            Ok(channel) => {
                self.retry_at = None;
                self.delays = None;
                Ok(self.channel.insert(channel).clone())
            }
            Err(error) => {
                let delays = self.delays.get_or_insert_with(|| Box::new(Backoff::RECONNECT.delays()));
                let reason = format!("not connected to RabbitMQ: {error}");
                self.retry_at = Some((Instant::now() + delays.next().unwrap_or_default(), reason.clone()));
                Err(reason)
            }
        }
    }

    fn discard_channel(&mut self, channel: &Channel) {
        self.channel = None;
        if channel.status().connected() {
            let channel = channel.clone();
            // What it still has in flight does not matter any more, and the broker's answer may never come.
            tokio::spawn(async move {
                let _ = timeout(Duration::from_secs(5), channel.close(200, "confirm timed out".into())).await;
            });
        }
    }
}

async fn open(link: &Link) -> Result<Channel, ConnectError> {
    let channel = link.channel().await?;
    timeout(Duration::from_secs(10), channel.confirm_select(ConfirmSelectOptions::default()))
        .await
        .map_err(|_| ConnectError::Timeout)??;
    Ok(channel)
}

async fn publish_one(channel: &Channel, publish: &Publish) -> lapin::Result<Confirmation> {
    // The broker returns whatever is sent to a direct reply-to address as unroutable, and delivers it all the same.
    let mandatory = !publish.routing_key.as_str().starts_with(DIRECT_REPLY_TO);
    let options = BasicPublishOptions { mandatory, ..BasicPublishOptions::default() };
    channel
        .basic_publish(
            publish.exchange.clone(),
            publish.routing_key.clone(),
            options,
            &publish.body,
            publish.properties.clone(),
        )
        .await?
        .await
}

/// What tells a returned message: its id and where it was to go.
type Key<'a> = (Option<&'a str>, &'a str, &'a str);

fn key(publish: &Publish) -> Key<'_> {
    (publish.message_id(), publish.exchange.as_str(), publish.routing_key.as_str())
}

fn returned_message(confirm: &lapin::Result<Confirmation>) -> Option<Key<'_>> {
    match confirm {
        Ok(Confirmation::Ack(Some(message)) | Confirmation::Nack(Some(message))) => Some((
            message.delivery.properties.message_id().as_ref().map(lapin::types::ShortString::as_str),
            message.delivery.exchange.as_str(),
            message.delivery.routing_key.as_str(),
        )),
        _ => None,
    }
}
