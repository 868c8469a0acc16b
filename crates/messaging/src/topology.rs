//! The exchanges and queues of a system, as data.

use std::time::Duration;

/// One rung of the retry ladder: a delay queue behind a fanout exchange, both of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryStep {
    /// Name of the delay queue and of the exchange in front of it.
    pub name: &'static str,
    /// How long a message waits in it.
    pub delay: Duration,
}

/// The delays between tries. All work queues share these delay queues: a copy keeps its own queue's name as routing
/// key, by which the broker brings it home when the delay is over.
pub const RETRY_LADDER: [RetryStep; 4] = [
    RetryStep { name: "retry.1s", delay: Duration::from_secs(1) },
    RetryStep { name: "retry.5s", delay: Duration::from_secs(5) },
    RetryStep { name: "retry.30s", delay: Duration::from_secs(30) },
    RetryStep { name: "retry.2m", delay: Duration::from_secs(120) },
];

/// How an exchange routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeKind {
    /// To the queues bound with exactly the message's routing key.
    Direct,
    /// To the queues whose binding pattern (`user.*`, `#`) matches the routing key.
    Topic,
    /// To every bound queue.
    Fanout,
}

/// A durable exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Its name.
    pub name: String,
    /// How it routes.
    pub kind: ExchangeKind,
}

/// What a queue is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueKind {
    /// Work that must not be lost: what the broker itself gives up on goes to `<queue>.dead`.
    Work,
    /// Requests that somebody waits for: they expire with their caller, so the broker may drop them.
    Requests,
}

/// A durable quorum queue. Beside it stands `<name>.dead` for what could not be handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub kind: QueueKind,
    /// Whether one consumer at a time gets its messages, and the others wait to take over.
    pub single_active: bool,
    /// What is routed to it.
    pub bindings: Vec<Binding>,
}

/// Routes what an exchange gets under a routing key (or pattern) to a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The exchange.
    pub exchange: String,
    /// The routing key, or for a topic exchange a pattern.
    pub routing_key: String,
}

impl Queue {
    /// A queue of work.
    pub fn work(name: &str) -> Self {
        Self { name: name.to_owned(), kind: QueueKind::Work, single_active: false, bindings: Vec::new() }
    }

    /// A queue of requests.
    pub fn requests(name: &str) -> Self {
        Self { kind: QueueKind::Requests, ..Self::work(name) }
    }

    /// With one consumer at a time, so that messages are handled in the queue's order however many consumers there are.
    #[must_use]
    pub fn single_active(mut self) -> Self {
        self.single_active = true;
        self
    }

    /// Bound to this exchange under this routing key or pattern.
    #[must_use]
    pub fn bind(mut self, exchange: &str, routing_key: &str) -> Self {
        self.bindings.push(Binding { exchange: exchange.to_owned(), routing_key: routing_key.to_owned() });
        self
    }

    /// The name of the dead-letter queue beside it.
    pub fn dead_letter_name(&self) -> String {
        format!("{}.dead", self.name)
    }
}

/// Everything that must exist on the broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// Exchanges.
    pub exchanges: Vec<Exchange>,
    /// Queues.
    pub queues: Vec<Queue>,
}

impl Topology {
    /// With this exchange.
    #[must_use]
    pub fn exchange(mut self, name: &str, kind: ExchangeKind) -> Self {
        self.exchanges.push(Exchange { name: name.to_owned(), kind });
        self
    }

    /// With this queue.
    #[must_use]
    pub fn queue(mut self, queue: Queue) -> Self {
        self.queues.push(queue);
        self
    }

    /// The part of it that one queue needs: the queue, its bindings and the exchanges they name.
    #[must_use]
    pub fn of_queue(&self, name: &str) -> Self {
        let queues: Vec<Queue> = self.queues.iter().filter(|queue| queue.name == name).cloned().collect();
        let named = |exchange: &&Exchange| {
            queues.iter().flat_map(|queue| &queue.bindings).any(|binding| binding.exchange == exchange.name)
        };
        let exchanges = self.exchanges.iter().filter(named).cloned().collect();
        Self { exchanges, queues }
    }

    /// The queues that a message with this exchange and routing key reaches. An empty answer is a message lost.
    pub fn route(&self, exchange: &str, routing_key: &str) -> Vec<&Queue> {
        let Some(exchange) = self.exchanges.iter().find(|known| known.name == exchange) else {
            return Vec::new();
        };
        let reaches = |binding: &Binding| {
            binding.exchange == exchange.name
                && match exchange.kind {
                    ExchangeKind::Fanout => true,
                    ExchangeKind::Direct => binding.routing_key == routing_key,
                    ExchangeKind::Topic => topic_matches(&binding.routing_key, routing_key),
                }
        };
        self.queues.iter().filter(|queue| queue.bindings.iter().any(reaches)).collect()
    }
}

/// AMQP's topic rule: `*` is one word, `#` any number of words.
fn topic_matches(pattern: &str, key: &str) -> bool {
    fn words(pattern: &[&str], key: &[&str]) -> bool {
        match (pattern.split_first(), key.split_first()) {
            (None, None) => true,
            (Some((&"#", rest)), _) => words(rest, key) || (!key.is_empty() && words(pattern, &key[1..])),
            (Some((&"*", rest)), Some((_, key))) => words(rest, key),
            (Some((word, rest)), Some((first, key))) => word == first && words(rest, key),
            _ => false,
        }
    }
    words(&pattern.split('.').collect::<Vec<_>>(), &key.split('.').collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_patterns_match_whole_words() {
        assert!(topic_matches("user.*", "user.created"));
        assert!(!topic_matches("user.*", "user"));
        assert!(!topic_matches("user.*", "user.created.v2"));
        assert!(topic_matches("#", "a.b.c"));
        assert!(topic_matches("a.#", "a"));
        assert!(topic_matches("a.#.c", "a.b.b.c"));
        assert!(!topic_matches("a.#.c", "a.b"));
    }

    #[test]
    fn a_message_reaches_the_queues_bound_to_its_key() {
        let topology = Topology::default()
            .exchange("commands", ExchangeKind::Direct)
            .exchange("events", ExchangeKind::Topic)
            .queue(Queue::work("a").bind("commands", "a"))
            .queue(Queue::work("b").bind("events", "user.*"));
        let names = |exchange, key| -> Vec<&str> {
            topology.route(exchange, key).into_iter().map(|queue| queue.name.as_str()).collect()
        };
        assert_eq!(names("commands", "a"), ["a"]);
        assert_eq!(names("events", "user.created"), ["b"]);
        assert!(names("commands", "b").is_empty());
        assert!(names("nowhere", "a").is_empty());
    }
}
