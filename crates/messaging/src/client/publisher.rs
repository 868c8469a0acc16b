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

/// A message on its way to a channel, and where its outcome is awaited.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) publish: Publish,
    pub(super) reply: oneshot::Sender<Outcome>,
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
