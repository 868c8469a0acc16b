//! A broker: where to publish, consume and ask.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};

use super::link::Link;
use super::publishing_channel::Window;
use super::{Backoff, ConnectError, Consumer, DeclareError, Publisher, Requester, declare};
use crate::Topology;

/// How a program uses its broker.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the broker is: `amqp://user:password@host:port/vhost`.
    pub url: String,
    /// The program's name, shown in the management UI and sent as `app_id`.
    pub app: String,
    /// What must exist on the broker. Declared at the start, and again whenever a consumer is rebuilt or
    /// a message cannot be routed.
    pub topology: Topology,
    /// How patiently the first connection is tried.
    pub first_connect: Backoff,
    /// How many channels publish. Four hold the most messages per second; one is enough for little traffic.
    pub publish_channels: usize,
}

impl Settings {
    /// The usual settings.
    pub fn new(url: impl Into<String>, app: impl Into<String>, topology: Topology) -> Self {
        Self { url: url.into(), app: app.into(), topology, first_connect: Backoff::default(), publish_channels: 4 }
    }
}

/// Whether the connections stand, for health checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokerStatus {
    /// Publishing is possible.
    pub connected: bool,
    /// The broker has stopped reading what is published: a memory or disk alarm.
    pub blocked: bool,
}

/// A broker. Cheap to clone.
///
/// It keeps two connections, because an alarm of the broker stops *all* that is written on a connection that
/// publishes, and acknowledgements must still get through then.
#[derive(Clone, Debug)]
pub struct Broker {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) app: String,
    pub(crate) topology: Topology,
    pub(crate) publishing: Arc<Link>,
    pub(crate) consuming: Arc<Link>,
    publisher: Publisher,
    /// The consuming connection over which the whole topology was last declared.
    declared: Mutex<u64>,
}

impl Broker {
    /// Connects, with retries, and declares the topology.
    pub async fn connect(settings: Settings) -> Result<Self, DeclareError> {
        let first_connect = settings.first_connect;
        let broker = Self::open(settings)?;
        let ready = || async {
            broker.publishing_channel().await?;
            broker.declare().await
        };
        let may_pass = |error: &DeclareError| !matches!(error, DeclareError::Conflict { .. });
        first_connect.retry_if("connecting to RabbitMQ", ready, may_pass).await?;
        Ok(broker)
    }

    /// A broker that is connected to when it is first needed: for a program that must run without it.
    pub fn open(settings: Settings) -> Result<Self, ConnectError> {
        let Settings { url, app, topology, publish_channels, .. } = settings;
        let publishing = Arc::new(Link::new(&url, format!("{app} publishing"))?);
        let consuming = Arc::new(Link::new(&url, format!("{app} consuming"))?);
        let (unroutable, asked) = mpsc::channel(1);
        let publisher = Publisher::start(&publishing, &app, publish_channels, Window::default(), &unroutable);
        tokio::spawn(declare::whenever_asked(Arc::clone(&publishing), topology.clone(), asked));
        Ok(Self { inner: Arc::new(Inner { app, topology, publishing, consuming, publisher, declared: Mutex::new(0) }) })
    }

    async fn publishing_channel(&self) -> Result<(), ConnectError> {
        self.inner.publishing.channel().await.map(drop)
    }

    /// Declares the topology, which changes nothing where it stands already.
    pub async fn declare(&self) -> Result<(), DeclareError> {
        let mut declared = self.inner.declared.lock().await;
        self.declare_all(&mut declared).await
    }

    /// Declares what a consumer of this queue needs; the first one on a new connection declares everything, since
    /// the broker may have lost it all.
    pub(crate) async fn declare_for(&self, queue: &str) -> Result<(), DeclareError> {
        let mut declared = self.inner.declared.lock().await;
        let consuming = &self.inner.consuming;
        consuming.channel().await?;
        if *declared != consuming.generation() {
            self.declare_all(&mut declared).await?;
        }
        declare::declare(consuming, &self.inner.topology.of_queue(queue)).await
    }

    async fn declare_all(&self, declared: &mut u64) -> Result<(), DeclareError> {
        declare::declare(&self.inner.consuming, &self.inner.topology).await?;
        *declared = self.inner.consuming.generation();
        Ok(())
    }

    /// What must exist on the broker.
    pub fn topology(&self) -> &Topology {
        &self.inner.topology
    }

    /// Publishes with confirms.
    pub fn publisher(&self) -> Publisher {
        self.inner.publisher.clone()
    }

    /// Consumes a queue of the topology.
    pub fn consumer(&self, queue: &str) -> Consumer {
        Consumer::new(self.clone(), queue)
    }

    /// Asks and awaits answers.
    pub fn requester(&self) -> Requester {
        Requester::start(Arc::clone(&self.inner.publishing), self.inner.app.clone())
    }

    /// Whether the publishing connection stands.
    pub fn status(&self) -> BrokerStatus {
        BrokerStatus { connected: self.inner.publishing.connected(), blocked: self.inner.publishing.blocked() }
    }

    /// Asks the broker for an answer: opens a channel, over a new connection if need be.
    pub async fn ping(&self) -> Result<(), ConnectError> {
        self.publishing_channel().await
    }

    /// Ends the connections. Unacknowledged messages go back to their queues.
    pub async fn close(&self) {
        self.inner.consuming.close().await;
        self.inner.publishing.close().await;
    }
}
