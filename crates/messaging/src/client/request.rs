//! Request and reply, over RabbitMQ's direct reply-to: no reply queue to declare, none to clean up.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, ConfirmSelectOptions};
use lapin::types::FieldTable;
use lapin::{Channel, PublisherConfirm};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use super::ConnectError;
use super::link::Link;
use super::wire::{DIRECT_REPLY_TO, Publish};
use crate::{Message, Outgoing};

const SETUP_TIMEOUT: Duration = Duration::from_secs(10);
/// Callers past this bound are told at once, instead of growing a queue.
const WAITING: usize = 1024;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The broker is not there, so the request was not sent.
    #[error("the broker is not reachable: {0}")]
    Unavailable(String),
    /// No queue is bound to the request's routing key.
    #[error("no queue is bound to the routing key")]
    Unroutable,
    /// Too many requests are waiting already.
    #[error("too many requests are waiting for an answer")]
    Busy,
    /// Nobody answered in time.
    #[error("no answer in time")]
    Timeout {
        /// Whether the broker has confirmed that it took the request.
        taken: bool,
    },
    /// Whoever answered could not handle the request.
    #[error("{0}")]
    Failed(String),
}

/// What travels back: the answer, or why there is none.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply<T> {
    /// The answer.
    Answer(T),
    /// Why the request could not be answered.
    Failed(String),
}

/// Asks and awaits answers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Requester {
    jobs: mpsc::Sender<Job>,
    app: Arc<str>,
}

#[derive(Debug)]
struct Job {
    publish: Publish,
    deadline: Instant,
    reply: oneshot::Sender<Result<Bytes, RequestError>>,
}

struct Pending {
    deadline: Instant,
    taken: bool,
    reply: oneshot::Sender<Result<Bytes, RequestError>>,
}

impl Requester {
    pub(crate) fn start(link: Arc<Link>, app: String) -> Self {
        let (jobs, receiver) = mpsc::channel(WAITING);
        tokio::spawn(own_channel(link, receiver));
        Self { jobs, app: app.into() }
    }

    /// Sends a request and awaits its answer, for at most `within`. After that the broker drops the request too.
    pub async fn request<Q: Message, A: DeserializeOwned>(
        &self,
        request: &Q,
        within: Duration,
    ) -> Result<A, RequestError> {
        let deadline = Instant::now() + within;
        let mut outgoing = Outgoing::new(request).with_current_trace();
        outgoing.correlation_id = Some(Uuid::now_v7().to_string());
        outgoing.reply_to = Some(DIRECT_REPLY_TO.to_owned());
        outgoing.expiration = Some(within);
        let publish = Publish::new(outgoing, &self.app).map_err(RequestError::Failed)?;
        let (reply, answer) = oneshot::channel();
        self.jobs.try_send(Job { publish, deadline, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => RequestError::Busy,
            mpsc::error::TrySendError::Closed(_) => RequestError::Unavailable("stopped".to_owned()),
        })?;
        // The owner ends each request at its deadline; this is for an owner that itself is stuck.
        let body = match timeout_at(deadline + SETUP_TIMEOUT, answer).await {
            Ok(Ok(result)) => result?,
            Ok(Err(_)) => return Err(RequestError::Unavailable("stopped".to_owned())),
            Err(_) => return Err(RequestError::Timeout { taken: false }),
        };
        match serde_json::from_slice(&body) {
            Ok(Reply::Answer(answer)) => Ok(answer),
            Ok(Reply::Failed(reason)) => Err(RequestError::Failed(reason)),
            Err(error) => Err(RequestError::Failed(format!("the answer is not understood: {error}"))),
        }
    }
}

