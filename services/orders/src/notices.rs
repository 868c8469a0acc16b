//! Telling every process that answers requests which orders have changed: over a channel of Redis. Without Redis they find out by
//! themselves, half a second later.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::StreamExt;
use redis::Client;
use redis::aio::ConnectionManager;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::watch::Watch;

const CHANNEL: &str = "orders_changed";

/// How long connecting, subscribing or a sign of life may take.
const LIMIT: Duration = Duration::from_secs(2);

/// After so long without a notice, the other end is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(10);

/// How long it waits before it connects again.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells of these orders. What cannot be told is found out.
pub(crate) async fn tell(redis: &ConnectionManager, ids: impl Iterator<Item = Uuid>) {
    let mut pipeline = redis::pipe();
    for id in ids {
        pipeline.publish(CHANNEL, id.to_string()).ignore();
    }
    let mut redis = redis.clone();
    if let Ok(Err(error)) = timeout(LIMIT, pipeline.query_async::<()>(&mut redis)).await {
        tracing::debug!(%error, "others are not told which orders have changed");
    }
}

/// Listens, until the stop.
pub(crate) async fn listen(watch: Arc<Watch>, client: Client, stop: CancellationToken) {
    let listening = async {
        loop {
            let ended = hear(&watch, &client).await;
            tracing::debug!(error = ?ended.err(), "not listening for changed orders; connecting again");
            sleep(PAUSE).await;
        }
    };
    stop.run_until_cancelled(listening).await;
}

async fn hear(watch: &Watch, client: &Client) -> anyhow::Result<()> {
    let (mut sink, mut notices) = timeout(LIMIT, client.get_async_pubsub()).await.context("connecting")??.split();
    timeout(LIMIT, sink.subscribe(CHANNEL)).await.context("subscribing")??;
    loop {
        match timeout(SILENCE, notices.next()).await {
            Ok(Some(notice)) => {
                let id = notice.get_payload::<String>().ok().and_then(|id| id.parse().ok());
                watch.heard_of(id);
            }
            Ok(None) => bail!("the connection ended"),
            Err(_silence) => {
                timeout(LIMIT, sink.ping::<redis::Value>()).await.context("waiting for a sign of life")??;
            }
        }
    }
}
