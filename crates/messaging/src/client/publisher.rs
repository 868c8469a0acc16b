//! Publishing: persistent, mandatory, confirmed, with a typed outcome.

use std::fmt;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::link::Link;
use super::publishing_channel::{PublishingChannel, Window};
use super::wire::Publish;
use crate::Outgoing;

/// What became of a published message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A queue has it, safely.
    Confirmed,
    /// There is no such exchange, or no queue is bound to its routing key. The topology is declared again meanwhile.
    Unroutable,
    /// The broker would not take it now: a queue is full, its leader failed, or there is no permission.
    Nacked,
    /// The broker will never take it as it is: it is too large, or a property of it is not allowed.
    Refused(String),
    /// Not known: the connection was lost, or was not there, or the confirm did not come in time. It may have been
    /// taken; publish it again with the same id.
    Unknown(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confirmed => f.write_str("confirmed"),
            Self::Unroutable => f.write_str("no queue is bound to the routing key, or there is no such exchange"),
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

/// Publishes messages. Cheap to clone; all clones share a few channels.
///
/// Each channel has one task that owns it: lapin takes the delivery tag and sends the frame under separate locks, so
/// tasks that share a channel can be told the outcome of one another's messages.
#[derive(Clone, Debug)]
pub struct Publisher {
    jobs: mpsc::Sender<Job>,
    app: Arc<str>,
}

/// How many messages that follow one another go to a channel together.
const TOGETHER: usize = 64;

/// Messages on their way to a channel, which sends them in their order, and where their outcomes are awaited.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) publishes: Vec<Publish>,
    pub(super) reply: oneshot::Sender<Vec<Outcome>>,
}

impl Publisher {
    pub(crate) fn start(
        link: &Arc<Link>,
        app: &str,
        channels: usize,
        window: Window,
        unroutable: &mpsc::Sender<()>,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(channels * window.size);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..channels {
            tokio::spawn(
                PublishingChannel::new(Arc::clone(link), window, unroutable.clone()).run(Arc::clone(&receiver)),
            );
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

    /// Publishes messages so that they arrive in this order; the outcomes are in it too.
    ///
    /// When an outcome is not known, those that could overtake that message are not sent: they are `Unknown` as well.
    pub async fn publish_in_order(&self, messages: impl IntoIterator<Item = Outgoing>) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        // Where each of those that can be sent stands.
        let mut places = Vec::new();
        let mut publishes = Vec::new();
        for (place, message) in messages.into_iter().enumerate() {
            outcomes.push(Outcome::Unknown("one that was to be sent before it has no confirm".to_owned()));
            match Publish::new(message, &self.app) {
                Ok(publish) => {
                    places.push(place);
                    publishes.push(publish);
                }
                Err(reason) => outcomes[place] = Outcome::Refused(reason),
            }
        }
        let (mut publishes, mut places) = (publishes.into_iter().peekable(), places.into_iter());
        while publishes.peek().is_some() {
            let told = self.send_all(publishes.by_ref().take(TOGETHER).collect()).await;
            let lost = told.iter().any(|outcome| matches!(outcome, Outcome::Unknown(_)));
            // The outcomes first: whichever is asked first loses one when the other ends.
            for (outcome, place) in told.into_iter().zip(places.by_ref()) {
                outcomes[place] = outcome;
            }
            if lost {
                break;
            }
        }
        outcomes
    }

    pub(crate) async fn send(&self, publish: Publish) -> Outcome {
        self.send_all(vec![publish]).await.pop().expect("one message has one outcome")
    }

    /// Sends messages in their order over one channel.
    pub(crate) async fn send_all(&self, publishes: Vec<Publish>) -> Vec<Outcome> {
        let size = publishes.len();
        let stopped = || vec![Outcome::Unknown("the publisher has stopped".to_owned()); size];
        let (reply, outcomes) = oneshot::channel();
        if self.jobs.send(Job { publishes, reply }).await.is_err() {
            return stopped();
        }
        let outcomes = outcomes.await.unwrap_or_else(|_| stopped());
        for outcome in &outcomes {
            metrics::counter!("messaging_published_total", "outcome" => outcome.label()).increment(1);
        }
        outcomes
    }
}