/// Direct reply-to wants requests published on the channel that consumes the replies, and one task to own it.
async fn own_channel(link: Arc<Link>, mut jobs: mpsc::Receiver<Job>) {
    while let Some(first) = jobs.recv().await {
        let opened = timeout_at(first.deadline.min(Instant::now() + SETUP_TIMEOUT), open(&link)).await;
        let reason = match opened {
            Ok(Ok((channel, replies))) => match serve(&channel, replies, first, &mut jobs).await {
                Served::Stopped => return,
                Served::Lost => continue,
            },
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        let _ = first.reply.send(Err(RequestError::Unavailable(reason)));
    }
}

enum Served {
    Stopped,
    Lost,
}

async fn open(link: &Link) -> Result<(Channel, lapin::Consumer), ConnectError> {
    let channel = link.channel().await?;
    let setup = async {
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        channel.basic_consume(DIRECT_REPLY_TO.into(), "".into(), options, FieldTable::default()).await
    };
    let consumer = timeout(SETUP_TIMEOUT, setup).await.map_err(|_| ConnectError::Timeout)??;
    Ok((channel, consumer))
}

async fn serve(channel: &Channel, mut replies: lapin::Consumer, first: Job, jobs: &mut mpsc::Receiver<Job>) -> Served {
    let mut pending: HashMap<String, Pending> = HashMap::new();
    let mut confirms = futures_util::stream::FuturesUnordered::new();
    let mut next = Some(first);
    let reason = loop {
        if confirms.len() > WAITING {
            break "the broker confirms nothing".to_owned();
        }
        if let Some(job) = next.take() {
            let id = correlation_id(&job.publish);
            match publish(channel, &job.publish).await {
                Ok(confirm) => {
                    let confirmed = id.clone();
                    confirms.push(async move { (confirmed, confirm.await) });
                    pending.insert(id, Pending { deadline: job.deadline, taken: false, reply: job.reply });
                }
                Err(error) => {
                    let _ = job.reply.send(Err(RequestError::Unavailable(error.to_string())));
                    break error.to_string();
                }
            }
        }
        let soonest = pending.values().map(|waiting| waiting.deadline).min();
        tokio::select! {
            job = jobs.recv(), if pending.len() < WAITING => match job {
                Some(job) => next = Some(job),
                None => return Served::Stopped,
            },
            reply = replies.next() => match reply {
                Some(Ok(delivery)) => {
                    let id = delivery.properties.correlation_id().as_ref().map(ToString::to_string).unwrap_or_default();
                    // An answer that comes too late finds nobody.
                    if let Some(waiting) = pending.remove(&id) {
                        let _ = waiting.reply.send(Ok(delivery.data.into()));
                    }
                }
                Some(Err(error)) => break error.to_string(),
                None => break "the broker ended the subscription".to_owned(),
            },
            Some((id, confirm)) = confirms.next() => match confirm {
                Ok(lapin::Confirmation::Ack(returned)) => {
                    // The returned message may be another's of the same moment: go by its own id.
                    let returned = returned.and_then(|message| message.delivery.properties.correlation_id().clone());
                    if let Some(waiting) = returned.and_then(|returned| pending.remove(returned.as_str())) {
                        let _ = waiting.reply.send(Err(RequestError::Unroutable));
                    }
                    if let Some(waiting) = pending.get_mut(&id) {
                        waiting.taken = true;
                    }
                }
                Ok(_) => {
                    if let Some(waiting) = pending.remove(&id) {
                        let _ = waiting.reply.send(Err(RequestError::Unavailable("the broker would not take it".to_owned())));
                    }
                }
                Err(error) => break error.to_string(),
            },
            () = sleep_until(soonest) => {
                let now = Instant::now();
                let late: Vec<_> =
                    pending.iter().filter(|(_, waiting)| waiting.deadline <= now).map(|(id, _)| id.clone()).collect();
                for waiting in late.iter().filter_map(|id| pending.remove(id)) {
                    let _ = waiting.reply.send(Err(RequestError::Timeout { taken: waiting.taken }));
                }
            }
        }
    };
    for (_, waiting) in pending {
        let _ = waiting.reply.send(Err(RequestError::Unavailable(reason.clone())));
    }
    Served::Lost
}

async fn publish(channel: &Channel, publish: &Publish) -> lapin::Result<PublisherConfirm> {
    // A blocked connection takes nothing and says nothing.
    timeout(SETUP_TIMEOUT, publish.send(channel))
        .await
        .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
}

fn correlation_id(publish: &Publish) -> String {
    publish.properties.correlation_id().as_ref().map(ToString::to_string).unwrap_or_default()
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
