//! Exchanges, queues and routing keys.

use messaging::{ExchangeKind, Message, Queue, Topology};

use crate::messages::{HealthCheck, StoreMessage};
use crate::records::{DeleteRecord, InsertRecord, ReadDatabase};
use crate::tasks::TaskProgressed;

/// The exchange of commands: each has one kind of receiver.
pub const COMMANDS: &str = "commands";
/// The exchange of events: whoever cares binds a queue.
pub const EVENTS: &str = "events";

/// The queues.
pub mod queue {
    /// Texts to be stored.
    pub const TASKS: &str = "tasks";
    /// Health checks.
    pub const HEALTH_CHECK: &str = "health_check";
    /// Records to be inserted.
    pub const INSERT_RECORD: &str = "insert_record";
    /// Records to be deleted.
    pub const DELETE_RECORD: &str = "delete_record";
    /// Requests for pages of records.
    pub const READ_DATABASE: &str = "read_database";
    /// User events for MongoDB.
    pub const USER_TASKS: &str = "user_tasks";
    /// User events for Redis.
    pub const USER_SESSIONS: &str = "user_sessions";
    /// What consumers report to the producers.
    pub const PRODUCER_TASKS: &str = "producer.tasks";
}

/// Everything that must exist on the broker.
pub fn topology() -> Topology {
    Topology::default()
        .exchange(COMMANDS, ExchangeKind::Direct)
        .exchange(EVENTS, ExchangeKind::Topic)
        .queue(Queue::work(queue::TASKS).bind(COMMANDS, StoreMessage::ROUTING_KEY))
        .queue(Queue::requests(queue::HEALTH_CHECK).bind(COMMANDS, HealthCheck::ROUTING_KEY))
        .queue(Queue::work(queue::INSERT_RECORD).bind(COMMANDS, InsertRecord::ROUTING_KEY))
        .queue(Queue::work(queue::DELETE_RECORD).bind(COMMANDS, DeleteRecord::ROUTING_KEY))
        .queue(Queue::requests(queue::READ_DATABASE).bind(COMMANDS, ReadDatabase::ROUTING_KEY))
        .queue(Queue::work(queue::USER_TASKS).bind(EVENTS, "user.*"))
        .queue(Queue::work(queue::USER_SESSIONS).bind(EVENTS, "user.*"))
        .queue(Queue::work(queue::PRODUCER_TASKS).bind(EVENTS, TaskProgressed::ROUTING_KEY))
}

/// Every route that a program publishes to, as (exchange, routing key).
pub fn routes() -> Vec<(&'static str, &'static str)> {
    fn route<M: Message>() -> (&'static str, &'static str) {
        (M::EXCHANGE, M::ROUTING_KEY)
    }
    vec![
        route::<StoreMessage>(),
        route::<HealthCheck>(),
        route::<InsertRecord>(),
        route::<DeleteRecord>(),
        route::<ReadDatabase>(),
        route::<crate::users::UserCreated>(),
        route::<crate::users::UserUpdated>(),
        route::<crate::users::UserDeleted>(),
        route::<TaskProgressed>(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_routing_key_has_a_queue() {
        for (exchange, routing_key) in routes() {
            assert!(!topology().route(exchange, routing_key).is_empty(), "`{routing_key}` on `{exchange}` is lost");
        }
    }
}
