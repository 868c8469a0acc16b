//! Queues: declared, bound, filled, looked into, emptied and deleted by hand.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::tick::tick;
use super::{TestMessage, TestRabbit};
use crate::eventually;

impl TestRabbit {
    /// The names of all queues.
    pub async fn queue_names(&self) -> Vec<String> {
        let queues = self.api.must(self.api.get(&["queues", &self.vhost])).await;
        let queues = queues.as_array().into_iter().flatten();
        queues.filter_map(|queue| queue["name"].as_str().map(ToOwned::to_owned)).collect()
    }

    /// How many messages the queue holds: ready ones and those that a consumer has not acked yet.
    ///
    /// The number is at least as new as the call. A quorum queue tells its length at intervals only, so this waits for
    /// the next: half a second with a broker that ticks fast, six with any other. (The management's usual figures lag
    /// up to ten seconds behind, without waiting.)
    ///
    /// # Panics
    /// If the queue does not exist.
    pub async fn queue_depth(&self, queue: &str) -> u64 {
        let Some(before) = self.totals(queue).await else { panic!("queue {queue} does not exist") };
        let after = if before["type"] == "quorum" {
            sleep(tick(self).await).await;
            self.totals(queue).await
        } else {
            Some(before)
        };
        after.and_then(|queue| queue["messages"].as_u64()).unwrap_or_default()
    }

    /// Whether the queue exists; exact.
    pub async fn queue_exists(&self, queue: &str) -> bool {
        self.queue_info(queue).await.is_some()
    }

    /// What the management knows of a queue: its arguments are exact, its figures lag up to ten seconds behind.
    pub async fn queue_info(&self, queue: &str) -> Option<Value> {
        self.api.find(self.api.get(&["queues", &self.vhost, queue])).await
    }

    /// Straight from the queues, past the management's own samples.
    pub(super) async fn totals(&self, queue: &str) -> Option<Value> {
        let past_samples = [("disable_stats", "true"), ("enable_queue_totals", "true")];
        let queues = self.api.must(self.api.get(&["queues", &self.vhost]).query(&past_samples)).await;
        queues.as_array()?.iter().find(|found| found["name"] == queue).cloned()
    }

    /// Looks at the first messages and puts them back, in order.
    ///
    /// They count as delivered once more: `redelivered` is set from then on, and `x-delivery-count` of a quorum queue
    /// rises. Not for queues that are being consumed.
    pub async fn peek(&self, queue: &str, max: usize) -> Vec<TestMessage> {
        self.get(queue, max, "ack_requeue_true").await
    }

    /// Takes the first messages away.
    pub async fn take(&self, queue: &str, max: usize) -> Vec<TestMessage> {
        self.get(queue, max, "ack_requeue_false").await
    }

    async fn get(&self, queue: &str, max: usize, ackmode: &str) -> Vec<TestMessage> {
        let wish = json!({ "count": max, "ackmode": ackmode, "encoding": "base64" });
        let messages = eventually("the queue gives what it has", || async {
            match self.api.send(self.api.post(&["queues", &self.vhost, queue, "get"], &wish)).await {
                Ok(messages) => Some(messages),
                // A quorum queue that was just declared may not have its leader yet.
                Err(error) if error.to_string().contains("noproc") => None,
                Err(error) => panic!("RabbitMQ refused: {error:#}"),
            }
        })
        .await;
        let messages = messages.as_array().expect("the management answers a list of messages");
        messages.iter().map(TestMessage::from_management).collect()
    }

    /// Publishes as a person in the management UI would, and says whether any queue got it.
    ///
    /// `properties` may be `{}`, and then the message has none at all; headers are in it as `headers`. The default
    /// exchange is `""`.
    pub async fn publish(
        &self,
        exchange: &str,
        routing_key: &str,
        properties: Value,
        payload: impl AsRef<[u8]>,
    ) -> bool {
        let exchange = if exchange.is_empty() { "amq.default" } else { exchange };
        let message = json!({
            "properties": properties,
            "routing_key": routing_key,
            "payload": STANDARD.encode(payload),
            "payload_encoding": "base64",
        });
        let answer = self.api.must(self.api.post(&["exchanges", &self.vhost, exchange, "publish"], &message)).await;
        answer["routed"] == json!(true)
    }

    /// Declares a durable queue with these arguments, such as `{"x-queue-type": "quorum"}`.
    pub async fn declare_queue(&self, queue: &str, arguments: Value) {
        let wish = json!({ "durable": true, "auto_delete": false, "arguments": arguments });
        self.api.must(self.api.put(&["queues", &self.vhost, queue], &wish)).await;
    }

    /// Declares a durable exchange of a kind, such as `topic`.
    pub async fn declare_exchange(&self, exchange: &str, kind: &str) {
        let wish = json!({ "type": kind, "durable": true });
        self.api.must(self.api.put(&["exchanges", &self.vhost, exchange], &wish)).await;
    }

    /// Binds a queue to an exchange.
    pub async fn bind(&self, queue: &str, exchange: &str, routing_key: &str) {
        let wish = json!({ "routing_key": routing_key, "arguments": {} });
        self.api.must(self.api.post(&["bindings", &self.vhost, "e", exchange, "q", queue], &wish)).await;
    }

    /// Deletes a queue with all that is in it, consumed or not.
    pub async fn delete_queue(&self, queue: &str) {
        self.api.must(self.api.delete(&["queues", &self.vhost, queue])).await;
    }

    /// Deletes an exchange.
    pub async fn delete_exchange(&self, exchange: &str) {
        self.api.must(self.api.delete(&["exchanges", &self.vhost, exchange])).await;
    }

    /// Deletes all ready messages of a queue.
    pub async fn purge(&self, queue: &str) {
        self.api.must(self.api.delete(&["queues", &self.vhost, queue, "contents"])).await;
    }
}
