//! What becomes of events.

mod orders;
mod payments;
mod products;
mod users;

use contracts::orders::OrderEvent;
use contracts::payments::PaymentEvent;
use contracts::products::ProductEvent;
use contracts::topology::queue;
use contracts::users::UserEvent;
use messaging::{Broker, Consumer, Failure, FailureKind, HandleBatch, Incoming};
use redis::aio::ConnectionManager;
use service::{Background, Health, Need};

use crate::cache::Cache;
use crate::known::Known;
use crate::runner::Runner;
use crate::store::Orders;

/// What handlers work with.
#[derive(Clone)]
pub(crate) struct Tools {
    pub(crate) orders: Orders,
    pub(crate) known: Known,
    pub(crate) cache: Cache,
    pub(crate) runner: Runner,
    pub(crate) redis: ConnectionManager,
}

/// Consumers that are to run, and how they stand.
pub(crate) struct Consumers {
    tools: Tools,
    consumers: [Consumer; 4],
}

const QUEUES: [&str; 4] = [queue::ORDERS_PRODUCTS, queue::ORDERS_USERS, queue::ORDERS_PAYMENTS, queue::ORDERS_EVENTS];

impl Consumers {
    pub(crate) fn new(broker: &Broker, tools: Tools) -> Self {
        Self { tools, consumers: QUEUES.map(|queue| broker.consumer(queue)) }
    }

    /// Adds them to the health.
    pub(crate) fn in_health(&self, health: Health, need: Need) -> Health {
        let all = QUEUES.into_iter().zip(self.consumers.iter().map(Consumer::status));
        all.fold(health, |health, (queue, status)| health.consumer(queue, status, need))
    }

    pub(crate) fn start(self, background: &mut Background) {
        let Self { consumers: [products, users, payments, events], tools } = self;
        run::<ProductEvent, _>(background, products, products::Follow(tools.clone()));
        run::<UserEvent, _>(background, users, users::Follow(tools.clone()));
        run::<PaymentEvent, _>(background, payments, payments::Hear(tools.clone()));
        run::<OrderEvent, _>(background, events, orders::Tell(tools));
    }
}

fn run<M: Incoming, H: HandleBatch<M>>(background: &mut Background, consumer: Consumer, handler: H) {
    background.spawn(|stop| consumer.run::<M, H>(handler, stop));
}

/// While a store is away a whole batch waits for it; what of it was done already is done again.
fn unless_away(verdicts: Vec<Result<(), Failure>>) -> Result<Vec<Result<(), Failure>>, Failure> {
    let is_away = |failure: &&Failure| failure.kind == FailureKind::Unavailable;
    match verdicts.iter().filter_map(|verdict| verdict.as_ref().err()).find(is_away) {
        Some(away) => Err(away.clone()),
        None => Ok(verdicts),
    }
}
