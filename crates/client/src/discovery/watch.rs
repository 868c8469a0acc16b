//! Hearing of changes from the registry as they happen.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use contracts::registry::Discovered;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::Discovery;
use super::sse::Events;
use crate::backoff;
use crate::registry::{MAX_ANSWER, Registry};

/// The registry sends something at least every ten seconds.
const SILENCE: Duration = Duration::from_secs(30);

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Stays connected to one of the registry's replicas, for ever.
pub(super) async fn follow(discovery: &Discovery) {
    let Some(registry) = &discovery.registry else { return };
    let (mut connections, mut failures, mut said) = (0, 0, false);
    loop {
        match connect(registry).await {
            Ok(events) => {
                connections += 1;
                (failures, said) = (0, false);
                tracing::info!("the registry tells of changes");
                discovery.watch.store(connections, Ordering::Relaxed);
                let lost = listen(discovery, events, connections).await;
                discovery.watch.store(0, Ordering::Relaxed);
                tracing::warn!(error = format!("{lost:#}"), "the registry is lost; what it told is used on");
            }
            Err(error) if !said => {
                said = true;
                tracing::warn!(error = format!("{error:#}"), "no registry can be reached");
            }
            Err(error) => tracing::debug!(error = format!("{error:#}"), "no registry can be reached"),
        }
        failures += 1;
        tokio::time::sleep(backoff::wait(FIRST_WAIT, LONGEST_WAIT, failures)).await;
    }
}

async fn connect(registry: &Registry) -> anyhow::Result<Incoming> {
    let mut last = Err(anyhow::anyhow!("there is no registry"));
    for (at, replica) in registry.replicas() {
        last = registry.open(replica, "/watch").await;
        if last.is_ok() {
            registry.prefer(at);
            break;
        }
    }
    last
}

/// Takes in what the registry tells, and returns why that ended.
async fn listen(discovery: &Discovery, mut body: Incoming, watch: u64) -> anyhow::Error {
    let mut events = Events::new(MAX_ANSWER);
    loop {
        let taken = async {
            let frame = tokio::time::timeout(SILENCE, body.frame()).await.context("it was silent for too long")?;
            let frame = frame.context("it closed the connection")??;
            if let Ok(data) = frame.into_data() {
                events.push(&data, |event| {
                    if event.name == "instances" {
                        let discovered: Discovered = serde_json::from_str(event.data)?;
                        discovery.told(&discovered, watch);
                    }
                    Ok(())
                })?;
            }
            Ok(())
        };
        if let Err(error) = taken.await {
            return error;
        }
    }
}
