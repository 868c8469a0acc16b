//! One shared connection that is rebuilt on demand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Small frames: lapin keeps 64 of them per connection, and the bodies here are small.
const FRAME_MAX: u32 = 32 * 1024;
/// Finds a half-open connection within twice this time.
const HEARTBEAT_SECS: u16 = 10;
/// Connecting and opening a channel each have this long.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no channel.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL is not one of AMQP.
    #[error("the AMQP URL is not valid; it has the form amqp://user:password@host:port/vhost")]
    Url,
    /// The broker did not answer in time.
    #[error("no answer from the broker within {} s", OPEN_TIMEOUT.as_secs())]
    Timeout,
    /// The broker could not be reached, or refused.
    #[error("{0}")]
    Amqp(#[from] lapin::Error),
}

/// A connection that whoever needs a channel rebuilds when it is gone.
///
/// lapin's own recovery stays off: once its budget is spent, its consumers hang for ever without an error.
#[derive(Debug)]
pub(crate) struct Link {
    uri: AMQPUri,
    name: String,
    current: Mutex<Option<Arc<Connection>>>,
    /// Counts the connections made, to tell one from the next.
    generation: AtomicU64,
}

impl Link {
    pub(crate) fn new(url: &str, name: String) -> Result<Self, ConnectError> {
        let mut uri: AMQPUri = url.parse().map_err(|_| ConnectError::Url)?;
        uri.query.frame_max.get_or_insert(FRAME_MAX);
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECS);
        Ok(Self { uri, name, current: Mutex::new(None), generation: AtomicU64::new(0) })
    }

    /// A new channel, over a new connection if the present one is gone.
    pub(crate) async fn channel(&self) -> Result<Channel, ConnectError> {
        let connection = self.connection().await?;
        match timeout(OPEN_TIMEOUT, connection.create_channel()).await {
            Ok(Ok(channel)) => Ok(channel),
            Ok(Err(error)) => {
                self.drop_connection(&connection).await;
                Err(error.into())
            }
            Err(_) => {
                self.drop_connection(&connection).await;
                Err(ConnectError::Timeout)
            }
        }
    }

    async fn connection(&self) -> Result<Arc<Connection>, ConnectError> {
        let mut current = self.current.lock().await;
        if let Some(connection) = current.as_ref().filter(|connection| connection.status().connected()) {
            return Ok(Arc::clone(connection));
        }
        *current = None;
        let properties = ConnectionProperties::default().with_connection_name(self.name.as_str().into());
        let connection = timeout(OPEN_TIMEOUT, Connection::connect_uri(self.uri.clone(), properties))
            .await
            .map_err(|_| ConnectError::Timeout)??;
        self.generation.fetch_add(1, Ordering::Relaxed);
        tracing::info!(connection = self.name, "connected to RabbitMQ");
        Ok(Arc::clone(current.insert(Arc::new(connection))))
    }

    async fn drop_connection(&self, gone: &Arc<Connection>) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|connection| Arc::ptr_eq(connection, gone)) {
            *current = None;
        }
    }

    /// Ends the connection, so that what is unacknowledged on it goes back to its queues at once.
    pub(crate) async fn close(&self) {
        if let Some(connection) = self.current.lock().await.take() {
            let closed = timeout(Duration::from_secs(2), connection.close(200, "stopping".into())).await;
            if !matches!(closed, Ok(Ok(()))) {
                tracing::debug!(connection = self.name, "the connection was gone before it was closed");
            }
        }
    }

    /// Which connection this is, counted from 1.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Whether the connection stands.
    pub(crate) fn connected(&self) -> bool {
        // While the lock is held somebody is just connecting.
        self.current
            .try_lock()
            .is_ok_and(|current| current.as_ref().is_some_and(|connection| connection.status().connected()))
    }

    /// Whether the broker has stopped taking what is published (memory or disk alarm).
    pub(crate) fn blocked(&self) -> bool {
        self.current
            .try_lock()
            .is_ok_and(|current| current.as_ref().is_some_and(|connection| connection.status().blocked()))
    }
}
