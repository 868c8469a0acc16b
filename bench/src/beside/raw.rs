//! Publishing without an outbox, through the same library: what stands in for PerfTest where Java or Maven is missing.

use std::time::Instant;

use anyhow::{Context, ensure};
use messaging::{Outcome, Outgoing};
use tokio::task::JoinSet;

use crate::measure::queue::{BODY, EXCHANGE, Queue, ROUTING_KEY};

/// Twice as many as there are channels, so that each channel's next window waits for it.
const PUBLISHERS: u64 = 8;
const WINDOW: u64 = 256;

/// Confirmed messages per second.
pub(crate) async fn rate(queue: &Queue, messages: u64) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let windows = messages.div_ceil(PUBLISHERS * WINDOW);
    let mut publishers = JoinSet::new();
    for _ in 0..PUBLISHERS {
        let publisher = queue.broker.publisher();
        publishers.spawn(async move {
            for _ in 0..windows {
                let window = (0..WINDOW).map(|_| Outgoing::raw(EXCHANGE, ROUTING_KEY, ROUTING_KEY, BODY));
                let outcomes = publisher.publish_all(window).await;
                let failed = outcomes.into_iter().find(|outcome| *outcome != Outcome::Confirmed);
                ensure!(failed.is_none(), "the broker did not take a message: {failed:?}");
            }
            Ok(())
        });
    }
    while let Some(published) = publishers.join_next().await {
        published.context("a publisher panicked")??;
    }
    Ok((windows * PUBLISHERS * WINDOW) as f64 / begun.elapsed().as_secs_f64())
}
