//! Exchanges, queues and routing keys.

use messaging::{ExchangeKind, Message, Queue, Topology};

use crate::messages::{HealthCheck, StoreMessage};
use crate::records::{DeleteRecord, InsertRecord, ReadDatabase};
use crate::tasks::TaskProgressed;
use crate::users::{UserCreated, UserDeleted};

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
    /// User events for the users' preferences in MongoDB.
    pub const USER_PREFERENCES: &str = "user_preferences";
    /// User events for the search.
    pub const USER_SEARCH: &str = "user_search";
    /// Users to be welcomed, and those whose welcome is to be forgotten.
    pub const WELCOME_MESSAGES: &str = "welcome_messages";
    /// Product events for the search.
    pub const PRODUCT_SEARCH: &str = "product_search";
    /// All events, on their way to Kafka. Only the bridge declares it.
    pub const BRIDGE_KAFKA: &str = "bridge.kafka";
    /// All events, on their way to InfluxDB. Only the bridge declares it.
    pub const BRIDGE_INFLUXDB: &str = "bridge.influxdb";
    /// Commands to charge and to give back.
    pub const PAYMENT_SERVICE: &str = "payment-service";
    /// Payment events for the orders that they pay for.
    pub const ORDERS_PAYMENTS: &str = "orders.payments";
    /// What consumers report to the producers.
    pub const PRODUCER_TASKS: &str = "producer.tasks";
    /// Owner events for the products.
    pub const PRODUCTS_OWNERS: &str = "products.owners";
    /// Product events for the orders.
    pub const ORDERS_PRODUCTS: &str = "orders.products";
    /// User events for their orders.
    pub const ORDERS_USERS: &str = "orders.users";
    /// Order events for those who follow an order.
    pub const ORDERS_EVENTS: &str = "orders.events";
}

/// The queues whose consumers report what became of a message's task. Others read the same events for purposes of their own,
/// and no task waits for them.
pub const REPORTING: [&str; 8] = [
    queue::TASKS,
    queue::INSERT_RECORD,
    queue::DELETE_RECORD,
    queue::USER_TASKS,
    queue::USER_SESSIONS,
    queue::USER_PREFERENCES,
    queue::USER_SEARCH,
    queue::WELCOME_MESSAGES,
];

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
        .queue(Queue::work(queue::USER_PREFERENCES).bind(EVENTS, "user.*"))
        .queue(Queue::work(queue::USER_SEARCH).bind(EVENTS, "user.*"))
        .queue(
            Queue::work(queue::WELCOME_MESSAGES)
                .bind(EVENTS, UserCreated::ROUTING_KEY)
                .bind(EVENTS, UserDeleted::ROUTING_KEY),
        )
        .queue(Queue::work(queue::PRODUCT_SEARCH).bind(EVENTS, "product.*"))
        .queue(Queue::work(queue::PAYMENT_SERVICE).bind(COMMANDS, crate::payments::ROUTING_KEY))
        .queue(Queue::work(queue::ORDERS_PAYMENTS).bind(EVENTS, "payment.*"))
        .queue(Queue::work(queue::PRODUCER_TASKS).bind(EVENTS, TaskProgressed::ROUTING_KEY))
        .queue(Queue::work(queue::PRODUCTS_OWNERS).bind(EVENTS, "owner.*"))
        .queue(Queue::work(queue::ORDERS_PRODUCTS).bind(EVENTS, "product.*"))
        .queue(Queue::work(queue::ORDERS_USERS).bind(EVENTS, "user.*"))
        .queue(Queue::work(queue::ORDERS_EVENTS).bind(EVENTS, "order.*"))
}

/// What the bridge needs beside. It is not in [`topology`]: where no bridge runs, nobody would ever empty its queues.
pub fn bridge() -> Topology {
    Topology::default()
        .exchange(EVENTS, ExchangeKind::Topic)
        .queue(Queue::work(queue::BRIDGE_KAFKA).single_active().bind(EVENTS, "#"))
        .queue(Queue::work(queue::BRIDGE_INFLUXDB).bind(EVENTS, "#"))
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
        (COMMANDS, crate::payments::ROUTING_KEY),
        route::<crate::payments::PaymentCompleted>(),
        route::<crate::payments::PaymentFailed>(),
        route::<crate::payments::PaymentRefunded>(),
        route::<TaskProgressed>(),
        route::<crate::owners::OwnerCreated>(),
        route::<crate::owners::OwnerUpdated>(),
        route::<crate::owners::OwnerDeleted>(),
        route::<crate::products::ProductCreated>(),
        route::<crate::products::ProductUpdated>(),
        route::<crate::products::ProductDeleted>(),
        route::<crate::orders::OrderCreated>(),
        route::<crate::orders::OrderConfirmed>(),
        route::<crate::orders::OrderCancelled>(),
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
