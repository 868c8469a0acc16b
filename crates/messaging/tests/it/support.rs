//! What the tests of this suite share: a message type, a topology, and handlers that note what they see.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use messaging::{Broker, Delivery, ExchangeKind, Failure, HandleBatch, Message, Outgoing, Queue, Settings, Topology};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The exchange of these tests.
pub(crate) const EXCHANGE: &str = "test";
/// The queue of these tests.
pub(crate) const QUEUE: &str = "work";

/// A message that says how it is to be handled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    /// `ok`, `retry`, `reject`, `refuse` or `panic`.
    pub(crate) will: String,
}

impl Message for Job {
    const EXCHANGE: &'static str = EXCHANGE;
    const ROUTING_KEY: &'static str = "job";
}

/// A question whose answer is its own text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Question {
    pub(crate) text: String,
}

impl Message for Question {
    const EXCHANGE: &'static str = EXCHANGE;
    const ROUTING_KEY: &'static str = "question";
}

pub(crate) fn job(will: &str) -> Outgoing {
    Outgoing::new(&Job { will: will.to_owned() })
}

pub(crate) fn topology() -> Topology {
    Topology::default()
        .exchange(EXCHANGE, ExchangeKind::Direct)
        .queue(Queue::work(QUEUE).bind(EXCHANGE, Job::ROUTING_KEY))
        .queue(Queue::requests("questions").bind(EXCHANGE, Question::ROUTING_KEY))
}

pub(crate) async fn broker(url: &str) -> Broker {
    Broker::connect(Settings::new(url, "test", topology())).await.expect("the test broker takes the topology")
}

/// Notes every message it is given, and does to it what the message says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    handled: HashMap<Uuid, usize>,
    done: Vec<Uuid>,
    attempts: Vec<(Uuid, u32)>,
    batches: Vec<usize>,
    store_down: bool,
}

impl Notes {
    /// A handler that panics, as one test's does, leaves the lock poisoned.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often a message was given to the handler.
    pub(crate) fn times(&self, id: Uuid) -> usize {
        self.lock().handled.get(&id).copied().unwrap_or(0)
    }

    /// The messages that were done, as often as they were.
    pub(crate) fn done(&self) -> Vec<Uuid> {
        self.lock().done.clone()
    }

    /// The attempt numbers that a message was given with.
    pub(crate) fn attempts(&self, id: Uuid) -> Vec<u32> {
        let inner = self.lock();
        inner.attempts.iter().filter(|(seen, _)| *seen == id).map(|(_, attempt)| *attempt).collect()
    }

    /// The sizes of the batches.
    pub(crate) fn batches(&self) -> Vec<usize> {
        self.lock().batches.clone()
    }

    /// Takes the store down, or brings it back.
    pub(crate) fn set_store_down(&self, down: bool) {
        self.lock().store_down = down;
    }
}

impl HandleBatch<Job> for Notes {
    async fn handle_batch(&self, batch: &[Delivery<Job>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let mut inner = self.lock();
        inner.batches.push(batch.len());
        for delivery in batch {
            *inner.handled.entry(delivery.meta.id).or_default() += 1;
            inner.attempts.push((delivery.meta.id, delivery.meta.attempt));
        }
        if inner.store_down {
            return Err(Failure::unavailable("the store is down"));
        }
        if batch.iter().any(|delivery| delivery.payload.will == "panic") {
            panic!("as the message says");
        }
        let mut verdicts = Vec::new();
        for delivery in batch {
            verdicts.push(match delivery.payload.will.as_str() {
                "retry" => Err(Failure::retry("try again")),
                "reject" => Err(Failure::reject("never")),
                "refuse" => Err(Failure::refuse("not allowed")),
                _ => {
                    inner.done.push(delivery.meta.id);
                    Ok(())
                }
            });
        }
        Ok(verdicts)
    }
}

/// A consumer in the background, which is stopped and awaited with [`Running::stop`].
pub(crate) struct Running {
    pub(crate) status: messaging::ConsumerStatus,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) fn start(broker: &Broker, notes: &Notes) -> Self {
        Self::start_with(broker.consumer(QUEUE), notes.clone())
    }

    pub(crate) fn start_with<H: HandleBatch<Job>>(consumer: messaging::Consumer, handler: H) -> Self {
        let status = consumer.status();
        let stop = CancellationToken::new();
        let task = tokio::spawn(consumer.run(handler, stop.clone()));
        Self { status, stop, task }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("a consumer does not panic");
    }
}

/// Whether a condition holds, in the form that `eventually` wants.
pub(crate) fn when(holds: bool) -> Option<()> {
    holds.then_some(())
}
