//! Hears of changes, from this replica and the others, at once.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::StreamExt;
use redis::Client;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::view::View;

/// How long connecting, subscribing or a sign of life may take.
const LIMIT: Duration = Duration::from_secs(2);

/// After so long without a message, the other end is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(5);

/// How long it waits before it connects again. Meanwhile the store is looked at once a second all the same.
const PAUSE: Duration = Duration::from_secs(1);

/// Wakes the view whenever something changes, until `stop`.
pub(crate) async fn listen(view: Arc<View>, client: Client, channel: Arc<str>, stop: CancellationToken) {
    let listening = async {
        loop {
            let ended = hear(&view, &client, &channel).await;
            tracing::debug!(error = ?ended.err(), "not listening for changes; connecting again");
            sleep(PAUSE).await;
        }
    };
    stop.run_until_cancelled(listening).await;
}

async fn hear(view: &View, client: &Client, channel: &str) -> anyhow::Result<()> {
    let (mut sink, mut messages) = timeout(LIMIT, client.get_async_pubsub()).await.context("connecting")??.split();
    timeout(LIMIT, sink.subscribe(channel)).await.context("subscribing")??;
    // For what changed before.
    view.wake();
    loop {
        match timeout(SILENCE, messages.next()).await {
            // What it says does not matter: the look finds all that changed.
            Ok(Some(_)) => view.wake(),
            Ok(None) => bail!("the connection ended"),
            Err(_silence) => {
                timeout(LIMIT, sink.ping::<redis::Value>()).await.context("waiting for a sign of life")??;
            }
        }
    }
}
