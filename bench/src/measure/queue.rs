//! A quorum queue that nobody consumes: what relay and PerfTest are measured into.

use messaging::{Backoff, Broker, ExchangeKind, Settings, Topology};

use crate::stage::Stage;

pub(crate) const EXCHANGE: &str = "bench";
pub(crate) const QUEUE: &str = "bench";
pub(crate) const ROUTING_KEY: &str = "insert_record";
/// The body of an `insert_record`.
pub(crate) const BODY: &str = r#"{"SRN":"load001-000000001","Name":"Ada Lovelace","Section":"B"}"#;

/// The queue, on a broker that is connected to as the producer does it.
pub(crate) struct Queue {
    pub(crate) broker: Broker,
}

impl Queue {
    pub(crate) async fn open(stage: &Stage) -> anyhow::Result<Self> {
        let queue = messaging::Queue::work(QUEUE).bind(EXCHANGE, ROUTING_KEY);
        let topology = Topology::default().exchange(EXCHANGE, ExchangeKind::Direct).queue(queue);
        let settings = Settings { first_connect: Backoff::default(), ..Settings::new(stage.amqp(), "bench", topology) };
        Ok(Self { broker: Broker::connect(settings).await? })
    }

    /// A new queue in place of the old one, however much is in that.
    pub(crate) async fn empty(&self, stage: &Stage) -> anyhow::Result<()> {
        stage.delete_queue(QUEUE).await?;
        Ok(self.broker.declare().await?)
    }

    pub(crate) async fn close(self, stage: &Stage) -> anyhow::Result<()> {
        self.broker.close().await;
        stage.delete_queue(QUEUE).await
    }
}
